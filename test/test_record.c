/* Recording: the rate out of when lines came, lines in any pieces, and each source with a partner that sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/record/record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- rate -------------------------------------------------------------------------------- */
/* How lines travel: each is sent at i / hz and read at the end of its burst, later by a random delay. */
struct travel {
  double hz, seconds;
  double burst_s; /* the sender or the port hands lines over so often; 0: each on its own */
  double delay_s; /* of a read, on average, exponential */
  double stall_at_s, stall_s; /* the reader sleeps, then gets all at once */
  double gap_at_s, gap_s;     /* the sender says nothing, and those lines never come */
};

static struct record_rate_result travel(const struct travel *v, uint64_t seed, bool *ok) {
  static struct record_rate r;
  struct rng rng;
  struct record_rate_result out;
  double last_read = 0;
  int64_t count = 0;
  rng_seed(&rng, seed);
  record_rate_begin(&r);
  for (int64_t i = 0; i < (int64_t)(v->hz * v->seconds); i++) {
    const double sent = (double)i / v->hz;
    if (v->gap_s > 0 && sent >= v->gap_at_s && sent < v->gap_at_s + v->gap_s) continue;
    double read = sent;
    if (v->burst_s > 0) read = ceil(read / v->burst_s) * v->burst_s;
    read -= v->delay_s * log(1 - (double)rng_unit(&rng));
    if (v->stall_s > 0 && read >= v->stall_at_s && read < v->stall_at_s + v->stall_s)
      read = v->stall_at_s + v->stall_s;
    if (read < last_read) read = last_read;
    if (read > last_read && count > 0) record_rate_add(&r, 100 + last_read, count);
    last_read = read;
    count++;
  }
  record_rate_add(&r, 100 + last_read, count);
  *ok = record_rate_measure(&r, &out);
  return out;
}

static void measures(const char *name, struct travel v, double tolerance) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    bool ok = false;
    const struct record_rate_result m = travel(&v, seed, &ok);
    const double off = fabs(m.hz - v.hz) / v.hz;
    if (!ok || off > tolerance)
      fail_msg("%s, seed %d: %g Hz measured as %g (off by %.4f %%)", name, (int)seed, v.hz, m.hz,
               100 * off);
    if (m.gaps != (v.gap_s > 0)) fail_msg("%s: %d gaps", name, m.gaps);
    if (v.gap_s > 0) assert_true(fabs(m.missing_s - v.gap_s) < 0.15);
  }
}

static void test_rate(void **state) {
  (void)state;
  measures("steady", (struct travel){.hz = 62.5, .seconds = 10}, 1e-6);
  measures("late reads", (struct travel){.hz = 100, .seconds = 20, .delay_s = 0.004}, 1e-3);
  measures("a burst each 16 ms",
           (struct travel){.hz = 999.3, .seconds = 10, .burst_s = 0.016, .delay_s = 0.001}, 1e-3);
  measures("a burst each second",
           (struct travel){.hz = 104, .seconds = 30, .burst_s = 1, .delay_s = 0.002}, 2e-3);
  measures(
      "a stall",
      (struct travel){.hz = 200, .seconds = 20, .delay_s = 0.002, .stall_at_s = 7, .stall_s = 1.5},
      2e-3);
  measures("slow and long", (struct travel){.hz = 10, .seconds = 600, .delay_s = 0.02}, 5e-4);
  measures("fast and long",
           (struct travel){.hz = 3200, .seconds = 120, .burst_s = 0.004, .delay_s = 0.001}, 1e-4);
  measures("a gap",
           (struct travel){.hz = 100, .seconds = 20, .delay_s = 0.002, .gap_at_s = 9, .gap_s = 2},
           5e-3);
  measures("short", (struct travel){.hz = 50, .seconds = 1.5, .delay_s = 0.003}, 2e-2);
  bool ok = true;
  (void)travel(&(struct travel){.hz = 100, .seconds = 0.2}, 1, &ok);
  assert_false(ok);
  (void)travel(&(struct travel){.hz = 100, .seconds = 5, .burst_s = 5}, 1, &ok);
  assert_false(ok); /* all at once says nothing */
}

/* ---- lines --------------------------------------------------------------------------------- */
struct kept {
  float values[64][4];
  int n, channels;
};
static void keep(void *context, const float *frame) {
  struct kept *k = context;
  assert_true(k->n < 64);
  memcpy(k->values[k->n++], frame, (size_t)k->channels * sizeof *frame);
}

