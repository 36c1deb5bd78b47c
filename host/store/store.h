/* store: a project's samples and training runs in one SQLite file (project.db).
 *
 * How it works: `samples` describes, `blobs` holds the numbers, addressed by their content, so that samples of today,
 * of the history and of every version share them. Each change of samples writes what they were before into
 * `past`, in the same transaction: undo puts that back, a version is a place in the history, and the state at a
 * place is the earliest `past` behind it, or what is there now. A rollback journal with synchronous=EXTRA: a
 * kill or a power cut at any moment leaves the file as it was after the last commit, and what a commit
 * reported done stays done. Calls between store_begin and store_commit are one transaction; outside of a
 * pair each call is its own.
 *
 * invariant: application_id is STORE_APPLICATION_ID and user_version the schema version, both set in the
 * transaction that makes the tables, so that a file is either empty or whole. A blob's size equals
 * length * channels * size of type (checked on reading: the file may come from anywhere). No two samples hold the
 * same numbers. Ids are never given twice. */
#ifndef HOST_STORE_H
#define HOST_STORE_H

#include "host/kit/kit.h"

#define STORE_APPLICATION_ID 0x4d6f7465 /* "Mote" */
#define STORE_SCHEMA_VERSION 2
/* The largest blob of one sample: 64 MiB is half an hour of 16 kHz audio, and keeps a job's memory sane. */
#define STORE_MAX_BLOB_BYTES ((size_t)64 << 20)

struct store;

enum store_mode {
  STORE_CREATE, /* read and write; made if absent or empty */
  STORE_WRITE,  /* read and write; must exist */
  STORE_READ    /* must exist */
};

/* Opens path; older schemas are migrated in one transaction, for reading too where the file may be written.
 * errors: absent, no SQLite file, another program's file, made by a newer Mote, locked by another program
 * for more than 5 s, read-only, disk full, damaged. */
bool store_open(struct arena *a, const char *path, enum store_mode mode, struct store **out,
                struct err *e);
/* Rolls back what was not committed. NULL is fine. */
void store_close(struct store *s);

/* One transaction around many calls. cost: a commit is two to four disk synchronisations. */
bool store_begin(struct store *s, struct err *e);
bool store_commit(struct store *s, struct err *e);
void store_rollback(struct store *s);
/* SQLite's own proof that the file is whole (integrity_check). */
bool store_check(struct store *s, struct err *e);

/* ---- samples ----------------------------------------------------------------- */
enum store_split { STORE_TRAIN, STORE_VALIDATION, STORE_TEST, STORE_SPLIT_COUNT };
const char *store_split_name(enum store_split split);              /* "train" "validation" "test" */
bool store_split_parse(const char *name, enum store_split *split); /* false: no such name */

enum store_type {
  STORE_INT16,   /* sound: [length][channels] */
  STORE_FLOAT32, /* sensors: [length][channels] */
  STORE_UINT8,   /* one picture: [height][width][channels], length = height * width, rate_hz = 0 */
  STORE_TYPE_COUNT
};

/* A fact about a sample. key: letters, digits and _ . - only. */
struct store_meta {
  const char *key, *value;
};
/* What happens from one frame to another, both included. Spans may overlap. */
struct store_span {
  int64_t first, last;
  const char *label;
};
/* What a rectangle of a picture shows, in pixels from the upper left corner. */
struct store_box {
  int x, y, width, height;
  const char *label;
};

/* A recording or picture, little-endian in the file, native in memory. */
struct store_sample {
  int64_t id;         /* > 0; given by store_add */
  const char *label;  /* of the whole; never empty, no control characters */
  const char *group;  /* who or what was recorded (speaker, device); "" unknown */
  const char *source; /* the file it came from, and the part of it */
  enum store_split split;
  enum store_type type;
  double rate_hz;
  int channels;
  int64_t length;    /* frames: numbers for each channel */
  int height, width; /* of pictures; else 0 */
  bool disabled;     /* kept, but neither trained nor tested with */
  int64_t added_s;   /* seconds since 1970, UTC */
  const void *data;  /* NULL where only the description was read */
  const struct store_meta
      *meta; /* sorted by key; these three are read by store_get and store_describe */
  const struct store_span *spans;
  const struct store_box *boxes;
  int n_meta, n_spans, n_boxes;
  char sha256[65]; /* of type, rate, shape and data: finds duplicates */
};

/* Adds s (id, added_s and sha256 are filled in). A sample with the same numbers is not added again:
 * *duplicate_of is then its id (and s->id too), else 0.
 * errors: label empty, sizes out of range, a span or box outside, disk. */
