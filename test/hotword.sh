#!/bin/bash
# What a hot word asks of training, with sounds that awk makes: window.place: stream, training.balance and .hard. Prints TAP lines.
. "$(dirname "$0")/tap"

# sound FILE HZ...: a quarter of a second of each, in noise.
sound() {
  local file=$1
  shift
  awk -v tones="$*" -v seed="$1" 'BEGIN { srand(seed); n = split(tones, hz, " ")
    for (t = 0; t < 2000 * n; t++) printf "%d\n", 8000 * sin(t * hz[int(t / 2000) + 1] * 6.283 / 8000) + 600 * (rand() - 0.5) }' >"$file"
}
mkdir "$T/word" "$T/other"
for i in $(seq 20); do
  sound "$T/word/w$i.csv" $((500 + 5 * i)) $((1500 + 10 * i))
  sound "$T/other/o$i.csv" $((1500 + 10 * i)) $((500 + 5 * i))
done
"$MOTE" new "$T/p" --template keyword --rate-hz 8000 -q >/dev/null && cd "$T/p" || exit 1
"$MOTE" add ../word ../other --rate 8000 --split train -q >/dev/null; is "add" 0 $?
cp mote.yaml keep.yaml

# scores NAME PLACE UNKNOWN [TRAINING]: what a model of these settings says of a sound that is cut off.
sound "$T/cut.csv" 1600
scores() {
  sed "s/^  place: [a-z]*/  place: $2/; s/^  unknown: \[\]/  unknown: [$3]/; s/^training: {}/training: {epochs: 3, qat_epochs: 1, batch: 8${4:+, $4}}/" keep.yaml >mote.yaml
  "$MOTE" train --fresh -q >/dev/null && "$MOTE" predict "$T/cut.csv" "$T/word/w3.csv" -o "$T/$1" -q >/dev/null
}
same() { cmp -s "$T/$1" "$T/$2" && echo same || echo other; }
scores event event "" && scores stream stream ""; is "both places train" 0 $?
is "where all labels are to be found, shorter sounds lie as in event" same "$(same event stream)"
scores bad sideways "" 2>/dev/null; is "a place that is not known" 1 $?
scores events event other && scores streams stream other; is "with a label that is not to be found" 0 $?
is "it is drawn anywhere in a stream" other "$(same events streams)"
scores again stream other; is "the same seed, the same bits" same "$(same streams again)"
scores balanced stream other "balance: true" && scores hard stream other "balance: true, hard: 0.5"; is "balance and hard" 0 $?
is "hard examples are drawn otherwise" other "$(same balanced hard)"
scores hard2 stream other "balance: true, hard: 0.5"; is "and the same each time" same "$(same hard hard2)"
sed 's/^training: {}/training: {hard: 2}/' keep.yaml >mote.yaml
out=$("$MOTE" train 2>&1); is "a share beyond 1" 1 $?
has "is named" "hard" "$out"
"$MOTE" new "$T/m" --template motion -q >/dev/null && sed -i 's/^  place: [a-z]*/  place: stream/' "$T/m/mote.yaml"
out=$("$MOTE" data --project "$T/m" 2>&1); is "movements have no stream" 1 $?
has "and what they have" "event" "$out"
exit $failed
