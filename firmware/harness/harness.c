/* harness: runs a program over a file of inputs and writes what came out, for proofs and measurements.
 *
 * Reads mote.in: struct harness_job, then `count` inputs. Writes mote.out: `count` outputs, then the stack's
 * high-water marks of features and network. With `steps`, the first input runs once more with the model's tap
 * set: a mark after each call of a kernel, so that instructions can be told apart step by step; with `layers`
 * too, mote.rows takes the rows that the tap saw.
 *
 * Marks (see port.h): 0 the harness's own time, 1 features, 2 network, 3 the network with the tap but outside
 * of steps, 4 + s step s. Exit code: 0, or HARNESS_* below.
 *
 * The linker script keeps this folder's code and data apart (.harness), so it is neither counted nor measured;
 * the program's own folders never come here. */
#include "firmware/harness/port.h"
#include "firmware/harness/program.h"

enum { HARNESS_NO_INPUT = 65, HARNESS_OPEN = 66, HARNESS_WRITE = 67, HARNESS_SHORT = 68 };

#define HARNESS_MAGIC 0x314A4F4Du /* "MOJ1" */

/* The head of mote.in. Little-endian words. */
struct harness_job {
  uint32_t magic, count, steps, layers;
};

/* The head of a piece of mote.rows. */
struct harness_rows {
  uint32_t step, output, first, made, bytes;
};

enum { MARK_HARNESS, MARK_FEATURES, MARK_NETWORK, MARK_TAP, MARK_STEP };

static int rows_file; /* -1: none */

static void mark(unsigned bucket) {
  if (bucket < PORT_MARKS) port_mark(bucket);
}

static void write_rows(const struct harness_rows *head, const void *rows) {
  if (port_write(rows_file, head, sizeof *head) || port_write(rows_file, rows, head->bytes))
    port_exit(HARNESS_WRITE);
}

/* The rows that were made; with the last of them the step's further outputs, each a tensor of the arena. */
static void write_step(unsigned step, unsigned first, unsigned made, const void *rows) {
  const struct mote_plan MOTE_ROM *plan = program_plan();
  const uint8_t MOTE_ROM *base = (const uint8_t MOTE_ROM *)plan;
  const struct mote_step MOTE_ROM *s =
      (const struct mote_step MOTE_ROM *)(base + plan->steps) + step;
  const struct mote_edge MOTE_ROM *more =
      (const struct mote_edge MOTE_ROM *)(base + plan->edges) + s->edges + s->n_in;
  const struct mote_tensor MOTE_ROM *tensors =
      (const struct mote_tensor MOTE_ROM *)(base + plan->tensors);
  const struct mote_tensor MOTE_ROM *t = &tensors[s->output];
  if (made == MOTE_ALL_ROWS) made = t->rows;
  write_rows(&(const struct harness_rows){step, 0, first, made, made * t->row_bytes}, rows);
  if (first + made < t->rows) return;
  for (uint32_t i = 1; i < s->n_out; i++) {
    const struct mote_tensor MOTE_ROM *o = &tensors[more[i - 1].tensor];
    write_rows(&(const struct harness_rows){step, i, 0, o->rows, o->rows * o->row_bytes},
               program_model()->arena + (o->offset & ~(uint32_t)3));
  }
}

static void tap(void *context, const struct mote_plan MOTE_ROM *plan, unsigned step, unsigned first,
                unsigned made, const void *rows) {
  mark(MARK_STEP + step);
  if (rows_file >= 0) {
    if (made) write_step(step, first, made, rows);
    mark(MARK_HARNESS);
  }
  (void)context;
  (void)plan;
}

static void read_input(int file) {
  uint32_t bytes;
  for (unsigned i = 0;; i++) {
    void *to = program_input(i, &bytes);
    if (!to) break;
    if (port_read(file, to, bytes)) port_exit(HARNESS_SHORT);
  }
}

static void write_output(int file) {
  uint32_t bytes;
  for (unsigned i = 0;; i++) {
    const void *from = program_output(i, &bytes);
    if (!from) break;
    if (port_write(file, from, bytes)) port_exit(HARNESS_WRITE);
  }
}

/* Features and network on the input that lies ready. stack: the largest so far of each. */
static void infer(uint32_t stack[2], unsigned network_mark) {
  mark(MARK_HARNESS);
  const uint32_t features = port_stack_used(program_features);
  mark(network_mark == MARK_NETWORK ? MARK_FEATURES : MARK_HARNESS);
  const uint32_t network = port_stack_used(program_network);
  mark(network_mark);
  if (features > stack[0]) stack[0] = features;
  if (network > stack[1]) stack[1] = network;
}

static void run_with_tap(const struct harness_job *job) {
  struct mote_model *model = program_model();
  uint32_t ignored[2] = {0, 0};
  struct harness_job again;
  const int in = port_open_read("mote.in");
  if (in < 0 || port_read(in, &again, sizeof again)) port_exit(HARNESS_NO_INPUT);
  if (program_open() < 0) port_exit(HARNESS_OPEN); /* variables begin anew */
  read_input(in);
  port_close(in);
  if (job->layers && (rows_file = port_open_write("mote.rows")) < 0) port_exit(HARNESS_WRITE);
  model->hook = tap;
  infer(ignored, MARK_TAP);
  model->hook = 0;
  if (rows_file >= 0) port_close(rows_file);
}

int main(void);
int main(void) {
  rows_file = -1;
  struct harness_job job;
  uint32_t stack[2] = {0, 0};
  const int in = port_open_read("mote.in");
  if (in < 0 || port_read(in, &job, sizeof job) || job.magic != HARNESS_MAGIC)
    port_exit(HARNESS_NO_INPUT);
  const int out = port_open_write("mote.out");
  if (out < 0) port_exit(HARNESS_WRITE);
  if (program_open() < 0) port_exit(HARNESS_OPEN);
  for (uint32_t n = 0; n < job.count; n++) {
    read_input(in);
    infer(stack, MARK_NETWORK);
    write_output(out);
  }
  port_close(in);
  if (port_write(out, stack, sizeof stack)) port_exit(HARNESS_WRITE);
  port_close(out);
  if (job.steps) run_with_tap(&job);
  port_exit(0);
}
