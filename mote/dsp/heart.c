/* The kind "heart": beats of each channel of a frame, and what the intervals between them are like.
 *
 * The whole frame is needed: a window of intervals moves by a beat, not by a hop. Firmware that follows a heart for hours
 * feeds mote_beats_push instead.
 *
 * range: a frame lasts less than 2^20 ms, so times are below 2^30 in Q10.
 * There are two ops, so that a program holds what it uses: the plain one knows intervals; what beats look like is the full
 * one's (heart_shape.c).
 *
 * The scratch: the detector's state, then int32[most] times of beats and int32[most] intervals, then what heart_shape.c needs. */
#include "mote/dsp/heart_shape.h"
#include "mote/dsp/moments.h"
#include "mote/dsp/private.h"

static const struct mote_heart *heart_of(const struct mote_features *f) {
  return mote_at(f, f->params_at);
}

uint32_t mote_heart_values(const struct mote_heart *p) {
  return (uint32_t)__builtin_popcount(p->values);
}

int mote_heart_is_plain(const struct mote_heart *p) { return !(p->values & MOTE_HEART_SHAPE); }

/* ---- beats -------------------------------------------------------------------------- */

/* at: in steps of 1/256 of a sample. Behind the n samples of the frame there is no beat: only the filters ring on. */
static void keep_beat(struct mote_heart_beats *h, uint32_t n, int32_t at) {
  if (at > (int32_t)(n << 8)) return;
  const int32_t time = (int32_t)(((int64_t)(at > 0 ? at : 0) * h->p->tick) >> 18);
  if (h->n < h->p->most && (!h->n || time > h->time[h->n - 1])) h->time[h->n++] = time;
}

static void find_beats(struct mote_heart_beats *h, const int16_t *in, uint32_t n, uint32_t stride,
                       struct mote_beats_state *state) {
  const struct mote_beats *const p = &h->p->beats;
  const uint32_t late = p->slow + p->apart + (uint32_t)(p->delay >> 8) + 1u;
  int32_t ago;
  mote_beats_begin(p, state);
  for (uint32_t t = 0; t < n; t++)
    if (mote_beats_push(p, state, in[t * stride], &ago)) keep_beat(h, n, (int32_t)(t << 8) - ago);
  for (uint32_t t = n; t < n + late; t++)
    if (mote_beats_flush(p, state, &ago)) keep_beat(h, n, (int32_t)(t << 8) - ago);
}

/* ---- intervals ------------------------------------------------------------------------ */

static int32_t raw_interval(const struct mote_heart_beats *h, uint32_t i) {
  return h->time[i + 1] - h->time[i];
}

/* The median of the five intervals about i, of those that there are. */
static int32_t median_about(const struct mote_heart_beats *h, uint32_t i) {
  int32_t v[5];
  uint32_t n = 0;
  for (uint32_t k = i < 2 ? 0 : i - 2; k <= i + 2 && k + 1 < h->n; k++) {
    const int32_t x = raw_interval(h, k);
    uint32_t at = n++;
    for (; at && v[at - 1] > x; at--) v[at] = v[at - 1];
    v[at] = x;
  }
  return v[n / 2];
}

static void find_intervals(struct mote_heart_beats *h) {
  const struct mote_heart *const p = h->p;
  for (uint32_t i = 0; i + 1 < h->n; i++) {
    const int32_t x = raw_interval(h, i);
    int counts = x >= p->shortest * 1024 && x <= p->longest * 1024;
    if (counts && p->irregular) {
      const int32_t median = median_about(h, i), off = x > median ? x - median : median - x;
      counts = (int64_t)off * 100 <= (int64_t)median * p->irregular;
    }
    h->interval[i] = counts ? x : 0;
    h->kept += (uint32_t)counts;
    h->sum += h->interval[i];
  }
}

static int32_t share(uint32_t part, uint32_t of) {
  return mote_scaled_fix(mote_scaled_div(mote_scaled_of(part, 0), mote_scaled_of(of, 0)), 16);
}

static int32_t rate_of(const struct mote_heart_beats *h) {
  const struct mote_scaled minutes = mote_scaled_of((uint64_t)h->sum, 0);
  return mote_scaled_fix(
      mote_scaled_div(mote_scaled_mul(mote_scaled_of(60000u << 10, 0), mote_scaled_of(h->kept, 0)),
                      minutes),
      8);
}

