/* What other files say about a file: CSV indexes, and the .labels files that exports of data sets carry.
 *
 *   info.labels       {"files": [{"path", "category", "label": {"type", "label" or "labels"}, "metadata", "boundingBoxes"}]},
 *                     or one JSON object a line behind {"__ndjson": true
 *   bounding boxes    {"type": "bounding-box-labels", "boundingBoxes": {"a.jpg": [{"label", "x", "y", "width", "height"}]}}
 *   structured labels {"type": "structured-labels", "structuredLabels": {"a.wav": [{"startIndex", "endIndex", "label"}]}}
 *   COCO              {"images": [{"id", "file_name"}], "annotations": [{"image_id", "category_id", "bbox"}], "categories": [{"id", "name"}]}
 *   label maps        {"type": "label-map-labels", "labels": {"a.wav": {"key": "value"}}}
 *
 * Paths are relative to the folder of the file that names them. */
#include "host/ingest/private.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_BYTES   ((size_t)128 << 20)
#define MAX_COLUMNS 256

struct item {
  struct ingest_entry entry;
  char *full; /* path from here */
  int file;   /* which of the files that were read says it */
};

struct ingest_index {
  struct item *items;
  int count, room;
  int *by_full, *by_name; /* sorted by path, and by name */
  int files;              /* that were read */
  struct text notes;
};

/* ---- paths --------------------------------------------------------------------------- */
static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Without "." and doubled slashes, and "a/.." taken out, so that two ways to write a path are the same text. */
static char *plain_path(struct arena *a, const char *path) {
  char *out = arena_alloc(a, strlen(path) + 2, 1);
  size_t n = 0;
  if (path[0] == '/') out[n++] = '/';
  const size_t root = n;
  for (const char *p = path; *p;) {
    while (*p == '/') p++;
    const size_t m = strcspn(p, "/");
    if (m == 0) break;
    if (m == 1 && p[0] == '.') {
      p += m;
      continue;
    }
    size_t last = n;
    while (last > root && out[last - 1] != '/') last--;
    const bool up = m == 2 && p[0] == '.' && p[1] == '.';
    if (up && n > root && !(n - last == 2 && out[last] == '.' && out[last + 1] == '.')) {
      n = last > root ? last - 1 : root;
    } else {
      if (n > root) out[n++] = '/';
      memcpy(out + n, p, m);
      n += m;
    }
    p += m;
  }
  out[n] = 0;
  return out;
}

static struct ingest_entry *add_item(struct arena *a, struct ingest_index *x,
                                     const char *index_path, const char *path) {
  if (x->count == x->room) {
    x->room = x->room ? x->room * 2 : 256;
    struct item *more = ARENA_ARRAY(a, struct item, x->room);
    if (x->count) memcpy(more, x->items, (size_t)x->count * sizeof *more);
    x->items = more;
  }
  struct item *i = &x->items[x->count++];
  i->file = x->files;
  const int folder = (int)(base_name(index_path) - index_path);
  i->entry.path = arena_strdup(a, path);
  i->full =
      plain_path(a, path[0] == '/' ? path : arena_printf(a, "%.*s%s", folder, index_path, path));
  return &i->entry;
}

static void __attribute__((format(printf, 2, 3)))
add_note(struct ingest_index *x, const char *format, ...) {
  char words[512];
  va_list args;
  va_start(args, format);
  vsnprintf(words, sizeof words, format, args);
  va_end(args);
  text_printf(&x->notes, "%s%s", x->notes.size ? "; " : "", words);
}

/* ---- CSV ----------------------------------------------------------------------------- */
enum role { ROLE_NONE, ROLE_PATH, ROLE_LABEL, ROLE_GROUP, ROLE_SPLIT, ROLE_META, ROLE_BOX };

/* Which columns make a box. */
struct box_columns {
  bool any, corners;
  int at[4];
};

/* Names that could be a picture's own (width) count only where all four of a form are there. */
static struct box_columns find_boxes(enum role *roles, char *const *names, int n) {
  static const char *const words[3][4] = {
      {"x", "y", "width", "height"}, {"x", "y", "w", "h"}, {"xmin", "ymin", "xmax", "ymax"}};
  struct box_columns b = {false, false, {0}};
  for (int form = 0; form < 3 && !b.any; form++) {
    int found = 0;
    for (int k = 0; k < 4; k++)
      for (int i = 0; i < n; i++)
        if (field_is((struct field){names[i], strlen(names[i])}, words[form][k]) && found == k)
          b.at[k] = i, found = k + 1;
    b.any = found == 4;
    b.corners = form == 2;
  }
  for (int k = 0; b.any && k < 4; k++) roles[b.at[k]] = ROLE_BOX;
  return b;
}

