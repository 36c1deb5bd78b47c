/* Acquisition files: the signed JSON or CBOR messages in which devices send recordings.
 *
 *   {"protected": {"ver": "v1", "alg": "HS256"}, "signature": "<64 hexadecimal digits>",
 *    "payload": {"device_name", "device_type", "interval_ms", "sensors": [{"name", "units"}], "values": [...]}}
 *
 * How it works: one pass over the document checks it, finds its parts in whatever order they come, and counts the
 * values; one over the bytes computes HMAC-SHA256 of the message with zeros in the place of the signature; a last one
 * hands the values out. Sound from firmware holds the text "Ref-BINARY-i16" instead of values, and little-endian
 * int16 stands behind the message. Zeros behind a CBOR message are padding. */
#include "host/ingest/bytes.h"
#include "host/ingest/document.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_LABELS 1000000

struct acquisition {
  struct document d;
  int64_t message_end; /* behind the closing bracket */
  int64_t signature_at;
  char signature[65], algorithm[16];
  bool has_payload, has_values, binary;
  double interval_ms;
  int n_sensors;
  struct text sensors;
  char *device_name, *device_type, *structured;
  int64_t rows;
  int width; /* numbers of a row; 0: a flat array */
  int channels;
  struct ingest_pair *metadata;
  int n_metadata;
  /* Handing out */
  struct bytes tail; /* the int16 behind the message */
  int64_t given;
  struct ingest_pipe pipe;
  bool ended;
};

/* ---- the message --------------------------------------------------------------------- */
static bool wanted(const struct acquisition *s, enum event event, enum event want, const char *what,
                   struct err *e) {
  static const char *const names[] = {"a map",    "an array",       "an end", "a text",
                                      "a number", "something else", "nothing"};
  return event == want || err_set(e, "byte %lld: %s should be %s and is %s", (long long)s->d.begin,
                                  what, names[want], names[event]);
}

static bool read_protected(struct acquisition *s, enum event event, struct err *e) {
  if (!wanted(s, event, EVENT_MAP, "\"protected\"", e)) return false;
  for (;;) {
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_END) return true;
    if (!wanted(s, event, EVENT_TEXT, "a key", e)) return false;
    const bool algorithm = strcmp(s->d.text, "alg") == 0;
    if (!document_next(&s->d, &event, e)) return false;
    if (algorithm && event == EVENT_TEXT)
      snprintf(s->algorithm, sizeof s->algorithm, "%s", s->d.text);
    if (!document_skip(&s->d, event, e)) return false;
  }
}

static bool read_sensor(struct acquisition *s, struct err *e) {
  enum event event;
  char name[64] = "", units[32] = "";
  for (;;) {
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_END) break;
    if (!wanted(s, event, EVENT_TEXT, "a key", e)) return false;
    const bool is_name = strcmp(s->d.text, "name") == 0, is_units = strcmp(s->d.text, "units") == 0;
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_TEXT && is_name) snprintf(name, sizeof name, "%s", s->d.text);
    if (event == EVENT_TEXT && is_units) snprintf(units, sizeof units, "%s", s->d.text);
    if (!document_skip(&s->d, event, e)) return false;
  }
  if (s->n_sensors < 64)
    text_printf(&s->sensors, "%s%s (%s)", s->n_sensors ? ", " : "", name, units);
  s->n_sensors++;
  return true;
}

static bool read_sensors(struct acquisition *s, enum event event, struct err *e) {
  if (!wanted(s, event, EVENT_ARRAY, "\"sensors\"", e)) return false;
  for (;;) {
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_END) return true;
    if (!wanted(s, event, EVENT_MAP, "a sensor", e) || !read_sensor(s, e)) return false;
    if (s->n_sensors > INGEST_MAX_CHANNELS)
      return err_set(e, "more than %d sensors", INGEST_MAX_CHANNELS);
  }
}

