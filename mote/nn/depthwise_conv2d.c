/* depthwise_conv2d: DEPTHWISE_CONV_2D. All its work is the instruction set's row loop (mote/isa). */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

unsigned mote_depthwise_conv2d_s8_form(const struct mote_depthwise_conv2d_s8 *p) {
  if (p->in_c < 4) return 0;
  /* Steps from pixel to pixel are kept in 16 bits there: 32 bytes of a column, and the outputs of one. */
  if (p->kernel_w == 3 && p->kernel_h == 3 && p->dilation_w == 1 && p->stride_w < 2048 &&
      (uint32_t)p->in_c * p->multiplier < 65536)
    return mote_output_is_above(&p->output) ? 3 : 1;
  /* Each window is one column within the row, read once. From two rows on, weights of the first three channels
   * of four can be loaded beyond their own. */
  if (p->kernel_w == 1 && p->kernel_h >= 2 && p->multiplier == 1 && p->pad_left == 0 &&
      (uint32_t)(p->out_w - 1) * p->stride_w < p->in_w)
    return 2;
  return 0;
}

int mote_depthwise_conv2d_s8_in_row(const struct mote_depthwise_conv2d_s8 *p, int helium) {
  /* Helium takes windows of three rows by eights of channels whatever their form is (mote/isa/mve_three.c). */
  const int eights = helium && p->in_c >= 4 && p->kernel_h == 3 && p->kernel_w <= 4;
  const int once = p->in_c % 4 == 0 || (mote_depthwise_conv2d_s8_form(p) == 0 && !eights);
  return p->multiplier == 1 && p->stride_w == 1 && once &&
         (p->strip_w >= p->out_w || p->kernel_w == 1);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  static void (*const rows_of[])(const void *, const void *const *, void *, void *) = {
      mote_isa_depthwise, mote_isa_depthwise_3x3, mote_isa_depthwise_tall, mote_isa_depthwise_3x3};
  rows_of[mote_depthwise_conv2d_s8_form((const struct mote_depthwise_conv2d_s8 *)params)](
      params, rows, state, out);
}

const struct mote_kernel mote_kernel_depthwise_conv2d_s8 = {NULL, row, NULL};
const struct mote_kernel mote_kernel_depthwise_conv2d_s8__any = {NULL, mote_isa_depthwise, NULL};
const struct mote_kernel mote_kernel_depthwise_conv2d_s8__3x3 = {NULL, mote_isa_depthwise_3x3,
                                                                 NULL};
const struct mote_kernel mote_kernel_depthwise_conv2d_s8__3x3_above = {
    NULL, mote_isa_depthwise_3x3_above, NULL};
const struct mote_kernel mote_kernel_depthwise_conv2d_s8__tall = {NULL, mote_isa_depthwise_tall,
                                                                  NULL};

size_t mote_depthwise_conv2d_s8_state_bytes(const struct mote_depthwise_conv2d_s8 *p) {
  const uint64_t strip = p->strip_w < p->out_w ? p->strip_w : p->out_w;
  const uint64_t columns =
      (strip - 1) * p->stride_w + (uint64_t)(p->kernel_w - 1) * p->dilation_w + 1;
  const uint64_t bytes = mote_isa_depthwise_bytes(columns, p->kernel_h, p->in_c);
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

/* All but the output. */
static enum mote_status
check_window(const struct mote_depthwise_conv2d_s8 *p, const struct mote_bounds *b,
             size_t (*state_bytes)(const struct mote_depthwise_conv2d_s8 *)) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  const uint64_t out_c = (uint64_t)p->in_c * p->multiplier;
  if (out_c == 0 || out_c > INT32_MAX || p->strip_w == 0) return MOTE_ERR_PARAMS;
  if (!mote_bounds_window(p->in_w, p->out_w, p->kernel_w, p->stride_w, p->dilation_w, p->pad_left))
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_rows(b, p->rows_out, p->stride_h, p->kernel_h)) return MOTE_ERR_BOUNDS;
  const uint64_t k = (uint64_t)p->kernel_w * p->kernel_h; /* < 2^32, and times out_c < 2^63 */
  if (k > INT32_MAX || !mote_bounds_constant(b, p->weights_at, k * out_c)) return MOTE_ERR_BOUNDS;
  const uint64_t in_row = (uint64_t)p->in_w * p->in_c; /* column * in_c + c is an int32 */
  if (in_row > INT32_MAX || in_row > b->row_bytes[0] ||
      p->rows_out * (p->out_w * out_c) > b->out_bytes || state_bytes(p) > b->state_bytes)
    return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}

