/* tuning_space: which settings are searched for which sensor, and a point as keys of mote.yaml. */
#include "app/tuning.h"

#include <math.h>
#include <string.h>

enum { MOST_KINDS = 6, MOST_FAMILIES = 6 };

/* Parameters by name, so that the space may lack some. */
static int find(const struct tune_space *s, const char *name) {
  for (int i = 0; i < s->n; i++)
    if (strcmp(s->params[i].name, name) == 0) return i;
  return -1;
}
static double value(const struct tuning *t, const struct tune_point *p, const char *name) {
  const int i = find(&t->space, name);
  return i < 0 ? (double)NAN : p->x[i];
}
/* The word of a choice; NULL where it does not count. */
static const char *const *choice_words(const struct tuning *t, const char *name);
static const char *word(const struct tuning *t, const struct tune_point *p, const char *name) {
  const double x = value(t, p, name);
  return isnan(x) ? NULL : choice_words(t, name)[(int)x];
}

static const char *const audio_kinds[] = {"logmel", "mfcc", NULL},
                         *const motion_kinds[] = {"raw", "spectrum", "statistics", NULL},
                         *const vibration_kinds[] = {"spectrum", "statistics", "raw", NULL},
                         *const sensor_kinds[] = {"statistics", "raw", NULL},
                         *const image_kinds[] = {"image", NULL};
static const char *const *const kinds_of[] = {[PROJECT_AUDIO] = audio_kinds,
                                              [PROJECT_MOTION] = motion_kinds,
                                              [PROJECT_VIBRATION] = vibration_kinds,
                                              [PROJECT_SENSOR] = sensor_kinds,
                                              [PROJECT_IMAGE] = image_kinds};
static const char *const band_families[] = {"conv", "separable", "ds-cnn", "tc-resnet", NULL},
                         *const time_families[] = {"axes", "conv", "tc-resnet", "temporal", NULL};
static const char *const image_families[] = {"mobilenet", "conv", "resnet8", "ds-cnn", NULL};
static const char *const normalise_words[] = {"none", "level", "mean", "tilt", NULL};
static const char *const weight_words[] = {"int8", "mixed", NULL};

/* What features become: a map of bands over time, samples over time, pixels, or a vector. */
enum shape { BANDS, TIME, PIXELS, VECTOR };
static enum shape shape_of(enum features_kind kind) {
  switch (kind) {
  case FEATURES_LOGMEL:
  case FEATURES_MFCC:
  case FEATURES_SPECTRUM:
  case FEATURES_MFE:
  case FEATURES_SPECTROGRAM: return BANDS;
  case FEATURES_RAW: return TIME;
  case FEATURES_IMAGE: return PIXELS;
  default: return VECTOR;
  }
}

static enum features_kind kind_from(const char *name) {
  enum features_kind k = FEATURES_RAW;
  features_kind_from(name, &k);
  return k;
}

/* The kinds that are tried: those of the sensor, and the project's own where it is another; the project's alone where it has
 * several parts or settings of its own that other kinds do not know. */
static const char *const *feature_kinds(const struct tuning *t, int *n) {
  static const char *words[MOST_KINDS + 1];
  const struct project_config *c = &t->p->config;
  const char *own = features_kind_name(c->features[0].kind);
  const enum shape shape = shape_of(c->features[0].kind);
  const bool alone = c->n_features > 1 || c->features[0].compatible || c->features[0].stride ||
                     (shape == VECTOR && c->features[0].kind != FEATURES_STATISTICS) ||
                     c->features[0].values != 0;
  *n = 0;
  words[(*n)++] = own;
  for (const char *const *k = kinds_of[c->kind]; *k && !alone; k++)
    if (strcmp(*k, own) != 0) words[(*n)++] = *k;
  words[*n] = NULL;
  return words;
}

static const char *const *choice_words(const struct tuning *t, const char *name) {
  int n;
  if (strcmp(name, "features") == 0) return feature_kinds(t, &n);
  if (strcmp(name, "normalise") == 0) return normalise_words;
  if (strcmp(name, "network") == 0) return band_families;
  if (strcmp(name, "network over time") == 0) return time_families;
  if (strcmp(name, "network over pixels") == 0) return image_families;
  return weight_words;
}

