/* Structured fuzzing: models changed where it hurts (test/fuzz/flat_mutate.h) go the whole way (test/fuzz/pipeline.h).
 *
 *   test_structured                             the tests: the corpus, every golden model, a few thousand mutants
 *   test_structured FILE                        one model again, as left behind by a campaign
 *   test_structured campaign SECONDS OUT [DIR]  searches for so long, from the golden models and those below DIR, and
 *                                               leaves what it found in OUT; see `make fuzz-structured`
 *
 * A campaign runs mutants in a child process that may die; what it was doing lies in memory that both share, so the
 * parent keeps the bytes and goes on; where nothing was found, it leaves a small set that reaches all of the code that was
 * reached, fit for test/fuzz/corpus. Mutants that reach code which none reached before (trace-pc of the compiler, in
 * PROFILE=fuzz), or that are refused or planned in a new way, are changed further. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test/fuzz/flat_mutate.h"
#include "test/fuzz/pipeline.h"

#define MOST_BYTES 65536
#define POOL       4096
#define LIMIT_S    20 /* of one model, in import or compile, with every sanitizer */
#define MAP_BYTES  (1u << 17)
#define SIGNATURES (1u << 16)

/* ---- what parent and child share -------------------------------------------------------- */

struct model_bytes {
  size_t n;
  uint8_t bytes[MOST_BYTES];
};
struct shared {
  struct pipeline live;
  struct err err;
  struct model_bytes now; /* the model that is on its way */
  uint64_t cases, taken, ran, slow;
  int pool; /* models to change */
  int begins,
      tried; /* of these: those to begin from, and of them those that went the way themselves */
  uint8_t planned[POOL];
  uint64_t covered;
  uint8_t map[MAP_BYTES];          /* edges that were seen */
  uint64_t signatures[SIGNATURES]; /* open addressing; 0: free */
  struct model_bytes models[POOL];
};
static struct shared *shared;

static bool share(void) {
  void *p = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  shared = p == MAP_FAILED ? NULL : p;
  return shared != NULL;
}

/* ---- coverage: called at every edge of code compiled with -fsanitize-coverage=trace-pc ------ */

static uint8_t edges[MAP_BYTES];
static uintptr_t edge_before;
void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void) {
  const uintptr_t here = (uintptr_t)__builtin_return_address(0);
  const uintptr_t mixed = (here ^ here >> 15) * 0x9E3779B1u;
  edges[(mixed ^ edge_before) % MAP_BYTES] = 1;
  edge_before = mixed >> 1;
}

/* Whether something of the last model's way was new; then it is no longer. */
static bool novel(uint64_t signature) {
  bool any = false;
  for (size_t i = 0; i < MAP_BYTES; i++)
    if (edges[i] && !shared->map[i]) {
      shared->map[i] = 1;
      shared->covered++;
      any = true;
    }
  uint64_t slot = signature % SIGNATURES;
  for (int tries = 0; tries < 64; tries++, slot = (slot + 1) % SIGNATURES) {
    if (shared->signatures[slot] == signature) return any;
    if (shared->signatures[slot]) continue;
    shared->signatures[slot] = signature;
    return true;
  }
  return any;
}

/* ---- models to begin from --------------------------------------------------------------------- */

static void add_model(const uint8_t *bytes, size_t n, bool planned) {
  if (n < 8 || n > MOST_BYTES) return;
  const int at = shared->pool < POOL ? shared->pool++ : (int)(shared->cases % POOL);
  shared->models[at].n = n;
  memcpy(shared->models[at].bytes, bytes, n);
  shared->planned[at] = planned;
}

/* Calls use(path, bytes, n) for every .tflite below dir, in sorted order. Returns how many there were. */
static int each_model(const char *dir, bool (*use)(const char *, const uint8_t *, size_t)) {
  struct arena *a = arena_new(0);
  char **names;
  int n, count = 0;
  if (!dir_list(a, dir, &names, &n, NULL)) n = 0;
  for (int i = 0; i < n; i++) {
    const char *path = arena_printf(a, "%s/%s", dir, names[i]);
    struct stat s;
    uint8_t *bytes;
    size_t size;
    if (lstat(path, &s) != 0) continue;
    if (S_ISDIR(s.st_mode)) {
      count += each_model(path, use);
    } else if (text_ends(path, ".tflite") && s.st_size <= MOST_BYTES) {
      struct arena *one = arena_new(0);
      if (file_read(one, path, MOST_BYTES, &bytes, &size, NULL) && use(path, bytes, size)) count++;
      arena_free(one);
    }
  }
  arena_free(a);
  return count;
}

