# Mote's build. `make` leaves the program at build/mote.
#
#   make                    the program, optimised                      build/mote
#   make PROFILE=asan       the same under AddressSanitizer             build/asan/bin/mote
#   make PROFILE=ubsan      the same under UndefinedBehaviorSanitizer   build/ubsan/bin/mote
#   make bare CHIP=cortex-m4    the device archive for a chip           build/cortex-m4/libmote.a
#   make test               every unit test of the chosen profile
#   make fuzz-structured SECONDS=300    looks for models that break import, compiler or runtime; findings in build/fuzz/found
#   make fuzz-ingest SECONDS=600        looks for recordings that break a reader, each format; findings in build/libfuzzer/found
#   make bench-train        one training step against PyTorch, as a ratio
#   make bench-host         time of one inference on this machine against LiteRT and ONNX Runtime, as ratios
#   make bench-cores        instructions of known models and of odd shapes on every core
#   make bench-features     instructions of feature blocks on emulated chips; PEERS=folder: beside other software
#   make accuracy DATA="digits esc10"   trains and tests on real recordings, a row of docs/results.md for each; all: every set
#   make V=1                shows every command
#
# Files are found by folder: a new .c file in a room is built, a new test/test_*.c is a test.

PROFILE ?= host
CHIP    ?= cortex-m4
B       := build/$(PROFILE)

CC      ?= gcc
STRICT  := -Wall -Wextra -Werror -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
           -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wundef -Wvla
# One arithmetic: no contraction to fused multiply-add, no reassociation, anywhere.
EXACT   := -ffp-contract=off -fno-strict-aliasing
DEPS    := -MMD -MP

# What is done in a word; the whole command with V=1.
V       ?= 0
ifeq ($(V),0)
  say = @echo '  $(1)  $@';
endif

ifeq ($(PROFILE),asan)
  MODE := -O1 -g -fsanitize=address -fno-omit-frame-pointer -DMOTE_CHECKED=1
else ifeq ($(PROFILE),ubsan)
  MODE := -O1 -g -fsanitize=undefined -fno-sanitize-recover=all -DMOTE_CHECKED=1
else ifeq ($(PROFILE),fuzz)
  # Both sanitizers, and the edges that a model's way takes, for `make fuzz-structured`.
  MODE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
          -fsanitize-coverage=trace-pc -DMOTE_CHECKED=1
else ifeq ($(PROFILE),host)
  MODE := -O2 -g
else
  $(error PROFILE is host, asan, ubsan or fuzz; for a chip use: make bare CHIP=$(PROFILE))
endif

PKGS    := sqlite3 jansson sndfile libcyaml soxr libcbor libjpeg libpng zlib alsa
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

BARE_CFLAGS   := -std=c99 -I. $(STRICT) $(EXACT)
HOSTED_CFLAGS := -std=c11 -D_GNU_SOURCE -I. $(STRICT) $(EXACT) -fopenmp $(PKG_CFLAGS)
LIBS          := $(PKG_LIBS) -lm -fopenmp

