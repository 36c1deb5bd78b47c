/* config: mote.yaml -> struct project_config.
 *
 * How it works: libcyaml reads the file against the schema below, in which every key may be left out; a key
 * that is there is a pointer, one that is not is NULL, and the defaults depend on the ones that are. libcyaml
 * speaks through a log callback, from which its message, line and column are taken; numbers out of range are
 * found here and named with the line of their key. All memory is the arena's. */
#include "app/project.h"
#include "app/numbers.h"

#include <cyaml/cyaml.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_YAML_BYTES ((size_t)1 << 20)

struct yaml_sensor {
  char *kind, *unit;
  double *rate_hz;
  int *channels, *width, *height; /* of a camera's frame */
  char *format;
  double *range;
  char **scale;
  unsigned range_count, scale_count;
};
struct yaml_window {
  double *length_ms, *stride_ms;
  char *place;
};
/* What stands in front of a kind. */
struct yaml_front {
  char **derive, *filter, *design, *detrend;
  double *cutoff_hz, *ripple_db, *gravity_hz, *scale, *middle_ms;
  int *order, *decimate;
  unsigned derive_count, cutoff_hz_count;
};
struct yaml_features {
  struct yaml_front *front;
  char *kind, *normalise, *resize;
  int *width, *height; /* image */
  bool *colour;
  double *frame_ms, *hop_ms, *low_hz, *high_hz, *range_db, *floor_db;
  int *fft_size, *bands, *coefficients;
  int *channels; /* those that are read, from 1; none: all */
  unsigned channels_count;
  /* spectral and flatten */
  char *compat, *filter, *hold, *wavelet, **values;
  double *cutoff_hz, *edges_hz, *threshold;
  int *order, *decimate, *peaks, *moving, *levels;
  double *pre_emphasis, *noise_floor_db; /* mfe, spectrogram, mfcc */
  int *sliding, *lifter;
  char *signal;    /* heart */
  double *voicing; /* pitch */
  int *irregular;
  bool *noise_reduction, *pcan; /* micro */
  bool *overlap, *log, *extra_low;
  unsigned values_count, edges_hz_count;
};
struct yaml_training {
  int *epochs, *qat_epochs, *batch, *patience, *time_masks, *time_mask_max, *band_masks,
      *band_mask_max;
  double *learning_rate, *qat_learning_rate, *weight_decay, *label_smoothing, *mixup, *focal,
      *average;
  bool *class_weights;
  int *seed, *flash_bytes;
};
struct yaml_augmentation {
  double *shift_ms, *gain_db, *speed, *tone_db, *background_chance, *background_snr_db_min,
      *background_snr_db_max, *noise_chance, *noise_snr_db_min, *time_stretch, *band_warp,
      *slope_db, *floor_chance, *floor_db_min, *floor_db_max, *shift, *rotate_deg, *zoom, *shear,
      *brightness, *contrast, *cutout;
  char *flip;
};
struct yaml_detect {
  char *class_name;
  int *average;
  double *threshold, *suppress_ms;
};
struct yaml_objects {
  double *weight, *threshold;
};
struct yaml_calibrate {
  char *by, **labels;
  unsigned labels_count;
  bool *deviation;
};
struct yaml_suppress {
  char **noise;
  unsigned noise_count;
  double *snr_db_min, *snr_db_max, *most_db;
};
struct yaml_data {
  char **background, **unknown, **ignore;
  unsigned background_count, unknown_count, ignore_count;
};
/* Of `learning` and of `anomaly`. */
struct yaml_learning {
  char *learner;
  int *clusters, *components, *trees, *depth, *min_leaf, *max_columns, *k, *points, *seed;
  bool *full, *bootstrap;
  double *variance, *rate, *l2, *c, *false_alarms, *threshold;
  int *columns;
  char **normal;
  unsigned columns_count, normal_count;
};
struct project_yaml {
  char *name, *network, *board, *learner;
  struct yaml_learning *learning, *anomaly;
  struct yaml_sensor *sensor;
  struct yaml_window *window;
  struct yaml_features *features, *more_features;
  unsigned more_features_count;
  struct yaml_training *training;
  struct yaml_augmentation *augmentation;
  struct yaml_data *data;
  struct yaml_calibrate *calibrate;
  struct yaml_suppress *suppress;
  struct yaml_objects *objects;
  struct yaml_detect *detect;
  unsigned detect_count;
};

/* ---- schema --------------------------------------------------------------------- */
#define OPTIONAL   (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define TEXT(s, m) CYAML_FIELD_STRING_PTR(#m, OPTIONAL, struct s, m, 0, 4000)
#define REAL(s, m) CYAML_FIELD_FLOAT_PTR(#m, OPTIONAL, struct s, m)
#define INT(s, m)  CYAML_FIELD_INT_PTR(#m, OPTIONAL, struct s, m)
#define BOOL(s, m) CYAML_FIELD_BOOL_PTR(#m, OPTIONAL, struct s, m)

static const cyaml_schema_value_t real_entry = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_value_t text_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, 200)};

static const cyaml_schema_value_t int_entry = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int)};

static const cyaml_schema_field_t sensor_fields[] = {
    TEXT(yaml_sensor, kind),
    TEXT(yaml_sensor, unit),
    REAL(yaml_sensor, rate_hz),
    INT(yaml_sensor, channels),
    INT(yaml_sensor, width),
    INT(yaml_sensor, height),
    TEXT(yaml_sensor, format),
    CYAML_FIELD_SEQUENCE("range", OPTIONAL, struct yaml_sensor, range, &real_entry, 0,
                         FEATURES_MAX_CHANNELS),
    CYAML_FIELD_SEQUENCE("scale", OPTIONAL, struct yaml_sensor, scale, &text_entry, 0,
                         FEATURES_MAX_CHANNELS),
    CYAML_FIELD_END};
static const cyaml_schema_field_t window_fields[] = {REAL(yaml_window, length_ms),
                                                     REAL(yaml_window, stride_ms),
                                                     TEXT(yaml_window, place), CYAML_FIELD_END};
static const cyaml_schema_field_t front_fields[] = {
    CYAML_FIELD_SEQUENCE("derive", OPTIONAL, struct yaml_front, derive, &text_entry, 0,
                         FEATURES_DERIVE_COUNT),
    TEXT(yaml_front, filter),
    TEXT(yaml_front, design),
    TEXT(yaml_front, detrend),
    CYAML_FIELD_SEQUENCE("cutoff_hz", OPTIONAL, struct yaml_front, cutoff_hz, &real_entry, 0, 2),
    REAL(yaml_front, ripple_db),
    REAL(yaml_front, gravity_hz),
    REAL(yaml_front, scale),
    REAL(yaml_front, middle_ms),
    INT(yaml_front, order),
    INT(yaml_front, decimate),
    CYAML_FIELD_END};
