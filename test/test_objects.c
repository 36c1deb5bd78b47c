/* Tests of counting: objects in maps of cells, boxes under augmentation and resizing, figures of counts, boxes of indexes, drawn
 * pictures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "host/evaluate/evaluate.h"
#include "host/features/features.h"
#include "host/ingest/ingest.h"
#include "host/kit/kit.h"
#include "host/report/report.h"
#include "host/train/train.h"
#include "mote/dsp/image.h"
#include "mote/ml/ml.h"

/* ---- the list ------------------------------------------------------------------------------ */
enum { W = 6, H = 5 };
static const struct mote_objects map = {H, W, 2, 128, 0, 0, 0, 8 * 256, 8 * 256};

static void clear(int8_t *cells) { memset(cells, -128, H * W * 3); }
static void set(int8_t *cells, int x, int y, int label, int score) {
  cells[(y * W + x) * 3 + 1 + label] = (int8_t)(score - 128);
}

static void test_single(void **state) {
  (void)state;
  int8_t cells[H * W * 3];
  struct mote_object list[4];
  clear(cells);
  assert_int_equal(mote_objects_find(&map, cells, list, 4), 0);
  set(cells, 2, 3, 1, 127); /* below the threshold */
  assert_int_equal(mote_objects_find(&map, cells, list, 4), 0);
  set(cells, 2, 3, 1, 128);
  assert_int_equal(mote_objects_find(&map, cells, list, 4), 1);
  assert_int_equal(list[0].x, 20);
  assert_int_equal(list[0].y, 28);
  assert_int_equal(list[0].label, 1);
  assert_int_equal(list[0].score, 128);
  assert_int_equal(list[0].cells, 1);
}

static void test_neighbours_are_one(void **state) {
  (void)state;
  int8_t cells[H * W * 3];
  struct mote_object list[8];
  clear(cells);
  set(cells, 1, 1, 0, 200);
  set(cells, 2, 1, 0, 200); /* as large: the first is the peak, the middle lies between them */
  set(cells, 2, 2, 1, 250); /* of another class: one of its own */
  assert_int_equal(mote_objects_find(&map, cells, list, 8), 2);
  assert_int_equal(list[0].x, 16);
  assert_int_equal(list[0].y, 12);
  assert_int_equal(list[0].cells, 2);
  assert_int_equal(list[1].label, 1);
  /* Scores weigh: 3 parts at 2, 1 part at 3. */
  clear(cells);
  set(cells, 2, 4, 0, 240);
  set(cells, 3, 4, 0, 160);
  assert_int_equal(mote_objects_find(&map, cells, list, 8), 1);
  assert_int_equal(list[0].x, 23); /* 20 + 8 * 160 / 400 = 23.2 */
  assert_int_equal(list[0].y, 36);
}

static void test_two_apart_are_two(void **state) {
  (void)state;
  int8_t cells[H * W * 3];
  struct mote_object list[2];
  clear(cells);
  for (int x = 0; x < W; x += 2) set(cells, x, 0, 0, 255), set(cells, x, 4, 1, 255);
  assert_int_equal(mote_objects_find(&map, cells, list, 2), 6); /* all are counted, two are told */
  assert_int_equal(list[0].x, 4);
  assert_int_equal(list[1].x, 20);
  /* A plateau is one, wherever it is large: its first cell has no larger and no earlier neighbour. */
  clear(cells);
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++) set(cells, x, y, 0, 255);
  assert_int_equal(mote_objects_find(&map, cells, list, 2), 1);
}

