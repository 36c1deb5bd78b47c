/* mote data check: what is wrong with the data, most harmful first, and what to do about each.
 *
 * How it works: the file is proven whole; then every sample is read once and summed up (faults, generic features, a
 * fingerprint), and what is left is judged over all: near-duplicates, leaks between splits, labels that their neighbours
 * contradict, classes. Findings are advice, so the exit code is 0 unless --strict. */
#include "app/data.h"
#include "app/dataset.h"
#include "host/inspect/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAMED         8    /* samples named in a line of text; JSON has all */
#define ALIKE         0.90 /* share of equal bits: strangers have 0.5 +- 0.02 */
#define MOST_PAIRS    1000
#define DROPOUT_S     0.25
#define DROPOUT_LEAST 10 /* frames */
#define CLIPPED_SHARE 0.002
#define MOVING        0.5  /* of the numbers change: else the sensor stands still by nature */
#define OFFSET_SHARE  0.05 /* of full scale, of sound */
#define SILENT        1e-4 /* rms of sound: -80 dB */
#define SMALL_CLASS   10
#define UNBALANCED    10

enum finding_kind {
  BROKEN_NUMBERS,
  OTHER_SHAPE,
  LEAK,
  DUPLICATE_LEAK,
  MISLABELLED,
  CONSTANT,
  CLIPPED,
  BEYOND,
  DROPOUT,
  SILENCE,
  OFFSET,
  OTHER_RATE,
  SHORT,
  DUPLICATE,
  NO_SPLIT,
  SMALL,
  IMBALANCE,
  N_KINDS
};

static const struct {
  const char *name, *says, *advice;
} kinds[N_KINDS] = {
    [BROKEN_NUMBERS] = {"not_finite", "hold numbers that are not finite",
                        "read them in again from a whole file, or remove them"},
    [OTHER_SHAPE] =
        {"shape", "do not fit the sensor in mote.yaml (type or channels)",
         "training refuses them: remove them, or correct sensor.kind and sensor.channels"},
    [LEAK] = {"leak", "lie in more than one split: the test knows them already",
              "mote data split --by group (or --by file, or a key of metadata)"},
    [DUPLICATE_LEAK] = {"near_duplicate_leak",
                        "are nearly the same recording in different splits: the test is too easy",
                        "remove one of each pair, or give both a --meta key and split by it"},
    [MISLABELLED] = {"label", "may have the wrong label: what is most like them says otherwise",
                     "look (mote data show ID --plot) and correct: mote data set ID --set-label"},
    [CONSTANT] = {"constant", "have a channel that never changes",
                  "is a wire off, or an axis switched off? Remove them, or leave the channel out"},
    [CLIPPED] = {"clipped", "lie against the end of the range: the sensor saturated",
                 "record with less gain or a larger range; remove the worst"},
    [BEYOND] = {"beyond_range", "reach beyond sensor.range in mote.yaml: training cuts them off",
                "state the unit's own range, or range: [] for the largest number that there is"},
    [DROPOUT] = {"dropout", "stand still for a while in the middle of movement: numbers were lost",
                 "mote data crop or split-at leaves the piece out"},
    [SILENCE] = {"silent", "are silent",
                 "was the microphone on? Remove them, or use them as background"},
    [OFFSET] = {"offset", "have an offset that does not belong to sound",
                "the microphone's supply or converter: a high-pass in front, or record again"},
    [OTHER_RATE] =
        {"rate", "have another rate than the project, whose rate they are brought to",
         "if the sensor was faster or slower than said, add them again at its true rate"},
    [SHORT] = {"short", "are shorter than a window: zeros fill it up",
               "a shorter window.length_ms, or longer recordings"},
    [DUPLICATE] = {"near_duplicate", "are nearly the same recording, in one split",
                   "harmless for the test, but they count twice: remove one of each pair"},
    [NO_SPLIT] = {"no_split", "are missing in a split",
                  "mote data split divides anew; record more where there are too few"},
    [SMALL] = {"small", "have fewer than 10 training samples",
               "record more, or leave the label out (data.ignore in mote.yaml)"},
    [IMBALANCE] = {"imbalance", "have less than a tenth of what the largest has",
                   "record more, or training.class_weights: true in mote.yaml"},
};

struct finding {
  int64_t *ids; /* of samples */
  int n, room;
  struct text lines; /* further words, a line each */
  const char *what;  /* "samples", "labels", "groups": what n counts */
};

