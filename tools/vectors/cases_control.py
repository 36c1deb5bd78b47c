"""Control flow and variables: several subgraphs, several invocations."""
import numpy as np
from case import case, draw
from model import Model


def clamp_pair(m, then_op, else_op, type, q):
    t = m.subgraph("then")
    a, b = t.input((2, 3), type, *q), t.input((2, 3), type, *q)
    t.op(then_op, [a, b], [t.output((2, 3), type, *q)])
    e = m.subgraph("else")
    a, b = e.input((2, 3), type, *q), e.input((2, 3), type, *q)
    e.op(else_op, [a, b], [e.output((2, 3), type, *q)])


for type, q in (("float32", (None, 0)), ("int8", (0.05, -7))):
    @case("IF", type)
    def build(rng, type=type, q=q):
        m = Model()
        flip = iter([True, False, True, True])
        c = m.input((1,), "bool", draw=lambda rng, s: [next(flip)])
        x, y = m.input((2, 3), type, *q), m.input((2, 3), type, *q)
        m.op("IF", [c, x, y], [m.output((2, 3), type, *q)], thenSubgraphIndex=1, elseSubgraphIndex=2)
        clamp_pair(m, "MAXIMUM", "ADD", type, q)
        return m, 4


@case("IF", "int8_inside_and_after")
def build(rng):
    """The condition is computed, the result is used, and a branch has two steps and two outputs."""
    m = Model()
    q = (0.05, 3)
    x = m.input((4,), "int8", *q)
    s = m.tensor((1,), "int8", *q)
    m.op("REDUCE_MAX", [x, m.const(np.array([0]), "int32")], [s], keepDims=True)
    c = m.tensor((1,), "bool")
    m.op("GREATER", [s, m.const(np.array([100]), "int8", *q)], [c])
    u, v = m.tensor((4,), "int8", *q), m.tensor((4,), "int8", *q)
    m.op("IF", [c, x], [u, v], thenSubgraphIndex=1, elseSubgraphIndex=2)
    m.op("ADD", [u, v], [m.output((4,), "int8", 0.08, -5)])
    t = m.subgraph("then")
    a = t.input((4,), "int8", *q)
    b = t.tensor((4,), "int8", 0.07, 10)
    t.op("ADD", [a, a], [b])
    o = t.output((4,), "int8", *q)
    t.op("MUL", [b, a], [o])
    p = t.output((4,), "int8", *q)
    t.op("RELU", [a], [p])
    e = m.subgraph("else")
    a = e.input((4,), "int8", *q)
    o = e.output((4,), "int8", *q)
    e.op("SUB", [a, e.const(np.array([5, -9, 40, 1]), "int8", *q)], [o])
    p = e.output((4,), "int8", *q)
    e.op("ADD", [a, o], [p])
    return m, 6


@case("WHILE", "int32")
def build(rng):
    """Adds a row to a sum as often as the first input says."""
    m = Model()
    n = m.input((1,), "int32", draw=(0, 6))
    x, y = m.input((3,), "int32", draw=(-9, 9)), m.input((3,), "int32", draw=(-9, 9))
    o = [m.output((1,), "int32"), m.output((3,), "int32"), m.output((3,), "int32")]
    m.op("WHILE", [n, x, y], o, condSubgraphIndex=1, bodySubgraphIndex=2)
    c = m.subgraph("cond")
    k = c.input((1,), "int32")
    c.input((3,), "int32"), c.input((3,), "int32")
    c.op("GREATER", [k, c.const(np.array([0]), "int32")], [c.output((1,), "bool")])
    b = m.subgraph("body")
    k, x, y = b.input((1,), "int32"), b.input((3,), "int32"), b.input((3,), "int32")
    k2, x2 = b.output((1,), "int32"), b.output((3,), "int32")
    b.op("SUB", [k, b.const(np.array([1]), "int32")], [k2])
    b.op("ADD", [x, y], [x2])
    b.g.outputs.append(y)
    return m, 5


