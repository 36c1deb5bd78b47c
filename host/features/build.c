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
  size_t window, sine, segment, weight, cosine, column, channel, params, bytes;
};

/* A kind's own structure and tables, and their size. */
static size_t params_of(const struct features_config *c, uint8_t *out) {
  return c->kind == FEATURES_HEART      ? features_heart_params(c, out)
         : c->kind == FEATURES_MICRO    ? features_micro_params(c, out)
         : c->kind == FEATURES_PITCH    ? features_pitch_params(c, out)
         : c->kind == FEATURES_WAVELET  ? features_wavelet_params(c, out)
         : c->kind == FEATURES_SPECTRAL ? features_spectral_params(c, out)
                                        : features_flatten_params(c, out);
}

static size_t place(size_t *end, size_t n) {
  const size_t at = *end;
  *end = (at + n + 3) & ~(size_t)3;
  return at;
}

static struct layout layout_of(const struct features_config *c) {
  struct layout l = {0};
  size_t end = sizeof(struct mote_features);
  if (features_has_spectrum(c)) {
    const size_t frame = (size_t)features_frame_samples(c);
    if (!features_is_emphasised(c)) l.window = place(&end, frame * 2);
    l.sine = place(&end, (size_t)mote_fft_table_values(features_log2(c->fft_size)) * 2);
    if (c->bands) {
      l.segment = place(&end, ((size_t)c->bands + 2) * 2);
      l.weight = place(
          &end, (size_t)(features_segment_start(c, c->bands + 1) - features_segment_start(c, 0)));
    }
    if (c->kind == FEATURES_MFCC)
      l.cosine = place(&end, (size_t)c->coefficients * (size_t)c->bands * 2);
  }
  const size_t columns = c->kind == FEATURES_IMAGE ? 1 : (size_t)features_columns(c);
  l.column =
      place(&end, columns * (features_has_params(c) ? sizeof(struct mote_features_wide_column)
                                                    : sizeof(struct mote_features_column)));
  l.channel = place(&end, (size_t)c->channels);
  if (features_is_emphasised(c)) l.params = place(&end, sizeof(struct mote_features_emphasis));
  if (c->kind == FEATURES_IMAGE) l.params = place(&end, features_image_bytes(c));
  if (features_has_params(c)) {
    uint32_t params[FEATURES_MAX_PARAMS / 4];
    l.params = place(&end, params_of(c, (uint8_t *)params));
  }
  l.bytes = end;
  return l;
}

static int16_t q15(double x) {
  const double v = floor(32768 * x + 0.5);
  return (int16_t)(v > 32767 ? 32767 : v);
}

/* The table of mote_fft_real: a quarter of a sine, then the twiddles of the stages of fours. */
static void fill_fft(int fft, int16_t *table) {
  for (int k = 0; k <= fft / 4; k++) *table++ = q15(sin(2 * PI * k / fft));
  *table++ = 0;
  for (int each = features_log2(fft) % 2 ? 4 : 8; each < fft / 2; each *= 4)
    for (int j = 1; j < each; j++)
      for (int i = 1; i <= 3; i++) {
        *table++ = q15(cos(2 * PI * i * j / (4 * each)));
        *table++ = q15(sin(2 * PI * i * j / (4 * each)));
      }
}

/* Hann's window, symmetric, without its zeros at the ends; or half a sine, of which the squares half a frame apart add to 1.
 * Returns the sum of all its values. */
static double fill_window(int16_t *window, int frame, bool half_sine) {
  double sum = 0;
  for (int t = 0; t < frame; t++) {
    window[t] = q15(half_sine ? sin(PI * (t + 0.5) / frame)
                              : 0.5 - 0.5 * cos(2 * PI * (t + 1) / (frame + 1)));
    sum += window[t] / 32768.0;
  }
  return sum;
}

