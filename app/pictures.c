/* pictures: see the header. */
#include "app/pictures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int pictures_colours(const struct project_config *c) {
  return c->frame_format == MOTE_IMAGE_GREY ? 1 : 3;
}

/* ---- frames ----------------------------------------------------------------------------- */
/* Red, green and blue of 8 bits as a pixel of 16. */
static uint16_t as_565(const uint8_t *rgb, bool swapped) {
  const unsigned v = (unsigned)(rgb[0] >> 3) << 11 | (unsigned)(rgb[1] >> 2) << 5 | rgb[2] >> 3;
  return (uint16_t)(swapped ? v >> 8 | v << 8 : v);
}

static void pack(const struct project_config *c, const uint8_t *pixels, size_t n, int16_t *frame) {
  const bool swapped = c->frame_format == MOTE_IMAGE_RGB565_SWAPPED;
  if (c->frame_format == MOTE_IMAGE_GREY || c->frame_format == MOTE_IMAGE_RGB)
    memcpy(frame, pixels, n * (size_t)pictures_colours(c));
  else
    for (size_t i = 0; i < n; i++) frame[i] = (int16_t)as_565(pixels + 3 * i, swapped);
}

void pictures_pixels(const struct project_config *c, const int16_t *frame, uint8_t *pixels) {
  const size_t n = (size_t)c->frame_width * (size_t)c->frame_height;
  if (c->frame_format == MOTE_IMAGE_GREY || c->frame_format == MOTE_IMAGE_RGB) {
    memcpy(pixels, frame, n * (size_t)pictures_colours(c));
    return;
  }
  for (size_t i = 0; i < n; i++) {
    unsigned v = (uint16_t)frame[i];
    if (c->frame_format == MOTE_IMAGE_RGB565_SWAPPED) v = (v >> 8 | v << 8) & 0xFFFF;
    const unsigned r = v >> 11, g = v >> 5 & 63, b = v & 31;
    pixels[3 * i] = (uint8_t)(r << 3 | r >> 2);
    pixels[3 * i + 1] = (uint8_t)(g << 2 | g >> 4);
    pixels[3 * i + 2] = (uint8_t)(b << 3 | b >> 2);
  }
}

/* ---- pictures that are larger than any camera's frame -------------------------------------- */
#define MOST_SIDE  1024
#define MOST_WORDS 1000000

/* How many pixels of each side become one; 1 and 1: the picture can be a frame. */
static void shrinking(int width, int height, int channels, int *across, int *down) {
  *across = (width + MOST_SIDE - 1) / MOST_SIDE;
  *down = (height + MOST_SIDE - 1) / MOST_SIDE;
  while ((int64_t)(width / *across) * (height / *down) * channels / 2 > MOST_WORDS)
    ++*across, ++*down;
}

/* Means of across x down pixels; what is left over at the right and below falls away. NULL: no memory. */
static uint8_t *shrunk(const uint8_t *pixels, int width, int height, int channels, int across,
                       int down) {
  const int w = width / across, h = height / down;
  const int64_t n = (int64_t)across * down;
  const size_t row = (size_t)width * (size_t)channels;
  uint8_t *const out = malloc((size_t)w * (size_t)h * (size_t)channels), *to = out;
  for (int y = 0; out && y < h; y++)
    for (int x = 0; x < w; x++)
      for (int c = 0; c < channels; c++) {
        const uint8_t *at = pixels + (size_t)y * (size_t)down * row +
                            (size_t)x * (size_t)across * (size_t)channels + (size_t)c;
        int64_t sum = n / 2;
        for (int j = 0; j < down; j++, at += row)
          for (int i = 0; i < across; i++) sum += at[i * channels];
        *to++ = (uint8_t)(sum / n);
      }
  return out;
}

/* What makes the frame's size from pictures of this size. */
static struct features_config to_frame(const struct project_config *c, int width, int height,
                                       int channels) {
  return (struct features_config){.kind = FEATURES_IMAGE,
                                  .channels = 1,
                                  .format = channels == 3 ? MOTE_IMAGE_RGB : MOTE_IMAGE_GREY,
                                  .source_width = width,
                                  .source_height = height,
                                  .width = c->frame_width,
                                  .height = c->frame_height,
                                  .colour = channels == 3 && pictures_colours(c) == 3,
                                  .resize = c->features[0].resize,
                                  .window_ms = 1000};
}

struct features_view pictures_view(const struct project_config *c, int width, int height,
                                   int channels) {
  int across, down;
  shrinking(width, height, channels, &across, &down);
  const struct features_config f = to_frame(c, width / across, height / down, channels);
  struct features_view v = features_image_view(&f);
  v.left *= across, v.across *= across;
  v.top *= down, v.down *= down;
  return v;
}

/* A block that makes the frame's size from pictures of this size. */
static bool prepare(struct project *p, struct picture_maker *m, int width, int height, int channels,
                    struct err *e) {
  const struct project_config *c = &p->config;
  if (m->row && m->width == width && m->height == height && m->channels == channels) return true;
  struct features_config f = to_frame(c, width, height, channels);
  f.rate_hz = features_frame_words(f.format, width, height);
  if (!features_build(&f, 1, p->arena, &m->block, e)) return false;
  m->width = width, m->height = height, m->channels = channels;
  m->scratch = arena_alloc(p->arena, mote_image_row_bytes(m->block.parts[0].params) + 4, 1);
  m->row = ARENA_ARRAY(p->arena, int16_t, m->block.parts[0].params->columns);
  return true;
}

