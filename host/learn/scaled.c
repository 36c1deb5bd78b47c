/* scaled: columns in standard deviations, and the bytes of a model. */
#include "host/learn/private.h"

#include <math.h>
#include <string.h>

/* ---- bytes ------------------------------------------------------------------------- */
int32_t blob_add(struct blob *b, const void *data, size_t n) {
  const size_t at = (b->size + 3) & ~(size_t)3;
  if (at + n > b->room) {
    const size_t room = 2 * (at + n) + 256;
    uint8_t *more = arena_alloc(b->a, room, 1);
    if (b->size) memcpy(more, b->bytes, b->size);
    b->bytes = more;
    b->room = room;
  }
  memset(b->bytes + b->size, 0, at - b->size);
  if (data && n)
    memcpy(b->bytes + at, data, n);
  else
    memset(b->bytes + at, 0, n);
  b->size = at + n;
  return (int32_t)at;
}

bool blob_finish(struct learn_job *j, struct blob *b, enum mote_ml_kind kind, unsigned fraction,
                 const char *about) {
  blob_add(b, NULL, 0); /* to a multiple of 4 */
  struct mote_ml *m = (struct mote_ml *)(void *)b->bytes;
  *m = (struct mote_ml){.magic = MOTE_ML_MAGIC,
                        .bytes = (uint32_t)b->size,
                        .version = MOTE_ML_VERSION,
                        .kind = (uint8_t)kind,
                        .wide = j->set->wide,
                        .fraction = (uint8_t)fraction,
                        .features = (uint16_t)j->set->features,
                        .classes = (uint16_t)(kind <= MOTE_ML_PCA ? 0 : j->set->classes),
                        .threshold = INT32_MAX};
  const enum mote_status status = mote_ml_check(m, b->size);
  if (status != MOTE_OK)
    return err_internal(j->e, "the learned model is refused: %s", mote_status_text(status));
  *j->out = (struct learn_model){.model = m, .bytes = b->size, .about = about};
  return true;
}

/* ---- columns ------------------------------------------------------------------------ */
/* The largest limit whose squared distances fit, and as many fraction bits as leave 20 deviations. */
static bool choose_steps(struct scaled *s, int least, struct err *e) {
  int limit = (int)floor(sqrt(4294967295.0 / s->n) / 2);
  if (limit > 16383) limit = 16383;
  s->limit = limit;
  s->fraction = 10;
  while (s->fraction > least && limit >> s->fraction < 20) s->fraction--;
  if (limit >> s->fraction >= 4) return true;
  return err_set(e, "%d columns are too many for distances in 32 bits; choose some (columns)",
                 s->n);
}

/* Least deviation: half a step, so that what never changed in training counts when it does. */
static void measure(const struct learn_job *j, struct scaled *s) {
  for (int c = 0; c < s->n; c++) {
    const int16_t *x = j->set->x + s->column[c];
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < s->rows; i++) sum += x[(size_t)i * j->set->features];
    const double mean = sum / s->rows;
    for (uint32_t i = 0; i < s->rows; i++) {
      const double d = x[(size_t)i * j->set->features] - mean;
      squares += d * d;
    }
    s->mean[c] = mean;
    s->deviation[c] = fmax(sqrt(squares / s->rows), 0.5);
    /* multiplier * 2^-shift = 2^fraction / deviation, 15 bits of it. */
    int power;
    const double share = frexp(ldexp(1, s->fraction) / s->deviation[c], &power); /* 1/2 .. 1 */
    int shift = 15 - power;
    double multiplier = share * 32768;
    for (; shift > 30; shift--) multiplier /= 2;
    for (; shift < 1; shift++) multiplier *= 2;
    s->multiplier[c] = (int16_t)fmin(floor(multiplier + 0.5), 32767);
    s->shift[c] = (uint8_t)shift;
    s->offset[c] = (int16_t)floor(mean + 0.5);
  }
}

