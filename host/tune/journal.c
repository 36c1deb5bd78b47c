/* journal: lines that are only added, each with a checksum over itself and all before it; see the door.
 *
 *   0123456789abcdef the line's text
 *
 * The sixteen digits are the first half of the SHA-256 of the checksum before and the text, so no line can change, vanish or move
 * unseen. The first lines are "set ..." and say what was searched. */
#include "host/tune/tune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DIGITS     16
#define MAX_BYTES  ((size_t)256 << 20)
#define FIRST_LINE "mote-tune 1"

struct tune_journal {
  int file;
  const char *path;
  char last[DIGITS + 1]; /* checksum of the last line */
};

static void chain(const char *before, const char *line, size_t n, char out[DIGITS + 1]) {
  struct sha256 h;
  uint8_t digest[32];
  char hex[65];
  sha256_init(&h);
  sha256_add(&h, before, DIGITS);
  sha256_add(&h, line, n);
  sha256_end(&h, digest);
  sha256_hex(digest, hex);
  memcpy(out, hex, DIGITS);
  out[DIGITS] = 0;
}

/* The whole, undamaged lines from the start of the bytes; `used` bytes hold them. */
struct reading {
  char **lines;
  int n;
  size_t used;
  char last[DIGITS + 1];
};

static void read_lines(struct arena *a, const char *bytes, size_t size, struct reading *r) {
  int most = 1;
  for (size_t i = 0; i < size; i++) most += bytes[i] == '\n';
  *r = (struct reading){.lines = ARENA_ARRAY(a, char *, most)};
  memset(r->last, '0', DIGITS);
  while (r->used < size) {
    const char *line = bytes + r->used, *end = memchr(line, '\n', size - r->used);
    char sum[DIGITS + 1];
    if (!end || end - line <= DIGITS || line[DIGITS] != ' ') return;
    const size_t n = (size_t)(end - line) - DIGITS - 1;
    chain(r->last, line + DIGITS + 1, n, sum);
    if (memcmp(sum, line, DIGITS) != 0 || memchr(line, 0, (size_t)(end - line))) return;
    char *copy = arena_alloc(a, n + 1, 1);
    memcpy(copy, line + DIGITS + 1, n);
    r->lines[r->n++] = copy;
    r->used += n + DIGITS + 2;
    memcpy(r->last, sum, sizeof sum);
  }
}

static bool fail(const char *path, struct err *e, const char *what) {
  err_file(e, path);
  return err_set(e, "%s: %s", what, strerror(errno));
}

static bool write_all(int file, const char *p, size_t n) {
  while (n) {
    const ssize_t done = write(file, p, n);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    p += done;
    n -= (size_t)done;
  }
  return true;
}

/* Several lines in one write; what a full disk left half written is taken off again. */
static bool add_lines(struct tune_journal *j, const char *const *lines, int n, struct err *e) {
  struct arena *a = arena_new(MAX_BYTES);
  struct text t;
  char last[DIGITS + 1];
  if (!a) return err_set(e, "no memory left");
  text_init(&t, a);
  memcpy(last, j->last, sizeof last);
  for (int i = 0; i < n; i++) {
    chain(last, lines[i], strlen(lines[i]), last);
    text_printf(&t, "%s ", last);
    text_add(&t, lines[i]);
    text_add(&t, "\n");
  }
  const off_t at = lseek(j->file, 0, SEEK_END);
  bool ok = at >= 0 && write_all(j->file, t.data, t.size) && fsync(j->file) == 0;
  if (ok)
    memcpy(j->last, last, sizeof last);
  else {
    fail(j->path, e, "cannot be written");
    if (at >= 0 && ftruncate(j->file, at) != 0) ok = false;
  }
  arena_free(a);
  return ok;
}

bool tune_journal_add(struct tune_journal *j, const char *line, struct err *e) {
  if (strchr(line, '\n')) return err_internal(e, "a journal's line has no breaks");
  return add_lines(j, &line, 1, e);
}

/* "set <line>" for each line of the settings, behind the first line. */
static const char *const *setting_lines(struct arena *a, const char *settings, int *n) {
  const char **lines = ARENA_ARRAY(a, const char *, strlen(settings) + 3);
  char *copy = arena_strdup(a, settings), *rest = NULL;
  *n = 0;
  lines[(*n)++] = FIRST_LINE;
  for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    lines[(*n)++] = arena_printf(a, "set %s", line);
  lines[(*n)++] = "begin";
  return lines;
}

static bool same_settings(const struct reading *r, const char *const *wanted, int n,
                          const char *path, struct err *e) {
  for (int i = 0; i < n; i++) {
    const char *had = i < r->n ? r->lines[i] : "nothing";
    if (strcmp(had, wanted[i]) == 0) continue;
    err_file(e, path);
    if (i == 0) return err_set(e, "this is no journal of a search");
    return err_set(e,
                   "a search with other settings (\"%.120s\" there, \"%.120s\" now) is kept here: "
                   "--fresh begins anew, --journal FILE "
                   "takes another file",
                   text_starts(had, "set ") ? had + 4 : had,
                   text_starts(wanted[i], "set ") ? wanted[i] + 4 : wanted[i]);
  }
  return true;
}

