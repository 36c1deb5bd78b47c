/* One recording: bytes or frames into the buffer until it is over, then what it came to. */
#include "host/record/private.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define METER_S 0.1

double record_now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t frame_bytes(const struct recorder *r) {
  return (size_t)r->q->channels * (r->q->int16 ? sizeof(int16_t) : sizeof(float));
}

/* ---- frames -------------------------------------------------------------------------- */
/* Room for one more frame; NULL: full. */
static void *next_frame(struct recorder *r) {
  const size_t each = frame_bytes(r);
  if (r->length == r->most) {
    r->full = true;
    return NULL;
  }
  if ((size_t)(r->length + 1) * each > r->room) {
    size_t room = r->room ? 2 * r->room : 65536;
    if (room < each) room = each;
    uint8_t *data = realloc(r->data, room);
    if (!data) {
      r->full = true;
      return NULL;
    }
    r->data = data;
    r->room = room;
  }
  return r->data + (size_t)r->length++ * each;
}

static void note_level(struct recorder *r, const float *frame) {
  struct record_meter *m = &r->meter;
  for (int k = 0; k < r->q->channels; k++) {
    if (r->squares == 0 || frame[k] < m->least[k]) m->least[k] = frame[k];
    if (r->squares == 0 || frame[k] > m->most[k]) m->most[k] = frame[k];
  }
  r->square += (double)frame[0] * (double)frame[0];
  r->squares++;
}

static int16_t limit(struct recorder *r, float value) {
  const float rounded = nearbyintf(value);
  r->out->limited += rounded > 32767 || rounded < -32768;
  return (int16_t)(rounded > 32767 ? 32767 : rounded < -32768 ? -32768 : rounded);
}

void record_add_floats(void *recorder, const float *frame) {
  struct recorder *r = recorder;
  void *to = next_frame(r);
  if (!to) return;
  if (r->q->int16)
    for (int k = 0; k < r->q->channels; k++) ((int16_t *)to)[k] = limit(r, frame[k]);
  else
    memcpy(to, frame, frame_bytes(r));
  note_level(r, frame);
}

void record_add_int16(struct recorder *r, const int16_t *frames, int64_t n) {
  float frame[RECORD_MAX_CHANNELS];
  const int channels = r->q->channels;
  for (int64_t i = 0; i < n; i++) {
    for (int k = 0; k < channels; k++) frame[k] = frames[i * channels + k];
    record_add_floats(r, frame);
  }
  const double now_s = record_now_s();
  if (n > 0 && r->start_s == 0) r->start_s = now_s;
  if (n > 0) r->last_s = now_s;
}

/* ---- the watch ------------------------------------------------------------------------ */
void record_tell(struct recorder *r, double now_s) {
  struct record_meter *m = &r->meter;
  record_spool_write(r, now_s);
  if (!r->q->meter || now_s - r->metered_s < METER_S) return;
  struct record_rate_result rate;
  m->waiting = r->length == 0;
  m->frames = r->length;
  m->channels = r->q->channels;
  m->bad_lines = r->lines.broken + r->lines.wrong_count;
  m->hz = r->q->rate_hz > 0 ? r->q->rate_hz : record_rate_measure(&r->rate, &rate) ? rate.hz : 0;
  m->seconds = r->q->rate_hz > 0 ? (double)r->length / r->q->rate_hz
               : r->start_s > 0  ? now_s - r->start_s
                                 : 0;
  const double full = r->q->int16 ? 32768.0 : 1.0;
  m->rms = r->squares ? sqrt(r->square / (double)r->squares) / full : 0;
  r->q->meter(r->q->context, m);
  r->metered_s = now_s;
  r->square = 0;
  r->squares = 0;
}

bool record_is_over(struct recorder *r, double now_s) {
  const struct record_request *q = r->q;
  if (r->full) return r->out->ended = RECORD_END_FULL, true;
  if (q->stop && *q->stop) return r->out->ended = RECORD_END_STOP, true;
  if (!(q->seconds > 0)) return false;
  const bool enough = q->rate_hz > 0 ? (double)r->length >= q->seconds * q->rate_hz
                                     : r->start_s > 0 && now_s - r->start_s >= q->seconds;
  return enough && (r->out->ended = RECORD_END_LENGTH, true);
}

/* ---- bytes ---------------------------------------------------------------------------- */
/* Raw int16: an odd byte waits for its other half, a piece of a frame for the rest. */
struct raw {
  uint8_t bytes[2 * RECORD_MAX_CHANNELS];
  size_t used;
};

static void add_raw(struct recorder *r, struct raw *raw, const uint8_t *bytes, size_t n) {
  const size_t each = 2 * (size_t)r->q->channels;
  int16_t frame[RECORD_MAX_CHANNELS];
  for (size_t i = 0; i < n; i++) {
    raw->bytes[raw->used++] = bytes[i];
    if (raw->used < each) continue;
    for (int k = 0; k < r->q->channels; k++)
      frame[k] = (int16_t)(raw->bytes[2 * k] | raw->bytes[2 * k + 1] << 8);
    record_add_int16(r, frame, 1);
    raw->used = 0;
  }
}

/* One read of bytes. false: they are at their end. */
static bool take_bytes(struct recorder *r, int fd, struct raw *raw) {
  static _Thread_local char bytes[65536];
  const ssize_t n = read(fd, bytes, sizeof bytes);
  const double now_s = record_now_s();
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return r->q->kind == RECORD_UDP; /* an empty datagram is no end */
  if (r->q->raw) {
    add_raw(r, raw, (const uint8_t *)bytes, (size_t)n);
    return true;
  }
  const int64_t before = r->lines.good;
  record_lines_add(&r->lines, bytes, (size_t)n, record_add_floats, r);
  if (r->q->kind == RECORD_UDP) record_lines_end(&r->lines, record_add_floats, r);
  if (r->lines.good == before) return true;
  if (r->start_s == 0) r->start_s = now_s;
  r->last_s = now_s;
  record_rate_add(&r->rate, now_s, r->lines.good);
  return true;
}

