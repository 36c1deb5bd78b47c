/* Every kernel against an obvious reference written from the operators' definition, on seeded shapes, and
 * every check against hostile params. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mote/isa/isa.h"
#include "test/nn_cases.h"

static struct case_memory memory;

/* ---- the reference: plain numbers, no tricks ----------------------------------- */

/* Doubling high product and rounding shift as the definition has them. */
static int32_t reference_requantise(int32_t x, int32_t multiplier, int shift) {
  const int32_t shifted = (int32_t)((uint32_t)x << (shift > 0 ? shift : 0));
  const int64_t product = (int64_t)shifted * multiplier;
  const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  int64_t high = (product + nudge) / ((int64_t)1 << 31); /* truncates */
  if (shift < 0) {
    const int64_t half = (int64_t)1 << (-shift - 1), size = high < 0 ? -high : high;
    high = high < 0 ? -((size + half) >> -shift) : (size + half) >> -shift;
  }
  return (int32_t)high;
}

static int8_t reference_output(const struct nn_case *t, const struct mote_output *o, int c,
                               int64_t sum) {
  const int32_t acc = (int32_t)(uint32_t)(uint64_t)(sum + (t->has_bias ? t->bias[c] : 0));
  const int64_t q = (int64_t)reference_requantise(acc, t->multiplier[c], t->shift[c]) + o->zp;
  return (int8_t)(q < o->low ? o->low : q > o->high ? o->high : q);
}

static void reference_conv(const struct nn_case *t, int8_t *out) {
  const struct mote_conv2d_s8 *p = (const struct mote_conv2d_s8 *)t->params;
  for (int r = 0; r < p->rows_out; r++)
    for (int x = 0; x < p->out_w; x++)
      for (int oc = 0; oc < p->out_c; oc++) {
        int64_t sum = 0;
        for (int i = 0; i < p->kernel_h; i++)
          for (int j = 0; j < p->kernel_w; j++) {
            const int8_t *row = (const int8_t *)t->rows[r * p->stride_h + i];
            const int column = x * p->stride_w - p->pad_left + j * p->dilation_w;
            if (!row || column < 0 || column >= p->in_w) continue;
            for (int c = 0; c < p->in_c; c++)
              sum += case_weight(t, oc, i, j, c) * (row[column * p->in_c + c] - p->output.in_zp);
          }
        *out++ = reference_output(t, &p->output, oc, sum);
      }
}

static void reference_depthwise(const struct nn_case *t, int8_t *out) {
  const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)t->params;
  for (int r = 0; r < p->rows_out; r++)
    for (int x = 0; x < p->out_w; x++)
      for (int oc = 0; oc < p->in_c * p->multiplier; oc++) {
        int64_t sum = 0;
        for (int i = 0; i < p->kernel_h; i++)
          for (int j = 0; j < p->kernel_w; j++) {
            const int8_t *row = (const int8_t *)t->rows[r * p->stride_h + i];
            const int column = x * p->stride_w - p->pad_left + j * p->dilation_w;
            if (!row || column < 0 || column >= p->in_w) continue;
            sum += case_weight(t, oc, i, j, 0) *
                   (row[column * p->in_c + oc / p->multiplier] - p->output.in_zp);
          }
        *out++ = reference_output(t, &p->output, oc, sum);
      }
}

static void reference_sums(const struct nn_case *t, int8_t *out) {
  const struct mote_depthwise_sums_s8 *p = (const struct mote_depthwise_sums_s8 *)t->params;
  for (int c = 0; c < p->c; c++) {
    int64_t sum = 0;
    for (unsigned y = 0; y < t->calls; y++)
      for (int i = c; i < p->w * p->c; i += p->c)
        sum += ((const int8_t *)t->rows[2 * y + 1])[i] *
               (((const int8_t *)t->rows[2 * y])[i] - p->output.in_zp);
    *out++ = reference_output(t, &p->output, c, sum);
  }
}

