/* config: mote.yaml -> struct project_config. Numbers out of range are found here and named with the line of their key. */
#include "app/config.h"

#include <math.h>
#include <stdlib.h>

#define MAX_YAML_BYTES ((size_t)1 << 20)

/* ---- sensor and window -------------------------------------------------------------- */
const char *const config_kind_names[] = {"audio", "motion", "vibration", "sensor", "image"};

bool project_check_frame(int format, int width, int height, struct err *e) {
  const int64_t most = 1000000, words = features_frame_words(format, width, height);
  return words <= most ||
         err_set(e, "frames of %d x %d pixels; up to %s pixels of this format work", width, height,
                 text_thousands(most * width * height / words));
}

/* The frame of a camera. Its window is as many samples of int16 as hold its bytes, one channel, a window a second. */
static bool read_camera(const struct reader *r, const struct yaml_sensor *s,
                        struct project_config *c) {
  c->frame_format = MOTE_IMAGE_GREY;
  if (s->format &&
      (!features_format_from(s->format, &c->frame_format) || c->frame_format == MOTE_IMAGE_NUMBERS))
    return err_set(config_at_key(r, "sensor", "format"),
                   "\"%s\" is not known; grey, rgb, rgb565 and rgb565-swapped are", s->format);
  c->frame_width = int_or(s->width, 0);
  c->frame_height = int_or(s->height, c->frame_width);
  if (c->frame_width < 1 || c->frame_height < 1 || c->frame_width > 1024 || c->frame_height > 1024)
    return err_set(config_at_key(r, "sensor", "width"),
                   "frames of %d x %d pixels; a width and height of 1 to 1,024 are needed",
                   c->frame_width, c->frame_height);
  struct err inner = {{0}, {0}, {0}, false};
  if (!project_check_frame(c->frame_format, c->frame_width, c->frame_height, &inner))
    return err_set(config_at_key(r, "sensor", "width"), "%s", inner.text);
  if (s->range_count)
    return err_set(config_at_key(r, "sensor", "range"), "pixels have none: 0 to 255");
  c->rate_hz = features_frame_words(c->frame_format, c->frame_width, c->frame_height);
  c->channels = 1;
  return true;
}

static bool read_sensor(const struct reader *r, const struct project_yaml *y,
                        struct project_config *c) {
  static const struct yaml_sensor none;
  const struct yaml_sensor *s = y->sensor ? y->sensor : &none;
  if (!s->kind)
    return err_set(config_at_key(r, "sensor", "kind"),
                   "say what the sensor is: audio, motion, vibration, sensor or image");
  int kind = -1;
  for (int i = 0; i < CONFIG_KINDS; i++)
    if (strcmp(s->kind, config_kind_names[i]) == 0) kind = i;
  if (kind < 0)
    return err_set(config_at_key(r, "sensor", "kind"),
                   "\"%s\" is not known; audio, motion, vibration, sensor and image are", s->kind);
  c->kind = (enum project_kind)kind;
  c->unit = s->unit ? s->unit : "";
  if (c->kind == PROJECT_IMAGE) return read_camera(r, s, c);
  c->rate_hz = real_or(s->rate_hz, 0);
  if (!(c->rate_hz > 0 && c->rate_hz <= 1e6))
    return err_set(config_at_key(r, "sensor", "rate_hz"),
                   "a rate between 0 and 1,000,000 Hz is needed (16000 for speech)");
  c->channels = int_or(s->channels, 1);
  if (c->channels < 1 || c->channels > FEATURES_MAX_CHANNELS)
    return err_set(config_at_key(r, "sensor", "channels"), "%d channels; 1 to %d work", c->channels,
                   FEATURES_MAX_CHANNELS);
  if (kind == PROJECT_AUDIO && c->channels != 1)
    return err_set(config_at_key(r, "sensor", "channels"),
                   "%d channels; audio is mixed down to 1 channel", c->channels);
  c->range = s->range;
  c->n_range = (int)s->range_count;
  if (c->n_range > 1 && c->n_range != c->channels)
    return err_set(
        config_at_key(r, "sensor", "range"),
        "%d numbers for %d channels; give one for all, one for each, or [] to take the largest "
        "value seen in training",
        c->n_range, c->channels);
  for (int i = 0; i < c->n_range; i++)
    if (!(c->range[i] > 0 && isfinite(c->range[i])))
      return err_set(config_at_key(r, "sensor", "range"), "%g; a range is above 0", c->range[i]);
  return true;
}

