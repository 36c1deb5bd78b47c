/* features: what feature blocks cost on emulated chips, beside what other software takes for the same.
 *
 *   features TARGET [PEERS]
 *
 * Each block is emitted as C, built with Mote's own flags for the target, and run over one window: instructions (exact,
 * the same on every machine with the same compiler), code, tables, scratch and stack. PEERS is a folder with archives of other
 * software, TARGET/NAME.a, made by their own build, each with
 *   int peer_open(void);                      before the first window; 0 is well
 *   void peer_run(const int16_t *samples);    one window; what is counted
 * NAME is a block's name below, then a dot and what the software is called; the ratio stands beside the block.
 * Prints lines of tab-separated fields: block, software, instructions, code, tables, scratch, stack. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/emulate/emulate.h"
#include "host/features/features.h"
#include "host/kit/kit.h"
#include "test/chip_headers.h"

#define MOST_PARTS 4
/* A block as a user would set it; 0 and NULL are the kind's defaults. */
struct setting {
  const char *name;
  enum features_kind kind;
  double rate_hz, window_ms;
  int channels;
  double frame_ms, hop_ms;
  int fft_size, bands, coefficients;
  bool compatible; /* with the blocks of Edge Impulse, and their defaults */
};
static const struct setting settings[] = {
    {"mfe", FEATURES_MFE, 16000, 1000, 1, 0, 0, 0, 0, 0, true},
    {"mfcc-20ms", FEATURES_MFCC, 16000, 1000, 1, 0, 0, 0, 0, 0, true},
    {"mfcc-10ms", FEATURES_MFCC, 16000, 1000, 1, 0, 10, 0, 40, 0, true},
    {"spectrogram", FEATURES_SPECTROGRAM, 16000, 1000, 1, 0, 0, 0, 0, 0, true},
    {"micro", FEATURES_MICRO, 16000, 1000, 1, 0, 0, 0, 0, 0, false},
    {"logmel", FEATURES_LOGMEL, 16000, 1000, 1, 0, 0, 0, 0, 0, false},
    {"mfcc", FEATURES_MFCC, 16000, 1000, 1, 0, 0, 0, 0, 0, false},
    {"spectrum", FEATURES_SPECTRUM, 200, 2000, 3, 0, 0, 0, 0, 0, false},
    {"statistics", FEATURES_STATISTICS, 100, 2000, 3, 0, 0, 0, 0, 0, false},
    {"spectral", FEATURES_SPECTRAL, 62.5, 2000, 3, 0, 0, 16, 0, 0, true},
    {"flatten", FEATURES_FLATTEN, 62.5, 2000, 3, 0, 0, 0, 0, 0, true},
    {"pitch", FEATURES_PITCH, 16000, 1000, 1, 0, 0, 0, 0, 0, false},
    {"wavelet", FEATURES_WAVELET, 62.5, 2000, 3, 0, 0, 0, 0, 0, false},
};
#define SETTINGS (sizeof settings / sizeof *settings)

static bool make_block(const struct setting *s, struct arena *a, struct features_block *block,
                       struct err *e) {
  struct features_config c;
  features_defaults(s->kind, s->rate_hz, s->channels, s->window_ms, &c, NULL);
  if (s->compatible) features_compatible(&c);
  if (s->frame_ms > 0) c.frame_ms = s->frame_ms;
  if (s->hop_ms > 0) c.hop_ms = s->hop_ms;
  if (s->fft_size) c.fft_size = s->fft_size;
  if (s->bands) c.bands = s->bands;
  if (s->coefficients) c.coefficients = s->coefficients;
  return features_build(&c, 1, a, block, e);
}

