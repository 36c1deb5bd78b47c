#!/usr/bin/env python3
"""Makes the vectors of the operators that tflite-micro lacks under test/golden/.

    python3 tools/vectors/beyond.py [OUT]

The reference is TensorFlow Lite's own interpreter with its reference kernels and without delegates. Where it rounds a
rescaled value once and tflite-micro twice, the numbers here are such that both agree.
Needs: pip install ai-edge-litert tflite-micro numpy flatbuffers.
"""
import os
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
import case
from case import draw
from model import Model

CASES = []
NONE = (None, 0)


def add(op, name):
    def register(f):
        CASES.append((op, name, f))
        return f
    return register


def unary(op, name, type="float32", shape=(1, 3, 5, 4), inq=NONE, outq=NONE, low=None, high=None, **options):
    @add(op, name)
    def build(rng):
        m = Model()
        x = m.input(shape, type, *inq, draw=(low, high))
        m.op(op, [x], [m.output(shape, type, *outq)], **options)
        return m


for op in ("RELU_N1_TO_1", "RELU_0_TO_1"):
    unary(op, "float32")
    unary(op, "int8", "int8", inq=(0.0156, 3), outq=(0.0156, 3))
    unary(op, "int8_rescaled", "int8", inq=(0.03125, -5), outq=(0.015625, 10))
unary("SIGN", "float32", shape=(53,))
unary("SIGN", "float32_whole", shape=(53,), low=-1.5, high=1.5)


for approximate, name in ((False, ""), (True, "_tanh")):
    unary("GELU", "float32" + name, shape=(61,), approximate=approximate)
    unary("GELU", "float32_wide" + name, shape=(61,), low=-9, high=9, approximate=approximate)
    unary("GELU", "int8" + name, "int8", shape=(3, 100), inq=(0.0471, 5), outq=(0.0313, -100), approximate=approximate)


for op in ("EXP", "LOG"):
    unary(op, "int8", "int8", shape=(2, 3, 43), inq=(0.0471, -20), outq=(0.0313, -100))
    unary(op, "int8_fine", "int8", shape=(300,), inq=(0.011, 40), outq=(0.0071, 5))


def power(name, shapes, low, high, exponents):
    """exponents: low and high, or a list of constants."""
    @add("POW", name)
    def build(rng):
        m = Model()
        x = m.input(shapes[0], "float32", draw=(low, high))
        if isinstance(exponents, list):
            y = m.const(np.array(exponents, np.float32).reshape(shapes[1]), "float32")
        else:
            y = m.input(shapes[1], "float32", draw=exponents)
        m.op("POW", [x, y], [m.output(np.broadcast_shapes(*shapes), "float32")])
        return m


power("float32", ((2, 3, 5), (2, 3, 5)), 0.1, 4, (-3, 3))
power("float32_square", ((2, 3, 5), ()), -4, 4, [2])
power("float32_root", ((2, 3, 5), ()), 0, 9, [0.5])
power("float32_inverse_root", ((2, 3, 5), ()), 0.1, 9, [-0.5])
power("float32_whole", ((40, 1), (1, 7)), -3, 3, [-3, -2, -1, 0, 1, 3, 5])
power("float32_broadcast", ((6, 1), (1, 5)), 0.5, 20, (-2, 5))


def one_hot(name, type, index, shape, depth, axis, values=(1, 0)):
    @add("ONE_HOT", name)
    def build(rng):
        m = Model()
        i = m.input(shape, index, draw=(-1, depth))
        n = m.const(np.array(depth), "int32")
        on, off = (m.const(np.array(v), type) for v in values)
        out = list(shape)
        out.insert(len(shape) + 1 + axis if axis < 0 else axis, depth)
        m.op("ONE_HOT", [i, n, on, off], [m.output(out, type)], axis=axis)
        return m


for t in ("float32", "int8", "int32", "int64", "uint8", "bool"):
    one_hot(t, t, "int32", (2, 5), 4, -1)
    one_hot(t + "_axis", t, "int64", (3, 4), 5, 1)
one_hot("float32_values", "float32", "int32", (9,), 6, 0, (2.5, -1.5))


