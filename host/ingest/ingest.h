/* ingest: recordings on disk -> numbers at the project's rate.
 *
 * Sound (WAV, FLAC, OGG and what else libsndfile reads), tables (CSV and its relatives), acquisition files (JSON
 * and CBOR, with their signature), pictures (JPEG, PNG, PGM, PPM), arrays (.npy, .npz, IDX), WFDB records and raw
 * numbers. Also what surrounds reading: folders become sorted lists of files, labels and groups come from folder
 * names, from a pattern over the file's name, from an index or from a labels file, and the split into training,
 * validation and test follows a stable rule.
 *
 * How it works: a reader takes a file in small pieces and hands out one recording at a time, so that memory does
 * not grow with the file; one that is longer than INGEST_PIECE_BYTES becomes several consecutive recordings.
 * Numbers run through one pipe: mixed down, brought to the wanted rate (libsoxr; tables with a time column are
 * first laid on an even grid by linear interpolation), turned into the wanted type. What a reader guessed or
 * changed it says in its notes.
 *
 * invariant: every byte is hostile. A file gives numbers or an error that says what is wrong and where;
 * numbers are finite, and at least one frame is there. Memory of a reader: at most about 40 MiB, pictures (which
 * are decoded whole, at most INGEST_MAX_PIXELS) aside. */
#ifndef HOST_INGEST_H
#define HOST_INGEST_H

#include "host/kit/kit.h"

/* Most numbers of one recording: 16 MiB are 8 minutes of 16 kHz int16. */
#define INGEST_PIECE_BYTES  ((size_t)16 << 20)
#define INGEST_MAX_CHANNELS 1024
#define INGEST_MAX_PIXELS   ((int64_t)16 << 20)

enum ingest_type { INGEST_INT16, INGEST_FLOAT32, INGEST_UINT8 };
size_t ingest_type_bytes(enum ingest_type type);

/* Labels of stretches and of boxes, and words about the whole. */
struct ingest_span {
  int64_t start, end; /* frames, [start, end) */
  const char *label;
};
struct ingest_box {
  const char *label;
  int x, y, width, height; /* pixels from the upper left */
};
struct ingest_pair {
  const char *key, *value;
};

struct ingest_options {
  enum ingest_type
      type; /* of the numbers: audio is int16, sensors are float32; pictures are always uint8 */
  double rate_hz; /* wanted; 0 keeps the file's own */
  /* Wanted; 0 keeps; 1 mixes sound down (mean) and turns pictures grey; else the file must have as many. */
  int channels;
  /* The rate of files that do not tell theirs (tables without time, arrays, raw numbers); 0: rate_hz. */
  double source_rate_hz;
  const char *hmac_key; /* of acquisition files; NULL: their signature is not checked */
  /* Numbers without a header: "int8 uint8 int16 uint16 int24 int32 float32 float64", behind it ":be" for big-endian;
   * NULL: what the file is is found by its name and its first bytes. */
  const char *raw;
  /* Labels of stretches and boxes cut the recording into one for each; else they are handed on. */
  bool cut;
  bool no_pictures; /* pictures are refused, and left out of folders */
  /* Tables: columns by name, or number from 1. */
  const char *time_column; /* NULL: by its name, else by dates */
  const char *
      label_column; /* holds labels: recordings end where it changes; NULL: none. Of arrays: its array */
  const char *group_column; /* the same for groups */
  const char *
      columns; /* the channels, with commas and ranges "3-66"; NULL: all numeric ones. Of .npz: the array */
  double time_unit_s; /* seconds in one unit of the time column; 0: guessed from name and steps */
  char separator;     /* 0: guessed */
  /* Of tables with dates: three channels more, what a clock says: sine and cosine of the time of day, 1 on Saturday and Sunday. */
  bool clock;
  bool each_row;      /* each row is a recording of its own */
  bool skip_bad_rows; /* rows that cannot be read are left out and counted */
};

struct ingest_recording {
  enum ingest_type type;
  double rate_hz;
  int channels;
  int64_t length;    /* frames, >= 1; of a picture its pixels */
  const void *data;  /* [length][channels] */
  int width, height; /* of a picture: length = width * height; else 0 */
  const char *part;  /* "" or which part of the file, "lines 2-401" */
  const char *label; /* that the file itself tells; NULL without one */
  const char *group;
  double source_rate_hz;
  int64_t start;   /* frames of the same file in front of this piece */
  bool piece;      /* it goes on where the one before ended */
  int64_t clipped; /* numbers that were limited to the int16 range */
  bool
      independent; /* no neighbour in time of the file's other recordings: a picture, a row of its own */
  const struct ingest_span *spans;
  int n_spans;
  const struct ingest_box *boxes;
  int n_boxes;
  const struct ingest_pair *metadata; /* sensors, device, units ... as the file has them */
  int n_metadata;
};

