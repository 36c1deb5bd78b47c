"""Chains of operators of all families: what one leaves in memory is what the next finds."""
import numpy as np
from case import case, draw
from cases_window import bias, io, out_size, weights
from model import Model

LENGTH = 7


class Chain:
    """The tensors made so far, as (index, shape); all are images of one quantisation."""

    def __init__(self, rng, type):
        self.rng, self.type, self.m = rng, type, Model()
        self.q = {"int8": (0.047, -11), "int16": (0.00019, 0), "float32": (None, 0)}[type]
        shape = (1, int(rng.integers(5, 9)), int(rng.integers(4, 8)), int(rng.integers(3, 8)))
        self.last = (self.m.input(shape, type, *self.q), shape)
        self.older = [self.last]

    def out(self, shape):
        self.last = (self.m.tensor(shape, self.type, *self.q), tuple(int(d) for d in shape))
        return self.last[0]

    def weights(self, shape, axis, depth):
        k, s = weights(self.rng, self.m, shape, "float32" if self.type == "float32" else "int8", axis, True)
        if s is None:
            return [k, bias(self.rng, self.m, shape[axis], "float32", 0, None)]
        # Scales with which the sums use the range of the tensors' one quantisation.
        s = (s * 10 / np.sqrt(depth) / 10).astype(np.float32)
        self.m.g.tensors[k].quantization.scale = s
        return [k, bias(self.rng, self.m, shape[axis], "int32" if self.type == "int8" else "int64", self.q[0], s)]

    def conv(self, depthwise):
        (x, (n, h, w, c)), r = self.last, self.rng
        kernel = (int(r.integers(1, min(4, h + 1))), int(r.integers(1, min(4, w + 1))))
        stride = (int(r.integers(1, 3)), 1) if h > 4 else (1, 1)
        padding = "SAME" if r.integers(2) else "VALID"
        oc = c if depthwise else int(r.integers(2, 9))
        shape = (1, *kernel, c) if depthwise else (oc, *kernel, c)
        kb = self.weights(shape, 3 if depthwise else 0, kernel[0] * kernel[1] * (1 if depthwise else c))
        y = self.out((n, out_size(h, kernel[0], stride[0], 1, padding), out_size(w, kernel[1], stride[1], 1, padding), oc))
        more = {"depthMultiplier": 1} if depthwise else {}
        self.m.op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x] + kb, [y], padding=padding, strideH=stride[0],
                  strideW=stride[1], dilationHFactor=1, dilationWFactor=1,
                  fusedActivationFunction="NONE" if r.integers(5) else "RELU", **more)

    def pool(self):
        (x, (n, h, w, c)), r = self.last, self.rng
        k = (min(2, h), min(2, w))
        y = self.out((n, h - k[0] + 1, w - k[1] + 1, c))
        self.m.op(["AVERAGE_POOL_2D", "MAX_POOL_2D"][int(r.integers(2))], [x], [y], padding="VALID", strideH=1, strideW=1,
                  filterHeight=k[0], filterWidth=k[1])

    def residual(self):
        x, shape = self.last
        same = [t for t, s in self.older if s == shape]
        other = same[int(self.rng.integers(len(same)))]
        self.m.op(["ADD", "MAXIMUM", "SUB"][int(self.rng.integers(3))], [x, other], [self.out(shape)])

    def constant(self):
        x, shape = self.last
        size = (shape[3],) if self.rng.integers(2) else ()
        k = self.m.const(draw(self.rng, size, self.type), self.type, *self.q)
        self.m.op(["MUL", "ADD"][int(self.rng.integers(2))], [x, k], [self.out(shape)])

    def unary(self):
        x, shape = self.last
        if self.rng.integers(4):
            self.m.op("LEAKY_RELU", [x], [self.out(shape)], alpha=0.2)
        else:
            self.m.op("RELU", [x], [self.out(shape)])

    def pad(self):
        x, (n, h, w, c) = self.last
        t, b, l = (int(v) for v in self.rng.integers(0, 3, 3))
        p = self.m.const(np.array([[0, 0], [t, b], [l, 1], [0, 0]]), "int32")
        self.m.op("PAD", [x, p], [self.out((n, h + t + b, w + l + 1, c))])

    def cut(self):
        x, (n, h, w, c) = self.last
        if h < 3:
            return
        b, e = self.m.const(np.array([0, 1, 0, 0]), "int32"), self.m.const(np.array([1, h, w, c]), "int32")
        s = self.m.const(np.array([1, 1, 1, 1]), "int32")
        self.m.op("STRIDED_SLICE", [x, b, e, s], [self.out((n, h - 1, w, c))])

    def concatenation(self):
        x, shape = self.last
        same = [t for t, s in self.older if s[1:3] == shape[1:3]] or [x]
        other = same[int(self.rng.integers(len(same)))]
        width = shape[3] + dict(self.older + [self.last])[other][3]
        if width > 12:
            return
        self.m.op("CONCATENATION", [x, other], [self.out((*shape[:3], width))], axis=3)

    def transpose(self):
        x, (n, h, w, c) = self.last
        self.m.op("TRANSPOSE", [x, self.m.const(np.array([0, 2, 1, 3]), "int32")], [self.out((n, w, h, c))])

    def step(self):
        way = self.rng.choice(["conv", "conv", "depthwise", "depthwise", "pool", "residual", "residual", "constant", "unary",
                               "pad", "cut", "concatenation", "transpose"])
        {"conv": lambda: self.conv(False), "depthwise": lambda: self.conv(True)}.get(way, getattr(self, way, None))()
        if self.last not in self.older:
            self.older.append(self.last)


for type, n in (("int8", 24), ("float32", 8), ("int16", 8)):
    for k in range(n):
        @case("chains", f"{type}_{k}")
        def build(rng, type=type):
            c = Chain(rng, type)
            while len(c.m.ops()) < LENGTH:
                c.step()
            c.m.g.outputs.append(c.last[0])
            return c.m, 2
