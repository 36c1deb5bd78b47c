/* base: the parts of base.h that are not worth inlining. No state; tables are constants. */
#include "mote/base/base.h"

const char *mote_status_text(enum mote_status status) {
  switch (status) {
#define X(name, value, text)                                                                       \
  case MOTE_##name: return text;
    MOTE_STATUS_LIST(X)
#undef X
  }
  return "unknown status";
}

const char *mote_op_name(int op) {
  static const char *const names[] = {
#define OP(name, tflite_code, text) #name,
#include "mote/base/ops.def"
#undef OP
  };
  return op >= 0 && op < MOTE_OP_COUNT ? names[op] : "?";
}

size_t mote_type_bytes(int type) {
  switch (type) {
  case MOTE_INT8:
  case MOTE_UINT8:
  case MOTE_BOOL: return 1;
  case MOTE_INT16: return 2;
  case MOTE_INT32:
  case MOTE_UINT32:
  case MOTE_FLOAT32: return 4;
  case MOTE_INT64:
  case MOTE_UINT64: return 8;
  default: return 0;
  }
}

const char *mote_type_name(int type) {
  static const char *const names[] = {"int8", "uint8", "int16",  "int32", "float32",
                                      "bool", "int64", "uint32", "uint64"};
  return type >= 0 && type < MOTE_TYPE_COUNT ? names[type] : "?";
}

void mote_quantise_multiplier(uint64_t double_bits, int32_t *multiplier, int *shift) {
  /* IEEE 754 binary64: 11 bits of exponent, 52 of fraction; real = 0.1fraction * 2^(exponent - 1022). */
  const int exponent = (int)((double_bits >> 52) & 0x7FF);
  const uint64_t fraction = double_bits & (((uint64_t)1 << 52) - 1);
  const uint64_t mantissa = ((uint64_t)1 << 52) | fraction;              /* in [2^52, 2^53) */
  uint32_t rounded = (uint32_t)((mantissa + ((uint64_t)1 << 21)) >> 22); /* in [2^30, 2^31] */
  int s = exponent - 1022;
  if (rounded == (uint32_t)1 << 31) {
    rounded >>= 1;
    s++;
  }
  if (exponent == 0 ||
      s < -31) { /* zero, subnormal or tiny: every product would round to nothing */
    rounded = 0;
    s = 0;
  } else if (s > 30) {
    rounded = INT32_MAX;
    s = 30;
  }
  *multiplier = (int32_t)rounded;
  *shift = s;
}

void mote_fold_count(uint32_t count, int32_t *multiplier, int *shift) {
  int k = 0;
  while (k < 31 && count >> (k + 1)) k++; /* floor(log2 count) <= 31 */
  if (k > 31 + *shift) k = 31 + *shift;
  /* multiplier < 2^31, k <= 31: below 2^62. 2^k <= count, so the quotient is at most the multiplier. */
  *multiplier = (int32_t)(((uint64_t)(uint32_t)*multiplier << k) / count);
  *shift -= k;
}

uint32_t mote_crc32(uint32_t crc, const void *bytes, size_t n) {
  /* Four bits at a time: 64 bytes of table, one look-up a nibble. */
  static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                     0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                     0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                     0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
  const uint8_t *p = (const uint8_t *)bytes;
  crc = ~crc;
  for (; n; n--) {
    crc ^= *p++;
    crc = (crc >> 4) ^ table[crc & 15];
    crc = (crc >> 4) ^ table[crc & 15];
  }
  return ~crc;
}

void mote_bytes_signed(const uint8_t *from, size_t n, int8_t *to) {
  for (size_t i = 0; i < n; i++) to[i] = (int8_t)(from[i] ^ 0x80);
}
