/* model: opens what a command was given. See model.h. */
#include "app/model.h"

#include <string.h>

/* Whether the file is a .mote: its first bytes, so that large models are not read twice. */
static bool is_mote_file(const char *path) {
  uint8_t head[4];
  FILE *f = fopen(path, "rb");
  if (f == NULL) return false; /* the importer says what is wrong with it */
  const size_t n = fread(head, 1, sizeof head, f);
  fclose(f);
  return compile_is_mote(head, n);
}

static bool open_mote(struct arena *a, const char *path, struct model *m, struct err *e) {
  uint8_t *bytes;
  size_t n;
  m->is_mote = true;
  return file_read(a, path, (size_t)256 << 20, &bytes, &n, e) &&
         compile_open_mote(path, bytes, n, a, &m->compiled, e);
}

bool model_open(struct arena *a, const char *path, const char *stream,
                const struct compile_options *options, struct model *m, struct err *e) {
  memset(m, 0, sizeof *m);
  if (path != NULL && is_mote_file(path)) {
    if (stream != NULL)
      return err_set(e,
                     "a .mote file is a plan already: --stream takes the model it was made from");
    return open_mote(a, path, m, e);
  }
  return bundle_open_model(a, path, &m->origin, e) &&
         bundle_stream_model(a, stream, &m->origin, e) &&
         compile_graph(m->origin.graph, options, a, &m->compiled, e);
}

void model_close(struct model *m) {
  if (!m->is_mote) bundle_close_model(&m->origin);
}
