/* Every reader of recordings as a reader of hostile bytes: valid streams made here, and one function that reads bytes
 * as a format and checks what it gets. What needs several files (pictures and their labels, a record and its signals)
 * stands in one stream: two lengths of 16 bits in front of the parts. */
#ifndef TEST_FUZZ_INGEST_H
#define TEST_FUZZ_INGEST_H

#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

#include "host/ingest/ingest.h"
#include "host/record/record.h"

/* What one case may make before it counts as read. */
#define INGEST_CASE_BYTES      ((int64_t)8 << 20)
#define INGEST_CASE_RECORDINGS 3000

struct ingest_seed {
  uint8_t *bytes;
  size_t n;
};

struct ingest_fuzzed {
  const char *name;
  const char *files[3]; /* names of the parts; the first is read */
  /* The seed number i, in a; n = 0 behind the last. */
  struct ingest_seed (*seed)(struct arena *a, const char *folder, int i);
  struct ingest_options options;
};

/* ---- seeds ---------------------------------------------------------------------------- */
static struct ingest_seed seed_copy(struct arena *a, const void *bytes, size_t n) {
  struct ingest_seed s = {arena_alloc(a, n + 1, 1), n};
  memcpy(s.bytes, bytes, n);
  return s;
}
static struct ingest_seed seed_text(struct arena *a, const char *text) {
  return seed_copy(a, text, strlen(text));
}

static struct ingest_seed seed_sound(struct arena *a, const char *folder, int format,
                                     int channels) {
  const char *path = arena_printf(a, "%s/seed.sound", folder);
  SF_INFO info = {.samplerate = 8000, .channels = channels, .format = format};
  struct ingest_seed s = {NULL, 0};
  struct err e;
  SNDFILE *f = sf_open(path, SFM_WRITE, &info);
  if (!f) return s;
  for (int t = 0; t < 400; t++) {
    float frame[2] = {sinf((float)t * 0.1f) * 0.3f, (float)(t % 50) * 0.01f};
    sf_writef_float(f, frame, 1);
  }
  sf_close(f);
  if (!file_read(a, path, 1 << 20, &s.bytes, &s.n, &e)) s.n = 0;
  unlink(path);
  return s;
}

static struct ingest_seed seed_wav(struct arena *a, const char *folder, int i) {
  static const int formats[] = {SF_FORMAT_PCM_U8, SF_FORMAT_PCM_16,   SF_FORMAT_PCM_24,
                                SF_FORMAT_PCM_32, SF_FORMAT_FLOAT,    SF_FORMAT_DOUBLE,
                                SF_FORMAT_ULAW,   SF_FORMAT_IMA_ADPCM};
  if (i >= (int)(sizeof formats / sizeof *formats)) return (struct ingest_seed){NULL, 0};
  return seed_sound(a, folder, SF_FORMAT_WAV | formats[i], 1 + i % 2);
}
static struct ingest_seed seed_flac(struct arena *a, const char *folder, int i) {
  return i ? (struct ingest_seed){NULL, 0}
           : seed_sound(a, folder, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1);
}
static struct ingest_seed seed_ogg(struct arena *a, const char *folder, int i) {
  static const int formats[] = {SF_FORMAT_VORBIS, SF_FORMAT_VORBIS, SF_FORMAT_OPUS};
  if (i >= (int)(sizeof formats / sizeof *formats)) return (struct ingest_seed){NULL, 0};
  return seed_sound(a, folder, SF_FORMAT_OGG | formats[i], 1 + i % 2);
}

/* The first letter chooses options: see case_options. */
static struct ingest_seed seed_csv(struct arena *a, const char *folder, int i) {
  static const char *const texts[] = {
      "@time_ms,x,y\n0,1.5,2\n10,2.5,3\n20,-1e3,4\n30,0,5\n41,1,1\n50,2,2\n",
      "@\xef\xbb\xbf# logger\r\n\"Time (s)\";\"a x\"\r\n0,0;1,5\r\n0,1;2,5\r\n0,2;3,5\r\n",
      "@date\tT\n2015-02-04T17:51:00Z\t1\n2015-02-04T18:51:00.1+01:00\t2\n"
      "2015-02-04T17:51:00.2Z\t3\n",
      "A1606,A,802236393295351,-2.8,-12.7,-1.3;\n1606,A,802236442795351,4.3,-19.3,0.8;\n1606,B,"
      "802236492295351,2,-1,1;\n",
      "BEthanol,10.0,1,2,3\nGas,20.0,4,5,6\n",
      "@t,x\n5,1\n4,2\n3,3\n2,4\n1,5\n0,6\n",
      "DTime (\xc2\xb5s) x y z\n18_14_07.25 1 2 3\n18_14_08.25 4 , 6\n18_14_09.25 1 2 "
      "3\n18_14_09.50 1 2 3\n",
      "@Device: 3\nSerial: 4\n\na|b|c\n1|2|3\n4|5|6\n7|8|9\n",
      "D1,2,3\n4,5,6\n7,8,9\n"};
  (void)folder;
  if (i >= (int)(sizeof texts / sizeof *texts)) return (struct ingest_seed){NULL, 0};
  return seed_text(a, texts[i]);
}

