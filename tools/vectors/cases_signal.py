"""The custom operators: audio front ends, streaming buffers, detections."""
import numpy as np
from case import case, draw
from model import Model, fb

CODE = {"int16": fb.TensorType.INT16, "int32": fb.TensorType.INT32, "float32": fb.TensorType.FLOAT32}


def audio(rng, shape, bits=14):
    return (rng.normal(0, 1 << (bits - 1), shape)).clip(-32768, 32767).astype(np.int16)


def wide(rng, shape, bits=31):
    """Numbers of every magnitude below 2^bits."""
    return (2.0 ** rng.uniform(0, bits, shape)).astype(np.uint64)


for name, n, shift, weight_bits in (("int16", 23, 12, 12), ("int16_saturates", 16, 9, 12)):
    @case("SignalWindow", name)
    def build(rng, n=n, shift=shift, weight_bits=weight_bits):
        m = Model()
        x = m.input((n,), "int16")
        w = m.const(rng.integers(0, (1 << weight_bits) + 1, n), "int16")
        m.custom("SignalWindow", [x, w], [m.output((n,), "int16")], shift=shift)
        return m


@case("SignalWindow", "int16_frames")
def build(rng):
    m = Model()
    x = m.input((3, 10), "int16")
    w = m.const(rng.integers(-4096, 4097, 10), "int16")
    m.custom("SignalWindow", [x, w], [m.output((3, 10), "int16")], shift=12)
    return m


for name, size in (("int16", 0x0FFF), ("int16_small", 37), ("int16_full", 32767), ("int16_zero", 0)):
    @case("SignalFftAutoScale", name)
    def build(rng, size=size):
        m = Model()
        x = m.input((19,), "int16", draw=(-size, size))
        m.custom("SignalFftAutoScale", [x], [m.output((19,), "int16"), m.output((), "int32")])
        return m


for t in ("int16", "int32", "float32"):
    for n, fft in ((16, 16), (50, 64), (128, 128)):
        @case("SignalRfft", f"{t}_{fft}")
        def build(rng, t=t, n=n, fft=fft):
            m = Model()
            d = {"int16": (-16000, 16000), "int32": (-(1 << 26), 1 << 26), "float32": (-1, 1)}[t]
            x = m.input((n,), t, draw=d)
            m.custom("SignalRfft", [x], [m.output((fft + 2,), t)], T=CODE[t], fft_length=fft)
            return m
        if n != fft:
            continue

        @case("SignalIrfft", f"{t}_{fft}")
        def build(rng, t=t, fft=fft):
            m = Model()
            d = {"int16": (-16000, 16000), "int32": (-(1 << 26), 1 << 26), "float32": (-1, 1)}[t]

            def spectrum(rng, s):
                a = draw(rng, s, t, *d)
                a[1] = a[-1] = 0  # the ends of a real signal's spectrum are real
                return a
            x = m.input((fft + 2,), t, draw=spectrum)
            m.custom("SignalIrfft", [x], [m.output((fft,), t)], T=CODE[t], fft_length=fft)
            return m


@case("SignalRfft", "int16_frames")
def build(rng):
    m = Model()
    x = m.input((3, 20), "int16")
    m.custom("SignalRfft", [x], [m.output((3, 34), "int16")], T=CODE["int16"], fft_length=32)
    return m


@case("SignalEnergy", "int16")
def build(rng):
    m = Model()
    x = m.input((34,), "int16")
    m.custom("SignalEnergy", [x], [m.output((17,), "uint32")], start_index=0, end_index=17)
    return m


@case("SignalEnergy", "int16_band")
def build(rng):
    """Outside of its band the reference writes nothing, so only the band is looked at."""
    m = Model()
    x = m.input((34,), "int16")
    e, i = m.tensor((17,), "uint32"), m.tensor((17,), "int32")
    m.custom("SignalEnergy", [x], [e], start_index=3, end_index=13)
    m.op("CAST", [e], [i], inDataType="UINT32", outDataType="INT32")
    m.op("SLICE", [i, m.const(np.array([3]), "int32"), m.const(np.array([10]), "int32")], [m.output((10,), "int32")])
    return m


