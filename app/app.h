/* app: one program. main.c finds the command, cmd_<name>.c does it, options.c reads its arguments.
 *
 * A command returns an exit code: 0 ok, 1 the input is wrong (or does not fit, or differs), 2 usage,
 * 3 internal. Results go to standard output, progress and errors to standard error; under --json both
 * results and errors are one object on standard output. */
#ifndef APP_APP_H
#define APP_APP_H

#include "host/kit/kit.h"

enum exit_code { EXIT_OK = 0, EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_INTERNAL = 3 };

/* ---- commands ------------------------------------------------------------- */
#define COMMAND(name, group, summary) int cmd_##name(int argc, char **argv);
#include "app/commands.def"
#undef COMMAND

/* ---- options -------------------------------------------------------------- */
enum option_kind {
  OPTION_FLAG,
  OPTION_TEXT,
  OPTION_COUNT, /* a whole number from 1 to a thousand million */
  OPTION_INT,   /* a whole number from 0 on */
  OPTION_REAL,
  OPTION_LIST
};

/* One option of a command. The table is both the parser and the text of --help. */
struct option_spec {
  char letter;      /* 'i' for -i, 0 for none */
  const char *name; /* "input" for --input, NULL for none */
  enum option_kind kind;
  const char *argument; /* "FILE"; NULL for flags */
  const char *help;
  void *target; /* bool *, const char **, int64_t *, double *, struct option_list * */
};

struct option_list {
  const char *items[64];
  int count;
};

struct command_spec {
  const char *usage;                 /* "mote run MODEL -i in.bin -o out.bin" */
  const char *about;                 /* one or more lines */
  const struct option_spec *options; /* ends with {0} */
  const char *examples;              /* may be NULL */
  int least, most;                   /* words besides options; most -1: any number */
};

/* What every command has. --help, --json and --quiet are understood everywhere. */
struct command_line {
  const struct command_spec *spec;
  struct arena *arena;
  const char *words[4096];
  int n_words;
  bool json, quiet;
  struct progress *progress;
  struct err err;
};

/* Reads the arguments; argv[0] is the command's name. Returns true to go on; else *exit_code is what to
 * return (0 after --help, 2 after a usage error that was told). command_end or command_usage frees the arena. */
bool command_begin(struct command_line *c, const struct command_spec *spec, int argc, char **argv,
                   int *exit_code);
/* Tells c->err where ok is false (as an object, too, under --json), frees the arena and returns the exit code. */
int command_end(struct command_line *c, bool ok);
/* Options that do not go together, or one that is missing: tells it with the usage line, frees the arena and
 * returns EXIT_USAGE. */
int command_usage(struct command_line *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether --json is among the arguments, in front of any "--": known before they are understood. */
bool command_wants_json(int argc, char **argv);
/* Prints an error as an object on standard output. kind: "input", "usage" or "internal". */
void command_print_error(struct arena *a, const char *kind, const struct err *e);

#endif
