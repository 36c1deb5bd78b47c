/* stages: trainings that must have run before another: a teacher, and the network whose channels are pruned. Each is a stored
 * run of its own, so that it is continued after a kill and used again. */
#include "app/stages.h"

#include <stdlib.h>
#include <string.h>

/* "50%" of what there is, or a number, perhaps with k or M behind it. */
static bool read_amount(const char *text, int64_t whole, int64_t *amount) {
  char *end;
  const double x = strtod(text, &end);
  if (end == text || !(x > 0.0 && x < 1e15)) return false;
  const double unit = strcmp(end, "%") == 0   ? (double)whole / 100.0
                      : strcmp(end, "k") == 0 ? 1e3
                      : strcmp(end, "M") == 0 ? 1e6
                      : *end == 0             ? 1.0
                                              : 0.0;
  *amount = (int64_t)(x * unit);
  return unit > 0.0 && *amount > 0;
}

bool stages_budget(struct arena *a, const char *text, const struct train_cost *cost,
                   struct train_budget *budget, struct err *e) {
  char *save = NULL;
  *budget = (struct train_budget){0};
  for (char *word = strtok_r(arena_strdup(a, text), ", ", &save); word;
       word = strtok_r(NULL, ", ", &save)) {
    const struct {
      const char *name;
      int64_t whole, *amount;
    } parts[] = {{"macs=", cost->macs, &budget->macs},
                 {"flash=", cost->weight_bytes, &budget->flash_bytes},
                 {"ram=", cost->activation_bytes, &budget->ram_bytes}};
    int i = 0;
    while (i < 3 && !text_starts(word, parts[i].name)) i++;
    if (i < 3 && read_amount(word + strlen(parts[i].name), parts[i].whole, parts[i].amount))
      continue;
    err_file(e, "--prune");
    return err_set(e,
                   "cannot read \"%s\"; understood: macs=N, flash=N, ram=N with commas between; N "
                   "is a number such as "
                   "500000, 500k, 2M or 50%%",
                   word);
  }
  if (budget->macs || budget->flash_bytes || budget->ram_bytes) return true;
  err_file(e, "--prune");
  return err_set(e, "no budget; understood: macs=N, flash=N, ram=N");
}

/* A float training with the settings of `job` but these. */
static bool run_stage(struct command_line *c, struct project *p, const struct training_job *job,
                      const char *purpose, const char *network, struct training_outcome *out,
                      struct err *e) {
  struct training_job stage = *job;
  stage.purpose = purpose;
  stage.network = network;
  stage.prune = stage.teacher = NULL;
  stage.flash_bytes = 0;
  stage.float_only = true;
  if (stage.say && !c->quiet) fprintf(stderr, "first      the %s network\n", purpose);
  if (!training_run(c, p, &stage, out, e)) return false;
  return out->model || err_set(e, "the %s network has not been trained", purpose);
}

bool stages_before(struct command_line *c, struct project *p, const struct training_job *job,
                   struct training_outcome *out, struct train_config *config,
                   struct train_hooks *hooks, struct train_start *start, struct err *e) {
  struct training_outcome *before = ARENA_NEW(p->arena, struct training_outcome);
  if (job->teacher) {
    if (!run_stage(c, p, job, "teacher", job->teacher, before, e)) return false;
    hooks->teacher = before->model;
  }
  if (!job->prune) return true;
  struct train_budget budget;
  if (!stages_budget(p->arena, job->prune, &out->cost, &budget, e)) return false;
  before = ARENA_NEW(p->arena, struct training_outcome);
  if (!run_stage(c, p, job, "unpruned", job->network, before, e)) return false;
  if (!train_prune(p->arena, before->model, &budget, start, e)) {
    err_file(e, "--prune");
    return false;
  }
  out->network = start->net;
  out->cost = train_network_cost(&start->net);
  out->removed = start->removed;
  hooks->start = start;
  /* What is left has learnt: half the epochs, from a third of the peak. */
  config->epochs = (config->epochs + 1) / 2;
  config->learning_rate *= 0.3f;
  if (job->say && !c->quiet) {
    struct text s;
    text_init(&s, p->arena);
    text_printf(&s, "pruned     %d groups of channels are gone\n", start->removed);
    train_network_print(&start->net, &s);
    fputs(s.data, stderr);
  }
  return true;
}