#define SIGNATURE "da2a5f0c3e1b4d6f8a9b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f7"
static struct ingest_seed seed_json(struct arena *a, const char *folder, int i) {
  static const char *const texts[] = {
      "{\"protected\":{\"ver\":\"v1\",\"alg\":\"none\",\"iat\":1},\"signature\":\"" SIGNATURE
      "\",\"payload\":{\"device_name\":\"a\\u00e9\",\"device_type\":\"T\",\"interval_ms\":10,"
      "\"sensors\":[{\"name\":\"x\",\"units\":\"g\"},"
      "{\"name\":\"y\",\"units\":\"g\"}],\"values\":[[1,2.5],[-3e-1,4],[5,6]],\"structured_"
      "labels\":"
      "\"[{\\\"startIndex\\\":0,\\\"endIndex\\\":1,\\\"label\\\":\\\"up\\\"}]\"}} \n",
      "{\"payload\":{\"values\":[166.375,151.875,1,2,3],\"interval_ms\":12.5,\"sensors\":[{"
      "\"name\":\"audio\",\"units\":\"wav\"}]},"
      "\"protected\":{\"alg\":\"HS256\"}}",
      "{\"a\":[true,false,null,{\"b\":\"\\ud83d\\ude00\"}],\"payload\":{\"interval_ms\":0,"
      "\"values\":[[1],[2]]}}"};
  (void)folder;
  if (i >= (int)(sizeof texts / sizeof *texts)) return (struct ingest_seed){NULL, 0};
  return seed_text(a, texts[i]);
}

#define BYTES(text) text, sizeof text - 1
static struct ingest_seed seed_cbor(struct arena *a, const char *folder, int i) {
  (void)folder;
  /* Values as half, single, double, small and negative integers; padding behind. */
  if (i == 0)
    return seed_copy(
        a,
        BYTES("\xa2\x67"
              "payload\xa3\x6binterval_"
              "ms\xf9\x49\x00\x67sensors\x81\xa2\x64name\x61x\x65units\x61g\x66values\x85\x81\xf9"
              "\x3c\x00\x81\xfa\x3f\x80\x00\x00\x81\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00\x81\x05\x81"
              "\x38\x63\x69protected"
              "\xa1\x63"
              "alg\x64none\x00\x00\x00"));
  /* Indefinite maps, arrays and texts; sound behind the message. */
  if (i == 1)
    return seed_copy(a, BYTES("\xbf\x67payload\xbf\x6binterval_ms\xf9\x2c\x00\x66values\x9f\x70Ref-"
                              "BINARY-i16  \xff\xff\xff\x01\x00\x02"
                              "\x00\xff\xff\x00\x80"));
  if (i == 2)
    return seed_copy(a, BYTES("\xd9\xd9\xf7\xa1\x67payload\xa2\x66values\x9f\x01\x02\x18\x64\x19"
                              "\x01\x00\xff\x6binterval_ms\x0a"));
  return (struct ingest_seed){NULL, 0};
}

static struct ingest_seed seed_jpeg(struct arena *a, const char *folder, int i) {
  struct jpeg_compress_struct c;
  struct jpeg_error_mgr errors;
  unsigned char *out = NULL, row[3 * 24];
  unsigned long n = 0;
  (void)folder;
  if (i > 2) return (struct ingest_seed){NULL, 0};
  c.err = jpeg_std_error(&errors);
  jpeg_create_compress(&c);
  jpeg_mem_dest(&c, &out, &n);
  c.image_width = 24;
  c.image_height = 17;
  c.input_components = i == 1 ? 1 : 3;
  c.in_color_space = i == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&c);
  if (i == 2) jpeg_simple_progression(&c);
  jpeg_start_compress(&c, TRUE);
  for (int y = 0; y < 17; y++) {
    JSAMPROW rows[1] = {row};
    for (int x = 0; x < 72; x++) row[x] = (unsigned char)(x * y);
    jpeg_write_scanlines(&c, rows, 1);
  }
  jpeg_finish_compress(&c);
  jpeg_destroy_compress(&c);
  const struct ingest_seed s = seed_copy(a, out, n);
  free(out);
  return s;
}