bool store_add(struct store *st, struct store_sample *s, int64_t *duplicate_of, struct err *e);
/* The sample with its data, in a. errors: absent, damaged blob, arena too small. */
bool store_get(struct store *st, struct arena *a, int64_t id, struct store_sample *s,
               struct err *e);
/* The same without data. */
bool store_describe(struct store *st, struct arena *a, int64_t id, struct store_sample *s,
                    struct err *e);
/* Writes all of s over the sample s->id; data NULL keeps the numbers (type and shape then count for nothing).
 * *duplicate_of: another sample holds these numbers already, and nothing was changed; else 0. */
bool store_edit(struct store *st, struct store_sample *s, int64_t *duplicate_of, struct err *e);
bool store_remove(struct store *st, int64_t id, struct err *e);
/* Changes label, split or group of a sample; NULL or -1 keeps. */
bool store_relabel(struct store *st, int64_t id, const char *label, int split, const char *group,
                   struct err *e);
bool store_enable(struct store *st, int64_t id, bool enabled, struct err *e);
/* value NULL takes the key away. */
bool store_set_meta(struct store *st, int64_t id, const char *key, const char *value,
                    struct err *e);
bool store_set_spans(struct store *st, int64_t id, const struct store_span *spans, int n,
                     struct err *e);

/* ---- listing ------------------------------------------------------------------ */
enum store_compare {
  STORE_EQUAL,
  STORE_DIFFERENT, /* also where the key is missing */
  STORE_LESS,      /* the last four compare numbers; a text is none of them */
  STORE_MORE,
  STORE_AT_MOST,
  STORE_AT_LEAST
};
/* key: id label group split source type rate_hz channels length seconds enabled sha256, else metadata. */
struct store_where {
  const char *key, *value;
  enum store_compare compare;
};
/* Splits "key=value", "key!=value", "key<3" ... ; the texts are in a. errors: no comparison, an unknown key's form. */
bool store_where_parse(struct arena *a, const char *text, struct store_where *where, struct err *e);

enum store_state { STORE_ANY_STATE, STORE_ENABLED, STORE_DISABLED };
/* What to list: NULL, 0 or, for split, -1 means any. */
struct store_filter {
  const char *label;
  const char *group;
  int split; /* enum store_split, or -1 */
  enum store_state state;
  const struct store_where *where; /* all of them */
  int n_where;
  int64_t after; /* ids above this alone */
  int most;      /* samples to list; 0 all */
};
/* Descriptions (no data, meta, spans, boxes) in the order of ids, in a. filter may be NULL. */
bool store_list(struct store *st, struct arena *a, const struct store_filter *filter,
                struct store_sample **samples, int *count, struct err *e);
/* How many store_list would give without `most`. */
bool store_size(struct store *st, const struct store_filter *filter, int64_t *count, struct err *e);

/* One row for each label and split that has samples, sorted by label, then split. */
struct store_count {
  const char *label;
  enum store_split split;
  int64_t samples, disabled; /* disabled ones are among the samples */
  double seconds;            /* of recordings */
};
bool store_counts(struct store *st, struct arena *a, struct store_count **rows, int *count,
                  struct err *e);
/* The groups there are, sorted, without "". */
bool store_groups(struct store *st, struct arena *a, const char ***names, int *count,
                  struct err *e);
/* The keys of metadata with the number of samples that have each, sorted. */
struct store_key {
  const char *key;
  int64_t samples, values; /* values: different ones */
};
bool store_keys(struct store *st, struct arena *a, struct store_key **keys, int *count,
                struct err *e);
/* The value of a key of every sample that has one, in the order of ids; what store_where knows as key. */
struct store_value {
  int64_t id;
  const char *value;
};
bool store_values(struct store *st, struct arena *a, const char *key, struct store_value **values,
                  int *count, struct err *e);
/* Labels of spans: how many and how long. */
struct store_span_count {
  const char *label;
  int64_t spans;
  double seconds;
};
bool store_span_counts(struct store *st, struct arena *a, struct store_span_count **rows,
                       int *count, struct err *e);

/* ---- history ------------------------------------------------------------------ */
/* What follows is one change with this description, whatever the number of calls and transactions, until the next
 * store_change; NULL: each call is a change of its own again. */
void store_change(struct store *st, const char *what);

