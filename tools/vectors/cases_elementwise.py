"""One number in, one number out; two numbers in, one out."""
import itertools
import numpy as np
from case import case, draw, quant
from model import Model


def unary(op, type, name=None, shape=(1, 5, 7, 3), inq=None, outq=None, low=None, high=None, out_type=None, n=1, **opts):
    @case(op, name or type)
    def build(rng):
        m = Model()
        a = m.input(shape, type, *(inq if inq is not None else quant(type)), draw=(low, high))
        b = m.output(shape, out_type or type, *(outq if outq is not None else quant(out_type or type, 1)))
        m.op(op, [a], [b], **opts)
        return m, n


NONE = (None, 0)
for t in ("float32", "int8", "int16"):
    unary("ABS", t)
unary("ABS", "int8", "int8_same_scale", outq=(0.0471, -7))
unary("ABS", "int16", "int16_plain", inq=NONE, outq=NONE, low=-32767, high=32767)
for op in ("CEIL", "FLOOR", "ROUND", "NEG", "SQUARE", "RELU", "RELU6"):
    unary(op, "float32", low=-8, high=8)
for op in ("COS", "SIN"):
    unary(op, "float32", low=-9, high=9)
    unary(op, "float32", "float32_wide", shape=(67,), low=-300, high=300)
unary("EXP", "float32", low=-12, high=9)
unary("EXP", "float32", "float32_wide", shape=(67,), low=-100, high=85)
unary("LOG", "float32", low=0.001, high=40)
unary("LOG", "float32", "float32_small", shape=(41,), low=1e-30, high=1e-28)
unary("SQRT", "float32", low=0, high=90)
unary("RSQRT", "float32", low=0.01, high=90)
unary("RSQRT", "int8", inq=(0.05, -128), outq=(0.03, -128), low=-127, high=127)
unary("RSQRT", "int8", "int8_zp", inq=(0.11, -100), outq=(0.008, -20), low=-98, high=127)
unary("RSQRT", "int16", inq=(0.0031, 0), outq=(0.0004, 0), low=1, high=32767)
for op in ("RELU", "RELU6"):
    unary(op, "int8", inq=(0.0694, -7), outq=(0.0471, -20))
    unary(op, "int8", "int8_same_scale", inq=(0.0471, -128), outq=(0.0471, -128))
    unary(op, "int16", inq=(0.00031, 0), outq=(0.00029, 0))
unary("RELU", "int8", "int8_wider", inq=(0.03, 30), outq=(0.21, -11))
for op in ("ELU", "HARD_SWISH"):
    unary(op, "float32", low=-6, high=6)
    unary(op, "int8", inq=(0.0551, 9), outq=(0.0331, -60))
    unary(op, "int8", "int8_coarse", inq=(0.11, -31), outq=(0.052, -100))
for k, alpha in enumerate((0.1, 1.5, -0.3)):
    s = ("", "_steep", "_negative")[k]
    unary("LEAKY_RELU", "float32", "float32" + s, alpha=alpha)
    unary("LEAKY_RELU", "int8", "int8" + s, inq=(0.05, 11), outq=(0.041, -15), alpha=alpha)
    unary("LEAKY_RELU", "int16", "int16" + s, inq=(0.0002, 0), outq=(0.00017, 0), alpha=alpha)
unary("LOGISTIC", "float32", low=-10, high=10)
unary("LOGISTIC", "float32", "float32_wide", shape=(53,), low=-95, high=95)
unary("LOGISTIC", "int8", inq=(0.0694, 3), outq=(1 / 256, -128))
unary("LOGISTIC", "int8", "int8_wide", inq=(0.2, -100), outq=(1 / 256, -128))
unary("LOGISTIC", "int8", "int8_narrow", inq=(0.0091, 40), outq=(1 / 256, -128))
unary("LOGISTIC", "int16", inq=(0.00031, 0), outq=(1 / 32768, 0))
unary("LOGISTIC", "int16", "int16_power_of_two", inq=(2.0 ** -12, 0), outq=(1 / 32768, 0))
unary("LOGISTIC", "int16", "int16_coarse", inq=(0.0017, 0), outq=(1 / 32768, 0))
unary("TANH", "float32", low=-5, high=5)
unary("TANH", "float32", "float32_wide", shape=(53,), low=-40, high=40)
unary("TANH", "float32", "float32_small", shape=(53,), low=-0.02, high=0.02)
unary("TANH", "int8", inq=(0.0294, 3), outq=(1 / 128, 0))
unary("TANH", "int8", "int8_wide", inq=(0.1, -50), outq=(1 / 128, 0))
unary("TANH", "int8", "int8_narrow", inq=(0.004, 20), outq=(1 / 128, 0))
unary("TANH", "int16", inq=(0.00016, 0), outq=(1 / 32768, 0))
unary("TANH", "int16", "int16_power_of_two", inq=(2.0 ** -13, 0), outq=(1 / 32768, 0))
unary("TANH", "int16", "int16_coarse", inq=(0.0011, 0), outq=(1 / 32768, 0))
unary("LOGICAL_NOT", "bool")
for t in ("float32", "int8", "int32", "int64"):
    unary("ZEROS_LIKE", t, outq=quant(t))

