/* store: a project's samples and training runs in one SQLite file (project.db).
 *
 * How it works: plain tables, one blob for each sample's numbers. A rollback journal with synchronous=EXTRA:
 * a kill or a power cut at any moment leaves the file as it was after the last commit, and what a commit
 * reported done stays done. Changes between store_begin and store_commit are one transaction; outside of a
 * pair each call is its own.
 *
 * invariant: application_id is STORE_APPLICATION_ID and user_version the schema version, both set in the
 * transaction that makes the tables, so that a file is either empty or whole. A blob's size equals
 * length * channels * size of type (checked on reading: the file may come from anywhere). */
#ifndef HOST_STORE_H
#define HOST_STORE_H

#include "host/kit/kit.h"

#define STORE_APPLICATION_ID 0x4d6f7465 /* "Mote" */
#define STORE_SCHEMA_VERSION 1
/* The largest blob of one sample: 64 MiB is half an hour of 16 kHz audio, and keeps a job's memory sane. */
#define STORE_MAX_BLOB_BYTES ((size_t)64 << 20)

struct store;

enum store_mode {
  STORE_CREATE, /* read and write; made if absent or empty */
  STORE_WRITE,  /* read and write; must exist */
  STORE_READ    /* must exist */
};

/* Opens path; older schemas are migrated in one transaction (STORE_READ refuses them).
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

enum store_type { STORE_INT16, STORE_FLOAT32, STORE_TYPE_COUNT };

/* A recording. data is [length][channels], little-endian in the file, native in memory. */
struct store_sample {
  int64_t id;         /* > 0; given by store_add */
  const char *label;  /* never empty, no control characters */
  const char *group;  /* who or what was recorded (speaker, device); "" unknown */
  const char *source; /* the file it came from, and the part of it */
  enum store_split split;
  enum store_type type;
  double rate_hz;
  int channels;
  int64_t length;   /* frames: numbers for each channel */
  int64_t added_s;  /* seconds since 1970, UTC */
  const void *data; /* NULL where only the description was read */
  char sha256[65];  /* of type, rate, channels and data: finds duplicates */
};

/* Adds s (id, added_s and sha256 are filled in). A sample with the same numbers is not added again:
 * *duplicate_of is then its id (and s->id too), else 0.
 * errors: label empty, sizes out of range, disk. */
bool store_add(struct store *st, struct store_sample *s, int64_t *duplicate_of, struct err *e);
/* The sample with its data, in a. errors: absent, damaged blob, arena too small. */
bool store_get(struct store *st, struct arena *a, int64_t id, struct store_sample *s,
               struct err *e);

/* What to list: NULL or -1 means any. */
struct store_filter {
  const char *label;
  const char *group;
  int split; /* enum store_split, or -1 */
};
/* Descriptions (data is NULL) in the order of ids, in a. filter may be NULL. */
bool store_list(struct store *st, struct arena *a, const struct store_filter *filter,
                struct store_sample **samples, int *count, struct err *e);
bool store_remove(struct store *st, int64_t id, struct err *e);
/* Changes label, split or group of a sample; NULL or -1 keeps. */
bool store_relabel(struct store *st, int64_t id, const char *label, int split, const char *group,
                   struct err *e);

/* One row for each label and split that has samples, sorted by label, then split. */
struct store_count {
  const char *label;
  enum store_split split;
  int64_t samples;
  double seconds;
};
bool store_counts(struct store *st, struct arena *a, struct store_count **rows, int *count,
                  struct err *e);
/* The groups there are, sorted, without "". */
bool store_groups(struct store *st, struct arena *a, const char ***names, int *count,
                  struct err *e);

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
