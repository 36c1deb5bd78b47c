/* project: finding and opening, and the trained model. Reading mote.yaml is config.c, samples are dataset.c. */
#include "app/learning.h"
#include "app/objects.h"
#include "app/regression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *project_find(struct arena *a) {
  char cwd[4096];
  if (!getcwd(cwd, sizeof cwd)) return NULL;
  char *dir = arena_strdup(a, cwd);
  for (;;) {
    if (file_exists(arena_printf(a, "%s/" PROJECT_FILE, dir))) return dir;
    char *slash = strrchr(dir, '/');
    if (!slash || slash == dir) return NULL;
    *slash = 0;
  }
}

bool project_open(struct arena *a, const char *dir, enum store_mode mode, struct project *p,
                  struct err *e) {
  memset(p, 0, sizeof *p);
  p->arena = a;
  p->dir = dir ? dir : project_find(a);
  if (!p->dir)
    return err_set(
        e, "no mote.yaml here or in a folder above; `mote new NAME --template keyword` makes a "
           "project, --project FOLDER names one");
  p->yaml_path = arena_printf(a, "%s/" PROJECT_FILE, p->dir);
  p->db_path = arena_printf(a, "%s/" PROJECT_DATABASE, p->dir);
  return project_read_config(a, p->yaml_path, &p->config, e) &&
         store_open(a, p->db_path, mode, &p->store, e);
}

void project_close(struct project *p) {
  store_close(p->store);
  p->store = NULL;
}

/* ---- the model ------------------------------------------------------------------- */
/* Whether the run estimates what mote.yaml asks for, in its order. */
static bool same_numbers(const struct project_regression *g, const char *const *names, int n,
                         int n_scales) {
  bool same = g->on ? n == g->n_of && n_scales == n : n_scales == 0;
  for (int i = 0; same && g->on && i < n; i++) same = strcmp(names[i], g->of[i]) == 0;
  return same;
}

/* What a run keeps beside graph and features: lines "class NAME" and "range VALUE" among others. The text is
 * this program's own, but the file may come from anywhere. */
static bool read_card(struct project *p, const char *text, struct project_model *m,
                      int *quantised_from, struct err *e) {
  size_t room = strlen(text) / 6 + 2; /* a line is at least "class ", so no more can come */
  const char **names = ARENA_ARRAY(p->arena, const char *, room);
  double *values = ARENA_ARRAY(p->arena, double, room);
  struct project_scale *scales = ARENA_ARRAY(p->arena, struct project_scale, room);
  int n = 0, n_range = 0, n_scales = 0;
  bool ok = true;
  char *copy = arena_strdup(p->arena, text), *rest = NULL;
  for (char *line = strtok_r(copy, "\n", &rest); line && ok; line = strtok_r(NULL, "\n", &rest)) {
    if (text_starts(line, "class ")) names[n++] = line + 6;
    if (text_starts(line, "number ")) regression_read_card(line, scales, &n_scales);
    if (text_starts(line, "threshold ")) learning_read_card(line, &m->calibration);
    if (text_starts(line, "objects_threshold "))
      m->objects.threshold = (uint8_t)strtoul(line + 18, NULL, 10);
    if (text_starts(line, "quantised_from ")) *quantised_from = (int)strtol(line + 15, NULL, 10);
    if (!text_starts(line, "range ")) continue;
    values[n_range] = strtod(line + 6, NULL);
    ok = values[n_range] > 0 && isfinite(values[n_range]);
    n_range++;
  }
  if (project_has_range(&p->config)) ok = ok && n_range == p->config.channels;
  if (!ok || n < 1)
    return err_set(
        e,
        "what is kept of run %lld does not fit mote.yaml (%d classes, ranges of %d channels); "
        "train again",
        (long long)m->run, n, n_range);
  if (!same_numbers(&p->config.regression, names, n, n_scales))
    return err_set(e, "run %lld %s and mote.yaml says otherwise (`regression`); train again",
                   (long long)m->run,
                   !n_scales                 ? "tells classes"
                   : p->config.regression.on ? "estimates other numbers"
                                             : "estimates numbers");
  m->scales = n_scales ? scales : NULL;
  m->classes = names;
  m->n_classes = n;
  m->range = n_range ? values : NULL;
  return true;
}

