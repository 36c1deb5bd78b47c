/* mote train: the project's model, from its training and validation samples. */
#include "app/anomaly.h"
#include "app/noise.h"
#include "app/regression.h"
#include "app/training.h"

#include <math.h>
#include <string.h>

/* Windows that all have one number say nothing about how much of their spread is explained. */
static const char *known(struct arena *a, float r2) {
  return isfinite(r2) ? arena_printf(a, "%.3f", (double)r2) : "-";
}

/* What one step of the int8 output is worth; it is coarse where a few labels lie far from all others. */
static void print_steps(struct command_line *c, const struct training_outcome *t,
                        const char *unit) {
  const struct regression_map *map = regression_maps(c->arena, t->graph, t->scales, t->n_classes);
  for (int i = 0; i < t->n_classes; i++)
    printf("%s: steps of %.4g%s%s%s\n", t->classes[i], (double)map[i].step, unit[0] ? " " : "",
           unit,
           t->middles[i] > 0 && (double)map[i].step > t->middles[i] / 16
               ? ": coarse, since few labels lie far from all others; are they right?"
               : "");
}

static void print_json(struct command_line *c, const struct training_outcome *t,
                       const struct store_epoch *h, int n) {
  struct text text, network;
  struct json j;
  text_init(&text, c->arena);
  text_init(&network, c->arena);
  if (!t->learner) train_network_text(&t->network, &network);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_int(&j, "run", t->run);
  json_put_bool(&j, "resumed", t->resumed);
  json_put_bool(&j, "known", t->known);
  json_open_array(&j, "classes");
  for (int i = 0; i < t->n_classes; i++) json_put_string(&j, NULL, t->classes[i]);
  json_close_array(&j);
  json_put_int(&j, "windows_train", t->n_train);
  json_put_int(&j, "windows_validation", t->n_validation);
  json_put_string(&j, "learner", t->learner);
  json_put_string(&j, "network", t->learner ? NULL : network.data);
  json_put_string(&j, "why", t->why);
  if (t->learner) {
    json_put_null(&j, "macs");
    json_put_null(&j, "parameters");
  } else {
    json_put_int(&j, "macs", t->cost.macs);
    json_put_int(&j, "parameters", t->cost.parameters);
  }
  json_put_int(&j, "weight_bytes", t->cost.weight_bytes);
  json_put_int(&j, "four_bit_layers", t->four_bit_layers);
  json_put_int(&j, "pruned", t->removed);
  const bool counts = t->threshold != 0, again = t->scores_only && !t->learner,
             unknown = counts || t->scales || again;
  if (t->learner || unknown)
    json_put_null(&j, "validation_accuracy_float");
  else
    json_put_real(&j, "validation_accuracy_float", (double)t->validation_float);
  if (counts) {
    json_put_real(&j, "validation_f1_float", (double)t->validation_float);
    json_put_real(&j, "validation_f1_int8", (double)t->validation_int8);
    json_put_real(&j, "threshold", t->threshold / 256.0);
  }
  if (again) {
    json_put_real(&j, "validation_error_float", (double)t->validation_float);
    json_put_real(&j, "validation_error_int8", (double)t->validation_int8);
  }
  if (t->scales) {
    json_put_real(&j, "validation_r2_float", (double)t->validation_float);
    json_put_real(&j, "validation_r2_int8", (double)t->validation_int8);
    const struct regression_map *map = regression_maps(c->arena, t->graph, t->scales, t->n_classes);
    json_open_array(&j, "steps");
    for (int i = 0; i < t->n_classes; i++) json_put_real(&j, NULL, (double)map[i].step);
    json_close_array(&j);
  }
  if (t->scores_only || unknown)
    json_put_null(&j, "validation_accuracy_int8");
  else
    json_put_real(&j, "validation_accuracy_int8", (double)t->validation_int8);
  anomaly_calibration_json(anomaly_of(c->arena, t->graph), &t->calibration, &j);
  json_open_array(&j, "history");
  for (int i = 0; i < n; i++) {
    json_open_object(&j, NULL);
    json_put_int(&j, "epoch", h[i].epoch);
    json_put_real(&j, "loss", h[i].loss);
    if (unknown)
      json_put_null(&j, "accuracy");
    else
      json_put_real(&j, "accuracy", h[i].accuracy);
    json_put_real(&j, "validation_loss", h[i].validation_loss);
    if (unknown)
      json_put_null(&j, "validation_accuracy");
    else
      json_put_real(&j, "validation_accuracy", h[i].validation_accuracy);
    json_put_real(&j, "learning_rate", h[i].learning_rate);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
}

/* The lines of a network's file; a zero byte would hide what follows. */
static bool read_network(struct command_line *c, const char *path, const char **network) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  if (!file_read(c->arena, path, 1 << 20, &bytes, &n, &c->err)) return false;
  if (memchr(bytes, 0, n)) {
    err_file(&c->err, path);
    return err_set(&c->err, "this is no text: it holds a zero byte");
  }
  struct text lines;
  text_init(&lines, c->arena);
  for (size_t i = 0; i < n; i++) { /* comments may hold a semicolon */
    if (bytes[i] == '#')
      while (i < n && bytes[i] != '\n') i++;
    if (i < n) text_addn(&lines, (const char *)&bytes[i], 1);
  }
  *network = lines.data;
  return true;
}

