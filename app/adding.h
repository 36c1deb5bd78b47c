/* adding: what `mote add` does, apart from its options and its report.
 *
 * Paths become a sorted list of files; rules, an index and labels files give each its label, group and split; ingest
 * reads it, one recording at a time; and batches of samples are committed together. Only what was committed is counted
 * as added, so that a kill at any moment loses nothing that was reported; running the same command again adds the
 * rest, since what is there already is found by its hash. A file that cannot be read is reported and the others go
 * in. */
#ifndef APP_ADDING_H
#define APP_ADDING_H

#include "app/project.h"
#include "host/ingest/ingest.h"

/* Failures that are told one by one; the rest is counted. */
#define ADDING_FAILURES 50
#define ADDING_NOTES    50

struct adding_options {
  const char *label, *label_from, *group, *group_from, *split, *split_from, *test, *validation;
  const char *index, *index_columns;
  const char *label_column, *group_column, *time_column, *columns, *time_unit, *separator;
  const char *raw, *hmac_key, *dir;
  double rate_hz;
  bool clock, each_row, skip_bad_rows, whole, dry_run;
};

struct adding_rules {
  struct ingest_rule *label, *group, *split, *test, *validation;
  int fixed_split; /* enum store_split, or -1: by rule */
  struct ingest_options ingest;
};

/* How groups are spread: those that the project knows stay where they are. */
struct placed_group {
  const char *name;
  int64_t files;
  int split; /* -1: not yet */
};

/* A sentence that readers said, and in how many files. */
struct adding_note {
  const char *text;
  int64_t files;
};

struct adding_count {
  const char *label;
  int64_t samples[STORE_SPLIT_COUNT];
  double seconds;
};

struct adding {
  struct command_line *c;
  const struct adding_options *o;
  struct project p;
  struct adding_rules rules;
  struct ingest_files files;
  struct ingest_index *index;
  bool only_indexed; /* the index was named: files that it does not name are left out */
  struct placed_group *groups;
  int n_groups;
  bool by_group;
  int64_t added, duplicates, failed, unlisted;    /* committed, but for failed and unlisted */
  int64_t reboxed;                                /* duplicates that took other boxes */
  int64_t new_added, new_duplicates, new_reboxed; /* since the last commit */
  void *met; /* of a project that counts: a tree of the ids whose boxes this run has seen */
  int64_t clipped, resampled, in_pieces; /* recordings */
  int64_t beyond;                        /* of whose numbers sensor.range cuts off many */
  int64_t metadata;                      /* recordings whose key-value pairs were not kept */
  struct err failures[ADDING_FAILURES];
  struct adding_note notes[ADDING_NOTES];
  int n_notes;
  struct adding_count *counts;
  int n_counts, counts_room;
};

/* Opens the project, finds the files and decides their splits. */
bool adding_plan(struct adding *d, struct err *e);
/* Adds them, or under --dry-run only reads them. */
bool adding_run(struct adding *d, struct err *e);
void adding_close(struct adding *d);

#endif