static bool make_frame(struct project *p, struct picture_maker *m, const uint8_t *pixels, int width,
                       int height, int channels, int16_t **frame, struct err *e) {
  const struct project_config *c = &p->config;
  const int colours = pictures_colours(c), w = c->frame_width, h = c->frame_height;
  const size_t words = (size_t)features_frame_words(c->frame_format, w, h);
  if (channels != 1 && channels != 3)
    return err_set(e, "a picture of %d channels; 1 and 3 work", channels);
  if (words * 2 + (size_t)w * (size_t)h * 3 + 256 > arena_left(p->arena))
    return err_set(e, "the pictures do not fit into memory");
  *frame = ARENA_ARRAY(p->arena, int16_t, words);
  if (width == w && height == h && channels == colours)
    return pack(c, pixels, (size_t)w * (size_t)h, *frame), true;
  if (!prepare(p, m, width, height, channels, e)) return false;
  const struct mote_features *const f = m->block.parts[0].params;
  uint8_t *const made = malloc((size_t)w * (size_t)h * (size_t)colours);
  if (!made) return err_set(e, "no memory left");
  for (int y = 0; y < h; y++) {
    mote_image_row(f, pixels, (uint32_t)y, m->scratch, m->row);
    for (int x = 0; x < w; x++)
      for (int k = 0; k < colours; k++)
        made[(y * w + x) * colours + k] =
            (uint8_t)((m->row[f->depth == 1 ? x : x * 3 + k] + 64) >> 7);
  }
  pack(c, made, (size_t)w * (size_t)h, *frame);
  free(made);
  return true;
}

bool pictures_frame(struct project *p, struct picture_maker *m, const uint8_t *pixels, int width,
                    int height, int channels, int16_t **frame, struct err *e) {
  int across, down;
  shrinking(width, height, channels, &across, &down);
  if (across == 1 && down == 1) return make_frame(p, m, pixels, width, height, channels, frame, e);
  uint8_t *const less = shrunk(pixels, width, height, channels, across, down);
  const bool ok = less ? make_frame(p, m, less, width / across, height / down, channels, frame, e)
                       : err_set(e, "no memory left");
  free(less);
  return ok;
}

/* ---- draws ------------------------------------------------------------------------------- */
bool pictures_are_windows(const struct project_config *c) {
  return c->n_features == 1 && c->features[0].kind == FEATURES_IMAGE;
}

void pictures_augment(const struct project_config *c, const struct train_augment *how,
                      uint64_t seed, int16_t *window) {
  const struct features_config *const f = &c->features[0];
  struct train_picture at = {.width = f->source_width, .height = f->source_height};
  if (f->format == MOTE_IMAGE_NUMBERS) {
    at.planes = (int)(f->window_ms * f->rate_hz / 1000 + 0.5);
    at.across = 1, at.down = at.width, at.apart = at.width * at.height;
    at.low = INT16_MIN, at.high = INT16_MAX;
    train_augment_image(how, &at, window, seed);
    return;
  }
  const int colours = pictures_colours(c);
  const size_t n = (size_t)at.width * (size_t)at.height * (size_t)colours;
  uint8_t *const pixels = malloc(n);
  int16_t *const values = malloc(n * sizeof *values);
  if (!pixels || !values) abort(); /* one picture: the machine has no memory left at all */
  at.planes = colours, at.across = colours, at.down = colours * at.width, at.apart = 1;
  at.high = 255;
  pictures_pixels(c, window, pixels);
  for (size_t i = 0; i < n; i++) values[i] = pixels[i];
  train_augment_image(how, &at, values, seed);
  for (size_t i = 0; i < n; i++) pixels[i] = (uint8_t)values[i];
  pack(c, pixels, (size_t)at.width * (size_t)at.height, window);
  free(values);
  free(pixels);
}

void pictures_place(const struct project_config *c, const struct train_augment *how, uint64_t seed,
                    float *x, float *y) {
  const struct features_config *const f = &c->features[0];
  const struct train_picture at = {.width = f->source_width, .height = f->source_height};
  train_augment_place(how, &at, seed, x, y);
}

static int inside(int v, int n) { return v < 0 ? 0 : v >= n ? n - 1 : v; }

void pictures_change(const struct project_config *c, const struct picture_change *how,
                     uint64_t seed, int16_t *window) {
  const int w = c->frame_width, h = c->frame_height, colours = pictures_colours(c);
  const int dx = (int)lround(how->across * w), dy = (int)lround(how->down * h);
  const size_t n = (size_t)w * (size_t)h * (size_t)colours;
  uint8_t *const from = malloc(2 * n), *const to = from + n;
  double sum = 0;
  struct rng r;
  if (!from) abort(); /* one picture: the machine has no memory left at all */
  rng_seed(&r, seed);
  pictures_pixels(c, window, from);
  for (size_t i = 0; i < n; i++) sum += from[i];
  const double mean = sum / (double)n;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      for (int k = 0; k < colours; k++) {
        const int at = (inside(y + dy, h) * w + inside(x + dx, w)) * colours + k;
        double v = (from[at] - mean) * how->contrast + mean + 255 * how->light;
        if (how->noise > 0) v += 255 * how->noise * (double)rng_normal(&r);
        to[(y * w + x) * colours + k] = (uint8_t)lround(v < 0 ? 0 : v > 255 ? 255 : v);
      }
  pack(c, to, (size_t)w * (size_t)h, window);
  free(from);
}
