/* train/fit: the course of a training.
 *
 * Float epochs, then folding and calibration, then quantisation-aware epochs. Everything that an epoch leaves
 * behind lies in struct head, the history and one array of floats: a checkpoint is their bytes. All chance
 * comes from (seed, epoch, index), so that going on from a checkpoint repeats nothing and misses nothing. */
#include "host/train/engine.h"
#include "host/train/sampling.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define MAGIC       0x54524e31u /* "1NRT" */
#define CALIBRATION 8           /* batches */

enum phase { PHASE_FLOAT, PHASE_QAT, PHASE_DONE };

struct head {
  uint32_t magic, head_bytes;
  uint8_t fingerprint[32]; /* of network, config, labels; in a checkpoint see add_level */
  uint64_t n_floats;
  int32_t phase, epoch, qat_epoch, n_history, stale;
  int32_t best_epoch, best_qat_epoch;
  float best_accuracy, best_loss;
  float input_scale;
  int32_t input_zp;
  int64_t phase_step;      /* Adam steps of this phase */
  double power_1, power_2; /* beta^t */
};

struct fit {
  struct arena *arena;
  const struct train_examples *examples;
  const struct train_set *validation;
  const struct train_config *config;
  const struct train_hooks *hooks;
  struct err *e;
  struct engine *g;
  struct head head;
  struct train_epoch *history;
  float *floats, *params, *m, *v, *running, *best, *best_running, *folded, *ranges, *best_ranges,
      *bits, *mean, *mean_running; /* the last two with config->average alone */
  size_t features;
  int steps; /* of an epoch */
  struct sampling sampling;
  float class_weight[1000];
  int8_t *drawn; /* [capacity][features] */
  int32_t *labels, *second;
  float *weights, *mix;
  float *targets;       /* [capacity][n_targets] */
  float *drawn_targets; /* the same before mixing */
  float *opinions;      /* [capacity][classes] of the teacher */
  /* The batch being filled. */
  uint32_t first;
  int batch_epoch, count;
};

struct train_model {
  struct engine *g;
  float *folded;
  int threads;
};

/* ---- checks ----------------------------------------------------------------------- */
static bool within(struct err *e, const char *name, double value, double low, double high) {
  if (value >= low && value <= high) return true;
  err_node(e, "%s", name);
  return err_set(e, "%s = %g is outside %g to %g", name, value, low, high);
}

bool train_config_check(const struct train_config *c, struct err *e) {
  return within(e, "epochs", c->epochs, 1, 100000) &&
         within(e, "qat_epochs", c->qat_epochs, 0, 100000) &&
         within(e, "batch", c->batch, 1, 4096) &&
         within(e, "learning_rate", (double)c->learning_rate, 1e-7, 1) &&
         within(e, "qat_learning_rate", (double)c->qat_learning_rate, 1e-8, 1) &&
         within(e, "weight_decay", (double)c->weight_decay, 0, 1) &&
         within(e, "label_smoothing", (double)c->label_smoothing, 0, 0.5) &&
         within(e, "mixup", (double)c->mixup, 0, 10) &&
         within(e, "focal", (double)c->focal, 0, 10) &&
         within(e, "distil", (double)c->distil, 0, 1) &&
         within(e, "temperature", (double)c->temperature, 0, 100) &&
         within(e, "flash_bytes", (double)c->flash_bytes, 0, 1e12) &&
         within(e, "hard", (double)c->hard, 0, 1) &&
         within(e, "average", (double)c->average, 0, 1000) &&
         within(e, "patience", c->patience, 0, 100000) &&
         within(e, "time_masks", c->time_masks, 0, 100) &&
         within(e, "time_mask_max", c->time_mask_max, 0, 4096) &&
         within(e, "band_masks", c->band_masks, 0, 100) &&
         within(e, "band_mask_max", c->band_mask_max, 0, 4096) &&
         within(e, "threads", c->threads, 0, 64);
}

static bool asks_labels(const struct train_network *net) {
  for (int i = 0; i < net->n_heads; i++)
    if (net->heads[i].kind == TRAIN_HEAD_CLASSES && !net->heads[i].own) return true;
  return false;
}

/* Targets, labels and a teacher are there where a head asks for them. */
static bool check_questions(const struct train_network *net, const struct train_examples *x,
                            const struct train_set *v, const struct train_config *c,
                            const struct train_model *teacher, struct err *e) {
  const bool labels = asks_labels(net);
  if (train_network_targets(net) > 0 && (!x->targets || (v && v->n > 0 && !v->targets)))
    return err_set(e, "the network's heads need targets; these examples have labels only");
  for (int i = 0; i < net->n_heads; i++) {
    const struct train_head *h = &net->heads[i];
    if (c->mixup > 0.0f && (h->kind == TRAIN_HEAD_CELLS || h->own))
      return err_set(e,
                     "classes of cells and of heads of their own cannot be mixed: mixup must be 0");
  }
  if (!labels && (c->class_weights || c->balance || c->hard > 0.0f))
    return err_set(e, "%s a head for the labels' classes",
                   c->class_weights ? "class_weights need"
                   : c->balance     ? "balance needs"
                                    : "hard needs");
  if (c->distil > 0.0f && (!teacher || !labels))
    return err_set(e, "distil needs a teacher and a head for the labels' classes");
  if (teacher && c->distil > 0.0f) {
    const struct train_network *t = &teacher->g->net;
    if (t->in_h != net->in_h || t->in_w != net->in_w || t->in_c != net->in_c ||
        t->classes != net->classes || teacher->g->labels_at < 0)
      return err_set(
          e,
          "the teacher must have the same input and classes: %dx%dx%d and %d, not %dx%dx%d and %d",
          net->in_h, net->in_w, net->in_c, net->classes, t->in_h, t->in_w, t->in_c, t->classes);
  }
  return true;
}

static bool check_labels(const struct train_examples *x, int classes, struct err *e) {
  if (x->n < 1 || x->n > 100000000u) return err_set(e, "%u training examples", x->n);
  uint32_t counts[1000] = {0};
  for (uint32_t i = 0; i < x->n; i++) {
    if (x->labels[i] < 0 || x->labels[i] >= classes)
      return err_set(e, "example %u has label %d, the classes are 0 to %d", i, x->labels[i],
                     classes - 1);
    counts[x->labels[i]]++;
  }
  for (int c = 0; c < classes; c++)
    if (counts[c] == 0) return err_set(e, "class %d has no training example", c);
  return true;
}

