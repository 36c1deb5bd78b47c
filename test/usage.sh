#!/bin/sh
# Exit codes and the objects of errors, of every command: 2 where the command line is wrong, 1 where what it names is,
# and under --json an object that says which. Prints TAP lines. check: sanitizers too
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE_HOME=${MOTE_HOME:-$PWD}
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; printf '%s\n' "$3" | sed 's/^/# /'; fi; }
# ends CODE WORDS COMMAND...: that exit code, and these words on standard error; under --json the same as an object.
ends() {
  want=$1 words=$2; shift 2
  "$MOTE" "$@" >out 2>err </dev/null; code=$?
  [ $code -eq "$want" ] && [ ! -s out ] && grep -q -- "$words" err; ok $? "$*: $want" "code $code, $(head -c 300 err)"
  case $want in 1) kind=input ;; *) kind=usage ;; esac
  command=$1; shift
  "$MOTE" "$command" --json "$@" >out 2>err </dev/null; code=$?
  [ $code -eq "$want" ] && grep -q "\"error\": \"$kind\"" out && grep -q '"message": "' out && grep -q '"file": ' out && grep -q '"node": ' out
  ok $? "$command --json $*: an object of kind $kind" "code $code, $(head -c 300 out)"
}

"$MOTE" >out 2>err; ok $(($? != 2)) "no command at all" "$(cat err)"
"$MOTE" help >out; ok $? "help" "$(cat out)"
for command in $(awk '/^  [a-z]/ { print $1 }' out); do
  "$MOTE" "$command" --help >help 2>err; code=$?
  [ $code -eq 0 ] && [ ! -s err ] && grep -q "^usage: mote $command" help && grep -q -- '--json' help
  ok $? "$command --help" "code $code, $(head -c 300 err)"
  ends 2 "no option '--nonsense'" "$command" --nonsense
done
ends 2 "no command" nonsense
: >empty; head -c 2000 /dev/zero >zeros