/* Root of the mean of squares, `n` of them. */
static int32_t root_mean(uint64_t squares, uint32_t n) {
  return mote_scaled_fix(
      mote_scaled_sqrt(mote_scaled_div(mote_scaled_of(squares, 0), mote_scaled_of(n, 0))), 0);
}

/* range: intervals are below 2^24 (16 s), so squares are below 2^48, and sums of 2^13 below 2^61. */
static int32_t deviation_of(const struct mote_heart_beats *h, int32_t mean) {
  uint64_t squares = 0;
  for (uint32_t i = 0; i + 1 < h->n; i++)
    if (h->interval[i]) {
      const int64_t d = h->interval[i] - mean;
      squares += (uint64_t)(d * d);
    }
  return h->kept > 1 ? root_mean(squares, h->kept - 1) : 0;
}

/* RMSSD, and the share of differences above 50 ms; of neighbours that are both kept. */
static int32_t differences_of(const struct mote_heart_beats *h, int32_t *above) {
  uint64_t squares = 0;
  uint32_t pairs = 0, large = 0;
  for (uint32_t i = 0; i + 2 < h->n; i++) {
    if (!h->interval[i] || !h->interval[i + 1]) continue;
    const int64_t d = h->interval[i + 1] - h->interval[i];
    squares += (uint64_t)(d * d);
    large += d > 50 * 1024 || d < -50 * 1024;
    pairs++;
  }
  *above = share(large, pairs);
  return root_mean(squares, pairs);
}

/* ---- the spectrum of the intervals ------------------------------------------------------ */

/* sin(2 pi phase / 2^32), Q30. A polynomial in the square of a quarter of a turn: 4e-9.
 * source: least squares at the zeros of a Chebyshev polynomial; test_heart compares. */
static int32_t sine_of(uint32_t phase) {
  static const int32_t c[5] = {1686629673, -693597875, 85564848, -5016758, 161939};
  const uint32_t quarter = phase >> 30, rest = phase & 0x3fffffff;
  const int32_t x = (int32_t)(quarter & 1 ? (1u << 30) - rest : rest);
  const int32_t u = (int32_t)(((int64_t)x * x) >> 30);
  int32_t sum = c[4];
  for (int i = 3; i >= 0; i--) sum = c[i] + (int32_t)(((int64_t)sum * u) >> 30);
  const int32_t y = (int32_t)(((int64_t)sum * x) >> 30);
  return quarter & 2 ? -y : y;
}

static struct mote_scaled square_scaled(int64_t x) {
  const struct mote_scaled size = mote_scaled_of(x < 0 ? 0 - (uint64_t)x : (uint64_t)x, 0);
  return mote_scaled_mul(size, size);
}

/* a - b * r, r = num / den with |num| <= den. range: |b| < 2^48, so that no product is beyond 2^62. */
static int64_t without(int64_t a, int64_t b, int64_t num, int64_t den) {
  const struct mote_scaled quotient = mote_scaled_div(
      mote_scaled_of((uint64_t)(num < 0 ? -num : num), 0), mote_scaled_of((uint64_t)den, 0));
  const int64_t r = mote_scaled_fix(quotient, 30), high = b >> 16, low = b & 0xffff;
  const int64_t product = ((high * r) >> 14) + ((low * r) >> 30);
  return num < 0 ? a + product : a - product;
}

/* What sine and cosine of multiple k take of the intervals' squares together, Q20 of ms^2. Their sums of products:
 * range: Q15 numbers below 2^15 and intervals without their mean below 2^24, at most 2^13 of them: below 2^52. */
