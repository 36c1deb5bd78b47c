/* regression: projects whose model estimates numbers, from a sample's label or metadata to a value on the device.
 *
 * How it works: the network is trained on (number - mean) / deviation of the training windows, so that numbers of any size
 * learn alike. Its int8 outputs times their scale are such again; mean and deviation are folded into one step and
 * one zero for each number, which numbers.h of a built project holds.
 *
 * invariant: the device's q is this machine's; a value is zero + step * q in float32, whose last bit may differ where a compiler
 * fuses both. */
#ifndef APP_REGRESSION_H
#define APP_REGRESSION_H

#include "app/dataset.h"

/* The numbers of a sample that was read with its metadata. errors: the sample, the key that it lacks, the text that is no
 * number. */
bool regression_numbers(const struct project *p, const struct store_sample *s, const float **out,
                        struct err *e);
/* Of the windows of d. errors: no windows; all have the same number. */
bool regression_scales(const struct project *p, const struct dataset *d,
                       const struct project_scale **out, struct err *e);
/* Between the quartiles of each number, over the windows of d: half of them lie within so much. */
const double *regression_middles(const struct dataset *d, int n, struct arena *a);
/* What the network learns for a sample: [n]. */
void regression_targets(const struct project_scale *scales, int n, const struct dataset_sample *s,
                        float *targets);
/* Lines "number MEAN DEVIATION" of a run's card, and back. */
void regression_card(const struct project_scale *scales, int n, struct text *out);
void regression_read_card(const char *line, struct project_scale *scales, int *n);

/* The network that the text names, or the default one, with a head of the project's numbers. errors: the line; other heads; nothing fits. */
bool regression_network(struct project *p, const char *text, const int dims[3], uint32_t examples,
                        const struct train_budget *budget, struct train_network *net,
                        const char **why, struct err *e);

/* value = zero + step * q of each output. */
struct regression_map {
  float zero, step;
};
struct regression_map *regression_maps(struct arena *a, const struct graph *g,
                                       const struct project_scale *scales, int n);
float regression_value(const struct regression_map *m, int8_t q);

/* 1 - the mean over the numbers of (squared error / spread), on windows of d; NAN where they all have one number. values:
 * [n_windows][n]. */
double regression_r2(const struct dataset *d, int n, const float *values);
/* The int8 answers of this machine, and of the float network, as values. */
bool regression_here(const struct graph *g, const struct features_block *block,
                     const struct project_scale *scales, int n, const struct dataset *d,
                     struct arena *a, float **values, struct err *e);
bool regression_float(const struct train_model *model, const struct features_block *block,
                      const struct project_scale *scales, int n, const struct dataset *d,
                      struct arena *a, float **values, struct err *e);

/* numbers.h of a built project. model: what its names begin with. */
void regression_emit(const struct project_config *c, const struct graph *g,
                     const struct project_scale *scales, const char *model, struct text *out);

#endif
