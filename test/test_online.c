/* Tests of learning on the device, and of every learner on emulated chips: one program holds models of all kinds and three
 * heads that learn; a script of vectors runs through it on each chip and must leave this machine's bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/emulate/emulate.h"
#include "host/learn/learn.h"
#include "test/chip_headers.h"

enum { VALUES = 16, CLASSES = 4, MODELS = 16, HEADS = 3, OUT = 20 };
enum { LEARN = 64, PREDICT = 68, KEEP = 72 }; /* and the head */

/* One step of the script. */
struct step {
  uint8_t what, label;
  int16_t x[VALUES];
};

static void draw(struct rng *r, const double *centre, int label, int16_t *x) {
  for (int j = 0; j < VALUES; j++) {
    const double v = 30 * centre[label * VALUES + j] + 14 * (double)rng_normal(r);
    x[j] = (int16_t)(v > 127 ? 127 : v < -128 ? -128 : v);
  }
}

static void make_centres(double *centre) {
  struct rng r;
  rng_seed(&r, 21);
  for (int i = 0; i < CLASSES * VALUES; i++) centre[i] = (double)rng_normal(&r);
}

/* ---- heads on this machine -------------------------------------------------------------------- */
static const unsigned head_kind[HEADS] = {MOTE_ML_ONLINE_MEANS, MOTE_ML_ONLINE_NEAREST,
                                          MOTE_ML_ONLINE_SOFTMAX};
static const unsigned head_room[HEADS] = {CLASSES, 5 * CLASSES, CLASSES};

static void test_a_few_examples_teach(void **state) {
  (void)state;
  double centre[CLASSES * VALUES];
  make_centres(centre);
  for (int h = 0; h < HEADS; h++) {
    struct rng r;
    uint32_t memory[256];
    const size_t bytes = mote_ml_online_bytes(head_kind[h], VALUES, head_room[h]);
    assert_true(bytes > 0 && bytes <= 400); /* a few hundred bytes */
    struct mote_ml_online *s = (struct mote_ml_online *)(void *)memory;
    assert_int_equal(
        mote_ml_online_init(memory, bytes - 4, head_kind[h], VALUES, head_room[h], 32, 3),
        MOTE_ERR_ARENA);
    assert_int_equal(mote_ml_online_init(memory, bytes, head_kind[h], VALUES, head_room[h], 32, 3),
                     MOTE_OK);
    rng_seed(&r, 22);
    /* Five of each class; the last class comes when the others are long known. */
    for (int round = 0; round < 2; round++)
      for (int e = 0; e < 5; e++)
        for (int c = round ? CLASSES - 1 : 0; c < (round ? CLASSES : CLASSES - 1); c++) {
          int16_t x[VALUES];
          int8_t narrow[VALUES];
          draw(&r, centre, c, x);
          for (int j = 0; j < VALUES; j++) narrow[j] = (int8_t)x[j];
          assert_true(mote_ml_online_learn(s, narrow, (unsigned)c));
        }
    int right = 0;
    for (int i = 0; i < 400; i++) {
      int16_t x[VALUES];
      int8_t narrow[VALUES];
      draw(&r, centre, i % CLASSES, x);
      for (int j = 0; j < VALUES; j++) narrow[j] = (int8_t)x[j];
      right += mote_ml_online_predict(s, narrow).label == (unsigned)(i % CLASSES);
    }
    print_message("head %d: %zu bytes, %d of 400 right after 5 examples a class\n", h, bytes,
                  right);
    assert_true(right >= 380);
    assert_false(h != 1 && mote_ml_online_learn(s, (const int8_t *)memory, CLASSES));
  }
}

