#!/usr/bin/env python3
"""Makes the vectors with float32 activations and int8 weights under test/golden/ (the cases named hybrid...).

    python3 tools/vectors/hybrid.py [OUT]

tflite-micro does not run such models; the reference is TensorFlow Lite's own interpreter with its reference
kernels and without delegates. Needs: pip install ai-edge-litert tflite-micro numpy flatbuffers.
"""
import os
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
import case
from model import Model

CASES = []


def weights(rng, m, shape, channels, axis, type="int8"):
    """Constant weights; channels 0: one scale."""
    scale = rng.uniform(0.004, 0.02, channels) if channels else 0.0123
    w = rng.integers(-127, 128, shape).astype(np.int8)
    return m.const(w.view(np.uint8) if type == "uint8" else w, type, scale, 0, axis=axis)


def window(op, name, shape, kernel, out, channels=0, **options):
    def build(rng):
        m = Model()
        x = m.input(shape, "float32")
        deep = op == "DEPTHWISE_CONV_2D"
        w = weights(rng, m, kernel, channels, 3 if deep else 0)
        b = m.const(rng.normal(0, 1, out[-1]), "float32")
        y = m.output(out, "float32")
        m.op(op, [x, w, b], [y], **options)
        return m
    CASES.append((op, name, build, 1))


def dense(name, vectors, inputs, units, channels=0, asymmetric=False, bias=True, act="NONE", type="int8"):
    def build(rng):
        m = Model()
        x = m.input((vectors, inputs), "float32")
        w = weights(rng, m, (units, inputs), channels, 0, type)
        b = m.const(rng.normal(0, 1, units), "float32") if bias else -1
        y = m.output((vectors, units), "float32")
        m.op("FULLY_CONNECTED", [x, w, b], [y], asymmetricQuantizeInputs=asymmetric, fusedActivationFunction=act)
        return m
    CASES.append(("FULLY_CONNECTED", name, build, 1))


def svdf(name, asymmetric):
    def build(rng):
        m = Model()
        batch, inputs, units, rank, memory = 2, 6, 3, 2, 4
        x = m.input((batch, inputs), "float32")
        wf = weights(rng, m, (units * rank, inputs), 0, 0)
        wt = weights(rng, m, (units * rank, memory), 0, 0)
        b = m.const(rng.normal(0, 1, units), "float32")
        st = m.tensor((batch, units * rank * memory), "float32", variable=True)
        y = m.output((batch, units), "float32")
        m.op("SVDF", [x, wf, wt, b, st], [y], rank=rank, asymmetricQuantizeInputs=asymmetric)
        return m
    CASES.append(("SVDF", name, build, 5))


SAME, VALID = {"padding": "SAME"}, {"padding": "VALID"}
window("CONV_2D", "hybrid", (1, 6, 5, 3), (4, 3, 3, 3), (1, 6, 5, 4), strideW=1, strideH=1, **SAME)
window("CONV_2D", "hybrid_channels", (2, 6, 5, 3), (5, 2, 3, 3), (2, 5, 3, 5), channels=5, strideW=1, strideH=1,
       fusedActivationFunction="RELU", **VALID)
window("CONV_2D", "hybrid_pointwise", (1, 4, 4, 8), (6, 1, 1, 8), (1, 4, 4, 6), channels=6, strideW=1, strideH=1, **SAME)
window("CONV_2D", "hybrid_stride", (1, 7, 7, 4), (3, 3, 3, 4), (1, 4, 4, 3), strideW=2, strideH=2, **SAME)
window("DEPTHWISE_CONV_2D", "hybrid", (1, 6, 5, 4), (1, 3, 3, 4), (1, 6, 5, 4), channels=4, strideW=1, strideH=1,
       depthMultiplier=1, **SAME)
window("DEPTHWISE_CONV_2D", "hybrid_multiplier", (2, 5, 5, 2), (1, 3, 3, 6), (2, 2, 2, 6), channels=6, strideW=2,
       strideH=2, depthMultiplier=3, fusedActivationFunction="RELU6", **VALID)
dense("hybrid", 1, 33, 7)
dense("hybrid_asymmetric", 3, 20, 6, asymmetric=True)
dense("hybrid_batch", 4, 16, 5, act="RELU")
dense("hybrid_channels", 2, 19, 6, channels=6)
dense("hybrid_no_bias", 1, 8, 4, bias=False)
dense("hybrid_uint8", 2, 24, 5, type="uint8")
svdf("hybrid", False)
svdf("hybrid_asymmetric", True)


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../test/golden")
    for op, name, build, n in CASES:
        rng = case.seed(op, name)
        model = build(rng).bytes()
        i = Interpreter(model_content=bytes(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        i.allocate_tensors()
        x, y = i.get_input_details()[0], i.get_output_details()[0]
        raw = made = b""
        for _ in range(n):
            a = case.draw(rng, x["shape"], "float32")
            i.set_tensor(x["index"], a)
            i.invoke()
            raw += a.tobytes()
            made += i.get_tensor(y["index"]).tobytes()
        os.makedirs(os.path.join(out, op), exist_ok=True)
        for end, b in (("tflite", bytes(model)), ("in", raw), ("out", made)):
            with open(os.path.join(out, op, f"{name}.{end}"), "wb") as f:
                f.write(b)


if __name__ == "__main__":
    main()
