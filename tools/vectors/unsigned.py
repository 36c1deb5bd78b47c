#!/usr/bin/env python3
"""Makes the vectors of the old unsigned 8-bit quantisation under test/golden/ (the cases named unsigned...).

    python3 tools/vectors/unsigned.py [OUT]

tflite-micro does not run such models; the reference is TensorFlow Lite's own interpreter with its reference
kernels. Needs: pip install ai-edge-litert tflite-micro numpy flatbuffers.

That interpreter rounds once where tflite-micro rounds twice, which differs in about one number of a thousand.
A case keeps to numbers on which both agree: VARIANT counts the random streams that were passed over.
"""
import os
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
import case
from model import Model

CASES = []
VARIANT = {}


def weighted(op, name, shape, kernel, out, **options):
    """A convolution or dense layer whose weights have a zero point."""
    def build(rng):
        m = Model()
        w_scale, w_zp = 0.0117, int(rng.integers(90, 170))
        x_scale, x_zp = case.quant("uint8", int(rng.integers(0, 4)))
        x = m.input(shape, "uint8", x_scale, x_zp)
        w = m.const(case.draw(rng, kernel, "uint8"), "uint8", w_scale, w_zp)
        b = m.const(rng.integers(-2000, 2000, out[-1]), "int32", np.float32(x_scale) * np.float32(w_scale), 0)
        y = m.output(out, "uint8", *case.quant("uint8", int(rng.integers(0, 4))))
        m.op(op, [x, w, b], [y], **options)
        return m
    CASES.append((op, name, build))


def pool(op, name, shape, out, **options):
    def build(rng):
        m = Model()
        x, y = m.input(shape, "uint8", 0.05, 128), m.output(out, "uint8", 0.05, 128)
        m.op(op, [x], [y], **options)
        return m
    CASES.append((op, name, build))


def softmax(rng):
    m = Model()
    m.op("SOFTMAX", [m.input((3, 11), "uint8", 0.11, 140)], [m.output((3, 11), "uint8", 1 / 256, 0)], beta=1.0)
    return m


def add(rng):
    m = Model()
    x, z = (m.input((1, 4, 3, 5), "uint8", *case.quant("uint8", k)) for k in (0, 2))
    m.op("ADD", [x, z], [m.output((1, 4, 3, 5), "uint8", 0.0694, 131)], fusedActivationFunction="RELU")
    return m


def chain(rng):
    """Convolution, pool and a view between, so that the tensors inside are unsigned too."""
    m = Model()
    x = m.input((1, 6, 6, 2), "uint8", 0.0471, 121)
    w = m.const(case.draw(rng, (4, 3, 3, 2), "uint8"), "uint8", 0.01, 120)
    b = m.const(rng.integers(-900, 900, 4), "int32", np.float32(0.0471) * np.float32(0.01), 0)
    a, p = (m.tensor(s, "uint8", 0.04, 110) for s in ((1, 6, 6, 4), (1, 3, 3, 4)))
    y = m.output((1, 36), "uint8", 0.04, 110)
    m.op("CONV_2D", [x, w, b], [a], strideW=1, strideH=1, padding="SAME", fusedActivationFunction="RELU6")
    m.op("AVERAGE_POOL_2D", [a], [p], strideW=2, strideH=2, filterWidth=2, filterHeight=2, padding="VALID")
    m.op("RESHAPE", [p, m.const(np.array([1, 36], np.int32), "int32")], [y], newShape=[1, 36])
    return m


SAME, VALID, ONE = {"padding": "SAME"}, {"padding": "VALID"}, {"strideW": 1, "strideH": 1}
weighted("CONV_2D", "unsigned", (1, 6, 5, 3), (4, 3, 3, 3), (1, 6, 5, 4), fusedActivationFunction="RELU6", **ONE, **SAME)
weighted("CONV_2D", "unsigned_stride", (2, 7, 6, 2), (3, 2, 3, 2), (2, 3, 2, 3), strideW=2, strideH=2, **VALID)
weighted("DEPTHWISE_CONV_2D", "unsigned", (1, 5, 5, 3), (1, 3, 3, 6), (1, 5, 5, 6), depthMultiplier=2, **ONE, **SAME)
weighted("FULLY_CONNECTED", "unsigned", (2, 21), (5, 21), (2, 5), fusedActivationFunction="RELU")
pool("AVERAGE_POOL_2D", "unsigned", (1, 5, 6, 4), (1, 3, 3, 4), strideW=2, strideH=2, filterWidth=2, filterHeight=2, **SAME)
pool("MAX_POOL_2D", "unsigned", (1, 5, 6, 4), (1, 3, 3, 4), strideW=2, strideH=2, filterWidth=3, filterHeight=2, **SAME)
CASES += [("SOFTMAX", "unsigned", softmax), ("ADD", "unsigned", add), ("CONV_2D", "unsigned_chain", chain)]


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../test/golden")
    for op, name, build in CASES:
        rng = case.seed(op, name + "+" * VARIANT.get((op, name), 0))
        model = build(rng).bytes()
        i = Interpreter(model_content=bytes(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        i.allocate_tensors()
        raw = b""
        for x in i.get_input_details():
            a = case.draw(rng, x["shape"], "uint8")
            i.set_tensor(x["index"], a)
            raw += a.tobytes()
        i.invoke()
        made = b"".join(i.get_tensor(y["index"]).tobytes() for y in i.get_output_details())
        os.makedirs(os.path.join(out, op), exist_ok=True)
        for end, b in (("tflite", bytes(model)), ("in", raw), ("out", made)):
            with open(os.path.join(out, op, f"{name}.{end}"), "wb") as f:
                f.write(b)


if __name__ == "__main__":
    main()
