/* Every kind of recording, number for number: what a reader makes of a file that is known. The valid streams are those
 * that the fuzzers begin from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/fuzz/ingest.h"

#include <soxr.h>

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

static const char *put_file(struct fixture *f, const char *name, const void *bytes, size_t n) {
  const char *path = arena_printf(f->a, "%s/%s", f->dir, name);
  assert_true(file_write(path, bytes, n, &f->e));
  return path;
}
static const char *put_text(struct fixture *f, const char *name, const char *text) {
  return put_file(f, name, text, strlen(text));
}

static bool take(struct fixture *f, const char *path, const struct ingest_options *o) {
  memset(&f->e, 0, sizeof f->e);
  return ingest_read(f->a, path, o, &f->r, &f->n, &f->e);
}

static const float *floats(const struct fixture *f, int i) { return f->r[i].data; }
static const uint8_t *bytes_of(const struct fixture *f, int i) { return f->r[i].data; }

/* ---- sound ------------------------------------------------------------------------- */
static void test_depths(void **state) {
  struct fixture *f = *state;
  static const struct {
    int format;
    double off; /* largest error, in steps of int16 */
  } depths[] = {{SF_FORMAT_PCM_U8, 257}, {SF_FORMAT_PCM_16, 1.5}, {SF_FORMAT_PCM_24, 1},
                {SF_FORMAT_PCM_32, 1},   {SF_FORMAT_FLOAT, 1},    {SF_FORMAT_DOUBLE, 1}};
  const struct ingest_options o = {.type = INGEST_INT16};
  for (size_t k = 0; k < sizeof depths / sizeof *depths; k++) {
    const struct ingest_seed s = seed_sound(f->a, f->dir, SF_FORMAT_WAV | depths[k].format, 2);
    assert_true(take(f, put_file(f, "a.wav", s.bytes, s.n), &o));
    assert_int_equal(f->r->length, 400);
    assert_int_equal(f->r->channels, 2);
    for (int t = 0; t < 400; t++) {
      const int16_t *x = (const int16_t *)f->r->data + 2 * t;
      assert_true(fabs(x[0] - 32768 * (double)(sinf((float)t * 0.1f) * 0.3f)) <= depths[k].off);
      assert_true(fabs(x[1] - 32768 * (double)((float)(t % 50) * 0.01f)) <= depths[k].off);
    }
  }
}

/* The pipe's stream against soxr's one call over everything. */
static void test_stream_is_one_shot(void **state) {
  struct fixture *f = *state;
  const int64_t n = 300000;
  float *in = ARENA_ARRAY(f->a, float, n), *want = ARENA_ARRAY(f->a, float, n);
  const void *out;
  int64_t length;
  size_t done = 0;
  struct rng rng;
  rng_seed(&rng, 5);
  for (int64_t i = 0; i < n; i++) in[i] = rng_normal(&rng);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t threads = soxr_runtime_spec(1);
  assert_null(soxr_oneshot(44100, 16000, 1, in, (size_t)n, NULL, want, (size_t)n, &done, NULL,
                           &quality, &threads));
  assert_true(ingest_resample(f->a, INGEST_FLOAT32, in, n, 1, 44100, 16000, &out, &length, &f->e));
  assert_true(llabs(length - (int64_t)done) <= 1);
  for (int64_t i = 0; i < length && i < (int64_t)done; i++)
    assert_true(((const float *)out)[i] == want[i]);
}

/* ---- acquisition files --------------------------------------------------------------- */
#define MESSAGE(signature, value)                                                                  \
  "{\"protected\":{\"ver\":\"v1\",\"alg\":\"HS256\"},\"signature\":\"" signature                   \
  "\",\"payload\":{\"interval_ms\":20,\"sensors\":[{\"name\":\"x\",\"units\":\"g\"}],\"values\":[" \
  "[1],[2.5],[" value "]]}}"
/* source: Python's hmac.new(b"secret", message, "sha256") over 64 zeros. */
#define SIGNED "579b1be3c66aee9646bd46414039b715a7d3bbab541b3376d4d66682e6dd6bea"

