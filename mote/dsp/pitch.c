/* The kind "pitch": how high a frame sounds, how surely, how loud.
 *
 * The measure is the autocorrelation at a lag over the energy of what it multiplies,
 *   n(lag) = 2 sum x(t) x(t + lag) / sum (x(t)^2 + x(t + lag)^2),   t = 0 .. frame - lag - 1,
 * which is 1 for any sound that repeats after `lag`, however loud and however few periods the frame holds. It is made
 * twice: over all lags of the samples at a fraction of their rate, behind a triangular low pass; then, around the peak
 * that was chosen there, of the samples themselves, where a parabola through three values gives the lag to a fraction.
 * That is a tenth of the products of all lags at the full rate.
 *
 * Of the peaks the first is taken that is nearly as high as the highest: at twice the true lag stands a peak as high.
 *
 * range: samples without their mean are moved so that their energy stays below 2^30. By Cauchy and Schwarz no sum of
 * products, and no part of one, is then larger, so all sums are of 32 bits, for any length of a frame.
 *
 * The scratch of a row: int16[frame]; where ratio > 1 int16[frame / ratio - 3]; int16 for each lag of the first look. */
#include "mote/dsp/pitch.h"
#include "mote/dsp/private.h"
#include "mote/dsp/scaled.h"

#define MOST ((int32_t)1 << 29) /* 1 in Q29 */

/* A peak counts that has 29/32 of the highest's value; three quarters of it in the first look make it worth another.
 * source: 0.8 to 1 are usual; test_pitch holds voices and tones to it. */
#define NEARLY(x) ((x) - (x) / 32 * 3)
#define LIKELY(x) ((x) - (x) / 4)

static const struct mote_pitch *pitch_of(const struct mote_features *f) {
  return mote_at(f, f->params_at);
}

uint32_t mote_pitch_values(const struct mote_pitch *p) {
  return (p->values & 1u) + (p->values >> 1 & 1u) + (p->values >> 2 & 1u);
}

/* Lags of the first look: first .. last, and one more on each side. */
struct look {
  const int16_t *x;
  uint32_t n, from, lags;
};

static struct look look_of(const struct mote_features *f) {
  const struct mote_pitch *const p = pitch_of(f);
  const uint32_t d = p->ratio;
  struct look l = {0, d > 1 ? f->frame / d - 3u : f->frame, p->first / d - 1u, 0};
  l.lags = (p->last + d - 1) / d + 2 - l.from;
  return l;
}

static size_t even(size_t n) { return (n + 1) & ~(size_t)1; }

static size_t pitch_scratch_bytes(const struct mote_features *f) {
  const struct look l = look_of(f);
  return 2 * (even(f->frame) + (pitch_of(f)->ratio > 1 ? even(l.n) : 0) + even(l.lags));
}

/* ---- samples ----------------------------------------------------------------------- */

/* A channel's mean, and by how many digits numbers are moved to the right so that their squares sum to less than 2^30. */
struct size {
  int32_t mean, right;
};
static struct size size_of(const struct mote_features *f, const int16_t *in) {
  const int32_t n = f->frame;
  int32_t sum = 0;
  uint64_t squares = 0;
  for (int32_t t = 0; t < n; t++, in += f->stride) {
    const int32_t v = *in;
    sum += v;
    squares += (uint32_t)(v * v);
  }
  struct size size = {sum / n, 0};
  uint64_t energy =
      squares - (uint64_t)((int64_t)size.mean * (2 * (int64_t)sum - (int64_t)n * size.mean));
  /* Below 2^29; rounding to the new digit then adds at most n / 4 + sqrt(n 2^29) < 2^23. */
  for (; energy >> 29; energy >>= 2) size.right++;
  return size;
}

/* Writes the channel without its mean to x; returns its energy there, below 2^30. */
static uint32_t level(const struct mote_features *f, const int16_t *in, struct size size,
                      int16_t *x) {
  const int32_t off = (size.right ? 1 << (size.right - 1) : 0) - size.mean;
  const uint32_t stride = f->stride;
  uint32_t energy = 0;
  for (const int16_t *const end = x + f->frame; x < end; in += stride) {
    const int32_t v = (*in + off) >> size.right;
    *x++ = (int16_t)v;
    energy += (uint32_t)(v * v);
  }
  return energy;
}

