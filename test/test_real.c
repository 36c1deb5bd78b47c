/* test_real: the functions of real numbers against a double-precision library, over dense sweeps of all floats; the
 * float32 kernels against sums in double, in every form, and with hostile parameters. */
#include "mote/nn/nn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every STRIDE-th bit pattern is tried; a prime, so that all last places occur. 1 tries all. */
#ifndef STRIDE
#define STRIDE 997
#endif

/* Error of y in units of the last place of `truth`; 0 where both are NaN, or both round to the same. */
static double error_ulp(float y, double truth) {
  if (isnan(truth)) return isnan(y) ? 0 : 1e9;
  if (isnan(y)) return 1e9;
  if (y == (float)truth)
    return fabs(truth) > (double)__FLT_MAX__
               ? 0
               : fabs((double)y - truth) /
                     ldexp(1, (int)fmax(ilogb(truth == 0 ? 1 : truth), -126) - 23);
  if (isinf(y)) return fabs(truth) < (double)__FLT_MAX__ * (1 + 0x1p-24) ? 1e9 : 0;
  const int exponent = truth == 0 ? -126 : ilogb(truth);
  return fabs((double)y - truth) / ldexp(1, (exponent < -126 ? -126 : exponent) - 23);
}

static void sweep(const char *name, float (*f)(float), double (*truth)(double), double most) {
  double worst = 0;
  float where = 0;
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += STRIDE) {
    const float x = mote_real_of((uint32_t)bits), y = f(x);
    const double e = error_ulp(y, truth((double)x));
    if (e > worst) {
      worst = e;
      where = x;
    }
  }
  if (STRIDE != 997) printf("%s: %.4f ulp at %a\n", name, worst, (double)where);
  if (worst > most) fail_msg("%s: %.4f ulp at %a, at most %.3f", name, worst, (double)where, most);
}

static double logistic(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double rsqrt(double x) { return 1 / sqrt(x); }

static void test_accuracy(void **state) {
  (void)state;
  sweep("exp", mote_real_exp, exp, 1.1);
  sweep("expm1", mote_real_expm1, expm1, 1.8);
  sweep("log", mote_real_log, log, 1.0);
  sweep("tanh", mote_real_tanh, tanh, 1.4);
  sweep("logistic", mote_real_logistic, logistic, 2.4);
  sweep("erfc", mote_real_erfc, erfc, 8);
  sweep("sin", mote_real_sin, sin, 1.6);
  sweep("cos", mote_real_cos, cos, 1.6);
  sweep("rsqrt", mote_real_rsqrt, rsqrt, 1.5);
}

/* Same bits, apart from which NaN. */
static void same(const char *name, float y, float truth, float x) {
  if (isnan(truth) ? !isnan(y) : mote_real_bits(y) != mote_real_bits(truth))
    fail_msg("%s(%a) is %a instead of %a", name, (double)x, (double)y, (double)truth);
}

static void test_exact(void **state) {
  (void)state;
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += STRIDE) {
    const float x = mote_real_of((uint32_t)bits);
    same("sqrt", mote_real_sqrt(x), sqrtf(x), x);
    same("floor", mote_real_floor(x), floorf(x), x);
    same("ceil", mote_real_ceil(x), ceilf(x), x);
    same("round", mote_real_round(x), nearbyintf(x), x);
  }
  for (float x = -3.0f; x <= 3.0f; x += 0.25f) same("round", mote_real_round(x), nearbyintf(x), x);
}

static void test_pow(void **state) {
  (void)state;
  uint32_t a = 1, b = 7;
  for (int i = 0; i < 1000000; i++) {
    a = a * 1664525 + 1013904223;
    b = b * 22695477 + 1;
    /* From 2^-16 to 2^16, to exponents up to 16, some of them whole; any pair of bits besides. */
    float x = mote_real_of((a & 0x0FFFFFFF) % (32u << 23) + (111u << 23));
    float y = (float)(int32_t)b * 0x1p-27f;
    if (i % 4 == 0) y = (float)(int32_t)y;
    if (i % 4 == 0 && i & 8) x = -x;
    if (i % 16 == 1) x = mote_real_of(a), y = mote_real_of(b);
    const double want = pow((double)x, (double)y);
    const float got = mote_real_pow(x, y), rounded = (float)want;
    if (isnan(want) || isinf(rounded) || fabsf(rounded) < 0x1p-126f) {
      if (isnan(want) != isnan(got) || (isinf(rounded) && fabsf(got) < 3.4e38f) ||
          (fabsf(rounded) < 0x1p-126f && fabsf(got) > 0x1.0001p-126f))
        fail_msg("pow(%a, %a) is %a instead of %a", (double)x, (double)y, (double)got, want);
      continue;
    }
    const double most = (8 + 2 * fabs((double)y * log(fabs((double)x)))) * 0x1p-23 * fabs(want);
    if (!(fabs((double)got - want) <= most))
      fail_msg("pow(%a, %a) is %a instead of %a", (double)x, (double)y, (double)got, want);
  }
  const float edge[] = {0.0f,  -0.0f, 1.0f,  -1.0f,    2.0f,      -2.0f, 3.0f,
                        -3.0f, 0.5f,  -0.5f, INFINITY, -INFINITY, NAN};
  for (size_t i = 0; i < 13; i++)
    for (size_t j = 0; j < 13; j++) {
      const float want = powf(edge[i], edge[j]), got = mote_real_pow(edge[i], edge[j]);
      if (isinf(want) || want == 0 || want == 1 || want == -1 || isnan(want))
        same("pow", got, want, edge[i]);
    }
}

static void test_fmod(void **state) {
  (void)state;
  uint32_t a = 1, b = 7;
  for (int i = 0; i < 1000000; i++) {
    a = a * 1664525 + 1013904223;
    b = b * 22695477 + 1;
    /* Half of the pairs are near in size. */
    const float x = mote_real_of(a),
                y = mote_real_of(i & 1 ? b : (a + (b >> 5)) ^ (b & 0x80000000));
    const float got = mote_real_fmod(x, y), want = fmodf(x, y);
    if (isnan(want) ? !isnan(got) : mote_real_bits(got) != mote_real_bits(want))
      fail_msg("fmod(%a, %a) is %a instead of %a", (double)x, (double)y, (double)got, (double)want);
  }
  const float edge[] = {0.0f,        -0.0f,     1.0f,        -1.0f,    0x1p-149f,
                        0x1.8p-127f, 0x1p-126f, __FLT_MAX__, INFINITY, NAN};
  for (size_t i = 0; i < 10; i++)
    for (size_t j = 0; j < 10; j++)
      same("fmod", mote_real_fmod(edge[i], edge[j]), fmodf(edge[i], edge[j]), edge[i]);
}

