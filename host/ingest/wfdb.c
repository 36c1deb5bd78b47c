/* WFDB records, as PhysioNet publishes them: a header .hea, its signals .dat, and beats .atr.
 *
 * Signal formats 16, 24, 32, 61, 80 and 212; all signals of a record lie in one file. Numbers are physical units
 * ((value - baseline) / gain). With an .atr file beside it every beat is a labelled stretch with the beat in its middle,
 * as far as half way to the nearer of the beats about it, at most MAX_HALF_S on each side; the label is the beat's letter (N normal, V premature ventricular ...), P for paced.
 *
 * source: signal(5), header(5) and annot(5) of the WFDB applications guide. */
#include "host/ingest/bytes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SIGNALS 64
#define MAX_BEATS   5000000
#define MAX_HALF_S  1.0

struct signal {
  char file[256];
  int format;
  double gain;
  int baseline, init, checksum;
  bool has_checksum;
  char units[32], name[64];
  int64_t sum;
  int before;
};

struct wfdb {
  struct signal signals[MAX_SIGNALS];
  int n_signals;
  double rate_hz;
  int64_t length; /* of the header; 0: not told */
  int64_t frames;
  struct bytes data;
  int carried[1], n_carried; /* the second sample of the last three bytes */
  struct ingest_pipe pipe;
  bool ended;
  int64_t missing;
  struct ingest_pair *metadata;
  int n_metadata;
  struct ingest_span *beats;
  int64_t n_beats;
};

/* ---- header ------------------------------------------------------------------------ */
static bool parse_record(struct wfdb *s, const char *line, struct err *e) {
  char name[128], rate[64] = "250";
  long long length = 0;
  if (sscanf(line, "%127s %d %63s %lld", name, &s->n_signals, rate, &length) < 2)
    return err_set(e, "its record line is not \"NAME SIGNALS RATE LENGTH\"");
  if (strchr(name, '/'))
    return err_set(e, "a record of several segments; add their headers one by one");
  if (s->n_signals < 1 || s->n_signals > MAX_SIGNALS)
    return err_set(e, "%d signals; 1 to %d can be read", s->n_signals, MAX_SIGNALS);
  s->rate_hz = strtod(rate, NULL);
  s->length = length;
  if (!(s->rate_hz > 0) || !(s->rate_hz <= 1e7) || length < 0)
    return err_set(e, "a rate of \"%s\" and a length of %lld", rate, length);
  return true;
}

/* FILE FORMAT GAIN(BASELINE)/UNITS BITS ZERO INIT CHECKSUM BLOCK NAME; all from GAIN on may be missing. */
static bool parse_signal(struct signal *g, const char *line, struct err *e) {
  char format[64], gain[96] = "200";
  int bits = 0, zero = 0, block = 0;
  const int n = sscanf(line, "%255s %63s %95s %d %d %d %d %d %63[^\r\n]", g->file, format, gain,
                       &bits, &zero, &g->init, &g->checksum, &block, g->name);
  if (n < 2) return err_set(e, "\"%.60s\" is no line of a signal", line);
  g->has_checksum = n >= 7;
  char *end = NULL;
  g->format = (int)strtol(format, &end, 10);
  if (*end)
    return err_set(e, "format %s: several samples in a frame, skew and offsets cannot be read",
                   format);
  if (g->format != 16 && g->format != 24 && g->format != 32 && g->format != 61 && g->format != 80 &&
      g->format != 212)
    return err_set(e, "signal format %d; 16, 24, 32, 61, 80 and 212 can be read", g->format);
  g->gain = strtod(gain, &end);
  g->baseline = zero;
  if (*end == '(') g->baseline = (int)strtol(end + 1, &end, 10), end += *end == ')';
  if (*end == '/') snprintf(g->units, sizeof g->units, "%.31s", end + 1);
  if (g->gain == 0) g->gain = 200;
  if (!isfinite(g->gain) || fabs(g->gain) < 1e-9) return err_set(e, "a gain of %s", gain);
  if (strchr(g->file, '/') || strcmp(g->file, "..") == 0)
    return err_set(e, "the signal file %s lies in another folder", g->file);
  return true;
}

