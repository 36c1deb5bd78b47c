/* train/network_text: networks as text.
 *
 * Parsing appends layers one after the other; `branch` remembers a layer on a stack and `join` adds it back, a
 * name before a colon lets any later line read it. Some lines make several layers: dsconv, se, join project, an
 * activation that no operator has within. Writing gives lines that make the same layers again. */
#include "host/train/network.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BRANCHES 8
#define MAX_NAMES    8

#define FORMS                                                                                      \
  "understood: conv 64 3x3 s2 | dwconv 3x3 s2 | dsconv 64 3x3 s2 | conv1d 64 9 s2 | dense 32 | "   \
  "avgpool 2x2 | maxpool 2x2 | mean | dropout 0.2 | droppath 0.2 | act sigmoid | sequence | "      \
  "lstm 32 | gru 32 | last | upsample 2x2 | "                                                      \
  "se 4 | add A B | mul A B | concat A B | branch | join | join project | head classes; flags: "   \
  "valid causal d2 linear relu6 hswish sigmoid tanh nobn from NAME"

struct parser {
  struct train_network *net;
  int line;
  int branches[MAX_BRANCHES], n_branches;
  struct err *e;
};

/* What the words of a line said. */
struct words {
  int number;
  int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  float rate;
  bool has_number, has_rate, has_activation, no_bn, project;
  enum train_padding padding;
  enum train_activation activation;
  int from; /* a layer; -2: the line above */
  const char *names[MAX_NAMES];
  int n_names;
};

/* ---- words -------------------------------------------------------------------------- */
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

static const char *const activation_names[] = {
    [TRAIN_LINEAR] = "linear",     [TRAIN_RELU] = "relu",       [TRAIN_RELU6] = "relu6",
    [TRAIN_HARD_SWISH] = "hswish", [TRAIN_SIGMOID] = "sigmoid", [TRAIN_TANH] = "tanh"};

static bool read_activation(const char *word, enum train_activation *activation) {
  for (int i = TRAIN_LINEAR; i <= TRAIN_TANH; i++)
    if (strcmp(word, activation_names[i]) == 0) {
      *activation = (enum train_activation)i;
      return true;
    }
  return false;
}

static bool read_flag(const char *word, struct words *w) {
  if (strcmp(word, "valid") == 0 && w->padding == TRAIN_PAD_SAME)
    w->padding = TRAIN_PAD_VALID;
  else if (strcmp(word, "causal") == 0 && w->padding == TRAIN_PAD_SAME)
    w->padding = TRAIN_PAD_CAUSAL;
  else if (strcmp(word, "nobn") == 0)
    w->no_bn = true;
  else if (strcmp(word, "project") == 0)
    w->project = true;
  else if (!w->has_activation && read_activation(word, &w->activation))
    w->has_activation = true;
  else
    return false;
  return true;
}

static bool read_word(const char *word, struct words *w) {
  if (read_flag(word, w)) return true;
  if (word[0] == 's' && w->stride_h == 0 && read_pair(word + 1, &w->stride_h, &w->stride_w, false))
    return true;
  if (word[0] == 'd' && w->dilation_h == 0 &&
      read_pair(word + 1, &w->dilation_h, &w->dilation_w, false))
    return true;
  if (w->kernel_h == 0 && strchr(word, 'x') && read_pair(word, &w->kernel_h, &w->kernel_w, true))
    return true;
  if (!w->has_rate && strchr(word, '.')) {
    char *end;
    w->rate = strtof(word, &end);
    return w->has_rate = *end == 0;
  }
  if (!w->has_number && isdigit((unsigned char)word[0])) {
    int ignored;
    return w->has_number = read_pair(word, &w->number, &ignored, false) && !strchr(word, 'x');
  }
  return false;
}

/* ---- layers --------------------------------------------------------------------------- */
static bool add_layer(struct parser *p, const struct train_layer *layer) {
  struct train_network *net = p->net;
  if (net->n_layers + 1 >= TRAIN_MAX_LAYERS)
    return err_set(p->e, "more than %d layers", TRAIN_MAX_LAYERS - 1);
  net->layers[net->n_layers] = *layer;
  net->layers[net->n_layers].line = p->line;
  net->n_layers++;
  return true;
}

static int top(const struct parser *p) { return p->net->n_layers - 1; }

/* Heads stand aside: nothing reads them. */
static int without_heads(const struct train_network *net, int layer) {
  for (int k = net->n_heads - 1; k >= 0; k--)
    if (layer == net->heads[k].layer) layer = net->heads[k].first - 1;
  return layer;
}
/* The layer of the line above. */
static int above(const struct parser *p) { return without_heads(p->net, top(p)); }

