/* The frame of mfe, mfcc and spectrogram: pre-emphasis and the real FFT, no window and no mean taken off.
 *
 * The emphasised samples are as exact as 32 bits are; then the frame is scaled so that the sum of its magnitudes just
 * fits the FFT, by what it is and not by the largest that it could be: some two bits more than a bound from the
 * peak gives, and a quiet frame has as many digits as a loud one. */
#include "mote/dsp/private.h"

#include <string.h>

static const struct mote_features_emphasis *emphasis_of(const struct mote_features *f) {
  return mote_at(f, f->params_at);
}

/* Writes gain x(t) - before x(t-1) at its bit-reversed place. Returns the sum of the magnitudes over 2^12, and what
 * was cut. What a frame has beyond the FFT is left out. range: |sum of two products| <= 2^15 * 65535 < 2^31; n <= 4096, so the sum is below 2^31. */
static uint32_t frame_emphasise(const struct mote_features *f, const int16_t *samples, int32_t last,
                                int32_t *x) {
  const struct mote_features_emphasis *const e = emphasis_of(f);
  const int32_t gain = e->gain, before = e->before;
  const uint32_t stride = f->stride, top = 1u << (f->fft_log2 - 2); /* points / 2 */
  const uint32_t fft = 1u << f->fft_log2, n = f->frame < fft ? f->frame : fft;
  uint32_t place = 0, sum = n, left = n;
  for (; left >= 4; left -= 4) {
    int32_t *const even = x + 2 * place, *const odd = even + 2 * top;
    const int32_t a = samples[0], b = samples[stride], c = samples[2 * stride],
                  d = samples[3 * stride];
    const int32_t ya = gain * a - before * last, yb = gain * b - before * a;
    const int32_t yc = gain * c - before * b, yd = gain * d - before * c;
    samples += 4 * stride;
    last = d;
    sum += (uint32_t)(ya ^ (ya >> 31)) >> 12;
    sum += (uint32_t)(yb ^ (yb >> 31)) >> 12;
    sum += (uint32_t)(yc ^ (yc >> 31)) >> 12;
    sum += (uint32_t)(yd ^ (yd >> 31)) >> 12;
    even[0] = ya, even[1] = yb;
    odd[0] = yc, odd[1] = yd;
    uint32_t bit = top / 2; /* adds one at the top but one, carries downwards */
    for (; place & bit; bit >>= 1) place ^= bit;
    place |= bit;
  }
  for (uint32_t t = 0; t < left; t++, samples += stride) {
    const int32_t v = *samples, y = gain * v - before * last;
    last = v;
    sum += (uint32_t)(y ^ (y >> 31)) >> 12;
    x[2 * place + (t & 1) + (t & 2) * top] = y;
  }
  return sum;
}

int32_t mote_features_emphasised(const struct mote_features *f, const int16_t *samples,
                                 int32_t before, int32_t *x) {
  const uint32_t n = 1u << f->fft_log2;
  if (f->frame < n) memset(x, 0, 4 * (size_t)n);
  const uint32_t sum = frame_emphasise(f, samples, before, x);
  /* Cut downwards, which adds less than 1 each: 2^28 and n are below 2^29; where it counts, at DC, it is 2^-20. sum << 12 < 2^(bits + 12). */
  const int32_t shift = mote_bits_of(sum) + 12 - 28;
  int32_t *const end = x + n;
  if (shift > 0) {
    for (int32_t *p = x; p != end; p += 4) {
      p[0] >>= shift, p[1] >>= shift;
      p[2] >>= shift, p[3] >>= shift;
    }
  } else if (shift < 0) {
    for (int32_t *p = x; p != end; p++) *p = (int32_t)((uint32_t)*p << -shift);
  }
  mote_fft_real(x, f->fft_log2, mote_at(f, f->sine_at));
  return emphasis_of(f)->unit - 512 * shift;
}

/* ---- the sample in front of a frame ------------------------------------------- */

size_t mote_features_emphasis_state_bytes(const struct mote_features *f) {
  return 2 * (size_t)f->channels;
}

void mote_features_emphasis_begin(const struct mote_features *f, void *state) {
  memset(state, 0, mote_features_emphasis_state_bytes(f));
}

void mote_features_emphasis_prime(const struct mote_features *f, const int16_t *window,
                                  void *state) {
  for (uint32_t c = 0; c < f->channels; c++)
    ((int16_t *)state)[c] =
        mote_features_channel(f, window, c)[(size_t)(f->window - 1) * f->stride];
}

int32_t mote_features_emphasis_before(const struct mote_features *f, const int16_t *samples,
                                      uint32_t c, void *state) {
  int16_t *const kept = (int16_t *)state + c;
  const int32_t before = *kept;
  *kept = mote_features_channel(f, samples, c)[(uint32_t)(f->hop - 1) * f->stride];
  return before;
}

/* A hop is at most a frame, so that the sample in front of the next one is seen. */
enum mote_status mote_features_check_emphasis(const struct mote_features *f) {
  const struct mote_features_emphasis *const e = emphasis_of(f);
  if (f->cell_bytes != 2 || !f->fft_log2 || f->hop > f->frame) return MOTE_ERR_PARAMS;
  if (!mote_features_table_fits(f, f->params_at, sizeof *e)) return MOTE_ERR_BOUNDS;
  if (e->unit < -16384 || e->unit > 16384 || e->gain < 1 || e->gain > 65535 || e->before < -65535 ||
      e->before > 65535 || e->gain + (e->before < 0 ? -e->before : e->before) > 65535)
    return MOTE_ERR_PARAMS;
  if (f->normalise == MOTE_FEATURES_NORMALISE_SLIDING &&
      (e->sliding < 1 || e->sliding > 1001 || e->sliding % 2 == 0))
    return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