/* Two gliding tones, steps and noise: something in every band, with pauses. Integers, so the same everywhere. */
static int16_t *make_samples(struct arena *a, const struct features_block *b) {
  const int n = b->window_samples * b->channels;
  int16_t *const x = ARENA_ARRAY(a, int16_t, n);
  uint32_t noise = 1;
  for (int i = 0; i < n; i++) {
    const uint32_t t = (uint32_t)(i / b->channels), loud = t / 1500 % 4 + 1;
    noise = noise * 1664525 + 1013904223;
    const int32_t glide = (int32_t)((t * t / 64) & 8191) - 4096, step = (int32_t)(t / 37 % 5) * 900;
    x[i] = (int16_t)((glide + step + (int32_t)(noise >> 20) - 2048 - 1800) * (int32_t)loud / 4 +
                     200 * (i % b->channels));
  }
  return x;
}

static const char *const program_text =
    "#include \"firmware/harness/program.h\"\n"
    "static struct mote_model m;\nstatic struct mote_plan p;\n"
    "struct mote_model *program_model(void) { return &m; }\n"
    "const struct mote_plan MOTE_ROM *program_plan(void) { return m.plan; }\n"
    "void program_network(void) {}\n"
    "static int16_t in[%d];\n"
    "void *program_input(unsigned i, uint32_t *n) { *n = sizeof in; return i ? 0 : in; }\n";

/* Whether Make's patterns hold a path, as in a program that Mote builds. */
static bool is_hot(const char *patterns, const char *path) {
  for (const char *p = patterns; *p;) {
    const size_t n = strcspn(p, " ");
    const char *const any = memchr(p, '%', n);
    const size_t head = any ? (size_t)(any - p) : n;
    if (strncmp(p, path, head) == 0 && (any || path[n] == 0)) return true;
    p += n + strspn(p + n, " ");
  }
  return false;
}

/* A folder with a program that runs `block`, or the archive where there is one. */
static bool make_program(struct arena *a, const char *dir, const struct emulate_target *target,
                         const struct features_block *block, const char *archive, struct err *e) {
  const char *sources[160] = {NULL};
  struct emulate_flags flags[64];
  int n = 0, n_flags = 0, n_names;
  char *home, **names;
  struct text block_text, text;
  if (!mote_home(a, &home, e) ||
      !dir_list(a, arena_printf(a, "%s/mote/dsp", home), &names, &n_names, e))
    return false;
  for (int i = 0; i < n_names && !archive; i++)
    if (text_ends(names[i], ".c") && strcmp(names[i], "kinds.c") != 0)
      sources[n++] = arena_printf(a, "mote/dsp/%s", names[i]);
  if (!archive) {
    sources[n++] = "mote/isa/fft.c";
    sources[n++] = "mote/base/fixed.c";
    sources[n++] = "mote/base/signal.c";
  }
  for (int i = 0; i < n; i++)
    if (is_hot(target->hot, sources[i]))
      flags[n_flags++] = (struct emulate_flags){sources[i], target->hot_flags};
  n = chip_headers(a, sources, n, 160);
  if (n < 0) return err_set(e, "no home, or too many files");
  if (!emulate_project(a, dir, "features", "model", target, sources, n, flags, n_flags,
                       archive ? 65536 : 0, e))
    return false;
  text_init(&block_text, a);
  text_init(&text, a);
  text_printf(&text, program_text, block->window_samples * block->channels);
  if (archive) {
    text_add(&block_text, "int model_c_has_nothing_in_it;\n");
    text_add(&text, "int peer_open(void);\nvoid peer_run(const int16_t *samples);\n"
                    "static int8_t out[4];\n"
                    "int program_open(void) { m.plan = &p; return peer_open(); }\n"
                    "void program_features(void) { peer_run(in); }\n");
  } else {
    features_emit_c(block, "block", &block_text);
    text_printf(&text,
                "void block_run(const int16_t *samples, void *scratch, int8_t *out);\n"
                "static int32_t scratch[%zu];\nstatic int8_t out[%zu];\n"
                "int program_open(void) { m.plan = &p; return 0; }\n"
                "void program_features(void) { block_run(in, scratch, out); }\n",
                (block->scratch_bytes + 3) / 4, block->out_bytes);
  }
  text_add(&text, "const void *program_output(unsigned i, uint32_t *n) { *n = sizeof out; return i "
                  "? 0 : out; }\n");
  if (!file_write(arena_printf(a, "%s/model.c", dir), block_text.data, block_text.size, e) ||
      !file_write(arena_printf(a, "%s/program.c", dir), text.data, text.size, e))
    return false;
  if (!archive) return true;
  /* The archive stands behind the objects, and what C++ needs behind it. */
  const char *const makefile = arena_printf(a, "%s/Makefile", dir);
  uint8_t *old;
  size_t size;
  if (!file_read(a, makefile, 1 << 20, &old, &size, e)) return false;
  const char *const all = arena_printf(
      a, "%.*s\nOBJECTS += -Wl,--start-group %s -lstdc++ -lm -lc -lgcc -Wl,--end-group\n",
      (int)size, (const char *)old, archive);
  return file_write(makefile, all, strlen(all), e);
}