static void test_lines(void **state) {
  (void)state;
  static const char text[] =
      "1,2,3\n4\t5\t6\r\n 7 8  9 \n1, -2.5 ,3e2\n;1,2,3\nx,y,z\n1,2\n\n1,,2\n1,2,3,4\n"
      "nan,1,2\n1 2 3abc\n0x10,2,3\n1;2;3\n10,20,30";
  /* Whatever the pieces, the same frames. */
  for (size_t piece = 1; piece <= sizeof text; piece++) {
    struct kept k = {.channels = 3};
    struct record_lines l = {.channels = 3};
    for (size_t at = 0; at < sizeof text - 1; at += piece) {
      const size_t left = sizeof text - 1 - at;
      record_lines_add(&l, text + at, left < piece ? left : piece, keep, &k);
    }
    record_lines_end(&l, keep, &k);
    assert_int_equal(k.n, 7);
    assert_int_equal(l.good, 7);
    assert_int_equal(l.wrong_count, 2);
    assert_int_equal(l.most_wrong, 4);
    assert_int_equal(l.broken, 5);
    assert_true(k.values[3][1] == -2.5f && k.values[3][2] == 300.0f && k.values[4][0] == 16.0f);
    assert_true(k.values[6][2] == 30.0f);
  }
  struct kept k = {.channels = 2};
  struct record_lines l = {.channels = 2, .n_columns = 2, .columns = {3, 0}, .drop_first = true};
  record_lines_add(&l, "9,9\n1,2,3,4\n5,6,7\n", 18, keep, &k);
  assert_int_equal(k.n,
                   1); /* the first line may be half of one, and the last has no fourth number */
  assert_true(k.values[0][0] == 4 && k.values[0][1] == 1);
  assert_int_equal(l.wrong_count, 1);
  char *big = malloc(100000);
  memset(big, '1', 100000);
  big[99999] = '\n';
  struct record_lines long_one = {.channels = 1};
  k = (struct kept){.channels = 1};
  record_lines_add(&long_one, big, 100000, keep, &k);
  record_lines_add(&long_one, "1\0002\n3\n", 6, keep, &k);
  assert_int_equal(long_one.broken, 2);
  assert_int_equal(k.n, 1);
  free(big);
}

/* Random bytes, half of them of the letters that lines are made of: never a crash, and every frame finite. */
static void check_finite(void *context, const float *frame) {
  ++*(int *)context;
  assert_true(isfinite(frame[0]) && isfinite(frame[1]));
}
static void test_hostile_lines(void **state) {
  (void)state;
  static const char letters[] = "0123456789.,; \t\n\r-+eEnaifxp";
  struct rng rng;
  int n = 0;
  rng_seed(&rng, 3);
  struct record_lines l = {.channels = 2};
  for (int i = 0; i < 400000; i++) {
    const char byte =
        rng_below(&rng, 50) ? letters[rng_below(&rng, sizeof letters - 1)] : (char)rng_u32(&rng);
    record_lines_add(&l, &byte, 1, check_finite, &n);
  }
  assert_true(n > 100 && l.broken > 1000);
}

/* ---- sources ---------------------------------------------------------------------------------- */
static void sleep_until(double t) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const double left = t - ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
  if (left > 0) usleep((useconds_t)(left * 1e6));
}

struct sender {
  int fd, lines, every; /* every: lines that go out together */
  double hz;
  const char *junk; /* sent once in the middle */
  bool close_at_end;
  struct sockaddr_in to; /* UDP */
  volatile int *stop;
};

static void *send_lines(void *context) {
  struct sender *s = context;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const double start = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  char text[4096];
  for (int i = 0; i < s->lines; i += s->every) {
    size_t n = 0;
    for (int k = i; k < i + s->every && k < s->lines; k++)
      n += (size_t)snprintf(text + n, sizeof text - n, "%d,%g,%d\r\n", k, sin(k * 0.1), -k);
    if (s->junk && i >= s->lines / 2) {
      n += (size_t)snprintf(text + n, sizeof text - n, "%s", s->junk);
      s->junk = NULL;
    }
    sleep_until(start + (i + s->every) / s->hz);
    const ssize_t sent = s->to.sin_port
                             ? sendto(s->fd, text, n, 0, (struct sockaddr *)&s->to, sizeof s->to)
                             : write(s->fd, text, n);
    if (sent != (ssize_t)n) break;
  }
  if (s->close_at_end) close(s->fd);
  if (s->stop) {
    usleep(100000);
    *s->stop = 1;
  }
  return NULL;
}

