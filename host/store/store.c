/* The file itself: opening, migrating, transactions, statements, errors.
 *
 * Creation and every migration are one exclusive transaction each that ends with user_version, so a kill
 * leaves the old schema or the new one. An empty file counts as absent: that is what a kill between open
 * and the first commit leaves behind. */
#include "host/store/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MILLISECONDS 5000

bool store_fail(struct store *st, const char *doing, struct err *e) {
  int code = sqlite3_errcode(st->db) & 0xff;
  err_file(e, st->path);
  switch (code) {
  case SQLITE_NOTADB:
    return err_set(
        e, "this is not a Mote project file: it is no SQLite database; move it away or name "
           "another folder");
  case SQLITE_CORRUPT:
    return err_set(e,
                   "the project file is damaged (%s: %s); a copy of it may open with `sqlite3 FILE "
                   ".recover`",
                   doing, sqlite3_errmsg(st->db));
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return err_set(
        e,
        "another program has been writing to this project for more than %d s; wait for it "
        "or end it, then try again",
        BUSY_MILLISECONDS / 1000);
  case SQLITE_READONLY:
    return err_set(e,
                   "the project file or its folder cannot be written (%s); check its owner and "
                   "permissions",
                   sqlite3_errmsg(st->db));
  case SQLITE_FULL:
    return err_set(e,
                   "the disk is full while %s; nothing that was reported done is lost; make room "
                   "and run the same command again",
                   doing);
  case SQLITE_IOERR:
    return err_set(e, "the disk failed while %s (%s); nothing that was reported done is lost",
                   doing, sqlite3_errmsg(st->db));
  case SQLITE_CANTOPEN:
    return err_set(e,
                   "cannot be opened for %s: %s; check that the folder exists and can be written",
                   doing, strerror(errno));
  default:
    return err_internal(e, "SQLite refused %s: %s (code %d)", doing, sqlite3_errmsg(st->db),
                        sqlite3_extended_errcode(st->db));
  }
}

sqlite3_stmt *store_prepare(struct store *st, const char *sql, struct err *e) {
  sqlite3_stmt *q = NULL;
  if (sqlite3_prepare_v2(st->db, sql, -1, &q, NULL) != SQLITE_OK) {
    store_fail(st, "reading the project's tables", e);
    return NULL;
  }
  return q;
}

sqlite3_stmt *store_prepare_once(struct store *st, const char *literal, struct err *e) {
  for (int i = 0; i < st->n_cache; i++)
    if (st->cache[i].sql == literal) return st->cache[i].q;
  sqlite3_stmt *q = store_prepare(st, literal, e);
  if (q && st->n_cache < STORE_CACHED) {
    st->cache[st->n_cache].sql = literal;
    st->cache[st->n_cache++].q = q;
  }
  return q;
}

static void forget_statements(struct store *st) {
  for (int i = 0; i < st->n_cache; i++) sqlite3_finalize(st->cache[i].q);
  st->n_cache = 0;
}

void store_release(struct store *st, sqlite3_stmt *q) {
  if (!q) return;
  st->work.steps += sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 1);
  st->work.scanned += sqlite3_stmt_status(q, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
  st->work.sorts += sqlite3_stmt_status(q, SQLITE_STMTSTATUS_SORT, 1);
  for (int i = 0; i < st->n_cache; i++) {
    if (st->cache[i].q != q) continue;
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return;
  }
  sqlite3_finalize(q);
}

void store_work(const struct store *st, struct store_work *work) { *work = st->work; }

bool store_exec(struct store *st, const char *sql, const char *doing, struct err *e) {
  if (sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK) return store_fail(st, doing, e);
  return true;
}

bool store_end_rows(struct store *st, sqlite3_stmt *q, int code, const char *doing, struct err *e) {
  bool ok = code == SQLITE_DONE || code == SQLITE_ROW;
  if (!ok) store_fail(st, doing, e);
  store_release(st, q);
  return ok;
}

bool store_finish_statement(struct store *st, sqlite3_stmt *q, const char *doing, struct err *e) {
  return store_end_rows(st, q, sqlite3_step(q), doing, e);
}