/* Builds, runs, and prints one line. */
static bool measure(const struct emulate_target *target, const struct setting *s,
                    const char *archive, const char *software, struct err *e) {
  struct arena *a = arena_new(0);
  struct features_block block;
  struct emulate_program program;
  struct emulate_result r;
  char *dir = NULL;
  bool ok = make_block(s, a, &block, e) && dir_temporary(a, &dir, e);
  if (ok) {
    const struct emulate_options o = {.inputs = make_samples(a, &block),
                                      .input_bytes =
                                          2 * (size_t)block.window_samples * (size_t)block.channels,
                                      .count = 1,
                                      .count_instructions = true,
                                      .timeout_s = 300};
    ok = make_program(a, dir, target, &block, archive, e) &&
         emulate_build(a, dir, target, &program, e) && emulate_run(a, &program, &o, &r, e);
  }
  if (ok)
    printf("%s\t%s\t%lld\t%lld\t%lld\t%zu\t%lld\n", s->name, software,
           (long long)r.features.instructions, (long long)program.size.flash_code,
           (long long)program.size.flash_plan, archive ? (size_t)0 : block.scratch_bytes,
           (long long)r.stack_bytes);
  if (ok && getenv("FUNCTIONS"))
    for (int i = 0; i < r.n_functions && i < 12; i++)
      printf("#   %-28s %lld\n", r.functions[i].name, (long long)r.functions[i].count.instructions);
  fflush(stdout);
  if (dir) dir_remove(dir);
  arena_free(a);
  return ok;
}

/* Every archive of the folder whose name begins with the block's. */
static bool measure_peers(const struct emulate_target *target, const struct setting *s,
                          const char *peers, struct err *e) {
  struct arena *a = arena_new(0);
  char **names;
  int n;
  const char *const folder = arena_printf(a, "%s/%s", peers, target->name);
  bool ok = dir_list(a, folder, &names, &n, e);
  const size_t length = strlen(s->name);
  for (int i = 0; ok && i < n; i++) {
    if (strncmp(names[i], s->name, length) != 0 || names[i][length] != '.' ||
        !text_ends(names[i], ".a"))
      continue;
    const char *const software =
        arena_printf(a, "%.*s", (int)(strlen(names[i]) - length - 3), names[i] + length + 1);
    ok = measure(target, s, arena_printf(a, "%s/%s", folder, names[i]), software, e);
  }
  arena_free(a);
  return ok;
}

int main(int argc, char **argv) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  const struct emulate_target *target;
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: features TARGET [PEERS]\n");
    return 2;
  }
  bool ok = emulate_find_target(a, argv[1], &target, &e);
  for (size_t i = 0; ok && i < SETTINGS; i++) {
    ok = measure(target, &settings[i], NULL, "mote", &e);
    if (ok && argc > 2) ok = measure_peers(target, &settings[i], argv[2], &e);
  }
  if (!ok) fprintf(stderr, "features: %s\n", e.text);
  arena_free(a);
  return ok ? 0 : 1;
}
