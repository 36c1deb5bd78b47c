/* real: functions of real numbers in float32. See real.h.
 *
 * Each is the classical scheme: bring the argument into a small interval without rounding, evaluate a short
 * polynomial there, put the scale back. Polynomials are minimax fits (weighted for the relative error of the
 * result, coefficients rounded to float one after the other); the errors that they add are below 0.1 ulp and
 * stand beside them. source: the definitions, fitted in 40 digits. */
#include "mote/base/real.h"

#define SIGN     0x80000000u
#define INFINITE 0x7F800000u

/* 2^n. range: n in [-126, 127]. */
static float power_of_2(int32_t n) { return mote_real_of((uint32_t)(n + 127) << 23); }

/* What has no value: NaN for any x that is NaN or infinite. */
static float invalid(float x) { return (x - x) / (x - x); }

/* ---- exponential ------------------------------------------------------------ */
/* e^r - 1 with x = n ln 2 + r, |r| <= 0.347. range: |x| < 128: n has 8 bits, so n * 355/512 is exact. */
static float exp_rest(float x, int32_t *n) {
  const float turns = x * 0x1.715476p+0f; /* 1 / ln 2 */
  const int32_t whole = (int32_t)(turns + (turns < 0 ? -0.5f : 0.5f));
  const float k = (float)whole;
  *n = whole;
  /* ln 2 = 355/512 - 0x1.bd0106p-13. */
  const float r = (x - k * 0x1.63p-1f) + k * 0x1.bd0106p-13f;
  /* (e^r - 1 - r) / r^2, error 1.4e-8 of r. */
  const float p = 0x1p-1f + r * (0x1.5554aap-3f +
                                 r * (0x1.555538p-5f + r * (0x1.122c52p-7f + r * 0x1.6cd78ep-10f)));
  return r + r * r * p;
}

float mote_real_exp(float x) {
  int32_t n;
  if (x != x) return x;
  if (x > 0x1.62e42ep+6f) return mote_real_of(INFINITE); /* ln of the largest float */
  if (x < -104.0f) return 0.0f;
  const float y = 1.0f + exp_rest(x, &n);
  /* n in [-150, 128]: 2^n alone may be no float. The last product rounds, once. */
  if (n > 127) return y * 2.0f * power_of_2(n - 1);
  if (n >= -125) return y * power_of_2(n);
  return y * power_of_2(n + 64) * 0x1p-64f;
}

float mote_real_expm1(float x) {
  int32_t n;
  if (x != x) return x;
  if (x > 60.0f) return mote_real_exp(x); /* 1 is far below its last place */
  if (x < -18.0f) return -1.0f;
  const float t = exp_rest(x, &n);
  if (n == 0) return mote_real_abs(x) < 0x1p-25f ? x : t;
  const float scale = power_of_2(n);
  /* 2^n (1 + t) - 1, with the subtraction where it is exact. */
  return n < 24 ? (scale - 1.0f) + scale * t : scale + (scale * t - 1.0f);
}

float mote_real_logistic(float x) {
  if (x < 0) {
    const float e = mote_real_exp(x);
    return e / (1.0f + e);
  }
  return 1.0f / (1.0f + mote_real_exp(-x));
}

float mote_real_tanh(float x) {
  const uint32_t sign = mote_real_bits(x) & SIGN;
  const float a = mote_real_abs(x);
  if (x != x) return x;
  if (a > 9.02f) return mote_real_of(sign | 0x3F800000); /* 1 - tanh < 2^-25 */
  if (a > 0.625f) {
    const float y = 1.0f - 2.0f / (mote_real_exp(2.0f * a) + 1.0f);
    return mote_real_of(sign | mote_real_bits(y));
  }
  const float z = x * x;
  /* (tanh(x) / x - 1) / x^2, error 4.2e-9 of x. */
  const float p =
      -0x1.555534p-2f +
      z * (0x1.11075ep-3f + z * (-0x1.b842c4p-5f + z * (0x1.524c40p-6f + z * -0x1.767a14p-8f)));
  return x + x * z * p;
}

/* ---- logarithm --------------------------------------------------------------- */
float mote_real_log(float x) {
  uint32_t bits = mote_real_bits(x);
  int32_t k = 0;
  if (bits - 1 >= INFINITE - 1) { /* 0, negative, infinite or NaN */
    if ((bits << 1) == 0) return mote_real_of(SIGN | INFINITE);
    return bits == INFINITE || x != x ? x : invalid(x);
  }
  if (bits < 0x00800000) { /* subnormal */
    bits = mote_real_bits(x * 0x1p25f);
    k = -25;
  }
  /* x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)). */
  const uint32_t from = bits - 0x3F3504F3;
  k += (int32_t)from >> 23;
  const float f = mote_real_of((from & 0x007FFFFF) + 0x3F3504F3) - 1.0f;
  /* log(1 + f) = 2s + s z q(z) with s = f / (2 + f), z = s^2; and 2s = f - s f. q's error is 1.6e-9 of 2s. */
  const float s = f / (2.0f + f), z = s * s;
  const float q = z * (0x1.55557ap-1f + z * (0x1.995eccp-2f + z * 0x1.31e23ep-2f));
  const float n = (float)k;
  /* ln 2 in two parts: 15 bits, so that n times it is exact, and the rest. */
  return n * 0x1.62e4p-1f + (f - (s * (f - q) - n * 0x1.7f7d1cp-20f));
}