static void reference_dense(const struct nn_case *t, int8_t *out) {
  const struct mote_fully_connected_s8 *p = (const struct mote_fully_connected_s8 *)t->params;
  for (int v = 0; v < p->vectors; v++)
    for (int oc = 0; oc < p->out_c; oc++) {
      int64_t sum = 0;
      for (int c = 0; c < p->in_c; c++)
        sum += case_weight(t, oc, 0, 0, c) *
               (((const int8_t *)t->rows[0])[v * p->in_c + c] - p->output.in_zp);
      *out++ = reference_output(t, &p->output, oc, sum);
    }
}

static void reference_add(const struct nn_case *t, int8_t *out) {
  const struct mote_add_s8 *p = (const struct mote_add_s8 *)t->params;
  for (uint32_t i = 0; i < p->n; i++) {
    int32_t sum = 0;
    for (int k = 0; k < 2; k++)
      sum +=
          reference_requantise((((const int8_t *)t->rows[k])[i] - p->zp[k]) * (1 << p->left_shift),
                               p->multiplier[k], p->shift[k]);
    const int32_t q = reference_requantise(sum, p->out_multiplier, p->out_shift) + p->out_zp;
    out[i] = (int8_t)(q < p->low ? p->low : q > p->high ? p->high : q);
  }
}

static void reference_pool(const struct nn_case *t, int8_t *out) {
  const struct mote_pool_s8 *p = (const struct mote_pool_s8 *)t->params;
  for (int r = 0; r < p->rows_out; r++)
    for (int x = 0; x < p->out_w; x++)
      for (int c = 0; c < p->c; c++) {
        int sum = 0, count = 0, largest = -128;
        for (int i = 0; i < p->kernel_h; i++)
          for (int j = 0; j < p->kernel_w; j++) {
            const int8_t *row = (const int8_t *)t->rows[r * p->stride_h + i];
            const int column = x * p->stride_w - p->pad_left + j;
            if (!row || column < 0 || column >= p->in_w) continue;
            const int v = row[column * p->c + c];
            sum += v;
            count++;
            largest = v > largest ? v : largest;
          }
        int q = largest;
        if (t->op == MOTE_OP_AVERAGE_POOL_2D)
          q = count == 0 ? 0 : sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
        *out++ = (int8_t)(q < p->low ? p->low : q > p->high ? p->high : q);
      }
}

static void reference_mean(const struct nn_case *t, int8_t *out) {
  const struct mote_mean_s8 *p = (const struct mote_mean_s8 *)t->params;
  const int n = (int)p->count;
  for (int c = 0; c < p->c; c++) {
    int sum = 0;
    for (unsigned y = 0; y < t->calls; y++)
      for (int x = 0; x < p->w; x++) sum += ((const int8_t *)t->rows[y])[x * p->c + c];
    int q = sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n;
    if (!p->divide)
      q = reference_requantise(sum - n * p->in_zp, p->multiplier, p->shift) + p->out_zp;
    out[c] = (int8_t)(q < p->low ? p->low : q > p->high ? p->high : q);
  }
}

static void reference_shape(const struct nn_case *t, int8_t *out) {
  if (t->op == MOTE_OP_RESHAPE) {
    const struct mote_copy *p = (const struct mote_copy *)t->params;
    for (uint32_t i = 0; i < p->bytes; i++) out[i] = ((const int8_t *)t->rows[0])[i];
    return;
  }
  const struct mote_pad_s8 *p = (const struct mote_pad_s8 *)t->params;
  for (uint32_t i = 0; i < p->before_bytes; i++) *out++ = (int8_t)p->value;
  for (uint32_t i = 0; i < p->row_bytes; i++)
    *out++ = t->rows[0] ? ((const int8_t *)t->rows[0])[i] : (int8_t)p->value;
  for (uint32_t i = 0; i < p->after_bytes; i++) *out++ = (int8_t)p->value;
}

/* ---- kernels against the reference --------------------------------------------- */

