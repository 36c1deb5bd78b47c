/* online: heads that learn on the device. See ml.h.
 *
 * A state behind its head: MEANS count uint8[room], (pad), farthest uint16[room], mean int16[room][n] in steps of 2^-7;
 * NEAREST label uint8[room], example int8[room][n]; SOFTMAX bias int32[room], weight int16[room][n] in steps of 2^-11.
 *
 * invariant: |mean| <= 2^14, so that what is read back from hostile bytes can be run as well. */
#include <string.h>

#include "mote/ml/private.h"

#define ONLINE_MAGIC 0x4E4F4C4Du /* "MLON", little-endian */
#define MOST_VALUES  256u
#define MEAN_BITS    7
#define WEIGHT_BITS  11
#define INPUT_BITS   5 /* x is taken as steps of 2^-5: four deviations of usual features */
#define SUM_BITS     (WEIGHT_BITS + INPUT_BITS)
#define BIAS_MOST    ((int32_t)1 << 28)

static unsigned up4(unsigned n) { return (n + 3u) & ~3u; }

size_t mote_ml_online_bytes(unsigned kind, unsigned n, unsigned room) {
  if (kind >= MOTE_ML_ONLINE_KIND_COUNT || n < 1 || n > MOST_VALUES || room < 1 || room > 255)
    return 0;
  /* At most 132,620: where a size_t has 16 bits, not every head has a size. */
  uint32_t bytes = sizeof(struct mote_ml_online);
  const uint32_t r = room;
  if (kind == MOTE_ML_ONLINE_NEAREST)
    bytes += r * (n + 1u);
  else if (kind == MOTE_ML_ONLINE_MEANS)
    bytes += up4(room) + r * 2 + r * n * 2;
  else
    bytes += r * 4 + r * n * 2 + r * 4;
  bytes = (bytes + 3u) & ~(uint32_t)3;
  return (size_t)bytes == bytes ? (size_t)bytes : 0;
}

/* ---- places ------------------------------------------------------------------------ */
static uint8_t *bytes_of(const struct mote_ml_online *s) { return (uint8_t *)(uintptr_t)(s + 1); }
static uint16_t *farthest_of(const struct mote_ml_online *s) {
  return (uint16_t *)(void *)(bytes_of(s) + up4(s->room));
}
static int16_t *mean_of(const struct mote_ml_online *s, unsigned k) {
  return (int16_t *)(void *)(farthest_of(s) + s->room) + (size_t)k * s->n;
}
static int8_t *example_of(const struct mote_ml_online *s, unsigned k) {
  return (int8_t *)(void *)(bytes_of(s) + s->room) + (size_t)k * s->n;
}
/* The sums of a prediction lie in the state, too: a caller gives no scratch. */
static int32_t *sums_of(const struct mote_ml_online *s) { return (int32_t *)(void *)bytes_of(s); }
static int32_t *bias_of(const struct mote_ml_online *s) { return sums_of(s) + s->room; }
static int16_t *weight_of(const struct mote_ml_online *s, unsigned k) {
  return (int16_t *)(void *)(bias_of(s) + s->room) + (size_t)k * s->n;
}

enum mote_status mote_ml_online_init(void *mem, size_t bytes, unsigned kind, unsigned n,
                                     unsigned room, unsigned memory, unsigned rate) {
  const size_t need = mote_ml_online_bytes(kind, n, room);
  struct mote_ml_online *s = (struct mote_ml_online *)mem;
  if (need == 0 || memory < 1 || memory > 255 || rate > 12) return MOTE_ERR_PARAMS;
  if (((uintptr_t)mem & 3) || bytes < need) return MOTE_ERR_ARENA;
  memset(mem, 0, need);
  s->magic = ONLINE_MAGIC;
  s->bytes = (uint32_t)need;
  s->kind = (uint8_t)kind;
  s->room = (uint8_t)room;
  s->n = (uint16_t)n;
  s->memory = (uint8_t)memory;
  s->rate = (uint8_t)rate;
  return MOTE_OK;
}

/* ---- distances ------------------------------------------------------------------------ */
/* In steps of x * 8: |d| < 2^12, 256 squares of it below 2^32. */
static uint32_t from_mean(const struct mote_ml_online *s, const int8_t *x, unsigned k) {
  const int16_t *mean = mean_of(s, k);
  uint32_t sum = 0;
  for (unsigned j = 0; j < s->n; j++) {
    const int32_t d = ((int32_t)x[j] * (1 << MEAN_BITS) - mean[j]) / (1 << (MEAN_BITS - 3));
    sum += (uint32_t)(d * d);
  }
  return sum;
}

