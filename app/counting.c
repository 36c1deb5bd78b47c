/* counting: see the header. */
#include "app/counting.h"
#include "app/evaluation.h"
#include "app/pictures.h"
#include "app/report_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWN_WORST = 12, DRAWN_OTHERS = 12, LISTED = 5 };

/* ---- measuring ------------------------------------------------------------------------------ */
static bool figures_of(const struct counting *c, const int8_t *scores, struct arena *a,
                       struct evaluate_count **counts, struct evaluate_counting **out,
                       struct err *e) {
  const struct dataset *d = &c->dataset;
  *counts = ARENA_ARRAY(a, struct evaluate_count, (size_t)d->n_windows * (size_t)c->n_classes + 1);
  *out = ARENA_ARRAY(a, struct evaluate_counting, c->n_classes + 1);
  objects_count(&c->objects, d, scores, *counts);
  const struct evaluate_counts set = {d->n_windows, c->n_classes, *counts};
  return evaluate_counting(&set, 1, a, *out, e);
}

static int by_errors(const void *x, const void *y) {
  const struct counting_wrong *a = x, *b = y;
  const int more = (b->misses + b->extra) - (a->misses + a->extra);
  return more ? more : a->window - b->window;
}

static void find_worst(struct counting *c, struct arena *a, const struct evaluate_count *counts) {
  const int n = c->dataset.n_windows;
  c->worst = ARENA_ARRAY(a, struct counting_wrong, n + 1);
  for (int i = 0; i < n; i++) {
    struct counting_wrong w = {.window = i};
    for (int k = 0; k < c->n_classes; k++) {
      const struct evaluate_count *x = &counts[(size_t)i * (size_t)c->n_classes + (size_t)k];
      w.misses += x->truth - x->right;
      w.extra += x->found - x->right;
    }
    if (w.misses + w.extra) c->worst[c->n_worst++] = w;
  }
  qsort(c->worst, (size_t)c->n_worst, sizeof *c->worst, by_errors);
}

bool counting_measure(struct project *p, const struct training_outcome *o,
                      const struct mote_objects *objects, const struct dataset_pick *pick,
                      const char *chip, struct counting *c, struct err *e) {
  struct arena *a = p->arena;
  const struct bundle_objects list = {*objects, o->classes};
  struct evaluate_count *counts;
  int8_t *scores = NULL, *other = NULL;
  *c = (struct counting){
      .classes = o->classes, .n_classes = o->n_classes, .objects = *objects, .chip = chip};
  c->answer_bytes = (size_t)objects->height * objects->width * (objects->classes + 1u);
  if (!dataset_load(p, pick, o->classes, o->n_classes, o->range, &c->dataset, e)) return false;
  if (c->dataset.n_windows == 0) {
    err_file(e, p->db_path);
    return err_set(e, "no such samples; `mote data` shows what there is, `mote add --split` adds");
  }
  if (!objects_scores(p, o->graph, &o->features, NULL, NULL, &c->dataset, a, &scores, e))
    return false;
  c->scores = scores;
  if (o->model) {
    const struct objects_grid g =
        objects_grid_of(&p->config, &o->features, objects->height, objects->width, o->n_classes);
    if (!objects_float_scores(o->model, &o->features, &g, &c->dataset, a, &other, e) ||
        !figures_of(c, other, a, &counts, &c->as_float, e))
      return false;
  }
  if (chip) {
    if (!objects_scores(p, o->graph, &o->features, &list, chip, &c->dataset, a, &other, e))
      return false;
    if (memcmp(other, scores, (size_t)c->dataset.n_windows * c->answer_bytes) != 0)
      return err_internal(
          e, "the chip's answers differ from this machine's; `mote verify --target %s` says where",
          chip);
  }
  if (!figures_of(c, scores, a, &counts, &c->figures, e)) return false;
  find_worst(c, a, counts);
  return true;
}

