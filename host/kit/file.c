/* Files, directories, processes, progress. */
#include "host/kit/kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- files ---------------------------------------------------------------- */
static bool file_fail(struct err *e, const char *path, const char *what) {
  err_file(e, *path ? path : "\"\"");
  return err_set(e, "%s: %s", what, strerror(errno));
}

static bool read_all(struct arena *a, int fd, const char *path, size_t max_bytes, uint8_t **data,
                     size_t *size, struct err *e) {
  size_t room = 65536, n = 0;
  struct stat st;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
    if ((uint64_t)st.st_size > max_bytes) {
      err_file(e, path);
      return err_set(e, "%lld bytes, more than the %zu that are read at most",
                     (long long)st.st_size, max_bytes);
    }
    room = (size_t)st.st_size + 1;
  }
  uint8_t *bytes = arena_alloc(a, room + 1, 1);
  for (;;) {
    ssize_t got = read(fd, bytes + n, room - n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_fail(e, path, "cannot be read");
    if (got == 0) break;
    n += (size_t)got;
    if (n > max_bytes) {
      err_file(e, path);
      return err_set(e, "more than the %zu bytes that are read at most", max_bytes);
    }
    if (n == room) {
      uint8_t *more = arena_alloc(a, room * 2 + 1, 1);
      memcpy(more, bytes, n);
      bytes = more;
      room *= 2;
    }
  }
  bytes[n] = 0;
  *data = bytes;
  *size = n;
  return true;
}

bool file_read(struct arena *a, const char *path, size_t max_bytes, uint8_t **data, size_t *size,
               struct err *e) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_fail(e, path, "cannot be opened");
  bool ok = read_all(a, fd, path, max_bytes, data, size, e);
  close(fd);
  return ok;
}

static bool write_all(int fd, const uint8_t *p, size_t n) {
  while (n) {
    ssize_t put = write(fd, p, n);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    p += put;
    n -= (size_t)put;
  }
  return true;
}

/* After the rename the directory is synced too, so that the new name survives a power cut. */
static void sync_parent(const char *path) {
  char dir[PATH_MAX];
  snprintf(dir, sizeof dir, "%s", path);
  char *slash = strrchr(dir, '/');
  if (!slash)
    snprintf(dir, sizeof dir, ".");
  else
    slash[slash == dir ? 1 : 0] = 0;
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

bool file_write(const char *path, const void *data, size_t size, struct err *e) {
  char beside[PATH_MAX];
  struct stat st;
  bool plain = stat(path, &st) != 0 || S_ISREG(st.st_mode);
  if (!plain) { /* a device or pipe such as /dev/stdout: nothing to rename */
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write_all(fd, data, size);
    if (!ok) file_fail(e, path, "cannot be written");
    if (fd >= 0) close(fd);
    return ok;
  }
  if ((size_t)snprintf(beside, sizeof beside, "%s.%ld.part", path, (long)getpid()) >=
      sizeof beside) {
    err_file(e, path);
    return err_set(e, "the path is too long");
  }
  int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return file_fail(e, path, "cannot be written");
  bool ok = write_all(fd, data, size) && fsync(fd) == 0;
  int why = errno;
  ok = close(fd) == 0 && ok;
  ok = ok && rename(beside, path) == 0;
  if (!ok) {
    if (!why) why = errno;
    unlink(beside);
    errno = why;
    return file_fail(e, path, "cannot be written");
  }
  sync_parent(path);
  return true;
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

bool file_is_dir(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool dir_make(const char *path, struct err *e) {
  char part[PATH_MAX];
  if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) {
    err_file(e, path);
    return err_set(e, "the path is too long");
  }
  for (char *p = part + 1;; p++) {
    char c = *p;
    if (c != '/' && c) continue;
    *p = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST) return file_fail(e, part, "cannot be made");
    if (!c) break;
    *p = c;
  }
  if (!file_is_dir(path)) {
    err_file(e, path);
    return err_set(e, "is a file, and a directory is needed there");
  }
  return true;
}

bool dir_temporary(struct arena *a, char **path, struct err *e) {
  const char *base = getenv("TMPDIR");
  char *name = arena_printf(a, "%s/mote-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(name)) return file_fail(e, name, "no temporary directory");
  *path = name;
  return true;
}

void dir_remove(const char *path) {
  DIR *d = opendir(path);
  if (d) {
    for (struct dirent *it; (it = readdir(d));) {
      char inner[PATH_MAX];
      struct stat st;
      if (!strcmp(it->d_name, ".") || !strcmp(it->d_name, "..")) continue;
      if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, it->d_name) >= sizeof inner)
        continue;
      if (lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))
        dir_remove(inner);
      else
        unlink(inner);
    }
    closedir(d);
  }
  rmdir(path);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

