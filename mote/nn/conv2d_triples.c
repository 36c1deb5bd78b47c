/* conv2d_triples: CONV_2D by triples of pixels (mote/isa/isa.h says what a triple is).
 *
 * A strip of n pixels of one row is m = (n + 2) / 3 triples: pixel i beside i + m and i + 2 m. The strip in the
 * state holds the columns that pixels 0 .. m - 1 see, each of kernel_h * in_c values as the rows lie, and in each value
 * the columns that stand m and 2 m pixels further right. Where a strip is no multiple of three, that looks beyond it,
 * at what is not used, or outside of the row.
 *
 * State: the strip, and behind it what rounds a window up to a multiple of four values. */
#include "mote/isa/isa.h"
#include "mote/nn/bounds.h"

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Columns under m triples. */
static uint64_t columns_of(const struct mote_conv2d_s8 *p, uint32_t m) {
  return (uint64_t)(m - 1) * p->stride_w + (p->kernel_w - 1u) * p->dilation_w + 1;
}

/* Where a column of a row is; NULL where it is not. */
static const int8_t *column_of(const struct mote_conv2d_s8 *p, const void *row, uint32_t column) {
  if (row == NULL || column >= p->in_w) return NULL; /* left of it: above 2^31 */
  return (const int8_t *)row + (size_t)column * p->in_c;
}

/* Whether the same four values of neighbouring columns stand side by side. */
static int is_apart(const struct mote_conv2d_s8 *p) {
  return MOTE_ISA_TRIPLES_APART && p->in_c % 4 == 0;
}

/* One kernel row: its columns from `column` on, beside those `apart` and 2 `apart` further right. Where all three are in the
 * row they are widened as one run. */
static void fill_row(const struct mote_conv2d_s8 *p, const void *row, uint32_t column,
                     uint32_t columns, uint32_t apart, uint32_t step, uint32_t quad_step,
                     uint32_t *to, int raw) {
  const uint32_t n = p->in_c;
  const int32_t zp = p->output.in_zp;
  for (uint32_t c = 0, some; c < columns; c += some, column += some, to += some * step) {
    const int8_t *const third = column_of(p, row, column + 2 * apart);
    some = 1;
    if (third && column < p->in_w) {
      some = least(columns - c, p->in_w - (column + 2 * apart));
      const int8_t *const second = third - (size_t)apart * n, *const first =
                                                                  second - (size_t)apart * n;
      if (raw)
        mote_isa_widen_triples_raw(to, quad_step, step, first, second, third, n, some);
      else
        mote_isa_widen_triples(to, quad_step, step, first, second, third, n, some, zp);
    } else {
      mote_isa_widen_triple(to, quad_step, column_of(p, row, column),
                            column_of(p, row, column + apart), third, n, raw ? 0 : zp, zp);
    }
  }
}

/* raw: the zero point stays in what is widened, and stands outside of the rows.
 * Widens what d's triples from pixel x on see, and sets d's steps. */
static void fill(const struct mote_conv2d_s8 *p, const void *const *rows, uint32_t x,
                 struct mote_triples_job *d, uint32_t *to, int raw) {
  const uint32_t m = d->triples, columns = (uint32_t)columns_of(p, m), apart = m * p->stride_w;
  const uint32_t n = p->in_c, step = is_apart(p) ? 8 : 2 * mote_conv_column(p);
  d->pixel_step = p->stride_w * step;
  d->column_step = p->dilation_w * step;
  d->quad_step = is_apart(p) ? 8 * columns : 8;
  const uint32_t row_step = is_apart(p) ? n / 4 * d->quad_step : 2 * n;
  for (uint32_t i = 0; i < p->kernel_h; i++, to += row_step)
    fill_row(p, rows[i], x * p->stride_w - p->pad_left, columns, apart, step, d->quad_step, to,
             raw);
}

static inline __attribute__((always_inline)) void
make_rows(const void *params, const void *const *rows, void *state, void *out, int raw,
          void (*conv)(const struct mote_conv2d_triples_s8 *, const struct mote_triples_job *)) {
  const struct mote_conv2d_triples_s8 *t = (const struct mote_conv2d_triples_s8 *)params;
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint32_t most = least(p->strip_w, p->out_w);
  struct mote_triples_job d;
  d.words = (const uint32_t *)state;
  d.out = (int8_t *)out;
  for (uint32_t r = p->rows_out; r; r--, rows += p->stride_h)
    for (uint32_t x = 0; x < p->out_w; x += d.pixels) {
      d.pixels = least(p->out_w - x, most);
      d.triples = (d.pixels + 2) / 3;
      fill(p, rows, x, &d, (uint32_t *)state, raw);
      conv(t, &d);
      d.out += (size_t)d.pixels * p->out_c;
    }
}

