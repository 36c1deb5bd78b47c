/* replay: runs the control flow of the executor (mote/run/run.c) over a segment without touching data.
 *
 * From the last step backwards the first that is not complete and whose rows all exist is called. On each
 * write the rows that are still needed are counted; the most ever needed at once is the ring. The same run
 * tells how far an output that lives on may move into the room of an input that dies.
 *
 * In place: where a step may write over its input row by row, and nothing else reads that input, both share
 * one ring (a class). Row y of either lies in the same slot.
 *
 * invariant: the order of calls is the executor's. */
#include "host/compile/private.h"

#include <string.h>

enum { MOST_SETS = 256, MOST_SLOTS = 255, MOST_POOL_ROWS = 4096 };

/* Whose row a slot of a pool holds, or held last. */
struct owner {
  int storage, row;
};

/* What a replay knows of a storage that its segment touches. */
struct touched {
  int made;                             /* rows, where it is made in this segment */
  int class_of;                         /* a storage that stands for the class, or -1 */
  int shift;                            /* row y of it counts as row y + shift of its class */
  int ring;                             /* rows needed, of a class */
  int slots;                            /* of its ring, where they are known */
  int multiple;                         /* slots are a multiple of the rows that any call makes */
  bool shared;                          /* another storage has joined the class */
  int pool;                             /* the storage that stands for its pool, or -1 */
  uint8_t *place;                       /* [rows] the slot in the pool */
  struct owner *owners;                 /* [MOST_SLOTS] of a pool */
  const struct read *reads, *reads_end; /* of this segment's steps */
};
struct replay_room {
  struct touched *at;        /* [tensors] */
  const struct form **forms; /* [steps] */
  int *calls;                /* [steps] */
  uint64_t alive[MOST_SETS];
  struct overlap *overlaps;
  int overlaps_room;
};
struct replay {
  const struct program *p;
  struct segment *s;
  struct touched *at;        /* [tensors] good for those that the segment touches */
  const struct form **forms; /* [steps] */
  int *calls;                /* [steps] made so far */
  uint64_t *alive;           /* sets of steps whose rings held rows during some call, each once */
  int n_alive;
  bool follow; /* rings may follow each other */
  bool pool;   /* rows of one size lie between each other */
  bool clash;  /* two rows that are needed would lie in one slot, or rows of one call apart */
  bool sized;  /* the rings have their slots: the second run, which tells how they may lie */
};

const struct form *form_in(const struct work *w, const struct segment *s) {
  const struct form *f = s->shape == FLAT ? &w->flat : s->shape == GROUPED ? &w->grouped : &w->row;
  for (int i = JOINS - 1; s->shape == JOINED_ROWS && i >= s->joined; i--)
    if (w->joined[i].calls > 0) f = &w->joined[i];
  while (f->state_bytes > s->most_state && f->slimmer != NULL) f = f->slimmer;
  return f;
}

struct rows_of rows_made(const struct program *p, const struct work *w, const struct form *f,
                         int j) {
  if (j == 0) return f->out;
  return (struct rows_of){1, graph_bytes(&p->graph->tensors[w->out[j]])};
}

static const struct work *work_at(const struct replay *r, int i) {
  return &r->p->work[r->s->first + i];
}

/* Made by a step of the segment, or fed to it from outside. */
static bool is_fed(const struct program *p, const struct segment *s, int storage) {
  return storage == p->fed && s->first == 0;
}
static bool made_here(const struct program *p, const struct segment *s, int storage) {
  return (p->born[storage] >= s->first && p->born[storage] < s->end) || is_fed(p, s, storage);
}

bool program_feed(struct program *p, struct err *e) {
  for (int i = 0; i < p->n_work; i++)
    if (p->work[i].is_jump) return err_set(e, "rows cannot be fed to a model with IF or WHILE");
  p->fed = p->storage[p->graph->inputs[0]];
  for (int i = 0; i < p->n_work; i++)
    for (int k = 0; k < p->work[i].n_in; k++)
      if (p->storage[p->work[i].in[k]] == p->fed) {
        p->fed_rows = p->work[i].row.in[k];
        return true;
      }
  return err_set(e, "no operator reads the first input: its rows cannot be fed");
}

struct rows_of rows_of_made(const struct program *p, const struct segment *s, int storage) {
  int j = 0;
  if (is_fed(p, s, storage)) return p->fed_rows;
  const struct work *maker = &p->work[p->born[storage]];
  while (p->storage[maker->out[j]] != storage) j++;
  return rows_made(p, maker, form_in(maker, s), j);
}

/* Made and read for the last time in this segment. */
static bool is_inner(const struct program *p, const struct segment *s, int storage) {
  return made_here(p, s, storage) && p->last[storage] < s->end;
}

/* What reads or writes a state runs by itself: the order of such work is the model's. */
static bool touches_state(const struct program *p, const struct segment *s) {
  for (int i = s->first; i < s->end; i++) {
    const struct work *w = &p->work[i];
    for (int k = 0; k < w->n_in; k++)
      if (p->is_state[p->storage[w->in[k]]]) return true;
    for (int k = 0; k < w->n_out; k++)
      if (p->is_state[p->storage[w->out[k]]]) return true;
  }
  return false;
}

