#!/usr/bin/env python3
"""learners.py: accuracy and time of Mote's classical learners beside scikit-learn's, on the same folds.

  bench/learners.py BINARY FOLDER     BINARY: make build/host/bench/learners; FOLDER: data/uci-classics

Five stratified folds, SEEDS times (5 unless the environment says otherwise). scikit-learn sees the columns as they are (standardised for all but trees); Mote sees
them as int16 or int8 over each column's range, and is tested by the integers of the device. Needs scikit-learn."""
import csv, os, subprocess, sys, tempfile, time, warnings
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
SEEDS = int(os.environ.get("SEEDS", 5))
TABLES = ["iris", "wine", "wheat-seeds", "sonar", "glass", "ionosphere", "banknote_authentication",
          "breast-cancer-wisconsin", "pima-indians-diabetes", "winequality-red"]


def scaled(model):
    return make_pipeline(StandardScaler(), model)


KINDS = {
    "tree": lambda s: DecisionTreeClassifier(random_state=s),
    "forest": lambda s: RandomForestClassifier(100, random_state=s, n_jobs=2),
    "boost": lambda s: GradientBoostingClassifier(random_state=s),
    "logistic": lambda s: scaled(LogisticRegression(max_iter=2000)),
    "svm": lambda s: scaled(LinearSVC(random_state=s, max_iter=5000)),
    "knn": lambda s: scaled(KNeighborsClassifier(5)),
}


def read(path):
    rows = [r for r in csv.reader(open(path)) if r and "?" not in r]
    x = np.array([[float(v) for v in r[:-1]] for r in rows])
    names = sorted({r[-1] for r in rows})
    return x, np.array([names.index(r[-1]) for r in rows])


def quantise(x, most):
    low, high = x.min(0), x.max(0)
    span = np.where(high > low, high - low, 1)
    return np.round((x - low) / span * 2 * most - most).astype(int)


def mote(binary, x, y, folds, kind, form):
    with tempfile.NamedTemporaryFile("w") as f:
        for i in range(len(y)):
            f.write(" ".join(map(str, [folds[i], y[i], *x[i]])) + "\n")
        f.flush()
        words = subprocess.run([binary, f.name, kind, form], capture_output=True, text=True, check=True).stdout.split()
    return float(words[1]), float(words[3]), float(words[5])


def main():
    binary, folder = sys.argv[1:3]
    kinds = sys.argv[3:] or list(KINDS)
    print(f"{'learner':9} {'table':24} {'sklearn':>8} {'int16':>7} {'int8':>7} {'seconds':>9} {'Mote':>7} {'bytes':>8}")
    for kind in kinds:
        sums = np.zeros(5)
        for name in TABLES:
            x, y = read(f"{folder}/{name}.csv")
            got = np.zeros((SEEDS, 6))
            for seed in range(SEEDS):
                folds = np.zeros(len(y), int)
                right, seconds = 0, 0.0
                for k, (a, b) in enumerate(StratifiedKFold(5, shuffle=True, random_state=seed).split(x, y)):
                    folds[b] = k
                    model = KINDS[kind](seed)
                    start = time.perf_counter()
                    model.fit(x[a], y[a])
                    seconds += (time.perf_counter() - start) / 5
                    right += (model.predict(x[b]) == y[b]).sum()
                wide = mote(binary, quantise(x, 32767), y, folds, kind, "wide")
                narrow = mote(binary, quantise(x, 127), y, folds, kind, "narrow")
                got[seed] = [right / len(y), wide[0], narrow[0], seconds, narrow[1], narrow[2]]
            m = got.mean(0)
            sums += np.array([m[0], m[1], m[2], m[3], m[4]])
            print(f"{kind:9} {name:24} {m[0]:8.4f} {m[1]:7.4f} {m[2]:7.4f} {m[3]:9.4f} {m[4]:7.4f} {m[5]:8.0f}", flush=True)
        m = sums / len(TABLES)
        print(f"{kind:9} {'mean':24} {m[0]:8.4f} {m[1]:7.4f} {m[2]:7.4f} {m[3]:9.4f} {m[4]:7.4f}", flush=True)


main()
