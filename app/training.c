/* training: see the header. */
#include "app/learning.h"
#include "app/objects.h"
#include "app/pictures.h"
#include "app/reconstruction.h"
#include "app/regression.h"
#include "app/stages.h"
#include "host/emulate/emulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Flash of code, and RAM of stacks and of the firmware around the network: generous, but of a small chip no more than a
 * quarter. */
#define BOARD_CODE_BYTES 49152
#define BOARD_RAM_BYTES  16384

/* What kept variants may take: 64 MiB would not hold 3,000 words. */
#define VARIANT_BYTES ((size_t)256 << 20)

/* Rows of log energies of some variants of each window's sound (augmentation.variants). Making them is most of a training of sound;
 * warping, masking and mixing them is little, and that alone is then drawn anew each time. */
enum { VARIANT_NONE, VARIANT_TAKEN, VARIANT_KEPT };
struct variants {
  uint32_t n; /* of each window; 0: every draw's sound is its own */
  size_t values;
  int16_t *rows;  /* [windows][n][values] */
  uint8_t *state; /* [windows][n] */
};

struct training {
  struct command_line *c;
  struct project *p;
  const struct training_job *job;
  struct training_outcome *out;
  struct dataset train, validation;
  struct train_config config, unpruned; /* stages may change the former */
  struct train_background background;
  struct train_set validation_set;
  struct objects_grid grid;      /* of projects that count */
  struct project_learner normal; /* of autoencoders: what they take for normal; on: it is one */
  struct variants variants;
  const char *settings;
  struct store_run stored; /* what is continued or known */
  bool found;
};

/* ---- drawing examples ------------------------------------------------------------------ */
/* A window moves by up to `reach` within its recording. */
static int64_t jitter(const struct dataset *d, const struct dataset_sample *s, int64_t start,
                      int64_t reach, uint64_t seed) {
  int64_t moved = start + (int64_t)(rng_mix(seed) % (uint64_t)(2 * reach + 1)) - reach;
  int64_t last = s->length - d->window_samples;
  return moved < 0 ? 0 : moved > last ? last : moved;
}

/* In time steps: a sliding window moves by up to half a stride. */
static int64_t half_stride(const struct dataset *d) {
  return (int64_t)(d->config->stride_ms * d->config->rate_hz / 2000);
}

/* Time steps of the recording to draw from, and by how much how->shift_ms moves them. */
static void draw_place(const struct dataset *d, const struct dataset_window *w, uint64_t seed,
                       const int16_t **in, uint32_t *n, struct train_augment *how) {
  const struct dataset_sample *s = &d->samples[w->sample];
  const bool longer = s->length > d->window_samples,
             stream = d->config->place == PROJECT_STREAM && (w->start < 0 || !longer);
  const double rate = d->config->rate_hz;
  *in = s->data;
  *n = (uint32_t)s->length;
  if (stream && project_is_other(d->config, s->name)) {
    /* A stream cuts sounds off wherever a window ends: they are not to be found then either. */
    how->shift_ms = (float)(500 * (double)(s->length + d->window_samples) / rate);
    return;
  }
  if (!longer) return;
  *n = (uint32_t)d->window_samples;
  if (w->start < 0 && !stream) {
    *in += w->event;
    return;
  }
  /* Real sound enters at the edges, not silence: the place moves, the samples do not. */
  *in += w->start < 0 ? jitter(d, s, w->event, (int64_t)((double)how->shift_ms * rate / 1000), seed)
                      : jitter(d, s, w->start, half_stride(d), seed);
  how->shift_ms = 0;
}

static void draw_audio(const struct training *t, int window, uint64_t seed, int16_t *out) {
  const struct dataset *d = &t->train;
  const struct dataset_window *w = &d->windows[window];
  struct train_augment how = d->config->augmentation;
  const int16_t *in;
  uint32_t n;
  draw_place(d, w, seed, &in, &n, &how);
  train_augment_audio(&how, d->samples[w->sample].background ? NULL : &t->background,
                      (int)lround(d->config->rate_hz), in, n, seed, out,
                      (uint32_t)d->window_samples);
}

static void draw_sensor(const struct training *t, int window, uint64_t seed, int16_t *out) {
  const struct dataset *d = &t->train;
  const struct dataset_window *w = &d->windows[window];
  const struct dataset_sample *s = &d->samples[w->sample];
  const size_t n = (size_t)d->window_samples * (size_t)d->channels;
  if (w->start >= 0 && s->length > d->window_samples)
    memcpy(out, s->data + jitter(d, s, w->start, half_stride(d), seed) * d->channels,
           n * sizeof *out);
  else
    dataset_window(d, window, out);
  if (pictures_are_windows(d->config))
    pictures_augment(d->config, &d->config->augmentation, seed, out);
  if (d->config->kind != PROJECT_IMAGE)
    train_augment_sensor(&d->config->augmentation, out, n, seed);
}

/* seed 0: the window as it is. */
static void draw_samples(const struct training *t, int window, uint64_t seed, int16_t *samples) {
  if (seed == 0)
    dataset_window(&t->train, window, samples);
  else if (t->train.config->kind == PROJECT_AUDIO)
    draw_audio(t, window, seed, samples);
  else
    draw_sensor(t, window, seed, samples);
}

/* Whether rows of the features are log energies of neighbouring bands, with or without their flatness, so that they can be
 * warped. */
static bool has_bands(const struct features_block *block) {
  const struct mote_features *f = block->parts[0].params;
  if (block->n_parts > 1 || f->channels > 1 || f->coefficients) return false;
  return f->kind == MOTE_FEATURES_BANDS || (f->kind == MOTE_FEATURES_FLATNESS && f->depth == 2);
}

