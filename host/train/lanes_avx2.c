/* train/lanes_avx2: the loops of lanes.inc with 8 floats in a vector. */
#if defined(__x86_64__)
#pragma GCC target("avx2")
#include <immintrin.h>
#define WIDTH       8
#define ROOT(x)     ((vec)_mm256_sqrt_ps((__m256)(x)))
#define COLUMNS     2
#define LANES_NAME  "avx2"
#define LANES_TABLE lanes_avx2
#include "host/train/lanes.inc"
#else
typedef int lanes_avx2_is_empty;
#endif
