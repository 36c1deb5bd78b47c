/* port: the harness's files and exit in WebAssembly: functions that run.mjs gives. No stack mark: a function's locals
 * lie where a program cannot see them. */
#include "firmware/harness/port.h"

#define IMPORT(name) __attribute__((import_module("port"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(open) int host_open(const char *name, int writes);
IMPORT(read) int host_read(int handle, void *bytes, uint32_t n);
IMPORT(write) int host_write(int handle, const void *bytes, uint32_t n);
IMPORT(close) void host_close(int handle);
IMPORT(exit) void host_exit(int code) __attribute__((noreturn));

void port_mark(unsigned bucket) { (void)bucket; }

int port_open_read(const char *name) { return host_open(name, 0); }
int port_open_write(const char *name) { return host_open(name, 1); }
int port_read(int handle, void *bytes, uint32_t n) { return host_read(handle, bytes, n); }
int port_write(int handle, const void *bytes, uint32_t n) { return host_write(handle, bytes, n); }
void port_close(int handle) { host_close(handle); }
void port_exit(int code) { host_exit(code); }
uint32_t port_stack_used(void (*work)(void)) {
  work();
  return 0;
}

int main(void);
EXPORT(start) void port_start(void);
void port_start(void) { port_exit(main()); }
