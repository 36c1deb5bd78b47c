# How each chip is compiled for, and where it is emulated. One line a fact; `make bare`, `mote build` and
# `mote bench` read the same lines. Facts with spaces are flags; the rest are single words.
#   CC AR FLAGS   the compiler
#   HOT HOTFLAGS  files with the inner loops (patterns as Make's filter has them), and flags that stand behind
#                 FLAGS for them; chosen by measurement, see docs/estimates.md. Of mote/dsp, what runs for every
#                 frame; kinds that give a few values of a window are built for size
#   CORE          whose timings the estimate of cycles uses: m0plus, m3, m4, m7, m33, m55, rv32, avr, none
#   ISA POINTER   whose inner loops and kernels it takes (dsp, v6m, mve, rv32, avr, wasm, host), and bytes of a pointer
#   EMULATOR EMULATORFLAGS  QEMU's program (qemu-system-arm unless given), and what it is told besides the board
#   MACHINE       QEMU's board: the same core, or one that runs its instructions, with room for any program
#   SMALL         QEMU's board with the core itself, where small programs run again
#   START BOARD   folder of the start-up code and sections, and of the linker script with the memory map
CHIP_CC_cortex-m4        := arm-none-eabi-gcc
CHIP_AR_cortex-m4        := arm-none-eabi-ar
CHIP_FLAGS_cortex-m4     := -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -Os -fno-tree-loop-distribute-patterns
CHIP_HOT_cortex-m4       := mote/base/signal% mote/dsp/b% mote/dsp/e% mote/dsp/fft.c mote/dsp/finish16.c mote/dsp/math.c mote/dsp/mf% mote/dsp/mi% mote/dsp/p% mote/dsp/r% mote/dsp/sliding.c mote/dsp/spectrog% mote/dsp/st%
CHIP_HOTFLAGS_cortex-m4  := -O2 -fno-ivopts
CHIP_CORE_cortex-m4      := m4
CHIP_ISA_cortex-m4       := dsp
CHIP_POINTER_cortex-m4   := 4
CHIP_MACHINE_cortex-m4   := mps2-an386
CHIP_START_cortex-m4     := cortex-m
CHIP_BOARD_cortex-m4     := mps2

# QEMU's Cortex-M0 board has 16 KiB of RAM, so programs run on a Cortex-M3, which accepts more: unaligned
# access is made to trap there, and the program's instructions are checked to be ARMv6-M's.
CHIP_CC_cortex-m0plus    := arm-none-eabi-gcc
CHIP_AR_cortex-m0plus    := arm-none-eabi-ar
CHIP_FLAGS_cortex-m0plus := -mcpu=cortex-m0plus -mthumb -mfloat-abi=soft -Os -fno-tree-loop-distribute-patterns
CHIP_HOT_cortex-m0plus   := mote/isa/b% mote/isa/d% mote/isa/fft.c mote/isa/m% mote/isa/p% mote/isa/r% mote/isa/s% mote/isa/t% mote/isa/v% mote/base/signal% mote/dsp/b% mote/dsp/e% mote/dsp/fft.c mote/dsp/finish16.c mote/dsp/math.c mote/dsp/mf% mote/dsp/mi% mote/dsp/p% mote/dsp/r% mote/dsp/sliding.c mote/dsp/spectrog% mote/dsp/st%
CHIP_HOTFLAGS_cortex-m0plus := -O3
CHIP_CORE_cortex-m0plus  := m0plus
CHIP_ISA_cortex-m0plus   := v6m
CHIP_POINTER_cortex-m0plus := 4
CHIP_MACHINE_cortex-m0plus := mps2-an385
CHIP_SMALL_cortex-m0plus := microbit
CHIP_START_cortex-m0plus := cortex-m
CHIP_BOARD_cortex-m0plus := mps2

