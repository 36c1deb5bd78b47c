/* IDX: the pictures of MNIST and its relatives, `...-images-idx3-ubyte` beside `...-labels-idx1-ubyte`, both plain or
 * gzipped. A picture is a recording of uint8 pixels, its label the number at the same place of the labels file.
 * source: the description on the pages of MNIST: 0 0 type rank, big-endian sizes, numbers. */
#include "host/ingest/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct idx {
  struct bytes images, labels;
  bool labelled;
  int64_t count, next;
  int width, height;
  uint8_t *picture;
};

static int64_t be32(const uint8_t *p) {
  return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static bool read_head(struct bytes *b, int rank, int64_t *sizes, const char *what, struct err *e) {
  uint8_t head[16];
  size_t got;
  const size_t n = 4 + 4 * (size_t)rank; /* <= 16 */
  if (!bytes_read(b, head, n, &got) || head[0] || head[1])
    return err_set(e, "no IDX file of %s: it does not begin with 0 0 8 %d", what, rank);
  if (head[2] != 8 || head[3] != rank)
    return err_set(e, "IDX type 0x%02x of %d dimensions; %s are bytes (0x08) of %d dimensions",
                   head[2], head[3], what, rank);
  for (int i = 0; i < rank; i++) sizes[i] = be32(head + 4 + 4 * i);
  return true;
}

/* train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, or the same without .gz; NULL: not there. */
static const char *labels_path(struct arena *a, const char *path) {
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  char *out = arena_strdup(a, path), *at = strstr(out + (name - path), "images");
  if (!at) return NULL;
  memcpy(at, "labels", 6);
  char *rank = strstr(at, "idx3");
  if (rank) rank[3] = '1';
  if (file_exists(out)) return out;
  if (ingest_ends_with(out, ".gz"))
    out[strlen(out) - 3] = 0;
  else
    out = arena_printf(a, "%s.gz", out);
  return file_exists(out) ? out : NULL;
}

static bool open_labels(struct ingest_reader *r, struct idx *s, struct err *e) {
  int64_t n;
  const char *path = labels_path(r->arena, r->path);
  if (!path) return ingest_note(r, "no labels file beside the pictures"), true;
  if (!bytes_open_gz(&s->labels, path, e) || !read_head(&s->labels, 1, &n, "labels", e))
    return err_file(e, path), false;
  s->labelled = true;
  if (n == s->count) return true;
  err_file(e, path);
  return err_set(e, "%lld labels for %lld pictures", (long long)n, (long long)s->count);
}

static bool idx_open(struct ingest_reader *r, struct err *e) {
  struct idx *s = ARENA_NEW(r->arena, struct idx);
  int64_t sizes[3];
  r->state = s;
  if (!bytes_open_gz(&s->images, r->path, e) || !read_head(&s->images, 3, sizes, "pictures", e))
    return false;
  if (sizes[1] < 1 || sizes[2] < 1 || sizes[1] > 65535 || sizes[2] > 65535 ||
      sizes[1] * sizes[2] > INGEST_MAX_PIXELS)
    return err_set(e, "pictures of %lld x %lld pixels", (long long)sizes[2], (long long)sizes[1]);
  s->count = sizes[0];
  s->height = (int)sizes[1];
  s->width = (int)sizes[2];
  if (r->o->channels > 1)
    return err_set(
        e, "grey pictures of 1 channel, and the project has %d (sensor.channels in mote.yaml)",
        r->o->channels);
  s->picture = malloc((size_t)(sizes[1] * sizes[2]));
  if (!s->picture) return err_set(e, "no memory left");
  return open_labels(r, s, e);
}

static bool idx_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                     struct err *e) {
  struct idx *s = r->state;
  const size_t n = (size_t)s->width * (size_t)s->height;
  size_t got;
  uint8_t label;
  *there = s->next < s->count;
  if (!*there) return true;
  if (!bytes_read(&s->images, s->picture, n, &got) ||
      (s->labelled && !bytes_read(&s->labels, &label, 1, &got)))
    return err_set(e, "cut short: picture %lld of %lld is not whole", (long long)s->next + 1,
                   (long long)s->count);
  out->type = INGEST_UINT8;
  out->rate_hz = out->source_rate_hz = r->o->rate_hz > 0 ? r->o->rate_hz : 1;
  out->channels = 1;
  out->independent = true;
  out->width = s->width;
  out->height = s->height;
  out->length = (int64_t)n;
  out->data = s->picture;
  out->part = arena_printf(r->turn, "%lld", (long long)s->next);
  if (s->labelled) out->label = arena_printf(r->turn, "%d", label);
  s->next++;
  return true;
}

static void idx_close(struct ingest_reader *r) {
  struct idx *s = r->state;
  if (!s) return;
  bytes_close(&s->images);
  bytes_close(&s->labels);
  free(s->picture);
}

const struct ingest_format ingest_idx = {"IDX", idx_open, idx_next, idx_close};
