/* Tests of host/report: what a page must hold whatever it is given. With a file name as argument, the program writes
 * a page with every piece to it, for looking at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/report/report.h"

static void add_lines(struct report *r) {
  double train[40], valid[40], gain[40];
  for (int i = 0; i < 40; i++) {
    train[i] = 1.6 * exp(-i / 7.0) + 0.05;
    valid[i] = 1.5 * exp(-i / 8.0) + 0.12 + 0.02 * sin(i);
    gain[i] = 1 - 0.8 * exp(-i / 6.0) - 0.01 * cos(i * 2.0);
  }
  valid[13] = NAN;
  struct report_line losses[] = {{"training", train}, {"validation", valid}};
  static const struct report_dot dots[] = {
      {.x = 40000, .y = 91.5, .group = 0, .best = true, .label = "7", .note = "seven"},
      {.x = 90000, .y = 95, .group = 0, .best = true, .label = "8", .note = NULL},
      {.x = 60000, .y = 80, .group = 1, .label = NULL, .note = "<b>"}};
  static const char *const dot_groups[] = {"best", "beaten"};
  report_scatter(r, &(struct report_scatter){.caption = "Accuracy over flash",
                                             .x_label = "bytes",
                                             .y_label = "per cent",
                                             .count = 3,
                                             .groups = 2,
                                             .group_names = dot_groups,
                                             .dots = dots,
                                             .limit_x = 80000,
                                             .limit_label = "limit"});
  report_lines(r, &(struct report_lines){.caption = "Loss",
                                         .x_label = "epoch",
                                         .y_label = "loss",
                                         .points = 40,
                                         .count = 2,
                                         .lines = losses,
                                         .mark_x = 31,
                                         .mark_label = "kept",
                                         .from_zero = true});
  struct report_line accuracy[] = {{"validation", gain}};
  report_lines(r, &(struct report_lines){.caption = "Accuracy",
                                         .x_label = "epoch",
                                         .y_label = "share right",
                                         .points = 40,
                                         .count = 1,
                                         .lines = accuracy,
                                         .mark_x = NAN});
}

static void add_waves(struct report *r) {
  static int16_t samples[16000];
  static int8_t features[49 * 40];
  const char *words[] = {"yes", "no", "stop", "go", "background", "unknown"};
  struct rng random;
  rng_seed(&random, 7);
  for (int k = 0; k < 6; k++) {
    for (int i = 0; i < 16000; i++) {
      double envelope = exp(-pow((i - 7000 - 400 * k) / 2600.0, 2));
      samples[i] = (int16_t)(9000 * envelope * sin(i * (0.05 + 0.03 * k)) +
                             250 * (double)rng_normal(&random));
    }
    for (int f = 0; f < 49; f++)
      for (int b = 0; b < 40; b++)
        features[f * 40 + b] =
            (int8_t)(-110 +
                     200 * exp(-pow((f - 21 - k) / 9.0, 2)) * exp(-pow((b - 6 * k - 4) / 6.0, 2)) +
                     8 * (double)rng_unit(&random));
    report_wave(r, &(struct report_wave){.title = words[k],
                                         .note = "voice en-gb+f3, answered right, 98 %",
                                         .rate_hz = 16000,
                                         .samples = samples,
                                         .n_samples = 16000,
                                         .frames = 49,
                                         .bins = 40,
                                         .features = features});
  }
}

static void add_memory(struct report *r) {
  const char *steps[] = {"conv 10x4", "depthwise 3x3", "conv 1x1",        "depthwise 3x3",
                         "conv 1x1",  "mean",          "fully connected", "softmax"};
  struct report_block blocks[] = {
      {"features", 0, 490, 0, 0, REPORT_INPUT},         {"conv ring", 496, 1280, 0, 1, REPORT_RING},
      {"act 1", 1776, 3200, 1, 2, REPORT_ACTIVATION},   {"act 2", 0, 1700, 2, 3, REPORT_ACTIVATION},
      {"act 3", 4980, 2900, 3, 4, REPORT_ACTIVATION},   {"sum", 0, 256, 4, 5, REPORT_STATE},
      {"mean", 256, 64, 5, 6, REPORT_ACTIVATION},       {"scores", 320, 12, 6, 7, REPORT_OUTPUT},
      {"row pointers", 7900, 420, 0, 7, REPORT_SCRATCH}};
  report_memory(r, &(struct report_memory){.caption = "Arena of 8,320 bytes, step by step",
                                           .arena_bytes = 8320,
                                           .steps = 8,
                                           .step_names = steps,
                                           .count = 9,
                                           .blocks = blocks});
}

static void add_words(struct report *r) {
  report_tiles(r,
               (struct report_tile[]){
                   {"94.2 %", "accuracy on the chip", "1,234 of 1,310 unheard recordings", -1},
                   {"8.3 KB", "RAM for the network", "4 % of the Wio Terminal's 192 KiB", 0.04},
                   {"42.1 KB", "flash", "code 15.2 KB, weights 26.9 KB", 0.08},
                   {"31 ms", "per second of sound", "120 MHz, estimated, \xC2\xB1 10 %", 0.03}},
               4);
  const char *head[] = {"", "here", "Wio Terminal", "XIAO"};
  const char *cells[] = {"flash", "42,104", "524,288", "262,144",
                         "RAM",   "8,320",  "196,608", "32,768"};
  const bool numeric[] = {false, true, true, true};
  report_table(r, &(struct report_table){.caption = "Against the limits, in bytes",
                                         .columns = 4,
                                         .rows = 2,
                                         .head = head,
                                         .cells = cells,
                                         .numeric = numeric});
}

static void add_counts(struct report *r) {
  const char *names[] = {"yes", "no", "stop", "go", "unknown", "background"};
  const int64_t counts[] = {98, 0,  1, 0,  1, 0, 0, 91, 0, 7, 2,   0, 2, 0, 95, 0, 3, 0,
                            0,  12, 0, 85, 3, 0, 1, 4,  6, 2, 180, 0, 0, 0, 0,  0, 1, 60};
  report_confusion(r, &(struct report_confusion){"Confusion on unheard voices", 6, names, counts});
  struct report_bar bars[] = {{"CONV_2D", "25x5x64", 1234567, 1},
                              {"DEPTHWISE_CONV_2D", "25x5x64", 734567, 2},
                              {"FULLY_CONNECTED", "12", 9001, 3},
                              {"window and FFT", "49 frames", 834000, 0}};
  const char *groups[] = {"features", "convolution", "depthwise", "dense"};
  report_bars(r, &(struct report_bars){.caption = "Instructions for one inference",
                                       .unit = "",
                                       .count = 4,
                                       .bars = bars,
                                       .groups = 4,
                                       .group_names = groups});
  float field[20 * 30];
  for (int i = 0; i < 600; i++) field[i] = (float)((i % 30) + (i / 30));
  report_field(r, &(struct report_field){"A field", "time", "frequency", 30, 20, field});
}

static const char *whole_page(struct arena *a, size_t *size) {
  struct report *r = report_new(a, "Spoken words on a Wio Terminal",
                                "Trained on 40 synthetic voices, tested on "
                                "voices never heard, proven on the chip.");
  add_words(r);
  report_heading(r, "Training");
  report_paragraph(
      r,
      "The network saw each recording with noise.\n\nThe epoch with the least validation loss was "
      "kept.");
  add_lines(r);
  report_heading(r, "Where it errs");
  add_counts(r);
  report_heading(r, "Recordings");
  add_waves(r);
  report_heading(r, "Memory");
  add_memory(r);
  return report_html(r, size);
}

static int count_of(const char *page, const char *what) {
  int n = 0;
  for (const char *p = page; (p = strstr(p, what)); p += strlen(what)) n++;
  return n;
}

static void same_pieces_same_bytes(void **state) {
  (void)state;
  struct arena *a = arena_new(0), *b = arena_new(0);
  size_t n, m;
  const char *one = whole_page(a, &n), *two = whole_page(b, &m);
  assert_int_equal(n, m);
  assert_memory_equal(one, two, n);
  assert_int_equal(strlen(one), n);
  arena_free(a);
  arena_free(b);
}

static void nothing_is_fetched(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  size_t n;
  const char *page = whole_page(a, &n);
  assert_null(strstr(page, "http"));
  assert_null(strstr(page, "<script"));
  assert_null(strstr(page, "<link"));
  assert_null(strstr(page, "@import"));
  assert_null(strstr(page, "nan"));
  assert_null(strstr(page, "inf\""));
  assert_int_equal(count_of(page, "src=\""), count_of(page, "src=\"data:image/png;base64,"));
  arena_free(a);
}

/* Every element that is opened is closed, in order: what a browser would have to repair is a fault here. */
static void elements_are_closed(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  size_t n;
  const char *page = whole_page(a, &n);
  const char *empty = " meta br img line rect ";
  char stack[64][16];
  int depth = 0;
  for (const char *p = strstr(page, "<html"); p && (p = strchr(p, '<')); p++) {
    const char *end = strchr(p, '>');
    assert_non_null(end);
    char name[16];
    size_t k = strcspn(p + 1 + (p[1] == '/'), " >/");
    assert_true(k < sizeof name);
    memcpy(name, p + 1 + (p[1] == '/'), k);
    name[k] = 0;
    if (p[1] == '/') {
      assert_true(depth > 0);
      assert_string_equal(stack[--depth], name);
    } else if (end[-1] != '/') {
      char padded[20];
      snprintf(padded, sizeof padded, " %s ", name);
      if (strstr(empty, padded) && strcmp(name, "rect") != 0) continue;
      assert_true(depth < 64);
      memcpy(stack[depth++], name, sizeof name);
    }
  }
  assert_int_equal(depth, 0);
  arena_free(a);
}

