/* ml: classical inference: clusters, Gaussians, trees, lines, neighbours, in fixed point, the same bits on every chip; and
 * what follows from a network's scores: detections in a stream, objects in a picture.
 *
 * A model is one piece of bytes without pointers: struct mote_ml, what its kind adds, and tables behind it,
 * little-endian, aligned to 4; `*_at` is the distance from the structure's start. The host makes it (host/learn); a
 * device holds it in flash. mote_ml_check proves the bytes once; afterwards nothing can fail and nothing is checked.
 *
 * A model reads one vector of features, int8 or (wide) int16, as the features room makes it, and gives
 *
 *   a classifier      int8[classes], the share of each class: scale 1/256, zero point -128, as SOFTMAX gives it. The
 *                     answer alone has the largest, ties within the rounding are broken before they are made
 *   an anomaly score  one int32 in steps of 2^-fraction; above the model's threshold it is anomalous
 *
 * Kinds that measure distances first map the chosen columns to standard deviations (struct mote_ml_map); trees compare the
 * columns as they are. Products are 16 x 16 bits and sums have 32, so that a core without long multiplication has
 * the same speed class. docs/design/learners.md says how good that is.
 *
 * invariant: a model that passed the check reads only its own bytes, the vector and the scratch, and writes only
 * scratch and out. */
#ifndef MOTE_ML_H
#define MOTE_ML_H

#include "mote/base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOTE_ML_MAGIC   0x4C4D4F4Du /* "MOML", little-endian */
#define MOTE_ML_VERSION 1

/* X(NAME, stem, text): mote_ml_<stem>_run is its code. Append only. */
#define MOTE_ML_KINDS(X)                                                                           \
  X(KMEANS, kmeans, "k-means anomaly score")                                                       \
  X(GMM, gmm, "Gaussian mixture, diagonal")                                                        \
  X(GMM_FULL, gmm_full, "Gaussian mixture, full covariance")                                       \
  X(MAHALANOBIS, mahalanobis, "Mahalanobis distance")                                              \
  X(PCA, pca, "distance from the principal components")                                            \
  X(LINEAR, linear, "logistic regression, linear support vectors")                                 \
  X(FOREST, forest, "decision trees, mean of their leaves")                                        \
  X(BOOST, boost, "decision trees, sum of their leaves")                                           \
  X(KNN, knn, "nearest neighbours")                                                                \
  X(RECONSTRUCTION, reconstruction, "error of an autoencoder")

enum mote_ml_kind {
#define X(name, stem, text) MOTE_ML_##name,
  MOTE_ML_KINDS(X)
#undef X
      MOTE_ML_KIND_COUNT
};

/* What every model begins with. */
struct mote_ml {
  uint32_t magic;
  uint32_t bytes; /* of the whole */
  uint8_t version;
  uint8_t kind;      /* enum mote_ml_kind */
  uint8_t wide;      /* 1: the vector is int16, 0: int8 */
  uint8_t fraction;  /* of an anomaly score: steps of 2^-fraction, 4..14 */
  uint16_t features; /* length of the vector */
  uint16_t classes;  /* 0: an anomaly score */
  int32_t threshold; /* of an anomaly score: anomalous above it */
};

/* Column j of n chosen ones as int16:
 *   z[j] = clamp((clamp16(x[column[j]] - offset[j]) * multiplier[j] + 2^(shift[j] - 1)) >> shift[j], -limit, limit)
 * columns_at 0: column[j] = j. offset_at 0: z[j] = x[column[j]], and limit is not used. */
struct mote_ml_map {
  uint16_t n;
  int16_t limit;         /* 1..16383 */
  int32_t columns_at;    /* uint16[n], each below features */
  int32_t offset_at;     /* int16[n] */
  int32_t multiplier_at; /* int16[n], >= 0 */
  int32_t shift_at;      /* uint8[n], 1..30 */
};

/* score = min over clusters of (distance(z, centre) - error), rounded down; centre = point * 2^up.
 * needs: n * (2 limit)^2 < 2^32, so that squared distances fit uint32; |centre| <= limit. */
struct mote_ml_kmeans {
  struct mote_ml head;
  struct mote_ml_map map;
  uint16_t clusters; /* 1.. */
  uint8_t up;        /* 0..7 */
  uint8_t reserved;
  int32_t point_at; /* int8[clusters][n] */
  int32_t error_at; /* uint16[clusters]: the farthest training vector, in steps of z */
};