static int open_pty(char *name, size_t size) {
  const int fd = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
  assert_int_equal(ptsname_r(fd, name, size), 0);
  return fd;
}

/* Frames are consecutive (the first number counts), all three columns belong together. */
static void check_frames(const struct record_result *r, int least) {
  const float *v = r->data;
  assert_true(r->length >= least);
  for (int64_t i = 0; i < r->length; i++) {
    assert_true(v[3 * i] == v[0] + (float)i);
    assert_true(v[3 * i + 2] == -v[3 * i]);
  }
}

static void *start_serial(void *context) {
  usleep(150000); /* until the port is open and flushed */
  return send_lines(context);
}

static void test_serial(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct record_result r;
  char name[128];
  pthread_t thread;
  volatile int stop = 0;
  const int fd = open_pty(name, sizeof name);
  struct sender s = {
      .fd = fd, .lines = 400, .every = 8, .hz = 200, .junk = "1,2\nhello\n", .stop = &stop};
  pthread_create(&thread, NULL, start_serial, &s);
  const struct record_request q = {.kind = RECORD_SERIAL,
                                   .port = name,
                                   .baud = 115200,
                                   .channels = 3,
                                   .wait_s = 5,
                                   .stop = &stop};
  if (!record_run(a, &q, &r, &e)) fail_msg("%s", e.text);
  pthread_join(thread, NULL);
  check_frames(&r, 399); /* the first line is left out: it may have been half of one */
  assert_int_equal(r.ended, RECORD_END_STOP);
  assert_int_equal(r.wrong_count, 1);
  assert_int_equal(r.broken, 1);
  assert_true(r.measured);
  if (fabs(r.rate.hz - 200) > 4) fail_msg("200 Hz measured as %g", r.rate.hz);
  close(fd);
  arena_free(a);
}

/* A plug that is pulled ends the recording; what came is kept. */
static void test_serial_pulled(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct record_result r;
  char name[128];
  pthread_t thread;
  const int fd = open_pty(name, sizeof name);
  struct sender s = {.fd = fd, .lines = 50, .every = 5, .hz = 500, .close_at_end = true};
  pthread_create(&thread, NULL, start_serial, &s);
  const struct record_request q = {
      .kind = RECORD_SERIAL, .port = name, .baud = 9600, .channels = 3, .wait_s = 5};
  if (!record_run(a, &q, &r, &e)) fail_msg("%s", e.text);
  pthread_join(thread, NULL);
  assert_int_equal(r.ended, RECORD_END_INPUT);
  check_frames(&r, 40); /* a pty may drop what was not read when its master closes */
  arena_free(a);
}

static void test_refusals(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct record_result r;
  struct record_request q = {.kind = RECORD_SERIAL,
                             .port = "/dev/ttyNOWHERE",
                             .baud = 115200,
                             .channels = 1,
                             .wait_s = 0.2};
  assert_false(record_run(a, &q, &r, &e));
  assert_non_null(strstr(e.text, "plugged in"));
  q.port = "/dev/null";
  e = (struct err){0};
  assert_false(record_run(a, &q, &r, &e));
  assert_non_null(strstr(e.text, "no serial port"));
  q.baud = 12345;
  e = (struct err){0};
  assert_false(record_run(a, &q, &r, &e));
  assert_non_null(strstr(e.text, "12345 baud"));
  char name[128];
  const int fd = open_pty(name, sizeof name);
  q.port = name, q.baud = 9600;
  e = (struct err){0};
  assert_false(record_run(a, &q, &r, &e)); /* a board that is silent */
  assert_non_null(strstr(e.text, "nothing came"));
  close(fd);
  q = (struct record_request){
      .kind = RECORD_MICROPHONE, .port = "nowhere", .channels = 1, .int16 = true, .rate_hz = 16000};
  e = (struct err){0};
  assert_false(record_run(a, &q, &r, &e));
  assert_non_null(strstr(e.text, "no microphone"));
  arena_free(a);
}

static int udp_port;
static void on_open(void *context, const char *what, int port) {
  (void)what;
  udp_port = port;
  struct sender *s = context;
  s->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  s->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  pthread_t thread;
  pthread_create(&thread, NULL, send_lines, s);
  pthread_detach(thread);
}