static struct train_layer layer_of(const struct parser *p, enum train_kind kind,
                                   const struct words *w) {
  struct train_layer l = {0};
  l.kind = kind;
  l.from = w->from >= -1 ? w->from : above(p);
  l.also = -1;
  l.channels = w->number;
  l.kernel_h = w->kernel_h ? w->kernel_h : 1;
  l.kernel_w = w->kernel_h ? w->kernel_w : 1;
  l.stride_h = w->stride_h ? w->stride_h : 1;
  l.stride_w = w->stride_h ? w->stride_w : 1;
  l.dilation_h = w->dilation_h ? w->dilation_h : 1;
  l.dilation_w = w->dilation_h ? w->dilation_w : 1;
  l.padding = w->padding;
  if (kind == TRAIN_CONV || kind == TRAIN_DEPTHWISE || kind == TRAIN_DENSE) {
    l.activation = w->has_activation ? w->activation : TRAIN_RELU;
    l.batch_norm = !w->no_bn;
  }
  return l;
}

static struct train_layer plain_layer(const struct parser *p, enum train_kind kind) {
  const struct words w = {.from = -2};
  return layer_of(p, kind, &w);
}

/* A layer with its activation, which becomes a layer of its own where no operator has it within. */
static bool add_activated(struct parser *p, struct train_layer l) {
  const enum train_activation activation = l.activation;
  if (activation <= TRAIN_RELU6) return add_layer(p, &l);
  l.activation = TRAIN_LINEAR;
  if (!add_layer(p, &l)) return false;
  struct train_layer act = plain_layer(p, TRAIN_ACTIVATION);
  act.activation = activation;
  return add_layer(p, &act);
}

/* ---- names ---------------------------------------------------------------------------- */
static bool good_name(const char *s) {
  size_t n = 0;
  if (!isalpha((unsigned char)s[0]) && s[0] != '_') return false;
  for (; s[n]; n++)
    if (!isalnum((unsigned char)s[n]) && s[n] != '_' && s[n] != '-') return false;
  return n < TRAIN_NAME_BYTES && strcmp(s, "input") != 0;
}

static bool find_name(const struct parser *p, const char *name, int *layer) {
  if (strcmp(name, "input") == 0) {
    *layer = -1;
    return true;
  }
  for (int i = 0; i < p->net->n_layers; i++)
    if (strcmp(p->net->layers[i].name, name) == 0) {
      *layer = i;
      return true;
    }
  return err_set(p->e, "no line above is called \"%s\"", name);
}

/* The layers that a line with names reads; one name alone goes with the line above, which comes first. */
static bool find_inputs(const struct parser *p, const struct words *w, int least, int *inputs,
                        int *n) {
  *n = 0;
  if (w->n_names + 1 == least) inputs[(*n)++] = above(p);
  for (int i = 0; i < w->n_names; i++)
    if (!find_name(p, w->names[i], &inputs[(*n)++])) return false;
  return *n >= least || err_set(p->e, "a name is missing: %d layers are needed", least);
}

/* ---- lines that read several layers ---------------------------------------------------------- */
static bool parse_pair(struct parser *p, enum train_kind kind, const struct words *w) {
  int inputs[MAX_NAMES + 1], n;
  if (!find_inputs(p, w, 2, inputs, &n)) return false;
  if (n > 2) return err_set(p->e, "%d layers; add and mul take two", n);
  struct train_layer l = plain_layer(p, kind);
  l.from = inputs[0];
  l.also = inputs[1];
  l.activation = w->has_activation ? w->activation : TRAIN_LINEAR;
  return add_activated(p, l);
}

static bool parse_concat(struct parser *p, const struct words *w) {
  int inputs[MAX_NAMES + 1], n;
  if (!find_inputs(p, w, 2, inputs, &n)) return false;
  if (n > TRAIN_MAX_MORE + 2)
    return err_set(p->e, "%d layers; at most %d are concatenated", n, TRAIN_MAX_MORE + 2);
  for (int i = 0; i < n; i++) {
    if (!train_scale_fixed(p->net, inputs[i])) continue;
    struct train_layer r = plain_layer(p, TRAIN_REQUANTISE);
    r.from = inputs[i];
    if (!add_layer(p, &r)) return false;
    inputs[i] = top(p);
  }
  struct train_layer l = plain_layer(p, TRAIN_CONCAT);
  l.from = inputs[0];
  l.also = inputs[1];
  l.n_more = n - 2;
  for (int i = 2; i < n; i++) l.more[i - 2] = inputs[i];
  return add_layer(p, &l);
}

