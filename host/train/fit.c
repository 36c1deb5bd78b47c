/* train/fit: the course of a training.
 *
 * Float epochs, then folding and calibration, then quantisation-aware epochs. Everything that an epoch leaves
 * behind lies in struct head, the history and one array of floats: a checkpoint is their bytes. All chance
 * comes from (seed, epoch, index), so that going on from a checkpoint repeats nothing and misses nothing. */
#include "host/train/fit.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define CALIBRATION 8 /* batches */

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
  fit_fingerprint(f, net);
  return true;
}

static void use_input_scale(struct fit *f) {
  f->g->values[0].scale = f->head.input_scale;
  f->g->values[0].zp = f->head.input_zp;
}

/* ---- evaluation ------------------------------------------------------------------------ */
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
    fit_run_block(g, s->features + (size_t)i * f->features, count, mode);
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
  fit_draw(f, index, train_mix(f->config->seed, (uint64_t)f->batch_epoch, index ^ 0x68617264u) | 1,
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
    fit_run_block(g, f->drawn, count, mode);
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
  fit_shuffle(f, epoch, hard);
  for (int step = 0; step < f->steps; step++) {
    if (is_cancelled(f, epoch)) return false;
    const int count = fit_fill_batch(f, epoch, step, qat ? ENGINE_INT8 : ENGINE_TRAIN);
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
  return fit_save(f, x);
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
    const int count = fit_fill_batch(f, 0, i, ENGINE_INT8);
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
  fit_shuffle(f, 0, false);
  for (int i = 0; i < CALIBRATION && i < f->steps; i++) {
    const int count = fit_fill_batch(f, 0, i, ENGINE_EVAL);
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
  fit_shuffle(f, 0, false);
  const int count = fit_fill_batch(f, 0, 0, ENGINE_TRAIN);
  engine_start(f->g, count, f->hooks->start, f->params, f->running);
}

static bool run_phases(struct fit *f) {
  if (f->hooks->resume) {
    if (!fit_load(f)) return false;
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
  if (!train_network_check(&checked, e) ||
      !fit_check(&checked, examples, validation, config, hooks ? hooks->teacher : NULL, e))
    return false;
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
