/* kit: what every hosted room needs. Arena, errors, text, files, JSON writing, random numbers,
 * progress, processes. It knows nothing of models.
 *
 * Memory: a job makes one arena with a cap; everything it makes lives until the arena is freed. No free of
 * single pieces. Errors: functions return false and fill struct err; libraries never print, log or exit. */
#ifndef HOST_KIT_H
#define HOST_KIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- errors --------------------------------------------------------------- */
struct err {
  char file[512];  /* the file or model that is wrong; may be empty */
  char node[128];  /* the operator, key, line or column; may be empty */
  char text[1024]; /* what is wrong, with the numbers, and what would work */
  bool internal;   /* Mote's own fault: exit code 3 instead of 1 */
};
/* Fills e->text (and keeps file and node); returns false so that `return err_set(...)` reads well.
 * alias: e may be NULL. */
bool err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool err_internal(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Names the file or node of an error that was already set or is about to be; the first name stays, so what
 * succeeds must leave none behind. */
void err_file(struct err *e, const char *file);
void err_node(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- arena ---------------------------------------------------------------- */
struct arena;
/* cap_bytes: most that it will ever hold; 0 = 2 GiB. NULL only when the machine has no memory at all. */
struct arena *arena_new(size_t cap_bytes);
void arena_free(struct arena *a); /* NULL is fine */
/* Zeroed, aligned to 64. Beyond the cap it says so in one line and ends the process with exit code 3, the one
 * place where a library does: rooms that read hostile sizes check with arena_left first. */
void *arena_alloc(struct arena *a, size_t count, size_t size);
size_t arena_left(const struct arena *a);
#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), (size_t)(n), sizeof(type)))
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- text ----------------------------------------------------------------- */
/* A growing text in an arena. */
struct text {
  struct arena *arena;
  char *data; /* always ends with NUL */
  size_t size, room;
};
void text_init(struct text *t, struct arena *a);
void text_add(struct text *t, const char *s);
void text_addn(struct text *t, const char *s, size_t n);
/* s as a string of C, quotes around it: what is not plain is written in octal, which no following digit can lengthen. */
void text_add_literal(struct text *t, const char *s);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
/* "1,234,567" in a static ring of 16 buffers: for printing only. */
const char *text_thousands(int64_t value);

/* ---- JSON writing (reading is jansson's, whose names these leave alone) ------ */
/* Writes one well-formed document; commas are its business. Numbers that are not finite become null. */
struct json {
  struct text *out;
  int depth;
  bool need_comma[32];
};
void json_start(struct json *j, struct text *out);
/* key may be NULL inside arrays and at the top. */
void json_open_object(struct json *j, const char *key);
void json_open_array(struct json *j, const char *key);
void json_close_object(struct json *j); /* closes the innermost object */
void json_close_array(struct json *j);  /* closes the innermost array */
void json_put_string(struct json *j, const char *key, const char *value); /* NULL value: null */
void json_put_int(struct json *j, const char *key, int64_t value);
void json_put_real(struct json *j, const char *key, double value);
void json_put_bool(struct json *j, const char *key, bool value);
void json_put_null(struct json *j, const char *key);

/* ---- files ---------------------------------------------------------------- */
/* The whole file, with one NUL behind it that size does not count. errors: absent, directory, > max_bytes. */
bool file_read(struct arena *a, const char *path, size_t max_bytes, uint8_t **data, size_t *size,
               struct err *e);
/* Atomic: writes beside, fsyncs, renames. A full disk or a kill leaves the old file whole. */
bool file_write(const char *path, const void *data, size_t size, struct err *e);
bool file_exists(const char *path);
bool file_is_dir(const char *path);
bool dir_make(const char *path, struct err *e); /* with parents */
/* A new private directory under $TMPDIR or /tmp; the caller removes it with dir_remove. */
bool dir_temporary(struct arena *a, char **path, struct err *e);
void dir_remove(const char *path); /* recursive, within what dir_temporary made */
/* Sorted names in a directory, without "." and "..". */
bool dir_list(struct arena *a, const char *path, char ***names, int *count, struct err *e);
/* Where Mote's own sources lie (mote/, firmware/): $MOTE_HOME, else found upwards from the program. */
bool mote_home(struct arena *a, char **path, struct err *e);

/* ---- processes ------------------------------------------------------------ */
struct process_result {
  int exit_code; /* 128 + signal when killed */
  char *out;     /* standard output, NUL-terminated */
  char *err;     /* standard error, NUL-terminated */
  size_t out_size;
  bool timed_out;
};
/* Runs argv (NULL-terminated, PATH searched) in dir (NULL: here); ends it after timeout_s (0: never).
 * false only where it could not be started. */
bool process_run(struct arena *a, const char *dir, const char *const *argv, int timeout_s,
                 struct process_result *result, struct err *e);
bool process_exists(const char *program); /* on PATH */

/* ---- random numbers -------------------------------------------------------
 * xoshiro128++ seeded through splitmix64: the same on every machine. source: Blackman and Vigna 2018. */
struct rng {
  uint32_t s[4];
};
void rng_seed(struct rng *r, uint64_t seed);
/* One step of splitmix64: a number from another without visible relation, to seed a part from a whole. */
uint64_t rng_mix(uint64_t x);
uint32_t rng_u32(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* unbiased; n >= 1 */
float rng_unit(struct rng *r);                 /* [0, 1) with 24 bits */
float rng_normal(struct rng *r);               /* mean 0, variance 1 (Box-Muller) */
void rng_shuffle(struct rng *r, uint32_t *items, uint32_t n);

/* ---- hashing -------------------------------------------------------------- */
struct sha256 {
  uint32_t h[8];
  uint64_t bytes;
  uint8_t block[64];
};
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);
void sha256_end(struct sha256 *s, uint8_t digest[32]);
void sha256_hex(const uint8_t digest[32], char hex[65]);

/* ---- progress -------------------------------------------------------------
 * The one way in which long work speaks. text is short ("loss 0.312  accuracy 91.2 %"). */
struct progress {
  void (*update)(struct progress *p, const char *what, uint64_t done, uint64_t total,
                 const char *text);
  void *context;
};
void progress_update(struct progress *p, const char *what, uint64_t done, uint64_t total,
                     const char *format, ...)
    __attribute__((format(printf, 5, 6))); /* p may be NULL */
/* A bar on standard error when it is a terminal; a line each finished stage otherwise; nothing if quiet. */
struct progress *progress_terminal(struct arena *a, bool quiet);

#endif
