/* stages: trainings that must have run before another: the teacher of `--teacher`, the whole network of `--prune`. */
#ifndef APP_STAGES_H
#define APP_STAGES_H

#include "app/training.h"

/* "macs=500k,flash=50%": percentages are of `cost`. errors: what is understood. */
bool stages_budget(struct arena *a, const char *text, const struct train_cost *cost,
                   struct train_budget *budget, struct err *e);

/* Runs what job needs before; sets hooks (teacher, start), and where channels were pruned out->network, cost and removed, and
 * the epochs and rate of what follows. With job->only_known: errors where a stage has not been trained. */
bool stages_before(struct command_line *c, struct project *p, const struct training_job *job,
                   struct training_outcome *out, struct train_config *config,
                   struct train_hooks *hooks, struct train_start *start, struct err *e);

#endif
