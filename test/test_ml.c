/* Tests of mote/ml and host/learn: every kind against a plain evaluation in double precision, models against hostile bytes,
 * thresholds against their definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/graph/graph.h"
#include "host/learn/learn.h"

/* ---- vectors --------------------------------------------------------------------------- */
/* Classes are clouds about their own centres; wide: int16. */
static struct learn_set clouds(struct arena *a, uint32_t n, int features, int classes, bool wide,
                               double spread, uint64_t seed) {
  struct rng r;
  int16_t *x = ARENA_ARRAY(a, int16_t, n * (uint32_t)features);
  int32_t *labels = ARENA_ARRAY(a, int32_t, n);
  double *centre = ARENA_ARRAY(a, double, classes *features);
  const double unit = wide ? 2500 : 20;
  rng_seed(&r, 99);
  for (int i = 0; i < classes * features; i++) centre[i] = 2 * (double)rng_normal(&r);
  rng_seed(&r, seed);
  for (uint32_t i = 0; i < n; i++) {
    labels[i] = (int32_t)rng_below(&r, (uint32_t)classes);
    for (int j = 0; j < features; j++) {
      double v = unit * (centre[labels[i] * features + j] + spread * (double)rng_normal(&r));
      const double most = wide ? 32767 : 127;
      v = v > most ? most : v < -most ? -most : v;
      x[i * (uint32_t)features + (uint32_t)j] = (int16_t)floor(v + 0.5);
    }
  }
  return (struct learn_set){n, (uint32_t)features, x, labels, classes, wide};
}

static struct learn_model fit(struct arena *a, const struct learn_config *c,
                              const struct learn_set *set) {
  struct learn_model m;
  struct err e = {0};
  const bool ok = learn_fit(c, set, a, NULL, &m, &e);
  if (!ok) print_error("%s\n", e.text);
  assert_true(ok);
  assert_int_equal(mote_ml_check(m.model, m.bytes), MOTE_OK);
  return m;
}

static bool exists(int kind) { return learn_kind_name((enum learn_kind)kind) != NULL; }

/* ---- k-means against the formula ---------------------------------------------------------- */
static double plain_kmeans(const struct mote_ml *m, const int16_t *x) {
  const struct mote_ml_kmeans *p = (const void *)m;
  const uint8_t *base = (const void *)m;
  const uint16_t *column = (const void *)(base + p->map.columns_at);
  const int16_t *offset = (const void *)(base + p->map.offset_at);
  const int16_t *multiplier = (const void *)(base + p->map.multiplier_at);
  const uint8_t *shift = base + p->map.shift_at;
  const int8_t *point = (const void *)(base + p->point_at);
  const uint16_t *error = (const void *)(base + p->error_at);
  double best = INFINITY;
  for (int k = 0; k < p->clusters; k++) {
    double sum = 0;
    for (int j = 0; j < p->map.n; j++) {
      double z = floor((x[p->map.columns_at ? column[j] : j] - offset[j]) *
                           ldexp(multiplier[j], -shift[j]) +
                       0.5);
      z = fmax(fmin(z, p->map.limit), -p->map.limit);
      const double d = z - ldexp(point[k * p->map.n + j], p->up);
      sum += d * d;
    }
    best = fmin(best, floor(sqrt(sum)) - error[k]);
  }
  return best;
}

static void test_kmeans_is_the_formula(void **state) {
  (void)state;
  for (int wide = 0; wide < 2; wide++) {
    struct arena *a = arena_new((size_t)256 << 20);
    struct learn_config c = learn_defaults(LEARN_KMEANS);
    const int columns[3] = {4, 0, 7};
    struct learn_set set = clouds(a, 400, 9, 3, wide, 0.4, 1),
                     other = clouds(a, 300, 9, 5, wide, 1, 2);
    if (wide) c.columns = columns, c.n_columns = 3;
    c.clusters = 8;
    const struct learn_model m = fit(a, &c, &set);
    int32_t *score = ARENA_ARRAY(a, int32_t, 400);
    learn_run(m.model, &set, score);
    for (uint32_t i = 0; i < set.n; i++) {
      assert_true(score[i] <= 0); /* no training vector lies outside of its cluster */
      assert_int_equal(score[i], (int)plain_kmeans(m.model, set.x + i * 9));
    }
    learn_run(m.model, &other, score);
    for (uint32_t i = 0; i < other.n; i++)
      assert_int_equal(score[i], (int)plain_kmeans(m.model, other.x + i * 9));
    arena_free(a);
  }
}

