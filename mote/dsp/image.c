/* The kind "image": a frame cut, shrunk or enlarged to the size that a network sees, grey or in colours.
 *
 * Each row of the result is the weighted sum of source rows, each of which is the weighted sum of its pixels: the
 * weights (host/features) are those of the area that a result's pixel covers, or, where it grows, of its two neighbours. A
 * colour becomes grey before it is weighted. Values are 15 bits and a sign all the way, rounded once for each axis.
 *
 * invariant: weights are >= 0 and a span's sum is MOTE_IMAGE_ONE (or it is empty), so no sum leaves the range of its terms. */
#include "mote/dsp/image.h"
#include "mote/dsp/private.h"

#include <string.h>

/* ---- pixels ---------------------------------------------------------------------------- */
/* Luma of ITU-R BT.601, times 128: at most 255 * 65536 / 512 = 32640. */
static int32_t grey_of(uint32_t r, uint32_t g, uint32_t b) {
  return (int32_t)((19595 * r + 38470 * g + 7471 * b + 256) >> 9);
}

/* Five and six bits become eight by repeating the upper ones, so that white is 255. */
static void colours_of_565(uint32_t v, uint32_t rgb[3]) {
  const uint32_t r = v >> 11, g = v >> 5 & 63, b = v & 31;
  rgb[0] = r << 3 | r >> 2;
  rgb[1] = g << 2 | g >> 4;
  rgb[2] = b << 3 | b >> 2;
}

/* Pixel x of a row, colour c. */
static int32_t pixel_at(const struct mote_image *p, const void *row, uint32_t x, uint32_t c) {
  uint32_t rgb[3];
  if (p->format == MOTE_IMAGE_GREY) return ((const uint8_t *)row)[x] << 7;
  if (p->format == MOTE_IMAGE_NUMBERS) return ((const int16_t *)row)[x];
  if (p->format == MOTE_IMAGE_RGB) {
    const uint8_t *const at = (const uint8_t *)row + 3 * x;
    if (p->colours == 3) return at[c] << 7;
    return grey_of(at[0], at[1], at[2]);
  }
  uint32_t v = ((const uint16_t *)row)[x];
  if (p->format == MOTE_IMAGE_RGB565_SWAPPED) v = (v >> 8 | v << 8) & 0xFFFF;
  colours_of_565(v, rgb);
  return p->colours == 3 ? (int32_t)rgb[c] << 7 : grey_of(rgb[0], rgb[1], rgb[2]);
}

static uint32_t row_bytes_of(const struct mote_image *p) {
  return p->format == MOTE_IMAGE_GREY ? p->width
                                      : (p->format == MOTE_IMAGE_RGB ? 3u : 2u) * p->width;
}

static const struct mote_image *params_of(const struct mote_features *f) {
  return mote_at(f, f->params_at);
}

/* ---- axes ------------------------------------------------------------------------------- */
/* Where place i of an axis comes from. */
struct source {
  uint32_t first, n;
  const int16_t *weight; /* NULL: one place as it is */
};

static struct source source_of(const struct mote_image *p, int32_t at, uint32_t n, uint32_t shift,
                               uint32_t i) {
  if (!at) return (struct source){i + shift, 1, 0};
  const struct mote_image_span *const span = mote_at(p, at);
  const int16_t *const weights = (const int16_t *)(const void *)(span + n + 1);
  return (struct source){span[i].first, (uint32_t)(span[i + 1].at - span[i].at),
                         weights + span[i].at};
}

static struct source row_source(const struct mote_features *f, uint32_t y) {
  const struct mote_image *const p = params_of(f);
  return source_of(p, p->down_at, f->rows, p->top, y);
}

/* ONE times a value is at most 2^27, and so is the sum. */
static int32_t rounded(int32_t sum) { return (sum + MOTE_IMAGE_ONE / 2) >> 12; }

