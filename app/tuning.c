/* tuning: see the header. */
#include "app/cross.h"
#include "app/tuning.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Where nothing can be built: measured on a Cortex-M0+ with a convolutional network and log mel bands, and rounded up. */
#define CODE_BYTES       25600
#define STATIC_AND_STACK 1024
#define INSTRUCTIONS_OF_WORK                                                                       \
  14 /* of one unit of tuning_work; 9 on a Cortex-M4, 18 on a Cortex-M0+ */
#define CACHE_BYTES      ((size_t)256 << 20)
#define LEAST_VALIDATION 10

const char *const tuning_cost_names[TUNING_COSTS] = {"flash", "ram", "instructions", "ms", "uj"};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The beginning of an error, without breaks. */
static void one_line(const char *text, char out[160]) {
  snprintf(out, 160, "%.150s", text);
  for (char *c = out; *c; c++)
    if (*c == '\n') *c = ' ';
}

static void digits(const void *data, size_t n, char hex[17]) {
  struct sha256 h;
  uint8_t digest[32];
  char whole[65];
  sha256_init(&h);
  sha256_add(&h, data, n);
  sha256_end(&h, digest);
  sha256_hex(digest, whole);
  memcpy(hex, whole, 16);
  hex[16] = 0;
}

bool tuning_parse(const struct tuning *t, struct arena *a, const char *yaml,
                  struct project_config *c, struct err *e) {
  if (!project_parse_config(a, PROJECT_FILE, yaml, strlen(yaml), c, e)) return false;
  for (int i = 0; i < c->n_features; i++) c->features[i].unit = t->p->config.features[0].unit;
  return true;
}

/* ---- opening ------------------------------------------------------------------------------ */
static bool check_project(const struct project *p, struct err *e) {
  err_file(e, p->yaml_path);
  if (p->config.learner.on)
    return err_set(e,
                   "mote tune searches networks, and the project names the learner %s; `learner: "
                   "network` works",
                   learn_kind_name(p->config.learner.config.kind));
  if (p->config.reconstructs)
    return err_set(e,
                   "mote tune compares how many windows are told right, and an autoencoder tells "
                   "no classes: `network: auto` works");
  if (p->config.calibrate.features)
    return err_set(e,
                   "columns of features are calibrated, which is not searched with: `calibrate.of` "
                   "of channels works while tuning");
  if (p->config.anomaly.on)
    return err_set(e, "an anomaly score stands beside the network, whose cost is not searched: "
                      "leave the section anomaly out "
                      "while tuning");
  e->file[0] = 0;
  return true;
}

/* Those samples of all that the part holds, or all but those, in the base's windows. */
static bool lay_part(const struct tuning *t, const struct dataset *all, const int32_t *fold,
                     int part, bool outside, struct dataset *out, struct err *e) {
  struct arena *a = t->p->arena;
  struct dataset some = *all;
  some.samples = ARENA_ARRAY(a, struct dataset_sample, all->n_samples + 1);
  some.n_samples = 0;
  for (int i = 0; i < all->n_samples; i++)
    if ((fold[i] == part) != outside) some.samples[some.n_samples++] = all->samples[i];
  return dataset_again(&some, &t->p->config, a, out, e);
}

static bool divide(struct tuning *t, struct err *e) {
  const struct dataset_pick both = {.splits = 1u << STORE_TRAIN | 1u << STORE_VALIDATION};
  struct dataset all;
  struct dataset_folds folds;
  if (!dataset_load(t->p, &both, t->classes, t->n_classes, t->range, &all, e) ||
      !cross_rotate(t->p, t->folds, &folds, &t->folds, e))
    return false;
  int32_t *fold = ARENA_ARRAY(t->p->arena, int32_t, all.n_samples + 1);
  for (int i = 0, at = 0; i < all.n_samples; i++) { /* samples are in the order of their ids, too */
    while (at < folds.n && folds.ids[at] < all.samples[i].id) at++;
    fold[i] = at < folds.n && folds.ids[at] == all.samples[i].id ? folds.fold[at] : -1;
  }
  const int parts = t->folds;
  t->folds = 0;
  for (int k = 0; k < parts; k++) {
    struct tuning_division *d = &t->divisions[t->folds];
    if (!lay_part(t, &all, fold, k, true, &d->train, e) ||
        !lay_part(t, &all, fold, k, false, &d->validation, e))
      return false;
    /* A part of few windows has no vote; whether the project's own has enough is asked by tuning_open. */
    t->folds += k == 0 || d->validation.n_windows >= LEAST_VALIDATION;
  }
  return true;
}

