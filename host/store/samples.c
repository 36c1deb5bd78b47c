/* Samples: adding with duplicates found by hash, reading with every size checked, listing, counting. */
#include "host/store/private.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define COLUMNS                                                                                    \
  "id, label, speaker, source, split, type, rate_hz, channels, length, added_s, sha256"

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

static size_t store_type_bytes(enum store_type type) { return type == STORE_INT16 ? 2 : 4; }

/* Bytes of a sample's numbers; 0 when the sizes are out of range (so that nothing can overflow). */
static size_t data_bytes(int type, int channels, int64_t length) {
  if (type < 0 || type >= STORE_TYPE_COUNT || channels < 1 || channels > 4096 || length < 1)
    return 0;
  size_t frame = (size_t)channels * store_type_bytes((enum store_type)type); /* <= 16384 */
  if ((uint64_t)length > STORE_MAX_BLOB_BYTES / frame) return 0;
  return (size_t)length * frame;
}

static void hash_sample(struct store_sample *s, size_t bytes) {
  char head[96];
  uint8_t digest[32];
  struct sha256 h;
  int n = snprintf(head, sizeof head, "%d %.9g %d\n", (int)s->type, s->rate_hz, s->channels);
  sha256_init(&h);
  sha256_add(&h, head, (size_t)n);
  sha256_add(&h, s->data, bytes);
  sha256_end(&h, digest);
  sha256_hex(digest, s->sha256);
}

static bool find_duplicate(struct store *st, const char *sha256, int64_t *id, struct err *e) {
  *id = 0;
  sqlite3_stmt *q = store_prepare(st, "SELECT id FROM samples WHERE sha256 = ?", e);
  if (!q) return false;
  sqlite3_bind_text(q, 1, sha256, -1, SQLITE_STATIC);
  int code = sqlite3_step(q);
  if (code == SQLITE_ROW) *id = sqlite3_column_int64(q, 0);
  bool ok = code == SQLITE_ROW || code == SQLITE_DONE;
  if (!ok) store_fail(st, "looking for duplicates", e);
  sqlite3_finalize(q);
  return ok;
}

bool store_add(struct store *st, struct store_sample *s, int64_t *duplicate_of, struct err *e) {
  size_t bytes = data_bytes((int)s->type, s->channels, s->length);
  *duplicate_of = 0;
  if (!s->label || !s->label[0]) return err_set(e, "a sample needs a label; name one with --label");
  for (const char *c = s->label; *c; c++)
    if ((unsigned char)*c < 32 || *c == 127)
      return err_set(e, "a label cannot hold control characters; name one with --label");
  if (bytes == 0)
    return err_set(e,
                   "%lld frames of %d channels: a sample has at least 1 frame and at most %zu MiB; "
                   "cut the recording into shorter files",
                   (long long)s->length, s->channels, STORE_MAX_BLOB_BYTES >> 20);
  if (!(s->rate_hz > 0) || !isfinite(s->rate_hz))
    return err_set(e, "a sample rate of %g Hz makes no sense", s->rate_hz);
  hash_sample(s, bytes);
  if (!find_duplicate(st, s->sha256, duplicate_of, e)) return false;
  if (*duplicate_of) {
    s->id = *duplicate_of;
    return true;
  }
  sqlite3_stmt *q = store_prepare(
      st,
      "INSERT INTO samples(label, speaker, source, split, type, rate_hz, channels, length, added_s,"
      " sha256, data) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
      e);
  if (!q) return false;
  s->added_s = (int64_t)time(NULL);
  sqlite3_bind_text(q, 1, s->label, -1, SQLITE_STATIC);
  sqlite3_bind_text(q, 2, s->group ? s->group : "", -1, SQLITE_STATIC);
  sqlite3_bind_text(q, 3, s->source ? s->source : "", -1, SQLITE_STATIC);
  sqlite3_bind_int(q, 4, (int)s->split);
  sqlite3_bind_int(q, 5, (int)s->type);
  sqlite3_bind_double(q, 6, s->rate_hz);
  sqlite3_bind_int(q, 7, s->channels);
  sqlite3_bind_int64(q, 8, s->length);
  sqlite3_bind_int64(q, 9, s->added_s);
  sqlite3_bind_text(q, 10, s->sha256, -1, SQLITE_STATIC);
  sqlite3_bind_blob64(q, 11, s->data, bytes, SQLITE_STATIC);
  if (!store_finish_statement(st, q, "adding a sample", e)) return false;
  s->id = sqlite3_last_insert_rowid(st->db);
  return true;
}

/* The description in a row of COLUMNS. The file may come from anywhere: every number is checked. */
static bool read_row(struct store *st, struct arena *a, sqlite3_stmt *q, struct store_sample *s,
                     struct err *e) {
  memset(s, 0, sizeof *s);
  s->id = sqlite3_column_int64(q, 0);
  s->label = store_column_text(a, q, 1);
  s->group = store_column_text(a, q, 2);
  s->source = store_column_text(a, q, 3);
  int split = sqlite3_column_int(q, 4), type = sqlite3_column_int(q, 5);
  s->rate_hz = sqlite3_column_double(q, 6);
  s->channels = sqlite3_column_int(q, 7);
  s->length = sqlite3_column_int64(q, 8);
  s->added_s = sqlite3_column_int64(q, 9);
  snprintf(s->sha256, sizeof s->sha256, "%s", store_column_text(a, q, 10));
  if (split < 0 || split >= STORE_SPLIT_COUNT || data_bytes(type, s->channels, s->length) == 0 ||
      !(s->rate_hz > 0) || !isfinite(s->rate_hz) || !s->label[0]) {
    err_file(e, st->path);
    err_node(e, "sample %lld", (long long)s->id);
    return err_set(
        e, "the description of this sample is damaged; `mote data --remove %lld` takes it out",
        (long long)s->id);
  }
  s->split = (enum store_split)split;
  s->type = (enum store_type)type;
  return true;
}

