/* From the frames of a file to the rate and type that are wanted. */
#include "host/ingest/private.h"

#include <math.h>
#include <soxr.h>
#include <string.h>

/* soxr at its high quality (20 bits), one thread: the same numbers on every run. */
static bool convert(struct arena *a, const float *in, int64_t length, int channels, double from_hz,
                    double to_hz, float **out, int64_t *out_length, struct err *e) {
  double wanted = ceil((double)length * to_hz / from_hz) + 16;
  if (!(wanted * channels * 4 <= (double)INGEST_MAX_BYTES))
    return err_set(
        e,
        "%g Hz to %g Hz gives %.0f frames, more than a recording may have (%zu MiB); cut it "
        "into shorter files",
        from_hz, to_hz, wanted, INGEST_MAX_BYTES >> 20);
  size_t room = (size_t)wanted, done = 0;
  if (room * (size_t)channels * 4 + 64 > arena_left(a))
    return err_set(e, "not enough memory is left for %zu frames", room);
  *out = ARENA_ARRAY(a, float, room *(size_t)channels);
  soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  soxr_runtime_spec_t threads = soxr_runtime_spec(1);
  soxr_error_t failed = soxr_oneshot(from_hz, to_hz, (unsigned)channels, in, (size_t)length, NULL,
                                     *out, room, &done, NULL, &quality, &threads);
  if (failed)
    return err_set(e, "%g Hz cannot be converted to %g Hz: %s", from_hz, to_hz,
                   soxr_strerror(failed));
  if (done == 0)
    return err_set(e, "%lld frames at %g Hz are too short to become even one at %g Hz",
                   (long long)length, from_hz, to_hz);
  *out_length = (int64_t)done;
  return true;
}

static int16_t to_int16(double value, int64_t *clipped) {
  double rounded = nearbyint(value);
  if (rounded > 32767) return (*clipped)++, (int16_t)32767;
  if (rounded < -32768) return (*clipped)++, (int16_t)-32768;
  return (int16_t)rounded;
}

bool ingest_finish(struct arena *a, const struct ingest_options *o, const float *frames,
                   int64_t length, int channels, double from_hz, double scale,
                   struct ingest_recording *r, struct err *e) {
  const float *final = frames;
  float *converted = NULL;
  memset(r, 0, sizeof *r);
  r->type = o->type;
  r->source_rate_hz = from_hz;
  r->rate_hz = o->rate_hz > 0 ? o->rate_hz : from_hz;
  r->channels = channels;
  r->length = length;
  r->part = "";
  if (fabs(r->rate_hz - from_hz) > 1e-9 * from_hz) {
    if (!convert(a, frames, length, channels, from_hz, r->rate_hz, &converted, &r->length, e))
      return false;
    final = converted;
  }
  size_t n = (size_t)r->length * (size_t)channels;
  if (n * 4 > INGEST_MAX_BYTES)
    return err_set(
        e,
        "%lld frames of %d channels are more than a recording may have (%zu MiB); cut it "
        "into shorter files",
        (long long)r->length, channels, INGEST_MAX_BYTES >> 20);
  if (n * 4 + 64 > arena_left(a)) return err_set(e, "not enough memory is left for %zu numbers", n);
  if (o->type == INGEST_FLOAT32) {
    float *out = ARENA_ARRAY(a, float, n);
    memcpy(out, final, n * sizeof *out);
    r->data = out;
    return true;
  }
  int16_t *out = ARENA_ARRAY(a, int16_t, n);
  for (size_t i = 0; i < n; i++) out[i] = to_int16((double) final[i] * scale, &r->clipped);
  r->data = out;
  return true;
}

bool ingest_resample(struct arena *a, enum ingest_type type, const void *data, int64_t length,
                     int channels, double from_hz, double to_hz, const void **out,
                     int64_t *out_length, struct err *e) {
  if (length < 1 || channels < 1 || channels > INGEST_MAX_CHANNELS || !(from_hz > 0) ||
      !(to_hz > 0) || (uint64_t)length > INGEST_MAX_BYTES / 4 / (size_t)channels)
    return err_set(e, "%lld frames of %d channels from %g Hz to %g Hz: out of range",
                   (long long)length, channels, from_hz, to_hz);
  size_t n = (size_t)length * (size_t)channels;
  const float *frames = data;
  if (type == INGEST_INT16) {
    if (n * 4 + 64 > arena_left(a))
      return err_set(e, "not enough memory is left for %zu numbers", n);
    float *widened = ARENA_ARRAY(a, float, n);
    for (size_t i = 0; i < n; i++) widened[i] = (float)((const int16_t *)data)[i];
    frames = widened;
  }
  struct ingest_options o = {.type = type, .rate_hz = to_hz};
  struct ingest_recording r;
  if (!ingest_finish(a, &o, frames, length, channels, from_hz, 1.0, &r, e)) return false;
  *out = r.data;
  *out_length = r.length;
  return true;
}
