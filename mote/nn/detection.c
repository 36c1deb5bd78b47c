/* detection: TFLite_Detection_PostProcess.
 *
 * How it works: candidates are taken best first, ties by the lower box, and one is kept unless it overlaps one that
 * was kept before. The next candidate is found by a scan for the best behind the last one, so nothing is sorted and
 * little is stored: of the fast form one score for each box and the boxes kept, which are the output; of the
 * regular form the boxes kept of one class, and the best of all classes so far.
 *
 * exact: comparisons and choices are the reference's; a box is decoded when it is looked at, in float where the
 * reference computes in double. */
#include <string.h>

#include "mote/nn/whole.h"

struct box {
  float ymin, xmin, ymax, xmax;
};

/* One of all classes' detections, best first, equals in the order of finding: regular form. */
struct found {
  struct box box;
  float score;
  uint32_t class_index;
};

/* Element i of input k as a real number. */
static float element(const struct mote_detection *p, const void *const *rows, unsigned k,
                     uint32_t i) {
  int32_t q;
  if (p->type[k] == MOTE_FLOAT32) return ((const float *)rows[k])[i];
  q = p->type[k] == MOTE_INT8 ? (int32_t)((const int8_t *)rows[k])[i]
                              : (int32_t)((const uint8_t *)rows[k])[i];
  return (float)(q - p->zp[k]) * p->scale[k];
}

static float score_of(const struct mote_detection *p, const void *const *rows, uint32_t box,
                      uint32_t class_index) {
  const uint32_t width = (uint32_t)p->offset + p->classes;
  return element(p, rows, 1, box * width + p->offset + class_index);
}

static struct box decode(const struct mote_detection *p, const void *const *rows, uint32_t i) {
  const uint32_t at = i * p->stride, anchor = 4 * i;
  const float height = element(p, rows, 2, anchor + 2), width = element(p, rows, 2, anchor + 3);
  const float y = element(p, rows, 0, at) / p->y_scale * height + element(p, rows, 2, anchor);
  const float x =
      element(p, rows, 0, at + 1) / p->x_scale * width + element(p, rows, 2, anchor + 1);
  const float h = 0.5f * mote_real_exp(element(p, rows, 0, at + 2) / p->h_scale) * height;
  const float w = 0.5f * mote_real_exp(element(p, rows, 0, at + 3) / p->w_scale) * width;
  const struct box b = {y - h, x - w, y + h, x + w};
  return b;
}

/* Intersection over union; 0 where a box has no area. */
static float overlap(const struct box *a, const struct box *b) {
  const float area_a = (a->ymax - a->ymin) * (a->xmax - a->xmin);
  const float area_b = (b->ymax - b->ymin) * (b->xmax - b->xmin);
  if (area_a <= 0 || area_b <= 0) return 0;
  const float ymin = a->ymin < b->ymin ? b->ymin : a->ymin;
  const float xmin = a->xmin < b->xmin ? b->xmin : a->xmin;
  const float ymax = b->ymax < a->ymax ? b->ymax : a->ymax;
  const float xmax = b->xmax < a->xmax ? b->xmax : a->xmax;
  const float height = ymax - ymin < 0 ? 0 : ymax - ymin;
  const float width = xmax - xmin < 0 ? 0 : xmax - xmin;
  return height * width / (area_a + area_b - height * width);
}

static int overlaps_any(const struct mote_detection *p, const struct box *b, const struct box *kept,
                        uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    if (overlap(&kept[i], b) > p->overlap_threshold) return 1;
  return 0;
}

/* Where the scores of one pass are: one for each box (fast), or column `class_index` (regular). */
struct candidates {
  const struct mote_detection *p;
  const void *const *rows;
  const float *best; /* NULL: regular */
  uint32_t class_index;
  float last_score; /* the last that was taken */
  uint32_t last;    /* its box; p->boxes: none yet */
};

static float candidate(const struct candidates *c, uint32_t box) {
  return c->best ? c->best[box] : score_of(c->p, c->rows, box, c->class_index);
}

/* Moves on to the best candidate behind the last; 0: none is left. A score that is NaN is none. */
static int next_candidate(struct candidates *c) {
  const uint32_t n = c->p->boxes;
  uint32_t chosen = n;
  float score = 0;
  for (uint32_t i = 0; i < n; i++) {
    const float s = candidate(c, i);
    if (!(s >= c->p->score_threshold)) continue;
    if (c->last != n && !(s < c->last_score || (s == c->last_score && i > c->last))) continue;
    if (chosen != n && !(s > score)) continue;
    chosen = i;
    score = s;
  }
  c->last = chosen;
  c->last_score = score;
  return chosen != n;
}

static void write_one(void *const *out, uint32_t at, const struct box *b, uint32_t class_index,
                      float score) {
  ((struct box *)out[0])[at] = *b;
  ((float *)out[1])[at] = (float)class_index;
  ((float *)out[2])[at] = score;
}

