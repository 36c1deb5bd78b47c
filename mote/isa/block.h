/* block: the loops over weights in blocks of channels (mote/base/block.h). Part of isa.h.
 *
 * Each is a kernel's row(). The state is what a strip of pixels reads, row after row of the window, in the form that
 * the instruction set multiplies: u8, or u8 widened to int16. x86-64 chooses when it runs: AVX-512 with VNNI, AVX2, or
 * plain C. */
#ifndef MOTE_ISA_BLOCK_H
#define MOTE_ISA_BLOCK_H

#include "mote/base/base.h"

typedef void mote_isa_row(const void *params, const void *const *rows, void *state, void *out);

mote_isa_row mote_isa_conv_block__plain, mote_isa_depthwise_block__plain;
#if MOTE_ISA_X86
mote_isa_row mote_isa_conv_block__avx2, mote_isa_depthwise_block__avx2;
mote_isa_row mote_isa_conv_block__vnni, mote_isa_depthwise_block__vnni;
/* What the machine has. needs: nothing; the compiler's own start-up asked the processor. */
static inline int mote_isa_has_avx2(void) { return __builtin_cpu_supports("avx2") != 0; }
static inline int mote_isa_has_vnni(void) {
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
mote_isa_row mote_isa_conv_block, mote_isa_depthwise_block;
#elif MOTE_ISA_WASM
mote_isa_row mote_isa_conv_block__wasm, mote_isa_depthwise_block__wasm;
#define mote_isa_conv_block      mote_isa_conv_block__wasm
#define mote_isa_depthwise_block mote_isa_depthwise_block__wasm
#else
#define mote_isa_conv_block      mote_isa_conv_block__plain
#define mote_isa_depthwise_block mote_isa_depthwise_block__plain
#endif

/* The first elements of mote_isa_add, or channels of mote_isa_add_row, as many as whole vectors take; returns how many. */
typedef uint32_t mote_isa_add_loop(const struct mote_add_job *d);
typedef uint32_t mote_isa_add_row_loop(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c);
#if MOTE_ISA_X86
mote_isa_add_loop mote_isa_add_some__avx2, mote_isa_add_some__avx512;
mote_isa_add_row_loop mote_isa_add_row_some__avx2, mote_isa_add_row_some__avx512;
#elif MOTE_ISA_WASM
mote_isa_add_loop mote_isa_add_some__wasm;
mote_isa_add_row_loop mote_isa_add_row_some__wasm;
#endif
#if MOTE_ISA_X86 || MOTE_ISA_WASM
/* All of them: vectors, and plain C for the rest. */
void mote_isa_add__vector(const struct mote_add_job *d);
void mote_isa_add_row__vector(uint32_t *sums, const int8_t *row, uint32_t w, uint32_t c);
#endif

#endif
