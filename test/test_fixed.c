/* The general integer kernels (mote/nn/fixed16.h, sequence.h) against references written from the operators'
 * definition, on seeded shapes: row by row and over whole tensors, and against params that would leave their
 * bounds. Their bits against tensorflow's are test_golden's matter. Buffers have exactly the size that the bounds
 * grant, so that sanitizers see every step outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mote/nn/nn.h"

/* ---- numbers ------------------------------------------------------------------- */
static uint32_t seed;
static uint32_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  return seed ^= seed << 5;
}
static int range(int low, int high) { return low + (int)(next() % (uint32_t)(high - low + 1)); }

/* n elements of `size` bytes with random bits, exactly as many bytes. */
static void *values(size_t n, size_t size) {
  uint8_t *p = malloc(n * size + (n == 0));
  assert_non_null(p);
  for (size_t i = 0; i < n * size; i++) p[i] = (uint8_t)(next() >> 11);
  return p;
}

static int32_t element(const void *p, int64_t i, int size) {
  return size == 1 ? ((const int8_t *)p)[i] : ((const int16_t *)p)[i];
}

/* ---- a layer, its operands, and what it should make ------------------------------ */
struct layer {
  int size; /* bytes of an element */
  int images, in_h, in_w, in_c, out_h, out_w, out_c, kernel_h, kernel_w, stride_h, stride_w;
  int dilation_h, dilation_w, pad_top, pad_left, group_c;
  int in_zp, weights_zp, zp, low, high;
  int bias_bytes, per_channel;
  int32_t multiplier[64];
  int shift[64];
  void *x, *bias, *out, *expected;
  int8_t *weights;
  size_t outputs;
};

static int64_t bias_of(const struct layer *t, int o) {
  int64_t wide;
  if (t->bias_bytes == 0) return 0;
  if (t->bias_bytes == 2) return ((const int16_t *)t->bias)[o];
  if (t->bias_bytes == 4) return ((const int32_t *)t->bias)[o];
  memcpy(&wide, (const uint8_t *)t->bias + 8 * o, 8);
  return wide;
}

static int is_wide(const struct layer *t) { return t->size == 2 && t->bias_bytes != 4; }

/* int32 sums: doubling high product and a rounding shift; int64 sums: 15 bits of the multiplier. */
static int32_t scaled(const struct layer *t, int o, int64_t sum) {
  const int c = t->per_channel ? o : 0;
  const int32_t m = t->multiplier[c];
  sum += bias_of(t, o);
  int64_t q;
  if (is_wide(t)) {
    const int64_t half = (int64_t)1 << (14 - t->shift[c]);
    q = (sum * ((m + (1 << 15)) >> 16) + half) >> (15 - t->shift[c]);
  } else {
    q = ((int64_t)(int32_t)(uint32_t)(uint64_t)sum * m + (1 << 30)) >> 31;
    const int64_t half = (int64_t)1 << (-t->shift[c] - 1), up = q < 0 ? -q : q;
    q = q < 0 ? -((up + half) >> -t->shift[c]) : (up + half) >> -t->shift[c];
  }
  q += t->zp;
  return (int32_t)(q < t->low ? t->low : q > t->high ? t->high : q);
}

static void store(void *p, size_t i, int32_t q, int size) {
  if (size == 1)
    ((int8_t *)p)[i] = (int8_t)q;
  else
    ((int16_t *)p)[i] = (int16_t)q;
}

enum kind { CONV, DEPTHWISE, TRANSPOSE, AVERAGE, MAX, KINDS };

