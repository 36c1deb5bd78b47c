#!/bin/sh
# mote run and verify on models of other types, with several inputs and outputs, and with variables: the golden vectors'
# own outputs, and one hash on every witness. Prints TAP lines.
. "$(dirname "$0")/tap"
set -u

# ---- inferences in a row: the golden files of operators that remember -------------------
for case in SVDF/int8:6 UNIDIRECTIONAL_SEQUENCE_LSTM/int8:3 MoteGru/int8:3 SignalDelay/int16:5; do
  name=${case%:*} n=${case#*:} model=test/golden/${case%:*}
  "$MOTE" run $model.tflite -i $model.in -o "$T/out" --inferences "$n" -q 2>"$T/err" && cmp -s "$T/out" $model.out
  is "run $name, $n inferences" 0 $?
done
"$MOTE" run test/golden/SVDF/int8.tflite -i test/golden/SVDF/int8.in --inferences 2 -q 2>"$T/err"
is "a file for another number of inferences" 1 $?
grep -q "2 inferences want 20: 10 each" "$T/err"; is "and says how many bytes are right" 0 $?

# ---- a model that is given only new rows: verify compares its outputs with those of every window ----
for model in CONV_2D/int16_stride_valid CONV_2D/float32_stride_valid DEPTHWISE_CONV_2D/int8_tall; do
  "$MOTE" verify test/golden/$model.tflite --stream least --target host --json -q >"$T/verify"
  is "verify $model, streamed" 0 $?
  grep -q '"equal_to_whole_window": true' "$T/verify"; is "and its windows" 0 $?
done

# ---- files for each tensor, or one with all ----------------------------------------------------
two=test/golden/ADD/int8
set -- $("$MOTE" info $two.tflite --json | awk '/"bytes"/ { print $2 + 0 }')
head -c "$1" $two.in >"$T/a"; tail -c +$(($1 + 1)) $two.in >"$T/b"
"$MOTE" run $two.tflite -i "$T/a" -i "$T/b" -o "$T/out" -q && cmp -s "$T/out" $two.out
is "two inputs from two files" 0 $?
"$MOTE" run $two.tflite -i "$T/a" -i "$T/b" -i "$T/b" -q 2>"$T/err"; is "three files for two inputs" 1 $?
"$MOTE" run $two.tflite -i $two.in -o "$T/out" -q --layers "$T/layers"
cmp -s "$T/out" "$T/layers/op00.bin"; is "the only layer is the output" 0 $?

# ---- witnesses -----------------------------------------------------------------------------------
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null &&
  command -v riscv64-unknown-elf-gcc >/dev/null && command -v qemu-system-riscv32 >/dev/null; then
  for name in RESHAPE/bool SVDF/int8 UNIDIRECTIONAL_SEQUENCE_LSTM/int8 MoteGru/int8 TFLite_Detection_PostProcess/float32_fast \
    SignalFftAutoScale/int16 ADD/int8; do
    model=test/golden/$name.tflite
    "$MOTE" verify $model --json -q >"$T/verify" 2>"$T/err"
    is "verify $name" 0 $?
    # Two of the host's, eight chips; a browser's compiler and an AVR's memory may make it more.
    [ "$(grep -c '"target"' "$T/verify")" -ge 10 ]; is "$name has ten witnesses and more" 0 $?
    is "$name has one hash" 1 "$(grep -o '"hash": *"[0-9a-f]*"' "$T/verify" | sort -u | wc -l)"
  done
  for plan in --fast --small "--ram 4000"; do
    "$MOTE" verify test/golden/CONV_2D/int8.tflite $plan --json -q --target cortex-m4 --target cortex-m0plus --target cortex-m55 --target rv32imc >"$T/verify" 2>"$T/err"
    is "verify with $plan" 0 $?
    is "one hash with $plan" 1 "$(grep -o '"hash": *"[0-9a-f]*"' "$T/verify" | sort -u | wc -l)"
  done
  "$MOTE" verify test/golden/CONV_2D/int8.tflite --fast --small -q 2>/dev/null; is "the fastest of the least flash is none" 2 $?
  "$MOTE" verify test/golden/CONV_2D/int8.tflite --ram 10 -q --target cortex-m4 2>"$T/err"; is "no plan is so small" 1 $?
  grep -q '"inferences": 1' "$T/verify"; is "one inference of a model without variables" 0 $?
  "$MOTE" verify test/golden/SVDF/int8.tflite --json -q --target host | grep -q '"inferences": 3'
  is "three of a model with variables" 0 $?
  "$MOTE" bench test/golden/SVDF/int8.tflite --target cortex-m55 -q -i test/golden/SVDF/int8.in --inferences 6 -o "$T/out" >"$T/log"
  cmp -s "$T/out" test/golden/SVDF/int8.out; is "six inferences on a chip" 0 $?
else
  echo "ok - witnesses # SKIP no arm-none-eabi-gcc or qemu-system-arm"
fi
exit $failed
