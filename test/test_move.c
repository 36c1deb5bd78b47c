/* Kernels that move, pick, blend and reduce, against plain index arithmetic on random shapes, and with hostile
 * params. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "test/kernel_case.h"

/* ---- pieces ----------------------------------------------------------------------- */
/* A strided copy of random axes from a random place to a random place. */
static struct mote_piece piece_make(struct kernel_case *c, int bytes, int rank,
                                    struct mote_axis axes[4], size_t *in_n, size_t *out_n) {
  struct mote_piece piece = {.row = 0};
  int64_t low[2] = {0, 0}, high[2] = {0, 0};
  for (int i = 0; i < rank; i++) {
    axes[i].n = (uint32_t)kc_range(c, 1, 4);
    for (int k = 0; k < 2; k++) {
      axes[i].step[k] = bytes * kc_range(c, -5, 9);
      const int64_t way = (int64_t)(axes[i].n - 1) * axes[i].step[k];
      if (way < 0)
        low[k] += way;
      else
        high[k] += way;
    }
    axes[i].step[2] = 0;
  }
  piece.from = (uint32_t)-low[0] + (uint32_t)(bytes * kc_range(c, 0, 3));
  piece.to = (uint32_t)-low[1] + (uint32_t)(bytes * kc_range(c, 0, 3));
  *in_n = (size_t)(piece.from + high[0] + bytes);
  *out_n = (size_t)(piece.to + high[1] + bytes);
  piece.loops.inner = axes[rank - 1];
  piece.loops.axes = (uint32_t)rank - 1;
  return piece;
}

static void test_move(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 600; n++) {
    struct kernel_case c;
    struct mote_axis axes[4];
    kc_begin(&c, MOTE_KERNEL_move, n);
    const int bytes = 1 << n % 4, rank = kc_range(&c, 1, 4);
    struct mote_move p = {.bytes = (uint16_t)bytes, .pieces = 1};
    for (int i = 0; i < 2; i++) p.value[i] = kc_next(&c);
    size_t in_n, out_n;
    struct mote_piece piece = piece_make(&c, bytes, rank, axes, &in_n, &out_n);
    p.fill = (uint32_t)(out_n / (size_t)bytes);
    kc_params(&c, &p, sizeof p);
    piece.loops.axes_at = kc_params(&c, axes, (size_t)(rank - 1) * sizeof *axes);
    const int32_t at = kc_params(&c, &piece, sizeof piece);
    ((struct mote_move *)(void *)c.params)->pieces_at = at;
    kc_in(&c, in_n);
    kc_out(&c, out_n);
    uint32_t total = 1;
    for (int i = 0; i < rank; i++) total *= axes[i].n;
    if ((size_t)total * (size_t)bytes > out_n) { /* some place is written twice */
      assert_int_equal(kc_check(&c), MOTE_ERR_BOUNDS);
      kc_end(&c);
      continue;
    }
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    uint8_t want[4096];
    assert_true(out_n <= sizeof want);
    for (size_t i = 0; i < out_n; i++) want[i] = ((uint8_t *)p.value)[i % (size_t)bytes];
    for (uint32_t e = 0; e < total; e++) {
      int64_t from = piece.from, to = piece.to;
      uint32_t rest = e;
      for (int i = rank - 1; i >= 0; i--) {
        from += (int64_t)(rest % axes[i].n) * axes[i].step[0];
        to += (int64_t)(rest % axes[i].n) * axes[i].step[1];
        rest /= axes[i].n;
      }
      memcpy(want + to, c.in[0] + from, (size_t)bytes);
    }
    assert_memory_equal(c.out, want, out_n);
    /* A missing row leaves the background. */
    c.rows[0] = NULL;
    kc_run(&c);
    for (size_t i = 0; i < out_n; i++)
      assert_int_equal(c.out[i], ((uint8_t *)p.value)[i % (size_t)bytes]);
    c.rows[0] = c.in[0];
    assert_true(kc_guarded(&c) && kc_hostile(&c, 60) >= 0);
    kc_end(&c);
  }
}