/* ---- every kind ----------------------------------------------------------------------------- */
static void test_learners_learn(void **state) {
  (void)state;
  for (int kind = 0; kind < LEARN_KIND_COUNT; kind++)
    for (int wide = 0; wide < 2; wide++) {
      if (!exists(kind)) continue;
      struct arena *a = arena_new((size_t)512 << 20);
      struct learn_config c = learn_defaults((enum learn_kind)kind);
      c.trees = 20;
      const int classes = learn_is_anomaly((enum learn_kind)kind) ? 1 : 3; /* one cloud is normal */
      struct learn_set set = clouds(a, 500, 6, classes, wide, 0.5, 3),
                       held = clouds(a, 400, 6, classes, wide, 0.5, 4);
      const struct learn_model m = fit(a, &c, &set);
      if (!learn_is_anomaly((enum learn_kind)kind)) {
        const double right = learn_accuracy(m.model, &held);
        if (right < 0.95) print_error("%s: %.3f\n", learn_kind_name((enum learn_kind)kind), right);
        assert_true(right >= 0.95);
      } else {
        /* Far away is anomalous, and why says in which column. */
        struct learn_set far = held;
        int16_t *x = ARENA_ARRAY(a, int16_t, held.n * 6);
        for (uint32_t i = 0; i < held.n * 6; i++) {
          const int v = held.x[i] + (i % 6 == 2 ? (wide ? 15000 : 120) : 0);
          x[i] = (int16_t)(wide ? mote_clamp(v, -32767, 32767) : mote_clamp(v, -128, 127));
        }
        far.x = x;
        int32_t *near_score = ARENA_ARRAY(a, int32_t, 400),
                *far_score = ARENA_ARRAY(a, int32_t, 400);
        learn_run(m.model, &held, near_score);
        learn_run(m.model, &far, far_score);
        const double auc = learn_auc(near_score, 400, far_score, 400);
        if (auc < 0.95) print_error("%s: AUC %.3f\n", learn_kind_name((enum learn_kind)kind), auc);
        assert_true(auc > 0.95);
        uint8_t *scratch = ARENA_ARRAY(a, uint8_t, mote_ml_scratch_bytes(m.model) + 4);
        int32_t why[6];
        int found = 0, moved = 0;
        for (uint32_t i = 0; i < 400; i++) {
          int8_t narrow[6];
          for (int j = 0; j < 6; j++) narrow[j] = (int8_t)x[i * 6 + (uint32_t)j];
          mote_ml_why(m.model, wide ? (const void *)(x + i * 6) : narrow, scratch, why);
          int best = 0;
          for (int j = 1; j < 6; j++)
            if (why[j] > why[best]) best = j;
          if (abs(x[i * 6 + 2] - held.x[i * 6 + 2]) < (wide ? 10000 : 80))
            continue; /* at its limit */
          moved++;
          found += mote_ml_column(m.model, (unsigned)best) == 2;
        }
        if (found < 0.8 * moved)
          print_error("%s: why is right for %d of %d\n", learn_kind_name((enum learn_kind)kind),
                      found, moved);
        assert_true(moved > 50 && found >= 0.8 * moved);
      }
      arena_free(a);
    }
}

static void test_same_seed_same_bytes(void **state) {
  (void)state;
  for (int kind = 0; kind < LEARN_KIND_COUNT; kind++) {
    if (!exists(kind)) continue;
    struct arena *a = arena_new((size_t)512 << 20);
    struct learn_config c = learn_defaults((enum learn_kind)kind);
    c.trees = 10;
    struct learn_set set = clouds(a, 300, 5, 3, false, 0.8, 5);
    const struct learn_model x = fit(a, &c, &set), y = fit(a, &c, &set);
    assert_int_equal(x.bytes, y.bytes);
    assert_memory_equal(x.model, y.model, x.bytes);
    arena_free(a);
  }
}

/* ---- an autoencoder's error --------------------------------------------------------------- */
struct pair {
  uint32_t n;
  float scale[2];
  int32_t zp[2];
};

static struct learn_model error_of(struct arena *a, const struct pair *p) {
  struct learn_model m;
  struct err e = {0};
  const bool ok = learn_reconstruction(p->n, p->scale, p->zp, a, &m, &e);
  if (!ok) print_error("%s\n", e.text);
  assert_true(ok);
  assert_int_equal(m.model->features, 2 * p->n);
  return m;
}

/* The mean of squared differences in double precision, for any scales: within a step of the integers' differences (a
 * thousandth of all that int8 can differ by) and of the score. */
