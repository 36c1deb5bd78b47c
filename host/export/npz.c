/* .npz: a ZIP of .npy, stored. source: APPNOTE.TXT of PKWARE, version 2.0 features; numpy.lib.format. */
#include "host/export/private.h"

#include <string.h>
#include <zlib.h>

#define MAX_ARRAYS 64
#define MAX_BYTES  0xfffffff0u /* what fields of 32 bits can tell */
#define LOCAL_HEAD 30

struct entry {
  char name[64];
  uint32_t crc, size, offset;
};

struct export_npz {
  struct export_file out;
  struct entry entries[MAX_ARRAYS];
  int n;
  uint64_t at;      /* where the next byte goes */
  uint64_t missing; /* bytes that the array still wants */
  bool open;
};

static void put(uint8_t *to, int bytes, uint64_t v) {
  for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(v >> (8 * i));
}

static bool emit(struct export_npz *z, const void *data, size_t n, struct err *e) {
  if (z->at + n > MAX_BYTES) {
    err_file(e, z->out.path);
    return err_set(e,
                   "an .npz of more than 4 GB is not written; pick fewer samples, or --format npy");
  }
  (void)fwrite(data, 1, n, z->out.f); /* a full disk is found when the file ends */
  z->at += n;
  return true;
}

bool export_npz_open(struct arena *a, const char *path, struct export_npz **z, struct err *e) {
  *z = ARENA_NEW(a, struct export_npz);
  return export_create(&(*z)->out, path, e);
}

/* Fields that both heads of an entry have, from "version needed" on. */
static void put_entry(uint8_t *to, const struct entry *f) {
  put(to, 2, 20);
  put(to + 8, 2, 0x21); /* the first day that a ZIP knows: the same samples give the same file */
  put(to + 10, 4, f->crc);
  put(to + 14, 4, f->size);
  put(to + 18, 4, f->size);
  put(to + 22, 2, strlen(f->name));
}

static bool begin(struct export_npz *z, const char *name, const char *code, size_t each,
                  const int64_t *shape, int n_shape, struct err *e) {
  char header[EXPORT_NPY_HEADER];
  uint8_t head[LOCAL_HEAD] = "PK\x03\x04";
  if (z->n == MAX_ARRAYS || z->open)
    return err_internal(e, "array %s of an .npz is out of turn", name);
  struct entry *f = &z->entries[z->n];
  snprintf(f->name, sizeof f->name, "%s.npy", name);
  f->offset = (uint32_t)z->at;
  put_entry(head + 4, f);
  const size_t n = export_npy_header(header, code, shape, n_shape);
  z->missing = each;
  for (int i = 0; i < n_shape; i++) z->missing *= (uint64_t)shape[i];
  f->crc = (uint32_t)crc32(0, (const Bytef *)header, (uInt)n);
  f->size = (uint32_t)n;
  z->open = true;
  return emit(z, head, sizeof head, e) && emit(z, f->name, strlen(f->name), e) &&
         emit(z, header, n, e);
}

bool export_npz_begin(struct export_npz *z, const char *name, enum export_type type,
                      const int64_t *shape, int n_shape, struct err *e) {
  return begin(z, name, export_npy_code(type), export_type_bytes(type), shape, n_shape, e);
}

bool export_npz_write(struct export_npz *z, const void *data, size_t bytes, struct err *e) {
  struct entry *f = &z->entries[z->n];
  if (!z->open || bytes > z->missing)
    return err_internal(e, "%zu bytes more than array %s has", bytes, f->name);
  z->missing -= bytes;
  if (!emit(z, data, bytes, e)) return false;
  f->crc = (uint32_t)crc32_z(f->crc, data, bytes);
  f->size += (uint32_t)bytes;
  return true;
}

bool export_npz_end(struct export_npz *z, struct err *e) {
  struct entry *f = &z->entries[z->n];
  uint8_t sums[12];
  if (!z->open || z->missing)
    return err_internal(e, "array %s lacks %llu bytes", f->name, (unsigned long long)z->missing);
  z->open = false;
  z->n++;
  put(sums, 4, f->crc);
  put(sums + 4, 4, f->size);
  put(sums + 8, 4, f->size);
  if (fseek(z->out.f, (long)f->offset + 14, SEEK_SET) != 0) return err_internal(e, "no way back");
  (void)fwrite(sums, 1, sizeof sums, z->out.f);
  return fseek(z->out.f, (long)z->at, SEEK_SET) == 0 || err_internal(e, "no way forward");
}

/* One letter of UTF-8; what is none is told as U+FFFD, a byte at a time. */
static uint32_t next_letter(const unsigned char **text) {
  const unsigned char *t = *text;
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  const int more = t[0] < 0x80       ? 0
                   : t[0] >> 5 == 6  ? 1
                   : t[0] >> 4 == 14 ? 2
                   : t[0] >> 3 == 30 ? 3
                                     : -1;
  uint32_t letter = more <= 0 ? t[0] : t[0] & (0x3fu >> more);
  *text = t + 1;
  if (more < 0) return 0xfffd;
  for (int i = 1; i <= more; i++) {
    if (t[i] >> 6 != 2) return 0xfffd;
    letter = letter << 6 | (t[i] & 0x3f);
  }
  if (letter < least[more] || letter > 0x10ffff) return 0xfffd;
  *text = t + 1 + more;
  return letter;
}

static int count_letters(const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  int n = 0;
  while (*at) (void)next_letter(&at), n++;
  return n;
}

bool export_npz_texts(struct export_npz *z, const char *name, const char *const *texts, int64_t n,
                      struct err *e) {
  int longest = 1;
  char code[16];
  for (int64_t i = 0; i < n; i++) {
    const int letters = count_letters(texts[i]);
    if (letters > longest) longest = letters;
  }
  snprintf(code, sizeof code, "<U%d", longest);
  if (!begin(z, name, code, 4 * (size_t)longest, &n, 1, e)) return false;
  for (int64_t i = 0; i < n; i++) {
    const unsigned char *at = (const unsigned char *)texts[i];
    for (int k = 0; k < longest; k++) {
      uint8_t letter[4];
      put(letter, 4, *at ? next_letter(&at) : 0);
      if (!export_npz_write(z, letter, 4, e)) return false;
    }
  }
  return export_npz_end(z, e);
}

static bool write_directory(struct export_npz *z, struct err *e) {
  const uint64_t start = z->at;
  for (int i = 0; i < z->n; i++) {
    const struct entry *f = &z->entries[i];
    uint8_t head[46] = "PK\x01\x02";
    put(head + 4, 2, 20);
    put_entry(head + 6, f);
    put(head + 42, 4, f->offset);
    if (!emit(z, head, sizeof head, e) || !emit(z, f->name, strlen(f->name), e)) return false;
  }
  uint8_t tail[22] = "PK\x05\x06";
  put(tail + 8, 2, (uint64_t)z->n);
  put(tail + 10, 2, (uint64_t)z->n);
  put(tail + 12, 4, z->at - start);
  put(tail + 16, 4, start);
  return emit(z, tail, sizeof tail, e);
}

bool export_npz_close(struct export_npz *z, bool ok, struct err *e) {
  ok = ok && write_directory(z, e);
  return export_finish(&z->out, ok, e);
}
