/* Generic features of a recording, and its fingerprint. Both only serve to compare recordings of one project with each
 * other, so they need no units, and are in float: nothing of them goes to a device. */
#include "host/inspect/private.h"

#include <math.h>
#include <string.h>

#define PI          3.14159265358979323846
#define MAX_FRAMES  400 /* of a recording that are looked at, evenly spread */
#define SLICES      33  /* of a fingerprint: 32 words are differences */
#define BANDS       33
#define POINTS      256 /* of a channel that is projected */
#define SOUND_HZ    2000
#define LEAST_SOUND (SLICES * SPECTRUM_SIZE / 4)
#define LOUD        0.2f /* of the peak */

/* ---- spectra ------------------------------------------------------------------------- */
static _Thread_local struct {
  bool made;
  float cosine[SPECTRUM_SIZE / 2], sine[SPECTRUM_SIZE / 2], window[SPECTRUM_SIZE];
} table;

static void make_table(void) {
  for (int i = 0; i < SPECTRUM_SIZE / 2; i++) {
    table.cosine[i] = (float)cos(2 * PI * i / SPECTRUM_SIZE);
    table.sine[i] = (float)-sin(2 * PI * i / SPECTRUM_SIZE);
  }
  for (int i = 0; i < SPECTRUM_SIZE; i++)
    table.window[i] = (float)(0.5 - 0.5 * cos(2 * PI * (i + 0.5) / SPECTRUM_SIZE));
  table.made = true;
}

static void fft(float *re, float *im) {
  for (int i = 1, k = 0; i < SPECTRUM_SIZE; i++) {
    int bit = SPECTRUM_SIZE / 2;
    for (; k & bit; bit /= 2) k ^= bit;
    k ^= bit;
    if (i >= k) continue;
    const float a = re[i], b = im[i];
    re[i] = re[k], im[i] = im[k];
    re[k] = a, im[k] = b;
  }
  for (int half = 1; half < SPECTRUM_SIZE; half *= 2) {
    for (int k = 0; k < half; k++) {
      const float c = table.cosine[k * (SPECTRUM_SIZE / 2 / half)];
      const float s = table.sine[k * (SPECTRUM_SIZE / 2 / half)];
      for (int i = k; i < SPECTRUM_SIZE; i += 2 * half) {
        const float a = re[i + half] * c - im[i + half] * s,
                    b = re[i + half] * s + im[i + half] * c;
        re[i + half] = re[i] - a, im[i + half] = im[i] - b;
        re[i] += a, im[i] += b;
      }
    }
  }
}

void inspect_spectrum(const float *values, int64_t stride, int n, float power[SPECTRUM_BINS]) {
  float re[SPECTRUM_SIZE] = {0}, im[SPECTRUM_SIZE] = {0};
  double sum = 0;
  if (!table.made) make_table();
  for (int i = 0; i < n; i++) sum += isfinite(values[i * stride]) ? (double)values[i * stride] : 0;
  const float mean = (float)(sum / n);
  for (int i = 0; i < n; i++) {
    const float window =
        n == SPECTRUM_SIZE ? table.window[i] : (float)(0.5 - 0.5 * cos(2 * PI * (i + 0.5) / n));
    re[i] = isfinite(values[i * stride]) ? (values[i * stride] - mean) * window : 0;
  }
  fft(re, im);
  for (int i = 0; i < SPECTRUM_BINS; i++) power[i] = (re[i] * re[i] + im[i] * im[i]) / (float)n;
}

/* The bin where band b of n begins: evenly in the logarithm from bin 1 on, at least a bin each. */
static int band_edge(int b, int n) {
  const int log_edge = (int)lround(pow(SPECTRUM_BINS - 1, (double)b / n));
  return log_edge > b + 1 ? log_edge : b + 1;
}

static float log_power(double power) { return (float)log10(power + 1e-12); }

/* Frames of a channel: how many, how long, how far apart. */
struct frames {
  int n, size;
  double hop;
};
static struct frames lay_frames(int64_t length) {
  struct frames f = {.size = length < SPECTRUM_SIZE ? (int)length : SPECTRUM_SIZE};
  const int64_t most = length / (SPECTRUM_SIZE / 2);
  f.n = most < 1 ? 1 : most > MAX_FRAMES ? MAX_FRAMES : (int)most;
  f.hop = f.n > 1 ? (double)(length - f.size) / (f.n - 1) : 0;
  return f;
}

/* ---- features -------------------------------------------------------------------------- */
struct band_stats {
  double mean[16], square[16];
  double profile[12];
};