static uint32_t from_example(const struct mote_ml_online *s, const int8_t *x, unsigned k) {
  const int8_t *example = example_of(s, k);
  uint32_t sum = 0;
  for (unsigned j = 0; j < s->n; j++) {
    const int32_t d = ((int32_t)x[j] - example[j]) * 8;
    sum += (uint32_t)(d * d);
  }
  return sum;
}

static unsigned nearest(const struct mote_ml_online *s, const int8_t *x, uint32_t *apart) {
  unsigned best = 0;
  *apart = UINT32_MAX;
  for (unsigned k = 0; k < s->used; k++) {
    if (s->kind == MOTE_ML_ONLINE_MEANS && !bytes_of(s)[k]) continue;
    const uint32_t d = s->kind == MOTE_ML_ONLINE_MEANS ? from_mean(s, x, k) : from_example(s, x, k);
    if (d >= *apart) continue;
    *apart = d;
    best = k;
  }
  return best;
}

/* ---- the layer -------------------------------------------------------------------------- */
/* 2^15 * 2^7 * 256 values = 2^30, and the bias: below 2^31. Shares as exponentials of 23 bits; 255 of them below 2^31. */
static uint32_t shares(const struct mote_ml_online *s, const int8_t *x, unsigned *best) {
  int32_t *sums = sums_of(s);
  uint32_t total = 0;
  *best = 0;
  for (unsigned k = 0; k < s->room; k++) {
    const int16_t *w = weight_of(s, k);
    int32_t sum = bias_of(s)[k];
    for (unsigned j = 0; j < s->n; j++) sum += (int32_t)w[j] * x[j];
    sums[k] = sum;
    if (sum > sums[*best]) *best = k;
  }
  const uint32_t most = (uint32_t)sums[*best];
  for (unsigned k = 0; k < s->room; k++) {
    sums[k] = mote_ml_exp(most - (uint32_t)sums[k], SUM_BITS) >> 8;
    total += (uint32_t)sums[k];
  }
  return total;
}

/* In steps of 2^-15: total < 2^31 and >= 2^23 - 1. */
static int32_t share_of(int32_t part, uint32_t total) {
  return (int32_t)((uint32_t)part / (total >> 15));
}

/* w += rate * (target - share) * x: 2^15 * 2^7 = 2^22, from steps of 2^-20 to 2^-11 and less by the rate. */
static int learn_layer(struct mote_ml_online *s, const int8_t *x, unsigned label) {
  unsigned best;
  if (label >= s->room) return 0;
  const uint32_t total = shares(s, x, &best);
  const unsigned shift = 15 + INPUT_BITS - WEIGHT_BITS + s->rate;
  const int32_t half = (int32_t)1 << (shift - 1);
  for (unsigned k = 0; k < s->room; k++) {
    int16_t *w = weight_of(s, k);
    const int32_t missing = (k == label ? 32768 : 0) - share_of(sums_of(s)[k], total);
    for (unsigned j = 0; j < s->n; j++)
      w[j] = (int16_t)mote_clamp(w[j] + ((missing * x[j] + half) >> shift), -32767, 32767);
    int32_t *bias = &bias_of(s)[k]; /* its input is 1: 2^5 */
    *bias = mote_clamp(*bias + (int32_t)((uint32_t)missing << (SUM_BITS - 15)) / (1 << s->rate),
                       -BIAS_MOST, BIAS_MOST);
  }
  if (s->used <= label) s->used = (uint8_t)(label + 1);
  return 1;
}

/* ---- means -------------------------------------------------------------------------------- */
static void move_mean(struct mote_ml_online *s, const int8_t *x, unsigned k) {
  uint8_t *count = &bytes_of(s)[k];
  int16_t *mean = mean_of(s, k);
  if (*count < s->memory) ++*count;
  const int32_t n = *count;
  for (unsigned j = 0; j < s->n; j++) {
    const int32_t d = (int32_t)x[j] * (1 << MEAN_BITS) - mean[j];
    mean[j] = (int16_t)(mean[j] + (d < 0 ? d - n / 2 : d + n / 2) / n);
  }
  const uint32_t root = mote_sqrt_u32(from_mean(s, x, k));
  if (root > farthest_of(s)[k]) farthest_of(s)[k] = (uint16_t)root;
}