/* Against a plain search in double precision, over random maps. */
static void test_random_maps(void **state) {
  (void)state;
  struct rng r;
  rng_seed(&r, 5);
  for (int turn = 0; turn < 2000; turn++) {
    struct mote_objects m = {(uint16_t)(1 + rng_below(&r, 9)),
                             (uint16_t)(1 + rng_below(&r, 9)),
                             (uint16_t)(1 + rng_below(&r, 3)),
                             (uint8_t)(1 + rng_below(&r, 255)),
                             0,
                             (int32_t)rng_below(&r, 4000),
                             (int32_t)rng_below(&r, 4000),
                             (int32_t)(1 + rng_below(&r, 9000)),
                             (int32_t)(1 + rng_below(&r, 9000))};
    const int w = m.width, h = m.height, n = m.classes + 1;
    int8_t cells[81 * 4];
    struct mote_object list[81 * 3];
    for (int i = 0; i < w * h * n; i++)
      cells[i] = (int8_t)(rng_below(&r, turn % 2 ? 256 : 4) * (turn % 2 ? 1 : 60) - 128);
    const uint32_t found = mote_objects_find(&m, cells, list, 81 * 3);
    uint32_t wanted = 0;
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++)
        for (int c = 1; c < n; c++) {
          const int own = cells[(y * w + x) * n + c] + 128;
          double sum = 0, across = 0, down = 0;
          bool peak = own >= m.threshold && own > 0;
          for (int j = y - 1; j <= y + 1; j++)
            for (int i = x - 1; i <= x + 1; i++) {
              if (i < 0 || j < 0 || i >= w || j >= h) continue;
              const int other = cells[(j * w + i) * n + c] + 128;
              const bool earlier = j * w + i < y * w + x;
              if (other > own || (other == own && earlier)) peak = false;
              sum += other, across += other * (i + 0.5), down += other * (j + 0.5);
            }
          if (!peak) continue;
          assert_true(wanted < found);
          const struct mote_object *o = &list[wanted++];
          assert_int_equal(o->label, c - 1);
          assert_int_equal(o->score, own);
          assert_true(fabs(o->x + 0.5 - (m.left + m.across * across / sum) / 256) < 0.52);
          assert_true(fabs(o->y + 0.5 - (m.top + m.down * down / sum) / 256) < 0.52);
        }
    assert_int_equal(wanted, found);
  }
}

/* ---- boxes follow pictures --------------------------------------------------------------------- */
/* A bright dot is drawn; where the place says, it is. */
static void test_augmented_place(void **state) {
  (void)state;
  enum { SIDE = 48 };
  const struct train_augment how = {.shift = 0.1f,
                                    .rotate_deg = 25,
                                    .zoom = 0.2f,
                                    .shear = 0.2f,
                                    .flip_across = true,
                                    .flip_down = true};
  const struct train_picture p = {
      .width = SIDE, .height = SIDE, .planes = 1, .across = 1, .down = SIDE, .high = 255};
  for (uint64_t seed = 1; seed < 200; seed++) {
    int16_t values[SIDE * SIDE] = {0};
    const int x = 14 + (int)(seed % 20), y = 14 + (int)(seed / 20);
    for (int j = -1; j <= 1; j++)
      for (int i = -1; i <= 1; i++) values[(y + j) * SIDE + x + i] = 255;
    float px = (float)x + 0.5f, py = (float)y + 0.5f;
    double sum = 0, mx = 0, my = 0;
    train_augment_image(&how, &p, values, seed);
    train_augment_place(&how, &p, seed, &px, &py);
    for (int i = 0; i < SIDE * SIDE; i++)
      sum += values[i], mx += values[i] * (i % SIDE + 0.5), my += values[i] * (i / SIDE + 0.5);
    assert_true(sum > 500);
    assert_true(fabs(mx / sum - (double)px) < 0.3);
    assert_true(fabs(my / sum - (double)py) < 0.3);
  }
}

/* The same through the resizing of a frame. */
static void test_view(void **state) {
  (void)state;
  struct err e = {0};
  for (int resize = 0; resize < 3; resize++)
    for (int turn = 0; turn < 12; turn++) {
      struct arena *a = arena_new(16 << 20);
      const int w = 40 + 7 * turn, h = 90 - 5 * turn;
      struct features_config c = {.kind = FEATURES_IMAGE,
                                  .channels = 1,
                                  .format = MOTE_IMAGE_GREY,
                                  .source_width = w,
                                  .source_height = h,
                                  .width = 32,
                                  .height = 24,
                                  .resize = (enum features_resize)resize,
                                  .window_ms = 1000};
      c.rate_hz = features_frame_words(c.format, w, h);
      struct features_block block;
      assert_true(features_build(&c, 1, a, &block, &e));
      uint8_t *frame = ARENA_ARRAY(a, uint8_t, (size_t)w * (size_t)h + 2);
      const int x = w / 2 - 4 + turn, y = h / 2 + 3 - turn / 2;
      for (int j = -3; j <= 3; j++)
        for (int i = -3; i <= 3; i++) frame[(y + j) * w + x + i] = 255;
      int16_t *row = ARENA_ARRAY(a, int16_t, 32);
      void *scratch = arena_alloc(a, mote_image_row_bytes(block.parts[0].params) + 4, 1);
      double sum = 0, mx = 0, my = 0;
      for (int j = 0; j < 24; j++) {
        mote_image_row(block.parts[0].params, frame, (uint32_t)j, scratch, row);
        for (int i = 0; i < 32; i++)
          sum += row[i], mx += row[i] * (i + 0.5), my += row[i] * (j + 0.5);
      }
      const struct features_view v = features_image_view(&c);
      assert_true(sum > 0);
      assert_true(fabs(v.left + v.across * mx / sum - (x + 0.5)) < 0.6);
      assert_true(fabs(v.top + v.down * my / sum - (y + 0.5)) < 0.6);
      arena_free(a);
    }
}

