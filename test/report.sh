#!/bin/sh
# mote report: objects that are damaged, cut short, nested too deeply or of another command are refused with a line
# number or a reason, exit code 1, never a crash. Prints TAP lines. check: sanitizers too
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
n=0
refused() { # name, text that must be said; the object is in x.json
  n=$((n + 1))
  said=$("$MOTE" report --bench x.json 2>&1); code=$?
  case $code:$said in
    1:*"$2"*) echo "ok $n - $1" ;;
    *) echo "not ok $n - $1"; printf '%s\n' "code $code, wanted: $2, said: $said" | sed 's/^/# /' ;;
  esac
}
good='{"target": "cortex-m4", "text": "a\u00e9\ud83d\ude00\n", "layers": [{"index": 0, "instructions": 1.5e3, "x": null}, true, false], "k": -0.25}'

printf '%s' "$good" >x.json; refused "a whole object is read; only the project is missing" "mote.yaml"
printf '' >x.json;           refused "an empty file" "line 1"
printf '{\n "a": 1,\n "b" 2}' >x.json; refused "a missing colon, by its line" "line 3: "
printf '[1, 2]' >x.json;     refused "an array is no object" "no object"
printf '{"error": "input", "message": "no such model"}' >x.json; refused "the object of an error" "no such model"
printf '{"a": 01}' >x.json;  refused "a leading zero" "line 1"
printf '{"a": 1e999}' >x.json; refused "an infinite number" "overflow"
printf '{"a": "\\x"}' >x.json; refused "an unknown escape" "escape"
printf '{"a": "\\u12"}' >x.json; refused "a short escape" "escape"
printf '{"a": 1} {' >x.json; refused "text behind the object" "end of file expected"
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "[" }' >x.json; refused "100,000 arrays inside one another" "depth"
refused_dir() { mkdir -p d; n=$((n + 1)); if "$MOTE" report --bench d >/dev/null 2>&1; then echo "not ok $n - a directory"; else echo "ok $n - a directory"; fi; }
refused_dir

# Every prefix, and every byte replaced by three others.
length=$(printf '%s' "$good" | wc -c)
wrong=''
i=0
while [ $i -lt "$length" ]; do
  printf '%s' "$good" | head -c $i >x.json
  "$MOTE" report --test x.json >out 2>&1; code=$?
  [ $code -eq 1 ] && [ -s out ] || wrong="$wrong prefix-$i:$code"
  for byte in '\000' '"' '{'; do
    { printf '%s' "$good" | head -c $i; printf "$byte"; printf '%s' "$good" | tail -c +$((i + 2)); } >x.json
    "$MOTE" report --test x.json >out 2>&1; code=$?
    [ $code -eq 1 ] && [ -s out ] || wrong="$wrong byte-$i:$code"
  done
  i=$((i + 1))
done
n=$((n + 1))
if [ -z "$wrong" ]; then echo "ok $n - every prefix and three mutations of every byte"; else echo "not ok $n - $wrong"; fi
"$MOTE" report --nonsense >/dev/null 2>&1; code=$?
n=$((n + 1)); [ $code -eq 2 ] && echo "ok $n - an unknown option is a usage error" || echo "not ok $n - usage: $code"
echo "1..$n"
