/* schedule: cuts the work into segments and lays out the arena.
 *
 * Every stretch of up to MOST_STEPS steps is replayed once (replay.c): it tells its bytes, its instructions, or
 * that the steps cannot share a segment. A cut of the whole graph costs the sum of the instructions and needs
 * the largest of the bytes. For one limit of bytes the cheapest cut is found exactly by dynamic programming;
 * the limits worth trying are the bytes that occur. The default plan takes the least limit whose cut costs
 * at most 8 to 10 % more than the fastest; the least few are laid out for real and the smallest arena wins. */
#include "host/compile/private.h"

#include <stdlib.h>
#include <string.h>

enum {
  MOST_STEPS = 48, /* of a segment: bounds the work for large graphs */
  SLIMMER = 8,
  FORMS = SHAPES * SLIMMER, /* of a stretch: less and less state of each shape */
  /* Of instructions, for less RAM: 10 measured, and less by the error of the estimate. */
  SURE_PERCENT = 8,
  MOST_PERCENT = 10,
  POINTS = 12, /* of the curve of memory and instructions */
  LAYOUTS = 6  /* limits that are laid out before one is chosen */
};

/* The ways to run the same steps as one segment. */
struct stretch {
  struct segment *forms;
  int n;
};
/* All stretches that may be segments, at[first * most + steps - 1]: row by row with all the state that its kernels
 * like, then with less and less; likewise flat, grouped, and with several rows a call. */
struct stretches {
  const struct program *p;
  int most;
  bool longest; /* prefer few segments to few instructions */
  struct stretch *at;
  int64_t *cost; /* [n_work + 1] scratch of cheapest() */
  const struct segment **from;
};

static struct stretch *stretch(const struct stretches *t, int first, int n) {
  return &t->at[(size_t)first * (size_t)t->most + (size_t)(n - 1)];
}

/* Adds one way to run a stretch, and the same with less and less state. false: it cannot be. */
static bool add_forms(const struct stretches *t, int first, int n, enum shape_of_form shape,
                      const struct compile_options *o, struct arena *a, struct stretch *out) {
  struct segment *s = &out->forms[out->n];
  segment_replay(t->p, first, first + n, shape, o->spare_rows, a, s);
  /* Fewer rows a call may do what more do not. */
  while (!s->possible && shape == JOINED_ROWS) {
    const struct segment more = *s;
    if (!segment_slim(t->p, &more, o->spare_rows, a, s)) return false;
  }
  if (!s->possible) return false;
  out->n++;
  for (int i = 1; i < SLIMMER; i++, s++, out->n++)
    if (!segment_slim(t->p, s, o->spare_rows, a, s + 1) || !s[1].possible) break;
  return true;
}

static bool has_joined(const struct program *p, int first, int n) {
  for (int i = first; i < first + n; i++)
    if (p->work[i].joined[JOINS - 1].calls > 0) return true;
  return false;
}

/* All ways to run steps first .. first + n - 1. false: not row by row. */
static bool replay_stretch(struct stretches *t, int first, int n, const struct compile_options *o,
                           struct arena *a) {
  const struct work *w = &t->p->work[first];
  struct segment forms[FORMS];
  struct stretch s = {forms, 0}, *to = stretch(t, first, n);
  bool more = add_forms(t, first, n, BY_ROW, o, a, &s);
  if (n == 1 && w->has_flat) add_forms(t, first, 1, FLAT, o, a, &s);
  if (n == 1 && w->has_grouped) add_forms(t, first, 1, GROUPED, o, a, &s);
  if (n > 1 && more && has_joined(t->p, first, n)) add_forms(t, first, n, JOINED_ROWS, o, a, &s);
  to->n = s.n;
  to->forms = ARENA_ARRAY(a, struct segment, s.n);
  memcpy(to->forms, forms, (size_t)s.n * sizeof *forms);
  return more;
}

