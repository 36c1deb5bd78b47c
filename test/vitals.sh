#!/bin/bash
# The steps of docs/howto/heart.md and docs/howto/cattle.md on few recordings and with little training: their mote.yaml as it
# stands there. Prints TAP lines; skips, visibly, where the recordings are absent.
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE_HOME=${MOTE_HOME:-$PWD}
ROOT=$PWD SHARED=${MOTE_SHARED:-../shared} DATA=$PWD/build/shared/data
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
n=0
ok() { n=$((n + 1)); if [ "$2" = "$3" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "# $2 is wanted, not $3"; fi; }
# least NAME MIN VALUE
least() { ok "$1 (at least $2: $3)" yes "$(awk -v a="$3" -v b="$2" 'BEGIN { if (a + 0 >= b + 0) print "yes"; else print "no" }')"; }
has() { case $3 in *"$2"*) ok "$1" 1 1 ;; *) ok "$1" "$2" "$3" ;; esac; }
if ! "$SHARED/unpack" build/shared data/mitbih data/wisdm >/dev/null 2>&1; then
  echo "ok 1 - docs/howto/heart.md and cattle.md # SKIP no recordings at $SHARED"
  echo "1..1"
  exit 0
fi
# yaml DOCUMENT: its mote.yaml, with little training
yaml() { awk '/^```yaml/ { on = 1; next } /^```/ { on = 0 } on' "$ROOT/docs/howto/$1.md" | sed 's/epochs: [0-9]*, qat_epochs: [0-9]*/epochs: 5, qat_epochs: 1/'; }
accuracy() { printf '%s\n' "$1" | sed -n 's/^int8 *\([0-9.]*\) %.*/\1/p' | head -n 1; }

cd "$T" && "$MOTE" new heart --template sensor --rate-hz 100 --channels 2 --length-ms 5000 -q && cd heart && yaml heart >mote.yaml
out=$("$MOTE" add "$DATA"/mitbih/{106,119,223}.hea --whole --group-from name --test 'name:^119' --validation 'name:^223' 2>&1)
has "records with their beats" "3 added" "$out"
out=$("$MOTE" data segment --all --events labels --length 5 2>/dev/null | tail -n 1); has "windows about beats" "6603 pieces" "$out"
out=$("$MOTE" train 2>&1); has "a network learns beats" "run 1" "$out"
out=$("$MOTE" test 2>&1); least "beats of a person it never saw" 90 "$(accuracy "$out")"
out=$("$MOTE" features --rank 2>&1); has "values have names" "interval before the middle beat" "$out"
has "what a beat looks like, too" "middle beat's likeness to the others" "$out"

cd "$T" && "$MOTE" new herd --template motion --rate-hz 20 --channels 3 --length-ms 10000 -q && cd herd && yaml cattle >mote.yaml
mkdir raw && find "$DATA/wisdm/raw/" -name "data_160[0-3]*" -exec cp {} raw \;
"$MOTE" add raw --label-column 2 --time-column 3 --time-unit ns --columns 4-6 --group-from 'name:data_([0-9]+)' --validation 'name:data_1602' --test 'name:data_1603' >/dev/null 2>&1
ok "four animals" 4 "$("$MOTE" data list --json 2>/dev/null | grep -oE '"group": ?"[0-9]+"' | sort -u | wc -l)"
out=$("$MOTE" train 2>&1); has "a network learns behaviour" "run 1" "$out"
out=$("$MOTE" test 2>&1); least "behaviour of one that it never saw" 50 "$(accuracy "$out")"
out=$("$MOTE" features --rank 2>&1); has "derived channels have names" "jerk" "$out"
echo "1..$n"
