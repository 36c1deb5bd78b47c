#!/bin/sh
# mote train --learner of every kind, and an anomaly score beside a network: from made-up vibration to test, predict, build and
# verify, as a user calls them. Prints TAP lines.
. "$(dirname "$0")/tap"
set -u

# loose has another hum than the two that are known, and knocks.
hums "$T" slow:12:40:0 fast:31:40:0 loose:47:8:1.5
cd "$T" || exit 1
"$MOTE" new fan --template vibration -q >/dev/null && cd fan || exit 1
"$MOTE" add -q ../slow_*.csv ../fast_*.csv --label-from 'name:^([a-z]+)_' >/dev/null; is "recordings of what is normal" 0 $?
"$MOTE" add -q ../loose_*.csv --label loose --split test >/dev/null; is "and of what is not" 0 $?

for kind in tree forest boost logistic svm knn; do
  "$MOTE" train -q --learner $kind --json >train; is "train $kind" 0 $?
  "$MOTE" test --json >test; is "test $kind" 0 $?
  is "$kind is right" 1 "$(number test accuracy_int8)"
done
"$MOTE" train -q --learner knn --json >train; grep -q '"known": true' train; is "the same again is known" 0 $?
"$MOTE" train -q --learner knn --json --fresh >fresh; is "and fresh the same" "$(number fresh weight_bytes)" "$(number train weight_bytes)"
for kind in kmeans gmm mahalanobis pca; do
  "$MOTE" train -q --learner $kind --json >train; is "train $kind" 0 $?
  "$MOTE" test --json >test; is "test $kind" 0 $?
  is "$kind tells the loose ones" 1 "$(number test auc)"
  "$MOTE" predict --json ../loose_0.csv >predict; grep -q '"anomalous": true' predict; is "$kind predicts" 0 $?
done
"$MOTE" test --leave-one-group-out >out 2>err; is "leaving groups out is for classes" 1 $?
"$MOTE" build -q --target cortex-m0plus --no-compile -o built >/dev/null; is "build" 0 $?
[ -e built/mote/ml/pca.c ] && [ ! -e built/mote/nn/conv2d.c ]; is "with the learner's room and no convolution" 0 $?
targets="--target host"
command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null && targets="$targets --target cortex-m0plus"
"$MOTE" verify -q $targets >verify; is "verify" 0 $?
grep -q "one hash.*from the samples on" verify; is "one hash, features included" 0 $?
"$MOTE" verify -q $targets -i ../loose_3.csv --json >verify; is "verify a recording" 0 $?
[ "$(number verify features_bytes)" -gt 0 ]; is "its features are compared" 0 $?
"$MOTE" verify -q -i ../loose_3.csv -i ../loose_4.csv >out 2>err; is "two recordings are refused" 1 $?

# A forest's .mote file runs as the project does; a damaged one does not.
"$MOTE" train -q --learner forest >/dev/null && "$MOTE" build -q --target host --no-compile -o forest >/dev/null
"$MOTE" info forest/model.mote >out; is "a forest as a file" 0 $?

# A second output beside a network.
printf 'anomaly:\n  learner: kmeans\n  clusters: 4\n  false_alarms: 0.05\n' >>mote.yaml
"$MOTE" train -q --epochs 4 --json >train; is "train a network with clusters beside it" 0 $?
[ -n "$(number train threshold)" ]; is "it has a threshold" 0 $?
"$MOTE" test --json >test; is "the loose ones are told" 1 "$(number test auc)"
"$MOTE" predict ../loose_1.csv >out; grep -q ANOMALY out; is "predict says so" 0 $?
"$MOTE" verify -q $targets >verify; is "verify both outputs" 0 $?

# What is wrong is said.
"$MOTE" train --learner oracle >out 2>err; is "no such learner" 2 $?
grep -q "kmeans, gmm" err; is "it says which there are" 0 $?
sed -i 's/clusters: 4/clusters: 0/' mote.yaml
"$MOTE" train >out 2>err; is "no clusters" 1 $?
grep -q "anomaly.clusters" err; is "it names the key" 0 $?
sed -i 's/learner: kmeans/learner: forest/; s/clusters: 0/clusters: 4/' mote.yaml
"$MOTE" train >out 2>err; is "a forest knows no normal" 1 $?
sed -i 's/learner: forest/learner: kmeans/; s/clusters: 4/columns: [70000]/' mote.yaml
"$MOTE" train >out 2>err; is "a column that is not there" 1 $?
grep -q "column 70000" err; is "it names the column" 0 $?
exit $failed
