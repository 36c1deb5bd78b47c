#!/bin/sh
# mote run and verify on models of other types, with several inputs and outputs, and with variables: the golden vectors'
# own outputs, and one hash on every witness. Prints TAP lines.
set -u
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE_HOME=${MOTE_HOME:-$PWD}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: got '$2', not '$3'"; fi; }

# ---- inferences in a row: the golden files of operators that remember -------------------
for case in SVDF/int8:6 UNIDIRECTIONAL_SEQUENCE_LSTM/int8:3 SignalDelay/int16:5; do
  name=${case%:*} n=${case#*:} model=test/golden/${case%:*}
  "$MOTE" run $model.tflite -i $model.in -o "$dir/out" --inferences "$n" -q 2>"$dir/err" && cmp -s "$dir/out" $model.out
  is "run $name, $n inferences" $? 0
done
"$MOTE" run test/golden/SVDF/int8.tflite -i test/golden/SVDF/int8.in --inferences 2 -q 2>"$dir/err"
is "a file for another number of inferences" $? 1
grep -q "2 inferences want 20: 10 each" "$dir/err"; is "and says how many bytes are right" $? 0

# ---- a model that is given only new rows: verify compares its outputs with those of every window ----
for model in CONV_2D/int16_stride_valid CONV_2D/float32_stride_valid DEPTHWISE_CONV_2D/int8_tall; do
  "$MOTE" verify test/golden/$model.tflite --stream least --target host --json -q >"$dir/verify"
  is "verify $model, streamed" $? 0
  grep -q '"equal_to_whole_window": true' "$dir/verify"; is "and its windows" $? 0
done

# ---- files for each tensor, or one with all ----------------------------------------------------
two=test/golden/ADD/int8
set -- $("$MOTE" info $two.tflite --json | awk '/"bytes"/ { print $2 + 0 }')
head -c "$1" $two.in >"$dir/a"; tail -c +$(($1 + 1)) $two.in >"$dir/b"
"$MOTE" run $two.tflite -i "$dir/a" -i "$dir/b" -o "$dir/out" -q && cmp -s "$dir/out" $two.out
is "two inputs from two files" $? 0
"$MOTE" run $two.tflite -i "$dir/a" -i "$dir/b" -i "$dir/b" -q 2>"$dir/err"; is "three files for two inputs" $? 1
"$MOTE" run $two.tflite -i $two.in -o "$dir/out" -q --layers "$dir/layers"
cmp -s "$dir/out" "$dir/layers/op00.bin"; is "the only layer is the output" $? 0

# ---- witnesses -----------------------------------------------------------------------------------
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null &&
  command -v riscv64-unknown-elf-gcc >/dev/null && command -v qemu-system-riscv32 >/dev/null; then
  for name in RESHAPE/bool SVDF/int8 UNIDIRECTIONAL_SEQUENCE_LSTM/int8 TFLite_Detection_PostProcess/float32_fast \
    SignalFftAutoScale/int16 ADD/int8; do
    model=test/golden/$name.tflite
    "$MOTE" verify $model --json -q >"$dir/verify" 2>"$dir/err"
    is "verify $name" $? 0
    # Two of the host's, eight chips; a browser's compiler and an AVR's memory may make it more.
    [ "$(grep -c '"target"' "$dir/verify")" -ge 10 ]; is "$name has ten witnesses and more" $? 0
    is "$name has one hash" "$(grep -o '"hash": *"[0-9a-f]*"' "$dir/verify" | sort -u | wc -l)" 1
  done
  grep -q '"inferences": 1' "$dir/verify"; is "one inference of a model without variables" $? 0
  "$MOTE" verify test/golden/SVDF/int8.tflite --json -q --target host | grep -q '"inferences": 3'
  is "three of a model with variables" $? 0
  "$MOTE" bench test/golden/SVDF/int8.tflite --target cortex-m55 -q -i test/golden/SVDF/int8.in --inferences 6 -o "$dir/out" >"$dir/log"
  cmp -s "$dir/out" test/golden/SVDF/int8.out; is "six inferences on a chip" $? 0
else
  echo "ok - witnesses # SKIP no arm-none-eabi-gcc or qemu-system-arm"
fi
exit $failed
