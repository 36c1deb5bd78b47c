/* private: positive numbers m * 2^e with 32 bits of m, for the few quotients and roots of a row.
 *
 * A row of statistics needs a handful of divisions, roots and powers of sums that have 20 to 60 bits. Numbers with
 * an exponent of their own keep 31 digits through all of them, on a core that neither divides nor multiplies
 * 32 x 32 to 64 bits. Each result is the exact one cut to 32 digits, at most one unit of the last lower. */
#ifndef MOTE_DSP_SCALED_H
#define MOTE_DSP_SCALED_H

#include "mote/dsp/dsp.h"

struct mote_scaled {
  uint32_t m; /* [2^31, 2^32); 0: the number is 0 */
  int32_t e;
};

/* x * 2^e. */
struct mote_scaled mote_scaled_of(uint64_t x, int32_t e);
struct mote_scaled mote_scaled_mul(struct mote_scaled a, struct mote_scaled b);
struct mote_scaled mote_scaled_add(struct mote_scaled a, struct mote_scaled b);
/* b 0 gives 0. */
struct mote_scaled mote_scaled_div(struct mote_scaled a, struct mote_scaled b);
struct mote_scaled mote_scaled_sqrt(struct mote_scaled a);
/* round(a * 2^bits), at most INT32_MAX. */
int32_t mote_scaled_fix(struct mote_scaled a, int32_t bits);
/* log2(a) in Q20; -2^30 for 0. errors: one unit. */
int32_t mote_scaled_log2(struct mote_scaled a);

/* round(sum / n) in two's complement's whole range of int32; n > 0. */
int32_t mote_mean_of(int64_t sum, uint32_t n);

#endif
