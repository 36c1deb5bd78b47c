/* A block as C source and as a few lines for people. */
#include "host/features/private.h"

#include <ctype.h>
#include <string.h>

/* `count` numbers of `bits` bits, signed where negative. */
static void emit_numbers(struct text *out, const void *data, size_t count, int bits) {
  const size_t per_line = bits == 32 || bits == -32 ? 9 : 18;
  text_add(out, "  {");
  for (size_t i = 0; i < count; i++) {
    int64_t value;
    if (bits == 32)
      value = ((const uint32_t *)data)[i];
    else if (bits == -32)
      value = ((const int32_t *)data)[i];
    else if (bits == 8)
      value = ((const uint8_t *)data)[i];
    else if (bits == -16)
      value = ((const int16_t *)data)[i];
    else
      value = ((const uint16_t *)data)[i];
    text_printf(out, bits == 32 ? "%s0x%08llX" : "%s%lld",
                i == 0         ? ""
                : i % per_line ? ", "
                               : ",\n   ",
                (long long)value);
  }
  text_add(out, "},\n");
}

/* One table of the object: its member, and its numbers, padded to 4 bytes as the block is. */
struct table {
  const char *name, *type;
  int32_t at;
  size_t count;
  int bits;
};

/* In the order of their offsets. */
static int tables_of(const struct mote_features *f, struct table tables[8]) {
  int n = 0;
  if (f->fft_log2) {
    if (f->window_at)
      tables[n++] = (struct table){"window", "int16_t", f->window_at, f->frame, -16};
    tables[n++] =
        (struct table){"sine", "int16_t", f->sine_at, mote_fft_table_values(f->fft_log2), -16};
    if (f->bands) {
      const uint16_t *const segment = mote_at(f, f->segment_at);
      tables[n++] = (struct table){"segment", "uint16_t", f->segment_at, (size_t)f->bands + 2, 16};
      tables[n++] = (struct table){"weight", "uint8_t", f->weight_at,
                                   (size_t)(segment[f->bands + 1] - segment[0]), 8};
    }
    if (f->coefficients)
      tables[n++] = (struct table){"cosine", "int16_t", f->cosine_at,
                                   (size_t)f->coefficients * f->bands, -16};
  }
  if (f->cell_bytes == 2)
    tables[n++] =
        (struct table){"column", "int16_t", f->column_at,
                       (f->kind == MOTE_FEATURES_IMAGE ? 1 : (size_t)f->columns) * 3, -16};
  else
    tables[n++] = (struct table){"column", "int32_t", f->column_at, (size_t)f->columns * 3, -32};
  tables[n++] = (struct table){"channel", "uint8_t", f->channel_at, f->channels, 8};
  if (f->params_at)
    tables[n++] = (struct table){"params", "uint32_t", f->params_at,
                                 (f->bytes - (uint32_t)f->params_at) / 4, 32};
  return n;
}

static size_t padded(const struct table *t) {
  const size_t each = (size_t)(t->bits < 0 ? -t->bits : t->bits) / 8;
  return ((t->count * each + 3) & ~(size_t)3) / each;
}

static void emit_head(const struct mote_features *f, struct text *out) {
  text_printf(
      out,
      "  {.magic = MOTE_FEATURES_MAGIC, .version = %u, .kind = %u, .normalise = %u, .bytes = %u,\n"
      "   .window = %u, .channels = %u, .frame = %u, .hop = %u, .rows = %u, .columns = %u,\n"
      "   .fft_log2 = %u, .bands = %u, .coefficients = %u, .width = %u, .depth = %u,\n"
      "   .floor = %d, .range = %d, .zp = %d, .scale = %af, .window_at = %d, .sine_at = %d,\n"
      "   .segment_at = %d, .weight_at = %d, .cosine_at = %d, .column_at = %d, .channel_at = %d,\n"
      "   .params_at = %d, .stride = %u, .cell_bytes = %u, .flags = %u},\n",
      f->version, f->kind, f->normalise, f->bytes, f->window, f->channels, f->frame, f->hop,
      f->rows, f->columns, f->fft_log2, f->bands, f->coefficients, f->width, f->depth, f->floor,
      f->range, f->zp, (double)f->scale, f->window_at, f->sine_at, f->segment_at, f->weight_at,
      f->cosine_at, f->column_at, f->channel_at, f->params_at, f->stride, f->cell_bytes, f->flags);
}

