/* History: what samples were before each change; undo, redo, versions.
 *
 * How it works: before a change touches a sample, its whole state (details as JSON texts) goes into `past` under the
 * change's number, once. So the state at a place P of the history is, for each sample, the earliest row of `past`
 * behind P, or the sample as it is where there is none. Undo, redo and restoring a version are one
 * operation: take such rows, remember what is there now under a new change, and put the rows in its place. Nothing
 * is ever taken out of the history but by store_forget.
 *
 * cost: a change writes one row for each sample that it touches; a version is one row; a difference reads what was
 * touched between the two. */
#include "host/store/private.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* What a row of `past` holds besides change and sample. */
#define PAST_COLUMNS                                                                               \
  "present, label, speaker, source, split, type, rate_hz, channels, length, height, width, "       \
  "disabled, added_s, sha256, blob, metadata, spans, boxes"
/* The same of a sample as it is now. Objects have their keys, and lists their places, in order, so equal
 * details give equal texts. */
#define NOW_COLUMNS                                                                                \
  "1, label, speaker, source, split, type, rate_hz, channels, length, height, width, disabled, "   \
  "added_s, sha256, blob, "                                                                        \
  "(SELECT json_group_array(json_array(key, value)) FROM (SELECT key, value FROM metadata WHERE "  \
  "sample = samples.id ORDER BY key)), "                                                           \
  "(SELECT json_group_array(json_array(first, last, label)) FROM (SELECT first, last, label FROM " \
  "spans WHERE sample = samples.id ORDER BY position)), "                                          \
  "(SELECT json_group_array(json_array(x, y, width, height, label)) FROM (SELECT x, y, width, "    \
  "height, label FROM boxes WHERE sample = samples.id ORDER BY position))"

/* Samples that a stretch of the history touched, each with the first change that did: parameters 1 and 2. */
#define TOUCHED                                                                                    \
  "(SELECT sample, min(change) AS change FROM past WHERE change >= ?1 AND change <= ?2 GROUP BY "  \
  "sample)"

void store_change(struct store *st, const char *what) {
  snprintf(st->what, sizeof st->what, "%s", what ? what : "");
  st->change = 0;
}

