/* Which reader takes a file: by the end of its name, else by its first bytes. And what all readers share: cutting
 * by labels of stretches, notes, and reading everything at once. */
#include "host/ingest/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Of one recording's words; of one picture. */
#define TURN_BYTES   ((size_t)256 << 20)
#define READER_BYTES ((size_t)512 << 20)

/* ---- kinds of files ----------------------------------------------------------------- */
static const struct {
  const char *ending;
  const struct ingest_format *format;
} endings[] = {
    {".wav", &ingest_audio},
    {".wave", &ingest_audio},
    {".flac", &ingest_audio},
    {".ogg", &ingest_audio},
    {".oga", &ingest_audio},
    {".opus", &ingest_audio},
    {".aif", &ingest_audio},
    {".aiff", &ingest_audio},
    {".au", &ingest_audio},
    {".caf", &ingest_audio},
    {".w64", &ingest_audio},
    {".rf64", &ingest_audio},
    {".mp3", &ingest_audio},
    {".csv", &ingest_table},
    {".tsv", &ingest_table},
    {".txt", &ingest_table},
    {".tab", &ingest_table},
    {".csv.gz", &ingest_table},
    {".json", &ingest_acquisition},
    {".cbor", &ingest_acquisition},
    {".jpg", &ingest_picture},
    {".jpeg", &ingest_picture},
    {".png", &ingest_picture},
    {".pgm", &ingest_picture},
    {".ppm", &ingest_picture},
    {".pnm", &ingest_picture},
    {".npy", &ingest_numpy},
    {".npz", &ingest_npz},
    {"-images-idx3-ubyte", &ingest_idx},
    {"-images-idx3-ubyte.gz", &ingest_idx},
    {"-images.idx3-ubyte", &ingest_idx},
    {".hea", &ingest_wfdb},
};

static const struct ingest_format *by_name(const char *path) {
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
    if (ingest_ends_with(path, endings[i].ending)) return endings[i].format;
  return NULL;
}

bool ingest_ends_with(const char *path, const char *ending) {
  size_t length = strlen(path), end = strlen(ending);
  return length > end && strcasecmp(path + length - end, ending) == 0;
}

bool ingest_is_picture(const char *path) { return by_name(path) == &ingest_picture; }

/* What the first bytes tell; `why` where it is known and cannot be read. */
struct magic {
  size_t at, n;
  const char *bytes;
  const struct ingest_format *format;
  const char *why;
};
static const struct magic magics[] = {
    {0, 4, "RIFF", &ingest_audio, NULL},
    {0, 4, "RF64", &ingest_audio, NULL},
    {0, 4, "fLaC", &ingest_audio, NULL},
    {0, 4, "OggS", &ingest_audio, NULL},
    {0, 4, "FORM", &ingest_audio, NULL},
    {0, 6, "\x93NUMPY", &ingest_numpy, NULL},
    {0, 3, "\xff\xd8\xff", &ingest_picture, NULL},
    {0, 8, "\x89PNG\r\n\x1a\n", &ingest_picture, NULL},
    {0, 2, "P5", &ingest_picture, NULL},
    {0, 2, "P6", &ingest_picture, NULL},
    {0, 4, "\0\0\x08\x03", &ingest_idx, NULL},
    {0, 4, "PAR1", NULL,
     "Parquet, which no library of Debian's reads from C; turn it into a table first: "
     "python3 -c \"import pandas; pandas.read_parquet('IN').to_csv('OUT.csv', index=False)\""},
    {0, 8, "\x89HDF\r\n\x1a\n", NULL, "HDF5; write its arrays as .npy or .csv first"},
    {0, 4, "PK\x03\x04", NULL, "a zip archive; unpack it and add the folder"},
    {0, 6,
     "\xfd"
     "7zXZ",
     NULL, "an xz archive; unpack it and add the folder"},
    {4, 4, "ftyp", NULL, "a film; split it into pictures first: ffmpeg -i IN %05d.png"},
    {0, 9, "------for", NULL, "a form as a browser sends it; add the file inside of it"},
    {0, 3, "BM6", NULL, "a BMP picture; write it as PNG first"},
    {0, 4, "GIF8", NULL, "a GIF picture; write it as PNG first"},
    {0, 15, "SQLite format 3", NULL, "an SQLite database; export a table as CSV first"},
};

