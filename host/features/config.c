/* Configurations: words, defaults with their reasons, and the limits that a block must keep. */
#include "host/features/features.h"
#include "host/features/private.h"

#include <math.h>
#include <string.h>

static const struct {
  const char *word, *text;
} kinds[] =
    {
#define X(name, word, text) {word, text},
        FEATURES_KIND_LIST(X)
#undef X
},
  normalises[] = {
#define X(name, word, text) {word, text},
      FEATURES_NORMALISE_LIST(X)
#undef X
};

const char *features_kind_name(enum features_kind kind) {
  return (unsigned)kind < FEATURES_KIND_COUNT ? kinds[kind].word : "?";
}

const char *features_kind_text(enum features_kind kind) {
  return (unsigned)kind < FEATURES_KIND_COUNT ? kinds[kind].text : "?";
}

const char *features_normalise_name(enum features_normalise normalise) {
  return (unsigned)normalise < FEATURES_NORMALISE_COUNT ? normalises[normalise].word : "?";
}

bool features_kind_from(const char *word, enum features_kind *kind) {
  for (int i = 0; word && i < FEATURES_KIND_COUNT; i++)
    if (strcmp(word, kinds[i].word) == 0) {
      *kind = (enum features_kind)i;
      return true;
    }
  return false;
}

bool features_normalise_from(const char *word, enum features_normalise *normalise) {
  for (int i = 0; word && i < FEATURES_NORMALISE_COUNT; i++)
    if (strcmp(word, normalises[i].word) == 0) {
      *normalise = (enum features_normalise)i;
      return true;
    }
  return false;
}

/* ---- defaults -------------------------------------------------------------- */

static int power_of_two_from(double n) {
  int p = FEATURES_FFT_MIN;
  while (p < n && p < FEATURES_FFT_MAX) p *= 2;
  return p;
}

static void say(struct text *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *why, const char *format, ...) {
  if (!why) return;
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text_add(why, line);
}

static void defaults_speech(struct features_config *c, struct text *why) {
  c->frame_ms = 32;
  c->hop_ms = 20;
  c->fft_size = power_of_two_from(c->rate_hz * c->frame_ms / 1000);
  c->bands = 40;
  c->low_hz = 60;
  c->high_hz = c->rate_hz / 2 < 7600 ? 0.475 * c->rate_hz : 7600;
  c->normalise = FEATURES_NORMALISE_MEAN;
  c->floor_db = 0;
  if (c->kind == FEATURES_MFCC) {
    c->coefficients = 13;
  } else {
    c->range_db = 45;
  }
  /* Few points a second: as many bands as the spectrum can tell apart. */
  const double bins = (c->high_hz - c->low_hz) * c->fft_size / c->rate_hz;
  while (c->bands > 4 && c->bands > bins / 2) c->bands /= 2;
  if (c->coefficients > c->bands) c->coefficients = c->bands;
  say(why,
      "Frames of %g ms every %g ms: long enough to tell the formants of a voice apart, short "
      "enough for a "
      "plosive. %d mel bands from %g to %g Hz follow the ear's resolution; below lies hum. ",
      c->frame_ms, c->hop_ms, c->bands, c->low_hz, c->high_hz);
  say(why,
      "Each band's mean over the window is taken off, so that loudness, microphone and much of the "
      "speaker's timbre do not count.%s",
      c->kind == FEATURES_MFCC ? ""
                               : " Values more than 45 dB below the window's loudest are raised to "
                                 "that, so that silence looks the same in every recording.");
}

static void defaults_spectrum(struct features_config *c, struct text *why) {
  const double samples = c->rate_hz * c->window_ms / 1000;
  double frame = 16;
  while (frame * 2 <= samples / 4 && frame < 512) frame *= 2;
  c->frame_ms = frame * 1000 / c->rate_hz;
  c->hop_ms = c->frame_ms / 2;
  c->fft_size = power_of_two_from(frame);
  c->bands = c->fft_size >= 128 ? 32 : c->fft_size / 4;
  c->low_hz = 0.5 * c->rate_hz / c->fft_size;
  c->high_hz = c->rate_hz / 2;
  c->floor_db = -10;
  c->normalise = FEATURES_NORMALISE_NONE;
  say(why,
      "Frames of %g samples, half overlapping: fine enough for lines of %g Hz, and several in a "
      "window, so that "
      "change shows. %d even bands: a machine's lines lie at multiples, not on a scale for ears. "
      "Levels are kept: "
      "how strong a vibration is matters.",
      frame, c->rate_hz / c->fft_size, c->bands);
}

