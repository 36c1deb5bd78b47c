/* strips: how many pixels of a convolution are widened at a time.
 *
 * The state of a convolution holds the windows of a strip of pixels. Wide strips share weights and columns, narrow
 * ones need less memory. So a convolution has several forms, from the fastest to the one with the least state; the
 * schedule gives a segment one limit of state, and every step the fastest form within it. Where rows are short, a
 * 1x1 convolution may take several at a time. */
#include "host/compile/private.h"

enum { WIDEST = 8 * MOTE_CONV_BLOCK, FINEST_PERCENT = 4 };

/* ---- Cortex-M4 (mote/isa/dsp_conv.c): its loops counted, and what surrounds them fitted to 44 shapes, strips of 1 to 40
 * pixels ---- */
/* Quarters of an instruction for four weights of a channel and as many pixels: windows that lie one after the other; those
 * that share columns, and there a turn of the loop. */
static const uint8_t whole_quad[MOTE_CONV_BLOCK + 1] = {0, 32, 40, 52, 60, 66};
static const uint8_t column_quad[MOTE_CONV_BLOCK + 1] = {0, 28, 36, 48, 56, 68};
static const uint8_t column_turn[MOTE_CONV_BLOCK + 1] = {1, 2, 2, 2, 4, 4};

static bool shares_columns(const struct mote_conv2d_s8 *p) {
  return p->kernel_w > 1 && p->in_c % 4 == 0;
}

/* All channels of a block. */
static int64_t block_cost(const struct mote_conv2d_s8 *p, uint32_t pixels) {
  const int64_t column = (int64_t)p->kernel_h * p->in_c, quads = (column * p->kernel_w + 3) / 4;
  const bool above = p->output.zp == -128 && p->output.low == -128 && p->output.high == 127;
  int64_t channel = 34 + (above ? 4 : 6) * pixels;
  if (shares_columns(p)) {
    const int64_t turns = (column / 4 + column_turn[pixels] - 1) / column_turn[pixels];
    channel += p->kernel_w * (22 + 4 * turns) + quads * column_quad[pixels] / 4;
  } else {
    channel += quads * whole_quad[pixels] / 4;
  }
  return p->out_c * channel + 110;
}

/* Two pixels of a model whose convolutions are all over whole windows, two channels at once. */
static bool by_two(const struct work *w, const struct mote_conv2d_s8 *p, uint32_t pixels) {
  return pixels == 2 && w->whole_windows && w->kernel == MOTE_KERNEL_conv2d_s8 &&
         p->out_c % 2 == 0 && p->in_c * p->kernel_h % 8 == 0;
}

/* Brings the windows of a block into order and widens them. A column's bytes of a row are gathered three at a time for
 * colours, else one by one. */
static int64_t windows_cost(const struct mote_conv2d_s8 *p, uint32_t pixels) {
  const int64_t column = (int64_t)p->kernel_h * p->in_c;
  const int64_t columns = (int64_t)(pixels - 1) * p->stride_w + p->kernel_w;
  if (p->in_c % 4 == 0) return pixels * (column * 3 / 2 + 10 * p->kernel_h) + 60;
  return pixels * (column * p->kernel_w * 3 / 2 + 15) +
         columns * p->kernel_h * (p->in_c == 3 ? 20 : 10 + 9 * (int64_t)p->in_c) + 200;
}

static int64_t patches_cost(const struct work *w, const struct mote_conv2d_s8 *p, uint32_t pixels,
                            uint32_t strip) {
  const uint32_t most = strip < MOTE_CONV_BLOCK ? strip : MOTE_CONV_BLOCK;
  const int64_t eights = (int64_t)p->in_c * p->kernel_h / 8;
  int64_t cost = 120;
  for (uint32_t left = pixels, n; left > 0; left -= n) {
    n = mote_block_of(left, most);
    cost += windows_cost(p, n);
    if (by_two(w, p, n))
      cost += p->out_c * (29 * eights + 3 * ((eights + 7) / 8) + 52) / 2 + 90;
    else
      cost += block_cost(p, n);
  }
  return cost;
}

