/* regression: see the header. */
#include "app/regression.h"
#include "app/decide.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is true ----------------------------------------------------------------------------- */
static const char *text_of(const struct store_sample *s, const char *key) {
  if (strcmp(key, "label") == 0) return s->label;
  for (int i = 0; i < s->n_meta; i++)
    if (strcmp(s->meta[i].key, key) == 0) return s->meta[i].value;
  return NULL;
}

bool regression_numbers(const struct project *p, const struct store_sample *s, const float **out,
                        struct err *e) {
  const struct project_regression *g = &p->config.regression;
  float *numbers = ARENA_ARRAY(p->arena, float, g->n_of);
  *out = numbers;
  for (int i = 0; i < g->n_of; i++) {
    const char *const text = text_of(s, g->of[i]);
    char *end = NULL;
    const double value = text ? strtod(text, &end) : 0;
    const bool whole = text && end != text && !end[strspn(end, " ")];
    numbers[i] = (float)value;
    if (whole && isfinite(numbers[i])) continue;
    err_file(e, p->db_path);
    err_node(e, "sample %lld", (long long)s->id);
    if (!text)
      return err_set(e,
                     "it has no metadata \"%s\", which `regression.of` names (`mote data set %lld "
                     "--meta %s=NUMBER`; `mote data disable %lld` leaves it out)",
                     g->of[i], (long long)s->id, g->of[i], (long long)s->id);
    return err_set(e,
                   "its %s \"%s\" is no number, and `regression` estimates it (`mote data set`, or "
                   "data.ignore in mote.yaml)",
                   g->of[i], text);
  }
  return true;
}

static const float *numbers_of(const struct dataset *d, int window) {
  return d->samples[d->windows[window].sample].numbers;
}

bool regression_scales(const struct project *p, const struct dataset *d,
                       const struct project_scale **out, struct err *e) {
  const struct project_regression *g = &p->config.regression;
  struct project_scale *s = ARENA_ARRAY(p->arena, struct project_scale, g->n_of);
  const int n = d->n_windows;
  *out = s;
  err_file(e, p->db_path);
  if (n < 1) return err_set(e, "no training samples; `mote add` adds some");
  for (int k = 0; k < g->n_of; k++) {
    double squares = 0;
    for (int i = 0; i < n; i++) s[k].mean += (double)numbers_of(d, i)[k] / n;
    for (int i = 0; i < n; i++) {
      const double off = (double)numbers_of(d, i)[k] - s[k].mean;
      squares += off * off;
    }
    s[k].deviation = sqrt(squares / n);
    if (!(s[k].deviation > 1e-9 * fabs(s[k].mean) && isfinite(s[k].deviation)))
      return err_set(e, "all training samples have the %s %g: there is nothing to learn", g->of[k],
                     (double)numbers_of(d, 0)[k]);
  }
  *e = (struct err){0};
  return true;
}