/* A search may try features without bands beside others; what a project says itself is not passed over. */
static bool variants_have_bands(const struct training *t, struct err *e) {
  if (t->p->config.variants == 0 || has_bands(&t->out->features)) return true;
  err_file(e, t->p->yaml_path);
  err_node(e, "augmentation.variants");
  return err_set(e,
                 "variants are kept of the bands of one channel of sound, which the features %s "
                 "do not have: `features.kind: logmel` does; 0 keeps none",
                 project_features_name(t->p->arena, &t->p->config));
}

/* errors: they take more than a quarter of a gigabyte. */
static bool keep_variants(struct training *t, struct err *e) {
  struct variants *const v = &t->variants;
  const int n = t->p->config.variants;
  *v = (struct variants){.values = t->out->features.out_bytes};
  if (n == 0 || !has_bands(&t->out->features)) return true;
  const size_t one = (size_t)t->train.n_windows * (v->values * sizeof *v->rows + sizeof *v->state);
  const size_t most = (arena_left(t->p->arena) < VARIANT_BYTES ? 0 : VARIANT_BYTES) / one;
  if ((size_t)n > most) {
    err_file(e, t->p->yaml_path);
    err_node(e, "augmentation.variants");
    return err_set(e,
                   "%d variants of %d windows take %zu bytes each; at most %zu fit, 0 keeps none",
                   n, t->train.n_windows, one / (size_t)t->train.n_windows, most);
  }
  v->n = (uint32_t)n;
  v->rows = ARENA_ARRAY(t->p->arena, int16_t, (size_t)n * (size_t)t->train.n_windows * v->values);
  v->state = ARENA_ARRAY(t->p->arena, uint8_t, (size_t)n * (size_t)t->train.n_windows);
  return true;
}

/* The rows of a draw's sound, before they are warped. samples, scratch: room for them. */
static void make_rows(const struct training *t, int window, uint64_t seed, int16_t *samples,
                      void *scratch, int16_t *rows) {
  const struct features_part *const part = &t->out->features.parts[0];
  const struct mote_features *f = part->params;
  draw_samples(t, window, seed, samples);
  const int16_t *const seen = features_part_samples(part, samples, &scratch);
  mote_features_begin(f, part->op, scratch);
  for (size_t r = 0; r < f->rows; r++)
    mote_features_row(f, part->op, seen + r * f->hop * f->stride, scratch, rows + r * f->columns);
}

/* Those of the variant that the draw's seed names; in `own` where they are not kept yet. Of threads that make the same at the same
 * time one keeps it. */
static const int16_t *rows_of(const struct training *t, int window, uint64_t seed, int16_t *samples,
                              void *scratch, int16_t *own) {
  const struct variants *v = &t->variants;
  if (v->n == 0) return make_rows(t, window, seed, samples, scratch, own), own;
  const size_t at = (size_t)window * v->n + (size_t)(rng_mix(seed ^ 0x76617269) % v->n);
  int16_t *const rows = v->rows + at * v->values;
  uint8_t expected = VARIANT_NONE;
  if (__atomic_load_n(&v->state[at], __ATOMIC_ACQUIRE) == VARIANT_KEPT) return rows;
  make_rows(t, window, rng_mix(t->config.seed ^ rng_mix(at)) | 1, samples, scratch, own);
  if (__atomic_compare_exchange_n(&v->state[at], &expected, VARIANT_TAKEN, false, __ATOMIC_ACQUIRE,
                                  __ATOMIC_RELAXED)) {
    memcpy(rows, own, v->values * sizeof *rows);
    __atomic_store_n(&v->state[at], VARIANT_KEPT, __ATOMIC_RELEASE);
  }
  return own;
}

/* A window's features with its bands warped between the spectrum and the normalisation. */
static void warped_features(const struct training *t, const int16_t *rows, uint64_t seed,
                            int16_t *warped, int8_t *features) {
  const struct mote_features *f = t->out->features.parts[0].params;
  /* Steps of log2 in Q8 for one dB of power: 256 * log2(10) / 10. */
  const struct train_bands bands = {f->rows, f->bands, f->kind == MOTE_FEATURES_FLATNESS, 85.0411f};
  train_augment_bands(&t->train.config->augmentation, &bands, rows, rng_mix(seed ^ 0x5EED), warped);
  mote_features_finish(f, t->out->features.parts[0].op, warped, features);
}

/* train_examples.example: called from several threads, so everything it writes is its own. */
static void draw(void *context, uint32_t index, uint64_t seed, int8_t *features) {
  const struct training *t = context;
  const struct dataset *d = &t->train;
  const struct features_block *block = &t->out->features;
  size_t n = features_window_words(block);
  /* One piece for window, scratch and rows before and after warping, aligned to 16. */
  size_t part = (n * sizeof(int16_t) + 15) & ~(size_t)15;
  size_t scratch = (block->scratch_bytes + 15) & ~(size_t)15;
  const bool warp = seed != 0 && has_bands(block);
  uint8_t *memory = malloc(part + scratch + (warp ? 2 * sizeof(int16_t) * block->out_bytes : 0));
  if (!memory) abort(); /* a few kilobytes: the machine has no memory left at all */
  int16_t *samples = (int16_t *)(void *)memory;
  if (warp) {
    int16_t *own = (int16_t *)(void *)(memory + part + scratch);
    const int16_t *rows = rows_of(t, (int)index, seed, samples, memory + part, own);
    warped_features(t, rows, seed, own + block->out_bytes, features);
    dataset_put_map(d, block, (int)index, samples);
    features_calibrate(block, samples + (size_t)d->window_samples * (size_t)d->channels, features);
  } else {
    draw_samples(t, (int)index, seed, samples);
    dataset_put_map(d, block, (int)index, samples);
    features_run(block, samples, memory + part, features);
  }
  free(memory);
}

