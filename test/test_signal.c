/* The kernels of audio front ends against what tflite-micro's own kernels give for the same seeded numbers: the
 * CRC-32 of all outputs, one after the other. And every check against bounds that are one byte short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/import/flexbuffer.h"
#include "mote/nn/nn.h"

static uint32_t seed;
static uint32_t draw(void) {
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed;
}
static int16_t draw_s16(int shift) { return (int16_t)((int32_t)draw() >> (16 + shift)); }
static int32_t draw_s32(int shift) { return (int32_t)draw() >> shift; }
static float draw_f32(int shift) { return (float)draw_s32(shift) * (1.0f / 2147483648.0f); }

/* ---- one call of a kernel, with exact room for everything ------------------------- */

#define MOST 16384
enum { CONSTANT_BYTES = 32768 };
struct edge {
  void *at;
  size_t bytes;
  int written;
};

/* Params with room for constants behind them; *_at offsets begin at `used`. */
static struct {
  union {
    uint8_t bytes[CONSTANT_BYTES];
    uint64_t align;
  } u;
  size_t used;
} params;

static void *params_begin(size_t size) {
  memset(&params, 0, sizeof params);
  params.used = size;
  return params.u.bytes;
}

static int32_t params_add(const void *data, size_t n) {
  const size_t at = params.used;
  assert_true(at + n + 4 <= CONSTANT_BYTES);
  memcpy(params.u.bytes + at, data, n);
  params.used = (at + n + 3) & ~(size_t)3;
  return (int32_t)at;
}

typedef enum mote_status (*check_fn)(const void *p, const struct mote_bounds *b);

/* Proves that the check accepts these bounds and none that lack a byte or a right, then runs the kernel on copies
 * that end where the bounds end (under a sanitizer a byte beyond is seen). */
static void run(const struct mote_kernel *kernel, check_fn check, const struct edge *in,
                unsigned n_in, const struct edge *out, unsigned n_out) {
  struct mote_bounds b = {.params_bytes = params.used, .n_in = n_in, .n_out = n_out};
  const void *rows[MOTE_MAX_EDGES];
  uint8_t *copies[MOTE_MAX_EDGES];
  b.out_bytes = out[0].bytes;
  for (unsigned i = 0; i < n_in + n_out - 1; i++) {
    const struct edge *e = i < n_in ? &in[i] : &out[i - n_in + 1];
    b.row_bytes[i] = e->bytes;
    b.rows[i] = 1;
    if (e->written || i >= n_in) b.writable = (uint16_t)(b.writable | 1u << i);
    rows[i] = copies[i] = malloc(e->bytes);
    memcpy(copies[i], e->at, e->bytes);
  }
  assert_int_equal(check(params.u.bytes, &b), MOTE_OK);
  for (unsigned i = 0; i < n_in + n_out - 1; i++) {
    struct mote_bounds less = b;
    less.row_bytes[i]--;
    assert_int_not_equal(check(params.u.bytes, &less), MOTE_OK);
    less = b;
    less.missing = (uint16_t)(1u << i);
    assert_int_not_equal(check(params.u.bytes, &less), MOTE_OK);
    less = b;
    less.writable = (uint16_t)(b.writable & ~(1u << i));
    if (less.writable != b.writable) assert_int_not_equal(check(params.u.bytes, &less), MOTE_OK);
  }
  struct mote_bounds less = b;
  less.out_bytes--;
  assert_int_not_equal(check(params.u.bytes, &less), MOTE_OK);
  less = b;
  less.params_bytes = 3;
  assert_int_not_equal(check(params.u.bytes, &less), MOTE_OK);

  uint8_t *first = malloc(out[0].bytes);
  memset(first, 0xA5, out[0].bytes);
  kernel->row(params.u.bytes, rows, NULL, first);
  memcpy(out[0].at, first, out[0].bytes);
  for (unsigned i = 0; i < n_in + n_out - 1; i++) {
    if (((unsigned)b.writable >> i & 1u) != 0)
      memcpy(i < n_in ? in[i].at : out[i - n_in + 1].at, copies[i], b.row_bytes[i]);
    free(copies[i]);
  }
  free(first);
}

/* Every check takes its own structure. */
#define CHECK(stem, type)                                                                          \
  static enum mote_status check_##stem(const void *p, const struct mote_bounds *b) {               \
    return mote_##stem##_check((const struct type *)p, b);                                         \
  }
CHECK(signal_window, mote_signal_window)
CHECK(signal_scale, mote_signal_scale)
CHECK(fft_s16, mote_fft)
CHECK(fft_s32, mote_fft)
CHECK(fft_f32, mote_fft)
CHECK(signal_energy, mote_signal_energy)
CHECK(filter_bank, mote_filter_bank)
CHECK(filter_bank_root, mote_filter_bank_root)
CHECK(spectral_subtraction, mote_spectral_subtraction)
CHECK(filter_bank_log, mote_filter_bank_log)
CHECK(pcan, mote_pcan)
CHECK(framer, mote_framer)
CHECK(stacker, mote_stacker)
CHECK(overlap_add_s16, mote_overlap_add)
CHECK(overlap_add_f32, mote_overlap_add)
CHECK(delay, mote_delay)

