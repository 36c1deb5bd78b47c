/* What stands in front of any kind: channels derived from others, a filter, decimation, another scale, a piece of the
 * window, and its trend taken off. int16 samples become int16 samples, a time step at a time. */
#ifndef MOTE_DSP_FRONT_H
#define MOTE_DSP_FRONT_H

#include "mote/dsp/sos.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOTE_FRONT_MAGIC   0x52464F4Du /* "MOFR", little-endian */
#define MOTE_FRONT_VERSION 1
#define MOTE_FRONT_MOST    64 /* channels */

/* What a channel is made from. Gravity is what a low pass leaves of an axis, dynamic what it takes. */
enum mote_front_kind {
  MOTE_FRONT_CHANNEL,   /* source 0 */
  MOTE_FRONT_GRAVITY,   /* of source 0 */
  MOTE_FRONT_DYNAMIC,   /* of source 0, halved */
  MOTE_FRONT_MAGNITUDE, /* root of the sum of squares, halved */
  MOTE_FRONT_FORCE,     /* the same of the dynamic parts, halved */
  MOTE_FRONT_JERK,      /* the same of the differences to the step before */
  MOTE_FRONT_ROLL,      /* atan2(y, z) of gravity: turns, Q16 */
  MOTE_FRONT_PITCH,     /* atan2(-x, root of y^2 + z^2) of gravity: turns, Q16 */
  MOTE_FRONT_KIND_COUNT
};

struct mote_front_channel {
  uint8_t kind;
  uint8_t n; /* sources: 1..3; 3 for ROLL and PITCH */
  uint8_t source[3];
  uint8_t reserved[3];
};

enum mote_front_detrend { MOTE_FRONT_KEEP, MOTE_FRONT_MEAN, MOTE_FRONT_LINE };

struct mote_front {
  uint32_t magic;
  uint16_t version;
  uint16_t channels; /* that are made, 1..MOTE_FRONT_MOST */
  uint32_t bytes;    /* of the structure with what stands behind it, a multiple of 4 */
  uint32_t window;   /* time steps that go in */
  uint32_t first;    /* of those that are left by decimation: the piece that comes out */
  uint32_t steps;
  uint16_t stride;  /* channels that go in, interleaved */
  uint8_t ratio;    /* every so many steps come out */
  uint8_t detrend;  /* enum mote_front_detrend, over the piece; not in a stream */
  uint8_t sections; /* of each channel, up to 12 */
  uint8_t fraction; /* digits below a count that they work with, 0..14 */
  uint16_t reserved;
  int32_t multiplier,
      shift; /* what comes out: round(v multiplier / 2^shift), held to int16; >= 0; 1..45 */
  int32_t channel_at; /* struct mote_front_channel[channels], from this structure's start */
  int32_t section_at; /* struct mote_section[sections] */
  struct mote_section gravity; /* the low pass */
};

/* Proves n bytes; afterwards the functions below stay within their memory. needs: aligned to 4. */
enum mote_status mote_front_check(const void *bytes, size_t n);
size_t mote_front_state_bytes(const struct mote_front *f);
void mote_front_begin(const struct mote_front *f, void *state);
/* Takes a time step. shape: step [stride], out [channels]. 1: a step came out. */
int mote_front_push(const struct mote_front *f, void *state, const int16_t *step, int16_t *out);
/* A whole window. shape: samples [window, stride], out [steps, channels]. state: aligned to 4. */
void mote_front_run(const struct mote_front *f, const int16_t *samples, void *state, int16_t *out);

#ifdef __cplusplus
}
#endif

#endif
