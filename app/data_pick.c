/* Which samples a word of `mote data` means, and what all words print alike. */
#include "app/data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool data_pick_parse(struct command_line *c, struct data_pick *pick, int *code) {
  struct store_filter *f = &pick->filter;
  enum store_split split = STORE_TRAIN;
  if (pick->split && !store_split_parse(pick->split, &split)) {
    *code = command_usage(c, "no split '%s'; train, validation and test are", pick->split);
    return false;
  }
  struct store_where *where = ARENA_ARRAY(c->arena, struct store_where, pick->where.count + 1);
  for (int i = 0; i < pick->where.count; i++) {
    struct err e = {0};
    if (store_where_parse(c->arena, pick->where.items[i], &where[i], &e)) continue;
    *code = command_usage(c, "--where: %s", e.text);
    return false;
  }
  *f = (struct store_filter){.label = pick->label,
                             .group = pick->group,
                             .split = pick->split ? (int)split : -1,
                             .state = pick->disabled ? STORE_DISABLED : STORE_ANY_STATE,
                             .where = where,
                             .n_where = pick->where.count,
                             .most = (int)pick->most};
  return true;
}

/* "17" or "10-20". */
static bool parse_stretch(const char *word, int64_t *from, int64_t *to, struct err *e) {
  char *end;
  *from = *to = strtoll(word, &end, 10);
  if (end != word && *end == '-') {
    const char *second = end + 1;
    *to = strtoll(second, &end, 10);
    if (end == second) *from = 0;
  }
  if (end != word && !*end && *from > 0 && *to >= *from) return true;
  return err_set(e, "'%s' is no sample; numbers as in `mote data list` are, and stretches: 10-20",
                 word);
}

/* The samples of a sorted list that the words name, each once; a word that names none is an error. */
static bool keep_named(struct command_line *c, struct store_sample *list, int n, int *kept) {
  bool *named = ARENA_ARRAY(c->arena, bool, n + 1);
  for (int w = 0; w < c->n_words; w++) {
    int64_t from, to;
    if (!parse_stretch(c->words[w], &from, &to, &c->err)) return false;
    int low = 0, high = n;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (list[middle].id < from)
        low = middle + 1;
      else
        high = middle;
    }
    if (low == n || list[low].id > to)
      return err_set(&c->err, "there is no sample %s%s; `mote data list` shows what there is",
                     c->words[w], n ? " among those picked" : "");
    for (; low < n && list[low].id <= to; low++) named[low] = true;
  }
  *kept = 0;
  for (int i = 0; i < n; i++)
    if (named[i]) list[(*kept)++] = list[i];
  return true;
}

bool data_pick_samples(struct command_line *c, struct project *p, struct data_pick *pick,
                       bool must_choose, struct store_sample **samples, int *count) {
  const bool filtered = pick->label || pick->group || pick->split || pick->where.count;
  if (must_choose && !filtered && !pick->all && c->n_words == 0)
    return err_set(&c->err,
                   "which samples? Name their numbers, or a filter (--label, --group, --split, "
                   "--where), or --all");
  if (!store_list(p->store, c->arena, &pick->filter, samples, count, &c->err)) return false;
  if (c->n_words && !keep_named(c, *samples, *count, count)) return false;
  if (must_choose && *count == 0)
    return err_set(&c->err, "no sample is so; `mote data list` shows what there is");
  return true;
}

/* ---- printing -------------------------------------------------------------------------- */
void data_json_open(struct data_json *out, struct arena *a) {
  text_init(&out->text, a);
  json_start(&out->j, &out->text);
  json_open_object(&out->j, NULL);
}

void data_json_close(struct data_json *out) {
  json_close_object(&out->j);
  fputs(out->text.data, stdout);
}

double data_seconds(const struct store_sample *s) {
  return s->rate_hz > 0 ? (double)s->length / s->rate_hz : 0;
}

const char *data_extent(struct arena *a, const struct store_sample *s) {
  if (s->type == STORE_UINT8) return arena_printf(a, "%dx%dx%d", s->width, s->height, s->channels);
  return arena_printf(a, "%.2f s", data_seconds(s));
}

