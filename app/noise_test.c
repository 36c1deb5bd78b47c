/* noise_test: what a model that suppresses noise is worth: mixtures of test samples at several ratios, before and behind it. See noise.h.
 *
 * How it works: all mixtures of a ratio pass as one stream, as a device hears them. A mixture is judged by its scale-invariant ratio of
 * signal to distortion (Le Roux et al. 2019): the part of the sound that is the clean speech at any level, over all the rest. The
 * interval is of the mean gain, by drawing mixtures anew. */
#include "app/bundle.h"
#include "app/noise.h"
#include "host/export/export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIXTURES = 40, SECONDS = 4, RATIOS = 6, DRAWS = 1000 };
static const double ratios_db[RATIOS] = {-5, 0, 5, 10, 15, 20};

struct figures {
  double before, after, ideal; /* means, dB */
  double low, high;            /* of after - before */
};

struct measuring {
  struct command_line *c;
  struct project *p;
  struct noise_model model;
  struct noise_pool pool;
  const struct mote_features *f;
  int hops; /* of a mixture */
  struct figures figures[RATIOS];
  int64_t chip_hops;
};

/* ---- sound ------------------------------------------------------------------------------- */
static struct bundle_request request_of(const struct noise_model *m, const char *title) {
  return (struct bundle_request){.title = title,
                                 .graph = m->graph,
                                 .features = &m->frame,
                                 .suppress = true,
                                 .least = m->least};
}

bool noise_clean(struct arena *a, const struct noise_model *m, const int16_t *samples,
                 int64_t length, int16_t *out, struct err *e) {
  const int hop = m->frame.parts[0].params->hop;
  const int64_t hops = (length + hop - 1) / hop + 1; /* what comes out is one late */
  const struct bundle_request request = request_of(m, "sound");
  uint8_t *sound = NULL;
  if (hops > INT32_MAX / hop || (size_t)(hops * hop) * 4 + 4096 > arena_left(a))
    return err_set(e, "a recording of %lld samples does not fit into memory", (long long)length);
  int16_t *padded = ARENA_ARRAY(a, int16_t, hops * hop);
  memcpy(padded, samples, sizeof *samples * (size_t)length);
  if (!bundle_run_host(a, &request, padded, (int)hops, &sound, e)) return false;
  memcpy(out, (const int16_t *)(const void *)sound + hop, sizeof *out * (size_t)length);
  return true;
}

/* The same by masks that know the speech. */
static void clean_ideally(const struct noise_model *m, const struct noise_mixture *x,
                          int16_t *out) {
  const struct mote_features *f = m->frame.parts[0].params;
  const int rows = x->n / f->hop - 1;
  float *masks = malloc(sizeof *masks * (size_t)rows * f->bands);
  uint8_t *memory = malloc(mote_suppress_bytes(f));
  int8_t *row = malloc(f->bands);
  if (!masks || !memory || !row) abort();
  noise_masks(f, x, rows, masks);
  mote_suppress_begin(f, memory);
  for (int i = 0; i <= rows; i++) {
    mote_suppress_take(f, memory, x->mixed + (size_t)i * f->hop, row);
    for (int b = 0; b < f->bands; b++) /* the first hop has no frame of its own */
      row[b] =
          (int8_t)(fmin(nearbyint(256.0 * (double)(i ? masks[(i - 1) * f->bands + b] : 1)), 255) -
                   128);
    mote_suppress_give(f, memory, row, m->least, out + (size_t)i * f->hop);
  }
  free(row);
  free(memory);
  free(masks);
}

/* Of sound that is `late` behind the clean one, dB; -100 to 100. */
static double quality_of(const int16_t *clean, const int16_t *sound, int n, int late) {
  double cross = 0, own = 0, all = 0;
  for (int i = late; i < n; i++) {
    const double s = clean[i - late], y = sound[i];
    cross += s * y, own += s * s, all += y * y;
  }
  const double signal = own > 0 ? cross * cross / own : 0, rest = all - signal;
  if (signal <= 0) return -100;
  return rest <= signal * 1e-10 ? 100 : 10 * log10(signal / rest);
}

