/* train/network: layers as text, their shapes, their cost.
 *
 * Parsing appends layers one after the other; `branch` remembers a layer on a stack and `join` adds it back.
 * train_network_check is the one place where shapes are computed and everything is proven. */
#include "host/train/train.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIDE     4096 /* of a map; channels alike */
#define MAX_TAPS     512 /* of a depthwise kernel or pool: 512 * 255 * 127 < 2^24, exact in float32 */
#define MAX_INPUTS   32768 /* 32768 * 255 * 127 + 2^28 < 2^31 */
#define MAX_ELEMENTS (1 << 24)
#define MAX_BRANCHES 8

#define FORMS                                                                                      \
  "understood: conv 64 3x3 s2 | dwconv 3x3 s2 | dsconv 64 3x3 s2 | dense 32 | avgpool 2x2 | "      \
  "maxpool 2x2 | mean | dropout 0.2 | branch | join | join project; flags: valid linear nobn"

struct parser {
  struct train_network *net;
  int line;
  int branches[MAX_BRANCHES], n_branches;
  struct err *e;
};

/* What the words of a line said. */
struct words {
  int numbers[2], n_numbers;
  int kernel_h, kernel_w, stride_h, stride_w;
  float rate;
  bool has_rate, valid, linear, no_bn, project;
};

static bool read_int(const char **s, int *value) {
  char *end;
  if (!isdigit((unsigned char)**s)) return false;
  const long v = strtol(*s, &end, 10);
  if (v < 1 || v > 65535) return false;
  *s = end;
  *value = (int)v;
  return true;
}

/* "3" or "3x4". */
static bool read_pair(const char *s, int *h, int *w, bool need_x) {
  if (!read_int(&s, h)) return false;
  *w = *h;
  if (*s == 'x') {
    s++;
    if (!read_int(&s, w)) return false;
  } else if (need_x) {
    return false;
  }
  return *s == 0;
}

static bool read_word(const char *word, struct words *w) {
  if (strcmp(word, "valid") == 0) return w->valid = true;
  if (strcmp(word, "linear") == 0) return w->linear = true;
  if (strcmp(word, "nobn") == 0) return w->no_bn = true;
  if (strcmp(word, "project") == 0) return w->project = true;
  if (word[0] == 's' && w->stride_h == 0 && read_pair(word + 1, &w->stride_h, &w->stride_w, false))
    return true;
  if (w->kernel_h == 0 && strchr(word, 'x') && read_pair(word, &w->kernel_h, &w->kernel_w, true))
    return true;
  if (!w->has_rate && strchr(word, '.')) {
    char *end;
    w->rate = strtof(word, &end);
    return w->has_rate = *end == 0;
  }
  if (w->n_numbers < 1 && isdigit((unsigned char)word[0])) {
    int ignored;
    return read_pair(word, &w->numbers[w->n_numbers], &ignored, false) && ++w->n_numbers;
  }
  return false;
}

static bool add_layer(struct parser *p, const struct train_layer *layer) {
  struct train_network *net = p->net;
  if (net->n_layers + 1 >= TRAIN_MAX_LAYERS)
    return err_set(p->e, "more than %d layers", TRAIN_MAX_LAYERS - 1);
  net->layers[net->n_layers] = *layer;
  net->layers[net->n_layers].line = p->line;
  net->n_layers++;
  return true;
}

static struct train_layer layer_of(const struct parser *p, enum train_kind kind,
                                   const struct words *w) {
  struct train_layer l = {0};
  l.kind = kind;
  l.from = p->net->n_layers - 1;
  l.also = -1;
  l.channels = w->n_numbers ? w->numbers[0] : 0;
  l.kernel_h = w->kernel_h ? w->kernel_h : 1;
  l.kernel_w = w->kernel_h ? w->kernel_w : 1;
  l.stride_h = w->stride_h ? w->stride_h : 1;
  l.stride_w = w->stride_h ? w->stride_w : 1;
  l.padding = w->valid ? GRAPH_PAD_VALID : GRAPH_PAD_SAME;
  if (kind == TRAIN_CONV || kind == TRAIN_DEPTHWISE || kind == TRAIN_DENSE) {
    l.relu = !w->linear;
    l.batch_norm = !w->no_bn;
  }
  return l;
}

