/* One recording or picture, one file: WAV, CSV, PNG, .npy. */
#include "host/export/private.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

static bool fail(const char *path, struct err *e) {
  err_file(e, path);
  return err_set(e, "cannot be written: %s", strerror(errno));
}

bool export_create(struct export_file *o, const char *path, struct err *e) {
  snprintf(o->path, sizeof o->path, "%s", path);
  snprintf(o->beside, sizeof o->beside, "%s.part", o->path);
  errno = ENAMETOOLONG;
  if (strlen(path) >= sizeof o->path) return fail(path, e);
  o->f = fopen(o->beside, "wb");
  return o->f || fail(path, e);
}

bool export_finish(struct export_file *o, bool ok, struct err *e) {
  const bool whole = ok && fflush(o->f) == 0 && !ferror(o->f);
  const int why = errno;
  const bool closed = fclose(o->f) == 0;
  o->f = NULL;
  if (whole && closed && rename(o->beside, o->path) == 0) return true;
  if (ok) {
    if (!whole) errno = why;
    fail(o->path, e);
  }
  unlink(o->beside);
  return false;
}

size_t export_type_bytes(enum export_type type) {
  static const size_t bytes[] = {2, 4, 1, 4, 8, 8};
  return bytes[type];
}

static size_t bytes_of(const struct export_numbers *s) {
  return (size_t)s->length * (size_t)s->channels * export_type_bytes(s->type);
}

/* ---- WAV ---------------------------------------------------------------------------------- */
static void put16(uint8_t *to, unsigned v) {
  to[0] = (uint8_t)v;
  to[1] = (uint8_t)(v >> 8);
}
static void put32(uint8_t *to, uint32_t v) {
  put16(to, v & 0xffff);
  put16(to + 2, v >> 16);
}

bool export_wav(const char *path, const struct export_numbers *s, struct err *e) {
  const size_t bytes = bytes_of(s), each = export_type_bytes(s->type);
  struct export_file o;
  uint8_t head[44] = "RIFF....WAVEfmt ";
  if ((s->type != EXPORT_INT16 && s->type != EXPORT_FLOAT32) || s->channels > 65535 ||
      bytes > 0xffffff00u || !(s->rate_hz >= 0.5 && s->rate_hz < 4e9))
    return err_set(e, "a WAV holds int16 or float32 of at most 4 GB at a whole rate above 0");
  const uint32_t rate = (uint32_t)lround(s->rate_hz),
                 frame = (uint32_t)(each * (size_t)s->channels);
  put32(head + 4, (uint32_t)(36 + bytes));
  put32(head + 16, 16);
  put16(head + 20, s->type == EXPORT_INT16 ? 1 : 3); /* PCM, IEEE float */
  put16(head + 22, (unsigned)s->channels);
  put32(head + 24, rate);
  put32(head + 28, rate * frame);
  put16(head + 32, frame);
  put16(head + 34, (unsigned)(8 * each));
  memcpy(head + 36, "data", 4);
  put32(head + 40, (uint32_t)bytes);
  if (!export_create(&o, path, e)) return false;
  (void)fwrite(head, 1, sizeof head, o.f);
  (void)fwrite(s->data, 1, bytes, o.f);
  return export_finish(&o, true, e);
}

/* ---- CSV ---------------------------------------------------------------------------------- */
static void print_number(FILE *f, const struct export_numbers *s, int64_t i) {
  if (s->type == EXPORT_FLOAT32)
    fprintf(f, "%.9g", (double)((const float *)s->data)[i]);
  else
    fprintf(f, "%d",
            s->type == EXPORT_INT16 ? ((const int16_t *)s->data)[i]
                                    : ((const uint8_t *)s->data)[i]);
}