#define RUN(stem, in, out)                                                                         \
  run(&mote_kernel_##stem, check_##stem, in, sizeof in / sizeof *in, out, sizeof out / sizeof *out)

/* ---- Fourier transforms ------------------------------------------------------------ */

#define LENGTHS 30
static const int lengths[LENGTHS] = {4,   6,   8,   10,  12,  16,  18,  20,  24,   30,
                                     32,  36,  40,  48,  50,  60,  64,  90,  96,   100,
                                     128, 150, 240, 256, 320, 400, 480, 512, 1024, 2048};
static const struct {
  enum mote_type type;
  int inverse;
  uint32_t crc[LENGTHS];
} spectra[] = {
    {MOTE_INT16, 0, {0x058ABBBB, 0xFE9172E3, 0x85ED3DB8, 0xAD45BB40, 0x814043B2, 0x499C48A3,
                     0x90BACE42, 0x16F1ADDF, 0x69FB1332, 0x715E769D, 0x64A1CBB6, 0xA0024786,
                     0x67A1905F, 0x466C0E2D, 0xA9DCFE8B, 0x97B5609F, 0x22E36B1C, 0xF6D34748,
                     0x2EDFE495, 0xE6E036D0, 0x366189A6, 0x4EC0D933, 0x6AC76005, 0x021E0C36,
                     0x78496270, 0x23BBC990, 0xB80941FE, 0x25971F55, 0xBF56B126, 0xD379BA7F}},
    {MOTE_INT16, 1, {0x6237639D, 0x9ADD6C90, 0x1D305F85, 0xC567EACF, 0x9FE11738, 0x24D04DE0,
                     0x78C5C04C, 0x86541F54, 0xA48EA792, 0x41B774D4, 0x138005BD, 0x4CB04285,
                     0x44B05980, 0x6D315680, 0x1E25D08E, 0x7E5DCDCD, 0x282D1A7E, 0xF4A75736,
                     0x176A6F7A, 0x548094F7, 0xAFCB96D0, 0x9322F86A, 0xA2C4395C, 0xC4E61084,
                     0xC92A0B89, 0x85522F50, 0xEDCA8BBA, 0xAF9DC0C2, 0x541FEC25, 0xC5BD02DA}},
    {MOTE_INT32, 0, {0xB785BB25, 0x0C0532D9, 0x1E8C6579, 0x8E00F143, 0x69E7FA72, 0x3AED58D1,
                     0x670A458A, 0x28D295F2, 0x07D3F1BF, 0x9EF52A85, 0xD606863A, 0xC9DCDDFF,
                     0x74A03134, 0x46DD48FD, 0x0250015A, 0xAA1B086C, 0x975F9F54, 0x982CCC97,
                     0x6D265CA6, 0x538A2512, 0x16943AC7, 0x1D9BEBAE, 0x34063D9E, 0xCBEE48EE,
                     0xB5FDD1BD, 0xCB28A886, 0xFC351A73, 0x46C020BF, 0xF0161A56, 0x19CBA193}},
    {MOTE_INT32, 1, {0xA9C1847D, 0x1EFCB7CF, 0xC9FDAE98, 0x6308A072, 0x673604D6, 0xA1C77D9E,
                     0x0B50FA56, 0x5234237F, 0x7784EBDA, 0x9218BB6E, 0xA3EBBF0F, 0x4ED0944B,
                     0x47E4C366, 0x9CB4E08B, 0xDDC18F78, 0xC52F5F03, 0x5B743A17, 0x68035900,
                     0xBB458ACE, 0xD3F3376B, 0xEC015216, 0x45AD2F04, 0x286397B0, 0xB0125E61,
                     0xDE29A96E, 0xEF52825A, 0x32701580, 0xA3E844F5, 0x63022BAB, 0x0E237D87}},
    {MOTE_FLOAT32, 0, {0xCB6F18D5, 0x28FB2672, 0xFB10D109, 0x8ECADEBB, 0x359A7F62, 0x0FBA724B,
                       0xEC7292FA, 0x79BF8126, 0xBB266857, 0x1F69CDBA, 0x68715544, 0xDE9148DA,
                       0x9A037F7F, 0xB109FB2A, 0xAEA2C32E, 0x662EB341, 0x2F5A95D1, 0x0841FC92,
                       0x38E1D356, 0x6850F2ED, 0x579AE0D5, 0xDE7D4524, 0x8EE8047C, 0x7E4B46C1,
                       0xEE177745, 0xB2226FA1, 0x51603FDA, 0xD249C72A, 0xD1CB10D9, 0xA47374A8}},
    {MOTE_FLOAT32, 1, {0x240ED240, 0xFBB88B1E, 0xD255BD8B, 0x836E2B82, 0xE0DA65D5, 0x4F570D78,
                       0x0AD49977, 0xAF2A0677, 0xE8691F19, 0x8244FA55, 0xCB91095C, 0x33E0AE76,
                       0x7364E159, 0xFBB0ADE2, 0x4BD616E0, 0x6C85A741, 0x5F619740, 0xDC5FCF65,
                       0x1FE9564F, 0x758568A8, 0x894B4472, 0x5B3DF45A, 0x20C933B7, 0xF085159A,
                       0xEEE8766E, 0x472A6D1D, 0x5C5DE2DE, 0xCD872B4D, 0x03CD23CB, 0x4DE51159}},
};

/* A table entry of the element type: of integers rounded halves up. */
static size_t put(uint8_t *at, enum mote_type type, double x) {
  if (type == MOTE_INT16) {
    const int16_t v = (int16_t)floor(.5 + 32767 * x);
    memcpy(at, &v, 2);
    return 2;
  }
  if (type == MOTE_INT32) {
    const int32_t v = (int32_t)floor(.5 + 2147483647 * x);
    memcpy(at, &v, 4);
    return 4;
  }
  const float v = (float)x;
  memcpy(at, &v, 4);
  return 4;
}

static void make_fft(enum mote_type type, int length, int in_n, int inverse) {
  static uint8_t table[MOST];
  struct mote_fft *p = params_begin(sizeof *p);
  const double pi = 3.14159265358979323846, sign = inverse ? 1 : -1;
  const int n = length / 2;
  size_t at = 0;
  p->length = (uint16_t)length;
  p->in_n = (uint16_t)in_n;
  p->vectors = 1;
  p->inverse = (uint8_t)inverse;
  static const int radices[] = {4, 2, 3, 5};
  int rest = n;
  for (size_t r = 0; r < 4; r++)
    for (; rest % radices[r] == 0; rest /= radices[r])
      p->factors[p->n_factors++] = (uint8_t)radices[r];
  assert_int_equal(rest, 1);
  for (int i = 0; i < n; i++) {
    at += put(table + at, type, cos(sign * 2 * pi * i / n));
    at += put(table + at, type, sin(sign * 2 * pi * i / n));
  }
  p->twiddle_at = params_add(table, at);
  at = 0;
  for (int i = 0; i < n / 2; i++) {
    at += put(table + at, type, cos(sign * pi * ((double)(i + 1) / n + .5)));
    at += put(table + at, type, sin(sign * pi * ((double)(i + 1) / n + .5)));
  }
  p->split_at = params_add(table, at);
}

static uint32_t transform(enum mote_type type, int length, int inverse) {
  static uint8_t x[MOST], y[MOST];
  const size_t size = mote_type_bytes((int)type);
  uint32_t crc = 0;
  seed = 1000u + (uint32_t)length;
  for (int round = 0; round < 4; round++) {
    const int in_n = inverse ? length + 2 : length - (round == 3 ? 3 : 0);
    for (int k = 0; k < in_n; k++) {
      if (type == MOTE_INT16) ((int16_t *)(void *)x)[k] = draw_s16(2 * round);
      if (type == MOTE_INT32) ((int32_t *)(void *)x)[k] = draw_s32(2 * round);
      if (type == MOTE_FLOAT32) ((float *)(void *)x)[k] = draw_f32(2 * round);
    }
    make_fft(type, length, inverse ? length : in_n, inverse);
    const struct edge in[] = {{x, (size_t)in_n * size, 0}};
    const struct edge out[] = {{y, (size_t)(inverse ? length : length + 2) * size, 0}};
    if (type == MOTE_INT16) RUN(fft_s16, in, out);
    if (type == MOTE_INT32) RUN(fft_s32, in, out);
    if (type == MOTE_FLOAT32) RUN(fft_f32, in, out);
    crc = mote_crc32(crc, y, out[0].bytes);
  }
  return crc;
}

static void test_fft(void **state) {
  (void)state;
  for (size_t s = 0; s < sizeof spectra / sizeof *spectra; s++)
    for (int i = 0; i < LENGTHS; i++)
      if (transform(spectra[s].type, lengths[i], spectra[s].inverse) != spectra[s].crc[i])
        fail_msg("%s of %d %s", spectra[s].inverse ? "irfft" : "rfft", lengths[i],
                 mote_type_name((int)spectra[s].type));
}

/* Signal to noise against the definition, of a frame that was moved to full scale as the kind "micro" does: the exponent is the
 * frame's, and each stage divides by its radix. */
static double block_floating_snr(int16_t *x, int length) {
  static int16_t spectrum[4098];
  const double pi = 3.14159265358979323846;
  double signal = 0, noise = 0;
  const unsigned bits = mote_signal_spare_bits(x, (uint32_t)length);
  for (int t = 0; t < length; t++) x[t] = (int16_t)(x[t] * (1 << bits));
  make_fft(MOTE_INT16, length, length, 0);
  mote_fft_s16((const struct mote_fft *)(const void *)params.u.bytes, x, spectrum);
  for (int k = 0; k <= length / 2; k++) {
    double re = 0, im = 0;
    for (int t = 0; t < length; t++) {
      const double angle = 2 * pi * (int)((int64_t)k * t % length) / length;
      re += x[t] * cos(angle) / length, im -= x[t] * sin(angle) / length;
    }
    const double r = spectrum[2 * k] - re, i = spectrum[2 * k + 1] - im;
    signal += re * re + im * im, noise += r * r + i * i;
  }
  return 10 * log10(signal / noise);
}

static void test_fft_s16_against_definition(void **state) {
  (void)state;
  static int16_t x[4096];
  seed = 77;
  for (int length = 16; length <= 4096; length *= 2) {
    for (int t = 0; t < length; t++)
      x[t] = (int16_t)(draw_s16(5) * 15 / 16); /* five bits are spare */
    const double white = block_floating_snr(x, length);
    for (int t = 0; t < length; t++) x[t] = (int16_t)(900 * sin(2.3 * 6.283185307 * t / length));
    const double tone = block_floating_snr(x, length);
    print_message("int16 FFT %4d: SNR of noise %.1f dB, of a tone %.1f dB\n", length, white, tone);
    assert_true(white > 80 - 3 * log2(length) && tone > 78 - 3 * log2(length));
  }
}

static void test_fft_refuses(void **state) {
  (void)state;
  make_fft(MOTE_INT16, 24, 24, 0);
  struct mote_fft *p = (struct mote_fft *)(void *)params.u.bytes, good = *p;
  const struct mote_bounds b = {.params_bytes = params.used,
                                .out_bytes = 52,
                                .n_in = 1,
                                .n_out = 1,
                                .row_bytes = {48},
                                .rows = {1}};
  assert_int_equal(mote_fft_s16_check(p, &b), MOTE_OK);
  p->factors[0] = 7;
  assert_int_equal(mote_fft_s16_check(p, &b), MOTE_ERR_PARAMS);
  *p = good;
  p->n_factors = MOTE_FFT_FACTORS + 1;
  assert_int_equal(mote_fft_s16_check(p, &b), MOTE_ERR_PARAMS);
  *p = good;
  p->length = 26;
  assert_int_equal(mote_fft_s16_check(p, &b), MOTE_ERR_PARAMS);
  *p = good;
  p->in_n = 25;
  assert_int_equal(mote_fft_s16_check(p, &b), MOTE_ERR_PARAMS);
  *p = good;
  p->split_at = (int32_t)params.used - 8;
  assert_int_equal(mote_fft_s16_check(p, &b), MOTE_ERR_BOUNDS);
}

/* ---- around the spectrum ------------------------------------------------------------ */

static void test_window(void **state) {
  uint32_t crc = 0;
  (void)state;
  seed = 1;
  for (int shift = 0; shift < 32; shift += 3) {
    int16_t x[120], w[40], y[120];
    for (int i = 0; i < 120; i++) x[i] = draw_s16(0);
    for (int i = 0; i < 40; i++) w[i] = draw_s16(0);
    *(struct mote_signal_window *)params_begin(sizeof(struct mote_signal_window)) =
        (struct mote_signal_window){120, 40, (uint16_t)shift};
    const struct edge in[] = {{x, sizeof x, 0}, {w, sizeof w, 0}}, out[] = {{y, sizeof y, 0}};
    RUN(signal_window, in, out);
    crc = mote_crc32(crc, y, sizeof y);
  }
  assert_int_equal(crc, 0x4B0FE1E9u);
}

static void test_scale(void **state) {
  uint32_t crc = 0;
  (void)state;
  seed = 2;
  for (int shift = 0; shift <= 16; shift++)
    for (int special = 0; special < 3; special++) {
      int16_t x[33], y[33];
      int32_t bits = 0;
      for (int i = 0; i < 33; i++) x[i] = shift == 16 ? 0 : draw_s16(shift);
      if (special > 0) x[special == 1 ? 7 : 32] = INT16_MIN;
      *(struct mote_signal_scale *)params_begin(sizeof(struct mote_signal_scale)) =
          (struct mote_signal_scale){33};
      const struct edge in[] = {{x, sizeof x, 0}};
      const struct edge out[] = {{y, sizeof y, 0}, {&bits, sizeof bits, 1}};
      RUN(signal_scale, in, out);
      crc = mote_crc32(crc, y, sizeof y);
      crc = mote_crc32(crc, &bits, sizeof bits);
    }
  assert_int_equal(crc, 0x2FE88B20u);
}

/* -32768 has no magnitude of int16: the reference forgets it, and all before it, at the next number. */
static void test_spare_bits(void **state) {
  static const struct {
    int16_t x[4];
    unsigned bits;
  } cases[] = {{{1, -2, 3, 4}, 12},
               {{0, 0, 0, 0}, 0},
               {{INT16_MIN, -20000, 100, 50}, 8},
               {{20000, INT16_MIN, 3, -7}, 12},
               {{1, 2, 3, INT16_MIN}, 0}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(mote_signal_spare_bits(cases[i].x, 4), cases[i].bits);
}

static void test_energy(void **state) {
  int16_t x[2 * 9];
  uint32_t y[9];
  (void)state;
  seed = 12;
  for (int i = 0; i < 18; i++) x[i] = draw_s16(0);
  x[8] = x[9] = INT16_MIN; /* 2^31 */
  *(struct mote_signal_energy *)params_begin(sizeof(struct mote_signal_energy)) =
      (struct mote_signal_energy){9, 2, 9};
  const struct edge in[] = {{x, sizeof x, 0}}, out[] = {{y, sizeof y, 0}};
  RUN(signal_energy, in, out);
  for (int i = 0; i < 9; i++)
    assert_int_equal(y[i], i < 2 ? 0
                                 : (uint32_t)((int64_t)x[2 * i] * x[2 * i] +
                                              (int64_t)x[2 * i + 1] * x[2 * i + 1]));
}

/* ---- filter bank --------------------------------------------------------------------- */

static void test_filter_bank(void **state) {
  uint32_t crc = 0;
  (void)state;
  seed = 3;
  for (int round = 0; round < 8; round++) {
    int16_t frequency[7], weight[7], width[7], weights[100], unweights[100];
    uint32_t x[64];
    uint64_t y[6];
    struct mote_filter_bank *p = params_begin(sizeof *p);
    for (int i = 0; i < 7; i++) {
      width[i] = (int16_t)(draw() % 12);
      frequency[i] = (int16_t)(draw() % 50);
      weight[i] = (int16_t)(draw() % 80);
    }
    for (int i = 0; i < 100; i++) weights[i] = draw_s16(0);
    for (int i = 0; i < 100; i++) unweights[i] = draw_s16(0);
    for (int i = 0; i < 64; i++) x[i] = draw();
    p->channels = 6;
    p->n_weights = 100;
    p->in_n = 64;
    p->frequency_at = params_add(frequency, sizeof frequency);
    p->weight_at = params_add(weight, sizeof weight);
    p->width_at = params_add(width, sizeof width);
    p->weights_at = params_add(weights, sizeof weights);
    p->unweights_at = params_add(unweights, sizeof unweights);
    const struct edge in[] = {{x, sizeof x, 0}}, out[] = {{y, sizeof y, 0}};
    RUN(filter_bank, in, out);
    crc = mote_crc32(crc, y, sizeof y);
  }
  assert_int_equal(crc, 0x632C4792u);

  /* A band that leaves the spectrum or the weights, or is negative. */
  const struct mote_filter_bank *p = (const struct mote_filter_bank *)(const void *)params.u.bytes;
  const struct mote_bounds b = {.params_bytes = params.used,
                                .out_bytes = 48,
                                .n_in = 1,
                                .n_out = 1,
                                .row_bytes = {256},
                                .rows = {1}};
  const int32_t tables[] = {p->frequency_at, p->weight_at, p->width_at};
  for (int t = 0; t < 3; t++)
    for (int bad = -1; bad < 102; bad += 102) {
      int16_t *entry = (int16_t *)(void *)(params.u.bytes + tables[t]) + 6, was = *entry;
      *entry = (int16_t)bad;
      assert_int_equal(mote_filter_bank_check(p, &b), MOTE_ERR_PARAMS);
      *entry = was;
    }
  assert_int_equal(mote_filter_bank_check(p, &b), MOTE_OK);
}

static void test_root(void **state) {
  static uint64_t x[256];
  static uint32_t y[256];
  uint32_t crc = 0;
  (void)state;
  seed = 4;
  for (int shift = 0; shift < 40; shift += 5) {
    for (int i = 0; i < 256; i++) {
      const uint64_t high = draw();
      x[i] = (high << 32 | draw()) >> (i % 64);
    }
    const uint64_t special[] = {0, 0xFFFFFFFFu, UINT64_MAX, 0xFFFE0001u, 1, 2};
    memcpy(x + 100, special, sizeof special);
    *(struct mote_filter_bank_root *)params_begin(sizeof(struct mote_filter_bank_root)) =
        (struct mote_filter_bank_root){256};
    int32_t down = shift;
    const struct edge in[] = {{x, sizeof x, 0}, {&down, 4, 0}}, out[] = {{y, sizeof y, 0}};
    RUN(filter_bank_root, in, out);
    crc = mote_crc32(crc, y, sizeof y);
  }
  assert_int_equal(crc, 0x29805C32u);
}

static void test_subtraction(void **state) {
  uint32_t crc = 0;
  (void)state;
  seed = 5;
  for (int clamping = 0; clamping < 2; clamping++)
    for (int bits = 0; bits < 12; bits += 5) {
      uint32_t noise[9] = {0};
      for (int t = 0; t < 20; t++) {
        uint32_t x[9], y[9], copy[9];
        for (int i = 0; i < 9; i++) {
          const uint32_t v = draw();
          x[i] = v >> (8 + draw() % 24);
        }
        *(struct mote_spectral_subtraction *)params_begin(
            sizeof(struct mote_spectral_subtraction)) =
            (struct mote_spectral_subtraction){.noise = {.smoothing = {409, 983},
                                                         .one_minus_smoothing = {15974, 15400},
                                                         .min_signal_remaining = 819,
                                                         .smoothing_bits = (uint8_t)bits,
                                                         .bits = 14,
                                                         .clamping = (uint8_t)clamping},
                                               .n = 9};
        const struct edge in[] = {{x, sizeof x, 0}, {noise, sizeof noise, 1}};
        const struct edge out[] = {{y, sizeof y, 0}, {copy, sizeof copy, 1}};
        RUN(spectral_subtraction, in, out);
        crc = mote_crc32(crc, y, sizeof y);
        crc = mote_crc32(crc, copy, sizeof copy);
        assert_memory_equal(copy, noise, sizeof noise);
      }
    }
  assert_int_equal(crc, 0x908CD921u);
}

static void test_log(void **state) {
  uint32_t crc = 0;
  (void)state;
  seed = 6;
  for (uint32_t bits = 0; bits < 8; bits++) {
    uint32_t x[200];
    int16_t y[200];
    for (int i = 0; i < 200; i++) x[i] = draw() >> (i % 32);
    for (uint32_t i = 0; i < 3; i++) x[3 + i] = i;
    *(struct mote_filter_bank_log *)params_begin(sizeof(struct mote_filter_bank_log)) =
        (struct mote_filter_bank_log){200, bits % 2 ? 1600 : 64, bits};
    const struct edge in[] = {{x, sizeof x, 0}}, out[] = {{y, sizeof y, 0}};
    RUN(filter_bank_log, in, out);
    crc = mote_crc32(crc, y, sizeof y);
  }
  assert_int_equal(crc, 0x54CF8797u);
}

static void test_pcan(void **state) {
  int16_t table[MOTE_PCAN_TABLE];
  uint32_t crc = 0;
  (void)state;
  seed = 7;
  for (int i = 0; i < MOTE_PCAN_TABLE; i++) table[i] = draw_s16(1);
  for (uint32_t shift = 0; shift < 30; shift += 7) {
    uint32_t x[200], noise[200], y[200];
    for (int i = 0; i < 200; i++) {
      x[i] = draw() >> (i % 20);
      noise[i] = draw() >> (i % 32);
    }
    *(struct mote_pcan *)params_begin(sizeof(struct mote_pcan)) = (struct mote_pcan){200, shift};
    const struct edge in[] = {{x, sizeof x, 0}, {noise, sizeof noise, 0}, {table, sizeof table, 0}};
    const struct edge out[] = {{y, sizeof y, 0}};
    RUN(pcan, in, out);
    crc = mote_crc32(crc, y, sizeof y);
  }
  assert_int_equal(crc, 0xE076A644u);
}

/* ---- what remembers -------------------------------------------------------------------- */

static void test_framer(void **state) {
  static const uint16_t cases[][5] = {{400, 160, 1, 1, 0}, {400, 160, 1, 1, 1}, {10, 5, 3, 2, 0},
                                      {10, 5, 3, 2, 1},    {7, 3, 2, 1, 0},     {7, 3, 2, 2, 1},
                                      {4, 4, 2, 1, 0},     {3, 5, 2, 2, 0}};
  uint32_t crc = 0;
  (void)state;
  seed = 8;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const struct mote_framer p = {cases[k][0], cases[k][1], cases[k][2], cases[k][3], cases[k][4]};
    int16_t memory[MOST / 2] = {0}, x[512], y[1024];
    const size_t in_n = (size_t)p.vectors * p.frames * p.step,
                 out_n = (size_t)p.vectors * p.frames * p.frame;
    for (int call = 0; call < 6; call++) {
      uint8_t valid = 2;
      for (size_t i = 0; i < in_n; i++) x[i] = draw_s16(0);
      *(struct mote_framer *)params_begin(sizeof p) = p;
      const struct edge in[] = {{x, 2 * in_n, 0}, {memory, 2 * mote_framer_state_values(&p), 1}};
      const struct edge out[] = {{y, 2 * out_n, 0}, {&valid, 1, 1}};
      RUN(framer, in, out);
      crc = mote_crc32(crc, y, 2 * out_n);
      crc = mote_crc32(crc, &valid, 1);
    }
    /* A memory that somebody else wrote must not lead astray. */
    memset(memory, 0xFF, sizeof memory);
    uint8_t valid = 2;
    const struct edge in[] = {{x, 2 * in_n, 0}, {memory, 2 * mote_framer_state_values(&p), 1}};
    const struct edge out[] = {{y, 2 * out_n, 0}, {&valid, 1, 1}};
    RUN(framer, in, out);
    assert_true(valid < 2);
  }
  assert_int_equal(crc, 0xD687E79Eu);
}

static void test_stacker(void **state) {
  static const uint16_t cases[][4] = {
      {40, 3, 1, 3}, {5, 2, 0, 1}, {5, 0, 2, 2}, {3, 1, 1, 3}, {1, 0, 0, 1}};
  uint32_t crc = 0;
  (void)state;
  seed = 9;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const struct mote_stacker p = {cases[k][0], cases[k][1], cases[k][2], cases[k][3]};
    int16_t memory[512] = {0}, x[64], y[512];
    const size_t out_n = (size_t)p.channels * (p.left + p.right + 1u);
    for (int call = 0; call < 13; call++) {
      uint8_t valid = 2;
      for (size_t i = 0; i < p.channels && call < 12; i++) x[i] = draw_s16(0);
      if (call == 12) memset(memory, 0xFF, sizeof memory);
      *(struct mote_stacker *)params_begin(sizeof p) = p;
      const struct edge in[] = {{x, 2 * (size_t)p.channels, 0},
                                {memory, 2 * mote_stacker_state_values(&p), 1}};
      const struct edge out[] = {{y, 2 * out_n, 0}, {&valid, 1, 1}};
      RUN(stacker, in, out);
      assert_true(valid < 2);
      if (call == 12) continue;
      crc = mote_crc32(crc, y, 2 * out_n);
      crc = mote_crc32(crc, &valid, 1);
    }
  }
  assert_int_equal(crc, 0x441CB961u);
}

