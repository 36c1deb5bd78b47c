/* The pipe: from the frames of a file to the rate and type that are wanted.
 *
 * invariant: what comes out does not depend on how the frames were cut into pushes. soxr runs at its high quality
 * (20 bits) on one thread: the same numbers on every run. */
#include "host/ingest/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers go through in portions of this size, so that a push makes no large buffers. */
#define PORTION 65536
/* A rate is kept where it differs by less than this share: clocks are not better. */
#define SAME_RATE 1e-9
/* Sums of such numbers in filters stay finite. */
#define LARGEST 1e30f
/* Beyond these, the rate or the time unit is wrong. */
#define MAX_UP   1000.0
#define MAX_DOWN 100000.0

size_t ingest_type_bytes(enum ingest_type type) {
  return type == INGEST_FLOAT32 ? 4 : type == INGEST_INT16 ? 2 : 1;
}

static bool grow(void **memory, size_t *room, size_t need, struct err *e) {
  if (need <= *room) return true;
  size_t more = *room ? *room : 65536;
  while (more < need) more *= 2;
  void *moved = realloc(*memory, more);
  if (!moved) return err_set(e, "no memory left");
  *memory = moved;
  *room = more;
  return true;
}

bool pipe_begin(struct ingest_pipe *p, const struct ingest_options *o, int channels, double from_hz,
                double scale, bool mix, struct err *e) {
  if (p->soxr) soxr_delete(p->soxr);
  p->soxr = NULL;
  p->o = o;
  p->channels_in = channels;
  p->mix = mix && o->channels == 1 && channels > 1;
  p->channels = p->mix ? 1 : channels;
  p->from_hz = from_hz;
  p->to_hz = o->rate_hz > 0 ? o->rate_hz : from_hz;
  p->scale = scale;
  p->out_bytes = 0;
  p->frames_in = p->frames_out = p->clipped = p->taken = 0;
  if (o->channels > 0 && o->channels != p->channels)
    return err_set(e, "%d channels, and the project has %d (sensor.channels in mote.yaml)",
                   channels, o->channels);
  if (channels < 1 || channels > INGEST_MAX_CHANNELS)
    return err_set(e, "%d channels; at most %d can be read", channels, INGEST_MAX_CHANNELS);
  if (!(from_hz > 0) || !isfinite(from_hz)) return err_set(e, "a rate of %g Hz", from_hz);
  if (fabs(p->to_hz - from_hz) <= SAME_RATE * from_hz) return true;
  if (p->to_hz > from_hz * MAX_UP || from_hz > p->to_hz * MAX_DOWN)
    return err_set(
        e, "%g Hz cannot be converted to %g Hz: too far apart; is the rate or the time unit right?",
        from_hz, p->to_hz);
  soxr_error_t failed = NULL;
  soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  soxr_runtime_spec_t threads = soxr_runtime_spec(1);
  p->soxr =
      soxr_create(from_hz, p->to_hz, (unsigned)p->channels, &failed, NULL, &quality, &threads);
  if (!p->soxr || failed)
    return err_set(e, "%g Hz cannot be converted to %g Hz: %s", from_hz, p->to_hz,
                   failed ? soxr_strerror(failed) : "no memory");
  return true;
}

static int16_t to_int16(double value, int64_t *clipped) {
  double rounded = nearbyint(value);
  if (rounded > 32767) return (*clipped)++, (int16_t)32767;
  if (rounded < -32768) return (*clipped)++, (int16_t)-32768;
  return (int16_t)rounded;
}

/* Frames of the final rate -> out. */
static bool put(struct ingest_pipe *p, const float *frames, size_t n, struct err *e) {
  const size_t values = n * (size_t)p->channels, size = ingest_type_bytes(p->o->type);
  if (!grow((void **)&p->out, &p->out_room, p->out_bytes + values * size, e)) return false;
  if (p->o->type == INGEST_FLOAT32) {
    memcpy(p->out + p->out_bytes, frames, values * size);
  } else {
    int16_t *to = (int16_t *)(void *)(p->out + p->out_bytes);
    for (size_t i = 0; i < values; i++) to[i] = to_int16((double)frames[i] * p->scale, &p->clipped);
  }
  p->out_bytes += values * size;
  return true;
}