ends 2 "something is missing" new
ends 2 "no template tulip" new x --template tulip
ends 2 "wants a number" new x --template motion --rate-hz fast
ends 1 "no board" new x --template motion --board abacus
ends 1 "a directory is needed" new empty --template motion
ends 2 "something is missing" add
ends 2 "1 to 255" test --learn 256
ends 2 "belongs to --learn" test --head means
ends 2 "no head" test --learn 3 --head tail
ends 2 "stands with" test --learn 3 --folds 2
ends 1 "mote.yaml" test --learn 3 --head nearest --seeds 2
ends 2 "taught with the training samples" test --learn 3 --split train
ends 2 "exclude each other" add f --label a --label-from folder
ends 2 "no split" add f --split sometimes
ends 2 "exclude each other" add f --split test --split-from folder
ends 2 "needs --index" add f --index-columns path,label
ends 2 "wants a rate" add f --rate -5
ends 1 "mote.yaml" add f --whole --each-row --skip-bad-rows --dry-run --raw int8 --hmac-key k --separator tab
ends 1 "trained model" build --target host --learn softmax -o o
ends 1 "1 to 256 work" new x --template motion --channels 257
ends 1 "mixed down" new x --template keyword --channels 2
ends 1 "above 0 works" new x --template motion --length-ms 0
ends 1 "are for --template image" new x --template motion --width 96
ends 1 "up to 1,024 each" new x --template image --width 96 --height 2000
ends 1 "up to 666,666 pixels" new x --template image --width 1024 --height 1024 --format rgb
ends 1 "squash, crop and fit" new x --template image --resize bend
ends 1 "grey, rgb, rgb565" new x --template image --format jpeg
ends 1 "mote.yaml" add f
ends 1 "mote.yaml" add f --clock
ends 2 "no split" data --split sometimes
ends 2 "--edit" data --set-label x
ends 2 "at least 1" data --plot 0
ends 2 "no word" data tulip
ends 2 "no split" data list --split sometimes
ends 2 "where: " data list --where label
ends 2 "at least 1" data list --most 0
ends 2 "what to set" data set 1
ends 2 "wants KEY=VALUE" data set 1 --meta x
ends 2 "no number" data show seven
ends 2 "something is missing" data snapshot
ends 2 "something is missing" data diff
ends 2 "something is missing" data restore
ends 2 "shares from 0" data split --test 0.7 --validation 0.4
ends 2 "what stays" data crop 1
ends 2 "behind the first" data crop 1 --from 2 --to 1
ends 2 "where to cut" data split-at 1
ends 2 "no events" data segment 1 --events many
ends 2 "no signal" data segment 1 --events beats --signal emg
ends 2 "counts from 1" data segment 1 --events beats --channel 0
ends 2 "above 0" data segment 1 --length -1
ends 2 "above 0" data trim 1 --threshold-db 0
ends 2 "stands alone" data spans 1 --extract --clear
ends 2 "above 0" data windows --length-ms -5
ends 2 "says where to" data export
ends 2 "no format" data export -o x --format parquet
ends 1 "mote.yaml" data export -o x
ends 1 "mote.yaml" data check
ends 1 "mote.yaml" data trim 1
ends 1 "mote.yaml" data split
ends 1 "mote.yaml" data undo
ends 1 "mote.yaml" data history
ends 1 "mote.yaml" data
ends 2 "recover goes without a source and without options" record --recover --stdin --label x
ends 2 "where from" record --label x
ends 2 "one source at a time" record --stdin --udp 9 --label x
ends 2 "label says what it is" record --stdin
ends 2 "no split" record --stdin --label x --split sometimes
ends 2 "ports are" record --udp 70000 --label x
ends 2 "goes with --stdin" record --serial x --raw --label x
ends 2 "wants KEY=VALUE" record --stdin --label x --meta y
ends 2 "above 0" record --stdin --label x --seconds -1
ends 2 "at least 1" record --serial x --baud fast --label x
ends 1 "mote.yaml" record --stdin --label x
ends 1 "mote.yaml" features
ends 2 "one of" features --plot --rank
ends 2 "stands alone" features f --rank
ends 2 "--explore" features --map pca
ends 2 "--auto" features --write
ends 2 "at least 1" train --epochs 0
ends 2 "at least 0" train --seed -1
ends 2 "at least 1" train --threads many
ends 2 "exclude" train --network mean --net zeros
ends 1 "zero byte" train --net zeros
ends 2 "at least 1" train --flash 0
ends 1 "mote.yaml" train --prune macs=50%
ends 1 "mote.yaml" train --teacher ds-cnn
ends 2 "kmeans, gmm" train --learner oracle
ends 2 "excludes" train --learner forest --epochs 3
ends 2 "1 to 10 work" tune --folds 11
ends 2 "at least 1" tune --trials 0
ends 2 "1 to 100,000" tune --trials 100001
ends 2 "at least 1" tune --ram 0
ends 2 "at least 1" tune --flash none
ends 2 "at least 1" tune --threads 0
ends 2 "at least 0" tune --seed -1
ends 2 "above 0" tune --minutes -1
ends 2 "above 0" tune --ms -1
ends 2 "wants a number" tune --uj much
ends 2 "exclude" tune --board xiao --target cortex-m4
ends 2 "exclude" tune --show --fresh
ends 2 "nothing to write" tune --write 0
ends 2 "1 to 10,000" tune --ranks 0
ends 2 "1 to 10,000" tune --ranks 4abc
ends 1 "mote.yaml" tune --no-count --against flash --html x --journal x
ends 1 "mote.yaml" train --learner forest
ends 1 "mote.yaml" train
ends 2 "no split" test --split sometimes
ends 2 "--continuous" test --hop-ms 20
ends 2 "--continuous" test --false-alarms 1
ends 2 "at least 0" test --continuous --false-alarms -1
ends 2 "wants a number" test --continuous --false-alarms nan
ends 2 "wants a number" test --continuous --hop-ms inf
ends 2 "at most" test --continuous --hop-ms 1e300
ends 2 "belongs to" test --write
ends 2 "leave --hop-ms" test --continuous --write --hop-ms 3
ends 2 "stands without" test --continuous --robust
ends 2 "needs --folds" test --continuous --seeds 2
ends 2 "leave-one-group-out" test --robust --leave-one-group-out
ends 2 "leave-one-group-out" test --seed 1
ends 2 "one of them" test --folds 3 --leave-one-group-out
ends 2 "takes 2 to" test --folds 1
ends 2 "takes 1 to" test --seeds 1001
ends 2 "leave --group out" test --folds 3 --group a
ends 2 "no learner" test --folds 3 --learner oracle
ends 2 "excludes" test --folds 3 --learner forest --epochs 3
ends 2 "go with" test --prune macs=50%
ends 2 "go with" test --flash 9
ends 2 "go with" test --teacher ds-cnn
ends 2 "leave --group out" test --group a --leave-one-group-out
ends 2 "something is missing" predict
ends 1 "mote.yaml" predict f
ends 2 "at most 4" report --bench a --bench b --bench c --bench d --bench e
ends 1 "cannot be opened" report --test nowhere

