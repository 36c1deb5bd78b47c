/* Reads the arguments of a command from its table, prints --help from the same table, reports errors. */
#include "app/app.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec COMMON[] = {
    {0, "json", OPTION_FLAG, NULL, "print one JSON object on standard output", NULL},
    {'q', "quiet", OPTION_FLAG, NULL, "no progress", NULL},
    {'h', "help", OPTION_FLAG, NULL, "this text", NULL},
};

static void help_line(const struct option_spec *o) {
  char head[64];
  int n = o->letter ? snprintf(head, sizeof head, "-%c", o->letter) : 0;
  if (o->name)
    n += snprintf(head + n, sizeof head - (size_t)n, "%s--%s", o->letter ? ", " : "", o->name);
  if (o->argument) snprintf(head + n, sizeof head - (size_t)n, " %s", o->argument);
  printf("  %-26s %s\n", head, o->help);
}

static void help(const struct command_spec *spec) {
  printf("usage: %s\n\n%s\n\noptions:\n", spec->usage, spec->about);
  for (const struct option_spec *o = spec->options; o && (o->letter || o->name); o++) help_line(o);
  for (size_t i = 0; i < sizeof COMMON / sizeof *COMMON; i++) help_line(&COMMON[i]);
  if (spec->examples) printf("\nexamples:\n%s\n", spec->examples);
}

static const struct option_spec *find(const struct option_spec *list, const char *arg, size_t n) {
  for (const struct option_spec *o = list; o && (o->letter || o->name); o++) {
    if (n == 2 && o->letter && arg[1] == o->letter) return o;
    if (o->name && n > 2 && arg[1] == '-' && strlen(o->name) == n - 2 &&
        memcmp(o->name, arg + 2, n - 2) == 0)
      return o;
  }
  return NULL;
}

/* Keeps a value. errors: what the option wants. */
static bool store_value(const struct option_spec *o, const char *value, struct err *e) {
  char *end;
  errno = 0;
  switch (o->kind) {
  case OPTION_COUNT:
  case OPTION_INT: {
    const int64_t n = strtoll(value, &end, 10), least = o->kind == OPTION_COUNT;
    *(int64_t *)o->target = n;
    if (!errno && end != value && !*end && n >= least && (!least || n <= 1000000000)) return true;
    return err_set(e, "a whole number, at least %d", (int)least);
  }
  case OPTION_REAL:
    *(double *)o->target = strtod(value, &end);
    return (!errno && end != value && !*end && isfinite(*(double *)o->target)) ||
           err_set(e, "a number");
  case OPTION_LIST: {
    struct option_list *list = o->target;
    const int room = (int)(sizeof list->items / sizeof *list->items);
    if (list->count == room) return err_set(e, "to be given at most %d times", room);
    list->items[list->count++] = value;
    return true;
  }
  case OPTION_TEXT:
  case OPTION_FLAG: break;
  }
  *(const char **)o->target = value;
  return true;
}

/* One argument that starts with '-'. Returns how many arguments it took; 0: wrong, *code says the exit. */
static int take_option(struct command_line *c, int argc, char **argv, int i, int *code) {
  const char *arg = argv[i], *equals = strchr(arg, '=');
  const size_t n = equals && arg[1] == '-' ? (size_t)(equals - arg) : strlen(arg);
  struct err wanted = {0};
  if (!strcmp(arg, "--json")) return c->json = true;
  if (!strcmp(arg, "--quiet") || !strcmp(arg, "-q")) return c->quiet = true;
  const struct option_spec *o = find(c->spec->options, arg, n);
  if (!o || (o->kind == OPTION_FLAG && arg[n])) {
    *code = command_usage(c, "no option '%s'%s", arg,
                          o ? ": it takes no value" : "; --help lists them");
    return 0;
  }
  if (o->kind == OPTION_FLAG) {
    *(bool *)o->target = true;
    return 1;
  }
  const char *value = arg[n] == '=' ? arg + n + 1 : i + 1 < argc ? argv[i + 1] : NULL;
  if (!value)
    *code = command_usage(c, "%s needs a value", arg);
  else if (!store_value(o, value, &wanted))
    *code = command_usage(c, "%.*s '%s': it wants %s", (int)n, arg, value, wanted.text);
  else
    return arg[n] == '=' ? 1 : 2;
  return 0;
}

