/* noise: training a mask and loading it. See noise.h. */
#include "app/noise.h"
#include "host/compile/compile.h"
#include "host/emulate/emulate.h"
#include "mote/run/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct noise_training {
  struct command_line *c;
  struct project *p;
  const struct training_job *job;
  struct noise_pool train, validation;
  struct features_block features;
  struct train_network network;
  struct train_config config;
  struct train_set validation_set;
  uint32_t n; /* mixtures of an epoch */
  int window, rows, bands;
  const char *settings, *why;
  struct store_run stored;
  bool found, known, resumed;
  int64_t run;
};

/* ---- drawing mixtures ---------------------------------------------------------------------- */
static void mixture(const struct noise_training *t, const struct noise_pool *pool, uint32_t index,
                    uint64_t seed, struct noise_mixture *m) {
  m->n = t->window;
  m->speech = malloc(3 * sizeof *m->speech * (size_t)m->n);
  if (!m->speech) abort();
  m->noise = m->speech + m->n;
  m->mixed = m->noise + m->n;
  noise_mix(pool, &t->p->config, NULL, index, seed, m);
}

/* train_examples.example and .targets. The trainer asks for both of a draw, one behind the other: a thread keeps the
 * mixture in between. */
struct kept {
  const struct noise_training *of;
  uint32_t index;
  uint64_t seed;
  struct noise_mixture m;
};
static _Thread_local struct kept kept;

static const struct noise_mixture *drawn(const struct noise_training *t, uint32_t index,
                                         uint64_t seed) {
  if (kept.of == t && kept.index == index && kept.seed == seed) return &kept.m;
  free(kept.m.speech);
  mixture(t, &t->train, index, seed, &kept.m);
  kept.of = t, kept.index = index, kept.seed = seed;
  return &kept.m;
}

static void example(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  const struct noise_training *t = context;
  const struct noise_mixture *m = drawn(t, index, seed);
  void *scratch = malloc(t->features.scratch_bytes);
  if (!scratch) abort();
  features_run(&t->features, m->mixed, scratch, features);
  free(scratch);
}
static void targets(void *context, uint32_t index, uint64_t seed, float *out) {
  const struct noise_training *t = context;
  noise_masks(t->features.parts[0].params, drawn(t, index, seed), t->rows, out);
  free(kept.m.speech);
  kept = (struct kept){0};
}

/* Mixtures of validation are drawn once, from its samples; where they cannot be mixed, from those of training: epochs are
 * compared by them all the same, but the figure is not one of validation and is not called so. */
static void make_validation(struct noise_training *t) {
  struct arena *a = t->p->arena;
  const uint32_t n = 96;
  const size_t each = (size_t)t->rows * (size_t)t->bands;
  int8_t *features = ARENA_ARRAY(a, int8_t, n * t->features.out_bytes);
  float *masks = ARENA_ARRAY(a, float, n *each);
#pragma omp parallel for schedule(static)
  for (uint32_t i = 0; i < n; i++) {
    struct noise_mixture m;
    mixture(t, noise_mixes(&t->validation) ? &t->validation : &t->train, i, 0x7A11DA7E, &m);
    void *scratch = malloc(t->features.scratch_bytes);
    if (!scratch) abort();
    features_run(&t->features, m.mixed, scratch, features + i * t->features.out_bytes);
    noise_masks(t->features.parts[0].params, &m, t->rows, masks + i * each);
    free(scratch);
    free(m.speech);
  }
  t->validation_set = (struct train_set){.n = n, .features = features, .targets = masks};
}

/* The map to int8, from mixtures as training will see them. */
static bool make_features(struct noise_training *t, struct err *e) {
  struct arena *a = t->p->arena;
  enum { MIXTURES = 200 };
  const struct project_config *c = &t->p->config;
  if (!features_build(c->features, 1, a, &t->features, e)) return false;
  t->window = t->features.window_samples;
  t->rows = t->features.dims[0];
  t->bands = t->features.dims[1];
  const int16_t **windows = ARENA_ARRAY(a, const int16_t *, MIXTURES);
  for (uint32_t i = 0; i < MIXTURES; i++) {
    struct noise_mixture m;
    int16_t *own = ARENA_ARRAY(a, int16_t, t->window);
    mixture(t, &t->train, i * 7919u, 0xF17, &m);
    memcpy(own, m.mixed, sizeof *own * (size_t)t->window);
    free(m.speech);
    windows[i] = own;
  }
  return features_fit(&t->features, a, windows, MIXTURES, e);
}

