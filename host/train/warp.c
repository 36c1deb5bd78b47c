/* train/warp: a window of band energies as another speaker, room or machine would have made it.
 *
 * Works on the logarithms of band energies [time, bands], before they are normalised: there a longer vocal
 * tract is a shift along the bands, a slower speaker a stretch along time, a microphone a slope over the bands
 * and noise a floor. The two axes move apart from each other, which resampling a recording cannot do.
 * source of the ideas: Jaitly and Hinton 2013 (vocal tract length perturbation), Ko et al. 2015 (tempo). */
#include "host/train/engine.h"

#include <math.h>

/* What one draw decided. */
struct warp {
  float time, band;         /* step along each axis of the source for one step of the result */
  float slope;              /* added from the middle band to the last; its negative to the first */
  float floor, floor_slope; /* level of the noise floor in the middle band; -inf: none */
  int16_t quiet;            /* stands for what lies outside the source */
};

static float spread(struct rng *r, float reach) { return reach * (2.0f * rng_unit(r) - 1.0f); }

static struct warp draw(const struct train_augment *how, const struct train_bands *b,
                        const int16_t *in, struct rng *r) {
  const float per_db = b->per_db;
  int16_t least = in[0], most = in[0];
  for (int y = 0; y < b->time; y++, in += b->flatness ? 2 * b->bands : b->bands)
    for (int x = 0; x < b->bands; x++) {
      if (in[x] < least) least = in[x];
      if (in[x] > most) most = in[x];
    }
  struct warp w = {.quiet = least, .floor = -INFINITY};
  w.time = (float)train_exp((double)spread(r, how->time_stretch));
  w.band = (float)train_exp((double)spread(r, how->band_warp));
  w.slope = per_db * spread(r, how->slope_db);
  const bool noisy = rng_unit(r) < how->floor_chance;
  const float below = how->floor_db_min + (how->floor_db_max - how->floor_db_min) * rng_unit(r);
  w.floor_slope = per_db * spread(r, 10.0f);
  if (noisy) w.floor = (float)most - per_db * below;
  return w;
}

/* What noise has on average, in dB: the mean of ln is Euler's constant below the ln of the mean. */
#define NOISE_FLATNESS -2.507f

/* The source at row y, band x; `quiet` outside. */
static float at(const int16_t *in, const struct train_bands *b, int y, int x, float quiet) {
  if (y < 0 || y >= b->time || x < 0 || x >= b->bands) return quiet;
  return (float)in[(b->flatness ? 2 * y : y) * b->bands + x];
}

static float between(const int16_t *in, const struct train_bands *b, float y, float x,
                     float quiet) {
  const float y0 = floorf(y), x0 = floorf(x), fy = y - y0, fx = x - x0;
  const int i = (int)y0, k = (int)x0;
  const float above = at(in, b, i, k, quiet) * (1 - fx) + at(in, b, i, k + 1, quiet) * fx;
  const float below = at(in, b, i + 1, k, quiet) * (1 - fx) + at(in, b, i + 1, k + 1, quiet) * fx;
  return above * (1 - fy) + below * fy;
}

static int16_t rounded(float v) { return (int16_t)lrintf(fminf(fmaxf(v, -32768.0f), 32767.0f)); }

void train_augment_bands(const struct train_augment *how, const struct train_bands *b,
                         const int16_t *in, uint64_t seed, int16_t *out) {
  const int h = b->time, w = b->bands, row = b->flatness ? 2 * w : w;
  struct rng r;
  rng_seed(&r, seed);
  const struct warp p = draw(how, b, in, &r);
  const float middle = 0.5f * (float)h;
  for (int y = 0; y < h; y++) {
    const float from_y = middle + ((float)y + 0.5f - middle) * p.time - 0.5f;
    for (int x = 0; x < w; x++) {
      const float place = w > 1 ? 2.0f * (float)x / (float)(w - 1) - 1.0f : 0.0f;
      const float from_x = ((float)x + 0.5f) * p.band - 0.5f;
      int16_t *const to = out + y * row + x;
      float v = between(in, b, from_y, from_x, (float)p.quiet) + p.slope * place;
      float flat = b->flatness ? between(in + w, b, from_y, from_x, 0) : 0;
      if (p.floor > -INFINITY) { /* a sum of two uniforms: about 3 dB to either side */
        const float ripple = b->per_db * 7.0f * (rng_unit(&r) + rng_unit(&r) - 1.0f);
        const float noise = p.floor + p.floor_slope * place + ripple;
        if (noise > v) v = noise, flat = NOISE_FLATNESS * b->per_db;
      }
      to[0] = rounded(v);
      if (b->flatness) to[w] = rounded(flat);
    }
  }
}
