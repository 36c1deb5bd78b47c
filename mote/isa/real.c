/* real: sums of float32 products in four lanes (isa.h), in C for every machine: the meaning of the faster loops.
 *
 * Four weight vectors at a time share the loads of x, and their sixteen lanes fit the registers of a small
 * floating-point unit. */
#include "mote/isa/isa.h"

void mote_isa_lanes_f32__plain(float lane[4][4], const float *x, const float *const w[4],
                               uint32_t n) {
  const float *a = w[0], *b = w[1], *c = w[2], *d = w[3];
  float a0 = lane[0][0], a1 = lane[0][1], a2 = lane[0][2], a3 = lane[0][3];
  float b0 = lane[1][0], b1 = lane[1][1], b2 = lane[1][2], b3 = lane[1][3];
  float c0 = lane[2][0], c1 = lane[2][1], c2 = lane[2][2], c3 = lane[2][3];
  float d0 = lane[3][0], d1 = lane[3][1], d2 = lane[3][2], d3 = lane[3][3];
  for (const float *const end = x + n; x != end; x += 4, a += 4, b += 4, c += 4, d += 4) {
    const float x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    a0 += x0 * a[0], a1 += x1 * a[1], a2 += x2 * a[2], a3 += x3 * a[3];
    b0 += x0 * b[0], b1 += x1 * b[1], b2 += x2 * b[2], b3 += x3 * b[3];
    c0 += x0 * c[0], c1 += x1 * c[1], c2 += x2 * c[2], c3 += x3 * c[3];
    d0 += x0 * d[0], d1 += x1 * d[1], d2 += x2 * d[2], d3 += x3 * d[3];
  }
  lane[0][0] = a0, lane[0][1] = a1, lane[0][2] = a2, lane[0][3] = a3;
  lane[1][0] = b0, lane[1][1] = b1, lane[1][2] = b2, lane[1][3] = b3;
  lane[2][0] = c0, lane[2][1] = c1, lane[2][2] = c2, lane[2][3] = c3;
  lane[3][0] = d0, lane[3][1] = d1, lane[3][2] = d2, lane[3][3] = d3;
}

void mote_isa_dot4_f32__plain(float sum[4], const float *x, const float *const w[4], uint32_t n) {
  float lane[4][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}};
  mote_isa_lanes_f32__plain(lane, x, w, n);
  for (int v = 0; v < 4; v++) sum[v] = (lane[v][0] + lane[v][1]) + (lane[v][2] + lane[v][3]);
}

void mote_isa_taps_f32__plain(float sum[8], const float *x, uint32_t x_step, const float *w,
                              uint32_t w_step, uint32_t n) {
  float s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3];
  float s4 = sum[4], s5 = sum[5], s6 = sum[6], s7 = sum[7];
  for (; n; n--, x += x_step, w += w_step) {
    s0 += x[0] * w[0], s1 += x[1] * w[1], s2 += x[2] * w[2], s3 += x[3] * w[3];
    s4 += x[4] * w[4], s5 += x[5] * w[5], s6 += x[6] * w[6], s7 += x[7] * w[7];
  }
  sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
  sum[4] = s4, sum[5] = s5, sum[6] = s6, sum[7] = s7;
}