/* from: the first epoch of quantisation-aware training; 0: none. */
static bool read_history(struct project *p, int64_t run, int from, struct project_model *m,
                         struct err *e) {
  struct store_epoch *epochs = NULL;
  int n = 0;
  if (!store_run_history(p->store, p->arena, run, &epochs, &n, e)) return false;
  struct train_epoch *history = ARENA_ARRAY(p->arena, struct train_epoch, n + 1);
  for (int i = 0; i < n; i++)
    history[i] = (struct train_epoch){.epoch = epochs[i].epoch,
                                      .learning_rate = (float)epochs[i].learning_rate,
                                      .loss = (float)epochs[i].loss,
                                      .accuracy = (float)epochs[i].accuracy,
                                      .validation_loss = (float)epochs[i].validation_loss,
                                      .validation_accuracy = (float)epochs[i].validation_accuracy,
                                      .quantised = from > 0 && epochs[i].epoch >= from};
  m->history = history;
  m->n_history = n;
  return true;
}

/* The map of cells that the output is. */
static bool find_grid(const struct project *p, struct project_model *m, struct err *e) {
  const struct graph_tensor *out = &m->graph->tensors[m->graph->outputs[0]];
  const double given = p->config.objects.threshold;
  const unsigned threshold =
      given > 0 ? (unsigned)fmax(1, nearbyint(given * 256)) : m->objects.threshold;
  if (out->type != MOTE_INT8 || out->rank != 4 || out->dims[3] != m->n_classes + 1 ||
      out->dims[1] > 1024 || out->dims[2] > 1024 || !threshold)
    return err_set(e, "mote.yaml counts objects and run %lld does not; train again",
                   (long long)m->run);
  const struct objects_grid g =
      objects_grid_of(&p->config, &m->features, out->dims[1], out->dims[2], m->n_classes);
  m->objects = objects_device(&g, threshold);
  return true;
}

/* Do features, network and classes belong together? */
static bool check_model(const struct project *p, struct project_model *m, struct err *e) {
  const struct graph *g = m->graph;
  const bool answers = m->anomaly && m->anomaly->kind == MOTE_ML_RECONSTRUCTION;
  const int outputs = m->score_output > 0 || answers ? 2 : 1;
  if (g->n_inputs != 1 || g->n_outputs != outputs)
    return err_set(e, "the model has %d inputs and %d outputs, not 1 and %d; train again",
                   g->n_inputs, g->n_outputs, outputs);
  const struct graph_tensor *in = &g->tensors[g->inputs[0]], *out = &g->tensors[g->outputs[0]];
  if (p->config.objects.on && !find_grid(p, m, e)) return false;
  const bool fits = project_only_scores(m) || m->objects.height ||
                    (graph_elements(out) == m->n_classes && out->type == MOTE_INT8);
  if (graph_bytes(in) != m->features.out_bytes || !fits)
    return err_set(
        e,
        "features (%zu bytes), network (%zu in, %lld out) and classes (%d) do not belong "
        "together; train again",
        m->features.out_bytes, graph_bytes(in), (long long)graph_elements(out), m->n_classes);
  int window = (int)llround(p->config.features[0].window_ms * p->config.features[0].rate_hz / 1000);
  if (m->features.window_samples != window || m->features.channels != p->config.channels)
    return err_set(
        e,
        "the model was trained for windows of %d x %d samples and mote.yaml now says %d x %d; "
        "train again",
        m->features.window_samples, m->features.channels, window, p->config.channels);
  if ((m->features.map_columns > 0) != p->config.calibrate.features)
    return err_set(e,
                   "values of the features are calibrated in %s and not in %s (calibrate.of: "
                   "features); train again",
                   m->features.map_columns ? "the model" : "mote.yaml",
                   m->features.map_columns ? "mote.yaml" : "the model");
  return true;
}

bool project_load_model(struct project *p, int64_t run, struct project_model *m, struct err *e) {
  struct store_run stored;
  bool found = false;
  int quantised_from = 0;
  memset(m, 0, sizeof *m);
  if (p->config.suppress.on) {
    err_file(e, p->yaml_path);
    return err_set(e, "this project suppresses noise: its model answers no classes. mote train, "
                      "test, run, info, build, bench and verify work");
  }
  if (!store_run_get(p->store, p->arena, "", run, &stored, &found, e)) return false;
  if (found && stored.status == STORE_DONE) {
    m->run = stored.id;
    if (read_card(p, stored.metrics, m, &quantised_from, e) &&
        features_open(stored.features, stored.features_bytes, p->arena, &m->features, e) &&
        (m->graph = graph_load(p->arena, p->config.name, stored.model, stored.model_bytes, e)) !=
            NULL &&
        (learning_find(m->graph, m), check_model(p, m, e)) &&
        read_history(p, stored.id, quantised_from, m, e))
      return true;
  } else if (run) {
    err_set(e, "there is no finished run %lld", (long long)run);
  } else {
    err_set(e, "nothing is trained yet; `mote train` does it");
  }
  err_file(e, p->db_path);
  return false;
}

