/* private: what the files of this room share: the handle, statements and errors. */
#ifndef HOST_STORE_PRIVATE_H
#define HOST_STORE_PRIVATE_H

#include "host/store/store.h"

#include <sqlite3.h>

#define STORE_CACHED 24 /* statements that are kept prepared */

struct store {
  sqlite3 *db;
  char path[512];
  bool in_transaction;
  bool transaction_is_own; /* begun by store_enter */
  /* The change that calls belong to: its text, and its row once there is one (0: not yet). */
  char what[256];
  int64_t change;
  struct store_work work;
  struct {
    const char *sql;
    sqlite3_stmt *q;
  } cache[STORE_CACHED];
  int n_cache;
};

/* What SQLite's code means for a user. */
bool store_fail(struct store *st, const char *doing, struct err *e);
bool store_exec(struct store *st, const char *sql, const char *doing, struct err *e);
/* NULL and e on failure. */
sqlite3_stmt *store_prepare(struct store *st, const char *sql, struct err *e);
/* The same for a literal that is used again and again: kept until the handle closes. Both kinds are given back with
 * store_release (or by the two functions below). */
sqlite3_stmt *store_prepare_once(struct store *st, const char *literal, struct err *e);
void store_release(struct store *st, sqlite3_stmt *q);
/* Steps a statement that gives no rows, releases it; true when it is done. */
bool store_finish_statement(struct store *st, sqlite3_stmt *q, const char *doing, struct err *e);
/* Releases a query whose rows were read; code: what sqlite3_step said last. */
bool store_end_rows(struct store *st, sqlite3_stmt *q, int code, const char *doing, struct err *e);
/* The number that a query of one row and column gives; id is bound where the query asks for one. */
bool store_count_rows(struct store *st, const char *sql, int64_t id, int *count, struct err *e);
/* Column texts and blobs copied into a. Texts are never NULL. false: the arena cannot hold it. */
const char *store_column_text(struct arena *a, sqlite3_stmt *q, int column);
bool store_column_blob(struct store *st, struct arena *a, sqlite3_stmt *q, int column,
                       const void **data, size_t *size, struct err *e);

/* Around a call that writes: a transaction of its own where the caller has none. store_leave ends it, rolling back
 * where ok is false, and returns whether all went well. */
bool store_enter(struct store *st, struct err *e);
bool store_leave(struct store *st, bool ok, struct err *e);

/* Texts packed behind each other: an arena aligns each piece to 64 bytes, which a hundred thousand labels feel. The text
 * before, when equal, is given again. */
struct store_pool {
  struct arena *arena;
  char *block;
  size_t left, room; /* of the block */
  const char *last[4]; /* by use: label, group ... */
};
const char *store_pool_text(struct store_pool *pool, int use, const char *text);

/* ---- schema.c -------------------------------------------------------------------- */
extern const char *const store_migrations[STORE_SCHEMA_VERSION];

/* ---- history.c -------------------------------------------------------------------- */
/* Before a sample is changed, removed or (absent) added: writes what it is now into `past`. what: the change's text
 * where the caller of the library named none. */
bool store_remember(struct store *st, int64_t id, bool absent, const char *what, struct err *e);

/* ---- samples.c -------------------------------------------------------------------- */
#define STORE_COLUMNS                                                                              \
  "id, label, speaker, source, split, type, rate_hz, channels, length, height, width, disabled, "  \
  "added_s, sha256"
#define STORE_N_COLUMNS 14
/* The description in a row of STORE_COLUMNS, checked. */
bool store_read_row(struct store *st, struct store_pool *pool, sqlite3_stmt *q,
                    struct store_sample *s, struct err *e);

#endif