bool export_csv(const char *path, const struct export_numbers *s, const char *const *names,
                struct err *e) {
  struct export_file o;
  if (s->type > EXPORT_UINT8) return err_internal(e, "no CSV of type %d", (int)s->type);
  if (!export_create(&o, path, e)) return false;
  fputs("time_ms", o.f);
  for (int k = 0; k < s->channels; k++)
    if (names)
      fprintf(o.f, ",%s", names[k]);
    else
      fprintf(o.f, ",c%d", k + 1);
  fputc('\n', o.f);
  for (int64_t i = 0; i < s->length; i++) {
    fprintf(o.f, "%.10g", s->rate_hz > 0 ? 1000.0 * (double)i / s->rate_hz : (double)i);
    for (int k = 0; k < s->channels; k++) {
      fputc(',', o.f);
      print_number(o.f, s, i * s->channels + k);
    }
    fputc('\n', o.f);
  }
  return export_finish(&o, true, e);
}

/* ---- PNG ------------------------------------------------------------------------------------ */
static void on_png_error(png_structp png, png_const_charp message) {
  (void)message;
  longjmp(*(jmp_buf *)png_get_error_ptr(png), 1);
}
static void on_png_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

/* Apart, so that nothing that setjmp may spoil lives here. */
static bool write_png(FILE *f, const struct export_numbers *s) {
  static const int colours[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  jmp_buf back;
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &back, on_png_error, on_png_warning);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(back)) {
    png_destroy_write_struct(&png, NULL);
    return false;
  }
  png_init_io(png, f);
  png_set_IHDR(png, info, (png_uint_32)s->width, (png_uint_32)s->height, 8, colours[s->channels],
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int y = 0; y < s->height; y++)
    png_write_row(png,
                  (png_const_bytep)s->data + (size_t)y * (size_t)s->width * (size_t)s->channels);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return true;
}

bool export_png(const char *path, const struct export_numbers *s, struct err *e) {
  struct export_file o;
  if (s->type != EXPORT_UINT8 || s->height < 1 || s->width < 1 || s->channels > 4)
    return err_set(e, "a PNG holds a picture of 1 to 4 channels, not %d", s->channels);
  if (!export_create(&o, path, e)) return false;
  errno = EIO;
  const bool ok = write_png(o.f, s);
  if (!ok) fail(path, e);
  return export_finish(&o, ok, e);
}

/* ---- .npy ------------------------------------------------------------------------------------- */
const char *export_npy_code(enum export_type type) {
  static const char *const codes[] = {"<i2", "<f4", "|u1", "<i4", "<i8", "<f8"};
  return codes[type];
}

size_t export_npy_header(char header[EXPORT_NPY_HEADER], const char *code, const int64_t *shape,
                         int n_shape) {
  char text[192], dims[128] = "";
  int n = 0;
  for (int i = 0; i < n_shape; i++)
    n += snprintf(dims + n, sizeof dims - (size_t)n, "%lld,%s", (long long)shape[i],
                  i + 1 < n_shape ? " " : "");
  int size = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                      code, dims);
  const int whole = (10 + size + 1 + 63) / 64 * 64; /* the numbers begin at a multiple of 64 */
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  put16((uint8_t *)header + 8, (unsigned)(whole - 10));
  memcpy(header + 10, text, (size_t)size);
  memset(header + 10 + size, ' ', (size_t)(whole - 10 - size));
  header[whole - 1] = '\n';
  return (size_t)whole;
}

bool export_npy(const char *path, const struct export_numbers *s, struct err *e) {
  char header[EXPORT_NPY_HEADER];
  struct export_file o;
  const bool picture = s->height > 0;
  const int64_t shape[3] = {picture ? s->height : s->length, picture ? s->width : s->channels,
                            s->channels};
  const size_t n = export_npy_header(header, export_npy_code(s->type), shape, picture ? 3 : 2);
  if (!export_create(&o, path, e)) return false;
  (void)fwrite(header, 1, n, o.f);
  (void)fwrite(s->data, 1, bytes_of(s), o.f);
  return export_finish(&o, true, e);
}
