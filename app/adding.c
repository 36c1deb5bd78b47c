/* What `mote add` does: see adding.h. */
#include "app/adding.h"
#include "app/dataset.h"
#include "app/pictures.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A commit waits for the disk: often enough to lose little, rarely enough to be fast. */
#define BATCH_RECORDINGS 500
#define BATCH_SECONDS    1.0
/* What one commit may hold in SQLite's cache and journal. */
#define BATCH_BYTES ((int64_t)16 << 20)
/* One file's words and numbers of another type. */
#define FILE_ARENA_BYTES ((size_t)256 << 20)

/* ---- rules ------------------------------------------------------------------------ */
static bool parse_unit(const char *word, double *unit_s, struct err *e) {
  static const struct {
    const char *word;
    double s;
  } units[] = {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"min", 60}, {"h", 3600}};
  if (!word) return true;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (strcmp(word, units[i].word) == 0) return *unit_s = units[i].s, true;
  return err_set(e, "--time-unit \"%s\" is not known; s, ms, us, ns, min and h are", word);
}

static bool parse_separator(const char *word, char *separator, struct err *e) {
  static const struct {
    const char *word;
    char c;
  } words[] = {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"space", ' '}, {"bar", '|'}};
  if (!word) return true;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strcmp(word, words[i].word) == 0) return *separator = words[i].c, true;
  if (word[0] && !word[1] && word[0] != '"') return *separator = word[0], true;
  return err_set(e,
                 "--separator \"%s\" is not known; comma, semicolon, tab, space, bar and single "
                 "characters are",
                 word);
}

static bool named_rule(struct arena *a, const char *text, const char *option,
                       struct ingest_rule **rule, struct err *e) {
  if (!text || ingest_rule_make(a, text, rule, e)) return true;
  err_node(e, "%s", option);
  return false;
}

static bool pattern_rule(struct arena *a, const char *text, const char *option,
                         struct ingest_rule **rule, struct err *e) {
  /* A bare pattern means the name. */
  if (text && !text_starts(text, "name:") && !text_starts(text, "path:"))
    text = arena_printf(a, "name:%s", text);
  return named_rule(a, text, option, rule, e);
}

static bool make_rules(struct adding *d, struct err *e) {
  struct arena *a = d->c->arena;
  const struct adding_options *o = d->o;
  const struct project_config *config = &d->p.config;
  struct adding_rules *r = &d->rules;
  if (!o->label &&
      !named_rule(a, o->label_from ? o->label_from : "folder", "--label-from", &r->label, e))
    return false;
  if (!named_rule(a, o->group_from, "--group-from", &r->group, e) ||
      !named_rule(a, o->split_from, "--split-from", &r->split, e) ||
      !pattern_rule(a, o->test, "--test", &r->test, e) ||
      !pattern_rule(a, o->validation, "--validation", &r->validation, e))
    return false;
  enum store_split split;
  r->fixed_split = o->split && store_split_parse(o->split, &split) ? (int)split : -1;
  r->ingest = (struct ingest_options){
      .type = config->kind == PROJECT_AUDIO ? INGEST_INT16 : INGEST_FLOAT32,
      .rate_hz = config->kind == PROJECT_IMAGE ? 1 : config->rate_hz,
      .channels = config->kind == PROJECT_IMAGE ? pictures_colours(config) : config->channels,
      .source_rate_hz = o->rate_hz,
      .hmac_key = o->hmac_key,
      .raw = o->raw,
      .cut = !o->whole && !config->objects.on,
      .time_column = o->time_column,
      .label_column = o->label_column,
      .group_column = o->group_column,
      .columns = o->columns,
      .clock = o->clock,
      .each_row = o->each_row,
      .skip_bad_rows = o->skip_bad_rows};
  return parse_unit(o->time_unit, &r->ingest.time_unit_s, e) &&
         parse_separator(o->separator, &r->ingest.separator, e);
}

/* ---- split -------------------------------------------------------------------------- */
static struct placed_group *find_group(struct adding *d, const char *name) {
  for (int i = 0; i < d->n_groups; i++)
    if (strcmp(d->groups[i].name, name) == 0) return &d->groups[i];
  return NULL;
}

static int by_share(const void *x, const void *y) {
  double a = ingest_share(((const struct placed_group *)x)->name);
  double b = ingest_share(((const struct placed_group *)y)->name);
  return (a > b) - (a < b);
}

/* Each new group, in the order of its hash, goes where most is missing from 80, 10 and 10 per cent; before
 * that, test and validation get one each. */