bool tuning_open(struct tuning *t, struct err *e) {
  const struct dataset_pick train = {.splits = 1u << STORE_TRAIN};
  uint8_t *yaml = NULL;
  size_t size = 0;
  if (!check_project(t->p, e) ||
      (!t->yaml && !file_read(t->p->arena, t->p->yaml_path, 1 << 20, &yaml, &size, e)) ||
      !dataset_classes(t->p, &train, &t->classes, &t->n_classes, e) ||
      !dataset_range(t->p, &train, &t->range, e) || !divide(t, e))
    return false;
  if (!t->yaml) t->yaml = (const char *)yaml;
  err_file(e, t->p->db_path);
  if (t->n_classes < 2)
    return err_set(e, "%d label%s among the training samples; at least two are needed",
                   t->n_classes, t->n_classes == 1 ? "" : "s");
  if (t->divisions[0].validation.n_windows < LEAST_VALIDATION)
    return err_set(e,
                   "%d windows for validation; points are compared on them, so at least %d are "
                   "needed (`mote data split "
                   "--validation 0.2`)",
                   t->divisions[0].validation.n_windows, LEAST_VALIDATION);
  e->file[0] = 0;
  t->most_cached_bytes = CACHE_BYTES;
  pthread_mutex_init(&t->lock, NULL);
  pthread_cond_init(&t->made, NULL);
  tuning_space(t);
  return tune_check_space(&t->space, e) && tuning_can_write(t, e);
}

/* ---- features that several trials share ---------------------------------------------------------- */
static void features_key(const struct project_config *c, const struct features_block *b,
                         int division, char key[65]) {
  struct sha256 h;
  uint8_t digest[32];
  const double numbers[] = {c->length_ms, c->stride_ms, (double)c->place, division};
  sha256_init(&h);
  sha256_add(&h, b->data, b->bytes);
  sha256_add(&h, numbers, sizeof numbers);
  sha256_end(&h, digest);
  sha256_hex(digest, key);
}

/* Samples stay; windows, the fitted map and features of the validation windows are made. */
static bool make_features(const struct tuning_division *d, struct tuning_features *f,
                          const struct project_config *config, struct err *e) {
  struct arena *a = arena_new(0); /* the windows of the fit go when it is done */
  struct project p = {.arena = a, .config = *config};
  struct features_block fitted;
  if (!a) return err_set(e, "no memory left");
  bool ok = dataset_again(&d->train, config, f->arena, &f->train, e) &&
            dataset_again(&d->validation, config, f->arena, &f->validation, e) &&
            training_features(&p, &f->train, &fitted, e) &&
            features_open(fitted.data, fitted.bytes, f->arena, &f->block, e) &&
            dataset_features(&f->validation, &f->block, f->arena, &f->validation_features, e);
  arena_free(a);
  f->train.config = f->validation.config = NULL; /* the trial's own */
  f->bytes =
      (size_t)(f->train.n_windows + f->validation.n_windows) * (sizeof(struct dataset_window) + 4) +
      (size_t)f->validation.n_windows * f->block.out_bytes + f->block.bytes;
  return ok;
}

static void drop_one(struct tuning *t) {
  int oldest = -1;
  for (int i = 0; i < t->n_cached; i++)
    if (!t->cache[i].users && (oldest < 0 || t->cache[i].used < t->cache[oldest].used)) oldest = i;
  if (oldest < 0) return;
  t->cached_bytes -= t->cache[oldest].bytes;
  arena_free(t->cache[oldest].arena);
  t->cache[oldest] = (struct tuning_features){.key = ""};
}

