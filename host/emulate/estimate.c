/* estimate: cycles to time, time to energy, energy to days on a battery. The method, its sources and its error
 * are in docs/estimates.md. */
#include <math.h>

#include "host/emulate/private.h"

#define BATTERY_MAH   150.0
#define SECONDS_A_DAY 86400.0

static struct emulate_range unknown(const char *reason) {
  return (struct emulate_range){.reason = reason};
}
static struct emulate_range range(double low, double typical, double high) {
  return (struct emulate_range){.known = true, .low = low, .typical = typical, .high = high};
}
static double middle(const struct emulate_figure *f) { return (f->low + f->high) / 2; }

/* Days that the charge lasts when each second computes for busy_s and sleeps for the rest. The chip alone:
 * sensors, radio and regulator are the board's. */
static double days(double busy_s, double active_ma, double sleep_ma) {
  const double mean_ma = busy_s * active_ma + (1 - busy_s) * sleep_ma;
  return BATTERY_MAH * 3600 / mean_ma / SECONDS_A_DAY;
}

static struct emulate_range battery(const struct emulate_estimate *t,
                                    const struct emulate_board *b) {
  if (!b->active_ma.known) return unknown(b->active_ma.source);
  if (!b->sleep_ma.known) return unknown(b->sleep_ma.source);
  const double low = t->milliseconds.low / 1e3, high = t->milliseconds.high / 1e3;
  if (high > 1) return unknown("one inference may take longer than the second that it has");
  return range(days(high, b->active_ma.high, b->sleep_ma.high),
               days(t->milliseconds.typical / 1e3, middle(&b->active_ma), middle(&b->sleep_ma)),
               days(low, b->active_ma.low, b->sleep_ma.low));
}

void emulate_estimate(const struct emulate_count *count, const struct emulate_board *board,
                      struct emulate_estimate *estimate) {
  const char *none = "no board was named";
  *estimate = (struct emulate_estimate){
      .cycles = range(count->cycles_low, count->cycles, count->cycles_high),
      .milliseconds = unknown(none),
      .energy_uj = unknown(none),
      .battery_days = unknown(none)};
  /* Counted, but no instruction has a cost: chips.mk says CORE none. */
  if (count->instructions && !(count->cycles_high > 0)) {
    estimate->cycles = unknown("no timings of this core's instructions are published");
    if (board)
      estimate->milliseconds = estimate->energy_uj = estimate->battery_days = estimate->cycles;
    return;
  }
  if (!board) return;
  if (!board->wait_factor.known) {
    estimate->milliseconds = estimate->energy_uj = estimate->battery_days =
        unknown(board->wait_factor.source);
    return;
  }
  struct emulate_range *c = &estimate->cycles;
  *c = range(c->low * board->wait_factor.low, c->typical * middle(&board->wait_factor),
             c->high * board->wait_factor.high);
  const double ms = 1e3 / board->clock_hz;
  estimate->milliseconds = range(c->low * ms, c->typical * ms, c->high * ms);
  const struct emulate_range *t = &estimate->milliseconds;
  /* ms * mA * V = uJ */
  if (board->active_ma.known)
    estimate->energy_uj = range(t->low * board->active_ma.low * board->volts,
                                t->typical * middle(&board->active_ma) * board->volts,
                                t->high * board->active_ma.high * board->volts);
  else
    estimate->energy_uj = unknown(board->active_ma.source);
  estimate->battery_days = battery(estimate, board);
}