static const cyaml_schema_field_t features_fields[] = {
    CYAML_FIELD_MAPPING_PTR("front", OPTIONAL, struct yaml_features, front, front_fields),
    TEXT(yaml_features, kind),
    TEXT(yaml_features, normalise),
    TEXT(yaml_features, resize),
    INT(yaml_features, width),
    INT(yaml_features, height),
    BOOL(yaml_features, colour),
    REAL(yaml_features, frame_ms),
    REAL(yaml_features, hop_ms),
    REAL(yaml_features, low_hz),
    REAL(yaml_features, high_hz),
    REAL(yaml_features, range_db),
    REAL(yaml_features, floor_db),
    INT(yaml_features, fft_size),
    INT(yaml_features, bands),
    INT(yaml_features, coefficients),
    CYAML_FIELD_SEQUENCE("channels", OPTIONAL, struct yaml_features, channels, &int_entry, 0,
                         FEATURES_MAX_CHANNELS),
    TEXT(yaml_features, compat),
    TEXT(yaml_features, filter),
    TEXT(yaml_features, hold),
    TEXT(yaml_features, wavelet),
    INT(yaml_features, levels),
    REAL(yaml_features, cutoff_hz),
    INT(yaml_features, order),
    INT(yaml_features, decimate),
    INT(yaml_features, peaks),
    REAL(yaml_features, threshold),
    INT(yaml_features, moving),
    REAL(yaml_features, pre_emphasis),
    REAL(yaml_features, noise_floor_db),
    INT(yaml_features, sliding),
    INT(yaml_features, lifter),
    TEXT(yaml_features, signal),
    REAL(yaml_features, voicing),
    BOOL(yaml_features, noise_reduction),
    BOOL(yaml_features, pcan),
    INT(yaml_features, irregular),
    BOOL(yaml_features, overlap),
    BOOL(yaml_features, log),
    BOOL(yaml_features, extra_low),
    CYAML_FIELD_SEQUENCE("values", OPTIONAL, struct yaml_features, values, &text_entry, 0, 32),
    CYAML_FIELD_SEQUENCE("edges_hz", OPTIONAL, struct yaml_features, edges_hz, &real_entry, 0,
                         FEATURES_MAX_EDGES),
    CYAML_FIELD_END};
static const cyaml_schema_value_t features_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_features, features_fields)};
static const cyaml_schema_field_t training_fields[] = {INT(yaml_training, epochs),
                                                       INT(yaml_training, qat_epochs),
                                                       INT(yaml_training, batch),
                                                       INT(yaml_training, patience),
                                                       INT(yaml_training, time_masks),
                                                       INT(yaml_training, time_mask_max),
                                                       INT(yaml_training, band_masks),
                                                       INT(yaml_training, band_mask_max),
                                                       REAL(yaml_training, learning_rate),
                                                       REAL(yaml_training, qat_learning_rate),
                                                       REAL(yaml_training, weight_decay),
                                                       REAL(yaml_training, label_smoothing),
                                                       REAL(yaml_training, mixup),
                                                       REAL(yaml_training, focal),
                                                       REAL(yaml_training, average),
                                                       BOOL(yaml_training, class_weights),
                                                       INT(yaml_training, seed),
                                                       INT(yaml_training, flash_bytes),
                                                       CYAML_FIELD_END};
static const cyaml_schema_field_t augmentation_fields[] = {
    REAL(yaml_augmentation, shift_ms),
    REAL(yaml_augmentation, gain_db),
    REAL(yaml_augmentation, speed),
    REAL(yaml_augmentation, tone_db),
    REAL(yaml_augmentation, background_chance),
    REAL(yaml_augmentation, background_snr_db_min),
    REAL(yaml_augmentation, background_snr_db_max),
    REAL(yaml_augmentation, noise_chance),
    REAL(yaml_augmentation, noise_snr_db_min),
    REAL(yaml_augmentation, time_stretch),
    REAL(yaml_augmentation, band_warp),
    REAL(yaml_augmentation, slope_db),
    REAL(yaml_augmentation, floor_chance),
    REAL(yaml_augmentation, floor_db_min),
    REAL(yaml_augmentation, floor_db_max),
    REAL(yaml_augmentation, shift),
    REAL(yaml_augmentation, rotate_deg),
    REAL(yaml_augmentation, zoom),
    REAL(yaml_augmentation, shear),
    REAL(yaml_augmentation, brightness),
    REAL(yaml_augmentation, contrast),
    REAL(yaml_augmentation, cutout),
    TEXT(yaml_augmentation, flip),
    CYAML_FIELD_END};
static const cyaml_schema_field_t objects_fields[] = {
    REAL(yaml_objects, weight), REAL(yaml_objects, threshold), CYAML_FIELD_END};
static const cyaml_schema_field_t calibrate_fields[] = {
    TEXT(yaml_calibrate, by), BOOL(yaml_calibrate, deviation),
    CYAML_FIELD_SEQUENCE("labels", OPTIONAL, struct yaml_calibrate, labels, &text_entry, 0, 1000),
    CYAML_FIELD_END};
#define LABELS(m) CYAML_FIELD_SEQUENCE(#m, OPTIONAL, struct yaml_data, m, &text_entry, 0, 1000)
static const cyaml_schema_field_t data_fields[] = {LABELS(background), LABELS(unknown),
                                                   LABELS(ignore), CYAML_FIELD_END};
/* `learner` names the kind of `anomaly`; that of the model itself stands at the top level. */
#define LEARNING_FIELDS                                                                            \
  INT(yaml_learning, clusters), INT(yaml_learning, components), BOOL(yaml_learning, full),         \
      REAL(yaml_learning, variance), INT(yaml_learning, trees), INT(yaml_learning, depth),         \
      INT(yaml_learning, min_leaf), INT(yaml_learning, max_columns),                               \
      BOOL(yaml_learning, bootstrap), REAL(yaml_learning, rate), REAL(yaml_learning, l2),          \
      REAL(yaml_learning, c), INT(yaml_learning, k), INT(yaml_learning, points),                   \
      INT(yaml_learning, seed), REAL(yaml_learning, false_alarms), REAL(yaml_learning, threshold), \
      CYAML_FIELD_SEQUENCE("columns", OPTIONAL, struct yaml_learning, columns, &int_entry, 0,      \
                           65535),                                                                 \
      CYAML_FIELD_SEQUENCE("normal", OPTIONAL, struct yaml_learning, normal, &text_entry, 0, 1000)
