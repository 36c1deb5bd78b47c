/* Runs: history and checkpoints go in together, one commit for each epoch, so that a killed training
 * continues behind the last epoch that was shown. */
#include "host/store/private.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define COLUMNS                                                                                    \
  "id, status, settings, metrics, started_s, ended_s,"                                             \
  " (SELECT count(*) FROM epochs WHERE run = runs.id), length(features), length(checkpoint),"      \
  " length(model), purpose"

/* A NULL pointer with no bytes would bind SQL's NULL: an empty blob is meant. */
static void bind_blob(sqlite3_stmt *q, int index, const void *data, size_t bytes) {
  if (bytes == 0)
    sqlite3_bind_zeroblob(q, index, 0);
  else
    sqlite3_bind_blob64(q, index, data, bytes, SQLITE_STATIC);
}

/* SQLite keeps NaN as NULL; both come back as NaN. */
static double column_real(sqlite3_stmt *q, int column) {
  return sqlite3_column_type(q, column) == SQLITE_NULL ? (double)NAN
                                                       : sqlite3_column_double(q, column);
}

bool store_run_begin(struct store *st, const char *purpose, const char *settings,
                     const void *features, size_t features_bytes, int64_t *id, struct err *e) {
  sqlite3_stmt *q =
      store_prepare(st,
                    "INSERT INTO runs(status, settings, metrics, started_s, ended_s, "
                    "features, checkpoint, model, purpose) VALUES(0, ?, '', ?, 0, ?, x'', x'', ?)",
                    e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, settings, -1, SQLITE_STATIC);
  sqlite3_bind_int64(q, 2, (int64_t)time(NULL));
  bind_blob(q, 3, features, features_bytes);
  sqlite3_bind_text(q, 4, purpose, -1, SQLITE_STATIC);
  if (!store_finish_statement(st, q, "starting a run", e)) return false;
  *id = sqlite3_last_insert_rowid(st->db);
  return true;
}

static bool changed(struct store *st, int64_t id, struct err *e) {
  if (sqlite3_changes(st->db) > 0) return true;
  err_file(e, st->path);
  return err_set(e, "there is no run %lld any more: was it removed by another program?",
                 (long long)id);
}

