/* model: what `info` and `run` were given: a model file of another framework, a .mote file, or the
 * project's own trained network; open, compiled, ready to run in this process. Running, hashing and
 * files are bundle.h's. */
#ifndef APP_MODEL_H
#define APP_MODEL_H

#include "app/app.h"
#include "app/bundle.h"
#include "host/compile/compile.h"

struct model {
  struct bundle_model origin; /* graph NULL for a .mote file */
  struct compiled compiled;   /* its source graph has at least the model's inputs and outputs */
  bool is_mote;
};

/* path NULL: the project in the current folder. stream: of --stream, or NULL. errors: not a model; what compile_graph says.
 * model_close afterwards, whatever was returned. */
bool model_open(struct arena *a, const char *path, const char *stream,
                const struct compile_options *options, struct model *m, struct err *e);
void model_close(struct model *m);

#endif