static const cyaml_schema_field_t learning_fields[] = {LEARNING_FIELDS, CYAML_FIELD_END};
static const cyaml_schema_field_t anomaly_fields[] = {TEXT(yaml_learning, learner), LEARNING_FIELDS,
                                                      CYAML_FIELD_END};
static const cyaml_schema_field_t suppress_fields[] = {
    CYAML_FIELD_SEQUENCE("noise", OPTIONAL, struct yaml_suppress, noise, &text_entry, 0, 1000),
    REAL(yaml_suppress, snr_db_min), REAL(yaml_suppress, snr_db_max), REAL(yaml_suppress, most_db),
    CYAML_FIELD_END};
static const cyaml_schema_field_t detect_fields[] = {
    CYAML_FIELD_STRING_PTR("class", OPTIONAL, struct yaml_detect, class_name, 0, 4000),
    INT(yaml_detect, average), REAL(yaml_detect, threshold), REAL(yaml_detect, suppress_ms),
    CYAML_FIELD_END};
static const cyaml_schema_value_t detect_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct yaml_detect, detect_fields)};
#define SECTION(m) CYAML_FIELD_MAPPING_PTR(#m, OPTIONAL, struct project_yaml, m, m##_fields)
static const cyaml_schema_field_t top_fields[] = {
    TEXT(project_yaml, name),
    TEXT(project_yaml, network),
    TEXT(project_yaml, board),
    TEXT(project_yaml, learner),
    SECTION(learning),
    SECTION(anomaly),
    SECTION(sensor),
    SECTION(window),
    SECTION(features),
    CYAML_FIELD_SEQUENCE("more_features", OPTIONAL, struct project_yaml, more_features,
                         &features_entry, 0, FEATURES_MAX_PARTS - 1),
    SECTION(training),
    SECTION(augmentation),
    SECTION(data),
    SECTION(calibrate),
    SECTION(suppress),
    SECTION(objects),
    CYAML_FIELD_SEQUENCE("detect", OPTIONAL, struct project_yaml, detect, &detect_entry, 0, 1000),
    CYAML_FIELD_END};
static const cyaml_schema_value_t top = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct project_yaml, top_fields)};

/* ---- libcyaml's callbacks --------------------------------------------------------- */
/* Memory from the arena: a header before each piece remembers its size for growing. */
static void *arena_memory(void *context, void *old, size_t size) {
  struct arena *a = context;
  if (size == 0) return NULL;
  size_t *head = arena_alloc(a, size + 64, 1);
  head[0] = size;
  void *made = (uint8_t *)head + 64;
  if (old) {
    size_t had = *(const size_t *)(const void *)((const uint8_t *)old - 64);
    memcpy(made, old, had < size ? had : size);
  }
  return made;
}

struct report {
  char message[400], place[400]; /* the first error, and the innermost line of its backtrace */
};

static void keep_log(cyaml_log_t level, void *context, const char *format, va_list args) {
  struct report *r = context;
  char line[400];
  if (level < CYAML_LOG_ERROR) return;
  vsnprintf(line, sizeof line, format, args);
  line[strcspn(line, "\n")] = 0;
  const char *text = text_starts(line, "Load: ") ? line + 6 : line;
  while (*text == ' ') text++;
  if (text_starts(text, "Backtrace")) return;
  if (strstr(text, "(line:")) {
    if (!r->place[0]) snprintf(r->place, sizeof r->place, "%s", text);
  } else if (!r->message[0]) {
    snprintf(r->message, sizeof r->message, "%s", text);
  }
}

static const cyaml_schema_field_t *fields_of(const char *section) {
  for (const cyaml_schema_field_t *f = top_fields; f->key; f++)
    if (f->value.type == CYAML_MAPPING && strcmp(f->key, section) == 0)
      return f->value.mapping.fields;
  return top_fields;
}

/* What could stand where an unknown key stands. */
static void list_keys(const cyaml_schema_field_t *fields, char *out, size_t room) {
  size_t n = 0;
  for (const cyaml_schema_field_t *f = fields; f->key && n < room; f++)
    n += (size_t)snprintf(out + n, room - n, "%s%s", n ? ", " : "", f->key);
}

/* ---- lines of keys ---------------------------------------------------------------- */
/* The line of `key` in `section` ("" for the top level), 0 where it cannot be found (flow style). */
static int line_of(const char *text, const char *section, const char *key) {
  bool inside = section[0] == 0;
  int number = 0;
  for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
    number++;
    size_t indent = strspn(p, " ");
    const char *word = p + indent;
    if (indent == 0 && section[0] && *word != '#' && *word != '\n')
      inside = strncmp(word, section, strlen(section)) == 0 && word[strlen(section)] == ':';
    if (inside && (indent > 0) == (section[0] != 0) && strncmp(word, key, strlen(key)) == 0 &&
        word[strlen(key)] == ':')
      return number;
  }
  return 0;
}

/* The section that a line lies in: the last key without indentation above it; "" where there is none. */
static void section_of(const char *text, int line, char *out, size_t room) {
  int number = 0;
  out[0] = 0;
  for (const char *p = text; p && *p && ++number <= line;
       p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
    size_t n = strcspn(p, ":\n");
    if (*p != ' ' && *p != '#' && *p != '\n' && *p != '-' && p[n] == ':' && number < line)
      snprintf(out, room, "%.*s", (int)(n < room ? n : room - 1), p);
    else if (*p != ' ' && *p != '#' && number == line)
      out[0] = 0;
  }
}

/* libcyaml's words in ours: place, what is wrong, what would work. */
static bool fail_yaml(const struct report *r, const char *path, const char *text, cyaml_err_t code,
                      struct err *e) {
  char section[64] = "", keys[600];
  int line = 0, column = 0;
  const char *at = strstr(r->place, "(line:");
  if (at) sscanf(at, "(line: %d, column: %d", &line, &column);
  err_file(e, path);
  if (line) err_node(e, "line %d, column %d", line, column);
  if (line) section_of(text, line, section, sizeof section);
  if (text_starts(r->message, "Unexpected key")) {
    const char *key = strchr(r->message, ':');
    key = key ? key + 2 : "?";
    /* At the top level libcyaml names the place before the key. */
    int top_line = line_of(text, "", key);
    if (top_line) {
      section[0] = e->node[0] = 0;
      err_node(e, "line %d", top_line);
    }
    const cyaml_schema_field_t *fields = fields_of(section);
    list_keys(fields, keys, sizeof keys);
    return err_set(e, "there is no key \"%s\"%s%s; known keys: %s", key,
                   fields == top_fields ? "" : " in ", fields == top_fields ? "" : section, keys);
  }
  const char *what = r->message[0] ? r->message : cyaml_strerror(code);
  if (section[0]) return err_set(e, "%s: %s", section, what);
  return err_set(e, "%s", what);
}

