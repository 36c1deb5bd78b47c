#!/bin/sh
# mote tune from end to end, shortened: the same trials with any number of threads, after kill -9, from a journal that was cut, and with MPI
# ranks; a rank that dies; a point that is written gives the very model in mote train. Prints TAP lines.
. "$(dirname "$0")/tap"
set -u
# What must be equal: all but times and what was refused while this process proposed.
same() { grep -v -E '"(seconds|refused|unmade|reason_unmade|journal)"' "$1" >"$1.same"; if cmp -s first.same "$1.same"; then ok "$2"; else not_ok "$2: $(diff first.same "$1.same" | head -n 5)"; fi; }

awk -v dir="$T" 'BEGIN {
  srand(4)
  n = split("slow fast rough", kind, " ")
  for (k = 1; k <= n; k++) for (f = 0; f < 24; f++) {
    file = dir "/" kind[k] "_" f ".csv"
    print "time,x,y,z" > file
    phase = 6.28 * rand(); hz = (k == 1 ? 12 : k == 2 ? 17 : 14) + 3 * rand()
    for (t = 0; t < 200; t++) {
      v = 0.5 * sin(6.2832 * hz * t / 200 + phase)
      printf "%.3f,%.4f,%.4f,%.4f\n", t / 200, v + 0.4 * (rand() - 0.5), 0.4 * v + (k == 3 ? 0.8 : 0.2) * (rand() - 0.5), 1 + 0.3 * (rand() - 0.5) > file
    }
    close(file)
  }
}'
cd "$T" || exit 1
"$MOTE" new shake --template vibration --board xiao -q >/dev/null && cd shake || exit 1
"$MOTE" add -q ../slow_*.csv ../fast_*.csv ../rough_*.csv --label-from 'name:^([a-z]+)_' >/dev/null
"$MOTE" data split --validation 0.3 --test 0.1 >/dev/null; is "a project" 0 $?
sed -i 's/^training: {}/training: {epochs: 6, qat_epochs: 2}/' mote.yaml
cp mote.yaml before.yaml
tune() { "$MOTE" tune -q --no-count --json --trials 19 "$@"; }

tune --threads 1 >first 2>err; is "two rounds" 0 $?
grep -v -E '"(seconds|refused|unmade|reason_unmade|journal)"' first >first.same
is "divisions" 3 "$(number first folds)"
is "trials" 19 "$(number first trials)"
is "whole rounds" 2 "$(number first whole_rounds)"
grep -q '"front": \[$' first && ! grep -q '"front": \[\]' first; is "there are best points" 0 $?
tune --threads 1 >again; same again "the same command has nothing left to do"
tune --threads 2 --journal two >two.json; same two.json "two threads give the same"

# kill -9 while it runs, three times.
results() { if [ -e "$1" ]; then grep -c ' done ' "$1"; else echo 0; fi; }
for i in 1 2 3; do
  "$MOTE" tune -q --no-count --json --trials 19 --threads 2 --journal killed >/dev/null 2>&1 & pid=$!
  while kill -0 $pid 2>/dev/null && [ "$(results killed)" -lt $((i * 6)) ]; do sleep 0.05; done
  kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
done
left=$(results killed); total=$(number first trainings)
[ "$left" -lt "$total" ]; is "killed before its end: $left of $total trainings" 0 $?
tune --threads 2 --journal killed >killed.json 2>err; same killed.json "a killed search ends the same"
for cut in 1 3000; do
  head -c -$cut killed >cut; tune --threads 2 --journal cut >cut.json 2>err; same cut.json "and so does a journal without its last $cut bytes"
done
tune --seed 2 >out 2>err; is "another seed is another search" 1 $?
grep -q 'seed 1' err && grep -q -- '--fresh' err; is "and the error says so" 0 $?
"$MOTE" tune -q --no-count --json --trials 1 --journal tiny >tiny.json 2>err; is "a single trial is a round" 0 $?
is "with its points alone" 10 "$(number tiny.json trials)"
tune --ram 2000 --journal little >little; is "limits that nothing keeps" 0 $?
is "leave mote.yaml alone" 1 "$(number little trials)"

sed 's/^  kind: auto.*/  kind: spectrum\n  values: [level, flatness]/' before.yaml >mote.yaml
tune --journal flat >flat.json 2>err; grep '"reason_unmade"' flat.json | grep -q 'features\.'; is "flatness stays in every trial" 1 $?
is "of whole rounds" 2 "$(number flat.json whole_rounds)"
cp before.yaml mote.yaml

echo "a letter to a friend" >letter
tune --fresh --journal letter >out 2>err; is "a file that is no journal" 1 $?
is "is not emptied by --fresh" "a letter to a friend" "$(head -c 20 letter)"
sed '/ done 0 2 /q' two >one
"$MOTE" tune --show --journal one >out 2>err; is "mote.yaml alone was tried to the end" 0 $?
grep -q '^ *0 .*mote.yaml as it is' out && ! grep -q 'next:' out; is "and there is nothing to write next" 0 $?

# Files whose keys cannot be changed are refused before anything is searched.
awk '/^features:/ { print "features: {kind: statistics, channels: [1, 2]}" } /^[a-z]/ { skip = /^features:/ } !skip' before.yaml >mote.yaml
tune --journal odd >out 2>err; is "brackets in braces" 1 $?
grep -q 'features: .*give each of its keys a line' err; is "and the error says what would work" 0 $?
sed 's/$/\r/' before.yaml >mote.yaml
tune --journal ends >out 2>err; is "lines that end in CR LF" 1 $?
grep -q 'CR LF' err; is "and the error says so" 0 $?
cp before.yaml mote.yaml

