/* train/lanes_avx2: the loops of lanes.inc with 8 floats in a vector. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#define WIDTH          8
#define ROOT(x)        ((vec)_mm256_sqrt_ps((__m256)(x)))
#define REGISTERS      16
#define SPLAT(x)       ((vec)_mm256_set1_ps(x))
#define LEAST(a, b)    ((vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define GREATEST(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define MADD(a, b, c)  ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define LANES_NAME     "avx2"
#define LANES_TABLE    lanes_avx2
#include "host/train/lanes.inc"
#else
typedef int lanes_avx2_is_empty;
#endif
