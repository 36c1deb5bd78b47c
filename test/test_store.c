/* The project's file: what goes in comes out, what was committed survives, what is foreign is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/store/store.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
  struct arena *a;
  char *dir, *path;
  struct store *st;
  struct err e;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  f->a = arena_new(0);
  assert_true(dir_temporary(f->a, &f->dir, &f->e));
  f->path = arena_printf(f->a, "%s/project.db", f->dir);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  store_close(f->st);
  dir_remove(f->dir);
  arena_free(f->a);
  free(f);
  return 0;
}

static void open_store(struct fixture *f, enum store_mode mode) {
  if (!store_open(f->a, f->path, mode, &f->st, &f->e)) fail_msg("%s", f->e.text);
}

static struct store_sample sample(int16_t *data, int n, int seed, const char *label) {
  for (int i = 0; i < n; i++) data[i] = (int16_t)(i * seed + seed);
  return (struct store_sample){.label = label,
                               .group = "anna",
                               .source = "a.wav",
                               .split = STORE_TEST,
                               .type = STORE_INT16,
                               .rate_hz = 8000,
                               .channels = 1,
                               .length = n,
                               .data = data};
}

static void test_round_trip(void **state) {
  struct fixture *f = *state;
  int16_t data[100];
  int64_t duplicate = -1;
  struct store_sample s = sample(data, 100, 3, "yes"), back;
  open_store(f, STORE_CREATE);
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  assert_int_equal(duplicate, 0);
  store_close(f->st);
  open_store(f, STORE_READ);
  assert_true(store_get(f->st, f->a, s.id, &back, &f->e));
  assert_string_equal(back.label, "yes");
  assert_string_equal(back.group, "anna");
  assert_string_equal(back.source, "a.wav");
  assert_int_equal(back.split, STORE_TEST);
  assert_int_equal(back.length, 100);
  assert_memory_equal(back.data, data, sizeof data);
  assert_string_equal(back.sha256, s.sha256);
  assert_false(store_get(f->st, f->a, 99, &back, &f->e));
  assert_non_null(strstr(f->e.text, "no sample 99"));
}

static void test_duplicates_and_counts(void **state) {
  struct fixture *f = *state;
  int16_t data[100];
  int64_t duplicate = 0, first;
  open_store(f, STORE_CREATE);
  struct store_sample s = sample(data, 100, 3, "yes");
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  first = s.id;
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  assert_int_equal(duplicate, first);
  s.rate_hz = 16000; /* the same numbers at another rate are another sound */
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  assert_int_equal(duplicate, 0);
  s = sample(data, 50, 4, "no");
  s.group = "";
  s.split = STORE_TRAIN;
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  struct store_count *rows;
  const char **groups;
  struct store_sample *list;
  int n;
  assert_true(store_counts(f->st, f->a, &rows, &n, &f->e));
  assert_int_equal(n, 2);
  assert_string_equal(rows[0].label, "no");
  assert_int_equal(rows[1].samples, 2);
  assert_true(fabs(rows[1].seconds - (100.0 / 8000 + 100.0 / 16000)) < 1e-12);
  assert_true(store_groups(f->st, f->a, &groups, &n, &f->e));
  assert_int_equal(n, 1);
  assert_string_equal(groups[0], "anna");
  struct store_filter filter = {.label = "yes", .split = -1};
  assert_true(store_list(f->st, f->a, &filter, &list, &n, &f->e));
  assert_int_equal(n, 2);
  assert_null(list[0].data);
  assert_true(store_relabel(f->st, first, NULL, STORE_TRAIN, "bob", &f->e));
  assert_true(store_get(f->st, f->a, first, &s, &f->e));
  assert_string_equal(s.label, "yes");
  assert_string_equal(s.group, "bob");
  assert_int_equal(s.split, STORE_TRAIN);
  assert_true(store_remove(f->st, first, &f->e));
  assert_false(store_remove(f->st, first, &f->e));
}

static void test_sizes_refused(void **state) {
  struct fixture *f = *state;
  int16_t data[100];
  int64_t duplicate;
  open_store(f, STORE_CREATE);
  struct store_sample s = sample(data, 100, 3, "yes"), bad = s;
  bad.length = 0;
  assert_false(store_add(f->st, &bad, &duplicate, &f->e));
  bad = s;
  bad.length = INT64_MAX;
  assert_false(store_add(f->st, &bad, &duplicate, &f->e));
  bad = s;
  bad.label = "";
  assert_false(store_add(f->st, &bad, &duplicate, &f->e));
  bad = s;
  bad.rate_hz = NAN;
  assert_false(store_add(f->st, &bad, &duplicate, &f->e));
}

