/* Many windows in two dimensions: principal components, and UMAP on top of them.
 *
 * Components: subspace iteration from a seeded start (Halko, Martinsson and Tropp 2011), so that thousands of
 * columns need no covariance matrix; then Jacobi's method on the small matrix that is left.
 * UMAP (McInnes, Healy and Melville 2018): exact nearest neighbours among the components, fuzzy neighbourhoods of
 * equal perplexity, their union, and stochastic descent with five negative samples for each attraction, starting from
 * the first two components. a and b are the curve for a least distance of 0.1.
 *
 * invariant: the same table and seed give the same picture whatever the number of threads: sums are made in chunks
 * of rows and added in the chunks' order. */
#include "host/features/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  CHUNKS = 16,
  DIMENSIONS = 32, /* components that neighbours are looked for in */
  SPARE = 8,       /* of the iteration, for accuracy */
  ROUNDS = 6,
  NEIGHBOURS = 15,
  BLOCK = 256 /* points whose distances are computed at a time */
};

/* ---- principal components ------------------------------------------------------- */

struct plane {
  const struct features_table *t;
  struct arena *arena;
  int k;       /* directions carried */
  float *mean; /* [width] */
  float *q;    /* [width][k], orthonormal columns */
  float *y;    /* [n][k]: the centred rows in these directions */
};

static double column_means(const struct features_table *t, float *mean) {
  double spread = 0;
  for (int c = 0; c < t->width; c++) {
    int64_t sum = 0, squares = 0;
    for (int i = 0; i < t->n; i++) {
      const int v = t->values[(size_t)i * (size_t)t->width + (size_t)c];
      sum += v;
      squares += v * v;
    }
    const double m = (double)sum / t->n;
    mean[c] = (float)m;
    spread += (double)squares / t->n - m * m;
  }
  return spread;
}

/* y = (x - mean) q */
static void into_plane(struct plane *p) {
  const int width = p->t->width, k = p->k;
  float away[DIMENSIONS + SPARE] = {0};
  for (int c = 0; c < width; c++)
    for (int d = 0; d < k; d++) away[d] += p->mean[c] * p->q[(size_t)c * (size_t)k + (size_t)d];
#pragma omp parallel for schedule(static)
  for (int i = 0; i < p->t->n; i++) {
    float sum[DIMENSIONS + SPARE] = {0};
    const int8_t *const x = p->t->values + (size_t)i * (size_t)width;
    for (int c = 0; c < width; c++) {
      const float v = x[c], *const q = p->q + (size_t)c * (size_t)k;
      for (int d = 0; d < k; d++) sum[d] += v * q[d];
    }
    for (int d = 0; d < k; d++) p->y[(size_t)i * (size_t)k + (size_t)d] = sum[d] - away[d];
  }
}

/* q = (x - mean)^T y. parts: [CHUNKS][width][k] */
static void out_of_plane(struct plane *p, float *parts) {
  const int width = p->t->width, k = p->k, n = p->t->n;
  const size_t each = (size_t)width * (size_t)k;
#pragma omp parallel for schedule(static)
  for (int part = 0; part < CHUNKS; part++) {
    float *const z = parts + (size_t)part * each;
    memset(z, 0, each * sizeof *z);
    for (int i = (int)((int64_t)n * part / CHUNKS); i < (int)((int64_t)n * (part + 1) / CHUNKS);
         i++) {
      const int8_t *const x = p->t->values + (size_t)i * (size_t)width;
      const float *const y = p->y + (size_t)i * (size_t)k;
      for (int c = 0; c < width; c++) {
        const float v = (float)x[c] - p->mean[c];
        for (int d = 0; d < k; d++) z[(size_t)c * (size_t)k + (size_t)d] += v * y[d];
      }
    }
  }
  for (size_t i = 0; i < each; i++) {
    float sum = 0;
    for (int part = 0; part < CHUNKS; part++) sum += parts[(size_t)part * each + i];
    p->q[i] = sum;
  }
}

static double length_of(const float *q, int width, int k, int d) {
  double sum = 0;
  for (int c = 0; c < width; c++) sum += (double)q[c * k + d] * (double)q[c * k + d];
  return sqrt(sum);
}

/* Gram and Schmidt, twice, so that columns that were nearly alike end at right angles. What is left of a column by
 * rounding alone is no direction: it becomes zero. */
