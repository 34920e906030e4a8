// Stands in for qmail-queue: message on descriptor 0, envelope on 1.
// in      QUEUE_PREFIX: stored as PREFIX.N.env and PREFIX.N.msg, N = 0, 1, ... in order of arrival; QUEUE_FOLDER: PREFIX is
//         the client's address in that folder
//         QUEUE_EXIT: fail with this code after reading all; QUEUE_TEXT: first written to descriptor 4
// errors  exit 54 an envelope without its end (the writer's way to abort), 91 an envelope of another shape, 53 cannot store
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { max_octets = 1 << 20 };
static char message[max_octets];
static char envelope[max_octets];

static size_t read_all(int fd, char *into) {
  size_t have = 0;
  ssize_t got;
  while (have < max_octets && (got = read(fd, into + have, max_octets - have)) > 0) have += (size_t)got;
  return have;
}

static void refuse_bad_envelope(size_t octets) {
  if (octets < 3 || envelope[0] != 'F' || envelope[octets - 1] != 0 || envelope[octets - 2] != 0) exit(54);
  for (size_t at = strlen(envelope) + 1; at < octets - 1; at += strlen(envelope + at) + 1)
    if (envelope[at] != 'T') exit(91);
}

static int create(int number, const char *suffix) {
  char path[4096];
  const char *folder = getenv("QUEUE_FOLDER");
  if (folder)
    snprintf(path, sizeof path, "%s/%s.%d.%s", folder, getenv("TCPREMOTEIP"), number, suffix);
  else
    snprintf(path, sizeof path, "%s.%d.%s", getenv("QUEUE_PREFIX"), number, suffix);
  return open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
}

static void store(int fd, const char *octets, size_t count) {
  if (fd < 0 || write(fd, octets, count) != (ssize_t)count || close(fd) != 0) exit(53);
}

int main(void) {
  size_t message_octets = read_all(0, message);
  size_t envelope_octets = read_all(1, envelope);
  const char *text = getenv("QUEUE_TEXT");
  const char *code = getenv("QUEUE_EXIT");
  if (text && write(4, text, strlen(text)) < 0) return 53;
  if (code) return atoi(code);
  refuse_bad_envelope(envelope_octets);
  int number = 0;
  int fd;
  while ((fd = create(number, "env")) < 0 && number < 100) number++;
  store(fd, envelope, envelope_octets);
  store(create(number, "msg"), message, message_octets);
  return 0;
}