/* A file from elsewhere whose sizes lie must not be believed. */
static void test_lying_sizes(void **state) {
  struct fixture *f = *state;
  int16_t data[100];
  int64_t duplicate;
  open_store(f, STORE_CREATE);
  struct store_sample s = sample(data, 100, 3, "yes");
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  store_close(f->st);
  sqlite3 *db;
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "UPDATE samples SET length = 1000000", 0, 0, 0), SQLITE_OK);
  sqlite3_close(db);
  open_store(f, STORE_READ);
  assert_false(store_get(f->st, f->a, s.id, &s, &f->e));
  assert_non_null(strstr(f->e.text, "200 bytes"));
}

static void test_runs(void **state) {
  struct fixture *f = *state;
  struct store_run run;
  struct store_epoch *epochs;
  int64_t id;
  bool found;
  int n;
  open_store(f, STORE_CREATE);
  assert_true(store_run_get(f->st, f->a, "", 0, &run, &found, &f->e));
  assert_false(found);
  assert_true(store_run_begin(f->st, "", "seed 1", "feat", 4, &id, &f->e));
  struct store_epoch epoch = {1, 0.5, 0.8, (double)NAN, (double)NAN, 0.001};
  assert_true(store_run_epoch(f->st, id, &epoch, "checkpoint", 10, &f->e));
  epoch.epoch = 2;
  assert_true(store_run_epoch(f->st, id, &epoch, "checkpoint 2", 12, &f->e));
  assert_true(store_run_find(f->st, f->a, "", "seed 2", STORE_RUNNING, &run, &found, &f->e));
  assert_false(found);
  assert_true(store_run_find(f->st, f->a, "", "seed 1", STORE_RUNNING, &run, &found, &f->e));
  assert_true(found);
  assert_int_equal(run.epochs_done, 2);
  assert_int_equal(run.checkpoint_bytes, 12);
  assert_memory_equal(run.checkpoint, "checkpoint 2", 12);
  assert_memory_equal(run.features, "feat", 4);
  assert_true(store_run_history(f->st, f->a, id, &epochs, &n, &f->e));
  assert_int_equal(n, 2);
  assert_true(isnan(epochs[0].validation_loss));
  assert_true(epochs[1].loss == 0.5);
  assert_true(store_run_get(f->st, f->a, "", 0, &run, &found, &f->e));
  assert_false(found); /* not done yet */
  assert_true(store_run_finish(f->st, id, "{}", "model", 5, &f->e));
  assert_true(store_run_get(f->st, f->a, "", 0, &run, &found, &f->e));
  assert_true(found);
  assert_int_equal(run.status, STORE_DONE);
  assert_memory_equal(run.model, "model", 5);
  assert_int_equal(run.checkpoint_bytes, 12);
  assert_true(store_run_get(f->st, f->a, "fold", 0, &run, &found, &f->e));
  assert_false(found);
}