/* A row behind its opening bracket; values NULL: only counted. */
static bool read_row(struct acquisition *s, float *values, int room, int *n, struct err *e) {
  enum event event;
  for (*n = 0;; ++*n) {
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_END) return true;
    if (!wanted(s, event, EVENT_NUMBER, "a value", e)) return false;
    if (!(fabs(s->d.number) <= 3e38))
      return err_set(e, "byte %lld: the value is not finite", (long long)s->d.begin);
    if (*n >= room)
      return err_set(e, "byte %lld: more than %d values in a row", (long long)s->d.begin, room);
    if (values) values[*n] = (float)s->d.number;
  }
}

static bool count_values(struct acquisition *s, enum event event, struct err *e) {
  if (!wanted(s, event, EVENT_ARRAY, "\"values\"", e)) return false;
  s->has_values = true;
  for (;; s->rows++) {
    int n = 1;
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_END) return true;
    if (event == EVENT_TEXT && s->rows == 0 && strncmp(s->d.text, "Ref-BINARY-i16", 14) == 0) {
      s->binary = true;
      continue;
    }
    if (s->binary)
      return err_set(e, "byte %lld: values stand beside Ref-BINARY-i16", (long long)s->d.begin);
    const bool row = event == EVENT_ARRAY;
    if (row && !read_row(s, NULL, INGEST_MAX_CHANNELS, &n, e)) return false;
    if (!row && !wanted(s, event, EVENT_NUMBER, "a value", e)) return false;
    if (!row && !(fabs(s->d.number) <= 3e38))
      return err_set(e, "byte %lld: the value is not finite", (long long)s->d.begin);
    if (row && n == 0) return err_set(e, "row %lld of \"values\" is empty", (long long)s->rows + 1);
    if (s->rows == 0) s->width = row ? n : 0;
    if (s->width != (row ? n : 0))
      return err_set(e, "row %lld of \"values\" has %d values where the first has %d",
                     (long long)s->rows + 1, n, s->width ? s->width : 1);
  }
}

static bool keep_text(struct ingest_reader *r, struct acquisition *s, enum event event, char **to) {
  if (event == EVENT_TEXT) *to = arena_strdup(r->arena, s->d.text);
  return true;
}

static bool read_payload(struct ingest_reader *r, struct acquisition *s, enum event event,
                         struct err *e) {
  if (!wanted(s, event, EVENT_MAP, "\"payload\"", e)) return false;
  s->has_payload = true;
  for (;;) {
    char key[32];
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_END) return true;
    if (!wanted(s, event, EVENT_TEXT, "a key", e)) return false;
    snprintf(key, sizeof key, "%s", s->d.text);
    if (!document_next(&s->d, &event, e)) return false;
    bool ok;
    if (strcmp(key, "values") == 0 && !s->has_values)
      ok = count_values(s, event, e);
    else if (strcmp(key, "sensors") == 0 && s->n_sensors == 0)
      ok = read_sensors(s, event, e);
    else if (strcmp(key, "interval_ms") == 0)
      ok = wanted(s, event, EVENT_NUMBER, "\"interval_ms\"", e), s->interval_ms = s->d.number;
    else if (strcmp(key, "device_name") == 0 && !s->device_name)
      ok = keep_text(r, s, event, &s->device_name);
    else if (strcmp(key, "device_type") == 0 && !s->device_type)
      ok = keep_text(r, s, event, &s->device_type);
    else if (strcmp(key, "structured_labels") == 0 && !s->structured)
      ok = keep_text(r, s, event, &s->structured);
    else
      ok = document_skip(&s->d, event, e);
    if (!ok) return false;
    /* What is read above as a text or number may have been a container. */
    if ((event == EVENT_MAP || event == EVENT_ARRAY) && strcmp(key, "values") != 0 &&
        strcmp(key, "sensors") != 0 &&
        (strcmp(key, "device_name") == 0 || strcmp(key, "device_type") == 0 ||
         strcmp(key, "structured_labels") == 0))
      return err_set(e, "\"%s\" should be a text", key);
  }
}