/* A jump, what a jump goes to, and what writes to a storage that another work has made, begin a segment; a jump and
 * such a writer end it, too. */
static bool keeps_control(const struct program *p, const struct segment *s) {
  if (s->end - s->first == 1) return true;
  for (int i = s->first; i < s->end; i++) {
    const struct work *w = &p->work[i];
    if (w->is_jump) return false;
    for (int k = 0; k < w->n_out; k++)
      if (p->born[p->storage[w->out[k]]] != i) return false;
  }
  for (int i = s->first + 1; i < s->end; i++)
    if (p->is_target[i]) return false;
  return true;
}

bool segment_counts(const struct program *p, const struct segment *s) {
  return s->end - s->first > 1 || (p->fed >= 0 && is_fed(p, s, p->fed) && p->fed_rows.rows > 1);
}

/* Every reader must see the rows that the maker makes. */
static bool views_agree(const struct program *p, const struct segment *s,
                        const struct form **forms) {
  for (int i = 0; i < s->end - s->first; i++) {
    const struct work *w = &p->work[s->first + i];
    for (int k = 0; k < w->n_in; k++) {
      const int storage = p->storage[w->in[k]];
      if (!made_here(p, s, storage)) continue;
      const struct rows_of out = rows_of_made(p, s, storage);
      if (out.rows != forms[i]->in[k].rows || out.row_bytes != forms[i]->in[k].row_bytes)
        return false;
    }
  }
  return true;
}

/* Whether a step of the segment makes this storage as its first output, row by row. */
static bool made_by_rows(const struct replay *r, int storage) {
  const struct program *p = r->p;
  return is_fed(p, r->s, storage) ||
         (made_here(p, r->s, storage) && p->storage[p->work[p->born[storage]].out[0]] == storage);
}

/* Whether step i may write its output over the rows of its input k as it goes: a row over the same row, or over
 * the first of its window, which no later window reads. Then both follow each other in one ring. */
static bool may_follow(const struct replay *r, int i, int k, int out) {
  const struct form *f = r->forms[i];
  const struct reach *reach = &f->reach[k];
  if (f->in[k].row_bytes != f->out.row_bytes) return false;
  if (reach->first == 0 && reach->rows == f->rows_out && reach->advance == f->rows_out &&
      f->in[k].rows == f->out.rows)
    return true;
  return r->follow && f->rows_out > 0 && reach->advance == f->rows_out && reach->first <= 0 &&
         is_inner(r->p, r->s, r->at[out].class_of);
}

/* Inner storages that a step overwrites in place join the class of its output. Backwards, so that a chain of
 * such steps ends in one class. */
static void find_classes(struct replay *r) {
  const struct program *p = r->p;
  for (int i = r->s->end - r->s->first - 1; i >= 0; i--) {
    const struct work *w = work_at(r, i);
    const struct form *f = r->forms[i];
    const int out = p->storage[w->out[0]];
    for (int j = 0; j < w->n_out; j++)
      if (r->at[p->storage[w->out[j]]].class_of < 0)
        r->at[p->storage[w->out[j]]].class_of = p->storage[w->out[j]];
    if (p->is_state[out]) continue; /* shares its room with nothing */
    for (int k = 0; k < w->n_in; k++) {
      const int in = p->storage[w->in[k]];
      if (!f->alias[k] || !is_inner(p, r->s, in) || p->readers[in] != 1) continue;
      if (!made_by_rows(r, in)) continue;
      if (r->at[in].class_of >= 0 || !may_follow(r, i, k, out)) continue;
      r->at[in].class_of = r->at[out].class_of;
      r->at[r->at[out].class_of].shared = true;
      r->at[in].shift = r->at[out].shift - f->reach[k].first;
      break; /* one input at most can be overwritten */
    }
  }
  if (p->fed >= 0 && is_fed(p, r->s, p->fed) && r->at[p->fed].class_of < 0)
    r->at[p->fed].class_of = p->fed;
}

static int common_multiple(int a, int b) { return a / greatest_common_divisor(a, b) * b; }

/* What the slots of each ring are a multiple of. false: rows beyond the end would be made where there is no ring. */
static bool find_multiples(struct replay *r) {
  for (int i = 0; i < r->s->end - r->s->first; i++) {
    const struct form *f = r->forms[i];
    const int class = r->at[r->p->storage[work_at(r, i)->out[0]]].class_of;
    if (f->rows_out < 2) continue;
    if (f->out.rows % f->rows_out != 0 && !is_inner(r->p, r->s, class)) return false;
    r->at[class].multiple = common_multiple(r->at[class].multiple, f->rows_out);
  }
  return true;
}

static int end_of_call(const struct form *f, int k, int call) {
  const struct reach *reach = &f->reach[k];
  const int end = reach->first + call * reach->advance + (reach->rows - 1) * reach->dilation + 1;
  return end < f->in[k].rows ? end : f->in[k].rows;
}

static bool is_ready(const struct replay *r, int i) {
  const struct work *w = work_at(r, i);
  const struct form *f = r->forms[i];
  if (r->calls[i] >= f->calls) return false;
  for (int k = 0; k < w->n_in; k++) {
    const int storage = r->p->storage[w->in[k]];
    if (made_here(r->p, r->s, storage) && end_of_call(f, k, r->calls[i]) > r->at[storage].made)
      return false;
  }
  return true;
}