def bank(rng, m, channels, bins):
    """Overlapping triangles over the bins, as int16 tables."""
    widths = rng.integers(1, 4, channels + 1)
    starts = 1 + np.concatenate([[0], np.cumsum(widths)[:-1]])
    wstarts = np.concatenate([[0], np.cumsum(widths)[:-1]])
    w = rng.integers(0, 4097, int(widths.sum()))
    assert starts[-1] + widths[-1] <= bins
    return [m.const(a, "int16") for a in (w, 4096 - w, starts, wstarts, widths)]


for name, ch, bins in (("uint32", 5, 24), ("uint32_wide", 9, 40)):
    @case("SignalFilterBank", name)
    def build(rng, ch=ch, bins=bins):
        m = Model()
        x = m.input((bins,), "uint32", draw=wide)
        m.custom("SignalFilterBank", [x] + bank(rng, m, ch, bins), [m.output((ch,), "uint64")], num_channels=ch)
        return m


@case("SignalFilterBankSquareRoot", "uint64")
def build(rng):
    m = Model()
    x = m.input((21,), "uint64", draw=lambda rng, s: wide(rng, s, 58))
    k = m.input((), "int32", draw=(0, 7))
    m.custom("SignalFilterBankSquareRoot", [x, k], [m.output((21,), "uint32")])
    return m, 3


@case("SignalFilterBankSquareRoot", "uint64_small")
def build(rng):
    m = Model()
    x = m.input((33,), "uint64", draw=lambda rng, s: np.arange(33))
    k = m.input((), "int32", draw=(0, 1))
    m.custom("SignalFilterBankSquareRoot", [x, k], [m.output((33,), "uint32")])
    return m, 2


for name, scale, bits in (("uint32", 1600, 3), ("uint32_no_correction", 64, 0)):
    @case("SignalFilterBankLog", name)
    def build(rng, scale=scale, bits=bits):
        m = Model()
        x = m.input((37,), "uint32", draw=lambda rng, s: np.concatenate([[0, 1, 2], wide(rng, (34,), 28)]))
        m.custom("SignalFilterBankLog", [x], [m.output((37,), "int16")], input_correction_bits=bits, output_scale=scale)
        return m


for name, clamping in (("uint32", True), ("uint32_no_clamping", False)):
    @case("SignalFilterBankSpectralSubtraction", name)
    def build(rng, clamping=clamping):
        m = Model()
        x = m.input((11,), "uint32", draw=lambda rng, s: wide(rng, s, 20))
        m.custom("SignalFilterBankSpectralSubtraction", [x], [m.output((11,), "uint32"), m.output((11,), "uint32")],
                 alternate_one_minus_smoothing=15401, alternate_smoothing=983, clamping=clamping, min_signal_remaining=819,
                 num_channels=11, one_minus_smoothing=15974, smoothing=410, smoothing_bits=10, spectral_subtraction_bits=14)
        return m, 5


for name, shift in (("uint32", 6), ("uint32_shift", 12)):
    @case("SignalPCAN", name)
    def build(rng, shift=shift):
        m = Model()
        x = m.input((13,), "uint32", draw=lambda rng, s: wide(rng, s, 22))
        e = m.input((13,), "uint32", draw=lambda rng, s: np.concatenate([[0, 1, 2, 3], wide(rng, (9,), 31)]))
        lut = np.empty(125, np.int64)
        lut[:] = rng.integers(-3000, 3000, 125)
        lut[2::4] = np.abs(lut[2::4]) + 4000  # values; between them two coefficients and a gap
        lut[:2] = 9000, 8000
        m.custom("SignalPCAN", [x, e, m.const(lut, "int16")], [m.output((13,), "uint32")], snr_shift=shift)
        return m


def stacked(m, op, x, shape, n, **options):
    """The operator and, where its frame is not valid yet, zeros instead of what the reference leaves unwritten."""
    frame, valid = m.tensor(shape, "int16"), m.output((), "bool")
    m.custom(op, [x], [frame, valid], **options)
    zero = m.const(np.zeros(shape), "int16")
    m.op("SELECT_V2", [valid, frame, zero], [m.output(shape, "int16")])
    return m, n


@case("SignalFramer", "int16_prefill")
def build(rng):
    m = Model()
    x = m.input((12,), "int16")
    m.custom("SignalFramer", [x], [m.output((3, 7), "int16"), m.output((), "bool")], frame_size=7, frame_step=4, prefill=True)
    return m, 3


