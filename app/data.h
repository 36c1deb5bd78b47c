/* data: what the words of `mote data` share. cmd_data.c finds the word; each word has its own options and help.
 *
 * A pick is which samples a word means: numbers and stretches of them (4 7 10-20), or a filter (--label, --group,
 * --split, --where), or both; a word that changes samples wants one of the two, so that nothing happens to all by
 * accident. Whatever changes samples is one change of the history, so `mote data undo` takes it back. */
#ifndef APP_DATA_H
#define APP_DATA_H

#include "app/project.h"

struct data_pick {
  const char *label, *group, *split, *dir;
  struct option_list where;
  bool disabled, all;
  int64_t most;
  /* Filled in by data_pick_open: */
  struct store_filter filter;
};

/* The options of a pick, for a word's own table. */
#define DATA_PICK_OPTIONS(pick)                                                                    \
  {'l', "label", OPTION_TEXT, "LABEL", "only samples with this label", &(pick).label},             \
      {'g', "group", OPTION_TEXT, "GROUP", "only this group", &(pick).group},                      \
      {'s', "split", OPTION_TEXT, "SPLIT", "only this split", &(pick).split},                      \
      {'w',                                                                                        \
       "where",                                                                                    \
       OPTION_LIST,                                                                                \
       "KEY=VALUE",                                                                                \
       "only where metadata or a field is so (also != < > <= >=)",                                 \
       &(pick).where},                                                                             \
  {                                                                                                \
    0, "project", OPTION_TEXT, "FOLDER", "the project (default: here or above)", &(pick).dir       \
  }

/* Checks the texts of a pick; a wrong one is a usage error that was told, with *code the exit. */
bool data_pick_parse(struct command_line *c, struct data_pick *pick, int *code);
/* The picked samples' descriptions. needs: data_pick_parse. must_choose: an empty pick is refused.
 * errors: no such number, a word that is none. */
bool data_pick_samples(struct command_line *c, struct project *p, struct data_pick *pick,
                       bool must_choose, struct store_sample **samples, int *count);

/* A JSON object on its way to standard output. */
struct data_json {
  struct text text;
  struct json j;
};
void data_json_open(struct data_json *out, struct arena *a);
void data_json_close(struct data_json *out);
/* Description of a sample as an object of an array. */
void data_json_sample(struct json *j, const struct store_sample *s);
double data_seconds(const struct store_sample *s); /* 0 for pictures */
/* "12.5 s" or "32x24x3". */
const char *data_extent(struct arena *a, const struct store_sample *s);
/* The numbers as float, int16 and uint8 as shares of full scale. */
const float *data_values(struct arena *a, const struct store_sample *s);
/* The file that a sample came from: the source up to a colon in its last part ("walk.csv:lines 2-90"). */
const char *data_file_of(struct arena *a, const char *source);
/* How much of a source is the name of its file. */
size_t data_file_length(const char *source);
/* Sorted words without doubles; numbers: for each of n texts the place of its word. Returns how many words. */
int data_number_texts(struct arena *a, const char *const *texts, int n, const char ***words,
                      int32_t *numbers);
/* A large arena for one sample's numbers; NULL and e when there is no memory. */
struct arena *data_arena(struct err *e);
/* One line about what was done, or an object {key: value}; both where a word says how many samples it changed. */
void data_print_done(struct command_line *c, const char *key, int64_t value, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* DATA_WORD(name, function, group, summary): the order of `mote data --help`. */
#define DATA_WORD(name, function, group, summary) int function(int argc, char **argv);
#include "app/data.def"
#undef DATA_WORD

/* What the options of `mote data` without a word did before there were words; they stay. */
bool data_list_samples(struct command_line *c, struct project *p, struct data_pick *pick);
bool data_plot(struct command_line *c, struct project *p, int64_t id, const char *path);
bool data_runs(struct command_line *c, struct project *p);
/* The project's file is whole, and every sample can be read; a failure is told. */
bool data_check_file(struct command_line *c, struct project *p, int64_t *samples);

#endif
