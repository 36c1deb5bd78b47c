/* mote record: numbers from a board, a microphone, another program or the network become samples of the project.
 *
 * How it works: host/record gives frames and what it measured; here they get their rate (stated, measured, or the
 * project's), are converted to the project's rate like everything that is added, cut where asked, and committed. Only
 * then is a label asked for, so that nothing that was recorded waits for an answer.
 *
 * Until it is committed a recording also lies in a spool beside the database (recording-*.part). Where the process was killed
 * the next `mote record` finds it there and keeps it first, as it was to be kept; its note is a JSON object of the options. */
#include "app/object.h"
#include "app/project.h"
#include "host/ingest/ingest.h"
#include "host/record/record.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UNLABELLED "unlabelled"
/* A measured rate so near the project's is the project's: clocks of boards differ by less. */
#define SAME_RATE 0.005

struct record_options {
  const char *serial, *device, *label, *group, *split, *columns, *dir;
  bool microphone, input, raw, recover;
  int64_t baud, udp;
  double seconds, rate_hz, cut_s, wait_s;
  struct option_list meta;
};

struct recording {
  struct command_line *c;
  const struct record_options *o;
  struct project p;
  struct record_request request;
  struct record_result result;
  const char *from; /* "serial /dev/ttyACM0" */
  char when[32];    /* it began */
  double rate_hz;   /* that the numbers have */
  const char *rate_why;
  bool converted;
  enum store_split split;
  struct store_sample *samples; /* what was stored */
  int n_samples, duplicates;
  bool metered;
  const char *spool;
  int64_t *recovered; /* samples of recordings that were cut short */
  int n_recovered;
};

static volatile sig_atomic_t stopped;
static volatile int stop;
static void on_signal(int number) {
  (void)number;
  stopped = 1;
  stop = 1;
}

static void watch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
}

/* ---- level meter ------------------------------------------------------------------------- */
static void draw_sound(const struct record_meter *m) {
  enum { WIDTH = 30 };
  char bar[WIDTH + 1];
  const float peak = fmaxf(fabsf(m->least[0]), fabsf(m->most[0])) / 32768.0f;
  const double db = m->rms > 1e-5 ? 20 * log10(m->rms) : -100;
  int filled = (int)((db + 60) / 60 * WIDTH);
  if (filled < 0) filled = 0;
  for (int i = 0; i < WIDTH; i++) bar[i] = i < filled ? '#' : '.';
  bar[WIDTH] = 0;
  fprintf(stderr, "\r%7.1f s  [%s] %6.1f dB%s\x1b[K", m->seconds, bar, db,
          peak > 0.999f ? "  too loud" : "");
}

static void draw_values(const struct record_meter *m) {
  fprintf(stderr, "\r%7.1f s  ", m->seconds);
  if (m->hz > 0) fprintf(stderr, "%.1f Hz  ", m->hz);
  for (int k = 0; k < m->channels && k < 6; k++)
    fprintf(stderr, "%.4g..%.4g  ", (double)m->least[k], (double)m->most[k]);
  if (m->bad_lines) fprintf(stderr, "%" PRId64 " bad lines", m->bad_lines);
  fprintf(stderr, "\x1b[K");
}

static void on_meter(void *context, const struct record_meter *m) {
  struct recording *r = context;
  r->metered = true;
  if (m->waiting)
    fprintf(stderr, "\r  waiting for the first numbers ...\x1b[K");
  else if (r->request.int16)
    draw_sound(m);
  else
    draw_values(m);
}

static void on_opened(void *context, const char *what, int udp_port) {
  const struct recording *r = context;
  (void)what;
  if (r->c->quiet) return;
  if (r->request.kind == RECORD_UDP) fprintf(stderr, "listening on 127.0.0.1:%d\n", udp_port);
  if (!(r->o->seconds > 0) && isatty(STDERR_FILENO))
    fprintf(stderr, "recording from %s; Ctrl-C ends it\n", r->from);
}

