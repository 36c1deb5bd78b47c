/* mote data export: samples as files that other programs read, with an index that `mote add --index` reads back. */
#include "app/data.h"
#include "host/export/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum export_format { FOLDERS, ONE_CSV, NPY, NPZ };

struct exporting {
  struct command_line *c;
  struct project p;
  struct data_pick pick;
  const char *out, *format_name;
  enum export_format format;
  struct store_sample *list;
  int n;
  int64_t files;
};

static struct export_numbers numbers_of(const struct store_sample *s) {
  static const enum export_type types[STORE_TYPE_COUNT] = {EXPORT_INT16, EXPORT_FLOAT32,
                                                           EXPORT_UINT8};
  return (struct export_numbers){.type = types[s->type],
                                 .data = s->data,
                                 .length = s->length,
                                 .channels = s->channels,
                                 .rate_hz = s->rate_hz,
                                 .height = s->height,
                                 .width = s->width};
}

/* ---- names ------------------------------------------------------------------------------- */
/* A label as the name of a folder: no slashes, not hidden, not empty. Different labels stay different, since the
 * index has the true ones. */
static const char *folder_name(struct arena *a, const char *label) {
  char *name = arena_strdup(a, label);
  for (char *c = name; *c; c++)
    if (*c == '/' || *c == '\\' || *c == ':' || (c == name && (*c == '.' || *c == '#'))) *c = '_';
  return name;
}

