/* Weights in blocks of channels: every instruction set of this machine against plain C, on seeded shapes, alignments
 * and tails, with rows and constants at the very end of their blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mote/isa/isa.h"
#include "test/nn_cases.h"

struct variant {
  const char *name;
  mote_isa_row *conv, *depthwise;
  int there;
};

static unsigned variants(struct variant *list) {
  unsigned n = 0;
#if MOTE_ISA_X86
  list[n++] = (struct variant){"avx2", mote_isa_conv_block__avx2, mote_isa_depthwise_block__avx2,
                               mote_isa_has_avx2()};
  list[n++] = (struct variant){"vnni", mote_isa_conv_block__vnni, mote_isa_depthwise_block__vnni,
                               mote_isa_has_vnni()};
#endif
  list[n++] = (struct variant){"chosen", mote_isa_conv_block, mote_isa_depthwise_block, 1};
  return n;
}

/* A layer of any size; every constant, row, state and output is a block of its own. */
struct layer {
  uint32_t r;
  union {
    struct mote_output output;
    struct mote_conv2d_s8 conv;
    struct mote_depthwise_conv2d_s8 depthwise;
  } * p;
  uint8_t *params;
  size_t params_bytes, row_bytes, state_bytes, out_bytes;
  unsigned n_rows;
  int8_t *row[128];
  const void *rows[128];
};

static int32_t take(struct layer *l, size_t bytes, int random) {
  const size_t at = (l->params_bytes + 3) & ~(size_t)3;
  l->params = realloc(l->params, at + bytes);
  l->params_bytes = at + bytes;
  for (size_t i = 0; i < bytes; i++)
    l->params[at + i] = random ? (uint8_t)case_next(&l->r) : (uint8_t)0;
  l->p = (void *)l->params;
  return (int32_t)at;
}

static void make_output(struct layer *l, uint32_t n) {
  const int wide = case_range(&l->r, 0, 2) == 0;
  struct mote_output o = {.zp = (int8_t)case_range(&l->r, -128, 127),
                          .in_zp = (int8_t)case_range(&l->r, -128, 127),
                          .low = -128,
                          .high = 127,
                          .wide = wide != 0,
                          .bias_bytes = 4};
  if (case_range(&l->r, 0, 1)) o.low = o.zp;
  if (case_range(&l->r, 0, 3) == 0) o.high = (int8_t)case_range(&l->r, o.low, 127);
  o.shift_base = (int8_t)(wide ? 0 : -case_range(&l->r, 1, 19));
  o.requant_at = take(l, (size_t)n * (wide ? 8 : 4), 1);
  o.bias_at = take(l, 4 * (size_t)n, 1);
  int32_t *bias = (int32_t *)(void *)(l->params + o.bias_at);
  int32_t *words = (int32_t *)(void *)(l->params + o.requant_at);
  for (uint32_t c = 0; c < n; c++) {
    bias[c] >>= wide ? case_range(&l->r, 0, 16) : case_range(&l->r, 3, 16);
    if (!wide) continue;
    words[2 * c] &= INT32_MAX;
    words[2 * c + 1] =
        case_range(&l->r, 0, 3) ? -case_range(&l->r, 0, 16) : case_range(&l->r, -31, 30);
  }
  l->p->output = o;
}

static void make_rows(struct layer *l, unsigned n, size_t bytes) {
  l->n_rows = n;
  l->row_bytes = bytes;
  for (unsigned i = 0; i < n; i++) {
    l->row[i] = malloc(bytes);
    for (size_t k = 0; k < bytes; k++) l->row[i][k] = (int8_t)case_next(&l->r);
    l->rows[i] = n > 1 && case_range(&l->r, 0, 4) == 0 ? NULL : l->row[i];
  }
}

static struct mote_bounds bounds_of(const struct layer *l) {
  struct mote_bounds b = {.params_bytes = l->params_bytes,
                          .state_bytes = l->state_bytes,
                          .out_bytes = l->out_bytes,
                          .n_in = 1,
                          .n_out = 1,
                          .row_bytes = {l->row_bytes},
                          .rows = {(uint16_t)l->n_rows},
                          .missing = 1};
  return b;
}