static bool check_set(const struct train_set *v, int classes, struct err *e) {
  for (uint32_t i = 0; v && i < v->n; i++)
    if (v->labels[i] < 0 || v->labels[i] >= classes)
      return err_set(e, "validation example %u has label %d, the classes are 0 to %d", i,
                     v->labels[i], classes - 1);
  return true;
}

static void fingerprint(const struct train_network *net, const struct train_config *c,
                        const struct train_examples *x, const struct train_set *v,
                        uint8_t digest[32]) {
  struct sha256 s;
  sha256_init(&s);
  const int32_t sizes[] = {net->in_h,
                           net->in_w,
                           net->in_c,
                           net->classes,
                           net->n_layers,
                           (int32_t)x->n,
                           v ? (int32_t)v->n : 0};
  sha256_add(&s, sizes, sizeof sizes);
  for (int i = 0; i < net->n_layers; i++) {
    const struct train_layer *l = &net->layers[i];
    const int32_t layer[] = {(int32_t)l->kind,
                             l->from,
                             l->also,
                             l->channels,
                             l->kernel_h,
                             l->kernel_w,
                             l->stride_h,
                             l->stride_w,
                             (int32_t)l->padding,
                             l->batch_norm,
                             l->activation != TRAIN_LINEAR,
                             (int32_t)lrintf(l->rate * 1e6f)};
    sha256_add(&s, layer, sizeof layer);
    /* What came later counts only where it is used, so that older checkpoints stay good. */
    const int32_t later[] = {l->dilation_h, l->dilation_w, (int32_t)l->activation, l->n_more};
    if (l->dilation_h > 1 || l->dilation_w > 1 || l->activation > TRAIN_RELU || l->n_more > 0) {
      sha256_add(&s, later, sizeof later);
      sha256_add(&s, l->more, sizeof l->more);
    }
  }
  for (int i = 0; i < net->n_heads && (net->n_heads > 1 || net->heads[0].line > 0); i++) {
    const struct train_head *h = &net->heads[i];
    const int32_t whole[] = {(int32_t)h->kind, h->layer, h->outputs, h->own};
    const float reals[] = {h->weight, h->huber, h->object};
    sha256_add(&s, whole, sizeof whole);
    sha256_add(&s, reals, sizeof reals);
  }
  const float reals[] = {c->learning_rate, c->qat_learning_rate, c->weight_decay,
                         c->label_smoothing, c->mixup};
  const float later[] = {c->focal, c->distil, c->temperature};
  const int32_t whole[] = {c->epochs,        c->qat_epochs, c->batch,
                           c->class_weights, c->patience,   c->time_masks,
                           c->time_mask_max, c->band_masks, c->band_mask_max};
  sha256_add(&s, reals, sizeof reals);
  if (c->focal > 0.0f || c->distil > 0.0f) sha256_add(&s, later, sizeof later);
  if (c->flash_bytes > 0) sha256_add(&s, &c->flash_bytes, sizeof c->flash_bytes);
  if (c->average > 0.0f) sha256_add(&s, &c->average, sizeof c->average);
  const float drawn[] = {c->balance, c->hard};
  if (c->balance || c->hard > 0.0f) sha256_add(&s, drawn, sizeof drawn);
  sha256_add(&s, whole, sizeof whole);
  sha256_add(&s, &c->seed, sizeof c->seed);
  if (x->labels) sha256_add(&s, x->labels, x->n * sizeof *x->labels);
  sha256_end(&s, digest);
}

/* ---- set-up ------------------------------------------------------------------------- */
static int threads_of(int asked) {
  if (asked > 0) return asked;
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n > ENGINE_WORKERS ? ENGINE_WORKERS : (int)n;
}

static void find_class_weights(struct fit *f) {
  uint32_t counts[1000] = {0};
  for (int c = 0; c < f->g->classes; c++) f->class_weight[c] = 1.0f;
  if (f->g->labels_at < 0) return;
  for (uint32_t i = 0; i < f->examples->n; i++) counts[f->examples->labels[i]]++;
  for (int c = 0; c < f->g->classes; c++) {
    const double w = (double)f->examples->n / ((double)f->g->classes * counts[c]);
    f->class_weight[c] = !f->config->class_weights || f->config->balance ? 1.0f
                         : w > 10.0                                      ? 10.0f
                                                                         : (float)w;
  }
}

/* Scale and zero point that give the features mean 0 and variance 1, from at most 512 examples. */
static void find_input_scale(struct fit *f) {
  const uint32_t n = f->examples->n < 512 ? f->examples->n : 512;
  double sum = 0, squares = 0;
  for (uint32_t i = 0; i < n; i++) {
    f->examples->example(f->examples->context, (uint32_t)((uint64_t)i * f->examples->n / n), 0,
                         f->drawn);
    for (size_t j = 0; j < f->features; j++) {
      sum += f->drawn[j];
      squares += (double)f->drawn[j] * f->drawn[j];
    }
  }
  const double count = (double)n * (double)f->features, mean = sum / count;
  const double variance = squares / count - mean * mean;
  f->head.input_zp = (int32_t)rint(mean);
  f->head.input_scale = (float)(1.0 / sqrt(variance > 1.0 ? variance : 1.0));
}

static float *section(float **next, size_t n) {
  float *p = *next;
  *next += n;
  return p;
}

static void lay_out(struct fit *f) {
  const size_t p = f->g->n_params, r = f->g->n_running + LANES, v = 2 * (size_t)f->g->n_values;
  const size_t b = f->config->flash_bytes > 0 ? (size_t)f->g->n_units : 0;
  const bool average = f->config->average > 0.0f;
  f->head.n_floats = 5 * p + 2 * r + 2 * v + b + (average ? p + r : 0);
  float *next = f->floats = ARENA_ARRAY(f->arena, float, f->head.n_floats);
  f->params = section(&next, p); /* sections of whole vectors first: they stay aligned */
  f->m = section(&next, p);
  f->v = section(&next, p);
  f->best = section(&next, p);
  f->folded = section(&next, p);
  f->mean = average ? section(&next, p) : NULL;
  f->running = section(&next, r);
  f->best_running = section(&next, r);
  f->mean_running = average ? section(&next, r) : NULL;
  f->ranges = section(&next, v);
  f->best_ranges = section(&next, v);
  f->bits = section(&next, b);
  f->g->params = f->params;
  f->g->running = f->running;
  f->g->ranges = f->ranges;
}

