#!/bin/bash
# The project's commands from end to end, with movements that awk makes: new, add, data, features, train, test,
# predict; errors and exit codes; and kill -9 at random moments of add and train. Prints TAP lines.
. "$(dirname "$0")/tap"
RANDOM=1
number() { sed -n "s/.*\"$2\": \([-0-9.e]*\).*/\1/p" <<<"$1" | head -n 1; }

movements "$T/data"

# ---- a project ----------------------------------------------------------------
out=$("$MOTE" new "$T/p" --template motion 2>&1); is "new makes a project" 0 $?
"$MOTE" new "$T/p" --template motion >/dev/null 2>&1; is "new keeps what is there" 1 $?
"$MOTE" new "$T/q" >/dev/null 2>&1; is "new without a template is usage" 2 $?
cd "$T/p" || exit 1
out=$("$MOTE" train 2>&1); is "train without samples" 1 $?
has "and says so" "0 labels" "$out"
out=$("$MOTE" test 2>&1); is "test without a model" 1 $?
has "and says what to do" "mote train" "$out"
out=$("$MOTE" add "$T/data" --group-from 'name:^(p[0-9])_' --json 2>/dev/null); is "add" 0 $?
is "add counts" 36 "$(number "$out" added)"
out=$("$MOTE" add "$T/data" --json 2>/dev/null)
is "the same again: nothing new" 0 "$(number "$out" added)"
is "but duplicates" 36 "$(number "$out" duplicates)"
out=$("$MOTE" data 2>&1); has "data lists labels" "slow" "$out"
has "and groups" "4 groups: p0 p1 p2 p3" "$out"
out=$("$MOTE" data --list --json); has "data lists samples" '"label": "still"' "$out"
# Every group in one split only.
split=$("$MOTE" data --list | awk 'NR > 1 { if (!($4 in s)) s[$4] = $3; else if (s[$4] != $3) bad = 1 } END { print bad + 0 }')
is "no group in two splits" 0 "$split"
out=$("$MOTE" data --plot 1); has "data draws" "</svg>" "$out"
printf 'time,x,y,z\n0,1,2,3\n1,1,zwei,3\n' >bad.csv
out=$("$MOTE" add bad.csv --label x 2>&1); is "a bad table" 1 $?
has "names its line" "bad.csv: line 3: column 3" "$out"
out=$("$MOTE" add /nowhere --label x --json 2>/dev/null); has "errors are JSON, too" '"message": "No such file' "$out"
cp mote.yaml keep.yaml
sed -i 's/length_ms/lenght_ms/' mote.yaml
out=$("$MOTE" data 2>&1); is "a wrong key" 1 $?
has "names line and keys" "known keys: length_ms" "$out"
cp keep.yaml mote.yaml
# Every 20th prefix and 200 changed bytes: an answer or an error, never a crash.
size=$(stat -c %s keep.yaml) bad=""
for i in $(seq 0 20 "$size") $(seq 1 200); do
  if [ $((i % 20)) = 0 ] && [ -z "${changed:-}" ]; then
    head -c "$i" keep.yaml >mote.yaml
    [ $((i + 20)) -le "$size" ] || changed=1
  else
    cp keep.yaml mote.yaml
    printf "\\x$(printf %x $((RANDOM % 256)))" | dd of=mote.yaml bs=1 seek=$((RANDOM % size)) conv=notrunc status=none
  fi
  "$MOTE" data -q >/dev/null 2>&1
  [ $? -le 1 ] || bad="$bad $i"
done
cp keep.yaml mote.yaml
is "damaged mote.yaml never crashes" "" "$bad"
out=$("$MOTE" features 1 2>&1); is "features" 0 $?
has "draws a map" "frames ->" "$out"
out=$("$MOTE" features 1 --plot -o one.html 2>&1); is "features of a sample, drawn" 0 $?
has "a page" "<figure" "$(cat one.html)"
out=$("$MOTE" features --plot -o some.html 2>&1); is "features of each class, drawn" 0 $?
has "every class is there" "still" "$(grep '<h2' some.html)"
out=$("$MOTE" features --explore -q -o all.html 2>&1); is "all windows in a picture" 0 $?
has "with a script of its own" "cloud(" "$(cat all.html)"
out=$("$MOTE" features --explore --map lines -q 2>&1); is "an unknown map" 1 $?
out=$("$MOTE" features --rank --json 2>&1); is "values ranked" 0 $?
has "by bits" '"class_bits"' "$out"
out=$("$MOTE" features --auto -q 2>&1); is "parameters chosen" 0 $?
has "and said why" "told right" "$out"
cp mote.yaml before.yaml
out=$("$MOTE" features --auto --write -q --json 2>&1); is "parameters written" 0 $?
is "of equally good ones that with the fewest values" yes "$(awk -F': ' '/"accuracy"/ { a[++n] = $2 + 0 }
  /"deviation"/ { d[n] = $2 + 0 } /"values"/ { v[n] = $2 + 0 } /"best": true/ { best = n }
  END { for (i = 1; i <= n; i++) if (a[i] > a[top]) top = i
    for (i = 1; i <= n; i++) if (a[i] >= a[top] - d[top] / 2 && v[i] < v[best]) { print i; exit }
    print (best ? "yes" : "none") }' <<<"$out")"
