/* Filters designed in double: analogue poles, the bilinear transform with the edge where it belongs, one section for
 * each pair of poles. A section of a low pass has a gain of 1 at 0 Hz by itself, so that none loses digits.
 *
 * source: Butterworth's and Chebyshev's pole formulas. */
#include "host/features/private.h"

#include <math.h>

#define PI 3.14159265358979323846

/* The section of the poles p and its conjugate of a low pass with the edge 1. k: tan(pi edge / rate). */
static struct features_section section_of(double re, double im, double k, bool high) {
  const double size = re * re + im * im;
  if (high) re /= size, im /= size; /* s becomes 1 / s */
  const double square = high ? 1 / size : size;
  const double d0 = 1 - 2 * re * k + square * k * k;
  struct features_section s = {.a1 = 2 * (square * k * k - 1) / d0,
                               .a2 = (1 + 2 * re * k + square * k * k) / d0};
  const double gain = (high ? 1 : square * k * k) / d0;
  s.b0 = s.b2 = gain;
  s.b1 = high ? -2 * gain : 2 * gain;
  return s;
}

int features_butterworth(int order, double edge, bool high, struct features_section *out) {
  const double k = tan(PI * edge);
  for (int i = 0; i < order / 2; i++) {
    const double angle = PI * (2 * i + 1) / (2 * order);
    out[i] = section_of(-sin(angle), cos(angle), k, high);
  }
  return order / 2;
}

int features_chebyshev(int order, double ripple_db, double edge, bool high,
                       struct features_section *out) {
  const double k = tan(PI * edge), e2 = pow(10, ripple_db / 10) - 1;
  const double mu = asinh(1 / sqrt(e2)) / order;
  for (int i = 0; i < order / 2; i++) {
    const double angle = PI * (2 * i + 1) / (2 * order);
    out[i] = section_of(-sinh(mu) * sin(angle), cosh(mu) * cos(angle), k, high);
  }
  struct features_section *const last = &out[order / 2 - 1];
  const double gain = 1 / sqrt(1 + e2); /* an even order begins at the ripple's foot */
  last->b0 *= gain, last->b1 *= gain, last->b2 *= gain;
  return order / 2;
}

int features_notch(double low, double high, struct features_section *out) {
  const double w = 2 * PI * sqrt(low * high), a = tan(PI * (high - low));
  const double c = -2 * cos(w) / (1 + a);
  out[0] = (struct features_section){1 / (1 + a), c, 1 / (1 + a), c, (1 - a) / (1 + a)};
  return 1;
}

static int32_t q29(double x) {
  const double v = floor(x * 536870912.0 + 0.5);
  return (int32_t)fmin(fmax(v, -1073741824.0), 1073741824.0);
}

struct mote_section features_section_fixed(const struct features_section *s) {
  return (struct mote_section){.b0 = q29(s->b0),
                               .b1 = q29(s->b1),
                               .b2 = q29(s->b2),
                               .a1 = q29(s->a1),
                               .a2 = q29(s->a2),
                               .rest = q29((s->b0 + s->b1 + s->b2) / (1 + s->a1 + s->a2))};
}

double features_filter_growth(const struct features_section *s, int n) {
  double x1[32] = {0}, x2[32] = {0}, y1[32] = {0}, y2[32] = {0}, sum[32] = {0}, most = 1;
  for (int t = 0; t < 20000; t++) {
    double x = t == 0;
    for (int k = 0; k < n && k < 32; k++) {
      const double y =
          s[k].b0 * x + s[k].b1 * x1[k] + s[k].b2 * x2[k] - s[k].a1 * y1[k] - s[k].a2 * y2[k];
      x2[k] = x1[k], x1[k] = x, y2[k] = y1[k], y1[k] = y;
      sum[k] += fabs(y);
      x = y;
    }
  }
  for (int k = 0; k < n && k < 32; k++) most = fmax(most, sum[k]);
  return most;
}
