/* targets: reads firmware/boards/chips.mk and firmware/boards/<name>/board.def.
 *
 * chips.mk is read as GNU Make reads such lines: `CHIP_<FACT>_<target> := value`. Other lines are comments or
 * empty; anything else is refused, so that the Makefile and this reader cannot come to differ. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/emulate/private.h"

#define MAX_TARGETS 32
#define MAX_BOARDS  64

static char *trim(char *s) {
  while (*s == ' ' || *s == '\t') s++;
  char *end = s + strlen(s);
  while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) *--end = 0;
  return s;
}

static struct emulate_target *target_of(struct emulate_target *list, int *count, const char *name) {
  for (int i = 0; i < *count; i++)
    if (!strcmp(list[i].name, name)) return &list[i];
  if (*count == MAX_TARGETS) return NULL;
  struct emulate_target *t = &list[(*count)++];
  *t = (struct emulate_target){.name = name,
                               .compiler = "",
                               .flags = "",
                               .hot = "",
                               .hot_flags = "",
                               .emulator = "qemu-system-arm",
                               .emulator_flags = "",
                               .machine = "",
                               .small_machine = "",
                               .start = "",
                               .board = "",
                               .isa = "host",
                               .pointer_bytes = 4};
  return t;
}

/* A key whose value is a text, and where that goes. */
struct text_key {
  const char *key, **value;
};

static bool set_text(const struct text_key *keys, size_t n, const char *key, const char *value) {
  for (size_t i = 0; i < n; i++) {
    if (strcmp(keys[i].key, key) != 0) continue;
    *keys[i].value = value;
    return true;
  }
  return false;
}

static enum emulate_core core_named(const char *name) {
  static const char *const names[EMULATE_CORE_COUNT] = {"none", "m0plus", "m3",   "m4", "m7",
                                                        "m33",  "m55",    "rv32", "avr"};
  for (int i = 0; i < EMULATE_CORE_COUNT; i++)
    if (!strcmp(names[i], name)) return (enum emulate_core)i;
  return EMULATE_CORE_COUNT;
}

static bool set_fact(struct emulate_target *t, const char *fact, const char *value) {
  const struct text_key texts[] = {
      {"CC", &t->compiler},
      {"FLAGS", &t->flags},
      {"HOT", &t->hot},
      {"HOTFLAGS", &t->hot_flags},
      {"MACHINE", &t->machine},
      {"SMALL", &t->small_machine},
      {"ISA", &t->isa},
      {"START", &t->start},
      {"BOARD", &t->board},
      {"EMULATOR", &t->emulator},
      {"EMULATORFLAGS", &t->emulator_flags},
  };
  if (set_text(texts, sizeof texts / sizeof *texts, fact, value)) return true;
  if (!strcmp(fact, "POINTER"))
    t->pointer_bytes = atoi(value);
  else if (!strcmp(fact, "CORE"))
    return (t->core = core_named(value)) != EMULATE_CORE_COUNT;
  else
    return !strcmp(fact, "AR");
  return true;
}

bool emulate_is_wasm(const struct emulate_target *target) { return !strcmp(target->isa, "wasm"); }

bool emulate_targets(struct arena *a, const struct emulate_target **targets, int *count,
                     struct err *e) {
  char *home, *text;
  size_t size;
  if (!mote_home(a, &home, e)) return false;
  const char *path = arena_printf(a, "%s/firmware/boards/chips.mk", home);
  if (!file_read(a, path, 1 << 20, (uint8_t **)&text, &size, e)) return false;
  struct emulate_target *list = ARENA_ARRAY(a, struct emulate_target, MAX_TARGETS);
  int n = 0, line = 0;
  for (char *next = text; next;) {
    char *s = next, *end = strchr(s, '\n');
    next = end ? end + 1 : NULL;
    if (end) *end = 0;
    line++;
    s = trim(s);
    if (!*s || *s == '#') continue;
    char *value = strstr(s, ":="), *name = NULL;
    if (value && text_starts(s, "CHIP_")) {
      *value = 0;
      char *fact = trim(s) + 5;
      if ((name = strchr(fact, '_'))) {
        *name++ = 0;
        struct emulate_target *t = target_of(list, &n, name);
        if (t && set_fact(t, fact, trim(value + 2))) continue;
      }
    }
    err_file(e, path);
    err_node(e, "line %d", line);
    return err_set(
        e, "not a fact of a chip that is known; a line reads CHIP_<FACT>_<target> := value");
  }
  *targets = list;
  *count = n;
  return true;
}

/* An unknown name's error lists the known ones. what: "target" or "board". */
static bool unknown(struct arena *a, const char *what, const char *name, const char *const *names,
                    int n, struct err *e) {
  struct text known;
  text_init(&known, a);
  for (int i = 0; i < n; i++) text_printf(&known, " %s", names[i]);
  return err_set(e, "no %s is called \"%s\"; known:%s", what, name, known.data);
}

