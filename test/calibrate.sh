#!/bin/bash
# A sensor in another place: calibrate and scale of mote.yaml, from recordings that awk makes to the emitted program. The same three
# gases in two places, whose sensors differ by a factor and an offset. Prints TAP lines.
. "$(dirname "$0")/tap"
accuracy() { "$MOTE" test --json --quiet 2>/dev/null | sed -n 's/.*"accuracy_int8": \([0-9.e-]*\).*/\1/p' | head -n 1; }

# gas FILE FACTOR LABEL SEED: three resistances over 6 s
gas() {
  awk -v factor="$2" -v label="$3" -v seed="$4" 'BEGIN { srand(seed); a = label == "air" ? 1 : label == "smoke" ? 8 : 3; b = label == "beer" ? 9 : 1
    print "time,a,b,c"; for (t = 0; t < 6; t++) printf "%d,%.3f,%.3f,%.3f\n", t, 100 * factor * a * (1 + rand() / 5),
      40 * factor * b * (1 + rand() / 5), 7000 * factor * (a + b) * (1 + rand() / 5) }' >"$1"
}
for place in near far; do
  mkdir -p "$T/$place"
  for label in air smoke beer; do
    for i in $(seq 1 10); do gas "$T/$place/$label.$i.csv" $([ $place = near ] && echo 1 || echo 0.1) $label "$i${#label}"; done
  done
done
cd "$T" || exit 1
"$MOTE" new p --template sensor --channels 3 --length-ms 2000 --quiet >/dev/null; cd p || exit 1
"$MOTE" add ../near --label-from name --group near --split train --quiet >/dev/null; is "add one place" 0 $?
"$MOTE" add ../far --label-from name --group far --split test --quiet >/dev/null; is "and another" 0 $?
printf 'learner: logistic\n' >>mote.yaml
"$MOTE" train --quiet >/dev/null 2>&1; is "train" 0 $?
before=$(accuracy)
# A whole number, for sensor.h to write as one of C.
sed -i 's/^  unit: .*/  scale: [log]/; s/^  range: \[\]/  range: [20]/' mote.yaml
printf 'calibrate:\n  by: group\n  labels: [air]\n  deviation: false\n' >>mote.yaml
"$MOTE" train --quiet >/dev/null 2>&1; is "train from clean air" 0 $?
after=$(accuracy)
is "another place is read right" 1 "$after"
if awk "BEGIN { exit !($before < 0.8) }"; then ok "and was not before"; else not_ok "and was not before" "$before"; fi
out=$("$MOTE" predict ../far/smoke.1.csv 2>&1); is "a file alone has no clean air" 1 $?
has "and that is said" "labelled air" "$out"
sed -i '/labels:/d; s/deviation: false/deviation: true/' mote.yaml
"$MOTE" train --quiet >/dev/null 2>&1; is "all recordings are the reference" 0 $?
is "right, too" 1 "$(accuracy)"
"$MOTE" predict ../far/smoke.1.csv >/dev/null 2>&1; is "a file is its own reference" 0 $?
"$MOTE" build --target host --no-compile -o out --quiet >/dev/null 2>&1; is "build" 0 $?
cat >use.c <<'E'
#include "sensor.h"
int main(void) {
  static struct mote_calibrate_sum sums[SENSOR_CHANNELS];
  static struct mote_features_column map[SENSOR_CHANNELS];
  int16_t window[2 * SENSOR_CHANNELS];
  for (unsigned c = 0; c < 2 * SENSOR_CHANNELS; c++) window[c] = sensor_count(c < 3 ? 100.0f : 200.0f, c % 3);
  mote_calibrate_begin(sums, SENSOR_CHANNELS);
  mote_calibrate_add(sums, SENSOR_CHANNELS, window, 2);
  sensor_calibrate_end(sums, map);
  mote_calibrate_apply(map, SENSOR_CHANNELS, window, 2, window);
  return window[0] + window[3] > 40 || window[0] > -4000 || window[3] < 4000;
}
E
has "a whole number of C" "20.0f" "$(cat out/sensor.h)"
${CC:-cc} -std=c99 -Wall -Wextra -Werror -ffp-contract=off -Iout use.c out/mote/dsp/calibrate.c out/mote/dsp/scaled.c \
  out/mote/base/*.c -o use >use.log 2>&1 && ./use; is "sensor.h is what a firmware needs" 0 $?
cp mote.yaml keep.yaml
for bad in 'by: weekday|group, file and none' 'by: group, labels: [gold]|no recording labelled gold'; do
  { sed '/^calibrate:/,$d' keep.yaml; printf 'calibrate: {%s}\n' "${bad%|*}"; } >mote.yaml
  out=$("$MOTE" train --learner logistic 2>&1); is "calibrate: {${bad%|*}} is refused" 1 $?
  has "and says so" "${bad#*|}" "$out"
done
sed 's/scale: \[log\]/scale: [log, cubic, log]/' keep.yaml >mote.yaml
out=$("$MOTE" train 2>&1); is "an unknown scale" 1 $?
has "names what works" "linear and log" "$out"
# ---- a head that learns there -------------------------------------------------------
cp keep.yaml mote.yaml
# A third place calls smoke beer and beer smoke: what was learned before is wrong there.
mkdir ../other
for i in $(seq 1 10); do gas ../other/air.$i.csv 2 air 7$i; gas ../other/smoke.$i.csv 2 beer 9$i; gas ../other/beer.$i.csv 2 smoke 8$i; done
"$MOTE" add ../other --label-from name --group other --split test --quiet >/dev/null
"$MOTE" train --quiet --learner logistic >/dev/null 2>&1
for head in softmax means nearest; do
  out=$("$MOTE" test --group other --learn 5 --head $head --seeds 2 --json 2>&1); is "learn by $head" 0 $?
  has "15 windows are taught" '"taught": 15' "$out"
  after=$(sed -n 's/.*"accuracy_after": \([0-9.e-]*\).*/\1/p' <<<"$out" | head -n 1)
  # Means remember 32 examples: five of a place where words were swapped do not turn them.
  least=0.9; [ $head != means ] || least=0.3
  if awk "BEGIN { exit !($after > $least) }"; then ok "$head learns what the others call it"; else not_ok "$head learns what the others call it" "$out"; fi
  is "and again the same" "$out" "$("$MOTE" test --group other --learn 5 --head $head --seeds 2 --json 2>/dev/null)"