static int by_value(const void *x, const void *y) {
  const double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

const double *regression_middles(const struct dataset *d, int n, struct arena *a) {
  double *const middles = ARENA_ARRAY(a, double, n),
                *all = ARENA_ARRAY(a, double, d->n_windows + 1);
  for (int k = 0; k < n; k++) {
    for (int i = 0; i < d->n_windows; i++) all[i] = (double)numbers_of(d, i)[k];
    qsort(all, (size_t)d->n_windows, sizeof *all, by_value);
    middles[k] = all[(int64_t)d->n_windows * 3 / 4] - all[d->n_windows / 4];
  }
  return middles;
}

void regression_targets(const struct project_scale *scales, int n, const struct dataset_sample *s,
                        float *targets) {
  for (int k = 0; k < n; k++)
    targets[k] = (float)(((double)s->numbers[k] - scales[k].mean) / scales[k].deviation);
}

void regression_card(const struct project_scale *scales, int n, struct text *out) {
  for (int k = 0; k < n; k++)
    text_printf(out, "number %.17g %.17g\n", scales[k].mean, scales[k].deviation);
}

void regression_read_card(const char *line, struct project_scale *scales, int *n) {
  struct project_scale s;
  if (sscanf(line, "number %lf %lf", &s.mean, &s.deviation) == 2 && isfinite(s.mean) &&
      isfinite(s.deviation) && s.deviation > 0)
    scales[(*n)++] = s;
}

/* ---- the network ------------------------------------------------------------------------------ */
/* The layers of a network of classes, which the trainer chose, without the dense layer for them. */
static const char *body_of(struct arena *a, const struct train_network *net) {
  struct text t;
  text_init(&t, a);
  train_network_text(net, &t);
  return t.data;
}

/* What was chosen and why, without the counts of a network whose head is replaced. */
static const char *without_counts(struct arena *a, const char *why) {
  const char *from = strchr(why, ':'), *to = from ? strstr(from, ". ") : NULL;
  return to ? arena_printf(a, "%.*s%s", (int)(from - why), why, to) : why;
}

bool regression_network(struct project *p, const char *text, const int dims[3], uint32_t examples,
                        const struct train_budget *budget, struct train_network *net,
                        const char **why, struct err *e) {
  struct arena *a = p->arena;
  const struct project_regression *g = &p->config.regression;
  const char **lines = NULL;
  struct text words;
  int n = project_layers(a, text, &lines);
  const int classes = g->n_of < 2 ? 2 : g->n_of; /* networks of one class there are not */
  const bool preset = n == 1 && train_is_preset(lines[0]);
  text_init(&words, a);
  if (n == 0 && !train_network_default(project_input(&p->config), dims[0], dims[1], dims[2],
                                       classes, examples, budget, net, &words, e))
    return false;
  if (preset && !train_network_preset(a, lines[0], dims[0], dims[1], dims[2], classes, net, e))
    return false;
  *why = n == 0   ? without_counts(a, words.data)
         : preset ? arena_printf(a, "the preset %s", lines[0])
                  : "the layers that were named";
  if (n == 0 || preset) n = project_layers(a, body_of(a, net), &lines);
  bool headed = false;
  const char **own = ARENA_ARRAY(a, const char *, n + 1);
  for (int i = 0; i < n; i++) headed |= text_starts(own[i] = lines[i], "head");
  if (!headed) own[n++] = arena_printf(a, "head numbers %d huber %g", g->n_of, g->huber);
  if (!train_network_parse(own, n, dims[0], dims[1], dims[2], classes, net, e)) return false;
  const struct train_head *h = &net->heads[0];
  if (net->n_heads == 1 && h->kind == TRAIN_HEAD_NUMBERS && h->n_targets == g->n_of) return true;
  return err_set(e,
                 "this project estimates %d number%s: its network ends in \"head numbers %d\" "
                 "alone, or in no head at all",
                 g->n_of, g->n_of == 1 ? "" : "s", g->n_of);
}

/* ---- what is said ------------------------------------------------------------------------------ */
struct regression_map *regression_maps(struct arena *a, const struct graph *g,
                                       const struct project_scale *scales, int n) {
  const struct graph_quant *q = &g->tensors[g->outputs[0]].quant;
  struct regression_map *m = ARENA_ARRAY(a, struct regression_map, n);
  for (int k = 0; k < n; k++) {
    const double step = scales[k].deviation * (double)q->scale[0];
    m[k] = (struct regression_map){(float)(scales[k].mean - step * q->zp[0]), (float)step};
  }
  return m;
}

float regression_value(const struct regression_map *m, int8_t q) {
  return m->zero + m->step * (float)q;
}

double regression_r2(const struct dataset *d, int n, const float *values) {
  double r2 = 0;
  for (int k = 0; k < n; k++) {
    double mean = 0, spread = 0, off = 0;
    for (int i = 0; i < d->n_windows; i++) mean += (double)numbers_of(d, i)[k] / d->n_windows;
    for (int i = 0; i < d->n_windows; i++) {
      const double t = (double)numbers_of(d, i)[k],
                   x = (double)values[(size_t)i * (size_t)n + (size_t)k];
      spread += (t - mean) * (t - mean);
      off += (x - t) * (x - t);
    }
    r2 += (spread > 0 ? 1 - off / spread : (double)NAN) / n;
  }
  return r2;
}

static bool has_room(struct arena *a, const struct dataset *d, int n, struct err *e) {
  return (size_t)d->n_windows * (size_t)n * 5 + 64 < arena_left(a) ||
         err_set(e, "the answers of %d windows do not fit into memory", d->n_windows);
}

bool regression_here(const struct graph *g, const struct features_block *block,
                     const struct project_scale *scales, int n, const struct dataset *d,
                     struct arena *a, float **values, struct err *e) {
  int8_t *scores = NULL;
  if (!has_room(a, d, n, e) || !decide_here(a, g, block, d, &scores, e)) return false;
  const struct regression_map *m = regression_maps(a, g, scales, n);
  const size_t all = (size_t)d->n_windows * (size_t)n;
  *values = ARENA_ARRAY(a, float, all + 1);
  for (size_t i = 0; i < all; i++) (*values)[i] = regression_value(&m[i % (size_t)n], scores[i]);
  return true;
}

bool regression_float(const struct train_model *model, const struct features_block *block,
                      const struct project_scale *scales, int n, const struct dataset *d,
                      struct arena *a, float **values, struct err *e) {
  int8_t *features = NULL;
  if (!has_room(a, d, n, e) || !dataset_features(d, block, a, &features, e)) return false;
  const size_t all = (size_t)d->n_windows * (size_t)n;
  *values = ARENA_ARRAY(a, float, all + 1);
  train_predict_head(model, 0, false, features, (uint32_t)d->n_windows, *values);
  for (size_t i = 0; i < all; i++) {
    const struct project_scale *s = &scales[i % (size_t)n];
    (*values)[i] = (float)(s->mean + s->deviation * (double)(*values)[i]);
  }
  return true;
}

/* ---- the device --------------------------------------------------------------------------------- */
/* A number of C: 8f is none. */
static void add_float(struct text *t, float x) {
  char number[32];
  snprintf(number, sizeof number, "%.9g", (double)x);
  text_printf(t, "%s%sf", number, strpbrk(number, ".e") ? "" : ".0");
}

void regression_emit(const struct project_config *c, const struct graph *g,
                     const struct project_scale *scales, const char *model, struct text *out) {
  const struct project_regression *r = &c->regression;
  const struct regression_map *m = regression_maps(out->arena, g, scales, r->n_of);
  text_printf(out,
              "/* What this model estimates; written by Mote. After every window:\n *\n"
              " *   float value = numbers_value(0, ((const int8_t *)%s_output(0))[0]);\n *\n"
              " * numbers_names[i] is what value i is. */\n"
              "#ifndef NUMBERS_H\n#define NUMBERS_H\n\n#include <stdint.h>\n\n"
              "#define NUMBERS_COUNT %d\n\n"
              "static const char *const numbers_names[NUMBERS_COUNT] = {",
              model, r->n_of);
  for (int i = 0; i < r->n_of; i++) {
    text_add(out, i ? ", " : "");
    text_add_literal(out, r->of[i]);
  }
  text_add(out, "};\n/* the value of 0, and from one step of the output to the next */\n"
                "static const float numbers_zero[NUMBERS_COUNT] = {");
  for (int i = 0; i < r->n_of; i++) text_add(out, i ? ", " : ""), add_float(out, m[i].zero);
  text_add(out, "};\nstatic const float numbers_step[NUMBERS_COUNT] = {");
  for (int i = 0; i < r->n_of; i++) text_add(out, i ? ", " : ""), add_float(out, m[i].step);
  text_add(out, "};\n\nstatic inline float numbers_value(unsigned i, int8_t q) {\n"
                "  return numbers_zero[i] + numbers_step[i] * (float)q;\n}\n\n#endif\n");
}
