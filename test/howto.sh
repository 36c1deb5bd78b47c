#!/bin/bash
# What docs/howto says is what Mote does: the commands of every how-to are run on the recordings of other people, and what they print
# is compared. MOTE_WRITE=1 writes the blocks anew. Prints TAP lines; skips, visibly, where the recordings are absent.
#   <!-- run -->                    the block below is run, and must print what stands there
#   <!-- run loosely -->            and must end well: what it prints depends on the processor
#   <!-- run loosely: s/40/2/ -->   the same, its commands shortened by this sed expression
#   <!-- run all -->                every block of the file, as with the first
# The blocks of a file share a folder, in which `data` is the folder of recordings.
# usage: test/howto.sh [NAME...]    of docs/howto; all of them unless named
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE MOTE_HOME=${MOTE_HOME:-$PWD}
SHARED=${MOTE_SHARED:-../shared} UNPACKED=$PWD/build/shared
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
n=0
if [ ! -x "$SHARED/unpack" ]; then
  echo "ok 1 - docs/howto # SKIP no recordings at $SHARED"
  echo "1..1"
  exit 0
fi
SHARED=$(cd "$SHARED" && pwd)
command -v qemu-system-arm >/dev/null && command -v arm-none-eabi-gcc >/dev/null; chips=$?
mote() {
  "$MOTE" "$@" 2>&1 | grep -vE '^[a-z]+ +(done|[0-9]+ %)'
  return "${PIPESTATUS[0]}"
}
export -f mote

# frame FILE: its blocks as $T/block1 ..., how each is run as $T/how1 ..., the text with a mark in the place of each as $T/frame.
frame() {
  rm -f "$T"/block* "$T"/how*
  awk -v to="$T/" '
    /^<!-- run all -->$/ { all = 1 }
    /^<!-- run.* -->$/ { how = $0 }
    /^```$/ && !inside { inside = 1; k++; print "@@" k; print (all ? "<!-- run -->" : how) > (to "how" k); printf "" > (to "block" k); next }
    /^```$/ { inside = 0; how = ""; close(to "block" k); close(to "how" k); next }
    inside { print > (to "block" k); next }
    { print }' "$1" >"$T/frame"
}

# block K SED: the commands of a block, each behind its "$ " with what it prints; a line that ends with \ goes on.
block() {
  local line command='' shown='' code=0
  while IFS= read -r line; do
    case $line in
      '$ '*) command=${line#\$ } shown=$line ;;
      *) [ -n "$command" ] || continue; command=$command$'\n'$line shown=$shown$'\n'$line ;;
    esac
    case $line in *\\) continue ;; esac
    echo "$shown"
    command=$(sed "$2" <<<"$command")
    cd "$(cat "$T/where")" && eval "$command" || code=1
    pwd >"$T/where"
    command=
  done <"$T/block$1"
  return $code
}

howto() {
  local doc=$1 k blocks how sed set what
  frame "$doc"
  blocks=$(grep -c '^@@' "$T/frame")
  rm -rf "$T/run" && mkdir "$T/run" && ln -s "$UNPACKED/data" "$T/run/data"
  echo "$T/run" >"$T/where"
  for k in $(seq 1 "$blocks"); do
    cp "$T/block$k" "$T/out$k"
    how=$(cat "$T/how$k")
    [ -n "$how" ] || continue
    n=$((n + 1))
    what="$(basename "$doc"), block $k"
    if [ $chips != 0 ] && grep -qE -- '--chip|--board|mote bench' "$T/block$k"; then echo "ok $n - $what # SKIP no emulated chip"; continue; fi
    # Words like data/raw inside of a set are no sets: unpack refuses them, which does no harm.
    for set in $(grep -oE 'data/[a-z0-9-]+' "$T/block$k" | sort -u); do "$SHARED/unpack" "$UNPACKED" "$set" >/dev/null 2>&1; done
    sed=$(sed -n 's/^<!-- run loosely: \(.*\) -->$/\1/p' <<<"$how")
    [ -z "${MOTE_WRITE:-}" ] || sed=
    (block "$k" "$sed") >"$T/out$k"
    code=$?
    if [ -n "${MOTE_WRITE:-}" ]; then echo "ok $n - $what"; continue; fi
    case $how in
      *loosely*) if [ $code = 0 ]; then echo "ok $n - $what"; else echo "not ok $n - $what"; sed 's/^/# /' "$T/out$k"; fi ;;
      *) if cmp -s "$T/block$k" "$T/out$k"; then echo "ok $n - $what"
         else echo "not ok $n - $what"; diff "$T/block$k" "$T/out$k" | head -n 30 | sed 's/^/# /'; fi ;;
    esac
  done
  [ -n "${MOTE_WRITE:-}" ] || return 0
  while IFS= read -r line; do
    case $line in
      @@*) echo '```'; cat "$T/out${line#@@}"; echo '```' ;;
      *) echo "$line" ;;
    esac
  done <"$T/frame" >"$doc"
}

[ $# -gt 0 ] || set -- $(grep -l '^<!-- run' docs/howto/*.md | sed 's|.*/||; s|\.md$||')
for name in "$@"; do howto "$PWD/docs/howto/$name.md"; done
echo "1..$n"
