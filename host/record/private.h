/* private: what the files of this room share: the buffer that frames go into, and the sources. */
#ifndef HOST_RECORD_PRIVATE_H
#define HOST_RECORD_PRIVATE_H

#include "host/record/record.h"

struct recorder {
  const struct record_request *q;
  struct record_result *out;
  struct arena *arena;
  struct record_lines lines;
  struct record_rate rate;
  uint8_t *data; /* malloc, grows by doubling, copied into the arena at the end */
  size_t room;
  int64_t length, most; /* frames; most: what fits */
  bool full;
  double start_s, last_s,
      metered_s; /* of the first numbers, the latest, the latest meter; 0: none */
  struct record_meter meter;
  double square;
  int64_t squares;
  int spool;        /* descriptor; -1: none */
  int64_t spooled;  /* frames that are safe there */
  double spooled_s; /* since when */
};

double record_now_s(void);
void record_add_floats(void *recorder, const float *frame);
void record_add_int16(struct recorder *r, const int16_t *frames, int64_t n);
/* Calls the meter where a tenth of a second has passed. */
void record_tell(struct recorder *r, double now_s);
/* Is there reason to end? Sets out->ended. */
bool record_is_over(struct recorder *r, double now_s);

/* source.c: a descriptor that gives bytes. -1 and e on failure. */
int record_open_serial(const char *port, int baud, struct err *e);
int record_open_udp(int port, int *bound, struct err *e);
/* spool.c. errors of begin: the file is there, or cannot be made. */
bool record_spool_begin(struct recorder *r, struct err *e);
void record_spool_write(struct recorder *r, double now_s); /* where a second has passed */
void record_spool_end(struct recorder *r);
/* sound.c */
bool record_sound(struct recorder *r, struct err *e);

#endif
