/* cluster: k-means, and models of points: cluster anomaly scores, nearest neighbours. */
#include "host/learn/private.h"

#include <math.h>
#include <string.h>

#define LLOYD_MOST 100

static double squared(const double *a, const double *b, int n) {
  double sum = 0;
  for (int j = 0; j < n; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
  return sum;
}

static double unit(struct rng *r) {
  return (rng_u32(r) >> 5) * (1.0 / 134217728) + rng_u32(r) * (1.0 / 134217728 / 4294967296.0);
}

/* k-means++: each next centre is a row, drawn by its squared distance to the nearest so far. */
static int seed_centres(const double *rows, uint32_t count, int n, int k, struct rng *r,
                        double *near, double *centre) {
  int made = 0;
  for (uint32_t i = 0; i < count; i++) near[i] = INFINITY;
  while (made < k) {
    uint32_t pick = rng_below(r, count);
    if (made) {
      double total = 0;
      for (uint32_t i = 0; i < count; i++) total += near[i];
      if (!(total > 0)) break; /* fewer different rows than centres */
      double left = unit(r) * total;
      for (pick = 0; pick + 1 < count && (left -= near[pick]) >= 0; pick++) {}
    }
    memcpy(centre + (size_t)made * (size_t)n, rows + (size_t)pick * (size_t)n,
           (size_t)n * sizeof *centre);
    for (uint32_t i = 0; i < count; i++)
      near[i] = fmin(near[i],
                     squared(rows + (size_t)i * (size_t)n, centre + (size_t)made * (size_t)n, n));
    made++;
  }
  return made;
}

struct lloyd {
  const double *rows;
  uint32_t count;
  int n, k;
  double *centre, *sum, *near;
  int *owner;
  uint32_t *members;
};

static double assign(struct lloyd *l) {
#pragma omp parallel for schedule(static) if ((size_t)l->count * (size_t)l->n * (size_t)l->k >     \
                                              200000)
  for (uint32_t i = 0; i < l->count; i++) {
    const double *x = l->rows + (size_t)i * (size_t)l->n;
    double best = INFINITY;
    int owner = 0;
    for (int c = 0; c < l->k; c++) {
      const double d = squared(x, l->centre + (size_t)c * (size_t)l->n, l->n);
      if (d < best) best = d, owner = c;
    }
    l->owner[i] = owner;
    l->near[i] = best;
  }
  double total = 0;
  for (uint32_t i = 0; i < l->count; i++) total += l->near[i];
  return total;
}

static void recentre(struct lloyd *l) {
  const size_t n = (size_t)l->n;
  memset(l->sum, 0, (size_t)l->k * n * sizeof *l->sum);
  memset(l->members, 0, (size_t)l->k * sizeof *l->members);
  for (uint32_t i = 0; i < l->count; i++) {
    double *to = l->sum + (size_t)l->owner[i] * n;
    for (size_t j = 0; j < n; j++) to[j] += l->rows[i * n + j];
    l->members[l->owner[i]]++;
  }
  for (int c = 0; c < l->k; c++)
    for (size_t j = 0; j < n && l->members[c]; j++)
      l->centre[(size_t)c * n + j] = l->sum[(size_t)c * n + j] / l->members[c];
}

/* Centres without a row of their own are taken out. */
static int drop_empty(struct lloyd *l) {
  int kept = 0;
  for (int c = 0; c < l->k; c++) {
    if (!l->members[c]) continue;
    memmove(l->centre + (size_t)kept * (size_t)l->n, l->centre + (size_t)c * (size_t)l->n,
            (size_t)l->n * sizeof *l->centre);
    kept++;
  }
  return kept;
}

int cluster_rows(const double *rows, uint32_t count, int n, int k, int tries, struct rng *r,
                 struct arena *a, double *centre, int *owner) {
  struct lloyd l = {.rows = rows, .count = count, .n = n};
  const size_t room = (size_t)k * (size_t)n;
  double best = INFINITY;
  int kept = 0;
  l.centre = ARENA_ARRAY(a, double, room);
  l.sum = ARENA_ARRAY(a, double, room);
  l.near = ARENA_ARRAY(a, double, count);
  l.owner = ARENA_ARRAY(a, int, count);
  l.members = ARENA_ARRAY(a, uint32_t, k);
  for (int t = 0; t < tries; t++) {
    l.k = seed_centres(rows, count, n, k, r, l.near, l.centre);
    double last = INFINITY, now = assign(&l);
    for (int step = 0; step < LLOYD_MOST && now < last * (1 - 1e-6); step++) {
      recentre(&l);
      last = now;
      now = assign(&l);
    }
    recentre(&l);
    l.k = drop_empty(&l);
    now = assign(&l);
    if (now >= best) continue;
    best = now;
    kept = l.k;
    memcpy(centre, l.centre, (size_t)kept * (size_t)n * sizeof *centre);
    if (owner) memcpy(owner, l.owner, count * sizeof *owner);
  }
  return kept;
}

