/* Listing, filtering, counting: each question is one statement that an index answers, built for what is asked, since
 * SQLite takes no index for "either no filter or this one". Values are bound, never pasted. */
#include "host/store/private.h"

#include <stdlib.h>
#include <string.h>

/* ---- fields ----------------------------------------------------------------------------- */
/* What --where and --by may name besides keys of metadata. The expression yields a text or number. */
static const struct {
  const char *key, *sql;
} fields[] = {
    {"id", "id"},
    {"label", "label"},
    {"group", "speaker"},
    {"source", "source"},
    {"split", "CASE split WHEN 0 THEN 'train' WHEN 1 THEN 'validation' ELSE 'test' END"},
    {"type", "CASE type WHEN 0 THEN 'int16' WHEN 1 THEN 'float32' ELSE 'uint8' END"},
    {"rate_hz", "rate_hz"},
    {"channels", "channels"},
    {"length", "length"},
    {"height", "height"},
    {"width", "width"},
    {"seconds", "iif(rate_hz > 0, length / rate_hz, 0)"},
    {"enabled", "iif(disabled, 'no', 'yes')"},
    {"sha256", "sha256"},
};

static const char *field_of(const char *key) {
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    if (strcmp(key, fields[i].key) == 0) return fields[i].sql;
  return NULL;
}

bool store_where_parse(struct arena *a, const char *text, struct store_where *where,
                       struct err *e) {
  static const struct {
    const char *sign;
    enum store_compare compare;
  } signs[] = {{"!=", STORE_DIFFERENT}, {"<=", STORE_AT_MOST}, {">=", STORE_AT_LEAST},
               {"=", STORE_EQUAL},      {"<", STORE_LESS},     {">", STORE_MORE}};
  const size_t n = strcspn(text, "=!<>");
  for (size_t i = 0; n > 0 && i < sizeof signs / sizeof signs[0]; i++) {
    if (!text_starts(text + n, signs[i].sign)) continue;
    char *key = arena_strdup(a, text);
    key[n] = 0;
    *where = (struct store_where){
        .key = key, .value = key + n + strlen(signs[i].sign), .compare = signs[i].compare};
    char *end;
    if (where->compare < STORE_LESS) return true;
    (void)strtod(where->value, &end);
    if (end != where->value && !*end) return true;
    return err_set(e, "\"%s\" compares numbers, and \"%s\" is none", text, where->value);
  }
  return err_set(e, "\"%s\" is no condition; KEY=VALUE, KEY!=VALUE and KEY<NUMBER (> <= >=) are",
                 text);
}

/* ---- filters ---------------------------------------------------------------------------- */
static const char *const compare_sql[] = {"=", "<>", "<", ">", "<=", ">="};

static void add_where(struct text *sql, const struct store_where *w, int index) {
  const char *field = field_of(w->key), *sign = compare_sql[w->compare];
  const bool number = w->compare >= STORE_LESS;
  /* A text that is no number compares with no number. typeof is real or integer where the conversion is whole. */
  if (field && number)
    text_printf(sql, " AND CAST(%s AS REAL) %s CAST(?%d AS REAL)", field, sign, index + 1);
  else if (field && (strcmp(w->key, "rate_hz") == 0 || strcmp(w->key, "seconds") == 0))
    text_printf(sql, " AND (%s) %s CAST(?%d AS REAL)", field, sign, index + 1);
  else if (field)
    text_printf(sql, " AND (%s) %s ?%d", field, sign, index + 1);
  else if (w->compare == STORE_DIFFERENT)
    text_printf(
        sql,
        " AND NOT EXISTS (SELECT 1 FROM metadata WHERE sample = samples.id AND key = ?%d AND "
        "value = ?%d)",
        index, index + 1);
  else if (w->compare == STORE_EQUAL)
    text_printf(sql, " AND id IN (SELECT sample FROM metadata WHERE key = ?%d AND value = ?%d)",
                index, index + 1);
  else
    text_printf(sql,
                " AND id IN (SELECT sample FROM metadata WHERE key = ?%d AND value GLOB "
                "'[-+.0-9]*' AND CAST(value AS REAL) %s CAST(?%d AS REAL))",
                index, sign, index + 1);
}

