/* Blocks of features on a chip: the emitted C runs in the emulator and must give this machine's bytes. */
#ifndef TEST_CHIP_BLOCKS_H
#define TEST_CHIP_BLOCKS_H

#include "host/emulate/emulate.h"
#include "host/features/features.h"
#include "test/chip_headers.h"

#define CHIP_BLOCKS_MOST 8

/* The harness's features are the first block, its network the others. */
static bool chip_blocks_project(struct arena *a, const char *dir,
                                const struct emulate_target *target, const char *const *dsp,
                                size_t n_dsp, const struct features_block *blocks, int n,
                                struct err *e) {
  const char *sources[96];
  struct emulate_flags flags[32];
  for (size_t i = 0; i < n_dsp; i++) {
    sources[i] = dsp[i];
    flags[i] = (struct emulate_flags){dsp[i], target->hot_flags[0] ? target->hot_flags : "-O0"};
  }
  const int n_sources = chip_headers(a, sources, (int)n_dsp, 96);
  if (!emulate_project(a, dir, "features", "model", target, sources, n_sources, flags, (int)n_dsp,
                       0, e))
    return false;
  struct text model, program;
  text_init(&model, a);
  text_init(&program, a);
  text_add(&program, "#include \"firmware/harness/program.h\"\n#include \"mote/dsp/dsp.h\"\n"
                     "static struct mote_model m;\nstatic struct mote_plan p;\n"
                     "int program_open(void) { m.plan = &p; return 0; }\n"
                     "struct mote_model *program_model(void) { return &m; }\n"
                     "const struct mote_plan MOTE_ROM *program_plan(void) { return m.plan; }\n");
  size_t scratch = 4;
  for (int i = 0; i < n; i++) {
    features_emit_c(&blocks[i], arena_printf(a, "block%d", i), &model);
    scratch = blocks[i].scratch_bytes > scratch ? blocks[i].scratch_bytes : scratch;
    text_printf(&program,
                "void block%d_run(const int16_t *samples, void *scratch, int8_t *out);\n"
                "static int16_t in%d[%d];\nstatic int8_t out%d[%zu];\n",
                i, i, blocks[i].window_samples * blocks[i].channels, i, blocks[i].out_bytes);
  }
  text_printf(&program, "static int32_t scratch[%zu];\n", scratch / 4);
  static const char *const ends[] = {"void *program_input", "in", "const void *program_output",
                                     "out"};
  for (int k = 0; k < 4; k += 2) {
    text_printf(&program, "%s(unsigned i, uint32_t *n) {\n  switch (i) {\n", ends[k]);
    for (int i = 0; i < n; i++)
      text_printf(&program, "  case %d: *n = sizeof %s%d; return %s%d;\n", i, ends[k + 1], i,
                  ends[k + 1], i);
    text_add(&program, "  }\n  return 0;\n}\n");
  }
  for (int i = 0; i < n; i++)
    text_printf(&program, "%s  block%d_run(in%d, scratch, out%d);\n%s",
                i == 0   ? "void program_features(void) {\n"
                : i == 1 ? "void program_network(void) {\n"
                         : "",
                i, i, i, i == 0 || i == n - 1 ? "}\n" : "");
  if (n == 1) text_add(&program, "void program_network(void) {}\n");
  return file_write(arena_printf(a, "%s/model.c", dir), model.data, model.size, e) &&
         file_write(arena_printf(a, "%s/program.c", dir), program.data, program.size, e);
}

/* crc: of all outputs on every machine; 0 where it is not held. */
static void chip_blocks(struct arena *a, const char *name, const char *const *dsp, size_t n_dsp,
                        const struct features_block *blocks, const int16_t *const *samples, int n,
                        uint32_t crc) {
  struct err e = {0};
  const struct emulate_target *target;
  if (!emulate_find_target(a, name, &target, &e)) fail_msg("%s", e.text);
  if (!emulate_can_build(target) || !emulate_can_run(target)) {
    print_message("%s: compiler or emulator absent\n", name);
    skip();
  }
  struct text in, want;
  text_init(&in, a);
  text_init(&want, a);
  for (int i = 0; i < n; i++) {
    int8_t *const out = ARENA_ARRAY(a, int8_t, blocks[i].out_bytes);
    features_run(&blocks[i], samples[i], arena_alloc(a, 1, blocks[i].scratch_bytes + 4), out);
    text_addn(&in, (const char *)samples[i],
              2 * (size_t)blocks[i].window_samples * (size_t)blocks[i].channels);
    text_addn(&want, (const char *)out, blocks[i].out_bytes);
  }
  const uint32_t found = mote_crc32(0, want.data, want.size);
  if (crc && found != crc) fail_msg("the outputs' CRC is 0x%08x here, not 0x%08x", found, crc);
  char *dir;
  struct emulate_program program;
  struct emulate_result r;
  assert_true(dir_temporary(a, &dir, &e));
  const struct emulate_options o = {.inputs = in.data,
                                    .input_bytes = in.size,
                                    .count = 1,
                                    .count_instructions = true,
                                    .timeout_s = 120};
  const bool ok = chip_blocks_project(a, dir, target, dsp, n_dsp, blocks, n, &e) &&
                  emulate_build(a, dir, target, &program, &e) &&
                  emulate_run(a, &program, &o, &r, &e);
  dir_remove(dir);
  if (!ok) fail_msg("%s: %s", name, e.text);
  assert_int_equal(r.output_bytes, want.size);
  assert_memory_equal(r.outputs, want.data, want.size);
  if (r.counted)
    print_message("%s: the same %zu bytes, CRC %08x; %lld instructions for the first block, %lld "
                  "bytes of code\n",
                  name, want.size, found, (long long)r.features.instructions,
                  (long long)program.size.flash_code);
}

/* The same of the n blocks that make gives, with the samples that samples_of gives for each. */
static inline void chip_same(const char *name, const char *const *dsp, size_t n_dsp,
                             struct features_block (*make)(struct arena *a, int i),
                             int16_t *(*samples_of)(struct arena *a, const struct features_block *),
                             int n, uint32_t crc) {
  struct arena *a = arena_new(0);
  struct features_block blocks[CHIP_BLOCKS_MOST];
  const int16_t *samples[CHIP_BLOCKS_MOST];
  for (int i = 0; i < n; i++) {
    blocks[i] = make(a, i);
    samples[i] = samples_of(a, &blocks[i]);
  }
  chip_blocks(a, name, dsp, n_dsp, blocks, samples, n, crc);
  arena_free(a);
}

#endif