static void defaults_statistics(struct features_config *c, struct text *why) {
  const double samples = c->rate_hz * c->window_ms / 1000;
  c->frame_ms = 0;
  c->hop_ms = 0;
  c->normalise = FEATURES_NORMALISE_NONE;
  c->floor_db = -10;
  if (samples > FEATURES_FFT_MAX) {
    c->frame_ms = 1024 * 1000 / c->rate_hz;
    c->hop_ms = c->frame_ms;
  }
  const double frame = samples > FEATURES_FFT_MAX ? 1024 : samples;
  if (frame >= 16) {
    c->fft_size = power_of_two_from(frame);
    c->bands = c->fft_size >= 64 ? 12 : 4;
    c->low_hz = 0.5 * c->rate_hz / c->fft_size;
    c->high_hz = c->rate_hz / 2;
    while (c->fft_size / c->bands > 256) c->bands *= 2;
  }
  say(why,
      "Eight numbers of each channel (mean, deviation, RMS, least, most, span, crossings, step) "
      "say how a sensor "
      "lies and how much it moves%s.",
      c->bands ? "; the bands of its spectrum say how fast" : "");
}

static void defaults_spectral(struct features_config *c, struct text *why) {
  const double samples = c->rate_hz * c->window_ms / 1000;
  c->fft_size = 16;
  while (c->fft_size * 8 <= samples && c->fft_size < 64) c->fft_size *= 2;
  c->values =
      MOTE_SPECTRAL_RMS | MOTE_SPECTRAL_SKEWNESS | MOTE_SPECTRAL_KURTOSIS | MOTE_SPECTRAL_POWERS;
  c->overlap = true;
  c->decimate = 1;
  c->peaks = 3;
  c->order = 6;
  c->floor_db = -20;
  c->moving = 1;
  say(why,
      "RMS, skewness and kurtosis of each channel, and the largest power that frames of %d samples "
      "have in each of %d frequencies: how strong a movement is and how fast, wherever in the "
      "window it lies.",
      c->fft_size, c->fft_size / 2);
}

static void defaults_flatten(struct features_config *c, struct text *why) {
  c->values =
      MOTE_FLATTEN_ALL & ~(MOTE_FLATTEN_CROSSINGS | MOTE_FLATTEN_ZEROS | MOTE_FLATTEN_MOVING);
  if (c->rate_hz * c->window_ms / 1000 > INT16_MAX) {
    c->frame_ms = 16384 * 1000 / c->rate_hz;
    c->hop_ms = c->frame_ms;
  }
  c->decimate = 1;
  c->moving = 1;
  say(why, "Average, extremes, RMS, deviation, skewness and kurtosis of each channel: what a slow "
           "sensor says, whatever the order.");
}

