/* mote data crop, trim, split-at, segment, spans, windows: recordings cut to what matters. A piece keeps the metadata, the
 * group and the split of what it was cut from (so no cut can leak into the test), and the label spans within it. */
#include "app/data.h"
#include "app/dataset.h"
#include "host/features/features.h"
#include "host/inspect/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct cutting {
  struct command_line *c;
  struct project p;
  struct data_pick pick;
  double from_s, to_s;
  struct option_list at, add;
  bool keep, dry, extract, clear;
  const char *find, *signal;
  int64_t channel, outside;
  struct inspect_event_rule rule;
  double length_ms, stride_ms;
  /* What was done: */
  int64_t cut, made, duplicates, nothing;
  struct data_json out;
};

/* ---- pieces ------------------------------------------------------------------------------- */
static size_t number_bytes(const struct store_sample *s) {
  return s->type == STORE_FLOAT32 ? 4 : s->type == STORE_INT16 ? 2 : 1;
}

static bool is_recording(const struct store_sample *s, struct err *e) {
  if (s->type != STORE_UINT8) return true;
  err_node(e, "sample %lld", (long long)s->id);
  return err_set(e, "this is a picture, which has no seconds");
}

/* The spans of s within a piece, counted from its beginning. */
static void cut_spans(struct arena *a, const struct store_sample *s, int64_t first, int64_t last,
                      struct store_sample *piece) {
  struct store_span *spans = ARENA_ARRAY(a, struct store_span, s->n_spans + 1);
  int n = 0;
  for (int i = 0; i < s->n_spans; i++) {
    struct store_span one = s->spans[i];
    if (one.last < first || one.first > last) continue;
    one.first = one.first < first ? 0 : one.first - first;
    one.last = (one.last > last ? last : one.last) - first;
    spans[n++] = one;
  }
  piece->spans = spans;
  piece->n_spans = n;
}

/* s cut to the frames first to last. Its source tells which part: that is what `mote data split --by file` goes by. */
static struct store_sample piece_of(struct arena *a, const struct store_sample *s, int64_t first,
                                    int64_t last) {
  struct store_sample piece = *s;
  piece.length = last - first + 1;
  piece.data = (const uint8_t *)s->data + (size_t)first * (size_t)s->channels * number_bytes(s);
  piece.source = arena_printf(a, "%s:%.3f-%.3f s", s->source, (double)first / s->rate_hz,
                              (double)(last + 1) / s->rate_hz);
  cut_spans(a, s, first, last, &piece);
  return piece;
}

static struct inspect_signal signal_of(struct arena *a, const struct store_sample *s) {
  return (struct inspect_signal){.values = data_values(a, s),
                                 .length = s->length,
                                 .channels = s->channels,
                                 .rate_hz = s->rate_hz,
                                 .full = s->type == STORE_INT16 ? 1 : 0,
                                 .height = s->height,
                                 .width = s->width};
}

/* The sample itself becomes the piece. */
static bool crop_to(struct cutting *t, struct arena *a, const struct store_sample *s, int64_t first,
                    int64_t last) {
  struct store_sample piece = piece_of(a, s, first, last);
  int64_t duplicate = 0;
  if (first == 0 && last == s->length - 1) {
    t->nothing++;
    return true;
  }
  if (!t->dry && !store_edit(t->p.store, &piece, &duplicate, &t->c->err)) return false;
  if (duplicate) {
    err_node(&t->c->err, "sample %lld", (long long)s->id);
    return err_set(
        &t->c->err,
        "this piece is sample %lld already; `mote data remove %lld` takes one of them out",
        (long long)duplicate, (long long)duplicate);
  }
  t->cut++;
  if (!t->c->json)
    printf("sample %" PRId64 ": %.3f s to %.3f s%s, %.3f s of %.3f s stay\n", s->id,
           (double)first / s->rate_hz, (double)(last + 1) / s->rate_hz,
           t->dry ? " would be kept" : "", (double)piece.length / s->rate_hz, data_seconds(s));
  return true;
}