/* source: Hu et al. 2018. */
static bool parse_squeeze(struct parser *p, const struct words *w) {
  if (!train_network_shapes(p->net, p->e)) return false;
  const int map = w->from >= -1 ? w->from : above(p);
  const struct train_map m = train_map_of(p->net, map);
  if (m.flat) return err_set(p->e, "se needs a map");
  struct words narrow = {.from = -2, .number = (m.c + w->number - 1) / w->number, .no_bn = true};
  struct words wide = {.from = -2, .number = m.c, .no_bn = true, .has_activation = true};
  wide.activation = TRAIN_SIGMOID;
  struct train_layer l = plain_layer(p, TRAIN_MEAN);
  l.from = map;
  if (!add_layer(p, &l)) return false;
  l = layer_of(p, TRAIN_DENSE, &narrow);
  if (!add_layer(p, &l) || !add_activated(p, layer_of(p, TRAIN_DENSE, &wide))) return false;
  l = plain_layer(p, TRAIN_MULTIPLY);
  l.from = map;
  l.also = top(p);
  return add_layer(p, &l);
}

/* The stride between two sizes of a map, as SAME windows make it; 0 where none gives it. */
static int stride_between(int from, int to) {
  for (int s = 1; s <= from; s++)
    if ((from + s - 1) / s == to) return s;
  return 0;
}

static bool parse_join(struct parser *p, const struct words *w) {
  if (p->n_branches == 0) return err_set(p->e, "join without a branch above it");
  int skip = p->branches[--p->n_branches];
  const int main_path = above(p);
  if (skip == main_path) return err_set(p->e, "no layer between branch and join");
  if (!train_network_shapes(p->net, p->e)) return false;
  const struct train_map a = train_map_of(p->net, skip), b = train_map_of(p->net, main_path);
  if (w->project) {
    struct words one = {.from = skip, .has_activation = true, .activation = TRAIN_LINEAR};
    one.kernel_h = one.kernel_w = 1;
    one.number = b.c;
    one.stride_h = stride_between(a.h, b.h);
    one.stride_w = stride_between(a.w, b.w);
    if (one.stride_h == 0 || one.stride_w == 0)
      return err_set(p->e, "no stride makes %dx%d out of the branch's %dx%d", b.h, b.w, a.h, a.w);
    const struct train_layer l = layer_of(p, TRAIN_CONV, &one);
    if (!add_layer(p, &l)) return false;
    skip = top(p);
  } else if (a.h != b.h || a.w != b.w || a.c != b.c) {
    return err_set(p->e,
                   "join of %dx%dx%d and %dx%dx%d: the shapes differ; \"join project\" puts a 1x1 "
                   "convolution into the branch",
                   a.h, a.w, a.c, b.h, b.w, b.c);
  }
  struct train_layer l = plain_layer(p, TRAIN_ADD);
  l.from = main_path;
  l.also = skip;
  l.joined = true;
  l.activation = w->has_activation ? w->activation : TRAIN_RELU;
  if (l.activation > TRAIN_RELU6)
    return err_set(p->e,
                   "join takes linear, relu or relu6; \"act %s\" on a line of its own follows",
                   activation_names[l.activation]);
  return add_layer(p, &l);
}

/* ---- heads ------------------------------------------------------------------------------------ */
static const char *const head_names[] = {[TRAIN_HEAD_CLASSES] = "classes",
                                         [TRAIN_HEAD_CELLS] = "cells",
                                         [TRAIN_HEAD_NUMBERS] = "numbers",
                                         [TRAIN_HEAD_MASK] = "mask",
                                         [TRAIN_HEAD_INPUT] = "input"};
#define HEADS                                                                                      \
  "understood: head classes [N] | cells N | numbers N [huber 1.0] | mask N | input; weight 1.0 "   \
  "object 20.0"

