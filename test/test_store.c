/* The project's file: what goes in comes out, what was committed survives, what is foreign is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/store/store.h"

#include <errno.h>
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

/* What a sample takes in memory follows its size: data sets of 100,000 short ones are held whole. */
static void test_reading_takes_little(void **state) {
  struct fixture *f = *state;
  int16_t data[100];
  open_store(f, STORE_CREATE);
  int64_t duplicate = -1;
  struct store_sample s = sample(data, 100, 5, "yes"), back;
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  const int64_t id = s.id;
  const size_t before = arena_left(f->a);
  for (int i = 0; i < 5000; i++) assert_true(store_get(f->st, f->a, id, &back, &f->e));
  const size_t each = (before - arena_left(f->a)) / 5000;
  print_message("200 bytes of numbers: %zu of memory\n", each);
  assert_true(each < 4096);
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
  /* A later run is the latest until the first is taken again, as often as one likes. */
  int64_t second = 0;
  assert_true(store_run_begin(f->st, "", "seed 2", "feat", 4, &second, &f->e));
  assert_true(store_run_finish(f->st, second, "{}", "other", 5, &f->e));
  const int64_t turns[] = {second, id, id, second, id};
  for (int i = 0; i < 5; i++) {
    if (i > 0) assert_true(store_run_take(f->st, turns[i], &f->e));
    assert_true(store_run_get(f->st, f->a, "", 0, &run, &found, &f->e));
    assert_int_equal(run.id, turns[i]);
  }
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
  assert_true(store_snapshot(f->st, "v", &f->e));
  assert_true(store_set_meta(f->st, 2, "key", "value", &f->e));
  assert_true(store_set_spans(f->st, 3, &(struct store_span){0, 9, "x"}, 1, &f->e));
  assert_true(store_remove(f->st, 4, &f->e));
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
    if (store_open(a, f->path, i & 1 ? STORE_WRITE : STORE_READ, &st, &f->e)) {
      struct store_count *counts;
      struct store_change *changes, done;
      struct store_difference *differences;
      struct store_key *keys;
      const char **groups;
      int64_t touched;
      if (store_list(st, a, NULL, &list, &count, &f->e))
        for (int k = 0; k < count; k++) (void)store_get(st, a, list[k].id, &one, &f->e);
      (void)store_counts(st, a, &counts, &count, &f->e);
      (void)store_groups(st, a, &groups, &count, &f->e);
      (void)store_keys(st, a, &keys, &count, &f->e);
      (void)store_history(st, a, 0, &changes, &count, &f->e);
      (void)store_diff(st, a, "v", NULL, &differences, &count, &f->e);
      if (i & 1) {
        (void)store_undo(st, a, &done, &f->e);
        (void)store_restore(st, "v", &touched, &f->e);
      }
    }
    store_close(st);
    unlink(arena_printf(a, "%s-journal", f->path));
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

/* ---- schema 2 ----------------------------------------------------------------------- */
static void copy_file(struct fixture *f, const char *from) {
  uint8_t *bytes;
  size_t size;
  if (!file_read(f->a, from, 1 << 24, &bytes, &size, &f->e)) fail_msg("%s", f->e.text);
  FILE *file = fopen(f->path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  fclose(file);
}

/* test/store/version1.db was made by the program of schema 1 (test/store/README.md). */
static void check_migrated(struct fixture *f) {
  struct store_sample *list, s;
  struct store_run run;
  int n;
  bool found;
  int64_t duplicate;
  static int16_t data[200];
  assert_true(store_list(f->st, f->a, NULL, &list, &n, &f->e));
  assert_int_equal(n, 5);
  assert_int_equal(list[0].id, 1);
  assert_int_equal(list[1].id, 3); /* 2 was removed */
  for (int i = 0; i < n; i++) assert_true(store_get(f->st, f->a, list[i].id, &s, &f->e));
  assert_string_equal(s.label, "shake");
  assert_string_equal(s.source, "m.csv:lines 2-51");
  assert_int_equal(s.channels, 3);
  assert_true(s.rate_hz == 62.5);
  for (int i = 0; i < 150; i++) assert_true(((const float *)s.data)[i] == (float)i / 7);
  assert_true(store_run_get(f->st, f->a, "", 0, &run, &found, &f->e) && found);
  assert_memory_equal(run.model, "model", 5);
  assert_true(store_check(f->st, &f->e));
  /* The numbers of sample 1 again are found by the hash that the old program wrote. */
  for (int i = 0; i < 200; i++) data[i] = (int16_t)(1000 * sin(i * 0.1 * 1));
  struct store_sample again = sample(data, 200, 1, "yes");
  for (int i = 0; i < 200; i++) data[i] = (int16_t)(1000 * sin(i * 0.1));
  assert_true(store_add(f->st, &again, &duplicate, &f->e));
  assert_int_equal(duplicate, 1);
  data[0] = 1234;
  assert_true(store_add(f->st, &again, &duplicate, &f->e));
  assert_int_equal(duplicate, 0);
  assert_int_equal(again.id, 8); /* 7 had been given and removed before: never again */
}

static void test_migration(void **state) {
  struct fixture *f = *state;
  copy_file(f, "test/store/version1.db");
  open_store(f, STORE_READ); /* a reader brings it up to date, too */
  store_close(f->st);
  open_store(f, STORE_WRITE);
  check_migrated(f);
}

/* A migration that is killed leaves the old schema or the new one. */
static void test_migration_killed(void **state) {
  struct fixture *f = *state;
  for (int round = 0; round < 20; round++) {
    copy_file(f, "test/store/version1.db");
    unlink(arena_printf(f->a, "%s-journal", f->path));
    pid_t child = fork();
    if (child == 0) {
      struct store *st;
      struct err e;
      _exit(!store_open(f->a, f->path, STORE_WRITE, &st, &e));
    }
    usleep((useconds_t)round * 1000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    open_store(f, STORE_WRITE);
    check_migrated(f);
    store_close(f->st);
    f->st = NULL;
  }
}

/* Two channels of 50 frames with all that a sample can have. */
static struct store_sample rich(float *data, int seed) {
  static const struct store_meta meta[] = {{"device", "nano \"33\""}, {"session", "2"}};
  static const struct store_span spans[] = {{0, 19, "idle"}, {20, 49, "shake"}};
  for (int i = 0; i < 100; i++) data[i] = (float)(i * seed);
  return (struct store_sample){.label = "mixed",
                               .group = "anna",
                               .source = "m.csv",
                               .type = STORE_FLOAT32,
                               .rate_hz = 50,
                               .channels = 2,
                               .length = 50,
                               .data = data,
                               .meta = meta,
                               .n_meta = 2,
                               .spans = spans,
                               .n_spans = 2};
}

static void test_details(void **state) {
  struct fixture *f = *state;
  float data[100];
  uint8_t pixels[4 * 6 * 3];
  int64_t duplicate;
  struct store_sample s = rich(data, 1), back;
  open_store(f, STORE_CREATE);
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  assert_true(store_get(f->st, f->a, s.id, &back, &f->e));
  assert_int_equal(back.n_meta, 2);
  assert_string_equal(back.meta[0].value, "nano \"33\"");
  assert_int_equal(back.n_spans, 2);
  assert_int_equal(back.spans[1].last, 49);
  assert_string_equal(back.spans[1].label, "shake");
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 3);
  static const struct store_box boxes[] = {{1, 0, 5, 4, "cat"}};
  struct store_sample picture = {.label = "cat",
                                 .source = "cat.png",
                                 .type = STORE_UINT8,
                                 .channels = 3,
                                 .height = 4,
                                 .width = 6,
                                 .length = 24,
                                 .data = pixels,
                                 .boxes = boxes,
                                 .n_boxes = 1};
  assert_true(store_add(f->st, &picture, &duplicate, &f->e));
  assert_true(store_get(f->st, f->a, picture.id, &back, &f->e));
  assert_memory_equal(back.data, pixels, sizeof pixels);
  assert_int_equal(back.height, 4);
  assert_int_equal(back.boxes[0].width, 5);
  /* The same bytes as 6 x 4 are another picture. */
  picture.height = 6;
  picture.width = 4;
  picture.n_boxes = 0;
  assert_true(store_add(f->st, &picture, &duplicate, &f->e));
  assert_int_equal(duplicate, 0);
  /* What does not fit is refused. */
  picture.width = 5;
  assert_false(store_add(f->st, &picture, &duplicate, &f->e));
  const struct store_box outside = {3, 0, 2, 1, "cat"};
  picture = (struct store_sample){.label = "x",
                                  .type = STORE_UINT8,
                                  .channels = 1,
                                  .height = 4,
                                  .width = 4,
                                  .length = 16,
                                  .data = pixels,
                                  .boxes = &outside,
                                  .n_boxes = 1};
  assert_false(store_add(f->st, &picture, &duplicate, &f->e));
  assert_non_null(strstr(f->e.text, "outside of the picture"));
  const struct store_span late = {10, 50, "x"};
  assert_false(store_set_spans(f->st, s.id, &late, 1, &f->e));
  assert_non_null(strstr(f->e.text, "0 to 49"));
  assert_false(store_set_meta(f->st, s.id, "two words", "x", &f->e));
  assert_false(store_set_meta(f->st, 999, "key", "x", &f->e));
  assert_true(store_check(f->st, &f->e));
}

static int listed(struct fixture *f, const char *condition, const struct store_filter *base) {
  struct store_filter filter = base ? *base : (struct store_filter){.split = -1};
  struct store_where where;
  struct store_sample *list;
  int n;
  int64_t size;
  if (condition && !store_where_parse(f->a, condition, &where, &f->e)) fail_msg("%s", f->e.text);
  filter.where = &where;
  filter.n_where = condition ? 1 : 0;
  if (!store_list(f->st, f->a, &filter, &list, &n, &f->e)) fail_msg("%s", f->e.text);
  assert_true(store_size(f->st, &filter, &size, &f->e));
  if (!filter.most) assert_int_equal(size, n);
  return n;
}

static void test_filters(void **state) {
  struct fixture *f = *state;
  int16_t data[64];
  int64_t duplicate, first = 0;
  char text[16];
  open_store(f, STORE_CREATE);
  for (int i = 0; i < 12; i++) {
    struct store_sample s = sample(data, 20 + i, i + 1, i & 1 ? "yes" : "no");
    s.split = (enum store_split)(i % 3);
    s.group = i < 6 ? "anna" : "bob";
    assert_true(store_add(f->st, &s, &duplicate, &f->e));
    if (!first) first = s.id;
    snprintf(text, sizeof text, "%d", i);
    if (i < 10) assert_true(store_set_meta(f->st, s.id, "n", text, &f->e));
  }
  assert_true(store_set_meta(f->st, first, "place", "lab", &f->e));
  assert_true(store_enable(f->st, first, false, &f->e));
  assert_int_equal(listed(f, NULL, NULL), 12);
  assert_int_equal(listed(f, "label=yes", NULL), 6);
  assert_int_equal(listed(f, "label!=yes", NULL), 6);
  assert_int_equal(listed(f, "group=bob", NULL), 6);
  assert_int_equal(listed(f, "split=test", NULL), 4);
  assert_int_equal(listed(f, "enabled=no", NULL), 1);
  assert_int_equal(listed(f, "id=3", NULL), 1);
  assert_int_equal(listed(f, "length=25", NULL), 1);
  assert_int_equal(listed(f, "length>=25", NULL), 7);
  assert_int_equal(listed(f, "rate_hz=8000", NULL), 12);
  assert_int_equal(listed(f, "seconds<0.003", NULL), 4);
  assert_int_equal(listed(f, "n=7", NULL), 1);
  assert_int_equal(listed(f, "n!=7", NULL), 11);
  assert_int_equal(listed(f, "n>7", NULL), 2);
  assert_int_equal(listed(f, "place=lab", NULL), 1);
  assert_int_equal(listed(f, "place>0", NULL), 0);
  assert_int_equal(listed(f, "nothing=1", NULL), 0);
  assert_int_equal(listed(f, NULL, &(struct store_filter){.split = -1, .state = STORE_ENABLED}),
                   11);
  assert_int_equal(listed(f, NULL, &(struct store_filter){.split = -1, .after = 10}), 2);
  assert_int_equal(listed(f, NULL, &(struct store_filter){.split = -1, .most = 5}), 5);
  assert_int_equal(
      listed(f, "n>2", &(struct store_filter){.label = "yes", .group = "anna", .split = 0}), 1);
  struct store_where where;
  assert_false(store_where_parse(f->a, "label", &where, &f->e));
  assert_false(store_where_parse(f->a, "n<many", &where, &f->e));
  assert_false(store_where_parse(f->a, "=x", &where, &f->e));
  struct store_key *keys;
  struct store_value *values;
  int n;
  assert_true(store_keys(f->st, f->a, &keys, &n, &f->e));
  assert_int_equal(n, 2);
  assert_string_equal(keys[0].key, "n");
  assert_int_equal(keys[0].values, 10);
  assert_true(store_values(f->st, f->a, "n", &values, &n, &f->e));
  assert_int_equal(n, 10);
  assert_string_equal(values[9].value, "9");
  assert_true(store_values(f->st, f->a, "group", &values, &n, &f->e));
  assert_int_equal(n, 12);
}

/* ---- history --------------------------------------------------------------------------- */
/* Everything that samples are, as one text. */
static char *portrait(struct fixture *f) {
  struct text t;
  struct store_sample *list, s;
  int n;
  text_init(&t, f->a);
  assert_true(store_list(f->st, f->a, NULL, &list, &n, &f->e));
  for (int i = 0; i < n; i++) {
    if (!store_get(f->st, f->a, list[i].id, &s, &f->e)) fail_msg("%s", f->e.text);
    text_printf(&t, "%d %s %s %s %d %d %g %d %d %d %s", (int)s.id, s.label, s.group, s.source,
                (int)s.split, (int)s.type, s.rate_hz, (int)s.length, s.channels, s.disabled,
                s.sha256);
    for (int k = 0; k < s.n_meta; k++) text_printf(&t, " %s=%s", s.meta[k].key, s.meta[k].value);
    for (int k = 0; k < s.n_spans; k++)
      text_printf(&t, " %d-%d:%s", (int)s.spans[k].first, (int)s.spans[k].last, s.spans[k].label);
    for (int k = 0; k < s.n_boxes; k++)
      text_printf(&t, " [%d %d]%s", s.boxes[k].x, s.boxes[k].width, s.boxes[k].label);
    text_add(&t, "\n");
  }
  return t.data;
}

/* One change of any kind, of a sample picked at random. */
static void change_something(struct fixture *f, struct rng *rng, int step) {
  struct store_sample *list, s;
  int n;
  int64_t duplicate;
  float *data = ARENA_ARRAY(f->a, float, 100);
  assert_true(store_list(f->st, f->a, NULL, &list, &n, &f->e));
  const int64_t id = n ? list[rng_below(rng, (uint32_t)n)].id : 0;
  const char *word = arena_printf(f->a, "w%d", step);
  bool ok = false;
  switch (n < 3 ? 0 : rng_below(rng, 8)) {
  case 0:
  case 1:
    s = rich(data, step + 2);
    ok = store_add(f->st, &s, &duplicate, &f->e) && !duplicate;
    break;
  case 2: ok = store_remove(f->st, id, &f->e); break;
  case 3: ok = store_relabel(f->st, id, word, (int)rng_below(rng, 3), word, &f->e); break;
  case 4: ok = store_enable(f->st, id, rng_below(rng, 2), &f->e); break;
  case 5:
    ok = store_set_meta(f->st, id, rng_below(rng, 2) ? "device" : word,
                        rng_below(rng, 3) ? word : NULL, &f->e);
    break;
  case 6:
    ok = store_set_spans(f->st, id, &(struct store_span){1, 3 + rng_below(rng, 5), word}, 1, &f->e);
    break;
  default:
    ok = store_get(f->st, f->a, id, &s, &f->e);
    for (int i = 0; i < 100; i++) data[i] = (float)(i + 1000 * step);
    s.data = data, s.length = 40, s.n_spans = 0, s.label = word;
    ok = ok && store_edit(f->st, &s, &duplicate, &f->e) && !duplicate;
  }
  if (!ok) fail_msg("step %d: %s", step, f->e.text);
}

/* A hundred changes of every kind: each undo gives the portrait before, each redo the one behind, and versions any. */
static void test_history(void **state) {
  enum { STEPS = 100 };
  struct fixture *f = *state;
  struct rng rng;
  struct store_change done;
  char *seen[STEPS + 1];
  open_store(f, STORE_CREATE);
  rng_seed(&rng, 11);
  seen[0] = portrait(f);
  for (int i = 0; i < STEPS; i++) {
    if (i % 10 == 0) assert_true(store_snapshot(f->st, arena_printf(f->a, "v%d", i), &f->e));
    change_something(f, &rng, i);
    seen[i + 1] = portrait(f);
  }
  assert_false(store_snapshot(f->st, "v10", &f->e));
  for (int i = STEPS - 1; i >= 40; i--) {
    if (!store_undo(f->st, f->a, &done, &f->e)) fail_msg("%s", f->e.text);
    assert_string_equal(portrait(f), seen[i]);
  }
  for (int i = 41; i <= 60; i++) {
    assert_true(store_redo(f->st, f->a, &done, &f->e));
    assert_string_equal(portrait(f), seen[i]);
  }
  for (int i = 59; i >= 50; i--) assert_true(store_undo(f->st, f->a, &done, &f->e));
  assert_string_equal(portrait(f), seen[50]);
  /* A new change ends what can be redone. */
  change_something(f, &rng, STEPS + 1);
  assert_false(store_redo(f->st, f->a, &done, &f->e));
  assert_non_null(strstr(f->e.text, "nothing to redo"));
  int64_t touched;
  for (int i = 90; i >= 0; i -= 30) {
    assert_true(store_restore(f->st, arena_printf(f->a, "v%d", i), &touched, &f->e));
    assert_string_equal(portrait(f), seen[i]);
  }
  assert_true(store_undo(f->st, f->a, &done, &f->e)); /* restoring is a change like any other */
  assert_string_equal(portrait(f), seen[30]);
  assert_false(store_restore(f->st, "nowhere", &touched, &f->e));
  assert_true(store_check(f->st, &f->e));
}

static void test_diff(void **state) {
  struct fixture *f = *state;
  int16_t data[50];
  int64_t duplicate, ids[4];
  struct store_difference *d;
  int n;
  open_store(f, STORE_CREATE);
  for (int i = 0; i < 3; i++) {
    struct store_sample s = sample(data, 50, i + 1, "yes");
    assert_true(store_add(f->st, &s, &duplicate, &f->e));
    ids[i] = s.id;
  }
  assert_true(store_snapshot(f->st, "a", &f->e));
  struct store_sample s = sample(data, 50, 9, "late");
  assert_true(store_add(f->st, &s, &duplicate, &f->e));
  assert_true(store_remove(f->st, ids[0], &f->e));
  assert_true(store_relabel(f->st, ids[1], "no", STORE_TRAIN, NULL, &f->e));
  assert_true(store_enable(f->st, ids[2], false, &f->e));
  assert_true(store_enable(f->st, ids[2], true, &f->e)); /* back again: no difference */
  assert_true(store_snapshot(f->st, "b", &f->e));
  assert_true(store_diff(f->st, f->a, "a", "b", &d, &n, &f->e));
  assert_int_equal(n, 3);
  assert_int_equal(d[0].kind, STORE_REMOVED);
  assert_int_equal(d[1].kind, STORE_CHANGED);
  assert_string_equal(d[1].fields, "label split");
  assert_string_equal(d[1].label_after, "no");
  assert_int_equal(d[2].kind, STORE_ADDED);
  assert_true(store_diff(f->st, f->a, "b", "a", &d, &n, &f->e));
  assert_int_equal(d[0].kind, STORE_ADDED);
  assert_int_equal(d[2].kind, STORE_REMOVED);
  assert_true(store_diff(f->st, f->a, "b", NULL, &d, &n, &f->e));
  assert_int_equal(n, 0);
  assert_false(store_diff(f->st, f->a, "c", NULL, &d, &n, &f->e));
  /* The history shares numbers: a version costs no blob. */
  int64_t changes, bytes;
  assert_true(store_drop_version(f->st, "a", &f->e));
  assert_true(store_forget(f->st, &changes, &bytes, &f->e)); /* up to b: the removed sample goes */
  struct store_change *history;
  assert_true(store_history(f->st, f->a, 0, &history, &n, &f->e));
  assert_int_equal(n, 0);
  struct store_change done;
  assert_false(store_undo(f->st, f->a, &done, &f->e));
  assert_true(store_check(f->st, &f->e));
  sqlite3 *db;
  sqlite3_stmt *q;
  assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
  sqlite3_prepare_v2(db, "SELECT count(*) FROM blobs", -1, &q, NULL);
  assert_int_equal(sqlite3_step(q), SQLITE_ROW);
  assert_int_equal(sqlite3_column_int(q, 0), 3);
  sqlite3_finalize(q);
  sqlite3_close(db);
}

/* A change of many calls and transactions is taken back by one undo. */
static void test_one_change(void **state) {
  struct fixture *f = *state;
  int16_t data[50];
  int64_t duplicate;
  struct store_change *history, done;
  int n;
  open_store(f, STORE_CREATE);
  store_change(f->st, "add folder");
  for (int i = 0; i < 6; i++) {
    struct store_sample s = sample(data, 50, i + 1, "yes");
    if (i % 2 == 0) assert_true(store_begin(f->st, &f->e));
    assert_true(store_add(f->st, &s, &duplicate, &f->e));
    if (i % 2 == 1) assert_true(store_commit(f->st, &f->e));
  }
  store_change(f->st, NULL);
  assert_true(store_history(f->st, f->a, 0, &history, &n, &f->e));
  assert_int_equal(n, 1);
  assert_int_equal(history[0].samples, 6);
  assert_string_equal(history[0].what, "add folder");
  assert_true(store_undo(f->st, f->a, &done, &f->e));
  assert_string_equal(portrait(f), "");
  assert_true(store_redo(f->st, f->a, &done, &f->e));
  struct store_sample *list;
  assert_true(store_list(f->st, f->a, NULL, &list, &n, &f->e));
  assert_int_equal(n, 6);
}

/* ---- many samples --------------------------------------------------------------------------- */
#ifdef MOTE_CHECKED
#define MANY 10000
#else
#define MANY 100000
#endif

static struct store_work work_of(struct fixture *f, const struct store_filter *filter, int *n) {
  struct store_work before, after;
  struct store_sample *list;
  struct arena *a = arena_new(0);
  store_work(f->st, &before);
  if (!store_list(f->st, a, filter, &list, n, &f->e)) fail_msg("%s", f->e.text);
  store_work(f->st, &after);
  arena_free(a);
  return (struct store_work){after.steps - before.steps, after.scanned - before.scanned,
                             after.sorts - before.sorts};
}

/* Work of SQLite, not time: a filter costs what it finds, not what there is. */
static void test_many(void **state) {
  struct fixture *f = *state;
  int16_t data[8];
  int64_t duplicate;
  int n = 0;
  char label[16], group[16];
  open_store(f, STORE_CREATE);
  assert_true(store_begin(f->st, &f->e));
  store_change(f->st, "many");
  for (int i = 0; i < MANY; i++) {
    const struct store_meta meta[] = {{"device", i % 1000 == 7 ? "rare" : "usual"}};
    snprintf(label, sizeof label, "word%d", i % 500);
    snprintf(group, sizeof group, "who%d", i % 700);
    struct store_sample s = sample(data, 8, 1, label);
    memcpy(data, &i, sizeof i);
    s.group = group, s.split = (enum store_split)(i % 100 ? 0 : 2), s.meta = meta, s.n_meta = 1;
    assert_true(store_add(f->st, &s, &duplicate, &f->e));
  }
  assert_true(store_commit(f->st, &f->e));
  const struct store_where rare = {"device", "rare", STORE_EQUAL};
  const struct store_filter filters[] = {{.label = "word3", .split = -1},
                                         {.group = "who3", .split = -1},
                                         {.split = 2},
                                         {.split = -1, .where = &rare, .n_where = 1},
                                         {.split = -1, .after = MANY / 2, .most = 50}};
  const int found[] = {MANY / 500, (MANY + 696) / 700, MANY / 100, MANY / 1000, 50};
  for (int i = 0; i < 5; i++) {
    const struct store_work w = work_of(f, &filters[i], &n);
    assert_int_equal(n, found[i]);
    if (w.steps > 200 + 80 * n || w.scanned > 0)
      fail_msg("filter %d: %d rows took %d steps, %d rows without an index", i, n, (int)w.steps,
               (int)w.scanned);
  }
  struct store_work w = work_of(f, NULL, &n);
  assert_int_equal(n, MANY);
  assert_true(w.steps < 30 * (int64_t)MANY && w.sorts == 0);
  /* The table of labels and splits reads an index alone, in its order. */
  struct store_count *rows;
  struct store_work before, after;
  store_work(f->st, &before);
  assert_true(store_counts(f->st, f->a, &rows, &n, &f->e));
  store_work(f->st, &after);
  assert_true(after.sorts == before.sorts && after.steps - before.steps < 40 * (int64_t)MANY);
  /* A version of all is one row; so is the difference of one change. */
  store_work(f->st, &before);
  assert_true(store_snapshot(f->st, "all", &f->e));
  assert_true(store_relabel(f->st, 5, "other", -1, NULL, &f->e));
  struct store_difference *d;
  assert_true(store_diff(f->st, f->a, "all", NULL, &d, &n, &f->e));
  assert_int_equal(n, 1);
  store_work(f->st, &after);
  assert_true(after.steps - before.steps <
              5 * (int64_t)MANY); /* counting the samples of the version */
}

/* ---- a disk that fails ----------------------------------------------------------------------- */
/* SQLite's own calls to write and synchronise fail from the nth on, as on a full disk. */
static int calls_left = -1; /* -1: never fail */
static bool fails(void) {
  if (calls_left < 0) return false;
  if (calls_left > 0) return calls_left--, false;
  errno = ENOSPC;
  return true;
}
static ssize_t failing_pwrite(int fd, const void *data, size_t n, off_t at) {
  return fails() ? -1 : pwrite(fd, data, n, at);
}
static ssize_t failing_write(int fd, const void *data, size_t n) {
  return fails() ? -1 : write(fd, data, n);
}

static bool one_step(struct fixture *f, int step) {
  static float numbers[100];
  struct store_sample s = rich(numbers, step + 50);
  struct store_change done;
  int64_t id;
  switch (step) {
  case 0: return store_add(f->st, &s, &id, &f->e);
  case 1: return store_set_meta(f->st, 1, "key", "value", &f->e);
  case 2: s.id = 2; return store_edit(f->st, &s, &id, &f->e);
  case 3: return store_remove(f->st, 3, &f->e);
  case 4: return store_snapshot(f->st, "here", &f->e);
  case 5: return store_undo(f->st, f->a, &done, &f->e);
  default: return store_restore(f->st, "here", &id, &f->e);
  }
}

/* Whatever call fails: an error that says so, and the file is as before the step or behind it, whole. */
static void test_failing_disk(void **state) {
  struct fixture *f = *state;
  sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
  int16_t data[3000];
  int64_t duplicate;
  uint8_t *base;
  size_t size;
  open_store(f, STORE_CREATE);
  for (int i = 1; i < 6; i++) {
    struct store_sample s = sample(data, 3000, i, "yes");
    assert_true(store_add(f->st, &s, &duplicate, &f->e));
  }
  store_close(f->st);
  assert_true(file_read(f->a, f->path, 1 << 24, &base, &size, &f->e));
  assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite),
                   SQLITE_OK);
  (void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)failing_pwrite);
  (void)vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)failing_write);
  bool whole = false;
  int n = 0;
  for (; !whole && n < 400; n++) {
    FILE *file = fopen(f->path, "wb");
    assert_int_equal(fwrite(base, 1, size, file), size);
    fclose(file);
    unlink(arena_printf(f->a, "%s-journal", f->path));
    open_store(f, STORE_WRITE);
    char *seen = portrait(f);
    int left = n;
    whole = true;
    for (int step = 0; step < 7 && whole; step++) {
      memset(&f->e, 0, sizeof f->e);
      calls_left = left;
      whole = one_step(f, step);
      left = calls_left;
      calls_left = -1;
      if (!whole) {
        assert_true(strlen(f->e.text) > 0 && !f->e.internal);
        assert_string_equal(portrait(f), seen); /* the handle goes on */
      } else {
        seen = portrait(f);
      }
    }
    store_close(f->st);
    open_store(f, STORE_WRITE);
    assert_true(store_check(f->st, &f->e));
    assert_string_equal(portrait(f), seen);
    store_close(f->st);
    f->st = NULL;
  }
  (void)vfs->xSetSystemCall(vfs, NULL, NULL);
  assert_true(whole && n > 20); /* the last round had no failure: every call was tried */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_round_trip),
      TEST(test_reading_takes_little),
      TEST(test_duplicates_and_counts),
      TEST(test_sizes_refused),
      TEST(test_lying_sizes),
      TEST(test_runs),
      TEST(test_foreign_files),
      TEST(test_damaged_files),
      TEST(test_locked),
      TEST(test_read_only),
      TEST(test_kill),
      TEST(test_migration),
      TEST(test_migration_killed),
      TEST(test_details),
      TEST(test_filters),
      TEST(test_history),
      TEST(test_diff),
      TEST(test_one_change),
      TEST(test_many),
      TEST(test_failing_disk),
  };
  return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