/* Pieces become samples of their own; the whole goes out unless it is to be kept. label NULL: the whole's. */
static bool make_pieces(struct cutting *t, struct arena *a, const struct store_sample *s,
                        const struct inspect_stretch *stretches, const char *const *labels, int n) {
  bool whole = false; /* a piece is all of it: nothing was cut, so it stays */
  for (int i = 0; i < n; i++) {
    struct store_sample piece = piece_of(a, s, stretches[i].first, stretches[i].last);
    int64_t duplicate = 0;
    if (labels) piece.label = labels[i], piece.n_spans = 0;
    piece.id = 0;
    if (!t->dry && !store_add(t->p.store, &piece, &duplicate, &t->c->err)) return false;
    if (duplicate == s->id) {
      whole = true;
      if (labels && !t->keep && !store_relabel(t->p.store, s->id, labels[i], -1, NULL, &t->c->err))
        return false;
    }
    t->duplicates += duplicate != 0;
    t->made += duplicate == 0;
    json_open_object(&t->out.j, NULL);
    json_put_int(&t->out.j, "of", s->id);
    if (t->dry)
      json_put_null(&t->out.j, "id");
    else
      json_put_int(&t->out.j, "id", piece.id);
    json_put_string(&t->out.j, "label", piece.label);
    json_put_real(&t->out.j, "from_s", (double)stretches[i].first / s->rate_hz);
    json_put_real(&t->out.j, "to_s", (double)(stretches[i].last + 1) / s->rate_hz);
    json_close_object(&t->out.j);
    if (!t->c->json)
      printf("sample %" PRId64 ": %.3f s to %.3f s  %s%s\n", s->id,
             (double)stretches[i].first / s->rate_hz, (double)(stretches[i].last + 1) / s->rate_hz,
             piece.label, duplicate ? "  (there already)" : "");
  }
  t->cut++;
  return t->dry || t->keep || whole || store_remove(t->p.store, s->id, &t->c->err);
}

/* ---- the frame of a word -------------------------------------------------------------------- */
/* Does one to each picked sample with its numbers, all in one transaction and one change. */
static bool cut_all(struct cutting *t, const char *what, bool must_choose,
                    bool (*one)(struct cutting *t, struct arena *a, struct store_sample *s)) {
  struct store_sample *list = NULL;
  int n = 0;
  struct err *e = &t->c->err;
  if (!project_open(t->c->arena, t->pick.dir, t->dry ? STORE_READ : STORE_WRITE, &t->p, e) ||
      !data_pick_samples(t->c, &t->p, &t->pick, must_choose, &list, &n))
    return false;
  store_change(t->p.store, arena_printf(t->c->arena, "%s %d sample%s", what, n, n == 1 ? "" : "s"));
  if (!t->dry && !store_begin(t->p.store, e)) return false;
  for (int i = 0; i < n; i++) {
    struct store_sample s;
    struct arena *a = data_arena(e);
    const bool ok =
        a && store_get(t->p.store, a, list[i].id, &s, e) && is_recording(&s, e) && one(t, a, &s);
    arena_free(a);
    if (!ok) {
      if (!t->dry) store_rollback(t->p.store);
      return false;
    }
    progress_update(t->c->progress, what, (uint64_t)i + 1, (uint64_t)n, "%" PRId64 " cut", t->cut);
  }
  return t->dry || store_commit(t->p.store, e);
}

static int finish(struct cutting *t, bool ok, bool pieces) {
  if (ok && t->c->json) {
    if (pieces) json_close_array(&t->out.j);
    json_put_int(&t->out.j, "cut", t->cut);
    if (pieces) json_put_int(&t->out.j, "made", t->made);
    if (pieces) json_put_int(&t->out.j, "duplicates", t->duplicates);
    if (pieces) json_put_int(&t->out.j, "outside", t->outside);
    json_put_int(&t->out.j, "unchanged", t->nothing);
    json_put_bool(&t->out.j, "dry_run", t->dry);
    data_json_close(&t->out);
  } else if (ok && pieces) {
    printf("%s%" PRId64 " pieces of %" PRId64 " samples", t->dry ? "nothing written: " : "",
           t->made, t->cut);
    if (t->duplicates) printf(", %" PRId64 " were there already", t->duplicates);
    if (t->outside) printf(", %" PRId64 " too near to an end left out", t->outside);
    if (t->nothing) printf("; %" PRId64 " without any stay as they are", t->nothing);
    printf("%s\n", t->dry || t->keep || !t->cut ? "" : "; the whole ones are out (mote data undo)");
  } else if (ok) {
    printf("%s%" PRId64 " samples cut, %" PRId64 " unchanged\n", t->dry ? "nothing written: " : "",
           t->cut, t->nothing);
  }
  project_close(&t->p);
  return command_end(t->c, ok);
}

