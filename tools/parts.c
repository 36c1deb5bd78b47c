/* parts: draws pictures of a bench with coins, nuts and screws on it, and writes where they lie: made-up data for
 * docs/howto/count.md and test/count.sh, where no openly licensed set of boxes is at hand.
 *
 * usage: parts FOLDER COUNT [SIDE [SEED]]     COUNT pictures of SIDE x SIDE pixels (96), FOLDER/0001.pgm ..., and FOLDER/boxes.csv
 *
 * Sizes, brightness, light from one side, blur, noise, grain of the bench, scratches and crumbs differ from picture to picture; things may touch. The same
 * arguments give the same bytes. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_SIDE = 512, MOST_THINGS = 14 };

static uint64_t state;
static double unit(void) {
  state += 0x9E3779B97F4A7C15u; /* splitmix64 */
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}
static double between(double low, double high) { return low + (high - low) * unit(); }
static double noise(void) { return unit() + unit() + unit() + unit() - 2; }

struct thing {
  int kind; /* 0 coin, 1 nut, 2 screw */
  double x, y, size, turn, shade;
};
static const char *const names[] = {"coin", "nut", "screw"};

/* Half of the box that a thing fills. */
static void extent(const struct thing *t, double *across, double *down) {
  *across = *down = t->size;
  if (t->kind != 2) return;
  *across = t->size * (0.3 + 1.5 * fabs(cos(t->turn)));
  *down = t->size * (0.3 + 1.5 * fabs(sin(t->turn)));
}

/* How much of a thing lies at a point (0 to 1), and how bright it is there. */
static double cover(const struct thing *t, double x, double y, double *shade) {
  const double dx = x - t->x, dy = y - t->y, r = sqrt(dx * dx + dy * dy);
  const double u = (dx * cos(t->turn) + dy * sin(t->turn)) / t->size,
               v = (dy * cos(t->turn) - dx * sin(t->turn)) / t->size;
  double inside;
  *shade = t->shade;
  if (t->kind == 0) { /* a rim, and an uneven face */
    inside = t->size - r;
    if (r < 0.8 * t->size) *shade *= 0.82 + 0.12 * sin(5 * u + 3 * v * v) * sin(4 * v);
  } else if (t->kind == 1) { /* six sides about a hole */
    double most = 0;
    for (int k = 0; k < 3; k++) {
      const double a = fabs(u * cos(k * 1.0471976) + v * sin(k * 1.0471976));
      if (a > most) most = a;
    }
    inside = fmin((0.87 - most) * t->size, r - 0.45 * t->size);
  } else { /* a head, and a thread behind it */
    const double head = fmin(0.45 - fabs(u + 1.3), 0.62 - fabs(v)),
                 shaft = fmin(fmin(u + 1.2, 1.7 - u), 0.27 - fabs(v));
    inside = fmax(head, shaft) * t->size;
    if (shaft > head) *shade *= 0.8 + 0.25 * sin(14 * u);
  }
  return inside > 0.5 ? 1 : inside < -0.5 ? 0 : inside + 0.5;
}

/* Things do not lie on each other. */
static int place(struct thing *things, int n, int side) {
  for (int tries = 0; tries < 60; tries++) {
    struct thing *t = &things[n];
    double a, d;
    *t = (struct thing){(int)(3 * unit()), 0, 0, side * between(0.055, 0.1), between(0, 6.2831853),
                        between(130, 235)};
    if (t->kind == 2) t->size *= 0.9;
    extent(t, &a, &d);
    t->x = between(a, side - a), t->y = between(d, side - d);
    int free = 1;
    for (int k = 0; k < n; k++) {
      double a2, d2;
      extent(&things[k], &a2, &d2);
      if (fabs(t->x - things[k].x) < 0.95 * (a + a2) && fabs(t->y - things[k].y) < 0.95 * (d + d2))
        free = 0;
    }
    if (free) return n + 1;
  }
  return n;
}

static void draw(const struct thing *things, int n, int side, unsigned char *out) {
  const double ground = between(40, 110), tilt = between(-0.35, 0.35), lean = between(-0.35, 0.35),
               grain = between(0, 10), wave = between(0.2, 0.9), rough = between(2, 9),
               scratch_x = between(0, side), scratch_turn = between(-0.6, 0.6),
               light = between(0.75, 1.15);
  double crumbs[6][2];
  for (int k = 0; k < 6; k++) crumbs[k][0] = between(0, side), crumbs[k][1] = between(0, side);
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++) {
      const double px = x + 0.5, py = y + 0.5;
      double v = ground + grain * sin(wave * px + 2 * sin(0.1 * py));
      if (fabs(px - scratch_x - scratch_turn * py) < 0.7) v += 45;
      for (int k = 0; k < 6; k++)
        if (hypot(px - crumbs[k][0], py - crumbs[k][1]) < 1.3) v += 70;
      for (int k = 0; k < n; k++) {
        double shade;
        struct thing shadow = things[k];
        shadow.x += 1.5, shadow.y += 1.5;
        v *= 1 - 0.35 * cover(&shadow, px, py, &shade);
      }
      for (int k = 0; k < n; k++) {
        double shade;
        const double c = cover(&things[k], px, py, &shade);
        v += (shade - v) * c;
      }
      v *= light * (1 + tilt * (px / side - 0.5) + lean * (py / side - 0.5));
      v += rough * noise();
      out[y * side + x] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
    }
}

int main(int argc, char **argv) {
  static unsigned char picture[MOST_SIDE * MOST_SIDE];
  char path[4096];
  const int count = argc > 2 ? atoi(argv[2]) : 0, side = argc > 3 ? atoi(argv[3]) : 96;
  if (argc < 3 || count < 1 || count > 9999 || side < 32 || side > MOST_SIDE) {
    fprintf(stderr, "usage: parts FOLDER COUNT [SIDE 32..512 [SEED]]\n");
    return 2;
  }
  state = argc > 4 ? (uint64_t)atoll(argv[4]) : 1;
  snprintf(path, sizeof path, "%s/boxes.csv", argv[1]);
  FILE *boxes = fopen(path, "w");
  if (!boxes) return perror(path), 1;
  fprintf(boxes, "file,label,x,y,width,height\n");
  for (int i = 1; i <= count; i++) {
    struct thing things[MOST_THINGS + 1];
    const int wanted = (int)(unit() * (MOST_THINGS - 1));
    int n = 0;
    for (int k = 0; k < wanted; k++) n = place(things, n, side);
    draw(things, n, side, picture);
    snprintf(path, sizeof path, "%s/%04d.pgm", argv[1], i);
    FILE *f = fopen(path, "wb");
    if (!f) return perror(path), 1;
    fprintf(f, "P5 %d %d 255\n", side, side);
    fwrite(picture, 1, (size_t)side * (size_t)side, f);
    if (fclose(f)) return perror(path), 1;
    for (int k = 0; k < n; k++) {
      double a, d;
      extent(&things[k], &a, &d);
      fprintf(boxes, "%04d.pgm,%s,%.0f,%.0f,%.0f,%.0f\n", i, names[things[k].kind], things[k].x - a,
              things[k].y - d, 2 * a, 2 * d);
    }
    if (!n) fprintf(boxes, "%04d.pgm,,,,,\n", i);
  }
  return fclose(boxes) ? (perror(path), 1) : 0;
}