static int meters;
static void on_meter(void *context, const struct record_meter *m) {
  (void)context;
  meters++;
  assert_true(m->waiting || m->channels == 3);
}

static void test_udp(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct record_result r;
  static struct sender s = {.lines = 300, .every = 1, .hz = 150};
  s.fd = socket(AF_INET, SOCK_DGRAM, 0);
  meters = 0;
  struct record_request q = {.kind = RECORD_UDP,
                             .channels = 3,
                             .seconds = 1.5,
                             .wait_s = 5,
                             .opened = on_open,
                             .meter = on_meter,
                             .context = &s};
  if (!record_run(a, &q, &r, &e)) fail_msg("%s", e.text);
  check_frames(&r, 180);
  assert_int_equal(r.ended, RECORD_END_LENGTH);
  assert_true(r.measured && fabs(r.rate.hz - 150) < 6);
  assert_true(meters > 5);
  struct record_request same = q;
  same.udp_port = udp_port;
  const int holder = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in here = s.to;
  if (bind(holder, (struct sockaddr *)&here, sizeof here) == 0) {
    assert_false(record_run(a, &same, &r, &e));
    assert_non_null(strstr(e.text, "another program does"));
  }
  close(holder);
  sleep(1); /* the sender may still be at work */
  close(s.fd);
  arena_free(a);
}

/* Standard input: lines, the last without its end; and raw int16 in odd pieces. */
static void test_input(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct record_result r;
  int ends[2];
  const int keep_fd = dup(STDIN_FILENO);
  assert_int_equal(pipe(ends), 0);
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  assert_int_equal(write(ends[1], "0,1,0\n1,1,-1\n2,1,-2", 19), 19);
  close(ends[1]);
  struct record_request q = {.kind = RECORD_INPUT, .channels = 3};
  if (!record_run(a, &q, &r, &e)) fail_msg("%s", e.text);
  check_frames(&r, 3);
  assert_int_equal(r.length, 3);
  assert_false(r.measured);
  assert_int_equal(pipe(ends), 0);
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  for (int i = 0; i < 7; i++) assert_int_equal(write(ends[1], "\x01\x80\xff\x7f" + i % 4, 1), 1);
  close(ends[1]);
  q = (struct record_request){
      .kind = RECORD_INPUT, .channels = 1, .int16 = true, .raw = true, .rate_hz = 8000};
  if (!record_run(a, &q, &r, &e)) fail_msg("%s", e.text);
  assert_int_equal(r.length, 3);
  assert_int_equal(((const int16_t *)r.data)[0], -32767);
  assert_int_equal(((const int16_t *)r.data)[1], 32767);
  dup2(keep_fd, STDIN_FILENO);
  close(keep_fd);
  arena_free(a);
}

/* ALSA itself, with a device of its own kind that reads a file. */
static void test_microphone(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct err e = {0};
  struct record_result r;
  char *dir;
  int16_t sound[8000];
  assert_true(dir_temporary(a, &dir, &e));
  for (int i = 0; i < 8000; i++) sound[i] = (int16_t)(8000 * sin(i * 0.05));
  const char *file = arena_printf(a, "%s/in.raw", dir),
             *config = arena_printf(a, "%s/asound.conf", dir);
  assert_true(file_write(file, sound, sizeof sound, &e));
  const char *text =
      arena_printf(a,
                   "pcm.tape { type file slave.pcm null file /dev/null infile \"%s\" format raw }\n"
                   "pcm.null { type null }\n",
                   file);
  assert_true(file_write(config, text, strlen(text), &e));
  setenv("ALSA_CONFIG_PATH", config, 1);
  const struct record_request q = {.kind = RECORD_MICROPHONE,
                                   .port = "tape",
                                   .channels = 1,
                                   .int16 = true,
                                   .rate_hz = 8000,
                                   .seconds = 0.5};
  if (!record_run(a, &q, &r, &e)) fail_msg("%s", e.text);
  assert_int_equal(r.length, 4000);
  assert_memory_equal(r.data, sound, 8000);
  unsetenv("ALSA_CONFIG_PATH");
  dir_remove(dir);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rate),          cmocka_unit_test(test_lines),
      cmocka_unit_test(test_hostile_lines), cmocka_unit_test(test_serial),
      cmocka_unit_test(test_serial_pulled), cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_udp),           cmocka_unit_test(test_input),
      cmocka_unit_test(test_microphone),
  };
  return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