static void compare(struct layer *l, int is_conv, uint32_t number) {
  struct variant list[4];
  const unsigned n = variants(list);
  int8_t *expected = malloc(l->out_bytes), *out = malloc(l->out_bytes);
  void *state = malloc(l->state_bytes);
  (is_conv ? mote_isa_conv_block__plain : mote_isa_depthwise_block__plain)(l->p, l->rows, state,
                                                                           expected);
  for (unsigned v = 0; v < n; v++) {
    if (!list[v].there) continue;
    memset(out, 0x5A, l->out_bytes);
    memset(state, 0x5A, l->state_bytes);
    (is_conv ? list[v].conv : list[v].depthwise)(l->p, l->rows, state, out);
    if (memcmp(out, expected, l->out_bytes)) fail_msg("%s differs, layer %u", list[v].name, number);
  }
  free(expected);
  free(out);
  free(state);
  free(l->params);
  for (unsigned i = 0; i < l->n_rows; i++) free(l->row[i]);
}

/* What fills the last quad of a run up is 0. */
static void clear_ends(const struct mote_conv2d_s8 *p, int8_t *weights) {
  const size_t quads = (size_t)mote_block_quads(p), run = mote_block_run(p);
  const size_t used = (size_t)(p->dilation_w == 1 ? p->kernel_w : 1) * p->in_c;
  for (size_t c = 0; c < p->out_c; c++) {
    const size_t first = c - c % MOTE_BLOCK;
    const size_t n = p->out_c - first < MOTE_BLOCK ? p->out_c - first : MOTE_BLOCK;
    for (size_t q = run - 1; q < quads; q += run)
      for (size_t k = used - 4 * (run - 1); k < 4; k++)
        weights[first * 4 * quads + (q * n + c - first) * 4 + k] = 0;
  }
}

static void test_convolutions(void **s) {
  (void)s;
  for (uint32_t number = 0; number < 3000; number++) {
    struct layer l = {.r = number * 7919u + 17};
    const struct case_window w = case_window(&l.r, 1);
    take(&l, sizeof *l.p, 0);
    const int in_c = case_range(&l.r, 1, 40);
    const uint32_t out_c = (uint32_t)case_range(&l.r, 1, case_range(&l.r, 0, 3) ? 40 : 150);
    make_output(&l, out_c);
    struct mote_conv2d_s8 *p = &l.p->conv;
    const struct mote_output output = p->output;
    CASE_SET_WINDOW(p, w, in_c, &l.r);
    p->output = output;
    p->out_c = (uint16_t)out_c;
    const size_t weights = (size_t)(4 * mote_block_quads(p)) * out_c + MOTE_BLOCK_SLACK;
    const int32_t at = take(&l, weights, 1);
    p = &l.p->conv;
    p->weights_at = at;
    clear_ends(p, (int8_t *)l.params + at);
    make_rows(&l, (unsigned)((w.rows_out - 1) * w.stride_h + w.kernel_h), (size_t)(w.in_w * in_c));
    l.state_bytes = mote_conv2d_block_s8_state_bytes(p);
    l.out_bytes = (size_t)p->rows_out * p->out_w * out_c;
    const struct mote_bounds b = bounds_of(&l);
    assert_int_equal(mote_conv2d_block_s8_check(p, &b), MOTE_OK);
    compare(&l, 1, number);
  }
}

