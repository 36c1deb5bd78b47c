/* dsp: from int16 samples to int8 features, in fixed point, the same bits on every chip.
 *
 * A window of samples is cut into frames; a frame makes one row of values; when all rows exist, the window is
 * normalised and mapped to int8. A kind that needs the whole window has one frame, the window. The kinds:
 *
 *   bands       mean removed, window, real FFT, power, triangular bands, log2, optional cosine transform
 *   statistics  eight numbers of each channel, with the bands of its spectrum behind them when asked
 *   raw         the samples, or the mean of each `hop` of them
 *   mfe         pre-emphasis, real FFT, power, closed triangular bands, log2: no window, no mean taken off
 *   mfcc        the cosine transform of that, the frame's energy in place of the first coefficient
 *   spectrogram log2 of the power of every bin
 *   spectral    filters, then moments and the powers of a spectrum over the window (spectral.h)
 *   flatten     moments, extremes and crossings of each channel (flatten.h)
 *   wavelet     what the coefficients of each level of a wavelet transform are like (wavelet.h)
 *   micro       the audio front end of TensorFlow Lite Micro (micro.h)
 *   heart       beats of the heart, and what the intervals between them are like (heart.h)
 *   pitch       how high a frame sounds, how surely, and how loud (pitch.h)
 *   flatness    bands as above, and how even the power is within each
 *   image       a frame cut and shrunk to a network's size, grey or colours (image.h)
 *
 * A kind is a struct mote_features_op: its proof, the memory it needs, its row. Functions of this door are given
 * the op, so a program links only the kinds that it names.
 *
 * All numbers of a block are one piece of bytes without pointers: struct mote_features and the constants
 * behind it, little-endian, aligned to 4; `*_at` is the distance from the structure's start. The host
 * computes it (host/features); a device holds it in flash. No table ever lies in RAM.
 *
 * Rows can be made one at a time from a frame of samples (mote_features_row), so a microphone need not store
 * the window; only normalisation over the window (mote_features_finish) waits for all rows.
 *
 * Arithmetic: products of 16 x 16 bits and sums in 32 bits, so a core without long multiplication has the
 * same speed class. The FFT works on int32 with int16 twiddles; a frame is scaled once to its own size, and
 * no stage scales, since the largest possible growth fits. docs/design/features.md says how good that is. */
#ifndef MOTE_DSP_H
#define MOTE_DSP_H

#include "mote/base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOTE_FEATURES_MAGIC   0x54464F4Du /* "MOFT", little-endian */
#define MOTE_FEATURES_VERSION 4
#define MOTE_FEATURES_STATS   8 /* mean deviation rms minimum maximum span crossings slope */

enum mote_features_kind {
  MOTE_FEATURES_BANDS,
  MOTE_FEATURES_STATISTICS,
  MOTE_FEATURES_RAW,
  MOTE_FEATURES_MFE,
  MOTE_FEATURES_MFCC,
  MOTE_FEATURES_SPECTROGRAM,
  MOTE_FEATURES_SPECTRAL,
  MOTE_FEATURES_FLATTEN,
  MOTE_FEATURES_WAVELET,
  MOTE_FEATURES_HEART,
  MOTE_FEATURES_IMAGE,
  MOTE_FEATURES_MICRO,
  MOTE_FEATURES_PITCH,
  MOTE_FEATURES_FLATNESS,
  MOTE_FEATURES_KIND_COUNT
};

enum mote_features_normalise {
  MOTE_FEATURES_NORMALISE_NONE,
  MOTE_FEATURES_NORMALISE_LEVEL, /* minus the mean of all values of the window */
  MOTE_FEATURES_NORMALISE_MEAN,  /* minus each column's mean over the window */
  MOTE_FEATURES_NORMALISE_TILT,  /* minus the straight line through the columns' means */
  MOTE_FEATURES_NORMALISE_SLIDING, /* mean and deviation about each row: struct mote_features_sliding */
  MOTE_FEATURES_NORMALISE_COUNT
};

/* int8 of a value v in column c, n = v minus what normalisation takes:
 *   q = clamp(zp + round((n - offset) * multiplier / 2^shift), -128, 127)
 * For rows of int16: */
