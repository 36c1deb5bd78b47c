"""One training step (forward, backward, Adam) of the same network: Mote against PyTorch, in turn, in one run.

Usage: train_step.py PROGRAM [NETWORK...]. Exit code 1 where Mote is not faster somewhere, 2 without PyTorch.
PyTorch is given its faster memory layout of the two (channels_last and the default), found first. In the
environment: THREADS, ROUNDS (turns of each), BATCH. With one thread both are timed by the processor's time that they
took, so that other programs on the machine disturb less. MOTE_VECTOR=avx2 narrows both to AVX2.
"""
import os
import statistics
import subprocess
import sys
import time

THREADS, ROUNDS, BATCH = (int(os.environ.get(k, d)) for k, d in (("THREADS", "2"), ("ROUNDS", "5"), ("BATCH", "32")))

if os.environ.get("MOTE_VECTOR") == "avx2":
    os.environ["ATEN_CPU_CAPABILITY"], os.environ["ONEDNN_MAX_CPU_ISA"] = "avx2", "AVX2"
clock = time.process_time if THREADS == 1 else time.perf_counter

try:
    import torch
    from torch import nn
except ImportError:
    print("bench-train: PyTorch is not here; apt-get install -y --no-install-recommends python3-torch python3-numpy")
    sys.exit(2)


def conv(a, b, kernel, stride=1, padding=None, groups=1, act=nn.ReLU):
    if padding is None:
        padding = tuple(k // 2 for k in kernel) if isinstance(kernel, tuple) else kernel // 2
    layers = [nn.Conv2d(a, b, kernel, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(b)]
    return layers + [act()] if act else layers


def separable(a, b, stride=1):
    return conv(a, a, 3, stride, groups=a) + conv(a, b, 1)


class Residual(nn.Module):
    def __init__(self, body, around=None):
        super().__init__()
        self.body, self.around = nn.Sequential(*body), nn.Sequential(*around) if around else nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.around(x))


def end(channels, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def ds_cnn():
    layers = [nn.ZeroPad2d((1, 1, 4, 5))] + conv(1, 64, (10, 4), 2, 0) + [nn.Dropout(0.2)]
    for _ in range(4):
        layers += separable(64, 64)
    return nn.Sequential(*layers, nn.Dropout(0.4), *end(64, 12))


def resnet8():
    layers = conv(3, 16, 3) + [Residual(conv(16, 16, 3) + conv(16, 16, 3, act=None))]
    for a, b in ((16, 32), (32, 64)):
        layers.append(Residual(conv(a, b, 3, 2) + conv(b, b, 3, act=None), conv(a, b, 1, 2, 0, act=None)))
    return nn.Sequential(*layers, *end(64, 10))


def mobilenet():
    table = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)] + [(128, 1)] * 5 + [(256, 2), (256, 1)]
    layers, a = conv(3, 8, 3, 2), 8
    for b, stride in table:
        layers += separable(a, b, stride)
        a = b
    return nn.Sequential(*layers, *end(256, 2))


def autoencoder():
    sizes, layers = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128], [nn.Flatten()]
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 640))


class Sequence(nn.Module):
    """Bands as channels."""

    def forward(self, x):
        n, c, h, w = x.shape
        return x.permute(0, 3, 1, 2).reshape(n, w * c, h, 1)


def tc_resnet():
    layers = [Sequence()] + conv(40, 16, (3, 1))
    for a, b in ((16, 24), (24, 32), (32, 48)):
        body = conv(a, b, (9, 1), (2, 1)) + conv(b, b, (9, 1), act=None)
        layers.append(Residual(body, conv(a, b, 1, (2, 1), 0, act=None)))
    return nn.Sequential(*layers, *end(48, 12))


def temporal():
    layers = [Sequence()] + conv(40, 32, 1)
    for d in (1, 2, 4, 8):
        body = [nn.ZeroPad2d((0, 0, 2 * d, 0)), nn.Conv2d(32, 32, (3, 1), dilation=(d, 1), groups=32, bias=False),
                nn.BatchNorm2d(32), nn.ReLU()] + conv(32, 32, 1) + conv(32, 32, 1, act=None)
        layers.append(Residual(body))
    return nn.Sequential(*layers, nn.Dropout(0.2), *end(32, 12))


# name, height, width, channels, classes, network, whether it makes the input again
NETWORKS = [("ds-cnn", 49, 10, 1, 12, ds_cnn, False), ("resnet8", 32, 32, 3, 10, resnet8, False),
            ("mobilenet_0.25", 96, 96, 3, 2, mobilenet, False), ("autoencoder", 1, 1, 640, 2, autoencoder, True),
            ("tc-resnet", 49, 40, 1, 12, tc_resnet, False), ("temporal", 49, 40, 1, 12, temporal, False)]


class Torch:
    def __init__(self, shape, build, again, channels_last):
        torch.manual_seed(1)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        h, w, c, classes = shape
        self.net = build().to(memory_format=layout)
        self.adam = torch.optim.Adam(self.net.parameters(), 1e-3)
        self.x = torch.randn(BATCH, c, h, w).contiguous(memory_format=layout)
        y = self.x.flatten(1) if again else torch.randint(0, classes, (BATCH,))
        self.loss = (lambda out: nn.functional.mse_loss(out, y)) if again else (lambda out: nn.functional.cross_entropy(out, y))
        self.run(3)

    def run(self, steps):
        seconds = []
        for _ in range(steps):
            start = clock()
            self.adam.zero_grad(set_to_none=True)
            self.loss(self.net(self.x)).backward()
            self.adam.step()
            seconds.append(clock() - start)
        return statistics.median(seconds)


def main():
    torch.set_num_threads(THREADS)
    mote = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    vector = mote.stdout.readline().strip()
    print(f"training step, batch {BATCH}, Adam, {THREADS} threads; Mote with {vector}, PyTorch {torch.__version__}; "
          f"medians of {ROUNDS} turns", flush=True)
    slower = False
    for name, h, w, c, classes, build, again in NETWORKS:
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        both = [Torch((h, w, c, classes), build, again, last) for last in (False, True)]
        peer = min(both, key=lambda t: t.run(3))
        ours, theirs = [], []
        for _ in range(ROUNDS):
            steps = max(3, min(15, int(0.5 / max(peer.run(1), 1e-4))))
            time.sleep(0.05)  # PyTorch's threads spin for a while after their last step
            mote.stdin.write(f"{name} {h} {w} {c} {classes} {BATCH} {THREADS} {steps}\n")
            mote.stdin.flush()
            ours.append(float(mote.stdout.readline()))
            theirs.append(peer.run(steps))
        a, b = statistics.median(ours), statistics.median(theirs)
        ratio = statistics.median(y / x for x, y in zip(ours, theirs))
        print(f"  {name:15} Mote {1e3 * a:8.2f} ms   PyTorch {1e3 * b:8.2f} ms   ratio {ratio:.2f}", flush=True)
        slower |= ratio <= 1
    mote.stdin.close()
    mote.wait()
    print("Mote is slower somewhere" if slower else "Mote is faster")
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
