/* What stands in front of a kind: its words, limits and parameters, and the units and names of what comes out. */
#include "host/features/private.h"

#include <math.h>
#include <string.h>

#define MOST_DECIMATE 20

/* The digits of a filter end at a 2,000th of the rate. */
static double slowest_hz(double rate_hz) { return rate_hz / 2000; }

void features_front_defaults(double rate_hz, int channels, double window_ms,
                             struct features_front *f) {
  *f = (struct features_front){.on = true,
                               .rate_hz = rate_hz,
                               .window_ms = window_ms,
                               .channels = channels,
                               .gravity_hz = fmax(0.3, slowest_hz(rate_hz)),
                               .order = 4,
                               .decimate = 1,
                               .scale = 1};
}

static const char *const derive_words[] = {
#define X(name, word, channels) word,
    FEATURES_DERIVE_LIST(X)
#undef X
};

bool features_derive_from(const char *word, enum features_derive *derive) {
  for (int i = 0; i < FEATURES_DERIVE_COUNT; i++)
    if (strcmp(derive_words[i], word) == 0) {
      *derive = (enum features_derive)i;
      return true;
    }
  return false;
}

void features_front_write(const struct features_front *f, struct text *out) {
  static const char *const filters[] = {"none", "low", "high", "band", "notch"},
                           *const detrends[] = {"none", "mean", "line"};
  if (!f->on) return;
  for (int i = 0; i < f->n_select; i++)
    text_printf(out, "%s%d%s", i ? ", " : "  channels: [", f->select[i] + 1,
                i + 1 == f->n_select ? "]\n" : "");
  text_add(out, "  front:\n");
  for (int i = 0; i < f->n_derive; i++)
    text_printf(out, "%s%s%s", i ? ", " : "    derive: [", derive_words[f->derive[i]],
                i + 1 == f->n_derive ? "]\n" : "");
  text_printf(out, "    gravity_hz: %.6g\n", f->gravity_hz);
  if (f->filter) {
    text_printf(out, "    filter: %s\n    order: %d\n    cutoff_hz: [%.6g", filters[f->filter],
                f->order, f->cutoff_hz[0]);
    if (f->filter >= FEATURES_FILTER_BAND) text_printf(out, ", %.6g", f->cutoff_hz[1]);
    text_add(out, "]\n");
    if (f->ripple_db > 0)
      text_printf(out, "    design: chebyshev\n    ripple_db: %.6g\n", f->ripple_db);
  }
  if (f->decimate > 1) text_printf(out, "    decimate: %d\n", f->decimate);
  if (f->detrend) text_printf(out, "    detrend: %s\n", detrends[f->detrend]);
  if (f->scale != 1) text_printf(out, "    scale: %.6g\n", f->scale);
  if (f->middle_ms > 0) text_printf(out, "    middle_ms: %.6g\n", f->middle_ms);
}

static int sources_of(const struct features_front *f) {
  return f->n_select ? f->n_select : f->channels;
}

static uint8_t source_at(const struct features_front *f, int i) {
  return f->n_select ? f->select[i] : (uint8_t)i;
}

static int channels_of(const struct features_front *f) {
  const int n = sources_of(f);
  int channels = 0;
  for (int i = 0; i < f->n_derive; i++) switch (f->derive[i]) {
#define X(name, word, made)                                                                        \
  case FEATURES_DERIVE_##name: channels += made; break;
      FEATURES_DERIVE_LIST(X)
#undef X
    }
  return f->n_derive ? channels : n;
}

/* ---- limits ------------------------------------------------------------------------ */

static bool check_derive(const struct features_front *f, struct err *e) {
  const int n = sources_of(f);
  for (int i = 0; i < f->n_derive; i++) {
    if (f->derive[i] >= FEATURES_DERIVE_COUNT)
      return features_refuse(e, "derive", "unknown channel %d", f->derive[i]);
    if (f->derive[i] == FEATURES_DERIVE_TILT && n != 3)
      return features_refuse(e, "derive", "tilt needs three axes and %d are read", n);
    if (f->derive[i] >= FEATURES_DERIVE_MAGNITUDE && n > 3)
      return features_refuse(e, "derive",
                             "a magnitude is of up to three axes and %d are read; `channels` of "
                             "the part names them",
                             n);
  }
  if (!(f->gravity_hz >= slowest_hz(f->rate_hz)) || !(f->gravity_hz < f->rate_hz / 2))
    return features_refuse(e, "gravity_hz", "%g Hz; from %g to below %g Hz works", f->gravity_hz,
                           slowest_hz(f->rate_hz), f->rate_hz / 2);
  return true;
}

