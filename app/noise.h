/* noise: projects that suppress noise (`suppress` in mote.yaml). Samples are sound that stays (speech) and noise; training mixes them, and
 * the network answers a gain for each band of each frame.
 *
 * How it works: a mixture is made of a window of speech, recordings of it one behind another with pauses, and a piece of a
 * noise, at a drawn ratio and level. Its features are the network's input; the target of a band is the square root of the share
 * that speech has of its energy (the ideal ratio mask), from the same bands of both parts. The model is kept over windows; what
 * runs on a device is that model streamed, a frame at a time (compile_stream), between mote_suppress_take and _give.
 *
 * invariant: a mixture follows from the samples, the settings, its number and a seed alone. */
#ifndef APP_NOISE_H
#define APP_NOISE_H

#include "app/training.h"

struct noise_sound {
  const int16_t *data;
  int64_t length;
};
struct noise_pool {
  struct noise_sound *speech, *noise;
  int n_speech, n_noise;
  int64_t speech_length, noise_length; /* time steps of all */
  char digest[65];
};
/* The samples that pick names. */
bool noise_load(struct project *p, const struct dataset_pick *pick, struct noise_pool *pool,
                struct err *e);
/* Mixtures need speech and noise. noise_need: an error where one of the two is missing. */
bool noise_mixes(const struct noise_pool *pool);
bool noise_need(const struct project *p, const struct noise_pool *pool, struct err *e);

/* What was mixed: sound that stays, noise, and both, n time steps each. */
struct noise_mixture {
  int16_t *speech, *noise, *mixed;
  int n;
};
/* A mixture that begins with recording `first` of speech (modulo their number). snr_db NULL: ratio and level are drawn, and now and then
 * there is no speech, or no noise. Safe from several threads. */
void noise_mix(const struct noise_pool *pool, const struct project_config *c, const double *snr_db,
               uint32_t first, uint64_t seed, struct noise_mixture *m);
/* The ideal masks of a mixture's whole frames: [rows][bands], 0 to 1. f: of kind bands. */
void noise_masks(const struct mote_features *f, const struct noise_mixture *m, int rows,
                 float *masks);

/* mote train. */
bool noise_train(struct command_line *c, struct project *p, const struct training_job *job,
                 struct err *e);

struct noise_model {
  int64_t run;
  const struct graph *whole, *graph; /* of a window; streamed, one row a call */
  struct features_block features,
      frame;      /* of a window; of one frame, as mote/dsp/suppress.h takes it */
  unsigned least; /* gain of 256 */
};
/* The latest finished run. errors: nothing trained yet; a model of something else. */
bool noise_load_model(struct project *p, struct noise_model *m, struct err *e);

/* A recording with its noise turned down, by the bits of the device: out[length], in step with samples. */
bool noise_clean(struct arena *a, const struct noise_model *m, const int16_t *samples,
                 int64_t length, int16_t *out, struct err *e);

/* mote test. */
struct noise_test {
  enum store_split split;
  const char *group, *chip, *wav; /* NULL: any; not on a chip; no files */
};
bool noise_measure(struct command_line *c, struct project *p, const struct noise_test *t,
                   struct err *e);

/* Hops of a mixture of test samples (else of others), for `bench` and `verify`: [hops][f->hop]. */
bool noise_hops(struct project *p, const struct noise_model *m, int hops, int16_t **samples,
                struct err *e);

#endif