BARE_SRC   := $(sort $(wildcard mote/*/*.c))
# What speaks MPI is an object of its own, loaded where an MPI launcher started the program.
MPI_SRC    := host/ranks/mpi.c
HOST_SRC   := $(filter-out $(MPI_SRC),$(sort $(wildcard host/*/*.c)))
APP_SRC    := $(sort $(wildcard app/*.c))
TEST_SRC   := $(sort $(wildcard test/test_*.c))
BARE_OBJ   := $(BARE_SRC:%.c=$(B)/%.o)
HOST_OBJ   := $(HOST_SRC:%.c=$(B)/%.o)
APP_OBJ    := $(APP_SRC:%.c=$(B)/%.o)
TESTS      := $(TEST_SRC:test/%.c=$(B)/test/%)

ifeq ($(PROFILE),host)
  PROGRAM := build/mote
else
  PROGRAM := $(B)/bin/mote
endif

.PHONY: all test tests bare clean bench-train bench-host bench-cores bench-features accuracy fuzz-structured fuzz-ingest doors
.SECONDARY:
all: $(PROGRAM) $(if $(shell pkg-config --exists ompi-c 2>/dev/null && echo yes),$(dir $(PROGRAM))mote-mpi.so)

$(PROGRAM): $(APP_OBJ) $(B)/libhost.a $(B)/libmote.a
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(MODE) -o $@ $(APP_OBJ) $(B)/libhost.a $(B)/libmote.a $(LIBS)

$(dir $(PROGRAM))mote-mpi.so: $(MPI_SRC) host/ranks/ranks.h host/kit/kit.h
	@mkdir -p $(@D)
	$(call say,cc)$(CC) -std=c11 -D_GNU_SOURCE -I. $(STRICT) -O2 -g -fPIC -shared $(shell pkg-config --cflags ompi-c) \
	  -o $@ $< $(shell pkg-config --libs ompi-c)

$(B)/libmote.a: $(BARE_OBJ)
	@rm -f $@; $(AR) rcs $@ $^
$(B)/libhost.a: $(HOST_OBJ)
	@rm -f $@; $(AR) rcs $@ $^

$(B)/mote/%.o: mote/%.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(BARE_CFLAGS) $(MODE) $(DEPS) -c $< -o $@
$(B)/host/%.o: host/%.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(HOSTED_CFLAGS) $(MODE) $(DEPS) -c $< -o $@
$(B)/app/%.o: app/%.c
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(HOSTED_CFLAGS) $(MODE) $(DEPS) -c $< -o $@

# A test program links the libraries and cmocka; it prints cmocka's own lines.
$(B)/test/%: test/%.c $(B)/libhost.a $(B)/libmote.a
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(HOSTED_CFLAGS) $(MODE) $(DEPS) -MF $@.d $< -o $@ $(B)/libhost.a $(B)/libmote.a $(LIBS) -lcmocka
tests: $(TESTS)
test: all tests
	@for t in $(TESTS); do $$t || exit 1; done

# ---- chips -----------------------------------------------------------------
# The flags of a chip stand in one place: firmware/boards/chips.mk, shared with the emulator's builds.
include firmware/boards/chips.mk
CB := build/$(CHIP)
CHIP_OBJ := $(BARE_SRC:%.c=$(CB)/%.o)
bare: $(CB)/libmote.a
$(CB)/libmote.a: $(CHIP_OBJ)
	@rm -f $@; $(CHIP_AR_$(CHIP)) rcs $@ $^
$(CB)/mote/%.o: mote/%.c
	@mkdir -p $(@D)
	$(call say,cc)$(CHIP_CC_$(CHIP)) $(BARE_CFLAGS) $(CHIP_FLAGS_$(CHIP)) \
	  $(if $(filter $(CHIP_HOT_$(CHIP)),$<),$(CHIP_HOTFLAGS_$(CHIP))) -ffunction-sections -fdata-sections $(DEPS) -c $< -o $@

# One training step against PyTorch (Debian: python3-torch python3-numpy). Exit code 1: Mote is not faster.
$(B)/bench/%: test/bench/%.c $(B)/libhost.a $(B)/libmote.a
	@mkdir -p $(@D)
	$(CC) $(HOSTED_CFLAGS) $(MODE) $(DEPS) -MF $@.d $< -o $@ $(B)/libhost.a $(B)/libmote.a $(LIBS)
$(B)/bench/%: bench/%.c $(B)/libhost.a $(B)/libmote.a
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(HOSTED_CFLAGS) $(MODE) $(DEPS) -MF $@.d $< -o $@ $(B)/libhost.a $(B)/libmote.a $(LIBS)
bench-train: $(B)/bench/train_step
	/usr/bin/python3 test/bench/train_step.py $<

# Time of one inference on this machine: bench/host says what is compared. Exit code 1: Mote is not faster.
bench-host: $(B)/bench/infer
	bench/host $<

# Instructions of one inference, on emulated chips: bench/cores says what the table holds.
bench-cores: $(PROGRAM) $(B)/bench/shapes
	bench/cores

# Instructions of feature blocks, on emulated chips: bench/features says what the table holds.
bench-features: $(B)/bench/features
	bench/features

# Accuracy on real recordings: bench/accuracy/run says what the columns hold. Takes minutes for each set.
DATA ?= all
accuracy: $(PROGRAM)
	bench/accuracy/run $(DATA)

# MORE: a folder of further models to begin from. Exit code 1: there are findings.
SECONDS ?= 300
fuzz-structured:
	$(MAKE) PROFILE=fuzz build/fuzz/test/test_structured
	ASAN_OPTIONS=detect_leaks=0:handle_sigill=1:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 \
	  build/fuzz/test/test_structured campaign $(SECONDS) build/fuzz/found $(MORE)

# Each reader of recordings under libFuzzer (`tools/packages fuzz`), SECONDS each; FORMATS names some of them. Exit code 1: a finding,
# whose bytes lie in build/libfuzzer/found. What libvorbis leaves behind is looked for after each case, which takes all of the
# time: leaks of .ogg are the tests' (test_ingest_fuzz under asan).
FORMATS ?= wav flac ogg csv json cbor jpeg png pnm npy npz idx wfdb raw index spool
build/libfuzzer/ingest: test/test_ingest_fuzz.c $(wildcard test/fuzz/*.h host/kit/*.[ch] host/ingest/*.[ch] host/record/*.[ch])
	@mkdir -p $(@D)
	clang -std=c11 -D_GNU_SOURCE -I. -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	  -fno-omit-frame-pointer -DMOTE_LIBFUZZER $(PKG_CFLAGS) -o $@ test/test_ingest_fuzz.c host/kit/*.c host/ingest/*.c host/record/*.c \
	  $(PKG_LIBS) -lm
fuzz-ingest: build/libfuzzer/ingest build/host/test/test_ingest_fuzz
	build/host/test/test_ingest_fuzz seeds build/libfuzzer/seeds
	@mkdir -p build/libfuzzer/found
	for f in $(FORMATS); do mkdir -p build/libfuzzer/corpus/$$f; leaks=1; [ $$f != ogg ] || leaks=0; \
	  MOTE_FUZZ_FORMAT=$$f build/libfuzzer/ingest -max_total_time=$(SECONDS) -timeout=20 -rss_limit_mb=2000 -max_len=20000 \
	    -detect_leaks=$$leaks \
	    -print_final_stats=1 -verbosity=0 -artifact_prefix=build/libfuzzer/found/$$f- build/libfuzzer/corpus/$$f build/libfuzzer/seeds/$$f || exit 1; done

doors:
	tools/doors

clean:
	rm -rf build

-include $(BARE_OBJ:.o=.d) $(HOST_OBJ:.o=.d) $(APP_OBJ:.o=.d) $(TESTS:=.d) $(CHIP_OBJ:.o=.d)
