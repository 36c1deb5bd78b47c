/* mote predict: what a recording is, as the trained model sees it. */
#include "app/anomaly.h"
#include "app/decide.h"
#include "app/objects.h"
#include "app/regression.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- standard input ---------------------------------------------------------------------- */
/* A recording on standard input becomes a file: libsndfile needs to seek. Its kind shows in its first bytes. */
static bool take_input(struct arena *a, char **folder, const char **path, struct err *e) {
  size_t room = 1 << 16, n = 0, got;
  uint8_t *data = malloc(room);
  while (data && (got = fread(data + n, 1, room - n, stdin)) > 0) {
    n += got;
    if (n < room) continue;
    if (room > ((size_t)256 << 20)) {
      free(data);
      return err_set(e, "more than 256 MiB on standard input; write it to a file");
    }
    uint8_t *more = realloc(data, room *= 2);
    if (!more) free(data);
    data = more;
  }
  if (!data) return err_set(e, "no memory left");
  const char *ending = n >= 4 && memcmp(data, "RIFF", 4) == 0   ? "wav"
                       : n >= 4 && memcmp(data, "fLaC", 4) == 0 ? "flac"
                       : n >= 4 && memcmp(data, "OggS", 4) == 0 ? "ogg"
                                                                : "csv";
  bool ok = n > 0 || err_set(e, "nothing on standard input");
  ok = ok && dir_temporary(a, folder, e);
  if (ok) {
    *path = arena_printf(a, "%s/input.%s", *folder, ending);
    ok = file_write(*path, data, n, e);
  }
  free(data);
  return ok;
}

/* ---- one recording --------------------------------------------------------------------------- */
struct answer {
  const char *path;
  int windows;
  const int8_t *scores;   /* [windows][classes]; NULL: an anomaly score alone */
  const int32_t *anomaly; /* [windows], NULL: the model has no such score */
  double mean_anomaly;
  bool anomalous;             /* the mean is above the threshold */
  struct learning_why why[4]; /* of the window with the largest score */
  int n_why;
  const double *start_s;
  double *mean; /* [classes], 0 to 1 */
  int best;
  const float *numbers; /* [windows][classes], of projects that estimate them; NULL: others */
  struct mote_object *objects; /* of projects that count; NULL: others */
  int n_objects;
};

/* The score of every window, and what makes the worst of them anomalous. */
static bool add_anomaly(struct project *p, const struct project_model *m, const struct dataset *d,
                        const uint8_t *outputs, struct answer *x, struct err *e) {
  int32_t *scores = ARENA_ARRAY(p->arena, int32_t, d->n_windows + 1);
  int8_t *features = NULL;
  int worst = 0;
  if (!m->anomaly) return true;
  decide_take(m->graph, m->score_output, outputs, d->n_windows, scores);
  for (int i = 0; i < d->n_windows; i++) {
    x->mean_anomaly += learn_score(m->anomaly, scores[i]) / d->n_windows;
    if (scores[i] > scores[worst]) worst = i;
  }
  x->anomaly = scores;
  x->anomalous = x->mean_anomaly > learn_score(m->anomaly, m->anomaly->threshold);
  if (!dataset_features(d, &m->features, p->arena, &features, e)) return false;
  const int8_t *answers = anomaly_answers(p->arena, m->graph, m->anomaly, outputs, d->n_windows);
  const size_t at = (size_t)worst * m->features.out_bytes;
  x->n_why = learning_why(m->anomaly, &m->features, features + at, answers ? answers + at : NULL,
                          p->arena, x->why, 4);
  return true;
}

/* The values of every window, and their means. */
static void add_numbers(struct project *p, const struct project_model *m, struct answer *x) {
  const struct regression_map *map = regression_maps(p->arena, m->graph, m->scales, m->n_classes);
  float *numbers = ARENA_ARRAY(p->arena, float, (size_t)x->windows *(size_t)m->n_classes + 1);
  for (int i = 0; i < x->windows; i++)
    for (int k = 0; k < m->n_classes; k++) {
      const int at = i * m->n_classes + k;
      numbers[at] = regression_value(&map[k], x->scores[at]);
      x->mean[k] += (double)numbers[at] / x->windows;
    }
  x->numbers = numbers;
}

