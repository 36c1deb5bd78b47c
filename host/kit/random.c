/* Random numbers and SHA-256: the same on every machine. */
#include "host/kit/kit.h"

#include <math.h>
#include <string.h>

/* source: D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators" (2018). */
#define GOLDEN 0x9E3779B97F4A7C15u /* 2^64 over the golden ratio */

uint64_t rng_mix(uint64_t x) {
  uint64_t z = x + GOLDEN;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

void rng_seed(struct rng *r, uint64_t seed) {
  const uint64_t a = rng_mix(seed), b = rng_mix(seed + GOLDEN);
  *r = (struct rng){{(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32)}};
  if (!(r->s[0] | r->s[1] | r->s[2] | r->s[3])) r->s[0] = 1;
}

static uint32_t rotate(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

uint32_t rng_u32(struct rng *r) {
  uint32_t *s = r->s, result = rotate(s[0] + s[3], 7) + s[0], t = s[1] << 9;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 11);
  return result;
}

/* Multiplication with rejection. source: D. Lemire, "Fast random integer generation in an interval". */
uint32_t rng_below(struct rng *r, uint32_t n) {
  uint64_t m = (uint64_t)rng_u32(r) * n;
  if ((uint32_t)m < n) {
    uint32_t floor = (uint32_t)(-n) % n;
    while ((uint32_t)m < floor) m = (uint64_t)rng_u32(r) * n;
  }
  return (uint32_t)(m >> 32);
}

float rng_unit(struct rng *r) { return (float)(rng_u32(r) >> 8) * 0x1p-24f; }

/* Box-Muller on 24-bit uniforms, in double so that the rounding to float hides the last bits of libm. */
float rng_normal(struct rng *r) {
  double u = 1.0 - (double)rng_unit(r), v = (double)rng_unit(r);
  return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

void rng_shuffle(struct rng *r, uint32_t *items, uint32_t n) {
  for (uint32_t i = n; i > 1; i--) {
    uint32_t k = rng_below(r, i), t = items[i - 1];
    items[i - 1] = items[k];
    items[k] = t;
  }
}

/* ---- SHA-256. source: FIPS 180-4 -------------------------------------------- */
static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t right(uint32_t x, int k) { return (x >> k) | (x << (32 - k)); }

static void sha256_block(struct sha256 *s, const uint8_t *p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
           p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (right(a, 7) ^ right(a, 18) ^ (a >> 3)) + w[i - 7] +
           (right(b, 17) ^ right(b, 19) ^ (b >> 10));
  }
  memcpy(v, s->h, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t e = v[4], a = v[0];
    uint32_t t1 = v[7] + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & v[5]) ^ (~e & v[6])) +
                  ROUND[i] + w[i];
    uint32_t t2 =
        (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) s->h[i] += v[i];
}

void sha256_init(struct sha256 *s) {
  *s = (struct sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                             0x1f83d9ab, 0x5be0cd19}};
}

void sha256_add(struct sha256 *s, const void *data, size_t n) {
  const uint8_t *p = data;
  while (n) {
    size_t at = s->bytes % 64, take = 64 - at < n ? 64 - at : n;
    memcpy(s->block + at, p, take);
    s->bytes += take;
    p += take;
    n -= take;
    if (s->bytes % 64 == 0) sha256_block(s, s->block);
  }
}

void sha256_end(struct sha256 *s, uint8_t digest[32]) {
  uint64_t bits = s->bytes * 8;
  const uint8_t one = 0x80, zero = 0;
  uint8_t size[8];
  sha256_add(s, &one, 1);
  while (s->bytes % 64 != 56) sha256_add(s, &zero, 1);
  for (int i = 0; i < 8; i++) size[i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(s, size, 8);
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_hex(const uint8_t digest[32], char hex[65]) {
  for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
