/* JSON as events. source: RFC 8259. jansson builds the whole tree, a hundred bytes for each number: recordings of
 * hundreds of megabytes need this instead. */
#include "host/ingest/document.h"

#include <stdlib.h>
#include <string.h>

static bool peek(struct document *d, int *c, struct err *e) {
  if (d->at == d->used && !document_fill(d, 1, e)) return false;
  *c = d->at < d->used ? d->buffer[d->at] : -1;
  return true;
}

static bool skip_blanks(struct document *d, int *c, struct err *e) {
  for (;;) {
    if (!peek(d, c, e)) return false;
    if (*c != ' ' && *c != '\n' && *c != '\r' && *c != '\t') return true;
    d->at++;
  }
}

static bool wrong(const struct document *d, int c, const char *wanted, struct err *e) {
  if (c < 0)
    return err_set(e, "the JSON is cut short at byte %lld; %s is missing",
                   (long long)document_offset(d), wanted);
  return err_set(e, "byte %lld of the JSON is 0x%02x and %s should stand there",
                 (long long)document_offset(d), c, wanted);
}

static bool hex4(struct document *d, unsigned *value, struct err *e) {
  if (!document_fill(d, 4, e)) return false;
  *value = 0;
  for (int i = 0; i < 4; i++) {
    const int c = d->at < d->used ? d->buffer[d->at] : -1;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return wrong(d, c, "a hexadecimal digit", e);
    *value = *value << 4 | (unsigned)digit;
    d->at++;
  }
  return true;
}

static bool add_code(struct document *d, unsigned code, struct err *e) {
  char out[4];
  size_t n = 0;
  if (code < 0x80) {
    out[n++] = (char)code;
  } else if (code < 0x800) {
    out[n++] = (char)(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    out[n++] = (char)(0xe0 | code >> 12);
    out[n++] = (char)(0x80 | (code >> 6 & 63));
  } else {
    out[n++] = (char)(0xf0 | code >> 18);
    out[n++] = (char)(0x80 | (code >> 12 & 63));
    out[n++] = (char)(0x80 | (code >> 6 & 63));
  }
  if (code >= 0x80) out[n++] = (char)(0x80 | (code & 63));
  return document_text(d, out, n, e);
}

/* Behind the backslash. */
static bool escape(struct document *d, struct err *e) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  int c;
  if (!peek(d, &c, e)) return false;
  const char *known = c > 0 ? strchr(from, c) : NULL;
  if (known) {
    d->at++;
    return document_text(d, to + (known - from), 1, e);
  }
  if (c != 'u') return wrong(d, c, "an escape", e);
  d->at++;
  unsigned code, low;
  if (!hex4(d, &code, e)) return false;
  if (code >= 0xd800 && code < 0xdc00) {
    if (!document_fill(d, 2, e)) return false;
    if (d->used - d->at < 2 || d->buffer[d->at] != '\\' || d->buffer[d->at + 1] != 'u')
      return wrong(d, -1, "the second half of a surrogate", e);
    d->at += 2;
    if (!hex4(d, &low, e)) return false;
    if (low < 0xdc00 || low > 0xdfff)
      return err_set(e, "byte %lld of the JSON: half a surrogate", (long long)document_offset(d));
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xdc00 && code < 0xe000) {
    return err_set(e, "byte %lld of the JSON: half a surrogate", (long long)document_offset(d));
  }
  return add_code(d, code, e);
}

/* Behind the opening quote. */
static bool read_text(struct document *d, struct err *e) {
  d->text_bytes = 0;
  d->begin = document_offset(d);
  if (!document_text(d, "", 0, e)) return false;
  for (;;) {
    int c;
    if (!peek(d, &c, e)) return false;
    if (c < 0x20) return wrong(d, c, "the closing quote", e);
    if (c == '"') return d->at++, true;
    if (c == '\\') {
      d->at++;
      if (!escape(d, e)) return false;
      continue;
    }
    size_t n = 0;
    while (d->at + n < d->used && d->buffer[d->at + n] >= 0x20 && d->buffer[d->at + n] != '"' &&
           d->buffer[d->at + n] != '\\')
      n++;
    if (!document_text(d, d->buffer + d->at, n, e)) return false;
    d->at += n;
  }
}

static bool read_number(struct document *d, struct err *e) {
  struct field f;
  if (!document_fill(d, 64, e)) return false;
  f.at = (const char *)d->buffer + d->at;
  f.n = 0;
  while (d->at + f.n < d->used && f.n < 63 && d->buffer[d->at + f.n] &&
         strchr("+-.0123456789eE", d->buffer[d->at + f.n]))
    f.n++;
  if (!field_number(f, '.', &d->number))
    return err_set(e, "byte %lld of the JSON: \"%.*s\" is no number", (long long)document_offset(d),
                   (int)(f.n < 40 ? f.n : 40), f.at);
  d->at += f.n;
  return true;
}

static bool read_word(struct document *d, struct err *e) {
  static const char *const words[] = {"true", "false", "null"};
  if (!document_fill(d, 5, e)) return false;
  for (int i = 0; i < 3; i++) {
    const size_t n = strlen(words[i]);
    if (d->used - d->at < n || memcmp(d->buffer + d->at, words[i], n) != 0) continue;
    d->at += n;
    return true;
  }
  return wrong(d, d->at < d->used ? d->buffer[d->at] : -1, "a value", e);
}

static bool push(struct document *d, bool map, struct err *e) {
  if (d->depth == DOCUMENT_DEPTH)
    return err_set(e, "byte %lld: nested more than %d deep", (long long)document_offset(d),
                   DOCUMENT_DEPTH);
  d->open[d->depth].map = map;
  d->open[d->depth++].left = 0;
  d->at++;
  return true;
}

static bool read_value(struct document *d, int c, enum event *event, struct err *e) {
  d->begin = document_offset(d);
  if (c == '{') return *event = EVENT_MAP, push(d, true, e);
  if (c == '[') return *event = EVENT_ARRAY, push(d, false, e);
  if (c == '"') return *event = EVENT_TEXT, d->at++, read_text(d, e);
  if (c == '-' || (c >= '0' && c <= '9')) return *event = EVENT_NUMBER, read_number(d, e);
  return *event = EVENT_OTHER, read_word(d, e);
}

bool json_next(struct document *d, enum event *event, struct err *e) {
  int c;
  if (!skip_blanks(d, &c, e)) return false;
  if (d->depth == 0) {
    if (c < 0) return *event = EVENT_DONE, true;
    return read_value(d, c, event, e);
  }
  const bool map = d->open[d->depth - 1].map;
  uint64_t *state = &d->open[d->depth - 1].left;
  if (*state == 2) { /* a key was */
    if (c != ':') return wrong(d, c, "a colon", e);
    d->at++;
    *state = 1;
    return skip_blanks(d, &c, e) && read_value(d, c, event, e);
  }
  if (c == (map ? '}' : ']')) {
    d->at++;
    d->depth--;
    return *event = EVENT_END, true;
  }
  if (*state == 1) {
    if (c != ',') return wrong(d, c, map ? "a comma or }" : "a comma or ]", e);
    d->at++;
    if (!skip_blanks(d, &c, e)) return false;
  }
  if (!map) return *state = 1, read_value(d, c, event, e);
  if (c != '"') return wrong(d, c, "a key in quotes", e);
  *state = 2;
  d->at++;
  return *event = EVENT_TEXT, read_text(d, e);
}
