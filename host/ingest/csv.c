/* Tables of numbers with a time column.
 *
 * How it works: one pass over the lines finds delimiter, header and columns; a second reads numbers into
 * arrays; then the rows are cut into recordings where the label changes, where time runs backwards, or where
 * it jumps by more than GAP_STEPS usual steps; each is resampled to the wanted rate by linear interpolation
 * over time (and, from rates at least 1.5 times higher, through soxr, so that nothing folds down).
 * Decimal commas are understood where the delimiter is not a comma. */
#include "host/ingest/private.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_FILE_BYTES ((size_t)256 << 20)
#define MAX_COLUMNS    1024
#define GAP_STEPS      10.0

struct field {
  const char *at;
  size_t n;
};

struct table {
  const struct ingest_options *o;
  struct arena *a;
  const char *path;
  char delimiter;
  bool header;
  int n_columns;
  struct field names[MAX_COLUMNS]; /* n = 0 where there is no header */
  int time_column;                 /* -1: none */
  int label_column;                /* -1: none */
  int channel[INGEST_MAX_CHANNELS];
  int n_channels;
  /* Rows */
  int64_t n_rows;
  double *time; /* in the file's unit */
  float *values;
  int32_t *line;
  struct field *label;
  double unit_s; /* seconds in one unit of time */
  double step_s; /* usual step */
};

/* ---- lines and fields ----------------------------------------------------------- */
/* The next line that is neither empty nor a comment. */
static bool next_line(const char **at, const char *end, struct field *line, int32_t *number) {
  while (*at < end) {
    const char *start = *at;
    const char *stop = memchr(start, '\n', (size_t)(end - start));
    *at = stop ? stop + 1 : end;
    if (!stop) stop = end;
    while (stop > start && (stop[-1] == '\r' || stop[-1] == ' ')) stop--;
    ++*number;
    while (start < stop && *start == ' ') start++;
    if (start == stop || *start == '#') continue;
    line->at = start;
    line->n = (size_t)(stop - start);
    return true;
  }
  return false;
}

static struct field trim(struct field f) {
  while (f.n && isspace((unsigned char)f.at[0])) f.at++, f.n--;
  while (f.n && isspace((unsigned char)f.at[f.n - 1])) f.n--;
  if (f.n >= 2 && f.at[0] == '"' && f.at[f.n - 1] == '"') f.at++, f.n -= 2;
  return f;
}

/* Returns how many fields there are, of which at most `room` are stored. */
static int split(struct field line, char delimiter, struct field *out, int room) {
  int n = 0;
  bool quoted = false;
  size_t start = 0;
  for (size_t i = 0; i <= line.n; i++) {
    if (i < line.n && line.at[i] == '"') quoted = !quoted;
    if (i < line.n && (quoted || line.at[i] != delimiter)) continue;
    if (n < room) out[n] = trim((struct field){line.at + start, i - start});
    n++;
    start = i + 1;
    /* Columns set with spaces have runs of them. */
    while (delimiter == ' ' && start < line.n && line.at[start] == ' ') start++, i++;
  }
  return n;
}

/* The delimiter that occurs most in the line, in this order of preference. */
static char find_delimiter(struct field line) {
  static const char candidates[] = "\t;, ";
  char best = ',';
  size_t most = 0;
  for (const char *c = candidates; *c; c++) {
    size_t n = 0;
    for (size_t i = 0; i < line.n; i++) n += line.at[i] == *c;
    /* Spaces stand around other delimiters and inside dates: they only count where nothing else does. */
    if (n > most && (*c != ' ' || most == 0)) most = n, best = *c;
  }
  return best;
}

/* ---- values ------------------------------------------------------------------- */
static bool parse_number(struct field f, char delimiter, double *value) {
  char text[64], *end = NULL;
  if (f.n == 0 || f.n >= sizeof text) return false;
  for (size_t i = 0; i < f.n; i++) text[i] = f.at[i] == ',' && delimiter != ',' ? '.' : f.at[i];
  text[f.n] = 0;
  /* strtod also takes "nan", "infinity" and hexadecimal: no table of measurements means those. */
  for (size_t i = 0; i < f.n; i++)
    if (!strchr("+-.0123456789eE", text[i])) return false;
  *value = strtod(text, &end);
  return end == text + f.n && isfinite(*value);
}

