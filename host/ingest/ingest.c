/* Who reads a file: by the end of its name. */
#include "host/ingest/private.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const char *const audio_endings[] = {".wav",  ".wave", ".flac", ".ogg", ".oga",
                                            ".opus", ".aif",  ".aiff", ".w64"};
static const char *const table_endings[] = {".csv", ".tsv", ".txt"};

static bool ends_with_any(const char *path, const char *const *endings, size_t n) {
  size_t length = strlen(path);
  for (size_t i = 0; i < n; i++) {
    size_t end = strlen(endings[i]);
    if (length > end && strcasecmp(path + length - end, endings[i]) == 0) return true;
  }
  return false;
}

static bool is_audio(const char *path) {
  return ends_with_any(path, audio_endings, sizeof audio_endings / sizeof audio_endings[0]);
}

static bool is_table(const char *path) {
  return ends_with_any(path, table_endings, sizeof table_endings / sizeof table_endings[0]);
}

bool ingest_known(const char *path) { return is_audio(path) || is_table(path); }

static bool read_any(struct arena *a, const char *path, const struct ingest_options *o,
                     struct ingest_recording **recordings, int *count, struct err *e) {
  struct stat info;
  if (stat(path, &info) != 0) return err_set(e, "cannot be opened: %s", strerror(errno));
  if (!S_ISREG(info.st_mode)) return err_set(e, "this is not a file");
  if (info.st_size == 0) return err_set(e, "the file is empty");
  if (is_audio(path)) return ingest_audio(a, path, o, recordings, count, e);
  if (is_table(path)) return ingest_csv(a, path, o, recordings, count, e);
  return err_set(e,
                 "unknown kind of file; recordings are .wav .flac .ogg .aiff (sound) or .csv .tsv "
                 "(tables with a time column)");
}

bool ingest_read(struct arena *a, const char *path, const struct ingest_options *o,
                 struct ingest_recording **recordings, int *count, struct err *e) {
  *count = 0;
  if (read_any(a, path, o, recordings, count, e)) return true;
  *count = 0;
  err_file(e, path);
  return false;
}