@case("SignalFramer", "int16_channels")
def build(rng):
    m = Model()
    x = m.input((2, 6), "int16")
    m.custom("SignalFramer", [x], [m.output((2, 2, 5), "int16"), m.output((), "bool")], frame_size=5, frame_step=3, prefill=True)
    return m, 4


@case("SignalFramer", "int16_waits")
def build(rng):
    m = Model()
    return stacked(m, "SignalFramer", m.input((4,), "int16"), (1, 10), 6, frame_size=10, frame_step=4, prefill=False)


@case("SignalStacker", "int16_left")
def build(rng):
    m = Model()
    x = m.input((5,), "int16")
    m.custom("SignalStacker", [x], [m.output((15,), "int16"), m.output((), "bool")], num_channels=5, stacker_left_context=2,
             stacker_right_context=0, stacker_step=1)
    return m, 4


@case("SignalStacker", "int16_both")
def build(rng):
    m = Model()
    return stacked(m, "SignalStacker", m.input((4,), "int16"), (16,), 8, num_channels=4, stacker_left_context=2,
                   stacker_right_context=1, stacker_step=2)


@case("SignalStacker", "int16_right")
def build(rng):
    m = Model()
    return stacked(m, "SignalStacker", m.input((3,), "int16"), (12,), 7, num_channels=3, stacker_left_context=0,
                   stacker_right_context=3, stacker_step=3)


for name, shape, length in (("int16", (6,), 3), ("int16_channels", (2, 4), 9)):
    @case("SignalDelay", name)
    def build(rng, shape=shape, length=length):
        m = Model()
        x = m.input(shape, "int16")
        m.custom("SignalDelay", [x], [m.output(shape, "int16")], delay_length=length)
        return m, 5
for t in ("int16", "float32"):
    for name, shape, step in (("", (3, 8), 4), ("_channels", (2, 2, 6), 2), ("_one_frame", (1, 9), 3)):
        @case("SignalOverlapAdd", t + name)
        def build(rng, t=t, shape=shape, step=step):
            m = Model()
            x = m.input(shape, t)
            m.custom("SignalOverlapAdd", [x], [m.output(shape[:-2] + (shape[-2] * step,), t)], T=CODE[t], frame_step=step)
            return m, 4
for name, slots, cycles in (("int8", 4, 1), ("int8_every_second", 3, 2)):
    @case("CIRCULAR_BUFFER", name)
    def build(rng, slots=slots, cycles=cycles):
        m = Model()
        x = m.input((1, 1, 2, 3), "int8", 0.05, 4)
        m.custom("CIRCULAR_BUFFER", [x], [m.output((1, slots, 2, 3), "int8", 0.05, 4, variable=True)], cycles_max=cycles)
        return m, 6


def detect(name, boxes, classes, regular, most=4, **more):
    @case("TFLite_Detection_PostProcess", name)
    def build(rng):
        m = Model()
        x = m.input((1, boxes, 4), "float32", draw=(-1, 1))
        s = m.input((1, boxes, classes + 1), "float32", draw=(0, 1))
        a = np.stack([rng.uniform(0.2, 0.8, boxes), rng.uniform(0.2, 0.8, boxes), rng.uniform(0.2, 0.6, boxes), rng.uniform(0.2, 0.6, boxes)], 1)
        a = m.const(a, "float32")
        per = more.get("max_classes_per_detection", 1)
        n = most * per
        o = [m.output((1, n, 4), "float32"), m.output((1, n), "float32"), m.output((1, n), "float32"), m.output((1,), "float32")]
        m.custom("TFLite_Detection_PostProcess", [x, s, a], o, max_detections=most, num_classes=classes, nms_score_threshold=0.3,
                 nms_iou_threshold=0.5, y_scale=10.0, x_scale=10.0, h_scale=5.0, w_scale=5.0, use_regular_nms=regular,
                 **{"max_classes_per_detection": 1, **more})
        return m


detect("float32_fast", 7, 3, False)
detect("float32_fast_many", 19, 4, False, most=3)
detect("float32_regular", 9, 3, True, detections_per_class=3)
