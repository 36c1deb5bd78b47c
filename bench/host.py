"""Time of one inference on this machine, one thread each: Mote, LiteRT and ONNX Runtime beside each other.

usage: bench/host makes the call; host.py INFER SHARED

The same int8 networks on the same inputs: for keyword spotting the 1,000 recordings of the MLPerf Tiny set, for the others
16 made inputs. LiteRT runs the .tflite file, with XNNPACK, its default. ONNX Runtime runs the same network converted here:
the same weights, scales and zero points as QuantizeLinear / DequantizeLinear pairs around float operators, activations as
uint8, which is its own recommendation for x86-64; its optimiser makes integer kernels of them. It rounds differently, so
how often its answer agrees is shown.

Rounds go from one to the next and the fastest counts, so that what else the machine does hits all alike. Of the peers only
the call that computes is timed (invoke, run_with_iobinding), inputs being in place; of Mote also the copy of the input.
Opening (read, convert, plan, pack) is timed apart; starting the process or importing Python is in no figure.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnx
import onnxruntime
import tflite
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

ROUNDS = 7
MODELS = ["ad01_int8", "kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "str_ww_ref_model"]


# ---- a .tflite network as ONNX ---------------------------------------------------------------------
class Converter:
    """Tensors of four axes lie as NCHW in ONNX and NHWC in the file; every activation is float between its pair."""

    def __init__(self, path):
        data = open(path, "rb").read()
        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes, self.constants = [], []

    def shape(self, t):
        return [int(d) for d in self.graph.Tensors(t).ShapeAsNumpy()]

    def quant(self, t):
        q = self.graph.Tensors(t).Quantization()
        return q.ScaleAsNumpy().astype(np.float32), q.ZeroPointAsNumpy().astype(np.int64)

    def data(self, t):
        tensor = self.graph.Tensors(t)
        kind = {tflite.TensorType.INT8: np.int8, tflite.TensorType.INT32: np.int32}[tensor.Type()]
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        return np.frombuffer(raw, kind).reshape(self.shape(t))

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def scale_of(self, t):
        scale, zero = self.quant(t)
        return [self.constant(f"s{t}", scale[0]), self.constant(f"z{t}", np.uint8(zero[0] + 128))]

    def made(self, t, name):
        """The float result `name` of an operator becomes tensor t, which its readers see as float again."""
        pair = self.scale_of(t)
        self.node("QuantizeLinear", [name] + pair, f"q{t}")
        self.node("DequantizeLinear", [f"q{t}"] + pair, f"t{t}")

    def weights(self, t, array):
        scale, _ = self.quant(t)
        scale = np.broadcast_to(scale, array.shape[0]).astype(np.float32)
        names = [self.constant(f"w{t}", array), self.constant(f"ws{t}", scale),
                 self.constant(f"wz{t}", np.zeros(array.shape[0], np.int8))]
        return self.node("DequantizeLinear", names, f"wf{t}", axis=0), scale

    def bias(self, t, scale, source):
        names = [self.constant(f"b{t}", self.data(t)),
                 self.constant(f"bs{t}", (scale * self.quant(source)[0][0]).astype(np.float32)),
                 self.constant(f"bz{t}", np.zeros(len(scale), np.int32))]
        return self.node("DequantizeLinear", names, f"bf{t}", axis=0)

    @staticmethod
    def pads(padding, size, out, kernel, stride):
        if padding == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        total = [max((o - 1) * s + k - i, 0) for i, o, k, s in zip(size, out, kernel, stride)]
        before = [p // 2 for p in total]
        return before + [p - b for p, b in zip(total, before)]

    def options(self, op, kind):
        o = kind()
        o.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
        return o

    def windowed(self, op, kind, kernel):
        """Attributes of an operator with a window."""
        x, y = op.Inputs(0), op.Outputs(0)
        o = self.options(op, kind)
        stride = [o.StrideH(), o.StrideW()]
        return o, dict(kernel_shape=kernel, strides=stride,
                       pads=self.pads(o.Padding(), self.shape(x)[1:3], self.shape(y)[1:3], kernel, stride))

    def conv(self, op, depthwise):
        x, w, b, y = op.Inputs(0), op.Inputs(1), op.Inputs(2), op.Outputs(0)
        kind = tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions
        array = self.data(w)
        array = array.transpose(3, 0, 1, 2) if depthwise else array.transpose(0, 3, 1, 2)
        _, window = self.windowed(op, kind, list(array.shape[2:]))
        name, scale = self.weights(w, array)
        groups = self.shape(x)[3] if depthwise else 1
        self.made(y, self.node("Conv", [f"t{x}", name, self.bias(b, scale, x)], f"f{y}", group=groups, **window))

    def reshape(self, source, shape, to):
        if len(self.shape(source)) == 4:
            name = self.node("Transpose", [f"t{source}"], f"{to}n", perm=[0, 2, 3, 1])
        else:
            name = f"t{source}"
        target = self.constant(f"{to}s", np.array(shape, np.int64))
        if len(shape) != 4:
            return self.node("Reshape", [name, target], to)
        name = self.node("Reshape", [name, target], f"{to}r")
        return self.node("Transpose", [name], to, perm=[0, 3, 1, 2])

    def dense(self, op):
        x, w, y = op.Inputs(0), op.Inputs(1), op.Outputs(0)
        array = self.data(w)
        name, scale = self.weights(w, array)
        inputs = [self.reshape(x, [-1, array.shape[1]], f"v{y}") if self.shape(x) != [1, array.shape[1]] else f"t{x}", name]
        if op.InputsLength() > 2 and op.Inputs(2) >= 0:
            inputs.append(self.bias(op.Inputs(2), scale, x))
        self.made(y, self.node("Gemm", inputs, f"f{y}", transB=1))

    def operator(self, op):
        code = self.model.OperatorCodes(op.OpcodeIndex())
        code = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        x, y, b = op.Inputs(0), op.Outputs(0), tflite.BuiltinOperator
        if code in (b.CONV_2D, b.DEPTHWISE_CONV_2D):
            self.conv(op, code == b.DEPTHWISE_CONV_2D)
        elif code == b.FULLY_CONNECTED:
            self.dense(op)
        elif code == b.ADD:
            self.made(y, self.node("Add", [f"t{x}", f"t{op.Inputs(1)}"], f"f{y}"))
        elif code == b.AVERAGE_POOL_2D:
            o = self.options(op, tflite.Pool2DOptions)
            _, window = self.windowed(op, tflite.Pool2DOptions, [o.FilterHeight(), o.FilterWidth()])
            self.made(y, self.node("AveragePool", [f"t{x}"], f"f{y}", **window))
        elif code == b.RESHAPE:
            self.made(y, self.reshape(x, self.shape(y), f"f{y}"))
        elif code == b.SOFTMAX:
            self.made(y, self.node("Softmax", [f"t{x}"], f"f{y}", axis=-1))
        else:
            raise ValueError(f"operator {code} is not converted")

    def convert(self):
        x, y = self.graph.Inputs(0), self.graph.Outputs(0)
        self.node("DequantizeLinear", ["input"] + self.scale_of(x), f"t{x}")
        for i in range(self.graph.OperatorsLength()):
            self.operator(self.graph.Operators(i))
        shape = self.shape(x)
        shape = [shape[0], shape[3], shape[1], shape[2]] if len(shape) == 4 else shape
        graph = helper.make_graph(self.nodes, "converted", [helper.make_tensor_value_info("input", TensorProto.UINT8, shape)],
                                  [helper.make_tensor_value_info(f"q{y}", TensorProto.UINT8, self.shape(y))], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.checker.check_model(model)
        return model.SerializeToString()


# ---- the three ---------------------------------------------------------------------------------------
class LiteRt:
    name = "LiteRT"

    def __init__(self, path, inputs):
        begun = time.perf_counter()
        self.run = Interpreter(model_path=path, num_threads=1)
        self.run.allocate_tensors()
        self.open_s = time.perf_counter() - begun
        d = self.run.get_input_details()[0]
        self.at, self.to = d["index"], self.run.get_output_details()[0]["index"]
        self.inputs = inputs.reshape([-1] + list(d["shape"]))

    def passes(self):
        took, outputs = 0.0, []
        for x in self.inputs:
            self.run.set_tensor(self.at, x)
            begun = time.perf_counter()
            self.run.invoke()
            took += time.perf_counter() - begun
            outputs.append(self.run.get_tensor(self.to).ravel())
        return took, np.array(outputs)


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, path, inputs):
        converted = Converter(path).convert()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        begun = time.perf_counter()
        self.session = onnxruntime.InferenceSession(converted, options, providers=["CPUExecutionProvider"])
        self.open_s = time.perf_counter() - begun
        shape = self.session.get_inputs()[0].shape
        x = (inputs.astype(np.int16) + 128).astype(np.uint8)
        if len(shape) == 4:
            x = x.reshape([-1, shape[2], shape[3], shape[1]]).transpose(0, 3, 1, 2)
        self.inputs = [np.ascontiguousarray(i.reshape(shape)) for i in x]
        out = self.session.get_outputs()[0]
        self.out = np.zeros(out.shape, np.uint8)
        self.binding = self.session.io_binding()
        self.binding.bind_output(out.name, "cpu", 0, np.uint8, self.out.shape, self.out.ctypes.data)

    def passes(self):
        took, outputs = 0.0, []
        for x in self.inputs:
            self.binding.bind_input("input", "cpu", 0, np.uint8, x.shape, x.ctypes.data)
            begun = time.perf_counter()
            self.session.run_with_iobinding(self.binding)
            took += time.perf_counter() - begun
            outputs.append((self.out.astype(np.int16) - 128).astype(np.int8).ravel())
        return took, np.array(outputs)


class Mote:
    name = "Mote"

    def __init__(self, infer, path, inputs, folder):
        self.command = [infer, path, "3", f"{folder}/in", f"{folder}/out"]
        inputs.tofile(f"{folder}/in")
        self.out, self.n = f"{folder}/out", len(inputs)

    def passes(self):
        told = json.loads(subprocess.run(self.command, check=True, capture_output=True, text=True).stdout)
        self.open_s = told["open_s"]
        return told["pass_s"], np.fromfile(self.out, np.int8).reshape(self.n, -1)


def inputs_of(name, path, shared):
    d = Interpreter(model_path=path).get_input_details()[0]
    size = int(np.prod(d["shape"]))
    folder = f"{shared}/data/accuracy/kws01"
    if name == "kws_ref_model":
        files = [line.split(",")[0] for line in open(f"{folder}/y_labels.csv")]
        return np.stack([np.fromfile(f"{folder}/{f}", np.int8) for f in files]), f"{len(files):,} recordings"
    made = np.random.default_rng(1).integers(-128, 128, (16, size), dtype=np.int8)
    return made, "16 made inputs"


def main(infer, shared):
    slower = 0
    print(f"one inference, microseconds, one thread; ai-edge-litert, onnxruntime {onnxruntime.__version__}\n")
    print(f"{'model':24s}{'inputs':>18s}{'':3s}{'':14s}{'us':>9s}{'x Mote':>8s}{'open, ms':>10s}  same answer")
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            path = f"{shared}/models/reference/mlperf_tiny/{name}.tflite"
            inputs, what = inputs_of(name, path, shared)
            all_ = [Mote(infer, path, inputs, folder), LiteRt(path, inputs), OnnxRuntime(path, inputs)]
            best, answers = [1e30] * 3, [None] * 3
            for _ in range(ROUNDS):
                for i, runner in enumerate(all_):
                    took, answers[i] = runner.passes()
                    best[i] = min(best[i], took)
            for i, runner in enumerate(all_):
                us = best[i] / len(inputs) * 1e6
                same = np.mean(answers[i].argmax(1) == answers[0].argmax(1))
                print(f"{name if i == 0 else '':24s}{what if i == 0 else '':>18s}   {runner.name:14s}{us:9.2f}"
                      f"{best[i] / best[0]:8.2f}{runner.open_s * 1e3:10.1f}  {100 * same:5.1f} %", flush=True)
                slower += i > 0 and best[i] < best[0]
    print(f"\nMote is {'ahead of each' if slower == 0 else f'slower in {slower} places'}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