/* train_examples.targets: the boxes of the same draw. */
static void draw_targets(void *context, uint32_t index, uint64_t seed, float *targets) {
  const struct training *t = context;
  const struct dataset *d = &t->train;
  objects_targets(&t->grid, d->config, &d->samples[d->windows[index].sample], seed, targets);
}

/* The same of numbers, which no augmentation changes. */
static void draw_numbers(void *context, uint32_t index, uint64_t seed, float *targets) {
  const struct training *t = context;
  (void)seed;
  regression_targets(t->out->scales, t->out->n_classes,
                     &t->train.samples[t->train.windows[index].sample], targets);
}

/* ---- preparing --------------------------------------------------------------------- */
static bool gather_background(struct training *t) {
  struct arena *a = t->p->arena;
  const struct dataset *d = &t->train;
  const int16_t **samples = ARENA_ARRAY(a, const int16_t *, d->n_samples + 1);
  uint32_t *lengths = ARENA_ARRAY(a, uint32_t, d->n_samples + 1);
  int n = 0;
  for (int i = 0; i < d->n_samples; i++) {
    if (!d->samples[i].background) continue;
    samples[n] = d->samples[i].data;
    lengths[n++] = (uint32_t)d->samples[i].length;
  }
  t->background = (struct train_background){n, samples, lengths};
  return n > 0;
}

/* What an autoencoder is shown is normal to it: a label beside others has to be called so. */
static bool one_is_normal(const struct training *t, struct err *e) {
  const struct training_outcome *o = t->out;
  if (o->n_classes == 1 || (o->n_classes > 1 && t->normal.n_normal)) return true;
  err_file(e, o->n_classes ? t->p->yaml_path : t->p->db_path);
  return o->n_classes ? err_set(e,
                                "%d labels among the training samples (%s, %s%s), and an "
                                "autoencoder learns what is normal: `learning.normal: [%s]` says "
                                "which are",
                                o->n_classes, o->classes[0], o->classes[1],
                                o->n_classes > 2 ? " ..." : "", o->classes[0])
                      : err_set(e, "no training samples: an autoencoder learns from what is normal "
                                   "(`mote add`, `mote data`)");
}

static bool load_samples(struct training *t, struct err *e) {
  struct training_outcome *o = t->out;
  if (t->normal.on
          ? !learning_normal(t->p, &t->normal, &t->job->train, &o->classes, &o->n_classes, e)
          : !dataset_classes(t->p, &t->job->train, &o->classes, &o->n_classes, e))
    return false;
  if (t->normal.on && !one_is_normal(t, e)) return false;
  if (t->p->config.objects.on && (o->n_classes < 1 || o->n_classes > 999)) {
    err_file(e, t->p->db_path);
    return err_set(e,
                   o->n_classes ? "%d labels of boxes; up to 999 work"
                                : "%d boxes among the training samples: without them nothing can "
                                  "be learnt to be counted; `mote add --index` takes boxes "
                                  "(docs/howto/count.md)",
                   o->n_classes);
  }
  if (o->n_classes < 2 && !t->p->config.objects.on && !t->p->config.regression.on &&
      !t->normal.on) {
    err_file(e, t->p->db_path);
    return err_set(
        e,
        "%d label%s among the training samples%s%s; at least two are needed (`mote add`, "
        "`mote data`); `--learner kmeans` and `--network autoencoder` learn what is normal from "
        "one",
        o->n_classes, o->n_classes == 1 ? "" : "s", o->n_classes ? ": " : "",
        o->n_classes ? o->classes[0] : "");
  }
  return dataset_range(t->p, &t->job->train, &o->range, e) &&
         dataset_load(t->p, &t->job->train, o->classes, o->n_classes, o->range, &t->train, e) &&
         dataset_load(t->p, &t->job->validation, o->classes, o->n_classes, o->range, &t->validation,
                      e);
}

/* The features' map to int8, from at most 2000 training windows spread evenly. */
bool training_features(struct project *p, const struct dataset *d, struct features_block *block,
                       struct err *e) {
  struct arena *a = p->arena;
  if (!features_build(p->config.features, p->config.n_features, a, block, e)) return false;
  int n = d->n_windows < 2000 ? d->n_windows : 2000;
  size_t numbers = (size_t)d->window_samples * (size_t)d->channels;
  int16_t *samples = ARENA_ARRAY(a, int16_t, (size_t)n * numbers);
  const int16_t **windows = ARENA_ARRAY(a, const int16_t *, n);
  for (int i = 0; i < n; i++) {
    windows[i] = samples + (size_t)i * numbers;
    dataset_window(d, (int)((int64_t)i * d->n_windows / n), samples + (size_t)i * numbers);
  }
  return features_fit(block, a, windows, (size_t)n, e);
}

/* What the samples take: a whole window with the features' scratch, or less where rows of features are made as samples
 * arrive. */
static int64_t sample_bytes(const struct training *t, const struct features_block *block) {
  const int64_t window = 2 * (int64_t)t->train.window_samples * t->train.channels;
  int64_t stream = 0;
  for (int i = 0; i < block->n_parts; i++)
    stream += (int64_t)mote_features_stream_bytes(block->parts[i].params, block->parts[i].op);
  const int64_t whole = window + (int64_t)block->scratch_bytes;
  return stream < whole ? stream : whole;
}

