"""Builds small .tflite models: tensors, operators, subgraphs.

    m = Model()
    x = m.input([1, 5, 6, 3], "int8", 0.1, 3)
    w = m.const(array, "int8", scales, 0, axis=0)
    y = m.output([1, 3, 3, 4], "int8", 0.2, -4)
    m.op("CONV_2D", [x, w, b], [y], strideW=2, strideH=2, padding="SAME", fusedActivationFunction="RELU")
    m.custom("SignalWindow", [x, w], [y], shift=12)
    open(path, "wb").write(m.bytes())

Options carry the schema's names; values that the schema enumerates may be strings. A tensor is its index;
-1 is an optional input left out. More subgraphs: `s = m.subgraph("body")`, with the same methods.
"""
import numpy as np
import flatbuffers
from flatbuffers import flexbuffers
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as fb

TYPES = {"float32": ("FLOAT32", np.float32), "float16": ("FLOAT16", np.float16),
         "int32": ("INT32", np.int32), "uint8": ("UINT8", np.uint8), "int64": ("INT64", np.int64),
         "bool": ("BOOL", np.bool_), "int16": ("INT16", np.int16), "int8": ("INT8", np.int8),
         "uint32": ("UINT32", np.uint32), "int4": ("INT4", np.int8),
         "uint16": ("UINT16", np.uint16), "float64": ("FLOAT64", np.float64), "uint64": ("UINT64", np.uint64),
         "resource": ("RESOURCE", np.int32)}

# The table of options of an operator, where its name is not the operator's in camel case.
OPTIONS = {
    "AVERAGE_POOL_2D": "Pool2D", "MAX_POOL_2D": "Pool2D", "L2_POOL_2D": "Pool2D", "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D", "L2_NORMALIZATION": "L2Norm", "MEAN": "Reducer",
    "SUM": "Reducer", "REDUCE_MAX": "Reducer", "REDUCE_MIN": "Reducer", "REDUCE_ALL": "Reducer",
    "REDUCE_ANY": "Reducer", "REDUCE_PROD": "Reducer", "MAXIMUM": "MaximumMinimum",
    "MINIMUM": "MaximumMinimum", "BATCH_TO_SPACE_ND": "BatchToSpaceND",
    "SPACE_TO_BATCH_ND": "SpaceToBatchND", "SVDF": "SVDF", "PADV2": "PadV2", "SPLIT_V": "SplitV",
    "ADD_N": "AddN", "BATCH_MATMUL": "BatchMatMul", "SELECT_V2": "SelectV2", "REVERSE_V2": "ReverseV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM", "GATHER_ND": "GatherNd", "CONV_3D": "Conv3D",
    # These have no options.
    "LOGISTIC": None, "RELU": None, "RELU6": None, "RELU_N1_TO_1": None, "TANH": None, "ELU": None,
    "FLOOR": None, "CEIL": None, "ROUND": None, "SIN": None, "LOG": None, "SQRT": None, "RSQRT": None,
    "PRELU": None, "EMBEDDING_LOOKUP": None, "BROADCAST_ARGS": None, "RELU_0_TO_1": None,
    "TOPK_V2": "TopKV2", "DENSIFY": None,
}
# Options in the schema's second list.
OPTIONS_2 = {"STABLEHLO_COMPOSITE": "StableHLOComposite"}
ENUMS = {"padding": fb.Padding, "fusedActivationFunction": fb.ActivationFunctionType,
         "mode": fb.MirrorPadMode, "inDataType": fb.TensorType, "outDataType": fb.TensorType,
         "outputType": fb.TensorType, "outType": fb.TensorType,
         "weightsFormat": fb.FullyConnectedOptionsWeightsFormat}


def options_of(op, given):
    """The options' number and object of an operator, those of the second list aside."""
    if op in OPTIONS_2:
        return 0, None
    stem = OPTIONS.get(op, "".join(w.capitalize() for w in op.split("_")))
    if stem is None:
        assert not given, op
        return 0, None
    o = getattr(fb, stem + "OptionsT")()
    for k, v in given.items():
        assert hasattr(o, k), (op, k, list(o.__dict__))
        setattr(o, k, getattr(ENUMS[k], v) if isinstance(v, str) and k in ENUMS else v)
    return getattr(fb.BuiltinOptions, stem + "Options"), o


def pack4(a):
    """Two 4-bit numbers a byte, the low half first."""
    a = np.asarray(a, np.int8).reshape(-1).view(np.uint8) & 15
    if a.size % 2:
        a = np.append(a, np.uint8(0))
    return (a[0::2] | (a[1::2] << 4)).astype(np.uint8).tobytes()


def pack_buffer(self, builder):
    """A buffer's table with its data on a 16-byte boundary, as the schema demands (the generated code does not)."""
    data = None
    if self.data is not None:
        builder.Prep(16, len(self.data))
        data = builder.CreateNumpyVector(self.data)
    builder.StartObject(3)
    if data is not None:
        builder.PrependUOffsetTRelativeSlot(0, data, 0)
    return builder.EndObject()