static void place_groups(struct adding *d, int64_t have[STORE_SPLIT_COUNT]) {
  static const double quota[STORE_SPLIT_COUNT] = {0.8, 0.1, 0.1};
  static const int first[STORE_SPLIT_COUNT] = {STORE_TEST, STORE_VALIDATION, STORE_TRAIN};
  int64_t total = 0;
  for (int s = 0; s < STORE_SPLIT_COUNT; s++) total += have[s];
  for (int i = 0; i < d->n_groups; i++) total += d->groups[i].split < 0 ? d->groups[i].files : 0;
  qsort(d->groups, (size_t)d->n_groups, sizeof *d->groups, by_share);
  for (int i = 0; i < d->n_groups; i++) {
    struct placed_group *g = &d->groups[i];
    if (g->split >= 0) continue;
    int best = -1;
    for (int k = 0; k < STORE_SPLIT_COUNT && best < 0; k++)
      if (have[first[k]] == 0) best = first[k];
    double most = -1e300;
    for (int s = 0; s < STORE_SPLIT_COUNT && have[STORE_TEST] && have[STORE_VALIDATION]; s++) {
      double missing = quota[s] * (double)total - (double)have[s];
      if (missing > most) most = missing, best = s;
    }
    g->split = best < 0 ? STORE_TRAIN : best;
    have[g->split] += g->files;
  }
}

static const char *group_of(struct adding *d, struct arena *a, const char *path) {
  const struct ingest_entry *entry = ingest_index_find(d->index, path);
  char *name = NULL;
  struct err ignored = {0};
  if (d->o->group) return d->o->group;
  if (entry && entry->group) return entry->group;
  return d->rules.group && ingest_rule_apply(d->rules.group, a, path, &name, &ignored) ? name
                                                                                       : NULL;
}

/* Groups decide the split when there are at least three: a speaker is then never on both sides. */
static bool plan_split(struct adding *d, struct err *e) {
  struct arena *a = d->c->arena;
  struct store_sample *samples = NULL;
  int n = 0;
  int64_t have[STORE_SPLIT_COUNT] = {0};
  if (d->rules.fixed_split >= 0 || d->rules.test || d->rules.validation || d->o->group ||
      (!d->rules.group && !d->index))
    return true;
  if (!store_list(d->p.store, a, NULL, &samples, &n, e)) return false;
  d->groups = ARENA_ARRAY(a, struct placed_group, n + d->files.count + 1);
  for (int i = 0; i < n; i++) {
    have[samples[i].split]++;
    if (samples[i].group[0] && !find_group(d, samples[i].group))
      d->groups[d->n_groups++] = (struct placed_group){samples[i].group, 0, (int)samples[i].split};
  }
  for (int i = 0; i < d->files.count; i++) {
    const char *name = group_of(d, a, d->files.files[i]);
    if (!name) continue;
    struct placed_group *g = find_group(d, name);
    if (!g) {
      g = &d->groups[d->n_groups++];
      *g = (struct placed_group){name, 0, -1};
    }
    g->files++;
  }
  d->by_group = d->n_groups >= 3;
  if (d->by_group) place_groups(d, have);
  return true;
}

/* "training", "train", "testing" ... as data sets call their parts. */
static bool split_word(const char *word, enum store_split *split) {
  static const struct {
    const char *word;
    enum store_split split;
  } words[] = {
      {"train", STORE_TRAIN},    {"training", STORE_TRAIN},        {"test", STORE_TEST},
      {"testing", STORE_TEST},   {"validation", STORE_VALIDATION}, {"validate", STORE_VALIDATION},
      {"val", STORE_VALIDATION}, {"valid", STORE_VALIDATION},      {"dev", STORE_VALIDATION},
      {"eval", STORE_TEST},      {"evaluation", STORE_TEST}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strcasecmp(words[i].word, word) == 0) return *split = words[i].split, true;
  return false;
}

static enum store_split by_hash(const struct adding_rules *r, const char *text) {
  const double share = ingest_share(text);
  if (r->test) return r->validation || share >= 0.1 ? STORE_TRAIN : STORE_VALIDATION;
  if (r->validation) return share < 0.1 ? STORE_TEST : STORE_TRAIN;
  return share < 0.8 ? STORE_TRAIN : share < 0.9 ? STORE_VALIDATION : STORE_TEST;
}

/* What is known about a file before it is read. */
struct about {
  const char *path;
  const struct ingest_entry *entry;
  const char *label, *group;
  struct err no_label; /* why there is none */
  int split;           /* enum store_split; -1: by hash */
};