static void test_signature(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32, .hmac_key = "secret"};
  assert_true(take(f, put_text(f, "a.json", MESSAGE(SIGNED, "-3")), &o));
  assert_true(f->r->rate_hz == 50 && f->r->length == 3 && floats(f, 0)[1] == 2.5f &&
              floats(f, 0)[2] == -3);
  assert_true(take(f, put_text(f, "b.json", MESSAGE(SIGNED, "-3") "\n \n"), &o));
  assert_false(take(f, put_text(f, "c.json", MESSAGE(SIGNED, "-4")), &o));
  assert_non_null(strstr(f->e.text, "signature is wrong"));
  o.hmac_key = "secres";
  assert_false(take(f, put_text(f, "a.json", MESSAGE(SIGNED, "-3")), &o));
  o.hmac_key = NULL;
  assert_true(take(f, put_text(f, "c.json", MESSAGE(SIGNED, "-4")), &o));
  assert_false(take(f, put_text(f, "d.json", MESSAGE(SIGNED, "-4") "x"), &o));
  assert_false(take(f, put_text(f, "e.json", MESSAGE(SIGNED, "1,2")), &o));
  assert_non_null(strstr(f->e.text, "row 3"));
}

static void test_cbor(void **state) {
  struct fixture *f = *state;
  const struct ingest_options o = {.type = INGEST_FLOAT32};
  struct ingest_seed s = seed_cbor(f->a, f->dir, 0);
  assert_true(take(f, put_file(f, "a.cbor", s.bytes, s.n), &o));
  static const float mixed[] = {1, 1, 1, 5, -100};
  assert_int_equal(f->r->length, 5);
  assert_true(f->r->rate_hz == 100);
  assert_memory_equal(f->r->data, mixed, sizeof mixed);
  s = seed_cbor(f->a, f->dir, 1);
  assert_true(take(f, put_file(f, "b.cbor", s.bytes, s.n), &o));
  static const float sound[] = {1, 2, -1, -32768};
  assert_int_equal(f->r->length, 4);
  assert_true(f->r->rate_hz == 16000);
  assert_memory_equal(f->r->data, sound, sizeof sound);
  assert_false(take(f, put_file(f, "c.cbor", s.bytes, s.n - 1), &o));
}

static void test_structured_labels(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32, .cut = true};
  const struct ingest_seed s = seed_json(f->a, f->dir, 0);
  const char *path = put_file(f, "a.json", s.bytes, s.n);
  assert_true(take(f, path, &o));
  assert_int_equal(f->n, 1);
  assert_int_equal(f->r->length, 2); /* frames 0 and 1 of 3 */
  assert_string_equal(f->r->label, "up");
  o.cut = false;
  struct ingest_reader *reader;
  struct ingest_recording r;
  bool there;
  assert_true(ingest_open(path, &o, &reader, &f->e) && ingest_next(reader, &r, &there, &f->e) &&
              there);
  assert_int_equal(r.length, 3);
  assert_int_equal(r.n_spans, 1);
  assert_true(r.spans[0].start == 0 && r.spans[0].end == 2);
  assert_string_equal(r.metadata[0].value, "a\xc3\xa9"); /* the device, from \u00e9 */
  assert_non_null(strstr(ingest_notes(reader), "not checked"));
  ingest_close(reader);
}

/* ---- pictures ------------------------------------------------------------------------ */
static void test_pictures(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {0};
  assert_true(take(f, put_text(f, "a.pgm", "P5\n# c\n3 2\n255\nabcdef"), &o));
  assert_true(f->r->type == INGEST_UINT8 && f->r->width == 3 && f->r->height == 2 &&
              f->r->channels == 1);
  assert_memory_equal(f->r->data, "abcdef", 6);
  assert_true(take(f, put_text(f, "a.ppm", "P3 1 1 15\n15 0 3\n"), &o));
  assert_memory_equal(f->r->data, "\xff\x00\x33", 3);
  o.channels = 1;
  assert_true(take(f, put_text(f, "b.ppm", "P6 1 1 255\nabc"), &o));
  assert_int_equal(bytes_of(f, 0)[0], (77 * 'a' + 150 * 'b' + 29 * 'c' + 128) >> 8);
  o.channels = 3;
  struct ingest_seed s = seed_png(f->a, f->dir, 0);
  assert_true(take(f, put_file(f, "a.png", s.bytes, s.n), &o));
  assert_true(f->r->width == 12 && f->r->height == 9 && f->r->channels == 3);
  for (int i = 0; i < 108; i++) assert_int_equal(bytes_of(f, 0)[3 * i + 2], (uint8_t)(i * 7));
  assert_false(take(f, put_file(f, "b.png", s.bytes, s.n - 20), &o));
  s = seed_jpeg(f->a, f->dir, 2);
  assert_true(take(f, put_file(f, "a.jpg", s.bytes, s.n), &o));
  assert_true(f->r->width == 24 && f->r->height == 17);
  assert_false(take(f, put_file(f, "b.jpg", s.bytes, s.n / 2), &o));
  o.no_pictures = true;
  assert_false(take(f, put_text(f, "a.pgm", "P5 1 1 255\nabc"), &o));
}