/* Bands of all frames of a channel, in logarithm. */
static void band_statistics(const struct inspect_signal *s, int k, int bands,
                            struct band_stats *b) {
  const struct frames f = lay_frames(s->length);
  int in_slice[12] = {0};
  memset(b, 0, sizeof *b);
  for (int i = 0; i < f.n; i++) {
    float power[SPECTRUM_BINS];
    double whole = 0;
    const int64_t at = (int64_t)(i * f.hop);
    inspect_spectrum(s->values + at * s->channels + k, s->channels, f.size, power);
    for (int j = 0; j < bands; j++) {
      double sum = 0;
      const int from = band_edge(j, bands), to = band_edge(j + 1, bands);
      for (int bin = from; bin < to && bin < SPECTRUM_BINS; bin++) sum += (double)power[bin];
      whole += sum;
      const double level = (double)log_power(sum);
      b->mean[j] += level / f.n;
      b->square[j] += level * level / f.n;
    }
    const int slice = i * 12 / f.n;
    b->profile[slice] += (double)log_power(whole);
    in_slice[slice]++;
  }
  for (int i = 0; i < 12; i++)
    b->profile[i] = in_slice[i] ? b->profile[i] / in_slice[i] : b->profile[i ? i - 1 : 0];
}

/* Mean, spread, crossings of the mean, usual step: 4 features. */
static void shape(const struct inspect_signal *s, int k, float *out) {
  double sum = 0, square = 0, step = 0;
  int64_t crossings = 0;
  for (int64_t i = 0; i < s->length; i++) sum += (double)inspect_value(s, i, k);
  const double mean = sum / (double)s->length;
  double before = 0;
  for (int64_t i = 0; i < s->length; i++) {
    const double v = (double)inspect_value(s, i, k) - mean;
    square += v * v;
    if (i > 0) step += fabs(v - before), crossings += (v > 0) != (before > 0);
    before = v;
  }
  const double n = (double)s->length;
  out[0] = (float)mean;
  out[1] = log_power(square / n);
  out[2] = (float)((double)crossings / n);
  out[3] = log_power(step / n);
}

/* A copy of 4 x 4 pixels in three colours. */
static void describe_picture(const struct inspect_signal *s, float features[INSPECT_FEATURES]) {
  double sum[INSPECT_FEATURES] = {0};
  int64_t n[16] = {0};
  for (int y = 0; y < s->height; y++) {
    for (int x = 0; x < s->width; x++) {
      const int cell = y * 4 / s->height * 4 + x * 4 / s->width;
      n[cell]++;
      for (int k = 0; k < 3; k++)
        sum[3 * cell + k] +=
            (double)inspect_value(s, (int64_t)y * s->width + x, s->channels < 3 ? 0 : k);
    }
  }
  for (int i = 0; i < INSPECT_FEATURES; i++)
    features[i] = n[i / 3] ? (float)(sum[i] / (double)n[i / 3]) : 0;
}

void inspect_describe(const struct inspect_signal *s, float features[INSPECT_FEATURES]) {
  struct band_stats b;
  memset(features, 0, INSPECT_FEATURES * sizeof *features);
  if (s->height > 0) {
    describe_picture(s, features);
    return;
  }
  if (s->channels == 1) {
    shape(s, 0, features);
    band_statistics(s, 0, 16, &b);
    for (int i = 0; i < 16; i++) {
      const double spread = b.square[i] - b.mean[i] * b.mean[i];
      features[4 + i] = (float)b.mean[i];
      features[20 + i] = (float)sqrt(spread > 0 ? spread : 0);
    }
    for (int i = 0; i < 12; i++) features[36 + i] = (float)b.profile[i];
    return;
  }
  for (int k = 0; k < s->channels && k < 4; k++) {
    shape(s, k, features + 12 * k);
    band_statistics(s, k, 8, &b);
    for (int i = 0; i < 8; i++) features[12 * k + 4 + i] = (float)b.mean[i];
  }
}