static void add_pair(struct ingest_reader *r, struct wfdb *s, const char *key, const char *value) {
  for (int i = 0; i < s->n_metadata; i++) {
    if (strcmp(s->metadata[i].key, key) != 0) continue;
    if (strlen(s->metadata[i].value) < 2000)
      s->metadata[i].value = arena_printf(r->arena, "%s, %.500s", s->metadata[i].value, value);
    return;
  }
  s->metadata[s->n_metadata++] = (struct ingest_pair){key, arena_strdup(r->arena, value)};
}

static bool read_header(struct ingest_reader *r, struct wfdb *s, struct err *e) {
  uint8_t *text = NULL;
  size_t size = 0;
  int have = -1, number = 0;
  if (!file_read(r->arena, r->path, (size_t)1 << 20, &text, &size, e)) return false;
  if (memchr(text, 0, size)) return err_set(e, "holds zero bytes: this is no WFDB header");
  s->metadata = ARENA_ARRAY(r->arena, struct ingest_pair, 2);
  char *rest = NULL;
  for (char *line = strtok_r((char *)text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    number++;
    line[strcspn(line, "\r")] = 0;
    if (line[0] == '#') {
      if (have >= 0) add_pair(r, s, "comment", line[1] == ' ' ? line + 2 : line + 1);
      continue;
    }
    if (!line[strspn(line, " \t")]) continue;
    const bool ok = have < 0 ? parse_record(s, line, e)
                             : have >= s->n_signals || parse_signal(&s->signals[have], line, e);
    if (!ok) return err_node(e, "line %d", number), false;
    have++;
  }
  if (have < s->n_signals || have < 0)
    return err_set(e, "%d of %d signals are described", have < 0 ? 0 : have, s->n_signals);
  for (int i = 1; i < s->n_signals; i++)
    if (strcmp(s->signals[i].file, s->signals[0].file) != 0 ||
        s->signals[i].format != s->signals[0].format)
      return err_set(e, "its signals lie in several files or formats (%s, %s); one can be read",
                     s->signals[0].file, s->signals[i].file);
  for (int i = 0; i < s->n_signals; i++)
    add_pair(r, s, "sensors",
             arena_printf(r->arena, "%s (%s)", s->signals[i].name,
                          s->signals[i].units[0] ? s->signals[i].units : "mV"));
  return true;
}

/* ---- signals ------------------------------------------------------------------------ */
static int sign_extend(int value, int bits) {
  return value >= 1 << (bits - 1) ? value - (1 << bits) : value;
}

/* The next sample; false at the end. invalid: the format's word for "no value". */
static bool next_sample(struct wfdb *s, int *value, bool *invalid) {
  uint8_t b[4];
  size_t got;
  *invalid = false;
  switch (s->signals[0].format) {
  case 212: /* three bytes hold two samples of 12 bits */
    if (s->n_carried)
      return *value = s->carried[0], s->n_carried = 0, *invalid = *value == -2048, true;
    bytes_read(&s->data, b, 3, &got);
    if (got < 2) return false;
    *value = sign_extend(b[0] | (b[1] & 15) << 8, 12);
    if (got == 3) s->carried[0] = sign_extend(b[2] | (b[1] >> 4) << 8, 12), s->n_carried = 1;
    return *invalid = *value == -2048, true;
  case 16:
  case 61:
    if (!bytes_read(&s->data, b, 2, &got)) return false;
    *value = s->signals[0].format == 16 ? sign_extend(b[0] | b[1] << 8, 16)
                                        : sign_extend(b[1] | b[0] << 8, 16);
    return *invalid = *value == -32768, true;
  case 24:
    if (!bytes_read(&s->data, b, 3, &got)) return false;
    return *value = sign_extend(b[0] | b[1] << 8 | b[2] << 16, 24), *invalid = *value == -8388608,
           true;
  case 32:
    if (!bytes_read(&s->data, b, 4, &got)) return false;
    *value =
        (int)((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
    return *invalid = *value == INT32_MIN, true;
  default: /* 80: offset binary */
    if (!bytes_read(&s->data, b, 1, &got)) return false;
    return *value = b[0] - 128, *invalid = b[0] == 0, true;
  }
}

static bool whole(struct ingest_reader *r, struct wfdb *s, int filled, struct err *e) {
  /* A packed format may hold one sample of padding. */
  if (s->length > 0 ? s->frames < s->length : filled != 0)
    return err_set(e, "%s is cut short: %lld of %lld frames are there", s->signals[0].file,
                   (long long)s->frames, (long long)s->length);
  for (int c = 0; c < s->n_signals && s->length > 0; c++) {
    const struct signal *g = &s->signals[c];
    if (g->has_checksum && (uint16_t)g->sum != (uint16_t)g->checksum)
      return err_set(e, "%s is damaged: the checksum of signal %d (%s) is %d and should be %d",
                     g->file, c + 1, g->name, (int)(int16_t)g->sum, (int)(int16_t)g->checksum);
  }
  if (s->missing) ingest_note(r, "missing values hold the one before: %lld", (long long)s->missing);
  return true;
}

struct feed {
  struct ingest_reader *r;
  struct wfdb *s;
};

static int64_t wfdb_frames(void *state, float *frames, int64_t room, struct err *e) {
  struct ingest_reader *r = ((struct feed *)state)->r;
  struct wfdb *s = ((struct feed *)state)->s;
  int64_t n = 0;
  while (n < room && (s->length == 0 || s->frames < s->length)) {
    int c = 0, value;
    bool invalid;
    for (; c < s->n_signals && next_sample(s, &value, &invalid); c++) {
      struct signal *g = &s->signals[c];
      g->sum += value;
      if (invalid) value = g->before, s->missing++;
      g->before = value;
      frames[n * s->n_signals + c] = (float)(((double)value - g->baseline) / g->gain);
    }
    if (c < s->n_signals) return n ? n : whole(r, s, c, e) ? 0 : -1;
    s->frames++;
    n++;
  }
  if (n == 0 && s->frames == 0) return err_set(e, "no frames in %s", s->signals[0].file), -1;
  return n ? n : whole(r, s, 0, e) ? 0 : -1;
}

/* ---- beats -------------------------------------------------------------------------- */
/* Letters of the codes that mark beats. */
static char beat_letter(int code) {
  static const char letters[42] = {
      0, 'N', 'L', 'R', 'a', 'V', 'F', 'J', 'A', 'S', 'E', 'j', 'P', 'Q', 0, 0, 0,   0, 0, 0,  0, 0,
      0, 0,   0,   'B', 0,   0,   0,   0,   '?', 0,   0,   0,   'e', 'n', 0, 0, 'f', 0, 0, 'r'};
  return code >= 0 && code < 42 ? letters[code] : 0;
}

struct beat {
  int64_t at;
  char letter;
};

static bool read_beats(const uint8_t *p, size_t size, struct beat *beats, int64_t room,
                       int64_t *count, struct err *e) {
  int64_t time = 0;
  *count = 0;
  for (size_t at = 0; at + 2 <= size;) {
    const int word = p[at] | p[at + 1] << 8, code = word >> 10, interval = word & 1023;
    at += 2;
    if (word == 0) return true;
    if (code == 59) { /* a longer interval, high half first */
      if (at + 4 > size) break;
      time += (int32_t)((uint32_t)(p[at + 1] << 8 | p[at]) << 16 |
                        (uint32_t)(p[at + 3] << 8 | p[at + 2]));
      at += 4;
    } else if (code == 63) { /* text, padded to an even number of bytes */
      at += (size_t)(interval + (interval & 1));
    } else if (code < 60) {
      time += interval;
      const char letter = beat_letter(code);
      if (letter && time >= 0 && *count < room) beats[(*count)++] = (struct beat){time, letter};
    }
    if (time > INT64_MAX / 4 || time < INT64_MIN / 4) break;
  }
  return err_set(e, "the annotations are damaged or cut short: no end mark");
}

/* Stretches with the beat in the middle, which reach as far as half way to the nearer neighbour. */
static void make_spans(struct ingest_reader *r, struct wfdb *s, const struct beat *beats,
                       int64_t n) {
  const int64_t most = (int64_t)(MAX_HALF_S * s->rate_hz);
  s->beats = ARENA_ARRAY(r->arena, struct ingest_span, n);
  for (int64_t i = 0; i < n; i++) {
    int64_t half = most;
    const int64_t before = i > 0 ? (beats[i].at - beats[i - 1].at) / 2 : half,
                  behind = i + 1 < n ? (beats[i + 1].at - beats[i].at) / 2 : half;
    if (before > 0 && before < half) half = before;
    if (behind > 0 && behind < half) half = behind;
    if (half > beats[i].at && beats[i].at > 0) half = beats[i].at;
    char *letter = arena_alloc(r->arena, 2, 1);
    letter[0] = beats[i].letter;
    s->beats[s->n_beats++] = (struct ingest_span){beats[i].at > half ? beats[i].at - half : 0,
                                                  beats[i].at + half, letter};
  }
  ingest_set_spans(r, s->beats, (int)s->n_beats);
}

static bool open_beats(struct ingest_reader *r, struct wfdb *s, struct err *e) {
  char *path = arena_strdup(r->arena, r->path);
  strcpy(path + strlen(path) - 4, ".atr"); /* the name ends with .hea */
  if (!file_exists(path)) return true;
  uint8_t *bytes = NULL;
  size_t size = 0;
  int64_t n = 0;
  if (!file_read(r->arena, path, (size_t)32 << 20, &bytes, &size, e)) return false;
  const int64_t room = (int64_t)(size / 2) < MAX_BEATS ? (int64_t)(size / 2) + 1 : MAX_BEATS;
  struct beat *beats = malloc((size_t)room * sizeof *beats);
  if (!beats) return err_set(e, "no memory left");
  const bool ok = read_beats(bytes, size, beats, room, &n, e);
  if (!ok) err_file(e, path);
  if (ok && n > 0 && (size_t)n * 128 < arena_left(r->arena)) make_spans(r, s, beats, n);
  if (ok && n > 0)
    ingest_note(r, "every beat of the .atr file is a stretch with its letter as label");
  free(beats);
  return ok;
}

/* ---- reader ------------------------------------------------------------------------- */
static bool wfdb_open(struct ingest_reader *r, struct err *e) {
  struct wfdb *s = ARENA_NEW(r->arena, struct wfdb);
  r->state = s;
  if (!ingest_ends_with(r->path, ".hea"))
    return err_set(e, "a WFDB record is named by its header, .hea");
  if (!read_header(r, s, e)) return false;
  const char *slash = strrchr(r->path, '/');
  const char *path = arena_printf(r->arena, "%.*s%s", slash ? (int)(slash - r->path) + 1 : 0,
                                  r->path, s->signals[0].file);
  if (!file_exists(path))
    return err_set(e, "the signal file %s is not beside it", s->signals[0].file);
  struct stat info;
  if (stat(path, &info) != 0 || !bytes_open(&s->data, path, 0, info.st_size, false, e))
    return false;
  return pipe_begin(&s->pipe, r->o, s->n_signals, s->rate_hz, 1.0, false, e) && open_beats(r, s, e);
}

static bool wfdb_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                      struct err *e) {
  struct wfdb *s = r->state;
  struct feed feed = {r, s};
  if (!pipe_piece(r, &s->pipe, wfdb_frames, &feed, &s->ended, out, there, e)) return false;
  out->metadata = s->metadata;
  out->n_metadata = s->n_metadata;
  return true;
}

static void wfdb_close(struct ingest_reader *r) {
  struct wfdb *s = r->state;
  if (!s) return;
  bytes_close(&s->data);
  pipe_free(&s->pipe);
}

const struct ingest_format ingest_wfdb = {"WFDB record", wfdb_open, wfdb_next, wfdb_close};
