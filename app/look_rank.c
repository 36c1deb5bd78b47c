/* look: what each value of the features is worth, and which kind and parameters suit the data. */
#include "app/look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- rank --------------------------------------------------------------------------- */

/* A column of a spectrogram has many frames: one row of the table for each column, over all of its frames. */
struct worth {
  const char *name;
  double bits, between; /* of the best frame */
  int order;            /* the least of any frame; -1: none */
};

static int by_bits(const void *x, const void *y) {
  const struct worth *const a = x, *const b = y;
  return (a->bits < b->bits) - (a->bits > b->bits);
}

/* The part and frame of a value do not matter here: columns of the first part's frames are taken together. */
static int columns_of(const struct features_block *b) {
  return b->n_parts > 1 ? (int)b->out_bytes : b->dims[1] * b->dims[2];
}

static void name_of(const struct look *l, const struct features_block *b, int column,
                    struct worth *w) {
  struct text name;
  text_init(&name, l->line->arena);
  features_value_name(b, l->project->config.features, column, &name);
  /* "frame 1, 60 to 140 Hz": the frame is left out where a row stands for all of them. */
  const char *const comma = b->dims[0] > 1 ? strstr(name.data, ", ") : NULL;
  w->name = comma ? comma + 2 : name.data;
}

static void print_rank(const struct worth *w, int n, double most) {
  printf("%-4s %-34s %7s %9s  %s\n", "", "value", "bits", "between", "");
  for (int i = 0; i < n && i < 30; i++) {
    char bar[25] = "";
    const int length = most > 0 ? (int)(24 * w[i].bits / most + 0.5) : 0;
    memset(bar, '#', (size_t)length);
    bar[length] = 0;
    printf("%-4s %-34s %7.3f %8.1f%%  %s\n", w[i].order >= 0 ? text_thousands(w[i].order + 1) : "",
           w[i].name, w[i].bits, 100 * w[i].between, bar);
  }
  if (n > 30) printf("     ... and %d more (--json lists all)\n", n - 30);
  printf(
      "\nbits: what the value alone tells about the class (mutual information). between: the share "
      "of its variance\nthat lies between classes. The number in front: the order in which values "
      "add most to those before.\n");
}

static void json_rank(struct arena *a, const struct worth *w, int n, int windows,
                      double class_bits) {
  struct text t;
  struct json j;
  text_init(&t, a);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_int(&j, "windows", windows);
  json_put_real(&j, "class_bits", class_bits);
  json_open_array(&j, "values");
  for (int i = 0; i < n; i++) {
    json_open_object(&j, NULL);
    json_put_string(&j, "name", w[i].name);
    json_put_real(&j, "bits", w[i].bits);
    json_put_real(&j, "between", w[i].between);
    if (w[i].order >= 0)
      json_put_int(&j, "order", w[i].order + 1);
    else
      json_put_null(&j, "order");
    json_close_object(&j);
  }
  json_close_array(&j);
  json_close_object(&j);
  fputs(t.data, stdout);
}

static double entropy_of(const struct look_windows *w) {
  double bits = 0;
  for (int c = 0; c < w->n_classes; c++) {
    int count = 0;
    for (int i = 0; i < w->n; i++) count += w->labels[i] == c;
    if (count) bits -= (double)count / w->n * log2((double)count / w->n);
  }
  return bits;
}

bool look_rank(const struct look *l, const struct features_block *block, struct err *e) {
  struct arena *const a = l->line->arena;
  struct look_windows w;
  int8_t *features;
  if (!look_load(l, 4000, &w, e) || !look_features(l, &w, block, &features, e)) return false;
  const struct features_table t = {.values = features,
                                   .n = w.n,
                                   .width = (int)block->out_bytes,
                                   .classes = w.n_classes,
                                   .labels = w.labels};
  struct features_worth *const each = ARENA_ARRAY(a, struct features_worth, block->out_bytes + 1);
  if (!features_rank(&t, a, each, e)) return false;
  const int n = columns_of(block);
  struct worth *const rows = ARENA_ARRAY(a, struct worth, n + 1);
  for (int c = 0; c < n; c++) {
    rows[c].order = -1;
    name_of(l, block, c, &rows[c]);
    for (size_t i = (size_t)c; i < block->out_bytes; i += (size_t)n) {
      if (each[i].bits > rows[c].bits)
        rows[c].bits = each[i].bits, rows[c].between = each[i].between;
      if (each[i].order >= 0 && (rows[c].order < 0 || each[i].order < rows[c].order))
        rows[c].order = each[i].order;
    }
  }
  qsort(rows, (size_t)n, sizeof *rows, by_bits);
  if (l->line->json) {
    json_rank(a, rows, n, w.n, entropy_of(&w));
  } else {
    printf("%s windows, %d classes: %.2f bits tell the class apart\n\n", text_thousands(w.n),
           w.n_classes, entropy_of(&w));
    print_rank(rows, n, n ? rows[0].bits : 0);
  }
  return true;
}