struct reader {
  struct arena *a;
  const char *path, *text;
  struct err *e;
};

/* Names file, line and key of an error that is set next. */
static struct err *at_key(const struct reader *r, const char *section, const char *key) {
  int line = line_of(r->text, section, key);
  err_file(r->e, r->path);
  if (line)
    err_node(r->e, "line %d, %s%s%s", line, section, section[0] ? "." : "", key);
  else
    err_node(r->e, "%s%s%s", section, section[0] ? "." : "", key);
  return r->e;
}

/* ---- values ------------------------------------------------------------------- */
static double real_or(const double *value, double otherwise) { return value ? *value : otherwise; }
static int int_or(const int *value, int otherwise) { return value ? *value : otherwise; }

static const char *const kind_names[] = {"audio", "motion", "vibration", "sensor", "image"};
enum { KINDS = 5 };

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
    return err_set(at_key(r, "sensor", "format"),
                   "\"%s\" is not known; grey, rgb, rgb565 and rgb565-swapped are", s->format);
  c->frame_width = int_or(s->width, 0);
  c->frame_height = int_or(s->height, c->frame_width);
  if (c->frame_width < 1 || c->frame_height < 1 || c->frame_width > 1024 || c->frame_height > 1024)
    return err_set(at_key(r, "sensor", "width"),
                   "frames of %d x %d pixels; a width and height of 1 to 1,024 are needed",
                   c->frame_width, c->frame_height);
  struct err inner = {{0}, {0}, {0}, false};
  if (!project_check_frame(c->frame_format, c->frame_width, c->frame_height, &inner))
    return err_set(at_key(r, "sensor", "width"), "%s", inner.text);
  if (s->range_count) return err_set(at_key(r, "sensor", "range"), "pixels have none: 0 to 255");
  c->rate_hz = features_frame_words(c->frame_format, c->frame_width, c->frame_height);
  c->channels = 1;
  return true;
}

static bool read_sensor(const struct reader *r, const struct project_yaml *y,
                        struct project_config *c) {
  static const struct yaml_sensor none;
  const struct yaml_sensor *s = y->sensor ? y->sensor : &none;
  if (!s->kind)
    return err_set(at_key(r, "sensor", "kind"),
                   "say what the sensor is: audio, motion, vibration, sensor or image");
  int kind = -1;
  for (int i = 0; i < KINDS; i++)
    if (strcmp(s->kind, kind_names[i]) == 0) kind = i;
  if (kind < 0)
    return err_set(at_key(r, "sensor", "kind"),
                   "\"%s\" is not known; audio, motion, vibration, sensor and image are", s->kind);
  c->kind = (enum project_kind)kind;
  c->unit = s->unit ? s->unit : "";
  if (c->kind == PROJECT_IMAGE) return read_camera(r, s, c);
  c->rate_hz = real_or(s->rate_hz, 0);
  if (!(c->rate_hz > 0 && c->rate_hz <= 1e6))
    return err_set(at_key(r, "sensor", "rate_hz"),
                   "a rate between 0 and 1,000,000 Hz is needed (16000 for speech)");
  c->channels = int_or(s->channels, 1);
  if (c->channels < 1 || c->channels > FEATURES_MAX_CHANNELS)
    return err_set(at_key(r, "sensor", "channels"), "%d channels; 1 to %d work", c->channels,
                   FEATURES_MAX_CHANNELS);
  if (kind == PROJECT_AUDIO && c->channels != 1)
    return err_set(at_key(r, "sensor", "channels"), "%d channels; audio is mixed down to 1 channel",
                   c->channels);
  c->unit = s->unit ? s->unit : "";
  c->range = s->range;
  c->n_range = (int)s->range_count;
  if (c->n_range > 1 && c->n_range != c->channels)
    return err_set(
        at_key(r, "sensor", "range"),
        "%d numbers for %d channels; give one for all, one for each, or [] to take the largest "
        "value seen in training",
        c->n_range, c->channels);
  for (int i = 0; i < c->n_range; i++)
    if (!(c->range[i] > 0 && isfinite(c->range[i])))
      return err_set(at_key(r, "sensor", "range"), "%g; a range is above 0", c->range[i]);
  return true;
}

