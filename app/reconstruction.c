/* reconstruction: see the header. */
#include "app/reconstruction.h"
#include "app/decide.h"

#include <math.h>
#include <stdlib.h>

#define FOLDS 5
#define PIECE 1024 /* windows answered in float at a time */

/* ---- what is asked --------------------------------------------------------------------------- */
bool reconstruction_asked(struct project *p, const struct training_job *job,
                          struct project_learner *how, struct err *e) {
  struct project_config *c = &p->config;
  *how = (struct project_learner){.on = false};
  if (job->network) project_take_network(c, p->arena, job->network);
  if (!c->reconstructs) return true;
  err_file(e, !job->network ? p->yaml_path : job->network_from ? job->network_from : "--network");
  if (job->teacher || strcmp(job->purpose, "teacher") == 0)
    return err_set(e, "a teacher's opinion is of classes, and an autoencoder has none: leave "
                      "--teacher out");
  if (c->anomaly.on)
    return err_set(e, "the network gives its input again, so it tells anomalies itself: leave the "
                      "section anomaly of mote.yaml out (the keys of `learning` are its own)");
  if (!project_reconstruction(c, how, e)) return false;
  *e = (struct err){0};
  return true;
}

bool reconstruction_network(struct arena *a, const char *text, const int dims[3],
                            struct train_network *net, const char **why, struct err *e) {
  enum { CLASSES = 2 }; /* it has none; fewer no network takes */
  const char **lines = NULL;
  const int n = project_layers(a, text, &lines);
  const bool preset = n == 1 && train_is_preset(lines[0]);
  *why = preset ? arena_printf(a, "the preset %s", lines[0]) : "the layers that were named";
  if (preset) return train_network_preset(a, lines[0], dims[0], dims[1], dims[2], CLASSES, net, e);
  return train_network_parse(lines, n, dims[0], dims[1], dims[2], CLASSES, net, e) &&
         (net->n_heads == 1 ||
          err_set(e, "a network that gives its input again has \"head input\" alone: what else it "
                     "would answer, normal recordings do not tell"));
}

void reconstruction_settings(const struct project_learner *how, struct text *t) {
  text_printf(t, "reconstruction\nfalse alarms %.12g threshold %d %.12g\n", how->false_alarms,
              how->has_threshold, how->threshold);
  for (int i = 0; i < how->n_normal; i++) text_printf(t, "normal %s\n", how->normal[i]);
}

/* ---- the score ------------------------------------------------------------------------------- */
/* Outputs: the score, and what was an output before. */
static bool add_score(struct graph *g, struct learn_model *m, struct err *e) {
  const int x = g->inputs[0], y = g->outputs[0];
  const struct graph_quant in = g->tensors[x].quant, answer = g->tensors[y].quant;
  const float scale[2] = {in.scale[0], answer.scale[0]};
  const int32_t zp[2] = {in.zp[0], answer.zp[0]};
  if (!learn_reconstruction((uint32_t)graph_elements(&g->tensors[x]), scale, zp, g->arena, m, e))
    return false;
  const int outputs[2] = {learning_add_node(g, m, x, y), y};
  graph_set_outputs(g, outputs, 2);
  return graph_check(g, e);
}

/* Of the node that add_score made. */
static void set_model(struct graph *g, const struct learn_model *m) {
  const struct graph_node *n = &g->nodes[g->n_nodes - 1];
  g->tensors[n->in[1]].data = memcpy(arena_alloc(g->arena, m->bytes, 1), m->model, m->bytes);
}

static bool scores_of(const struct graph *g, const struct features_block *block,
                      const struct dataset *d, struct arena *a, int32_t *scores, struct err *e) {
  uint8_t *outputs = NULL;
  if (!d->n_windows) return true;
  if (!decide_outputs(a, g->name, g, block, NULL, d, &outputs, e)) return false;
  decide_take(g, 0, outputs, d->n_windows, scores);
  return true;
}

/* ---- windows that were left out -------------------------------------------------------------- */
struct part {
  const struct train_examples *of;
  const uint32_t *index;
};

static void part_example(void *context, uint32_t i, uint64_t seed, int8_t *features) {
  const struct part *p = context;
  p->of->example(p->of->context, p->index[i], seed, features);
}