static void print_learner(struct command_line *c, const struct training_outcome *t) {
  printf("run %lld%s: %s, %s bytes\n", (long long)t->run, t->known ? " (known)" : "", t->why,
         text_thousands(t->cost.weight_bytes));
  if (!t->scores_only)
    printf("%s, accuracy %.1f %%\n",
           t->n_validation ? "validation" : "training samples (there are none for validation)",
           100 * (double)t->validation_int8);
  anomaly_calibration_print(anomaly_of(c->arena, t->graph), &t->calibration);
  printf("\nnext:  mote test\n");
}

static void print_network(struct command_line *c, const struct training_outcome *t,
                          const char *unit) {
  const char *const what =
      t->n_validation ? "validation" : "training samples (there are none for validation)";
  if (t->scales)
    printf("run %lld: %s, R2 %s in float, %s in int8", (long long)t->run, what,
           known(c->arena, t->validation_float), known(c->arena, t->validation_int8));
  else if (t->scores_only)
    printf("run %lld: %s, mean squared error %.4g in float, %.4g in int8 (1: that of answering the "
           "mean)",
           (long long)t->run, what, (double)t->validation_float, (double)t->validation_int8);
  else
    printf("run %lld: %s, %s %.1f %% in float, %.1f %% in int8", (long long)t->run, what,
           t->threshold ? "F1 of objects" : "accuracy", 100 * (double)t->validation_float,
           100 * (double)t->validation_int8);
  if (t->threshold) printf(" from a score of %.2f on", t->threshold / 256.0);
  printf("\n");
  if (t->scales) print_steps(c, t, unit);
  printf("%s MAC, %s bytes of weights\n", text_thousands(t->cost.macs),
         text_thousands(t->cost.weight_bytes));
  anomaly_calibration_print(anomaly_of(c->arena, t->graph), &t->calibration);
  printf("\nnext:  mote test\n");
}

