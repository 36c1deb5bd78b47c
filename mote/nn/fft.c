/* fft: SignalRfft and SignalIrfft for int16, int32 and float; the transform itself is fft.inc.
 *
 * exact: rounding is that of kissfft in fixed point, the library behind the reference: products are rounded to
 * the element type one by one (halves up), a division by a radix is a product with 32767 / radix (2147483647 /
 * radix), and sums wrap. */
#include "mote/nn/whole.h"

/* ---- the check, for all types -------------------------------------------------- */

static int factors_are_good(const struct mote_fft *p) {
  uint32_t n = 1;
  if (p->n_factors < 1 || p->n_factors > MOTE_FFT_FACTORS) return 0;
  for (unsigned f = 0; f < p->n_factors; f++) {
    if (p->factors[f] < 2 || p->factors[f] > 5) return 0;
    n *= p->factors[f]; /* below 5^12 < 2^32 */
  }
  return p->length % 2 == 0 && n == p->length / 2u;
}

static enum mote_status fft_check(const struct mote_fft *p, const struct mote_bounds *b,
                                  size_t bytes) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (!factors_are_good(p) || p->in_n > p->length || p->vectors == 0 || p->inverse > 1)
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

/* ---- int16 ---------------------------------------------------------------------- */
/* Sums are made in 32 bits and cut to 16. */
static int16_t wrap_s16(int32_t x) { return (int16_t)x; }
static int16_t round_s16(int32_t x) { return wrap_s16((x + (1 << 14)) >> 15); }
static int16_t add_s16(int16_t a, int16_t b) { return wrap_s16((int32_t)a + b); }
static int16_t sub_s16(int16_t a, int16_t b) { return wrap_s16((int32_t)a - b); }
static int16_t negate_s16(int16_t a) { return wrap_s16(-(int32_t)a); }
static int16_t halve_s16(int16_t a) { return (int16_t)(a >> 1); }
static int16_t times_s16(int16_t a, int16_t b) { return round_s16((int32_t)a * b); }
/* The sum of even and odd is halved before it is cut: below 2^16. */
static int16_t half_sum_s16(int16_t a, int16_t b) { return wrap_s16(((int32_t)a + b) >> 1); }
static int16_t half_difference_s16(int16_t a, int16_t b) { return wrap_s16(((int32_t)a - b) >> 1); }
static int16_t divide_s16(int16_t a, unsigned radix) {
  return round_s16((int32_t)a * (int16_t)(INT16_MAX / radix));
}
/* a*b -+ c*d: twiddles stay within -32767 .. 32767, so the sum is at most 2^31 - 2^16. */
static int16_t cross_s16(int16_t a, int16_t b, int16_t c, int16_t d, int minus) {
  const uint32_t x = (uint32_t)((int32_t)a * b), y = (uint32_t)((int32_t)c * d);
  return wrap_s16((int32_t)((minus ? x - y : x + y) + (1u << 14)) >> 15);
}
static int16_t normalise_s16(int16_t a, uint32_t length) {
  (void)length;
  return a;
}

#define VALUE    int16_t
#define NAME(x)  x##_s16
#define NAME_ROW fft_s16_row
#include "mote/nn/fft.inc"
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

#define VALUE    int32_t
#define NAME(x)  x##_s32
#define NAME_ROW fft_s32_row
#include "mote/nn/fft.inc"
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

#define VALUE    float
#define NAME(x)  x##_f32
#define NAME_ROW fft_f32_row
#include "mote/nn/fft.inc"
MOTE_WHOLE_KERNEL(fft_f32, mote_fft)
enum mote_status mote_fft_f32_check(const struct mote_fft *p, const struct mote_bounds *b) {
  return fft_check(p, b, sizeof(float));
}