/* Which channels are logarithms: one word for all of them, or one for each. */
static bool read_scale(const struct reader *r, const struct project_yaml *y,
                       struct project_config *c) {
  const unsigned n = y->sensor ? y->sensor->scale_count : 0;
  if (n > 1 && (int)n != c->channels)
    return err_set(config_at_key(r, "sensor", "scale"),
                   "%u words for %d channels; give one for all, or one for each", n, c->channels);
  bool *log = ARENA_ARRAY(r->a, bool, c->channels);
  for (int k = 0; n && k < c->channels; k++) {
    const char *word = y->sensor->scale[n == 1 ? 0 : k];
    log[k] = strcmp(word, "log") == 0;
    if (log[k] && c->kind != PROJECT_AUDIO) c->log = log;
    if (!log[k] && strcmp(word, "linear") != 0)
      return err_set(config_at_key(r, "sensor", "scale"), "\"%s\" is not known; linear and log are",
                     word);
    if (log[k] && c->kind == PROJECT_IMAGE)
      return err_set(config_at_key(r, "sensor", "scale"), "pixels are linear: 0 to 255");
    if (log[k] && c->kind == PROJECT_AUDIO)
      return err_set(config_at_key(r, "sensor", "scale"),
                     "sound is linear; its features take logarithms");
  }
  return true;
}

static bool read_calibrate(const struct reader *r, const struct project_yaml *y,
                           struct project_config *c) {
  const struct yaml_calibrate *o = y->calibrate;
  struct project_calibrate *to = &c->calibrate;
  *to = (struct project_calibrate){.by = PROJECT_CALIBRATE_NONE, .deviation = true};
  if (!o || !o->by || strcmp(o->by, "none") == 0) return true;
  if (strcmp(o->by, "group") == 0)
    to->by = PROJECT_CALIBRATE_GROUP;
  else if (strcmp(o->by, "file") == 0)
    to->by = PROJECT_CALIBRATE_FILE;
  else
    return err_set(config_at_key(r, "calibrate", "by"),
                   "\"%s\" is not known; group, file and none are", o->by);
  if (c->kind == PROJECT_AUDIO)
    return err_set(config_at_key(r, "calibrate", "by"),
                   "sound is not calibrated; features.normalise takes off what a microphone adds");
  if (c->kind == PROJECT_IMAGE)
    return err_set(config_at_key(r, "calibrate", "by"),
                   "pictures are not calibrated; features.normalise: level takes their mean off");
  if (o->deviation) to->deviation = *o->deviation;
  to->labels = (const char *const *)o->labels;
  to->n_labels = (int)o->labels_count;
  to->channels = o->channels;
  to->n_channels = (int)o->channels_count;
  for (int i = 0; i < to->n_channels; i++)
    if (to->channels[i] < 1 || to->channels[i] > c->channels)
      return err_set(config_at_key(r, "calibrate", "channels"),
                     "%d is none of the sensor's %d channels, which count from 1", to->channels[i],
                     c->channels);
  to->moments = o->of && strcmp(o->of, "moments") == 0;
  to->features = o->of && strcmp(o->of, "features") == 0;
  if (o->of && strcmp(o->of, "channels") != 0 && !to->moments && !to->features)
    return err_set(config_at_key(r, "calibrate", "of"),
                   "\"%s\" is not known; channels, moments and features are", o->of);
  if (to->features && to->n_channels)
    return err_set(config_at_key(r, "calibrate", "channels"),
                   "`of: features` measures every column of the features; channels are named where "
                   "these are measured");
  return true;
}