@case("WHILE", "float32_swap")
def build(rng):
    """Halves and swaps until small: the order in which results go back matters."""
    m = Model()
    x, y = m.input((2,), "float32", draw=(1, 50)), m.input((2,), "float32", draw=(1, 50))
    m.op("WHILE", [x, y], [m.output((2,), "float32"), m.output((2,), "float32")], condSubgraphIndex=1, bodySubgraphIndex=2)
    c = m.subgraph("cond")
    a, _ = c.input((2,), "float32"), c.input((2,), "float32")
    s = c.tensor((1,), "float32")
    c.op("SUM", [a, c.const(np.array([0]), "int32")], [s], keepDims=True)
    c.op("GREATER", [s, c.const(np.array([3.0]), "float32")], [c.output((1,), "bool")])
    b = m.subgraph("body")
    a, d = b.input((2,), "float32"), b.input((2,), "float32")
    u, v = b.tensor((2,), "float32"), b.tensor((2,), "float32")
    h = b.const(np.array([0.5]), "float32")
    b.op("MUL", [a, h], [u])
    b.op("MUL", [d, h], [v])
    b.g.outputs += [v, u]
    return m, 3


def variable(m, g, shape, type, q, name="state"):
    h = g.tensor((), "resource")
    g.op("VAR_HANDLE", [], [h], sharedName=name, container="")
    return h


for type, q in (("float32", (None, 0)), ("int8", (0.05, -7))):
    @case("ASSIGN_VARIABLE", type + "_sum")
    def build(rng, type=type, q=q):
        """A running sum in a variable that begins at zero."""
        m = Model()
        x = m.input((2, 3), type, *q)
        h = variable(m, m, (2, 3), type, q)
        old, new = m.tensor((2, 3), type, *q), m.output((2, 3), type, *q)
        m.op("READ_VARIABLE", [h], [old])
        m.op("ADD", [x, old], [new])
        m.op("ASSIGN_VARIABLE", [h, new], [])
        return m, 4


@case("READ_VARIABLE", "int8_two")
def build(rng):
    """Two variables: the output is what the other one held two invocations before."""
    m = Model()
    q = (0.05, 4)
    x = m.input((5,), "int8", *q)
    a, b = variable(m, m, (5,), "int8", q, "a"), variable(m, m, (5,), "int8", q, "b")
    u, v = m.tensor((5,), "int8", *q), m.output((5,), "int8", *q)
    m.op("READ_VARIABLE", [b], [v])
    m.op("READ_VARIABLE", [a], [u])
    m.op("ASSIGN_VARIABLE", [b, u], [])
    m.op("ASSIGN_VARIABLE", [a, x], [])
    return m, 5


@case("VAR_HANDLE", "float32_shared")
def build(rng):
    """Two handles with one name are one variable."""
    m = Model()
    x = m.input((3,), "float32")
    a = variable(m, m, (3,), "float32", (None, 0))
    m.op("ASSIGN_VARIABLE", [a, x], [])
    b = variable(m, m, (3,), "float32", (None, 0))
    y = m.tensor((3,), "float32")
    m.op("READ_VARIABLE", [b], [y])
    m.op("ADD", [x, y], [m.output((3,), "float32")])
    return m, 2


for type, q in (("float32", (None, 0)), ("int8", (0.05, -7))):
    @case("CALL_ONCE", type)
    def build(rng, type=type, q=q):
        """A variable that a subgraph fills before the first invocation."""
        m = Model()
        x = m.input((4,), type, *q)
        m.op("CALL_ONCE", [], [], initSubgraphIndex=1)
        h = variable(m, m, (4,), type, q)
        old, new = m.tensor((4,), type, *q), m.output((4,), type, *q)
        m.op("READ_VARIABLE", [h], [old])
        m.op("ADD", [x, old], [new])
        m.op("ASSIGN_VARIABLE", [h, new], [])
        s = m.subgraph("init")
        k = variable(m, s, (4,), type, q)
        s.op("ASSIGN_VARIABLE", [k, s.const(draw(rng, (4,), type), type, *q)], [])
        return m, 3
