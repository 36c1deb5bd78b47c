/* anomaly: see the header. */
#include "app/anomaly.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct mote_ml *anomaly_of(struct arena *a, const struct graph *g) {
  struct project_model *m = ARENA_NEW(a, struct project_model);
  learning_find(g, m);
  return m->anomaly;
}

const int8_t *anomaly_answers(struct arena *a, const struct graph *g, const struct mote_ml *m,
                              const uint8_t *outputs, int windows) {
  if (m->kind != MOTE_ML_RECONSTRUCTION) return NULL;
  int8_t *answers = ARENA_ARRAY(a, int8_t, (size_t)windows * (m->features / 2u) + 1);
  decide_take(g, 1, outputs, windows, answers);
  return answers;
}

/* ---- thresholds ------------------------------------------------------------------------- */
void anomaly_calibration_print(const struct mote_ml *m, const struct learn_threshold *t) {
  if (!m || !t->n) return;
  printf("threshold %.4g: %u of %u normal windows that it had not seen lie above, %.2f %% (%.2f to "
         "%.2f %% at 95 %%); wanted %.2g %%\n",
         learn_score(m, t->threshold), t->above, t->n, 100 * t->rate, 100 * t->low, 100 * t->high,
         100 * t->wanted);
  if (!t->reached)
    printf("  too few windows to promise %.2g %%: at least %.0f are needed, so the largest score "
           "was taken\n",
           100 * t->wanted, ceil(1 / t->wanted - 1));
}

void anomaly_calibration_json(const struct mote_ml *m, const struct learn_threshold *t,
                              struct json *j) {
  if (!m) {
    json_put_null(j, "anomaly");
    return;
  }
  json_open_object(j, "anomaly");
  json_put_real(j, "threshold", learn_score(m, m->threshold));
  json_put_int(j, "bytes", (int64_t)m->bytes);
  json_put_int(j, "windows", t->n);
  json_put_int(j, "above", t->above);
  json_put_real(j, "false_alarms_wanted", t->wanted);
  json_put_real(j, "false_alarms", t->rate);
  json_put_real(j, "false_alarms_low", t->low);
  json_put_real(j, "false_alarms_high", t->high);
  json_put_bool(j, "reached", t->reached);
  json_close_object(j);
}

/* ---- measuring ----------------------------------------------------------------------------- */
static struct anomaly_label *label_of(struct anomaly_figures *f, const struct dataset_sample *s) {
  for (int i = 0; i < f->n_labels; i++)
    if (!strcmp(f->labels[i].name, s->name)) return &f->labels[i];
  f->labels[f->n_labels] = (struct anomaly_label){.name = s->name, .normal = s->label >= 0};
  return &f->labels[f->n_labels++];
}

/* Counts of windows and recordings; scores go to the lists of normal and anomalous ones. */
static void count(struct anomaly_figures *f, const struct dataset *d, const int32_t *scores,
                  struct arena *a) {
  int32_t *list[2] = {ARENA_ARRAY(a, int32_t, d->n_windows + 1),
                      ARENA_ARRAY(a, int32_t, d->n_windows + 1)};
  int32_t *means[2] = {ARENA_ARRAY(a, int32_t, d->n_windows + 1),
                       ARENA_ARRAY(a, int32_t, d->n_windows + 1)};
  uint32_t n[2] = {0, 0}, recordings[2] = {0, 0};
  int64_t sum = 0;
  int windows = 0;
  for (int i = 0; i < d->n_windows; i++) {
    const struct dataset_sample *s = &d->samples[d->windows[i].sample];
    struct anomaly_label *l = label_of(f, s);
    const int side = l->normal ? 0 : 1, flagged = scores[i] > f->m->threshold;
    l->windows++;
    l->flagged += flagged;
    l->mean += learn_score(f->m, scores[i]);
    list[side][n[side]++] = scores[i];
    *(side ? &f->anomalous_flagged : &f->normal_flagged) += flagged;
    sum += scores[i];
    windows++;
    if (i + 1 < d->n_windows && d->windows[i + 1].sample == d->windows[i].sample) continue;
    const int32_t mean = (int32_t)(sum / windows);
    l->recordings++;
    l->recordings_flagged += mean > f->m->threshold;
    means[side][recordings[side]++] = mean;
    sum = windows = 0;
  }
  for (int i = 0; i < f->n_labels; i++)
    f->labels[i].mean /= f->labels[i].windows ? f->labels[i].windows : 1;
  f->normal = (int)n[0];
  f->anomalous = (int)n[1];
  f->auc = learn_auc(list[0], n[0], list[1], n[1]);
  f->auc_recordings = learn_auc(means[0], recordings[0], means[1], recordings[1]);
  f->false_alarms_high = 1;
  if (n[0])
    learn_interval((uint32_t)f->normal_flagged, n[0], 0.95, &f->false_alarms_low,
                   &f->false_alarms_high);
}