/* A checkpoint belongs to the weights that its training began with. */
static void add_start(struct fit *f, const struct train_network *net) {
  struct sha256 s;
  sha256_init(&s);
  sha256_add(&s, f->head.fingerprint, sizeof f->head.fingerprint);
  for (int i = 0; i < net->n_layers; i++) {
    const struct unit *u = &f->g->units[i];
    const float *w = f->hooks->start->weights[i];
    if (w) sha256_add(&s, w, engine_kept_weights(u) * sizeof *w);
  }
  sha256_end(&s, f->head.fingerprint);
}

static bool set_up(struct fit *f, const struct train_network *net) {
  const struct train_config *c = f->config;
  const uint32_t n = f->examples->n;
  f->features = (size_t)net->in_h * (size_t)net->in_w * (size_t)net->in_c;
  f->steps = (int)((n + (uint32_t)c->batch / 2) / (uint32_t)c->batch);
  if (f->steps < 1) f->steps = 1;
  const int capacity = (int)((n + (uint32_t)f->steps - 1) / (uint32_t)f->steps);
  f->g = engine_new(f->arena, net, capacity, true, f->e);
  if (!f->g || (c->flash_bytes > 0 && !engine_bits_fit(f->g, c->flash_bytes, f->e))) return false;
  f->history = ARENA_ARRAY(f->arena, struct train_epoch, c->epochs + c->qat_epochs + 1);
  f->sampling = sampling_new(f->arena, n, f->examples->labels,
                             f->g->labels_at < 0 ? 0 : f->g->classes, c->balance, c->hard);
  f->drawn = ARENA_ARRAY(f->arena, int8_t, f->features * (size_t)capacity);
  f->labels = ARENA_ARRAY(f->arena, int32_t, capacity);
  f->second = ARENA_ARRAY(f->arena, int32_t, capacity);
  f->weights = ARENA_ARRAY(f->arena, float, capacity);
  f->mix = ARENA_ARRAY(f->arena, float, capacity);
  const size_t targets = (size_t)f->g->n_targets;
  if (targets > 0) {
    f->targets = ARENA_ARRAY(f->arena, float, targets *(size_t)capacity);
    f->drawn_targets = ARENA_ARRAY(f->arena, float, targets *(size_t)capacity);
  }
  if (c->distil > 0.0f && f->hooks->teacher->g->capacity < capacity)
    return err_set(f->e, "the teacher was trained with batches of %d, these have %d examples",
                   f->hooks->teacher->g->capacity, capacity);
  if (c->distil > 0.0f)
    f->opinions = ARENA_ARRAY(f->arena, float, (size_t)f->g->classes *(size_t)capacity);
  find_class_weights(f);
  lay_out(f);
  f->head.magic = MAGIC;
  f->head.head_bytes = (uint32_t)sizeof f->head;
  fingerprint(net, c, f->examples, f->validation, f->head.fingerprint);
  if (f->hooks->start) add_start(f, net);
  return true;
}

static void use_input_scale(struct fit *f) {
  f->g->values[0].scale = f->head.input_scale;
  f->g->values[0].zp = f->head.input_zp;
}

/* ---- batches ------------------------------------------------------------------------- */
/* share of x and the rest of y, rounded to the steps of the features. */
static void put_mixed(struct engine *g, int sample, const int8_t *x, const int8_t *y, float share) {
  const struct value *v = &g->values[0];
  const float scale = g->folded && g->mode == ENGINE_INT8 ? 1.0f : v->scale;
  float *to = value_at(v, v->y, sample);
  for (int p = 0; p < v->h * v->w; p++)
    for (int c = 0; c < v->c; c++, x++, y++) {
      const float q =
          share < 1.0f ? rintf(share * (float)*x + (1.0f - share) * (float)*y) : (float)*x;
      to[p * v->cs + c] = (q - (float)v->zp) * scale;
    }
}

static void put_features(struct engine *g, int sample, const int8_t *features) {
  const struct value *v = &g->values[0];
  const float scale = g->folded && g->mode == ENGINE_INT8 ? 1.0f : v->scale;
  float *x = value_at(v, v->y, sample);
  for (int p = 0; p < v->h * v->w; p++)
    for (int c = 0; c < v->c; c++)
      x[p * v->cs + c] = (float)(features[p * v->c + c] - v->zp) * scale;
}

/* Beta(a, a) by Joehnk's method; exact for every a > 0. */
static float draw_beta(struct rng *r, float a) {
  for (int i = 0; i < 100; i++) {
    const double x = train_exp(train_log((double)rng_unit(r) + 1e-9) / (double)a);
    const double y = train_exp(train_log((double)rng_unit(r) + 1e-9) / (double)a);
    if (x + y <= 1.0 && x + y > 0.0) return (float)(x / (x + y));
  }
  return 1.0f;
}

/* From which the chance of a draw comes: the example's number where each comes once, else the place in the epoch. */
static uint64_t draw_seed(const struct fit *f, int item) {
  const uint32_t place = f->first + (uint32_t)item;
  return train_mix(f->config->seed, (uint64_t)f->batch_epoch,
                   sampling_repeats(&f->sampling) ? place : f->sampling.order[place]);
}

static void draw(struct fit *f, uint32_t index, uint64_t seed, int8_t *to) {
  const struct train_config *c = f->config;
  const struct value *v = &f->g->values[0];
  f->examples->example(f->examples->context, index, seed, to);
  if (c->time_masks > 0 || c->band_masks > 0)
    train_augment_mask(to, v->h, v->w, v->c, c->time_masks, c->time_mask_max, c->band_masks,
                       c->band_mask_max, (int8_t)f->head.input_zp, train_mix(seed, 0x6d61736b, 0));
}

/* Draws an example of the batch. */
static void draw_item(void *context, int item, int worker) {
  struct fit *f = context;
  const uint32_t index = f->sampling.order[f->first + (uint32_t)item];
  const uint64_t seed = draw_seed(f, item) | 1;
  const size_t targets = (size_t)f->g->n_targets;
  (void)worker;
  draw(f, index, seed, f->drawn + (size_t)item * f->features);
  if (targets > 0)
    f->examples->targets(f->examples->context, index, seed,
                         f->drawn_targets + (size_t)item * targets);
}

