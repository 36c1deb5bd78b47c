/* string: the four functions of the C library that Mote may need, for a target without one (memory.c). */
#ifndef FIRMWARE_WASM_STRING_H
#define FIRMWARE_WASM_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
