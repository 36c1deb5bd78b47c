/* sensor: what a firmware must do with a sensor's values before it gives them to the model, as text of sensor.h. */
#ifndef APP_SENSOR_H
#define APP_SENSOR_H

#include "app/project.h"

/* Ranges and scales of the channels, and the calibration, of a model that was trained with these ranges. */
void sensor_emit(const struct project_config *c, const double *range, struct text *out);

#endif
