/* report_table: the one table about a trained project: accuracy, and what each board that was measured needs. */
#ifndef APP_REPORT_TABLE_H
#define APP_REPORT_TABLE_H

#include "app/object.h"
#include "host/report/report.h"

#define REPORT_MOST_BOARDS 4

/* What the commands printed. test may be NULL; bench: [n], of boards or targets. */
struct report_facts {
  struct arena *arena;
  const struct object *test;
  const struct object *bench[REPORT_MOST_BOARDS];
  int n;
};

/* As text for a terminal: rows of a label and one column for each board, then the sources of the estimates. */
void report_table_text(const struct report_facts *facts, struct text *out);
/* The same rows as a piece of a page; the sources as a paragraph. */
void report_table_page(const struct report_facts *facts, struct report *page);

/* Bytes that the whole program needs: arena with features, static, stack and the window of samples; NAN where one is
 * not known. */
double report_ram_bytes(const struct object *bench);
double report_flash_bytes(const struct object *bench);

/* "95.2 %", "1,234", "31.0 (28.1 to 40.2)"; a dash where it is not known. In the arena. */
const char *report_percent(struct arena *a, double fraction);

#endif
