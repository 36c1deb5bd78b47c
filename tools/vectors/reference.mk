# Builds the program that makes the vectors' outputs: run.cc and tensorflow/tflite-micro's reference kernels.
#
#   make -f tools/vectors/reference.mk TFLM=dir FLATBUFFERS=dir GEMMLOWP=dir RUY=dir KISSFFT=dir   -> build/vectors/run
#
# The folders are checkouts: tensorflow/tflite-micro at 90b983c2, and what its own makefile takes: google/flatbuffers
# v25.9.23 and mborgerding/kissfft v130, both with the patches in tflite-micro (tools/make/flatbuffers.patch,
# third_party/kissfft/kissfft.patch), google/gemmlowp and google/ruy. Assertions are on, so that a model outside a kernel's
# contract is refused instead of answered with chance, except where a debug assertion refuses what the kernel takes:
# a depthwise convolution without bias.
TFLM        ?= $(error TFLM is not set)
FLATBUFFERS ?= $(error FLATBUFFERS is not set)
GEMMLOWP    ?= $(error GEMMLOWP is not set)
RUY         ?= $(error RUY is not set)
KISSFFT     ?= $(error KISSFFT is not set)
O           := build/vectors

L     := $(TFLM)/tensorflow/lite
SKIP  := %_test.cc %_test_util.cc %_test_common.cc %test_helpers.cc %test_helper_custom_ops.cc %mock_micro_graph.cc \
         %fake_micro_context.cc %recording_micro_allocator.cc %kernel_runner.cc %debug_log_none.cc %/memory_plan_struct.cc
DIRS  := $L/micro $L/micro/kernels $L/micro/memory_planner $L/micro/arena_allocator $L/micro/tflite_bridge $L/core/api \
         $L/core/c $L/kernels $L/kernels/internal $L/kernels/internal/reference $L/schema \
         $(TFLM)/tensorflow/compiler/mlir/lite/core/api $(TFLM)/tensorflow/compiler/mlir/lite/schema \
         $(TFLM)/signal/micro/kernels $(TFLM)/signal/src $(TFLM)/signal/src/kiss_fft_wrappers
SRC   := $(filter-out $(SKIP),$(foreach d,$(DIRS),$(wildcard $d/*.cc))) $(TFLM)/python/tflite_micro/python_ops_resolver.cc
OBJ   := $(SRC:$(TFLM)/%.cc=$O/%.o) $O/run.o
FLAGS := -O2 -std=c++17 -w -fno-rtti -fno-exceptions -fno-threadsafe-statics -DTF_LITE_STATIC_MEMORY -DTF_LITE_DISABLE_X86_NEON \
         -DTF_LITE_USE_CTIME -I$(TFLM) -I$(FLATBUFFERS)/include -I$(GEMMLOWP) -I$(RUY) -I$(KISSFFT)

$O/run: $(OBJ)
	$(CXX) -o $@ $^
$O/run.o: tools/vectors/run.cc
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -c $< -o $@
$O/tensorflow/lite/micro/kernels/depthwise_conv.o: FLAGS += -DNDEBUG
$O/%.o: $(TFLM)/%.cc
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -c $< -o $@
