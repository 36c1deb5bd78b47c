#!/bin/sh
# What `mote build` emits, as a firmware takes it: strict C99 that is C++11 as well, memory that the caller places or the
# program's own, nothing writable but the open model, only the kernels that the model needs, and two models in one program.
. "$(dirname "$0")/tap"
set -u
run() { # what, then the command
  what=$1; shift
  if "$@" >"$T/log" 2>&1; then ok "$what"; else not_ok "$what: $(head -c 400 "$T/log")"; fi
}
refused() { # what, words of the error, then the command
  what=$1 words=$2; shift 2
  if "$@" >"$T/log" 2>&1; then not_ok "$what: accepted"
  elif grep -q "$words" "$T/log"; then ok "$what"
  else not_ok "$what: $(head -c 400 "$T/log")"; fi
}
unpacked models/reference || skip_all "emitted programs" "needs shared models"
models=build/shared/models/reference/mlperf_tiny
others=build/shared/models/reference/tflm
STRICT="-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -pedantic -Werror"
EXACT="-ffp-contract=off -fno-strict-aliasing"

# ---- one model: file and name
while read -r file name; do
  out=$T/$name
  run "$name builds" "$MOTE" build "$models/$file.tflite" --target host --no-compile --name "$name" -o "$out" -q
  run "$name is strict C99" gcc -std=c99 -fno-pie $STRICT -I"$out" -c "$out/$name.c" -o "$T/$name.o"
  run "$name's own memory is strict C99" gcc -std=c99 $STRICT -I"$out" -c "$out/${name}_arena.c" -o "$T/${name}_arena.o"
  upper=$(echo "$name" | tr a-z A-Z)
  for cxx in g++ clang++; do
    command -v $cxx >/dev/null || { echo "ok - $name in C++ # SKIP no $cxx"; continue; }
    printf '#include "%s.h"\n#include "mote/mote.h"\nint main() { static unsigned char memory[%s_ARENA_BYTES + 8]; return %s_init(memory, 0) == 0; }\n' \
      "$name" "$upper" "$name" >"$T/main.cc"
    run "$name's header is C++11 for $cxx" $cxx -std=c++11 -Wall -Wextra -pedantic -Werror -I"$out" -c "$T/main.cc" -o "$T/main.o"
    printf '#include "%s.h"\nint %s_plan;\nint main() { return %s_plan; }\n' "$name" "$name" "$name" >"$T/apart.cc"
    run "$name's plan has no name where $cxx could not read it" $cxx -std=c++11 -DMOTE_ROM=__flash -I"$out" -fsyntax-only "$T/apart.cc"
    for part in "$name" "${name}_arena"; do
      run "$part.c is C++11 for $cxx" $cxx -std=c++11 -Wall -Wextra -pedantic -Werror -I"$out" -x c++ -c "$out/$part.c" -o "$T/$part.$cxx.o"
    done
  done
  writable=$(nm "$T/$name.o" | grep -c ' [DdBbCS] ')
  if [ "$writable" -eq 1 ]; then ok "$name writes to the open model alone"; else not_ok "$name has $writable writable symbols"; fi
  strange=$(nm -g --defined-only "$T/$name.o" "$T/${name}_arena.o" | awk 'NF == 3 { print $3 }' | grep -vc "^${name}_")
  if [ "$strange" -eq 0 ]; then ok "public names of $name begin with it"; else not_ok "$strange public names do not begin with $name"; fi
  if [ -e "$out/model.c" ]; then not_ok "no file of $name is called model"; else ok "no file of $name is called model"; fi
done <<END
kws_ref_model kws
ad01_int8 ad
vww_96_int8 vww
END
for kernel in conv2d depthwise_conv2d softmax mean; do
  if [ -e "$T/ad/mote/nn/$kernel.c" ]; then not_ok "$kernel is not among a dense model's files"
  else ok "$kernel is not among a dense model's files"; fi
done