/* Adds a source row, times `weight`, to the sums of plane `plane`: sum[width][depth]. weight 0: stands for it. */
static void add_row(const struct mote_features *f, const void *row, int32_t weight, uint32_t plane,
                    int32_t *sum) {
  const struct mote_image *const p = params_of(f);
  const uint32_t depth = f->depth;
  for (uint32_t x = 0; x < f->width; x++) {
    const struct source s = source_of(p, p->across_at, f->width, p->left, x);
    for (uint32_t c = 0; c < p->colours; c++) {
      int32_t v = 0;
      if (!s.weight)
        v = pixel_at(p, row, s.first, c);
      else {
        for (uint32_t k = 0; k < s.n; k++) v += s.weight[k] * pixel_at(p, row, s.first + k, c);
        v = rounded(v);
      }
      sum[x * depth + plane + c] += weight * v;
    }
  }
}

/* ---- the op -------------------------------------------------------------------------------- */
static enum mote_status check_axis(const struct mote_features *f, const struct mote_image *p,
                                   int32_t at, uint32_t n, uint32_t from, uint32_t shift) {
  const size_t left = f->bytes - (uint32_t)f->params_at;
  if (!at) return shift + n <= from ? MOTE_OK : MOTE_ERR_BOUNDS;
  if (at < (int32_t)sizeof *p || (at & 3) || (uint32_t)at > left ||
      (n + 1) * sizeof(struct mote_image_span) > left - (uint32_t)at)
    return MOTE_ERR_BOUNDS;
  const struct mote_image_span *const span = mote_at(p, at);
  const size_t room = (left - (uint32_t)at - (n + 1) * sizeof *span) / 2;
  const int16_t *const weights = (const int16_t *)(const void *)(span + n + 1);
  if (span[0].at || span[n].at > room) return MOTE_ERR_BOUNDS;
  for (uint32_t i = 0; i < n; i++) {
    if (span[i + 1].at < span[i].at || span[i + 1].at > room) return MOTE_ERR_BOUNDS;
    const uint32_t count = (uint32_t)(span[i + 1].at - span[i].at);
    int32_t sum = 0;
    if (span[i].first + count > from) return MOTE_ERR_BOUNDS;
    for (uint32_t k = 0; k < count; k++) {
      if (weights[span[i].at + k] < 0 || sum > MOTE_IMAGE_ONE) return MOTE_ERR_PARAMS;
      sum += weights[span[i].at + k];
    }
    if (count && sum != MOTE_IMAGE_ONE) return MOTE_ERR_PARAMS;
  }
  return MOTE_OK;
}

enum mote_status mote_features_check_image(const struct mote_features *f) {
  if (!mote_features_table_fits(f, f->params_at, sizeof(struct mote_image))) return MOTE_ERR_BOUNDS;
  const struct mote_image *const p = params_of(f);
  if (f->cell_bytes != 2 || f->fft_log2 || f->range || f->hop ||
      p->format >= MOTE_IMAGE_FORMAT_COUNT || f->normalise > MOTE_FEATURES_NORMALISE_LEVEL)
    return MOTE_ERR_PARAMS;
  if (!p->width || !p->height || (p->colours != 1 && p->colours != 3) || !p->frames)
    return MOTE_ERR_PARAMS;
  const int numbers = p->format == MOTE_IMAGE_NUMBERS;
  if ((p->colours == 3 && (numbers || p->format == MOTE_IMAGE_GREY)) ||
      (!numbers && p->frames != 1))
    return MOTE_ERR_PARAMS;
  if (f->depth != p->colours * (uint32_t)p->frames) return MOTE_ERR_PARAMS;
  /* The channels of a time step are the pixels of a frame of numbers. */
  const uint64_t bytes = (uint64_t)row_bytes_of(p) * p->height * p->frames;
  if ((bytes + 1) / 2 > (uint64_t)f->window * f->stride ||
      (numbers && (uint32_t)p->width * p->height != f->stride))
    return MOTE_ERR_BOUNDS;
  const enum mote_status across = check_axis(f, p, p->across_at, f->width, p->width, p->left);
  return across != MOTE_OK ? across : check_axis(f, p, p->down_at, f->rows, p->height, p->top);
}

size_t mote_image_row_bytes(const struct mote_features *f) { return 4 * (size_t)f->columns; }

