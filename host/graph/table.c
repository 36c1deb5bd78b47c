/* graph: functions of 8-bit values as tables, each worked out as the reference works out a value (graph_table). */
#include "host/graph/graph.h"

#include <math.h>

/* One value of an input above its zero point becomes one of the output, before the clamp. */
struct function {
  const struct graph_node *n;
  float in_scale, out_scale;
  int32_t in_zp, out_zp;
};

/* Wraps as the reference's sum does on the machines that it runs on: scales far apart saturate what is rescaled. */
static int32_t wrapping_sum(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

static int32_t rescale(int32_t x, int32_t multiplier, int shift) {
  return mote_requantise(x, multiplier, shift < -31 ? -31 : shift > 30 ? 30 : shift);
}

/* ---- in fixed point -------------------------------------------------------------- */
/* The input in Q4.27, with the radius beyond which the function has ended. */
static int32_t sigmoid_of(const struct function *f, int32_t x) {
  int shift;
  const double q = frexp((double)f->in_scale * (double)(1 << 27), &shift);
  const int32_t multiplier = (int32_t)lround(q * 2147483648.0);
  const double radius = floor(15.0 * (double)(1 << 27) / ldexp(1, shift));
  const bool is_tanh = f->n->op == MOTE_OP_TANH;
  if (x <= -radius) return -128;
  if (x >= radius) return 127;
  const int32_t in = rescale(x, multiplier, shift);
  return is_tanh ? mote_divide_pot(mote_fixed_tanh(in), 24)
                 : mote_divide_pot(mote_fixed_logistic(in), 23) - 128;
}

/* x * 2^n, saturated. range: n 0..30. */
static int32_t shift16(int32_t x, int n) {
  const int64_t y = (int64_t)x * ((int64_t)1 << n);
  return (int32_t)(y < INT16_MIN ? INT16_MIN : y > INT16_MAX ? INT16_MAX : y);
}

/* round(a * b / 2^15), halves away from zero as the reference's nudge has it. */
static int32_t multiply16(int32_t a, int32_t b) {
  const int32_t product = a * b; /* <= 2^30 */
  const int32_t nudge = product >= 0 ? 1 << 14 : 1 - (1 << 14);
  return a == INT16_MIN && b == INT16_MIN ? INT16_MAX : (product + nudge) / (1 << 15);
}

/* The upper half of a multiplier, rounded. */
static int32_t narrow(int32_t multiplier) {
  return multiplier >= INT32_MAX - (1 << 15) ? INT16_MAX : (multiplier + (1 << 15)) >> 16;
}

/* x relu6(x + 3) / 6: relu6(x + 3) / 6 in Q0.15 is made from x on a scale of 3 / 2^15. */
static int32_t hard_swish(const struct function *f, int32_t x) {
  const float hires = (1.0f / 128.0f) * f->in_scale, reluish_scale = 3.0f / 32768.0f;
  int32_t multiplier, reluish_multiplier;
  int shift, reluish_shift;
  graph_multiplier((double)(hires / f->out_scale), &multiplier, &shift);
  graph_multiplier((double)(hires / reluish_scale), &reluish_multiplier, &reluish_shift);
  const int32_t in = x * 128; /* <= 2^15 - 1 */
  const int32_t scaled = multiply16(in, narrow(multiplier));
  int32_t reluish = in;
  if (reluish_shift > 0) reluish = shift16(reluish, reluish_shift - 1);
  reluish = multiply16(reluish, narrow(reluish_multiplier));
  if (reluish_shift > 0) reluish = shift16(reluish, 1);
  if (reluish_shift < 0)
    reluish = mote_divide_pot(reluish, reluish_shift < -31 ? 31 : -reluish_shift);
  reluish = (reluish + (1 << 15)) >> 1;
  const int32_t product = reluish * scaled / (1 << 15); /* truncates */
  return wrapping_sum(f->out_zp, mote_divide_pot(product, shift > 0     ? 0
                                                          : shift < -31 ? 31
                                                                        : -shift));
}

/* The reference is not defined below 0; 0 itself gives the largest value. */
static int32_t rsqrt(const struct function *f, int32_t x) {
  int32_t inverse, multiplier;
  int inverse_shift, shift;
  if (x <= 0) return 127;
  graph_multiplier(1.0 / (double)(sqrtf(f->in_scale) * f->out_scale), &multiplier, &shift);
  mote_fixed_inverse_root(x, &inverse, &inverse_shift);
  const int32_t data = rescale(1, inverse, inverse_shift + 20);
  return wrapping_sum(f->out_zp, rescale(data, multiplier, shift - 20));
}

/* ---- in float ------------------------------------------------------------------- */
/* A real value as one of the output: the reference multiplies by the reciprocal. */
static int32_t quantised(const struct function *f, float value) {
  const float y = roundf(value * (1 / f->out_scale)) + (float)f->out_zp;
  return !(y > -128) ? -128
         : y > 127   ? 127
                     : (int32_t)y; /* 0 times the reciprocal of next to nothing is no number */
}

static int32_t elu(const struct function *f, int32_t x) {
  const float real = f->in_scale * (float)x;
  return quantised(f, real < 0.0f ? expf(real) - 1.0f : real);
}

/* Of what has no logarithm the reference makes the least value. */
static int32_t logarithm(const struct function *f, int32_t x) {
  return x <= 0 ? -128 : quantised(f, logf(f->in_scale * (float)x));
}

static int32_t gelu(const struct function *f, int32_t x) {
  const float real = f->in_scale * (float)x;
  const float u = 0.7978845608f * (real + 0.044715f * real * real * real);
  const float value = f->n->attrs.approximate ? 0.5f * real * (1.0f + tanhf(u))
                                              : 0.5f * real * erfcf(real * -0.7071067812f);
  return quantised(f, value);
}

/* ---- rescaled ------------------------------------------------------------------- */
static int32_t leaky_relu(const struct function *f, int32_t x) {
  int32_t multiplier;
  int shift;
  const float alpha = f->n->attrs.alpha;
  const double real = (double)(f->in_scale * (x >= 0 ? 1 : alpha) / f->out_scale);
  graph_multiplier(fabs(real), &multiplier, &shift);
  const int32_t y = rescale(x, multiplier, shift);
  return wrapping_sum(f->out_zp, real < 0 ? (int32_t)(0u - (uint32_t)y) : y);
}

static int32_t scaled(const struct function *f, int32_t x, double real) {
  int32_t multiplier;
  int shift;
  graph_multiplier(real, &multiplier, &shift);
  return wrapping_sum(f->out_zp, rescale(x, multiplier, shift));
}

static int32_t value_of(const struct function *f, int32_t x) {
  const double quotient = (double)(f->in_scale / f->out_scale);
  switch (f->n->op) {
  case MOTE_OP_LOGISTIC:
  case MOTE_OP_TANH: return sigmoid_of(f, x);
  case MOTE_OP_HARD_SWISH: return hard_swish(f, x);
  case MOTE_OP_RSQRT: return rsqrt(f, x);
  case MOTE_OP_ELU: return elu(f, x);
  case MOTE_OP_GELU: return gelu(f, x);
  case MOTE_OP_EXP: return quantised(f, expf(f->in_scale * (float)x));
  case MOTE_OP_LOG: return logarithm(f, x);
  case MOTE_OP_LEAKY_RELU: return leaky_relu(f, x);
  case MOTE_OP_ABS:
    x = x < 0 ? -x : x;
    return f->in_scale != f->out_scale ? scaled(f, x, quotient) : f->out_zp + x;
  case MOTE_OP_RELU_N1_TO_1:
  case MOTE_OP_RELU_0_TO_1: return scaled(f, x, quotient);
  case MOTE_OP_RELU: return scaled(f, x < 0 ? 0 : x, quotient);
  case MOTE_OP_RELU6: return x + f->in_zp; /* without another scale, as the reference does it */
  default: return scaled(f, x, (double)f->in_scale / (double)f->out_scale); /* QUANTIZE */
  }
}

/* Bounds of a value in the output's numbers, within those of its type. */
static void bounds_of(const struct function *f, float from, float to, int32_t *low, int32_t *high) {
  const float least = (float)f->out_zp + roundf(from / f->out_scale),
              most = (float)f->out_zp + roundf(to / f->out_scale);
  if (least > (float)*low) *low = (int32_t)fminf(least, (float)*high);
  if (most < (float)*high) *high = (int32_t)fmaxf(most, (float)*low);
}

void graph_table(const struct graph *g, int node, uint8_t table[256]) {
  const struct graph_node *n = &g->nodes[node];
  const struct graph_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
  struct function f = {.n = n,
                       .in_scale = x->quant.scale[0],
                       .out_scale = y->quant.scale[0],
                       .in_zp = x->quant.zp[0],
                       .out_zp = y->quant.zp[0]};
  int32_t low = y->type == MOTE_UINT8 ? 0 : INT8_MIN, high = y->type == MOTE_UINT8 ? 255 : INT8_MAX;
  if (n->op == MOTE_OP_RELU) low = f.out_zp;
  if (n->op == MOTE_OP_RELU6) graph_activation_range(x, GRAPH_ACT_RELU6, &low, &high);
  if (n->op == MOTE_OP_RELU_N1_TO_1) bounds_of(&f, -1, 1, &low, &high);
  if (n->op == MOTE_OP_RELU_0_TO_1) bounds_of(&f, 0, 1, &low, &high);
  for (int i = 0; i < 256; i++) {
    const int32_t q = x->type == MOTE_UINT8 ? i : (int8_t)i;
    table[i] = (uint8_t)mote_clamp(value_of(&f, q - f.in_zp), low, high);
  }
}
