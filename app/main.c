/* mote: finds the command and calls it. */
#include "app/app.h"

#include <string.h>

struct command {
  const char *name, *group, *summary;
  int (*run)(int argc, char **argv);
};

static const struct command COMMANDS[] = {
#define COMMAND(name, group, summary) {#name, group, summary, cmd_##name},
#include "app/commands.def"
#undef COMMAND
};
#define N_COMMANDS (sizeof COMMANDS / sizeof *COMMANDS)

static const struct command *find(const char *name) {
  for (size_t i = 0; i < N_COMMANDS; i++)
    if (!strcmp(name, COMMANDS[i].name)) return &COMMANDS[i];
  return NULL;
}

static void help(FILE *out) {
  fputs("mote: from a recording to a proven program on a microcontroller\n\n"
        "usage: mote COMMAND [options]      mote COMMAND --help\n",
        out);
  const char *group = "";
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (strcmp(group, COMMANDS[i].group) != 0) fprintf(out, "\n%s\n", group = COMMANDS[i].group);
    fprintf(out, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
  }
}

static int unknown(const char *name, bool json) {
  struct err e = {0};
  struct arena *a = arena_new(0);
  err_set(&e, "no command '%s'; `mote help` lists them", name);
  if (json && a) command_print_error(a, "usage", &e);
  fprintf(stderr, "mote: %s\n", e.text);
  arena_free(a);
  return EXIT_USAGE;
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  bool asked = !strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h");
  if (asked && argc > 2) { /* mote help COMMAND */
    const struct command *about = find(argv[2]);
    char flag[] = "--help", *args[] = {argv[2], flag, NULL};
    if (about) return about->run(2, args);
    name = argv[2];
  } else if (asked || !*name) {
    help(asked ? stdout : stderr);
    return asked ? EXIT_OK : EXIT_USAGE;
  }
  const struct command *command = find(name);
  if (!command) return unknown(name, command_wants_json(argc, argv));
  int code = command->run(argc - 1, argv + 1);
  if ((fflush(stdout) != 0 || ferror(stdout)) && !code) { /* a full disk behind a redirection */
    fprintf(stderr, "mote: standard output cannot be written\n");
    code = EXIT_INPUT;
  }
  return code;
}