bool store_count_rows(struct store *st, const char *sql, int64_t id, int *count, struct err *e) {
  sqlite3_stmt *q = store_prepare(st, sql, e);
  if (!q) return false;
  if (sqlite3_bind_parameter_count(q) > 0) sqlite3_bind_int64(q, 1, id);
  int code = sqlite3_step(q);
  *count = code == SQLITE_ROW ? sqlite3_column_int(q, 0) : 0;
  return store_end_rows(st, q, code, "counting", e);
}

const char *store_column_text(struct arena *a, sqlite3_stmt *q, int column) {
  const unsigned char *text = sqlite3_column_text(q, column);
  return arena_strdup(a, text ? (const char *)text : "");
}

bool store_column_blob(struct store *st, struct arena *a, sqlite3_stmt *q, int column,
                       const void **data, size_t *size, struct err *e) {
  const void *blob = sqlite3_column_blob(q, column);
  size_t n = (size_t)sqlite3_column_bytes(q, column);
  *data = NULL;
  *size = n;
  if (n == 0) return true;
  if (n + 64 > arena_left(a)) {
    err_file(e, st->path);
    return err_set(e, "%zu bytes do not fit the memory that is left for this job (%zu bytes)", n,
                   arena_left(a));
  }
  void *copy = arena_alloc(a, n, 1);
  memcpy(copy, blob, n);
  *data = copy;
  return true;
}

static bool read_number(struct store *st, const char *pragma, int *value, struct err *e) {
  sqlite3_stmt *q = store_prepare(st, pragma, e);
  if (!q) return false;
  int code = sqlite3_step(q);
  *value = code == SQLITE_ROW ? sqlite3_column_int(q, 0) : 0;
  bool ok = code == SQLITE_ROW || code == SQLITE_DONE;
  if (!ok) store_fail(st, "reading its header", e);
  sqlite3_finalize(q);
  return ok;
}

/* The version that the file has now; 0 for an empty one. Refuses foreign and newer files. */
static bool read_version(struct store *st, int *version, struct err *e) {
  int application = 0, tables = 0;
  if (!read_number(st, "PRAGMA application_id", &application, e)) return false;
  if (!read_number(st, "PRAGMA user_version", version, e)) return false;
  if (!read_number(st, "SELECT count(*) FROM sqlite_master", &tables, e)) return false;
  if (tables == 0 && application == 0 && *version == 0) return true;
  if (application != STORE_APPLICATION_ID)
    return err_set(e,
                   "this SQLite file belongs to another program (application id 0x%08x); move it "
                   "away or name another folder",
                   (unsigned)application);
  if (*version > STORE_SCHEMA_VERSION)
    return err_set(e, "made by a newer Mote (schema %d; this program knows up to %d): update Mote",
                   *version, STORE_SCHEMA_VERSION);
  if (*version < 1 || tables == 0)
    return err_set(e, "the project file is damaged: schema version %d with %d tables", *version,
                   tables);
  return true;
}

/* Brings the schema up to date. Another program may have done so between the look and the lock: looks
 * again inside. */
