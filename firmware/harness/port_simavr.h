/* port_simavr: what a program on an emulated AVR asks of the emulator (firmware/plugin/avr.c). It stores the address
 * of a call in memory to GPIOR1 (low byte) and GPIOR2, then the operation to GPIOR0: three registers that do nothing
 * on the chip, and stand at the same addresses on all of them. source: ATmega328P data sheet, register summary. */
#ifndef FIRMWARE_HARNESS_PORT_SIMAVR_H
#define FIRMWARE_HARNESS_PORT_SIMAVR_H

#include <stdint.h>

enum { PORT_GPIOR0 = 0x3E, PORT_GPIOR1 = 0x4A, PORT_GPIOR2 = 0x4B };

enum port_operation {
  PORT_OPEN_READ = 1, /* address: of the name */
  PORT_OPEN_WRITE,
  PORT_READ,
  PORT_WRITE,
  PORT_CLOSE, /* handle */
  PORT_EXIT,  /* handle: the code */
  PORT_MARK   /* handle: the bucket */
};

/* Little-endian, without holes. */
struct port_call {
  uint16_t handle;  /* also the result of an open: 0xFFFF where it failed */
  uint16_t address; /* of what is read or written */
  uint32_t n;       /* bytes; set to those that were not moved */
};

#endif