/* Fills words and options; false after a usage error or --help. */
static bool take_all(struct command_line *c, int argc, char **argv, int *code) {
  bool only_words = false;
  for (int i = 1; i < argc;) {
    const char *arg = argv[i];
    if (!only_words && (!strcmp(arg, "--help") || !strcmp(arg, "-h"))) {
      help(c->spec);
      *code = command_end(c, true);
      return false;
    }
    if (!only_words && !strcmp(arg, "--")) {
      only_words = true;
      i++;
    } else if (!only_words && arg[0] == '-' && arg[1]) {
      const int took = take_option(c, argc, argv, i, code);
      if (!took) return false;
      i += took;
    } else if (c->n_words == (int)(sizeof c->words / sizeof *c->words)) {
      *code = command_usage(c, "too many words, from '%s' on; name a folder instead", arg);
      return false;
    } else {
      c->words[c->n_words++] = argv[i++];
    }
  }
  return true;
}

bool command_wants_json(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (!strcmp(argv[i], "--json")) return true;
  return false;
}

bool command_begin(struct command_line *c, const struct command_spec *spec, int argc, char **argv,
                   int *exit_code) {
  memset(c, 0, sizeof *c);
  c->spec = spec;
  c->json = command_wants_json(argc, argv);
  c->arena = arena_new((size_t)8 << 30);
  if (!c->arena) {
    *exit_code = EXIT_INTERNAL;
    return false;
  }
  if (!take_all(c, argc, argv, exit_code)) return false;
  if (c->n_words < spec->least) {
    *exit_code = command_usage(c, "%s: something is missing", argv[0]);
    return false;
  }
  if (spec->most >= 0 && c->n_words > spec->most) {
    *exit_code = command_usage(c, "one word too many: '%s'", c->words[spec->most]);
    return false;
  }
  c->progress = progress_terminal(c->arena, c->quiet);
  return true;
}

void command_print_error(struct arena *a, const char *kind, const struct err *e) {
  struct text t;
  struct json j;
  text_init(&t, a);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_string(&j, "error", kind);
  json_put_string(&j, "file", e->file[0] ? e->file : NULL);
  json_put_string(&j, "node", e->node[0] ? e->node : NULL);
  json_put_string(&j, "message", e->text);
  json_close_object(&j);
  fputs(t.data, stdout);
}

static void finish(struct command_line *c) {
  arena_free(c->arena);
  c->arena = NULL;
}

int command_end(struct command_line *c, bool ok) {
  const struct err *e = &c->err;
  const int code = ok ? EXIT_OK : e->internal ? EXIT_INTERNAL : EXIT_INPUT;
  if (!ok && c->json) command_print_error(c->arena, e->internal ? "internal" : "input", e);
  if (!ok)
    fprintf(stderr, "mote: %s%s%s%s%s\n", e->file, e->file[0] ? ": " : "", e->node,
            e->node[0] ? ": " : "", e->text[0] ? e->text : "failed, and nobody said why");
  finish(c);
  return code;
}

int command_usage(struct command_line *c, const char *format, ...) {
  struct err e = {0};
  va_list args;
  va_start(args, format);
  vsnprintf(e.text, sizeof e.text, format, args);
  va_end(args);
  if (c->json) command_print_error(c->arena, "usage", &e);
  fprintf(stderr, "mote: %s\nusage: %s\n", e.text, c->spec->usage);
  finish(c);
  return EXIT_USAGE;
}
