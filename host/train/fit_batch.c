/* train/fit_batch: how a batch is made. Examples are drawn, disturbed, masked and mixed, all by (seed, epoch, place). */
#include "host/train/fit.h"

#include <math.h>
#include <string.h>

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

void fit_draw(struct fit *f, uint32_t index, uint64_t seed, int8_t *to) {
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
  fit_draw(f, index, seed, f->drawn + (size_t)item * f->features);
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

int fit_fill_batch(struct fit *f, int epoch, int step, enum engine_mode mode) {
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

void fit_shuffle(struct fit *f, int epoch, bool with_hardness) {
  sampling_draw(&f->sampling, train_mix(f->config->seed, 0x73687566, (uint64_t)epoch),
                with_hardness);
}

static void put_features(struct engine *g, int sample, const int8_t *features) {
  const struct value *v = &g->values[0];
  const float scale = g->folded && g->mode == ENGINE_INT8 ? 1.0f : v->scale;
  float *x = value_at(v, v->y, sample);
  for (int p = 0; p < v->h * v->w; p++)
    for (int c = 0; c < v->c; c++)
      x[p * v->cs + c] = (float)(features[p * v->c + c] - v->zp) * scale;
}

void fit_run_block(struct engine *g, const int8_t *features, int count, enum engine_mode mode) {
  const struct value *v = &g->values[0];
  const size_t size = (size_t)v->h * (size_t)v->w * (size_t)v->c;
  g->mode = mode;
  for (int i = 0; i < count; i++) put_features(g, i, features + (size_t)i * size);
  engine_forward(g, count, mode);
}
