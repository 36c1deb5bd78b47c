# A ceiling fan, three axes at 200 Hz: what is not its low speed without a weight? Only that is learned from; a weight on a blade, two other
# speeds and a sensor that was moved while all ran as ever are the anomalies.
sets=data/fan-vibration
data=fan-vibration split='normal alone in training; moved among the anomalies: AUC of windows' reach=99.5
project() {
  local all=$unpacked/data/fan-vibration/datasets/ceiling-fan
  new --template vibration && echo 'learner: gmm' >>"$folder/mote.yaml" &&
    add "$all/fan_0_low_0_weight" --label normal &&
    add --split test "$all"/fan_0_low_1_weight "$all"/fan_0_med_0_weight "$all"/fan_0_high_0_weight "$all"/fan_0_low_0_weight-moving
}
# A seed is another start of the mixture, and other recordings held back for the threshold.
measure() {
  local seed aucs=
  for seed in $(seq "$SEEDS"); do
    (cd "$folder" && "$MOTE" train --seed "$seed" --quiet >/dev/null 2>&1 && "$MOTE" test ${CHIP:+--chip "$CHIP"} --json >../"$name.test$seed") || return 1
    aucs="$aucs $(key "$folder.test$seed" anomaly.auc)"
  done
  # shellcheck disable=SC2086 # a list of numbers
  set -- $(printf '%s\n' $aucs | awk '{ s += $1; q += $1 * $1 } END { m = s / NR; v = q - NR * m * m; printf "%f %f", m, (NR > 1 && v > 0 ? sqrt(v / (NR - 1)) : 0) }')
  int8=$(percent "$1") spread=$(percent "$2") float=-
  trains="--seed 1"
}