static int64_t columns_cost(const struct mote_conv2d_s8 *p, uint32_t strip) {
  const int64_t column = (int64_t)p->kernel_h * p->in_c;
  int64_t cost = 150;
  for (uint32_t x = 0, n; x < p->out_w; x += n) {
    n = mote_block_of(p->out_w - x, strip);
    const int64_t columns = (int64_t)(n - 1) * p->stride_w + p->kernel_w;
    cost += columns * (column * 3 / 2 + 10 * p->kernel_h) + 100 + 80 * (int64_t)p->kernel_h;
    for (uint32_t done = 0, block; done < n; done += block) {
      block = mote_block_of(n - done, MOTE_CONV_BLOCK);
      cost += block_cost(p, block);
    }
  }
  return cost * p->rows_out;
}

static int64_t lanes_cost(const struct work *w, const struct mote_conv2d_s8 *p, int64_t pixels,
                          int64_t strip) {
  return shares_columns(p) ? columns_cost(p, (uint32_t)strip)
                           : patches_cost(w, p, (uint32_t)pixels, (uint32_t)strip);
}

/* ---- the other cores ---- */
/* A loop in C over one pixel and channel after the other: what a chip without lanes takes where it has no loop of its own. */
static int64_t plain_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t k = (int64_t)p->kernel_w * p->kernel_h * p->in_c;
  const int64_t blocks = (pixels + MOTE_CONV_BLOCK - 1) / MOTE_CONV_BLOCK;
  return p->out_c * (blocks * 40 + pixels * (15 * k / 2 + 50)) + blocks * 200 +
         windows_cost(p, (uint32_t)pixels);
}

static bool by_stairs(const struct work *w) {
  return w->kernel == MOTE_KERNEL_conv2d_stairs_s8 ||
         w->kernel == MOTE_KERNEL_conv2d_stairs_words_s8 ||
         w->kernel == MOTE_KERNEL_conv2d_stairs_high_s8;
}

static bool by_triples(const struct work *w) {
  return w->kernel == MOTE_KERNEL_conv2d_triples_s8 || by_stairs(w);
}

static bool by_wide(const struct work *w) { return w->kernel == MOTE_KERNEL_conv2d_wide_s8; }

static bool by_pairs(const struct work *w) { return w->kernel == MOTE_KERNEL_conv2d_pairs_s4; }

size_t strips_state_bytes(const struct work *w, const struct mote_conv2d_s8 *p) {
  const struct mote_conv2d_triples_s8 t = {.conv = *p};
  const struct mote_conv2d_pairs_s4 pairs = {.conv = *p};
  if (by_wide(w)) return mote_conv2d_wide_s8_state_bytes(p);
  if (by_pairs(w)) return mote_conv2d_pairs_s4_state_bytes(&pairs);
  return by_triples(w) ? mote_conv2d_triples_s8_state_bytes(&t) : mote_conv2d_s8_state_bytes(p);
}

/* The same by triples of pixels on RV32IM (mote/isa/rv32_conv.c): for each four channels, two triples take 42 for each
 * weight, a single one 24. */
static int64_t triples_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t k = (int64_t)p->kernel_w * p->kernel_h * p->in_c, fours = (p->out_c + 3) / 4;
  const int64_t triples = (pixels + 2) / 3;
  const int64_t columns = (triples - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1;
  const int64_t block = 150 + 12 * (int64_t)p->kernel_w;
  return fours * (120 + triples / 2 * (42 * k + block) + triples % 2 * (24 * k + block)) +
         p->out_c * pixels * 17 + columns * p->kernel_h * (12 * (int64_t)p->in_c + 40) + 100;
}

/* And by stairs (mote/isa/rv32_stairs.c): 41 and 23 for each weight, and outputs. */
static int64_t rv32_stairs_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t k = (int64_t)p->kernel_w * p->kernel_h * p->in_c, fours = (p->out_c + 3) / 4;
  const int64_t triples = (pixels + 2) / 3;
  const int64_t columns = (triples - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1;
  return triples / 2 * (fours * (41 * k + 260) + 90) + triples % 2 * (fours * (23 * k + 150) + 70) +
         p->kernel_h * (columns * (11 * (int64_t)p->in_c + 5) + 60) + 150;
}

/* The same on the Cortex-M0+ (mote/isa/v6m_conv.c): blocks of up to three triples, 21 for four weights of each. */
static int64_t short_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t k = (int64_t)p->kernel_w * p->kernel_h * p->in_c, quads = (k + 3) / 4;
  const int64_t triples = (pixels + 2) / 3, blocks = (triples + 2) / 3;
  const int64_t columns = (triples - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1;
  return p->out_c * (70 + blocks * (12 * quads + 200) + triples * (21 * quads + 25) + pixels * 32) +
         columns * p->kernel_h * (15 * (int64_t)p->in_c + 60) + 150;
}

