/* kit: arena, text, JSON, files, processes, random numbers, hashing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/kit/kit.h"

static void arena_gives_zeroed_aligned_pieces(void **state) {
  (void)state;
  struct arena *a = arena_new(1 << 20);
  for (size_t n = 1; n < 5000; n = n * 3 + 1) {
    uint8_t *p = arena_alloc(a, n, 1);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (size_t i = 0; i < n; i++) assert_int_equal(p[i], 0);
    memset(p, 0xFF, n);
  }
  assert_true(arena_left(a) < 1 << 20);
  arena_free(a);
}

static int exit_code_of(size_t count, size_t size) {
  pid_t pid = fork();
  if (pid == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(99);
    arena_alloc(arena_new(1 << 16), count, size);
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void arena_ends_beyond_its_cap(void **state) {
  (void)state;
  assert_int_equal(exit_code_of(1 << 15, 1), 0);
  assert_int_equal(exit_code_of(1 << 17, 1), 3);
  assert_int_equal(exit_code_of(SIZE_MAX / 2, 4), 3); /* the product overflows */
}

static void json_is_well_formed(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct text t;
  struct json j;
  text_init(&t, a);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_string(&j, "quote\"d", "a\nb\\");
  json_open_array(&j, "list");
  json_put_int(&j, NULL, -3);
  json_put_real(&j, NULL, 0.0 / strtod("0", NULL));
  json_close_array(&j);
  json_open_array(&j, "empty");
  json_close_array(&j);
  json_put_bool(&j, "yes", true);
  json_close_object(&j);
  assert_string_equal(
      t.data, "{\n  \"quote\\\"d\": \"a\\u000ab\\\\\",\n  \"list\": [\n    -3,\n    null\n  ],\n"
              "  \"empty\": [],\n  \"yes\": true\n}\n");
  arena_free(a);
}

static void thousands_are_grouped(void **state) {
  (void)state;
  assert_string_equal(text_thousands(0), "0");
  assert_string_equal(text_thousands(999), "999");
  assert_string_equal(text_thousands(-1000), "-1,000");
  assert_string_equal(text_thousands(123456789), "123,456,789");
}

static void files_are_written_whole_or_not_at_all(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  char *dir;
  assert_true(dir_temporary(a, &dir, &e));
  char *deep = arena_printf(a, "%s/x/y", dir), *path = arena_printf(a, "%s/f", deep);
  assert_true(dir_make(deep, &e));
  assert_true(file_write(path, "one", 3, &e));
  assert_true(file_write(path, "second", 6, &e));
  uint8_t *data;
  size_t n;
  assert_true(file_read(a, path, 100, &data, &n, &e));
  assert_int_equal(n, 6);
  assert_string_equal((char *)data, "second");
  assert_false(file_read(a, path, 5, &data, &n, &e));
  assert_non_null(strstr(e.text, "6 bytes"));
  assert_string_equal(e.file, path);
  assert_false(file_write(arena_printf(a, "%s/f/no", deep), "x", 1, &(struct err){0}));
  char **names;
  int count;
  assert_true(dir_list(a, deep, &names, &count, &e));
  assert_int_equal(count, 1); /* nothing half-written is left */
  if (file_exists("/dev/full")) assert_false(file_write("/dev/full", "x", 1, &e));
  dir_remove(dir);
  assert_false(file_exists(dir));
  arena_free(a);
}

static void processes_give_output_code_and_time_out(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct process_result r;
  const char *both[] = {"sh", "-c", "echo out; echo err >&2; exit 7", NULL};
  assert_true(process_run(a, NULL, both, 10, &r, &e));
  assert_int_equal(r.exit_code, 7);
  assert_string_equal(r.out, "out\n");
  assert_string_equal(r.err, "err\n");
  const char *slow[] = {"sh", "-c", "sleep 30", NULL};
  assert_true(process_run(a, NULL, slow, 1, &r, &e));
  assert_true(r.timed_out);
  const char *absent[] = {"no-such-program-here", NULL};
  assert_false(process_run(a, NULL, absent, 1, &r, &e));
  assert_non_null(strstr(e.text, "not installed"));
  arena_free(a);
}

static void random_numbers_repeat_and_spread(void **state) {
  (void)state;
  struct rng r, s;
  rng_seed(&r, 42);
  rng_seed(&s, 42);
  double sum = 0, square = 0;
  uint32_t seen[7] = {0};
  for (int i = 0; i < 70000; i++) {
    float x = rng_normal(&r);
    assert_true(memcmp(&x, &(float){rng_normal(&s)}, sizeof x) == 0);
    sum += (double)x;
    square += (double)x * (double)x;
    seen[rng_below(&r, 7)]++;
    rng_below(&s, 7);
  }
  assert_true(sum / 70000 < 0.02 && sum / 70000 > -0.02);
  assert_true(square / 70000 < 1.03 && square / 70000 > 0.97);
  for (int i = 0; i < 7; i++) assert_in_range(seen[i], 9500, 10500);
}

static void sha256_gives_the_published_vectors(void **state) {
  (void)state;
  struct sha256 s;
  uint8_t digest[32];
  char hex[65];
  sha256_init(&s);
  sha256_add(&s, "abc", 3);
  sha256_end(&s, digest);
  sha256_hex(digest, hex);
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  sha256_init(&s);
  for (int i = 0; i < 1000000; i++) sha256_add(&s, "a", 1);
  sha256_end(&s, digest);
  sha256_hex(digest, hex);
  assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void errors_keep_the_first_name(void **state) {
  (void)state;
  struct err e = {0};
  err_file(&e, "inner.wav");
  err_file(&e, "outer");
  err_node(&e, "line %d", 3);
  assert_false(err_set(&e, "%d is too many", 9));
  assert_string_equal(e.file, "inner.wav");
  assert_string_equal(e.node, "line 3");
  assert_string_equal(e.text, "9 is too many");
  assert_false(e.internal);
  assert_false(err_set(NULL, "nobody listens"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arena_gives_zeroed_aligned_pieces),
      cmocka_unit_test(arena_ends_beyond_its_cap),
      cmocka_unit_test(json_is_well_formed),
      cmocka_unit_test(thousands_are_grouped),
      cmocka_unit_test(files_are_written_whole_or_not_at_all),
      cmocka_unit_test(processes_give_output_code_and_time_out),
      cmocka_unit_test(random_numbers_repeat_and_spread),
      cmocka_unit_test(sha256_gives_the_published_vectors),
      cmocka_unit_test(errors_keep_the_first_name),
  };
  return cmocka_run_group_tests_name("kit", tests, NULL, NULL);
}
