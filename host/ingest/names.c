/* Folders, and what a path says about its recording. */
#include "host/ingest/private.h"

#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Deeper than any sensible tree: a loop of links ends here. */
#define MAX_DEPTH 32

/* ---- folders ------------------------------------------------------------------ */
struct list {
  struct arena *arena;
  char **items;
  int count, room;
};

struct found {
  const struct ingest_options *o;
  struct list files, labels;
  int left_out;
};

static void list_add(struct list *l, char *item) {
  if (l->count == l->room) {
    int room = l->room ? l->room * 2 : 256;
    char **items = ARENA_ARRAY(l->arena, char *, room);
    if (l->count) memcpy(items, l->items, (size_t)l->count * sizeof *items);
    l->items = items;
    l->room = room;
  }
  l->items[l->count++] = item;
}

/* Texts that lie beside recordings everywhere. */
static bool about_others(const char *name) {
  static const char *const starts[] = {"readme",  "license",      "licence", "changelog",
                                       "copying", "requirements", "notice"};
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
    if (strncasecmp(name, starts[i], strlen(starts[i])) == 0 && !ingest_ends_with(name, ".wav"))
      return true;
  return false;
}

static bool is_wanted(const struct ingest_options *o, const char *path) {
  if (o->raw) return !ingest_known(path) && !ingest_ends_with(path, ".labels");
  return ingest_known(path) && !(o->no_pictures && ingest_is_picture(path));
}

static bool expand_folder(struct found *l, const char *path, int depth, struct err *e) {
  char **names = NULL;
  int n = 0;
  if (depth > MAX_DEPTH) {
    err_file(e, path);
    return err_set(e, "folders are nested more than %d deep: a loop of links?", MAX_DEPTH);
  }
  if (!dir_list(l->files.arena, path, &names, &n, e)) return false;
  for (int i = 0; i < n; i++) {
    if (names[i][0] == '.') continue;
    const char *slash = text_ends(path, "/") ? "" : "/";
    char *full = arena_printf(l->files.arena, "%s%s%s", path, slash, names[i]);
    if (file_is_dir(full)) {
      if (!expand_folder(l, full, depth + 1, e)) return false;
    } else if (is_wanted(l->o, full) && !about_others(names[i])) {
      list_add(&l->files, full);
    } else if (ingest_ends_with(full, ".labels")) {
      list_add(&l->labels, full);
    } else {
      l->left_out++;
    }
  }
  return true;
}