static void replay_all(struct stretches *t, const struct compile_options *o, struct arena *a) {
  const int n = t->p->n_work;
  t->most = o->schedule == COMPILE_LAYERS ? 1 : n < MOST_STEPS ? n : MOST_STEPS;
  t->longest = o->schedule == COMPILE_STREAM;
  t->at = ARENA_ARRAY(a, struct stretch, (size_t)n * (size_t)t->most + 1);
  t->cost = ARENA_ARRAY(a, int64_t, n + 1);
  t->from = ARENA_ARRAY(a, const struct segment *, n + 1);
  for (int first = 0; first < n; first++)
    for (int k = 1; k <= t->most && first + k <= n; k++)
      if (!replay_stretch(t, first, k, o, a)) break; /* longer ones hold the same hindrance */
}

/* The cheapest way to the end of `end` steps. */
static void cheapest_end(const struct stretches *t, size_t limit, int end) {
  t->cost[end] = INT64_MAX;
  for (int k = 1; k <= t->most && k <= end; k++) {
    const struct stretch *stretch_k = stretch(t, end - k, k);
    const int64_t before = t->cost[end - k];
    for (int i = 0; i < stretch_k->n && before != INT64_MAX; i++) {
      const struct segment *s = &stretch_k->forms[i];
      if (s->bytes > limit) continue;
      const int64_t c = before + (t->longest ? 1 : s->instructions);
      if (c >= t->cost[end]) continue;
      t->cost[end] = c;
      t->from[end] = s;
    }
  }
}

/* The cheapest cut whose segments need at most limit bytes. cut[]: the segments, in order. false: none. */
static bool cheapest(const struct stretches *t, size_t limit, const struct segment **cut,
                     int *n_cut, int64_t *instructions) {
  const int n = t->p->n_work;
  const struct segment **from = t->from;
  for (int end = 1; end <= n; end++) cheapest_end(t, limit, end);
  if (t->cost[n] == INT64_MAX) return false;
  int count = 0;
  for (int end = n; end > 0; end = from[end]->first) count++;
  *n_cut = count;
  *instructions = 0;
  for (int end = n; end > 0; end = from[end]->first) {
    cut[--count] = from[end];
    *instructions += from[end]->instructions;
  }
  return true;
}

static int by_size(const void *a, const void *b) {
  const size_t x = *(const size_t *)a, y = *(const size_t *)b;
  return x < y ? -1 : x > y;
}

/* The bytes that occur, ascending, each once. */
static size_t *limits_of(const struct stretches *t, int *count, struct arena *a) {
  const size_t stretches = (size_t)t->p->n_work * (size_t)t->most;
  size_t all = 0;
  for (size_t i = 0; i < stretches; i++) all += (size_t)t->at[i].n;
  size_t *limits = ARENA_ARRAY(a, size_t, all + 1);
  int n = 0, kept = 0;
  for (size_t i = 0; i < stretches; i++)
    for (int k = 0; k < t->at[i].n; k++) limits[n++] = t->at[i].forms[k].bytes;
  qsort(limits, (size_t)n, sizeof *limits, by_size);
  for (int i = 0; i < n; i++)
    if (kept == 0 || limits[i] != limits[kept - 1]) limits[kept++] = limits[i];
  *count = kept;
  return limits;
}

/* ---- laying out one cut ------------------------------------------------------- */

/* work: n_work for what lives on behind the last. */
static int segment_of(const struct schedule *s, int work) { return s->segment_of[work]; }

static void number_segments(const struct program *p, struct schedule *s) {
  int k = 0;
  for (int i = 0; i <= p->n_work; i++) {
    while (k + 1 < s->n_segments && i >= s->segments[k].end) k++;
    s->segment_of[i] = k;
  }
}

static int add_item(struct schedule *s, struct item item) {
  item.exact_bytes = item.bytes;
  item.bytes = (item.bytes + 7) & ~(size_t)7;
  s->items[s->n_items] = item;
  return s->n_items++;
}

static bool is_port(const int *ports, int n, const struct program *p, int storage) {
  for (int i = 0; i < n; i++)
    if (p->storage[ports[i]] == storage) return true;
  return false;
}