# ---- softmax ---------------------------------------------------------------
unary("SOFTMAX", "float32", shape=(3, 11), beta=1.0)
unary("SOFTMAX", "float32", "float32_beta", shape=(1, 2, 3, 7), low=-20, high=20, beta=0.37)
unary("SOFTMAX", "int8", shape=(3, 11), inq=(0.021, 5), outq=(1 / 256, -128), beta=1.0)
unary("SOFTMAX", "int8", "int8_beta", shape=(2, 3, 7), inq=(0.23, -30), outq=(1 / 256, -128), beta=0.6)
unary("SOFTMAX", "int8", "int8_flat", shape=(1, 33), inq=(0.003, -30), outq=(1 / 256, -128), beta=1.0)
unary("SOFTMAX", "int8", "int8_to_int16", shape=(3, 11), inq=(0.1, 5), outq=(1 / 65536, -32768), out_type="int16", beta=1.0)
unary("SOFTMAX", "int16", shape=(3, 11), inq=(0.00031, 0), outq=(1 / 32768, 0), beta=1.0)
unary("SOFTMAX", "int16", "int16_beta", shape=(1, 2, 9), inq=(0.0007, 0), outq=(1 / 32768, 0), beta=0.8)
unary("LOG_SOFTMAX", "float32", shape=(3, 11))
unary("LOG_SOFTMAX", "float32", "float32_wide", shape=(1, 2, 3, 7), low=-60, high=60)
unary("LOG_SOFTMAX", "int8", shape=(3, 11), inq=(0.1, 5), outq=(16 / 256, 127))
unary("LOG_SOFTMAX", "int8", "int8_fine", shape=(1, 2, 3, 7), inq=(0.02, -20), outq=(16 / 256, 127))
unary("L2_NORMALIZATION", "float32", shape=(3, 11))
unary("L2_NORMALIZATION", "float32", "float32_4d", shape=(1, 2, 3, 5))
unary("L2_NORMALIZATION", "int8", shape=(3, 11), inq=(0.1, 5), outq=(1 / 128, 0))
unary("L2_NORMALIZATION", "int8", "int8_4d", shape=(1, 2, 3, 5), inq=(0.02, -90), outq=(1 / 128, 0))

# ---- types ------------------------------------------------------------------
SMALL = {"int8": (-128, 127), "int16": (-300, 300), "int32": (-70000, 70000), "uint32": (0, 70000),
         "float32": (-120, 120), "bool": (None, None)}
for a, b in itertools.product(("float32", "int8", "int16", "int32", "uint32", "bool"),
                              ("float32", "int8", "int16", "int32", "uint32")):
    low, high = SMALL[a]
    if b == "uint32" and a == "float32":
        low = 0  # a negative number has no defined value there
    unary("CAST", a, f"{a}_to_{b}", shape=(3, 11), inq=NONE, outq=NONE, low=low, high=high, out_type=b)
for a, b, iq, oq in (("float32", "int8", NONE, (0.0471, -7)), ("float32", "int16", NONE, (0.00019, 0)),
                     ("int8", "int8", (0.05, 3), (0.031, -9)), ("int8", "uint8", (0.05, 3), (0.05, 131)),
                     ("uint8", "int8", (0.05, 131), (0.05, 3)), ("uint8", "int8", (0.05, 131), (0.037, -20)),
                     ("int8", "int16", (0.05, 3), (0.00031, 0)), ("int8", "int32", (0.05, 3), (0.00001, 0)),
                     ("int16", "int8", (0.00019, 0), (0.031, -9)), ("int16", "int16", (0.00019, 0), (0.00011, 0)),
                     ("int16", "int32", (0.00019, 0), (0.00001, 0)), ("int32", "int8", (0.0019, 0), (0.01, 4)),
                     ("int32", "int16", (0.0019, 0), (0.0001, 0)), ("int8", "uint8", (0.05, 3), (0.023, 100))):
    unary("QUANTIZE", a, f"{a}_to_{b}" + ("_scaled" if (a, b, iq[0] == oq[0]) in (("uint8", "int8", False), ("int8", "uint8", False)) else ""),
          shape=(3, 23), inq=iq, outq=oq, out_type=b)
