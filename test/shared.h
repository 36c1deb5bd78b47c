/* Material of other people, which lies beside the project where it lies at all. */
#ifndef TEST_SHARED_H
#define TEST_SHARED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Unpacks archives (names with spaces between them) below build/shared; false, with a line, where they are absent. */
static inline bool shared_unpacked(const char *names) {
  char line[200];
  snprintf(line, sizeof line,
           "\"${MOTE_SHARED:-../shared}/unpack\" build/shared %s >/dev/null 2>&1", names);
  if (system(line) == 0) return true;
  print_message("skipped: no %s\n", names);
  return false;
}

#endif