static bool board_budget(struct training *t, struct train_budget *budget, struct err *e) {
  const struct project_config *c = &t->p->config;
  const struct features_block *block = &t->out->features;
  const struct emulate_board *board;
  *budget = (struct train_budget){0};
  if (!c->board[0]) return true;
  if (!emulate_find_board(t->p->arena, c->board, &board, e)) return false;
  const int64_t quarter = board->ram_bytes / 4;
  budget->ram_bytes = board->ram_bytes - sample_bytes(t, block) -
                      (quarter < BOARD_RAM_BYTES ? quarter : BOARD_RAM_BYTES);
  budget->flash_bytes =
      board->flash_bytes - board->flash_reserved_bytes - BOARD_CODE_BYTES - (int64_t)block->bytes;
  if (budget->ram_bytes > 0 && budget->flash_bytes > 0) return true;
  return err_set(
      e,
      "windows of %g ms leave no RAM for a network on %s (%lld bytes); a shorter window.length_ms "
      "in mote.yaml works",
      c->length_ms, board->title, (long long)board->ram_bytes);
}

/* A project's samples have labels only: its model answers the classes, and nothing else. */
static bool answers_classes(const struct train_network *net, struct err *e) {
  if (net->n_heads == 1 && net->heads[0].kind == TRAIN_HEAD_CLASSES && !net->heads[0].own)
    return true;
  return err_set(
      e, "the samples of a project have a label each: its network must have the head of the "
         "classes alone; numbers are for a project with `regression` in mote.yaml, a mask for one "
         "that "
         "suppresses noise (`mote new --template noise`), other heads for programs that use "
         "host/train");
}

/* The network that was asked for, and where that stands. */
static const char *network_text(const struct training *t) {
  return t->job->network ? t->job->network : t->p->config.network;
}

static const char *network_place(const struct training *t) {
  return !t->job->network       ? t->p->yaml_path
         : t->job->network_from ? t->job->network_from
                                : "--network";
}

/* What the validation windows should be answered with, as the network's heads count it. */
static void lay_targets(struct training *t) {
  const struct training_outcome *o = t->out;
  const struct dataset *v = &t->validation;
  const size_t n = (size_t)train_network_targets(&o->network);
  float *targets = ARENA_ARRAY(t->p->arena, float, (size_t)v->n_windows *n + 1);
  for (int i = 0; i < v->n_windows; i++) {
    const struct dataset_sample *s = &v->samples[v->windows[i].sample];
    if (o->scales)
      regression_targets(o->scales, o->n_classes, s, targets + (size_t)i * n);
    else
      objects_targets(&t->grid, &t->p->config, s, 0, targets + (size_t)i * n);
  }
  t->validation_set.targets = targets;
}

/* The map of cells over a picture. */
static void lay_grid(struct training *t) {
  const struct training_outcome *o = t->out;
  const struct train_layer *last = &o->network.layers[o->network.heads[0].layer];
  t->grid = objects_grid_of(&t->p->config, &o->features, last->out_h, last->out_w, o->n_classes);
}

static bool choose_objects(struct training *t, struct err *e) {
  struct training_outcome *o = t->out;
  struct train_budget budget;
  if (t->job->teacher)
    return err_set(e, "a teacher's opinion is of classes: --teacher is not for objects");
  if (!board_budget(t, &budget, e)) return false;
  if (!objects_network(t->p, network_text(t), &o->features, o->n_classes, &budget, &o->network,
                       &o->why, e)) {
    err_file(e, network_place(t));
    return false;
  }
  o->cost = train_network_cost(&o->network);
  return true;
}

static bool choose_regression(struct training *t, struct err *e) {
  struct training_outcome *o = t->out;
  struct train_budget budget;
  if (t->job->teacher)
    return err_set(e, "a teacher's opinion is of classes: --teacher is not for numbers");
  if (!regression_scales(t->p, &t->train, &o->scales, e) || !board_budget(t, &budget, e))
    return false;
  o->middles = regression_middles(&t->train, o->n_classes, t->p->arena);
  if (!regression_network(t->p, network_text(t), o->features.dims, (uint32_t)t->train.n_windows,
                          &budget, &o->network, &o->why, e)) {
    err_file(e, network_place(t));
    return false;
  }
  o->cost = train_network_cost(&o->network);
  return true;
}

static bool choose_reconstruction(struct training *t, struct err *e) {
  struct training_outcome *o = t->out;
  o->scores_only = true;
  if (!reconstruction_network(t->p->arena, network_text(t), o->features.dims, &o->network, &o->why,
                              e)) {
    err_file(e, network_place(t));
    return false;
  }
  o->cost = train_network_cost(&o->network);
  return true;
}

static bool choose_network(struct training *t, struct err *e) {
  struct training_outcome *o = t->out;
  if (t->normal.on) return choose_reconstruction(t, e);
  if (t->p->config.objects.on) return choose_objects(t, e);
  if (t->p->config.regression.on) return choose_regression(t, e);
  const int *dims = o->features.dims;
  const char **lines = NULL;
  const char *network = network_text(t);
  int n = project_layers(t->p->arena, network, &lines);
  struct text why;
  text_init(&why, t->p->arena);
  bool ok;
  if (n > 0) {
    const bool preset = n == 1 && train_is_preset(lines[0]);
    ok = (preset ? train_network_preset(t->p->arena, lines[0], dims[0], dims[1], dims[2],
                                        o->n_classes, &o->network, e)
                 : train_network_parse(lines, n, dims[0], dims[1], dims[2], o->n_classes,
                                       &o->network, e)) &&
         answers_classes(&o->network, e);
    if (preset)
      text_printf(&why, "the preset %s", lines[0]);
    else
      text_add(&why, "the layers that were named");
    if (!ok) err_file(e, network_place(t));
  } else {
    struct train_budget budget;
    ok =
        board_budget(t, &budget, e) &&
        train_network_default(project_input(&t->p->config), dims[0], dims[1], dims[2], o->n_classes,
                              (uint32_t)t->train.n_windows, &budget, &o->network, &why, e);
  }
  o->why = why.data;
  if (ok) o->cost = train_network_cost(&o->network);
  return ok;
}

