#!/bin/sh
# mote train with a network that gives its input again: from made-up vibration of one kind to test, predict, run, build and
# verify, as a user calls them. Prints TAP lines.
. "$(dirname "$0")/tap"
set -u
# says WORDS: they stand in the last error.
says() { grep -q "$1" err; is "it says \"$1\"" 0 $?; }

# loose has another hum, and knocks.
hums "$T" hum:12:60:0 loose:47:10:1.5
cd "$T" || exit 1
"$MOTE" new fan --template vibration -q >/dev/null && cd fan || exit 1
cp mote.yaml plain.yaml
"$MOTE" train --network autoencoder >out 2>err; is "nothing is normal yet" 1 $?
says "no training samples"
"$MOTE" add -q ../hum_*.csv --label hum >/dev/null; is "recordings of what is normal" 0 $?
"$MOTE" add -q ../loose_*.csv --label loose --split test >/dev/null; is "and of what is not" 0 $?
"$MOTE" train >out 2>err; is "one label alone is for no classifier" 1 $?

# Both presets, and layers of one's own; few windows, so the threshold comes from trainings that left some out.
own='dense 32; dense 6; dense 32; head input'
for network in "$own" conv-autoencoder 'autoencoder 0.25'; do
  "$MOTE" train -q --network "$network" --epochs 20 --json >train; is "train $network" 0 $?
  [ "$(number train windows)" -gt 50 ]; is "its threshold is that of windows left out" 0 $?
  grep -q '"validation_accuracy_int8": null' train; is "it has no accuracy" 0 $?
  awk "BEGIN { exit !($(number train validation_error_int8) > 0 && $(number train validation_error_int8) < 1.2 &&
    $(number train validation_error_int8) < 1.1 * $(number train validation_error_float) + 0.01) }"
  is "but an error, and int8 costs little of it" 0 $?
  "$MOTE" test --json >test; is "test $network" 0 $?
  is "it tells the loose ones" 1 "$(number test auc)"
  is "of both labels" 2 "$(grep -c '"label":' test)"
  "$MOTE" predict --json ../loose_0.csv >predict; grep -q '"anomalous": true' predict; is "predict says so" 0 $?
  grep -q '"channel":' predict; is "and why" 0 $?
done
"$MOTE" train -q --network 'autoencoder 0.25' --epochs 20 --json >again; grep -q '"known": true' again
is "the same again is known" 0 $?
is "with its threshold" "$(number train threshold)" "$(number again threshold)"
"$MOTE" test --json >again; cmp -s test again; is "and its figures" 0 $?
"$MOTE" train -q --network 'autoencoder 0.25' --epochs 20 --threads 1 --fresh --json >fresh
is "afresh with one thread the same threshold" "$(number train threshold)" "$(number fresh threshold)"
"$MOTE" test --json >again; cmp -s test again; is "and the same bits" 0 $?

# The file says it, and how often it may be wrong.
sed 's/^network: auto.*/network: |\n  dense 32\n  dense 6\n  dense 32\n  head input/' plain.yaml >mote.yaml
printf 'learning:\n  false_alarms: 0.2\n' >>mote.yaml
"$MOTE" train -q --epochs 5 --json >train; is "the network of mote.yaml" 0 $?
is "validation has enough windows for that rate" "$(number train windows_validation)" "$(number train windows)"
printf '  threshold: 0.125\n' >>mote.yaml
"$MOTE" train -q --epochs 5 --json >train; is "a threshold that is said" 0.125 "$(number train threshold)"
"$MOTE" train -q --epochs 5 --prune flash=80% --json >train; is "channels are pruned" 0 $?
[ "$(number train pruned)" -gt 0 ]; is "some of them" 0 $?
"$MOTE" train -q --epochs 5 --flash 11000 --json >train; is "weights of 4 bits" 0 $?
"$MOTE" test --json >test; is "it is tested" 0 $?

