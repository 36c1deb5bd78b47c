#!/bin/sh
# Every row of test/budget.tsv: a model on a chip may not take more than the row says. Less is a pass that asks for
# the row to be written down anew:  test/budget.sh --write
set -u
cd "$(dirname "$0")/.." || exit 3
MOTE=${MOTE:-$PWD/build/mote}
MOTE_SHARED=${MOTE_SHARED:-../shared}
table=test/budget.tsv
columns="flash_code_bytes flash_weight_bytes ram_arena_bytes stack_bytes instructions"
write=0; [ "${1:-}" = --write ] && write=1

rows=$(grep -v '^#' "$table" | grep -c .)
echo "1..$rows"
skip_all() { grep -v '^#' "$table" | while read -r m t _; do echo "ok - $m on $t # SKIP $1"; done; exit 0; }
[ -x "$MOTE_SHARED/unpack" ] || skip_all "no shared models"
command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null || skip_all "no compiler or emulator"
"$MOTE_SHARED/unpack" build/shared models/reference >/dev/null 2>&1 || skip_all "the shared models do not unpack"

value() { # the first number of a key in one line of JSON
  grep -o "\"$2\": *[0-9][0-9]*" "$1" | head -n 1 | grep -o '[0-9]*$'
}

failed=0
new=$(mktemp); json=$(mktemp)
trap 'rm -f "$new" "$json"' EXIT
grep '^#' "$table" >"$new"
tab=$(printf '\t')
grep -v '^#' "$table" | grep . >"$new.rows"
while read -r model target limits; do
  if ! "$MOTE" bench "build/shared/models/reference/$model" --target "$target" --json --quiet >"$json"; then
    echo "not ok - $model on $target: $(head -c 300 "$json")"; failed=1
    printf '%s\t%s\t%s\n' "$model" "$target" "$(echo "$limits" | tr ' ' '\t')" >>"$new"
    continue
  fi
  over=""; under=""; line="$model$tab$target"
  set -- $limits
  for key in $columns; do
    got=$(value "$json" "$key"); limit=$1; shift
    line="$line$tab$got"
    if [ "$got" -gt "$limit" ]; then over="$over $key $got > $limit,"; fi
    if [ "$got" -lt "$limit" ]; then under="$under $key $got < $limit,"; fi
  done
  echo "$line" >>"$new"
  if [ -n "$over" ]; then echo "not ok - $model on $target:${over%,}"; failed=1
  else echo "ok - $model on $target"; fi
  [ -z "$under" ] || echo "# improved, write it down:${under%,}"
done <"$new.rows"
rm -f "$new.rows"
[ "$write" -eq 0 ] || cp "$new" "$table"
exit "$failed"
