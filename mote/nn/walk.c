/* walk: the loops around the innermost one. */
#include "mote/nn/walk.h"

#define MOST ((int64_t)1 << 28)

int mote_walk_next(struct mote_walk *w) {
  for (uint32_t i = w->n_axes; i != 0; i--) {
    const struct mote_axis *axis = &w->axes[i - 1];
    /* Below 2^31 for any walk that mote_loops_within proved. */
    for (int k = 0; k < 3; k++) w->offset[k] += axis->step[k];
    if (++w->index[i - 1] < axis->n) return 1;
    for (int k = 0; k < 3; k++)
      w->offset[k] = (int32_t)(w->offset[k] - (int64_t)axis->n * axis->step[k]);
    w->index[i - 1] = 0;
  }
  return 0;
}

static int axis_fits(const struct mote_axis *axis, unsigned operands, int64_t *elements) {
  if (axis->n == 0 || axis->n > MOST) return 0;
  for (unsigned k = 0; k < 3; k++) {
    if (axis->step[k] >= MOST || axis->step[k] <= -MOST) return 0;
    if (k >= operands && axis->step[k] != 0) return 0;
  }
  *elements *= axis->n; /* <= 2^56 */
  return *elements <= MOST;
}

int mote_loops_check(const struct mote_loops *l, const void *params, const struct mote_bounds *b,
                     unsigned operands, uint32_t *elements) {
  int64_t product = 1;
  if (l->axes > MOTE_MAX_AXES) return 0;
  if (!mote_bounds_constant(b, l->axes_at, (uint64_t)l->axes * sizeof(struct mote_axis))) return 0;
  const struct mote_axis *axes = (const struct mote_axis *)mote_at(params, l->axes_at);
  if (!axis_fits(&l->inner, operands, &product)) return 0;
  for (uint32_t i = 0; i < l->axes; i++)
    if (!axis_fits(&axes[i], operands, &product)) return 0;
  *elements = (uint32_t)product;
  return 1;
}

/* Widens low..high by what an axis adds. Every step is below 2^28 in size and n is at most 2^28: nine axes add less
 * than 2^60. */
static int reach(const struct mote_axis *axis, unsigned k, uint32_t align, int64_t *low,
                 int64_t *high) {
  const int64_t way = (int64_t)(axis->n - 1) * axis->step[k];
  if (axis->step[k] % (int32_t)align != 0) return 0;
  if (way < 0)
    *low += way;
  else
    *high += way;
  /* The walk takes one step more before it turns back. */
  return way < INT32_MAX - MOST && way > -(INT32_MAX - MOST);
}

int mote_loops_within(const struct mote_loops *l, const void *params, unsigned k, int64_t base,
                      uint32_t size, size_t limit) {
  const struct mote_axis *axes = (const struct mote_axis *)mote_at(params, l->axes_at);
  const uint32_t align = size > 4 ? 4 : size;
  int64_t low = base, high = base;
  if (base % align != 0 || !reach(&l->inner, k, align, &low, &high)) return 0;
  for (uint32_t i = 0; i < l->axes; i++)
    if (!reach(&axes[i], k, align, &low, &high)) return 0;
  return low >= 0 && (uint64_t)high + size <= limit && high <= INT32_MAX - MOST;
}