/* The same by stairs (mote/isa/v6m_stairs.c). */
static int64_t stairs_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t k = (int64_t)p->kernel_w * p->kernel_h * p->in_c, quads = (k + 3) / 4;
  const int64_t triples = (pixels + 2) / 3, blocks = (triples + 2) / 3;
  const int64_t columns = (triples - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1;
  return p->out_c * (blocks * (12 * quads + 34) + triples * (21 * quads + 52)) + 120 * blocks +
         columns * p->kernel_h * (15 * (int64_t)p->in_c + 60) + 150;
}

/* By pairs of pixels with weights of 4 bits on the Cortex-M0+: blocks of up to PAIRS (mote/isa/v6m_s4.c), a run for each 100
 * products or so. */
enum { PAIRS = 5 };
static int64_t pairs_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t k = (int64_t)p->kernel_w * p->kernel_h * p->in_c, quads = (k + 3) / 4;
  const int64_t pairs = (pixels + 1) / 2, blocks = (pairs + PAIRS - 1) / PAIRS;
  const bool shares = p->kernel_w > 1 && p->in_c % 4 == 0;
  const int64_t columns = shares ? (pairs - 1) * p->stride_w + p->kernel_w : pairs * p->kernel_w;
  const int64_t channel =
      50 + blocks * (17 * quads + 100) + pairs * (10 * quads + 12 + k / 8) + pixels * 50;
  return p->out_c * channel + columns * p->kernel_h * p->in_c * (p->in_c % 4 == 0 ? 8 : 20) + 200;
}

/* By weights of 16 bits on the Cortex-M4 (mote/isa/dsp_conv_wide.c): blocks of three pixels of a row, at its end of two; a quad
 * of two channels is 16 or 11, their outputs 33, or 41 where they are rounded both ways. */
static int64_t wide_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t row = mote_wide_row_quads(p), quads = p->kernel_h * row, twos = (p->out_c + 1) / 2;
  const bool above = p->output.zp == -128 && p->output.low == -128 && p->output.high == 127;
  const int64_t threes = pixels % 3 == 1 && pixels > 1 ? pixels / 3 - 1 : pixels / 3,
                rest = (pixels - 3 * threes + 1) / 2;
  return threes * (130 + p->kernel_h * (35 + 3 * (6 + 13 * row / 2)) +
                   twos * (16 * quads + 3 * ((quads + 7) / 8) + (above ? 33 : 41))) +
         rest * (130 + p->kernel_h * (35 + 2 * (6 + 13 * row / 2)) +
                 twos * (11 * quads + 3 * ((quads + 3) / 4) + (above ? 33 : 41))) +
         100;
}

/* Four channels of a strip of so many pixels, of windows of so many vectors; sums: those of weights are made. */
static int64_t helium_group(int64_t vectors, int64_t pixels, bool sums) {
  const int64_t apart = sums ? 10 + 9 * vectors : 0;
  if (vectors == 1) return 47 + 19 * pixels + apart;
  if (vectors > 8 || (vectors > 4 && pixels == 1)) return 55 + pixels * (23 + 8 * vectors) + apart;
  if (pixels == 1) return 62 + 9 * vectors + apart;
  const int64_t pairs = 35 + pixels / 2 * (28 + 14 * vectors);
  return pairs + (pixels % 2 ? 25 + 13 * vectors : apart);
}

/* A whole call on the Cortex-M55 (mote/isa/mve_run.c): groups of four channels, for each strip and each pixel; the state
 * holds int8, so twice what strip_w says. */
static int64_t helium_cost(const struct work *w, const struct mote_conv2d_s8 *p, int64_t pixels,
                           int64_t strip) {
  struct mote_conv2d_s8 q = *p;
  q.strip_w = (uint16_t)strip;
  const int64_t column = (int64_t)p->kernel_h * p->in_c, vectors = (p->kernel_w * column + 15) / 16;
  const int64_t fours = (p->out_c + 3) / 4;
  const bool shared = mote_conv_overlap(p);
  const int64_t most = mote_conv_overlap_pixels(p, strips_state_bytes(w, &q));
  const int64_t strips = (pixels + most - 1) / most;
  const int64_t columns =
      shared ? pixels * p->stride_w + strips * p->kernel_w : pixels * p->kernel_w;
  const int64_t group = helium_group(vectors, (pixels + strips - 1) / strips, !w->folds);
  return fours * strips * group + columns * p->kernel_h * (p->in_c < 9 ? 2 : 8 + p->in_c / 5) +
         120 * strips + 150;
}