static void hostile_text_is_escaped(void **state) {
  (void)state;
  const char *evil = "<script>alert('x')</script>\" onload=\"&\x01\xFF\xC0\xAF\xED\xA0\x80";
  struct arena *a = arena_new(0);
  struct report *r = report_new(a, evil, evil);
  report_heading(r, evil);
  report_heading(r, evil);
  report_paragraph(r, evil);
  report_small(r, evil);
  report_tiles(r, &(struct report_tile){evil, evil, evil, 2}, 1);
  report_table(r, &(struct report_table){evil, 1, 1, &evil, &evil, NULL});
  double y = 1;
  struct report_line line = {evil, &y};
  struct report_dot dot = {1, 1, 0, true, evil, evil};
  report_scatter(r, &(struct report_scatter){evil, evil, evil, 1, 1, &evil, &dot, 1, evil});
  report_lines(r, &(struct report_lines){.caption = evil,
                                         .x_label = evil,
                                         .y_label = evil,
                                         .points = 1,
                                         .count = 1,
                                         .lines = &line,
                                         .mark_x = 1,
                                         .mark_label = evil});
  int64_t count = 3;
  report_confusion(r, &(struct report_confusion){evil, 1, &evil, &count});
  report_wave(r, &(struct report_wave){.title = evil, .note = evil});
  struct report_block block = {evil, 0, 100, 0, 9, REPORT_RING};
  report_memory(r, &(struct report_memory){evil, 100, 120, 1, &evil, 1, &block});
  struct report_bar bar = {evil, evil, 5, 99};
  report_bars(r, &(struct report_bars){evil, evil, 1, &bar, 1, &evil});
  size_t n;
  const char *page = report_html(r, &n);
  assert_null(strstr(page, "<script"));
  assert_null(strstr(page, "\" onload"));
  assert_null(strchr(page, '\x01'));
  assert_null(strchr(page, '\xFF'));
  assert_null(strstr(page, "\xC0\xAF"));
  assert_null(strstr(page, "\xED\xA0\x80"));
  assert_true(count_of(page, "&lt;script&gt;") > 12);
  arena_free(a);
}