/* The stride between two sizes of a map, as SAME windows make it; 0 where none gives it. */
static int stride_between(int from, int to) {
  for (int s = 1; s <= from; s++)
    if ((from + s - 1) / s == to) return s;
  return 0;
}

static void shape_of(const struct train_network *net, int layer, int *h, int *w, int *c) {
  *h = layer < 0 ? net->in_h : net->layers[layer].out_h;
  *w = layer < 0 ? net->in_w : net->layers[layer].out_w;
  *c = layer < 0 ? net->in_c : net->layers[layer].out_c;
}

static bool parse_join(struct parser *p, const struct words *w) {
  struct train_network *net = p->net;
  if (p->n_branches == 0) return err_set(p->e, "join without a branch above it");
  int skip = p->branches[--p->n_branches], main_path = net->n_layers - 1;
  if (skip == main_path) return err_set(p->e, "no layer between branch and join");
  if (!train_network_check(net, p->e)) return false;
  int h0, w0, c0, h1, w1, c1;
  shape_of(net, skip, &h0, &w0, &c0);
  shape_of(net, main_path, &h1, &w1, &c1);
  if (w->project) {
    struct words one = {
        .linear = true, .kernel_h = 1, .kernel_w = 1, .n_numbers = 1, .numbers = {c1}};
    one.stride_h = stride_between(h0, h1);
    one.stride_w = stride_between(w0, w1);
    if (one.stride_h == 0 || one.stride_w == 0)
      return err_set(p->e, "no stride makes %dx%d out of the branch's %dx%d", h1, w1, h0, w0);
    struct train_layer l = layer_of(p, TRAIN_CONV, &one);
    l.from = skip;
    if (!add_layer(p, &l)) return false;
    skip = net->n_layers - 1;
  } else if (h0 != h1 || w0 != w1 || c0 != c1) {
    return err_set(p->e,
                   "join of %dx%dx%d and %dx%dx%d: the shapes differ; \"join project\" puts a 1x1 "
                   "convolution into the branch",
                   h0, w0, c0, h1, w1, c1);
  }
  struct train_layer l = layer_of(p, TRAIN_ADD, w);
  l.from = main_path;
  l.also = skip;
  l.relu = !w->linear;
  return add_layer(p, &l);
}

/* Which words a form takes: channels, kernel, stride, rate; 'n' needed, 'o' optional, '-' refused. */
struct form {
  const char *name;
  char channels, kernel, stride, rate;
};
static const struct form forms[] = {
    {"conv", 'n', 'n', 'o', '-'},  {"dwconv", '-', 'n', 'o', '-'},  {"dsconv", 'n', 'n', 'o', '-'},
    {"dense", 'n', '-', '-', '-'}, {"avgpool", '-', 'n', 'o', '-'}, {"maxpool", '-', 'n', 'o', '-'},
    {"mean", '-', '-', '-', '-'},  {"dropout", '-', '-', '-', 'n'}, {"branch", '-', '-', '-', '-'},
    {"join", '-', '-', '-', '-'},
};

static bool check_part(struct err *e, const char *name, char rule, bool present, const char *what) {
  if (rule == 'n' && !present) return err_set(e, "%s needs %s; " FORMS, name, what);
  if (rule == '-' && present) return err_set(e, "%s takes no %s; " FORMS, name, what);
  return true;
}

