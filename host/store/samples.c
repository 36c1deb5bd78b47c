/* Samples: adding with duplicates found by hash, reading with every size checked, changing. Each change first tells
 * history.c what the sample was. */
#include "host/store/private.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define MAX_SIDE  16384 /* of a picture, in pixels */
#define MAX_SPANS 1000000
#define ABSENT    "there is no sample %lld; `mote data list` shows what there is"

static const char *const split_names[STORE_SPLIT_COUNT] = {"train", "validation", "test"};

const char *store_split_name(enum store_split split) {
  return (unsigned)split < STORE_SPLIT_COUNT ? split_names[split] : "?";
}

bool store_split_parse(const char *name, enum store_split *split) {
  for (int i = 0; i < STORE_SPLIT_COUNT; i++) {
    if (strcmp(name, split_names[i]) == 0) {
      *split = (enum store_split)i;
      return true;
    }
  }
  return false;
}

/* ---- what may be stored ------------------------------------------------------------- */
/* Bytes of a sample's numbers; 0 when the sizes are out of range (so that nothing can overflow). */
static size_t data_bytes(const struct store_sample *s) {
  static const size_t type_bytes[STORE_TYPE_COUNT] = {2, 4, 1};
  if ((unsigned)s->type >= STORE_TYPE_COUNT || s->channels < 1 || s->channels > 4096 ||
      s->length < 1)
    return 0;
  const bool picture = s->type == STORE_UINT8;
  if (picture && (s->height < 1 || s->width < 1 || s->height > MAX_SIDE || s->width > MAX_SIDE ||
                  s->length != (int64_t)s->height * s->width))
    return 0;
  if (!picture && (s->height || s->width)) return 0;
  size_t frame = (size_t)s->channels * type_bytes[s->type]; /* <= 16384 */
  if ((uint64_t)s->length > STORE_MAX_BLOB_BYTES / frame) return 0;
  return (size_t)s->length * frame;
}

static bool plain_text(const char *text) {
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c < 32 || *c == 127) return false;
  return true;
}

static bool check_label(const char *label, const char *of, struct err *e) {
  if (!label || !label[0]) return err_set(e, "a %s needs a label; name one with --label", of);
  return plain_text(label) ||
         err_set(e, "a label cannot hold control characters; name one with --label");
}

static bool check_key(const char *key, struct err *e) {
  const size_t good =
      strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
  if (good > 0 && good < 64 && !key[good]) return true;
  return err_set(
      e,
      "\"%.64s\" cannot be a key of metadata: letters, digits and _ . - are, at most 63 of "
      "them",
      key);
}

static bool check_spans(const struct store_span *spans, int n, int64_t length, struct err *e) {
  if (n < 0 || n > MAX_SPANS) return err_set(e, "%d spans are too many", n);
  for (int i = 0; i < n; i++) {
    if (!check_label(spans[i].label, "span", e)) return false;
    if (spans[i].first < 0 || spans[i].last < spans[i].first || spans[i].last >= length)
      return err_set(e, "the span %lld to %lld lies outside of the recording's frames 0 to %lld",
                     (long long)spans[i].first, (long long)spans[i].last, (long long)length - 1);
  }
  return true;
}

static bool check_boxes(const struct store_sample *s, struct err *e) {
  if (s->n_boxes < 0 || s->n_boxes > MAX_SPANS)
    return err_set(e, "%d boxes are too many", s->n_boxes);
  for (int i = 0; i < s->n_boxes; i++) {
    const struct store_box *b = &s->boxes[i];
    if (!check_label(b->label, "box", e)) return false;
    /* Sides are at most 16384, so that no sum below overflows. */
    if (b->x < 0 || b->y < 0 || b->width < 1 || b->height < 1 || b->width > s->width ||
        b->height > s->height || b->x > s->width - b->width || b->y > s->height - b->height)
      return err_set(e, "the box %d,%d of %d x %d lies outside of the picture of %d x %d", b->x,
                     b->y, b->width, b->height, s->width, s->height);
  }
  return true;
}

