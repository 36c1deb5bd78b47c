/* private: what the files of this room share: a file that takes its name when it is whole, and .npy's header. */
#ifndef HOST_EXPORT_PRIVATE_H
#define HOST_EXPORT_PRIVATE_H

#include "host/export/export.h"

struct export_file {
  FILE *f;
  char path[512], beside[544];
};
bool export_create(struct export_file *o, const char *path, struct err *e);
/* ok false: throws it away. */
bool export_finish(struct export_file *o, bool ok, struct err *e);

size_t export_type_bytes(enum export_type type);
/* Magic, version, length and dictionary of an .npy, padded to 64 bytes; returns the bytes. code: as in "<f4". */
#define EXPORT_NPY_HEADER 256
size_t export_npy_header(char header[EXPORT_NPY_HEADER], const char *code, const int64_t *shape,
                         int n_shape);
const char *export_npy_code(enum export_type type);

#endif