static bool read_head(struct parser *p, char **save, struct train_head *h, int *from) {
  const char *word = strtok_r(NULL, " \t,", save);
  int kind = 0;
  while (word && kind <= TRAIN_HEAD_INPUT && strcmp(word, head_names[kind]) != 0) kind++;
  if (!word || kind > TRAIN_HEAD_INPUT) return err_set(p->e, "a head of what? " HEADS);
  *h = (struct train_head){.weight = 1.0f, .object = 20.0f, .line = p->line};
  h->kind = (enum train_head_kind)kind;
  while ((word = strtok_r(NULL, " \t,", save)) != NULL) {
    float *real = strcmp(word, "weight") == 0   ? &h->weight
                  : strcmp(word, "huber") == 0  ? &h->huber
                  : strcmp(word, "object") == 0 ? &h->object
                                                : NULL;
    const bool number = isdigit((unsigned char)word[0]) != 0;
    if (number && h->outputs == 0 && read_int(&word, &h->outputs) && *word == 0) continue;
    const char *value = real || strcmp(word, "from") == 0 ? strtok_r(NULL, " \t,", save) : NULL;
    if (!value) return err_set(p->e, "cannot read \"%s\"; " HEADS, word);
    if (!real) {
      if (!find_name(p, value, from)) return false;
      continue;
    }
    char *end;
    *real = strtof(value, &end);
    if (*end != 0) return err_set(p->e, "\"%s\" is no number; " HEADS, value);
  }
  h->own = h->kind == TRAIN_HEAD_CLASSES && h->outputs > 0;
  const bool needs =
      h->kind == TRAIN_HEAD_CELLS || h->kind == TRAIN_HEAD_NUMBERS || h->kind == TRAIN_HEAD_MASK;
  if (needs && h->outputs == 0) return err_set(p->e, "how many? " HEADS);
  return true;
}

/* The layers of a head: on a vector or for classes and numbers a dense layer, on a map a 1x1 convolution. */
static bool add_head(struct parser *p, struct train_head h, int from) {
  struct train_network *net = p->net;
  if (net->n_heads == TRAIN_MAX_HEADS) return err_set(p->e, "more than %d heads", TRAIN_MAX_HEADS);
  if (!train_network_shapes(net, p->e)) return false;
  const struct train_map m = train_map_of(net, from);
  const bool dense = m.flat || h.kind == TRAIN_HEAD_CLASSES || h.kind == TRAIN_HEAD_NUMBERS;
  struct words w = {.from = from, .no_bn = true, .has_activation = true};
  w.activation = h.kind == TRAIN_HEAD_MASK ? TRAIN_SIGMOID : TRAIN_LINEAR;
  w.number = h.kind == TRAIN_HEAD_CLASSES && !h.own ? net->classes
             : h.kind != TRAIN_HEAD_INPUT           ? h.outputs
             : dense                                ? net->in_h * net->in_w * net->in_c
                                                    : net->in_c;
  h.first = net->n_layers;
  if (!add_activated(p, layer_of(p, dense ? TRAIN_DENSE : TRAIN_CONV, &w))) return false;
  h.layer = top(p);
  net->heads[net->n_heads++] = h;
  return true;
}

static bool parse_head(struct parser *p, char **save) {
  struct train_head h;
  int from = above(p);
  return read_head(p, save, &h, &from) && add_head(p, h, from);
}

/* ---- lines -------------------------------------------------------------------------------------- */
/* Which words a form takes: a number, window, stride, rate, flags of windows (valid, causal, dilation), names,
 * an activation, from; 'n' needed, 'o' optional, '-' refused. line: along the height alone. */