static void test_reconstruction_is_the_mean_square(void **state) {
  (void)state;
  static const struct pair all[] = {{1, {0.03f, 0.02f}, {11, -4}},
                                    {8, {0.5f, 0.001f}, {-128, 127}},
                                    {264, {0.0289513f, 0.0195432f}, {11, -4}},
                                    {1000, {0.2f, 0.21f}, {0, 3}},
                                    {9216, {0.008f, 0.008f}, {127, -128}},
                                    {32767, {1.0f, 1.0f}, {0, 0}}};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
    struct arena *a = arena_new((size_t)16 << 20);
    const struct pair *p = &all[k];
    const struct learn_model m = error_of(a, p);
    int8_t *x = ARENA_ARRAY(a, int8_t, 2 * p->n);
    int32_t *why = ARENA_ARRAY(a, int32_t, p->n);
    struct rng r;
    rng_seed(&r, 5);
    for (int t = 0; t < 8; t++) {
      int32_t score;
      double sum = 0, squares = 0;
      const int spread = 1 << t; /* from nearly alike to the ends of int8 */
      for (uint32_t i = 0; i < p->n; i++) {
        x[i] = (int8_t)(rng_below(&r, (uint32_t)(2 * spread)) - (uint32_t)spread);
        x[i + p->n] = (int8_t)(rng_below(&r, (uint32_t)(2 * spread)) - (uint32_t)spread);
        const double d = (x[i] - p->zp[0]) * (double)p->scale[0] -
                         (x[i + p->n] - p->zp[1]) * (double)p->scale[1];
        sum += d * d / p->n;
      }
      mote_ml_run(m.model, x, NULL, &score);
      const double step = 256 * (double)(p->scale[0] + p->scale[1]) / 16384;
      const double real = learn_score(m.model, score), least = fmin(sum, INT32_MAX / 16384.0);
      assert_true(fabs(real - least) <= 2 * step * sqrt(sum) + step * step + 1e-4 + sum / 8192);
      assert_int_equal(score, mote_ml_reconstruction_score(m.model, x, x + p->n));
      mote_ml_why(m.model, x, NULL, why);
      for (uint32_t i = 0; i < p->n; i++) squares += why[i];
      const struct mote_ml_reconstruction *q = (const void *)m.model;
      assert_true(fabs(squares * q->inverse * exp2(-q->mean_shift) - score) < 1 ||
                  score == INT32_MAX);
    }
    arena_free(a);
  }
}

static void test_reconstruction_refuses(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)1 << 20);
  struct err e = {0};
  struct learn_model m;
  static const struct pair bad[] = {{0, {0.03f, 0.02f}, {0, 0}},
                                    {32768, {0.03f, 0.02f}, {0, 0}},
                                    {8, {0.0f, 0.02f}, {0, 0}},
                                    {8, {200.0f, 0.02f}, {0, 0}},
                                    {8, {NAN, 0.02f}, {0, 0}}};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
    assert_false(learn_reconstruction(bad[k].n, bad[k].scale, bad[k].zp, a, &m, &e));
  const struct pair good = {8, {0.03f, 0.02f}, {11, -4}};
  const struct learn_model whole = error_of(a, &good);
  struct mote_ml_reconstruction q =
      *(const struct mote_ml_reconstruction *)(const void *)whole.model;
  for (size_t n = 0; n < sizeof q; n++) assert_int_not_equal(mote_ml_check(&q, n), MOTE_OK);
  struct mote_ml_reconstruction odd = q, wide = q, far = q, coarse = q;
  odd.head.features = 15;
  wide.head.wide = 1;
  far.offset = INT32_MIN;
  coarse.shift = 0;
  assert_int_not_equal(mote_ml_check(&odd, sizeof odd), MOTE_OK);
  assert_int_not_equal(mote_ml_check(&wide, sizeof wide), MOTE_OK);
  assert_int_not_equal(mote_ml_check(&far, sizeof far), MOTE_OK);
  assert_int_not_equal(mote_ml_check(&coarse, sizeof coarse), MOTE_OK);
  arena_free(a);
}