/* Puts it into the network, mixed with the next one of the batch, which is drawn already: mixing costs no draw. */
static void fill_item(void *context, int item, int worker) {
  struct fit *f = context;
  const uint32_t index = f->sampling.order[f->first + (uint32_t)item];
  const int next = (item + 1) % f->count;
  const bool labels = f->g->labels_at >= 0;
  const size_t targets = (size_t)f->g->n_targets, n = f->features;
  const int8_t *x = f->drawn + (size_t)item * n, *y = f->drawn + (size_t)next * n;
  float share = 1.0f;
  (void)worker;
  f->labels[item] = labels ? f->examples->labels[index] : 0;
  f->second[item] = labels ? f->examples->labels[f->sampling.order[f->first + (uint32_t)next]] : 0;
  f->weights[item] = labels ? f->class_weight[f->labels[item]] : 1.0f;
  if (f->config->mixup > 0.0f) {
    struct rng r;
    rng_seed(&r, draw_seed(f, item) ^ 0x6d6978);
    share = draw_beta(&r, f->config->mixup);
    if (share < 0.5f) share = 1.0f - share;
  }
  f->mix[item] = share;
  for (size_t i = 0; i < targets; i++)
    f->targets[(size_t)item * targets + i] =
        share * f->drawn_targets[(size_t)item * targets + i] +
        (1.0f - share) * f->drawn_targets[(size_t)next * targets + i];
  put_mixed(f->g, item, x, y, share);
  if (f->opinions) put_mixed(f->hooks->teacher->g, item, x, y, share);
}

/* The teacher's logits of the batch, which lies in its input already; a float pass with its own statistics. */
static void ask_teacher(struct fit *f, int count) {
  struct engine *t = f->hooks->teacher->g;
  t->params = f->hooks->teacher->folded;
  t->pool = f->g->pool;
  engine_forward(t, count, ENGINE_EVAL);
  t->pool = NULL;
  const struct value *v = &t->values[t->labels_at];
  for (int s = 0; s < count; s++)
    memcpy(f->opinions + (size_t)s * (size_t)t->classes, value_at(v, v->y, s),
           (size_t)t->classes * sizeof(float));
  f->g->teacher = f->opinions;
  f->g->distil = f->config->distil;
  f->g->temperature = f->config->temperature > 0.0f ? f->config->temperature : 4.0f;
}

static int fill_batch(struct fit *f, int epoch, int step, enum engine_mode mode) {
  const uint32_t n = f->examples->n;
  f->first = (uint32_t)((uint64_t)n * (uint64_t)step / (uint64_t)f->steps);
  const uint32_t end = (uint32_t)((uint64_t)n * (uint64_t)(step + 1) / (uint64_t)f->steps);
  f->batch_epoch = epoch;
  f->g->mode = mode;
  if (f->opinions) f->hooks->teacher->g->mode = ENGINE_EVAL;
  const int count = f->count = (int)(end - f->first);
  pool_run(f->g->pool, count, false, draw_item, f);
  pool_run(f->g->pool, count, false, fill_item, f);
  f->g->labels = f->labels;
  f->g->sample_weights = f->weights;
  f->g->second_labels = f->config->mixup > 0.0f ? f->second : NULL;
  f->g->mix = f->config->mixup > 0.0f ? f->mix : NULL;
  f->g->targets = f->targets;
  f->g->label_smoothing = f->config->label_smoothing;
  f->g->focal = f->config->focal;
  if (f->opinions) ask_teacher(f, count);
  f->g->dropout_seed = train_mix(f->config->seed, (uint64_t)epoch, 0x64726f70u + (uint64_t)step);
  return count;
}

static void shuffle(struct fit *f, int epoch, bool with_hardness) {
  sampling_draw(&f->sampling, train_mix(f->config->seed, 0x73687566, (uint64_t)epoch),
                with_hardness);
}

/* ---- evaluation ------------------------------------------------------------------------ */
static void run_block(struct engine *g, const int8_t *features, int count, enum engine_mode mode) {
  const struct value *v = &g->values[0];
  const size_t size = (size_t)v->h * (size_t)v->w * (size_t)v->c;
  g->mode = mode;
  for (int i = 0; i < count; i++) put_features(g, i, features + (size_t)i * size);
  engine_forward(g, count, mode);
}

static void evaluate(struct fit *f, enum engine_mode mode, struct train_epoch *epoch) {
  const struct train_set *s = f->validation;
  epoch->validation_loss = epoch->validation_accuracy = NAN;
  if (!s || s->n == 0) return;
  struct engine *g = f->g;
  double loss = 0;
  int64_t all = 0;
  g->sample_weights = NULL;
  g->second_labels = NULL;
  g->mix = NULL;
  g->label_smoothing = g->focal = 0;
  g->teacher = NULL;
  for (uint32_t i = 0; i < s->n;) {
    const uint32_t left = s->n - i;
    const int count = left < (uint32_t)g->capacity ? (int)left : g->capacity;
    int right;
    run_block(g, s->features + (size_t)i * f->features, count, mode);
    g->labels = s->labels ? s->labels + i : NULL;
    g->targets = s->targets ? s->targets + (size_t)i * (size_t)g->n_targets : NULL;
    loss += engine_loss(g, &right) * count;
    all += right;
    i += (uint32_t)count;
  }
  epoch->validation_loss = (float)(loss / s->n);
  epoch->validation_accuracy = (float)((double)all / s->n);
}

/* The network looks at the averaged weights, which are what is judged and kept, or at those that learn. */
static void look_at_mean(struct fit *f, bool mean) {
  f->g->params = mean && f->mean ? f->mean : f->params;
  f->g->running = mean && f->mean ? f->mean_running : f->running;
}

/* A fresh draw of example first + item, as it is without the others of its batch. */
static void draw_hard_item(void *context, int item, int worker) {
  struct fit *f = context;
  const uint32_t index = f->first + (uint32_t)item;
  (void)worker;
  draw(f, index, train_mix(f->config->seed, (uint64_t)f->batch_epoch, index ^ 0x68617264u) | 1,
       f->drawn + (size_t)item * f->features);
}

static bool is_cancelled(struct fit *f, int epoch) {
  if (!f->hooks->cancel || !*f->hooks->cancel) return false;
  err_set(f->e, "cancelled in epoch %d", epoch);
  return true;
}

