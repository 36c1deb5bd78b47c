#!/bin/bash
# The words of `mote data` from end to end, with movements that awk makes: picking, changing, undo, versions, division
# by groups, cutting, health, export. Prints TAP lines. check: sanitizers too
. "$(dirname "$0")/tap"
number() { sed -n "s/.*\"$2\": \([-0-9.e]*\).*/\1/p" <<<"$1" | head -n 1; }
# all: what every sample is, as text
all() { "$MOTE" data list --json; }
count() { all | grep -c '"id"'; }

movements "$T/data"
"$MOTE" new "$T/p" --template motion >/dev/null && cd "$T/p" || exit 1
out=$("$MOTE" data undo 2>&1); is "undo of nothing" 1 $?
has "says so" "nothing to undo" "$out"
"$MOTE" add "$T/data" --group-from 'name:^(p[0-9])_' >/dev/null

# ---- picking and changing --------------------------------------------------------------
first=$(all)
out=$("$MOTE" data set 1-4 7 --meta device=nano-2 --meta session=3 --set-group zoe --json); is "set" 5 "$(number "$out" changed)"
is "a filter by metadata" 5 "$("$MOTE" data list --where device=nano-2 --json | grep -c '"id"')"
is "its opposite" 31 "$("$MOTE" data list --where device!=nano-2 --json | grep -c '"id"')"
is "numbers compare" 5 "$("$MOTE" data list --where 'session>=2.5' --json | grep -c '"id"')"
is "fields and metadata together" 4 "$("$MOTE" data list --where device=nano-2 --where 'id<7' --json | grep -c '"id"')"
has "keys" "device" "$("$MOTE" data list --keys)"
out=$("$MOTE" data show 7); has "show tells metadata" "device = nano-2" "$out"
has "show as JSON" '"session": "3"' "$("$MOTE" data show 7 --json)"
has "show draws" "</svg>" "$("$MOTE" data show 7 --plot)"
"$MOTE" data disable --label still --json >/dev/null; is "disabled ones are listed" 12 "$("$MOTE" data list --disabled --json | grep -c '"id"')"
has "and counted" "12 of these are disabled" "$("$MOTE" data)"
"$MOTE" data enable --label still >/dev/null; is "enabled again" 0 "$("$MOTE" data list --disabled --json | grep -c '"id"')"
out=$("$MOTE" data remove 2>&1); is "remove wants a choice" 1 $?
has "and says which there are" "--all" "$out"
out=$("$MOTE" data remove 99 2>&1); is "remove of what is not there" 1 $?
"$MOTE" data remove 30-99 >/dev/null; is "a stretch of numbers" 29 "$(count)"
is "paging" "4 5 6" "$("$MOTE" data list --after 3 --most 3 | awk 'NR > 1 { printf "%s%s", s, $1; s = " " }')"

# ---- history -----------------------------------------------------------------------------
has "history" "remove 7 samples" "$("$MOTE" data history)"
for i in 1 2 3; do "$MOTE" data undo >/dev/null; done
"$MOTE" data undo >/dev/null
is "four undos: as it was" "$first" "$(all)"
"$MOTE" data redo >/dev/null; is "redo" 5 "$("$MOTE" data list --where device=nano-2 --json | grep -c '"id"')"
"$MOTE" data undo >/dev/null
"$MOTE" data snapshot clean >/dev/null; is "snapshot" 0 $?
out=$("$MOTE" data snapshot clean 2>&1); is "a name twice" 1 $?
"$MOTE" data remove 5 >/dev/null; "$MOTE" data set 6 --set-label walk >/dev/null
"$MOTE" data snapshot dirty >/dev/null
out=$("$MOTE" data diff clean dirty); has "diff" "0 added, 1 removed, 1 changed" "$out"
has "diff names the change" "-> walk" "$out"
has "diff to now" '"removed": 1' "$("$MOTE" data diff clean --json)"
"$MOTE" data restore clean >/dev/null; is "restore" "$first" "$(all)"
"$MOTE" data undo >/dev/null; is "restore can be undone" 35 "$(count)"
"$MOTE" data restore clean >/dev/null
has "versions" '"samples": 35' "$("$MOTE" data versions --json)"
"$MOTE" data versions --drop dirty >/dev/null; "$MOTE" data versions --drop clean >/dev/null
out=$("$MOTE" data forget --json); is "forget" 0 $?
is "forget keeps the samples" "$first" "$(all)"
out=$("$MOTE" data diff clean 2>&1); is "a version that is gone" 1 $?

