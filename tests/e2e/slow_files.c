/* A library to be preloaded (LD_PRELOAD) under which some files are slow, as on a disk or a server that hardly answers, and
 * which sees whether an event loop ever asks for a file by its name.
 *
 * SLOW_FILES names a file of one struct slow: open(2) of a path that ends as `path` says takes so many milliseconds, and
 * fails where `error` says how. A thread that has called epoll_wait(2) is an event loop; `on_loops` counts its calls that name a file, `last` is the last
 * one. Built by the test: cc -shared -fPIC. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct slow {
  char path[64], last[192];
  long milliseconds, error, delayed, on_loops, waiting;
};
static struct slow none, *now = &none;
static __thread int is_loop;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("SLOW_FILES");
  const int file = path == NULL ? -1 : REAL(open)(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* at = mmap(NULL, sizeof *now, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at != MAP_FAILED) now = at;
  close(file);
}

static void note(const char* path) {
  if (!is_loop || path == NULL) return;
  strncpy(now->last, path, sizeof now->last - 1);
  __atomic_fetch_add(&now->on_loops, 1, __ATOMIC_SEQ_CST);
}

/* Whether it fails. */
static int delay(const char* path) {
  note(path);
  const long milliseconds = __atomic_load_n(&now->milliseconds, __ATOMIC_SEQ_CST);
  const size_t octets = path == NULL ? 0 : strlen(path), end = strlen(now->path);
  if (end == 0 || octets < end || strcmp(path + octets - end, now->path) != 0) return 0;
  const struct timespec wait = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
  __atomic_fetch_add(&now->waiting, 1, __ATOMIC_SEQ_CST);
  nanosleep(&wait, NULL);
  __atomic_fetch_sub(&now->waiting, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&now->delayed, 1, __ATOMIC_SEQ_CST);
  errno = (int)now->error;
  return errno != 0;
}

int epoll_wait(int epoll, struct epoll_event* events, int most, int milliseconds) {
  static int (*real)(int, struct epoll_event*, int, int);
  if (real == NULL) real = REAL(epoll_wait);
  is_loop = 1;
  return real(epoll, events, most, milliseconds);
}

static mode_t mode_of(int flags, va_list rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return delay(path) ? -1 : REAL(open)(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return delay(path) ? -1 : REAL(openat)(folder, path, flags, mode);
}

FILE* fopen(const char* path, const char* mode) { return delay(path) ? NULL : REAL(fopen)(path, mode); }

int stat(const char* path, struct stat* about) {
  note(path);
  return REAL(stat)(path, about);
}

int lstat(const char* path, struct stat* about) {
  note(path);
  return REAL(lstat)(path, about);
}

int fstatat(int folder, const char* path, struct stat* about, int flags) {
  return delay(path) ? -1 : REAL(fstatat)(folder, path, about, flags);
}

int access(const char* path, int mode) {
  note(path);
  return REAL(access)(path, mode);
}

int faccessat(int folder, const char* path, int mode, int flags) {
  note(path);
  return REAL(faccessat)(folder, path, mode, flags);
}

ssize_t readlink(const char* path, char* room, size_t octets) {
  note(path);
  return REAL(readlink)(path, room, octets);
}

DIR* opendir(const char* path) {
  note(path);
  return REAL(opendir)(path);
}
