/* What a table looks like: separator, decimal comma, header, and which column is what.
 *
 * How it works: the first lines (at most SAMPLE_LINES) are split by every separator there is; the one that cuts most
 * of them into the same number of fields (more than one) is it. Lines in front of the first that fits are a preamble.
 * A first line without any number or time in it is the header. A column is a channel where the sampled rows hold
 * numbers in it (or nothing). */
#include "host/ingest/table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SAMPLE_LINES 100

struct sample {
  struct field lines[SAMPLE_LINES];
  int64_t number[SAMPLE_LINES];
  int n;
};

/* ---- separator -------------------------------------------------------------------- */
/* The number of fields that most lines have, and how many lines have it. */
static int usual_fields(const struct sample *s, char separator, struct table *t, int *lines) {
  int counts[SAMPLE_LINES], best = 0;
  *lines = 0;
  for (int i = 0; i < s->n; i++)
    counts[i] = field_split(s->lines[i], separator, t->fields, TABLE_COLUMNS);
  for (int i = 0; i < s->n; i++) {
    int same = 0;
    for (int k = 0; k < s->n; k++) same += counts[k] == counts[i];
    if (same > *lines || (same == *lines && counts[i] > best)) *lines = same, best = counts[i];
  }
  return best;
}

static const char *separator_name(char c) {
  return c == '\t' ? "tab" : c == ';' ? "semicolon" : c == '|' ? "|" : c == ' ' ? "space" : "comma";
}

/* In this order: a comma may stand in numbers, a space beside any other separator. */
static void find_separator(struct table *t, const struct sample *s) {
  static const char candidates[] = "\t;|, ";
  int most = 0;
  t->separator = ',';
  t->n_columns = 1;
  for (const char *c = candidates; *c; c++) {
    int lines, n = usual_fields(s, *c, t, &lines);
    if (n < 2 || lines * 5 < s->n * 3 || (*c == ' ' && most)) continue;
    /* A later candidate must fit clearly better. */
    if (lines * 8 <= most * 9) continue;
    most = lines;
    t->separator = *c;
    t->n_columns = n;
  }
}

/* Do numbers in the sample have a comma for the point? */
static bool has_decimal_comma(struct table *t, const struct sample *s) {
  int commas = 0, points = 0;
  if (t->separator == ',') return false;
  for (int i = 0; i < s->n; i++) {
    const int n = field_split(s->lines[i], t->separator, t->fields, TABLE_COLUMNS);
    for (int k = 0; k < n && k < TABLE_COLUMNS; k++) {
      double value;
      const bool with_comma = memchr(t->fields[k].at, ',', t->fields[k].n) != NULL;
      if (with_comma && field_number(t->fields[k], ',', &value)) commas++;
      if (!with_comma && memchr(t->fields[k].at, '.', t->fields[k].n) &&
          field_number(t->fields[k], '.', &value))
        points++;
    }
  }
  return commas > points;
}

/* ---- names ----------------------------------------------------------------------- */
/* A column by its name or its number from 1; -1 when there is none. */
static int column_by(const struct table *t, const char *word) {
  for (int i = 0; i < t->n_columns; i++)
    if (t->names[i].n && field_is(t->names[i], word)) return i;
  char *end = NULL;
  long n = strtol(word, &end, 10);
  return end != word && *end == 0 && n >= 1 && n <= t->n_columns ? (int)n - 1 : -1;
}

const char *table_columns(const struct table *t) {
  struct text text;
  text_init(&text, t->r->arena);
  for (int i = 0; i < t->n_columns && text.size < 300; i++) {
    if (i) text_add(&text, ", ");
    if (t->names[i].n)
      text_addn(&text, t->names[i].at, t->names[i].n < 40 ? t->names[i].n : 40);
    else
      text_printf(&text, "%d", i + 1);
  }
  if (text.size >= 300) text_add(&text, " ...");
  return text.data;
}

static bool named_column(const struct table *t, const char *word, const char *what, int *column,
                         struct err *e) {
  *column = column_by(t, word);
  if (*column >= 0) return true;
  return err_set(e, "no column \"%s\" for the %s; there are: %s", word, what, table_columns(t));
}

/* Does a column's name say that it is time? In any case, with a unit behind it or not. */
static bool is_time_name(struct field f) {
  static const char *const starts[] = {
      "time",   "timestamp", "date", "datetime", "t",       "ts",   "seconds", "second",     "sec",
      "millis", "ms",        "us",   "micros",   "elapsed", "zeit", "uhrzeit", "sample_time"};
  char word[16];
  size_t n = 0;
  while (n < f.n && n < sizeof word - 1 && isalpha((unsigned char)f.at[n])) {
    word[n] = (char)tolower((unsigned char)f.at[n]);
    n++;
  }
  word[n] = 0;
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
    if (strcmp(word, starts[i]) == 0) return true;
  return false;
}