static void orthonormalise(float *q, int width, int k) {
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < k; d++) {
      const double whole = length_of(q, width, k, d);
      for (int before = 0; before < d; before++) {
        double dot = 0;
        for (int c = 0; c < width; c++) dot += (double)q[c * k + d] * (double)q[c * k + before];
        for (int c = 0; c < width; c++) q[c * k + d] -= (float)dot * q[c * k + before];
      }
      const double left = length_of(q, width, k, d);
      const float scale = left > 1e-5 * whole && left > 1e-20 ? (float)(1 / left) : 0;
      for (int c = 0; c < width; c++) q[c * k + d] *= scale;
    }
}

/* Jacobi's rotations: m [k][k] symmetric becomes diagonal, v holds the eigenvectors in its columns. */
static void diagonalise(double *m, double *v, int k) {
  for (int i = 0; i < k * k; i++) v[i] = i % (k + 1) == 0;
  for (int sweep = 0; sweep < 30; sweep++) {
    double off = 0;
    for (int i = 0; i < k; i++)
      for (int j = 0; j < i; j++) off += m[i * k + j] * m[i * k + j];
    if (off < 1e-18 * (1 + m[0] * m[0])) break;
    for (int i = 1; i < k; i++)
      for (int j = 0; j < i; j++) {
        if (m[i * k + j] == 0) continue;
        const double theta = (m[j * k + j] - m[i * k + i]) / (2 * m[i * k + j]);
        const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
        const double cosine = 1 / sqrt(t * t + 1), sine = t * cosine;
        for (int x = 0; x < k; x++) {
          const double a = m[x * k + i], b = m[x * k + j];
          m[x * k + i] = cosine * a - sine * b, m[x * k + j] = sine * a + cosine * b;
        }
        for (int x = 0; x < k; x++) {
          const double a = m[i * k + x], b = m[j * k + x];
          m[i * k + x] = cosine * a - sine * b, m[j * k + x] = sine * a + cosine * b;
          const double c = v[x * k + i], d = v[x * k + j];
          v[x * k + i] = cosine * c - sine * d, v[x * k + j] = sine * c + cosine * d;
        }
      }
  }
}

/* Turns the plane so that its directions are the components, largest variance first. variance: [k] */
static void turn(struct plane *p, double *variance) {
  const int k = p->k, n = p->t->n;
  double *const m = ARENA_ARRAY(p->arena, double, k *k), *const v =
                                                             ARENA_ARRAY(p->arena, double, k *k);
  int order[DIMENSIONS + SPARE];
  for (int i = 0; i < n; i++) {
    const float *const y = p->y + (size_t)i * (size_t)k;
    for (int a = 0; a < k; a++)
      for (int b = 0; b <= a; b++) m[a * k + b] += (double)y[a] * (double)y[b] / n;
  }
  for (int a = 0; a < k; a++)
    for (int b = 0; b < a; b++) m[b * k + a] = m[a * k + b];
  diagonalise(m, v, k);
  for (int d = 0; d < k; d++) {
    int at = d;
    for (; at > 0 && m[order[at - 1] * (k + 1)] < m[d * (k + 1)]; at--) order[at] = order[at - 1];
    order[at] = d;
  }
  for (int i = 0; i < n; i++) {
    float *const y = p->y + (size_t)i * (size_t)k, turned[DIMENSIONS + SPARE];
    for (int d = 0; d < k; d++) {
      double sum = 0;
      for (int a = 0; a < k; a++) sum += (double)y[a] * v[a * k + order[d]];
      turned[d] = (float)sum;
    }
    memcpy(y, turned, (size_t)k * sizeof *y);
  }
  for (int d = 0; d < k; d++) variance[d] = m[order[d] * (k + 1)];
}

/* The rows' components in p->y; returns the variance of all columns. */
static double components(struct plane *p, uint64_t seed, double *variance) {
  const int width = p->t->width;
  struct rng r;
  rng_seed(&r, seed);
  const double spread = column_means(p->t, p->mean);
  float *const parts = ARENA_ARRAY(p->arena, float, (size_t)CHUNKS *(size_t)width *(size_t)p->k);
  for (int i = 0; i < width * p->k; i++) p->q[i] = rng_normal(&r);
  orthonormalise(p->q, width, p->k);
  for (int round = 0; round < ROUNDS; round++) {
    into_plane(p);
    out_of_plane(p, parts);
    orthonormalise(p->q, width, p->k);
  }
  into_plane(p);
  turn(p, variance);
  return spread;
}

/* ---- neighbours ------------------------------------------------------------------- */

struct neighbours {
  int32_t other[NEIGHBOURS]; /* nearest first */
  float distance[NEIGHBOURS];
  float weight[NEIGHBOURS];
};