# The best point, written and trained.
n=$(sed -n '/"front"/,/\]/p' first | sed -n 's/^ *\([1-9][0-9]*\),*$/\1/p' | head -n 1)
"$MOTE" tune --write "$n" --json >written 2>err; is "write trial $n" 0 $?
"$MOTE" train -q --json >train 2>err; is "train it" 0 $?
is "the very accuracy" "$(number written accuracy_own)" "$(number train validation_accuracy_int8)"
sqlite3 project.db "select writefile('model', model) from runs order by id desc limit 1" >/dev/null
is "and the very network" "$(sed -n 's/^ *"model": "\(.*\)".*/\1/p' written)" "$(sha256sum <model | cut -c1-16)"
tune --threads 1 >again 2>err; same again "the search goes on from what it began with"
"$MOTE" tune --write 1 >/dev/null 2>err; is "another point over it" 0 $?
echo "# mine" >>mote.yaml
"$MOTE" tune --write "$n" >/dev/null 2>err; is "what a person changed is not written over" 1 $?
cp before.yaml mote.yaml
"$MOTE" tune --write 4294967297 >/dev/null 2>err; is "a trial that is not there" 1 $?
grep -q 'no trial 4294967297' err && cmp -s before.yaml mote.yaml; is "changes nothing" 0 $?
printf %s "$(cat before.yaml)" >mote.yaml
"$MOTE" tune --write 1 >/dev/null 2>err; is "a last line without a break is no change" 0 $?

# Behind a front, frames are whole samples of what comes out of it (100 Hz), and written points keep it and train as they were tried.
awk '/^features:/ { print "features:\n  kind: spectrum\n  front:\n    decimate: 2" } /^[a-z]/ { skip = /^features:/ } !skip' before.yaml >mote.yaml
"$MOTE" tune -q --no-count --json --trials 10 --journal front >front.json 2>err; is "features behind a front" 0 $?
frames=0 wrong=0
for n in 1 2 3 4 5 6 7 8 9; do
  "$MOTE" tune -q --write $n --journal front >/dev/null 2>err && grep -q '^    decimate: 2$' mote.yaml || wrong=1
  for ms in $(sed -n 's/^  \(frame\|hop\)_ms: //p' mote.yaml); do frames=$((frames + 1)); [ "$ms" = "${ms%0}0" ] || wrong=1; done
done
[ $frames -gt 0 ] && [ $wrong -eq 0 ]; is "stay behind it, with whole frames" 0 $?
n=$(sed -n '/"front"/,/\]/p' front.json | sed -n 's/^ *\([1-9][0-9]*\),*$/\1/p' | head -n 1)
"$MOTE" tune --write "$n" --journal front --json >written 2>err; is "write trial $n of them" 0 $?
"$MOTE" train -q --json >train 2>err; is "train it" 0 $?
is "the very accuracy" "$(number written accuracy_own)" "$(number train validation_accuracy_int8)"
cp before.yaml mote.yaml

"$MOTE" tune --show --html page.html --ranks 1 --ranks 4 >shown; is "show" 0 $?
grep -q 'simulated' shown && grep -q '<svg' page.html && grep -q '>mote.yaml<' page.html; is "a page with the plot, and what four workers would take" 0 $?

if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null; then
  "$MOTE" tune -q --json --trials 10 --ms 60 --uj 1000 --journal counted >counted.json 2>err; is "built and counted" 0 $?
  grep -q '"counted": true' counted.json && [ -n "$(number counted.json milliseconds)" ]; is "with milliseconds" 0 $?
  PATH=/nowhere "$MOTE" tune --show --json --journal counted >out 2>err; is "shown where nothing can be built" 0 $?
  grep -v '"seconds"' counted.json | grep -v -E '"(refused|unmade|reason_unmade)"' >one
  grep -v '"seconds"' out | grep -v -E '"(refused|unmade|reason_unmade)"' | cmp -s - one; is "with the same figures" 0 $?
  PATH=/nowhere "$MOTE" tune --write 1 --journal counted >/dev/null 2>err; is "and written" 0 $?
  cp before.yaml mote.yaml
else
  echo "ok - built and counted # SKIP no cross compiler or emulator"
fi

if command -v mpirun >/dev/null && [ -e "$(dirname "$MOTE")/mote-mpi.so" ]; then
  mpi() { mpirun --allow-run-as-root --oversubscribe "$@"; }
  for ranks in 2 4; do
    mpi -n $ranks "$MOTE" tune -q --no-count --json --trials 19 --journal "mpi$ranks" >"mpi$ranks.json" 2>err; is "$ranks ranks" 0 $?
    same "mpi$ranks.json" "$ranks ranks give the same"
  done
  mpirun --allow-run-as-root --oversubscribe -n 3 "$MOTE" tune -q --no-count --json --trials 19 --journal dead >dead.json 2>err & pid=$!
  while kill -0 $pid 2>/dev/null && [ "$(results dead)" -lt 4 ]; do sleep 0.05; done
  for p in $(pgrep -P $pid); do tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -q '^OMPI_COMM_WORLD_RANK=2$' && kill -9 "$p"; done
  wait $pid; code=$?
  [ $code -ne 0 ] && [ -s err ]; is "a rank that dies ends the run" 0 $?
  mpi -n 2 "$MOTE" tune -q --no-count --json --trials 19 --journal dead >dead.json 2>err; same dead.json "and the journal goes on"
else
  echo "ok - MPI ranks # SKIP no mpirun"
fi
exit $failed
