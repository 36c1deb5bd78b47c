/* program: what the harness runs. `mote build` writes a program.c that defines these for one model, with or
 * without features in front. */
#ifndef FIRMWARE_HARNESS_PROGRAM_H
#define FIRMWARE_HARNESS_PROGRAM_H

#include "mote/run/run.h"

/* Binds the model to its arena. Returns 0, or a negative enum mote_status. */
int program_open(void);
/* Where piece i of one inference's input goes, and how long it is; NULL after the last piece. */
void *program_input(unsigned i, uint32_t *bytes);
/* Input to the network's input tensor. Does nothing where no features stand in front. */
void program_features(void);
/* The network: one inference. */
void program_network(void);
/* Piece i of the output; NULL after the last. */
const void *program_output(unsigned i, uint32_t *bytes);
/* The open model and its plan, for the tap. */
struct mote_model *program_model(void);
const struct mote_plan MOTE_ROM *program_plan(void);

#endif