fb.BufferT.Pack = pack_buffer


class Subgraph:
    def __init__(self, model, name):
        self.model, self.g, self.draws = model, fb.SubGraphT(), []
        self.g.name, self.g.tensors, self.g.operators, self.g.inputs, self.g.outputs = name, [], [], [], []

    def tensor(self, shape, type="int8", scale=None, zp=0, axis=0, data=None, variable=False, name=None):
        t = fb.TensorT()
        t.type = getattr(fb.TensorType, TYPES[type][0])
        t.shape = None if shape is None else [int(d) for d in shape]
        t.name = name or f"t{len(self.g.tensors)}"
        t.isVariable = variable
        t.buffer = 0
        if data is not None:
            raw = pack4(data) if type == "int4" else np.ascontiguousarray(data, TYPES[type][1]).tobytes()
            t.buffer = self.model.buffer(raw)
        if scale is not None:
            q = fb.QuantizationParametersT()
            q.scale = np.atleast_1d(np.asarray(scale, np.float32)).astype(np.float32)
            zp = np.atleast_1d(np.asarray(zp, np.int64))
            q.zeroPoint = np.resize(zp, len(q.scale)).astype(np.int64)
            q.quantizedDimension = axis
            t.quantization = q
        self.g.tensors.append(t)
        return len(self.g.tensors) - 1

    def const(self, data, type="int8", scale=None, zp=0, axis=0, shape=None, **kw):
        data = np.asarray(data)
        return self.tensor(data.shape if shape is None else shape, type, scale, zp, axis, data, **kw)

    def input(self, *a, draw=(None, None), **kw):
        """draw: (low, high) of its random data, a list to choose from, or a function of (generator, shape)."""
        i = self.tensor(*a, **kw)
        self.g.inputs.append(i)
        self.draws.append(draw)
        return i

    def output(self, *a, **kw):
        i = self.tensor(*a, **kw)
        self.g.outputs.append(i)
        return i

    def ops(self):
        return self.g.operators

    def op(self, name, inputs, outputs, intermediates=None, version=1, **options):
        o = fb.OperatorT()
        o.opcodeIndex = self.model.opcode(getattr(fb.BuiltinOperator, name), None, version)
        o.inputs, o.outputs, o.intermediates = list(inputs), list(outputs), intermediates
        o.builtinOptionsType, o.builtinOptions = options_of(name, options)
        if name in OPTIONS_2:
            o.builtinOptions2 = getattr(fb, OPTIONS_2[name] + "OptionsT")(
                name="mote", compositeAttributes=np.frombuffer(bytes(flexbuffers.Dumps({})), np.uint8), **options)
            o.builtinOptions2Type = getattr(fb.BuiltinOptions2, OPTIONS_2[name] + "Options")
        self.g.operators.append(o)

    def custom(self, name, inputs, outputs, _raw=None, **options):
        """A custom operator; its options are a FlexBuffer map, or the bytes _raw."""
        o = fb.OperatorT()
        o.opcodeIndex = self.model.opcode(fb.BuiltinOperator.CUSTOM, name, 1)
        o.inputs, o.outputs = list(inputs), list(outputs)
        raw = bytes(flexbuffers.Dumps(options)) if _raw is None else _raw
        o.customOptions = np.frombuffer(raw, np.uint8)
        self.g.operators.append(o)


class Model(Subgraph):
    """A model; by itself its first subgraph."""

    def __init__(self, description="mote test vector"):
        self.m = fb.ModelT()
        self.m.version, self.m.description = 3, description
        b = fb.BufferT()
        b.data = None
        self.m.buffers, self.m.operatorCodes, self.m.subgraphs = [b], [], []
        self.codes = {}
        self.zeroed = False  # the outputs depend on memory that the reference never writes, and are those of zeroes
        Subgraph.__init__(self, self, "main")
        self.m.subgraphs.append(self.g)

    def subgraph(self, name):
        s = Subgraph(self, name)
        self.m.subgraphs.append(s.g)
        return s

    def buffer(self, raw):
        b = fb.BufferT()
        b.data = np.frombuffer(raw, np.uint8)
        self.m.buffers.append(b)
        return len(self.m.buffers) - 1

    def opcode(self, code, custom, version):
        key = (code, custom, version)
        if key not in self.codes:
            c = fb.OperatorCodeT()
            c.builtinCode, c.deprecatedBuiltinCode, c.customCode, c.version = code, min(code, 127), custom, version
            self.codes[key] = len(self.m.operatorCodes)
            self.m.operatorCodes.append(c)
        return self.codes[key]

    def bytes(self):
        b = flatbuffers.Builder(1024)
        b.Finish(self.m.Pack(b), b"TFL3")
        return bytes(b.Output())