static int add(struct tune_space *s, struct tune_param p) {
  s->params[s->n] = p;
  return s->n++;
}
static int add_choice(struct tune_space *s, const char *name, const char *const *words, int parent,
                      uint32_t when) {
  int n = 0;
  while (words[n]) n++;
  return add(
      s, (struct tune_param){
             .name = name, .kind = TUNE_CHOICE, .n_choices = n, .parent = parent, .when = when});
}
static int add_number(struct tune_space *s, const char *name, enum tune_kind kind, double low,
                      double high, double step, bool log, int parent, uint32_t when) {
  return add(s, (struct tune_param){.name = name,
                                    .kind = kind,
                                    .low = low,
                                    .high = high,
                                    .step = step,
                                    .log = log,
                                    .parent = parent,
                                    .when = when});
}

static uint32_t kinds_with(const char *const *kinds, int n, enum shape shape) {
  uint32_t bits = 0;
  for (int i = 0; i < n; i++)
    if (shape_of(kind_from(kinds[i])) == shape) bits |= 1u << i;
  return bits;
}

/* Ranges stand about what the defaults are, which were chosen by measuring: half to twice, about. */
static void add_features(struct tuning *t, int kinds, uint32_t bands, uint32_t mfcc) {
  struct tune_space *s = &t->space;
  const struct project_config *c = &t->p->config;
  const struct features_config *own = &c->features[0];
  struct features_config f = *own;
  if (shape_of(own->kind) != BANDS) /* the kind's own rate and window: behind a front */
    features_defaults(c->kind == PROJECT_AUDIO ? FEATURES_LOGMEL : FEATURES_SPECTRUM, own->rate_hz,
                      own->channels, own->window_ms, &f, NULL);
  if (!bands || c->n_features > 1) return;
  const double frame = f.frame_ms > 0 ? f.frame_ms : own->window_ms / 4;
  add_number(s, "frame_ms", TUNE_REAL, frame * 0.6, frame * 2, 0, true, kinds, bands);
  add_number(s, "hop share", TUNE_REAL, 0.4, 1, 0, false, kinds, bands);
  const int many = f.bands > 0 ? f.bands : 16;
  const int few = many / 3 > 6 ? many / 3 / 2 * 2 : many < 6 ? many : 6;
  add_number(s, "bands", TUNE_INT, few, many + many / 4, 2, false, kinds, bands);
  if (mfcc) add_number(s, "coefficients", TUNE_INT, 8, 24, 1, false, kinds, mfcc);
  if (c->kind == PROJECT_AUDIO && own->values == 0) /* flatness stays as it is normalised */
    add_choice(s, "normalise", normalise_words, kinds, bands);
}

/* Where the project's own settings lie in the space, as near as it can say it. */
static void find_start(struct tuning *t) {
  const struct project_config *c = &t->p->config;
  const struct features_config *f = &c->features[0];
  struct train_config train;
  project_training(c, (uint32_t)t->divisions[0].train.n_windows, &train);
  struct tune_point *p = &t->start;
  for (int i = 0; i < TUNE_MAX_PARAMS; i++) p->x[i] = NAN;
  const struct {
    const char *name;
    double x;
  } known[] = {{"window_ms", c->length_ms},
               {"features", 0},
               {"frame_ms", f->frame_ms},
               {"hop share", f->frame_ms > 0 ? f->hop_ms / f->frame_ms : (double)NAN},
               {"bands", f->bands},
               {"coefficients", f->coefficients > 0 ? f->coefficients : 13},
               {"normalise", f->normalise <= FEATURES_NORMALISE_TILT ? (double)f->normalise : 0},
               {"network", 0},
               {"network over time", 0},
               {"network over pixels", 0},
               {"width", t->divisions[0].train.n_windows < 300     ? 24
                         : t->divisions[0].train.n_windows < 600   ? 32
                         : t->divisions[0].train.n_windows < 2000  ? 48
                         : t->divisions[0].train.n_windows < 20000 ? 64
                                                                   : 96},
               {"depth", 4},
               {"dense layers", 2},
               {"dropout", 0.2},
               {"learning_rate", (double)train.learning_rate},
               {"augmentation", 1},
               {"weights", 0}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    const int at = find(&t->space, known[i].name);
    if (at >= 0) p->x[at] = known[i].x;
  }
  tune_snap(&t->space, p);
}

