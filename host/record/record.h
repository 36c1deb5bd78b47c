/* record: numbers as they come, from a serial port, a UDP socket, standard input or a microphone.
 *
 * How it works: a source gives bytes (serial, UDP, standard input) or frames (microphone). Bytes are lines of numbers, or
 * raw int16. Frames go into one growing buffer; a callback sees the level ten times a second. What lines leave open
 * is their rate: it is measured from when they arrive, over the whole recording (rate.c).
 *
 * invariant: whatever ends a recording (its length, the user, a plug that is pulled), what came before is kept; where the process
 * itself ends, a spool holds all but the last second (spool.c). Bytes are hostile: a line that is no line of numbers is counted,
 * not kept. */
#ifndef HOST_RECORD_H
#define HOST_RECORD_H

#include "host/kit/kit.h"

#define RECORD_MAX_CHANNELS 64
/* Most that one recording may hold: what the store takes as one sample. */
#define RECORD_MAX_BYTES ((size_t)64 << 20)

/* ---- rate ----------------------------------------------------------------------- */
/* How many lines had come at a moment; thinned out when there are many. */
#define RECORD_RATE_POINTS 4096
struct record_rate {
  int n, every, skip; /* every: how many reads make a point */
  struct {
    double t_s;
    int64_t count;
  } points[RECORD_RATE_POINTS];
};
void record_rate_begin(struct record_rate *r);
/* After a read at t_s (rising), with count lines so far. */
void record_rate_add(struct record_rate *r, double t_s, int64_t count);

struct record_rate_result {
  double hz;
  double error_hz;  /* standard error */
  double seconds;   /* that it was measured over */
  int gaps;         /* where lines are missing: time went on and they never came */
  double missing_s; /* together */
};
/* Lines come in bursts, are late, or stay away: the median of the slopes between points a quarter of the recording
 * apart is not moved by that; a regression through the earliest arrival of each of 64 stretches makes it exact.
 * false: too little to tell (under 8 reads or half a second). */
bool record_rate_measure(const struct record_rate *r, struct record_rate_result *out);

/* ---- lines ----------------------------------------------------------------------- */
#define RECORD_MAX_LINE 2048
/* Takes bytes apart into frames. */
struct record_lines {
  int channels;                     /* numbers that a frame has */
  int columns[RECORD_MAX_CHANNELS]; /* from 0; which numbers of a line; used where n_columns > 0 */
  int n_columns;
  bool drop_first; /* the first line may be the end of one: left out, and not counted */
  int64_t good, broken, wrong_count;
  int most_wrong; /* the number of columns of the latest line that had the wrong number */
  char line[RECORD_MAX_LINE];
  int used;
  bool too_long;
};
/* Values are separated by commas, semicolons, tabs or spaces; a line ends with \n, \r or both; empty lines are nothing.
 * emit is called with each good frame. */
void record_lines_add(struct record_lines *l, const char *bytes, size_t n,
                      void (*emit)(void *context, const float *frame), void *context);
/* The last line may lack its end. */
void record_lines_end(struct record_lines *l, void (*emit)(void *context, const float *frame),
                      void *context);

/* ---- recording --------------------------------------------------------------------- */
enum record_kind { RECORD_SERIAL, RECORD_UDP, RECORD_INPUT, RECORD_MICROPHONE };

/* What the callback sees: of the numbers since the last call. */
struct record_meter {
  double seconds;
  double hz; /* measured so far; 0: not yet */
  int64_t frames, bad_lines;
  int channels;
  float least[RECORD_MAX_CHANNELS], most[RECORD_MAX_CHANNELS];
  double rms;   /* of the first channel, as a share of full scale where the numbers are int16 */
  bool waiting; /* nothing has come yet */
};

struct record_request {
  enum record_kind kind;
  const char *port;   /* serial: its path; microphone: ALSA's name of the device */
  int baud, udp_port; /* udp_port on 127.0.0.1; 0: any, told by opened */
  bool int16;         /* numbers are kept as int16 (sound), else as float32 */
  bool raw;           /* bytes are little-endian int16, not lines */
  int channels;
  const int
      *columns; /* [channels] from 0: which numbers of each line; NULL: it has exactly `channels` */
  double rate_hz;           /* 0: measured; a microphone and raw bytes need it */
  double seconds;           /* 0: until the end or *stop */
  double wait_s;            /* how long nothing may come at the start */
  const volatile int *stop; /* not 0: end now */
  void (*meter)(void *context, const struct record_meter *m);    /* NULL: none */
  void (*opened)(void *context, const char *what, int udp_port); /* NULL: none */
  void *context;
  const char *spool; /* a file that must not be there: what came lies there, too; NULL: none */
  const char *note;  /* with spool: what record_left hands back, at most 64 KiB */
};

enum record_end { RECORD_END_LENGTH, RECORD_END_STOP, RECORD_END_INPUT, RECORD_END_FULL };
struct record_result {
  const void *data; /* [length][channels] of int16_t or float */
  int64_t length;
  double seconds; /* from the first numbers to the last */
  bool measured;  /* rate says something */
  struct record_rate_result rate;
  int64_t broken, wrong_count, overruns; /* overruns: times that the sound card lost frames */
  int64_t limited;                       /* numbers beyond int16 */
  int most_wrong;
  enum record_end ended;
  int spool_error; /* errno, where the spool could not be written to its end */
  int64_t spooled; /* frames that it holds */
  int spool_lock; /* a descriptor, the caller's to close once the spool may be taken by others; -1: none */
};
/* Records into a. errors: the port cannot be opened (with what would help), nothing came, no device, no line fits. */
bool record_run(struct arena *a, const struct record_request *request, struct record_result *result,
                struct err *e);

/* ---- after a crash ------------------------------------------------------------------- */
struct record_left {
  bool busy; /* it is being recorded: nothing else is set */
  const char *note;
  bool int16;
  int channels;
  double rate_hz;   /* 0: not known */
  bool measured;    /* else stated */
  const void *data; /* [length][channels] */
  int64_t length;
};
/* What a spool holds. errors: no spool, a damaged one, a number that is none. */
bool record_left(struct arena *a, const char *path, struct record_left *out, struct err *e);

#endif