static bool parse_line(struct parser *p, const char *line) {
  char copy[256], *save = NULL;
  const size_t length = strcspn(line, "#\n\r");
  if (length >= sizeof copy) return err_set(p->e, "a line of %zu characters is too long", length);
  memcpy(copy, line, length);
  copy[length] = 0;
  const char *name = strtok_r(copy, " \t,", &save);
  if (!name) return true;
  const struct form *f = NULL;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
    if (strcmp(forms[i].name, name) == 0) f = &forms[i];
  if (!f) return err_set(p->e, "\"%s\" is no layer; " FORMS, name);
  struct words w = {0};
  for (const char *word; (word = strtok_r(NULL, " \t,", &save)) != NULL;)
    if (!read_word(word, &w))
      return err_set(p->e, "cannot read \"%s\" in \"%s\"; " FORMS, word, line);
  if (!check_part(p->e, name, f->channels, w.n_numbers > 0, "a number of channels (1 to 4096)") ||
      !check_part(p->e, name, f->kernel, w.kernel_h > 0, "a window such as 3x3") ||
      !check_part(p->e, name, f->stride, w.stride_h > 0, "stride such as s2") ||
      !check_part(p->e, name, f->rate, w.has_rate, "a rate between 0.0 and 0.9"))
    return false;
  if (w.project && strcmp(name, "join") != 0)
    return err_set(p->e, "\"project\" belongs to join; " FORMS);
  struct train_layer l;
  if (strcmp(name, "branch") == 0) {
    if (p->n_branches == MAX_BRANCHES)
      return err_set(p->e, "more than %d branches open", MAX_BRANCHES);
    p->branches[p->n_branches++] = p->net->n_layers - 1;
    return true;
  }
  if (strcmp(name, "join") == 0) return parse_join(p, &w);
  if (strcmp(name, "dsconv") == 0) {
    struct words depthwise = w, point = w;
    depthwise.n_numbers = 0;
    point.kernel_h = point.stride_h = 0;
    l = layer_of(p, TRAIN_DEPTHWISE, &depthwise);
    l.relu = true;
    if (!add_layer(p, &l)) return false;
    l = layer_of(p, TRAIN_CONV, &point);
    return add_layer(p, &l);
  }
  const enum train_kind kind = strcmp(name, "conv") == 0      ? TRAIN_CONV
                               : strcmp(name, "dwconv") == 0  ? TRAIN_DEPTHWISE
                               : strcmp(name, "dense") == 0   ? TRAIN_DENSE
                               : strcmp(name, "avgpool") == 0 ? TRAIN_AVERAGE_POOL
                               : strcmp(name, "maxpool") == 0 ? TRAIN_MAX_POOL
                               : strcmp(name, "mean") == 0    ? TRAIN_MEAN
                                                              : TRAIN_DROPOUT;
  l = layer_of(p, kind, &w);
  if ((kind == TRAIN_AVERAGE_POOL || kind == TRAIN_MAX_POOL) && w.stride_h == 0)
    l.stride_h = w.kernel_h, l.stride_w = w.kernel_w;
  l.rate = w.rate;
  return add_layer(p, &l);
}

bool train_network_parse(const char *const *lines, int n_lines, int in_h, int in_w, int in_c,
                         int classes, struct train_network *net, struct err *e) {
  memset(net, 0, sizeof *net);
  net->in_h = in_h;
  net->in_w = in_w;
  net->in_c = in_c;
  net->classes = classes;
  struct parser p = {.net = net, .e = e};
  for (int i = 0; i < n_lines; i++) {
    p.line = i + 1;
    if (!parse_line(&p, lines[i]) || !train_network_check(net, e)) {
      err_node(e, "network line %d", i + 1);
      return false;
    }
  }
  if (p.n_branches > 0) {
    err_node(e, "network");
    return err_set(e, "%d branch%s without a join", p.n_branches, p.n_branches > 1 ? "es" : "");
  }
  p.line = 0;
  const struct words last = {.n_numbers = 1, .numbers = {classes}, .linear = true, .no_bn = true};
  const struct train_layer l = layer_of(&p, TRAIN_DENSE, &last);
  return add_layer(&p, &l) && train_network_check(net, e);
}

