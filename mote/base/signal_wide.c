/* signal: the transforms of int32 and float, which operators of models alone use. See signal.h and signal.c.
 *
 * exact: integers round as those of signal.c, with 2^31 - 1 in the place of 32767. The pieces of int32 stay functions: in one that
 * holds them all the compiler keeps so many numbers of 64 bits that a call takes more than 512 bytes of stack. */
#include "mote/base/base.h"

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
#define PIECE   __attribute__((noinline))
#include "mote/base/fft.inc"

void mote_fft_s32(const struct mote_fft *p, const int32_t *from, int32_t *to) {
  fft_s32(p, from, to);
}

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

void mote_fft_f32(const struct mote_fft *p, const float *from, float *to) { fft_f32(p, from, to); }
