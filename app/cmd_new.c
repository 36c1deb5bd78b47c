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
    {"noise", "audio", "sound that passes with its noise turned down", "16000", "1",
     "int16 full scale", "[]", "2000", "2000", "slide", "[]"},
    {"image", "image", "pictures of a camera, one decision a picture", "1", "1", "", "[]", "1000",
     "1000", "slide", "[]"},
    {"count", "image", "things counted in pictures, learnt from boxes about them", "1", "1", "",
     "[]", "1000", "1000", "slide", "[]"},
};

/* Pictures have neither rate, range nor windows. */
static const char image_yaml_text[] =
    "# Mote project: %s.\n"
    "# Every line but the camera's may be left out; what stands behind # is a comment. `mote "
    "train` says "
    "what it chose.\n"
    "\n"
    "name: %s\n"
    "\n"
    "sensor:               # what the camera hands over; pictures of another size are brought to "
    "this\n"
    "  kind: image\n"
    "  width: %lld           # pixels\n"
    "  height: %lld\n"
    "  format: %s        # grey, rgb, rgb565 or rgb565-swapped (most significant byte first)\n"
    "\n"
    "features:\n"
    "  kind: image\n"
    "  #width: %lld          # what the network sees, where it is less than the frame\n"
    "  #height: %lld\n"
    "  #colour: true       # false: colours become grey on the device\n"
    "  resize: %s        # squash: each side by itself; crop: the middle; fit: all of it, black "
    "beside it\n"
    "  #normalise: none    # level: the picture's mean is taken off\n"
    "\n"
    "%s"
    "training: {}          # epochs, batch, learning_rate, patience, seed, mixup ... "
    "(docs/spec/cli.md)\n"
    "\n"
    "augmentation:         # each the most that is drawn, anew each time a picture is seen\n"
    "  flip: %s          # none, across, down, both: only where a mirrored thing keeps its name\n"
    "  #shift: %g        # of its sides\n"
    "  #rotate_deg: %g\n"
    "  #zoom: %g          # times 1 - zoom to 1 + zoom\n"
    "  #brightness: %g   # of the whole range\n"
    "  #contrast: %g\n"
    "  #cutout: %g       # the side of a square that is covered\n"
    "\n"
    "data:\n"
    "  unknown: []         # labels that together make the class `unknown`\n"
    "  ignore: []          # labels left out\n"
    "\n"
    "board: %s\n";

static const char classes_text[] =
    "network: auto         # autoencoder: what is normal; or your own layers, one a line:\n"
    "# network: |\n"
    "#   conv 16 3x3 s2\n"
    "#   dsconv 32 3x3\n"
    "#   mean\n"
    "\n";

static const char objects_text[] =
    "objects:              # each picture has boxes; the network answers a map of cells\n"
    "  weight: 20          # what a cell with a thing in it counts while learning, against one "
    "without\n"
    "  threshold: 0        # the score from which a cell has one; 0: what does best in training\n"
    "\n"
    "network: auto         # fomo as wide as the board allows (cells of 8 x 8 pixels), or your own "
    "layers:\n"
    "# network: |\n"
    "#   conv 16 3x3 s2\n"
    "#   dsconv 32 3x3 s2\n"
    "#   dsconv 32 3x3\n"
    "\n";

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
    "                      # slide: a window every stride_ms; stream: of sound, for a hot word\n"
    "\n"
    "features:\n"
    "  kind: auto          # logmel, mfcc, spectrum, statistics, raw, pitch ...; auto = %s\n"
    "  #frame_ms: %g       # to change one of these, take its # away\n"
    "  #hop_ms: %g\n"
    "  #bands: %d\n"
    "  #normalise: %s       # none, level or mean; more keys: docs/spec/cli.md\n"
    "\n"
    "network: auto         # autoencoder: what is normal; or your own layers, one a line:\n"
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

/* Sound in, sound out: no classes. */
static const char noise_yaml_text[] =
    "# Mote project: %s.\n"
    "# Samples are sound that stays (speech) and noise; `mote train` mixes them. What stands "
    "behind "
    "# is a comment.\n"
    "\n"
    "name: %s\n"
    "\n"
    "sensor:\n"
    "  kind: audio\n"
    "  rate_hz: %s     # recordings with another rate are converted when they are added\n"
    "\n"
    "suppress:\n"
    "  noise: [noise]      # labels of recordings of noise; all others are what should be heard\n"
    "  snr_db_min: -5      # training mixes them at ratios from this\n"
    "  snr_db_max: 20      # to this\n"
    "  most_db: 20         # a band is turned down by so much at most\n"
    "\n"
    "window:\n"
    "  length_ms: %s     # of a mixture: more than the network looks back\n"
    "\n"
    "features:             # what the network sees; it answers a gain for each band\n"
    "  kind: logmel\n"
    "  frame_ms: 32        # two hops\n"
    "  hop_ms: 16          # so late comes the sound\n"
    "  fft_size: %d\n"
    "  bands: 32\n"
    "  normalise: none\n"
    "  range_db: 0\n"
    "\n"
    "network: auto         # the preset mask; or your own layers, causal, one a line:\n"
    "# network: |\n"
    "#   sequence\n"
    "#   conv1d 48 3 causal\n"
    "#   conv1d 48 3 causal\n"
    "#   head mask 32\n"
    "\n"
    "training: {}          # epochs, batch, learning_rate, patience, seed ... (docs/spec/cli.md)\n"
    "\n"
    "data:\n"
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

