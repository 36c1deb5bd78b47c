/* train/lanes_plain: the loops of lanes.inc with 4 floats in a vector, for any machine, and the choice
 * between the widths. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH          4
#define ROOT(x)        root(x)
#define REGISTERS      16
#define SPLAT(x)       ((vec){x, x, x, x})
#define LEAST(a, b)    choose_plain((a) < (b), a, b)
#define GREATEST(a, b) choose_plain((a) > (b), a, b)
#define MADD(a, b, c)  ((a) * (b) + (c))
#define LANES_NAME     "plain"
#define LANES_TABLE    lanes_plain
typedef float root_vec __attribute__((vector_size(16)));
typedef int32_t root_ivec __attribute__((vector_size(16)));
static inline root_vec choose_plain(root_ivec where, root_vec a, root_vec b) {
  return (root_vec)((where & (root_ivec)a) | (~where & (root_ivec)b));
}
static inline root_vec root(root_vec x) {
  for (int i = 0; i < 4; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
#include "host/train/lanes.inc"

const struct lanes *lanes_best(void) {
#if defined(__x86_64__)
  const char *most = getenv("MOTE_VECTOR");
  if (!most) most = "avx512";
  if (strcmp(most, "plain") == 0) return &lanes_plain;
  if (strcmp(most, "avx2") != 0 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return &lanes_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &lanes_avx2;
#endif
  return &lanes_plain;
}