static struct tuning_features *place_for(struct tuning *t, const char *key, bool *found) {
  for (int i = 0; i < t->n_cached; i++)
    if (strcmp(t->cache[i].key, key) == 0) {
      *found = true;
      return &t->cache[i];
    }
  *found = false;
  if (t->cached_bytes > t->most_cached_bytes) drop_one(t);
  for (int tries = 0; tries < 2; tries++) {
    for (int i = 0; i < t->n_cached; i++)
      if (!t->cache[i].key[0]) return &t->cache[i];
    if (t->n_cached < TUNING_MOST_CACHED) return &t->cache[t->n_cached++];
    drop_one(t);
  }
  return NULL;
}

/* errors: those of the features; then nothing has to be given back. */
static struct tuning_features *take_features(struct tuning *t, int division,
                                             const struct project_config *config,
                                             const struct features_block *raw, struct err *e) {
  char key[65];
  bool found;
  features_key(config, raw, division, key);
  pthread_mutex_lock(&t->lock);
  struct tuning_features *f = place_for(t, key, &found);
  if (f) f->users++, f->used = ++t->clock;
  if (f && !found) {
    memcpy(f->key, key, sizeof key);
    f->ready = f->failed = false;
    pthread_mutex_unlock(&t->lock);
    f->arena = arena_new(0);
    const bool ok = f->arena && make_features(&t->divisions[division], f, config, e);
    pthread_mutex_lock(&t->lock);
    f->ready = true;
    f->failed = !ok;
    t->cached_bytes += f->bytes;
    pthread_cond_broadcast(&t->made);
  }
  while (f && !f->ready) pthread_cond_wait(&t->made, &t->lock);
  if (f && f->failed) {
    f->users--;
    if (!e->text[0]) err_set(e, "its features cannot be made");
    f = NULL;
  }
  pthread_mutex_unlock(&t->lock);
  return f;
}

static void give_features(struct tuning *t, struct tuning_features *f) {
  pthread_mutex_lock(&t->lock);
  f->users--;
  pthread_mutex_unlock(&t->lock);
}

/* ---- costs ---------------------------------------------------------------------------------- */
/* A network that learnt nothing: the plan of a trained one, in milliseconds. */
struct sketch {
  int32_t labels[1000];
  size_t bytes;
};
static void noise(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  const struct sketch *s = context;
  uint64_t x = rng_mix(seed ^ ((uint64_t)index << 32));
  for (size_t i = 0; i < s->bytes; i++) {
    if (i % 8 == 0) x = rng_mix(x + i);
    features[i] = (int8_t)(uint8_t)(x >> (i % 8 * 8));
  }
}

static bool sketch_graph(struct arena *a, const struct train_network *net, int64_t flash_bytes,
                         struct graph **g, struct err *e) {
  struct sketch *s = ARENA_NEW(a, struct sketch);
  struct train_result r;
  const int n = net->classes < 1000 ? net->classes : 1000;
  s->bytes = (size_t)net->in_h * (size_t)net->in_w * (size_t)net->in_c;
  for (int i = 0; i < n; i++) s->labels[i] = i;
  const struct train_examples x = {
      .n = (uint32_t)n, .labels = s->labels, .example = noise, .context = s};
  const struct train_config c = {.epochs = 1,
                                 .batch = n,
                                 .learning_rate = 1e-3f,
                                 .qat_learning_rate = 1e-4f,
                                 .seed = 1,
                                 .threads = 1,
                                 .flash_bytes = flash_bytes};
  const struct train_hooks none = {0};
  if (!train_fit(a, net, &x, NULL, &c, &none, &r, e)) return false;
  *g = r.graph;
  (*g)->name = "sketch";
  return true;
}