static bool check_filter(const struct features_front *f, struct err *e) {
  const bool two = f->filter >= FEATURES_FILTER_BAND;
  if (f->filter == FEATURES_FILTER_NONE) return true;
  if (f->order != 2 && f->order != 4 && f->order != 6 && f->order != 8)
    return features_refuse(e, "order", "%d; 2, 4, 6 and 8 work", f->order);
  for (int i = 0; i <= two; i++)
    if (!(f->cutoff_hz[i] >= slowest_hz(f->rate_hz)) || !(f->cutoff_hz[i] < f->rate_hz / 2))
      return features_refuse(
          e, "cutoff_hz", "%g Hz; from %g (the digits of a filter end there) to below %g Hz works",
          f->cutoff_hz[i], slowest_hz(f->rate_hz), f->rate_hz / 2);
  if (two && !(f->cutoff_hz[1] > f->cutoff_hz[0] + slowest_hz(f->rate_hz)))
    return features_refuse(e, "cutoff_hz", "from %g to %g Hz; the second is above the first",
                           f->cutoff_hz[0], f->cutoff_hz[1]);
  if (f->ripple_db != 0 && !(f->ripple_db >= 0.01 && f->ripple_db <= 6))
    return features_refuse(e, "ripple_db", "%g dB; 0.01 to 6 works, and 0 for a Butterworth filter",
                           f->ripple_db);
  return true;
}

bool features_front_out(const struct features_front *f, double *rate_hz, int *channels,
                        double *window_ms, struct err *e) {
  const int window = features_samples_of(f->window_ms, f->rate_hz);
  if (!(f->rate_hz > 0) || window < 1)
    return features_refuse(e, "window_ms", "%g ms at %g Hz is no window", f->window_ms, f->rate_hz);
  if (!check_derive(f, e) || !check_filter(f, e)) return false;
  if (f->decimate < 1 || f->decimate > MOST_DECIMATE)
    return features_refuse(e, "decimate", "%d; 1 to %d work", f->decimate, MOST_DECIMATE);
  if (!(f->scale > 0) || !(f->scale <= 1000))
    return features_refuse(e, "scale", "%g; above 0, up to 1,000 works", f->scale);
  const double rate = f->rate_hz / f->decimate;
  const int all = (window + f->decimate - 1) / f->decimate;
  const int steps = f->middle_ms > 0 ? features_samples_of(f->middle_ms, rate) : all;
  if (f->middle_ms < 0 || steps < 1 || steps > all)
    return features_refuse(e, "middle_ms", "%g ms; up to the window's %g ms work", f->middle_ms,
                           f->window_ms);
  if (f->detrend == MOTE_FRONT_LINE && steps > INT16_MAX)
    return features_refuse(e, "detrend", "a line through %d steps; up to 32,767 work", steps);
  *channels = channels_of(f);
  if (*channels < 1 || *channels > MOTE_FRONT_MOST)
    return features_refuse(e, "derive", "%d channels; 1 to %d work", *channels, MOTE_FRONT_MOST);
  *rate_hz = rate;
  *window_ms = steps * 1000.0 / rate;
  return true;
}

bool features_check_front(const struct features_config *c, struct err *e) {
  double rate_hz, window_ms;
  int channels;
  if (!c->front.on) return true;
  if (!features_front_out(&c->front, &rate_hz, &channels, &window_ms, e)) return false;
  if (c->channels != channels || c->stride || fabs(c->rate_hz - rate_hz) > 1e-9 * rate_hz ||
      features_samples_of(c->window_ms, c->rate_hz) != features_samples_of(window_ms, rate_hz))
    return features_refuse(e, "front",
                           "makes %d channels at %g Hz for %g ms, and the kind wants %d at %g Hz "
                           "for %g ms",
                           channels, rate_hz, window_ms, c->channels, c->rate_hz, c->window_ms);
  return true;
}

