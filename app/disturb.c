/* evaluation: the same windows with what happens in the field: noise, another gain, a shift in time, a sensor that was
 * mounted askew, a clock that runs fast. Each window is disturbed in its own place of the recording, so a shift or
 * another rate brings in what stood beside it. */
#include "app/decide.h"
#include "app/evaluation.h"
#include "app/pictures.h"

#include <math.h>
#include <string.h>

enum { MOST_WINDOWS = 1000 };

enum kind { NOISE, GAIN, SHIFT, ROTATION, RATE, GRAIN, LIGHT, CONTRAST, ACROSS, DOWN };
static const char *const kind_names[] = {"noise", "gain",  "shift",    "rotation", "rate",
                                         "noise", "light", "contrast", "across",   "down"};

/* value: dB of signal over noise, dB of gain, share of a window, degrees, share of the rate; of pictures shares of the range
 * and the sides, contrast times 1 + value */
struct disturbance {
  enum kind kind;
  double value;
};

static int16_t held(double v) {
  v = nearbyint(v);
  return (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
}

/* The window read from `shift` samples later and `rate` times as fast; beyond the recording its last value stands. */
static void reread(const struct dataset *d, int window, double shift, double rate, int16_t *out) {
  const struct dataset_window *const w = &d->windows[window];
  const struct dataset_sample *const s = &d->samples[w->sample];
  const int channels = d->channels, n = d->window_samples;
  int16_t *placed = NULL;
  const int16_t *from = s->data;
  int64_t length = s->length;
  double start = (double)w->start;
  if (w->start < 0) { /* out holds the placed window: it is read through a copy behind it */
    placed = out + (size_t)n * (size_t)channels;
    dataset_window(d, window, placed);
    from = placed, length = n, start = 0;
  }
  for (int t = 0; t < n; t++) {
    const double at = fmin(fmax(start + shift + t * rate, 0), (double)(length - 1));
    const int64_t before = (int64_t)at, after = before + 1 < length ? before + 1 : before;
    const double part = at - (double)before;
    for (int c = 0; c < channels; c++)
      out[t * channels + c] =
          held((1 - part) * from[before * channels + c] + part * from[after * channels + c]);
  }
}

/* White noise so far below the window's own movement about its mean. */
static void add_noise(int16_t *x, int n, int channels, double snr_db, uint64_t seed) {
  struct rng r;
  rng_seed(&r, seed);
  for (int c = 0; c < channels; c++) {
    double sum = 0, squares = 0;
    for (int t = 0; t < n; t++) {
      const double v = x[t * channels + c];
      sum += v, squares += v * v;
    }
    const double power = fmax(squares / n - sum / n * (sum / n), 0);
    const double level = sqrt(power / pow(10, snr_db / 10));
    for (int t = 0; t < n; t++)
      x[t * channels + c] = held(x[t * channels + c] + level * (double)rng_normal(&r));
  }
}

/* Three axes turned about a direction that the seed draws. source: Rodrigues. The range is one for all axes. */
static void rotate(int16_t *x, int n, double degrees, uint64_t seed) {
  struct rng r;
  double axis[3], length = 0, m[3][3];
  rng_seed(&r, seed);
  for (int i = 0; i < 3; i++) axis[i] = (double)rng_normal(&r), length += axis[i] * axis[i];
  for (int i = 0; i < 3; i++) axis[i] /= sqrt(length);
  const double angle = degrees * 3.14159265358979323846 / 180, s = sin(angle), k = 1 - cos(angle);
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      const double cross = i == j ? 0 : (j == (i + 1) % 3 ? -1 : 1) * axis[3 - i - j] * s;
      m[i][j] = (i == j ? cos(angle) : 0) + k * axis[i] * axis[j] + cross;
    }
  for (int t = 0; t < n; t++, x += 3) {
    double turned[3];
    for (int i = 0; i < 3; i++) turned[i] = m[i][0] * x[0] + m[i][1] * x[1] + m[i][2] * x[2];
    for (int i = 0; i < 3; i++) x[i] = held(turned[i]);
  }
}

static void disturb_picture(const struct dataset *d, int window, const struct disturbance *how,
                            int16_t *out) {
  const double v = how->value;
  const struct picture_change change = {.noise = how->kind == GRAIN ? v : 0,
                                        .light = how->kind == LIGHT ? v : 0,
                                        .contrast = how->kind == CONTRAST ? 1 + v : 1,
                                        .across = how->kind == ACROSS ? v : 0,
                                        .down = how->kind == DOWN ? v : 0};
  dataset_window(d, window, out);
  pictures_change(d->config, &change, rng_mix((uint64_t)window + 1), out);
}

static void disturb(const struct dataset *d, int window, const struct disturbance *how,
                    int16_t *out) {
  if (d->config->kind == PROJECT_IMAGE) {
    disturb_picture(d, window, how, out);
    return;
  }
  const int n = d->window_samples, channels = d->channels;
  const uint64_t seed = rng_mix((uint64_t)window + 1);
  const double shift = how->kind == SHIFT  ? how->value * n
                       : how->kind == RATE ? -how->value * n / 2 /* the middle stays */
                                           : 0;
  reread(d, window, shift, how->kind == RATE ? 1 + how->value : 1, out);
  if (how->kind == NOISE) add_noise(out, n, channels, how->value, seed);
  if (how->kind == ROTATION) rotate(out, n, how->value, seed);
  if (how->kind == GAIN)
    for (int i = 0; i < n * channels; i++) out[i] = held(out[i] * pow(10, how->value / 20));
}