enum mote_status mote_depthwise_conv2d_s8_check(const struct mote_depthwise_conv2d_s8 *p,
                                                const struct mote_bounds *b) {
  const enum mote_status status = check_window(p, b, mote_depthwise_conv2d_s8_state_bytes);
  if (status != MOTE_OK) return status;
  return mote_output_check(&p->output, p, b, (uint32_t)p->in_c * p->multiplier,
                           (uint64_t)p->kernel_w * p->kernel_h);
}

/* ---- by stairs ---- */
const struct mote_kernel mote_kernel_depthwise_stairs_s8 = {NULL, mote_isa_depthwise_stairs, NULL};
const struct mote_kernel mote_kernel_depthwise_stairs_high_s8 = {
    NULL, mote_isa_depthwise_stairs_high, NULL};

size_t mote_depthwise_stairs_s8_state_bytes(const struct mote_depthwise_conv2d_s8 *p) {
  return mote_depthwise_conv2d_s8_state_bytes(p);
}

size_t mote_depthwise_stairs_high_s8_state_bytes(const struct mote_depthwise_conv2d_s8 *p) {
  return mote_depthwise_conv2d_s8_state_bytes(p);
}

static enum mote_status stairs_check(const struct mote_depthwise_conv2d_s8 *p,
                                     const struct mote_bounds *b, int high) {
  const enum mote_status status = check_window(p, b, mote_depthwise_stairs_s8_state_bytes);
  if (status != MOTE_OK) return status;
  const int nine = p->kernel_w == 3 && p->kernel_h == 3 && p->dilation_w == 1;
  return nine && mote_stairs_check(&p->output, p, b, (uint32_t)p->in_c * p->multiplier, 0, high)
             ? MOTE_OK
             : MOTE_ERR_PARAMS;
}
enum mote_status mote_depthwise_stairs_s8_check(const struct mote_depthwise_conv2d_s8 *p,
                                                const struct mote_bounds *b) {
  return stairs_check(p, b, 0);
}
enum mote_status mote_depthwise_stairs_high_s8_check(const struct mote_depthwise_conv2d_s8 *p,
                                                     const struct mote_bounds *b) {
  return stairs_check(p, b, 1);
}

const struct mote_kernel mote_kernel_depthwise_stairs_tables_s8 = {NULL, mote_isa_depthwise_tables,
                                                                   NULL};

/* A row of zero points in whole words, for those that are missing; or one channel of outputs. */
size_t mote_depthwise_stairs_tables_s8_state_bytes(const struct mote_depthwise_conv2d_s8 *p) {
  const uint64_t row = ((uint64_t)p->in_w * p->in_c + 3) / 4 * 4; /* at most 2^32 */
  const uint64_t bytes = row > p->out_w ? row : p->out_w;
  return bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

/* What the loops count on: with it no sum passes 9 * 2^14 and its product with l 2^29, and all of them give the same. */
static int is_nine_table(const struct mote_nine_table *t, int slides, int32_t zp) {
  if ((t->word & 255) > 31) return 0;
  if (t->h < 0 || t->h >= 4096 || t->l < -2048 || t->l >= 2048) return 0;
  for (uint32_t j = 0; j < 3; j++) {
    int32_t sum = 0; /* of three int8 */
    for (uint32_t i = 0; i < 3; i++) {
      const int32_t v = t->weights[mote_nine_at(slides, 3 * j + i)];
      if (!mote_is_int8(v)) return 0;
      sum += v;
    }
    if (t->outside[j] != (uint32_t)(sum * zp)) return 0;
  }
  return 1;
}

enum mote_status mote_depthwise_stairs_tables_s8_check(const struct mote_depthwise_conv2d_s8 *p,
                                                       const struct mote_bounds *b) {
  const enum mote_status status = check_window(p, b, mote_depthwise_stairs_tables_s8_state_bytes);
  if (status != MOTE_OK) return status;
  const uint64_t out_c = (uint64_t)p->in_c * p->multiplier; /* below 2^31 */
  if (p->kernel_w != 3 || p->kernel_h != 3 || p->dilation_w != 1 || p->output.low > p->output.high)
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_constant(b, p->weights_at, out_c * sizeof(struct mote_nine_table)))
    return MOTE_ERR_BOUNDS;
  const struct mote_nine_table *t = (const struct mote_nine_table *)mote_at(p, p->weights_at);
  for (uint64_t c = 0; c < out_c; c++)
    if (!is_nine_table(&t[c], mote_nine_slides(p), p->output.in_zp)) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
