/* Fuzzing and replaying readers of hostile bytes.
 *
 * A reader gets every prefix of a valid stream and seeded mutations of it. It must take each, or refuse it with a
 * text that is not empty; it must never crash, run out of its memory, or read beyond the bytes (they lie at the end
 * of a block of their own, so AddressSanitizer sees the first byte too far). The same seed gives the same cases.
 *
 * Where a case ends the process, its bytes are left in a file named on standard error; `test_fuzz READER FILE`
 * reads it again. */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "host/kit/kit.h"

struct fuzz_reader {
  const char *name;
  /* true: taken; false: refused, with a text in e. */
  bool (*read)(const uint8_t *bytes, size_t n, struct err *e);
  /* A valid stream, made in a. */
  void (*seed)(struct arena *a, uint8_t **bytes, size_t *n);
};

struct fuzz_tally {
  unsigned long taken, refused;
};

/* ---- what is being read now ------------------------------------------------------ */
static struct {
  const char *reader;
  unsigned long number;
  const uint8_t *bytes;
  size_t n;
} fuzz_now;

/* Only calls that a signal handler may make. */
static void fuzz_leave_bytes(void) {
  if (!fuzz_now.bytes) return;
  char path[128] = "/tmp/fuzz-";
  strncat(path, fuzz_now.reader, 64);
  strcat(path, ".bytes");
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ssize_t done = 0;
  if (file >= 0) {
    done = write(file, fuzz_now.bytes, fuzz_now.n);
    close(file);
  }
  fuzz_now.bytes = NULL;
  done += write(2, "\nfuzz: this case ended the process; its bytes: ", 47);
  done += write(2, path, strlen(path));
  done += write(2, "\n", 1);
  (void)done;
}

/* Signals that end the process. What handled them before the tests began (a sanitizer, or nobody) gets the
 * second, identical fault, so its report is not lost. */
static const int fuzz_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF};
#define FUZZ_SIGNALS (sizeof fuzz_signals / sizeof *fuzz_signals)
static struct sigaction fuzz_before[FUZZ_SIGNALS];

static void fuzz_signal(int number) {
  fuzz_leave_bytes();
  for (size_t i = 0; i < FUZZ_SIGNALS; i++) sigaction(fuzz_signals[i], &fuzz_before[i], NULL);
  if (number == SIGABRT || number == SIGPROF) raise(number);
}

/* The sanitizers end the process themselves; they call this before. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* Once, at the start of the program. */
static void fuzz_prepare(void) {
  for (size_t i = 0; i < FUZZ_SIGNALS; i++) sigaction(fuzz_signals[i], NULL, &fuzz_before[i]);
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(fuzz_leave_bytes);
  atexit(fuzz_leave_bytes); /* an arena beyond its cap ends the process */
}

/* In each test: takes the signals from the test library, which would go on after a crash. */
static void fuzz_watch(void) {
  const struct sigaction ours = {.sa_handler = fuzz_signal};
  for (size_t i = 0; i < FUZZ_SIGNALS; i++) sigaction(fuzz_signals[i], &ours, NULL);
}

/* ---- one case --------------------------------------------------------------------- */
/* Reads a copy that ends where its block ends. Returns false, with a line, where the reader broke its word. */
static bool fuzz_case(const struct fuzz_reader *r, const uint8_t *bytes, size_t n,
                      struct fuzz_tally *tally) {
  uint8_t *copy = malloc(n ? n : 1);
  if (!copy) return false;
  memcpy(copy, bytes, n);
  struct err e = {0};
  fuzz_now.reader = r->name;
  fuzz_now.number++;
  fuzz_now.bytes = copy;
  fuzz_now.n = n;
  setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {.tv_sec = 20}},
            NULL); /* beyond it, it hangs */
  const bool taken = r->read(copy, n, &e);
  setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
  fuzz_now.bytes = NULL;
  const bool kept = taken ? true : e.text[0] != '\0' && !e.internal;
  if (!kept)
    fprintf(stderr, "fuzz: %s refused case %lu (%zu bytes) %s\n", r->name, fuzz_now.number, n,
            e.internal ? "as its own fault" : "without a text");
  free(copy);
  *(taken ? &tally->taken : &tally->refused) += 1;
  return kept;
}