void tuning_space(struct tuning *t) {
  struct tune_space *s = &t->space;
  const struct project_config *c = &t->p->config;
  int n = 0;
  const char *const *kinds_words = feature_kinds(t, &n);
  memset(s, 0, sizeof *s);
  if (c->kind != PROJECT_SENSOR && c->kind != PROJECT_IMAGE)
    add_number(s, "window_ms", TUNE_REAL, c->length_ms * 0.6, c->length_ms * 1.2, 0, true, -1, 0);
  const int kinds = add_choice(s, "features", kinds_words, -1, 0);
  const bool one = c->n_features == 1;
  const uint32_t bands = one ? kinds_with(kinds_words, n, BANDS) : 0,
                 time = one ? kinds_with(kinds_words, n, TIME) : 0,
                 pixels = one ? kinds_with(kinds_words, n, PIXELS) : 0;
  uint32_t mfcc = 0;
  for (int i = 0; i < n; i++) mfcc |= strcmp(kinds_words[i], "mfcc") == 0 ? 1u << i : 0;
  add_features(t, kinds, bands, mfcc);
  const uint32_t vector = ~(bands | time | pixels);
  if (bands) {
    const int network = add_choice(s, "network", band_families, kinds, bands);
    add_number(s, "depth", TUNE_INT, 2, 6, 1, false, network, 3);
  }
  if (time) add_choice(s, "network over time", time_families, kinds, time);
  if (pixels) add_choice(s, "network over pixels", image_families, kinds, pixels);
  if (vector & ((1u << n) - 1))
    add_number(s, "dense layers", TUNE_INT, 1, 3, 1, false, kinds, vector);
  add_number(s, "width", TUNE_INT, 8, 96, 4, true, -1, 0);
  add_number(s, "dropout", TUNE_REAL, 0, 0.5, 0, false, -1, 0);
  add_number(s, "learning_rate", TUNE_REAL, 1e-3, 1e-2, 0, true, -1, 0);
  if (c->kind != PROJECT_IMAGE) add_number(s, "augmentation", TUNE_REAL, 0.3, 2, 0, true, -1, 0);
  const int weights = add_choice(s, "weights", weight_words, -1, 0);
  add_number(s, "weight share", TUNE_REAL, 0.55, 0.95, 0, false, weights, 2);
  find_start(t);
}

/* ---- networks ------------------------------------------------------------------------------ */
static int least(int a, int b) { return a < b ? a : b; }
static int half(int n) { return (n + 1) / 2; }

