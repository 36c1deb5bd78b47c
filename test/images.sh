#!/bin/sh
# docs/howto/image.md, shortened: pictures made here (bars that lie or stand) go from a folder to a program. Prints TAP lines.
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE_HOME=${MOTE_HOME:-$PWD}
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; head -c 300 err | sed 's/^/# /'; fi; }
for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
  for label in lies stands; do
    mkdir -p "pictures/$label"
    awk -v k="$k" -v label="$label" 'BEGIN { print "P2 12 12 255"; for (y = 0; y < 12; y++) for (x = 0; x < 12; x++)
      print (label == "lies" ? y : x) == 2 + k % 8 ? 200 + k : 20 + (x * y + k) % 9 }' >"pictures/$label/$k.pgm"
  done
done
"$MOTE" new bars --template image --width 12 --board "" -q 2>err; ok $? "new"
cd bars || exit 1
"$MOTE" add ../pictures --test 'name:[48][.]pgm$' --validation 'name:3[.]pgm$' -q >out 2>err && grep -q "32 added" out; ok $? "add"
printf 'x\n1\n3\n5\n' >../numbers.csv
"$MOTE" add ../numbers.csv --label lies -q >out 2>err; [ $? = 1 ] && grep -q "is no picture" err; ok $? "what is no picture is refused"
"$MOTE" train --network 'conv 8 3x3;conv 8 3x3 s2;mean' --epochs 60 -q >out 2>err; ok $? "train"
"$MOTE" test --robust --json >out 2>err && grep -q '"accuracy_int8": 1,' out; ok $? "test: every picture right"
"$MOTE" predict ../pictures/lies/8.pgm >out 2>err && grep -q "lies" out; ok $? "predict"
# Larger than any camera's frame, and as thin as a picture can be.
for shape in 1500x1200 3000x1 1x3000; do
  awk -v w="${shape%x*}" -v h="${shape#*x}" 'BEGIN { print "P2 " w, h " 255"; for (i = 0; i < w * h; i++) print int(i / w * 12 / h) == 4 ? 204 : 20 }' >"../$shape.pgm"
done
"$MOTE" predict ../1500x1200.pgm >out 2>err && grep -q "lies" out; ok $? "predict a picture of a telephone"
"$MOTE" predict ../3000x1.pgm ../1x3000.pgm >out 2>err; ok $? "predict lines"
"$MOTE" build --target host --input rows --no-compile -o firmware --json >out 2>err && grep -q features_line firmware/*_features.h; ok $? "build: rows"
"$MOTE" verify --target host -q >out 2>err; ok $? "verify"
echo "1..$n"