/* A point of a cloud: everything comes from its number. */
static void cloud_point(void *context, int i, struct report_point *out) {
  static int16_t samples[300];
  static int8_t features[40 * 24];
  const char *const name = context;
  for (int k = 0; k < 300; k++) samples[k] = (int16_t)(k * i * 37);
  for (int k = 0; k < 40 * 24; k++) features[k] = (int8_t)(k + i);
  *out = (struct report_point){.x = i % 7 - 3,
                               .y = i * 0.25,
                               .group = i % 3,
                               .marked = i == 5,
                               .title = name,
                               .note = name,
                               .channels = 3,
                               .n_samples = i == 9 ? 0 : 100,
                               .samples = samples,
                               .frames = 40,
                               .bins = 24,
                               .features = features};
}

/* The script is the page's own, names cannot end it, and there is a record for each point. */
static void clouds_hold_their_points(void **state) {
  (void)state;
  char evil[] = "</script><b onload=\"&\x01\xFF\xED\xA0\x80 \xC3\xA9";
  const char *const names[] = {evil, "two", "three"};
  struct arena *a = arena_new(0);
  struct report *r = report_new(a, "cloud", NULL);
  const struct report_cloud cloud = {
      .count = 50, .groups = 3, .group_names = names, .point = cloud_point, .context = evil};
  report_cloud(r, &cloud);
  report_cloud(r, &(struct report_cloud){.count = 0, .point = cloud_point, .context = evil});
  size_t n;
  const char *page = report_html(r, &n);
  assert_int_equal(count_of(page, "<script>"), 1);
  assert_int_equal(count_of(page, "</script>"), 1);
  assert_null(strstr(page, "<b onload"));
  assert_null(strchr(page, '\x01'));
  assert_null(strchr(page, '\xFF'));
  assert_null(strstr(page, "http"));
  assert_non_null(strstr(page, "\\u003c/script\\u003e"));
  assert_non_null(strstr(page, "\xC3\xA9"));
  assert_int_equal(count_of(page, "<circle"), 50);
  const char *data = strstr(page, "data:\"");
  assert_non_null(data);
  const size_t bytes = 50 * (6 + 3 * 48 * 2 + 20 * 16);
  assert_int_equal(strcspn(data + 6, "\""), (bytes + 2) / 3 * 4);
  arena_free(a);
}

