/* Looking at recordings: divisions keep groups whole and classes even; faults, likeness, doubts and events are found where
 * they were planted, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/inspect/inspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- division --------------------------------------------------------------------------- */
/* Random groups and classes: every share is met within the largest group, and the same again gives the same. */
static void test_divide(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 30; seed++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct rng rng;
    rng_seed(&rng, seed);
    const int n = 200 + (int)rng_below(&rng, 2000), groups = 12 + (int)rng_below(&rng, 60),
              classes = 4;
    int32_t *group = ARENA_ARRAY(a, int32_t, n), *class = ARENA_ARRAY(a, int32_t, n);
    int *size = ARENA_ARRAY(a, int, groups);
    for (int i = 0; i < n; i++) {
      group[i] = i < groups ? i : (int32_t)rng_below(&rng, (uint32_t)groups);
      class[i] = (int32_t)rng_below(&rng, (uint32_t)classes);
      size[group[i]]++;
    }
    const struct inspect_division d = {.n_items = n,
                                       .n_groups = groups,
                                       .n_classes = classes,
                                       .group_of = group,
                                       .class_of = class,
                                       .share = {0.7, 0.1, 0.2},
                                       .seed = seed};
    uint8_t *split = ARENA_ARRAY(a, uint8_t, groups), *again = ARENA_ARRAY(a, uint8_t, groups);
    assert_true(inspect_divide(a, &d, split, &e) && inspect_divide(a, &d, again, &e));
    assert_memory_equal(split, again, (size_t)groups);
    int have[4][3] = {{0}}, all[4] = {0}, largest = 0;
    for (int i = 0; i < n; i++) have[class[i]][split[group[i]]]++, all[class[i]]++;
    for (int g = 0; g < groups; g++) largest = size[g] > largest ? size[g] : largest;
    for (int c = 0; c < classes; c++)
      for (int s = 0; s < 3; s++) assert_true(fabs(have[c][s] - d.share[s] * all[c]) <= largest);
    arena_free(a);
  }
}

/* Each item its own group: exact to one item; a wanted split is never empty; too few groups are refused. */
static void test_divide_edges(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  int32_t group[100], class[100];
  uint8_t split[100];
  for (int i = 0; i < 100; i++) group[i] = i, class[i] = i % 5;
  struct inspect_division d = {.n_items = 100,
                               .n_groups = 100,
                               .n_classes = 5,
                               .group_of = group,
                               .class_of = class,
                               .share = {0.7, 0.1, 0.2},
                               .seed = 1};
  assert_true(inspect_divide(a, &d, split, &e));
  int have[5][3] = {{0}};
  for (int i = 0; i < 100; i++) have[class[i]][split[i]]++;
  for (int c = 0; c < 5; c++) assert_true(have[c][0] == 14 && have[c][1] == 2 && have[c][2] == 4);
  d.n_items = d.n_groups = 3; /* tiny shares, but each split gets one */
  d.n_classes = 3;
  d.share[0] = 0.98, d.share[1] = d.share[2] = 0.01;
  assert_true(inspect_divide(a, &d, split, &e));
  assert_int_equal((1 << split[0]) | (1 << split[1]) | (1 << split[2]), 7);
  d.n_items = d.n_groups = 2;
  assert_false(inspect_divide(a, &d, split, &e));
  assert_non_null(strstr(e.text, "2 groups cannot fill 3 splits"));
  arena_free(a);
}

/* ---- faults ------------------------------------------------------------------------------- */
static struct inspect_channel measure_one(const float *values, int n) {
  struct inspect_channel c;
  inspect_measure(
      &(struct inspect_signal){.values = values, .length = n, .channels = 1, .rate_hz = 100}, &c);
  return c;
}

static void test_faults(void **state) {
  (void)state;
  float v[1000];
  for (int i = 0; i < 1000; i++) v[i] = (float)sin(i * 0.05);
  struct inspect_channel c = measure_one(v, 1000);
  assert_true(c.clipped == 0 && !c.constant && c.not_finite == 0 && c.moving > 0.99);
  assert_true(fabs(c.rms - sqrt(0.5)) < 0.01);
  for (int i = 0; i < 1000; i++) v[i] = fminf(fmaxf(2 * v[i], -1), 1);
  c = measure_one(v, 1000);
  assert_true(c.clipped > 400 && c.clipped_runs > 10 && c.moving > 0.99);
  for (int i = 0; i < 1000; i++) v[i] = (float)sin(i * 0.05);
  for (int i = 300; i < 380; i++) v[i] = v[300];
  assert_int_equal(measure_one(v, 1000).longest_hold, 80);
  v[7] = NAN, v[8] = INFINITY;
  c = measure_one(v, 1000);
  assert_true(c.not_finite == 2 && isfinite(c.mean) && isfinite(c.rms));
  for (int i = 0; i < 1000; i++) v[i] = 2.5f;
  assert_true(measure_one(v, 1000).constant);
  for (int i = 0; i < 1000; i++) v[i] = (float)(i / 100 % 2); /* a door: no sensor that saturates */
  assert_true(measure_one(v, 1000).moving == 0);
}