/* ---- remembering ------------------------------------------------------------------------- */
static bool add_change(struct store *st, const char *what, int64_t undoes, struct err *e) {
  sqlite3_stmt *q = store_prepare_once(
      st, "INSERT INTO changes(made_s, what, undoes, undone) VALUES(?, ?, ?, 0)", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, (int64_t)time(NULL));
  sqlite3_bind_text(q, 2, what, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int64(q, 3, undoes);
  if (!store_finish_statement(st, q, "writing the history", e)) return false;
  st->change = sqlite3_last_insert_rowid(st->db);
  return true;
}

bool store_remember(struct store *st, int64_t id, bool absent, const char *what, struct err *e) {
  if (!st->change && !add_change(st, st->what[0] ? st->what : what, 0, e)) return false;
  sqlite3_stmt *q =
      absent ? store_prepare_once(
                   st, "INSERT OR IGNORE INTO past(change, sample, present) VALUES(?, ?, 0)", e)
             : store_prepare_once(st,
                                  "INSERT OR IGNORE INTO past(change, sample, " PAST_COLUMNS
                                  ") SELECT ?1, id, " NOW_COLUMNS " FROM samples WHERE id = ?2",
                                  e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, st->change);
  sqlite3_bind_int64(q, 2, id);
  if (!store_finish_statement(st, q, "writing the history", e)) return false;
  if (absent || sqlite3_changes(st->db) > 0) return true;
  /* Nothing was written: either this change touched the sample before, or there is none. */
  int n = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM samples WHERE id = ?", id, &n, e)) return false;
  if (n) return true;
  err_file(e, st->path);
  return err_set(e, "there is no sample %lld; `mote data list` shows what there is", (long long)id);
}

/* ---- putting back -------------------------------------------------------------------------- */
/* Runs a statement with the stretch as parameters 1 and 2, and the change that is being made as 3. */
static bool on_stretch(struct store *st, const char *sql, int64_t first, int64_t last,
                       struct err *e) {
  sqlite3_stmt *q = store_prepare(st, sql, e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, first);
  sqlite3_bind_int64(q, 2, last);
  sqlite3_bind_int64(q, 3, st->change);
  return store_finish_statement(st, q, "putting back what was", e);
}

/* Makes every sample that the changes first to last touched what it was before them, as the change that was begun. */
static bool put_back(struct store *st, int64_t first, int64_t last, struct err *e) {
  static const char *const steps[] = {
      "INSERT INTO past(change, sample, " PAST_COLUMNS ") SELECT ?3, samples.id, " NOW_COLUMNS
      " FROM " TOUCHED " AS touched JOIN samples ON samples.id = touched.sample",
      "INSERT OR IGNORE INTO past(change, sample, present) SELECT ?3, sample, 0 FROM " TOUCHED
      " WHERE sample NOT IN (SELECT id FROM samples)",
      "DELETE FROM samples WHERE id IN (SELECT sample FROM " TOUCHED ")",
      "INSERT INTO samples(id, label, speaker, source, split, type, rate_hz, channels, length, "
      "height, "
      "width, disabled, added_s, sha256, blob) SELECT sample, label, speaker, source, split, type, "
      "rate_hz, channels, length, height, width, disabled, added_s, sha256, blob FROM " TOUCHED
      " JOIN past USING(change, sample) WHERE present = 1 ORDER BY sample",
      "INSERT INTO metadata(sample, key, value) SELECT sample, json_extract(each.value, '$[0]'), "
      "json_extract(each.value, '$[1]') FROM " TOUCHED
      " JOIN past USING(change, sample), json_each(metadata) AS each WHERE present = 1",
      "INSERT INTO spans(sample, position, first, last, label) SELECT sample, each.key, "
      "json_extract(each.value, '$[0]'), json_extract(each.value, '$[1]'), "
      "json_extract(each.value, "
      "'$[2]') FROM " TOUCHED
      " JOIN past USING(change, sample), json_each(spans) AS each WHERE present = 1",
      "INSERT INTO boxes(sample, position, x, y, width, height, label) SELECT sample, each.key, "
      "json_extract(each.value, '$[0]'), json_extract(each.value, '$[1]'), "
      "json_extract(each.value, "
      "'$[2]'), json_extract(each.value, '$[3]'), json_extract(each.value, '$[4]') FROM " TOUCHED
      " JOIN past USING(change, sample), json_each(boxes) AS each WHERE present = 1"};
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
    if (!on_stretch(st, steps[i], first, last, e)) return false;
  return true;
}

static void read_change(struct arena *a, sqlite3_stmt *q, struct store_change *c) {
  *c = (struct store_change){.id = sqlite3_column_int64(q, 0),
                             .made_s = sqlite3_column_int64(q, 1),
                             .what = store_column_text(a, q, 2),
                             .undoes = sqlite3_column_int64(q, 3),
                             .undone = sqlite3_column_int64(q, 4) != 0,
                             .samples = sqlite3_column_int64(q, 5)};
}

#define CHANGE_COLUMNS                                                                             \
  "id, made_s, what, undoes, undone, (SELECT count(*) FROM past WHERE change = changes.id)"

bool store_history(struct store *st, struct arena *a, int most, struct store_change **changes,
                   int *count, struct err *e) {
  int room = 0, n = 0, code = SQLITE_DONE;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM changes", 0, &room, e)) return false;
  if (most > 0 && most < room) room = most;
  *changes = ARENA_ARRAY(a, struct store_change, room > 0 ? room : 1);
  sqlite3_stmt *q = store_prepare(st, "SELECT " CHANGE_COLUMNS " FROM changes ORDER BY id DESC", e);
  if (!q) return false;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) read_change(a, q, &(*changes)[n++]);
  *count = n;
  return store_end_rows(st, q, code, "reading the history", e);
}

static bool find_change(struct store *st, struct arena *a, const char *sql,
                        struct store_change *change, bool *found, struct err *e) {
  sqlite3_stmt *q = store_prepare(st, sql, e);
  if (!q) return false;
  int code = sqlite3_step(q);
  *found = code == SQLITE_ROW;
  if (*found) read_change(a, q, change);
  return store_end_rows(st, q, code, "reading the history", e);
}