static bool nothing_came(struct recorder *r, double waited_s, struct err *e) {
  static const char *const help[] = {[RECORD_SERIAL] = "is the board sending, and at this --baud?",
                                     [RECORD_UDP] = "does the sender use this port of 127.0.0.1?",
                                     [RECORD_INPUT] = "the other program wrote nothing",
                                     [RECORD_MICROPHONE] = "another device may do: --device"};
  if (r->lines.wrong_count || r->lines.broken) return true; /* told by finish */
  return err_set(e, "nothing came in %.0f s; %s", waited_s, help[r->q->kind]);
}

static bool record_bytes(struct recorder *r, int fd, struct err *e) {
  struct raw raw = {.used = 0};
  const double opened_s = record_now_s();
  r->out->ended = RECORD_END_INPUT;
  for (;;) {
    double now_s = record_now_s();
    if (record_is_over(r, now_s)) break;
    if (r->length == 0 && r->q->wait_s > 0 && now_s - opened_s > r->q->wait_s)
      return nothing_came(r, r->q->wait_s, e);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    const int ready = poll(&p, 1, 50);
    if (ready < 0 && errno != EINTR) break;
    if (ready > 0 && !take_bytes(r, fd, &raw)) break;
    record_tell(r, record_now_s());
  }
  /* A line without its end counts at the end of input alone: elsewhere it was cut. */
  if (!r->q->raw && r->out->ended == RECORD_END_INPUT && r->q->kind == RECORD_INPUT)
    record_lines_end(&r->lines, record_add_floats, r);
  return true;
}

/* ---- the whole -------------------------------------------------------------------------- */
static bool open_and_record(struct recorder *r, struct err *e) {
  const struct record_request *q = r->q;
  int fd = STDIN_FILENO, bound = 0;
  if (q->kind == RECORD_MICROPHONE) return record_sound(r, e);
  if (q->kind == RECORD_SERIAL) fd = record_open_serial(q->port, q->baud, e);
  if (q->kind == RECORD_UDP) fd = record_open_udp(q->udp_port, &bound, e);
  if (fd < 0) return false;
  if (q->opened) q->opened(q->context, q->port ? q->port : "", bound);
  const bool ok = record_bytes(r, fd, e);
  if (fd != STDIN_FILENO) close(fd);
  return ok;
}

static bool finish(struct recorder *r, struct err *e) {
  struct record_result *out = r->out;
  const struct record_lines *l = &r->lines;
  out->broken = l->broken;
  out->wrong_count = l->wrong_count;
  out->most_wrong = l->most_wrong;
  /* A length that was asked for is exact where the rate is known: a burst may have brought more. */
  if (out->ended == RECORD_END_LENGTH && r->q->rate_hz > 0) {
    const int64_t wanted = llround(r->q->seconds * r->q->rate_hz);
    if (r->length > wanted && wanted > 0) r->length = wanted;
  }
  out->length = r->length;
  out->seconds = r->last_s - r->start_s;
  out->measured =
      !r->q->raw && r->q->kind != RECORD_MICROPHONE && record_rate_measure(&r->rate, &out->rate);
  if (r->length == 0 && l->wrong_count)
    return err_set(
        e,
        "no line had %d numbers: %lld had another number of them, the last %d; --columns picks "
        "which, and sensor.channels in mote.yaml says how many",
        l->channels, (long long)l->wrong_count, l->most_wrong);
  if (r->length == 0 && l->broken)
    return err_set(e, "%lld lines came, and none was numbers with commas, tabs or spaces between",
                   (long long)l->broken);
  if (r->length == 0) return err_set(e, "nothing was recorded");
  const size_t bytes = (size_t)r->length * frame_bytes(r);
  if (bytes + 64 > arena_left(r->arena))
    return err_set(e, "%zu bytes do not fit into memory", bytes);
  void *data = arena_alloc(r->arena, bytes, 1);
  memcpy(data, r->data, bytes);
  out->data = data;
  return true;
}

bool record_run(struct arena *a, const struct record_request *q, struct record_result *result,
                struct err *e) {
  memset(result, 0, sizeof *result);
  result->spool_lock = -1;
  if (q->channels < 1 || q->channels > RECORD_MAX_CHANNELS)
    return err_set(e, "%d channels: 1 to %d can be recorded", q->channels, RECORD_MAX_CHANNELS);
  if ((q->raw || q->kind == RECORD_MICROPHONE) && (!(q->rate_hz > 0) || !q->int16))
    return err_set(e, "raw sound is int16 at a rate that is known");
  struct recorder *r = ARENA_NEW(a, struct recorder);
  r->q = q;
  r->out = result;
  r->arena = a;
  r->most = (int64_t)(RECORD_MAX_BYTES / frame_bytes(r));
  r->lines.channels = q->channels;
  r->lines.drop_first = q->kind == RECORD_SERIAL;
  for (int k = 0; q->columns && k < q->channels; k++) r->lines.columns[k] = q->columns[k];
  r->lines.n_columns = q->columns ? q->channels : 0;
  record_rate_begin(&r->rate);
  if (!record_spool_begin(r, e)) return false;
  const bool recorded = open_and_record(r, e), ok = recorded && finish(r, e);
  record_spool_end(r);
  if (r->length == 0 && q->spool) unlink(q->spool);
  free(r->data);
  return ok;
}
