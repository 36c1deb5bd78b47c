/* Pictures: JPEG through libjpeg-turbo, PNG through libpng, PGM and PPM (P2, P3, P5, P6) here.
 *
 * A picture is one recording of uint8 pixels, row by row, grey or red-green-blue. Grey from colour is
 * (77 r + 150 g + 29 b + 128) / 256, the luma that JPEG itself holds; transparency shows black. A picture that is
 * damaged is refused even where the library would fill in grey. */
#include "host/ingest/private.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

/* A progressive JPEG may have any number of scans, each as dear as a picture. */
#define MAX_SCANS 100

struct picture {
  uint8_t *pixels; /* malloc; [height][width][channels] */
  int width, height, channels;
  bool given;
};

static bool check_size(int64_t width, int64_t height, struct err *e) {
  if (width < 1 || height < 1 || width > 65535 || height > 65535 ||
      width * height > INGEST_MAX_PIXELS)
    return err_set(e, "%lld x %lld pixels; at most %lld in all can be read: make it smaller first",
                   (long long)width, (long long)height, (long long)INGEST_MAX_PIXELS);
  return true;
}

static bool make_pixels(struct picture *p, int64_t width, int64_t height, int channels,
                        struct err *e) {
  if (!check_size(width, height, e)) return false;
  p->width = (int)width;
  p->height = (int)height;
  p->channels = channels;
  p->pixels = calloc((size_t)(width * height), (size_t)channels);
  return p->pixels || err_set(e, "no memory left");
}

/* ---- JPEG ------------------------------------------------------------------------ */
struct jpeg_guard {
  struct jpeg_error_mgr manager;
  struct jpeg_progress_mgr progress;
  jmp_buf back;
  char text[JMSG_LENGTH_MAX];
};

static void jpeg_failed(j_common_ptr info) {
  struct jpeg_guard *g = (struct jpeg_guard *)(void *)info->err;
  info->err->format_message(info, g->text);
  longjmp(g->back, 1);
}
/* The first warning counts as damage: what follows it is made up. */
static void jpeg_message(j_common_ptr info, int level) {
  if (level < 0) jpeg_failed(info);
}
static void jpeg_progress(j_common_ptr info) {
  struct jpeg_guard *g = (struct jpeg_guard *)(void *)info->err;
  if (((j_decompress_ptr)info)->input_scan_number <= MAX_SCANS) return;
  snprintf(g->text, sizeof g->text, "more than %d scans", MAX_SCANS);
  longjmp(g->back, 1);
}

static bool jpeg_header(struct jpeg_decompress_struct *d, const struct ingest_options *o,
                        struct picture *p, struct err *e) {
  jpeg_read_header(d, TRUE);
  if (d->num_components != 1 && d->num_components != 3)
    return err_set(e, "a JPEG of %d colours (CMYK); write it as RGB first", d->num_components);
  d->out_color_space = d->num_components == 1 || o->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  /* An RGB JPEG without luma cannot be read as grey: it is made grey later. */
  if (d->out_color_space == JCS_GRAYSCALE && d->jpeg_color_space == JCS_RGB)
    d->out_color_space = JCS_RGB;
  d->dct_method = JDCT_ISLOW;
  return make_pixels(p, d->image_width, d->image_height,
                     d->out_color_space == JCS_GRAYSCALE ? 1 : 3, e);
}

static bool read_jpeg(FILE *f, const struct ingest_options *o, struct picture *p, struct err *e) {
  struct jpeg_decompress_struct d;
  struct jpeg_guard guard;
  memset(&d, 0, sizeof d);
  memset(&guard, 0, sizeof guard);
  d.err = jpeg_std_error(&guard.manager);
  guard.manager.error_exit = jpeg_failed;
  guard.manager.emit_message = jpeg_message;
  guard.progress.progress_monitor = jpeg_progress;
  if (setjmp(guard.back)) {
    jpeg_destroy_decompress(&d);
    return err_set(e, "damaged or no JPEG that can be read: %s", guard.text);
  }
  jpeg_create_decompress(&d);
  d.progress = &guard.progress;
  jpeg_stdio_src(&d, f);
  const bool ok = jpeg_header(&d, o, p, e);
  if (ok) {
    jpeg_start_decompress(&d);
    while (d.output_scanline < d.output_height) {
      uint8_t *row = p->pixels + (size_t)d.output_scanline * (size_t)p->width * (size_t)p->channels;
      jpeg_read_scanlines(&d, &row, 1);
    }
    jpeg_finish_decompress(&d);
  }
  jpeg_destroy_decompress(&d);
  return ok;
}

/* ---- PNG ------------------------------------------------------------------------- */
static bool read_png(FILE *f, struct picture *p, struct err *e) {
  static const png_color black = {0, 0, 0};
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_stdio(&image, f))
    return err_set(e, "damaged or no PNG that can be read: %s", image.message);
  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  bool ok = make_pixels(p, image.width, image.height, colour ? 3 : 1, e);
  if (ok && !png_image_finish_read(&image, &black, p->pixels, 0, NULL))
    ok = err_set(e, "damaged PNG: %s", image.message);
  png_image_free(&image);
  return ok;
}