/* Whole tensors: those that some other segment, or the model's user, sees. */
static void add_whole(const struct program *p, struct schedule *s) {
  const struct graph *g = p->graph;
  for (int t = 0; t < g->n_tensors; t++) {
    if (p->storage[t] != t || p->born[t] < -1) continue;
    const int last = p->last[t];
    struct item item = {
        .storage = t, .bytes = graph_bytes(&g->tensors[t]), .kind = COMPILE_ACTIVATION};
    item.first = p->born[t] < 0 ? 0 : segment_of(s, p->born[t]);
    /* What nothing reads is written all the same (dead nodes are gone: only unread inputs are left). */
    item.last = last == -2 ? item.first : segment_of(s, last);
    const bool made = p->born[t] >= 0 || t == p->fed;
    if (made && last < s->segments[item.first].end) continue; /* inner */
    if (p->is_state[t]) item.kind = COMPILE_VARIABLE;
    if (is_port(g->outputs, g->n_outputs, p, t)) item.kind = COMPILE_OUTPUT;
    if (is_port(g->inputs, g->n_inputs, p, t)) item.kind = COMPILE_INPUT;
    s->item_of[t] = add_item(s, item);
  }
}

/* Rings of one segment; a class that ends in a whole tensor has its room. */
static void add_rings(const struct program *p, struct schedule *s, int k) {
  const struct segment *seg = &s->segments[k];
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < seg->n_rings; i++) {
      const int storage = seg->ring_storage[i], class = seg->ring_class[i];
      if ((pass == 0) != (class == storage)) continue;
      if (pass == 1) {
        s->item_of[storage] = s->item_of[class];
        continue;
      }
      const struct rows_of made = rows_of_made(p, seg, storage);
      s->item_of[storage] =
          add_item(s, (struct item){.kind = storage == p->fed ? COMPILE_INPUT : COMPILE_RING,
                                    .storage = storage,
                                    .first = k,
                                    .last = k,
                                    .rows = made.rows,
                                    .ring_rows = seg->ring_rows[i],
                                    .bytes = (size_t)seg->ring_rows[i] * made.row_bytes});
    }
  }
  for (int i = 0; i < seg->n_rings; i++) s->ring_rows[seg->ring_storage[i]] = seg->ring_rows[i];
  for (int i = 0; i < seg->n_rings; i++) s->ring_shift[seg->ring_storage[i]] = seg->ring_shift[i];
  for (int i = 0; i < seg->n_rings; i++) s->ring_slots[seg->ring_storage[i]] = seg->ring_slots[i];
}

static void add_states(const struct program *p, struct schedule *s, int k) {
  const struct segment *seg = &s->segments[k];
  s->shared_item[k] = s->counters_item[k] = -1;
  if (segment_counts(p, seg))
    s->counters_item[k] = add_item(s, (struct item){.kind = COMPILE_SCRATCH,
                                                    .storage = -1,
                                                    .first = k,
                                                    .last = k,
                                                    .bytes = 2 * (size_t)(seg->end - seg->first)});
  if (seg->shared_state_bytes > 0)
    s->shared_item[k] = add_item(s, (struct item){.kind = COMPILE_STATE,
                                                  .storage = -1,
                                                  .first = k,
                                                  .last = k,
                                                  .bytes = seg->shared_state_bytes});
  for (int i = seg->first; i < seg->end; i++) {
    const struct form *f = form_in(&p->work[i], seg);
    s->state_item[i] = s->shared_item[k];
    if (p->work[i].keeps_state && f->state_bytes > 0)
      s->state_item[i] = add_item(s, (struct item){.kind = COMPILE_STATE,
                                                   .storage = -1,
                                                   .first = k,
                                                   .last = k,
                                                   .bytes = f->state_bytes});
  }
}

/* Rings of one segment that never hold rows at the same time need not lie apart. */
static void share_room(const struct program *p, const struct schedule *s, struct bounds *bounds) {
  for (int k = 0; k < s->n_segments; k++) {
    const struct segment *seg = &s->segments[k];
    for (int i = 0; i < seg->n_rings && seg->together != NULL; i++)
      for (int j = 0; j < seg->n_rings; j++) {
        const int a = seg->ring_storage[i], b = seg->ring_storage[j];
        if (a == b || seg->ring_class[i] != a || seg->ring_class[j] != b) continue;
        if (!segment_ring_bit(p, seg, a) || !segment_ring_bit(p, seg, b)) continue;
        if ((seg->together[p->born[a] - seg->first] >> (p->born[b] - seg->first) & 1) == 0)
          bounds_between(bounds, s->item_of[a], s->item_of[b])->bound = false;
      }
  }
}