/* About what features cost: the points of all Fourier transforms times their logarithm, and the samples. */
static double work_of(const struct project_config *c, const struct features_block *b) {
  double work = 0;
  for (int i = 0; i < c->n_features; i++) {
    const struct features_config *f = &c->features[i];
    const double rows = b->n_parts > 1 ? 1 : b->dims[0], channels = f->channels;
    work += b->window_samples * channels * 0.5;
    if (f->fft_size > 1) work += rows * channels * f->fft_size * log2(f->fft_size);
  }
  return work;
}

static void estimate(const struct tuning *t, const struct project_config *c,
                     const struct features_block *block, const struct bundle *b,
                     struct tuning_figures *f) {
  const struct tuning_base *base = &t->base;
  const double features = base->features_instructions * work_of(c, block) / base->features_work;
  f->counted = false;
  f->of[TUNING_FLASH] = base->code + (double)b->compiled.flash_weight_bytes + (double)block->bytes;
  f->of[TUNING_RAM] = base->ram + (double)b->arena_bytes + (double)b->window_bytes;
  f->of[TUNING_INSTRUCTIONS] = nearbyint((double)b->compiled.instructions + features);
  f->of[TUNING_MS] = f->of[TUNING_INSTRUCTIONS] * base->ms;
  f->of[TUNING_UJ] = f->of[TUNING_INSTRUCTIONS] * base->uj;
}

static bool count(const struct tuning *t, struct arena *a, const struct bundle_request *r,
                  struct bundle *b, struct emulate_result *result, struct tuning_figures *f,
                  struct err *e) {
  struct emulate_count total;
  struct emulate_estimate time;
  const void *zeros = ARENA_ARRAY(a, int16_t, features_window_words(r->features) + 1);
  if (!bundle_run_once(a, r, zeros, 1, false, b, result, e)) return false;
  total = result->features;
  total.instructions += result->network.instructions;
  total.cycles_low += result->network.cycles_low;
  total.cycles += result->network.cycles;
  total.cycles_high += result->network.cycles_high;
  emulate_estimate(&total, t->board, &time);
  f->counted = true;
  f->of[TUNING_FLASH] = (double)(bundle_flash_code(b) + bundle_flash_weight(b));
  f->of[TUNING_RAM] = (double)bundle_ram(b, result->stack_bytes);
  f->of[TUNING_INSTRUCTIONS] = (double)total.instructions;
  f->of[TUNING_MS] = time.milliseconds.known ? time.milliseconds.typical : (double)NAN;
  f->of[TUNING_UJ] = time.energy_uj.known ? time.energy_uj.typical : (double)NAN;
  return true;
}

static struct bundle_request request_of(const struct tuning *t, const struct graph *g,
                                        const struct features_block *block) {
  return (struct bundle_request){.title = t->p->config.name,
                                 .graph = g,
                                 .features = block,
                                 .target = t->target,
                                 .board = t->board};
}

/* A configuration's features as they are before fitting, its network and a graph of it. */
static bool lay_out(const struct tuning *t, struct arena *a, const char *yaml,
                    struct project_config *c, struct features_block *block, struct graph **g,
                    struct err *e) {
  struct train_network *net = ARENA_NEW(a, struct train_network);
  struct train_config train;
  if (!tuning_parse(t, a, yaml, c, e) || !features_build(c->features, c->n_features, a, block, e) ||
      !training_network(c, a, block->dims, t->n_classes, (uint32_t)t->divisions[0].train.n_windows,
                        net, NULL, e))
    return false;
  project_training(c, (uint32_t)t->divisions[0].train.n_windows, &train);
  return sketch_graph(a, net, train.flash_bytes, g, e);
}