/* One part as an object of its own, called `name`. */
static void emit_part(const struct mote_features *f, const char *name, struct text *out) {
  struct table tables[8];
  const int n = tables_of(f, tables);
  text_printf(out, "struct %s_bytes {\n  struct mote_features head;\n", name);
  for (int i = 0; i < n; i++)
    text_printf(out, "  %s %s[%zu];\n", tables[i].type, tables[i].name, padded(&tables[i]));
  text_add(out, "};\n\n/* The offsets in the head name these members; a compiler that lays them "
                "out otherwise stops here. */\n");
  for (int i = 0; i < n; i++)
    text_printf(out, "typedef char %s_%s_place[offsetof(struct %s_bytes, %s) == %d ? 1 : -1];\n",
                name, tables[i].name, name, tables[i].name, tables[i].at);
  text_printf(
      out,
      "typedef char %s_version[MOTE_FEATURES_VERSION == %u ? 1 : -1]; /* else: emit it again */\n",
      name, f->version);
  text_printf(out, "typedef char %s_size[sizeof(struct %s_bytes) == %u ? 1 : -1];\n\n", name, name,
              f->bytes);
  text_printf(out, "static const struct %s_bytes %s = {\n", name, name);
  emit_head(f, out);
  for (int i = 0; i < n; i++)
    emit_numbers(out, mote_at(f, tables[i].at), padded(&tables[i]), tables[i].bits);
  text_add(out, "};\n\n");
}

/* What stands in front of a part, as an object called NAME_front. */
static void emit_front(const struct mote_front *f, const char *name, struct text *out) {
  const struct mote_front_channel *const channel = mote_at(f, f->channel_at);
  const int32_t *const numbers = mote_at(f, f->section_at), *const gravity =
                                                                (const int32_t *)(const void *)&f
                                                                    ->gravity;
  text_printf(out,
              "struct %s_front_bytes {\n  struct mote_front head;\n"
              "  struct mote_front_channel channel[%u];\n",
              name, f->channels);
  if (f->sections) text_printf(out, "  struct mote_section section[%u];\n", f->sections);
  text_printf(
      out,
      "};\ntypedef char %s_front_version[MOTE_FRONT_VERSION == %u ? 1 : -1]; /* else: emit "
      "it again */\n"
      "typedef char %s_front_size[sizeof(struct %s_front_bytes) == %u ? 1 : -1];\n\n"
      "static const struct %s_front_bytes %s_front = {\n"
      "  {.magic = MOTE_FRONT_MAGIC, .version = %u, .channels = %u, .bytes = %u,\n"
      "   .window = %u, .first = %u, .steps = %u, .stride = %u, .ratio = %u,\n"
      "   .detrend = %u, .sections = %u, .fraction = %u, .multiplier = %d, .shift = %d,\n"
      "   .channel_at = %d, .section_at = %d,\n   .gravity = {%d, %d, %d, %d, %d, %d}},\n  {",
      name, f->version, name, name, f->bytes, name, name, f->version, f->channels, f->bytes,
      f->window, f->first, f->steps, f->stride, f->ratio, f->detrend, f->sections, f->fraction,
      f->multiplier, f->shift, f->channel_at, f->section_at, gravity[0], gravity[1], gravity[2],
      gravity[3], gravity[4], gravity[5]);
  for (int i = 0; i < f->channels; i++)
    text_printf(out, "%s{%u, %u, {%u, %u, %u}, {0}}", i ? ",\n   " : "", channel[i].kind,
                channel[i].n, channel[i].source[0], channel[i].source[1], channel[i].source[2]);
  text_add(out, "},\n");
  for (int i = 0; i < f->sections; i++)
    text_printf(out, "%s{%d, %d, %d, %d, %d, %d}%s", i ? ",\n   " : "  {", numbers[6 * i],
                numbers[6 * i + 1], numbers[6 * i + 2], numbers[6 * i + 3], numbers[6 * i + 4],
                numbers[6 * i + 5], i + 1 == f->sections ? "},\n" : "");
  text_add(out, "};\n\n");
}

