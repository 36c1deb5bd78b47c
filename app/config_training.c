/* config_training: the sections augmentation and training of mote.yaml, its network and its learners. */
#include "app/config.h"

#include <math.h>
#include <stdlib.h>

/* Bit 0: across, bit 1: down; -1: no such word. */
static int flip_of(const char *word) {
  static const char *const words[] = {"none", "across", "down", "both"};
  for (int i = 0; i < 4; i++)
    if (strcmp(word, words[i]) == 0) return i;
  return -1;
}

/* Nothing that would widen what is normal; ranges of what may be asked for stay. */
static struct train_augment as_recorded(const struct train_augment *all) {
  return (struct train_augment){.background_snr_db_min = all->background_snr_db_min,
                                .background_snr_db_max = all->background_snr_db_max,
                                .noise_snr_db_min = all->noise_snr_db_min,
                                .floor_db_min = all->floor_db_min,
                                .floor_db_max = all->floor_db_max};
}

static void lay_augmentation(struct project_config *c) {
  static const struct yaml_augmentation none;
  const struct yaml_augmentation *g = c->yaml->augmentation ? c->yaml->augmentation : &none;
  struct train_augment *o = &c->augmentation;
  const int flip = g->flip ? flip_of(g->flip) : 0;
  *o = train_augment_default(project_input(c));
  if (c->reconstructs) *o = as_recorded(o);
  if (c->objects.on) o->cutout = 0;     /* it would cover what the boxes say is there */
  if (c->regression.on) o->gain_db = 0; /* how strong a signal is may be what the number says */
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
  o->flip_across = flip & 1, o->flip_down = flip >> 1 & 1;
  c->variants = int_or(g->variants, 0);
}

void project_take_network(struct project_config *c, struct arena *a, const char *network) {
  const char **lines = NULL;
  const int n = project_layers(a, network, &lines);
  c->reconstructs = !c->objects.on && !c->regression.on && train_asks_input(lines, n);
  lay_augmentation(c);
}

static bool read_augmentation(const struct reader *r, struct project_config *c) {
  const struct yaml_augmentation *g = c->yaml->augmentation;
  if (g && g->flip && flip_of(g->flip) < 0)
    return err_set(config_at_key(r, "augmentation", "flip"),
                   "\"%s\" is not known; none, across, down and both are", g->flip);
  project_take_network(c, r->a, c->network);
  return true;
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
             {"cutout", (double)g->cutout, 0, 0.9},
             {"variants", c->variants, 0, 10000}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (!(all[i].value >= all[i].low && all[i].value <= all[i].high))
      return err_set(config_at_key(r, "augmentation", all[i].key), "%g; %g to %g works",
                     all[i].value, all[i].low, all[i].high);
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

bool project_is_other(const struct project_config *c, const char *name) {
  for (int i = 0; i < c->n_background; i++)
    if (strcmp(c->background[i], name) == 0) return true;
  return strcmp(name, "unknown") == 0;
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
  o.hard = (float)real_or(t->hard, (double)o.hard);
  if (c->objects.on) { /* cells have their own weight, and are mixed with nothing */
    o.label_smoothing = (float)real_or(t->label_smoothing, 0);
    o.class_weights = false;
  }
  if (c->reconstructs) { /* a mask would be given again, as part of what is normal */
    o.time_masks = int_or(t->time_masks, 0);
    o.band_masks = int_or(t->band_masks, 0);
  }
  if (c->regression.on || c->reconstructs) { /* no classes to smooth, mix or weigh */
    o.label_smoothing = 0;
    o.mixup = 0;
    o.class_weights = false;
  }
  if (t->class_weights) o.class_weights = *t->class_weights;
  if (t->balance) o.balance = *t->balance;
  if (t->seed) o.seed = (uint64_t)(int64_t)*t->seed;
  o.flash_bytes = int_or(t->flash_bytes, 0);
  *out = o;
}

const char *config_about_classes(const struct yaml_training *t) {
  return !t                   ? NULL
         : t->label_smoothing ? "label_smoothing"
         : t->mixup           ? "mixup"
         : t->focal           ? "focal"
         : t->balance         ? "balance"
         : t->hard            ? "hard"
         : t->class_weights   ? "class_weights"
                              : NULL;
}

static bool check_training(const struct reader *r, const struct project_config *c) {
  struct train_config t;
  struct err inner = {{0}, {0}, {0}, false};
  project_training(c, 1000, &t);
  const char *const about_classes =
      c->reconstructs && !c->learner.on ? config_about_classes(c->yaml->training) : NULL;
  if (about_classes)
    return err_set(config_at_key(r, "training", about_classes),
                   "this is about classes, and an autoencoder knows what is normal alone: leave it "
                   "out");
  if (train_config_check(&t, &inner)) return true;
  return err_set(config_at_key(r, "training", inner.node[0] ? inner.node : "epochs"), "%s",
                 inner.text);
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

bool project_reconstruction(const struct project_config *c, struct project_learner *out,
                            struct err *e) {
  static const struct yaml_learning none;
  const struct yaml_learning *y = c->yaml->learning ? c->yaml->learning : &none;
  *out = (struct project_learner){.on = true, .false_alarms = 0.01};
  read_learning(y, out);
  if (!(out->false_alarms > 0 && out->false_alarms < 1)) {
    err_node(e, "false_alarms");
    return err_set(e, "%g; a share between 0 and 1 works", out->false_alarms);
  }
  if (out->config.n_columns) {
    err_node(e, "columns");
    return err_set(e, "an autoencoder reads all features; columns are for learners");
  }
  return true;
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
        config_at_key(r, inner.node[0] ? "learning" : "", inner.node[0] ? inner.node : "learner"),
        "%s", inner.text);
  struct project_learner own;
  if (c->reconstructs && !c->learner.on && !project_reconstruction(c, &own, &inner))
    return err_set(config_at_key(r, "learning", inner.node), "%s", inner.text);
  if (!make_learner(!y ? NULL : y->learner ? y->learner : "kmeans", y, &c->anomaly, &inner))
    return err_set(config_at_key(r, "anomaly", inner.node[0] ? inner.node : "learner"), "%s",
                   inner.text);
  if (!c->anomaly.on) return true;
  if (!learn_is_anomaly(c->anomaly.config.kind))
    return err_set(
        config_at_key(r, "anomaly", "learner"),
        "\"%s\" tells classes apart; kmeans, gmm, mahalanobis and pca learn what is normal",
        learn_kind_name(c->anomaly.config.kind));
  if (c->learner.on && learn_is_anomaly(c->learner.config.kind))
    return err_set(config_at_key(r, "", "anomaly"),
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

bool config_read_training(const struct reader *r, struct project_config *c) {
  return read_augmentation(r, c) && check_augmentation(r, c) && read_learners(r, c) &&
         check_training(r, c);
}