static enum role role_of(struct field f) {
  static const struct {
    const char *word;
    enum role role;
  } words[] = {{"path", ROLE_PATH},      {"file", ROLE_PATH},      {"filename", ROLE_PATH},
               {"file_name", ROLE_PATH}, {"filepath", ROLE_PATH},  {"name", ROLE_PATH},
               {"image", ROLE_PATH},     {"audio", ROLE_PATH},     {"label", ROLE_LABEL},
               {"class", ROLE_LABEL},    {"category", ROLE_LABEL}, {"target", ROLE_LABEL},
               {"group", ROLE_GROUP},    {"speaker", ROLE_GROUP},  {"subject", ROLE_GROUP},
               {"user", ROLE_GROUP},     {"device", ROLE_GROUP},   {"session", ROLE_GROUP},
               {"split", ROLE_SPLIT},    {"set", ROLE_SPLIT},      {"subset", ROLE_SPLIT},
               {"-", ROLE_NONE},         {"", ROLE_NONE}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (field_is(f, words[i].word)) return words[i].role;
  return ROLE_META;
}

/* The text of a field; a doubled quote within quotes is one. */
static char *field_text(struct arena *a, struct field f) {
  char *const out = arena_printf(a, "%.*s", (int)f.n, f.at), *to = out;
  for (const char *c = out; *c; c++) {
    *to++ = *c;
    c += c[0] == '"' && c[1] == '"';
  }
  *to = 0;
  return out;
}

/* The row's box, whose label is the column's; without a box the label is the picture's. */
static bool take_box(struct arena *a, const struct field *fields, const struct box_columns *columns,
                     struct ingest_entry *entry, struct err *e) {
  const struct field values[4] = {fields[columns->at[0]], fields[columns->at[1]],
                                  fields[columns->at[2]], fields[columns->at[3]]};
  struct ingest_box *box = ARENA_NEW(a, struct ingest_box);
  bool there;
  if (!boxes_of_row(values, columns->corners, entry->label, box, &there, e)) return false;
  entry->boxes = box;
  entry->n_boxes = there;
  entry->boxed = true;
  if (there) entry->label = NULL;
  return true;
}

static bool take_row(struct arena *a, struct ingest_index *x, const char *path,
                     const struct field *fields, const enum role *roles, char *const *names, int n,
                     const struct box_columns *boxes, struct err *e) {
  struct ingest_entry *entry = NULL;
  struct ingest_pair pairs[MAX_COLUMNS];
  int n_pairs = 0;
  for (int i = 0; i < n && !entry; i++)
    if (roles[i] == ROLE_PATH && fields[i].n)
      entry = add_item(a, x, path, field_text(a, fields[i]));
  if (!entry) return err_set(e, "no path in this row");
  for (int i = 0; i < n; i++) {
    if (fields[i].n == 0 || roles[i] == ROLE_NONE || roles[i] == ROLE_PATH || roles[i] == ROLE_BOX)
      continue;
    char *text = field_text(a, fields[i]);
    if (roles[i] == ROLE_LABEL && !entry->label)
      entry->label = text;
    else if (roles[i] == ROLE_GROUP && !entry->group)
      entry->group = text;
    else if (roles[i] == ROLE_SPLIT && !entry->split)
      entry->split = text;
    else
      pairs[n_pairs++] = (struct ingest_pair){names[i], text};
  }
  struct ingest_pair *kept = ARENA_ARRAY(a, struct ingest_pair, n_pairs ? n_pairs : 1);
  memcpy(kept, pairs, (size_t)n_pairs * sizeof *kept);
  entry->metadata = kept;
  entry->n_metadata = n_pairs;
  return !boxes->any || take_box(a, fields, boxes, entry, e);
}

static int take_header(struct arena *a, struct field line, char separator, enum role *roles,
                       char **names) {
  struct field fields[MAX_COLUMNS];
  const int n = field_split(line, separator, fields, MAX_COLUMNS);
  for (int i = 0; i < n && i < MAX_COLUMNS; i++) {
    roles[i] = role_of(fields[i]);
    for (int k = 0; k < i && roles[i] != ROLE_NONE && roles[i] != ROLE_META; k++)
      if (roles[k] == roles[i]) roles[i] = ROLE_META; /* the first column of a role has it */
    names[i] = arena_printf(a, "%.*s", (int)fields[i].n, fields[i].at);
  }
  return n;
}

static bool has_path(const enum role *roles, int n) {
  for (int i = 0; i < n; i++)
    if (roles[i] == ROLE_PATH) return true;
  return false;
}

static bool read_csv(struct arena *a, const char *path, char *text, const char *columns,
                     struct ingest_index *x, struct err *e) {
  enum role roles[MAX_COLUMNS];
  char *names[MAX_COLUMNS], separator = 0;
  int n = 0, number = 0;
  if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
  if (columns) n = take_header(a, (struct field){columns, strlen(columns)}, ',', roles, names);
  if (columns && (n > MAX_COLUMNS || !has_path(roles, n)))
    return err_set(e, "--index-columns \"%s\" names no path", columns);
  struct box_columns boxes = {false, false, {0}};
  if (columns) boxes = find_boxes(roles, names, n);
  for (char *line = text, *next; line; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = 0;
    number++;
    line[strcspn(line, "\r")] = 0;
    if (!line[0] || line[0] == '#') continue;
    if (!separator)
      separator = strchr(line, '\t') ? '\t' : strchr(line, ';') && !strchr(line, ',') ? ';' : ',';
    struct field fields[MAX_COLUMNS];
    const struct field whole = {line, strlen(line)};
    if (n == 0) {
      n = take_header(a, whole, separator, roles, names);
      if (n > MAX_COLUMNS || !has_path(roles, n))
        return err_set(e, "its first line names no column \"path\" (or file, filename, name); "
                          "--index-columns path,label,... says what they are");
      boxes = find_boxes(roles, names, n);
      continue;
    }
    const int have = field_split(whole, separator, fields, MAX_COLUMNS);
    err_node(e, "line %d", number);
    if (have != n) return err_set(e, "%d columns where %d are named", have, n);
    if (!take_row(a, x, path, fields, roles, names, n, &boxes, e)) return false;
    e->node[0] = 0;
    if (arena_left(a) < MAX_BYTES) return err_set(e, "too many rows");
  }
  return x->count > 0 || err_set(e, "no rows in it");
}

/* ---- labels files ---------------------------------------------------------------------- */
static char *kept(struct arena *a, const json_t *text) {
  return json_is_string(text) ? arena_strdup(a, json_string_value(text)) : NULL;
}

static bool take_spans(struct arena *a, const json_t *array, struct ingest_entry *entry,
                       struct err *e) {
  const size_t n = json_array_size(array);
  struct ingest_span *spans = ARENA_ARRAY(a, struct ingest_span, n ? n : 1);
  for (size_t i = 0; i < n; i++) {
    const json_t *one = json_array_get(array, i), *start = json_object_get(one, "startIndex"),
                 *end = json_object_get(one, "endIndex");
    spans[i].label = kept(a, json_object_get(one, "label"));
    if (!json_is_integer(start) || !json_is_integer(end) || !spans[i].label ||
        json_integer_value(start) < 0 || json_integer_value(end) < json_integer_value(start) ||
        json_integer_value(end) > INT64_MAX / 4)
      return err_set(e, "%s: label %zu has no startIndex, endIndex and label that go together",
                     entry->path, i + 1);
    spans[i].start = json_integer_value(start);
    spans[i].end = json_integer_value(end) + 1;
    if (i > 0 && spans[i].start < spans[i - 1].end)
      return err_set(e, "%s: labels %zu and %zu overlap", entry->path, i, i + 1);
  }
  entry->spans = spans;
  entry->n_spans = (int)n;
  return true;
}

static bool take_boxes(struct arena *a, const json_t *array, struct ingest_entry *entry,
                       struct err *e) {
  const size_t n = json_array_size(array);
  struct ingest_box *boxes = ARENA_ARRAY(a, struct ingest_box, n ? n : 1);
  for (size_t i = 0; i < n; i++) {
    static const char *const keys[] = {"x", "y", "width", "height"};
    const json_t *one = json_array_get(array, i);
    int values[4];
    for (int k = 0; k < 4; k++) {
      const json_t *v = json_object_get(one, keys[k]);
      if (!json_is_number(v) || !(fabs(json_number_value(v)) < 1e6))
        return err_set(e, "%s: box %zu has no %s", entry->path, i + 1, keys[k]);
      values[k] = (int)lrint(json_number_value(v));
    }
    boxes[i] = (struct ingest_box){kept(a, json_object_get(one, "label")), values[0], values[1],
                                   values[2], values[3]};
    if (!boxes[i].label) return err_set(e, "%s: box %zu has no label", entry->path, i + 1);
    err_node(e, "%s", entry->path);
    if (!boxes_check(&boxes[i], e)) return false;
    e->node[0] = 0;
  }
  entry->boxes = boxes;
  entry->n_boxes = (int)n;
  entry->boxed = true;
  return true;
}

static void take_metadata(struct arena *a, const json_t *object, struct ingest_entry *entry) {
  const size_t n = json_object_size(object);
  struct ingest_pair *pairs = ARENA_ARRAY(a, struct ingest_pair, n ? n : 1);
  const char *key;
  json_t *value;
  int count = 0;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    char *dump = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    pairs[count++] =
        (struct ingest_pair){arena_strdup(a, key), dump ? arena_strdup(a, dump) : kept(a, value)};
    free(dump);
  }
  entry->metadata = pairs;
  entry->n_metadata = count;
}

