/* The kind "image": its words, limits, and the weights of its two axes. */
#include "host/features/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool features_resize_from(const char *word, enum features_resize *resize) {
  static const char *const words[] = {"squash", "crop", "fit"};
  for (int i = 0; word && i < 3; i++)
    if (strcmp(words[i], word) == 0) return *resize = (enum features_resize)i, true;
  return false;
}

bool features_format_from(const char *word, int *format) {
  static const char *const words[MOTE_IMAGE_FORMAT_COUNT] = {"grey", "rgb", "rgb565",
                                                             "rgb565-swapped", "numbers"};
  for (int i = 0; word && i < MOTE_IMAGE_FORMAT_COUNT; i++)
    if (strcmp(words[i], word) == 0) return *format = i, true;
  return false;
}

int features_frame_words(int format, int width, int height) {
  const int pixels = width * height;
  return format == MOTE_IMAGE_GREY  ? (pixels + 1) / 2
         : format == MOTE_IMAGE_RGB ? (3 * pixels + 1) / 2
                                    : pixels;
}

void features_image_defaults(struct features_config *c, struct text *why) {
  c->format = MOTE_IMAGE_NUMBERS;
  /* As square as the channels allow. */
  int rows = (int)(sqrt(c->channels) + 0.5);
  while (rows > 1 && c->channels % rows) rows--;
  c->source_height = c->height = rows;
  c->source_width = c->width = rows > 0 ? c->channels / rows : c->channels;
  c->normalise = FEATURES_NORMALISE_NONE;
  c->resize = FEATURES_RESIZE_SQUASH;
  if (why)
    text_add(why, "The pixels themselves: a network for pictures finds what is in them wherever "
                  "it lies.");
}

int features_image_frames(const struct features_config *c) {
  return c->format == MOTE_IMAGE_NUMBERS ? features_samples_of(c->window_ms, c->rate_hz) : 1;
}

static int depth_of(const struct features_config *c) {
  return c->colour ? 3 : features_image_frames(c);
}

int features_image_columns(const struct features_config *c) { return c->width * depth_of(c); }

static bool check_source(const struct features_config *c, struct err *e) {
  if (c->format < 0 || c->format >= MOTE_IMAGE_FORMAT_COUNT)
    return features_refuse(e, "format", "unknown format %d", c->format);
  if (c->source_width < 1 || c->source_height < 1 || c->source_width > 4096 ||
      c->source_height > 4096)
    return features_refuse(e, "width", "frames of %d x %d pixels; 1 to 4,096 each work",
                           c->source_width, c->source_height);
  const int window = features_samples_of(c->window_ms, c->rate_hz);
  const int stride = c->stride ? c->stride : c->channels;
  const int64_t words = features_frame_words(c->format, c->source_width, c->source_height);
  if (c->format == MOTE_IMAGE_NUMBERS) {
    if (words != stride || c->channels != stride)
      return features_refuse(
          e, "width", "%d x %d pixels are not the %d channels of the sensor: its rows hold a frame",
          c->source_width, c->source_height, stride);
    if (window > 255)
      return features_refuse(e, "window_ms", "%d frames in a window; 1 to 255 work", window);
    return true;
  }
  return (int64_t)window * stride == words ||
         features_refuse(e, "width", "frames of %lld samples in a window of %d", (long long)words,
                         window * stride);
}

bool features_check_image(const struct features_config *c, struct err *e) {
  if (!check_source(c, e)) return false;
  if (c->width < 1 || c->height < 1 || c->width > 1024 || c->height > 1024)
    return features_refuse(e, "width", "%d x %d pixels; 1 to 1,024 each work", c->width, c->height);
  if (c->colour && (c->format == MOTE_IMAGE_GREY || c->format == MOTE_IMAGE_NUMBERS))
    return features_refuse(e, "colour", "the frames have none; grey works");
  if (c->normalise != FEATURES_NORMALISE_NONE && c->normalise != FEATURES_NORMALISE_LEVEL)
    return features_refuse(e, "normalise", "%s; none and level work for images",
                           features_normalise_name(c->normalise));
  if ((int64_t)c->height * features_image_columns(c) > 1 << 20 || features_image_columns(c) > 65535)
    return features_refuse(e, "width", "%d x %d pixels of %d values; at most 1,048,576 work",
                           c->width, c->height, depth_of(c));
  return true;
}

/* ---- axes -------------------------------------------------------------------------------- */
/* A part of the source's side, `from` to `from` + `length` (which may lie beyond the source), in n places. */
struct axis {
  double from, length;
  int source, n;
  bool border; /* beyond the source is black; else nothing of it is beyond */
};

