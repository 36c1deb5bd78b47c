/* objects: see the header. */
#include "app/objects.h"
#include "app/decide.h"
#include "app/pictures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A neighbour counts for nothing while learning where a middle is nearer to it than this much of a cell. */
#define BORDER 0.15

struct objects_grid objects_grid_of(const struct project_config *c,
                                    const struct features_block *block, int height, int width,
                                    int classes) {
  return (struct objects_grid){.height = height,
                               .width = width,
                               .classes = classes,
                               .in_height = block->dims[0],
                               .in_width = block->dims[1],
                               .view = features_image_view(&c->features[0])};
}

struct mote_objects objects_device(const struct objects_grid *g, unsigned threshold) {
  const struct features_view *v = &g->view;
  const double across = v->across * g->in_width / g->width,
               down = v->down * g->in_height / g->height;
  return (struct mote_objects){.height = (uint16_t)g->height,
                               .width = (uint16_t)g->width,
                               .classes = (uint16_t)g->classes,
                               .threshold = (uint8_t)threshold,
                               .left = (int32_t)lround(v->left * 256),
                               .top = (int32_t)lround(v->top * 256),
                               .across = (int32_t)lround(across * 256),
                               .down = (int32_t)lround(down * 256)};
}

/* ---- boxes to cells ------------------------------------------------------------------------ */
static void set_border(const struct objects_grid *g, float *targets, int x, int y) {
  if (x < 0 || y < 0 || x >= g->width || y >= g->height) return;
  float *const t = &targets[y * g->width + x];
  if (*t == 0.0f) *t = -1.0f;
}

void objects_targets(const struct objects_grid *g, const struct project_config *c,
                     const struct dataset_sample *s, uint64_t seed, float *targets) {
  const int cells = g->height * g->width;
  for (int i = 0; i < cells; i++) targets[i] = 0.0f;
  for (int pass = 0; pass < 2; pass++) /* objects first: what lies beside one may be another */
    for (int i = 0; i < s->n_objects; i++) {
      const struct dataset_object *o = &s->objects[i];
      float fx = o->x + o->width / 2, fy = o->y + o->height / 2;
      if (seed) pictures_place(c, &c->augmentation, seed, &fx, &fy);
      const double x = ((double)fx - g->view.left) / g->view.across * g->width / g->in_width,
                   y = ((double)fy - g->view.top) / g->view.down * g->height / g->in_height;
      const int cx = (int)floor(x), cy = (int)floor(y);
      if (cx < 0 || cy < 0 || cx >= g->width || cy >= g->height) continue;
      if (pass == 0) {
        targets[cy * g->width + cx] = (float)(o->label + 1);
        continue;
      }
      const int dx = x - cx < BORDER ? -1 : x - cx > 1 - BORDER;
      const int dy = y - cy < BORDER ? -1 : y - cy > 1 - BORDER;
      if (dx) set_border(g, targets, cx + dx, cy);
      if (dy) set_border(g, targets, cx, cy + dy);
      if (dx && dy) set_border(g, targets, cx + dx, cy + dy);
    }
}

/* ---- the network ------------------------------------------------------------------------------ */
/* Whether a network fits the board: asked of the plan of its graph, trained for one step on nothing. */
struct room {
  struct project *p;
  const struct features_block *block;
  const struct train_budget *budget;
};

struct blank {
  size_t bytes;
  int targets;
};

static void blank(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  const struct blank *b = context;
  uint64_t x = rng_mix(seed ^ index);
  for (size_t i = 0; i < b->bytes; i++) {
    if (i % 8 == 0) x = rng_mix(x + i);
    features[i] = (int8_t)(uint8_t)(x >> (i % 8 * 8));
  }
}

static void nothing(void *context, uint32_t index, uint64_t seed, float *targets) {
  const struct blank *b = context;
  (void)index, (void)seed;
  for (int i = 0; i < b->targets; i++) targets[i] = 0;
}

static bool plan_of(const struct room *r, struct arena *a, const struct train_network *net,
                    struct compiled *c, struct err *e) {
  const int32_t label = 0;
  struct blank nil = {r->block->out_bytes, train_network_targets(net)};
  const struct train_examples x = {
      .n = 1, .labels = &label, .example = blank, .targets = nothing, .context = &nil};
  const struct train_config how = {.epochs = 1,
                                   .batch = 1,
                                   .learning_rate = 1e-3f,
                                   .qat_learning_rate = 1e-4f,
                                   .seed = 1,
                                   .threads = 1};
  const struct emulate_board *board;
  const struct emulate_target *target;
  struct train_result trained;
  if (!emulate_find_board(a, r->p->config.board, &board, e) ||
      !emulate_find_target(a, board->target, &target, e))
    return false;
  const enum compile_core core = compile_core_named(target->isa);
  const struct compile_options options = {.pointer_bytes = target->pointer_bytes,
                                          .core = core == COMPILE_CORES ? COMPILE_CORE_HOST : core};
  return train_fit(a, net, &x, NULL, &how, NULL, &trained, e) &&
         compile_graph(trained.graph, &options, a, c, e);
}