/* What the command line says of a camera. */
struct camera {
  int64_t width, height;
  const char *format, *resize;
};

static const char *render_image(struct arena *a, const struct template *t, const char *name,
                                const char *board, const struct camera *camera) {
  const struct train_augment g = train_augment_default(TRAIN_INPUT_IMAGE);
  const bool counts = strcmp(t->name, "count") == 0;
  struct text text;
  text_init(&text, a);
  text_printf(&text, image_yaml_text, t->about, name, (long long)camera->width,
              (long long)camera->height, camera->format, (long long)camera->width,
              (long long)camera->height, camera->resize, counts ? objects_text : classes_text,
              counts ? "across" : "none", (double)g.shift, (double)g.rotate_deg, (double)g.zoom,
              (double)g.brightness, (double)g.contrast, counts ? 0 : (double)g.cutout, board);
  return align_comments(a, text.data);
}

static const char *render_noise(struct arena *a, const struct template *t, const char *name,
                                const char *board, double rate_hz) {
  struct text text;
  char rate[32];
  int fft = 16;
  snprintf(rate, sizeof rate, "%.9g", rate_hz);
  while (fft < rate_hz * 0.032 && fft < 2048) fft *= 2;
  text_init(&text, a);
  text_printf(&text, noise_yaml_text, t->about, name, rate, t->length_ms, fft, board);
  return align_comments(a, text.data);
}

static bool check_camera(const struct template *t, struct camera *camera, bool rate,
                         struct err *e) {
  int format;
  enum features_resize resize;
  if (strcmp(t->kind, "image") != 0) {
    if (!camera->width && !camera->height && !camera->format && !camera->resize) return true;
    return err_set(e,
                   "--width, --height, --format and --resize are for --template image and count");
  }
  if (rate) return err_set(e, "pictures have no --rate-hz, --channels or --length-ms");
  if (!camera->width) camera->width = camera->height ? camera->height : 96;
  if (!camera->height) camera->height = camera->width;
  if (camera->width > 1024 || camera->height > 1024)
    return err_set(e, "frames of %lld x %lld pixels; up to 1,024 each work",
                   (long long)camera->width, (long long)camera->height);
  if (!camera->format) camera->format = "grey";
  if (!camera->resize) camera->resize = "squash";
  if (!features_format_from(camera->format, &format) || format == MOTE_IMAGE_NUMBERS)
    return err_set(e, "--format \"%s\" is not known; grey, rgb, rgb565 and rgb565-swapped are",
                   camera->format);
  if (!project_check_frame(format, (int)camera->width, (int)camera->height, e)) return false;
  return features_resize_from(camera->resize, &resize) ||
         err_set(e, "--resize \"%s\" is not known; squash, crop and fit are", camera->resize);
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
                 const char *board, double rate_hz, const struct camera *camera) {
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
  const char *name = project_name(c->arena, dir);
  const char *text = camera->width ? render_image(c->arena, t, name, board, camera)
                     : strcmp(t->name, "noise") == 0
                         ? render_noise(c->arena, t, name, board, rate_hz)
                         : render(c->arena, t, name, board, rate_hz);
  return file_write(yaml, text, strlen(text), e);
}

int cmd_new(int argc, char **argv) {
  const char *name = NULL, *board = "wio-terminal";
  double rate_hz = NAN, length_ms = NAN;
  int64_t channels = 0;
  struct camera camera = {0};
  const struct option_spec options[] = {
      {'t', "template", OPTION_TEXT, "KIND",
       "keyword, motion, vibration, sensor, noise, image or count", &name},
      {'b', "board", OPTION_TEXT, "NAME", "the board it is for (wio-terminal); \"\" for none",
       &board},
      {'r', "rate-hz", OPTION_REAL, "N", "the sensor's rate (default: the template's)", &rate_hz},
      {'c', "channels", OPTION_COUNT, "N", "values at each moment (default: the template's)",
       &channels},
      {0, "length-ms", OPTION_REAL, "N", "what one decision sees (default: the template's)",
       &length_ms},
      {0, "width", OPTION_COUNT, "N", "image, count: pixels of the camera's frame (96)",
       &camera.width},
      {0, "height", OPTION_COUNT, "N", "image, count: the same downwards (the width)",
       &camera.height},
      {0, "format", OPTION_TEXT, "F", "image, count: grey, rgb, rgb565 or rgb565-swapped (grey)",
       &camera.format},
      {0, "resize", OPTION_TEXT, "R", "image, count: squash, crop or fit to the frame (squash)",
       &camera.resize},
      {0}};
  const struct command_spec spec = {
      .usage = "mote new FOLDER --template keyword|motion|vibration|sensor|noise|image|count "
               "[--board NAME]",
      .about = "Starts a project: FOLDER gets a commented mote.yaml and an empty project.db. `.` "
               "is this folder.",
      .options = options,
      .examples =
          "  mote new wake --template keyword\n  mote new pump --template vibration --board xiao\n"
          "  mote new digits --template image --width 28 --board xiao",
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
  const bool timed = !isnan(rate_hz) || !isnan(length_ms) || channels;
  if (isnan(rate_hz)) rate_hz = strtod(t->rate_hz, NULL);
  bool ok = check_camera(t, &camera, timed, &c.err) &&
            change(c.arena, &own, channels, length_ms, rate_hz, &c.err) &&
            make(&c, c.words[0], &own, board, rate_hz, &camera);
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
