/* train/defaults: a network and settings for people who name none. The families and figures were chosen by
 * measuring; docs/design/trainer.md has the table. */
#include "host/train/engine.h"

#include <string.h>
#include <time.h>

struct train_config train_config_default(enum train_input input, uint32_t examples) {
  struct train_config c = {
      .epochs = 40,
      .qat_epochs = 6,
      .batch = 32,
      .learning_rate = 3e-3f,
      .qat_learning_rate = 2e-4f,
      .weight_decay = 1e-2f,
      .label_smoothing = 0.1f,
      .class_weights = true,
      .seed = 1,
  };
  /* As good as 40 rounds without averaging and mixing (docs/design/trainer.md). */
  if (input == TRAIN_INPUT_AUDIO) {
    c.epochs = 30;
    c.qat_epochs = 4;
    c.average = 3.0f;
    c.mixup = 0.2f;
  }
  /* About 60,000 draws at the least: small sets go round more often. */
  if (examples > 0 && examples * (uint32_t)c.epochs < 60000u) {
    const uint32_t epochs = 60000u / examples;
    c.epochs = epochs > 200 ? 200 : (int)epochs;
  }
  if (examples > 20000) c.epochs = 20, c.batch = 64;
  if (input == TRAIN_INPUT_AUDIO) {
    c.time_masks = 2;
    c.time_mask_max = 4;
    c.band_masks = 2;
    c.band_mask_max = 4;
  }
  return c;
}

/* ---- families ------------------------------------------------------------------------ */
struct plan {
  struct arena *arena;
  const char *lines[32];
  int n;
};

static void line(struct plan *p, const char *text) { p->lines[p->n++] = text; }
#define LINE(p, ...) line((p), arena_printf((p)->arena, __VA_ARGS__))

static int least(int a, int b) { return a < b ? a : b; }

/* Plain convolutions, each halving the map while it is large: on speakers never heard they beat depthwise
 * separable ones of the same cost by several per cent (docs/design/trainer.md). */
static void audio_family(struct plan *p, int h, int w, int width) {
  for (int i = 0; i < 4; i++) {
    const int channels = width >> (i < 2 ? 2 - i : 0), down = h > 8 ? 2 : 1, across = w > 4 ? 2 : 1;
    LINE(p, "conv %d %dx%d s%dx%d", channels > 4 ? channels : 4, least(h, 3), least(w, 3),
         i < 3 ? down : 1, i < 3 ? across : 1);
    if (i < 3 && down == 2) h = (h + 1) / 2;
    if (i < 3 && across == 2) w = (w + 1) / 2;
  }
  line(p, "mean");
  line(p, "dropout 0.2");
}

/* The first convolution joins all axes; then time alone is left. */
static void motion_family(struct plan *p, int h, int w, int width) {
  LINE(p, "conv %d %dx%d s%dx1 valid", width, least(h, 5), w, h > 16 ? 2 : 1);
  int left = h > 16 ? (h - 3) / 2 : h - least(h, 5) + 1;
  for (int i = 0; i < 3; i++) {
    LINE(p, "dsconv %d %dx1 s%dx1", width << (i > 1), least(left, 5), left > 12 ? 2 : 1);
    left = left > 12 ? (left + 1) / 2 : left;
  }
  line(p, "mean");
  line(p, "dropout 0.2");
}

static void image_family(struct plan *p, int h, int w, int width) {
  int side = least(h, w), channels = width;
  LINE(p, "conv %d 3x3 s%d", channels, side > 20 ? 2 : 1);
  side = side > 20 ? side / 2 : side;
  for (int i = 0; i < 6; i++) {
    const bool halve = side > 6 && i % 2 == 0;
    if (halve) channels = channels * 2 > 256 ? 256 : channels * 2;
    LINE(p, "dsconv %d 3x3%s", channels, halve ? " s2" : "");
    if (halve) side = (side + 1) / 2;
  }
  line(p, "mean");
  line(p, "dropout 0.2");
}

static void vector_family(struct plan *p, int width) {
  LINE(p, "dense %d", width);
  LINE(p, "dense %d", width > 16 ? width / 2 : width);
}

static bool make_plan(struct arena *a, enum train_input input, int h, int w, int c, int classes,
                      int width, struct train_network *net, struct err *e) {
  struct plan p = {.arena = a};
  if (input == TRAIN_INPUT_VECTOR)
    vector_family(&p, width);
  else if (input == TRAIN_INPUT_MOTION)
    motion_family(&p, h, w, width);
  else if (input == TRAIN_INPUT_IMAGE)
    image_family(&p, h, w, width);
  else
    audio_family(&p, h, w, width);
  return train_network_parse(p.lines, p.n, h, w, c, classes, net, e);
}

/* ---- the choice ----------------------------------------------------------------------- */
static const int widths[] = {96, 64, 48, 32, 24, 16, 12, 8};
static const char *const family_text[] = {
    [TRAIN_INPUT_AUDIO] =
        "convolutions over time and frequency, twice the channels with each halving",
    [TRAIN_INPUT_MOTION] =
        "depthwise separable convolutions over time, all axes joined in the first layer",
    [TRAIN_INPUT_IMAGE] = "depthwise separable convolutions, twice the channels with each halving",
    [TRAIN_INPUT_VECTOR] = "dense layers",
};

/* The largest width that the number of examples supports; more would only be learnt by heart. */
static int width_for(uint32_t examples) {
  return examples < 300     ? 24
         : examples < 600   ? 32
         : examples < 2000  ? 48
         : examples < 20000 ? 64
                            : 96;
}

