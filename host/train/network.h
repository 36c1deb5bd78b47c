/* train/network: what network.c and network_text.c share. */
#ifndef HOST_TRAIN_NETWORK_H
#define HOST_TRAIN_NETWORK_H

#include "host/train/train.h"

#define TRAIN_MAX_SIDE     4096 /* of a map; channels alike */
#define TRAIN_MAX_ELEMENTS (1 << 24)

struct train_map {
  int h, w, c;
  bool flat;
};
/* Of the output of a layer; -1: of the network's input. */
struct train_map train_map_of(const struct train_network *net, int layer);
/* Weights of one output of a convolution or dense layer; 0 of other layers. */
int64_t train_layer_inputs(const struct train_network *net, const struct train_layer *l);
/* Whether the scale of output i is given: it cannot share another's. */
bool train_scale_fixed(const struct train_network *net, int i);
/* train_network_check without heads: for networks that are still being put together. */
bool train_network_shapes(struct train_network *net, struct err *e);

#endif