/* The lowest row of a storage that a call from now on reads. Step `now` (-1: none) is about to be called and
 * may write over what it reads in that call where its form allows it, in place or anywhere. INT32_MAX: no row. */
static int lowest_needed(const struct replay *r, int storage, int now) {
  int lowest = INT32_MAX;
  for (const struct read *read = r->at[storage].reads; read < r->at[storage].reads_end; read++) {
    const int i = read->work - r->s->first, k = read->edge;
    const struct form *f = r->forms[i];
    int call = r->calls[i];
    if (call >= f->calls) continue;
    if (i == now && (f->alias[k] || f->reads_first) && ++call >= f->calls) continue;
    const int first = f->reach[k].first + call * f->reach[k].advance;
    if (first < lowest) lowest = first < 0 ? 0 : first;
  }
  return lowest;
}

/* Rows first .. first+n-1 of a storage are about to be written, by step i or (-1) from outside: the ring of its class
 * must hold them beside all rows of the class that are still needed, and none of those may be theirs. */
static void count_ring(struct replay *r, int out, int i, int first, int n) {
  const int class = r->at[out].class_of;
  const int begin = first + r->at[out].shift, end = begin + n;
  int lowest = begin, highest = end;
  if (n > 1 && r->forms[i]->rows_out > 0 && r->at[out].shift % n != 0) r->clash = true;
  for (int j = 0; j <= r->s->end - r->s->first; j++) {
    const bool inside = j < r->s->end - r->s->first;
    const int member = inside ? r->p->storage[work_at(r, j)->out[0]] : r->p->fed;
    if (member < 0 || r->at[member].class_of != class) continue;
    const int needed = lowest_needed(r, member, i), made = r->at[member].made + r->at[member].shift;
    if (needed >= r->at[member].made) continue;
    const int low = needed + r->at[member].shift;
    if (low < lowest) lowest = low;
    if (made > highest) highest = made;
    if (low < end && begin < made) r->clash = true;
  }
  if (highest - lowest > r->at[class].ring) r->at[class].ring = highest - lowest;
}

/* ---- pools: rows of one size, whatever made them, each in a slot as long as it is read ------------- */

/* Whether step i makes its rows one at a time into a ring that nothing else knows. */
static bool makes_single_rows(const struct replay *r, int i) {
  const struct work *w = work_at(r, i);
  const struct form *f = r->forms[i];
  const int out = r->p->storage[w->out[0]], class = r->at[out].class_of;
  if (w->n_out != 1 || !is_inner(r->p, r->s, out) || !is_inner(r->p, r->s, class)) return false;
  if (is_fed(r->p, r->s, class) || r->at[class].multiple != 1) return false;
  if (f->rows_out == 0) return f->out.rows == 1;
  return f->rows_out == 1 && f->calls == f->out.rows && f->out.rows <= MOST_POOL_ROWS;
}

/* Gives each class whose steps all make single rows to the pool of its row's size. */
static void find_pools(struct replay *r) {
  const int n = r->s->end - r->s->first;
  /* What is fed keeps the ring that it shares. */
  if (r->p->fed >= 0 && r->at[r->p->fed].class_of >= 0)
    r->at[r->at[r->p->fed].class_of].pool = -2;
  for (int i = 0; i < n; i++) {
    const int class = r->at[r->p->storage[work_at(r, i)->out[0]]].class_of;
    if (class >= 0 && !makes_single_rows(r, i)) r->at[class].pool = -2;
  }
  for (int i = 0; i < n; i++) {
    const int out = r->p->storage[work_at(r, i)->out[0]];
    struct touched *at = &r->at[out];
    if (at->class_of < 0 || r->at[at->class_of].pool == -2) continue;
    int rep = out;
    for (int j = i - 1; j >= 0; j--) {
      const int other = r->p->storage[work_at(r, j)->out[0]];
      if (r->at[other].pool >= 0 && r->forms[j]->out.row_bytes == r->forms[i]->out.row_bytes)
        rep = r->at[other].pool;
    }
    at->pool = rep;
    at->place = ARENA_ARRAY(r->p->arena, uint8_t, r->forms[i]->out.rows + 1);
    if (rep == out) at->owners = ARENA_ARRAY(r->p->arena, struct owner, MOST_SLOTS);
  }
  for (int i = 0; i < n; i++) {
    struct touched *at = &r->at[r->p->storage[work_at(r, i)->out[0]]];
    if (at->pool < 0) continue;
    at->class_of = at->pool;
    at->shift = 0;
    r->at[at->pool].shared = true;
  }
}

/* The slot of a row that step i's next call reads for the last time and may write over: the only one of its input, or the
 * first of its window. -1: none. */