/* Frames of a portion: 64 to 65536. */
static size_t portion_frames(int channels) { return PORTION / (size_t)channels; }

/* in NULL: flush. */
static bool convert(struct ingest_pipe *p, const float *in, size_t n, struct err *e) {
  const size_t room = portion_frames(p->channels);
  size_t done = 0;
  if (!grow((void **)&p->converted, &p->converted_room, room * (size_t)p->channels * sizeof(float),
            e))
    return false;
  for (;;) {
    size_t used = 0, made = 0;
    soxr_error_t failed = soxr_process(p->soxr, in ? in + done * (size_t)p->channels : NULL,
                                       n - done, in ? &used : NULL, p->converted, room, &made);
    if (failed) return err_set(e, "rate conversion failed: %s", soxr_strerror(failed));
    done += used;
    if (made && !put(p, p->converted, made, e)) return false;
    if (made < room && (!in || done >= n || (used == 0 && made == 0))) return true;
  }
}

static bool portion(struct ingest_pipe *p, const float *frames, size_t n, struct err *e) {
  for (size_t i = 0; i < n * (size_t)p->channels_in; i++) {
    if (fabsf(frames[i]) <= LARGEST) continue; /* false for what is no number, too */
    const long long frame = (long long)(p->frames_in + (int64_t)(i / (size_t)p->channels_in));
    if (!isfinite(frames[i]))
      return err_set(e, "frame %lld holds a number that is not finite", frame);
    return err_set(e, "frame %lld holds %g; numbers up to %g can be read", frame, (double)frames[i],
                   (double)LARGEST);
  }
  p->frames_in += (int64_t)n;
  if (p->mix) {
    if (!grow((void **)&p->mixed, &p->mixed_room, n * sizeof(float), e)) return false;
    for (size_t t = 0; t < n; t++) {
      double sum = 0;
      for (int c = 0; c < p->channels_in; c++)
        sum += (double)frames[t * (size_t)p->channels_in + (size_t)c];
      p->mixed[t] = (float)(sum / p->channels_in);
    }
    frames = p->mixed;
  }
  return p->soxr ? convert(p, frames, n, e) : put(p, frames, n, e);
}

bool pipe_push(struct ingest_pipe *p, const float *frames, size_t n, struct err *e) {
  size_t most = portion_frames(p->channels_in);
  if (p->to_hz > p->from_hz) most = (size_t)((double)most * p->from_hz / p->to_hz);
  if (most == 0) most = 1; /* becomes at most MAX_UP frames */
  for (size_t at = 0, now; at < n; at += now) {
    now = n - at < most ? n - at : most;
    if (!portion(p, frames + at * (size_t)p->channels_in, now, e)) return false;
  }
  return true;
}

bool pipe_end(struct ingest_pipe *p, struct err *e) {
  if (!p->soxr || p->frames_in == 0) return true;
  if (!convert(p, NULL, 0, e)) return false;
  if (p->frames_out == 0 && p->out_bytes == 0)
    return err_set(e, "%lld frames at %g Hz are too short to become even one at %g Hz",
                   (long long)p->frames_in, p->from_hz, p->to_hz);
  return true;
}

static size_t frame_bytes(const struct ingest_pipe *p) {
  return (size_t)p->channels * ingest_type_bytes(p->o->type);
}
/* A piece holds whole frames. */
static size_t piece_bytes(const struct ingest_pipe *p) {
  return INGEST_PIECE_BYTES / frame_bytes(p) * frame_bytes(p);
}

bool pipe_full(const struct ingest_pipe *p) {
  return p->channels && p->out_bytes >= piece_bytes(p);
}
int64_t pipe_frames(const struct ingest_pipe *p) {
  return p->channels ? (int64_t)(p->out_bytes / frame_bytes(p)) : 0;
}