static bool read_message(struct ingest_reader *r, struct acquisition *s, struct err *e) {
  enum event event;
  if (!document_next(&s->d, &event, e)) return false;
  if (!wanted(s, event, EVENT_MAP, "the whole", e)) return false;
  for (;;) {
    char key[32];
    if (!document_next(&s->d, &event, e)) return false;
    if (event == EVENT_END) break;
    if (!wanted(s, event, EVENT_TEXT, "a key", e)) return false;
    snprintf(key, sizeof key, "%s", s->d.text);
    if (!document_next(&s->d, &event, e)) return false;
    bool ok = true;
    if (strcmp(key, "protected") == 0) {
      ok = read_protected(s, event, e);
    } else if (strcmp(key, "payload") == 0 && !s->has_payload) {
      ok = read_payload(r, s, event, e);
    } else if (strcmp(key, "signature") == 0 && event == EVENT_TEXT) {
      if (s->d.text_bytes == 64) s->signature_at = s->d.begin, memcpy(s->signature, s->d.text, 64);
    } else {
      ok = document_skip(&s->d, event, e);
    }
    if (!ok) return false;
  }
  s->message_end = document_offset(&s->d);
  if (!s->has_payload || !s->has_values)
    return err_set(e, "no acquisition file: it has no \"%s\"",
                   s->has_payload ? "values" : "payload");
  return true;
}

/* ---- signature ------------------------------------------------------------------------ */
struct hmac {
  struct sha256 inner;
  uint8_t outer[64];
};

/* source: RFC 2104. */
static void hmac_begin(struct hmac *h, const char *key) {
  uint8_t block[64] = {0};
  const size_t n = strlen(key);
  if (n > 64) {
    struct sha256 long_key;
    sha256_init(&long_key);
    sha256_add(&long_key, key, n);
    sha256_end(&long_key, block);
  } else {
    memcpy(block, key, n);
  }
  for (int i = 0; i < 64; i++) h->outer[i] = block[i] ^ 0x5c, block[i] ^= 0x36;
  sha256_init(&h->inner);
  sha256_add(&h->inner, block, 64);
}

static void hmac_end(struct hmac *h, char hex[65]) {
  uint8_t digest[32];
  struct sha256 outer;
  sha256_end(&h->inner, digest);
  sha256_init(&outer);
  sha256_add(&outer, h->outer, 64);
  sha256_add(&outer, digest, 32);
  sha256_end(&outer, digest);
  sha256_hex(digest, hex);
}