def steps(name, type, start, limit, step):
    @add("RANGE", name)
    def build(rng):
        m = Model()
        n = len(np.arange(start, limit, step))
        x = m.input((n,), type, draw=(-50, 50))
        a, b, c = (m.const(np.array(v), type) for v in (start, limit, step))
        t, y = m.tensor((n,), type), m.output((n,), type)
        m.op("RANGE", [a, b, c], [t])
        m.op("ADD" if type != "int64" else "MAXIMUM", [x, t], [y])
        return m


steps("int32", "int32", 3, 20, 4)
steps("int32_down", "int32", 9, -8, -3)
steps("int64", "int64", 0, 11, 1)
steps("float32", "float32", 0, 10, 1)
steps("float32_fraction", "float32", -1, 2.05, 0.1)


@add("RANK", "float32")
def rank(rng):
    m = Model()
    x = m.input((2, 3, 4), "float32")
    t = m.tensor((), "int32")
    f = m.tensor((), "float32")
    y = m.output((2, 3, 4), "float32")
    m.op("RANK", [x], [t])
    m.op("CAST", [t], [f], inDataType="INT32", outDataType="FLOAT32")
    m.op("MUL", [x, f], [y])
    return m


def select(name, type, which, shape, q=NONE):
    @add("SELECT", name)
    def build(rng):
        m = Model()
        c = m.input(which, "bool")
        a, b = m.input(shape, type, *q), m.input(shape, type, *q)
        m.op("SELECT", [c, a, b], [m.output(shape, type, *q)])
        return m


for t in ("float32", "int8", "int32", "bool"):
    select(t, t, (2, 3, 5), (2, 3, 5), case.quant(t))
    select(t + "_scalar", t, (), (2, 3, 5), case.quant(t))
    select(t + "_slices", t, (4,), (4, 3, 5), case.quant(t))


def tile(name, type, shape, times, q=NONE):
    @add("TILE", name)
    def build(rng):
        m = Model()
        x = m.input(shape, type, *q)
        t = m.const(np.array(times), "int32")
        m.op("TILE", [x, t], [m.output(np.array(shape) * times, type, *q)])
        return m


for t in ("float32", "int8", "int32", "int64", "bool"):
    tile(t, t, (2, 3), (2, 4), case.quant(t))
    tile(t + "_4d", t, (2, 3, 1, 4), (1, 2, 3, 2), case.quant(t))
tile("float32_line", "float32", (7,), (5,))
tile("float32_once", "float32", (2, 5), (1, 1))


def reduce(op, name, type, shape, axes, keep=False, low=None, high=None):
    @add(op, name)
    def build(rng):
        m = Model()
        x = m.input(shape, type, draw=(low, high))
        a = m.const(np.array(axes), "int32")
        axis = [i % len(shape) for i in axes]
        out = [1 if i in axis else d for i, d in enumerate(shape) if keep or i not in axis]
        m.op(op, [x, a], [m.output(out, type)], keepDims=keep)
        return m


for op, t in (("REDUCE_ANY", "bool"), ("REDUCE_PROD", "float32")):
    reduce(op, t, t, (3, 4, 2), (2,))
    reduce(op, t + "_all", t, (2, 3, 4), (0, 1, 2))
    reduce(op, t + "_keep", t, (2, 3, 4, 2), (1, -1), True)
    reduce(op, t + "_first", t, (2, 3, 4), (0,))


def top(name, type, shape, k, q=NONE, low=None, high=None):
    @add("TOPK_V2", name)
    def build(rng):
        m = Model()
        x = m.input(shape, type, *q, draw=(low, high))
        n = m.const(np.array(k), "int32")
        out = (*shape[:-1], k)
        m.op("TOPK_V2", [x, n], [m.output(out, type, *q), m.output(out, "int32")])
        return m


for t in ("float32", "int8", "uint8", "int16", "int32"):
    top(t, t, (3, 11), 4, case.quant(t))
    top(t + "_one", t, (17,), 1, case.quant(t))
    top(t + "_sort", t, (2, 3, 9), 9, case.quant(t))
top("int32_ties", "int32", (4, 20), 7, low=0, high=3)
top("int8_ties", "int8", (4, 20), 7, case.quant("int8"), low=0, high=3)


