/* fft: SignalRfft and SignalIrfft for int16, int32 and float: vectors of tensors. The transforms are those of mote/base,
 * since features need one, too. */
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

FFT_ROW(s32, int32_t, mote_fft_s32)
MOTE_WHOLE_KERNEL(fft_s32, mote_fft)
enum mote_status mote_fft_s32_check(const struct mote_fft *p, const struct mote_bounds *b) {
  return fft_check(p, b, sizeof(int32_t));
}

FFT_ROW(f32, float, mote_fft_f32)
MOTE_WHOLE_KERNEL(fft_f32, mote_fft)
enum mote_status mote_fft_f32_check(const struct mote_fft *p, const struct mote_bounds *b) {
  return fft_check(p, b, sizeof(float));
}