/* Outputs that may move into the room of inputs that die. */
static void overlap_room(const struct schedule *s, struct bounds *bounds) {
  for (int k = 0; k < s->n_segments; k++) {
    for (int o = 0; o < s->segments[k].n_overlaps; o++) {
      const struct overlap *overlap = &s->segments[k].overlaps[o];
      const int made =
          overlap->made >= 0 ? s->item_of[overlap->made] : s->state_item[overlap->keeper];
      const int dying = s->item_of[overlap->dying];
      if (made < 0 || dying < 0 || s->items[dying].last != k || s->items[made].first != k) continue;
      struct apart *pair = bounds_between(bounds, made, dying);
      pair->equal = overlap->equal;
      if (overlap->distance < pair->distance) pair->distance = overlap->distance;
    }
  }
}

/* The most bytes that live in one segment. */
static size_t least_of(const struct schedule *s) {
  size_t least = 0;
  for (int k = 0; k < s->n_segments; k++)
    if (s->segments[k].least > least) least = s->segments[k].least;
  return least;
}

/* The bytes of all items, and behind them row pointers where a call takes more than lie on the stack. */
static void sum_arena(const struct program *p, int pointer_bytes, struct schedule *s) {
  int most = 1;
  for (int i = 0; i < p->n_work; i++) {
    const struct work *w = &p->work[i];
    const struct form *f = form_in(w, &s->segments[segment_of(s, i)]);
    int rows = w->n_out - 1;
    for (int k = 0; k < w->n_in; k++) rows += f->reach[k].rows;
    if (rows > most) most = rows;
  }
  s->used_bytes = 0;
  for (int i = 0; i < s->n_items; i++) {
    const size_t end = (size_t)s->items[i].offset + s->items[i].exact_bytes;
    if (end > s->used_bytes) s->used_bytes = end;
  }
  if (most > MOTE_STACK_ROWS) s->used_bytes = (s->used_bytes + 7) & ~(size_t)7;
  s->arena_bytes = s->used_bytes + (most > MOTE_STACK_ROWS ? (size_t)(most * pointer_bytes) : 0);
}

static void lay_out(const struct program *p, const struct segment *const *cut, int n_cut,
                    int pointer_bytes, struct bounds *bounds, struct arena *a, struct schedule *s) {
  const int tensors = p->graph->n_tensors + 1;
  memset(s, 0, sizeof *s);
  s->n_segments = n_cut;
  s->segments = ARENA_ARRAY(a, struct segment, n_cut + 1);
  for (int k = 0; k < n_cut; k++) s->segments[k] = *cut[k];
  s->items = ARENA_ARRAY(a, struct item, tensors + p->n_work + 2 * n_cut + 1);
  s->item_of = ARENA_ARRAY(a, int, tensors);
  s->ring_rows = ARENA_ARRAY(a, int, tensors);
  s->ring_shift = ARENA_ARRAY(a, int, tensors);
  s->ring_slots = ARENA_ARRAY(a, uint8_t *, tensors);
  s->state_item = ARENA_ARRAY(a, int, p->n_work + 1);
  s->shared_item = ARENA_ARRAY(a, int, n_cut + 1);
  s->counters_item = ARENA_ARRAY(a, int, n_cut + 1);
  s->segment_of = ARENA_ARRAY(a, int, p->n_work + 1);
  number_segments(p, s);
  for (int t = 0; t < tensors; t++) s->item_of[t] = -1;
  add_whole(p, s);
  for (int k = 0; k < n_cut; k++) add_rings(p, s, k);
  for (int k = 0; k < n_cut; k++) add_states(p, s, k);
  bounds_of(bounds, s->items, s->n_items, n_cut, a);
  overlap_room(s, bounds);
  share_room(p, s, bounds);
  s->least_bytes = least_of(s);
  offsets_place(s->items, s->n_items, bounds, s->least_bytes, a);
  sum_arena(p, pointer_bytes, s);
  /* Pieces begin at multiples of 8; the last need not end at one. */
  if (s->least_bytes > s->used_bytes) s->least_bytes = s->used_bytes;
}

/* ---- choosing ------------------------------------------------------------------ */