void data_json_sample(struct json *j, const struct store_sample *s) {
  static const char *const types[STORE_TYPE_COUNT] = {"int16", "float32", "uint8"};
  json_open_object(j, NULL);
  json_put_int(j, "id", s->id);
  json_put_string(j, "label", s->label);
  json_put_string(j, "split", store_split_name(s->split));
  json_put_string(j, "group", s->group);
  json_put_string(j, "source", s->source);
  json_put_bool(j, "enabled", !s->disabled);
  json_put_string(j, "type", types[s->type]);
  json_put_real(j, "rate_hz", s->rate_hz);
  json_put_int(j, "channels", s->channels);
  json_put_int(j, "length", s->length);
  if (s->type == STORE_UINT8) {
    json_put_int(j, "height", s->height);
    json_put_int(j, "width", s->width);
  }
  json_put_real(j, "seconds", data_seconds(s));
  json_put_int(j, "added_s", s->added_s);
  json_put_string(j, "sha256", s->sha256);
  if (s->meta) {
    json_open_object(j, "metadata");
    for (int i = 0; i < s->n_meta; i++) json_put_string(j, s->meta[i].key, s->meta[i].value);
    json_close_object(j);
    json_open_array(j, "spans");
    for (int i = 0; i < s->n_spans; i++) {
      json_open_object(j, NULL);
      json_put_int(j, "first", s->spans[i].first);
      json_put_int(j, "last", s->spans[i].last);
      json_put_string(j, "label", s->spans[i].label);
      json_close_object(j);
    }
    json_close_array(j);
    json_open_array(j, "boxes");
    for (int i = 0; i < s->n_boxes; i++) {
      json_open_object(j, NULL);
      json_put_int(j, "x", s->boxes[i].x);
      json_put_int(j, "y", s->boxes[i].y);
      json_put_int(j, "width", s->boxes[i].width);
      json_put_int(j, "height", s->boxes[i].height);
      json_put_string(j, "label", s->boxes[i].label);
      json_close_object(j);
    }
    json_close_array(j);
  }
  json_close_object(j);
}

const float *data_values(struct arena *a, const struct store_sample *s) {
  const int64_t n = s->length * s->channels;
  if (s->type == STORE_FLOAT32) return s->data;
  float *values = ARENA_ARRAY(a, float, n);
  for (int64_t i = 0; i < n; i++)
    values[i] = s->type == STORE_INT16 ? (float)((const int16_t *)s->data)[i] / 32768.0f
                                       : (float)((const uint8_t *)s->data)[i] / 255.0f;
  return values;
}

struct arena *data_arena(struct err *e) {
  /* The blob, its numbers as float (four bytes for each of a picture), details. */
  struct arena *a = arena_new(6 * STORE_MAX_BLOB_BYTES);
  if (!a) err_set(e, "no memory left");
  return a;
}

void data_print_done(struct command_line *c, const char *key, int64_t value, const char *format,
                     ...) {
  if (c->json) {
    printf("{\n  \"%s\": %" PRId64 "\n}\n", key, value);
    return;
  }
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
}

size_t data_file_length(const char *source) {
  const char *slash = strrchr(source, '/'), *name = slash ? slash : source;
  return (size_t)(name - source) + strcspn(name, ":");
}

const char *data_file_of(struct arena *a, const char *source) {
  char *file = arena_strdup(a, source);
  file[data_file_length(source)] = 0;
  return file;
}

static int compare_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int data_number_texts(struct arena *a, const char *const *texts, int n, const char ***words,
                      int32_t *numbers) {
  const char **sorted = ARENA_ARRAY(a, const char *, n + 1);
  int unique = 0;
  if (n) memcpy(sorted, texts, (size_t)n * sizeof *sorted);
  qsort(sorted, (size_t)n, sizeof *sorted, compare_text);
  for (int i = 0; i < n; i++)
    if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0) sorted[unique++] = sorted[i];
  for (int i = 0; i < n; i++) {
    const char **found = bsearch(&texts[i], sorted, (size_t)unique, sizeof *sorted, compare_text);
    numbers[i] = (int32_t)(found - sorted);
  }
  *words = sorted;
  return unique;
}