static int slot_in_place(const struct replay *r, int i, int pool) {
  const struct work *w = work_at(r, i);
  const struct form *f = r->forms[i];
  for (int k = 0; k < w->n_in; k++) {
    const int in = r->p->storage[w->in[k]], call = r->calls[i];
    const int row = f->reach[k].first + call * f->reach[k].advance;
    if (!f->alias[k] || r->at[in].pool != pool || row < 0 || row >= r->at[in].made) continue;
    if (f->reach[k].rows > 1 && f->reach[k].advance != 1) continue;
    bool last = true;
    for (const struct read *read = r->at[in].reads; read < r->at[in].reads_end && last; read++) {
      const struct form *g = r->forms[read->work - r->s->first];
      const bool same = read->work - r->s->first == i;
      const int next = r->calls[read->work - r->s->first] + same;
      if (same && read->edge != k) last = false;
      if (next < g->calls &&
          g->reach[read->edge].first + next * g->reach[read->edge].advance <= row)
        last = false;
    }
    if (last) return r->at[in].place[row];
  }
  return -1;
}

/* Gives the row that step i is about to make the slot of one that it may write over, or the first that is free. */
static void take_slot(struct replay *r, int i, int out, int row) {
  struct touched *pool = &r->at[r->at[out].pool];
  int slot = slot_in_place(r, i, r->at[out].pool);
  for (int k = 0; slot < 0 && k < pool->ring; k++) {
    const struct owner *o = &pool->owners[k];
    if (o->row < lowest_needed(r, o->storage, r->forms[i]->reads_first ? i : -1)) slot = k;
  }
  if (slot < 0 && pool->ring == MOST_SLOTS) {
    r->clash = true;
    return;
  }
  if (slot < 0) slot = pool->ring++;
  pool->owners[slot] = (struct owner){out, row};
  r->at[out].place[row] = (uint8_t)slot;
}

/* The bytes of one row of a storage, as the segment reads it. */
static size_t row_bytes_read(const struct replay *r, int storage) {
  const struct read *read = r->at[storage].reads;
  return read < r->at[storage].reads_end
             ? r->forms[read->work - r->s->first]->in[read->edge].row_bytes
             : 0;
}

/* Whether the rows that step i's next call writes in place start where those that it reads start. */
static bool call_is_in_place(const struct replay *r, int i, int storage, int64_t at) {
  const struct form *f = r->forms[i];
  for (int k = 0; k < work_at(r, i)->n_in; k++) {
    if (r->p->storage[work_at(r, i)->in[k]] != storage) continue;
    const int row = f->reach[k].first + r->calls[i] * f->reach[k].advance;
    if (!f->alias[k] || (int64_t)row * (int64_t)f->in[k].row_bytes != at) return false;
  }
  return true;
}

/* What begins at the start of an overlap's piece is about to be written up to `end`, where step `now` may write over
 * what it reads: the piece must lie so far below what dies. */
static void widen_distance(const struct replay *r, struct overlap *overlap, int64_t end, int now) {
  const int64_t row_bytes = (int64_t)row_bytes_read(r, overlap->dying);
  const int low = lowest_needed(r, overlap->dying, now);
  if (low != INT32_MAX && end - low * row_bytes > overlap->distance)
    overlap->distance = end - low * row_bytes;
}

/* Step i is about to write n rows of its ring, or to begin the state that it keeps. */
static void count_growth(struct replay *r, int i, int first, int n) {
  const struct form *f = r->forms[i];
  const int out = r->p->storage[work_at(r, i)->out[0]], class = r->at[out].class_of;
  for (int o = 0; o < r->s->n_overlaps; o++) {
    struct overlap *overlap = &r->s->overlaps[o];
    if (overlap->made < 0 && overlap->keeper == r->s->first + i)
      widen_distance(r, overlap, (int64_t)f->state_bytes, -1);
    if (n == 0 || overlap->made != class || !is_inner(r->p, r->s, class)) continue;
    const int slot = (first + r->at[out].shift) % r->at[class].slots;
    widen_distance(r, overlap, (int64_t)(slot + n) * (int64_t)f->out.row_bytes,
                   f->reads_first ? i : -1);
  }
}

/* Step i is about to write n rows: widens the distances of its output from inputs that die here. */
static void count_overlaps(struct replay *r, int i, int first, int n) {
  const int out = r->p->storage[work_at(r, i)->out[0]];
  const int64_t at = (int64_t)first * (int64_t)r->forms[i]->out.row_bytes;
  const int64_t end = (int64_t)(first + n) * (int64_t)r->forms[i]->out.row_bytes;
  for (int o = 0; o < r->s->n_overlaps; o++) {
    struct overlap *overlap = &r->s->overlaps[o];
    /* A step that makes rows for another to finish in place writes there too. */
    if (overlap->made < 0 || is_inner(r->p, r->s, overlap->made) ||
        r->at[overlap->made].class_of != r->at[out].class_of)
      continue;
    const int now = r->forms[i]->reads_first ? i : -1;
    const int64_t row_bytes = (int64_t)row_bytes_read(r, overlap->dying);
    const int low = lowest_needed(r, overlap->dying, now);
    widen_distance(r, overlap, end, now);
    const int later = lowest_needed(r, overlap->dying, i);
    if (later != INT32_MAX && end - later * row_bytes > 0) overlap->equal = false;
    if (low != INT32_MAX && low != later && !call_is_in_place(r, i, overlap->dying, at))
      overlap->equal = false;
  }
}