static void test_clusters_gather(void **state) {
  (void)state;
  double centre[CLASSES * VALUES];
  struct rng r;
  uint32_t memory[256];
  struct mote_ml_online *s = (struct mote_ml_online *)(void *)memory;
  int inside = 0, outside = 0;
  make_centres(centre);
  rng_seed(&r, 23);
  assert_int_equal(
      mote_ml_online_init(memory, sizeof memory, MOTE_ML_ONLINE_MEANS, VALUES, 4, 64, 0), MOTE_OK);
  for (int i = 0; i < 700; i++) { /* three classes are normal, the fourth is not */
    int16_t x[VALUES];
    int8_t narrow[VALUES];
    draw(&r, centre, i < 600 ? i % 3 : i % 4, x);
    for (int j = 0; j < VALUES; j++) narrow[j] = (int8_t)x[j];
    if (i < 600)
      (void)mote_ml_online_gather(s, narrow, 100);
    else if (i % 4 == 3)
      outside += mote_ml_online_outside(s, narrow) > 0;
    else
      inside += mote_ml_online_outside(s, narrow) <= 0;
  }
  assert_true(s->used >= 3);
  assert_true(outside >= 24 && inside >= 70); /* of 25 and 75 */
}

/* What comes back from flash may be anything: refused, or run within its bytes. */
static void test_hostile_states(void **state) {
  (void)state;
  struct rng r;
  rng_seed(&r, 24);
  for (int h = 0; h < HEADS; h++) {
    const size_t bytes = mote_ml_online_bytes(head_kind[h], 5, 3);
    uint8_t *good = malloc(bytes), *bad = malloc(bytes);
    int8_t x[VALUES] = {100, -128, 127, 5, 0};
    assert_true(good && bad);
    assert_int_equal(mote_ml_online_init(good, bytes, head_kind[h], 5, 3, 8, 2), MOTE_OK);
    for (int i = 0; i < 9; i++)
      (void)mote_ml_online_learn((struct mote_ml_online *)(void *)good, x, (unsigned)i % 3);
    mote_ml_online_seal((struct mote_ml_online *)(void *)good);
    assert_int_equal(mote_ml_online_check(good, bytes), MOTE_OK);
    for (size_t n = 0; n < bytes; n++) assert_int_not_equal(mote_ml_online_check(good, n), MOTE_OK);
    for (int t = 0; t < 5000; t++) {
      memcpy(bad, good, bytes);
      bad[8 + rng_below(&r, (uint32_t)bytes - 8)] = (uint8_t)rng_u32(&r);
      struct mote_ml_online *s = (struct mote_ml_online *)(void *)bad;
      if (t % 2) { /* as if an enemy had sealed it */
        const uint32_t crc = mote_crc32(0, bad + 8, bytes - 8);
        memcpy(bad + 4, &crc, 4);
      }
      if (mote_ml_online_check(bad, bytes) != MOTE_OK) continue;
      (void)mote_ml_online_learn(s, x, 1);
      (void)mote_ml_online_predict(s, x);
      if (s->kind == MOTE_ML_ONLINE_MEANS) (void)mote_ml_online_gather(s, x, 3);
    }
    free(good), free(bad);
  }
}

/* ---- on chips -------------------------------------------------------------------------------- */
struct all {
  struct arena *a;
  const struct mote_ml *model[MODELS];
  size_t bytes[MODELS];
  int n_models;
  uint32_t head[HEADS][128];
};

static void add_model(struct all *all, enum learn_kind kind, bool wide, int depth, bool full) {
  struct learn_config c = learn_defaults(kind);
  struct learn_model m;
  struct err e = {0};
  struct rng r;
  double centre[CLASSES * VALUES];
  int16_t *x = ARENA_ARRAY(all->a, int16_t, 200 * VALUES);
  int32_t *label = ARENA_ARRAY(all->a, int32_t, 200);
  make_centres(centre);
  rng_seed(&r, 25);
  for (int i = 0; i < 200; i++) {
    label[i] = i % CLASSES;
    draw(&r, centre, label[i], x + i * VALUES);
    for (int j = 0; j < VALUES && depth == 0 && kind <= LEARN_BOOST; j++) /* trees grow larger */
      x[i * VALUES + j] = (int16_t)(x[i * VALUES + j] / 4 + (int)rng_below(&r, 60));
  }
  const struct learn_set set = {200, VALUES, x, label, CLASSES, wide};
  c.trees = 5;
  c.depth = depth;
  c.clusters = 6;
  c.components = 3;
  c.full = full;
  c.points = 40;
  if (!learn_fit(&c, &set, all->a, NULL, &m, &e)) fail_msg("%s", e.text);
  all->model[all->n_models] = m.model;
  all->bytes[all->n_models++] = m.bytes;
}