/* Every ratio-th number behind a triangle of 4 ratio - 1, which leaves what lies below a quarter of the new rate: two running
 * sums, and their differences over 2 ratio twice. Sums wrap, their differences do not: at most 4 ratio^2 2^15. All weights
 * of an input are together at most 1 / ratio, so energy does not grow. n: numbers to write. */
static void thin(const int16_t *x, uint32_t n, uint32_t ratio, uint32_t bits, int16_t *out) {
  uint32_t sum = 0, twice = 0, past[4] = {0, 0, 0, 0};
  for (uint32_t i = 0; i < n + 3; i++) {
    for (uint32_t k = 0; k < ratio; k++) {
      const int32_t next = *x++;
      sum += (uint32_t)next;
      twice += sum;
    }
    const int32_t v = (int32_t)(twice - 2 * past[1] + past[3]);
    past[3] = past[2], past[2] = past[1], past[1] = past[0], past[0] = twice;
    if (i > 2)
      *out++ = (int16_t)((v + (1 << (bits - 1))) >> bits); /* earlier: part of a triangle */
  }
}

/* ---- the measure ------------------------------------------------------------------- */

/* Sums of products at the lags lag .. lag + 3. range: n > lag + 3. */
static void products(const int16_t *x, uint32_t n, uint32_t lag, int32_t sums[4]) {
  const int16_t *y = x + lag;
  const uint32_t all = n - lag - 3;
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, y0 = y[0], y1 = y[1], y2 = y[2], y3, v;
  uint32_t i = all / 4;
  for (y += 3; i; i--, x += 4, y += 4) {
    v = x[0], y3 = y[0], s0 += v * y0, s1 += v * y1, s2 += v * y2, s3 += v * y3;
    v = x[1], y0 = y[1], s0 += v * y1, s1 += v * y2, s2 += v * y3, s3 += v * y0;
    v = x[2], y1 = y[2], s0 += v * y2, s1 += v * y3, s2 += v * y0, s3 += v * y1;
    v = x[3], y2 = y[3], s0 += v * y3, s1 += v * y0, s2 += v * y1, s3 += v * y2;
  }
  for (i = all % 4; i; i--, x++, y++) {
    v = *x, y3 = *y, s0 += v * y0, s1 += v * y1, s2 += v * y2, s3 += v * y3;
    y0 = y1, y1 = y2, y2 = y3;
  }
  sums[0] = s0 + x[0] * y0 + x[1] * y1 + x[2] * y2; /* the shorter a lag, the more it has */
  sums[1] = s1 + x[0] * y1 + x[1] * y2;
  sums[2] = s2 + x[0] * y2;
  sums[3] = s3;
}

/* The energies of both factors, step by step from those of a shorter lag. */
static uint32_t energies(const struct look *l, uint32_t *done, uint32_t energy, uint32_t lag) {
  for (; *done < lag; ++*done) {
    const int32_t a = l->x[*done], b = l->x[l->n - 1 - *done];
    energy -= (uint32_t)(a * a) + (uint32_t)(b * b);
  }
  return energy;
}

/* n(lag) in Q15, below 1; none below 0. range: 2 sum <= energy < 2^31. */
static int16_t share_of(int32_t sum, uint32_t energy) {
  if (sum <= 0 || !energy) return 0;
  const int32_t over = mote_bits_of(energy) - 16, cut = over > 0 ? over : 0;
  const uint32_t share = (((uint32_t)sum >> cut) << 16) / (energy >> cut);
  return (int16_t)(share > INT16_MAX ? INT16_MAX : share);
}

/* The same in Q29. */
static int32_t fine_share_of(int32_t sum, uint32_t energy) {
  if (sum <= 0) return 0;
  const struct mote_scaled share =
      mote_scaled_div(mote_scaled_of((uint32_t)sum, 1), mote_scaled_of(energy, 0));
  const int32_t v = mote_scaled_fix(share, 29);
  return v > MOST ? MOST : v;
}

