/* The kind "heart": its words, limits and parameters.
 *
 * The numbers of the detector are Elgendi's (see mote/dsp/beats.h), but the level is that of the last ten seconds, so that a
 * recording may grow louder. The band pass is causal, of 4th order on each side for an ECG and 2nd for a PPG; its delay
 * at the middle of the band is taken off each beat's place. */
#include "host/features/private.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

#define LF_HZ  0.04
#define MID_HZ 0.15
#define HF_HZ  0.4

const struct features_word features_heart_words[] = {{"rate", MOTE_HEART_RATE},
                                                     {"sdnn", MOTE_HEART_SDNN},
                                                     {"rmssd", MOTE_HEART_RMSSD},
                                                     {"pnn50", MOTE_HEART_PNN50},
                                                     {"shortest", MOTE_HEART_SHORTEST},
                                                     {"longest", MOTE_HEART_LONGEST},
                                                     {"lf", MOTE_HEART_LF},
                                                     {"hf", MOTE_HEART_HF},
                                                     {"lf_hf", MOTE_HEART_LF_HF},
                                                     {"beats", MOTE_HEART_BEATS},
                                                     {"irregular", MOTE_HEART_IRREGULAR},
                                                     {"before", MOTE_HEART_BEFORE},
                                                     {"behind", MOTE_HEART_BEHIND},
                                                     {"interval", MOTE_HEART_INTERVAL},
                                                     {"offset", MOTE_HEART_OFFSET},
                                                     {"likeness", MOTE_HEART_LIKENESS},
                                                     {"energy", MOTE_HEART_ENERGY},
                                                     {"ahead", MOTE_HEART_AHEAD},
                                                     {"width", MOTE_HEART_WIDTH},
                                                     {"widening", MOTE_HEART_WIDENING},
                                                     {0}};

const char *features_heart_name(const struct mote_heart *p, int k) {
  static const char *const names[] = {"heart rate",
                                      "SDNN",
                                      "RMSSD",
                                      "pNN50",
                                      "shortest interval",
                                      "longest interval",
                                      "LF power",
                                      "HF power",
                                      "LF/HF",
                                      "beats",
                                      "intervals left out",
                                      "interval before the middle beat",
                                      "interval behind the middle beat",
                                      "mean interval",
                                      "middle beat's place",
                                      "middle beat's likeness to the others",
                                      "middle beat's energy over the others'",
                                      "energy ahead of the middle beat over the others'",
                                      "middle beat's width",
                                      "middle beat's width over the others'"};
  for (int i = 0; features_heart_words[i].word; i++)
    if (p->values & features_heart_words[i].bit && k-- == 0) return names[i];
  return "heart";
}

#define LOGARITHMS (MOTE_HEART_LF_HF | MOTE_HEART_ENERGY | MOTE_HEART_AHEAD | MOTE_HEART_WIDENING)
#define SHARES                                                                                     \
  (MOTE_HEART_PNN50 | MOTE_HEART_IRREGULAR | MOTE_HEART_BEFORE | MOTE_HEART_BEHIND |               \
   MOTE_HEART_LIKENESS)

size_t features_heart_values(const struct mote_heart *p, const int32_t *v, double *out) {
  size_t n = 0;
  for (int i = 0; features_heart_words[i].word; i++) {
    const uint32_t bit = features_heart_words[i].bit;
    if (!(p->values & bit)) continue;
    const double x = v[n];
    out[n++] = bit == MOTE_HEART_BEATS                 ? x
               : bit == MOTE_HEART_RATE                ? x / 256
               : bit & (MOTE_HEART_LF | MOTE_HEART_HF) ? x / 16
               : bit & LOGARITHMS                      ? exp2(x / 1048576)
               : bit & SHARES                          ? x / 65536
                                                       : x / 1024;
  }
  return n;
}

void features_heart_signal(struct features_config *c, bool pulse) {
  c->pulse = pulse;
  c->low_hz = pulse ? 0.5 : 8;
  c->high_hz = pulse ? 8 : fmin(25, 0.4 * c->rate_hz);
}

