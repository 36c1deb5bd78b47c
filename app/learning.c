/* learning: see the header. */
#include "app/learning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FOLDS 5

/* ---- vectors ------------------------------------------------------------------------- */
/* Features of the windows that `keep` takes (NULL: all) as vectors. */
static bool vectors(const struct dataset *d, const struct features_block *block, struct arena *a,
                    const bool *keep, int classes, struct learn_set *set, struct err *e) {
  const size_t each = block->out_bytes;
  int8_t *features = NULL;
  if (!dataset_features(d, block, a, &features, e)) return false;
  if ((size_t)d->n_windows * (each * 2 + 4) + 256 > arena_left(a) / 2)
    return err_set(e, "features of %d windows do not fit into memory", d->n_windows);
  int16_t *x = ARENA_ARRAY(a, int16_t, (size_t)d->n_windows * each + 1);
  int32_t *labels = ARENA_ARRAY(a, int32_t, d->n_windows + 1);
  uint32_t n = 0;
  for (int i = 0; i < d->n_windows; i++) {
    if (keep && !keep[i]) continue;
    for (size_t k = 0; k < each; k++) x[n * each + k] = features[(size_t)i * each + k];
    labels[n++] = d->labels[i];
  }
  *set = (struct learn_set){
      .n = n, .features = (uint32_t)each, .x = x, .labels = labels, .classes = classes};
  return true;
}

/* ---- thresholds ------------------------------------------------------------------------ */
static bool add_scores(const struct learn_config *how, const struct learn_set *set,
                       const struct dataset *d, int fold, struct arena *a, int32_t *scores,
                       uint32_t *n, struct err *e) {
  struct learn_set in = *set, out = *set;
  struct learn_model m;
  int16_t *x = ARENA_ARRAY(a, int16_t, (size_t)set->n * set->features + 1);
  int16_t *held = ARENA_ARRAY(a, int16_t, (size_t)set->n * set->features + 1);
  in.x = x;
  out.x = held;
  in.n = out.n = 0;
  for (uint32_t i = 0; i < set->n; i++) {
    /* Whole recordings are left out: windows of one overlap. */
    const bool away = (int)(d->windows[i].sample % FOLDS) == fold;
    memcpy(away ? held + (size_t)out.n++ * set->features : x + (size_t)in.n++ * set->features,
           set->x + (size_t)i * set->features, set->features * sizeof *x);
  }
  if (out.n == 0 || in.n < 2) return true;
  if (!learn_fit(how, &in, a, NULL, &m, e)) return false;
  learn_run(m.model, &out, scores + *n);
  *n += out.n;
  return true;
}

/* Scores of normal windows that the fit did not see; where validation has too few for the rate, those of the training
 * windows, too, each by a fit to the other four fifths of the recordings. */
static bool unseen_scores(const struct project_learner *how, const struct learn_set *set,
                          const struct dataset *train, const struct learn_set *validation,
                          const struct mote_ml *m, struct arena *a, int32_t **scores, uint32_t *n,
                          struct err *e) {
  const bool enough = (validation->n + 1.0) * how->false_alarms >= 1 - 1e-9;
  *n = validation->n;
  *scores = ARENA_ARRAY(a, int32_t, validation->n + set->n + 1);
  learn_run(m, validation, *scores);
  for (int f = 0; f < FOLDS && !enough; f++)
    if (!add_scores(&how->config, set, train, f, a, *scores, n, e)) return false;
  return true;
}

bool learning_threshold(const struct project_learner *how, const int32_t *scores, uint32_t n,
                        struct arena *a, struct learn_model *m, struct learn_threshold *t,
                        struct err *e) {
  learn_threshold(scores, n, how->false_alarms, 0.95, t);
  if (t->threshold == INT32_MAX && !how->has_threshold)
    return err_set(e, n ? "no memory left"
                        : "no normal windows outside of the fit, so no threshold: add recordings, "
                          "or name a threshold in mote.yaml");
  if (how->has_threshold) {
    t->threshold = (int32_t)fmax(
        fmin(floor(ldexp(how->threshold, m->model->fraction) + 0.5), INT32_MAX), INT32_MIN);
    t->above = 0;
    for (uint32_t i = 0; i < n; i++) t->above += scores[i] > t->threshold;
    t->rate = n ? (double)t->above / n : 0;
    learn_interval(t->above, n, t->confidence, &t->low, &t->high);
    t->reached = true;
  }
  return learn_set_threshold(m, t->threshold, a, e);
}