static void begin_json(struct cutting *t, bool pieces) {
  data_json_open(&t->out, t->c->arena);
  if (pieces) json_open_array(&t->out.j, "pieces");
}

/* ---- crop ------------------------------------------------------------------------------------- */
static bool crop_one(struct cutting *t, struct arena *a, struct store_sample *s) {
  int64_t first = llround(t->from_s * s->rate_hz), last = s->length - 1;
  if (t->to_s > 0) last = llround(t->to_s * s->rate_hz) - 1;
  if (first > last || first >= s->length || last >= s->length) {
    err_node(&t->c->err, "sample %lld", (long long)s->id);
    return err_set(&t->c->err, "%g s to %g s: the recording has %.3f s", t->from_s,
                   t->to_s > 0 ? t->to_s : data_seconds(s), data_seconds(s));
  }
  return crop_to(t, a, s, first, last);
}

int data_crop(int argc, char **argv) {
  struct cutting t = {0};
  const struct option_spec options[] = {
      {0, "from", OPTION_REAL, "S", "seconds; what is before goes (default: 0)", &t.from_s},
      {0, "to", OPTION_REAL, "S", "seconds; what is behind goes (default: the end)", &t.to_s},
      {0, "dry-run", OPTION_FLAG, NULL, "show it, and change nothing", &t.dry},
      DATA_PICK_OPTIONS(t.pick),
      {0}};
  const struct command_spec spec = {.usage = "mote data crop ID... --from S --to S",
                                    .about = "Keeps a piece of each recording. Its number stays.",
                                    .options = options,
                                    .examples = "  mote data crop 17 --from 0.5 --to 1.5",
                                    .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!(t.from_s >= 0) || !(t.to_s >= 0) || (t.to_s > 0 && t.to_s <= t.from_s) ||
      !isfinite(t.from_s + t.to_s))
    return command_usage(&c, "--from %g --to %g: seconds, the second behind the first", t.from_s,
                         t.to_s);
  if (t.from_s == 0 && t.to_s == 0) return command_usage(&c, "--from, --to or both say what stays");
  if (!data_pick_parse(&c, &t.pick, &code)) return code;
  t.c = &c;
  begin_json(&t, false);
  return finish(&t, cut_all(&t, "crop", true, crop_one), false);
}

/* ---- trim --------------------------------------------------------------------------------------- */
static bool trim_one(struct cutting *t, struct arena *a, struct store_sample *s) {
  const struct inspect_signal signal = signal_of(a, s);
  struct inspect_stretch kept;
  bool found = false;
  if (!inspect_trim(a, &signal, &t->rule, &kept, &found, &t->c->err)) return false;
  if (found) return crop_to(t, a, s, kept.first, kept.last);
  t->nothing++; /* all of it is alike: nothing says what is silence */
  return true;
}

int data_trim(int argc, char **argv) {
  struct cutting t = {
      .rule = {.threshold_db = 12, .padding_s = 0.1, .least_s = 0.05, .apart_s = 0.2}};
  const struct option_spec options[] = {
      {0, "threshold-db", OPTION_REAL, "DB", "how far above the quiet is no silence (default: 12)",
       &t.rule.threshold_db},
      {0, "padding", OPTION_REAL, "S", "kept on both sides (default: 0.1)", &t.rule.padding_s},
      {0, "dry-run", OPTION_FLAG, NULL, "show it, and change nothing", &t.dry},
      {0, "all", OPTION_FLAG, NULL, "every sample of the project", &t.pick.all},
      DATA_PICK_OPTIONS(t.pick),
      {0}};
  const struct command_spec spec = {
      .usage = "mote data trim ID... | --label L  [--threshold-db 12] [--padding 0.1]",
      .about = "Removes silence from both ends: what is less than the threshold above the "
               "recording's own quiet\n"
               "level. A recording that is all alike stays as it is.",
      .options = options,
      .examples = "  mote data trim --label yes --dry-run",
      .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!(t.rule.threshold_db > 0) || !(t.rule.padding_s >= 0) || !isfinite(t.rule.padding_s))
    return command_usage(&c, "--threshold-db is above 0, --padding from 0");
  if (!data_pick_parse(&c, &t.pick, &code)) return code;
  t.c = &c;
  begin_json(&t, false);
  return finish(&t, cut_all(&t, "trim", true, trim_one), false);
}

