/* numbers: see the header.
 *
 * How it works: the text is walked along the schema, each key looked for in its own mapping, in block and in flow style. It is
 * known to be YAML: what is not found (quoted keys) goes unchecked, and nothing depends on what is skipped. */
#include "app/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The text of a value, in block or flow style; `from` may lie in the middle of a line. */
struct piece {
  const char *from, *to;
};

/* Behind spaces, empty lines and comments. */
static const char *solid(const char *p, const char *to) {
  for (; p < to; p++) {
    if (*p == '#')
      while (p + 1 < to && p[1] != '\n') p++;
    else if (!strchr(" \t\r\n", *p))
      break;
  }
  return p;
}

static size_t column_of(const char *text, const char *p) {
  size_t n = 0;
  while (p > text && p[-1] != '\n') p--, n++;
  return n;
}

/* The beginning of the next line that is indented no more than `own`. */
static const char *next_row(const char *text, const char *p, const char *to, size_t own) {
  do {
    while (p < to && *p != '\n') p++;
    p = solid(p, to);
  } while (p < to && column_of(text, p) > own);
  return p;
}

/* The , ] or } that ends what begins at p in flow style. */
static const char *flow_end(const char *p, const char *to) {
  int depth = 0;
  char quote = 0;
  for (const char *start = p; p < to; p++) {
    const bool fresh = p == start || strchr(" \t\r\n[{,:", p[-1]);
    if (quote)
      quote = *p == quote ? 0 : quote;
    else if (fresh && (*p == '"' || *p == '\''))
      quote = *p;
    else if (fresh && *p == '#')
      p = solid(p, to) - 1;
    else if (*p == '[' || *p == '{')
      depth++;
    else if ((*p == ']' || *p == '}') && depth-- == 0)
      return p;
    else if (*p == ',' && depth == 0)
      return p;
  }
  return to;
}

/* Takes the first entry of a list off it: [a, b] or lines of "- a". false: there is none. */
static bool take_item(const char *text, struct piece *list, bool *flow, struct piece *item) {
  const char *const p = solid(list->from, list->to), *end;
  if (p >= list->to || (*p != '[' && *p != '-' && !*flow)) return false;
  *flow = *flow || *p == '[';
  item->from = p + (*p == '[' || !*flow);
  end = *flow ? flow_end(item->from, list->to) : next_row(text, p, list->to, column_of(text, p));
  item->to = end;
  list->from = end < list->to && *flow ? *end == ',' ? end + 1 : list->to : end;
  return true;
}

/* The value of a key of this mapping itself, not of one within it. */
static bool member(const char *text, struct piece map, const char *key, struct piece *value) {
  const size_t n = strlen(key);
  const char *p = solid(map.from, map.to), *end;
  const bool flow = p < map.to && *p == '{';
  const size_t own = column_of(text, p);
  for (p += flow; p < map.to; p = flow ? end + 1 : end) {
    p = solid(p, map.to);
    end = flow ? flow_end(p, map.to) : next_row(text, p, map.to, own);
    /* A list may stand as far left as its key. */
    while (!flow && end < map.to && *end == '-' && column_of(text, end) == own)
      end = next_row(text, end, map.to, own);
    if ((size_t)(end - p) > n && memcmp(p, key, n) == 0 && p[n] == ':') {
      *value = (struct piece){p + n + 1, end};
      return true;
    }
    if (flow && (end >= map.to || *end != ',')) break;
  }
  return false;
}

struct reader {
  struct arena *a;
  const char *path, *text;
  struct err *e;
};

static bool check_number(const struct reader *r, struct piece v, enum cyaml_type type,
                         const char *path) {
  const char *p = solid(v.from, v.to);
  char *end = NULL;
  if (p < v.to && (*p == '"' || *p == '\'')) p++;
  const size_t room = (size_t)(v.to - p), word = strcspn(p, " \t\n\r#'\",]}"),
               n = word < room ? word : room;
  if (p >= v.to || n == 0 || *p == '[' || *p == '{') return true; /* libcyaml says what is wanted */
  bool finite = true;
  if (type == CYAML_FLOAT)
    finite = isfinite(strtod(p, &end));
  else
    (void)strtoll(p, &end, 0);
  if (end == p + n && finite) return true;
  int line = 1;
  for (const char *q = r->text; q < p; q++) line += *q == '\n';
  err_file(r->e, r->path);
  err_node(r->e, "line %d, %s", line, path);
  return err_set(r->e, "\"%.*s\" is no number%s", (int)(n < 60 ? n : 60), p,
                 type == CYAML_INT ? " without fraction" : "");
}

static bool check_numbers(const struct reader *r, struct piece v, const cyaml_schema_value_t *s,
                          const char *path) {
  struct piece one;
  if (s->type == CYAML_FLOAT || s->type == CYAML_INT) return check_number(r, v, s->type, path);
  for (bool flow = false; s->type == CYAML_SEQUENCE && take_item(r->text, &v, &flow, &one);)
    if (!check_numbers(r, one, s->sequence.entry, path)) return false;
  for (const cyaml_schema_field_t *f = s->type == CYAML_MAPPING ? s->mapping.fields : NULL;
       f && f->key; f++)
    if (member(r->text, v, f->key, &one) &&
        !check_numbers(r, one, &f->value,
                       arena_printf(r->a, "%s%s%s", path, path[0] ? "." : "", f->key)))
      return false;
  return true;
}

bool numbers_check(struct arena *a, const char *path, const char *text, size_t size,
                   const cyaml_schema_value_t *schema, struct err *e) {
  const struct reader r = {a, path, text, e};
  return check_numbers(&r, (struct piece){text, text + size}, schema, "");
}
