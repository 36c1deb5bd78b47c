/* private: what the files of this room share. */
#ifndef HOST_INGEST_PRIVATE_H
#define HOST_INGEST_PRIVATE_H

#include "host/ingest/ingest.h"

bool ingest_audio(struct arena *a, const char *path, const struct ingest_options *o,
                  struct ingest_recording **recordings, int *count, struct err *e);
bool ingest_csv(struct arena *a, const char *path, const struct ingest_options *o,
                struct ingest_recording **recordings, int *count, struct err *e);

/* Float frames at from_hz -> the wanted rate and type, in the arena. scale: what 1.0 is as int16 (32768 for
 * audio, 1 for tables). Fills type, rate_hz, channels, length, data, source_rate_hz and clipped. */
bool ingest_finish(struct arena *a, const struct ingest_options *o, const float *frames,
                   int64_t length, int channels, double from_hz, double scale,
                   struct ingest_recording *r, struct err *e);

#endif