/* Days since 1970-01-01 of the Gregorian calendar. source: Richards 2013, the Julian day number. */
static int64_t days_from_date(int y, int m, int d) {
  int64_t a = (14 - m) / 12, yy = y + 4800 - a, mm = m + 12 * a - 3;
  return d + (153 * mm + 2) / 5 + 365 * yy + yy / 4 - yy / 100 + yy / 400 - 32045 - 2440588;
}

/* "2015-02-04 17:51:00.25", also with T or / between: seconds since 1970, as if UTC. */
static bool parse_date(struct field f, double *seconds) {
  char text[64];
  int y, mo, d, h, mi, used = 0;
  double s = 0;
  if (f.n < 10 || f.n >= sizeof text) return false;
  memcpy(text, f.at, f.n);
  text[f.n] = 0;
  for (size_t i = 0; i < f.n; i++) {
    if (text[i] == 'T' || text[i] == 'Z') text[i] = ' ';
    if (text[i] == '/') text[i] = '-';
  }
  if (sscanf(text, "%4d-%2d-%2d %2d:%2d%n", &y, &mo, &d, &h, &mi, &used) < 5 || used == 0)
    return false;
  if (text[used] == ':') {
    char *end = NULL;
    s = strtod(text + used + 1, &end);
    if (end == text + used + 1) return false;
  }
  if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > 31 || h < 0 || h > 24 || mi < 0 || mi > 59 ||
      !(s >= 0 && s < 61))
    return false;
  *seconds = (double)(days_from_date(y, mo, d) * 86400 + h * 3600 + mi * 60) + s;
  return true;
}

static bool parse_time(struct table *t, struct field f, double *value) {
  if (parse_number(f, t->delimiter, value)) return true;
  if (!parse_date(f, value)) return false;
  t->unit_s = 1;
  return true;
}

/* ---- columns -------------------------------------------------------------------- */
static bool same_word(struct field f, const char *word) {
  return f.n == strlen(word) && strncasecmp(f.at, word, f.n) == 0;
}

/* A column by its name or its number from 1; -1 when there is none. */
static int column_by(const struct table *t, const char *word) {
  for (int i = 0; i < t->n_columns; i++)
    if (t->names[i].n && same_word(t->names[i], word)) return i;
  char *end = NULL;
  long n = strtol(word, &end, 10);
  return end != word && *end == 0 && n >= 1 && n <= t->n_columns ? (int)n - 1 : -1;
}

static const char *column_list(const struct table *t) {
  struct text text;
  text_init(&text, t->a);
  for (int i = 0; i < t->n_columns && text.size < 300; i++) {
    if (i) text_add(&text, ", ");
    if (t->names[i].n)
      text_addn(&text, t->names[i].at, t->names[i].n < 40 ? t->names[i].n : 40);
    else
      text_printf(&text, "%d", i + 1);
  }
  return text.data;
}

static bool named_column(const struct table *t, const char *word, const char *what, int *column,
                         struct err *e) {
  *column = column_by(t, word);
  if (*column >= 0) return true;
  return err_set(e, "no column \"%s\" for the %s; there are: %s", word, what, column_list(t));
}

/* Does a column's name say that it is time? In any case, with a unit behind it or not. */
static bool is_time_name(struct field f) {
  static const char *const starts[] = {"time", "timestamp", "date",   "datetime", "t",
                                       "ts",   "seconds",   "second", "sec",      "millis",
                                       "ms",   "us",        "elapsed"};
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
               {"ns", 1e-9}};
  while (f.n && !isalpha((unsigned char)f.at[f.n - 1])) f.n--;
  size_t start = f.n;
  while (start && isalpha((unsigned char)f.at[start - 1])) start--;
  struct field last = {f.at + start, f.n - start};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (same_word(last, units[i].word)) return units[i].s;
  return 0;
}