/* ---- what to record ------------------------------------------------------------------------ */
static bool parse_columns(struct recording *r) {
  const char *list = r->o->columns;
  const int channels = r->p.config.channels;
  int *columns = ARENA_ARRAY(r->c->arena, int, RECORD_MAX_CHANNELS);
  int n = 0;
  while (list && *list) {
    char *end;
    const long at = strtol(list, &end, 10);
    if (end == list || at < 1 || at > RECORD_MAX_CHANNELS || (*end && *end != ',') ||
        n == RECORD_MAX_CHANNELS)
      return err_set(&r->c->err, "--columns \"%s\": numbers from 1 to %d with commas",
                     r->o->columns, RECORD_MAX_CHANNELS);
    columns[n++] = (int)at - 1;
    list = *end ? end + 1 : end;
  }
  if (!r->o->columns) return true;
  if (n != channels)
    return err_set(&r->c->err, "--columns names %d and sensor.channels in mote.yaml says %d", n,
                   channels);
  r->request.columns = columns;
  return true;
}

static bool make_request(struct recording *r) {
  const struct record_options *o = r->o;
  const struct project_config *config = &r->p.config;
  const bool sound = config->kind == PROJECT_AUDIO;
  if (config->kind == PROJECT_IMAGE)
    return err_set(&r->c->err, "pictures are not recorded, and sensor.kind in mote.yaml is image: "
                               "`mote add` takes them as files");
  struct record_request *q = &r->request;
  *q = (struct record_request){.kind = o->serial  ? RECORD_SERIAL
                                       : o->udp   ? RECORD_UDP
                                       : o->input ? RECORD_INPUT
                                                  : RECORD_MICROPHONE,
                               .port = o->serial ? o->serial : o->device,
                               .baud = (int)o->baud,
                               .udp_port = (int)o->udp,
                               .int16 = sound,
                               .raw = o->raw,
                               .channels = config->channels,
                               .rate_hz = o->rate_hz,
                               .seconds = o->seconds,
                               .wait_s = o->wait_s,
                               .stop = &stop,
                               .opened = on_opened,
                               .context = r};
  if (!r->c->quiet && isatty(STDERR_FILENO)) q->meter = on_meter;
  const bool known = q->kind == RECORD_MICROPHONE || o->raw;
  if (known && !sound)
    return err_set(&r->c->err, "%s gives sound, and sensor.kind in mote.yaml is no audio",
                   o->raw ? "--raw" : "a microphone");
  if (known && !(q->rate_hz > 0)) q->rate_hz = config->rate_hz;
  switch (q->kind) {
  case RECORD_SERIAL: r->from = arena_printf(r->c->arena, "serial %s", o->serial); break;
  case RECORD_UDP: r->from = arena_printf(r->c->arena, "udp %d", (int)o->udp); break;
  case RECORD_INPUT: r->from = "stdin"; break;
  case RECORD_MICROPHONE: r->from = arena_printf(r->c->arena, "microphone %s", o->device); break;
  }
  return parse_columns(r);
}

/* ---- rate ------------------------------------------------------------------------------------- */
/* The numbers at the project's rate. */
static bool settle_rate(struct recording *r, const void **data, int64_t *length) {
  const double project_hz = r->p.config.rate_hz;
  const struct record_result *out = &r->result;
  *data = out->data;
  *length = out->length;
  if (r->request.rate_hz > 0)
    r->rate_hz = r->request.rate_hz, r->rate_why = "stated";
  else if (out->measured)
    r->rate_hz = out->rate.hz, r->rate_why = "measured";
  else
    r->rate_hz = project_hz, r->rate_why = "assumed";
  if (r->request.kind == RECORD_MICROPHONE) r->rate_why = "of the sound card";
  const double allowed = fmax(SAME_RATE * project_hz, out->measured ? 2 * out->rate.error_hz : 0);
  const bool stated = r->request.rate_hz > 0;
  if (fabs(r->rate_hz - project_hz) <= (stated ? 1e-9 * project_hz : allowed)) return true;
  r->converted = true;
  return ingest_resample(r->c->arena, r->request.int16 ? INGEST_INT16 : INGEST_FLOAT32, out->data,
                         out->length, r->request.channels, r->rate_hz, project_hz, data, length,
                         &r->c->err);
}

/* ---- keeping ------------------------------------------------------------------------------------- */
/* As asked; else where the group is already, so that it stays on one side; else by the name's hash. */
static bool choose_split(struct recording *r, const char *source) {
  enum store_split named;
  r->split = STORE_TRAIN;
  if (r->o->split && store_split_parse(r->o->split, &named)) return r->split = named, true;
  if (r->o->group) {
    struct store_sample *list = NULL;
    int n = 0;
    const struct store_filter filter = {.group = r->o->group, .split = -1, .most = 1};
    if (!store_list(r->p.store, r->c->arena, &filter, &list, &n, &r->c->err)) return false;
    if (n) return r->split = list[0].split, true;
  }
  const double share = ingest_share(r->o->group ? r->o->group : source);
  r->split = share < 0.8 ? STORE_TRAIN : share < 0.9 ? STORE_VALIDATION : STORE_TEST;
  return true;
}