# ---- tensors in the plan, a gap in front of them, floats, variables
for file in hello_world_float trained_lstm_int8 audio_preprocessor_int8; do
  out=$T/$file
  run "$file builds" "$MOTE" build "$others/$file.tflite" --target host --no-compile --name net -o "$out" -q
  run "$file is strict C99" gcc -std=c99 $STRICT -I"$out" -fsyntax-only "$out/net.c"
  command -v g++ >/dev/null && run "$file is C++11" g++ -std=c++11 -Wall -Wextra -pedantic -Werror -I"$out" -x c++ -fsyntax-only "$out/net.c"
done

# ---- names
refused "a name that is not C is refused" "no name in C" "$MOTE" build "$models/ad01_int8.tflite" --target host --no-compile --name 2nd -o "$T/x" -q
refused "the runtime's name is refused" "the runtime's own" "$MOTE" build "$models/ad01_int8.tflite" --target host --no-compile --name mote_x -o "$T/x" -q
refused "a file of the project is refused" "another --name" "$MOTE" build "$models/ad01_int8.tflite" --target host --no-compile --name program -o "$T/x" -q

# ---- two models in one program: the kernels' folders over each other, compiled once
both=$T/both
mkdir "$both" && cp -R "$T/kws/." "$both" && cp -R "$T/ad/." "$both"
for name in kws ad; do
  (cd "$T/$name" && find mote -type f) | while read -r file; do cmp -s "$T/$name/$file" "$both/$file" || echo "$file"; done