/* The op that a part needs: a plain spectral block does without filters and what is rarely asked for, a plain one of the heart without
 * what beats look like. */
static const char *op_of(const struct mote_features *f) {
  static const char *const ops[MOTE_FEATURES_KIND_COUNT] = {
      "mote_features_bands",    "mote_features_statistics", "mote_features_raw",
      "mote_features_mfe",      "mote_features_mfcc",       "mote_features_spectrogram",
      "mote_features_spectral", "mote_features_flatten",    "mote_features_wavelet",
      "mote_features_heart",    "mote_features_image",      "mote_features_micro",
      "mote_features_pitch",    "mote_features_flatness"};
  if (f->kind == MOTE_FEATURES_SPECTRAL && !mote_spectral_is_plain(mote_at(f, f->params_at)))
    return "mote_features_spectral_full";
  if (f->kind == MOTE_FEATURES_HEART && !mote_heart_is_plain(mote_at(f, f->params_at)))
    return "mote_features_heart_full";
  return ops[f->kind];
}

/* Hops until the rows of a window are there. */
static uint32_t pushes_of(const struct mote_features *f) {
  return ((uint32_t)f->frame + f->hop - 1) / f->hop + f->rows;
}

/* Time steps of the sensor that make a row. */
static uint32_t hop_of(const struct features_part *p) {
  return (uint32_t)p->params->hop * (p->front ? p->front->ratio : 1u);
}

/* What a part's stream keeps: the front's state and the steps that it makes of a hop, then the rest. */
static size_t front_stream_bytes(const struct features_part *p) {
  return p->front ? mote_front_state_bytes(p->front) +
                        ((2 * (size_t)p->params->hop * p->front->channels + 3) & ~(size_t)3)
                  : 0;
}

/* A hop through the front: what comes out is called seen. */
static void emit_front_push(const struct features_part *p, const char *name, size_t memory,
                            struct text *out) {
  text_printf(
      out,
      "  {\n    const int16_t *step = samples;\n"
      "    int16_t *const seen = (int16_t *)(void *)((uint8_t *)memory + %zu), *next = seen;\n"
      "    unsigned i;\n    for (i = 0; i < %u; i++, step += %u)\n"
      "      if (mote_front_push(&%s_front.head, (uint8_t *)memory + %zu, step, next)) next += "
      "%u;\n  ",
      memory + mote_front_state_bytes(p->front), hop_of(p), p->front->stride, name, memory,
      p->front->channels);
}