static void test_depthwise(void **s) {
  (void)s;
  for (uint32_t number = 0; number < 3000; number++) {
    struct layer l = {.r = number * 7919u + 29};
    const struct case_window w = case_window(&l.r, 1);
    take(&l, sizeof *l.p, 0);
    const uint32_t c = (uint32_t)case_range(&l.r, 1, case_range(&l.r, 0, 3) ? 40 : 150);
    make_output(&l, c);
    struct mote_depthwise_conv2d_s8 *p = &l.p->depthwise;
    const struct mote_output output = p->output;
    CASE_SET_WINDOW(p, w, c, &l.r);
    p->output = output;
    p->multiplier = 1;
    const size_t weights = (size_t)p->kernel_w * mote_block_row_quads(p) * 4 * c + MOTE_BLOCK_SLACK;
    const int32_t at = take(&l, weights, 1);
    p = &l.p->depthwise;
    p->weights_at = at;
    make_rows(&l, (unsigned)((w.rows_out - 1) * w.stride_h + w.kernel_h), (size_t)w.in_w * c);
    l.state_bytes = mote_depthwise_block_s8_state_bytes(p);
    l.out_bytes = (size_t)p->rows_out * p->out_w * c;
    const struct mote_bounds b = bounds_of(&l);
    assert_int_equal(mote_depthwise_block_s8_check(p, &b), MOTE_OK);
    compare(&l, 0, number);
  }
}

/* ADD and the sums of a mean: numbers as mote_add_s8_check lets pass, every length of a tail. */
static void test_rows(void **s) {
  (void)s;
#if MOTE_ISA_X86
  static mote_isa_add_loop *const adds[] = {mote_isa_add_some__avx2, mote_isa_add_some__avx512};
  static mote_isa_add_row_loop *const sums_of[] = {mote_isa_add_row_some__avx2,
                                                   mote_isa_add_row_some__avx512};
  const int there[] = {mote_isa_has_avx2(), mote_isa_has_vnni()};
  uint32_t r = 5;
  for (int number = 0; number < 4000; number++) {
    const uint32_t n = (uint32_t)case_range(&r, 1, 90);
    int8_t *a = malloc(n), *b = malloc(n), *expected = malloc(n), *out = malloc(n);
    for (uint32_t i = 0; i < n; i++) a[i] = (int8_t)case_next(&r), b[i] = (int8_t)case_next(&r);
    struct mote_scale scale[3];
    for (int k = 0; k < 3; k++) {
      const int half = k < 2 && case_range(&r, 0, 2) == 0;
      scale[k] = mote_scale_of(half ? 1 << 30 : (int32_t)(1u << 30 | case_next(&r) >> 2),
                               half     ? 0
                               : k == 2 ? case_range(&r, 16, 20)
                                        : case_range(&r, 0, 6));
    }
    const int32_t unit = (int32_t)1 << (case_range(&r, 0, 1) ? 20 : case_range(&r, 0, 20));
    struct mote_add_job d = {.s = scale[0],
                             .t = scale[1],
                             .u = scale[2],
                             .unit = unit,
                             .zp_a = case_range(&r, -128, 127) * unit,
                             .zp_b = case_range(&r, -128, 127) * unit,
                             .zp = case_range(&r, -128, 127),
                             .low = -128,
                             .high = case_range(&r, 0, 127),
                             .a = a,
                             .b = b,
                             .out = expected,
                             .n = n};
    mote_isa_add__plain(&d);
    d.out = out;
    for (int v = 0; v < 2; v++) {
      if (!there[v]) continue;
      const uint32_t done = adds[v](&d);
      assert_true(done <= n && n - done < 16);
      assert_memory_equal(out, expected, done);
    }
    const uint32_t c = (uint32_t)case_range(&r, 1, (int)n), w = n / c;
    uint32_t plain[90] = {0}, sums[90];
    mote_isa_add_row__plain(plain, a, w, c);
    for (int v = 0; v < 2; v++) {
      if (!there[v]) continue;
      memset(sums, 0, sizeof sums);
      const uint32_t done = sums_of[v](sums, a, w, c);
      assert_true(done <= c && c - done < 16);
      assert_memory_equal(sums, plain, 4 * done);
      for (uint32_t i = done; i < 90; i++) assert_int_equal(sums[i], 0);
    }
    free(a), free(b), free(expected), free(out);
  }
#else
  skip();
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_convolutions),
      cmocka_unit_test(test_depthwise),
      cmocka_unit_test(test_rows),
  };
  struct variant list[4];
  const unsigned n = variants(list);
  for (unsigned v = 0; v < n; v++)
    if (!list[v].there) print_message("skipped: this machine has no %s\n", list[v].name);
  return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