static bool pick_channels(struct table *t, const struct field *first, struct err *e) {
  if (t->o->columns) {
    char *copy = arena_strdup(t->a, t->o->columns), *rest = NULL;
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
      while (*word == ' ') word++;
      if (t->n_channels == INGEST_MAX_CHANNELS)
        return err_set(e, "more than %d channels", INGEST_MAX_CHANNELS);
      if (!named_column(t, word, "channels", &t->channel[t->n_channels], e)) return false;
      t->n_channels++;
    }
  } else {
    double number;
    for (int i = 0; i < t->n_columns; i++) {
      /* A nameless column beside named ones holds row numbers. */
      if (t->header && t->names[i].n == 0) continue;
      if (i == t->time_column || i == t->label_column ||
          !parse_number(first[i], t->delimiter, &number))
        continue;
      if (t->n_channels == INGEST_MAX_CHANNELS)
        return err_set(e, "more than %d columns of numbers; name those that count with --columns",
                       INGEST_MAX_CHANNELS);
      t->channel[t->n_channels++] = i;
    }
  }
  if (t->n_channels == 0) return err_set(e, "no column of numbers; there are: %s", column_list(t));
  if (t->o->channels > 0 && t->n_channels != t->o->channels)
    return err_set(e,
                   "%d columns of numbers, and the project has %d (sensor.channels in mote.yaml); "
                   "name those that count with --columns; there are: %s",
                   t->n_channels, t->o->channels, column_list(t));
  return true;
}

/* Delimiter, header, time, label and channels, from the first two lines that hold something. */
static bool read_layout(struct table *t, const char **at, const char *end, int32_t *number,
                        struct err *e) {
  struct field line, *fields = ARENA_ARRAY(t->a, struct field, MAX_COLUMNS);
  const char *start = *at;
  int32_t start_number = *number;
  double value;
  if (!next_line(at, end, &line, number)) return err_set(e, "no rows of numbers in it");
  t->delimiter = find_delimiter(line);
  t->n_columns = split(line, t->delimiter, fields, MAX_COLUMNS);
  if (t->n_columns > MAX_COLUMNS)
    return err_set(e, "%d columns; at most %d can be read", t->n_columns, MAX_COLUMNS);
  bool header = true;
  for (int i = 0; i < t->n_columns && header; i++)
    if (parse_number(fields[i], t->delimiter, &value)) header = false;
  t->header = header;
  if (header) {
    memcpy(t->names, fields, (size_t)t->n_columns * sizeof *fields);
    start = *at;
    start_number = *number;
    if (!next_line(at, end, &line, number)) return err_set(e, "a header and no rows behind it");
    int n = split(line, t->delimiter, fields, MAX_COLUMNS);
    /* R leaves the name of the row numbers out. */
    if (n == t->n_columns + 1 && n <= MAX_COLUMNS) {
      memmove(t->names + 1, t->names, (size_t)t->n_columns * sizeof *t->names);
      t->names[0] = (struct field){"", 0};
      t->n_columns = n;
    }
    if (n != t->n_columns) {
      err_node(e, "line %d", (int)*number);
      return err_set(e, "%d columns where the header names %d; is the delimiter \"%c\" right?", n,
                     t->n_columns, t->delimiter);
    }
  }
  *at = start;
  *number = start_number;
  t->time_column = -1;
  t->label_column = -1;
  if (t->o->label_column && !named_column(t, t->o->label_column, "labels", &t->label_column, e))
    return false;
  if (t->o->time_column) {
    if (!named_column(t, t->o->time_column, "time", &t->time_column, e)) return false;
  } else {
    for (int i = 0; i < t->n_columns && t->time_column < 0; i++)
      if (i != t->label_column && (is_time_name(t->names[i]) || parse_date(fields[i], &value)))
        t->time_column = i;
  }
  if (t->time_column >= 0) t->unit_s = unit_of_name(t->names[t->time_column]);
  return pick_channels(t, fields, e);
}

/* ---- rows --------------------------------------------------------------------- */
static bool read_row(struct table *t, struct field line, int32_t number, struct field *fields,
                     struct err *e) {
  int n = split(line, t->delimiter, fields, MAX_COLUMNS);
  if (n != t->n_columns)
    return err_set(e, "%d columns where the first row has %d", n, t->n_columns);
  int64_t row = t->n_rows;
  t->time[row] = (double)row;
  if (t->time_column >= 0 && !parse_time(t, fields[t->time_column], &t->time[row]))
    return err_set(e, "column %d should be a time and holds \"%.*s\"", t->time_column + 1,
                   (int)(fields[t->time_column].n < 40 ? fields[t->time_column].n : 40),
                   fields[t->time_column].at);
  for (int c = 0; c < t->n_channels; c++) {
    struct field f = fields[t->channel[c]];
    double value;
    if (!parse_number(f, t->delimiter, &value) || !(fabs(value) <= 3e38))
      return err_set(e, "column %d should be a number and holds \"%.*s\"", t->channel[c] + 1,
                     (int)(f.n < 40 ? f.n : 40), f.at);
    t->values[row * t->n_channels + c] = (float)value;
  }
  if (t->label_column >= 0) t->label[row] = fields[t->label_column];
  t->line[row] = number;
  t->n_rows++;
  return true;
}