/* An autoencoder's error reads what went in and what came out, half of the values each. */
static void add_reconstruction(struct all *all) {
  static const float scale[2] = {0.03f, 0.02f};
  static const int32_t zp[2] = {11, -4};
  struct learn_model m;
  struct err e = {0};
  if (!learn_reconstruction(VALUES / 2, scale, zp, all->a, &m, &e)) fail_msg("%s", e.text);
  all->model[all->n_models] = m.model;
  all->bytes[all->n_models++] = m.bytes;
}

static void add_models(struct all *all) {
  add_model(all, LEARN_KMEANS, false, 0, false);
  add_model(all, LEARN_GMM, true, 0, false);
  add_model(all, LEARN_GMM, false, 0, true);
  add_model(all, LEARN_MAHALANOBIS, false, 0, false);
  add_model(all, LEARN_PCA, true, 0, false);
  add_model(all, LEARN_LOGISTIC, false, 0, false);
  add_model(all, LEARN_SVM, true, 0, false);
  add_model(all, LEARN_KNN, false, 0, false);
  add_model(all, LEARN_FOREST, false, 3, false);
  add_model(all, LEARN_FOREST, true, 0, false);
  add_model(all, LEARN_TREE, false, 0, false);
  add_model(all, LEARN_BOOST, false, 3, false);
  add_model(all, LEARN_BOOST, true, 2, false);
  add_reconstruction(all);
}

/* The same in C below, for the chip. */
static void do_step(struct all *all, const struct step *s, int32_t *out) {
  static uint32_t scratch[256], saved[128];
  int8_t narrow[VALUES];
  memset(out, 0, OUT);
  for (int j = 0; j < VALUES; j++) narrow[j] = (int8_t)s->x[j];
  if (s->what < LEARN) {
    const struct mote_ml *m = all->model[s->what];
    mote_ml_run(m, m->wide ? (const void *)s->x : narrow, scratch, out);
    return;
  }
  struct mote_ml_online *head = (struct mote_ml_online *)(void *)all->head[s->what & 3];
  if (s->what < PREDICT) {
    out[0] = mote_ml_online_learn(head, narrow, s->label);
  } else if (s->what < KEEP) {
    const struct mote_ml_online_answer answer = mote_ml_online_predict(head, narrow);
    out[0] = (int32_t)answer.label;
    out[1] = (int32_t)answer.measure;
  } else {
    const uint32_t bytes = head->bytes;
    mote_ml_online_seal(head);
    memcpy(saved, head, bytes);
    memset(head, 0, bytes);
    out[0] = mote_ml_online_check(saved, bytes);
    memcpy(head, saved, bytes);
    out[1] = (int32_t)head->crc32;
  }
}