bool tuning_find_base(struct tuning *t, struct err *e) {
  struct arena *a = arena_new(0);
  struct project_config c;
  struct features_block block;
  struct graph *g;
  struct bundle b;
  struct emulate_result r;
  struct tuning_figures f;
  if (!a) return err_set(e, "no memory left");
  bool ok = lay_out(t, a, t->yaml, &c, &block, &g, e);
  struct tuning_base *base = &t->base;
  *base = (struct tuning_base){.code = CODE_BYTES, .ram = STATIC_AND_STACK, .ms = NAN, .uj = NAN};
  if (ok) {
    const struct bundle_request request = request_of(t, g, &block);
    base->features_work = work_of(&c, &block);
    base->features_instructions = INSTRUCTIONS_OF_WORK * base->features_work;
    if (t->count && (ok = count(t, a, &request, &b, &r, &f, e))) {
      base->counted = true;
      base->code = (double)bundle_flash_code(&b);
      base->ram = (double)(b.program.size.ram_static + r.stack_bytes);
      base->features_instructions = (double)r.features.instructions;
      base->ms = f.of[TUNING_MS] / f.of[TUNING_INSTRUCTIONS];
      base->uj = f.of[TUNING_UJ] / f.of[TUNING_INSTRUCTIONS];
    }
  }
  arena_free(a);
  return ok;
}

void tuning_costs(const struct tuning *t, const struct tuning_figures *f, double *costs) {
  for (int i = 0; i < t->n_against; i++) {
    const double x = f->of[t->against[i]];
    costs[i] = isnan(x) ? 0 : x;
  }
}

bool tuning_allowed(const struct tuning *t, const struct tuning_figures *f, double *beyond) {
  *beyond = 0;
  for (int i = 0; i < TUNING_COSTS; i++)
    if (f->of[i] > t->most[i]) *beyond = fmax(*beyond, f->of[i] / t->most[i] - 1);
  return !(*beyond > 0);
}

bool tuning_judge(void *context, const struct tune_point *p, double *costs, double *beyond) {
  struct tuning *t = context;
  struct arena *a = arena_new(0);
  struct err why = {0};
  struct project_config c;
  struct features_block block;
  struct graph *g;
  struct bundle b;
  struct tuning_figures f;
  *beyond = 1;
  if (!a) return false;
  /* The base is asked for its costs, whether it is allowed or not. */
  const bool base = tune_same(&t->space, p, &t->start);
  const char *yaml = base ? t->yaml : tuning_yaml(t, a, t->yaml, p, &why);
  bool ok = yaml && lay_out(t, a, yaml, &c, &block, &g, &why);
  if (ok) {
    const struct bundle_request request = request_of(t, g, &block);
    ok = bundle_plan(a, &request, &b, &why);
    if (ok) estimate(t, &c, &block, &b, &f);
  }
  if (!ok && t->n_unmade++ == 0) one_line(why.text, t->why);
  if (ok) tuning_costs(t, &f, costs);
  ok = ok && tuning_allowed(t, &f, beyond);
  arena_free(a);
  return ok;
}

/* ---- trying ------------------------------------------------------------------------------------ */
struct attempt {
  struct tuning *t;
  struct project_config c;
  struct features_block raw;
  int rung;
  const volatile bool *cancel;
};

/* Figures of the model, built and counted on the last rung. A program that cannot be built or run is told by its plan: training is not
 * lost by it. */
static bool figures_of(const struct attempt *at, struct arena *a, const struct graph *g,
                       const struct features_block *block, struct tuning_figures *f,
                       struct err *e) {
  const struct tuning *t = at->t;
  const struct bundle_request request = request_of(t, g, block);
  struct bundle b;
  struct emulate_result r;
  struct err why = {0};
  if (t->count && at->rung + 1 == t->rungs && count(t, a, &request, &b, &r, f, &why)) return true;
  if (!bundle_plan(a, &request, &b, e)) return false;
  estimate(t, &at->c, block, &b, f);
  return true;
}

