#!/bin/sh
# mote build, bench and verify as a user calls them: outputs and layers against the reference kernels' golden files,
# on every chip; what build leaves builds without Mote; wrong input ends with code 1 and a message.
. "$(dirname "$0")/tap"
set -u

has_all arm-none-eabi-gcc qemu-system-arm riscv64-unknown-elf-gcc qemu-system-riscv32 avr-gcc &&
  [ -e /usr/include/simavr/sim_avr.h ] && unpacked models/reference golden/reference ||
  skip_all chips "needs shared models, gcc for Arm, RISC-V and AVR, qemu-system-arm and -riscv32, libsimavr-dev"
models=build/shared/models/reference golden=build/shared/golden/reference

for name in mlperf_tiny/kws_ref_model mlperf_tiny/pretrainedResnet_quant mlperf_tiny/vww_96_int8 mlperf_tiny/ad01_int8 \
  mlperf_tiny/str_ww_ref_model tflm/hello_world_int8 tflm/simple_add_model tflm/micro_speech_quantized tflm/person_detect; do
  for target in cortex-m4 cortex-m0plus cortex-m55 rv32imc; do
    base=$(basename $name)
    rm -rf "$T/layers"
    if ! "$MOTE" bench "$models/$name.tflite" --target $target -q -o "$T/out" --layers "$T/layers" >"$T/log" 2>&1; then
      not_ok "$base on $target: $(tail -n 1 "$T/log")"
      continue
    fi
    bad=""
    cmp -s "$T/out" "$golden/$name.out.bin" || bad="output"
    seen=0
    for layer in "$T"/layers/op*.bin; do
      want=$(echo "$golden/layers/$base/$(basename "$layer" .bin)"_t*.bin)
      [ -e "$want" ] || continue
      seen=$((seen + 1))
      cmp -s "$layer" "$want" || bad="$bad $(basename "$layer")"
    done
    if [ -z "$bad" ]; then ok "$base on $target gives the reference's output and $seen layers"
    else not_ok "$base on $target differs: $bad"; fi
  done
done

# What an AVR holds; the smallest on the chip with 2 KiB of memory, too.
for name in tflm/hello_world_int8 tflm/micro_speech_quantized mlperf_tiny/kws_ref_model; do
  "$MOTE" bench "$models/$name.tflite" --target avr -q -o "$T/out" >"$T/log" 2>&1
  cmp -s "$T/out" "$golden/$name.out.bin"; is "${name##*/} on avr gives the reference's output" 0 $?
  case $name in *hello*) is "also on the ATmega328P" 1 "$(grep -c 'the same on atmega328p' "$T/log")" ;; esac
done

kws=$models/mlperf_tiny/kws_ref_model.tflite
"$MOTE" verify "$kws" --json -q >"$T/verify"; is "verify ends with 0" 0 $?
chips=11; if command -v clang >/dev/null && command -v wasm-ld >/dev/null && command -v node >/dev/null; then chips=12; fi
is "$chips witnesses" $chips "$(grep -o '"target"' "$T/verify" | wc -l)"
is "one hash" 1 "$(grep -o '"hash": *"[0-9a-f]*"' "$T/verify" | sort -u | wc -l)"

"$MOTE" bench "$kws" --board wio-terminal --json -q >"$T/bench"; is "bench ends with 0" 0 $?
for key in target flash_code_bytes flash_weight_bytes ram_arena_bytes ram_static_bytes stack_bytes macs instructions \
  cycles_estimated milliseconds energy_uj output_sha256 layers; do
  grep -q "\"$key\"" "$T/bench" || { not_ok "bench --json has $key"; continue; }
  ok "bench --json has $key"
done
for key in branches_taken layer_costs functions; do
  grep -q "\"$key\"" "$T/bench"; is "bench --json has $key" 0 $?
done
"$MOTE" bench "$kws" --board nucleo-l4r5zi -q --functions >"$T/table"; is "bench --functions ends with 0" 0 $?
is "every layer with a step has a bar" 12 "$(grep -c '^  *[0-9][0-9]* .*  ##*$' "$T/table")"
is "the longest bar is 24 long" 24 "$(grep -o '  ##*$' "$T/table" | awk '{ n = length($1) > n ? length($1) : n } END { print n }')"
is "layers and functions have classes" 2 "$(grep -c 'cycles\* *loads *stores *multiplies *taken' "$T/table")"
# The functions' instructions are the network's, but for what rounding and code without a name leave out.
awk '/^instructions/ { gsub(",", "", $2); all = $2 } /^  function/ { f = 1; next } f && NF > 5 { gsub(",", "", $2); sum += $2 }
  END { exit !(sum <= all && sum > 0.999 * all) }' "$T/table"; is "the functions add up to the whole" 0 $?
"$MOTE" bench "$kws" --board esp32-s3 -q | grep -q '^An estimate only: '; is "a stand-in for a core is told" 0 $?
is "output_sha256 is the golden file's" "$(sha256sum <"$golden/mlperf_tiny/kws_ref_model.out.bin" | cut -d' ' -f1)" \
  "$(grep -o '"output_sha256": *"[0-9a-f]*"' "$T/bench" | grep -o '[0-9a-f]\{64\}')"
