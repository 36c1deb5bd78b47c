/* features: from a description of a feature block to its parameters, and from samples to int8 features.
 *
 * A window of int16 samples, [time, channels] interleaved, becomes an int8 tensor [height, width, channels].
 * The arithmetic is mote/dsp, fixed point, the same bits on every chip; this room only chooses numbers:
 * window, twiddles, band edges, DCT, and the affine map to int8. Everything of one part is one piece of
 * bytes (struct mote_features) that the host runs, and that an emitted program holds as a C object. A block has
 * one part, or several over the same window whose values follow each other: [1, 1, values].
 *
 *   features_defaults -> features_check -> features_build -> features_fit (training windows only)
 *                                                          -> features_run / features_emit_c
 *
 * invariant: a block that features_build, features_fit or features_open made passes mote_features_check, and
 * features_run cannot fail. */
#ifndef HOST_FEATURES_H
#define HOST_FEATURES_H

#include "host/kit/kit.h"
#include "mote/dsp/dsp.h"

/* X(NAME, "name in a project file", text) */
#define FEATURES_KIND_LIST(X)                                                                      \
  X(LOGMEL, "logmel", "logarithm of the energy in mel bands, frame after frame")                   \
  X(MFCC, "mfcc", "cosine transform of the log mel bands: few, decorrelated coefficients")         \
  X(SPECTRUM, "spectrum", "logarithm of the energy in evenly spaced frequency bands")              \
  X(STATISTICS, "statistics", "level, spread and crossings of each channel, and spectrum bands")   \
  X(RAW, "raw", "the samples themselves, scaled to int8")                                          \
  X(SPECTRAL, "spectral", "filters, then moments and powers of each channel over the window")      \
  X(FLATTEN, "flatten", "moments, extremes and crossings of each channel over the window")         \
  X(MFE, "mfe", "mel energies of the emphasised samples between a noise floor and 12 dB")          \
  X(SPECTROGRAM, "spectrogram", "the power of every point of the spectrum, frame after frame")     \
  X(WAVELET, "wavelet", "what the coefficients of a wavelet transform are like, level by level")   \
  X(HEART, "heart", "beats of an ECG or PPG: heart rate and what varies from beat to beat")        \
  X(IMAGE, "image", "the pixels of a picture, cut and shrunk to the network's size")               \
  X(MICRO, "micro",                                                                                \
    "TensorFlow's micro front end: mel bands without their noise, PCAN, logarithm")                \
  X(PITCH, "pitch", "how high a voice or tone is, how surely, and how loud, frame after frame")

enum features_kind {
#define X(name, word, text) FEATURES_##name,
  FEATURES_KIND_LIST(X)
#undef X
      FEATURES_KIND_COUNT
};

/* What is taken from the features of one window before they become int8. */
#define FEATURES_NORMALISE_LIST(X)                                                                 \
  X(NONE, "none", "values as they are: loudness and position count")                               \
  X(LEVEL, "level", "the window's mean over all values: loudness does not count")                  \
  X(MEAN, "mean", "each column's mean over the window: neither loudness, microphone nor timbre")   \
  X(TILT, "tilt", "a straight line through the columns' means: neither loudness nor brightness")   \
  X(SLIDING, "sliding", "mfcc: mean and deviation of each column over the rows about each row")

enum features_normalise {
#define X(name, word, text) FEATURES_NORMALISE_##name,
  FEATURES_NORMALISE_LIST(X)
#undef X
      FEATURES_NORMALISE_COUNT
};

/* Of a band of logmel or spectrum; none: the level. */
#define FEATURES_BANDS_LEVEL    1u /* log2 of the power */
#define FEATURES_BANDS_FLATNESS 2u /* log2 of geometric over arithmetic mean of its points' powers */

#define FEATURES_MAX_CHANNELS 256
#define FEATURES_MAX_EDGES    33

/* How a frame comes to another shape of its sides. */
enum features_resize {
  FEATURES_RESIZE_SQUASH, /* each side by itself */
  FEATURES_RESIZE_CROP,   /* the largest piece from the middle that has the shape */
  FEATURES_RESIZE_FIT     /* all of it, black beside it */
};

enum features_filter {
  FEATURES_FILTER_NONE,
  FEATURES_FILTER_LOW,
  FEATURES_FILTER_HIGH,
  FEATURES_FILTER_BAND, /* these two: a front's only */
  FEATURES_FILTER_NOTCH
};