/* The rings that hold rows while step i is called: those with rows that are still needed, and that which it writes. A
 * ring is named by the step that makes the storage that stands for its class. */
static void count_alive(struct replay *r, int i) {
  const struct program *p = r->p;
  uint64_t set = 0;
  for (int j = 0; j < r->s->end - r->s->first; j++) {
    const int member = p->storage[work_at(r, j)->out[0]], maker = p->born[r->at[member].class_of];
    if (maker < r->s->first) continue;
    if (j == i || lowest_needed(r, member, -1) < r->at[member].made)
      set |= (uint64_t)1 << (maker - r->s->first);
  }
  for (int k = 0; k < r->n_alive && k < MOST_SETS; k++)
    if ((set & ~r->alive[k]) == 0) return;
  if (r->n_alive < MOST_SETS) r->alive[r->n_alive] = set;
  r->n_alive++;
}

static void call_step(struct replay *r, int i) {
  const struct form *f = r->forms[i];
  const struct work *w = work_at(r, i);
  const int out = r->p->storage[w->out[0]];
  const bool ends = r->calls[i] + 1 == f->calls;
  const int first = r->calls[i] * f->rows_out;
  const int n = f->rows_out > 0 ? f->rows_out : ends ? f->out.rows : 0;
  if (r->sized) {
    count_growth(r, i, first, n);
  } else {
    if (!r->pool) count_alive(r, i);
    if (n > 0 && r->at[out].pool >= 0)
      take_slot(r, i, out, first);
    else if (n > 0)
      count_ring(r, out, i, first, n);
    if (n > 0) count_overlaps(r, i, first, n);
  }
  if (n > 0) r->at[out].made = first + n < f->out.rows ? first + n : f->out.rows;
  for (int j = 1; ends && j < w->n_out; j++) r->at[r->p->storage[w->out[j]]].made = 1;
  r->calls[i]++;
}

/* Grows by doubling, so that all of it takes at most twice the largest. */
static void room_for_overlaps(const struct program *p, int n) {
  struct replay_room *room = p->room;
  if (n <= room->overlaps_room) return;
  room->overlaps_room = 2 * n;
  room->overlaps = ARENA_ARRAY(p->arena, struct overlap, room->overlaps_room);
}

/* The storage that step i reads as its input k, where it lives before the segment and dies with this step; -1. Seen as
 * rows of two sizes it has no row distance: -1, too. */
static int dies_with(const struct replay *r, int i, int k) {
  const struct program *p = r->p;
  const int dying = p->storage[work_at(r, i)->in[k]];
  if (made_here(p, r->s, dying) || p->born[dying] < -1 || p->last[dying] != r->s->first + i)
    return -1;
  for (int m = 0; m < k; m++)
    if (p->storage[work_at(r, i)->in[m]] == dying) return -1;
  for (const struct read *read = r->at[dying].reads; read < r->at[dying].reads_end; read++)
    if (r->forms[read->work - r->s->first]->in[read->edge].row_bytes !=
        r->forms[i]->in[k].row_bytes)
      return -1;
  return dying;
}

/* What step j begins that may reach into the room of what dies: an output that lives on, a ring that no rows are fed to,
 * the state that it keeps. Returns how many, at most 2. */
static int begins(const struct replay *r, int j, struct overlap *overlaps) {
  const struct program *p = r->p;
  const int made = p->storage[work_at(r, j)->out[0]];
  const bool outer = made_here(p, r->s, made) && p->last[made] >= r->s->end;
  const bool ring = is_inner(p, r->s, made) && r->at[made].class_of == made &&
                    r->at[made].pool < 0 && (p->fed < 0 || r->at[p->fed].class_of != made);
  int n = 0;
  if (outer || ring) overlaps[n++] = (struct overlap){-1, made, -1, INT64_MIN / 4, outer};
  if (work_at(r, j)->keeps_state && r->forms[j]->state_bytes > 0)
    overlaps[n++] = (struct overlap){-1, -1, r->s->first + j, INT64_MIN / 4, false};
  return n;
}

/* Pairs of a storage that dies here and a piece that begins here. */
static void find_overlaps(struct replay *r) {
  struct segment *s = r->s;
  const int n = s->end - s->first;
  struct overlap some[2];
  int dying = 0, beginning = 0;
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < work_at(r, i)->n_in; k++) dying += dies_with(r, i, k) >= 0;
    beginning += begins(r, i, some);
  }
  room_for_overlaps(r->p, dying * beginning + 1);
  s->overlaps = r->p->room->overlaps;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < work_at(r, i)->n_in; k++) {
      const int storage = dies_with(r, i, k);
      for (int j = 0; j < n && storage >= 0; j++)
        for (int m = begins(r, j, some); m > 0; m--) {
          s->overlaps[s->n_overlaps] = some[m - 1];
          s->overlaps[s->n_overlaps++].dying = storage;
        }
    }
}

/* Takes the next row from outside; false where none is left. */
static bool feed(struct replay *r) {
  const int fed = r->p->fed;
  if (fed < 0 || !is_fed(r->p, r->s, fed) || r->at[fed].made == r->p->fed_rows.rows) return false;
  if (!r->sized) count_ring(r, fed, -1, r->at[fed].made, 1);
  r->at[fed].made++;
  return true;
}

