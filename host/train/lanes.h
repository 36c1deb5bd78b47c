/* train/lanes: the inner loops of training, written once (lanes.inc, products.inc) and compiled for three levels of
 * instructions: 16 and 8 floats with fused multiply-add (AVX-512, AVX2 with FMA), 4 without.
 *
 * Channels lie innermost and every channel count is padded to LANES with zeros, so no loop has a tail. Each
 * lane is one output element and sums in one fixed order (over k, over rows): on one level of instructions the bits
 * depend on nothing else. Fusing rounds once where the plain loops round twice, so levels differ in last bits; sums of
 * integers below 2^24 are exact either way. */
#ifndef HOST_TRAIN_LANES_H
#define HOST_TRAIN_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANES 16
static inline int lanes_pad(int n) { return (n + LANES - 1) / LANES * LANES; }

/* A window over a map [h, w, np] of one sample; taps w[kh*kw][np]. */
struct lanes_window {
  int in_h, in_w, out_h, out_w, kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left,
      dilation_h, dilation_w, np;
};

/* How int32 sums of np channels become steps q - zp of an output; multiplier 0 in padded channels. */
struct lanes_requantise {
  const int32_t *bias, *multiplier, *left, *right; /* shifts: x * 2^left, then / 2^right */
  const float *real;                               /* what one unit of a sum is worth */
  int32_t zp, low, high;
};

/* source: Kingma and Ba 2015; decay apart from the gradient: Loshchilov and Hutter 2019. */
struct lanes_adam {
  float rate, decay, correct_1, correct_2;
};

/* c[line][m][n] = sums over outer, inner and k of a * b; distances in floats, those of a and c between lines and m, those of
 * b between outer, inner and k; n lies together. One of a_row (between m) and a_k is 1. A convolution's lines are rows of its
 * output; outer, inner and k run through the window; for the gradient of weights, m runs through a part of the window, outer,
 * inner and k through samples, rows and pixels. */
struct lanes_product {
  int more; /* further products, each with a, b and c moved on by these */
  ptrdiff_t a_next, b_next, c_next;
  int lines, m, n, outer, inner, k;
  ptrdiff_t a_line, a_row, a_outer, a_inner, a_k, b_outer, b_inner, b_k, c_line, c_row;
};

/* What batch normalisation and activation made of z: max(0, min(most, z * scale + shift)) if relu. */
struct lanes_normalised {
  const float *scale, *shift, *mean, *inverse;
  const float *a, *b; /* of normalise_back */
  bool relu;
  float most;
};

/* Tiles of F(4x4, 3x3) over c channels of a map, h by w of them, and their 36 places, `next` floats apart. */
struct lanes_tiles {
  int h, w, c;
  ptrdiff_t row, next;
  int out_h, out_w; /* outputs that there are: the last tiles may reach beyond */
};

struct lanes {
  const char *name;
  /* needs: n a multiple of LANES; b, c and their distances aligned to LANES. */
  void (*product)(const struct lanes_product *p, const float *a, const float *b, float *c,
                  bool accumulate);
  /* c[m][n] (+)= sum over k of a[i*a_row + k*a_k] * b[k][n]. needs: n a multiple of LANES; b, c aligned. */
  void (*gemm)(int m, int n, int k, const float *a, size_t a_row, size_t a_k, const float *b,
               size_t b_row, float *c, size_t c_row, bool accumulate);
  /* mean[np] and m2[np] (sum of squared differences from it) of rows x np. */
  void (*moments)(int rows, int np, const float *z, float *mean, float *m2);
  /* y of rows x np of z. */
  void (*normalise)(const struct lanes_normalised *p, int rows, int np, const float *z, float *y);
  /* y = at most `most`. */
  void (*limit)(size_t n, float most, float *y);
  /* y = 1 / (1 + exp(-x)); its error is below 2e-7. alias: y may be x. */
  void (*sigmoid)(size_t n, const float *x, float *y);
  /* dy = y > low and y < high ? dy : 0 for each element. */
  void (*mask)(size_t n, const float *y, float low, float high, float *dy);
  /* sum[np] = column sums of dy. */
  void (*sums)(int rows, int np, const float *dy, float *sum);
  /* Of g, the part of dy that came through the activation: sum = column sums of g, sum_x = of g * (z - mean) * inverse. */
  void (*normalise_sums)(const struct lanes_normalised *p, int rows, int np, const float *dy,
                         const float *z, float *sum, float *sum_x);
  /* dz = g * scale + z * a + b: the gradient of activation and batch normalisation. alias: dz may be dy. */
  void (*normalise_back)(const struct lanes_normalised *p, int rows, int np, const float *dy,
                         const float *z, float *dz);
  /* As `product`, each channel with its own weight: n channels, k is not looked at. */
  void (*depthwise)(const struct lanes_product *p, const float *x, const float *w, float *y,
                    bool accumulate);
  /* dw at (b_outer, b_inner) (+)= sum over lines and m of x * dy; dy lies as c would. */
  void (*depthwise_sums)(const struct lanes_product *p, const float *x, const float *dy, float *dw,
                         bool accumulate);
  /* winograd.inc: tiles of x into their places, places into (+)= y, tiles of dy into the gradients of places; weights [9][k][n],
   * turned by half a turn or not, into theirs [36][k][n], and the gradients of these back. */
  void (*winograd_in)(const struct lanes_tiles *t, const float *x, float *v);
  void (*winograd_out)(const struct lanes_tiles *t, const float *m, float *y, bool accumulate);
  void (*winograd_back)(const struct lanes_tiles *t, const float *dy, float *m);
  void (*winograd_weights)(int k, int n, const float *w, bool turned, float *u);
  void (*winograd_weights_back)(int k, int n, const float *du, float *dw);
  /* y (+)= x / (1 - rate), or 0 by chance; the same elements for the same seed. */
  void (*dropout)(size_t n, uint32_t seed, float rate, const float *x, float *y, bool accumulate);
  /* y = a + b, not below 0 if relu. */
  void (*add)(size_t n, const float *a, const float *b, bool relu, float *y);
  /* y += x * k. */
  void (*add_scaled)(size_t n, const float *x, float k, float *y);
  /* y = steps of sum (+ more) + bias: mote_requantise of mote/base, clamped. sum holds integers below 2^24;
   * more: int32 or NULL. seen[0], seen[1]: least and greatest real value before clamping. alias: y may be sum. */
  void (*requantise)(int rows, int np, const struct lanes_requantise *how, const float *sum,
                     const int32_t *more, float *y, float seen[2]);
  /* One step of Adam over n parameters. */
  void (*adam)(size_t n, const struct lanes_adam *how, const float *gradient, float *m, float *v,
               float *w);
  /* out = sum of parts[p*stride], p in order. */
  void (*reduce)(size_t n, int parts, const float *in, size_t stride, float *out);
};

extern const struct lanes lanes_plain;
#if defined(__x86_64__)
extern const struct lanes lanes_avx2, lanes_avx512;
#endif
/* The widest that this machine runs; MOTE_VECTOR=plain|avx2|avx512 asks for a narrower one. */
const struct lanes *lanes_best(void);

#endif