static void add_line(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_line(struct text *t, const char *format, ...) {
  char line[200];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  text_printf(t, "%s  %s", t->size ? "\n" : "", line);
}

/* The family that `network: auto` takes for audio, of any depth. */
static void conv_lines(struct text *t, int h, int w, int width, int depth) {
  for (int i = 0; i < depth; i++) {
    const int channels = width >> (i < 2 ? 2 - i : 0), down = h > 8 ? 2 : 1, across = w > 4 ? 2 : 1;
    add_line(t, "conv %d %dx%d s%dx%d", channels > 4 ? channels : 4, least(h, 3), least(w, 3),
             i < 3 ? down : 1, i < 3 ? across : 1);
    if (i < 3 && down == 2) h = half(h);
    if (i < 3 && across == 2) w = half(w);
  }
}

static void separable_lines(struct text *t, int h, int w, int width, int depth) {
  for (int i = 0; i < depth; i++) {
    const int down = i < 3 && h > 8 ? 2 : 1, across = i < 3 && w > 4 ? 2 : 1;
    add_line(t, "%s %d %dx%d s%dx%d", i ? "dsconv" : "conv",
             i ? width : (width / 2 > 4 ? width / 2 : 4), least(h, 3), least(w, 3), down, across);
    if (down == 2) h = half(h);
    if (across == 2) w = half(w);
  }
}

/* The family that `network: auto` takes for movements. */
static void axes_lines(struct text *t, int h, int w, int width) {
  int left = h > 16 ? (h - 3) / 2 : h - least(h, 5) + 1;
  add_line(t, "conv %d %dx%d s%dx1 valid", width, least(h, 5), w, h > 16 ? 2 : 1);
  for (int i = 0; i < 3; i++) {
    add_line(t, "dsconv %d %dx1 s%dx1", width << (i > 1), least(left, 5), left > 12 ? 2 : 1);
    left = left > 12 ? (left + 1) / 2 : left;
  }
}

/* The network's family; NULL: dense layers. */
static const char *family_of(const struct tuning *t, const struct tune_point *p) {
  const char *family = word(t, p, "network");
  return family ? family : word(t, p, "network over pixels");
}

/* What stands behind `network:`, further lines indented. */
static const char *network_text(const struct tuning *t, struct arena *a, const struct tune_point *p,
                                const int dims[3]) {
  const int width = (int)value(t, p, "width"), depth = (int)value(t, p, "depth");
  const double dropout = value(t, p, "dropout");
  const char *family = family_of(t, p);
  struct text lines;
  text_init(&lines, a);
  if (!family) {
    int channels = width;
    for (int i = 0; i < (int)value(t, p, "dense layers"); i++) {
      add_line(&lines, "dense %d", channels);
      channels = channels > 16 ? channels / 2 : channels;
    }
  } else if (strcmp(family, "conv") == 0)
    conv_lines(&lines, dims[0], dims[1], width, isnan(value(t, p, "depth")) ? 4 : depth);
  else if (strcmp(family, "separable") == 0)
    separable_lines(&lines, dims[0], dims[1], width, depth);
  else if (strcmp(family, "axes") == 0)
    axes_lines(&lines, dims[0], dims[1], width);
  else /* a preset; its published width is about 64, of tc-resnet 48 */
    return arena_printf(a, "%s %.3g", family,
                        width / (strcmp(family, "tc-resnet") == 0 ? 48.0 : 64.0));
  if (family) add_line(&lines, "mean");
  if (dropout >= 0.01) add_line(&lines, "dropout %.2g", dropout);
  return arena_printf(a, "|\n%s", lines.data);
}

/* ---- keys ---------------------------------------------------------------------------------- */
struct writer {
  struct arena *a;
  const char *yaml;
  struct err *e;
};
static void set(struct writer *w, const char *section, const char *key, const char *text) {
  if (w->yaml) w->yaml = project_set_key(w->a, w->yaml, section, key, text, w->e);
}
static void set_number(struct writer *w, const char *section, const char *key, double x) {
  set(w, section, key, arena_printf(w->a, "%.6g", x));
}

static void set_features(struct writer *w, const struct tuning *t, const struct tune_point *p) {
  static const char *const of_bands[] = {"frame_ms", "hop_ms",       "fft_size",
                                         "bands",    "coefficients", "normalise"};
  const char *kind = word(t, p, "features");
  const double frame = value(t, p, "frame_ms"), bands = value(t, p, "bands");
  const bool own = strcmp(kind, features_kind_name(t->p->config.features[0].kind)) == 0;
  set(w, "features", "kind", kind);
  if (!own && strcmp(kind, "logmel") != 0) set(w, "augmentation", "variants", NULL); /* no bands */
  for (size_t i = 0; i < sizeof of_bands / sizeof *of_bands && (!own || !isnan(frame)); i++)
    if (i != 5 || !isnan(value(t, p, "normalise"))) set(w, "features", of_bands[i], NULL);
  if (isnan(frame)) return;
  /* Whole samples as the kind sees them, behind a front, so that the text and the frame agree. */
  const double rate = t->p->config.features[0].rate_hz, samples = nearbyint(frame * rate / 1000);
  double hop = nearbyint(samples * value(t, p, "hop share"));
  int fft = 16;
  while (fft < samples && fft < 2048) fft *= 2;
  if (hop < 1) hop = 1;
  set_number(w, "features", "frame_ms", samples * 1000 / rate);
  set_number(w, "features", "hop_ms", hop * 1000 / rate);
  set_number(w, "features", "fft_size", fft);
  set_number(w, "features", "bands", bands);
  const double coefficients = value(t, p, "coefficients");
  if (!isnan(coefficients))
    set_number(w, "features", "coefficients", coefficients < bands ? coefficients : bands);
  if (word(t, p, "normalise")) set(w, "features", "normalise", word(t, p, "normalise"));
}

static void set_augmentation(struct writer *w, const struct tuning *t, double strength) {
  const struct train_augment *g = &t->p->config.augmentation;
  const struct {
    const char *key;
    double value, most;
  } all[] = {{"shift_ms", (double)g->shift_ms, 1e6},
             {"gain_db", (double)g->gain_db, 60},
             {"speed", (double)g->speed, 0.5},
             {"tone_db", (double)g->tone_db, 40},
             {"noise_chance", (double)g->noise_chance, 1},
             {"time_stretch", (double)g->time_stretch, 1},
             {"band_warp", (double)g->band_warp, 0.5},
             {"slope_db", (double)g->slope_db, 40},
             {"floor_chance", (double)g->floor_chance, 1}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    const double x = all[i].value * strength;
    if (all[i].value > 0)
      set(w, "augmentation", all[i].key,
          arena_printf(w->a, "%.3g", x < all[i].most ? x : all[i].most));
  }
}

/* The network's text depends on the features' shape, and the budget of weights on the network. */
static bool set_network(struct writer *w, const struct tuning *t, const struct tune_point *p) {
  struct project_config c;
  struct features_block block;
  struct train_network *net = ARENA_NEW(w->a, struct train_network);
  if (!w->yaml || !tuning_parse(t, w->a, w->yaml, &c, w->e) ||
      !features_build(c.features, c.n_features, w->a, &block, w->e))
    return false;
  set(w, "", "network", network_text(t, w->a, p, block.dims));
  const double share = value(t, p, "weight share");
  if (isnan(share)) {
    set(w, "training", "flash_bytes", NULL);
    return w->yaml != NULL;
  }
  if (!w->yaml || !tuning_parse(t, w->a, w->yaml, &c, w->e) ||
      !training_network(&c, w->a, block.dims, t->n_classes,
                        (uint32_t)t->divisions[0].train.n_windows, net, NULL, w->e))
    return false;
  set_number(w, "training", "flash_bytes",
             nearbyint((double)train_network_cost(net).weight_bytes * share));
  return w->yaml != NULL;
}

/* All but the network. */
static void set_keys(struct writer *w, const struct tuning *t, const struct tune_point *p) {
  const double length = value(t, p, "window_ms");
  if (!isnan(length)) {
    const double samples = nearbyint(length * t->p->config.rate_hz / 1000);
    set_number(w, "window", "length_ms", samples * 1000 / t->p->config.rate_hz);
    set_number(w, "window", "stride_ms", t->p->config.stride_ms);
  }
  if (t->p->config.n_features == 1) set_features(w, t, p);
  set(w, "training", "learning_rate", arena_printf(w->a, "%.3g", value(t, p, "learning_rate")));
  if (!isnan(value(t, p, "augmentation"))) set_augmentation(w, t, value(t, p, "augmentation"));
}

/* Which keys a point has does not decide it, the sections' form does; and the text with the keys must be a project again. */
bool tuning_can_write(const struct tuning *t, struct err *e) {
  struct arena *a = arena_new(0);
  struct project_config c;
  struct err inner = {0};
  struct writer w = {a, t->yaml, e};
  if (!a) return err_set(e, "no memory left");
  set_keys(&w, t, &t->start);
  set(&w, "", "network", "auto");
  const bool ok =
      w.yaml && project_parse_config(a, t->p->yaml_path, w.yaml, strlen(w.yaml), &c, &inner);
  if (!ok) err_file(e, t->p->yaml_path);
  if (!ok && w.yaml)
    err_set(
        e,
        "with a point's keys in it, it cannot be read (%.300s): give each section and key a line",
        inner.text);
  arena_free(a);
  return ok;
}

const char *tuning_yaml(const struct tuning *t, struct arena *a, const char *base,
                        const struct tune_point *p, struct err *e) {
  struct writer w = {a, base, e};
  set_keys(&w, t, p);
  return set_network(&w, t, p) ? w.yaml : NULL;
}

const char *tuning_words(const struct tuning *t, struct arena *a, const struct tune_point *p) {
  const char *family = family_of(t, p);
  struct text s;
  text_init(&s, a);
  text_add(&s, word(t, p, "features"));
  if (!isnan(value(t, p, "coefficients"))) text_printf(&s, " %g of", value(t, p, "coefficients"));
  if (!isnan(value(t, p, "bands"))) text_printf(&s, " %g", value(t, p, "bands"));
  if (!isnan(value(t, p, "frame_ms")))
    text_printf(&s, " %.0f/%.0f ms", value(t, p, "frame_ms"),
                value(t, p, "frame_ms") * value(t, p, "hop share"));
  if (word(t, p, "normalise")) text_printf(&s, " %s", word(t, p, "normalise"));
  if (!isnan(value(t, p, "window_ms"))) text_printf(&s, ", %.0f ms", value(t, p, "window_ms"));
  text_printf(&s, "; %s %g", family ? family : "dense", value(t, p, "width"));
  if (!isnan(value(t, p, "depth"))) text_printf(&s, "x%g", value(t, p, "depth"));
  if (!isnan(value(t, p, "dense layers"))) text_printf(&s, "x%g", value(t, p, "dense layers"));
  if (!isnan(value(t, p, "weight share")))
    text_printf(&s, ", 4-bit to %.0f %%", 100 * value(t, p, "weight share"));
  text_printf(&s, "; rate %.2g", value(t, p, "learning_rate"));
  if (!isnan(value(t, p, "augmentation")))
    text_printf(&s, ", augmentation %.2g", value(t, p, "augmentation"));
  return s.data;
}
