/* config_features: the sections features and more_features of mote.yaml. */
#include "app/config.h"

#include <math.h>
#include <stdlib.h>

/* "auto": log mel bands of sound, the course of a movement, the spectrum of a vibration, figures of slow
 * sensors. */
static enum features_kind automatic_kind(enum project_kind kind) {
  switch (kind) {
  case PROJECT_AUDIO: return FEATURES_LOGMEL;
  case PROJECT_MOTION: return FEATURES_RAW;
  case PROJECT_VIBRATION: return FEATURES_SPECTRUM;
  case PROJECT_IMAGE: return FEATURES_IMAGE;
  case PROJECT_SENSOR: break;
  }
  return FEATURES_STATISTICS;
}

enum features_kind project_automatic_features(const char *kind) {
  for (int i = 0; i < CONFIG_KINDS; i++)
    if (strcmp(kind, config_kind_names[i]) == 0) return automatic_kind((enum project_kind)i);
  return FEATURES_STATISTICS;
}

/* ", logmel, mfcc ...", as the words of `kind`. */
static const char *project_features_kinds(struct arena *a) {
  const char *words = "";
  for (int k = 0; k < FEATURES_KIND_COUNT; k++)
    words = arena_printf(a, "%s%s %s", words, k + 1 < FEATURES_KIND_COUNT ? "," : " and",
                         features_kind_name((enum features_kind)k));
  return words;
}

/* Which channels a part reads: numbers from 1, each once. */
static bool read_channels(const struct yaml_features *f, int channels, struct features_config *o,
                          struct err *e) {
  if (!f->channels_count) return true;
  o->stride = channels;
  o->channels = (int)f->channels_count;
  for (unsigned i = 0; i < f->channels_count; i++) {
    if (f->channels[i] < 1 || f->channels[i] > channels)
      return err_set(e, "channel %d; 1 to %d are there", f->channels[i], channels);
    o->select[i] = (uint8_t)(f->channels[i] - 1);
    for (unsigned k = 0; k < i; k++)
      if (o->select[k] == o->select[i])
        return err_set(e, "channel %d is named twice", f->channels[i]);
  }
  return true;
}

/* Which values a part gives, and in which form. */
static bool read_values(const struct reader *r, const char *key, const struct yaml_features *f,
                        struct features_config *o) {
  if (f->values_count) o->values = 0;
  for (unsigned i = 0; i < f->values_count; i++) {
    uint32_t bit = 0;
    const char *known;
    if (features_value_from(o->kind, f->values[i], &bit, &known))
      o->values |= bit;
    else if (known[0])
      return err_set(config_at_key(r, key, "values"), "\"%s\" is not known; %s are", f->values[i],
                     known);
    else
      return err_set(config_at_key(r, key, "values"), "%s features have no values to choose from",
                     features_kind_name(o->kind));
  }
  /* Flatness has no loudest value to reach down from. */
  const bool bands = o->kind == FEATURES_LOGMEL || o->kind == FEATURES_SPECTRUM;
  if (bands && (o->values & FEATURES_BANDS_FLATNESS) && !f->range_db) o->range_db = 0;
  static const char *const holds[] = {"max", "mean", "first"};
  const int hold = f->hold ? word_at(f->hold, holds, 3) : (int)o->hold;
  if (hold < 0)
    return err_set(config_at_key(r, key, "hold"), "\"%s\" is not known; max, mean and first are",
                   f->hold);
  o->hold = (enum features_hold)hold;
  o->threshold = real_or(f->threshold, o->threshold);
  if (f->overlap) o->overlap = *f->overlap;
  if (f->log) o->linear = !*f->log;
  if (f->extra_low) o->extra_low = *f->extra_low;
  o->levels = int_or(f->levels, o->levels);
  if (f->wavelet && !features_wavelet_from(f->wavelet, &o->taps))
    return err_set(config_at_key(r, key, "wavelet"), "\"%s\" is not known; haar and db2 to db6 are",
                   f->wavelet);
  o->peaks = int_or(f->peaks, o->peaks);
  o->moving = int_or(f->moving, o->moving);
  if (f->edges_hz_count) o->n_edges = (int)f->edges_hz_count;
  for (int i = 0; f->edges_hz_count && i < o->n_edges; i++) o->edges_hz[i] = f->edges_hz[i];
  return true;
}

static bool read_filter(const struct reader *r, const char *key, const struct yaml_features *f,
                        struct features_config *o) {
  static const char *const names[] = {"none", "low", "high"};
  o->cutoff_hz = real_or(f->cutoff_hz, o->cutoff_hz);
  o->order = int_or(f->order, o->order);
  o->decimate = int_or(f->decimate, o->decimate);
  for (int i = 0; i < 3 && f->filter; i++)
    if (strcmp(f->filter, names[i]) == 0) {
      o->filter = (enum features_filter)i;
      return true;
    }
  if (!f->filter) return true;
  return err_set(config_at_key(r, key, "filter"), "\"%s\" is not known; none, low and high are",
                 f->filter);
}