void features_heart_defaults(struct features_config *c, struct text *why) {
  features_heart_signal(c, false);
  c->decimate = c->moving = 1;
  c->values = MOTE_HEART_RATE | MOTE_HEART_SDNN | MOTE_HEART_RMSSD | MOTE_HEART_PNN50 |
              MOTE_HEART_SHORTEST | MOTE_HEART_LONGEST;
  double seconds = c->window_ms / 1000;
  if (c->rate_hz * seconds > INT16_MAX)
    seconds = 16384 / c->rate_hz, c->frame_ms = c->hop_ms = 1000 * seconds;
  if (seconds >= 120) c->values |= MOTE_HEART_LF | MOTE_HEART_HF | MOTE_HEART_LF_HF;
  if (seconds < 15) c->values = MOTE_HEART_RATE | MOTE_HEART_BEFORE | MOTE_HEART_BEHIND;
  if (why)
    text_printf(why, "Beats are found between %g and %g Hz; %s.", c->low_hz, c->high_hz,
                seconds < 15
                    ? "a window of a few beats says the rate, and whether the beat in its middle "
                      "came early"
                    : "the intervals between them say the rate, and how it varies");
}

/* Numbers of an average of so many seconds: odd. */
static int odd_of(double seconds, double rate_hz) {
  return (int)floor(seconds * rate_hz / 2) * 2 + 1;
}

static int fast_of(const struct features_config *c) {
  return odd_of(c->pulse ? 0.111 : 0.097, c->rate_hz);
}

static int slow_of(const struct features_config *c) {
  return odd_of(c->pulse ? 0.667 : 0.611, c->rate_hz);
}

static int apart_of(const struct features_config *c) {
  return (int)ceil((c->pulse ? 0.3 : 0.2) * c->rate_hz);
}

static int most_of(const struct features_config *c) {
  return features_frame_samples(c) / apart_of(c) + 2;
}

/* Seconds that the sections delay a frequency (a part of the rate) by, in samples. */
static double delay_of(const struct features_section *s, int n, double at) {
  double phase[2];
  for (int side = 0; side < 2; side++) {
    const double w = 2 * PI * (at + (side ? 1e-5 : -1e-5));
    const double complex z1 = cexp(-I * w), z2 = cexp(-2 * I * w);
    double complex h = 1;
    for (int k = 0; k < n; k++)
      h *= (s[k].b0 + s[k].b1 * z1 + s[k].b2 * z2) / (1 + s[k].a1 * z1 + s[k].a2 * z2);
    phase[side] = carg(h);
  }
  double turn = phase[1] - phase[0];
  while (turn > PI) turn -= 2 * PI;
  while (turn < -PI) turn += 2 * PI;
  return -turn / (2 * PI * 2e-5);
}

static struct mote_beats beats_of(const struct features_config *c) {
  struct features_section s[MOTE_BEATS_SECTIONS] = {{.b0 = 1}, {.b0 = 1}, {.b0 = 1}, {.b0 = 1}};
  const int order = c->pulse ? 2 : 4;
  int n = features_butterworth(order, c->low_hz / c->rate_hz, true, s);
  n += features_butterworth(order, c->high_hz / c->rate_hz, false, s + n);
  struct mote_beats p = {.fast = (uint16_t)fast_of(c),
                         .slow = (uint16_t)slow_of(c),
                         .apart = (uint16_t)apart_of(c),
                         .threshold = (uint16_t)(c->pulse ? 5 : 20), /* 0.02 and 0.08 */
                         .upward = c->pulse};
  while (p.memory < 20 && ldexp(1, p.memory) < 7 * c->rate_hz) p.memory++;
  if (p.memory < 4) p.memory = 4;
  const double middle = sqrt(c->low_hz * c->high_hz) / c->rate_hz;
  p.delay = (int32_t)fmin(fmax(floor(256 * delay_of(s, n, middle) + 0.5), 0), 1 << 20);
  for (int k = 0; k < MOTE_BEATS_SECTIONS; k++) p.section[k] = features_section_fixed(&s[k]);
  return p;
}

bool features_heart_beats(const struct features_config *c, struct mote_beats *out, struct err *e) {
  if (!features_check(c, e)) return false;
  *out = beats_of(c);
  return true;
}

/* Milliseconds about a beat's place as numbers of its stretch. */
static struct mote_heart_stretch stretch_of(const struct features_config *c, uint16_t lead,
                                            double from_ms, double to_ms) {
  struct mote_heart_stretch s = {(uint16_t)(lead + floor(from_ms * c->rate_hz / 1000 + 0.5)),
                                 (uint16_t)(lead + floor(to_ms * c->rate_hz / 1000 + 0.5))};
  return s;
}