/* ---- sine and cosine ------------------------------------------------------------ */
/* 32 zeros, then 2/pi. 24 bits of a float times 96 of these leave 62 after the quarters; no float lies nearer
 * than 2^-30 to a multiple of pi/2, so the rest has 32 good bits. */
static const uint32_t two_by_pi[8] = {0,          0xA2F9836E, 0x4E441529, 0xFC2757D1,
                                      0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB};

/* |x| = (quarters + 4i) pi/2 + rest, |rest| <= pi/4. needs: |x| >= 1/2, finite. */
static float reduce(uint32_t bits, uint32_t *quarters) {
  const uint64_t m = (bits & 0x007FFFFF) | 0x00800000;
  /* |x| = m 2^s; the window begins where a bit times 2^s weighs 2. s in [-24, 104]: at in [6, 134]. */
  const uint32_t at = (bits >> 23) - 150 + 30, word = at / 32, shift = at % 32;
  uint32_t w[3];
  for (uint32_t i = 0; i < 3; i++) {
    const uint32_t *t = two_by_pi + word + i;
    w[i] = shift ? t[0] << shift | t[1] >> (32 - shift) : t[0];
  }
  const uint64_t low = m * w[1] + ((m * w[2]) >> 32); /* < 2^57 */
  const uint64_t turns =
      ((m * w[0] + (low >> 32)) << 32) | (uint32_t)low; /* modulo 4, 62 bits behind */
  const uint64_t nearest = (turns + ((uint64_t)1 << 61)) >> 62;
  const uint64_t rest = turns - (nearest << 62);
  const uint32_t negative = (uint32_t)(rest >> 63);
  const uint64_t size = (negative ? 0 - rest : rest) | 1;
  const int32_t zeros = __builtin_clzll(size);
  /* 32 leading bits times pi/2 in Q31, rounded to float once. */
  const uint64_t product = (uint64_t)(uint32_t)(size << zeros >> 32) * 0xC90FDAA2;
  const float r = (float)(uint32_t)(product >> 32) * power_of_2(-29 - zeros);
  *quarters = (uint32_t)nearest;
  return negative ? -r : r;
}

/* Sine of x after `quarters` more quarter turns. */
static float sine(float x, uint32_t quarters) {
  const uint32_t size = mote_real_bits(x) & 0x7FFFFFFF;
  float r = x;
  if (size >= INFINITE) return invalid(x);
  if (size > 0x3F490FDA) { /* pi/4 */
    uint32_t more;
    r = reduce(size, &more);
    /* A negative x turns the other way. */
    if (mote_real_bits(x) & SIGN) {
      r = -r;
      more = 0 - more;
    }
    quarters += more;
  }
  const float z = r * r;
  float y;
  if (quarters & 1) /* (cos r - 1 + r^2/2) / r^4, error 1.1e-10 */
    y = 1.0f - (0.5f * z - z * z * (0x1.55554ap-5f + z * (-0x1.6c0c1ap-10f + z * 0x1.99e0eep-16f)));
  else /* (sin r / r - 1) / r^2, error 3.7e-9 of r */
    y = r + r * z * (-0x1.555546p-3f + z * (0x1.11077cp-7f + z * -0x1.9955b6p-13f));
  return quarters & 2 ? -y : y;
}

float mote_real_sin(float x) { return sine(x, 0); }
float mote_real_cos(float x) { return sine(x, 1); }

/* ---- roots ------------------------------------------------------------------------ */
float mote_real_sqrt(float x) {
  uint32_t bits = mote_real_bits(x);
  if (x != x || (bits << 1) == 0 || bits == INFINITE) return x;
  if (bits & SIGN) return invalid(x);
  int32_t exponent = -127;
  if (bits < 0x00800000) { /* subnormal */
    bits = mote_real_bits(x * 0x1p24f);
    exponent -= 24;
  }
  exponent += (int32_t)(bits >> 23);
  /* x = m 2^(exponent - 23); an even power is split off. m in [2^23, 2^25). */
  uint32_t m = (bits & 0x007FFFFF) | 0x00800000;
  if (exponent & 1) m <<= 1;
  exponent = (exponent - (exponent & 1)) / 2;
  /* 25 binary digits of the root of m 2^25, two bits of it at a time; rest <= 2 root < 2^26. */
  uint32_t root = 0, rest = 0;
  m <<= 7;
  for (int i = 0; i < 25; i++, m <<= 2) {
    const uint32_t trial = root << 2 | 1;
    rest = rest << 2 | m >> 30;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1;
    }
  }
  /* Never half way: a root of 25 digits has a square of 49, which no float holds. */
  return mote_real_of(((root + 1) >> 1) + ((uint32_t)(exponent + 126) << 23));
}

