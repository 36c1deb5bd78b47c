/* port: the little that the harness needs of the machine below it. port_semihosting.c gives it on an emulated
 * chip (a debugger's services, reached through BKPT), port_stdio.c on the machine that builds. */
#ifndef FIRMWARE_HARNESS_PORT_H
#define FIRMWARE_HARNESS_PORT_H

#include <stdint.h>

/* Opens a file of the folder that the program was started in. Returns a handle, or -1. */
int port_open_read(const char *name);
int port_open_write(const char *name);
/* All n bytes or -1. */
int port_read(int handle, void *bytes, uint32_t n);
int port_write(int handle, const void *bytes, uint32_t n);
void port_close(int handle);
/* Exit code: the stack was too small. */
#define PORT_STACK 71
/* Exit code: bytes beside the arena were written. */
#define PORT_ARENA 72

/* Ends the program. */
void port_exit(int code) __attribute__((noreturn));

/* Calls work() with the stack painted below it and returns how many bytes of it were used: the high-water
 * mark from the entry of work, the caller's own frames excluded. 0 where the machine cannot tell. Where it can, bytes
 * on either side of the arena are watched, too. */
uint32_t port_stack_used(void (*work)(void));

/* "What ran since the last mark belongs to bucket b": seen by the counting plugin. */
#define PORT_MARKS 1024
void port_mark(unsigned bucket);

#endif
