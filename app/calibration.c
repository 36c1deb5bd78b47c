/* calibration: what samples of a project, and their features, are measured from.
 *
 * Channels and moments are measured as a sample is read; columns of the features once the features' own map is fitted, and then the
 * map travels with each window (dataset_input). Either way a group's numbers come from all its recordings, whatever their split. */
#include "app/calibration.h"
#include "app/data.h"

#include <string.h>

/* ---- channels and moments ---------------------------------------------------------- */
/* The group, or the file that a sample is (a part of). */
static const char *calibration_key(const struct project *p, const struct store_sample *s) {
  return p->config.calibrate.by == PROJECT_CALIBRATE_GROUP ? s->group
                                                           : data_file_of(p->arena, s->source);
}

static bool calibration_has(const struct project_config *c, const char *key,
                            const struct store_sample *s) {
  if (c->calibrate.by == PROJECT_CALIBRATE_GROUP) return strcmp(s->group, key) == 0;
  const size_t n = data_file_length(s->source);
  return strncmp(s->source, key, n) == 0 && !key[n];
}

/* How many numbers are measured each by itself: the channels, or the moments of a window. */
static size_t calibrate_width(const struct dataset *d) {
  return (size_t)d->channels * (d->config->calibrate.moments ? (size_t)d->window_samples : 1);
}

/* Moments have a meaning where every recording is an event laid in a window. */
static bool calibrate_fits(const struct dataset *d, int64_t length, struct err *e) {
  if (!d->config->calibrate.moments || length == d->window_samples) return true;
  return err_set(e,
                 "has %lld moments and a window %d: `calibrate` in mote.yaml is of moments, which "
                 "events have that were cut to windows (mote data segment --length %.6g)",
                 (long long)length, d->window_samples,
                 (double)d->window_samples / d->config->rate_hz);
}

/* One event is its own mean: measured from it, nothing is left. */
static bool calibrate_has_events(const struct dataset *d, const struct mote_calibrate_sum *sums,
                                 struct err *e) {
  if (!d->config->calibrate.moments || sums->n >= 2) return true;
  return err_set(e,
                 "one event alone, and `calibrate` in mote.yaml measures each moment from the mean "
                 "of at least two: nothing would be left of it; `mote add` it with others of its "
                 "%s, and `mote test` or `mote features` take the mean from there",
                 d->config->calibrate.by == PROJECT_CALIBRATE_GROUP ? "group" : "file");
}

static struct mote_calibrate_sum *calibrate_begin(const struct dataset *d, struct arena *a) {
  struct mote_calibrate_sum *sums = ARENA_ARRAY(a, struct mote_calibrate_sum, calibrate_width(d));
  mote_calibrate_begin(sums, (uint32_t)calibrate_width(d));
  return sums;
}

/* The numbers of a recording: one frame where moments are measured, its time steps else. */
static uint32_t calibrate_frames(const struct dataset *d, int64_t length) {
  return d->config->calibrate.moments ? 1 : (uint32_t)length;
}

/* Channels that are not named stay as they are. */
static struct mote_features_column *calibrate_end(const struct dataset *d, struct arena *a,
                                                  const struct mote_calibrate_sum *sums) {
  const struct project_calibrate *c = &d->config->calibrate;
  const size_t width = calibrate_width(d);
  struct mote_features_column *map = ARENA_ARRAY(a, struct mote_features_column, width);
  mote_calibrate_end(sums, (uint32_t)width, c->deviation, map);
  for (size_t i = 0; i < width && c->n_channels; i++) {
    bool named = false;
    for (int k = 0; k < c->n_channels; k++)
      named |= c->channels[k] == (int)(i % (size_t)d->channels) + 1;
    if (!named) map[i] = (struct mote_features_column){0, 1 << 13, 13};
  }
  return map;
}

