/* Recordings in: sound and tables, the right numbers or a clear error; hostile bytes never crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/ingest/ingest.h"

#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
  struct arena *a;
  char *dir;
  struct err e;
  struct ingest_recording *r;
  int n;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  f->a = arena_new(0);
  assert_true(dir_temporary(f->a, &f->dir, &f->e));
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  dir_remove(f->dir);
  arena_free(f->a);
  free(f);
  return 0;
}

static const char *path_of(struct fixture *f, const char *name) {
  return arena_printf(f->a, "%s/%s", f->dir, name);
}

static const char *text_file(struct fixture *f, const char *name, const char *text) {
  const char *path = path_of(f, name);
  assert_true(file_write(path, text, strlen(text), &f->e));
  return path;
}

static const char *sound_file(struct fixture *f, const char *name, int format, int rate_hz,
                              int channels, int frames) {
  const char *path = path_of(f, name);
  SF_INFO info = {.samplerate = rate_hz, .channels = channels, .format = format};
  SNDFILE *file = sf_open(path, SFM_WRITE, &info);
  assert_non_null(file);
  sf_command(file, SFC_SET_SCALE_INT_FLOAT_WRITE, NULL, SF_TRUE);
  for (int t = 0; t < frames; t++) {
    short frame[2] = {(short)lrint(8000 * sin(2 * 3.14159265358979 * 200 * t / rate_hz)),
                      (short)(t % 100)};
    sf_writef_short(file, frame, 1);
  }
  sf_close(file);
  return path;
}

static bool read_path(struct fixture *f, const char *path, const struct ingest_options *o) {
  memset(&f->e, 0, sizeof f->e);
  return ingest_read(f->a, path, o, &f->r, &f->n, &f->e);
}

#define WAV16 (SF_FORMAT_WAV | SF_FORMAT_PCM_16)

static void test_wav_exact(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_INT16};
  assert_true(read_path(f, sound_file(f, "a.wav", WAV16, 8000, 1, 500), &o));
  assert_int_equal(f->n, 1);
  assert_int_equal(f->r->length, 500);
  assert_true(f->r->rate_hz == 8000);
  for (int t = 0; t < 500; t++)
    assert_int_equal(((const int16_t *)f->r->data)[t],
                     (int16_t)lrint(8000 * sin(2 * 3.14159265358979 * 200 * t / 8000)));
}

static void test_formats(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_INT16, .channels = 1};
  assert_true(
      read_path(f, sound_file(f, "a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 8000, 1, 500), &o));
  assert_int_equal(f->r->length, 500);
  assert_true(
      read_path(f, sound_file(f, "a.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 8000, 1, 5000), &o));
  assert_int_equal(f->r->length, 5000);
  assert_true(
      read_path(f, sound_file(f, "f.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 1, 500), &o));
  assert_int_equal(((const int16_t *)f->r->data)[10],
                   (int16_t)lrint(8000 * sin(2 * 3.14159265358979 * 200 * 10 / 8000)));
}

static void test_mix_and_resample(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_INT16, .rate_hz = 16000, .channels = 1};
  const char *path = sound_file(f, "s.wav", WAV16, 44100, 2, 44100);
  assert_true(read_path(f, path, &o));
  assert_int_equal(f->r->channels, 1);
  assert_true(llabs(f->r->length - 16000) <= 1);
  /* Away from the ends a 200 Hz tone of half the level remains, within the other channel's ramp. */
  const int16_t *x = f->r->data;
  for (int t = 2000; t < 14000; t++) {
    double want = 4000 * sin(2 * 3.14159265358979 * 200 * t / 16000) + 25;
    assert_true(fabs(x[t] - want) < 60);
  }
  o.channels = 3;
  assert_false(read_path(f, path, &o));
  assert_non_null(strstr(f->e.text, "2 channels"));
}