static void draw(struct layer *t, enum kind kind) {
  const int pool = kind >= AVERAGE;
  memset(t, 0, sizeof *t);
  t->size = range(1, 2);
  t->images = range(0, 2) ? 1 : range(1, 3);
  t->kernel_h = range(1, 4), t->kernel_w = range(1, 4);
  t->stride_h = range(1, 3), t->stride_w = range(1, 3);
  t->dilation_h = kind <= DEPTHWISE ? range(1, 2) : 1;
  t->dilation_w = kind <= DEPTHWISE ? range(1, 2) : 1;
  t->in_h = range(1, 7), t->in_w = range(1, 7);
  t->pad_top = range(0, t->kernel_h - 1), t->pad_left = range(0, t->kernel_w - 1);
  t->group_c = range(1, 5);
  const int groups = kind == CONV ? range(1, 3) : 1;
  t->in_c = t->group_c * groups;
  t->out_c = kind == CONV ? groups * range(1, 4) : kind == TRANSPOSE ? range(1, 4) : t->in_c;
  if (kind == DEPTHWISE) t->out_c *= range(1, 3);
  if (kind == TRANSPOSE) {
    t->out_h = range(1, 3) * t->stride_h;
    t->out_w = range(1, 8);
  } else { /* padding behind fills the last window, or not */
    const int h = t->in_h + t->pad_top - (t->kernel_h - 1) * t->dilation_h;
    const int w = t->in_w + t->pad_left - (t->kernel_w - 1) * t->dilation_w;
    t->out_h = h > 0 ? (h - 1) / t->stride_h + range(1, 2) : 1;
    t->out_w = w > 0 ? (w - 1) / t->stride_w + range(1, 2) : 1;
  }
  t->low = t->size == 1 ? -128 : -32768, t->high = t->size == 1 ? 127 : 32767;
  if (range(0, 3) == 0) t->low = range(-100, 0), t->high = range(0, 100);
  t->x = values((size_t)(t->images * t->in_h * t->in_w * t->in_c), (size_t)t->size);
  t->outputs = (size_t)(t->images * t->out_h * t->out_w * t->out_c);
  t->out = values(t->outputs, (size_t)t->size);
  t->expected = values(t->outputs, (size_t)t->size);
  if (pool) return;
  t->in_zp = t->size == 1 ? range(-128, 127) : kind == CONV ? range(-300, 300) : 0;
  t->weights_zp = kind == TRANSPOSE || range(0, 1) ? 0 : range(-128, 127);
  t->zp = range(-50, 50);
  t->per_channel = range(0, 1);
  t->bias_bytes = t->size == 1 ? 4 * range(0, 1) : 2 * range(0, 4);
  if (t->bias_bytes == 6) t->bias_bytes = 8;
  for (int c = 0; c < 64; c++) {
    t->multiplier[c] = (int32_t)(1u << 30 | next() >> 2) & ~0xFFFF;
    t->shift[c] = -range(t->size == 1 ? 5 : 9, t->size == 1 ? 11 : 18);
  }
  t->weights = values((size_t)(t->out_c * t->kernel_h * t->kernel_w * t->in_c), 1);
  t->bias = values((size_t)t->out_c, t->bias_bytes ? (size_t)t->bias_bytes : 1);
  for (int o = 0; o < t->out_c && t->bias_bytes >= 4; o++) { /* small beside the sums */
    const int64_t wide = range(-9000, 9000);
    if (t->bias_bytes == 4)
      ((int32_t *)t->bias)[o] = (int32_t)wide;
    else
      memcpy((uint8_t *)t->bias + 8 * o, &wide, 8);
  }
}

static void drop(struct layer *t) {
  free(t->x);
  free(t->bias);
  free(t->out);
  free(t->expected);
  free(t->weights);
}

static int64_t input_at(const struct layer *t, int b, int y, int x, int c) {
  return (((int64_t)b * t->in_h + y) * t->in_w + x) * t->in_c + c;
}

/* The weight of output channel o, kernel row i and column j, for input channel c of its group. */
static int32_t weight(const struct layer *t, enum kind kind, int o, int i, int j, int c) {
  const int deep = kind == CONV ? t->group_c : t->in_c;
  return kind == DEPTHWISE ? t->weights[(i * t->kernel_w + j) * t->out_c + o]
                           : t->weights[((o * t->kernel_h + i) * t->kernel_w + j) * deep + c];
}

/* One output of a convolution, by its definition. */
static int64_t window_sum(const struct layer *t, enum kind kind, int b, int y, int x, int o) {
  const int groups = t->in_c / t->group_c, first = o / (t->out_c / groups) * t->group_c;
  int64_t sum = 0;
  for (int i = 0; i < t->kernel_h; i++)
    for (int j = 0; j < t->kernel_w; j++) {
      const int v = y * t->stride_h - t->pad_top + i * t->dilation_h;
      const int u = x * t->stride_w - t->pad_left + j * t->dilation_w;
      if (v < 0 || v >= t->in_h || u < 0 || u >= t->in_w) continue;
      const int from = kind == CONV ? first : o / (t->out_c / t->in_c);
      for (int c = 0; c < (kind == CONV ? t->group_c : 1); c++)
        sum += (int64_t)(weight(t, kind, o, i, j, c) - t->weights_zp) *
               (element(t->x, input_at(t, b, v, u, from + c), t->size) - t->in_zp);
    }
  return sum;
}