bool store_get(struct store *st, struct arena *a, int64_t id, struct store_sample *s,
               struct err *e) {
  sqlite3_stmt *q = store_prepare(st, "SELECT " COLUMNS ", data FROM samples WHERE id = ?", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  bool ok = false;
  int code = sqlite3_step(q);
  if (code == SQLITE_DONE) {
    err_file(e, st->path);
    err_set(e, "there is no sample %lld; `mote data --list` shows what there is", (long long)id);
  } else if (code != SQLITE_ROW) {
    store_fail(st, "reading a sample", e);
  } else if (read_row(st, a, q, s, e)) {
    size_t bytes = 0, want = data_bytes((int)s->type, s->channels, s->length);
    ok = store_column_blob(st, a, q, 11, &s->data, &bytes, e);
    if (ok && bytes != want) {
      err_file(e, st->path);
      err_node(e, "sample %lld", (long long)id);
      ok = err_set(e,
                   "the sample holds %zu bytes where its description says %zu; `mote data --remove "
                   "%lld` takes it out",
                   bytes, want, (long long)id);
    }
  }
  sqlite3_finalize(q);
  return ok;
}

bool store_list(struct store *st, struct arena *a, const struct store_filter *filter,
                struct store_sample **samples, int *count, struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM samples", 0, &room, e)) return false;
  *samples = ARENA_ARRAY(a, struct store_sample, room > 0 ? room : 1);
  sqlite3_stmt *q =
      store_prepare(st,
                    "SELECT " COLUMNS " FROM samples WHERE (?1 IS NULL OR label = ?1) AND "
                    "(?2 IS NULL OR speaker = ?2) AND (?3 < 0 OR split = ?3) ORDER BY id",
                    e);
  if (!q) return false;
  if (filter && filter->label) sqlite3_bind_text(q, 1, filter->label, -1, SQLITE_STATIC);
  if (filter && filter->group) sqlite3_bind_text(q, 2, filter->group, -1, SQLITE_STATIC);
  sqlite3_bind_int(q, 3, filter ? filter->split : -1);
  int code;
  bool ok = true;
  /* Another program may add rows between the two statements: no more than there is room for. */
  while (ok && (code = sqlite3_step(q)) != SQLITE_DONE) {
    if (code != SQLITE_ROW) {
      ok = store_fail(st, "listing samples", e);
    } else if (n == room) {
      break;
    } else {
      ok = read_row(st, a, q, &(*samples)[n], e);
      n += ok;
    }
  }
  sqlite3_finalize(q);
  *count = n;
  return ok;
}

bool store_remove(struct store *st, int64_t id, struct err *e) {
  sqlite3_stmt *q = store_prepare(st, "DELETE FROM samples WHERE id = ?", e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  if (!store_finish_statement(st, q, "removing a sample", e)) return false;
  if (sqlite3_changes(st->db) > 0) return true;
  err_file(e, st->path);
  return err_set(e, "there is no sample %lld; `mote data --list` shows what there is",
                 (long long)id);
}

bool store_relabel(struct store *st, int64_t id, const char *label, int split, const char *group,
                   struct err *e) {
  if (label && !label[0]) return err_set(e, "a label cannot be empty");
  if (split >= STORE_SPLIT_COUNT) return err_set(e, "there is no split %d", split);
  sqlite3_stmt *q =
      store_prepare(st,
                    "UPDATE samples SET label = coalesce(?2, label), split = iif(?3 < 0, "
                    "split, ?3), speaker = coalesce(?4, speaker) WHERE id = ?1",
                    e);
  if (!q) return false;
  sqlite3_bind_int64(q, 1, id);
  if (label) sqlite3_bind_text(q, 2, label, -1, SQLITE_STATIC);
  sqlite3_bind_int(q, 3, split);
  if (group) sqlite3_bind_text(q, 4, group, -1, SQLITE_STATIC);
  if (!store_finish_statement(st, q, "changing a sample", e)) return false;
  if (sqlite3_changes(st->db) > 0) return true;
  err_file(e, st->path);
  return err_set(e, "there is no sample %lld; `mote data --list` shows what there is",
                 (long long)id);
}

bool store_counts(struct store *st, struct arena *a, struct store_count **rows, int *count,
                  struct err *e) {
  int room = 0, n = 0;
  *count = 0;
  if (!store_count_rows(st, "SELECT count(*) FROM (SELECT 1 FROM samples GROUP BY label, split)", 0,
                        &room, e))
    return false;
  *rows = ARENA_ARRAY(a, struct store_count, room > 0 ? room : 1);
  sqlite3_stmt *q =
      store_prepare(st,
                    "SELECT label, split, count(*), sum(length / rate_hz) FROM samples "
                    "GROUP BY label, split ORDER BY label, split",
                    e);
  if (!q) return false;
  int code;
  while ((code = sqlite3_step(q)) == SQLITE_ROW && n < room) {
    int split = sqlite3_column_int(q, 1);
    (*rows)[n].label = store_column_text(a, q, 0);
    (*rows)[n].split =
        split >= 0 && split < STORE_SPLIT_COUNT ? (enum store_split)split : STORE_TRAIN;
    (*rows)[n].samples = sqlite3_column_int64(q, 2);
    (*rows)[n].seconds = sqlite3_column_double(q, 3);
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
  int code;
  while ((code = sqlite3_step(q)) == SQLITE_ROW && n < room)
    (*names)[n++] = store_column_text(a, q, 0);
  *count = n;
  return store_end_rows(st, q, code, "listing groups", e);
}