static void test_cut_short(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_INT16};
  const char *path = sound_file(f, "a.wav", WAV16, 8000, 1, 500);
  uint8_t *data;
  size_t size;
  assert_true(file_read(f->a, path, 1 << 20, &data, &size, &f->e));
  assert_true(file_write(path, data, size - 101, &f->e));
  assert_false(read_path(f, path, &o));
  assert_non_null(strstr(f->e.text, "cut short"));
  path = sound_file(f, "a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 8000, 1, 20000);
  assert_true(file_read(f->a, path, 1 << 20, &data, &size, &f->e));
  assert_true(file_write(path, data, size / 2, &f->e));
  assert_false(read_path(f, path, &o));
}

/* Every prefix of a WAV and 10,000 mutations: numbers or an error with a text. */
static void hostile(struct fixture *f, const char *name, const uint8_t *data, size_t size,
                    int mutations) {
  struct rng rng;
  const char *path = path_of(f, name);
  uint8_t *bytes = malloc(size + 8);
  int good = 0, bad = 0;
  rng_seed(&rng, 11);
  for (int i = 0; i < (int)size + mutations; i++) {
    size_t n = i < (int)size ? (size_t)i : size;
    memcpy(bytes, data, size);
    if (i >= (int)size) {
      uint32_t changes = 1 + rng_below(&rng, 6);
      uint32_t reach = rng_below(&rng, 2) ? (uint32_t)size : (uint32_t)(size < 64 ? size : 64);
      for (uint32_t k = 0; k < changes; k++) bytes[rng_below(&rng, reach)] = (uint8_t)rng_u32(&rng);
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(bytes, 1, n, file);
    fclose(file);
    struct arena *a = arena_new((size_t)256 << 20);
    struct ingest_options o = {.type = INGEST_INT16, .rate_hz = 8000, .channels = 1};
    struct err e = {{0}, {0}, {0}, false};
    struct ingest_recording *r;
    int count = 0;
    if (ingest_read(a, path, &o, &r, &count, &e)) {
      assert_true(count >= 1 && r->length >= 1);
      good++;
    } else {
      assert_true(e.text[0] != 0 && !e.internal);
      bad++;
    }
    arena_free(a);
  }
  free(bytes);
  assert_true(good > 0 && bad > 0);
}

static void test_hostile_wav(void **state) {
  struct fixture *f = *state;
  uint8_t *data;
  size_t size;
  const char *path = sound_file(f, "a.wav", WAV16, 8000, 1, 200);
  assert_true(file_read(f->a, path, 1 << 20, &data, &size, &f->e));
  hostile(f, "h.wav", data, size, 10000);
}

static void test_hostile_flac(void **state) {
  struct fixture *f = *state;
  uint8_t *data;
  size_t size;
  const char *path = sound_file(f, "a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 8000, 1, 400);
  assert_true(file_read(f->a, path, 1 << 20, &data, &size, &f->e));
  hostile(f, "h.flac", data, size, 1000);
}

static void test_hostile_csv(void **state) {
  struct fixture *f = *state;
  static const char text[] = "time_ms,x,y\n0,1.5,2\n10,2.5,3\n20,-1e3,4\n30,0,5\n41,1,1\n50,2,2\n";
  const char *path = text_file(f, "t.csv", text);
  (void)path;
  struct rng rng;
  rng_seed(&rng, 3);
  for (int i = 0; i < 3000 + (int)sizeof text; i++) {
    char bytes[sizeof text];
    memcpy(bytes, text, sizeof text);
    size_t n = i < (int)sizeof text ? (size_t)i : sizeof text - 1;
    static const char alphabet[] = ",;\t\n\r\"-+.eE0123456789 xyz#";
    for (int k = 0; i >= (int)sizeof text && k < 3; k++)
      bytes[rng_below(&rng, sizeof text - 1)] =
          k ? alphabet[rng_below(&rng, sizeof alphabet - 1)] : (char)rng_u32(&rng);
    FILE *file = fopen(path, "wb");
    fwrite(bytes, 1, n, file);
    fclose(file);
    struct arena *a = arena_new((size_t)256 << 20);
    struct ingest_options o = {.type = INGEST_FLOAT32, .rate_hz = 100};
    struct err e = {{0}, {0}, {0}, false};
    struct ingest_recording *r;
    int count = 0;
    if (!ingest_read(a, path, &o, &r, &count, &e)) assert_true(e.text[0] != 0 && !e.internal);
    arena_free(a);
  }
}

static void test_csv_resampled(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32, .rate_hz = 100};
  /* Uneven steps; y = 2 t stays a line under linear interpolation. */
  assert_true(read_path(
      f, text_file(f, "a.csv", "time_ms,x,y\n0,1,0\n7,1,14\n20,1,40\n33,1,66\n40,1,80\n"), &o));
  assert_int_equal(f->n, 1);
  assert_int_equal(f->r->channels, 2);
  assert_int_equal(f->r->length, 5);
  const float *v = f->r->data;
  for (int t = 0; t < 5; t++) assert_true(fabsf(v[2 * t + 1] - (float)(20 * t)) < 1e-3f);
}

static void test_csv_forms(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32, .rate_hz = 10};
  /* Semicolons, decimal commas, a comment, quotes, CRLF, a byte order mark. */
  assert_true(read_path(
      f,
      text_file(
          f, "a.csv",
          "\xef\xbb\xbf# logger 3\r\n\"Time (s)\";\"a x\"\r\n0,0;1,5\r\n0,1;2,5\r\n0,2;3,5\r\n"),
      &o));
  assert_int_equal(f->r->length, 3);
  assert_true(((const float *)f->r->data)[1] == 2.5f);
  /* Dates, and a rate far below one. */
  o.rate_hz = 1.0 / 60;
  assert_true(read_path(
      f,
      text_file(f, "b.csv",
                "date,t1\n2015-02-04 17:51:00,1\n2015-02-04 17:52:00,2\n2015-02-04 17:53:00,3\n"),
      &o));
  assert_int_equal(f->r->length, 3);
  /* No header, no time: rows at the project's rate. */
  o.rate_hz = 26;
  assert_true(read_path(f, text_file(f, "c.csv", "1,2,3\n4,5,6\n7,8,9\n"), &o));
  assert_int_equal(f->r->channels, 3);
  assert_int_equal(f->r->length, 3);
  /* Row numbers without a name, as R and pandas write them, are no channel. */
  o.rate_hz = 1;
  assert_true(read_path(f, text_file(f, "r.csv", "\"t\",\"x\"\n\"1\",0,5\n\"2\",1,6\n"), &o));
  assert_int_equal(f->r->channels, 1);
  assert_true(((const float *)f->r->data)[1] == 6);
  assert_true(read_path(f, text_file(f, "p.csv", ",t,x\n0,0,5\n1,1,6\n"), &o));
  assert_int_equal(f->r->channels, 1);
  /* Cut at gaps and labels. */
  o = (struct ingest_options){.type = INGEST_FLOAT32, .rate_hz = 1, .label_column = "what"};
  assert_true(read_path(
      f, text_file(f, "d.csv", "t,x,what\n0,1,a\n1,1,a\n2,1,b\n3,1,b\n4,1,b\n100,1,b\n101,1,b\n"),
      &o));
  assert_int_equal(f->n, 3);
  assert_string_equal(f->r[0].label, "a");
  assert_string_equal(f->r[1].part, "lines 4-6");
  assert_int_equal(f->r[2].length, 2);
}