/* Pieces in turn, and one that reads what those before it wrote. */
static void test_move_in_turn(void **state) {
  (void)state;
  struct kernel_case c;
  kc_begin(&c, MOTE_KERNEL_move, 1);
  const struct mote_move p = {.bytes = 1, .pieces = 3};
  struct mote_piece pieces[3] = {
      {.loops = {.inner = {3, {1, 1, 0}}}, .to = 0, .row = 0},
      {.loops = {.inner = {2, {1, 1, 0}}}, .to = 3, .row = 1},
      {.loops = {.inner = {4, {-1, 1, 0}}}, .from = 4, .to = 5, .row = MOTE_MOVE_OUTPUT}};
  kc_params(&c, &p, sizeof p);
  const int32_t at = kc_params(&c, pieces, sizeof pieces);
  ((struct mote_move *)(void *)c.params)->pieces_at = at;
  memcpy(kc_in(&c, 3), "abc", 3);
  memcpy(kc_in(&c, 2), "de", 2);
  kc_out(&c, 9);
  assert_int_equal(kc_check(&c), MOTE_OK);
  kc_run(&c);
  assert_memory_equal(c.out, "abcdeedcb", 9);
  assert_true(kc_guarded(&c) && kc_hostile(&c, 2000) > 0);
  kc_end(&c);
}

/* ---- by index -------------------------------------------------------------------------- */
static void test_gather(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 400; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_gather, n);
    struct mote_gather p = {0};
    p.batches = (uint32_t)kc_range(&c, 1, 3);
    p.outers = (uint32_t)kc_range(&c, 1, 3);
    p.count = (uint32_t)kc_range(&c, 1, 4);
    p.slice_bytes = (uint32_t)kc_range(&c, 1, 6);
    p.depth = (uint8_t)kc_range(&c, 1, 3);
    p.table = (uint8_t)kc_range(&c, 0, 1);
    p.index_type = kc_range(&c, 0, 1) ? MOTE_INT32 : MOTE_INT64;
    uint32_t size = p.slice_bytes;
    for (int d = p.depth - 1; d >= 0; d--) {
      p.size[d] = (uint32_t)kc_range(&c, 1, 4);
      p.step[d] = size;
      size *= p.size[d];
    }
    p.outer_step = size;
    p.batch_step = size * p.outers;
    kc_params(&c, &p, sizeof p);
    const uint32_t tuples = p.batches * p.count, table_n = p.batch_step * p.batches;
    const uint32_t indices_n = tuples * p.depth * (p.index_type == MOTE_INT32 ? 4 : 8);
    for (int k = 0; k < 2; k++) kc_in(&c, k == p.table ? table_n : indices_n);
    uint8_t *indices = c.in[!p.table];
    for (uint32_t i = 0; i < tuples * p.depth; i++) {
      const int64_t v = kc_range(&c, -1, (int)p.size[i % p.depth]);
      const int32_t w = (int32_t)v;
      if (p.index_type == MOTE_INT32)
        memcpy(indices + 4 * i, &w, 4);
      else
        memcpy(indices + 8 * i, &v, 8);
    }
    kc_out(&c, tuples * p.outers * p.slice_bytes);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    const uint8_t *got = c.out;
    for (uint32_t b = 0; b < p.batches; b++)
      for (uint32_t o = 0; o < p.outers; o++)
        for (uint32_t i = 0; i < p.count; i++, got += p.slice_bytes) {
          uint32_t at = b * p.batch_step + o * p.outer_step;
          bool inside = true;
          for (uint32_t d = 0; d < p.depth; d++) {
            const uint32_t k = (b * p.count + i) * p.depth + d;
            int64_t index = 0;
            memcpy(&index, indices + (p.index_type == MOTE_INT32 ? 4 : 8) * k,
                   p.index_type == MOTE_INT32 ? 4 : 8);
            if (p.index_type == MOTE_INT32) index = (int32_t)index;
            inside = inside && index >= 0 && index < p.size[d];
            at += (uint32_t)index * p.step[d];
          }
          for (uint32_t k = 0; k < p.slice_bytes; k++)
            assert_int_equal(got[k], inside ? c.in[p.table][at + k] : 0);
        }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 100) >= 0);
    kc_end(&c);
  }
}