has "the section is new" "  normalise:" "$(cat mote.yaml)"
out=$("$MOTE" features 2>&1); is "and can be read" 0 $?
is "nothing else changed" "$(sed '/^features:/,/^[a-z]/{/^features:/d;/^ /d;}' before.yaml)" \
  "$(sed '/^features:/,/^[a-z]/{/^features:/d;/^ /d;}' mote.yaml)"
mv before.yaml mote.yaml

# ---- training -----------------------------------------------------------------
sed -i 's/^training: {}/training: {batch: 8}/' mote.yaml
NET='conv 8 5x1 s2; conv 8 5x1 s2; mean'
out=$("$MOTE" train --epochs 30 --network "$NET" --json 2>"$T/err"); is "train" 0 $? || cat "$T/err"
has "keeps its history" '"epoch": 30' "$out"
out=$("$MOTE" test --json 2>"$T/err"); is "test" 0 $?
good=$(awk -v a="$(number "$out" accuracy_int8)" 'BEGIN { print (a >= 0.9) }')
is "three easy movements: at least 90 % in int8" 1 "$good"
has "with intervals" '"intervals"' "$out"
has "float is known" '"accuracy_float": 0.' "${out/\"accuracy_float\": 1/\"accuracy_float\": 0.}"
out=$("$MOTE" predict "$T/data/fast/p1_1.csv" --json 2>/dev/null); has "predict" '"class": "fast"' "$out"
out=$("$MOTE" predict - --json <"$T/data/slow/p1_1.csv" 2>/dev/null); has "predict from standard input" '"class": "slow"' "$out"
out=$("$MOTE" test --robust --html answers.html --json 2>/dev/null); is "test with disturbances" 0 $?
has "noise among them" '"disturbance": "rotation"' "$out"
has "a page of the answers" "What the field does" "$(cat answers.html)"
out=$("$MOTE" test --continuous --hop-ms 200 --html listening.html --json 2>/dev/null); is "listen without end" 0 $?
has "with a threshold for each class" '"threshold"' "$out"
has "the trained model's features" '"trained": true' "$("$MOTE" features --json)"
cp mote.yaml before.yaml; sed -i 's/^  kind: auto .*/  kind: statistics/' mote.yaml
out=$("$MOTE" features --json); has "those that mote.yaml says, where it was changed" '"trained": false' "$out"
has "which is told" "not the trained model's features" "$("$MOTE" features)"
has "and looked at" "crossings" "$("$MOTE" features --rank 2>/dev/null)"
mv before.yaml mote.yaml
cp mote.yaml before.yaml
out=$("$MOTE" test --continuous --write -q 2>&1); is "thresholds written" 0 $?
has "in mote.yaml" "    threshold:" "$(cat mote.yaml)"
out=$("$MOTE" build --target host -o built -q 2>&1); is "a project with a detector builds" 0 $?
cat >detect.c <<'EOF'
#include "detector.h"
#include <stdio.h>
int main(void) {
  static uint16_t state[(DETECTOR_BYTES + 1) / 2];
  int8_t scores[DETECTOR_CLASSES];
  if (mote_detector_check(&detector, state, sizeof state) != MOTE_OK) return 1;
  mote_detector_begin(&detector, state);
  for (int c = 0; c < DETECTOR_CLASSES; c++) scores[c] = -128;
  for (int t = 0; t < 20; t++) {
    int32_t found;
    scores[1] = t > 9 ? 127 : -128;
    found = mote_detector_next(&detector, state, scores);
    if (found >= 0) return printf("%s\n", detector_names[found]), 0;
  }
  return 2;
}
EOF
cc -std=c99 -Wall -Wextra -Werror -pedantic -Ibuilt -o detect detect.c built/mote/ml/detector.c 2>"$T/err" || cat "$T/err"
is "detector.h detects" slow "$(./detect)"
mv before.yaml mote.yaml
has "and a page" "false alarms an hour" "$(cat listening.html)"
out=$("$MOTE" test --leave-one-group-out --epochs 2 --network "$NET" --json 2>/dev/null); is "leave one group out" 0 $?
has "tests every group" '"group": "p3"' "$out"
out=$("$MOTE" test --folds 2 --seeds 2 --epochs 2 --network "$NET" --json 2>/dev/null); is "folds and seeds" 0 $?
has "tests every fold" '"fold": "fold 2"' "$out"
is "each recording in one fold" 36 "$(grep -o '"recordings": [0-9]*' <<<"$out" | awk '{ n += $2 } END { print n }')"
is "two seeds" 2 "$(grep -o '"seed": ' <<<"$out" | wc -l)"
has "their spread" '"deviation": ' "$out"
is "the same again is known, and the same" "$out" "$("$MOTE" test --folds 2 --seeds 2 --epochs 2 --network "$NET" --json 2>/dev/null)"
cp mote.yaml before.yaml
out=$("$MOTE" test --folds 2 --continuous --false-alarms 0 --write --epochs 2 --network "$NET" --json 2>/dev/null); is "folds that listen" 0 $?
is "each recording is heard once" 36 "$(number "$out" recordings)"
has "their detectors are kept" "detect:" "$(cat mote.yaml)"; mv before.yaml mote.yaml
is "no false alarm allowed" 0 "$(grep -o '"false_alarms": [0-9]*' <<<"$out" | awk '{ n += $2 } END { print n }')"
out=$("$MOTE" test --seeds 2 --learner forest --json 2>/dev/null); is "seeds of a learner" 0 $?
has "has integers only" '"accuracy_float": null' "$out"
out=$("$MOTE" test --seeds 1 --learner forest --json 2>/dev/null)
is "balanced over classes as of one model" "$(grep -A1 '"balanced_accuracy": {' <<<"$out" | grep -o '[0-9.]*')" \
  "$(grep -A1 '"balanced_accuracy_int8": {' <<<"$out" | grep -o '[0-9.]*$\|[0-9.]*,' | tr -d ,)"