/* How hard each example is for the network as it stands: -log of its label's share, of a fresh draw. */
static bool look_for_hard(struct fit *f, int epoch, enum engine_mode mode) {
  struct engine *const g = f->g;
  const uint32_t n = f->examples->n;
  f->batch_epoch = epoch;
  /* Before a phase's first step the mean is the last one's. */
  look_at_mean(f, f->head.phase_step > 0);
  if (mode == ENGINE_INT8) engine_quantise(g);
  for (f->first = 0; f->first < n;) {
    if (is_cancelled(f, epoch)) return false;
    const uint32_t left = n - f->first;
    const int count = left < (uint32_t)g->capacity ? (int)left : g->capacity;
    pool_run(g->pool, count, false, draw_hard_item, f);
    run_block(g, f->drawn, count, mode);
    for (int i = 0; i < count; i++)
      f->sampling.hardness[f->first + (uint32_t)i] =
          (float)loss_of_label(g, i, f->examples->labels[f->first + (uint32_t)i]);
    f->first += (uint32_t)count;
  }
  look_at_mean(f, false);
  return true;
}

/* Better: more right answers, then less loss; without validation the latest. */
static bool is_better(const struct fit *f, const struct train_epoch *x) {
  if (isnan(x->validation_loss)) return true;
  if (x->validation_accuracy != f->head.best_accuracy)
    return x->validation_accuracy > f->head.best_accuracy;
  return x->validation_loss < f->head.best_loss;
}

/* ---- epochs ------------------------------------------------------------------------------ */
static float rate_at(const struct fit *f, bool qat, int64_t step) {
  const double peak = (double)(qat ? f->config->qat_learning_rate : f->config->learning_rate);
  const double total = (double)f->steps * (qat ? f->config->qat_epochs : f->config->epochs);
  const double warm = qat ? 0.0 : floor(total * 0.05);
  if ((double)step < warm) return (float)(peak * ((double)step + 1.0) / warm);
  const double t = total > warm ? ((double)step - warm) / (total - warm) : 0.0;
  return (float)(peak * (0.01 + 0.99 * 0.5 * (1.0 + train_cos_half_turn(t > 1.0 ? 1.0 : t))));
}

static void adam_step(struct fit *f, float rate) {
  f->head.power_1 *= 0.9;
  f->head.power_2 *= 0.999;
  const struct adam how = {rate, f->config->weight_decay, (float)(1.0 / (1.0 - f->head.power_1)),
                           (float)(1.0 / (1.0 - f->head.power_2))};
  engine_adam(f->g, &how, f->m, f->v);
  f->head.phase_step++;
  if (!f->mean) return;
  /* A plain mean at first, then one that forgets. */
  const float span = fmaxf(f->config->average * (float)f->steps, 1);
  const float so_far = (float)f->head.phase_step, k = 1.0f / (so_far < span ? so_far : span);
  for (size_t i = 0; i < f->g->n_params; i++) f->mean[i] += k * (f->params[i] - f->mean[i]);
  for (size_t i = 0; i < f->g->n_running; i++)
    f->mean_running[i] += k * (f->running[i] - f->mean_running[i]);
}

static bool run_epoch(struct fit *f, int epoch, bool qat, struct train_epoch *x) {
  const int total = f->config->epochs + f->config->qat_epochs;
  double loss = 0;
  int64_t right = 0, seen = 0;
  const bool hard = f->config->hard > 0.0f && epoch > 1;
  if (hard && !look_for_hard(f, epoch, qat ? ENGINE_INT8 : ENGINE_EVAL)) return false;
  shuffle(f, epoch, hard);
  for (int step = 0; step < f->steps; step++) {
    if (is_cancelled(f, epoch)) return false;
    const int count = fill_batch(f, epoch, step, qat ? ENGINE_INT8 : ENGINE_TRAIN);
    if (qat) engine_quantise(f->g);
    engine_forward(f->g, count, qat ? ENGINE_INT8 : ENGINE_TRAIN);
    /* Ranges follow the activations in the first half and then stand still, so that weights can settle. */
    if (qat && f->head.qat_epoch * 2 < f->config->qat_epochs) engine_observe_int8(f->g, 0.02f);
    int hits;
    const double batch_loss = engine_backward(f->g, &hits);
    if (!isfinite(batch_loss))
      return err_set(
          f->e, "the loss is not finite in epoch %d; a smaller learning_rate than %g would help",
          epoch, (double)f->config->learning_rate);
    x->learning_rate = rate_at(f, qat, f->head.phase_step);
    adam_step(f, x->learning_rate);
    loss += batch_loss * count;
    right += hits;
    seen += count;
    char share[32] = ""; /* of classes alone */
    if (f->g->labels_at >= 0)
      snprintf(share, sizeof share, "  accuracy %.1f %%", 100.0 * (double)right / (double)seen);
    progress_update(f->hooks->progress, "train",
                    (uint64_t)(epoch - 1) * (uint64_t)f->steps + (uint64_t)step + 1,
                    (uint64_t)total * (uint64_t)f->steps, "%sepoch %d of %d  loss %.3f%s",
                    qat ? "int8 " : "", epoch, total, loss / (double)seen, share);
  }
  x->epoch = epoch;
  x->quantised = qat;
  x->loss = (float)(loss / (double)seen);
  x->accuracy = (float)((double)right / (double)seen);
  look_at_mean(f, true);
  if (qat) engine_quantise(f->g);
  evaluate(f, qat ? ENGINE_INT8 : ENGINE_EVAL, x);
  look_at_mean(f, false);
  return true;
}

/* ---- checkpoints ---------------------------------------------------------------------------- */
static size_t checkpoint_size(const struct fit *f) {
  return sizeof f->head + (size_t)f->head.n_history * sizeof *f->history +
         (size_t)f->head.n_floats * sizeof(float) + 32;
}

/* Nothing is left to train. */
static bool is_over(const struct fit *f, const struct head *h) {
  const struct train_config *c = f->config;
  if (c->qat_epochs > 0) return h->phase == PHASE_QAT && h->qat_epoch >= c->qat_epochs;
  return h->epoch >= c->epochs || (c->patience > 0 && h->stale >= c->patience);
}

/* The fingerprint of a training that goes on: at another level of instructions sums round otherwise, and what came out would
 * be the training of no seed. What is over is as good on any machine. */
static void add_level(const struct fit *f, const struct head *h, uint8_t fingerprint[32]) {
  const char *const name = f->g->lanes->name;
  struct sha256 s;
  if (is_over(f, h)) return;
  sha256_init(&s);
  sha256_add(&s, fingerprint, 32);
  sha256_add(&s, name, strlen(name));
  sha256_end(&s, fingerprint);
}