/* Runs the segment; false where it stands still before every step is complete. */
static bool run(struct replay *r) {
  const int n = r->s->end - r->s->first;
  do {
    for (int i = n - 1; i >= 0;) {
      if (is_ready(r, i)) {
        call_step(r, i);
        i = n - 1;
      } else {
        i--;
      }
    }
  } while (feed(r));
  for (int i = 0; i < n; i++)
    if (r->calls[i] < r->forms[i]->calls) return false;
  return true;
}

static size_t round8(size_t n) { return (n + 7) & ~(size_t)7; }

static int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

/* The slots of the ring of an inner storage. */
static int slots_of(const struct replay *r, int storage, unsigned spare_rows) {
  const struct touched *class = &r->at[r->at[storage].class_of];
  const int all = round_up(rows_of_made(r->p, r->s, storage).rows, class->multiple);
  const int rows = round_up(class->ring, class->multiple) + (int)spare_rows * class->multiple;
  return rows > all && !class->shared ? all : rows;
}

/* Adds the ring of a storage that is made and read up here; whole: by a step that does not make it row by row. */
static void add_ring(struct replay *r, int storage, bool whole, unsigned spare_rows) {
  const struct program *p = r->p;
  struct segment *s = r->s;
  const int class = r->at[storage].class_of;
  if (!is_inner(p, s, storage)) return;
  const struct rows_of made = rows_of_made(p, s, storage);
  whole = whole || !is_inner(p, s, class);
  const int rows = whole ? made.rows : slots_of(r, storage, spare_rows);
  s->ring_storage[s->n_rings] = storage;
  s->ring_rows[s->n_rings] = rows;
  s->ring_shift[s->n_rings] = whole ? 0 : r->at[storage].shift;
  s->ring_slots[s->n_rings] = r->at[storage].place;
  s->ring_class[s->n_rings++] = class;
  if (class == storage) s->bytes += round8((size_t)rows * made.row_bytes);
}

/* Instructions and states. */
static void sum_steps(const struct program *p, struct segment *s) {
  s->instructions = 0;
  s->state_bytes = s->shared_state_bytes = 0;
  for (int i = s->first; i < s->end; i++) {
    const struct form *f = form_in(&p->work[i], s);
    s->instructions += f->instructions;
    if (p->work[i].keeps_state)
      s->state_bytes += round8(f->state_bytes);
    else if (round8(f->state_bytes) > s->shared_state_bytes)
      s->shared_state_bytes = round8(f->state_bytes);
  }
}

/* Rings that never hold rows at the same time may share their room: what they take is what is alive at once. */
static void share_rings(struct replay *r) {
  struct segment *s = r->s;
  const int n = s->end - s->first;
  size_t sum = 0, most = 0, bytes[64] = {0};
  if (n > 64 || r->n_alive > MOST_SETS) return;
  for (int i = 0; i < s->n_rings; i++) {
    const int storage = s->ring_storage[i], maker = r->p->born[storage] - s->first;
    if (s->ring_class[i] != storage || !segment_ring_bit(r->p, s, storage)) continue;
    bytes[maker] = round8((size_t)s->ring_rows[i] * rows_of_made(r->p, s, storage).row_bytes);
    sum += bytes[maker];
  }
  s->together = ARENA_ARRAY(r->p->arena, uint64_t, n + 1);
  for (int k = 0; k < r->n_alive; k++) {
    size_t alive = 0;
    for (int j = 0; j < n; j++) {
      if ((r->alive[k] >> j & 1) == 0) continue;
      s->together[j] |= r->alive[k];
      alive += bytes[j];
    }
    if (alive > most) most = alive;
  }
  s->bytes -= sum - most;
}

bool segment_ring_bit(const struct program *p, const struct segment *s, int storage) {
  return s->end - s->first <= 64 && is_inner(p, s, storage) && !is_fed(p, s, storage) &&
         p->storage[p->work[p->born[storage]].out[0]] == storage;
}

/* Adds what the segment's own rings and states take, and lists the rings. */
static void sum_inner(struct replay *r, unsigned spare_rows) {
  struct segment *s = r->s;
  const int n = s->end - s->first;
  const bool fed = r->p->fed >= 0 && is_fed(r->p, s, r->p->fed);
  int outputs = 1;
  for (int i = 0; i < n; i++) outputs += work_at(r, i)->n_out;
  s->ring_storage = ARENA_ARRAY(r->p->arena, int, outputs + 1);
  s->ring_rows = ARENA_ARRAY(r->p->arena, int, outputs + 1);
  s->ring_class = ARENA_ARRAY(r->p->arena, int, outputs + 1);
  s->ring_shift = ARENA_ARRAY(r->p->arena, int, outputs + 1);
  s->ring_slots = ARENA_ARRAY(r->p->arena, uint8_t *, outputs + 1);
  sum_steps(r->p, s);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < work_at(r, i)->n_out; j++)
      add_ring(r, r->p->storage[work_at(r, i)->out[j]], j > 0, spare_rows);
  if (fed) add_ring(r, r->p->fed, false, spare_rows);
  if (!r->pool) share_rings(r);
  s->bytes += s->state_bytes + s->shared_state_bytes +
              (segment_counts(r->p, s) ? round8(2 * (size_t)n) : 0);
}