static void compare(uint32_t first, uint32_t last) {
  static int8_t expected[CASE_BYTES];
  unsigned compared = 0;
  struct nn_case t;
  for (uint32_t n = first; n < last; n++) {
    if (!case_make(&t, &memory, n)) continue;
    assert_int_equal(case_check(&t), MOTE_OK);
    switch (t.op) {
    case MOTE_OP_CONV_2D: reference_conv(&t, expected); break;
    case MOTE_OP_DEPTHWISE_CONV_2D:
      if (t.kernel == &mote_kernel_depthwise_sums_s8)
        reference_sums(&t, expected);
      else
        reference_depthwise(&t, expected);
      break;
    case MOTE_OP_FULLY_CONNECTED: reference_dense(&t, expected); break;
    case MOTE_OP_ADD: reference_add(&t, expected); break;
    case MOTE_OP_AVERAGE_POOL_2D:
    case MOTE_OP_MAX_POOL_2D: reference_pool(&t, expected); break;
    case MOTE_OP_MEAN: reference_mean(&t, expected); break;
    case MOTE_OP_SOFTMAX: continue; /* by itself below */
    default: reference_shape(&t, expected);
    }
    case_run(&t);
    if (memcmp(expected, t.out, t.bounds.out_bytes))
      fail_msg("case %u (%s) differs", (unsigned)n, mote_op_name((int)t.op));
    if (!case_guards(&t))
      fail_msg("case %u (%s) writes outside", (unsigned)n, mote_op_name((int)t.op));
    compared++;
  }
  assert_true(compared > (last - first) / 2);
}

static void test_kernels(void **s) {
  (void)s;
  compare(0, 13000);
}

static void test_add_in_place(void **s) {
  (void)s;
  struct nn_case t;
  int8_t expected[512];
  for (uint32_t n = 5; n < 2000; n += CASE_KINDS) {
    for (int which = 0; which < 2; which++) {
      assert_true(case_make(&t, &memory, n));
      assert_int_equal(t.op, MOTE_OP_ADD);
      reference_add(&t, expected);
      int8_t *out = (int8_t *)(uintptr_t)t.rows[which];
      t.kernel->row(t.params, t.rows, t.state, out);
      assert_memory_equal(out, expected, t.bounds.out_bytes);
    }
  }
}

/* A 1x1 convolution that makes no more channels than it reads may write over its input. */
static void test_conv_in_place(void **s) {
  (void)s;
  struct nn_case t;
  static int8_t expected[CASE_BYTES];
  unsigned tried = 0;
  for (uint32_t n = 0; n < 1000 * CASE_KINDS; n += CASE_KINDS) {
    if (!case_make(&t, &memory, n)) continue;
    struct mote_conv2d_s8 *p = (struct mote_conv2d_s8 *)t.params;
    if (p->kernel_w * p->kernel_h != 1 || p->stride_w != 1 || p->pad_left || p->out_c > p->in_c ||
        p->rows_out != 1 || p->out_w > p->in_w)
      continue;
    reference_conv(&t, expected);
    int8_t *out = (int8_t *)(uintptr_t)t.rows[0];
    t.kernel->row(t.params, t.rows, t.state, out);
    assert_memory_equal(out, expected, t.bounds.out_bytes);
    tried++;
  }
  assert_true(tried > 10);
}

/* Convolutions that a plan may write over what they read. */
static void test_conv_in_row(void **s) {
  (void)s;
  struct nn_case t;
  static int8_t expected[CASE_BYTES];
  unsigned tried[2] = {0, 0};
  for (uint32_t n = 0; n < 4000; n++) {
    if (!case_make(&t, &memory, n | CASE_IN_ROW)) continue;
    assert_int_equal(case_check(&t), MOTE_OK);
    (t.op == MOTE_OP_CONV_2D ? reference_conv : reference_depthwise)(&t, expected);
    case_run(&t);
    assert_memory_equal(t.out, expected, t.bounds.out_bytes);
    const int8_t *result = case_result(&t);
    if (memcmp(result, expected, t.bounds.out_bytes))
      fail_msg("case %u in its row (%s) differs", (unsigned)n, mote_op_name((int)t.op));
    assert_true(case_guards(&t));
    tried[n % 2] += result != t.out;
  }
  assert_true(tried[0] > 100 && tried[1] > 100);
}

