/* Blocks: the tables of a configuration, and bytes that come back from a file.
 *
 * Tables are rounded doubles. Where the C library's sine differs in its last bit from one machine to another,
 * a table could differ by one; so blocks travel as bytes, and nothing computes them twice. */
#include "host/features/private.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

/* ---- tables ---------------------------------------------------------------- */

/* Where the tables of a block lie; each starts at a multiple of 4. */
struct layout {
  size_t window, sine, segment, weight, cosine, column, bytes;
};

static size_t place(size_t *end, size_t n) {
  const size_t at = *end;
  *end = (at + n + 3) & ~(size_t)3;
  return at;
}

static struct layout layout_of(const struct features_config *c) {
  struct layout l = {0};
  size_t end = sizeof(struct mote_features);
  if (features_has_spectrum(c)) {
    const size_t frame = (size_t)features_frame_samples(c), fft = (size_t)c->fft_size;
    l.window = place(&end, frame * 2);
    l.sine = place(&end, (fft / 4 + 1) * 2);
    l.segment = place(&end, ((size_t)c->bands + 2) * 2);
    l.weight = place(
        &end, (size_t)(features_segment_start(c, c->bands + 1) - features_segment_start(c, 0)));
    if (c->kind == FEATURES_MFCC)
      l.cosine = place(&end, (size_t)c->coefficients * (size_t)c->bands * 2);
  }
  const size_t columns = (size_t)c->channels * (size_t)features_columns_each(c);
  l.column = place(&end, columns * sizeof(struct mote_features_column));
  l.bytes = end;
  return l;
}

static int16_t q15(double x) {
  const double v = floor(32768 * x + 0.5);
  return (int16_t)(v > 32767 ? 32767 : v);
}

/* Hann's window, symmetric, without its zeros at the ends. Returns the sum of all its values. */
static double fill_window(int16_t *window, int frame) {
  double sum = 0;
  for (int t = 0; t < frame; t++) {
    window[t] = q15(0.5 - 0.5 * cos(2 * PI * (t + 1) / (frame + 1)));
    sum += window[t] / 32768.0;
  }
  return sum;
}

static void fill_spectrum(const struct features_config *c, const struct layout *l, uint8_t *bytes) {
  struct mote_features *const f = (struct mote_features *)bytes;
  const double sum = fill_window((int16_t *)(bytes + l->window), f->frame);
  int16_t *const sine = (int16_t *)(bytes + l->sine);
  for (int k = 0; k <= c->fft_size / 4; k++) sine[k] = q15(sin(2 * PI * k / c->fft_size));
  uint16_t *const segment = (uint16_t *)(bytes + l->segment);
  uint8_t *weight = bytes + l->weight;
  for (int i = 0; i <= c->bands + 1; i++) segment[i] = (uint16_t)features_segment_start(c, i);
  for (int i = 0; i <= c->bands; i++)
    for (int k = segment[i]; k < segment[i + 1]; k++) *weight++ = features_bin_weight(c, i, k);
  /* A tone of RMS 1 has the power (sum of the window)^2 / 2 in its bin. 10 log10(2) dB are one octave of power. */
  const double floor_log2 = log2(sum * sum / 2) + c->floor_db / (10 * log10(2));
  f->floor = (int16_t)fmin(fmax(floor(256 * floor_log2 + 0.5), -16384), 16383);
  int16_t *cosine = (int16_t *)(bytes + l->cosine);
  for (int k = 0; k < f->coefficients; k++)
    for (int b = 0; b < c->bands; b++)
      *cosine++ = (int16_t)floor(
          16384 * sqrt((k ? 2.0 : 1.0) / c->bands) * cos(PI * k * (b + 0.5) / c->bands) + 0.5);
}

static void fill_head(const struct features_config *c, const struct layout *l,
                      struct mote_features *f) {
  const int frame = features_frame_samples(c), hop = features_hop_samples(c);
  const int window = features_samples_of(c->window_ms, c->rate_hz);
  const int each = features_columns_each(c);
  const bool image =
      c->kind == FEATURES_LOGMEL || c->kind == FEATURES_MFCC || c->kind == FEATURES_SPECTRUM;
  f->magic = MOTE_FEATURES_MAGIC;
  f->version = MOTE_FEATURES_VERSION;
  f->kind = c->kind == FEATURES_RAW          ? MOTE_FEATURES_RAW
            : c->kind == FEATURES_STATISTICS ? MOTE_FEATURES_STATISTICS
                                             : MOTE_FEATURES_BANDS;
  f->normalise = (uint8_t)c->normalise;
  f->bytes = (uint32_t)l->bytes;
  f->window = (uint32_t)window;
  f->channels = (uint16_t)c->channels;
  f->frame = (uint16_t)frame;
  f->hop = (uint16_t)hop;
  f->rows = (uint16_t)((window - frame) / hop + 1);
  f->columns = (uint16_t)(c->channels * each);
  f->width = (uint16_t)(image ? each : 1);
  f->depth = (uint16_t)(f->columns / f->width);
  f->range = (int16_t)floor(256 * c->range_db / (10 * log10(2)) + 0.5);
  f->column_at = (int32_t)l->column;
  if (!features_has_spectrum(c)) return;
  while ((1 << f->fft_log2) < c->fft_size) f->fft_log2++;
  f->bands = (uint16_t)c->bands;
  f->coefficients = (uint16_t)(c->kind == FEATURES_MFCC ? c->coefficients : 0);
  f->window_at = (int32_t)l->window;
  f->sine_at = (int32_t)l->sine;
  f->segment_at = (int32_t)l->segment;
  f->weight_at = (int32_t)l->weight;
  f->cosine_at = c->kind == FEATURES_MFCC ? (int32_t)l->cosine : 0;
}

