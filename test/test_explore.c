/* host/features over many windows: pictures, what values are worth, how well classes are told apart, names. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/features/features.h"

enum { CLOUD = 300, WIDE = 40, CLASSES = 3 };

/* Three classes that differ in columns 3 and 17 only; column 5 repeats 3; groups are mixed. */
static struct features_table make_table(struct arena *a, double apart) {
  int8_t *const values = arena_alloc(a, CLOUD, WIDE);
  int32_t *const labels = ARENA_ARRAY(a, int32_t, CLOUD), *const folds =
                                                              ARENA_ARRAY(a, int32_t, CLOUD);
  struct rng r;
  rng_seed(&r, 21);
  for (int i = 0; i < CLOUD; i++) {
    labels[i] = i % CLASSES;
    folds[i] = i / CLASSES % 5;
    for (int c = 0; c < WIDE; c++) {
      const double shift = c == 3    ? apart * (labels[i] - 1)
                           : c == 17 ? apart * (labels[i] == 1)
                                     : 0;
      values[i * WIDE + c] = (int8_t)fmax(-128, fmin(127, shift + 10 * (double)rng_normal(&r)));
    }
    values[i * WIDE + 5] = values[i * WIDE + 3];
  }
  return (struct features_table){values, CLOUD, WIDE, CLASSES, labels, folds};
}

/* The share of windows whose nearest window in the picture has the same label. */
static double alike(const struct features_table *t, const float *xy) {
  int same = 0;
  for (int i = 0; i < t->n; i++) {
    int best = -1;
    double least = HUGE_VAL;
    for (int j = 0; j < t->n; j++) {
      const double d =
          hypot((double)(xy[2 * i] - xy[2 * j]), (double)(xy[2 * i + 1] - xy[2 * j + 1]));
      if (j != i && d < least) least = d, best = j;
    }
    same += t->labels[best] == t->labels[i];
  }
  return (double)same / t->n;
}

static void test_embed(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_shares shares;
  float pca[2 * CLOUD], umap[2 * CLOUD], again[2 * CLOUD];
  struct features_table t = make_table(a, 80);
  assert_true(features_embed(&t, FEATURES_MAP_PCA, 1, a, pca, &shares, NULL, &e));
  assert_true(features_embed(&t, FEATURES_MAP_UMAP, 1, a, umap, &shares, NULL, &e));
  const int threads = omp_get_max_threads();
  omp_set_num_threads(threads == 1 ? 3 : 1);
  assert_true(features_embed(&t, FEATURES_MAP_UMAP, 1, a, again, &shares, NULL, &e));
  omp_set_num_threads(threads);
  assert_memory_equal(umap, again, sizeof umap);
  /* The variances, counted: 100 in 38 columns; 80^2 * 2/3 more in columns 3 and 5 together, 80^2 * 2/9 in 17. */
  print_message("shares %.3f %.3f, alike %.2f %.2f\n", shares.first, shares.second, alike(&t, pca),
                alike(&t, umap));
  const double all = 40 * 100 + 6400 * (4.0 / 3 + 2.0 / 9);
  assert_true(fabs(shares.first - (6400 * 4.0 / 3 + 200) / all) < 0.03);
  assert_true(fabs(shares.second - (6400 * 2.0 / 9 + 100) / all) < 0.03);
  assert_true(alike(&t, pca) > 0.97 && alike(&t, umap) > 0.97);
  t.n = 2;
  assert_false(features_embed(&t, FEATURES_MAP_PCA, 1, a, pca, &shares, NULL, &e));
  t.n = 10; /* fewer than neighbours: the components alone */
  assert_true(features_embed(&t, FEATURES_MAP_UMAP, 1, a, pca, &shares, NULL, &e));
  memset((void *)(uintptr_t)t.values, 7, CLOUD * WIDE); /* all alike: still finite */
  t.n = CLOUD;
  assert_true(features_embed(&t, FEATURES_MAP_UMAP, 1, a, umap, &shares, NULL, &e));
  for (int i = 0; i < 2 * CLOUD; i++) assert_true(isfinite(umap[i]));
  arena_free(a);
}

static void test_rank_and_judge(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_worth w[WIDE];
  double right, deviation, chance;
  struct features_table t = make_table(a, 80), none = make_table(a, 0);
  assert_true(features_rank(&t, a, w, &e));
  assert_true(w[3].bits > 1.2 && w[3].bits < 1.6); /* log2(3) at most */
  assert_true(w[17].bits > 0.7 && w[17].bits < 1); /* one class of three: 0.918 */
  assert_true(fabs(w[3].between - w[5].between) < 1e-12 && w[3].between > 0.9);
  for (int c = 0; c < WIDE; c++)
    if (c != 3 && c != 5 && c != 17) assert_true(w[c].bits < 0.1 && w[c].between < 0.1);
  assert_int_equal(w[3].order, 0); /* the copy adds nothing: it comes behind column 17 */
  assert_true(w[17].order < w[5].order || w[5].order < 0);
  assert_true(features_judge(&t, a, &right, &deviation, &e));
  assert_true(features_judge(&none, a, &chance, &deviation, &e));
  print_message("told right: %.3f, without any difference %.3f\n", right, chance);
  assert_true(right > 0.98 && fabs(chance - 1.0 / 3) < 0.12 && deviation < 0.03);
  t.classes = 1;
  assert_false(features_rank(&t, a, w, &e));
  assert_false(features_judge(&t, a, &right, &deviation, &e));
  t.classes = 3;
  memset((void *)(uintptr_t)t.folds, 0, CLOUD * sizeof *t.folds);
  assert_false(features_judge(&t, a, &right, &deviation, &e));
  arena_free(a);
}

