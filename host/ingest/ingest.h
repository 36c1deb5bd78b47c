/* ingest: recordings on disk -> numbers at the project's rate.
 *
 * WAV, FLAC and OGG through libsndfile, CSV with a time column through the reader here. Also what surrounds
 * reading: folders become sorted lists of files, labels and groups come from folder names or from a pattern
 * over the file's name, and the split into training, validation and test follows a stable rule.
 *
 * How it works: a file gives one or several recordings (a CSV is cut where time jumps or where its label
 * column changes). Rates are matched with libsoxr (audio) or by linear interpolation over the time column.
 *
 * invariant: every byte is hostile. A file gives numbers or an error that says what is wrong and where;
 * numbers are finite, at least one frame is there, and nothing larger than INGEST_MAX_BYTES is made. */
#ifndef HOST_INGEST_H
#define HOST_INGEST_H

#include "host/kit/kit.h"

/* Most memory that one recording may take, after resampling. */
#define INGEST_MAX_BYTES    ((size_t)64 << 20)
#define INGEST_MAX_CHANNELS 64

enum ingest_type { INGEST_INT16, INGEST_FLOAT32 };

struct ingest_options {
  enum ingest_type type; /* of the numbers: audio is int16, sensors are float32 */
  double rate_hz;        /* wanted; 0 keeps the file's own */
  /* Wanted; 0 keeps; 1 mixes audio down (mean); else the file must have as many. */
  int channels;
  /* CSV alone: */
  const char *time_column;  /* name or number (from 1); NULL: by its name, else by rising numbers */
  const char *label_column; /* name or number of the column that holds labels; NULL: none */
  const char *columns; /* names or numbers of the channels, with commas; NULL: all numeric ones */
  double time_unit_s;  /* seconds in one unit of the time column; 0: guessed from name and steps */
};

struct ingest_recording {
  enum ingest_type type;
  double rate_hz;
  int channels;
  int64_t length;    /* frames, >= 1 */
  const void *data;  /* [length][channels] of int16_t or float */
  const char *part;  /* "" or which lines of the file, "lines 2-401" */
  const char *label; /* from the label column; NULL without one */
  double source_rate_hz;
  int64_t clipped; /* numbers that were limited to the int16 range */
};

/* Is this a file that ingest_read may take (by the end of its name)? */
bool ingest_known(const char *path);
/* Reads a file. errors: absent, unknown kind, damaged or cut short, sizes, columns, text where a number
 * should stand (with its line). e->file and e->node are filled in. */
bool ingest_read(struct arena *a, const char *path, const struct ingest_options *o,
                 struct ingest_recording **recordings, int *count, struct err *e);

/* Rate conversion of int16 or float32 frames; the result is in the arena. exact: the same on every run. */
bool ingest_resample(struct arena *a, enum ingest_type type, const void *data, int64_t length,
                     int channels, double from_hz, double to_hz, const void **out,
                     int64_t *out_length, struct err *e);

/* Files and folders (recursive) -> files, each folder's in sorted order. Files named outright are kept
 * whatever their name; in folders unknown kinds and hidden names are left out. */
bool ingest_expand(struct arena *a, const char *const *paths, int n_paths, char ***files,
                   int *count, struct err *e);

/* ---- names -------------------------------------------------------------------- */
/* A rule that reads a word from a path:
 *   folder         the name of the folder that the file lies in
 *   folder:N       the folder N levels up (1 = folder)
 *   name:REGEX     POSIX extended, over the file's name without its folder; the first group, else the match
 *   path:REGEX     the same over the whole path
 *   anything else  that word itself */
struct ingest_rule;
bool ingest_rule_make(struct arena *a, const char *text, struct ingest_rule **rule, struct err *e);
void ingest_rule_free(struct ingest_rule *rule); /* NULL is fine */
/* The word for path, in a. errors: the pattern does not match, the word is empty. */
bool ingest_rule_apply(const struct ingest_rule *rule, struct arena *a, const char *path,
                       char **word, struct err *e);
/* Does a name: or path: rule match? */
bool ingest_rule_matches(const struct ingest_rule *rule, const char *path);

/* ---- split -------------------------------------------------------------------- */
/* A number in [0, 1) that depends on the text alone: the same text is always in the same split.
 * source: the first 53 bits of SHA-256. */
double ingest_share(const char *text);

#endif
