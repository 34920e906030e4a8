// Stands in for a checkpassword program that knows one user: alice, whose password is wonderland.
// in      login, password and a third part, each ended by NUL, on descriptor 3; the rest of argv is run on success
// errors  exit 1 not alice, 2 misuse (no program to run, or a third part, which only CRAM-MD5 would send)
// source  https://cr.yp.to/checkpwd/interface.html
#include <string.h>
#include <unistd.h>

// More than the interface allows, so that a writer that goes beyond it does not meet a closed pipe.
enum { max_octets = 1 << 16 };

int main(int argc, char **argv) {
  static const char expected[] = "alice\0wonderland\0";
  static const size_t expected_octets = sizeof expected - 1;
  static char given[max_octets];
  size_t have = 0;
  ssize_t got;
  while (have < sizeof given && (got = read(3, given + have, sizeof given - have)) > 0) have += (size_t)got;
  close(3);
  if (argc < 2) return 2;
  if (have < expected_octets || memcmp(given, expected, expected_octets) != 0) return 1;
  if (have > expected_octets && given[expected_octets] != 0) return 2;
  execvp(argv[1], argv + 1);
  return 111;
}