/* What channels are made from: X(NAME, "word", channels of n axes) */
#define FEATURES_DERIVE_LIST(X)                                                                    \
  X(CHANNELS, "channels", n)                                                                       \
  X(GRAVITY, "gravity", n)                                                                         \
  X(DYNAMIC, "dynamic", n)                                                                         \
  X(MAGNITUDE, "magnitude", 1)                                                                     \
  X(FORCE, "dynamic_magnitude", 1)                                                                 \
  X(JERK, "jerk", 1)                                                                               \
  X(TILT, "tilt", 2)
enum features_derive {
#define X(name, word, channels) FEATURES_DERIVE_##name,
  FEATURES_DERIVE_LIST(X)
#undef X
      FEATURES_DERIVE_COUNT
};

/* What stands in front of a kind: the kind's own rate_hz, channels and window_ms are then those that come out of it. */
struct features_front {
  bool on;
  double rate_hz, window_ms;             /* that go in */
  int channels;                          /* of the samples */
  uint8_t select[FEATURES_MAX_CHANNELS]; /* those that are read */
  int n_select;                          /* 0: all */
  uint8_t derive[FEATURES_DERIVE_COUNT]; /* enum features_derive; n_derive 0: the channels */
  int n_derive;
  double gravity_hz; /* what changes more slowly is gravity */
  enum features_filter filter;
  double cutoff_hz[2]; /* the second: of BAND and NOTCH */
  int order;           /* 2, 4, 6, 8; NOTCH: 2 */
  double ripple_db;    /* 0: Butterworth; else Chebyshev with so much in the pass band */
  int decimate;        /* every so many steps, 1 to 20, behind a low pass of its own */
  int detrend;         /* enum mote_front_detrend */
  double scale;        /* of what comes out */
  double middle_ms;    /* the middle of the window alone; 0: all of it */
};

/* What is left of the powers of several frames. */
enum features_hold { FEATURES_HOLD_MAX, FEATURES_HOLD_MEAN, FEATURES_HOLD_FIRST };

/* What a map that is given with each window does to the columns behind the features (mote/dsp/calibrate.h). */
enum features_calibrate {
  FEATURES_CALIBRATE_NONE,
  FEATURES_CALIBRATE_MEAN,     /* takes their means off */
  FEATURES_CALIBRATE_DEVIATION /* and measures them in their deviations */
};

struct features_config {
  enum features_kind kind;
  double rate_hz;   /* of the samples; below 1 is fine */
  int channels;     /* of the samples: 1 for audio, 3 for an accelerometer */
  double window_ms; /* one decision sees this much */
  double frame_ms,
      hop_ms;   /* frame 0: the whole window is one frame. raw: hop samples are averaged */
  int fft_size; /* power of two, 16..2048, at least a frame; 0: no frequency bands */
  int bands;    /* mel bands (logmel, mfcc), even bands (spectrum, statistics) */
  double low_hz, high_hz; /* of the bands; high 0: half of the rate */
  int coefficients;       /* mfcc: kept, from the 0th on */
  enum features_normalise normalise;
  double range_db; /* values further below the window's loudest are raised to it; 0: off */
  double floor_db; /* least level, re one count (int16) RMS in a band; keeps silence silent */
  /* Where only some of the samples' channels are read: how many a time step has, and the places of the `channels`
   * that are. stride 0: all, in their order. */
  int stride;
  uint8_t select[FEATURES_MAX_CHANNELS];
  uint32_t values; /* a set of the kind's values (features_value_from) */
  /* spectral, flatten: */
  bool compatible; /* the values of Edge Impulse's block of that name, in their order */
  enum features_filter filter;
  double cutoff_hz;
  int order;    /* of the filter: 2, 4, 6, 8; 0: only the bins beyond its edge are left out */
  int decimate; /* every so many samples, 1 3 10 30 100 1000, behind a low pass */
  bool overlap; /* frames of a spectrum overlap by a half */
  enum features_hold hold;
  bool linear;    /* powers instead of their logarithms */
  bool extra_low; /* all values once more of a tenth of the rate */
  int peaks;
  double threshold;   /* heights: amplitudes from here on count, in units of `unit` */
  const double *unit; /* of one count of each of the samples' channels; NULL: 1 */
  double edges_hz[FEATURES_MAX_EDGES]; /* of the bands */
  int n_edges;
  int taps;                   /* wavelet: 2 (Haar), 4 .. 12 (Daubechies 2 to 6) */
  int levels;                 /* wavelet: 1 to 8 */
  int moving;                 /* rows that the moving average takes in */
  bool noise_reduction, pcan; /* micro: noise taken off; amplitudes normalised by it */
  double voicing;             /* pitch: a frame below has none; 0 to 1 */
  bool pulse;                 /* heart: light through blood (PPG), not an electrocardiogram */
  bool together;              /* heart: the beats of the first channel are those of all */
  int irregular; /* heart: percent from the median beyond which an interval is left out; 0: none */
  /* mfe, spectrogram, and mfcc that is compatible or slides: */
  double pre_emphasis;   /* of the sample before; 0 to below 1 */
  double noise_floor_db; /* mfe, spectrogram: the power of which the value is 0 */
  int sliding;           /* rows that NORMALISE_SLIDING takes in: 1, 3 .. 1001 */
  /* image: the frame as it lies in the window (enum mote_image_format), and what the network sees; rate_hz and window_ms give its
   * samples: bytes / 2, rounded up. Numbers: each time step is a frame, channels its pixels. */
  int format, source_width, source_height, width, height;
  bool colour;
  enum features_resize resize;
  struct features_front front;
  /* logmel, spectrum: frames of two hops under half a sine, which come back as sound (mote/dsp/suppress.h). */
  bool half_sine;
  int lifter; /* mfcc: coefficient k counts 1 + lifter / 2 sin(pi k / lifter); 0: off, to 255 */
  enum features_calibrate calibrate; /* of the first part: of the whole block */
};