static void look(const struct look *l, uint32_t energy, int16_t *share) {
  uint32_t done = 0, both = 2 * energy;
  int32_t sums[4];
  for (uint32_t i = 0; i < l->lags; i += 4) {
    products(l->x, l->n, l->from + i, sums);
    for (uint32_t k = 0; k < 4 && i + k < l->lags; k++) {
      both = energies(l, &done, both, l->from + i + k);
      share[i + k] = share_of(sums[k], both);
    }
  }
}

/* ---- peaks ------------------------------------------------------------------------- */

/* Where the parabola through three values has its top, Q16 from the middle one, and how high. range: values 0..2^29. */
struct top {
  int32_t at, value;
};
static struct top top_of(int32_t before, int32_t middle, int32_t behind) {
  struct top top = {0, middle};
  int32_t bend = (middle - before) + (middle - behind), lean = behind - before;
  if (bend <= 0) return top;
  lean = mote_clamp(lean, -bend, bend);
  const int32_t over = mote_bits_of((uint32_t)bend) - 16, cut = over > 0 ? over : 0;
  top.at = (lean >> cut) * ((int32_t)1 << 15) / (bend >> cut);
  top.value += (int32_t)((int64_t)top.at * lean >> 18);
  return top;
}

/* The next peak of the first look from place i on that is at least so high; where it lies in Q16 places of the first look. 0: there is
 * none. */
static uint32_t next_peak(const struct look *l, const int16_t *share, uint32_t i, struct top *top) {
  const int32_t least = top->value;
  for (; i + 1 < l->lags; i++) {
    const int16_t *const s = share + i;
    if (!(*s > 0 && *s > s[-1] && *s >= s[1])) continue;
    *top = top_of(s[-1], s[0], s[1]);
    if (top->value < least) continue;
    top->at += (int32_t)((l->from + i) << 16);
    return i;
  }
  return 0;
}

/* The top of the samples themselves near a peak of the first look, at the lag `at` in Q16. */
static struct top refine(const struct mote_pitch *p, const struct look *l, uint32_t energy,
                         struct top peak) {
  const uint32_t reach = p->ratio > 1 ? (p->ratio + 1u) / 2 : 0;
  const uint32_t lag = ((uint32_t)(peak.at >> 4) * p->ratio + (1 << 11)) >> 12;
  uint32_t low = lag > reach + p->first ? lag - reach : p->first;
  uint32_t high = lag + reach < p->last ? lag + reach : p->last;
  int32_t sums[4], before = 0, middle = 0, v = 0, most = -1;
  struct top top = {0, 0};
  if (low > p->last) low = p->last;
  if (high < low) high = low;
  uint32_t done = 0, both = 2 * energy;
  for (uint32_t i = low - 1; i <= high + 1; i++, before = middle, middle = v) {
    const uint32_t k = (i - low + 1) & 3;
    if (!k) products(l->x, l->n, i, sums);
    both = energies(l, &done, both, i);
    v = fine_share_of(sums[k], both);
    if (i <= low || middle <= most) continue;
    most = middle;
    top = top_of(before, middle, v);
    top.at += (int32_t)((i - 1) << 16);
  }
  return top;
}

/* The first peak that is nearly as high as the highest. The first look tells which may be, the samples which is; most often
 * these are two, or the highest itself is the first. */
static struct top choose(const struct mote_pitch *p, const struct look *all, uint32_t energy,
                         const struct look *l, const int16_t *share) {
  struct top peak = {0, 0}, highest = {0, 0}, top = {0, 0};
  for (uint32_t i = 0; (i = next_peak(l, share, i + 1, &peak)) != 0;)
    if (peak.value > highest.value)
      highest = peak;
    else
      peak.value = highest.value;
  if (!highest.at) return top;
  top = refine(p, all, energy, highest);
  peak.value = LIKELY(highest.value);
  for (uint32_t i = 0; (i = next_peak(l, share, i + 1, &peak)) != 0 && peak.at < highest.at;) {
    const struct top found = refine(p, all, energy, peak);
    if (found.value >= NEARLY(top.value)) return found;
    peak.value = LIKELY(highest.value);
  }
  return top;
}

