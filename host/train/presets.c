/* train/presets: networks that others published, by name, fitted to the input's size. A preset is lines of the text
 * form: train_network_text shows them, and they can be taken as a beginning of one's own.
 *
 * A number behind the name scales the channels. Windows and strides shrink where a map is smaller than the published
 * one. What differs from a source stands beside it. */
#include "host/train/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plan {
  struct arena *arena;
  const char *lines[TRAIN_MAX_LAYERS];
  int n;
  int h, w, c;  /* of the map at this place */
  double width; /* times the published channels */
};

static void add_line(struct plan *p, const char *text) {
  if (p->n < TRAIN_MAX_LAYERS) p->lines[p->n++] = text;
}
#define LINE(p, ...) add_line((p), arena_printf((p)->arena, __VA_ARGS__))

static int least(int a, int b) { return a < b ? a : b; }

/* Channels, at least 4, to the next even number: kernels take two at a time. */
static int wide(const struct plan *p, double channels) {
  const int c = (int)(channels * p->width + 0.5);
  return c < 4 ? 4 : c + c % 2;
}

/* Whether an axis is long enough to be halved; the plan's map follows. */
static int stride_of(int *size, int least_size) {
  if (*size < least_size) return 1;
  *size = (*size + 1) / 2;
  return 2;
}

/* source: Zhang et al. 2017, Hello Edge; in the size of MLPerf Tiny's keyword spotting. */
static void ds_cnn(struct plan *p) {
  const int c = wide(p, 64), kh = least(p->h, 10), kw = least(p->w, 4);
  const int sh = stride_of(&p->h, 8), sw = stride_of(&p->w, 5);
  LINE(p, "conv %d %dx%d s%dx%d", c, kh, kw, sh, sw);
  LINE(p, "dropout 0.2");
  for (int i = 0; i < 4; i++) LINE(p, "dsconv %d %dx%d", c, least(p->h, 3), least(p->w, 3));
  LINE(p, "dropout 0.4");
  LINE(p, "mean");
}

/* source: Choi et al. 2019, Temporal convolution for real-time keyword spotting: TC-ResNet8. */
static void tc_resnet(struct plan *p) {
  static const int channels[] = {24, 32, 48};
  LINE(p, "sequence");
  LINE(p, "conv1d %d %d", wide(p, 16), least(p->h, 3));
  for (int i = 0; i < 3; i++) {
    const int k = least(p->h, 9), s = stride_of(&p->h, 4), c = wide(p, channels[i]);
    LINE(p, "branch");
    LINE(p, "conv1d %d %d s%d", c, k, s);
    LINE(p, "conv1d %d %d linear", c, least(p->h, 9));
    LINE(p, "join project");
  }
  LINE(p, "mean");
  LINE(p, "dropout 0.5");
}

/* One block; `first` of a stage changes the channels and has no way around. */
static void broadcast_block(struct plan *p, int number, int channels, bool first, int stride,
                            int dilation) {
  const char *from = arena_printf(p->arena, "b%d", number);
  if (first) {
    LINE(p, "conv %d 1x1", channels);
    if (stride == 2) p->w = (p->w + 1) / 2;
  }
  LINE(p, "f%d: dwconv 1x%d s1x%d linear", number, least(p->w, 3), first ? stride : 1);
  LINE(p, "avgpool 1x%d valid", p->w);
  LINE(p, "dwconv %dx1 d%dx1 hswish", least(p->h, 3), dilation);
  LINE(p, "conv %d 1x1", channels);
  LINE(p, "dropout 0.1");
  LINE(p, first ? "b%d: add f%d relu" : "s%d: add f%d", number + 1, number);
  if (!first) LINE(p, "b%d: add %s relu", number + 1, from);
}

/* source: Kim et al. 2021, Broadcasted residual learning: BC-ResNet-1. Batch normalisation in place of sub-spectral
 * normalisation, which does not fold into a convolution; hard swish in place of swish. */
static void bc_resnet(struct plan *p) {
  static const struct {
    double channels;
    int blocks, stride, dilation;
  } stages[] = {{8, 2, 1, 1}, {12, 2, 2, 2}, {16, 4, 2, 4}, {20, 4, 1, 8}};
  const int kh = least(p->h, 5), kw = least(p->w, 5), sw = stride_of(&p->w, 4);
  LINE(p, "conv %d %dx%d s1x%d", wide(p, 16), kh, kw, sw);
  int number = 0;
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < stages[i].blocks; k++)
      broadcast_block(p, ++number, wide(p, stages[i].channels), k == 0,
                      p->w >= 4 ? stages[i].stride : 1, stages[i].dilation);
  LINE(p, "dwconv %dx%d", least(p->h, 5), least(p->w, 5));
  LINE(p, "conv %d 1x1", wide(p, 32));
  LINE(p, "mean");
}

