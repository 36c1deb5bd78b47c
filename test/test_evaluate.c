/* host/evaluate: figures counted by hand and by definition, intervals that cover, curves, detections and tuning. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/evaluate/evaluate.h"
#include "mote/ml/ml.h"

static bool near(double x, double y) { return fabs(x - y) < 1e-9; }

/* Eight answers of three classes; every figure can be counted on paper. */
static void test_by_hand(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  static const int32_t truth[] = {0, 0, 0, 1, 1, 1, 1, 2};
  static const float scores[] = {.8F, .1F, .1F, .6F, .3F, .1F, .2F, .7F, .1F, .1F, .8F, .1F,
                                 .1F, .7F, .2F, .3F, .6F, .1F, .5F, .4F, .1F, .1F, .2F, .7F};
  const struct evaluate_set s = {8, 3, truth, scores, NULL};
  struct evaluate_figures f, again;
  assert_true(evaluate_measure(&s, 1, a, &f, &e));
  static const int64_t confusion[] = {2, 1, 0, 1, 3, 0, 0, 0, 1};
  for (int i = 0; i < 9; i++) assert_int_equal(f.confusion[i], confusion[i]);
  assert_true(near(f.accuracy.value, 6.0 / 8));
  assert_true(near(f.balanced_accuracy.value, (2.0 / 3 + 3.0 / 4 + 1) / 3));
  assert_true(near(f.macro_f1.value, (2.0 / 3 + 3.0 / 4 + 1) / 3)); /* 4/6, 6/8, 2/2 */
  assert_true(near(f.per_class[0].precision, 2.0 / 3) && near(f.per_class[1].recall, 3.0 / 4));
  /* Class 0: positives .8 .6 .2, negatives .1 .1 .3 .5 .1: of 15 pairs 13 in order. */
  assert_true(near(f.per_class[0].roc_auc, 13.0 / 15));
  /* In falling order: + + - - + ...: precision at each positive 1, 1, 3/5. */
  assert_true(near(f.per_class[0].average_precision, (1 + 1 + 3.0 / 5) / 3));
  double loss = 0;
  static const double right[] = {.8, .6, .2, .8, .7, .6, .4, .7};
  for (int i = 0; i < 8; i++) loss -= log(right[i]) / 8;
  assert_true(fabs(f.log_loss - loss) < 1e-6);
  /* Steps of 1/15: .8 .8 right right | .6 .6 right right | .7 wrong | .7 .7 right right | .5 wrong. */
  assert_true(fabs(f.calibration_error -
                   (fabs(1.6 - 2) + fabs(1.2 - 2) + fabs(2.1 - 2) + fabs(.5 - 0)) / 8) < 1e-6);
  assert_true(evaluate_measure(&s, 1, a, &again, &e));
  assert_memory_equal(&f.accuracy, &again.accuracy, sizeof f.accuracy);
  assert_true(f.accuracy.low >= 3.0 / 8 && f.accuracy.low <= f.accuracy.value &&
              f.accuracy.high >= f.accuracy.value);
  const int32_t bad[] = {0, 0, 0, 1, 1, 1, 1, 3};
  const struct evaluate_set wrong = {8, 3, bad, scores, NULL}, none = {0, 3, truth, scores, NULL};
  assert_false(evaluate_measure(&wrong, 1, a, &f, &e));
  assert_false(evaluate_measure(&none, 1, a, &f, &e));
  arena_free(a);
}

/* Errors of estimates counted on paper; a truth of one number has no R2; far from zero no digits are lost. */
static void test_numbers_by_hand(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  static const double truth[] = {1, 2, 3, 6}, said[] = {2, 2, 1, 7}, one[] = {5, 5, 5, 5};
  static const int32_t clusters[] = {0, 0, 1, 2};
  struct evaluate_pairs s = {4, truth, said, clusters};
  struct evaluate_numbers f, again;
  assert_true(evaluate_numbers(&s, 1, a, &f, &e));
  assert_true(near(f.mean_error.value, 1) && near(f.bias.value, 0));
  assert_true(near(f.rms_error.value, sqrt(6.0 / 4)));
  assert_true(near(f.r2.value, 1 - 6.0 / 14)); /* about 3: 4 + 1 + 0 + 9 */
  assert_true(f.mean_error.low >= 0.5 && f.mean_error.high <= 2 && f.r2.low <= f.r2.value);
  assert_true(evaluate_numbers(&s, 1, a, &again, &e));
  assert_memory_equal(&f, &again, sizeof f);
  double far[4], far_said[4];
  for (int i = 0; i < 4; i++) far[i] = 1e9 + truth[i], far_said[i] = 1e9 + said[i];
  s = (struct evaluate_pairs){4, far, far_said, NULL};
  assert_true(evaluate_numbers(&s, 1, a, &again, &e));
  assert_true(fabs(again.r2.value - f.r2.value) < 1e-6 && fabs(again.bias.value) < 1e-6);
  s.truth = one;
  s.said = said;
  assert_true(evaluate_numbers(&s, 1, a, &f, &e));
  assert_true(isnan(f.r2.value) && isnan(f.r2.low) && near(f.bias.value, -2));
  far[2] = (double)NAN;
  s.truth = far;
  assert_false(evaluate_numbers(&s, 1, a, &f, &e));
  s.n = 0;
  assert_false(evaluate_numbers(&s, 1, a, &f, &e));
  arena_free(a);
}

