/* NumPy arrays: .npy, and .npz archives of them.
 *
 * Shapes, with the project's channels c: [n] is one recording of one channel, [n, c] one of n frames, [m, n, c] are
 * m of them; uint8 arrays [m, h, w] and [m, h, w, 1 or 3] are pictures. With an array of labels beside it
 * (--label-column), or --each-row, each first index is a recording, so that [m, f] are m rows of f values. An archive
 * may hold many arrays: --columns names the one with the data; where it is not named, the only one whose first
 * dimension is the longest in numbers is taken.
 *
 * source: the .npy format 1.0 to 3.0, and PKWARE's APPNOTE for the archive. */
#include "host/ingest/bytes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER  65536
#define MAX_ENTRIES 1000
#define MAX_LABELS  10000000

struct array {
  struct bytes bytes;
  struct number_type type;
  int rank;
  int64_t shape[8];
  char name[128];
  bool text; /* an array of fixed-width text, of `width` characters */
  int width, char_bytes;
};

struct entry { /* of an archive */
  char name[128];
  int64_t at, size;
  int64_t stored;
  bool deflated;
};

struct numpy {
  struct array data;
  char (*labels)[64];  /* malloc; [items] or NULL */
  int64_t items, next; /* recordings that the array holds */
  int64_t frames;      /* of one */
  int channels, width, height;
  int64_t left; /* frames of the current item */
  bool in_item, ended;
  struct ingest_pipe pipe;
  uint8_t *picture;
  bool take_rest, was_cut; /* what a file that was cut short holds is taken */
};

/* ---- header of an array -------------------------------------------------------------- */
/* What stands behind 'key': in the header's dictionary; NULL where there is none. */
static const char *value_of(const char *header, const char *key) {
  char quoted[32];
  snprintf(quoted, sizeof quoted, "'%s'", key);
  const char *at = strstr(header, quoted);
  if (!at) return NULL;
  at += strlen(quoted);
  while (*at == ' ' || *at == ':') at++;
  return *at ? at : NULL;
}

static bool parse_descr(struct array *a, const char *descr, struct err *e) {
  char order = 0, kind = 0;
  int bytes = 0;
  if (!descr || sscanf(descr, "'%c%c%d'", &order, &kind, &bytes) != 3)
    return err_set(e, "%s: an array of records or objects; arrays of numbers can be read", a->name);
  const bool number =
      (kind == 'b' && bytes == 1) ||
      ((kind == 'i' || kind == 'u') && (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8)) ||
      (kind == 'f' && (bytes == 2 || bytes == 4 || bytes == 8));
  a->text = kind == 'U' || kind == 'S';
  if ((!number && !a->text) || !strchr("<>|=", order) || bytes < 1 || bytes > 256)
    return err_set(e, "%s: type %.12s; integers and floats of 1 to 8 bytes can be read", a->name,
                   descr);
  a->type = (struct number_type){kind == 'f'   ? NUMBER_FLOAT
                                 : kind == 'i' ? NUMBER_SIGNED
                                               : NUMBER_UNSIGNED,
                                 bytes, order == '>'};
  a->char_bytes = kind == 'U' ? 4 : 1;
  a->width = bytes;
  return true;
}

static bool parse_shape(struct array *a, const char *at, struct err *e) {
  a->rank = 0;
  if (!at || *at++ != '(') return err_set(e, "%s: its header has no shape", a->name);
  int64_t total = 1;
  while (*at && *at != ')') {
    char *end = NULL;
    errno = 0;
    const long long n = strtoll(at, &end, 10);
    if (end == at || errno || n < 0 || a->rank == 8)
      return err_set(e, "%s: its shape cannot be read", a->name);
    if (n > 0 && total > INT64_MAX / 16 / n)
      return err_set(e, "%s: its shape is too large", a->name);
    total *= n ? n : 1;
    a->shape[a->rank++] = n;
    at = end;
    while (*at == ',' || *at == ' ' || *at == 'L') at++;
  }
  for (int i = 0; i < a->rank; i++)
    if (a->shape[i] == 0) return err_set(e, "%s: the array is empty", a->name);
  return *at == ')' || err_set(e, "%s: its shape cannot be read", a->name);
}