# ---- division ------------------------------------------------------------------------------
out=$("$MOTE" data split --by group --test 0.25 --validation 0.25 --json); is "split" 0 $?
is "balanced: slow" 3 "$(grep -A 4 '"label": "slow"' <<<"$out" | sed -n 's/.*"test": \([0-9]*\).*/\1/p')"
leak=$("$MOTE" data list | awk 'NR > 1 { if (!($4 in s)) s[$4] = $3; else if (s[$4] != $3) bad = 1 } END { print bad + 0 }')
is "no group in two splits" 0 "$leak"
is "again: nothing changes" 0 "$(number "$("$MOTE" data split --by group --test 0.25 --validation 0.25 --json)" changed)"
out=$("$MOTE" data split --by device 2>&1); is "an unknown key" 1 $?
has "names the keys" "--keys" "$out"
"$MOTE" data set --where group=p0 --meta room=1 >/dev/null; "$MOTE" data set --where group!=p0 --meta room=2 >/dev/null
out=$("$MOTE" data split --by room 2>&1); is "too few groups" 1 $?
has "with the numbers" "2 groups cannot fill 3 splits" "$out"
out=$("$MOTE" data split --by room --validation 0 --test 0.3 --json); is "two splits of two groups" 0 $?
"$MOTE" data set --label fast --set-group solo >/dev/null
out=$("$MOTE" data split --by group 2>&1); has "a class in one group is told" 'all of it lies in one group (solo)' "$out"
out=$("$MOTE" data split --dry-run --by sample); has "dry run" "nothing written" "$out"
"$MOTE" data undo >/dev/null

# ---- cutting ---------------------------------------------------------------------------------
seconds() { "$MOTE" data show "$1" --json | sed -n 's/.*"seconds": \([0-9.]*\).*/\1/p'; }
before=$(all)
out=$("$MOTE" data crop 1 --from 0.5 --to 1.75 --json); is "crop" 1.25 "$(seconds 1)"
has "the source tells the piece" ":0.500-1.750 s" "$("$MOTE" data show 1)"
out=$("$MOTE" data crop 1 --from 5 2>&1); is "crop beyond the end" 1 $?
has "with the length" "has 1.250 s" "$out"
"$MOTE" data undo >/dev/null; is "crop undone" "$before" "$(all)"
"$MOTE" data spans 2 --add 0-1:rest --add 1-3.5:move >/dev/null; has "spans" "1.000 s to 3.500 s" "$("$MOTE" data spans 2)"
"$MOTE" data crop 2 --from 0.5 --to 2 >/dev/null; has "spans move with a crop" '"to_s": 0.5' "$("$MOTE" data spans 2 --json)"
out=$("$MOTE" data spans 2 --add 1-9:late 2>&1); is "a span beyond the end" 1 $?
out=$("$MOTE" data spans 2 --add nonsense 2>&1); has "a span's form" "FROM-TO:LABEL" "$out"
out=$("$MOTE" data spans 2 --extract --json); is "spans become samples" 2 "$(number "$out" made)"
is "with their labels" "move rest" "$("$MOTE" data list --where 'id>36' | awk 'NR > 1 { print $2 }' | sort | tr '\n' ' ' | sed 's/ $//')"
out=$("$MOTE" data split-at 3 --at 1 --at 2.5 --json); is "split-at" 3 "$(number "$out" made)"
is "the whole is out" 0 "$("$MOTE" data list --where id=3 --json | grep -c '"id"')"
for i in 1 2 3 4; do "$MOTE" data undo >/dev/null; done; is "all undone" "$before" "$(all)"
# knocks FILE: three swings in 12 s of quiet
awk 'BEGIN { srand(5); print "time_ms,x,y,z"; for (t = 0; t < 1200; t++) { k = (t > 200 && t < 240) || (t > 600 && t < 650) || (t > 1000 && t < 1030);
  printf "%d,%.4f,%.4f,%.4f\n", t * 10, (k ? 3 * sin(t) : 0) + rand() / 50, (k ? 2 * cos(t) : 0) + rand() / 50, 1 + rand() / 50 } }' >"$T/knock.csv"
