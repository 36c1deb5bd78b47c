/* train/lanes_avx512: the loops of lanes.inc with 16 floats in a vector. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512vl")
#include <immintrin.h>
#define WIDTH       16
#define ROOT(x)     ((vec)_mm512_sqrt_ps((__m512)(x)))
#define COLUMNS     4
#define LANES_NAME  "avx512"
#define LANES_TABLE lanes_avx512
#include "host/train/lanes.inc"
#else
typedef int lanes_avx512_is_empty;
#endif