void pipe_take(struct ingest_pipe *p, struct ingest_recording *r) {
  size_t bytes = p->out_bytes < piece_bytes(p) ? p->out_bytes : piece_bytes(p);
  r->type = p->o->type;
  r->rate_hz = p->to_hz;
  r->source_rate_hz = p->from_hz;
  r->channels = p->channels;
  r->length = (int64_t)(bytes / frame_bytes(p));
  r->data = p->out;
  r->start = p->frames_out;
  r->piece = r->start > 0;
  r->clipped = p->clipped;
  p->clipped = 0;
  p->frames_out += r->length;
  p->taken = r->length;
}

void pipe_drop(struct ingest_pipe *p) {
  if (!p->taken) return;
  const size_t bytes = (size_t)p->taken * frame_bytes(p);
  p->taken = 0;
  memmove(p->out, p->out + bytes, p->out_bytes - bytes);
  p->out_bytes -= bytes;
}

void pipe_free(struct ingest_pipe *p) {
  if (p->soxr) soxr_delete(p->soxr);
  free(p->mixed);
  free(p->converted);
  free(p->out);
  memset(p, 0, sizeof *p);
}

bool pipe_piece(struct ingest_reader *r, struct ingest_pipe *p, ingest_source *source, void *state,
                bool *ended, struct ingest_recording *out, bool *there, struct err *e) {
  const int64_t room = (int64_t)portion_frames(p->channels_in);
  pipe_drop(p);
  float *frames = arena_alloc(r->turn, (size_t)room * (size_t)p->channels_in, sizeof *frames);
  while (!*ended && !pipe_full(p)) {
    const int64_t n = source(state, frames, room, e);
    if (n < 0) return false;
    if (n == 0) {
      *ended = true;
      if (!pipe_end(p, e)) return false;
    } else if (!pipe_push(p, frames, (size_t)n, e)) {
      return false;
    }
  }
  *there = pipe_frames(p) > 0;
  if (!*there) return true;
  pipe_take(p, out);
  if (out->start > 0 || !*ended || pipe_frames(p) > out->length)
    out->part = arena_printf(r->turn, "%.3f-%.3f s", (double)out->start / out->rate_hz,
                             (double)(out->start + out->length) / out->rate_hz);
  return true;
}

bool ingest_resample(struct arena *a, enum ingest_type type, const void *data, int64_t length,
                     int channels, double from_hz, double to_hz, const void **out,
                     int64_t *out_length, struct err *e) {
  if (length < 1 || channels < 1 || channels > INGEST_MAX_CHANNELS || !(from_hz > 0) ||
      !(to_hz > 0) || (uint64_t)length > ((uint64_t)1 << 30) / (size_t)channels)
    return err_set(e, "%lld frames of %d channels from %g Hz to %g Hz: out of range",
                   (long long)length, channels, from_hz, to_hz);
  const struct ingest_options o = {.type = type, .rate_hz = to_hz};
  struct ingest_pipe p = {0};
  bool ok = pipe_begin(&p, &o, channels, from_hz, 1.0, false, e);
  const int64_t room = (int64_t)portion_frames(channels);
  float *frames = arena_alloc(a, (size_t)room * (size_t)channels, sizeof *frames);
  for (int64_t at = 0; ok && at < length; at += room) {
    const int64_t n = length - at < room ? length - at : room;
    for (int64_t i = 0; i < n * channels; i++)
      frames[i] = type == INGEST_INT16 ? (float)((const int16_t *)data)[at * channels + i]
                                       : ((const float *)data)[at * channels + i];
    ok = pipe_push(&p, frames, (size_t)n, e);
  }
  ok = ok && pipe_end(&p, e);
  if (ok && p.out_bytes + 64 > arena_left(a))
    ok = err_set(e, "not enough memory is left for %zu bytes", p.out_bytes);
  if (ok) {
    *out = memcpy(arena_alloc(a, p.out_bytes, 1), p.out, p.out_bytes);
    *out_length = pipe_frames(&p);
  }
  pipe_free(&p);
  return ok;
}