void features_defaults(enum features_kind kind, double rate_hz, int channels, double window_ms,
                       struct features_config *c, struct text *why) {
  *c = (struct features_config){
      .kind = kind, .rate_hz = rate_hz, .channels = channels, .window_ms = window_ms};
  if (!(rate_hz > 0) || !(window_ms > 0) || !isfinite(rate_hz) || !isfinite(window_ms)) return;
  switch (kind) {
  case FEATURES_LOGMEL:
  case FEATURES_MFCC:
    defaults_speech(c, why);
    c->pre_emphasis = 0.98;
    c->sliding = 101;
    break;
  case FEATURES_MFE:
  case FEATURES_SPECTROGRAM:
    features_defaults_audio(c);
    while (c->rate_hz * c->frame_ms / 1000 > c->fft_size && c->fft_size < FEATURES_FFT_MAX)
      c->fft_size *= 2;
    say(why,
        "Frames of %g ms every %g ms; powers between a noise floor of %g dB and 12 dB become 0 to "
        "1, so loudness counts.",
        c->frame_ms, c->hop_ms, c->noise_floor_db);
    break;
  case FEATURES_SPECTRUM: defaults_spectrum(c, why); break;
  case FEATURES_STATISTICS: defaults_statistics(c, why); break;
  case FEATURES_SPECTRAL:
    defaults_spectral(c, why);
    if (rate_hz * window_ms / 1000 > INT16_MAX) c->frame_ms = c->hop_ms = 16384 * 1000 / rate_hz;
    break;
  case FEATURES_FLATTEN: defaults_flatten(c, why); break;
  case FEATURES_WAVELET: features_wavelet_defaults(c, why); break;
  case FEATURES_HEART: features_heart_defaults(c, why); break;
  case FEATURES_IMAGE: features_image_defaults(c, why); break;
  case FEATURES_MICRO: features_micro_defaults(c, why); break;
  case FEATURES_PITCH: features_pitch_defaults(c, why); break;
  case FEATURES_RAW:
  case FEATURES_KIND_COUNT:
    c->frame_ms = c->hop_ms = 1000 / rate_hz;
    say(why, "Every sample of every channel, scaled to int8: the network finds its own features.");
    break;
  }
}

/* ---- limits ---------------------------------------------------------------- */

bool features_refuse(struct err *e, const char *field, const char *format, ...) {
  char line[900];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  err_node(e, "%s", field);
  return err_set(e, "%s", line);
}

/* A line through columns means something where neighbours are neighbours on a scale. */
static bool check_normalise(const struct features_config *c, struct err *e) {
  if (c->normalise == FEATURES_NORMALISE_SLIDING) {
    if (c->kind != FEATURES_MFCC) return features_refuse(e, "normalise", "sliding works for mfcc");
    if (c->sliding < 1 || c->sliding > 1001 || c->sliding % 2 == 0)
      return features_refuse(e, "sliding", "%d rows; odd numbers from 1 to 1001 work", c->sliding);
  }
  if (c->normalise != FEATURES_NORMALISE_TILT) return true;
  const bool bands = c->kind == FEATURES_LOGMEL || c->kind == FEATURES_SPECTRUM;
  if (!bands || c->channels != 1 || c->bands > 256)
    return features_refuse(e, "normalise",
                           "tilt works for up to 256 bands of one channel (logmel, spectrum)");
  return true;
}

static bool check_numbers(const struct features_config *c, struct err *e) {
  const double all[] = {c->rate_hz, c->window_ms, c->frame_ms, c->hop_ms,
                        c->low_hz,  c->high_hz,   c->range_db, c->floor_db};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!isfinite(all[i])) return features_refuse(e, "features", "a number is not finite");
  if ((unsigned)c->kind >= FEATURES_KIND_COUNT)
    return features_refuse(e, "kind", "unknown kind %d", (int)c->kind);
  if ((unsigned)c->normalise >= FEATURES_NORMALISE_COUNT)
    return features_refuse(e, "normalise", "unknown normalisation %d", (int)c->normalise);
  if (c->rate_hz <= 0 || c->rate_hz > 1e6)
    return features_refuse(e, "rate_hz", "%g Hz; from above 0 to 1,000,000 works", c->rate_hz);
  if (c->channels < 1 || c->channels > 256)
    return features_refuse(e, "channels", "%d; 1 to 256 work", c->channels);
  if (c->stride &&
      (c->stride < c->channels || c->stride > 256 || c->channels > FEATURES_MAX_CHANNELS))
    return features_refuse(e, "channels", "%d of %d channels; up to %d of 256 work", c->channels,
                           c->stride, FEATURES_MAX_CHANNELS);
  for (int i = 0; c->stride && i < c->channels; i++)
    if (c->select[i] >= c->stride)
      return features_refuse(e, "channels", "channel %d of %d does not exist", c->select[i] + 1,
                             c->stride);
  const int window = features_samples_of(c->window_ms, c->rate_hz);
  if (window < 1)
    return features_refuse(e, "window_ms",
                           "%g ms at %g Hz is no window; 1 to 16,777,215 samples work",
                           c->window_ms, c->rate_hz);
  return true;
}

