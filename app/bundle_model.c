/* bundle_model: the model and target that a command was given. See bundle.h. */
#include <string.h>

#include "app/bundle.h"
#include "app/noise.h"
#include "host/import/import.h"

static const char *file_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

bool bundle_open_model(struct arena *a, const char *path, struct bundle_model *m, struct err *e) {
  *m = (struct bundle_model){0};
  if (path) {
    m->title = arena_strdup(a, file_part(path));
    m->graph = import_file(a, path, e);
    return m->graph != NULL;
  }
  if (!project_find(a))
    return err_set(e, "no MODEL was named, and there is no project (mote.yaml) here or above whose "
                      "trained model could be meant");
  struct project *p = ARENA_NEW(a, struct project);
  m->trained = ARENA_NEW(a, struct project_model);
  if (!project_open(a, NULL, STORE_READ, p, e)) return false;
  m->project = p;
  if (p->config.suppress.on) {
    m->noise = ARENA_NEW(a, struct noise_model);
    m->trained->score_output = -1;
    if (!noise_load_model(p, m->noise, e)) return false;
    m->title = p->config.name;
    m->graph = m->noise->graph;
    m->features = &m->noise->frame;
    m->suppress = true;
    m->least = m->noise->least;
    return true;
  }
  if (!project_load_model(p, 0, m->trained, e)) return false;
  m->title = p->config.name;
  m->graph = m->trained->graph;
  m->features = &m->trained->features;
  if (!m->trained->objects.height) return true;
  struct bundle_objects *o = ARENA_NEW(a, struct bundle_objects);
  *o = (struct bundle_objects){m->trained->objects, m->trained->classes};
  m->objects = o;
  return true;
}

void bundle_close_model(struct bundle_model *m) {
  if (m->project) project_close(m->project);
  m->project = NULL;
}

bool bundle_find_target(struct arena *a, const struct bundle_model *m, const char *target,
                        const char *board, const struct emulate_target **t,
                        const struct emulate_board **b, struct err *e) {
  *b = NULL;
  if (!target && !board && m->project && m->project->config.board && *m->project->config.board)
    board = m->project->config.board;
  if (board && !emulate_find_board(a, board, b, e)) return false;
  if (target && *b && strcmp((*b)->target, target) != 0)
    return err_set(e, "the board %s is a %s, not a %s: leave --target out", board, (*b)->target,
                   target);
  if (*b) target = (*b)->target;
  if (!target)
    return err_set(e, "no chip was named: add --target cortex-m4, or --board wio-terminal");
  return emulate_find_target(a, target, t, e);
}
