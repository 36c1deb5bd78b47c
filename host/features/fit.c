/* The map to int8 from training windows, and where a recording lies in its window.
 *
 * Two passes over the windows: sums for mean and deviation, then a histogram of the standardised values for the
 * percentiles. Sums are in double and in the order of the windows, so the result depends on nothing else. */
#include "host/features/private.h"

#include <math.h>
#include <string.h>

/* Standardised values from -16 to 16 in steps of 1/64. */
#define STEPS 2048

/* One part of the block. */
struct fit {
  const struct features_part *part;
  const struct mote_features *f;
  const struct mote_features_op *op;
  void *scratch, *rows;
  double *values; /* of one window, [rows][columns] */
  double *taken;  /* what normalisation takes from each column */
  double *offset, *deviation;
};

/* The straight line through n values in their place, by least squares. */
static void lay_line(double *v, size_t n) {
  double level = 0, moment = 0, squares = 0;
  for (size_t i = 0; i < n; i++) {
    const double x = 2 * (double)i - (double)(n - 1);
    level += v[i] / (double)n;
    moment += v[i] * x;
    squares += x * x;
  }
  for (size_t i = 0; i < n; i++)
    v[i] = level + (squares > 0 ? moment / squares * (2 * (double)i - (double)(n - 1)) : 0);
}

/* One window's rows with the range applied, and what normalisation would take off (not yet rounded). */
static void fit_rows(struct fit *t, const int16_t *samples) {
  const struct mote_features *const f = t->f;
  const size_t values = (size_t)f->rows * f->columns,
               row_bytes = (size_t)f->columns * f->cell_bytes;
  double most = -HUGE_VAL, all = 0;
  void *scratch = t->scratch;
  samples = features_part_samples(t->part, samples, &scratch);
  mote_features_begin(f, t->op, scratch);
  if (t->op->prime) t->op->prime(f, samples, scratch);
  for (size_t r = 0; r < f->rows; r++)
    mote_features_row(f, t->op, samples + r * f->hop * f->stride, scratch,
                      (uint8_t *)t->rows + r * row_bytes);
  for (size_t i = 0; i < values; i++) {
    t->values[i] =
        f->cell_bytes == 2 ? ((const int16_t *)t->rows)[i] : ((const int32_t *)t->rows)[i];
    most = fmax(most, t->values[i]);
  }
  features_slide(f, t->values);
  for (size_t i = 0; i < values && f->normalise == MOTE_FEATURES_NORMALISE_SLIDING; i++)
    t->values[i] *= 1024;
  memset(t->taken, 0, f->columns * sizeof *t->taken);
  for (size_t i = 0; i < values; i++) {
    if (f->range) t->values[i] = fmax(t->values[i], most - f->range);
    all += t->values[i];
    t->taken[i % f->columns] += t->values[i] / (double)f->rows;
  }
  if (f->normalise == MOTE_FEATURES_NORMALISE_TILT)
    lay_line(t->taken, f->columns);
  else if (f->normalise != MOTE_FEATURES_NORMALISE_MEAN)
    for (size_t c = 0; c < f->columns; c++)
      t->taken[c] = f->normalise == MOTE_FEATURES_NORMALISE_LEVEL ? all / (double)values : 0;
}

/* Of a band's values the one that a column holds: levels and flatness are spread differently. */
static int quantity_of(const struct mote_features *f, size_t column) {
  const bool both = f->kind == MOTE_FEATURES_FLATNESS && f->depth == 2 * f->channels;
  return both && column / f->bands % 2;
}

/* Offset and deviation of each column; log spectra share one deviation for each quantity, so that a pattern looks the same
 * in every band. */
static void fit_moments(struct fit *t, const int16_t *const *windows, size_t count) {
  const struct mote_features *const f = t->f;
  const size_t values = (size_t)f->rows * f->columns;
  for (size_t i = 0; i < count; i++) {
    fit_rows(t, windows[i]);
    for (size_t k = 0; k < values; k++) {
      const size_t c = k % f->columns;
      const double v = t->values[k] - t->taken[c];
      t->offset[c] += v;
      t->deviation[c] += v * v;
    }
  }
  const double n = (double)count * f->rows;
  double variance[2] = {0}, shares[2] = {0};
  if (f->kind == MOTE_FEATURES_IMAGE) { /* one map for all pixels */
    double sum = 0, squares = 0;
    for (size_t c = 0; c < f->columns; c++) sum += t->offset[c], squares += t->deviation[c];
    for (size_t c = 0; c < f->columns; c++)
      t->offset[c] = sum / f->columns, t->deviation[c] = squares / f->columns;
  }
  for (size_t c = 0; c < f->columns; c++) {
    const double mean = t->offset[c] / n;
    t->offset[c] = floor(mean + 0.5);
    t->deviation[c] = fmax(t->deviation[c] / n - mean * mean, 1);
    const double lift = features_lift(f, (int)c);
    variance[quantity_of(f, c)] += t->deviation[c] * lift * lift;
    shares[quantity_of(f, c)]++;
  }
  const bool together = (f->kind == MOTE_FEATURES_BANDS && !f->coefficients) ||
                        f->kind == MOTE_FEATURES_MFE || f->kind == MOTE_FEATURES_SPECTROGRAM ||
                        f->kind == MOTE_FEATURES_MICRO || f->kind == MOTE_FEATURES_FLATNESS ||
                        f->flags >> 8;
  for (size_t c = 0; c < f->columns; c++) {
    const int q = quantity_of(f, c);
    t->deviation[c] =
        together ? sqrt(variance[q] / shares[q]) / features_lift(f, (int)c) : sqrt(t->deviation[c]);
  }
}