/* Which columns make the flagged windows anomalous: the mean of their shares. */
static bool explain(struct anomaly_figures *f, const struct dataset *d,
                    const struct features_block *block, const int32_t *scores,
                    const int8_t *answers, struct arena *a, struct err *e) {
  const unsigned n = mote_ml_columns(f->m);
  int8_t *features = NULL;
  double *share = ARENA_ARRAY(a, double, f->m->features);
  struct learning_why *why = ARENA_ARRAY(a, struct learning_why, n + 1);
  unsigned channels = 0;
  int flagged = 0;
  if (!dataset_features(d, block, a, &features, e)) return false;
  for (int i = 0; i < d->n_windows && flagged < 1000; i++) {
    if (scores[i] <= f->m->threshold) continue;
    const size_t at = (size_t)i * block->out_bytes;
    const int made =
        learning_why(f->m, block, features + at, answers ? answers + at : NULL, a, why, (int)n);
    for (int k = 0; k < made; k++) share[why[k].column] += why[k].share;
    if (made) channels = why[0].channels;
    flagged++;
  }
  for (f->n_why = 0; f->n_why < 8 && flagged; f->n_why++) {
    unsigned best = 0;
    for (unsigned j = 1; j < f->m->features; j++)
      if (share[j] > share[best]) best = j;
    if (!(share[best] > 0)) break;
    f->why[f->n_why] = (struct learning_why){best, channels, share[best] / flagged};
    share[best] = 0;
  }
  return true;
}

bool anomaly_measure(struct project *p, const struct graph *g, const struct features_block *block,
                     const struct mote_ml *m, int score_output, const double *range,
                     const char *const *normal, int n_normal, const struct dataset_pick *pick,
                     const char *chip, struct anomaly_figures *f, struct err *e) {
  struct dataset_pick all = *pick;
  struct dataset d;
  uint8_t *outputs;
  all.others = true;
  *f = (struct anomaly_figures){.m = m};
  if (!dataset_load(p, &all, normal, n_normal, range, &d, e)) return false;
  if (!d.n_windows) {
    err_file(e, p->db_path);
    return err_set(e, "no samples to test; `mote data` shows what there is");
  }
  f->labels = ARENA_ARRAY(p->arena, struct anomaly_label, d.n_samples + 1);
  int32_t *scores = ARENA_ARRAY(p->arena, int32_t, d.n_windows + 1);
  if (!decide_outputs(p->arena, p->config.name, g, block, NULL, &d, &outputs, e)) return false;
  decide_take(g, score_output, outputs, d.n_windows, scores);
  if (chip) {
    uint8_t *there;
    if (!decide_outputs(p->arena, p->config.name, g, block, chip, &d, &there, e)) return false;
    if (memcmp(outputs, there, decide_bytes(g) * (size_t)d.n_windows) != 0)
      return err_internal(
          e, "the chip's answers differ from this machine's; `mote verify --target %s` says where",
          chip);
  }
  count(f, &d, scores, p->arena);
  return explain(f, &d, block, scores, anomaly_answers(p->arena, g, m, outputs, d.n_windows),
                 p->arena, e);
}