/* ---- text ----------------------------------------------------------------------------------- */
static void print_share(const struct evaluate_interval *x) {
  if (isfinite(x->value))
    printf("  %5.1f (%5.1f to %5.1f)", 100 * x->value, 100 * x->low, 100 * x->high);
  else
    printf("  %5s %16s", "-", "");
}

static void print_row(const char *name, const struct evaluate_counting *x) {
  printf("%-14.14s %6lld %6lld", name, (long long)x->truth, (long long)x->found);
  print_share(&x->precision);
  print_share(&x->recall);
  print_share(&x->f1);
  printf("\n");
}

static void print_counts(const char *name, const struct evaluate_counting *x) {
  printf("%-14.14s %6.3f (%.3f to %.3f)", name, x->error.value, x->error.low, x->error.high);
  print_share(&x->exact);
  printf("\n");
}

void counting_print(const struct counting *c) {
  const struct evaluate_counting *all = &c->figures[c->n_classes];
  if (c->as_float) printf("float  F1 %6.2f %%\n", 100 * c->as_float[c->n_classes].f1.value);
  printf("int8   F1 %6.2f %%   %lld of %lld objects in %d pictures\n", 100 * all->f1.value,
         (long long)all->right, (long long)all->truth, c->dataset.n_windows);
  if (c->chip)
    printf("chip   the same %s lists of objects, to the bit\n",
           text_thousands(c->dataset.n_windows));
  printf("\n%-14s %6s %6s  %-22s  %-22s  %-22s\n", "in %", "there", "found", "precision", "recall",
         "F1");
  for (int k = 0; k < c->n_classes; k++) print_row(c->classes[k], &c->figures[k]);
  if (c->n_classes > 1) print_row("all", all);
  printf("\n%-14s %-23s  %-22s\n", "counts", "off by, a picture", "exact in % of pictures");
  for (int k = 0; k < c->n_classes; k++) print_counts(c->classes[k], &c->figures[k]);
  if (c->n_classes > 1) print_counts("all", all);
  printf("intervals hold 95 of 100 such sets of pictures\n");
  if (!c->n_worst) return;
  printf("\nmost errors\n");
  for (int k = 0; k < c->n_worst && k < LISTED; k++) {
    const struct counting_wrong *w = &c->worst[k];
    const struct dataset_sample *s = &c->dataset.samples[c->dataset.windows[w->window].sample];
    printf("  sample %-6lld %d missed, %d too many   %s\n", (long long)s->id, w->misses, w->extra,
           s->source);
  }
}

static void json_figures(struct json *j, const struct evaluate_counting *x) {
  json_put_int(j, "there", x->truth);
  json_put_int(j, "found", x->found);
  json_put_int(j, "right", x->right);
  evaluation_json_interval(j, "precision", &x->precision);
  evaluation_json_interval(j, "recall", &x->recall);
  evaluation_json_interval(j, "f1", &x->f1);
  evaluation_json_interval(j, "count_error", &x->error);
  evaluation_json_interval(j, "counted_exactly", &x->exact);
}

void counting_json(const struct counting *c, struct json *j) {
  if (c->as_float)
    json_put_real(j, "f1_float", c->as_float[c->n_classes].f1.value);
  else
    json_put_null(j, "f1_float");
  json_put_real(j, "f1_int8", c->figures[c->n_classes].f1.value);
  json_put_int(j, "pictures", c->dataset.n_windows);
  json_put_string(j, "chip", c->chip);
  json_put_real(j, "threshold", c->objects.threshold / 256.0);
  json_open_object(j, "all");
  json_figures(j, &c->figures[c->n_classes]);
  json_close_object(j);
  json_open_array(j, "per_class");
  for (int k = 0; k < c->n_classes; k++) {
    json_open_object(j, NULL);
    json_put_string(j, "class", c->classes[k]);
    json_figures(j, &c->figures[k]);
    json_close_object(j);
  }
  json_close_array(j);
  json_open_array(j, "worst");
  for (int k = 0; k < c->n_worst && k < DRAWN_WORST; k++) {
    const struct counting_wrong *w = &c->worst[k];
    const struct dataset_sample *s = &c->dataset.samples[c->dataset.windows[w->window].sample];
    json_open_object(j, NULL);
    json_put_int(j, "sample", s->id);
    json_put_string(j, "source", s->source);
    json_put_int(j, "missed", w->misses);
    json_put_int(j, "extra", w->extra);
    json_close_object(j);
  }
  json_close_array(j);
}