/* Trains on one division. own: what it gives is the point's model. */
static bool try_division(const struct attempt *at, int division, bool own, struct arena *a,
                         struct tuning_result *out, double *accuracy, struct err *e) {
  struct tuning *t = at->t;
  struct training_tried tried;
  uint8_t *bytes = NULL;
  size_t size = 0;
  struct tuning_features *f = take_features(t, division, &at->c, &at->raw, e);
  if (!f) return false;
  const struct training_trial trial = {.config = &at->c,
                                       .train = &f->train,
                                       .validation = &f->validation,
                                       .features = &f->block,
                                       .validation_features = f->validation_features,
                                       .classes = t->classes,
                                       .n_classes = t->n_classes,
                                       .share = pow(t->factor, at->rung + 1 - t->rungs),
                                       .threads = 1,
                                       .cancel = at->cancel};
  bool ok = training_try(&trial, a, &tried, e);
  if (ok) *accuracy = (double)tried.result.int8_accuracy;
  if (ok && own) {
    digits(tried.settings, strlen(tried.settings), out->settings);
    graph_save(tried.result.graph, a, &bytes, &size);
    digits(bytes, size, out->model);
    ok = figures_of(at, a, tried.result.graph, &f->block, &out->figures, e);
  }
  give_features(t, f);
  return ok;
}

static bool try_point(struct attempt *at, const struct tune_point *p, bool base, struct arena *a,
                      struct tuning_result *out, struct err *e) {
  struct tuning *t = at->t;
  const char *yaml = base ? t->yaml : tuning_yaml(t, a, t->yaml, p, e);
  if (!yaml || !tuning_parse(t, a, yaml, &at->c, e) ||
      !features_build(at->c.features, at->c.n_features, a, &at->raw, e))
    return false;
  if (at->rung + 1 < t->rungs) /* by turns, the project's own last */
    return try_division(at, (at->rung + 1) % t->folds, true, a, out, &out->accuracy, e);
  double sum = 0;
  for (int k = 0; k < t->folds; k++) {
    struct arena *each = arena_new((size_t)4 << 30);
    double accuracy = 0;
    const bool ok =
        each ? try_division(at, k, k == 0, each, out, &accuracy, e) : err_set(e, "no memory left");
    arena_free(each);
    if (!ok) return false;
    if (k == 0) out->own = accuracy;
    sum += accuracy;
  }
  out->accuracy = sum / t->folds;
  return true;
}

void tuning_try(struct tuning *t, const struct tune_point *p, bool base, int rung,
                const volatile bool *cancel, struct tuning_result *out) {
  const double start = now();
  struct arena *a = arena_new((size_t)4 << 30);
  struct err e = {0};
  omp_set_num_threads(1); /* of this thread: trials run side by side instead */
  struct attempt at = {.t = t, .rung = rung, .cancel = cancel};
  *out = (struct tuning_result){.accuracy = NAN, .own = NAN};
  for (int i = 0; i < TUNING_COSTS; i++) out->figures.of[i] = NAN;
  out->ok = a && try_point(&at, p, base, a, out, &e);
  if (!out->ok) one_line(a ? e.text : "no memory left", out->why);
  arena_free(a);
  out->seconds = now() - start;
}

/* ---- results as text ------------------------------------------------------------------------------- */
const char *tuning_facts(struct arena *a, const struct tuning_result *r) {
  const double *f = r->figures.of;
  if (!r->ok) return arena_printf(a, "failed %.3f %s", r->seconds, r->why);
  return arena_printf(a, "%s %.3f %a %a %a %a %a %a %a %s %s",
                      r->figures.counted ? "counted" : "planned", r->seconds, r->accuracy, r->own,
                      f[0], f[1], f[2], f[3], f[4], r->settings, r->model);
}

bool tuning_read_facts(const char *facts, struct tuning_result *r) {
  char how[16] = "";
  double *f = r->figures.of;
  int used = 0;
  *r = (struct tuning_result){.accuracy = NAN, .own = NAN};
  for (int i = 0; i < TUNING_COSTS; i++) f[i] = NAN;
  if (sscanf(facts, "%15s %lf %n", how, &r->seconds, &used) < 2) return false;
  if (strcmp(how, "failed") == 0) {
    snprintf(r->why, sizeof r->why, "%.150s", facts + used);
    return true;
  }
  r->ok = true;
  r->figures.counted = strcmp(how, "counted") == 0;
  return sscanf(facts + used, "%la %la %la %la %la %la %la %16s %16s", &r->accuracy, &r->own, &f[0],
                &f[1], &f[2], &f[3], &f[4], r->settings, r->model) == 9;
}