static bool read_header(struct array *a, struct err *e) {
  uint8_t head[12];
  size_t got, n;
  if (!bytes_read(&a->bytes, head, 10, &got) || memcmp(head, "\x93NUMPY", 6) != 0)
    return err_set(e, "%s: no NumPy array: it does not begin with \\x93NUMPY", a->name);
  n = (size_t)head[8] | (size_t)head[9] << 8;
  if (head[6] >= 2) {
    if (!bytes_read(&a->bytes, head + 10, 2, &got))
      return err_set(e, "%s: cut short in its header", a->name);
    n |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
  }
  if (n > MAX_HEADER) return err_set(e, "%s: a header of %zu bytes", a->name, n);
  char *header = calloc(1, n + 1);
  if (!header) return err_set(e, "no memory left");
  bool ok =
      bytes_read(&a->bytes, header, n, &got) || err_set(e, "%s: cut short in its header", a->name);
  const char *fortran = ok ? value_of(header, "fortran_order") : NULL;
  ok = ok && parse_descr(a, value_of(header, "descr"), e) &&
       parse_shape(a, value_of(header, "shape"), e);
  if (ok && a->rank > 1 && (!fortran || strncmp(fortran, "False", 5) != 0))
    ok =
        err_set(e, "%s: columns stand first in it (fortran_order); save numpy.ascontiguousarray(x)",
                a->name);
  free(header);
  return ok;
}

/* ---- the archive ---------------------------------------------------------------------- */
static uint32_t le(const uint8_t *p, int n) {
  uint32_t v = 0;
  while (n-- > 0) v = v << 8 | p[n];
  return v;
}

/* The central directory: name, place and size of each entry. */
static bool read_directory(const char *path, struct entry *entries, int *count, struct err *e) {
  uint8_t tail[22 + 1024], head[46];
  FILE *f = fopen(path, "rb");
  *count = 0;
  if (!f) return err_set(e, "cannot be opened: %s", strerror(errno));
  fseek(f, 0, SEEK_END);
  const long size = ftell(f), from = size > (long)sizeof tail ? size - (long)sizeof tail : 0;
  fseek(f, from, SEEK_SET);
  const long n = (long)fread(tail, 1, sizeof tail, f);
  long at = n - 22;
  while (at >= 0 && memcmp(tail + at, "PK\x05\x06", 4) != 0) at--;
  bool ok = at >= 0 || err_set(e, "no archive, or cut short: its directory is not at its end");
  const int n_entries = ok ? (int)le(tail + at + 10, 2) : 0;
  long place = ok ? (long)le(tail + at + 16, 4) : 0;
  for (int i = 0; ok && i < n_entries && i < MAX_ENTRIES; i++) {
    struct entry *x = &entries[*count];
    ok = fseek(f, place, SEEK_SET) == 0 && fread(head, 1, 46, f) == 46 &&
         memcmp(head, "PK\x01\x02", 4) == 0;
    const size_t name = ok ? le(head + 28, 2) : 0,
                 used = name < sizeof x->name - 1 ? name : sizeof x->name - 1;
    ok = ok && fread(x->name, 1, used, f) == used;
    if (!ok) {
      err_set(e, "damaged: entry %d of %d of its directory cannot be read", i + 1, n_entries);
      break;
    }
    x->name[used] = 0;
    x->deflated = le(head + 10, 2) == 8;
    x->stored = (int64_t)le(head + 20, 4);
    x->at = (int64_t)le(head + 42, 4);
    place += 46 + (long)name + (long)le(head + 30, 2) + (long)le(head + 32, 2);
    if (x->stored == 0xffffffff || x->at == 0xffffffff)
      ok = err_set(e, "%s is larger than 4 GiB; save it as .npy", x->name);
    const uint32_t method = le(head + 10, 2);
    if (ok && method != 0 && method != 8)
      ok =
          err_set(e, "%s is packed by method %u; stored and deflated can be read", x->name, method);
    (*count)++;
  }
  /* The bytes of an entry stand behind its own header. */
  for (int i = 0; ok && i < *count; i++) {
    ok = fseek(f, (long)entries[i].at, SEEK_SET) == 0 && fread(head, 1, 30, f) == 30 &&
         memcmp(head, "PK\x03\x04", 4) == 0;
    if (!ok) err_set(e, "damaged: the header of %s cannot be read", entries[i].name);
    entries[i].at += 30 + (int64_t)le(head + 26, 2) + (int64_t)le(head + 28, 2);
  }
  fclose(f);
  return ok;
}

