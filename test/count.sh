#!/bin/sh
# docs/howto/count.md, shortened: drawn pictures with boxes (tools/parts.c) go from a table to a program that counts, and the program's
# list of objects is this machine's on every chip. Prints TAP lines.
. "$(dirname "$0")/steps"

cc -O2 tools/parts.c -lm -o "$T/parts" 2>"$T/err" || exit 1
cd "$T" || exit 1
mkdir parts.d && ./parts parts.d 160 64 3 >out 2>err; ok $? "drawing"
"$MOTE" new bench --template count --width 64 --board wio-terminal -q >out 2>err; ok $? "new"
cd bench || exit 1
"$MOTE" add --index ../parts.d/boxes.csv --test 'name:[05][.]pgm$' --validation 'name:[3][.]pgm$' -q >out 2>err && grep -q "160 added" out; ok $? "add"
"$MOTE" data show 2 --json >out 2>err && grep -q '"width": ' out; ok $? "show"
"$MOTE" data show 2 --plot -o picture.svg >out 2>err && grep -q '<rect fill="none"' picture.svg; ok $? "the picture with its boxes"
cp project.db before.db

# Pictures that are there already take the boxes of an index, once; and undo takes them back.
# boxes_of ID: how many boxes it has
boxes_of() { "$MOTE" data show "$1" --json 2>err | tr -d ' \n' | sed 's/.*"boxes":\[//' | grep -o '"label"' | wc -l; }
"$MOTE" new ../again --template count --width 64 --board "" -q >out 2>err && cd ../again || exit 1
refused "counts objects: mote tune" tune --trials 1
"$MOTE" add ../parts.d/*.pgm --validation "name:3" -q >out 2>err && [ "$(boxes_of 2)" = 0 ]; ok $? "add without boxes"
"$MOTE" add --index ../parts.d/boxes.csv --json >out 2>err && [ "$(value duplicates)" = 160 ] && [ "$(value reboxed)" -gt 100 ]; ok $? "boxes reach pictures that are there"
"$MOTE" data list --json >out 2>err && grep -q '"label": "[a-z]*+[a-z]*"' out && [ "$(boxes_of 2)" -gt 0 ]; ok $? "and so do labels"
"$MOTE" add --index ../parts.d/boxes.csv --json >out 2>err && [ "$(value reboxed)" = 0 ]; ok $? "the same again changes nothing"
"$MOTE" train --epochs 1 >out 2>err; cat err >>out; grep -q "the preset fomo 1: .* multiply-accumulates.$" out; ok $? "without a board no word of its room"
"$MOTE" data undo -q >out 2>err && [ "$(boxes_of 2)" = 0 ]; ok $? "undo takes the boxes back"

# One file that is read twice, by name and with its folder, gives its boxes once.
mkdir ../once && cp ../parts.d/000[1-4].pgm ../once && "$MOTE" new ../single --template count --width 64 -q >out 2>err && cd ../single || exit 1
echo '{"type":"bounding-box-labels","boundingBoxes":{"0001.pgm":[{"label":"nut","x":4,"y":5,"width":6,"height":7},{"label":"nut","x":30,"y":5,"width":6,"height":7}]}}' >../once/all.labels
"$MOTE" add ../once --index ../once/all.labels -q >out 2>err && [ "$(boxes_of 1)" = 2 ]; ok $? "boxes of a file that is read twice are there once"

# A whole picture has the label of its boxes where the project does not count.
"$MOTE" new ../whole --template image -q >out 2>err && cd ../whole || exit 1
printf 'file,label,x,y,w,h\n%s,cat,1,2,3,4\n%s,dog,1,2,3,4\n%s,none,,,,\n' ../once/0001.pgm ../once/0002.pgm ../once/0003.pgm >rows.csv
"$MOTE" add --whole --index rows.csv --json >out 2>err; for label in cat dog none; do grep -q "\"label\": \"$label\"" out || false; ok $? "--whole: the label $label"; done
cd ../bench || exit 1

# What is wrong is said, and where.
printf 'file,label,x,y,width,height\n%s\n' "../parts.d/0001.pgm,nut,100,5,9,9" >bad.csv
refused "outside of the picture" add --index bad.csv
printf 'file,label,x,y,width,height\n%s\n' "../parts.d/0001.pgm,nut,10,5,9,0" >bad.csv
refused "line 2: .*no area" add --index bad.csv
printf 'file,label,x,y,width,height\n%s\n' "../parts.d/nowhere.pgm,nut,10,5,9,9" >bad.csv
refused "nowhere.pgm" add --index bad.csv
printf 'P2 4 4 255\n0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1\n' >plain.pgm
"$MOTE" add plain.pgm --dry-run >out 2>err && grep -q "pictures of nothing" out; ok $? "pictures without boxes are told"
refused "nothing is trained" test
refused "tells whole pictures apart" train --learner forest
refused "needs a map" train --network "conv 8 3x3 s2;mean"
refused "head cells 4" train --network "conv 8 3x3 s2;head cells 3"
refused "are for models that tell classes" test --folds 3
sed 's/^objects:/anomaly: {learner: kmeans}\nobjects:/' mote.yaml >other.yaml && mkdir other && cp project.db other && mv other.yaml other/mote.yaml
refused "objects are found by a network alone" train --project other
refused "have none" features --rank
sed 's/weight: 20/weight: 0/' mote.yaml >other/mote.yaml
refused "1 to 10,000" train --project other

"$MOTE" train --epochs 40 -q --json >out 2>err && [ "$(value validation_f1_int8)" != "" ]; ok $? "train"
awk -v a="$(value validation_f1_float)" -v b="$(value validation_f1_int8)" 'BEGIN { exit !(a - b < 0.05) }'; ok $? "int8 finds what float finds"
"$MOTE" test --json --html page.html >out 2>err
awk -v f="$(value f1_int8)" 'BEGIN { exit !(f > 0.4) }'; ok $? "test: F1 $(value f1_int8)"
grep -q '<circle' page.html && grep -q 'data:image/png' page.html; ok $? "the page has pictures with finds"
"$MOTE" predict ../parts.d/0005.pgm ../parts.d/0010.pgm --windows >out 2>err; ok $? "predict"
"$MOTE" predict ../parts.d/0005.pgm --json >out 2>err && grep -q '"counts"' out; ok $? "predict --json"
refused "mote test --html" report
"$MOTE" run -i ../parts.d/0005.pgm --json >out 2>err && tr -d ' \n' <out | grep -q '^{"classes":\[\],"windows":\[\[[0-9]*\]\]}$'; ok $? "run --json: how many, and no classes"
refused "counts objects: --learn" build --learn softmax --board wio-terminal -o learns
"$MOTE" run -i ../parts.d/0005.pgm -o map.bin >out 2>err && [ "$(wc -c <map.bin)" = 256 ]; ok $? "run: the map, 8 x 8 cells of 4 scores"
"$MOTE" verify --target host --inferences 4 -q >out 2>err; ok $? "verify: the emitted C makes the same list"

# The program of the how-to, built for this machine, counts what predict counts.
"$MOTE" build --target host --no-compile -o host -q >out 2>err && sed -n '/^#include <stdio.h>/,/^```/p' "$MOTE_HOME/docs/howto/count.md" | grep -v '^```' >host/count.c
cc -std=c99 -O1 -ffunction-sections -Wl,--gc-sections -Ihost host/count.c host/model.c $(find host/mote -name '*.c') -o counts 2>err && tail -c 4096 ../parts.d/0005.pgm | ./counts >out 2>>err; ok $? "the example runs"
"$MOTE" predict ../parts.d/0005.pgm --windows | sed -n 's/^ *\([0-9]*\),\([0-9]*\) *\([a-z]*\) .*/\3 \1 \2/p' >wanted
cut -d' ' -f1-3 out | sed '$d' | cmp -s - wanted; ok $? "and finds the same things in the same places"

if command -v qemu-system-arm >/dev/null && command -v arm-none-eabi-gcc >/dev/null; then
  for target in cortex-m0plus cortex-m4; do
    "$MOTE" test --chip $target --json >out 2>err && grep -q "\"chip\": \"$target\"" out; ok $? "test --chip $target: every list of objects is the same"
  done
else
  skip "test --chip" "no emulated chip"
fi
exit $failed
