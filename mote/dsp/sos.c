/* Filters: see sos.h. The direct form keeps the last numbers and no others, so that a filter at rest is a line. */
#include "mote/dsp/sos.h"

#define MOST (1 << 30)

/* One section over all numbers. range: five products of 2^30 * 2^30, so the sum is below 2^62.4. */
static void run_section(const struct mote_section *s, int resting, int32_t *x, uint32_t n) {
  int32_t x1 = 0, x2, y1 = 0, y2;
  if (resting) {
    x1 = x[0];
    const int64_t y = ((int64_t)x1 * s->rest + (1 << 28)) >> 29;
    y1 = (int32_t)(y > MOST ? MOST : y < -MOST ? -MOST : y);
  }
  x2 = x1, y2 = y1;
  for (uint32_t i = 0; i < n; i++) {
    const int32_t x0 = x[i];
    int64_t y = (int64_t)s->b0 * x0 + (int64_t)s->b1 * x1 + (int64_t)s->b2 * x2 -
                (int64_t)s->a1 * y1 - (int64_t)s->a2 * y2;
    y = (y + (1 << 28)) >> 29;
    y = y > MOST ? MOST : y < -MOST ? -MOST : y;
    x2 = x1, x1 = x0, y2 = y1, y1 = (int32_t)y;
    x[i] = (int32_t)y;
  }
}

int32_t mote_section_step(const struct mote_section *s, int32_t *past, int32_t x) {
  int64_t y = (int64_t)s->b0 * x + (int64_t)s->b1 * past[0] + (int64_t)s->b2 * past[1] -
              (int64_t)s->a1 * past[2] - (int64_t)s->a2 * past[3];
  y = (y + (1 << 28)) >> 29;
  y = y > MOST ? MOST : y < -MOST ? -MOST : y;
  past[1] = past[0], past[0] = x, past[3] = past[2], past[2] = (int32_t)y;
  return (int32_t)y;
}

void mote_section_rest(const struct mote_section *s, int32_t *past, int32_t x) {
  const int64_t y = ((int64_t)x * s->rest + (1 << 28)) >> 29;
  past[0] = past[1] = x;
  past[2] = past[3] = (int32_t)(y > MOST ? MOST : y < -MOST ? -MOST : y);
}

uint32_t mote_filter_run(const struct mote_filter *filter, const struct mote_section *section,
                         int32_t *x, uint32_t n) {
  for (uint32_t k = 0; k < filter->sections; k++)
    run_section(&section[k], filter->flags & MOTE_FILTER_RESTING, x, n);
  if (filter->ratio == 1) return n;
  uint32_t left = 0;
  for (uint32_t i = 0; i < n; i += filter->ratio) x[left++] = x[i];
  return left;
}

static int small(int32_t x) { return x >= -MOST && x <= MOST; }

int mote_filters_fit(const struct mote_filter *filter, uint32_t filters,
                     const struct mote_section *section, uint32_t sections) {
  uint32_t used = 0;
  for (uint32_t i = 0; i < filters; i++) {
    if (filter[i].sections > 8 || !filter[i].ratio || filter[i].flags > 1) return 0;
    used += filter[i].sections;
  }
  if (used != sections) return 0;
  for (uint32_t k = 0; k < sections; k++, section++)
    if (!small(section->b0) || !small(section->b1) || !small(section->b2) || !small(section->a1) ||
        !small(section->a2) || section->rest == INT32_MIN)
      return 0;
  return 1;
}
