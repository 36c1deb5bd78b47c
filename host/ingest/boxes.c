/* Boxes about things in pictures: rows of a CSV index, and COCO's JSON. */
#include "host/ingest/private.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pixels are whole, and no picture has a million on a side. */
static bool to_pixels(double v, int *out) {
  if (!(fabs(v) < 1e6)) return false;
  *out = (int)lrint(v);
  return true;
}

bool boxes_check(const struct ingest_box *b, struct err *e) {
  if (b->width > 0 && b->height > 0) return true;
  return err_set(e, "the box of \"%s\" at %d,%d has no area: it is %d x %d pixels", b->label, b->x,
                 b->y, b->width, b->height);
}

bool boxes_of_row(const struct field values[4], bool corners, const char *label,
                  struct ingest_box *box, bool *there, struct err *e) {
  int v[4], given = 0;
  for (int k = 0; k < 4; k++) given += values[k].n > 0;
  *there = given > 0;
  if (!given) return true;
  for (int k = 0; k < 4; k++) {
    double number;
    if (!field_number(values[k], '.', &number) || !to_pixels(number, &v[k]))
      return err_set(e,
                     "\"%.*s\" is no number of a box; pixels (all four, or none for a picture "
                     "without things) are",
                     (int)values[k].n, values[k].at);
  }
  if (!label || !label[0]) return err_set(e, "a box without a label");
  *box = (struct ingest_box){label, v[0], v[1], corners ? v[2] - v[0] : v[2],
                             corners ? v[3] - v[1] : v[3]};
  return boxes_check(box, e);
}

/* ---- COCO -------------------------------------------------------------------------------- */
struct numbered {
  json_int_t id;
  size_t at;
};

static int by_id(const void *x, const void *y) {
  const json_int_t a = ((const struct numbered *)x)->id, b = ((const struct numbered *)y)->id;
  return (a > b) - (a < b);
}

/* The members of an array by their "id"; NULL: one has none, or one that another has. */
static struct numbered *number(struct arena *a, const json_t *array, const char *what,
                               struct err *e) {
  const size_t n = json_array_size(array);
  struct numbered *list = ARENA_ARRAY(a, struct numbered, n + 1);
  for (size_t i = 0; i < n; i++) {
    const json_t *id = json_object_get(json_array_get(array, i), "id");
    err_node(e, "%s %zu", what, i + 1);
    if (!json_is_integer(id)) return err_set(e, "it has no id, which is a whole number"), NULL;
    list[i] = (struct numbered){json_integer_value(id), i};
  }
  qsort(list, n, sizeof *list, by_id);
  for (size_t i = 1; i < n; i++) {
    if (list[i].id != list[i - 1].id) continue;
    err_node(e, "%s %zu", what, (list[i].at > list[i - 1].at ? list[i].at : list[i - 1].at) + 1);
    return err_set(e, "its id %lld is that of another %s, too", (long long)list[i].id, what), NULL;
  }
  e->node[0] = 0;
  return list;
}

static const struct numbered *find(const struct numbered *list, const json_t *array,
                                   const json_t *id) {
  const struct numbered key = {json_integer_value(id), 0};
  if (!json_is_integer(id)) return NULL;
  return bsearch(&key, list, json_array_size(array), sizeof *list, by_id);
}

/* A region around many things is one annotation with iscrowd 1: neither a thing nor how many there are. */
static bool is_crowd(const json_t *one) {
  const json_t *crowd = json_object_get(one, "iscrowd");
  return json_is_true(crowd) || json_integer_value(crowd) != 0;
}

/* small: it has less than half a pixel on a side, and no box is taken. */
static bool take_annotation(struct arena *a, const json_t *one, const char *label,
                            struct ingest_box *box, bool *small, struct err *e) {
  const json_t *place = json_object_get(one, "bbox");
  int v[4];
  for (size_t k = 0; k < 4; k++)
    if (!json_is_number(json_array_get(place, k)) ||
        !to_pixels(json_number_value(json_array_get(place, k)), &v[k]))
      return err_set(e, "its bbox is not four numbers: x, y, width, height");
  *box = (struct ingest_box){arena_strdup(a, label), v[0], v[1], v[2], v[3]};
  *small = v[2] >= 0 && v[3] >= 0 && (v[2] == 0 || v[3] == 0);
  return *small || boxes_check(box, e);
}

