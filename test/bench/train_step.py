"""One training step (forward, backward, Adam) of the same DS-CNN: Mote against PyTorch, in turn, in one run.

Usage: train_step.py PROGRAM. Exit code 1 where Mote is not faster at some batch size, 2 without PyTorch.
PyTorch is given its faster memory layout of the two (channels_last and the default), found first.
"""
import statistics
import subprocess
import sys
import time

THREADS, STEPS, ROUNDS, BATCHES = 2, 15, 9, (32, 100)

try:
    import torch
    from torch import nn
except ImportError:
    print("bench-train: PyTorch is not here; apt-get install -y --no-install-recommends python3-torch python3-numpy")
    sys.exit(2)


def network():
    layers = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    for _ in range(4):
        layers += [nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        layers += [nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


class Torch:
    def __init__(self, batch, channels_last):
        torch.manual_seed(1)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.net = network().to(memory_format=layout)
        self.adam = torch.optim.Adam(self.net.parameters(), 1e-3)
        self.x = torch.randn(batch, 1, 49, 10).contiguous(memory_format=layout)
        self.y = torch.randint(0, 12, (batch,))
        self.run(5)

    def run(self, steps):
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            self.adam.zero_grad()
            nn.functional.cross_entropy(self.net(self.x), self.y).backward()
            self.adam.step()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)


def main():
    torch.set_num_threads(THREADS)
    mote = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    vector = mote.stdout.readline().strip()
    print(f"training step of DS-CNN 49x10x1, 64 channels, Adam, {THREADS} threads; Mote with {vector}, "
          f"PyTorch {torch.__version__}; medians of {ROUNDS} turns of {STEPS} steps")
    slower = False
    for batch in BATCHES:
        both = [Torch(batch, False), Torch(batch, True)]
        peer = min(both, key=lambda t: t.run(STEPS))
        ours, theirs = [], []
        for _ in range(ROUNDS):
            time.sleep(0.05)  # PyTorch's threads spin for a while after their last step
            mote.stdin.write(f"{batch} {THREADS} {STEPS}\n")
            mote.stdin.flush()
            ours.append(float(mote.stdout.readline()))
            theirs.append(peer.run(STEPS))
        a, b = statistics.median(ours), statistics.median(theirs)
        ratio = statistics.median(y / x for x, y in zip(ours, theirs))
        print(f"  batch {batch:3}: Mote {1e3 * a:6.2f} ms   PyTorch {1e3 * b:6.2f} ms   ratio {ratio:.2f}")
        slower |= ratio <= 1
    mote.stdin.close()
    mote.wait()
    print("Mote is slower" if slower else "Mote is faster")
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