def scatter(name, type, shape, lead, depth, q=NONE, live=True):
    @add("SCATTER_ND", name)
    def build(rng):
        m = Model()

        def places(rng, shape_of):
            return np.stack([rng.integers(0, shape[d], lead) for d in range(depth)], -1).astype(np.int32)
        i = m.input((*lead, depth), "int32", draw=places) if live else m.const(places(rng, None), "int32")
        x = m.input((*lead, *shape[depth:]), type, *q)
        s = m.const(np.array(shape), "int32")
        m.op("SCATTER_ND", [i, x, s], [m.output(shape, type, *q)])
        return m


for t in ("float32", "int8", "uint8", "int32", "int64", "bool"):
    scatter(t, t, (6, 3, 2), (5,), 1)
    scatter(t + "_points", t, (3, 4), (2, 3), 2)
    scatter(t + "_constant", t, (4, 2, 3), (3,), 2, live=False)


def composite(name, type, q):
    @add("STABLEHLO_COMPOSITE", name)
    def build(rng):
        m = Model()
        a, b = m.input((1, 3, 4, 2), type, *q[0]), m.input((1, 3, 4, 2), type, *q[0])
        t, y = m.tensor((1, 3, 4, 2), type, *q[1]), m.output((1, 3, 4, 2), type, *q[2])
        z = m.output((1, 3, 4, 2), type, *q[1])
        s = m.subgraph("meaning")
        u, v = s.input((1, 3, 4, 2), type, *q[0]), s.input((1, 3, 4, 2), type, *q[0])
        w = s.output((1, 3, 4, 2), type, *q[1])
        c = s.const(draw(rng, (2,), type), type, *q[0])
        n = s.tensor((1, 3, 4, 2), type, *q[0])
        s.op("MAXIMUM", [u, c], [n])
        s.op("ADD", [n, v], [w])
        m.op("STABLEHLO_COMPOSITE", [a, b], [t], decompositionSubgraphIndex=1)
        m.op("MUL", [t, a], [y])
        m.op("STABLEHLO_COMPOSITE", [b, a], [z], decompositionSubgraphIndex=1)
        return m


composite("float32", "float32", [NONE] * 3)


for op, name, low, high in (("NEG", "int32", None, None), ("ABS", "int32", None, None), ("SIGN", "int32", -3, 3)):
    unary(op, name, "int32", shape=(2, 3, 7), low=low, high=high)


def whole(op, name, shapes):
    """Two inputs of int32; the second is never 0 where it divides."""
    @add(op, name)
    def build(rng):
        m = Model()
        x = m.input(shapes[0], "int32")
        y = m.input(shapes[1], "int32", draw=lambda rng, s: rng.choice([-7, -3, -1, 1, 2, 9], s))
        m.op(op, [x, y], [m.output(np.broadcast_shapes(*shapes), "int32")])
        return m


for op in ("FLOOR_DIV", "FLOOR_MOD"):
    whole(op, "int32", ((2, 3, 5), (2, 3, 5)))
    whole(op, "int32_broadcast", ((4, 1, 5), (3, 1)))


def reduction(op, name, axes, keep, low, high):
    @add(op, name)
    def build(rng):
        m = Model()
        shape = (2, 3, 4, 5)
        x = m.input(shape, "int32", draw=(low, high))
        y = np.zeros(shape).sum(axis=axes, keepdims=keep).shape
        m.op(op, [x, m.const(np.array(axes), "int32")], [m.output(y, "int32")], keepDims=keep)
        return m


for op, high in (("SUM", 1000), ("REDUCE_PROD", 9)):
    reduction(op, "int32_last", (3,), False, -high, high)
    reduction(op, "int32_height_width_keep", (1, 2), True, -high, high)
    reduction(op, "int32_first", (0,), False, -high, high)