static struct mote_scaled power_at(const struct mote_heart_beats *h, uint32_t k, int32_t mean) {
  int64_t ys = 0, yc = 0, ss = 0, cc = 0, cs = 0;
  for (uint32_t i = 0; i + 1 < h->n; i++) {
    if (!h->interval[i]) continue;
    const uint32_t phase =
        (uint32_t)(((uint64_t)(uint32_t)h->time[i + 1] * h->p->turn) >> h->p->turn_shift) * k;
    const int32_t s = (sine_of(phase) + (1 << 14)) >> 15,
                  c = (sine_of(phase + (1u << 30)) + (1 << 14)) >> 15, y = h->interval[i] - mean;
    ys += (int64_t)y * s, yc += (int64_t)y * c;
    ss += s * s, cc += c * c, cs += s * c;
  }
  int32_t moved = 0;
  for (; (ys < 0 ? -ys : ys) >> 32 || (yc < 0 ? -yc : yc) >> 32; moved++) ys /= 2, yc /= 2;
  /* The larger first; what the other adds is taken at right angles to it. */
  const int64_t first = ss > cc ? ss : cc, other = ss > cc ? cc : ss;
  const int64_t y_first = ss > cc ? ys : yc, y_other = ss > cc ? yc : ys;
  struct mote_scaled power = {0, 0};
  if (first <= 0) return power;
  power = mote_scaled_div(square_scaled(y_first), mote_scaled_of((uint64_t)first, 0));
  const int64_t left = without(other, cs, cs, first), y_left = without(y_other, y_first, cs, first);
  if (left > first >> 12) /* else the two are one */
    power = mote_scaled_add(
        power, mote_scaled_div(square_scaled(y_left), mote_scaled_of((uint64_t)left, 0)));
  power.e += power.m ? 2 * moved : 0;
  return power;
}

static struct mote_scaled band_of(const struct mote_heart_beats *h, uint32_t from, uint32_t end,
                                  int32_t mean) {
  struct mote_scaled sum = {0, 0};
  if (h->kept < 3) return sum;
  for (uint32_t k = from; k < end; k++) sum = mote_scaled_add(sum, power_at(h, k, mean));
  sum = mote_scaled_div(sum, mote_scaled_of(h->kept, 0));
  sum.e -= sum.m ? 20 : 0; /* of Q10 squared */
  return sum;
}

/* ---- the beat in the middle ---------------------------------------------------------------- */

static int32_t ratio_of(const struct mote_heart_beats *h, uint32_t i, int32_t mean) {
  if (i + 1 >= h->n || !mean) return 65536;
  const int32_t x = raw_interval(h, i);
  return mote_scaled_fix(
      mote_scaled_div(mote_scaled_of((uint32_t)x, 0), mote_scaled_of((uint32_t)mean, 0)), 16);
}

static uint32_t nearest(const struct mote_heart_beats *h, int32_t middle) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < h->n; i++) {
    const int32_t off = h->time[i] - middle, old = h->time[best] - middle;
    if ((off < 0 ? -off : off) < (old < 0 ? -old : old)) best = i;
  }
  return best;
}

static int32_t *put_middle(const struct mote_heart_beats *h, int32_t middle, int32_t mean,
                           int32_t *out) {
  const uint32_t best = nearest(h, middle), values = h->p->values;
  if (values & MOTE_HEART_BEFORE) *out++ = best ? ratio_of(h, best - 1, mean) : 65536;
  if (values & MOTE_HEART_BEHIND) *out++ = ratio_of(h, best, mean);
  if (values & MOTE_HEART_INTERVAL) *out++ = mean;
  if (values & MOTE_HEART_OFFSET) *out++ = h->n ? h->time[best] - middle : 0;
  return out;
}

/* ---- the op ------------------------------------------------------------------------ */

static int32_t *put_values(struct mote_heart_beats *h, int32_t middle, int32_t *out) {
  const uint32_t values = h->p->values;
  const int32_t mean = h->kept ? mote_mean_of(h->sum, h->kept) : 0;
  int32_t above = 0, shortest = 0, longest = 0;
  for (uint32_t i = 0; i + 1 < h->n; i++) {
    const int32_t x = h->interval[i];
    if (x && (!shortest || x < shortest)) shortest = x;
    if (x > longest) longest = x;
  }
  const int32_t rmssd = differences_of(h, &above);
  if (values & MOTE_HEART_RATE) *out++ = rate_of(h);
  if (values & MOTE_HEART_SDNN) *out++ = deviation_of(h, mean);
  if (values & MOTE_HEART_RMSSD) *out++ = rmssd;
  if (values & MOTE_HEART_PNN50) *out++ = above;
  if (values & MOTE_HEART_SHORTEST) *out++ = shortest;
  if (values & MOTE_HEART_LONGEST) *out++ = longest;
  if (values & (MOTE_HEART_LF | MOTE_HEART_HF | MOTE_HEART_LF_HF)) {
    const struct mote_scaled low = band_of(h, h->p->low, h->p->middle, mean),
                             high = band_of(h, h->p->middle, h->p->end, mean);
    if (values & MOTE_HEART_LF) *out++ = mote_scaled_fix(low, 4);
    if (values & MOTE_HEART_HF) *out++ = mote_scaled_fix(high, 4);
    if (values & MOTE_HEART_LF_HF)
      *out++ = low.m && high.m ? mote_scaled_log2(low) - mote_scaled_log2(high) : 0;
  }
  if (values & MOTE_HEART_BEATS) *out++ = (int32_t)h->n;
  if (values & MOTE_HEART_IRREGULAR) *out++ = h->n > 1 ? share(h->n - 1 - h->kept, h->n - 1) : 0;
  return put_middle(h, middle, mean, out);
}