/* ---- auto ---------------------------------------------------------------------------- */

enum { WINDOWS = 900, TRIALS = 64 };

struct trial {
  struct features_config config;
  const char *change; /* what differs from the best before it */
  double accuracy, deviation;
  int dims[3];
  size_t flash_bytes, scratch_bytes, values;
};

struct search {
  const struct look *look;
  struct look_windows w;
  struct trial trials[TRIALS];
  int n, best;
};

/* Of those within half a standard error of the best the one with the fewest values, of these the best: whatever the order
 * in which they were tried. */
static int choose(const struct trial *t, int n) {
  int top = 0, best = -1;
  for (int i = 1; i < n; i++)
    if (t[i].accuracy > t[top].accuracy) top = i;
  for (int i = 0; i < n; i++) {
    if (t[i].accuracy < t[top].accuracy - t[top].deviation / 2) continue;
    if (best < 0 || t[i].values < t[best].values ||
        (t[i].values == t[best].values && t[i].accuracy > t[best].accuracy))
      best = i;
  }
  return best;
}

/* Builds, fits and judges one configuration; one that features_check refuses is left out. */
static bool try_config(struct search *s, const struct features_config *c, const char *change,
                       struct err *e) {
  struct arena *const a = arena_new(0);
  struct err why = {0};
  struct features_block block;
  struct look look = *s->look;
  struct command_line line = *s->look->line;
  if (!a) return err_set(e, "no memory left");
  line.arena = a;
  look.line = &line;
  bool ok = true;
  if (s->n < TRIALS && features_check(c, &why) && features_build(c, 1, a, &block, &why) &&
      block.out_bytes <= 1 << 15) {
    struct trial *const t = &s->trials[s->n];
    int8_t *features = NULL;
    *t = (struct trial){.config = *c,
                        .change = change,
                        .dims = {block.dims[0], block.dims[1], block.dims[2]},
                        .flash_bytes = block.bytes,
                        .scratch_bytes = block.scratch_bytes,
                        .values = block.out_bytes};
    ok = look_fit(&s->w, a, &block, e) && look_features(&look, &s->w, &block, &features, e);
    const struct features_table table = {.values = features,
                                         .n = s->w.n,
                                         .width = (int)block.out_bytes,
                                         .classes = s->w.n_classes,
                                         .labels = s->w.labels,
                                         .folds = s->w.folds};
    ok = ok && features_judge(&table, a, &t->accuracy, &t->deviation, e);
    if (ok) {
      s->best = choose(s->trials, ++s->n);
      progress_update(s->look->line->progress, "parameters", (uint64_t)s->n, 0, "%s: %.1f %%",
                      features_kind_name(c->kind), 100 * t->accuracy);
    }
  }
  arena_free(a);
  return ok;
}

/* One number of the best configuration changed. */
static bool vary(struct search *s, size_t offset, bool whole, double factor, const char *name,
                 struct err *e) {
  struct features_config c = s->trials[s->best].config;
  if (whole) {
    int *const field = (int *)(void *)((uint8_t *)&c + offset);
    const int value = (int)lround(*field * factor);
    if (value == *field || value < 1) return true;
    *field = value;
    return try_config(s, &c, arena_printf(s->look->line->arena, "%s %d", name, value), e);
  }
  double *const field = (double *)(void *)((uint8_t *)&c + offset);
  if (!(*field > 0)) return true;
  *field *= factor;
  if (offset == offsetof(struct features_config, frame_ms)) { /* the FFT holds a frame */
    const double frame = c.frame_ms * c.rate_hz / 1000;
    c.hop_ms *= factor;
    while (c.fft_size && c.fft_size < frame) c.fft_size *= 2;
    while (c.fft_size > 16 && c.fft_size / 2 >= frame) c.fft_size /= 2;
  }
  return try_config(s, &c, arena_printf(s->look->line->arena, "%s %.4g", name, *field), e);
}