def conv_3d(name, shape, kernel, padding, stride=(1, 1, 1), dilation=(1, 1, 1), bias=True, activation="NONE"):
    @add("CONV_3D", name)
    def build(rng):
        m = Model()
        x = m.input(shape, "float32")
        w = m.const(draw(rng, kernel, "float32"), "float32")
        out = [(-(-n // s) if padding == "SAME" else (n - (k - 1) * d - 1) // s + 1)
               for n, k, s, d in zip(shape[1:4], kernel, stride, dilation)]
        b = [m.const(draw(rng, kernel[-1:], "float32"), "float32")] if bias else []
        m.op("CONV_3D", [x, w] + b, [m.output((shape[0], *out, kernel[-1]), "float32")], padding=padding,
             strideD=stride[0], strideH=stride[1], strideW=stride[2], fusedActivationFunction=activation,
             dilationDFactor=dilation[0], dilationHFactor=dilation[1], dilationWFactor=dilation[2])
        return m


conv_3d("float32", (1, 4, 5, 6, 2), (3, 3, 3, 2, 4), "VALID", activation="RELU")
conv_3d("float32_same_stride", (1, 5, 6, 7, 2), (3, 2, 3, 2, 3), "SAME", (2, 1, 2))
conv_3d("float32_batch_dilated", (2, 6, 7, 5, 1), (2, 3, 2, 1, 3), "VALID", dilation=(3, 2, 1), activation="RELU6")
conv_3d("float32_flat_no_bias", (1, 5, 4, 4, 3), (1, 3, 3, 3, 2), "SAME", (2, 1, 1), bias=False)
conv_3d("float32_one", (1, 3, 4, 4, 2), (3, 4, 4, 2, 5), "VALID")


@add("CONV_3D", "float32_half_weights")
def build(rng):
    """Weights of float16, which are made float32 and then brought into another order when the model is compiled."""
    m = Model()
    x = m.input((1, 3, 4, 4, 2), "float32")
    half, w = m.const(draw(rng, (2, 3, 3, 2, 3), "float16"), "float16"), m.tensor((2, 3, 3, 2, 3), "float32")
    m.op("DEQUANTIZE", [half], [w])
    m.op("CONV_3D", [x, w], [m.output((1, 3, 4, 4, 3), "float32")], padding="SAME", strideD=1, strideH=1, strideW=1,
         dilationDFactor=1, dilationHFactor=1, dilationWFactor=1)
    return m


def opened(m, tensor, axes=1):
    """The first axes of a tensor are unknown: their size in the file, 1, says nothing."""
    m.g.tensors[tensor].shapeSignature = [-1] * axes + m.g.tensors[tensor].shape[axes:]
    return tensor


@add("RESHAPE", "float32_open_axes")
def build(rng):
    """A dense layer over several axes: rows and columns of the matrix in front of it are both open."""
    m = Model()
    x = m.input((2, 4, 6), "float32")
    flat, made = opened(m, m.tensor((1, 1), "float32"), 2), opened(m, m.tensor((1, 5), "float32"))
    m.op("RESHAPE", [x, m.const(np.array([-1, 6]), "int32")], [flat], newShape=[-1, 6])
    m.op("FULLY_CONNECTED", [flat, m.const(draw(rng, (5, 6), "float32"), "float32")], [made])
    m.op("RESHAPE", [made, m.const(np.array([-1, 4, 5]), "int32")], [m.output((2, 4, 5), "float32")], newShape=[-1, 4, 5])
    return m


@add("SPACE_TO_BATCH_ND", "float32_open_batch")
def build(rng):
    """A dilated convolution over time as converters write it where the batch is unknown."""
    m = Model()
    x = opened(m, m.input((1, 10, 3), "float32"))
    block, none = m.const(np.array([4]), "int32"), m.const(np.array([[0, 0]]), "int32")
    a, b = (opened(m, m.tensor(s, "float32")) for s in ((1, 16, 3), (1, 4, 3)))
    c, d = (opened(m, m.tensor(s, "float32")) for s in ((1, 1, 4, 3), (1, 1, 4, 3)))
    e, f = (opened(m, m.tensor(s, "float32")) for s in ((1, 1, 3, 5), (1, 3, 5)))
    m.op("PAD", [x, m.const(np.array([[0, 0], [6, 0], [0, 0]]), "int32")], [a])
    m.op("SPACE_TO_BATCH_ND", [a, block, none], [b])
    m.op("EXPAND_DIMS", [b, m.const(np.array(1), "int32")], [c])
    m.op("RELU", [c], [d])
    m.op("CONV_2D", [d, m.const(draw(rng, (5, 1, 2, 3), "float32"), "float32"), m.const(draw(rng, (5,), "float32"), "float32")],
         [e], padding="VALID", strideW=1, strideH=1, dilationWFactor=1, dilationHFactor=1)
    m.op("RESHAPE", [e, m.const(np.array([-1, 3, 5]), "int32")], [f])
    m.op("BATCH_TO_SPACE_ND", [f, block, m.const(np.array([[0, 2]]), "int32")], [opened(m, m.output((1, 10, 5), "float32"))])
    return m


@add("WHILE", "float32_list")
def build(rng):
    """A loop that writes item i of a list, as recurrent layers do."""
    m = Model()
    n, shape = 4, (4, 1, 3)
    i, h, x = m.const(np.array(0), "int32"), m.const(draw(rng, (1, 3), "float32"), "float32"), m.input(shape, "float32")
    out = [m.tensor((), "int32"), m.output(shape, "float32"), m.output((1, 3), "float32"), m.tensor(shape, "float32")]
    m.op("WHILE", [i, m.const(np.zeros(shape), "float32"), h, x], out, condSubgraphIndex=1, bodySubgraphIndex=2)
    s = m.subgraph("cond")
    i = [s.input((), "int32"), s.input(shape, "float32"), s.input((1, 3), "float32"), s.input(shape, "float32")][0]
    s.op("LESS", [i, s.const(np.array(n), "int32")], [s.output((), "bool")])
    s = m.subgraph("body")
    i, all, h, x = (s.input((), "int32"), s.input(shape, "float32"), s.input((1, 3), "float32"), s.input(shape, "float32"))
    one, line = s.const(np.array(1), "int32"), s.const(np.array([1]), "int32")
    next, item, sum = s.tensor((), "int32"), s.tensor((1, 3), "float32"), s.tensor((1, 3), "float32")
    s.op("ADD", [i, one], [next])
    s.op("GATHER", [x, i], [item])
    s.op("ADD", [item, h], [sum])
    pieces = []
    for at, rest in ((i, -1), (next, 0)):
        number, all_of = s.tensor((1,), "int32"), s.tensor((3,), "int32")
        s.op("RESHAPE", [at, line], [number], newShape=[1])
        s.op("CONCATENATION", [number, s.const(np.array([rest] * 2), "int32")], [all_of])
        fixed = s.const(np.array([-1 - rest] * 3), "int32")
        piece = s.tensor((1, 1, 3), "float32")
        s.g.tensors[piece].shapeSignature = [-1, 1, 3]
        s.op("SLICE", [all, fixed, all_of] if rest else [all, all_of, fixed], [piece])
        pieces.append(piece)
    view, whole = s.tensor((1, 1, 3), "float32"), s.tensor(shape, "float32")
    s.op("RESHAPE", [sum, s.const(np.array([1, 1, 3]), "int32")], [view], newShape=[1, 1, 3])
    s.op("CONCATENATION", [pieces[0], view, pieces[1]], [whole])
    s.g.outputs = [next, whole, sum, x]
    return m


def data_of(rng, m, i, d):
    how = m.draws[i]
    if callable(how):
        return how(rng, d["shape"])
    return draw(rng, d["shape"], np.dtype(d["dtype"]).name, *how)


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../test/golden")
    for op, name, build in CASES:
        rng = case.seed(op, name)
        m = build(rng)
        model = m.bytes()
        i = Interpreter(model_content=bytes(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        i.allocate_tensors()
        raw = made = b""
        for k, d in enumerate(i.get_input_details()):
            a = np.asarray(data_of(rng, m, k, d), d["dtype"]).reshape(d["shape"])
            i.set_tensor(d["index"], a)
            raw += a.tobytes()
        i.invoke()
        for k, d in enumerate(i.get_output_details()):
            y = i.get_tensor(d["index"])
            assert list(y.shape) == list(m.g.tensors[m.g.outputs[k]].shape), (op, name, y.shape)
            made += y.tobytes()
        os.makedirs(os.path.join(out, op), exist_ok=True)
        for end, b in (("tflite", bytes(model)), ("in", raw), ("out", made)):
            with open(os.path.join(out, op, f"{name}.{end}"), "wb") as f:
                f.write(b)


if __name__ == "__main__":
    main()
