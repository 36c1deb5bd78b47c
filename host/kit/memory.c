/* Arena: blocks in a list, each at least twice the last, released together. */
#include "host/kit/kit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_ALIGN     64u
#define ARENA_HUGE      ((size_t)2 * 1024 * 1024) /* of x86-64 and most arm64 */
#define ARENA_FIRST     ((size_t)64 * 1024)
#define ARENA_CAP       ((size_t)2 * 1024 * 1024 * 1024)
#define ARENA_BLOCK_MAX ((size_t)64 * 1024 * 1024)

struct block {
  struct block *before;
  size_t used, room;
  uint8_t *bytes;
};

struct arena {
  struct block *last;
  size_t held, cap;
};

struct arena *arena_new(size_t cap_bytes) {
  struct arena *a = calloc(1, sizeof *a);
  if (a) a->cap = cap_bytes ? cap_bytes : ARENA_CAP;
  return a;
}

void arena_free(struct arena *a) {
  if (!a) return;
  for (struct block *b = a->last; b;) {
    struct block *before = b->before;
    free(b->bytes);
    free(b);
    b = before;
  }
  free(a);
}

size_t arena_left(const struct arena *a) { return a->cap - a->held; }

/* Exhaustion is a limit that the caller chose, or a machine without memory: neither can be handled in the
 * middle of a computation, so the process ends as an internal error, saying the numbers. */
static _Noreturn void exhausted(const struct arena *a, size_t wanted) {
  fprintf(stderr, "mote: out of memory: %zu bytes wanted, %zu of at most %zu in use\n", wanted,
          a->held, a->cap);
  exit(3);
}

static struct block *block_new(struct arena *a, size_t need) {
  size_t room = a->last ? a->last->room * 2 : ARENA_FIRST;
  if (room > ARENA_BLOCK_MAX) room = ARENA_BLOCK_MAX;
  if (room < need) room = need;
  if (room > arena_left(a)) room = need;
  if (room > arena_left(a)) exhausted(a, need);
  struct block *b = calloc(1, sizeof *b);
  const size_t align = room >= 2 * ARENA_HUGE ? ARENA_HUGE : ARENA_ALIGN;
  room = (room + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
  uint8_t *bytes = b ? aligned_alloc(align, (room + align - 1) / align * align) : NULL;
  if (!b || !bytes) {
    free(b);
    exhausted(a, need);
  }
#if defined(MADV_HUGEPAGE)
  /* All of it is touched right here: large pages take no more memory, and spare what walks over it most of the look-ups of
   * addresses. A refusal does no harm. */
  if (align == ARENA_HUGE) madvise(bytes, room / ARENA_HUGE * ARENA_HUGE, MADV_HUGEPAGE);
#endif
  memset(bytes, 0, room);
  *b = (struct block){a->last, 0, room, bytes};
  a->held += room;
  a->last = b;
  return b;
}

void *arena_alloc(struct arena *a, size_t count, size_t size) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX - ARENA_ALIGN) exhausted(a, SIZE_MAX);
  n = (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
  if (!n) n = ARENA_ALIGN;
  struct block *b = a->last;
  if (!b || b->room - b->used < n) b = block_new(a, n);
  void *piece = b->bytes + b->used;
  b->used += n;
  return piece;
}

char *arena_strdup(struct arena *a, const char *text) {
  size_t n = strlen(text) + 1;
  return memcpy(arena_alloc(a, n, 1), text, n);
}

char *arena_printf(struct arena *a, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *text = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1, 1);
  if (n > 0) vsnprintf(text, (size_t)n + 1, format, again);
  va_end(again);
  return text;
}
