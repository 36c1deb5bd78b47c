# 16 gas sensors that age over three years, 6 gases: what is a model of the first batch worth on later ones? Every batch is
# measured from its own mean, in its own deviations (calibrate), without its labels.
sets=data/gas-drift
data=gas-drift split='batch 1 -> 2, 4, 8; then 5 examples a class and batch, learned on the device' reach='85, 70, 45; 93'
project() {
  new --template sensor --channels 128 --length-ms 1000 || return 1
  local b
  for b in 1 2 3 4 5 6 8 9; do
    add "$unpacked/data/gas-drift/data/batch$b.dat" --each-row --label-column 1 --columns 3-130 --group "batch$b" \
      --split "$([ $b = 1 ] && echo train || echo test)" || return 1
  done
  put sensor 'kind: sensor' 'rate_hz: 1' 'channels: 128' 'scale: [log]'
  put features 'kind: raw'
  put calibrate 'by: group'
  echo 'learner: svm' >>"$folder/mote.yaml"
}
# A learner whose answer no seed changes: one training, and the batches apart; seeds draw the examples that are learned. Support vectors were
# chosen by folds of whole concentrations of batch 1.
measure() {
  local b
  (cd "$folder" && "$MOTE" train --quiet >/dev/null 2>&1) || return 1
  for b in 2 4 8; do
    (cd "$folder" && "$MOTE" test --group "batch$b" ${CHIP:+--chip "$CHIP"} --json >../"$name.test$b") || return 1
    int8=$int8${int8:+, }$(percent "$(key "$folder.test$b" accuracy_int8)")
  done
  (cd "$folder" && "$MOTE" test --learn 5 --seeds "$SEEDS" --json >../"$name.learn") || return 1
  int8="$int8; $(percent "$(key "$folder.learn" accuracy_after)")"
  spread=$(percent "$(key "$folder.learn" deviation)")
  float=-
}