bool boxes_is_coco(const json_t *root) {
  return json_is_array(json_object_get(root, "images")) &&
         json_is_array(json_object_get(root, "annotations"));
}

struct coco {
  const json_t *images, *annotations, *categories;
  const struct numbered *image_ids, *category_ids;
};

/* The boxes of all annotations that are things, and the picture of each: its place among the images. */
static bool take_annotations(struct arena *a, const struct coco *c, struct ingest_box *boxes,
                             size_t *of, size_t *n_boxes, struct boxes_left_out *left,
                             struct err *e) {
  const size_t n = json_array_size(c->annotations);
  bool *crowded = ARENA_ARRAY(a, bool, json_array_size(c->images) + 1);
  *n_boxes = 0;
  for (size_t i = 0; i < n; i++) {
    const json_t *one = json_array_get(c->annotations, i);
    const struct numbered *image = find(c->image_ids, c->images, json_object_get(one, "image_id"));
    const struct numbered *category =
        find(c->category_ids, c->categories, json_object_get(one, "category_id"));
    const json_t *named = category ? json_array_get(c->categories, category->at) : NULL;
    const char *label = json_string_value(json_object_get(named, "name"));
    bool small = false;
    err_node(e, "annotation %zu", i + 1);
    if (!image) return err_set(e, "it is of a picture that \"images\" does not have");
    if (!label) return err_set(e, "it is of a category that \"categories\" does not name");
    if (is_crowd(one)) {
      left->crowds++;
      left->crowd_pictures += !crowded[image->at];
      crowded[image->at] = true;
      continue;
    }
    if (!take_annotation(a, one, label, &boxes[*n_boxes], &small, e)) return false;
    left->small += small;
    if (!small) of[(*n_boxes)++] = image->at;
  }
  return true;
}

bool boxes_read_coco(struct arena *a, const json_t *root, boxes_entry_fn *entry, void *context,
                     struct boxes_left_out *left, struct err *e) {
  struct coco c = {.images = json_object_get(root, "images"),
                   .annotations = json_object_get(root, "annotations"),
                   .categories = json_object_get(root, "categories")};
  c.image_ids = number(a, c.images, "image", e);
  if (!c.image_ids) return false;
  c.category_ids = number(a, c.categories, "category", e);
  if (!c.category_ids) return false;
  const size_t most = json_array_size(c.annotations), n_images = json_array_size(c.images);
  struct ingest_box *all = ARENA_ARRAY(a, struct ingest_box, most + 1), *sorted;
  size_t *of = ARENA_ARRAY(a, size_t, most + 1), *from = ARENA_ARRAY(a, size_t, n_images + 2), n;
  if (!take_annotations(a, &c, all, of, &n, left, e)) return false;
  /* The boxes of a picture behind each other: places by counting. */
  for (size_t i = 0; i < n; i++) from[of[i] + 2]++;
  for (size_t i = 2; i <= n_images; i++) from[i] += from[i - 1];
  sorted = ARENA_ARRAY(a, struct ingest_box, n + 1);
  for (size_t i = 0; i < n; i++) sorted[from[of[i] + 1]++] = all[i];
  for (size_t i = 0; i < n_images; i++) {
    const char *name = json_string_value(json_object_get(json_array_get(c.images, i), "file_name"));
    err_node(e, "image %zu", i + 1);
    if (!name || !name[0]) return err_set(e, "it has no file_name");
    struct ingest_entry *to = entry(context, name);
    to->boxes = sorted + from[i];
    to->n_boxes = (int)(from[i + 1] - from[i]);
    to->boxed = true;
  }
  e->node[0] = 0;
  return true;
}
