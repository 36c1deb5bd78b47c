/* A block as C source and as a few lines for people. */
#include "host/features/private.h"

#include <ctype.h>
#include <string.h>

/* `count` numbers of `bits` bits, eighteen a line. */
static void emit_numbers(struct text *out, const void *data, size_t count, int bits) {
  text_add(out, "  {");
  for (size_t i = 0; i < count; i++) {
    int value;
    if (bits == 8)
      value = ((const uint8_t *)data)[i];
    else if (bits == -16)
      value = ((const int16_t *)data)[i];
    else
      value = ((const uint16_t *)data)[i];
    text_printf(out, "%s%d", i == 0 ? "" : i % 18 ? ", " : ",\n   ", value);
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
static int tables_of(const struct mote_features *f, struct table tables[6]) {
  int n = 0;
  const size_t fft = (size_t)1 << f->fft_log2;
  if (f->fft_log2) {
    const uint16_t *const segment = mote_at(f, f->segment_at);
    tables[n++] = (struct table){"window", "int16_t", f->window_at, f->frame, -16};
    tables[n++] = (struct table){"sine", "int16_t", f->sine_at, fft / 4 + 1, -16};
    tables[n++] = (struct table){"segment", "uint16_t", f->segment_at, (size_t)f->bands + 2, 16};
    tables[n++] = (struct table){"weight", "uint8_t", f->weight_at,
                                 (size_t)(segment[f->bands + 1] - segment[0]), 8};
    if (f->coefficients)
      tables[n++] = (struct table){"cosine", "int16_t", f->cosine_at,
                                   (size_t)f->coefficients * f->bands, -16};
  }
  tables[n++] = (struct table){"column", "int16_t", f->column_at, (size_t)f->columns * 3, -16};
  return n;
}

static size_t padded(const struct table *t) {
  const size_t each = t->bits == 8 ? 1 : 2;
  return ((t->count * each + 3) & ~(size_t)3) / each;
}

static void emit_head(const struct mote_features *f, struct text *out) {
  text_printf(
      out,
      "  {.magic = MOTE_FEATURES_MAGIC, .version = %u, .kind = %u, .normalise = %u, .bytes = %u,\n"
      "   .window = %u, .channels = %u, .frame = %u, .hop = %u, .rows = %u, .columns = %u,\n"
      "   .fft_log2 = %u, .bands = %u, .coefficients = %u, .width = %u, .depth = %u,\n"
      "   .floor = %d, .range = %d, .zp = %d, .scale = %af, .window_at = %d, .sine_at = %d,\n"
      "   .segment_at = %d, .weight_at = %d, .cosine_at = %d, .column_at = %d},\n",
      f->version, f->kind, f->normalise, f->bytes, f->window, f->channels, f->frame, f->hop,
      f->rows, f->columns, f->fft_log2, f->bands, f->coefficients, f->width, f->depth, f->floor,
      f->range, f->zp, (double)f->scale, f->window_at, f->sine_at, f->segment_at, f->weight_at,
      f->cosine_at, f->column_at);
}

void features_emit_c(const struct features_block *block, const char *prefix, struct text *out) {
  const struct mote_features *const f = block->params;
  struct table tables[6];
  const int n = tables_of(f, tables);
  char upper[64] = "";
  for (size_t i = 0; prefix[i] && i + 1 < sizeof upper; i++)
    upper[i] = (char)toupper((unsigned char)prefix[i]);
  text_add(out, "/* Parameters of a feature block (mote/dsp/dsp.h), written by Mote.\n");
  features_describe(block, out);
  text_printf(out,
              " */\n#include <stddef.h>\n\n#include \"mote/dsp/dsp.h\"\n\n"
              "#define %s_WINDOW        %d /* samples of each channel */\n"
              "#define %s_CHANNELS      %d\n"
              "#define %s_SCRATCH_BYTES %zu\n"
              "#define %s_OUT_BYTES     %zu\n\n",
              upper, block->window_samples, upper, block->channels, upper, block->scratch_bytes,
              upper, block->out_bytes);
  text_printf(out, "struct %s_bytes {\n  struct mote_features head;\n", prefix);
  for (int i = 0; i < n; i++)
    text_printf(out, "  %s %s[%zu];\n", tables[i].type, tables[i].name, padded(&tables[i]));
  text_printf(out, "};\n\n/* The offsets in the head name these members; a compiler that lays them "
                   "out otherwise "
                   "stops here. */\n");
  for (int i = 0; i < n; i++)
    text_printf(out, "typedef char %s_%s_place[offsetof(struct %s_bytes, %s) == %d ? 1 : -1];\n",
                prefix, tables[i].name, prefix, tables[i].name, tables[i].at);
  text_printf(
      out,
      "typedef char %s_version[MOTE_FEATURES_VERSION == %u ? 1 : -1]; /* else: emit it again */\n",
      prefix, f->version);
  text_printf(out, "typedef char %s_size[sizeof(struct %s_bytes) == %zu ? 1 : -1];\n\n", prefix,
              prefix, block->bytes);
  text_printf(out, "const struct %s_bytes %s = {\n", prefix, prefix);
  emit_head(f, out);
  for (int i = 0; i < n; i++)
    emit_numbers(out, mote_at(f, tables[i].at), padded(&tables[i]), tables[i].bits);
  text_printf(out,
              "};\n\n/* For other files. */\nconst struct mote_features *%s_block(void);\n"
              "const struct mote_features *%s_block(void) { return &%s.head; }\n",
              prefix, prefix, prefix);
}

void features_describe(const struct features_block *block, struct text *out) {
  static const char *const normalise[] = {"nothing taken off", "minus the window's mean",
                                          "minus each column's mean"};
  const struct mote_features *const f = block->params;
  text_printf(
      out, " * %d samples of %d channel%s -> int8 [%d, %d, %d]: %u frame%s of %u, one every %u\n",
      block->window_samples, block->channels, block->channels == 1 ? "" : "s", block->dims[0],
      block->dims[1], block->dims[2], f->rows, f->rows == 1 ? "" : "s", f->frame, f->hop);
  if (f->fft_log2) {
    const uint16_t *const segment = mote_at(f, f->segment_at);
    text_printf(out, " * spectrum of %u points, %u bands over the points %u to %u",
                1u << f->fft_log2, f->bands, segment[0], segment[f->bands + 1] - 1u);
    if (f->coefficients) text_printf(out, ", %u cosine coefficients", f->coefficients);
    text_add(out, "\n");
  }
  text_printf(out, " * %s", normalise[f->normalise]);
  if (f->range) text_printf(out, ", held to %.0f dB below the loudest", f->range * 3.0103 / 256);
  text_printf(out, "; real = %g * (q - %d)\n", (double)f->scale, f->zp);
  text_printf(out, " * %zu bytes of parameters, %zu of scratch, %zu of features\n", block->bytes,
              block->scratch_bytes, block->out_bytes);
}
