#!/usr/bin/env python3
"""Makes the test vectors under test/golden/ (see test/golden/README.md).

    python3 tools/vectors/make.py --reference PROGRAM [--only CONV_2D] [--check] [OUT]

PROGRAM is run.cc of this folder, built against tflite-micro (reference.mk says how). --check writes
nothing and fails where a file would change. Needs: pip install tflite-micro numpy flatbuffers (for the schema
and for writing models; nothing is computed with it).
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import numpy as np
import case
import cases_elementwise
import cases_move
import cases_reduce
import cases_window
import cases_sequence
import cases_signal
import cases_control
import cases_chain
import cases_decode
from model import TYPES, fb

NAMES = {getattr(fb.TensorType, v[0]): k for k, v in TYPES.items()}


def inputs_of(model, rng, n):
    """n times the bytes of all inputs."""
    raw = b""
    for _ in range(n):
        for i, d in zip(model.g.inputs, model.draws):
            t = model.g.tensors[i]
            type = NAMES[t.type]
            shape = [int(x) for x in t.shape or []]
            if callable(d):
                a = d(rng, shape)
            elif isinstance(d, list):
                a = rng.choice(d, shape)
            else:
                a = case.draw(rng, shape, type, *d)
            raw += np.ascontiguousarray(np.asarray(a), dtype=TYPES[type][1]).tobytes()
    return raw


def size_of(model, which):
    total = 0
    for i in getattr(model.g, which):
        t = model.g.tensors[i]
        total += int(np.prod([int(x) for x in t.shape or []])) * np.dtype(TYPES[NAMES[t.type]][1]).itemsize
    return total


def run(program, model, raw, n, fill):
    with tempfile.TemporaryDirectory() as d:
        paths = [os.path.join(d, x) for x in ("m", "i", "o")]
        for p, b in zip(paths, (model, raw)):
            open(p, "wb").write(b)
        r = subprocess.run([program, paths[0], paths[1], str(n), paths[2], str(fill)], capture_output=True, text=True)
        if r.returncode:
            raise RuntimeError((r.stdout + r.stderr).strip()[-600:] + f" (exit {r.returncode})")
        return open(paths[2], "rb").read()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--reference", required=True)
    a.add_argument("--only")
    a.add_argument("--check", action="store_true")
    a.add_argument("out", nargs="?", default=os.path.join(os.path.dirname(__file__), "../../test/golden"))
    a = a.parse_args()
    bad = total = count = 0
    seen = set()
    for op, name, build in case.CASES:
        if a.only and op != a.only:
            continue
        assert (op, name) not in seen, (op, name)
        seen.add((op, name))
        rng = case.seed(op, name)
        m = build(rng)
        m, n = m if isinstance(m, tuple) else (m, 1)
        model, raw = m.bytes(), inputs_of(m, rng, n)
        try:
            out = run(a.reference, model, raw, n, 0)
            if not m.zeroed and out != run(a.reference, model, raw, n, 0xA5):
                raise RuntimeError("the reference leaves part of the output unwritten")
            if len(out) != n * size_of(m, "outputs"):
                raise RuntimeError(f"the outputs take {len(out)} bytes, not {n} x {size_of(m, 'outputs')}")
        except RuntimeError as e:
            print(f"{op}/{name}: {e}", file=sys.stderr)
            bad += 1
            continue
        count += 1
        folder = os.path.join(a.out, op)
        os.makedirs(folder, exist_ok=True)
        for end, b in (("tflite", model), ("in", raw), ("out", out)):
            p = os.path.join(folder, f"{name}.{end}")
            total += len(b)
            if a.check:
                if not os.path.exists(p) or open(p, "rb").read() != b:
                    print(f"{p} would change", file=sys.stderr)
                    bad += 1
            else:
                open(p, "wb").write(b)
    print(f"{count} cases, {total} bytes, {bad} problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