/* Appends the conditions; parameter 1 is the label, 2 the group, 3 the split, 4 the id, 5 on the conditions. */
static void add_filter(struct text *sql, const struct store_filter *f) {
  text_add(sql, " WHERE 1");
  if (!f) return;
  if (f->label) text_add(sql, " AND label = ?1");
  if (f->group) text_add(sql, " AND speaker = ?2");
  if (f->split >= 0) text_add(sql, " AND split = ?3");
  if (f->state) text_printf(sql, " AND disabled = %d", f->state == STORE_DISABLED);
  if (f->after > 0) text_add(sql, " AND id > ?4");
  for (int i = 0; i < f->n_where; i++) add_where(sql, &f->where[i], 5 + 2 * i);
}

static void bind_filter(sqlite3_stmt *q, const struct store_filter *f) {
  if (!f) return;
  /* A number that the statement does not have is refused by SQLite, which is what is wanted here. */
  if (f->label) sqlite3_bind_text(q, 1, f->label, -1, SQLITE_STATIC);
  if (f->group) sqlite3_bind_text(q, 2, f->group, -1, SQLITE_STATIC);
  if (f->split >= 0) sqlite3_bind_int(q, 3, f->split);
  if (f->after > 0) sqlite3_bind_int64(q, 4, f->after);
  for (int i = 0; i < f->n_where; i++) {
    const struct store_where *w = &f->where[i];
    sqlite3_bind_text(q, 5 + 2 * i, w->key, -1, SQLITE_STATIC);
    /* Whole-number columns compare with numbers, not texts. */
    char *end;
    const int64_t whole = strtoll(w->value, &end, 10);
    const char *field = field_of(w->key);
    const bool integer = field && (strcmp(field, "id") == 0 || strcmp(field, "channels") == 0 ||
                                   strcmp(field, "length") == 0 || strcmp(field, "height") == 0 ||
                                   strcmp(field, "width") == 0);
    if (integer && end != w->value && !*end && w->compare < STORE_LESS)
      sqlite3_bind_int64(q, 6 + 2 * i, whole);
    else
      sqlite3_bind_text(q, 6 + 2 * i, w->value, -1, SQLITE_STATIC);
  }
}

bool store_size(struct store *st, const struct store_filter *filter, int64_t *count,
                struct err *e) {
  struct arena *a = arena_new(1 << 20);
  struct text sql;
  *count = 0;
  if (!a) return err_set(e, "no memory left");
  text_init(&sql, a);
  text_add(&sql, "SELECT count(*) FROM samples");
  add_filter(&sql, filter);
  sqlite3_stmt *q = store_prepare(st, sql.data, e);
  bool ok = q != NULL;
  if (q) {
    bind_filter(q, filter);
    int code = sqlite3_step(q);
    if (code == SQLITE_ROW) *count = sqlite3_column_int64(q, 0);
    ok = store_end_rows(st, q, code, "counting", e);
  }
  arena_free(a);
  return ok;
}

bool store_list(struct store *st, struct arena *a, const struct store_filter *filter,
                struct store_sample **samples, int *count, struct err *e) {
  int64_t size = 0;
  int n = 0;
  struct text sql;
  struct store_pool pool = {.arena = a};
  *count = 0;
  /* A page needs no count of all that is behind it. */
  const bool page = filter && filter->most > 0 && filter->most <= 65536;
  if (page)
    size = filter->most;
  else if (!store_size(st, filter, &size, e))
    return false;
  const int64_t most = filter && filter->most > 0 ? filter->most : INT32_MAX;
  const int room = (int)(size < most ? size : most);
  if ((size_t)room * (sizeof **samples + 64) + 65536 > arena_left(a))
    return err_set(e, "a list of %d samples does not fit into memory; a filter makes it shorter",
                   room);
  *samples = ARENA_ARRAY(a, struct store_sample, room > 0 ? room : 1);
  text_init(&sql, a);
  text_add(&sql, "SELECT " STORE_COLUMNS " FROM samples");
  add_filter(&sql, filter);
  text_add(&sql, " ORDER BY id");
  sqlite3_stmt *q = store_prepare(st, sql.data, e);
  if (!q) return false;
  bind_filter(q, filter);
  int code = SQLITE_DONE;
  bool ok = true;
  /* Another program may add rows between the two statements: no more than there is room for. */
  while (ok && n < room && (code = sqlite3_step(q)) != SQLITE_DONE) {
    if (code != SQLITE_ROW) {
      ok = store_fail(st, "listing samples", e);
    } else {
      ok = store_read_row(st, &pool, q, &(*samples)[n], e);
      n += ok;
    }
  }
  store_release(st, q);
  *count = n;
  return ok;
}