static bool predict(struct project *p, const struct project_model *m, const char *path,
                    const struct dataset_table *how, const char *shown, struct answer *x,
                    struct err *e) {
  struct dataset d;
  uint8_t *outputs;
  if (!dataset_load_file(p, path, how, m->range, &d, e) ||
      !decide_outputs(p->arena, p->config.name, m->graph, &m->features, NULL, &d, &outputs, e) ||
      !add_anomaly(p, m, &d, outputs, x, e))
    return false;
  double *start_s = ARENA_ARRAY(p->arena, double, d.n_windows + 1);
  x->path = shown;
  x->windows = d.n_windows;
  x->start_s = start_s;
  for (int i = 0; i < d.n_windows; i++)
    start_s[i] = d.windows[i].start < 0 ? 0 : (double)d.windows[i].start / p->config.rate_hz;
  if (project_only_scores(m)) return true;
  if (m->objects.height) {
    x->scores = (const int8_t *)outputs;
    x->objects = ARENA_ARRAY(p->arena, struct mote_object, OBJECTS_SEEN);
    const uint32_t n = mote_objects_find(&m->objects, x->scores, x->objects, OBJECTS_SEEN);
    x->n_objects = n < OBJECTS_SEEN ? (int)n : OBJECTS_SEEN;
    return true;
  }
  int8_t *scores = ARENA_ARRAY(p->arena, int8_t, (size_t)d.n_windows * (size_t)m->n_classes + 1);
  decide_take(m->graph, 0, outputs, d.n_windows, scores);
  x->scores = scores;
  x->mean = ARENA_ARRAY(p->arena, double, m->n_classes);
  if (m->scales) {
    add_numbers(p, m, x);
    return true;
  }
  for (int i = 0; i < d.n_windows; i++)
    for (int k = 0; k < m->n_classes; k++)
      x->mean[k] += (scores[i * m->n_classes + k] + 128) / 256.0 / d.n_windows;
  for (int k = 1; k < m->n_classes; k++)
    if (x->mean[k] > x->mean[x->best]) x->best = k;
  return true;
}

/* ---- output ---------------------------------------------------------------------------------- */
static void print_anomaly(const struct project_model *m, const struct answer *x) {
  if (!x->anomaly) return;
  printf("  %s, score %.3g (threshold %.3g)", x->anomalous ? "ANOMALY" : "normal", x->mean_anomaly,
         learn_score(m->anomaly, m->anomaly->threshold));
  if (x->anomalous && x->n_why) {
    printf("  by ");
    learning_why_print(x->why, x->n_why);
  }
}

static void print_window(const struct project_model *m, const struct answer *x, int i) {
  printf("  %8.2f s", x->start_s[i]);
  for (int k = 0; x->numbers && k < m->n_classes; k++)
    printf("  %s %.4g", m->classes[k], (double)x->numbers[i * m->n_classes + k]);
  if (x->scores && !x->numbers) {
    const int8_t *s = x->scores + (size_t)i * (size_t)m->n_classes;
    const int best = decide_best(s, m->n_classes);
    printf("  %-16s %.0f %%", m->classes[best], (s[best] + 128) / 2.56);
  }
  if (x->anomaly)
    printf("  %s %.3g", x->anomaly[i] > m->anomaly->threshold ? "ANOMALY" : "normal ",
           learn_score(m->anomaly, x->anomaly[i]));
  printf("\n");
}

static int count_of(const struct answer *x, int label) {
  int n = 0;
  for (int i = 0; i < x->n_objects; i++) n += x->objects[i].label == label;
  return n;
}