#define FEATURES_MAX_PARTS 8
struct features_part {
  const struct mote_front *front; /* NULL: the samples as they are */
  const struct mote_features *params;
  const struct mote_features_op *op;
};
/* A built block. Plain values: copying the structure shares the bytes. */
struct features_block {
  const void *data; /* head and parts in one piece, aligned to 4: what features_open takes */
  size_t bytes;
  struct features_part parts[FEATURES_MAX_PARTS];
  int n_parts;
  int window_samples; /* time steps that one window needs */
  int channels;       /* samples in a window: window_samples * channels */
  int dims[3];        /* height (time), width, channels of the NHWC tensor: what a network reads */
  size_t out_bytes;   /* dims multiplied: int8 values */
  size_t scratch_bytes; /* aligned to 4 */
  enum features_calibrate calibrate;
  int map_columns; /* that are calibrated, in every row the same; 0: none */
  float scale;     /* real = scale * (q - zp): about zero mean and unit deviation after fit */
  int zp;
};

/* "logmel" and so on; features_kind_from and features_normalise_from: false for an unknown word. */
const char *features_kind_name(enum features_kind kind);
const char *features_kind_text(enum features_kind kind);
bool features_kind_from(const char *word, enum features_kind *kind);
const char *features_normalise_name(enum features_normalise normalise);
bool features_normalise_from(const char *word, enum features_normalise *normalise);

/* "haar", "db2" to "db6" as a number of taps. */
bool features_wavelet_from(const char *word, int *taps);
/* A front that changes nothing, before samples of a rate, a number of channels and a window. */
void features_front_defaults(double rate_hz, int channels, double window_ms,
                             struct features_front *f);
bool features_derive_from(const char *word, enum features_derive *derive);
/* Its lines of a project file, indented by two; nothing where it is off. */
void features_front_write(const struct features_front *f, struct text *out);
/* What comes out of it: what features_defaults is asked for. errors: what does not fit, and what would. */
bool features_front_out(const struct features_front *f, double *rate_hz, int *channels,
                        double *window_ms, struct err *e);
/* kind heart: an electrocardiogram, or light through blood (PPG): sets the band that its beats lie in. */
void features_heart_signal(struct features_config *c, bool pulse);
/* The detector that a configuration of heart builds, for programs that follow beats as they come (mote/dsp/beats.h).
 * errors: those of features_check. */