done
out=$("$MOTE" test --learn 3 2>&1); has "as text, with its RAM" "by softmax: " "$out"
out=$("$MOTE" test --learn 200 2>&1); is "more examples than there are" 1 $?
has "is said" "fewer examples" "$out"
"$MOTE" build --target host --no-compile --learn softmax -o own --quiet >/dev/null 2>&1; is "build with a head" 0 $?
cat >own.c <<'E'
#include <string.h>
#include "online.h"
static uint32_t head[ONLINE_BYTES / 4];
int main(void) {
  struct mote_ml_online *s = (struct mote_ml_online *)head;
  memcpy(head, online_factory, ONLINE_BYTES);
  if (mote_ml_online_check(head, ONLINE_BYTES) != MOTE_OK || s->used != ONLINE_CLASSES) return 1;
  int8_t vector[256];
  memset(vector, 90, sizeof vector);
  for (int i = 0; i < 200; i++) if (!mote_ml_online_learn(s, vector, 1)) return 2;
  return mote_ml_online_predict(s, vector).label != 1;
}
E
${CC:-cc} -std=c99 -Wall -Wextra -Werror -ffp-contract=off -Iown own.c own/mote/ml/*.c own/mote/base/*.c -o own.bin >own.log 2>&1 && ./own.bin
is "online.h is what a firmware needs" 0 $?
[ ! -s own.log ] || sed 's/^/# /' own.log
# ---- files of several stretches ------------------------------------------------------
# Each file, of a sensor of its own, holds the air that it is measured from: its stretches are samples, the file is one.
cd "$T" || exit 1
"$MOTE" new parts --template sensor --channels 3 --length-ms 2000 --quiet >/dev/null
for factor in 1 5; do
  awk -v f=$factor 'BEGIN { srand(f); print "time,a,b,c,label"; for (t = 0; t < 40; t++)
    printf "%d,%.3f,%.3f,%.3f,%s\n", t, f * (t < 20 ? 1 : 3) * (1 + rand() / 5), f * (1 + rand() / 5), f * (1 + rand() / 5), t < 20 ? "air" : "smoke" }' >file$factor.csv
done
"$MOTE" add file1.csv file5.csv --project parts --label-column label --split train --quiet >/dev/null; is "add files of two stretches" 0 $?
printf 'calibrate:\n  by: file\n  labels: [air]\nlearner: logistic\n' >>parts/mote.yaml
out=$("$MOTE" train --project parts --quiet 2>&1); is "a file is one place, stretches and all" 0 $?

# ---- moments -------------------------------------------------------------------------
# Events of two people, whose usual shape differs by more than what is to be told: a tenth at the fourth moment of the second channel. The
# first channel is an amplitude that neither may change.
for who in 1 3; do
  mkdir "$T/who$who"
  for i in $(seq 1 60); do
    awk -v who=$who -v i="$i" 'BEGIN { srand(i * who); print "time,a,b"; for (t = 0; t < 8; t++)
      printf "%d,%.4f,%.4f\n", t, 5 + rand() / 100, who * (t == 3) + (i % 2 && t == 3 ? 0.1 : 0) + rand() / 100 }' \
      >"$T/who$who/$([ $((i % 2)) = 1 ] && echo early || echo usual).$i.csv"
  done
done
cd "$T" || exit 1
"$MOTE" new beats --template sensor --channels 2 --length-ms 8000 --quiet >/dev/null; cd beats || exit 1
"$MOTE" add ../who3 --label-from name --group three --split train --quiet >/dev/null
"$MOTE" add ../who1 --label-from name --group one --split test --quiet >/dev/null
sed -i 's/kind: auto .*/kind: raw/' mote.yaml
printf 'learner: logistic\n' >>mote.yaml
"$MOTE" train --quiet >/dev/null 2>&1; before=$(accuracy)
printf 'calibrate: {by: group, of: moments, channels: [2], deviation: false}\n' >>mote.yaml
"$MOTE" train --quiet >/dev/null 2>&1; is "train from the usual event" 0 $?
is "another person's events are told" 1 "$(accuracy)"
if awk "BEGIN { exit !($before < 0.8) }"; then ok "and were not before"; else not_ok "and were not before" "$before"; fi
"$MOTE" build --target host --no-compile -o out --quiet >/dev/null 2>&1
has "sensor.h says how" "mote_calibrate_add(sums, SENSOR_MOMENTS, window, 1)" "$(cat out/sensor.h)"
has "and of which channel" "from 1; the others stay as they are): 2." "$(cat out/sensor.h)"
cat >moments.c <<'E'
#include "sensor.h"
static struct mote_calibrate_sum sums[SENSOR_MOMENTS];
static struct mote_features_column map[SENSOR_MOMENTS];
static int16_t window[SENSOR_MOMENTS];
int main(void) {
  mote_calibrate_begin(sums, SENSOR_MOMENTS);
  for (int event = 0; event < 2; event++) {
    for (int i = 0; i < SENSOR_MOMENTS; i++) window[i] = (int16_t)(1000 + i + 40 * event);
    mote_calibrate_add(sums, SENSOR_MOMENTS, window, 1);
  }
  sensor_calibrate_end(sums, map);
  mote_calibrate_apply(map, SENSOR_MOMENTS, window, 1, window);
  for (int i = 0; i < SENSOR_MOMENTS; i++) if (window[i] != (i % 2 ? 20 : 1040 + i)) return 1;
  return SENSOR_MOMENTS != 16;
}
E
${CC:-cc} -std=c99 -Wall -Wextra -Wconversion -Werror -ffp-contract=off -Iout moments.c out/mote/dsp/calibrate.c out/mote/dsp/scaled.c \
  out/mote/base/*.c -o moments >moments.log 2>&1 && ./moments; is "what is not named stays as it is on a device, too" 0 $?
[ ! -s moments.log ] || sed 's/^/# /' moments.log
${CXX:-c++} -Wall -Wextra -Werror -Iout -x c++ -fsyntax-only moments.c; is "sensor.h is C++, too" 0 $?
for command in predict features; do
  out=$("$MOTE" $command ../who1/early.1.csv 2>&1); is "$command: one event alone is its own mean" 1 $?
  has "and that is said" "of at least two" "$out"
done
cp mote.yaml keep.yaml
sed '2s/,5/,6/' ../who1/early.1.csv >lonely.csv
"$MOTE" add lonely.csv --group lonely --split train --label early --quiet >/dev/null
out=$("$MOTE" train 2>&1); is "a group of one event" 1 $?
has "is named" 'group "lonely"' "$out"
"$MOTE" data remove --group lonely --quiet >/dev/null 2>&1
for bad in 'of: weekdays|channels, moments and features' 'channels: [3]|none of the sensor' 'channels: [0]|none of the sensor'; do
  { sed '/^calibrate:/,$d' keep.yaml; printf 'calibrate: {by: group, %s}\n' "${bad%|*}"; } >mote.yaml
  out=$("$MOTE" train 2>&1); is "calibrate: {${bad%|*}} is refused" 1 $?
  has "and says so" "${bad#*|}" "$out"
done
sed 's/length_ms: 8000/length_ms: 4000/; s/place: .*/place: slide/' keep.yaml >mote.yaml
out=$("$MOTE" train 2>&1); is "moments of what is no event" 1 $?
has "names what cuts events" "mote data segment --length 4" "$out"

