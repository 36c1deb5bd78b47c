/* train/loss: what the heads answer against what they were asked: losses of one sample and their gradients.
 *
 * Classes: cross entropy of the softmax, with label smoothing, mixed labels, the focal factor (Lin et al. 2017) and
 * the opinion of a teacher (Hinton et al. 2015). Numbers: squared or Huber error. Masks: binary cross entropy.
 * Everything in double, one sample after the other, so threads cannot change a bit. */
#include "host/train/engine.h"

#include <math.h>
#include <string.h>

#define MOST_CLASSES 1000

/* One sample at one head. */
struct question {
  const struct engine *g;
  const struct train_head *head;
  const struct value *v;
  const float *y;       /* the answer */
  const float *targets; /* of this head */
  float *dy;            /* NULL: no gradient */
  float unit;           /* what a step of y is worth */
  double weight, scale; /* of the sample and head; of a gradient beside a loss */
  int sample;
};

/* ---- classes ---------------------------------------------------------------------------- */
/* p and log p of a softmax at `temperature`. */
static void softmax_of(const float *y, float unit, double temperature, int n, double *p,
                       double *log_p) {
  int best = 0;
  for (int c = 1; c < n; c++)
    if (y[c] > y[best]) best = c;
  const double top = (double)(y[best] * unit);
  double sum = 0;
  for (int c = 0; c < n; c++) sum += p[c] = train_exp(((double)(y[c] * unit) - top) / temperature);
  const double log_sum = train_log(sum);
  for (int c = 0; c < n; c++) {
    log_p[c] = ((double)(y[c] * unit) - top) / temperature - log_sum;
    p[c] /= sum;
  }
}

/* -sum of t (1 - p)^gamma log p, and its gradient added to d. With f(p) = -(1 - p)^gamma log p:
 * d/dy_j = t_j f'(p_j) p_j - p_j * sum of t_c f'(p_c) p_c. */
static double focal_loss(const double *p, const double *log_p, const double *target, int n,
                         double gamma, double *d) {
  double loss = 0, sum = 0, slope[MOST_CLASSES];
  for (int c = 0; c < n; c++) {
    const double q = 1.0 - p[c] > 1e-12 ? 1.0 - p[c] : 1e-12;
    const double factor = train_exp(gamma * train_log(q));
    loss -= target[c] * factor * log_p[c];
    slope[c] = target[c] * (gamma * factor / q * log_p[c] * p[c] - factor); /* t f'(p) p */
    sum += slope[c];
  }
  for (int c = 0; c < n; c++) d[c] = slope[c] - p[c] * sum;
  return loss;
}

/* T^2 times the divergence of the student from the teacher, both at temperature T. */
static double teacher_loss(const struct question *q, const float *opinion, int n, double *d) {
  double p[MOST_CLASSES], log_p[MOST_CLASSES], their_p[MOST_CLASSES], their_log[MOST_CLASSES];
  const double t = (double)q->g->temperature, share = (double)q->g->distil;
  double loss = 0;
  softmax_of(q->y, q->unit, t, n, p, log_p);
  softmax_of(opinion, 1.0f, t, n, their_p, their_log);
  for (int c = 0; c < n; c++) {
    loss += their_p[c] * (their_log[c] - log_p[c]);
    d[c] += share * t * (p[c] - their_p[c]);
  }
  return share * t * t * loss;
}

/* Cross entropy of n classes against `share` of a label and the rest of a second. */
static double class_loss(const struct question *q, int n, int label, int second, double share,
                         const float *opinion, double *d) {
  const struct engine *g = q->g;
  double p[MOST_CLASSES], log_p[MOST_CLASSES], target[MOST_CLASSES], loss = 0;
  const double hard = 1.0 - (double)g->label_smoothing, off = (double)g->label_smoothing / n;
  const double own = opinion ? 1.0 - (double)g->distil : 1.0;
  softmax_of(q->y, q->unit, 1.0, n, p, log_p);
  for (int c = 0; c < n; c++)
    target[c] =
        own * (off + hard * ((c == label ? share : 0.0) + (c == second ? 1.0 - share : 0.0)));
  if (g->focal > 0.0f) {
    loss = focal_loss(p, log_p, target, n, (double)g->focal, d);
  } else {
    for (int c = 0; c < n; c++) {
      loss -= target[c] * log_p[c];
      d[c] = own * p[c] - target[c];
    }
  }
  return opinion ? loss + teacher_loss(q, opinion, n, d) : loss;
}

static double classes_head(const struct question *q, int *right) {
  const struct engine *g = q->g;
  const int n = q->v->c;
  const bool own = q->head->own;
  const int label = own ? (int)lrintf(q->targets[0]) : g->labels[q->sample];
  if (label < 0 || label >= n) return 0; /* does not count */
  const int second = !own && g->second_labels ? g->second_labels[q->sample] : label;
  const double share = !own && g->mix ? (double)g->mix[q->sample] : 1.0;
  const float *opinion = !own && g->teacher ? g->teacher + (size_t)q->sample * (size_t)n : NULL;
  double d[MOST_CLASSES];
  const double loss = class_loss(q, n, label, second, share, opinion, d);
  int best = 0;
  for (int c = 1; c < n; c++)
    if (q->y[c] > q->y[best]) best = c;
  if (!own) *right += best == label;
  for (int c = 0; q->dy && c < n; c++) q->dy[c] = (float)(d[c] * q->weight * q->scale);
  return loss * q->weight;
}

