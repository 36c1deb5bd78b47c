/* move: rectangular pieces from here to there. */
#include <string.h>

#include "mote/nn/walk.h"

/* One run of n elements with any steps. memmove takes the runs that lie together. */
static void copy_run(const uint8_t *from, uint8_t *to, const struct mote_axis *inner,
                     unsigned bytes) {
  const int32_t in_step = inner->step[0], out_step = inner->step[1];
  const uint32_t n = inner->n;
  if (in_step == (int32_t)bytes && out_step == (int32_t)bytes) {
    memmove(to, from, (size_t)n * bytes);
    return;
  }
  if (bytes == 1) {
    for (uint32_t i = 0; i < n; i++, from += in_step, to += out_step) *to = *from;
  } else if (bytes == 2) {
    for (uint32_t i = 0; i < n; i++, from += in_step, to += out_step)
      *(uint16_t *)(void *)to = *(const uint16_t *)(const void *)from;
  } else {
    for (uint32_t i = 0; i < n; i++, from += in_step, to += out_step)
      for (unsigned k = 0; k < bytes; k += 4)
        *(uint32_t *)(void *)(to + k) = *(const uint32_t *)(const void *)(from + k);
  }
}

static void fill(const struct mote_move *p, uint8_t *to) {
  const uint8_t *value = (const uint8_t *)p->value;
  if (p->bytes == 1)
    memset(to, value[0], p->fill);
  else
    for (uint32_t i = 0; i < p->fill; i++, to += p->bytes) memcpy(to, value, p->bytes);
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  const struct mote_move *p = (const struct mote_move *)params;
  const struct mote_piece *piece = (const struct mote_piece *)mote_at(p, p->pieces_at);
  (void)state;
  fill(p, (uint8_t *)out);
  for (unsigned i = 0; i < p->pieces; i++, piece++) {
    const void *source = piece->row == MOTE_MOVE_OUTPUT ? out : rows[piece->row];
    struct mote_walk w;
    if (source == NULL) continue;
    mote_walk_begin(&w, &piece->loops, p);
    do
      copy_run((const uint8_t *)source + piece->from + w.offset[0],
               (uint8_t *)out + piece->to + w.offset[1], &piece->loops.inner, p->bytes);
    while (mote_walk_next(&w));
  }
}

const struct mote_kernel mote_kernel_move = {NULL, row, NULL};

size_t mote_move_state_bytes(const struct mote_move *p) {
  (void)p;
  return 0;
}

/* The bytes of row pointer `index`, aligned rows only; 0 where there is none. */
static size_t row_bytes(const struct mote_bounds *b, unsigned index, unsigned align) {
  for (unsigned k = 0; k < b->n_in; index -= b->rows[k], k++)
    if (index < b->rows[k]) return b->row_bytes[k] % align == 0 ? b->row_bytes[k] : 0;
  return 0;
}

static int piece_fits(const struct mote_move *p, const struct mote_piece *piece,
                      const struct mote_bounds *b) {
  const unsigned align = p->bytes > 4 ? 4 : p->bytes;
  const size_t source =
      piece->row == MOTE_MOVE_OUTPUT ? b->out_bytes : row_bytes(b, piece->row, align);
  uint32_t elements;
  return mote_loops_check(&piece->loops, p, b, 2, &elements) &&
         (uint64_t)elements * p->bytes <= b->out_bytes && /* none is written twice */
         mote_loops_within(&piece->loops, p, 0, piece->from, p->bytes, source) &&
         mote_loops_within(&piece->loops, p, 1, piece->to, p->bytes, b->out_bytes);
}

enum mote_status mote_move_check(const struct mote_move *p, const struct mote_bounds *b) {
  if (b->params_bytes < sizeof *p ||
      !mote_bounds_constant(b, p->pieces_at, (uint64_t)p->pieces * sizeof(struct mote_piece)))
    return MOTE_ERR_BOUNDS;
  if (p->bytes != 1 && p->bytes != 2 && p->bytes != 4 && p->bytes != 8) return MOTE_ERR_PARAMS;
  if (b->out_bytes % (p->bytes > 4 ? 4u : p->bytes) != 0 ||
      (uint64_t)p->fill * p->bytes > b->out_bytes)
    return MOTE_ERR_BOUNDS;
  const struct mote_piece *piece = (const struct mote_piece *)mote_at(p, p->pieces_at);
  for (unsigned i = 0; i < p->pieces; i++)
    if (!piece_fits(p, &piece[i], b)) return MOTE_ERR_BOUNDS;
  return MOTE_OK;
}
