/* Sound files through libsndfile.
 *
 * libsndfile quietly shortens a WAV whose header promises more than the file holds. A recording that was cut
 * by a full card or a broken copy should not become a training example unseen, so the RIFF chunks are walked
 * here first and the promise is compared with the file. Compressed files are counted while they are read. */
#include "host/ingest/private.h"

#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

static uint32_t le32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* errors: the data chunk of a RIFF file reaches behind the end of the file. A size of 0 or of all ones is
 * what recorders write that could not go back to the header: then the file's end counts. */
static bool check_riff(const char *path, struct err *e) {
  FILE *f = fopen(path, "rb");
  if (!f) return err_set(e, "cannot be opened");
  bool ok = true;
  uint8_t head[12];
  if (fread(head, 1, 12, f) == 12 && memcmp(head, "RIFF", 4) == 0 &&
      memcmp(head + 8, "WAVE", 4) == 0) {
    fseek(f, 0, SEEK_END);
    int64_t end = ftell(f), at = 12;
    uint8_t chunk[8];
    /* Each turn moves at least 8 bytes ahead. */
    while (ok && at + 8 <= end && fseek(f, (long)at, SEEK_SET) == 0 && fread(chunk, 1, 8, f) == 8) {
      int64_t size = le32(chunk + 4), there = end - at - 8;
      if (memcmp(chunk, "data", 4) == 0) {
        if (size != 0 && size != 0xffffffff && size > there)
          ok = err_set(
              e,
              "cut short: its header promises %lld bytes of sound and %lld are there; copy it "
              "again or repair it with `sox IN OUT`",
              (long long)size, (long long)there);
        break;
      }
      at += 8 + size + (size & 1);
    }
  }
  fclose(f);
  return ok;
}

/* Reads all frames into *out (malloc), growing as they come: the header's count is not believed. */
static bool read_frames(SNDFILE *f, const SF_INFO *info, float **out, int64_t *length,
                        struct err *e) {
  const sf_count_t most = (sf_count_t)(INGEST_MAX_BYTES / sizeof(float)) / info->channels;
  sf_count_t room = info->frames > 0 && info->frames < 65536 ? info->frames + 1 : 65536, n = 0;
  float *data = malloc((size_t)room * (size_t)info->channels * sizeof *data);
  if (!data) return err_set(e, "no memory left");
  for (;;) {
    sf_count_t got = sf_readf_float(f, data + n * info->channels, room - n);
    if (got <= 0) break;
    n += got;
    if (n > most) {
      free(data);
      return err_set(e,
                     "longer than %lld frames of %d channels (%zu MiB); cut it into shorter files",
                     (long long)most, info->channels, INGEST_MAX_BYTES >> 20);
    }
    if (n < room) continue;
    room *= 2;
    float *more = realloc(data, (size_t)room * (size_t)info->channels * sizeof *data);
    if (!more) {
      free(data);
      return err_set(e, "no memory left");
    }
    data = more;
  }
  *out = data;
  *length = n;
  return true;
}

static bool check_frames(SNDFILE *f, const SF_INFO *info, const float *data, int64_t length,
                         struct err *e) {
  if (sf_error(f) != SF_ERR_NO_ERROR)
    return err_set(e, "damaged behind frame %lld: %s", (long long)length, sf_strerror(f));
  if (length == 0) return err_set(e, "it holds no sound");
  if (length < info->frames && info->frames != SF_COUNT_MAX)
    return err_set(
        e,
        "cut short: its header promises %lld frames and %lld are there; copy it again or "
        "repair it with `sox IN OUT`",
        (long long)info->frames, (long long)length);
  for (int64_t i = 0; i < length * info->channels; i++) {
    if (!isfinite(data[i]))
      return err_set(e, "frame %lld holds a number that is not finite",
                     (long long)(i / info->channels));
  }
  return true;
}

/* Mean over the channels, in place. */
static void mix_down(float *data, int64_t length, int channels) {
  for (int64_t t = 0; t < length; t++) {
    double sum = 0;
    for (int c = 0; c < channels; c++) sum += (double)data[t * channels + c];
    data[t] = (float)(sum / channels);
  }
}

bool ingest_audio(struct arena *a, const char *path, const struct ingest_options *o,
                  struct ingest_recording **recordings, int *count, struct err *e) {
  SF_INFO info;
  memset(&info, 0, sizeof info);
  if (!check_riff(path, e)) return false;
  SNDFILE *f = sf_open(path, SFM_READ, &info);
  if (!f) return err_set(e, "not a sound file that can be read: %s", sf_strerror(NULL));
  float *data = NULL;
  int64_t length = 0;
  bool ok = true;
  if (info.channels < 1 || info.channels > INGEST_MAX_CHANNELS || info.samplerate < 1 ||
      info.samplerate > 10000000)
    ok = err_set(e, "%d channels at %d Hz: at most %d channels at 10 MHz make sense", info.channels,
                 info.samplerate, INGEST_MAX_CHANNELS);
  ok = ok && read_frames(f, &info, &data, &length, e) && check_frames(f, &info, data, length, e);
  sf_close(f);
  int channels = info.channels;
  if (ok && o->channels == 1 && channels > 1) {
    mix_down(data, length, channels);
    channels = 1;
  }
  if (ok && o->channels > 0 && o->channels != channels)
    ok = err_set(e, "%d channels, and the project has %d (sensor.channels in mote.yaml)", channels,
                 o->channels);
  if (ok) {
    *recordings = ARENA_NEW(a, struct ingest_recording);
    ok = ingest_finish(a, o, data, length, channels, info.samplerate, 32768.0, *recordings, e);
    *count = ok;
  }
  free(data);
  return ok;
}