struct form {
  const char *name;
  enum train_kind kind;
  char number, kernel, stride, rate, window, names, activation, from;
  bool line;
};
static const struct form forms[] = {
    {"conv", TRAIN_CONV, 'n', 'n', 'o', '-', 'o', '-', 'o', 'o', false},
    {"dwconv", TRAIN_DEPTHWISE, '-', 'n', 'o', '-', 'o', '-', 'o', 'o', false},
    {"dsconv", TRAIN_CONV, 'n', 'n', 'o', '-', 'o', '-', 'o', 'o', false},
    {"conv1d", TRAIN_CONV, 'n', 'n', 'o', '-', 'o', '-', 'o', 'o', true},
    {"dwconv1d", TRAIN_DEPTHWISE, '-', 'n', 'o', '-', 'o', '-', 'o', 'o', true},
    {"dsconv1d", TRAIN_CONV, 'n', 'n', 'o', '-', 'o', '-', 'o', 'o', true},
    {"dense", TRAIN_DENSE, 'n', '-', '-', '-', '-', '-', 'o', 'o', false},
    {"avgpool", TRAIN_AVERAGE_POOL, '-', 'n', 'o', '-', 'o', '-', '-', 'o', false},
    {"maxpool", TRAIN_MAX_POOL, '-', 'n', 'o', '-', 'o', '-', '-', 'o', false},
    {"avgpool1d", TRAIN_AVERAGE_POOL, '-', 'n', 'o', '-', 'o', '-', '-', 'o', true},
    {"maxpool1d", TRAIN_MAX_POOL, '-', 'n', 'o', '-', 'o', '-', '-', 'o', true},
    {"mean", TRAIN_MEAN, '-', '-', '-', '-', '-', '-', '-', 'o', false},
    {"dropout", TRAIN_DROPOUT, '-', '-', '-', 'n', '-', '-', '-', 'o', false},
    {"droppath", TRAIN_DROPOUT, '-', '-', '-', 'n', '-', '-', '-', 'o', false},
    {"act", TRAIN_ACTIVATION, '-', '-', '-', '-', '-', '-', 'n', 'o', false},
    {"sequence", TRAIN_SEQUENCE, '-', '-', '-', '-', '-', '-', '-', 'o', false},
    {"lstm", TRAIN_LSTM, 'n', '-', '-', '-', '-', '-', '-', 'o', false},
    {"gru", TRAIN_GRU, 'n', '-', '-', '-', '-', '-', '-', 'o', false},
    {"last", TRAIN_LAST, '-', '-', '-', '-', '-', '-', '-', 'o', false},
    {"upsample", TRAIN_UPSAMPLE, '-', 'n', '-', '-', '-', '-', '-', 'o', false},
    {"requantise", TRAIN_REQUANTISE, '-', '-', '-', '-', '-', '-', '-', 'o', false},
    {"se", TRAIN_MULTIPLY, 'n', '-', '-', '-', '-', '-', '-', 'o', false},
    {"add", TRAIN_ADD, '-', '-', '-', '-', '-', 'n', 'o', '-', false},
    {"mul", TRAIN_MULTIPLY, '-', '-', '-', '-', '-', 'n', 'o', '-', false},
    {"concat", TRAIN_CONCAT, '-', '-', '-', '-', '-', 'n', '-', '-', false},
    {"branch", TRAIN_ADD, '-', '-', '-', '-', '-', '-', '-', '-', false},
    {"join", TRAIN_ADD, '-', '-', '-', '-', '-', '-', 'o', '-', false},
};

static bool check_part(struct err *e, const char *name, char rule, bool present, const char *what) {
  if (rule == 'n' && !present) return err_set(e, "%s needs %s; " FORMS, name, what);
  if (rule == '-' && present) return err_set(e, "%s takes no %s; " FORMS, name, what);
  return true;
}

static bool check_words(struct err *e, const struct form *f, const struct words *w) {
  const bool window = w->padding != TRAIN_PAD_SAME || w->dilation_h > 0;
  return check_part(e, f->name, f->number, w->has_number, "a number of channels (1 to 4096)") &&
         check_part(e, f->name, f->kernel, w->kernel_h > 0,
                    f->line ? "a window such as 9" : "a window such as 3x3") &&
         check_part(e, f->name, f->stride, w->stride_h > 0, "stride such as s2") &&
         check_part(e, f->name, f->rate, w->has_rate, "a rate between 0.0 and 0.9") &&
         check_part(e, f->name, f->window, window, "padding or dilation") &&
         check_part(e, f->name, f->names, w->n_names > 0, "name of a line") &&
         check_part(e, f->name, f->activation, w->has_activation, "an activation") &&
         check_part(e, f->name, f->from, w->from >= -1, "\"from\"") &&
         (!w->no_bn || f->kind == TRAIN_CONV || f->kind == TRAIN_DEPTHWISE ||
          f->kind == TRAIN_DENSE || err_set(e, "%s has no batch normalisation; " FORMS, f->name)) &&
         (!w->project || strcmp(f->name, "join") == 0 ||
          err_set(e, "\"project\" belongs to join; " FORMS));
}

static bool read_words(struct parser *p, const struct form *f, char **save, const char *line,
                       struct words *w) {
  *w = (struct words){.from = -2};
  for (const char *word; (word = strtok_r(NULL, " \t,", save)) != NULL;) {
    if (strcmp(word, "from") == 0) {
      const char *name = strtok_r(NULL, " \t,", save);
      if (!name) return err_set(p->e, "from what? the name of a line above, or input");
      if (!find_name(p, name, &w->from)) return false;
      continue;
    }
    /* Along one axis a window is one number, behind the channels. */
    int window;
    const char *rest = word;
    const bool first = !w->has_number && f->number == 'n';
    if (f->line && !first && w->kernel_h == 0 && read_int(&rest, &window) && *rest == 0) {
      w->kernel_h = window;
      w->kernel_w = 1;
      continue;
    }
    if (f->names != '-' && (good_name(word) || strcmp(word, "input") == 0) &&
        !(f->activation != '-' && read_activation(word, &(enum train_activation){0}))) {
      if (w->n_names == MAX_NAMES) return err_set(p->e, "more than %d names", MAX_NAMES);
      w->names[w->n_names++] = word;
      continue;
    }
    if (!read_word(word, w))
      return err_set(p->e, "cannot read \"%s\" in \"%s\"; " FORMS, word, line);
  }
  if (!f->line) return true;
  if (w->stride_h > 0 && w->stride_w == w->stride_h) w->stride_w = 1;
  if (w->dilation_h > 0 && w->dilation_w == w->dilation_h) w->dilation_w = 1;
  return true;
}