# ---- features ------------------------------------------------------------------------
# Two people shake a sensor, one three times as much, two ways: at work the second channel moves more. Of deviations, which calibrated
# channels would keep, each is measured from its wearer's own.
shake() {
  awk -v who="$2" -v way="$3" -v seed="$4" 'BEGIN { srand(seed); print "time,a,b"; for (t = 0; t < 60; t++)
    printf "%d,%.4f,%.4f\n", t, who * (rand() - .5), who * (way ? 2 : 1) * (rand() - .5) }' >"$1"
}
mkdir "$T/calm" "$T/wild"
for i in $(seq 1 12); do
  shake "$T/calm/rest.$i.csv" 1 0 "$i"; shake "$T/calm/work.$i.csv" 1 1 "10$i"
  shake "$T/wild/rest.$i.csv" 3 0 "20$i"; shake "$T/wild/work.$i.csv" 3 1 "30$i"
done
cd "$T" || exit 1
"$MOTE" new shaken --template sensor --channels 2 --length-ms 20000 --quiet >/dev/null; cd shaken || exit 1
"$MOTE" add ../calm --label-from name --group calm --split train --quiet >/dev/null
"$MOTE" add ../wild --label-from name --group wild --split test --quiet >/dev/null
sed -i 's/kind: auto .*/kind: statistics/; s/range: \[\]/range: [4]/' mote.yaml
printf 'learner: logistic\n' >>mote.yaml
"$MOTE" train --quiet >/dev/null 2>&1; before=$(accuracy)
printf 'calibrate: {by: group, of: features}\n' >>mote.yaml
"$MOTE" train --quiet >/dev/null 2>&1; is "train on values measured from their wearer's" 0 $?
after=$(accuracy)
if awk "BEGIN { exit !($before < 0.7 && $after > 0.85) }"; then ok "another wearer is told"; else not_ok "another wearer is told" "$before $after"; fi
cp mote.yaml with.yaml
sed -i '/^calibrate:/d' mote.yaml
out=$("$MOTE" test 2>&1); is "mote.yaml without it is refused" 1 $?
has "and says so" "calibrated in the model and not in mote.yaml" "$out"
mv with.yaml mote.yaml
"$MOTE" train --fresh --quiet >/dev/null 2>&1
is "and again the same" "$after" "$(accuracy)"
"$MOTE" verify --target host >/dev/null 2>&1; is "verify from the samples on" 0 $?
out=$("$MOTE" test --chip host --json 2>&1); is "the program answers as this machine" 0 $?
has "and says so" "\"accuracy_chip\": $after" "$out"
"$MOTE" bench --target host >/dev/null 2>&1; is "bench without a recording" 0 $?
"$MOTE" predict ../wild/work.1.csv ../wild/rest.1.csv >/dev/null 2>&1; is "a file is its own reference" 0 $?
"$MOTE" features 1 --plot -o page.html --quiet >/dev/null 2>&1; is "features of a sample as a page" 0 $?
"$MOTE" test --robust --html test.html --quiet >/dev/null 2>&1; is "disturbed, and as a page" 0 $?
"$MOTE" train --learner network --epochs 3 --quiet >/dev/null 2>&1; is "a network, too" 0 $?
"$MOTE" test --chip host --json >/dev/null 2>&1; is "whose program answers as this machine" 0 $?
"$MOTE" build --target host --no-compile -o out --quiet >/dev/null 2>&1; is "build" 0 $?
has "sensor.h says where" "features_calibrate" "$(cat out/sensor.h)"
columns=$(sed -n 's/^#define FEATURES_COLUMNS //p' out/model_features.h)
has "its RAM holds the map" "\"ram_map_bytes\": $((6 * columns))" "$("$MOTE" build --target host --no-compile -o out --json 2>/dev/null)"
# Three windows, each larger than the one before: the last is 1.2 deviations from the mean, or the middle one where a value does not move.
cat >columns.c <<'E'
#include "model_features.h"
static struct mote_calibrate_sum sums[FEATURES_COLUMNS];
static struct mote_features_column map[FEATURES_COLUMNS];
static int16_t window[FEATURES_WINDOW * FEATURES_CHANNELS];
static uint32_t scratch[FEATURES_SCRATCH_BYTES / 4 + 1];
static int8_t values[FEATURES_OUT_BYTES];
int main(void) {
  int above = 0;
  mote_calibrate_begin(sums, FEATURES_COLUMNS);
  for (int i = 1; i < 4; i++) {
    for (int t = 0; t < FEATURES_WINDOW * FEATURES_CHANNELS; t++) window[t] = (int16_t)(t * 7 % 11 * 200 * i);
    features_run(window, scratch, values);
    features_calibrate_add(sums, values);
  }
  features_calibrate_end(sums, map);
  features_calibrate(map, values);
  for (int i = 0; i < FEATURES_OUT_BYTES; i++) {
    if (values[i] > 47 || values[i] < -47) return 1; /* three windows: at most 1.42 deviations */
    above += values[i] > 30;
  }
  return above == 0;
}
E
${CC:-cc} -std=c99 -Wall -Wextra -Werror -ffp-contract=off -Iout columns.c out/mote/dsp/*.c out/mote/base/*.c out/mote/isa/fft.c -o columns >columns.log 2>&1 && ./columns
is "the header is what a firmware needs" 0 $?
[ ! -s columns.log ] || sed 's/^/# /' columns.log
cp mote.yaml keep.yaml
for bad in 'channels: [1]|every column' 'labels: [gold]|no recording labelled gold'; do
  sed "s/of: features/of: features, ${bad%|*}/" keep.yaml >mote.yaml
  out=$("$MOTE" train 2>&1); is "of features: ${bad%|*} is refused" 1 $?
  has "and says so" "${bad#*|}" "$out"
done
cp keep.yaml mote.yaml
head -n 21 ../wild/work.1.csv >short.csv
out=$("$MOTE" predict short.csv 2>&1); is "a file of one window" 1 $?
has "would lose all" "over at least two" "$out"
sed -i "/^learner:/d" mote.yaml
out=$("$MOTE" tune --trials 1 2>&1); is "tune does not search with it" 1 $?
has "and says what works" "of channels works while tuning" "$out"
cd "$T/beats" || exit 1

# ---- what is taught is not tested ----------------------------------------------------
# Noise with labels of chance, in windows that overlap: nothing can be learned, and who tests what was taught sees more.
mkdir noise
for i in $(seq 1 18); do
  awk -v i=$i 'BEGIN { srand(i * 7919); print "time,a,b,c"; for (t = 0; t < 240; t++) printf "%d,%.4f,%.4f,%.4f\n", t, rand(), rand(), rand() }' \
    >noise/$([ $((i * 11 % 18 % 2)) = 0 ] && echo x || echo y).$i.csv
done
"$MOTE" new chance --template sensor --channels 3 --length-ms 20000 --quiet >/dev/null
sed -i 's/^  stride_ms: [0-9]*/  stride_ms: 1000/' chance/mote.yaml
"$MOTE" add noise/?.[1-6].csv --project chance --label-from name --split train --quiet >/dev/null
"$MOTE" add noise/?.[789].csv noise/?.1?.csv --project chance --label-from name --split test --quiet >/dev/null
"$MOTE" train --project chance --learner logistic --quiet >/dev/null 2>&1
out=$("$MOTE" test --project chance --learn 50 --head nearest --seeds 3 --json 2>&1); is "learn noise" 0 $?
after=$(sed -n 's/.*"accuracy_after": \([0-9.e-]*\).*/\1/p' <<<"$out" | head -n 1)
if awk "BEGIN { exit !($after < 0.56) }"; then ok "noise teaches nothing"; else not_ok "noise teaches nothing" "$out"; fi
"$MOTE" new alone --template sensor --channels 3 --length-ms 10000 --quiet >/dev/null
sed -i 's/^  stride_ms: [0-9]*/  stride_ms: 1000/' alone/mote.yaml
"$MOTE" add noise/?.[12].csv --project alone --label-from name --split train --quiet >/dev/null
"$MOTE" add noise/?.[3-4].csv --project alone --label-from name --split test --quiet >/dev/null
"$MOTE" train --project alone --learner logistic --quiet >/dev/null 2>&1
out=$("$MOTE" test --project alone --learn 200 2>&1); is "nothing is left to test" 1 $?
has "and that is said" "shares no moment" "$out"

