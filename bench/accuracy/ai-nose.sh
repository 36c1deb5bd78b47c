# Eight smells by six gas sensors: a random split, a room that was never smelled, and the same with five examples of each smell there.
sets=data/ai-nose
data=ai-nose split='random, 5 folds; new room, both ways; 5 examples a smell of it, learned on the device' reach='97; 60'
nose() {
  new --template sensor --rate-hz 4 --channels 9 --length-ms 2000 || return 1
  put sensor 'kind: sensor' 'rate_hz: 4' 'channels: 9' 'scale: [linear, linear, linear, log, log, log, log, log, log]'
}
project() {
  nose && put features 'kind: raw' 'channels: [4, 5, 6, 7, 8, 9]' && put calibrate 'by: group' &&
    echo 'learner: svm' >>"$folder/mote.yaml" &&
    add $unpacked/data/ai-nose/datasets/kitchen --label-from name --group kitchen --split train &&
    add $unpacked/data/ai-nose/datasets/office --label-from name --group office --split test
}
measure() {
  local room=$folder share
  # Without groups, and with all that tells the room: the hour of a recording is on both sides.
  folder=$room-random
  if [ ! -e "$folder/made" ]; then
    rm -rf "$folder"
    nose && put features 'kind: flatten' 'values: [average, minimum, maximum]' && put learning 'bootstrap: false' &&
      echo 'learner: forest' >>"$folder/mote.yaml" &&
      add $unpacked/data/ai-nose/datasets --label-from name && touch "$folder/made" || return 1
  fi
  (cd "$folder" && "$MOTE" test --folds 5 --seeds "$SEEDS" ${CHIP:+--chip "$CHIP"} --json >../"$name.random") || return 1
  int8=$(percent "$(key "$folder/../$name.random" spread.accuracy_int8.mean)")
  spread=$(percent "$(key "$folder/../$name.random" spread.accuracy_int8.deviation)")
  folder=$room
  (cd "$folder" && "$MOTE" test --leave-one-group-out ${CHIP:+--chip "$CHIP"} --json >../"$name.room" &&
    "$MOTE" train --quiet >/dev/null 2>&1 && "$MOTE" test --learn 5 --head nearest --seeds "$SEEDS" --json >../"$name.learn") || return 1
  share=$(percent "$(key "$folder.room" accuracy_int8)")
  int8="$int8; $share; $(percent "$(key "$folder.learn" accuracy_after)")"
  spread="$spread; 0; $(percent "$(key "$folder.learn" deviation)")"
  float=-
}