bool ingest_expand(struct arena *a, const char *const *paths, int n_paths,
                   const struct ingest_options *o, struct ingest_files *out, struct err *e) {
  struct found l = {.o = o, .files = {.arena = a}, .labels = {.arena = a}};
  for (int i = 0; i < n_paths; i++) {
    struct stat info;
    if (stat(paths[i], &info) != 0) {
      err_file(e, paths[i]);
      return err_set(e, "%s", strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
      list_add(ingest_ends_with(paths[i], ".labels") ? &l.labels : &l.files,
               arena_strdup(a, paths[i]));
      continue;
    }
    const int before = l.files.count;
    if (!expand_folder(&l, paths[i], 0, e)) return false;
    if (l.files.count == before) {
      err_file(e, paths[i]);
      return err_set(e, "no recordings in this folder (.wav .flac .ogg .csv .json .cbor .jpg .png "
                        ".npy .hea and others)");
    }
  }
  *out = (struct ingest_files){l.files.items, l.files.count, l.left_out, l.labels.items,
                               l.labels.count};
  return true;
}

/* ---- rules -------------------------------------------------------------------- */
enum rule_kind { RULE_WORD, RULE_FOLDER, RULE_START, RULE_NAME, RULE_PATH };

struct ingest_rule {
  enum rule_kind kind;
  const char *text; /* as it was written, for messages */
  const char *word;
  int levels;
  regex_t regex;
};

bool ingest_rule_make(struct arena *a, const char *text, struct ingest_rule **rule, struct err *e) {
  struct ingest_rule *r = ARENA_NEW(a, struct ingest_rule);
  *rule = NULL;
  r->text = arena_strdup(a, text);
  r->word = r->text;
  r->levels = 1;
  if (!text[0])
    return err_set(e, "the rule is empty; use folder, name, name:REGEX, path:REGEX or a word");
  if (strcmp(text, "folder") == 0) {
    r->kind = RULE_FOLDER;
  } else if (strcmp(text, "name") == 0) {
    r->kind = RULE_START;
  } else if (text_starts(text, "folder:")) {
    char *end = NULL;
    long n = strtol(text + 7, &end, 10);
    if (end == text + 7 || *end || n < 1 || n > MAX_DEPTH)
      return err_set(e, "\"%s\": folder:N needs a number from 1 to %d", text, MAX_DEPTH);
    r->kind = RULE_FOLDER;
    r->levels = (int)n;
  } else if (text_starts(text, "name:") || text_starts(text, "path:")) {
    r->kind = text[0] == 'n' ? RULE_NAME : RULE_PATH;
    if (!text[5]) return err_set(e, "\"%s\": a pattern must follow the colon", text);
    int code = regcomp(&r->regex, text + 5, REG_EXTENDED);
    if (code != 0) {
      char why[256];
      regerror(code, &r->regex, why, sizeof why);
      return err_set(e, "\"%s\" is no regular expression (POSIX extended): %s", text + 5, why);
    }
  }
  *rule = r;
  return true;
}

void ingest_rule_free(struct ingest_rule *rule) {
  if (rule && (rule->kind == RULE_NAME || rule->kind == RULE_PATH)) regfree(&rule->regex);
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* The folder `levels` above the file's name: in a/b/c.wav, 1 is b and 2 is a. */
static bool folder_of(struct arena *a, const char *path, int levels, char **word, struct err *e) {
  const char *end = base_name(path);
  for (int i = 0; i < levels; i++) {
    while (end > path && end[-1] == '/') end--;
    const char *start = end;
    while (start > path && start[-1] != '/') start--;
    size_t n = (size_t)(end - start);
    bool dots = (n == 1 && start[0] == '.') || (n == 2 && start[0] == '.' && start[1] == '.');
    if (n == 0 || dots) {
      err_file(e, path);
      return err_set(
          e, "the path names no folder %d level%s up; name it with its folder, or use --label",
          levels, levels == 1 ? "" : "s");
    }
    if (i == levels - 1) *word = arena_printf(a, "%.*s", (int)n, start);
    end = start;
  }
  return true;
}

bool ingest_rule_apply(const struct ingest_rule *rule, struct arena *a, const char *path,
                       char **word, struct err *e) {
  if (rule->kind == RULE_WORD) {
    *word = arena_strdup(a, rule->word);
    return true;
  }
  if (rule->kind == RULE_FOLDER) return folder_of(a, path, rule->levels, word, e);
  if (rule->kind == RULE_START) {
    const char *name = base_name(path);
    const size_t n = strcspn(name, ".");
    if (n == 0)
      return err_file(e, path), err_set(e, "the name begins with a point: no label in front of it");
    *word = arena_printf(a, "%.*s", (int)n, name);
    return true;
  }
  const char *subject = rule->kind == RULE_NAME ? base_name(path) : path;
  regmatch_t match[2];
  if (regexec(&rule->regex, subject, 2, match, 0) != 0) {
    err_file(e, path);
    return err_set(e, "the pattern \"%s\" does not match \"%s\"", rule->text, subject);
  }
  regmatch_t m = rule->regex.re_nsub > 0 ? match[1] : match[0];
  if (m.rm_so < 0 || m.rm_eo <= m.rm_so) {
    err_file(e, path);
    return err_set(e, "the pattern \"%s\" finds an empty word in \"%s\"", rule->text, subject);
  }
  *word = arena_printf(a, "%.*s", (int)(m.rm_eo - m.rm_so), subject + m.rm_so);
  return true;
}

bool ingest_rule_matches(const struct ingest_rule *rule, const char *path) {
  if (rule->kind != RULE_NAME && rule->kind != RULE_PATH) return false;
  const char *subject = rule->kind == RULE_NAME ? base_name(path) : path;
  return regexec(&rule->regex, subject, 0, NULL, 0) == 0;
}

double ingest_share(const char *text) {
  struct sha256 h;
  uint8_t digest[32];
  sha256_init(&h);
  sha256_add(&h, text, strlen(text));
  sha256_end(&h, digest);
  uint64_t bits = 0;
  for (int i = 0; i < 7; i++) bits = bits << 8 | digest[i];
  return (double)(bits >> 3) / 9007199254740992.0; /* 53 of 56 bits, over 2^53 */
}