/* Of 200 sets with a known accuracy about 95 of 100 intervals hold it; drawn one by one they would be far too narrow
 * where answers of a cluster agree. */
static void test_intervals_cover(void **state) {
  (void)state;
  enum { SETS = 200, CLUSTERS = 60, EACH = 5, N = CLUSTERS * EACH };
  int covered = 0, alone = 0;
  for (int set = 0; set < SETS; set++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct rng r;
    static int32_t truth[N], clusters[N];
    static float scores[2 * N];
    rng_seed(&r, (uint64_t)set + 1);
    for (int i = 0; i < N; i++) {
      clusters[i] = i / EACH;
      truth[i] = clusters[i] % 2;
      /* Four of five clusters are right, all of their answers together. */
      static bool right;
      if (i % EACH == 0) right = rng_unit(&r) < 0.8F;
      scores[2 * i + (right ? truth[i] : !truth[i])] = 0.9F;
      scores[2 * i + (right ? !truth[i] : truth[i])] = 0.1F;
    }
    struct evaluate_set s = {N, 2, truth, scores, clusters};
    struct evaluate_figures f;
    assert_true(evaluate_measure(&s, 7, a, &f, &e));
    covered += f.accuracy.low <= 0.8 && f.accuracy.high >= 0.8;
    s.clusters = NULL;
    assert_true(evaluate_measure(&s, 7, a, &f, &e));
    alone += f.accuracy.low <= 0.8 && f.accuracy.high >= 0.8;
    arena_free(a);
  }
  print_message("of %d intervals %d hold the truth; without clusters %d\n", SETS, covered, alone);
  assert_true(covered >= 180 && covered <= 198 && alone < 150);
}

/* Scores that are too sure by a known power. */
static void test_temperature(void **state) {
  (void)state;
  enum { N = 4000 };
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct rng r;
  int32_t *const truth = ARENA_ARRAY(a, int32_t, N);
  float *const scores = ARENA_ARRAY(a, float, 2 * N);
  rng_seed(&r, 3);
  for (int i = 0; i < N; i++) {
    const double p = 0.5 + 0.45 * (double)rng_unit(&r), sure = p * p / (p * p + (1 - p) * (1 - p));
    truth[i] = (double)rng_unit(&r) >= p;
    scores[2 * i] = (float)sure, scores[2 * i + 1] = (float)(1 - sure);
  }
  const struct evaluate_set s = {N, 2, truth, scores, NULL};
  struct evaluate_figures f;
  struct evaluate_step steps[10];
  assert_true(evaluate_measure(&s, 1, a, &f, &e));
  print_message("temperature %.3f, error %.3f -> %.3f\n", f.temperature, f.calibration_error,
                f.calibration_error_tempered);
  assert_true(fabs(f.temperature - 2) < 0.15); /* squared odds: two */
  assert_true(f.calibration_error > 0.08 && f.calibration_error_tempered < 0.03);
  evaluate_reliability(&s, 10, steps);
  int64_t all = 0;
  for (int k = 0; k < 10; k++) all += steps[k].count;
  assert_int_equal(all, N);
  assert_int_equal(steps[3].count, 0); /* of two classes the surer has half at least */
  double x[60], y[60];
  const int points = evaluate_curve(&s, 0, true, 60, a, x, y);
  assert_true(points > 10 && points <= 60 && x[0] == 0 && x[points - 1] == 1 && y[points - 1] == 1);
  for (int k = 1; k < points; k++) assert_true(x[k] >= x[k - 1] && y[k] >= y[k - 1]);
  arena_free(a);
}

