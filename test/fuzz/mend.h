/* Checksums of containers, made right again behind a mutation.
 *
 * A reader that checks a page's sum refuses nearly every mutant at the same place, so a search never comes to what lies
 * behind it: packets, code books, chunks. Each function walks the container as a reader would and writes the sums
 * that the bytes have now; what it does not recognise it leaves alone. Nothing grows. */
#ifndef TEST_FUZZ_MEND_H
#define TEST_FUZZ_MEND_H

#include <stdint.h>
#include <string.h>

#include <zlib.h>

/* The sum of an Ogg page: polynomial 0x04C11DB7, the upper bit first, from zero. */
static uint32_t mend_ogg_sum(const uint8_t *page, size_t n) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; i++) {
    sum ^= (uint32_t)page[i] << 24;
    for (int bit = 0; bit < 8; bit++) sum = sum << 1 ^ (sum >> 31 ? 0x04C11DB7u : 0);
  }
  return sum;
}

/* A page: 27 bytes, of which 22 to 25 are the sum and 26 counts the lengths that follow, then what these add up to. */
static void mend_ogg(uint8_t *bytes, size_t n) {
  for (size_t at = 0; at + 27 <= n;) {
    const size_t lengths = bytes[at + 26];
    size_t whole = 27 + lengths;
    if (memcmp(bytes + at, "OggS", 4) != 0 || at + whole > n) {
      at++;
      continue;
    }
    for (size_t i = 0; i < lengths; i++) whole += bytes[at + 27 + i];
    if (at + whole > n) {
      at++;
      continue;
    }
    memset(bytes + at + 22, 0, 4);
    const uint32_t sum = mend_ogg_sum(bytes + at, whole);
    for (int i = 0; i < 4; i++) bytes[at + 22 + (size_t)i] = (uint8_t)(sum >> 8 * i);
    at += whole;
  }
}

/* A chunk: its length, its name, as many bytes, and the sum of name and bytes; the upper byte of numbers first. */
static void mend_png(uint8_t *bytes, size_t n) {
  for (size_t at = 8; at + 12 <= n;) {
    const uint8_t *const p = bytes + at;
    const size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (length > n - at - 12) return;
    const uint32_t sum = (uint32_t)crc32(0, p + 4, (uInt)length + 4);
    for (int i = 0; i < 4; i++) bytes[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
    at += length + 12;
  }
}

/* A sum of `bits` bits, the upper bit first, from zero. */
static uint32_t mend_flac_sum(const uint8_t *p, size_t n, int bits, uint32_t polynomial) {
  uint32_t sum = 0;
  for (size_t i = 0; i < n; i++) {
    sum ^= (uint32_t)p[i] << (bits - 8);
    for (int bit = 0; bit < 8; bit++) sum = sum << 1 ^ (sum >> (bits - 1) & 1 ? polynomial : 0);
    sum &= (1u << bits) - 1;
  }
  return sum;
}

/* Bytes of a frame's head without its sum: four, its number as in UTF-8, and what codes of size and rate announce. */
static size_t mend_flac_head(const uint8_t *p) {
  size_t n = 5;
  for (unsigned first = p[4]; first >= 0xC0 && n < 11; first = first << 1 & 0xFF) n++;
  const unsigned size = p[2] >> 4, rate = p[2] & 15;
  n += size == 6 ? 1 : size == 7 ? 2 : 0;
  return n + (rate == 12 ? 1 : rate == 13 || rate == 14 ? 2 : 0);
}

/* A frame begins with 14 bits of its own, and goes on to the next one or to the end: sums of 8 bits behind its head and of
 * 16 bits behind itself. What looks like a beginning within a frame cuts it, as it may for a reader. */
static void mend_flac(uint8_t *bytes, size_t n) {
  for (size_t at = 0, next; at + 16 <= n; at = next) {
    const uint8_t *const p = bytes + at;
    next = at + 1;
    if (p[0] != 0xFF || (p[1] & 0xFE) != 0xF8) continue;
    while (next + 1 < n && !(bytes[next] == 0xFF && (bytes[next + 1] & 0xFE) == 0xF8)) next++;
    if (next + 1 >= n) next = n;
    const size_t head = mend_flac_head(p);
    if (next - at < head + 3) continue;
    bytes[at + head] = (uint8_t)mend_flac_sum(p, head, 8, 0x07);
    const uint32_t sum = mend_flac_sum(p, next - at - 2, 16, 0x8005);
    bytes[next - 2] = (uint8_t)(sum >> 8), bytes[next - 1] = (uint8_t)sum;
  }
}

/* What mends a format's checksums; NULL: it has none. */
static void (*mend_of(const char *format))(uint8_t *bytes, size_t n) {
  return strcmp(format, "ogg") == 0    ? mend_ogg
         : strcmp(format, "flac") == 0 ? mend_flac
         : strcmp(format, "png") == 0  ? mend_png
                                       : NULL;
}

#endif