struct checking {
  struct command_line *c;
  struct project p;
  struct store_sample *samples; /* that are enabled */
  int n;
  struct finding findings[N_KINDS];
  float *features; /* [n][INSPECT_FEATURES] */
  struct inspect_print *prints;
  int32_t *class_of, *group_of;
  const char **classes, **groups;
  int n_classes, n_groups;
  double agreement; /* how often neighbours agree with labels */
  bool judged;
};

/* ---- findings -------------------------------------------------------------------------- */
static void add_id(struct checking *k, enum finding_kind kind, int64_t id) {
  struct finding *f = &k->findings[kind];
  if (f->n && f->ids[f->n - 1] == id) return;
  if (f->n == f->room) {
    f->room = f->room ? 2 * f->room : 64;
    int64_t *more = ARENA_ARRAY(k->c->arena, int64_t, f->room);
    if (f->n) memcpy(more, f->ids, (size_t)f->n * sizeof *more);
    f->ids = more;
  }
  f->ids[f->n++] = id;
}

static void add_line(struct checking *k, enum finding_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_line(struct checking *k, enum finding_kind kind, const char *format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (!k->findings[kind].lines.arena) text_init(&k->findings[kind].lines, k->c->arena);
  text_printf(&k->findings[kind].lines, "%s\n", line);
}

/* ---- one sample --------------------------------------------------------------------------- */
static void check_channels(struct checking *k, const struct store_sample *s,
                           const struct inspect_channel *channels) {
  const bool sound = s->type == STORE_INT16;
  bool all_silent = sound;
  for (int i = 0; i < s->channels; i++) {
    const struct inspect_channel *ch = &channels[i];
    if (ch->not_finite) add_id(k, BROKEN_NUMBERS, s->id);
    all_silent = all_silent && ch->rms < SILENT;
    if (ch->constant) continue;
    const bool at_end = !sound || ch->most > 0.98 || ch->least < -0.98;
    const bool clipped = at_end && (double)ch->clipped > CLIPPED_SHARE * (double)s->length &&
                         ch->clipped_runs >= 2 && ch->moving > MOVING;
    if (clipped) add_id(k, CLIPPED, s->id);
    const double held_s = (double)ch->longest_hold / s->rate_hz;
    if (!clipped && ch->moving > MOVING && held_s >= DROPOUT_S && ch->longest_hold >= DROPOUT_LEAST)
      add_id(k, DROPOUT, s->id);
    if (sound && fabs(ch->mean) > OFFSET_SHARE) add_id(k, OFFSET, s->id);
  }
  if (all_silent) {
    add_id(k, SILENCE, s->id);
    return;
  }
  for (int i = 0; i < s->channels; i++)
    if (channels[i].constant) add_id(k, CONSTANT, s->id);
}

static void check_shape(struct checking *k, const struct store_sample *s) {
  const struct project_config *c = &k->p.config;
  const bool picture = s->type == STORE_UINT8;
  const enum store_type wanted = c->kind == PROJECT_AUDIO ? STORE_INT16 : STORE_FLOAT32;
  if (picture && c->kind == PROJECT_IMAGE) return;
  if (picture && c->kind == PROJECT_SENSOR) return;
  if (s->type != wanted || s->channels != c->channels) {
    add_id(k, OTHER_SHAPE, s->id);
    return;
  }
  if (wanted == STORE_FLOAT32 && dataset_is_beyond(c, s->data, s->length)) add_id(k, BEYOND, s->id);
  if (fabs(s->rate_hz - c->rate_hz) > 1e-6 * c->rate_hz) add_id(k, OTHER_RATE, s->id);
  if (data_seconds(s) * 1000 < c->length_ms - 1000 / c->rate_hz) add_id(k, SHORT, s->id);
}

static bool check_sample(struct checking *k, int i) {
  struct store_sample s;
  struct arena *a = data_arena(&k->c->err);
  bool ok = a && store_get(k->p.store, a, k->samples[i].id, &s, &k->c->err);
  if (ok) {
    const struct inspect_signal signal = {.values = data_values(a, &s),
                                          .length = s.length,
                                          .channels = s.channels,
                                          .rate_hz = s.rate_hz,
                                          .height = s.height,
                                          .width = s.width};
    check_shape(k, &s);
    if (s.type != STORE_UINT8) {
      struct inspect_channel *channels = ARENA_ARRAY(a, struct inspect_channel, s.channels);
      inspect_measure(&signal, channels);
      check_channels(k, &s, channels);
    }
    inspect_describe(&signal, k->features + (size_t)i * INSPECT_FEATURES);
    inspect_fingerprint(&signal, &k->prints[i]);
  }
  arena_free(a);
  return ok;
}

/* ---- all of them ----------------------------------------------------------------------------- */
/* Labels as classes; groups, or files where there is no group. A file's name cannot be a group's: it starts with \1. */
static void number_all(struct checking *k) {
  struct arena *a = k->c->arena;
  const char **texts = ARENA_ARRAY(a, const char *, k->n + 1);
  k->class_of = ARENA_ARRAY(a, int32_t, k->n + 1);
  k->group_of = ARENA_ARRAY(a, int32_t, k->n + 1);
  for (int i = 0; i < k->n; i++) texts[i] = k->samples[i].label;
  k->n_classes = data_number_texts(a, texts, k->n, &k->classes, k->class_of);
  for (int i = 0; i < k->n; i++) {
    const struct store_sample *s = &k->samples[i];
    texts[i] = s->group[0] ? s->group : arena_printf(a, "\x01%s", data_file_of(a, s->source));
  }
  k->n_groups = data_number_texts(a, texts, k->n, &k->groups, k->group_of);
}

static void check_leaks(struct checking *k) {
  int64_t *count = ARENA_ARRAY(k->c->arena, int64_t, k->n_groups * STORE_SPLIT_COUNT + 1);
  int leaks = 0;
  for (int i = 0; i < k->n; i++)
    count[k->group_of[i] * STORE_SPLIT_COUNT + (int)k->samples[i].split]++;
  for (int g = 0; g < k->n_groups; g++) {
    const int64_t *n = count + g * STORE_SPLIT_COUNT;
    if ((n[0] > 0) + (n[1] > 0) + (n[2] > 0) < 2) continue;
    leaks++;
    const bool file = k->groups[g][0] == 1;
    if (leaks <= 200)
      add_line(k, LEAK, "%s %s: %" PRId64 " train, %" PRId64 " validation, %" PRId64 " test",
               file ? "file" : "group", k->groups[g] + file, n[0], n[1], n[2]);
  }
  for (int i = 0; i < k->n; i++) {
    const int64_t *n = count + k->group_of[i] * STORE_SPLIT_COUNT;
    if ((n[0] > 0) + (n[1] > 0) + (n[2] > 0) > 1) add_id(k, LEAK, k->samples[i].id);
  }
}

static int by_id(const void *x, const void *y) {
  const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
  return (a > b) - (a < b);
}

/* A sample that is in several pairs counts once. */
static void each_once(struct finding *f) {
  int kept = 0;
  if (f->n) qsort(f->ids, (size_t)f->n, sizeof *f->ids, by_id);
  for (int i = 0; i < f->n; i++)
    if (kept == 0 || f->ids[i] != f->ids[kept - 1]) f->ids[kept++] = f->ids[i];
  f->n = kept;
}

static bool check_duplicates(struct checking *k) {
  struct inspect_pair *pairs = NULL;
  int n = 0;
  if (!inspect_near_duplicates(k->c->arena, k->prints, k->n, ALIKE, MOST_PAIRS, &pairs, &n,
                               &k->c->err))
    return false;
  for (int i = 0; i < n; i++) {
    const struct store_sample *s = &k->samples[pairs[i].first], *o = &k->samples[pairs[i].second];
    const enum finding_kind kind = s->split != o->split ? DUPLICATE_LEAK : DUPLICATE;
    const double ratio = (double)s->length * o->rate_hz - (double)o->length * s->rate_hz;
    /* Fingerprints leave the length out: recordings of very different ones are not the same. */
    if (s->rate_hz > 0 && fabs(ratio) > 0.1 * (double)s->length * o->rate_hz) continue;
    add_id(k, kind, s->id);
    add_id(k, kind, o->id);
    add_line(k, kind, "%" PRId64 " (%s, %s) and %" PRId64 " (%s, %s): %.1f %% alike", s->id,
             s->label, store_split_name(s->split), o->id, o->label, store_split_name(o->split),
             100 * pairs[i].likeness);
  }
  each_once(&k->findings[DUPLICATE]);
  each_once(&k->findings[DUPLICATE_LEAK]);
  return true;
}

static bool check_labels(struct checking *k) {
  struct inspect_doubt *doubts = NULL;
  int n = 0;
  struct arena *a = k->c->arena;
  if (k->n < 2 * SMALL_CLASS || k->n_classes < 2 || k->p.config.objects.on ||
      k->p.config.regression.on)
    return true;
  /* Pieces of one file share a wrong label and would confirm it; another file of the same speaker is a good witness. */
  const char **files = ARENA_ARRAY(a, const char *, k->n + 1), **names;
  int32_t *file_of = ARENA_ARRAY(a, int32_t, k->n + 1);
  for (int i = 0; i < k->n; i++) files[i] = data_file_of(a, k->samples[i].source);
  (void)data_number_texts(a, files, k->n, &names, file_of);
  if (!inspect_doubts(a, k->features, k->class_of, file_of, k->n, k->n_classes, 1, &doubts, &n,
                      &k->agreement, &k->c->err))
    return false;
  k->judged = true;
  for (int i = 0; i < n; i++) {
    const struct store_sample *s = &k->samples[doubts[i].item];
    add_id(k, MISLABELLED, s->id);
    add_line(k, MISLABELLED,
             "%" PRId64 " is labelled %s: %s by %.0f %% of its neighbours' weight (%s)", s->id,
             s->label, k->classes[doubts[i].instead], 100 * doubts[i].confidence, s->source);
  }
  return true;
}

static void check_classes(struct checking *k) {
  /* Boxes are counted, numbers estimated: samples are of no class. */
  if (k->p.config.objects.on || k->p.config.regression.on) return;
  int64_t *count = ARENA_ARRAY(k->c->arena, int64_t, k->n_classes * STORE_SPLIT_COUNT + 1);
  int64_t total[STORE_SPLIT_COUNT] = {0}, largest = 0;
  for (int i = 0; i < k->n; i++) {
    count[k->class_of[i] * STORE_SPLIT_COUNT + (int)k->samples[i].split]++;
    total[k->samples[i].split]++;
  }
  for (int c = 0; c < k->n_classes; c++)
    if (count[c * STORE_SPLIT_COUNT] > largest) largest = count[c * STORE_SPLIT_COUNT];
  for (int c = 0; c < k->n_classes; c++) {
    const int64_t *n = count + c * STORE_SPLIT_COUNT;
    for (int s = 0; s < STORE_SPLIT_COUNT; s++)
      if (n[s] == 0 && (s != STORE_VALIDATION || total[s] > 0))
        add_line(k, NO_SPLIT, "%s has no %s samples", k->classes[c],
                 store_split_name((enum store_split)s));
    if (n[STORE_TRAIN] > 0 && n[STORE_TRAIN] < SMALL_CLASS)
      add_line(k, SMALL, "%s has %" PRId64, k->classes[c], n[STORE_TRAIN]);
    if (n[STORE_TRAIN] > 0 && n[STORE_TRAIN] * UNBALANCED < largest)
      add_line(k, IMBALANCE, "%s has %" PRId64 " where the largest has %" PRId64, k->classes[c],
               n[STORE_TRAIN], largest);
  }
}

static bool look(struct checking *k) {
  struct arena *a = k->c->arena;
  const struct store_filter filter = {.split = -1, .state = STORE_ENABLED};
  if (!store_check(k->p.store, &k->c->err) ||
      !store_list(k->p.store, a, &filter, &k->samples, &k->n, &k->c->err))
    return false;
  const size_t each = INSPECT_FEATURES * sizeof(float) + sizeof(struct inspect_print) + 64;
  if ((size_t)k->n * each + 65536 > arena_left(a))
    return err_set(&k->c->err, "%d samples do not fit into memory", k->n);
  k->features = ARENA_ARRAY(a, float, (size_t)k->n *INSPECT_FEATURES + 1);
  k->prints = ARENA_ARRAY(a, struct inspect_print, k->n + 1);
  for (int i = 0; i < k->n; i++) {
    if (!check_sample(k, i)) return false;
    if ((i & 63) == 63 || i == k->n - 1)
      progress_update(k->c->progress, "look", (uint64_t)i + 1, (uint64_t)k->n, "%d samples", i + 1);
  }
  number_all(k);
  check_leaks(k);
  check_classes(k);
  return check_duplicates(k) && check_labels(k);
}

/* ---- telling ------------------------------------------------------------------------------------ */
static bool is_found(const struct finding *f) { return f->n > 0 || f->lines.size > 0; }

static int count_lines(const struct finding *f) {
  int n = 0;
  for (size_t i = 0; i < f->lines.size; i++) n += f->lines.data[i] == '\n';
  return n;
}

/* What a kind says, behind "3 samples" or "1 sample". */
static void print_says(int n, const char *says) {
  static const char *const verbs[][2] = {{"are", "is"},       {"have", "has"}, {"hold", "holds"},
                                         {"do", "does"},      {"lie", "lies"}, {"stand", "stands"},
                                         {"reach", "reaches"}};
  const size_t length = strcspn(says, " ");
  for (size_t i = 0; n == 1 && i < sizeof verbs / sizeof *verbs; i++)
    if (strlen(verbs[i][0]) == length && memcmp(says, verbs[i][0], length) == 0) {
      printf("%s%s", verbs[i][1], says + length);
      return;
    }
  printf("%s", says);
}

static void print_finding(const struct checking *k, enum finding_kind kind) {
  const struct finding *f = &k->findings[kind];
  const bool by_label = kind >= NO_SPLIT;
  if (by_label) {
    printf("\nlabels %s:\n", kinds[kind].says);
  } else {
    printf("\n%s sample%s ", text_thousands(f->n), f->n == 1 ? "" : "s");
    print_says(f->n, kinds[kind].says);
    putchar(':');
  }
  for (int i = 0; !f->lines.size && i < f->n && i < NAMED; i++) printf(" %" PRId64, f->ids[i]);
  if (!f->lines.size && f->n > NAMED) printf(" ...");
  if (!by_label) putchar('\n');
  const char *at = f->lines.size ? f->lines.data : "";
  for (int i = 0; *at && i < NAMED; i++) {
    const int n = (int)strcspn(at, "\n");
    printf("    %.*s\n", n, at);
    at += n + 1;
  }
  if (*at) printf("    and %d more; --json has all\n", count_lines(f) - NAMED);
  printf("  -> %s\n", kinds[kind].advice);
}

static void print_text(const struct checking *k, int found) {
  printf("the project's file is whole; %s samples with %d labels looked at\n", text_thousands(k->n),
         k->n_classes);
  for (int i = 0; i < N_KINDS; i++)
    if (is_found(&k->findings[i])) print_finding(k, (enum finding_kind)i);
  if (k->judged)
    printf("\nneighbours agree with %.0f %% of the labels%s\n", 100 * k->agreement,
           k->agreement < 0.6 ? ": too few for their doubts to mean much" : "");
  if (!found) printf("nothing is wrong that could be seen\n");
}

static void print_json(const struct checking *k, int found) {
  struct data_json out;
  data_json_open(&out, k->c->arena);
  json_put_bool(&out.j, "whole", true);
  json_put_int(&out.j, "samples", k->n);
  json_put_int(&out.j, "found", found);
  if (k->judged)
    json_put_real(&out.j, "neighbours_agree", k->agreement);
  else
    json_put_null(&out.j, "neighbours_agree");
  json_open_array(&out.j, "findings");
  for (int i = 0; i < N_KINDS; i++) {
    const struct finding *f = &k->findings[i];
    if (!is_found(f)) continue;
    json_open_object(&out.j, NULL);
    json_put_string(&out.j, "kind", kinds[i].name);
    json_put_string(&out.j, "message", kinds[i].says);
    json_put_string(&out.j, "advice", kinds[i].advice);
    json_open_array(&out.j, "samples");
    for (int s = 0; s < f->n; s++) json_put_int(&out.j, NULL, f->ids[s]);
    json_close_array(&out.j);
    json_open_array(&out.j, "details");
    char *copy = arena_strdup(k->c->arena, f->lines.size ? f->lines.data : ""), *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
      json_put_string(&out.j, NULL, line);
    json_close_array(&out.j);
    json_close_object(&out.j);
  }
  json_close_array(&out.j);
  data_json_close(&out);
}

int data_check(int argc, char **argv) {
  const char *dir = NULL;
  bool strict = false;
  const struct option_spec options[] = {
      {0, "strict", OPTION_FLAG, NULL, "exit code 1 where anything is found", &strict},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote data check [--strict]",
      .about = "Proves that the project's file is whole, reads every sample, and tells what is "
               "wrong with the\n"
               "data and what to do: broken, constant, clipped or silent channels, dropouts, wrong "
               "rates and\n"
               "shapes, leaks between splits, near-duplicates, doubtful labels, small classes.",
      .options = options,
      .examples = "  mote data check\n  mote data check --strict --json",
      .most = 0};
  struct command_line c;
  int code, found = 0;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  struct checking k = {.c = &c};
  const bool ok = project_open(c.arena, dir, STORE_READ, &k.p, &c.err) && look(&k);
  for (int i = 0; i < N_KINDS; i++) found += is_found(&k.findings[i]);
  if (ok && c.json) print_json(&k, found);
  if (ok && !c.json) print_text(&k, found);
  project_close(&k.p);
  code = command_end(&c, ok);
  return ok && strict && found ? EXIT_INPUT : code;
}
