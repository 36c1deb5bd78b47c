/* Tests of mote/ml and host/learn: every kind against a plain evaluation in double precision, models against hostile bytes,
 * thresholds against their definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void test_hostile_bytes(void **state) {
  (void)state;
  for (int kind = 0; kind < LEARN_KIND_COUNT; kind++)
    for (int wide = 0; wide < 2; wide++) {
      if (!exists(kind)) continue;
      struct arena *a = arena_new((size_t)256 << 20);
      struct learn_config c = learn_defaults((enum learn_kind)kind);
      struct rng r;
      c.trees = 3;
      c.clusters = 3;
      c.points = 20;
      c.components = 2;
      c.full = wide;
      struct learn_set set = clouds(a, 60, 4, 3, wide, 0.7, 6);
      const struct learn_model m = fit(a, &c, &set);
      for (size_t n = 0; n < m.bytes; n++) assert_int_not_equal(mote_ml_check(m.model, n), MOTE_OK);
      uint8_t *bytes = ARENA_ARRAY(a, uint8_t, m.bytes);
      rng_seed(&r, 7);
      for (int t = 0; t < 4000; t++) {
        memcpy(bytes, m.model, m.bytes);
        for (uint32_t k = 1 + rng_below(&r, 3); k; k--) {
          /* Heads more often than tables. */
          const uint32_t most = rng_below(&r, 2) ? 72 : (uint32_t)m.bytes;
          bytes[rng_below(&r, most < m.bytes ? most : (uint32_t)m.bytes)] =
              (uint8_t)(rng_below(&r, 3)   ? rng_u32(&r)
                        : rng_below(&r, 2) ? 0xFF
                                           : 0x80);
        }
        run_if_good(bytes, m.bytes);
      }
      arena_free(a);
    }
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
      cmocka_unit_test(test_hostile_bytes),
      cmocka_unit_test(test_thresholds),
      cmocka_unit_test(test_auc),
      cmocka_unit_test(test_refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