/* ---- shapes ---------------------------------------------------------------- */
static bool window_shape(struct train_layer *l, int h, int w, struct err *e) {
  int before, after;
  if (l->kernel_h < 1 || l->kernel_w < 1 || l->kernel_h > MAX_SIDE || l->kernel_w > MAX_SIDE ||
      l->kernel_h * l->kernel_w > MAX_TAPS)
    return err_set(e, "window %dx%d: at most %d taps", l->kernel_h, l->kernel_w, MAX_TAPS);
  if (l->stride_h < 1 || l->stride_w < 1 || l->stride_h > 255 || l->stride_w > 255)
    return err_set(e, "stride %dx%d is outside 1 to 255", l->stride_h, l->stride_w);
  l->out_h = graph_window_out(h, l->kernel_h, l->stride_h, 1, l->padding, &before, &after);
  l->out_w = graph_window_out(w, l->kernel_w, l->stride_w, 1, l->padding, &before, &after);
  if (l->out_h < 1 || l->out_w < 1)
    return err_set(e, "a window of %dx%d does not fit into a map of %dx%d", l->kernel_h,
                   l->kernel_w, h, w);
  return true;
}

/* Dense layers and means make vectors; only dense layers, dropout and sums of two vectors read them. */
static bool is_flat(const struct train_network *net, int i) {
  while (i >= 0 && (net->layers[i].kind == TRAIN_DROPOUT || net->layers[i].kind == TRAIN_ADD))
    i = net->layers[i].from;
  return i >= 0 && (net->layers[i].kind == TRAIN_DENSE || net->layers[i].kind == TRAIN_MEAN);
}

static int64_t layer_inputs(const struct train_network *net, const struct train_layer *l);

static bool layer_shape(struct train_network *net, int index, struct err *e) {
  struct train_layer *l = &net->layers[index];
  int h, w, c;
  if (l->from < -1 || l->from >= index)
    return err_set(e, "reads layer %d, which is not before it", l->from);
  shape_of(net, l->from, &h, &w, &c);
  if (is_flat(net, l->from) && l->kind != TRAIN_DENSE && l->kind != TRAIN_DROPOUT &&
      l->kind != TRAIN_ADD)
    return err_set(
        e, "after mean or dense there is no map any more: only dense, dropout and join follow");
  l->out_h = h;
  l->out_w = w;
  l->out_c = c;
  switch (l->kind) {
  case TRAIN_CONV:
    if (!window_shape(l, h, w, e)) return false;
    l->out_c = l->channels;
    break;
  case TRAIN_DEPTHWISE:
    l->channels = c;
    if (!window_shape(l, h, w, e)) return false;
    break;
  case TRAIN_AVERAGE_POOL:
  case TRAIN_MAX_POOL:
    if (!window_shape(l, h, w, e)) return false;
    break;
  case TRAIN_DENSE:
    l->out_h = l->out_w = 1;
    l->out_c = l->channels;
    break;
  case TRAIN_MEAN: l->out_h = l->out_w = 1; break;
  case TRAIN_ADD: {
    int h1, w1, c1;
    if (l->also < -1 || l->also >= index)
      return err_set(e, "adds layer %d, which is not before it", l->also);
    shape_of(net, l->also, &h1, &w1, &c1);
    if (h != h1 || w != w1 || c != c1 || is_flat(net, l->from) != is_flat(net, l->also))
      return err_set(e, "adds %dx%dx%d to %dx%dx%d", h1, w1, c1, h, w, c);
    break;
  }
  case TRAIN_DROPOUT:
    if (!(l->rate >= 0.0f && l->rate <= 0.9f))
      return err_set(e, "dropout rate %g is outside 0.0 to 0.9", (double)l->rate);
    break;
  default: return err_set(e, "unknown kind of layer %d", (int)l->kind);
  }
  if ((l->kind == TRAIN_CONV || l->kind == TRAIN_DENSE) && layer_inputs(net, l) > MAX_INPUTS)
    return err_set(
        e,
        "%lld inputs to each output: at most %d keep its integer sum within 32 bits; pool or "
        "stride before",
        (long long)layer_inputs(net, l), MAX_INPUTS);
  if (l->out_c < 1 || l->out_c > MAX_SIDE)
    return err_set(e, "%d channels are outside 1 to %d", l->out_c, MAX_SIDE);
  if ((int64_t)l->out_h * l->out_w * l->out_c > MAX_ELEMENTS)
    return err_set(e, "an output of %dx%dx%d is too large: at most %d elements", l->out_h, l->out_w,
                   l->out_c, MAX_ELEMENTS);
  return true;
}