static bool rate_is_good(const struct store_sample *s) {
  if (s->type == STORE_UINT8) return s->rate_hz == 0;
  return s->rate_hz > 0 && isfinite(s->rate_hz);
}

static bool check_sample(const struct store_sample *s, struct err *e) {
  if (!check_label(s->label, "sample", e)) return false;
  if ((unsigned)s->split >= STORE_SPLIT_COUNT)
    return err_set(e, "there is no split %d", (int)s->split);
  if (data_bytes(s) == 0 && s->type == STORE_UINT8)
    return err_set(
        e,
        "a picture of %d x %d with %d channels: sides of 1 to %d pixels, and at most %zu MiB, "
        "are possible",
        s->width, s->height, s->channels, MAX_SIDE, STORE_MAX_BLOB_BYTES >> 20);
  if (data_bytes(s) == 0)
    return err_set(e,
                   "%lld frames of %d channels: a sample has at least 1 frame and at most %zu MiB; "
                   "cut the recording into shorter files",
                   (long long)s->length, s->channels, STORE_MAX_BLOB_BYTES >> 20);
  if (!rate_is_good(s)) return err_set(e, "a sample rate of %g Hz makes no sense", s->rate_hz);
  for (int i = 0; i < s->n_meta; i++)
    if (!check_key(s->meta[i].key, e)) return false;
  return check_spans(s->spans, s->n_spans, s->length, e) && check_boxes(s, e);
}

/* ---- writing ------------------------------------------------------------------------- */
static void hash_sample(struct store_sample *s) {
  char head[128];
  uint8_t digest[32];
  struct sha256 h;
  int n = snprintf(head, sizeof head, "%d %.9g %d\n", (int)s->type, s->rate_hz, s->channels);
  if (s->type == STORE_UINT8)
    n += snprintf(head + n, sizeof head - (size_t)n, "%d %d\n", s->height, s->width);
  sha256_init(&h);
  sha256_add(&h, head, (size_t)n);
  sha256_add(&h, s->data, data_bytes(s));
  sha256_end(&h, digest);
  sha256_hex(digest, s->sha256);
}

/* 0: none. */
static bool find_number(struct store *st, const char *literal, const char *sha256, int64_t *id,
                        struct err *e) {
  *id = 0;
  sqlite3_stmt *q = store_prepare_once(st, literal, e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, sha256, -1, SQLITE_STATIC);
  int code = sqlite3_step(q);
  if (code == SQLITE_ROW) *id = sqlite3_column_int64(q, 0);
  return store_end_rows(st, q, code, "looking for duplicates", e);
}

static bool find_duplicate(struct store *st, const char *sha256, int64_t *id, struct err *e) {
  return find_number(st, "SELECT id FROM samples WHERE sha256 = ?", sha256, id, e);
}

/* The numbers of s as a blob, an old one where the history knows them. */
static bool put_blob(struct store *st, const struct store_sample *s, int64_t *blob, struct err *e) {
  if (!find_number(st, "SELECT id FROM blobs WHERE sha256 = ?", s->sha256, blob, e)) return false;
  if (*blob) return true;
  sqlite3_stmt *q = store_prepare_once(st, "INSERT INTO blobs(sha256, data) VALUES(?, ?)", e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, s->sha256, -1, SQLITE_STATIC);
  sqlite3_bind_blob64(q, 2, s->data, data_bytes(s), SQLITE_STATIC);
  if (!store_finish_statement(st, q, "adding a sample", e)) return false;
  *blob = sqlite3_last_insert_rowid(st->db);
  return true;
}