static bool add_piece(struct recording *r, const char *source, int64_t first, int64_t length,
                      const void *data) {
  const size_t each = (size_t)r->request.channels * (r->request.int16 ? 2 : 4);
  int64_t duplicate = 0;
  struct store_sample s = {.label = r->o->label ? r->o->label : UNLABELLED,
                           .group = r->o->group ? r->o->group : "",
                           .source = source,
                           .split = r->split,
                           .type = r->request.int16 ? STORE_INT16 : STORE_FLOAT32,
                           .rate_hz = r->p.config.rate_hz,
                           .channels = r->request.channels,
                           .length = length,
                           .data = (const uint8_t *)data + (size_t)first * each};
  if (!store_add(r->p.store, &s, &duplicate, &r->c->err)) return false;
  r->duplicates += duplicate != 0;
  if (duplicate) return true;
  for (int i = 0; i < r->o->meta.count; i++) {
    const char *equals = strchr(r->o->meta.items[i], '=');
    char key[72];
    snprintf(key, sizeof key, "%.*s", (int)(equals - r->o->meta.items[i]), r->o->meta.items[i]);
    if (!store_set_meta(r->p.store, s.id, key, equals + 1, &r->c->err)) return false;
  }
  s.data = NULL;
  r->samples[r->n_samples++] = s;
  return true;
}

static bool keep(struct recording *r) {
  const void *data = NULL;
  int64_t length = 0;
  if (!settle_rate(r, &data, &length)) return false;
  const char *source = arena_printf(r->c->arena, "recorded %s from %s", r->when, r->from);
  int64_t piece = r->o->cut_s > 0 ? llround(r->o->cut_s * r->p.config.rate_hz) : length;
  if (piece < 1) piece = 1;
  /* Conversion may have made it longer than one sample holds; the last piece may be half as long again. */
  const int64_t fits =
      (int64_t)(STORE_MAX_BLOB_BYTES / ((size_t)r->request.channels * (r->request.int16 ? 2 : 4)));
  if (length > fits && piece > fits / 2) piece = fits / 2;
  /* A last piece of less than half is no sample of its own: it goes with the one before. */
  int64_t pieces = (length + piece / 2) / piece;
  if (pieces < 1) pieces = 1;
  r->samples = ARENA_ARRAY(r->c->arena, struct store_sample, pieces);
  store_change(r->p.store, arena_printf(r->c->arena, "record from %s", r->from));
  if (!choose_split(r, source)) return false;
  /* The recording is in memory only: another program that writes is waited for, a minute at most. */
  for (int i = 0; !store_begin(r->p.store, &r->c->err); i++) {
    if (i == 12) return false;
    memset(&r->c->err, 0, sizeof r->c->err);
  }
  for (int64_t i = 0; i < pieces; i++) {
    const int64_t first = i * piece, left = length - first;
    const char *name =
        pieces > 1 ? arena_printf(r->c->arena, "%s:%" PRId64, source, i + 1) : source;
    if (!add_piece(r, name, first, i == pieces - 1 ? left : piece, data)) {
      store_rollback(r->p.store);
      return false;
    }
  }
  return store_commit(r->p.store, &r->c->err);
}