static void test_overlap_add(void **state) {
  static const uint16_t cases[][4] = {
      {20, 10, 2, 2}, {20, 7, 3, 1}, {8, 8, 2, 1}, {9, 2, 1, 3}, {5, 4, 2, 2}};
  uint32_t crc16 = 0, crc32 = 0;
  (void)state;
  seed = 10;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const struct mote_overlap_add p = {cases[k][0], cases[k][1], cases[k][2], cases[k][3]};
    const size_t frames = (size_t)p.frames * p.vectors, in_n = frames * p.frame,
                 out_n = frames * p.step;
    const size_t kept = (size_t)(p.frame - p.step) * p.vectors;
    int16_t memory[64] = {0}, x[128], y[128];
    float memory_f[64] = {0}, xf[128], yf[128];
    for (int call = 0; call < 4; call++) {
      for (size_t i = 0; i < in_n; i++) x[i] = draw_s16(0);
      for (size_t i = 0; i < in_n; i++) xf[i] = draw_f32(0);
      *(struct mote_overlap_add *)params_begin(sizeof p) = p;
      /* Without overlap the memory is empty; a tensor never is. */
      if (kept > 0) {
        const struct edge in[] = {{x, 2 * in_n, 0}, {memory, 2 * kept, 1}},
                          out[] = {{y, 2 * out_n, 0}};
        const struct edge in_f[] = {{xf, 4 * in_n, 0}, {memory_f, 4 * kept, 1}};
        const struct edge out_f[] = {{yf, 4 * out_n, 0}};
        RUN(overlap_add_s16, in, out);
        RUN(overlap_add_f32, in_f, out_f);
      } else {
        const void *rows[] = {x, memory}, *rows_f[] = {xf, memory_f};
        mote_kernel_overlap_add_s16.row(&p, rows, NULL, y);
        mote_kernel_overlap_add_f32.row(&p, rows_f, NULL, yf);
      }
      crc16 = mote_crc32(crc16, y, 2 * out_n);
      crc32 = mote_crc32(crc32, yf, 4 * out_n);
    }
  }
  assert_int_equal(crc16, 0xD9CA50DAu);
  assert_int_equal(crc32, 0x084EF2A3u);
}

