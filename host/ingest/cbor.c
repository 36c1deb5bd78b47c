/* CBOR as events, through libcbor's decoder of streams. source: RFC 8949. Tags are read over; texts in pieces become
 * one; byte strings count as texts. */
#include "host/ingest/document.h"

#include <cbor.h>
#include <math.h>
#include <string.h>

/* What a callback found. */
struct item {
  enum {
    ITEM_NONE,
    ITEM_NUMBER,
    ITEM_TEXT,
    ITEM_TEXTS,
    ITEM_ARRAY,
    ITEM_MAP,
    ITEM_BREAK,
    ITEM_TAG,
    ITEM_OTHER
  } kind;
  double number;
  const unsigned char *text;
  uint64_t size; /* of texts and containers */
  bool indefinite;
};

static void number(void *context, double value) {
  struct item *i = context;
  i->kind = ITEM_NUMBER;
  i->number = value;
}
static void uint8(void *c, uint8_t v) { number(c, v); }
static void uint16(void *c, uint16_t v) { number(c, v); }
static void uint32(void *c, uint32_t v) { number(c, v); }
static void uint64(void *c, uint64_t v) { number(c, (double)v); }
static void negint8(void *c, uint8_t v) { number(c, -1.0 - v); }
static void negint16(void *c, uint16_t v) { number(c, -1.0 - v); }
static void negint32(void *c, uint32_t v) { number(c, -1.0 - v); }
static void negint64(void *c, uint64_t v) { number(c, -1.0 - (double)v); }
static void half(void *c, float v) { number(c, (double)v); }
static void real(void *c, double v) { number(c, v); }

static void contained(void *context, int kind, uint64_t size, bool indefinite) {
  struct item *i = context;
  i->kind = kind;
  i->size = size;
  i->indefinite = indefinite;
}
static void text(void *c, cbor_data bytes, size_t n) {
  contained(c, ITEM_TEXT, n, false);
  ((struct item *)c)->text = bytes;
}
static void texts(void *c) { contained(c, ITEM_TEXTS, 0, true); }
static void array(void *c, size_t n) { contained(c, ITEM_ARRAY, n, false); }
static void arrays(void *c) { contained(c, ITEM_ARRAY, 0, true); }
static void map(void *c, size_t n) { contained(c, ITEM_MAP, n, false); }
static void maps(void *c) { contained(c, ITEM_MAP, 0, true); }
static void tag(void *c, uint64_t v) { contained(c, ITEM_TAG, v, false); }
static void nothing(void *c) { contained(c, ITEM_OTHER, 0, false); }
static void boolean(void *c, bool v) { contained(c, ITEM_OTHER, v, false); }
static void end(void *c) { contained(c, ITEM_BREAK, 0, false); }

static const struct cbor_callbacks callbacks = {.uint8 = uint8,
                                                .uint16 = uint16,
                                                .uint32 = uint32,
                                                .uint64 = uint64,
                                                .negint8 = negint8,
                                                .negint16 = negint16,
                                                .negint32 = negint32,
                                                .negint64 = negint64,
                                                .byte_string = text,
                                                .byte_string_start = texts,
                                                .string = text,
                                                .string_start = texts,
                                                .array_start = array,
                                                .indef_array_start = arrays,
                                                .map_start = map,
                                                .indef_map_start = maps,
                                                .tag = tag,
                                                .float2 = half,
                                                .float4 = half,
                                                .float8 = real,
                                                .null = nothing,
                                                .undefined = nothing,
                                                .boolean = boolean,
                                                .indef_break = end};

static bool decode(struct document *d, struct item *item, struct err *e) {
  size_t need = 9;
  for (;;) {
    if (!document_fill(d, need, e)) return false;
    const size_t have = d->used - d->at;
    item->kind = ITEM_NONE;
    struct cbor_decoder_result r = cbor_stream_decode(d->buffer + d->at, have, &callbacks, item);
    if (r.status == CBOR_DECODER_FINISHED && item->kind != ITEM_NONE) {
      d->at += r.read;
      return true;
    }
    if (r.status != CBOR_DECODER_NEDATA)
      return err_set(e, "byte %lld (0x%02x) begins no CBOR item", (long long)document_offset(d),
                     have ? d->buffer[d->at] : 0);
    if (r.required <= have || d->file_end || have < need)
      return err_set(e, "the CBOR is cut short at byte %lld",
                     (long long)(d->offset + (int64_t)d->used));
    if (r.required > DOCUMENT_TEXT_BYTES)
      return err_set(e, "byte %lld: an item of %zu bytes", (long long)document_offset(d),
                     r.required);
    need = r.required;
  }
}

static bool push(struct document *d, const struct item *item, struct err *e) {
  if (d->depth == DOCUMENT_DEPTH)
    return err_set(e, "byte %lld: nested more than %d deep", (long long)d->begin, DOCUMENT_DEPTH);
  const bool is_map = item->kind == ITEM_MAP;
  if (is_map && item->size > UINT64_MAX / 2)
    return err_set(e, "byte %lld: a map of too many items", (long long)d->begin);
  d->open[d->depth].map = is_map;
  d->open[d->depth].indefinite = item->indefinite;
  d->open[d->depth++].left = is_map ? 2 * item->size : item->size;
  return true;
}

static bool pieces(struct document *d, struct err *e) {
  struct item item = {0};
  for (;;) {
    if (!decode(d, &item, e)) return false;
    if (item.kind == ITEM_BREAK) return true;
    if (item.kind != ITEM_TEXT)
      return err_set(e, "byte %lld: a text in pieces holds something else", (long long)d->begin);
    if (!document_text(d, item.text, item.size, e)) return false;
  }
}

bool cbor_next(struct document *d, enum event *event, struct err *e) {
  struct item item = {0};
  d->begin = document_offset(d);
  if (d->depth > 0 && !d->open[d->depth - 1].indefinite && d->open[d->depth - 1].left == 0) {
    d->depth--;
    return *event = EVENT_END, true;
  }
  if (d->depth == 0) {
    if (!document_fill(d, 1, e)) return false;
    if (d->at == d->used) return *event = EVENT_DONE, true;
  }
  do {
    if (!decode(d, &item, e)) return false;
  } while (item.kind == ITEM_TAG);
  if (item.kind == ITEM_BREAK) {
    if (d->depth == 0 || !d->open[d->depth - 1].indefinite)
      return err_set(e, "byte %lld: an end of nothing", (long long)d->begin);
    d->depth--;
    return *event = EVENT_END, true;
  }
  if (d->depth > 0 && !d->open[d->depth - 1].indefinite) d->open[d->depth - 1].left--;
  switch (item.kind) {
  case ITEM_NUMBER: return *event = EVENT_NUMBER, d->number = item.number, true;
  case ITEM_ARRAY: return *event = EVENT_ARRAY, push(d, &item, e);
  case ITEM_MAP: return *event = EVENT_MAP, push(d, &item, e);
  case ITEM_TEXT:
  case ITEM_TEXTS:
    *event = EVENT_TEXT;
    d->text_bytes = 0;
    d->begin = document_offset(d) - (int64_t)item.size; /* of its first character */
    if (!document_text(d, "", 0, e)) return false;
    return item.kind == ITEM_TEXT ? document_text(d, item.text, item.size, e) : pieces(d, e);
  default: return *event = EVENT_OTHER, true;
  }
}