/* ---- one model ----------------------------------------------------------------------------------- */

static bool go(const uint8_t *bytes, size_t n) {
  uint8_t *copy = malloc(n ? n : 1); /* ends where its block ends */
  if (!copy) abort();
  memcpy(copy, bytes, n);
  shared->now.n = n;
  memcpy(shared->now.bytes, bytes, n);
  memset(edges, 0, sizeof edges);
  shared->err = (struct err){0};
  edge_before = 0;
  const struct itimerval limit = {.it_value = {.tv_sec = LIMIT_S}}, off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_PROF, &limit, NULL);
  const struct pipeline p = pipeline_of(copy, n, &shared->live, &shared->err);
  setitimer(ITIMER_PROF, &off, NULL);
  free(copy);
  shared->cases++;
  shared->taken += p.taken;
  shared->ran += p.ran;
  return !p.broken;
}

static void mutant(struct rng *r, uint64_t number) {
  static struct flat_sites sites;
  static struct model_bytes m;
  rng_seed(r, rng_mix(number));
  const uint32_t pool = (uint32_t)shared->pool, late = pool > 64 ? 64 : pool;
  uint32_t from = rng_below(r, 3) ? rng_below(r, pool) : pool - 1 - rng_below(r, late);
  /* Rather one that was planned than one that was refused. */
  for (int i = 0; i < 4 && !shared->planned[from]; i++) from = rng_below(r, pool);
  m.n = shared->models[from].n;
  memcpy(m.bytes, shared->models[from].bytes, m.n);
  flat_mutate(r, m.bytes, m.n, &sites);
  shared->now.n = m.n;
  memcpy(shared->now.bytes, m.bytes, m.n);
}

/* ---- a campaign ------------------------------------------------------------------------------------ */

enum { END_BROKEN = 97, END_SLOW = 98 };

static void out_of_time(int number) {
  (void)number;
  _exit(END_SLOW);
}

/* A model to begin from, while there are some that were not tried, else a mutant. false: it broke its word. */
static bool search_on(uint64_t seed) {
  static struct model_bytes m;
  struct rng r;
  const int begin = shared->tried < shared->begins ? shared->tried++ : -1;
  if (begin < 0) mutant(&r, seed + shared->cases);
  m = begin < 0 ? shared->now : shared->models[begin];
  const bool kept = go(m.bytes, m.n), is_new = novel(shared->live.signature);
  if (begin >= 0)
    shared->planned[begin] = shared->live.taken;
  else if (is_new)
    add_model(m.bytes, m.n, shared->live.taken);
  return kept;
}

/* The child: until something ends it. */
static _Noreturn void search(uint64_t seed, const char *log, double until) {
  const int file = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file >= 0) dup2(file, 2);
  signal(SIGPROF, out_of_time);
  for (;;) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((double)now.tv_sec >= until) _exit(0);
    if (!search_on(seed)) _exit(END_BROKEN);
  }
}