static bool vary_normalise(struct search *s, struct err *e) {
  for (int k = 0; k < FEATURES_NORMALISE_COUNT; k++) {
    struct features_config c = s->trials[s->best].config;
    if (c.normalise == (enum features_normalise)k) continue;
    c.normalise = (enum features_normalise)k;
    if (!try_config(s, &c,
                    arena_printf(s->look->line->arena, "normalise %s",
                                 features_normalise_name(c.normalise)),
                    e))
      return false;
  }
  return true;
}

/* How even the power is within each band, beside its level. */
static bool vary_values(struct search *s, struct err *e) {
  struct features_config c = s->trials[s->best].config;
  if ((c.kind != FEATURES_LOGMEL && c.kind != FEATURES_SPECTRUM) || c.values) return true;
  c.values = FEATURES_BANDS_LEVEL | FEATURES_BANDS_FLATNESS;
  c.range_db = 0;
  if (c.normalise != FEATURES_NORMALISE_NONE) c.normalise = FEATURES_NORMALISE_MEAN;
  return try_config(s, &c, "level, flatness", e);
}

/* Every kind with its defaults, then each number of the best one a step down and up, and the values of its bands. */
static bool search_all(struct search *s, struct err *e) {
  const struct project_config *const p = &s->look->project->config;
  for (int k = 0; k < FEATURES_KIND_COUNT; k++) {
    struct features_config c;
    if (k == FEATURES_HEART && p->features[0].kind != FEATURES_HEART)
      continue; /* who has one says so */
    const struct features_config *const now =
        &p->features[0]; /* what stands in front of it stays */
    features_defaults((enum features_kind)k, now->rate_hz,
                      now->front.on ? now->channels : p->channels, now->window_ms, &c, NULL);
    c.front = now->front;
    if (!try_config(s, &c, "defaults", e)) return false;
  }
  if (!s->n)
    return err_set(e, "no kind of features fits windows of %g ms at %g Hz", p->length_ms,
                   p->rate_hz);
#define REAL(name)  offsetof(struct features_config, name), false
#define WHOLE(name) offsetof(struct features_config, name), true
  return vary(s, REAL(frame_ms), 0.5, "frame_ms", e) && vary(s, REAL(frame_ms), 2, "frame_ms", e) &&
         vary(s, REAL(hop_ms), 0.5, "hop_ms", e) && vary(s, REAL(hop_ms), 1.5, "hop_ms", e) &&
         vary(s, WHOLE(bands), 0.5, "bands", e) && vary(s, WHOLE(bands), 0.75, "bands", e) &&
         vary(s, WHOLE(bands), 1.5, "bands", e) &&
         vary(s, WHOLE(coefficients), 0.75, "coefficients", e) &&
         vary(s, WHOLE(coefficients), 1.5, "coefficients", e) && vary_normalise(s, e) &&
         vary(s, REAL(range_db), 0.75, "range_db", e) &&
         vary(s, REAL(range_db), 1.4, "range_db", e) && vary_values(s, e);
#undef REAL
#undef WHOLE
}

/* The section as mote.yaml has it. */
static void write_section(const struct features_config *c, struct text *out) {
  text_printf(out, "features:\n  kind: %s\n", features_kind_name(c->kind));
  const bool bands = c->kind == FEATURES_LOGMEL || c->kind == FEATURES_SPECTRUM;
  if (bands && c->values) text_add(out, "  values: [level, flatness]\n");
  if (c->frame_ms > 0) text_printf(out, "  frame_ms: %.6g\n", c->frame_ms);
  if (c->hop_ms > 0) text_printf(out, "  hop_ms: %.6g\n", c->hop_ms);
  if (c->fft_size) text_printf(out, "  fft_size: %d\n", c->fft_size);
  if (c->bands) text_printf(out, "  bands: %d\n", c->bands);
  if (c->coefficients) text_printf(out, "  coefficients: %d\n", c->coefficients);
  if (c->range_db > 0) text_printf(out, "  range_db: %.6g\n", c->range_db);
  text_printf(out, "  normalise: %s\n", features_normalise_name(c->normalise));
  features_front_write(&c->front, out);
}

