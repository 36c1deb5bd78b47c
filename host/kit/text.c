/* Errors, growing text, JSON writing. */
#include "host/kit/kit.h"

#include <math.h>
#include <string.h>

/* ---- errors --------------------------------------------------------------- */
static void fill(struct err *e, const char *format, va_list args) {
  vsnprintf(e->text, sizeof e->text, format, args);
}

bool err_set(struct err *e, const char *format, ...) {
  if (!e) return false;
  va_list args;
  va_start(args, format);
  fill(e, format, args);
  va_end(args);
  e->internal = false;
  return false;
}

bool err_internal(struct err *e, const char *format, ...) {
  if (!e) return false;
  va_list args;
  va_start(args, format);
  fill(e, format, args);
  va_end(args);
  e->internal = true;
  return false;
}

void err_file(struct err *e, const char *file) {
  if (e && !e->file[0] && file) snprintf(e->file, sizeof e->file, "%s", file);
}

void err_node(struct err *e, const char *format, ...) {
  if (!e || e->node[0]) return;
  va_list args;
  va_start(args, format);
  vsnprintf(e->node, sizeof e->node, format, args);
  va_end(args);
}

/* ---- text ----------------------------------------------------------------- */
void text_init(struct text *t, struct arena *a) {
  *t = (struct text){a, arena_alloc(a, 256, 1), 0, 256};
}

void text_addn(struct text *t, const char *s, size_t n) {
  if (t->room - t->size <= n) {
    size_t room = t->room * 2 > t->size + n + 1 ? t->room * 2 : t->size + n + 1;
    char *data = arena_alloc(t->arena, room, 1);
    memcpy(data, t->data, t->size);
    t->data = data;
    t->room = room;
  }
  memcpy(t->data + t->size, s, n);
  t->size += n;
  t->data[t->size] = 0;
}

void text_add(struct text *t, const char *s) { text_addn(t, s, strlen(s)); }

void text_add_literal(struct text *t, const char *s) {
  text_add(t, "\"");
  for (const unsigned char *c = (const unsigned char *)s; *c; c++)
    if (*c < 0x20 || *c >= 0x7F || *c == '"' || *c == '\\' || *c == '?')
      text_printf(t, "\\%03o", *c);
    else
      text_addn(t, (const char *)c, 1);
  text_add(t, "\"");
}

void text_printf(struct text *t, const char *format, ...) {
  char small[512];
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(small, sizeof small, format, args);
  va_end(args);
  if (n >= 0 && (size_t)n < sizeof small) {
    text_addn(t, small, (size_t)n);
  } else if (n > 0) {
    char *big = arena_alloc(t->arena, (size_t)n + 1, 1);
    vsnprintf(big, (size_t)n + 1, format, again);
    text_addn(t, big, (size_t)n);
  }
  va_end(again);
}

bool text_starts(const char *s, const char *prefix) {
  return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *s, const char *suffix) {
  size_t n = strlen(s), m = strlen(suffix);
  return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

const char *text_thousands(int64_t value) {
  static _Thread_local char ring[16][32];
  static _Thread_local unsigned next;
  char digits[24], *out = ring[next++ % 16];
  int n = snprintf(digits, sizeof digits, "%lld", (long long)value), k = 0;
  for (int i = 0; i < n; i++) {
    out[k++] = digits[i];
    int left = n - 1 - i;
    if (left > 0 && left % 3 == 0 && digits[i] != '-') out[k++] = ',';
  }
  out[k] = 0;
  return out;
}

/* ---- JSON ----------------------------------------------------------------- */
void json_start(struct json *j, struct text *out) { *j = (struct json){.out = out}; }

static void quoted(struct text *t, const char *s) {
  text_add(t, "\"");
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\') {
      char pair[2] = {'\\', *s};
      text_addn(t, pair, 2);
    } else if (c < 0x20) {
      text_printf(t, "\\u%04x", c);
    } else {
      text_addn(t, s, 1);
    }
  }
  text_add(t, "\"");
}

/* Comma, line break and key before a value. */
static void before(struct json *j, const char *key) {
  if (j->need_comma[j->depth]) text_add(j->out, ",");
  if (j->depth) text_printf(j->out, "\n%*s", 2 * j->depth, "");
  j->need_comma[j->depth] = true;
  if (key) {
    quoted(j->out, key);
    text_add(j->out, ": ");
  }
}

static void open_with(struct json *j, const char *key, const char *bracket) {
  before(j, key);
  text_add(j->out, bracket);
  if (j->depth < 31) j->depth++;
  j->need_comma[j->depth] = false;
}

static void close_with(struct json *j, const char *bracket) {
  bool filled = j->need_comma[j->depth];
  if (j->depth) j->depth--;
  if (filled) text_printf(j->out, "\n%*s", 2 * j->depth, "");
  text_add(j->out, bracket);
  if (!j->depth) text_add(j->out, "\n");
}

void json_open_object(struct json *j, const char *key) { open_with(j, key, "{"); }
void json_open_array(struct json *j, const char *key) { open_with(j, key, "["); }
void json_close_object(struct json *j) { close_with(j, "}"); }
void json_close_array(struct json *j) { close_with(j, "]"); }

void json_put_string(struct json *j, const char *key, const char *value) {
  before(j, key);
  if (value)
    quoted(j->out, value);
  else
    text_add(j->out, "null");
}
void json_put_int(struct json *j, const char *key, int64_t value) {
  before(j, key);
  text_printf(j->out, "%lld", (long long)value);
}
void json_put_real(struct json *j, const char *key, double value) {
  before(j, key);
  if (isfinite(value))
    text_printf(j->out, "%.9g", value);
  else
    text_add(j->out, "null");
}
void json_put_bool(struct json *j, const char *key, bool value) {
  before(j, key);
  text_add(j->out, value ? "true" : "false");
}
void json_put_null(struct json *j, const char *key) {
  before(j, key);
  text_add(j->out, "null");
}
