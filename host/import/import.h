/* import: reads models that other software made into a graph. So far: TensorFlow Lite flatbuffers.
 *
 * Every byte is hostile. A reader checks each offset before it follows it, assumes no alignment, and has
 * caps on counts, so that any file gives a graph that passes graph_check, or an error that names the file and the
 * operator, says what is wrong and what would work.
 *
 * invariant: tensor t of the graph is tensor t of the model, and node.source_op is its operator, so
 * layers can be compared with other software. */
#ifndef HOST_IMPORT_H
#define HOST_IMPORT_H

#include "host/graph/graph.h"

/* Most bytes that import_file reads. */
#define IMPORT_MAX_BYTES ((size_t)256 << 20)

/* Reads a .tflite model. name is for messages. The graph copies what it needs: bytes may go afterwards.
 * errors: NULL; e says what is wrong.  needs: about twice n left in the arena. */
struct graph *import_tflite(struct arena *a, const char *name, const uint8_t *bytes, size_t n,
                            struct err *e);

/* Reads a file of any format that import knows, recognised by its content, not by its name. */
struct graph *import_file(struct arena *a, const char *path, struct err *e);

#endif