static bool save_checkpoint(struct fit *f, const struct train_epoch *epoch) {
  if (!f->hooks->checkpoint) return true;
  const size_t size = checkpoint_size(f);
  struct arena *a = arena_new(size + (1 << 20));
  uint8_t *bytes = arena_alloc(a, size, 1), *to = bytes;
  struct head head = f->head;
  add_level(f, &head, head.fingerprint);
  memcpy(to, &head, sizeof head);
  to += sizeof head;
  memcpy(to, f->history, (size_t)f->head.n_history * sizeof *f->history);
  to += (size_t)f->head.n_history * sizeof *f->history;
  memcpy(to, f->floats, (size_t)f->head.n_floats * sizeof(float));
  struct sha256 s;
  sha256_init(&s);
  sha256_add(&s, bytes, size - 32);
  sha256_end(&s, bytes + size - 32);
  const bool ok = f->hooks->checkpoint(f->hooks->context, bytes, size, epoch, f->e);
  arena_free(a);
  return ok;
}

static bool load_checkpoint(struct fit *f) {
  const uint8_t *bytes = f->hooks->resume;
  const size_t size = f->hooks->resume_bytes;
  struct head head;
  uint8_t digest[32];
  if (size < sizeof head + 32) return err_set(f->e, "the checkpoint is cut short: %zu bytes", size);
  memcpy(&head, bytes, sizeof head);
  if (head.magic != MAGIC || head.head_bytes != sizeof head)
    return err_set(f->e, "not a checkpoint of this version of the trainer");
  struct sha256 s;
  sha256_init(&s);
  sha256_add(&s, bytes, size - 32);
  sha256_end(&s, digest);
  if (memcmp(digest, bytes + size - 32, 32) != 0)
    return err_set(f->e, "the checkpoint is damaged: its checksum does not match");
  uint8_t own[32], fingerprint[32];
  memcpy(own, f->head.fingerprint, 32);
  memcpy(fingerprint, own, 32);
  add_level(f, &head, fingerprint);
  if (memcmp(head.fingerprint, fingerprint, 32) != 0 || head.n_floats != f->head.n_floats)
    return err_set(f->e,
                   "the checkpoint belongs to another network, other examples, other settings or a "
                   "processor with other instructions; start without it");
  if (head.n_history < 0 || head.n_history > f->config->epochs + f->config->qat_epochs ||
      head.phase < PHASE_FLOAT || head.phase > PHASE_DONE)
    return err_set(f->e, "the checkpoint contradicts itself");
  f->head = head;
  memcpy(f->head.fingerprint, own, 32);
  if (size != checkpoint_size(f)) return err_set(f->e, "the checkpoint has a wrong size");
  bytes += sizeof head;
  memcpy(f->history, bytes, (size_t)head.n_history * sizeof *f->history);
  memcpy(f->floats, bytes + (size_t)head.n_history * sizeof *f->history,
         (size_t)head.n_floats * sizeof(float));
  return true;
}

/* ---- phases ------------------------------------------------------------------------------------ */
static size_t bytes_of(size_t floats) { return floats * sizeof(float); }

static void keep_best(struct fit *f, const struct train_epoch *x, bool qat, bool mean) {
  struct head *h = &f->head;
  mean = mean && f->mean;
  h->best_accuracy = x->validation_accuracy;
  h->best_loss = x->validation_loss;
  h->stale = 0;
  memcpy(f->best, mean ? f->mean : f->params, bytes_of(f->g->n_params));
  if (qat) {
    h->best_qat_epoch = x->epoch;
    memcpy(f->best_ranges, f->ranges, bytes_of(2 * (size_t)f->g->n_values));
  } else {
    h->best_epoch = x->epoch;
    memcpy(f->best_running, mean ? f->mean_running : f->running, bytes_of(f->g->n_running));
  }
}

static void start_phase(struct fit *f, enum phase phase) {
  f->head.phase = (int32_t)phase;
  f->head.stale = 0;
  f->head.phase_step = 0;
  f->head.power_1 = f->head.power_2 = 1.0;
  memset(f->m, 0, bytes_of(f->g->n_params));
  memset(f->v, 0, bytes_of(f->g->n_params));
}

static bool end_epoch(struct fit *f, const struct train_epoch *x, bool qat) {
  if (is_better(f, x))
    keep_best(f, x, qat, true);
  else
    f->head.stale++;
  f->history[f->head.n_history++] = *x;
  f->head.epoch = x->epoch;
  if (qat) f->head.qat_epoch++;
  return save_checkpoint(f, x);
}

static bool float_phase(struct fit *f) {
  while (f->head.epoch < f->config->epochs &&
         (f->config->patience == 0 || f->head.stale < f->config->patience)) {
    struct train_epoch x = {0};
    if (!run_epoch(f, f->head.epoch + 1, false, &x) || !end_epoch(f, &x, false)) return false;
  }
  return true;
}

/* Mean loss of some batches with the present bits, for engine_choose_bits. */
static double quantised_loss(void *context) {
  struct fit *f = context;
  double loss = 0;
  const int batches = f->steps < CALIBRATION / 2 ? f->steps : CALIBRATION / 2;
  engine_quantise(f->g);
  for (int i = 0; i < batches; i++) {
    int right;
    const int count = fill_batch(f, 0, i, ENGINE_INT8);
    engine_forward(f->g, count, ENGINE_INT8);
    loss += engine_loss(f->g, &right);
  }
  return loss / batches;
}

static void choose_bits(struct fit *f) {
  if (f->config->flash_bytes == 0) return;
  engine_choose_bits(f->g, f->config->flash_bytes, quantised_loss, f);
  for (int i = 0; i < f->g->n_units; i++) f->bits[i] = (float)f->g->units[i].bits;
}

/* What a head of numbers says must reach all of its targets: between the ends of most batches, as other values have it, the
 * rare ones would be cut off. */
static void cover_targets(struct fit *f) {
  const struct train_network *net = &f->g->net;
  for (int h = 0, at = 0; h < net->n_heads; at += net->heads[h++].n_targets) {
    if (net->heads[h].kind != TRAIN_HEAD_NUMBERS) continue;
    float low = 0, high = 0;
    for (uint32_t i = 0; i < f->examples->n; i++) {
      f->examples->targets(f->examples->context, i, 0, f->drawn_targets);
      for (int k = at; k < at + net->heads[h].n_targets; k++) {
        low = f->drawn_targets[k] < low ? f->drawn_targets[k] : low;
        high = f->drawn_targets[k] > high ? f->drawn_targets[k] : high;
      }
    }
    engine_cover(f->g, net->heads[h].layer + 1, low, high);
  }
}