/* ---- PNM ------------------------------------------------------------------------- */
/* The next number of a header, behind blanks and comments. */
static bool pnm_number(FILE *f, int64_t *value) {
  int c = fgetc(f);
  while (c == '#' || isspace(c)) {
    if (c == '#')
      while (c != '\n' && c != EOF) c = fgetc(f);
    c = c == EOF ? EOF : fgetc(f);
  }
  int n = 0;
  for (*value = 0; c >= '0' && c <= '9' && n < 9; n++, c = fgetc(f))
    *value = *value * 10 + (c - '0');
  return n > 0 && (c == EOF || isspace(c));
}

static bool pnm_sample(FILE *f, bool ascii, bool wide, int64_t *value) {
  if (ascii) return pnm_number(f, value);
  const int high = wide ? fgetc(f) : 0, low = fgetc(f);
  if (high == EOF || low == EOF) return false;
  *value = (int64_t)high << 8 | low;
  return true;
}

static bool read_pnm(FILE *f, struct picture *p, struct err *e) {
  int64_t width, height, most, value;
  char magic[2] = {0, 0};
  if (fread(magic, 1, 2, f) != 2 || magic[0] != 'P' || !strchr("2356", magic[1]) || !magic[1])
    return err_set(e, "no PGM or PPM: it does not begin with P2, P3, P5 or P6");
  if (!pnm_number(f, &width) || !pnm_number(f, &height) || !pnm_number(f, &most) || most < 1 ||
      most > 65535)
    return err_set(e, "its header has no width, height and largest value (1 to 65535)");
  if (!make_pixels(p, width, height, magic[1] == '3' || magic[1] == '6' ? 3 : 1, e)) return false;
  const size_t n = (size_t)p->width * (size_t)p->height * (size_t)p->channels;
  for (size_t i = 0; i < n; i++) {
    if (!pnm_sample(f, magic[1]<'5', most> 255, &value))
      return err_set(e, "cut short or damaged: %zu of %zu values are there", i, n);
    if (value > most)
      return err_set(e, "value %zu is %lld, more than the largest (%lld)", i, (long long)value,
                     (long long)most);
    p->pixels[i] = (uint8_t)(most == 255 ? value : (value * 255 + most / 2) / most);
  }
  return true;
}

/* ---- any ------------------------------------------------------------------------- */
/* The picture with the wanted channels; in place, or moved to a larger block. */
static bool match_channels(struct picture *p, int wanted, struct err *e) {
  const size_t n = (size_t)p->width * (size_t)p->height;
  if (wanted == 0 || wanted == p->channels) return true;
  if (wanted == 1) {
    for (size_t i = 0; i < n; i++) {
      const uint8_t *c = p->pixels + 3 * i;
      p->pixels[i] = (uint8_t)((77 * c[0] + 150 * c[1] + 29 * c[2] + 128) >> 8); /* <= 255 */
    }
    p->channels = 1;
    return true;
  }
  if (wanted != 3)
    return err_set(
        e, "a picture has 1 or 3 channels, and the project has %d (sensor.channels in mote.yaml)",
        wanted);
  uint8_t *more = realloc(p->pixels, 3 * n);
  if (!more) return err_set(e, "no memory left");
  for (size_t i = n; i-- > 0;) more[3 * i] = more[3 * i + 1] = more[3 * i + 2] = more[i];
  p->pixels = more;
  p->channels = 3;
  return true;
}

static bool picture_open(struct ingest_reader *r, struct err *e) {
  struct picture *p = ARENA_NEW(r->arena, struct picture);
  uint8_t head[2] = {0, 0};
  r->state = p;
  FILE *f = fopen(r->path, "rb");
  if (!f) return err_set(e, "cannot be opened: %s", strerror(errno));
  const size_t n = fread(head, 1, 2, f);
  rewind(f);
  bool ok;
  if (n == 2 && head[0] == 0xff && head[1] == 0xd8)
    ok = read_jpeg(f, r->o, p, e);
  else if (n == 2 && head[0] == 0x89)
    ok = read_png(f, p, e);
  else if (n == 2 && head[0] == 'P')
    ok = read_pnm(f, p, e);
  else
    ok = err_set(e, "neither JPEG, PNG, PGM nor PPM: it begins with the bytes %02x %02x", head[0],
                 head[1]);
  fclose(f);
  return ok && match_channels(p, r->o->channels, e);
}

static bool picture_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                         struct err *e) {
  struct picture *p = r->state;
  (void)e;
  *there = !p->given;
  p->given = true;
  out->type = INGEST_UINT8;
  out->rate_hz = out->source_rate_hz = r->o->rate_hz > 0 ? r->o->rate_hz : 1;
  out->channels = p->channels;
  out->independent = true;
  out->width = p->width;
  out->height = p->height;
  out->length = (int64_t)p->width * p->height;
  out->data = p->pixels;
  return true;
}

static void picture_close(struct ingest_reader *r) {
  struct picture *p = r->state;
  if (p) free(p->pixels);
}

const struct ingest_format ingest_picture = {"picture", picture_open, picture_next, picture_close};
