/* export: numbers -> files that other programs read: WAV, CSV, PNG, NumPy's .npy and .npz.
 *
 * How it works: each call writes one file beside its place and renames it, so a file under its own name is whole. An .npz
 * is a ZIP of .npy without compression, written in one pass: sizes stand in front, and are patched when an array ends.
 *
 * invariant: little-endian in files. Numbers come out with the bits that went in (CSV: enough digits for that). */
#ifndef HOST_EXPORT_H
#define HOST_EXPORT_H

#include "host/kit/kit.h"

enum export_type {
  EXPORT_INT16,
  EXPORT_FLOAT32,
  EXPORT_UINT8,
  EXPORT_INT32,
  EXPORT_INT64,
  EXPORT_FLOAT64
};

struct export_numbers {
  enum export_type type;
  const void *data; /* [length][channels], or of a picture [height][width][channels] */
  int64_t length;
  int channels;
  double rate_hz;
  int height, width; /* of a picture, else 0 */
};

/* int16 and float32 sound of at most 65535 channels. errors: another type, more than 4 GB, disk. */
bool export_wav(const char *path, const struct export_numbers *s, struct err *e);
/* A header "time_ms,c1,c2" (or names, where given) and a line for each frame. */
bool export_csv(const char *path, const struct export_numbers *s, const char *const *names,
                struct err *e);
/* 8 bits; 1 (grey), 2 (grey and alpha), 3 or 4 channels. */
bool export_png(const char *path, const struct export_numbers *s, struct err *e);
/* Shape [length, channels], or [height, width, channels]. */
bool export_npy(const char *path, const struct export_numbers *s, struct err *e);

/* ---- .npz ------------------------------------------------------------------------ */
struct export_npz;
bool export_npz_open(struct arena *a, const char *path, struct export_npz **z, struct err *e);
/* One array: shape first, then its bytes in any pieces. errors: other than shape * type bytes; an array or file of 4 GB. */
bool export_npz_begin(struct export_npz *z, const char *name, enum export_type type,
                      const int64_t *shape, int n_shape, struct err *e);
bool export_npz_write(struct export_npz *z, const void *data, size_t bytes, struct err *e);
bool export_npz_end(struct export_npz *z, struct err *e);
/* A vector of texts, as NumPy's unicode strings. */
bool export_npz_texts(struct export_npz *z, const char *name, const char *const *texts, int64_t n,
                      struct err *e);
/* Finishes the file, or throws it away where ok is false. */
bool export_npz_close(struct export_npz *z, bool ok, struct err *e);

#endif