static bool read_window(const struct reader *r, const struct project_yaml *y,
                        struct project_config *c) {
  static const struct yaml_window none;
  const struct yaml_window *w = y->window ? y->window : &none;
  if (c->kind == PROJECT_IMAGE) { /* one frame */
    c->length_ms = c->stride_ms = 1000;
    c->place = PROJECT_SLIDE;
    return !y->window || err_set(config_at_key(r, "", "window"), "a picture is a window by itself");
  }
  c->length_ms = real_or(w->length_ms, 1000);
  if (!(c->length_ms > 0 && c->length_ms * c->rate_hz / 1000 >= 1 &&
        c->length_ms * c->rate_hz / 1000 <= 65535 * 64.0))
    return err_set(config_at_key(r, "window", "length_ms"),
                   "%g ms at %g Hz are %g samples; 1 to 65535 frames work", c->length_ms,
                   c->rate_hz, c->length_ms * c->rate_hz / 1000);
  c->stride_ms = real_or(w->stride_ms, c->length_ms / 2);
  if (!(c->stride_ms > 0 && c->stride_ms * c->rate_hz / 1000 >= 1))
    return err_set(config_at_key(r, "window", "stride_ms"),
                   "%g ms; at least one sample (%g ms) is needed", c->stride_ms, 1000 / c->rate_hz);
  c->place = c->kind == PROJECT_AUDIO ? PROJECT_EVENT : PROJECT_SLIDE;
  if (w->place && strcmp(w->place, "event") == 0)
    c->place = PROJECT_EVENT;
  else if (w->place && strcmp(w->place, "slide") == 0)
    c->place = PROJECT_SLIDE;
  else if (w->place && strcmp(w->place, "stream") == 0 && c->kind == PROJECT_AUDIO)
    c->place = PROJECT_STREAM;
  else if (w->place)
    return err_set(
        config_at_key(r, "window", "place"),
        "\"%s\" is not known; event (one window around the loudest piece) and slide (a window "
        "every stride_ms) are, and of sound stream (as event, and what is not to be found "
        "anywhere)",
        w->place);
  return true;
}

/* ---- what a model does ----------------------------------------------------------------- */
/* Things in pictures are found by a network alone. */
static bool read_objects(const struct reader *r, const struct project_yaml *y,
                         struct project_config *c) {
  const struct yaml_objects *o = y->objects;
  if (!o) return true;
  c->objects = (struct project_objects){
      .on = true, .weight = real_or(o->weight, 20), .threshold = real_or(o->threshold, 0)};
  if (c->kind != PROJECT_IMAGE)
    return err_set(config_at_key(r, "", "objects"),
                   "objects are counted in pictures: sensor.kind: image is needed");
  if (!(c->objects.weight >= 1 && c->objects.weight <= 10000))
    return err_set(config_at_key(r, "objects", "weight"), "%g; 1 to 10,000 works",
                   c->objects.weight);
  if (!(c->objects.threshold >= 0 && c->objects.threshold <= 0.99))
    return err_set(config_at_key(r, "objects", "threshold"),
                   "%g; 0 (what training finds) to 0.99 works", c->objects.threshold);
  if (y->learner || y->anomaly)
    return err_set(config_at_key(r, "", y->learner ? "learner" : "anomaly"),
                   "objects are found by a network alone: leave this out, or `objects`");
  if (y->detect_count)
    return err_set(config_at_key(r, "", "detect"),
                   "detections are of classes in a stream; a project with `objects` has none");
  return true;
}

