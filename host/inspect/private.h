/* private: what the files of this room share: spectra of pieces. */
#ifndef HOST_INSPECT_PRIVATE_H
#define HOST_INSPECT_PRIVATE_H

#include "host/inspect/inspect.h"

#define SPECTRUM_SIZE 256
#define SPECTRUM_BINS (SPECTRUM_SIZE / 2 + 1)

/* Power of n numbers (at most SPECTRUM_SIZE, stride apart; the rest zero), without their mean, under a Hann window. */
void inspect_spectrum(const float *values, int64_t stride, int n, float power[SPECTRUM_BINS]);
/* Number i of channel k; what is not finite counts as 0. */
float inspect_value(const struct inspect_signal *s, int64_t i, int k);

#endif