static bool read_rows(struct table *t, const char *at, const char *end, int32_t number,
                      struct err *e) {
  size_t rows = 1;
  for (const char *p = at; p < end; p++) rows += *p == '\n';
  size_t row_bytes = sizeof(double) + sizeof(int32_t) + sizeof(struct field) +
                     (size_t)t->n_channels * sizeof(float);
  if (rows > (arena_left(t->a) / 2) / row_bytes ||
      rows * (size_t)t->n_channels * 4 > INGEST_MAX_BYTES)
    return err_set(
        e, "%zu rows of %d channels are more than a recording may have (%zu MiB); cut the file",
        rows, t->n_channels, INGEST_MAX_BYTES >> 20);
  t->time = ARENA_ARRAY(t->a, double, rows);
  t->line = ARENA_ARRAY(t->a, int32_t, rows);
  t->label = ARENA_ARRAY(t->a, struct field, rows);
  t->values = ARENA_ARRAY(t->a, float, rows *(size_t)t->n_channels);
  struct field line, *fields = ARENA_ARRAY(t->a, struct field, MAX_COLUMNS);
  while (next_line(&at, end, &line, &number))
    if (!read_row(t, line, number, fields, e)) {
      err_node(e, "line %d", (int)number);
      return false;
    }
  return true;
}