static bool calibrate(const struct project_learner *how, const struct learn_set *set,
                      const struct dataset *train, const struct learn_set *validation,
                      struct arena *a, struct learn_model *m, struct learn_threshold *t,
                      struct err *e) {
  int32_t *scores;
  uint32_t n;
  return unseen_scores(how, set, train, validation, m->model, a, &scores, &n, e) &&
         learning_threshold(how, scores, n, a, m, t, e);
}

void learning_card(const struct learn_threshold *t, struct text *out) {
  text_printf(out, "threshold %d %u %u %.17g %.17g %.17g %d\n", t->threshold, t->n, t->above,
              t->wanted, t->low, t->high, t->reached);
}

void learning_read_card(const char *line, struct learn_threshold *t) {
  int reached = 0;
  struct learn_threshold r = {.confidence = 0.95};
  if (sscanf(line, "threshold %d %u %u %lg %lg %lg %d", &r.threshold, &r.n, &r.above, &r.wanted,
             &r.low, &r.high, &reached) != 7)
    return;
  r.reached = reached != 0;
  r.rate = r.n ? (double)r.above / r.n : 0;
  *t = r;
}

/* ---- the graph --------------------------------------------------------------------------- */
int learning_add_node(struct graph *g, const struct learn_model *m, int x, int y) {
  const struct mote_ml *head = m->model;
  const struct graph_tensor bytes = {
      .name = "model",
      .type = MOTE_UINT8,
      .rank = 1,
      .dims = {(int32_t)m->bytes},
      .data = memcpy(arena_alloc(g->arena, m->bytes, 1), m->model, m->bytes)};
  const bool scores = head->classes == 0;
  const struct graph_tensor out = {
      .name = scores ? "score" : "classes",
      .type = scores ? MOTE_INT32 : MOTE_INT8,
      .rank = 2,
      .dims = {1, scores ? 1 : head->classes},
      .quant = graph_quant_one(g->arena, scores ? ldexpf(1, -(int)head->fraction) : 1.0f / 256,
                               scores ? 0 : -128)};
  struct graph_node node = {.op = MOTE_OP_LEARNER, .n_in = y < 0 ? 2 : 3, .n_out = 1};
  node.in[0] = x;
  node.in[1] = graph_add_tensor(g, &bytes);
  node.in[2] = y;
  node.out[0] = graph_add_tensor(g, &out);
  node.source_op = g->n_nodes;
  graph_add_node(g, &node);
  return node.out[0];
}

static struct graph *graph_of(struct arena *a, const char *name,
                              const struct features_block *block) {
  struct graph *g = graph_new(a, name);
  const struct graph_tensor x = {.name = "features",
                                 .type = MOTE_INT8,
                                 .rank = 4,
                                 .dims = {1, block->dims[0], block->dims[1], block->dims[2]},
                                 .quant = graph_quant_one(a, block->scale, block->zp)};
  const int in = graph_add_tensor(g, &x);
  graph_set_inputs(g, &in, 1);
  return g;
}

void learning_find(const struct graph *g, struct project_model *m) {
  m->learner = m->anomaly = NULL;
  m->score_output = -1;
  for (int k = 0; k < g->n_nodes; k++) {
    if (g->nodes[k].op != MOTE_OP_LEARNER) continue;
    const struct mote_ml *head = g->tensors[g->nodes[k].in[1]].data;
    if (head->classes) {
      m->learner = head;
      continue;
    }
    m->anomaly = head;
    for (int i = 0; i < g->n_outputs; i++)
      if (g->outputs[i] == g->nodes[k].out[0]) m->score_output = i;
  }
}

/* ---- what is normal ---------------------------------------------------------------------- */
bool learning_normal(struct project *p, const struct project_learner *how,
                     const struct dataset_pick *train, const char *const **labels, int *n,
                     struct err *e) {
  if (!dataset_classes(p, train, labels, n, e) || !how->n_normal) return !e->text[0];
  int kept = 0;
  const char **names = ARENA_ARRAY(p->arena, const char *, how->n_normal + 1);
  for (int i = 0; i < *n; i++)
    for (int k = 0; k < how->n_normal; k++)
      if (!strcmp((*labels)[i], how->normal[k])) names[kept++] = (*labels)[i];
  if (kept < how->n_normal) {
    err_file(e, p->yaml_path);
    err_node(e, "normal");
    return err_set(e, "%d of the %d labels called normal are among the training samples", kept,
                   how->n_normal);
  }
  *labels = names;
  *n = kept;
  return true;
}

