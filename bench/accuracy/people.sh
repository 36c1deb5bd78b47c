# Frames of 8 x 8 infrared pixels, ten a second: how many people does a room hold that no training saw? One room trains, another
# is the test, each measured from its own background: its mean while it is empty, and its mean of everything, which needs no
# labels. Balanced over 0, 1 and 2 people; of three there are 11 frames in the test room and none in training.
sets=data/ir-people
data=ir-people split='session 2 -> 3, balanced over 0, 1, 2 people; from the empty room; from all its frames' reach=72
people() {
  local from=$unpacked/data/ir-people/data/linaige session
  new --template sensor --rate-hz 10 --channels 64 --length-ms 1000 &&
    put window 'length_ms: 1000' 'stride_ms: 300' 'place: slide' &&
    put features 'kind: image' 'width: 8' 'height: 8' 'normalise: level' &&
    put augmentation 'shift: 0.15' 'rotate_deg: 20' 'flip: both' 'contrast: 0.3' 'brightness: 0' 'cutout: 0' &&
    put calibrate 'by: group' 'deviation: false' "$@" || return 1
  for session in Session2_2021-07-01_RoomB_v2:train Session3_2021-07-06_RoomA_v2:test; do
    add "$from/${session%:*}.csv" --label-column people_number --columns pixel0-pixel63 --group "${session%%_*}" \
      --split "${session#*:}" || return 1
  done
}
project() { people "labels: ['0']"; }
figures() {
  (cd "$folder" && "$MOTE" test --seeds "$SEEDS" ${CHIP:+--chip "$CHIP"} --json >../"$name.test") || return 1
  int8=$int8${int8:+; }$(percent "$(key "$folder/../$name.test" spread.balanced_accuracy_int8.mean)")
  spread=$spread${spread:+; }$(percent "$(key "$folder/../$name.test" spread.balanced_accuracy_int8.deviation)")
}
measure() {
  local empty=$folder
  figures || return 1
  folder=$empty-all
  if [ ! -e "$folder/made" ]; then
    rm -rf "$folder"
    people && touch "$folder/made" || return 1
  fi
  figures || return 1
  folder=$empty
  float=-
}