/* begin, push and finish of a stream, where all parts go on by the same hop and end together. */
static void emit_stream(const struct features_block *b, const char *prefix, const char *upper,
                        struct text *out) {
  size_t bytes = 0;
  const uint32_t hop = hop_of(&b->parts[0]);
  if (hop == 0) return;
  const uint32_t pushes = pushes_of(b->parts[0].params);
  for (int i = 0; i < b->n_parts; i++) {
    const struct features_part *const p = &b->parts[i];
    if (hop_of(p) != hop || p->params->kind == MOTE_FEATURES_IMAGE ||
        pushes_of(p->params) != pushes || !features_front_streams(p->front))
      return;
    bytes += front_stream_bytes(p) + mote_features_stream_bytes(p->params, p->op);
  }
  text_printf(
      out,
      "\n/* A stream: %s_begin once, then %s_push with each further %s_HOP samples of every "
      "channel; where it\n * returns 1, the rows of a window are there and %s_finish makes "
      "its int8 values. memory: aligned to 4. */\n"
      "#define %s_HOP          %u\n#define %s_STREAM_BYTES %zu\n"
      "void %s_begin(void *memory);\nint %s_push(void *memory, const int16_t *samples);\n"
      "void %s_finish(void *memory, int8_t *out);\n",
      prefix, prefix, upper, prefix, upper, hop, upper, bytes, prefix, prefix, prefix);
  static const char *const heads[] = {"void %s_begin(void *memory) {\n",
                                      "int %s_push(void *memory, const int16_t *samples) {\n"
                                      "  int all = 1;\n",
                                      "void %s_finish(void *memory, int8_t *out) {\n"};
  static const char *const verbs[] = {"begin", "push", "finish"};
  for (int k = 0; k < 3; k++) {
    size_t memory = 0, at = 0;
    text_printf(out, heads[k], prefix);
    for (int i = 0; i < b->n_parts; i++) {
      const struct features_part *const p = &b->parts[i];
      char name[96];
      snprintf(name, sizeof name, i ? "%s%d" : "%s", prefix, i + 1);
      if (p->front && k == 0)
        text_printf(out, "  mote_front_begin(&%s_front.head, (uint8_t *)memory + %zu);\n", name,
                    memory);
      if (p->front && k == 1) emit_front_push(p, name, memory, out);
      text_printf(out, "  %smote_features_stream_%s(&%s.head, &%s, (uint8_t *)memory + %zu",
                  k == 1 ? "all &= " : "", verbs[k], name, op_of(p->params),
                  memory + front_stream_bytes(p));
      if (k == 1) text_add(out, p->front ? ", seen" : ", samples");
      if (k == 2) text_printf(out, ", out + %zu", at);
      text_add(out, p->front && k == 1 ? ");\n  }\n" : ");\n");
      memory += front_stream_bytes(p) + mote_features_stream_bytes(p->params, p->op);
      at += (size_t)p->params->rows * p->params->columns;
    }
    text_add(out, k == 1 ? "  return all;\n}\n" : "}\n");
  }
}

bool features_are_lines(const struct features_block *block) {
  const struct mote_features *const f = block->parts[0].params;
  return block->n_parts == 1 && f->kind == MOTE_FEATURES_IMAGE &&
         f->normalise == MOTE_FEATURES_NORMALISE_NONE;
}

bool features_are_bytes(const struct features_block *block) {
  return block->n_parts == 1 && block->parts[0].params->kind == MOTE_FEATURES_IMAGE &&
         mote_image_is_plain(block->parts[0].params);
}

/* Loops in place of a block, for frames that are taken as they are. */
static void emit_bytes(const struct features_block *b, const char *prefix, struct text *out) {
  const struct mote_features *const f = b->parts[0].params;
  text_printf(
      out,
      "/* The features of a frame: its bytes, 0 to 255 as -128 to 127. scratch: not used. */\n"
      "static inline void %s_run(const int16_t *samples, void *scratch, int8_t *out) {\n"
      "  (void)scratch;\n"
      "  mote_bytes_signed((const uint8_t *)samples, %u, out);\n}\n"
      "/* Row y alone. */\n"
      "static inline void %s_line(const int16_t *samples, unsigned y, void *scratch, int8_t *out) "
      "{\n"
      "  (void)scratch;\n"
      "  mote_bytes_signed((const uint8_t *)samples + (size_t)y * %u, %u, out);\n}\n",
      prefix, f->rows * (unsigned)f->columns, prefix, f->columns, f->columns);
}