/* Is this a file that a reader takes? By the end of its name, and of .txt by what is in it. */
bool ingest_known(const char *path);

struct ingest_reader;
/* o must live as long as the reader. errors: absent, unknown kind, damaged, columns; e->file is filled in. */
bool ingest_open(const char *path, const struct ingest_options *o, struct ingest_reader **reader,
                 struct err *e);
/* The next recording; *there is false behind the last. What it points at lives until the next call.
 * errors: damaged or cut short, text where a number should stand (with its line) ... A file without any recording
 * is an error, too. */
bool ingest_next(struct ingest_reader *r, struct ingest_recording *recording, bool *there,
                 struct err *e);
/* What was guessed or changed so far: short sentences with "; " between them; "" for nothing. */
const char *ingest_notes(const struct ingest_reader *r);
/* Labels of stretches from elsewhere, in frames of the file; before the first ingest_next. They must live as long
 * as the reader. */
void ingest_set_spans(struct ingest_reader *r, const struct ingest_span *spans, int n);
/* The same for boxes of a picture: with `cut` each becomes a picture of its own. */
void ingest_set_boxes(struct ingest_reader *r, const struct ingest_box *boxes, int n);
void ingest_close(struct ingest_reader *r); /* NULL is fine */

/* All recordings of a file at once, in a. errors: as above, and more than a has room for. */
bool ingest_read(struct arena *a, const char *path, const struct ingest_options *o,
                 struct ingest_recording **recordings, int *count, struct err *e);

/* The recording's numbers as int16 or float32, in a where they are others: pixels stay 0 to 255. */
const void *ingest_numbers(struct arena *a, const struct ingest_recording *r,
                           enum ingest_type type);

/* Rate conversion of int16 or float32 frames; the result is in the arena. exact: the same on every run. */
bool ingest_resample(struct arena *a, enum ingest_type type, const void *data, int64_t length,
                     int channels, double from_hz, double to_hz, const void **out,
                     int64_t *out_length, struct err *e);

/* Files and folders (recursive) -> files, each folder's in sorted order. Files named outright are kept
 * whatever their name; in folders unknown kinds and hidden names are left out, and counted; with o->raw only unknown
 * kinds are taken. */
struct ingest_files {
  char **files;
  int count, left_out;
  char **labels; /* the .labels files among them: ingest_index_read takes them */
  int n_labels;
};
bool ingest_expand(struct arena *a, const char *const *paths, int n_paths,
                   const struct ingest_options *o, struct ingest_files *out, struct err *e);

/* ---- what other files say about a file ---------------------------------------------- */
/* A row of an index, or an entry of a labels file. NULL: it does not say. */
struct ingest_entry {
  const char *path; /* as written there */
  const char *label, *group, *split;
  const struct ingest_span *spans;
  int n_spans;
  const struct ingest_box *boxes;
  int n_boxes;
  bool boxed; /* it says where things are, perhaps that there are none */
  const struct ingest_pair *metadata;
  int n_metadata;
};
struct ingest_index;
/* Reads a CSV index (header with path or file, label or class, group or speaker or subject, split or category; other
 * columns become metadata; `columns` names them where there is no header, "path,-,label"; with x, y, width, height or xmin, ymin,
 * xmax, ymax a row is a box, and a picture has as many rows as boxes, or one without numbers) or a labels file (info.labels,
 * bounding boxes, structured labels, label maps, COCO's annotations; JSON or lines of it) into *index, which *index may hold
 * already: entries are added, and where several files tell about one path each thing is the first's that says it. A picture's label
 * is what all its boxes have, if they have one. errors: no table, no path column, damaged JSON (with its line). */
bool ingest_index_read(struct arena *a, const char *path, const char *columns,
                       struct ingest_index **index, struct err *e);
/* What was left out of the files: short sentences with "; " between them; "" for nothing. */
const char *ingest_index_notes(const struct ingest_index *index);
/* The entry for a file: by its path from the index's folder, else by its whole name where only one has it; NULL. */
const struct ingest_entry *ingest_index_find(const struct ingest_index *index, const char *path);
/* The files that it names, as paths from here, in its order. */
int ingest_index_files(const struct ingest_index *index, struct arena *a, char ***files);

/* ---- names -------------------------------------------------------------------- */
/* A rule that reads a word from a path:
 *   folder         the name of the folder that the file lies in
 *   folder:N       the folder N levels up (1 = folder)
 *   name           the file's name up to its first point ("idle.01.csv" is idle)
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