static void describe_augmentation(const struct train_augment *g, struct text *s) {
  text_printf(s, "shift %g gain %g speed %g tone %g background %g %g %g noise %g %g\n",
              (double)g->shift_ms, (double)g->gain_db, (double)g->speed, (double)g->tone_db,
              (double)g->background_chance, (double)g->background_snr_db_min,
              (double)g->background_snr_db_max, (double)g->noise_chance,
              (double)g->noise_snr_db_min);
  text_printf(s, "stretch %g warp %g slope %g floor %g %g %g\n", (double)g->time_stretch,
              (double)g->band_warp, (double)g->slope_db, (double)g->floor_chance,
              (double)g->floor_db_min, (double)g->floor_db_max);
}

static void describe_settings(struct training *t) {
  struct text s;
  char train[65], validation[65], features[65];
  uint8_t digest[32];
  struct sha256 h;
  const struct train_config *c = &t->config;
  const struct train_augment *g = &t->p->config.augmentation;
  const struct features_block *block = &t->out->features;
  dataset_digest(&t->train, train);
  dataset_digest(&t->validation, validation);
  sha256_init(&h);
  sha256_add(&h, block->data, block->bytes);
  sha256_end(&h, digest);
  sha256_hex(digest, features);
  text_init(&s, t->p->arena);
  text_printf(&s, "training %s\nvalidation %s\nfeatures %s\n", train, validation, features);
  text_printf(&s, "window %g ms stride %g ms place %d\n", t->p->config.length_ms,
              t->p->config.stride_ms, (int)t->p->config.place);
  dataset_settings(&t->p->config, &s);
  for (int i = 0; i < t->out->n_classes; i++) text_printf(&s, "class %s\n", t->out->classes[i]);
  if (t->out->scales) regression_card(t->out->scales, t->out->n_classes, &s);
  if (t->normal.on) reconstruction_settings(&t->normal, &s);
  text_printf(
      &s,
      "epochs %d + %d batch %d rate %g %g decay %g smoothing %g mixup %g weights %d patience %d\n",
      c->epochs, c->qat_epochs, c->batch, (double)c->learning_rate, (double)c->qat_learning_rate,
      (double)c->weight_decay, (double)c->label_smoothing, (double)c->mixup, c->class_weights,
      c->patience);
  text_printf(&s, "masks %d %d %d %d seed %llu\n", c->time_masks, c->time_mask_max, c->band_masks,
              c->band_mask_max, (unsigned long long)c->seed);
  describe_augmentation(g, &s);
  if (t->variants.n > 0) text_printf(&s, "variants %u\n", t->variants.n);
  if (c->average > 0.0f) text_printf(&s, "average %g\n", (double)c->average);
  if (pictures_are_windows(&t->p->config))
    text_printf(&s, "pictures %g %g %g %g %g %g %g %d\n", (double)g->shift, (double)g->rotate_deg,
                (double)g->zoom, (double)g->shear, (double)g->brightness, (double)g->contrast,
                (double)g->cutout, g->flip_across + 2 * g->flip_down);
  if (c->balance || c->hard > 0.0f)
    text_printf(&s, "balance %d hard %g\n", c->balance, (double)c->hard);
  if (c->focal > 0.0f) text_printf(&s, "focal %g\n", (double)c->focal);
  if (c->flash_bytes > 0) text_printf(&s, "flash %lld\n", (long long)c->flash_bytes);
  if (t->job->teacher) text_printf(&s, "teacher %s share %g\n", t->job->teacher, (double)c->distil);
  if (t->job->prune) text_printf(&s, "prune %s\n", t->job->prune);
  if (t->job->float_only) text_printf(&s, "float only\n");
  train_network_text(&t->out->network, &s);
  if (t->p->config.anomaly.on) text_add(&s, "anomaly\n");
  learning_settings(&t->p->config.anomaly, &s);
  t->settings = s.data;
}

static bool prepare(struct training *t, struct err *e) {
  if (!load_samples(t, e) || !training_features(t->p, &t->train, &t->out->features, e) ||
      !dataset_calibrate(&t->train, &t->out->features, e) || !choose_network(t, e))
    return false;
  gather_background(t);
  project_training(&t->p->config, (uint32_t)t->train.n_windows, &t->config);
  if (t->job->epochs > 0) t->config.epochs = t->job->epochs;
  if (t->job->seed >= 0) t->config.seed = (uint64_t)t->job->seed;
  t->config.threads = t->job->threads;
  if (t->job->flash_bytes > 0) t->config.flash_bytes = t->job->flash_bytes;
  if (t->job->float_only) t->config.qat_epochs = 0, t->config.flash_bytes = 0;
  if (t->job->teacher && t->config.distil <= 0.0f) t->config.distil = 0.5f;
  struct train_config *c = &t->config;
  if (!train_config_check(c, e)) return false;
  struct dataset *v = &t->validation;
  int8_t *features = NULL;
  if (!dataset_features(v, &t->out->features, t->p->arena, &features, e)) return false;
  t->validation_set =
      (struct train_set){.n = (uint32_t)v->n_windows, .features = features, .labels = v->labels};
  if (t->p->config.objects.on) lay_grid(t);
  if (t->p->config.objects.on || t->out->scales) lay_targets(t);
  if (!variants_have_bands(t, e) || !keep_variants(t, e)) return false;
  t->out->n_train = t->train.n_windows;
  t->out->n_validation = v->n_windows;
  describe_settings(t);
  return true;
}

