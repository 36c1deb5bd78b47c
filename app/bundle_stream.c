/* bundle_stream: --stream: the model that a command was given becomes one of new rows only. See bundle.h. */
#include <stdlib.h>
#include <string.h>

#include "app/bundle.h"

#define LEAST 0

/* Rows of a call; LEAST for the word; -1: neither. */
static int rows_of(const char *text) {
  char *end;
  if (!strcmp(text, "least")) return LEAST;
  const long n = strtol(text, &end, 10);
  return end != text && !*end && n >= 1 && n <= 1000000 ? (int)n : -1;
}

bool bundle_stream_reads(const char *text) { return text == NULL || rows_of(text) >= 0; }

bool bundle_stream_model(struct arena *a, const char *text, struct bundle_model *m, struct err *e) {
  if (text == NULL) return true;
  if (m->suppress)
    return err_set(e, "sound passes a frame at a time as it is: leave --stream out");
  if (m->features)
    return err_set(e, "features are made for whole windows: --stream takes a model file");
  const struct graph *less = compile_stream(m->graph, rows_of(text), a, &m->stream, e);
  if (less == NULL) return false;
  m->whole = m->graph;
  m->graph = less;
  return true;
}

int bundle_stream_calls(const struct bundle_model *m) {
  return (m->stream.window_rows + m->stream.rows - 1) / m->stream.rows;
}

void bundle_stream_json(const struct bundle_model *m, struct json *j) {
  json_put_int(j, "rows", m->stream.rows);
  json_put_int(j, "window_rows", m->stream.window_rows);
  json_put_int(j, "operators_streamed", m->stream.streamed);
  if (m->stream.end_op >= 0)
    json_put_int(j, "whole_from_operator", m->stream.end_op);
  else
    json_put_null(j, "whole_from_operator");
  json_put_int(j, "memories_carried", m->stream.carried);
  json_put_int(j, "window_bytes", (int64_t)m->stream.window_bytes);
}

void bundle_stream_print(const struct bundle_model *m, struct text *t) {
  if (m->whole == NULL) return;
  text_printf(t, "streamed: %d of %d rows a call; %d operators compute new rows only",
              m->stream.rows, m->stream.window_rows, m->stream.streamed);
  if (m->stream.end_op >= 0)
    text_printf(t, ", operator %d is the first that sees its whole window", m->stream.end_op);
  if (m->stream.carried)
    text_printf(t, "\n          %d layer%s with a memory (LSTM, GRU): carried on from the first call",
                m->stream.carried, m->stream.carried == 1 ? "" : "s");
  text_printf(t, "\n          windows that are kept: %zu bytes\n", m->stream.window_bytes);
}

uint8_t *bundle_stream_windows(struct arena *a, const struct bundle_model *m, const uint8_t *rows,
                               int count) {
  const struct graph_tensor *window = &m->whole->tensors[m->whole->inputs[0]];
  const size_t all = graph_bytes(window),
               some = graph_bytes(&m->graph->tensors[m->graph->inputs[0]]);
  uint8_t *out = ARENA_ARRAY(a, uint8_t, all * (size_t)count + 1);
  compile_stream_silence(window, out);
  for (int i = 0; i < count; i++) {
    uint8_t *at = out + (size_t)i * all;
    if (i > 0) memcpy(at, at - all, all);
    memmove(at, at + some, all - some);
    memcpy(at + (all - some), rows + (size_t)i * some, some);
  }
  return out;
}