static struct ingest_seed seed_png(struct arena *a, const char *folder, int i) {
  static const png_uint_32 formats[] = {PNG_FORMAT_GRAY, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
  png_image image;
  uint8_t pixels[4 * 12 * 9], out[4096];
  png_alloc_size_t n = sizeof out;
  (void)folder;
  if (i > 2) return (struct ingest_seed){NULL, 0};
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = 12;
  image.height = 9;
  image.format = formats[i];
  for (size_t k = 0; k < sizeof pixels; k++) pixels[k] = (uint8_t)(k * 7);
  if (!png_image_write_to_memory(&image, out, &n, 0, pixels, 0, NULL))
    return (struct ingest_seed){NULL, 0};
  return seed_copy(a, out, n);
}

static struct ingest_seed seed_pnm(struct arena *a, const char *folder, int i) {
  (void)folder;
  if (i == 0) return seed_text(a, "P5\n# c\n3 2\n255\nabcdef");
  if (i == 1) return seed_text(a, "P6 2 1 255\nabcdef");
  if (i == 2) return seed_text(a, "P2\n2 2 15\n0 5\n10 15\n");
  if (i == 3) return seed_text(a, "P3\n1 1\n65535\n1 2 65535\n");
  return (struct ingest_seed){NULL, 0};
}

static size_t npy_bytes(char *out, const char *descr, const char *shape, size_t data) {
  memcpy(out, "\x93NUMPY\x01\x00\x76\x00", 10);
  int n = snprintf(out + 10, 118, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr,
                   shape);
  memset(out + 10 + n, ' ', (size_t)(118 - n));
  out[127] = '\n';
  for (size_t i = 0; i < data; i++) out[128 + i] = (char)(i % 64);
  return 128 + data;
}

static struct ingest_seed seed_npy(struct arena *a, const char *folder, int i) {
  static const struct {
    const char *descr, *shape;
    size_t data;
  } arrays[] = {{"<i2", "10, 3", 60},      {"<f4", "7,", 28},   {"<f8", "2, 4, 3", 192},
                {"|u1", "2, 3, 4, 1", 24}, {">i4", "5, 2", 40}, {"|u1", "2, 5, 5", 50},
                {"<f2", "6, 1", 12}};
  char out[1024];
  (void)folder;
  if (i >= (int)(sizeof arrays / sizeof *arrays)) return (struct ingest_seed){NULL, 0};
  return seed_copy(a, out, npy_bytes(out, arrays[i].descr, arrays[i].shape, arrays[i].data));
}

static void put(uint8_t *p, uint32_t value, int n) {
  for (int i = 0; i < n; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* Two arrays, X and Y, stored or deflated. */
static struct ingest_seed seed_npz(struct arena *a, const char *folder, int i) {
  uint8_t *out = arena_alloc(a, 8192, 1);
  size_t n = 0, at[2], stored[2], plain[2], start;
  (void)folder;
  if (i > 1) return (struct ingest_seed){NULL, 0};
  for (int k = 0; k < 2; k++) {
    char array[512];
    plain[k] = npy_bytes(array, k ? "|i1" : "<i2", k ? "6," : "6, 4", k ? 6 : 48);
    at[k] = n;
    memcpy(out + n, "PK\x03\x04", 4);
    put(out + n + 8, i ? 8 : 0, 2);
    put(out + n + 26, 5, 2);
    memcpy(out + n + 30, k ? "Y.npy" : "X.npy", 5);
    n += 35;
    stored[k] = plain[k];
    if (i) {
      z_stream z = {.next_in = (uint8_t *)array,
                    .avail_in = (unsigned)plain[k],
                    .next_out = out + n,
                    .avail_out = 2048};
      deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
      deflate(&z, Z_FINISH);
      stored[k] = z.total_out;
      deflateEnd(&z);
    } else {
      memcpy(out + n, array, plain[k]);
    }
    n += stored[k];
  }
  start = n;
  for (int k = 0; k < 2; k++) {
    memcpy(out + n, "PK\x01\x02", 4);
    put(out + n + 10, i ? 8 : 0, 2);
    put(out + n + 20, (uint32_t)stored[k], 4);
    put(out + n + 24, (uint32_t)plain[k], 4);
    put(out + n + 28, 5, 2);
    put(out + n + 42, (uint32_t)at[k], 4);
    memcpy(out + n + 46, k ? "Y.npy" : "X.npy", 5);
    n += 51;
  }
  memcpy(out + n, "PK\x05\x06", 4);
  put(out + n + 8, 2, 2);
  put(out + n + 10, 2, 2);
  put(out + n + 12, (uint32_t)(n - start), 4);
  put(out + n + 16, (uint32_t)start, 4);
  return seed_copy(a, out, n + 22);
}

/* Parts with their lengths in front. */
static struct ingest_seed join(struct arena *a, const void *x, size_t nx, const void *y, size_t ny,
                               const void *z, size_t nz) {
  struct ingest_seed s = {arena_alloc(a, 4 + nx + ny + nz + 1, 1), 4 + nx + ny + nz};
  put(s.bytes, (uint32_t)nx, 2);
  put(s.bytes + 2, (uint32_t)ny, 2);
  memcpy(s.bytes + 4, x, nx);
  memcpy(s.bytes + 4 + nx, y, ny);
  memcpy(s.bytes + 4 + nx + ny, z, nz);
  return s;
}

static struct ingest_seed seed_idx(struct arena *a, const char *folder, int i) {
  (void)folder;
  if (i) return (struct ingest_seed){NULL, 0};
  return join(a,
              BYTES("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03"
                    "abcdefghijkl"),
              BYTES("\0\0\x08\x01\0\0\0\x02\x05\x07"), "", 0);
}

static struct ingest_seed seed_wfdb(struct arena *a, const char *folder, int i) {
  /* N at 20, V at 50 behind a long interval, a note, the end. */
  static const char beats[] = "\x14\x04\x00\xec\x00\x00\x0a\x00\x14\x14\x03\xfc"
                              "abc\0\0\0";
  uint8_t data[300];
  (void)folder;
  for (size_t k = 0; k < sizeof data; k++) data[k] = (uint8_t)(k * 13);
  if (i == 0)
    return join(
        a, BYTES("r 2 360 100\nr.dat 212 200(1024)/mV 11 1024\nr.dat 212 200 11 1024\n# 75 F\n"),
        data, 300, beats, sizeof beats - 1);
  if (i == 1) return join(a, BYTES("r 1 250\nr.dat 16 100\n"), data, 200, "", 0);
  if (i == 2)
    return join(a, BYTES("r 1 250 100\nr.dat 24 100\n"), data, 300, beats, sizeof beats - 1);
  return (struct ingest_seed){NULL, 0};
}

static struct ingest_seed seed_raw(struct arena *a, const char *folder, int i) {
  (void)folder;
  return i ? (struct ingest_seed){NULL, 0} : seed_text(a, "abcdefghijklmnopqrstuvwx");
}

static struct ingest_seed seed_index(struct arena *a, const char *folder, int i) {
  static const char *const texts[] = {
      "path,label,group,split,room\na.wav,yes,anna,train,3\n\"b/c.wav\",no,\"ben, jr\",test,4\n",
      "file;class\nx.csv;1\n./y/../x2.csv;2\n",
      "file,label,x,y,width,height\na.png,coin,1,2,3,4\nb.png,,,,,\na.png,nut,5,6,7,8\n",
      "file,class,xmin,ymin,xmax,ymax\na.png,coin,1,2,3,4\n./a.png,nut,5,6,7,8\n",
      "{\"images\":[{\"id\":3,\"file_name\":\"a.png\"},{\"id\":1,\"file_name\":\"b.png\"}],"
      "\"annotations\":[{\"image_id\":3,\"category_id\":2,\"bbox\":[1,2,3,4]}],"
      "\"categories\":[{\"id\":2,\"name\":\"coin\"}]}",
      "{\"version\":1,\"files\":[{\"path\":\"t/"
      "a.json\",\"category\":\"testing\",\"label\":{\"type\":\"multi-label\",\"labels\":["
      "{\"label\":\"idle\",\"startIndex\":0,\"endIndex\":5}]},\"metadata\":{\"k\":1},"
      "\"boundingBoxes\":[{\"label\":\"b\",\"x\":1,\"y\":2,"
      "\"width\":3,\"height\":4}]}]}",
      "{\"version\":1,\"type\":\"bounding-box-labels\",\"boundingBoxes\":{\"a.jpg\":[{\"label\":"
      "\"dog\",\"x\":1,\"y\":2,\"width\":3,\"height\":4}]}}",
      "{\"__ndjson\":true}\n{\"path\":\"a.wav\",\"label\":\"x\"}\n{\"labels\":{\"b.wav\":{\"k\":"
      "\"v\"}}}\n"};
  (void)folder;
  if (i >= (int)(sizeof texts / sizeof *texts)) return (struct ingest_seed){NULL, 0};
  return seed_text(a, texts[i]);
}

/* What a recorder that was killed left: a head, a note of two bytes, frames. */
static struct ingest_seed seed_spool(struct arena *a, const char *folder, int i) {
  struct ingest_seed s =
      seed_copy(a, BYTES("MOTEREC1\2\0\0\0\1\0\2\0\0\0\0\0\0\0\x59\x40\0\0\0\0\0\0\0\0"
                         "{}aabbccdd"));
  (void)folder;
  if (i > 1) s.n = 0;
  if (i == 1) s.bytes[12] = 0, s.bytes[14] = 1; /* float, one channel */
  return s;
}

/* ---- the table -------------------------------------------------------------------------- */
static const struct ingest_fuzzed ingest_fuzzed[] = {
    {"wav", {"f.wav"}, seed_wav, {.rate_hz = 12000, .channels = 1}},
    {"flac", {"f.flac"}, seed_flac, {.type = INGEST_INT16}},
    {"ogg", {"f.ogg"}, seed_ogg, {.type = INGEST_INT16}},
    {"csv", {"f.csv"}, seed_csv, {.type = INGEST_FLOAT32, .rate_hz = 20}},
    {"json", {"f.json"}, seed_json, {.type = INGEST_FLOAT32, .rate_hz = 50, .cut = true}},
    {"cbor", {"f.cbor"}, seed_cbor, {.type = INGEST_FLOAT32, .hmac_key = NULL}},
    {"jpeg", {"f.jpg"}, seed_jpeg, {.channels = 0}},
    {"png", {"f.png"}, seed_png, {.channels = 3}},
    {"pnm", {"f.ppm"}, seed_pnm, {.channels = 1}},
    {"npy", {"f.npy"}, seed_npy, {.type = INGEST_FLOAT32}},
    {"npz", {"f.npz"}, seed_npz, {.type = INGEST_FLOAT32, .columns = "X", .label_column = "Y"}},
    {"idx", {"f-images-idx3-ubyte", "f-labels-idx1-ubyte"}, seed_idx, {.channels = 1}},
    {"wfdb",
     {"r.hea", "r.dat", "r.atr"},
     seed_wfdb,
     {.type = INGEST_FLOAT32, .rate_hz = 180, .cut = true}},
    {"raw", {"f.bin"}, seed_raw, {.type = INGEST_FLOAT32, .raw = "int24:be", .channels = 2}},
    {"index", {"f.labels"}, seed_index, {.channels = 0}},
    {"spool", {"f.part"}, seed_spool, {.channels = 0}},
};
#define INGEST_FUZZED (sizeof ingest_fuzzed / sizeof *ingest_fuzzed)

/* ---- one case --------------------------------------------------------------------------- */
static bool write_part(const char *folder, const char *name, const uint8_t *bytes, size_t n) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  if (!f) return false;
  const bool ok = fwrite(bytes, 1, n, f) == n;
  return fclose(f) == 0 && ok;
}

static void remove_part(const char *folder, const char *name) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  unlink(path);
}

/* A table's first letter: bit 0 names columns by number, 1 makes each row a recording, 2 skips bad rows. */
static struct ingest_options case_options(const struct ingest_fuzzed *f, const uint8_t **bytes,
                                          size_t *n) {
  struct ingest_options o = f->options;
  if (strcmp(f->name, "csv") != 0 || *n == 0) return o;
  const int bits = *(*bytes)++;
  --*n;
  if (bits & 1) o.label_column = "2", o.time_column = "3", o.columns = "4-5";
  if (bits & 2) o.each_row = true, o.label_column = "1", o.time_column = NULL, o.columns = NULL;
  if (bits & 4) o.skip_bad_rows = true;
  return o;
}

/* A promise that is broken ends the process: the fuzzer then has its finding. */
#define HOLDS(what)                                                                                \
  do {                                                                                             \
    if (!(what)) fprintf(stderr, "broken: %s\n", #what), abort();                                  \
  } while (0)

static void check_recording(const struct ingest_recording *r) {
  HOLDS(r->length >= 1 && r->channels >= 1 && r->channels <= INGEST_MAX_CHANNELS);
  HOLDS(r->part && (r->rate_hz > 0 && isfinite(r->rate_hz)));
  HOLDS(r->width == 0 || (int64_t)r->width * r->height == r->length);
  unsigned sum = 0;
  for (int64_t i = 0; i < r->length * r->channels; i++) {
    if (r->type == INGEST_FLOAT32)
      HOLDS(isfinite(((const float *)r->data)[i]));
    else
      sum += r->type == INGEST_INT16 ? (unsigned)((const int16_t *)r->data)[i]
                                     : ((const uint8_t *)r->data)[i];
  }
  for (int i = 0; i < r->n_spans; i++)
    HOLDS(r->spans[i].start >= 0 && r->spans[i].end > r->spans[i].start &&
          r->spans[i].end <= r->length);
  for (int i = 0; i < r->n_metadata; i++)
    sum += (unsigned)strlen(r->metadata[i].key) + (unsigned)strlen(r->metadata[i].value);
  if (r->label) sum += (unsigned)strlen(r->label);
  volatile unsigned sink = sum; /* everything was looked at */
  (void)sink;
}

static bool read_index_case(const char *path, struct err *e) {
  struct arena *a = arena_new((size_t)512 << 20);
  struct ingest_index *index = NULL;
  const bool ok = ingest_index_read(a, path, NULL, &index, e);
  if (ok) {
    char **files;
    const int n = ingest_index_files(index, a, &files);
    HOLDS(n > 0);
    for (int i = 0; i < n && i < 50; i++) HOLDS(ingest_index_find(index, files[i]) != NULL);
  }
  arena_free(a);
  return ok;
}

static bool read_spool_case(const char *path, struct err *e) {
  struct arena *a = arena_new((size_t)512 << 20);
  struct record_left left;
  const bool ok = record_left(a, path, &left, e);
  if (ok && left.length) {
    HOLDS(!left.busy && left.channels >= 1 && left.rate_hz >= 0 && strlen(left.note) <= UINT16_MAX);
    for (int64_t i = 0; !left.int16 && i < left.length * left.channels; i++)
      HOLDS(isfinite(((const float *)left.data)[i]));
  }
  arena_free(a);
  return ok;
}

/* true: taken. */
__attribute__((unused)) static bool ingest_fuzz_case(const struct ingest_fuzzed *f,
                                                     const char *folder, const uint8_t *bytes,
                                                     size_t n, struct err *e) {
  const struct ingest_options o = case_options(f, &bytes, &n);
  size_t sizes[3] = {n, 0, 0};
  if (f->files[1]) {
    if (n < 4) return err_set(e, "too short for its parts");
    sizes[0] = (size_t)bytes[0] | (size_t)bytes[1] << 8;
    sizes[1] = (size_t)bytes[2] | (size_t)bytes[3] << 8;
    bytes += 4;
    n -= 4;
    if (sizes[0] > n) sizes[0] = n;
    if (sizes[1] > n - sizes[0]) sizes[1] = n - sizes[0];
    sizes[2] = n - sizes[0] - sizes[1];
  }
  for (int i = 0; i < 3 && f->files[i]; i++) {
    /* A part without bytes is one that is not there. */
    if (i > 0 && sizes[i] == 0)
      remove_part(folder, f->files[i]);
    else
      HOLDS(write_part(folder, f->files[i], bytes, sizes[i]));
    bytes += sizes[i];
  }
  char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, f->files[0]);
  if (strcmp(f->name, "index") == 0) return read_index_case(path, e);
  if (strcmp(f->name, "spool") == 0) return read_spool_case(path, e);
  struct ingest_reader *reader = NULL;
  bool ok = ingest_open(path, &o, &reader, e), there = true;
  int64_t made = 0;
  for (int i = 0; ok && i < INGEST_CASE_RECORDINGS && made < INGEST_CASE_BYTES; i++) {
    struct ingest_recording r;
    ok = ingest_next(reader, &r, &there, e);
    if (!ok || !there) break;
    check_recording(&r);
    made += r.length * r.channels * (int64_t)ingest_type_bytes(r.type);
  }
  if (ok)
    HOLDS(strlen(ingest_notes(reader)) < 8192);
  else
    HOLDS(e->text[0] && !e->internal && e->file[0]);
  ingest_close(reader);
  return ok;
}

#endif