/* A JSON object, or a CBOR map with a text as its first key. */
static bool looks_like_acquisition(const uint8_t *head, size_t n) {
  size_t i = 0;
  while (i < n && (head[i] == ' ' || head[i] == '\n' || head[i] == '\r' || head[i] == '\t')) i++;
  if (i < n && head[i] == '{') return true;
  return n > 2 && ((head[0] >= 0xa1 && head[0] <= 0xa8) || head[0] == 0xbf) && head[1] >= 0x61 &&
         head[1] <= 0x7b;
}

/* Text, with digits and something between them. */
static bool looks_like_table(const uint8_t *head, size_t n) {
  bool digit = false, between = false;
  for (size_t i = 0; i < n; i++) {
    if (head[i] < ' ' && head[i] != '\t' && head[i] != '\n' && head[i] != '\r') return false;
    if (head[i] == 0x7f) return false;
    digit = digit || (head[i] >= '0' && head[i] <= '9');
    between = between || strchr(",;\t|", head[i]) != NULL;
  }
  return digit && between;
}

static const struct ingest_format *by_content(const char *path, const char **why) {
  uint8_t head[256];
  FILE *f = fopen(path, "rb");
  size_t n = f ? fread(head, 1, sizeof head, f) : 0;
  if (f) fclose(f);
  *why = NULL;
  /* A film in a RIFF is no sound. */
  if (n >= 12 && memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "AVI ", 4) == 0)
    return *why = "a film; split it into pictures first: ffmpeg -i IN %05d.png", NULL;
  for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
    const struct magic *m = &magics[i];
    if (n < m->at + m->n || memcmp(head + m->at, m->bytes, m->n) != 0) continue;
    *why = m->why;
    return m->format;
  }
  if (looks_like_acquisition(head, n)) return &ingest_acquisition;
  return looks_like_table(head, n) ? &ingest_table : NULL;
}

static bool find_format(struct ingest_reader *r, struct err *e) {
  struct stat info;
  const char *why = NULL;
  if (stat(r->path, &info) != 0) return err_set(e, "cannot be opened: %s", strerror(errno));
  if (!S_ISREG(info.st_mode)) return err_set(e, "this is not a file");
  if (info.st_size == 0) return err_set(e, "the file is empty");
  r->format = r->o->raw ? &ingest_raw : by_name(r->path);
  if (r->format) return true;
  r->format = by_content(r->path, &why);
  if (r->format) return true;
  if (why) return err_set(e, "this is %s", why);
  return err_set(e, "unknown kind of file; recordings are .wav .flac .ogg .aiff (sound), .csv .tsv "
                    ".txt (tables), "
                    ".json .cbor (acquisition files), .jpg .png .pgm .ppm (pictures), .npy .npz "
                    "idx (arrays), .hea "
                    "(WFDB), or numbers without a header with --raw");
}

bool ingest_known(const char *path) {
  const char *why;
  /* Lists, notes and licences are .txt, too. */
  if (ingest_ends_with(path, ".txt")) return by_content(path, &why) == &ingest_table;
  return by_name(path) != NULL;
}

static bool pick_format(struct ingest_reader *r, struct err *e) {
  if (!find_format(r, e)) return false;
  if (r->format == &ingest_picture && r->o->no_pictures) {
    r->format = NULL;
    return err_set(e, "a picture, and the project's sensor is none that takes pictures "
                      "(sensor.kind in mote.yaml; kind: sensor does)");
  }
  return true;
}

/* ---- readers -------------------------------------------------------------------------- */
void ingest_note(struct ingest_reader *r, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (r->notes.size && strstr(r->notes.data, text)) return;
  if (r->notes.size > 4000) return;
  if (r->notes.size) text_add(&r->notes, "; ");
  text_add(&r->notes, text);
}

const char *ingest_notes(const struct ingest_reader *r) {
  return r->notes.size ? r->notes.data : "";
}

bool ingest_open(const char *path, const struct ingest_options *o, struct ingest_reader **reader,
                 struct err *e) {
  struct ingest_reader *r = calloc(1, sizeof *r);
  *reader = NULL;
  if (!r) return err_set(e, "no memory left");
  r->arena = arena_new(READER_BYTES);
  r->turn = arena_new(TURN_BYTES);
  if (!r->arena || !r->turn) {
    arena_free(r->arena);
    arena_free(r->turn);
    free(r);
    return err_set(e, "no memory left");
  }
  r->path = arena_strdup(r->arena, path);
  r->o = o;
  text_init(&r->notes, r->arena);
  if (pick_format(r, e) && r->format->open(r, e)) return *reader = r, true;
  err_file(e, path);
  ingest_close(r);
  return false;
}