/* A node of it has the answer as a third operand, of as many values as the first; other kinds have none. */
static bool node_is_good(const struct mote_ml *model, uint32_t n, int answers) {
  struct arena *a = arena_new((size_t)1 << 20);
  struct graph *g = graph_new(a, "error");
  struct graph_tensor t = {.name = "x", .type = MOTE_INT8, .rank = 2, .dims = {1, (int32_t)n}};
  struct err e = {0};
  t.quant = graph_quant_one(a, 0.03f, 11);
  struct graph_node node = {.op = MOTE_OP_LEARNER, .n_in = answers < 0 ? 2 : 3, .n_out = 1};
  int inputs[2] = {graph_add_tensor(g, &t), -1};
  t.dims[1] = answers;
  if (answers >= 0) inputs[1] = graph_add_tensor(g, &t);
  struct graph_tensor bytes = {
      .name = "model", .type = MOTE_UINT8, .rank = 1, .dims = {(int32_t)model->bytes}};
  bytes.data = model;
  struct graph_tensor score = {.name = "score", .type = MOTE_INT32, .rank = 2, .dims = {1, 1}};
  score.quant = graph_quant_one(a, ldexpf(1, -(int)model->fraction), 0);
  node.in[0] = inputs[0];
  node.in[1] = graph_add_tensor(g, &bytes);
  node.in[2] = inputs[1];
  node.out[0] = graph_add_tensor(g, &score);
  graph_set_inputs(g, inputs, answers < 0 ? 1 : 2);
  graph_set_outputs(g, &node.out[0], 1);
  graph_add_node(g, &node);
  const bool good = graph_check(g, &e);
  arena_free(a);
  return good;
}

static void test_reconstruction_reads_two(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)64 << 20);
  const struct pair p = {8, {0.03f, 0.02f}, {11, -4}};
  const struct learn_model pair = error_of(a, &p);
  struct learn_set set = clouds(a, 50, 8, 1, false, 0.5, 3);
  const struct learn_config c = learn_defaults(LEARN_KMEANS);
  const struct learn_model one = fit(a, &c, &set);
  assert_true(node_is_good(pair.model, 8, 8));
  assert_false(node_is_good(pair.model, 8, -1));
  assert_false(node_is_good(pair.model, 8, 7));
  assert_false(node_is_good(pair.model, 16, -1));
  assert_true(node_is_good(one.model, 8, -1));
  assert_false(node_is_good(one.model, 8, 8));
  arena_free(a);
}

/* ---- hostile bytes -------------------------------------------------------------------------- */
/* Runs what passes, in memory of exactly the size that it asks for. */
static void run_if_good(const uint8_t *bytes, size_t n) {
  void *copy = malloc(n ? n : 1);
  assert_non_null(copy);
  memcpy(copy, bytes, n);
  if (mote_ml_check(copy, n) == MOTE_OK) {
    const struct mote_ml *m = copy;
    const size_t in = mote_ml_in_bytes(m), out = mote_ml_out_bytes(m);
    uint8_t *x = malloc(in), *to = malloc(out), *scratch = malloc(mote_ml_scratch_bytes(m) + 1);
    assert_true(x && to && scratch);
    for (int pattern = 0; pattern < 3; pattern++) {
      for (size_t i = 0; i < in; i++)
        x[i] = (uint8_t)(pattern == 0 ? i * 37 + 11 : pattern == 1 ? 0x80 : 0x7F);
      mote_ml_run(m, x, scratch, to);
      if (m->classes == 0) {
        int32_t *why = malloc(sizeof *why * mote_ml_columns(m));
        assert_non_null(why);
        mote_ml_why(m, x, scratch, why);
        free(why);
      }
    }
    free(scratch), free(to), free(x);
  }
  free(copy);
}

/* What is left of a model after some of its bytes have changed. */
static void change(const struct learn_model *m, struct arena *a) {
  struct rng r;
  uint8_t *bytes = ARENA_ARRAY(a, uint8_t, m->bytes);
  rng_seed(&r, 7);
  for (int t = 0; t < 4000; t++) {
    memcpy(bytes, m->model, m->bytes);
    for (uint32_t k = 1 + rng_below(&r, 3); k; k--) {
      /* Heads more often than tables. */
      const uint32_t most = rng_below(&r, 2) ? 72 : (uint32_t)m->bytes;
      bytes[rng_below(&r, most < m->bytes ? most : (uint32_t)m->bytes)] =
          (uint8_t)(rng_below(&r, 3)   ? rng_u32(&r)
                    : rng_below(&r, 2) ? 0xFF
                                       : 0x80);
    }
    run_if_good(bytes, m->bytes);
  }
}