int mote_ml_online_learn(struct mote_ml_online *s, const int8_t *x, unsigned label) {
  if (s->kind == MOTE_ML_ONLINE_SOFTMAX) return learn_layer(s, x, label);
  if (s->kind == MOTE_ML_ONLINE_NEAREST) {
    if (label > 255) return 0;
    bytes_of(s)[s->next] = (uint8_t)label;
    memcpy(example_of(s, s->next), x, s->n);
    if (s->used <= s->next) s->used = (uint8_t)(s->next + 1);
    s->next = (uint8_t)(s->next + 1u == s->room ? 0 : s->next + 1u);
    return 1;
  }
  if (label >= s->room) return 0;
  if (s->used <= label) s->used = (uint8_t)(label + 1);
  move_mean(s, x, label);
  return 1;
}

unsigned mote_ml_online_gather(struct mote_ml_online *s, const int8_t *x, unsigned radius) {
  uint32_t apart = 0;
  unsigned k = s->used ? nearest(s, x, &apart) : 0;
  MOTE_ASSERT(s->kind == MOTE_ML_ONLINE_MEANS);
  if (!s->used || (mote_sqrt_u32(apart) > radius * 8 && s->used < s->room)) k = s->used++;
  move_mean(s, x, k);
  return k;
}

/* ---- answers ---------------------------------------------------------------------------------- */
struct mote_ml_online_answer mote_ml_online_predict(const struct mote_ml_online *s,
                                                    const int8_t *x) {
  struct mote_ml_online_answer answer;
  if (s->kind == MOTE_ML_ONLINE_SOFTMAX) {
    const uint32_t total = shares(s, x, &answer.label);
    answer.measure = (uint32_t)share_of(sums_of(s)[answer.label], total);
    return answer;
  }
  const unsigned k = nearest(s, x, &answer.measure);
  answer.label = s->kind == MOTE_ML_ONLINE_NEAREST ? bytes_of(s)[k] : k;
  answer.measure = mote_sqrt_u32(answer.measure);
  return answer;
}

int32_t mote_ml_online_outside(const struct mote_ml_online *s, const int8_t *x) {
  uint32_t apart;
  const unsigned k = nearest(s, x, &apart);
  return (int32_t)mote_sqrt_u32(apart) - farthest_of(s)[k];
}

/* ---- saving -------------------------------------------------------------------------------------- */
#define SEALED_FROM 8 /* behind magic and checksum */

void mote_ml_online_seal(struct mote_ml_online *s) {
  if (s->kind == MOTE_ML_ONLINE_SOFTMAX) memset(sums_of(s), 0, (size_t)s->room * 4);
  s->crc32 = mote_crc32(0, (const uint8_t *)s + SEALED_FROM, s->bytes - SEALED_FROM);
}

enum mote_status mote_ml_online_check(const void *mem, size_t bytes) {
  const struct mote_ml_online *s = (const struct mote_ml_online *)mem;
  if ((uintptr_t)mem & 3) return MOTE_ERR_ALIGN;
  if (bytes < sizeof *s) return MOTE_ERR_TRUNCATED;
  if (s->magic != ONLINE_MAGIC) return MOTE_ERR_MAGIC;
  const size_t need = mote_ml_online_bytes(s->kind, s->n, s->room);
  if (need == 0 || s->bytes != need) return MOTE_ERR_PARAMS;
  if (bytes < need) return MOTE_ERR_TRUNCATED;
  if (mote_crc32(0, (const uint8_t *)mem + SEALED_FROM, need - SEALED_FROM) != s->crc32)
    return MOTE_ERR_CHECKSUM;
  if (s->used > s->room || s->next >= s->room || s->memory == 0 || s->rate > 12)
    return MOTE_ERR_PARAMS;
  for (unsigned k = 0; k < s->room && s->kind == MOTE_ML_ONLINE_SOFTMAX; k++)
    if (bias_of(s)[k] > BIAS_MOST || bias_of(s)[k] < -BIAS_MOST) return MOTE_ERR_PARAMS;
  for (size_t i = 0; i < (size_t)s->room * s->n && s->kind == MOTE_ML_ONLINE_MEANS; i++)
    if (mean_of(s, 0)[i] > 16384 || mean_of(s, 0)[i] < -16384) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
