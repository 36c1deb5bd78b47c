#!/usr/bin/env python3
"""Peers for the row `wisdm` of the accuracy table: scikit-learn's random forest and support vectors on the same windows.

Windows of 10 s every 5 s of the watch's accelerometer, 18 activities, leave one subject out. Each window becomes 65 usual
values: means, deviations, extremes, quartiles, steps, correlations, and the logarithm of nine bands of the spectrum of each axis.
usage: tools/wisdm_peer.py build/shared/data/wisdm     (needs numpy and scikit-learn; Mote itself needs neither)
"""
import glob
import sys

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

WINDOW, STRIDE = 200, 100


def windows(folder):
    """Windows within one activity of one subject; a stretch ends where activity or clock jumps."""
    x, y, g = [], [], []
    for path in sorted(glob.glob(folder + "/raw/watch/accel/*.txt")):
        with open(path) as f:
            rows = [line.strip().rstrip(";").split(",") for line in f if line.strip()]
        label = [r[1] for r in rows]
        time = np.array([float(r[2]) for r in rows])
        values = np.array([[float(v) for v in r[3:6]] for r in rows])
        cuts = [0] + [i for i in range(1, len(rows)) if label[i] != label[i - 1] or time[i] < time[i - 1]] + [len(rows)]
        for a, b in zip(cuts, cuts[1:]):
            for s in range(a, b - WINDOW + 1, STRIDE):
                x.append(values[s:s + WINDOW])
                y.append(label[a])
                g.append(rows[0][0])
    return np.array(x), np.array(y), np.array(g)


def features(x):
    centred = x - x.mean(1, keepdims=True)
    deviation = x.std(1) + 1e-9
    size = np.linalg.norm(x, axis=2)
    out = [x.mean(1), x.std(1), x.min(1), x.max(1), np.median(x, 1), np.percentile(x, 25, axis=1),
           np.percentile(x, 75, axis=1), np.abs(np.diff(x, axis=1)).mean(1), size.mean(1)[:, None], size.std(1)[:, None]]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        out.append(((centred[:, :, i] * centred[:, :, j]).mean(1) / deviation[:, i] / deviation[:, j])[:, None])
    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2
    edges = [0, 5, 10, 15, 20, 30, 40, 60, 80, 100]
    for a, b in zip(edges, edges[1:]):
        out.append(np.log(power[:, a + 1:b + 1].sum(1) + 1e-3))
    return np.hstack(out)


def main():
    x, y, g = windows(sys.argv[1])
    f = features(x)
    print(f"{len(x)} windows, {len(set(g))} subjects, {len(set(y))} activities, {f.shape[1]} values")
    peers = {"forest": lambda: RandomForestClassifier(100, random_state=0),
             "svm": lambda: make_pipeline(StandardScaler(), SVC(C=10))}
    for name, make in peers.items():
        right = []
        for subject in sorted(set(g)):
            train = g != subject
            right.append((make().fit(f[train], y[train]).predict(f[~train]) == y[~train]).mean())
        print(f"{name:8} {100 * np.mean(right):.1f} %  " + " ".join(f"{100 * r:.1f}" for r in right), flush=True)


if __name__ == "__main__":
    main()