/* ---- why ------------------------------------------------------------------------------------ */
/* What each feature adds to the squared distance. */
static int32_t *drops(const struct mote_ml *m, const int8_t *features, const int8_t *answer,
                      struct arena *a) {
  const unsigned n = mote_ml_columns(m);
  void *scratch = arena_alloc(a, mote_ml_scratch_bytes(m) + 4, 1);
  int32_t *drop = ARENA_ARRAY(a, int32_t, n + 1);
  if (answer) {
    int8_t *both = ARENA_ARRAY(a, int8_t, m->features);
    memcpy(both, features, n);
    memcpy(both + n, answer, n);
    features = both;
  }
  mote_ml_why(m, features, scratch, drop);
  return drop;
}

int learning_why(const struct mote_ml *m, const struct features_block *block,
                 const int8_t *features, const int8_t *answer, struct arena *a,
                 struct learning_why *why, int most) {
  const unsigned all = mote_ml_columns(m);
  const bool map = answer && block->dims[0] > 1;
  const unsigned n = map ? all / (unsigned)block->dims[0] : all;
  const int32_t *drop = drops(m, features, answer, a);
  double *sum = ARENA_ARRAY(a, double, n + 1), total = 0;
  int made = 0;
  for (unsigned j = 0; j < all; j++) sum[j % n] += drop[j], total += drop[j];
  for (; made < most && made < (int)n; made++) {
    unsigned best = 0;
    for (unsigned j = 1; j < n; j++)
      if (sum[j] > sum[best]) best = j;
    if (!(sum[best] > 0)) break;
    why[made] = (struct learning_why){map ? best : mote_ml_column(m, best),
                                      map ? (unsigned)block->dims[2] : 0, sum[best] / total};
    sum[best] = 0;
  }
  return made;
}

void learning_why_print(const struct learning_why *w, int n) {
  for (int i = 0; i < n; i++, w++) {
    const unsigned c = w->channels ? w->channels : 1;
    printf("%s%s %u", i ? ", " : "", w->channels ? "column" : "feature", w->column / c);
    if (c > 1) printf(" of channel %u", w->column % c + 1);
    printf(" (%.0f %%)", 100 * w->share);
  }
}

void learning_why_json(const struct learning_why *w, struct json *j) {
  if (w->channels) {
    json_put_int(j, "column", w->column / w->channels);
    json_put_int(j, "channel", w->column % w->channels + 1);
  } else {
    json_put_int(j, "feature", w->column);
  }
  json_put_real(j, "share", w->share);
}

/* ---- beside a network ------------------------------------------------------------------------ */
void learning_settings(const struct project_learner *how, struct text *t) {
  const struct learn_config *c = &how->config;
  if (!how->on) return;
  text_printf(t, "learner %s seed %llu clusters %d components %d full %d variance %.12g trees %d\n",
              learn_kind_name(c->kind), (unsigned long long)c->seed, c->clusters, c->components,
              c->full, c->variance, c->trees);
  text_printf(
      t, "depth %d leaf %d columns %d bootstrap %d rate %.12g l2 %.12g c %.12g k %d points %d\n",
      c->depth, c->min_leaf, c->max_columns, c->bootstrap, c->rate, c->l2, c->c, c->k, c->points);
  text_printf(t, "false alarms %.12g threshold %d %.12g\n", how->false_alarms, how->has_threshold,
              how->threshold);
  for (int i = 0; i < c->n_columns; i++) text_printf(t, "column %d\n", c->columns[i]);
  for (int i = 0; i < how->n_normal; i++) text_printf(t, "normal %s\n", how->normal[i]);
}

/* Which windows of d have a label of the list; NULL: all. */
static const bool *pick_normal(struct project *p, const struct project_learner *how,
                               const struct dataset *d, const char *const *classes, int n) {
  if (!how->n_normal) return NULL;
  bool *keep = ARENA_ARRAY(p->arena, bool, d->n_windows + 1);
  for (int i = 0; i < d->n_windows; i++)
    for (int k = 0; k < how->n_normal; k++)
      keep[i] = keep[i] || (d->labels[i] < n && !strcmp(classes[d->labels[i]], how->normal[k]));
  return keep;
}