/* The bytes of the piece that begins. */
static size_t beginning_bytes(const struct program *p, const struct segment *s,
                              const struct overlap *o) {
  if (o->made < 0) return round8(form_in(&p->work[o->keeper], s)->state_bytes);
  for (int i = 0; i < s->n_rings; i++)
    if (s->ring_storage[i] == o->made)
      return round8((size_t)s->ring_rows[i] * rows_of_made(p, s, o->made).row_bytes);
  return round8(graph_bytes(&p->graph->tensors[o->made]));
}

static size_t dying_bytes(const struct program *p, const struct overlap *o) {
  return round8(graph_bytes(&p->graph->tensors[o->dying]));
}

/* What the two need less because they overlap. */
static size_t saved_by(const struct program *p, const struct segment *s, const struct overlap *o) {
  const size_t a = dying_bytes(p, o), b = beginning_bytes(p, s, o);
  const size_t d = o->distance > 0 ? round8((size_t)o->distance) : 0;
  const size_t below = d + a > b ? d + a : b, same = a > b ? a : b;
  const size_t span = o->equal ? same : below;
  return a + b - (span < a + b ? span : a + b);
}

/* What the overlaps with one storage save: one piece reaches into it as it dies; in what that leaves lie those that begin
 * when all of it is dead. */
static size_t saved_by_all(const struct program *p, const struct segment *s, int dying) {
  size_t best = 0, late = 0, bytes = 0;
  for (int o = 0; o < s->n_overlaps; o++) {
    const struct overlap *overlap = &s->overlaps[o];
    if (overlap->dying != dying) continue;
    const size_t saved = saved_by(p, s, overlap);
    bytes = dying_bytes(p, overlap);
    if (overlap->distance == INT64_MIN / 4)
      late += saved;
    else if (saved > best)
      best = saved;
  }
  return best + (late < bytes - best ? late : bytes - best);
}

/* Adds whole tensors that live before, through or after the segment, less what overlaps save. */
static void sum_outer(const struct program *p, struct segment *s) {
  size_t saved = 0, most = 0;
  s->bytes += p->live_bytes[s->first];
  if (p->fed >= 0 && is_fed(p, s, p->fed) && is_inner(p, s, p->fed) && p->last[p->fed] >= 0)
    s->bytes -= round8(graph_bytes(&p->graph->tensors[p->fed]));
  for (int i = s->first; i < s->end; i++)
    for (int k = 0; k < p->work[i].n_out; k++) {
      const int t = p->storage[p->work[i].out[k]];
      if (p->born[t] == i && p->last[t] >= s->end)
        s->bytes += round8(graph_bytes(&p->graph->tensors[t]));
    }
  for (int o = 0; o < s->n_overlaps; o++) {
    const size_t all = saved_by_all(p, s, s->overlaps[o].dying);
    if (all > saved) saved = all;
    most += saved_by(p, s, &s->overlaps[o]);
  }
  s->least = s->bytes > most ? s->bytes - most : 0;
  s->bytes -= saved;
}

struct replay_room *replay_room_new(const struct program *p) {
  struct replay_room *room = ARENA_NEW(p->arena, struct replay_room);
  room->at = ARENA_ARRAY(p->arena, struct touched, p->graph->n_tensors + 1);
  room->forms = ARENA_ARRAY(p->arena, const struct form *, p->n_work + 1);
  room->calls = ARENA_ARRAY(p->arena, int, p->n_work + 1);
  return room;
}

/* The first read of a storage by work i or later. */
static const struct read *read_from(const struct program *p, int storage, int i) {
  int low = p->read_at[storage], high = p->read_at[storage + 1];
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (p->reads[middle].work < i)
      low = middle + 1;
    else
      high = middle;
  }
  return &p->reads[low];
}

static void touch(struct replay *r, int storage) {
  r->at[storage] = (struct touched){.class_of = -1,
                                    .multiple = 1,
                                    .pool = -1,
                                    .reads = read_from(r->p, storage, r->s->first),
                                    .reads_end = read_from(r->p, storage, r->s->end)};
}

static void touch_all(struct replay *r) {
  if (r->p->fed >= 0) touch(r, r->p->fed);
  for (int i = 0; i < r->s->end - r->s->first; i++) {
    const struct work *w = work_at(r, i);
    for (int k = 0; k < w->n_in; k++) touch(r, r->p->storage[w->in[k]]);
    for (int k = 0; k < w->n_out; k++) touch(r, r->p->storage[w->out[k]]);
  }
}

/* The second run: how far rings and states may reach into what dies, now that the slots of rings are known. */
static void run_again(struct replay *r) {
  const struct segment *s = r->s;
  if (s->n_overlaps == 0) return;
  for (int i = 0; i < s->n_rings; i++) r->at[s->ring_class[i]].slots = s->ring_rows[i];
  if (r->p->fed >= 0) r->at[r->p->fed].made = 0;
  for (int i = 0; i < s->end - s->first; i++) {
    r->calls[i] = 0;
    for (int k = 0; k < work_at(r, i)->n_out; k++)
      r->at[r->p->storage[work_at(r, i)->out[k]]].made = 0;
  }
  r->sized = true;
  run(r);
}