static void test_boxes(void **state) {
  struct fixture *f = *state;
  const struct ingest_options o = {.cut = true};
  const struct ingest_box boxes[] = {
      {"left", -1, 0, 2, 2}, {"out", 9, 9, 2, 2}, {"last", 2, 1, 5, 5}};
  struct ingest_reader *reader;
  struct ingest_recording r;
  bool there;
  assert_true(ingest_open(put_text(f, "a.pgm", "P5 3 2 255\nabcdef"), &o, &reader, &f->e));
  ingest_set_boxes(reader, boxes, 3);
  assert_true(ingest_next(reader, &r, &there, &f->e) && there);
  assert_true(r.width == 1 && r.height == 2 && r.length == 2);
  assert_memory_equal(r.data, "ad", 2);
  assert_true(ingest_next(reader, &r, &there, &f->e) && there);
  assert_string_equal(r.label, "last");
  assert_memory_equal(r.data, "f", 1);
  assert_true(ingest_next(reader, &r, &there, &f->e) && !there);
  ingest_close(reader);
}

/* ---- arrays and records --------------------------------------------------------------- */
static void test_arrays(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32, .rate_hz = 10};
  struct ingest_seed s = seed_npy(f->a, f->dir, 0);
  assert_true(take(f, put_file(f, "a.npy", s.bytes, s.n), &o));
  assert_true(f->n == 1 && f->r->length == 10 && f->r->channels == 3);
  assert_true(floats(f, 0)[1] == 2 + 256 * 3);
  assert_false(take(f, put_file(f, "b.npy", s.bytes, s.n - 3), &o));
  assert_non_null(strstr(f->e.text, "9 of 10 frames"));
  o.skip_bad_rows = true;
  assert_true(take(f, put_file(f, "b.npy", s.bytes, s.n - 3), &o));
  assert_int_equal(f->r->length, 9);
  s = seed_npy(f->a, f->dir, 4); /* big-endian int32 */
  assert_true(take(f, put_file(f, "c.npy", s.bytes, s.n), &o));
  assert_true(floats(f, 0)[0] == 0x00010203);
  for (int packed = 0; packed < 2; packed++) {
    o.columns = "X";
    o.label_column = "Y";
    o.channels = 1;
    s = seed_npz(f->a, f->dir, packed);
    assert_true(take(f, put_file(f, "a.npz", s.bytes, s.n), &o));
    assert_int_equal(f->n, 6);
    assert_int_equal(f->r[5].length, 4);
    assert_string_equal(f->r[5].label, "5");
    assert_true(floats(f, 1)[0] == 8 + 256 * 9);
  }
  o.columns = "Z";
  assert_false(take(f, put_file(f, "a.npz", s.bytes, s.n), &o));
  assert_non_null(strstr(f->e.text, "X.npy, Y.npy"));
}

static void test_idx(void **state) {
  struct fixture *f = *state;
  const struct ingest_options o = {0};
  const char *path = put_file(f, "t-images-idx3-ubyte",
                              BYTES("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03"
                                    "abcdefghijkl"));
  put_file(f, "t-labels-idx1-ubyte", BYTES("\0\0\x08\x01\0\0\0\x02\x05\x07"));
  assert_true(take(f, path, &o));
  assert_int_equal(f->n, 2);
  assert_string_equal(f->r[1].label, "7");
  assert_true(f->r[1].width == 3 && f->r[1].height == 2);
  assert_memory_equal(f->r[1].data, "ghijkl", 6);
  put_file(f, "t-labels-idx1-ubyte", BYTES("\0\0\x08\x01\0\0\0\x03\x05\x07\x01"));
  assert_false(take(f, path, &o));
  assert_non_null(strstr(f->e.text, "3 labels for 2"));
}