static const char program[] =
    "#include <string.h>\n"
    "#include \"firmware/harness/program.h\"\n"
    "#include \"mote/ml/ml.h\"\n"
    "#include \"models.h\"\n"
    "enum { VALUES = 16, LEARN = 64, PREDICT = 68, KEEP = 72, OUT = 20 };\n"
    "static struct mote_model m;\nstatic struct mote_plan p;\n"
    "static struct { uint8_t what, label; int16_t x[VALUES]; } step;\n"
    "static int32_t out[OUT / 4];\n"
    "static uint32_t head[3][128], scratch[256], saved[128];\n"
    "struct mote_model *program_model(void) { return &m; }\n"
    "const struct mote_plan MOTE_ROM *program_plan(void) { return m.plan; }\n"
    "int program_open(void) {\n"
    "  m.plan = &p;\n"
    "  for (int i = 0; i < MODELS; i++)\n"
    "    if (mote_ml_check(models[i], model_bytes[i]) != MOTE_OK) return -1;\n"
    "  for (int h = 0; h < 3; h++)\n"
    "    if (mote_ml_online_init(head[h], sizeof head[h], (unsigned)h, VALUES, h == 1 ? 20 : 4, "
    "32, "
    "3)) return -1;\n"
    "  return 0;\n}\n"
    "void *program_input(unsigned i, uint32_t *n) { *n = sizeof step; return i ? 0 : (void "
    "*)&step; "
    "}\n"
    "const void *program_output(unsigned i, uint32_t *n) { *n = OUT; return i ? 0 : out; }\n"
    "void program_features(void) {}\n"
    "void program_network(void) {\n"
    "  int8_t narrow[VALUES];\n"
    "  memset(out, 0, OUT);\n"
    "  for (int j = 0; j < VALUES; j++) narrow[j] = (int8_t)step.x[j];\n"
    "  if (step.what < LEARN) {\n"
    "    const struct mote_ml *l = (const struct mote_ml *)models[step.what];\n"
    "    mote_ml_run(l, l->wide ? (const void *)step.x : narrow, scratch, out);\n"
    "    return;\n  }\n"
    "  struct mote_ml_online *h = (struct mote_ml_online *)head[step.what & 3];\n"
    "  if (step.what < PREDICT) {\n"
    "    out[0] = mote_ml_online_learn(h, narrow, step.label);\n"
    "  } else if (step.what < KEEP) {\n"
    "    struct mote_ml_online_answer a = mote_ml_online_predict(h, narrow);\n"
    "    out[0] = (int32_t)a.label;\n    out[1] = (int32_t)a.measure;\n"
    "  } else {\n"
    "    uint32_t n = h->bytes;\n"
    "    mote_ml_online_seal(h);\n    memcpy(saved, h, n);\n    memset(h, 0, n);\n"
    "    out[0] = mote_ml_online_check(saved, n);\n    memcpy(h, saved, n);\n"
    "    out[1] = (int32_t)h->crc32;\n  }\n}\n";

static bool write_project(struct all *all, const char *dir, const struct emulate_target *t,
                          struct err *e) {
  const char *sources[96] = {"mote/ml/check.c",   "mote/ml/gaussian.c", "mote/ml/kmeans.c",
                             "mote/ml/knn.c",     "mote/ml/linear.c",   "mote/ml/online.c",
                             "mote/ml/pca.c",     "mote/ml/run.c",      "mote/ml/score.c",
                             "mote/ml/trees.c",   "mote/base/base.c",   "mote/base/fixed.c",
                             "mote/ml/private.h", "mote/ml/ml.h",       "mote/ml/reconstruction.c"};
  const int n = chip_headers(all->a, sources, 15, 96);
  struct text models;
  text_init(&models, all->a);
  text_printf(&models, "#define MODELS %d\n", all->n_models);
  for (int i = 0; i < all->n_models; i++) {
    const uint32_t *words = (const void *)all->model[i];
    text_printf(&models, "static const uint32_t model%d[] = {", i);
    for (size_t k = 0; k < all->bytes[i] / 4; k++) text_printf(&models, "0x%xu,", words[k]);
    text_add(&models, "};\n");
  }
  text_add(&models, "static const uint32_t *const models[] = {");
  for (int i = 0; i < all->n_models; i++) text_printf(&models, "model%d,", i);
  text_add(&models, "};\nstatic const uint32_t model_bytes[] = {");
  for (int i = 0; i < all->n_models; i++) text_printf(&models, "sizeof model%d,", i);
  text_add(&models, "};\n");
  return emulate_project(all->a, dir, "learners", "model", t, sources, n, NULL, 0, 0, e) &&
         file_write(arena_printf(all->a, "%s/models.h", dir), models.data, models.size, e) &&
         file_write(arena_printf(all->a, "%s/model.c", dir), "extern int model_none;\n", 23, e) &&
         file_write(arena_printf(all->a, "%s/program.c", dir), program, strlen(program), e);
}

