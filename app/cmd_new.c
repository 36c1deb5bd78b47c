/* mote new: a folder with a commented mote.yaml and an empty project.db. */
#include "app/project.h"
#include "host/emulate/emulate.h"

#include <math.h>
#include <stdlib.h>

#include <string.h>
#include <unistd.h>

/* What the templates differ in. The text of the file is the same for all. */
struct template {
  const char *name, *kind, *about;
  const char *rate_hz, *channels, *unit, *range, *length_ms, *stride_ms, *place;
  const char *background;
};

static const struct template templates[] = {
    {"keyword", "audio", "spoken words, one decision a second", "16000", "1", "int16 full scale",
     "[]", "1000", "250", "event", "[background]"},
    {"motion", "motion", "gestures and activities from an accelerometer", "100", "3", "g", "[4]",
     "2000", "500", "slide", "[]"},
    {"vibration", "vibration", "the state of a machine from its vibration", "200", "3", "g", "[4]",
     "1000", "500", "slide", "[]"},
    {"sensor", "sensor", "slow sensors: temperature, gas, light", "1", "4", "", "[]", "30000",
     "10000", "slide", "[]"},
};

static const char yaml_text[] =
    "# Mote project: %s.\n"
    "# Every line may be left out; what stands behind # is a comment. `mote train` says what it "
    "chose.\n"
    "\n"
    "name: %s\n"
    "\n"
    "sensor:\n"
    "  kind: %s        # audio, motion, vibration or sensor\n"
    "  rate_hz: %s     # recordings with another rate are converted when they are added\n"
    "  channels: %s        # values at each moment: 1 for a microphone, 3 for an accelerometer\n"
    "  unit: %s\n"
    "  range: %s       # the value that fills 16 bits: one number, one for each channel, or [] = "
    "the\n"
    "                      # largest value seen in training; audio has none\n"
    "\n"
    "window:               # what one decision sees\n"
    "  length_ms: %s\n"
    "  stride_ms: %s    # from one decision to the next\n"
    "  place: %s      # event: one window around the loudest piece of a recording\n"
    "                      # slide: a window every stride_ms\n"
    "\n"
    "features:\n"
    "  kind: auto          # logmel, mfcc, spectrum, statistics, raw; auto = %s\n"
    "  #frame_ms: %g       # to change one of these, take its # away\n"
    "  #hop_ms: %g\n"
    "  #bands: %d\n"
    "  #normalise: %s       # none, level or mean; more keys: docs/spec/cli.md\n"
    "\n"
    "network: auto         # or your own layers, one a line:\n"
    "# network: |\n"
    "#   conv 16 3x3 s2\n"
    "#   dsconv 32 3x3\n"
    "#   mean\n"
    "\n"
    "training: {}          # epochs, batch, learning_rate, patience, seed, mixup, time_masks ... "
    "(docs/spec/cli.md)\n"
    "\n"
    "augmentation: {}      # shift_ms, gain_db, time_stretch, background_chance ... each "
    "the most drawn\n"
    "\n"
    "data:\n"
    "  background: %s      # labels that are also mixed under the others while training\n"
    "  unknown: []         # labels that together make the class `unknown`\n"
    "  ignore: []          # labels left out\n"
    "\n"
    "board: %s\n";

#define COMMENT_COLUMN ((size_t)26)

static const struct template *find_template(const char *name) {
  for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++)
    if (strcmp(templates[i].name, name) == 0) return &templates[i];
  return NULL;
}

/* A name that is a C identifier can stand in the firmware: others are changed where they cannot. */
static const char *project_name(struct arena *a, const char *dir) {
  char cwd[4096];
  if (strcmp(dir, ".") == 0) {
    if (!getcwd(cwd, sizeof cwd)) return "model";
    dir = cwd;
  }
  const char *slash = strrchr(dir, '/');
  char *name = arena_strdup(a, slash ? slash + 1 : dir);
  for (char *p = name; *p; p++)
    if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9')))
      *p = '_';
  if (!name[0] || (name[0] >= '0' && name[0] <= '9')) return arena_printf(a, "p%s", name);
  return name;
}

/* Puts the comments behind values into one column. */
static const char *align_comments(struct arena *a, const char *yaml) {
  struct text out;
  text_init(&out, a);
  while (*yaml) {
    size_t n = strcspn(yaml, "\n");
    const char *mark = memmem(yaml, n, " # ", 3);
    size_t value = mark ? (size_t)(mark - yaml) : n;
    while (value && yaml[value - 1] == ' ') value--;
    text_addn(&out, yaml, mark && value ? value : n);
    if (mark && value) {
      text_printf(&out, "%*s", value < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - value) : 1, "");
      text_addn(&out, mark + 1, n - (size_t)(mark + 1 - yaml));
    } else if (mark) {
      out.size -= n;
      out.data[out.size] = 0;
      text_printf(&out, "%*s", (int)COMMENT_COLUMN, "");
      text_addn(&out, mark + 1, n - (size_t)(mark + 1 - yaml));
    }
    yaml += n;
    if (*yaml == '\n') text_addn(&out, yaml++, 1);
  }
  return out.data;
}