/* Of one call. */
static int64_t strip_cost(const struct work *w, const struct mote_conv2d_s8 *p, int64_t pixels,
                          int64_t strip) {
  if (w->options->core == COMPILE_CORE_MVE && w->kernel == MOTE_KERNEL_conv2d_s8)
    return helium_cost(w, p, pixels, strip);
  const enum compile_core core = w->options->core;
  if (by_wide(w)) return wide_cost(p, p->out_w) * p->rows_out;
  const bool plain =
      core == COMPILE_CORE_V6M || core == COMPILE_CORE_RV32 || core == COMPILE_CORE_AVR;
  if (!by_pairs(w) && !by_triples(w) && !plain) return lanes_cost(w, p, pixels, strip);
  int64_t (*cost)(const struct mote_conv2d_s8 *, int64_t) = pairs_cost;
  if (!by_pairs(w))
    cost = !by_triples(w)             ? plain_cost
           : core != COMPILE_CORE_V6M ? by_stairs(w) ? rv32_stairs_cost : triples_cost
           : by_stairs(w)             ? stairs_cost
                                      : short_cost;
  const int64_t rest = pixels % strip;
  return pixels / strip * cost(p, strip) + (rest > 0 ? cost(p, rest) : 0);
}

/* Pixels of a call that are widened as one run. */
static int64_t pixels_of(const struct mote_conv2d_s8 *p) { return (int64_t)p->rows_out * p->out_w; }

/* Whether one strip holds all that a call reads. */
static bool reads_first(const struct work *w, const struct mote_conv2d_s8 *p) {
  if (by_wide(w)) return pixels_of(p) <= MOTE_WIDE_PIXELS;
  if (by_triples(w) || by_pairs(w)) return p->strip_w >= pixels_of(p);
  const bool helium = w->options->core == COMPILE_CORE_MVE && w->kernel == MOTE_KERNEL_conv2d_s8;
  return mote_conv2d_s8_reads_first(p, helium);
}

void strips_of_conv(const struct work *w, struct form *f) {
  struct mote_conv2d_s8 *p = &f->params.conv2d_s8;
  const int64_t pixels = pixels_of(p), widest = by_wide(w) ? 1 : pixels < WIDEST ? pixels : WIDEST;
  int64_t best = INT64_MAX;
  for (int64_t s = 1; s <= widest; s++)
    if (strip_cost(w, p, pixels, s) < best) best = strip_cost(w, p, pixels, s);
  for (int64_t s = 1; s <= widest; s++) {
    if (strip_cost(w, p, pixels, s) * 100 > best * 101) continue;
    p->strip_w = (uint16_t)s;
    f->instructions = strip_cost(w, p, pixels, s) * f->calls;
    break;
  }
  f->state_bytes = strips_state_bytes(w, p);
  f->reads_first = reads_first(w, p);
}

/* Forms of less state than the one before, each the fastest of its state. */
static struct form *slimmer(const struct work *w, const struct form *from, struct arena *a) {
  const struct mote_conv2d_s8 *p = &from->params.conv2d_s8;
  const int64_t pixels = pixels_of(p), was = strip_cost(w, p, pixels, p->strip_w);
  struct form *best = NULL;
  for (uint16_t s = (uint16_t)(p->strip_w - 1); s > 0; s--) {
    struct form f = *from;
    f.params.conv2d_s8.strip_w = s;
    f.reads_first = reads_first(w, &f.params.conv2d_s8);
    f.state_bytes = strips_state_bytes(w, &f.params.conv2d_s8);
    if (f.state_bytes + f.state_bytes * FINEST_PERCENT / 100 >= from->state_bytes) continue;
    f.instructions = from->instructions + (strip_cost(w, p, pixels, s) - was) * f.calls;
    if (best != NULL && f.instructions >= best->instructions) continue;
    if (best == NULL) best = ARENA_NEW(a, struct form);
    *best = f;
  }
  return best;
}

/* The flat form in groups of `joined` rows, all pixels of a group in one strip where a block takes them. */
static struct form joined_rows(const struct work *w, int joined, int width) {
  const int groups = w->row.calls / joined;
  struct form f = w->flat;
  f.slimmer = NULL;
  f.in[0] = (struct rows_of){groups, f.in[0].row_bytes / (size_t)groups};
  f.out = (struct rows_of){groups, f.out.row_bytes / (size_t)groups};
  f.calls = groups;
  f.params.conv2d_s8.in_w = f.params.conv2d_s8.out_w = (uint16_t)(joined * width);
  strips_of_conv(w, &f);
  lower_count_calls(w, &f);
  return f;
}

