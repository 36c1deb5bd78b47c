/* sequence: integer operators with a memory: SVDF, UNIDIRECTIONAL_SEQUENCE_LSTM and GRU. Their memory is a state tensor
 * that the kernel reads and writes; it lives from one inference to the next. */
#ifndef MOTE_NN_SEQUENCE_H
#define MOTE_NN_SEQUENCE_H

#include "mote/base/base.h"

/* A real number: multiplier * 2^(shift - 31). range: multiplier >= 0, shift -31..30. */
struct mote_scale_pair {
  int32_t multiplier, shift;
};

/* SVDF, int8. Operands, each one row: x [batch][in_c], feature weights int8 [filters][in_c], time weights
 * [filters][memory], bias int32 [filters / rank] where has_bias, state [batch][filters][memory] (writable).
 * Time weights and state are int8 (svdf_s8) or int16 (svdf_s16).
 *
 * For each filter f: the oldest of its memory leaves, and saturated to the state's type
 *   newest = state_zp + R(sum w[f][c] (x[c] - in_zp), feature) comes in;
 * then, with t[f] = sum time[f][j] (state[f][j] - state_zp) over the memory,
 *   out[u] = clamp(out_zp + R(bias[u] + sum of t over the unit's `rank` filters, out)).
 * Sums are int32 and wrap. */
struct mote_svdf {
  struct mote_scale_pair feature, out;
  uint16_t batch, in_c, filters, rank, memory;
  int16_t in_zp, state_zp, out_zp;
  uint8_t has_bias;
  uint8_t reserved[3];
};

/* One gate: int16 = saturated R(sum w (x - in_zp) + bias, input) + saturated R(sum r (h - hidden_zp), recurrent). */
struct mote_lstm_gate {
  struct mote_scale_pair input, recurrent;
};
enum { MOTE_LSTM_INPUT, MOTE_LSTM_FORGET, MOTE_LSTM_CELL, MOTE_LSTM_OUTPUT, MOTE_LSTM_GATES };

/* UNIDIRECTIONAL_SEQUENCE_LSTM with int16 cells: lstm_s8 (int8 activations, int32 biases and sums), lstm_s16 (int16
 * activations, int64 biases and sums). Operands, one row each but x: x; weights int8 [units][in_c] of the input,
 * forget, cell and output gate; recurrent weights int8 [units][units] likewise; biases [units] likewise; hidden
 * state [batch][units] (activations, writable), cell state int16 [batch][units] (writable).
 *
 * Each step, with gates i, f, o through a sigmoid and g through tanh:
 *   cell = saturated M(f cell, forget) + M(i g, input), clipped to +-clip where clip >= 0
 *   hidden = clamp(hidden_zp + R(tanh(cell) o, out)), the output of the step.
 *
 * A call makes `steps` steps; x and the output hold [steps][batch] vectors (time_major 1) or [batch][steps].
 * Only with time_major or a batch of 1 may a sequence be cut into several calls. No state but the two tensors:
 * a step reads the hidden state from the output of the step before.
 * source: in lstm_s16 the pairs of `gate` are those of int64 sums: multiplier is reduced to 15 bits, shift 1..46
 * to the right (see mote_scaling of fixed16.h). */
struct mote_lstm {
  struct mote_lstm_gate gate[MOTE_LSTM_GATES];
  struct mote_scale_pair forget, input, out; /* products of two int16 */
  /* The cell in units of 1 / 12288: (x * multiplier + half) >> shift. */
  struct mote_scale_pair cell_tanh;
  uint16_t batch, steps, in_c, units;
  int16_t in_zp, hidden_zp;
  int16_t clip; /* -1: none */
  uint8_t time_major, reserved;
};

enum { MOTE_GRU_UPDATE, MOTE_GRU_RESET, MOTE_GRU_NEW, MOTE_GRU_GATES };
#define MOTE_GRU_MOST_UNITS 512

/* GRU, an operator of Mote's own: gru_s8, whose reset gate works behind the recurrent product (PyTorch's form, Keras'
 * with reset_after). Operands, one row each but x: x int8 [batch][steps][in_c]; weights int8 [units][in_c] of the update,
 * reset and new gate; recurrent weights int8 [units][units] likewise; biases int16 [4][units] of the three gates' sums
 * and of the new gate's recurrent sum, in steps of 2^-12; hidden state int16 [batch][units] in steps of 2^-15 (writable).
 *
 * Each step, with S(x) = R(sum w (x - in_zp), input) and S(h) = R(sum r h, recurrent), both saturated to int16 in steps
 * of 2^-12, and every sum of such likewise:
 *   z = sigmoid(S(x) + S(h) + bias), r likewise        in steps of 2^-15
 *   n = tanh(S(x) + bias + r (S(h) + recurrent bias))  the product rounded, halves up
 *   h = z h + (1 - z) n                                rounded, halves up; |h| < 1, no saturation
 * and the output, int8 in steps of 2^-7, is h rounded likewise: steps finer than the output's add up in the state.
 *
 * range: units <= 512, so that sums of r h stay within int32 for what the operator itself makes (|h| <= 32767); others
 * wrap. A sequence may be cut into several calls where the batch is 1. state: 2 * units bytes of scratch. */
struct mote_gru {
  struct mote_scale_pair input[MOTE_GRU_GATES], recurrent[MOTE_GRU_GATES];
  uint16_t batch, steps, in_c, units;
  int16_t in_zp;
  uint16_t reserved;
};

#endif