static const char *render(struct arena *a, const struct template *t, const char *name,
                          const char *board, double rate_hz) {
  struct text text;
  struct features_config f;
  enum features_kind kind = project_automatic_features(t->kind);
  char unit[64], rate[32];
  snprintf(rate, sizeof rate, "%.9g", rate_hz);
  features_defaults(kind, rate_hz, (int)strtol(t->channels, NULL, 10), strtod(t->length_ms, NULL),
                    &f, NULL);
  snprintf(unit, sizeof unit, t->unit[0] ? "%s" : "\"\"%s", t->unit);
  text_init(&text, a);
  text_printf(&text, yaml_text, t->about, name, t->kind, rate, t->channels, unit, t->range,
              t->length_ms, t->stride_ms, t->place, features_kind_name(kind), f.frame_ms, f.hop_ms,
              f.bands, features_normalise_name(f.normalise), t->background, board);
  return align_comments(a, text.data);
}

/* The template with what the command line changes; windows half over each other where their length is given. */
static bool change(struct arena *a, struct template *t, int64_t channels, double length_ms,
                   double rate_hz, struct err *e) {
  if (channels > FEATURES_MAX_CHANNELS)
    return err_set(e, "--channels %lld; 1 to %d work", (long long)channels, FEATURES_MAX_CHANNELS);
  if (channels && strcmp(t->kind, "audio") == 0 && channels != 1)
    return err_set(e, "--channels %lld; audio is mixed down to 1 channel", (long long)channels);
  if (channels) t->channels = arena_printf(a, "%lld", (long long)channels);
  if (isnan(length_ms)) return true;
  if (!(length_ms > 0 && length_ms <= 1e12))
    return err_set(e, "--length-ms %g; above 0 works", length_ms);
  t->length_ms = arena_printf(a, "%.9g", length_ms);
  /* At least a sample. */
  t->stride_ms = arena_printf(a, "%.9g", length_ms * rate_hz >= 2000 ? length_ms / 2 : length_ms);
  return true;
}

static bool make(struct command_line *c, const char *dir, const struct template *t,
                 const char *board, double rate_hz) {
  struct err *e = &c->err;
  const struct emulate_board *known;
  struct store *st = NULL;
  const char *yaml = arena_printf(c->arena, "%s/" PROJECT_FILE, dir);
  const char *db = arena_printf(c->arena, "%s/" PROJECT_DATABASE, dir);
  if (!(rate_hz > 0 && rate_hz <= 1e6))
    return err_set(e, "--rate-hz %g; above 0 and up to 1,000,000 works", rate_hz);
  if (board[0] && !emulate_find_board(c->arena, board, &known, e)) return false;
  for (int i = 0; i < 2; i++) {
    const char *path = i ? db : yaml;
    if (!file_exists(path)) continue;
    err_file(e, path);
    return err_set(e, "there is a project here already; name another folder, or delete this file");
  }
  if (!dir_make(dir, e) || !store_open(c->arena, db, STORE_CREATE, &st, e)) return false;
  store_close(st);
  const char *text = render(c->arena, t, project_name(c->arena, dir), board, rate_hz);
  return file_write(yaml, text, strlen(text), e);
}

int cmd_new(int argc, char **argv) {
  const char *name = NULL, *board = "wio-terminal";
  double rate_hz = NAN, length_ms = NAN;
  int64_t channels = 0;
  const struct option_spec options[] = {
      {'t', "template", OPTION_TEXT, "KIND", "keyword, motion, vibration or sensor", &name},
      {'b', "board", OPTION_TEXT, "NAME", "the board it is for (wio-terminal); \"\" for none",
       &board},
      {'r', "rate-hz", OPTION_REAL, "N", "the sensor's rate (default: the template's)", &rate_hz},
      {'c', "channels", OPTION_COUNT, "N", "values at each moment (default: the template's)",
       &channels},
      {0, "length-ms", OPTION_REAL, "N", "what one decision sees (default: the template's)",
       &length_ms},
      {0}};
  const struct command_spec spec = {
      .usage = "mote new FOLDER --template keyword|motion|vibration|sensor [--board NAME]",
      .about = "Starts a project: FOLDER gets a commented mote.yaml and an empty project.db. `.` "
               "is this folder.",
      .options = options,
      .examples =
          "  mote new wake --template keyword\n  mote new pump --template vibration --board xiao",
      .least = 1,
      .most = 1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  const struct template *t = find_template(name ? name : "");
  if (!t) {
    struct text known;
    text_init(&known, c.arena);
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++)
      text_printf(&known, "\n  %-10s %s", templates[i].name, templates[i].about);
    return command_usage(&c, "%s%s; --template is one of:%s",
                         name ? "no template " : "which template?", name ? name : "", known.data);
  }
  struct template own = *t;
  if (isnan(rate_hz)) rate_hz = strtod(t->rate_hz, NULL);
  bool ok = change(c.arena, &own, channels, length_ms, rate_hz, &c.err) &&
            make(&c, c.words[0], &own, board, rate_hz);
  if (ok && c.json) {
    struct text text;
    struct json j;
    text_init(&text, c.arena);
    json_start(&j, &text);
    json_open_object(&j, NULL);
    json_put_string(&j, "folder", c.words[0]);
    json_put_string(&j, "template", t->name);
    json_put_string(&j, "board", board[0] ? board : NULL);
    json_close_object(&j);
    fputs(text.data, stdout);
  } else if (ok && !c.quiet) {
    printf("%s/mote.yaml  describes the project: read it, change what you like\n"
           "%s/project.db holds what you add and train\n\n"
           "next:  cd %s && mote add FOLDER-OF-RECORDINGS\n",
           c.words[0], c.words[0], c.words[0]);
  }
  return command_end(&c, ok);
}
