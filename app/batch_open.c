/* batch_open: which files a set has, and what is in them. See batch.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/batch.h"

#define MOST_ENTRIES    1000000
#define MOST_CLASSES    100000
#define MOST_FILE_BYTES ((size_t)256 << 20)
#define SUITE_STRIDE    128 /* values: one frame of the anomaly set's spectrogram */

static const char LINE[] =
    "a line reads: file name, number of classes, label (and for windows: , window bytes, stride "
    "bytes)";

const char *batch_format_name(int format) {
  static const char *const names[] = {"guess", "raw", "uint8", "float32", "windows"};
  return format >= 0 && format < (int)(sizeof names / sizeof *names) ? names[format] : NULL;
}

/* ---- y_labels.csv -------------------------------------------------------------------- */

static char *trim(char *s) {
  while (*s == ' ' || *s == '\t') s++;
  char *end = s + strlen(s);
  while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) *--end = 0;
  return s;
}

/* A whole number from 0 to most. */
static bool whole(const char *text, long most, long *value) {
  char *end;
  errno = 0;
  *value = strtol(text, &end, 10);
  return !errno && end != text && !*end && *value >= 0 && *value <= most;
}

/* Splits at commas, in place. Returns how many pieces there are, of which `most` are kept. */
static int split(char *line, char **fields, int most) {
  int n = 0;
  for (char *next = line; next; n++) {
    char *field = next;
    next = strchr(next, ',');
    if (next) *next++ = 0;
    if (n < most) fields[n] = trim(field);
  }
  return n;
}

static bool read_line(char *line, struct batch_entry *entry, struct err *e) {
  char *fields[5];
  long numbers[4] = {0};
  const int n = split(line, fields, 5);
  if (n != 3 && n != 5) return err_set(e, "%d value%s; %s", n, n == 1 ? "" : "s", LINE);
  if (!*fields[0]) return err_set(e, "no file name; %s", LINE);
  for (int i = 1; i < n; i++)
    if (!whole(fields[i], INT_MAX, &numbers[i - 1]))
      return err_set(e, "\"%s\" is not a whole number; %s", fields[i], LINE);
  if (numbers[0] < 1 || numbers[0] > MOST_CLASSES)
    return err_set(e, "%ld classes; 1 to %d are possible", numbers[0], MOST_CLASSES);
  if (numbers[1] >= numbers[0])
    return err_set(e, "label %ld of %ld classes; labels are 0 to %ld", numbers[1], numbers[0],
                   numbers[0] - 1);
  if (n == 5 && (numbers[2] < 1 || numbers[3] < 1))
    return err_set(e, "windows of %ld bytes every %ld; both are at least 1", numbers[2],
                   numbers[3]);
  *entry = (struct batch_entry){.name = fields[0],
                                .classes = (int)numbers[0],
                                .label = (int)numbers[1],
                                .width = (size_t)numbers[2],
                                .stride = (size_t)numbers[3]};
  return true;
}

static bool read_labels(struct arena *a, struct batch *b, struct err *e) {
  char *text;
  size_t size;
  int line = 0, room = 1;
  if (!file_read(a, b->labels, (size_t)64 << 20, (uint8_t **)&text, &size, e)) return false;
  err_file(e, b->labels);
  if (memchr(text, 0, size)) return err_set(e, "this is not text");
  if (!strncmp(text, "\xEF\xBB\xBF", 3)) text += 3; /* a byte order mark */
  for (const char *s = text; *s; s++) room += *s == '\n';
  if (room > MOST_ENTRIES) return err_set(e, "%d lines; at most %d", room, MOST_ENTRIES);
  b->entries = ARENA_ARRAY(a, struct batch_entry, room);
  for (char *next = text; next && *next;) {
    char *s = next;
    next = strchr(next, '\n');
    if (next) *next++ = 0;
    line++;
    if (!*trim(s)) continue;
    struct batch_entry *entry = &b->entries[b->n];
    if (!read_line(s, entry, e)) {
      err_node(e, "line %d", line);
      return false;
    }
    entry->line = line;
    b->n++;
  }
  if (!b->n) return err_set(e, "no file is listed; %s", LINE);
  e->file[0] = 0;
  return true;
}

