/* numbers: whether the numbers of a YAML file are numbers. libcyaml takes "12abc" for 12 and "nan" for none: here a number must be
 * one to its end, and finite. */
#ifndef APP_NUMBERS_H
#define APP_NUMBERS_H

#include "host/kit/kit.h"

#include <cyaml/cyaml.h>

/* text ends with a zero behind its `size` bytes, and libcyaml has read it. errors: the first one, with line and key. */
bool numbers_check(struct arena *a, const char *path, const char *text, size_t size,
                   const cyaml_schema_value_t *schema, struct err *e);

#endif
