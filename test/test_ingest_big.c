/* Recordings of any length in little memory: 1 GB of sound and 60 MB of a table go through while the process stays below
 * 100 MB. check: host only (a sanitizer's memory is not the reader's). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST_KIB 100000

static long peak_kib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/* Reads everything; returns frames, and how many pieces they came in. */
static int64_t read_all(const char *path, const struct ingest_options *o, int *pieces) {
  struct ingest_reader *reader;
  struct ingest_recording r;
  struct err e = {0};
  bool there = true;
  int64_t frames = 0;
  *pieces = 0;
  if (!ingest_open(path, o, &reader, &e)) fail_msg("%s", e.text);
  while (ingest_next(reader, &r, &there, &e) && there) {
    assert_true(r.start == frames && r.piece == (frames > 0));
    assert_true((size_t)r.length * (size_t)r.channels * ingest_type_bytes(r.type) <=
                INGEST_PIECE_BYTES);
    frames += r.length;
    ++*pieces;
  }
  if (e.text[0]) fail_msg("%s", e.text);
  ingest_close(reader);
  return frames;
}

/* 1 GB that take no room on the disk: silence is a hole in the file. */
static void test_sound(void **state) {
  char path[] = "/tmp/mote-big-XXXXXX.wav";
  uint8_t header[44] =
      "RIFF....WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0data....";
  const uint32_t bytes = 1000000000, rest = bytes + 36;
  const struct ingest_options o = {.type = INGEST_INT16, .rate_hz = 16000, .channels = 1};
  int pieces;
  (void)state;
  memcpy(header + 4, &rest, 4);
  memcpy(header + 40, &bytes, 4);
  const int file = mkstemps(path, 4);
  assert_true(file >= 0 && write(file, header, 44) == 44 &&
              ftruncate(file, 44 + (off_t)bytes) == 0);
  close(file);
  const int64_t frames = read_all(path, &o, &pieces);
  unlink(path);
  assert_true(frames >= 90702947 && frames <= 90702949); /* 250,000,000 * 16000 / 44100 */
  assert_int_equal(pieces, 11);
  print_message("1 GB of sound: %ld KiB at most\n", peak_kib());
  assert_true(peak_kib() < MOST_KIB);
}

static void test_table(void **state) {
  char path[] = "/tmp/mote-big-XXXXXX.csv";
  const struct ingest_options o = {.type = INGEST_FLOAT32, .rate_hz = 100};
  const int64_t rows = 2000000;
  int pieces;
  (void)state;
  FILE *f = fdopen(mkstemps(path, 4), "w");
  assert_non_null(f);
  fputs("time_ms,x,y,z\n", f);
  for (int64_t i = 0; i < rows; i++)
    fprintf(f, "%lld,%lld.5,-2.25,9.81\n", (long long)i * 10, (long long)i % 1000);
  assert_int_equal(fclose(f), 0);
  const int64_t frames = read_all(path, &o, &pieces);
  unlink(path);
  assert_int_equal(frames, rows);
  assert_int_equal(pieces, 2);
  print_message("2,000,000 rows: %ld KiB at most\n", peak_kib());
  assert_true(peak_kib() < MOST_KIB);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_sound)};
  return cmocka_run_group_tests_name("long recordings", tests, NULL, NULL);
}