static void row(const void *params, const void *const *rows, void *state, void *out) {
  make_rows(params, rows, state, out, 0, mote_isa_conv_triples);
}
static void row_stairs(const void *params, const void *const *rows, void *state, void *out) {
  make_rows(params, rows, state, out, 1, mote_isa_conv_stairs);
}
static void row_stairs_words(const void *params, const void *const *rows, void *state, void *out) {
  make_rows(params, rows, state, out, 1, mote_isa_conv_stairs_words);
}
static void row_stairs_high(const void *params, const void *const *rows, void *state, void *out) {
  make_rows(params, rows, state, out, 1, mote_isa_conv_stairs_high);
}

const struct mote_kernel mote_kernel_conv2d_triples_s8 = {NULL, row, NULL};
const struct mote_kernel mote_kernel_conv2d_stairs_s8 = {NULL, row_stairs, NULL};
const struct mote_kernel mote_kernel_conv2d_stairs_words_s8 = {NULL, row_stairs_words, NULL};
const struct mote_kernel mote_kernel_conv2d_stairs_high_s8 = {NULL, row_stairs_high, NULL};

/* Columns are below 2^33 and a column's values below 2^32: 8 times both may be too much for 64 bits. */
size_t mote_conv2d_triples_s8_state_bytes(const struct mote_conv2d_triples_s8 *t) {
  const struct mote_conv2d_s8 *p = &t->conv;
  const uint64_t columns = columns_of(p, (least(p->strip_w, p->out_w) + 2) / 3);
  const uint64_t values = mote_conv_column(p);
  if (values == 0 || columns > (SIZE_MAX / 8 - 3) / values) return SIZE_MAX;
  const uint64_t slack = mote_conv_window(p) - values * p->kernel_w; /* weights come in fours */
  return (size_t)(8 * (columns * values + slack));
}

size_t mote_conv2d_stairs_s8_state_bytes(const struct mote_conv2d_triples_s8 *t) {
  return mote_conv2d_triples_s8_state_bytes(t);
}

size_t mote_conv2d_stairs_words_s8_state_bytes(const struct mote_conv2d_triples_s8 *t) {
  return mote_conv2d_triples_s8_state_bytes(t);
}

size_t mote_conv2d_stairs_high_s8_state_bytes(const struct mote_conv2d_triples_s8 *t) {
  return mote_conv2d_triples_s8_state_bytes(t);
}

static enum mote_status stairs_check(const struct mote_conv2d_triples_s8 *t,
                                     const struct mote_bounds *b, int high) {
  struct mote_bounds without_state = *b;
  if (b->params_bytes < sizeof *t) return MOTE_ERR_BOUNDS;
  without_state.state_bytes = SIZE_MAX;
  const enum mote_status status = mote_conv2d_window_check(&t->conv, &without_state);
  if (status != MOTE_OK) return status;
  if (t->run_columns < t->conv.kernel_w ||
      !mote_stairs_check(&t->conv.output, t, b, t->conv.out_c, t->run_values, high))
    return MOTE_ERR_PARAMS;
  return mote_conv2d_triples_s8_state_bytes(t) > b->state_bytes ? MOTE_ERR_BOUNDS : MOTE_OK;
}

enum mote_status mote_conv2d_stairs_s8_check(const struct mote_conv2d_triples_s8 *t,
                                             const struct mote_bounds *b) {
  return stairs_check(t, b, 0);
}
enum mote_status mote_conv2d_stairs_high_s8_check(const struct mote_conv2d_triples_s8 *t,
                                                  const struct mote_bounds *b) {
  return stairs_check(t, b, 1);
}

enum mote_status mote_conv2d_triples_s8_check(const struct mote_conv2d_triples_s8 *t,
                                              const struct mote_bounds *b) {
  struct mote_bounds without_state = *b;
  if (b->params_bytes < sizeof *t) return MOTE_ERR_BOUNDS;
  without_state.state_bytes = SIZE_MAX;
  const enum mote_status status = mote_conv2d_s8_check(&t->conv, &without_state);
  if (status != MOTE_OK) return status;
  if (t->run_columns == 0 && t->run_values == 0) return MOTE_ERR_PARAMS;
  return mote_conv2d_triples_s8_state_bytes(t) > b->state_bytes ? MOTE_ERR_BOUNDS : MOTE_OK;
}

/* A window is below 2^32 and out_c below 2^16. */
enum mote_status mote_conv2d_stairs_words_s8_check(const struct mote_conv2d_triples_s8 *t,
                                                   const struct mote_bounds *b) {
  const enum mote_status status = mote_conv2d_stairs_s8_check(t, b);
  if (status != MOTE_OK) return status;
  const uint64_t n = (uint64_t)mote_conv_window(&t->conv) * t->conv.out_c;
  if (!mote_bounds_constant(b, t->conv.weights_at, 4 * n)) return MOTE_ERR_BOUNDS;
  const int32_t *w = (const int32_t *)mote_at(t, t->conv.weights_at);
  for (uint64_t i = 0; i < n; i++)
    if (!mote_is_int8(w[i])) return MOTE_ERR_PARAMS;
  return MOTE_OK;
}