/* Every model on 20 vectors, some far away; then the heads learn, answer, are saved, restored, and learn on. */
static struct step *write_script(struct all *all, int *count) {
  struct step *steps = ARENA_ARRAY(all->a, struct step, 4000);
  struct rng r;
  double centre[CLASSES * VALUES];
  int n = 0;
  make_centres(centre);
  rng_seed(&r, 26);
  for (int m = 0; m < all->n_models; m++)
    for (int i = 0; i < 20; i++) {
      struct step *s = &steps[n++];
      s->what = (uint8_t)m;
      draw(&r, centre, i % CLASSES, s->x);
      for (int j = 0; j < VALUES && i >= 15; j++)
        s->x[j] = (int16_t)(all->model[m]->wide ? (int)rng_below(&r, 65536) - 32768
                                                : (int)rng_below(&r, 256) - 128);
    }
  for (int h = 0; h < HEADS; h++)
    for (int i = 0; i < 60; i++) {
      struct step *s = &steps[n++];
      const int what = i % 10 == 9 ? KEEP : i % 10 < 6 ? LEARN : PREDICT;
      s->what = (uint8_t)(what + h);
      s->label = (uint8_t)(i % CLASSES);
      draw(&r, centre, i % CLASSES, s->x);
    }
  *count = n;
  return steps;
}

static void same_on_chip(const char *name) {
  struct all all = {.a = arena_new((size_t)512 << 20)};
  struct err e = {0};
  const struct emulate_target *t;
  struct emulate_program p;
  struct emulate_result r;
  char *dir;
  int n;
  if (!emulate_find_target(all.a, name, &t, &e)) fail_msg("%s", e.text);
  if (!emulate_can_build(t) || !emulate_can_run(t)) {
    print_message("%s: compiler or emulator absent\n", name);
    arena_free(all.a);
    skip();
  }
  add_models(&all);
  const struct step *steps = write_script(&all, &n);
  assert_true(dir_temporary(all.a, &dir, &e));
  const struct emulate_options o = {.inputs = steps,
                                    .input_bytes = sizeof *steps,
                                    .count = n,
                                    .count_instructions = true,
                                    .timeout_s = 120};
  const bool ok = write_project(&all, dir, t, &e) && emulate_build(all.a, dir, t, &p, &e) &&
                  emulate_run(all.a, &p, &o, &r, &e);
  dir_remove(dir);
  if (!ok) fail_msg("%s: %s", name, e.text);
  assert_int_equal(r.output_bytes, OUT);
  for (int h = 0; h < HEADS; h++)
    assert_int_equal(mote_ml_online_init(all.head[h], sizeof all.head[h], head_kind[h], VALUES,
                                         head_room[h], 32, 3),
                     MOTE_OK);
  for (int i = 0; i < n; i++) {
    int32_t want[OUT / 4];
    do_step(&all, &steps[i], want);
    if (memcmp(want, r.outputs + i * OUT, OUT) != 0)
      fail_msg("%s: step %d (what %d) differs", name, i, steps[i].what);
  }
  if (r.counted)
    print_message("%s: %d models and three heads, %d steps: the same bits; %lld bytes of code\n",
                  name, all.n_models, n, (long long)p.size.flash_code);
  for (int i = 0; i < r.n_functions && r.counted; i++)
    if (strstr(r.functions[i].name, "online"))
      print_message("  %-28s %lld\n", r.functions[i].name,
                    (long long)r.functions[i].count.instructions);
  arena_free(all.a);
}

#define ON(chip, name)                                                                             \
  static void test_on_##chip(void **state) {                                                       \
    (void)state;                                                                                   \
    same_on_chip(name);                                                                            \
  }
ON(host, "host")
ON(m0plus, "cortex-m0plus")
ON(m4, "cortex-m4")
ON(m55, "cortex-m55")
ON(rv32, "rv32imc")
ON(wasm, "wasm32")

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_few_examples_teach),
      cmocka_unit_test(test_clusters_gather),
      cmocka_unit_test(test_hostile_states),
      cmocka_unit_test(test_on_host),
      cmocka_unit_test(test_on_m0plus),
      cmocka_unit_test(test_on_m4),
      cmocka_unit_test(test_on_m55),
      cmocka_unit_test(test_on_rv32),
      cmocka_unit_test(test_on_wasm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