/* ---- output ------------------------------------------------------------------------------------ */
static double percent(int k, int n) { return n ? 100.0 * k / n : (double)NAN; }

void anomaly_print(const struct anomaly_figures *f) {
  int width = 5;
  for (int i = 0; i < f->n_labels; i++)
    if ((int)strlen(f->labels[i].name) > width) width = (int)strlen(f->labels[i].name);
  printf("%-*s %8s %9s %9s\n", width, "label", "windows", "score", "flagged");
  for (int i = 0; i < f->n_labels; i++) {
    const struct anomaly_label *l = &f->labels[i];
    printf("%-*s %8d %9.3f %7.2f %%", width, l->name, l->windows, l->mean,
           percent(l->flagged, l->windows));
    if (!l->normal) printf("   anomaly");
    printf("\n");
  }
  printf("\nthreshold    %8.4g\n", learn_score(f->m, f->m->threshold));
  if (f->normal)
    printf("false alarms %6.2f %%   %d of %d normal windows (%.2f to %.2f %% at 95 %%)\n",
           percent(f->normal_flagged, f->normal), f->normal_flagged, f->normal,
           100 * f->false_alarms_low, 100 * f->false_alarms_high);
  if (f->anomalous)
    printf("found        %6.2f %%   %d of %d anomalous windows\n",
           percent(f->anomalous_flagged, f->anomalous), f->anomalous_flagged, f->anomalous);
  if (f->normal && f->anomalous)
    printf("AUC          %8.4f   of windows, %.4f of recordings\n", f->auc, f->auc_recordings);
  else
    printf("no AUC: samples of %s labels are needed, too\n", f->normal ? "other" : "normal");
  if (f->n_why) {
    printf("why          ");
    learning_why_print(f->why, f->n_why < 4 ? f->n_why : 4);
    printf("\n");
  }
}

static void json_real_or_null(struct json *j, const char *key, double v) {
  if (isfinite(v))
    json_put_real(j, key, v);
  else
    json_put_null(j, key);
}

void anomaly_json(const struct anomaly_figures *f, struct json *j) {
  json_open_object(j, "anomaly");
  json_put_real(j, "threshold", learn_score(f->m, f->m->threshold));
  json_real_or_null(j, "auc", f->auc);
  json_real_or_null(j, "auc_recordings", f->auc_recordings);
  json_put_int(j, "windows_normal", f->normal);
  json_put_int(j, "windows_anomalous", f->anomalous);
  json_real_or_null(j, "false_alarms", percent(f->normal_flagged, f->normal) / 100);
  json_put_real(j, "false_alarms_low", f->false_alarms_low);
  json_put_real(j, "false_alarms_high", f->false_alarms_high);
  json_real_or_null(j, "found", percent(f->anomalous_flagged, f->anomalous) / 100);
  json_open_array(j, "labels");
  for (int i = 0; i < f->n_labels; i++) {
    const struct anomaly_label *l = &f->labels[i];
    json_open_object(j, NULL);
    json_put_string(j, "label", l->name);
    json_put_bool(j, "normal", l->normal);
    json_put_int(j, "windows", l->windows);
    json_put_int(j, "flagged", l->flagged);
    json_put_int(j, "recordings", l->recordings);
    json_put_int(j, "recordings_flagged", l->recordings_flagged);
    json_put_real(j, "score", l->mean);
    json_close_object(j);
  }
  json_close_array(j);
  json_open_array(j, "why");
  for (int i = 0; i < f->n_why; i++) {
    json_open_object(j, NULL);
    learning_why_json(&f->why[i], j);
    json_close_object(j);
  }
  json_close_array(j);
  json_close_object(j);
}