bool dir_list(struct arena *a, const char *path, char ***names, int *count, struct err *e) {
  DIR *d = opendir(path);
  if (!d) return file_fail(e, path, "cannot be listed");
  int room = 64, n = 0;
  char **list = ARENA_ARRAY(a, char *, room);
  for (struct dirent *it; (it = readdir(d));) {
    if (!strcmp(it->d_name, ".") || !strcmp(it->d_name, "..")) continue;
    if (n == room) {
      char **more = ARENA_ARRAY(a, char *, room * 2);
      memcpy(more, list, (size_t)n * sizeof *list);
      list = more;
      room *= 2;
    }
    list[n++] = arena_strdup(a, it->d_name);
  }
  closedir(d);
  qsort(list, (size_t)n, sizeof *list, by_name);
  *names = list;
  *count = n;
  return true;
}

bool mote_home(struct arena *a, char **path, struct err *e) {
  const char *set = getenv("MOTE_HOME");
  char self[PATH_MAX];
  if (set && *set) {
    if (file_exists(arena_printf(a, "%s/mote/base/base.h", set))) {
      *path = arena_strdup(a, set);
      return true;
    }
    err_file(e, set);
    return err_set(e, "MOTE_HOME holds no Mote sources (mote/base/base.h is not there)");
  }
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n > 0) {
    self[n] = 0;
    for (char *slash; (slash = strrchr(self, '/')) && slash != self;) {
      *slash = 0;
      if (file_exists(arena_printf(a, "%s/mote/base/base.h", self))) {
        *path = arena_strdup(a, self);
        return true;
      }
    }
  }
  return err_set(
      e, "Mote's own sources were not found above the program: set MOTE_HOME to their folder");
}

/* ---- processes ------------------------------------------------------------ */
bool process_exists(const char *program) {
  if (strchr(program, '/')) return access(program, X_OK) == 0;
  const char *path = getenv("PATH");
  while (path && *path) {
    char full[PATH_MAX];
    size_t n = strcspn(path, ":");
    snprintf(full, sizeof full, "%.*s/%s", (int)n, path, program);
    if (access(full, X_OK) == 0) return true;
    path += n;
    if (*path == ':') path++;
  }
  return false;
}

struct stream {
  int fd;
  struct text text;
};

static void stream_take(struct stream *s) {
  char buffer[65536];
  ssize_t n = read(s->fd, buffer, sizeof buffer);
  if (n > 0)
    text_addn(&s->text, buffer, (size_t)n);
  else if (n == 0 || errno != EINTR) {
    close(s->fd);
    s->fd = -1;
  }
}

static _Noreturn void child(const char *dir, const char *const *argv, const int pipes[4]) {
  int null = open("/dev/null", O_RDONLY);
  dup2(null, 0);
  dup2(pipes[1], 1);
  dup2(pipes[3], 2);
  setpgid(0, 0);
  if (dir && chdir(dir) != 0) _exit(127);
  char **args;
  memcpy(&args, &argv, sizeof args); /* execvp's prototype lacks const */
  execvp(argv[0], args);
  _exit(127);
}

/* Reads both pipes until they close or the time is over. */
static bool drain(struct stream s[2], pid_t pid, int timeout_s) {
  double end = now_s() + timeout_s;
  while (s[0].fd >= 0 || s[1].fd >= 0) {
    struct pollfd p[2] = {{s[0].fd, POLLIN, 0}, {s[1].fd, POLLIN, 0}};
    double left = end - now_s();
    if (timeout_s && left <= 0) {
      kill(-pid, SIGKILL);
      return true;
    }
    int wait = timeout_s && left < 1.0 ? (int)(left * 1000) + 1 : 1000;
    if (poll(p, 2, wait) < 0 && errno != EINTR) break;
    for (int i = 0; i < 2; i++)
      if (s[i].fd >= 0 && (p[i].revents & (POLLIN | POLLHUP | POLLERR))) stream_take(&s[i]);
  }
  return false;
}