for t in ("int8", "int16", "uint8"):
    unary("DEQUANTIZE", t, shape=(3, 23), outq=NONE, out_type="float32")

# ---- two operands -----------------------------------------------------------
SHAPES = {"": ((1, 3, 5, 4), (1, 3, 5, 4)), "_scalar": ((1, 3, 5, 4), ()), "_by_channel": ((1, 3, 5, 4), (4,)),
          "_broadcast": ((3, 1, 4), (1, 5, 1)), "_broadcast_5d": ((2, 1, 3, 1, 4), (1, 3, 1, 5, 1)), "_row": ((1, 1, 1, 4), (2, 3, 5, 4))}


def binary(op, type, which="", qs=None, const=None, low=None, high=None, out_type=None, name=None, low2=None, high2=None, **opts):
    """const: which operand, 0 or 1, is constant."""
    sa, sb = SHAPES[which]
    qs = qs or [quant(type, 0), quant(type, 1), quant(out_type or type, 2 if type == "int16" else 3)]

    @case(op, (name or type) + which + ("" if const is None else "_constant"))
    def build(rng):
        m = Model()
        t = []
        for k, s in enumerate((sa, sb)):
            lo, hi = (low, high) if k == 0 or (low2 is None and high2 is None) else (low2, high2)
            if const == k:
                t.append(m.const(draw(rng, s, type, lo, hi), type, *qs[k]))
            else:
                t.append(m.input(s, type, *qs[k], draw=(lo, hi)))
        out = m.output(np.broadcast_shapes(sa, sb), out_type or type, *qs[2])
        m.op(op, t, [out], **opts)
        return m


P = [NONE, NONE, NONE]
for op, third in (("ADD", None), ("SUB", None)):
    for w in ("", "_scalar", "_broadcast"):
        binary(op, "float32", w)
        binary(op, "int8", w)
        binary(op, "int16", w)
    binary(op, "int32", qs=P)
    binary(op, "int32", "_broadcast", qs=P)
    binary(op, "float32", "_broadcast_5d")
    binary(op, "int8", "_broadcast_5d")
    binary(op, "int8", "_by_channel", const=1)
    binary(op, "int8", name="int8_relu", fusedActivationFunction="RELU")
    binary(op, "int8", name="int8_relu6", fusedActivationFunction="RELU6", qs=[(0.06, 3), (0.05, -9), (0.07, -40)])
    binary(op, "float32", name="float32_relu6", fusedActivationFunction="RELU6")
    binary(op, "float32", name="float32_relu_n1_to_1", fusedActivationFunction="RELU_N1_TO_1")
    binary(op, "int16", name="int16_relu", fusedActivationFunction="RELU")
    binary(op, "int8", name="int8_small_output", qs=[(0.05, 3), (0.0021, -9), (0.03, 20)])
for t in ("int8", "int16"):
    qs = [(0.0471, -7), (0.0313, 12), (0.045, -4)] if t == "int8" else [(0.00019, 0), (0.00012, 0), (0.0002, 0)]
    for w in ("", "_scalar", "_broadcast", "_broadcast_5d"):
        binary("MUL", t, w, qs=qs)
    binary("MUL", t, "_by_channel", qs=qs, const=1)
    binary("MUL", t, name=f"{t}_relu", qs=qs, fusedActivationFunction="RELU")
for w in ("", "_scalar", "_broadcast", "_broadcast_5d", "_row"):
    binary("MUL", "float32", w)
binary("MUL", "float32", name="float32_relu6", fusedActivationFunction="RELU6")
binary("MUL", "int32", qs=P)
binary("MUL", "int32", "_broadcast", qs=P)
binary("DIV", "float32", low2=0.3, high2=4)
binary("DIV", "float32", "_broadcast", low2=-4, high2=-0.3)
binary("DIV", "float32", name="float32_relu", low2=-4, high2=-0.3, fusedActivationFunction="RELU")
binary("DIV", "int32", qs=P, low2=1, high2=37)
binary("DIV", "int32", "_broadcast", qs=P, low2=-37, high2=-1)
binary("DIV", "int8", qs=[(0.05, 3), (0.03, -128), (0.021, -5)], low2=-100, high2=127)
binary("DIV", "int8", "_broadcast", qs=[(0.05, 3), (0.03, -128), (0.021, -5)], low2=-100, high2=127)
binary("DIV", "int8", name="int8_relu6", qs=[(0.05, 3), (0.03, 127), (0.03, -5)], low2=-128, high2=90, fusedActivationFunction="RELU6")
for op in ("FLOOR_DIV", "FLOOR_MOD"):
    binary(op, "float32", low=-30, high=30, low2=0.7, high2=5)
    binary(op, "float32", "_broadcast", low=-30, high=30, low2=-5, high2=-0.7)