static const char *limit_broken(const struct train_cost *cost, const struct train_budget *b,
                                int64_t *have, int64_t *need) {
  const struct {
    const char *name;
    int64_t have, need;
  } limits[] = {
      {"RAM", b->ram_bytes, cost->activation_bytes},
      {"flash", b->flash_bytes, cost->weight_bytes},
      {"multiply-accumulates", b->macs, cost->macs},
  };
  for (int i = 0; i < 3; i++)
    if (limits[i].have > 0 && limits[i].need > limits[i].have) {
      *have = limits[i].have;
      *need = limits[i].need;
      return limits[i].name;
    }
  return NULL;
}

bool train_network_default(enum train_input input, int in_h, int in_w, int in_c, int classes,
                           uint32_t examples, const struct train_budget *budget,
                           struct train_network *net, struct text *why, struct err *e) {
  static const struct train_budget unlimited;
  const struct train_budget *b = budget ? budget : &unlimited;
  if ((unsigned)input > TRAIN_INPUT_VECTOR)
    return err_set(e, "unknown kind of input %d", (int)input);
  /* A map too small for windows, or so long that its first layer has no map, is a vector. */
  if (in_h * in_w < 8 && in_h > 0 && in_w > 0) input = TRAIN_INPUT_VECTOR;
  const int most = width_for(examples);
  const char *broken = NULL;
  int64_t have = 0, need = 0;
  int wider = 0;
  for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
    if (widths[i] > most) continue;
    if (!make_plan(why->arena, input, in_h, in_w, in_c, classes, widths[i], net, e)) return false;
    const struct train_cost cost = train_network_cost(net);
    const char *limit = limit_broken(&cost, b, &have, &need);
    if (limit) {
      broken = limit;
      wider = widths[i];
      continue;
    }
    text_printf(why, "%s, %d channels wide: %s parameters, %s multiply-accumulates. ",
                family_text[input], widths[i], text_thousands(cost.parameters),
                text_thousands(cost.macs));
    if (broken)
      text_printf(why, "%d channels would leave the board's limit of %s.", wider, broken);
    else
      text_printf(why, "%u examples support no more than %d channels.", examples, most);
    return true;
  }
  return err_set(
      e,
      "even the smallest network of the family (%d channels) needs %s %s, the limit is %s; "
      "coarser features or a larger board would help",
      widths[sizeof widths / sizeof widths[0] - 1], text_thousands(need), broken,
      text_thousands(have));
}

bool train_network_cells(struct arena *a, int in_h, int in_w, int in_c, int classes,
                         bool (*fits)(void *context, const struct train_network *net,
                                      struct err *e),
                         void *context, struct train_network *net, struct text *why,
                         struct err *e) {
  static const double times[] = {1.0, 0.7, 0.5, 0.35, 0.25};
  enum { N = sizeof times / sizeof *times };
  struct err wider = {{0}, {0}, {0}, false};
  for (int i = 0; i < N; i++) {
    struct err own = {{0}, {0}, {0}, false};
    const char *const name = arena_printf(a, "fomo %g", times[i]);
    if (!train_network_preset(a, name, in_h, in_w, in_c, classes, net, e)) return false;
    if (fits && !fits(context, net, &own)) {
      if (own.internal) return *e = own, false;
      wider = own;
      continue;
    }
    const struct train_cost cost = train_network_cost(net);
    text_printf(why, "the preset %s: %s parameters, %s multiply-accumulates.", name,
                text_thousands(cost.parameters), text_thousands(cost.macs));
    if (i > 0)
      text_printf(why, " fomo %g does not fit: %s", times[i - 1], wider.text);
    else if (fits)
      text_add(why, " The board has room for it.");
    return true;
  }
  return err_set(e, "even the smallest preset for objects (fomo %g) does not fit: %s", times[N - 1],
                 wider.text);
}

/* ---- measuring ------------------------------------------------------------------------- */
static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double train_measure_step(struct arena *a, const struct train_network *net, int batch, int threads,
                          int repeats) {
  struct engine *g = engine_new(a, net, batch, true, NULL);
  if (!g || repeats < 1) return -1.0;
  /* One thread's own time: other programs disturb it less. */
  const clockid_t clock = threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
  struct rng r;
  rng_seed(&r, 1);
  g->params = ARENA_ARRAY(a, float, g->n_params);
  g->running = ARENA_ARRAY(a, float, g->n_running + LANES);
  float *m = ARENA_ARRAY(a, float, g->n_params), *v = ARENA_ARRAY(a, float, g->n_params);
  int32_t *labels = ARENA_ARRAY(a, int32_t, batch);
  double *seconds = ARENA_ARRAY(a, double, repeats);
  engine_init_params(g, g->params, g->running, 1);
  const struct value *in = &g->values[0];
  for (size_t i = 0; i < (size_t)batch * (size_t)in->h * (size_t)in->w * (size_t)in->cs; i++)
    in->y[i] = (int)(i % (size_t)in->cs) < in->c ? rng_normal(&r) : 0.0f;
  for (int i = 0; i < batch; i++) labels[i] = (int32_t)rng_below(&r, (uint32_t)net->classes);
  g->labels = labels;
  if (threads > 1) g->pool = pool_new(a, threads);
  for (int i = 0; i < repeats; i++) {
    int right;
    const double start = now(clock);
    engine_forward(g, batch, ENGINE_TRAIN);
    engine_backward(g, &right);
    const struct adam how = {1e-3f, 0.0f, 1.0f, 1.0f};
    engine_adam(g, &how, m, v);
    seconds[i] = now(clock) - start;
    for (int j = i; j > 0 && seconds[j] < seconds[j - 1]; j--) {
      const double swap = seconds[j];
      seconds[j] = seconds[j - 1];
      seconds[j - 1] = swap;
    }
  }
  pool_free(g->pool);
  return seconds[repeats / 2];
}

const char *train_vector_name(void) { return lanes_best()->name; }
