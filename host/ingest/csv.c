/* Tables of numbers, a row a moment.
 *
 * How it works: the first lines tell the layout (sniff.c), the first MEASURED_ROWS the usual step of time; then the
 * rows stream by. A stretch ends where the label or the group changes, where time runs backwards, or where it jumps
 * by more than GAP_STEPS usual steps. With a time column the rows are laid on an even grid by linear interpolation
 * (from rates at least 1.5 times higher on a grid of their own rate and then through soxr, so that nothing folds
 * down); without one they are taken at the stated rate. Only one row is held, so that a table may have any length;
 * one whose time runs backwards is held whole as text and read from its end. */
#include "host/ingest/table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAP_STEPS     10.0
#define MEASURED_ROWS 200000
#define HELD_BYTES    ((size_t)48 << 20)
/* Grid points in a usual step: more means that the time unit is wrong. */
#define MAX_FINER     1000.0
#define STAGE_NUMBERS 16384
/* Share of steps that may be off by EVEN before they are called uneven. */
#define EVEN       0.05
#define EVEN_SHARE 0.01

/* ---- lines ----------------------------------------------------------------------- */
/* Moves what is left to the front and reads more behind it. */
static bool refill(struct table *t, struct err *e) {
  memmove(t->buffer, t->buffer + t->at, t->used - t->at);
  t->used -= t->at;
  t->at = 0;
  if (t->used == t->room) {
    if (t->room >= TABLE_LINE_BYTES) {
      err_node(e, "line %lld", (long long)t->line + 1);
      return err_set(e, "longer than %zu bytes: this is no table%s", TABLE_LINE_BYTES,
                     memchr(t->buffer, '"', t->used) ? ", or a quote is not closed" : "");
    }
    char *more = realloc(t->buffer, t->room * 2);
    if (!more) return err_set(e, "no memory left");
    t->buffer = more;
    t->room *= 2;
  }
  const int got = gzread(t->file, t->buffer + t->used, (unsigned)(t->room - t->used));
  int code = 0;
  if (got < 0) return err_set(e, "cannot be read: %s", gzerror(t->file, &code));
  if (memchr(t->buffer + t->used, 0, (size_t)got)) {
    const bool wide =
        t->used == 0 && got >= 2 &&
        (memcmp(t->buffer, "\xff\xfe", 2) == 0 || memcmp(t->buffer, "\xfe\xff", 2) == 0);
    return err_set(e, wide
                          ? "this is UTF-16; save it as UTF-8 (`iconv -f UTF-16 -t UTF-8 IN > OUT`)"
                          : "holds zero bytes: this is no text");
  }
  t->used += (size_t)got;
  t->end = got == 0;
  return true;
}

/* The end of the line that begins at t->at, behind which the next begins; quotes may hold line ends. */
static bool find_end(struct table *t, size_t *length, size_t *next, int64_t *lines, struct err *e) {
  size_t from = 0;
  bool quoted = false;
  *lines = 1;
  for (;;) {
    const char *start = t->buffer + t->at;
    const size_t n = t->used - t->at;
    for (; from < n; from++) {
      if (start[from] == '"') quoted = !quoted;
      if (start[from] == '\n' && quoted) ++*lines;
      if (start[from] == '\n' && !quoted) return *length = from, *next = from + 1, true;
    }
    if (t->end) return *length = n, *next = n, true;
    if (!refill(t, e)) return false;
  }
}

static bool raw_line(struct table *t, struct field *line, bool *there, struct err *e) {
  size_t length, next;
  int64_t lines;
  *there = false;
  if (!find_end(t, &length, &next, &lines, e)) return false;
  if (next == 0) return true;
  const char *start = t->buffer + t->at, *stop = start + length;
  if (t->line == 0 && length >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) start += 3;
  t->at += next;
  t->line += lines;
  while (stop > start && (stop[-1] == '\r' || stop[-1] == ' ')) stop--;
  while (start < stop && *start == ' ') start++;
  *line = (struct field){start, (size_t)(stop - start)};
  return *there = true;
}

bool table_line(struct table *t, struct field *line, bool *there, struct err *e) {
  if (t->backwards) {
    *there = t->n_held > 0;
    if (*there) *line = t->held[--t->n_held], t->line = t->held_line[t->n_held];
    return true;
  }
  do {
    if (!raw_line(t, line, there, e)) return false;
  } while (*there && (line->n == 0 || line->at[0] == '#'));
  return true;
}

