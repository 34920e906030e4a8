// Stands in for qmail-queue (descriptors 0 and 1) and, called `check`, for a check program (descriptor 3): what each answers is
// in what it is given, so that every answer is the client's to cause.
//   queue   a header `Exit: N` in the message: ends with the code N
//   check   alice with her password is accepted, `fail` is nobody it can judge (111), all others are refused
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char octets[1 << 16];

static size_t read_all(int fd) {
  size_t have = 0;
  ssize_t got;
  while (have < sizeof octets - 1 && (got = read(fd, octets + have, sizeof octets - 1 - have)) > 0) have += (size_t)got;
  octets[have] = 0;
  return have;
}

static int check(char** program) {
  if (read_all(3) == 0) return 2;
  const char* user = octets;
  const char* password = user + strlen(user) + 1;
  if (strcmp(user, "fail") == 0) return 111;
  if (strcmp(user, "alice") != 0 || strcmp(password, "wonderland") != 0) return 1;
  execv(program[0], program);
  return 111;
}

int main(int count, char** words) {
  const char* name = strrchr(words[0], '/');
  if (name && strcmp(name, "/check") == 0) return count > 1 ? check(words + 1) : 2;
  read_all(0);
  const char* found = strstr(octets, "Exit: ");
  int code = found ? atoi(found + 6) : 0;
  return read_all(1) == 0 ? 54 : code;
}
