"""Operators that move numbers: shapes, slices, gathers, resizing, indices."""
import itertools
import numpy as np
from case import case, draw, quant
from model import Model


def simple(op, name, type, shape, out_shape, consts=(), outq=None, out_type=None, inq=None, low=None, high=None, zeroed=False, **opts):
    """One input, constant parameters (array, type), one output."""
    @case(op, name)
    def build(rng):
        m = Model()
        m.zeroed = zeroed
        q = quant(type) if inq is None else inq
        x = m.input(shape, type, *q, draw=(low, high))
        p = [m.const(np.asarray(a), t) for a, t in consts]
        y = m.output(out_shape, out_type or type, *(q if outq is None else outq))
        m.op(op, [x] + p, [y], **opts)
        return m


I32 = "int32"
ALL = ("float32", "int8", "int16", "int32", "int64", "bool", "uint8")


def squeeze_shape(s):
    return [d for d in s if d != 1]


# ---- shape only -------------------------------------------------------------
for t in ("float32", "int8", "int16", "int32", "bool"):
    simple("RESHAPE", t, t, (2, 3, 4, 5), (6, 20), [([6, 20], I32)], newShape=[6, 20])
simple("RESHAPE", "int8_options_only", "int8", (2, 3, 4, 5), (5, 2, 12), newShape=[5, 2, -1])
simple("RESHAPE", "int8_stretch", "int8", (1, 3, 4, 5), (3, 20), [([3, -1], I32)], newShape=[3, -1])
simple("RESHAPE", "int8_5d", "int8", (6, 10), (1, 2, 3, 2, 5), [([1, 2, 3, 2, 5], I32)], newShape=[1, 2, 3, 2, 5])
for t in ("float32", "int8", "int16"):
    simple("EXPAND_DIMS", t, t, (3, 5), (3, 1, 5), [([1], I32)])
    simple("EXPAND_DIMS", t + "_last", t, (3, 5), (3, 5, 1), [([-1], I32)])
    simple("SQUEEZE", t, t, (1, 3, 1, 5), (3, 5), squeezeDims=[0, 2])
simple("EXPAND_DIMS", "int8_scalar_axis", "int8", (3, 5), (1, 3, 5), [(0, I32)])
simple("SQUEEZE", "int8_all", "int8", (1, 3, 1, 5, 1), (3, 5), squeezeDims=[])
simple("SQUEEZE", "int8_negative", "int8", (1, 3, 1, 5, 1), (1, 3, 1, 5), squeezeDims=[-1])
simple("SQUEEZE", "int32", "int32", (1, 3, 1, 5), (3, 5), squeezeDims=[0, 2])
for t, s in (("float32", (2, 3, 5)), ("int8", (1, 2, 3, 4, 5)), ("int16", (7,))):
    simple("SHAPE", t, t, s, (len(s),), out_type="int32", outq=(None, 0), outType="INT32")

# ---- copies -------------------------------------------------------------------
for t in ("float32", "int8", "int16"):
    simple("TRANSPOSE", t, t, (3, 5, 7), (7, 3, 5), [([2, 0, 1], I32)])
    simple("TRANSPOSE", t + "_4d", t, (2, 3, 4, 5), (2, 5, 3, 4), [([0, 3, 1, 2], I32)])
simple("TRANSPOSE", "int8_2d", "int8", (7, 9), (9, 7), [([1, 0], I32)])
simple("TRANSPOSE", "int8_5d", "int8", (2, 3, 2, 3, 4), (4, 2, 3, 2, 3), [([4, 0, 3, 2, 1], I32)])
simple("TRANSPOSE", "float32_5d", "float32", (2, 3, 2, 3, 4), (3, 4, 2, 3, 2), [([1, 4, 0, 3, 2], I32)])
for t in ("float32", "int8", "int16", "int32"):
    simple("PAD", t, t, (1, 3, 4, 2), (1, 6, 7, 2), [([[0, 0], [1, 2], [3, 0], [0, 0]], I32)])

    @case("PADV2", t)
    def build(rng, t=t):
        m = Model()
        q = quant(t)
        x = m.input((1, 3, 4, 2), t, *q)
        p = m.const(np.array([[0, 1], [1, 0], [0, 2], [1, 1]]), "int32")
        v = m.const(np.asarray(draw(rng, (), t)), t, *q)
        m.op("PADV2", [x, p, v], [m.output((2, 4, 6, 4), t, *q)])
        return m
