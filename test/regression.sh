#!/bin/sh
# Projects that estimate numbers, from samples to a chip: a made sensor whose swing and mean are what labels and metadata say.
# Prints TAP lines.
. "$(dirname "$0")/steps"
# above KEY LEAST: the first value of an object KEY in out
above() { awk -v key="\"$1\":" -v least="$2" '$1 == key { inside = 1 } inside && $1 == "\"value\":" { found = 1; exit !($2 + 0 > least) } END { if (!found) exit 1 }' out; }

# 240 recordings of 50 frames: channel 1 swings by the label, channel 2 stands at another number, some of both in three groups.
cd "$T" || exit 1
awk 'BEGIN {
  srand(3)
  for (i = 0; i < 240; i++) {
    swing = 1 + 99 * rand(); level = 300 + 20 * rand(); phase = 6.28 * rand()
    file = sprintf("r%03d.csv", i); print "t,a,b" >file
    for (k = 0; k < 50; k++) printf "%.2f,%.4f,%.4f\n", k / 50, swing * sin(phase + k * 0.7) + rand() - 0.5, level + rand() - 0.5 >file
    close(file)
    printf "%s,%.3f,%s\n", file, swing, "g" (i % 3) >"all.csv"
    printf "%d %.3f\n", i + 1, level >"levels"
  }
}' && sed -i '1i path,label,group' all.csv
"$MOTE" new flow --template sensor --rate-hz 50 --channels 2 --length-ms 1000 -q >out 2>err && cd flow; ok $? "new"
sed -i 's/^  kind: auto .*/  kind: statistics/' mote.yaml
printf 'regression:\n  unit: l\n' >>mote.yaml
"$MOTE" add --index ../all.csv -q >out 2>err && grep -q "240 added" out; ok $? "add"
"$MOTE" data split --by sample --json >out 2>err && grep -A4 '"label": "label"' out | grep -q '"test": 4[0-9]'; ok $? "split, numbers of one kind"
"$MOTE" data check >out 2>err; ! grep -q "too small\|label noise\|classes" out; ok $? "the check of the data speaks of no classes"
"$MOTE" train --json >out 2>err && grep -q '"validation_r2_int8": 0.9' out && grep -q '"validation_accuracy_int8": null' out; ok $? "train"
"$MOTE" train >out 2>err && grep -q "R2 0.9" out; ok $? "train again, which is known"
"$MOTE" test --json --html page.html >out 2>err && above r2 0.95 && above mean_error 0 && grep -q "off by, in the mean" page.html; ok $? "test"
grep -q '"name": "label"' out && grep -q '"unit": "l"' out; ok $? "the number has name and unit"
"$MOTE" test >out 2>err && grep -q "estimates" out && grep -q "farthest off" out && grep -q "^g1 " out; ok $? "as text, with groups"
"$MOTE" test --folds 3 --seeds 2 >out 2>err && grep -q "240 estimates" out && grep -q "2 seeds off by" out; ok $? "folds and seeds"
"$MOTE" test --leave-one-group-out --json >out 2>err && above r2 0.95; ok $? "groups left out"
said=$("$MOTE" predict ../r007.csv --json 2>err | sed -n 's/.*"label": \([-0-9.]*\).*/\1/p')
truth=$(sed -n 's/^r007.csv,\([0-9.]*\),.*/\1/p' ../all.csv)
awk -v a="$said" -v b="$truth" 'BEGIN { exit !(a != "" && (a - b) ^ 2 < 100) }'; ok $? "predict: $said for $truth"
"$MOTE" predict ../r007.csv -w >out 2>err && grep -q "r007.csv  label [-0-9.]* l" out; ok $? "predict as text"

# The device: numbers.h maps the very output to the value that predict says.
"$MOTE" build --target host --no-compile -o fw >out 2>err && printf '#include "numbers.h"\n#include <stdio.h>\n#include <stdlib.h>\nint main(int n, char **x) { (void)n; printf("%%.3f %%s\\n", (double)numbers_value(0, (int8_t)atoi(x[1])), numbers_names[0]); }\n' >map.c &&
  cc -std=c99 -Wall -Werror -Ifw map.c -o map 2>err && "$MOTE" predict ../r007.csv -o scores >out 2>err &&
  ./map "$(od -An -td1 scores)" >out && awk -v a="$said" '{ exit !(($1 - a) ^ 2 < 1e-4 && $2 == "label") }' out; ok $? "numbers.h"
if command -v qemu-system-arm >/dev/null && command -v arm-none-eabi-gcc >/dev/null; then
  "$MOTE" test --chip cortex-m4 >out 2>err && grep -q "answers, to the bit" out; ok $? "the chip's answers"
  "$MOTE" bench --target cortex-m0plus >out 2>err; ok $? "bench"