/* ---- anomaly by clusters ---------------------------------------------------------------- */
/* A cluster's error is the farthest training vector of those nearest to it, in the integers of the device. */
static void cluster_errors(const struct scaled *s, const struct points *p, int k, uint16_t *error) {
  for (uint32_t i = 0; i < s->rows; i++) {
    uint64_t best = UINT64_MAX;
    int owner = 0;
    for (int c = 0; c < k; c++) {
      uint64_t sum = 0;
      for (int j = 0; j < s->n; j++) {
        const int64_t z = llround(ldexp(s->z[(size_t)i * (size_t)s->n + (size_t)j], s->fraction));
        const int64_t d = z - (int64_t)p->at[(size_t)c * (size_t)s->n + (size_t)j] * (1 << p->up);
        sum += (uint64_t)(d * d);
      }
      if (sum < best) best = sum, owner = c;
    }
    const uint16_t root = (uint16_t)fmin(floor(sqrt((double)best)), 65535);
    if (root > error[owner]) error[owner] = root;
  }
}

bool fit_kmeans(struct learn_job *j) {
  struct scaled s;
  struct points p;
  struct rng r;
  if (!scaled_make(j, 4, &s)) return false;
  int k = j->c->clusters;
  double *centre = ARENA_ARRAY(j->a, double, (size_t)k *(size_t)s.n);
  rng_seed(&r, rng_mix(j->c->seed ^ 0x6B6D));
  progress_update(j->progress, "k-means", 0, 1, "%d clusters", k);
  k = cluster_rows(s.z, s.rows, s.n, k, 4, &r, j->a, centre, NULL);
  points_make(&s, centre, k, j->a, &p);
  uint16_t *error = ARENA_ARRAY(j->a, uint16_t, k);
  cluster_errors(&s, &p, k, error);
  struct blob b = {.a = j->a};
  blob_add(&b, NULL, sizeof(struct mote_ml_kmeans));
  struct mote_ml_kmeans m = {.map = scaled_map(&s, j->set, &b),
                             .clusters = (uint16_t)k,
                             .up = (uint8_t)p.up,
                             .point_at = blob_add(&b, p.at, (size_t)k * (size_t)s.n)};
  m.error_at = blob_add(&b, error, (size_t)k * sizeof *error);
  memcpy(b.bytes, &m, sizeof m);
  progress_update(j->progress, "k-means", 1, 1, "%d clusters", k);
  return blob_finish(j, &b, MOTE_ML_KMEANS, (unsigned)s.fraction,
                     arena_printf(j->a, "%d cluster%s of %d column%s", k, k == 1 ? "" : "s", s.n,
                                  s.n == 1 ? "" : "s"));
}

/* ---- nearest neighbours ------------------------------------------------------------------ */
/* All vectors, or the centres of each class, as many as its share. */
static int choose_points(struct learn_job *j, const struct scaled *s, double *centre,
                         uint8_t *label) {
  const size_t n = (size_t)s->n;
  if (s->rows <= (uint32_t)j->c->points) {
    memcpy(centre, s->z, s->rows * n * sizeof *centre);
    for (uint32_t i = 0; i < s->rows; i++) label[i] = (uint8_t)j->set->labels[i];
    return (int)s->rows;
  }
  struct rng r;
  rng_seed(&r, rng_mix(j->c->seed ^ 0x6B6E));
  double *mine = ARENA_ARRAY(j->a, double, s->rows *n);
  int made = 0;
  for (int c = 0; c < j->set->classes; c++) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->rows; i++)
      if (j->set->labels[i] == c) memcpy(mine + n * count++, s->z + n * i, n * sizeof *mine);
    if (!count) continue;
    /* What is left, less one point for each class behind this one. */
    const int most = j->c->points - made - (j->set->classes - 1 - c);
    int k = (int)((double)j->c->points * count / s->rows);
    if (k > most) k = most;
    if (k < 1) k = 1;
    k = cluster_rows(mine, count, s->n, k, 1, &r, j->a, centre + (size_t)made * n, NULL);
    for (int i = 0; i < k; i++) label[made + i] = (uint8_t)c;
    made += k;
    progress_update(j->progress, "points", (uint64_t)c + 1, (uint64_t)j->set->classes, "%d", made);
  }
  return made;
}

bool fit_knn(struct learn_job *j) {
  struct scaled s;
  struct points p;
  if (!scaled_make(j, 4, &s)) return false;
  if (s.rows > (uint32_t)j->c->points && j->c->points < j->set->classes)
    return err_set(j->e, "%d points for %d classes; at least one for each is needed", j->c->points,
                   j->set->classes);
  const size_t most = s.rows < (uint32_t)j->c->points ? s.rows : (size_t)j->c->points;
  double *centre = ARENA_ARRAY(j->a, double, most *(size_t)s.n);
  uint8_t *label = ARENA_ARRAY(j->a, uint8_t, most);
  const int count = choose_points(j, &s, centre, label);
  const int k = j->c->k < count ? j->c->k : count;
  points_make(&s, centre, count, j->a, &p);
  struct blob b = {.a = j->a};
  blob_add(&b, NULL, sizeof(struct mote_ml_knn));
  struct mote_ml_knn m = {.map = scaled_map(&s, j->set, &b),
                          .points = (uint16_t)count,
                          .k = (uint8_t)k,
                          .up = (uint8_t)p.up,
                          .point_at = blob_add(&b, p.at, (size_t)count * (size_t)s.n)};
  m.label_at = blob_add(&b, label, (size_t)count);
  memcpy(b.bytes, &m, sizeof m);
  return blob_finish(j, &b, MOTE_ML_KNN, 0,
                     arena_printf(j->a, "%d nearest of %d points, %d columns", k, count, s.n));
}