static bool open_entry(const char *path, const struct entry *x, struct array *a, struct err *e) {
  snprintf(a->name, sizeof a->name, "%s", x->name);
  char *end = strstr(a->name, ".npy");
  if (end && end[4] == 0) *end = 0;
  return bytes_open(&a->bytes, path, x->at, x->stored, x->deflated, e) && read_header(a, e);
}

static int64_t total(const struct array *a) {
  int64_t n = 1;
  for (int i = 0; i < a->rank; i++) n *= a->shape[i];
  return n;
}

static bool same_name(const struct entry *x, const char *name) {
  const size_t n = strlen(name);
  return strncmp(x->name, name, n) == 0 && (x->name[n] == 0 || strcmp(x->name + n, ".npy") == 0);
}

static bool find_array(const char *path, const struct entry *entries, int n, const char *name,
                       struct array *out, struct err *e) {
  char list[400] = "";
  for (int i = 0; i < n; i++) {
    if (same_name(&entries[i], name)) return open_entry(path, &entries[i], out, e);
    const size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%.60s", i ? ", " : "", entries[i].name);
  }
  return err_set(e, "no array \"%s\" in it; there are: %s", name, list);
}

/* The array with most numbers; two of the same size are a question. */
static bool largest_array(struct ingest_reader *r, const struct entry *entries, int n,
                          struct array *out, struct err *e) {
  int best = -1;
  int64_t most = 0;
  bool twice = false;
  char list[400] = "";
  for (int i = 0; i < n; i++) {
    struct array a = {0};
    struct err ignored = {0};
    if (open_entry(r->path, &entries[i], &a, &ignored) && !a.text) {
      const int64_t size = total(&a);
      const size_t used = strlen(list);
      snprintf(list + used, sizeof list - used, "%s%.60s", used ? ", " : "", a.name);
      twice = size == most || (twice && size < most);
      if (size > most) most = size, best = i;
    }
    bytes_close(&a.bytes);
  }
  if (best < 0) return err_set(e, "no array of numbers in it");
  if (twice)
    return err_set(e, "several arrays of the same size in it; name one with --columns: %s", list);
  if (!open_entry(r->path, &entries[best], out, e)) return false;
  if (n > 1) ingest_note(r, "array %s taken of: %s", out->name, list);
  return true;
}

/* ---- labels ---------------------------------------------------------------------------- */
static void label_text(const struct array *a, const uint8_t *p, char out[64]) {
  if (!a->text) {
    snprintf(out, 64, "%.10g", number_at(p, a->type));
    return;
  }
  size_t n = 0;
  for (int i = 0; i < a->width && n < 63; i++) {
    const uint8_t *c = p + (ptrdiff_t)i * a->char_bytes;
    const uint8_t letter = a->type.big ? c[a->char_bytes - 1] : c[0];
    if (letter < ' ') break;
    out[n++] = (char)
        letter; /* beyond ASCII only the low byte of UTF-32: good enough to tell classes apart */
  }
  out[n] = 0;
}

static bool read_labels(struct numpy *s, struct array *a, struct err *e) {
  const size_t size = (size_t)(a->text ? a->width * a->char_bytes : a->type.bytes);
  uint8_t one[1024];
  size_t got;
  if (a->rank < 1 || total(a) != s->items || s->items > MAX_LABELS)
    return err_set(e, "%s holds %lld labels for %lld recordings", a->name, (long long)total(a),
                   (long long)s->items);
  s->labels = calloc((size_t)s->items, sizeof *s->labels);
  if (!s->labels) return err_set(e, "no memory left");
  for (int64_t i = 0; i < s->items; i++) {
    if (!bytes_read(&a->bytes, one, size, &got))
      return err_set(e, "%s: cut short behind label %lld", a->name, (long long)i);
    label_text(a, one, s->labels[i]);
  }
  return true;
}

/* ---- shape ------------------------------------------------------------------------------ */
static const char *shape_text(const struct array *a, char out[128]) {
  int n = snprintf(out, 128, "[");
  for (int i = 0; i < a->rank && n < 100; i++)
    n += snprintf(out + n, 128 - (size_t)n, "%s%lld", i ? ", " : "", (long long)a->shape[i]);
  snprintf(out + n, 128 - (size_t)n, "]");
  return out;
}