/* Counts the standardised values of all windows. */
static void fit_count(struct fit *t, const int16_t *const *windows, size_t count,
                      uint64_t histogram[STEPS]) {
  const size_t columns = t->f->columns, values = t->f->rows * columns;
  for (size_t i = 0; i < count; i++) {
    fit_rows(t, windows[i]);
    for (size_t k = 0; k < values; k++) {
      const size_t c = k % columns;
      const double z = (t->values[k] - t->taken[c] - t->offset[c]) / t->deviation[c];
      histogram[(int)fmin(fmax(64 * z + STEPS / 2, 0), STEPS - 1)]++;
    }
  }
}

/* The standardised values below and above which 1 of 1000 lies; at least half a deviation about 0. */
static void fit_limits(const uint64_t histogram[STEPS], double *low, double *high) {
  uint64_t tail = 0, below = 0, above = 0;
  int first = 0, last = STEPS - 1;
  for (int i = 0; i < STEPS; i++) tail += histogram[i];
  tail /= 1000;
  while (first < STEPS / 2 - 32 && below + histogram[first] <= tail) below += histogram[first++];
  while (last > STEPS / 2 + 32 && above + histogram[last] <= tail) above += histogram[last--];
  *low = (first - STEPS / 2) / 64.0;
  *high = (last + 1 - STEPS / 2) / 64.0;
}

/* The map of one part, in the part's fresh bytes. */
static void fit_columns(const struct fit *t, struct mote_features *fresh, double scale,
                        double low) {
  void *const columns = (uint8_t *)fresh + fresh->column_at;
  fresh->scale = (float)scale;
  fresh->zp = (int16_t)floor(-128 - low / scale + 0.5);
  for (int c = 0; c < (fresh->kind == MOTE_FEATURES_IMAGE ? 1 : fresh->columns); c++)
    if (fresh->cell_bytes == 2)
      features_column_set((struct mote_features_column *)columns + c, t->offset[c],
                          1 / (t->deviation[c] * scale));
    else
      features_wide_column_set((struct mote_features_wide_column *)columns + c, t->offset[c],
                               1 / (t->deviation[c] * scale));
}

/* The values of bytes are known, 0 to 255, unless their mean is taken off. */
static bool features_are_pixels(const struct features_block *block) {
  const struct mote_features *const f = block->parts[0].params;
  return f->kind == MOTE_FEATURES_IMAGE && f->normalise == MOTE_FEATURES_NORMALISE_NONE &&
         ((const struct mote_image *)mote_at(f, f->params_at))->format != MOTE_IMAGE_NUMBERS;
}

bool features_fit(struct features_block *block, struct arena *a, const int16_t *const *windows,
                  size_t count, struct err *e) {
  struct fit fits[FEATURES_MAX_PARTS];
  uint64_t histogram[STEPS] = {0};
  double low, high;
  if (count == 0) return err_set(e, "no training windows to fit the features to; add samples");
  if (features_are_pixels(block)) return true;
  for (int i = 0; i < block->n_parts; i++) {
    const struct mote_features *const f = block->parts[i].params;
    const struct mote_features_op *const op = block->parts[i].op;
    const size_t values = (size_t)f->rows * f->columns;
    const struct mote_front *const front = block->parts[i].front;
    const size_t room = mote_features_row_scratch_bytes(f, op) + 8 + features_front_room(front) +
                        (front ? mote_front_state_bytes(front) : 0);
    fits[i] = (struct fit){.part = &block->parts[i],
                           .f = f,
                           .op = op,
                           .scratch = arena_alloc(a, 1, room),
                           .rows = arena_alloc(a, 1, values * f->cell_bytes),
                           .values = ARENA_ARRAY(a, double, values),
                           .taken = ARENA_ARRAY(a, double, f->columns),
                           .offset = ARENA_ARRAY(a, double, f->columns),
                           .deviation = ARENA_ARRAY(a, double, f->columns)};
    fit_moments(&fits[i], windows, count);
    fit_count(&fits[i], windows, count, histogram);
  }
  fit_limits(histogram, &low, &high);
  uint8_t *const fresh = arena_alloc(a, 1, block->bytes);
  memcpy(fresh, block->data, block->bytes);
  for (int i = 0; i < block->n_parts; i++)
    fit_columns(&fits[i],
                (struct mote_features *)(fresh + ((const uint8_t *)fits[i].f -
                                                  (const uint8_t *)block->data)),
                (high - low) / 255, low);
  return features_block_of(fresh, block->bytes, block, e);
}

/* Energy of one time step about the channels' means. */
static double energy_at(const int16_t *samples, size_t t, int channels, const double *mean) {
  double sum = 0;
  for (int c = 0; c < channels; c++) {
    const double d = samples[t * (size_t)channels + (size_t)c] - (c < 256 ? mean[c] : 0);
    sum += d * d;
  }
  return sum;
}

size_t features_event(const int16_t *samples, size_t n, int channels, size_t window_samples) {
  const size_t width = (size_t)channels;
  if (n <= window_samples) return 0;
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
  return (size_t)fmin(fmax(floor(middle - (double)window_samples / 2 + 0.5), 0),
                      (double)(n - window_samples));
}

void features_place(const int16_t *samples, size_t n, int channels, size_t window_samples,
                    int16_t *out) {
  const size_t width = (size_t)channels;
  if (n > window_samples) {
    const size_t from = features_event(samples, n, channels, window_samples);
    memcpy(out, samples + from * width, window_samples * width * sizeof *out);
    return;
  }
  const size_t before = (window_samples - n) / 2;
  memset(out, 0, window_samples * width * sizeof *out);
  if (n) memcpy(out + before * width, samples, n * width * sizeof *out);
}
