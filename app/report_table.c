/* report_table: rows are made once, as texts, and then set as a terminal's table or a page's. */
#include "app/report_table.h"

#include <math.h>
#include <string.h>

#define DASH "\xE2\x80\x93"

const char *report_percent(struct arena *a, double fraction) {
  return isfinite(fraction) ? arena_printf(a, "%.1f %%", 100 * fraction) : DASH;
}

static const char *report_whole(struct arena *a, double value) {
  return isfinite(value) ? arena_strdup(a, text_thousands((int64_t)llround(value))) : DASH;
}

/* Three figures that matter: "0.42", "4.21", "42.1", "421", "4,210". */
static const char *short_number(struct arena *a, double v) {
  if (!isfinite(v)) return DASH;
  if (fabs(v) >= 1000) return report_whole(a, v);
  return arena_printf(a, fabs(v) >= 100 ? "%.0f" : fabs(v) >= 10 ? "%.1f" : "%.2f", v);
}

double report_ram_bytes(const struct object *bench) {
  double arena = object_number(bench, "ram_arena_with_features_bytes");
  if (!isfinite(arena)) arena = object_number(bench, "ram_arena_bytes");
  double window = object_number(bench, "ram_window_bytes");
  const double map = object_number(bench, "ram_map_bytes");
  return arena + object_number(bench, "ram_static_bytes") + object_number(bench, "stack_bytes") +
         (isfinite(window) ? window : 0) + (isfinite(map) ? map : 0);
}

double report_flash_bytes(const struct object *bench) {
  return object_number(bench, "flash_code_bytes") + object_number(bench, "flash_weight_bytes");
}

/* ---- rows ---------------------------------------------------------------------- */
enum { MOST_ROWS = 24 };

struct rows {
  const struct report_facts *facts;
  int n;
  const char *label[MOST_ROWS];
  const char *cell[MOST_ROWS][REPORT_MOST_BOARDS];
};

static void add_row(struct rows *r, const char *label,
                    const char *(*cell)(struct arena *, const struct object *)) {
  r->label[r->n] = label;
  for (int i = 0; i < r->facts->n; i++)
    r->cell[r->n][i] = cell(r->facts->arena, r->facts->bench[i]);
  r->n++;
}

static const char *whole_at(struct arena *a, const struct object *b, const char *path) {
  return report_whole(a, object_number(b, path));
}

/* What is needed of what there is, in bytes; says so where it is not enough. */
static const char *against(struct arena *a, double need, double limit) {
  if (!isfinite(need)) return DASH;
  if (!isfinite(limit) || limit <= 0) return report_whole(a, need);
  const char *have = report_whole(a, limit), *wants = report_whole(a, need);
  if (need > limit) return arena_printf(a, "%s: more than the %s", wants, have);
  return arena_printf(a, "%s of %s (%.0f %%)", wants, have, 100 * need / limit);
}

static const char *ranged(struct arena *a, const struct object *b, const char *key) {
  double low = object_number(b, arena_printf(a, "ranges.%s.low", key));
  double high = object_number(b, arena_printf(a, "ranges.%s.high", key));
  double typical = object_number(b, arena_printf(a, "ranges.%s.typical", key));
  if (!isfinite(low) || !isfinite(high)) return DASH;
  return arena_printf(a, "%s (%s to %s)", short_number(a, typical), short_number(a, low),
                      short_number(a, high));
}

static const char *chip_cell(struct arena *a, const struct object *b) {
  double clock = object_number(b, "board.clock_hz");
  if (!isfinite(clock)) return object_text(b, "target");
  return arena_printf(a, "%s, %.0f MHz", object_text(b, "target"), clock / 1e6);
}
static const char *code_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "flash_code_bytes");
}
static const char *weight_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "flash_weight_bytes");
}
static const char *flash_cell(struct arena *a, const struct object *b) {
  return against(a, report_flash_bytes(b), object_number(b, "board.flash_bytes"));
}
static const char *network_arena_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "ram_arena_bytes");
}
static const char *arena_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "ram_arena_with_features_bytes");
}
static const char *fixed_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "ram_static_bytes");
}
static const char *stack_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "stack_bytes");
}
static const char *window_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "ram_window_bytes");
}
static const char *ram_cell(struct arena *a, const struct object *b) {
  return against(a, report_ram_bytes(b), object_number(b, "board.ram_bytes"));
}
static const char *features_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "features.instructions");
}
static const char *network_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "network.instructions");
}
static const char *total_cell(struct arena *a, const struct object *b) {
  return whole_at(a, b, "instructions");
}
static const char *features_time_cell(struct arena *a, const struct object *b) {
  return short_number(a, object_number(b, "features.milliseconds"));
}
static const char *network_time_cell(struct arena *a, const struct object *b) {
  return short_number(a, object_number(b, "network.milliseconds"));
}
static const char *time_cell(struct arena *a, const struct object *b) {
  return ranged(a, b, "milliseconds");
}
static const char *energy_cell(struct arena *a, const struct object *b) {
  return ranged(a, b, "energy_uj");
}
static const char *battery_cell(struct arena *a, const struct object *b) {
  return ranged(a, b, "battery_days");
}