static enum store_split split_of(struct adding *d, struct arena *a, const struct about *f,
                                 const struct ingest_recording *r, const char *group) {
  const char *path = f->path;
  if (f->split >= 0) return (enum store_split)f->split;
  if (d->rules.test && ingest_rule_matches(d->rules.test, path)) return STORE_TEST;
  if (d->rules.validation && ingest_rule_matches(d->rules.validation, path))
    return STORE_VALIDATION;
  if (d->by_group && group[0]) {
    const struct placed_group *g = find_group(d, group);
    if (g && g->split >= 0) return (enum store_split)g->split;
  }
  /* A group that a column tells was not known while planning: its hash keeps it together. */
  if (r->group && r->group[0]) return by_hash(&d->rules, r->group);
  const char *slash = strrchr(path, '/');
  const char *before = slash;
  while (before && before > path && before[-1] != '/') before--;
  /* The folder and the name: the same recording elsewhere on the disk keeps its split. */
  const char *key = before ? before : path;
  return by_hash(&d->rules,
                 r->independent && r->part[0] ? arena_printf(a, "%s:%s", key, r->part) : key);
}

/* ---- what is told at the end ----------------------------------------------------------- */
static void keep_notes(struct adding *d, const char *notes) {
  while (*notes) {
    const char *end = strstr(notes, "; ");
    const size_t n = end ? (size_t)(end - notes) : strlen(notes);
    int i = 0;
    while (i < d->n_notes &&
           (strlen(d->notes[i].text) != n || memcmp(d->notes[i].text, notes, n) != 0))
      i++;
    if (i == d->n_notes && d->n_notes < ADDING_NOTES)
      d->notes[d->n_notes++] =
          (struct adding_note){arena_printf(d->c->arena, "%.*s", (int)n, notes), 0};
    if (i < d->n_notes) d->notes[i].files++;
    notes += n + (end ? 2 : 0);
  }
}

static void count_sample(struct adding *d, const struct store_sample *s,
                         const struct ingest_recording *r) {
  d->clipped += r->clipped > 0;
  d->resampled +=
      r->source_rate_hz < r->rate_hz * (1 - 1e-6) || r->source_rate_hz > r->rate_hz * (1 + 1e-6);
  d->in_pieces += r->piece;
  d->beyond += s->type == STORE_FLOAT32 && s->channels == d->p.config.channels &&
               dataset_is_beyond(&d->p.config, s->data, s->length);
  int i = 0;
  while (i < d->n_counts && strcmp(d->counts[i].label, s->label) != 0) i++;
  if (i == d->n_counts) {
    if (d->n_counts == d->counts_room) {
      d->counts_room = d->counts_room ? 2 * d->counts_room : 64;
      struct adding_count *more = ARENA_ARRAY(d->c->arena, struct adding_count, d->counts_room);
      if (d->n_counts) memcpy(more, d->counts, (size_t)d->n_counts * sizeof *more);
      d->counts = more;
    }
    d->counts[d->n_counts++] = (struct adding_count){.label = arena_strdup(d->c->arena, s->label)};
  }
  d->counts[i].samples[s->split]++;
  if (r->width == 0) d->counts[i].seconds += (double)s->length / r->rate_hz;
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void keep_failure(struct adding *d, const char *path, const struct err *e) {
  if (d->failed < ADDING_FAILURES) {
    d->failures[d->failed] = *e;
    err_file(&d->failures[d->failed], path);
  }
  d->failed++;
}

/* ---- batches --------------------------------------------------------------------------- */
struct batch {
  double since_s;
  int64_t recordings, bytes;
};

static bool commit(struct adding *d, struct batch *b, bool again, struct err *e) {
  if (!d->o->dry_run && !store_commit(d->p.store, e)) return false;
  d->added += d->new_added;
  d->duplicates += d->new_duplicates;
  d->reboxed += d->new_reboxed;
  d->new_added = d->new_duplicates = d->new_reboxed = 0;
  *b = (struct batch){.since_s = now_s()};
  return !again || d->o->dry_run || store_begin(d->p.store, e);
}

/* Between two recordings, also of one file. */
static bool commit_if_due(struct adding *d, struct batch *b, struct err *e) {
  if (b->recordings < BATCH_RECORDINGS && b->bytes < BATCH_BYTES &&
      now_s() - b->since_s < BATCH_SECONDS)
    return true;
  return commit(d, b, true, e);
}

/* ---- recordings ------------------------------------------------------------------------- */
/* Keys of metadata have letters, digits and _ . - alone, at most 63. */
static const char *plain_key(struct arena *a, const char *key) {
  char *out = arena_printf(a, "%.63s", key);
  for (char *c = out; *c; c++)
    if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
          strchr("_.-", *c)))
      *c = '_';
  return out;
}

