/* A library to be preloaded (LD_PRELOAD) that makes system calls fail, and clocks jump, while a test looks on.
 *
 * TROUBLE names a file of one struct trouble, which the test writes and this library only counts in: after `skip` more
 * calls of the named kind, `count` calls fail with `error`. Only regular files and folders are touched, so that the
 * process can still wake its threads and write its log. Built by the test: cc -shared -fPIC. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct trouble {
  char call[16];
  long skip, count, error, failed;
  long clock_seconds; /* added to CLOCK_REALTIME */
  long still;         /* when not 0, what CLOCK_REALTIME is, always */
  long passed;        /* seconds, added to CLOCK_MONOTONIC */
};
static struct trouble none, *now = &none;

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("TROUBLE");
  const int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* at = mmap(NULL, sizeof *now, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at != MAP_FAILED) now = at;
  close(file);
}

static int fails(const char* call) {
  if (__atomic_load_n(&now->count, __ATOMIC_SEQ_CST) <= 0 || strcmp(now->call, call) != 0) return 0;
  if (__atomic_fetch_sub(&now->skip, 1, __ATOMIC_SEQ_CST) > 0) return 0;
  if (__atomic_fetch_sub(&now->count, 1, __ATOMIC_SEQ_CST) <= 0) return 0;
  __atomic_fetch_add(&now->failed, 1, __ATOMIC_SEQ_CST);
  errno = (int)now->error;
  return 1;
}

static int is_stored(int file) {
  struct stat about;
  return fstat(file, &about) == 0 && (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode)) && file != 2;
}

/* Memory: of the process alone, and not of the tools that read the file. */
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) { return fails("malloc") ? NULL : __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return fails("malloc") ? NULL : __libc_calloc(count, size); }
void* realloc(void* old, size_t size) { return fails("malloc") ? NULL : __libc_realloc(old, size); }
void* memalign(size_t boundary, size_t size) { return fails("malloc") ? NULL : __libc_memalign(boundary, size); }
void* aligned_alloc(size_t boundary, size_t size) { return memalign(boundary, size); }
int posix_memalign(void** into, size_t boundary, size_t size) {
  void* const got = memalign(boundary, size);
  if (got == NULL) return ENOMEM;
  *into = got;
  return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void* octets, size_t size) {
  static ssize_t (*real)(int, const void*, size_t);
  if (real == NULL) real = REAL(write);
  if (now->count > 0 && is_stored(file)) {
    if (fails("write")) return -1;
    if (size > 1 && fails("half a write")) return real(file, octets, size / 2);
  }
  return real(file, octets, size);
}

ssize_t writev(int file, const struct iovec* pieces, int count) {
  static ssize_t (*real)(int, const struct iovec*, int);
  if (real == NULL) real = REAL(writev);
  if (now->count > 0 && is_stored(file)) {
    if (fails("write")) return -1;
    if (fails("half a write")) return real(file, pieces, 1);
  }
  return real(file, pieces, count);
}

int fsync(int file) {
  static int (*real)(int);
  if (real == NULL) real = REAL(fsync);
  return fails("fsync") ? -1 : real(file);
}

int linkat(int from, const char* old, int to, const char* new, int flags) {
  static int (*real)(int, const char*, int, const char*, int);
  if (real == NULL) real = REAL(linkat);
  return fails("linkat") ? -1 : real(from, old, to, new, flags);
}

int mkdirat(int folder, const char* path, mode_t mode) {
  static int (*real)(int, const char*, mode_t);
  if (real == NULL) real = REAL(mkdirat);
  return fails("mkdirat") ? -1 : real(folder, path, mode);
}

int accept4(int file, struct sockaddr* name, socklen_t* octets, int flags) {
  static int (*real)(int, struct sockaddr*, socklen_t*, int);
  if (real == NULL) real = REAL(accept4);
  return fails("accept4") ? -1 : real(file, name, octets, flags);
}

ssize_t send(int file, const void* octets, size_t size, int flags) {
  static ssize_t (*real)(int, const void*, size_t, int);
  if (real == NULL) real = REAL(send);
  return fails("send") ? -1 : real(file, octets, size, flags);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  static int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  if (real == NULL) real = REAL(pthread_create);
  return fails("pthread_create") ? (int)now->error : real(thread, attributes, run, argument);
}

int epoll_ctl(int epoll, int operation, int file, struct epoll_event* event) {
  static int (*real)(int, int, int, struct epoll_event*);
  if (real == NULL) real = REAL(epoll_ctl);
  return operation == EPOLL_CTL_ADD && fails("epoll_ctl") ? -1 : real(epoll, operation, file, event);
}

long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (real == NULL) real = REAL(syscall);
  va_list rest;
  long a[6];
  va_start(rest, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_io_submit && fails("io_submit")) return -1;
  if (number == SYS_io_getevents && fails("io_getevents")) return -1;
  if (number == SYS_io_getevents && a[2] > 0 && fails("io_event")) { /* of the first file alone */
    const long got = real(number, a[0], a[1], a[2], a[3], a[4]);
    if (got > 0) ((long*)a[3])[2] = -now->error; /* struct io_event: data, obj, res, res2 */
    return got;
  }
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  static int (*real)(clockid_t, struct timespec*);
  if (real == NULL) real = REAL(clock_gettime);
  const int result = real(clock, time);
  if (result == 0 && clock == CLOCK_MONOTONIC) time->tv_sec += now->passed;
  if (result != 0 || clock != CLOCK_REALTIME) return result;
  time->tv_sec += now->clock_seconds;
  if (now->still != 0) *time = (struct timespec){.tv_sec = now->still, .tv_nsec = 0};
  return result;
}

time_t time(time_t* at) {
  struct timespec present = {0};
  clock_gettime(CLOCK_REALTIME, &present);
  if (at != NULL) *at = present.tv_sec;
  return present.tv_sec;
}