/* Numbers that are estimated: each named once. */
static bool read_regression(const struct reader *r, const struct project_yaml *y,
                            struct project_config *c) {
  static const char *const label[] = {"label"};
  const struct yaml_regression *g = y->regression;
  struct project_regression *to = &c->regression;
  if (!g) return true;
  *to = (struct project_regression){.on = true,
                                    .of = g->of_count ? (const char *const *)g->of : label,
                                    .n_of = g->of_count ? (int)g->of_count : 1,
                                    .unit = g->unit ? g->unit : "",
                                    .huber = real_or(g->huber, 0)};
  for (int i = 0; i < to->n_of; i++)
    for (const char *x = to->of[i]; *x; x++)
      if ((unsigned char)*x < ' ')
        return err_set(config_at_key(r, "regression", "of"),
                       "a name holds a control character; `label` and keys of metadata work");
  for (int i = 0; i < to->n_of; i++)
    if (word_at(to->of[i], to->of, i) >= 0)
      return err_set(config_at_key(r, "regression", "of"), "\"%s\" is there twice", to->of[i]);
  if (!(to->huber >= 0 && to->huber <= 1000))
    return err_set(config_at_key(r, "regression", "huber"), "%g; 0 to 1,000 works", to->huber);
  if (y->learner || y->anomaly || y->objects || y->detect_count || y->suppress)
    return err_set(
        config_at_key(r, "",
                      y->learner    ? "learner"
                      : y->anomaly  ? "anomaly"
                      : y->objects  ? "objects"
                      : y->suppress ? "suppress"
                                    : "detect"),
        "a project with `regression` estimates numbers by a network, and has no classes: "
        "leave this out");
  const char *const about_classes = config_about_classes(y->training);
  if (about_classes)
    return err_set(config_at_key(r, "training", about_classes),
                   "this is about classes, and a project with `regression` has none: leave it out");
  if (c->n_unknown || c->n_background)
    return err_set(config_at_key(r, "data", c->n_unknown ? "unknown" : "background"),
                   "a project with `regression` has no classes: leave this out");
  return true;
}

/* The rules of detections: each names a class once. */
static bool read_detect(const struct reader *r, const struct project_yaml *y,
                        struct project_config *c) {
  struct project_detect *const rules =
      ARENA_ARRAY(r->a, struct project_detect, y->detect_count + 1);
  for (unsigned i = 0; i < y->detect_count; i++) {
    const struct yaml_detect *const d = &y->detect[i];
    if (!d->class_name || !d->class_name[0])
      return err_set(config_at_key(r, "detect", "class"), "entry %u names no class", i + 1);
    for (unsigned k = 0; k < i; k++)
      if (strcmp(rules[k].label, d->class_name) == 0)
        return err_set(config_at_key(r, "detect", "class"), "\"%s\" is there twice", d->class_name);
    rules[i] = (struct project_detect){.label = d->class_name,
                                       .average = int_or(d->average, 1),
                                       .threshold = real_or(d->threshold, 0.5),
                                       .suppress_ms = real_or(d->suppress_ms, c->length_ms)};
    if (rules[i].average < 1 || rules[i].average > MOTE_DETECTOR_MOST_ROWS)
      return err_set(config_at_key(r, "detect", "average"), "%d; 1 to %d work", rules[i].average,
                     MOTE_DETECTOR_MOST_ROWS);
    if (!(rules[i].threshold >= 0 && rules[i].threshold <= 1))
      return err_set(config_at_key(r, "detect", "threshold"), "%g; 0 to 1 works",
                     rules[i].threshold);
    if (!(rules[i].suppress_ms >= 0 && rules[i].suppress_ms / c->stride_ms < 65535))
      return err_set(config_at_key(r, "detect", "suppress_ms"),
                     "%g; 0 to 65,534 strides of %g ms work", rules[i].suppress_ms, c->stride_ms);
  }
  c->detect = rules;
  c->n_detect = (int)y->detect_count;
  return true;
}

/* What is said of classes and their windows would be read and never used in a project that mixes sound. */
static bool means_something(const struct reader *r, const struct project_yaml *y) {
  const char *const drawn =
      y->augmentation ? config_first_key("augmentation", y->augmentation) : NULL;
  const struct yaml_window *w = y->window;
  const struct yaml_data *d = y->data;
  if (drawn)
    return err_set(
        config_at_key(r, "augmentation", drawn),
        "a project that suppresses noise mixes its samples and changes them in no other "
        "way: leave this out; suppress.snr_db_min and .snr_db_max say how they are mixed");
  if (w && (w->stride_ms || w->place))
    return err_set(config_at_key(r, "window", w->stride_ms ? "stride_ms" : "place"),
                   "a project that suppresses noise lays no windows over samples: leave this out; "
                   "window.length_ms is that of a mixture");
  if (d && (d->unknown_count || d->background_count))
    return err_set(config_at_key(r, "data", d->unknown_count ? "unknown" : "background"),
                   "a project that suppresses noise has no classes: leave this out; suppress.noise "
                   "names the labels of noise");
  return true;
}