void mote_image_row(const struct mote_features *f, const void *frame, uint32_t y, void *scratch,
                    int16_t *row) {
  const struct mote_image *const p = params_of(f);
  const struct source s = row_source(f, y);
  int32_t *const sum = scratch;
  const uint32_t bytes = row_bytes_of(p);
  memset(sum, 0, mote_image_row_bytes(f));
  for (uint32_t t = 0; t < p->frames; t++)
    for (uint32_t k = 0; k < s.n; k++)
      add_row(f, (const uint8_t *)frame + ((size_t)t * p->height + s.first + k) * bytes,
              s.weight ? s.weight[k] : 1, t, sum);
  for (uint32_t i = 0; i < f->columns; i++) row[i] = (int16_t)(s.weight ? rounded(sum[i]) : sum[i]);
}

/* One row to int8; there is one map for all columns. */
static void map_row(const struct mote_features *f, const int16_t *row, int32_t mean, int8_t *out) {
  const struct mote_features_column *const column = mote_at(f, f->column_at);
  const int32_t away = mean + column->offset, shift = column->shift, half = 1 << (shift - 1);
  for (uint32_t i = 0; i < f->columns; i++) {
    const int32_t n = mote_clamp(row[i] - away, INT16_MIN, INT16_MAX);
    out[i] = (int8_t)mote_clamp(f->zp + ((n * column->multiplier + half) >> shift), -128, 127);
  }
}

void mote_image_line(const struct mote_features *f, const void *frame, uint32_t y, void *scratch,
                     int8_t *out) {
  int16_t *const row = (int16_t *)(void *)((uint8_t *)scratch + mote_image_row_bytes(f));
  mote_image_row(f, frame, y, scratch, row);
  map_row(f, row, 0, out);
}

/* Row after row of the same window, and then those of the next: the state counts them. */
static size_t image_state_bytes(const struct mote_features *f) {
  (void)f;
  return sizeof(uint32_t);
}

static void image_begin(const struct mote_features *f, void *state) {
  (void)f;
  *(uint32_t *)state = 0;
}

static size_t image_scratch_bytes(const struct mote_features *f) {
  return mote_image_row_bytes(f) + ((2 * (size_t)f->columns + 3) & ~(size_t)3);
}

static void image_row(const struct mote_features *f, const int16_t *samples, void *state,
                      void *scratch, void *row) {
  uint32_t *const y = state;
  mote_image_row(f, samples, *y, scratch, row);
  *y = *y + 1 < f->rows ? *y + 1 : 0;
}

/* round(sum / n) of a window, halves away from zero. Rows' sums are divided first: of 65535 columns one is below
 * 2^31, and so is the sum of 65535 means. */
static int32_t mean_of(int32_t sum, int32_t n) { return (sum < 0 ? sum - n / 2 : sum + n / 2) / n; }

static int32_t row_mean(const struct mote_features *f, const int16_t *row) {
  int32_t sum = 0;
  for (uint32_t i = 0; i < f->columns; i++) sum += row[i];
  return mean_of(sum, f->columns);
}

static void image_finish(const struct mote_features *f, const void *rows, uint32_t n, int8_t *out) {
  const int16_t *const values = rows;
  int32_t sum = 0;
  if (f->normalise == MOTE_FEATURES_NORMALISE_LEVEL)
    for (uint32_t r = 0; r < n; r++) sum += row_mean(f, values + (size_t)r * f->columns);
  const int32_t mean = mean_of(sum, (int32_t)n);
  for (uint32_t r = 0; r < n; r++)
    map_row(f, values + (size_t)r * f->columns, mean, out + (size_t)r * f->columns);
}

/* A window without its rows in memory: where the mean is taken off, they are made twice. */
static void image_run(const struct mote_features *f, const int16_t *samples, void *scratch,
                      int8_t *out) {
  int16_t *const row = (int16_t *)(void *)((uint8_t *)scratch + mote_image_row_bytes(f));
  int32_t sum = 0;
  if (mote_image_is_plain(f)) {
    mote_bytes_signed((const uint8_t *)samples, (size_t)f->rows * f->columns, out);
    return;
  }
  for (uint32_t y = 0; y < f->rows && f->normalise == MOTE_FEATURES_NORMALISE_LEVEL; y++) {
    mote_image_row(f, samples, y, scratch, row);
    sum += row_mean(f, row);
  }
  const int32_t mean = mean_of(sum, f->rows);
  for (uint32_t y = 0; y < f->rows; y++) {
    mote_image_row(f, samples, y, scratch, row);
    map_row(f, row, mean, out + (size_t)y * f->columns);
  }
}