/* Every prefix, or about `most` of them spread evenly with all short ones. */
static bool fuzz_prefixes(const struct fuzz_reader *r, const uint8_t *bytes, size_t n, size_t most,
                          struct fuzz_tally *tally) {
  const size_t step = n / most + 1;
  for (size_t i = 0; i < n; i += step == 1 || i < 128 ? 1 : step)
    if (!fuzz_case(r, bytes, i, tally)) return false;
  return true;
}

/* ---- mutations -------------------------------------------------------------------- */
/* Changes bytes[0..*n) in place; never makes them longer. */
static void fuzz_mutate(struct rng *r, uint8_t *bytes, size_t *n) {
  static const uint32_t extremes[] = {0,          1,          2,          0x7F,       0x80,
                                      0xFF,       0x7FFF,     0x8000,     0xFFFF,     0x10000,
                                      0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFC,
                                      0x40000000, 0x00FFFFFF, 0x7F800000};
  const uint32_t count = 1 + rng_below(r, 4);
  for (uint32_t i = 0; i < count && *n >= 8; i++) {
    const uint32_t size = (uint32_t)*n;
    const uint32_t at = rng_below(r, size),
                   length = 1 + rng_below(r, size - at < 64 ? size - at : 64);
    uint32_t value;
    switch (rng_below(r, 8)) {
    case 0: /* a bit */ bytes[at] ^= (uint8_t)(1u << rng_below(r, 8)); break;
    case 1: /* a byte */ bytes[at] = (uint8_t)rng_u32(r); break;
    case 2: /* an extreme number, where numbers lie */
    case 3:
      value = extremes[rng_below(r, sizeof extremes / sizeof *extremes)];
      memcpy(bytes + (at & ~3u) % (size - 3), &value, 4);
      break;
    case 4: /* a number a little off */
      memcpy(&value, bytes + (at & ~3u) % (size - 3), 4);
      value += rng_below(r, 33) - 16;
      memcpy(bytes + (at & ~3u) % (size - 3), &value, 4);
      break;
    case 5: /* a block from elsewhere */
      memmove(bytes + at, bytes + rng_below(r, size - length + 1), length);
      break;
    case 6: /* zeros */ memset(bytes + at, 0, length); break;
    default: /* cut short, rarely by much */
      *n = rng_below(r, 4) ? size - rng_below(r, size < 16 ? size : 16) : at;
      break;
    }
  }
}

/* Where it is given: makes checksums right again behind three mutations of four (mend.h). */
static void (*fuzz_mend)(uint8_t *bytes, size_t n);

static bool fuzz_mutations(const struct fuzz_reader *r, const uint8_t *bytes, size_t n,
                           unsigned count, uint64_t seed, struct fuzz_tally *tally) {
  uint8_t *copy = malloc(n);
  if (!copy) return false;
  bool kept = true;
  for (unsigned i = 0; i < count && kept; i++) {
    struct rng random;
    rng_seed(&random, seed * 1000003u + i);
    size_t size = n;
    memcpy(copy, bytes, n);
    fuzz_mutate(&random, copy, &size);
    if (fuzz_mend && i % 4) fuzz_mend(copy, size);
    kept = fuzz_case(r, copy, size, tally);
  }
  free(copy);
  return kept;
}

/* Reads one file with the reader of that name: 0 taken or refused, 2 no such reader or file. */
__attribute__((unused)) static int fuzz_replay(const struct fuzz_reader *readers, size_t count,
                                               const char *name, const char *path) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct fuzz_tally tally = {0};
  uint8_t *bytes;
  size_t n;
  int result = 2;
  for (size_t i = 0; i < count; i++) {
    if (strcmp(readers[i].name, name) != 0) continue;
    if (!file_read(a, path, (size_t)1 << 30, &bytes, &n, &e)) break;
    result = fuzz_case(&readers[i], bytes, n, &tally) ? 0 : 1;
    printf("%s: %s\n", name, tally.taken ? "taken" : "refused");
  }
  if (result == 2) fprintf(stderr, "%s\n", e.text[0] ? e.text : "no such reader");
  arena_free(a);
  return result;
}

#endif
