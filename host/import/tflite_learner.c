/* import: the custom operator "MoteLearner": a vector and a constant uint8 tensor, a model of mote/ml. Its rule
 * (host/graph/check_learner.c) proves the model. */
#include "host/import/tflite.h"

const struct tflite_reader tflite_reader_LEARNER = {2, 3, 1, 2, NULL, "MoteLearner"};