/* A slice [2,2] in a matrix [4,5], at places within, beyond and before it. */
static void test_update_slice(void **state) {
  (void)state;
  for (int y = -2; y < 6; y++)
    for (int x = -2; x < 7; x++) {
      struct kernel_case c;
      kc_begin(&c, MOTE_KERNEL_update_slice, (uint32_t)(y * 100 + x + 1000));
      struct mote_update_slice p = {
          .n_bytes = 20, .bytes = 1, .depth = 2, .index_type = MOTE_INT32};
      p.most[0] = 2;
      p.step[0] = 5;
      p.most[1] = 3;
      p.step[1] = 1;
      p.loops.inner = (struct mote_axis){2, {1, 1, 0}};
      p.loops.axes = 1;
      kc_params(&c, &p, sizeof p);
      const int32_t at = kc_params(&c, &(struct mote_axis){2, {2, 5, 0}}, sizeof(struct mote_axis));
      ((struct mote_update_slice *)(void *)c.params)->loops.axes_at = at;
      kc_in(&c, 20);
      kc_in(&c, 4);
      memcpy(kc_in(&c, 8), (int32_t[]){y, x}, 8);
      kc_out(&c, 20);
      assert_int_equal(kc_check(&c), MOTE_OK);
      kc_run(&c);
      const int top = y < 0 ? 0 : y > 2 ? 2 : y, left = x < 0 ? 0 : x > 3 ? 3 : x;
      for (int i = 0; i < 20; i++) {
        const int r = i / 5 - top, k = i % 5 - left;
        const bool inside = r >= 0 && r < 2 && k >= 0 && k < 2;
        assert_int_equal(c.out[i], inside ? c.in[1][2 * r + k] : c.in[0][i]);
      }
      assert_true(kc_guarded(&c) && kc_hostile(&c, 200) >= 0);
      kc_end(&c);
    }
}

/* ---- neighbours --------------------------------------------------------------------------- */
static void test_resize_nearest(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 100; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_resize_nearest, n);
    struct mote_resize_nearest p = {.batches = 2};
    p.pixel_bytes = (uint32_t)kc_range(&c, 1, 5);
    p.in_h = (uint16_t)kc_range(&c, 1, 5);
    p.in_w = (uint16_t)kc_range(&c, 1, 5);
    p.out_h = (uint16_t)kc_range(&c, 1, 7);
    p.out_w = (uint16_t)kc_range(&c, 1, 7);
    uint16_t y[7], x[7];
    for (int i = 0; i < 7; i++) {
      y[i] = (uint16_t)kc_range(&c, 0, p.in_h - 1);
      x[i] = (uint16_t)kc_range(&c, 0, p.in_w - 1);
    }
    kc_params(&c, &p, sizeof p);
    const int32_t rows_at = kc_params(&c, y, sizeof *y * p.out_h),
                  columns_at = kc_params(&c, x, sizeof *x * p.out_w);
    ((struct mote_resize_nearest *)(void *)c.params)->rows_at = rows_at;
    ((struct mote_resize_nearest *)(void *)c.params)->columns_at = columns_at;
    kc_in(&c, 2u * p.in_h * p.in_w * p.pixel_bytes);
    kc_out(&c, 2u * p.out_h * p.out_w * p.pixel_bytes);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (uint32_t i = 0; i < 2u * p.out_h * p.out_w; i++) {
      const uint32_t b = i / (p.out_h * p.out_w), py = i / p.out_w % p.out_h, px = i % p.out_w;
      assert_memory_equal(c.out + i * p.pixel_bytes,
                          c.in[0] + ((b * p.in_h + y[py]) * p.in_w + x[px]) * p.pixel_bytes,
                          p.pixel_bytes);
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 200) >= 0);
    kc_end(&c);
  }
}

