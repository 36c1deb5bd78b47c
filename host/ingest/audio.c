/* Sound files through libsndfile.
 *
 * libsndfile quietly shortens a WAV whose header promises more than the file holds. A recording that was cut
 * by a full card or a broken copy should not become a training example unseen, so the RIFF chunks are walked
 * here first and the promise is compared with the file. Compressed files are counted while they are read.
 *
 * 8 to 32 bits, float and double come out as float in [-1, 1]: int16 is exact, 24 bits are rounded to 24. */
#include "host/ingest/private.h"

#include <sndfile.h>
#include <stdio.h>
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

struct audio {
  SNDFILE *file;
  SF_INFO info;
  int64_t frames; /* read so far */
  struct ingest_pipe pipe;
  bool ended;
};

static bool audio_open(struct ingest_reader *r, struct err *e) {
  struct audio *s = ARENA_NEW(r->arena, struct audio);
  r->state = s;
  if (!check_riff(r->path, e)) return false;
  s->file = sf_open(r->path, SFM_READ, &s->info);
  if (!s->file) return err_set(e, "not a sound file that can be read: %s", sf_strerror(NULL));
  const SF_INFO *info = &s->info;
  if (info->channels < 1 || info->channels > INGEST_MAX_CHANNELS || info->samplerate < 1 ||
      info->samplerate > 10000000)
    return err_set(e, "%d channels at %d Hz: at most %d channels at 10 MHz make sense",
                   info->channels, info->samplerate, INGEST_MAX_CHANNELS);
  return pipe_begin(&s->pipe, r->o, info->channels, info->samplerate, 32768.0, true, e);
}

/* The header's count is not believed, but a file that holds less than it promises is refused. */
static bool audio_ended(const struct audio *s, struct err *e) {
  if (sf_error(s->file) != SF_ERR_NO_ERROR)
    return err_set(e, "damaged behind frame %lld: %s", (long long)s->frames, sf_strerror(s->file));
  if (s->frames == 0) return err_set(e, "it holds no sound");
  if (s->frames < s->info.frames && s->info.frames != SF_COUNT_MAX)
    return err_set(
        e,
        "cut short: its header promises %lld frames and %lld are there; copy it again or "
        "repair it with `sox IN OUT`",
        (long long)s->info.frames, (long long)s->frames);
  return true;
}

static int64_t audio_frames(void *state, float *frames, int64_t room, struct err *e) {
  struct audio *s = state;
  const sf_count_t got = sf_readf_float(s->file, frames, room);
  if (got <= 0) return audio_ended(s, e) ? 0 : -1;
  s->frames += got;
  return got;
}

static bool audio_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                       struct err *e) {
  struct audio *s = r->state;
  return pipe_piece(r, &s->pipe, audio_frames, s, &s->ended, out, there, e);
}

static void audio_close(struct ingest_reader *r) {
  struct audio *s = r->state;
  if (!s) return;
  if (s->file) sf_close(s->file);
  pipe_free(&s->pipe);
}

const struct ingest_format ingest_audio = {"sound", audio_open, audio_next, audio_close};
