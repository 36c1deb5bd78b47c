/* The last step of a window whose rows are int32: int8. */
#include "mote/dsp/private.h"

/* Values of 32 bits stand as they are: nothing is taken off over the window. */
void mote_features_finish_s32(const struct mote_features *f, const void *values, uint32_t n,
                              int8_t *out) {
  const int32_t *const rows = values;
  const struct mote_features_wide_column *column = mote_at(f, f->column_at);
  for (uint32_t d = 0; d < f->depth; d++)
    for (uint32_t w = 0; w < f->width; w++, column++) {
      const int64_t half = (int64_t)1 << (column->shift - 1);
      const int32_t *v = rows + d * f->width + w;
      int8_t *q = out + w * f->depth + d;
      for (uint32_t r = 0; r < n; r++, v += f->columns, q += f->columns) {
        /* Held to 32 bits: the product is at most 2^62, and half at most 2^61. */
        int64_t x = (int64_t)*v - column->offset;
        x = x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : x;
        x = (x * column->multiplier + half) >> column->shift;
        x = x < -256 ? -256 : x > 255 ? 255 : x;
        *q = (int8_t)mote_clamp(f->zp + (int32_t)x, -128, 127);
      }
    }
}