static bool check_frames(const struct features_config *c, struct err *e) {
  const int window = features_samples_of(c->window_ms, c->rate_hz);
  const int frame = features_frame_samples(c), hop = features_hop_samples(c);
  if (c->frame_ms < 0 || frame < 1 || frame > INT16_MAX)
    return features_refuse(e, "frame_ms", "%g ms at %g Hz is %d samples; 1 to 32,767 work",
                           c->frame_ms, c->rate_hz, frame);
  if (frame > window)
    return features_refuse(e, "frame_ms", "a frame of %d samples is longer than the window of %d",
                           frame, window);
  if (c->hop_ms < 0 || hop < 1 || hop > 65535)
    return features_refuse(e, "hop_ms", "%g ms at %g Hz is %d samples; 1 to 65,535 work", c->hop_ms,
                           c->rate_hz, hop);
  const int64_t rows = features_rows(c);
  if (rows > 65535)
    return features_refuse(e, "hop_ms",
                           "%lld frames in a window; at most 65,535 work: take a longer hop",
                           (long long)rows);
  return true;
}

static bool check_lifter(const struct features_config *c, struct err *e) {
  if (c->lifter < 0 || c->lifter > 255 || (c->lifter && c->kind != FEATURES_MFCC))
    return features_refuse(e, "lifter", "%d; 0 (off) to 255 works, for mfcc", c->lifter);
  if (c->lifter && c->lifter < c->coefficients - 1) /* a shorter one turns signs */
    return features_refuse(e, "lifter",
                           "%d; 0 (off) or at least the last coefficient's number (%d) works",
                           c->lifter, c->coefficients - 1);
  return true;
}

static bool check_spectrum(const struct features_config *c, struct err *e) {
  const int frame = features_frame_samples(c), fft = c->fft_size;
  if (fft < FEATURES_FFT_MIN || fft > FEATURES_FFT_MAX || (fft & (fft - 1)))
    return features_refuse(e, "fft_size", "%d; a power of two from %d to %d works", fft,
                           FEATURES_FFT_MIN, FEATURES_FFT_MAX);
  if (fft < frame && !features_is_emphasised(c))
    return features_refuse(e, "fft_size", "%d is less than the %d samples of a frame; take %d%s",
                           fft, frame, power_of_two_from(frame),
                           frame > FEATURES_FFT_MAX ? " and a shorter frame" : "");
  if (frame < 4)
    return features_refuse(e, "frame_ms", "a frame of %d samples has no spectrum; at least 4",
                           frame);
  const double high = features_high_hz(c);
  if (c->low_hz < 0 || high > c->rate_hz / 2 || c->low_hz >= high)
    return features_refuse(
        e, "low_hz", "bands from %g to %g Hz; 0 to half of the rate (%g Hz), low below high, work",
        c->low_hz, high, c->rate_hz / 2);
  if (c->kind == FEATURES_SPECTROGRAM ? c->bands != 0 : c->bands < 1 || c->bands > fft / 2)
    return features_refuse(e, "bands", "%d; 1 to %d work with an FFT of %d", c->bands, fft / 2,
                           fft);
  if (c->kind == FEATURES_MFCC &&
      (c->coefficients < 1 || c->coefficients > c->bands || c->bands > 64))
    return features_refuse(e, "coefficients",
                           "%d of %d bands; 1 to the bands' number, of at most 64 bands, work",
                           c->coefficients, c->bands);
  if (c->floor_db < -60 || c->floor_db > 90)
    return features_refuse(e, "floor_db", "%g dB; -60 to 90 works", c->floor_db);
  if (features_is_emphasised(c) && !features_check_audio(c, e)) return false;
  return features_check_bands(c, e);
}

