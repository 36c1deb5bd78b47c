/* batch: a folder of labelled files through a model on this machine, as the MLPerf Tiny suite lays its sets out.
 *
 * The folder holds y_labels.csv, a line for each file: "file name, number of classes, label", for windows also
 * ", window bytes, stride bytes". Without it, files called normal_* and anomaly_* are 0 and 1.
 *
 * What a file holds:
 *   raw      one input tensor in the model's own type and layout
 *   uint8    one value of 0..255 for each element of an int8 input: q = value - 128, as the suite feeds images
 *   float32  one real value for each element: q = clamp(round(value / scale) + zero point), halves away from 0
 *   windows  real values, longer than the input, which slides over them. The score of a file is the mean over its
 *            windows of mean((value - output)^2), value as the file has it, output as a real number: an autoencoder's
 *            error. A file is told anomalous by its score.
 * The first three are classified: the answer is the largest output, the first of several that are equal.
 *
 * source: mlcommons/tiny, benchmark/evaluation/datasets/README.md, for the files and their columns, and its
 * reference submissions for what is done to the bytes in front of the network and behind it.
 *
 * invariant: the same files and model give the same figures, whatever the number of threads. */
#ifndef APP_BATCH_H
#define APP_BATCH_H

#include "host/compile/compile.h"

enum batch_format { BATCH_GUESS, BATCH_RAW, BATCH_UINT8, BATCH_FLOAT32, BATCH_WINDOWS };

/* One file. */
struct batch_entry {
  const char *name, *path;
  int line;             /* of y_labels.csv; 0: there is none */
  int classes, label;   /* classes 0: not said */
  size_t width, stride; /* bytes of a window and from one to the next; 0: not said */
  size_t bytes;         /* of the file */

  int answer;   /* class; -1 of windows */
  double score; /* of windows */
  int windows;  /* inferences */
};

struct batch {
  const char *folder, *labels; /* labels: y_labels.csv, or NULL: by the files' names */
  enum batch_format format;
  const char *assumed; /* what was taken for granted, in words */
  size_t stride;       /* of windows, values; 0: as y_labels.csv says, else 128 */
  struct batch_entry *entries;
  int n;

  int classes;     /* of the model's output; 2 of windows */
  int64_t windows; /* inferences in all */
  int correct;
  int *confusion; /* [classes][classes], rows are truth; NULL of windows */
  /* Of windows: the probability that an anomaly scores above a normal file; NAN: one kind is missing. */
  double auc;
};

/* What a format is called on the command line; NULL beyond the last. */
const char *batch_format_name(int format);

/* Lists the folder's files and labels, and decides the format from their sizes and the model's input where b->format is
 * BATCH_GUESS. b->folder, ->format and ->stride are the caller's. errors: no folder, a line that does not read as
 * above, a label out of range, a file that is missing or has another size than the format wants, a model with more
 * than one input or output. */
bool batch_open(struct arena *a, const struct graph *g, struct batch *b, struct err *e);

/* Runs every file and fills in the answers and figures. needs: batch_open; a plan of this machine.
 * cost: on as many threads as OpenMP gives. errors: a file that changed meanwhile; a value that is not finite. */
bool batch_run(struct arena *a, const struct compiled *c, struct batch *b, struct progress *p,
               struct err *e);

/* Area under the receiver operating characteristic: over all pairs of one file labelled 1 and one labelled 0, the
 * share whose first scores higher, ties by half. */
double batch_auc(struct arena *a, const struct batch_entry *entries, int n);

/* As a table, and as the members of an object that is open. */
void batch_print(const struct batch *b, struct text *t);
void batch_json(const struct batch *b, struct json *j);

#endif