bool features_heart_beats(const struct features_config *c, struct mote_beats *out, struct err *e);
/* "squash", "crop", "fit"; "grey", "rgb", "rgb565", "rgb565-swapped", "numbers". */
bool features_resize_from(const char *word, enum features_resize *resize);
bool features_format_from(const char *word, int *format);
/* Where the pixels of the result lie in the source: of place x, at left + across * x; likewise downwards. */
struct features_view {
  double left, top, across, down;
};
struct features_view features_image_view(const struct features_config *c);
/* Samples (int16) that hold one frame of a format. */
int features_frame_words(int format, int width, int height);
/* One of the values that a kind can give ("rms" ...); false: unknown, and known lists what is. */
bool features_value_from(enum features_kind kind, const char *word, uint32_t *bit,
                         const char **known);

/* Sensible numbers for a kind, rate and window, and the reason of each in one short paragraph.
 * range: rate_hz > 0, window_ms > 0 (else the config comes back as it can and features_check refuses it).
 * why: may be NULL. */
void features_defaults(enum features_kind kind, double rate_hz, int channels, double window_ms,
                       struct features_config *c, struct text *why);

/* Makes c give what Edge Impulse's block of the same kind gives with its default parameters; false: it has none. */
bool features_compatible(struct features_config *c);
/* The same of the first version of a block that has changed its values since: spectral. */
bool features_compatible_v1(struct features_config *c);

/* Says which number is out of range, and what would work. e->node is the field's name. */
bool features_check(const struct features_config *c, struct err *e);

/* Makes the parameters of n parts, 1 to FEATURES_MAX_PARTS, in a. Before features_fit the map to int8 holds
 * typical values of the kind. errors: those of features_check; parts that do not see the same samples. */
bool features_build(const struct features_config *c, int n, struct arena *a,
                    struct features_block *out, struct err *e);

/* Chooses the map to int8 from training windows (each window_samples * channels int16): offset and deviation
 * of each column (log spectra: one deviation for all columns, so that a pattern looks the same in each), scale and zero point
 * from the 0.1 and 99.9 percentiles. Replaces block's bytes by new ones in a; deterministic.
 * errors: no windows. cost: one features run a window. */
bool features_fit(struct features_block *block, struct arena *a, const int16_t *const *windows,
                  size_t count, struct err *e);

/* Takes bytes that came from a file. Copies them into a; hostile bytes are refused. */
bool features_open(const void *bytes, size_t n, struct arena *a, struct features_block *out,
                   struct err *e);

/* Whether both make the same values of the same samples: only their maps to int8 may differ. */
bool features_alike(const struct features_block *x, const struct features_block *y);

/* Numbers of int16 that features_run takes: the samples, and behind them the map of a block that is calibrated, struct
 * mote_features_column[map_columns]. */
size_t features_window_words(const struct features_block *block);
/* A map that leaves the values as they are, where nothing is known of the place. */
void features_neutral_map(const struct features_block *block, int16_t *map);
/* A block's values without the map, for who measures: what features_run makes before it calibrates. */
void features_run_plain(const struct features_block *block, const int16_t *samples, void *scratch,
                        int8_t *out);
/* Values measured by a map, in place. Nothing where the block is not calibrated. */
void features_calibrate(const struct features_block *block, const int16_t *map, int8_t *values);
/* samples: features_window_words, interleaved. scratch: block->scratch_bytes, aligned to 4.
 * out: block->out_bytes. exact: mote_features_run of each part, and mote_calibrate_apply_values. Threads need a scratch each. */
void features_run(const struct features_block *block, const int16_t *samples, void *scratch,
                  int8_t *out);

/* The samples that a part sees: those of the window, or what its front makes of them at the head of scratch, which then
 * moves behind them. */
const int16_t *features_part_samples(const struct features_part *part, const int16_t *samples,
                                     void **scratch);

/* A window's values before int8, as real numbers: those of spectral, flatten, statistics and raw in the samples'
 * unit (powers as log10 of its square), those of bands and
 * their cosines in dB, those of mfe, spectrogram and compatible mfcc as audio.c says. unit: of one count, of each of the block's
 * channels. scratch: as for features_run, and as much again for the rows: block->out_bytes * 4. out:
 * [out_bytes]. */
void features_values(const struct features_block *block, const double *unit, const int16_t *samples,
                     void *scratch, double *out);

/* Where the piece of window_samples with the most energy (about its mean) begins, moved so that the energy's middle is the
 * piece's; 0 where the recording is no longer. */