else
  skip "the chip's answers" "no emulated chip"
fi

# Two numbers, one of them metadata.
"$MOTE" new ../two --template sensor --rate-hz 50 --channels 2 --length-ms 1000 -q >out 2>err && cd ../two || exit 1
sed -i 's/^  kind: auto .*/  kind: statistics/' mote.yaml
printf 'regression: {of: [label, level], huber: 1.5}\n' >>mote.yaml
"$MOTE" add --index ../all.csv -q >out 2>err
refused 'sample 1: it has no metadata "level"' train
while read -r id level; do "$MOTE" data set "$id" --meta "level=$level" -q >out 2>err || break; done <../levels
"$MOTE" data split --by sample -q >out 2>err
"$MOTE" train >out 2>err && "$MOTE" test --json >out 2>err && above r2 0.95 && grep -c '"int8": {' out | grep -q '^2$'; ok $? "two numbers"
"$MOTE" predict ../r001.csv >out 2>err && grep -q "label .* level 3[0-2]" out; ok $? "both are told"
"$MOTE" test --split validation --group nobody >out 2>err; grep -q "no validation samples of nobody" err; ok $? "which samples are not there"
"$MOTE" test --seeds 2 --json >out 2>err && grep -q '"seed": 2' out; ok $? "each seed's figures"
"$MOTE" data set 1 --set-label 1000000 -q >out 2>err && "$MOTE" train >out 2>err && grep -q "label: steps of .*coarse" out && grep -q "^level: steps of [^:]*$" out; ok $? "a label far out is told"
"$MOTE" data undo -q >out 2>err
refused 'is no number, and `regression` estimates it' train --project "$(
  "$MOTE" new ../words --template sensor --rate-hz 50 --channels 2 --length-ms 1000 -q >out 2>err
  printf 'regression: {}\n' >>../words/mote.yaml
  "$MOTE" add ../r001.csv ../r002.csv --label full --split train -q --project ../words >out 2>err
  echo ../words)"
refused 'all training samples have the label 5' train --project "$(
  "$MOTE" data set 1-2 --set-label 5 -q --project ../words >out 2>err
  echo ../words)"

# Rows of a wider table, one recording each.
"$MOTE" new ../rows --template sensor --rate-hz 50 --channels 2 --length-ms 20 -q >out 2>err && cd ../rows || exit 1
sed -i 's/^  kind: auto .*/  kind: raw/' mote.yaml && echo 'regression: {}' >>mote.yaml
awk 'BEGIN { for (i = 0; i < 200; i++) printf "%d,x,%d,%d\n", i, i, 7 * i % 11 }' >rows.csv
"$MOTE" add rows.csv --each-row --label-column 1 --columns 3,4 --split train -q >out 2>err && "$MOTE" train -q >out 2>err; ok $? "rows as recordings"
refused "name those that count with --columns\|--each-row" predict rows.csv
"$MOTE" predict rows.csv --each-row --columns 3,4 --windows >out 2>err && [ "$(grep -c "label" out)" = 201 ]; ok $? "predict of rows"
cd ../two || exit 1

# What belongs to classes is refused, by name.
refused "tell classes" tune --trials 1
refused "estimates numbers" report
refused "no classes to learn" build --target host --learn softmax -o fw2
refused "models that tell classes" test --robust
refused "tells classes or anomalies" train --learner forest
refused 'ends in "head numbers 2"' train --network 'dense 8; head numbers 3'
refused "by their classes" features --rank
cp mote.yaml kept.yaml
for of in 'label' 'level, label'; do
  sed "s/of: .label, level./of: [$of]/" kept.yaml >mote.yaml && refused "estimates other numbers" test
done
sed 's/of: .label, level./of: ["a\\nb"]/' kept.yaml >mote.yaml && refused "holds a control character" train
cp kept.yaml mote.yaml
sed -i 's/^regression.*//' mote.yaml && refused "estimates numbers and mote.yaml says otherwise" predict ../r001.csv
for line in 'learner: forest' 'anomaly: {}' 'detect: [{class: a}]'; do
  { cat kept.yaml; echo "$line"; } >mote.yaml && refused "has no classes" train
done
for key in mixup balance hard; do
  sed "s/^training: .*/training: {$key: $([ $key = balance ] && echo true || echo 0.2)}/" kept.yaml >mote.yaml
  refused "training.$key: this is about classes" train
done
sed 's/huber: 1.5/huber: -1/' kept.yaml >mote.yaml && refused "regression.huber: -1" train
sed 's/of: .label, level./of: [level, level]/' kept.yaml >mote.yaml && refused "is there twice" train
exit $failed
