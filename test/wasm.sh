#!/bin/sh
# mote build --target wasm32: the module gives in Node what the runner gives, inference after inference; WebAssembly is a
# witness of int8 and float32 networks; instructions are not counted, and the reason is told.
. "$(dirname "$0")/tap"
set -u

has_all clang wasm-ld node && unpacked models/reference golden/reference ||
  skip_all wasm "needs shared models, clang, wasm-ld and node"
models=build/shared/models/reference/mlperf_tiny
kws=$models/kws_ref_model.tflite

"$MOTE" build "$kws" --target wasm32 -o "$T/kws" -q >"$T/log" 2>&1; is "the project builds" 0 $?
is "what build leaves builds without Mote" 0 "$(cd "$T/kws" && rm -rf build && make -s build/model.wasm >/dev/null 2>&1; echo $?)"

cat >"$T/run.mjs" <<'JS'
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
head -c 9800 "$kws" >"$T/in.bin" # any bytes are an input: 20 of 490
"$MOTE" run "$kws" -i "$T/in.bin" --inferences 20 -o "$T/here" -q >/dev/null 2>&1
words=$(node "$T/run.mjs" "$T/kws/build" "$T/in.bin" "$T/there" 2>&1)
is "an input that is not there is told" "there is no input 1" "$words"
if cmp -s "$T/here" "$T/there"; then ok "20 inferences in Node are those of mote run"; else not_ok "outputs in Node differ"; fi

for name in kws_ref_model pretrainedResnet_quant str_ww_ref_model ad01_int8 ad01_fp32; do
  "$MOTE" verify "$models/$name.tflite" --target wasm32 -q >"$T/log" 2>&1
  is "$name: one hash" 0 $?
done
"$MOTE" bench "$kws" --target wasm32 --json -q >"$T/bench" 2>"$T/log"; is "bench ends with 0" 0 $?
is "instructions are not counted" 1 "$(grep -c '"instructions": null' "$T/bench" | head -n 1 | grep -c '^[1-9]')"
is "the reason is told" 1 "$(grep -c 'an engine compiles WebAssembly once more' "$T/bench")"
exit $failed