/* The row form with `joined` rows a call, as one run of pixels. The last call may make rows beyond the end. */
static struct form rows_joined(const struct work *w, int joined) {
  struct form f = w->row;
  f.slimmer = NULL;
  f.rows_out = joined;
  f.calls = (f.out.rows + joined - 1) / joined;
  f.reach[0] = (struct reach){0, joined, joined, 1};
  f.params.conv2d_s8.rows_out = (uint16_t)joined;
  strips_of_conv(w, &f);
  lower_count_calls(w, &f);
  return f;
}

/* Few pixels a row make a 1x1 convolution slow by rows, and flat it cannot give back its input as it goes. Between
 * them lie rows joined to groups of up to two blocks of pixels, where their number allows it: the fastest, and
 * behind it those of less and less state. */
static void group(struct work *w, struct arena *a) {
  const int rows = w->row.calls, width = w->row.params.conv2d_s8.out_w;
  const int most = by_triples(w) || by_wide(w) ? 30 : by_pairs(w) ? 4 * PAIRS : 2 * MOTE_CONV_BLOCK;
  const struct form *last = NULL;
  struct form *to = &w->grouped;
  for (;;) {
    struct form best = {0};
    for (int joined = 2; joined < rows; joined++) {
      if (rows % joined != 0 || joined * width > most) continue;
      const struct form f = joined_rows(w, joined, width);
      if (last != NULL && f.state_bytes >= last->state_bytes) continue;
      if (best.calls == 0 || f.instructions < best.instructions) best = f;
    }
    if (best.calls == 0) return;
    if (last != NULL) {
      to->slimmer = ARENA_NEW(a, struct form);
      to = to->slimmer;
    }
    *to = best;
    last = to;
    w->has_grouped = true;
  }
}

/* A depthwise convolution with several rows a call, where windows are one column and so cost no more at once: all that is
 * saved is calls, which short rows make many of. */
static void join_depthwise(struct work *w) {
  const struct mote_depthwise_conv2d_s8 *p = &w->row.params.depthwise_conv2d_s8;
  if (mote_depthwise_conv2d_s8_form(p) != 2 || w->row.reach[0].advance != 1) return;
  for (int i = 0; i < JOINS; i++) {
    const int joined = JOINED(i);
    if (w->row.calls % joined != 0 || joined * p->out_w > MOTE_CONV_BLOCK) continue;
    if (w->row.reach[0].dilation != 1 || w->row.reach[0].rows + joined - 1 > MOTE_STACK_ROWS)
      continue;
    struct form f = w->row;
    f.instructions -= f.calls * lower_call_cost(w, &f);
    f.rows_out = joined;
    f.calls /= joined;
    f.reach[0].advance = joined;
    f.reach[0].rows += joined - 1;
    f.params.depthwise_conv2d_s8.rows_out = (uint16_t)joined;
    lower_count_calls(w, &f);
    w->joined[i] = f;
  }
}

void strips_vary(struct work *w, struct arena *a) {
  if (w->kernel == MOTE_KERNEL_depthwise_conv2d_s8) join_depthwise(w);
  if (w->kernel == MOTE_KERNEL_conv2d_tiles_s8)
    for (struct form *f = &w->row; f != NULL; f = f->slimmer)
      f->slimmer = lower_slimmer_tiles(w, f, a);
  if (w->kernel != MOTE_KERNEL_conv2d_s8 && w->kernel != MOTE_KERNEL_conv2d_s4 && !by_triples(w) &&
      !by_pairs(w) && !by_wide(w))
    return;
  const int width = w->row.params.conv2d_s8.out_w;
  if (w->has_flat) group(w, a);
  for (int i = 0; i < JOINS && w->has_flat && !by_triples(w) && !by_pairs(w) && !by_wide(w); i++)
    if (JOINED(i) <= w->row.calls && JOINED(i) * width <= MOTE_CONV_BLOCK)
      w->joined[i] = rows_joined(w, JOINED(i));
  struct form *const forms[] = {&w->row, w->has_flat ? &w->flat : NULL, &w->joined[0],
                                &w->joined[1]};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    for (struct form *last = forms[i]; last != NULL && last->calls > 0; last = last->slimmer)
      last->slimmer = slimmer(w, last, a);
}