/* One hour in steps of a second: a word at 100 s and at 200 s, a lone peak at 300 s, a wide one at 400 s. */
static void test_detections(void **state) {
  (void)state;
  static float scores[2 * 3600];
  for (int t = 0; t < 3600; t++) {
    const bool word = (t >= 100 && t < 104) || (t >= 200 && t < 203);
    scores[2 * t + 1] = word ? 0.9F : t == 300 ? 0.95F : t >= 400 && t < 406 ? 0.75F : 0.1F;
  }
  static const struct evaluate_span spans[] = {{99, 103, 1}, {199, 202, 1}, {500, 501, 0}};
  const struct evaluate_stream stream = {scores, 3600, 0, 1, spans, 3};
  const struct evaluate_detector quick = {1, 0.5, 1.5}, slow = {3, 0.5, 30}, strict = {2, 0.8, 30};
  struct evaluate_alarms x = evaluate_detect(&stream, 1, 2, 1, &quick, 2);
  assert_int_equal(x.spans, 2);
  assert_int_equal(x.missed, 0);
  assert_int_equal(x.false_alarms, 4); /* 300; 400, 402, 404 */
  assert_true(near(x.hours, 1));
  x = evaluate_detect(&stream, 1, 2, 1, &slow, 2);
  assert_int_equal(x.missed, 0);
  assert_int_equal(x.false_alarms,
                   1); /* the lone peak is averaged away, the wide one is silenced once */
  x = evaluate_detect(&stream, 1, 2, 1, &strict, 2);
  assert_int_equal(x.missed, 0);
  assert_int_equal(x.false_alarms, 0);
  static const int averages[] = {1, 2, 3};
  struct evaluate_detector best;
  struct evaluate_alarms curve[257];
  assert_true(evaluate_tune(&stream, 1, 2, 1, averages, 3, 30, 2, 0, &best, curve));
  x = evaluate_detect(&stream, 1, 2, 1, &best, 2);
  assert_int_equal(x.missed + x.false_alarms, 0);
  assert_true(best.average > 1 && best.threshold > 0.75);
  assert_int_equal(curve[256].missed, 2);
  /* Below the quiet's own scores it fires without end, and words fall into its silences. */
  for (int k = 52; k <= 256; k++) assert_true(curve[k].missed >= curve[k - 1].missed);
  /* A peak just below the words: answers one by one tell them apart at a few thresholds, means of two at many. */
  scores[2 * 300 + 1] = 0.88F;
  assert_true(evaluate_tune(&stream, 1, 2, 1, averages, 3, 30, 2, 0, &best, NULL));
  x = evaluate_detect(&stream, 1, 2, 1, &best, 2);
  assert_true(x.missed + x.false_alarms == 0 && best.average > 1 && best.threshold > 0.85);
  scores[2 * 300 + 1] = 0.95F;
  /* Without averages the lone peak, which is higher than the words, cannot be told from them. */
  assert_true(evaluate_tune(&stream, 1, 2, 1, averages, 1, 30, 2, 0, &best, NULL));
  assert_int_equal(evaluate_detect(&stream, 1, 2, 1, &best, 2).missed, 2);
}

/* A chip's detector, answer by answer, finds what the figures count. */
static void test_detector_of_the_device(void **state) {
  (void)state;
  enum { ROWS = 400, CLASSES = 3 };
  static const int averages[] = {1, 3, 8};
  struct rng r;
  rng_seed(&r, 5);
  for (int trial = 0; trial < 60; trial++) {
    static int8_t scores[ROWS * CLASSES];
    static float floats[ROWS * CLASSES];
    struct mote_detector_rule rules[CLASSES];
    int found[CLASSES] = {0};
    for (int i = 0; i < ROWS * CLASSES; i++) {
      scores[i] = (int8_t)rng_u32(&r);
      if (i >= CLASSES && rng_below(&r, 4)) scores[i] = scores[i - CLASSES];
      floats[i] = (float)(scores[i] + 128) / 256;
    }
    for (int c = 0; c < CLASSES; c++)
      rules[c] = (struct mote_detector_rule){(uint8_t)averages[rng_below(&r, 3)],
                                             (uint8_t)rng_u32(&r), (uint16_t)rng_below(&r, 20)};
    const struct evaluate_stream stream = {.scores = floats, .rows = ROWS, .hop_s = 0.25};
    for (int c = 0; c < CLASSES; c++) { /* one class at a time: what is told is all that there is */
      struct mote_detector_rule one[CLASSES] = {{0}};
      one[c] = rules[c];
      const struct mote_detector d = {one, CLASSES, 8};
      uint16_t memory[(MOTE_DETECTOR_BYTES(CLASSES, 8) + 1) / 2];
      assert_int_equal(mote_detector_check(&d, memory, sizeof memory), MOTE_OK);
      mote_detector_begin(&d, memory);
      for (int t = 0; t < ROWS; t++) {
        const int32_t told = mote_detector_next(&d, memory, scores + CLASSES * t);
        assert_true(told == -1 || told == c);
        found[c] += told == c;
      }
      const struct evaluate_detector same = {rules[c].average, rules[c].threshold / 256.0,
                                             0.25 * (rules[c].silence + 1)};
      assert_int_equal(evaluate_detect(&stream, 1, CLASSES, c, &same, 0).false_alarms, found[c]);
    }
  }
  const struct mote_detector_rule rules[2] = {{9, 1, 1}, {0, 0, 0}};
  const struct mote_detector d = {rules, 2, 8};
  uint16_t memory[40];
  assert_int_equal(mote_detector_check(&d, memory, sizeof memory), MOTE_ERR_PARAMS);
  const struct mote_detector wide = {rules, 2, 9};
  assert_int_equal(mote_detector_check(&wide, memory, 25), MOTE_ERR_ARENA);
  assert_int_equal(mote_detector_check(&wide, memory, 26), MOTE_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_hand),         cmocka_unit_test(test_numbers_by_hand),
      cmocka_unit_test(test_intervals_cover), cmocka_unit_test(test_temperature),
      cmocka_unit_test(test_detections),      cmocka_unit_test(test_detector_of_the_device),
  };
  return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