struct mote_features_column {
  int16_t offset;
  int16_t multiplier; /* >= 0 */
  int16_t shift;      /* 1..30 */
};
/* For rows of int32, where n - offset is held to 32 bits first: */
struct mote_features_wide_column {
  int32_t offset;
  int32_t multiplier; /* >= 0 */
  int32_t shift;      /* 1..62 */
};

/* Bands over whole bins, from bin 0 on: where one side of a triangle is empty, its middle counts all the same. */
#define MOTE_FEATURES_CLOSED 1

struct mote_features {
  uint32_t magic;
  uint16_t version;
  uint8_t kind;      /* enum mote_features_kind */
  uint8_t normalise; /* enum mote_features_normalise */
  uint32_t bytes;    /* of the structure with its constants */
  uint32_t window;   /* time steps of a window */
  uint16_t channels; /* that are read */
  uint16_t frame,
      hop; /* time steps of a frame, and between the starts of two; image: 0, a row sees the window */
  uint16_t rows;     /* frames in a window */
  uint16_t columns;  /* values in a row */
  uint16_t fft_log2; /* 4..12; 0: no bands */
  uint16_t bands;
  uint16_t coefficients; /* of the cosine transform; 0: none */
  uint16_t width, depth; /* of the tensor [rows, width, depth]; width * depth = columns */
  int16_t floor;         /* least log2 of a band's power, Q8 */
  int16_t range;         /* values below the window's largest minus range are raised; 0: off */
  int16_t zp;
  uint16_t stride;     /* channels of the samples, interleaved */
  uint16_t cell_bytes; /* of a value in a row: 2 int16, 4 int32 */
  uint16_t flags;      /* MOTE_FEATURES_CLOSED; the upper byte is the host's: a lifter */
  float scale;         /* real = scale * (q - zp); the device does not use it */
  int32_t
      window_at; /* int16[frame]: the window, Q15; kinds that take samples as they are have none */
  int32_t sine_at;    /* int16[mote_fft_table_values]: what mote_fft_real reads */
  int32_t segment_at; /* uint16[bands + 2]: first bin of each segment, and the end */
  int32_t weight_at;  /* uint8[bins of all segments]: share of the band above, Q8 */
  int32_t cosine_at;  /* int16[coefficients][bands], Q14, orthonormal */
  int32_t
      column_at; /* struct mote_features_column[columns], or _wide_column for cells of 4 bytes; image: one for all */
  int32_t channel_at; /* uint8[channels]: where in a time step each channel stands */
  int32_t params_at;  /* the kind's own parameters, up to the end; 0: none */
};

/* Parameters of mfe, mfcc and spectrogram: a sample becomes gain x(t) - before x(t - 1). range: gain >= 1, gain + |before| <=
 * 65535. The sample before the first frame is the window's last where the window is at hand, else 0. */
struct mote_features_emphasis {
  int32_t gain, before;
  int32_t unit; /* Q8, taken off each logarithm: 2 log2(gain) */
  /* NORMALISE_SLIDING: mean and deviation over so many rows about each, odd; beyond the window's ends its rows come
   * again, the last first. Values become Q10. */
  int32_t sliding;
};

/* What a kind is. Rows are void: int16 or int32, as cell_bytes says. */
struct mote_features_op {
  uint8_t kind; /* enum mote_features_kind */
  /* Proves what only the kind knows: its columns, tables, parameters. Called behind the common checks. NULL: the
   * proof is mote_features_check_of's, so that a program which proves nothing does not hold it. */
  enum mote_status (*check)(const struct mote_features *f);
  size_t (*scratch_bytes)(const struct mote_features *f); /* of one row; a multiple of 4 */
  /* What is kept from one row to the next; both NULL where rows do not depend on earlier ones. */
  size_t (*state_bytes)(const struct mote_features *f);
  void (*begin)(const struct mote_features *f, void *state);
  /* Where the first row depends on more of the window than its frame: called after begin by mote_features_run, which
   * has the window; a stream goes without. NULL: never. */
  void (*prime)(const struct mote_features *f, const int16_t *window, void *state);
  void (*row)(const struct mote_features *f, const int16_t *samples, void *state, void *scratch,
              void *row);
  /* n: rows that there are; a window's, or any where rows are alone (mote_features_rows_alone). */
  void (*finish)(const struct mote_features *f, const void *rows, uint32_t n, int8_t *out);
  /* The whole window without its rows in memory, with the scratch of a row behind a row's state; the same bits as row and
   * finish. NULL: the rows are kept. */
  void (*run)(const struct mote_features *f, const int16_t *samples, void *scratch, int8_t *out);
};
extern const struct mote_features_op mote_features_bands, mote_features_statistics,
    mote_features_raw, mote_features_mfe, mote_features_mfcc, mote_features_spectrogram,
    mote_features_flatness;