/* ---- the network ---------------------------------------------------------------------------- */
/* Rows in front of the last that see what lies before a window (the past of an LSTM or GRU is carried on, whatever its length); -1: layer `at` looks at other rows than those up to now. */
static int reach_of(const struct train_network *net, int *at) {
  int reach[TRAIN_MAX_LAYERS + 1] = {0}, most = 0;
  for (int i = 0; i < net->n_layers; i++) {
    const struct train_layer *l = &net->layers[i];
    *at = i;
    for (int k = -1; k < i; k++)
      if (train_layer_reads(l, k) && reach[k + 1] > reach[i + 1]) reach[i + 1] = reach[k + 1];
    const bool window = l->kind == TRAIN_CONV || l->kind == TRAIN_DEPTHWISE ||
                        l->kind == TRAIN_AVERAGE_POOL || l->kind == TRAIN_MAX_POOL;
    if (window && (l->stride_h != 1 || (l->kernel_h > 1 && l->padding != TRAIN_PAD_CAUSAL)))
      return -1;
    if (window) reach[i + 1] += (l->kernel_h - 1) * l->dilation_h;
    if (l->kind == TRAIN_DENSE || l->kind == TRAIN_MEAN || l->kind == TRAIN_LAST ||
        l->kind == TRAIN_UPSAMPLE)
      return -1;
    if (reach[i + 1] > most) most = reach[i + 1];
  }
  return most;
}

static bool wants_mask(const struct noise_training *t, struct err *e) {
  return err_set(e,
                 "a project that suppresses noise needs a network with one head, `head mask %d` "
                 "behind each of the %d rows; the preset `mask` has it",
                 t->bands, t->rows);
}

static bool check_network(const struct noise_training *t, struct err *e) {
  const struct train_network *net = &t->network;
  int at = 0;
  const struct train_head *h = &net->heads[0];
  if (net->n_heads != 1 || h->kind != TRAIN_HEAD_MASK ||
      train_head_outputs(net, 0) != t->rows * t->bands)
    return wants_mask(t, e);
  const int reach = reach_of(net, &at);
  if (reach < 0) {
    err_node(e, "network line %d", net->layers[at].line);
    return err_set(
        e, "sound passes a frame at a time: this line needs rows that have not come yet, or "
           "none of its own; windows over time are `causal` and have no stride");
  }
  if (reach < t->rows) return true;
  return err_set(e,
                 "the network looks %d rows back and a window has %d; a window.length_ms of more "
                 "than %.0f works",
                 reach, t->rows,
                 (reach + 1) * t->p->config.features[0].hop_ms + t->p->config.features[0].hop_ms);
}

static bool choose_network(struct noise_training *t, struct err *e) {
  const char *text = t->job->network ? t->job->network : t->p->config.network;
  struct arena *a = t->p->arena;
  const char **lines = NULL;
  const int *dims = t->features.dims;
  const int n = project_layers(a, text, &lines);
  bool ok;
  if (n == 0 || (n == 1 && train_is_preset(lines[0]))) {
    t->why = arena_printf(a, "the preset %s", n ? lines[0] : "mask");
    ok = train_network_preset(a, n ? lines[0] : "mask", dims[0], dims[1], dims[2], 0, &t->network,
                              e);
  } else {
    bool head = false;
    for (int i = 0; i < n; i++) head |= strstr(lines[i], "head") != NULL;
    t->why = "the layers that were named";
    ok = head ? train_network_parse(lines, n, dims[0], dims[1], dims[2], 0, &t->network, e)
              : wants_mask(t, e);
  }
  ok = ok && check_network(t, e);
  if (!ok)
    err_file(e, !t->job->network       ? t->p->yaml_path
                : t->job->network_from ? t->job->network_from
                                       : "--network");
  return ok;
}