/* An entry of info.labels. */
static bool take_file(struct arena *a, const char *path, const json_t *one, struct ingest_index *x,
                      struct err *e) {
  const char *name = json_string_value(json_object_get(one, "path"));
  const json_t *label = json_object_get(one, "label"), *meta = json_object_get(one, "metadata"),
               *boxes = json_object_get(one, "boundingBoxes");
  if (!name || !name[0]) return err_set(e, "entry %d has no path", x->count + 1);
  struct ingest_entry *entry = add_item(a, x, path, name);
  entry->split = kept(a, json_object_get(one, "category"));
  entry->label = kept(a, json_is_object(label) ? json_object_get(label, "label") : label);
  const json_t *many = json_is_object(label) ? json_object_get(label, "labels") : NULL;
  if (json_is_array(many) && !take_spans(a, many, entry, e)) return false;
  if (json_is_object(many)) take_metadata(a, many, entry);
  if (json_is_object(meta) && json_object_size(meta) > 0) take_metadata(a, meta, entry);
  return !json_is_array(boxes) || json_array_size(boxes) == 0 || take_boxes(a, boxes, entry, e);
}

struct coco_place {
  struct arena *a;
  struct ingest_index *x;
  const char *path;
};
static struct ingest_entry *coco_entry(void *context, const char *name) {
  const struct coco_place *p = context;
  return add_item(p->a, p->x, p->path, name);
}