/* Classes of every pixel: the mean over those that count, each weighted. */
static double cells_head(const struct question *q) {
  const int n = q->v->c, cells = q->v->h * q->v->w;
  double total = 0, loss = 0, d[MOST_CLASSES];
  for (int i = 0; i < cells; i++)
    if (q->targets[i] >= 0.0f) total += q->targets[i] > 0.0f ? (double)q->head->object : 1.0;
  struct question one = *q;
  for (int i = 0; i < cells && total > 0; i++, one.y += q->v->cs) {
    const int label = (int)lrintf(q->targets[i]);
    if (label < 0 || label >= n) continue;
    const double weight = (label > 0 ? (double)q->head->object : 1.0) / total * q->weight;
    loss += class_loss(&one, n, label, label, 1.0, NULL, d) * weight;
    for (int c = 0; q->dy && c < n; c++)
      q->dy[i * q->v->cs + c] = (float)(d[c] * weight * q->scale);
  }
  return loss;
}

/* ---- numbers ------------------------------------------------------------------------------ */
static double squared(double difference, double huber, double *d) {
  const bool far = huber > 0.0 && fabs(difference) > huber;
  *d = far ? (difference > 0 ? huber : -huber) : difference;
  return far ? huber * (fabs(difference) - 0.5 * huber) : 0.5 * difference * difference;
}

/* Half the mean of squares, over all pixels and channels; targets lie without padding. */
static double numbers_head(const struct question *q) {
  const int pixels = q->v->h * q->v->w, c = q->v->c;
  const double share = q->weight / ((double)pixels * c);
  double loss = 0;
  for (int p = 0; p < pixels; p++)
    for (int k = 0; k < c; k++) {
      double d;
      const int at = p * q->v->cs + k;
      loss += squared((double)(q->y[at] * q->unit) - (double)q->targets[p * c + k],
                      (double)q->head->huber, &d);
      if (q->dy) q->dy[at] = (float)(d * share * q->scale);
    }
  return loss * share;
}

/* As numbers, with the input as the target; both hold as many elements, in their order. */
static double input_head(const struct question *q) {
  const struct engine *g = q->g;
  const struct value *in = &g->values[0];
  const float *x = value_at(in, in->y, q->sample);
  const double unit = g->mode == ENGINE_INT8 ? (double)in->scale : 1.0;
  const int n = in->h * in->w * in->c;
  const double share = q->weight / n;
  double loss = 0;
  for (int i = 0; i < n; i++) {
    double d;
    const int at = i / q->v->c * q->v->cs + i % q->v->c;
    loss += squared((double)(q->y[at] * q->unit) - (double)x[i / in->c * in->cs + i % in->c] * unit,
                    (double)q->head->huber, &d);
    if (q->dy) q->dy[at] = (float)(d * share * q->scale);
  }
  return loss * share;
}

/* Binary cross entropy of probabilities; they are kept 1/1024 from the ends, where the sigmoid's slope is as small. */
static double mask_head(const struct question *q) {
  const int pixels = q->v->h * q->v->w, c = q->v->c;
  const double share = q->weight / ((double)pixels * c), edge = 1.0 / 1024.0;
  double loss = 0;
  for (int p = 0; p < pixels; p++)
    for (int k = 0; k < c; k++) {
      const int at = p * q->v->cs + k;
      const double t = (double)q->targets[p * c + k];
      double x = (double)(q->y[at] * q->unit);
      x = x < edge ? edge : x > 1.0 - edge ? 1.0 - edge : x;
      loss -= t * train_log(x) + (1.0 - t) * train_log(1.0 - x);
      if (q->dy) q->dy[at] = (float)((x - t) / (x * (1.0 - x)) * share * q->scale);
    }
  return loss * share;
}

/* ---- all heads ------------------------------------------------------------------------------ */
static double head_loss(const struct question *q, int *right) {
  switch (q->head->kind) {
  case TRAIN_HEAD_CLASSES: return classes_head(q, right);
  case TRAIN_HEAD_CELLS: return cells_head(q);
  case TRAIN_HEAD_NUMBERS: return numbers_head(q);
  case TRAIN_HEAD_MASK: return mask_head(q);
  case TRAIN_HEAD_INPUT: return input_head(q);
  }
  return 0;
}

void loss_of_chunk(struct engine *g, int chunk, bool gradient) {
  g->chunk_loss[chunk] = 0;
  g->chunk_right[chunk] = 0;
  for (int s = chunk_start(g, chunk); s < chunk_start(g, chunk + 1); s++) {
    const float *targets = g->targets ? g->targets + (size_t)s * (size_t)g->n_targets : NULL;
    const double weight = g->sample_weights ? (double)g->sample_weights[s] : 1.0;
    for (int i = 0; i < g->net.n_heads; i++) {
      const struct train_head *h = &g->net.heads[i];
      const struct value *v = &g->values[h->layer + 1];
      struct question q = {.g = g, .head = h, .v = v, .targets = targets, .sample = s};
      q.y = value_at(v, v->y, s);
      q.unit = g->mode == ENGINE_INT8 ? v->scale : 1.0f;
      q.weight = weight * (double)h->weight;
      q.scale = (double)g->loss_scale;
      if (gradient) {
        q.dy = value_at(v, v->dy, s);
        memset(q.dy, 0, (size_t)v->h * (size_t)v->w * (size_t)v->cs * sizeof *q.dy);
      }
      g->chunk_loss[chunk] += head_loss(&q, &g->chunk_right[chunk]);
      if (targets) targets += h->n_targets;
    }
  }
}

double loss_of_label(const struct engine *g, int sample, int label) {
  const struct value *v = &g->values[g->labels_at];
  double p[MOST_CLASSES], log_p[MOST_CLASSES];
  softmax_of(value_at(v, v->y, sample), g->mode == ENGINE_INT8 ? v->scale : 1.0f, 1.0, v->c, p,
             log_p);
  return -log_p[label];
}