/* ---- figures -------------------------------------------------------------------------------------- */
static void test_figures(void **state) {
  (void)state;
  struct arena *a = arena_new(8 << 20);
  struct err e = {0};
  /* Three pictures, two classes: truth, found, right. */
  const struct evaluate_count counts[] = {{2, 2, 2}, {0, 0, 0}, {3, 2, 1},
                                          {0, 1, 0}, {0, 0, 0}, {1, 1, 1}};
  const struct evaluate_counts set = {3, 2, counts};
  struct evaluate_counting out[3];
  assert_true(evaluate_counting(&set, 1, a, out, &e));
  assert_int_equal(out[0].truth, 5);
  assert_float_equal(out[0].precision.value, 3.0 / 4, 1e-12);
  assert_float_equal(out[0].recall.value, 3.0 / 5, 1e-12);
  assert_float_equal(out[0].f1.value, 6.0 / 9, 1e-12);
  assert_float_equal(out[0].error.value, 1.0 / 3, 1e-12);
  assert_float_equal(out[0].exact.value, 2.0 / 3, 1e-12);
  assert_float_equal(out[2].f1.value, 8.0 / 12, 1e-12);
  assert_float_equal(out[2].error.value, 2.0 / 3, 1e-12);
  assert_float_equal(out[2].exact.value, 2.0 / 3, 1e-12);
  for (int k = 0; k < 3; k++) {
    assert_true(out[k].f1.low <= out[k].f1.value && out[k].f1.value <= out[k].f1.high);
    assert_true(out[k].exact.low <= out[k].exact.value && out[k].exact.value <= out[k].exact.high);
  }
  /* Nothing there and nothing found: no figure, and the counts are right. */
  const struct evaluate_count none[] = {{0, 0, 0}};
  assert_true(evaluate_counting(&(struct evaluate_counts){1, 1, none}, 1, a, out, &e));
  assert_true(isnan(out[0].f1.value) && isnan(out[0].f1.low));
  assert_float_equal(out[0].exact.value, 1, 1e-12);
  const struct evaluate_count wrong[] = {{1, 1, 2}};
  assert_false(evaluate_counting(&(struct evaluate_counts){1, 1, wrong}, 1, a, out, &e));
  assert_false(evaluate_counting(&(struct evaluate_counts){0, 1, wrong}, 1, a, out, &e));
  arena_free(a);
}

/* ---- indexes ----------------------------------------------------------------------------------------- */
static bool read_index(struct arena *a, const char *name, const char *text, struct ingest_index **x,
                       struct err *e) {
  char *dir;
  *x = NULL;
  *e = (struct err){0};
  assert_true(dir_temporary(a, &dir, e));
  const char *path = arena_printf(a, "%s/%s", dir, name);
  assert_true(file_write(path, text, strlen(text), e));
  const bool ok = ingest_index_read(a, path, NULL, x, e);
  dir_remove(dir);
  return ok;
}

static void check_boxes(const struct ingest_index *x) {
  const struct ingest_entry *one = ingest_index_find(x, "a.png"),
                            *none = ingest_index_find(x, "b.png");
  assert_non_null(one);
  assert_int_equal(one->n_boxes, 2);
  assert_string_equal(one->boxes[0].label, "coin");
  assert_int_equal(one->boxes[0].x, 1);
  assert_int_equal(one->boxes[0].height, 4);
  assert_string_equal(one->boxes[1].label, "nut");
  assert_int_equal(one->boxes[1].width, 7);
  assert_null(one->label);
  assert_non_null(none);
  assert_true(none->boxed);
  assert_int_equal(none->n_boxes, 0);
}