size_t features_event(const int16_t *samples, size_t n, int channels, size_t window_samples);
/* Lays a recording of n time steps in a window of window_samples, the same way every time: a longer one is
 * cut to the piece that features_event finds; a shorter one is centred, zeros
 * around it. alias: out must not overlap samples. shape: out [window_samples, channels]. */
void features_place(const int16_t *samples, size_t n, int channels, size_t window_samples,
                    int16_t *out);

/* Whether the block is of pictures, row y of whose features can be made without the others: what a network that is fed by rows
 * needs. The emitted source then also has `void <prefix>_line(const int16_t *samples, unsigned y, void *scratch, int8_t *out)`. */
bool features_are_lines(const struct features_block *block);
/* Whether they are the frame's own bytes with their upper bit turned: the emitted source then needs nothing of mote/dsp. */
bool features_are_bytes(const struct features_block *block);

/* A C99 source text: `const struct <prefix>_bytes <prefix>` (of further parts <prefix>2 ...) equal to the
 * parts' bytes, readable, with compile-time asserts; `void <prefix>_run(const int16_t *samples, void *scratch,
 * int8_t *out)`, which does what features_run does; and the macros <PREFIX>_WINDOW, _CHANNELS, _SCRATCH_BYTES,
 * _OUT_BYTES. prefix: a C identifier, at most 60 long. */
void features_emit_c(const struct features_block *block, const char *prefix, struct text *out);

/* Sound that comes back: the block of one frame (one row) of a block that was built with half_sine. errors: another block. */
bool features_suppress(const struct features_block *block, struct arena *a,
                       struct features_block *out, struct err *e);
/* Its C99 source: the block as for features_emit_c, `<prefix>_begin(memory)`, `<prefix>_take(memory, samples, row)` and
 * `<prefix>_give(memory, mask, out)` with `least` (mote/dsp/suppress.h), the macros <PREFIX>_HOP, _BANDS and _BYTES. */
void features_emit_suppress_c(const struct features_block *frame, const char *prefix,
                              unsigned least, struct text *out);

/* A few lines for people: what the block does, its shape, its memory. */
void features_describe(const struct features_block *block, struct text *out);

/* What the value at `index` of a window's features is, in words: "x, 12 to 18 Hz", "frame 3: 1,034 Hz". c: the
 * configurations that the block was built from, in their order. */
void features_value_name(const struct features_block *block, const struct features_config *c,
                         int index, struct text *out);

/* int8 features [height, width, depth] as [height][depth][width]: one plane beside the other, as they are drawn. alias: none. */
void features_planes(const struct features_block *block, const int8_t *features, int8_t *out);

/* ---- many windows -------------------------------------------------------------- */
/* Features of many windows: n rows of `width` values. */
struct features_table {
  const int8_t *values;
  int n, width, classes;
  const int32_t *labels; /* [n], in [0, classes) */
  const int32_t *folds;  /* [n], from 0: features_judge tests each fold on the others */
};

enum features_map { FEATURES_MAP_PCA, FEATURES_MAP_UMAP };
#define FEATURES_EMBED_MOST 50000
/* The share of the whole variance that lies in the first two principal components. */
struct features_shares {
  double first, second;
};
/* Each window as a point: xy [n][2]. labels are not looked at. cost: principal components linear in n, neighbours of
 * UMAP quadratic: seconds for 10,000 windows. exact: the same for a seed, whatever the number of threads.
 * errors: fewer than 3 windows, too many. */
bool features_embed(const struct features_table *t, enum features_map map, uint64_t seed,
                    struct arena *a, float *xy, struct features_shares *shares,
                    struct progress *progress, struct err *e);

#define FEATURES_RANK_MOST 32
struct features_worth {
  double bits;    /* mutual information with the class */
  double between; /* share of the variance that lies between classes */
  int order; /* 0 the first that one would choose, each next adds most to those before; -1: not among the first
                     FEATURES_RANK_MOST */
};
/* worth: [width]. errors: too few windows or classes. */
bool features_rank(const struct features_table *t, struct arena *a, struct features_worth *worth,
                   struct err *e);

#define FEATURES_JUDGE_MOST 3000
/* Share of windows told right by the windows of other folds, and its standard error. errors: sizes, one fold. */
bool features_judge(const struct features_table *t, struct arena *a, double *accuracy,
                    double *deviation, struct err *e);

#endif
