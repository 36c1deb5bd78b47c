/* mote features: what the features make of a recording, and what they cost. */
#include "app/look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Ten steps from low to high that any terminal has. */
static const char shades[] = " .:-=+*#%@";

/* Time runs to the right, bands upwards, one plane above the other; at most `room` columns, the mean of what falls into one.
 * features: as features_planes gives them. */
static void print_map(const struct features_block *b, const int8_t *features, int room) {
  int height = b->dims[0], width = b->dims[1] * b->dims[2];
  int columns = height < room ? height : room;
  int least = 127, most = -128;
  for (size_t i = 0; i < b->out_bytes; i++) {
    least = features[i] < least ? features[i] : least;
    most = features[i] > most ? features[i] : most;
  }
  double span = most > least ? most - least : 1;
  for (int y = width - 1; y >= 0; y--) {
    printf("%4d |", y);
    for (int x = 0; x < columns; x++) {
      int from = height * x / columns, to = height * (x + 1) / columns, sum = 0;
      for (int t = from; t < to; t++) sum += features[t * width + y];
      int level = (int)(((double)sum / (to - from) - least) / span * 9.0 + 0.5);
      putchar(shades[level < 0 ? 0 : level > 9 ? 9 : level]);
    }
    printf("|\n");
  }
  printf("      %d frames ->   ' ' = %d   '@' = %d\n", height, least, most);
}

static bool is_number(const char *word) {
  return word[0] && strspn(word, "0123456789") == strlen(word);
}

/* A stored sample by its id as a data set of one. */
static bool load_sample(struct project *p, int64_t id, const double *range, struct dataset *d,
                        const char **title, struct err *e) {
  struct store_sample s;
  if (!store_get(p->store, p->arena, id, &s, e)) return false;
  const char *const classes[] = {s.label, "unknown"};
  struct dataset_pick all = {.splits = 7, .id = id};
  *title = arena_printf(p->arena, "sample %lld, %s", (long long)id, s.label);
  if (!dataset_load(p, &all, classes, 2, range, d, e)) return false;
  if (d->n_samples) return true;
  return err_set(e, "sample %lld is labelled \"%s\", which data.ignore in mote.yaml leaves out",
                 (long long)id, s.label);
}

enum origin { UNTRAINED, CHANGED, TRAINED };

/* What mote.yaml says; with the trained model's map to int8 where that has the same features. */
static bool get_block(struct project *p, struct features_block *block, const double **range,
                      enum origin *origin, struct err *e) {
  struct project_model m;
  struct err ignored = {0};
  struct dataset_pick pick = {.splits = 1u << STORE_TRAIN};
  if (!dataset_range(p, &pick, range, e) ||
      !features_build(p->config.features, p->config.n_features, p->arena, block, e))
    return false;
  *origin = UNTRAINED;
  if (!project_load_model(p, 0, &m, &ignored)) return true;
  *origin = features_alike(block, &m.features) ? TRAINED : CHANGED;
  if (*origin == TRAINED) *block = m.features, *range = m.range;
  return true;
}

/* Of every window the values before int8, in the sensor's unit. */
static void put_values(struct command_line *c, struct json *j, const struct features_block *b,
                       const struct dataset *d, const double *range) {
  int16_t *const samples =
      ARENA_ARRAY(c->arena, int16_t, (size_t)b->window_samples * (size_t)b->channels);
  void *const scratch = arena_alloc(c->arena, b->scratch_bytes + 4 * b->out_bytes + 8, 8);
  double *const values = ARENA_ARRAY(c->arena, double, b->out_bytes);
  double *const unit = ARENA_ARRAY(c->arena, double, b->channels);
  for (int k = 0; k < b->channels; k++) unit[k] = range ? range[k] / 32767 : 1;
  json_open_array(j, "values");
  for (int i = 0; d && i < d->n_windows; i++) {
    dataset_window(d, i, samples);
    features_values(b, unit, samples, scratch, values);
    json_open_array(j, NULL);
    for (size_t k = 0; k < b->out_bytes; k++) json_put_real(j, NULL, values[k]);
    json_close_array(j);
  }
  json_close_array(j);
}