/* ---- split-at ------------------------------------------------------------------------------------ */
static int compare_frame(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static bool split_one(struct cutting *t, struct arena *a, struct store_sample *s) {
  int64_t cuts[66] = {0};
  struct inspect_stretch pieces[66];
  int n = 0, n_pieces = 0;
  for (int i = 0; i < t->at.count; i++) {
    char *end;
    const double at = strtod(t->at.items[i], &end);
    const int64_t frame = *end || !isfinite(at) || fabs(at) > 1e9 ? -1 : llround(at * s->rate_hz);
    if (end == t->at.items[i] || frame < 1 || frame >= s->length) {
      err_node(&t->c->err, "sample %lld", (long long)s->id);
      return err_set(&t->c->err, "--at %s: seconds above 0 and below %.3f are possible",
                     t->at.items[i], data_seconds(s));
    }
    cuts[n++] = frame;
  }
  qsort(cuts, (size_t)n, sizeof *cuts, compare_frame);
  int64_t first = 0;
  for (int i = 0; i <= n; i++) {
    const int64_t next = i < n ? cuts[i] : s->length;
    if (next > first) pieces[n_pieces++] = (struct inspect_stretch){first, next - 1};
    first = next;
  }
  return make_pieces(t, a, s, pieces, NULL, n_pieces);
}

int data_split_at(int argc, char **argv) {
  struct cutting t = {0};
  const struct option_spec options[] = {
      {0, "at", OPTION_LIST, "S", "where to cut, in seconds (repeatable)", &t.at},
      {0, "keep", OPTION_FLAG, NULL, "keep the whole recording as well", &t.keep},
      {0, "dry-run", OPTION_FLAG, NULL, "show it, and change nothing", &t.dry},
      DATA_PICK_OPTIONS(t.pick),
      {0}};
  const struct command_spec spec = {.usage = "mote data split-at ID... --at S [--at S]...",
                                    .about =
                                        "Cuts recordings into pieces, each a sample of its own.",
                                    .options = options,
                                    .examples = "  mote data split-at 17 --at 2.5 --at 4",
                                    .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!t.at.count) return command_usage(&c, "--at S says where to cut");
  if (!data_pick_parse(&c, &t.pick, &code)) return code;
  t.c = &c;
  begin_json(&t, true);
  return finish(&t, cut_all(&t, "split", true, split_one), true);
}

/* ---- pieces about a place --------------------------------------------------------------------------- */
/* Pieces of one length, each with its place in the middle. Those that would leave the recording are left out. */
struct places {
  struct inspect_stretch *stretches;
  const char **labels;
  int n;
};

static bool places_begin(struct arena *a, struct places *p, int64_t most, struct err *e) {
  if (most > INT32_MAX / 2 ||
      (size_t)most * (sizeof *p->stretches + sizeof *p->labels) + 256 > arena_left(a))
    return err_set(e, "%lld pieces do not fit into memory", (long long)most);
  p->stretches = ARENA_ARRAY(a, struct inspect_stretch, most + 1);
  p->labels = ARENA_ARRAY(a, const char *, most + 1);
  p->n = 0;
  return true;
}

static void add_place(struct cutting *t, const struct store_sample *s, struct places *p, int64_t at,
                      const char *label) {
  int64_t length = llround(t->rule.length_s * s->rate_hz);
  if (length < 1) length = 1;
  const int64_t first = at - length / 2;
  if (first < 0 || first + length > s->length) {
    t->outside++;
    return;
  }
  p->stretches[p->n] = (struct inspect_stretch){first, first + length - 1};
  p->labels[p->n++] = label;
}

static bool make_places(struct cutting *t, struct arena *a, const struct store_sample *s,
                        const struct places *p) {
  if (p->n) return make_pieces(t, a, s, p->stretches, p->labels, p->n);
  t->nothing++;
  return true;
}

/* About the middle of every labelled stretch. */
static bool segment_labels(struct cutting *t, struct arena *a, struct store_sample *s) {
  struct places p;
  if (!places_begin(a, &p, s->n_spans, &t->c->err)) return false;
  for (int i = 0; i < s->n_spans; i++)
    add_place(t, s, &p, (s->spans[i].first + s->spans[i].last + 1) / 2, s->spans[i].label);
  return make_places(t, a, s, &p);
}

/* The label of the stretch that holds a frame: the one whose middle is nearest; the recording's where none does. */
static const char *label_at(const struct store_sample *s, int64_t at) {
  const char *label = s->label;
  int64_t nearest = INT64_MAX;
  for (int i = 0; i < s->n_spans; i++) {
    const struct store_span *one = &s->spans[i];
    const int64_t off = llabs(2 * at - one->first - one->last);
    if (at >= one->first && at <= one->last && off < nearest) nearest = off, label = one->label;
  }
  return label;
}

/* The detector that a device would run, over one channel. Sensors of any unit: the largest number fills 15 bits. */
static bool segment_beats(struct cutting *t, struct arena *a, struct store_sample *s) {
  struct features_config c;
  struct mote_beats beats;
  struct places p;
  const struct inspect_signal signal = signal_of(a, s);
  features_defaults(FEATURES_HEART, s->rate_hz, 1, 10000, &c, NULL);
  features_heart_signal(&c, t->signal && strcmp(t->signal, "ppg") == 0);
  err_node(&t->c->err, "sample %lld", (long long)s->id);
  if (t->channel > s->channels)
    return err_set(&t->c->err, "channel %" PRId64 "; 1 to %d are there", t->channel, s->channels);
  if (!features_heart_beats(&c, &beats, &t->c->err) ||
      !places_begin(a, &p, s->length / beats.apart + 2, &t->c->err))
    return false;
  struct mote_beats_state *state = arena_alloc(a, mote_beats_state_bytes(&beats), 8);
  const float *x = signal.values + t->channel - 1;
  double most = 0;
  for (int64_t i = 0; i < s->length; i++) most = fmax(most, fabs((double)x[i * s->channels]));
  const double scale = most > 0 ? 32767 / most : 0;
  const int64_t late = beats.slow + beats.apart + (beats.delay >> 8) + 1;
  mote_beats_begin(&beats, state);
  for (int64_t i = 0; i < s->length + late; i++) {
    int32_t ago = 0;
    const bool beat =
        i < s->length ? mote_beats_push(&beats, state,
                                        (int32_t)lrint((double)x[i * s->channels] * scale), &ago)
                      : mote_beats_flush(&beats, state, &ago);
    const int64_t at = i - ((ago + 128) >> 8);
    if (beat && at >= 0 && at < s->length) add_place(t, s, &p, at, label_at(s, at));
  }
  t->c->err.node[0] = 0;
  return make_places(t, a, s, &p);
}

/* ---- segment --------------------------------------------------------------------------------------- */
static bool segment_one(struct cutting *t, struct arena *a, struct store_sample *s) {
  const struct inspect_signal signal = signal_of(a, s);
  struct inspect_stretch *events = NULL;
  int n = 0;
  if (!inspect_events(a, &signal, &t->rule, &events, &n, &t->c->err)) return false;
  if (n) return make_pieces(t, a, s, events, NULL, n);
  t->nothing++;
  return true;
}

int data_segment(int argc, char **argv) {
  struct cutting t = {.rule = {.padding_s = 0.1}, .channel = 1};
  const struct option_spec options[] = {
      {0, "events", OPTION_TEXT, "KIND",
       "energy (audio: where it rises over the quiet), peak (motion: the largest swings), labels "
       "(the middle of each labelled stretch) or beats (of a heart)",
       &t.find},
      {0, "signal", OPTION_TEXT, "KIND", "beats: ecg (default) or ppg", &t.signal},
      {0, "channel", OPTION_INT, "N", "beats: the channel that is looked at (default: 1)",
       &t.channel},
      {0, "length", OPTION_REAL, "S",
       "of each piece (default: energy: the event; peak, labels, beats: 1)", &t.rule.length_s},
      {0, "threshold-db", OPTION_REAL, "DB", "energy: above the quiet (default: 12)",
       &t.rule.threshold_db},
      {0, "threshold", OPTION_REAL, "N", "peak: in standard deviations (default: 3)",
       &t.rule.threshold},
      {0, "padding", OPTION_REAL, "S", "energy: kept on both sides (default: 0.1)",
       &t.rule.padding_s},
      {0, "apart", OPTION_REAL, "S", "nearer events are one (default: 0.2)", &t.rule.apart_s},
      {0, "least", OPTION_REAL, "S", "energy: shorter ones are none (default: 0.05)",
       &t.rule.least_s},
      {0, "keep", OPTION_FLAG, NULL, "keep the whole recordings as well", &t.keep},
      {0, "dry-run", OPTION_FLAG, NULL, "show what would be found, and change nothing", &t.dry},
      {0, "all", OPTION_FLAG, NULL, "every sample of the project", &t.pick.all},
      DATA_PICK_OPTIONS(t.pick),
      {0}};
  const struct command_spec spec = {
      .usage = "mote data segment ID... [--events energy|peak|labels|beats] [--length S]",
      .about =
          "Finds events, and makes a sample of each. They keep label, group, split and metadata. "
          "About labels and\nbeats the pieces may overlap, and have the label of the stretch that "
          "they are about.",
      .options = options,
      .examples = "  mote data segment 3 --dry-run\n"
                  "  mote data segment --label knock --events peak --length 0.8\n"
                  "  mote data segment --all --events labels --length 5",
      .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  const bool labels = t.find && strcmp(t.find, "labels") == 0,
             beats = t.find && strcmp(t.find, "beats") == 0;
  if (t.find && strcmp(t.find, "energy") != 0 && strcmp(t.find, "peak") != 0 && !labels && !beats)
    return command_usage(&c, "no events '%s'; energy, peak, labels and beats are", t.find);
  if (t.signal && strcmp(t.signal, "ecg") != 0 && strcmp(t.signal, "ppg") != 0)
    return command_usage(&c, "no signal '%s'; ecg and ppg are", t.signal);
  if (t.channel < 1) return command_usage(&c, "--channel counts from 1");
  const struct inspect_event_rule *r = &t.rule;
  if (!(r->length_s >= 0) || !(r->threshold_db >= 0) || !(r->threshold >= 0) ||
      !(r->padding_s >= 0) || !(r->apart_s >= 0) || !(r->least_s >= 0) ||
      !(r->length_s + r->padding_s + r->apart_s + r->least_s < 1e6))
    return command_usage(&c, "seconds and thresholds are numbers above 0");
  if (!data_pick_parse(&c, &t.pick, &code)) return code;
  t.c = &c;
  /* What suits the project's sensor, unless it was named. */
  struct project_config config;
  const char *dir = t.pick.dir ? t.pick.dir : project_find(c.arena);
  const bool sound = dir &&
                     project_read_config(c.arena, arena_printf(c.arena, "%s/" PROJECT_FILE, dir),
                                         &config, &c.err) &&
                     config.kind == PROJECT_AUDIO;
  memset(&c.err, 0, sizeof c.err); /* told again, and better, by opening the project */
  const bool energy = t.find ? strcmp(t.find, "energy") == 0 : sound;
  t.rule.kind = energy ? INSPECT_ENERGY : INSPECT_PEAK;
  if ((labels || beats) && !(t.rule.length_s > 0)) t.rule.length_s = 1;
  begin_json(&t, true);
  return finish(&t,
                cut_all(&t, "segment", true,
                        labels  ? segment_labels
                        : beats ? segment_beats
                                : segment_one),
                true);
}

/* ---- spans ------------------------------------------------------------------------------------------ */
/* "1.5-3:shake" in seconds; the frame of the end is not part of it. */
static bool parse_span(struct arena *a, const char *text, const struct store_sample *s,
                       struct store_span *span, struct err *e) {
  char *end, *second = NULL;
  const double from = strtod(text, &end);
  const double to = *end == '-' ? strtod(end + 1, &second) : -1;
  if (end == text || *end != '-' || second == end + 1 || *second != ':' || !second[1] ||
      !(from >= 0) || !(to > from) || !(to < 1e9))
    return err_set(e, "--add \"%s\": FROM-TO:LABEL in seconds is wanted, as 1.5-3:shake", text);
  span->first = llround(from * s->rate_hz);
  span->last = llround(to * s->rate_hz) - 1;
  span->label = arena_strdup(a, second + 1);
  return true;
}

static bool extract_spans(struct cutting *t, struct arena *a, struct store_sample *s) {
  struct inspect_stretch *stretches = ARENA_ARRAY(a, struct inspect_stretch, s->n_spans + 1);
  const char **labels = ARENA_ARRAY(a, const char *, s->n_spans + 1);
  for (int i = 0; i < s->n_spans; i++) {
    stretches[i] = (struct inspect_stretch){s->spans[i].first, s->spans[i].last};
    labels[i] = s->spans[i].label;
  }
  if (s->n_spans) return make_pieces(t, a, s, stretches, labels, s->n_spans);
  t->nothing++;
  return true;
}

static bool spans_one(struct cutting *t, struct arena *a, struct store_sample *s) {
  if (t->extract) return extract_spans(t, a, s);
  if (t->clear || t->add.count) {
    const int old = t->clear ? 0 : s->n_spans;
    struct store_span *spans = ARENA_ARRAY(a, struct store_span, old + t->add.count + 1);
    if (old) memcpy(spans, s->spans, (size_t)old * sizeof *spans);
    for (int i = 0; i < t->add.count; i++)
      if (!parse_span(a, t->add.items[i], s, &spans[old + i], &t->c->err)) return false;
    if (!store_set_spans(t->p.store, s->id, spans, old + t->add.count, &t->c->err)) return false;
    s->spans = spans;
    s->n_spans = old + t->add.count;
    t->cut++;
  }
  for (int i = 0; i < s->n_spans; i++) {
    const struct store_span *one = &s->spans[i];
    if (!t->c->json)
      printf("sample %" PRId64 ": %.3f s to %.3f s  %s\n", s->id, (double)one->first / s->rate_hz,
             (double)(one->last + 1) / s->rate_hz, one->label);
    json_open_object(&t->out.j, NULL);
    json_put_int(&t->out.j, "of", s->id);
    json_put_string(&t->out.j, "label", one->label);
    json_put_real(&t->out.j, "from_s", (double)one->first / s->rate_hz);
    json_put_real(&t->out.j, "to_s", (double)(one->last + 1) / s->rate_hz);
    json_close_object(&t->out.j);
  }
  return true;
}

int data_spans(int argc, char **argv) {
  struct cutting t = {0};
  const struct option_spec options[] = {
      {0, "add", OPTION_LIST, "FROM-TO:LABEL", "label a stretch, in seconds (repeatable)", &t.add},
      {0, "clear", OPTION_FLAG, NULL, "take all their spans away first", &t.clear},
      {0, "extract", OPTION_FLAG, NULL, "make a sample of each span, with its label", &t.extract},
      {0, "keep", OPTION_FLAG, NULL, "with --extract: keep the whole recordings as well", &t.keep},
      DATA_PICK_OPTIONS(t.pick),
      {0}};
  const struct command_spec spec = {
      .usage = "mote data spans ID... [--add FROM-TO:LABEL]... [--clear] [--extract]",
      .about =
          "Labels of stretches within recordings; they may overlap. Without an option: shows them.",
      .options = options,
      .examples = "  mote data spans 4 --add 0-2.5:idle --add 2.5-6:shake\n"
                  "  mote data spans --where device=watch --extract",
      .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (t.extract && (t.add.count || t.clear))
    return command_usage(&c, "--extract stands alone; add or clear spans first");
  if (!data_pick_parse(&c, &t.pick, &code)) return code;
  t.c = &c;
  begin_json(&t, true);
  const bool writes = t.extract || t.add.count || t.clear;
  t.dry = !writes;
  const bool ok = cut_all(&t, t.extract ? "extract spans of" : "label spans of", writes, spans_one);
  if (t.extract || c.json) return finish(&t, ok, true);
  project_close(&t.p);
  return command_end(&c, ok);
}

/* ---- windows ------------------------------------------------------------------------------------------- */
struct window_row {
  const char *label;
  int64_t samples, windows[STORE_SPLIT_COUNT], short_ones;
  double seconds;
};

static int by_label(const void *a, const void *b) {
  return strcmp(((const struct window_row *)a)->label, ((const struct window_row *)b)->label);
}

static bool is_background(const struct project_config *c, const char *label) {
  for (int i = 0; i < c->n_background; i++)
    if (strcmp(c->background[i], label) == 0) return true;
  return false;
}

static bool windows(struct cutting *t) {
  struct project_config *c = &t->p.config;
  struct store_sample *list = NULL;
  int n = 0, n_rows = 0;
  if (!project_open(t->c->arena, t->pick.dir, STORE_READ, &t->p, &t->c->err) ||
      !data_pick_samples(t->c, &t->p, &t->pick, false, &list, &n))
    return false;
  if (t->length_ms > 0)
    c->length_ms = c->features[0].window_ms = c->features[0].front.window_ms = t->length_ms;
  if (t->stride_ms > 0) c->stride_ms = t->stride_ms, c->place = PROJECT_SLIDE;
  struct window_row *rows = ARENA_ARRAY(t->c->arena, struct window_row, n + 1);
  for (int i = 0; i < n; i++) {
    const struct store_sample *s = &list[i];
    if (s->disabled || s->type == STORE_UINT8) continue;
    const int64_t length = llround(data_seconds(s) * c->rate_hz);
    struct window_row *r = &rows[n_rows++];
    *r = (struct window_row){.label = s->label, .samples = 1, .seconds = data_seconds(s)};
    r->short_ones = (double)length < c->length_ms * c->rate_hz / 1000 - 0.5;
    r->windows[s->split] = dataset_windows_in(c, length, is_background(c, s->label));
  }
  qsort(rows, (size_t)n_rows, sizeof *rows, by_label);
  int kept = 0;
  for (int i = 0; i < n_rows; i++) {
    if (kept == 0 || strcmp(rows[i].label, rows[kept - 1].label) != 0) {
      rows[kept++] = rows[i];
      continue;
    }
    struct window_row *r = &rows[kept - 1];
    r->samples++;
    r->short_ones += rows[i].short_ones;
    r->seconds += rows[i].seconds;
    for (int k = 0; k < STORE_SPLIT_COUNT; k++) r->windows[k] += rows[i].windows[k];
  }
  const bool slide = c->place == PROJECT_SLIDE;
  begin_json(t, false);
  json_put_real(&t->out.j, "length_ms", c->length_ms);
  json_put_real(&t->out.j, "stride_ms", c->stride_ms);
  json_put_string(&t->out.j, "place", slide ? "slide" : "event");
  json_open_array(&t->out.j, "labels");
  if (!t->c->json) {
    printf("windows of %g ms, %s", c->length_ms,
           slide ? "one every " : "one around the loudest piece");
    if (slide) printf("%g ms", c->stride_ms);
    printf("\n%-20s %9s %9s %9s %11s %9s %9s\n", "label", "samples", "too short", "train",
           "validation", "test", "seconds");
  }
  for (int i = 0; i < kept; i++) {
    const struct window_row *r = &rows[i];
    if (!t->c->json)
      printf("%-20s %9" PRId64 " %9" PRId64 " %9" PRId64 " %11" PRId64 " %9" PRId64 " %9.1f\n",
             r->label, r->samples, r->short_ones, r->windows[0], r->windows[1], r->windows[2],
             r->seconds);
    json_open_object(&t->out.j, NULL);
    json_put_string(&t->out.j, "label", r->label);
    json_put_int(&t->out.j, "samples", r->samples);
    json_put_int(&t->out.j, "too_short", r->short_ones);
    for (int k = 0; k < STORE_SPLIT_COUNT; k++)
      json_put_int(&t->out.j, store_split_name((enum store_split)k), r->windows[k]);
    json_put_real(&t->out.j, "seconds", r->seconds);
    json_close_object(&t->out.j);
  }
  json_close_array(&t->out.j);
  if (t->c->json)
    data_json_close(&t->out);
  else
    printf("samples that are too short are filled up with zeros\n");
  return true;
}

int data_windows(int argc, char **argv) {
  struct cutting t = {0};
  const struct option_spec options[] = {
      {0, "length-ms", OPTION_REAL, "MS",
       "try this length (default: window.length_ms of mote.yaml)", &t.length_ms},
      {0, "stride-ms", OPTION_REAL, "MS", "try sliding by this (default: as mote.yaml says)",
       &t.stride_ms},
      DATA_PICK_OPTIONS(t.pick),
      {0}};
  const struct command_spec spec = {
      .usage = "mote data windows [ID...] [--length-ms MS] [--stride-ms MS]",
      .about =
          "The windows that training would see, for each label. Writes nothing: mote.yaml decides.",
      .options = options,
      .examples = "  mote data windows --length-ms 2000 --stride-ms 500",
      .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!(t.length_ms >= 0) || !(t.stride_ms >= 0) || !(t.length_ms + t.stride_ms < 1e9))
    return command_usage(&c, "--length-ms and --stride-ms are above 0");
  if (!data_pick_parse(&c, &t.pick, &code)) return code;
  t.c = &c;
  const bool ok = windows(&t);
  project_close(&t.p);
  return command_end(&c, ok);
}