static int put_pairs(struct arena *a, const struct ingest_pair *pairs, int n,
                     struct store_meta *out) {
  int count = 0;
  for (int i = 0; i < n; i++)
    if (pairs[i].key[0] && pairs[i].value && pairs[i].value[0])
      out[count++] = (struct store_meta){plain_key(a, pairs[i].key), pairs[i].value};
  return count;
}

/* Metadata of the file and of what the index says about it, spans and boxes. */
static bool with_details(struct arena *a, const struct about *f, const struct ingest_recording *r,
                         struct store_sample *s, struct err *e) {
  const int more = f->entry ? f->entry->n_metadata : 0;
  struct store_meta *meta = ARENA_ARRAY(a, struct store_meta, r->n_metadata + more + 1);
  struct store_span *spans = ARENA_ARRAY(a, struct store_span, r->n_spans + 1);
  struct store_box *boxes = ARENA_ARRAY(a, struct store_box, r->n_boxes + 1);
  s->n_meta = put_pairs(a, r->metadata, r->n_metadata, meta);
  if (more) s->n_meta += put_pairs(a, f->entry->metadata, more, meta + s->n_meta);
  for (int i = 0; i < r->n_spans; i++)
    spans[i] = (struct store_span){r->spans[i].start, r->spans[i].end - 1, r->spans[i].label};
  for (int i = 0; i < r->n_boxes; i++) {
    /* What lies outside is cut off. */
    const struct ingest_box *b = &r->boxes[i];
    const int x = b->x < 0 ? 0 : b->x, y = b->y < 0 ? 0 : b->y;
    const int right = b->x + b->width < r->width ? b->x + b->width : r->width;
    const int bottom = b->y + b->height < r->height ? b->y + b->height : r->height;
    if (right <= x || bottom <= y)
      return err_set(e,
                     "the box of \"%s\" at %d,%d of %d x %d lies outside of the picture, which has "
                     "%d x %d pixels",
                     b->label, b->x, b->y, b->width, b->height, r->width, r->height);
    boxes[s->n_boxes++] = (struct store_box){x, y, right - x, bottom - y, b->label};
  }
  s->meta = meta;
  s->spans = spans;
  s->boxes = boxes;
  s->n_spans = r->n_spans;
  return true;
}

/* What a picture shows, in a project that counts: the labels of its boxes, each once. */
static const char *shown(struct arena *a, const struct store_box *boxes, int n) {
  struct text t;
  text_init(&t, a);
  const char *last = NULL;
  for (;;) { /* in the order of names; a picture has few */
    const char *next = NULL;
    for (int i = 0; i < n; i++) {
      const char *label = boxes[i].label;
      if ((!last || strcmp(label, last) > 0) && (!next || strcmp(label, next) < 0)) next = label;
    }
    if (!next || t.size > 120) break;
    text_printf(&t, "%s%s", last ? "+" : "", next);
    last = next;
  }
  return t.size ? t.data : "nothing";
}

static bool same_boxes(const struct store_sample *x, const struct store_sample *y) {
  if (x->n_boxes != y->n_boxes) return false;
  for (int i = 0; i < x->n_boxes; i++) {
    const struct store_box *p = &x->boxes[i], *q = &y->boxes[i];
    if (p->x != q->x || p->y != q->y || p->width != q->width || p->height != q->height ||
        strcmp(p->label, q->label) != 0)
      return false;
  }
  return true;
}

static int compare_ids(const void *x, const void *y) {
  const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
  return (a > b) - (a < b);
}

/* Whether an index told boxes of this sample before, in this run. */
static bool met(struct adding *d, int64_t id) {
  int64_t *key = ARENA_NEW(d->c->arena, int64_t), **node;
  *key = id;
  node = tsearch(key, &d->met, compare_ids);
  return node && *node != key;
}

/* In a project that counts, a picture that is there already takes the boxes that an index tells of it now: it was added without, or
 * they were corrected. Of several files with the same pixels the first counts, so that the same command again changes nothing. The
 * label follows the boxes where it was made of them. */