/* What tells findings apart: the functions on top of the sanitizer's stack, else where and how it ended. */
static const char *kind_of(struct arena *a, const char *log, int status) {
  char *text;
  size_t n;
  struct text kind;
  text_init(&kind, a);
  if (WIFEXITED(status) && WEXITSTATUS(status) == END_BROKEN)
    return arena_printf(a, "broken: %s", shared->err.text);
  if (WIFEXITED(status) && WEXITSTATUS(status) == END_SLOW)
    return arena_printf(a, "slow in phase %d", (int)shared->live.phase);
  text_printf(&kind, "phase %d, %s %d", (int)shared->live.phase,
              WIFEXITED(status) ? "exit" : "signal",
              WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  if (!file_read(a, log, 1 << 20, (uint8_t **)&text, &n, NULL)) return kind.data;
  char *error = strstr(text, "runtime error: ");
  if (error) text_printf(&kind, " %.60s", error + 15);
  int frames = 0;
  for (char *s = text; frames < 4 && (s = strstr(s, " in ")); s += 4, frames++)
    text_printf(&kind, " %.*s", (int)strcspn(s + 4, " \n"), s + 4);
  return kind.data;
}

struct findings {
  uint64_t seen[512];
  int n;
};

static void keep_finding(struct arena *a, struct findings *f, const char *out, const char *log,
                         int status) {
  const char *kind = kind_of(a, log, status);
  const uint64_t hash = pipeline_hash(0xCBF29CE484222325u, kind);
  if (shared->live.phase == PHASE_RUN && WIFEXITED(status) && WEXITSTATUS(status) == END_SLOW) {
    shared->slow++; /* the model computes for long: that is its right */
    return;
  }
  for (int i = 0; i < f->n; i++)
    if (f->seen[i] == hash) return;
  if (f->n == (int)(sizeof f->seen / sizeof *f->seen)) return;
  f->seen[f->n] = hash;
  struct err e = {0};
  const char *path = arena_printf(a, "%s/finding-%03d.tflite", out, f->n);
  uint8_t *text;
  size_t n;
  f->n++;
  if (!file_write(path, shared->now.bytes, shared->now.n, &e)) fprintf(stderr, "%s\n", e.text);
  if (file_read(a, log, 1 << 22, &text, &n, NULL))
    file_write(arena_printf(a, "%s.log", path), text, n, &e);
  printf("%s: %s\n", path, kind);
  fflush(stdout);
}

static bool use_seed(const char *path, const uint8_t *bytes, size_t n) {
  (void)path;
  add_model(bytes, n, false);
  return true;
}

static int by_size(const void *x, const void *y) {
  const size_t a = shared->models[*(const int *)x].n, b = shared->models[*(const int *)y].n;
  return (a > b) - (a < b);
}

/* Leaves a small set behind that reaches what all mutants together reached beyond the models that they came from:
 * smallest first, those whose way has an edge that none before had. */
static int cover(struct arena *a, const char *out) {
  static int order[POOL];
  struct err e = {0};
  int kept = 0;
  memset(shared->map, 0, sizeof shared->map);
  for (int i = 0; i < shared->pool; i++) order[i] = i;
  const int begins = shared->begins < shared->pool ? shared->begins : shared->pool;
  qsort(order + begins, (size_t)(shared->pool - begins), sizeof *order, by_size);
  for (int i = 0; i < shared->pool; i++) {
    static struct model_bytes m;
    const uint64_t before = shared->covered;
    m = shared->models[order[i]];
    if (!go(m.bytes, m.n)) continue;
    novel(shared->live.signature);
    if (i < begins || shared->covered == before) continue;
    file_write(arena_printf(a, "%s/cover-%03d.tflite", out, kept++), m.bytes, m.n, &e);
  }
  return kept;
}

static int campaign(int seconds, const char *out, const char *more) {
  struct err e = {0};
  struct findings *f = calloc(1, sizeof *f);
  struct timespec now;
  const char *number = getenv("MOTE_FUZZ_SEED");
  const uint64_t seed = number ? strtoull(number, NULL, 10) * 1000000000u : 0;
  if (!f || !dir_make(out, &e)) {
    fprintf(stderr, "%s\n", e.text);
    return 2;
  }
  each_model("test/golden", use_seed);
  each_model("test/fuzz/corpus", use_seed);
  if (more) each_model(more, use_seed);
  if (!shared->pool) {
    fprintf(stderr, "no model to begin from: run from Mote's own folder\n");
    return 2;
  }
  shared->begins = shared->pool;
  printf("%d models to begin from, %d s\n", shared->begins, seconds);
  clock_gettime(CLOCK_MONOTONIC, &now);
  const double until = (double)now.tv_sec + seconds;
  while ((double)now.tv_sec < until) {
    struct arena *a = arena_new(0);
    const char *log = arena_printf(a, "%s/child.log", out);
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) search(seed, log, until);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (status) {
      keep_finding(a, f, out, log, status);
      shared->cases++; /* not the same again */
    }
    arena_free(a);
    clock_gettime(CLOCK_MONOTONIC, &now);
  }
  printf(
      "%llu models: %llu planned, %llu run, %llu too long to run; %d kinds of finding; %d models "
      "kept, %llu edges\n",
      (unsigned long long)shared->cases, (unsigned long long)shared->taken,
      (unsigned long long)shared->ran, (unsigned long long)shared->slow, f->n, shared->pool,
      (unsigned long long)shared->covered);
  const int found = f->n;
  fflush(NULL);
  if (!found) { /* else it might die on the way */
    struct arena *a = arena_new(0);
    printf("%d of them reach all of that\n", cover(a, out));
    arena_free(a);
  }
  free(f);
  return found ? 1 : 0;
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static const char *model_now;

static bool keeps_its_word(const char *path, const uint8_t *bytes, size_t n) {
  model_now = path;
  if (go(bytes, n)) return true;
  fail_msg("%s: %s", path, shared->err.text);
  return false;
}

static void models_that_were_findings_are_taken_or_refused(void **state) {
  (void)state;
  const int n = each_model("test/fuzz/corpus", keeps_its_word);
  print_message("%d models\n", n);
}

static void golden_models_go_all_the_way(void **state) {
  (void)state;
  const int n = each_model("test/golden", keeps_its_word);
  if (!n) skip();
  print_message("%d models, %llu planned, %llu run\n", n, (unsigned long long)shared->taken,
                (unsigned long long)shared->ran);
  assert_true(shared->ran > 0);
}

static bool use_tried_seed(const char *path, const uint8_t *bytes, size_t n) {
  const bool kept = keeps_its_word(path, bytes, n);
  add_model(bytes, n, shared->live.taken);
  return kept;
}

static void mutants_are_taken_or_refused(void **state) {
  (void)state;
  const char *cases = getenv("MOTE_FUZZ_CASES");
  const long count = cases ? strtol(cases, NULL, 10) : 3000;
  static struct model_bytes m;
  shared->pool = 0;
  if (!each_model("test/golden", use_tried_seed)) skip();
  shared->taken = 0;
  for (long i = 0; i < count; i++) {
    struct rng r;
    mutant(&r, (uint64_t)i);
    m = shared->now;
    if (!go(m.bytes, m.n)) fail_msg("mutant %ld: %s", i, shared->err.text);
  }
  print_message("%ld mutants, %llu planned\n", count, (unsigned long long)shared->taken);
  assert_true(shared->taken > 0 && shared->taken < (uint64_t)count);
}

/* A model on whose way the process ends is left behind. */
static void leave_model(int number) {
  static const char path[] = "/tmp/fuzz-structured.tflite";
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ssize_t done = 0;
  if (file >= 0 && shared) done = write(file, shared->now.bytes, shared->now.n);
  done += write(2, "\nfuzz: this model ended the process: ", 37);
  done += write(2, path, sizeof path - 1);
  done += write(2, "\n", 1);
  (void)done;
  signal(number, SIG_DFL);
  raise(number);
}

static int replay(const char *path) {
  struct arena *a = arena_new(0);
  struct err e = {0};
  uint8_t *bytes;
  size_t n;
  if (!file_read(a, path, MOST_BYTES, &bytes, &n, &e)) {
    fprintf(stderr, "%s: %s\n", path, e.text);
    return 2;
  }
  const bool kept = go(bytes, n);
  printf("%s: %s%s%s%s%s\n", path,
         kept ? "" : "BROKEN: ", shared->live.taken ? "planned" : "refused",
         shared->live.ran ? ", run" : "", shared->err.text[0] ? ": " : "", shared->err.text);
  arena_free(a);
  return kept ? 0 : 1;
}

int main(int argc, char **argv) {
  if (!share()) return 3;
  if (argc >= 4 && !strcmp(argv[1], "campaign"))
    return campaign(atoi(argv[2]), argv[3], argc > 4 ? argv[4] : NULL);
  signal(SIGPROF, leave_model);
  if (argc == 2) return replay(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models_that_were_findings_are_taken_or_refused),
      cmocka_unit_test(golden_models_go_all_the_way),
      cmocka_unit_test(mutants_are_taken_or_refused),
  };
  return cmocka_run_group_tests_name("structured", tests, NULL, NULL);
}