/* ---- settings ------------------------------------------------------------------------------- */
/* What means nothing for masks is off: labels that are smoothed, weighed or mixed. */
static bool settle(struct noise_training *t, struct err *e) {
  struct train_config *c = &t->config;
  const struct training_job *job = t->job;
  if (job->learner || job->teacher || job->prune)
    return err_set(e, "a project that suppresses noise has no classes: --learner, --teacher and "
                      "--prune are for those");
  /* An epoch hears all speech about twice, and not too little of it. */
  const double windows = 2.0 * (double)t->train.speech_length / t->window;
  t->n = (uint32_t)fmin(fmax(windows, 1024), 4096);
  project_training(&t->p->config, t->n, c);
  c->label_smoothing = c->mixup = c->focal = c->distil = 0;
  c->class_weights = c->balance = false;
  c->hard = 0;
  c->time_masks = c->band_masks = 0;
  if (job->epochs > 0) c->epochs = job->epochs;
  if (job->seed >= 0) c->seed = (uint64_t)job->seed;
  if (job->flash_bytes > 0) c->flash_bytes = job->flash_bytes;
  c->threads = job->threads;
  return train_config_check(c, e);
}

static void describe(struct noise_training *t) {
  const struct train_config *c = &t->config;
  const struct project_suppress *s = &t->p->config.suppress;
  struct text out;
  struct sha256 h;
  uint8_t digest[32];
  char hex[65];
  sha256_init(&h);
  sha256_add(&h, t->features.data, t->features.bytes);
  sha256_end(&h, digest);
  sha256_hex(digest, hex);
  text_init(&out, t->p->arena);
  text_printf(&out, "suppress noise\ntraining %s\nvalidation %s\nfeatures %s\n", t->train.digest,
              t->validation.digest, hex);
  text_printf(&out, "snr %g %g mixtures %u\n", s->snr_db_min, s->snr_db_max, t->n);
  text_printf(
      &out, "epochs %d + %d batch %d rate %g %g decay %g average %g patience %d seed %llu\n",
      c->epochs, c->qat_epochs, c->batch, (double)c->learning_rate, (double)c->qat_learning_rate,
      (double)c->weight_decay, (double)c->average, c->patience, (unsigned long long)c->seed);
  if (c->flash_bytes > 0) text_printf(&out, "flash %lld\n", (long long)c->flash_bytes);
  train_network_text(&t->network, &out);
  t->settings = out.data;
}

/* The model of a window as one of a frame: its newest row alone counts, and only new rows are computed. g is changed. */
static const struct graph *streamed(struct arena *a, struct graph *g, struct err *e) {
  struct compile_stream what;
  const int from = g->outputs[0];
  struct graph_tensor last = g->tensors[from];
  const int rows = last.dims[1];
  struct graph_node slice = {.op = MOTE_OP_SLICE, .n_in = 1, .n_out = 1, .source_op = g->n_nodes};
  last.name = "mask of the newest frame";
  last.dims[1] = 1;
  last.producer = -1;
  slice.in[0] = from;
  slice.out[0] = graph_add_tensor(g, &last);
  for (int k = 0; k < last.rank; k++) {
    slice.attrs.begin[k] = k == 1 ? rows - 1 : 0;
    slice.attrs.option[k] = last.dims[k];
    slice.attrs.step[k] = 1;
  }
  graph_add_node(g, &slice);
  graph_set_outputs(g, slice.out, 1);
  return compile_stream(g, 1, a, &what, e);
}

/* ---- running -------------------------------------------------------------------------------- */
static bool keep_epoch(void *context, const void *bytes, size_t size, const struct train_epoch *x,
                       struct err *e) {
  struct noise_training *t = context;
  const struct store_epoch epoch = {.epoch = x->epoch,
                                    .loss = (double)x->loss,
                                    .accuracy = (double)x->accuracy,
                                    .validation_loss = (double)x->validation_loss,
                                    .validation_accuracy = (double)x->validation_accuracy,
                                    .learning_rate = (double)x->learning_rate};
  return store_run_epoch(t->p->store, t->run, &epoch, bytes, size, e);
}