static void write_text(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void test_foreign_files(void **state) {
  struct fixture *f = *state;
  sqlite3 *db;
  assert_false(store_open(f->a, f->path, STORE_WRITE, &f->st, &f->e));
  assert_non_null(strstr(f->e.text, "mote new"));
  write_text(f->path,
             "this is a text, long enough to be no database: 0123456789012345678901234567890"
             "0123456789012345678901234567890123456789");
  memset(&f->e, 0, sizeof f->e);
  assert_false(store_open(f->a, f->path, STORE_WRITE, &f->st, &f->e));
  assert_non_null(strstr(f->e.text, "no SQLite database"));
  unlink(f->path);
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  sqlite3_exec(db, "CREATE TABLE t(x); PRAGMA application_id = 77", 0, 0, 0);
  sqlite3_close(db);
  assert_false(store_open(f->a, f->path, STORE_CREATE, &f->st, &f->e));
  assert_non_null(strstr(f->e.text, "another program"));
  unlink(f->path);
  open_store(f, STORE_CREATE);
  store_close(f->st);
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  sqlite3_exec(db, "PRAGMA user_version = 99", 0, 0, 0);
  sqlite3_close(db);
  assert_false(store_open(f->a, f->path, STORE_READ, &f->st, &f->e));
  assert_non_null(strstr(f->e.text, "newer Mote"));
}

/* Every prefix of a valid file, and bytes changed: an error or an answer, never a crash. */
static void test_damaged_files(void **state) {
  struct fixture *f = *state;
  int16_t data[3000];
  int64_t duplicate;
  uint8_t *whole;
  size_t size;
  struct rng rng;
  open_store(f, STORE_CREATE);
  for (int i = 1; i < 9; i++) {
    struct store_sample s = sample(data, 3000, i, "yes");
    assert_true(store_add(f->st, &s, &duplicate, &f->e));
  }
  store_close(f->st);
  f->st = NULL;
  assert_true(file_read(f->a, f->path, 1 << 24, &whole, &size, &f->e));
  rng_seed(&rng, 5);
  for (int i = 0; i < 400; i++) {
    struct arena *a = arena_new(64 << 20);
    uint8_t *bytes = arena_alloc(a, size, 1);
    size_t n = i < 100 ? size * (size_t)i / 100 : size;
    memcpy(bytes, whole, size);
    for (int k = 0; i >= 100 && k < 20; k++)
      bytes[rng_below(&rng, k & 1 ? (uint32_t)size : 2000)] = (uint8_t)rng_u32(&rng);
    FILE *file = fopen(f->path, "wb");
    fwrite(bytes, 1, n, file);
    fclose(file);
    struct store *st = NULL;
    struct store_sample *list = NULL, one;
    int count = 0;
    if (store_open(a, f->path, STORE_READ, &st, &f->e) &&
        store_list(st, a, NULL, &list, &count, &f->e))
      for (int k = 0; k < count; k++) (void)store_get(st, a, list[k].id, &one, &f->e);
    store_close(st);
    arena_free(a);
  }
}

static void test_locked(void **state) {
  struct fixture *f = *state;
  sqlite3 *db;
  open_store(f, STORE_CREATE);
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", 0, 0, 0), SQLITE_OK);
  assert_false(store_begin(f->st, &f->e));
  assert_non_null(strstr(f->e.text, "another program has been writing"));
  sqlite3_close(db);
  assert_true(store_begin(f->st, &f->e));
  assert_true(store_commit(f->st, &f->e));
}

static void test_read_only(void **state) {
  struct fixture *f = *state;
  if (geteuid() == 0) {
    print_message("skipped: root may write everywhere\n");
    skip();
  }
  open_store(f, STORE_CREATE);
  store_close(f->st);
  f->st = NULL;
  chmod(f->path, 0444);
  assert_false(store_open(f->a, f->path, STORE_WRITE, &f->st, &f->e));
  assert_non_null(strstr(f->e.text, "cannot be written"));
}

/* A writer that reports each commit through a pipe is killed at random moments, again and again; every sample
 * that it reported is there, and the file is whole. */
static void write_until_killed(const char *path, int pipe_end, int from) {
  struct arena *a = arena_new(0);
  struct store *st;
  struct err e;
  static int16_t data[4000];
  if (!store_open(a, path, STORE_CREATE, &st, &e)) _exit(1);
  for (int i = from;; i++) {
    int64_t duplicate;
    if (!store_begin(st, &e)) _exit(1);
    int32_t last = 0;
    for (int k = 0; k < 3; k++) {
      struct store_sample s = sample(data, 4000, 1, "yes");
      memcpy(data, &i, sizeof i);
      data[2] = (int16_t)k;
      if (!store_add(st, &s, &duplicate, &e)) _exit(1);
      last = (int32_t)s.id;
    }
    if (!store_commit(st, &e)) _exit(1);
    if (write(pipe_end, &last, sizeof last) != sizeof last) _exit(1);
  }
}

static void test_kill(void **state) {
  struct fixture *f = *state;
  struct rng rng;
  int total = 0;
  rng_seed(&rng, 7);
  for (int round = 0; round < 25; round++) {
    int ends[2];
    int32_t last = 0, value;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) write_until_killed(f->path, ends[1], round * 100000);
    close(ends[1]);
    usleep(rng_below(&rng, 60000));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int reported = 0;
    while (read(ends[0], &value, sizeof value) == sizeof value) last = value, reported++;
    close(ends[0]);
    open_store(f, STORE_CREATE);
    assert_true(store_check(f->st, &f->e));
    struct store_sample *list;
    int n;
    assert_true(store_list(f->st, f->a, NULL, &list, &n, &f->e));
    total += reported * 3;
    assert_true(n >= total);
    assert_int_equal(n % 3, 0); /* a commit is there wholly or not at all */
    if (last) assert_true(list[n - 1].id >= last);
    total = n;
    store_close(f->st);
    f->st = NULL;
  }
  assert_true(total > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_round_trip),    TEST(test_duplicates_and_counts),
      TEST(test_sizes_refused), TEST(test_lying_sizes),
      TEST(test_runs),          TEST(test_foreign_files),
      TEST(test_damaged_files), TEST(test_locked),
      TEST(test_read_only),     TEST(test_kill),
  };
  return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
