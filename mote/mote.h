/* mote.h: the one header that firmware includes. */
#ifndef MOTE_H
#define MOTE_H
#include "mote/run/run.h"
#include "mote/dsp/dsp.h"
#include "mote/ml/ml.h"
#endif