"$MOTE" bench "$kws" --board wio-terminal --json -q >"$T/bench2"
cmp -s "$T/bench" "$T/bench2"; is "the same figures twice" 0 $?
"$MOTE" bench "$kws" --target cortex-m4 --json -q >"$T/bench3"
is "no board, no milliseconds" null "$(grep -o '"milliseconds": *[a-z0-9.]*' "$T/bench3" | head -n 1 | sed 's/.* *: *//')"

"$MOTE" bench $models/mlperf_tiny/str_ww_ref_model.tflite --target cortex-m4 --stream 1 --json -q >"$T/streamed"
is "bench of a streamed model ends with 0" 0 $?
awk '/"instructions":/ && !n { n = $2 + 0 } /"whole_instructions":/ { w = $2 + 0 } END { exit !(n > 0 && w > 5 * n) }' "$T/streamed"
is "and takes a fifth of the instructions at most" 0 $?

"$MOTE" build "$kws" --target cortex-m4 -o "$T/project" -q >/dev/null; is "build ends with 0" 0 $?
make -s -C "$T/project" clean >/dev/null && make -s -C "$T/project" >/dev/null 2>&1; is "the project builds by itself" 0 $?
"$MOTE" run "$T/project/model.mote" -i "$golden/mlperf_tiny/kws_ref_model.in.bin" -o "$T/out" -q
cmp -s "$T/out" "$golden/mlperf_tiny/kws_ref_model.out.bin"; is "its model.mote gives the reference's output" 0 $?
PATH=/nowhere "$MOTE" build "$kws" --target cortex-m4 -o "$T/emitted" -q --json >"$T/report"
is "build without a compiler ends with 0" 0 $?
is "and does not know the code" null "$(grep -o '"flash_code_bytes": *[a-z0-9]*' "$T/report" | sed 's/.* *: *//')"

# A project with features in front: bench itself refuses outputs that differ from this machine's.
if unpacked data/spoken-digits; then
  digits=$PWD/build/shared/data/spoken-digits/recordings home=$PWD
  mkdir "$T/words"
  for word in 0 1 2; do for who in george jackson; do for take in 0 1 5 6 7 8; do
    cp "$digits/${word}_${who}_$take.wav" "$T/words/"
  done; done; done
  "$MOTE" new "$T/speech" --template keyword --board wio-terminal -q >/dev/null
  ( cd "$T/speech" && "$MOTE" add "$T/words" --label-from 'name:^([0-9])_' --test 'name:_[01]\.wav$' -q &&
    "$MOTE" train --epochs 2 -q ) >"$T/log" 2>&1; is "a small project trains" 0 $?
  for board in wio-terminal xiao; do
    ( cd "$T/speech" && "$MOTE" bench --board $board -i "$T/words/1_george_0.wav" -q --json ) >"$T/bench" 2>"$T/err"
    is "features and network on $board equal this machine's" 0 $?
    is "features on $board are counted apart" "{" "$(grep -o '"features": *.' "$T/bench" | head -n 1 | tail -c 2)"
  done
  for target in cortex-m4 cortex-m0plus cortex-m55 rv32imc; do
    rm -rf "$T/keyword"
    ( cd "$T/speech" && "$MOTE" build --target $target -o "$T/keyword" -q && cp "$home"/firmware/examples/decide/* "$T/keyword/" &&
      make -s -C "$T/keyword" -f decide.mk run ) >"$T/log" 2>&1
    is "the example decides on $target" 1 "$(grep -c '^class [0-2] with a probability of [0-9]* %$' "$T/log")"
  done
else
  echo "ok - features in front # SKIP no recordings"
fi

wrong() { # what, expected code, words, then the command
  what=$1 code=$2 words=$3; shift 3
  "$@" >"$T/out" 2>"$T/err"; got=$?
  if [ $got -ne "$code" ]; then not_ok "$what: code $got, not $code"
  elif ! grep -q -- "$words" "$T/err"; then not_ok "$what: $(head -c 200 "$T/err")"
  else ok "$what"; fi
}
head -c 100 "$kws" >"$T/short.bin"
wrong "an input of the wrong size" 1 "the model wants 490" "$MOTE" bench "$kws" --target cortex-m4 -q -i "$T/short.bin"
wrong "an unknown target" 1 "cortex-m4" "$MOTE" bench "$kws" --target z80 -q
wrong "an unknown board" 1 "wio-terminal" "$MOTE" bench "$kws" --board abacus -q
wrong "a board of another chip" 1 "cortex-m0plus" "$MOTE" bench "$kws" --board xiao --target cortex-m4 -q
wrong "a board whose core has no compiler" 1 "stand-in\|in its place" "$MOTE" build "$kws" --board esp32-s3 -o "$T/s3" -q
wrong "a model that is too large for an AVR" 1 "at most 32767" "$MOTE" build $models/mlperf_tiny/vww_96_int8.tflite --target avr -o "$T/no" -q
wrong "no target at all" 2 "target" "$MOTE" bench "$kws" -q
wrong "a plan that cannot fit" 1 "least" "$MOTE" build "$kws" --target cortex-m4 --ram 500 -o "$T/no" -q
wrong "no folder" 2 "-o" "$MOTE" build "$kws" --target cortex-m4 -q
wrong "an unknown option" 2 "usage" "$MOTE" verify "$kws" --nonsense
wrong "a model that is none" 1 "short.bin" "$MOTE" verify "$T/short.bin" -q
exit $failed