static void test_csv_errors(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32, .rate_hz = 100};
  assert_false(read_path(f, text_file(f, "a.csv", "time,x\n0,1\n0.01,zwei\n"), &o));
  assert_string_equal(f->e.node, "line 3");
  assert_non_null(strstr(f->e.text, "zwei"));
  assert_false(read_path(f, text_file(f, "b.csv", "time,x\n0,1\n0.01\n"), &o));
  assert_string_equal(f->e.node, "line 3");
  assert_false(read_path(f, text_file(f, "c.csv", "time,x\n0,nan\n1,2\n"), &o));
  o.channels = 3;
  assert_false(read_path(f, text_file(f, "d.csv", "time,x,y\n0,1,2\n0.01,2,3\n"), &o));
  assert_non_null(strstr(f->e.text, "2 columns of numbers, and the project has 3"));
  assert_false(read_path(f, text_file(f, "e.bin", "x"), &o));
  assert_non_null(strstr(f->e.text, "unknown kind"));
  assert_false(read_path(f, text_file(f, "f.csv", ""), &o));
  assert_false(read_path(f, path_of(f, "absent.csv"), &o));
}

static void test_rules(void **state) {
  struct fixture *f = *state;
  struct ingest_rule *r;
  char *word;
  assert_true(ingest_rule_make(f->a, "name:^([0-9])_", &r, &f->e));
  assert_true(ingest_rule_apply(r, f->a, "/x/7_anna_3.wav", &word, &f->e));
  assert_string_equal(word, "7");
  assert_false(ingest_rule_apply(r, f->a, "/x/anna.wav", &word, &f->e));
  ingest_rule_free(r);
  assert_true(ingest_rule_make(f->a, "folder", &r, &f->e));
  assert_true(ingest_rule_apply(r, f->a, "data//yes/1.wav", &word, &f->e));
  assert_string_equal(word, "yes");
  assert_false(ingest_rule_apply(r, f->a, "1.wav", &word, &f->e));
  assert_true(ingest_rule_make(f->a, "folder:2", &r, &f->e));
  assert_true(ingest_rule_apply(r, f->a, "data//yes/1.wav", &word, &f->e));
  assert_string_equal(word, "data");
  assert_true(ingest_rule_make(f->a, "yes", &r, &f->e));
  assert_true(ingest_rule_apply(r, f->a, "1.wav", &word, &f->e));
  assert_string_equal(word, "yes");
  assert_false(ingest_rule_make(f->a, "name:([0-9", &r, &f->e));
  assert_false(ingest_rule_make(f->a, "folder:0", &r, &f->e));
  assert_true(ingest_rule_make(f->a, "name:_[0-4]\\.wav$", &r, &f->e));
  assert_true(ingest_rule_matches(r, "7_anna_3.wav"));
  assert_false(ingest_rule_matches(r, "7_anna_5.wav"));
  ingest_rule_free(r);
}