static void test_value_names(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct features_config c[2];
  struct features_block block;
  struct text name;
  features_defaults(FEATURES_LOGMEL, 16000, 1, 1000, &c[0], NULL);
  assert_true(features_build(c, 1, a, &block, &e));
  text_init(&name, a);
  features_value_name(&block, c, 40 * 2 + 0, &name);
  assert_true(text_starts(name.data, "frame 3, 60 to "));
  features_defaults(FEATURES_STATISTICS, 100, 3, 2000, &c[0], NULL);
  features_defaults(FEATURES_STATISTICS, 100, 1, 2000, &c[1], NULL);
  c[1].stride = 3, c[1].select[0] = 1;
  assert_true(features_build(c, 2, a, &block, &e));
  text_init(&name, a);
  features_value_name(&block, c, 20 + 2, &name);
  assert_string_equal(name.data, "channel 2: RMS");
  text_init(&name, a);
  features_value_name(&block, c, 60 + 6, &name);
  assert_string_equal(name.data, "channel 2: crossings");
  arena_free(a);
}

/* Each kind's values have names of their own: what the row at a place holds, as docs/spec/cli.md orders them. */
static void test_value_names_of_kinds(void **state) {
  (void)state;
  static const struct {
    enum features_kind kind;
    bool more; /* all values, decimated, with a low pass */
    int index;
    const char *name;
  } cases[] = {
      {FEATURES_SPECTRAL, false, 0, "channel 1: RMS"},
      {FEATURES_SPECTRAL, false, 11 + 2, "channel 2: kurtosis"},
      {FEATURES_SPECTRAL, false, 22 + 3, "channel 3: 3.125 Hz"},
      {FEATURES_SPECTRAL, true, 3, "channel 1: skewness of the powers"},
      {FEATURES_SPECTRAL, true, 5, "channel 1: 1.042 Hz"},
      {FEATURES_SPECTRAL, true, 5 + 8, "channel 1: 0.5 to 4 Hz"},
      {FEATURES_SPECTRAL, true, 5 + 8 + 1 + 1, "channel 1: roll-off"},
      {FEATURES_SPECTRAL, true, 5 + 8 + 1 + 3 + 3, "channel 1: height of peak 2"},
      {FEATURES_SPECTRAL, true, 21 + 1, "channel 2: skewness"},
      {FEATURES_SPECTRAL, true, 3 * 21 + 21 + 5, "channel 2: low: 0.1042 Hz"},
      {FEATURES_FLATTEN, false, 7 + 4, "channel 2: deviation"},
      {FEATURES_WAVELET, false, 13, "channel 1: rest: kurtosis"},
      {FEATURES_WAVELET, false, 14, "channel 1: details 1: entropy"},
      {FEATURES_SPECTROGRAM, false, 3 * 9 + 4, "frame 2, channel 2: 3.125 Hz"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct arena *a = arena_new(0);
    struct err e = {0};
    struct features_config c;
    struct features_block block;
    struct text name;
    features_defaults(cases[i].kind, 50, 3, 20000, &c, NULL);
    if (c.kind == FEATURES_SPECTRAL || c.kind == FEATURES_SPECTROGRAM) c.fft_size = 16;
    if (c.kind == FEATURES_SPECTROGRAM) c.frame_ms = 320, c.hop_ms = 160;
    if (c.kind == FEATURES_WAVELET) c.levels = 1;
    if (cases[i].more) {
      c.values = MOTE_SPECTRAL_RMS | MOTE_SPECTRAL_SKEWNESS | MOTE_SPECTRAL_KURTOSIS |
                 MOTE_SPECTRAL_SHAPE | MOTE_SPECTRAL_POWERS | MOTE_SPECTRAL_BANDS |
                 MOTE_SPECTRAL_CENTROID | MOTE_SPECTRAL_ROLLOFF | MOTE_SPECTRAL_FLATNESS |
                 MOTE_SPECTRAL_PEAKS;
      c.decimate = 3, c.extra_low = true, c.peaks = 2;
      c.n_edges = 2, c.edges_hz[0] = 0.5, c.edges_hz[1] = 4;
    }
    if (!features_build(&c, 1, a, &block, &e)) fail_msg("%zu: %s: %s", i, e.node, e.text);
    text_init(&name, a);
    features_value_name(&block, &c, cases[i].index, &name);
    assert_string_equal(name.data, cases[i].name);
    arena_free(a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_embed),
      cmocka_unit_test(test_rank_and_judge),
      cmocka_unit_test(test_value_names),
      cmocka_unit_test(test_value_names_of_kinds),
  };
  return cmocka_run_group_tests_name("explore", tests, NULL, NULL);
}