void features_column_set(struct mote_features_column *column, double offset, double m) {
  int shift = 0;
  while (shift < 30 && m * (double)(1u << (shift + 1)) <= INT16_MAX) shift++;
  if (shift < 1) shift = 1;
  const double multiplier = floor(m * (double)(1u << shift) + 0.5);
  column->offset = (int16_t)fmin(fmax(floor(offset + 0.5), INT16_MIN), INT16_MAX);
  column->multiplier = (int16_t)fmin(multiplier, INT16_MAX);
  column->shift = (int16_t)shift;
}

/* Typical values until features_fit sees data. Log spectra: 16 octaves of power below and above the mean, or
 * from the floor up; everything else: the whole range of 16 bits. */
static void fill_columns(const struct features_config *c, struct mote_features *f) {
  struct mote_features_column *const column =
      (struct mote_features_column *)((uint8_t *)f + f->column_at);
  const int each = features_columns_each(c);
  for (int i = 0; i < f->columns; i++) {
    const bool log = c->kind == FEATURES_LOGMEL || c->kind == FEATURES_SPECTRUM ||
                     (c->kind == FEATURES_STATISTICS && i % each >= MOTE_FEATURES_STATS);
    if (log) {
      const bool level = c->normalise == FEATURES_NORMALISE_NONE;
      features_column_set(&column[i], level ? f->floor + 16 * 256 : 0, 1.0 / 32);
    } else {
      features_column_set(&column[i], 0, c->kind == FEATURES_MFCC ? 1.0 / 32 : 1.0 / 256);
    }
  }
  f->scale = 1.0f / 32;
  f->zp = 0;
}

void features_block_of(const struct mote_features *f, struct features_block *out) {
  *out = (struct features_block){.params = f,
                                 .bytes = f->bytes,
                                 .window_samples = (int)f->window,
                                 .channels = f->channels,
                                 .dims = {f->rows, f->width, f->depth},
                                 .out_bytes = (size_t)f->rows * f->columns,
                                 .scratch_bytes = mote_features_scratch_bytes(f),
                                 .scale = f->scale,
                                 .zp = f->zp};
}

bool features_build(const struct features_config *c, struct arena *a, struct features_block *out,
                    struct err *e) {
  if (!features_check(c, e)) return false;
  const struct layout l = layout_of(c);
  if (arena_left(a) < l.bytes + 64)
    return err_set(e, "%zu bytes of tables do not fit in memory", l.bytes);
  uint8_t *const bytes = arena_alloc(a, 1, l.bytes);
  struct mote_features *const f = (struct mote_features *)bytes;
  fill_head(c, &l, f);
  if (features_has_spectrum(c)) fill_spectrum(c, &l, bytes);
  fill_columns(c, f);
  const enum mote_status status = mote_features_check(bytes, l.bytes);
  if (status != MOTE_OK)
    return err_internal(e, "the block just built is refused: %s", mote_status_text(status));
  features_block_of(f, out);
  return true;
}

bool features_open(const void *bytes, size_t n, struct arena *a, struct features_block *out,
                   struct err *e) {
  if (n > (1u << 24)) return err_set(e, "%zu bytes are no feature block; at most 16 MiB", n);
  if (arena_left(a) < n + 64) return err_set(e, "%zu bytes do not fit in memory", n);
  void *const copy = arena_alloc(a, 1, n ? n : 1);
  if (n) memcpy(copy, bytes, n);
  const enum mote_status status = mote_features_check(copy, n);
  if (status != MOTE_OK) return err_set(e, "no feature block: %s", mote_status_text(status));
  const struct mote_features *const f = copy;
  if (!isfinite(f->scale) || f->scale <= 0)
    return err_set(e, "no feature block: its scale is not a positive number");
  features_block_of(f, out);
  return true;
}

void features_run(const struct features_block *block, const int16_t *samples, void *scratch,
                  int8_t *out) {
  mote_features_run(block->params, samples, scratch, out);
}