static void calibrate_apply(const struct dataset *d, struct arena *a,
                            const struct mote_features_column *map, struct dataset_sample *s) {
  int16_t *own = ARENA_ARRAY(a, int16_t, s->length * d->channels);
  mote_calibrate_apply(map, (uint32_t)calibrate_width(d), s->data, calibrate_frames(d, s->length),
                       own);
  s->data = own;
}

/* Adds one stored sample to the sums; its numbers lie in an arena of their own. */
static bool calibrate_add(const struct project *p, const struct dataset *d, int64_t id,
                          const double *range, struct mote_calibrate_sum *sums, struct err *e) {
  struct project own = *p;
  struct store_sample s;
  struct dataset_sample x = {0};
  own.arena = arena_new(4 * STORE_MAX_BLOB_BYTES + ((size_t)4 << 20));
  if (!own.arena) return err_set(e, "no memory left");
  const bool ok =
      store_get(p->store, own.arena, id, &s, e) &&
      dataset_adapt(&own, s.type, s.rate_hz, s.channels, s.data, s.length, range, &x, e) &&
      calibrate_fits(d, x.length, e);
  if (ok)
    mote_calibrate_add(sums, (uint32_t)calibrate_width(d), x.data, calibrate_frames(d, x.length));
  arena_free(own.arena);
  return ok;
}

/* What a group is measured from: all its enabled samples (of the labels that are named), whatever their split, since a device
 * listens to its own place, too. */
static bool calibrate_is_reference(const struct project_config *c, const char *key,
                                   const struct store_sample *s) {
  return !s->disabled && calibration_has(c, key, s) &&
         (!c->calibrate.n_labels ||
          dataset_in_list(s->label, c->calibrate.labels, c->calibrate.n_labels));
}

static bool calibrate_no_reference(const struct project *p, const char *key, int64_t id,
                                   struct err *e) {
  const struct project_calibrate *c = &p->config.calibrate;
  err_file(e, p->db_path);
  err_node(e, "sample %lld", (long long)id);
  return err_set(e,
                 "%s \"%s\" has no recording labelled %s%s, from which `calibrate` in mote.yaml "
                 "takes its zero; add one (`mote add --label %s --group ...`)",
                 c->by == PROJECT_CALIBRATE_GROUP ? "the group" : "the file", key, c->labels[0],
                 c->n_labels > 1 ? " or another reference" : "", c->labels[0]);
}

static bool calibrate_make(const struct project *p, const struct dataset *d,
                           const struct store_sample *list, int n, const struct store_sample *of,
                           const double *range, struct mote_features_column **map, struct err *e) {
  const struct project_config *c = &p->config;
  const char *key = calibration_key(p, of);
  struct mote_calibrate_sum *sums = calibrate_begin(d, p->arena);
  for (int i = 0; i < n; i++) {
    if (!calibrate_is_reference(c, key, &list[i])) continue;
    if (!calibrate_add(p, d, list[i].id, range, sums, e)) {
      err_node(e, "sample %lld", (long long)list[i].id);
      return false;
    }
  }
  if (!sums->n) return calibrate_no_reference(p, key, of->id, e);
  if (!calibrate_has_events(d, sums, e)) {
    err_file(e, p->db_path);
    err_node(e, "%s \"%s\"", c->calibrate.by == PROJECT_CALIBRATE_GROUP ? "group" : "file", key);
    return false;
  }
  *map = calibrate_end(d, p->arena, sums);
  return true;
}

