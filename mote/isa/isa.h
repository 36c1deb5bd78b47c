/* isa: the narrow waist. The few inner loops that deserve instructions, one file for each instruction set;
 * the only room with instruction-set conditionals.
 *
 * Weights are laid out for these loops by the compiler, so a plan names the layout it was packed for and
 * mote_open refuses another. The plain C loops can read every layout: the host proves a chip's plan with the
 * chip's own bytes (docs/design/kernels.md). */
#ifndef MOTE_ISA_H
#define MOTE_ISA_H

#include "mote/base/base.h"

/* Layouts of packed weights; part of the .mote format. K = values a channel, padded to a multiple of 4.
 *   PLAIN  channel after channel, natural order.
 *   DSP    channel after channel, each group of four stored as k0 k2 k1 k3, so that one
 *          SXTB16 gives the pair (k0, k1) and one SXTB16 with rotation the pair (k2, k3). */
enum mote_pack { MOTE_PACK_PLAIN, MOTE_PACK_DSP, MOTE_PACK_COUNT };

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define MOTE_PACK_NATIVE MOTE_PACK_DSP
#else
#define MOTE_PACK_NATIVE MOTE_PACK_PLAIN
#endif

#endif