static void test_delay(void **state) {
  static const uint32_t cases[][3] = {{10, 25, 1}, {10, 4, 2}, {6, 6, 3}, {8, 1, 1}};
  uint32_t crc = 0;
  (void)state;
  seed = 11;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const struct mote_delay p = {2 * cases[k][0], 2 * cases[k][1], cases[k][2]};
    const size_t n = cases[k][0] * p.vectors;
    int16_t memory[64] = {0}, x[64], y[64];
    for (int call = 0; call < 8; call++) {
      for (size_t i = 0; i < n; i++) x[i] = draw_s16(0);
      *(struct mote_delay *)params_begin(sizeof p) = p;
      const struct edge in[] = {{x, 2 * n, 0}, {memory, (size_t)p.delay * p.vectors, 1}};
      const struct edge out[] = {{y, 2 * n, 0}};
      RUN(delay, in, out);
      crc = mote_crc32(crc, y, 2 * n);
    }
  }
  assert_int_equal(crc, 0xB15DD3D3u);
}

static void test_circular_buffer(void **state) {
  const struct mote_circular_buffer p = {4, 8};
  int8_t x[4], window[12] = {0}, expected[12] = {0};
  const void *rows[] = {x};
  struct mote_bounds b = {.params_bytes = sizeof p,
                          .out_bytes = 12,
                          .n_in = 1,
                          .n_out = 1,
                          .row_bytes = {4},
                          .rows = {1}};
  (void)state;
  for (int call = 0; call < 5; call++) {
    for (int i = 0; i < 4; i++) x[i] = (int8_t)(10 * call + i + 1);
    memmove(expected, expected + 4, 8);
    memcpy(expected + 8, x, 4);
    mote_kernel_circular_buffer.row(&p, rows, NULL, window);
    assert_memory_equal(window, expected, 12);
  }
  assert_int_equal(mote_circular_buffer_check(&p, &b), MOTE_OK);
  b.out_bytes--;
  assert_int_not_equal(mote_circular_buffer_check(&p, &b), MOTE_OK);
  b.out_bytes++;
  b.row_bytes[0]--;
  assert_int_not_equal(mote_circular_buffer_check(&p, &b), MOTE_OK);
}

