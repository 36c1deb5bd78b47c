/* sensor: see the header. */
#include "app/sensor.h"
#include "app/dataset.h"

#include <string.h>

static void emit_counts(const struct project_config *c, const double *range, struct text *out) {
  text_printf(out,
              "#define SENSOR_CHANNELS %d\n\n"
              "/* The value that is 32,767 counts%s */\n"
              "static const float sensor_range[SENSOR_CHANNELS] = {",
              c->channels, c->log ? ", behind the logarithm where a channel has one." : ".");
  for (int k = 0; k < c->channels; k++) {
    char number[32];
    snprintf(number, sizeof number, "%.9g", (double)(float)range[k]);
    text_printf(out, "%s%s%sf",
                k == 0  ? "\n    "
                : k % 6 ? ", "
                        : ",\n    ",
                number, strpbrk(number, ".e") ? "" : ".0"); /* 8f is no number of C */
  }
  text_add(out, "};\n");
  if (c->log) {
    text_add(out, "static const unsigned char sensor_log[SENSOR_CHANNELS] = {");
    for (int k = 0; k < c->channels; k++)
      text_printf(out, "%s%d", k == 0 ? "\n    " : k % 24 ? ", " : ",\n    ", c->log[k]);
    text_add(out, "};\n");
  }
  text_printf(out,
              "\n/* A value in its own unit -> a count. */\n"
              "static inline int16_t sensor_count(float value, unsigned channel) {\n"
              "%s"
              "  const float x = value / sensor_range[channel] * 32767.0f;\n"
              "  return (int16_t)mote_real_round(mote_real_clamp(x, -32768.0f, 32767.0f));\n"
              "}\n",
              c->log ? "  if (sensor_log[channel]) value = mote_calibrate_log(value);\n" : "");
}

/* Which channels are calibrated, where not all are. */
static void add_channels(const struct project_calibrate *c, struct text *out) {
  if (!c->n_channels) return;
  text_add(out, " * Of these channels alone (from 1; the others stay as they are):");
  for (int i = 0; i < c->n_channels; i++) text_printf(out, " %d", c->channels[i]);
  text_add(out, ".\n");
}

static void add_frames(const struct project_config *c, struct text *out) {
  text_add(out, ".\n");
  add_channels(&c->calibrate, out);
  text_printf(
      out, " *\n"
           " *   static struct mote_calibrate_sum sums[SENSOR_CHANNELS];\n"
           " *   static struct mote_features_column map[SENSOR_CHANNELS];       keep it: it is all "
           "that is learned\n"
           " *   mote_calibrate_begin(sums, SENSOR_CHANNELS);\n"
           " *   mote_calibrate_add(sums, SENSOR_CHANNELS, frames, n);          for the first "
           "minutes, as they come\n"
           " *   sensor_calibrate_end(sums, map);\n"
           " *   mote_calibrate_apply(map, SENSOR_CHANNELS, window, n, window); every window, "
           "before the model\n");
}

/* A moment of a window is to mote_calibrate what a channel is else. */
static void add_moments(const struct project_config *c, struct text *out) {
  text_add(out,
           ", each moment of a window from\n * the mean of that moment over the windows of its "
           "events: from what it usually looks like.\n");
  add_channels(&c->calibrate, out);
  text_printf(
      out,
      " *\n"
      " *   static struct mote_calibrate_sum sums[SENSOR_MOMENTS];\n"
      " *   static struct mote_features_column map[SENSOR_MOMENTS];     keep it: it is all that is "
      "learned\n"
      " *   mote_calibrate_begin(sums, SENSOR_MOMENTS);\n"
      " *   mote_calibrate_add(sums, SENSOR_MOMENTS, window, 1);        of the first events, as "
      "they "
      "come\n"
      " *   sensor_calibrate_end(sums, map);\n"
      " *   mote_calibrate_apply(map, SENSOR_MOMENTS, window, 1, window); every window, before the "
      "model\n");
}

/* The features' own header has what learns and applies it. */
static void add_columns(struct text *out) {
  text_add(out, ",\n * each value of the features from its own mean: features_calibrate of the "
                "features' header, behind features_run.\n");
}

/* sensor_calibrate_end: the map as the host makes it, where channels that are not calibrated stay as they are. */
static void emit_calibrate(const struct project_config *c, struct text *out) {
  const struct project_calibrate *k = &c->calibrate;
  const char *const width = k->moments ? "SENSOR_MOMENTS" : "SENSOR_CHANNELS";
  if (k->moments)
    text_printf(out, "\n/* Numbers of a window. */\n#define SENSOR_MOMENTS %d\n",
                dataset_window_samples(c) * c->channels);
  text_printf(out,
              "\n/* What was summed -> the map. sums, map: [%s]. */\n"
              "static inline void sensor_calibrate_end(const struct mote_calibrate_sum *sums,\n"
              "                                        struct mote_features_column *map) {\n"
              "  mote_calibrate_end(sums, %s, %d, map);\n",
              width, width, k->deviation);
  if (k->n_channels) {
    text_printf(out,
                "  for (unsigned i = 0; i < %s; i++) {\n"
                "    const unsigned channel = i %% SENSOR_CHANNELS + 1;\n"
                "    if (",
                width);
    for (int i = 0; i < k->n_channels; i++)
      text_printf(out, "%schannel == %d", i ? " || " : "", k->channels[i]);
    text_add(out, ") continue;\n"
                  "    map[i].offset = 0;\n"
                  "    map[i].multiplier = 1 << 13;\n"
                  "    map[i].shift = 13;\n"
                  "  }\n");
  }
  text_add(out, "}\n");
}

void sensor_emit(const struct project_config *c, const double *range, struct text *out) {
  const bool calibrated = c->calibrate.by != PROJECT_CALIBRATE_NONE;
  text_printf(
      out,
      "/* From a sensor's values to the samples that this model was trained with, written by Mote: "
      "the section `sensor`\n"
      " * of mote.yaml.\n");
  if (calibrated) {
    text_printf(
        out, " *\n * The model is calibrated: every %s is measured from where this sensor stands",
        c->calibrate.features ? "window" : "sample");
    for (int k = 0; k < c->calibrate.n_labels; k++) {
      /* A label is a stranger's: what would end the comment is left out. */
      text_add(out, k ? ", " : ",\n * while it sees: ");
      for (const char *p = c->calibrate.labels[k]; *p; p++)
        if (*p != '*' && *p != '/' && *p >= ' ') text_addn(out, p, 1);
    }
    if (c->calibrate.features)
      add_columns(out);
    else if (c->calibrate.moments)
      add_moments(c, out);
    else
      add_frames(c, out);
  }
  text_add(out, " */\n#ifndef SENSOR_H\n#define SENSOR_H\n\n#include \"mote/base/real.h\"\n");
  const bool counts = calibrated && !c->calibrate.features; /* are calibrated */
  if (counts || c->log) text_add(out, "#include \"mote/dsp/calibrate.h\"\n");
  text_add(out, "\n");
  emit_counts(c, range, out);
  if (counts) emit_calibrate(c, out);
  text_add(out, "\n#endif\n");
}
