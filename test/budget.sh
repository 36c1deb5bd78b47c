#!/bin/sh
# Every row of test/budget.tsv: a model on a chip may not take more than the row says. Less is a pass that asks for
# the row to be written down anew:  test/budget.sh --write
# A new row needs only model, target and options; --write fills in the rest. shapes.tflite is what bench/shapes.c writes.
# Where test/estimates.tsv has the model and target, the planner's estimate is as near to the count as it says.
# Every row of test/limits.tsv: what Mote promises; nobody writes these down anew but who promises more.
set -u
cd "$(dirname "$0")/.." || exit 3
MOTE=${MOTE:-$PWD/build/mote}
MOTE_SHARED=${MOTE_SHARED:-../shared}
table=test/budget.tsv promises=test/limits.tsv bounds=test/estimates.tsv
columns="flash_code_bytes flash_weight_bytes ram_arena_bytes stack_bytes instructions"
promised="flash_code_bytes ram_arena_bytes ram_static_bytes stack_bytes instructions"
write=0; [ "${1:-}" = --write ] && write=1
tab=$(printf '\t')

rows() { grep -v '^#' "$1" | grep .; }
echo "1..$( (rows $table; rows $promises) | wc -l)"
skip_all() {
  rows $table | while IFS=$tab read -r m t o _; do echo "ok - $m on $t, $o # SKIP $1"; done
  rows $promises | while IFS=$tab read -r m t o _; do echo "ok - promise of $m on $t, $o # SKIP $1"; done
  exit 0
}
[ -x "$MOTE_SHARED/unpack" ] || skip_all "no shared models"
command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null || skip_all "no compiler or emulator"
twice=$(rows $table | cut -f1-3 | sort | uniq -d | tr '\t\n' ' ;')
[ -z "$twice" ] || { echo "not ok - rows of $table that stand twice: $twice"; exit 1; }
"$MOTE_SHARED/unpack" build/shared models/reference >/dev/null 2>&1 || skip_all "the shared models do not unpack"

value() { # the first number of a key in one line of JSON
  grep -o "\"$2\": *[0-9][0-9]*" "$1" | head -n 1 | grep -o '[0-9]*$'
}

# What is wrong with the estimate of $json; nothing where it is near enough, or not held to anything.
estimate_of() { # model, target
  set -- $(rows $bounds | awk -F"$tab" -v m="$1" -v t="$2" '$1 == m && $2 == t { print $3, $4 }') \
    "$(value "$json" instructions_estimated)" "$(value "$json" instructions)"
  [ $# -eq 4 ] || return 0
  [ "$(($3 * 100))" -ge "$(($1 * $4))" ] && [ "$(($3 * 100))" -le "$(($2 * $4))" ] ||
    echo " estimated $3 instructions of $4, not within $1 to $2 %,"
}

failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Leaves the figures in $json; a model that both tables name is measured once.
measure() { # model, target, options or -
  json=$dir/$(echo "$*" | tr '/ ' '__').json
  [ ! -e "$json" ] || return 0
  model_file=build/shared/models/reference/$1
  [ "$1" != shapes.tflite ] || model_file=$dir/shapes.tflite
  set -- "$model_file" --target "$2" $([ "$3" = - ] || echo "$3")
  "$MOTE" bench "$@" --json --quiet >"$json.new" 2>"$dir/log" || { json=$json.new; return 1; }
  mv "$json.new" "$json"
}

make -s build/host/bench/shapes >/dev/null 2>"$dir/log" && build/host/bench/shapes "$dir/shapes.tflite" >/dev/null

grep '^#' "$table" >"$dir/table"
rows "$table" >"$dir/rows"
while IFS=$tab read -r model target options limits; do
  what="$model on $target, $options"
  if ! measure "$model" "$target" "$options"; then
    echo "not ok - $what: $(cat "$json" "$dir/log" | head -c 300 | tr '\n' ' ')"; failed=1
    printf '%s\t%s\t%s\t%s\n' "$model" "$target" "$options" "$limits" >>"$dir/table"
    continue
  fi
  over=""; under=""; line="$model$tab$target$tab$options"
  set -- $limits
  for key in $columns; do
    got=$(value "$json" "$key"); limit=${1:-new}; [ $# -eq 0 ] || shift
    line="$line$tab$got"
    if [ "$limit" = new ]; then under="$under $key $got,"
    elif [ "$got" -gt "$limit" ]; then over="$over $key $got > $limit,"
    elif [ "$got" -lt "$limit" ]; then under="$under $key $got < $limit,"; fi
  done
  echo "$line" >>"$dir/table"
  over="$over$(estimate_of "$model" "$target")"
  if [ -n "$over" ]; then echo "not ok - $what:${over%,}"; failed=1
  else echo "ok - $what"; fi
  [ -z "$under" ] || echo "# improved or new, write it down:${under%,}"
done <"$dir/rows"
[ "$write" -eq 0 ] || cp "$dir/table" "$table"

rows "$promises" >"$dir/rows"
while IFS=$tab read -r model target options limits; do
  what="promise of $model on $target, $options"
  if ! measure "$model" "$target" "$options"; then
    echo "not ok - $what: $(cat "$json" "$dir/log" | head -c 300 | tr '\n' ' ')"; failed=1
    continue
  fi
  over=""
  set -- $limits
  for key in $promised; do
    got=$(value "$json" "$key"); limit=$1; shift
    if [ "$limit" != - ] && [ "$got" -gt "$limit" ]; then over="$over $key $got > $limit,"; fi
  done
  if [ -n "$over" ]; then echo "not ok - $what:${over%,}"; failed=1
  else echo "ok - $what"; fi
done <"$dir/rows"
exit "$failed"