/* Of the file's first `end` bytes, with '0' in the place of the signature. */
static bool compute(const char *path, const char *key, int64_t signature_at, int64_t end,
                    char hex[65], struct err *e) {
  struct hmac h;
  uint8_t buffer[16384];
  FILE *f = fopen(path, "rb");
  if (!f) return err_set(e, "cannot be opened: %s", strerror(errno));
  hmac_begin(&h, key);
  for (int64_t at = 0; at < end;) {
    const size_t want = end - at < (int64_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
    const size_t got = fread(buffer, 1, want, f);
    if (got == 0) break;
    for (size_t i = 0; i < got; i++)
      if (at + (int64_t)i >= signature_at && at + (int64_t)i < signature_at + 64) buffer[i] = '0';
    sha256_add(&h.inner, buffer, got);
    at += (int64_t)got;
  }
  fclose(f);
  hmac_end(&h, hex);
  return true;
}

/* In a time that does not depend on where they differ. */
static bool same_hex(const char *a, const char *b) {
  unsigned differ = 0;
  for (int i = 0; i < 64; i++) {
    const int x = a[i] >= 'A' && a[i] <= 'F' ? a[i] + 32 : a[i];
    differ |= (unsigned)(x ^ b[i]);
  }
  return differ == 0;
}

static bool check_signature(struct ingest_reader *r, const struct acquisition *s, int64_t size,
                            struct err *e) {
  char hex[65];
  if (!r->o->hmac_key) return ingest_note(r, "signature not checked (--hmac-key checks it)"), true;
  if (strcmp(s->algorithm, "HS256") != 0 || !s->signature_at)
    return err_set(e,
                   "it is not signed (alg \"%s\"), and a key was given; leave --hmac-key out to "
                   "take it as it is",
                   s->algorithm);
  /* Data behind the message is signed with it; padding may be or not. */
  if (!s->binary) {
    if (!compute(r->path, r->o->hmac_key, s->signature_at, s->message_end, hex, e)) return false;
    if (same_hex(s->signature, hex)) return ingest_note(r, "signature right"), true;
  }
  if (!compute(r->path, r->o->hmac_key, s->signature_at, size, hex, e)) return false;
  if (same_hex(s->signature, hex)) return ingest_note(r, "signature right"), true;
  return err_set(e, "its signature is wrong for this key: the file was changed, or another "
                    "project's key signed it");
}

/* ---- labels --------------------------------------------------------------------------- */
/* [{"startIndex": 0, "endIndex": 24, "label": "idle"}]: both ends belong to it. */
static bool structured_labels(struct ingest_reader *r, struct acquisition *s, struct err *e) {
  json_error_t why;
  json_t *root = json_loads(s->structured, 0, &why);
  if (!json_is_array(root) || json_array_size(root) > MAX_LABELS) {
    json_decref(root);
    return err_set(e, "\"structured_labels\" is no array: %s", why.text);
  }
  const size_t n = json_array_size(root);
  struct ingest_span *spans = ARENA_ARRAY(r->arena, struct ingest_span, n ? n : 1);
  bool ok = true;
  int kept = 0;
  for (size_t i = 0; ok && i < n; i++) {
    const json_t *one = json_array_get(root, i), *start = json_object_get(one, "startIndex"),
                 *end = json_object_get(one, "endIndex");
    const char *label = json_string_value(json_object_get(one, "label"));
    ok = json_is_integer(start) && json_is_integer(end) && label &&
         json_integer_value(start) >= 0 && json_integer_value(end) >= json_integer_value(start) &&
         json_integer_value(end) < INT64_MAX / 4;
    if (!ok)
      err_set(
          e,
          "\"structured_labels\": entry %zu has no startIndex, endIndex and label that go together",
          i + 1);
    else
      spans[kept++] = (struct ingest_span){json_integer_value(start), json_integer_value(end) + 1,
                                           arena_strdup(r->arena, label)};
  }
  json_decref(root);
  if (ok && kept) ingest_set_spans(r, spans, kept);
  return ok;
}

/* ---- reader --------------------------------------------------------------------------- */
static void add_pair(struct ingest_reader *r, struct acquisition *s, const char *key,
                     const char *value) {
  if (value && value[0])
    s->metadata[s->n_metadata++] = (struct ingest_pair){key, arena_strdup(r->arena, value)};
}

/* Only zeros may stand behind a message, blanks behind JSON; int16 behind Ref-BINARY-i16. */
static bool check_tail(struct ingest_reader *r, struct acquisition *s, int64_t size,
                       struct err *e) {
  const int64_t n = size - s->message_end;
  if (!bytes_open(&s->tail, r->path, s->message_end, n, false, e)) return false;
  if (s->binary) {
    if (n < 2 || n % 2)
      return err_set(e, "%lld bytes behind Ref-BINARY-i16; whole int16 numbers should stand there",
                     (long long)n);
    return true;
  }
  uint8_t b;
  size_t got;
  for (int64_t i = 0; i < n && bytes_read(&s->tail, &b, 1, &got); i++)
    if (b != 0 && b != ' ' && b != '\n' && b != '\r' && b != '\t')
      return err_set(e, "byte %lld: 0x%02x behind the end of the message",
                     (long long)(s->message_end + i), b);
  return true;
}

static bool plan_channels(struct ingest_reader *r, struct acquisition *s, struct err *e) {
  if (s->rows == 0) return err_set(e, "\"values\" is empty");
  s->channels = s->width ? s->width : s->n_sensors > 1 ? s->n_sensors : 1;
  if (s->n_sensors > 0 && s->n_sensors != s->channels)
    return err_set(e, "%d sensors, and rows of %d values", s->n_sensors, s->channels);
  if (!s->binary && s->width == 0 && s->channels > 1)
    return err_set(
        e, "%d sensors, and \"values\" is one flat row; it should hold a row of %d for each moment",
        s->n_sensors, s->channels);
  double rate = s->interval_ms > 0 ? 1000 / s->interval_ms : 0;
  if (s->interval_ms == 0) {
    rate = r->o->source_rate_hz > 0 ? r->o->source_rate_hz : r->o->rate_hz;
    ingest_note(r, "interval_ms is 0: taken as %g Hz", rate);
  }
  if (!(rate > 0) || !isfinite(rate) || rate > 1e9)
    return err_set(e, "interval_ms is %g", s->interval_ms);
  return pipe_begin(&s->pipe, r->o, s->channels, rate, 1.0, r->o->type == INGEST_INT16, e);
}

/* Back to the first value. */
static bool seek_values(struct acquisition *s, struct err *e) {
  enum event event;
  if (!document_rewind(&s->d, e) || !document_next(&s->d, &event, e)) return false;
  /* The document was read whole once: the keys are there. */
  for (const char *key = "payload"; key; key = strcmp(key, "payload") == 0 ? "values" : NULL) {
    for (;;) {
      if (!document_next(&s->d, &event, e)) return false;
      const bool found = event == EVENT_TEXT && strcmp(s->d.text, key) == 0;
      if (event == EVENT_END || event == EVENT_DONE) return err_internal(e, "%s is gone", key);
      if (!document_next(&s->d, &event, e)) return false;
      if (found) break;
      if (!document_skip(&s->d, event, e)) return false;
    }
  }
  return true;
}

static bool acquisition_open(struct ingest_reader *r, struct err *e) {
  struct acquisition *s = ARENA_NEW(r->arena, struct acquisition);
  struct stat info;
  uint8_t first = 0;
  r->state = s;
  text_init(&s->sensors, r->arena);
  FILE *f = fopen(r->path, "rb");
  if (!f || fstat(fileno(f), &info) != 0) {
    if (f) fclose(f);
    return err_set(e, "cannot be opened: %s", strerror(errno));
  }
  if (fread(&first, 1, 1, f) != 1) first = 0;
  fclose(f);
  /* Maps of CBOR, tagged or not, begin with a byte above ASCII. */
  if (!document_open(&s->d, r->path, first >= 0x80, e) || !read_message(r, s, e)) return false;
  if (!check_tail(r, s, info.st_size, e) || !check_signature(r, s, info.st_size, e) ||
      !plan_channels(r, s, e))
    return false;
  if (s->structured && !structured_labels(r, s, e)) return false;
  s->metadata = ARENA_ARRAY(r->arena, struct ingest_pair, 4);
  add_pair(r, s, "device", s->device_name);
  add_pair(r, s, "device_type", s->device_type);
  add_pair(r, s, "sensors", s->sensors.data);
  return s->binary || seek_values(s, e);
}

static int64_t tail_frames(struct acquisition *s, float *frames, int64_t room) {
  int64_t n = 0;
  uint8_t b[2];
  size_t got;
  for (; n < room * s->channels && bytes_read(&s->tail, b, 2, &got); n++)
    frames[n] = (float)(int16_t)(b[0] | b[1] << 8);
  return n / s->channels;
}

static int64_t acquisition_frames(void *state, float *frames, int64_t room, struct err *e) {
  struct acquisition *s = state;
  int64_t n = 0;
  if (s->binary) return tail_frames(s, frames, room);
  for (; n < room && s->given < s->rows; n++, s->given++) {
    enum event event;
    int width;
    if (!document_next(&s->d, &event, e)) return -1;
    if (event == EVENT_NUMBER && s->width == 0)
      frames[n] = (float)s->d.number;
    else if (event != EVENT_ARRAY || !read_row(s, frames + n * s->channels, s->channels, &width, e))
      return e->text[0] ? -1 : (err_set(e, "the file changed while it was read"), -1);
  }
  return n;
}

static bool acquisition_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                             struct err *e) {
  struct acquisition *s = r->state;
  if (!pipe_piece(r, &s->pipe, acquisition_frames, s, &s->ended, out, there, e)) return false;
  out->metadata = s->metadata;
  out->n_metadata = s->n_metadata;
  return true;
}

static void acquisition_close(struct ingest_reader *r) {
  struct acquisition *s = r->state;
  if (!s) return;
  document_close(&s->d);
  bytes_close(&s->tail);
  pipe_free(&s->pipe);
}

const struct ingest_format ingest_acquisition = {"acquisition file", acquisition_open,
                                                 acquisition_next, acquisition_close};