/* ---- kernels ------------------------------------------------------------------- */
static uint32_t seed = 1;
static uint32_t draw(uint32_t n) {
  seed = seed * 1664525 + 1013904223;
  return (uint32_t)(((uint64_t)(seed >> 4) * n) >> 28);
}
static float draw_real(void) { return (float)((int32_t)draw(4096) - 2048) / 1024.0f; }

/* A kernel with all that it reads and writes in memory of its own, to the byte. */
struct made {
  enum mote_kernel_number kernel;
  union {
#define KERNEL(stem, params) struct params stem;
#include "mote/nn/kernels.def"
#undef KERNEL
    uint8_t room[1024]; /* for constants behind them */
  } params;
  struct mote_bounds b;
  float *in[MOTE_MAX_EDGES]; /* whole edges: rows * row_bytes, or more where rows overlap */
  const void *rows[256];
  float *state, *out;
};

static const struct mote_kernel *kernel_of(const struct made *m) {
  static const struct mote_kernel *const all[] = {
#define KERNEL(stem, params) &mote_kernel_##stem,
#include "mote/nn/kernels.def"
#undef KERNEL
  };
  return all[m->kernel];
}
static enum mote_status check_of(const struct made *m) {
  switch (m->kernel) {
#define KERNEL(stem, type)                                                                         \
  case MOTE_KERNEL_##stem:                                                                         \
    return mote_##stem##_check(&m->params.stem, &m->b);
#include "mote/nn/kernels.def"
#undef KERNEL
  default: return MOTE_ERR_OPERATOR;
  }
}

static void *room(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  assert_non_null(p);
  return p;
}
/* An edge of one row with random numbers. */
static float *add_edge(struct made *m, size_t n) {
  const unsigned e = m->b.n_in++;
  m->b.row_bytes[e] = n * 4;
  m->b.rows[e] = 1;
  m->in[e] = room(n * 4);
  for (size_t i = 0; i < n; i++) m->in[e][i] = draw_real();
  return m->in[e];
}
static void begin(struct made *m, enum mote_kernel_number kernel, size_t params_bytes) {
  memset(m, 0, sizeof *m);
  m->kernel = kernel;
  m->b.params_bytes = params_bytes;
  m->b.n_out = 1;
}
static void finish(struct made *m, size_t out, size_t state) {
  m->out = room(out * 4);
  m->state = room(state * 4);
  m->b.out_bytes = out * 4;
  m->b.state_bytes = state * 4;
}
static void point(struct made *m) {
  unsigned n = 0;
  for (unsigned e = 0; e < m->b.n_in; e++)
    for (unsigned k = 0; k < m->b.rows[e]; k++) m->rows[n++] = m->in[e];
}
static void run(struct made *m) {
  const struct mote_kernel *k = kernel_of(m);
  if (k->begin) k->begin(&m->params, m->state);
  k->row(&m->params, m->rows, m->state, m->out);
  if (k->end) k->end(&m->params, m->state, m->out);
}
static void release(struct made *m) {
  for (unsigned e = 0; e < m->b.n_in; e++) free(m->in[e]);
  free(m->out);
  free(m->state);
}

/* Every bound one byte short is refused. */
static void check_bounds(struct made *m) {
  assert_int_equal(check_of(m), MOTE_OK);
  for (unsigned e = 0; e < m->b.n_in; e++) {
    m->b.row_bytes[e]--;
    if (check_of(m) == MOTE_OK) fail_msg("kernel %d: edge %u one byte short", m->kernel, e);
    m->b.row_bytes[e]++;
    m->b.rows[e]--;
    if (check_of(m) == MOTE_OK) fail_msg("kernel %d: edge %u one row short", m->kernel, e);
    m->b.rows[e]++;
    if (m->b.writable >> e & 1) {
      m->b.writable ^= (uint16_t)(1u << e);
      if (check_of(m) == MOTE_OK) fail_msg("kernel %d: state %u not writable", m->kernel, e);
      m->b.writable ^= (uint16_t)(1u << e);
    }
  }
  m->b.n_in--;
  assert_int_not_equal(check_of(m), MOTE_OK);
  m->b.n_in++;
  m->b.out_bytes--;
  assert_int_not_equal(check_of(m), MOTE_OK);
  m->b.out_bytes++;
  if (m->b.state_bytes) {
    m->b.state_bytes--;
    assert_int_not_equal(check_of(m), MOTE_OK);
    m->b.state_bytes++;
  }
  assert_int_equal(check_of(m), MOTE_OK);
}

