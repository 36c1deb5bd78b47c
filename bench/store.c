/* How long the store takes with 100,000 samples: `make build/host/bench/store && build/host/bench/store [SAMPLES]`.
 * Processor time, so
 * that a busy machine does not count; median of five. */
#include "host/store/store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS 5

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static struct store *st;
static struct err e;
static int64_t rows;

static bool fill(const char *path, int n) {
  struct arena *a = arena_new(0);
  bool ok = store_open(a, path, STORE_CREATE, &st, &e) && store_begin(st, &e);
  store_change(st, "fill");
  for (int i = 0; i < n && ok; i++) {
    int16_t data[16] = {(int16_t)i, (int16_t)(i >> 8), (int16_t)(i >> 16)};
    char label[16], group[16], source[64], device[16];
    int64_t duplicate;
    snprintf(label, sizeof label, "word%02d", i % 35);
    snprintf(group, sizeof group, "speaker%03d", i / 35 % 400);
    snprintf(source, sizeof source, "recordings/%s/%s_%06d.wav", label, group, i);
    snprintf(device, sizeof device, "nano-%d", i % 7);
    const struct store_meta meta[] = {{"device", device}, {"session", group + 7}};
    struct store_sample s = {.label = label,
                             .group = group,
                             .source = source,
                             .split = (enum store_split)(i % 3),
                             .type = STORE_INT16,
                             .rate_hz = 16000,
                             .channels = 1,
                             .length = 16,
                             .data = data,
                             .meta = meta,
                             .n_meta = 2};
    ok = store_add(st, &s, &duplicate, &e);
  }
  return ok && store_commit(st, &e);
}

static bool list(const struct store_filter *f) {
  struct arena *a = arena_new(0);
  struct store_sample *samples;
  int n = 0;
  const bool ok = store_list(st, a, f, &samples, &n, &e);
  rows = n;
  arena_free(a);
  return ok;
}
static const struct store_where device = {"device", "nano-3", STORE_EQUAL},
                                session = {"session", "390", STORE_MORE},
                                seconds = {"seconds", "0.01", STORE_LESS};
static bool list_all(void) { return list(NULL); }
static bool list_label(void) {
  return list(&(struct store_filter){.label = "word07", .split = -1});
}
static bool list_group(void) {
  return list(&(struct store_filter){.group = "speaker017", .split = -1});
}
static bool list_split(void) { return list(&(struct store_filter){.split = STORE_TEST}); }
static bool list_page(void) {
  return list(&(struct store_filter){.split = -1, .after = 70000, .most = 100});
}
static bool list_device(void) {
  return list(&(struct store_filter){.split = -1, .where = &device, .n_where = 1});
}
static bool list_session(void) {
  return list(&(struct store_filter){.split = -1, .where = &session, .n_where = 1});
}
static bool list_seconds(void) {
  return list(&(struct store_filter){.split = -1, .where = &seconds, .n_where = 1, .most = 1000});
}
static bool counts(void) {
  struct arena *a = arena_new(0);
  struct store_count *c;
  int n = 0;
  const bool ok = store_counts(st, a, &c, &n, &e);
  rows = n;
  arena_free(a);
  return ok;
}
static bool groups(void) {
  struct arena *a = arena_new(0);
  const char **g;
  int n = 0;
  const bool ok = store_groups(st, a, &g, &n, &e);
  rows = n;
  arena_free(a);
  return ok;
}
static bool size(void) {
  return store_size(st, &(struct store_filter){.split = -1, .where = &device, .n_where = 1}, &rows,
                    &e);
}
static bool snapshot(void) {
  static int n;
  char name[16];
  snprintf(name, sizeof name, "v%d", n++);
  rows = 1;
  return store_snapshot(st, name, &e);
}
static bool undo(void) {
  struct arena *a = arena_new(0);
  struct store_change done;
  static int n;
  const bool ok = n++ & 1 ? store_redo(st, a, &done, &e) : store_undo(st, a, &done, &e);
  rows = ok ? done.samples : 0;
  arena_free(a);
  return ok;
}

int main(int argc, char **argv) {
  const int n = argc > 1 ? atoi(argv[1]) : 100000;
  struct arena *a = arena_new(0);
  char *dir;
  static const struct {
    const char *name;
    bool (*run)(void);
  } jobs[] = {{"list all", list_all},
              {"list one label", list_label},
              {"list one group", list_group},
              {"list one split", list_split},
              {"a page of 100", list_page},
              {"list by metadata", list_device},
              {"list by a number in metadata", list_session},
              {"list by seconds, 1000", list_seconds},
              {"count by metadata", size},
              {"table of labels and splits", counts},
              {"groups", groups},
              {"snapshot", snapshot},
              {"undo and redo of all", undo}};
  if (!dir_temporary(a, &dir, &e)) return 1;
  double start = now_ms();
  if (!fill(arena_printf(a, "%s/project.db", dir), n)) return printf("%s\n", e.text), 1;
  printf("%-32s %10.1f ms\n", "add, one transaction", now_ms() - start);
  for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
    double ms[RUNS];
    for (int k = 0; k < RUNS; k++) {
      start = now_ms();
      if (!jobs[i].run()) return printf("%s: %s\n", jobs[i].name, e.text), 1;
      ms[k] = now_ms() - start;
    }
    qsort(ms, RUNS, sizeof *ms, compare);
    printf("%-32s %10.1f ms  %8lld rows\n", jobs[i].name, ms[RUNS / 2], (long long)rows);
  }
  store_close(st);
  dir_remove(dir);
  return 0;
}