static void make_rows(struct rows *r, const struct report_facts *facts) {
  r->facts = facts;
  r->n = 0;
  add_row(r, "processor", chip_cell);
  add_row(r, "flash: code", code_cell);
  add_row(r, "flash: weights and tables", weight_cell);
  add_row(r, "flash in all, of the board's", flash_cell);
  add_row(r, "RAM: arena of the network", network_arena_cell);
  add_row(r, "RAM: arena with features", arena_cell);
  add_row(r, "RAM: static", fixed_cell);
  add_row(r, "RAM: stack", stack_cell);
  add_row(r, "RAM: samples of one window", window_cell);
  add_row(r, "RAM in all, of the board's", ram_cell);
  add_row(r, "instructions: features", features_cell);
  add_row(r, "instructions: network", network_cell);
  add_row(r, "instructions in all", total_cell);
  add_row(r, "milliseconds*: features", features_time_cell);
  add_row(r, "milliseconds*: network", network_time_cell);
  add_row(r, "milliseconds* in all", time_cell);
  add_row(r, "microjoules* an inference", energy_cell);
  add_row(r, "days* on a 150 mAh battery", battery_cell);
}

static const char *board_name(struct arena *a, const struct object *b) {
  const char *name = object_text(b, "board.name");
  const char *title = object_text(b, "board.title");
  if (title[0]) return title;
  return name[0] ? name : arena_strdup(a, object_text(b, "target"));
}

static const char footnote[] = "* estimated: cycles from the core's published timings, the board's "
                               "clock, currents from data sheets; one "
                               "inference a second, asleep between. The chip alone, without "
                               "microphone, screen, radio or regulator.";

/* ---- setting --------------------------------------------------------------------- */
/* Width on a terminal: bytes that do not continue a UTF-8 character. */
static int width_of(const char *s) {
  int n = 0;
  for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
  return n;
}

static void pad(struct text *out, int n) {
  for (; n > 0; n--) text_add(out, " ");
}

/* Where a board's currents come from, and why a figure is missing, a line each. */
static void add_sources(struct arena *a, const struct object *b, struct text *out) {
  static const struct {
    const char *path, *what;
  } lines[] = {{"board.active_source", "running"},
               {"board.sleep_source", "asleep"},
               {"board.wait_source", "flash"},
               {"ranges.energy_uj.unknown", "no energy"},
               {"ranges.battery_days.unknown", "no days"}};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    const char *text = object_text(b, lines[i].path);
    if (text[0]) text_printf(out, "%s, %s: %s\n", board_name(a, b), lines[i].what, text);
  }
}

void report_table_text(const struct report_facts *facts, struct text *out) {
  struct arena *a = facts->arena;
  if (facts->test) {
    text_printf(out, "%-30s %10s %10s %10s\n", "", "float32", "int8", "chip");
    text_printf(out, "%-30s %10s %10s %10s\n",
                arena_printf(a, "accuracy, %s windows",
                             report_whole(a, object_number(facts->test, "windows"))),
                report_percent(a, object_number(facts->test, "accuracy_float")),
                report_percent(a, object_number(facts->test, "accuracy_int8")),
                report_percent(a, object_number(facts->test, "accuracy_chip")));
  }
  if (facts->n == 0) return;
  struct rows *rows = ARENA_NEW(a, struct rows);
  make_rows(rows, facts);
  int width[REPORT_MOST_BOARDS];
  text_printf(out, "\n%-30s", "");
  for (int i = 0; i < facts->n; i++) {
    const char *name = board_name(a, facts->bench[i]);
    width[i] = width_of(name);
    for (int k = 0; k < rows->n; k++)
      if (width_of(rows->cell[k][i]) > width[i]) width[i] = width_of(rows->cell[k][i]);
    pad(out, 3 + width[i] - width_of(name));
    text_add(out, name);
  }
  text_add(out, "\n");
  for (int k = 0; k < rows->n; k++) {
    text_printf(out, "%-30s", rows->label[k]);
    for (int i = 0; i < facts->n; i++) {
      pad(out, 3 + width[i] - width_of(rows->cell[k][i]));
      text_add(out, rows->cell[k][i]);
    }
    text_add(out, "\n");
  }
  text_printf(out, "\n%s\n", footnote);
  for (int i = 0; i < facts->n; i++) add_sources(a, facts->bench[i], out);
}

void report_table_page(const struct report_facts *facts, struct report *page) {
  struct arena *a = facts->arena;
  if (facts->n == 0) return;
  struct rows *rows = ARENA_NEW(a, struct rows);
  make_rows(rows, facts);
  int columns = facts->n + 1;
  const char **head = ARENA_ARRAY(a, const char *, columns);
  const char **cells = ARENA_ARRAY(a, const char *, columns * rows->n);
  bool *numeric = ARENA_ARRAY(a, bool, columns);
  head[0] = "";
  for (int i = 0; i < facts->n; i++) {
    head[i + 1] = board_name(a, facts->bench[i]);
    numeric[i + 1] = true;
  }
  for (int k = 0; k < rows->n; k++) {
    cells[k * columns] = rows->label[k];
    for (int i = 0; i < facts->n; i++) cells[k * columns + i + 1] = rows->cell[k][i];
  }
  report_table(page, &(struct report_table){
                         .caption = "What it needs, and what the boards have; sizes in bytes",
                         .columns = columns,
                         .rows = rows->n,
                         .head = head,
                         .cells = cells,
                         .numeric = numeric});
  struct text sources;
  text_init(&sources, a);
  text_add(&sources, footnote);
  for (int i = 0; i < facts->n; i++) {
    struct text lines;
    text_init(&lines, a);
    add_sources(a, facts->bench[i], &lines);
    for (const char *p = lines.data ? lines.data : ""; *p;) { /* a paragraph each */
      size_t n = strcspn(p, "\n");
      text_add(&sources, "\n\n");
      text_addn(&sources, p, n);
      p += n + (p[n] == '\n');
    }
  }
  report_small(page, sources.data);
}
