# Builds main.c with the model of this project; the project's own Makefile names compiler, flags and sources.
include Makefile
START := $(filter %/start.c,$(SOURCES))
PARTS := $(filter-out program.c firmware/harness/harness.c,$(SOURCES)) main.c
build/decide.elf: $(PARTS:%.c=build/%.o)
	$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^
.PHONY: run
run: build/decide.elf
	$(EMULATOR) -M $(MACHINE) -display none -monitor none -serial none \
	  -semihosting-config enable=on,target=native -kernel $<