static bool fits(void *context, const struct train_network *net, struct err *e) {
  const struct room *r = context;
  struct compiled c;
  struct arena *a = arena_new((size_t)4 << 30);
  if (!a) return err_internal(e, "no memory left");
  bool ok = plan_of(r, a, net, &c, e);
  if (!ok) e->internal = true;
  const int64_t ram = ok ? (int64_t)c.arena_bytes : 0,
                flash = ok ? (int64_t)c.flash_weight_bytes : 0;
  if (ok && r->budget->ram_bytes > 0 && ram > r->budget->ram_bytes)
    ok = err_set(e, "its plan needs %s bytes of RAM, and the board leaves %s", text_thousands(ram),
                 text_thousands(r->budget->ram_bytes));
  if (ok && r->budget->flash_bytes > 0 && flash > r->budget->flash_bytes)
    ok = err_set(e, "its weights need %s bytes of flash, and the board leaves %s",
                 text_thousands(flash), text_thousands(r->budget->flash_bytes));
  arena_free(a);
  return ok;
}

/* The lines that were named, with a head of cells where none has one. */
static int with_head(struct arena *a, const char ***lines, int n, int classes) {
  const char **own = ARENA_ARRAY(a, const char *, n + 1);
  for (int i = 0; i < n; i++) {
    own[i] = (*lines)[i];
    if (text_starts(own[i], "head")) return n;
  }
  own[n] = arena_printf(a, "head cells %d", classes + 1);
  *lines = own;
  return n + 1;
}

bool objects_network(struct project *p, const char *network, const struct features_block *block,
                     int n_classes, const struct train_budget *budget, struct train_network *net,
                     const char **why, struct err *e) {
  const int *dims = block->dims;
  const char **lines = NULL;
  int n = project_layers(p->arena, network, &lines);
  struct room room = {p, block, budget};
  struct text words;
  bool ok;
  text_init(&words, p->arena);
  if (n == 0) {
    const bool limited = budget->ram_bytes > 0 || budget->flash_bytes > 0;
    ok = train_network_cells(p->arena, dims[0], dims[1], dims[2], n_classes, limited ? fits : NULL,
                             &room, net, &words, e);
  } else if (n == 1 && train_is_preset(lines[0])) {
    text_printf(&words, "the preset %s", lines[0]);
    ok = train_network_preset(p->arena, lines[0], dims[0], dims[1], dims[2], n_classes, net, e);
  } else {
    text_add(&words, "the layers that were named");
    n = with_head(p->arena, &lines, n, n_classes);
    ok = train_network_parse(lines, n, dims[0], dims[1], dims[2], n_classes, net, e);
  }
  *why = words.data;
  if (!ok) return false;
  struct train_head *h = &net->heads[0];
  const struct train_layer *last = &net->layers[h->layer];
  if (net->n_heads != 1 || h->kind != TRAIN_HEAD_CELLS || last->out_c != n_classes + 1)
    return err_set(e,
                   "a network that finds objects ends in a map with %d channels (nothing and %d "
                   "class%s): \"head cells %d\" alone, or no head at all",
                   n_classes + 1, n_classes, n_classes == 1 ? "" : "es", n_classes + 1);
  if (last->out_h > 1024 || last->out_w > 1024)
    return err_set(e, "a map of %d x %d cells; up to 1,024 each work", last->out_w, last->out_h);
  h->object = (float)p->config.objects.weight;
  return true;
}

/* ---- what is found ------------------------------------------------------------------------------ */
/* The truth nearest to a found object, of those that it could be and that no other is; -1: none. */
static int nearest(const struct mote_objects *m, const struct dataset_sample *s, const bool *taken,
                   const struct mote_object *f, double *distance) {
  int best = -1;
  for (int i = 0; i < s->n_objects; i++) {
    const struct dataset_object *o = &s->objects[i];
    const double dx = f->x + 0.5 - (double)(o->x + o->width / 2),
                 dy = f->y + 0.5 - (double)(o->y + o->height / 2);
    const double reach_x = fmax((double)o->width / 2, m->across / 256.0),
                 reach_y = fmax((double)o->height / 2, m->down / 256.0);
    if (taken[i] || o->label != f->label || fabs(dx) > reach_x || fabs(dy) > reach_y) continue;
    const double d = dx * dx + dy * dy;
    if (best < 0 || d < *distance) best = i, *distance = d;
  }
  return best;
}