/* ---- page ----------------------------------------------------------------------------------- */
static const char *share(struct arena *a, const struct evaluate_interval *x) {
  return isfinite(x->value) ? arena_printf(a, "%.1f %% (%.1f to %.1f)", 100 * x->value,
                                           100 * x->low, 100 * x->high)
                            : NULL;
}

static void add_tiles(const struct counting *c, struct arena *a, struct report *page) {
  const struct evaluate_counting *x = &c->figures[c->n_classes];
  const struct {
    const char *name;
    const struct evaluate_interval *of;
  } shares[] = {{"F1 of what is found", &x->f1},
                {"precision", &x->precision},
                {"recall", &x->recall},
                {"pictures counted exactly", &x->exact}};
  struct report_tile tiles[5];
  for (int k = 0; k < 4; k++)
    tiles[k] = (struct report_tile){
        isfinite(shares[k].of->value) ? report_percent(a, shares[k].of->value) : NULL,
        shares[k].name,
        arena_printf(a, "%.1f to %.1f %% of such sets", 100 * shares[k].of->low,
                     100 * shares[k].of->high),
        -1};
  tiles[4] = (struct report_tile){arena_printf(a, "%.2f", x->error.value),
                                  "objects a picture's counts are off",
                                  arena_printf(a, "%.2f to %.2f", x->error.low, x->error.high), -1};
  report_tiles(page, tiles, 5);
}

static void add_table(const struct counting *c, struct arena *a, struct report *page) {
  enum { COLUMNS = 8 };
  static const char *const head[COLUMNS] = {"class",  "there", "found", "precision",
                                            "recall", "F1",    "off",   "exactly"};
  static const bool numeric[COLUMNS] = {false, true, true, true, true, true, true, true};
  const int rows = c->n_classes > 1 ? c->n_classes + 1 : c->n_classes;
  const char **const cells = ARENA_ARRAY(a, const char *, COLUMNS *rows);
  for (int k = 0; k < rows; k++) {
    const struct evaluate_counting *const x = &c->figures[k];
    const char **const row = cells + COLUMNS * k;
    row[0] = k < c->n_classes ? c->classes[k] : "all";
    row[1] = arena_printf(a, "%lld", (long long)x->truth);
    row[2] = arena_printf(a, "%lld", (long long)x->found);
    row[3] = isfinite(x->precision.value) ? report_percent(a, x->precision.value) : NULL;
    row[4] = isfinite(x->recall.value) ? report_percent(a, x->recall.value) : NULL;
    row[5] = share(a, &x->f1);
    row[6] = arena_printf(a, "%.3f", x->error.value), row[7] = share(a, &x->exact);
  }
  report_table(page, &(struct report_table){"off: mean of |found - there| of a picture", COLUMNS,
                                            rows, head, cells, numeric});
}