# ARMv7-M without DSP instructions: the loops in C, and the kernels that need no SIMD.
CHIP_CC_cortex-m3        := arm-none-eabi-gcc
CHIP_AR_cortex-m3        := arm-none-eabi-ar
CHIP_FLAGS_cortex-m3     := -mcpu=cortex-m3 -mthumb -mfloat-abi=soft -Os -fno-tree-loop-distribute-patterns
CHIP_HOT_cortex-m3       := mote/isa/b% mote/isa/d% mote/isa/fft.c mote/isa/m% mote/isa/p% mote/isa/r% mote/isa/s% mote/isa/t% mote/isa/v% mote/base/signal% mote/dsp/b% mote/dsp/e% mote/dsp/fft.c mote/dsp/finish16.c mote/dsp/math.c mote/dsp/mf% mote/dsp/mi% mote/dsp/p% mote/dsp/r% mote/dsp/sliding.c mote/dsp/spectrog% mote/dsp/st%
CHIP_HOTFLAGS_cortex-m3  := -O2
CHIP_CORE_cortex-m3      := m3
CHIP_ISA_cortex-m3       := v6m
CHIP_POINTER_cortex-m3   := 4
CHIP_MACHINE_cortex-m3   := mps2-an385
CHIP_START_cortex-m3     := cortex-m
CHIP_BOARD_cortex-m3     := mps2

CHIP_CC_cortex-m7        := arm-none-eabi-gcc
CHIP_AR_cortex-m7        := arm-none-eabi-ar
CHIP_FLAGS_cortex-m7     := -mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-d16 -Os -fno-tree-loop-distribute-patterns
CHIP_HOT_cortex-m7       := mote/base/signal% mote/dsp/b% mote/dsp/e% mote/dsp/fft.c mote/dsp/finish16.c mote/dsp/math.c mote/dsp/mf% mote/dsp/mi% mote/dsp/p% mote/dsp/r% mote/dsp/sliding.c mote/dsp/spectrog% mote/dsp/st%
CHIP_HOTFLAGS_cortex-m7  := -O2 -fno-ivopts
CHIP_CORE_cortex-m7      := m7
CHIP_ISA_cortex-m7       := dsp
CHIP_POINTER_cortex-m7   := 4
CHIP_MACHINE_cortex-m7   := mps2-an500
CHIP_START_cortex-m7     := cortex-m
CHIP_BOARD_cortex-m7     := mps2

# Starts in the secure state, and stays there.
CHIP_CC_cortex-m33       := arm-none-eabi-gcc
CHIP_AR_cortex-m33       := arm-none-eabi-ar
CHIP_FLAGS_cortex-m33    := -mcpu=cortex-m33 -mthumb -mfloat-abi=hard -mfpu=fpv5-sp-d16 -Os -fno-tree-loop-distribute-patterns
CHIP_HOT_cortex-m33      := mote/base/signal% mote/dsp/b% mote/dsp/e% mote/dsp/fft.c mote/dsp/finish16.c mote/dsp/math.c mote/dsp/mf% mote/dsp/mi% mote/dsp/p% mote/dsp/r% mote/dsp/sliding.c mote/dsp/spectrog% mote/dsp/st%
CHIP_HOTFLAGS_cortex-m33 := -O2 -fno-ivopts
CHIP_CORE_cortex-m33     := m33
CHIP_ISA_cortex-m33      := dsp
CHIP_POINTER_cortex-m33  := 4
CHIP_MACHINE_cortex-m33  := mps2-an505
CHIP_START_cortex-m33    := cortex-m
CHIP_BOARD_cortex-m33    := mps2-secure

# The vectoriser stays off: Helium's float instructions flush subnormal numbers to zero, which the scalar ones do not.
CHIP_CC_cortex-m55       := arm-none-eabi-gcc
CHIP_AR_cortex-m55       := arm-none-eabi-ar
CHIP_FLAGS_cortex-m55    := -mcpu=cortex-m55 -mthumb -mfloat-abi=hard -Os -fno-tree-vectorize
CHIP_HOT_cortex-m55      := mote/isa/b% mote/isa/d% mote/isa/fft.c mote/isa/m% mote/isa/p% mote/isa/r% mote/isa/s% mote/isa/t% mote/isa/v% mote/base/signal% mote/dsp/b% mote/dsp/e% mote/dsp/fft.c mote/dsp/finish16.c mote/dsp/math.c mote/dsp/mf% mote/dsp/mi% mote/dsp/p% mote/dsp/r% mote/dsp/sliding.c mote/dsp/spectrog% mote/dsp/st%
CHIP_HOTFLAGS_cortex-m55 := -O2
CHIP_CORE_cortex-m55     := m55
CHIP_ISA_cortex-m55      := mve
CHIP_POINTER_cortex-m55  := 4
CHIP_MACHINE_cortex-m55  := mps3-an547
CHIP_START_cortex-m55    := cortex-m
CHIP_BOARD_cortex-m55    := mps3