/* A field of the index: in quotes where it must be. */
static void add_field(struct text *t, const char *value) {
  if (!value[strcspn(value, ",\"\n\r")]) {
    text_add(t, value);
    return;
  }
  text_add(t, "\"");
  for (; *value; value++) { /* a line is a row for the reader */
    const char *c = *value == '\n' || *value == '\r' ? " " : value;
    text_addn(t, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
  }
  text_add(t, "\"");
}

static bool make_empty_folder(const char *path, struct arena *a, struct err *e) {
  char **names = NULL;
  int n = 0;
  if (file_is_dir(path)) {
    if (!dir_list(a, path, &names, &n, e)) return false;
    if (n) err_file(e, path);
    return n == 0 ||
           err_set(e, "there are files in this folder already; name another, or empty it");
  }
  return dir_make(path, e);
}

/* ---- a file for each sample ------------------------------------------------------------------ */
static bool write_sample(struct exporting *x, const struct store_sample *s, const char *folder,
                         const char **file) {
  struct arena *a = x->c->arena;
  const bool sound = s->type == STORE_INT16, picture = s->type == STORE_UINT8;
  const bool png = picture && s->channels <= 4;
  const char *end = x->format == NPY || (picture && !png) ? "npy"
                    : picture                             ? "png"
                    : sound                               ? "wav"
                                                          : "csv";
  *file = arena_printf(a, "%s/%06" PRId64 ".%s", folder, s->id, end);
  const char *path = arena_printf(a, "%s/%s", x->out, *file);
  const struct export_numbers numbers = numbers_of(s);
  switch (end[0]) {
  case 'n': return export_npy(path, &numbers, &x->c->err);
  case 'p': return export_png(path, &numbers, &x->c->err);
  case 'w': return export_wav(path, &numbers, &x->c->err);
  default: return export_csv(path, &numbers, NULL, &x->c->err);
  }
}

static void add_to_index(struct text *index, const struct store_sample *s, const char *file,
                         const struct store_key *keys, int n_keys) {
  add_field(index, file);
  text_add(index, ",");
  add_field(index, s->label);
  text_add(index, ",");
  add_field(index, s->group);
  text_printf(index, ",%s,%" PRId64 ",", store_split_name(s->split), s->id);
  add_field(index, s->source);
  text_add(index, s->disabled ? ",no," : ",yes,");
  struct text spans;
  text_init(&spans, index->arena);
  for (int i = 0; i < s->n_spans; i++)
    text_printf(&spans, "%s%" PRId64 "-%" PRId64 ":%s", i ? ";" : "", s->spans[i].first,
                s->spans[i].last, s->spans[i].label);
  add_field(index, spans.data);
  for (int k = 0; k < n_keys; k++) {
    text_add(index, ",");
    for (int i = 0; i < s->n_meta; i++)
      if (strcmp(s->meta[i].key, keys[k].key) == 0) add_field(index, s->meta[i].value);
  }
  text_add(index, "\n");
}

static bool export_folders(struct exporting *x) {
  struct arena *a = x->c->arena;
  struct err *e = &x->c->err;
  struct store_key *keys = NULL;
  int n_keys = 0;
  struct text index;
  if (!make_empty_folder(x->out, a, e) || !store_keys(x->p.store, a, &keys, &n_keys, e))
    return false;
  text_init(&index, a);
  text_add(&index, "path,label,group,split,id,source,enabled,spans");
  for (int k = 0; k < n_keys; k++) text_printf(&index, ",%s", keys[k].key);
  text_add(&index, "\n");
  for (int i = 0; i < x->n; i++) {
    struct store_sample s;
    struct arena *one = data_arena(e);
    const char *folder = folder_name(a, x->list[i].label), *file = "";
    const bool ok = one && store_get(x->p.store, one, x->list[i].id, &s, e) &&
                    dir_make(arena_printf(a, "%s/%s", x->out, folder), e) &&
                    write_sample(x, &s, folder, &file);
    if (ok) add_to_index(&index, &s, file, keys, n_keys);
    arena_free(one);
    if (!ok) return false;
    x->files++;
    progress_update(x->c->progress, "export", (uint64_t)i + 1, (uint64_t)x->n, "%d files", i + 1);
  }
  return file_write(arena_printf(a, "%s/samples.csv", x->out), index.data, index.size, e);
}

/* ---- one table -------------------------------------------------------------------------------- */
static void print_rows(FILE *f, const struct store_sample *s, int channels, const char *tail) {
  for (int64_t i = 0; i < s->length; i++) {
    fprintf(f, "%" PRId64 ",%s,%.10g", s->id, store_split_name(s->split),
            1000.0 * (double)i / s->rate_hz);
    for (int k = 0; k < channels; k++) {
      const int64_t at = i * s->channels + k;
      if (k >= s->channels)
        fputc(',', f);
      else if (s->type == STORE_FLOAT32)
        fprintf(f, ",%.9g", (double)((const float *)s->data)[at]);
      else
        fprintf(f, ",%d", ((const int16_t *)s->data)[at]);
    }
    fprintf(f, ",%s\n", tail);
  }
}

/* label and group stand last: they alone may need quotes. */
static bool export_table(struct exporting *x) {
  struct err *e = &x->c->err;
  int channels = 1;
  for (int i = 0; i < x->n; i++) {
    if (x->list[i].type == STORE_UINT8)
      return err_set(e,
                     "sample %" PRId64 " is a picture: --format folders, npy or npz take pictures",
                     x->list[i].id);
    if (x->list[i].channels > channels) channels = x->list[i].channels;
  }
  const char *part = arena_printf(x->c->arena, "%s.part", x->out);
  FILE *f = fopen(part, "wb");
  if (!f) {
    err_file(e, x->out);
    return err_set(e, "cannot be written: %s", strerror(errno));
  }
  fputs("sample,split,time_ms", f);
  for (int k = 0; k < channels; k++) fprintf(f, ",c%d", k + 1);
  fputs(",label,group\n", f);
  bool ok = true;
  for (int i = 0; i < x->n && ok; i++) {
    struct store_sample s;
    struct arena *one = data_arena(e);
    ok = one && store_get(x->p.store, one, x->list[i].id, &s, e);
    if (ok) {
      struct text tail;
      text_init(&tail, one);
      add_field(&tail, s.label);
      text_add(&tail, ",");
      add_field(&tail, s.group);
      print_rows(f, &s, channels, tail.data);
    }
    arena_free(one);
    progress_update(x->c->progress, "export", (uint64_t)i + 1, (uint64_t)x->n, "%d samples", i + 1);
  }
  const bool whole = fflush(f) == 0 && !ferror(f);
  const bool closed = fclose(f) == 0;
  x->files = 1;
  if (ok && whole && closed && rename(part, x->out) == 0) return true;
  if (ok) {
    err_file(e, x->out);
    err_set(e, "cannot be written: %s", strerror(errno));
  }
  remove(part);
  return false;
}

/* ---- .npz ----------------------------------------------------------------------------------------- */
struct arrays {
  const char **labels, **splits, **groups, **classes;
  int32_t *class_of;
  int64_t *ids, *offsets;
  double *rates;
  int n_classes;
};

static void fill_arrays(struct exporting *x, struct arrays *r) {
  struct arena *a = x->c->arena;
  r->labels = ARENA_ARRAY(a, const char *, x->n + 1);
  r->splits = ARENA_ARRAY(a, const char *, x->n + 1);
  r->groups = ARENA_ARRAY(a, const char *, x->n + 1);
  r->class_of = ARENA_ARRAY(a, int32_t, x->n + 1);
  r->ids = ARENA_ARRAY(a, int64_t, x->n + 1);
  r->offsets = ARENA_ARRAY(a, int64_t, x->n + 1);
  r->rates = ARENA_ARRAY(a, double, x->n + 1);
  for (int i = 0; i < x->n; i++) {
    const struct store_sample *s = &x->list[i];
    r->labels[i] = s->label;
    r->splits[i] = store_split_name(s->split);
    r->groups[i] = s->group;
    r->ids[i] = s->id;
    r->rates[i] = s->rate_hz;
    r->offsets[i + 1] = r->offsets[i] + s->length;
  }
  r->n_classes = data_number_texts(a, r->labels, x->n, &r->classes, r->class_of);
}

/* One shape for all: [n, length, channels], else all frames behind each other and where each begins. */
static bool put_numbers(struct exporting *x, struct export_npz *z, const struct arrays *r) {
  struct err *e = &x->c->err;
  const struct store_sample *first = &x->list[0];
  bool same = true;
  for (int i = 1; i < x->n; i++) {
    const struct store_sample *s = &x->list[i];
    if (s->type != first->type || s->channels != first->channels)
      return err_set(e,
                     "samples %" PRId64 " and %" PRId64
                     " differ in type or channels: one .npz holds "
                     "samples of one kind; a filter picks them",
                     first->id, s->id);
    same = same && s->length == first->length && s->height == first->height;
  }
  const struct export_numbers kind = numbers_of(first);
  const bool picture = same && first->height > 0;
  const int64_t shape[4] = {same ? x->n : r->offsets[x->n],
                            picture ? first->height
                            : same  ? first->length
                                    : first->channels,
                            picture ? first->width : first->channels, first->channels};
  if (!export_npz_begin(z, "x", kind.type, shape, picture ? 4 : same ? 3 : 2, e)) return false;
  for (int i = 0; i < x->n; i++) {
    struct store_sample s;
    struct arena *one = data_arena(e);
    static const size_t bytes[STORE_TYPE_COUNT] = {2, 4, 1};
    const bool ok =
        one && store_get(x->p.store, one, x->list[i].id, &s, e) &&
        export_npz_write(z, s.data, (size_t)s.length * (size_t)s.channels * bytes[s.type], e);
    arena_free(one);
    if (!ok) return false;
    progress_update(x->c->progress, "export", (uint64_t)i + 1, (uint64_t)x->n, "%d samples", i + 1);
  }
  if (!export_npz_end(z, e)) return false;
  const int64_t n = x->n + 1;
  return same || (export_npz_begin(z, "offsets", EXPORT_INT64, &n, 1, e) &&
                  export_npz_write(z, r->offsets, (size_t)n * 8, e) && export_npz_end(z, e));
}

static bool put_vector(struct export_npz *z, const char *name, enum export_type type, size_t each,
                       const void *data, int64_t n, struct err *e) {
  return export_npz_begin(z, name, type, &n, 1, e) &&
         export_npz_write(z, data, (size_t)n * each, e) && export_npz_end(z, e);
}

static bool export_arrays(struct exporting *x) {
  struct err *e = &x->c->err;
  struct export_npz *z = NULL;
  struct arrays r;
  if (x->n == 0) return err_set(e, "there are no samples to export");
  fill_arrays(x, &r);
  if (!export_npz_open(x->c->arena, x->out, &z, e)) return false;
  bool ok = put_numbers(x, z, &r) && put_vector(z, "y", EXPORT_INT32, 4, r.class_of, x->n, e) &&
            export_npz_texts(z, "classes", r.classes, r.n_classes, e) &&
            put_vector(z, "ids", EXPORT_INT64, 8, r.ids, x->n, e) &&
            put_vector(z, "rate_hz", EXPORT_FLOAT64, 8, r.rates, x->n, e) &&
            export_npz_texts(z, "split", r.splits, x->n, e) &&
            export_npz_texts(z, "group", r.groups, x->n, e);
  x->files = 1;
  return export_npz_close(z, ok, e);
}

/* ---- command ----------------------------------------------------------------------------------------- */
static bool run(struct exporting *x) {
  if (!project_open(x->c->arena, x->pick.dir, STORE_READ, &x->p, &x->c->err) ||
      !data_pick_samples(x->c, &x->p, &x->pick, false, &x->list, &x->n))
    return false;
  if (x->n == 0) return err_set(&x->c->err, "there are no samples to export");
  switch (x->format) {
  case ONE_CSV: return export_table(x);
  case NPZ: return export_arrays(x);
  default: return export_folders(x);
  }
}

int data_export(int argc, char **argv) {
  static const char *const formats[] = {"folders", "csv", "npy", "npz"};
  struct exporting x = {.format_name = "folders"};
  const struct option_spec options[] = {
      {'o', "output", OPTION_TEXT, "PATH", "a folder that is new or empty; of csv and npz a file",
       &x.out},
      {'f', "format", OPTION_TEXT, "FORMAT", "folders (default), csv, npy or npz", &x.format_name},
      DATA_PICK_OPTIONS(x.pick),
      {0}};
  const struct command_spec spec = {
      .usage = "mote data export -o PATH [--format folders|csv|npy|npz] [ID...]",
      .about = "Writes samples. folders: a folder for each label with WAV, CSV or PNG files, and "
               "samples.csv, which\n"
               "`mote add --index` reads back. npy: the same with .npy files. csv: one table. npz: "
               "one file with\n"
               "x, y, classes, ids, rate_hz, split, group; where lengths differ, x is all frames "
               "and offsets say\n"
               "where each sample begins.",
      .options = options,
      .examples = "  mote data export -o words\n"
                  "  mote data export --split train --format npz -o train.npz",
      .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!x.out) return command_usage(&c, "-o PATH says where to");
  while ((int)x.format < 4 && strcmp(formats[x.format], x.format_name) != 0) x.format++;
  if ((int)x.format == 4)
    return command_usage(&c, "no format %s; folders, csv, npy and npz are", x.format_name);
  if (!data_pick_parse(&c, &x.pick, &code)) return code;
  x.c = &c;
  const bool ok = run(&x);
  if (ok && c.json) {
    struct data_json out;
    data_json_open(&out, c.arena);
    json_put_string(&out.j, "output", x.out);
    json_put_string(&out.j, "format", x.format_name);
    json_put_int(&out.j, "samples", x.n);
    json_put_int(&out.j, "files", x.files);
    data_json_close(&out);
  } else if (ok) {
    printf("%s samples in %s\n", text_thousands(x.n), x.out);
  }
  project_close(&x.p);
  return command_end(&c, ok);
}