/* ---- counting ----------------------------------------------------------------------------- */
bool store_counts(struct store *st, struct arena *a, struct store_count **rows, int *count,
                  struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM (SELECT 1 FROM samples GROUP BY label, split)", 0,
                        &room, e))
    return false;
  *rows = ARENA_ARRAY(a, struct store_count, room > 0 ? room : 1);
  sqlite3_stmt *q = store_prepare(
      st,
      "SELECT label, split, count(*), sum(iif(rate_hz > 0, length / rate_hz, 0)), sum(disabled) "
      "FROM samples GROUP BY label, split ORDER BY label, split",
      e);
  if (!q) return false;
  int code = SQLITE_DONE;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) {
    int split = sqlite3_column_int(q, 1);
    (*rows)[n].label = store_column_text(a, q, 0);
    (*rows)[n].split =
        split >= 0 && split < STORE_SPLIT_COUNT ? (enum store_split)split : STORE_TRAIN;
    (*rows)[n].samples = sqlite3_column_int64(q, 2);
    (*rows)[n].seconds = sqlite3_column_double(q, 3);
    (*rows)[n].disabled = sqlite3_column_int64(q, 4);
    n++;
  }
  *count = n;
  return store_end_rows(st, q, code, "counting", e);
}

bool store_groups(struct store *st, struct arena *a, const char ***names, int *count,
                  struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(DISTINCT speaker) FROM samples", 0, &room, e))
    return false;
  *names = ARENA_ARRAY(a, const char *, room > 0 ? room : 1);
  sqlite3_stmt *q = store_prepare(
      st, "SELECT DISTINCT speaker FROM samples WHERE speaker <> '' ORDER BY speaker", e);
  if (!q) return false;
  int code = SQLITE_DONE;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW)
    (*names)[n++] = store_column_text(a, q, 0);
  *count = n;
  return store_end_rows(st, q, code, "listing groups", e);
}

bool store_keys(struct store *st, struct arena *a, struct store_key **keys, int *count,
                struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(DISTINCT key) FROM metadata", 0, &room, e)) return false;
  *keys = ARENA_ARRAY(a, struct store_key, room > 0 ? room : 1);
  sqlite3_stmt *q = store_prepare(
      st, "SELECT key, count(*), count(DISTINCT value) FROM metadata GROUP BY key ORDER BY key", e);
  if (!q) return false;
  int code = SQLITE_DONE;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) {
    (*keys)[n].key = store_column_text(a, q, 0);
    (*keys)[n].samples = sqlite3_column_int64(q, 1);
    (*keys)[n++].values = sqlite3_column_int64(q, 2);
  }
  *count = n;
  return store_end_rows(st, q, code, "listing keys", e);
}

bool store_values(struct store *st, struct arena *a, const char *key, struct store_value **values,
                  int *count, struct err *e) {
  int room = 0, n = 0;
  struct store_pool pool = {.arena = a};
  const char *field = field_of(key);
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM samples", 0, &room, e)) return false;
  if ((size_t)room * 64 + 65536 > arena_left(a))
    return err_set(e, "the values of %d samples do not fit into memory", room);
  *values = ARENA_ARRAY(a, struct store_value, room > 0 ? room : 1);
  sqlite3_stmt *q =
      store_prepare(st,
                    field ? arena_printf(a, "SELECT id, %s FROM samples ORDER BY id", field)
                          : "SELECT sample, value FROM metadata WHERE key = ?1 ORDER BY sample",
                    e);
  if (!q) return false;
  if (!field) sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
  int code = SQLITE_DONE;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) {
    (*values)[n].id = sqlite3_column_int64(q, 0);
    (*values)[n++].value = store_pool_text(&pool, 0, (const char *)sqlite3_column_text(q, 1));
  }
  *count = n;
  return store_end_rows(st, q, code, "reading values", e);
}

bool store_span_counts(struct store *st, struct arena *a, struct store_span_count **rows,
                       int *count, struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(DISTINCT label) FROM spans", 0, &room, e)) return false;
  *rows = ARENA_ARRAY(a, struct store_span_count, room > 0 ? room : 1);
  sqlite3_stmt *q = store_prepare(
      st,
      "SELECT spans.label, count(*), sum(iif(rate_hz > 0, (last - first + 1) / rate_hz, 0)) "
      "FROM spans JOIN samples ON samples.id = sample GROUP BY 1 ORDER BY 1",
      e);
  if (!q) return false;
  int code = SQLITE_DONE;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) {
    (*rows)[n].label = store_column_text(a, q, 0);
    (*rows)[n].spans = sqlite3_column_int64(q, 1);
    (*rows)[n++].seconds = sqlite3_column_double(q, 2);
  }
  *count = n;
  return store_end_rows(st, q, code, "counting spans", e);
}