/* ---- custom options ---------------------------------------------------------------------- */

/* {a: -300, b: 0.5, c: true, d: 70000, e: -5 and f: 2.5 behind offsets, g: null, h: "x"}, as FlexBuffers' own
 * library writes it. */
static const uint8_t options[] = {
    0x61, 0x00, 0x62, 0x00, 0x63, 0x00, 0x64, 0x00, 0x65, 0x00, 0xFB, 0x66, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x20, 0x40, 0x67, 0x00, 0x68, 0x00, 0x01, 0x78, 0x00, 0x08, 0x1C, 0x1B, 0x1A, 0x19,
    0x18, 0x16, 0x0E, 0x0D, 0x08, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
    0xD4, 0xFE, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x3F, 0x01, 0x00, 0x00, 0x00, 0x70, 0x11, 0x01, 0x00,
    0x36, 0x00, 0x00, 0x00, 0x34, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x33, 0x00, 0x00, 0x00,
    0x06, 0x0E, 0x6A, 0x0A, 0x18, 0x22, 0x02, 0x14, 0x28, 0x26, 0x01};

static double option(const char *name, int kind) {
  struct flex_map map;
  struct flex_number x;
  assert_true(flex_open(&map, options, sizeof options));
  assert_true(flex_find(&map, name, &x));
  assert_int_equal(x.kind, kind);
  if (kind == FLEX_INTEGER) assert_true((double)x.integer == x.real);
  return x.real;
}