/* Takes one change back by another, and notes that it is. */
static bool take_back(struct store *st, struct arena *a, const struct store_change *c,
                      const char *word, struct err *e) {
  const char *what = arena_printf(a, "%s: %s", word, c->what);
  if (!add_change(st, what, c->id, e) || !put_back(st, c->id, c->id, e)) return false;
  sqlite3_stmt *q = store_prepare(st, "UPDATE changes SET undone = ?2 WHERE id = ?1", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, c->id);
  sqlite3_bind_int64(q, 2, st->change);
  return store_finish_statement(st, q, "writing the history", e);
}

bool store_undo(struct store *st, struct arena *a, struct store_change *done, struct err *e) {
  bool found = false;
  store_change(st, NULL);
  if (!store_enter(st, e)) return false;
  bool ok = find_change(st, a,
                        "SELECT " CHANGE_COLUMNS
                        " FROM changes WHERE undoes = 0 AND undone = 0 ORDER BY id DESC LIMIT 1",
                        done, &found, e);
  if (ok && !found) ok = err_set(e, "there is nothing to undo");
  return store_leave(st, ok && take_back(st, a, done, "undo", e), e);
}

/* The latest undo that was not itself taken back, when no change of another kind came behind it. */
bool store_redo(struct store *st, struct arena *a, struct store_change *done, struct err *e) {
  struct store_change undo;
  bool found = false;
  store_change(st, NULL);
  if (!store_enter(st, e)) return false;
  bool ok = find_change(
      st, a,
      "SELECT " CHANGE_COLUMNS
      " FROM changes WHERE undoes > 0 AND undone = 0 AND what GLOB 'undo:*' AND id > (SELECT "
      "coalesce(max(id), 0) FROM changes WHERE undoes = 0) ORDER BY id DESC LIMIT 1",
      &undo, &found, e);
  if (ok && !found) ok = err_set(e, "there is nothing to redo: the latest change is no undo");
  ok = ok && take_back(st, a, &undo, "redo", e);
  /* The change itself stands again. */
  sqlite3_stmt *q = ok ? store_prepare(st, "UPDATE changes SET undone = 0 WHERE id = ?", e) : NULL;
  if (!q) return store_leave(st, false, e);
  sqlite3_bind_int64(q, 1, undo.undoes);
  *done = undo;
  return store_leave(st, store_finish_statement(st, q, "writing the history", e), e);
}

/* ---- versions -------------------------------------------------------------------------------- */
static bool check_name(const char *name, struct err *e) {
  size_t n = name ? strlen(name) : 0;
  bool ok = n > 0 && n < 64;
  for (size_t i = 0; i < n && ok; i++) ok = (unsigned char)name[i] > 32 && name[i] != 127;
  return ok || err_set(e, "a version needs a name of 1 to 63 letters without spaces");
}

bool store_snapshot(struct store *st, const char *name, struct err *e) {
  if (!check_name(name, e)) return false;
  sqlite3_stmt *q = store_prepare(
      st,
      "INSERT INTO versions SELECT ?1, ?2, (SELECT coalesce(max(id), 0) FROM changes), (SELECT "
      "count(*) FROM samples) WHERE NOT EXISTS (SELECT 1 FROM versions WHERE name = ?1)",
      e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
  sqlite3_bind_int64(q, 2, (int64_t)time(NULL));
  if (!store_finish_statement(st, q, "naming a version", e)) return false;
  /* What follows is behind this version, even where a change is under way. */
  st->change = 0;
  return sqlite3_changes(st->db) > 0 ||
         err_set(
             e,
             "there is a version \"%s\" already; another name, or `mote data versions --drop %s` "
             "first",
             name, name);
}

bool store_versions(struct store *st, struct arena *a, struct store_version **versions, int *count,
                    struct err *e) {
  int room = 0, n = 0, code = SQLITE_DONE;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM versions", 0, &room, e)) return false;
  *versions = ARENA_ARRAY(a, struct store_version, room > 0 ? room : 1);
  sqlite3_stmt *q = store_prepare(
      st, "SELECT name, made_s, change, samples FROM versions ORDER BY change, made_s, name", e);
  if (!q) return false;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW)
    (*versions)[n++] = (struct store_version){.name = store_column_text(a, q, 0),
                                              .made_s = sqlite3_column_int64(q, 1),
                                              .change = sqlite3_column_int64(q, 2),
                                              .samples = sqlite3_column_int64(q, 3)};
  *count = n;
  return store_end_rows(st, q, code, "listing versions", e);
}