static void fill_spectrum(const struct features_config *c, const struct layout *l, uint8_t *bytes) {
  struct mote_features *const f = (struct mote_features *)bytes;
  double sum = 0;
  if (l->window)
    sum = fill_window((int16_t *)(bytes + l->window), f->frame, c->half_sine);
  else
    features_emphasis_params(c, (struct mote_features_emphasis *)(bytes + l->params));
  fill_fft(c->fft_size, (int16_t *)(bytes + l->sine));
  uint16_t *const segment = (uint16_t *)(bytes + l->segment);
  uint8_t *weight = bytes + l->weight;
  for (int i = 0; c->bands && i <= c->bands + 1; i++)
    segment[i] = (uint16_t)features_segment_start(c, i);
  for (int i = 0; c->bands && i <= c->bands; i++)
    for (int k = segment[i]; k < segment[i + 1]; k++) *weight++ = features_bin_weight(c, i, k);
  /* A tone of RMS 1 has the power (sum of the window)^2 / 2 in its bin. 10 log10(2) dB are one octave of power. */
  if (l->window) {
    const double floor_log2 = log2(sum * sum / 2) + c->floor_db / (10 * log10(2));
    f->floor = (int16_t)fmin(fmax(floor(256 * floor_log2 + 0.5), -16384), 16383);
  }
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
  const bool picture = c->kind == FEATURES_IMAGE;
  const int columns = features_columns(c);
  const int each = features_has_flatness(c) ? c->bands : columns / c->channels;
  const bool image = c->kind == FEATURES_LOGMEL || c->kind == FEATURES_MFCC ||
                     c->kind == FEATURES_SPECTRUM || c->kind == FEATURES_MICRO ||
                     features_is_emphasised(c);
  f->magic = MOTE_FEATURES_MAGIC;
  f->version = MOTE_FEATURES_VERSION;
  f->kind = c->kind == FEATURES_RAW           ? MOTE_FEATURES_RAW
            : c->kind == FEATURES_STATISTICS  ? MOTE_FEATURES_STATISTICS
            : c->kind == FEATURES_SPECTRAL    ? MOTE_FEATURES_SPECTRAL
            : c->kind == FEATURES_FLATTEN     ? MOTE_FEATURES_FLATTEN
            : c->kind == FEATURES_WAVELET     ? MOTE_FEATURES_WAVELET
            : c->kind == FEATURES_HEART       ? MOTE_FEATURES_HEART
            : c->kind == FEATURES_IMAGE       ? MOTE_FEATURES_IMAGE
            : c->kind == FEATURES_MICRO       ? MOTE_FEATURES_MICRO
            : c->kind == FEATURES_PITCH       ? MOTE_FEATURES_PITCH
            : c->kind == FEATURES_MFE         ? MOTE_FEATURES_MFE
            : c->kind == FEATURES_SPECTROGRAM ? MOTE_FEATURES_SPECTROGRAM
            : features_is_emphasised(c)       ? MOTE_FEATURES_MFCC
            : features_has_flatness(c)        ? MOTE_FEATURES_FLATNESS
                                              : MOTE_FEATURES_BANDS;
  f->normalise = (uint8_t)c->normalise;
  f->bytes = (uint32_t)l->bytes;
  f->window = (uint32_t)window;
  f->channels = (uint16_t)c->channels;
  f->frame = (uint16_t)(picture ? 0 : frame);
  f->hop = (uint16_t)(picture ? 0 : hop);
  f->rows = (uint16_t)features_rows(c);
  f->columns = (uint16_t)columns;
  f->width = (uint16_t)(picture ? c->width : image ? each : 1);
  f->depth = (uint16_t)(f->columns / f->width);
  f->range = (int16_t)floor(256 * c->range_db / (10 * log10(2)) + 0.5);
  f->cell_bytes = features_has_params(c) ? 4 : 2;
  f->stride = (uint16_t)(c->stride ? c->stride : c->channels);
  f->column_at = (int32_t)l->column;
  f->channel_at = (int32_t)l->channel;
  f->params_at = (int32_t)l->params;
  for (int i = 0; i < c->channels; i++)
    ((uint8_t *)f)[l->channel + (size_t)i] = c->stride ? c->select[i] : (uint8_t)i;
  if (!features_has_spectrum(c)) return;
  f->fft_log2 = (uint16_t)features_log2(c->fft_size);
  f->bands = (uint16_t)c->bands;
  f->coefficients = (uint16_t)(c->kind == FEATURES_MFCC ? c->coefficients : 0);
  f->window_at = (int32_t)l->window;
  f->sine_at = (int32_t)l->sine;
  f->segment_at = (int32_t)l->segment;
  f->weight_at = (int32_t)l->weight;
  f->cosine_at = c->kind == FEATURES_MFCC ? (int32_t)l->cosine : 0;
  f->flags = (uint16_t)((features_is_emphasised(c) ? MOTE_FEATURES_CLOSED : 0) |
                        (c->kind == FEATURES_MFCC ? c->lifter << 8 : 0));
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

void features_wide_column_set(struct mote_features_wide_column *column, double offset, double m) {
  int shift = 1;
  while (shift < 62 && ldexp(m, shift + 1) <= INT32_MAX) shift++;
  column->offset = (int32_t)fmin(fmax(floor(offset + 0.5), INT32_MIN), INT32_MAX);
  column->multiplier = (int32_t)fmin(floor(ldexp(m, shift) + 0.5), INT32_MAX);
  column->shift = shift;
}

/* Typical values until features_fit sees data. Log spectra: 16 octaves of power below and above the mean, or
 * from the floor up; everything else: the whole range of 16 bits. */
static void fill_wide_columns(const struct features_config *c, struct mote_features *f) {
  struct mote_features_wide_column *const column =
      (struct mote_features_wide_column *)((uint8_t *)f + f->column_at);
  for (int i = 0; i < f->columns; i++)
    features_wide_column_set(&column[i], 0,
                             ldexp(1, c->kind == FEATURES_SPECTRAL  ? -15
                                      : c->kind == FEATURES_WAVELET ? -15
                                      : c->kind == FEATURES_MICRO   ? -2
                                      : c->kind == FEATURES_PITCH   ? -15
                                                                    : -20));
}

static void fill_columns(const struct features_config *c, struct mote_features *f) {
  struct mote_features_column *const column =
      (struct mote_features_column *)((uint8_t *)f + f->column_at);
  const int each = features_columns_each(c);
  /* Bytes times 128 as -128 to 127, half of that where their mean is taken off, which gives them a sign; numbers until
   * they are fitted: the whole range of 16 bits. */
  if (c->kind == FEATURES_IMAGE) {
    features_column_set(column, 0, c->format == MOTE_IMAGE_NUMBERS ? 1.0 / 256 : 1.0 / 128);
    if (c->format != MOTE_IMAGE_NUMBERS)
      column->multiplier = 16384, column->shift = f->normalise ? 22 : 21;
    return;
  }
  for (int i = 0; i < f->columns; i++) {
    const bool log = c->kind == FEATURES_LOGMEL || c->kind == FEATURES_SPECTRUM ||
                     (c->kind == FEATURES_STATISTICS && i % each >= MOTE_FEATURES_STATS);
    if (log) {
      const bool level =
          c->normalise == FEATURES_NORMALISE_NONE && !features_is_flatness(c, i % each);
      features_column_set(&column[i], level ? f->floor + 16 * 256 : 0, 1.0 / 32);
    } else {
      features_column_set(&column[i], 0, c->kind == FEATURES_MFCC ? 1.0 / 32 : 1.0 / 256);
    }
  }
}

/* Parts see the same samples and share the map's scale. */
static bool parts_agree(const struct features_block *b, struct err *e) {
  const struct mote_features *const first = b->parts[0].params;
  for (int i = 1; i < b->n_parts; i++) {
    const struct mote_features *const f = b->parts[i].params;
    const struct mote_front *const front = b->parts[i].front;
    const uint32_t window = front ? front->window : f->window;
    const int stride = front ? front->stride : f->stride;
    if ((int)window != b->window_samples || stride != b->channels)
      return err_set(e, "part %d sees windows of %u x %d samples, part 1 of %d x %d", i + 1, window,
                     stride, b->window_samples, b->channels);
    if (f->zp != first->zp || f->scale != first->scale)
      return err_set(e, "part %d has another scale than part 1", i + 1);
  }
  return true;
}

/* A front at *at, where one stands. errors: it does not fit. */
static bool front_of(const void *data, size_t n, size_t *at, int part,
                     const struct mote_front **front, struct err *e) {
  const struct mote_front *const f = (const void *)((const uint8_t *)data + *at);
  if (n - *at < sizeof *f || f->magic != MOTE_FRONT_MAGIC) return true;
  const enum mote_status status = mote_front_check(f, n - *at);
  if (status != MOTE_OK)
    return err_set(e, "no feature block: in front of part %d: %s", part + 1,
                   mote_status_text(status));
  *front = f;
  *at += f->bytes;
  return true;
}

/* The columns of several parts are all their values: each part has its own. */
static void lay_map(struct features_block *b, enum features_calibrate how) {
  b->calibrate = how;
  if (how == FEATURES_CALIBRATE_NONE) return;
  b->map_columns = b->n_parts > 1 ? (int)b->out_bytes : b->parts[0].params->columns;
  b->zp = 0;
  if (how == FEATURES_CALIBRATE_DEVIATION) b->scale = 1.0f / MOTE_CALIBRATE_STEPS;
}

bool features_block_of(const void *data, size_t n, struct features_block *out, struct err *e) {
  const struct features_head *const head = data;
  size_t at = sizeof *head;
  *out = (struct features_block){.data = data, .bytes = n};
  if (n < sizeof *head || head->magic != FEATURES_MAGIC)
    return err_set(e, "no feature block: it does not begin as one");
  if (head->version != FEATURES_VERSION)
    return err_set(e, "a feature block of version %u; this Mote reads version %d", head->version,
                   FEATURES_VERSION);
  if (head->calibrate > FEATURES_CALIBRATE_DEVIATION)
    return err_set(e, "no feature block: it is calibrated in a way of number %u", head->calibrate);
  if (head->parts < 1 || head->parts > FEATURES_MAX_PARTS)
    return err_set(e, "no feature block: %u parts; 1 to %d work", head->parts, FEATURES_MAX_PARTS);
  for (int i = 0; i < head->parts; i++) {
    const struct mote_front *front = NULL;
    if (!front_of(data, n, &at, i, &front, e)) return false;
    const struct mote_features *const f = (const void *)((const uint8_t *)data + at);
    const struct mote_features_op *const op =
        n - at < sizeof *f ? NULL : mote_features_op_of(f->kind);
    const enum mote_status status = mote_features_check(f, n - at, op);
    if (status != MOTE_OK)
      return err_set(e, "no feature block: part %d: %s", i + 1, mote_status_text(status));
    if (!isfinite(f->scale) || f->scale <= 0 || f->bytes % 4)
      return err_set(e, "no feature block: part %d has the scale %g and %u bytes", i + 1,
                     (double)f->scale, f->bytes);
    if (front && (f->window != front->steps || f->stride != front->channels))
      return err_set(e, "no feature block: part %d does not see what stands in front of it", i + 1);
    out->parts[out->n_parts++] = (struct features_part){front, f, op};
    out->out_bytes += (size_t)f->rows * f->columns;
    size_t scratch = mote_features_scratch_bytes(f, op);
    if (front && mote_front_state_bytes(front) > scratch) scratch = mote_front_state_bytes(front);
    scratch += features_front_room(front);
    if (scratch > out->scratch_bytes) out->scratch_bytes = scratch;
    at += f->bytes;
  }
  if (at != n) return err_set(e, "no feature block: %zu bytes behind its parts", n - at);
  const struct mote_features *const f = out->parts[0].params;
  const struct mote_front *const front = out->parts[0].front;
  out->window_samples = (int)(front ? front->window : f->window);
  out->channels = front ? front->stride : f->stride;
  out->scale = f->scale;
  out->zp = f->zp;
  out->dims[0] = out->n_parts > 1 ? 1 : f->rows;
  out->dims[1] = out->n_parts > 1 ? 1 : f->width;
  out->dims[2] = out->n_parts > 1 ? (int)out->out_bytes : f->depth;
  lay_map(out, (enum features_calibrate)head->calibrate);
  return parts_agree(out, e);
}

/* alone: a part whose scale no other shares. */
static void build_part(const struct features_config *c, const struct layout *l, uint8_t *bytes,
                       bool alone) {
  struct mote_features *const f = (struct mote_features *)bytes;
  fill_head(c, l, f);
  if (features_has_spectrum(c)) fill_spectrum(c, l, bytes);
  if (features_has_params(c)) {
    params_of(c, bytes + l->params);
    fill_wide_columns(c, f);
  } else {
    fill_columns(c, f);
  }
  f->scale = 1.0f / 32;
  f->zp = 0;
  if (c->kind == FEATURES_IMAGE) {
    features_image_params(c, bytes + l->params);
    if (c->format != MOTE_IMAGE_NUMBERS) {
      f->scale = (f->normalise ? 2.0f : 1.0f) / 255;
      f->zp = f->normalise ? 0 : -128;
    }
  }
  if (features_is_emphasised(c)) features_audio_columns(c, f, alone);
}

bool features_build(const struct features_config *c, int n, struct arena *a,
                    struct features_block *out, struct err *e) {
  struct layout layouts[FEATURES_MAX_PARTS];
  size_t size = sizeof(struct features_head);
  if (n < 1 || n > FEATURES_MAX_PARTS)
    return err_set(e, "%d parts; 1 to %d work", n, FEATURES_MAX_PARTS);
  for (int i = 0; i < n; i++) {
    if (!features_check(&c[i], e)) return false;
    layouts[i] = layout_of(&c[i]);
    size += layouts[i].bytes + (c[i].front.on ? features_front_bytes(&c[i].front, NULL) : 0);
  }
  if (arena_left(a) < size + 64)
    return err_set(e, "%zu bytes of tables do not fit in memory", size);
  uint8_t *const data = arena_alloc(a, 1, size);
  *(struct features_head *)data =
      (struct features_head){FEATURES_MAGIC, FEATURES_VERSION, (uint8_t)n, (uint8_t)c->calibrate};
  size_t at = sizeof(struct features_head);
  for (int i = 0; i < n; at += layouts[i++].bytes) {
    struct features_config part = c[i];
    double units[MOTE_FRONT_MOST];
    if (c[i].front.on) {
      const struct mote_front *const front = (const void *)(data + at);
      at += features_front_bytes(&c[i].front, data + at);
      if (part.unit) features_front_units(front, part.unit, units), part.unit = units;
    }
    build_part(&part, &layouts[i], data + at, n == 1);
  }
  return features_block_of(data, size, out, e);
}

bool features_open(const void *bytes, size_t n, struct arena *a, struct features_block *out,
                   struct err *e) {
  if (n > (1u << 24)) return err_set(e, "%zu bytes are no feature block; at most 16 MiB", n);
  if (arena_left(a) < n + 64) return err_set(e, "%zu bytes do not fit in memory", n);
  void *const copy = arena_alloc(a, 1, n ? n : 1);
  if (n) memcpy(copy, bytes, n);
  return features_block_of(copy, n, out, e);
}

static size_t map_bytes(const struct mote_features *f) {
  const size_t n = f->kind == MOTE_FEATURES_IMAGE ? 1 : f->columns;
  return n * (f->cell_bytes == 4 ? sizeof(struct mote_features_wide_column)
                                 : sizeof(struct mote_features_column));
}

static bool parts_alike(const struct mote_features *x, const struct mote_features *y) {
  struct mote_features head[2];
  memcpy(&head[0], x, sizeof head[0]);
  memcpy(&head[1], y, sizeof head[1]);
  head[1].scale = head[0].scale, head[1].zp = head[0].zp;
  if (memcmp(&head[0], &head[1], sizeof head[0]) != 0) return false;
  const uint8_t *const a = (const void *)x, *const b = (const void *)y;
  const size_t map = (size_t)x->column_at, end = map + map_bytes(x);
  return memcmp(a + sizeof *x, b + sizeof *x, map - sizeof *x) == 0 &&
         memcmp(a + end, b + end, x->bytes - end) == 0;
}

bool features_alike(const struct features_block *x, const struct features_block *y) {
  bool alike = x->bytes == y->bytes && x->n_parts == y->n_parts && x->calibrate == y->calibrate;
  for (int i = 0; alike && i < x->n_parts; i++) {
    const struct mote_front *const a = x->parts[i].front, *const b = y->parts[i].front;
    alike = (a && b ? a->bytes == b->bytes && memcmp(a, b, a->bytes) == 0 : a == b) &&
            parts_alike(x->parts[i].params, y->parts[i].params);
  }
  return alike;
}

size_t features_window_words(const struct features_block *block) {
  return (size_t)block->window_samples * (size_t)block->channels +
         (size_t)block->map_columns * sizeof(struct mote_features_column) / sizeof(int16_t);
}

void features_neutral_map(const struct features_block *block, int16_t *map) {
  struct mote_features_column *const columns = (void *)map;
  for (int c = 0; c < block->map_columns; c++)
    columns[c] = (struct mote_features_column){0, 1 << 13, 13};
}

void features_calibrate(const struct features_block *block, const int16_t *map, int8_t *values) {
  const uint32_t columns = (uint32_t)block->map_columns;
  if (!columns) return;
  mote_calibrate_apply_values((const struct mote_features_column *)(const void *)map, columns,
                              values, (uint32_t)block->out_bytes / columns);
}

void features_run(const struct features_block *block, const int16_t *samples, void *scratch,
                  int8_t *out) {
  features_run_plain(block, samples, scratch, out);
  features_calibrate(block, samples + (size_t)block->window_samples * (size_t)block->channels, out);
}

void features_run_plain(const struct features_block *block, const int16_t *samples, void *scratch,
                        int8_t *out) {
  for (int i = 0; i < block->n_parts; i++) {
    const struct features_part *const part = &block->parts[i];
    void *rest = scratch;
    const int16_t *const seen = features_part_samples(part, samples, &rest);
    mote_features_run(part->params, part->op, seen, rest, out);
    out += (size_t)part->params->rows * part->params->columns;
  }
}