/* Changes words of the parameters; whatever the check lets pass must stay within the memory (a sanitizer sees it). */
static void hostile(struct made *m) {
  const struct made kept = *m;
  static const uint32_t odd[] = {0, 1, 2, 3, 255, 256, 65535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
  int ran = 0;
  for (int i = 0; i < 300; i++) {
    uint8_t *bytes = (uint8_t *)&m->params;
    for (uint32_t n = 1 + draw(3); n; n--) {
      const uint32_t value = draw(2) ? odd[draw(10)] : draw(12);
      const size_t size = draw(2) ? 2 : 4;
      memcpy(bytes + draw((uint32_t)(m->b.params_bytes / size)) * size, &value, size);
    }
    if (check_of(m) == MOTE_OK && ran < 40) {
      run(m);
      ran++;
    }
    m->params = kept.params;
  }
}

static void near(const struct made *m, size_t at, double want, double size, double terms) {
  const double most = 2 * terms * 0x1p-24 * size + 1e-30;
  if (!(fabs((double)m->out[at] - want) <= most))
    fail_msg("kernel %d: output %zu is %.9g instead of %.9g, off by %.3g, at most %.3g", m->kernel,
             at, (double)m->out[at], want, fabs((double)m->out[at] - want), most);
}

/* ---- windows --------------------------------------------------------------------- */
/* A random window over whole maps. */
static struct mote_window_2d draw_window(int dilated) {
  struct mote_window_2d w = {0};
  w.whole = 1;
  w.batches = (uint16_t)(1 + draw(2));
  w.in_h = (uint16_t)(1 + draw(7));
  w.in_w = (uint16_t)(1 + draw(7));
  w.in_c = (uint16_t)(1 + draw(9));
  w.kernel_h = (uint16_t)(1 + draw(4));
  w.kernel_w = (uint16_t)(1 + draw(4));
  w.stride_h = (uint16_t)(1 + draw(3));
  w.stride_w = (uint16_t)(1 + draw(3));
  w.dilation_h = dilated ? (uint16_t)(1 + draw(2)) : 1;
  w.dilation_w = dilated ? (uint16_t)(1 + draw(2)) : 1;
  w.pad_top = (uint16_t)draw(w.kernel_h);
  w.pad_left = (uint16_t)draw(w.kernel_w);
  w.rows_out = (uint16_t)((w.in_h + w.pad_top + draw(2)) / w.stride_h + 1);
  w.out_w = (uint16_t)((w.in_w + w.pad_left + draw(2)) / w.stride_w + 1);
  return w;
}
static size_t in_elements(const struct mote_window_2d *w) {
  return (size_t)w->batches * w->in_h * w->in_w * w->in_c;
}
static size_t out_elements(const struct mote_window_2d *w) {
  return (size_t)w->batches * w->rows_out * w->out_w * w->out_c;
}
/* The value under kernel position ky, kx of output y, x; 0 in padding. */
static const float *under(const struct mote_window_2d *w, const float *in, unsigned b, unsigned y,
                          unsigned x, unsigned ky, unsigned kx) {
  const int iy = (int)(y * w->stride_h) - w->pad_top + (int)(ky * w->dilation_h);
  const int ix = (int)(x * w->stride_w) - w->pad_left + (int)(kx * w->dilation_w);
  if (iy < 0 || iy >= w->in_h || ix < 0 || ix >= w->in_w) return NULL;
  return in + (((size_t)b * w->in_h + (unsigned)iy) * w->in_w + (unsigned)ix) * w->in_c;
}

/* The same map row by row gives the same bits as the whole. w: of a made kernel, the last use of it. */
static void rows_equal_whole(struct made *m, struct mote_window_2d *w) {
  const struct mote_window_2d whole = *w;
  const size_t row = (size_t)w->in_w * w->in_c, out_row = (size_t)w->out_w * w->out_c;
  const unsigned others = m->b.n_in - 1;
  float *want = room(m->b.out_bytes);
  memcpy(want, m->out, m->b.out_bytes);
  w->whole = 0;
  w->rows_out = 1;
  m->b.rows[0] = w->kernel_h;
  m->b.row_bytes[0] = row * 4;
  m->b.missing = 1;
  m->b.out_bytes = out_row * 4;
  check_bounds(m);
  for (unsigned b = 0; b < whole.batches; b++) {
    for (unsigned y = 0; y < whole.rows_out; y++) {
      for (unsigned ky = 0; ky < w->kernel_h; ky++) {
        const int iy = (int)(y * w->stride_h) - w->pad_top + (int)(ky * w->dilation_h);
        m->rows[ky] =
            iy < 0 || iy >= w->in_h ? NULL : m->in[0] + (b * w->in_h + (unsigned)iy) * row;
      }
      for (unsigned i = 0; i < others; i++) m->rows[w->kernel_h + i] = m->in[1 + i];
      run(m);
      assert_memory_equal(m->out, want + (b * whole.rows_out + y) * out_row, out_row * 4);
    }
  }
  free(want);
}

static void test_conv2d(void **unused) {
  (void)unused;
  for (int i = 0; i < 200; i++) {
    struct made m;
    begin(&m, MOTE_KERNEL_conv2d_f32, sizeof m.params.conv2d_f32);
    struct mote_conv2d_f32 *p = &m.params.conv2d_f32;
    struct mote_window_2d *w = &p->window;
    *w = draw_window(1);
    const unsigned groups = 1 + draw(3);
    p->group_c = (uint16_t)(1 + draw(9));
    w->in_c = (uint16_t)(groups * p->group_c);
    w->out_c = (uint16_t)(groups * (1 + draw(6)));
    p->bias = (uint16_t)draw(2);
    p->low = draw(2) ? -1.0f : -__FLT_MAX__;
    p->high = draw(2) ? 1.5f : __FLT_MAX__;
    const size_t block = (size_t)w->kernel_h * w->kernel_w * p->group_c;
    const float *x = add_edge(&m, in_elements(w)), *k = add_edge(&m, block * w->out_c);
    const float *bias = p->bias ? add_edge(&m, w->out_c) : NULL;
    finish(&m, out_elements(w), 0);
    point(&m);
    check_bounds(&m);
    run(&m);
    for (size_t o = 0; o < out_elements(w); o++) {
      const unsigned c = (unsigned)(o % w->out_c), ox = (unsigned)(o / w->out_c % w->out_w),
                     oy = (unsigned)(o / w->out_c / w->out_w % w->rows_out),
                     b = (unsigned)(o / w->out_c / w->out_w / w->rows_out);
      const unsigned first = c / (w->out_c / groups) * p->group_c;
      double sum = bias ? (double)bias[c] : 0, size = fabs(sum);
      for (unsigned t = 0; t < block; t++) {
        const unsigned ic = t % p->group_c, kx = t / p->group_c % w->kernel_w,
                       ky = t / p->group_c / w->kernel_w;
        const float *at = under(w, x, b, oy, ox, ky, kx);
        const double v = at ? (double)at[first + ic] * (double)k[c * block + t] : 0;
        sum += v;
        size += fabs(v);
      }
      near(&m, o, fmin(fmax(sum, (double)p->low), (double)p->high), size, (double)block + 1);
    }
    hostile(&m);
    run(&m);
    rows_equal_whole(&m, w);
    hostile(&m);
    release(&m);
  }
}

static void test_depthwise(void **unused) {
  (void)unused;
  for (int i = 0; i < 200; i++) {
    struct made m;
    begin(&m, MOTE_KERNEL_depthwise_conv2d_f32, sizeof m.params.depthwise_conv2d_f32);
    struct mote_depthwise_conv2d_f32 *p = &m.params.depthwise_conv2d_f32;
    struct mote_window_2d *w = &p->window;
    *w = draw_window(1);
    p->multiplier = draw(2) ? 1 : (uint16_t)(1 + draw(6));
    w->out_c = (uint16_t)(w->in_c * p->multiplier);
    p->bias = (uint16_t)draw(2);
    p->low = draw(2) ? 0.0f : -__FLT_MAX__;
    p->high = draw(2) ? 6.0f : __FLT_MAX__;
    const unsigned taps = (unsigned)w->kernel_h * w->kernel_w;
    const float *x = add_edge(&m, in_elements(w)), *k = add_edge(&m, (size_t)taps * w->out_c);
    const float *bias = p->bias ? add_edge(&m, w->out_c) : NULL;
    finish(&m, out_elements(w), 0);
    point(&m);
    check_bounds(&m);
    run(&m);
    for (size_t o = 0; o < out_elements(w); o++) {
      const unsigned c = (unsigned)(o % w->out_c), ox = (unsigned)(o / w->out_c % w->out_w),
                     oy = (unsigned)(o / w->out_c / w->out_w % w->rows_out),
                     b = (unsigned)(o / w->out_c / w->out_w / w->rows_out);
      double sum = bias ? (double)bias[c] : 0, size = fabs(sum);
      for (unsigned t = 0; t < taps; t++) {
        const float *at = under(w, x, b, oy, ox, t / w->kernel_w, t % w->kernel_w);
        const double v = at ? (double)at[c / p->multiplier] * (double)k[t * w->out_c + c] : 0;
        sum += v;
        size += fabs(v);
      }
      near(&m, o, fmin(fmax(sum, (double)p->low), (double)p->high), size, taps + 1);
    }
    hostile(&m);
    run(&m);
    rows_equal_whole(&m, w);
    hostile(&m);
    release(&m);
  }
}

/* The same map by calls of any number of rows: all input rows are given, `front` missing ones before them. */
static void transposed_rows(struct made *m, unsigned front) {
  struct mote_transpose_conv_f32 *p = &m->params.transpose_conv_f32;
  struct mote_window_2d *w = &p->window;
  const struct mote_window_2d whole = *w;
  const size_t row = (size_t)w->in_w * w->in_c, out_row = (size_t)w->out_w * w->out_c;
  float *want = room(m->b.out_bytes);
  memcpy(want, m->out, m->b.out_bytes);
  w->whole = 0;
  w->in_h = (uint16_t)(whole.in_h + front);
  m->b.rows[0] = w->in_h;
  m->b.row_bytes[0] = row * 4;
  m->b.missing = 1;
  for (unsigned b = 0; b < whole.batches; b++) {
    for (unsigned y = 0; y < whole.rows_out; y += w->rows_out) {
      const unsigned left = whole.rows_out - y, some = 1 + draw(3);
      w->rows_out = (uint16_t)(some < left ? some : left);
      p->lead = (int32_t)(whole.pad_top + y + front * w->stride_h);
      m->b.out_bytes = w->rows_out * out_row * 4;
      for (unsigned k = 0; k < w->in_h; k++)
        m->rows[k] = k < front ? NULL : m->in[0] + ((size_t)b * whole.in_h + k - front) * row;
      for (unsigned i = 1; i < m->b.n_in; i++) m->rows[w->in_h + i - 1] = m->in[i];
      check_bounds(m);
      run(m);
      assert_memory_equal(m->out, want + (b * whole.rows_out + y) * out_row, m->b.out_bytes);
    }
  }
  free(want);
  hostile(m);
}

static void test_transpose_conv(void **unused) {
  (void)unused;
  for (int i = 0; i < 200; i++) {
    struct made m;
    begin(&m, MOTE_KERNEL_transpose_conv_f32, sizeof m.params.transpose_conv_f32);
    struct mote_transpose_conv_f32 *p = &m.params.transpose_conv_f32;
    struct mote_window_2d *w = &p->window;
    *w = draw_window(0);
    w->out_c = (uint16_t)(1 + draw(6));
    w->rows_out = (uint16_t)((w->in_h - 1) * w->stride_h + w->kernel_h);
    w->out_w = (uint16_t)((w->in_w - 1) * w->stride_w + w->kernel_w);
    w->rows_out = (uint16_t)(w->rows_out > w->pad_top ? w->rows_out - w->pad_top : 1);
    p->bias = (uint16_t)draw(2);
    p->lead = w->pad_top;
    p->low = -__FLT_MAX__;
    p->high = __FLT_MAX__;
    const size_t block = (size_t)w->kernel_h * w->kernel_w * w->in_c;
    const float *x = add_edge(&m, in_elements(w)), *k = add_edge(&m, block * w->out_c);
    const float *bias = p->bias ? add_edge(&m, w->out_c) : NULL;
    finish(&m, out_elements(w), 0);
    point(&m);
    check_bounds(&m);
    run(&m);
    double *sum = calloc(out_elements(w), sizeof *sum),
           *size = calloc(out_elements(w), sizeof *size);
    assert_true(sum && size);
    for (size_t e = 0; e < in_elements(w); e++) {
      const unsigned c = (unsigned)(e % w->in_c), ix = (unsigned)(e / w->in_c % w->in_w),
                     iy = (unsigned)(e / w->in_c / w->in_w % w->in_h),
                     b = (unsigned)(e / w->in_c / w->in_w / w->in_h);
      for (unsigned t = 0; t < (unsigned)w->kernel_h * w->kernel_w; t++) {
        const int y = (int)(iy * w->stride_h + t / w->kernel_w) - w->pad_top,
                  z = (int)(ix * w->stride_w + t % w->kernel_w) - w->pad_left;
        if (y < 0 || y >= w->rows_out || z < 0 || z >= w->out_w) continue;
        const size_t at =
            (((size_t)b * w->rows_out + (unsigned)y) * w->out_w + (unsigned)z) * w->out_c;
        for (unsigned o = 0; o < w->out_c; o++) {
          const double v = (double)x[e] * (double)k[o * block + t * w->in_c + c];
          sum[at + o] += v;
          size[at + o] += fabs(v);
        }
      }
    }
    for (size_t o = 0; o < out_elements(w); o++) {
      const double more = bias ? (double)bias[o % w->out_c] : 0;
      near(&m, o, sum[o] + more, size[o] + fabs(more), (double)block + 1);
    }
    free(sum);
    free(size);
    hostile(&m);
    run(&m);
    transposed_rows(&m, draw(3));
    release(&m);
  }
}

static void test_pools(void **unused) {
  (void)unused;
  static const enum mote_kernel_number kinds[] = {
      MOTE_KERNEL_average_pool_f32, MOTE_KERNEL_max_pool_f32, MOTE_KERNEL_l2_pool_f32};
  for (int i = 0; i < 300; i++) {
    struct made m;
    begin(&m, kinds[i % 3], sizeof m.params.average_pool_f32);
    struct mote_pool_f32 *p = &m.params.average_pool_f32;
    struct mote_window_2d *w = &p->window;
    *w = draw_window(0);
    w->dilation_h = 1;
    w->out_c = w->in_c;
    p->low = draw(2) ? -0.5f : -__FLT_MAX__;
    p->high = draw(2) ? 0.5f : __FLT_MAX__;
    const float *x = add_edge(&m, in_elements(w));
    finish(&m, out_elements(w), 0);
    point(&m);
    check_bounds(&m);
    run(&m);
    for (size_t o = 0; o < out_elements(w); o++) {
      const unsigned c = (unsigned)(o % w->out_c), ox = (unsigned)(o / w->out_c % w->out_w),
                     oy = (unsigned)(o / w->out_c / w->out_w % w->rows_out),
                     b = (unsigned)(o / w->out_c / w->out_w / w->rows_out);
      double sum = 0, squares = 0, most = -INFINITY, size = 0;
      int n = 0;
      for (unsigned t = 0; t < (unsigned)w->kernel_h * w->kernel_w; t++) {
        const float *at = under(w, x, b, oy, ox, t / w->kernel_w, t % w->kernel_w);
        if (!at) continue;
        n++;
        sum += (double)at[c];
        size += fabs((double)at[c]);
        squares += (double)at[c] * (double)at[c];
        most = fmax(most, (double)at[c]);
      }
      double want = i % 3 == 0 ? sum / n : i % 3 == 1 ? most : sqrt(squares / n);
      if (n == 0) want = 0;
      near(&m, o, fmin(fmax(want, (double)p->low), (double)p->high), size + 1, n + 2);
    }
    hostile(&m);
    run(&m);
    rows_equal_whole(&m, w);
    release(&m);
  }
}

/* The mean of rows that arrive one at a time has the bits of the pool over the whole map. */
static void test_mean(void **unused) {
  (void)unused;
  for (int i = 0; i < 50; i++) {
    struct made m, pool;
    const unsigned h = 1 + draw(9), wide = 1 + draw(9), c = 1 + draw(9);
    begin(&pool, MOTE_KERNEL_average_pool_f32, sizeof pool.params.average_pool_f32);
    pool.params.average_pool_f32 = (struct mote_pool_f32){.window = {.in_w = (uint16_t)wide,
                                                                     .in_c = (uint16_t)c,
                                                                     .out_w = 1,
                                                                     .out_c = (uint16_t)c,
                                                                     .kernel_w = (uint16_t)wide,
                                                                     .kernel_h = (uint16_t)h,
                                                                     .stride_w = 1,
                                                                     .stride_h = 1,
                                                                     .dilation_w = 1,
                                                                     .rows_out = 1,
                                                                     .whole = 1,
                                                                     .in_h = (uint16_t)h,
                                                                     .dilation_h = 1,
                                                                     .batches = 1},
                                                          .low = -0.25f,
                                                          .high = 0.25f};
    float *x = add_edge(&pool, (size_t)h * wide * c);
    finish(&pool, c, 0);
    point(&pool);
    assert_int_equal(check_of(&pool), MOTE_OK);
    run(&pool);
    begin(&m, MOTE_KERNEL_mean_f32, sizeof m.params.mean_f32);
    m.params.mean_f32 = (struct mote_mean_f32){wide, c, wide * h, -0.25f, 0.25f};
    add_edge(&m, (size_t)wide * c);
    finish(&m, c, c);
    point(&m);
    check_bounds(&m);
    mote_kernel_mean_f32.begin(&m.params, m.state);
    for (unsigned y = 0; y < h; y++) {
      m.rows[0] = x + (size_t)y * wide * c;
      mote_kernel_mean_f32.row(&m.params, m.rows, m.state, m.out);
    }
    mote_kernel_mean_f32.end(&m.params, m.state, m.out);
    assert_memory_equal(m.out, pool.out, c * 4);
    point(&m);
    hostile(&m);
    release(&m);
    release(&pool);
  }
}

/* ---- products --------------------------------------------------------------------- */
static void test_dense(void **unused) {
  (void)unused;
  for (int i = 0; i < 200; i++) {
    struct made m;
    begin(&m, MOTE_KERNEL_fully_connected_f32, sizeof m.params.fully_connected_f32);
    struct mote_fully_connected_f32 *p = &m.params.fully_connected_f32;
    *p = (struct mote_fully_connected_f32){1 + draw(40), 1 + draw(12), 1 + draw(3),
                                           draw(2),      -1.0f,        2.0f};
    const float *x = add_edge(&m, p->vectors * p->in_c), *w = add_edge(&m, p->in_c * p->out_c);
    const float *bias = p->bias ? add_edge(&m, p->out_c) : NULL;
    finish(&m, p->vectors * p->out_c, 0);
    point(&m);
    check_bounds(&m);
    run(&m);
    for (unsigned o = 0; o < p->vectors * p->out_c; o++) {
      const unsigned v = o / p->out_c, c = o % p->out_c;
      double sum = bias ? (double)bias[c] : 0, size = fabs(sum);
      for (unsigned k = 0; k < p->in_c; k++) {
        const double t = (double)x[v * p->in_c + k] * (double)w[c * p->in_c + k];
        sum += t;
        size += fabs(t);
      }
      near(&m, o, fmin(fmax(sum, -1), 2), size, p->in_c + 1);
    }
    hostile(&m);
    release(&m);
  }
}

/* Transposed or not, contiguous or not: the same bits for the same numbers. */
static void test_batch_matmul(void **unused) {
  (void)unused;
  for (int i = 0; i < 200; i++) {
    struct made m[4];
    const unsigned rows = 1 + draw(6), columns = 1 + draw(6), k = 1 + draw(11), b = 1 + draw(3),
                   a = 1 + draw(2), same_y = draw(2);
    for (unsigned form = 0; form < 4; form++) {
      const bool adj_x = form & 1, adj_y = form & 2;
      struct made *t = &m[form];
      begin(t, MOTE_KERNEL_batch_matmul_f32, sizeof t->params.batch_matmul_f32);
      t->params.batch_matmul_f32 = (struct mote_batch_matmul_f32){
          .m = rows,
          .n = columns,
          .k = k,
          .x_m = adj_x ? 1 : k,
          .x_k = adj_x ? rows : 1,
          .y_n = adj_y ? k : 1,
          .y_k = adj_y ? 1 : columns,
          .batch = {1, 1, a, b},
          .x_batch = {0, 0, b * rows * k, rows * k},
          .y_batch = {0, 0, same_y ? 0 : b * k * columns, k * columns}};
      float *x = add_edge(t, a * b * rows * k),
            *y = add_edge(t, (same_y ? 1 : a) * b * k * columns);
      if (form > 0) { /* the numbers of the first form in this one's order */
        for (unsigned e = 0; e < a * b * rows * k; e++) {
          const unsigned r = e / k % rows, c = e % k, batch = e / k / rows * rows * k;
          x[batch + (adj_x ? c * rows + r : r * k + c)] = m[0].in[0][e];
        }
        for (unsigned e = 0; e < (same_y ? 1 : a) * b * k * columns; e++) {
          const unsigned r = e / columns % k, c = e % columns,
                         batch = e / columns / k * columns * k;
          y[batch + (adj_y ? c * k + r : r * columns + c)] = m[0].in[1][e];
        }
      }
      finish(t, a * b * rows * columns, 0);
      point(t);
      check_bounds(t);
      run(t);
      if (form > 0) assert_memory_equal(t->out, m[0].out, t->b.out_bytes);
    }
    for (unsigned o = 0; o < a * b * rows * columns; o++) {
      const unsigned c = o % columns, r = o / columns % rows, batch = o / columns / rows;
      const float *x = m[0].in[0] + batch * rows * k + r * k;
      const float *y = m[0].in[1] + (same_y ? batch % b : batch) * k * columns + c;
      double sum = 0, size = 0;
      for (unsigned j = 0; j < k; j++) {
        sum += (double)x[j] * (double)y[j * columns];
        size += fabs((double)x[j] * (double)y[j * columns]);
      }
      near(&m[0], o, sum, size, k);
    }
    for (unsigned form = 0; form < 4; form++) {
      hostile(&m[form]);
      release(&m[form]);
    }
  }
}

static void test_softmax(void **unused) {
  (void)unused;
  static const enum mote_kernel_number kinds[] = {
      MOTE_KERNEL_softmax_f32, MOTE_KERNEL_log_softmax_f32, MOTE_KERNEL_l2_normalization_f32};
  for (int i = 0; i < 150; i++) {
    struct made m;
    begin(&m, kinds[i % 3], sizeof m.params.softmax_f32);
    struct mote_softmax_f32 *p = &m.params.softmax_f32;
    *p = (struct mote_softmax_f32){1 + draw(3), 1 + draw(20), i % 3 ? 1.0f : 0.5f};
    float *x = add_edge(&m, p->vectors * p->c);
    for (unsigned e = 0; e < p->vectors * p->c; e++) x[e] *= 20;
    finish(&m, p->vectors * p->c, 0);
    point(&m);
    check_bounds(&m);
    run(&m);
    for (unsigned o = 0; o < p->vectors * p->c; o++) {
      const float *v = x + o / p->c * p->c;
      double most = -INFINITY, sum = 0, squares = 0;
      for (unsigned e = 0; e < p->c; e++) most = fmax(most, (double)v[e]);
      for (unsigned e = 0; e < p->c; e++) {
        sum += exp(((double)v[e] - most) * (double)p->scale);
        squares += (double)v[e] * (double)v[e];
      }
      const double t = (double)x[o], want = i % 3 == 0   ? exp((t - most) * (double)p->scale) / sum
                                            : i % 3 == 1 ? t - most - log(sum)
                                                         : t / fmax(sqrt(squares), 1e-6);
      near(&m, o, want, i % 3 == 1 ? 80 : 1, 4);
    }
    hostile(&m);
    memcpy(m.out, x, m.b.out_bytes); /* in place */
    run(&m);
    float *want = room(m.b.out_bytes);
    memcpy(want, m.out, m.b.out_bytes);
    m.rows[0] = memcpy(m.out, x, m.b.out_bytes);
    run(&m);
    assert_memory_equal(m.out, want, m.b.out_bytes);
    free(want);
    release(&m);
  }
}

/* ---- states ------------------------------------------------------------------------ */
static void test_svdf(void **unused) {
  (void)unused;
  for (int i = 0; i < 100; i++) {
    struct made m;
    begin(&m, MOTE_KERNEL_svdf_f32, sizeof m.params.svdf_f32);
    struct mote_svdf_f32 *p = &m.params.svdf_f32;
    const unsigned units = 1 + draw(5);
    *p = (struct mote_svdf_f32){1 + draw(2),       1 + draw(9),      0, 1 + draw(6), 1 + draw(3),
                                (uint16_t)draw(2), (uint16_t)(i % 6)};
    p->filters = units * p->rank;
    const unsigned kept = p->filters * p->memory;
    float *x = add_edge(&m, p->batches * p->in_c);
    const float *feature = add_edge(&m, p->filters * p->in_c), *time = add_edge(&m, kept);
    const float *bias = p->bias ? add_edge(&m, units) : NULL;
    m.b.writable = (uint16_t)(1u << m.b.n_in);
    float *state = add_edge(&m, p->batches * kept);
    double *past = calloc(p->batches * kept, sizeof *past);
    assert_non_null(past);
    memset(state, 0, p->batches * kept * 4);
    finish(&m, p->batches * units, 0);
    point(&m);
    check_bounds(&m);
    for (int step = 0; step < 5; step++) {
      for (unsigned e = 0; e < p->batches * p->in_c; e++) x[e] = draw_real();
      run(&m);
      for (unsigned b = 0; b < p->batches; b++) {
        for (unsigned u = 0; u < units; u++) {
          double sum = bias ? (double)bias[u] : 0;
          for (unsigned f = u * p->rank; f < (u + 1) * p->rank; f++) {
            double *of = past + b * kept + f * p->memory, now = 0;
            for (unsigned k = 0; k < p->in_c; k++)
              now += (double)x[b * p->in_c + k] * (double)feature[f * p->in_c + k];
            memmove(of, of + 1, (p->memory - 1) * sizeof *of);
            of[p->memory - 1] = now;
            for (unsigned k = 0; k < p->memory; k++) sum += of[k] * (double)time[f * p->memory + k];
          }
          static const double low[] = {-INFINITY, 0, -1, 0}, high[] = {INFINITY, INFINITY, 1, 6};
          double want = sum;
          if (p->activation < 4) want = fmin(fmax(sum, low[p->activation]), high[p->activation]);
          if (p->activation == 4) want = tanh(sum);
          if (p->activation == 5 && fabs(sum) < 1e-3) continue;
          if (p->activation == 5) want = sum < 0;
          near(&m, b * units + u, want, 100, 20);
        }
      }
    }
    free(past);
    hostile(&m);
    release(&m);
  }
}

static void test_lstm(void **unused) {
  (void)unused;
  for (int i = 0; i < 100; i++) {
    struct made m;
    begin(&m, MOTE_KERNEL_lstm_f32, sizeof m.params.lstm_f32);
    struct mote_lstm_f32 *p = &m.params.lstm_f32;
    *p = (struct mote_lstm_f32){1 + draw(3), 1 + draw(4),           1 + draw(9),
                                1 + draw(7), draw(2) ? 0.3f : 0.0f, draw(2)};
    const unsigned kept = p->batches * p->cells;
    const float *x = add_edge(&m, p->batches * p->steps * p->in_c);
    for (int g = 0; g < 4; g++) add_edge(&m, p->cells * p->in_c);
    for (int g = 0; g < 4; g++) add_edge(&m, p->cells * p->cells);
    for (int g = 0; g < 4; g++) add_edge(&m, p->cells);
    m.b.writable = (uint16_t)(3u << m.b.n_in);
    float *hidden = add_edge(&m, kept), *cell = add_edge(&m, kept);
    double h[21], next[21], c[21];
    for (unsigned e = 0; e < kept; e++) {
      h[e] = (double)hidden[e];
      c[e] = (double)cell[e];
    }
    finish(&m, p->batches * p->steps * p->cells, 0);
    point(&m);
    check_bounds(&m);
    run(&m);
    for (unsigned t = 0; t < p->steps; t++) {
      for (unsigned b = 0; b < p->batches; b++) {
        const unsigned at = p->time_major ? t * p->batches + b : b * p->steps + t;
        for (unsigned j = 0; j < p->cells; j++) {
          double gate[4];
          for (int g = 0; g < 4; g++) {
            gate[g] = (double)m.in[9 + g][j];
            for (unsigned k = 0; k < p->in_c; k++)
              gate[g] += (double)x[at * p->in_c + k] * (double)m.in[1 + g][j * p->in_c + k];
            for (unsigned k = 0; k < p->cells; k++)
              gate[g] += h[b * p->cells + k] * (double)m.in[5 + g][j * p->cells + k];
          }
          double *of = &c[b * p->cells + j];
          *of = logistic(gate[1]) * *of + logistic(gate[0]) * tanh(gate[2]);
          if (p->cell_clip > 0) *of = fmin(fmax(*of, -(double)p->cell_clip), (double)p->cell_clip);
          next[b * p->cells + j] = tanh(*of) * logistic(gate[3]);
          near(&m, at * p->cells + j, next[b * p->cells + j], 20, 20);
        }
      }
      memcpy(h, next, sizeof h);
    }
    for (unsigned e = 0; e < kept; e++)
      assert_true(fabs((double)hidden[e] - h[e]) < 1e-4 && fabs((double)cell[e] - c[e]) < 1e-4);
    hostile(&m);
    release(&m);
  }
}

/* ---- float activations, int8 weights --------------------------------------------------- */
/* An edge of one row of random int8. */
static int8_t *add_weights(struct made *m, size_t n) {
  const unsigned e = m->b.n_in++;
  m->b.row_bytes[e] = n;
  m->b.rows[e] = 1;
  int8_t *w = room(n);
  for (size_t i = 0; i < n; i++) w[i] = (int8_t)(draw(255) - 127);
  m->in[e] = (float *)(void *)w;
  return w;
}

/* What a quantised x stands for, by the words of real.h. */
static void through_int8(const float *x, size_t n, bool asymmetric, float *to) {
  double low = 0, high = 0;
  for (size_t i = 0; i < n; i++) {
    low = fmin(low, (double)x[i]);
    high = fmax(high, (double)x[i]);
  }
  const double scale = low == high ? 1 : asymmetric ? (high - low) / 255 : fmax(high, -low) / 127;
  const double zp = asymmetric ? fmin(fmax(round(-128 - low / scale), -128), 127) : 0;
  for (size_t i = 0; i < n; i++) {
    const double q = round(zp + (double)(x[i] * (1 / (float)scale)));
    to[i] = (float)(scale * (fmin(fmax(q, asymmetric ? -128 : -127), 127) - zp));
  }
}

/* Runs the float32 kernel on what the quantised numbers stand for; the hybrid kernel must agree. */
static void equals_real(struct made *h, enum mote_kernel_number real, size_t params_bytes,
                        size_t images, const float *scale, unsigned channels, bool channel_last,
                        bool asymmetric) {
  struct made m = *h;
  m.kernel = real;
  m.b.params_bytes = params_bytes;
  m.b.state_bytes = 0;
  const size_t x = h->b.row_bytes[0] / 4 / images, n = h->b.row_bytes[1];
  m.in[0] = room(h->b.row_bytes[0]);
  for (size_t i = 0; i < images; i++)
    through_int8(h->in[0] + i * x, x, asymmetric, m.in[0] + i * x);
  m.in[1] = room(n * 4);
  m.b.row_bytes[1] = n * 4;
  for (size_t i = 0; i < n; i++)
    m.in[1][i] = (float)((const int8_t *)h->in[1])[i] *
                 scale[channel_last ? i % channels : i / (n / channels)];
  m.out = room(m.b.out_bytes);
  point(&m);
  assert_int_equal(check_of(&m), MOTE_OK);
  run(&m);
  double most = 0;
  for (size_t i = 0; i < m.b.out_bytes / 4; i++) most = fmax(most, fabs((double)m.out[i]));
  for (size_t i = 0; i < m.b.out_bytes / 4; i++) near(h, i, (double)m.out[i], most, 8);
  free(m.in[0]);
  free(m.in[1]);
  free(m.out);
}

/* Scales of the weights: one, or one for each channel behind the parameters, where they are found at `at`. */
static struct mote_hybrid draw_scales(struct made *m, size_t params_bytes, unsigned channels,
                                      float *scale) {
  struct mote_hybrid h = {0, 0.02f, draw(2)};
  for (unsigned c = 0; c < channels; c++) scale[c] = h.scale;
  if (draw(2)) {
    h.scale_at = (int32_t)((params_bytes + 63) / 64 * 64);
    for (unsigned c = 0; c < channels; c++) scale[c] = (float)(1 + draw(100)) / 5000;
    memcpy((uint8_t *)&m->params + h.scale_at, scale, channels * 4);
    m->b.params_bytes = (size_t)h.scale_at + channels * 4;
  }
  return h;
}

static void test_hybrid_conv2d(void **unused) {
  (void)unused;
  for (int i = 0; i < 150; i++) {
    const bool depthwise = draw(2);
    struct made m;
    float scale[64];
    begin(&m, depthwise ? MOTE_KERNEL_depthwise_conv2d_hybrid : MOTE_KERNEL_conv2d_hybrid,
          depthwise ? sizeof m.params.depthwise_conv2d_hybrid : sizeof m.params.conv2d_hybrid);
    /* Both structures begin alike. */
    struct mote_conv2d_f32 *p = &m.params.conv2d_hybrid.conv;
    struct mote_window_2d *w = &p->window;
    *w = draw_window(1);
    const unsigned per = 1 + draw(3), groups = depthwise ? w->in_c : 1 + draw(2);
    p->group_c = (uint16_t)per; /* or the multiplier */
    if (!depthwise) w->in_c = (uint16_t)(groups * per);
    w->out_c = (uint16_t)(depthwise ? w->in_c * per : groups * (1 + draw(4)));
    p->bias = (uint16_t)draw(2);
    p->low = -__FLT_MAX__;
    p->high = __FLT_MAX__;
    const size_t taps = (size_t)w->kernel_h * w->kernel_w;
    add_edge(&m, in_elements(w));
    add_weights(&m, taps * w->out_c * (depthwise ? 1 : per));
    if (p->bias) add_edge(&m, w->out_c);
    finish(&m, out_elements(w), ((size_t)w->in_h * w->in_w * w->in_c + 3) / 4);
    m.b.state_bytes = (size_t)w->in_h * w->in_w * w->in_c;
    const struct mote_hybrid h = draw_scales(&m, m.b.params_bytes, w->out_c, scale);
    if (depthwise)
      m.params.depthwise_conv2d_hybrid.hybrid = h;
    else
      m.params.conv2d_hybrid.hybrid = h;
    point(&m);
    check_bounds(&m);
    run(&m);
    equals_real(&m, depthwise ? MOTE_KERNEL_depthwise_conv2d_f32 : MOTE_KERNEL_conv2d_f32,
                sizeof(struct mote_conv2d_f32), w->batches, scale, w->out_c, depthwise,
                h.asymmetric);
    hostile(&m);
    release(&m);
  }
}

static void test_hybrid_vectors(void **unused) {
  (void)unused;
  for (int i = 0; i < 150; i++) {
    const bool svdf = draw(2);
    struct made m;
    float scale[64];
    begin(&m, svdf ? MOTE_KERNEL_svdf_hybrid : MOTE_KERNEL_fully_connected_hybrid,
          svdf ? sizeof m.params.svdf_hybrid : sizeof m.params.fully_connected_hybrid);
    const unsigned in_c = 1 + draw(30), units = 1 + draw(9), vectors = 1 + draw(3),
                   rank = 1 + draw(2), memory = 1 + draw(4), bias = draw(2), filters = units * rank;
    add_edge(&m, vectors * in_c);
    if (i % 10 == 0) memset(m.in[0], 0, in_c * 4);
    add_weights(&m, in_c * (svdf ? filters : units));
    if (svdf) add_edge(&m, filters * memory);
    if (bias) add_edge(&m, units);
    struct mote_hybrid h = draw_scales(&m, m.b.params_bytes, svdf ? filters : units, scale);
    if (svdf) {
      if (h.scale_at) {
        release(&m);
        continue;
      }
      m.params.svdf_hybrid =
          (struct mote_svdf_hybrid){{vectors, in_c, filters, memory, rank, (uint16_t)bias, 0}, h};
      m.b.writable = (uint16_t)(1u << m.b.n_in);
      memset(add_edge(&m, vectors * filters * memory), 0, vectors * filters * memory * 4);
    } else {
      m.params.fully_connected_hybrid = (struct mote_fully_connected_hybrid){
          {in_c, units, vectors, bias, -__FLT_MAX__, __FLT_MAX__}, h};
    }
    finish(&m, vectors * units, (in_c + 3) / 4);
    m.b.state_bytes = in_c;
    point(&m);
    check_bounds(&m);
    run(&m);
    /* The memory moved on by one; for the second opinion it begins anew. */
    float *state = svdf ? m.in[m.b.n_in - 1] : NULL;
    if (svdf) memset(state, 0, vectors * filters * memory * 4);
    equals_real(&m, svdf ? MOTE_KERNEL_svdf_f32 : MOTE_KERNEL_fully_connected_f32,
                svdf ? sizeof(struct mote_svdf_f32) : sizeof(struct mote_fully_connected_f32),
                vectors, scale, svdf ? filters : units, false, h.asymmetric);
    hostile(&m);
    release(&m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accuracy),
      cmocka_unit_test(test_exact),
      cmocka_unit_test(test_pow),
      cmocka_unit_test(test_fmod),
      cmocka_unit_test(test_conv2d),
      cmocka_unit_test(test_depthwise),
      cmocka_unit_test(test_transpose_conv),
      cmocka_unit_test(test_pools),
      cmocka_unit_test(test_mean),
      cmocka_unit_test(test_dense),
      cmocka_unit_test(test_batch_matmul),
      cmocka_unit_test(test_softmax),
      cmocka_unit_test(test_svdf),
      cmocka_unit_test(test_lstm),
      cmocka_unit_test(test_hybrid_conv2d),
      cmocka_unit_test(test_hybrid_vectors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
