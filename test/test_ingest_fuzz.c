/* Every reader of recordings takes or refuses hostile bytes: all prefixes and thousands of mutations of valid streams,
 * and what was found before (test/fuzz/ingest, FORMAT-*.bin). Under the asan and ubsan profiles it proves that nothing
 * is read or computed outside its bounds.
 *
 *   test_ingest_fuzz                   the tests
 *   test_ingest_fuzz FORMAT FILE       reads one file again
 *   test_ingest_fuzz seeds FOLDER      writes the valid streams as FOLDER/FORMAT/N, to begin a search from
 *   MOTE_FUZZ_CASES=200000 MOTE_FUZZ_SEED=2 test_ingest_fuzz
 *
 * `make fuzz-ingest` builds the same file as a libFuzzer program (MOTE_LIBFUZZER), which searches with coverage.
 * A new reader is a row in ingest_fuzzed (test/fuzz/ingest.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "test/fuzz/ingest.h"
#include "test/fuzz/mend.h"

static char folder[512];

/* libsndfile leaves what libvorbis made behind where it refuses a file. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libvorbis\nleak:libsndfile\n"; }

static bool make_folder(void) {
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(folder, sizeof folder, "%s/mote-ingest-XXXXXX", base);
  return mkdtemp(folder) != NULL;
}

static const struct ingest_fuzzed *format_of(const char *name) {
  for (size_t i = 0; name && i < INGEST_FUZZED; i++)
    if (strcmp(ingest_fuzzed[i].name, name) == 0) return &ingest_fuzzed[i];
  return NULL;
}

#ifdef MOTE_LIBFUZZER

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t most);

static void remove_folder(void) { dir_remove(folder); }

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  if (!format_of(getenv("MOTE_FUZZ_FORMAT")) || !make_folder()) {
    fprintf(stderr, "MOTE_FUZZ_FORMAT names no format\n");
    exit(2);
  }
  atexit(remove_folder);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct err e = {0};
  ingest_fuzz_case(format_of(getenv("MOTE_FUZZ_FORMAT")), folder, bytes, n, &e);
  return 0;
}

/* The library's own mutations; behind 15 of 16 the checksums are right again. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed) {
  void (*const mend)(uint8_t *, size_t) = mend_of(getenv("MOTE_FUZZ_FORMAT"));
  n = LLVMFuzzerMutate(bytes, n, most);
  if (mend && seed % 16) mend(bytes, n);
  return n;
}

#else

#include <cmocka.h>

#include "test/fuzz/fuzz.h"

static const struct ingest_fuzzed *current;

static bool read_current(const uint8_t *bytes, size_t n, struct err *e) {
  return ingest_fuzz_case(current, folder, bytes, n, e);
}

static unsigned number_from(const char *name, unsigned otherwise) {
  const char *text = getenv(name);
  return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void hostile_bytes(void **state) {
  struct arena *a = arena_new(0);
  const unsigned cases = number_from("MOTE_FUZZ_CASES", 6000),
                 seed = number_from("MOTE_FUZZ_SEED", 1);
  struct fuzz_tally valid = {0}, others = {0};
  int seeds = 0;
  current = *state;
  const struct fuzz_reader reader = {current->name, read_current, NULL};
  fuzz_mend = mend_of(current->name);
  fuzz_watch();
  while (current->seed(a, folder, seeds).n) seeds++;
  assert_true(seeds > 0);
  for (int i = 0; i < seeds; i++) {
    const struct ingest_seed s = current->seed(a, folder, i);
    struct err e = {0};
    if (!read_current(s.bytes, s.n, &e)) fail_msg("%s: seed %d: %s", current->name, i, e.text);
    assert_true(fuzz_case(&reader, s.bytes, s.n, &valid));
    if (fuzz_mend) { /* A valid stream's checksums are what they are mended to. */
      uint8_t *const copy = arena_alloc(a, s.n, 1);
      memcpy(copy, s.bytes, s.n);
      fuzz_mend(copy, s.n);
      assert_memory_equal(copy, s.bytes, s.n);
    }
    assert_true(fuzz_prefixes(&reader, s.bytes, s.n, 2000, &others));
    assert_true(fuzz_mutations(&reader, s.bytes, s.n, cases / (unsigned)seeds, seed + (unsigned)i,
                               &others));
  }
  print_message("%s: %lu taken, %lu refused\n", current->name, others.taken, others.refused);
  assert_true(valid.refused == 0 && others.refused > 0);
  if (fuzz_mend) assert_true(others.taken > 0); /* not all of them end at a checksum */
  arena_free(a);
}

