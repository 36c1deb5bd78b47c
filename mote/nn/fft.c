/* fft: SignalRfft and SignalIrfft for int16, int32 and float; the transform itself is mote/base/fft.inc. That of int16,
 * which features need too, lies in mote/base/signal.c. */
#include "mote/base/signal.h"
#include "mote/nn/whole.h"

/* ---- the check, for all types -------------------------------------------------- */

static enum mote_status fft_check(const struct mote_fft *p, const struct mote_bounds *b,
                                  size_t bytes) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!mote_fft_is_good(p) || p->in_n > p->length || p->vectors == 0 || p->inverse > 1)
    return MOTE_ERR_PARAMS;
  const uint64_t real = (uint64_t)(p->inverse ? p->length : p->in_n) * p->vectors * bytes;
  const uint64_t spectrum = (uint64_t)(p->length + 2u) * p->vectors * bytes;
  if (!mote_bounds_constant(b, p->twiddle_at, (uint64_t)p->length * bytes) ||
      !mote_bounds_constant(b, p->split_at, (uint64_t)(p->length / 4u) * 2 * bytes))
    return MOTE_ERR_BOUNDS;
  return mote_bounds_whole(b, 0, p->inverse ? spectrum : real) &&
                 (p->inverse ? real : spectrum) <= b->out_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}

/* ---- kernels ------------------------------------------------------------------- */
/* Vector after vector. */
#define FFT_ROW(type, value, transform)                                                            \
  static void fft_##type##_row(const void *params, const void *const *rows, void *state,           \
                               void *out) {                                                        \
    const struct mote_fft *p = (const struct mote_fft *)params;                                    \
    const uint32_t spectrum = p->length + 2u;                                                      \
    const value *from = (const value *)rows[0];                                                    \
    value *to = (value *)out;                                                                      \
    (void)state;                                                                                   \
    for (unsigned v = 0; v < p->vectors; v++) {                                                    \
      transform(p, from, to);                                                                      \
      from += p->inverse ? spectrum : p->in_n;                                                     \
      to += p->inverse ? p->length : spectrum;                                                     \
    }                                                                                              \
  }

FFT_ROW(s16, int16_t, mote_fft_s16)
MOTE_WHOLE_KERNEL(fft_s16, mote_fft)
enum mote_status mote_fft_s16_check(const struct mote_fft *p, const struct mote_bounds *b) {
  return fft_check(p, b, sizeof(int16_t));
}

/* ---- int32 ---------------------------------------------------------------------- */
/* Products in 64 bits; sums wrap. */
static int32_t round_s32(int64_t x) { return (int32_t)((x + ((int64_t)1 << 30)) >> 31); }
static int32_t add_s32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static int32_t sub_s32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static int32_t negate_s32(int32_t a) { return (int32_t)(0u - (uint32_t)a); }
static int32_t halve_s32(int32_t a) { return a >> 1; }
static int32_t times_s32(int32_t a, int32_t b) { return round_s32((int64_t)a * b); }
static int32_t half_sum_s32(int32_t a, int32_t b) { return add_s32(a, b) >> 1; }
static int32_t half_difference_s32(int32_t a, int32_t b) { return sub_s32(a, b) >> 1; }
static int32_t divide_s32(int32_t a, unsigned radix) {
  return round_s32((int64_t)a * (int32_t)((uint32_t)INT32_MAX / radix));
}
static int32_t cross_s32(int32_t a, int32_t b, int32_t c, int32_t d, int minus) {
  const uint64_t x = (uint64_t)((int64_t)a * b), y = (uint64_t)((int64_t)c * d);
  return (int32_t)((int64_t)((minus ? x - y : x + y) + ((uint64_t)1 << 30)) >> 31);
}
static int32_t normalise_s32(int32_t a, uint32_t length) {
  (void)length;
  return a;
}

#define VALUE   int32_t
#define NAME(x) x##_s32
#include "mote/base/fft.inc"
FFT_ROW(s32, int32_t, fft_s32)
MOTE_WHOLE_KERNEL(fft_s32, mote_fft)
enum mote_status mote_fft_s32_check(const struct mote_fft *p, const struct mote_bounds *b) {
  return fft_check(p, b, sizeof(int32_t));
}

/* ---- float ---------------------------------------------------------------------- */
static float add_f32(float a, float b) { return a + b; }
static float sub_f32(float a, float b) { return a - b; }
static float negate_f32(float a) { return -a; }
static float halve_f32(float a) { return a * 0.5f; }
static float times_f32(float a, float b) { return a * b; }
static float half_sum_f32(float a, float b) { return (a + b) * 0.5f; }
static float half_difference_f32(float a, float b) { return (a - b) * 0.5f; }
static float divide_f32(float a, unsigned radix) {
  (void)radix;
  return a;
}
static float cross_f32(float a, float b, float c, float d, int minus) {
  return minus ? a * b - c * d : a * b + c * d;
}
static float normalise_f32(float a, uint32_t length) { return a / (float)length; }

#define VALUE   float
#define NAME(x) x##_f32
#include "mote/base/fft.inc"
FFT_ROW(f32, float, fft_f32)
MOTE_WHOLE_KERNEL(fft_f32, mote_fft)
enum mote_status mote_fft_f32_check(const struct mote_fft *p, const struct mote_bounds *b) {
  return fft_check(p, b, sizeof(float));
}
