/* private: what the files of this room share: the handle, statements and errors. */
#ifndef HOST_STORE_PRIVATE_H
#define HOST_STORE_PRIVATE_H

#include "host/store/store.h"

#include <sqlite3.h>

struct store {
  sqlite3 *db;
  char path[512];
  bool in_transaction;
};

/* What SQLite's code means for a user. */
bool store_fail(struct store *st, const char *doing, struct err *e);
/* NULL and e on failure. */
sqlite3_stmt *store_prepare(struct store *st, const char *sql, struct err *e);
/* Steps a statement that gives no rows, finalizes it; true when it is done. */
bool store_finish_statement(struct store *st, sqlite3_stmt *q, const char *doing, struct err *e);
/* Finalizes a query whose rows were read; code: what sqlite3_step said last. */
bool store_end_rows(struct store *st, sqlite3_stmt *q, int code, const char *doing, struct err *e);
/* The number that a query of one row and column gives; id is bound where the query asks for one. */
bool store_count_rows(struct store *st, const char *sql, int64_t id, int *count, struct err *e);
/* Column texts and blobs copied into a. Texts are never NULL. false: the arena cannot hold it. */
const char *store_column_text(struct arena *a, sqlite3_stmt *q, int column);
bool store_column_blob(struct store *st, struct arena *a, sqlite3_stmt *q, int column,
                       const void **data, size_t *size, struct err *e);

#endif