static void add_picture(const struct counting *c, struct project *p, struct report *page,
                        int window) {
  struct arena *a = p->arena;
  const struct project_config *config = &p->config;
  const struct dataset_sample *s = &c->dataset.samples[c->dataset.windows[window].sample];
  struct mote_object *found = ARENA_ARRAY(a, struct mote_object, OBJECTS_SEEN);
  struct evaluate_count *counts = ARENA_ARRAY(a, struct evaluate_count, c->n_classes);
  int *pair = ARENA_ARRAY(a, int, OBJECTS_SEEN);
  const int n = objects_match(&c->objects, s, c->scores + (size_t)window * c->answer_bytes, found,
                              pair, counts);
  const int w = config->frame_width, h = config->frame_height, colours = pictures_colours(config);
  uint8_t *pixels = ARENA_ARRAY(a, uint8_t, (size_t)w * (size_t)h * (size_t)colours);
  struct report_box *boxes = ARENA_ARRAY(a, struct report_box, s->n_objects + 1);
  struct report_mark *marks = ARENA_ARRAY(a, struct report_mark, n + 1);
  bool *hit = ARENA_ARRAY(a, bool, s->n_objects + 1);
  pictures_pixels(config, s->data, pixels);
  for (int i = 0; i < n; i++) {
    if (pair[i] >= 0) hit[pair[i]] = true;
    marks[i] = (struct report_mark){
        found[i].x + 0.5, found[i].y + 0.5, pair[i] >= 0,
        arena_printf(a, "%s %.0f %%", c->classes[found[i].label], found[i].score / 2.56)};
  }
  for (int i = 0; i < s->n_objects; i++) {
    const struct dataset_object *o = &s->objects[i];
    boxes[i] = (struct report_box){(double)o->x,      (double)o->y, (double)o->width,
                                   (double)o->height, hit[i],       c->classes[o->label]};
  }
  struct text title;
  text_init(&title, a);
  for (int k = 0; k < c->n_classes; k++)
    if (counts[k].truth || counts[k].found)
      text_printf(&title, "%s%s: %d, counted %d", title.size ? "; " : "", c->classes[k],
                  counts[k].truth, counts[k].found);
  report_picture(page, &(struct report_picture){
                           .title = title.size ? title.data : "nothing",
                           .note = arena_printf(a, "sample %lld. %s", (long long)s->id, s->source),
                           .width = w,
                           .height = h,
                           .colours = colours,
                           .pixels = pixels,
                           .n_boxes = s->n_objects,
                           .boxes = boxes,
                           .n_marks = n,
                           .marks = marks});
}

bool counting_page(const struct counting *c, struct project *p, const char *path, struct err *e) {
  struct arena *a = p->arena;
  const int n = c->dataset.n_windows;
  struct report *page = report_new(
      a, arena_printf(a, "%s: does it count right?", p->config.name),
      arena_printf(a,
                   "%s pictures that training never saw, counted by the int8 model. Intervals are "
                   "drawn by pictures. Boxes are what is there, broken ones were missed; circles "
                   "are what was found, crosses are nothing.",
                   text_thousands(n)));
  add_tiles(c, a, page);
  report_heading(page, "Classes");
  add_table(c, a, page);
  if (c->n_worst) report_heading(page, "Most errors");
  for (int k = 0; k < c->n_worst && k < DRAWN_WORST; k++)
    add_picture(c, p, page, c->worst[k].window);
  report_heading(page, "Pictures of all");
  const int shown = n < DRAWN_OTHERS ? n : DRAWN_OTHERS;
  for (int k = 0; k < shown; k++) add_picture(c, p, page, (int)((int64_t)k * n / shown));
  return report_write(page, path, e);
}

void counting_boxes(struct arena *a, const struct store_sample *s, struct report_picture *out) {
  struct report_box *boxes = ARENA_ARRAY(a, struct report_box, s->n_boxes + 1);
  for (int i = 0; i < s->n_boxes; i++)
    boxes[i] = (struct report_box){s->boxes[i].x,      s->boxes[i].y, s->boxes[i].width,
                                   s->boxes[i].height, true,          s->boxes[i].label};
  *out = (struct report_picture){.width = s->width,
                                 .height = s->height,
                                 .colours = s->channels,
                                 .pixels = s->data,
                                 .n_boxes = s->n_boxes,
                                 .boxes = boxes};
}