/* Sound that is to come back without its noise. */
static bool read_suppress(const struct reader *r, const struct project_yaml *y,
                          struct project_config *c) {
  const struct yaml_suppress *s = y->suppress;
  struct project_suppress *to = &c->suppress;
  if (!s) return true;
  *to = (struct project_suppress){.on = true,
                                  .noise = (const char *const *)s->noise,
                                  .n_noise = (int)s->noise_count,
                                  .snr_db_min = real_or(s->snr_db_min, -5),
                                  .snr_db_max = real_or(s->snr_db_max, 20),
                                  .most_db = real_or(s->most_db, 20)};
  struct err inner = {0};
  if (c->kind != PROJECT_AUDIO)
    return err_set(config_at_key(r, "", "suppress"),
                   "noise is taken from sound: sensor.kind audio works");
  if (!to->n_noise)
    return err_set(config_at_key(r, "suppress", "noise"),
                   "no label of noise; `noise: [noise]` names one, and all others are what stays");
  if (!(to->snr_db_min >= -40 && to->snr_db_max <= 60 && to->snr_db_min <= to->snr_db_max))
    return err_set(config_at_key(r, "suppress", "snr_db_min"),
                   "%g to %g dB; within -40 to 60 dB works", to->snr_db_min, to->snr_db_max);
  if (!(to->most_db >= 0 && to->most_db <= 60))
    return err_set(config_at_key(r, "suppress", "most_db"), "%g dB; 0 to 60 works", to->most_db);
  if (c->learner.on || c->anomaly.on || c->n_detect)
    return err_set(config_at_key(r, "", "suppress"),
                   "a project that suppresses noise has no classes: without `learner`, `anomaly` "
                   "and `detect` it works");
  if (!means_something(r, y)) return false;
  if (c->n_features != 1)
    return err_set(config_at_key(r, "", "more_features"), "one part alone can come back as sound");
  c->features[0].half_sine = true;
  return features_check(&c->features[0], &inner) ||
         err_set(config_at_key(r, "features", inner.node), "%s", inner.text);
}

/* ---- the whole ------------------------------------------------------------------------ */
bool project_parse_config(struct arena *a, const char *path, const char *bytes, size_t size,
                          struct project_config *c, struct err *e) {
  const struct reader r = {a, path, bytes, e};
  struct project_yaml *y;
  memset(c, 0, sizeof *c);
  if (!config_load(&r, size, &y)) return false;
  c->yaml = y;
  c->name = y->name && y->name[0] ? y->name : "model";
  c->network = y->network && y->network[0] ? y->network : "auto";
  c->board = y->board ? y->board : "";
  if (y->data) {
    c->background = (const char *const *)y->data->background;
    c->unknown = (const char *const *)y->data->unknown;
    c->ignore = (const char *const *)y->data->ignore;
    c->n_background = (int)y->data->background_count;
    c->n_unknown = (int)y->data->unknown_count;
    c->n_ignore = (int)y->data->ignore_count;
  }
  if (!read_sensor(&r, y, c) || !read_scale(&r, y, c) || !read_calibrate(&r, y, c) ||
      !read_window(&r, y, c) || !config_read_features(&r, y, c))
    return false;
  if (c->calibrate.features)
    c->features[0].calibrate =
        c->calibrate.deviation ? FEATURES_CALIBRATE_DEVIATION : FEATURES_CALIBRATE_MEAN;
  return read_objects(&r, y, c) && read_regression(&r, y, c) && config_read_training(&r, c) &&
         read_detect(&r, y, c) && read_suppress(&r, y, c);
}

bool project_read_config(struct arena *a, const char *path, struct project_config *c,
                         struct err *e) {
  uint8_t *text = NULL;
  size_t size = 0;
  memset(c, 0, sizeof *c);
  return file_read(a, path, MAX_YAML_BYTES, &text, &size, e) &&
         project_parse_config(a, path, (const char *)text, size, c, e);
}