/* The op of a kind, NULL for an unknown one. A program that calls this links every kind. */
const struct mote_features_op *mote_features_op_of(unsigned kind);
/* The proof of a kind whose op has none. Links every kind's. */
enum mote_status mote_features_check_of(const struct mote_features *f);

/* The first sample of channel c of those that are read; the next is f->stride further. */
static inline const int16_t *mote_features_channel(const struct mote_features *f,
                                                   const int16_t *samples, uint32_t c) {
  return samples + ((const uint8_t *)mote_at(f, f->channel_at))[c];
}

/* Proves that a block is safe to run with op: afterwards the functions below read only the block, the samples
 * and the scratch, and write only scratch and out. needs: bytes aligned to 4. cost: one pass over the tables. */
enum mote_status mote_features_check(const void *bytes, size_t n,
                                     const struct mote_features_op *op);
/* A table of n bytes at offset `at` lies behind the structure and before the end, aligned to 4. For ops. */
int mote_features_table_fits(const struct mote_features *f, int32_t at, size_t n);

/* Scratch of mote_features_run: the rows of the window and what one row needs. The samples are not in it. */
size_t mote_features_scratch_bytes(const struct mote_features *f,
                                   const struct mote_features_op *op);
/* Scratch and state of mote_features_row alone, aligned to 4: the state, then the scratch. */
size_t mote_features_row_scratch_bytes(const struct mote_features *f,
                                       const struct mote_features_op *op);

/* Makes ready for the first row of a window, or of a stream. scratch: as for mote_features_row. */
void mote_features_begin(const struct mote_features *f, const struct mote_features_op *op,
                         void *scratch);
/* One row from one frame, in the order of time. shape: samples [frame, stride], row [columns], channel after
 * channel. scratch: aligned to 4; its head is the state, which stays until the next row.
 * unit: bands: log2 of power in Q8, with a cosine transform Q6; statistics: counts of the samples, span halved,
 * crossings of the mean as a number; raw: counts; mfe, mfcc, spectrogram: log2 of power in Q8; flatness: log2 of power and
 * of flatness in Q8, each channel's levels (where it has them) in front of its flatness. */
void mote_features_row(const struct mote_features *f, const struct mote_features_op *op,
                       const int16_t *samples, void *scratch, void *row);

/* Normalises the rows of a window and maps them to int8. shape: rows [rows, depth, width], out [rows, width,
 * depth]: the channels of a spectrum end side by side, as an image has colours.
 * alias: out may not overlap rows. */
void mote_features_finish(const struct mote_features *f, const struct mote_features_op *op,
                          const void *rows, int8_t *out);

/* A whole window. shape: samples [window, stride], out [rows, width, depth]. scratch: aligned to 4,
 * mote_features_scratch_bytes long. alias: none of the three may overlap. */
void mote_features_run(const struct mote_features *f, const struct mote_features_op *op,
                       const int16_t *samples, void *scratch, int8_t *out);

/* The same where the window is one row and nothing is kept from one to the next (mote_features_is_once): without the code for
 * frames. rows_bytes: mote_features_rows_bytes(f). */
static inline void mote_features_run_once(const struct mote_features *f,
                                          const struct mote_features_op *op, size_t rows_bytes,
                                          const int16_t *samples, void *scratch, int8_t *out) {
  op->row(f, samples, NULL, (uint8_t *)scratch + rows_bytes, scratch);
  op->finish(f, scratch, 1, out);
}
int mote_features_is_once(const struct mote_features *f, const struct mote_features_op *op);
/* Of a window's rows in the scratch; 0 where the samples themselves are the rows. */
size_t mote_features_rows_bytes(const struct mote_features *f);
/* Whether the int8 values of a row follow from that row: nothing is taken off that other rows decide. */
int mote_features_rows_alone(const struct mote_features *f);