/* Flat, empty, infinite and single values draw something and never divide by zero. */
static void odd_values_are_drawn(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct report *r = report_new(a, "odd", NULL);
  double sets[][3] = {{0, 0, 0},          {5, 5, 5},     {NAN, NAN, NAN}, {INFINITY, 1, -INFINITY},
                      {-1e300, 0, 1e300}, {1e-300, 0, 0}};
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
    struct report_line line = {"line", sets[i]};
    for (int points = 0; points <= 3; points++)
      report_lines(r, &(struct report_lines){.points = points,
                                             .count = 1,
                                             .lines = &line,
                                             .x = points == 3 ? sets[i] : NULL,
                                             .mark_x = NAN});
    struct report_dot dots[3];
    for (int k = 0; k < 3; k++)
      dots[k] = (struct report_dot){sets[i][k], sets[i][2 - k], k, true, "dot", NULL};
    report_scatter(r, &(struct report_scatter){.count = 3, .dots = dots, .limit_x = sets[i][0]});
    struct report_bar bars[3];
    for (int k = 0; k < 3; k++) bars[k] = (struct report_bar){"bar", NULL, sets[i][k], -1};
    report_bars(r, &(struct report_bars){NULL, NULL, 3, bars, 0, NULL});
    float field[3] = {(float)sets[i][0], NAN, INFINITY};
    report_field(r, &(struct report_field){"field", NULL, NULL, 3, 1, field});
  }
  report_memory(r, &(struct report_memory){NULL, 0, 0, 1, NULL, 0, NULL});
  report_wave(r, &(struct report_wave){.title = "empty"});
  report_wave(r,
              &(struct report_wave){
                  .title = "one", .rate_hz = 8000, .samples = (int16_t[]){-32768}, .n_samples = 1});
  size_t n;
  const char *page = report_html(r, &n);
  assert_null(strstr(page, "nan"));
  assert_null(strstr(page, "inf\""));
  assert_int_equal(count_of(page, "<figure>"), count_of(page, "</figure>"));
  arena_free(a);
}

/* A recording by itself: one path for each channel, names escaped, nothing that is no number. */
static void plots_are_svg(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct text svg;
  float values[2000];
  for (int i = 0; i < 1000; i++) values[2 * i] = (float)i, values[2 * i + 1] = NAN;
  values[3] = -1.0f;
  text_init(&svg, a);
  report_plot(&(struct report_plot){"<a> & \"b\"", 2, 1000, values}, &svg);
  assert_non_null(strstr(svg.data, "&lt;a&gt; &amp; &quot;b&quot;"));
  assert_null(strstr(svg.data, "nan"));
  assert_null(strstr(svg.data, "inf"));
  assert_non_null(strstr(svg.data, ">999</text>"));
  int paths = 0;
  for (const char *p = svg.data; (p = strstr(p, "<path")); p++) paths++;
  assert_int_equal(paths, 2);
  assert_true(text_ends(svg.data, "</svg>\n"));
  const size_t before = svg.size;
  report_plot(&(struct report_plot){"empty", 1, 0, NULL}, &svg);
  assert_true(svg.size > before);
  arena_free(a);
}

/* The image decodes: signature, sizes, and the checksum of the last chunk, which is always the same. */
static void images_are_png(void **state) {
  (void)state;
  struct arena *a = arena_new(0);
  struct report *r = report_new(a, "image", NULL);
  float field[2] = {0, 1};
  report_field(r, &(struct report_field){"field", NULL, NULL, 2, 1, field});
  size_t n;
  const char *page = report_html(r, &n);
  const char *image = strstr(page, "base64,");
  assert_non_null(image);
  /* 89 50 4E 47 0D 0A 1A 0A 00 00 00 0D I H D R 00 00 00 02 00 00 00 01 08 03 00 00 00, in base 64. */
  assert_memory_equal(image + 7, "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAMAAA", 38);
  assert_non_null(strstr(image, "SUVORK5CYII=\"")); /* IEND and its checksum AE 42 60 82 */
  arena_free(a);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    struct arena *a = arena_new(0);
    size_t n;
    const char *page = whole_page(a, &n);
    bool good = file_write(argv[1], page, n, NULL);
    arena_free(a);
    return good ? 0 : 1;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_pieces_same_bytes), cmocka_unit_test(nothing_is_fetched),
      cmocka_unit_test(elements_are_closed),    cmocka_unit_test(hostile_text_is_escaped),
      cmocka_unit_test(odd_values_are_drawn),   cmocka_unit_test(plots_are_svg),
      cmocka_unit_test(images_are_png),         cmocka_unit_test(clouds_hold_their_points),
  };
  return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