/* What suits the sensor: only three axes can be turned; a microphone's gain varies more than an accelerometer's. */
static int list_of(const struct project_config *c, struct disturbance *list) {
  static const struct disturbance all[] = {
      {NOISE, 20},  {NOISE, 10},  {NOISE, 5},    {NOISE, 0},     {GAIN, -12},    {GAIN, -6},
      {GAIN, 6},    {GAIN, 12},   {GAIN, -1},    {GAIN, 1},      {SHIFT, -.25},  {SHIFT, -.1},
      {SHIFT, .1},  {SHIFT, .25}, {ROTATION, 5}, {ROTATION, 15}, {ROTATION, 45}, {RATE, -.05},
      {RATE, -.02}, {RATE, .02},  {RATE, .05}};
  static const struct disturbance pictures[] = {
      {GRAIN, .02}, {GRAIN, .05}, {GRAIN, .1},     {LIGHT, -.2},   {LIGHT, -.1},
      {LIGHT, .1},  {LIGHT, .2},  {CONTRAST, -.5}, {CONTRAST, .5}, {ACROSS, -.1},
      {ACROSS, .1}, {DOWN, -.1},  {DOWN, .1}};
  int n = 0;
  if (c->kind == PROJECT_IMAGE) {
    memcpy(list, pictures, sizeof pictures);
    return sizeof pictures / sizeof *pictures;
  }
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    const bool audio = c->kind == PROJECT_AUDIO;
    if (all[i].kind == ROTATION && (audio || c->channels != 3)) continue;
    if (all[i].kind == GAIN && audio != (fabs(all[i].value) > 2)) continue;
    list[n++] = all[i];
  }
  return n;
}

static const char *amount_of(struct arena *a, const struct disturbance *how) {
  switch (how->kind) {
  case NOISE: return arena_printf(a, "%g dB below", how->value);
  case GAIN: return arena_printf(a, "%+g dB", how->value);
  case ROTATION: return arena_printf(a, "%g degrees", how->value);
  case SHIFT: return arena_printf(a, "%+g %% of the window", 100 * how->value);
  case GRAIN: return arena_printf(a, "%g %% of the range", 100 * how->value);
  case ACROSS:
  case DOWN: return arena_printf(a, "%+g %% of the side", 100 * how->value);
  case LIGHT:
  case CONTRAST:
  case RATE: break;
  }
  return arena_printf(a, "%+g %%", 100 * how->value);
}

/* A data set of one-window samples. every: the windows of d that are taken, one of each so many. */
static bool try_one(struct evaluation_trial *trial, const struct graph *g,
                    const struct features_block *block, const struct dataset *d, int every,
                    const struct disturbance *how, struct err *e) {
  struct arena *const a = arena_new(0);
  if (!a) return err_set(e, "no memory left");
  const size_t each = (size_t)d->window_samples * (size_t)d->channels;
  const int n = (d->n_windows + every - 1) / every;
  struct dataset changed = *d;
  struct decide_figures figures = {0};
  int8_t *scores = NULL;
  if ((size_t)n * each * 2 * 2 > arena_left(a)) {
    arena_free(a);
    return err_set(e, "%d windows do not fit into memory", n);
  }
  changed.samples = ARENA_ARRAY(a, struct dataset_sample, n + 1);
  changed.windows = ARENA_ARRAY(a, struct dataset_window, n + 1);
  changed.labels = ARENA_ARRAY(a, int32_t, n + 1);
  changed.n_samples = changed.n_windows = n;
  int16_t *const samples = ARENA_ARRAY(a, int16_t, ((size_t)n + 1) * each);
  for (int i = 0; i < n;
       i++) { /* reread may write one window behind its own: the next is made later */
    changed.samples[i] = d->samples[d->windows[i * every].sample];
    changed.samples[i].data = samples + (size_t)i * each;
    changed.samples[i].length = d->window_samples;
    changed.windows[i] = (struct dataset_window){(uint32_t)i, 0, 0};
    changed.labels[i] = d->labels[i * every];
    disturb(d, i * every, how, samples + (size_t)i * each);
  }
  const bool ok = decide_here(a, g, block, &changed, &scores, e);
  if (ok) {
    const int classes = (int)graph_elements(&g->tensors[g->outputs[0]]);
    decide_count(&changed, classes, scores, NULL, NULL, &figures);
    trial->accuracy = (double)figures.windows_right / figures.windows;
  }
  arena_free(a);
  return ok;
}

bool evaluation_disturb(struct evaluation *v, struct arena *a, const struct graph *g,
                        const struct features_block *block, const struct dataset *d,
                        struct progress *progress, struct err *e) {
  struct disturbance list[32];
  const int n = list_of(d->config, list), every = (d->n_windows + MOST_WINDOWS - 1) / MOST_WINDOWS;
  const struct disturbance none = {GAIN, 0};
  v->trials = ARENA_ARRAY(a, struct evaluation_trial, n + 1);
  v->trials[0] = (struct evaluation_trial){.name = "as recorded", .amount = ""};
  for (int i = 0; i <= n; i++) {
    const struct disturbance *const how = i ? &list[i - 1] : &none;
    if (i)
      v->trials[i] =
          (struct evaluation_trial){.name = kind_names[how->kind], .amount = amount_of(a, how)};
    if (!try_one(&v->trials[i], g, block, d, every, how, e)) return false;
    progress_update(progress, "disturbed", (uint64_t)i, (uint64_t)n, "%s %s: %.1f %%",
                    v->trials[i].name, v->trials[i].amount, 100 * v->trials[i].accuracy);
  }
  v->n_trials = n + 1;
  return true;
}