static bool take_coco(struct arena *a, const char *path, const json_t *root, struct ingest_index *x,
                      struct err *e) {
  struct boxes_left_out left = {0};
  if (!boxes_read_coco(a, root, coco_entry, &(struct coco_place){a, x, path}, &left, e))
    return false;
  if (left.crowds)
    add_note(x,
             "%s: regions of many things at once (iscrowd) left out, %d in %d picture%s: these "
             "things count as background",
             path, left.crowds, left.crowd_pictures, left.crowd_pictures == 1 ? "" : "s");
  if (left.small) add_note(x, "%s: boxes of less than half a pixel left out, %d", path, left.small);
  return true;
}

static bool take_root(struct arena *a, const char *path, json_t *root, struct ingest_index *x,
                      struct err *e) {
  const json_t *files = json_object_get(root, "files");
  size_t i;
  json_t *one;
  const char *key;
  if (boxes_is_coco(root)) return take_coco(a, path, root, x, e);
  if (json_is_array(files)) {
    json_array_foreach((json_t *)(uintptr_t)files, i,
                       one) if (!take_file(a, path, one, x, e)) return false;
    return true;
  }
  json_object_foreach(json_object_get(root, "boundingBoxes"), key,
                      one) if (!take_boxes(a, one, add_item(a, x, path, key), e)) return false;
  json_object_foreach(json_object_get(root, "structuredLabels"), key,
                      one) if (!take_spans(a, one, add_item(a, x, path, key), e)) return false;
  json_object_foreach(json_object_get(root, "labels"), key, one) if (json_is_object(one))
      take_metadata(a, one, add_item(a, x, path, key));
  if (json_is_string(json_object_get(root, "path"))) return take_file(a, path, root, x, e);
  return true;
}