static void print_objects(const struct project_model *m, const struct answer *x, bool each) {
  printf("%s", x->path);
  for (int k = 0; k < m->n_classes; k++)
    if (count_of(x, k)) printf("  %d %s", count_of(x, k), m->classes[k]);
  printf(x->n_objects ? "\n" : "  nothing\n");
  for (int i = 0; each && i < x->n_objects; i++) {
    const struct mote_object *o = &x->objects[i];
    printf("  %4u,%-4u  %-16s %.0f %%\n", o->x, o->y, m->classes[o->label], o->score / 2.56);
  }
}

static void json_objects(struct json *j, const struct project_model *m, const struct answer *x) {
  json_open_object(j, "counts");
  for (int k = 0; k < m->n_classes; k++) json_put_int(j, m->classes[k], count_of(x, k));
  json_close_object(j);
  json_open_array(j, "objects");
  for (int i = 0; i < x->n_objects; i++) {
    const struct mote_object *o = &x->objects[i];
    json_open_object(j, NULL);
    json_put_string(j, "class", m->classes[o->label]);
    json_put_int(j, "x", o->x);
    json_put_int(j, "y", o->y);
    json_put_real(j, "score", o->score / 256.0);
    json_close_object(j);
  }
  json_close_array(j);
}

static void print_text(const struct project_model *m, const struct answer *x, const char *unit,
                       bool windows) {
  if (x->objects) {
    print_objects(m, x, windows);
    return;
  }
  printf("%s", x->path);
  for (int k = 0; x->numbers && k < m->n_classes; k++)
    printf("  %s %.4g%s%s", m->classes[k], x->mean[k], unit[0] ? " " : "", unit);
  if (x->scores && !x->numbers) {
    printf("  %s  %.0f %%", m->classes[x->best], 100 * x->mean[x->best]);
    int second = -1;
    for (int k = 0; k < m->n_classes; k++)
      if (k != x->best && (second < 0 || x->mean[k] > x->mean[second])) second = k;
    if (second >= 0 && x->mean[second] >= 0.005)
      printf("   (then %s, %.0f %%)", m->classes[second], 100 * x->mean[second]);
  }
  print_anomaly(m, x);
  printf("\n");
  for (int i = 0; windows && i < x->windows; i++) print_window(m, x, i);
}

static void json_anomaly(struct json *j, const struct project_model *m, const struct answer *x) {
  json_open_object(j, "anomaly");
  json_put_real(j, "score", x->mean_anomaly);
  json_put_real(j, "threshold", learn_score(m->anomaly, m->anomaly->threshold));
  json_put_bool(j, "anomalous", x->anomalous);
  json_open_array(j, "why");
  for (int i = 0; i < x->n_why; i++) {
    json_open_object(j, NULL);
    learning_why_json(&x->why[i], j);
    json_close_object(j);
  }
  json_close_array(j);
  json_close_object(j);
}

static void add_json(struct json *j, const struct project_model *m, const struct answer *x,
                     bool windows) {
  json_open_object(j, NULL);
  json_put_string(j, "file", x->path);
  if (x->objects) {
    json_objects(j, m, x);
    json_close_object(j);
    return;
  }
  if (x->numbers) {
    json_open_object(j, "numbers");
    for (int k = 0; k < m->n_classes; k++) json_put_real(j, m->classes[k], x->mean[k]);
    json_close_object(j);
  } else if (x->scores) {
    json_put_string(j, "class", m->classes[x->best]);
    json_put_real(j, "score", x->mean[x->best]);
    json_open_object(j, "scores");
    for (int k = 0; k < m->n_classes; k++) json_put_real(j, m->classes[k], x->mean[k]);
    json_close_object(j);
  }
  if (x->anomaly) json_anomaly(j, m, x);
  if (windows) {
    json_open_array(j, "windows");
    for (int i = 0; i < x->windows; i++) {
      json_open_object(j, NULL);
      json_put_real(j, "start_s", x->start_s[i]);
      if (x->numbers) {
        json_open_object(j, "numbers");
        for (int k = 0; k < m->n_classes; k++)
          json_put_real(j, m->classes[k], (double)x->numbers[i * m->n_classes + k]);
        json_close_object(j);
      }
      if (x->scores && !x->numbers) {
        const int8_t *s = x->scores + (size_t)i * (size_t)m->n_classes;
        const int best = decide_best(s, m->n_classes);
        json_put_string(j, "class", m->classes[best]);
        json_put_real(j, "score", (s[best] + 128) / 256.0);
      }
      if (x->anomaly) json_put_real(j, "anomaly", learn_score(m->anomaly, x->anomaly[i]));
      json_close_object(j);
    }
    json_close_array(j);
  }
  json_close_object(j);
}