/* Of component k, d = z - mean:
 *   GMM          m[j] = clamp((d[j] * factor[j]) >> shift, most), factor int16[n] >= 0, one shift for the component
 *   the others   m[i] = clamp((sum over j <= i of factor[i][j] * d[j]) >> shift[i], most), rows of a triangle
 * and s = sum of m^2 in uint32: n * most^2 < 2^32.
 *   MAHALANOBIS  score = root(s) of its one component, steps of 2^-fraction
 *   GMM, GMM_FULL  score = -ln(sum over k of e^(constant[k] - s/2)), steps of 2^-12; z in steps of 2^-z_fraction */
struct mote_ml_gaussian {
  struct mote_ml head;
  struct mote_ml_map map;
  uint16_t components; /* 1..64 */
  int16_t most;
  uint8_t z_fraction; /* 6..14 */
  uint8_t reserved[3];
  int32_t mean_at;     /* int16[components][n], within +-limit */
  int32_t factor_at;   /* int16[components][n], or [components][n (n + 1) / 2] */
  int32_t shift_at;    /* uint8[components], or [components][n]: 0..30 */
  int32_t constant_at; /* int32[components], steps of 2^-12, within +-2^24 */
};

/* y[i] = clamp((sum of axis[i][j] * z[j]) >> shift, limit): int16[axes]. score = root(|z|^2 - |y|^2), what they leave. */
struct mote_ml_pca {
  struct mote_ml head;
  struct mote_ml_map map;
  uint16_t axes; /* 1..n */
  uint8_t shift; /* 0..30 */
  uint8_t reserved;
  int32_t axis_at; /* int16[axes][n] */
};

/* Sums of weights become shares by softmax: e^(sum * 2^-sum_fraction). rows 1 for two classes: that of the first is 0. */
struct mote_ml_linear {
  struct mote_ml head;
  struct mote_ml_map map;
  uint16_t rows;
  uint8_t sum_fraction; /* 0..30 */
  uint8_t reserved;
  int32_t weight_at; /* int16[rows][n] */
  int32_t bias_at;   /* int32[rows] */
};

/* Trees as tables of nodes, the root first. A node goes to `yes` where x[feature] <= threshold, else to `no`; a child
 * with its highest bit set is a leaf, else a node of the tree that stands behind its parent. */
enum mote_ml_form {
  MOTE_ML_SMALL_S8,  /* 4 bytes: uint8 feature, int8 threshold, uint8 yes, no */
  MOTE_ML_LARGE_S8,  /* 6 bytes: uint8 feature, int8 threshold, uint16 yes, no */
  MOTE_ML_SMALL_S16, /* 6 bytes: int16 threshold, uint16 feature, uint8 yes, no */
  MOTE_ML_LARGE_S16, /* 8 bytes: int16 threshold, uint16 feature, uint16 yes, no */
  MOTE_ML_FORM_COUNT
};
struct mote_ml_tree {
  uint32_t node; /* the root's place in bytes behind node_at; the tree ends where the next begins */
  uint32_t leaf; /* what its leaves count from */
};
struct mote_ml_trees {
  struct mote_ml head;
  uint16_t trees;
  uint8_t form;         /* enum mote_ml_form; the first two read int8 */
  uint8_t sum_fraction; /* BOOST: as mote_ml_linear's */
  uint16_t rows;        /* BOOST: tree t adds to sum t % rows; FOREST: classes */
  uint16_t reserved;
  uint32_t divisor; /* FOREST: share = sum / divisor, in steps of 1/256 */
  uint32_t node_bytes, leaves;
  int32_t tree_at; /* struct mote_ml_tree[trees] */
  int32_t node_at;
  int32_t leaf_at; /* int16[leaves], BOOST; int16[leaves][classes] >= 0, FOREST */
  int32_t base_at; /* BOOST: int32[rows], within +-2^29 */
};

/* Votes of the k points nearest to z; centre = point * 2^up as in mote_ml_kmeans. */
struct mote_ml_knn {
  struct mote_ml head;
  struct mote_ml_map map;
  uint16_t points;
  uint8_t k; /* 1..32, no more than points */
  uint8_t up;
  int32_t point_at; /* int8[points][n] */
  int32_t label_at; /* uint8[points], below classes */
};

/* The vector is what an autoencoder read, and behind it what it answered: int8[n] each, n = features / 2, wide 0:
 *   d[j]  = (x[j] * input - y[j] * answer + offset) >> shift        int16, in the input's standard deviations
 *   score = (sum of d^2 * inverse + half) >> mean_shift             their mean, up to INT32_MAX
 * needs: 128 (input + answer) + |offset| < 2^(shift + 15), so that d fits int16 and the sum of 32767 squares 2^45. */
