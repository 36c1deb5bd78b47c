/* golden on a chip: runs the plans in the file golden.in, one after the other, and writes what each gave to golden.out.
 *
 * golden.in: for each plan its length, the number of inferences, and then the plan, aligned to 8, and for each
 * inference all inputs; a length of 0 ends it. golden.out: for each plan the status of mote_open, and for each
 * inference all outputs; nothing more after a plan that did not open.
 *
 * The counting plugin (firmware/plugin/count.c) sees the marks: bucket 0 is what the library does beside inference,
 * bucket 1 + i is mote_run of plan i. */
#include "firmware/harness/port.h"
#include "mote/mote.h"

#define PLAN_BYTES  (1u << 16)
#define ARENA_BYTES (1u << 17)
static uint64_t plan[PLAN_BYTES / 8], arena[ARENA_BYTES / 8];

/* Marks of the counting plugin; as many as test/test_witness.c has cases at most, and one. */
#define MARKS 4097
extern volatile uint8_t golden_marks[MARKS];
volatile uint8_t golden_marks[MARKS];

enum { NO_FILE = 65, BAD_FILE = 66 };

/* What a port holds. */
static uint32_t port_bytes(const struct mote_port *p) {
  uint32_t n = (uint32_t)mote_type_bytes(p->type);
  for (int i = 0; i < p->rank; i++) n *= (uint32_t)p->dims[i];
  return n;
}

static void invoke(const struct mote_model *m, uint32_t number, int from, int to) {
  const struct mote_port *in = mote_at(m->plan, (int32_t)m->plan->inputs);
  const struct mote_port *out = mote_at(m->plan, (int32_t)m->plan->outputs);
  for (unsigned i = 0; i < m->plan->n_inputs; i++)
    if (port_read(from, mote_input(m, i), port_bytes(&in[i])) < 0) port_exit(BAD_FILE);
  golden_marks[0] = 1;
  mote_run(m);
  golden_marks[1 + number] = 1;
  for (unsigned i = 0; i < m->plan->n_outputs; i++)
    port_write(to, mote_output(m, i), port_bytes(&out[i]));
}

int main(void) {
  const int from = port_open_read("golden.in"), to = port_open_write("golden.out");
  if (from < 0 || to < 0) return NO_FILE;
  for (uint32_t number = 0;; number++) {
    uint32_t head[2];
    struct mote_model m;
    if (port_read(from, head, sizeof head) < 0 || head[0] > PLAN_BYTES) return BAD_FILE;
    if (head[0] == 0) break;
    if (1 + number >= MARKS) return BAD_FILE;
    if (port_read(from, plan, (head[0] + 7) & ~7u) < 0) return BAD_FILE;
    for (uint32_t i = 0; i < ARENA_BYTES / 8; i++) arena[i] = UINT64_C(0xA5A5A5A5A5A5A5A5);
    const int32_t status = (int32_t)mote_open(&m, plan, head[0], arena, ARENA_BYTES);
    port_write(to, &status, sizeof status);
    if (status != MOTE_OK) break; /* its inputs are not read, so nothing behind can be */
    for (uint32_t k = 0; k < head[1]; k++) invoke(&m, number, from, to);
  }
  port_close(to);
  return 0;
}