for command in info "run -i empty" "build --target host -o d" "bench --target host" verify; do
  # shellcheck disable=SC2086 # words of a command
  set -- $command
  ends 1 "no MODEL was named" "$@"
  ends 1 "cannot be opened" "$@" nowhere.tflite
  ends 1 "directory" "$@" .
  ends 1 "empty" "$@" empty
  ends 1 "not a model" "$@" zeros
  ends 2 "one word too many" "$@" a b
done
for command in info run build bench; do ends 2 "at least 1" $command zeros --ram 0; done
ends 2 "needs a value" info --ram
for command in info "run -i empty" "build --target host -o d" "bench --target host" verify; do
  # shellcheck disable=SC2086 # words of a command
  ends 2 "a number of rows, or the word least" $command zeros --stream 0
done
golden=$MOTE_HOME/test/golden/CONV_2D
ends 1 "operator 0, CONV_2D: pads in time: 1 rows in front and 1 behind" info "$golden/int8.tflite" --stream 1
ends 1 "must be a multiple of 2" info "$golden/int8_stride_valid.tflite" --stream 1
ends 2 "no input" run zeros
ends 2 "leave -i" run zeros --batch . -i empty
ends 2 "needs MODEL" run --batch .
ends 2 "no format jpeg" run zeros --batch . --format jpeg
ends 2 "of --batch" run zeros -i empty --stride 3
ends 2 "no folder" build zeros --target host
ends 2 "no chip" build zeros -o d
ends 2 "no chip" bench zeros
# ---- numbers of mote.yaml -----------------------------------------------------------
"$MOTE" new y --template motion --quiet >/dev/null
awk 'BEGIN { print "time_ms,x,y,z"; for (t = 0; t < 300; t++) printf "%d,%d,0,1\n", t * 10, t % 80 == 0 }' >beats.csv
"$MOTE" add beats.csv --project y --label x --quiet >/dev/null 2>&1
ends 1 "channel 4294967297; 1 to 3 are there" data segment 1 --project y --events beats --channel 4294967297
sed '/^features:/,/^$/d' y/mote.yaml >rest.yaml
# reads WORDS YAML: these features are read ("": without an error); their line is named.
reads() {
  { cat rest.yaml; printf "$2"; } >y/mote.yaml
  if [ -n "$1" ]; then ends 1 "line [0-9]*, $1" data --project y; else "$MOTE" data --project y >out 2>err; ok $? "read: $2" "$(cat err)"; fi
}
reads "" 'features:\n  kind: statistics\n  front:\n    filter: low\n    cutoff_hz: [10]\n'
reads "" 'features:\n  kind: spectral\n  cutoff_hz: 3 # edge\n  order: "4"\n  front: {filter: band, cutoff_hz: [10, 20]}\n'
reads "" 'features: {kind: statistics, front: {filter: low, cutoff_hz: [10]}}\n'
reads "" 'features:\n  front:\n    filter: low\n    cutoff_hz:\n    - 10\n  kind: statistics\n'
# refuses WORDS YAML
refuses() {
  { cat rest.yaml; printf "$2"; } >y/mote.yaml
  ends 1 "$1" data --project y
}
reads "" 'features: {kind: spectral, compat: edge-impulse-v1, threshold: 0.2}\n'
reads "" 'features: {kind: spectral, values: [heights], hold: first, fft_size: 32}\n'
refuses 'features.hold: "last" is no' 'features: {kind: spectral, hold: last}\n'
refuses 'features.compat: the first version' 'features: {kind: flatten, compat: edge-impulse-v1}\n'
reads "" 'features: {kind: pitch, low_hz: 2, high_hz: 20, frame_ms: 1300, voicing: 0.7, values: [pitch, voicing, level]}\n'
reads "" 'features: {kind: spectrum, values: [flatness]}\n'
refuses 'features.range_db: 40 dB' 'features: {kind: spectrum, values: [level, flatness], range_db: 40}\n'
refuses 'features.normalise: none and mean' 'features: {kind: spectrum, values: [level, flatness], normalise: level}\n'
refuses 'features.values: "crest" is no' 'features: {kind: spectrum, values: [crest]}\n'
refuses 'features.voicing: 2' 'features: {kind: pitch, low_hz: 2, voicing: 2, frame_ms: 1300}\n'
refuses 'features.high_hz: 60 Hz' 'features: {kind: pitch, high_hz: 60}\n'
reads 'features.front.order: "4x" is no' 'features:\n  kind: statistics\n  front:\n    filter: low\n    cutoff_hz: [10]\n    order: 4x\n'
reads 'features.front.order: "4x" is no' 'features: {kind: statistics,\n  front: {filter: low, cutoff_hz: [10], order: 4x}}\n'
reads 'features.front.cutoff_hz: "1z" is no' 'features:\n  kind: statistics\n  front:\n    filter: band\n    cutoff_hz: [10, 1z]\n'
reads 'features.front.middle_ms: "nan" is no' 'features:\n  kind: statistics\n  front: {middle_ms: nan}\n'
reads 'features.cutoff_hz: "3q" is no' 'features:\n  kind: spectral\n  front:\n    filter: low\n    cutoff_hz: [10]\n  cutoff_hz: 3q\n'
reads 'more_features.order: "4y" is no' 'features:\n  kind: statistics\nmore_features:\n- kind: spectral\n  order: 4y\n'
reads 'detect.threshold: "0.5x" is no' 'detect: [{class: a}, {class: b, threshold: 0.5x}]\n'
"$MOTE" new z --template image --width 96 --quiet >/dev/null
mv z/mote.yaml rest.yaml
# camera WORDS SED: a camera that is refused.
camera() { sed "$2" rest.yaml >z/mote.yaml; ends 1 "$1" data --project z; }
camera "up to 666,666 pixels" 's/^  width: 96/  width: 1024/; s/^  height: 96/  height: 1024/; s/^  format: grey/  format: rgb/'
camera "pixels are linear" 's/^  format: grey/  scale: [log]/'
camera "pictures are not calibrated" '$a\
calibrate: {by: group}'
"$MOTE" new q --template noise --quiet >/dev/null
mv q/mote.yaml rest.yaml
# noise WORDS SED: a project that suppresses noise, and cannot.
noise() { sed "$2" rest.yaml >q/mote.yaml; ends 1 "$1" data --project q; }
noise "no label of noise" 's/noise: .noise./noise: []/'
noise "two hops" 's/hop_ms: 16/hop_ms: 10/'
noise "level is not known" 's/range_db: 0/range_db: 60/'
noise "cannot come back" 's/kind: logmel/kind: mfcc/'
noise "within -40 to 60" 's/snr_db_min: -5/snr_db_min: 50/'
noise "0 to 60 works" 's/most_db: 20/most_db: -1/'
noise 'suppress.most_db: "2x" is no' 's/most_db: 20/most_db: 2x/'
noise "has no classes" 's/^board:.*/anomaly: {}/'
noise "taken from sound" 's/kind: audio/kind: vibration/'
cp rest.yaml q/mote.yaml
ends 1 "0 recordings of noise" train --project q
ends 1 "nothing is trained" test --project q --wav w
ends 1 "has no classes" test --project q --folds 3
ends 1 "suppresses noise" tune --project q --trials 10
"$MOTE" new v --template motion --quiet >/dev/null
ends 1 "for projects that suppress noise" test --project v --wav w
echo "1..$n"
