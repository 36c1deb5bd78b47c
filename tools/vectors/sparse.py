#!/usr/bin/env python3
"""Makes the vectors with sparse weights, and with a scale for each block of weights, under test/golden/ (..._sparse..., ..._blocks).

    python3 tools/vectors/sparse.py [OUT]

tflite-micro does not run such models; the reference is TensorFlow Lite's own interpreter with its reference kernels and without
delegates, on the same model with dense weights of real numbers: what the schema says that sparse and scaled ones stand for. Where that interpreter
takes the sparse model itself, both must agree.
Needs: pip install ai-edge-litert tflite-micro numpy flatbuffers.
"""
import os
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
import case
from model import Model, TYPES, fb

CASES = []  # (operator, name, build): build(rng, dense) -> Model


def compress(array, order, blocks, compressed):
    """The values that are kept of an array, and how: levels in `order`, blocks {axis: length} behind the axes."""
    rank = array.ndim
    axes = sorted(blocks)
    cut = []
    for d in range(rank):
        cut += [array.shape[d] // blocks[d], blocks[d]] if d in blocks else [array.shape[d]]
    at = {}  # axis or block -> dimension of the cut array
    for d in range(rank):
        at[d] = d + sum(a < d for a in axes)
        if d in blocks:
            at[rank + axes.index(d)] = at[d] + 1
    a = array.reshape(cut).transpose([at[o] for o in order])
    levels, places = [], [a]
    for l, sparse in enumerate(compressed):
        level = fb.DimensionMetadataT()
        level.format = int(sparse)
        n = a.shape[l]
        if sparse:
            keep = [[i for i in range(n) if np.any(p[i])] for p in places]
            segments = np.cumsum([0] + [len(k) for k in keep])
            for which, numbers in (("Segments", segments), ("Indices", [i for k in keep for i in k])):
                small = "Uint8" if max(numbers, default=0) < 256 else "Uint16"
                vector = getattr(fb, small + "VectorT")()
                vector.values = np.array(numbers, np.uint8 if small == "Uint8" else np.uint16)
                setattr(level, f"array{which}Type", getattr(fb.SparseIndexVector, small + "Vector"))
                setattr(level, f"array{which}", vector)
            places = [p[i] for p, k in zip(places, keep) for i in k]
        else:
            level.denseSize = n
            places = [p[i] for p in places for i in range(n)]
        levels.append(level)
    s = fb.SparsityParametersT()
    s.traversalOrder, s.blockMap, s.dimMetadata = list(order), axes, levels
    return np.array(places, array.dtype).reshape(-1), s


def pruned(rng, shape, type, keep=0.3, blocks=None):
    """Random weights, most of which are zero, by blocks."""
    w = case.draw(rng, shape, type if type != "float16" else "float32")
    grid = [d // (blocks or {}).get(i, 1) for i, d in enumerate(shape)]
    mask = rng.random(grid) < keep
    for i, n in (blocks or {}).items():
        mask = mask.repeat(n, i)
    return np.where(mask, w, 0).astype(TYPES[type][1])


def weights(m, w, type, how, dense, scale=None, densify=True):
    """A constant: as it is, or sparse with DENSIFY behind it (densify False: the operator takes it as it is)."""
    if dense:
        return m.const(w, type, scale)
    values, sparsity = compress(w, *how)
    t = m.const(values, type, scale, shape=w.shape)
    m.g.tensors[t].sparsity = sparsity
    if not densify:
        return t
    y = m.tensor(w.shape, type, scale)
    m.op("DENSIFY", [t], [y])
    return y


def fully(name, shape, how, wtype="float32", densify=True):

    def build(rng, dense):
        m = Model()
        x = m.input((2, shape[1]), "float32" if wtype != "int8" else "int8", *((None, 0) if wtype != "int8" else (0.05, 3)))
        w = weights(m, pruned(rng, shape, wtype, 0.3, how[1]), wtype, how, dense,
                    0.01 if wtype == "int8" else None, densify)
        if wtype == "float16":
            real = m.tensor(shape, "float32")
            m.op("DEQUANTIZE", [w], [real])
            w = real
        y = m.output((2, shape[0]), "int8" if wtype == "int8" else "float32", *((0.4, -5) if wtype == "int8" else (None, 0)))
        m.op("FULLY_CONNECTED", [x, w, -1], [y], fusedActivationFunction="NONE", weightsFormat=0)
        return m
    CASES.append(("FULLY_CONNECTED", name, build))


ROWS = ((0, 1), {}, (0, 1))
fully("float32_sparse", (6, 24), ROWS)
fully("float32_sparse_wide", (5, 300), ROWS)
fully("float32_sparse_columns", (6, 8), ((1, 0), {}, (1, 1)))
fully("float32_sparse_grid", (8, 12), ((0, 1, 2, 3), {0: 4, 1: 2}, (0, 1, 0, 0)))
fully("float32_sparse_strips", (6, 32), ((0, 1, 2), {1: 4}, (0, 1, 0)), densify=False)
fully("float32_sparse_half", (7, 9), ROWS, "float16")
fully("int8_sparse", (6, 16), ROWS, "int8")


def conv(rng, dense):
    m = Model()
    x = m.input((1, 6, 5, 4), "float32")
    w = weights(m, pruned(rng, (3, 3, 3, 4), "float32"), "float32", ((0, 1, 2, 3), {}, (0, 0, 0, 1)), dense)
    b = m.const(rng.normal(0, 1, 3), "float32")
    m.op("CONV_2D", [x, w, b], [m.output((1, 6, 5, 3), "float32")], padding="SAME", strideW=1, strideH=1,
         dilationWFactor=1, dilationHFactor=1)
    return m


CASES.append(("CONV_2D", "float32_sparse", conv))


def scaled(name, type, half, zero):
    """Weights in blocks of 16 along the inputs."""
    def build(rng, dense):
        m = Model()
        q = case.draw(rng, (5, 48), type)
        scale = rng.uniform(0.01, 0.1, (5, 3)).astype(np.float16 if half else np.float32)
        zp = rng.integers(-3, 4, (5, 3)) if zero else np.zeros((5, 3), int)
        x = m.input((2, 48), "float32")
        if dense:
            w = m.const(((q - zp.repeat(16, 1)) * scale.astype(np.float32).repeat(16, 1)).astype(np.float32), "float32")
        else:
            details = fb.BlockwiseQuantizationT()
            details.scales = m.const(scale, "float16" if half else "float32")
            details.zeroPoints = m.const(zp, "int32") if zero else -1
            details.blockSize = 16
            w = m.const(q, type)
            p = fb.QuantizationParametersT()
            p.detailsType, p.details = 2, details
            m.g.tensors[w].quantization = p
        m.op("FULLY_CONNECTED", [x, w, -1], [m.output((2, 5), "float32")], fusedActivationFunction="NONE", weightsFormat=0)
        return m
    CASES.append(("FULLY_CONNECTED", name, build))


scaled("float32_blocks_int4", "int4", True, False)
scaled("float32_blocks_int8", "int8", False, True)


def answer(model, raw):
    i = Interpreter(model_content=bytes(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    i.allocate_tensors()
    x = i.get_input_details()[0]
    i.set_tensor(x["index"], np.frombuffer(raw, x["dtype"]).reshape(x["shape"]))
    i.invoke()
    return i.get_tensor(i.get_output_details()[0]["index"])


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../test/golden")
    for op, name, build in CASES:
        made = [build(case.seed(op, name), dense).bytes() for dense in (False, True)]
        x = np.int8 if name.startswith("int8") else np.float32
        shape = [int(d) for d in build(case.seed(op, name), True).g.tensors[0].shape]
        raw = case.draw(case.seed(op, name + "/in"), shape, np.dtype(x).name).tobytes()
        y = answer(made[1], raw)
        if "blocks" not in name:
            assert np.allclose(y, answer(made[0], raw), 1e-6, 1e-6), name
        os.makedirs(os.path.join(out, op), exist_ok=True)
        for end, b in (("tflite", bytes(made[0])), ("in", raw), ("out", y.tobytes())):
            with open(os.path.join(out, op, f"{name}.{end}"), "wb") as f:
                f.write(b)


if __name__ == "__main__":
    main()
