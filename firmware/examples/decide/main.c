/* decide: the least firmware around a project's model: one window of samples goes in, a decision comes out.
 *
 *   mote build --target cortex-m4 -o keyword          in a project's folder, once it is trained
 *   cp -r firmware/examples/decide/. keyword && make -C keyword -f decide.mk run
 *
 * Here the samples are compiled in (recording.h, a falling sawtooth until you put your own there) and the decision
 * is printed through semihosting, which QEMU and every debugger understand; QEMU emulates neither the Wio Terminal
 * nor the XIAO, so no microphone is read. On a board, replace `recording` by the buffer that your microphone's DMA
 * fills, say() by your serial port, start.c and link.ld by your board's; the calls between stay as they are. */
#include "model.h"
#include "model_features.h"
#include "recording.h"

#include "mote/mote.h"

/* A window is computed in two steps that share the arena: features, whose scratch lies behind the network's input
 * or in memory of its own as here, then the network. */
static uint8_t arena[MODEL_ARENA_BYTES] __attribute__((aligned(16)));
static uint32_t scratch[(FEATURES_SCRATCH_BYTES + 3) / 4];

/* Operation SYS_WRITE0. */
#if defined(__riscv)
static void say(const char *text) {
  register uint32_t a0 __asm__("a0") = 4;
  register const char *a1 __asm__("a1") = text;
  __asm__ volatile(".balign 16\n\t.option push\n\t.option norvc\n\t"
                   "slli zero, zero, 0x1f\n\tebreak\n\tsrai zero, zero, 7\n\t.option pop"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
}
#else
static void say(const char *text) {
  register uint32_t r0 __asm__("r0") = 4;
  register const char *r1 __asm__("r1") = text;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}
#endif

static void say_number(uint32_t x) {
  char text[12], *p = text + sizeof text - 1;
  *p = 0;
  do *--p = (char)('0' + x % 10);
  while (x /= 10);
  say(p);
}

int main(void);
int main(void) {
  uint32_t best = 0;
  if (model_init(arena, sizeof arena) < 0) {
    say("the model does not fit this program\n");
    return 1;
  }
  features_run(recording, scratch, (int8_t *)model_input(0));
  model_run();
  const int8_t *scores = (const int8_t *)model_output(0);
  for (uint32_t i = 1; i < MODEL_OUTPUT_0_BYTES; i++)
    if (scores[i] > scores[best]) best = i;
  say("class ");
  say_number(best);
  say(" with a probability of ");
  say_number((uint32_t)(scores[best] + 128) * 100 / 256);
  say(" %\n");
  return 0;
}
