#!/bin/bash
# A project that suppresses noise, on few recordings and with two rounds of training: what it makes, that it makes the same with any
# number of threads and on chips, and what it refuses. Prints TAP lines; skips, visibly, where the recordings are absent.
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE_HOME=${MOTE_HOME:-$PWD}
SHARED=${MOTE_SHARED:-../shared} UNPACKED=$PWD/build/shared
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; head -c 400 "$T/err" | sed 's/^/# /'; fi; }
# refused "WORDS" COMMAND...: exit 1, and an error with these words.
refused() {
  local words=$1 code
  shift
  "$MOTE" "$@" >"$T/out" 2>"$T/err"
  code=$?
  [ $code = 1 ] && grep -q "$words" "$T/err"
  ok $? "refused: mote $*"
}
if [ ! -x "$SHARED/unpack" ]; then
  echo "ok 1 - noise # SKIP no recordings at $SHARED"
  echo "1..1"
  exit 0
fi
"$SHARED/unpack" "$UNPACKED" data/spoken-digits data/esc10 >/dev/null || exit 1
mkdir "$T/speech" "$T/noise"
ln -s "$UNPACKED"/data/spoken-digits/recordings/*_{george,jackson}_[0-4].wav "$T/speech"
find "$UNPACKED/data/esc10/002 - Rain" "$UNPACKED/data/esc10/008 - Chainsaw" -name '[123]-*' | LC_ALL=C sort | awk 'NR % 5 == 0' |
  while IFS= read -r f; do ln -s "$f" "$T/noise"; done

"$MOTE" new "$T/clear" --template noise --rate-hz 8000 --board "" -q 2>"$T/err"; ok $? "new"
cd "$T/clear" || exit 1
refused "nothing is trained" bench --target host
refused "0 recordings of noise" train
"$MOTE" add "$T/speech" --label speech --test 'name:_george_' -q >"$T/out" 2>"$T/err"
ok $? "add speech"
refused "0 recordings of noise" train
"$MOTE" add "$T/noise" --label noise --test 'name:^3-' -q >"$T/out" 2>"$T/err"; ok $? "add noise"
sed -i 's/^training: {}/training: {epochs: 1, qat_epochs: 1}/' mote.yaml

refused "head mask 32" train --network 'sequence; conv1d 8 3 causal; mean'
refused "causal" train --network 'sequence; conv1d 8 3; head mask 32'
refused "looks 130 rows back" train --network 'sequence; conv1d 8 3 d65 causal; head mask 32'
refused "no classes" train --learner forest
"$MOTE" train --network 'mask 0.3' --threads 1 --json >"$T/out" 2>"$T/err" && grep -q '"macs_a_frame"' "$T/out"; ok $? "train"
"$MOTE" run -i "$T/speech/0_george_0.wav" -o "$T/one.wav" -q >"$T/out" 2>"$T/err"; ok $? "run: a recording comes out"
"$MOTE" train --network 'mask 0.3' --threads 2 --fresh -q >"$T/out" 2>"$T/err" &&
  "$MOTE" run -i "$T/speech/0_george_0.wav" -o "$T/two.wav" -q >"$T/out" 2>"$T/err" && cmp "$T/one.wav" "$T/two.wav"
ok $? "two threads train the same bits"
"$MOTE" train --network 'mask 0.3' -q >"$T/out" 2>"$T/err" && grep -q '^run 2' "$T/out"; ok $? "a known run is used again"

"$MOTE" test --wav wav --json >"$T/out" 2>"$T/err" && [ "$(grep -c '"after_db"' "$T/out")" = 6 ]; ok $? "test"
# The ratio counts speech without its pauses, so the whole of a mixture has 1 to 4 dB less; an ideal mask helps.
awk -F'[:,]' '/"snr_db"/ { s = $2 } /"before_db"/ { b = $2; if (b > s - 0.5 || b < s - 5) bad = 1 }
  /"ideal_db"/ { if ($2 < b + 3) bad = 1; k++ } END { exit bad || k != 6 }' "$T/out"; ok $? "mixtures have the ratio that is asked for, and an ideal mask helps"
[ "$(find wav -name '*.wav' | wc -l)" = 36 ]; ok $? "test --wav"
"$MOTE" verify --target host -q >"$T/out" 2>"$T/err" && grep -q 'the same sound' "$T/out"; ok $? "verify"
"$MOTE" info >"$T/out" 2>"$T/err" && grep -q '^state' "$T/out"; ok $? "info: what is kept between frames"
"$MOTE" build --target host -o fw -q >"$T/out" 2>"$T/err" && grep -q suppress_give fw/program.c && make -s -C fw >"$T/out" 2>"$T/err"; ok $? "build: C that compiles"
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null; then
  "$MOTE" test --chip cortex-m0plus -q >"$T/out" 2>"$T/err" && grep -q 'bit for bit' "$T/out"; ok $? "the same sound on a Cortex-M0+"
  "$MOTE" bench --target cortex-m4 --json -q >"$T/out" 2>"$T/err" && grep -q '"inferences": 24' "$T/out"; ok $? "bench"
else
  n=$((n + 1)); echo "ok $n - on chips # SKIP no cross compiler or emulator"
fi

# The states of a GRU are carried on from frame to frame: the chip makes the sound of this machine.
"$MOTE" train --network 'sequence; gru 12; head mask 32' -q >"$T/out" 2>"$T/err" && "$MOTE" verify --target host -q >"$T/out" 2>"$T/err" &&
  grep -q 'the same sound' "$T/out"
ok $? "a gru, whose states are carried on"
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null; then
  "$MOTE" test --chip cortex-m4 -q >"$T/out" 2>"$T/err" && grep -q 'bit for bit' "$T/out"; ok $? "and its sound on a Cortex-M4"
fi

refused "suppresses noise" predict "$T/speech/0_george_0.wav"
refused "no classes" test --folds 3
refused "suppresses noise" tune --trials 10
refused "suppresses noise" report
refused "no classes to learn" build --target host --learn softmax -o other
# said KEY "YAML": a key that means nothing here, behind the others, is named with its line.
said() {
  cp mote.yaml "$T/yaml"
  printf '%b' "$2" >>mote.yaml
  refused "line $(wc -l <mote.yaml), $1:" train
  cp "$T/yaml" mote.yaml
}
said augmentation.gain_db 'augmentation:\n  gain_db: 12\n'
said augmentation.flip 'augmentation: {flip: none}\n'
sed -i '/^window:/,/^$/d' mote.yaml
said window.stride_ms 'window:\n  length_ms: 2000\n  stride_ms: 5\n'
said window.place 'window:\n  length_ms: 2000\n  place: slide\n'
sed -i '/^data:/,/^$/d' mote.yaml
said data.unknown 'data:\n  unknown: [noise]\n'
said data.background 'data:\n  background: [noise]\n'
printf 'window: {length_ms: 2000}\naugmentation: {}\ndata: {unknown: [], ignore: []}\n' >>mote.yaml
"$MOTE" info -q >"$T/out" 2>"$T/err"; ok $? "sections that say nothing are taken"

# Without validation samples epochs are chosen by others, and the figure has another name.
trained() { "$MOTE" train --network 'mask 0.3' "$@" >"$T/out" 2>"$T/err"; }
"$MOTE" data split --validation 0.3 --test 0.2 -q >"$T/out" 2>"$T/err" && trained && grep -q 'loss of the validation mixtures 0' "$T/out"; ok $? "a loss of validation"
[ "$(trained --json; grep -c '"validation_loss": 0' "$T/out")" = 2 ]; ok $? "in JSON"
sqlite3 project.db 'update samples set length = length + 1 where split = 1'
refused 'where its description says' train --network 'mask 0.3'
sqlite3 project.db "update samples set length = length - 1 where split = 1; update samples set split = 0 where split = 1 and label = 'noise'"
trained && grep -q 'loss of mixtures of training samples' "$T/out" && grep -q 'and 0 of noise' "$T/err"; ok $? "validation has speech alone, and the loss is not called one of validation"
[ "$(trained --json; grep -c '"validation_loss": null' "$T/out")" = 2 ]; ok $? "nor in JSON"

# The device's part knows no int of 32 bits.
if command -v avr-gcc >/dev/null; then
  for f in suppress fft bands math moments; do
    LC_ALL=C avr-gcc -std=c99 -mmcu=atmega2560 -Os -Wconversion -I"$MOTE_HOME" -c "$MOTE_HOME/mote/dsp/$f.c" -o "$T/o"
  done 2>&1 | grep -E "mote/dsp/.*('unsigned int' from 'uint32_t|shift count)" >"$T/err"
  [ ! -s "$T/err" ]; ok $? "nothing of 32 bits goes through an int"
else
  n=$((n + 1)); echo "ok $n - int of 16 bits # SKIP no avr-gcc"
fi

sed -i 's/hop_ms: 16 /hop_ms: 10 /' mote.yaml
refused "two hops" train
sed -i 's/hop_ms: 10 /hop_ms: 16 /; s/noise: \[noise\]/noise: []/' mote.yaml
refused "no label of noise" test
cd "$T" && "$MOTE" new words --template keyword -q && cd words && refused "suppress noise" test --wav w
echo "1..$n"
