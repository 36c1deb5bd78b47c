#!/bin/sh
# mote build --target wasm32: the module gives in Node what the runner gives, inference after inference; WebAssembly is a
# witness of int8 and float32 networks; instructions are not counted, and the reason is told.
set -u
cd "$(dirname "$0")/.." || exit 3
MOTE=${MOTE:-$PWD/build/mote}
MOTE_SHARED=${MOTE_SHARED:-../shared}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: got '$2', not '$3'"; fi; }

if [ -x "$MOTE_SHARED/unpack" ] && command -v clang >/dev/null && command -v wasm-ld >/dev/null && command -v node >/dev/null &&
  "$MOTE_SHARED/unpack" build/shared models/reference golden/reference >/dev/null 2>&1; then :; else
  echo "1..1"
  echo "ok - wasm # SKIP needs shared models, clang, wasm-ld and node"
  exit 0
fi
models=build/shared/models/reference/mlperf_tiny
kws=$models/kws_ref_model.tflite

"$MOTE" build "$kws" --target wasm32 -o "$dir/kws" -q >"$dir/log" 2>&1; is "the project builds" $? 0
is "what build leaves builds without Mote" "$(cd "$dir/kws" && rm -rf build && make -s build/model.wasm >/dev/null 2>&1; echo $?)" 0

cat >"$dir/run.mjs" <<'JS'
import { readFileSync, writeFileSync } from 'node:fs'
const [, , folder, input, output] = process.argv
const { open } = await import(`${folder}/model.mjs`)
const model = await open(readFileSync(`${folder}/model.wasm`))
const bytes = readFileSync(input), n = model.input(0).length
const made = []
for (let at = 0; at < bytes.length; at += n) {
  model.input(0).set(bytes.subarray(at, at + n))
  model.run()
  made.push(...model.output(0))
}
writeFileSync(output, Uint8Array.from(made))
try { model.input(1) } catch (e) { console.log(e.message) }
JS
head -c 9800 "$kws" >"$dir/in.bin" # any bytes are an input: 20 of 490
"$MOTE" run "$kws" -i "$dir/in.bin" --inferences 20 -o "$dir/here" -q >/dev/null 2>&1
words=$(node "$dir/run.mjs" "$dir/kws/build" "$dir/in.bin" "$dir/there" 2>&1)
is "an input that is not there is told" "$words" "there is no input 1"
if cmp -s "$dir/here" "$dir/there"; then ok "20 inferences in Node are those of mote run"; else not_ok "outputs in Node differ"; fi

for name in kws_ref_model pretrainedResnet_quant str_ww_ref_model ad01_int8 ad01_fp32; do
  "$MOTE" verify "$models/$name.tflite" --target wasm32 -q >"$dir/log" 2>&1
  is "$name: one hash" $? 0
done
"$MOTE" bench "$kws" --target wasm32 --json -q >"$dir/bench" 2>"$dir/log"; is "bench ends with 0" $? 0
is "instructions are not counted" "$(grep -c '"instructions": null' "$dir/bench" | head -n 1 | grep -c '^[1-9]')" 1
is "the reason is told" "$(grep -c 'an engine compiles WebAssembly once more' "$dir/bench")" 1
exit $failed