static bool parse_separable(struct parser *p, const struct words *w) {
  struct words depthwise = *w, point = *w;
  depthwise.number = 0;
  point.kernel_h = point.stride_h = point.dilation_h = 0;
  point.padding = TRAIN_PAD_SAME;
  point.from = -2;
  /* The flag "linear" is about the end; between both there is an activation always. */
  if (depthwise.activation == TRAIN_LINEAR) depthwise.has_activation = false;
  return add_activated(p, layer_of(p, TRAIN_DEPTHWISE, &depthwise)) &&
         add_activated(p, layer_of(p, TRAIN_CONV, &point));
}

static bool parse_form(struct parser *p, const struct form *f, const struct words *w) {
  if (strcmp(f->name, "branch") == 0) {
    if (p->n_branches == MAX_BRANCHES)
      return err_set(p->e, "more than %d branches open", MAX_BRANCHES);
    p->branches[p->n_branches++] = above(p);
    return true;
  }
  if (strcmp(f->name, "join") == 0) return parse_join(p, w);
  if (strcmp(f->name, "se") == 0) return parse_squeeze(p, w);
  if (f->kind == TRAIN_ADD || f->kind == TRAIN_MULTIPLY) return parse_pair(p, f->kind, w);
  if (f->kind == TRAIN_CONCAT) return parse_concat(p, w);
  if (text_starts(f->name, "dsconv")) return parse_separable(p, w);
  struct train_layer l = layer_of(p, f->kind, w);
  l.rate = w->rate;
  l.whole = strcmp(f->name, "droppath") == 0;
  if (f->kind == TRAIN_ACTIVATION) {
    l.activation = w->activation;
    if (l.activation <= TRAIN_RELU6)
      return err_set(p->e, "act takes hswish, sigmoid or tanh; %s is a flag of the layer before it",
                     activation_names[l.activation]);
    return add_layer(p, &l);
  }
  if ((f->kind == TRAIN_AVERAGE_POOL || f->kind == TRAIN_MAX_POOL) && w->stride_h == 0)
    l.stride_h = w->kernel_h, l.stride_w = w->kernel_w;
  return add_activated(p, l);
}

/* "name: rest": returns the rest and the name, or the whole and NULL. */
static char *split_name(char *line, char **name) {
  char *colon = strchr(line, ':');
  *name = NULL;
  if (!colon) return line;
  *colon = 0;
  while (*line == ' ' || *line == '\t') line++;
  for (char *end = colon; end > line && (end[-1] == ' ' || end[-1] == '\t');) *--end = 0;
  *name = line;
  return colon + 1;
}

static bool give_name(struct parser *p, const char *name, int layers_before) {
  int used;
  struct err ignored = {0};
  struct parser silent = *p;
  silent.e = &ignored;
  if (!good_name(name))
    return err_set(p->e, "\"%s\" is no name: a letter, then letters, digits, - and _, at most %d",
                   name, TRAIN_NAME_BYTES - 1);
  if (find_name(&silent, name, &used))
    return err_set(p->e, "\"%s\" is the name of another line", name);
  if (p->net->n_layers == layers_before)
    return err_set(p->e, "\"%s\" names a line that makes nothing", name);
  memcpy(p->net->layers[top(p)].name, name, strlen(name) + 1);
  return true;
}

static bool parse_line(struct parser *p, const char *line) {
  char copy[256], *save = NULL, *label;
  const size_t length = strcspn(line, "#\n\r");
  const int before = p->net->n_layers;
  if (length >= sizeof copy) return err_set(p->e, "a line of %zu characters is too long", length);
  memcpy(copy, line, length);
  copy[length] = 0;
  const char *name = strtok_r(split_name(copy, &label), " \t,", &save);
  if (!name) return !label || err_set(p->e, "\"%s\" names a line that makes nothing", label);
  if (strcmp(name, "head") == 0)
    return label ? err_set(p->e, "a head has no name: nothing reads it") : parse_head(p, &save);
  const struct form *f = NULL;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
    if (strcmp(forms[i].name, name) == 0) f = &forms[i];
  struct words w;
  if (!f) return err_set(p->e, "\"%s\" is no layer; " FORMS, name);
  return read_words(p, f, &save, line, &w) && check_words(p->e, f, &w) && parse_form(p, f, &w) &&
         (!label || give_name(p, label, before));
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
    if (!parse_line(&p, lines[i]) || !train_network_shapes(net, e)) {
      err_node(e, "network line %d", i + 1);
      return false;
    }
  }
  if (p.n_branches > 0) {
    err_node(e, "network");
    return err_set(e, "%d branch%s without a join", p.n_branches, p.n_branches > 1 ? "es" : "");
  }
  p.line = 0;
  const struct train_head last = {.kind = TRAIN_HEAD_CLASSES, .weight = 1.0f, .object = 20.0f};
  return (net->n_heads > 0 || add_head(&p, last, above(&p))) && train_network_check(net, e);
}