# QEMU's virt has every extension; those that the chip lacks are switched off, so that their instructions trap. Access
# that is not aligned does not trap there: the counting plugin ends such a program.
CHIP_CC_rv32imc          := riscv64-unknown-elf-gcc
CHIP_AR_rv32imc          := riscv64-unknown-elf-ar
CHIP_FLAGS_rv32imc       := --specs=picolibc.specs -march=rv32imc -mabi=ilp32 -mstrict-align -msmall-data-limit=0 -Os -fno-tree-loop-distribute-patterns
CHIP_HOT_rv32imc         := mote/isa/b% mote/isa/d% mote/isa/fft.c mote/isa/m% mote/isa/p% mote/isa/r% mote/isa/s% mote/isa/t% mote/isa/v% mote/base/signal% mote/dsp/b% mote/dsp/e% mote/dsp/fft.c mote/dsp/finish16.c mote/dsp/math.c mote/dsp/mf% mote/dsp/mi% mote/dsp/p% mote/dsp/r% mote/dsp/sliding.c mote/dsp/spectrog% mote/dsp/st%
CHIP_HOTFLAGS_rv32imc    := -O2
CHIP_CORE_rv32imc        := rv32
CHIP_ISA_rv32imc         := rv32
CHIP_POINTER_rv32imc     := 4
CHIP_EMULATOR_rv32imc    := qemu-system-riscv32
CHIP_EMULATORFLAGS_rv32imc := -bios none -cpu rv32,a=off,f=off,d=off,s=off,u=off,h=off,zba=off,zbb=off,zbc=off,zbs=off
CHIP_MACHINE_rv32imc     := virt
CHIP_START_rv32imc       := riscv
CHIP_BOARD_rv32imc       := virt

# Programs run on an ATmega1284P, which has more of the same, and those that fit on the ATmega328P itself. Loads do not
# reach the flash: plans lie there under a word of the compiler's own, which strict C99 has not.
CHIP_CC_avr              := avr-gcc
CHIP_AR_avr              := avr-ar
CHIP_FLAGS_avr           := -mmcu=atmega328p -std=gnu99 -DMOTE_ROM=__flash -Os -mcall-prologues -fno-tree-loop-distribute-patterns -Wno-missing-field-initializers
CHIP_CORE_avr            := avr
CHIP_ISA_avr             := avr
CHIP_POINTER_avr         := 2
CHIP_EMULATOR_avr        := simavr
CHIP_MACHINE_avr         := atmega1284p
CHIP_SMALL_avr           := atmega328p
CHIP_START_avr           := avr
CHIP_BOARD_avr           := atmega

# The machine that builds: the emitted C as a program of its own, not counted.
CHIP_CC_host             := gcc
CHIP_AR_host             := ar
CHIP_FLAGS_host          := -O2
CHIP_CORE_host           := none
CHIP_ISA_host            := host
CHIP_POINTER_host        := 8

# The browser, and Node: WebAssembly with 128-bit vectors. Clang and LLD have no C library there; firmware/wasm/ has the
# four functions that Mote may need of one. Nothing is counted: an engine compiles the program once more.
# Clang 14 makes wrong code where it gathers straight-line code into vectors (the first stages of the Fourier transform showed
# it): loops may become vectors, straight lines not.
CHIP_CC_wasm32           := clang
CHIP_AR_wasm32           := llvm-ar
CHIP_FLAGS_wasm32        := --target=wasm32 -msimd128 -mbulk-memory -O3 -fno-slp-vectorize -idirafter firmware/wasm
CHIP_CORE_wasm32         := none
CHIP_ISA_wasm32          := wasm
CHIP_POINTER_wasm32      := 4
CHIP_START_wasm32        := wasm