/* ---- running ------------------------------------------------------------------------- */
static bool keep_epoch(void *context, const void *bytes, size_t size, const struct train_epoch *x,
                       struct err *e) {
  struct training *t = context;
  struct store_epoch epoch = {.epoch = x->epoch,
                              .loss = (double)x->loss,
                              .accuracy = (double)x->accuracy,
                              .validation_loss = (double)x->validation_loss,
                              .validation_accuracy = (double)x->validation_accuracy,
                              .learning_rate = (double)x->learning_rate};
  return store_run_epoch(t->p->store, t->out->run, &epoch, bytes, size, e);
}

static bool find_stored(struct training *t, struct err *e) {
  struct project *p = t->p;
  if (t->job->fresh) return true;
  if (!store_run_find(p->store, p->arena, t->job->purpose, t->settings, STORE_DONE, &t->stored,
                      &t->found, e))
    return false;
  if (t->found && t->stored.checkpoint_bytes) return t->out->known = true;
  if (!store_run_find(p->store, p->arena, t->job->purpose, t->settings, STORE_RUNNING, &t->stored,
                      &t->found, e))
    return false;
  t->out->resumed = t->found && t->stored.checkpoint_bytes > 0;
  return true;
}

static void say_choices(const struct training *t) {
  const struct training_outcome *o = t->out;
  struct text s;
  text_init(&s, t->p->arena);
  text_printf(&s, "%s training windows, %s for validation, %d %s\n", text_thousands(o->n_train),
              text_thousands(o->n_validation), o->n_classes,
              t->normal.on        ? (o->n_classes == 1 ? "label" : "labels")
              : !o->scales        ? "classes"
              : o->n_classes == 1 ? "number"
                                  : "numbers");
  for (int i = 0; o->scales && i < o->n_classes; i++)
    text_printf(&s, "%-9.9s mean %.5g, deviation %.5g %s\n", o->classes[i], o->scales[i].mean,
                o->scales[i].deviation, t->p->config.regression.unit);
  if (t->p->config.objects.on)
    text_printf(&s, "cells     %d x %d, each %.3g x %.3g pixels of the frame\n", t->grid.width,
                t->grid.height, t->grid.view.across * t->grid.in_width / t->grid.width,
                t->grid.view.down * t->grid.in_height / t->grid.height);
  text_printf(&s, "features  %s: %d x %d x %d\n", project_features_name(t->p->arena, &t->p->config),
              o->features.dims[0], o->features.dims[1], o->features.dims[2]);
  text_printf(&s, "network   %s\n", o->why);
  train_network_print(&o->network, &s);
  if (o->known)
    text_printf(&s,
                "run %lld was trained with exactly these settings: it is used again (--fresh "
                "trains anew)\n",
                (long long)t->stored.id);
  else if (o->resumed)
    text_printf(&s, "run %lld was not finished: continued behind epoch %d\n",
                (long long)t->stored.id, t->stored.epochs_done);
  fputs(s.data, stderr);
}

static const char *card(struct training *t, const struct train_result *r) {
  const struct training_outcome *o = t->out;
  struct text s;
  text_init(&s, t->p->arena);
  for (int i = 0; i < o->n_classes; i++) text_printf(&s, "class %s\n", o->classes[i]);
  for (int k = 0; o->range && k < t->p->config.channels; k++)
    text_printf(&s, "range %.17g\n", o->range[k]);
  text_printf(&s, "validation_float %.6f\nvalidation_int8 %.6f\nbest_epoch %d\nbest_qat_epoch %d\n",
              (double)o->validation_float, (double)o->validation_int8, r->best_epoch,
              r->best_qat_epoch);
  for (int i = 0; i < r->n_history; i++)
    if (r->history[i].quantised) {
      text_printf(&s, "quantised_from %d\n", r->history[i].epoch);
      break;
    }
  /* What the command line said over mote.yaml: `mote test` prepares the same training again. */
  text_printf(&s, "option epochs %d\noption seed %lld\n", t->job->epochs, (long long)t->job->seed);
  const char **lines = NULL;
  int n = t->job->network ? project_layers(t->p->arena, t->job->network, &lines) : 0;
  for (int i = 0; i < n; i++) text_printf(&s, "option network %s\n", lines[i]);
  if (t->job->network && n == 0) text_add(&s, "option network auto\n");
  if (t->job->teacher) text_printf(&s, "option teacher %s\n", t->job->teacher);
  if (t->job->prune) text_printf(&s, "option prune %s\n", t->job->prune);
  if (t->job->flash_bytes > 0)
    text_printf(&s, "option flash %lld\n", (long long)t->job->flash_bytes);
  if (t->job->learner) text_printf(&s, "option learner %s\n", t->job->learner);
  if (o->calibration.n) learning_card(&o->calibration, &s);
  if (t->p->config.objects.on) text_printf(&s, "objects_threshold %u\n", o->threshold);
  if (o->scales) regression_card(o->scales, o->n_classes, &s);
  return s.data;
}

void training_job_of(struct arena *a, const struct store_run *run, struct training_job *job) {
  struct text network;
  text_init(&network, a);
  *job = (struct training_job){.train = {.splits = 1u << STORE_TRAIN},
                               .validation = {.splits = 1u << STORE_VALIDATION},
                               .purpose = "",
                               .seed = -1};
  char *copy = arena_strdup(a, run->metrics), *rest = NULL;
  for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    if (text_starts(line, "option epochs ")) job->epochs = (int)strtol(line + 14, NULL, 10);
    if (text_starts(line, "option seed ")) job->seed = strtoll(line + 12, NULL, 10);
    if (text_starts(line, "option learner ")) job->learner = line + 15;
    if (text_starts(line, "option teacher ")) job->teacher = line + 15;
    if (text_starts(line, "option prune ")) job->prune = line + 13;
    if (text_starts(line, "option flash ")) job->flash_bytes = strtoll(line + 13, NULL, 10);
    if (text_starts(line, "option network ")) text_printf(&network, "%s\n", line + 15);
  }
  if (network.size) job->network = network.data;
}