/* by_column: [dimensions][n rounded up to BLOCK] */
static void nearest(const float *by_column, int room, int dimensions, int n, int i,
                    struct neighbours *out) {
  int found = 0;
  for (int from = 0; from < n; from += BLOCK) {
    float d2[BLOCK] = {0};
    for (int d = 0; d < dimensions; d++) {
      const float *const x = by_column + (size_t)d * (size_t)room + from;
      const float here = by_column[(size_t)d * (size_t)room + (size_t)i];
      for (int j = 0; j < BLOCK; j++) d2[j] += (x[j] - here) * (x[j] - here);
    }
    const int to = n - from < BLOCK ? n - from : BLOCK;
    for (int j = 0; j < to; j++) {
      if (from + j == i || (found == NEIGHBOURS && d2[j] >= out->distance[NEIGHBOURS - 1]))
        continue;
      int at = found < NEIGHBOURS ? found++ : NEIGHBOURS - 1;
      for (; at > 0 && out->distance[at - 1] > d2[j]; at--) {
        out->distance[at] = out->distance[at - 1];
        out->other[at] = out->other[at - 1];
      }
      out->distance[at] = d2[j];
      out->other[at] = from + j;
    }
  }
  for (int k = 0; k < NEIGHBOURS; k++) out->distance[k] = sqrtf(out->distance[k]);
}

/* Membership falls off behind the nearest neighbour so that all together have the sum log2(NEIGHBOURS). */
static void weigh(struct neighbours *x) {
  const double wanted = log2(NEIGHBOURS);
  double low = 0, high = HUGE_VAL, sigma = 1, mean = 0;
  for (int k = 0; k < NEIGHBOURS; k++) mean += (double)x->distance[k] / NEIGHBOURS;
  for (int step = 0; step < 64; step++) {
    double sum = 0;
    for (int k = 0; k < NEIGHBOURS; k++)
      sum += exp(-((double)x->distance[k] - (double)x->distance[0]) / sigma);
    if (fabs(sum - wanted) < 1e-5) break;
    if (sum > wanted)
      high = sigma, sigma = (low + high) / 2;
    else
      low = sigma, sigma = isinf(high) ? 2 * sigma : (low + high) / 2;
  }
  if (sigma < 1e-3 * mean) sigma = 1e-3 * mean; /* copies of one window do not repel all others */
  for (int k = 0; k < NEIGHBOURS; k++)
    x->weight[k] =
        sigma > 0 ? (float)exp(-((double)x->distance[k] - (double)x->distance[0]) / sigma) : 1;
}

static float weight_between(const struct neighbours *x, int other) {
  for (int k = 0; k < NEIGHBOURS; k++)
    if (x->other[k] == other) return x->weight[k];
  return 0;
}

static struct neighbours *find_neighbours(const struct plane *p, int dimensions,
                                          struct progress *progress) {
  const int n = p->t->n, room = (n + BLOCK - 1) / BLOCK * BLOCK;
  struct neighbours *const all = ARENA_ARRAY(p->arena, struct neighbours, n);
  float *const by_column = ARENA_ARRAY(p->arena, float, (size_t)dimensions *(size_t)room);
  for (int i = 0; i < n; i++)
    for (int d = 0; d < dimensions; d++)
      by_column[(size_t)d * (size_t)room + (size_t)i] = p->y[(size_t)i * (size_t)p->k + (size_t)d];
  for (int from = 0; from < n; from += 2048) {
    const int to = n - from < 2048 ? n : from + 2048;
    progress_update(progress, "neighbours", (uint64_t)from, (uint64_t)n, "%d windows", n);
#pragma omp parallel for schedule(static)
    for (int i = from; i < to; i++) {
      nearest(by_column, room, dimensions, n, i, &all[i]);
      weigh(&all[i]);
    }
  }
  progress_update(progress, "neighbours", (uint64_t)n, (uint64_t)n, "%d windows", n);
  return all;
}

/* ---- descent ------------------------------------------------------------------------- */

struct edge {
  int32_t from, to;
  float every, next; /* epochs between two pulls, and when the next is due */
};

/* Unites the two views of each pair; pairs too weak to be drawn once are left out. */
static int edges_of(const struct neighbours *all, int n, int epochs, struct edge *edges) {
  int count = 0;
  float most = 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < NEIGHBOURS; k++) {
      const int j = all[i].other[k];
      const float there = all[i].weight[k], back = weight_between(&all[j], i);
      if (back > 0 && j < i) continue; /* seen from the other end */
      const float weight = there + back - there * back;
      most = fmaxf(most, weight);
      edges[count++] = (struct edge){i, j, weight, 0};
    }
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (edges[i].every * (float)epochs < most) continue;
    edges[kept] = edges[i];
    edges[kept].every = most / edges[i].every;
    edges[kept].next = edges[kept].every;
    kept++;
  }
  return kept;
}