bool process_run(struct arena *a, const char *dir, const char *const *argv, int timeout_s,
                 struct process_result *result, struct err *e) {
  int pipes[4];
  memset(result, 0, sizeof *result);
  if (!process_exists(argv[0])) return err_set(e, "%s is not installed", argv[0]);
  if (pipe2(pipes, O_CLOEXEC) != 0) return err_internal(e, "pipe: %s", strerror(errno));
  if (pipe2(pipes + 2, O_CLOEXEC) != 0) {
    close(pipes[0]);
    close(pipes[1]);
    return err_internal(e, "pipe: %s", strerror(errno));
  }
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) child(dir, argv, pipes);
  close(pipes[1]);
  close(pipes[3]);
  struct stream s[2] = {{.fd = pipes[0]}, {.fd = pipes[2]}};
  text_init(&s[0].text, a);
  text_init(&s[1].text, a);
  if (pid < 0) {
    close(pipes[0]);
    close(pipes[2]);
    return err_internal(e, "fork: %s", strerror(errno));
  }
  result->timed_out = drain(s, pid, timeout_s);
  for (int i = 0; i < 2; i++)
    if (s[i].fd >= 0) close(s[i].fd);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  result->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result->out = s[0].text.data;
  result->out_size = s[0].text.size;
  result->err = s[1].text.data;
  return true;
}

/* ---- progress -------------------------------------------------------------- */
void progress_update(struct progress *p, const char *what, uint64_t done, uint64_t total,
                     const char *format, ...) {
  if (!p || !p->update) return;
  char text[256];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  p->update(p, what, done, total, text);
}

struct terminal {
  struct progress progress;
  bool is_terminal;
  double started, last;
  char what[64];
};

static void terminal_line(struct terminal *t, const char *what, uint64_t done, uint64_t total,
                          const char *text, double elapsed) {
  char bar[3 * 24 + 1] = "";
  double part = total ? (double)done / (double)total : 0;
  int full = (int)(part * 24 + 0.5), k = 0;
  for (int i = 0; i < 24; i++)
    k += snprintf(bar + k, sizeof bar - (size_t)k, "%s", i < full ? "█" : "░");
  char left[32] = "";
  if (done && done < total)
    snprintf(left, sizeof left, "%.0f s left", elapsed * (1 - part) / (part > 0 ? part : 1));
  else
    snprintf(left, sizeof left, "%.1f s", elapsed);
  fprintf(stderr, "\r\033[K%-10s %s %3.0f %%  %s  %s", what, bar, 100 * part, text, left);
  if (done >= total) fputc('\n', stderr);
  fflush(stderr);
  (void)t;
}

/* On a terminal at most 20 lines a second; elsewhere one line when a stage is done. */
static void terminal_update(struct progress *p, const char *what, uint64_t done, uint64_t total,
                            const char *text) {
  struct terminal *t = p->context;
  double now = now_s();
  if (strcmp(t->what, what) != 0) {
    snprintf(t->what, sizeof t->what, "%s", what);
    t->started = now;
    t->last = 0;
  }
  bool complete = done >= total;
  if (!t->is_terminal) {
    if (complete) {
      fprintf(stderr, "%-10s done  %s  %.1f s\n", what, text, now - t->started);
      t->what[0] = 0; /* the next stage may have the same name */
    }
    return;
  }
  if (!complete && now - t->last < 0.05) return;
  t->last = now;
  terminal_line(t, what, done, total, text, now - t->started);
  if (complete) t->what[0] = 0;
}

struct progress *progress_terminal(struct arena *a, bool quiet) {
  struct terminal *t = ARENA_NEW(a, struct terminal);
  t->is_terminal = isatty(2) == 1;
  t->progress.update = quiet ? NULL : terminal_update;
  t->progress.context = t;
  return &t->progress;
}
