/* train/fit_check: what cannot be trained is refused before anything is. */
#include "host/train/fit.h"

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

bool fit_check(const struct train_network *net, const struct train_examples *x,
               const struct train_set *validation, const struct train_config *c,
               const struct train_model *teacher, struct err *e) {
  if (x->n < 1) return err_set(e, "no training examples");
  if (x->n > 100000000u) return err_set(e, "%u training examples; 100,000,000 at most", x->n);
  if (!train_config_check(c, e) || !check_questions(net, x, validation, c, teacher, e))
    return false;
  return !asks_labels(net) ||
         (check_labels(x, net->classes, e) && check_set(validation, net->classes, e));
}