const struct mote_features_op mote_features_image = {
    .kind = MOTE_FEATURES_IMAGE,
    .scratch_bytes = image_scratch_bytes,
    .state_bytes = image_state_bytes,
    .begin = image_begin,
    .row = image_row,
    .finish = image_finish,
    .run = image_run,
};

/* ---- rows from a camera ---------------------------------------------------------------------- */
/* Memory: this, two rows of sums (the row that is being made, and the next, which may share a source row with it), a
 * row of int16 and one of int8. */
struct feed {
  uint32_t source, row; /* the next of each */
};

static int32_t *sums_of(void *memory) { return (int32_t *)(void *)((struct feed *)memory + 1); }

/* Two rows are open at most where a row ends no earlier than the next but one begins; and rows must begin and end in their
 * order, those beyond the edge aside. */
int mote_image_can_feed(const struct mote_features *f) {
  const struct mote_image *const p = params_of(f);
  uint32_t first = 0, end = 0;
  if (f->normalise || p->format == MOTE_IMAGE_NUMBERS) return 0;
  for (uint32_t y = 0; y < f->rows; y++) {
    const struct source s = row_source(f, y);
    if (!s.n) continue;
    if (s.first < first || s.first + s.n < end) return 0;
    first = s.first, end = s.first + s.n;
  }
  for (uint32_t y = 0; y + 2 < f->rows && p->down_at; y++) {
    const struct source one = row_source(f, y), other = row_source(f, y + 2);
    if (one.n && other.n && other.first < one.first + one.n) return 0;
  }
  return 1;
}

size_t mote_image_feed_bytes(const struct mote_features *f) {
  return sizeof(struct feed) + 2 * mote_image_row_bytes(f) +
         ((3 * (size_t)f->columns + 3) & ~(size_t)3);
}

void mote_image_feed_begin(const struct mote_features *f, void *memory) {
  memset(memory, 0, sizeof(struct feed) + 2 * mote_image_row_bytes(f));
}

/* Hands on the row that is complete; the next one's sums move up. */
static void complete(const struct mote_features *f, void *memory, int weighted,
                     mote_image_line_fn *line, void *context) {
  struct feed *const s = memory;
  const uint32_t columns = f->columns;
  int32_t *const sum = sums_of(memory);
  int16_t *const row = (int16_t *)(void *)(sum + 2 * columns);
  int8_t *const out = (int8_t *)(row + columns);
  for (uint32_t i = 0; i < columns; i++) row[i] = (int16_t)(weighted ? rounded(sum[i]) : sum[i]);
  map_row(f, row, 0, out);
  memmove(sum, sum + columns, 4 * (size_t)columns);
  memset(sum + columns, 0, 4 * (size_t)columns);
  s->row++;
  line(context, out);
}

/* Rows that end before the source's next, and those beyond the edge, which need none. */
static void complete_all(const struct mote_features *f, void *memory, mote_image_line_fn *line,
                         void *context) {
  struct feed *const s = memory;
  while (s->row < f->rows) {
    const struct source from = row_source(f, s->row);
    if (from.first + from.n > s->source) return;
    complete(f, memory, from.weight != 0, line, context);
  }
}

void mote_image_feed_push(const struct mote_features *f, void *memory, const void *source_row,
                          mote_image_line_fn *line, void *context) {
  struct feed *const s = memory;
  if (s->source == 0) complete_all(f, memory, line, context);
  for (uint32_t k = 0; k < 2 && s->row + k < f->rows; k++) {
    const struct source from = row_source(f, s->row + k);
    if (s->source < from.first || s->source >= from.first + from.n) continue;
    add_row(f, source_row, from.weight ? from.weight[s->source - from.first] : 1, 0,
            sums_of(memory) + k * f->columns);
  }
  s->source++;
  complete_all(f, memory, line, context);
}