static bool put_meta(struct store *st, int64_t id, const char *key, const char *value,
                     struct err *e) {
  sqlite3_stmt *q =
      store_prepare_once(st,
                         "INSERT INTO metadata(sample, key, value) VALUES(?, ?, ?) "
                         "ON CONFLICT(sample, key) DO UPDATE SET value = excluded.value",
                         e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  sqlite3_bind_text(q, 2, key, -1, SQLITE_STATIC);
  sqlite3_bind_text(q, 3, value ? value : "", -1, SQLITE_STATIC);
  return store_finish_statement(st, q, "writing metadata", e);
}

static bool put_spans(struct store *st, int64_t id, const struct store_span *spans, int n,
                      struct err *e) {
  for (int i = 0; i < n; i++) {
    sqlite3_stmt *q = store_prepare_once(st, "INSERT INTO spans VALUES(?, ?, ?, ?, ?)", e);
    if (!q) return false;
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int(q, 2, i);
    sqlite3_bind_int64(q, 3, spans[i].first);
    sqlite3_bind_int64(q, 4, spans[i].last);
    sqlite3_bind_text(q, 5, spans[i].label, -1, SQLITE_STATIC);
    if (!store_finish_statement(st, q, "writing label spans", e)) return false;
  }
  return true;
}

static bool put_boxes(struct store *st, const struct store_sample *s, struct err *e) {
  for (int i = 0; i < s->n_boxes; i++) {
    const struct store_box *b = &s->boxes[i];
    sqlite3_stmt *q = store_prepare_once(st, "INSERT INTO boxes VALUES(?, ?, ?, ?, ?, ?, ?)", e);
    if (!q) return false;
    sqlite3_bind_int64(q, 1, s->id);
    sqlite3_bind_int(q, 2, i);
    sqlite3_bind_int(q, 3, b->x);
    sqlite3_bind_int(q, 4, b->y);
    sqlite3_bind_int(q, 5, b->width);
    sqlite3_bind_int(q, 6, b->height);
    sqlite3_bind_text(q, 7, b->label, -1, SQLITE_STATIC);
    if (!store_finish_statement(st, q, "writing boxes", e)) return false;
  }
  return true;
}

static bool put_details(struct store *st, const struct store_sample *s, struct err *e) {
  for (int i = 0; i < s->n_meta; i++)
    if (!put_meta(st, s->id, s->meta[i].key, s->meta[i].value, e)) return false;
  return put_spans(st, s->id, s->spans, s->n_spans, e) && put_boxes(st, s, e);
}

static bool put_row(struct store *st, struct store_sample *s, int64_t blob, struct err *e) {
  sqlite3_stmt *q = store_prepare_once(
      st,
      "INSERT INTO samples(label, speaker, source, split, type, rate_hz, channels, length, height, "
      "width, disabled, added_s, sha256, blob, id) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, s->label, -1, SQLITE_STATIC);
  sqlite3_bind_text(q, 2, s->group ? s->group : "", -1, SQLITE_STATIC);
  sqlite3_bind_text(q, 3, s->source ? s->source : "", -1, SQLITE_STATIC);
  sqlite3_bind_int(q, 4, (int)s->split);
  sqlite3_bind_int(q, 5, (int)s->type);
  sqlite3_bind_double(q, 6, s->rate_hz);
  sqlite3_bind_int(q, 7, s->channels);
  sqlite3_bind_int64(q, 8, s->length);
  sqlite3_bind_int(q, 9, s->height);
  sqlite3_bind_int(q, 10, s->width);
  sqlite3_bind_int(q, 11, s->disabled);
  sqlite3_bind_int64(q, 12, s->added_s);
  sqlite3_bind_text(q, 13, s->sha256, -1, SQLITE_STATIC);
  sqlite3_bind_int64(q, 14, blob);
  if (s->id) sqlite3_bind_int64(q, 15, s->id); /* else NULL: the next number */
  if (!store_finish_statement(st, q, "adding a sample", e)) return false;
  s->id = sqlite3_last_insert_rowid(st->db);
  return true;
}

bool store_add(struct store *st, struct store_sample *s, int64_t *duplicate_of, struct err *e) {
  int64_t blob = 0;
  *duplicate_of = 0;
  if (!check_sample(s, e)) return false;
  hash_sample(s);
  if (!find_duplicate(st, s->sha256, duplicate_of, e)) return false;
  if (*duplicate_of) {
    s->id = *duplicate_of;
    return true;
  }
  s->id = 0;
  s->added_s = (int64_t)time(NULL);
  if (!store_enter(st, e)) return false;
  bool ok = put_blob(st, s, &blob, e) && put_row(st, s, blob, e) && put_details(st, s, e) &&
            store_remember(st, s->id, true, "add a sample", e);
  return store_leave(st, ok, e);
}

/* A statement about one sample, with its id as the first parameter; false also where there is no such sample. */
static bool finish_on_sample(struct store *st, sqlite3_stmt *q, int64_t id, const char *doing,
                             struct err *e) {
  if (!store_finish_statement(st, q, doing, e)) return false;
  if (sqlite3_changes(st->db) > 0) return true;
  err_file(e, st->path);
  return err_set(e, ABSENT, (long long)id);
}

static bool delete_of(struct store *st, const char *literal, int64_t id, struct err *e) {
  sqlite3_stmt *q = store_prepare_once(st, literal, e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  return store_finish_statement(st, q, "removing", e);
}

/* The row itself; the tables that refer to it follow by their foreign keys. */
static bool delete_row(struct store *st, int64_t id, struct err *e) {
  sqlite3_stmt *q = store_prepare_once(st, "DELETE FROM samples WHERE id = ?", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  return finish_on_sample(st, q, id, "removing a sample", e);
}

bool store_remove(struct store *st, int64_t id, struct err *e) {
  if (!store_enter(st, e)) return false;
  bool ok = store_remember(st, id, false, "remove a sample", e) && delete_row(st, id, e);
  return store_leave(st, ok, e);
}

/* The blob of a sample that keeps its numbers, and all that its shape says. */
static bool keep_numbers(struct store *st, struct store_sample *s, int64_t *blob, struct err *e) {
  sqlite3_stmt *q = store_prepare_once(st,
                                       "SELECT blob, type, rate_hz, channels, length, height, "
                                       "width, sha256 FROM samples WHERE id = ?",
                                       e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, s->id);
  int code = sqlite3_step(q);
  if (code == SQLITE_ROW) {
    *blob = sqlite3_column_int64(q, 0);
    s->type = (enum store_type)sqlite3_column_int(q, 1);
    s->rate_hz = sqlite3_column_double(q, 2);
    s->channels = sqlite3_column_int(q, 3);
    s->length = sqlite3_column_int64(q, 4);
    s->height = sqlite3_column_int(q, 5);
    s->width = sqlite3_column_int(q, 6);
    const char *sha256 = (const char *)sqlite3_column_text(q, 7);
    snprintf(s->sha256, sizeof s->sha256, "%s", sha256 ? sha256 : "");
  } else if (code == SQLITE_DONE) {
    store_release(st, q);
    err_file(e, st->path);
    return err_set(e, ABSENT, (long long)s->id);
  }
  return store_end_rows(st, q, code, "reading a sample", e);
}

bool store_edit(struct store *st, struct store_sample *s, int64_t *duplicate_of, struct err *e) {
  int64_t blob = 0, other = 0;
  *duplicate_of = 0;
  if (!s->data && !keep_numbers(st, s, &blob, e)) return false;
  if (!check_sample(s, e)) return false;
  if (s->data) {
    hash_sample(s);
    if (!find_duplicate(st, s->sha256, &other, e)) return false;
    if (other && other != s->id) {
      *duplicate_of = other;
      return true;
    }
  }
  if (!store_enter(st, e)) return false;
  bool ok = store_remember(st, s->id, false, "change a sample", e) && delete_row(st, s->id, e) &&
            (!s->data || put_blob(st, s, &blob, e)) && put_row(st, s, blob, e) &&
            put_details(st, s, e);
  return store_leave(st, ok, e);
}

bool store_relabel(struct store *st, int64_t id, const char *label, int split, const char *group,
                   struct err *e) {
  if (label && !check_label(label, "sample", e)) return false;
  if (split >= STORE_SPLIT_COUNT) return err_set(e, "there is no split %d", split);
  if (!store_enter(st, e)) return false;
  if (!store_remember(st, id, false, "change a sample", e)) return store_leave(st, false, e);
  sqlite3_stmt *q = store_prepare_once(
      st,
      "UPDATE samples SET label = coalesce(?2, label), split = iif(?3 < 0, split, ?3), "
      "speaker = coalesce(?4, speaker) WHERE id = ?1",
      e);
  if (!q) return store_leave(st, false, e);
  sqlite3_bind_int64(q, 1, id);
  if (label) sqlite3_bind_text(q, 2, label, -1, SQLITE_STATIC);
  sqlite3_bind_int(q, 3, split);
  if (group) sqlite3_bind_text(q, 4, group, -1, SQLITE_STATIC);
  return store_leave(st, finish_on_sample(st, q, id, "changing a sample", e), e);
}

bool store_enable(struct store *st, int64_t id, bool enabled, struct err *e) {
  if (!store_enter(st, e)) return false;
  if (!store_remember(st, id, false, enabled ? "enable a sample" : "disable a sample", e))
    return store_leave(st, false, e);
  sqlite3_stmt *q = store_prepare_once(st, "UPDATE samples SET disabled = ?2 WHERE id = ?1", e);
  if (!q) return store_leave(st, false, e);
  sqlite3_bind_int64(q, 1, id);
  sqlite3_bind_int(q, 2, !enabled);
  return store_leave(st, finish_on_sample(st, q, id, "changing a sample", e), e);
}

bool store_set_meta(struct store *st, int64_t id, const char *key, const char *value,
                    struct err *e) {
  if (!check_key(key, e)) return false;
  if (!store_enter(st, e)) return false;
  bool ok = store_remember(st, id, false, "change metadata", e);
  if (ok && value) return store_leave(st, put_meta(st, id, key, value, e), e);
  sqlite3_stmt *q =
      ok ? store_prepare_once(st, "DELETE FROM metadata WHERE sample = ? AND key = ?", e) : NULL;
  if (!q) return store_leave(st, false, e);
  sqlite3_bind_int64(q, 1, id);
  sqlite3_bind_text(q, 2, key, -1, SQLITE_STATIC);
  return store_leave(st, store_finish_statement(st, q, "removing metadata", e), e);
}

bool store_set_spans(struct store *st, int64_t id, const struct store_span *spans, int n,
                     struct err *e) {
  struct store_sample s = {.id = id};
  int64_t blob;
  if (!keep_numbers(st, &s, &blob, e) || !check_spans(spans, n, s.length, e)) return false;
  if (!store_enter(st, e)) return false;
  bool ok = store_remember(st, id, false, "change label spans", e) &&
            delete_of(st, "DELETE FROM spans WHERE sample = ?", id, e) &&
            put_spans(st, id, spans, n, e);
  return store_leave(st, ok, e);
}

/* ---- reading ------------------------------------------------------------------------- */
#define POOL_LEAST ((size_t)256)
#define POOL_MOST  ((size_t)65536)
const char *store_pool_text(struct store_pool *pool, int use, const char *text) {
  if (!text || !text[0]) return "";
  if (pool->last[use] && strcmp(pool->last[use], text) == 0) return pool->last[use];
  const size_t n = strlen(text) + 1;
  if (n > POOL_MOST / 4) return pool->last[use] = arena_strdup(pool->arena, text);
  if (n > pool->left) {
    /* A pool for one row takes little: blocks begin small and double. */
    pool->room = pool->room ? 2 * pool->room : POOL_LEAST;
    while (pool->room < n) pool->room *= 2;
    if (pool->room > POOL_MOST) pool->room = POOL_MOST;
    pool->block = arena_alloc(pool->arena, pool->room, 1);
    pool->left = pool->room;
  }
  char *copy = pool->block;
  memcpy(copy, text, n);
  pool->block += n;
  pool->left -= n;
  return pool->last[use] = copy;
}

static bool damaged(struct store *st, int64_t id, struct err *e) {
  err_file(e, st->path);
  err_node(e, "sample %lld", (long long)id);
  return err_set(e,
                 "the description of this sample is damaged; `mote data remove %lld` takes it out",
                 (long long)id);
}

/* The file may come from anywhere: every number is checked. */
bool store_read_row(struct store *st, struct store_pool *pool, sqlite3_stmt *q,
                    struct store_sample *s, struct err *e) {
  memset(s, 0, sizeof *s);
  s->id = sqlite3_column_int64(q, 0);
  s->label = store_pool_text(pool, 0, (const char *)sqlite3_column_text(q, 1));
  s->group = store_pool_text(pool, 1, (const char *)sqlite3_column_text(q, 2));
  s->source = store_pool_text(pool, 2, (const char *)sqlite3_column_text(q, 3));
  int split = sqlite3_column_int(q, 4), type = sqlite3_column_int(q, 5);
  s->rate_hz = sqlite3_column_double(q, 6);
  s->channels = sqlite3_column_int(q, 7);
  s->length = sqlite3_column_int64(q, 8);
  s->height = sqlite3_column_int(q, 9);
  s->width = sqlite3_column_int(q, 10);
  s->disabled = sqlite3_column_int(q, 11) != 0;
  s->added_s = sqlite3_column_int64(q, 12);
  const char *sha256 = (const char *)sqlite3_column_text(q, 13);
  size_t n = sha256 ? strnlen(sha256, sizeof s->sha256 - 1) : 0;
  memcpy(s->sha256, sha256 ? sha256 : "", n);
  if (split < 0 || split >= STORE_SPLIT_COUNT || type < 0 || type >= STORE_TYPE_COUNT ||
      !s->label[0])
    return damaged(st, s->id, e);
  s->split = (enum store_split)split;
  s->type = (enum store_type)type;
  return (data_bytes(s) != 0 && rate_is_good(s)) || damaged(st, s->id, e);
}

/* The rows of a detail table in a: counts them, makes room, and lets read take each. */
#define MAX_DETAILS (4 * MAX_SPANS)
static bool count_details(struct store *st, struct arena *a, const char *sql, int64_t id,
                          size_t each, int *room, struct err *e) {
  if (!store_count_rows(st, sql, id, room, e)) return false;
  if (*room > MAX_DETAILS || (size_t)*room * (each + 64) + 256 > arena_left(a))
    return err_set(e, "%d details of sample %lld do not fit into memory", *room, (long long)id);
  return true;
}

static sqlite3_stmt *select_details(struct store *st, const char *literal, int64_t id,
                                    struct err *e) {
  sqlite3_stmt *q = store_prepare_once(st, literal, e);
  if (q) sqlite3_bind_int64(q, 1, id);
  return q;
}

static bool get_meta(struct store *st, struct arena *a, struct store_sample *s, struct err *e) {
  int room = 0, n = 0, code = SQLITE_DONE;
  if (!count_details(st, a, "SELECT count(*) FROM metadata WHERE sample = ?", s->id,
                     sizeof(struct store_meta), &room, e))
    return false;
  struct store_meta *meta = ARENA_ARRAY(a, struct store_meta, room + 1);
  sqlite3_stmt *q =
      select_details(st, "SELECT key, value FROM metadata WHERE sample = ? ORDER BY key", s->id, e);
  if (!q) return false;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) {
    meta[n].key = store_column_text(a, q, 0);
    meta[n++].value = store_column_text(a, q, 1);
  }
  s->meta = meta;
  s->n_meta = n;
  return store_end_rows(st, q, code, "reading metadata", e);
}

static bool get_spans(struct store *st, struct arena *a, struct store_sample *s, struct err *e) {
  int room = 0, n = 0, code = SQLITE_DONE;
  if (!count_details(st, a, "SELECT count(*) FROM spans WHERE sample = ?", s->id,
                     sizeof(struct store_span), &room, e))
    return false;
  struct store_span *spans = ARENA_ARRAY(a, struct store_span, room + 1);
  sqlite3_stmt *q = select_details(
      st, "SELECT first, last, label FROM spans WHERE sample = ? ORDER BY position", s->id, e);
  if (!q) return false;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) {
    spans[n].first = sqlite3_column_int64(q, 0);
    spans[n].last = sqlite3_column_int64(q, 1);
    spans[n++].label = store_column_text(a, q, 2);
  }
  s->spans = spans;
  s->n_spans = n;
  return store_end_rows(st, q, code, "reading label spans", e);
}

static bool get_boxes(struct store *st, struct arena *a, struct store_sample *s, struct err *e) {
  int room = 0, n = 0, code = SQLITE_DONE;
  if (!count_details(st, a, "SELECT count(*) FROM boxes WHERE sample = ?", s->id,
                     sizeof(struct store_box), &room, e))
    return false;
  struct store_box *boxes = ARENA_ARRAY(a, struct store_box, room + 1);
  sqlite3_stmt *q = select_details(
      st, "SELECT x, y, width, height, label FROM boxes WHERE sample = ? ORDER BY position", s->id,
      e);
  if (!q) return false;
  while (n < room && (code = sqlite3_step(q)) == SQLITE_ROW) {
    boxes[n].x = sqlite3_column_int(q, 0);
    boxes[n].y = sqlite3_column_int(q, 1);
    boxes[n].width = sqlite3_column_int(q, 2);
    boxes[n].height = sqlite3_column_int(q, 3);
    boxes[n++].label = store_column_text(a, q, 4);
  }
  s->boxes = boxes;
  s->n_boxes = n;
  return store_end_rows(st, q, code, "reading boxes", e);
}

static bool get_details(struct store *st, struct arena *a, struct store_sample *s, struct err *e) {
  if (!get_meta(st, a, s, e) || !get_spans(st, a, s, e) || !get_boxes(st, a, s, e)) return false;
  struct err ignored = {0};
  if (check_spans(s->spans, s->n_spans, s->length, &ignored) && check_boxes(s, &ignored))
    return true;
  return damaged(st, s->id, e);
}

/* Row and, where the statement has a column behind those, numbers. */
static bool get_row(struct store *st, struct arena *a, sqlite3_stmt *q, int64_t id, bool data,
                    struct store_sample *s, struct err *e) {
  struct store_pool pool = {.arena = a};
  bool ok = false;
  sqlite3_bind_int64(q, 1, id);
  int code = sqlite3_step(q);
  if (code == SQLITE_DONE) {
    err_file(e, st->path);
    err_set(e, ABSENT, (long long)id);
  } else if (code != SQLITE_ROW) {
    store_fail(st, "reading a sample", e);
  } else if ((ok = store_read_row(st, &pool, q, s, e)) && data) {
    size_t bytes = 0, want = data_bytes(s);
    ok = store_column_blob(st, a, q, STORE_N_COLUMNS, &s->data, &bytes, e);
    if (ok && bytes != want) {
      err_file(e, st->path);
      err_node(e, "sample %lld", (long long)id);
      ok = err_set(e,
                   "the sample holds %zu bytes where its description says %zu; `mote data remove "
                   "%lld` takes it out",
                   bytes, want, (long long)id);
    }
  }
  store_release(st, q);
  return ok;
}

bool store_get(struct store *st, struct arena *a, int64_t id, struct store_sample *s,
               struct err *e) {
  sqlite3_stmt *q =
      store_prepare_once(st,
                         "SELECT " STORE_COLUMNS
                         ", (SELECT data FROM blobs WHERE blobs.id = samples.blob) FROM samples "
                         "WHERE id = ?",
                         e);
  return q && get_row(st, a, q, id, true, s, e) && get_details(st, a, s, e);
}

bool store_describe(struct store *st, struct arena *a, int64_t id, struct store_sample *s,
                    struct err *e) {
  sqlite3_stmt *q = store_prepare_once(st, "SELECT " STORE_COLUMNS " FROM samples WHERE id = ?", e);
  return q && get_row(st, a, q, id, false, s, e) && get_details(st, a, s, e);
}
