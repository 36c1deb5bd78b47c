/* port_stdio: the harness on the machine that builds: files through stdio, no stack mark. */
#include "firmware/harness/port.h"

#include <stdio.h>
#include <stdlib.h>

void port_mark(unsigned bucket) { (void)bucket; }
static FILE *files[8];

static int open_file(const char *name, const char *mode) {
  for (int i = 0; i < 8; i++)
    if (!files[i]) return (files[i] = fopen(name, mode)) ? i : -1;
  return -1;
}
int port_open_read(const char *name) { return open_file(name, "rb"); }
int port_open_write(const char *name) { return open_file(name, "wb"); }
int port_read(int handle, void *bytes, uint32_t n) {
  return fread(bytes, 1, n, files[handle]) == n ? 0 : -1;
}
int port_write(int handle, const void *bytes, uint32_t n) {
  return fwrite(bytes, 1, n, files[handle]) == n ? 0 : -1;
}
void port_close(int handle) {
  if (fclose(files[handle])) port_exit(67);
  files[handle] = NULL;
}
void port_exit(int code) { exit(code); }
uint32_t port_stack_used(void (*work)(void)) {
  work();
  return 0;
}