static void test_options(void **state) {
  struct flex_map map;
  struct flex_number x;
  (void)state;
  assert_true(option("a", FLEX_INTEGER) == -300);
  assert_true(option("b", FLEX_REAL) == 0.5);
  assert_true(option("c", FLEX_INTEGER) == 1);
  assert_true(option("d", FLEX_INTEGER) == 70000);
  assert_true(option("e", FLEX_INTEGER) == -5);
  assert_true(option("f", FLEX_REAL) == 2.5);
  assert_true(option("g", FLEX_ABSENT) == 0);
  assert_true(option("z", FLEX_ABSENT) == 0);
  assert_true(option("", FLEX_ABSENT) == 0);
  assert_true(flex_open(&map, options, sizeof options));
  assert_false(flex_find(&map, "h", &x)); /* not a number */
  assert_true(flex_open(&map, NULL, 0) && flex_find(&map, "a", &x) && x.kind == FLEX_ABSENT);
}

/* Every prefix, and every byte with every value: nothing outside is read (under a sanitizer it would be seen). */
static void test_hostile_options(void **state) {
  int opened = 0;
  (void)state;
  for (size_t n = 0; n <= sizeof options; n++)
    for (int value = 0; value < 256; value++) {
      uint8_t *copy = malloc(sizeof options);
      struct flex_map map;
      struct flex_number x;
      memcpy(copy, options, sizeof options);
      if (n < sizeof options) copy[n] = (uint8_t)value;
      const size_t size = value == 0 ? n : sizeof options;
      uint8_t *exact = malloc(size + !size);
      memcpy(exact, copy, size);
      if (flex_open(&map, exact, size)) {
        opened++;
        for (const char *name = "abcdefgh"; *name; name++) {
          const char key[] = {*name, 0};
          (void)flex_find(&map, key, &x);
        }
      }
      free(exact);
      free(copy);
    }
  assert_true(opened > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fft),
      cmocka_unit_test(test_fft_s16_against_definition),
      cmocka_unit_test(test_fft_refuses),
      cmocka_unit_test(test_window),
      cmocka_unit_test(test_scale),
      cmocka_unit_test(test_spare_bits),
      cmocka_unit_test(test_energy),
      cmocka_unit_test(test_filter_bank),
      cmocka_unit_test(test_root),
      cmocka_unit_test(test_subtraction),
      cmocka_unit_test(test_log),
      cmocka_unit_test(test_pcan),
      cmocka_unit_test(test_framer),
      cmocka_unit_test(test_stacker),
      cmocka_unit_test(test_overlap_add),
      cmocka_unit_test(test_delay),
      cmocka_unit_test(test_circular_buffer),
      cmocka_unit_test(test_options),
      cmocka_unit_test(test_hostile_options),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