/* ---- likeness ------------------------------------------------------------------------------- */
/* A recording of a seed: three tones that swell and fade, in noise. sound: 1 s at 8 kHz, else 3 axes, 4 s at 100 Hz. */
static struct inspect_signal make(struct arena *a, uint64_t seed, bool sound) {
  const int n = sound ? 8000 : 400, channels = sound ? 1 : 3;
  float *v = ARENA_ARRAY(a, float, n *channels);
  struct rng rng;
  rng_seed(&rng, seed);
  for (int k = 0; k < channels; k++) {
    for (int t = 0; t < 3; t++) {
      const double f = (sound ? 0.05 : 0.02) + (double)rng_unit(&rng) * (sound ? 2 : 0.6);
      const double at = (double)rng_unit(&rng) * n,
                   wide = n * (0.05 + 0.2 * (double)rng_unit(&rng));
      for (int i = 0; i < n; i++)
        v[i * channels + k] +=
            (float)(0.3 * sin(f * i) * exp(-(i - at) * (i - at) / (2 * wide * wide)));
    }
    for (int i = 0; i < n; i++) v[i * channels + k] += 0.02f * rng_normal(&rng);
  }
  return (struct inspect_signal){
      .values = v, .length = n, .channels = channels, .rate_hz = sound ? 8000 : 100};
}

static void test_near_duplicates(void **state) {
  (void)state;
  enum { N = 400, COPIES = 20 };
  for (int sound = 0; sound < 2; sound++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct rng rng;
    struct inspect_print *prints = ARENA_ARRAY(a, struct inspect_print, N + COPIES + 2);
    struct inspect_pair *pairs;
    int n;
    rng_seed(&rng, 9);
    for (int i = 0; i < N; i++) {
      struct inspect_signal s = make(a, (uint64_t)i + 1, sound);
      inspect_fingerprint(&s, &prints[i]);
    }
    for (int i = 0; i < COPIES; i++) { /* quieter, and with noise of 40 dB below */
      struct inspect_signal s = make(a, (uint64_t)i + 1, sound);
      float *v = ARENA_ARRAY(a, float, s.length *s.channels);
      for (int64_t k = 0; k < s.length * s.channels; k++)
        v[k] = 0.6f * s.values[k] + 0.0006f * rng_normal(&rng);
      s.values = v;
      inspect_fingerprint(&s, &prints[N + i]);
    }
    struct inspect_signal quiet = {
        .values = ARENA_ARRAY(a, float, 8000), .length = 8000, .channels = 1, .rate_hz = 8000};
    inspect_fingerprint(&quiet, &prints[N + COPIES]);
    inspect_fingerprint(&quiet, &prints[N + COPIES + 1]);
    assert_true(prints[N + COPIES].empty); /* silence is not like silence */
    assert_true(inspect_near_duplicates(a, prints, N + COPIES + 2, 0.9, 1000, &pairs, &n, &e));
    assert_in_range(n, COPIES - 1,
                    COPIES); /* noise may move where the loud part of a sound begins */
    for (int i = 0; i < n; i++) assert_int_equal(pairs[i].second - pairs[i].first, N);
    assert_true(inspect_near_duplicates(a, prints, N + COPIES + 2, 0.9, 5, &pairs, &n, &e));
    assert_int_equal(n, 5);
    arena_free(a);
  }
}

/* ---- doubts ---------------------------------------------------------------------------------- */
static void test_doubts(void **state) {
  (void)state;
  enum { N = 600, WRONG = 20, CLASSES = 3 };
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct rng rng;
  struct inspect_doubt *doubts;
  static float features[N * INSPECT_FEATURES];
  int32_t labels[N];
  int n;
  double agree;
  rng_seed(&rng, 4);
  for (int i = 0; i < N; i++) {
    labels[i] = i % CLASSES;
    for (int k = 0; k < INSPECT_FEATURES; k++)
      features[i * INSPECT_FEATURES + k] = rng_normal(&rng) + (k % CLASSES == labels[i] ? 2.0f : 0);
  }
  assert_true(inspect_doubts(a, features, labels, NULL, N, CLASSES, 1, &doubts, &n, &agree, &e));
  assert_true(agree > 0.99);
  assert_true(n <= 2); /* what is right is not doubted */
  for (int i = 0; i < WRONG; i++) labels[i * 29] = (labels[i * 29] + 1) % CLASSES;
  assert_true(inspect_doubts(a, features, labels, NULL, N, CLASSES, 1, &doubts, &n, &agree, &e));
  int found = 0;
  for (int i = 0; i < n && i < WRONG; i++) {
    found += doubts[i].item % 29 == 0 && doubts[i].item / 29 < WRONG;
    if (i)
      assert_true(doubts[i].confidence - doubts[i].given <=
                  doubts[i - 1].confidence - doubts[i - 1].given);
  }
  assert_true(found >= WRONG - 2);
  /* Labels by chance: no neighbour is sure of anything. */
  for (int i = 0; i < N; i++) labels[i] = (int32_t)rng_below(&rng, CLASSES);
  assert_true(inspect_doubts(a, features, labels, NULL, N, CLASSES, 1, &doubts, &n, &agree, &e));
  assert_true(agree < 0.45);
  arena_free(a);
}