/* Measures a sample's numbers from the zero of its group. */
bool calibration_of_sample(const struct project *p, const struct dataset *d,
                           struct calibrations *all, const struct store_sample *list, int n,
                           const struct store_sample *s, const double *range,
                           struct dataset_sample *out, struct err *e) {
  const struct project_config *c = &p->config;
  int k = 0;
  if (c->calibrate.by == PROJECT_CALIBRATE_NONE || c->calibrate.features) return true;
  if (!all->keys) {
    all->keys = ARENA_ARRAY(p->arena, const char *, n + 1);
    all->maps = ARENA_ARRAY(p->arena, struct mote_features_column *, n + 1);
  }
  /* Samples of a group mostly follow each other. */
  for (k = all->n - 1; k >= 0 && !calibration_has(c, all->keys[k], s);) k--;
  if (k < 0) {
    k = all->n++;
    all->keys[k] = calibration_key(p, s);
    if (!calibrate_make(p, d, list, n, s, range, &all->maps[k], e)) return false;
  }
  if (!calibrate_fits(d, out->length, e)) return false;
  calibrate_apply(d, p->arena, all->maps[k], out);
  return true;
}

/* A file alone has no recordings of other labels. */
static bool calibrate_alone(const struct project_config *c, struct err *e) {
  if (!c->calibrate.n_labels) return true;
  return err_set(
      e,
      "`calibrate` in mote.yaml measures from recordings labelled %s of the same place, "
      "which a file alone does not have; `mote add` it with its group, and `mote test` or "
      "`mote features` take it from there",
      c->calibrate.labels[0]);
}

/* A file alone is its own reference. */
bool calibration_of_file(const struct project *p, struct dataset *d, struct err *e) {
  const struct project_config *c = &p->config;
  if (c->calibrate.by == PROJECT_CALIBRATE_NONE || c->calibrate.features) return true;
  if (!calibrate_alone(c, e)) return false;
  struct mote_calibrate_sum *sums = calibrate_begin(d, p->arena);
  for (int i = 0; i < d->n_samples; i++) {
    if (!calibrate_fits(d, d->samples[i].length, e)) return false;
    mote_calibrate_add(sums, (uint32_t)calibrate_width(d), d->samples[i].data,
                       calibrate_frames(d, d->samples[i].length));
  }
  if (!calibrate_has_events(d, sums, e)) return false;
  const struct mote_features_column *map = calibrate_end(d, p->arena, sums);
  for (int i = 0; i < d->n_samples; i++) calibrate_apply(d, p->arena, map, &d->samples[i]);
  return true;
}

/* ---- columns of the features --------------------------------------------------- */
/* What one group's or file's columns are measured with. */
struct columns {
  const struct features_block *block;
  struct mote_calibrate_sum *sums;
  int windows;
};

static void columns_begin(struct columns *k, const struct features_block *block, struct arena *a) {
  *k = (struct columns){block, ARENA_ARRAY(a, struct mote_calibrate_sum, block->map_columns), 0};
  mote_calibrate_begin(k->sums, (uint32_t)block->map_columns);
}

static void columns_add(struct columns *k, struct arena *a, const struct dataset *d) {
  const uint32_t columns = (uint32_t)k->block->map_columns;
  int16_t *const samples = ARENA_ARRAY(a, int16_t, (size_t)d->window_samples * (size_t)d->channels);
  void *const scratch = arena_alloc(a, k->block->scratch_bytes + 4, 8);
  int8_t *const values = arena_alloc(a, k->block->out_bytes, 1);
  for (int i = 0; i < d->n_windows; i++) {
    dataset_window(d, i, samples);
    features_run_plain(k->block, samples, scratch, values);
    mote_calibrate_add_values(k->sums, columns, values, (uint32_t)k->block->out_bytes / columns);
  }
  k->windows += d->n_windows;
}

/* The windows of one stored sample; its numbers lie in an arena of their own. */
static bool columns_add_stored(struct columns *k, const struct dataset *d,
                               const struct store_sample *of, struct err *e) {
  struct project own = *d->project;
  struct store_sample s;
  struct dataset_sample x = {
      .background = dataset_in_list(of->label, d->config->background, d->config->n_background)};
  struct dataset one;
  dataset_begin(&one, d->config);
  one.samples = &x;
  one.n_samples = 1;
  own.arena = arena_new(4 * STORE_MAX_BLOB_BYTES + ((size_t)4 << 20));
  if (!own.arena) return err_set(e, "no memory left");
  const bool ok =
      store_get(own.store, own.arena, of->id, &s, e) &&
      dataset_adapt(&own, s.type, s.rate_hz, s.channels, s.data, s.length, d->range, &x, e) &&
      dataset_lay(&one, own.arena, e);
  if (ok) columns_add(k, own.arena, &one);
  arena_free(own.arena);
  return ok;
}