static bool start_run(struct training *t, struct err *e) {
  struct training_outcome *o = t->out;
  if (o->known || o->resumed || t->found) {
    o->run = t->stored.id;
    return true;
  }
  return store_run_begin(t->p->store, t->job->purpose, t->settings, o->features.data,
                         o->features.bytes, &o->run, e);
}

/* How well objects are found in the validation pictures (the training ones without any), with the threshold that does best. */
static bool measure_objects(struct training *t, const struct train_result *r, struct err *e) {
  struct training_outcome *o = t->out;
  const struct dataset *d = t->validation.n_windows ? &t->validation : &t->train;
  const double given = t->p->config.objects.threshold;
  int8_t *scores = NULL, *floats = NULL;
  struct arena *a = t->p->arena;
  if (!objects_scores(t->p, r->graph, &o->features, NULL, NULL, d, a, &scores, e) ||
      !objects_float_scores(r->model, &o->features, &t->grid, d, a, &floats, e))
    return false;
  o->threshold = given > 0 ? (unsigned)fmax(1, nearbyint(given * 256))
                           : objects_threshold(&t->grid, d, scores, a);
  const struct mote_objects m = objects_device(&t->grid, o->threshold);
  o->validation_float = (float)objects_f1(&m, d, floats, a);
  o->validation_int8 = (float)objects_f1(&m, d, scores, a);
  return true;
}

/* How much of the validation windows' spread the estimates explain (the training ones without any). */
static bool measure_numbers(struct training *t, const struct train_result *r, struct err *e) {
  struct training_outcome *o = t->out;
  const struct dataset *d = t->validation.n_windows ? &t->validation : &t->train;
  float *values = NULL;
  struct arena *a = t->p->arena;
  if (!regression_here(r->graph, &o->features, o->scales, o->n_classes, d, a, &values, e))
    return false;
  o->validation_int8 = (float)regression_r2(d, o->n_classes, values);
  if (!regression_float(r->model, &o->features, o->scales, o->n_classes, d, a, &values, e))
    return false;
  o->validation_float = (float)regression_r2(d, o->n_classes, values);
  return true;
}

/* The score of an autoencoder, its threshold and errors; of a known run as they were stored. */
static bool finish_reconstruction(struct training *t, const struct train_result *r,
                                  const struct train_examples *examples, struct err *e) {
  struct training_outcome *o = t->out;
  if (t->job->float_only) return true; /* a stage, from which another training begins */
  const struct reconstruction x = {.c = t->c,
                                   .p = t->p,
                                   .how = &t->normal,
                                   .train = &t->train,
                                   .validation = &t->validation,
                                   .features = &o->features,
                                   .network = &o->network,
                                   .examples = examples,
                                   .validation_set =
                                       t->validation_set.n ? &t->validation_set : NULL,
                                   .config = &t->unpruned};
  if (o->known) {
    const char *const line = strstr(t->stored.metrics, "\nthreshold ");
    if (line) learning_read_card(line + 1, &o->calibration);
    o->graph =
        graph_load(t->p->arena, t->p->config.name, t->stored.model, t->stored.model_bytes, e);
  }
  return o->graph && (o->known || reconstruction_finish(&x, o->graph, &o->calibration, e)) &&
         reconstruction_errors(&x, r, o->graph, &o->validation_float, &o->validation_int8, e);
}

static bool finish(struct training *t, const struct train_result *r,
                   const struct train_examples *examples, struct err *e) {
  struct training_outcome *o = t->out;
  uint8_t *bytes = NULL;
  r->graph->name = t->p->config.name;
  o->graph = r->graph;
  o->validation_float = r->float_accuracy;
  o->validation_int8 = r->int8_accuracy;
  if (t->normal.on && !finish_reconstruction(t, r, examples, e)) return false;
  if (!learning_beside(t->c, t->p, &t->train, &t->validation, &o->features, o->classes,
                       o->n_classes, r->graph, &o->calibration, e))
    return false;
  graph_save(o->graph, t->p->arena, &bytes, &o->graph_size);
  o->graph_bytes = bytes;
  o->model = r->model;
  if (t->p->config.objects.on && !measure_objects(t, r, e)) return false;
  if (o->scales && !measure_numbers(t, r, e)) return false;
  o->epochs = r->n_history;
  o->cost.weight_bytes = r->weight_bytes;
  o->four_bit_layers = r->four_bit_layers;
  if (o->known) return true;
  return store_run_finish(t->p->store, o->run, card(t, r), bytes, o->graph_size, e);
}

