/* train/picture: pictures changed a little for each draw, all from one seed: moved, turned, scaled, mirrored, brighter, with a
 * piece covered. source of the idea: Simard et al. 2003 (moved and turned digits), DeVries and Taylor 2017 (cutout). */
#include "host/train/engine.h"

#include <math.h>
#include <stdlib.h>

static float between(struct rng *r, float low, float high) {
  return low + (high - low) * rng_unit(r);
}

/* Where a pixel of the result is read: x' = a x + b y + c about the middle. */
struct affine {
  float xx, xy, yx, yy, x, y;
};

static struct affine draw_affine(const struct train_augment *how, const struct train_picture *p,
                                 struct rng *r) {
  const float turn = between(r, -how->rotate_deg, how->rotate_deg) / 180.0f;
  const float scale = 1.0f + between(r, -how->zoom, how->zoom);
  const float slant = between(r, -how->shear, how->shear);
  const float dx = between(r, -how->shift, how->shift), dy = between(r, -how->shift, how->shift);
  const bool across = rng_unit(r) < 0.5f, down = rng_unit(r) < 0.5f;
  const float c = (float)train_cos_half_turn(fabs((double)turn));
  const float s = (float)train_cos_half_turn(fabs(0.5 - fabs((double)turn))) * (turn < 0 ? -1 : 1);
  struct affine a = {c / scale, (s + slant) / scale, -s / scale, c / scale, 0, 0};
  if (how->flip_across && across) a.xx = -a.xx, a.xy = -a.xy;
  if (how->flip_down && down) a.yx = -a.yx, a.yy = -a.yy;
  a.x = dx * (float)p->width;
  a.y = dy * (float)p->height;
  return a;
}

void train_augment_place(const struct train_augment *how, const struct train_picture *p,
                         uint64_t seed, float *x, float *y) {
  struct rng r;
  rng_seed(&r, seed);
  const struct affine a = draw_affine(how, p, &r);
  const float u = *x - (float)p->width / 2 - a.x, v = *y - (float)p->height / 2 - a.y;
  /* Turns keep areas, mirrors change their sign, scales are 0.1 to 1.9: never 0. */
  const float area = a.xx * a.yy - a.xy * a.yx;
  *x = (a.yy * u - a.xy * v) / area + (float)p->width / 2;
  *y = (a.xx * v - a.yx * u) / area + (float)p->height / 2;
}

static int held(int v, int most) { return v < 0 ? 0 : v > most ? most : v; }

/* Between four pixels; beyond the edge the nearest. */
static float read_at(const struct train_picture *p, const float *plane, float x, float y) {
  const float fx = floorf(x), fy = floorf(y), tx = x - fx, ty = y - fy;
  const int x0 = held((int)fx, p->width - 1), x1 = held((int)fx + 1, p->width - 1);
  const int y0 = held((int)fy, p->height - 1), y1 = held((int)fy + 1, p->height - 1);
  const float above = plane[y0 * p->width + x0] * (1 - tx) + plane[y0 * p->width + x1] * tx;
  const float below = plane[y1 * p->width + x0] * (1 - tx) + plane[y1 * p->width + x1] * tx;
  return above * (1 - ty) + below * ty;
}

static void place(const struct train_picture *p, const struct affine *a, const float *from,
                  float *to) {
  const float mx = (float)(p->width - 1) / 2, my = (float)(p->height - 1) / 2;
  for (int y = 0; y < p->height; y++)
    for (int x = 0; x < p->width; x++) {
      const float u = (float)x - mx, v = (float)y - my;
      to[y * p->width + x] =
          read_at(p, from, a->xx * u + a->xy * v + mx + a->x, a->yx * u + a->yy * v + my + a->y);
    }
}

/* A square that is covered: x, y its upper left corner. */
struct cover {
  int x, y, side;
};

static struct cover draw_cover(const struct train_augment *how, const struct train_picture *p,
                               struct rng *r) {
  const int least = p->width < p->height ? p->width : p->height;
  const int side = (int)(rng_unit(r) * how->cutout * (float)least + 0.5f);
  const int x = (int)rng_below(r, (uint32_t)p->width), y = (int)rng_below(r, (uint32_t)p->height);
  return (struct cover){x - side / 2, y - side / 2, side};
}

void train_augment_image(const struct train_augment *how, const struct train_picture *p,
                         int16_t *values, uint64_t seed) {
  const size_t n = (size_t)p->width * (size_t)p->height;
  struct rng r;
  rng_seed(&r, seed);
  const struct affine a = draw_affine(how, p, &r);
  const float contrast = 1.0f + between(&r, -how->contrast, how->contrast);
  const float span = (float)(p->high - p->low);
  const float light = between(&r, -how->brightness, how->brightness) * span;
  const struct cover cover = draw_cover(how, p, &r);
  float *const from = malloc(2 * n * sizeof *from), *const to = from + n;
  if (!from) abort(); /* one picture: the machine has no memory left at all */
  for (int k = 0; k < p->planes; k++) {
    int16_t *const plane = values + (size_t)k * (size_t)p->apart;
    double sum = 0;
    for (int y = 0; y < p->height; y++)
      for (int x = 0; x < p->width; x++)
        sum += (double)(from[y * p->width + x] = (float)plane[y * p->down + x * p->across]);
    const float mean = (float)(sum / (double)n);
    place(p, &a, from, to);
    for (int y = 0; y < p->height; y++)
      for (int x = 0; x < p->width; x++) {
        const bool covered =
            x >= cover.x && x < cover.x + cover.side && y >= cover.y && y < cover.y + cover.side;
        const float v = covered ? mean : (to[y * p->width + x] - mean) * contrast + mean + light;
        const float low = (float)p->low, high = (float)p->high;
        plane[y * p->down + x * p->across] = (int16_t)lrintf(v < low ? low : v > high ? high : v);
      }
  }
  free(from);
}