static bool write_epoch(struct store *st, int64_t id, const struct store_epoch *epoch,
                        const void *checkpoint, size_t checkpoint_bytes, struct err *e) {
  sqlite3_stmt *q =
      store_prepare(st, "INSERT OR REPLACE INTO epochs VALUES(?, ?, ?, ?, ?, ?, ?)", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  sqlite3_bind_int(q, 2, epoch->epoch);
  sqlite3_bind_double(q, 3, epoch->loss);
  sqlite3_bind_double(q, 4, epoch->accuracy);
  sqlite3_bind_double(q, 5, epoch->validation_loss);
  sqlite3_bind_double(q, 6, epoch->validation_accuracy);
  sqlite3_bind_double(q, 7, epoch->learning_rate);
  if (!store_finish_statement(st, q, "saving an epoch", e)) return false;
  if (!checkpoint) return true;
  q = store_prepare(st, "UPDATE runs SET checkpoint = ?2 WHERE id = ?1", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  bind_blob(q, 2, checkpoint, checkpoint_bytes);
  return store_finish_statement(st, q, "saving a checkpoint", e) && changed(st, id, e);
}

bool store_run_epoch(struct store *st, int64_t id, const struct store_epoch *epoch,
                     const void *checkpoint, size_t checkpoint_bytes, struct err *e) {
  bool own = !st->in_transaction;
  if (own && !store_begin(st, e)) return false;
  if (!write_epoch(st, id, epoch, checkpoint, checkpoint_bytes, e)) {
    if (own) store_rollback(st);
    return false;
  }
  return own ? store_commit(st, e) : true;
}

/* Later than every other run ended, to the second: the latest is the one that counts. */
#define ENDED_LAST "max(?3, 1 + (SELECT coalesce(max(ended_s), 0) FROM runs))"

bool store_run_finish(struct store *st, int64_t id, const char *metrics, const void *model,
                      size_t model_bytes, struct err *e) {
  sqlite3_stmt *q = store_prepare(st,
                                  "UPDATE runs SET status = 1, metrics = ?2, ended_s = " ENDED_LAST
                                  ", model = ?4 "
                                  "WHERE id = ?1",
                                  e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  sqlite3_bind_text(q, 2, metrics, -1, SQLITE_STATIC);
  sqlite3_bind_int64(q, 3, (int64_t)time(NULL));
  bind_blob(q, 4, model, model_bytes);
  return store_finish_statement(st, q, "saving the model", e) && changed(st, id, e);
}

bool store_run_take(struct store *st, int64_t id, struct err *e) {
  sqlite3_stmt *q = store_prepare(st,
                                  "UPDATE runs SET ended_s = " ENDED_LAST " WHERE id = ?1 AND "
                                  "EXISTS (SELECT 1 FROM runs later, runs it WHERE it.id = ?1 AND "
                                  "later.status = 1 AND later.purpose = it.purpose AND "
                                  "(later.ended_s > it.ended_s OR "
                                  "(later.ended_s = it.ended_s AND later.id > it.id)))",
                                  e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  sqlite3_bind_int64(q, 3, (int64_t)time(NULL));
  return store_finish_statement(st, q, "taking a run again", e);
}

static void read_run(struct arena *a, sqlite3_stmt *q, struct store_run *run) {
  memset(run, 0, sizeof *run);
  run->id = sqlite3_column_int64(q, 0);
  run->status = sqlite3_column_int(q, 1) == 1 ? STORE_DONE : STORE_RUNNING;
  run->settings = store_column_text(a, q, 2);
  run->metrics = store_column_text(a, q, 3);
  run->started_s = sqlite3_column_int64(q, 4);
  run->ended_s = sqlite3_column_int64(q, 5);
  run->epochs_done = sqlite3_column_int(q, 6);
  run->features_bytes = (size_t)sqlite3_column_int64(q, 7);
  run->checkpoint_bytes = (size_t)sqlite3_column_int64(q, 8);
  run->model_bytes = (size_t)sqlite3_column_int64(q, 9);
  run->purpose = store_column_text(a, q, 10);
}

/* The first row of a prepared query over COLUMNS and the three blobs behind them. */
static bool read_whole_run(struct store *st, struct arena *a, sqlite3_stmt *q,
                           struct store_run *run, bool *found, struct err *e) {
  int code = sqlite3_step(q);
  bool ok = true;
  *found = code == SQLITE_ROW;
  if (*found) {
    read_run(a, q, run);
    ok = store_column_blob(st, a, q, 11, &run->features, &run->features_bytes, e) &&
         store_column_blob(st, a, q, 12, &run->checkpoint, &run->checkpoint_bytes, e) &&
         store_column_blob(st, a, q, 13, &run->model, &run->model_bytes, e);
  } else if (code != SQLITE_DONE) {
    ok = store_fail(st, "reading a run", e);
  }
  store_release(st, q);
  return ok;
}

bool store_run_get(struct store *st, struct arena *a, const char *purpose, int64_t id,
                   struct store_run *run, bool *found, struct err *e) {
  sqlite3_stmt *q = store_prepare(
      st,
      "SELECT " COLUMNS ", features, checkpoint, model FROM runs WHERE (?1 = 0 "
      "AND status = 1 AND purpose = ?2) OR id = ?1 ORDER BY ended_s DESC, id DESC LIMIT 1",
      e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  sqlite3_bind_text(q, 2, purpose, -1, SQLITE_STATIC);
  return read_whole_run(st, a, q, run, found, e);
}

bool store_run_find(struct store *st, struct arena *a, const char *purpose, const char *settings,
                    enum store_status status, struct store_run *run, bool *found, struct err *e) {
  sqlite3_stmt *q =
      store_prepare(st,
                    "SELECT " COLUMNS ", features, checkpoint, model FROM runs WHERE status "
                    "= ?3 AND purpose = ?2 AND settings = ?1 ORDER BY id DESC LIMIT 1",
                    e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, settings, -1, SQLITE_STATIC);
  sqlite3_bind_text(q, 2, purpose, -1, SQLITE_STATIC);
  sqlite3_bind_int(q, 3, (int)status);
  return read_whole_run(st, a, q, run, found, e);
}

bool store_run_history(struct store *st, struct arena *a, int64_t id, struct store_epoch **epochs,
                       int *count, struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM epochs WHERE run = ?", id, &room, e))
    return false;
  *epochs = ARENA_ARRAY(a, struct store_epoch, room > 0 ? room : 1);
  sqlite3_stmt *q =
      store_prepare(st,
                    "SELECT epoch, loss, accuracy, validation_loss, validation_accuracy, "
                    "learning_rate FROM epochs WHERE run = ? ORDER BY epoch",
                    e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  int code;
  while ((code = sqlite3_step(q)) == SQLITE_ROW && n < room) {
    (*epochs)[n++] = (struct store_epoch){.epoch = sqlite3_column_int(q, 0),
                                          .loss = column_real(q, 1),
                                          .accuracy = column_real(q, 2),
                                          .validation_loss = column_real(q, 3),
                                          .validation_accuracy = column_real(q, 4),
                                          .learning_rate = column_real(q, 5)};
  }
  *count = n;
  return store_end_rows(st, q, code, "reading a run's history", e);
}

bool store_run_list(struct store *st, struct arena *a, struct store_run **runs, int *count,
                    struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM runs", 0, &room, e)) return false;
  *runs = ARENA_ARRAY(a, struct store_run, room > 0 ? room : 1);
  sqlite3_stmt *q = store_prepare(st, "SELECT " COLUMNS " FROM runs ORDER BY id", e);
  if (!q) return false;
  int code;
  while ((code = sqlite3_step(q)) == SQLITE_ROW && n < room) read_run(a, q, &(*runs)[n++]);
  *count = n;
  return store_end_rows(st, q, code, "listing runs", e);
}