/* Where no y_labels.csv is: the anomaly set's own names tell. */
static bool read_names(struct arena *a, struct batch *b, struct err *e) {
  char **names;
  int n;
  if (!dir_list(a, b->folder, &names, &n, e)) return false;
  b->labels = NULL;
  b->entries = ARENA_ARRAY(a, struct batch_entry, n + 1);
  for (int i = 0; i < n; i++) {
    const bool anomaly = text_starts(names[i], "anomaly_");
    if (!anomaly && !text_starts(names[i], "normal_")) continue;
    b->entries[b->n++] =
        (struct batch_entry){.name = names[i], .classes = 2, .label = anomaly ? 1 : 0};
  }
  if (b->n) return true;
  err_file(e, b->folder);
  return err_set(e,
                 "no y_labels.csv here, which tells the label of each file, and no files called "
                 "normal_* or anomaly_*; %s",
                 LINE);
}

/* ---- sizes and formats --------------------------------------------------------------- */

/* The place of an error about a file: the line that lists it, or the file itself. */
static bool at_entry(const struct batch *b, const struct batch_entry *entry, struct err *e) {
  err_file(e, b->labels ? b->labels : entry->path);
  if (entry->line) err_node(e, "line %d", entry->line);
  return false;
}

static bool find_files(struct arena *a, struct batch *b, struct err *e) {
  for (int i = 0; i < b->n; i++) {
    struct batch_entry *entry = &b->entries[i];
    struct stat s;
    entry->path = arena_printf(a, "%s/%s", b->folder, entry->name);
    if (stat(entry->path, &s) != 0) {
      err_set(e, "the file %s is not in the folder: %s", entry->name, strerror(errno));
      return at_entry(b, entry, e);
    }
    if (!S_ISREG(s.st_mode)) {
      err_set(e, "%s is not a file", entry->name);
      return at_entry(b, entry, e);
    }
    if (s.st_size < 1 || (size_t)s.st_size > MOST_FILE_BYTES) {
      err_set(e, "the file %s has %lld bytes; 1 to %zu are possible", entry->name,
              (long long)s.st_size, MOST_FILE_BYTES);
      return at_entry(b, entry, e);
    }
    entry->bytes = (size_t)s.st_size;
  }
  return true;
}

static bool is_image(const struct graph_tensor *in) {
  return in->rank == 4 && in->dims[1] > 1 && in->dims[2] > 1 &&
         (in->dims[3] == 1 || in->dims[3] == 3);
}

static bool one_scale(const struct graph_tensor *t) {
  return t->type == MOTE_FLOAT32 ||
         (t->quant.count == 1 &&
          (t->type == MOTE_INT8 || t->type == MOTE_UINT8 || t->type == MOTE_INT16));
}

/* Decides from the first file's size, and says so. */
static bool guess(struct batch *b, const struct graph_tensor *in, const struct graph_tensor *out,
                  struct err *e) {
  const struct batch_entry *first = &b->entries[0];
  const size_t bytes = graph_bytes(in), reals = (size_t)graph_elements(in) * sizeof(float);
  const bool same = graph_elements(in) == graph_elements(out) && one_scale(in) && one_scale(out);
  if (same && (first->width || (first->bytes > reals && first->bytes % 4 == 0))) {
    b->format = BATCH_WINDOWS;
    b->assumed = "float32 files longer than the input, which slides over them; the output is taken "
                 "as the input made again, its error as the score";
  } else if (first->bytes == bytes && in->type == MOTE_INT8 && in->quant.count == 1 &&
             in->quant.zp[0] == -128 && is_image(in)) {
    b->format = BATCH_UINT8;
    b->assumed = "files of one input are uint8 pictures, since the input is int8 with zero point "
                 "-128 and has the shape of one; 128 is taken from each byte (--format raw: the "
                 "bytes as they are)";
  } else if (first->bytes == bytes) {
    b->format = BATCH_RAW;
    b->assumed = "files of one input hold it in the model's own type";
  } else if (first->bytes == reals && one_scale(in)) {
    b->format = BATCH_FLOAT32;
    b->assumed = "files of four bytes an element hold it as float32; each value is quantised with "
                 "the input's scale and zero point";
  } else {
    err_set(e,
            "the file %s has %zu bytes; the model's input takes %zu in its own type, %zu as "
            "float32%s",
            first->name, first->bytes, bytes, reals, same ? ", or more as windows of float32" : "");
    return at_entry(b, first, e);
  }
  return true;
}

