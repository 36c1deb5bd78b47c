"""Reductions, running sums, matrix products."""
import numpy as np
from case import case, draw, quant
from model import Model


def reduce(op, type, name, shape, axes, keep=False, qs=None, low=None, high=None):
    @case(op, name)
    def build(rng):
        m = Model()
        q = qs or (quant(type), quant(type))
        x = m.input(shape, type, *q[0], draw=(low, high))
        a = m.const(np.asarray(axes), "int32")
        drop = {k % len(shape) for k in np.atleast_1d(axes)}
        o = [(1 if k in drop else d) for k, d in enumerate(shape) if keep or k not in drop]
        m.op(op, [x, a], [m.output(o, type, *q[1])], keepDims=keep)
        return m


FORMS = (("_height_width", (1, 5, 7, 3), [1, 2], False), ("_height_width_keep", (2, 3, 4, 5), [1, 2], True), ("_last", (3, 4, 9), [-1], False),
         ("_first", (5, 11), [0], True), ("_all", (3, 4, 5), [0, 1, 2], False), ("_scalar_axis", (3, 7), 1, False))
for f, s, a, k in FORMS:
    for t in ("float32", "int8", "int16"):
        other = {"float32": ((None, 0), (None, 0)), "int8": ((0.0471, -7), (0.0231, 20)), "int16": ((0.0002, 0), (0.00009, 0))}[t]
        wide = {"float32": ((None, 0), (None, 0)), "int8": ((0.0471, -7), (0.31, 5)), "int16": ((0.0002, 0), (0.0011, 0))}[t]
        reduce("MEAN", t, t + f, s, a, k, qs=other)
        reduce("SUM", t, t + f, s, a, k, qs=wide)
        if f == "_height_width":
            reduce("MEAN", t, t + "_same_scale", s, a, k, qs=(other[0], other[0]))
            reduce("SUM", t, t + "_same_scale", s, a, k, qs=(other[0], other[0]))
    for op in ("REDUCE_MAX", "REDUCE_MIN"):
        for t in ("float32", "int8"):
            reduce(op, t, t + f, s, a, k)
    reduce("REDUCE_ALL", "bool", "bool" + f, s, a, k)


@case("REDUCE_ALL", "bool_mostly_true")
def build(rng):
    m = Model()
    x = m.input((6, 5), "bool", draw=lambda rng, s: rng.random(s) < 0.9)
    m.op("REDUCE_ALL", [x, m.const(np.array([1]), "int32")], [m.output((6,), "bool")], keepDims=False)
    return m


for t in ("float32", "int8"):
    for name, axis, ex, rev in (("", 1, False, False), ("_exclusive", 0, True, False), ("_reverse", -1, False, True), ("_exclusive_reverse", 1, True, True)):
        @case("CUMSUM", t + name)
        def build(rng, t=t, axis=axis, ex=ex, rev=rev):
            m = Model()
            x = m.input((3, 5, 4), t, *quant(t))
            a = m.const(np.asarray(axis), "int32")
            m.op("CUMSUM", [x, a], [m.output((3, 5, 4), t, *((0.09, 4) if t == "int8" else (None, 0)))], exclusive=ex, reverse=rev)
            return m

PRODUCTS = (("", (3, 5), (5, 4), False, False), ("_batch", (2, 3, 7), (2, 7, 5), False, False), ("_adj_x", (2, 7, 3), (2, 7, 5), True, False),
            ("_adj_y", (2, 3, 7), (2, 5, 7), False, True), ("_adj_both", (1, 2, 7, 3), (1, 2, 5, 7), True, True),
            ("_broadcast", (2, 1, 3, 4), (3, 4, 5), False, False), ("_5d", (2, 1, 2, 3, 4), (1, 2, 1, 4, 3), False, False))
for t, qs in (("float32", [(None, 0)] * 3), ("int8", [(0.03, 5), (0.02, -9), (0.07, 11)]), ("int16", [(0.0001, 0), (0.00008, 0), (0.0003, 0)])):
    for name, a, b, ax, ay in PRODUCTS:
        @case("BATCH_MATMUL", t + name)
        def build(rng, t=t, qs=qs, a=a, b=b, ax=ax, ay=ay):
            m = Model()
            x, y = m.input(a, t, *qs[0]), m.input(b, t, *qs[1])
            rows, cols = a[-1] if ax else a[-2], b[-2] if ay else b[-1]
            o = list(np.broadcast_shapes(a[:-2], b[:-2])) + [rows, cols]
            m.op("BATCH_MATMUL", [x, y], [m.output(o, t, *qs[2])], adjX=ax, adjY=ay)
            return m

    @case("BATCH_MATMUL", t + "_constant")
    def build(rng, t=t, qs=qs):
        m = Model()
        x, y = m.input((2, 3, 7), t, *qs[0]), m.const(draw(rng, (7, 4), t), t, *qs[1])
        m.op("BATCH_MATMUL", [x, y], [m.output((2, 3, 4), t, *qs[2])], adjX=False, adjY=False)
        return m