static bool open_file(struct tune_journal *j, struct err *e) {
  j->file = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (j->file < 0) return fail(j->path, e, "cannot be opened");
  if (flock(j->file, LOCK_EX | LOCK_NB) == 0) return true;
  err_file(e, j->path);
  return err_set(
      e, "another search is writing it: wait for its end, or take another file with --journal");
}

/* The directory's entry of a new file is on the disk, too. */
static bool sync_folder(struct arena *a, const char *path) {
  char *folder = arena_strdup(a, path), *slash = strrchr(folder, '/');
  if (slash) *(slash == folder ? slash + 1 : slash) = 0;
  const int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool ok = file >= 0 && fsync(file) == 0;
  if (file >= 0) close(file);
  return ok;
}

/* Whether bytes begin as a journal does, or are the beginning of that. */
static bool is_head(const uint8_t *bytes, size_t size) {
  char zero[DIGITS + 1], sum[DIGITS + 1], head[DIGITS + sizeof FIRST_LINE + 2];
  memset(zero, '0', DIGITS);
  chain(zero, FIRST_LINE, sizeof FIRST_LINE - 1, sum);
  const size_t n = (size_t)snprintf(head, sizeof head, "%s %s\n", sum, FIRST_LINE);
  return memcmp(bytes, head, size < n ? size : n) == 0;
}

bool tune_journal_open(struct arena *a, const char *path, const char *settings, bool fresh,
                       struct tune_journal **out, char ***lines, int *n, size_t *dropped,
                       struct err *e) {
  struct tune_journal *j = ARENA_NEW(a, struct tune_journal);
  struct reading r;
  uint8_t *bytes = NULL;
  size_t size = 0;
  int n_wanted = 0;
  const char *const *wanted = setting_lines(a, settings, &n_wanted);
  j->path = arena_strdup(a, path);
  *out = j;
  *dropped = 0;
  if (!open_file(j, e)) return false;
  if (!file_read(a, path, MAX_BYTES, &bytes, &size, e)) return false;
  const bool journal = !size || is_head(bytes, size);
  if (fresh && journal) {
    if (ftruncate(j->file, 0) != 0) return fail(path, e, "cannot be emptied");
    size = 0;
  }
  read_lines(a, (const char *)bytes, size, &r);
  /* Settings that were not written to their end: nothing was searched yet. */
  bool all = false;
  for (int i = 0; i < r.n && !all; i++) all = strcmp(r.lines[i], "begin") == 0;
  if ((fresh || !all) && !journal) { /* somebody's file: nothing of it is lost */
    err_file(e, path);
    return err_set(e, "this is no journal of a search, or its first line is damaged, and it is "
                      "left as it is: --journal FILE takes another file");
  }
  if (all && !same_settings(&r, wanted, n_wanted, path, e)) return false;
  const size_t keep = all ? r.used : 0;
  *dropped = size - keep;
  if (*dropped && (ftruncate(j->file, (off_t)keep) != 0 || fsync(j->file) != 0))
    return fail(path, e, "cannot be cut");
  memset(j->last, '0', DIGITS);
  if (all) memcpy(j->last, r.last, sizeof r.last);
  if (!all && (!add_lines(j, wanted, n_wanted, e) || !sync_folder(a, path))) return false;
  *lines = all ? r.lines + n_wanted : NULL;
  *n = all ? r.n - n_wanted : 0;
  return true;
}

bool tune_journal_read(struct arena *a, const char *path, char ***settings, int *n_settings,
                       char ***lines, int *n, struct err *e) {
  struct reading r;
  uint8_t *bytes;
  size_t size;
  if (!file_read(a, path, MAX_BYTES, &bytes, &size, e)) return false;
  read_lines(a, (const char *)bytes, size, &r);
  int begin = 0;
  while (begin < r.n && strcmp(r.lines[begin], "begin") != 0) begin++;
  if (r.n == 0 || begin == r.n || strcmp(r.lines[0], FIRST_LINE) != 0) {
    err_file(e, path);
    return err_set(e, "this is no journal of a search; `mote tune` writes one");
  }
  for (int i = 1; i < begin; i++)
    if (text_starts(r.lines[i], "set ")) r.lines[i] += 4;
  *settings = r.lines + 1;
  *n_settings = begin - 1;
  *lines = r.lines + begin + 1;
  *n = r.n - begin - 1;
  return true;
}

void tune_journal_close(struct tune_journal *j) {
  if (j && j->file > 0) close(j->file);
  if (j) j->file = -1;
}