static bool take_boxes(struct adding *d, struct arena *a, const struct store_sample *s,
                       struct err *e) {
  struct store_sample old;
  int64_t other;
  if (!store_describe(d->p.store, a, s->id, &old, e)) return false;
  if (same_boxes(&old, s)) return true;
  if (strcmp(old.label, shown(a, old.boxes, old.n_boxes)) == 0)
    old.label = shown(a, s->boxes, s->n_boxes);
  old.boxes = s->boxes;
  old.n_boxes = s->n_boxes;
  old.data = NULL; /* the pixels stay */
  if (!store_edit(d->p.store, &old, &other, e)) return false;
  d->new_reboxed++;
  return true;
}

static bool take(struct adding *d, struct arena *a, struct batch *b, const struct about *f,
                 const struct ingest_recording *r, bool *fatal, struct err *e) {
  const char *group = d->o->group ? d->o->group : r->group ? r->group : f->group;
  int64_t duplicate = 0;
  struct store_sample s = {.label = r->label && r->label[0] ? r->label : f->label,
                           .group = group ? group : "",
                           .source =
                               r->part[0] ? arena_printf(a, "%s:%s", f->path, r->part) : f->path,
                           .type = r->type == INGEST_UINT8   ? STORE_UINT8
                                   : r->type == INGEST_INT16 ? STORE_INT16
                                                             : STORE_FLOAT32,
                           .rate_hz = r->width ? 0 : r->rate_hz,
                           .channels = r->channels,
                           .length = r->length,
                           .height = r->height,
                           .width = r->width,
                           .data = r->data};
  if (d->p.config.kind == PROJECT_IMAGE && (r->type != INGEST_UINT8 || r->width < 1))
    return err_set(e, "it is no picture, and the project is of pictures (sensor.kind: image)");
  if (!with_details(a, f, r, &s, e)) return false;
  if (d->p.config.objects.on && !d->o->label && !d->o->label_from) {
    s.label = shown(a, s.boxes, s.n_boxes);
    if (!f->entry || !f->entry->boxed)
      keep_notes(d, "no boxes are known of them: they are taken for pictures of nothing");
  }
  if (!s.label) {
    *e = f->no_label;
    return e->text[0] ? false : err_set(e, "it has no label; use --label or --label-from");
  }
  if (!d->p.config.objects.on && r->n_boxes && !d->o->label && !f->entry->label)
    keep_notes(d, "their boxes have several labels: the label of the whole picture is the one of "
                  "--label-from (default: the folder's name)");
  s.split = split_of(d, a, f, r, s.group);
  if (!d->o->dry_run && !store_add(d->p.store, &s, &duplicate, e))
    return *fatal = e->internal || strcmp(e->file, d->p.db_path) == 0, false;
  const bool boxed = d->p.config.objects.on && !d->o->dry_run && f->entry && f->entry->boxed;
  if (boxed && !met(d, s.id) && duplicate && !take_boxes(d, a, &s, e)) return *fatal = true, false;
  if (duplicate)
    d->new_duplicates++;
  else
    d->new_added++;
  if (!duplicate) count_sample(d, &s, r);
  b->recordings++;
  b->bytes += r->length * r->channels * (int64_t)ingest_type_bytes(r->type);
  if (commit_if_due(d, b, e)) return true;
  return *fatal = true, false;
}

/* Label, group and split from options, index and rules. */
static bool look_up(struct adding *d, struct arena *a, struct about *f, struct err *e) {
  char *word = NULL;
  const struct adding_rules *r = &d->rules;
  f->entry = ingest_index_find(d->index, f->path);
  /* In a project that counts the label of boxes is that of things, not of the picture; elsewhere a rule that was named says more. */
  const bool of_things =
      (d->p.config.objects.on || d->o->label_from) && f->entry && f->entry->boxed;
  f->label = d->o->label ? d->o->label : f->entry && !of_things ? f->entry->label : NULL;
  if (!f->label && r->label && ingest_rule_apply(r->label, a, f->path, &word, &f->no_label))
    f->label = word;
  f->group = d->o->group ? d->o->group : f->entry ? f->entry->group : NULL;
  if (!f->group && r->group) {
    if (!ingest_rule_apply(r->group, a, f->path, &word, e)) return false;
    f->group = word;
  }
  f->split = r->fixed_split;
  enum store_split split;
  const char *said = f->entry ? f->entry->split : NULL;
  if (f->split < 0 && !said && r->split) {
    if (!ingest_rule_apply(r->split, a, f->path, &word, e)) return false;
    said = word;
  }
  if (f->split >= 0 || !said || !said[0]) return true;
  if (!split_word(said, &split))
    return err_set(e, "\"%s\" is no split; train, validation and test are", said);
  f->split = (int)split;
  return true;
}

