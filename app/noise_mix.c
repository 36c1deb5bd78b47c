/* noise_mix: mixtures of speech and noise, and their ideal masks. See noise.h.
 *
 * Levels are steps of 1/512 octave of amplitude (0.012 dB), powers of two are products of square roots of two, and sums are in double in
 * one order: the same mixture on every machine. */
#include "app/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_PER_DB 85.04110 /* of amplitude: 512 log2(10) / 20 */

/* ---- samples --------------------------------------------------------------------------- */
static bool is_noise(const struct project_config *c, const char *label) {
  for (int i = 0; i < c->suppress.n_noise; i++)
    if (strcmp(c->suppress.noise[i], label) == 0) return true;
  return false;
}

bool noise_load(struct project *p, const struct dataset_pick *pick, struct noise_pool *pool,
                struct err *e) {
  struct dataset d;
  struct dataset_pick any = *pick;
  any.others = true;
  memset(pool, 0, sizeof *pool);
  if (!dataset_load(p, &any, NULL, 0, NULL, &d, e)) return false;
  for (int i = 0; i < d.n_samples; i++)
    d.samples[i].label = is_noise(&p->config, d.samples[i].name);
  dataset_digest(&d, pool->digest);
  pool->speech = ARENA_ARRAY(p->arena, struct noise_sound, d.n_samples + 1);
  pool->noise = ARENA_ARRAY(p->arena, struct noise_sound, d.n_samples + 1);
  for (int i = 0; i < d.n_samples; i++) {
    const struct noise_sound s = {d.samples[i].data, d.samples[i].length};
    if (s.length < 1) continue;
    if (d.samples[i].label) {
      pool->noise[pool->n_noise++] = s;
      pool->noise_length += s.length;
    } else {
      pool->speech[pool->n_speech++] = s;
      pool->speech_length += s.length;
    }
  }
  return true;
}

bool noise_mixes(const struct noise_pool *pool) { return pool->n_speech && pool->n_noise; }

bool noise_need(const struct project *p, const struct noise_pool *pool, struct err *e) {
  if (noise_mixes(pool)) return true;
  err_file(e, p->db_path);
  return err_set(e,
                 "%d recordings of noise (label%s %s%s) and %d of what should stay are among the "
                 "samples that were asked for; both are needed (`mote data` shows what there is)",
                 pool->n_noise, p->config.suppress.n_noise == 1 ? "" : "s",
                 p->config.suppress.noise[0], p->config.suppress.n_noise > 1 ? " ..." : "",
                 pool->n_speech);
}

/* ---- levels ------------------------------------------------------------------------------ */
/* 2^(steps / 512), by square roots of two. */
static double power_of_two(int steps) {
  static const double roots[9] = {0x1.0058c86da1c0ap+0, 0x1.00b1afa5abcbfp+0, 0x1.0163da9fb3335p+0,
                                  0x1.02c9a3e778061p+0, 0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0,
                                  0x1.172b83c7d517bp+0, 0x1.306fe0a31b715p+0, 0x1.6a09e667f3bcdp+0};
  const int part = steps & 511; /* modulo 512, not negative */
  double value = 1;
  for (int bit = 0; bit < 9; bit++)
    if (part >> bit & 1) value *= roots[bit];
  return ldexp(value, (steps - part) / 512);
}

static int drawn_steps(struct rng *r, double low_db, double high_db) {
  const int low = (int)lround(low_db * STEPS_PER_DB), high = (int)lround(high_db * STEPS_PER_DB);
  return low + (int)rng_below(r, (uint32_t)(high - low + 1));
}