bool train_network_check(struct train_network *net, struct err *e) {
  if (net->in_h < 1 || net->in_w < 1 || net->in_c < 1 || net->in_h > MAX_SIDE ||
      net->in_w > MAX_SIDE || net->in_c > MAX_SIDE ||
      (int64_t)net->in_h * net->in_w * net->in_c > MAX_ELEMENTS)
    return err_set(e, "an input of %dx%dx%d: each side from 1 to %d, %d elements at most",
                   net->in_h, net->in_w, net->in_c, MAX_SIDE, MAX_ELEMENTS);
  if (net->classes < 2 || net->classes > 1000)
    return err_set(e, "%d classes: a network needs 2 to 1000", net->classes);
  if (net->n_layers < 0 || net->n_layers > TRAIN_MAX_LAYERS)
    return err_set(e, "%d layers: at most %d", net->n_layers, TRAIN_MAX_LAYERS);
  for (int i = 0; i < net->n_layers; i++)
    if (!layer_shape(net, i, e)) {
      err_node(e, "layer %d", i + 1);
      return false;
    }
  const struct train_cost cost = train_network_cost(net);
  if (cost.parameters > MAX_ELEMENTS)
    return err_set(e, "%lld parameters are more than a microcontroller's network has (%d at most)",
                   (long long)cost.parameters, MAX_ELEMENTS);
  return true;
}

/* ---- cost -------------------------------------------------------------------- */
static int64_t layer_inputs(const struct train_network *net, const struct train_layer *l) {
  int h, w, c;
  shape_of(net, l->from, &h, &w, &c);
  if (l->kind == TRAIN_CONV) return (int64_t)l->kernel_h * l->kernel_w * c;
  if (l->kind == TRAIN_DEPTHWISE) return (int64_t)l->kernel_h * l->kernel_w;
  if (l->kind == TRAIN_DENSE) return (int64_t)h * w * c;
  return 0;
}

static int64_t layer_bytes(const struct train_network *net, int layer) {
  int h, w, c;
  shape_of(net, layer, &h, &w, &c);
  return (int64_t)h * w * c;
}

/* The last layer that reads layer i; dropout passes its input on. */
static int last_reader(const struct train_network *net, int i) {
  int last = i;
  for (int j = i + 1; j < net->n_layers; j++)
    if (net->layers[j].from == i || (net->layers[j].kind == TRAIN_ADD && net->layers[j].also == i))
      last = net->layers[j].kind == TRAIN_DROPOUT ? last_reader(net, j) : j;
  return last;
}

struct train_cost train_network_cost(const struct train_network *net) {
  struct train_cost cost = {0};
  for (int i = 0; i < net->n_layers; i++) {
    const struct train_layer *l = &net->layers[i];
    const int64_t inputs = layer_inputs(net, l);
    if (inputs > 0) {
      cost.macs += inputs * l->out_h * l->out_w * l->out_c;
      cost.parameters += (inputs + 1) * l->out_c;
      cost.weight_bytes += (inputs + 4) * l->out_c;
    }
    int64_t alive = l->kind == TRAIN_DROPOUT ? 0 : layer_bytes(net, i);
    for (int j = -1; j < i; j++)
      if (last_reader(net, j) >= i && (j < 0 || net->layers[j].kind != TRAIN_DROPOUT))
        alive += layer_bytes(net, j);
    if (alive > cost.activation_bytes) cost.activation_bytes = alive;
  }
  return cost;
}

/* ---- printing ------------------------------------------------------------------ */
static void text_pair(struct text *out, const char *before, int h, int w) {
  text_printf(out, "%s%dx%d", before, h, w);
}