/* ---- a stream: one row for each hop of samples ------------------------------- *
 * The rows of the last window are kept, its samples are not; rows that are alone are kept as their int8 values. Rows are those that mote_features_run would make of the same
 * samples, bit for bit, but for the first row of a kind with `prime`, and for moving averages, which a stream carries on. A row is made once its frame is there, in whole hops.
 */
/* aligned to 4: state, scratch of a row, the rows, and of the samples one frame (none where a hop holds a frame). */
size_t mote_features_stream_bytes(const struct mote_features *f, const struct mote_features_op *op);
/* Of the rows in it. */
size_t mote_features_stream_rows_bytes(const struct mote_features *f);
void mote_features_stream_begin(const struct mote_features *f, const struct mote_features_op *op,
                                void *memory);
/* Takes a hop. shape: samples [hop, stride]. 1: a new row has come and the rows of a whole window are there.
 * cost: one row; moving the kept rows and samples. */
int mote_features_stream_push(const struct mote_features *f, const struct mote_features_op *op,
                              void *memory, const int16_t *samples);
/* The last step over the rows that are there, which stay; those that are not yet there count as 0. */
void mote_features_stream_finish(const struct mote_features *f, const struct mote_features_op *op,
                                 void *memory, int8_t *out);

/* ---- pieces, for other users of the room ------------------------------------ */

/* In place: n = 2^log2n real numbers become bins 0 .. n/2 of their DFT, X(k) = sum x(t) e^(-2 pi i k t / n).
 * On entry x holds the n/2 pairs (x(2t), x(2t+1)) at the bit-reversed place of t. On return x[2k], x[2k+1]
 * are re and im of bin k; bin n/2, which is real, stands in x[1]. table: aligned to 4, of mote_fft_table_values.
 * range: the magnitudes of all x sum to less than 2^29 (as they do below 2^(29 - log2n)); log2n 4..12. */
void mote_fft_real(int32_t *x, unsigned log2n, const int16_t *table);
/* Back, in place: from bins as mote_fft_real leaves them, of any size, to real numbers in the order of time, each times
 * n / 2 / 2^(what is returned), which is at least 0. The magnitudes of what is made are below 2^29. errors: as the way there. */
int32_t mote_fft_real_inverse(int32_t *x, unsigned log2n, const int16_t *table);
/* Values of an FFT's table, Q15 with 1 as 32767: sin(2 pi k / n) for k = 0 .. n/4, one to fill a word, and for each stage
 * of fours over quarters of m points (m = 4, or 8 where log2n is even, then always four times as many, below n/2) and each
 * j = 1 .. m - 1 the cosine and sine of 2 pi i j / (4 m) for i = 1, 2, 3. */
uint32_t mote_fft_table_values(unsigned log2n);

/* Zeros in front of x > 0 in 32 bits. A long has at least these, an unsigned int may have 16. */
static inline int32_t mote_zeros_of(uint32_t x) {
  return __builtin_clzl(x) - (int32_t)(8 * sizeof(long) - 32);
}
/* log2(x) in Q8 of x > 0. errors: at most 0.52/256. */
int32_t mote_log2_u32_q8(uint32_t x);
/* log2(x) in Q8; -16384 (less than any x >= 1 gives) for 0. errors: at most 0.52/256. */
int32_t mote_log2_q8(uint64_t x);

/* Parameters of the kinds that have their own. */
#include "mote/dsp/calibrate.h"
#include "mote/dsp/flatten.h"
#include "mote/dsp/front.h"
#include "mote/dsp/heart.h"
#include "mote/dsp/image.h"
#include "mote/dsp/micro.h"
#include "mote/dsp/pitch.h"
#include "mote/dsp/spectral.h"
#include "mote/dsp/suppress.h"
#include "mote/dsp/wavelet.h"

#ifdef __cplusplus
}
#endif

#endif
