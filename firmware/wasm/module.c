/* module: what build/model.wasm exports for model.mjs: the program of firmware/harness/program.h, one piece of input or
 * output at a time. Addresses are offsets in the exported memory. */
#include "firmware/harness/program.h"

#define EXPORT(name) __attribute__((export_name(#name)))

/* Binds the model, and gives its variables their first values. 0, or a negative enum mote_status. */
EXPORT(open) int module_open(void);
int module_open(void) { return program_open(); }

/* Where piece i of the input is written, and its bytes; 0 behind the last. */
EXPORT(input) void *module_input(unsigned i);
void *module_input(unsigned i) {
  uint32_t bytes;
  return program_input(i, &bytes);
}
EXPORT(input_bytes) uint32_t module_input_bytes(unsigned i);
uint32_t module_input_bytes(unsigned i) {
  uint32_t bytes = 0;
  return program_input(i, &bytes) ? bytes : 0;
}

/* Features, where the model has some in front, and the network. */
EXPORT(run) void module_run(void);
void module_run(void) {
  program_features();
  program_network();
}

EXPORT(output) const void *module_output(unsigned i);
const void *module_output(unsigned i) {
  uint32_t bytes;
  return program_output(i, &bytes);
}
EXPORT(output_bytes) uint32_t module_output_bytes(unsigned i);
uint32_t module_output_bytes(unsigned i) {
  uint32_t bytes = 0;
  return program_output(i, &bytes) ? bytes : 0;
}