/* ---- one ratio --------------------------------------------------------------------------- */
static void take_mixture(struct measuring *t, int ratio, int index, struct noise_mixture *m) {
  m->n = t->hops * t->f->hop;
  m->speech = malloc(3 * sizeof *m->speech * (size_t)m->n);
  if (!m->speech) abort();
  m->noise = m->speech + m->n;
  m->mixed = m->noise + m->n;
  /* The same speech and noise at every ratio. */
  noise_mix(&t->pool, &t->p->config, &ratios_db[ratio], (uint32_t)(index * 7919), 0x7E57, m);
}

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The middle 95 of 100 means of as many mixtures, drawn with repetition. */
static void interval(const double *gain, int n, double *low, double *high) {
  static double means[DRAWS];
  struct rng r;
  rng_seed(&r, 1);
  for (int i = 0; i < DRAWS; i++) {
    means[i] = 0;
    for (int k = 0; k < n; k++) means[i] += gain[rng_below(&r, (uint32_t)n)] / n;
  }
  qsort(means, DRAWS, sizeof *means, compare_doubles);
  *low = means[DRAWS * 25 / 1000];
  *high = means[DRAWS * 975 / 1000 - 1];
}

static bool write_wav(const struct measuring *t, const char *dir, int ratio, int index,
                      const char *what, const int16_t *samples, int n, struct err *e) {
  const struct export_numbers s = {.type = EXPORT_INT16,
                                   .data = samples,
                                   .length = n,
                                   .channels = 1,
                                   .rate_hz = t->p->config.rate_hz};
  return export_wav(
      arena_printf(t->c->arena, "%s/%+.0fdB_%d_%s.wav", dir, ratios_db[ratio], index + 1, what), &s,
      e);
}

static bool measure_ratio(struct measuring *t, int ratio, const char *wav, struct err *e) {
  struct arena *a = arena_new((size_t)1 << 30);
  if (!a) return err_set(e, "no memory left");
  const int n = t->hops * t->f->hop, hop = t->f->hop;
  int16_t *all = ARENA_ARRAY(a, int16_t, MIXTURES * n + hop), *out = ARENA_ARRAY(a, int16_t, n);
  struct noise_mixture m[MIXTURES];
  struct figures *g = &t->figures[ratio];
  double gain[MIXTURES];
  uint8_t *sound = NULL;
  for (int i = 0; i < MIXTURES; i++) {
    take_mixture(t, ratio, i, &m[i]);
    memcpy(all + i * n, m[i].mixed, sizeof *all * (size_t)n);
  }
  const struct bundle_request request = request_of(&t->model, "test");
  bool ok = bundle_run_host(a, &request, all, MIXTURES * t->hops, &sound, e);
  for (int i = 0; i < MIXTURES && ok; i++) {
    const int16_t *cleaned = (const int16_t *)(const void *)sound + i * n;
    const double before = quality_of(m[i].speech, m[i].mixed, n, 0),
                 after = quality_of(m[i].speech, cleaned, n, hop);
    clean_ideally(&t->model, &m[i], out);
    g->before += before / MIXTURES;
    g->after += after / MIXTURES;
    g->ideal += quality_of(m[i].speech, out, n, hop) / MIXTURES;
    gain[i] = after - before;
    if (wav && i < 2)
      ok = write_wav(t, wav, ratio, i, "noisy", m[i].mixed, n, e) &&
           write_wav(t, wav, ratio, i, "cleaned", cleaned + hop, n - hop, e) &&
           write_wav(t, wav, ratio, i, "clean", m[i].speech, n, e);
  }
  if (ok) interval(gain, MIXTURES, &g->low, &g->high);
  for (int i = 0; i < MIXTURES; i++) free(m[i].speech);
  arena_free(a);
  return ok;
}

/* ---- on a chip ----------------------------------------------------------------------------- */
bool noise_hops(struct project *p, const struct noise_model *model, int hops, int16_t **samples,
                struct err *e) {
  static const enum store_split splits[] = {STORE_TEST, STORE_VALIDATION, STORE_TRAIN};
  struct noise_pool pool = {0};
  for (int i = 0; i < 3 && !noise_mixes(&pool); i++) {
    const struct dataset_pick pick = {.splits = 1u << splits[i]};
    if (!noise_load(p, &pick, &pool, e)) return false;
  }
  if (!noise_need(p, &pool, e)) return false;
  const double snr_db = 5;
  struct noise_mixture m = {.n = hops * model->frame.parts[0].params->hop};
  m.speech = ARENA_ARRAY(p->arena, int16_t, 3 * m.n);
  m.noise = m.speech + m.n;
  *samples = m.mixed = m.noise + m.n;
  noise_mix(&pool, &p->config, &snr_db, 0, 0x7E57, &m);
  return true;
}

