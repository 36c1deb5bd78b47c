/* The microphone, through ALSA; its "default" device is PulseAudio's or PipeWire's where those run. */
#include "host/record/private.h"

#include <alsa/asoundlib.h>
#include <string.h>

#define LATENCY_US 200000
#define PIECE      1024 /* frames of a read: 64 ms at 16 kHz */

/* ALSA writes what it misses to standard error; a library does not. What it said last goes into the error. */
static char last_words[160];
static void listen(const char *file, int line, const char *function, int code, const char *format,
                   ...) {
  (void)file, (void)line, (void)function, (void)code;
  va_list args;
  va_start(args, format);
  vsnprintf(last_words, sizeof last_words, format, args);
  va_end(args);
}

static bool open_device(struct recorder *r, snd_pcm_t **pcm, struct err *e) {
  const struct record_request *q = r->q;
  last_words[0] = 0;
  snd_lib_error_set_handler(listen);
  int code = snd_pcm_open(pcm, q->port, SND_PCM_STREAM_CAPTURE, 0);
  if (code < 0) {
    err_file(e, q->port);
    return err_set(
        e,
        "no microphone: %s%s%s; `arecord -L` lists devices for --device, and --stdin takes "
        "sound from another program",
        snd_strerror(code), last_words[0] ? ": " : "", last_words);
  }
  code = snd_pcm_set_params(*pcm, SND_PCM_FORMAT_S16, SND_PCM_ACCESS_RW_INTERLEAVED,
                            (unsigned)q->channels, (unsigned)(q->rate_hz + 0.5), 1, LATENCY_US);
  if (code >= 0) return true;
  snd_pcm_close(*pcm);
  err_file(e, q->port);
  return err_set(e, "the device does not give %d channels at %g Hz: %s%s%s", q->channels,
                 q->rate_hz, snd_strerror(code), last_words[0] ? ": " : "", last_words);
}

/* false: the device is gone. */
static bool read_piece(struct recorder *r, snd_pcm_t *pcm, int16_t *frames) {
  const snd_pcm_sframes_t n = snd_pcm_readi(pcm, frames, PIECE);
  if (n > 0) {
    record_add_int16(r, frames, n);
    return true;
  }
  if (n == -EAGAIN || n == -EINTR || n == 0) return true;
  r->out->overruns += n == -EPIPE;
  return snd_pcm_recover(pcm, (int)n, 1) >= 0;
}

bool record_sound(struct recorder *r, struct err *e) {
  snd_pcm_t *pcm = NULL;
  if (!open_device(r, &pcm, e)) return false;
  int16_t *frames = ARENA_ARRAY(r->arena, int16_t, PIECE * r->q->channels);
  if (r->q->opened) r->q->opened(r->q->context, r->q->port, 0);
  r->out->ended = RECORD_END_INPUT;
  bool there = true;
  while (there && !record_is_over(r, record_now_s())) {
    /* Waiting does not start a capture, and after an overrun it is prepared only. */
    if (snd_pcm_state(pcm) == SND_PCM_STATE_PREPARED) (void)snd_pcm_start(pcm);
    const int waited = snd_pcm_wait(pcm, 100);
    there =
        waited >= 0 || waited == -EPIPE || waited == -EINTR || snd_pcm_recover(pcm, waited, 1) >= 0;
    if (waited != 0) there = there && read_piece(r, pcm, frames);
    record_tell(r, record_now_s());
  }
  snd_pcm_close(pcm);
  snd_config_update_free_global();
  return true;
}