/* Flatness has no loudness, so nothing that measures from the loudest value or across the bands goes with it. */
static bool check_flatness(const struct features_config *c, struct err *e) {
  if (!features_has_flatness(c)) return true;
  if (c->range_db > 0)
    return features_refuse(e, "range_db", "%g dB: flatness has no range; use 0", c->range_db);
  if (c->normalise != FEATURES_NORMALISE_NONE && c->normalise != FEATURES_NORMALISE_MEAN)
    return features_refuse(e, "normalise", "none and mean work with flatness, %s does not",
                           features_normalise_name(c->normalise));
  return true;
}

/* What comes back as sound is frames of two hops, of which nothing else was taken off. */
static bool check_half_sine(const struct features_config *c, struct err *e) {
  if (!c->half_sine) return true;
  if (features_has_flatness(c))
    return features_refuse(e, "values", "sound comes back from levels alone, without flatness");
  if (c->kind != FEATURES_LOGMEL && c->kind != FEATURES_SPECTRUM)
    return features_refuse(e, "kind", "%s cannot come back as sound; logmel and spectrum can",
                           features_kind_name(c->kind));
  if (features_frame_samples(c) != 2 * features_hop_samples(c))
    return features_refuse(e, "hop_ms",
                           "frames of %d samples, one every %d: sound comes back from frames of "
                           "two hops, such as frame_ms %g with hop_ms %g",
                           features_frame_samples(c), features_hop_samples(c), 2 * c->hop_ms,
                           c->hop_ms);
  if (c->normalise != FEATURES_NORMALISE_NONE || c->range_db > 0)
    return features_refuse(e, c->range_db > 0 ? "range_db" : "normalise",
                           "a window's own level is not known while sound passes: normalise: none "
                           "and range_db: 0 work");
  if (c->channels != 1 || c->stride > 1 || c->front.on)
    return features_refuse(e, "channels", "one channel alone comes back as sound");
  return true;
}

bool features_check(const struct features_config *c, struct err *e) {
  if (!check_numbers(c, e)) return false;
  if (c->kind == FEATURES_IMAGE && c->front.on)
    return features_refuse(e, "front", "nothing stands in front of pictures");
  if (c->kind == FEATURES_IMAGE) return features_check_image(c, e);
  if (!features_check_front(c, e) || !check_frames(c, e)) return false;
  const bool spectrum = features_has_spectrum(c);
  if (c->range_db < 0 || c->range_db > 120)
    return features_refuse(e, "range_db", "%g dB; 0 (off) to 120 works", c->range_db);
  if (c->range_db > 0 && c->kind != FEATURES_LOGMEL && c->kind != FEATURES_SPECTRUM)
    return features_refuse(e, "range_db", "%g dB: %s features have no range; use 0", c->range_db,
                           features_kind_name(c->kind));
  if (spectrum && !check_spectrum(c, e)) return false;
  if (c->kind == FEATURES_SPECTRAL && !features_check_spectral(c, e)) return false;
  if (c->kind == FEATURES_FLATTEN && !features_check_flatten(c, e)) return false;
  if (c->kind == FEATURES_WAVELET && !features_check_wavelet(c, e)) return false;
  if (c->kind == FEATURES_HEART && !features_check_heart(c, e)) return false;
  if (c->kind == FEATURES_MICRO && !features_check_micro(c, e)) return false;
  if (c->kind == FEATURES_PITCH && !features_check_pitch(c, e)) return false;
  if (features_has_params(c) && c->normalise != FEATURES_NORMALISE_NONE)
    return features_refuse(e, "normalise", "%s features are not normalised; none works",
                           features_kind_name(c->kind));
  if (!check_normalise(c, e) || !check_lifter(c, e) || !check_flatness(c, e) ||
      !check_half_sine(c, e))
    return false;
  const int64_t rows = features_rows(c);
  if (features_columns(c) > 65535)
    return features_refuse(e, "fft_size", "%d values of a frame; at most 65,535 work",
                           features_columns(c));
  const int64_t values = rows * features_columns(c);
  if (values > 1 << 20)
    return features_refuse(e, "window_ms", "%lld values in a window; at most 1,048,576 work",
                           (long long)values);
  return true;
}
