/* private: a table while it is read. sniff.c finds its layout, csv.c its rows. */
#ifndef HOST_INGEST_TABLE_H
#define HOST_INGEST_TABLE_H

#include "host/ingest/private.h"

#include <zlib.h>

#define TABLE_COLUMNS    INGEST_MAX_CHANNELS
#define TABLE_LINE_BYTES ((size_t)1 << 20)
#define TABLE_CLOCK      3 /* channels of o->clock, behind the columns */
#define TABLE_WORD       256 /* of labels and groups, with NUL */

struct table {
  struct ingest_reader *r;
  const struct ingest_options *o;
  /* Lines */
  gzFile file;
  char *buffer; /* [room] */
  size_t room, used, at;
  bool end;
  int64_t line; /* number of the line read last, from 1 */
  int64_t lines_read;
  /* A file whose time runs backwards is held whole and read from its end. */
  bool backwards;
  struct field *held;
  int64_t *held_line, n_held;
  /* Layout */
  char separator, comma;
  bool trailing; /* every line ends with a semicolon that separates nothing */
  bool header;
  int64_t first_line; /* of the first row */
  int n_columns;
  struct field names[TABLE_COLUMNS];           /* n = 0 where there is no header */
  int time_column, label_column, group_column; /* -1: none */
  int channel[INGEST_MAX_CHANNELS];
  int n_channels;
  struct field fields[TABLE_COLUMNS + 1];
  /* Time */
  double unit_s; /* seconds in one unit of the time column; 0: not known */
  bool dates;
  double step_s; /* usual step */
  double own_hz, grid_hz;
  /* The row read last */
  bool have_row;
  double time;
  float *values; /* [n_channels] */
  char label[TABLE_WORD], group[TABLE_WORD];
  int64_t row; /* rows read */
  int64_t bad_rows, lone_rows;
  /* The stretch */
  struct ingest_pipe pipe;
  bool in_stretch, ended;
  int64_t stretches, stretch_rows, line_from, line_to, piece_line;
  double start, before; /* times of its first and its last row */
  float *last;          /* [n_channels] values of its last row */
  int64_t grid;         /* grid points made */
  char stretch_label[TABLE_WORD], stretch_group[TABLE_WORD];
  float *stage; /* [stage_room][n_channels] */
  size_t staged, stage_room;
};

/* The next line that is neither empty nor a comment. *there is false at the end. */
bool table_line(struct table *t, struct field *line, bool *there, struct err *e);
bool table_rewind(struct table *t, struct err *e);
/* Fields of a line, in t->fields. */
int table_split(struct table *t, struct field line);
/* Reads the first lines: separator, header, columns. Then the file is at its first row. */
bool table_layout(struct table *t, struct err *e);
const char *table_columns(const struct table *t); /* their names, for messages */
bool table_time(const struct table *t, struct field f, double *value);

#endif