for op in ("MAXIMUM", "MINIMUM"):
    for t in ("float32", "int8", "int16", "int32", "int64"):
        q = quant(t)
        binary(op, t, qs=[q, q, q])
        binary(op, t, "_broadcast", qs=[q, q, q])
    binary(op, "float32", "_broadcast_5d")
    binary(op, "int8", "_by_channel", qs=[quant("int8")] * 3, const=1)
for t in ("float32", "int32", "int8", "int16"):
    qs = P if t in ("float32", "int32") else [(0.03, 3), (0.02, -9), (0.09, -128)] if t == "int8" else [(0.0001, 0), (0.00012, 0), (0.0009, 0)]
    for w in ("", "_scalar", "_broadcast"):
        binary("SQUARED_DIFFERENCE", t, w, qs=qs)
for op in ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"):
    types = ["float32", "int32", "int64", "int8"] + (["bool"] if "EQUAL" in op and op[0] in "EN" else [])
    for t in types:
        lo, hi = (None, None) if t in ("bool",) else (-4, 4) if t != "int8" else (-20, 20)
        if t == "float32":
            @case(op, "float32")
            def build(rng, op=op):
                m = Model()
                a = m.input((1, 3, 5, 4), "float32", draw=[-1.5, 0.0, 0.25, 3.0])
                b = m.input((1, 3, 5, 4), "float32", draw=[-1.5, 0.0, 0.25, 3.0])
                m.op(op, [a, b], [m.output((1, 3, 5, 4), "bool")])
                return m
            binary(op, t, "_broadcast", qs=P, out_type="bool")
            continue
        qs = [(0.05, 3), (0.05, 3), NONE] if t == "int8" else P
        binary(op, t, qs=qs, low=lo, high=hi, out_type="bool")
        if t in ("int32", "int8"):
            binary(op, t, "_broadcast", qs=qs, low=lo, high=hi, out_type="bool")
    binary(op, "int8", name="int8_two_scales", qs=[(0.05, 3), (0.08, -20), NONE], out_type="bool")
for op in ("LOGICAL_AND", "LOGICAL_OR"):
    binary(op, "bool")
    binary(op, "bool", "_broadcast")
binary("PRELU", "float32", "_by_channel", const=1, low2=-0.5, high2=1.5)
binary("PRELU", "float32", low2=-0.5, high2=1.5)
binary("PRELU", "int8", "_by_channel", const=1, qs=[(0.05, 3), (0.01, 7), (0.04, -12)])
binary("PRELU", "int8", qs=[(0.05, 3), (0.01, 7), (0.04, -12)])
for name, shape, alpha in (("int16", (1, 3, 5, 4), (4,)), ("int16_same", (3, 7), (3, 7))):
    @case("PRELU", name)
    def build(rng, shape=shape, alpha=alpha):
        m = Model()
        a = m.input(shape, "int16", 0.0002, 0)
        k = m.const(draw(rng, alpha, "int8"), "int8", 0.008, 0)
        m.op("PRELU", [a, k], [m.output(shape, "int16", 0.00017, 0)])
        return m
for t in ("float32", "int8"):
    for n in (2, 4):
        @case("ADD_N", f"{t}_{n}")
        def build(rng, t=t, n=n):
            m = Model()
            q = quant(t)
            ins = [m.input((2, 3, 7), t, *q) for _ in range(n)]
            m.op("ADD_N", ins, [m.output((2, 3, 7), t, *quant(t, 3))])
            return m
for t in ("float32", "int8", "int16"):
    for name, c, a, b in (("", (2, 3, 5), (2, 3, 5), (2, 3, 5)), ("_scalar", (2, 3, 5), (), (2, 3, 5)), ("_broadcast", (3, 1), (1, 5), (2, 1, 1))):
        @case("SELECT_V2", t + name)
        def build(rng, t=t, c=c, a=a, b=b):
            m = Model()
            q = quant(t)
            ins = [m.input(c, "bool"), m.input(a, t, *q), m.input(b, t, *q)]
            m.op("SELECT_V2", ins, [m.output(np.broadcast_shapes(a, b, c), t, *q)])
            return m
