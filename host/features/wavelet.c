/* The kind "wavelet": its words, limits and parameters. */
#include "host/features/private.h"

#include <math.h>
#include <string.h>

/* The scaling filters of 2, 4 .. 12 taps. source: I. Daubechies, Ten Lectures on Wavelets (1992), table 6.1, where they
 * stand times sqrt(2). */
static const double scaling[6][12] = {
    {0.70710678118654757, 0.70710678118654757},
    {0.48296291314453416, 0.83651630373780794, 0.22414386804201339, -0.12940952255126037},
    {0.33267055295008263, 0.80689150931109255, 0.45987750211849154, -0.13501102001025458,
     -0.085441273882026658, 0.035226291885709533},
    {0.23037781330889651, 0.71484657055291567, 0.63088076792985892, -0.027983769416859854,
     -0.18703481171909309, 0.030841381835560764, 0.032883011666885197, -0.010597401785069032},
    {0.16010239797419293, 0.60382926979718965, 0.72430852843777294, 0.13842814590132074,
     -0.24229488706638203, -0.032244869584638375, 0.077571493840045719, -0.0062414902127982744,
     -0.012580751999081999, 0.0033357252854737712},
    {0.11154074335010947, 0.49462389039845306, 0.75113390802109536, 0.31525035170919763,
     -0.22626469396543983, -0.12976686756726194, 0.097501605587323043, 0.027522865530305727,
     -0.03158203931748603, 0.00055384220116149613, 0.0047772575109455108, -0.0010773010853084796}};

bool features_wavelet_from(const char *word, int *taps) {
  static const char *const words[] = {"haar", "db2", "db3", "db4", "db5", "db6"};
  for (int i = 0; i < 6; i++)
    if (strcmp(words[i], word) == 0) {
      *taps = 2 * i + 2;
      return true;
    }
  return false;
}

void features_wavelet_defaults(struct features_config *c, struct text *why) {
  const double samples = c->rate_hz * c->window_ms / 1000;
  if (samples > INT16_MAX) c->frame_ms = c->hop_ms = 16384 * 1000 / c->rate_hz;
  c->taps = 8;
  c->levels = 1;
  c->decimate = c->moving = 1;
  while (c->levels < 4 && samples >= 64 << c->levels) c->levels++;
  while (c->taps > 2 && c->taps > samples) c->taps -= 2;
  if (why)
    text_printf(
        why,
        "Daubechies' wavelet of %d taps, %d level%s: each level halves the frequencies, and "
        "what its coefficients are like (entropy, crossings, percentiles, moments) tells "
        "jolts from sways. The whole window is needed: nothing is streamed.",
        c->taps, c->levels, c->levels == 1 ? "" : "s");
}

bool features_check_wavelet(const struct features_config *c, struct err *e) {
  const int frame = features_frame_samples(c);
  if (c->taps < 2 || c->taps > 12 || c->taps % 2)
    return features_refuse(e, "wavelet", "%d taps; haar and db2 to db6 work", c->taps);
  if (c->levels < 1 || c->levels > MOTE_WAVELET_LEVELS)
    return features_refuse(e, "levels", "%d; 1 to %d work", c->levels, MOTE_WAVELET_LEVELS);
  if (frame < c->taps)
    return features_refuse(e, "wavelet", "%d taps are longer than a frame of %d samples", c->taps,
                           frame);
  if (c->compatible && frame < 32 << c->levels)
    return features_refuse(e, "levels", "%d levels need %d samples, a frame has %d", c->levels,
                           32 << c->levels, frame);
  return true;
}

size_t features_wavelet_params(const struct features_config *c, uint8_t *out) {
  struct mote_wavelet *const p = (struct mote_wavelet *)(void *)out;
  *p = (struct mote_wavelet){.taps = (uint16_t)c->taps, .levels = (uint16_t)c->levels};
  for (int j = 0; j < c->taps; j++) /* in the order of convolution: from the last to the first */
    p->low[j] = (int32_t)floor(1073741824.0 * scaling[c->taps / 2 - 1][c->taps - 1 - j] + 0.5);
  return sizeof *p;
}