/* The raw int8 scores of every window, one recording behind another. */
static bool write_scores(struct arena *a, const struct answer *x, int n, int classes,
                         const char *path, struct err *e) {
  struct text bytes;
  text_init(&bytes, a);
  for (int i = 0; i < n; i++)
    if (x[i].scores)
      text_addn(&bytes, (const char *)x[i].scores, (size_t)x[i].windows * (size_t)classes);
    else
      text_addn(&bytes, (const char *)x[i].anomaly, (size_t)x[i].windows * sizeof(int32_t));
  return file_write(path, bytes.data, bytes.size, e);
}

static bool run(struct command_line *c, struct project *p, const char *dir, int64_t run_id,
                const struct dataset_table *how, bool windows, const char *out, char **folder) {
  struct project_model m;
  struct text text;
  struct json j;
  if (!project_open(c->arena, dir, STORE_READ, p, &c->err) ||
      !project_load_model(p, run_id, &m, &c->err))
    return false;
  struct answer *x = ARENA_ARRAY(c->arena, struct answer, c->n_words);
  for (int i = 0; i < c->n_words; i++) {
    const char *path = c->words[i];
    if (strcmp(path, "-") == 0 && (*folder || !take_input(c->arena, folder, &path, &c->err))) {
      if (*folder && !c->err.text[0]) err_set(&c->err, "standard input (-) can be read once");
      return false;
    }
    if (!predict(p, &m, path, how, c->words[i], &x[i], &c->err)) return false;
    if (!c->json)
      print_text(&m, &x[i], p->config.regression.on ? p->config.regression.unit : "", windows);
    if (c->n_words > 10)
      progress_update(c->progress, "predict", (uint64_t)i + 1, (uint64_t)c->n_words, "%s", "");
  }
  /* Of a project that counts an answer is a map. */
  const int values = m.objects.height ? (int)decide_bytes(m.graph) : m.n_classes;
  if (out && !write_scores(c->arena, x, c->n_words, values, out, &c->err)) return false;
  if (!c->json) return true;
  text_init(&text, c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_int(&j, "run", m.run);
  json_open_array(&j, "files");
  for (int i = 0; i < c->n_words; i++) add_json(&j, &m, &x[i], windows);
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
  return true;
}

int cmd_predict(int argc, char **argv) {
  const char *dir = NULL, *out = NULL;
  int64_t run_id = 0;
  bool windows = false;
  struct dataset_table how = {0};
  const struct option_spec options[] = {
      {'w', "windows", OPTION_FLAG, NULL, "also what each window says, or where each object is",
       &windows},
      {'o', "output", OPTION_TEXT, "FILE", "write the int8 scores of every window", &out},
      {0, "columns", OPTION_TEXT, "LIST",
       "tables: the channels' columns, by name, number or 3-66; .npz: the array", &how.columns},
      {0, "each-row", OPTION_FLAG, NULL, "tables and arrays: each row is a recording of its own",
       &how.each_row},
      {0, "run", OPTION_COUNT, "ID", "another run than the latest", &run_id},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote predict FILE... | -",
      .about = "Says what recordings are, with the int8 model that the device runs. - reads one "
               "from standard input.",
      .options = options,
      .examples = "  mote predict yes.wav\n  arecord -d 1 -f S16_LE -r 16000 | mote predict -",
      .least = 1,
      .most = -1};
  struct command_line c;
  struct project p = {0};
  char *folder = NULL;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  bool ok = run(&c, &p, dir, run_id, &how, windows, out, &folder);
  if (folder) dir_remove(folder);
  project_close(&p);
  return command_end(&c, ok);
}