void ingest_close(struct ingest_reader *r) {
  if (!r) return;
  if (r->format) r->format->close(r);
  free(r->crop);
  arena_free(r->arena);
  arena_free(r->turn);
  free(r);
}

void ingest_set_spans(struct ingest_reader *r, const struct ingest_span *spans, int n) {
  r->spans = spans;
  r->n_spans = n;
  r->next_span = 0;
}

void ingest_set_boxes(struct ingest_reader *r, const struct ingest_box *boxes, int n) {
  r->boxes = boxes;
  r->n_boxes = n;
}

/* ---- labels of stretches ------------------------------------------------------------ */
/* Frame of the file -> frame of the piece, limited to it. */
static int64_t span_frame(const struct ingest_recording *w, int64_t frame) {
  const double at = (double)frame * (w->rate_hz / w->source_rate_hz) - (double)w->start + 0.5;
  return at <= 0 ? 0 : at >= (double)w->length ? w->length : (int64_t)at;
}

/* The next stretch of r->whole as a recording of its own. */
static bool cut_next(struct ingest_reader *r, struct ingest_recording *out) {
  const struct ingest_recording *w = &r->whole;
  while (r->next_span < r->n_spans) {
    const struct ingest_span *s = &r->spans[r->next_span++];
    const int64_t start = span_frame(w, s->start), end = span_frame(w, s->end);
    if (end <= start) continue;
    *out = *w;
    out->data =
        (const uint8_t *)w->data + (size_t)start * (size_t)w->channels * ingest_type_bytes(w->type);
    out->length = end - start;
    out->start = w->start + start;
    out->label = s->label;
    out->piece = false;
    out->part = arena_printf(r->turn, "%s%sframes %lld-%lld", w->part, w->part[0] ? ", " : "",
                             (long long)(w->start + start), (long long)(w->start + end - 1));
    return true;
  }
  return false;
}

static int limited(int x, int most) { return x < 0 ? 0 : x > most ? most : x; }

/* The next box of the picture r->whole as a picture of its own; what lies outside is cut off. */
static bool crop_next(struct ingest_reader *r, struct ingest_recording *out) {
  const struct ingest_recording *w = &r->whole;
  const size_t pixel = (size_t)w->channels;
  while (r->next_box < r->n_boxes) {
    const struct ingest_box *b = &r->boxes[r->next_box++];
    /* |x| <= 1e6 and so are the sizes: sums fit into int. */
    const int left = limited(b->x, w->width), right = limited(b->x + b->width, w->width);
    const int top = limited(b->y, w->height), bottom = limited(b->y + b->height, w->height);
    if (right <= left || bottom <= top) continue;
    const size_t row = (size_t)(right - left) * pixel;
    for (int y = top; y < bottom; y++)
      memcpy(r->crop + (size_t)(y - top) * row,
             (const uint8_t *)w->data + ((size_t)y * (size_t)w->width + (size_t)left) * pixel, row);
    *out = *w;
    out->data = r->crop;
    out->width = right - left;
    out->height = bottom - top;
    out->length = (int64_t)out->width * out->height;
    out->label = b->label;
    out->independent = false; /* boxes of one picture stay on one side */
    out->part = arena_printf(r->turn, "%s%s%dx%d at %d,%d", w->part, w->part[0] ? ", " : "",
                             out->width, out->height, left, top);
    return true;
  }
  return false;
}

/* The labels that lie in this piece, in its own frames. */
static void keep_spans(struct ingest_reader *r, struct ingest_recording *w) {
  struct ingest_span *spans = ARENA_ARRAY(r->turn, struct ingest_span, r->n_spans);
  w->n_spans = 0;
  for (int i = 0; i < r->n_spans; i++) {
    const int64_t start = span_frame(w, r->spans[i].start), end = span_frame(w, r->spans[i].end);
    if (end > start) spans[w->n_spans++] = (struct ingest_span){start, end, r->spans[i].label};
  }
  w->spans = spans;
}

static bool next_whole(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                       struct err *e) {
  memset(out, 0, sizeof *out);
  out->part = "";
  *there = false;
  arena_free(r->turn);
  r->turn = arena_new(TURN_BYTES);
  if (!r->turn) return err_set(e, "no memory left");
  if (r->format->next(r, out, there, e)) return true;
  if (r->given > 0 && strlen(e->text) < sizeof e->text - 80)
    snprintf(e->text + strlen(e->text), 80, " (%lld recordings in front of it were read)",
             (long long)r->given);
  return false;
}