static bool plan(struct ingest_reader *r, struct numpy *s, bool labelled, struct err *e) {
  const struct array *a = &s->data;
  const struct ingest_options *o = r->o;
  const int64_t last = a->rank ? a->shape[a->rank - 1] : 1;
  const bool bytes = a->type.kind == NUMBER_UNSIGNED && a->type.bytes == 1,
             rows = labelled || o->each_row;
  char shape[128];
  s->items = 1;
  s->channels = 1;
  s->take_rest = o->skip_bad_rows;
  if (a->text) return err_set(e, "%s is an array of text", a->name);
  if (a->rank == 4 && bytes && (last == 1 || last == 3)) {
    s->items = a->shape[0], s->height = (int)a->shape[1], s->width = (int)a->shape[2],
    s->channels = (int)last;
  } else if (a->rank == 3 && bytes && (o->channels == 0 || o->channels == 1) && last > 3) {
    s->items = a->shape[0], s->height = (int)a->shape[1], s->width = (int)a->shape[2];
  } else if (a->rank == 1) {
    s->frames = last;
  } else if (a->rank == 2 && rows) {
    s->items = a->shape[0];
    const bool series = o->channels == 1;
    s->frames = series ? last : 1;
    s->channels = series ? 1 : (int)(last > INGEST_MAX_CHANNELS ? 0 : last);
  } else if (a->rank == 2 || a->rank == 3) {
    s->items = a->rank == 3 ? a->shape[0] : 1;
    s->frames = a->shape[a->rank - 2];
    s->channels = (int)(last > INGEST_MAX_CHANNELS ? 0 : last);
  } else {
    return err_set(
        e, "%s has the shape %s; [n], [n, channels], [m, n, channels] and pictures can be read",
        a->name, shape_text(a, shape));
  }
  if ((s->width || s->height) && (a->shape[1] > 65535 || a->shape[2] > 65535 ||
                                  (int64_t)s->width * s->height > INGEST_MAX_PIXELS))
    return err_set(e, "%s has the shape %s: pictures of more than %lld pixels", a->name,
                   shape_text(a, shape), (long long)INGEST_MAX_PIXELS);
  if (s->channels < 1 || (o->channels > 0 && o->channels != s->channels))
    return err_set(e,
                   "%s has the shape %s: %lld channels, and the project has %d (sensor.channels in "
                   "mote.yaml)%s",
                   a->name, shape_text(a, shape), (long long)(s->channels ? s->channels : last),
                   o->channels,
                   a->rank == 2 && !rows ? "; --each-row makes a recording of each row" : "");
  return true;
}

/* ---- recordings --------------------------------------------------------------------------- */
static int64_t numpy_frames(void *state, float *frames, int64_t room, struct err *e) {
  struct numpy *s = state;
  const size_t size = (size_t)s->data.type.bytes, frame = (size_t)s->channels * size;
  uint8_t buffer[16384];
  const size_t most = sizeof buffer / frame;
  size_t want = (size_t)room < most ? (size_t)room : most, got;
  if ((int64_t)want > s->left) want = (size_t)s->left;
  if (want == 0) return 0;
  if (!bytes_read(&s->data.bytes, buffer, want * frame, &got)) {
    const int64_t there = s->frames - s->left + (int64_t)(got / frame);
    if (!s->take_rest || s->items > 1 || there == 0)
      return err_set(e, "%s: cut short: of recording %lld of %lld, %lld of %lld frames are there%s",
                     s->data.name, (long long)s->next, (long long)s->items, (long long)there,
                     (long long)s->frames,
                     s->items == 1 && there ? "; --skip-bad-rows takes those" : ""),
             -1;
    want = got / frame;
    s->left = (int64_t)want;
    s->was_cut = true;
  }
  for (size_t i = 0; i < want * (size_t)s->channels; i++)
    frames[i] = (float)number_at(buffer + i * size, s->data.type);
  s->left -= (int64_t)want;
  return (int64_t)want;
}

