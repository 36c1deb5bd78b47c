/* Objects in a map of cells: peaks of each class, each at the middle of the scores about it. */
#include "mote/ml/ml.h"

/* The score of a class at a cell, 0 to 255; 0 beyond the edge. */
static uint8_t score_at(const struct mote_objects *o, const int8_t *cells, int32_t x, int32_t y,
                        uint32_t label) {
  if (x < 0 || y < 0 || x >= (int32_t)o->width || y >= (int32_t)o->height) return 0;
  const uint32_t cell = (uint32_t)y * o->width + (uint32_t)x;
  return (uint8_t)(cells[cell * (o->classes + 1u) + 1u + label] + 128);
}

/* What lies about a cell: the sum of scores, and how it leans; the cells that reach the threshold. */
struct about {
  int32_t sum, right, down; /* at most 9 * 255 */
  uint8_t cells;
};

/* Of equal neighbours the first in reading order is the peak. */
static int is_peak(const struct mote_objects *o, const int8_t *cells, int32_t x, int32_t y,
                   uint32_t label, struct about *a) {
  const uint8_t own = score_at(o, cells, x, y, label);
  if (own < o->threshold || !own) return 0;
  a->sum = own, a->right = a->down = 0, a->cells = 1;
  for (int32_t dy = -1; dy <= 1; dy++)
    for (int32_t dx = -1; dx <= 1; dx++) {
      if (!dx && !dy) continue;
      const uint8_t other = score_at(o, cells, x + dx, y + dy, label);
      if (other > own || (other == own && (dy < 0 || (dy == 0 && dx < 0)))) return 0;
      a->sum += other;
      a->right += dx * other;
      a->down += dy * other;
      a->cells = (uint8_t)(a->cells + (other >= o->threshold));
    }
  return 1;
}

/* The pixel at the middle of cell `i`, moved by lean / sum of a cell. range: step at most 2^18, lean at most 2^11.2. */
static uint16_t pixel(int32_t from, int32_t step, int32_t i, int32_t lean, int32_t sum) {
  const int32_t at = from + step * i + step / 2 + step * lean / sum;
  return (uint16_t)(at < 0 ? 0 : at >> 8);
}

uint32_t mote_objects_find(const struct mote_objects *o, const int8_t *cells,
                           struct mote_object *out, uint32_t most) {
  uint32_t n = 0;
  struct about a;
  for (int32_t y = 0; y < (int32_t)o->height; y++)
    for (int32_t x = 0; x < (int32_t)o->width; x++)
      for (uint32_t label = 0; label < o->classes; label++) {
        if (!is_peak(o, cells, x, y, label, &a)) continue;
        if (n < most) {
          out[n].x = pixel(o->left, o->across, x, a.right, a.sum);
          out[n].y = pixel(o->top, o->down, y, a.down, a.sum);
          out[n].label = (uint16_t)label;
          out[n].score = score_at(o, cells, x, y, label);
          out[n].cells = a.cells;
        }
        n++;
      }
  return n;
}
