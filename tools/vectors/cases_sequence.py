"""Operators that remember: SVDF and LSTM. Several invocations each."""
import numpy as np
from case import case, draw
from model import Model


def svdf(name, type, state="int16", batch=2, inputs=5, units=3, rank=2, memory=4, act="NONE", n=6):
    @case("SVDF", name)
    def build(rng):
        m = Model()
        f = units * rank
        if type == "float32":
            x = m.input((batch, inputs), "float32")
            wf = m.const(rng.normal(0, 0.5, (f, inputs)), "float32")
            wt = m.const(rng.normal(0, 0.5, (f, memory)), "float32")
            b = m.const(rng.normal(0, 0.5, units), "float32")
            st = m.tensor((batch, f * memory), "float32", variable=True)
            y = m.output((batch, units), "float32")
        else:
            ss = 0.0006 if state == "int16" else 0.05
            ts = 0.00003 if state == "int16" else 0.008
            lim = 32767 if state == "int16" else 127
            x = m.input((batch, inputs), "int8", 0.05, 4)
            wf = m.const(draw(rng, (f, inputs), "int8"), "int8", 0.01, 0)
            wt = m.const(rng.integers(-lim, lim, (f, memory)), state, ts, 0)
            big = 200000 if state == "int16" else 5000
            b = m.const(rng.integers(-big, big, units), "int32", np.float32(ss) * np.float32(ts), 0)
            st = m.tensor((batch, f * memory), state, ss, 0, variable=True)
            y = m.output((batch, units), "int8", 0.06, -9)
        m.op("SVDF", [x, wf, wt, b, st], [y], rank=rank, fusedActivationFunction=act)
        return m, n


svdf("float32", "float32")
svdf("float32_relu", "float32", batch=1, rank=1, memory=3, act="RELU")
svdf("int8", "int8")
svdf("int8_relu", "int8", batch=1, rank=1, units=4, act="RELU")
svdf("int8_long", "int8", batch=1, memory=9, n=12)
svdf("int8_state8", "int8", state="int8")
svdf("int8_state8_one", "int8", state="int8", batch=1, rank=1, inputs=7, act="RELU")


def lstm(name, type, batch=2, steps=4, inputs=3, units=4, clip=0.0, time_major=False, n=3, hidden_zp=-5, cell=-11):
    @case("UNIDIRECTIONAL_SEQUENCE_LSTM", name)
    def build(rng):
        m = Model()
        shape = (steps, batch) if time_major else (batch, steps)
        if type == "float32":
            x = m.input(shape + (inputs,), "float32")
            w = [m.const(rng.normal(0, 0.6, (units, inputs)), "float32") for _ in range(4)]
            r = [m.const(rng.normal(0, 0.6, (units, units)), "float32") for _ in range(4)]
            b = [m.const(rng.normal(0, 0.4, units), "float32") for _ in range(4)]
            h = m.tensor((batch, units), "float32", variable=True)
            c = m.tensor((batch, units), "float32", variable=True)
            y = m.output(shape + (units,), "float32")
        else:
            xs, xz = (0.02, 3) if type == "int8" else (0.0001, 0)
            hs, hz = (1 / 128, hidden_zp) if type == "int8" else (1 / 32768, 0)
            bt = "int32" if type == "int8" else "int64"
            x = m.input(shape + (inputs,), type, xs, xz)
            ws = [float(np.float32(s)) for s in rng.uniform(0.006, 0.014, 8)]
            w = [m.const(draw(rng, (units, inputs), "int8", -127, 127), "int8", ws[k], 0) for k in range(4)]
            r = [m.const(draw(rng, (units, units), "int8", -127, 127), "int8", ws[4 + k], 0) for k in range(4)]
            b = [m.const(rng.integers(-3000, 3000, units) * (1 if type == "int8" else 200), bt, np.float32(xs) * np.float32(ws[k]), 0) for k in range(4)]
            h = m.tensor((batch, units), type, hs, hz, variable=True)
            c = m.tensor((batch, units), "int16", 2.0 ** cell, 0, variable=True)
            y = m.output(shape + (units,), type, hs, hz)
        none = [-1] * 3
        m.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x] + w + r + none + b + [-1, -1] + [h, c] + [-1] * 4, [y],
             fusedActivationFunction="TANH", cellClip=clip, projClip=0.0, timeMajor=time_major)
        return m, n


for t in ("float32", "int8", "int16"):
    lstm(t, t)
    lstm(f"{t}_time_major", t, time_major=True, batch=3, steps=2)
    lstm(f"{t}_clip", t, batch=1, steps=5, clip=0.6)
lstm("int8_fine_cell", "int8", cell=-13)
lstm("int16_fine_cell", "int16", cell=-13)
lstm("int8_zero_point", "int8", batch=1, steps=3, hidden_zp=21)