struct chooser {
  const struct program *p;
  const struct compile_options *o;
  struct arena *arena;
  struct stretches stretches;
  const struct segment **cut;
  size_t *limits;
  int n_limits;
  int64_t fastest;
  struct bounds bounds; /* of the plan that is being laid out */
};

/* Instructions of the cheapest cut under a limit; INT64_MAX: none. */
static int64_t cost_under(struct chooser *c, size_t limit) {
  int n_cut = 0;
  int64_t instructions = 0;
  if (!cheapest(&c->stretches, limit, c->cut, &n_cut, &instructions)) return INT64_MAX;
  return instructions;
}

/* The first limit whose cheapest cut costs at most `most`: costs never rise with the limit. n_limits: none. */
static int first_limit(struct chooser *c, int64_t most) {
  int low = 0, high = c->n_limits;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (cost_under(c, c->limits[middle]) <= most)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* Lays out the cheapest cut under a limit. false: there is none. */
static bool try_limit(struct chooser *c, size_t limit, struct schedule *s) {
  int n_cut = 0;
  int64_t instructions = 0;
  if (!cheapest(&c->stretches, limit, c->cut, &n_cut, &instructions)) return false;
  lay_out(c->p, c->cut, n_cut, c->o->pointer_bytes, &c->bounds, c->arena, s);
  s->instructions = instructions;
  s->fastest_instructions = c->fastest;
  return true;
}

/* The highest limit of at most so many bytes; -1: none. */
static int limit_within(const struct chooser *c, size_t bytes) {
  int low = 0, high = c->n_limits;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (c->limits[middle] > bytes)
      high = middle;
    else
      low = middle + 1;
  }
  return low - 1;
}

/* A faster plan in the same arena: from the highest limit that could be, down to the next that brings another cut. */
static void use_room(struct chooser *c, struct schedule *out) {
  struct schedule s;
  for (int i = limit_within(c, out->arena_bytes), tried = 0; i >= 0 && tried < LAYOUTS; tried++) {
    if (cost_under(c, c->limits[i]) >= out->instructions) return;
    if (!try_limit(c, c->limits[i], &s)) return;
    if (s.arena_bytes <= out->arena_bytes) {
      *out = s;
      return;
    }
    i = first_limit(c, s.instructions) - 1;
  }
}

/* The smallest arena of the limits from i on: the first few that bring another cut are laid out. */
static bool smallest_from(struct chooser *c, int i, struct schedule *out) {
  bool found = false;
  for (int tried = 0; i < c->n_limits && tried < LAYOUTS; tried++) {
    struct schedule s;
    if (found && c->limits[i] >= out->arena_bytes) break;
    if (!try_limit(c, c->limits[i], &s)) break;
    if (!found || s.arena_bytes <= out->arena_bytes) *out = s; /* at a tie, the faster */
    found = true;
    i = c->stretches.longest ? i + 1 : first_limit(c, s.instructions - 1);
  }
  if (found) use_room(c, out);
  return found;
}

static int64_t slower_by(const struct chooser *c, int percent) {
  return c->fastest + c->fastest * percent / 100;
}

/* The least RAM at most 10 % slower than the fastest. Beyond what the estimate is sure of, only what saves more of the RAM
 * than it costs of the instructions. */
static bool choose_default(struct chooser *c, struct schedule *out) {
  struct schedule s;
  if (c->stretches.longest) return smallest_from(c, first_limit(c, INT64_MAX - 1), out);
  if (!smallest_from(c, first_limit(c, slower_by(c, SURE_PERCENT)), out)) return false;
  if (!smallest_from(c, first_limit(c, slower_by(c, MOST_PERCENT)), &s)) return true;
  const double bytes = (double)s.arena_bytes / (double)out->arena_bytes;
  const double instructions = (double)s.instructions / (double)out->instructions;
  if (1 - bytes > instructions - 1) *out = s;
  return true;
}

/* Faster plans in so many bytes: a limit counts one overlap for each piece that dies, a layout may find several, and so need less
 * than its limit. */