static void test_index(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)2 << 30);
  struct ingest_index *x;
  struct err e;
  char **files;
  assert_true(read_index(
      a, "i.csv",
      "file,label,x,y,width,height\na.png,coin,1,2,3,4\nb.png,,,,,\na.png,nut,5,6,7,8\n", &x, &e));
  check_boxes(x);
  assert_int_equal(ingest_index_files(x, a, &files), 2);
  /* As other tools write it: corners, and the picture's own size. */
  assert_true(
      read_index(a, "i.csv",
                 "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,90,80,coin,1,2,4,6\n"
                 "a.png,90,80,nut,5,6,12,14\nb.png,90,80,,,,,\n",
                 &x, &e));
  check_boxes(x);
  assert_true(read_index(
      a, "coco.json",
      "{\"images\":[{\"id\":7,\"file_name\":\"b.png\"},{\"id\":3,\"file_name\":\"a.png\"}],"
      "\"annotations\":[{\"image_id\":3,\"category_id\":2,\"bbox\":[1,2,3,4]},"
      "{\"image_id\":3,\"category_id\":1,\"bbox\":[5.2,6,6.9,8]}],"
      "\"categories\":[{\"id\":1,\"name\":\"nut\"},{\"id\":2,\"name\":\"coin\"}]}",
      &x, &e));
  check_boxes(x);
  /* A table with columns of these names, but not all, is an index as before. */
  assert_true(read_index(a, "i.csv", "file,label,x,y\na.png,coin,1,2\n", &x, &e));
  assert_string_equal(ingest_index_find(x, "a.png")->label, "coin");
  assert_false(ingest_index_find(x, "a.png")->boxed);
  arena_free(a);
}

/* Crowds and boxes without a pixel are left out, and said. */
static void test_coco_left_out(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)1 << 30);
  struct ingest_index *x;
  struct err e;
  assert_true(read_index(
      a, "coco.json",
      "{\"images\":[{\"id\":7,\"file_name\":\"b.png\"},{\"id\":3,\"file_name\":\"a.png\"}],"
      "\"annotations\":[{\"image_id\":3,\"category_id\":2,\"bbox\":[1,2,3,4],\"iscrowd\":0},"
      "{\"image_id\":7,\"category_id\":2,\"bbox\":[0,0,60,60],\"iscrowd\":1},"
      "{\"image_id\":3,\"category_id\":2,\"bbox\":[3.2,4,0.4,5]},"
      "{\"image_id\":3,\"category_id\":1,\"bbox\":[5.2,6,6.9,8]}],"
      "\"categories\":[{\"id\":1,\"name\":\"nut\"},{\"id\":2,\"name\":\"coin\"}]}",
      &x, &e));
  check_boxes(x);
  assert_non_null(strstr(ingest_index_notes(x), "(iscrowd) left out, 1 in 1 picture:"));
  assert_non_null(strstr(ingest_index_notes(x), "less than half a pixel left out, 1"));
  arena_free(a);
}

/* Two files that tell the same boxes: they are there once, and what the first does not say comes from the second. */
static void test_two_indexes(void **state) {
  (void)state;
  static const char *const texts[] = {
      "file,label,x,y,width,height\na.png,coin,1,2,3,4\na.png,nut,5,6,7,8\nb.png,,,,,\n",
      "{\"files\":[{\"path\":\"a.png\",\"category\":\"testing\",\"boundingBoxes\":["
      "{\"label\":\"coin\",\"x\":1,\"y\":2,\"width\":3,\"height\":4},"
      "{\"label\":\"nut\",\"x\":5,\"y\":6,\"width\":7,\"height\":8}]}]}"};
  struct arena *a = arena_new((size_t)1 << 30);
  struct err e = {0};
  char *dir, **files;
  assert_true(dir_temporary(a, &dir, &e));
  for (int turn = 0; turn < 2; turn++) {
    struct ingest_index *x = NULL;
    for (int i = 0; i < 4; i++) { /* each of them twice, too */
      const char *path = arena_printf(a, "%s/%d", dir, i), *text = texts[(i + turn) % 2];
      assert_true(file_write(path, text, strlen(text), &e));
      assert_true(ingest_index_read(a, path, NULL, &x, &e));
    }
    check_boxes(x);
    assert_string_equal(ingest_index_find(x, "a.png")->split, "testing");
    assert_int_equal(ingest_index_files(x, a, &files), 2);
  }
  dir_remove(dir);
  arena_free(a);
}

/* What all boxes of a picture show is the picture's label, too; and a row without a box has one of its own. */
static void test_label_of_boxes(void **state) {
  (void)state;
  struct arena *a = arena_new((size_t)1 << 30);
  struct ingest_index *x;
  struct err e;
  assert_true(read_index(a, "i.csv",
                         "file,label,x,y,w,h\na.png,cat,1,2,3,4\nb.png,empty,,,,\n"
                         "c.png,cat,1,2,3,4\nc.png,dog,2,2,3,4\na.png,cat,3,3,3,4\n",
                         &x, &e));
  assert_string_equal(ingest_index_find(x, "a.png")->label, "cat");
  assert_string_equal(ingest_index_find(x, "b.png")->label, "empty");
  assert_null(ingest_index_find(x, "c.png")->label);
  arena_free(a);
}