/* ---- the op ------------------------------------------------------------------------ */

static int32_t *put(const struct mote_pitch *p, int32_t pitch, int32_t voicing, int32_t loud,
                    int32_t *out) {
  if (p->values & MOTE_PITCH_PITCH) *out++ = pitch;
  if (p->values & MOTE_PITCH_VOICING) *out++ = voicing;
  if (p->values & MOTE_PITCH_LEVEL) *out++ = loud;
  return out;
}

static int32_t *channel(const struct mote_features *f, const int16_t *in, int16_t *x,
                        int32_t *out) {
  const struct mote_pitch *const p = pitch_of(f);
  const struct size size = size_of(f, in);
  const uint32_t energy = level(f, in, size, x);
  struct look all = {x, f->frame, 0, 0}, l = look_of(f);
  int32_t loud = p->floor;
  if (energy) {
    const struct mote_scaled power =
        mote_scaled_div(mote_scaled_of(energy, 2 * size.right), mote_scaled_of(f->frame, 0));
    loud = mote_scaled_log2(power);
  }
  if (loud <= p->floor) return put(p, MOTE_PITCH_NONE, 0, p->floor, out);
  int16_t *const thinned = x + even(f->frame), *share = thinned;
  uint32_t part = energy;
  l.x = x;
  if (p->ratio > 1) {
    thin(x, l.n, p->ratio, p->bits, thinned);
    share += even(l.n);
    l.x = thinned;
    part = 0;
    for (uint32_t t = 0; t < l.n; t++) part += (uint32_t)((int32_t)thinned[t] * thinned[t]);
  }
  look(&l, part, share);
  const struct top top = choose(p, &all, energy, &l, share);
  if (!top.at) return put(p, MOTE_PITCH_NONE, 0, loud, out);
  const int32_t voicing = mote_clamp(top.value, 0, MOST) >> 9;
  const int32_t pitch = p->origin - mote_scaled_log2(mote_scaled_of((uint32_t)top.at, -16));
  return put(p, voicing < p->voiced ? MOTE_PITCH_NONE : pitch, voicing, loud, out);
}

static void pitch_row(const struct mote_features *f, const int16_t *samples, void *state,
                      void *scratch, void *row) {
  int32_t *out = row;
  (void)state;
  for (uint32_t c = 0; c < f->channels; c++)
    out = channel(f, mote_features_channel(f, samples, c), scratch, out);
}

/* Every lag that is looked at, with the three behind it that come along, lies within the numbers. */
enum mote_status mote_features_check_pitch(const struct mote_features *f) {
  const struct mote_pitch *const p = pitch_of(f);
  if (!mote_features_table_fits(f, f->params_at, sizeof *p)) return MOTE_ERR_BOUNDS;
  if (f->cell_bytes != 4 || f->fft_log2 || !p->values || p->values > MOTE_PITCH_ALL ||
      f->columns != f->channels * mote_pitch_values(p))
    return MOTE_ERR_PARAMS;
  if (!p->ratio || p->ratio > 32 || p->bits < 2 || p->bits > 12 ||
      4 * p->ratio * p->ratio > 1 << p->bits || p->first < 2 * p->ratio || p->first > p->last ||
      p->last > INT16_MAX)
    return MOTE_ERR_PARAMS;
  if (f->frame < 8u * p->ratio || f->frame < p->last + 8u) return MOTE_ERR_PARAMS;
  const struct look l = look_of(f);
  return l.n < l.from + l.lags + 4 ? MOTE_ERR_PARAMS : MOTE_OK;
}

const struct mote_features_op mote_features_pitch = {
    .kind = MOTE_FEATURES_PITCH,
    .scratch_bytes = pitch_scratch_bytes,
    .row = pitch_row,
    .finish = mote_features_finish_s32,
};
