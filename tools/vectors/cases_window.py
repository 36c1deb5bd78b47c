"""Convolutions, dense layers and pools: windows over height and width."""
import numpy as np
from case import case, draw, quant
from model import Model


def out_size(n, k, stride, dilation, padding):
    e = (k - 1) * dilation + 1
    return -(-n // stride) if padding == "SAME" else (n - e) // stride + 1


def scales_of(rng, n, per_channel):
    return rng.uniform(0.004, 0.012, n if per_channel else 1).astype(np.float32)


def weights(rng, m, shape, wtype, axis, per_channel):
    """Constant weights and their scales; 4-bit and 8-bit ones are symmetric."""
    if wtype == "float32":
        return m.const(rng.normal(0, 0.4, shape), "float32"), None
    s = scales_of(rng, shape[axis], per_channel) * (16 if wtype == "int4" else 1)
    lim = 7 if wtype == "int4" else 127
    return m.const(rng.integers(-lim, lim + 1, shape), wtype, s, 0, axis=axis), s


def bias(rng, m, n, btype, in_scale, s, wtype="int8"):
    if btype is None:
        return -1
    if btype == "float32":
        return m.const(rng.normal(0, 1, n), "float32")
    big = {"int32": 20000, "int64": 2000000, "int16": 20000}[btype]
    big //= 16 if wtype == "int4" else 1
    return m.const(rng.integers(-big, big, n), btype, np.float32(in_scale) * s, 0)


def io(type, depth):
    """Quantisation of input and output so that sums of `depth` products use the output's range."""
    if type == "float32":
        return (None, 0), (None, 0)
    if type == "int8":
        return (0.047, -11), (float(np.float32(0.047 * 0.008 * 73 * 73 * np.sqrt(depth) / 70)), 7)
    return (0.00019, 0), (float(np.float32(0.00019 * 0.008 * 19000 * 73 * np.sqrt(depth) / 15000)), 0)


def conv(op, name, type="int8", wtype=None, shape=(1, 7, 6, 3), out_c=5, kernel=(3, 3), stride=(1, 1), dilation=(1, 1),
         padding="SAME", act="NONE", per_channel=True, btype="auto", multiplier=1, groups=1):
    wtype = wtype or ("float32" if type == "float32" else "int8")
    if btype == "auto":
        btype = {"float32": "float32", "int8": "int32", "int16": "int64"}[type]

    @case(op, name)
    def build(rng):
        m = Model()
        n, h, w, c = shape
        depthwise = op == "DEPTHWISE_CONV_2D"
        oc = c * multiplier if depthwise else out_c
        qi, qo = io(type, kernel[0] * kernel[1] * (1 if depthwise else c // groups))
        x = m.input(shape, type, *qi)
        ws = (1, *kernel, oc) if depthwise else (oc, *kernel, c // groups)
        k, s = weights(rng, m, ws, wtype, 3 if depthwise else 0, per_channel)
        b = bias(rng, m, oc, btype, qi[0], s, wtype)
        o = (n, out_size(h, kernel[0], stride[0], dilation[0], padding), out_size(w, kernel[1], stride[1], dilation[1], padding), oc)
        y = m.output(o, type, *qo)
        more = {"depthMultiplier": multiplier} if depthwise else {}
        m.op(op, [x, k, b] if b >= 0 or btype is not None else [x, k], [y], padding=padding, strideH=stride[0], strideW=stride[1],
             dilationHFactor=dilation[0], dilationWFactor=dilation[1], fusedActivationFunction=act, **more)
        return m


for op, extra in (("CONV_2D", {}), ("DEPTHWISE_CONV_2D", {"multiplier": 2})):
    for t in ("float32", "int8", "int16"):
        conv(op, f"{t}", t)
        conv(op, f"{t}_stride_valid", t, stride=(2, 3), padding="VALID", **extra)
        conv(op, f"{t}_stride_same", t, shape=(1, 8, 7, 2), stride=(2, 2), kernel=(3, 2), act="RELU")
        conv(op, f"{t}_dilated", t, shape=(1, 9, 8, 2), dilation=(2, 3), kernel=(3, 2), out_c=3, **extra)
        conv(op, f"{t}_no_bias", t, btype=None, kernel=(2, 5))
        conv(op, f"{t}_batch", t, shape=(3, 4, 5, 2), kernel=(3, 1), out_c=4, act="RELU6", **extra)
    conv(op, "float32_relu_n1_to_1", "float32", act="RELU_N1_TO_1")
    conv(op, "int8_per_tensor", per_channel=False)
    conv(op, "int8_pointwise", shape=(1, 4, 5, 7), kernel=(1, 1), out_c=9)
    conv(op, "int8_int4_weights", wtype="int4")
    conv(op, "int8_int4_weights_odd", wtype="int4", shape=(1, 5, 5, 3), kernel=(3, 3), out_c=3, stride=(2, 2), act="RELU")
    conv(op, "int8_tall", shape=(1, 12, 1, 5), kernel=(7, 1), out_c=3, padding="VALID")
    conv(op, "int8_1d", shape=(1, 1, 13, 4), kernel=(1, 5), stride=(1, 2), out_c=3)
for t in ("float32", "int8", "int16"):
    conv("CONV_2D", f"{t}_grouped", t, shape=(1, 5, 6, 6), out_c=4, groups=2, act="RELU")
conv("CONV_2D", "int16_int32_bias", "int16", btype="int32")
for c in (4, 5, 6, 7, 11):
    conv("DEPTHWISE_CONV_2D", f"int8_{c}_channels", shape=(1, 6, 5, c))
    conv("DEPTHWISE_CONV_2D", f"int8_{c}_channels_valid", shape=(1, 6, 5, c), kernel=(3, 1), padding="VALID")
conv("DEPTHWISE_CONV_2D", "int8_multiplier", shape=(1, 6, 5, 3), multiplier=3)
conv("DEPTHWISE_CONV_2D", "float32_multiplier", "float32", shape=(1, 6, 5, 3), multiplier=3)
conv("DEPTHWISE_CONV_2D", "int8_one_to_many", shape=(1, 7, 6, 1), multiplier=4, stride=(2, 2))


def transpose_conv(name, type="int8", shape=(1, 4, 5, 3), out=(7, 9), out_c=2, kernel=(3, 3), stride=(2, 2), padding="SAME",
                   act="NONE", per_channel=True, btype="auto"):
    if btype == "auto":
        btype = {"float32": "float32", "int8": "int32", "int16": "int64"}[type]

    @case("TRANSPOSE_CONV", name)
    def build(rng):
        m = Model()
        n, h, w, c = shape
        qi, qo = io(type, kernel[0] * kernel[1] * c / (stride[0] * stride[1]))
        size = m.const(np.array([n, *out, out_c]), "int32")
        k, s = weights(rng, m, (out_c, *kernel, c), "float32" if type == "float32" else "int8", 0, per_channel)
        x = m.input(shape, type, *qi)
        b = bias(rng, m, out_c, btype, qi[0], s)
        y = m.output((n, *out, out_c), type, *qo)
        m.op("TRANSPOSE_CONV", [size, k, x] + ([b] if btype else []), [y], padding=padding, strideH=stride[0], strideW=stride[1],
             fusedActivationFunction=act)
        return m


for t in ("float32", "int8", "int16"):
    transpose_conv(t, t)
    transpose_conv(f"{t}_valid", t, out=(9, 11), padding="VALID", act="RELU" if t == "float32" else "NONE")
    transpose_conv(f"{t}_no_bias", t, btype=None, stride=(1, 3), out=(4, 14), kernel=(2, 4))
    transpose_conv(f"{t}_one_row", t, shape=(1, 1, 6, 4), out=(1, 12), kernel=(1, 4), stride=(1, 2))
transpose_conv("int8_per_tensor", per_channel=False)
transpose_conv("int8_batch", shape=(2, 3, 3, 2), out=(6, 6), kernel=(2, 2), out_c=3)
transpose_conv("int16_int16_bias", "int16", btype="int16")


def dense(name, type="int8", wtype=None, shape=(2, 11), out_c=7, act="NONE", per_channel=False, btype="auto", keep=False, wide=False):
    wtype = wtype or ("float32" if type == "float32" else "int8")
    if btype == "auto":
        btype = {"float32": "float32", "int8": "int32", "int16": "int64"}[type]

    @case("FULLY_CONNECTED", name)
    def build(rng):
        m = Model()
        c = shape[-1]
        qi, qo = io(type, c)
        x = m.input(shape, type, *qi)
        k, s = weights(rng, m, (out_c, c), wtype, 0, per_channel)
        b = bias(rng, m, out_c, btype, qi[0], s, wtype)
        o = list(shape[:-1]) + [out_c] if keep else [int(np.prod(shape[:-1])), out_c]
        y = m.output(o, type, *qo)
        m.op("FULLY_CONNECTED", [x, k, b], [y], fusedActivationFunction=act, keepNumDims=keep, weightsFormat=0)
        return m


for t in ("float32", "int8", "int16"):
    dense(t, t)
    dense(f"{t}_no_bias", t, btype=None, shape=(1, 33), out_c=5)
    dense(f"{t}_keep_dims", t, shape=(2, 3, 5), keep=True, act="RELU")
    dense(f"{t}_one", t, shape=(1, 64), out_c=1)
dense("float32_relu6", "float32", act="RELU6")
dense("int8_per_channel", per_channel=True)
dense("int8_relu6", act="RELU6")
dense("int8_int4_weights", wtype="int4", shape=(2, 12))
dense("int8_int4_weights_odd", wtype="int4", shape=(1, 7), out_c=3)
dense("int16_int32_bias", "int16", btype="int32")
dense("int16_per_channel", "int16", per_channel=True)


def far(op, shape, kernel, out):
    """Biases at the ends of int32: with other inputs than these the sums would wrap."""
    @case(op, "int8_far_bias")
    def build(rng):
        m = Model()
        x = m.input(shape, "int8", 0.05, -11, draw=(-13, -9))
        oc = out[-1]
        k = m.const(rng.integers(-127, 128, kernel), "int8", np.full(oc, 0.01), 0, axis=3 if op == "DEPTHWISE_CONV_2D" else 0)
        ends = [2**31 - 1 - 20000, -2**31 + 20000, 2**30, 5]
        b = m.const(np.array([ends[i % 4] for i in range(oc)]), "int32", np.float32(0.05) * np.full(oc, 0.01, np.float32), 0)
        y = m.output(out, "int8", 11000.0, 4)
        window = {} if op == "FULLY_CONNECTED" else {"padding": "SAME", "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        if op == "DEPTHWISE_CONV_2D":
            window["depthMultiplier"] = 1
        m.op(op, [x, k, b], [y], fusedActivationFunction="NONE", **window)
        return m


far("CONV_2D", (1, 5, 4, 3), (6, 3, 3, 3), (1, 5, 4, 6))
far("DEPTHWISE_CONV_2D", (1, 5, 4, 4), (1, 3, 3, 4), (1, 5, 4, 4))
far("FULLY_CONNECTED", (2, 12), (7, 12), (2, 7))


def pool(op, name, type="int8", shape=(1, 7, 6, 3), kernel=(3, 3), stride=(2, 2), padding="VALID", act="NONE"):
    @case(op, name)
    def build(rng):
        m = Model()
        q = quant(type)
        n, h, w, c = shape
        x = m.input(shape, type, *q)
        o = (n, out_size(h, kernel[0], stride[0], 1, padding), out_size(w, kernel[1], stride[1], 1, padding), c)
        m.op(op, [x], [m.output(o, type, *q)], padding=padding, strideH=stride[0], strideW=stride[1], filterHeight=kernel[0],
             filterWidth=kernel[1], fusedActivationFunction=act)
        return m


for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
    for t in ("float32", "int8", "int16"):
        if op[0] == "L" and t != "float32":
            continue
        pool(op, t, t)
        pool(op, f"{t}_same", t, kernel=(3, 2), stride=(2, 1), padding="SAME", act="RELU")
        pool(op, f"{t}_batch", t, shape=(2, 5, 4, 3), kernel=(2, 3), stride=(1, 1), padding="SAME", act="RELU6")
        pool(op, f"{t}_global", t, shape=(1, 5, 7, 4), kernel=(5, 7), stride=(5, 7))