/* Whether the model can take files of this format. */
static bool check_format(const struct batch *b, const struct graph_tensor *in,
                         const struct graph_tensor *out, struct err *e) {
  if (b->format == BATCH_UINT8 && in->type != MOTE_INT8 && in->type != MOTE_UINT8)
    return err_set(e, "uint8 files need a model with an int8 or uint8 input");
  if (b->format >= BATCH_FLOAT32 && !one_scale(in))
    return err_set(e, "float32 files need a model whose input is float32, or int8, uint8 or int16 "
                      "with one scale");
  if (b->format == BATCH_WINDOWS && (!one_scale(out) || graph_elements(in) != graph_elements(out)))
    return err_set(e,
                   "windows are scored by how well the model makes its input again, but the "
                   "input has %lld values and the output %lld",
                   (long long)graph_elements(in), (long long)graph_elements(out));
  return true;
}

/* A window is the model's input; the stride is the option's, the line's or the suite's. */
static bool set_windows(struct batch *b, struct batch_entry *entry, size_t reals, struct err *e) {
  if (entry->width && entry->width != reals) {
    err_set(e, "windows of %zu bytes; the model's input takes %zu as float32", entry->width, reals);
    return at_entry(b, entry, e);
  }
  entry->width = reals;
  if (b->stride || !entry->stride)
    entry->stride = (b->stride ? b->stride : SUITE_STRIDE) * sizeof(float);
  if (entry->stride % sizeof(float)) {
    err_set(e, "a stride of %zu bytes; float32 values have 4", entry->stride);
    return at_entry(b, entry, e);
  }
  if (entry->bytes < entry->width || (entry->bytes - entry->width) % entry->stride) {
    err_set(e, "the file %s has %zu bytes; windows of %zu every %zu want %zu and a multiple of %zu",
            entry->name, entry->bytes, entry->width, entry->stride, entry->width, entry->stride);
    return at_entry(b, entry, e);
  }
  entry->windows = (int)((entry->bytes - entry->width) / entry->stride) + 1;
  return true;
}

static bool check_entry(struct batch *b, struct batch_entry *entry, const struct graph_tensor *in,
                        struct err *e) {
  const size_t reals = (size_t)graph_elements(in) * sizeof(float);
  const size_t want = b->format == BATCH_FLOAT32 ? reals : graph_bytes(in);
  if (entry->classes != b->classes) {
    err_set(e,
            b->format == BATCH_WINDOWS ? "%d classes; windows have %d, 0 normal and 1 anomaly"
                                       : "%d classes; the model's output has %d",
            entry->classes, b->classes);
    return at_entry(b, entry, e);
  }
  if (b->format == BATCH_WINDOWS) return set_windows(b, entry, reals, e);
  entry->windows = 1;
  if (entry->bytes == want) return true;
  err_set(e, "the file %s has %zu bytes; the model's input takes %zu as %s", entry->name,
          entry->bytes, want, batch_format_name((int)b->format));
  return at_entry(b, entry, e);
}

bool batch_open(struct arena *a, const struct graph *g, struct batch *b, struct err *e) {
  if (g->n_inputs != 1 || g->n_outputs != 1)
    return err_set(e,
                   "the model has %d inputs and %d outputs; a set of files is for models with one "
                   "of each",
                   g->n_inputs, g->n_outputs);
  const struct graph_tensor *in = &g->tensors[g->inputs[0]], *out = &g->tensors[g->outputs[0]];
  b->n = 0;
  b->labels = arena_printf(a, "%s/y_labels.csv", b->folder);
  if (!file_is_dir(b->folder)) {
    err_file(e, b->folder);
    return err_set(e, "a folder is needed, with y_labels.csv and the files that it lists");
  }
  if (!(file_exists(b->labels) ? read_labels(a, b, e) : read_names(a, b, e)) ||
      !find_files(a, b, e))
    return false;
  b->assumed = "as asked for";
  if (b->format == BATCH_GUESS && !guess(b, in, out, e)) return false;
  if (!check_format(b, in, out, e)) return false;
  if (b->format != BATCH_WINDOWS && graph_elements(out) > MOST_CLASSES)
    return err_set(e, "the model's output has %lld values; at most %d classes",
                   (long long)graph_elements(out), MOST_CLASSES);
  b->classes = b->format == BATCH_WINDOWS ? 2 : (int)graph_elements(out);
  b->windows = 0;
  for (int i = 0; i < b->n; i++) {
    if (!check_entry(b, &b->entries[i], in, e)) return false;
    b->windows += b->entries[i].windows;
  }
  return true;
}