static bool columns_end(const struct columns *k, const struct dataset *d, const char *key,
                        const struct mote_features_column **map, struct err *e) {
  struct mote_features_column *const made =
      ARENA_ARRAY(d->project->arena, struct mote_features_column, k->block->map_columns);
  if (k->windows < 2) {
    err_node(e, "%s \"%s\"",
             d->is_file || d->config->calibrate.by == PROJECT_CALIBRATE_FILE ? "file" : "group",
             key);
    return err_set(e, "one window alone, and `calibrate` in mote.yaml measures each column of the "
                      "features from its mean over at least two: nothing would be left of it");
  }
  mote_calibrate_end_values(k->sums, (uint32_t)k->block->map_columns,
                            k->block->calibrate == FEATURES_CALIBRATE_DEVIATION, made);
  *map = made;
  return true;
}

/* The map of a sample's group, from all its enabled samples that are the reference, whatever their split. */
static bool columns_of_group(const struct dataset *d, const struct features_block *block,
                             const struct store_sample *list, int n, const char *key, int64_t id,
                             const struct mote_features_column **map, struct err *e) {
  struct columns k;
  columns_begin(&k, block, d->project->arena);
  for (int i = 0; i < n; i++) {
    if (!calibrate_is_reference(d->config, key, &list[i])) continue;
    if (columns_add_stored(&k, d, &list[i], e)) continue;
    err_node(e, "sample %lld", (long long)list[i].id);
    return false;
  }
  if (!k.windows) return calibrate_no_reference(d->project, key, id, e);
  return columns_end(&k, d, key, map, e);
}

static bool columns_of_file(const struct dataset *d, const struct features_block *block,
                            struct err *e) {
  const struct mote_features_column *map;
  struct columns k;
  columns_begin(&k, block, d->project->arena);
  columns_add(&k, d->project->arena, d);
  if (!calibrate_alone(d->config, e) ||
      !columns_end(&k, d, d->n_samples ? d->samples[0].source : "", &map, e))
    return false;
  for (int i = 0; i < d->n_samples; i++) d->samples[i].map = map;
  return true;
}

/* The same group's or file's map as sample i has, from one before it; -1: there is none yet. */
static int columns_known(const struct dataset *d, int i, const char *key) {
  for (int k = i - 1; k >= 0; k--) {
    const struct store_sample s = {.group = d->samples[k].group, .source = d->samples[k].source};
    if (calibration_has(d->config, key, &s)) return k;
  }
  return -1;
}

bool dataset_calibrate(const struct dataset *d, const struct features_block *block, struct err *e) {
  const struct project *p = d->project;
  struct store_sample *list = NULL;
  int n = 0;
  if (!block->map_columns || !d->n_samples || d->samples[0].map_of == block->data) return true;
  if (d->is_file ? !columns_of_file(d, block, e)
                 : !store_list(p->store, p->arena, NULL, &list, &n, e))
    return false;
  for (int i = 0; i < d->n_samples && !d->is_file; i++) {
    struct dataset_sample *const s = &d->samples[i];
    const struct store_sample of = {.group = s->group, .source = s->source};
    const char *key = calibration_key(p, &of);
    const int known = columns_known(d, i, key);
    if (known >= 0)
      s->map = d->samples[known].map;
    else if (!columns_of_group(d, block, list, n, key, s->id, &s->map, e))
      return false;
  }
  for (int i = 0; i < d->n_samples; i++) {
    d->samples[i].map_columns = block->map_columns;
    d->samples[i].map_of = block->data;
  }
  return true;
}
