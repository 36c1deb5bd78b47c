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

static struct warp draw(const struct train_augment *how, const int16_t *in, int n, float per_db,
                        struct rng *r) {
  int16_t least = in[0], most = in[0];
  for (int i = 1; i < n; i++) {
    if (in[i] < least) least = in[i];
    if (in[i] > most) most = in[i];
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

/* The source at row y, column x; `quiet` outside. */
static float at(const int16_t *in, int h, int w, int y, int x, float quiet) {
  return y < 0 || y >= h || x < 0 || x >= w ? quiet : (float)in[y * w + x];
}

static float between(const int16_t *in, int h, int w, float y, float x, float quiet) {
  const float y0 = floorf(y), x0 = floorf(x), fy = y - y0, fx = x - x0;
  const int i = (int)y0, k = (int)x0;
  const float above = at(in, h, w, i, k, quiet) * (1 - fx) + at(in, h, w, i, k + 1, quiet) * fx;
  const float below =
      at(in, h, w, i + 1, k, quiet) * (1 - fx) + at(in, h, w, i + 1, k + 1, quiet) * fx;
  return above * (1 - fy) + below * fy;
}

void train_augment_bands(const struct train_augment *how, const int16_t *in, int h, int w,
                         float per_db, uint64_t seed, int16_t *out) {
  struct rng r;
  rng_seed(&r, seed);
  const struct warp p = draw(how, in, h * w, per_db, &r);
  const float middle = 0.5f * (float)h;
  for (int y = 0; y < h; y++) {
    const float from_y = middle + ((float)y + 0.5f - middle) * p.time - 0.5f;
    for (int x = 0; x < w; x++) {
      const float place = w > 1 ? 2.0f * (float)x / (float)(w - 1) - 1.0f : 0.0f;
      float v = between(in, h, w, from_y, ((float)x + 0.5f) * p.band - 0.5f, (float)p.quiet);
      v += p.slope * place;
      if (p.floor > -INFINITY) { /* a sum of two uniforms: about 3 dB to either side */
        const float ripple = per_db * 7.0f * (rng_unit(&r) + rng_unit(&r) - 1.0f);
        v = fmaxf(v, p.floor + p.floor_slope * place + ripple);
      }
      out[y * w + x] = (int16_t)lrintf(fminf(fmaxf(v, -32768.0f), 32767.0f));
    }
  }
}
