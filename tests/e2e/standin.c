// Stands in for qmail-queue (on descriptors 0 and 1) and, called `check`, for a check program (on descriptor 3).
// in      STANDIN_EXIT: the exit code of each run; or STANDIN_EXITS, and STANDIN_CHECK_EXITS for `check`: a file with
// one
//         code a line, the first is taken
//         STANDIN_SECONDS: how long a message takes
//         STANDIN_ENVELOPES: a file to which each envelope is appended, with a LF
// out     reads everything and drops it; `check` runs the program of its arguments when the code is 0
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char octets[1 << 20];

static size_t read_all(int fd) {
  size_t have = 0;
  ssize_t got;
  while ((got = read(fd, octets + have, sizeof octets - 1 - have)) > 0)
    if ((have += (size_t)got) == sizeof octets - 1) have = 0;
  return have;
}

static void keep_envelope(size_t count) {
  const char* path = getenv("STANDIN_ENVELOPES");
  int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
  octets[count] = '\n';
  if (fd >= 0 && write(fd, octets, count + 1) < 0) exit(53);
}

static int next_code(const char* list) {
  const char* code = getenv("STANDIN_EXIT");
  const char* path = getenv(list);
  if (code || !path) return code ? atoi(code) : 0;
  int fd = open(path, O_RDWR);
  size_t count = fd < 0 ? 0 : read_all(fd);
  octets[count] = 0;
  char* rest = strchr(octets, '\n');
  if (!rest) return 81;  // asked more often than it has answers
  *rest++ = 0;
  int number = atoi(octets);
  if (ftruncate(fd, 0) < 0 || pwrite(fd, rest, strlen(rest), 0) < 0) return 53;
  return number;
}

int main(int count, char** words) {
  const char* name = strrchr(words[0], '/');
  if (name && strcmp(name, "/check") == 0) {
    read_all(3);
    int code = next_code("STANDIN_CHECK_EXITS");
    if (code == 139) raise(SIGSEGV);
    if (code == 0 && count > 1) execv(words[1], words + 1);
    return code;
  }
  read_all(0);
  size_t count_of_envelope = read_all(1);
  if (count_of_envelope == 0) return 54;  // the writer's way to abort
  keep_envelope(count_of_envelope);
  const char* seconds = getenv("STANDIN_SECONDS");
  if (seconds) sleep((unsigned)atoi(seconds));
  return next_code("STANDIN_EXITS");
}