static bool no_version(const char *name, struct err *e) {
  return err_set(e, "there is no version \"%s\"; `mote data versions` lists them", name);
}

bool store_drop_version(struct store *st, const char *name, struct err *e) {
  sqlite3_stmt *q = store_prepare(st, "DELETE FROM versions WHERE name = ?", e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
  if (!store_finish_statement(st, q, "removing a version", e)) return false;
  return sqlite3_changes(st->db) > 0 || no_version(name, e);
}

/* The place of a version in the history; NULL: now, behind everything. */
static bool place_of(struct store *st, const char *name, int64_t *place, struct err *e) {
  *place = INT64_MAX - 1;
  if (!name) return true;
  sqlite3_stmt *q = store_prepare(st, "SELECT change FROM versions WHERE name = ?", e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
  int code = sqlite3_step(q);
  bool found = code == SQLITE_ROW;
  if (found) *place = sqlite3_column_int64(q, 0);
  return store_end_rows(st, q, code, "looking for a version", e) && (found || no_version(name, e));
}

bool store_restore(struct store *st, const char *name, int64_t *touched, struct err *e) {
  int64_t place = 0;
  char what[160];
  *touched = 0;
  if (!place_of(st, name, &place, e)) return false;
  snprintf(what, sizeof what, "restore version %s", name);
  store_change(st, NULL);
  if (!store_enter(st, e)) return false;
  const bool ok = add_change(st, what, 0, e) && put_back(st, place + 1, st->change - 1, e);
  *touched = 0;
  int n = 0;
  const bool counted =
      ok && store_count_rows(st, "SELECT count(*) FROM past WHERE change = ?", st->change, &n, e);
  *touched = n;
  return store_leave(st, counted, e);
}

/* ---- differences ------------------------------------------------------------------------------ */
/* The columns of a state that are compared, from STATE_FIRST on, and what a user calls them. */
static const char *const state_fields[] = {"label",    "group", "split", "enabled", "numbers",
                                           "metadata", "spans", "boxes", "source"};
#define STATE_FIELDS (int)(sizeof state_fields / sizeof state_fields[0])
#define STATE_COLUMNS                                                                              \
  "present, label, speaker, split, disabled, sha256, metadata, spans, boxes, source"

/* A sample at a place of the history. */
struct state {
  bool known, present; /* known: the statement had a row */
  const char *fields[sizeof state_fields / sizeof state_fields[0]];
};

static bool read_state(struct store *st, struct arena *a, const char *literal, int64_t sample,
                       int64_t place, struct state *s, struct err *e) {
  memset(s, 0, sizeof *s);
  sqlite3_stmt *q = store_prepare_once(st, literal, e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, sample);
  if (sqlite3_bind_parameter_count(q) > 1) sqlite3_bind_int64(q, 2, place);
  int code = sqlite3_step(q);
  if (code == SQLITE_ROW) {
    s->known = true;
    s->present = sqlite3_column_int(q, 0) == 1;
    for (int i = 0; i < STATE_FIELDS; i++) s->fields[i] = store_column_text(a, q, i + 1);
  }
  return store_end_rows(st, q, code, "reading the history", e);
}

static bool state_at(struct store *st, struct arena *a, int64_t sample, int64_t place,
                     struct state *s, struct err *e) {
  return read_state(st, a,
                    "SELECT " STATE_COLUMNS
                    " FROM past WHERE sample = ?1 AND change > ?2 ORDER BY change LIMIT 1",
                    sample, place, s, e) &&
         (s->known || read_state(st, a,
                                 "WITH now(" PAST_COLUMNS ") AS (SELECT " NOW_COLUMNS
                                 " FROM samples WHERE id = ?1) SELECT " STATE_COLUMNS " FROM now",
                                 sample, 0, s, e));
}

static bool compare_states(struct arena *a, const struct state *from, const struct state *to,
                           struct store_difference *d) {
  struct text fields;
  if (!from->present && !to->present) return false;
  d->kind = !from->present ? STORE_ADDED : !to->present ? STORE_REMOVED : STORE_CHANGED;
  d->label = from->present ? from->fields[0] : "";
  d->label_after = to->present ? to->fields[0] : "";
  d->source = (to->present ? to : from)->fields[STATE_FIELDS - 1];
  d->fields = "";
  if (d->kind != STORE_CHANGED) return true;
  text_init(&fields, a);
  for (int i = 0; i < STATE_FIELDS; i++)
    if (strcmp(from->fields[i], to->fields[i]) != 0)
      text_printf(&fields, "%s%s", fields.size ? " " : "", state_fields[i]);
  d->fields = fields.data;
  return fields.size > 0;
}

bool store_diff(struct store *st, struct arena *a, const char *from, const char *to,
                struct store_difference **differences, int *count, struct err *e) {
  int64_t places[2];
  int n = 0, code = SQLITE_DONE;
  *count = 0;
  if (!place_of(st, from, &places[0], e) || !place_of(st, to, &places[1], e)) return false;
  const int64_t low = places[0] < places[1] ? places[0] : places[1];
  const int64_t high = places[0] < places[1] ? places[1] : places[0];
  sqlite3_stmt *q = store_prepare(
      st, "SELECT DISTINCT sample FROM past WHERE change > ?1 AND change <= ?2 ORDER BY sample", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, low);
  sqlite3_bind_int64(q, 2, high);
  int room = 256;
  *differences = ARENA_ARRAY(a, struct store_difference, room);
  bool ok = true;
  while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
    struct state states[2];
    const int64_t id = sqlite3_column_int64(q, 0);
    if (n == room) {
      struct store_difference *more = ARENA_ARRAY(a, struct store_difference, 2 * room);
      memcpy(more, *differences, (size_t)n * sizeof *more);
      *differences = more;
      room *= 2;
    }
    (*differences)[n].id = id;
    ok = state_at(st, a, id, places[0], &states[0], e) &&
         state_at(st, a, id, places[1], &states[1], e);
    if (ok && compare_states(a, &states[0], &states[1], &(*differences)[n])) n++;
  }
  *count = n;
  if (ok) return store_end_rows(st, q, code, "comparing versions", e);
  store_release(st, q);
  return false;
}

/* ---- forgetting --------------------------------------------------------------------------------- */
bool store_forget(struct store *st, int64_t *changes, int64_t *bytes, struct err *e) {
  struct stat before = {0}, after = {0};
  int n = 0;
  *changes = *bytes = 0;
  (void)stat(st->path, &before);
  if (!store_enter(st, e)) return false;
  bool ok =
      store_count_rows(st,
                       "SELECT count(*) FROM changes WHERE id <= (SELECT coalesce(min(change), "
                       "9223372036854775807) FROM versions)",
                       0, &n, e) &&
      store_exec(st,
                 "DELETE FROM past WHERE change <= (SELECT coalesce(min(change), "
                 "9223372036854775807) FROM versions);"
                 "DELETE FROM changes WHERE id <= (SELECT coalesce(min(change), "
                 "9223372036854775807) FROM versions);"
                 "DELETE FROM blobs WHERE id NOT IN (SELECT blob FROM samples) AND id NOT IN "
                 "(SELECT blob FROM past WHERE blob IS NOT NULL)",
                 "forgetting the history", e);
  if (!store_leave(st, ok, e) || !store_exec(st, "VACUUM", "making the file smaller", e))
    return false;
  (void)stat(st->path, &after);
  *changes = n;
  *bytes = (int64_t)before.st_size - (int64_t)after.st_size;
  return true;
}