static int32_t pooled(const struct layer *t, enum kind kind, int half_up, int b, int y, int x,
                      int c) {
  int64_t sum = 0, count = 0, largest = t->size == 1 ? -128 : -32768;
  for (int i = 0; i < t->kernel_h; i++)
    for (int j = 0; j < t->kernel_w; j++) {
      const int v = y * t->stride_h - t->pad_top + i, u = x * t->stride_w - t->pad_left + j;
      if (v < 0 || v >= t->in_h || u < 0 || u >= t->in_w) continue;
      const int32_t value = element(t->x, input_at(t, b, v, u, c), t->size);
      sum += value;
      count++;
      largest = value > largest ? value : largest;
    }
  int64_t q = largest;
  if (kind == AVERAGE && count == 0) q = 0;
  if (kind == AVERAGE && count > 0) {
    const int64_t twice = 2 * sum + count; /* floor((2 sum + count) / (2 count)): halves up */
    q = twice >= 0 ? twice / (2 * count) : -((2 * count - 1 - twice) / (2 * count));
    if (!half_up && sum < 0 && (2 * sum) % count == 0 && sum % count != 0) q--; /* a half */
  }
  return (int32_t)(q < t->low ? t->low : q > t->high ? t->high : q);
}

/* A transposed convolution scatters its inputs. */
static void scatter(const struct layer *t, int64_t *sums) {
  memset(sums, 0, t->outputs * sizeof *sums);
  for (int b = 0; b < t->images; b++)
    for (int v = 0; v < t->in_h; v++)
      for (int u = 0; u < t->in_w; u++)
        for (int i = 0; i < t->kernel_h; i++)
          for (int j = 0; j < t->kernel_w; j++) {
            const int y = v * t->stride_h + i - t->pad_top, x = u * t->stride_w + j - t->pad_left;
            if (y < 0 || y >= t->out_h || x < 0 || x >= t->out_w) continue;
            for (int o = 0; o < t->out_c; o++)
              for (int c = 0; c < t->in_c; c++)
                sums[((b * t->out_h + y) * t->out_w + x) * t->out_c + o] +=
                    (int64_t)weight(t, TRANSPOSE, o, i, j, c) *
                    (element(t->x, input_at(t, b, v, u, c), t->size) - t->in_zp);
          }
}

static void expect(struct layer *t, enum kind kind, int half_up) {
  int64_t *sums = malloc((t->outputs + 1) * sizeof *sums);
  assert_non_null(sums);
  if (kind == TRANSPOSE) scatter(t, sums);
  size_t at = 0;
  for (int b = 0; b < t->images; b++)
    for (int y = 0; y < t->out_h; y++)
      for (int x = 0; x < t->out_w; x++)
        for (int o = 0; o < t->out_c; o++, at++) {
          const int32_t q =
              kind >= AVERAGE
                  ? pooled(t, kind, half_up, b, y, x, o)
                  : scaled(t, o, kind == TRANSPOSE ? sums[at] : window_sum(t, kind, b, y, x, o));
          store(t->expected, at, q, t->size);
        }
  free(sums);
}

/* ---- running it ------------------------------------------------------------------ */
static const struct {
  const struct mote_kernel *kernel[2]; /* of int8, int16 */
  size_t params_bytes;
} kinds[KINDS] = {
    {{&mote_kernel_conv2d_general_s8, &mote_kernel_conv2d_s16}, sizeof(struct mote_conv2d)},
    {{&mote_kernel_depthwise_general_s8, &mote_kernel_depthwise_conv2d_s16},
     sizeof(struct mote_depthwise_conv2d)},
    {{&mote_kernel_transpose_conv_s8, &mote_kernel_transpose_conv_s16},
     sizeof(struct mote_transpose_conv)},
    {{&mote_kernel_average_pool_general_s8, &mote_kernel_average_pool_s16},
     sizeof(struct mote_pool)},
    {{&mote_kernel_max_pool_general_s8, &mote_kernel_max_pool_s16}, sizeof(struct mote_pool)},
};

static enum mote_status check(enum kind kind, int size, const void *p,
                              const struct mote_bounds *b) {
  switch (kind) {
  case CONV: return size == 1 ? mote_conv2d_general_s8_check(p, b) : mote_conv2d_s16_check(p, b);
  case DEPTHWISE:
    return size == 1 ? mote_depthwise_general_s8_check(p, b)
                     : mote_depthwise_conv2d_s16_check(p, b);
  case TRANSPOSE:
    return size == 1 ? mote_transpose_conv_s8_check(p, b) : mote_transpose_conv_s16_check(p, b);
  case AVERAGE:
    return size == 1 ? mote_average_pool_general_s8_check(p, b) : mote_average_pool_s16_check(p, b);
  default: return size == 1 ? mote_max_pool_general_s8_check(p, b) : mote_max_pool_s16_check(p, b);
  }
}

/* Params with their scales behind them, in exactly as many bytes. */
struct made {
  uint8_t *params;
  struct mote_bounds bounds;
  int first, advance, calls; /* rows of the input that call i gets: first + i * advance + k */
  int dilation;
};