static void use_overlaps(struct chooser *c, size_t bytes, struct schedule *out) {
  struct schedule s;
  int64_t instructions = out->instructions;
  for (int tried = 0; tried < 2 * LAYOUTS; tried++) {
    const int i = first_limit(c, instructions - 1);
    if (i == c->n_limits || !try_limit(c, c->limits[i], &s)) return;
    instructions = s.instructions;
    if (s.arena_bytes <= bytes) *out = s;
  }
}

/* The fastest that fits: limits from the highest that could. Where none does, *out is the least there is, and
 * the caller says so. */
static bool choose_within(struct chooser *c, size_t bytes, struct schedule *out) {
  struct schedule s;
  bool found = false;
  for (int i = limit_within(c, bytes), tried = 0; i >= 0 && tried < 4 * LAYOUTS; tried++) {
    if (!try_limit(c, c->limits[i], &s)) break;
    i = first_limit(c, s.instructions) - 1;
    if (found && s.arena_bytes >= out->arena_bytes) continue;
    *out = s;
    found = true;
    if (s.arena_bytes > bytes) continue;
    use_overlaps(c, bytes, out);
    return true;
  }
  if (!smallest_from(c, first_limit(c, INT64_MAX - 1), &s)) return found;
  if (!found || s.arena_bytes < out->arena_bytes) *out = s;
  return true;
}

/* Adds a point, and drops the points before it that need as much memory: they are slower. */
static void add_point(struct schedule *out, size_t arena_bytes, int64_t instructions) {
  while (out->n_curve > 0 && out->curve[out->n_curve - 1].arena_bytes >= arena_bytes)
    out->n_curve--;
  if (out->n_curve > 0 && out->curve[out->n_curve - 1].instructions <= instructions) return;
  out->curve[out->n_curve++] = (struct compile_point){arena_bytes, instructions};
}

/* What less memory costs: cuts from the tightest limit to the fastest, each some percent faster than the one
 * before, laid out. The chosen plan is among them. */
static void draw_curve(struct chooser *c, struct schedule *out) {
  const int64_t slowest = cost_under(c, c->limits[first_limit(c, INT64_MAX - 1)]);
  bool drawn = false;
  out->curve = ARENA_ARRAY(c->arena, struct compile_point, 2 * POINTS + 2);
  for (int i = 0; i <= POINTS; i++) {
    const int64_t most = slowest - (slowest - c->fastest) * i / POINTS;
    struct schedule s;
    if (!try_limit(c, c->limits[first_limit(c, most)], &s)) continue;
    if (!drawn && out->instructions >= s.instructions) {
      add_point(out, out->arena_bytes, out->instructions);
      drawn = true;
    }
    add_point(out, s.arena_bytes, s.instructions);
  }
}

static bool choose(struct chooser *c, struct schedule *out, struct err *e) {
  const struct compile_options *o = c->o;
  if (o->ram_bytes > 0) {
    if (choose_within(c, o->ram_bytes, out)) return true;
    return err_internal(e, "no plan at all for %zu bytes", o->ram_bytes);
  }
  if (o->fast) {
    const int i = first_limit(c, c->fastest);
    if (i < c->n_limits && try_limit(c, c->limits[i], out)) return true;
    return err_internal(e, "the fastest plan has no limit");
  }
  if (!choose_default(c, out)) return err_internal(e, "no plan within 10 %% of the fastest");
  return true;
}

bool schedule_choose(const struct program *p, const struct compile_options *o, struct arena *a,
                     struct schedule *out, struct err *e) {
  struct chooser c = {.p = p, .o = o, .arena = a};
  int n_cut = 0;
  c.stretches.p = p;
  c.cut = ARENA_ARRAY(a, const struct segment *, p->n_work + 1);
  if (p->n_work == 0) {
    lay_out(p, c.cut, 0, o->pointer_bytes, &c.bounds, a, out);
    return true;
  }
  replay_all(&c.stretches, o, a);
  if (!cheapest(&c.stretches, SIZE_MAX, c.cut, &n_cut, &c.fastest))
    return err_internal(e, "no order of the %d steps runs to its end", p->n_work);
  c.limits = limits_of(&c.stretches, &c.n_limits, a);
  if (!choose(&c, out, e)) return false;
  out->curve = NULL;
  out->n_curve = 0;
  if (o->curve) draw_curve(&c, out);
  return true;
}