# On chips: the same bits, the score first and the answer behind it.
targets="--target host"
chip=
command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null && chip=cortex-m0plus && targets="$targets --target $chip"
"$MOTE" verify -q $targets >verify; is "verify" 0 $?
grep -q "one hash.*from the samples on" verify; is "one hash, features included" 0 $?
"$MOTE" info --json >info; is "two outputs" 2 "$(sed -n '/"outputs"/,/"states"/p' info | grep -c '"type"')"
"$MOTE" run -i ../loose_3.csv --json >run; is "run" 0 $?
"$MOTE" predict --json -w ../loose_3.csv >predict
score=$(sed -n '/"windows"/,$p' run | grep -o '[0-9][0-9]*' | head -n 1)
awk "BEGIN { d = $score / 16384 - $(sed -n 's/.*"anomaly": \([0-9.]*\).*/\1/p' predict | tail -n 1); exit !(d * d < 1e-8) }"
is "its score is what predict says" 0 $?
if [ -n "$chip" ]; then
  "$MOTE" test --chip $chip --json >chip; is "test on the chip" 0 $?
  is "the same figures" "$(number test auc) $(number test false_alarms)" "$(number chip auc) $(number chip false_alarms)"
fi
"$MOTE" build -q --target cortex-m0plus --no-compile -o built >/dev/null; is "build" 0 $?

# What it cannot be is said.
"$MOTE" test --folds 3 >out 2>err; is "folds are for classes" 1 $?
says "tells anomalies"
"$MOTE" test --seeds 2 >out 2>err; is "seeds are for classes" 1 $?
"$MOTE" test --robust >out 2>err; is "so is --robust" 1 $?
"$MOTE" test --learn 3 >out 2>err; is "and learning on the device" 1 $?
"$MOTE" test --continuous >out 2>err; is "and detections" 1 $?
"$MOTE" report >out 2>err; is "and the page" 1 $?
"$MOTE" tune --trials 2 >out 2>err; is "and the search" 1 $?
says "autoencoder"
"$MOTE" train --teacher ds-cnn >out 2>err; is "a teacher knows classes" 1 $?
says "teacher"
"$MOTE" train --network 'conv 8 3x3' --teacher autoencoder >out 2>err; is "and is no autoencoder" 1 $?
"$MOTE" train --network 'dense 8; head input; head classes' >out 2>err; is "classes beside it" 1 $?
says "head input"
cp mote.yaml good.yaml
printf 'anomaly: {}\n' >>mote.yaml
"$MOTE" train >out 2>err; is "another score beside it" 1 $?
says "leave the section anomaly"
sed 's/^training: {}.*/training: {balance: true}/' good.yaml >mote.yaml
"$MOTE" train >out 2>err; is "classes to balance" 1 $?
says "training.balance"
sed 's/false_alarms: 0.2/columns: [0]/' good.yaml >mote.yaml
"$MOTE" train >out 2>err; is "columns are for learners" 1 $?
says "learning.columns"
sed 's/false_alarms: 0.2/false_alarms: 2/' good.yaml >mote.yaml
"$MOTE" train >out 2>err; is "a rate above 1" 1 $?
sed 's/false_alarms: 0.2/normal: [quiet]/' good.yaml >mote.yaml
"$MOTE" train >out 2>err; is "nothing of that name is normal" 1 $?
says "labels called normal"
cp good.yaml mote.yaml
for k in 1 2 3; do sed "s/0\.1/0.$((k + 3))/g" ../hum_$k.csv >../other_$k.csv; done
"$MOTE" add -q ../other_*.csv --label other --split train >/dev/null; is "another label" 0 $?
"$MOTE" train >out 2>err; is "two labels to learn from" 1 $?
says "learning.normal"
printf '  normal: [hum]\n' >>mote.yaml
"$MOTE" train -q --epochs 5 --json >train; is "one of them is normal" 0 $?
is "and the model's only one" 1 "$(sed -n '/"classes"/,/\]/p' train | grep -c '"hum"')"
exit $failed
