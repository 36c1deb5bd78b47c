/* spool: what came of a recording that is not over yet, in a file beside memory.
 *
 * How it works: a head of fixed size, the caller's note, then frames as they are in memory. Once a second the new frames are
 * written and made safe, then the head is, with the rate as it is known by then: whatever the moment of a power cut, the file holds
 * whole frames. The recorder keeps a lock on the file while it lives, so that nobody takes what is still growing.
 *
 * invariant: a file that cannot be written any more (a full disk) never ends the recording: each second it is tried again, and
 * the end is told when it stayed so. Bytes of a file are hostile. */
#include "host/record/private.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAFE_EVERY_S 1.0
#define MAGIC        "MOTEREC1"
#define NOTE_MOST    65536u

struct head {
  char magic[8];
  uint32_t note_bytes;
  uint16_t int16, channels;
  double rate_hz; /* 0: not known yet */
  uint32_t measured, zero;
};

static size_t frame_bytes(bool int16, int channels) {
  return (size_t)channels * (int16 ? sizeof(int16_t) : sizeof(float));
}

static bool write_at(int file, const void *data, size_t n, off_t at) {
  for (const char *from = data; n;) {
    const ssize_t some = pwrite(file, from, n, at);
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) return false;
    from += some, at += some, n -= (size_t)some;
  }
  return true;
}

static bool write_head(struct recorder *r) {
  const struct record_request *q = r->q;
  struct record_rate_result rate;
  struct head h = {.magic = MAGIC,
                   .note_bytes = (uint32_t)strlen(q->note),
                   .int16 = q->int16,
                   .channels = (uint16_t)q->channels,
                   .rate_hz = q->rate_hz};
  if (!(h.rate_hz > 0) && record_rate_measure(&r->rate, &rate)) h.rate_hz = rate.hz, h.measured = 1;
  return write_at(r->spool, &h, sizeof h, 0);
}

bool record_spool_begin(struct recorder *r, struct err *e) {
  const struct record_request *q = r->q;
  r->spool = -1;
  if (!q->spool) return true;
  err_file(e, q->spool);
  if (strlen(q->note) > NOTE_MOST) return err_set(e, "a note of more than %u bytes", NOTE_MOST);
  r->spool = open(q->spool, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (r->spool < 0)
    return err_set(e, "%s: a recording keeps there what came until it is over", strerror(errno));
  if (flock(r->spool, LOCK_EX | LOCK_NB) == 0 && write_head(r) &&
      write_at(r->spool, q->note, strlen(q->note), sizeof(struct head))) {
    e->file[0] = 0;
    return true;
  }
  err_set(e, "%s", strerror(errno));
  close(r->spool);
  unlink(q->spool);
  r->spool = -1;
  return false;
}

static bool write_new(struct recorder *r) {
  const size_t each = frame_bytes(r->q->int16, r->q->channels);
  const size_t from = (size_t)r->spooled * each, to = (size_t)r->length * each;
  const off_t start = (off_t)(sizeof(struct head) + strlen(r->q->note));
  return write_at(r->spool, r->data + from, to - from, start + (off_t)from) &&
         fdatasync(r->spool) == 0 && write_head(r);
}

static void write_rest(struct recorder *r) {
  r->out->spool_error = 0;
  if (r->length <= r->spooled) return;
  if (write_new(r))
    r->spooled = r->length;
  else
    r->out->spool_error = errno;
}

void record_spool_write(struct recorder *r, double now_s) {
  if (r->spool < 0 || now_s - r->spooled_s < SAFE_EVERY_S) return;
  write_rest(r);
  r->spooled_s = now_s;
}

void record_spool_end(struct recorder *r) {
  if (r->spool < 0) return;
  /* The rest, so that what the caller cannot store is whole here. */
  write_rest(r);
  r->out->spooled = r->spooled;
  r->out->spool_lock = r->spool;
}

/* ---- what a recorder left ------------------------------------------------------------- */
static bool take(struct arena *a, uint8_t *bytes, size_t n, struct record_left *out,
                 struct err *e) {
  struct head h;
  out->note = "";
  if (memcmp(bytes, MAGIC, n < sizeof h.magic ? n : sizeof h.magic) != 0)
    return err_set(e, "no recording");
  if (n < sizeof h) return true; /* the power went before anything was safe */
  memcpy(&h, bytes, sizeof h);
  if (h.channels < 1 || h.channels > RECORD_MAX_CHANNELS || h.int16 > 1 ||
      !(h.rate_hz >= 0 && h.rate_hz <= 1e9) || h.note_bytes > n - sizeof h)
    return err_set(e, "a damaged head: %u channels, %g Hz, %u bytes of note in %zu", h.channels,
                   h.rate_hz, h.note_bytes, n);
  const size_t each = frame_bytes(h.int16, h.channels), start = sizeof h + h.note_bytes;
  out->note = arena_printf(a, "%.*s", (int)h.note_bytes, (const char *)bytes + sizeof h);
  out->int16 = h.int16;
  out->channels = h.channels;
  out->rate_hz = h.rate_hz;
  out->measured = h.measured != 0;
  out->length = (int64_t)((n - start) / each);
  /* A sample of its own memory, so that numbers are aligned whatever the note's length is. */
  void *const data = arena_alloc(a, (size_t)out->length * each, 8);
  memcpy(data, bytes + start, (size_t)out->length * each);
  out->data = data;
  for (int64_t i = 0; !h.int16 && i < out->length * h.channels; i++)
    if (!isfinite(((const float *)data)[i])) return err_set(e, "number %lld is none", (long long)i);
  return true;
}

bool record_left(struct arena *a, const char *path, struct record_left *out, struct err *e) {
  memset(out, 0, sizeof *out);
  err_file(e, path);
  /* A pipe of this name has nobody who writes: not waited for. */
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return err_set(e, "%s", strerror(errno));
  struct stat st;
  if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode)) {
    close(file);
    return err_set(e, "no recording: not a file of bytes on a disk");
  }
  out->busy = flock(file, LOCK_SH | LOCK_NB) != 0;
  close(file);
  if (out->busy) return true;
  uint8_t *bytes;
  size_t n;
  return file_read(a, path, RECORD_MAX_BYTES + NOTE_MOST + sizeof(struct head), &bytes, &n, e) &&
         take(a, bytes, n, out, e);
}
