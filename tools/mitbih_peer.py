#!/usr/bin/env python3
"""A peer for the row `mitbih` of the accuracy table: scikit-learn's random forest on the same beats and folds.

Beats of AAMI's classes N, S, V and F, 5 s and more from a record's ends; four folds of whole people, those that Mote deals. A beat becomes
31 values of each signal over 0.7 s about its mark, behind a band pass of 0.5 to 40 Hz, the intervals on both sides, the mean of eleven
about it, and both over that mean.
usage: tools/mitbih_peer.py build/shared/data/mitbih     (needs numpy, scipy and scikit-learn; Mote itself needs none of them)
"""
import sys

import numpy as np
from scipy.signal import butter, sosfiltfilt
from sklearn.ensemble import RandomForestClassifier

RATE, EDGE = 360, 1800
FOLDS = [[215, 223], [106, 109, 209], [114, 119, 124, 203], [101, 118, 208]]
CODES = {1: "N", 2: "N", 3: "N", 34: "N", 11: "N", 8: "S", 4: "S", 7: "S", 9: "S", 5: "V", 10: "V", 6: "F"}
OTHER_BEATS = (12, 13, 31, 38)  # they end an interval, but have no class here


def signals(path):
    """Format 212: two samples of 12 bits in three bytes."""
    b = np.fromfile(path, np.uint8).reshape(-1, 3).astype(int)
    s = np.stack([b[:, 0] | (b[:, 1] & 15) << 8, b[:, 2] | (b[:, 1] & 240) << 4], 1)
    s[s > 2047] -= 4096
    return sosfiltfilt(butter(2, [0.5, 40], "band", fs=RATE, output="sos"), s / 200, axis=0)


def marks(path):
    words, i, time, found = np.fromfile(path, "<u2").astype(int), 0, 0, []
    while i < len(words) and words[i]:
        code, value = words[i] >> 10, words[i] & 1023
        i += 1
        if code == 59:  # a long step
            time += (words[i] << 16) | words[i + 1]
            i += 2
        elif code == 63:  # a text
            i += (value + 1) // 2
        elif code not in (60, 61, 62):
            time += value
            if code in CODES or code in OTHER_BEATS:
                found.append((time, CODES.get(code)))
    return found


def beats(folder, record):
    s, found = signals(f"{folder}/{record}.dat"), marks(f"{folder}/{record}.atr")
    times = np.array([t for t, _ in found])
    steps = np.diff(times) / RATE
    for i, (t, label) in enumerate(found):
        if label and EDGE <= t <= len(s) - EDGE:
            mean = steps[max(0, i - 6):i + 5].mean()
            before, behind = steps[i - 1], steps[min(i, len(steps) - 1)]
            shape = s[t - 108:t + 144:8].T.ravel()
            yield label, np.r_[shape, before, behind, mean, before / mean, behind / mean]


def main():
    rows = [(fold, *beat) for fold, records in enumerate(FOLDS) for r in records for beat in beats(sys.argv[1], r)]
    fold, y, x = np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows])
    classes = ["N", "S", "V", "F"]
    print(f"{len(y)} beats, " + ", ".join(f"{(y == c).sum()} {c}" for c in classes), flush=True)
    said = np.empty_like(y)
    for k in range(len(FOLDS)):
        forest = RandomForestClassifier(100, random_state=0, n_jobs=2)
        said[fold == k] = forest.fit(x[fold != k], y[fold != k]).predict(x[fold == k])
    right = [((y == c) & (said == c)).sum() for c in classes]
    f1 = [2 * r / max(1, (y == c).sum() + (said == c).sum()) for c, r in zip(classes, right)]
    print(f"forest: macro F1 {100 * np.mean(f1):.1f} %, sensitivity of V {100 * right[2] / (y == 'V').sum():.1f} %  F1 " +
          " ".join(f"{c} {100 * f:.1f}" for c, f in zip(classes, f1)))


if __name__ == "__main__":
    main()
