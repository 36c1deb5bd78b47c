#!/usr/bin/env python3
"""Makes the vectors of the sequence operators that are Mote's own (MoteGru) under test/golden/.

    python3 tools/vectors/own.py [OUT]

No other software has them. The reference is their definition in mote/nn/sequence.h, worked out here apart from the kernel,
element by element in Python's own integers; every case without saturation is held against the
same recurrence in real numbers, too.
The sigmoid's table is read from mote/nn/tables16.c: the vectors of LOGISTIC/int16 prove it.
Needs: pip install tflite-micro numpy flatbuffers (for the schema; nothing is computed with it).
"""
import os
import re
import sys
import numpy as np
import case
from case import draw
from model import Model

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = [int(n) for n in re.findall(r"\d+", re.search(
    r"mote_sigmoid_table\[256\] = \{(.*?)\}", open(os.path.join(HERE, "../../mote/nn/tables16.c")).read(), re.S).group(1))]
assert len(TABLE) == 256


def floor_scaled(x, exponent):
    """x / 2^exponent, rounded, halves up."""
    return (x + (1 << exponent >> 1)) >> exponent


def scaled(x, real):
    """x times a real number, as every quantised operator does it: 31 bits of the number, rounded twice."""
    mantissa, exponent = np.frexp(real)
    multiplier = int(np.floor(float(mantissa) * 2**31 + 0.5))
    if multiplier == 1 << 31:
        multiplier, exponent = multiplier // 2, exponent + 1
    x <<= max(0, int(exponent))
    assert exponent >= -31 and abs(x) < 1 << 31  # nothing wraps
    high = floor_scaled(x * multiplier, 31)
    sign = -1 if high < 0 else 1
    return sign * floor_scaled(abs(high), max(0, -int(exponent)))  # halves away from zero


def short(x):
    return max(-32768, min(32767, x))


def sigmoid(x):
    """Of x / 4096, in 2^-15: on lines between the table's entries, which lie 512 / 12288 apart."""
    at, between = divmod(3 * abs(x), 512)
    y = TABLE[at] * 512 + between * (TABLE[at + 1] - TABLE[at]) if at < 255 else 0x7FFF << 10
    return (y + 512) >> 10 if x >= 0 else ((1 << 25) - y + 511) >> 10


def tanh(x):
    at, between = divmod(3 * abs(x), 256)
    y = (TABLE[at] * 256 + between * (TABLE[at + 1] - TABLE[at]) if at < 255 else 0xFFFF << 8) - (1 << 23)
    return (y + 128) >> 8 if x >= 0 else (127 - y) >> 8


def steps(x, x_zp, x_scale, w, w_scale, r, r_scale, bias, hidden):
    """Outputs of a sequence x; hidden is changed."""
    out = []
    for row in x:
        before = list(hidden)

        def of_x(g, u):
            return short(scaled(sum(int(a) * (int(b) - x_zp) for a, b in zip(w[g][u], row)), x_scale * w_scale[g] * 4096))

        def of_hidden(g, u):
            return short(scaled(sum(int(a) * b for a, b in zip(r[g][u], before)), r_scale[g] * 2.0**-15 * 4096))
        for u in range(len(hidden)):
            z, s = (sigmoid(short(of_x(g, u) + of_hidden(g, u) + int(bias[g][u]))) for g in range(2))
            again = short(of_hidden(2, u) + int(bias[3][u]))
            n = tanh(short(of_x(2, u) + int(bias[2][u]) + floor_scaled(s * again, 15)))
            hidden[u] = floor_scaled(z * before[u] + ((1 << 15) - z) * n, 15)
        out.append([min(127, floor_scaled(h, 8)) for h in hidden])
    return out


def real_steps(x, w, r, bias, hidden):
    out = []
    with np.errstate(over="ignore"):
        for row in x:
            z, s = (1 / (1 + np.exp(-(w[g] @ row + r[g] @ hidden + bias[g]))) for g in range(2))
            n = np.tanh(w[2] @ row + bias[2] + s * (r[2] @ hidden + bias[3]))
            hidden = z * hidden + (1 - z) * n
            out.append(hidden)
    return np.array(out), hidden


def gru(out, name, batch=1, length=5, inputs=5, units=4, n=3, zp=-7, x_scale=0.02, weights=(0.004, 0.012), bias=9000, most=0.012):
    rng = case.seed("MoteGru", name)
    m = Model()
    x = m.input((batch, length, inputs), "int8", x_scale, zp)
    real = lambda v: float(np.float32(v))
    ws, rs = [real(rng.uniform(*weights)) for _ in range(3)], [real(rng.uniform(*weights)) for _ in range(3)]
    w = [draw(rng, (units, inputs), "int8", -127, 127) for _ in range(3)]
    r = [draw(rng, (units, units), "int8", -127, 127) for _ in range(3)]
    b = rng.integers(-bias, bias + 1, (4, units))
    h = m.tensor((batch, units), "int16", 2.0**-15, 0, variable=True)
    y = m.output((batch, length, units), "int8", 2.0**-7, 0)
    m.custom("MoteGru", [x] + [m.const(w[g], "int8", ws[g]) for g in range(3)] + [m.const(r[g], "int8", rs[g]) for g in range(3)] +
             [m.const(b, "int16", 2.0**-12), h], [y], _raw=b"")
    state, near = [[0] * units for _ in range(batch)], [np.zeros(units) for _ in range(batch)]
    given = draw(rng, (n, batch, length, inputs), "int8")
    made = np.zeros((n, batch, length, units), np.int8)
    for k in range(n):
        for i in range(batch):
            made[k, i] = steps(given[k, i], zp, real(x_scale), w, ws, r, rs, b, state[i])
            there, near[i] = real_steps((given[k, i].astype(float) - zp) * real(x_scale), [a * s for a, s in zip(w, ws)],
                                        [a * s for a, s in zip(r, rs)], b / 4096, near[i])
            apart = np.abs(made[k, i] / 128 - there).max()
            assert apart < most, (name, apart)  # half a step of the output is 0.004
    for end, bytes in (("tflite", m.bytes()), ("in", given.tobytes()), ("out", made.tobytes())):
        with open(os.path.join(out, f"{name}.{end}"), "wb") as f:
            f.write(bytes)


def main():
    out = os.path.join(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../test/golden"), "MoteGru")
    os.makedirs(out, exist_ok=True)
    gru(out, "int8")
    gru(out, "int8_batch", batch=3, length=2)
    gru(out, "int8_wide", inputs=13, units=19, length=3, zp=41)
    gru(out, "int8_one_step", length=1, n=6)
    gru(out, "int8_slow", weights=(0.0002, 0.0006), length=9, zp=127, bias=1000)  # less than a step of the output at a time
    gru(out, "int8_saturated", x_scale=0.06, weights=(0.01, 0.03), bias=30000, most=2)  # gates end at 8


main()