/* ---- recordings that were cut short ------------------------------------------------------------ */
static const char *write_note(const struct recording *r) {
  const struct record_options *o = r->o;
  struct text text;
  struct json j;
  text_init(&text, r->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_string(&j, "from", r->from);
  json_put_string(&j, "when", r->when);
  if (o->label) json_put_string(&j, "label", o->label);
  if (o->group) json_put_string(&j, "group", o->group);
  if (o->split) json_put_string(&j, "split", o->split);
  json_put_real(&j, "cut_s", o->cut_s);
  json_open_array(&j, "meta");
  for (int i = 0; i < o->meta.count; i++) json_put_string(&j, NULL, o->meta.items[i]);
  json_close_array(&j);
  json_close_object(&j);
  return text.data;
}

static const char *text_or_null(const struct object *o, const char *key) {
  const char *text = object_text(o, key);
  return text[0] ? text : NULL;
}

static bool read_note(struct recording *r, const char *note, struct record_options *o) {
  const struct object *object;
  if (!object_read(r->c->arena, note, strlen(note), &object, &r->c->err)) return false;
  o->label = text_or_null(object, "label");
  o->group = text_or_null(object, "group");
  o->split = text_or_null(object, "split");
  r->from = object_text(object, "from");
  snprintf(r->when, sizeof r->when, "%s", object_text(object, "when"));
  const double cut_s = object_number(object, "cut_s");
  o->cut_s = cut_s > 0 && cut_s < 1e9 ? cut_s : 0;
  const struct object *meta = object_at(object, "meta");
  for (const struct object *m = meta ? meta->first : NULL; m && o->meta.count < 64; m = m->next)
    if (m->kind == OBJECT_TEXT && strchr(m->text, '=')) o->meta.items[o->meta.count++] = m->text;
  return true;
}

static bool keep_left(struct recording *r, const char *path) {
  struct record_left left;
  struct record_options o = {0};
  struct recording old = {.c = r->c, .o = &o, .p = r->p};
  if (!record_left(r->c->arena, path, &left, &r->c->err)) return false;
  if (left.busy) return true;
  if (left.length > 0) {
    if (!read_note(&old, left.note, &o)) return false;
    if (left.channels != r->p.config.channels)
      return err_set(&r->c->err, "it has %d channels, and sensor.channels in mote.yaml says %d",
                     left.channels, r->p.config.channels);
    old.request = (struct record_request){.int16 = left.int16,
                                          .channels = left.channels,
                                          .rate_hz = left.measured ? 0 : left.rate_hz};
    old.result = (struct record_result){.data = left.data,
                                        .length = left.length,
                                        .measured = left.measured,
                                        .rate = {.hz = left.rate_hz}};
    if (!keep(&old)) return false;
  }
  unlink(path);
  int64_t *const all = ARENA_ARRAY(r->c->arena, int64_t, r->n_recovered + old.n_samples);
  for (int i = 0; i < r->n_recovered; i++) all[i] = r->recovered[i];
  for (int i = 0; i < old.n_samples; i++) all[r->n_recovered + i] = old.samples[i].id;
  r->recovered = all;
  r->n_recovered += old.n_samples;
  for (int i = 0; i < old.n_samples && !r->c->json; i++)
    printf("a recording that was cut short is kept: sample %" PRId64 ", %s, %.2f s\n",
           old.samples[i].id, old.samples[i].label,
           (double)old.samples[i].length / old.samples[i].rate_hz);
  return true;
}

static bool is_spool(const char *name) {
  return strncmp(name, "recording-", 10) == 0 && text_ends(name, ".part");
}

/* One that cannot be kept stays where it is: told, and with --recover an error in the end, but no reason not to look at the others, or
 * not to record. */
static bool keep_what_is_left(struct recording *r) {
  struct err first = {0};
  char **names;
  int n;
  if (!dir_list(r->c->arena, r->p.dir, &names, &n, &r->c->err)) return false;
  for (int i = 0; i < n; i++) {
    const char *path = arena_printf(r->c->arena, "%s/%s", r->p.dir, names[i]);
    if (!is_spool(names[i]) || keep_left(r, path)) continue;
    err_file(&r->c->err, path);
    if (!first.text[0]) first = r->c->err;
    if (!r->o->recover)
      fprintf(stderr,
              "mote: %s: a recording that was cut short is not kept: %s (what is none can be "
              "deleted)\n",
              path, r->c->err.text);
    memset(&r->c->err, 0, sizeof r->c->err);
  }
  if (!r->o->recover || !first.text[0]) return true;
  r->c->err = first;
  return false;
}

static void begin_spool(struct recording *r) {
  const time_t now = time(NULL);
  struct tm parts;
  strftime(r->when, sizeof r->when, "%Y-%m-%d %H.%M.%S", localtime_r(&now, &parts));
  r->spool = arena_printf(r->c->arena, "%s/recording-%lld-%d.part", r->p.dir, (long long)now,
                          (int)getpid());
  r->request.spool = r->spool;
  r->request.note = write_note(r);
}

/* Committed, or left where `--recover` finds it. */
static bool keep_and_clear(struct recording *r) {
  const bool kept = keep(r);
  if (kept) unlink(r->spool);
  if (r->result.spool_lock >= 0) close(r->result.spool_lock);
  if (kept) return true;
  const char *why = arena_strdup(r->c->arena, r->c->err.text);
  if (r->result.spool_error)
    return err_set(&r->c->err,
                   "%s; %s of %s frames are in %s (%s), and `mote record --recover` keeps those",
                   why, text_thousands(r->result.spooled), text_thousands(r->result.length),
                   r->spool, strerror(r->result.spool_error));
  return err_set(&r->c->err, "%s; what came is in %s, and `mote record --recover` keeps it", why,
                 r->spool);
}

/* After it is safe: what is it? Ctrl-C, the end of input and an empty answer leave it unlabelled. */
static bool ask_label(struct recording *r) {
  char answer[256];
  stopped = 0;
  fprintf(stderr, "label (Enter leaves it \"" UNLABELLED "\"): ");
  if (!fgets(answer, sizeof answer, stdin) || stopped) return true;
  answer[strcspn(answer, "\r\n")] = 0;
  const char *label = answer + strspn(answer, " \t");
  if (!label[0]) return true;
  for (int i = 0; i < r->n_samples; i++) {
    if (!store_relabel(r->p.store, r->samples[i].id, label, -1, NULL, &r->c->err)) return false;
    r->samples[i].label = arena_strdup(r->c->arena, label);
  }
  return true;
}

/* ---- telling --------------------------------------------------------------------------------------- */
static void print_rate(const struct recording *r) {
  const struct record_result *out = &r->result;
  const double project_hz = r->p.config.rate_hz;
  if (strcmp(r->rate_why, "assumed") == 0)
    printf("the rate could not be measured (%.2f s of lines): taken for the project's %g Hz; "
           "--rate states "
           "it\n",
           out->seconds > 0 ? out->seconds : 0, project_hz);
  if (out->measured)
    printf("measured %.3f Hz (± %.3f) over %.1f s%s\n", out->rate.hz, out->rate.error_hz,
           out->rate.seconds,
           r->request.rate_hz > 0 ? ""
           : r->converted         ? ", converted to the project's rate"
                                  : ": the project's rate");
  if (out->measured && r->request.rate_hz > 0 &&
      fabs(out->rate.hz - r->request.rate_hz) > 0.02 * r->request.rate_hz)
    printf("--rate says %g Hz, and the lines came at %.1f Hz: which is right?\n",
           r->request.rate_hz, out->rate.hz);
  if (out->rate.gaps)
    printf("%d gap%s: %.1f s of lines never came\n", out->rate.gaps, out->rate.gaps == 1 ? "" : "s",
           out->rate.missing_s);
}

static void print_text(const struct recording *r) {
  const struct record_result *out = &r->result;
  const double seconds = (double)out->length / r->rate_hz;
  for (int i = 0; i < r->n_samples && i < 10; i++)
    printf("sample %" PRId64 ": %s, %.2f s, %s\n", r->samples[i].id, r->samples[i].label,
           (double)r->samples[i].length / r->samples[i].rate_hz, store_split_name(r->split));
  if (r->n_samples > 10) printf("and %d more\n", r->n_samples - 10);
  printf("recorded %s frames, %.2f s at %.6g Hz\n", text_thousands(out->length), seconds,
         r->rate_hz);
  print_rate(r);
  if (r->duplicates) printf("%d were there already\n", r->duplicates);
  if (out->broken)
    printf("%s broken line%s left out\n", text_thousands(out->broken),
           out->broken == 1 ? " was" : "s were");
  if (out->wrong_count)
    printf("%s line%s left out: another number of columns than %d (the last had %d)\n",
           text_thousands(out->wrong_count), out->wrong_count == 1 ? " was" : "s were",
           r->request.channels, out->most_wrong);
  if (out->overruns)
    printf("%s times the sound card lost frames: this machine was too busy\n",
           text_thousands(out->overruns));
  if (out->limited) printf("%s numbers beyond int16 were limited\n", text_thousands(out->limited));
  if (out->ended == RECORD_END_FULL) printf("it ended there: a recording holds at most 64 MiB\n");
}

static void print_recovered(const struct recording *r, struct json *j) {
  json_open_array(j, "recovered");
  for (int i = 0; i < r->n_recovered; i++) json_put_int(j, NULL, r->recovered[i]);
  json_close_array(j);
}

/* --recover alone. */
static void print_recovered_json(const struct recording *r) {
  struct text text;
  struct json j;
  text_init(&text, r->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  print_recovered(r, &j);
  json_close_object(&j);
  fputs(text.data, stdout);
}

static void print_json(const struct recording *r) {
  static const char *const ends[] = {"length", "stop", "input", "full"};
  const struct record_result *out = &r->result;
  struct text text;
  struct json j;
  text_init(&text, r->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_string(&j, "from", r->from);
  json_put_int(&j, "frames", out->length);
  json_put_real(&j, "rate_hz", r->rate_hz);
  json_put_string(&j, "rate", r->rate_why);
  if (out->measured) {
    json_put_real(&j, "rate_measured_hz", out->rate.hz);
    json_put_real(&j, "rate_error_hz", out->rate.error_hz);
  } else {
    json_put_null(&j, "rate_measured_hz");
    json_put_null(&j, "rate_error_hz");
  }
  json_put_bool(&j, "converted", r->converted);
  json_put_int(&j, "gaps", out->rate.gaps);
  json_put_real(&j, "missing_s", out->rate.missing_s);
  json_put_int(&j, "broken", out->broken);
  json_put_int(&j, "wrong_count", out->wrong_count);
  json_put_int(&j, "overruns", out->overruns);
  json_put_int(&j, "limited", out->limited);
  json_put_int(&j, "duplicates", r->duplicates);
  json_put_string(&j, "ended", ends[out->ended]);
  print_recovered(r, &j);
  json_open_array(&j, "samples");
  for (int i = 0; i < r->n_samples; i++) {
    json_open_object(&j, NULL);
    json_put_int(&j, "id", r->samples[i].id);
    json_put_string(&j, "label", r->samples[i].label);
    json_put_string(&j, "split", store_split_name(r->split));
    json_put_int(&j, "length", r->samples[i].length);
    json_put_real(&j, "seconds", (double)r->samples[i].length / r->samples[i].rate_hz);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
}

static bool run(struct recording *r) {
  struct command_line *c = r->c;
  if (!project_open(c->arena, r->o->dir, STORE_WRITE, &r->p, &c->err)) return false;
  if (!keep_what_is_left(r)) return false;
  if (r->o->recover) return true;
  if (!make_request(r)) return false;
  begin_spool(r);
  watch_signals();
  const bool ok = record_run(c->arena, &r->request, &r->result, &c->err);
  if (r->metered) fputc('\n', stderr);
  if (!ok || !keep_and_clear(r)) return false;
  return r->o->label || r->n_samples == 0 || ask_label(r);
}

/* ---- command ------------------------------------------------------------------------------------------ */
static bool options_fit(struct command_line *c, const struct record_options *o, int *code) {
  enum store_split split;
  const int sources = (o->serial != NULL) + (o->udp != 0) + o->input + o->microphone;
  *code = EXIT_OK;
  const bool more = o->label || o->group || o->split || o->columns || o->cut_s > 0 ||
                    o->seconds > 0 || o->rate_hz > 0 || o->meta.count || o->raw;
  if (o->recover && sources == 0 && !more) return true;
  if (o->recover)
    *code = command_usage(
        c, "--recover goes without a source and without options: a recording has its own");
  else if (sources != 1)
    *code = command_usage(
        c, sources ? "one source at a time: --serial, --udp, --stdin or --microphone"
                   : "where from? --serial PORT, --udp PORT, --stdin or --microphone");
  else if (o->split && !store_split_parse(o->split, &split))
    *code = command_usage(c, "no split '%s'; train, validation and test are", o->split);
  else if (!o->label && (c->json || o->input || !isatty(STDIN_FILENO)))
    *code = command_usage(c, "--label says what it is; nobody can be asked here afterwards");
  else if (o->label && !o->label[0])
    *code = command_usage(c, "--label is empty");
  else if (o->udp > 65535)
    *code = command_usage(c, "--udp %d: ports are 1 to 65535", (int)o->udp);
  else if (o->raw && !o->input && !o->udp)
    *code = command_usage(c, "--raw goes with --stdin and --udp");
  else if (!(o->seconds >= 0) || !(o->rate_hz >= 0) || !(o->cut_s >= 0) || !(o->wait_s >= 0) ||
           !isfinite(o->rate_hz + o->seconds + o->cut_s + o->wait_s))
    *code = command_usage(c, "--seconds, --rate, --cut and --wait are numbers above 0");
  for (int i = 0; i < o->meta.count && *code == EXIT_OK; i++) {
    const char *equals = strchr(o->meta.items[i], '=');
    const size_t plain =
        strspn(o->meta.items[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_.-");
    if (!equals || equals == o->meta.items[i] || equals - o->meta.items[i] > 63)
      *code = command_usage(c, "--meta '%s': it wants KEY=VALUE", o->meta.items[i]);
    else if (o->meta.items[i] + plain != equals)
      *code = command_usage(c, "--meta '%s': a key has letters, digits and _ . - only",
                            o->meta.items[i]);
  }
  /* What the store would refuse is refused now, not when the recording is made. */
  for (const char *l = o->label; l && *l && *code == EXIT_OK; l++)
    if ((unsigned char)*l < 32 || *l == 127)
      *code = command_usage(c, "--label cannot hold control characters");
  return *code == EXIT_OK;
}

int cmd_record(int argc, char **argv) {
  struct record_options o = {.device = "default", .baud = 115200, .wait_s = 10};
  const struct option_spec options[] = {
      {0, "serial", OPTION_TEXT, "PORT", "lines of numbers from a board (/dev/ttyACM0)", &o.serial},
      {0, "baud", OPTION_COUNT, "N", "of the serial port (default: 115200)", &o.baud},
      {0, "microphone", OPTION_FLAG, NULL, "sound from this machine (ALSA, PulseAudio, PipeWire)",
       &o.microphone},
      {0, "device", OPTION_TEXT, "NAME", "which microphone (default: default)", &o.device},
      {0, "udp", OPTION_COUNT, "PORT", "lines of numbers sent to 127.0.0.1", &o.udp},
      {0, "stdin", OPTION_FLAG, NULL, "lines of numbers from another program", &o.input},
      {0, "raw", OPTION_FLAG, NULL, "with --stdin and --udp: little-endian int16 instead of lines",
       &o.raw},
      {'l', "label", OPTION_TEXT, "LABEL", "what it is (else asked for afterwards)", &o.label},
      {'g', "group", OPTION_TEXT, "GROUP", "who or what is recorded (speaker, machine)", &o.group},
      {'m', "meta", OPTION_LIST, "KEY=VALUE", "metadata (repeatable)", &o.meta},
      {0, "split", OPTION_TEXT, "SPLIT",
       "train, validation or test (default: by group, else 80/10/10)", &o.split},
      {0, "seconds", OPTION_REAL, "S", "how long (default: until Ctrl-C or the end)", &o.seconds},
      {0, "rate", OPTION_REAL, "HZ", "of the numbers (default: measured)", &o.rate_hz},
      {0, "cut", OPTION_REAL, "S", "a sample for each S seconds (default: one)", &o.cut_s},
      {0, "columns", OPTION_TEXT, "LIST", "which numbers of a line are the channels: 2,3,4",
       &o.columns},
      {0, "wait", OPTION_REAL, "S", "for the first numbers (default: 10; 0: for ever)", &o.wait_s},
      {0, "recover", OPTION_FLAG, NULL, "only keep recordings that a crash cut short", &o.recover},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &o.dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote record --serial PORT | --microphone | --udp PORT | --stdin  [--label L] "
               "[--seconds S]",
      .about = "Records into the project. Lines hold one number for each channel, with commas, "
               "tabs or spaces\n"
               "between; their rate is measured over the whole recording. Ctrl-C ends it and keeps "
               "what came;\n"
               "what a crash cuts short is kept by the next `mote record`.",
      .options = options,
      .examples = "  mote record --serial /dev/ttyACM0 --label shake --seconds 30\n"
                  "  mote record --microphone --label yes --group anna --seconds 20 --cut 1\n"
                  "  sensor-program | mote record --stdin --label idle",
      .most = 0};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  if (!options_fit(&c, &o, &code)) return code;
  struct recording r = {.c = &c, .o = &o};
  bool ok = run(&r);
  if (ok && o.recover) {
    if (c.json) print_recovered_json(&r);
    if (!c.json && !r.n_recovered) printf("no recording was cut short\n");
  } else if (ok && c.json) {
    print_json(&r);
  } else if (ok) {
    print_text(&r);
  }
  project_close(&r.p);
  return command_end(&c, ok);
}
