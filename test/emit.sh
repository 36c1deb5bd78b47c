#!/bin/sh
# What `mote build` emits, as a firmware takes it: strict C99, a header for C++, memory that the caller places, nothing
# writable but the open model, and only the kernels that the model needs.
set -u
cd "$(dirname "$0")/.." || exit 3
MOTE=${MOTE:-$PWD/build/mote}
MOTE_SHARED=${MOTE_SHARED:-../shared}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; }
run() { # what, then the command
  what=$1; shift
  if "$@" >"$dir/log" 2>&1; then ok "$what"; else not_ok "$what: $(head -c 400 "$dir/log")"; fi
}
if [ -x "$MOTE_SHARED/unpack" ] && "$MOTE_SHARED/unpack" build/shared models/reference >/dev/null 2>&1; then :; else
  echo "1..1"
  echo "ok - emitted programs # SKIP needs shared models"
  exit 0
fi
models=build/shared/models/reference/mlperf_tiny
for name in kws_ref_model ad01_int8 vww_96_int8; do
  out=$dir/$name
  run "$name builds" "$MOTE" build "$models/$name.tflite" --target host --no-compile -o "$out" -q
  run "$name is strict C99" gcc -std=c99 -fno-pie -Wall -Wextra -Wconversion -pedantic -Werror -I"$out" -c "$out/model.c" -o "$dir/$name.o"
  for cxx in g++ clang++; do
    command -v $cxx >/dev/null || { echo "ok - $name in C++ # SKIP no $cxx"; continue; }
    printf '#include "model.h"\nint main() { static unsigned char memory[MODEL_ARENA_BYTES + 8]; return model_init(memory, 0) == 0; }\n' >"$dir/main.cc"
    run "$name's header is C++11 for $cxx" $cxx -std=c++11 -Wall -Wextra -Werror -I"$out" -c "$dir/main.cc" -o "$dir/main.o"
  done
  writable=$(nm "$dir/$name.o" | grep -c ' [DdBbCS] ')
  if [ "$writable" -eq 1 ]; then ok "$name writes to the open model alone"; else not_ok "$name has $writable writable symbols"; fi
done
for kernel in conv2d depthwise_conv2d softmax mean; do
  if [ -e "$dir/ad01_int8/mote/nn/$kernel.c" ]; then not_ok "$kernel is not among a dense model's files"
  else ok "$kernel is not among a dense model's files"; fi
done
exit $failed