/* Against real arithmetic: at most one step away, and the rows sum to about 256. */
static double exponential(double x) {
  double e = 1, term = 1;
  x /= 64;
  for (int i = 1; i < 20; i++) e += term *= x / i;
  for (int i = 0; i < 6; i++) e *= e;
  return e;
}

static void test_softmax(void **s) {
  (void)s;
  struct nn_case t;
  for (uint32_t n = 10; n < 1000 * CASE_KINDS; n += CASE_KINDS) {
    assert_true(case_make(&t, &memory, n));
    assert_int_equal(t.op, MOTE_OP_SOFTMAX);
    const struct mote_softmax_s8 *p = (const struct mote_softmax_s8 *)t.params;
    assert_int_equal(case_check(&t), MOTE_OK);
    case_run(&t);
    assert_true(case_guards(&t));
    double scale = (double)p->multiplier / 2147483648.0;
    for (int i = 0; i < p->left_shift; i++) scale *= 2;
    scale /= 67108864.0; /* of one step of the input */
    for (int r = 0; r < p->rows; r++) {
      const int8_t *in = (const int8_t *)t.rows[0] + r * p->c, *out = t.out + r * p->c;
      int largest = -128;
      double sum = 0;
      for (int c = 0; c < p->c; c++) largest = in[c] > largest ? in[c] : largest;
      for (int c = 0; c < p->c; c++) sum += exponential((in[c] - largest) * scale);
      for (int c = 0; c < p->c; c++) {
        const double real = exponential((in[c] - largest) * scale) / sum * 256 - 128;
        const double off = out[c] - (real > 127 ? 127 : real);
        if (off > 0.51 || off < -0.51)
          fail_msg("softmax case %u: %d, not %f", (unsigned)n, out[c], real);
      }
    }
  }
}

/* ---- requantisation -------------------------------------------------------------- */

static const int32_t edges[] = {INT32_MIN,
                                INT32_MIN + 1,
                                -(1 << 30) - 1,
                                -(1 << 30),
                                -(1 << 30) + 1,
                                -65537,
                                -65536,
                                -65535,
                                -32769,
                                -32768,
                                -3,
                                -2,
                                -1,
                                0,
                                1,
                                2,
                                3,
                                32767,
                                32768,
                                65535,
                                65536,
                                65537,
                                (1 << 30) - 1,
                                1 << 30,
                                INT32_MAX - 1,
                                INT32_MAX};
#define EDGES (int)(sizeof edges / sizeof *edges)

static void test_mul_high(void **s) {
  (void)s;
  uint32_t r = 1;
  for (int i = 0; i < 2000000; i++) {
    const int32_t a = i < EDGES * EDGES ? edges[i / EDGES] : (int32_t)case_next(&r) >> (i % 20);
    const int32_t b = i < EDGES * EDGES ? edges[i % EDGES] : (int32_t)case_next(&r) >> (i % 7);
    const int64_t product = (int64_t)a * b;
    const int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
    int64_t expected = (product + nudge) / ((int64_t)1 << 31);
    if (a == INT32_MIN && b == INT32_MIN) expected = INT32_MAX;
    assert_int_equal(mote_mul_high(a, b), (int32_t)expected);
    if (b >= 0) {
      assert_int_equal(mote_mul_high__short(a, b), (int32_t)expected);
      assert_int_equal(mote_isa_mul_high(a, b), (int32_t)expected);
    }
  }
}