static bool migrate(struct store *st, struct err *e) {
  int version = 0;
  if (!store_exec(st, "BEGIN EXCLUSIVE", "locking the project", e)) return false;
  if (!read_version(st, &version, e)) goto fail;
  for (int v = version; v < STORE_SCHEMA_VERSION; v++) {
    if (!store_exec(st, store_migrations[v], "making the tables", e)) goto fail;
  }
  char header[128];
  snprintf(header, sizeof header, "PRAGMA application_id = %d; PRAGMA user_version = %d",
           STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
  if (!store_exec(st, header, "making the tables", e)) goto fail;
  if (!store_exec(st, "COMMIT", "making the tables", e)) goto fail;
  return true;
fail:
  sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
  return false;
}

/* Existence first: SQLite's own message for an absent file says nothing of projects. */
static bool check_path(const char *path, enum store_mode mode, struct err *e) {
  struct stat info;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT && mode == STORE_CREATE) return true;
    if (errno == ENOENT)
      return err_set(e, "there is no project here; `mote new NAME --template keyword` makes one");
    return err_set(e, "cannot be opened: %s", strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return err_set(e, "this is not a file");
  if (mode != STORE_CREATE && info.st_size == 0)
    return err_set(e, "the project file is empty; delete it and run `mote new` again");
  /* SQLite would silently open a file without write permission for reading only. */
  if (mode != STORE_READ && access(path, W_OK) != 0)
    return err_set(e, "the project file cannot be written: %s; check its owner and permissions",
                   strerror(errno));
  return true;
}

bool store_open(struct arena *a, const char *path, enum store_mode mode, struct store **out,
                struct err *e) {
  *out = NULL;
  if (!check_path(path, mode, e)) {
    err_file(e, path);
    return false;
  }
  struct store *st = ARENA_NEW(a, struct store);
  snprintf(st->path, sizeof st->path, "%s", path);
  /* Readers open for writing as well where they may: a journal that a kill left behind must be rolled back
   * before anything can be read. SQLite falls back to reading alone where the file is protected. */
  int flags = SQLITE_OPEN_READWRITE | (mode == STORE_CREATE ? SQLITE_OPEN_CREATE : 0);
  if (sqlite3_open_v2(path, &st->db, flags, NULL) != SQLITE_OK) goto fail_open;
  sqlite3_busy_timeout(st->db, BUSY_MILLISECONDS);
  /* Defensive: a hostile file's triggers, views and shadow tables get no power over this program. */
  sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(st->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config(st->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);

  int version = 0;
  if (!read_version(st, &version, e)) goto fail;
  /* A project of an older Mote is brought up to date by whoever comes first, a reader too where it may. */
  const bool old = version < STORE_SCHEMA_VERSION;
  if (mode == STORE_READ && old && (sqlite3_db_readonly(st->db, "main") || access(path, W_OK))) {
    err_set(e,
            "the project has an older schema (%d) and the file cannot be written to bring it up to "
            "date "
            "(%d); copy the project to where it can",
            version, STORE_SCHEMA_VERSION);
    goto fail;
  }
  if (mode != STORE_READ || old) {
    /* EXTRA also synchronises the folder after the journal is gone: a reported commit survives power loss. */
    if (!store_exec(
            st,
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON",
            "opening the project", e))
      goto fail;
    if (old && !migrate(st, e)) goto fail;
  }
  if (mode == STORE_READ && !store_exec(st, "PRAGMA query_only = ON", "opening the project", e))
    goto fail;
  *out = st;
  return true;
fail_open:
  store_fail(st, "opening the project", e);
fail:
  err_file(e, path);
  sqlite3_close(st->db);
  return false;
}

void store_close(struct store *st) {
  if (!st || !st->db) return;
  store_rollback(st);
  forget_statements(st);
  sqlite3_close(st->db);
  st->db = NULL;
}

bool store_begin(struct store *st, struct err *e) {
  if (!store_exec(st, "BEGIN IMMEDIATE", "starting to write", e)) return false;
  st->in_transaction = true;
  return true;
}

bool store_commit(struct store *st, struct err *e) {
  if (!store_exec(st, "COMMIT", "saving", e)) {
    store_rollback(st);
    return false;
  }
  st->in_transaction = false;
  return true;
}

/* The change's row may go with the transaction: the next call makes another. */
void store_rollback(struct store *st) {
  if (st->in_transaction) {
    sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
    st->change = 0;
  }
  st->in_transaction = false;
}

bool store_enter(struct store *st, struct err *e) {
  if (st->in_transaction) return true;
  st->transaction_is_own = store_begin(st, e);
  return st->transaction_is_own;
}

bool store_leave(struct store *st, bool ok, struct err *e) {
  if (!st->what[0]) st->change = 0;
  if (!st->transaction_is_own) return ok;
  st->transaction_is_own = false;
  if (ok) return store_commit(st, e);
  store_rollback(st);
  return false;
}

bool store_check(struct store *st, struct err *e) {
  sqlite3_stmt *q = store_prepare(st, "PRAGMA integrity_check(1)", e);
  if (!q) return false;
  int code = sqlite3_step(q);
  bool ok = false;
  if (code != SQLITE_ROW) {
    store_fail(st, "checking the project", e);
  } else {
    const char *text = (const char *)sqlite3_column_text(q, 0);
    ok = text && strcmp(text, "ok") == 0;
    if (!ok) {
      err_file(e, st->path);
      err_set(e, "the project file is damaged: %s", text ? text : "no answer");
    }
  }
  sqlite3_finalize(q);
  return ok;
}