/* Real blending: int8 within a rounding of it, float within a few units. */
static void test_resize_bilinear(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 100; n++) {
    const bool real = n % 2;
    struct kernel_case c;
    kc_begin(&c, real ? MOTE_KERNEL_resize_bilinear_f32 : MOTE_KERNEL_resize_bilinear_s8, n);
    const int in_h = kc_range(&c, 1, 6), in_w = kc_range(&c, 1, 6), out_h = kc_range(&c, 1, 9),
              out_w = kc_range(&c, 1, 9), channels = 2, half = kc_range(&c, 0, 1);
    const double sh = (double)in_h / out_h, sw = (double)in_w / out_w;
    const struct mote_resize_bilinear_s8 p = {(1024 * in_h + out_h / 2) / out_h,
                                              (1024 * in_w + out_w / 2) / out_w,
                                              1,
                                              (uint16_t)in_h,
                                              (uint16_t)in_w,
                                              (uint16_t)out_h,
                                              (uint16_t)out_w,
                                              (uint16_t)channels,
                                              (uint32_t)half};
    struct mote_resize_bilinear_f32 q;
    memcpy(&q, &p, sizeof q);
    q.scale_h = (float)sh;
    q.scale_w = (float)sw;
    if (real)
      kc_params(&c, &q, sizeof q);
    else
      kc_params(&c, &p, sizeof p);
    const int in_n = in_h * in_w * channels, out_n = out_h * out_w * channels;
    uint8_t *in = kc_in(&c, (size_t)in_n * (real ? 4 : 1));
    for (int i = 0; i < in_n && real; i++) ((float *)(void *)in)[i] = (float)kc_range(&c, -9, 9);
    kc_out(&c, (size_t)out_n * (real ? 4 : 1));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (int i = 0; i < out_n; i++) {
      const int x = i / channels % out_w, y = i / channels / out_w, k = i % channels;
      double v = half ? (y + 0.5) * sh - 0.5 : y * sh, h = half ? (x + 0.5) * sw - 0.5 : x * sw;
      const int y0 = v > 0 ? (int)v : 0, x0 = h > 0 ? (int)h : 0;
      int y1 = (int)ceil(v), x1 = (int)ceil(h);
      if (y1 > in_h - 1) y1 = in_h - 1;
      if (x1 > in_w - 1) x1 = in_w - 1;
      if (y1 < 0) y1 = 0;
      if (x1 < 0) x1 = 0;
      double sum = 0;
      for (int a = 0; a < 4; a++) {
        const int at = ((a & 1 ? y1 : y0) * in_w + (a & 2 ? x1 : x0)) * channels + k;
        const double w = (a & 1 ? v - y0 : 1 - (v - y0)) * (a & 2 ? h - x0 : 1 - (h - x0));
        sum += w * (real ? (double)((float *)(void *)in)[at] : (double)((int8_t *)in)[at]);
      }
      if (real)
        assert_true(fabs((double)((float *)(void *)c.out)[i] - sum) < 1e-4);
      else
        assert_true(fabs((int8_t)c.out[i] - sum) < 3); /* positions are of 1/1024 */
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 200) >= 0);
    kc_end(&c);
  }
}