/* Copies those that save anything out of the room of replays. */
static void keep_overlaps(const struct program *p, struct segment *s, struct arena *a) {
  const struct overlap *all = s->overlaps;
  int kept = 0, n = 0;
  for (int o = 0; o < s->n_overlaps; o++) kept += saved_by(p, s, &all[o]) > 0;
  s->overlaps = ARENA_ARRAY(a, struct overlap, kept + 1);
  for (int o = 0; o < s->n_overlaps; o++)
    if (saved_by(p, s, &all[o]) > 0) s->overlaps[n++] = all[o];
  s->n_overlaps = n;
}

/* Replays the segment with rings that follow each other, or not. false: it cannot be. */
static bool try_replay(const struct program *p, bool follow, bool pool, unsigned spare_rows,
                       struct arena *a, struct segment *s) {
  const int n = s->end - s->first;
  struct replay r = {.p = p,
                     .s = s,
                     .at = p->room->at,
                     .forms = p->room->forms,
                     .calls = p->room->calls,
                     .alive = p->room->alive,
                     .follow = follow,
                     .pool = pool};
  for (int i = 0; i < n; i++) {
    r.forms[i] = form_in(&p->work[s->first + i], s);
    r.calls[i] = 0;
  }
  touch_all(&r);
  if (!views_agree(p, s, r.forms)) return false;
  find_classes(&r);
  if (!find_multiples(&r)) return false;
  if (pool) find_pools(&r);
  find_overlaps(&r);
  if (!run(&r) || r.clash) return false;
  sum_inner(&r, spare_rows);
  run_again(&r);
  sum_outer(p, s);
  keep_overlaps(p, s, a);
  return true;
}

/* A jump takes no memory of its own; what lives around it does. */
static void replay_jump(const struct program *p, struct segment *s) {
  s->possible = s->shape == BY_ROW;
  s->instructions = p->work[s->first].row.instructions;
  sum_outer(p, s);
}

static struct segment blank(const struct segment *what) {
  return (struct segment){.first = what->first,
                          .end = what->end,
                          .shape = what->shape,
                          .joined = what->joined,
                          .most_state = what->most_state};
}

/* With rings that follow each other, or else without; in pools, where that takes less. */
static void replay_shape(const struct program *p, const struct segment *what, unsigned spare_rows,
                         struct arena *a, struct segment *s) {
  *s = blank(what);
  if (s->end - s->first > 1 && (touches_state(p, s) || !keeps_control(p, s))) return;
  if (p->work[s->first].is_jump) {
    replay_jump(p, s);
    return;
  }
  for (int follow = 1; follow >= 0; follow--) {
    struct segment again = blank(what), pooled = again;
    *s = again;
    s->possible = try_replay(p, follow != 0, false, spare_rows, a, s);
    if (!s->possible) continue;
    if (s->end - s->first < 2) return;
    pooled.possible = try_replay(p, follow != 0, true, spare_rows, a, &pooled);
    if (pooled.possible && pooled.bytes < s->bytes) *s = pooled;
    return;
  }
}

void segment_replay(const struct program *p, int first, int end, enum shape_of_form shape,
                    unsigned spare_rows, struct arena *a, struct segment *s) {
  const struct segment what = {.first = first, .end = end, .shape = shape, .most_state = SIZE_MAX};
  replay_shape(p, &what, spare_rows, a, s);
}

/* Other strips change rings and overlaps only where a call no longer reads all before it writes, or begins to, no longer
 * writes in place, or takes other rows. */
static bool same_calls(const struct program *p, const struct segment *a, const struct segment *b) {
  for (int i = a->first; i < a->end; i++) {
    const struct form *f = form_in(&p->work[i], a), *g = form_in(&p->work[i], b);
    if (f->reads_first != g->reads_first || f->calls != g->calls ||
        memcmp(f->alias, g->alias, sizeof f->alias) != 0)
      return false;
  }
  return true;
}

bool segment_slim(const struct program *p, const struct segment *from, unsigned spare_rows,
                  struct arena *a, struct segment *s) {
  size_t most = 0;
  struct segment what = *from;
  if (from->shape == JOINED_ROWS && from->joined + 1 < JOINS) {
    what.joined++;
    replay_shape(p, &what, spare_rows, a, s);
    return true;
  }
  if (!from->possible) return false;
  for (int i = from->first; i < from->end; i++) {
    const struct form *f = form_in(&p->work[i], from);
    if (!p->work[i].keeps_state && f->state_bytes > most) most = f->state_bytes;
  }
  if (most == 0) return false;
  what.most_state = most - 1;
  if (same_calls(p, from, &what)) {
    *s = what;
    sum_steps(p, s);
    const size_t less = from->shared_state_bytes - s->shared_state_bytes;
    s->bytes -= less;
    s->least -= less < s->least ? less : s->least;
  } else {
    replay_shape(p, &what, spare_rows, a, s);
  }
  return s->possible && s->shared_state_bytes < from->shared_state_bytes;
}
