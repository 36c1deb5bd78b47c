/* train/lanes_avx2: the loops of lanes.inc with 8 floats in a vector. */
#if defined(__x86_64__)
#pragma GCC target("avx2")
#define WIDTH       8
#define COLUMNS     2
#define LANES_NAME  "avx2"
#define LANES_TABLE lanes_avx2
#include "host/train/lanes.inc"
#else
typedef int lanes_avx2_is_empty;
#endif