/* ---- fingerprints ------------------------------------------------------------------------ */
/* Sound: bit (t, b) says whether the slope between two bands grew from one slice to the next. */
static void print_sound(const struct inspect_signal *s, struct inspect_print *print) {
  double energy[SLICES][BANDS] = {{0}};
  const struct frames f = lay_frames(s->length);
  int in_slice[SLICES] = {0};
  double whole = 0;
  for (int i = 0; i < f.n; i++) {
    float power[SPECTRUM_BINS];
    const int t = (int)((int64_t)i * SLICES / f.n);
    inspect_spectrum(s->values + (int64_t)(i * f.hop) * s->channels, s->channels, f.size, power);
    in_slice[t]++;
    for (int b = 0; b < BANDS; b++)
      for (int bin = band_edge(b, BANDS); bin < band_edge(b + 1, BANDS) && bin < SPECTRUM_BINS;
           bin++)
        energy[t][b] += (double)power[bin], whole += (double)power[bin];
  }
  print->empty = !(whole > 1e-9 * (double)f.n);
  for (int t = 0; t < SLICES; t++)
    for (int b = 0; b < BANDS; b++)
      energy[t][b] = log10(energy[t][b] / (in_slice[t] ? in_slice[t] : 1) + 1e-12);
  for (int t = 0; t < SLICES - 1; t++)
    for (int b = 0; b < BANDS - 1; b++)
      if (energy[t + 1][b] - energy[t + 1][b + 1] > energy[t][b] - energy[t][b + 1])
        print->words[t] |= 1u << b;
}

/* Point i of n of a channel: the mean of its stretch. */
static double point(const struct inspect_signal *s, int k, int i, int n) {
  const int64_t from = s->length * i / n, to = s->length * (i + 1) / n;
  double sum = 0;
  for (int64_t at = from; at < to; at++) sum += (double)inspect_value(s, at, k);
  return to > from ? sum / (double)(to - from) : 0;
}

/* Signs of random projections of a vector, half of them of its differences: equal vectors give equal signs, and the
 * angle between two is the share of signs that differ times pi. */
static void project(const double *vector, int n, struct inspect_print *print) {
  struct rng rng;
  rng_seed(&rng, 0x5eed);
  for (int bit = 0; bit < 32 * INSPECT_WORDS; bit++) {
    const bool differences = bit & 1;
    double sum = 0;
    /* Signs instead of normal numbers: the same angle with more than a few dozen of them, and a word gives 32. */
    uint32_t word = 0;
    for (int i = 0; i < n; i++) {
      if (i % 32 == 0) word = rng_u32(&rng);
      const double v = differences ? vector[i] - (i ? vector[i - 1] : 0) : vector[i];
      sum += word >> (i % 32) & 1 ? v : -v;
    }
    if (sum > 0) print->words[bit / 32] |= 1u << (bit % 32);
  }
}

static void print_shape(const struct inspect_signal *s, struct inspect_print *print) {
  double vector[4 * POINTS];
  const int channels = s->channels < 4 ? s->channels : 4;
  const int points = s->length < POINTS ? (int)s->length : POINTS;
  int n = 0;
  double moved = 0;
  for (int k = 0; k < channels; k++) {
    double sum = 0, square = 0;
    double *channel = vector + n;
    for (int i = 0; i < points; i++) sum += channel[i] = point(s, k, i, points);
    for (int i = 0; i < points; i++) {
      channel[i] -= sum / points;
      square += channel[i] * channel[i];
    }
    /* Each channel counts alike, so that quiet ones, which only noise tells apart, count too. */
    const double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (int i = 0; i < points; i++) channel[i] *= scale;
    moved += square;
    n += points;
  }
  print->empty = !(moved > 0) || points < 4;
  project(vector, n, print);
}

/* The part of a sound between its first and last loud number, so that silence cut off the ends changes nothing. */
static struct inspect_signal loud_part(const struct inspect_signal *s) {
  float peak = 0;
  int64_t first = 0, last = s->length - 1;
  for (int64_t i = 0; i < s->length; i++) peak = fmaxf(peak, fabsf(inspect_value(s, i, 0)));
  while (first < last && fabsf(inspect_value(s, first, 0)) < LOUD * peak) first++;
  while (last > first && fabsf(inspect_value(s, last, 0)) < LOUD * peak) last--;
  struct inspect_signal part = *s;
  if (last - first + 1 < LEAST_SOUND) return part;
  part.values = s->values + first * s->channels;
  part.length = last - first + 1;
  return part;
}

void inspect_fingerprint(const struct inspect_signal *s, struct inspect_print *print) {
  memset(print, 0, sizeof *print);
  if (s->length < 1) {
    print->empty = true;
  } else if (s->height == 0 && s->rate_hz >= SOUND_HZ && s->length >= LEAST_SOUND) {
    const struct inspect_signal part = loud_part(s);
    print_sound(&part, print);
  } else {
    print_shape(s, print);
  }
}
