/* Numbers, dates and fields in lines of text. */
#include "host/ingest/private.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool field_is(struct field f, const char *word) {
  return f.n == strlen(word) && strncasecmp(f.at, word, f.n) == 0;
}

/* ---- fields ---------------------------------------------------------------------- */
static struct field trim(struct field f) {
  while (f.n && isspace((unsigned char)f.at[0])) f.at++, f.n--;
  while (f.n && isspace((unsigned char)f.at[f.n - 1])) f.n--;
  if (f.n >= 2 && f.at[0] == '"' && f.at[f.n - 1] == '"') f.at++, f.n -= 2;
  return f;
}

int field_split(struct field line, char separator, struct field *out, int room) {
  int n = 0;
  bool quoted = false;
  size_t start = 0;
  for (size_t i = 0; i <= line.n; i++) {
    if (i < line.n && line.at[i] == '"') quoted = !quoted;
    if (i < line.n && (quoted || line.at[i] != separator)) continue;
    if (n < room) out[n] = trim((struct field){line.at + start, i - start});
    n++;
    start = i + 1;
    /* Columns set with spaces have runs of them. */
    while (separator == ' ' && start < line.n && line.at[start] == ' ') start++, i++;
  }
  return n;
}

/* ---- numbers ---------------------------------------------------------------------- */
/* Digits, a point and an exponent, as every logger writes them: exact where the digits fit into 53 bits and the power
 * of ten into a double (both at most 10^22), else strtod decides. About ten times as fast as strtod. */
static bool quick_number(struct field f, char comma, double *value) {
  static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  size_t i = 0;
  bool negative = false;
  uint64_t digits = 0; /* < 10^15 */
  int seen = 0, behind = 0;
  if (i < f.n && (f.at[i] == '-' || f.at[i] == '+')) negative = f.at[i++] == '-';
  for (; i < f.n && f.at[i] >= '0' && f.at[i] <= '9'; i++, seen++)
    digits = digits * 10 + (uint64_t)(f.at[i] - '0');
  if (i < f.n && f.at[i] == comma)
    for (i++; i < f.n && f.at[i] >= '0' && f.at[i] <= '9'; i++, seen++, behind++)
      digits = digits * 10 + (uint64_t)(f.at[i] - '0');
  if (i < f.n || seen == 0 || seen > 15) return false;
  const double size = (double)digits / tens[behind];
  *value = negative ? -size : size;
  return true;
}

bool field_number(struct field f, char comma, double *value) {
  char text[64], *end = NULL;
  if (f.n == 0 || f.n >= sizeof text) return false;
  if (quick_number(f, comma, value)) return true;
  /* strtod also takes "nan", "infinity" and hexadecimal: no table of measurements means those. */
  for (size_t i = 0; i < f.n; i++) {
    text[i] = f.at[i] == comma ? '.' : f.at[i];
    if (!strchr("+-.0123456789eE", text[i]) || (f.at[i] == '.' && comma != '.')) return false;
  }
  text[f.n] = 0;
  *value = strtod(text, &end);
  return end == text + f.n && isfinite(*value);
}

/* ---- times ------------------------------------------------------------------------ */
/* Days since 1970-01-01 of the Gregorian calendar. source: Richards 2013, the Julian day number. */
static int64_t days_from_date(int y, int m, int d) {
  int64_t a = (14 - m) / 12, yy = y + 4800 - a, mm = m + 12 * a - 3;
  return d + (153 * mm + 2) / 5 + 365 * yy + yy / 4 - yy / 100 + yy / 400 - 32045 - 2440588;
}

/* Up to `most` digits, at least `least`. */
static bool digits(const char **at, const char *end, int least, int most, int *value) {
  int n = 0, v = 0;
  for (; n < most && *at < end && **at >= '0' && **at <= '9'; n++, (*at)++)
    v = v * 10 + (**at - '0');
  *value = v;
  return n >= least;
}

static bool one_of(const char **at, const char *end, const char *set) {
  if (*at >= end || !strchr(set, **at) || !**at) return false;
  (*at)++;
  return true;
}

static bool parse_day(const char **at, const char *end, double *seconds) {
  int y, mo, d;
  const char *p = *at;
  if (!digits(&p, end, 4, 4, &y) || !one_of(&p, end, "-/.") || !digits(&p, end, 1, 2, &mo) ||
      !one_of(&p, end, "-/.") || !digits(&p, end, 1, 2, &d) || y < 1 || mo < 1 || mo > 12 ||
      d < 1 || d > 31)
    return false;
  *seconds = (double)(days_from_date(y, mo, d) * 86400);
  *at = p;
  return true;
}

/* 17:51, 17:51:00.25, 17_51_00 */
static bool parse_clock(const char **at, const char *end, double *seconds) {
  int h, mi, s = 0;
  const char *p = *at;
  double part = 0;
  if (!digits(&p, end, 1, 2, &h) || !one_of(&p, end, ":_") || !digits(&p, end, 2, 2, &mi))
    return false;
  if (one_of(&p, end, ":_")) {
    if (!digits(&p, end, 2, 2, &s)) return false;
    if (one_of(&p, end, ".,")) {
      /* As one division: 0.25 is exact, and no error builds up over the digits. */
      double whole = 0, scale = 1;
      while (p < end && *p >= '0' && *p <= '9') {
        if (scale < 1e15) whole = whole * 10 + (*p - '0'), scale *= 10;
        p++;
      }
      part = whole / scale;
    }
  }
  if (h > 24 || mi > 59 || s > 60) return false;
  *seconds = h * 3600 + mi * 60 + s + part;
  *at = p;
  return true;
}

/* Z, UTC, +01:00, +0100, +01 */
static bool parse_zone(const char **at, const char *end, double *seconds) {
  const char *p = *at;
  int h, mi = 0;
  *seconds = 0;
  if (p < end && (*p == 'Z' || *p == 'z')) return *at = p + 1, true;
  if (end - p == 3 && strncasecmp(p, "UTC", 3) == 0) return *at = end, true;
  if (p >= end || (*p != '+' && *p != '-')) return false;
  const double sign = *p++ == '-' ? -1 : 1;
  if (!digits(&p, end, 2, 2, &h)) return false;
  one_of(&p, end, ":");
  if (p < end && !digits(&p, end, 2, 2, &mi)) return false;
  if (h > 14 || mi > 59) return false;
  *seconds = sign * (h * 3600 + mi * 60);
  *at = p;
  return true;
}

bool field_time(struct field f, double *seconds) {
  const char *at = f.at, *end = f.at + f.n;
  double day = 0, clock = 0, zone = 0;
  if (f.n < 5 || f.n > 40) return false;
  const bool has_day = parse_day(&at, end, &day);
  if (has_day && at < end) {
    if (!one_of(&at, end, "T t_")) return false;
    while (at < end && *at == ' ') at++;
  }
  if ((!has_day || at < end) && !parse_clock(&at, end, &clock)) return false;
  while (at < end && *at == ' ') at++;
  if (at < end && !parse_zone(&at, end, &zone)) return false;
  *seconds = day + clock - zone;
  return at == end;
}