/* ---- printing ------------------------------------------------------------------ */
static void text_pair(struct text *out, const char *before, int h, int w) {
  if (h == 1 && w == 1) return;
  if (h == w)
    text_printf(out, "%s%d", before, h);
  else
    text_printf(out, "%s%dx%d", before, h, w);
}

static void text_flags(struct text *out, const struct train_layer *l) {
  if (l->padding == TRAIN_PAD_VALID && l->kind != TRAIN_DENSE) text_add(out, " valid");
  if (l->padding == TRAIN_PAD_CAUSAL && l->kind != TRAIN_DENSE) text_add(out, " causal");
  if (l->activation != TRAIN_RELU) text_printf(out, " %s", activation_names[l->activation]);
  if (!l->batch_norm) text_add(out, " nobn");
}

static void layer_text(const struct train_layer *l, struct text *out) {
  const bool pool = l->kind == TRAIN_AVERAGE_POOL || l->kind == TRAIN_MAX_POOL;
  switch (l->kind) {
  case TRAIN_CONV:
  case TRAIN_DEPTHWISE:
    if (l->kind == TRAIN_CONV)
      text_printf(out, "conv %d %dx%d", l->channels, l->kernel_h, l->kernel_w);
    else
      text_printf(out, "dwconv %dx%d", l->kernel_h, l->kernel_w);
    text_pair(out, " s", l->stride_h, l->stride_w);
    text_pair(out, " d", l->dilation_h, l->dilation_w);
    text_flags(out, l);
    break;
  case TRAIN_DENSE:
    text_printf(out, "dense %d", l->channels);
    text_flags(out, l);
    break;
  case TRAIN_AVERAGE_POOL:
  case TRAIN_MAX_POOL:
  case TRAIN_UPSAMPLE:
    text_printf(out, "%s %dx%d",
                l->kind == TRAIN_MAX_POOL   ? "maxpool"
                : l->kind == TRAIN_UPSAMPLE ? "upsample"
                                            : "avgpool",
                l->kernel_h, l->kernel_w);
    if (pool && (l->stride_h != l->kernel_h || l->stride_w != l->kernel_w))
      text_printf(out, " s%dx%d", l->stride_h, l->stride_w);
    if (l->padding == TRAIN_PAD_VALID) text_add(out, " valid");
    break;
  case TRAIN_MEAN: text_add(out, "mean"); break;
  case TRAIN_DROPOUT:
    text_printf(out, "%s %#.3g", l->whole ? "droppath" : "dropout", (double)l->rate);
    break;
  case TRAIN_ADD:
    text_add(out, l->joined ? "join" : "add");
    if (l->joined ? l->activation != TRAIN_RELU : l->activation != TRAIN_LINEAR)
      text_printf(out, " %s", activation_names[l->activation]);
    break;
  case TRAIN_MULTIPLY:
    text_add(out, "mul");
    if (l->activation != TRAIN_LINEAR) text_printf(out, " %s", activation_names[l->activation]);
    break;
  case TRAIN_CONCAT: text_add(out, "concat"); break;
  case TRAIN_ACTIVATION: text_printf(out, "act %s", activation_names[l->activation]); break;
  case TRAIN_SEQUENCE: text_add(out, "sequence"); break;
  case TRAIN_LSTM: text_printf(out, "lstm %d", l->channels); break;
  case TRAIN_GRU: text_printf(out, "gru %d", l->channels); break;
  case TRAIN_LAST: text_add(out, "last"); break;
  case TRAIN_REQUANTISE: text_add(out, "requantise"); break;
  }
}

/* A projection stands right before its join and is read by nothing else. */
static bool is_projection(const struct train_network *net, int i) {
  return i >= 0 && i + 1 < net->n_layers && net->layers[i].kind == TRAIN_CONV &&
         net->layers[i].from != i - 1 && net->layers[i + 1].kind == TRAIN_ADD &&
         net->layers[i + 1].joined && net->layers[i + 1].also == i;
}