/* Is the letter s at `at` part of "µs", in UTF-8 (micro sign or Greek mu) or Latin-1? */
static bool behind_mu(struct field f, size_t at) {
  if (at == 0) return false;
  const unsigned char c = (unsigned char)f.at[at - 1],
                      before = at > 1 ? (unsigned char)f.at[at - 2] : 0;
  return c == 0xb5 || (c == 0xbc && before == 0xce);
}

/* The unit that a name ends with: "time_ms", "timestamp (us)", "t[s]"; 0: none. */
static double unit_of_name(struct field f) {
  static const struct {
    const char *word;
    double s;
  } units[] = {{"s", 1},
               {"sec", 1},
               {"secs", 1},
               {"seconds", 1},
               {"second", 1},
               {"ms", 1e-3},
               {"msec", 1e-3},
               {"millis", 1e-3},
               {"milliseconds", 1e-3},
               {"us", 1e-6},
               {"usec", 1e-6},
               {"micros", 1e-6},
               {"microseconds", 1e-6},
               {"ns", 1e-9},
               {"nsec", 1e-9},
               {"nanos", 1e-9},
               {"nanoseconds", 1e-9},
               {"min", 60},
               {"minutes", 60},
               {"hours", 3600},
               {"h", 3600}};
  while (f.n && !isalpha((unsigned char)f.at[f.n - 1])) f.n--;
  if (f.n == 0) return 0;
  size_t start = f.n;
  while (start && isalpha((unsigned char)f.at[start - 1])) start--;
  struct field last = {f.at + start, f.n - start};
  if (field_is(last, "s") && behind_mu(f, start)) return 1e-6;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (field_is(last, units[i].word)) return units[i].s;
  return 0;
}

/* ---- channels -------------------------------------------------------------------- */
static bool add_channel(struct table *t, int column, struct err *e) {
  if (t->n_channels == INGEST_MAX_CHANNELS)
    return err_set(e, "more than %d channels", INGEST_MAX_CHANNELS);
  t->channel[t->n_channels++] = column;
  return true;
}

/* "x", "3" or "3-66" (where no column has that name). */
static bool add_named(struct table *t, const char *word, struct err *e) {
  int column = column_by(t, word);
  if (column >= 0) return add_channel(t, column, e);
  char *dash = strchr(word, '-');
  if (dash && dash > word && dash[1]) {
    *dash = 0;
    const int first = column_by(t, word), last = column_by(t, dash + 1);
    *dash = '-';
    if (first >= 0 && last >= first) {
      for (int i = first; i <= last; i++)
        if (!add_channel(t, i, e)) return false;
      return true;
    }
  }
  return named_column(t, word, "channels", &column, e);
}

/* Numbers in the first row and in most of the sampled ones that hold something: what else stands there is an error
 * later, with its line. */
static bool is_numeric(struct table *t, const struct sample *s, int first_row, int column) {
  int numbers = 0, others = 0;
  double value;
  for (int i = first_row; i < s->n; i++) {
    if (table_split(t, s->lines[i]) != t->n_columns) continue;
    const struct field f = t->fields[column];
    const bool number = field_number(f, t->comma, &value);
    if (i == first_row && !number) return false;
    numbers += number;
    others += !number && f.n && !field_is(f, "nan") && !field_is(f, "na") && !field_is(f, "null");
  }
  return numbers > 0 && numbers >= others;
}

static bool pick_channels(struct table *t, const struct sample *s, int first_row, struct err *e) {
  if (t->o->columns) {
    char *copy = arena_strdup(t->r->arena, t->o->columns), *rest = NULL;
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
      while (*word == ' ') word++;
      if (!add_named(t, word, e)) return false;
    }
  } else {
    for (int i = 0; i < t->n_columns; i++) {
      /* A nameless column beside named ones holds row numbers. */
      if ((t->header && t->names[i].n == 0) || i == t->time_column || i == t->label_column ||
          i == t->group_column || !is_numeric(t, s, first_row, i))
        continue;
      if (!add_channel(t, i, e)) return false;
    }
  }
  if (t->n_channels == 0)
    return err_set(e, "no column of numbers; there are: %s", table_columns(t));
  if (t->o->clock) {
    if (t->o->each_row && t->o->channels == 1)
      return err_set(e,
                     "each row is a series of one channel (--each-row), which has no room for the "
                     "channels of a clock (--clock)");
    if (!t->dates)
      return err_set(e, "no column of dates, so no clock (--clock); there are: %s",
                     table_columns(t));
    if (t->n_channels + TABLE_CLOCK > INGEST_MAX_CHANNELS)
      return err_set(e, "%d columns and a clock; up to %d channels work", t->n_channels,
                     INGEST_MAX_CHANNELS);
    t->n_channels += TABLE_CLOCK;
  }
  if (t->o->channels > 0 && t->n_channels != t->o->channels &&
      !(t->o->each_row && t->o->channels == 1))
    return err_set(e,
                   "%d columns of numbers, and the project has %d (sensor.channels in mote.yaml); "
                   "name those that count with --columns; there are: %s",
                   t->n_channels, t->o->channels, table_columns(t));
  return true;
}

