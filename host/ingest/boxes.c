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

/* The members of an array by their "id". */
static struct numbered *number(struct arena *a, const json_t *array) {
  const size_t n = json_array_size(array);
  struct numbered *list = ARENA_ARRAY(a, struct numbered, n + 1);
  for (size_t i = 0; i < n; i++)
    list[i] =
        (struct numbered){json_integer_value(json_object_get(json_array_get(array, i), "id")), i};
  qsort(list, n, sizeof *list, by_id);
  return list;
}

static const struct numbered *find(const struct numbered *list, const json_t *array,
                                   const json_t *id) {
  const struct numbered key = {json_integer_value(id), 0};
  if (!json_is_integer(id)) return NULL;
  return bsearch(&key, list, json_array_size(array), sizeof *list, by_id);
}

static bool take_annotation(struct arena *a, const json_t *one, const char *label,
                            struct ingest_box *box, struct err *e) {
  const json_t *place = json_object_get(one, "bbox");
  int v[4];
  for (size_t k = 0; k < 4; k++)
    if (!json_is_number(json_array_get(place, k)) ||
        !to_pixels(json_number_value(json_array_get(place, k)), &v[k]))
      return err_set(e, "its bbox is not four numbers: x, y, width, height");
  *box = (struct ingest_box){arena_strdup(a, label), v[0], v[1], v[2], v[3]};
  return boxes_check(box, e);
}

bool boxes_is_coco(const json_t *root) {
  return json_is_array(json_object_get(root, "images")) &&
         json_is_array(json_object_get(root, "annotations"));
}

bool boxes_read_coco(struct arena *a, const json_t *root, boxes_entry_fn *entry, void *context,
                     struct err *e) {
  const json_t *images = json_object_get(root, "images"),
               *annotations = json_object_get(root, "annotations"),
               *categories = json_object_get(root, "categories");
  const struct numbered *image_ids = number(a, images), *category_ids = number(a, categories);
  const size_t n = json_array_size(annotations), n_images = json_array_size(images);
  struct ingest_box *all = ARENA_ARRAY(a, struct ingest_box, n + 1), *sorted;
  size_t *of = ARENA_ARRAY(a, size_t, n + 1), *from = ARENA_ARRAY(a, size_t, n_images + 2);
  for (size_t i = 0; i < n; i++) {
    const json_t *one = json_array_get(annotations, i);
    const struct numbered *image = find(image_ids, images, json_object_get(one, "image_id")),
                          *category =
                              find(category_ids, categories, json_object_get(one, "category_id"));
    const char *label =
        category
            ? json_string_value(json_object_get(json_array_get(categories, category->at), "name"))
            : NULL;
    err_node(e, "annotation %zu", i + 1);
    if (!image) return err_set(e, "it is of a picture that \"images\" does not have");
    if (!label) return err_set(e, "it is of a category that \"categories\" does not name");
    if (!take_annotation(a, one, label, &all[i], e)) return false;
    of[i] = image->at;
    from[image->at + 2]++;
  }
  /* The boxes of a picture behind each other: places by counting. */
  for (size_t i = 2; i <= n_images; i++) from[i] += from[i - 1];
  sorted = ARENA_ARRAY(a, struct ingest_box, n + 1);
  for (size_t i = 0; i < n; i++) sorted[from[of[i] + 1]++] = all[i];
  for (size_t i = 0; i < n_images; i++) {
    const char *name = json_string_value(json_object_get(json_array_get(images, i), "file_name"));
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