static bool next_picture(struct ingest_reader *r, struct numpy *s, struct ingest_recording *out,
                         struct err *e) {
  const size_t n = (size_t)s->width * (size_t)s->height * (size_t)s->channels;
  size_t got;
  if (!s->picture) s->picture = malloc(n);
  if (!s->picture) return err_set(e, "no memory left");
  if (!bytes_read(&s->data.bytes, s->picture, n, &got))
    return err_set(e, "%s: cut short: picture %lld of %lld is not whole", s->data.name,
                   (long long)s->next, (long long)s->items);
  out->type = INGEST_UINT8;
  out->rate_hz = out->source_rate_hz = r->o->rate_hz > 0 ? r->o->rate_hz : 1;
  out->channels = s->channels;
  out->width = s->width;
  out->height = s->height;
  out->length = (int64_t)s->width * s->height;
  out->data = s->picture;
  return true;
}

static bool next_series(struct ingest_reader *r, struct numpy *s, struct ingest_recording *out,
                        bool *there, struct err *e) {
  if (!s->in_item) {
    const double rate = r->o->source_rate_hz > 0 ? r->o->source_rate_hz
                        : r->o->rate_hz > 0      ? r->o->rate_hz
                                                 : 1;
    if (!pipe_begin(&s->pipe, r->o, s->channels, rate,
                    s->data.type.kind == NUMBER_FLOAT ? 32768.0 : 1.0, false, e))
      return false;
    s->in_item = true;
    s->ended = false;
    s->left = s->frames;
    s->next++;
  }
  if (!pipe_piece(r, &s->pipe, numpy_frames, s, &s->ended, out, there, e)) return false;
  if (s->was_cut) ingest_note(r, "cut short: what is there was taken");
  if (s->ended && (!*there || pipe_frames(&s->pipe) <= out->length)) s->in_item = false;
  return true;
}

static bool numpy_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                       struct err *e) {
  struct numpy *s = r->state;
  while (!*there) {
    if (!s->in_item && s->next == s->items) return true;
    if (s->width) {
      s->next++;
      if (!next_picture(r, s, out, e)) return false;
      *there = true;
    } else if (!next_series(r, s, out, there, e)) {
      return false;
    }
  }
  out->independent = s->items > 1;
  if (s->items > 1)
    out->part = arena_printf(r->turn, "%lld%s%s", (long long)s->next - 1, out->part[0] ? ", " : "",
                             out->part);
  if (s->labels) out->label = s->labels[s->next - 1];
  return true;
}

static bool numpy_open(struct ingest_reader *r, struct err *e) {
  struct numpy *s = ARENA_NEW(r->arena, struct numpy);
  r->state = s;
  snprintf(s->data.name, sizeof s->data.name, "array");
  if (!bytes_open_gz(&s->data.bytes, r->path, e) || !read_header(&s->data, e) ||
      !plan(r, s, false, e))
    return false;
  if (!s->width && !(r->o->source_rate_hz > 0) && r->o->rate_hz > 0)
    ingest_note(r, "arrays tell no rate: taken as %g Hz", r->o->rate_hz);
  return true;
}

static bool npz_open(struct ingest_reader *r, struct err *e) {
  struct numpy *s = ARENA_NEW(r->arena, struct numpy);
  struct entry *entries = ARENA_ARRAY(r->arena, struct entry, MAX_ENTRIES);
  const struct ingest_options *o = r->o;
  int n = 0;
  r->state = s;
  if (!read_directory(r->path, entries, &n, e)) return false;
  if (!(o->columns ? find_array(r->path, entries, n, o->columns, &s->data, e)
                   : largest_array(r, entries, n, &s->data, e)) ||
      !plan(r, s, o->label_column != NULL, e))
    return false;
  if (!s->width && !(o->source_rate_hz > 0) && o->rate_hz > 0)
    ingest_note(r, "arrays tell no rate: taken as %g Hz", o->rate_hz);
  if (!o->label_column) return true;
  struct array labels = {0};
  const bool ok =
      find_array(r->path, entries, n, o->label_column, &labels, e) && read_labels(s, &labels, e);
  bytes_close(&labels.bytes);
  return ok;
}

static void numpy_close(struct ingest_reader *r) {
  struct numpy *s = r->state;
  if (!s) return;
  bytes_close(&s->data.bytes);
  pipe_free(&s->pipe);
  free(s->labels);
  free(s->picture);
}

const struct ingest_format ingest_numpy = {"NumPy array", numpy_open, numpy_next, numpy_close};
const struct ingest_format ingest_npz = {"NumPy archive", npz_open, numpy_next, numpy_close};