/* Hands labels on, or begins to cut. */
static bool with_labels(struct ingest_reader *r, struct ingest_recording *out, struct err *e) {
  const bool boxes = out->width > 0 && r->n_boxes > 0;
  r->whole = *out;
  if (!r->o->cut) {
    if (boxes) out->boxes = r->boxes, out->n_boxes = r->n_boxes;
    if (r->n_spans) keep_spans(r, out);
    return true;
  }
  r->next_span = r->next_box = 0;
  r->cutting = true;
  if (!boxes) return true;
  free(r->crop);
  r->crop = malloc((size_t)out->length * (size_t)out->channels);
  return r->crop || err_set(e, "no memory left");
}

static bool next_one(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                     struct err *e) {
  for (;;) {
    if (r->cutting && (r->whole.width > 0 ? crop_next(r, out) : cut_next(r, out)))
      return *there = true;
    r->cutting = false;
    if (!next_whole(r, out, there, e)) return false;
    if (!*there || (out->width > 0 ? r->n_boxes == 0 : r->n_spans == 0)) return true;
    if (!with_labels(r, out, e)) return false;
    if (!r->cutting) return true;
  }
}

bool ingest_next(struct ingest_reader *r, struct ingest_recording *recording, bool *there,
                 struct err *e) {
  bool ok = next_one(r, recording, there, e);
  if (ok && *there) r->given++;
  if (ok && !*there && r->given == 0) ok = err_set(e, "there is no recording in it");
  if (!ok) err_file(e, r->path);
  return ok;
}

const void *ingest_numbers(struct arena *a, const struct ingest_recording *r,
                           enum ingest_type type) {
  if (r->type == type) return r->data;
  const int64_t n = r->length * r->channels;
  int16_t *shorts = type == INGEST_INT16 ? ARENA_ARRAY(a, int16_t, n) : NULL;
  float *floats = shorts ? NULL : ARENA_ARRAY(a, float, n);
  for (int64_t i = 0; i < n; i++) {
    const float value = r->type == INGEST_UINT8   ? ((const uint8_t *)r->data)[i]
                        : r->type == INGEST_INT16 ? ((const int16_t *)r->data)[i]
                                                  : ((const float *)r->data)[i];
    if (shorts)
      shorts[i] = (int16_t)(value < -32768 ? -32768 : value > 32767 ? 32767 : value);
    else
      floats[i] = value;
  }
  return shorts ? (const void *)shorts : floats;
}

/* ---- everything at once ------------------------------------------------------------- */
static const char *kept_text(struct arena *a, const char *text) {
  return text ? arena_strdup(a, text) : NULL;
}

static bool keep(struct arena *a, struct ingest_recording *r, struct err *e) {
  const size_t bytes = (size_t)r->length * (size_t)r->channels * ingest_type_bytes(r->type);
  if (bytes + 65536 > arena_left(a))
    return err_set(e, "not enough memory is left for %zu bytes of numbers", bytes);
  r->data = memcpy(arena_alloc(a, bytes, 1), r->data, bytes);
  r->part = arena_strdup(a, r->part);
  r->label = kept_text(a, r->label);
  r->group = kept_text(a, r->group);
  /* What stands in the reader's own memory is not for those who read everything at once. */
  r->spans = NULL;
  r->boxes = NULL;
  r->metadata = NULL;
  r->n_spans = r->n_boxes = r->n_metadata = 0;
  return true;
}

bool ingest_read(struct arena *a, const char *path, const struct ingest_options *o,
                 struct ingest_recording **recordings, int *count, struct err *e) {
  struct ingest_reader *reader = NULL;
  int room = 0;
  bool there = true;
  *count = 0;
  *recordings = NULL;
  bool ok = ingest_open(path, o, &reader, e);
  while (ok && there) {
    struct ingest_recording r;
    ok = ingest_next(reader, &r, &there, e);
    if (!ok || !there) break;
    if (*count == room) {
      room = room ? room * 2 : 4;
      if ((size_t)room * sizeof r + 65536 > arena_left(a)) {
        ok = err_set(e, "not enough memory is left for %d recordings", room);
        break;
      }
      struct ingest_recording *more = ARENA_ARRAY(a, struct ingest_recording, room);
      if (*count) memcpy(more, *recordings, (size_t)*count * sizeof r);
      *recordings = more;
    }
    ok = keep(a, &r, e);
    if (ok) (*recordings)[(*count)++] = r;
  }
  if (!ok) {
    err_file(e, path);
    *count = 0;
  }
  ingest_close(reader);
  return ok;
}