static double energy_of(const float *x, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

/* ---- mixing ------------------------------------------------------------------------------ */
/* Recordings one behind another with pauses of up to half a second. Returns the time steps that they fill. */
static int lay_speech(const struct noise_pool *pool, double rate_hz, struct rng *r, uint32_t first,
                      float *x, int n) {
  const uint32_t pause = (uint32_t)(rate_hz / 2) + 1;
  int at = (int)(rng_below(r, pause) % (uint32_t)n), filled = 0;
  uint32_t which = first % (uint32_t)pool->n_speech;
  memset(x, 0, sizeof *x * (size_t)n);
  while (at < n) {
    const struct noise_sound *s = &pool->speech[which];
    const float gain = (float)power_of_two(drawn_steps(r, -3, 3));
    /* Of a long recording a random piece. */
    int64_t from = s->length > n ? rng_below(r, (uint32_t)(s->length - n + 1)) : 0;
    for (; from < s->length && at < n; from++, at++, filled++) x[at] = gain * (float)s->data[from];
    at += (int)rng_below(r, pause);
    which = rng_below(r, (uint32_t)pool->n_speech);
  }
  return filled;
}

/* A random piece, repeated where the recording is too short. */
static void lay_noise(const struct noise_pool *pool, struct rng *r, float *x, int n) {
  const struct noise_sound *s = &pool->noise[rng_below(r, (uint32_t)pool->n_noise)];
  const int64_t from = s->length > INT32_MAX ? 0 : rng_below(r, (uint32_t)s->length);
  for (int i = 0; i < n; i++) x[i] = (float)s->data[(from + i) % s->length];
}

static int16_t rounded(double x) {
  return (int16_t)(x < -32768 ? -32768 : x > 32767 ? 32767 : (int)(x < 0 ? x - 0.5 : x + 0.5));
}

void noise_mix(const struct noise_pool *pool, const struct project_config *c, const double *snr_db,
               uint32_t first, uint64_t seed, struct noise_mixture *m) {
  const int n = m->n;
  struct rng r;
  float *speech = malloc(2 * sizeof *speech * (size_t)n), *noise = speech + n;
  if (!speech) abort(); /* some kilobytes: the machine has no memory left at all */
  rng_seed(&r, rng_mix(seed ^ ((uint64_t)first << 32)));
  const int filled = lay_speech(pool, c->rate_hz, &r, first, speech, n);
  lay_noise(pool, &r, noise, n);
  const struct project_suppress *const how = &c->suppress;
  const int ratio = snr_db ? (int)lround(*snr_db * STEPS_PER_DB)
                           : drawn_steps(&r, how->snr_db_min, how->snr_db_max);
  const int level = snr_db ? (int)lround(-26 * STEPS_PER_DB) : drawn_steps(&r, -45, -15);
  const uint32_t kind = snr_db ? 99 : rng_below(&r, 100);
  /* The ratio is that of speech where it is, not of its pauses. */
  const double has_speech = energy_of(speech, n) / (filled ? filled : 1) + 1e-3,
               has_noise = energy_of(noise, n) / n + 1e-3;
  double gain = 32768 * power_of_two(level) / sqrt(has_speech);
  double other = gain * sqrt(has_speech / has_noise) * power_of_two(-ratio);
  if (kind < 8)
    gain = 0; /* noise alone */
  else if (kind < 12)
    other = 0;
  double most = 1;
  for (int i = 0; i < n; i++)
    most = fmax(most, fabs(gain * (double)speech[i] + other * (double)noise[i]));
  if (most > 32000) gain *= 32000 / most, other *= 32000 / most;
  for (int i = 0; i < n; i++) {
    m->speech[i] = rounded(gain * (double)speech[i]);
    m->noise[i] = rounded(other * (double)noise[i]);
    m->mixed[i] = rounded((double)m->speech[i] + m->noise[i]);
  }
  free(speech);
}

/* ---- masks -------------------------------------------------------------------------------- */
void noise_masks(const struct mote_features *f, const struct noise_mixture *m, int rows,
                 float *masks) {
  const struct mote_features_op *const op = mote_features_op_of(f->kind);
  int16_t *const speech = malloc(2 * sizeof *speech * f->columns), *const noise =
                                                                       speech + f->columns;
  void *scratch = malloc(mote_features_row_scratch_bytes(f, op));
  if (!speech || !scratch) abort();
  mote_features_begin(f, op, scratch);
  for (int i = 0; i < rows; i++) {
    mote_features_row(f, op, m->speech + (size_t)i * f->hop, scratch, speech);
    mote_features_row(f, op, m->noise + (size_t)i * f->hop, scratch, noise);
    /* log2 of powers in Q8: 1 / sqrt(1 + noise / speech). */
    for (int b = 0; b < f->columns; b++)
      *masks++ = (float)(1 / sqrt(1 + power_of_two(2 * (noise[b] - speech[b]))));
  }
  free(scratch);
  free(speech);
}
