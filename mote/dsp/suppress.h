/* suppress: sound in, sound out, with noise turned down where a network says so.
 *
 * A hop of samples and the one before it are a frame. Its spectrum, in bands, is the network's newest row; the network's answer is
 * a gain for each band. Every bin is multiplied by the gains of the two bands that it lies between, in the shares in which it
 * counted for them, and frames come back through the inverse transform: windowed once more, each half over the other's. The
 * window is half a sine, so that its squares in two frames add to 1: with all gains 1 the samples come out as they went in.
 * What comes out is one hop late.
 *
 * The block is one of kind bands with one row (its window is its frame): what `mote build` writes. Fixed point throughout, the same
 * bits on every chip. docs/design/suppress.md says how good that is. */
#ifndef MOTE_DSP_SUPPRESS_H
#define MOTE_DSP_SUPPRESS_H

#include "mote/dsp/dsp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Proves that a block that passed mote_features_check is one for the functions below: kind bands, one channel, one row, a frame
 * of two hops, nothing taken off. */
enum mote_status mote_suppress_check(const struct mote_features *f);
/* What is kept between hops, aligned to 4. */
size_t mote_suppress_bytes(const struct mote_features *f);
/* As if silence had come before. */
void mote_suppress_begin(const struct mote_features *f, void *memory);
/* Takes f->hop samples and makes the network's row of them, int8[bands]. */
void mote_suppress_take(const struct mote_features *f, void *memory, const int16_t *samples,
                        int8_t *row);
/* mask: int8[bands], the network's answer for that row: (q + 128) / 256, of which 255 / 256 counts as 1. least: 0 to 256, the least
 * gain of 256. out: f->hop samples, those that came a hop earlier, saturated. Once behind each mote_suppress_take. */
void mote_suppress_give(const struct mote_features *f, void *memory, const int8_t *mask,
                        uint32_t least, int16_t *out);

#ifdef __cplusplus
}
#endif

#endif