/* ---- time ----------------------------------------------------------------------- */
static int compare_double(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The usual step, and the unit where the name did not tell: the one that comes closest to the wanted rate. */
static bool measure_time(struct table *t, struct err *e) {
  if (t->time_column < 0) {
    if (!(t->o->rate_hz > 0))
      return err_set(
          e,
          "no time column, and no rate to go by; name the column with --time-column; there "
          "are: %s",
          column_list(t));
    t->unit_s = t->step_s = 1.0 / t->o->rate_hz;
    return true;
  }
  double *steps = ARENA_ARRAY(t->a, double, t->n_rows);
  size_t n = 0;
  for (int64_t i = 1; i < t->n_rows; i++)
    if (t->time[i] > t->time[i - 1]) steps[n++] = t->time[i] - t->time[i - 1];
  if (n == 0)
    return err_set(e, t->n_rows < 2
                          ? "one row only: a recording needs at least two"
                          : "the time column never rises; name another with --time-column");
  qsort(steps, n, sizeof *steps, compare_double);
  double step = steps[n / 2];
  if (t->o->time_unit_s > 0) t->unit_s = t->o->time_unit_s;
  if (!(t->unit_s > 0)) {
    static const double units[] = {1, 1e-3, 1e-6, 1e-9};
    double best = INFINITY;
    t->unit_s = step >= 1 ? 1e-3 : 1;
    for (int i = 0; i < 4 && t->o->rate_hz > 0; i++) {
      double distance = fabs(log(step * units[i] * t->o->rate_hz));
      if (distance < best) best = distance, t->unit_s = units[i];
    }
  }
  t->step_s = step * t->unit_s;
  return true;
}

/* Where the recording that starts at row `first` ends (behind its last row). */
static int64_t segment_end(const struct table *t, int64_t first) {
  int64_t i = first + 1;
  for (; i < t->n_rows; i++) {
    double step_s = (t->time[i] - t->time[i - 1]) * t->unit_s;
    if (step_s < 0 || step_s > GAP_STEPS * t->step_s) break;
    if (t->label_column >= 0 && (t->label[i].n != t->label[first].n ||
                                 memcmp(t->label[i].at, t->label[first].at, t->label[i].n) != 0))
      break;
  }
  return i;
}

/* Rows [first, end) on an even grid of rate_hz from the first row's time. */
static bool interpolate(const struct table *t, int64_t first, int64_t end, double rate_hz,
                        float **out, int64_t *length, struct err *e) {
  const double *time = t->time;
  double span_s = (time[end - 1] - time[first]) * t->unit_s;
  double wanted = floor(span_s * rate_hz + 1e-6) + 1;
  int n = t->n_channels;
  if (!(wanted * n * 4 <= (double)INGEST_MAX_BYTES) ||
      !(wanted * n * 4 + 64 < (double)arena_left(t->a)))
    return err_set(
        e, "%g s at %g Hz are more than a recording may have (%zu MiB); is the time unit right?",
        span_s, rate_hz, INGEST_MAX_BYTES >> 20);
  *length = (int64_t)wanted;
  *out = ARENA_ARRAY(t->a, float, (size_t)*length *(size_t)n);
  int64_t row = first;
  for (int64_t k = 0; k < *length; k++) {
    double at = time[first] + (double)k / rate_hz / t->unit_s;
    while (row + 2 < end && time[row + 1] <= at) row++;
    int64_t next = row + 1 < end ? row + 1 : row;
    double width = time[next] - time[row];
    double share = width > 0 ? (at - time[row]) / width : 0;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    for (int c = 0; c < n; c++) {
      double x = (double)t->values[row * n + c], y = (double)t->values[next * n + c];
      (*out)[k * n + c] = (float)(x + share * (y - x));
    }
  }
  return true;
}

static bool make_recording(const struct table *t, int64_t first, int64_t end, bool whole,
                           struct ingest_recording *r, struct err *e) {
  double own_hz = 1.0 / t->step_s, wanted_hz = t->o->rate_hz > 0 ? t->o->rate_hz : own_hz;
  double grid_hz = own_hz >= 1.5 * wanted_hz ? own_hz : wanted_hz;
  float *frames = NULL;
  int64_t length = 0;
  if (t->time_column < 0) {
    frames = t->values + first * t->n_channels;
    length = end - first;
    grid_hz = wanted_hz;
  } else if (!interpolate(t, first, end, grid_hz, &frames, &length, e)) {
    return false;
  }
  if (!ingest_finish(t->a, t->o, frames, length, t->n_channels, grid_hz, 1.0, r, e)) return false;
  r->source_rate_hz = own_hz;
  if (!whole)
    r->part = arena_printf(t->a, "lines %d-%d", (int)t->line[first], (int)t->line[end - 1]);
  if (t->label_column >= 0)
    r->label = arena_printf(t->a, "%.*s", (int)t->label[first].n, t->label[first].at);
  return true;
}

bool ingest_csv(struct arena *a, const char *path, const struct ingest_options *o,
                struct ingest_recording **recordings, int *count, struct err *e) {
  uint8_t *data = NULL;
  size_t size = 0;
  int32_t number = 0;
  struct table *t = ARENA_NEW(a, struct table);
  t->o = o;
  t->a = a;
  t->path = path;
  if (!file_read(a, path, MAX_FILE_BYTES, &data, &size, e)) return false;
  if (memchr(data, 0, size)) return err_set(e, "holds zero bytes: this is no text");
  const char *at = (const char *)data, *end = at + size;
  if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) at += 3;
  if (!read_layout(t, &at, end, &number, e) || !read_rows(t, at, end, number, e)) return false;
  if (t->n_rows == 0) return err_set(e, "no rows of numbers in it");
  if (!measure_time(t, e)) return false;

  int64_t n = 0;
  for (int64_t first = 0; first < t->n_rows; first = segment_end(t, first)) n++;
  if ((uint64_t)n > arena_left(a) / 2 / sizeof **recordings || n > 1000000)
    return err_set(e, "time jumps at nearly every row (%lld times); is the time unit right?",
                   (long long)n);
  *recordings = ARENA_ARRAY(a, struct ingest_recording, n);
  int made = 0;
  for (int64_t first = 0; first < t->n_rows;) {
    int64_t stop = segment_end(t, first);
    /* A lone row between two jumps is no recording. */
    if (stop - first >= 2) {
      if (!make_recording(t, first, stop, n == 1, &(*recordings)[made], e)) return false;
      made++;
    }
    first = stop;
  }
  if (made == 0)
    return err_set(e, "no two rows that belong together: a recording needs at least two");
  *count = made;
  return true;
}