static bool find_stored(struct noise_training *t, struct err *e) {
  struct project *p = t->p;
  if (!t->job->fresh) {
    if (!store_run_find(p->store, p->arena, "", t->settings, STORE_DONE, &t->stored, &t->found, e))
      return false;
    t->known = t->found;
    if (!t->found && !store_run_find(p->store, p->arena, "", t->settings, STORE_RUNNING, &t->stored,
                                     &t->found, e))
      return false;
    t->resumed = !t->known && t->found && t->stored.checkpoint_bytes > 0;
  }
  t->run = t->stored.id;
  if (t->known) return store_run_take(p->store, t->run, e);
  return t->found || store_run_begin(p->store, "", t->settings, t->features.data, t->features.bytes,
                                     &t->run, e);
}

static void say_choices(const struct noise_training *t) {
  struct text s;
  text_init(&s, t->p->arena);
  const double rate = t->p->config.rate_hz;
  text_printf(&s, "%d recordings that stay (%.0f s), %d of noise (%.0f s); %s mixtures an epoch\n",
              t->train.n_speech, (double)t->train.speech_length / rate, t->train.n_noise,
              (double)t->train.noise_length / rate, text_thousands((int64_t)t->n));
  if (!noise_mixes(&t->validation))
    text_printf(
        &s,
        "validation has %d recordings that stay and %d of noise, and both are needed: epochs "
        "are chosen by mixtures of training samples (`mote data split` deals anew)\n",
        t->validation.n_speech, t->validation.n_noise);
  text_printf(&s, "features  %s: %d x %d, a frame every %g ms\nnetwork   %s\n",
              project_features_name(t->p->arena, &t->p->config), t->rows, t->bands,
              t->p->config.features[0].hop_ms, t->why);
  train_network_print(&t->network, &s);
  if (t->known)
    text_printf(&s,
                "run %lld was trained with exactly these settings: it is used again (--fresh "
                "trains anew)\n",
                (long long)t->run);
  else if (t->resumed)
    text_printf(&s, "run %lld was not finished: continued behind epoch %d\n", (long long)t->run,
                t->stored.epochs_done);
  fputs(s.data, stderr);
}