size_t mote_heart_scratch_bytes(const struct mote_features *f) {
  const struct mote_heart *const p = heart_of(f);
  const uint32_t shape = mote_heart_is_plain(p) ? 0 : 2u * p->shape.length;
  return 4 + mote_beats_state_bytes(&p->beats) + sizeof(int32_t) * (2u * p->most + shape);
}

void mote_heart_row(const struct mote_features *f, mote_heart_put_shape *put,
                    const int16_t *samples, void *scratch, void *row) {
  const struct mote_heart *const p = heart_of(f);
  uint8_t *const memory = (uint8_t *)scratch + ((uintptr_t)scratch & 4); /* aligned to 8 */
  int32_t *const time = (int32_t *)(void *)(memory + mote_beats_state_bytes(&p->beats));
  const int32_t middle = (int32_t)(((int64_t)f->frame * p->tick) >> 11);
  struct mote_heart_beats h = {.p = p, .time = time, .interval = time + p->most};
  int32_t *out = row;
  for (uint32_t c = 0; c < f->channels; c++) {
    const int16_t *const in = mote_features_channel(f, samples, c);
    if (!c || !p->together) {
      h.n = h.kept = 0, h.sum = 0;
      find_beats(&h, in, f->frame, f->stride, (struct mote_beats_state *)(void *)memory);
      find_intervals(&h);
    }
    out = put_values(&h, middle, out);
    if (put) out = put(f, &h, in, nearest(&h, middle), time + 2u * p->most, out);
  }
}

static void plain_row(const struct mote_features *f, const int16_t *samples, void *state,
                      void *scratch, void *row) {
  (void)state;
  mote_heart_row(f, 0, samples, scratch, row);
}

static int stretch_fits(const struct mote_heart_stretch *s, uint32_t spare, uint32_t length) {
  return s->from >= spare && s->from < s->to && (uint32_t)s->to + spare <= length;
}

static int shape_fits(const struct mote_heart_shape *s) {
  return s->length <= 4096 && s->lead < s->length && stretch_fits(&s->ahead, 0, s->length) &&
         stretch_fits(&s->energy, 0, s->length) &&
         stretch_fits(&s->likeness, s->shift, s->length) && stretch_fits(&s->width, 0, s->length);
}

enum mote_status mote_features_check_heart(const struct mote_features *f) {
  const struct mote_heart *const p = heart_of(f);
  if (!mote_features_table_fits(f, f->params_at, sizeof *p)) return MOTE_ERR_BOUNDS;
  if (f->cell_bytes != 4 || f->fft_log2 || !p->values || p->values > MOTE_HEART_ALL ||
      p->most < 2 || p->most > 8192 || !p->tick || p->tick > 1 << 28 || p->longest < p->shortest ||
      p->longest > 16000 || p->irregular > 100 || p->low > p->middle || p->middle > p->end ||
      p->end > 8192 || p->turn_shift > 31 || p->together > 1 || !shape_fits(&p->shape) ||
      f->columns != f->channels * mote_heart_values(p) || ((uint64_t)f->frame * p->tick) >> 40)
    return MOTE_ERR_PARAMS;
  return mote_beats_fit(&p->beats) ? MOTE_OK : MOTE_ERR_PARAMS;
}

const struct mote_features_op mote_features_heart = {
    .kind = MOTE_FEATURES_HEART,
    .scratch_bytes = mote_heart_scratch_bytes,
    .row = plain_row,
    .finish = mote_features_finish_s32,
};
