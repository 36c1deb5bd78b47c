/* few: a dense layer of so few weights that a longer loop is not worth its code, for cores without lanes.
 *
 * Counts from minus n up to 0, so that one addition is index, count and condition: 7 instructions for a product on
 * ARMv6-M. Built for size everywhere, as opposed to the other loops (firmware/boards/chips.mk). */
#include "mote/isa/isa.h"

void mote_isa_dense_few__plain(const struct mote_fully_connected_s8 *p, const int8_t *in,
                               int8_t *out) {
  const int32_t n = p->in_c, zp = p->output.in_zp;
  const int8_t MOTE_ROM *w = (const int8_t MOTE_ROM *)mote_at(p, p->weights_at) + n;
  const int8_t *const end = in + n;
  for (uint32_t c = 0; c < p->out_c; c++, w += (n + 3) & ~(int32_t)3) {
    const struct mote_channel ch = mote_channel_at(&p->output, c);
    uint32_t sum = (uint32_t)ch.bias;
    int32_t i = -n; /* n >= 1: mote_fully_connected_s8_check */
    do sum += (uint32_t)(w[i] * (end[i] - zp));
    while (++i != 0);
    *out++ = mote_output_of(&p->output, &ch, (int32_t)sum);
  }
}