/* What learns the map and applies it, behind the features. */
static void emit_calibrate(const struct features_block *b, const char *prefix, const char *upper,
                           struct text *out) {
  const unsigned columns = (unsigned)b->map_columns, rows = (unsigned)b->out_bytes / columns;
  text_printf(
      out,
      "\n/* The model is given values that are measured from their own mean%s, each column by "
      "itself:\n"
      " *\n"
      " *   static struct mote_calibrate_sum sums[%s_COLUMNS];  %zu bytes, while it listens\n"
      " *   static struct mote_features_column map[%s_COLUMNS];  %zu bytes: all that is learned; "
      "keep it\n"
      " *   mote_calibrate_begin(sums, %s_COLUMNS);\n"
      " *   %s_calibrate_add(sums, values);     of the first windows, behind %s_run\n"
      " *   %s_calibrate_end(sums, map);\n"
      " *   %s_calibrate(map, values);          every window, behind %s_run and before the "
      "model\n"
      " */\n"
      "#define %s_COLUMNS %u\n",
      b->calibrate == FEATURES_CALIBRATE_DEVIATION ? " in their own deviations" : "", upper,
      columns * sizeof(struct mote_calibrate_sum), upper,
      columns * sizeof(struct mote_features_column), upper, prefix, prefix, prefix, prefix, prefix,
      upper, columns);
  text_printf(out,
              "static inline void %s_calibrate_add(struct mote_calibrate_sum *sums, const int8_t "
              "*values) {\n"
              "  mote_calibrate_add_values(sums, %s_COLUMNS, values, %u);\n}\n"
              "static inline void %s_calibrate_end(const struct mote_calibrate_sum *sums,\n"
              "    struct mote_features_column *map) {\n"
              "  mote_calibrate_end_values(sums, %s_COLUMNS, %d, map);\n}\n"
              "static inline void %s_calibrate(const struct mote_features_column *map, int8_t "
              "*values) {\n"
              "  mote_calibrate_apply_values(map, %s_COLUMNS, values, %u);\n}\n",
              prefix, upper, rows, prefix, upper, b->calibrate == FEATURES_CALIBRATE_DEVIATION,
              prefix, upper, rows);
}

void features_emit_c(const struct features_block *block, const char *prefix, struct text *out) {
  char upper[64] = "", name[96];
  size_t at = 0;
  for (size_t i = 0; prefix[i] && i + 1 < sizeof upper; i++)
    upper[i] = (char)toupper((unsigned char)prefix[i]);
  text_add(out, "/* Parameters of a feature block (mote/dsp/dsp.h), written by Mote. C99: for one "
                "C file, not for C++.\n");
  features_describe(block, out);
  text_printf(out,
              " */\n#include <stddef.h>\n\n%s\n\n"
              "#define %s_WINDOW        %d /* samples of each channel */\n"
              "#define %s_CHANNELS      %d\n"
              "#define %s_SCRATCH_BYTES %zu\n"
              "#define %s_OUT_BYTES     %zu\n\n",
              features_are_bytes(block) ? "#include \"mote/base/base.h\""
                                        : "#include \"mote/dsp/dsp.h\"",
              upper, block->window_samples, upper, block->channels, upper, block->scratch_bytes,
              upper, block->out_bytes);
  if (features_are_bytes(block)) {
    emit_bytes(block, prefix, out);
    return;
  }
  for (int i = 0; i < block->n_parts; i++) {
    snprintf(name, sizeof name, i ? "%s%d" : "%s", prefix, i + 1);
    if (block->parts[i].front) emit_front(block->parts[i].front, name, out);
    emit_part(block->parts[i].params, name, out);
  }
  text_printf(out,
              "/* A window of samples becomes int8 values. scratch: aligned to 4. */\n"
              "void %s_run(const int16_t *samples, void *scratch, int8_t *out);\n"
              "void %s_run(const int16_t *samples, void *scratch, int8_t *out) {\n",
              prefix, prefix);
  for (int i = 0; i < block->n_parts; i++) {
    const struct mote_features *const f = block->parts[i].params;
    snprintf(name, sizeof name, i ? "%s%d" : "%s", prefix, i + 1);
    const size_t room = features_front_room(block->parts[i].front);
    char seen[96] = "samples, scratch";
    if (block->parts[i].front) {
      text_printf(out,
                  "  mote_front_run(&%s_front.head, samples, (uint8_t *)scratch + %zu, "
                  "(int16_t *)scratch);\n",
                  name, room);
      snprintf(seen, sizeof seen, "(const int16_t *)scratch, (uint8_t *)scratch + %zu", room);
    }
    if (mote_features_is_once(f, block->parts[i].op))
      text_printf(out, "  mote_features_run_once(&%s.head, &%s, %zu, %s, out + %zu);\n", name,
                  op_of(f), mote_features_rows_bytes(f), seen, at);
    else
      text_printf(out, "  mote_features_run(&%s.head, &%s, %s, out + %zu);\n", name, op_of(f), seen,
                  at);
    at += (size_t)f->rows * f->columns;
  }
  text_add(out, "}\n");
  if (block->map_columns) emit_calibrate(block, prefix, upper, out);
  if (features_are_lines(block))
    text_printf(out,
                "\n/* Row y alone, for a network that is fed by rows. */\n"
                "static inline void %s_line(const int16_t *samples, unsigned y, void *scratch, "
                "int8_t *out) {\n"
                "  mote_image_line(&%s.head, samples, y, scratch, out);\n}\n",
                prefix, prefix);
  emit_stream(block, prefix, upper, out);
}

