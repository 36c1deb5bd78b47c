/* Pictures as features: against a slow resize in double, colours, formats, rows as a camera sends them, hostile bytes, draws, and
 * the same bits on chips. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host/features/features.h"
#include "host/train/train.h"
#include "test/snr.h"

static const struct shape {
  int format, w, h, out_w, out_h, colour;
  enum features_resize resize;
} shapes[] = {
    {MOTE_IMAGE_GREY, 28, 28, 28, 28, 0, FEATURES_RESIZE_SQUASH},
    {MOTE_IMAGE_GREY, 31, 17, 31, 17, 0, FEATURES_RESIZE_SQUASH},
    {MOTE_IMAGE_GREY, 40, 30, 20, 15, 0, FEATURES_RESIZE_SQUASH},
    {MOTE_IMAGE_GREY, 41, 29, 12, 13, 0, FEATURES_RESIZE_SQUASH},
    {MOTE_IMAGE_GREY, 7, 5, 21, 12, 0, FEATURES_RESIZE_SQUASH},
    {MOTE_IMAGE_RGB, 40, 30, 16, 16, 1, FEATURES_RESIZE_CROP},
    {MOTE_IMAGE_RGB, 40, 30, 16, 16, 0, FEATURES_RESIZE_FIT},
    {MOTE_IMAGE_RGB, 9, 30, 16, 20, 1, FEATURES_RESIZE_FIT},
    {MOTE_IMAGE_RGB565, 40, 30, 24, 24, 1, FEATURES_RESIZE_SQUASH},
    {MOTE_IMAGE_RGB565_SWAPPED, 33, 30, 24, 30, 0, FEATURES_RESIZE_CROP},
    {MOTE_IMAGE_GREY, 40, 30, 28, 28, 0, FEATURES_RESIZE_CROP},
};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

static struct features_config config_of(const struct shape *s) {
  struct features_config c = {.kind = FEATURES_IMAGE,
                              .channels = 1,
                              .window_ms = 1000,
                              .format = s->format,
                              .source_width = s->w,
                              .source_height = s->h,
                              .width = s->out_w,
                              .height = s->out_h,
                              .colour = s->colour,
                              .resize = s->resize};
  c.rate_hz = features_frame_words(s->format, s->w, s->h);
  return c;
}

static struct features_block build(struct arena *a, const struct shape *s) {
  struct features_block block;
  struct err e = {0};
  const struct features_config c = config_of(s);
  if (!features_build(&c, 1, a, &block, &e)) fail_msg("%s: %s", e.node, e.text);
  return block;
}

static int16_t *frame_of(struct arena *a, const struct features_block *b, uint64_t seed) {
  struct rng r;
  rng_seed(&r, seed);
  int16_t *const x = ARENA_ARRAY(a, int16_t, b->window_samples);
  for (int i = 0; i < b->window_samples; i++) x[i] = (int16_t)rng_u32(&r);
  return x;
}

/* Pixel (x, y), colour c or grey, of 0 to 255: what a format means, said a second time. */
static double pixel(const struct shape *s, const int16_t *frame, int x, int y, int c) {
  const uint8_t *const bytes = (const uint8_t *)frame;
  const int i = y * s->w + x;
  double rgb[3];
  if (s->format == MOTE_IMAGE_GREY) return bytes[i];
  if (s->format == MOTE_IMAGE_RGB)
    for (int k = 0; k < 3; k++) rgb[k] = bytes[3 * i + k];
  else {
    const int high = s->format == MOTE_IMAGE_RGB565 ? 1 : 0;
    const int v = bytes[2 * i + high] * 256 + bytes[2 * i + 1 - high];
    rgb[0] = (v >> 11) * 8 + (v >> 13);
    rgb[1] = (v >> 5 & 63) * 4 + (v >> 9 & 3);
    rgb[2] = (v & 31) * 8 + (v >> 2 & 7);
  }
  return s->colour ? rgb[c] : 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

/* The share of source place k in place i of an axis that shows `length` places from `from` on. */
static double share(double from, double length, int n, int i, int k) {
  const double step = length / n;
  if (step <= 1) {
    const double at = from + (i + 0.5) * step - 0.5;
    return fmax(0, 1 - fabs(at - k));
  }
  const double low = from + i * step, high = low + step;
  return fmax(0, fmin(high, k + 1) - fmax(low, k)) / step;
}

/* A pixel of the result where its whole area lies in the source; else NAN. */
static double slow(const struct shape *s, const int16_t *frame, int x, int y, int c) {
  double sx = (double)s->w / s->out_w, sy = (double)s->h / s->out_h, sum = 0, weight = 0;
  if (s->resize == FEATURES_RESIZE_CROP) sx = sy = fmin(sx, sy);
  if (s->resize == FEATURES_RESIZE_FIT) sx = sy = fmax(sx, sy);
  double left = (s->w - sx * s->out_w) / 2, top = (s->h - sy * s->out_h) / 2;
  if (sx == 1 && sy == 1) left = floor(left), top = floor(top); /* pixels as they are */
  for (int j = 0; j < s->h; j++)
    for (int i = 0; i < s->w; i++) {
      const double w =
          share(left, sx * s->out_w, s->out_w, x, i) * share(top, sy * s->out_h, s->out_h, y, j);
      weight += w;
      if (w > 0) sum += w * pixel(s, frame, i, j, c);
    }
  return weight > 1 - 1e-9 ? sum : NAN;
}

/* One step of a pixel at most, and the same bits by rows as by the whole window. */
static void test_resize(void **state) {
  (void)state;
  for (int i = 0; i < SHAPES; i++) {
    struct arena *a = arena_new(0);
    const struct shape *const s = &shapes[i];
    const struct features_block b = build(a, s);
    const struct mote_features *const f = b.parts[0].params;
    const int16_t *const x = frame_of(a, &b, (uint64_t)i + 1);
    int8_t *const out = ARENA_ARRAY(a, int8_t, b.out_bytes), *line = malloc(f->columns);
    void *const scratch = malloc(b.scratch_bytes);
    double *const values = ARENA_ARRAY(a, double, b.out_bytes), unit = 1;
    int compared = 0;
    struct snr snr = {0};
    features_run(&b, x, scratch, out);
    assert_int_equal(b.dims[0] * b.dims[1] * b.dims[2], (int)b.out_bytes);
    for (int y = 0; y < s->out_h; y++) {
      mote_image_line(f, x, (uint32_t)y, scratch, line);
      assert_memory_equal(line, out + (size_t)y * f->columns, f->columns);
      for (int k = 0; k < f->columns; k++) {
        const double want = slow(s, x, k / f->depth, y, k % f->depth);
        if (isnan(want)) continue;
        compared++;
        snr_add(&snr, want, out[y * f->columns + k] + 128);
        if (fabs(out[y * f->columns + k] + 128 - want) > 0.56)
          fail_msg("shape %d, row %d, value %d: %d, not %g", i, y, k, out[y * f->columns + k] + 128,
                   want);
      }
    }
    assert_true(compared > (int)b.out_bytes / 3);
    print_message("shape %d: %d x %d from %d x %d, SNR %.0f dB\n", i, s->out_w, s->out_h, s->w,
                  s->h, snr_db(&snr));
    assert_true(snr_db(&snr) > 35);
    /* As real numbers 0 to 1: what Edge Impulse's block of pictures gives, within half of a step. */
    features_values(&b, &unit, x, arena_alloc(a, 1, b.scratch_bytes + 4 * b.out_bytes), values);
    for (size_t k = 0; k < b.out_bytes; k++)
      assert_true(fabs(values[k] * 255 - 128 - out[k]) < 0.51);
    assert_int_equal(features_are_bytes(&b), i < 2);
    free(scratch);
    free(line);
    arena_free(a);
  }
}

struct lines {
  int8_t *out;
  size_t columns;
  int n;
};
static void keep_line(void *context, const int8_t *line) {
  struct lines *const l = context;
  memcpy(l->out + (size_t)l->n++ * l->columns, line, l->columns);
}

/* A camera's rows, each in its own memory, give the frame's features; rows that grow downwards are refused. */
static void test_feed(void **state) {
  (void)state;
  int fed = 0;
  for (int i = 0; i < SHAPES; i++) {
    struct arena *a = arena_new(0);
    const struct shape *const s = &shapes[i];
    const struct features_block b = build(a, s);
    const struct mote_features *const f = b.parts[0].params;
    const int16_t *const x = frame_of(a, &b, 3);
    int8_t *const want = ARENA_ARRAY(a, int8_t, b.out_bytes);
    struct lines l = {ARENA_ARRAY(a, int8_t, b.out_bytes), f->columns, 0};
    features_run(&b, x, arena_alloc(a, 1, b.scratch_bytes), want);
    if (mote_image_can_feed(f)) {
      const size_t row = (size_t)s->w * (s->format == MOTE_IMAGE_GREY  ? 1
                                         : s->format == MOTE_IMAGE_RGB ? 3
                                                                       : 2);
      void *const memory = malloc(mote_image_feed_bytes(f)), *alone = malloc(row);
      mote_image_feed_begin(f, memory);
      for (int y = 0; y < s->h; y++) {
        memcpy(alone, (const uint8_t *)x + (size_t)y * row, row);
        mote_image_feed_push(f, memory, alone, keep_line, &l);
      }
      assert_int_equal(l.n, s->out_h);
      assert_memory_equal(l.out, want, b.out_bytes);
      free(alone);
      free(memory);
      fed++;
    } else {
      assert_true(s->out_h > s->h || s->resize == FEATURES_RESIZE_FIT);
    }
    arena_free(a);
  }
  assert_true(fed >= 8);
}

/* Numbers: frames of a slow array side by side as planes, their level taken off, fitted to int8. */
static void test_numbers(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c;
  struct features_block b;
  struct err e = {0};
  features_defaults(FEATURES_IMAGE, 10, 64, 300, &c, NULL);
  c.normalise = FEATURES_NORMALISE_LEVEL;
  assert_true(features_build(&c, 1, a, &b, &e));
  assert_int_equal(b.dims[0], 8);
  assert_int_equal(b.dims[1], 8);
  assert_int_equal(b.dims[2], 3);
  int16_t *const x = ARENA_ARRAY(a, int16_t, 3 * 64);
  const int16_t *windows[1] = {x};
  for (int i = 0; i < 3 * 64; i++) x[i] = (int16_t)(20000 + i * 7 % 101);
  assert_true(features_fit(&b, a, windows, 1, &e));
  int8_t one[192], other[192];
  void *const scratch = arena_alloc(a, 1, b.scratch_bytes);
  features_run(&b, x, scratch, one);
  for (int i = 0; i < 3 * 64; i++) x[i] = (int16_t)(x[i] - 9000);
  features_run(&b, x, scratch, other);
  assert_memory_equal(one, other, sizeof one);
  int low = 127, high = -128;
  for (int i = 0; i < 192; i++)
    low = one[i] < low ? one[i] : low, high = one[i] > high ? one[i] : high;
  assert_true(low < -100 && high > 100);
  /* Plane 1 of pixel (2, 3) is step 1, number 3 * 8 + 2: larger numbers are larger values. */
  assert_true((x[64 + 26] > x[0]) == (one[(3 * 8 + 2) * 3 + 1] > one[0]));
  arena_free(a);
}

/* A picture's level: light does not count, darker and lighter than the mean are there before and after fitting. */
static void test_level(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct features_config c = config_of(&shapes[0]);
  struct features_block b;
  struct err e = {0};
  c.normalise = FEATURES_NORMALISE_LEVEL;
  assert_true(features_build(&c, 1, a, &b, &e));
  const size_t n = 28 * 28;
  int16_t *const x = ARENA_ARRAY(a, int16_t, b.window_samples);
  const int16_t *windows[1] = {x};
  uint8_t *const pixels = (uint8_t *)x;
  int8_t *const one = ARENA_ARRAY(a, int8_t, n), *const other = ARENA_ARRAY(a, int8_t, n);
  void *const scratch = arena_alloc(a, 1, b.scratch_bytes);
  for (int fitted = 0; fitted < 2; fitted++) {
    int low = 127, high = -128;
    for (size_t i = 0; i < n; i++) pixels[i] = (uint8_t)(20 + i % 128);
    if (fitted) assert_true(features_fit(&b, a, windows, 1, &e));
    features_run(&b, x, scratch, one);
    for (size_t i = 0; i < n; i++) pixels[i] = (uint8_t)(pixels[i] + 100);
    features_run(&b, x, scratch, other);
    assert_memory_equal(one, other, n);
    for (size_t i = 0; i < n; i++) {
      low = one[i] < low ? one[i] : low, high = one[i] > high ? one[i] : high;
      assert_true(i % 128 == 0 || one[i] >= one[i - 1]);
    }
    if (fitted)
      assert_true(low < -100 && high > 100);
    else
      assert_true(low < -28 && low > -36 && high > 28 && high < 36);
  }
  arena_free(a);
}

/* More rows than a window has, pushed or made one by one: those of the next window come. */
static void test_on_and_on(void **state) {
  (void)state;
  for (int i = 0; i < SHAPES; i++) {
    struct arena *a = arena_new(0);
    const struct features_block b = build(a, &shapes[i]);
    const struct mote_features *const f = b.parts[0].params;
    const struct mote_features_op *const op = b.parts[0].op;
    const int16_t *const x = frame_of(a, &b, 5);
    int8_t *const want = ARENA_ARRAY(a, int8_t, b.out_bytes), *const got = ARENA_ARRAY(a, int8_t,
                                                                                       b.out_bytes);
    int16_t *const alone = malloc(2 * (size_t)b.window_samples);
    void *const memory = malloc(mote_features_stream_bytes(f, op));
    memcpy(alone, x, 2 * (size_t)b.window_samples);
    features_run(&b, x, arena_alloc(a, 1, b.scratch_bytes), want);
    mote_features_stream_begin(f, op, memory);
    for (int y = 0; y < 3 * f->rows; y++)
      assert_int_equal(mote_features_stream_push(f, op, memory, alone), y + 1 >= f->rows);
    mote_features_stream_finish(f, op, memory, got);
    assert_memory_equal(got, want, b.out_bytes);
    free(memory);
    free(alone);
    arena_free(a);
  }
}

/* A block whose rows are not in the order of the source's is proven, but no camera can feed it. */
static void test_feed_out_of_order(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  const struct shape s = {MOTE_IMAGE_GREY, 40, 30, 20, 2, 0, FEATURES_RESIZE_SQUASH};
  const struct features_block b = build(a, &s);
  struct features_block back;
  struct err e = {0};
  assert_true(mote_image_can_feed(b.parts[0].params));
  uint8_t *const bytes = arena_alloc(a, 1, b.bytes);
  memcpy(bytes, b.data, b.bytes);
  uint8_t *const head = bytes + ((const uint8_t *)b.parts[0].params - (const uint8_t *)b.data);
  uint8_t *const p = head + b.parts[0].params->params_at;
  struct mote_image_span *const span =
      (void *)(p + ((const struct mote_image *)(const void *)p)->down_at);
  const uint16_t first = span[0].first;
  span[0].first = span[1].first, span[1].first = first;
  assert_true(span[0].first > span[1].first);
  if (!features_open(bytes, b.bytes, a, &back, &e)) fail_msg("%s", e.text);
  assert_false(mote_image_can_feed(back.parts[0].params));
  arena_free(a);
}

static void refuses(struct features_config c, const char *field) {
  struct err e = {0};
  assert_false(features_check(&c, &e));
  assert_string_equal(e.node, field);
  assert_true(e.text[0]);
}

static void test_refusals(void **state) {
  (void)state;
  struct features_config good = config_of(&shapes[5]), c = good;
  struct err e = {0};
  assert_true(features_check(&good, &e));
  c = good, c.width = 0, refuses(c, "width");
  c = good, c.height = 1025, refuses(c, "width");
  c = good, c.source_width = 41, refuses(c, "width");
  c = good, c.format = 9, refuses(c, "format");
  c = good, c.normalise = FEATURES_NORMALISE_TILT, refuses(c, "normalise");
  c = config_of(&shapes[0]), c.colour = true, refuses(c, "colour");
}

/* Changed bytes are refused, or run within their memory. */
static void test_hostile_bytes(void **state) {
  (void)state;
  struct rng r;
  int taken = 0, refused = 0;
  rng_seed(&r, 11);
  for (int trial = 0; trial < 4000; trial++) {
    struct arena *a = arena_new(0);
    struct features_block b = build(a, &shapes[trial % SHAPES]), back;
    struct err e = {0};
    uint8_t *const bytes = malloc(b.bytes);
    memcpy(bytes, b.data, b.bytes);
    for (int k = 0; k < 1 + trial % 4; k++)
      bytes[rng_below(&r, (uint32_t)b.bytes)] ^= (uint8_t)(1 << rng_below(&r, 8));
    if (features_open(bytes, b.bytes, a, &back, &e)) {
      const size_t n = features_window_words(&back);
      int16_t *const x = calloc(n, sizeof *x);
      features_neutral_map(&back, x + (size_t)back.window_samples * (size_t)back.channels);
      void *const scratch = malloc(back.scratch_bytes);
      int8_t *const out = malloc(back.out_bytes);
      if (n < 100000 && back.out_bytes < 100000) features_run(&back, x, scratch, out);
      free(out), free(scratch), free(x);
      taken++;
    } else {
      assert_true(e.text[0]);
      refused++;
    }
    free(bytes);
    arena_free(a);
  }
  print_message("of 4000 changed blocks %d were refused\n", refused);
  assert_true(refused > 500 && taken > 100);
}

/* Draws: the same for a seed, nothing without amounts, mirrored where asked, within the range. */
static void test_draws(void **state) {
  (void)state;
  int16_t x[3 * 48], y[3 * 48], z[3 * 48];
  const struct train_picture at = {
      .width = 8, .height = 6, .planes = 3, .across = 3, .down = 24, .apart = 1, .high = 255};
  for (int i = 0; i < 3 * 48; i++) x[i] = (int16_t)(i * 37 % 256);
  struct train_augment how = {0};
  memcpy(y, x, sizeof x);
  train_augment_image(&how, &at, y, 5);
  assert_memory_equal(x, y, sizeof x);
  how.flip_across = true;
  int mirrored = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    memcpy(y, x, sizeof x);
    train_augment_image(&how, &at, y, seed);
    bool same = true, other = true;
    for (int v = 0; v < 6; v++)
      for (int u = 0; u < 8; u++)
        for (int k = 0; k < 3; k++) {
          same = same && y[v * 24 + u * 3 + k] == x[v * 24 + u * 3 + k];
          other = other && y[v * 24 + u * 3 + k] == x[v * 24 + (7 - u) * 3 + k];
        }
    assert_true(same || other);
    mirrored += other;
  }
  assert_in_range(mirrored, 10, 30);
  how = train_augment_default(TRAIN_INPUT_IMAGE);
  int changed = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    memcpy(y, x, sizeof x), memcpy(z, x, sizeof x);
    train_augment_image(&how, &at, y, seed);
    train_augment_image(&how, &at, z, seed);
    assert_memory_equal(y, z, sizeof y);
    changed += memcmp(x, y, sizeof x) != 0;
    for (int i = 0; i < 3 * 48; i++) assert_true(y[i] >= 0 && y[i] <= 255);
  }
  assert_int_equal(changed, 40);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_resize),
      cmocka_unit_test(test_feed),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_hostile_bytes),
      cmocka_unit_test(test_draws),
      cmocka_unit_test(test_level),
      cmocka_unit_test(test_on_and_on),
      cmocka_unit_test(test_feed_out_of_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
