/* private: what the two ops of the kind "heart" share. */
#ifndef MOTE_DSP_HEART_SHAPE_H
#define MOTE_DSP_HEART_SHAPE_H

#include "mote/dsp/heart.h"

/* The beats of a channel, and the intervals between them. */
struct mote_heart_beats {
  const struct mote_heart *p;
  int32_t *time;     /* [n] ms, Q10 */
  int32_t *interval; /* [n - 1] ms, Q10; 0: left out */
  uint32_t n;        /* beats */
  uint32_t kept;     /* intervals */
  int64_t sum;       /* of them */
};

/* Puts the values of a shape, of beat `middle`; returns the place behind them. in: the channel's frame. work: twice
 * shape.length words. */
typedef int32_t *mote_heart_put_shape(const struct mote_features *f,
                                      const struct mote_heart_beats *h, const int16_t *in,
                                      uint32_t middle, int32_t *work, int32_t *out);

size_t mote_heart_scratch_bytes(const struct mote_features *f);
/* put: 0 of the plain op. */
void mote_heart_row(const struct mote_features *f, mote_heart_put_shape *put,
                    const int16_t *samples, void *scratch, void *row);

#endif