static bool fit_anomaly(struct command_line *c, struct project *p,
                        const struct project_learner *how, const struct dataset *train,
                        const struct dataset *validation, const bool *keep_train,
                        const bool *keep_validation, const struct features_block *block,
                        struct learn_model *m, struct learn_threshold *t, struct err *e) {
  struct learn_set set, held;
  struct dataset kept = *train;
  if (keep_train) { /* the windows that are left, so that folds find their recordings */
    kept.windows = ARENA_ARRAY(p->arena, struct dataset_window, train->n_windows + 1);
    kept.labels = ARENA_ARRAY(p->arena, int32_t, train->n_windows + 1);
    kept.n_windows = 0;
    for (int i = 0; i < train->n_windows; i++) {
      if (!keep_train[i]) continue;
      kept.windows[kept.n_windows] = train->windows[i];
      kept.labels[kept.n_windows++] = train->labels[i];
    }
  }
  return vectors(&kept, block, p->arena, NULL, 0, &set, e) &&
         vectors(validation, block, p->arena, keep_validation, 0, &held, e) &&
         learn_fit(&how->config, &set, p->arena, c->progress, m, e) &&
         calibrate(how, &set, &kept, &held, p->arena, m, t, e);
}

bool learning_beside(struct command_line *c, struct project *p, const struct dataset *train,
                     const struct dataset *validation, const struct features_block *block,
                     const char *const *classes, int n, struct graph *g,
                     struct learn_threshold *calibration, struct err *e) {
  const struct project_learner *how = &p->config.anomaly;
  struct learn_model m;
  if (!how->on) return true;
  if (!fit_anomaly(c, p, how, train, validation, pick_normal(p, how, train, classes, n),
                   pick_normal(p, how, validation, classes, n), block, &m, calibration, e))
    return false;
  const int outputs[2] = {g->outputs[0], learning_add_node(g, &m, g->inputs[0], -1)};
  graph_set_outputs(g, outputs, 2);
  return graph_check(g, e);
}

/* ---- in place of a network ---------------------------------------------------------------------- */
struct learning {
  struct command_line *c;
  struct project *p;
  const struct training_job *job;
  struct project_learner how;
  struct training_outcome *out;
  struct dataset train, validation;
  struct learn_threshold calibration;
  const char *settings;
};

static bool load(struct learning *l, struct err *e) {
  struct training_outcome *o = l->out;
  const bool anomaly = learn_is_anomaly(l->how.config.kind);
  if (anomaly ? !learning_normal(l->p, &l->how, &l->job->train, &o->classes, &o->n_classes, e)
              : !dataset_classes(l->p, &l->job->train, &o->classes, &o->n_classes, e))
    return false;
  if (o->n_classes < (anomaly ? 1 : 2)) {
    err_file(e, l->p->db_path);
    return err_set(e, "%d labels among the training samples; %s (`mote add`, `mote data`)",
                   o->n_classes, anomaly ? "one is needed" : "at least two are needed");
  }
  return dataset_range(l->p, &l->job->train, &o->range, e) &&
         dataset_load(l->p, &l->job->train, o->classes, o->n_classes, o->range, &l->train, e) &&
         dataset_load(l->p, &l->job->validation, o->classes, o->n_classes, o->range, &l->validation,
                      e) &&
         training_features(l->p, &l->train, &o->features, e) &&
         dataset_calibrate(&l->train, &o->features, e) &&
         dataset_calibrate(&l->validation, &o->features, e);
}

static void describe(struct learning *l) {
  const struct training_outcome *o = l->out;
  struct text s;
  char train[65], validation[65], features[65];
  uint8_t digest[32];
  struct sha256 h;
  dataset_digest(&l->train, train);
  dataset_digest(&l->validation, validation);
  sha256_init(&h);
  sha256_add(&h, o->features.data, o->features.bytes);
  sha256_end(&h, digest);
  sha256_hex(digest, features);
  text_init(&s, l->p->arena);
  text_printf(&s, "training %s\nvalidation %s\nfeatures %s\n", train, validation, features);
  text_printf(&s, "window %g ms stride %g ms place %d\n", l->p->config.length_ms,
              l->p->config.stride_ms, (int)l->p->config.place);
  dataset_settings(&l->p->config, &s);
  for (int i = 0; i < o->n_classes; i++) text_printf(&s, "class %s\n", o->classes[i]);
  learning_settings(&l->how, &s);
  if (l->p->config.anomaly.on) {
    text_add(&s, "anomaly\n");
    learning_settings(&l->p->config.anomaly, &s);
  }
  l->settings = s.data;
}