/* ---- events ------------------------------------------------------------------------------------- */
static void test_events(void **state) {
  (void)state;
  static const int begins[] = {2000, 9000, 15000};
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct rng rng;
  static float v[20000];
  rng_seed(&rng, 2);
  for (int i = 0; i < 20000; i++) v[i] = 0.001f * rng_normal(&rng);
  for (int b = 0; b < 3; b++)
    for (int i = 0; i < 1600; i++) v[begins[b] + i] += 0.3f * (float)sin(i * 0.7);
  const struct inspect_signal s = {.values = v, .length = 20000, .channels = 1, .rate_hz = 8000};
  struct inspect_event_rule rule = {.kind = INSPECT_ENERGY};
  struct inspect_stretch *events, kept;
  int n;
  bool found;
  assert_true(inspect_events(a, &s, &rule, &events, &n, &e));
  assert_int_equal(n, 3);
  for (int b = 0; b < 3; b++) {
    assert_true(labs(events[b].first - begins[b]) <= 160);
    assert_true(labs(events[b].last - begins[b] - 1599) <= 160);
  }
  rule.apart_s = 1; /* pauses of under a second join */
  assert_true(inspect_events(a, &s, &rule, &events, &n, &e));
  assert_int_equal(n, 1);
  rule = (struct inspect_event_rule){.kind = INSPECT_PEAK, .length_s = 0.25, .threshold = 1.5};
  assert_true(inspect_events(a, &s, &rule, &events, &n, &e));
  assert_true(n >= 3);
  for (int i = 0; i < n; i++) {
    assert_int_equal(events[i].last - events[i].first + 1, 2000);
    assert_true(events[i].first >= 0 && events[i].last < 20000);
    if (i) assert_true(events[i].first > events[i - 1].last);
  }
  assert_true(
      inspect_trim(a, &s, &(struct inspect_event_rule){.padding_s = 0.05}, &kept, &found, &e) &&
      found);
  assert_true(labs(kept.first - 1600) <= 160 && labs(kept.last - 16999) <= 160);
  for (int i = 0; i < 20000; i++) v[i] = 0.2f * rng_normal(&rng); /* all alike */
  assert_true(inspect_trim(a, &s, &(struct inspect_event_rule){0}, &kept, &found, &e));
  assert_false(found);
  arena_free(a);
}

/* Any shape, any numbers, NaN included: finite features, no crash. */
static void test_hostile(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct rng rng;
  struct err e = {0};
  rng_seed(&rng, 8);
  for (int round = 0; round < 300; round++) {
    const int channels = 1 + (int)rng_below(&rng, 6),
              n = 1 + (int)rng_below(&rng, round % 3 ? 40 : 4000);
    float *v = ARENA_ARRAY(a, float, n *channels), features[INSPECT_FEATURES];
    for (int i = 0; i < n * channels; i++) {
      const uint32_t bits = rng_u32(&rng);
      memcpy(&v[i], &bits, sizeof bits);
      if (!isfinite(v[i]) || fabsf(v[i]) > 1e15f) v[i] = round & 1 ? v[i] : rng_normal(&rng);
      if (round % 5 == 0) v[i] = 0;
    }
    const struct inspect_signal s = {
        .values = v, .length = n, .channels = channels, .rate_hz = round & 2 ? 16000 : 0.1};
    struct inspect_channel c[6];
    struct inspect_print print;
    struct inspect_stretch *events, kept;
    int count;
    bool found;
    inspect_measure(&s, c);
    inspect_describe(&s, features);
    inspect_fingerprint(&s, &print);
    for (int kind = 0; kind < 2; kind++) {
      const struct inspect_event_rule rule = {.kind = (enum inspect_event_kind)kind,
                                              .length_s = round & 4 ? 0.5 : 0};
      assert_true(inspect_events(a, &s, &rule, &events, &count, &e));
      for (int i = 0; i < count; i++)
        assert_true(events[i].first >= 0 && events[i].last < n &&
                    events[i].first <= events[i].last);
    }
    assert_true(inspect_trim(a, &s, &(struct inspect_event_rule){0}, &kept, &found, &e));
  }
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_divide),  cmocka_unit_test(test_divide_edges),
      cmocka_unit_test(test_faults),  cmocka_unit_test(test_near_duplicates),
      cmocka_unit_test(test_doubts),  cmocka_unit_test(test_events),
      cmocka_unit_test(test_hostile),
  };
  return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
