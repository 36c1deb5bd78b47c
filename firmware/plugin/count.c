/* count: a QEMU plugin that counts how often each instruction of a range was executed, in buckets.
 *
 * What a bucket is, the program decides: it stores a byte to marks + b, which says "what ran since the last
 * mark belongs to bucket b". An instruction has one counter, which generated code adds to; a mark takes the
 * difference since the last mark. So an instruction costs one addition, and nothing is sampled.
 *
 * Also counts, for each instruction that ends a translated block, how often control went elsewhere than to
 * the next address: taken branches.
 *
 * Arguments: low=, high= (addresses of the counted range), marks= (address of the marks), buckets=, out= (file),
 * grain= (bytes of code that share a counter; 2 unless given, and as many as the range has for sums alone),
 * aligned=1 (a load or store of the range at an address that its size does not divide ends the emulation with exit
 * code 73: for machines that take what the core would trap).
 * The file: uint32 low, high, buckets, grain; then for each bucket uint64 executed[slots], then uint64
 * taken[slots], with (high - low) / grain slots, rounded up. Little-endian, as the machine that runs this.
 *
 * Debian's QEMU 7.2 ships no header for plugins, so the part of API version 1 that is used is declared here.
 * Memory callbacks ask for reads and writes, and test for a store: in 7.2 a callback for reads alone is called
 * on stores. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum { EXIT_UNALIGNED = 73 };
enum { CB_NO_REGS = 0, MEM_RW = 3, INLINE_ADD_U64 = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*cb)(unsigned, void *),
                                          int flags, void *userdata);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr,
                                                uint64_t imm);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                      void (*cb)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *),
                                      int flags, int rw, void *userdata);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *),
                                    void *userdata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);

/* What a mark needs to know of a counter: the value at the last mark. */
struct slots {
  uint64_t *now, *seen; /* [slots], one for each grain of the range */
  uint64_t *sums;       /* [buckets][slots] */
};
/* A block that was translated: where it starts, and its last instruction. */
struct block {
  uint64_t start, next;
  size_t last; /* slot of the last instruction; SIZE_MAX outside of the range */
  struct block *older;
};

static uint64_t low, high, marks, buckets, grain = 2;
static bool aligned;
static size_t slots;
static struct slots executed, taken;
static const struct block *before;
static struct block *all_blocks;
static char out_path[4096];

static void take(struct slots *s, uint64_t bucket) {
  uint64_t *sum = s->sums + bucket * slots;
  for (size_t i = 0; i < slots; i++) {
    sum[i] += s->now[i] - s->seen[i];
    s->seen[i] = s->now[i];
  }
}

static void on_store(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *userdata) {
  (void)cpu, (void)userdata;
  if (!qemu_plugin_mem_is_store(info) || address < marks || address >= marks + buckets) return;
  take(&executed, address - marks);
  take(&taken, address - marks);
}

/* userdata: the instruction's address. */
static void on_access(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *userdata) {
  const unsigned bytes = 1u << qemu_plugin_mem_size_shift(info);
  (void)cpu;
  if (!(address & (bytes - 1))) return;
  fprintf(stderr,
          "unaligned access: %u bytes at 0x%" PRIx64 ", by the instruction at 0x%" PRIx64 "\n",
          bytes, address, (uint64_t)(uintptr_t)userdata);
  fflush(stderr);
  _exit(EXIT_UNALIGNED);
}

static void on_block(unsigned cpu, void *userdata) {
  const struct block *b = (const struct block *)userdata;
  (void)cpu;
  if (before && before->last != SIZE_MAX && b->start != before->next) taken.now[before->last]++;
  before = b;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  const size_t n = qemu_plugin_tb_n_insns(tb);
  struct block *block = (struct block *)calloc(1, sizeof *block);
  (void)id;
  if (!block) abort();
  block->older = all_blocks;
  all_blocks = block;
  block->last = SIZE_MAX;
  for (size_t i = 0; i < n; i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    const uint64_t at = qemu_plugin_insn_vaddr(insn);
    if (i == 0) block->start = at;
    if (at >= low && at < high) {
      const size_t slot = (size_t)((at - low) / grain);
      qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &executed.now[slot], 1);
      if (i == n - 1) block->last = slot;
      if (aligned)
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, CB_NO_REGS, MEM_RW,
                                         (void *)(uintptr_t)at);
    } else {
      /* Marks come from the harness, which is outside of the range. */
      qemu_plugin_register_vcpu_mem_cb(insn, on_store, CB_NO_REGS, MEM_RW, NULL);
    }
    if (i == n - 1) block->next = at + qemu_plugin_insn_size(insn);
  }
  qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, CB_NO_REGS, block);
}

static void write_counts(qemu_plugin_id_t id, void *userdata) {
  const uint32_t head[4] = {(uint32_t)low, (uint32_t)high, (uint32_t)buckets, (uint32_t)grain};
  FILE *f = fopen(out_path, "wb");
  (void)id, (void)userdata;
  if (!f) return; /* the reader finds no file, and says so */
  fwrite(head, sizeof head, 1, f);
  for (uint64_t b = 0; b < buckets; b++) {
    fwrite(executed.sums + b * slots, sizeof(uint64_t), slots, f);
    fwrite(taken.sums + b * slots, sizeof(uint64_t), slots, f);
  }
  fclose(f);
  while (all_blocks) {
    struct block *older = all_blocks->older;
    free(all_blocks);
    all_blocks = older;
  }
}

static bool make(struct slots *s) {
  s->now = (uint64_t *)calloc(slots, sizeof *s->now);
  s->seen = (uint64_t *)calloc(slots, sizeof *s->seen);
  s->sums = (uint64_t *)calloc(slots * (size_t)buckets, sizeof *s->sums);
  return s->now && s->seen && s->sums;
}

EXPORT int qemu_plugin_version = 1;

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                               char **argv);
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                               char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    const char *value = strchr(argv[i], '=');
    if (!value) return -1;
    value++;
    if (!strncmp(argv[i], "low=", 4))
      low = strtoull(value, NULL, 0);
    else if (!strncmp(argv[i], "high=", 5))
      high = strtoull(value, NULL, 0);
    else if (!strncmp(argv[i], "marks=", 6))
      marks = strtoull(value, NULL, 0);
    else if (!strncmp(argv[i], "buckets=", 8))
      buckets = strtoull(value, NULL, 0);
    else if (!strncmp(argv[i], "grain=", 6))
      grain = strtoull(value, NULL, 0);
    else if (!strncmp(argv[i], "aligned=", 8))
      aligned = strtoull(value, NULL, 0) != 0;
    else if (!strncmp(argv[i], "out=", 4))
      snprintf(out_path, sizeof out_path, "%s", value);
    else
      return -1;
  }
  if (high <= low || high - low > (64u << 20) || !buckets || buckets > 65536 || grain < 2 ||
      grain > UINT32_MAX || !out_path[0])
    return -1;
  slots = (size_t)((high - low - 1) / grain + 1);
  if (!make(&executed) || !make(&taken)) return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
  qemu_plugin_register_atexit_cb(id, write_counts, NULL);
  return 0;
}
