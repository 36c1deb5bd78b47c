/* fixed: a 4th order expansion and seven powers for exp, three Newton steps for the reciprocal. */
#include "mote/base/base.h"

#define ONE_Q0 INT32_MAX

static inline int32_t add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t negative(int32_t a) { return (int32_t)(0u - (uint32_t)a); }
static inline int32_t multiply(int32_t a, int32_t b) { return mote_mul_high(a, b); }

/* x * 2^n, saturated. range: n 1..30. */
static int32_t shift_saturated(int32_t x, int n) {
  const int32_t limit = (int32_t)(((uint32_t)1 << (31 - n)) - 1);
  if (x > limit) return INT32_MAX;
  if (x < -limit) return INT32_MIN;
  return (int32_t)((uint32_t)x << n);
}

/* exp(a) for a in [-1/4, 0), Q0.31: the 4th order expansion around -1/8, Horner-like as the reference
 * orders it: e^(-1/8) (1 + x + x^2/2 + x^3/6 + x^4/24), x = a + 1/8. |x| <= 1/8: nothing overflows. */
static int32_t exp_quarter(int32_t a) {
  const int32_t exp_eighth = 1895147668; /* e^(-1/8) */
  const int32_t third = 715827883;       /* 1/3 */
  const int32_t x = add(a, (int32_t)1 << 28);
  const int32_t x2 = multiply(x, x), x3 = multiply(x2, x), x4 = multiply(x2, x2);
  const int32_t tail = add(multiply(add(mote_divide_pot(x4, 2), x3), third), x2);
  return add(exp_eighth, multiply(exp_eighth, add(x, mote_divide_pot(tail, 1))));
}

/* a = quarters and a rest in [-1/4, 0); each bit of the quarters multiplies by its power of e. */
int32_t mote_fixed_exp(int32_t a, int integer_bits) {
  static const int32_t powers[7] = {
      1672461947, /* e^(-1/4) */
      1302514674, /* e^(-1/2) */
      790015084,  /* e^-1 */
      290630308,  /* e^-2 */
      39332535,   /* e^-4 */
      720401,     /* e^-8 */
      242,        /* e^-16 */
  };
  if (a == 0) return ONE_Q0;
  const int lowest = 29 - integer_bits; /* the bit that is worth 1/4 */
  const int32_t quarter = (int32_t)1 << lowest;
  const int32_t rest = (a & (quarter - 1)) - quarter;
  const uint32_t quarters = (uint32_t)rest - (uint32_t)a;
  int32_t result = exp_quarter(shift_saturated(rest, integer_bits)); /* to Q0.31 */
  for (int i = 0; i < 2 + integer_bits; i++)
    if (quarters >> (lowest + i) & 1) result = multiply(result, powers[i]);
  return result;
}

/* 2 / (1 + x) in Q2.29: half denominators and three Newton steps from 48/17 - 32/17 half. */
static int32_t twice_reciprocal(int32_t x) {
  const int32_t half = (int32_t)(((int64_t)x + ONE_Q0 + 1) >> 1); /* (1 + x) / 2 */
  int32_t y = add(1515870810, multiply(half, -1010580540));
  for (int i = 0; i < 3; i++) {
    const int32_t rest = add((int32_t)1 << 29, negative(multiply(half, y)));
    y = add(y, shift_saturated(multiply(y, rest), 2));
  }
  return y;
}

int32_t mote_fixed_reciprocal(int32_t x) {
  return shift_saturated(twice_reciprocal(x), 1); /* half of it, Q0.31 */
}

int32_t mote_fixed_logistic(int32_t a) {
  if (a == 0) return (int32_t)1 << 30;
  const int32_t positive = mote_fixed_reciprocal(mote_fixed_exp(a > 0 ? negative(a) : a, 4));
  return a > 0 ? positive : add(ONE_Q0, negative(positive));
}

/* With n = -2 |a| (the same bits, one integer bit more): (1 - e^n) / (1 + e^n) = 2 / (1 + e^n) - 1. */
int32_t mote_fixed_tanh(int32_t a) {
  if (a == 0) return 0;
  const int32_t e = mote_fixed_exp(a > 0 ? negative(a) : a, 5);
  const int32_t size = shift_saturated(add(twice_reciprocal(e), -((int32_t)1 << 29)), 2);
  return a < 0 ? negative(size) : size;
}

/* x is brought to [2^27, 2^29) by powers of 4 and read as Q3.28 of itself halved; from y = 1, five steps
 * y (3/2 - x/2 y^2); then 1 / sqrt 2 makes up for the halving. */
void mote_fixed_inverse_root(int32_t x, int32_t *multiplier, int *shift) {
  int right = 11;
  *multiplier = INT32_MAX;
  *shift = 0;
  if (x <= 1) return;
  for (; x >= (int32_t)1 << 29; x /= 4) right++;
  for (; x < (int32_t)1 << 27; x *= 4) right--;
  const int32_t in = x >> 1, half = mote_divide_pot(in, 1), three_halves = (int32_t)3 << 27;
  int32_t y = (int32_t)1 << 28;
  for (int i = 0; i < 5; i++) {
    const int32_t cube = shift_saturated(multiply(multiply(y, y), y), 6); /* Q9.22 to Q3.28 */
    const int32_t from = multiply(three_halves, y), less = multiply(half, cube);
    y = shift_saturated(add(from, negative(less)), 3); /* Q6.25 to Q3.28 */
  }
  y = multiply(y, 1518500250); /* sqrt(1/2), Q0.31 */
  if (right < 0) {
    y = (int32_t)((uint32_t)y << -right);
    right = 0;
  }
  *multiplier = y;
  *shift = -right;
}

/* Digit by digit, two bits of x for one of the root. */
uint32_t mote_sqrt_u32(uint32_t x) {
  uint32_t root = 0, bit = (uint32_t)1 << 30;
  while (bit > x) bit >>= 2;
  for (; bit; bit >>= 2) {
    const uint32_t trial = root + bit;
    root >>= 1;
    if (x >= trial) {
      x -= trial;
      root += bit;
    }
  }
  return root;
}