bool emulate_find_target(struct arena *a, const char *name, const struct emulate_target **target,
                         struct err *e) {
  const struct emulate_target *list;
  const char *names[MAX_TARGETS];
  int n;
  if (!emulate_targets(a, &list, &n, e)) return false;
  for (int i = 0; i < n; i++) {
    names[i] = list[i].name;
    if (strcmp(list[i].name, name) != 0) continue;
    *target = &list[i];
    return true;
  }
  return unknown(a, "target", name, names, n, e);
}

/* ---- boards ------------------------------------------------------------------ */

/* "2.4 .. 4.6, where it is published", or "unknown, why". */
static bool read_figure(char *value, struct emulate_figure *f) {
  char *comma = strchr(value, ','), *end;
  if (!comma) return false;
  *comma = 0;
  f->source = trim(comma + 1);
  value = trim(value);
  if (!strcmp(value, "unknown")) return true;
  f->low = f->high = strtod(value, &end);
  if (end == value) return false;
  end = trim(end);
  if (text_starts(end, "..")) {
    value = end + 2;
    f->high = strtod(value, &end);
    if (end == value) return false;
    end = trim(end);
  }
  f->known = true;
  return !*end && f->low >= 0 && f->high >= f->low && isfinite(f->high);
}

static bool read_number(const char *value, double *number) {
  char *end;
  *number = strtod(value, &end);
  return end != value && !*end && *number >= 0 && isfinite(*number);
}

static bool set_board(struct emulate_board *b, const char *key, char *value) {
  const struct text_key texts[] = {
      {"title", &b->title}, {"chip", &b->chip}, {"target", &b->target}, {"stand_in", &b->stand_in}};
  double n = 0;
  if (set_text(texts, sizeof texts / sizeof *texts, key, value)) return true;
  if (!strcmp(key, "clock_hz"))
    return read_number(value, &b->clock_hz) && b->clock_hz > 0;
  else if (!strcmp(key, "volts"))
    return read_number(value, &b->volts) && b->volts > 0;
  else if (!strcmp(key, "active_ma"))
    return read_figure(value, &b->active_ma);
  else if (!strcmp(key, "sleep_ma"))
    return read_figure(value, &b->sleep_ma);
  else if (!strcmp(key, "wait_factor"))
    return read_figure(value, &b->wait_factor);
  else if (!read_number(value, &n) || n > 1e12)
    return false;
  else if (!strcmp(key, "flash_bytes"))
    b->flash_bytes = (int64_t)n;
  else if (!strcmp(key, "ram_bytes"))
    b->ram_bytes = (int64_t)n;
  else if (!strcmp(key, "flash_reserved_bytes"))
    b->flash_reserved_bytes = (int64_t)n;
  else
    return false;
  return true;
}

static bool read_board(struct arena *a, const char *path, const char *name, struct emulate_board *b,
                       struct err *e) {
  char *text;
  size_t size;
  int line = 0;
  if (!file_read(a, path, 1 << 16, (uint8_t **)&text, &size, e)) return false;
  b->name = name;
  for (char *next = text; next;) {
    char *s = next, *end = strchr(s, '\n');
    next = end ? end + 1 : NULL;
    if (end) *end = 0;
    line++;
    s = trim(s);
    if (!*s || *s == '#') continue;
    char *value = strchr(s, ':');
    if (value) *value++ = 0;
    if (!value || !set_board(b, trim(s), trim(value))) {
      err_file(e, path);
      err_node(e, "line %d", line);
      return err_set(
          e, "not a fact of a board: a line reads \"key: value\", a figure \"low .. high, source\" "
             "or \"unknown, reason\"");
    }
  }
  if (b->title && b->chip && b->target && b->clock_hz > 0 && b->volts > 0 && b->flash_bytes &&
      b->ram_bytes && b->active_ma.source && b->sleep_ma.source && b->wait_factor.source)
    return true;
  err_file(e, path);
  return err_set(
      e, "a board needs title, chip, target, clock_hz, volts, flash_bytes, ram_bytes, active_ma, "
         "sleep_ma and wait_factor");
}

bool emulate_boards(struct arena *a, const struct emulate_board **boards, int *count,
                    struct err *e) {
  char *home, **names;
  int n_names, n = 0;
  if (!mote_home(a, &home, e)) return false;
  const char *folder = arena_printf(a, "%s/firmware/boards", home);
  if (!dir_list(a, folder, &names, &n_names, e)) return false;
  struct emulate_board *list = ARENA_ARRAY(a, struct emulate_board, MAX_BOARDS);
  for (int i = 0; i < n_names && n < MAX_BOARDS; i++) {
    const char *path = arena_printf(a, "%s/%s/board.def", folder, names[i]);
    if (!file_exists(path)) continue;
    if (!read_board(a, path, names[i], &list[n++], e)) return false;
  }
  *boards = list;
  *count = n;
  return true;
}

bool emulate_find_board(struct arena *a, const char *name, const struct emulate_board **board,
                        struct err *e) {
  const struct emulate_board *list;
  const char *names[MAX_BOARDS];
  int n;
  if (!emulate_boards(a, &list, &n, e)) return false;
  for (int i = 0; i < n; i++) {
    names[i] = list[i].name;
    if (strcmp(list[i].name, name) != 0) continue;
    *board = &list[i];
    return true;
  }
  return unknown(a, "board", name, names, n, e);
}