/* ---- many to one ------------------------------------------------------------------------------ */
/* A tensor of up to 4 axes, some of which are reduced. */
struct shape {
  int rank, dims[4], kept_n, reduced_n;
  bool reduced[4];
};
static struct shape shape_make(struct kernel_case *c) {
  struct shape s = {.rank = kc_range(c, 1, 4), .kept_n = 1, .reduced_n = 1};
  for (int i = 0; i < s.rank; i++) {
    s.dims[i] = kc_range(c, 1, 4);
    s.reduced[i] = kc_range(c, 0, 1);
    *(s.reduced[i] ? &s.reduced_n : &s.kept_n) *= s.dims[i];
  }
  return s;
}
/* The output that element e goes to. */
static int shape_out(const struct shape *s, int e) {
  int at = 0, size = 1;
  for (int i = s->rank - 1; i >= 0; i--) {
    const int index = e % s->dims[i];
    e /= s->dims[i];
    if (s->reduced[i]) continue;
    at += index * size;
    size *= s->dims[i];
  }
  return at;
}
/* Loops over the axes that are reduced, or kept; their table behind the params. */
static struct mote_loops shape_loops(struct kernel_case *c, const struct shape *s, bool reduced,
                                     int bytes) {
  struct mote_axis axes[5] = {{1, {0}}};
  int n = 1, step = bytes;
  int steps[4];
  for (int i = s->rank - 1; i >= 0; i--) {
    steps[i] = step;
    step *= s->dims[i];
  }
  for (int i = 0; i < s->rank; i++)
    if (s->reduced[i] == reduced)
      axes[n++] = (struct mote_axis){(uint32_t)s->dims[i], {steps[i], 0, 0}};
  struct mote_loops l = {.inner = axes[n - 1], .axes = (uint32_t)n - 1};
  l.axes_at = kc_params(c, axes, (size_t)(n - 1) * sizeof *axes);
  return l;
}

static void test_reduce(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 600; n++) {
    struct kernel_case c;
    const int kind = (int)(n % 3);
    kc_begin(&c,
             kind == 0   ? MOTE_KERNEL_reduce_q
             : kind == 1 ? MOTE_KERNEL_reduce_f32
                         : MOTE_KERNEL_reduce_extreme,
             n);
    static const uint16_t types[] = {MOTE_INT8,  MOTE_UINT8, MOTE_INT16,
                                     MOTE_INT32, MOTE_INT64, MOTE_BOOL};
    const uint16_t type = types[n / 3 % 6];
    struct mote_reduce_q q = {.bytes = (uint8_t)(1 + n / 3 % 2)};
    struct mote_reduce_f32 f = {.reduction = n / 3 % 3, .count = 7};
    struct mote_reduce m = {.type = type, .reduction = (uint16_t)(1 + n / 18 % 2)};
    const int bytes = kind == 0 ? q.bytes : kind == 1 ? 4 : (int)mote_type_bytes(type);
    const struct shape s = shape_make(&c);
    q.multiplier = (1 << 30) + kc_range(&c, 0, 1 << 20);
    q.shift = (int8_t)-kc_range(&c, 1, 9);
    q.zero = kc_range(&c, -100, 100) * s.reduced_n;
    q.out_zp = (int16_t)kc_range(&c, -20, 20);
    q.low = q.bytes == 1 ? -128 : -32768;
    q.high = q.bytes == 1 ? 127 : 32767;
    if (kind == 0) kc_params(&c, &q, sizeof q);
    if (kind == 1) kc_params(&c, &f, sizeof f);
    if (kind == 2) kc_params(&c, &m, sizeof m);
    const struct mote_loops kept = shape_loops(&c, &s, false, bytes),
                            reduced = shape_loops(&c, &s, true, bytes);
    struct mote_loops *at = (struct mote_loops *)(void *)c.params; /* the first two of all three */
    at[0] = kept;
    at[1] = reduced;
    const int total = s.kept_n * s.reduced_n;
    uint8_t *in = kc_in(&c, (size_t)(total * bytes));
    for (int i = 0; i < total && kind == 1; i++)
      ((float *)(void *)in)[i] = (float)kc_range(&c, -900, 900) / 32;
    for (int i = 0; i < total && type == MOTE_BOOL && kind == 2; i++) in[i] &= 1;
    kc_out(&c, (size_t)(s.kept_n * bytes));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    assert_true(kc_guarded(&c));
    for (int o = 0; o < s.kept_n; o++) {
      double best = 0;
      float sum = 0;
      int64_t whole = 0;
      bool any = false;
      for (int e = 0; e < total; e++) {
        if (shape_out(&s, e) != o) continue;
        int64_t v = 0;
        float x = 0;
        if (kind == 1) memcpy(&x, in + 4 * e, 4);
        if (kind != 1) memcpy(&v, in + bytes * e, (size_t)bytes);
        const int unused = 64 - 8 * bytes;
        if (kind == 0 || (type != MOTE_UINT8 && type != MOTE_BOOL))
          v = (int64_t)((uint64_t)v << unused) >> unused;
        const double y = kind == 1 ? (double)x : (double)v;
        const bool larger =
            kind == 1 ? f.reduction == MOTE_REDUCE_MAX : m.reduction == MOTE_REDUCE_MAX;
        if (!any || (larger ? y > best : y < best)) best = y;
        any = true;
        sum += x;
        whole = (int64_t)((uint64_t)whole + (uint64_t)v);
      }
      if (kind == 0) {
        const int32_t want =
            mote_clamp(mote_requantise((int32_t)(whole - q.zero), q.multiplier, q.shift) + q.out_zp,
                       q.low, q.high);
        assert_int_equal(q.bytes == 1 ? ((int8_t *)c.out)[o] : ((int16_t *)(void *)c.out)[o], want);
      } else if (kind == 1) {
        const float want = f.reduction == MOTE_REDUCE_SUM ? sum / 7 : (float)best;
        assert_memory_equal(c.out + 4 * o, &want, 4);
      } else {
        int64_t got = 0;
        memcpy(&got, c.out + bytes * o, (size_t)bytes);
        const int64_t want = (int64_t)best;
        if (type != MOTE_INT64)
          assert_memory_equal(&got, &(int64_t){want & (int64_t)(((uint64_t)1 << 8 * bytes) - 1)},
                              8);
        if (type == MOTE_INT64) assert_true((double)got == best);
      }
    }
    assert_true(kc_hostile(&c, 100) >= 0);
    kc_end(&c);
  }
}