out=$("$MOTE" test --folds 5 2>&1); is "folds keep groups whole" 1 $?
has "and say how many there can be" "--folds 4 or fewer works" "$out"

# Files of four pieces that are alike, with labels of chance: who sees a piece knows the others' label, and must not.
"$MOTE" new "$T/leak" --template motion >/dev/null
for i in $(seq 1 24); do
  mkdir -p "$T/alike/$([ $(((i * 7 + i / 5) % 2)) = 1 ] && echo odd || echo even)"
  awk -v i="$i" 'BEGIN { srand(i); a = rand() * 2; b = rand() * 9; print "time_ms,x,y,z"
    for (k = 0; k < 4; k++) for (t = 0; t < 210; t++)
      printf "%d,%.3f,%.3f,%.3f\n", k * 9000 + t * 10, a * sin(b * t / 10), a + rand() / 50, b / 9 }' \
    >"$T/alike/$([ $(((i * 7 + i / 5) % 2)) = 1 ] && echo odd || echo even)/$i.csv"
done
out=$("$MOTE" add "$T/alike" --project "$T/leak" --split train --json 2>/dev/null); is "pieces of files" 96 "$(number "$out" added)"
out=$("$MOTE" test --project "$T/leak" --folds 4 --learner knn --json 2>/dev/null)
is "pieces of a file lie in one fold" 1 "$(awk -v x="$(number "$out" accuracy_int8)" 'BEGIN { print (x > 0.1 && x < 0.75) }')"

# A class that trains in one file, and in another validates, has no fold whose model knows it and does not test it.
"$MOTE" new "$T/lone" --template sensor --channels 1 --length-ms 2000 >/dev/null
mkdir "$T/one"
for i in a.1 a.2 a.3 a.4 b.1 b.2; do
  awk -v i=$i 'BEGIN { srand(99 * substr(i, 3)); print "time,x"; for (t = 0; t < 8; t++) printf "%d,%.3f\n", t, rand() + (i ~ /^b/) }' >"$T/one/$i.csv"
done
"$MOTE" add "$T/one"/a.* "$T/one/b.1.csv" --project "$T/lone" --label-from name --split train --quiet >/dev/null
"$MOTE" add "$T/one/b.2.csv" --project "$T/lone" --label b --split validation --quiet >/dev/null
out=$("$MOTE" test --project "$T/lone" --folds 2 --learner knn 2>&1); is "a class that trains in one fold alone" 1 $?
has "and which, and why" '"b" that can train (the validation split does not) lie in one fold' "$out"

