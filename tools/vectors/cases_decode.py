"""TFLM_DECODE: constants that a model keeps compressed, each read by an operator that runs."""
import heapq
import numpy as np
from case import case, draw
from model import Model, TYPES

LUT, HUFFMAN, PRUNE = 0, 1, 2


def bits_of(values, width):
    """Numbers of `width` bits one after the other, the first bit of each byte first; a multiple of 4 bytes."""
    text = "".join(format(int(v), f"0{width}b") for v in values)
    text += "0" * (-len(text) % 32)
    return np.array([int(text[i:i + 8], 2) for i in range(0, len(text), 8)], np.uint8)


def header(kind, *user):
    """16 bytes: kind, version of the header, two reserved, version of the kind, what it needs."""
    return bytes([kind, 1, 0, 0, 1, *user] + [0] * (11 - len(user)))


def constants(m, items):
    """One DECODE of several constants: (encoded bytes, ancillary bytes, arguments of the tensor that it makes)."""
    ins, outs = [], []
    for encoded, ancillary, tensor in items:
        ins.append(m.const(encoded, "uint8"))
        ins.append(m.const(np.frombuffer(ancillary, np.uint8), "uint8"))
        outs.append(m.tensor(*tensor))
    m.custom("TFLM_DECODE", ins, outs, _raw=b"")
    return outs


def lut(rng, shape, type, width, channels=1, axis=0, scale=None, zp=0):
    n = int(np.prod(shape))
    stride = 1 << width
    indices = rng.integers(0, stride, n)
    table = draw(rng, (channels, stride), type)
    return bits_of(indices, width), header(LUT, width, stride) + np.ascontiguousarray(table).tobytes(), (shape, type, scale, zp, axis)


def prune(rng, shape, type, scale=None, zp=0, axis=0):
    n = int(np.prod(shape))
    keep = rng.random(n) < 0.4
    return bits_of(keep, 1), header(PRUNE) + draw(rng, (int(keep.sum()),), type).tobytes(), (shape, type, scale, zp, axis)


def huffman_codes(weights):
    """Codes as texts of 0 and 1."""
    heap = [(w, i, [s]) for i, (s, w) in enumerate(weights.items())]
    codes = {s: "" for s in weights}
    heapq.heapify(heap)
    serial = len(heap)
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        for s in a[2]:
            codes[s] = "0" + codes[s]
        for s in b[2]:
            codes[s] = "1" + codes[s]
        heapq.heappush(heap, (a[0] + b[0], serial, a[2] + b[2]))
        serial += 1
    return codes


def huffman(rng, shape, type, wide, first_bits, symbols, scale=None, zp=0):
    """A table of 2^first_bits entries; longer codes go on in further tables."""
    n = int(np.prod(shape))
    alphabet = [int(s) for s in rng.choice(np.arange(-120, 121) if type == "int8" else np.arange(-30000, 30001, 7), symbols, replace=False)]
    p = 0.6 ** np.arange(symbols)
    values = rng.choice(alphabet, n, p=p / p.sum())
    codes = huffman_codes({s: float(w) for s, w in zip(alphabet, p)})
    shift, found, mask = (27, 1 << 31, 0x7FFFFFF) if wide else (11, 1 << 15, 0x7FF)
    value_mask = 0xFFFF if type == "int16" else 0xFF
    table = []

    def fill(prefix, bits):
        at = len(table)
        table.extend([0] * (1 << bits))
        for k in range(1 << bits):
            word = prefix + format(k, f"0{bits}b")
            match = [s for s, c in codes.items() if word.startswith(c)]
            if match:
                used = len(codes[match[0]]) - len(prefix)
                table[at + k] = found | used << shift | (match[0] & value_mask)
            else:
                deeper = max(len(c) for c in codes.values() if c.startswith(word)) - len(word)
                more = min(deeper, 3)
                to = fill(word, more)
                # The offset counts from the entry itself.
                table[at + k] = (more - 1) << shift | (to - (at + k)) & mask
        return at

    fill("", first_bits)
    text = "".join(codes[int(v)] for v in values)
    text += "0" * (-len(text) % 32 + 32)
    encoded = np.array([int(text[i:i + 8], 2) for i in range(0, len(text), 8)], np.uint8)
    raw = np.array(table, np.uint32 if wide else np.uint16).tobytes()
    return encoded, header(HUFFMAN, (first_bits - 1) << 4 | wide) + raw, (shape, type, scale, zp)


