#!/bin/bash
# docs/howto/hotword.md, docs/howto/scene.md and docs/howto/noise.md: every command in them is run, in order, on a few of the recordings and with two
# rounds of training; each must succeed, and every line that the page shows must still begin as a line of what is printed.
# MOTE_WRITE=1 runs them as they stand, on all recordings, and prints what the pages should show. Prints TAP lines; skips,
# visibly, where the recordings are absent.
cd "$(dirname "$0")/.." || exit 1
MOTE=${MOTE:-$PWD/build/mote}
export MOTE_HOME=${MOTE_HOME:-$PWD} MOTE
SHARED=${MOTE_SHARED:-../shared} UNPACKED=$PWD/build/shared
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; [ -z "${3:-}" ] || sed 's/^/# /' <<<"$3" | tail -n 20; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
if [ ! -x "$SHARED/unpack" ]; then
  skip docs/howto "no recordings at $SHARED"
  echo "1..$n"
  exit 0
fi
chips=yes
command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null || chips=

# few FROM TO COUNT: the first files of each folder, by name.
few() {
  (cd "$1" && find . -type f | LC_ALL=C sort | awk -F/ -v most="$3" '{ d = $0; sub(/\/[^\/]*$/, "", d); if (seen[d]++ < most) print }') |
    while IFS= read -r file; do mkdir -p "$2/$(dirname "$file")" && ln -s "$1/$file" "$2/$file"; done
}
# The command, with two rounds where it trains.
mote() {
  case "${MOTE_WRITE:+write}$1 $*" in
    train*) "$MOTE" "$@" --epochs 2 ;;
    test*--leave-one-group-out* | test*--folds*) "$MOTE" "$@" --epochs 2 ;;
    *) "$MOTE" "$@" ;;
  esac
}
export -f mote

# lay FILE: a page's yaml goes in place of the sections of mote.yaml that it names.
lay() {
  awk 'NR == FNR { if (/^[a-z]/) { sub(/:.*/, ""); named[$0] } next }
    /^[a-z]/ { key = $0; sub(/:.*/, "", key); skipping = key in named }
    !skipping' "$1" mote.yaml >laid && cat "$1" >>laid && mv laid mote.yaml
}

# page NAME: its commands, in a folder beside `data`.
page() {
  local doc=docs/howto/$1.md commands=0 line='' out='' where=$T/$1/here code
  mkdir -p "$where"
  while IFS= read -r line; do
    case $line in
      @@yaml*)
        awk -v want="${line#@@yaml }" '/^```yaml$/ { k++; inside = k == want; next } /^```$/ { inside = 0 } inside' "$doc" >"$T/yaml"
        (cd "$where" && lay "$T/yaml")
        ok $? "$1: mote.yaml as the page has it" ;;
      '$ '*)
        commands=$((commands + 1))
        [ -z "${MOTE_WRITE:-}" ] || echo "$line" >&2
        case $chips$line in '$ mote bench'* | '$ mote test --chip'*) skip "$1: ${line#\$ }" 'no cross compiler or emulator'; out=; continue ;; esac
        out=$(cd "$where" && eval "${line#\$ }" 2>"$T/err"; code=$?; pwd >"$T/where"; exit $code)
        code=$?
        where=$(cat "$T/where")
        ok $code "$1: ${line#\$ }" "$(cat "$T/err")"
        [ -z "${MOTE_WRITE:-}" ] || printf '%s\n' "$out" >&2 ;;
      '' | '...') ;;
      *) # What was printed: the first word of the line must begin a line.
        [ -n "$out" ] || continue
        line=${line#"${line%%[! ]*}"}
        grep -qE "^ *$(sed 's/[][().*+?^$|\\]/\\&/g' <<<"${line%% *}")( |\$)" <<<"$out" || ok 1 "$1 shows \"$line\"" "$out" ;;
    esac
  done < <(awk '/^```yaml$/ { yaml = 1; print "@@yaml " ++k; next } /^```$/ && yaml { yaml = 0; next } yaml { next }
    /^```$/ { inside = !inside; next } inside' "$doc")
  [ $commands -gt 0 ] && [ $commands -le 10 ]
  ok $? "$1: $commands commands are at most ten"
}

"$SHARED/unpack" "$UNPACKED" data/wake-word-computer data/speech-commands-sample data/spoken-digits data/esc10 >/dev/null || exit 1
for name in hotword scene noise; do
  mkdir -p "$T/$name"
  if [ -n "${MOTE_WRITE:-}" ]; then ln -s "$UNPACKED/data" "$T/$name/data"; continue; fi
  few "$UNPACKED/data/esc10" "$T/$name/data/esc10" 24
done
if [ -z "${MOTE_WRITE:-}" ]; then
  # Scenes: all three folds of three kinds; a hot word needs less of them.
  (cd "$T/scene/data/esc10" && rm -rf 00[4-9]* 010* && find . -type l -name '*[0-4]-*' | awk 'NR % 4' | xargs -d '\n' rm -f)
  (cd "$T/hotword/data/esc10" && rm -rf 00[3-9]* 010* && find . -type l | awk 'NR % 8' | xargs -d '\n' rm -f)
  few "$UNPACKED/data/wake-word-computer" "$T/hotword/data/wake-word-computer" 30
  few "$UNPACKED/data/spoken-digits/recordings" "$T/hotword/data/spoken-digits/recordings" 40
  # Noise: three of each kind, and the first recordings of all speakers.
  (cd "$T/noise/data/esc10" && find . -type l | LC_ALL=C sort | awk 'NR % 8' | xargs -d '\n' rm -f)
  few "$UNPACKED/data/spoken-digits/recordings" "$T/noise/data/spoken-digits/recordings" 150
  few "$UNPACKED/data/speech-commands-sample" "$T/hotword/data/speech-commands-sample" 1
fi
for name in ${*:-hotword scene noise}; do page "$name"; done
echo "1..$n"
