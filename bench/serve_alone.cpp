// `postern serve` as callgrind can look at it: on one loop, and without the sandbox, which forbids what valgrind does.
//   serve_alone PORT [discard|MAILDIR [CERTIFICATE]]    without MAILDIR it discards, without CERTIFICATE there is no TLS
#include <unistd.h>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "server/server.hpp"

namespace {

std::string setting(std::string_view name, std::string_view value) {
  std::string words(name);
  words += value;
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace postern::base;
  using namespace postern::config;
  using namespace postern::server;
  const std::string_view port = argc > 1 ? argv[1] : "";
  Endpoint at{.address = *parse_address("127.0.0.1"), .port = 0};
  if (std::from_chars(port.begin(), port.end(), at.port).ec != std::errc()) return 2;
  ListenerSettings listener{.place = "bench", .at = at};
  listener.variables.emplace_back("SMTPGREETING=mx.example.test");
  const bool discards = argc < 3 || std::string_view(argv[2]) == "discard";
  listener.variables.push_back(discards ? "POSTERN_DISCARD=1" : setting("POSTERN_MAILDIR=", argv[2]));
  if (argc > 3) listener.variables.push_back(setting("TLS_SERVER_CERT=", argv[3]));
  Configuration settings{.home = ".", .loops = 1, .domains = {"example.test"}, .is_sandboxed = false};
  settings.listeners.push_back(std::move(listener));
  return serve({.settings = std::move(settings), .read_again = {}, .environment = environ, .version = "bench"});
}
