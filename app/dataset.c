/* dataset: see the header. */
#include "app/calibration.h"
#include "app/data.h"
#include "app/pictures.h"
#include "app/regression.h"
#include "host/ingest/ingest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- labels ----------------------------------------------------------------------- */
bool dataset_in_list(const char *word, const char *const *list, int n) {
  for (int i = 0; i < n; i++)
    if (strcmp(word, list[i]) == 0) return true;
  return false;
}

const char *dataset_class_of_label(const struct project_config *c, const char *label) {
  if (dataset_in_list(label, c->ignore, c->n_ignore)) return NULL;
  if (c->regression.on) return c->regression.of[0];
  if (dataset_in_list(label, c->unknown, c->n_unknown)) return "unknown";
  return label;
}

static int32_t class_of(const char *name, const char *const *classes, int n) {
  for (int i = 0; i < n; i++)
    if (strcmp(name, classes[i]) == 0) return i;
  return -1;
}

/* The fold of a sample, by halving; -1: it has none. */
static int32_t fold_of(const struct dataset_folds *f, int64_t id) {
  int low = 0, high = f->n;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (f->ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < f->n && f->ids[low] == id ? f->fold[low] : -1;
}

static bool picked(const struct dataset_pick *pick, const struct store_sample *s) {
  if (s->disabled || !(pick->splits & (1u << s->split)) || (pick->id && pick->id != s->id))
    return false;
  if (pick->group && strcmp(pick->group, s->group) != 0) return false;
  if (pick->folds) {
    const int32_t fold = fold_of(pick->folds, s->id);
    if (fold < 0 || (fold == pick->fold) == pick->outside) return false;
  }
  return !pick->without || strcmp(pick->without, s->group) != 0;
}

static int compare_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names once each, in order. */
static int unique_names(const char **names, int n) {
  int unique = 0;
  qsort(names, (size_t)n, sizeof *names, compare_text);
  for (int i = 0; i < n; i++)
    if (i == 0 || strcmp(names[i], names[unique - 1]) != 0) names[unique++] = names[i];
  return unique;
}

/* Boxes are read a sample at a time, and few of their names are new. */
static bool box_classes(struct project *p, const struct dataset_pick *pick,
                        const struct store_sample *list, int n, const char ***names, int *count,
                        struct err *e) {
  int room = 64;
  *names = ARENA_ARRAY(p->arena, const char *, room);
  *count = 0;
  for (int i = 0; i < n; i++) {
    struct store_sample s;
    if (!picked(pick, &list[i])) continue;
    if (!store_describe(p->store, p->arena, list[i].id, &s, e)) return false;
    for (int k = 0; k < s.n_boxes; k++) {
      const char *name = dataset_class_of_label(&p->config, s.boxes[k].label);
      if (!name || class_of(name, *names, *count) >= 0) continue;
      if (*count == room) {
        const char **more = ARENA_ARRAY(p->arena, const char *, 2 * room);
        memcpy(more, *names, (size_t)room * sizeof *more);
        *names = more;
        room *= 2;
      }
      (*names)[(*count)++] = name;
    }
  }
  return true;
}

bool dataset_classes(struct project *p, const struct dataset_pick *pick,
                     const char *const **classes, int *n_classes, struct err *e) {
  struct store_sample *list = NULL;
  int n = 0, kept = 0;
  const char **names;
  if (p->config.regression.on) {
    *classes = p->config.regression.of;
    *n_classes = p->config.regression.n_of;
    return true;
  }
  if (!store_list(p->store, p->arena, NULL, &list, &n, e)) return false;
  if (p->config.objects.on) {
    if (!box_classes(p, pick, list, n, &names, &kept, e)) return false;
  } else {
    names = ARENA_ARRAY(p->arena, const char *, n + 1);
    for (int i = 0; i < n; i++) {
      const char *name =
          picked(pick, &list[i]) ? dataset_class_of_label(&p->config, list[i].label) : NULL;
      if (name) names[kept++] = name;
    }
  }
  *classes = names;
  *n_classes = unique_names(names, kept);
  return true;
}

/* ---- numbers ----------------------------------------------------------------------- */
/* A physical value as its channel counts it: itself, or its logarithm. */
static double on_scale(const struct project_config *c, int64_t channel, float v) {
  return c->log && c->log[channel] ? (double)mote_calibrate_log(v) : (double)v;
}

/* The steps that a decimal number of up to 6 places or a power of two may have; 0 ends them. */
static const double lattices[] = {1,
                                  0.5,
                                  0.25,
                                  0.1,
                                  0.125,
                                  0.05,
                                  0.0625,
                                  0.01,
                                  0.03125,
                                  0.015625,
                                  0.005,
                                  0.0078125,
                                  0.00390625,
                                  0.001,
                                  0.001953125,
                                  0.0009765625,
                                  0.0005,
                                  0.00048828125,
                                  0.000244140625,
                                  0.0001,
                                  0.0001220703125,
                                  0.00006103515625,
                                  0};

/* Takes from `open` the lattices on which one of the values does not lie, as far as float32 can tell. */
static uint32_t keep_lattices(uint32_t open, double value) {
  for (int i = 0; lattices[i] > 0; i++) {
    const double steps = value / lattices[i], off = fabs(steps - nearbyint(steps));
    if (off > 1e-4 + fabs(steps) * 2e-7 || fabs(steps) > 32767) open &= ~(1u << i);
  }
  return open;
}

/* The range that makes the coarsest lattice which holds all values a whole number of counts, a power of two as large
 * as `most` allows; `most` itself where none holds. */
static double lattice_range(uint32_t open, double most) {
  for (int i = 0; lattices[i] > 0; i++) {
    double count = lattices[i];
    if (!(open & (1u << i))) continue;
    while (most / count * 2 <= 32767) count /= 2;
    return count * 32767;
  }
  return most;
}

/* What features must know that hold an amplitude in the sensor's unit. */
static bool set_units(struct project *p, const double *range) {
  double *const unit = ARENA_ARRAY(p->arena, double, p->config.channels);
  for (int k = 0; k < p->config.channels; k++) unit[k] = range[k] / 32767;
  for (int i = 0; i < p->config.n_features; i++) p->config.features[i].unit = unit;
  return true;
}

bool dataset_range(struct project *p, const struct dataset_pick *pick, const double **range,
                   struct err *e) {
  const struct project_config *c = &p->config;
  *range = NULL;
  if (!project_has_range(c)) return true;
  double *most = ARENA_ARRAY(p->arena, double, c->channels);
  *range = most;
  for (int k = 0; k < c->channels && c->n_range; k++) most[k] = c->range[c->n_range == 1 ? 0 : k];
  if (c->n_range) return set_units(p, most);
  uint32_t *open = ARENA_ARRAY(p->arena, uint32_t, c->channels);
  for (int k = 0; k < c->channels; k++) open[k] = UINT32_MAX;
  struct store_sample *list = NULL;
  int n = 0;
  if (!store_list(p->store, p->arena, NULL, &list, &n, e)) return false;
  for (int i = 0; i < n; i++) {
    if (!picked(pick, &list[i]) || list[i].type != STORE_FLOAT32 || list[i].channels != c->channels)
      continue;
    struct arena *a = arena_new(STORE_MAX_BLOB_BYTES + ((size_t)4 << 20));
    struct store_sample s;
    if (!a) return err_set(e, "no memory left");
    bool ok = store_get(p->store, a, list[i].id, &s, e);
    const float *values = ok ? s.data : NULL;
    for (int64_t k = 0; ok && k < s.length * s.channels; k++) {
      double v = fabs(on_scale(c, k % s.channels, values[k]));
      if (v > most[k % s.channels] && isfinite(v)) most[k % s.channels] = v;
      if (open[k % s.channels] && isfinite(v))
        open[k % s.channels] = keep_lattices(open[k % s.channels], v);
    }
    arena_free(a);
    if (!ok) return false;
  }
  for (int k = 0; k < c->channels; k++) most[k] = most[k] > 0 ? lattice_range(open[k], most[k]) : 1;
  return set_units(p, most);
}

#define BEYOND_SHARE                                                                               \
  0.002 /* of the numbers; a sensor that is hit once in a while may be meant to saturate */

bool dataset_is_beyond(const struct project_config *c, const float *values, int64_t length) {
  const int64_t n = length * c->channels;
  int64_t beyond = 0;
  if (!project_has_range(c) || !c->n_range) return false;
  for (int64_t i = 0; i < n; i++) {
    const double most = c->range[c->n_range == 1 ? 0 : i % c->channels];
    beyond += fabs(on_scale(c, i % c->channels, values[i])) * 32767 > most * 32768;
  }
  return (double)beyond > BEYOND_SHARE * (double)n;
}

/* round(value / range * 32767), limited to int16. */
static int16_t *to_int16(struct arena *a, const struct project_config *c, const float *values,
                         int64_t length, int channels, const double *range) {
  int64_t n = length * channels;
  int16_t *out = ARENA_ARRAY(a, int16_t, n);
  for (int64_t i = 0; i < n; i++) {
    double q = nearbyint(on_scale(c, i % channels, values[i]) / range[i % channels] * 32767.0);
    out[i] = (int16_t)(q > 32767 ? 32767 : q < -32768 ? -32768 : q);
  }
  return out;
}

/* Pixels as the numbers of a slow sensor: 0 to 255. */
static const float *pixels(struct arena *a, const uint8_t *data, int64_t n) {
  float *out = ARENA_ARRAY(a, float, n);
  for (int64_t i = 0; i < n; i++) out[i] = data[i];
  return out;
}

/* The numbers of a sample or recording at the project's rate, as int16. */
bool dataset_adapt(const struct project *p, enum store_type type, double rate_hz, int channels,
                   const void *data, int64_t length, const double *range,
                   struct dataset_sample *out, struct err *e) {
  const struct project_config *c = &p->config;
  enum store_type wanted = c->kind == PROJECT_AUDIO ? STORE_INT16 : STORE_FLOAT32;
  if (type == STORE_UINT8 && c->kind == PROJECT_SENSOR && channels == c->channels &&
      (size_t)length * (size_t)channels * 4 + 64 < arena_left(p->arena)) {
    data = pixels(p->arena, data, length * channels);
    type = STORE_FLOAT32;
    rate_hz = c->rate_hz;
  }
  if (type != wanted || channels != c->channels)
    return err_set(
        e,
        "holds %d channels of %s and the project has %d of %s: the sensor in mote.yaml was "
        "changed after it was added; remove it (mote data --remove) and add it again",
        channels,
        type == STORE_INT16   ? "sound"
        : type == STORE_UINT8 ? "a picture"
                              : "numbers",
        c->channels, wanted == STORE_INT16 ? "sound" : "numbers");
  if (fabs(rate_hz - c->rate_hz) > 1e-9 * c->rate_hz &&
      !ingest_resample(p->arena, type == STORE_INT16 ? INGEST_INT16 : INGEST_FLOAT32, data, length,
                       channels, rate_hz, c->rate_hz, &data, &length, e))
    return false;
  if (type == STORE_FLOAT32) {
    if ((size_t)length * (size_t)channels * 2 + 64 > arena_left(p->arena))
      return err_set(e, "the samples do not fit into memory");
    data = to_int16(p->arena, c, data, length, channels, range);
  }
  out->data = data;
  out->length = length;
  return true;
}

/* A picture as the frame that the camera would have given. */
static bool adapt_picture(struct project *p, struct picture_maker *m, bool bytes, int width,
                          int height, int channels, const void *data, struct dataset_sample *out,
                          struct err *e) {
  int16_t *frame;
  if (!bytes || width < 1 || height < 1)
    return err_set(e, "is no picture, and the project is of pictures (sensor.kind: image)");
  if (!pictures_frame(p, m, data, width, height, channels, &frame, e)) return false;
  const struct project_config *c = &p->config;
  out->data = frame;
  out->length = features_frame_words(c->frame_format, c->frame_width, c->frame_height);
  return true;
}

/* The boxes of a picture in the frame; those whose middle is cut off, or whose label is none of the classes, are left out. */
static void adapt_boxes(struct project *p, const struct store_sample *s, const char *const *classes,
                        int n_classes, struct dataset *d, struct dataset_sample *out) {
  const struct project_config *c = &p->config;
  const struct features_view v = pictures_view(c, s->width, s->height, s->channels);
  struct dataset_object *objects = ARENA_ARRAY(p->arena, struct dataset_object, s->n_boxes + 1);
  for (int i = 0; i < s->n_boxes; i++) {
    const struct store_box *b = &s->boxes[i];
    const char *name = dataset_class_of_label(c, b->label);
    if (!name) continue;
    const int32_t label = class_of(name, classes, n_classes);
    if (label < 0) {
      d->n_unknown_label++;
      continue;
    }
    const double x = (b->x - v.left) / v.across, y = (b->y - v.top) / v.down,
                 width = b->width / v.across, height = b->height / v.down;
    if (x + width / 2 < 0 || x + width / 2 >= c->frame_width || y + height / 2 < 0 ||
        y + height / 2 >= c->frame_height)
      continue;
    objects[out->n_objects++] =
        (struct dataset_object){(float)x, (float)y, (float)width, (float)height, label};
  }
  out->objects = objects;
}

/* ---- windows ----------------------------------------------------------------------- */
/* Windows of one recording; out NULL only counts. A last piece of at least half a stride gets a window of its
 * own that ends with the recording. */
static int64_t lay_windows(const struct dataset *d, int64_t length, bool slide, uint32_t sample,
                           struct dataset_window *out) {
  int64_t window = d->window_samples, n = 0;
  int64_t stride = (int64_t)llround(d->config->stride_ms * d->config->rate_hz / 1000);
  if (stride < 1) stride = 1;
  if (!slide || length <= window) {
    if (out) out[0] = (struct dataset_window){sample, length == window ? 0 : -1, 0};
    return 1;
  }
  int64_t start = 0;
  for (; start + window <= length; start += stride, n++)
    if (out) out[n] = (struct dataset_window){sample, start, 0};
  int64_t end = start - stride + window;
  if (length - end >= (stride + 1) / 2) {
    if (out) out[n] = (struct dataset_window){sample, length - window, 0};
    n++;
  }
  return n;
}

/* Background is long and has no loudest event: it always slides. */
static bool slides(const struct dataset *d, const struct dataset_sample *s) {
  return d->config->place == PROJECT_SLIDE || s->background;
}

/* It takes a look at the whole recording, so it is found once and not with every draw. */
static int64_t event_in(const struct dataset *d, const struct dataset_sample *s) {
  return (int64_t)features_event(s->data, (size_t)s->length, d->channels,
                                 (size_t)d->window_samples);
}

bool dataset_lay(struct dataset *d, struct arena *a, struct err *e) {
  int64_t total = 0, n = 0;
  for (int i = 0; i < d->n_samples; i++)
    total += lay_windows(d, d->samples[i].length, slides(d, &d->samples[i]), 0, NULL);
  if (total > 20000000 || (size_t)total * (sizeof *d->windows + 4) + 128 > arena_left(a))
    return err_set(e,
                   "%lld windows are too many; a longer window.stride_ms in mote.yaml gives fewer",
                   (long long)total);
  d->windows = ARENA_ARRAY(a, struct dataset_window, total + 1);
  d->labels = ARENA_ARRAY(a, int32_t, total + 1);
  for (int i = 0; i < d->n_samples; i++) {
    int64_t made = lay_windows(d, d->samples[i].length, slides(d, &d->samples[i]), (uint32_t)i,
                               d->windows + n);
    for (int64_t k = 0; k < made; k++) d->labels[n + k] = d->samples[i].label;
    if (d->windows[n].start < 0) d->windows[n].event = event_in(d, &d->samples[i]);
    n += made;
  }
  d->n_windows = (int)n;
  return true;
}

int dataset_window_samples(const struct project_config *c) {
  const struct features_config *const o = &c->features[0];
  const int n = (int)llround(o->front.on ? o->front.window_ms * o->front.rate_hz / 1000
                                         : o->window_ms * o->rate_hz / 1000);
  return n < 1 ? 1 : n;
}

void dataset_begin(struct dataset *d, const struct project_config *c) {
  memset(d, 0, sizeof *d);
  d->config = c;
  d->channels = c->channels;
  d->window_samples = dataset_window_samples(c);
}

int64_t dataset_windows_in(const struct project_config *c, int64_t length, bool background) {
  struct dataset d;
  const struct dataset_sample s = {.background = background};
  dataset_begin(&d, c);
  return lay_windows(&d, length, slides(&d, &s), 0, NULL);
}

bool dataset_load(struct project *p, const struct dataset_pick *pick, const char *const *classes,
                  int n_classes, const double *range, struct dataset *d, struct err *e) {
  const struct project_config *c = &p->config;
  struct store_sample *list = NULL;
  int n = 0;
  dataset_begin(d, c);
  d->project = p;
  d->range = range;
  if (!store_list(p->store, p->arena, NULL, &list, &n, e)) return false;
  struct picture_maker pictures = {.row = NULL};
  d->samples = ARENA_ARRAY(p->arena, struct dataset_sample, n + 1);
  struct calibrations calibrations = {0};
  for (int i = 0; i < n; i++) {
    struct store_sample s;
    const bool counts = c->objects.on; /* then boxes have labels, and pictures none */
    const char *name = !picked(pick, &list[i]) ? NULL
                       : counts                ? list[i].label
                                               : dataset_class_of_label(c, list[i].label);
    if (!name) continue;
    int32_t label = counts ? 0 : class_of(name, classes, n_classes);
    if (label < 0) d->n_unknown_label++;
    if (label < 0 && !pick->others) continue;
    if (!store_get(p->store, p->arena, list[i].id, &s, e)) return false;
    struct dataset_sample *out = &d->samples[d->n_samples];
    *out = (struct dataset_sample){.id = s.id,
                                   .source = s.source,
                                   .group = s.group,
                                   .split = s.split,
                                   .label = label,
                                   .name = arena_strdup(p->arena, name),
                                   .sha256 = arena_strdup(p->arena, s.sha256),
                                   .background =
                                       dataset_in_list(s.label, c->background, c->n_background)};
    const bool fits =
        c->kind == PROJECT_IMAGE
            ? adapt_picture(p, &pictures, s.type == STORE_UINT8, s.width, s.height, s.channels,
                            s.data, out, e)
            : dataset_adapt(p, s.type, s.rate_hz, s.channels, s.data, s.length, range, out, e);
    if (!fits) {
      err_file(e, p->db_path);
      err_node(e, "sample %lld", (long long)s.id);
      return false;
    }
    if (counts) adapt_boxes(p, &s, classes, n_classes, d, out);
    if (c->regression.on && !regression_numbers(p, &s, &out->numbers, e)) return false;
    if (!calibration_of_sample(p, d, &calibrations, list, n, &list[i], range, out, e)) return false;
    d->n_samples++;
  }
  return dataset_lay(d, p->arena, e);
}

bool dataset_again(const struct dataset *d, const struct project_config *c, struct arena *a,
                   struct dataset *out, struct err *e) {
  dataset_begin(out, c);
  out->project = d->project;
  out->range = d->range;
  out->is_file = d->is_file;
  out->samples = d->samples;
  out->n_samples = d->n_samples;
  return dataset_lay(out, a, e);
}

bool dataset_load_file(struct project *p, const char *path, const struct dataset_table *how,
                       const double *range, struct dataset *d, struct err *e) {
  const struct project_config *c = &p->config;
  struct ingest_recording *r = NULL;
  int n = 0;
  const bool picture = c->kind == PROJECT_IMAGE;
  struct picture_maker pictures = {.row = NULL};
  struct ingest_options o = {.type = c->kind == PROJECT_AUDIO ? INGEST_INT16 : INGEST_FLOAT32,
                             .rate_hz = c->rate_hz,
                             .channels = picture ? pictures_colours(c) : c->channels,
                             .columns = how ? how->columns : NULL,
                             .each_row = how && how->each_row};
  dataset_begin(d, c);
  d->project = p;
  d->range = range;
  d->is_file = true;
  if (!ingest_read(p->arena, path, &o, &r, &n, e)) return false;
  d->samples = ARENA_ARRAY(p->arena, struct dataset_sample, n);
  for (int i = 0; i < n; i++) {
    struct dataset_sample *out = &d->samples[i];
    *out = (struct dataset_sample){.source = path, .group = "", .sha256 = "", .label = -1};
    const bool fits =
        picture
            ? adapt_picture(p, &pictures, r[i].type == INGEST_UINT8, r[i].width, r[i].height,
                            r[i].channels, r[i].data, out, e)
            : dataset_adapt(p, o.type == INGEST_INT16 ? STORE_INT16 : STORE_FLOAT32, r[i].rate_hz,
                            r[i].channels, ingest_numbers(p->arena, &r[i], o.type), r[i].length,
                            range, out, e);
    if (!fits) return false;
    d->n_samples++;
  }
  return calibration_of_file(p, d, e) && dataset_lay(d, p->arena, e);
}

void dataset_window(const struct dataset *d, int window, int16_t *out) {
  const struct dataset_window *w = &d->windows[window];
  const struct dataset_sample *s = &d->samples[w->sample];
  size_t n = (size_t)d->window_samples;
  if (s->length < d->window_samples)
    features_place(s->data, (size_t)s->length, d->channels, n, out);
  else
    memcpy(out, s->data + (w->start < 0 ? w->event : w->start) * d->channels,
           n * (size_t)d->channels * sizeof *out);
}

void dataset_put_map(const struct dataset *d, const struct features_block *block, int window,
                     int16_t *out) {
  if (!block->map_columns) return;
  memcpy(out + (size_t)d->window_samples * (size_t)d->channels,
         d->samples[d->windows[window].sample].map,
         (size_t)block->map_columns * sizeof(struct mote_features_column));
}

void dataset_input(const struct dataset *d, const struct features_block *block, int window,
                   int16_t *out) {
  dataset_window(d, window, out);
  dataset_put_map(d, block, window, out);
}

bool dataset_features(const struct dataset *d, const struct features_block *block, struct arena *a,
                      int8_t **features, struct err *e) {
  size_t bytes = (size_t)d->n_windows * block->out_bytes;
  if (bytes + 64 > arena_left(a))
    return err_set(e, "features of %d windows (%zu bytes) do not fit into memory", d->n_windows,
                   bytes);
  if (!dataset_calibrate(d, block, e)) return false;
  *features = arena_alloc(a, bytes ? bytes : 1, 1);
  bool failed = false;
#pragma omp parallel
  {
    int16_t *samples = malloc(features_window_words(block) * sizeof *samples);
    void *scratch = malloc(block->scratch_bytes ? block->scratch_bytes : 4);
#pragma omp for schedule(static)
    for (int i = 0; i < d->n_windows; i++) {
      if (!samples || !scratch) {
#pragma omp atomic write
        failed = true;
        continue;
      }
      dataset_input(d, block, i, samples);
      features_run(block, samples, scratch, *features + (size_t)i * block->out_bytes);
    }
    free(scratch);
    free(samples);
  }
  return failed ? err_set(e, "no memory left") : true;
}

void dataset_settings(const struct project_config *c, struct text *out) {
  for (int i = 0; i < c->n_background; i++) text_printf(out, "background %s\n", c->background[i]);
  for (int i = 0; i < c->n_range; i++) text_printf(out, "range %.17g\n", c->range[i]);
  for (int k = 0; c->log && k < c->channels; k++)
    if (c->log[k]) text_printf(out, "log %d\n", k + 1);
}

void dataset_digest(const struct dataset *d, char hex[65]) {
  struct sha256 h;
  uint8_t digest[32];
  sha256_init(&h);
  for (int i = 0; i < d->n_samples; i++) {
    char line[160];
    int n = snprintf(line, sizeof line, "%lld %s %d\n", (long long)d->samples[i].id,
                     d->samples[i].sha256, (int)d->samples[i].label);
    sha256_add(&h, line, (size_t)n);
    /* What is measured from other samples, of any split, is more than what is stored of it. */
    if (d->config->calibrate.by != PROJECT_CALIBRATE_NONE)
      sha256_add(&h, d->samples[i].data,
                 (size_t)d->samples[i].length * (size_t)d->channels * sizeof *d->samples[i].data);
    if (d->samples[i].map)
      sha256_add(&h, d->samples[i].map,
                 (size_t)d->samples[i].map_columns * sizeof *d->samples[i].map);
    for (int k = 0; k < d->samples[i].n_objects; k++) {
      const struct dataset_object *o = &d->samples[i].objects[k];
      n = snprintf(line, sizeof line, "%.3f %.3f %.3f %.3f %d\n", (double)o->x, (double)o->y,
                   (double)o->width, (double)o->height, (int)o->label);
      sha256_add(&h, line, (size_t)n);
    }
    for (int k = 0; d->samples[i].numbers && k < d->config->regression.n_of; k++) {
      n = snprintf(line, sizeof line, "%.9g\n", (double)d->samples[i].numbers[k]);
      sha256_add(&h, line, (size_t)n);
    }
  }
  sha256_end(&h, digest);
  sha256_hex(digest, hex);
}