static float held(float x) { return x < -4 ? -4 : x > 4 ? 4 : x; }

static void descend(struct edge *edges, int count, int n, int epochs, uint64_t seed, float *xy,
                    struct progress *progress) {
  const float a = 1.577F, b = 0.895F; /* 1 / (1 + a d^2b): the curve for a least distance of 0.1 */
  struct rng r;
  rng_seed(&r, seed ^ 0xDE5CE7D);
  for (int epoch = 1; epoch <= epochs; epoch++) {
    const float rate = 1 - (float)(epoch - 1) / (float)epochs;
    for (int k = 0; k < count; k++) {
      struct edge *const x = &edges[k];
      if (x->next > (float)epoch) continue;
      x->next += x->every;
      float *const p = xy + 2 * x->from, *const q = xy + 2 * x->to;
      float dx = p[0] - q[0], dy = p[1] - q[1], d2 = dx * dx + dy * dy;
      if (d2 > 0) {
        const float power = powf(d2, b), pull = -2 * a * b * power / d2 / (1 + a * power);
        dx = held(pull * dx) * rate, dy = held(pull * dy) * rate;
        p[0] += dx, p[1] += dy, q[0] -= dx, q[1] -= dy;
      }
      for (int negative = 0; negative < 5; negative++) {
        const float *const o = xy + 2 * rng_below(&r, (uint32_t)n);
        if (o == p) continue;
        dx = p[0] - o[0], dy = p[1] - o[1], d2 = dx * dx + dy * dy;
        const float push = 2 * b / ((0.001F + d2) * (1 + a * powf(d2, b)));
        p[0] += held(push * dx) * rate, p[1] += held(push * dy) * rate;
      }
    }
    progress_update(progress, "layout", (uint64_t)epoch, (uint64_t)epochs, "%d pairs", count);
  }
}

/* The first two components, ten wide, with a little noise so that copies can part. */
static void start_from(const struct plane *p, uint64_t seed, float *xy) {
  struct rng r;
  float most = 1e-6F;
  rng_seed(&r, seed ^ 0x57A27);
  for (int i = 0; i < p->t->n; i++)
    for (int d = 0; d < 2; d++)
      most = fmaxf(most, fabsf(p->y[(size_t)i * (size_t)p->k + (size_t)d]));
  for (int i = 0; i < p->t->n; i++)
    for (int d = 0; d < 2; d++)
      xy[2 * i + d] =
          p->y[(size_t)i * (size_t)p->k + (size_t)d] * 10 / most + 1e-4F * rng_normal(&r);
}

bool features_embed(const struct features_table *t, enum features_map map, uint64_t seed,
                    struct arena *a, float *xy, struct features_shares *shares,
                    struct progress *progress, struct err *e) {
  if (t->n < 3) return err_set(e, "%d windows make no picture; at least 3 are needed", t->n);
  if (t->n > FEATURES_EMBED_MOST)
    return err_set(e, "%d windows; at most %d can be drawn", t->n, FEATURES_EMBED_MOST);
  struct plane p = {.t = t, .arena = a, .k = DIMENSIONS + SPARE};
  if (p.k > t->width) p.k = t->width;
  if (p.k < 2) p.k = 2;
  const size_t width = (size_t)t->width;
  p.mean = ARENA_ARRAY(a, float, width + 1);
  p.q = ARENA_ARRAY(a, float, (width + 1) * (size_t)p.k);
  p.y = ARENA_ARRAY(a, float, (size_t)t->n *(size_t)p.k);
  double variance[DIMENSIONS + SPARE] = {0};
  const double spread = components(&p, seed, variance);
  shares->first = spread > 0 ? variance[0] / spread : 0;
  shares->second = spread > 0 ? variance[1] / spread : 0;
  if (map == FEATURES_MAP_PCA || t->n <= NEIGHBOURS) {
    for (int i = 0; i < t->n; i++)
      memcpy(xy + 2 * i, p.y + (size_t)i * (size_t)p.k, 2 * sizeof *xy);
    return true;
  }
  const int dimensions = p.k < DIMENSIONS ? p.k : DIMENSIONS, epochs = t->n <= 4000 ? 400 : 200;
  const struct neighbours *const all = find_neighbours(&p, dimensions, progress);
  struct edge *const edges = ARENA_ARRAY(a, struct edge, (size_t)t->n * NEIGHBOURS);
  const int count = edges_of(all, t->n, epochs, edges);
  start_from(&p, seed, xy);
  descend(edges, count, t->n, epochs, seed, xy, progress);
  return true;
}