bool features_suppress(const struct features_block *block, struct arena *a,
                       struct features_block *out, struct err *e) {
  if (!features_open(block->data, block->bytes, a, out, e)) return false;
  /* The copy is ours. Columns are the same in every row. */
  struct mote_features *const f = (struct mote_features *)(uintptr_t)out->parts[0].params;
  f->rows = 1;
  f->window = f->frame;
  if (out->n_parts != 1 || out->parts[0].front || mote_suppress_check(f) != MOTE_OK)
    return err_set(e, "these features cannot come back as sound: train again");
  return features_block_of(out->data, out->bytes, out, e);
}

void features_emit_suppress_c(const struct features_block *frame, const char *prefix,
                              unsigned least, struct text *out) {
  const struct mote_features *const f = frame->parts[0].params;
  char upper[64] = "";
  for (size_t i = 0; prefix[i] && i + 1 < sizeof upper; i++)
    upper[i] = (char)toupper((unsigned char)prefix[i]);
  text_printf(
      out,
      "/* Sound in, sound out, with noise turned down (mote/dsp/suppress.h), written by Mote. C99: "
      "for one C file, not for C++.\n"
      " * Frames of %u samples, one every %u, in %u bands of a spectrum of %u points. */\n"
      "#include <stddef.h>\n\n#include \"mote/dsp/dsp.h\"\n\n"
      "#define %s_HOP   %u /* samples that go in and come out at a time, one hop late */\n"
      "#define %s_BANDS %u /* int8 values in the network's row, and in its answer */\n"
      "#define %s_BYTES %zu /* of memory, aligned to 4 */\n"
      "#define %s_LEAST %u /* the least gain, of 256 */\n\n",
      f->frame, f->hop, f->bands, 1u << f->fft_log2, upper, f->hop, upper, f->bands, upper,
      mote_suppress_bytes(f), upper, least);
  emit_part(f, prefix, out);
  text_printf(out,
              "/* Silence came before. */\n"
              "static inline void %s_begin(void *memory) {\n"
              "  mote_suppress_begin(&%s.head, memory);\n}\n"
              "/* A hop of samples becomes the network's row. */\n"
              "static inline void %s_take(void *memory, const int16_t *samples, int8_t *row) {\n"
              "  mote_suppress_take(&%s.head, memory, samples, row);\n}\n"
              "/* The network's answer becomes a hop of sound. */\n"
              "static inline void %s_give(void *memory, const int8_t *mask, int16_t *out) {\n"
              "  mote_suppress_give(&%s.head, memory, mask, %s_LEAST, out);\n}\n",
              prefix, prefix, prefix, prefix, prefix, prefix, upper);
}

/* What of a row or of the last step waits for more than its own frame. */
static void describe_stream(const struct mote_features *f, const struct mote_features_op *op,
                            struct text *out) {
  if (f->kind == MOTE_FEATURES_IMAGE) return;
  if (f->rows == 1)
    text_add(out,
             " * the whole window is one frame: a stream keeps its samples and makes all of it "
             "again\n");
  else
    text_printf(
        out, " * causal: a hop of %u samples costs one row; a stream takes %zu bytes%s\n", f->hop,
        mote_features_stream_bytes(f, op),
        f->normalise || f->range ? ", what is taken off is made again over the window's rows" : "");
  if (op->prime)
    text_add(out,
             " * in front of the first frame stands the window's last sample; in a stream 0\n");
}

