/* The last step of a window whose rows are int32: int8. */
#include "mote/dsp/private.h"

/* Values of 32 bits stand as they are: nothing is taken off over the window. */
void mote_features_finish_s32(const struct mote_features *f, const void *values, int8_t *out) {
  const int32_t *const rows = values;
  const struct mote_features_wide_column *column = mote_at(f, f->column_at);
  for (uint32_t d = 0; d < f->depth; d++)
    for (uint32_t w = 0; w < f->width; w++, column++) {
      const int64_t half = (int64_t)1 << (column->shift - 1);
      const int32_t *v = rows + d * f->width + w;
      int8_t *q = out + w * f->depth + d;
      for (uint32_t r = 0; r < f->rows; r++, v += f->columns, q += f->columns) {
        /* Held to 32 bits: the product is at most 2^62, and half at most 2^61. */
        int64_t n = (int64_t)*v - column->offset;
        n = n < INT32_MIN ? INT32_MIN : n > INT32_MAX ? INT32_MAX : n;
        n = (n * column->multiplier + half) >> column->shift;
        n = n < -256 ? -256 : n > 255 ? 255 : n;
        *q = (int8_t)mote_clamp(f->zp + (int32_t)n, -128, 127);
      }
    }
}
