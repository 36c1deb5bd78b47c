/* port_simavr: files, exit and marks through the emulator (port_simavr.h), stack painting, on an AVR. */
#include "firmware/harness/port_simavr.h"
#include "firmware/harness/port.h"

#define REGISTER(address) (*(volatile uint8_t *)(address))

static void ask(enum port_operation what, struct port_call *call) {
  const uintptr_t at = (uintptr_t)call;
  REGISTER(PORT_GPIOR1) = (uint8_t)at;
  REGISTER(PORT_GPIOR2) = (uint8_t)(at >> 8);
  __asm__ volatile("" : : : "memory");
  REGISTER(PORT_GPIOR0) = (uint8_t)what;
  __asm__ volatile("" : : : "memory");
}

static int open_file(const char *name, enum port_operation what) {
  struct port_call call = {0, (uint16_t)(uintptr_t)name, 0};
  ask(what, &call);
  return (int)call.handle;
}
int port_open_read(const char *name) { return open_file(name, PORT_OPEN_READ); }
int port_open_write(const char *name) { return open_file(name, PORT_OPEN_WRITE); }

static int move(enum port_operation what, int handle, const void *bytes, uint32_t n) {
  struct port_call call = {(uint16_t)handle, (uint16_t)(uintptr_t)bytes, n};
  ask(what, &call);
  return call.n ? -1 : 0;
}
int port_read(int handle, void *bytes, uint32_t n) { return move(PORT_READ, handle, bytes, n); }
int port_write(int handle, const void *bytes, uint32_t n) {
  return move(PORT_WRITE, handle, bytes, n);
}
void port_close(int handle) { move(PORT_CLOSE, handle, 0, 0); }
void port_exit(int code) {
  for (;;) move(PORT_EXIT, code, 0, 0);
}
void port_mark(unsigned bucket) { move(PORT_MARK, (int)bucket, 0, 0); }

/* Below the stack lies the arena (link.ld): a stack that is too small is found by its paint. */
extern uint8_t stack_low[], guard_low[], guard_high[];
enum { PAINT = 0xC5, GUARD_BYTES = 16, GUARD = 0xA5 };

static void paint_guards(void) {
  for (uint8_t i = 0; i < GUARD_BYTES; i++)
    *(volatile uint8_t *)(guard_low + i) = *(volatile uint8_t *)(guard_high + i) = GUARD;
}

static int guards_stand(void) {
  for (uint8_t i = 0; i < GUARD_BYTES; i++)
    if (guard_low[i] != GUARD || guard_high[i] != GUARD) return 0;
  return 1;
}

__attribute__((noinline)) uint32_t port_stack_used(void (*work)(void)) {
  uint8_t *top, *p;
  paint_guards();
  __asm__ volatile("in %A0, 0x3d\n\tin %B0, 0x3e" : "=r"(top)); /* SPL, SPH */
  for (p = stack_low; p < top; p++) *(volatile uint8_t *)p = PAINT;
  work();
  if (!guards_stand()) port_exit(PORT_ARENA);
  if (*(volatile uint8_t *)stack_low != PAINT) port_exit(PORT_STACK);
  for (p = stack_low; p < top && *(volatile uint8_t *)p == PAINT; p++) {}
  return (uint32_t)((uintptr_t)top - (uintptr_t)p);
}