/* ---- windows for build, bench and verify ------------------------------------------ */
/* Of n windows the indices that stay when only `most` may: spread evenly. */
static bool cut_windows(struct project *p, const struct dataset *d,
                        const struct features_block *block, int most, struct project_windows *w,
                        struct err *e) {
  int n = d->n_windows, kept = most > 0 && most < n ? most : n;
  size_t numbers = features_window_words(block);
  if (!dataset_calibrate(d, block, e)) return false;
  memset(w, 0, sizeof *w);
  w->window_bytes = numbers * sizeof(int16_t);
  if ((size_t)kept * (w->window_bytes + 12) + 256 > arena_left(p->arena))
    return err_set(e, "%d windows do not fit into memory", kept);
  w->samples = ARENA_ARRAY(p->arena, int16_t, (size_t)(kept + 1) * numbers);
  w->labels = ARENA_ARRAY(p->arena, int32_t, kept + 1);
  w->ids = ARENA_ARRAY(p->arena, int64_t, kept + 1);
  for (int i = 0; i < kept; i++) {
    int from = (int)((int64_t)i * n / kept);
    dataset_input(d, block, from, w->samples + (size_t)i * numbers);
    w->labels[i] = d->labels[from];
    w->ids[i] = d->samples[d->windows[from].sample].id;
  }
  w->count = kept;
  return true;
}

bool project_split_windows(struct project *p, const struct project_model *m, enum store_split split,
                           const char *group, int most, struct project_windows *w, struct err *e) {
  struct dataset d;
  struct dataset_pick pick = {.splits = 1u << split, .group = group};
  return dataset_load(p, &pick, m->classes, m->n_classes, m->range, &d, e) &&
         cut_windows(p, &d, &m->features, most, w, e);
}

bool project_file_windows(struct project *p, const struct project_model *m, const char *path,
                          struct project_windows *w, struct err *e) {
  struct dataset d;
  return dataset_load_file(p, path, NULL, m->range, &d, e) &&
         cut_windows(p, &d, &m->features, 0, w, e);
}

/* Where a section begins in a text, and where the next begins: comments and empty lines in front of that are its own. */
static bool find_section(struct arena *a, const char *text, const char *key, size_t *from,
                         size_t *to) {
  const char *const start = arena_printf(a, "\n%s:", key);
  const char *p = text_starts(text, start + 1) ? text : strstr(text, start), *end;
  if (!p) return false;
  if (*p == '\n') p++;
  end = p;
  for (const char *line = strchr(p, '\n'); line; line = strchr(line + 1, '\n')) {
    end = line + 1;
    if (!line[1] || !strchr(" \n#-", line[1])) break;
  }
  if (end == p || (*end && end[-1] != '\n')) end = p + strlen(p);
  while (end > p + 1 && *end) {
    const char *line = end - 1;
    while (line > p && line[-1] != '\n') line--;
    if (line <= p || (*line != '#' && *line != '\n')) break;
    end = line;
  }
  *from = (size_t)(p - text);
  *to = (size_t)(end - text);
  return true;
}

static const char *replaced_section(struct arena *a, const char *text, const char *key,
                                    const char *section) {
  struct text out;
  size_t from = 0, to = 0, size = strlen(text);
  text_init(&out, a);
  if (find_section(a, text, key, &from, &to)) {
    text_addn(&out, text, from);
    text_add(&out, section);
    text_add(&out, text + to);
  } else {
    text_addn(&out, text, size);
    text_add(&out, size && text[size - 1] == '\n' ? "" : "\n");
    text_add(&out, section);
  }
  return out.data;
}

bool project_replace_section(struct project *p, const char *key, const char *section,
                             struct err *e) {
  uint8_t *bytes;
  size_t size;
  if (!file_read(p->arena, p->yaml_path, 1u << 20, &bytes, &size, e)) return false;
  const char *const out = replaced_section(p->arena, (const char *)bytes, key, section);
  return file_write(p->yaml_path, out, strlen(out), e);
}