static void print_trials(const struct search *s) {
  printf("%s windows of %d classes, each told by windows of other %s\n\n", text_thousands(s->w.n),
         s->w.n_classes, s->w.by_group ? "groups" : "recordings");
  printf("  %-11s %-18s %-14s %16s %8s\n", "kind", "change", "shape", "told right", "values");
  for (int i = 0; i < s->n; i++) {
    const struct trial *const t = &s->trials[i];
    printf("%c %-11s %-18s %3d x %3d x %-3d %7.1f +- %4.1f %% %8zu\n", i == s->best ? '*' : ' ',
           features_kind_name(t->config.kind), t->change, t->dims[0], t->dims[1], t->dims[2],
           100 * t->accuracy, 100 * t->deviation, t->values);
  }
}

/* Why this one: against the runner-up of another kind, and against the defaults. */
static const char *reason(const struct search *s) {
  struct arena *const a = s->look->line->arena;
  const struct trial *const best = &s->trials[s->best], *other = NULL;
  for (int i = 0; i < s->n; i++)
    if (s->trials[i].config.kind != best->config.kind &&
        (!other || s->trials[i].accuracy > other->accuracy))
      other = &s->trials[i];
  return arena_printf(
      a,
      "%s tells %.1f %% of the windows right from others that it has not seen%s; %zu values, %zu "
      "bytes of flash, %zu of scratch.",
      features_kind_name(best->config.kind), 100 * best->accuracy,
      other ? arena_printf(a, ", %s %.1f %%", features_kind_name(other->config.kind),
                           100 * other->accuracy)
            : "",
      best->values, best->flash_bytes, best->scratch_bytes);
}

static void json_trials(const struct search *s, const char *section) {
  struct text t;
  struct json j;
  text_init(&t, s->look->line->arena);
  json_start(&j, &t);
  json_open_object(&j, NULL);
  json_put_int(&j, "windows", s->w.n);
  json_put_string(&j, "held_out", s->w.by_group ? "group" : "recording");
  json_open_array(&j, "trials");
  for (int i = 0; i < s->n; i++) {
    const struct trial *const x = &s->trials[i];
    json_open_object(&j, NULL);
    json_put_string(&j, "kind", features_kind_name(x->config.kind));
    json_put_string(&j, "change", x->change);
    json_put_real(&j, "accuracy", x->accuracy);
    json_put_real(&j, "deviation", x->deviation);
    json_put_int(&j, "values", (int64_t)x->values);
    json_put_int(&j, "flash_bytes", (int64_t)x->flash_bytes);
    json_put_int(&j, "ram_scratch_bytes", (int64_t)x->scratch_bytes);
    json_put_bool(&j, "best", i == s->best);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_put_string(&j, "why", reason(s));
  json_put_string(&j, "yaml", section);
  json_put_bool(&j, "written", s->look->write);
  json_close_object(&j);
  fputs(t.data, stdout);
}

bool look_auto(const struct look *l, struct err *e) {
  struct search *const s = ARENA_NEW(l->line->arena, struct search);
  struct text section;
  s->look = l;
  if (!look_load(l, WINDOWS, &s->w, e)) return false;
  if (s->w.n_classes < 2) return err_set(e, "%d class; choosing needs two or more", s->w.n_classes);
  if (s->w.n_folds < 2)
    return err_set(e, "all windows are of one recording or group; choosing needs two or more");
  if (!search_all(s, e)) return false;
  text_init(&section, l->line->arena);
  write_section(&s->trials[s->best].config, &section);
  if (l->write && !project_replace_section(l->project, "features", section.data, e)) return false;
  if (l->line->json) {
    json_trials(s, section.data);
    return true;
  }
  print_trials(s);
  printf("\n* %s\n  Of equally good ones (half a standard error) the one with fewer values is "
         "taken.\n\n%s%s",
         reason(s), section.data,
         l->write ? arena_printf(l->line->arena, "\nwritten to %s\n", l->project->yaml_path)
                  : "\nput this in mote.yaml, or let --write do it\n");
  return true;
}