# ---- smaller and larger networks --------------------------------------------------
printf '%s\n' 'stem: conv 8 5x1 s2 hswish  # a; comment' 'conv1d 8 3 causal' 'a: conv1d 8 3 d2 causal linear' 'add stem a relu' \
  'mean' >own.net
has "two lines from one" '"network": "' "$("$MOTE" train --epochs 20 --net own.net --json 2>&1)"
has "the file's name in errors" 'own.net' "$(echo 'conv 8' >>own.net; "$MOTE" train --net own.net 2>&1)"
out=$("$MOTE" train --epochs 20 --network 'conv 8 5x1 s2; sequence; gru 8; last' --prune macs=90% --json 2>"$T/err"); is "a gru, and channels before it gone" 0 $? ||
  cat "$T/err"
is "channels before a gru are gone" 1 "$(awk -v k="$(number "$out" pruned)" 'BEGIN { print (k > 0) }')"
has "its float network answers, too" '"accuracy_float": ' "$("$MOTE" test --json 2>&1 | grep -v null)"
out=$("$MOTE" train --epochs 20 --network tc-resnet --flash 45000 --json 2>"$T/err"); is "4 bits under a budget" 0 $? || cat "$T/err"
is "the budget is kept" 1 "$(awk -v n="$(number "$out" weight_bytes)" -v k="$(number "$out" four_bit_layers)" 'BEGIN { print (n <= 45000 && k > 0) }')"
has "its float network is known" '"accuracy_float": ' "$("$MOTE" test --json 2>&1 | grep -v null)"
out=$("$MOTE" train --epochs 20 --network tc-resnet --prune macs=40% --json 2>"$T/err"); is "pruning" 0 $? || cat "$T/err"
is "channels are gone" 1 "$(awk -v k="$(number "$out" pruned)" 'BEGIN { print (k > 0) }')"
has "a pruned network is tested in float too" '"accuracy_float": ' "$("$MOTE" test --json 2>&1 | grep -v null)"
out=$("$MOTE" train --epochs 20 --network tc-resnet --prune macs=40% --json 2>&1); has "and known when asked again" '"known": true' "$out"
out=$("$MOTE" train --epochs 10 --network "$NET" --teacher 'temporal 0.5' --json 2>"$T/err"); is "a teacher" 0 $? || cat "$T/err"
has "a student is tested in float too" '"accuracy_float": ' "$("$MOTE" test --json 2>&1 | grep -v null)"
out=$("$MOTE" train --prune macs 2>&1); is "a budget that cannot be read" 1 $?
has "says what can" "macs=N" "$out"
out=$("$MOTE" train --network fomo 2>&1); is "a preset with other heads" 1 $?
has "says why" "label each" "$out"

# ---- sound, of which variants are kept -----------------------------------------
"$MOTE" new "$T/sound" --template keyword -q >/dev/null; cd "$T/sound" || exit 1
awk 'BEGIN { srand(1); for (i = 0; i < 256000; i++) printf "%c", 1 + int(126 * rand()) }' | "$MOTE" record --stdin --raw --label hiss --seconds 8 --split train -q >"$T/out" 2>&1 || cat "$T/out"
yes 'a hum of forty samples, again and again; ' | head -c 256000 | "$MOTE" record --stdin --raw --label hum --seconds 8 --split train -q >"$T/out" 2>&1 || cat "$T/out"
"$MOTE" data export -o wav -q >/dev/null
sed -i 's/^  place: event/  place: slide/; s/^augmentation: {}/augmentation: {variants: 2}/' mote.yaml
for n in 1 2; do
  out=$("$MOTE" train --epochs 4 --network "$NET" --threads $n --fresh --json 2>"$T/err"); is "variants of sound, threads: $n" 0 $? || cat "$T/err"
  losses=$(grep '"loss"' <<<"$out")
  "$MOTE" predict wav/hum/*.wav -o "scores$n" -q >/dev/null
  is "its losses" "${before:=$losses}" "$losses"
done
is "the same bits" 0 "$(cmp -s scores1 scores2; echo $?)"
cp mote.yaml plain.yaml
awk '/^  kind: auto / { print "  kind: logmel\n  front: {filter: high, cutoff_hz: [300]}"; next } { print }' plain.yaml >mote.yaml
out=$("$MOTE" train --epochs 4 --network "$NET" --json 2>"$T/err"); is "behind a filter they are kept and warped as well" 0 $? || cat "$T/err"
mv plain.yaml mote.yaml
sed -i 's/variants: 2/variants: 0/' mote.yaml
"$MOTE" train --epochs 1 --network "$NET" -q >/dev/null 2>&1
has "the same settings are known" '"known": true' "$("$MOTE" train --epochs 1 --network "$NET" --json 2>/dev/null)"
cp mote.yaml background.yaml
sed -i 's/^  background: .*/  background: [hum]/' mote.yaml
has "with a background they are others" '"known": false' "$("$MOTE" train --epochs 1 --network "$NET" --json 2>/dev/null)"
mv background.yaml mote.yaml
out=$("$MOTE" train --epochs 4 --network "$NET" --json 2>/dev/null); is "without them the course is another" 1 "$([ "$(grep '"loss"' <<<"$out")" = "$before" ]; echo $?)"
sed -i 's/variants: 0/variants: 10000/' mote.yaml
out=$("$MOTE" train --epochs 4 --network "$NET" 2>&1); is "more than memory is to hold" 1 $?
has "are refused" "augmentation.variants" "$out"
sed -i 's/variants: 10000/variants: 2/; s/^  kind: auto /  kind: mfcc /' mote.yaml
out=$("$MOTE" train --epochs 1 --network "$NET" 2>&1); is "variants of features without bands" 1 $?
has "are refused, not passed over" "variants are kept of the bands" "$out"