static void test_arg(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 200; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_arg, n);
    const bool real = n % 2, wide = n / 2 % 2;
    const struct mote_arg p = {.outer = (uint32_t)kc_range(&c, 1, 3),
                               .size = (uint32_t)kc_range(&c, 1, 6),
                               .inner = (uint32_t)kc_range(&c, 1, 3),
                               .type = real ? MOTE_FLOAT32 : MOTE_INT8,
                               .out_type = wide ? MOTE_INT64 : MOTE_INT32,
                               .smallest = n / 4 % 2};
    kc_params(&c, &p, sizeof p);
    const uint32_t total = p.outer * p.size * p.inner;
    uint8_t *in = kc_in(&c, total * (real ? 4 : 1));
    for (uint32_t i = 0; i < total; i++) {
      const int v = kc_range(&c, -3, 3);
      const float x = v == 3 ? NAN : (float)v;
      if (real)
        memcpy(in + 4 * i, &x, 4);
      else
        in[i] = (uint8_t)(int8_t)v;
    }
    kc_out(&c, p.outer * p.inner * (wide ? 8 : 4));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (uint32_t o = 0; o < p.outer * p.inner; o++) {
      int best = 0;
      double best_value = NAN;
      for (uint32_t k = 0; k < p.size; k++) {
        const uint32_t at = (o / p.inner * p.size + k) * p.inner + o % p.inner;
        float x = (int8_t)in[at];
        if (real) memcpy(&x, in + 4 * at, 4);
        if (isnan(x)) continue;
        if (isnan(best_value) || (p.smallest ? (double)x < best_value : (double)x > best_value)) {
          best = (int)k;
          best_value = (double)x;
        }
      }
      int64_t got = 0;
      memcpy(&got, c.out + (wide ? 8 : 4) * o, wide ? 8 : 4);
      assert_int_equal(got, best);
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 100) >= 0);
    kc_end(&c);
  }
}