static void test_expand(void **state) {
  struct fixture *f = *state;
  struct ingest_files found;
  const struct ingest_options o = {.type = INGEST_FLOAT32};
  assert_true(dir_make(path_of(f, "b/deep"), &f->e));
  text_file(f, "b/deep/1.csv", "x");
  text_file(f, "b/list.txt", "deep/1.csv\n");
  text_file(f, "b/table.txt", "1,2\n3,4\n");
  text_file(f, "b/2.wav", "x");
  text_file(f, "b/notes.md", "x");
  text_file(f, "b/.hidden.wav", "x");
  const char *paths[] = {path_of(f, "b")};
  assert_true(ingest_expand(f->a, paths, 1, &o, &found, &f->e));
  assert_int_equal(found.count, 3);
  assert_int_equal(found.left_out, 2);
  assert_true(text_ends(found.files[0], "b/2.wav"));
  assert_true(text_ends(found.files[1], "b/deep/1.csv"));
  paths[0] = path_of(f, "absent");
  assert_false(ingest_expand(f->a, paths, 1, &o, &found, &f->e));
}

static void test_share(void **state) {
  (void)state;
  int below = 0;
  for (int i = 0; i < 1000; i++) {
    char name[32];
    snprintf(name, sizeof name, "file %d", i);
    double share = ingest_share(name);
    assert_true(share >= 0 && share < 1 && share == ingest_share(name));
    below += share < 0.8;
  }
  assert_in_range(below, 750, 850);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_wav_exact),   TEST(test_formats),       TEST(test_mix_and_resample),
      TEST(test_cut_short),   TEST(test_hostile_wav),   TEST(test_hostile_flac),
      TEST(test_hostile_csv), TEST(test_csv_resampled), TEST(test_csv_forms),
      TEST(test_csv_errors),  TEST(test_rules),         TEST(test_expand),
      TEST(test_share),
  };
  return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