static void found_before(void **state) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct fuzz_tally tally = {0};
  char **names;
  int n = 0, replayed = 0;
  (void)state;
  fuzz_watch();
  assert_true(dir_list(a, "test/fuzz/ingest", &names, &n, &e));
  for (int i = 0; i < n; i++) {
    char *name = arena_strdup(a, names[i]), *dash = strchr(name, '-');
    uint8_t *bytes;
    size_t size;
    if (!text_ends(name, ".bin") || !dash) continue;
    *dash = 0;
    current = format_of(name);
    assert_non_null(current);
    assert_true(
        file_read(a, arena_printf(a, "test/fuzz/ingest/%s", names[i]), 1 << 24, &bytes, &size, &e));
    const struct fuzz_reader reader = {current->name, read_current, NULL};
    assert_true(fuzz_case(&reader, bytes, size, &tally));
    replayed++;
  }
  print_message("%d files: %lu taken, %lu refused\n", replayed, tally.taken, tally.refused);
  assert_true(replayed > 0);
  arena_free(a);
}

static int write_seeds(const char *to) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  bool ok = true;
  for (size_t f = 0; ok && f < INGEST_FUZZED; f++) {
    const char *place = arena_printf(a, "%s/%s", to, ingest_fuzzed[f].name);
    ok = dir_make(place, &e);
    for (int i = 0; ok; i++) {
      const struct ingest_seed s = ingest_fuzzed[f].seed(a, folder, i);
      if (!s.n) break;
      ok = file_write(arena_printf(a, "%s/%d", place, i), s.bytes, s.n, &e);
    }
  }
  if (!ok) fprintf(stderr, "%s: %s\n", e.file, e.text);
  arena_free(a);
  return !ok;
}

static int read_one(const char *name, const char *path) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  uint8_t *bytes;
  size_t n;
  current = format_of(name);
  if (!current || !file_read(a, path, 1 << 30, &bytes, &n, &e)) {
    fprintf(stderr, "%s\n", current ? e.text : "no such format");
    arena_free(a);
    return 2;
  }
  const bool taken = read_current(bytes, n, &e);
  printf("%s: %s\n", name, taken ? "taken" : e.text);
  arena_free(a);
  return 0;
}

int main(int argc, char **argv) {
  if (!make_folder()) return 3;
  int code;
  fuzz_prepare();
  if (argc == 3 && strcmp(argv[1], "seeds") == 0) {
    code = write_seeds(argv[2]);
  } else if (argc == 3) {
    code = read_one(argv[1], argv[2]);
  } else {
    struct arena *a = arena_new(0);
    struct CMUnitTest tests[INGEST_FUZZED + 1];
    for (size_t i = 0; i < INGEST_FUZZED; i++)
      tests[i] = (struct CMUnitTest){
          arena_printf(a, "%s: hostile bytes are taken or refused", ingest_fuzzed[i].name),
          hostile_bytes, NULL, NULL, (void *)(uintptr_t)&ingest_fuzzed[i]};
    tests[INGEST_FUZZED] = (struct CMUnitTest)cmocka_unit_test(found_before);
    code = cmocka_run_group_tests_name("ingest fuzz", tests, NULL, NULL);
    arena_free(a);
  }
  dir_remove(folder);
  return code;
}

#endif
