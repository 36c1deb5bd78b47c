/* private: what the files of this room share. */
#ifndef HOST_INGEST_PRIVATE_H
#define HOST_INGEST_PRIVATE_H

#include "host/ingest/ingest.h"

#include <soxr.h>

/* ---- readers ------------------------------------------------------------------ */
struct ingest_reader;
struct ingest_format {
  const char *name;
  /* Opens r->path into r->state. What it leaves open on failure, close gets. */
  bool (*open)(struct ingest_reader *r, struct err *e);
  /* The next recording; *out is zeroed, but for part and group, "" and NULL. */
  bool (*next)(struct ingest_reader *r, struct ingest_recording *out, bool *there, struct err *e);
  void (*close)(struct ingest_reader *r); /* r->state may be NULL */
};

struct ingest_reader {
  const char *path;
  const struct ingest_options *o;
  struct arena *arena; /* lives as long as the reader */
  struct arena *turn;  /* emptied for each recording */
  const struct ingest_format *format;
  void *state;
  struct text notes;
  int64_t given;
  /* Labels of stretches, in frames of the file at its own rate, sorted by start. */
  const struct ingest_span *spans;
  int n_spans, next_span;
  const struct ingest_box *boxes;
  int n_boxes, next_box;
  uint8_t *crop;                 /* [whole of the picture] the box that is handed out */
  struct ingest_recording whole; /* that is being cut */
  bool cutting;
};

extern const struct ingest_format ingest_audio, ingest_table, ingest_acquisition, ingest_picture,
    ingest_numpy, ingest_npz, ingest_idx, ingest_wfdb, ingest_raw;

/* Adds a sentence to the notes, once. */
void ingest_note(struct ingest_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool ingest_is_picture(const char *path);                    /* by the end of its name */
bool ingest_ends_with(const char *path, const char *ending); /* whatever the case */

/* ---- the pipe ------------------------------------------------------------------
 * Float frames of one stretch at from_hz -> numbers of the wanted rate and type, in bounded memory. */
struct ingest_pipe {
  const struct ingest_options *o;
  int channels_in, channels; /* before and behind mixing down */
  double from_hz, to_hz;
  double scale; /* what 1.0 is as int16: 32768 for sound, 1 for tables */
  bool mix;     /* to one channel, the mean */
  soxr_t soxr;  /* NULL: the rate is right */
  float *mixed, *converted;
  size_t mixed_room, converted_room;
  uint8_t *out;
  size_t out_bytes, out_room;
  int64_t frames_in;  /* of this stretch */
  int64_t frames_out; /* handed out as earlier pieces of this stretch */
  int64_t taken;      /* at the front of out, handed out and not dropped yet */
  int64_t clipped;
};
/* Begins a stretch. mix: sound may be mixed down to o->channels == 1. errors: the file's channels are not the wanted
 * ones, rates that cannot be converted. */
bool pipe_begin(struct ingest_pipe *p, const struct ingest_options *o, int channels, double from_hz,
                double scale, bool mix, struct err *e);
/* errors: numbers that are not finite (with their frame), memory. */
bool pipe_push(struct ingest_pipe *p, const float *frames, size_t n, struct err *e);
bool pipe_end(struct ingest_pipe *p, struct err *e); /* flushes what the rate conversion holds */
bool pipe_full(const struct ingest_pipe *p);
int64_t pipe_frames(const struct ingest_pipe *p); /* ready to be taken */
/* Hands out at most a piece, which stays at the front of out until pipe_drop. */
void pipe_take(struct ingest_pipe *p, struct ingest_recording *r);
void pipe_drop(struct ingest_pipe *p); /* what was taken last */
void pipe_free(struct ingest_pipe *p);

/* A source of frames that has no label or gap in it (sound, arrays, records): fills *frames with up to `room` frames;
 * 0 is the end. */
typedef int64_t ingest_source(void *state, float *frames, int64_t room, struct err *e);
/* The next piece of such a source. *ended must be false at first. part: "" for the only piece, else its seconds. */
bool pipe_piece(struct ingest_reader *r, struct ingest_pipe *p, ingest_source *source, void *state,
                bool *ended, struct ingest_recording *out, bool *there, struct err *e);

/* ---- numbers and times in text ---------------------------------------------------- */
struct field {
  const char *at;
  size_t n;
};
/* comma: what stands for the point, '.' or ','. false: no finite number. */
bool field_number(struct field f, char comma, double *value);
/* A date with or without a time of day and a zone, or a time of day: seconds since 1970 (or midnight). */
bool field_time(struct field f, double *seconds);
bool field_is(struct field f, const char *word); /* whatever the case */

/* One line of a text, quotes honoured over line ends. Whitespace and quotes around each field are taken away.
 * Returns how many fields there are, of which at most `room` are stored. */
int field_split(struct field line, char separator, struct field *out, int room);

/* ---- boxes.c ------------------------------------------------------------------------- */
/* errors: no area. */
bool boxes_check(const struct ingest_box *b, struct err *e);
/* A row's box: x, y, width, height, or with `corners` xmin, ymin, xmax, ymax. there: false where all four are empty. */
bool boxes_of_row(const struct field values[4], bool corners, const char *label,
                  struct ingest_box *box, bool *there, struct err *e);
/* Annotations that are no box of a thing. */
struct boxes_left_out {
  int crowds, crowd_pictures; /* regions around many things, and the pictures that have any */
  int small;                  /* less than half a pixel on a side */
};
/* COCO: images, annotations, categories. entry: a new entry for a path. errors: ids that are none, or stand twice; annotations of no
 * picture or category, or without four numbers. */
struct json_t;
typedef struct ingest_entry *boxes_entry_fn(void *context, const char *path);
bool boxes_is_coco(const struct json_t *root);
bool boxes_read_coco(struct arena *a, const struct json_t *root, boxes_entry_fn *entry,
                     void *context, struct boxes_left_out *left, struct err *e);

#endif