static void text_stride(struct text *out, int h, int w) {
  if (h == 1 && w == 1) return;
  if (h == w)
    text_printf(out, " s%d", h);
  else
    text_pair(out, " s", h, w);
}

static void text_flags(struct text *out, const struct train_layer *l) {
  if (l->padding == GRAPH_PAD_VALID && l->kind != TRAIN_DENSE) text_add(out, " valid");
  if (!l->relu) text_add(out, " linear");
  if (!l->batch_norm) text_add(out, " nobn");
}

static void layer_text(const struct train_layer *l, struct text *out) {
  switch (l->kind) {
  case TRAIN_CONV:
    text_printf(out, "conv %d %dx%d", l->channels, l->kernel_h, l->kernel_w);
    text_stride(out, l->stride_h, l->stride_w);
    text_flags(out, l);
    break;
  case TRAIN_DEPTHWISE:
    text_pair(out, "dwconv ", l->kernel_h, l->kernel_w);
    text_stride(out, l->stride_h, l->stride_w);
    text_flags(out, l);
    break;
  case TRAIN_DENSE:
    text_printf(out, "dense %d", l->channels);
    text_flags(out, l);
    break;
  case TRAIN_AVERAGE_POOL:
  case TRAIN_MAX_POOL:
    text_pair(out, l->kind == TRAIN_MAX_POOL ? "maxpool " : "avgpool ", l->kernel_h, l->kernel_w);
    if (l->stride_h != l->kernel_h || l->stride_w != l->kernel_w)
      text_pair(out, " s", l->stride_h, l->stride_w);
    if (l->padding == GRAPH_PAD_VALID) text_add(out, " valid");
    break;
  case TRAIN_MEAN: text_add(out, "mean"); break;
  case TRAIN_DROPOUT: text_printf(out, "dropout %#.3g", (double)l->rate); break;
  case TRAIN_ADD: text_add(out, l->relu ? "join" : "join linear"); break;
  }
}

/* A projection stands right before its join and is read by nothing else. */
static bool is_projection(const struct train_network *net, int i) {
  return i + 1 < net->n_layers && net->layers[i].kind == TRAIN_CONV &&
         net->layers[i].from != i - 1 && net->layers[i + 1].kind == TRAIN_ADD &&
         net->layers[i + 1].also == i;
}

void train_network_text(const struct train_network *net, struct text *out) {
  for (int i = -1; i + 1 < net->n_layers; i++) {
    if (i >= 0 && !is_projection(net, i)) {
      layer_text(&net->layers[i], out);
      if (net->layers[i].kind == TRAIN_ADD && is_projection(net, i - 1)) text_add(out, " project");
      text_add(out, "\n");
    }
    for (int j = net->n_layers - 1; j > i; j--) {
      if (net->layers[j].kind != TRAIN_ADD) continue;
      const int skip = is_projection(net, j - 1) ? net->layers[j - 1].from : net->layers[j].also;
      if (skip == i) text_add(out, "branch\n");
    }
  }
}

void train_network_print(const struct train_network *net, struct text *out) {
  text_printf(out, "  %-28s %-14s %12s %14s\n", "layer", "output", "parameters", "MAC");
  text_printf(out, "  %-28s %dx%dx%d\n", "input", net->in_h, net->in_w, net->in_c);
  for (int i = 0; i < net->n_layers; i++) {
    const struct train_layer *l = &net->layers[i];
    const int64_t inputs = layer_inputs(net, l);
    struct text name;
    text_init(&name, out->arena);
    layer_text(l, &name);
    text_printf(out, "  %-28s %-14s %12s %14s\n", name.data,
                arena_printf(out->arena, "%dx%dx%d", l->out_h, l->out_w, l->out_c),
                inputs ? text_thousands((inputs + 1) * l->out_c) : "",
                inputs ? text_thousands(inputs * l->out_h * l->out_w * l->out_c) : "");
  }
  const struct train_cost cost = train_network_cost(net);
  text_printf(out, "  %-28s %-14s %12s %14s\n", "together", "", text_thousands(cost.parameters),
              text_thousands(cost.macs));
}
