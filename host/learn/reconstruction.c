/* reconstruction: an autoencoder's error in fixed point, from the scales of what it reads and answers. */
#include "host/learn/learn.h"

#include <math.h>

#define FRACTION 14

/* Steps of a difference: as fine as int16 holds all that two int8 can differ by, about a thousandth of a deviation. */
static int steps_of(double sum_of_scales) {
  int fraction = FRACTION;
  while (fraction >= 0 && ldexp(256 * sum_of_scales, fraction) > 32766) fraction--;
  return fraction;
}

bool learn_reconstruction(uint32_t n, const float scale[2], const int32_t zp[2], struct arena *a,
                          struct learn_model *out, struct err *e) {
  const double in = (double)scale[0], answer = (double)scale[1];
  const int fraction = in > 0 && answer > 0 ? steps_of(in + answer) : -1;
  int shift = 30, doublings = 0;
  if (n < 1 || n > 32767)
    return err_set(e, "an autoencoder of %u values; 1 to 32767 have an error in fixed point", n);
  if (fraction < 0) return err_set(e, "the scales %g and %g are out of reach", in, answer);
  while (ldexp(fmax(in, answer), fraction + shift) > 32767) shift--;
  while (n >> doublings > 1) doublings++;
  const long long step[2] = {llround(ldexp(in, fraction + shift)),
                             llround(ldexp(answer, fraction + shift))};
  struct mote_ml_reconstruction *m = ARENA_NEW(a, struct mote_ml_reconstruction);
  *m = (struct mote_ml_reconstruction){
      .head = {.magic = MOTE_ML_MAGIC,
               .bytes = sizeof *m,
               .version = MOTE_ML_VERSION,
               .kind = MOTE_ML_RECONSTRUCTION,
               .fraction = FRACTION,
               .features = (uint16_t)(2 * n),
               .threshold = INT32_MAX},
      .offset = (int32_t)(step[1] * zp[1] - step[0] * zp[0] + (1LL << shift >> 1)),
      .input = (uint16_t)step[0],
      .answer = (uint16_t)step[1],
      .inverse = (uint16_t)llround(ldexp(1.0 / n, 15 + doublings)),
      .shift = (uint8_t)shift,
      .mean_shift = (uint8_t)(15 + doublings + 2 * fraction - FRACTION)};
  const enum mote_status status = mote_ml_check(m, sizeof *m);
  if (status != MOTE_OK)
    return err_internal(e, "the error of an autoencoder is refused: %s", mote_status_text(status));
  *out = (struct learn_model){
      .model = &m->head, .bytes = sizeof *m, .about = arena_printf(a, "the error of %u values", n)};
  return true;
}
