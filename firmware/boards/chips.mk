# How each chip is compiled for. One line a fact; `mote bench` and `make bare` read the same lines.
CHIP_CC_cortex-m4        := arm-none-eabi-gcc
CHIP_AR_cortex-m4        := arm-none-eabi-ar
CHIP_FLAGS_cortex-m4     := -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -O2

CHIP_CC_cortex-m0plus    := arm-none-eabi-gcc
CHIP_AR_cortex-m0plus    := arm-none-eabi-ar
CHIP_FLAGS_cortex-m0plus := -mcpu=cortex-m0plus -mthumb -mfloat-abi=soft -O2