/* The first second and a half of the mixtures; what the chip makes must be what this machine makes. */
static bool on_chip(struct measuring *t, const char *chip, struct err *e) {
  struct arena *a = t->c->arena;
  struct bundle_request request = request_of(&t->model, t->p->config.name);
  struct bundle b;
  struct emulate_result r;
  struct noise_mixture m;
  uint8_t *here = NULL;
  const int hops = t->hops * 3 / 8;
  if (!emulate_find_target(a, chip, &request.target, e)) return false;
  take_mixture(t, 2, 0, &m);
  const bool ok = bundle_run_host(a, &request, m.mixed, hops, &here, e) &&
                  bundle_run_once(a, &request, m.mixed, hops, false, &b, &r, e);
  const bool same = ok && memcmp(here, r.outputs, (size_t)hops * 2 * t->f->hop) == 0;
  free(m.speech);
  t->chip_hops = hops;
  if (ok && !same)
    return err_internal(e, "the sound that %s makes differs from this machine's", chip);
  return ok;
}

/* ---- output ----------------------------------------------------------------------------------- */
static void print_json(const struct measuring *t, const struct noise_test *o) {
  struct text text;
  struct json j;
  text_init(&text, t->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_int(&j, "run", t->model.run);
  json_put_int(&j, "mixtures", MIXTURES);
  json_put_real(&j, "seconds", SECONDS);
  json_put_real(&j, "delay_ms", 1000.0 * t->f->hop / t->p->config.rate_hz);
  json_open_array(&j, "ratios");
  for (int i = 0; i < RATIOS; i++) {
    const struct figures *g = &t->figures[i];
    json_open_object(&j, NULL);
    json_put_real(&j, "snr_db", ratios_db[i]);
    json_put_real(&j, "before_db", g->before);
    json_put_real(&j, "after_db", g->after);
    json_put_real(&j, "gain_db", g->after - g->before);
    json_put_real(&j, "gain_low_db", g->low);
    json_put_real(&j, "gain_high_db", g->high);
    json_put_real(&j, "ideal_db", g->ideal);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_put_string(&j, "chip", o->chip);
  json_put_int(&j, "chip_hops", t->chip_hops);
  json_put_string(&j, "output", o->wav);
  json_close_object(&j);
  fputs(text.data, stdout);
}

static void print_text(const struct measuring *t, const struct noise_test *o) {
  printf("%d mixtures of %d s of %s samples; speech over all that is not, dB\n\n", MIXTURES,
         SECONDS, store_split_name(o->split));
  printf("mixed at   before    after     gain   95 of 100      ideal mask\n");
  for (int i = 0; i < RATIOS; i++) {
    const struct figures *g = &t->figures[i];
    printf("%+5.0f dB   %6.1f   %6.1f   %+6.1f   %+.1f to %+.1f   %6.1f\n", ratios_db[i], g->before,
           g->after, g->after - g->before, g->low, g->high, g->ideal);
  }
  printf("\nsound comes out %.3g ms late\n", 1000.0 * t->f->hop / t->p->config.rate_hz);
  if (o->chip)
    printf("%s: the same sound, bit for bit, in %lld hops\n", o->chip, (long long)t->chip_hops);
  if (o->wav) printf("%s: two mixtures of each, noisy, cleaned and clean\n", o->wav);
}

bool noise_measure(struct command_line *c, struct project *p, const struct noise_test *o,
                   struct err *e) {
  struct measuring *t = ARENA_NEW(c->arena, struct measuring);
  const struct dataset_pick pick = {.splits = 1u << o->split, .group = o->group};
  t->c = c;
  t->p = p;
  if (!noise_load_model(p, &t->model, e) || !noise_load(p, &pick, &t->pool, e) ||
      !noise_need(p, &t->pool, e))
    return false;
  t->f = t->model.frame.parts[0].params;
  t->hops = (int)ceil(SECONDS * p->config.rate_hz / t->f->hop);
  if (o->wav && !dir_make(o->wav, e)) return false;
  for (int i = 0; i < RATIOS; i++) {
    progress_update(c->progress, "test", (uint64_t)i, RATIOS, "%+.0f dB", ratios_db[i]);
    if (!measure_ratio(t, i, o->wav, e)) return false;
  }
  progress_update(c->progress, "test", RATIOS, RATIOS, "%d mixtures", MIXTURES * RATIOS);
  if (o->chip && !on_chip(t, o->chip, e)) return false;
  if (c->json)
    print_json(t, o);
  else
    print_text(t, o);
  return true;
}
