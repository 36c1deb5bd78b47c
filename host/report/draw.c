/* draw: escaped text, numbers, axes, the colour ramp and images (an indexed PNG whose deflate blocks are stored:
 * the images are small, and so no compression library is needed). */
#include "host/report/draw.h"

#include <math.h>
#include <string.h>

/* Length of the valid UTF-8 character at s, or 0. Overlong forms, surrogates and values above U+10FFFF are not. */
static int utf8_length(const unsigned char *s) {
  if (s[0] < 0x80) return 1;
  int n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
  for (int i = 1; i < n; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  if (s[0] == 0xE0 && s[1] < 0xA0) return 0;
  if (s[0] == 0xED && s[1] > 0x9F) return 0;
  if (s[0] == 0xF0 && s[1] < 0x90) return 0;
  if (s[0] == 0xF4 && s[1] > 0x8F) return 0;
  return n;
}

void draw_text(struct text *t, const char *s) {
  if (!s) return;
  for (const unsigned char *p = (const unsigned char *)s; *p;) {
    int n = utf8_length(p);
    if (*p == '&')
      text_add(t, "&amp;");
    else if (*p == '<')
      text_add(t, "&lt;");
    else if (*p == '>')
      text_add(t, "&gt;");
    else if (*p == '"')
      text_add(t, "&quot;");
    else if (*p == '\'')
      text_add(t, "&#39;");
    else if (n == 0 || (*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7F)
      text_add(t, "\xEF\xBF\xBD");
    else
      text_addn(t, (const char *)p, (size_t)n);
    p += n ? n : 1;
  }
}

void draw_string(struct text *t, const char *s) {
  text_add(t, "\"");
  for (const unsigned char *p = (const unsigned char *)(s ? s : ""); *p;) {
    const int n = utf8_length(p);
    if (n == 0)
      text_add(t, "\xEF\xBF\xBD");
    else if (*p < 0x20 || *p == 0x7F || strchr("\"\\<>&", *p))
      text_printf(t, "\\u%04x", *p);
    else
      text_addn(t, (const char *)p, (size_t)n);
    p += n ? n : 1;
  }
  text_add(t, "\"");
}

/* snprintf writes the decimal point of the locale; a page wants a point. */
static void point(char *s) {
  for (; *s; s++)
    if (*s == ',') *s = '.';
}

void draw_coordinate(struct text *t, double value) {
  char s[40];
  if (!isfinite(value)) value = 0;
  if (value > 1e9) value = 1e9;
  if (value < -1e9) value = -1e9;
  snprintf(s, sizeof s, "%.2f", value);
  point(s);
  size_t n = strlen(s);
  while (s[n - 1] == '0') s[--n] = 0;
  if (s[n - 1] == '.') s[--n] = 0;
  text_add(t, strcmp(s, "-0") == 0 ? "0" : s);
}

const char *draw_number(struct arena *a, double value, int decimals) {
  char digits[64], out[96];
  if (!isfinite(value) || fabs(value) > 1e18) return "\xE2\x80\x93";
  snprintf(digits, sizeof digits, "%.*f",
           decimals < 0   ? 0
           : decimals > 9 ? 9
                          : decimals,
           fabs(value));
  point(digits);
  size_t whole = strcspn(digits, "."), o = 0;
  bool zero = strspn(digits, "0.") == strlen(digits);
  if (value < 0 && !zero) o += (size_t)snprintf(out, sizeof out, "\xE2\x88\x92");
  for (size_t i = 0; digits[i]; i++) {
    if (i && i < whole && (whole - i) % 3 == 0) out[o++] = ',';
    out[o++] = digits[i];
  }
  out[o] = 0;
  return arena_strdup(a, out);
}

struct draw_axis draw_axis(double low, double high, int wanted) {
  struct draw_axis axis = {.low = low, .high = high};
  double rough = (high - low) / (wanted < 1 ? 1 : wanted);
  double power = pow(10, floor(log10(rough)));
  double lead = rough / power;
  axis.step = power * (lead <= 1.0 ? 1 : lead <= 2.0 ? 2 : lead <= 5.0 ? 5 : 10);
  axis.low = floor(low / axis.step + 1e-9) * axis.step;
  axis.high = ceil(high / axis.step - 1e-9) * axis.step;
  double exponent = floor(log10(axis.step) + 1e-9);
  axis.decimals = exponent < 0 ? (int)-exponent : 0;
  return axis;
}

/* Straight line in Oklab's lightness with the hue turning from violet over teal to yellow, then to sRGB.
 * source: Ottosson 2020, Oklab; the inverse matrices are his. */
/* The ramp: perceptually uniform, dark violet over green to pale yellow, x in [0, 1]. Lightness rises evenly, so it
 * reads in grey too. */
static void draw_ramp(double x, unsigned char rgb[3]) {
  x = x < 0 ? 0 : x > 1 ? 1 : x;
  const double turn = 3.14159265358979323846 / 180;
  double lightness = 0.17 + 0.77 * x;
  double hue = (290 - 185 * x) * turn;
  double chroma = 0.055 + 0.19 * x * (1 - x) + 0.085 * x;
  double a = chroma * cos(hue), b = chroma * sin(hue);
  double l = lightness + 0.3963377774 * a + 0.2158037573 * b;
  double m = lightness - 0.1055613458 * a - 0.0638541728 * b;
  double s = lightness - 0.0894841775 * a - 1.2914855480 * b;
  l *= l * l, m *= m * m, s *= s * s;
  double linear[3] = {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
                      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
                      -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
  for (int i = 0; i < 3; i++) {
    double v = linear[i] < 0 ? 0 : linear[i] > 1 ? 1 : linear[i];
    v = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
    rgb[i] = (unsigned char)lround(v * 255);
  }
}

/* ---- PNG ------------------------------------------------------------------ */
/* Bytes of the file, at most about 4 MiB for the largest image. */
struct bytes {
  unsigned char *data;
  size_t n;
};

static void put(struct bytes *b, const void *data, size_t n) {
  memcpy(b->data + b->n, data, n);
  b->n += n;
}

static void put_u32(struct bytes *b, uint32_t v) {
  unsigned char s[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                        (unsigned char)v};
  put(b, s, 4);
}

/* CRC-32 as PNG defines it. source: ISO/IEC 15948, annex D. */
static uint32_t crc_of(const unsigned char *p, size_t n) {
  uint32_t crc = 0xFFFFFFFFu;
  for (size_t i = 0; i < n; i++) {
    crc ^= p[i];
    for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ ((crc & 1) ? 0xEDB88320u : 0);
  }
  return ~crc;
}

/* Length, name, content, checksum over name and content. */
static void put_chunk(struct bytes *b, const char *name, const unsigned char *content, size_t n) {
  put_u32(b, (uint32_t)n);
  size_t start = b->n;
  put(b, name, 4);
  if (n) put(b, content, n);
  put_u32(b, crc_of(b->data + start, b->n - start));
}

/* A zlib stream of stored blocks. source: RFC 1950 and RFC 1951, 3.2.4. */
static void put_stored(struct bytes *b, const unsigned char *raw, size_t n) {
  put(b, "\x78\x01", 2);
  uint32_t low = 1, high = 0;
  for (size_t at = 0; at < n;) {
    size_t take = n - at > 65535 ? 65535 : n - at;
    unsigned char head[5] = {at + take == n, (unsigned char)take, (unsigned char)(take >> 8),
                             (unsigned char)~take, (unsigned char)(~take >> 8)};
    put(b, head, 5);
    put(b, raw + at, take);
    for (size_t i = 0; i < take; i++) {
      low = (low + raw[at + i]) % 65521;
      high = (high + low) % 65521;
    }
    at += take;
  }
  put_u32(b, high << 16 | low);
}

void draw_base64(struct text *t, const unsigned char *p, size_t n) {
  static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n; i += 3) {
    uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                 (i + 2 < n ? p[i + 2] : 0);
    char s[4] = {digit[v >> 18], digit[v >> 12 & 63], i + 1 < n ? digit[v >> 6 & 63] : '=',
                 i + 2 < n ? digit[v & 63] : '='};
    text_addn(t, s, 4);
  }
}

/* A PNG as a data URI. raw: rows, each behind the byte of its filter; palette: 64 colours, or NULL for `colours` bytes a pixel. */
static void add_png(struct text *t, int columns, int rows, int colours,
                    const unsigned char *palette, const unsigned char *raw, size_t raw_bytes) {
  enum { PALETTE = 64 * 3 };
  struct bytes data = {arena_alloc(t->arena, raw_bytes + raw_bytes / 65535 * 5 + 64, 1), 0};
  put_stored(&data, raw, raw_bytes);
  struct bytes file = {arena_alloc(t->arena, data.n + PALETTE + 128, 1), 0};
  put(&file, "\x89PNG\r\n\x1A\n", 8);
  struct bytes head = {(unsigned char[16]){0}, 0};
  put_u32(&head, (uint32_t)columns);
  put_u32(&head, (uint32_t)rows);
  put(&head, palette ? "\x08\x03\0\0\0" : colours == 3 ? "\x08\x02\0\0\0" : "\x08\0\0\0\0", 5);
  put_chunk(&file, "IHDR", head.data, head.n);
  if (palette) put_chunk(&file, "PLTE", palette, PALETTE);
  put_chunk(&file, "IDAT", data.data, data.n);
  put_chunk(&file, "IEND", NULL, 0);
  text_add(t, "data:image/png;base64,");
  draw_base64(t, file.data, file.n);
}

void draw_image(struct text *t, int columns, int rows, const unsigned char *levels) {
  enum { COLOURS = 64 };
  size_t raw_bytes = (size_t)rows * ((size_t)columns + 1);
  unsigned char *raw = arena_alloc(t->arena, raw_bytes, 1);
  for (int y = 0, o = 0; y < rows; y++) {
    raw[o++] = 0; /* no filter */
    for (int x = 0; x < columns; x++)
      raw[o++] = levels[(size_t)y * (size_t)columns + (size_t)x] >> 2;
  }
  unsigned char palette[COLOURS * 3];
  for (int i = 0; i < COLOURS; i++) draw_ramp(i / (double)(COLOURS - 1), palette + 3 * i);
  add_png(t, columns, rows, 1, palette, raw, raw_bytes);
}

void draw_picture(struct text *t, int columns, int rows, int colours, const unsigned char *pixels) {
  const size_t row = (size_t)columns * (size_t)colours;
  unsigned char *raw = arena_alloc(t->arena, (size_t)rows * (row + 1), 1);
  for (int y = 0; y < rows; y++) {
    raw[(size_t)y * (row + 1)] = 0;
    memcpy(raw + (size_t)y * (row + 1) + 1, pixels + (size_t)y * row, row);
  }
  add_png(t, columns, rows, colours, NULL, raw, (size_t)rows * (row + 1));
}