/* ---- single keys -------------------------------------------------------------------------- */
/* A mapping in braces as lines of its own; NULL: it is not all on one line, or has braces within. */
static const char *unbraced(struct arena *a, const char *key, const char *value, size_t n) {
  struct text out;
  text_init(&out, a);
  const char *end = memchr(value, '}', n), *comment = memchr(value, '#', n);
  if (!end || (comment && comment < end) || memchr(value + 1, '{', n - 1) ||
      memchr(value, '[', n) || memchr(value, '"', n) || memchr(value, '\'', n))
    return NULL;
  text_printf(&out, "%s:%s%.*s\n", key, comment ? "               " : "",
              comment ? (int)(n - (size_t)(comment - value)) : 0, comment ? comment : "");
  for (const char *p = value + 1; p < end;) {
    p += strspn(p, " ,");
    size_t part = strcspn(p, ",}");
    if (part) text_printf(&out, "  %.*s\n", (int)part, p);
    p += part;
  }
  return out.data;
}

/* The line of `key` among the lines of a section behind its first; the indent of its keys. */
static const char *key_line(const char *section, const char *key, size_t *indent) {
  const char *found = NULL;
  *indent = 0;
  for (const char *line = strchr(section, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
    const char *p = line + 1;
    const size_t in = strspn(p, " ");
    if (!in || strchr("#\n-", p[in])) continue;
    if (!*indent) *indent = in;
    if (in == *indent && strncmp(p + in, key, strlen(key)) == 0 && p[in + strlen(key)] == ':')
      found = p;
  }
  return found;
}

const char *project_set_key(struct arena *a, const char *yaml, const char *section, const char *key,
                            const char *value, struct err *e) {
  size_t from = 0, to = 0, indent = 0;
  if (strchr(yaml, '\r')) {
    err_set(e,
            "its lines end in CR LF, among which no key can be changed: give them plain ends "
            "(`sed -i 's/\\r$//' %s`)",
            PROJECT_FILE);
    return NULL;
  }
  if (!value && !find_section(a, yaml, section, &from, &to)) return yaml;
  if (!section[0]) return replaced_section(a, yaml, key, arena_printf(a, "%s: %s\n", key, value));
  if (!find_section(a, yaml, section, &from, &to))
    return replaced_section(a, yaml, section,
                            arena_printf(a, "%s:\n  %s: %s\n", section, key, value));
  const char *const old = arena_printf(a, "%.*s", (int)(to - from), yaml + from), *text = old;
  const char *rest = old + strlen(section) + 1;
  rest += strspn(rest, " ");
  if (*rest == '{') text = unbraced(a, section, rest, strcspn(rest, "\n"));
  if (!text || (*rest && !strchr("{#\n", *rest))) {
    err_set(e, "%s: is written in a form that cannot be changed: give each of its keys a line",
            section);
    return NULL;
  }
  if (*rest == '{') { /* lines behind the braces are comments */
    const char *more = strchr(old, '\n');
    text = arena_printf(a, "%s%s", text, more ? more + 1 : "");
  }
  struct text out;
  text_init(&out, a);
  const char *line = key_line(text, key, &indent);
  if (!value && !line) return yaml;
  if (!value) {
    text_addn(&out, text, (size_t)(line - text));
    const char *end = line + strcspn(line, "\n");
    text_add(&out, *end ? end + 1 : end);
  } else if (!line) { /* behind the section's first line */
    const char *first = strchr(text, '\n');
    text_addn(&out, text, first ? (size_t)(first - text) : strlen(text));
    text_printf(&out, "\n%*s%s: %s\n", (int)(indent ? indent : 2), "", key, value);
    if (first) text_add(&out, first + 1);
  } else {
    const char *end = line + strcspn(line, "\n"),
               *comment = memmem(line, (size_t)(end - line), " #", 2);
    text_addn(&out, text, (size_t)(line - text));
    text_printf(&out, "%*s%s: %s", (int)indent, "", key, value);
    if (comment) {
      const size_t used = indent + strlen(key) + 2 + strlen(value),
                   column = (size_t)(comment + 1 - line);
      text_printf(&out, "%*s", used < column ? (int)(column - used) : 1, "");
      text_addn(&out, comment + 1, (size_t)(end - comment - 1));
    }
    text_add(&out, end);
  }
  return replaced_section(a, yaml, section, out.data);
}