static void test_bad_index(void **state) {
  (void)state;
  static const char *const bad[][2] = {
      {"file,label,x,y,width,height\na.png,coin,1,2,0,4\n", "has no area"},
      {"file,label,x,y,width,height\na.png,coin,1,2,,4\n", "no number of a box"},
      {"file,label,x,y,width,height\na.png,coin,one,2,3,4\n", "no number of a box"},
      {"file,label,x,y,width,height\na.png,coin,1e9,2,3,4\n", "no number of a box"},
      {"file,label,x,y,width,height\na.png,,1,2,3,4\n", "without a label"},
      {"file,label,xmin,ymin,xmax,ymax\na.png,coin,9,2,3,4\n", "has no area"},
      {"{\"images\":[],\"annotations\":[{\"image_id\":1}]}", "\"images\" does not have"},
      {"{\"images\":[{\"id\":1}],\"annotations\":[]}", "no file_name"},
      {"{\"images\":[{\"file_name\":\"a.png\"}],\"annotations\":[{\"image_id\":0}]}", "has no id"},
      {"{\"images\":[{\"id\":3,\"file_name\":\"a.png\"},{\"id\":3,\"file_name\":\"b.png\"}],"
       "\"annotations\":[]}",
       "its id 3 is that of another image"},
      {"{\"images\":[{\"id\":1,\"file_name\":\"a.png\"}],\"categories\":[{\"id\":1,\"name\":"
       "\"nut\"}],"
       "\"annotations\":[{\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,-3,4]}]}",
       "has no area"},
      {"{\"images\":[{\"id\":1}],\"annotations\":[{\"image_id\":1,\"bbox\":[1]}]}",
       "\"categories\" does not name"},
      {"{\"type\":\"bounding-box-labels\",\"boundingBoxes\":{\"a.png\":[{\"label\":\"b\",\"x\":1,"
       "\"y\":2,\"width\":-3,\"height\":4}]}}",
       "has no area"}};
  struct arena *a = arena_new((size_t)4 << 30);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct ingest_index *x;
    struct err e;
    assert_false(read_index(a, "i", bad[i][0], &x, &e));
    if (!strstr(e.text, bad[i][1])) print_error("%zu: %s\n", i, e.text);
    assert_non_null(strstr(e.text, bad[i][1]));
    assert_true(e.node[0] != 0);
  }
  arena_free(a);
}

/* ---- drawing -------------------------------------------------------------------------------------------- */
static void test_picture(void **state) {
  (void)state;
  struct arena *a = arena_new(4 << 20);
  const unsigned char pixels[2 * 3 * 3] = {255, 0, 0, 0, 255, 0};
  const struct report_box box = {0, 0, 2, 1.5, false, "<nut>"};
  const struct report_mark marks[] = {{1, 1, true, "nut 90 %"}, {2, 1, false, NULL}};
  const struct report_picture p = {"two & one", "note", 3, 2, 3, pixels, 1, 2, &box, marks};
  struct text svg;
  text_init(&svg, a);
  report_picture_svg(&p, &svg);
  assert_non_null(strstr(svg.data, "data:image/png;base64,iVBOR"));
  assert_non_null(strstr(svg.data, "&lt;nut&gt;"));
  assert_non_null(strstr(svg.data, "stroke-dasharray"));
  assert_non_null(strstr(svg.data, "<circle"));
  struct report *page = report_new(a, "t", NULL);
  report_picture(page, &p);
  size_t size;
  const char *html = report_html(page, &size);
  assert_non_null(strstr(html, "two &amp; one"));
  assert_null(strstr(html, "<nut>"));
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_single),
                                     cmocka_unit_test(test_neighbours_are_one),
                                     cmocka_unit_test(test_two_apart_are_two),
                                     cmocka_unit_test(test_random_maps),
                                     cmocka_unit_test(test_augmented_place),
                                     cmocka_unit_test(test_view),
                                     cmocka_unit_test(test_figures),
                                     cmocka_unit_test(test_index),
                                     cmocka_unit_test(test_coco_left_out),
                                     cmocka_unit_test(test_two_indexes),
                                     cmocka_unit_test(test_label_of_boxes),
                                     cmocka_unit_test(test_bad_index),
                                     cmocka_unit_test(test_picture)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