static void test_cumsum(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 200; n++) {
    struct kernel_case c;
    const bool real = n % 2;
    kc_begin(&c, real ? MOTE_KERNEL_cumsum_f32 : MOTE_KERNEL_cumsum_s8, n);
    const uint32_t outer = (uint32_t)kc_range(&c, 1, 3), size = (uint32_t)kc_range(&c, 1, 6),
                   inner = (uint32_t)kc_range(&c, 1, 3), total = outer * size * inner;
    const uint8_t exclusive = n / 2 % 2, reverse = n / 4 % 2;
    const struct mote_cumsum_f32 f = {outer, size, inner, exclusive, reverse, MOTE_FLOAT32};
    const struct mote_cumsum_s8 q = {.outer = outer,
                                     .size = size,
                                     .inner = inner,
                                     .multiplier = 1 << 30,
                                     .out_multiplier = 1300000000,
                                     .zp = 4,
                                     .out_zp = -9,
                                     .out_shift = -19,
                                     .left_shift = 20,
                                     .exclusive = exclusive,
                                     .reverse = reverse};
    if (real)
      kc_params(&c, &f, sizeof f);
    else
      kc_params(&c, &q, sizeof q);
    uint8_t *in = kc_in(&c, total * (real ? 4 : 1));
    for (uint32_t i = 0; i < total && real; i++)
      ((float *)(void *)in)[i] = (float)kc_range(&c, -99, 99) / 8;
    kc_out(&c, total * (real ? 4 : 1));
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (uint32_t e = 0; e < total; e++) {
      const uint32_t k = e / inner % size;
      float sum = 0;
      int32_t whole = mote_requantise(-4 * (1 << 20), 1 << 30, 0);
      for (uint32_t i = 0; i < size; i++) {
        const uint32_t j = reverse ? size - 1 - i : i;
        const bool before = reverse ? j > k : j < k;
        if (!before && (exclusive || j != k)) continue;
        const uint32_t at = e + j * inner - k * inner;
        if (real)
          sum += ((float *)(void *)in)[at];
        else
          whole += mote_requantise(((int8_t)in[at] - 4) * (1 << 20), 1 << 30, 0);
      }
      if (real)
        assert_memory_equal(c.out + 4 * e, &sum, 4);
      else
        assert_int_equal((int8_t)c.out[e], mote_clamp(mote_requantise(whole, 1300000000, -19) - 9,
                                                      INT8_MIN, INT8_MAX));
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 100) >= 0);
    kc_end(&c);
  }
}

static void test_scatter(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 200; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_scatter, n);
    const uint32_t h = (uint32_t)kc_range(&c, 1, 4), w = (uint32_t)kc_range(&c, 1, 4),
                   slice = (uint32_t)kc_range(&c, 1, 3), count = (uint32_t)kc_range(&c, 1, 6);
    const struct mote_scatter p = {.n_bytes = h * w * slice * 4,
                                   .count = count,
                                   .slice = slice,
                                   .size = {h, w},
                                   .step = {w * slice * 4, slice * 4},
                                   .depth = 2,
                                   .type = MOTE_INT32};
    uint32_t want[4 * 4 * 3] = {0};
    kc_params(&c, &p, sizeof p);
    int32_t *at = kc_in(&c, (size_t)count * 8);
    const uint32_t *x = kc_in(&c, (size_t)count * slice * 4);
    kc_out(&c, p.n_bytes);
    for (uint32_t i = 0; i < count; i++) { /* now and then outside */
      at[2 * i] = kc_range(&c, -1, (int)h);
      at[2 * i + 1] = kc_range(&c, 0, (int)w - 1);
      if (at[2 * i] < 0 || at[2 * i] == (int)h) continue;
      for (uint32_t k = 0; k < slice; k++)
        want[((uint32_t)at[2 * i] * w + (uint32_t)at[2 * i + 1]) * slice + k] += x[i * slice + k];
    }
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    assert_memory_equal(c.out, want, p.n_bytes);
    assert_true(kc_guarded(&c) && kc_hostile(&c, 100) >= 0);
    kc_end(&c);
  }
}