def larger(name, type, make, q=(None, 0)):
    """The constant and an input of its shape into MAXIMUM: every number of it is seen."""
    @case("TFLM_DECODE", name)
    def build(rng):
        m = Model()
        item = make(rng)
        c, = constants(m, [item])
        x = m.input(item[2][0], type, *q, draw=(None, None) if type != "int32" else (-500, 500))
        m.op("MAXIMUM", [x, c], [m.output(item[2][0], type, *q)])
        return m


Q = (0.05, -7)
for width in range(1, 8):
    larger(f"int8_table_{width}", "int8", lambda rng, w=width: lut(rng, (3, 37), "int8", w, scale=Q[0], zp=Q[1]), Q)
for t in ("float32", "int16", "int32", "int64"):
    q = (0.0002, 0) if t == "int16" else (None, 0)
    larger(f"{t}_table", t, lambda rng, t=t, q=q: lut(rng, (5, 9), t, 3, scale=q[0]), q)
    larger(f"{t}_pruned", t, lambda rng, t=t, q=q: prune(rng, (5, 9), t, scale=q[0]), q)
larger("int8_pruned", "int8", lambda rng: prune(rng, (5, 9), "int8", *Q), Q)
larger("int8_huffman", "int8", lambda rng: huffman(rng, (7, 11), "int8", 0, 4, 9, *Q), Q)
larger("int8_huffman_deep", "int8", lambda rng: huffman(rng, (7, 11), "int8", 0, 2, 14, *Q), Q)
larger("int8_huffman_wide", "int8", lambda rng: huffman(rng, (7, 11), "int8", 1, 3, 12, *Q), Q)
larger("int16_huffman", "int16", lambda rng: huffman(rng, (7, 11), "int16", 1, 3, 12, 0.0002, 0), (0.0002, 0))


@case("TFLM_DECODE", "int8_weights_by_channel")
def build(rng):
    """Weights of a dense layer by one table for each channel, and its bias, in one operator."""
    m = Model()
    s = rng.uniform(0.004, 0.012, 4).astype(np.float32)
    w = lut(rng, (4, 9), "int8", 4, channels=4, scale=s)
    b = lut(rng, (4,), "int32", 2, scale=None)
    w, b = constants(m, [w, b])
    x = m.input((2, 9), "int8", 0.047, -11)
    m.op("FULLY_CONNECTED", [x, w, b], [m.output((2, 4), "int8", 0.11, 7)], weightsFormat=0)
    return m


@case("TFLM_DECODE", "int8_weights_by_last_axis")
def build(rng):
    """Depthwise weights: the tables alternate with the channels."""
    m = Model()
    s = rng.uniform(0.004, 0.012, 3).astype(np.float32)
    w, = constants(m, [lut(rng, (1, 3, 3, 3), "int8", 3, channels=3, axis=3, scale=s)])
    x = m.input((1, 5, 5, 3), "int8", 0.047, -11)
    b = m.const(rng.integers(-5000, 5000, 3), "int32", np.float32(0.047) * s)
    m.op("DEPTHWISE_CONV_2D", [x, w, b], [m.output((1, 5, 5, 3), "int8", 0.08, 7)], padding="SAME", strideH=1, strideW=1,
         depthMultiplier=1, dilationHFactor=1, dilationWFactor=1)
    return m


for name, channels, axis in (("by_channel", 4, 0), ("by_last_axis", 5, 1)):
    @case("TFLM_DECODE", f"int8_pruned_{name}")
    def build(rng, channels=channels, axis=axis):
        """Zero points differ from channel to channel; what is pruned becomes its channel's."""
        m = Model()
        s = rng.uniform(0.01, 0.05, channels).astype(np.float32)
        c, = constants(m, [prune(rng, (4, 5), "int8", s, rng.integers(-20, 20, channels), axis)])
        i = m.input((3,), "int32", draw=(0, 3))
        m.op("GATHER", [c, i], [m.output((3, 5), "int8", 0.05, 0)], axis=0)
        return m
