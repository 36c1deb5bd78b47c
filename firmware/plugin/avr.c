/* avr: runs a program on an emulated AVR and counts, in buckets, how often each instruction of a range was executed and
 * how many cycles it took. What count.c is to QEMU, on simavr's library: the core's cycles are the data sheet's.
 *
 * Arguments: MACHINE (simavr's name of the chip), FLASH (the bytes of the flash, from address 0), LOW, HIGH (the counted
 * range, bytes), BUCKETS, OUT (the file of counts; "" for none). The program asks for files, marks and its end through
 * firmware/harness/port_simavr.h, in the folder that this is started in, and its exit code is this one's.
 * The file of counts: uint32 low, high, buckets, grain (2), then for each bucket uint64 executed[slots], then uint64
 * cycles[slots], with (high - low) / 2 slots. */
#include <simavr/sim_avr.h>
#include <simavr/sim_core.h>
#include <simavr/sim_io.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/harness/port_simavr.h"

enum { EXIT_USAGE = 64, EXIT_FAULT = 70, FILES = 8 };

struct slots {
  uint64_t *now;  /* since the last mark */
  uint64_t *sums; /* [buckets][slots] */
};

static avr_t *avr;
static FILE *files[FILES];
static uint32_t low, high;
static unsigned long buckets;
static size_t slots;
static struct slots executed, cycles;
static bool ended;
static int exit_code;

static void take(struct slots *s, unsigned bucket) {
  uint64_t *sum = s->sums + (size_t)bucket * slots;
  for (size_t i = 0; i < slots; i++) sum[i] += s->now[i];
  memset(s->now, 0, slots * sizeof *s->now);
}

static bool in_memory(uint32_t address, uint32_t n) {
  return n <= avr->ramend + 1u && address <= avr->ramend + 1u - n;
}

static uint16_t open_file(uint16_t name, const char *mode) {
  uint32_t n = 0;
  while (in_memory(name + n, 1) && avr->data[name + n] != 0) n++;
  if (!in_memory(name, n + 1)) return UINT16_MAX;
  for (uint16_t i = 0; i < FILES; i++)
    if (!files[i]) {
      files[i] = fopen((const char *)avr->data + name, mode);
      return files[i] ? i : UINT16_MAX;
    }
  return UINT16_MAX;
}

static void move(struct port_call *call, bool read) {
  FILE *f = call->handle < FILES ? files[call->handle] : NULL;
  if (!f || !in_memory(call->address, call->n)) return;
  uint8_t *at = avr->data + call->address;
  call->n -= (uint32_t)(read ? fread(at, 1, call->n, f) : fwrite(at, 1, call->n, f));
}

static void close_file(uint16_t handle) {
  if (handle >= FILES || !files[handle]) return;
  fclose(files[handle]);
  files[handle] = NULL;
}

static void on_ask(struct avr_t *a, avr_io_addr_t address, uint8_t what, void *param) {
  const uint16_t at = (uint16_t)(avr->data[PORT_GPIOR1] | avr->data[PORT_GPIOR2] << 8);
  struct port_call call;
  (void)a, (void)address, (void)param;
  if (!in_memory(at, sizeof call)) return;
  memcpy(&call, avr->data + at, sizeof call);
  switch (what) {
  case PORT_OPEN_READ: call.handle = open_file(call.address, "rb"); break;
  case PORT_OPEN_WRITE: call.handle = open_file(call.address, "wb"); break;
  case PORT_READ: move(&call, true); break;
  case PORT_WRITE: move(&call, false); break;
  case PORT_CLOSE: close_file(call.handle); break;
  case PORT_EXIT:
    ended = true;
    exit_code = call.handle;
    break;
  case PORT_MARK:
    if (slots && call.handle < buckets) {
      take(&executed, call.handle);
      take(&cycles, call.handle);
    }
    break;
  default: break;
  }
  memcpy(avr->data + at, &call, sizeof call);
}

static bool make(struct slots *s) {
  s->now = calloc(slots, sizeof *s->now);
  s->sums = calloc(slots * buckets, sizeof *s->sums);
  return s->now && s->sums;
}

/* A store to the registers that hold a call's address must reach them. */
static void on_byte(struct avr_t *a, avr_io_addr_t address, uint8_t value, void *param) {
  (void)a, (void)param;
  avr->data[address] = value;
}

static int load(const char *path) {
  static uint8_t flash[1 << 18];
  FILE *f = fopen(path, "rb");
  if (!f) return -1;
  const size_t n = fread(flash, 1, sizeof flash, f);
  fclose(f);
  if (n > avr->flashend + 1u) return -1;
  avr_loadcode(avr, flash, (uint32_t)n, 0);
  return 0;
}

/* false: the core went where nothing is. */
static bool run(void) {
  while (!ended) {
    const avr_flashaddr_t pc = avr->pc;
    const avr_cycle_count_t before = avr->cycle;
    if (pc > avr->flashend) return false;
    avr->pc = avr_run_one(avr);
    if (avr->state == cpu_Crashed || avr->state == cpu_Done) return ended;
    if (pc >= low && pc < high) {
      executed.now[(pc - low) / 2]++;
      cycles.now[(pc - low) / 2] += avr->cycle - before;
    }
  }
  return true;
}

static void write_counts(const char *path) {
  const uint32_t head[4] = {low, high, (uint32_t)buckets, 2};
  FILE *f = fopen(path, "wb");
  if (!f) return; /* the reader finds no file, and says so */
  fwrite(head, sizeof head, 1, f);
  for (unsigned long b = 0; b < buckets; b++) {
    fwrite(executed.sums + b * slots, sizeof(uint64_t), slots, f);
    fwrite(cycles.sums + b * slots, sizeof(uint64_t), slots, f);
  }
  fclose(f);
}

int main(int argc, char **argv) {
  if (argc != 7 || !(avr = avr_make_mcu_by_name(argv[1]))) return EXIT_USAGE;
  avr_init(avr);
  avr->log = LOG_NONE;
  if (load(argv[2])) return EXIT_USAGE;
  low = (uint32_t)strtoul(argv[3], NULL, 0);
  high = (uint32_t)strtoul(argv[4], NULL, 0);
  buckets = strtoul(argv[5], NULL, 0);
  if (!*argv[6]) high = low;
  slots = (high - low) / 2;
  if (high < low || high > avr->flashend + 1u || buckets > 65536) return EXIT_USAGE;
  if (slots && (!make(&executed) || !make(&cycles))) return EXIT_USAGE;
  avr_register_io_write(avr, PORT_GPIOR0, on_ask, NULL);
  avr_register_io_write(avr, PORT_GPIOR1, on_byte, NULL);
  avr_register_io_write(avr, PORT_GPIOR2, on_byte, NULL);
  if (!run()) {
    fprintf(stderr, "fault at 0x%x\n", (unsigned)avr->pc);
    return EXIT_FAULT;
  }
  if (slots) write_counts(argv[6]);
  return exit_code;
}
