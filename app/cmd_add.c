/* mote add: recordings into the project. Its options and its report; adding.c does the work. */
#include "app/adding.h"

#include <stdlib.h>
#include <string.h>

static void put_counts(struct json *j, const struct adding *d) {
  json_open_array(j, "labels");
  for (int i = 0; i < d->n_counts; i++) {
    const struct adding_count *c = &d->counts[i];
    json_open_object(j, NULL);
    json_put_string(j, "label", c->label);
    for (int s = 0; s < STORE_SPLIT_COUNT; s++)
      json_put_int(j, store_split_name((enum store_split)s), c->samples[s]);
    json_put_real(j, "seconds", c->seconds);
    json_close_object(j);
  }
  json_close_array(j);
}

static void print_json(const struct adding *d) {
  struct text text;
  struct json j;
  text_init(&text, d->c->arena);
  json_start(&j, &text);
  json_open_object(&j, NULL);
  json_put_int(&j, "files", d->files.count);
  json_put_bool(&j, "dry_run", d->o->dry_run);
  json_put_int(&j, "added", d->added);
  json_put_int(&j, "duplicates", d->duplicates);
  json_put_int(&j, "reboxed", d->reboxed);
  json_put_int(&j, "clipped", d->clipped);
  json_put_int(&j, "resampled", d->resampled);
  json_put_int(&j, "beyond_range", d->beyond);
  json_put_int(&j, "failed", d->failed);
  json_put_int(&j, "left_out", d->files.left_out + d->unlisted);
  put_counts(&j, d);
  json_open_array(&j, "notes");
  for (int i = 0; i < d->n_notes; i++) {
    json_open_object(&j, NULL);
    json_put_string(&j, "note", d->notes[i].text);
    json_put_int(&j, "files", d->notes[i].files);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_open_array(&j, "failures");
  for (int i = 0; i < d->failed && i < ADDING_FAILURES; i++) {
    json_open_object(&j, NULL);
    json_put_string(&j, "file", d->failures[i].file);
    json_put_string(&j, "node", d->failures[i].node[0] ? d->failures[i].node : NULL);
    json_put_string(&j, "message", d->failures[i].text);
    json_close_object(&j);
  }
  json_close_array(&j);
  json_close_object(&j);
  fputs(text.data, stdout);
}

static int by_label(const void *x, const void *y) {
  return strcmp(((const struct adding_count *)x)->label, ((const struct adding_count *)y)->label);
}

/* "120.5 s", "2.3 h" */
static const char *duration(struct arena *a, double s) {
  if (!(s > 0)) return "-";
  return s < 600      ? arena_printf(a, "%.1f s", s)
         : s < 7200   ? arena_printf(a, "%.1f min", s / 60)
         : s < 172800 ? arena_printf(a, "%.1f h", s / 3600)
                      : arena_printf(a, "%.1f d", s / 86400);
}

static void print_counts(const struct adding *d) {
  struct adding_count sum = {.label = "all"};
  if (d->n_counts == 0) return;
  qsort(d->counts, (size_t)d->n_counts, sizeof *d->counts, by_label);
  printf("  %-24s %8s %10s %8s %12s\n", "label", "train", "validation", "test", "length");
  for (int i = 0; i <= d->n_counts; i++) {
    const struct adding_count *c = i < d->n_counts ? &d->counts[i] : &sum;
    /* A long list is cut in the middle of nothing: the first labels and the sum tell enough. */
    if (i >= 20 && i < d->n_counts) {
      if (i == 20) printf("  and %d more labels\n", d->n_counts - 20);
    } else if (i < d->n_counts || d->n_counts > 1) {
      printf("  %-24.24s %8s %10s %8s %12s\n", c->label, text_thousands(c->samples[STORE_TRAIN]),
             text_thousands(c->samples[STORE_VALIDATION]), text_thousands(c->samples[STORE_TEST]),
             duration(d->c->arena, c->seconds));
    }
    for (int s = 0; i < d->n_counts && s < STORE_SPLIT_COUNT; s++) sum.samples[s] += c->samples[s];
    if (i < d->n_counts) sum.seconds += c->seconds;
  }
}

static void print_notes(const struct adding *d) {
  for (int i = 0; i < d->n_notes; i++)
    printf("  %s%s\n", d->notes[i].text,
           d->files.count > 1
               ? arena_printf(d->c->arena, " (%s %s)", text_thousands(d->notes[i].files),
                              d->notes[i].files == 1 ? "file" : "files")
               : "");
  if (d->resampled)
    printf("  converted to %g Hz: %s\n", d->p.config.rate_hz, text_thousands(d->resampled));
  if (d->beyond)
    printf("  reach beyond sensor.range in mote.yaml, where training cuts them off: %s\n",
           text_thousands(d->beyond));
  if (d->in_pieces)
    printf("  pieces of recordings longer than %zu MiB: %s\n", INGEST_PIECE_BYTES >> 20,
           text_thousands(d->in_pieces));
  if (d->unlisted)
    printf("  left out, since the index does not name them: %s\n", text_thousands(d->unlisted));
  if (d->files.left_out)
    printf("  left out, since they are no recordings: %s\n", text_thousands(d->files.left_out));
}

static void print_text(const struct adding *d) {
  printf(d->o->dry_run ? "%s would be added" : "%s added", text_thousands(d->added));
  if (d->duplicates) printf(", %s were there already", text_thousands(d->duplicates));
  if (d->reboxed) printf(", %s of them took other boxes", text_thousands(d->reboxed));
  if (d->clipped) printf(", %s clipped", text_thousands(d->clipped));
  if (d->failed) printf(", %s failed", text_thousands(d->failed));
  printf("\n");
  if (!d->c->quiet) {
    print_counts(d);
    print_notes(d);
  }
  if (d->o->dry_run) printf("nothing was written (--dry-run)\n");
  fflush(stdout);
  for (int i = 0; i < d->failed && i < ADDING_FAILURES; i++) {
    const struct err *e = &d->failures[i];
    fprintf(stderr, "mote: %s: %s%s%s\n", e->file, e->node, e->node[0] ? ": " : "", e->text);
  }
  if (d->failed > ADDING_FAILURES)
    fprintf(stderr, "mote: and %s more\n", text_thousands(d->failed - ADDING_FAILURES));
}

static bool run(struct adding *d, struct err *e) {
  if (!adding_plan(d, e)) return false;
  if (!adding_run(d, e)) {
    fprintf(stderr, "mote: %s added before the failure below; they are kept\n",
            text_thousands(d->added));
    return false;
  }
  if (d->failed == d->files.count && d->added == 0) {
    *e = d->failures[0];
    if (d->files.count > 1 && strlen(e->text) < sizeof e->text - 80)
      snprintf(e->text + strlen(e->text), 80, " (none of the %d files could be added)",
               d->files.count);
    return false;
  }
  return true;
}

/* What excludes what. NULL: nothing is wrong. */
static const char *wrong_usage(const struct adding_options *o, int n_words) {
  enum store_split split;
  if (o->label && o->label_from) return "--label and --label-from exclude each other";
  if (o->group && o->group_from) return "--group and --group-from exclude each other";
  if (o->split && o->split_from) return "--split and --split-from exclude each other";
  if (o->index_columns && !o->index) return "--index-columns needs --index";
  if (n_words == 0 && !o->index) return "something is missing: files, folders or --index";
  if (o->split && strcmp(o->split, "auto") != 0 && !store_split_parse(o->split, &split))
    return "no split of that name; train, validation, test and auto are";
  if (o->rate_hz < 0) return "--rate wants a rate in Hz";
  return NULL;
}

int cmd_add(int argc, char **argv) {
  struct adding_options o = {0};
  const struct option_spec options[] = {
      {'l', "label", OPTION_TEXT, "LABEL", "the label of all of them", &o.label},
      {0, "label-from", OPTION_TEXT, "RULE",
       "folder (default), folder:N, name, name:REGEX, path:REGEX", &o.label_from},
      {'g', "group", OPTION_TEXT, "GROUP", "who or what was recorded (speaker, machine)", &o.group},
      {0, "group-from", OPTION_TEXT, "RULE", "the same rules as --label-from", &o.group_from},
      {'s', "split", OPTION_TEXT, "SPLIT",
       "train, validation, test or auto (80/10/10 by group, else by name)", &o.split},
      {0, "split-from", OPTION_TEXT, "RULE", "the same rules: a folder \"testing\" is for the test",
       &o.split_from},
      {0, "test", OPTION_TEXT, "RULE",
       "files that match are for the test: name:REGEX or path:REGEX", &o.test},
      {0, "validation", OPTION_TEXT, "RULE", "files that match are for validation", &o.validation},
      {'i', "index", OPTION_TEXT, "FILE", "CSV with path, label, group, split; or a .labels file",
       &o.index},
      {0, "index-columns", OPTION_TEXT, "LIST",
       "what its columns are where it has no header: path,-,label", &o.index_columns},
      {0, "rate", OPTION_REAL, "HZ",
       "the rate of files that do not tell theirs (default: the project's)", &o.rate_hz},
      {0, "columns", OPTION_TEXT, "LIST",
       "tables: the channels' columns, by name, number or 3-66; .npz: the array", &o.columns},
      {0, "time-column", OPTION_TEXT, "NAME",
       "tables: the column of times (default: found by its name), or none", &o.time_column},
      {0, "time-unit", OPTION_TEXT, "UNIT",
       "tables: s, ms, us, ns, min or h (default: from name and steps)", &o.time_unit},
      {0, "label-column", OPTION_TEXT, "NAME",
       "tables: the column of labels; recordings end where it changes; .npz: the array",
       &o.label_column},
      {0, "group-column", OPTION_TEXT, "NAME", "tables: the column of groups, the same way",
       &o.group_column},
      {0, "clock", OPTION_FLAG, NULL,
       "tables with dates: three more channels, sine and cosine of the time of day, weekend",
       &o.clock},
      {0, "separator", OPTION_TEXT, "CHAR",
       "tables: comma, semicolon, tab, space, bar (default: found)", &o.separator},
      {0, "each-row", OPTION_FLAG, NULL, "tables and arrays: each row is a recording of its own",
       &o.each_row},
      {0, "skip-bad-rows", OPTION_FLAG, NULL,
       "rows that cannot be read, or are cut off, are left out", &o.skip_bad_rows},
      {0, "raw", OPTION_TEXT, "TYPE", "numbers without a header: int8 uint8 int16 ... float64",
       &o.raw},
      {0, "hmac-key", OPTION_TEXT, "KEY", "JSON and CBOR: check signatures with this key",
       &o.hmac_key},
      {0, "whole", OPTION_FLAG, NULL,
       "keep recordings with labels of stretches or boxes whole (default: cut)", &o.whole},
      {'n', "dry-run", OPTION_FLAG, NULL, "say what would happen, write nothing", &o.dry_run},
      {0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &o.dir},
      {0}};
  const struct command_spec spec = {
      .usage = "mote add FILE-OR-FOLDER... [--label L | --label-from RULE] [--group-from RULE] "
               "[--split S]",
      .about = "Adds recordings: sound (.wav .flac .ogg .aiff), tables (.csv .tsv .txt), signed "
               "acquisition files\n"
               "(.json .cbor), pictures (.jpg .png .pgm .ppm), arrays (.npy .npz, IDX), WFDB "
               "records (.hea), raw numbers.\n"
               "Rates and channels are converted to the project's. A recording that is there "
               "already is not added\n"
               "twice. docs/howto/add.md has a line for each kind.",
      .options = options,
      .examples =
          "  mote add recordings                       labels are the folders' names\n"
          "  mote add hum.wav --label background\n"
          "  mote add gestures --label-from name --split-from folder --hmac-key KEY --dry-run\n"
          "  mote add digits --label-from 'name:^([0-9])_' --group-from 'name:_([a-z]+)_' \\\n"
          "           --test 'name:_[0-4]\\.wav$'",
      .least = 0,
      .most = -1};
  struct command_line c;
  int code;
  if (!command_begin(&c, &spec, argc, argv, &code)) return code;
  const char *wrong = wrong_usage(&o, c.n_words);
  if (wrong) return command_usage(&c, "%s", wrong);
  struct adding *d = ARENA_NEW(c.arena, struct adding);
  d->c = &c;
  d->o = &o;
  bool ok = run(d, &c.err), some_failed = ok && d->failed > 0;
  if (ok && c.json) print_json(d);
  if (ok && !c.json) print_text(d);
  adding_close(d);
  code = command_end(&c, ok);
  return some_failed ? EXIT_INPUT : code;
}