/* What stands in front of a part. channels: those that it reads. */
static bool read_front(const struct reader *r, const char *key, const struct yaml_front *f,
                       const struct project_config *c, const struct features_config *channels,
                       struct features_front *o) {
  static const char *const filters[] = {"none", "low", "high", "band", "notch"},
                           *const designs[] = {"butterworth", "chebyshev"},
                           *const detrends[] = {"none", "mean", "line"};
  features_front_defaults(c->rate_hz, c->channels, c->length_ms, o);
  o->n_select = channels->stride ? channels->channels : 0;
  memcpy(o->select, channels->select, sizeof o->select);
  for (unsigned i = 0; i < f->derive_count; i++) {
    enum features_derive derive;
    if (!features_derive_from(f->derive[i], &derive))
      return err_set(config_at_key(r, key, "front"),
                     "derive: \"%s\" is not known; channels, gravity, dynamic, magnitude, "
                     "dynamic_magnitude, jerk and tilt are",
                     f->derive[i]);
    o->derive[o->n_derive++] = (uint8_t)derive;
  }
  const int filter = f->filter ? word_at(f->filter, filters, 5) : 0;
  const int design = f->design ? word_at(f->design, designs, 2) : 0;
  const int detrend = f->detrend ? word_at(f->detrend, detrends, 3) : 0;
  if (filter < 0)
    return err_set(config_at_key(r, key, "front"),
                   "filter: \"%s\" is not known; none, low, high, band and notch are", f->filter);
  if (design < 0)
    return err_set(config_at_key(r, key, "front"),
                   "design: \"%s\" is not known; butterworth and chebyshev are", f->design);
  if (detrend < 0)
    return err_set(config_at_key(r, key, "front"),
                   "detrend: \"%s\" is not known; none, mean and line are", f->detrend);
  o->filter = (enum features_filter)filter;
  o->detrend = detrend;
  const unsigned wanted = filter == 0 ? 0 : filter < 3 ? 1 : 2;
  if (f->cutoff_hz_count != wanted)
    return err_set(config_at_key(r, key, "front"), "cutoff_hz: %u numbers; filter %s takes %u",
                   f->cutoff_hz_count, filters[filter], wanted);
  for (unsigned i = 0; i < wanted; i++) o->cutoff_hz[i] = f->cutoff_hz[i];
  o->ripple_db = design ? real_or(f->ripple_db, 0.5) : 0;
  if (f->ripple_db && !design)
    return err_set(config_at_key(r, key, "front"), "ripple_db: a Butterworth filter has none");
  o->gravity_hz = real_or(f->gravity_hz, o->gravity_hz);
  o->scale = real_or(f->scale, o->scale);
  o->middle_ms = real_or(f->middle_ms, o->middle_ms);
  o->order = int_or(f->order, o->order);
  o->decimate = int_or(f->decimate, o->decimate);
  return true;
}

/* compat sets what the other keys then may change. */
static bool read_compat(const struct reader *r, const char *key, const struct yaml_features *f,
                        struct features_config *o) {
  if (!f->compat || strcmp(f->compat, "none") == 0) return true;
  const bool first = strcmp(f->compat, "edge-impulse-v1") == 0;
  if (!first && strcmp(f->compat, "edge-impulse") != 0)
    return err_set(config_at_key(r, key, "compat"),
                   "\"%s\" is not known; none, edge-impulse and edge-impulse-v1 are", f->compat);
  if (first && features_compatible_v1(o)) return true;
  if (first)
    return err_set(config_at_key(r, key, "compat"),
                   "the first version of the block is that of today for all kinds but spectral; "
                   "edge-impulse works");
  if (features_compatible(o)) return true;
  return err_set(config_at_key(r, key, "compat"), "no block of Edge Impulse gives what %s gives",
                 features_kind_name(o->kind));
}

/* What a heart was measured by decides the band that its beats lie in. */
static bool read_signal(const struct reader *r, const char *key, const struct yaml_features *f,
                        struct features_config *o) {
  if (!f->signal) return true;
  if (o->kind != FEATURES_HEART)
    return err_set(config_at_key(r, key, "signal"),
                   "%s features have no signal to choose; heart has", features_kind_name(o->kind));
  if (strcmp(f->signal, "ecg") != 0 && strcmp(f->signal, "ppg") != 0)
    return err_set(config_at_key(r, key, "signal"), "\"%s\" is not known; ecg and ppg are",
                   f->signal);
  features_heart_signal(o, strcmp(f->signal, "ppg") == 0);
  return true;
}

