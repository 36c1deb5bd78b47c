/* Numbers without a header: --raw says their type, the project their channels and rate. */
#include "host/ingest/bytes.h"

#include <string.h>
#include <sys/stat.h>

struct raw {
  struct bytes bytes;
  struct number_type type;
  int channels;
  struct ingest_pipe pipe;
  bool ended;
};

static bool parse_type(const char *text, struct number_type *type, struct err *e) {
  static const struct {
    const char *name;
    struct number_type type;
  } types[] = {{"int8", {NUMBER_SIGNED, 1, false}},   {"uint8", {NUMBER_UNSIGNED, 1, false}},
               {"int16", {NUMBER_SIGNED, 2, false}},  {"uint16", {NUMBER_UNSIGNED, 2, false}},
               {"int24", {NUMBER_SIGNED, 3, false}},  {"int32", {NUMBER_SIGNED, 4, false}},
               {"float32", {NUMBER_FLOAT, 4, false}}, {"float64", {NUMBER_FLOAT, 8, false}}};
  const char *colon = strchr(text, ':');
  const size_t n = colon ? (size_t)(colon - text) : strlen(text);
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (strlen(types[i].name) != n || memcmp(types[i].name, text, n) != 0) continue;
    if (colon && strcmp(colon, ":be") != 0) break;
    *type = types[i].type;
    type->big = colon != NULL;
    return true;
  }
  return err_set(e,
                 "--raw \"%s\" is not known; int8 uint8 int16 uint16 int24 int32 float32 float64 "
                 "are, with \":be\" "
                 "behind them for big-endian",
                 text);
}

static bool raw_open(struct ingest_reader *r, struct err *e) {
  struct raw *s = ARENA_NEW(r->arena, struct raw);
  struct stat info;
  r->state = s;
  if (!parse_type(r->o->raw, &s->type, e)) return false;
  if (stat(r->path, &info) != 0 || !bytes_open(&s->bytes, r->path, 0, info.st_size, false, e))
    return false;
  s->channels = r->o->channels > 0 ? r->o->channels : 1;
  const int64_t frame = (int64_t)s->channels * s->type.bytes;
  if (info.st_size % frame != 0)
    return err_set(e,
                   "%lld bytes are not a whole number of frames of %d channels with %d bytes each",
                   (long long)info.st_size, s->channels, s->type.bytes);
  const double rate = r->o->source_rate_hz > 0 ? r->o->source_rate_hz
                      : r->o->rate_hz > 0      ? r->o->rate_hz
                                               : 1;
  ingest_note(r, "taken as %s, %d channel%s at %g Hz", r->o->raw, s->channels,
              s->channels == 1 ? "" : "s", rate);
  /* As int16, floats are in [-1, 1]; whole numbers are what they are. */
  return pipe_begin(&s->pipe, r->o, s->channels, rate, s->type.kind == NUMBER_FLOAT ? 32768.0 : 1.0,
                    false, e);
}

static int64_t raw_frames(void *state, float *frames, int64_t room, struct err *e) {
  struct raw *s = state;
  const size_t frame = (size_t)s->channels * (size_t)s->type.bytes;
  uint8_t buffer[16384];
  const size_t most = sizeof buffer / frame ? sizeof buffer / frame : 1;
  const size_t want = (size_t)room < most ? (size_t)room : most;
  size_t got;
  if (frame > sizeof buffer) return err_set(e, "%d channels are too many", s->channels), -1;
  bytes_read(&s->bytes, buffer, want * frame, &got);
  const size_t values = got / (size_t)s->type.bytes;
  for (size_t i = 0; i < values; i++)
    frames[i] = (float)number_at(buffer + i * (size_t)s->type.bytes, s->type);
  return (int64_t)(got / frame);
}

static bool raw_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                     struct err *e) {
  struct raw *s = r->state;
  return pipe_piece(r, &s->pipe, raw_frames, s, &s->ended, out, there, e);
}

static void raw_close(struct ingest_reader *r) {
  struct raw *s = r->state;
  if (!s) return;
  bytes_close(&s->bytes);
  pipe_free(&s->pipe);
}

const struct ingest_format ingest_raw = {"raw numbers", raw_open, raw_next, raw_close};
