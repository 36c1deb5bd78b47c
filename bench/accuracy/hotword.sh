# 214 times "computer" by many people, against all other sound there is: digits and other words, and ten kinds of scenes. Files
# are dealt to 5 folds; each fold is listened to by the model that never heard it, and all must get by with one
# threshold at which none of the negative sound, nor silence, is taken for the word.
sets='data/wake-word-computer data/speech-commands-sample data/spoken-digits data/esc10'
data=wake-word-computer split='by file, 5 folds; 2.2 h, silence between included' reach='missed at most 3 at no false alarm'
trains=
project() {
  local from=$unpacked/data
  new --template keyword --rate-hz 8000 && # the digits have no more; a model must not go by the bandwidth
    # Nearly twice the longest "computer", so that it stays in sight for several answers, wherever it begins.
    put window 'length_ms: 1500' 'stride_ms: 500' 'place: stream' &&
    put augmentation 'shift_ms: 350' &&
    # 214 of some 6,000 windows: all classes are drawn as often, and half of the draws by how hard they are.
    put training 'epochs: 16' 'qat_epochs: 3' 'average: 2' 'balance: true' 'hard: 0.5' &&
    add "$from/wake-word-computer/audio" --split train &&
    add "$from/speech-commands-sample" "$from/spoken-digits/recordings" --label unknown --split train &&
    add "$from"/esc10/0*/ --label background --split train
}
measure() {
  (cd "$folder" && "$MOTE" test --folds 5 --continuous --false-alarms 0 --hop-ms 100 --seeds "$SEEDS" --json >../"$name.test") || return 1
  # Missed, in percent, of each seed.
  set -- $(awk '/"seed":/ { seed = 1 } seed && $1 == "\"events\":" { n = $2 + 0 } seed && $1 == "\"missed\":" { print 100 * $2 / n; seed = 0 }' "$folder.test")
  int8=$(printf '%s\n' "$@" | awk '{ s += $1 } END { printf "missed %.2f", s / NR }')
  spread=$(printf '%s\n' "$@" | awk '{ s += $1; q += $1 * $1 } END { printf "%.2f", (NR > 1 ? sqrt((q - s * s / NR) / (NR - 1)) : 0) }')
  float=-
}