/* false with *fatal: the project itself cannot be written; else only this file is wrong. */
static bool add_file(struct adding *d, const char *path, struct batch *b, bool *fatal,
                     struct err *e) {
  struct arena *a = arena_new(FILE_ARENA_BYTES), *turn = NULL;
  if (!a) return *fatal = true, err_set(e, "no memory left");
  struct about f = {.path = path};
  struct ingest_reader *reader = NULL;
  bool ok = look_up(d, a, &f, e) && ingest_open(path, &d->rules.ingest, &reader, e), there = true;
  if (ok && f.entry && f.entry->n_spans) ingest_set_spans(reader, f.entry->spans, f.entry->n_spans);
  if (ok && f.entry && f.entry->n_boxes) ingest_set_boxes(reader, f.entry->boxes, f.entry->n_boxes);
  while (ok) {
    struct ingest_recording r;
    ok = ingest_next(reader, &r, &there, e);
    if (!ok || !there) break;
    turn = arena_new(FILE_ARENA_BYTES);
    if (!turn) *fatal = true, ok = err_set(e, "no memory left");
    ok = ok && take(d, turn, b, &f, &r, fatal, e);
    arena_free(turn);
  }
  if (reader) keep_notes(d, ingest_notes(reader));
  ingest_close(reader);
  arena_free(a);
  return ok;
}

bool adding_run(struct adding *d, struct err *e) {
  struct batch b = {.since_s = now_s()};
  if (!d->o->dry_run) {
    const bool many = d->c->n_words > 1;
    store_change(d->p.store,
                 arena_printf(d->c->arena, "add %s%s", d->c->n_words ? d->c->words[0] : d->o->index,
                              many ? " ..." : ""));
    if (!store_begin(d->p.store, e)) return false;
  }
  for (int i = 0; i < d->files.count; i++) {
    struct err one = {0};
    bool fatal = false;
    const char *path = d->files.files[i];
    if (d->only_indexed && !ingest_index_find(d->index, path)) {
      d->unlisted++;
    } else if (!add_file(d, path, &b, &fatal, &one)) {
      if (fatal) return *e = one, false;
      keep_failure(d, path, &one);
    }
    const bool last = i == d->files.count - 1;
    if (last ? !commit(d, &b, false, e) : !commit_if_due(d, &b, e)) return false;
    if (last || b.recordings == 0)
      progress_update(d->c->progress, d->o->dry_run ? "read" : "add", (uint64_t)i + 1,
                      (uint64_t)d->files.count, "%lld %s", (long long)d->added,
                      d->o->dry_run ? "read" : "added");
  }
  return true;
}

/* ---- plan ---------------------------------------------------------------------------- */
static bool read_indexes(struct adding *d, struct err *e) {
  struct arena *a = d->c->arena;
  if (d->o->index && !ingest_index_read(a, d->o->index, d->o->index_columns, &d->index, e))
    return false;
  d->only_indexed = d->o->index != NULL;
  for (int i = 0; i < d->files.n_labels; i++)
    if (!ingest_index_read(a, d->files.labels[i], NULL, &d->index, e)) return false;
  keep_notes(d, ingest_index_notes(d->index));
  if (d->files.count == 0 && d->index)
    d->files.count = ingest_index_files(d->index, a, &d->files.files);
  return d->files.count > 0 || err_set(e, "there are no files to add");
}

bool adding_plan(struct adding *d, struct err *e) {
  struct arena *a = d->c->arena;
  return project_open(a, d->o->dir, d->o->dry_run ? STORE_READ : STORE_WRITE, &d->p, e) &&
         make_rules(d, e) &&
         (d->c->n_words == 0 ||
          ingest_expand(a, d->c->words, d->c->n_words, &d->rules.ingest, &d->files, e)) &&
         read_indexes(d, e) && plan_split(d, e);
}

static void leave_alone(void *key) { (void)key; } /* keys are the arena's */

void adding_close(struct adding *d) {
  ingest_rule_free(d->rules.label);
  ingest_rule_free(d->rules.group);
  ingest_rule_free(d->rules.split);
  ingest_rule_free(d->rules.test);
  ingest_rule_free(d->rules.validation);
  tdestroy(d->met, leave_alone);
  d->met = NULL;
  project_close(&d->p);
}
