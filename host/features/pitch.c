/* The kind "pitch": its words, limits and parameters.
 *
 * features_config: low_hz and high_hz are the lowest and the highest pitch, voicing the least share of a frame that must
 * repeat, floor_db the level below which nothing is looked for. */
#include "host/features/private.h"

#include <math.h>

#define PERIODS   3 /* of the lowest pitch in a frame by default; 2 are needed */
#define MOST_THIN 32

const struct features_word features_pitch_words[] = {
    {"pitch", MOTE_PITCH_PITCH}, {"voicing", MOTE_PITCH_VOICING}, {"level", MOTE_PITCH_LEVEL}, {0}};

const char *features_pitch_name(const struct mote_pitch *p, int k) {
  for (int i = 0; features_pitch_words[i].word; i++)
    if (p->values & features_pitch_words[i].bit && k-- == 0) return features_pitch_words[i].word;
  return "pitch";
}

size_t features_pitch_values(const struct mote_features *f, double unit, const int32_t *v,
                             double *out) {
  const struct mote_pitch *const p = mote_at(f, f->params_at);
  size_t n = 0;
  if (p->values & MOTE_PITCH_PITCH)
    out[n] = v[n] == MOTE_PITCH_NONE ? 0 : p->low_hz * exp2(v[n] / 1048576.0), n++;
  if (p->values & MOTE_PITCH_VOICING) out[n] = v[n] / 1048576.0, n++;
  if (p->values & MOTE_PITCH_LEVEL)
    out[n] = v[n] / 1048576.0 * 10 * log10(2) + 20 * log10(unit), n++;
  return n;
}

/* A voice where there is sound; elsewhere what repeats three times in a window: steps, strokes, breaths. */
void features_pitch_defaults(struct features_config *c, struct text *why) {
  const bool sound = c->rate_hz >= 4000;
  const double window_s = c->window_ms / 1000;
  c->low_hz = sound ? 75 : fmax(PERIODS / window_s, c->rate_hz / 4000);
  c->high_hz = sound ? 500 : fmin(c->rate_hz / 8, 16 * c->low_hz);
  c->frame_ms = fmin(1000 * PERIODS / c->low_hz, c->window_ms);
  c->hop_ms = sound ? 20 : c->frame_ms / 4;
  if (c->hop_ms * c->rate_hz < 1000) c->hop_ms = 1000 / c->rate_hz;
  c->values = MOTE_PITCH_PITCH | MOTE_PITCH_VOICING;
  c->voicing = 0.5;
  c->decimate = c->moving = 1;
  if (why)
    text_printf(why,
                "Pitch from %.3g to %.3g Hz%s in frames of %g ms, %d periods of the lowest, every "
                "%g ms, and how surely a frame repeats at all: a melody, an intonation, a rhythm "
                "of movement, whatever the timbre.",
                c->low_hz, c->high_hz, sound ? " (voices)" : "", c->frame_ms, PERIODS, c->hop_ms);
}

static int first_of(const struct features_config *c) { return (int)floor(c->rate_hz / c->high_hz); }
static int last_of(const struct features_config *c) { return (int)ceil(c->rate_hz / c->low_hz); }

/* The first look has at least eight samples for the highest pitch. */
static int ratio_of(const struct features_config *c) {
  const int ratio = first_of(c) / 8;
  return ratio < 1 ? 1 : ratio > MOST_THIN ? MOST_THIN : ratio;
}

bool features_check_pitch(const struct features_config *c, struct err *e) {
  const int frame = features_frame_samples(c);
  if (!c->values || c->values > MOTE_PITCH_ALL)
    return features_refuse(e, "values", "at least one is needed");
  if (!(c->high_hz <= c->rate_hz / 4) || !(c->high_hz > 0))
    return features_refuse(e, "high_hz", "%g Hz; up to a quarter of the rate (%g Hz) works",
                           c->high_hz, c->rate_hz / 4);
  if (!(c->low_hz > 0) || !(c->low_hz < c->high_hz))
    return features_refuse(e, "low_hz", "a pitch from %g to %g Hz; above 0, low below high, works",
                           c->low_hz, c->high_hz);
  if (2 * (c->rate_hz / c->low_hz) > INT16_MAX || frame < 2 * last_of(c) + 16)
    return features_refuse(e, "frame_ms",
                           "a frame of %d samples; the lowest pitch, %g Hz, needs two periods of "
                           "it: %.0f samples, of at most 32,767",
                           frame, c->low_hz, 2 * ceil(c->rate_hz / c->low_hz) + 16);
  const int ratio = ratio_of(c);
  if (frame / ratio < last_of(c) / ratio + 20)
    return features_refuse(e, "frame_ms", "a frame of %d samples is too short for %g to %g Hz",
                           frame, c->low_hz, c->high_hz);
  if (!(c->voicing >= 0) || !(c->voicing <= 1))
    return features_refuse(e, "voicing", "%g; 0 to 1 works", c->voicing);
  if (c->floor_db < -60 || c->floor_db > 90)
    return features_refuse(e, "floor_db", "%g dB; -60 to 90 works", c->floor_db);
  return true;
}

size_t features_pitch_params(const struct features_config *c, uint8_t *out) {
  struct mote_pitch *const p = (struct mote_pitch *)(void *)out;
  const int ratio = ratio_of(c);
  *p = (struct mote_pitch){
      .values = (uint16_t)c->values,
      .first = (uint16_t)first_of(c),
      .last = (uint16_t)last_of(c),
      .ratio = (uint8_t)ratio,
      .low_hz = (float)c->low_hz,
      .origin = (int32_t)floor(1048576 * log2(c->rate_hz / (double)(float)c->low_hz) + 0.5),
      .voiced = (int32_t)floor(1048576 * c->voicing + 0.5),
      .floor = (int32_t)floor(1048576 * c->floor_db / (10 * log10(2)) + 0.5)};
  while (1 << p->bits < 4 * ratio * ratio) p->bits++;
  return sizeof *p;
}