static bool fit(struct learning *l, struct err *e) {
  struct training_outcome *o = l->out;
  struct project *p = l->p;
  struct learn_model m;
  o->graph = graph_of(p->arena, p->config.name, &o->features);
  if (learn_is_anomaly(l->how.config.kind)) {
    if (!fit_anomaly(l->c, p, &l->how, &l->train, &l->validation, NULL, NULL, &o->features, &m,
                     &l->calibration, e))
      return false;
  } else {
    struct learn_set set, held;
    if (!vectors(&l->train, &o->features, p->arena, NULL, o->n_classes, &set, e) ||
        !vectors(&l->validation, &o->features, p->arena, NULL, o->n_classes, &held, e) ||
        !learn_fit(&l->how.config, &set, p->arena, l->c->progress, &m, e))
      return false;
    o->validation_int8 = (float)learn_accuracy(m.model, held.n ? &held : &set);
  }
  const int out = learning_add_node(o->graph, &m, o->graph->inputs[0], -1);
  graph_set_outputs(o->graph, &out, 1);
  o->why = m.about;
  o->cost.weight_bytes = (int64_t)m.bytes;
  return graph_check(o->graph, e) &&
         (learn_is_anomaly(l->how.config.kind) ||
          learning_beside(l->c, p, &l->train, &l->validation, &o->features, o->classes,
                          o->n_classes, o->graph, &l->calibration, e));
}

static const char *card(const struct learning *l) {
  const struct training_outcome *o = l->out;
  struct text s;
  text_init(&s, l->p->arena);
  for (int i = 0; i < o->n_classes; i++) text_printf(&s, "class %s\n", o->classes[i]);
  for (int k = 0; o->range && k < l->p->config.channels; k++)
    text_printf(&s, "range %.17g\n", o->range[k]);
  text_printf(&s, "validation_int8 %.6f\n", (double)o->validation_int8);
  if (l->calibration.n) learning_card(&l->calibration, &s);
  text_printf(&s, "about %s\noption learner %s\n", o->why, learn_kind_name(l->how.config.kind));
  return s.data;
}

/* What a stored run says of itself. */
static bool take_known(struct learning *l, const struct store_run *run, struct err *e) {
  struct training_outcome *o = l->out;
  char *copy = arena_strdup(l->p->arena, run->metrics), *rest = NULL;
  o->known = true;
  o->run = run->id;
  o->graph = graph_load(l->p->arena, l->p->config.name, run->model, run->model_bytes, e);
  for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    if (text_starts(line, "validation_int8 ")) o->validation_int8 = strtof(line + 16, NULL);
    if (text_starts(line, "threshold ")) learning_read_card(line, &o->calibration);
    if (text_starts(line, "about ")) o->why = line + 6;
  }
  for (int k = 0; o->graph && k < o->graph->n_nodes; k++)
    if (o->graph->nodes[k].op == MOTE_OP_LEARNER && !o->cost.weight_bytes)
      o->cost.weight_bytes = (int64_t)graph_bytes(&o->graph->tensors[o->graph->nodes[k].in[1]]);
  return o->graph != NULL;
}

bool learning_run(struct command_line *c, struct project *p, const struct training_job *job,
                  const struct project_learner *how, struct training_outcome *out, struct err *e) {
  struct learning l = {.c = c, .p = p, .job = job, .how = *how, .out = out};
  struct store_run stored;
  bool found = false;
  uint8_t *bytes = NULL;
  memset(out, 0, sizeof *out);
  if (job->seed >= 0) l.how.config.seed = (uint64_t)job->seed;
  out->learner = learn_kind_name(l.how.config.kind);
  out->scores_only = learn_is_anomaly(l.how.config.kind);
  if (!load(&l, e)) return false;
  out->n_train = l.train.n_windows;
  out->n_validation = l.validation.n_windows;
  describe(&l);
  if (!job->fresh &&
      !store_run_find(p->store, p->arena, job->purpose, l.settings, STORE_DONE, &stored, &found, e))
    return false;
  if (found)
    return take_known(&l, &stored, e) &&
           (job->only_known || store_run_take(p->store, stored.id, e));
  if (job->only_known) return true;
  if (!fit(&l, e) || !store_run_begin(p->store, job->purpose, l.settings, out->features.data,
                                      out->features.bytes, &out->run, e))
    return false;
  out->calibration = l.calibration;
  graph_save(out->graph, p->arena, &bytes, &out->graph_size);
  out->graph_bytes = bytes;
  return store_run_finish(p->store, out->run, card(&l), bytes, out->graph_size, e);
}