simple("PAD", "int8_2d", "int8", (3, 5), (4, 8), [([[0, 1], [2, 1]], I32)])
simple("PAD", "int8_5d", "int8", (1, 2, 2, 3, 2), (2, 2, 4, 3, 3), [([[1, 0], [0, 0], [1, 1], [0, 0], [0, 1]], I32)])
for t in ("float32", "int8"):
    for mode, pad in (("REFLECT", [[0, 0], [2, 1], [3, 2], [1, 0]]), ("SYMMETRIC", [[1, 0], [3, 1], [0, 4], [2, 2]])):
        s = (1, 3, 4, 2)
        simple("MIRROR_PAD", f"{t}_{mode.lower()}", t, s, [d + a + b for d, (a, b) in zip(s, pad)], [(pad, I32)], mode=mode)
simple("MIRROR_PAD", "int8_int64_paddings", "int8", (3, 5), (6, 8), [([[1, 2], [3, 0]], "int64")], mode="REFLECT")
for t in ("float32", "int8", "int16", "int32", "bool"):
    simple("SLICE", t, t, (2, 5, 4, 3), (1, 3, 4, 2), [([1, 1, 0, 1], I32), ([1, 3, 4, 2], I32)])
simple("SLICE", "int8_rest", "int8", (2, 5, 4, 3), (2, 3, 4, 1), [([0, 2, 0, 2], I32), ([-1, -1, 4, -1], I32)])
simple("SLICE", "int8_5d", "int8", (2, 3, 2, 3, 4), (1, 2, 2, 1, 3), [([1, 1, 0, 2, 0], I32), ([1, 2, 2, 1, 3], I32)])
simple("SLICE", "int8_int64_begin", "int8", (7, 9), (3, 4), [([2, 5], "int64"), ([3, 4], "int64")])
for t in ("float32", "int8", "int16", "int32", "bool"):
    simple("STRIDED_SLICE", t, t, (2, 7, 5, 3), (1, 3, 2, 3), [([1, 1, 0, 0], I32), ([2, 7, 4, 3], I32), ([1, 2, 2, 1], I32)])
for name, s, b, e, st, out, kw in (
        ("begin_end_masks", (4, 5, 6), [9, 1, 2], [1, 9, 5], [1, 1, 1], (4, 4, 3), dict(beginMask=1, endMask=3)),
        ("shrink", (4, 5, 6), [1, 0, 2], [2, 5, 3], [1, 2, 1], (3,), dict(shrinkAxisMask=5)),
        ("reverse", (4, 5, 6), [-1, 3, 5], [-5, 0, 0], [-1, -2, -1], (4, 2, 5), {}),
        ("negative", (4, 5, 6), [-3, -4, 0], [-1, -1, -2], [1, 1, 3], (2, 3, 2), {}),
        ("mask_reverse", (7,), [0], [0], [-2], (4,), dict(beginMask=1, endMask=1)),
        ("to_scalar", (5,), [-2], [5], [1], (), dict(shrinkAxisMask=1)),
        ("everything", (3, 4, 5), [0, 0, 0], [0, 0, 0], [1, 3, -3], (3, 2, 2), dict(beginMask=7, endMask=7))):
    simple("STRIDED_SLICE", "int8_" + name, "int8", s, out, [(b, I32), (e, I32), (st, I32)], **kw)
for t in ("float32", "int8", "int16", "int32", "int64", "bool"):
    for name, shapes, axis in (("", ((2, 3, 4), (2, 1, 4), (2, 5, 4)), 1), ("_last", ((3, 2), (3, 5)), -1)):
        @case("CONCATENATION", t + name)
        def build(rng, t=t, shapes=shapes, axis=axis):
            m = Model()
            q = quant(t)
            ins = [m.input(s, t, *q) for s in shapes]
            out = list(shapes[0])
            out[axis] = sum(s[axis] for s in shapes)
            m.op("CONCATENATION", ins, [m.output(out, t, *q)], axis=axis)
            return m