/* What a network sees of frames. */
static bool read_image(const struct reader *r, const char *key, const struct yaml_features *f,
                       const struct project_config *c, struct features_config *o) {
  const bool camera = c->kind == PROJECT_IMAGE;
  if (o->kind != FEATURES_IMAGE) {
    if (camera)
      return err_set(config_at_key(r, key, "kind"), "%s features are not of pictures; image is",
                     features_kind_name(o->kind));
    return !(f->width || f->height || f->resize || f->colour) ||
           err_set(config_at_key(r, key, "width"),
                   "%s features are no pictures; image features are", features_kind_name(o->kind));
  }
  if (camera && c->n_features > 1)
    return err_set(config_at_key(r, "more_features", "kind"), "a picture has one part");
  if (camera) {
    o->format = c->frame_format;
    o->source_width = c->frame_width, o->source_height = c->frame_height;
    o->colour = c->frame_format != MOTE_IMAGE_GREY;
  } else { /* rows of a sensor: a frame each */
    o->source_width = int_or(f->width, o->source_width);
    o->source_height = int_or(f->height, o->source_height);
  }
  o->width = int_or(f->width, o->source_width);
  o->height = int_or(f->height, f->width && camera ? o->width : o->source_height);
  if (f->colour) o->colour = *f->colour;
  if (f->resize && !features_resize_from(f->resize, &o->resize))
    return err_set(config_at_key(r, key, "resize"), "\"%s\" is not known; squash, crop and fit are",
                   f->resize);
  return true;
}

/* One part; key: where it stands in the file. */
static bool read_part(const struct reader *r, const char *key, const struct yaml_features *f,
                      const struct project_config *c, struct features_config *o) {
  enum features_kind kind = automatic_kind(c->kind);
  struct err inner = {{0}, {0}, {0}, false};
  struct features_config all = {.channels = c->channels};
  if (f->kind && strcmp(f->kind, "auto") != 0 && !features_kind_from(f->kind, &kind))
    return err_set(config_at_key(r, key, "kind"), "\"%s\" is not known; auto%s are", f->kind,
                   project_features_kinds(r->a));
  if (!read_channels(f, c->channels, &all, &inner))
    return err_set(config_at_key(r, key, "channels"), "%s", inner.text);
  if (f->front) {
    struct features_front front;
    double rate_hz, window_ms;
    int channels;
    if (!read_front(r, key, f->front, c, &all, &front)) return false;
    if (!features_front_out(&front, &rate_hz, &channels, &window_ms, &inner))
      return err_set(config_at_key(r, key, "front"), "%s: %s", inner.node, inner.text);
    features_defaults(kind, rate_hz, channels, window_ms, o, NULL);
    o->front = front;
  } else {
    features_defaults(kind, c->rate_hz, all.channels, c->length_ms, o, NULL);
    o->stride = all.stride;
    memcpy(o->select, all.select, sizeof o->select);
  }
  if (!read_image(r, key, f, c, o) || !read_compat(r, key, f, o) || !read_signal(r, key, f, o))
    return false;
  o->frame_ms = real_or(f->frame_ms, o->frame_ms);
  o->hop_ms = real_or(f->hop_ms, o->hop_ms);
  o->low_hz = real_or(f->low_hz, o->low_hz);
  o->high_hz = real_or(f->high_hz, o->high_hz);
  o->range_db = real_or(f->range_db, o->range_db);
  o->floor_db = real_or(f->floor_db, o->floor_db);
  o->fft_size = int_or(f->fft_size, o->fft_size);
  o->bands = int_or(f->bands, o->bands);
  o->coefficients = int_or(f->coefficients, o->coefficients);
  if (f->normalise && !features_normalise_from(f->normalise, &o->normalise))
    return err_set(config_at_key(r, key, "normalise"),
                   "\"%s\" is not known; none, level, mean, tilt and sliding are", f->normalise);
  o->pre_emphasis = real_or(f->pre_emphasis, o->pre_emphasis);
  o->noise_floor_db = real_or(f->noise_floor_db, o->noise_floor_db);
  o->sliding = int_or(f->sliding, o->sliding);
  o->lifter = int_or(f->lifter, o->lifter);
  o->irregular = int_or(f->irregular, o->irregular);
  if (f->together) o->together = *f->together;
  o->voicing = real_or(f->voicing, o->voicing);
  if (f->noise_reduction) o->noise_reduction = *f->noise_reduction;
  if (f->pcan) o->pcan = *f->pcan;
  if (!read_values(r, key, f, o) || !read_filter(r, key, f, o)) return false;
  if (features_check(o, &inner)) return true;
  return err_set(config_at_key(r, key, inner.node[0] ? inner.node : "kind"), "%s", inner.text);
}

bool config_read_features(const struct reader *r, const struct project_yaml *y,
                          struct project_config *c) {
  static const struct yaml_features none;
  c->n_features = 1 + (int)y->more_features_count;
  if (!read_part(r, "features", y->features ? y->features : &none, c, &c->features[0]))
    return false;
  for (int i = 1; i < c->n_features; i++)
    if (!read_part(r, "more_features", &y->more_features[i - 1], c, &c->features[i])) return false;
  return true;
}

const char *project_features_name(struct arena *a, const struct project_config *c) {
  const char *name = features_kind_name(c->features[0].kind);
  for (int i = 1; i < c->n_features; i++)
    name = arena_printf(a, "%s + %s", name, features_kind_name(c->features[i].kind));
  return name;
}