/* source: Howard et al. 2017, MobileNets. Width 0.25 at 96x96 is MLPerf Tiny's visual wake words. */
static void mobilenet(struct plan *p) {
  static const struct {
    int channels, stride;
  } blocks[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  int sh = stride_of(&p->h, 32), sw = stride_of(&p->w, 32);
  LINE(p, "conv %d 3x3 s%dx%d", wide(p, 32), sh, sw);
  for (int i = 0; i < 13; i++) {
    sh = blocks[i].stride == 2 ? stride_of(&p->h, 4) : 1;
    sw = blocks[i].stride == 2 ? stride_of(&p->w, 4) : 1;
    LINE(p, "dsconv %d 3x3 s%dx%d", wide(p, blocks[i].channels), sh, sw);
  }
  LINE(p, "mean");
}

/* source: MLPerf Tiny's image classification, after He et al. 2016. */
static void resnet8(struct plan *p) {
  LINE(p, "conv %d 3x3", wide(p, 16));
  for (int i = 0; i < 3; i++) {
    const int c = wide(p, 16 << i), sh = i ? stride_of(&p->h, 4) : 1,
              sw = i ? stride_of(&p->w, 4) : 1;
    LINE(p, "branch");
    LINE(p, "conv %d 3x3 s%dx%d", c, sh, sw);
    LINE(p, "conv %d 3x3 linear", c);
    LINE(p, i ? "join project" : "join");
  }
  LINE(p, "mean");
}

/* source: MLPerf Tiny's anomaly detection, after Koizumi et al. 2020 (DCASE, task 2). */
static void autoencoder(struct plan *p) {
  for (int i = 0; i < 4; i++) LINE(p, "dense %d", wide(p, 128));
  LINE(p, "dense %d", wide(p, 8));
  for (int i = 0; i < 4; i++) LINE(p, "dense %d", wide(p, 128));
  LINE(p, "head input");
}

/* Strided convolutions down, repeated pixels and convolutions up; axes of odd size keep theirs.
 * source: the pattern of Masci et al. 2011. */
static void conv_autoencoder(struct plan *p) {
  int factors[3][2], n = 0;
  for (; n < 3; n++) {
    factors[n][0] = p->h % 2 == 0 && p->h > 2 ? 2 : 1;
    factors[n][1] = p->w % 2 == 0 && p->w > 2 ? 2 : 1;
    if (factors[n][0] * factors[n][1] == 1) break;
    p->h /= factors[n][0];
    p->w /= factors[n][1];
    LINE(p, "conv %d 3x3 s%dx%d", wide(p, 16 << n), factors[n][0], factors[n][1]);
  }
  LINE(p, "conv %d 1x1", wide(p, 8));
  while (n-- > 0) {
    LINE(p, "upsample %dx%d", factors[n][0], factors[n][1]);
    LINE(p, "conv %d 3x3", wide(p, 16 << n));
  }
  LINE(p, "head input");
}

/* Residual causal convolutions whose reach doubles: every output depends on what was, so that it streams. */
static void causal_blocks(struct plan *p, int channels, int blocks) {
  LINE(p, "sequence");
  LINE(p, "conv1d %d 1", channels);
  for (int i = 0; i < blocks; i++) {
    LINE(p, "branch");
    LINE(p, "dsconv1d %d 3 d%d causal", channels, 1 << i);
    LINE(p, "conv1d %d 1 linear", channels);
    LINE(p, "join");
  }
}

static int doublings(int h) {
  int n = 1;
  while (n < 6 && (4 << n) < h) n++;
  return n;
}

/* source: Bai et al. 2018, temporal convolutional networks; separable. */
static void temporal(struct plan *p) {
  causal_blocks(p, wide(p, 32), doublings(p->h));
  LINE(p, "mean");
  LINE(p, "dropout 0.2");
}

/* A mask for each band of each frame. source: the task of Valin 2018 (RNNoise), with causal convolutions in place of
 * its recurrent layers. */
static void mask(struct plan *p) {
  const int bands = p->w * p->c;
  causal_blocks(p, wide(p, 48), doublings(p->h));
  LINE(p, "head mask %d", bands);
}

/* An inverted residual block. source: Sandler et al. 2018. */
static void inverted(struct plan *p, int in, int out, int stride) {
  const bool around = stride == 1 && in == out;
  const int sh = stride == 2 ? stride_of(&p->h, 4) : 1, sw = stride == 2 ? stride_of(&p->w, 4) : 1;
  if (around) LINE(p, "branch");
  LINE(p, "conv %d 1x1 relu6", 6 * in);
  LINE(p, "dwconv 3x3 s%dx%d relu6", sh, sw);
  LINE(p, "conv %d 1x1 linear", out);
  if (around) LINE(p, "join linear");
}

/* A class for each cell of 8x8 pixels, 0 is background. source: Edge Impulse's FOMO: MobileNetV2 of width 0.35 cut at an
 * eighth of the resolution. */
static void fomo(struct plan *p) {
  const double a = 0.35;
  const int c1 = wide(p, 32 * a), c2 = wide(p, 16 * a), c3 = wide(p, 24 * a), c4 = wide(p, 32 * a);
  const int sh = stride_of(&p->h, 4), sw = stride_of(&p->w, 4);
  LINE(p, "conv %d 3x3 s%dx%d relu6", c1, sh, sw);
  LINE(p, "dwconv 3x3 relu6");
  LINE(p, "conv %d 1x1 linear", c2);
  inverted(p, c2, c3, 2);
  inverted(p, c3, c3, 1);
  inverted(p, c3, c4, 2);
  inverted(p, c4, c4, 1);
  LINE(p, "conv %d 1x1", wide(p, 32));
}

static const struct preset {
  const char *name;
  void (*write)(struct plan *p);
  const char *says;
} presets[] = {
    {"ds-cnn", ds_cnn, "depthwise separable, keyword spotting (Zhang et al. 2017)"},
    {"tc-resnet", tc_resnet,
     "residual convolutions over time, bands as channels (Choi et al. 2019)"},
    {"bc-resnet", bc_resnet, "broadcast residuals over time and frequency (Kim et al. 2021)"},
    {"mobilenet", mobilenet,
     "depthwise separable, images; e.g. mobilenet 0.25 (Howard et al. 2017)"},
    {"resnet8", resnet8, "residual, small images (MLPerf Tiny)"},
    {"temporal", temporal, "residual causal convolutions over time (Bai et al. 2018)"},
    {"autoencoder", autoencoder, "the input again through 8 numbers, dense (MLPerf Tiny)"},
    {"conv-autoencoder", conv_autoencoder, "the input again, convolutions (Masci et al. 2011)"},
    {"fomo", fomo, "a class for each cell of 8x8 pixels (FOMO)"},
    {"mask", mask, "a mask for each band of each frame, causal (after Valin 2018)"},
};
enum { N_PRESETS = sizeof presets / sizeof *presets };

const char *train_preset_name(int i, const char **says) {
  if (i < 0 || i >= N_PRESETS) return NULL;
  if (says) *says = presets[i].says;
  return presets[i].name;
}

static const struct preset *find(const char *text, double *width) {
  for (int i = 0; i < N_PRESETS; i++) {
    const size_t n = strlen(presets[i].name);
    if (strncmp(text, presets[i].name, n) != 0 || (text[n] != 0 && text[n] != ' ')) continue;
    char *end = NULL;
    *width = 1.0;
    const char *rest = text + n + strspn(text + n, " ");
    if (*rest == 0) return &presets[i];
    *width = strtod(rest, &end);
    return end != rest && end[strspn(end, " ")] == 0 && *width > 0.0 ? &presets[i] : NULL;
  }
  return NULL;
}

bool train_is_preset(const char *text) {
  double width;
  return find(text, &width) != NULL;
}

bool train_asks_input(const char *const *lines, int n) {
  double width;
  const struct preset *preset = n == 1 ? find(lines[0], &width) : NULL;
  if (preset) return preset->write == autoencoder || preset->write == conv_autoencoder;
  for (int i = 0; i < n; i++) {
    char of[8] = "";
    if (sscanf(lines[i], " head%*[ \t,]%7[^ \t,#\n]", of) == 1 && strcmp(of, "input") == 0)
      return true;
  }
  return false;
}

bool train_network_preset(struct arena *a, const char *text, int in_h, int in_w, int in_c,
                          int classes, struct train_network *net, struct err *e) {
  struct plan p = {.arena = a, .h = in_h, .w = in_w, .c = in_c};
  const struct preset *preset = find(text, &p.width);
  if (!preset) return err_set(e, "\"%s\" is no preset", text);
  if (!(p.width >= 0.05 && p.width <= 8.0))
    return err_set(e, "width %g is outside 0.05 to 8", p.width);
  preset->write(&p);
  /* Cells are of the classes and the background. */
  if (preset->write == fomo) LINE(&p, "head cells %d", classes < 1 ? 2 : classes + 1);
  if (train_network_parse(p.lines, p.n, in_h, in_w, in_c, classes, net, e)) return true;
  err_node(e, "%s", preset->name);
  return false;
}