/* The packed way equals the general way for every shift it allows and every zero point. */
static void test_packed_output(void **s) {
  (void)s;
  uint32_t r = 2;
  for (int i = 0; i < 2000000; i++) {
    struct mote_output o = {.low = -128, .high = 127};
    struct mote_channel ch = {0, (int32_t)(1u << 30 | case_next(&r) >> 2), -case_range(&r, 1, 22)};
    if (i % 16 == 0) ch.multiplier = i % 32 ? 1 << 30 : INT32_MAX;
    o.zp = (int8_t)case_range(&r, -128, 127);
    int32_t sum = (int32_t)case_next(&r) >> case_range(&r, 2, 24);
    /* Aim at halves, where rounding decides. */
    if (i % 3 == 0)
      sum =
          (int32_t)((int64_t)((2 * (sum % 512) + 1)) * ((int64_t)1 << (-ch.shift - 1)) % (1 << 30));
    o.low = (int8_t)case_range(&r, -128, 127);
    o.high = (int8_t)case_range(&r, o.low, 127);
    assert_int_equal(mote_output_packed(&o, &ch, mote_channel_round(&o, &ch), sum),
                     mote_output_wide(&o, &ch, sum));
    const int32_t q = reference_requantise(sum, ch.multiplier, ch.shift) + o.zp;
    assert_int_equal(mote_output_wide(&o, &ch, sum), q < o.low ? o.low : q > o.high ? o.high : q);
  }
}

/* A stair gives the operator's output for every sum of its range: all of them are tried. */
static void try_stairs(enum mote_stair_kind kind, int bits) {
  uint32_t r = 4711;
  unsigned found = 0, tried = 0;
  for (int i = 0; i < 240; i++) {
    const int32_t multiplier = (int32_t)(1u << 30 | case_next(&r) >> 2);
    const int shift = case_range(&r, i % 8 ? -12 : -22, -5), reach = 1 << case_range(&r, 10, bits);
    const int32_t least = -case_range(&r, 0, reach), most = case_range(&r, 0, reach - 1);
    const int32_t bias = case_range(&r, -200000, 200000);
    struct {
      struct mote_output o;
      struct mote_stair stair;
    } p = {{0}, {0, 0}};
    p.o.zp = (int8_t)(i % 3 ? -128 : case_range(&r, -128, 127));
    p.o.low = (int8_t)(i % 5 ? p.o.zp : -128);
    p.o.high = (int8_t)(i % 4 ? 127 : case_range(&r, p.o.low, 127));
    p.o.requant_at = (int32_t)((uint8_t *)&p.stair - (uint8_t *)&p);
    const int above = p.o.low == p.o.zp;
    tried += (unsigned)above;
    if (!mote_find_stair(&p.o, kind, multiplier, shift, bias, least, most, &p.stair)) continue;
    found += (unsigned)above;
    if (kind == MOTE_STAIR_DIGITS)
      assert_true((p.stair.word & 255) <= 31);
    else
      assert_true(p.stair.word >= MOTE_STAIR_HIGH && (p.stair.word & 31) <= 24);
    for (int32_t sum = least; sum <= most; sum++) {
      const int32_t q = mote_requantise(sum + bias, multiplier, shift) + p.o.zp;
      const int8_t expected = (int8_t)mote_clamp(q, p.o.low, p.o.high);
      if ((kind == MOTE_STAIR_DIGITS
               ? mote_output_stair(&p.o, 0, 1, sum)
               : mote_output_stair_high(&p.o, 0, 1, sum, kind == MOTE_STAIR_NINE)) != expected)
        fail_msg("kind %d, case %d: a sum of %d gives another output", (int)kind, i, sum);
    }
  }
  assert_true(
      10 * found >=
      9 * tried); /* where nothing below the zero point comes out, there almost always is one */
}
static void test_stairs(void **state) {
  (void)state;
  try_stairs(MOTE_STAIR_DIGITS, 20);
  try_stairs(MOTE_STAIR_SUM, 20);
  try_stairs(MOTE_STAIR_NINE, 17);
}