int objects_match(const struct mote_objects *m, const struct dataset_sample *s,
                  const int8_t *scores, struct mote_object *found, int *pair,
                  struct evaluate_count *counts) {
  const uint32_t all = mote_objects_find(m, scores, found, OBJECTS_SEEN);
  const int n = all < OBJECTS_SEEN ? (int)all : OBJECTS_SEEN;
  bool *const taken = calloc((size_t)s->n_objects + 1, sizeof *taken);
  if (!taken) abort(); /* a few bytes: the machine has no memory left at all */
  for (uint32_t c = 0; c < m->classes; c++) counts[c] = (struct evaluate_count){0, 0, 0};
  for (int i = 0; i < s->n_objects; i++) counts[s->objects[i].label].truth++;
  for (int i = 0; i < n; i++) pair[i] = -1, counts[found[i].label].found++;
  for (;;) { /* the nearest pair first */
    int best = -1, of = -1;
    double least = 0;
    for (int i = 0; i < n; i++) {
      double d = 0;
      const int truth = pair[i] < 0 ? nearest(m, s, taken, &found[i], &d) : -1;
      if (truth >= 0 && (best < 0 || d < least)) best = i, of = truth, least = d;
    }
    if (best < 0) break;
    pair[best] = of;
    taken[of] = true;
    counts[found[best].label].right++;
  }
  free(taken);
  return n;
}

void objects_count(const struct mote_objects *m, const struct dataset *d, const int8_t *scores,
                   struct evaluate_count *counts) {
  const size_t bytes = (size_t)m->height * m->width * (m->classes + 1u);
  struct mote_object *found = malloc(OBJECTS_SEEN * sizeof *found);
  int pair[OBJECTS_SEEN];
  if (!found) abort();
  for (int i = 0; i < d->n_windows; i++)
    objects_match(m, &d->samples[d->windows[i].sample], scores + (size_t)i * bytes, found, pair,
                  counts + (size_t)i * m->classes);
  free(found);
}

double objects_f1(const struct mote_objects *m, const struct dataset *d, const int8_t *scores,
                  struct arena *a) {
  const size_t n = (size_t)d->n_windows * m->classes;
  struct evaluate_count *counts = ARENA_ARRAY(a, struct evaluate_count, n + 1);
  int64_t right = 0, both = 0;
  objects_count(m, d, scores, counts);
  for (size_t i = 0; i < n; i++)
    right += counts[i].right, both += counts[i].truth + counts[i].found;
  return both ? 2 * (double)right / (double)both : 0;
}

unsigned objects_threshold(const struct objects_grid *g, const struct dataset *d,
                           const int8_t *scores, struct arena *a) {
  enum { STEP = 4 };
  unsigned first = 128, last = 128;
  double best = -1;
  bool runs = false;
  for (unsigned t = 2 * STEP; t < 256; t += STEP) {
    const struct mote_objects m = objects_device(g, t);
    const double f1 = objects_f1(&m, d, scores, a);
    if (f1 > best)
      best = f1, first = last = t, runs = true;
    else if (f1 < best)
      runs = false;
    else if (runs)
      last = t;
  }
  return (first + last) / 2;
}

bool objects_float_scores(const struct train_model *model, const struct features_block *block,
                          const struct objects_grid *g, const struct dataset *d, struct arena *a,
                          int8_t **scores, struct err *e) {
  const size_t n = (size_t)d->n_windows * objects_bytes(g);
  int8_t *features = NULL;
  if (n * 5 + 64 > arena_left(a)) return err_set(e, "scores do not fit into memory");
  if (!dataset_features(d, block, a, &features, e)) return false;
  float *shares = ARENA_ARRAY(a, float, n + 1);
  *scores = ARENA_ARRAY(a, int8_t, n + 1);
  train_predict_head(model, 0, false, features, (uint32_t)d->n_windows, shares);
  for (size_t i = 0; i < n; i++) {
    const long q = lrintf(shares[i] * 256) - 128;
    (*scores)[i] = (int8_t)(q > 127 ? 127 : q);
  }
  return true;
}

bool objects_scores(const struct project *p, const struct graph *graph,
                    const struct features_block *block, const struct bundle_objects *objects,
                    const char *target, const struct dataset *d, struct arena *a, int8_t **scores,
                    struct err *e) {
  const struct emulate_target *t;
  struct bundle b;
  struct emulate_result result;
  if (!target) return decide_here(a, graph, block, d, scores, e);
  if (!emulate_find_target(a, target, &t, e)) return false;
  if (d->n_windows < 1) return err_set(e, "no pictures to run on the chip");
  const size_t numbers = (size_t)d->window_samples * (size_t)d->channels;
  int16_t *windows = ARENA_ARRAY(a, int16_t, (size_t)d->n_windows * numbers);
  for (int i = 0; i < d->n_windows; i++) dataset_window(d, i, windows + (size_t)i * numbers);
  struct bundle_request request = {
      .title = p->config.name, .graph = graph, .features = block, .target = t, .objects = objects};
  if (!bundle_run_once(a, &request, windows, d->n_windows, false, &b, &result, e)) return false;
  *scores = (int8_t *)result.outputs;
  return true;
}