int cmd_train(int argc, char **argv) {
  int64_t epochs = 0, seed = -1, threads = 0, flash = 0;
  const char *network = NULL, *net_file = NULL, *prune = NULL, *teacher = NULL, *learner = NULL,
             *dir = NULL;
  bool fresh = false;
  const struct option_spec options[] = {
      {'e', "epochs", OPTION_COUNT, "N", "at most N epochs (default: training.epochs in mote.yaml)",
       &epochs},
      {0, "seed", OPTION_INT, "S", "another course of chance; the same seed gives the same weights",
       &seed},
      {0, "threads", OPTION_COUNT, "N", "threads; the result is the same with any number",
       &threads},
      {'l', "learner", OPTION_TEXT, "KIND",
       "network (default), kmeans, gmm, mahalanobis, pca: what is normal; tree, forest, boost, "
       "logistic, svm, knn: classes",
       &learner},
      {'n', "network", OPTION_TEXT, "TEXT",
       "a preset (below), or layers with ; between them: 'conv 16 3x3 s2; mean'", &network},
      {0, "net", OPTION_TEXT, "FILE", "layers from a file, one a line (docs/spec/network.md)",
       &net_file},
      {0, "flash", OPTION_COUNT, "BYTES",
       "most bytes of weights: layers take weights of 4 bits until they fit", &flash},
      {0, "prune", OPTION_TEXT, "BUDGET",
       "take channels out until macs=N, flash=N, ram=N are kept (N: 500k, 2M, 50%)", &prune},
      {0, "teacher", OPTION_TEXT, "NETWORK",
       "train this network first and learn from its opinion too", &teacher},
      {0, "fresh", OPTION_FLAG, NULL, "do not continue or reuse an earlier run", &fresh},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote train [--learner KIND] [--epochs N] [--seed S] [--threads N] [--network TEXT "
               "| --net FILE] "
               "[--fresh]",
      .about =
          "Trains a network on the training samples, quantises it to int8 and keeps it in the "
          "project.\n"
          "Says which network it chose and why. A run that was killed is continued.\n"
          "Presets: ds-cnn, tc-resnet, bc-resnet, mobilenet, resnet8, temporal; autoencoder and\n"
          "conv-autoencoder learn what is normal, for an anomaly score. A number behind the "
          "name\n"
          "multiplies the channels: 'mobilenet 0.25'.",
      .options = options,
      .examples = "  mote train\n  mote train --learner forest\n  mote train --network 'conv 8 3x3 "
                  "s2; dsconv 16 3x3; mean' --epochs 20",
      .most = 0};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  struct project p = {0};
  struct training_outcome t;
  struct training_job job = {.train = {.splits = 1u << STORE_TRAIN},
                             .validation = {.splits = 1u << STORE_VALIDATION},
                             .purpose = "",
                             .network = network,
                             .network_from = net_file ? net_file : "--network",
                             .learner = learner,
                             .teacher = teacher,
                             .prune = prune,
                             .flash_bytes = flash,
                             .epochs = (int)epochs,
                             .seed = seed,
                             .threads = (int)threads,
                             .fresh = fresh,
                             .say = true};
  struct store_epoch *history = NULL;
  int n = 0;
  enum learn_kind kind;
  const bool classical = learner && strcmp(learner, "network") != 0;
  if (classical && !learn_kind_from(learner, &kind))
    return command_usage(&c, "no learner '%s'; network, %s are", learner, learn_kind_list());
  if (classical && (network || net_file || epochs))
    return command_usage(&c, "--learner %s excludes --network, --net and --epochs", learner);
  if (network && net_file) return command_usage(&c, "--network and --net exclude each other");
  bool ok = (!net_file || read_network(&c, net_file, &job.network)) &&
            project_open(c.arena, dir, STORE_WRITE, &p, &c.err);
  if (ok && p.config.suppress.on) {
    ok = noise_train(&c, &p, &job, &c.err);
    project_close(&p);
    return command_end(&c, ok);
  }
  ok = ok && training_run(&c, &p, &job, &t, &c.err) &&
       store_run_history(p.store, c.arena, t.run, &history, &n, &c.err);
  if (ok && c.json) print_json(&c, &t, history, n);
  if (ok && !c.json && t.learner) print_learner(&c, &t);
  if (ok && !c.json && !t.learner)
    print_network(&c, &t, p.config.regression.on ? p.config.regression.unit : "");
  project_close(&p);
  return command_end(&c, ok);
}