float mote_real_rsqrt(float x) { return 1.0f / mote_real_sqrt(x); }

/* ---- whole numbers ------------------------------------------------------------------ */
float mote_real_floor(float x) {
  uint32_t bits = mote_real_bits(x);
  const int32_t exponent = (int32_t)(bits >> 23 & 255) - 127;
  if (exponent >= 23) return x; /* whole, infinite or NaN */
  if (exponent < 0) return bits & SIGN && bits << 1 ? -1.0f : mote_real_of(bits & SIGN);
  const uint32_t fraction = 0x007FFFFFu >> exponent;
  if (bits & SIGN) bits += fraction; /* may carry into the exponent, rightly */
  return mote_real_of(bits & ~fraction);
}

float mote_real_ceil(float x) { return -mote_real_floor(-x); }

float mote_real_round(float x) {
  const float a = mote_real_abs(x);
  if (!(a < 0x1p23f)) return x;
  /* From 2^23 on a float has no fraction: the sum is rounded to whole numbers, halves to even. */
  const float whole = (a + 0x1p23f) - 0x1p23f;
  return mote_real_of(mote_real_bits(whole) | (mote_real_bits(x) & SIGN));
}

/* |x| = m 2^(e - 150), m in [2^23, 2^24). needs: x finite and not 0. */
static uint32_t mantissa(uint32_t size, int32_t *e) {
  uint32_t m = size & 0x007FFFFF;
  *e = (int32_t)(size >> 23);
  if (*e) return m | 0x00800000;
  for (*e = 1; m < 0x00800000; m <<= 1) --*e;
  return m;
}

float mote_real_fmod(float x, float y) {
  const uint32_t sign = mote_real_bits(x) & SIGN;
  const uint32_t a = mote_real_bits(x) & 0x7FFFFFFF, b = mote_real_bits(y) & 0x7FFFFFFF;
  int32_t e, least;
  if (a >= INFINITE || b > INFINITE || b == 0) return invalid(x);
  if (a < b) return x;
  uint32_t m = mantissa(a, &e);
  const uint32_t n = mantissa(b, &least);
  for (; e > least; e--) { /* m < 2n < 2^25 all along */
    if (m >= n) m -= n;
    m <<= 1;
  }
  if (m >= n) m -= n;
  if (m == 0) return mote_real_of(sign);
  for (; m < 0x00800000; m <<= 1) e--;
  /* A subnormal result is a multiple of the smallest: nothing is shifted out. */
  return mote_real_of(sign | (e > 0 ? m + ((uint32_t)(e - 1) << 23) : m >> (1 - e)));
}

/* erfc(a) = t e^(P(t) - a^2), t = 1 / (1 + a / 2); P is a least-squares fit on 0..10.5, error 5.1e-8. */
float mote_real_erfc(float x) {
  const float a = mote_real_abs(x);
  if (x != x) return x;
  if (a > 10.5f) return x < 0 ? 2.0f : 0.0f;
  const float t = 1.0f / (1.0f + 0.5f * a);
  const float p =
      -1.2654595f +
      t * (0.9988684f +
           t * (0.38460636f +
                t * (0.044362344f +
                     t * (-0.02751209f +
                          t * (-0.025994685f +
                               t * (-0.76198417f +
                                    t * (1.2061695f + t * (-0.70184726f + t * 0.14879115f))))))));
  /* a^2 in two parts: the square of 12 bits is exact. */
  const float high = mote_real_of(mote_real_bits(a) & 0xFFFFF000u);
  const float y = t * mote_real_exp(-high * high) * mote_real_exp((high - a) * (high + a) + p);
  return x < 0 ? 2.0f - y : y;
}

float mote_real_pow(float x, float y) {
  const float a = mote_real_abs(x), n = mote_real_abs(y);
  if (y == 0 || x == 1) return 1.0f;
  if (x != x || y != y) return x + y;
  /* Floats from 2^24 on are even numbers. */
  const int is_whole = n >= 0x1p24f || mote_real_floor(n) == n;
  const int is_odd = n < 0x1p24f && is_whole && ((int32_t)n & 1);
  const int is_negative = (mote_real_bits(x) & SIGN) != 0;
  if (is_negative && !is_whole && a > 0 && a < mote_real_of(INFINITE))
    return mote_real_of(0x7FC00000);
  float power = 1.0f;
  if (a == 1.0f) {
    power = 1.0f;
  } else if (y == 0.5f) {
    power = mote_real_sqrt(a);
  } else if (is_whole && n <= 16.0f) {
    float square = a;
    for (int32_t k = (int32_t)n; k != 0; k >>= 1, square *= square)
      if (k & 1) power *= square;
    if (y < 0) power = 1.0f / power;
  } else {
    power = mote_real_exp(y * mote_real_log(a));
  }
  return is_negative && is_odd ? -power : power;
}
