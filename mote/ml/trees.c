/* trees: forests and boosted trees, walked node by node. A walk ends: a child stands behind its parent.
 *
 * Four forms of nodes, so that a node takes no more bytes than its vector and its tree ask for; each is a function of
 * its own, and a program has the one that its model needs. */
#include <string.h>

#include "mote/ml/private.h"

struct node_small_s8 {
  uint8_t feature;
  int8_t threshold;
  uint8_t yes, no;
};
struct node_large_s8 {
  uint8_t feature;
  int8_t threshold;
  uint16_t yes, no;
};
struct node_small_s16 {
  int16_t threshold;
  uint16_t feature;
  uint8_t yes, no;
};
struct node_large_s16 {
  int16_t threshold;
  uint16_t feature;
  uint16_t yes, no;
};

#define SMALL_LEAF 0x80u
#define LARGE_LEAF 0x8000u

static inline int32_t narrow_at(const struct mote_ml MOTE_ROM *m, const void *x, unsigned i) {
  (void)m;
  return ((const int8_t *)x)[i];
}

/* The leaf that x ends in. */
#define WALK(form, leaf_bit, value)                                                                \
  static inline uint32_t walk_##form(const struct mote_ml MOTE_ROM *m, const void MOTE_ROM *tree,  \
                                     const void *x) {                                              \
    const struct node_##form MOTE_ROM *root = (const struct node_##form MOTE_ROM *)tree,           \
                                      *n = root;                                                   \
    for (;;) {                                                                                     \
      const uint32_t next = value(m, x, n->feature) <= n->threshold ? n->yes : n->no;              \
      if (next & leaf_bit) return next & (leaf_bit - 1);                                           \
      n = root + next;                                                                             \
    }                                                                                              \
  }
WALK(small_s8, SMALL_LEAF, narrow_at)
WALK(large_s8, LARGE_LEAF, narrow_at)
WALK(small_s16, SMALL_LEAF, mote_ml_value)
WALK(large_s16, LARGE_LEAF, mote_ml_value)

/* Shares of a forest: sums of at most 65535 leaves of 15 bits fit 31. The divisor makes the sum of all trees 256. */
static void shares(const struct mote_ml_trees MOTE_ROM *p, const int32_t *sums, int8_t *out) {
  const unsigned n = p->head.classes;
  unsigned best = 0;
  for (unsigned c = 0; c < n; c++) {
    const uint32_t q = ((uint32_t)sums[c] + p->divisor / 2) / p->divisor;
    out[c] = (int8_t)(q > 255 ? 127 : (int32_t)q - 128);
    if (sums[c] > sums[best]) best = c;
  }
  if (out[best] == -128) out[best] = -127;
  mote_ml_answer(out, n, best);
}

#define FOREST(form)                                                                               \
  void mote_ml_forest_##form##_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, \
                                   void *out) {                                                    \
    const struct mote_ml_trees MOTE_ROM *p = (const struct mote_ml_trees MOTE_ROM *)m;             \
    const struct mote_ml_tree MOTE_ROM *tree =                                                     \
        (const struct mote_ml_tree MOTE_ROM *)mote_ml_at(m, p->tree_at);                           \
    const uint8_t MOTE_ROM *nodes = (const uint8_t MOTE_ROM *)mote_ml_at(m, p->node_at);           \
    const int16_t MOTE_ROM *leaves = (const int16_t MOTE_ROM *)mote_ml_at(m, p->leaf_at);          \
    const unsigned n = m->classes;                                                                 \
    int32_t *sums = (int32_t *)scratch;                                                            \
    memset(sums, 0, n * sizeof *sums);                                                             \
    for (unsigned t = 0; t < p->trees; t++, tree++) {                                              \
      const int16_t MOTE_ROM *leaf =                                                               \
          leaves + (size_t)(tree->leaf + walk_##form(m, nodes + tree->node, x)) * n;               \
      for (unsigned c = 0; c < n; c++) sums[c] += leaf[c];                                         \
    }                                                                                              \
    shares(p, sums, (int8_t *)out);                                                                \
  }
MOTE_ML_FORMS(FOREST)

/* Sums of boosted trees: 65535 leaves of 15 bits and a base of 30 stay below 2^31 + 2^30; the check counts. One sum
 * serves two classes. */
#define BOOST(form)                                                                                \
  void mote_ml_boost_##form##_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,  \
                                  void *out) {                                                     \
    const struct mote_ml_trees MOTE_ROM *p = (const struct mote_ml_trees MOTE_ROM *)m;             \
    const struct mote_ml_tree MOTE_ROM *tree =                                                     \
        (const struct mote_ml_tree MOTE_ROM *)mote_ml_at(m, p->tree_at);                           \
    const uint8_t MOTE_ROM *nodes = (const uint8_t MOTE_ROM *)mote_ml_at(m, p->node_at);           \
    const int16_t MOTE_ROM *leaves = (const int16_t MOTE_ROM *)mote_ml_at(m, p->leaf_at);          \
    const int32_t MOTE_ROM *base = (const int32_t MOTE_ROM *)mote_ml_at(m, p->base_at);            \
    int32_t *sums = (int32_t *)scratch, *row = sums + (p->rows < m->classes ? 1 : 0);              \
    sums[0] = 0;                                                                                   \
    for (unsigned r = 0; r < p->rows; r++) row[r] = base[r];                                       \
    for (unsigned t = 0, r = 0; t < p->trees; t++, tree++) {                                       \
      row[r] += leaves[tree->leaf + walk_##form(m, nodes + tree->node, x)];                        \
      if (++r == p->rows) r = 0;                                                                   \
    }                                                                                              \
    mote_ml_softmax(sums, m->classes, p->sum_fraction, (int8_t *)out);                             \
  }
MOTE_ML_FORMS(BOOST)