/* From the best float weights to integers: fold, then look at the ranges of some augmented batches. */
static void calibrate(struct fit *f) {
  struct engine *g = f->g;
  memcpy(f->params, f->best, bytes_of(g->n_params));
  memcpy(f->running, f->best_running, bytes_of(g->n_running));
  engine_fold(g, f->params, f->running);
  engine_set_folded(g);
  memcpy(f->folded, f->params, bytes_of(g->n_params));
  engine_quant_init(g);
  cover_targets(f);
  shuffle(f, 0, false);
  for (int i = 0; i < CALIBRATION && i < f->steps; i++) {
    const int count = fill_batch(f, 0, i, ENGINE_EVAL);
    engine_forward(g, count, ENGINE_EVAL);
    engine_observe(g, 1.0f / (float)(i + 1));
  }
  choose_bits(f);
  start_phase(f, PHASE_QAT);
  engine_quantise(g);
  struct train_epoch x = {0};
  evaluate(f, ENGINE_INT8, &x);
  f->head.best_accuracy = -1.0f;
  keep_best(f, &x, true, false);
  f->head.best_qat_epoch = 0;
}

static bool qat_phase(struct fit *f) {
  while (f->head.qat_epoch < f->config->qat_epochs) {
    struct train_epoch x = {0};
    if (!run_epoch(f, f->head.epoch + 1, true, &x) || !end_epoch(f, &x, true)) return false;
  }
  return true;
}

/* Weights that were trained before, in place of chance; the batch gives normalisation its first moments. */
static void begin_with(struct fit *f) {
  shuffle(f, 0, false);
  const int count = fill_batch(f, 0, 0, ENGINE_TRAIN);
  engine_start(f->g, count, f->hooks->start, f->params, f->running);
}

static bool run_phases(struct fit *f) {
  if (f->hooks->resume) {
    if (!load_checkpoint(f)) return false;
    use_input_scale(f);
  } else {
    find_input_scale(f);
    use_input_scale(f);
    engine_init_params(f->g, f->params, f->running, f->config->seed);
    if (f->hooks->start) begin_with(f);
    start_phase(f, PHASE_FLOAT);
    f->head.best_accuracy = -1.0f;
  }
  if (f->head.phase == PHASE_FLOAT) {
    if (!float_phase(f)) return false;
    calibrate(f);
  } else {
    engine_set_folded(f->g);
    engine_quant_init(f->g);
    cover_targets(f);
    for (int i = 0; i < f->g->n_units && f->config->flash_bytes > 0; i++)
      f->g->units[i].bits = f->bits[i] == 4.0f ? 4 : 8;
  }
  if (!qat_phase(f)) return false;
  memcpy(f->ranges, f->best_ranges, bytes_of(2 * (size_t)f->g->n_values));
  memcpy(f->params, f->best, bytes_of(f->g->n_params));
  engine_quantise(f->g);
  return true;
}

static int four_bit_layers(const struct engine *g) {
  int n = 0;
  for (int i = 0; i < g->n_units; i++) n += g->units[i].linear && g->units[i].bits == 4;
  return n;
}

static const struct train_set *results_set(struct fit *f) {
  if (f->validation && f->validation->n > 0) return f->validation;
  /* Without validation: the training examples as they are, a thousand at most. */
  const uint32_t n = f->examples->n < 1000 ? f->examples->n : 1000;
  struct train_set *s = ARENA_NEW(f->arena, struct train_set);
  int8_t *features = ARENA_ARRAY(f->arena, int8_t, (size_t)n * f->features);
  int32_t *labels = ARENA_ARRAY(f->arena, int32_t, n);
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t index = (uint32_t)((uint64_t)i * f->examples->n / n);
    f->examples->example(f->examples->context, index, 0, features + (size_t)i * f->features);
    labels[i] = f->examples->labels[index];
  }
  *s = (struct train_set){.n = n, .features = features, .labels = labels};
  return s;
}

bool train_fit(struct arena *a, const struct train_network *net,
               const struct train_examples *examples, const struct train_set *validation,
               const struct train_config *config, const struct train_hooks *hooks,
               struct train_result *result, struct err *e) {
  static const struct train_hooks none;
  struct train_network checked = *net;
  if (!train_config_check(config, e) || !train_network_check(&checked, e) ||
      !check_questions(&checked, examples, validation, config, hooks ? hooks->teacher : NULL, e))
    return false;
  if (asks_labels(&checked)
          ? !check_labels(examples, net->classes, e) || !check_set(validation, net->classes, e)
          : examples->n < 1 || examples->n > 100000000u)
    return examples->n < 1 ? err_set(e, "no training examples") : false;
  struct fit *f = ARENA_NEW(a, struct fit);
  f->arena = a;
  f->examples = examples;
  f->validation = validation;
  f->config = config;
  f->hooks = hooks ? hooks : &none;
  f->e = e;
  if (!set_up(f, &checked)) return false;
  const int threads = threads_of(config->threads);
  if (threads > 1) f->g->pool = pool_new(a, threads);
  const bool ok = run_phases(f);
  pool_free(f->g->pool);
  f->g->pool = NULL;
  if (!ok) return false;
  struct train_model *m = ARENA_NEW(a, struct train_model);
  *m = (struct train_model){f->g, f->folded, threads};
  const bool labels = f->g->labels_at >= 0;
  const struct train_set *set = labels ? results_set(f) : NULL;
  *result = (struct train_result){.model = m,
                                  .graph = engine_export(f->g, a),
                                  .history = f->history,
                                  .n_history = f->head.n_history,
                                  .best_epoch = f->head.best_epoch,
                                  .best_qat_epoch = f->head.best_qat_epoch,
                                  .float_accuracy = labels ? train_accuracy_float(m, set, NULL) : 0,
                                  .int8_accuracy = labels ? train_accuracy_int8(m, set, NULL) : 0,
                                  .input_scale = f->head.input_scale,
                                  .input_zp = f->head.input_zp,
                                  .weight_bytes = engine_weight_bytes(f->g),
                                  .four_bit_layers = four_bit_layers(f->g)};
  return graph_check(result->graph, e);
}

/* ---- a trained model ------------------------------------------------------------------------------ */
static void softmax(const float *logits, int n, float *out) {
  double sum = 0, top = (double)logits[0];
  for (int c = 1; c < n; c++) top = (double)logits[c] > top ? (double)logits[c] : top;
  for (int c = 0; c < n; c++) sum += train_exp((double)logits[c] - top);
  for (int c = 0; c < n; c++) out[c] = (float)(train_exp((double)logits[c] - top) / sum);
}