/* Which channels are logarithms: one word for all of them, or one for each. */
static bool read_scale(const struct reader *r, const struct project_yaml *y,
                       struct project_config *c) {
  const unsigned n = y->sensor ? y->sensor->scale_count : 0;
  if (n > 1 && (int)n != c->channels)
    return err_set(at_key(r, "sensor", "scale"),
                   "%u words for %d channels; give one for all, or one for each", n, c->channels);
  bool *log = ARENA_ARRAY(r->a, bool, c->channels);
  for (int k = 0; n && k < c->channels; k++) {
    const char *word = y->sensor->scale[n == 1 ? 0 : k];
    log[k] = strcmp(word, "log") == 0;
    if (log[k] && c->kind != PROJECT_AUDIO) c->log = log;
    if (!log[k] && strcmp(word, "linear") != 0)
      return err_set(at_key(r, "sensor", "scale"), "\"%s\" is not known; linear and log are", word);
    if (log[k] && c->kind == PROJECT_IMAGE)
      return err_set(at_key(r, "sensor", "scale"), "pixels are linear: 0 to 255");
    if (log[k] && c->kind == PROJECT_AUDIO)
      return err_set(at_key(r, "sensor", "scale"), "sound is linear; its features take logarithms");
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
    return err_set(at_key(r, "calibrate", "by"), "\"%s\" is not known; group, file and none are",
                   o->by);
  if (c->kind == PROJECT_AUDIO)
    return err_set(at_key(r, "calibrate", "by"),
                   "sound is not calibrated; features.normalise takes off what a microphone adds");
  if (c->kind == PROJECT_IMAGE)
    return err_set(at_key(r, "calibrate", "by"),
                   "pictures are not calibrated; features.normalise: level takes their mean off");
  if (o->deviation) to->deviation = *o->deviation;
  to->labels = (const char *const *)o->labels;
  to->n_labels = (int)o->labels_count;
  return true;
}

static bool read_window(const struct reader *r, const struct project_yaml *y,
                        struct project_config *c) {
  static const struct yaml_window none;
  const struct yaml_window *w = y->window ? y->window : &none;
  if (c->kind == PROJECT_IMAGE) { /* one frame */
    c->length_ms = c->stride_ms = 1000;
    c->place = PROJECT_SLIDE;
    return !y->window || err_set(at_key(r, "", "window"), "a picture is a window by itself");
  }
  c->length_ms = real_or(w->length_ms, 1000);
  if (!(c->length_ms > 0 && c->length_ms * c->rate_hz / 1000 >= 1 &&
        c->length_ms * c->rate_hz / 1000 <= 65535 * 64.0))
    return err_set(at_key(r, "window", "length_ms"),
                   "%g ms at %g Hz are %g samples; 1 to 65535 frames work", c->length_ms,
                   c->rate_hz, c->length_ms * c->rate_hz / 1000);
  c->stride_ms = real_or(w->stride_ms, c->length_ms / 2);
  if (!(c->stride_ms > 0 && c->stride_ms * c->rate_hz / 1000 >= 1))
    return err_set(at_key(r, "window", "stride_ms"), "%g ms; at least one sample (%g ms) is needed",
                   c->stride_ms, 1000 / c->rate_hz);
  c->place = c->kind == PROJECT_AUDIO ? PROJECT_EVENT : PROJECT_SLIDE;
  if (w->place && strcmp(w->place, "event") == 0)
    c->place = PROJECT_EVENT;
  else if (w->place && strcmp(w->place, "slide") == 0)
    c->place = PROJECT_SLIDE;
  else if (w->place)
    return err_set(
        at_key(r, "window", "place"),
        "\"%s\" is not known; event (one window around the loudest piece) and slide (a window "
        "every stride_ms) are",
        w->place);
  return true;
}

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
  for (int i = 0; i < KINDS; i++)
    if (strcmp(kind, kind_names[i]) == 0) return automatic_kind((enum project_kind)i);
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

/* The place of a word among n; -1: it is none of them. */
static int word_at(const char *word, const char *const *words, int n) {
  for (int i = 0; i < n; i++)
    if (strcmp(word, words[i]) == 0) return i;
  return -1;
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
      return err_set(at_key(r, key, "values"), "\"%s\" is not known; %s are", f->values[i], known);
    else
      return err_set(at_key(r, key, "values"), "%s features have no values to choose from",
                     features_kind_name(o->kind));
  }
  static const char *const holds[] = {"max", "mean", "first"};
  const int hold = f->hold ? word_at(f->hold, holds, 3) : (int)o->hold;
  if (hold < 0)
    return err_set(at_key(r, key, "hold"), "\"%s\" is not known; max, mean and first are", f->hold);
  o->hold = (enum features_hold)hold;
  o->threshold = real_or(f->threshold, o->threshold);
  if (f->overlap) o->overlap = *f->overlap;
  if (f->log) o->linear = !*f->log;
  if (f->extra_low) o->extra_low = *f->extra_low;
  o->levels = int_or(f->levels, o->levels);
  if (f->wavelet && !features_wavelet_from(f->wavelet, &o->taps))
    return err_set(at_key(r, key, "wavelet"), "\"%s\" is not known; haar and db2 to db6 are",
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
  return err_set(at_key(r, key, "filter"), "\"%s\" is not known; none, low and high are",
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
      return err_set(at_key(r, key, "front"),
                     "derive: \"%s\" is not known; channels, gravity, dynamic, magnitude, "
                     "dynamic_magnitude, jerk and tilt are",
                     f->derive[i]);
    o->derive[o->n_derive++] = (uint8_t)derive;
  }
  const int filter = f->filter ? word_at(f->filter, filters, 5) : 0;
  const int design = f->design ? word_at(f->design, designs, 2) : 0;
  const int detrend = f->detrend ? word_at(f->detrend, detrends, 3) : 0;
  if (filter < 0)
    return err_set(at_key(r, key, "front"),
                   "filter: \"%s\" is not known; none, low, high, band and notch are", f->filter);
  if (design < 0)
    return err_set(at_key(r, key, "front"),
                   "design: \"%s\" is not known; butterworth and chebyshev are", f->design);
  if (detrend < 0)
    return err_set(at_key(r, key, "front"), "detrend: \"%s\" is not known; none, mean and line are",
                   f->detrend);
  o->filter = (enum features_filter)filter;
  o->detrend = detrend;
  const unsigned wanted = filter == 0 ? 0 : filter < 3 ? 1 : 2;
  if (f->cutoff_hz_count != wanted)
    return err_set(at_key(r, key, "front"), "cutoff_hz: %u numbers; filter %s takes %u",
                   f->cutoff_hz_count, filters[filter], wanted);
  for (unsigned i = 0; i < wanted; i++) o->cutoff_hz[i] = f->cutoff_hz[i];
  o->ripple_db = design ? real_or(f->ripple_db, 0.5) : 0;
  if (f->ripple_db && !design)
    return err_set(at_key(r, key, "front"), "ripple_db: a Butterworth filter has none");
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
    return err_set(at_key(r, key, "compat"),
                   "\"%s\" is not known; none, edge-impulse and edge-impulse-v1 are", f->compat);
  if (first && features_compatible_v1(o)) return true;
  if (first)
    return err_set(at_key(r, key, "compat"),
                   "the first version of the block is that of today for all kinds but spectral; "
                   "edge-impulse works");
  if (features_compatible(o)) return true;
  return err_set(at_key(r, key, "compat"), "no block of Edge Impulse gives what %s gives",
                 features_kind_name(o->kind));
}

/* What a heart was measured by decides the band that its beats lie in. */
static bool read_signal(const struct reader *r, const char *key, const struct yaml_features *f,
                        struct features_config *o) {
  if (!f->signal) return true;
  if (o->kind != FEATURES_HEART)
    return err_set(at_key(r, key, "signal"), "%s features have no signal to choose; heart has",
                   features_kind_name(o->kind));
  if (strcmp(f->signal, "ecg") != 0 && strcmp(f->signal, "ppg") != 0)
    return err_set(at_key(r, key, "signal"), "\"%s\" is not known; ecg and ppg are", f->signal);
  features_heart_signal(o, strcmp(f->signal, "ppg") == 0);
  return true;
}

/* What a network sees of frames. */
static bool read_image(const struct reader *r, const char *key, const struct yaml_features *f,
                       const struct project_config *c, struct features_config *o) {
  const bool camera = c->kind == PROJECT_IMAGE;
  if (o->kind != FEATURES_IMAGE) {
    if (camera)
      return err_set(at_key(r, key, "kind"), "%s features are not of pictures; image is",
                     features_kind_name(o->kind));
    return !(f->width || f->height || f->resize || f->colour) ||
           err_set(at_key(r, key, "width"), "%s features are no pictures; image features are",
                   features_kind_name(o->kind));
  }
  if (camera && c->n_features > 1)
    return err_set(at_key(r, "more_features", "kind"), "a picture has one part");
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
    return err_set(at_key(r, key, "resize"), "\"%s\" is not known; squash, crop and fit are",
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
    return err_set(at_key(r, key, "kind"), "\"%s\" is not known; auto%s are", f->kind,
                   project_features_kinds(r->a));
  if (!read_channels(f, c->channels, &all, &inner))
    return err_set(at_key(r, key, "channels"), "%s", inner.text);
  if (f->front) {
    struct features_front front;
    double rate_hz, window_ms;
    int channels;
    if (!read_front(r, key, f->front, c, &all, &front)) return false;
    if (!features_front_out(&front, &rate_hz, &channels, &window_ms, &inner))
      return err_set(at_key(r, key, "front"), "%s: %s", inner.node, inner.text);
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
    return err_set(at_key(r, key, "normalise"),
                   "\"%s\" is not known; none, level, mean, tilt and sliding are", f->normalise);
  o->pre_emphasis = real_or(f->pre_emphasis, o->pre_emphasis);
  o->noise_floor_db = real_or(f->noise_floor_db, o->noise_floor_db);
  o->sliding = int_or(f->sliding, o->sliding);
  o->lifter = int_or(f->lifter, o->lifter);
  o->irregular = int_or(f->irregular, o->irregular);
  o->voicing = real_or(f->voicing, o->voicing);
  if (f->noise_reduction) o->noise_reduction = *f->noise_reduction;
  if (f->pcan) o->pcan = *f->pcan;
  if (!read_values(r, key, f, o) || !read_filter(r, key, f, o)) return false;
  if (features_check(o, &inner)) return true;
  return err_set(at_key(r, key, inner.node[0] ? inner.node : "kind"), "%s", inner.text);
}

static bool read_features(const struct reader *r, const struct project_yaml *y,
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

static bool read_flip(const struct reader *r, const char *word, struct train_augment *o) {
  static const char *const words[] = {"none", "across", "down", "both"};
  for (int i = 0; i < 4; i++)
    if (strcmp(word, words[i]) == 0) {
      o->flip_across = i & 1, o->flip_down = i >> 1;
      return true;
    }
  return err_set(at_key(r, "augmentation", "flip"),
                 "\"%s\" is not known; none, across, down and both are", word);
}

static bool read_augmentation(const struct reader *r, const struct project_yaml *y,
                              struct project_config *c) {
  static const struct yaml_augmentation none;
  const struct yaml_augmentation *g = y->augmentation ? y->augmentation : &none;
  struct train_augment *o = &c->augmentation;
  *o = train_augment_default(project_input(c));
  if (c->objects.on) o->cutout = 0; /* it would cover what the boxes say is there */
  o->shift_ms = (float)real_or(g->shift_ms, (double)o->shift_ms);
  o->gain_db = (float)real_or(g->gain_db, (double)o->gain_db);
  o->speed = (float)real_or(g->speed, (double)o->speed);
  o->tone_db = (float)real_or(g->tone_db, (double)o->tone_db);
  o->background_chance = (float)real_or(g->background_chance, (double)o->background_chance);
  o->background_snr_db_min =
      (float)real_or(g->background_snr_db_min, (double)o->background_snr_db_min);
  o->background_snr_db_max =
      (float)real_or(g->background_snr_db_max, (double)o->background_snr_db_max);
  o->noise_chance = (float)real_or(g->noise_chance, (double)o->noise_chance);
  o->noise_snr_db_min = (float)real_or(g->noise_snr_db_min, (double)o->noise_snr_db_min);
  o->time_stretch = (float)real_or(g->time_stretch, (double)o->time_stretch);
  o->band_warp = (float)real_or(g->band_warp, (double)o->band_warp);
  o->slope_db = (float)real_or(g->slope_db, (double)o->slope_db);
  o->floor_chance = (float)real_or(g->floor_chance, (double)o->floor_chance);
  o->floor_db_min = (float)real_or(g->floor_db_min, (double)o->floor_db_min);
  o->floor_db_max = (float)real_or(g->floor_db_max, (double)o->floor_db_max);
  o->shift = (float)real_or(g->shift, (double)o->shift);
  o->rotate_deg = (float)real_or(g->rotate_deg, (double)o->rotate_deg);
  o->zoom = (float)real_or(g->zoom, (double)o->zoom);
  o->shear = (float)real_or(g->shear, (double)o->shear);
  o->brightness = (float)real_or(g->brightness, (double)o->brightness);
  o->contrast = (float)real_or(g->contrast, (double)o->contrast);
  o->cutout = (float)real_or(g->cutout, (double)o->cutout);
  return !g->flip || read_flip(r, g->flip, o);
}

static bool check_augmentation(const struct reader *r, const struct project_config *c) {
  const struct train_augment *g = &c->augmentation;
  const struct {
    const char *key;
    double value, low, high;
  } all[] = {{"shift_ms", (double)g->shift_ms, 0, 1e6},
             {"gain_db", (double)g->gain_db, 0, 60},
             {"speed", (double)g->speed, 0, 0.5},
             {"tone_db", (double)g->tone_db, 0, 40},
             {"background_chance", (double)g->background_chance, 0, 1},
             {"background_snr_db_min", (double)g->background_snr_db_min, -60, 100},
             {"background_snr_db_max", (double)g->background_snr_db_max, -60, 100},
             {"noise_chance", (double)g->noise_chance, 0, 1},
             {"noise_snr_db_min", (double)g->noise_snr_db_min, -60, 100},
             {"time_stretch", (double)g->time_stretch, 0, 1},
             {"band_warp", (double)g->band_warp, 0, 0.5},
             {"slope_db", (double)g->slope_db, 0, 40},
             {"floor_chance", (double)g->floor_chance, 0, 1},
             {"floor_db_min", (double)g->floor_db_min, 0, 200},
             {"floor_db_max", (double)g->floor_db_max, 0, 200},
             {"shift", (double)g->shift, 0, 0.5},
             {"rotate_deg", (double)g->rotate_deg, 0, 180},
             {"zoom", (double)g->zoom, 0, 0.9},
             {"shear", (double)g->shear, 0, 1},
             {"brightness", (double)g->brightness, 0, 1},
             {"contrast", (double)g->contrast, 0, 1},
             {"cutout", (double)g->cutout, 0, 0.9}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (!(all[i].value >= all[i].low && all[i].value <= all[i].high))
      return err_set(at_key(r, "augmentation", all[i].key), "%g; %g to %g works", all[i].value,
                     all[i].low, all[i].high);
  return true;
}

enum train_input project_input(const struct project_config *c) {
  if (c->kind == PROJECT_AUDIO) return TRAIN_INPUT_AUDIO;
  const struct features_config *f = &c->features[0];
  if (c->n_features == 1 && f->kind == FEATURES_IMAGE) return TRAIN_INPUT_IMAGE;
  if (c->n_features > 1 || ((f->kind == FEATURES_STATISTICS || f->kind == FEATURES_SPECTRAL ||
                             f->kind == FEATURES_FLATTEN || f->kind == FEATURES_WAVELET) &&
                            f->frame_ms <= 0))
    return TRAIN_INPUT_VECTOR;
  if (f->kind == FEATURES_SPECTRUM) return TRAIN_INPUT_AUDIO;
  return TRAIN_INPUT_MOTION;
}

void project_training(const struct project_config *c, uint32_t examples, struct train_config *out) {
  static const struct yaml_training none;
  const struct yaml_training *t = c->yaml->training ? c->yaml->training : &none;
  struct train_config o = train_config_default(project_input(c), examples);
  o.epochs = int_or(t->epochs, o.epochs);
  o.qat_epochs = int_or(t->qat_epochs, o.qat_epochs);
  o.batch = int_or(t->batch, o.batch);
  o.patience = int_or(t->patience, o.patience);
  o.time_masks = int_or(t->time_masks, o.time_masks);
  o.time_mask_max = int_or(t->time_mask_max, o.time_mask_max);
  o.band_masks = int_or(t->band_masks, o.band_masks);
  o.band_mask_max = int_or(t->band_mask_max, o.band_mask_max);
  o.learning_rate = (float)real_or(t->learning_rate, (double)o.learning_rate);
  o.qat_learning_rate = (float)real_or(t->qat_learning_rate, (double)o.qat_learning_rate);
  o.weight_decay = (float)real_or(t->weight_decay, (double)o.weight_decay);
  o.label_smoothing = (float)real_or(t->label_smoothing, (double)o.label_smoothing);
  o.mixup = (float)real_or(t->mixup, (double)o.mixup);
  o.focal = (float)real_or(t->focal, (double)o.focal);
  o.average = (float)real_or(t->average, (double)o.average);
  if (c->objects.on) { /* cells have their own weight, and are mixed with nothing */
    o.label_smoothing = (float)real_or(t->label_smoothing, 0);
    o.class_weights = false;
  }
  if (t->class_weights) o.class_weights = *t->class_weights;
  if (t->seed) o.seed = (uint64_t)(int64_t)*t->seed;
  o.flash_bytes = int_or(t->flash_bytes, 0);
  *out = o;
}

static bool check_training(const struct reader *r, const struct project_config *c) {
  struct train_config t;
  struct err inner = {{0}, {0}, {0}, false};
  project_training(c, 1000, &t);
  if (train_config_check(&t, &inner)) return true;
  return err_set(at_key(r, "training", inner.node[0] ? inner.node : "epochs"), "%s", inner.text);
}

/* ---- learners ------------------------------------------------------------------------- */
static void read_learning(const struct yaml_learning *y, struct project_learner *l) {
  struct learn_config *o = &l->config;
  o->clusters = int_or(y->clusters, o->clusters);
  o->components = int_or(y->components, o->components);
  o->trees = int_or(y->trees, o->trees);
  o->depth = int_or(y->depth, o->depth);
  o->min_leaf = int_or(y->min_leaf, o->min_leaf);
  o->max_columns = int_or(y->max_columns, o->max_columns);
  o->k = int_or(y->k, o->k);
  o->points = int_or(y->points, o->points);
  if (y->seed) o->seed = (uint64_t)(int64_t)*y->seed;
  if (y->full) o->full = *y->full;
  if (y->bootstrap) o->bootstrap = *y->bootstrap;
  o->variance = real_or(y->variance, o->variance);
  o->rate = real_or(y->rate, o->rate);
  o->l2 = real_or(y->l2, o->l2);
  o->c = real_or(y->c, o->c);
  o->columns = y->columns;
  o->n_columns = (int)y->columns_count;
  l->false_alarms = real_or(y->false_alarms, l->false_alarms);
  l->has_threshold = y->threshold != NULL;
  l->threshold = real_or(y->threshold, 0);
  l->normal = (const char *const *)y->normal;
  l->n_normal = (int)y->normal_count;
}

static bool make_learner(const char *word, const struct yaml_learning *y, struct project_learner *l,
                         struct err *e) {
  static const struct yaml_learning none;
  enum learn_kind kind;
  *l = (struct project_learner){.on = false};
  if (!word || !*word || strcmp(word, "network") == 0) return true;
  if (!learn_kind_from(word, &kind))
    return err_set(e, "\"%s\" is not known; network, %s are", word, learn_kind_list());
  l->on = true;
  l->config = learn_defaults(kind);
  l->false_alarms = 0.01;
  read_learning(y ? y : &none, l);
  if (!(l->false_alarms > 0 && l->false_alarms < 1)) {
    err_node(e, "false_alarms");
    return err_set(e, "%g; a share between 0 and 1 works", l->false_alarms);
  }
  return learn_check(&l->config, e);
}

bool project_learner(const struct project_config *c, const char *word, struct project_learner *out,
                     struct err *e) {
  return make_learner(word ? word : c->yaml->learner, c->yaml->learning, out, e);
}

static bool read_learners(const struct reader *r, struct project_config *c) {
  const struct yaml_learning *y = c->yaml->anomaly;
  struct err inner = {{0}, {0}, {0}, false};
  if (!project_learner(c, NULL, &c->learner, &inner))
    return err_set(
        at_key(r, inner.node[0] ? "learning" : "", inner.node[0] ? inner.node : "learner"), "%s",
        inner.text);
  if (!make_learner(!y ? NULL : y->learner ? y->learner : "kmeans", y, &c->anomaly, &inner))
    return err_set(at_key(r, "anomaly", inner.node[0] ? inner.node : "learner"), "%s", inner.text);
  if (!c->anomaly.on) return true;
  if (!learn_is_anomaly(c->anomaly.config.kind))
    return err_set(
        at_key(r, "anomaly", "learner"),
        "\"%s\" tells classes apart; kmeans, gmm, mahalanobis and pca learn what is normal",
        learn_kind_name(c->anomaly.config.kind));
  if (c->learner.on && learn_is_anomaly(c->learner.config.kind))
    return err_set(at_key(r, "", "anomaly"),
                   "the learner itself (%s) tells anomalies: leave this section out",
                   learn_kind_name(c->learner.config.kind));
  return true;
}

int project_layers(struct arena *a, const char *network, const char ***lines) {
  int n = 0;
  *lines = ARENA_ARRAY(a, const char *, strlen(network) / 2 + 2);
  char *copy = arena_strdup(a, network), *rest = NULL;
  for (char *line = strtok_r(copy, "\n;", &rest); line; line = strtok_r(NULL, "\n;", &rest)) {
    while (*line == ' ' || *line == '\t' || *line == '\r') line++;
    if (*line && *line != '#') (*lines)[n++] = line;
  }
  return n == 1 && strcmp((*lines)[0], "auto") == 0 ? 0 : n;
}

/* Things in pictures are found by a network alone. */
static bool read_objects(const struct reader *r, const struct project_yaml *y,
                         struct project_config *c) {
  const struct yaml_objects *o = y->objects;
  if (!o) return true;
  c->objects = (struct project_objects){
      .on = true, .weight = real_or(o->weight, 20), .threshold = real_or(o->threshold, 0)};
  if (c->kind != PROJECT_IMAGE)
    return err_set(at_key(r, "", "objects"),
                   "objects are counted in pictures: sensor.kind: image is needed");
  if (!(c->objects.weight >= 1 && c->objects.weight <= 10000))
    return err_set(at_key(r, "objects", "weight"), "%g; 1 to 10,000 works", c->objects.weight);
  if (!(c->objects.threshold >= 0 && c->objects.threshold <= 0.99))
    return err_set(at_key(r, "objects", "threshold"), "%g; 0 (what training finds) to 0.99 works",
                   c->objects.threshold);
  if (y->learner || y->anomaly)
    return err_set(at_key(r, "", y->learner ? "learner" : "anomaly"),
                   "objects are found by a network alone: leave this out, or `objects`");
  if (y->detect_count)
    return err_set(at_key(r, "", "detect"),
                   "detections are of classes in a stream; a project with `objects` has none");
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
      return err_set(at_key(r, "detect", "class"), "entry %u names no class", i + 1);
    for (unsigned k = 0; k < i; k++)
      if (strcmp(rules[k].label, d->class_name) == 0)
        return err_set(at_key(r, "detect", "class"), "\"%s\" is there twice", d->class_name);
    rules[i] = (struct project_detect){.label = d->class_name,
                                       .average = int_or(d->average, 1),
                                       .threshold = real_or(d->threshold, 0.5),
                                       .suppress_ms = real_or(d->suppress_ms, c->length_ms)};
    if (rules[i].average < 1 || rules[i].average > MOTE_DETECTOR_MOST_ROWS)
      return err_set(at_key(r, "detect", "average"), "%d; 1 to %d work", rules[i].average,
                     MOTE_DETECTOR_MOST_ROWS);
    if (!(rules[i].threshold >= 0 && rules[i].threshold <= 1))
      return err_set(at_key(r, "detect", "threshold"), "%g; 0 to 1 works", rules[i].threshold);
    if (!(rules[i].suppress_ms >= 0 && rules[i].suppress_ms / c->stride_ms < 65535))
      return err_set(at_key(r, "detect", "suppress_ms"), "%g; 0 to 65,534 strides of %g ms work",
                     rules[i].suppress_ms, c->stride_ms);
  }
  c->detect = rules;
  c->n_detect = (int)y->detect_count;
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
    return err_set(at_key(r, "", "suppress"), "noise is taken from sound: sensor.kind audio works");
  if (!to->n_noise)
    return err_set(at_key(r, "suppress", "noise"),
                   "no label of noise; `noise: [noise]` names one, and all others are what stays");
  if (!(to->snr_db_min >= -40 && to->snr_db_max <= 60 && to->snr_db_min <= to->snr_db_max))
    return err_set(at_key(r, "suppress", "snr_db_min"), "%g to %g dB; within -40 to 60 dB works",
                   to->snr_db_min, to->snr_db_max);
  if (!(to->most_db >= 0 && to->most_db <= 60))
    return err_set(at_key(r, "suppress", "most_db"), "%g dB; 0 to 60 works", to->most_db);
  if (c->learner.on || c->anomaly.on || c->n_detect || c->n_background)
    return err_set(at_key(r, "", "suppress"),
                   "a project that suppresses noise has no classes: without `learner`, `anomaly`, "
                   "`detect` and `data.background` it works");
  if (c->n_features != 1)
    return err_set(at_key(r, "", "more_features"), "one part alone can come back as sound");
  c->features[0].half_sine = true;
  return features_check(&c->features[0], &inner) ||
         err_set(at_key(r, "features", inner.node), "%s", inner.text);
}

bool project_parse_config(struct arena *a, const char *path, const char *bytes, size_t size,
                          struct project_config *c, struct err *e) {
  const uint8_t *const text = (const uint8_t *)bytes;
  struct report report = {{0}, {0}};
  struct project_yaml *y = NULL;
  memset(c, 0, sizeof *c);
  cyaml_config_t config = {.log_fn = keep_log,
                           .log_ctx = &report,
                           .mem_fn = arena_memory,
                           .mem_ctx = a,
                           .log_level = CYAML_LOG_ERROR,
                           .flags = CYAML_CFG_NO_ALIAS};
  cyaml_err_t code = cyaml_load_data(text, size, &config, &top, (cyaml_data_t **)&y, NULL);
  if (code != CYAML_OK) return fail_yaml(&report, path, (const char *)text, code, e);
  struct reader r = {a, path, (const char *)text, e};
  if (!y)
    return err_set(at_key(&r, "", "sensor"),
                   "the file is empty; `mote new` writes one to start from");
  if (!numbers_check(a, path, bytes, size, &top, e)) return false;
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
      !read_window(&r, y, c) || !read_features(&r, y, c))
    return false;
  return read_objects(&r, y, c) && read_augmentation(&r, y, c) && check_augmentation(&r, c) &&
         check_training(&r, c) && read_learners(&r, c) && read_detect(&r, y, c) &&
         read_suppress(&r, y, c);
}

bool project_read_config(struct arena *a, const char *path, struct project_config *c,
                         struct err *e) {
  uint8_t *text = NULL;
  size_t size = 0;
  memset(c, 0, sizeof *c);
  return file_read(a, path, MAX_YAML_BYTES, &text, &size, e) &&
         project_parse_config(a, path, (const char *)text, size, c, e);
}