/* ---- parameters ---------------------------------------------------------------------- */

static int sections_of(const struct features_front *f, struct features_section *s) {
  const double low = f->cutoff_hz[0] / f->rate_hz, high = f->cutoff_hz[1] / f->rate_hz;
  int n = 0;
  if (f->filter == FEATURES_FILTER_NOTCH) n += features_notch(low, high, s);
  const struct {
    bool on, high;
    double edge;
  } sides[2] = {{f->filter == FEATURES_FILTER_HIGH || f->filter == FEATURES_FILTER_BAND, true, low},
                {f->filter == FEATURES_FILTER_LOW || f->filter == FEATURES_FILTER_BAND, false,
                 f->filter == FEATURES_FILTER_BAND ? high : low}};
  for (int i = 0; i < 2; i++) {
    if (!sides[i].on) continue;
    n += f->ripple_db > 0
             ? features_chebyshev(f->order, f->ripple_db, sides[i].edge, sides[i].high, s + n)
             : features_butterworth(f->order, sides[i].edge, sides[i].high, s + n);
  }
  if (f->decimate > 1) n += features_chebyshev(8, 0.05, 0.4 / f->decimate, false, s + n);
  return n;
}

static int put_channels(const struct features_front *f, struct mote_front_channel *out) {
  const int n = sources_of(f);
  static const uint8_t kinds[] = {MOTE_FRONT_CHANNEL,   MOTE_FRONT_GRAVITY, MOTE_FRONT_DYNAMIC,
                                  MOTE_FRONT_MAGNITUDE, MOTE_FRONT_FORCE,   MOTE_FRONT_JERK,
                                  MOTE_FRONT_ROLL};
  int made = 0;
  for (int i = 0; i < (f->n_derive ? f->n_derive : 1); i++) {
    const int derive = f->n_derive ? f->derive[i] : FEATURES_DERIVE_CHANNELS;
    const bool each = derive < FEATURES_DERIVE_MAGNITUDE;
    const int count = each ? n : derive == FEATURES_DERIVE_TILT ? 2 : 1;
    for (int k = 0; k < count; k++) {
      struct mote_front_channel *const c = &out[made++];
      *c = (struct mote_front_channel){.kind = kinds[derive], .n = (uint8_t)(each ? 1 : n)};
      if (derive == FEATURES_DERIVE_TILT && k == 1) c->kind = MOTE_FRONT_PITCH;
      for (int s = 0; s < c->n; s++) c->source[s] = source_at(f, each ? k : s);
    }
  }
  return made;
}

size_t features_front_bytes(const struct features_front *f, uint8_t *out) {
  struct features_section s[16], gravity;
  const int n = sections_of(f, s), channels = channels_of(f);
  const size_t channel_at = sizeof(struct mote_front),
               section_at = channel_at + (size_t)channels * sizeof(struct mote_front_channel),
               bytes = section_at + (size_t)n * sizeof(struct mote_section);
  if (!out) return bytes;
  struct mote_front *const p = (struct mote_front *)(void *)out;
  double rate_hz, window_ms;
  int made;
  struct err unused = {{0}, {0}, {0}, false};
  features_front_out(f, &rate_hz, &made, &window_ms, &unused);
  const uint32_t window = (uint32_t)features_samples_of(f->window_ms, f->rate_hz);
  const uint32_t all = (window + (uint32_t)f->decimate - 1) / (uint32_t)f->decimate;
  features_butterworth(2, f->gravity_hz / f->rate_hz, false, &gravity);
  *p = (struct mote_front){.magic = MOTE_FRONT_MAGIC,
                           .version = MOTE_FRONT_VERSION,
                           .channels = (uint16_t)channels,
                           .bytes = (uint32_t)bytes,
                           .window = window,
                           .steps = (uint32_t)features_samples_of(window_ms, rate_hz),
                           .stride = (uint16_t)f->channels,
                           .ratio = (uint8_t)f->decimate,
                           .detrend = (uint8_t)f->detrend,
                           .sections = (uint8_t)n,
                           .channel_at = (int32_t)channel_at,
                           .section_at = (int32_t)section_at,
                           .gravity = features_section_fixed(&gravity)};
  p->first = (all - p->steps) / 2;
  const double growth = n ? features_filter_growth(s, n) : 0;
  p->fraction = (uint8_t)(n ? 14 : 0); /* 2^15 counts grow to 2^30 at most */
  while (p->fraction > 0 && ldexp(growth, 15 + p->fraction) > 1073741824.0) p->fraction--;
  p->shift = p->fraction ? p->fraction : 1;
  double m = ldexp(f->scale, p->shift - p->fraction);
  while (p->shift < 45 && m < 1073741824.0) m *= 2, p->shift++;
  p->multiplier = (int32_t)fmin(floor(m + 0.5), 2147483647.0);
  put_channels(f, (struct mote_front_channel *)(void *)(out + channel_at));
  for (int i = 0; i < n; i++)
    ((struct mote_section *)(void *)(out + section_at))[i] = features_section_fixed(&s[i]);
  return bytes;
}