struct mote_ml_reconstruction {
  struct mote_ml head;
  int32_t offset;
  uint16_t input, answer; /* at most 32767: a step of each */
  uint16_t inverse;       /* 1/n, at most 32768 */
  uint8_t shift;          /* 0..30 */
  uint8_t mean_shift;     /* 1..62 */
};

/* ---- proof and sizes ---------------------------------------------------------- */
/* needs: bytes aligned to 4. cost: one pass over the tables. */
enum mote_status mote_ml_check(const void MOTE_ROM *bytes, size_t n);
/* Of a model that passed. scratch is aligned to 4. */
size_t mote_ml_scratch_bytes(const struct mote_ml MOTE_ROM *m);
size_t mote_ml_in_bytes(const struct mote_ml MOTE_ROM *m);
size_t mote_ml_out_bytes(const struct mote_ml MOTE_ROM *m);

/* ---- running --------------------------------------------------------------------
 * x: the vector. out: int8[classes], or int32. A program names the functions of the kinds that it has. */
#define X(name, stem, text)                                                                        \
  void mote_ml_##stem##_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,        \
                            void *out);
MOTE_ML_KINDS(X)
#undef X
/* Whatever the kind. */
void mote_ml_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, void *out);

/* A forest of one form only, as mote_ml_forest_run. */
#define MOTE_ML_FORMS(X) X(small_s8) X(large_s8) X(small_s16) X(large_s16)
#define X(form)                                                                                    \
  void mote_ml_forest_##form##_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, \
                                   void *out);                                                     \
  void mote_ml_boost_##form##_run(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,  \
                                  void *out);
MOTE_ML_FORMS(X)
#undef X

/* Why a vector is anomalous: for each chosen column, by how much the squared distance would fall if this column alone were
 * what the rest of the vector lets expect, in steps of 2^-8 squared standard deviations; of RECONSTRUCTION the squares d^2.
 * why: int32[n].
 * needs: an anomaly kind; not for the fast path. */
void mote_ml_why(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch, int32_t *why);
/* n of the map or of what was read, and the column of each; 0 for trees. */
unsigned mote_ml_columns(const struct mote_ml MOTE_ROM *m);
unsigned mote_ml_column(const struct mote_ml MOTE_ROM *m, unsigned j);

/* mote_ml_reconstruction_run where input and answer lie apart: int8[features / 2] each. */
int32_t mote_ml_reconstruction_score(const struct mote_ml MOTE_ROM *m, const int8_t *x,
                                     const int8_t *y);

/* The projection of a PCA model: y int16[axes]. */
void mote_ml_pca_project(const struct mote_ml MOTE_ROM *m, const void *x, void *scratch,
                         int16_t *y);

/* ---- learning on the device: online.c ---------------------------------------------
 * A head that learns from single vectors, the values that a network's last hidden layer or the features give, int8, in
 * memory that the caller gives: no tables, no history. Its state is that memory alone, without pointers: saving it is
 * copying it.
 *
 *   MEANS    the mean of each class; a vector belongs to the nearest. Learns a new class from one example. Without labels
 *            (mote_ml_online_gather) the means are clusters of what is normal, each with the farthest that it took
 *   NEAREST  the latest examples themselves; a vector belongs to the nearest
 *   SOFTMAX  a layer of weights by stochastic gradient descent on the cross-entropy: needs some more examples, and tells
 *            apart what means cannot
 *
 * RAM: MEANS 20 + classes * (2 n + 2) and classes rounded up to 4, NEAREST 20 + examples * (n + 1), SOFTMAX 20 + classes * (2 n + 8), rounded up to 4. */
enum mote_ml_online_kind {
  MOTE_ML_ONLINE_MEANS,
  MOTE_ML_ONLINE_NEAREST,
  MOTE_ML_ONLINE_SOFTMAX,
  MOTE_ML_ONLINE_KIND_COUNT
};
struct mote_ml_online {
  uint32_t magic;
  uint32_t crc32; /* of all that follows, when it was sealed */
  uint32_t bytes;
  uint8_t kind;
  uint8_t used; /* classes or examples that it holds */
  uint8_t room; /* most of them, 1..255 */
  uint8_t next; /* NEAREST: the place of the next example */
  uint16_t n;   /* 1..256 values */
  uint8_t
      memory; /* MEANS: a mean of at most so many examples: later ones move it by 1 / memory, so that it follows drift */
  uint8_t rate; /* SOFTMAX: steps of 2^-rate */
};