static void test_wfdb(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32};
  const char *path = put_text(
      f, "r.hea", "r 2 100 4\nr.dat 212 100(10)/mV 12 0 0 96\nr.dat 212 200 12 0 0 -1\n# 75 F\n");
  /* Pairs (1, 2), (-1, -3), (100, 0), (-4, 0): 12 bits, low bytes first, high halves in the middle. */
  put_file(f, "r.dat", BYTES("\x01\x00\x02\xff\xff\xfd\x64\x00\x00\xfc\x0f\x00"));
  assert_true(take(f, path, &o));
  static const float want[] = {(1 - 10) / 100.0f,   2 / 200.0f, (-1 - 10) / 100.0f, -3 / 200.0f,
                               (100 - 10) / 100.0f, 0,          (-4 - 10) / 100.0f, 0};
  assert_int_equal(f->r->length, 4);
  for (int i = 0; i < 8; i++) assert_true(fabsf(floats(f, 0)[i] - want[i]) < 1e-6f);
  put_text(f, "r.hea", "r 2 100 4\nr.dat 212 100(10)/mV 12 0 0 97\nr.dat 212 200 12 0 0 -1\n");
  assert_false(take(f, path, &o));
  assert_non_null(strstr(f->e.text, "checksum"));
  /* Beats N at 1 and V at 3, from middle to middle. */
  put_text(f, "r.hea", "r 2 100 4\nr.dat 212 100(10)/mV 12 0 0 96\nr.dat 212 200 12 0 0 -1\n");
  put_file(f, "r.atr", BYTES("\x01\x04\x02\x14\x00\x00"));
  o.cut = true;
  assert_true(take(f, path, &o));
  assert_int_equal(f->n, 2);
  assert_string_equal(f->r[0].label, "N");
  assert_string_equal(f->r[1].label, "V");
  assert_int_equal(f->r[0].length, 2);
  assert_int_equal(f->r[1].length, 2);
}

/* ---- tables -------------------------------------------------------------------------- */
static void test_tables(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {.type = INGEST_FLOAT32, .rate_hz = 1};
  /* Zones, backwards. */
  assert_true(take(
      f,
      put_text(
          f, "a.csv",
          "when,v\n2020-01-01T12:00:02Z,3\n2020-01-01T13:00:01+01:00,2\n2020-01-01 12:00:00,1\n"),
      &o));
  assert_true(f->r->length == 3 && floats(f, 0)[0] == 1 && floats(f, 0)[2] == 3);
  /* Microseconds by a micro sign, spaces, a preamble. */
  o.rate_hz = 1000;
  assert_true(take(
      f, put_text(f, "b.csv", "logger: 7\n\nt(\xc2\xb5s);x\n0;1,5\n1000;2,5\n2000;3,5\n"), &o));
  assert_true(f->r->length == 3 && floats(f, 0)[1] == 2.5f &&
              fabs(f->r->source_rate_hz - 1000) < 1e-6);
  /* Labels, groups, semicolons at the ends of lines, nanoseconds. */
  o = (struct ingest_options){.type = INGEST_FLOAT32,
                              .rate_hz = 20,
                              .label_column = "2",
                              .group_column = "1",
                              .time_column = "3",
                              .time_unit_s = 1e-9,
                              .columns = "4-5"};
  assert_true(
      take(f,
           put_text(f, "c.txt",
                    "7,A,0,1,2;\n7,A,50000000,3,4;\n7,B,100000000,5,6;\n7,B,150000000,7,8;\n"),
           &o));
  assert_int_equal(f->n, 2);
  assert_string_equal(f->r[1].label, "B");
  assert_string_equal(f->r[1].group, "7");
  assert_true(f->r[1].length == 2 && floats(f, 1)[3] == 8);
  /* Rows. */
  o = (struct ingest_options){
      .type = INGEST_FLOAT32, .rate_hz = 1, .each_row = true, .label_column = "3", .channels = 1};
  assert_true(take(f, put_text(f, "d.csv", "1,2,rose\n3,4,lily\n"), &o));
  assert_true(f->n == 2 && f->r[1].length == 2 && f->r[1].channels == 1 && f->r[1].independent);
  o.channels = 2;
  assert_true(take(f, put_text(f, "d.csv", "1,2,rose\n3,4,lily\n"), &o));
  assert_true(f->r[1].length == 1 && f->r[1].channels == 2 && floats(f, 1)[1] == 4);
  /* Bad rows. */
  o = (struct ingest_options){.type = INGEST_FLOAT32, .rate_hz = 1};
  const char *bad = put_text(f, "e.csv", "t,x\n0,1\n1,\n2,3\n");
  assert_false(take(f, bad, &o));
  assert_string_equal(f->e.node, "line 3");
  o.skip_bad_rows = true;
  assert_true(take(f, bad, &o));
  assert_true(f->r->length == 3 && floats(f, 0)[1] == 2);
  assert_false(take(f, put_file(f, "f.csv", BYTES("\xff\xfet\0,\0x\0\n\0")), &o));
  assert_non_null(strstr(f->e.text, "UTF-16"));
}