/* Of an adult's ECG: the wave of the atria begins up to 200 ms ahead of the ventricles' (PR interval), theirs lasts 80 to 120 ms, up
 * to 200 where it begins below the atria; its end, the T wave, is past within 400 ms. source: P. Kligfield et al.,
 * Recommendations for the standardization and interpretation of the electrocardiogram, Circulation 115, 2007. */
static struct mote_heart_shape shape_of(const struct features_config *c) {
  const uint16_t lead = (uint16_t)ceil(0.3 * c->rate_hz);
  return (struct mote_heart_shape){.lead = lead,
                                   .length = (uint16_t)(lead + ceil(0.4 * c->rate_hz)),
                                   .shift = (uint16_t)floor(0.03 * c->rate_hz + 0.5),
                                   .likeness = stretch_of(c, lead, -110, 130),
                                   .energy = stretch_of(c, lead, -80, 100),
                                   .ahead = stretch_of(c, lead, -250, -80),
                                   .width = stretch_of(c, lead, -120, 200)};
}

size_t features_heart_params(const struct features_config *c, uint8_t *out) {
  struct mote_heart *const p = (struct mote_heart *)(void *)out;
  const double seconds = features_frame_samples(c) / c->rate_hz;
  *p = (struct mote_heart){.values = (uint32_t)c->values,
                           .most = (uint16_t)most_of(c),
                           .tick = (uint32_t)floor(1048576 * 1000 / c->rate_hz + 0.5),
                           .shortest = 200,
                           .longest = 3000,
                           .irregular = (uint16_t)c->irregular,
                           .low = (uint16_t)ceil(LF_HZ * seconds - 1e-9),
                           .middle = (uint16_t)ceil(MID_HZ * seconds - 1e-9),
                           .end = (uint16_t)(floor(HF_HZ * seconds + 1e-9) + 1),
                           .together = c->together,
                           .shape = shape_of(c),
                           .beats = beats_of(c)};
  double turn = 4294967296.0 / (1024 * 1000 * seconds);
  while (p->turn_shift < 31 && turn < 2147483648.0) turn *= 2, p->turn_shift++;
  p->turn = (uint32_t)fmin(floor(turn + 0.5), 4294967295.0);
  return sizeof *p;
}

bool features_check_heart(const struct features_config *c, struct err *e) {
  const double seconds = features_frame_samples(c) / c->rate_hz;
  if (!c->values || c->values > MOTE_HEART_ALL)
    return features_refuse(e, "values", "at least one is needed");
  if (c->values & MOTE_HEART_SHAPE && c->pulse)
    return features_refuse(e, "values",
                           "likeness, energy, ahead, width and widening are of an ECG's beats; "
                           "signal: ecg has them");
  if (fast_of(c) < 3 || slow_of(c) > 4095)
    return features_refuse(e, "kind", "beats are not found at %g Hz; 30 to 5,000 Hz work",
                           c->rate_hz);
  if (!(c->low_hz >= c->rate_hz / 2000) || !(c->high_hz > c->low_hz) ||
      !(c->high_hz < c->rate_hz / 2))
    return features_refuse(e, "low_hz",
                           "a band from %g to %g Hz; from %g to below %g Hz, low below high, works",
                           c->low_hz, c->high_hz, c->rate_hz / 2000, c->rate_hz / 2);
  if (seconds < 2 || seconds > 1000)
    return features_refuse(e, "frame_ms", "%g s of heart beats; 2 to 1,000 s work", seconds);
  if (most_of(c) > 8192)
    return features_refuse(e, "frame_ms", "a frame of %g s may hold too many beats", seconds);
  if (c->irregular < 0 || c->irregular > 100)
    return features_refuse(e, "irregular", "%d percent; 0 (all intervals count) to 100 works",
                           c->irregular);
  if (c->values & (MOTE_HEART_LF | MOTE_HEART_HF | MOTE_HEART_LF_HF) && seconds < 50)
    return features_refuse(e, "values",
                           "lf and hf need a frame of 50 s, two waves of 0.04 Hz, or longer; this "
                           "one has %g s",
                           seconds);
  return true;
}