/* The class of the highest score, the lowest among equals. */
static uint32_t best_class(const struct mote_detection *p, const void *const *rows, uint32_t box) {
  uint32_t best = 0;
  float most = score_of(p, rows, box, 0);
  for (uint32_t c = 1; c < p->classes; c++) {
    const float s = score_of(p, rows, box, c);
    if (s > most) {
      most = s;
      best = c;
    }
  }
  return best;
}

static uint32_t detect_fast(const struct mote_detection *p, const void *const *rows, float *best,
                            void *const *out) {
  struct candidates c = {p, rows, best, 0, 0, p->boxes};
  uint32_t n = 0;
  for (uint32_t i = 0; i < p->boxes; i++) best[i] = score_of(p, rows, i, best_class(p, rows, i));
  while (n < p->max && next_candidate(&c)) {
    const struct box b = decode(p, rows, c.last);
    if (overlaps_any(p, &b, (const struct box *)out[0], n)) continue;
    write_one(out, n++, &b, best_class(p, rows, c.last), c.last_score);
  }
  return n;
}

/* Puts one behind all that are at least as good, and drops what falls off the end. */
static uint32_t insert(const struct mote_detection *p, struct found *list, uint32_t n,
                       const struct found *one) {
  uint32_t at = n;
  while (at > 0 && one->score > list[at - 1].score) at--;
  if (at == p->max) return n;
  if (n < p->max) n++;
  for (uint32_t i = n - 1; i > at; i--) list[i] = list[i - 1];
  list[at] = *one;
  return n;
}

static uint32_t detect_regular(const struct mote_detection *p, const void *const *rows, void *state,
                               void *const *out) {
  struct box *kept = (struct box *)state;
  struct found *list = (struct found *)(void *)(kept + p->per_class);
  uint32_t n = 0;
  for (uint32_t k = 0; k < p->classes; k++) {
    struct candidates c = {p, rows, NULL, k, 0, p->boxes};
    uint32_t n_kept = 0;
    while (n_kept < p->per_class && next_candidate(&c)) {
      const struct box b = decode(p, rows, c.last);
      const struct found one = {b, c.last_score, k};
      if (overlaps_any(p, &b, kept, n_kept)) continue;
      kept[n_kept++] = b;
      n = insert(p, list, n, &one);
    }
  }
  for (uint32_t i = 0; i < n; i++)
    write_one(out, i, &list[i].box, list[i].class_index, list[i].score);
  return n;
}

static void detection_row(const void *params, const void *const *rows, void *state, void *first) {
  const struct mote_detection *p = (const struct mote_detection *)params;
  void *const out[] = {first, mote_written(rows[3]), mote_written(rows[4])};
  memset(out[0], 0, sizeof(struct box) * p->max);
  memset(out[1], 0, sizeof(float) * p->max);
  memset(out[2], 0, sizeof(float) * p->max);
  const uint32_t n =
      p->regular ? detect_regular(p, rows, state, out) : detect_fast(p, rows, (float *)state, out);
  *(float *)mote_written(rows[5]) = (float)n;
}

const struct mote_kernel mote_kernel_detection = {NULL, detection_row, NULL};

size_t mote_detection_state_bytes(const struct mote_detection *p) {
  return p->regular ? sizeof(struct box) * p->per_class + sizeof(struct found) * p->max
                    : sizeof(float) * p->boxes;
}

enum mote_status mote_detection_check(const struct mote_detection *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (p->boxes == 0 || p->classes == 0 || p->max == 0 || p->stride < 4 || p->regular > 1)
    return MOTE_ERR_PARAMS;
  const uint64_t boxes = p->boxes;
  const uint64_t elements[3] = {boxes * p->stride, boxes * ((uint64_t)p->offset + p->classes),
                                boxes * 4};
  if (!mote_bounds_edges(b, 3, 4)) return MOTE_ERR_BOUNDS;
  for (unsigned k = 0; k < 3; k++) {
    if (p->type[k] != MOTE_FLOAT32 && p->type[k] != MOTE_INT8 && p->type[k] != MOTE_UINT8)
      return MOTE_ERR_PARAMS;
    if (!mote_bounds_whole(b, k, elements[k] * mote_type_bytes(p->type[k]))) return MOTE_ERR_BOUNDS;
  }
  const uint64_t max = p->max;
  return sizeof(struct box) * max <= b->out_bytes && mote_bounds_written(b, 3, 4 * max) &&
                 mote_bounds_written(b, 4, 4 * max) && mote_bounds_written(b, 5, 4) &&
                 mote_detection_state_bytes(p) <= b->state_bytes
             ? MOTE_OK
             : MOTE_ERR_BOUNDS;
}