static void test_raw(void **state) {
  struct fixture *f = *state;
  struct ingest_options o = {
      .type = INGEST_FLOAT32, .rate_hz = 10, .channels = 2, .raw = "int16:be"};
  assert_true(take(f, put_file(f, "a.bin", BYTES("\x00\x01\xff\xff\x01\x00\x00\x02")), &o));
  assert_true(f->r->length == 2 && floats(f, 0)[0] == 1 && floats(f, 0)[1] == -1 &&
              floats(f, 0)[2] == 256);
  assert_false(take(f, put_file(f, "b.bin", BYTES("\x00\x01\xff")), &o));
  o.raw = "int17";
  assert_false(take(f, put_file(f, "a.bin", BYTES("\x00\x01\xff\xff")), &o));
}

/* ---- indexes -------------------------------------------------------------------------- */
static void test_index(void **state) {
  struct fixture *f = *state;
  struct ingest_index *x = NULL;
  char **files;
  const char *path = put_text(
      f, "i.csv",
      "path,label,speaker,split,room\nsub/a.wav,yes,anna,train,3\n\"b.wav\",no,\"b, jr\",test,\n");
  assert_true(ingest_index_read(f->a, path, NULL, &x, &f->e));
  const struct ingest_entry *e =
      ingest_index_find(x, arena_printf(f->a, "%s/./sub//a.wav", f->dir));
  assert_non_null(e);
  assert_string_equal(e->label, "yes");
  assert_string_equal(e->group, "anna");
  assert_string_equal(e->metadata[0].key, "room");
  e = ingest_index_find(x, "elsewhere/b.wav");
  assert_string_equal(e->group, "b, jr");
  assert_null(ingest_index_find(x, "elsewhere/c.wav"));
  path = put_text(f, "info.labels",
                  "{\"version\":1,\"files\":[{\"path\":\"t/"
                  "c.json\",\"category\":\"testing\",\"label\":{\"type\":\"multi-label\","
                  "\"labels\":[{\"label\":\"idle\",\"startIndex\":0,\"endIndex\":5}]}}]}");
  assert_true(ingest_index_read(f->a, path, NULL, &x, &f->e));
  assert_int_equal(ingest_index_files(x, f->a, &files), 3);
  e = ingest_index_find(x, files[2]);
  assert_string_equal(e->split, "testing");
  assert_true(e->n_spans == 1 && e->spans[0].end == 6);
  x = NULL;
  assert_false(ingest_index_read(f->a, put_text(f, "j.csv", "a,b\n1,2\n"), NULL, &x, &f->e));
  assert_non_null(strstr(f->e.text, "--index-columns"));
  x = NULL;
  assert_true(
      ingest_index_read(f->a, put_text(f, "k.csv", "1.wav,12,7\n"), "path,-,label", &x, &f->e));
  assert_string_equal(ingest_index_find(x, "1.wav")->label, "7");
}

/* ---- what cannot be read says what to do --------------------------------------------------- */
static void test_refusals(void **state) {
  struct fixture *f = *state;
  const struct ingest_options o = {.type = INGEST_FLOAT32};
  static const struct {
    const char *name, *bytes, *words;
    size_t n;
  } files[] = {{"a.parquet", "PAR1....", "to_csv", 8},
               {"a.zip", "PK\x03\x04....", "unpack", 8},
               {"a.avi", "RIFF....AVI LIST", "ffmpeg", 16},
               {"a.h5", "\x89HDF\r\n\x1a\n", "HDF5", 8},
               {"a.bin", "\x01\x02\x03\x04", "--raw", 4}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    assert_false(take(f, put_file(f, files[i].name, files[i].bytes, files[i].n), &o));
    assert_non_null(strstr(f->e.text, files[i].words));
    assert_non_null(strstr(f->e.file, files[i].name));
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_depths),
                                     TEST(test_stream_is_one_shot),
                                     TEST(test_signature),
                                     TEST(test_cbor),
                                     TEST(test_structured_labels),
                                     TEST(test_pictures),
                                     TEST(test_boxes),
                                     TEST(test_arrays),
                                     TEST(test_idx),
                                     TEST(test_wfdb),
                                     TEST(test_tables),
                                     TEST(test_raw),
                                     TEST(test_index),
                                     TEST(test_refusals)};
  return cmocka_run_group_tests_name("ingest formats", tests, NULL, NULL);
}
