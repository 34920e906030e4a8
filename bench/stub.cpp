// stub: the least an SMTP program under tcpserver can do.  It reads commands on
// descriptor 0, answers on descriptor 1, parses nothing but the verb's first
// letter and the end of the text, and stores nothing.  Built static, dynamic
// and (HEAVY) linked to libssl, libcrypto and libstdc++: the difference is what
// a new process costs, and no real program under tcpserver can beat the first.
#include <string.h>
#include <unistd.h>
#ifdef HEAVY
#include <openssl/ssl.h>

#include <string>
std::string* touch;  // keeps libstdc++ needed
#endif

// Replies gather until the next read: two small writes in a row would meet Nagle's
// algorithm and the client's delayed ACK, 40 ms a message.
static char out[8192];
static size_t ready;

static void flush() {
  if (ready && write(1, out, ready) < 0) _exit(1);
  ready = 0;
}

static void say(const char* s) {
  size_t n = strlen(s);
  if (ready + n > sizeof out) flush();
  memcpy(out + ready, s, n), ready += n;
}

int main() {
#ifdef HEAVY
  touch = new std::string("x");
#ifdef INIT_SSL
  SSL_CTX_new(TLS_server_method());
#endif
#endif
  static char buf[65536];
  size_t have = 0;
  bool text = false;
  say("220 stub ESMTP\r\n");
  for (;;) {
    flush();
    ssize_t n = read(0, buf + have, sizeof buf - have);
    if (n <= 0) return 0;
    have += static_cast<size_t>(n);
    char *p = buf, *end = buf + have;
    while (p < end) {
      if (text) {
        char* dot = static_cast<char*>(memmem(p, end - p, "\r\n.\r\n", 5));
        if (!dot) {
          size_t keep = end - p < 4 ? end - p : 4;
          p = end - keep;
          break;
        }
        p = dot + 5, text = false;
        say("250 ok\r\n");
        continue;
      }
      char* eol = static_cast<char*>(memchr(p, '\n', end - p));
      if (!eol) break;
      switch (*p | 32) {
        case 'e': say("250-stub\r\n250-PIPELINING\r\n250 8BITMIME\r\n"); break;
        case 'd': say("354 go\r\n"), text = true; break;
        case 'q': say("221 bye\r\n"), flush(); return 0;
        default: say("250 ok\r\n");
      }
      p = eol + 1;
    }
    have = end - p;
    memmove(buf, p, have);
    if (have == sizeof buf) return 1;
  }
}