done >"$T/differ"
if [ -s "$T/differ" ]; then not_ok "files that both have are the same: $(head -c 200 "$T/differ")"; else ok "files that both have are the same"; fi
cat >"$both/main.c" <<'END'
#include <stdio.h>
#include <string.h>
#include "ad.h"
#include "kws.h"
#ifdef STATIC
#define OPEN(name, arena) name##_init_static()
#else
#define OPEN(name, arena) name##_init(arena, sizeof arena)
static uint64_t kws_memory[(KWS_ARENA_BYTES + 7) / 8], ad_memory[(AD_ARENA_BYTES + 7) / 8];
#endif
static void fill(void *to, unsigned n) {
  unsigned char *byte = (unsigned char *)to;
  for (unsigned i = 0; i < n; i++) byte[i] = (unsigned char)(((i * 37 + 11) & 255) - 128);
}
static void save(const char *path, const void *from, unsigned n) {
  FILE *file = fopen(path, "wb");
  if (file != NULL) fwrite(from, 1, n, file), fclose(file);
}
int main(void) {
  if (OPEN(kws, kws_memory) != 0 || OPEN(ad, ad_memory) != 0) return 1;
  fill(kws_input(0), KWS_INPUT_0_BYTES);
  fill(ad_input(0), AD_INPUT_0_BYTES); /* the other's input is in place: neither may touch the other */
  save("kws.in", kws_input(0), KWS_INPUT_0_BYTES);
  save("ad.in", ad_input(0), AD_INPUT_0_BYTES);
  kws_run();
  ad_run();
  save("kws.out", kws_output(0), KWS_OUTPUT_0_BYTES);
  save("ad.out", ad_output(0), AD_OUTPUT_0_BYTES);
  return 0;
}
END
answers() { # what
  for name in kws ad; do
    if [ -s "$T/$name.want" ] && cmp -s "$T/$name.want" "$both/$name.out"; then ok "$1: $name answers as alone"; else not_ok "$1: $name answers otherwise"; fi
    rm -f "$both/$name.out"
  done
}
compile_kernels() { (cd "$both" && for c in mote/*/*.c; do gcc -std=c99 -O1 $EXACT -I. -c "$c" -o "$(echo "${c%.c}" | tr / _).k.o" || exit 1; done && ar rcs kernels.a ./*.k.o); }
run "kernels of both compile" compile_kernels
two() { (cd "$both" && "$@" && ./both); }
run "two models in one program" two gcc -std=c99 -O1 $EXACT -Wall -Wextra -Werror -I. main.c kws.c ad.c kernels.a -o both
"$MOTE" run "$models/kws_ref_model.tflite" -i "$both/kws.in" -o "$T/kws.want" -q >/dev/null
"$MOTE" run "$models/ad01_int8.tflite" -i "$both/ad.in" -o "$T/ad.want" -q >/dev/null
answers "memory of the caller's"
run "two models with memory of their own, in sections" two gcc -std=c99 -O1 $EXACT -Wall -Wextra -Werror -I. -DSTATIC \
  '-DMOTE_ARENA_ATTRIBUTE=__attribute__((section(".fast_ram")))' '-DAD_ARENA_ATTRIBUTE=__attribute__((section(".slow_ram")))' \
  main.c kws.c ad.c kws_arena.c ad_arena.c kernels.a -o both
answers "memory of their own"
size_of() { objdump -h "$both/both" | awk -v s="$1" '$2 == s { print $3 }'; }
for pair in .fast_ram:kws:KWS .slow_ram:ad:AD; do
  section=${pair%%:*} name=${pair#*:}; upper=${name#*:}; name=${name%:*}
  want=$(sed -n "s/^#define ${upper}_ARENA_BYTES //p" "$both/$name.h")
  if [ "$((0x$(size_of $section)))" -eq "$want" ]; then ok "the arena of $name lies in $section"
  else not_ok "$section has $(size_of $section) bytes of $want"; fi
done
for cxx in g++ clang++; do
  command -v $cxx >/dev/null || { echo "ok - two models in C++ # SKIP no $cxx"; continue; }
  run "two models as C++11 for $cxx, kernels as C" two $cxx -std=c++11 -O1 $EXACT -Wall -Wextra -pedantic -Werror -I. -x c++ main.c kws.c ad.c -x none kernels.a -o both
  answers "$cxx"
done
one=$(nm "$both/both" | grep -c ' T mote_run$')
if [ "$one" -eq 1 ]; then ok "the runtime is there once"; else not_ok "the runtime is there $one times"; fi

# ---- another name on a chip: the same program, the same figures
if command -v arm-none-eabi-gcc >/dev/null; then
  figures() { "$MOTE" build "$models/ad01_int8.tflite" --target cortex-m4 "$@" -q --json | grep -E '"(flash_code_bytes|flash_weight_bytes|ram_static_bytes)"'; }
  figures -o "$T/m4" >"$T/plain"
  figures --name anomaly -o "$T/m4n" >"$T/named"
  if [ -s "$T/plain" ] && cmp -s "$T/plain" "$T/named"; then ok "a name costs nothing"; else not_ok "a name changes figures: $(cat "$T/named")"; fi
else
  echo "ok - a name costs nothing # SKIP no arm-none-eabi-gcc"
fi
# A kernel that the emitted plan names lies among the project's files, also where a macro defines it.
lost="" plans=0
for op in ABS ADD CUMSUM EQUAL EXP LOGICAL_AND LOGISTIC MAXIMUM MUL PRELU RSQRT SELECT_V2 SignalRfft SQUARED_DIFFERENCE SUB TANH; do
  folder=test/golden/$op/
  for type in int8 int16 float32; do
    case=$(ls "$folder" | grep "^$type.*\.tflite$" | head -n 1)
    [ -n "$case" ] || continue
    rm -rf "$T/one"
    "$MOTE" build "$folder$case" --target cortex-m4 --no-compile --name net -o "$T/one" -q >"$T/log" 2>&1 || { lost="$lost $folder$case:$(head -c 200 "$T/log")"; continue; }
    plans=$((plans + 1))
    for kernel in $(grep -o '&mote_kernel_[a-z0-9_]*' "$T/one/net.c" | sed 's/&mote_kernel_//' | sort -u); do
      grep -qE "mote_kernel_$kernel\b|[A-Z0-9]\($kernel\b" "$T"/one/mote/nn/*.c || lost="$lost $case:$kernel"
    done
  done
done
if [ -z "$lost" ] && [ "$plans" -gt 30 ]; then ok "the kernels of $plans plans come with them"
else not_ok "of $plans plans, without their kernels:$(echo "$lost" | head -c 600)"; fi
exit $failed
