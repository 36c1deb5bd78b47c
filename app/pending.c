/* Commands whose room is still being built: each gives way to its own cmd_<name>.c. */
#include "app/app.h"

#define COMMAND(name, group, summary)                                                              \
  __attribute__((weak)) int cmd_##name(int argc, char **argv) {                                    \
    (void)argc;                                                                                    \
    fprintf(stderr, "mote: %s: not built into this program\n", argv[0]);                           \
    return EXIT_INTERNAL;                                                                          \
  }
#include "app/commands.def"
#undef COMMAND