# Nor is the split that is tested taught in the factory: its many samples have the labels swapped.
mkdir swap
for i in $(seq 1 4); do gas swap/air.$i.csv 1 air 5$i; gas swap/smoke.$i.csv 1 smoke 6$i; done
"$MOTE" new swapped --template sensor --channels 3 --length-ms 2000 --quiet >/dev/null
"$MOTE" add swap --project swapped --label-from name --split train --quiet >/dev/null
for i in $(seq 1 30); do gas swap/smoke.$i.csv 1 air 7$i; gas swap/air.$i.csv 1 smoke 8$i; done
"$MOTE" add swap --project swapped --label-from name --split validation --quiet >/dev/null
"$MOTE" train --project swapped --learner logistic --quiet >/dev/null 2>&1
out=$("$MOTE" test --project swapped --learn 3 --split validation --json 2>&1); is "learn from the validation split" 0 $?
before=$(sed -n 's/.*"accuracy_before": \([0-9.e-]*\).*/\1/p' <<<"$out" | head -n 1)
if awk "BEGIN { exit !(${before:-1} < 0.2) }"; then ok "which the factory did not see"; else not_ok "which the factory did not see" "$out"; fi

# ---- more classes than a head has room for eight of each -------------------------------
mkdir many
for i in $(seq 10 42); do gas many/c$i.1.csv 1.$i air $i; gas many/c$i.2.csv 1.$i air 9$i; done
"$MOTE" new crowd --template sensor --channels 3 --length-ms 2000 --quiet >/dev/null
"$MOTE" add many --project crowd --label-from name --split train --quiet >/dev/null
"$MOTE" train --project crowd --learner knn --quiet >/dev/null 2>&1; is "33 classes" 0 $?
out=$(cd crowd && "$MOTE" build --target host --no-compile --learn nearest -o out --quiet 2>&1); is "build with the nearest of 33 classes" 0 $?

