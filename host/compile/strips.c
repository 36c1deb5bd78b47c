/* strips: how many pixels of a convolution are widened at a time.
 *
 * The state of a convolution holds the windows of a strip of pixels. Wide strips share weights and columns, narrow
 * ones need less memory. So a convolution has several forms, from the fastest to the one with the least state; the
 * schedule gives a segment one limit of state, and every step the fastest form within it. Where rows are short, a
 * 1x1 convolution may take several at a time. */
#include "host/compile/private.h"

enum { WIDEST = 8 * MOTE_CONV_BLOCK, FINEST_PERCENT = 4 };

/* Instructions of a run of pixels in blocks of up to MOTE_CONV_BLOCK of nearly equal size. source: fitted to the
 * layers of five models on the Cortex-M4, strips of 1 to 10 pixels: a block takes 7 for each four weights of a
 * channel, a pixel 2 1/16 and 15; a byte to widen takes 2, and 15 more where it is brought into order first. */
static int64_t run_cost(const struct mote_conv2d_s8 *p, int64_t pixels) {
  const int64_t quads = ((int64_t)p->kernel_w * p->kernel_h * p->in_c + 3) / 4;
  const int64_t blocks = (pixels + MOTE_CONV_BLOCK - 1) / MOTE_CONV_BLOCK;
  const bool shares = p->kernel_w > 1 && p->in_c % 4 == 0;
  const int64_t columns = shares ? (pixels - 1) * p->stride_w + p->kernel_w : pixels * p->kernel_w;
  return p->out_c * (blocks * (7 * quads + 10) + pixels * (33 * quads / 16 + 15)) +
         columns * p->kernel_h * p->in_c * (p->in_c % 4 == 0 ? 2 : 17) + 60;
}

/* Of one call. */
static int64_t strip_cost(const struct mote_conv2d_s8 *p, int64_t pixels, int64_t strip) {
  const int64_t rest = pixels % strip;
  return pixels / strip * run_cost(p, strip) + (rest > 0 ? run_cost(p, rest) : 0);
}

void strips_of_conv(struct form *f) {
  struct mote_conv2d_s8 *p = &f->params.conv2d_s8;
  const int64_t pixels = p->out_w, widest = pixels < WIDEST ? pixels : WIDEST;
  int64_t best = INT64_MAX;
  for (int64_t s = 1; s <= widest; s++)
    if (strip_cost(p, pixels, s) < best) best = strip_cost(p, pixels, s);
  for (int64_t s = 1; s <= widest; s++) {
    if (strip_cost(p, pixels, s) * 100 > best * 101) continue;
    p->strip_w = (uint16_t)s;
    f->instructions = strip_cost(p, pixels, s) * f->calls;
    break;
  }
  f->state_bytes = mote_conv2d_s8_state_bytes(p);
}

/* Forms of less state than the one before, each the fastest of its state. */
static struct form *slimmer(const struct form *from, struct arena *a) {
  const struct mote_conv2d_s8 *p = &from->params.conv2d_s8;
  const int64_t pixels = p->out_w, was = strip_cost(p, pixels, p->strip_w);
  struct form *best = NULL;
  for (uint16_t s = (uint16_t)(p->strip_w - 1); s > 0; s--) {
    struct form f = *from;
    f.params.conv2d_s8.strip_w = s;
    f.state_bytes = mote_conv2d_s8_state_bytes(&f.params.conv2d_s8);
    if (f.state_bytes + f.state_bytes * FINEST_PERCENT / 100 >= from->state_bytes) continue;
    f.instructions = from->instructions + (strip_cost(p, pixels, s) - was) * f.calls;
    if (best != NULL && f.instructions >= best->instructions) continue;
    if (best == NULL) best = ARENA_NEW(a, struct form);
    *best = f;
  }
  return best;
}

/* Few pixels a row make a 1x1 convolution slow by rows, and flat it cannot give back its input as it goes. Between
 * them lie rows joined to groups of a block or two of pixels, where their number allows it. */
static void group(struct work *w) {
  const int rows = w->row.calls, width = w->row.params.conv2d_s8.out_w;
  struct form *f = &w->grouped, best = {0};
  for (int joined = 2; joined < rows; joined++) {
    const int pixels = joined * width;
    if (rows % joined != 0 || pixels < MOTE_CONV_BLOCK - 1 || pixels > 2 * MOTE_CONV_BLOCK)
      continue;
    *f = w->flat;
    f->in[0] = (struct rows_of){rows / joined, f->in[0].row_bytes / (size_t)(rows / joined)};
    f->out = (struct rows_of){rows / joined, f->out.row_bytes / (size_t)(rows / joined)};
    f->calls = rows / joined;
    f->params.conv2d_s8.in_w = f->params.conv2d_s8.out_w = (uint16_t)pixels;
    strips_of_conv(f);
    lower_count_calls(w, f);
    if (!w->has_grouped || f->instructions < best.instructions) best = *f;
    w->has_grouped = true;
  }
  *f = best;
}

void strips_vary(struct work *w, struct arena *a) {
  if (w->kernel != MOTE_KERNEL_conv2d_s8) return;
  if (w->has_flat) group(w);
  struct form *const forms[] = {&w->row, w->has_flat ? &w->flat : NULL,
                                w->has_grouped ? &w->grouped : NULL};
  for (int i = 0; i < 3; i++)
    for (struct form *last = forms[i]; last != NULL; last = last->slimmer)
      last->slimmer = slimmer(last, a);
}
