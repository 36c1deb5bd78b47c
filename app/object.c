/* object: a recursive-descent reader of JSON. */
#include "app/object.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 64 };

struct reader {
  struct arena *arena;
  const char *at, *start; /* the text ends with NUL, which no value contains */
  const char *end;
  struct err *e;
};

static bool wrong(struct reader *r, const char *wanted) {
  int line = 1;
  for (const char *p = r->start; p < r->at; p++) line += *p == '\n';
  return err_set(r->e, "line %d: expected %s", line, wanted);
}

static void skip_space(struct reader *r) {
  while (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r') r->at++;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool read_hex4(struct reader *r, uint32_t *out) {
  *out = 0;
  for (int i = 0; i < 4; i++) {
    int digit = hex_digit(*r->at);
    if (digit < 0) return wrong(r, "four hexadecimal digits after \\u");
    *out = *out << 4 | (uint32_t)digit;
    r->at++;
  }
  return true;
}

static void add_utf8(struct text *t, uint32_t c) {
  char s[4];
  size_t n = 0;
  if (c < 0x80)
    s[n++] = (char)c;
  else if (c < 0x800)
    s[n++] = (char)(0xC0 | c >> 6), s[n++] = (char)(0x80 | (c & 63));
  else if (c < 0x10000)
    s[n++] = (char)(0xE0 | c >> 12), s[n++] = (char)(0x80 | (c >> 6 & 63)),
    s[n++] = (char)(0x80 | (c & 63));
  else
    s[n++] = (char)(0xF0 | c >> 18), s[n++] = (char)(0x80 | (c >> 12 & 63)),
    s[n++] = (char)(0x80 | (c >> 6 & 63)), s[n++] = (char)(0x80 | (c & 63));
  text_addn(t, s, n);
}

/* What stands behind a backslash. A surrogate without its partner becomes U+FFFD, and so does U+0000. */
static bool read_escape(struct reader *r, struct text *t) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  const char *found = *r->at ? strchr(from, *r->at) : NULL;
  if (found) {
    text_addn(t, &to[found - from], 1);
    r->at++;
    return true;
  }
  if (*r->at != 'u') return wrong(r, "an escape that JSON knows");
  r->at++;
  uint32_t c, low;
  if (!read_hex4(r, &c)) return false;
  if (c >= 0xD800 && c < 0xDC00 && r->at[0] == '\\' && r->at[1] == 'u') {
    r->at += 2;
    if (!read_hex4(r, &low)) return false;
    c = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
  }
  if (c == 0 || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
  add_utf8(t, c);
  return true;
}

static bool read_string(struct reader *r, const char **out) {
  if (*r->at != '"') return wrong(r, "a text in quotes");
  r->at++;
  struct text t;
  text_init(&t, r->arena);
  for (;;) {
    const char *from = r->at;
    while ((unsigned char)*r->at >= 0x20 && *r->at != '"' && *r->at != '\\') r->at++;
    text_addn(&t, from, (size_t)(r->at - from));
    if (*r->at == '"') break;
    if (*r->at != '\\') return wrong(r, "the quote that ends a text");
    r->at++;
    if (!read_escape(r, &t)) return false;
  }
  r->at++;
  *out = t.data ? t.data : "";
  return true;
}

static bool read_number(struct reader *r, double *out) {
  const char *p = r->at;
  if (*p == '-') p++;
  if (*p < '0' || *p > '9') return wrong(r, "a value");
  if (*p == '0' && p[1] >= '0' && p[1] <= '9') return wrong(r, "a number without leading zeros");
  size_t n = strspn(p, "0123456789.eE+-") + (size_t)(p - r->at);
  char digits[64], *end;
  if (n >= sizeof digits) return wrong(r, "a number of at most 63 characters");
  memcpy(digits, r->at, n);
  digits[n] = 0;
  *out = strtod(digits, &end);
  if (*end || !isfinite(*out)) return wrong(r, "a number");
  r->at += n;
  return true;
}

static bool read_value(struct reader *r, int depth, struct object *o);

/* Elements of an array or members of an object, from behind its opening bracket. */
static bool read_children(struct reader *r, int depth, struct object *o, char close) {
  const struct object **link = &o->first;
  skip_space(r);
  if (*r->at == close) return r->at++, true;
  for (;;) {
    struct object *child = ARENA_NEW(r->arena, struct object);
    skip_space(r);
    if (close == '}') {
      if (!read_string(r, &child->key)) return false;
      skip_space(r);
      if (*r->at != ':') return wrong(r, "a colon");
      r->at++;
    }
    if (!read_value(r, depth + 1, child)) return false;
    *link = child;
    link = &child->next;
    o->count++;
    skip_space(r);
    if (*r->at == close) return r->at++, true;
    if (*r->at != ',') return wrong(r, close == '}' ? "a comma or }" : "a comma or ]");
    r->at++;
  }
}

static bool read_word(struct reader *r, struct object *o) {
  static const struct {
    const char *word;
    enum object_kind kind;
    double number;
  } words[] = {{"null", OBJECT_NULL, 0}, {"true", OBJECT_BOOL, 1}, {"false", OBJECT_BOOL, 0}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t n = strlen(words[i].word);
    if (strncmp(r->at, words[i].word, n) != 0) continue;
    o->kind = words[i].kind;
    o->number = words[i].number;
    r->at += n;
    return true;
  }
  o->kind = OBJECT_NUMBER;
  return read_number(r, &o->number);
}

static bool read_value(struct reader *r, int depth, struct object *o) {
  if (depth > MOST_DEPTH) return wrong(r, "at most 64 values inside one another");
  /* A value and its text take at most this much; arena_alloc does not fail, so it is looked at here. */
  if (arena_left(r->arena) < (size_t)(r->end - r->at) * 4 + 65536)
    return wrong(r, "a smaller file");
  skip_space(r);
  switch (*r->at) {
  case '{': o->kind = OBJECT_OBJECT; return r->at++, read_children(r, depth, o, '}');
  case '[': o->kind = OBJECT_ARRAY; return r->at++, read_children(r, depth, o, ']');
  case '"': o->kind = OBJECT_TEXT; return read_string(r, &o->text);
  default: return read_word(r, o);
  }
}

bool object_read(struct arena *a, const char *bytes, size_t n, const struct object **out,
                 struct err *e) {
  char *copy = arena_alloc(a, n + 1, 1);
  memcpy(copy, bytes, n);
  struct reader r = {a, copy, copy, copy + n, e};
  struct object *o = ARENA_NEW(a, struct object);
  if (!read_value(&r, 0, o)) return false;
  skip_space(&r);
  if (r.at != r.end) return wrong(&r, "nothing more");
  *out = o;
  return true;
}

const struct object *object_at(const struct object *o, const char *path) {
  while (o && *path) {
    size_t n = strcspn(path, ".");
    const struct object *child = o->kind == OBJECT_OBJECT ? o->first : NULL;
    while (child && (strncmp(child->key, path, n) != 0 || child->key[n])) child = child->next;
    o = child;
    path += n + (path[n] == '.');
  }
  return o;
}

double object_number(const struct object *o, const char *path) {
  o = object_at(o, path);
  return o && o->kind == OBJECT_NUMBER ? o->number : (double)NAN;
}

const char *object_text(const struct object *o, const char *path) {
  o = object_at(o, path);
  return o && o->kind == OBJECT_TEXT ? o->text : "";
}