"$MOTE" add "$T/knock.csv" --label knock --group p1 >/dev/null; id=$("$MOTE" data list --label knock | awk 'NR == 2 { print $1 }')
out=$("$MOTE" data segment "$id" --dry-run --json); is "three peaks" 3 "$(number "$out" made)"
is "dry run: nothing changed" 1 "$("$MOTE" data list --label knock --json | grep -c '"id"')"
out=$("$MOTE" data segment "$id" --events energy --length 0.8 --json); is "three rises" 3 "$(number "$out" made)"
is "of the length that was asked for" "0.80 0.80 0.80" "$("$MOTE" data list --label knock | awk 'NR > 1 { printf "%s%s", s, $5; s = " " }')"
"$MOTE" data undo >/dev/null
"$MOTE" data spans "$id" --add 0-0.4:edge --add 2-2.4:first --add 6-6.5:second >/dev/null
out=$("$MOTE" data segment "$id" --events labels --length 1 --json); is "pieces about labels" 2 "$(number "$out" made)"
is "what leaves the recording is left out" 1 "$(number "$out" outside)"
is "labels have their stretch in the middle" 5.75 "$(printf '%s' "$out" | sed -n 's/.*"from_s": \([0-9.]*\).*/\1/p' | tail -n 1)"
"$MOTE" data undo >/dev/null; "$MOTE" data undo >/dev/null
out=$("$MOTE" data trim "$id" --padding 0.2); has "trim" "1.800 s to 10.520 s" "$out"
has "windows" "too short" "$("$MOTE" data windows --length-ms 1000 --stride-ms 500)"
is "windows of 4 s, one each second" 1 "$("$MOTE" data windows 5 --length-ms 4000 --stride-ms 1000 --json | sed -n 's/.*"\(train\|test\|validation\)": \([1-9][0-9]*\).*/\2/p')"
"$MOTE" data undo >/dev/null; "$MOTE" data undo >/dev/null

# ---- health -------------------------------------------------------------------------------------
finds() { sed -n '/"kind": "'"$2"'"/,/"details"/p' <<<"$1" | sed -n '/"samples"/,/]/p' | grep -o '[0-9]\+' | tr '\n' ' ' | sed 's/ $//'; }
"$MOTE" data split --by sample >/dev/null
out=$("$MOTE" data check --strict --json); is "strict: findings are an error" 1 $?
"$MOTE" data check >/dev/null; is "findings alone are none" 0 $?
has "it reads the whole file" '"whole": true' "$out"
has "a group on two sides is a leak" "group p0: " "$out"
# Readings in another unit than sensor.range has.
awk -F, 'NR == 1 { print; next } { printf "%s,%s,%s,%s\n", $1, $2 * 1000, $3 * 1000, $4 * 1000 }' "$T/data/slow/p1_5.csv" >"$T/milli.csv"
out=$("$MOTE" add "$T/milli.csv" --label slow --split train); has "numbers beyond the range are told" "beyond sensor.range in mote.yaml, where training cuts them off: 1" "$out"
milli=$("$MOTE" data list --where "source=$T/milli.csv" | awk 'NR == 2 { print $1 }')
is "and found" "$milli" "$(finds "$("$MOTE" data check --json)" beyond_range)"
sed -i.before 's/range: .*/range: []/' mote.yaml; is "not where the range is found" "" "$(finds "$("$MOTE" data check --json)" beyond_range)"; mv mote.yaml.before mote.yaml
"$MOTE" data undo >/dev/null
# A flat axis, a saturated sensor, a dropout, another label, nearly the same.
awk -F, 'NR == 1 { print; next } { printf "%s,%s,0.25,%s\n", $1, $2, $4 }' "$T/data/slow/p1_5.csv" >"$T/flat.csv"
awk -F, 'NR == 1 { print; next } { v = $2 * 3; if (v > 1) v = 1; if (v < -1) v = -1; printf "%s,%.4f,%s,%s\n", $1, v, $3, $4 + 0.001 * (NR % 3) }' "$T/data/slow/p2_6.csv" >"$T/clip.csv"
awk -F, 'NR == 1 { print; next } { if (NR < 150 || NR > 220) x = $2; printf "%s,%s,%s,%s\n", $1, x, $4, $3 }' "$T/data/fast/p3_7.csv" >"$T/drop.csv"
awk -F, 'NR == 1 { print; next } { printf "%s,%.4f,%.4f,%.4f\n", $1, $2 * 0.8, $3 * 0.8, $4 * 0.8 }' "$T/data/fast/p0_8.csv" >"$T/again.csv"
for f in flat clip drop; do "$MOTE" add "$T/$f.csv" --label slow --split train >/dev/null; done
twin=$("$MOTE" data list --where "source=$T/data/fast/p0_8.csv" | awk 'NR == 2 { print $1 }')
"$MOTE" data set "$twin" --set-split train >/dev/null; "$MOTE" add "$T/again.csv" --label fast --split test >/dev/null
id() { "$MOTE" data list --where "source=$T/$1.csv" | awk 'NR == 2 { print $1 }'; }
out=$("$MOTE" data check --json)
is "a flat axis" "$(id flat)" "$(finds "$out" constant)"
is "a saturated one" "$(id clip)" "$(finds "$out" clipped)"
is "a dropout" "$(id drop)" "$(finds "$out" dropout)"
is "nearly the same on two sides" "$twin $(id again)" "$(finds "$out" near_duplicate_leak)"
wrong=$("$MOTE" data list --label fast | awk 'NR == 4 { print $1 }')
"$MOTE" data set "$wrong" --set-label still >/dev/null
is "a wrong label" "$wrong" "$(finds "$("$MOTE" data check --json)" label)"
out=$("$MOTE" data check); has "what to do" "--set-label" "$out"; has "one is one" "1 sample has a channel that never changes" "$out"

