/* train/checkpoint: a training's head, history and floats as bytes, and what they must agree with to be taken up again. */
#include "host/train/fit.h"

#include <math.h>
#include <string.h>

#define MAGIC 0x54524e31u /* "1NRT" */

/* ---- what a training is known by ---- */
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

void fit_fingerprint(struct fit *f, const struct train_network *net) {
  f->head.magic = MAGIC;
  f->head.head_bytes = (uint32_t)sizeof f->head;
  fingerprint(net, f->config, f->examples, f->validation, f->head.fingerprint);
  if (f->hooks->start) add_start(f, net);
}

/* ---- bytes ---- */
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

bool fit_save(struct fit *f, const struct train_epoch *epoch) {
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

bool fit_load(struct fit *f) {
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
