"""What the families of cases share: the register, random data, quantisation that some values leave."""
import zlib
import numpy as np
from model import Model, TYPES

CASES = []  # (operator, name, build): build(rng) -> Model, or (Model, invocations)


def case(op, name):
    """Registers a function of a random generator as the case `name` of `op`."""
    def add(f):
        CASES.append((op, name, f))
        return f
    return add


def seed(op, name):
    """Each case has its own stream, so that a new case changes no other."""
    return np.random.default_rng(zlib.crc32(f"{op}/{name}".encode()))


RANGE = {"int8": (-128, 127), "int16": (-32768, 32767), "uint8": (0, 255), "int32": (-1000, 1000),
         "int64": (-1000, 1000), "uint32": (0, 2000), "uint64": (0, 1 << 40), "int4": (-7, 7)}


def draw(rng, shape, type, low=None, high=None):
    """Random numbers of a type, the ends of its range among them where they are not given."""
    dt = TYPES[type][1]
    if type == "bool":
        return rng.integers(0, 2, shape).astype(dt)
    if type.startswith("float"):
        if low is None:
            return np.asarray(rng.normal(0, 2, shape), dt)
        return np.asarray(rng.uniform(low, high, shape), dt)
    l, h = RANGE[type]
    a = rng.integers(l if low is None else low, (h if high is None else high) + 1, shape, dtype=np.int64)
    a = np.asarray(a)
    if low is None and type in ("int8", "int16", "uint8") and a.size >= 2:
        at = rng.choice(a.size, 2, replace=False)
        a.reshape(-1)[at[0]], a.reshape(-1)[at[1]] = l, h
    return a.astype(dt)


# A scale and zero point with which a normal signal uses the range of the type and sometimes leaves it.
QUANT = {"int8": [(0.0471, -7), (0.0313, 12), (0.0228, -128), (0.0694, 3)],
         "int16": [(0.00019, 0), (0.00012, 0), (0.00031, 0), (0.0000837, 0)],
         "uint8": [(0.0471, 121), (0.0313, 140), (0.0228, 0), (0.0694, 131)]}


def quant(type, k=0):
    """Arguments scale and zp for a tensor of a type: none for types that are not quantised."""
    return QUANT[type][k % 4] if type in QUANT else (None, 0)