@case("CONCATENATION", "int8_constant")
def build(rng):
    m = Model()
    q = quant("int8")
    x = m.input((1, 3, 4), "int8", *q)
    c = m.const(draw(rng, (1, 3, 2), "int8"), "int8", *q)
    m.op("CONCATENATION", [x, c, x], [m.output((1, 3, 10), "int8", *q)], axis=2)
    return m


for t in ("float32", "int8", "int16", "int32"):
    for name, s, axis, n in (("", (2, 6, 5), 1, 3), ("_last", (3, 8), -1, 2)):
        @case("SPLIT", t + name)
        def build(rng, t=t, s=s, axis=axis, n=n):
            m = Model()
            q = quant(t)
            a = m.const(np.asarray(axis), "int32")
            x = m.input(s, t, *q)
            o = list(s)
            o[axis] //= n
            m.op("SPLIT", [a, x], [m.output(o, t, *q) for _ in range(n)], numSplits=n)
            return m
    for name, s, axis, sizes in (("", (2, 7, 5), 1, [1, 4, 2]), ("_last", (3, 8), -1, [5, 3])):
        @case("SPLIT_V", t + name)
        def build(rng, t=t, s=s, axis=axis, sizes=sizes):
            m = Model()
            q = quant(t)
            x = m.input(s, t, *q)
            z, a = m.const(np.array(sizes), "int32"), m.const(np.asarray(axis), "int32")
            outs = []
            for n in sizes:
                o = list(s)
                o[axis] = n
                outs.append(m.output(o, t, *q))
            m.op("SPLIT_V", [x, z, a], outs, numSplits=len(sizes))
            return m
for t in ("float32", "int8", "int16", "int32", "int64"):
    for name, axis in (("", 0), ("_middle", 1), ("_last", -1)):
        @case("PACK", t + name)
        def build(rng, t=t, axis=axis):
            m = Model()
            q = quant(t)
            ins = [m.input((3, 5), t, *q) for _ in range(3)]
            o = [3, 5]
            o.insert(axis if axis >= 0 else 3 + axis, 3)
            m.op("PACK", ins, [m.output(o, t, *q)], axis=axis, valuesCount=3)
            return m
        if t == "int64":
            continue

        @case("UNPACK", t + name)
        def build(rng, t=t, axis=axis):
            m = Model()
            q = quant(t)
            s = (3, 4, 5)
            x = m.input(s, t, *q)
            o = list(s)
            n = o.pop(axis)
            m.op("UNPACK", [x], [m.output(o, t, *q) for _ in range(n)], axis=axis, num=n)
            return m
for t in ("float32", "int8", "int16", "int32", "int64", "bool", "uint8"):
    simple("REVERSE_V2", t, t, (3, 5, 4), (3, 5, 4), [([1], I32)])
simple("REVERSE_V2", "int8_two_axes", "int8", (2, 3, 4, 3), (2, 3, 4, 3), [([1, 2], I32)])
simple("REVERSE_V2", "int8_negative", "int8", (3, 5, 4), (3, 5, 4), [([-1], I32)])
simple("REVERSE_V2", "float32_all", "float32", (3, 5), (3, 5), [([0, 1], I32)])