struct store_change {
  int64_t id;
  int64_t made_s;
  const char *what;
  int64_t samples; /* that it touched */
  int64_t undoes;  /* the change that this one takes back; 0: none */
  bool undone;
};
/* The latest changes, newest first. most 0: all. */
bool store_history(struct store *st, struct arena *a, int most, struct store_change **changes,
                   int *count, struct err *e);
/* Takes back the latest change that stands, or the latest undo where nothing was changed since; *done is what
 * was taken back. Both are changes themselves: nothing is forgotten. errors: nothing to take back. */
bool store_undo(struct store *st, struct arena *a, struct store_change *done, struct err *e);
bool store_redo(struct store *st, struct arena *a, struct store_change *done, struct err *e);

/* A version is a name for a place in the history. cost: one row. */
struct store_version {
  const char *name;
  int64_t made_s, change, samples;
};
bool store_snapshot(struct store *st, const char *name, struct err *e);
bool store_versions(struct store *st, struct arena *a, struct store_version **versions, int *count,
                    struct err *e);
bool store_drop_version(struct store *st, const char *name, struct err *e);
/* What differs, in the order of ids. A text names a field: "label split meta". */
enum store_difference_kind { STORE_ADDED, STORE_REMOVED, STORE_CHANGED };
struct store_difference {
  int64_t id;
  enum store_difference_kind kind;
  const char *label, *label_after; /* "" where it is not there */
  const char *source;
  const char *fields; /* of a change: what differs, with spaces between */
};
/* From one version to another; NULL means now. */
bool store_diff(struct store *st, struct arena *a, const char *from, const char *to,
                struct store_difference **differences, int *count, struct err *e);
/* The samples as they were; a change, so it can be undone. touched: samples that were changed. */
bool store_restore(struct store *st, const char *name, int64_t *touched, struct err *e);
/* Forgets the history before the oldest version (all of it where there is none), and with it the numbers that no
 * sample holds any more; the file becomes smaller. */
bool store_forget(struct store *st, int64_t *changes, int64_t *bytes, struct err *e);

/* What SQLite did for this handle since it was opened: for tests of cost. */
struct store_work {
  int64_t steps;   /* of its virtual machine */
  int64_t scanned; /* rows visited without an index */
  int64_t sorts;
};
void store_work(const struct store *st, struct store_work *work);

/* ---- runs --------------------------------------------------------------------- */
enum store_status { STORE_RUNNING, STORE_DONE };

/* One training run. Blobs are opaque here: the trainer's checkpoint, the graph's bytes, the features' bytes. */
struct store_run {
  int64_t id;
  enum store_status status;
  const char *purpose;  /* "" the project's own model; another word: a series of its own */
  const char *settings; /* text that decides the run: equal settings may continue it */
  const char *metrics;  /* what the run came to, a text of its owner; "" until done */
  int64_t started_s, ended_s;
  int epochs_done;
  const void *features, *checkpoint, *model;
  size_t features_bytes, checkpoint_bytes, model_bytes;
};

struct store_epoch {
  int epoch; /* from 1 */
  double loss, accuracy, validation_loss, validation_accuracy, learning_rate;
};

bool store_run_begin(struct store *st, const char *purpose, const char *settings,
                     const void *features, size_t features_bytes, int64_t *id, struct err *e);
/* History and checkpoint of one epoch, together. checkpoint NULL keeps the older one. */
bool store_run_epoch(struct store *st, int64_t id, const struct store_epoch *epoch,
                     const void *checkpoint, size_t checkpoint_bytes, struct err *e);
/* The model and metrics; the run is done. The last checkpoint stays. */
bool store_run_finish(struct store *st, int64_t id, const char *metrics, const void *model,
                      size_t model_bytes, struct err *e);
/* A run that is done becomes the latest again. */
bool store_run_take(struct store *st, int64_t id, struct err *e);
/* The run id, with its blobs in a; id 0: the latest of this purpose that is done (purpose counts only then).
 * found: false when there is none. */
bool store_run_get(struct store *st, struct arena *a, const char *purpose, int64_t id,
                   struct store_run *run, bool *found, struct err *e);
/* The latest run with this purpose, settings and status: one to continue, or one that need not be made. */
bool store_run_find(struct store *st, struct arena *a, const char *purpose, const char *settings,
                    enum store_status status, struct store_run *run, bool *found, struct err *e);
bool store_run_history(struct store *st, struct arena *a, int64_t id, struct store_epoch **epochs,
                       int *count, struct err *e);
/* Descriptions of all runs (blobs NULL, their sizes filled in). */
bool store_run_list(struct store *st, struct arena *a, struct store_run **runs, int *count,
                    struct err *e);

#endif
