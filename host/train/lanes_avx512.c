/* train/lanes_avx512: the loops of lanes.inc with 16 floats in a vector. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512vl,fma")
#include <immintrin.h>
#define WIDTH          16
#define ROOT(x)        ((vec)_mm512_sqrt_ps((__m512)(x)))
#define REGISTERS      32
#define SPLAT(x)       ((vec)_mm512_set1_ps(x))
#define LEAST(a, b)    ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define GREATEST(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define MADD(a, b, c)  ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define LANES_NAME     "avx512"
#define LANES_TABLE    lanes_avx512
#include "host/train/lanes.inc"
#else
typedef int lanes_avx512_is_empty;
#endif