# ---- blocks ---------------------------------------------------------------------
for t in ("float32", "int8"):
    simple("DEPTH_TO_SPACE", t, t, (1, 2, 3, 12), (1, 4, 6, 3), blockSize=2)
    simple("DEPTH_TO_SPACE", t + "_three", t, (2, 2, 1, 9), (2, 6, 3, 1), blockSize=3)
    simple("SPACE_TO_DEPTH", t, t, (1, 4, 6, 3), (1, 2, 3, 12), blockSize=2)
    simple("SPACE_TO_DEPTH", t + "_three", t, (2, 6, 3, 1), (2, 2, 1, 9), blockSize=3)
    simple("SPACE_TO_BATCH_ND", t, t, (1, 4, 6, 3), (6, 2, 2, 3), [([2, 3], I32), ([[0, 0], [0, 0]], I32)])
    simple("SPACE_TO_BATCH_ND", t + "_3d", t, (2, 6, 3), (6, 2, 3), [([3], I32), ([[0, 0]], I32)])
    # The reference never sets the value that it pads with; in zeroed memory it is 0, the zero point here.
    simple("SPACE_TO_BATCH_ND", t + "_padded", t, (1, 5, 4, 3), (6, 3, 2, 3), [([2, 3], I32), ([[1, 0], [0, 2]], I32)],
           inq=(0.05, 0) if t == "int8" else None, zeroed=True)
    simple("BATCH_TO_SPACE_ND", t, t, (6, 3, 2, 3), (1, 5, 6, 3), [([2, 3], I32), ([[1, 0], [0, 0]], I32)])
    simple("BATCH_TO_SPACE_ND", t + "_3d", t, (6, 2, 3), (2, 5, 3), [([3], I32), ([[0, 1]], I32)])

# ---- resizing --------------------------------------------------------------------
for t in ("float32", "int8", "int16"):
    for name, a, h in (("", False, False), ("_align_corners", True, False), ("_half_pixel", False, True)):
        for way, s, o in (("", (1, 3, 4, 2), (7, 9)), ("_down", (1, 7, 9, 2), (4, 3))):
            if t != "int16":
                simple("RESIZE_BILINEAR", t + name + way, t, s, (1, *o, 2), [(list(o), I32)], alignCorners=a, halfPixelCenters=h)
            simple("RESIZE_NEAREST_NEIGHBOR", t + name + way, t, s, (1, *o, 2), [(list(o), I32)], alignCorners=a, halfPixelCenters=h)

# ---- filling and repeating ---------------------------------------------------------
for t, bt in itertools.product(("float32", "int8", "int32"), ("int32",)):
    @case("FILL", t)
    def build(rng, t=t):
        m = Model()
        d = m.const(np.array([2, 3, 4]), "int32")
        v = m.input((), t, *quant(t))
        m.op("FILL", [d, v], [m.output((2, 3, 4), t, *quant(t))])
        return m


@case("FILL", "int8_int64_dims")
def build(rng):
    m = Model()
    q = quant("int8")
    m.op("FILL", [m.const(np.array([3, 5]), "int64"), m.input((), "int8", *q)], [m.output((3, 5), "int8", *q)])
    return m


for t in ("float32", "int8", "int16", "int32", "bool"):
    simple("BROADCAST_TO", t, t, (3, 1, 4), (2, 3, 5, 4), [([2, 3, 5, 4], I32)])
simple("BROADCAST_TO", "int8_5d", "int8", (2, 1, 3, 1, 2), (2, 2, 3, 4, 2), [([2, 2, 3, 4, 2], "int64")])
simple("BROADCAST_TO", "float32_scalar", "float32", (), (3, 4), [([3, 4], I32)])
for t in ("int32", "int64"):
    for name, a, b in (("", [3, 1, 4], [5, 1]), ("_same", [2, 3], [2, 3]), ("_longer", [7], [2, 3, 1, 1])):
        @case("BROADCAST_ARGS", t + name)
        def build(rng, t=t, a=a, b=b):
            m = Model()
            x = m.input((len(a),), t, draw=lambda rng, s, a=a: a)
            y = m.input((len(b),), t, draw=lambda rng, s, b=b: b)
            m.op("BROADCAST_ARGS", [x, y], [m.output((max(len(a), len(b)),), t)])
            return m

