/* Lines of numbers from bytes, whatever pieces they come in. */
#include "host/record/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_separator(char c) { return c == ',' || c == ';' || c == '\t' || c == ' '; }

/* The numbers of a line; -1: something else stands there. Spaces around a comma belong to it. */
static int read_numbers(const char *line, float *values) {
  const char *at = line;
  int n = 0;
  while (*at == ' ' || *at == '\t') at++;
  while (*at) {
    char *end;
    const double value = strtod(at, &end);
    if (end == at || !(fabs(value) <= 1e30) || n == RECORD_MAX_CHANNELS) return -1;
    values[n++] = (float)value;
    at = end;
    if (*at && !is_separator(*at)) return -1;
    int marks = 0;
    for (; is_separator(*at); at++) marks += *at == ',' || *at == ';';
    if (marks > 1) return -1; /* an empty field */
  }
  return n;
}

static void end_line(struct record_lines *l, void (*emit)(void *, const float *), void *context) {
  float values[RECORD_MAX_CHANNELS], picked[RECORD_MAX_CHANNELS];
  const bool too_long = l->too_long, nothing = l->used == 0 && !too_long;
  l->line[l->used] = 0;
  /* A zero byte would end the text early, and hide what stands behind it. */
  const bool zero = strlen(l->line) != (size_t)l->used;
  l->used = 0;
  l->too_long = false;
  if (nothing) return;
  if (l->drop_first) {
    l->drop_first = false;
    return;
  }
  const int n = too_long || zero ? -1 : read_numbers(l->line, values);
  if (n == 0) return;
  if (n < 0) {
    l->broken++;
    return;
  }
  bool fits = l->n_columns > 0 || n == l->channels;
  for (int k = 0; k < l->n_columns && fits; k++) {
    fits = l->columns[k] < n;
    if (fits) picked[k] = values[l->columns[k]];
  }
  if (!fits) {
    l->wrong_count++;
    l->most_wrong = n;
    return;
  }
  l->good++;
  emit(context, l->n_columns ? picked : values);
}

void record_lines_add(struct record_lines *l, const char *bytes, size_t n,
                      void (*emit)(void *context, const float *frame), void *context) {
  for (size_t i = 0; i < n; i++) {
    if (bytes[i] == '\n' || bytes[i] == '\r')
      end_line(l, emit, context);
    else if (l->used < RECORD_MAX_LINE - 1)
      l->line[l->used++] = bytes[i];
    else
      l->too_long = true;
  }
}

void record_lines_end(struct record_lines *l, void (*emit)(void *context, const float *frame),
                      void *context) {
  end_line(l, emit, context);
}