/* ---- header and columns ------------------------------------------------------------ */
static bool is_header(struct table *t, struct field line) {
  const int n = table_split(t, line);
  double value;
  for (int i = 0; i < n && i < t->n_columns; i++)
    if (field_number(t->fields[i], t->comma, &value) || field_time(t->fields[i], &value))
      return false;
  return true;
}

/* The header's fields, in the arena; it may lack the name of the row numbers, as R writes it. */
static void keep_names(struct table *t, int n) {
  const int shift = n == t->n_columns - 1 ? 1 : 0;
  for (int i = 0; i + shift < t->n_columns && i < n; i++) {
    char *copy = arena_printf(t->r->arena, "%.*s", (int)t->fields[i].n, t->fields[i].at);
    t->names[i + shift] = (struct field){copy, strlen(copy)};
  }
  t->header = true;
}

static bool pick_columns(struct table *t, const struct sample *s, int first_row, struct err *e) {
  double value;
  t->time_column = t->label_column = t->group_column = -1;
  if (t->o->label_column && !named_column(t, t->o->label_column, "labels", &t->label_column, e))
    return false;
  if (t->o->group_column && !named_column(t, t->o->group_column, "groups", &t->group_column, e))
    return false;
  table_split(t, s->lines[first_row]);
  if (t->o->time_column && strcmp(t->o->time_column, "none") != 0) {
    if (!named_column(t, t->o->time_column, "time", &t->time_column, e)) return false;
  } else if (!t->o->time_column && !t->o->each_row) {
    for (int i = 0; i < t->n_columns && t->time_column < 0; i++) {
      const struct field f = t->fields[i];
      if (i == t->label_column || i == t->group_column) continue;
      if (field_time(f, &value) || (is_time_name(t->names[i]) && field_number(f, t->comma, &value)))
        t->time_column = i;
    }
  }
  if (t->time_column >= 0) {
    const struct field f = t->fields[t->time_column];
    t->dates = !field_number(f, t->comma, &value);
    t->unit_s = t->dates ? 1 : unit_of_name(t->names[t->time_column]);
  }
  return pick_channels(t, s, first_row, e);
}

static bool read_sample(struct table *t, struct sample *s, struct err *e) {
  size_t bytes = 0;
  int semicolons = 0;
  while (s->n < SAMPLE_LINES && bytes < TABLE_LINE_BYTES) {
    struct field line;
    bool there;
    if (!table_line(t, &line, &there, e)) return false;
    if (!there) break;
    bytes += line.n;
    char *copy = arena_alloc(t->r->arena, line.n + 1, 1);
    memcpy(copy, line.at, line.n);
    semicolons += copy[line.n ? line.n - 1 : 0] == ';';
    s->number[s->n] = t->line;
    s->lines[s->n++] = (struct field){copy, line.n};
  }
  t->trailing = s->n > 0 && semicolons == s->n;
  for (int i = 0; i < s->n && t->trailing; i++) s->lines[i].n--;
  return s->n > 0 || err_set(e, "no rows of numbers in it");
}

/* The first line that has the usual number of fields. */
static int skip_preamble(struct table *t, const struct sample *s) {
  int first = 0;
  while (first < s->n && table_split(t, s->lines[first]) != t->n_columns) {
    const int n = table_split(t, s->lines[first]);
    if (n == t->n_columns - 1 && n > 1 && is_header(t, s->lines[first])) break;
    first++;
  }
  return first < s->n ? first : 0;
}

bool table_layout(struct table *t, struct err *e) {
  struct sample *s = ARENA_NEW(t->r->arena, struct sample);
  if (!read_sample(t, s, e)) return false;
  find_separator(t, s);
  if (t->o->separator) {
    int lines;
    t->separator = t->o->separator;
    t->n_columns = usual_fields(s, t->separator, t, &lines);
  } else if (t->separator != ',' && t->n_columns > 1) {
    ingest_note(t->r, "separator: %s", separator_name(t->separator));
  }
  t->comma = has_decimal_comma(t, s) ? ',' : '.';
  if (t->comma == ',') ingest_note(t->r, "decimal comma");
  if (t->n_columns > TABLE_COLUMNS)
    return err_set(e, "%d columns; at most %d can be read", t->n_columns, TABLE_COLUMNS);
  int first = skip_preamble(t, s);
  if (first > 0) ingest_note(t->r, "%d lines in front of the table left out", first);
  if (is_header(t, s->lines[first])) {
    keep_names(t, table_split(t, s->lines[first]));
    if (++first >= s->n) return err_set(e, "a header and no rows behind it");
    const int n = table_split(t, s->lines[first]);
    if (n != t->n_columns) {
      err_node(e, "line %lld", (long long)s->number[first]);
      return err_set(e, "%d columns where the header names %d; is the separator (%s) right?", n,
                     t->n_columns, separator_name(t->separator));
    }
  }
  t->first_line = s->number[first];
  return pick_columns(t, s, first, e) && table_rewind(t, e);
}