/* Bytes of a state; 0 where the numbers are out of range. */
size_t mote_ml_online_bytes(unsigned kind, unsigned n, unsigned room);
/* An empty head in mem, aligned to 4. memory: 1..255, 32 is a good one; rate: 0..12, 3 is a good one.
 * errors: PARAMS, ARENA: less than mote_ml_online_bytes, or not aligned. */
enum mote_status mote_ml_online_init(void *mem, size_t bytes, unsigned kind, unsigned n,
                                     unsigned room, unsigned memory, unsigned rate);
/* One example of a class below room; NEAREST: 0..255. Returns 0 and learns nothing where it is none of these. */
int mote_ml_online_learn(struct mote_ml_online *s, const int8_t *x, unsigned label);
/* MEANS without labels: moves the nearest cluster, or begins one where x lies more than `radius` from all and there is
 * room. Returns the cluster. radius: in steps of x. */
unsigned mote_ml_online_gather(struct mote_ml_online *s, const int8_t *x, unsigned radius);

/* The class, and how sure: MEANS and NEAREST the distance in steps of x * 8, SOFTMAX the share in steps of 2^-15.
 * needs: used > 0. */
struct mote_ml_online_answer {
  unsigned label;
  uint32_t measure;
};
struct mote_ml_online_answer mote_ml_online_predict(const struct mote_ml_online *s,
                                                    const int8_t *x);
/* MEANS: distance to the nearest mean less the farthest vector that it took, in steps of x * 8: above 0 is outside of
 * all that was seen. */
int32_t mote_ml_online_outside(const struct mote_ml_online *s, const int8_t *x);

/* Before saving: makes the state provable. After restoring: proves it, whoever wrote it. */
void mote_ml_online_seal(struct mote_ml_online *s);
enum mote_status mote_ml_online_check(const void *mem, size_t bytes);

/* ---- detections in a stream of scores --------------------------------------------------- */

#define MOTE_DETECTOR_MOST_ROWS 64
struct mote_detector_rule {
  uint8_t average;   /* of so many of the newest scores; 0: the class is never detected */
  uint8_t threshold; /* of their mean, in 256ths: a score q is q + 128 of them */
  uint16_t silence;  /* answers after a detection in which the class is not detected again */
};
struct mote_detector {
  const struct mote_detector_rule *rules; /* [classes] */
  uint16_t classes;
  uint16_t rows; /* the largest average */
};
/* Bytes of the state: a ring of scores and the silences. */
#define MOTE_DETECTOR_BYTES(classes, rows)                                                         \
  ((size_t)4 + 2 * (size_t)(classes) + (size_t)(classes) * (size_t)(rows))

/* errors: PARAMS, ARENA: the state is too small, ALIGN: it is not aligned to 2. */
enum mote_status mote_detector_check(const struct mote_detector *d, const void *state,
                                     size_t bytes);
void mote_detector_begin(const struct mote_detector *d, void *state);
/* One answer of the model, int8[classes]. Returns the class that is detected with it, -1: none. Of several the one with the
 * highest mean is told; all of them fall silent. */
int32_t mote_detector_next(const struct mote_detector *d, void *state, const int8_t *scores);

/* ---- objects in a map of cells --------------------------------------------------------------- */

/* A picture is answered by int8[height][width][classes + 1]: of each cell the share of "nothing", then of each class, scale 1/256
 * and zero point -128 as SOFTMAX gives them. Pixels are the camera's; 2^-8 of one in fixed point. */
struct mote_objects {
  uint16_t height, width; /* cells, 1..1024 each */
  uint16_t classes;       /* 1..999 */
  uint8_t threshold;      /* a score q is q + 128 of 256; from here on it is an object */
  uint8_t reserved;
  int32_t left, top; /* where the first cell begins; within +-2^18 */
  int32_t across,
      down; /* how large a cell is, 1..2^18; width * across and height * down below 2^28 */
};
struct mote_object {
  uint16_t x, y;  /* its middle, in pixels of the camera's frame */
  uint16_t label; /* class, from 0 */
  uint8_t score;  /* of its best cell, 256ths */
  uint8_t cells;  /* that say so: 1..9 */
};
/* A cell whose score of a class reaches the threshold and is the largest of the nine about it is one object, whose middle is that of
 * the nine weighted by their scores. So neighbouring cells are one object, and objects two cells apart are two. The first
 * `most` in reading order go to out; returns how many there are. No memory is needed besides. */
uint32_t mote_objects_find(const struct mote_objects *o, const int8_t *cells,
                           struct mote_object *out, uint32_t most);

#ifdef __cplusplus
}
#endif

#endif