static void print_json(struct command_line *c, const struct features_block *b, const char *title,
                       const struct dataset *d, const int8_t *features, const double *range,
                       bool trained) {
  struct text text;
  struct json j;
  text_init(&text, c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_string(&j, "source", title);
  json_put_bool(&j, "trained", trained);
  json_open_array(&j, "shape");
  for (int i = 0; i < 3; i++) json_put_int(&j, NULL, b->dims[i]);
  json_close_array(&j);
  json_put_real(&j, "scale", (double)b->scale);
  json_put_int(&j, "zp", b->zp);
  json_put_int(&j, "window_samples", b->window_samples);
  json_put_int(&j, "flash_bytes", (int64_t)b->bytes);
  json_put_int(&j, "ram_scratch_bytes", (int64_t)b->scratch_bytes);
  json_open_array(&j, "windows");
  for (int i = 0; d && i < d->n_windows; i++) {
    json_open_array(&j, NULL);
    for (size_t k = 0; k < b->out_bytes; k++)
      json_put_int(&j, NULL, features[(size_t)i * b->out_bytes + k]);
    json_close_array(&j);
  }
  json_close_array(&j);
  put_values(c, &j, b, d, range);
  json_close_object(&j);
  fputs(text.data, stdout);
}

/* What is shown: the features of one sample or file, or one of the looks at many windows. */
struct wanted {
  const char *dir, *out, *map;
  bool plot, explore, rank, automatic, write;
  int64_t seed;
};

static bool run_look(struct command_line *c, struct project *p, const struct wanted *w,
                     struct features_block *block, const double *range, bool trained) {
  struct look_windows windows;
  const struct look look = {.line = c,
                            .project = p,
                            .output = w->out,
                            .range = range,
                            .map = w->map,
                            .seed = (uint64_t)w->seed,
                            .write = w->write};
  if (w->automatic) return look_auto(&look, &c->err);
  if (!trained &&
      (!look_load(&look, 1000, &windows, &c->err) || !look_fit(&windows, c->arena, block, &c->err)))
    return false;
  if (w->explore) return look_explore(&look, block, &c->err);
  return w->rank ? look_rank(&look, block, &c->err) : look_plot(&look, block, NULL, NULL, &c->err);
}

static bool run(struct command_line *c, struct project *p, const struct wanted *w) {
  const char *const dir = w->dir, *const out = w->plot ? NULL : w->out;
  struct features_block block;
  struct dataset d = {0};
  const double *range = NULL;
  const char *title = NULL;
  int8_t *features = NULL;
  struct text about;
  enum origin origin = UNTRAINED;
  const char *what = c->n_words ? c->words[0] : NULL;
  if (!project_open(c->arena, dir, STORE_READ, p, &c->err) ||
      !get_block(p, &block, &range, &origin, &c->err))
    return false;
  const bool trained = origin == TRAINED;
  const bool looks = w->explore || w->rank || w->automatic || (w->plot && !what);
  if (looks && p->config.objects.on)
    return err_set(&c->err, "this looks at windows by their classes; pictures in which objects are "
                            "counted have none (`mote data show ID --plot` draws one)");
  if (looks && p->config.regression.on)
    return err_set(&c->err,
                   "this looks at windows by their classes; this project estimates numbers "
                   "(`mote features ID --plot` draws a sample)");
  if (looks) return run_look(c, p, w, &block, range, trained);
  if (what && is_number(what) && !file_exists(what)) {
    if (!load_sample(p, strtoll(what, NULL, 10), range, &d, &title, &c->err)) return false;
  } else if (what) {
    title = what;
    if (!dataset_load_file(p, what, NULL, range, &d, &c->err)) return false;
  }
  if (w->plot) {
    const struct look look = {.line = c, .project = p, .output = w->out, .range = range};
    return look_plot(&look, &block, &d, title, &c->err);
  }
  if (what && !dataset_features(&d, &block, c->arena, &features, &c->err)) return false;
  if (out && !what) return err_set(&c->err, "-o needs a sample or a file whose features it writes");
  if (out && !file_write(out, features, (size_t)d.n_windows * block.out_bytes, &c->err))
    return false;
  if (c->json) {
    print_json(c, &block, title, what ? &d : NULL, features, range, trained);
    return true;
  }
  text_init(&about, c->arena);
  features_describe(&block, &about);
  fputs(about.data, stdout);
  if (!trained)
    printf("%s: the range of the int8 values is a typical one\n",
           origin == CHANGED ? "not the trained model's features, since mote.yaml or the samples "
                               "were changed"
                             : "not trained yet");
  int8_t *const planes = arena_alloc(c->arena, 1, block.out_bytes);
  for (int i = 0; what && i < d.n_windows && i < 4; i++) {
    printf("\n%s, window %d of %d\n", title, i + 1, d.n_windows);
    features_planes(&block, features + (size_t)i * block.out_bytes, planes);
    print_map(&block, planes, 100);
  }
  return true;
}

int cmd_features(int argc, char **argv) {
  struct wanted w = {.seed = 1};
  const struct option_spec options[] = {
      {'o', "output", OPTION_TEXT, "FILE", "write the int8 features of every window, or the page",
       &w.out},
      {0, "plot", OPTION_FLAG, NULL,
       "a page: windows and their features, of a sample or file, or some of each class", &w.plot},
      {0, "explore", OPTION_FLAG, NULL,
       "a page: all windows in two dimensions; a point shows its sample", &w.explore},
      {0, "map", OPTION_TEXT, "umap|pca", "--explore: how (umap)", &w.map},
      {0, "rank", OPTION_FLAG, NULL, "what each value tells about the class", &w.rank},
      {0, "auto", OPTION_FLAG, NULL, "try kinds and parameters, and say which suit and why",
       &w.automatic},
      {0, "write", OPTION_FLAG, NULL, "--auto: put the choice in mote.yaml", &w.write},
      {0, "seed", OPTION_INT, "N", "--explore: another layout (1)", &w.seed},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &w.dir},
      {0}};
  const struct command_spec spec = {
      .usage =
          "mote features [ID | FILE] [--plot | --explore | --rank | --auto [--write]] [-o FILE]",
      .about = "What stands between the sensor and the network: shape and memory of the features, "
               "and the features\n"
               "of a sample (its number in `mote data --list`) or of a file, as a map. And of many "
               "windows: drawn, laid out\n"
               "in two dimensions, ranked by what they tell, or chosen from the data.",
      .options = options,
      .examples = "  mote features\n  mote features 17 --plot\n  mote features yes.wav -o yes.bin\n"
                  "  mote features --explore -o words.html\n  mote features --auto --write",
      .most = 1};
  struct command_line c;
  struct project p = {0};
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  const int looks = w.plot + w.explore + w.rank + w.automatic;
  if (looks > 1) return command_usage(&c, "one of --plot, --explore, --rank and --auto at a time");
  if (c.n_words && looks && !w.plot)
    return command_usage(&c, "%s stands alone with --plot only", c.words[0]);
  if (w.map && !w.explore) return command_usage(&c, "--map belongs to --explore");
  if (w.write && !w.automatic) return command_usage(&c, "--write belongs to --auto");
  bool ok = run(&c, &p, &w);
  project_close(&p);
  return command_end(&c, ok);
}