/* Scores of the windows of every fifth recording by a network that learns from the others. */
static bool fold_scores(const struct reconstruction *r, int fold, struct arena *a, int32_t *scores,
                        uint32_t *n, struct err *e) {
  const int all = r->train->n_windows;
  uint32_t *index = ARENA_ARRAY(a, uint32_t, all + 1), rest = 0;
  struct dataset held = *r->train;
  struct train_result result;
  struct learn_model m;
  held.windows = ARENA_ARRAY(a, struct dataset_window, all + 1);
  held.labels = ARENA_ARRAY(a, int32_t, all + 1);
  held.n_windows = 0;
  for (int i = 0; i < all; i++)
    if ((int)(r->train->windows[i].sample % FOLDS) == fold)
      held.windows[held.n_windows++] = r->train->windows[i];
    else
      index[rest++] = (uint32_t)i;
  if (!held.n_windows || rest < 2) return true;
  struct part part = {r->examples, index};
  const struct train_examples examples = {.n = rest, .example = part_example, .context = &part};
  const struct train_hooks hooks = {.progress = r->c->progress};
  if (!r->c->quiet)
    fprintf(stderr, "threshold  a network without part %d of %d, and what it says of that\n",
            fold + 1, FOLDS);
  if (!train_fit(a, r->network, &examples, r->validation_set, r->config, &hooks, &result, e) ||
      !add_score(result.graph, &m, e) ||
      !scores_of(result.graph, r->features, &held, a, scores + *n, e))
    return false;
  *n += (uint32_t)held.n_windows;
  return true;
}

bool reconstruction_finish(const struct reconstruction *r, struct graph *g,
                           struct learn_threshold *calibration, struct err *e) {
  const int windows = r->validation->n_windows;
  const bool enough = (windows + 1.0) * r->how->false_alarms >= 1 - 1e-9;
  int32_t *scores = ARENA_ARRAY(r->p->arena, int32_t, windows + r->train->n_windows + 1);
  uint32_t n = (uint32_t)windows;
  struct learn_model m;
  if (!add_score(g, &m, e) || !scores_of(g, r->features, r->validation, r->p->arena, scores, e))
    return false;
  for (int fold = 0; fold < FOLDS && !enough; fold++) {
    struct arena *a = arena_new((size_t)8 << 30);
    const bool ok = a ? fold_scores(r, fold, a, scores, &n, e) : err_set(e, "no memory left");
    if (a) arena_free(a);
    if (!ok) return false;
  }
  if (!learning_threshold(r->how, scores, n, r->p->arena, &m, calibration, e)) return false;
  set_model(g, &m);
  return true;
}

/* ---- how far off it is ------------------------------------------------------------------------- */
static double squares(const float *answer, const int8_t *x, size_t n,
                      const struct train_result *t) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = (double)answer[i] - (x[i] - t->input_zp) * (double)t->input_scale;
    sum += d * d;
  }
  return sum;
}

bool reconstruction_errors(const struct reconstruction *r, const struct train_result *result,
                           const struct graph *g, float *real, float *int8, struct err *e) {
  struct arena *a = r->p->arena;
  const struct dataset *d = r->validation->n_windows ? r->validation : r->train;
  const size_t each = r->features->out_bytes;
  const struct mote_ml *m = g->tensors[g->nodes[g->n_nodes - 1].in[1]].data;
  int32_t *scores = ARENA_ARRAY(a, int32_t, d->n_windows + 1);
  float *answers = ARENA_ARRAY(a, float, PIECE *each);
  int8_t *features = NULL;
  double sum = 0, mean = 0;
  if (!scores_of(g, r->features, d, a, scores, e) ||
      !dataset_features(d, r->features, a, &features, e))
    return false;
  for (int i = 0; i < d->n_windows; i += PIECE) {
    const int n = d->n_windows - i < PIECE ? d->n_windows - i : PIECE;
    const int8_t *x = features + (size_t)i * each;
    train_predict_head(result->model, 0, false, x, (uint32_t)n, answers);
    sum += squares(answers, x, (size_t)n * each, result);
  }
  for (int i = 0; i < d->n_windows; i++) mean += learn_score(m, scores[i]) / d->n_windows;
  *real = (float)(sum / ((double)d->n_windows * (double)each));
  *int8 = (float)mean;
  return true;
}