bool table_rewind(struct table *t, struct err *e) {
  if (gzrewind(t->file) != 0) return err_set(e, "cannot be read a second time");
  t->used = t->at = 0;
  t->end = false;
  t->line = 0;
  return true;
}

int table_split(struct table *t, struct field line) {
  return field_split(line, t->separator, t->fields, TABLE_COLUMNS);
}

/* The next row's line, behind what stands in front of the first. */
static bool row_line(struct table *t, struct field *line, bool *there, struct err *e) {
  do {
    if (!table_line(t, line, there, e)) return false;
  } while (*there && t->line < t->first_line);
  if (*there && t->trailing && !t->backwards && line->n && line->at[line->n - 1] == ';') line->n--;
  return true;
}

/* ---- time ------------------------------------------------------------------------ */
bool table_time(const struct table *t, struct field f, double *value) {
  return t->dates ? field_time(f, value) : field_number(f, t->comma, value);
}

static int compare_double(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The unit of times that no name tells: the one that comes closest to the wanted rate. */
static double guess_unit(const struct table *t, double step) {
  static const double units[] = {1, 1e-3, 1e-6, 1e-9};
  double best = INFINITY, unit_s = step >= 1 ? 1e-3 : 1;
  for (int i = 0; i < 4 && t->o->rate_hz > 0; i++) {
    const double distance = fabs(log(step * units[i] * t->o->rate_hz));
    if (distance < best) best = distance, unit_s = units[i];
  }
  return unit_s;
}

static const char *unit_name(double s) {
  return s >= 1 ? "s" : s >= 1e-3 ? "ms" : s >= 1e-6 ? "us" : "ns";
}

static void note_evenness(struct table *t, const double *steps, size_t n) {
  const double usual = steps[n / 2];
  size_t off = 0, counted = 0;
  for (size_t i = 0; i < n && steps[i] <= GAP_STEPS * usual; i++) {
    counted++;
    off += fabs(steps[i] - usual) > EVEN * usual;
  }
  if ((double)off > EVEN_SHARE * (double)counted)
    ingest_note(t->r, "uneven steps of time laid on an even grid");
}

static bool bad_field(const struct table *t, int column, const char *what, struct err *e) {
  const struct field f = t->fields[column];
  if (f.n == 0)
    return err_set(e, "column %d should be %s and is empty; --skip-bad-rows leaves such rows out",
                   column + 1, what);
  return err_set(e,
                 "column %d should be %s and holds \"%.*s\"; --skip-bad-rows leaves such rows out",
                 column + 1, what, (int)(f.n < 40 ? f.n : 40), f.at);
}

/* The fields of a row, and its time. */
static bool parse_time(struct table *t, struct field line, struct err *e) {
  const int n = table_split(t, line);
  if (n != t->n_columns)
    return err_set(e, "%d columns where the first row has %d", n, t->n_columns);
  return t->time_column < 0 || table_time(t, t->fields[t->time_column], &t->time) ||
         bad_field(t, t->time_column, "a time", e);
}

/* Steps of the first rows, those back in time behind MEASURED_ROWS. */
static bool read_steps(struct table *t, double *steps, size_t *n, size_t *back, struct err *e) {
  double before = 0;
  bool first = true;
  for (int64_t rows = 0; rows < MEASURED_ROWS; rows++) {
    struct field line;
    struct err one = {0};
    bool there;
    if (!row_line(t, &line, &there, e)) return false;
    if (!there) break;
    if (!parse_time(t, line, &one)) {
      if (t->o->skip_bad_rows) continue;
      err_node(e, "line %lld", (long long)t->line);
      return err_set(e, "%s", one.text);
    }
    if (!first && t->time > before) steps[(*n)++] = t->time - before;
    if (!first && t->time < before) {
      ++*back;
      steps[MEASURED_ROWS + *back - 1] = before - t->time;
    }
    before = t->time;
    first = false;
  }
  return true;
}

/* Every line behind the header, to be read from the end. */
static bool hold(struct table *t, struct err *e) {
  size_t bytes = 0;
  int64_t n = 0;
  struct field line;
  bool there;
  for (int pass = 0; pass < 2; pass++) {
    if (!table_rewind(t, e)) return false;
    if (pass == 1) {
      t->held = ARENA_ARRAY(t->r->arena, struct field, n + 1);
      t->held_line = ARENA_ARRAY(t->r->arena, int64_t, n + 1);
    }
    char *copy = pass == 1 ? arena_alloc(t->r->arena, bytes + 1, 1) : NULL;
    n = 0;
    for (;; n++) {
      if (!row_line(t, &line, &there, e)) return false;
      if (!there) break;
      if (pass == 0) {
        bytes += line.n;
        if (bytes + 24 * (size_t)n > HELD_BYTES)
          return err_set(e,
                         "its time runs backwards, and it is too long (more than %zu MiB) to be "
                         "turned round here; sort it by time first",
                         HELD_BYTES >> 20);
        continue;
      }
      memcpy(copy, line.at, line.n);
      t->held[n] = (struct field){copy, line.n};
      t->held_line[n] = t->line;
      copy += line.n;
    }
  }
  t->n_held = n;
  t->backwards = true;
  ingest_note(t->r, "time runs backwards: the rows are taken from the last to the first");
  return true;
}

/* The usual step, the unit where the name did not tell, and the direction. */
static bool measure_time(struct table *t, struct err *e) {
  double *steps = malloc(2 * MEASURED_ROWS * sizeof *steps);
  size_t n = 0, back = 0;
  if (!steps) return err_set(e, "no memory left");
  bool ok = read_steps(t, steps, &n, &back, e);
  /* A table of many short recordings falls back at each, but rises more often. */
  const bool backwards = back > 4 * n;
  if (backwards) {
    memmove(steps, steps + MEASURED_ROWS, back * sizeof *steps);
    n = back;
  }
  if (ok && n == 0)
    ok = err_set(e, "%s",
                 t->line <= t->first_line ? "one row only: a recording needs at least two"
                                          : "the time column never rises; name another with "
                                            "--time-column, or none with --time-column none");
  if (ok) {
    qsort(steps, n, sizeof *steps, compare_double);
    if (t->o->time_unit_s > 0 && !t->dates) t->unit_s = t->o->time_unit_s;
    if (!(t->unit_s > 0)) {
      t->unit_s = guess_unit(t, steps[n / 2]);
      ingest_note(t->r, "time taken as %s (usual step %.6g)", unit_name(t->unit_s), steps[n / 2]);
    }
    t->step_s = steps[n / 2] * t->unit_s;
    note_evenness(t, steps, n);
  }
  free(steps);
  return ok && (backwards ? hold(t, e) : table_rewind(t, e));
}

static bool plan_rates(struct table *t, struct err *e) {
  const double stated = t->o->source_rate_hz > 0 ? t->o->source_rate_hz : t->o->rate_hz;
  if (t->time_column < 0 || t->o->each_row) {
    if (!(stated > 0))
      return err_set(e,
                     "no time column, and no rate to go by; name the column with --time-column, or "
                     "the rate with --rate; there are: %s",
                     table_columns(t));
    t->own_hz = t->grid_hz = stated;
    t->step_s = 1 / stated;
    t->unit_s = 1;
    if (!t->o->each_row && !(t->o->source_rate_hz > 0))
      ingest_note(t->r, "no time column: taken as %g Hz", stated);
    return true;
  }
  if (!measure_time(t, e)) return false;
  t->own_hz = 1 / t->step_s;
  const double wanted = t->o->rate_hz > 0 ? t->o->rate_hz : t->own_hz;
  t->grid_hz = t->own_hz >= 1.5 * wanted ? t->own_hz : wanted;
  if (!isfinite(t->own_hz) || !(t->own_hz > 0) || t->grid_hz / t->own_hz > MAX_FINER)
    return err_set(e,
                   "usual step %g s (%g Hz), and %g Hz are wanted: too far apart; is the time unit "
                   "right (--time-unit)?",
                   t->step_s, t->own_hz, wanted);
  return true;
}

/* ---- rows ------------------------------------------------------------------------ */
static void keep_word(char word[TABLE_WORD], struct field f) {
  const size_t n = f.n < TABLE_WORD ? f.n : TABLE_WORD - 1;
  memcpy(word, f.at, n);
  word[n] = 0;
}

/* What a clock says at this row: where the day stands, on a circle, so that midnight is no jump; the weekend. The date is
 * taken as it is written, in UTC where it tells its zone. */
static void read_clock(struct table *t, float *out) {
  const double day = floor(t->time / 86400),
               turn = (t->time / 86400 - day) * 2 * 3.14159265358979323846;
  const double weekday =
      fmod(fmod(day + 3, 7) + 7, 7); /* from Monday: the first of 1970 was a Thursday */
  out[0] = (float)sin(turn);
  out[1] = (float)cos(turn);
  out[2] = weekday >= 5;
}

static bool parse_row(struct table *t, struct field line, struct err *e) {
  t->time = (double)t->row / t->own_hz;
  if (!parse_time(t, line, e)) return false;
  const int columns = t->n_channels - (t->o->clock ? TABLE_CLOCK : 0);
  if (t->o->clock) read_clock(t, t->values + columns);
  for (int c = 0; c < columns; c++) {
    double value;
    if (!field_number(t->fields[t->channel[c]], t->comma, &value) || !(fabs(value) <= 3e38))
      return bad_field(t, t->channel[c], "a number", e);
    t->values[c] = (float)value;
  }
  if (t->label_column >= 0) keep_word(t->label, t->fields[t->label_column]);
  if (t->group_column >= 0) keep_word(t->group, t->fields[t->group_column]);
  return true;
}

static bool read_row(struct table *t, struct err *e) {
  for (;;) {
    struct field line;
    bool there;
    if (!row_line(t, &line, &there, e)) return false;
    if (!there) return t->ended = true;
    struct err one = {0};
    if (parse_row(t, line, &one)) break;
    if (!t->o->skip_bad_rows) {
      err_node(e, "line %lld", (long long)t->line);
      return err_set(e, "%s", one.text);
    }
    t->bad_rows++;
  }
  t->row++;
  t->have_row = true;
  return true;
}

/* ---- stretches --------------------------------------------------------------------- */
static bool breaks(const struct table *t) {
  const double step_s = (t->time - t->before) * t->unit_s;
  return step_s < 0 || step_s > GAP_STEPS * t->step_s || strcmp(t->label, t->stretch_label) != 0 ||
         strcmp(t->group, t->stretch_group) != 0;
}

static bool flush(struct table *t, struct err *e) {
  if (t->staged && !pipe_push(&t->pipe, t->stage, t->staged, e)) return false;
  t->staged = 0;
  return true;
}

static bool stage(struct table *t, double share, struct err *e) {
  float *out = t->stage + t->staged * (size_t)t->n_channels;
  for (int c = 0; c < t->n_channels; c++) {
    const double x = (double)t->last[c], y = (double)t->values[c];
    out[c] = (float)(x + share * (y - x));
  }
  t->grid++;
  return ++t->staged < t->stage_room || flush(t, e);
}

static bool begin_stretch(struct table *t, struct err *e) {
  struct ingest_options o = *t->o;
  o.channels = 0; /* counted when the columns were chosen */
  t->in_stretch = true;
  t->stretches++;
  t->stretch_rows = t->grid = 0;
  t->start = t->time;
  t->line_from = t->piece_line = t->line;
  memcpy(t->stretch_label, t->label, sizeof t->label);
  memcpy(t->stretch_group, t->group, sizeof t->group);
  if (!pipe_begin(&t->pipe, &o, t->n_channels, t->grid_hz, 1.0, false, e)) return false;
  t->pipe.o = t->o;
  return true;
}

/* The grid points between the last row and this one, which holds those at its own time for the next. */
static bool add_row(struct table *t, struct err *e) {
  if (t->time_column < 0) {
    if (!stage(t, 1, e)) return false;
  } else if (t->stretch_rows > 0) {
    const double width = t->time - t->before;
    for (;;) {
      const double at = t->start + (double)t->grid / t->grid_hz / t->unit_s;
      if (!(at < t->time)) break;
      const double share = width > 0 ? (at - t->before) / width : 0;
      if (!stage(t, share < 0 ? 0 : share > 1 ? 1 : share, e)) return false;
    }
  }
  memcpy(t->last, t->values, (size_t)t->n_channels * sizeof *t->last);
  t->before = t->time;
  t->line_to = t->line;
  t->stretch_rows++;
  t->have_row = false;
  return true;
}

/* The grid point at the last row's time, and what the rate conversion holds. A lone row is no recording. */
static bool end_stretch(struct table *t, struct err *e) {
  t->in_stretch = false;
  if (t->stretch_rows < 2) {
    t->lone_rows++;
    t->staged = 0;
    return true;
  }
  if (t->time_column >= 0) {
    const double frames = floor((t->before - t->start) * t->unit_s * t->grid_hz + 1e-6) + 1;
    while ((double)t->grid < frames)
      if (!stage(t, 0, e)) return false;
  }
  return flush(t, e) && pipe_end(&t->pipe, e);
}

static const char *word_or_null(const char *word) { return word[0] ? word : NULL; }

static void emit(struct table *t, struct ingest_recording *out) {
  pipe_take(&t->pipe, out);
  const bool whole_stretch =
      out->start == 0 && !t->in_stretch && pipe_frames(&t->pipe) == out->length;
  const int64_t a = t->backwards ? t->line_to : t->line_from,
                b = t->backwards ? t->line_from : t->line_to;
  if (!whole_stretch)
    out->part = arena_printf(t->r->turn, "lines %lld-%lld, %.3f-%.3f s", (long long)a, (long long)b,
                             (double)out->start / out->rate_hz,
                             (double)(out->start + out->length) / out->rate_hz);
  else if (!(t->ended && !t->have_row && t->stretches == 1))
    out->part = arena_printf(t->r->turn, "lines %lld-%lld", (long long)a, (long long)b);
  out->source_rate_hz = t->own_hz;
  out->label = word_or_null(t->stretch_label);
  out->group = word_or_null(t->stretch_group);
}

static void last_notes(struct table *t) {
  if (t->bad_rows)
    ingest_note(t->r, "rows that could not be read left out: %lld", (long long)t->bad_rows);
  if (t->lone_rows) ingest_note(t->r, "lone rows between gaps left out");
}

static bool each_row(struct table *t, struct ingest_recording *out, bool *there, struct err *e) {
  struct ingest_options o = *t->o;
  o.channels = 0;
  if (!read_row(t, e)) return false;
  *there = t->have_row;
  last_notes(t);
  if (!t->have_row) return true;
  t->have_row = false;
  /* One channel in the project: the row is a series of its own. */
  const bool series = t->o->channels == 1;
  if (!pipe_begin(&t->pipe, &o, series ? 1 : t->n_channels, t->own_hz, 1.0, false, e)) return false;
  t->pipe.o = t->o;
  if (!pipe_push(&t->pipe, t->values, series ? (size_t)t->n_channels : 1, e) ||
      !pipe_end(&t->pipe, e))
    return false;
  pipe_take(&t->pipe, out);
  out->part = arena_printf(t->r->turn, "line %lld", (long long)t->line);
  out->independent = true;
  out->label = word_or_null(t->label);
  out->group = word_or_null(t->group);
  return true;
}

static bool csv_next(struct ingest_reader *r, struct ingest_recording *out, bool *there,
                     struct err *e) {
  struct table *t = r->state;
  pipe_drop(&t->pipe);
  if (t->o->each_row) return each_row(t, out, there, e);
  for (;;) {
    const bool left = pipe_frames(&t->pipe) > 0;
    if (pipe_full(&t->pipe) || (left && !t->in_stretch)) return emit(t, out), *there = true;
    if (!t->have_row && !t->ended && !read_row(t, e)) return false;
    if (t->in_stretch && (t->ended || breaks(t))) {
      if (!end_stretch(t, e)) return false;
    } else if (t->ended) {
      break;
    } else {
      if (!t->in_stretch && !begin_stretch(t, e)) return false;
      if (!add_row(t, e)) return false;
    }
  }
  last_notes(t);
  if (r->given == 0)
    return err_set(e, "no two rows that belong together: a recording needs at least two "
                      "(--each-row makes one of each row)");
  return true;
}

static bool csv_open(struct ingest_reader *r, struct err *e) {
  struct table *t = ARENA_NEW(r->arena, struct table);
  r->state = t;
  t->r = r;
  t->o = r->o;
  t->room = 65536;
  t->buffer = malloc(t->room);
  t->file = gzopen(r->path, "rb");
  if (!t->buffer) return err_set(e, "no memory left");
  if (!t->file) return err_set(e, "cannot be opened: %s", strerror(errno));
  gzbuffer(t->file, 65536);
  if (!table_layout(t, e) || !plan_rates(t, e)) return false;
  t->values = ARENA_ARRAY(r->arena, float, t->n_channels);
  t->last = ARENA_ARRAY(r->arena, float, t->n_channels);
  t->stage_room = (size_t)(STAGE_NUMBERS / t->n_channels);
  if (t->stage_room < 2) t->stage_room = 2; /* a lone row must fit without being flushed */
  t->stage = ARENA_ARRAY(r->arena, float, t->stage_room *(size_t)t->n_channels);
  return true;
}

static void csv_close(struct ingest_reader *r) {
  struct table *t = r->state;
  if (!t) return;
  if (t->file) gzclose(t->file);
  free(t->buffer);
  pipe_free(&t->pipe);
}

const struct ingest_format ingest_table = {"table", csv_open, csv_next, csv_close};
