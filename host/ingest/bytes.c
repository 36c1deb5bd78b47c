/* Streams of bytes, and numbers in them. */
#include "host/ingest/bytes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IN_BYTES 65536

bool bytes_open_gz(struct bytes *b, const char *path, struct err *e) {
  b->gz = gzopen(path, "rb");
  return b->gz || err_set(e, "cannot be opened: %s", strerror(errno));
}

bool bytes_open(struct bytes *b, const char *path, int64_t at, int64_t size, bool deflated,
                struct err *e) {
  b->file = fopen(path, "rb");
  if (!b->file || fseek(b->file, (long)at, SEEK_SET) != 0)
    return err_set(e, "cannot be opened: %s", strerror(errno));
  b->left = size;
  if (!deflated) return true;
  b->in = malloc(IN_BYTES);
  if (!b->in || inflateInit2(&b->z, -15) != Z_OK) return err_set(e, "no memory left");
  b->inflated = true;
  return true;
}

void bytes_close(struct bytes *b) {
  if (b->inflated) inflateEnd(&b->z);
  if (b->file) fclose(b->file);
  if (b->gz) gzclose(b->gz);
  free(b->in);
  memset(b, 0, sizeof *b);
}

static bool read_inflated(struct bytes *b, uint8_t *to, size_t n, size_t *got) {
  b->z.next_out = to;
  b->z.avail_out = (unsigned)n; /* <= 1 GiB: portions are small */
  while (b->z.avail_out > 0) {
    if (b->z.avail_in == 0) {
      const size_t want = b->left < IN_BYTES ? (size_t)b->left : IN_BYTES;
      b->z.avail_in = (unsigned)fread(b->in, 1, want, b->file);
      b->z.next_in = b->in;
      b->left -= b->z.avail_in;
    }
    const int code = inflate(&b->z, Z_NO_FLUSH);
    if (code == Z_STREAM_END || (code != Z_OK) ||
        (b->z.avail_in == 0 && b->left == 0 && b->z.avail_out > 0))
      break;
  }
  *got = n - b->z.avail_out;
  return *got == n;
}

bool bytes_read(struct bytes *b, void *to, size_t n, size_t *got) {
  *got = 0;
  if (b->inflated) return read_inflated(b, to, n, got);
  if (b->gz) {
    const int now = gzread(b->gz, to, (unsigned)n);
    *got = now > 0 ? (size_t)now : 0;
    return *got == n;
  }
  const size_t want = (int64_t)n > b->left ? (size_t)b->left : n;
  *got = fread(to, 1, want, b->file);
  b->left -= (int64_t)*got;
  return *got == n;
}

static double half(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const double sign = h >> 15 ? -1.0 : 1.0;
  if (exponent == 31) return fraction ? (double)NAN : sign * (double)INFINITY;
  return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

double number_at(const uint8_t *p, struct number_type t) {
  uint64_t bits = 0;
  for (int i = 0; i < t.bytes; i++) bits = bits << 8 | p[t.big ? i : t.bytes - 1 - i];
  if (t.kind == NUMBER_UNSIGNED) return (double)bits;
  if (t.kind == NUMBER_SIGNED) {
    const int shift = 64 - 8 * t.bytes;
    return (double)((int64_t)(bits << shift) >> shift);
  }
  if (t.bytes == 2) return half((uint16_t)bits);
  if (t.bytes == 4) {
    float f;
    const uint32_t low = (uint32_t)bits;
    memcpy(&f, &low, 4);
    return (double)f;
  }
  double d;
  memcpy(&d, &bits, 8);
  return d;
}
