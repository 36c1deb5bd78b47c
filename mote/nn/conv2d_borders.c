/* conv2d_borders: CONV_2D with a bias for each set of taps that lies inside (nn.h).
 *
 * Which rows of the window are missing tells the set in height; along the row the sets follow each other, each a
 * convolution over a run of pixels that sees the input from a column of its own on.
 *
 * State: that of the run that needs most; runs are made one after the other. */
#include "mote/nn/bounds.h"

static const struct mote_conv2d_s8 *convs_of(const struct mote_conv2d_borders_s8 *p) {
  return (const struct mote_conv2d_s8 *)mote_at(p, p->convs_at);
}

/* The set of a call: rows that are NULL lie outside. A pattern that no set has is a padding that the plan does not
 * mean; any set is as good then. */
static uint32_t set_of(const struct mote_conv2d_borders_s8 *p, const void *const *rows) {
  const uint16_t *sets = (const uint16_t *)mote_at(p, p->rows_at);
  uint32_t first = 0, end = p->kernel_h, set = 0;
  while (first < end && rows[first] == NULL) first++;
  while (end > first && rows[end - 1] == NULL) end--;
  while (set + 1 < p->n_rows && (sets[2 * set] != first || sets[2 * set + 1] != end)) set++;
  return set;
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_conv2d_borders_s8 *p = (const struct mote_conv2d_borders_s8 *)params;
  const uint16_t *columns = (const uint16_t *)mote_at(p, p->columns_at);
  const struct mote_conv2d_s8 *conv = convs_of(p) + set_of(p, rows) * p->n_columns;
  int8_t *to = (int8_t *)out;
  const void *seen[MOTE_BORDERS_MOST_ROWS];
  for (uint32_t k = 0; k < p->n_columns; k++, conv++) {
    for (uint32_t i = 0; i < p->kernel_h; i++)
      seen[i] = rows[i] ? (const int8_t *)rows[i] + (uint32_t)columns[k] * p->in_c : NULL;
    mote_kernel_conv2d_s8.row(conv, seen, state, to);
    to += (uint32_t)conv->out_w * conv->out_c;
  }
}

const struct mote_kernel mote_kernel_conv2d_borders_s8 = {NULL, row, NULL};

size_t mote_conv2d_borders_s8_state_bytes(const struct mote_conv2d_borders_s8 *p) {
  const struct mote_conv2d_s8 *conv = convs_of(p);
  size_t most = 0;
  for (uint32_t i = 0; i < (uint32_t)p->n_rows * p->n_columns; i++) {
    const size_t bytes = mote_conv2d_s8_state_bytes(&conv[i]);
    if (bytes > most) most = bytes;
  }
  return most;
}

/* The convolutions of one set in height, and the room that their runs take together. */
static enum mote_status check_set(const struct mote_conv2d_borders_s8 *p,
                                  const struct mote_conv2d_s8 *conv, const struct mote_bounds *b) {
  const uint16_t *columns = (const uint16_t *)mote_at(p, p->columns_at);
  uint64_t made = 0;
  for (uint32_t k = 0; k < p->n_columns; k++, conv++) {
    struct mote_bounds run = *b;
    const uint64_t skipped = (uint64_t)columns[k] * p->in_c;
    if (conv->rows_out != 1 || conv->kernel_h != p->kernel_h || conv->in_c != p->in_c ||
        skipped > b->row_bytes[0])
      return MOTE_ERR_PARAMS;
    run.params_bytes = b->params_bytes - (size_t)((const uint8_t *)conv - (const uint8_t *)p);
    run.row_bytes[0] -= (size_t)skipped;
    made += (uint64_t)conv->out_w * conv->out_c;
    if (made > b->out_bytes) return MOTE_ERR_BOUNDS;
    run.out_bytes = (size_t)conv->out_w * conv->out_c;
    const enum mote_status status = mote_conv2d_s8_check(conv, &run);
    if (status != MOTE_OK) return status;
  }
  return MOTE_OK;
}

enum mote_status mote_conv2d_borders_s8_check(const struct mote_conv2d_borders_s8 *p,
                                              const struct mote_bounds *b) {
  const uint64_t convs = (uint64_t)p->n_rows * p->n_columns;
  if (b->params_bytes < sizeof *p) return MOTE_ERR_BOUNDS;
  if (convs == 0 || p->kernel_h == 0 || p->kernel_h > MOTE_BORDERS_MOST_ROWS)
    return MOTE_ERR_PARAMS;
  if (!mote_bounds_constant(b, p->convs_at, convs * sizeof(struct mote_conv2d_s8)) ||
      !mote_bounds_constant(b, p->rows_at, 4 * (uint64_t)p->n_rows) ||
      !mote_bounds_constant(b, p->columns_at, 2 * (uint64_t)p->n_columns))
    return MOTE_ERR_BOUNDS;
  for (uint32_t i = 0; i < p->n_rows; i++) {
    const enum mote_status status = check_set(p, convs_of(p) + i * p->n_columns, b);
    if (status != MOTE_OK) return status;
  }
  return MOTE_OK;
}
