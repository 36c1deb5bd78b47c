/* check: rule of the LEARNER. See private.h.
 *
 *   LEARNER   x int8 or int16, model uint8 [bytes], constant: a model of mote/ml. Whatever the shape of x, its elements are
 *             the vector, of an autoencoder's error together with those of a third operand, its answer;
 *             out: int8 [1, classes], scale 1/256, zero point -128, or int32 [1, 1], scale 2^-fraction */
#include "host/graph/private.h"
#include "mote/ml/ml.h"

#include <math.h>
#include <string.h>

static bool check_learner(const struct check *c) {
  const struct graph_tensor *x = check_in(c, 0), *model = check_in(c, 1), *y = check_out(c, 0);
  const size_t bytes = graph_bytes(model);
  if (!check_type(c, x, S8 | S16, "vector") || !check_type(c, model, U8, "model")) return false;
  if (!graph_is_constant(model)) return err_set(c->e, "its model is not a constant");
  const void *data = model->data;
  if ((uintptr_t)data & 3) {
    if (bytes > arena_left(c->g->arena) / 2) return err_set(c->e, "no memory left");
    data = memcpy(arena_alloc(c->g->arena, bytes + 1, 1), data, bytes);
  }
  const enum mote_status status = mote_ml_check(data, bytes);
  if (status != MOTE_OK) return err_set(c->e, "its model is refused: %s", mote_status_text(status));
  const struct mote_ml *m = data;
  const bool pair = m->kind == MOTE_ML_RECONSTRUCTION;
  if (check_has(c, 2) != pair)
    return err_set(c->e, pair ? "an autoencoder's error needs its answer, too"
                              : "its model reads one vector alone");
  if (pair && !check_type(c, check_in(c, 2), S8, "answer")) return false;
  if (pair && graph_elements(check_in(c, 2)) != graph_elements(x))
    return err_set(c->e, "an answer of %lld values to %lld",
                   (long long)graph_elements(check_in(c, 2)), (long long)graph_elements(x));
  if (graph_elements(x) * (pair ? 2 : 1) != m->features ||
      x->type != (m->wide ? MOTE_INT16 : MOTE_INT8))
    return err_set(c->e, "%lld values of %s for a model of %u of %s", (long long)graph_elements(x),
                   mote_type_name((int)x->type), m->features, m->wide ? "int16" : "int8");
  const int64_t out = m->classes ? m->classes : 1;
  const float scale = m->classes ? 1.0f / 256 : ldexpf(1, -(int)m->fraction);
  if (!check_type(c, y, m->classes ? S8 : S32, "output") || graph_elements(y) != out)
    return err_set(c->e, "an output of shape %s for %lld values", check_shape_of(y).text,
                   (long long)out);
  if (y->quant.count != 1 || fabsf(y->quant.scale[0] - scale) > 0 ||
      y->quant.zp[0] != (m->classes ? -128 : 0))
    return err_set(c->e, "its output needs scale %g and zero point %d", (double)scale,
                   m->classes ? -128 : 0);
  return true;
}

const struct graph_rule graph_rule_LEARNER = {2, 3, 1, 1, 0, 0, check_learner};
