# Beats of the heart of twelve people, marked normal (N), early above (S) and below (V) the ventricles, and fused (F): people who were never seen.
# Each beat is told by when it came and by what it looks like beside its neighbours in the window, and each value is measured from
# its wearer's mean, which a device learns first (calibrate). tools/mitbih_peer.py is scikit-learn on the same beats and folds.
sets=data/mitbih
data=mitbih split='new people, 4 folds of 3: macro F1; sensitivity of V' reach='50.1; 90'
project() {
  local from to
  new --template sensor --rate-hz 100 --channels 2 --length-ms 10000 &&
    put sensor 'kind: sensor' 'rate_hz: 100' 'channels: 2' 'unit: mV' 'range: [8]' &&
    put window 'length_ms: 10000' 'place: event' &&
    put calibrate 'by: group' 'of: features' 'deviation: false' &&
    put features 'kind: heart' 'channels: [1]' 'irregular: 20' 'values: [rmssd, shortest, longest, before, behind, interval]' &&
    put more_features '- kind: heart' '  channels: [1, 2]' '  together: true' '  values: [likeness, energy, ahead, width, widening]' &&
    put 'network: |' 'dense 32' 'dropout 0.2' 'dense 16' &&
    put training 'epochs: 5' 'qat_epochs: 2' 'class_weights: true' && put data 'ignore: [Q]' &&
    add $unpacked/data/mitbih --whole --group-from name &&
    "$MOTE" data segment --project "$folder" --all --events labels --length 10 --quiet >/dev/null || return 1
  for from in L:N R:N e:N j:N A:S a:S J:S; do # the four classes of AAMI EC57
    to=${from#*:}
    "$MOTE" data set --project "$folder" --all --label "${from%:*}" --set-label "$to" --quiet >/dev/null || return 1
  done
}
# The mean over seeds of both figures; of the project's own model the chip repeats the beats of its test, one person's.
measure() {
  local seed figures=
  for seed in $(seq 1 "$SEEDS"); do
    (cd "$folder" && "$MOTE" test --folds 4 --seed "$seed" --json >../"$name.test$seed") || return 1
    figures="$figures$(key "$folder.test$seed" intervals.macro_f1.value) $(awk '/"class": "V"/ { on = 1 }
      on && /"recall":/ { print $2 + 0; exit }' "$folder.test$seed")"$'\n'
  done
  [ -z "$CHIP" ] || (cd "$folder" && "$MOTE" train --quiet >/dev/null 2>&1 && "$MOTE" test --chip "$CHIP" --json >../"$name.chip") || return 1
  local deviation='function d(q, s) { return n > 1 && q > s * s / n ? 100 * sqrt((q - s * s / n) / (n - 1)) : 0 }'
  int8=$(awk "$deviation"' NF { f += $1; q += $1 * $1; v += $2; n++ } END { printf "%.1f ± %.1f; %.1f", 100 * f / n, d(q, f), 100 * v / n }' <<<"$figures")
  spread=$(awk "$deviation"' NF { v += $2; w += $2 * $2; n++ } END { printf "%.1f", d(w, v) }' <<<"$figures")
  float=-
}