bool training_run(struct command_line *c, struct project *p, const struct training_job *job,
                  struct training_outcome *out, struct err *e) {
  struct training *t = ARENA_NEW(p->arena, struct training);
  struct project_learner learner;
  memset(out, 0, sizeof *out);
  if (p->config.suppress.on) {
    err_file(e, p->yaml_path);
    return err_set(e, "this project suppresses noise: it has no classes to train; mote train and "
                      "mote test work");
  }
  if (!project_learner(&p->config, job->learner, &learner, e)) {
    err_file(e, job->learner ? "--learner" : p->yaml_path);
    return false;
  }
  if (learner.on && (p->config.objects.on || p->config.regression.on)) {
    err_file(e, job->learner ? "--learner" : p->yaml_path);
    return err_set(e,
                   p->config.objects.on
                       ? "objects are found by a network; %s tells whole pictures apart"
                       : "numbers are estimated by a network; %s tells classes or anomalies",
                   learn_kind_name(learner.config.kind));
  }
  if (learner.on) return learning_run(c, p, job, &learner, out, e);
  if (!reconstruction_asked(p, job, &t->normal, e)) return false;
  t->c = c;
  t->p = p;
  t->job = job;
  t->out = out;
  if (!prepare(t, e) || !find_stored(t, e)) return false;
  if (job->only_known && !out->known) return true;
  if (job->say && !c->quiet) say_choices(t);
  if (!start_run(t, e)) return false;
  if (out->known && !job->only_known && !store_run_take(p->store, out->run, e)) return false;
  struct train_examples examples = {.n = (uint32_t)t->train.n_windows,
                                    .labels = t->train.labels,
                                    .example = draw,
                                    .targets = p->config.objects.on ? draw_targets
                                               : out->scales        ? draw_numbers
                                                                    : NULL,
                                    .context = t};
  /* A known run is at its last epoch already: the trainer only sets it up again. */
  struct train_hooks hooks = {.progress = c->progress,
                              .checkpoint = out->known ? NULL : keep_epoch,
                              .context = t,
                              .resume = out->known || out->resumed ? t->stored.checkpoint : NULL,
                              .resume_bytes =
                                  out->known || out->resumed ? t->stored.checkpoint_bytes : 0};
  struct train_result result;
  struct train_start *start = ARENA_NEW(p->arena, struct train_start);
  t->unpruned = t->config;
  if (!stages_before(c, p, job, out, &t->config, &hooks, start, e)) return false;
  const struct train_set *validation = t->validation_set.n ? &t->validation_set : NULL;
  return train_fit(p->arena, &out->network, &examples, validation, &t->config, &hooks, &result,
                   e) &&
         finish(t, &result, &examples, e);
}

/* ---- trying ------------------------------------------------------------------------------ */
static int share_of(int epochs, double share, int least) {
  const int n = (int)lround(epochs * share);
  return n > least ? n : epochs < least ? epochs : least;
}

bool training_network(const struct project_config *c, struct arena *a, const int dims[3],
                      int n_classes, uint32_t examples, struct train_network *net, const char **why,
                      struct err *e) {
  const char **lines = NULL;
  const int n = project_layers(a, c->network, &lines);
  if (c->objects.on || c->regression.on)
    return err_set(e, "this is for networks that tell classes; %s in mote.yaml)",
                   c->objects.on ? "objects are counted (`objects`"
                                 : "numbers are estimated (`regression`");
  struct text words;
  text_init(&words, a);
  if (n == 0) {
    const bool ok = train_network_default(project_input(c), dims[0], dims[1], dims[2], n_classes,
                                          examples, NULL, net, &words, e);
    if (why) *why = words.data;
    return ok;
  }
  if (why) *why = "the layers that were named";
  if (n == 1 && train_is_preset(lines[0]))
    return train_network_preset(a, lines[0], dims[0], dims[1], dims[2], n_classes, net, e) &&
           answers_classes(net, e);
  return train_network_parse(lines, n, dims[0], dims[1], dims[2], n_classes, net, e) &&
         answers_classes(net, e);
}

bool training_try(const struct training_trial *trial, struct arena *a, struct training_tried *out,
                  struct err *e) {
  static const struct training_job job = {.seed = -1};
  struct project p = {.arena = a, .config = *trial->config, .yaml_path = PROJECT_FILE};
  struct training *t = ARENA_NEW(a, struct training);
  struct training_outcome *o = ARENA_NEW(a, struct training_outcome);
  *t = (struct training){
      .p = &p, .job = &job, .out = o, .train = *trial->train, .validation = *trial->validation};
  /* The datasets may be shared with trials of other settings, or be none. */
  t->train.config = t->validation.config = trial->config;
  o->features = *trial->features;
  o->classes = trial->classes;
  o->n_classes = trial->n_classes;
  const uint32_t n = (uint32_t)t->train.n_windows, n_validation = (uint32_t)t->validation.n_windows;
  if (!training_network(&p.config, a, o->features.dims, o->n_classes, n, &o->network, NULL, e))
    return false;
  gather_background(t);
  project_training(&p.config, n, &t->config);
  t->config.threads = trial->threads;
  if (trial->share < 1) {
    t->config.epochs = share_of(t->config.epochs, trial->share, 2);
    t->config.qat_epochs = share_of(t->config.qat_epochs, trial->share, 1);
  }
  if (!train_config_check(&t->config, e)) return false;
  t->validation_set = (struct train_set){
      .n = n_validation, .features = trial->validation_features, .labels = t->validation.labels};
  if (!keep_variants(t, e)) return false;
  describe_settings(t);
  const struct train_examples examples = {
      .n = n, .labels = t->train.labels, .example = draw, .context = t};
  const struct train_hooks hooks = {.cancel = trial->cancel};
  if (!train_fit(a, &o->network, &examples, n_validation ? &t->validation_set : NULL, &t->config,
                 &hooks, &out->result, e))
    return false;
  out->result.graph->name = p.config.name;
  out->network = o->network;
  out->settings = t->settings;
  return true;
}

bool training_float_scores(const struct training_outcome *t, const struct dataset *d,
                           struct arena *a, float **scores, struct err *e) {
  int8_t *features = NULL;
  size_t n = (size_t)d->n_windows * (size_t)t->n_classes;
  if (n * sizeof(float) + 64 > arena_left(a)) return err_set(e, "scores do not fit into memory");
  if (!dataset_features(d, &t->features, a, &features, e)) return false;
  *scores = ARENA_ARRAY(a, float, n + 1);
  train_predict_float(t->model, features, (uint32_t)d->n_windows, *scores);
  return true;
}
