#!/bin/bash
# docs/howto/add.md says what it prints: every block of commands in it is run on the recordings of other people, and what
# comes out is compared. MOTE_WRITE=1 writes the blocks anew. Prints TAP lines; skips, visibly, where the recordings are
# absent.
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE_HOME=${MOTE_HOME:-$PWD}
SHARED=${MOTE_SHARED:-../shared} DOC=$PWD/docs/howto/add.md UNPACKED=$PWD/build/shared
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
n=0
if [ ! -x "$SHARED/unpack" ]; then
  echo "ok 1 - docs/howto/add.md # SKIP no recordings at $SHARED"
  echo "1..1"
  exit 0
fi
SHARED=$(cd "$SHARED" && pwd)
mote() { "$MOTE" "$@" 2>&1 | grep -vE '^(add|read) +(done|[0-9]+ %)'; }
export -f mote

# The blocks, each in a file of its own, and the document with a mark in the place of each.
awk -v to="$T/block" '
  /^```$/ && !inside { inside = 1; k++; print "@@" k; next }
  /^```$/ { inside = 0; close(to k); next }
  inside { print > (to k); next }
  { print }' "$DOC" >"$T/frame"
blocks=$(grep -c '^@@' "$T/frame")
mkdir "$T/run"
ln -s "$UNPACKED/data" "$T/run/data"
for k in $(seq 1 "$blocks"); do
  # Words like data/raw inside of a set are no sets: unpack refuses them, which does no harm.
  for set in $(grep -oE 'data/[a-z0-9-]+' "$T/block$k" | sort -u); do "$SHARED/unpack" "$UNPACKED" "$set" >/dev/null 2>&1; done
  while IFS= read -r line; do
    case $line in
      '$ '*) echo "$line"; (cd "$T/run" && export MOTE && eval "${line#\$ }") ;;
    esac
  done <"$T/block$k" >"$T/out$k"
  n=$((n + 1))
  what=$(grep -oE "data/[a-z0-9-]+" "$T/block$k" | head -n 1)
  if [ -n "${MOTE_WRITE:-}" ] || cmp -s "$T/block$k" "$T/out$k"; then echo "ok $n - block $k: $what"
  else echo "not ok $n - block $k: $what"; diff "$T/block$k" "$T/out$k" | head -n 30 | sed 's/^/# /'; fi
done
if [ -n "${MOTE_WRITE:-}" ]; then
  while IFS= read -r line; do
    case $line in
      @@*) echo '```'; cat "$T/out${line#@@}"; echo '```' ;;
      *) echo "$line" ;;
    esac
  done <"$T/frame" >"$DOC"
fi
echo "1..$n"