# ---- kill -9: add ---------------------------------------------------------------
"$MOTE" new "$T/k" --template motion >/dev/null
cd "$T/k" || exit 1
mkdir many
for i in $(seq 1 400); do
  movement many/f.csv slow "$i"
  mv many/f.csv "many/$i.csv"
done
bad="" last=0
for round in $(seq 1 20); do
  "$MOTE" add many -q >/dev/null 2>&1 &
  pid=$!
  sleep "0.0$((RANDOM % 90 + 10))"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  # One file, and its report waited for: it may not be lost by any later kill.
  movement one.csv fast "$((1000 + round))"
  "$MOTE" add one.csv --label one -q >/dev/null 2>&1 || bad="$bad add$round"
  "$MOTE" data --check >/dev/null 2>&1 || bad="$bad check$round"
  out=$("$MOTE" data --list --json)
  count=$(grep -c '"id"' <<<"$out")
  [ "$(grep -c '"label": "one"' <<<"$out")" = "$round" ] || bad="$bad one$round"
  [ "$count" -ge "$last" ] || bad="$bad fewer$round"
  last=$count
done
is "20 kills of add: file whole, every reported sample there" "" "$bad"
"$MOTE" add many -q >/dev/null 2>&1
is "and the rest goes in" 420 "$("$MOTE" data --list --json | grep -c '"id"')"

# ---- kill -9: train -------------------------------------------------------------
cp -r "$T/p" "$T/r"
cd "$T/r" || exit 1
epochs_of() { "$MOTE" data --runs --json | awk -v id="$1" '/"run"/ { r = $2 + 0 } /"epochs"/ && r == id { print $2 + 0 }'; }
unfinished() { "$MOTE" data --runs --json | awk '/"run"/ { r = $2 + 0 } /"unfinished"/ { print r; exit }'; }
bad="" last=0 kills=0
for round in $(seq 1 60); do
  "$MOTE" train --epochs 250 --seed 5 --network "$NET" -q >/dev/null 2>&1 &
  pid=$!
  sleep "0.$((RANDOM % 30 + 10))"
  kill -9 $pid 2>/dev/null && kills=$((kills + 1))
  wait $pid 2>/dev/null
  "$MOTE" data --check >/dev/null 2>&1 || bad="$bad check$round"
  id=$(unfinished)
  [ -n "$id" ] || { [ $last = 0 ] || break; continue; }
  now=$(epochs_of "$id")
  [ "${now:-0}" -ge "$last" ] || bad="$bad fewer$round"
  last=$now
  [ $kills -lt 22 ] || break
done
is "$kills kills of train: file whole, no epoch lost" "" "$bad"
"$MOTE" train --epochs 250 --seed 5 --network "$NET" -q >/dev/null 2>"$T/err"; is "the killed run goes on to its end" 0 $?
"$MOTE" predict "$T/data/fast/p1_1.csv" -o killed.bin -q >/dev/null
cp -r "$T/p" "$T/s"
cd "$T/s" || exit 1
"$MOTE" train --epochs 250 --seed 5 --threads 1 --network "$NET" -q >/dev/null 2>&1
"$MOTE" predict "$T/data/fast/p1_1.csv" -o whole.bin -q >/dev/null
if cmp -s "$T/r/killed.bin" whole.bin; then ok "with the bits of a run that was never killed, one thread"
else not_ok "with the bits of a run that was never killed, one thread"; fi
exit $failed