static int head_starting_at(const struct train_network *net, int i) {
  for (int k = 0; k < net->n_heads; k++)
    if (net->heads[k].first == i) return k;
  return -1;
}

/* Where a layer stands in the text: it is the line above of line `i`. */
static bool is_line_above(const struct train_network *net, int from, int i) {
  return from == without_heads(net, i - 1);
}

/* The lines of a layer's names; those that have none are called _1, _2 ... by their place. */
static const char *name_of(const struct train_network *net, struct arena *a, int i) {
  if (i < 0) return "input";
  return net->layers[i].name[0] ? net->layers[i].name : arena_printf(a, "_%d", i + 1);
}

/* Whether a line says layer i by name. */
static bool is_named(const struct train_network *net, int i) {
  for (int j = i + 1; j < net->n_layers; j++) {
    const struct train_layer *l = &net->layers[j];
    if (!train_layer_reads(l, i) || is_projection(net, j)) continue;
    if (l->kind == TRAIN_ADD && l->joined) continue;
    const bool all = l->kind == TRAIN_ADD || l->kind == TRAIN_MULTIPLY || l->kind == TRAIN_CONCAT;
    if (all || !is_line_above(net, l->from, j)) return true;
  }
  return false;
}

static void names_text(const struct train_network *net, int i, struct text *out) {
  const struct train_layer *l = &net->layers[i];
  const bool all =
      (l->kind == TRAIN_ADD && !l->joined) || l->kind == TRAIN_MULTIPLY || l->kind == TRAIN_CONCAT;
  if (all) {
    text_printf(out, " %s", name_of(net, out->arena, l->from));
    text_printf(out, " %s", name_of(net, out->arena, l->also));
    for (int k = 0; k < l->n_more; k++)
      text_printf(out, " %s", name_of(net, out->arena, l->more[k]));
  } else if (!(l->kind == TRAIN_ADD && l->joined) && !is_line_above(net, l->from, i)) {
    text_printf(out, " from %s", name_of(net, out->arena, l->from));
  }
}

static void head_text(const struct train_network *net, const struct train_head *h,
                      struct text *out) {
  text_printf(out, "head %s", head_names[h->kind]);
  if (h->outputs > 0) text_printf(out, " %d", h->outputs);
  if (h->weight != 1.0f) text_printf(out, " weight %#.9g", (double)h->weight);
  if (h->huber > 0.0f) text_printf(out, " huber %#.9g", (double)h->huber);
  if (h->kind == TRAIN_HEAD_CELLS) text_printf(out, " object %#.9g", (double)h->object);
  if (!is_line_above(net, net->layers[h->first].from, h->first))
    text_printf(out, " from %s", name_of(net, out->arena, net->layers[h->first].from));
  text_add(out, "\n");
}

void train_network_text(const struct train_network *net, struct text *out) {
  const bool plain =
      net->n_heads == 1 && net->heads[0].kind == TRAIN_HEAD_CLASSES && net->heads[0].line == 0;
  for (int i = -1; i < net->n_layers; i++) {
    const int head = head_starting_at(net, i);
    if (head >= 0) {
      if (!plain) head_text(net, &net->heads[head], out);
      i = net->heads[head].layer;
      continue;
    }
    if (i >= 0 && !is_projection(net, i)) {
      if (net->layers[i].name[0] || is_named(net, i))
        text_printf(out, "%s: ", name_of(net, out->arena, i));
      layer_text(&net->layers[i], out);
      if (net->layers[i].joined && is_projection(net, i - 1)) text_add(out, " project");
      names_text(net, i, out);
      text_add(out, "\n");
    }
    for (int j = net->n_layers - 1; j > i; j--) {
      if (!net->layers[j].joined) continue;
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
    const int64_t inputs = train_layer_inputs(net, l);
    struct text name;
    text_init(&name, out->arena);
    if (l->name[0]) text_printf(&name, "%s: ", l->name);
    layer_text(l, &name);
    names_text(net, i, &name);
    text_printf(out, "  %-28s %-14s %12s %14s\n", name.data,
                arena_printf(out->arena, "%dx%dx%d", l->out_h, l->out_w, l->out_c),
                inputs ? text_thousands((inputs + 1) * l->out_c) : "",
                inputs ? text_thousands(inputs * l->out_h * l->out_w * l->out_c) : "");
  }
  const struct train_cost cost = train_network_cost(net);
  text_printf(out, "  %-28s %-14s %12s %14s\n", "together", "", text_thousands(cost.parameters),
              text_thousands(cost.macs));
}
