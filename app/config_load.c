/* config_load: the schema of mote.yaml, in which every key may be left out, and libcyaml, which speaks through a log callback: its
 * message, line and column are taken from there. All memory is the arena's. */
#include "app/config.h"
#include "app/numbers.h"

#include <cyaml/cyaml.h>
#include <stdlib.h>
#include <string.h>

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
    BOOL(yaml_features, together),
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
                                                       REAL(yaml_training, hard),
                                                       BOOL(yaml_training, class_weights),
                                                       BOOL(yaml_training, balance),
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
    INT(yaml_augmentation, variants),
    TEXT(yaml_augmentation, flip),
    CYAML_FIELD_END};
static const cyaml_schema_field_t objects_fields[] = {
    REAL(yaml_objects, weight), REAL(yaml_objects, threshold), CYAML_FIELD_END};
static const cyaml_schema_field_t regression_fields[] = {
    CYAML_FIELD_SEQUENCE("of", OPTIONAL, struct yaml_regression, of, &text_entry, 0, 64),
    TEXT(yaml_regression, unit), REAL(yaml_regression, huber), CYAML_FIELD_END};
static const cyaml_schema_field_t calibrate_fields[] = {
    TEXT(yaml_calibrate, by),
    TEXT(yaml_calibrate, of),
    BOOL(yaml_calibrate, deviation),
    CYAML_FIELD_SEQUENCE("channels", OPTIONAL, struct yaml_calibrate, channels, &int_entry, 0, 256),
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
    SECTION(regression),
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
/* The line of `key` in `section` ("" for the top level), 0 where it cannot be found (flow style, or it is not there). */
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

const char *config_first_key(const char *section, const void *said) {
  for (const cyaml_schema_field_t *f = fields_of(section); f->key; f++)
    if (*(const void *const *)(const void *)((const uint8_t *)said + f->data_offset)) return f->key;
  return NULL;
}

/* ---- the whole ------------------------------------------------------------------------ */
struct err *config_at_key(const struct reader *r, const char *section, const char *key) {
  int line = line_of(r->text, section, key);
  if (!line && section[0]) line = line_of(r->text, "", section); /* {of: it, in: a row} */
  err_file(r->e, r->path);
  if (line)
    err_node(r->e, "line %d, %s%s%s", line, section, section[0] ? "." : "", key);
  else
    err_node(r->e, "%s%s%s", section, section[0] ? "." : "", key);
  return r->e;
}

bool config_load(const struct reader *r, size_t size, struct project_yaml **y) {
  struct report report = {{0}, {0}};
  const cyaml_config_t config = {.log_fn = keep_log,
                                 .log_ctx = &report,
                                 .mem_fn = arena_memory,
                                 .mem_ctx = r->a,
                                 .log_level = CYAML_LOG_ERROR,
                                 .flags = CYAML_CFG_NO_ALIAS};
  *y = NULL;
  const cyaml_err_t code =
      cyaml_load_data((const uint8_t *)r->text, size, &config, &top, (cyaml_data_t **)y, NULL);
  if (code != CYAML_OK) return fail_yaml(&report, r->path, r->text, code, r->e);
  if (!*y)
    return err_set(config_at_key(r, "", "sensor"),
                   "the file is empty; `mote new` writes one to start from");
  return numbers_check(r->a, r->path, r->text, size, &top, r->e);
}