/* ---- what comes out -------------------------------------------------------------------- */

static size_t align4(size_t n) { return (n + 3) & ~(size_t)3; }

static size_t samples_bytes(const struct mote_front *f) {
  return f ? align4(sizeof(int16_t) * f->steps * f->channels) : 0;
}

size_t features_front_room(const struct mote_front *f) { return samples_bytes(f); }

bool features_front_streams(const struct mote_front *f) {
  return !f ||
         (f->detrend == MOTE_FRONT_KEEP && f->steps == (f->window + f->ratio - 1u) / f->ratio);
}

void features_front_describe(const struct mote_front *f, struct text *out) {
  if (!f) return;
  text_printf(out, " * in front: %u x %u samples become %u x %u:", f->window, f->stride, f->steps,
              f->channels);
  for (int i = 0; i < f->channels; i++) {
    text_add(out, i ? ", " : " ");
    features_front_name(f, i, out);
  }
  if (f->sections) text_printf(out, "; a filter of order %u", 2u * f->sections);
  if (f->ratio > 1) text_printf(out, "; every %u. step", f->ratio);
  if (f->detrend)
    text_add(out, f->detrend == MOTE_FRONT_MEAN ? "; minus the mean" : "; minus a line");
  text_printf(out, "%s\n", features_front_streams(f) ? "" : "; needs the whole window");
}

const int16_t *features_part_samples(const struct features_part *part, const int16_t *samples,
                                     void **scratch) {
  if (!part->front) return samples;
  int16_t *const made = *scratch;
  *scratch = (uint8_t *)*scratch + samples_bytes(part->front);
  mote_front_run(part->front, samples, *scratch, made);
  return made;
}

void features_front_units(const struct mote_front *f, const double *unit, double *out) {
  const struct mote_front_channel *const c = mote_at(f, f->channel_at);
  const double scale = ldexp(f->multiplier, f->fraction - f->shift);
  for (int i = 0; i < f->channels; i++) {
    const double one = unit[c[i].source[0]];
    out[i] = (c[i].kind == MOTE_FRONT_CHANNEL || c[i].kind == MOTE_FRONT_GRAVITY ? one
              : c[i].kind >= MOTE_FRONT_ROLL                                     ? 360.0 / 65536
              : c[i].kind == MOTE_FRONT_JERK                                     ? one
                                                                                 : 2 * one) /
             (scale > 0 ? scale : 1);
  }
}

void features_front_name(const struct mote_front *f, int channel, struct text *out) {
  static const char *const names[] = {
      "",     "gravity of ", "dynamic part of ", "magnitude", "dynamic magnitude", "jerk",
      "roll", "pitch"};
  const struct mote_front_channel *const c =
      (const struct mote_front_channel *)mote_at(f, f->channel_at) + channel;
  text_add(out, names[c->kind]);
  if (c->kind <= MOTE_FRONT_DYNAMIC) text_printf(out, "channel %d", c->source[0] + 1);
}