static void test_pack_refuses(void **s) {
  (void)s;
  const int32_t m[2] = {1 << 30, INT32_MAX};
  uint32_t words[2];
  int8_t base = 0;
  assert_true(mote_pack_requant(m, (int32_t[]){-22, -19}, NULL, 2, 64, words, &base));
  assert_int_equal(base, -19);
  assert_int_equal(words[0] & 3, 3);
  assert_false(mote_pack_requant(m, (int32_t[]){-23, -20}, NULL, 2, 64, words, &base));
  assert_false(mote_pack_requant(m, (int32_t[]){-9, -5}, NULL, 2, 64, words, &base));
  assert_false(mote_pack_requant(m, (int32_t[]){0, -1}, NULL, 2, 64, words, &base));
  assert_false(
      mote_pack_requant((int32_t[]){0, 1 << 30}, (int32_t[]){-5, -5}, NULL, 2, 64, words, &base));
  assert_false(
      mote_pack_requant(m, (int32_t[]){-5, -5}, (int32_t[]){1 << 30, 0}, 2, 1, words, &base));
  assert_false(
      mote_pack_requant(m, (int32_t[]){-5, -5}, (int32_t[]){INT32_MIN, 0}, 2, 1, words, &base));
  assert_false(mote_pack_requant(m, (int32_t[]){-5, -5}, NULL, 2, 40000, words, &base));
}

/* ---- hostile params --------------------------------------------------------------- */

/* Flips bits of params and constants. Whatever the check lets pass must run inside its bounds: the guards
 * tell here, the sanitizers tell in their builds, where the case lies in blocks of exact size. */
static void test_hostile(void **s) {
  (void)s;
  uint32_t r = 3;
  unsigned refused = 0, passed = 0;
  struct nn_case t;
  for (uint32_t n = 0; n < 40000; n++) {
    if (!case_make(&t, &memory, n % 4000)) continue;
    uint8_t *params = (uint8_t *)t.params;
    const size_t head = 52 < t.bounds.params_bytes ? 52 : t.bounds.params_bytes;
    const int flips = case_range(&r, 1, 3);
    for (int i = 0; i < flips; i++) {
      const size_t at = case_next(&r) % head;
      switch (case_range(&r, 0, 3)) {
      case 0: params[at] ^= (uint8_t)(1 << case_range(&r, 0, 7)); break;
      case 1: params[at] = (uint8_t)case_next(&r); break;
      case 2: params[at] = 0; break;
      default: params[at] = (uint8_t)(params[at] + 1);
      }
    }
    if (case_check(&t) != MOTE_OK) {
      refused++;
      continue;
    }
    passed++;
    /* Rows, state and output each in a block of their own, so that a sanitizer sees every step outside. */
    void *state = malloc(t.bounds.state_bytes ? t.bounds.state_bytes : 1);
    void *out = malloc(t.bounds.out_bytes ? t.bounds.out_bytes : 1);
    void *blocks[CASE_ROWS] = {0};
    const void *rows[CASE_ROWS] = {0};
    for (int k = 0; k < CASE_ROWS; k++) {
      if (!t.rows[k]) continue;
      const size_t bytes = t.bounds.row_bytes[k > 0 && t.op == MOTE_OP_ADD];
      blocks[k] = malloc(bytes ? bytes : 1);
      memcpy(blocks[k], t.rows[k], bytes);
      rows[k] = blocks[k];
    }
    if (t.kernel->begin) t.kernel->begin(t.params, state);
    for (unsigned i = 0; i < t.calls; i++) t.kernel->row(t.params, rows + i, state, out);
    if (t.kernel->end) t.kernel->end(t.params, state, out);
    for (int k = 0; k < CASE_ROWS; k++) free(blocks[k]);
    free(state);
    free(out);
  }
  assert_true(refused > 1000);
  assert_true(passed > 1000);
}

/* A constant that is not what the compiler writes. */
static void refuse(const struct nn_case *t, int32_t *at, int32_t value) {
  const int32_t was = *at;
  *at = value;
  assert_int_equal(case_check(t), MOTE_ERR_PARAMS);
  *at = was;
  assert_int_equal(case_check(t), MOTE_OK);
}