static void test_hostile_bytes(void **state) {
  (void)state;
  for (int kind = 0; kind < LEARN_KIND_COUNT; kind++)
    for (int wide = 0; wide < 2; wide++) {
      if (!exists(kind)) continue;
      struct arena *a = arena_new((size_t)256 << 20);
      struct learn_config c = learn_defaults((enum learn_kind)kind);
      c.trees = 3;
      c.clusters = 3;
      c.points = 20;
      c.components = 2;
      c.full = wide;
      struct learn_set set = clouds(a, 60, 4, 3, wide, 0.7, 6);
      const struct learn_model m = fit(a, &c, &set);
      for (size_t n = 0; n < m.bytes; n++) assert_int_not_equal(mote_ml_check(m.model, n), MOTE_OK);
      change(&m, a);
      arena_free(a);
    }
  struct arena *a = arena_new((size_t)1 << 20);
  const struct pair p = {264, {0.03f, 0.02f}, {11, -4}};
  const struct learn_model m = error_of(a, &p);
  change(&m, a);
  arena_free(a);
}

/* ---- thresholds -------------------------------------------------------------------------------- */
static void test_thresholds(void **state) {
  (void)state;
  int32_t scores[199];
  struct learn_threshold t;
  double low, high;
  for (int i = 0; i < 199; i++) scores[i] = (i * 83) % 199;
  learn_threshold(scores, 199, 0.05, 0.95, &t);
  assert_int_equal(t.threshold, 189); /* rank ceil(200 * 0.95) = 190 */
  assert_int_equal(t.above, 9);
  assert_true(t.reached && t.low < t.rate && t.rate < t.high);
  learn_threshold(scores, 18, 0.05, 0.95, &t);
  assert_false(t.reached);
  assert_int_equal(t.above, 0);
  /* Clopper and Pearson's own limits: none of n gives 1 - (tail)^(1/n); and known values. */
  learn_interval(0, 50, 0.95, &low, &high);
  assert_true(low == 0 && fabs(high - (1 - pow(0.025, 1.0 / 50))) < 1e-9);
  learn_interval(3, 20, 0.95, &low, &high);
  assert_true(fabs(low - 0.0320709) < 1e-6 && fabs(high - 0.3789268) < 1e-6);
  learn_interval(20, 20, 0.95, &low, &high);
  assert_true(high == 1 && fabs(low - pow(0.025, 1.0 / 20)) < 1e-9);
  /* Of many sets of normal scores the promise holds in the mean. */
  struct rng r;
  double alarms = 0;
  rng_seed(&r, 8);
  for (int s = 0; s < 400; s++) {
    int32_t normal[99];
    for (int i = 0; i < 99; i++) normal[i] = (int32_t)(rng_u32(&r) >> 2);
    learn_threshold(normal, 99, 0.1, 0.95, &t);
    alarms += 1 - t.threshold / 1073741824.0;
  }
  assert_true(alarms / 400 < 0.106 && alarms / 400 > 0.094);
}

static void test_auc(void **state) {
  (void)state;
  const int32_t low[4] = {1, 2, 3, 4}, high[3] = {5, 6, 7}, mixed[2] = {2, 9};
  assert_true(learn_auc(low, 4, high, 3) == 1);
  assert_true(learn_auc(high, 3, low, 4) == 0);
  assert_true(fabs(learn_auc(low, 4, mixed, 2) - (1.5 + 4) / 8) < 1e-12);
}

static void test_refusals(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)64 << 20);
  struct err e = {0};
  struct learn_model m;
  struct learn_set set = clouds(a, 20, 3, 2, false, 0.5, 9), one = set;
  struct learn_config c = learn_defaults(LEARN_KMEANS);
  const int columns[1] = {3};
  c.columns = columns;
  c.n_columns = 1;
  assert_false(learn_fit(&c, &set, a, NULL, &m, &e));
  assert_non_null(strstr(e.text, "column 3"));
  c = learn_defaults(LEARN_KMEANS);
  c.clusters = 0;
  assert_false(learn_fit(&c, &set, a, NULL, &m, &e));
  one.n = 1;
  c.clusters = 2;
  assert_false(learn_fit(&c, &one, a, NULL, &m, &e));
  c = learn_defaults(LEARN_KNN);
  one = set;
  one.classes = 1;
  assert_false(learn_fit(&c, &one, a, NULL, &m, &e));
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kmeans_is_the_formula),
      cmocka_unit_test(test_learners_learn),
      cmocka_unit_test(test_same_seed_same_bytes),
      cmocka_unit_test(test_reconstruction_is_the_mean_square),
      cmocka_unit_test(test_reconstruction_refuses),
      cmocka_unit_test(test_reconstruction_reads_two),
      cmocka_unit_test(test_hostile_bytes),
      cmocka_unit_test(test_thresholds),
      cmocka_unit_test(test_auc),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
