/* Recordings before they become features: where one lies in its window, and how it sounds read faster or slower.
 *
 * Doubles only, each operation rounded as IEEE 754 says (the build contracts nothing), so the same samples come
 * out on every machine. */
#include "host/features/features.h"

#include <math.h>
#include <string.h>

/* Energy of one time step about the channels' means. */
static double energy_at(const int16_t *samples, size_t t, int channels, const double *mean) {
  double sum = 0;
  for (int c = 0; c < channels; c++) {
    const double d = samples[t * (size_t)channels + (size_t)c] - (c < 256 ? mean[c] : 0);
    sum += d * d;
  }
  return sum;
}

void features_place(const int16_t *samples, size_t n, int channels, size_t window_samples,
                    int16_t *out) {
  const size_t width = (size_t)channels;
  if (n <= window_samples) {
    const size_t before = (window_samples - n) / 2;
    memset(out, 0, window_samples * width * sizeof *out);
    if (n) memcpy(out + before * width, samples, n * width * sizeof *out);
    return;
  }
  double mean[256] = {0}, sum = 0, best, total = 0, moment = 0;
  for (size_t i = 0; i < n * width; i++)
    if (i % width < 256) mean[i % width] += samples[i] / (double)n;
  for (size_t t = 0; t < window_samples; t++) sum += energy_at(samples, t, channels, mean);
  size_t start = 0;
  best = sum;
  for (size_t t = window_samples; t < n; t++) {
    sum += energy_at(samples, t, channels, mean) -
           energy_at(samples, t - window_samples, channels, mean);
    if (sum > best * (1 + 1e-9)) best = sum, start = t - window_samples + 1;
  }
  /* Centred on the energy's middle, without leaving the recording. */
  for (size_t t = start; t < start + window_samples; t++) {
    const double energy = energy_at(samples, t, channels, mean);
    total += energy, moment += energy * (double)t;
  }
  const double middle = total > 0 ? moment / total : (double)n / 2;
  const double from =
      fmin(fmax(floor(middle - (double)window_samples / 2 + 0.5), 0), (double)(n - window_samples));
  memcpy(out, samples + (size_t)from * width, window_samples * width * sizeof *out);
}

size_t features_stretch_samples(size_t n, double factor) {
  if (!(factor >= 0.25 && factor <= 4)) return 0;
  return (size_t)floor((double)n / factor + 0.5);
}

/* The cubic through four neighbours (Catmull and Rom 1974): passes through the samples, smooth in its slope. */
static double cubic(double a, double b, double c, double d, double t) {
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

void features_stretch(const int16_t *samples, size_t n, int channels, double factor, int16_t *out) {
  const size_t n_out = features_stretch_samples(n, factor), width = (size_t)channels;
  for (size_t t = 0; t < n_out; t++) {
    const double at = fmin((double)t * factor, (double)(n - 1));
    const size_t i = (size_t)at, before = i ? i - 1 : 0;
    const size_t next = i + 1 < n ? i + 1 : n - 1, after = i + 2 < n ? i + 2 : n - 1;
    for (size_t c = 0; c < width; c++) {
      const double v = cubic(samples[before * width + c], samples[i * width + c],
                             samples[next * width + c], samples[after * width + c], at - (double)i);
      out[t * width + c] = (int16_t)fmin(fmax(floor(v + 0.5), INT16_MIN), INT16_MAX);
    }
  }
}