static void axes_of(const struct features_config *c, struct axis *across, struct axis *down) {
  const double w = c->source_width, h = c->source_height;
  double sx = w / c->width, sy = h / c->height; /* source pixels in one of the result */
  if (c->resize == FEATURES_RESIZE_CROP) sx = sy = fmin(sx, sy);
  if (c->resize == FEATURES_RESIZE_FIT) sx = sy = fmax(sx, sy);
  *across = (struct axis){(w - sx * c->width) / 2, sx * c->width, c->source_width, c->width,
                          c->resize == FEATURES_RESIZE_FIT};
  *down = (struct axis){(h - sy * c->height) / 2, sy * c->height, c->source_height, c->height,
                        c->resize == FEATURES_RESIZE_FIT};
  if (c->resize == FEATURES_RESIZE_CROP) { /* whole pixels, where nothing is shrunk */
    if (sx <= 1 && sx >= 1) across->from = floor(across->from), down->from = floor(down->from);
  }
}

struct features_view features_image_view(const struct features_config *c) {
  struct axis across, down;
  axes_of(c, &across, &down);
  return (struct features_view){across.from, down.from, across.length / across.n,
                                down.length / down.n};
}

static bool is_identity(const struct axis *a) {
  return fabs(a->length - a->n) < 1e-9 && a->from >= 0 && fabs(a->from - floor(a->from)) < 1e-9;
}

/* Real weights of place i over the source: of the area that it covers where it shrinks, else of the two pixels beside its
 * middle, held to the part that is shown. Returns how many; 0: it lies beyond the source. */
static int weigh(const struct axis *a, int i, int *first, double *weights) {
  const double step = a->length / a->n, middle = a->from + (i + 0.5) * step;
  if (a->border && (middle < 0 || middle > a->source)) return *first = 0, 0;
  if (step <= 1) { /* grows */
    const double at = fmin(fmax(middle - 0.5, 0), a->source - 1);
    *first = (int)floor(at);
    weights[0] = 1 - (at - *first);
    weights[1] = at - *first;
    return weights[1] > 1e-9 ? 2 : 1;
  }
  const double low = fmin(fmax(a->from + i * step, 0), a->source - 1e-6),
               high = fmax(fmin(a->from + (i + 1) * step, a->source), low + 1e-6);
  int n = 0;
  *first = (int)floor(low + 1e-9);
  for (int k = *first; k < high - 1e-9 && k < a->source; k++)
    weights[n++] = fmin(high, k + 1) - fmax(low, k);
  return n;
}

/* Whole weights that sum to MOTE_IMAGE_ONE: what rounding leaves goes to the largest rest. */
static void round_weights(const double *weights, int n, int16_t *out) {
  double sum = 0, given = 0;
  int left = MOTE_IMAGE_ONE;
  for (int k = 0; k < n; k++) sum += weights[k];
  for (int k = 0; k < n; k++) { /* cumulative: each boundary is rounded once */
    given += weights[k] / sum * MOTE_IMAGE_ONE;
    const int w = k + 1 == n ? left : (int)floor(given + 0.5) - (MOTE_IMAGE_ONE - left);
    out[k] = (int16_t)w;
    left -= w;
  }
}

/* Writes spans and weights of an axis where out is not NULL; returns their bytes, a multiple of 4. */
static size_t write_axis(const struct axis *a, uint8_t *out) {
  struct mote_image_span *const span = (struct mote_image_span *)(void *)out;
  int16_t *const values = (int16_t *)(void *)(out + sizeof *span * ((size_t)a->n + 1));
  double *const weights = malloc(((size_t)a->source + 2) * sizeof *weights);
  int at = 0;
  if (is_identity(a) || !weights) {
    free(weights);
    return 0;
  }
  for (int i = 0; i < a->n; i++) {
    int first;
    const int n = weigh(a, i, &first, weights);
    if (out) {
      span[i] = (struct mote_image_span){(uint16_t)first, (uint16_t)at};
      if (n) round_weights(weights, n, values + at);
    }
    at += n;
  }
  if (out) span[a->n] = (struct mote_image_span){0, (uint16_t)at};
  free(weights);
  return (sizeof *span * ((size_t)a->n + 1) + 2 * (size_t)at + 3) & ~(size_t)3;
}

size_t features_image_bytes(const struct features_config *c) {
  struct axis across, down;
  axes_of(c, &across, &down);
  return sizeof(struct mote_image) + write_axis(&across, NULL) + write_axis(&down, NULL);
}

void features_image_params(const struct features_config *c, uint8_t *out) {
  struct mote_image *const p = (struct mote_image *)(void *)out;
  struct axis across, down;
  axes_of(c, &across, &down);
  *p = (struct mote_image){.width = (uint16_t)c->source_width,
                           .height = (uint16_t)c->source_height,
                           .format = (uint8_t)c->format,
                           .colours = c->colour ? 3 : 1,
                           .frames = (uint16_t)features_image_frames(c)};
  size_t at = sizeof *p, bytes = write_axis(&across, out + at);
  p->across_at = bytes ? (int32_t)at : 0;
  p->left = (uint16_t)(bytes ? 0 : across.from);
  at += bytes;
  bytes = write_axis(&down, out + at);
  p->down_at = bytes ? (int32_t)at : 0;
  p->top = (uint16_t)(bytes ? 0 : down.from);
}