static void print(const struct noise_training *t, const struct store_epoch *h, int n, int64_t bytes,
                  int four_bit) {
  const struct train_cost cost = train_network_cost(&t->network);
  const double best = n ? h[n - 1].validation_loss : (double)NAN;
  if (!t->c->json) {
    printf("run %lld: loss of %s %.4f\n", (long long)t->run,
           noise_mixes(&t->validation) ? "the validation mixtures"
                                       : "mixtures of training samples (validation has none)",
           best);
    printf("%s MAC a frame, %s bytes of weights\n\nnext:  mote test\n",
           text_thousands(cost.macs / t->rows), text_thousands(bytes));
    return;
  }
  struct text text, network;
  struct json j;
  text_init(&text, t->c->arena);
  text_init(&network, t->c->arena);
  train_network_text(&t->network, &network);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_int(&j, "run", t->run);
  json_put_bool(&j, "resumed", t->resumed);
  json_put_bool(&j, "known", t->known);
  json_put_int(&j, "recordings_speech", t->train.n_speech);
  json_put_int(&j, "recordings_noise", t->train.n_noise);
  json_put_int(&j, "mixtures", (int64_t)t->n);
  json_put_string(&j, "network", network.data);
  json_put_string(&j, "why", t->why);
  json_put_int(&j, "macs_a_frame", cost.macs / t->rows);
  json_put_int(&j, "parameters", cost.parameters);
  json_put_int(&j, "weight_bytes", bytes);
  json_put_int(&j, "four_bit_layers", four_bit);
  json_open_array(&j, "history");
  for (int i = 0; i < n; i++) {
    json_open_object(&j, NULL);
    json_put_int(&j, "epoch", h[i].epoch);
    json_put_real(&j, "loss", h[i].loss);
    json_put_real(&j, "validation_loss",
                  noise_mixes(&t->validation) ? h[i].validation_loss : (double)NAN);
    json_put_real(&j, "learning_rate", h[i].learning_rate);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
}

static bool fit(struct noise_training *t, int64_t *bytes, int *four_bit, struct err *e) {
  const struct train_examples examples = {
      .n = t->n, .example = example, .targets = targets, .context = t};
  const struct train_hooks hooks = {.progress = t->c->progress,
                                    .checkpoint = t->known ? NULL : keep_epoch,
                                    .context = t,
                                    .resume = t->known || t->resumed ? t->stored.checkpoint : NULL,
                                    .resume_bytes =
                                        t->known || t->resumed ? t->stored.checkpoint_bytes : 0};
  struct train_result r;
  uint8_t *model = NULL;
  size_t size = 0;
  make_validation(t);
  if (!train_fit(t->p->arena, &t->network, &examples, &t->validation_set, &t->config, &hooks, &r,
                 e))
    return false;
  *bytes = r.weight_bytes;
  *four_bit = r.four_bit_layers;
  if (t->known) return true;
  r.graph->name = t->p->config.name;
  graph_save(r.graph, t->p->arena, &model, &size);
  if (!streamed(t->p->arena, r.graph, e)) return false;
  return store_run_finish(t->p->store, t->run,
                          arena_printf(t->p->arena, "mask %d\noption epochs %d\noption seed %lld\n",
                                       t->bands, t->job->epochs, (long long)t->job->seed),
                          model, size, e);
}

bool noise_train(struct command_line *c, struct project *p, const struct training_job *job,
                 struct err *e) {
  struct noise_training *t = ARENA_NEW(p->arena, struct noise_training);
  struct store_epoch *history = NULL;
  int64_t bytes = 0;
  int n = 0, four_bit = 0;
  t->c = c;
  t->p = p;
  t->job = job;
  if (!noise_load(p, &job->train, &t->train, e) || !noise_need(p, &t->train, e) ||
      !noise_load(p, &job->validation, &t->validation, e))
    return false;
  if (!make_features(t, e) || !choose_network(t, e) || !settle(t, e)) return false;
  describe(t);
  if (!find_stored(t, e)) return false;
  if (job->say && !c->quiet) say_choices(t);
  if (!fit(t, &bytes, &four_bit, e) ||
      !store_run_history(p->store, c->arena, t->run, &history, &n, e))
    return false;
  print(t, history, n, bytes, four_bit);
  return true;
}

/* ---- the trained model ------------------------------------------------------------------------ */
static bool load_model(struct project *p, struct noise_model *m, struct err *e) {
  struct store_run run;
  struct graph *copy;
  bool found = false;
  memset(m, 0, sizeof *m);
  if (!store_run_get(p->store, p->arena, "", 0, &run, &found, e)) return false;
  if (!found || run.status != STORE_DONE)
    return err_set(e, "nothing is trained yet; `mote train` does it");
  if (!text_starts(run.metrics, "mask "))
    return err_set(e, "the latest model answers classes, and mote.yaml now suppresses noise; train "
                      "again");
  m->run = run.id;
  if (!features_open(run.features, run.features_bytes, p->arena, &m->features, e) ||
      !features_suppress(&m->features, p->arena, &m->frame, e) ||
      !(m->whole = graph_load(p->arena, p->config.name, run.model, run.model_bytes, e)) ||
      !(copy = graph_load(p->arena, p->config.name, run.model, run.model_bytes, e)))
    return false;
  const struct graph *g = m->whole;
  if (g->n_inputs != 1 || g->n_outputs != 1 || m->features.map_columns ||
      graph_bytes(&g->tensors[g->inputs[0]]) != m->features.out_bytes ||
      graph_bytes(&g->tensors[g->outputs[0]]) != m->features.out_bytes ||
      g->tensors[g->outputs[0]].type != MOTE_INT8)
    return err_set(e, "features and network do not belong together; train again");
  if (fabs(p->config.features[0].rate_hz * p->config.features[0].hop_ms / 1000 -
           m->frame.parts[0].params->hop) > 0.5)
    return err_set(e, "the model was trained for another hop or rate than mote.yaml has now; train "
                      "again");
  m->least = (unsigned)lround(256 * pow(10, -p->config.suppress.most_db / 20));
  m->graph = streamed(p->arena, copy, e);
  return m->graph != NULL;
}

bool noise_load_model(struct project *p, struct noise_model *m, struct err *e) {
  if (load_model(p, m, e)) return true;
  err_file(e, p->db_path);
  return false;
}