static void describe_image(const struct mote_features *f, struct text *out) {
  static const char *const formats[MOTE_IMAGE_FORMAT_COUNT] = {
      "a byte a pixel, grey", "three bytes a pixel: red, green, blue", "RGB565",
      "RGB565, its bytes swapped", "numbers, int16"};
  const struct mote_image *const p = mote_at(f, f->params_at);
  text_printf(out, " * frame of %u x %u pixels (%s)", p->width, p->height, formats[p->format]);
  if (p->frames > 1) text_printf(out, ", %u of them", p->frames);
  text_printf(out, " -> [%u, %u, %u]%s\n", f->rows, f->width, f->depth,
              mote_image_is_plain(f) ? ": as it is, the upper bit of each byte turned" : "");
  if (f->normalise) text_add(out, " * minus the window's mean\n");
}

static void describe_part(const struct mote_features *f, struct text *out) {
  static const char *const normalise[MOTE_FEATURES_NORMALISE_COUNT] = {
      "nothing taken off", "minus the window's mean", "minus each column's mean",
      "minus a straight line through the columns' means",
      "minus the mean and over the deviation of the rows about each"};
  if (f->kind == MOTE_FEATURES_IMAGE) {
    describe_image(f, out);
    return;
  }
  text_printf(out, " * %u channel%s -> [%u, %u, %u]: %u frame%s of %u, one every %u\n", f->channels,
              f->channels == 1 ? "" : "s", f->rows, f->width, f->depth, f->rows,
              f->rows == 1 ? "" : "s", f->frame, f->hop);
  if (f->fft_log2 && !f->bands)
    text_printf(out, " * spectrum of %u points, each of them\n", 1u << f->fft_log2);
  if (f->fft_log2 && f->bands) {
    const uint16_t *const segment = mote_at(f, f->segment_at);
    text_printf(out, " * spectrum of %u points, %u bands over the points %u to %u",
                1u << f->fft_log2, f->bands, segment[0], segment[f->bands + 1] - 1u);
    if (f->coefficients) text_printf(out, ", %u cosine coefficients", f->coefficients);
    if (f->kind == MOTE_FEATURES_FLATNESS)
      text_add(out,
               f->depth > f->channels ? ", and the flatness of each" : ", the flatness of each");
    text_add(out, "\n");
  }
  if (f->kind == MOTE_FEATURES_PITCH) {
    const struct mote_pitch *const p = mote_at(f, f->params_at);
    text_printf(out, " * pitch from %g Hz up: lags of %u to %u samples\n", (double)p->low_hz,
                p->first, p->last);
    return;
  }
  text_printf(out, " * %s", normalise[f->normalise]);
  if (f->range) text_printf(out, ", held to %.0f dB below the loudest", f->range * 3.0103 / 256);
  text_add(out, "\n");
}

void features_describe(const struct features_block *block, struct text *out) {
  text_printf(out, " * %d samples of %d channel%s -> int8 [%d, %d, %d]; real = %g * (q - %d)\n",
              block->window_samples, block->channels, block->channels == 1 ? "" : "s",
              block->dims[0], block->dims[1], block->dims[2], (double)block->scale, block->zp);
  for (int i = 0; i < block->n_parts; i++) {
    features_front_describe(block->parts[i].front, out);
    describe_part(block->parts[i].params, out);
    describe_stream(block->parts[i].params, block->parts[i].op, out);
  }
  text_printf(out, " * %zu bytes of parameters, %zu of scratch, %zu of features\n", block->bytes,
              block->scratch_bytes, block->out_bytes);
  if (block->map_columns)
    text_printf(out,
                " * calibrated: %d columns from their own mean, %zu bytes of sums while that is "
                "learned, then a map of %zu\n",
                block->map_columns, (size_t)block->map_columns * sizeof(struct mote_calibrate_sum),
                (size_t)block->map_columns * sizeof(struct mote_features_column));
}