static void refuse_table(const struct nn_case *t, struct mote_nine_table *table) {
  static const int32_t h[] = {-1, 4096, 0x7FFFF, INT32_MIN}, l[] = {-2049, 2048, INT32_MAX};
  for (int i = 0; i < 4; i++) refuse(t, &table->h, h[i]);
  for (int i = 0; i < 3; i++) refuse(t, &table->l, l[i]);
  for (int i = 0; i < 9; i++) {
    refuse(t, &table->weights[i], 128);
    refuse(t, &table->weights[i], INT32_MIN);
  }
  refuse(t, (int32_t *)&table->word, (int32_t)(table->word | 32));
  for (int i = 0; i < 3; i++)
    refuse(t, (int32_t *)&table->outside[i], (int32_t)(table->outside[i] ^ 1));
}

/* Tables and weights as words have room for numbers that int8 has not: none that a loop could meet. */
static void test_words_are_proven(void **s) {
  (void)s;
  unsigned tried[2] = {0, 0};
  struct nn_case t;
  for (uint32_t n = 0; n < 8000; n++) {
    if (!case_make(&t, &memory, n)) continue;
    if (t.kernel == &mote_kernel_depthwise_stairs_tables_s8) {
      const struct mote_depthwise_conv2d_s8 *p = (const struct mote_depthwise_conv2d_s8 *)t.params;
      struct mote_nine_table *tables =
          (struct mote_nine_table *)(void *)((uint8_t *)t.params + p->weights_at);
      refuse_table(&t, &tables[0]);
      refuse_table(&t, &tables[p->in_c * p->multiplier - 1]);
      tried[0]++;
    }
    if (t.kernel == &mote_kernel_conv2d_stairs_words_s8) {
      const struct mote_conv2d_s8 *p = (const struct mote_conv2d_s8 *)t.params;
      int32_t *weights = (int32_t *)(void *)((uint8_t *)t.params + p->weights_at);
      refuse(&t, &weights[0], 128);
      refuse(&t, &weights[p->out_c * mote_conv_window(p) - 1], -129);
      tried[1]++;
    }
  }
  assert_true(tried[0] > 5 && tried[1] > 5);
}

/* One byte less of anything that a kernel touches must be refused. */
static void test_bounds_are_tight(void **s) {
  (void)s;
  struct nn_case t;
  for (uint32_t n = 0; n < 2600; n++) {
    if (!case_make(&t, &memory, n)) continue;
    struct nn_case less = t;
    if (t.bounds.state_bytes) {
      less.bounds.state_bytes--;
      assert_int_not_equal(case_check(&less), MOTE_OK);
    }
    less = t;
    if (t.bounds.out_bytes) {
      less.bounds.out_bytes--;
      assert_int_not_equal(case_check(&less), MOTE_OK);
    }
    less = t;
    if (t.bounds.row_bytes[0]) {
      less.bounds.row_bytes[0]--;
      assert_int_not_equal(case_check(&less), MOTE_OK);
    }
    less = t;
    less.bounds.rows[0]--;
    assert_int_not_equal(case_check(&less), MOTE_OK);
    less = t;
    less.bounds.params_bytes = 3;
    assert_int_not_equal(case_check(&less), MOTE_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kernels),          cmocka_unit_test(test_add_in_place),
      cmocka_unit_test(test_conv_in_place),    cmocka_unit_test(test_conv_in_row),
      cmocka_unit_test(test_softmax),          cmocka_unit_test(test_mul_high),
      cmocka_unit_test(test_packed_output),    cmocka_unit_test(test_stairs),
      cmocka_unit_test(test_pack_refuses),     cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_words_are_proven), cmocka_unit_test(test_bounds_are_tight),
  };
  return cmocka_run_group_tests_name("nn", tests, NULL, NULL);
}