# ---- export -----------------------------------------------------------------------------------
"$MOTE" data set 1 2 --meta 'note=a, b' >/dev/null
out=$("$MOTE" data export -o "$T/out" --json); is "export" "$(count)" "$(number "$out" files)"
is "a folder for each label" "fast slow still" "$(cd "$T/out" && ls -d -- */ | tr -d / | tr '\n' ' ' | sed 's/ $//')"
is "an index" "$(($(count) + 1))" "$(wc -l <"$T/out/samples.csv")"
out=$("$MOTE" data export -o "$T/out" 2>&1); is "never over files" 1 $?
"$MOTE" new "$T/back" --template motion >/dev/null
out=$("$MOTE" add --index "$T/out/samples.csv" --project "$T/back" --json 2>/dev/null); is "read back" "$(count)" "$(number "$out" added)"
# samples by id: the label and the numbers of each are the same on both sides
is "with labels and splits" "$("$MOTE" data list --json | sed -n 's/.*"\(label\|split\)": \("[a-z]*"\).*/\2/p' | sort | uniq -c)" \
  "$("$MOTE" data list --project "$T/back" --json | sed -n 's/.*"\(label\|split\)": \("[a-z]*"\).*/\2/p' | sort | uniq -c)"
is "and metadata" 2 "$("$MOTE" data list --project "$T/back" --where 'note=a, b' --json | grep -c '"id"')"
"$MOTE" data export -f csv -o "$T/all.csv" 1-3 >/dev/null; is "one table" $((3 * 400 + 1)) "$(wc -l <"$T/all.csv")"
"$MOTE" data export -f npz -o "$T/all.npz" 1-20 >/dev/null; is "npz" "504b0304" "$(head -c 4 "$T/all.npz" | od -An -tx1 | tr -d ' \n')"
"$MOTE" data export -f npy -o "$T/npy" 1-4 >/dev/null; is "npy" 4 "$(find "$T/npy" -name '*.npy' | wc -l)"
out=$("$MOTE" data export -f npz -o /nowhere/x.npz 2>&1); is "a place that is not there" 1 $?
# ---- recording ------------------------------------------------------------------------------
lines() { awk -v n="$1" -v d="$2" 'BEGIN { for (i = 0; i < n; i++) { printf "%d,%.3f,%d\n", i, sin(i / 9), -i; fflush(); if (d) system("sleep " d) } }'; }
"$MOTE" new "$T/r" --template motion >/dev/null; cd "$T/r" || exit 1
out=$(lines 300 0 | "$MOTE" record --stdin --label idle --rate 50 --group anna --meta device=nano --json); is "record lines" 0 $?
is "their number" 300 "$(number "$out" frames)"
has "a stated rate is converted to the project's" '"converted": true' "$out"
is "6 seconds at 100 Hz" 6 "$(number "$out" seconds)"
has "with metadata" "device = nano" "$("$MOTE" data show 1)"
out=$(lines 250 0 | "$MOTE" record --stdin --label walk --rate 100 --cut 1 --json); is "cut into samples" 3 "$(grep -c '"id"' <<<"$out")"
is "one change" 1 "$("$MOTE" data undo >/dev/null; "$MOTE" data list --json | grep -c '"id"')"
out=$( (lines 20 0; echo hello; echo 1,2; lines 5 0) | "$MOTE" record --stdin --label x --json); is "broken lines are counted" 1 "$(number "$out" broken)"
is "and wrong numbers of columns" 1 "$(number "$out" wrong_count)"
has "a rate that cannot be measured is assumed" '"rate": "assumed"' "$out"
out=$(seq 1 9 | "$MOTE" record --stdin --label x 2>&1); is "no line fits" 1 $?
has "and says how many numbers came" "the last 1" "$out"
out=$(seq 101 109 | awk '{ print 7, $1, 8, 9 }' | "$MOTE" record --stdin --label x --rate 100 --columns 2,3,4 --json); is "columns" 9 "$(number "$out" frames)"
out=$("$MOTE" record --microphone --label x 2>&1); has "a microphone is for sound" "no audio" "$out"
# Ctrl-C keeps what came
lines 1000 0.01 | (exec "$MOTE" record --stdin --label kept --json >out.json 2>err.txt) & job=$!
sleep 1.5; pkill -INT -P $job 2>/dev/null || kill -INT $job; wait $job
has "Ctrl-C ends it" '"ended": "stop"' "$(cat out.json err.txt)"
is "and what came is kept" 1 "$("$MOTE" data list --label kept --json | grep -c '"id"')"
# kill -9: the next record, or --recover, keeps all but the last second
lines 1000 0.01 | (exec "$MOTE" record --stdin --label cut --group ben --meta device=uno >/dev/null 2>err.txt) & job=$!
sleep 3; is "it lies beside the database" 1 "$(find . -name 'recording-*.part' | wc -l)"
is "and is left alone while it grows" 0 "$("$MOTE" record --recover --json | grep -c '[0-9]')"
kill -KILL $job; wait $job 2>/dev/null
cp recording-*.part "$T/left"
out=$("$MOTE" record --recover --json); is "a killed recording is kept" 0 $?
is "as one sample" 1 "$(grep -c '^ *[0-9]' <<<"$out")"
is "of its group, with its metadata" 1 "$("$MOTE" data list --label cut --group ben --where device=uno --json | grep -c '"id"')"
is "all but a second of it" yes "$("$MOTE" data list --label cut --json | awk -F: '/"seconds"/ { print ($2 + 0 > 0.7 ? "yes" : $2) }')"
is "and nothing lies there any more" 0 "$(find . -name 'recording-*.part' | wc -l)"
cp "$T/left" recording-again.part; "$MOTE" record --recover >/dev/null 2>err.txt; is "it is kept once" "0 1" "$? $("$MOTE" data list --label cut --json | grep -c '"id"')"
for n in 0 7 30 40 60 200; do head -c $n "$T/left" >"recording-$n.part"; out=$("$MOTE" record --recover 2>&1); [ $? -le 1 ] || not_ok "$n bytes of it" "$out"; rm -f recording-*.part; done
: >recording-empty.part; cp "$T/left" recording-z.part
"$MOTE" data delete --label cut >/dev/null 2>&1
out=$("$MOTE" record --recover --json 2>&1); is "an empty one stops no other" "0 0" "$? $(find . -name 'recording-*.part' | wc -l)"
out=$("$MOTE" record --serial /dev/nowhere --label x 2>&1); is "a port that is not there" 1 $?
case $out in *.part*) not_ok "the error names the port" "$out" ;; *) ok "the error names the port" ;; esac
printf 'MOTEREC2 is of another time and place, or none' >recording-odd.part
out=$("$MOTE" record --recover 2>&1); is "what is none" 1 $?
has "is named" "recording-odd.part: no recording" "$out"
out=$(lines 30 0 | "$MOTE" record --stdin --label y --json 2>err.txt); is "and stops no other" 0 $?
has "which is told of it" "is not kept" "$(cat err.txt)"
rm recording-odd.part; mkfifo recording-pipe.part
out=$(timeout 20 "$MOTE" record --recover 2>&1); has "a pipe is not waited for" "recording-pipe.part: no recording" "$out"
rm recording-pipe.part; mkdir recording-folder.part
out=$("$MOTE" record --recover 2>&1); has "nor is a folder one" "recording-folder.part: no recording" "$out"
rmdir recording-folder.part
"$MOTE" new "$T/a" --template keyword >/dev/null; cd "$T/a" || exit 1
out=$(head -c 64000 /dev/urandom | "$MOTE" record --stdin --raw --label noise --seconds 1 --json); is "raw sound" 16000 "$(number "$out" frames)"
"$MOTE" data export -o "$T/wav" >/dev/null; "$MOTE" new "$T/b" --template keyword >/dev/null
"$MOTE" add --index "$T/wav/samples.csv" --project "$T/b" >/dev/null 2>&1
is "sound goes out and comes back with the same bits" "$("$MOTE" data list --json | grep sha256)" "$("$MOTE" data list --project "$T/b" --json | grep sha256)"
out=$(ALSA_CONFIG_PATH=/dev/null "$MOTE" record --microphone --label x 2>&1 </dev/null); is "no microphone" 1 $?
has "is said" "no microphone" "$out"
exit $failed