/* One document, or one a line. */
static bool read_labels(struct arena *a, const char *path, char *text, size_t size,
                        struct ingest_index *x, struct err *e) {
  const char *at = text, *end = text + size;
  int documents = 0;
  while (at < end) {
    json_error_t why;
    while (at < end && strchr(" \t\r\n", *at)) at++;
    if (at >= end || !*at) break;
    json_t *root = json_loadb(at, (size_t)(end - at), JSON_DISABLE_EOF_CHECK, &why);
    if (!json_is_object(root)) {
      json_decref(root);
      err_node(e, "line %d", why.line > 0 ? why.line : 1);
      return err_set(e, "no labels file: %s", root ? "it holds no object" : why.text);
    }
    const bool ok = take_root(a, path, root, x, e);
    json_decref(root);
    if (!ok) return false;
    at += why.position > 0 ? why.position : 1;
    documents++;
    if (arena_left(a) < MAX_BYTES) return err_set(e, "too many labels");
  }
  return (documents > 0 && x->count > 0) || err_set(e, "no files are named in it");
}

/* ---- search --------------------------------------------------------------------------- */
static int compare_full(const void *p, const void *q, void *context) {
  const struct item *items = context;
  const int a = *(const int *)p, b = *(const int *)q, order = strcmp(items[a].full, items[b].full);
  return order ? order : (a > b) - (a < b);
}
static int compare_name(const void *p, const void *q, void *context) {
  const struct item *items = context;
  const int a = *(const int *)p, b = *(const int *)q,
            order = strcmp(base_name(items[a].full), base_name(items[b].full));
  return order ? order : (a > b) - (a < b);
}

