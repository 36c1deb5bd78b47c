/* isa: the narrow waist. The few inner loops that deserve instructions, one file for each instruction set;
 * the only room with instruction-set conditionals.
 *
 * Weights have one layout for all of them so far (mote/nn/nn.h): the DSP loops widen weights and activations
 * with the same SXTB16 pairs, so the order within a pair cancels. A plan names its layout all the same, and
 * mote_open refuses another. */
#ifndef MOTE_ISA_H
#define MOTE_ISA_H

#include "mote/base/base.h"

/* Layouts of packed weights; part of the .mote format. */
enum mote_pack { MOTE_PACK_PLAIN, MOTE_PACK_COUNT };

#define MOTE_PACK_NATIVE MOTE_PACK_PLAIN

#endif