static void fill_window(const struct layer *t, struct mote_window *v, int streams) {
  *v = (struct mote_window){.in_w = (uint16_t)t->in_w,
                            .in_c = (uint16_t)t->in_c,
                            .out_w = (uint16_t)t->out_w,
                            .out_c = (uint16_t)t->out_c,
                            .kernel_w = (uint16_t)t->kernel_w,
                            .kernel_h = (uint16_t)t->kernel_h,
                            .stride_w = (uint16_t)t->stride_w,
                            .stride_h = (uint16_t)t->stride_h,
                            .dilation_w = (uint16_t)t->dilation_w,
                            .dilation_h = (uint16_t)t->dilation_h,
                            .pad_left = (uint16_t)t->pad_left,
                            .pad_top = (uint16_t)t->pad_top,
                            .in_rows = (uint16_t)(streams ? t->kernel_h : 1),
                            .rows_out = 1,
                            .in_h = (uint16_t)t->in_h,
                            .out_h = (uint16_t)t->out_h,
                            .images = (uint16_t)(streams ? 0 : t->images),
                            .group_c = (uint16_t)t->group_c};
}

static int floor_divide(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

static struct made make(const struct layer *t, enum kind kind, int half_up, int streams) {
  struct made m = {
      .first = -t->pad_top, .advance = t->stride_h, .calls = t->out_h, .dilation = t->dilation_h};
  struct mote_bounds *b = &m.bounds;
  struct mote_scaling s = {.zp = t->zp,
                           .low = t->low,
                           .high = t->high,
                           .sum_bytes = is_wide(t) ? 8 : 4,
                           .bias_bytes = (uint8_t)t->bias_bytes,
                           .per_channel = (uint8_t)t->per_channel};
  const int scales = kind >= AVERAGE ? 0 : t->per_channel ? t->out_c : 1;
  const size_t fixed = kinds[kind].params_bytes;
  m.params = values(fixed + (size_t)scales * (is_wide(t) ? 4 : 8), 1);
  memset(m.params, 0, fixed);
  s.scale_at = (int32_t)fixed;
  for (int c = 0; c < scales; c++) {
    const uint32_t word = (uint32_t)t->multiplier[c] >> 16 << 16 | (uint32_t)(15 - t->shift[c]);
    const int32_t pair[2] = {t->multiplier[c], t->shift[c]};
    if (is_wide(t))
      memcpy(m.params + fixed + 4 * c, &word, 4);
    else
      memcpy(m.params + fixed + 8 * c, pair, 8);
  }
  struct mote_window v;
  fill_window(t, &v, streams);
  if (kind >= AVERAGE) {
    const struct mote_pool p = {
        .window = v, .low = t->low, .high = t->high, .half_up = (uint8_t)half_up};
    memcpy(m.params, &p, sizeof p);
  } else if (kind == TRANSPOSE) {
    const int first = -floor_divide(t->kernel_h - 1 - t->pad_top, t->stride_h),
              last = floor_divide(t->stride_h - 1 + t->pad_top, t->stride_h);
    struct mote_transpose_conv p = {
        .scaling = s, .window = v, .in_zp = (int16_t)t->in_zp, .lead = t->pad_top};
    if (streams) {
      p.window.in_rows = (uint16_t)(last - first + 1);
      p.window.rows_out = (uint16_t)t->stride_h;
      p.lead -= first * t->stride_h;
      m.first = first;
      m.advance = 1;
      m.calls = t->out_h / t->stride_h;
    }
    memcpy(m.params, &p, sizeof p);
    v = p.window;
  } else {
    const struct mote_conv2d p = {s, v, (int16_t)t->in_zp, (int16_t)t->weights_zp};
    memcpy(m.params, &p, sizeof p);
  }
  b->params_bytes = fixed + (size_t)scales * (is_wide(t) ? 4 : 8);
  b->n_in = kind >= AVERAGE ? 1 : t->bias_bytes ? 3 : 2;
  b->n_out = 1;
  b->row_bytes[0] =
      (size_t)(t->in_w * t->in_c * t->size) * (size_t)(streams ? 1 : t->in_h * t->images);
  b->rows[0] = v.in_rows;
  b->rows[1] = b->rows[2] = 1;
  b->row_bytes[1] = (size_t)(t->out_c * t->kernel_h * t->kernel_w *
                             (kind == CONV        ? t->group_c
                              : kind == DEPTHWISE ? 1
                                                  : t->in_c));
  b->row_bytes[2] = (size_t)(t->out_c * t->bias_bytes);
  b->missing = streams != 0;
  if (!streams) m.calls = 1;
  b->out_bytes = t->outputs * (size_t)t->size / (size_t)m.calls;
  return m;
}

/* Every call with the pointers that the executor gives. */
static void run(const struct layer *t, enum kind kind, const struct made *m, int streams) {
  const size_t row_bytes = (size_t)(t->in_w * t->in_c * t->size);
  uint8_t *out = t->out;
  for (int call = 0; call < m->calls; call++, out += m->bounds.out_bytes) {
    const void *rows[64];
    int n = 0;
    for (; n < m->bounds.rows[0]; n++) {
      const int y = streams ? m->first + call * m->advance + n * m->dilation : 0;
      rows[n] = y < 0 || y >= t->in_h ? NULL : (const uint8_t *)t->x + (size_t)y * row_bytes;
    }
    rows[n++] = t->weights;
    rows[n] = t->bias;
    kinds[kind].kernel[t->size - 1]->row(m->params, rows, NULL, out);
  }
}

static void windows_are_those_of_the_definition(void **state) {
  (void)state;
  unsigned streamed = 0;
  seed = 7;
  for (int n = 0; n < 6000; n++) {
    const enum kind kind = (enum kind)(n % KINDS);
    struct layer t;
    draw(&t, kind);
    const int half_up = kind == AVERAGE && range(0, 1), streams = t.images == 1 && range(0, 1);
    struct made m = make(&t, kind, half_up, streams);
    if (check(kind, t.size, m.params, &m.bounds) != MOTE_OK) fail_msg("case %d is refused", n);
    run(&t, kind, &m, streams);
    expect(&t, kind, half_up);
    if (memcmp(t.out, t.expected, t.outputs * (size_t)t.size) != 0)
      fail_msg("case %d (kind %d, %d bytes, %s) differs", n, (int)kind, t.size,
               streams ? "rows" : "whole");
    streamed += streams != 0;
    free(m.params);
    drop(&t);
  }
  assert_true(streamed > 1000);
}

/* Params with a few damaged bytes are refused, or stay within their buffers. */
static void hostile_windows_stay_in_bounds(void **state) {
  (void)state;
  unsigned taken = 0;
  seed = 99;
  for (int n = 0; n < 60000; n++) {
    const enum kind kind = (enum kind)(n % KINDS);
    struct layer t;
    draw(&t, kind);
    struct made m = make(&t, kind, 0, 0);
    for (int k = range(1, 3); k > 0; k--)
      m.params[next() % m.bounds.params_bytes] = (uint8_t)(range(0, 1) ? range(0, 4) : (int)next());
    struct mote_bounds *b = &m.bounds;
    if (range(0, 3) == 0) b->row_bytes[range(0, 2)] -= (size_t)(b->row_bytes[0] > 0);
    if (range(0, 9) == 0) b->out_bytes -= 1;
    if (range(0, 9) == 0) b->missing = 1;
    if (check(kind, t.size, m.params, b) == MOTE_OK && b->rows[0] == 1) {
      const void *rows[3] = {t.x, t.weights, t.bias};
      struct mote_window v;
      memcpy(&v, m.params + (kind >= AVERAGE ? 0 : sizeof(struct mote_scaling)), sizeof v);
      if ((uint64_t)v.kernel_h * v.kernel_w < 4096)
        kinds[kind].kernel[t.size - 1]->row(m.params, rows, NULL, t.out);
      taken++;
    }
    free(m.params);
    drop(&t);
  }
  assert_true(taken > 3000);
}

/* ---- tables --------------------------------------------------------------------- */
/* tanh and the sigmoid stay within the table's error of real numbers, rise, and are odd about their middle. */
static void sigmoids_rise_and_are_odd(void **state) {
  (void)state;
  enum { N = 65536 };
  int16_t *x = values(N, 2), *y = values(N, 2);
  const struct mote_sigmoid_s16 p = {3, 0, N};
  const void *rows[1] = {x};
  for (int i = 0; i < N; i++) x[i] = (int16_t)(i - 32768);
  mote_kernel_logistic_s16.row(&p, rows, NULL, y);
  assert_in_range(y[32768], 16383, 16385);
  for (int i = 1; i < N; i++) assert_true(y[i] >= y[i - 1]);
  for (int i = 1; i < 32768; i++) assert_in_range(y[32768 - i] + y[32768 + i], 32766, 32769);
  assert_in_range(y[32768 + 4096], 23945, 23970); /* sigmoid(1) = 0.73106 */
  mote_kernel_tanh_s16.row(&p, rows, NULL, y);
  assert_true(y[32768] == 0);
  for (int i = 1; i < N; i++) assert_true(y[i] >= y[i - 1]);
  for (int i = 1; i < 32768; i++)
    assert_true(y[32768 - i] + y[32768 + i] >= -1 && y[32768 - i] + y[32768 + i] <= 1);
  assert_in_range(y[32768 + 4096], 24950, 24965); /* tanh(1) = 0.76159 */
  free(x);
  free(y);
}

/* The rows of a softmax sum to about 1, and a larger input has no smaller share. */
static void softmax_is_a_distribution(void **state) {
  (void)state;
  seed = 3;
  for (int n = 0; n < 300; n++) {
    const struct mote_softmax_s16 p = {(int32_t)(1u << 30 | next() >> 2), -range(0, 6), 2,
                                       (uint32_t)range(1, 60)};
    const size_t all = 2 * (size_t)p.c;
    int16_t *x = values(all, 2), *y = values(all, 2);
    const void *rows[1] = {x};
    const struct mote_bounds b = {.params_bytes = sizeof p,
                                  .n_in = 1,
                                  .n_out = 1,
                                  .rows = {1},
                                  .row_bytes = {2 * all},
                                  .out_bytes = 2 * all};
    assert_int_equal(mote_softmax_s16_check(&p, &b), MOTE_OK);
    mote_kernel_softmax_s16.row(&p, rows, NULL, y);
    for (uint32_t r = 0; r < 2; r++) {
      int32_t sum = 0;
      for (uint32_t c = 0; c < p.c; c++) {
        sum += y[r * p.c + c];
        for (uint32_t d = 0; d < c; d++)
          if (x[r * p.c + d] > x[r * p.c + c]) assert_true(y[r * p.c + d] >= y[r * p.c + c]);
      }
      assert_in_range(sum, 32768 - 200, 32768 + 200);
    }
    free(x);
    free(y);
  }
}

/* ---- memory ---------------------------------------------------------------------- */
/* A sequence cut into calls of one step gives what one call gives, and so does time_major for one sequence. */
static void lstm_may_be_cut_into_steps(void **state) {
  (void)state;
  seed = 5;
  for (int n = 0; n < 200; n++) {
    const int size = range(1, 2), steps = range(1, 6), in_c = range(1, 9), units = range(1, 7);
    struct mote_lstm p = {.batch = 1,
                          .steps = (uint16_t)steps,
                          .in_c = (uint16_t)in_c,
                          .units = (uint16_t)units,
                          .in_zp = (int16_t)(size == 1 ? range(-9, 9) : 0),
                          .hidden_zp = (int16_t)(size == 1 ? range(-9, 9) : 0),
                          .clip = (int16_t)(range(0, 1) ? -1 : 20000),
                          .forget = {1 << 30, -14},
                          .input = {1 << 30, -17},
                          .out = {1 << 30, size == 1 ? -22 : -14},
                          .cell_tanh = {3, 0}};
    for (int g = 0; g < MOTE_LSTM_GATES; g++)
      p.gate[g].input = p.gate[g].recurrent =
          size == 1 ? (struct mote_scale_pair){1 << 30, -1} : (struct mote_scale_pair){1 << 14, 24};
    void *weights[4], *recurrent[4], *bias[4];
    for (int g = 0; g < 4; g++) {
      weights[g] = values((size_t)(units * in_c), 1);
      recurrent[g] = values((size_t)(units * units), 1);
      bias[g] = values((size_t)units, size == 1 ? 4 : 8);
      memset(bias[g], range(0, 1), (size_t)(units * (size == 1 ? 4 : 8)));
    }
    void *x = values((size_t)(steps * in_c), (size_t)size);
    uint8_t *out[3];
    for (int way = 0; way < 3; way++) {
      void *hidden = calloc((size_t)units, (size_t)size), *cell = calloc((size_t)units, 2);
      assert_true(hidden && cell);
      const void *rows[15] = {x,
                              weights[0],
                              weights[1],
                              weights[2],
                              weights[3],
                              recurrent[0],
                              recurrent[1],
                              recurrent[2],
                              recurrent[3],
                              bias[0],
                              bias[1],
                              bias[2],
                              bias[3],
                              hidden,
                              cell};
      const struct mote_kernel *kernel = size == 1 ? &mote_kernel_lstm_s8 : &mote_kernel_lstm_s16;
      struct mote_lstm q = p;
      out[way] = values((size_t)(steps * units), (size_t)size);
      q.time_major = way == 1;
      q.steps = (uint16_t)(way == 2 ? 1 : steps);
      for (int call = 0; call < (way == 2 ? steps : 1); call++) {
        rows[0] = (const uint8_t *)x + call * in_c * size;
        kernel->row(&q, rows, NULL, out[way] + call * units * size);
      }
      assert_memory_equal(hidden, out[way] + (steps - 1) * units * size, (size_t)(units * size));
      if (way > 0) assert_memory_equal(out[0], out[way], (size_t)(steps * units * size));
      free(hidden);
      free(cell);
    }
    for (int g = 0; g < 4; g++) free(weights[g]), free(recurrent[g]), free(bias[g]);
    for (int way = 0; way < 3; way++) free(out[way]);
    free(x);
  }
}

/* A GRU with operands of exactly its sizes; values are small enough that nothing saturates. */
struct gru_case {
  struct mote_gru p;
  void *in[9];
  const void *rows[9];
  struct mote_bounds b;
};

static struct gru_case gru_of(int batch, int steps, int in_c, int units) {
  struct gru_case c = {.p = {.batch = (uint16_t)batch,
                             .steps = (uint16_t)steps,
                             .in_c = (uint16_t)in_c,
                             .units = (uint16_t)units,
                             .in_zp = (int16_t)range(-99, 99)}};
  const int sizes[9] = {batch * steps * in_c, units * in_c,  units * in_c,
                        units * in_c,         units * units, units * units,
                        units * units,        2 * 4 * units, 2 * batch * units};
  for (int g = 0; g < 3; g++) { /* 2^-2 of a product of x, 2^-11 of one of h: weights up to 1/4 */
    c.p.input[g] = (struct mote_scale_pair){1 << 30, -1};
    c.p.recurrent[g] = (struct mote_scale_pair){1 << 30, -10};
  }
  for (int i = 0; i < 9; i++) {
    c.rows[i] = c.in[i] = values((size_t)sizes[i], 1);
    c.b.rows[i] = 1;
    c.b.row_bytes[i] = (size_t)sizes[i];
  }
  for (int i = 0; i < 4 * units; i++) ((int16_t *)c.in[7])[i] = (int16_t)range(-4000, 4000);
  memset(c.in[8], 0, (size_t)sizes[8]);
  c.b.params_bytes = sizeof c.p;
  c.b.n_in = 9;
  c.b.n_out = 1;
  c.b.out_bytes = (size_t)(batch * steps * units);
  c.b.state_bytes = mote_gru_s8_state_bytes(&c.p);
  c.b.writable = 1 << 8;
  return c;
}
static void gru_free(struct gru_case *c) {
  for (int i = 0; i < 9; i++) free(c->in[i]);
}

/* A sequence cut into calls of one step gives what one call gives; several sequences are each its own. */
static void gru_may_be_cut_into_steps(void **state) {
  (void)state;
  seed = 6;
  for (int n = 0; n < 200; n++) {
    const int batch = range(1, 3), steps = range(1, 6), in_c = range(1, 9), units = range(1, 7);
    struct gru_case c = gru_of(batch, steps, in_c, units);
    const size_t each = (size_t)(steps * units);
    int8_t *whole = values((size_t)batch * each, 1), *cut = values(each, 1);
    int16_t *scratch = values((size_t)units, 2), *hidden = c.in[8];
    assert_int_equal(mote_gru_s8_check(&c.p, &c.b), MOTE_OK);
    mote_kernel_gru_s8.row(&c.p, c.rows, scratch, whole);
    for (int i = 0; i < batch; i++) {
      struct mote_gru q = c.p;
      int16_t *own = calloc((size_t)units, sizeof *own);
      assert_non_null(own);
      const void *rows[9];
      memcpy(rows, c.rows, sizeof rows);
      rows[8] = own;
      q.batch = q.steps = 1;
      for (int t = 0; t < steps; t++) {
        rows[0] = (const int8_t *)c.in[0] + (i * steps + t) * in_c;
        mote_kernel_gru_s8.row(&q, rows, scratch, cut + t * units);
      }
      assert_memory_equal(cut, whole + (size_t)i * each, each);
      assert_memory_equal(own, hidden + i * units, (size_t)units * sizeof *own);
      for (int u = 0; u < units; u++) {
        const int q8 = (own[u] + 128) >> 8;
        assert_int_equal(cut[(steps - 1) * units + u], q8 > 127 ? 127 : q8);
      }
      free(own);
    }
    free(whole), free(cut), free(scratch);
    gru_free(&c);
  }
}

/* An update gate that is all but open forgets what was there; one that is shut keeps 16 bits of it through many steps, and what
 * comes in by less than a step of the output adds up. */
static void gru_keeps_what_it_is_told(void **state) {
  (void)state;
  struct gru_case c = gru_of(1, 1, 1, 1);
  int16_t *bias = c.in[7], *hidden = c.in[8], scratch[1];
  int8_t out;
  for (int i = 1; i < 7; i++) memset(c.in[i], 0, 1);
  bias[0] = 32767; /* sigmoid(8) = 0.99966: a step of 1/3000 towards n = tanh(2) = 0.964 */
  bias[2] = 8192;
  bias[1] = bias[3] = 0;
  for (int i = 1; i <= 3000; i++) {
    mote_kernel_gru_s8.row(&c.p, c.rows, scratch, &out);
    if (i == 20) assert_in_range(hidden[0], 100, 250); /* 20 * 0.964 / 2980 of 32768 is 212 */
    if (i == 20) assert_in_range(out, 0, 1);
  }
  assert_in_range(hidden[0], 15000, 21000); /* 0.964 (1 - 1 / e) is 19968 */
  bias[0] = -32768;
  mote_kernel_gru_s8.row(&c.p, c.rows, scratch, &out);
  assert_in_range(hidden[0], 31500, 31650); /* tanh(2) */
  assert_in_range(out, 123, 124);
  gru_free(&c);
}

/* Each bound that the check holds, missed by one. */
static void gru_refuses_what_does_not_fit(void **state) {
  (void)state;
  struct gru_case c = gru_of(2, 3, 5, 4);
  assert_int_equal(mote_gru_s8_check(&c.p, &c.b), MOTE_OK);
  for (int i = 0; i < 9; i++) {
    struct mote_bounds b = c.b;
    b.row_bytes[i] -= i < 7 ? 1 : 2;
    assert_int_equal(mote_gru_s8_check(&c.p, &b), MOTE_ERR_BOUNDS);
  }
  struct mote_bounds b = c.b;
  b.out_bytes--;
  assert_int_equal(mote_gru_s8_check(&c.p, &b), MOTE_ERR_BOUNDS);
  b = c.b;
  b.state_bytes--;
  assert_int_equal(mote_gru_s8_check(&c.p, &b), MOTE_ERR_BOUNDS);
  b = c.b;
  b.writable = 0;
  assert_int_equal(mote_gru_s8_check(&c.p, &b), MOTE_ERR_BOUNDS);
  b = c.b;
  b.params_bytes--;
  assert_int_equal(mote_gru_s8_check(&c.p, &b), MOTE_ERR_BOUNDS);
  struct mote_gru q = c.p;
  q.units = 513;
  assert_int_equal(mote_gru_s8_check(&q, &c.b), MOTE_ERR_PARAMS);
  q = c.p;
  q.input[2].shift = 31;
  assert_int_equal(mote_gru_s8_check(&q, &c.b), MOTE_ERR_PARAMS);
  q = c.p;
  q.in_zp = 128;
  assert_int_equal(mote_gru_s8_check(&q, &c.b), MOTE_ERR_PARAMS);
  gru_free(&c);
}

/* The memory of an SVDF holds the latest features, oldest first. */
static void svdf_remembers_in_order(void **state) {
  (void)state;
  const struct mote_svdf p = {.feature = {1 << 30, 1},
                              .out = {1 << 30, 1},
                              .batch = 1,
                              .in_c = 1,
                              .filters = 1,
                              .rank = 1,
                              .memory = 3};
  int8_t x = 0, w = 1, out = 0;
  int16_t time[3] = {0, 0, 1}, memory[3] = {0, 0, 0};
  const void *rows[4] = {&x, &w, time, memory};
  struct mote_bounds b = {.params_bytes = sizeof p,
                          .n_in = 4,
                          .n_out = 1,
                          .rows = {1, 1, 1, 1},
                          .row_bytes = {1, 1, 6, 6},
                          .out_bytes = 1,
                          .writable = 1 << 3};
  assert_int_equal(mote_svdf_s16_check(&p, &b), MOTE_OK);
  for (int i = 1; i <= 5; i++) {
    x = (int8_t)(10 * i);
    mote_kernel_svdf_s16.row(&p, rows, NULL, &out);
    assert_int_equal(out, 10 * i);
    assert_int_equal(memory[2], 10 * i);
    assert_int_equal(memory[0], i > 2 ? 10 * (i - 2) : 0);
  }
  b.writable = 0;
  assert_int_equal(mote_svdf_s16_check(&p, &b), MOTE_ERR_BOUNDS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(windows_are_those_of_the_definition),
      cmocka_unit_test(hostile_windows_stay_in_bounds),
      cmocka_unit_test(sigmoids_rise_and_are_odd),
      cmocka_unit_test(softmax_is_a_distribution),
      cmocka_unit_test(lstm_may_be_cut_into_steps),
      cmocka_unit_test(gru_may_be_cut_into_steps),
      cmocka_unit_test(gru_keeps_what_it_is_told),
      cmocka_unit_test(gru_refuses_what_does_not_fit),
      cmocka_unit_test(svdf_remembers_in_order),
  };
  return cmocka_run_group_tests_name("fixed", tests, NULL, NULL);
}