static void test_one_hot(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 100; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_one_hot, n);
    const struct mote_one_hot p = {.outer = (uint32_t)kc_range(&c, 1, 3),
                                   .depth = (uint32_t)kc_range(&c, 1, 5),
                                   .inner = (uint32_t)kc_range(&c, 1, 3),
                                   .index_type = MOTE_INT32,
                                   .bytes = 1};
    kc_params(&c, &p, sizeof p);
    int32_t *at = kc_in(&c, (size_t)p.outer * p.inner * 4);
    const uint8_t on = *(uint8_t *)kc_in(&c, 1), off = *(uint8_t *)kc_in(&c, 1);
    kc_out(&c, (size_t)p.outer * p.depth * p.inner);
    for (uint32_t i = 0; i < p.outer * p.inner; i++) at[i] = kc_range(&c, -1, (int)p.depth);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (uint32_t o = 0; o < p.outer; o++)
      for (uint32_t d = 0; d < p.depth; d++)
        for (uint32_t i = 0; i < p.inner; i++)
          assert_int_equal(c.out[(o * p.depth + d) * p.inner + i],
                           at[o * p.inner + i] == (int32_t)d ? on : off);
    assert_true(kc_guarded(&c) && kc_hostile(&c, 100) >= 0);
    kc_end(&c);
  }
}

static void test_top(void **state) {
  (void)state;
  for (uint32_t n = 0; n < 200; n++) {
    struct kernel_case c;
    kc_begin(&c, MOTE_KERNEL_top, n);
    struct mote_top p = {.outer = (uint32_t)kc_range(&c, 1, 3),
                         .size = (uint32_t)kc_range(&c, 1, 9),
                         .type = MOTE_INT8};
    p.k = (uint32_t)kc_range(&c, 1, (int)p.size);
    kc_params(&c, &p, sizeof p);
    int8_t *x = kc_in(&c, (size_t)p.outer * p.size);
    const int32_t *places = kc_in(&c, (size_t)p.outer * p.k * 4);
    c.bounds.n_in = 1;
    c.bounds.n_out = 2;
    c.bounds.writable = 1u << 1;
    kc_out(&c, (size_t)p.outer * p.k);
    for (uint32_t i = 0; i < p.outer * p.size; i++) x[i] = (int8_t)kc_range(&c, -3, 3);
    assert_int_equal(kc_check(&c), MOTE_OK);
    kc_run(&c);
    for (uint32_t o = 0; o < p.outer; o++, x += p.size) {
      for (uint32_t i = 0; i < p.size; i++) {
        uint32_t rank = 0; /* how many come before it */
        for (uint32_t j = 0; j < p.size; j++) rank += x[j] > x[i] || (x[j] == x[i] && j < i);
        if (rank >= p.k) continue;
        assert_int_equal(places[o * p.k + rank], i);
        assert_int_equal((int8_t)c.out[o * p.k + rank], x[i]);
      }
    }
    assert_true(kc_guarded(&c) && kc_hostile(&c, 100) >= 0);
    c.bounds.writable = 0;
    assert_int_equal(kc_check(&c), MOTE_ERR_BOUNDS);
    c.bounds.n_in = 2;
    kc_end(&c);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_move),
      cmocka_unit_test(test_move_in_turn),
      cmocka_unit_test(test_gather),
      cmocka_unit_test(test_update_slice),
      cmocka_unit_test(test_resize_nearest),
      cmocka_unit_test(test_resize_bilinear),
      cmocka_unit_test(test_reduce),
      cmocka_unit_test(test_arg),
      cmocka_unit_test(test_cumsum),
      cmocka_unit_test(test_scatter),
      cmocka_unit_test(test_top),
      cmocka_unit_test(test_one_hot),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