/* Runs all examples in blocks; out gets the values of `at`, pixel by pixel, real or (steps) as int8. */
static void run_all(const struct train_model *m, int at, const int8_t *features, uint32_t n,
                    enum engine_mode mode, float *real, int8_t *steps) {
  struct engine *g = m->g;
  const struct value *in = &g->values[0], *v = &g->values[at];
  const size_t size = (size_t)in->h * (size_t)in->w * (size_t)in->c;
  struct arena *a = arena_new(1 << 20);
  g->params = m->folded;
  if (m->threads > 1 && n > 8) g->pool = pool_new(a, m->threads);
  size_t to = 0;
  for (uint32_t i = 0; i < n;) {
    const int count = n - i < (uint32_t)g->capacity ? (int)(n - i) : g->capacity;
    run_block(g, features + (size_t)i * size, count, mode);
    i += (uint32_t)count;
    for (int p = 0; p < count * v->h * v->w; p++)
      for (int c = 0; c < v->c; c++, to++) {
        const float y = v->y[(size_t)p * (size_t)v->cs + (size_t)c];
        if (steps)
          steps[to] = (int8_t)((int32_t)y + v->zp);
        else
          real[to] = mode == ENGINE_INT8 ? y * v->scale : y;
      }
  }
  pool_free(g->pool);
  g->pool = NULL;
  arena_free(a);
}

void train_predict_float(const struct train_model *m, const int8_t *features, uint32_t n,
                         float *out) {
  const int classes = m->g->classes;
  float logits[1000];
  run_all(m, m->g->labels_at, features, n, ENGINE_EVAL, out, NULL);
  for (uint32_t i = 0; i < n; i++) {
    memcpy(logits, out + (size_t)i * (size_t)classes, (size_t)classes * sizeof *logits);
    softmax(logits, classes, out + (size_t)i * (size_t)classes);
  }
}

bool train_prune(struct arena *a, const struct train_model *m, const struct train_budget *budget,
                 struct train_start *start, struct err *e) {
  memset(start, 0, sizeof *start);
  return engine_prune(m->g, m->folded, budget, a, start, e);
}

void train_predict_head(const struct train_model *m, int head, bool int8, const int8_t *features,
                        uint32_t n, float *out) {
  const struct train_head *h = &m->g->net.heads[head];
  const struct value *v = &m->g->values[h->layer + 1];
  run_all(m, h->layer + 1, features, n, int8 ? ENGINE_INT8 : ENGINE_EVAL, out, NULL);
  if (h->kind != TRAIN_HEAD_CLASSES && h->kind != TRAIN_HEAD_CELLS) return;
  float logits[1000];
  for (size_t i = 0; i < (size_t)n * (size_t)(v->h * v->w); i++, out += v->c) {
    memcpy(logits, out, (size_t)v->c * sizeof *logits);
    softmax(logits, v->c, out);
  }
}

/* The SOFTMAX of the graph over n rows of logits, by the reference evaluation. */
static void softmax_int8(const struct engine *g, uint32_t n, int8_t *rows) {
  const size_t bytes = (size_t)n * (size_t)g->classes;
  struct arena *a = arena_new(4 * bytes + (4 << 20));
  struct graph *gr = graph_new(a, "softmax");
  const struct value *v = &g->values[g->labels_at];
  struct graph_tensor t = {
      .name = "logits", .type = MOTE_INT8, .rank = 2, .dims = {(int32_t)n, g->classes}};
  t.quant = graph_quant_one(a, v->scale, v->zp);
  struct graph_node node = {.op = MOTE_OP_SOFTMAX, .n_in = 1, .n_out = 1, .source_op = 0};
  node.attrs = (struct graph_attrs){
      .beta = 1.0f, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1};
  node.in[0] = graph_add_tensor(gr, &t);
  t.name = "scores";
  t.quant = graph_quant_one(a, 0x1p-8f, -128);
  node.out[0] = graph_add_tensor(gr, &t);
  graph_add_node(gr, &node);
  graph_set_inputs(gr, &node.in[0], 1);
  graph_set_outputs(gr, &node.out[0], 1);
  const void *inputs[1] = {rows}, *values[2] = {NULL, NULL};
  if (graph_evaluate(gr, inputs, a, values, NULL)) memcpy(rows, values[node.out[0]], bytes);
  arena_free(a);
}

void train_predict_int8(const struct train_model *m, const int8_t *features, uint32_t n,
                        int8_t *out) {
  run_all(m, m->g->labels_at, features, n, ENGINE_INT8, NULL, out);
  for (uint32_t i = 0; i < n; i += 4096)
    softmax_int8(m->g, n - i < 4096 ? n - i : 4096, out + (size_t)i * (size_t)m->g->classes);
}

/* Share of examples whose greatest score is their label's; the first of equals counts. */
static float count_right(const float *scores, size_t classes, const struct train_set *set,
                         uint32_t *confusion) {
  uint32_t right = 0;
  if (confusion) memset(confusion, 0, classes * classes * sizeof *confusion);
  for (uint32_t i = 0; i < set->n; i++) {
    const float *p = scores + i * classes;
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
      if (p[c] > p[best]) best = c;
    right += (int32_t)best == set->labels[i];
    if (confusion) confusion[(size_t)set->labels[i] * classes + best]++;
  }
  return set->n ? (float)((double)right / set->n) : 0.0f;
}

float train_accuracy_float(const struct train_model *m, const struct train_set *set,
                           uint32_t *confusion) {
  const size_t classes = (size_t)m->g->classes, n = set->n * classes;
  struct arena *a = arena_new(n * sizeof(float) + (1 << 20));
  float *scores = ARENA_ARRAY(a, float, n);
  train_predict_float(m, set->features, set->n, scores);
  const float accuracy = count_right(scores, classes, set, confusion);
  arena_free(a);
  return accuracy;
}

float train_accuracy_int8(const struct train_model *m, const struct train_set *set,
                          uint32_t *confusion) {
  const size_t classes = (size_t)m->g->classes, n = set->n * classes;
  struct arena *a = arena_new(n * (sizeof(float) + 1) + (1 << 20));
  int8_t *quantised = ARENA_ARRAY(a, int8_t, n);
  float *scores = ARENA_ARRAY(a, float, n); /* of int8: the same order */
  train_predict_int8(m, set->features, set->n, quantised);
  for (size_t i = 0; i < n; i++) scores[i] = quantised[i];
  const float accuracy = count_right(scores, classes, set, confusion);
  arena_free(a);
  return accuracy;
}