# ---- what a clock says -------------------------------------------------------------
cd "$T" || exit 1
printf 'date,value\n2015-02-06 23:58:00,1\n2015-02-06 23:59:00,2\n2015-02-07 00:00:00,3\n2015-02-07 06:00:00,9\n2015-02-07 06:01:00,9\n' >days.csv
"$MOTE" new days --template sensor --rate-hz 0.0166666666667 --channels 4 --length-ms 60000 --quiet >/dev/null
"$MOTE" add days.csv --project days --label x --clock --quiet >/dev/null; is "add with a clock" 0 $?
"$MOTE" data export --project days --format csv -o days.out >/dev/null 2>&1
is "midnight is no jump, Saturday is a weekend, six is a quarter" "3,0,1,1 9,1,0,1" \
  "$(awk -F, 'function whole(x) { return int(x + (x > 0 ? .001 : -.001)) } $4 == 3 || ($4 == 9 && !seen++) { printf "%s%d,%d,%d,%d", (n++ ? " " : ""), $4, whole($5), whole($6), $7 }' days.out)"
printf 'time,value\n0,1\n60,2\n120,2\n' >plain.csv
out=$("$MOTE" add plain.csv --project days --label x --clock 2>&1); is "no dates, no clock" 1 $?
has "and says so" "no column of dates" "$out"
"$MOTE" new series --template sensor --rate-hz 1 --channels 1 --length-ms 3000 --quiet >/dev/null
printf 'date,a,b,c\n2015-02-06 23:58:00,1,2,3\n2015-02-06 23:59:00,2,3,4\n' >rows.csv
out=$("$MOTE" add rows.csv --project series --label x --each-row --clock --time-column date 2>&1); is "a row that is a series has no clock" 1 $?
has "and the error says why" "one channel" "$out"
cd p || exit 1
[ ! -s use.log ] || sed 's/^/# /' use.log
exit $failed