int16_t scaled_value(const struct scaled *s, int j, int x) {
  const int32_t away = mote_clamp(x - s->offset[j], INT16_MIN, INT16_MAX);
  return (int16_t)mote_clamp((away * s->multiplier[j] + (1 << (s->shift[j] - 1))) >> s->shift[j],
                             -s->limit, s->limit);
}

bool scaled_make(struct learn_job *j, int least, struct scaled *s) {
  const struct learn_set *set = j->set;
  const int n = j->c->n_columns ? j->c->n_columns : (int)set->features;
  *s = (struct scaled){.n = n, .rows = set->n};
  if (set->n < 2) return err_set(j->e, "%u training windows; at least two are needed", set->n);
  if ((size_t)n * set->n * sizeof(double) + (size_t)n * 64 > arena_left(j->a) / 2)
    return err_set(j->e, "%u vectors of %d columns do not fit into memory", set->n, n);
  if (!choose_steps(s, least, j->e)) return false;
  s->column = ARENA_ARRAY(j->a, int, n);
  for (int c = 0; c < n; c++) {
    s->column[c] = j->c->n_columns ? j->c->columns[c] : c;
    if (s->column[c] < 0 || s->column[c] >= (int)set->features) {
      err_node(j->e, "columns");
      return err_set(j->e, "column %d; the features have 0 to %u", s->column[c], set->features - 1);
    }
  }
  s->mean = ARENA_ARRAY(j->a, double, n);
  s->deviation = ARENA_ARRAY(j->a, double, n);
  s->offset = ARENA_ARRAY(j->a, int16_t, n);
  s->multiplier = ARENA_ARRAY(j->a, int16_t, n);
  s->shift = ARENA_ARRAY(j->a, uint8_t, n);
  measure(j, s);
  s->z = ARENA_ARRAY(j->a, double, (size_t)n * set->n);
  const double step = ldexp(1, -s->fraction);
  for (uint32_t i = 0; i < set->n; i++)
    for (int c = 0; c < n; c++)
      s->z[(size_t)i * (size_t)n + (size_t)c] =
          step * scaled_value(s, c, set->x[(size_t)i * set->features + (size_t)s->column[c]]);
  return true;
}

struct mote_ml_map scaled_map(const struct scaled *s, const struct learn_set *set, struct blob *b) {
  const size_t n = (size_t)s->n;
  struct mote_ml_map map = {.n = (uint16_t)n, .limit = (int16_t)s->limit};
  bool all = n == set->features;
  for (size_t c = 0; c < n && all; c++) all = s->column[c] == (int)c;
  if (!all) {
    uint16_t *column = ARENA_ARRAY(b->a, uint16_t, n);
    for (size_t c = 0; c < n; c++) column[c] = (uint16_t)s->column[c];
    map.columns_at = blob_add(b, column, n * 2);
  }
  map.offset_at = blob_add(b, s->offset, n * 2);
  map.multiplier_at = blob_add(b, s->multiplier, n * 2);
  map.shift_at = blob_add(b, s->shift, n);
  return map;
}

/* ---- points ---------------------------------------------------------------------------- */
void points_make(const struct scaled *s, const double *centre, int count, struct arena *a,
                 struct points *out) {
  const size_t total = (size_t)count * (size_t)s->n;
  double most = 0;
  for (size_t i = 0; i < total; i++) most = fmax(most, fabs(centre[i]));
  most = fmin(ldexp(most, s->fraction), s->limit);
  out->up = 0;
  while (out->up < 7 && most > 127 * (1 << out->up)) out->up++;
  out->at = ARENA_ARRAY(a, int8_t, total + 1);
  const int reach = s->limit >> out->up;
  for (size_t i = 0; i < total; i++) {
    const int q = (int)floor(ldexp(centre[i], s->fraction - out->up) + 0.5);
    out->at[i] = (int8_t)mote_clamp(q, reach < 127 ? -reach : -127, reach < 127 ? reach : 127);
  }
}