/* The first place in `order` whose text is not below `text`. */
static int lower(const struct ingest_index *x, const int *order, bool by_name, const char *text) {
  int low = 0, high = x->count;
  while (low < high) {
    const int middle = (low + high) / 2;
    const char *full = x->items[order[middle]].full;
    if (strcmp(by_name ? base_name(full) : full, text) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void sort(struct arena *a, struct ingest_index *x) {
  x->by_full = ARENA_ARRAY(a, int, x->count);
  x->by_name = ARENA_ARRAY(a, int, x->count);
  for (int i = 0; i < x->count; i++) x->by_full[i] = x->by_name[i] = i;
  qsort_r(x->by_full, (size_t)x->count, sizeof *x->by_full, compare_full, x->items);
  qsort_r(x->by_name, (size_t)x->count, sizeof *x->by_name, compare_name, x->items);
}

/* Rows of one file about one picture, a box each, become the first of them: all boxes, and the label that all of them have. */
static void join_rows(struct arena *a, struct ingest_index *x, int from, int to, bool *gone) {
  struct ingest_entry *const first = &x->items[x->by_full[from]].entry;
  int n = 0, at = 0;
  for (int k = from; k < to; k++) n += x->items[x->by_full[k]].entry.n_boxes;
  struct ingest_box *boxes = ARENA_ARRAY(a, struct ingest_box, n + 1);
  for (int k = from; k < to; k++) {
    const struct ingest_entry *one = &x->items[x->by_full[k]].entry;
    if (one->n_boxes) memcpy(boxes + at, one->boxes, (size_t)one->n_boxes * sizeof *boxes);
    at += one->n_boxes;
    if (first->label && (!one->label || strcmp(first->label, one->label) != 0)) first->label = NULL;
    gone[x->by_full[k]] = k > from;
  }
  first->boxes = boxes;
  first->n_boxes = n;
}

/* What an earlier file does not say of a picture, a later one may; what both say is the earlier's, so that two files with the same
 * boxes do not double them. */
static void fill(struct ingest_entry *to, const struct ingest_entry *from) {
  if (!to->boxed && from->boxed)
    to->boxes = from->boxes, to->n_boxes = from->n_boxes, to->boxed = true;
  if (to->n_spans == 0) to->spans = from->spans, to->n_spans = from->n_spans;
  if (to->n_metadata == 0) to->metadata = from->metadata, to->n_metadata = from->n_metadata;
  if (!to->label) to->label = from->label;
  if (!to->group) to->group = from->group;
  if (!to->split) to->split = from->split;
}

/* The label of a picture whose boxes all have the same. */
static void label_of_boxes(struct ingest_entry *entry) {
  if (!entry->boxed || entry->label || entry->n_boxes == 0) return;
  for (int i = 1; i < entry->n_boxes; i++)
    if (strcmp(entry->boxes[i].label, entry->boxes[0].label) != 0) return;
  entry->label = entry->boxes[0].label;
}

/* Takes the entries out that another holds now. */
static void drop(struct arena *a, struct ingest_index *x, const bool *gone) {
  int kept = 0;
  for (int i = 0; i < x->count; i++)
    if (!gone[i]) x->items[kept++] = x->items[i];
  if (kept == x->count) return;
  x->count = kept;
  sort(a, x);
}

/* One entry for each picture that several rows or files tell about, in the place of the first; equal paths are in the order of
 * reading. Rows of one file without boxes stay apart. */
static void merge(struct arena *a, struct ingest_index *x) {
  bool *gone = ARENA_ARRAY(a, bool, x->count + 1);
  struct item *first = NULL; /* that has this path */
  for (int i = 0, next; i < x->count; i = next) {
    struct item *const item = &x->items[x->by_full[i]];
    for (next = i + 1; next < x->count && item->entry.boxed; next++) {
      const struct item *more = &x->items[x->by_full[next]];
      if (more->file != item->file || !more->entry.boxed || strcmp(more->full, item->full) != 0)
        break;
    }
    if (next > i + 1) join_rows(a, x, i, next, gone);
    label_of_boxes(&item->entry);
    if (!first || strcmp(first->full, item->full) != 0) {
      first = item;
    } else if (first->file != item->file) {
      fill(&first->entry, &item->entry);
      gone[x->by_full[i]] = true;
    }
  }
  drop(a, x, gone);
}

bool ingest_index_read(struct arena *a, const char *path, const char *columns,
                       struct ingest_index **index, struct err *e) {
  uint8_t *text = NULL;
  size_t size = 0;
  struct arena *own = arena_new(MAX_BYTES + (MAX_BYTES >> 1));
  if (!own) return err_set(e, "no memory left");
  if (!*index) {
    *index = ARENA_NEW(a, struct ingest_index);
    text_init(&(*index)->notes, a);
  }
  (*index)->files++;
  bool ok = file_read(own, path, MAX_BYTES, &text, &size, e);
  if (ok && memchr(text, 0, size))
    ok = err_set(e, "holds zero bytes: this is neither a CSV index nor a labels file");
  size_t first = 0;
  while (ok && first < size && strchr(" \t\r\n", text[first])) first++;
  if (ok)
    ok = first < size && text[first] == '{' ? read_labels(a, path, (char *)text, size, *index, e)
                                            : read_csv(a, path, (char *)text, columns, *index, e);
  if (ok) sort(a, *index), merge(a, *index);
  if (!ok) err_file(e, path);
  arena_free(own);
  return ok;
}

const struct ingest_entry *ingest_index_find(const struct ingest_index *x, const char *path) {
  struct arena *a = arena_new(0);
  const struct ingest_entry *found = NULL;
  if (!x || !a || x->count == 0) {
    arena_free(a);
    return NULL;
  }
  const char *full = plain_path(a, path), *name = base_name(full);
  int at = lower(x, x->by_full, false, full);
  if (at < x->count && strcmp(x->items[x->by_full[at]].full, full) == 0) {
    found = &x->items[x->by_full[at]].entry;
  } else {
    at = lower(x, x->by_name, true, name);
    const bool there = at < x->count && strcmp(base_name(x->items[x->by_name[at]].full), name) == 0;
    const bool twice = there && at + 1 < x->count &&
                       strcmp(base_name(x->items[x->by_name[at + 1]].full), name) == 0;
    if (there && !twice) found = &x->items[x->by_name[at]].entry;
  }
  arena_free(a);
  return found;
}

const char *ingest_index_notes(const struct ingest_index *index) {
  return index && index->notes.size ? index->notes.data : "";
}

int ingest_index_files(const struct ingest_index *index, struct arena *a, char ***files) {
  *files = ARENA_ARRAY(a, char *, index->count ? index->count : 1);
  for (int i = 0; i < index->count; i++) (*files)[i] = index->items[i].full;
  return index->count;
}