# ---- indices ------------------------------------------------------------------------
for op in ("ARG_MAX", "ARG_MIN"):
    for t in ("float32", "int8"):
        for name, s, axis in (("", (3, 7, 5), 1), ("_last", (1, 2, 3, 9), -1), ("_1d", (31,), 0)):
            o = list(s)
            o.pop(axis)
            simple(op, t + name, t, s, o, [(axis, I32)], out_type="int32", outq=(None, 0), outputType="INT32")
    simple(op, "int8_ties", "int8", (5, 20), (5,), [([1], I32)], out_type="int32", outq=(None, 0), low=-2, high=2, outputType="INT32")
for t in ("float32", "int8"):
    for name, s, ids, axis, batch in (("", (6, 5), [3, 0, 5, 3], 0, 0), ("_axis", (2, 5, 3), [[4, 0], [1, 1], [2, 3]], 1, 0),
                                      ("_negative_axis", (2, 3, 5), [4, 0, 1], -1, 0), ("_batch", (2, 5, 3), [[4, 0, 1], [2, 2, 3]], 1, 1)):
        for live in ((False, True) if name in ("", "_batch") else (False,)):
            @case("GATHER", t + name + ("_live" if live else ""))
            def build(rng, t=t, s=s, ids=np.array(ids), axis=axis, batch=batch, live=live):
                m = Model()
                q = quant(t)
                x = m.input(s, t, *q)
                i = m.input(ids.shape, "int32", draw=lambda rng, shape: rng.integers(0, s[axis], shape)) if live else m.const(ids, "int32")
                a = axis % len(s)
                o = list(s[:a]) + list(ids.shape[batch:]) + list(s[a + 1:])
                m.op("GATHER", [x, i], [m.output(o, t, *q)], axis=axis, batchDims=batch)
                return m

    @case("GATHER", t + "_table")
    def build(rng, t=t):
        m = Model()
        q = quant(t)
        x = m.const(draw(rng, (9, 4), t), t, *q)
        i = m.input((2, 3), "int32", draw=lambda rng, shape: rng.integers(0, 9, shape))
        m.op("GATHER", [x, i], [m.output((2, 3, 4), t, *q)], axis=0)
        return m
    for name, s, ids in (("", (4, 5, 3), [[3, 1], [0, 4], [2, 2]]), ("_row", (6, 5), [[[5], [0]], [[2], [2]]]), ("_element", (4, 5), [[3, 1], [0, 4]])):
        @case("GATHER_ND", t + name)
        def build(rng, t=t, s=s, ids=np.array(ids)):
            m = Model()
            q = quant(t)
            x = m.input(s, t, *q)
            i = m.input(ids.shape, "int32", draw=lambda rng, shape: ids)
            m.op("GATHER_ND", [x, i], [m.output(list(ids.shape[:-1]) + list(s[ids.shape[-1]:]), t, *q)])
            return m
for t in ("float32", "int8", "int16", "int32"):
    for name, s, u, start, it in (("", (5, 7), (2, 3), [2, 3], "int32"), ("_clamped", (4, 3, 5), (2, 3, 2), [3, 1, -2], "int64")):
        @case("DYNAMIC_UPDATE_SLICE", t + name)
        def build(rng, t=t, s=s, u=u, start=start, it=it):
            m = Model()
            q = quant(t)
            x, y = m.input(s, t, *q), m.input(u, t, *q)
            i = m.input((len(start),), it, draw=lambda rng, shape: start)
            m.op("DYNAMIC_UPDATE_SLICE", [x, y, i], [m.output(s, t, *q)])
            return m
for name, t, o, q in (("float32", "float32", "float32", (None, 0)), ("int8", "int8", "int8", (0.05, -7)), ("int8_to_float32", "int8", "float32", (0.037, 0))):
    for w, s in (("", (7, 5)), ("_3d", (6, 2, 4))):
        @case("EMBEDDING_LOOKUP", name + w)
        def build(rng, t=t, o=o, q=q, s=s):
            m = Model()
            i = m.input((4,), "int32", draw=lambda rng, shape: rng.integers(0, s[0], shape))
            v = m.const(draw(rng, s, t), t, *q)
            m.op("EMBEDDING_LOOKUP", [i, v], [m.output((4,) + s[1:], o, *(q if o == "int8" else (None, 0)))])
            return m
