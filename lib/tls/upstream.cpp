#include "tls/upstream.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace postern::tls {
namespace {

struct Offer {
  int control;
  int read;
  int write;
};

std::string_view value_of(Getenv environment, const char* name) {
  const char* const value = environment(name);
  return value == nullptr ? std::string_view{} : std::string_view(value);
}

// "7", not "+7", "07", " 7" or "7x"; 0, 1 and 2 are the network and the log and never on offer.
std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (text.front() == '0' || number <= STDERR_FILENO) return std::nullopt;
  return number;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

// The three numbers, open or not.
std::optional<Offer> offer_in(Getenv environment) {
  const auto control = number_in(value_of(environment, "SSLCTLFD"));
  const auto read = number_in(value_of(environment, "SSLREADFD"));
  const auto write = number_in(value_of(environment, "SSLWRITEFD"));
  if (!control || !read || !write) return std::nullopt;
  return Offer{.control = *control, .read = *read, .write = *write};
}

bool stands(const Offer& offer) { return is_open(offer.control) && is_open(offer.read) && is_open(offer.write); }

// sslserver without -n asks itself and moves the two to 0 and 1: the control is open, their old numbers are not.
bool has_been_taken(const Offer& offer) {
  return is_open(offer.control) && !is_open(offer.read) && !is_open(offer.write);
}

// A connection from the network itself, which no program in front of us can have decrypted.
bool is_network(int fd) {
  sockaddr_storage peer{};
  socklen_t octets = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &octets) != 0) return false;
  return peer.ss_family == AF_INET || peer.ss_family == AF_INET6;
}

Upstream judge(Getenv environment, int read_fd) {
  if (!value_of(environment, "SSL_PROTOCOL").empty()) return Upstream::secured;
  const auto offer = offer_in(environment);
  if (offer && stands(*offer)) return Upstream::offers;
  const std::string_view protocol = value_of(environment, "PROTO");
  const bool is_named = protocol == "SSL" || protocol == "SSL6" || protocol == "TLS";
  if (value_of(environment, "SSLCTLFD").empty()) return is_named ? Upstream::secured : Upstream::silent;
  // With -e sslserver says PROTO=TCP although it has done TLS.
  const bool is_claimed = is_named || (offer && has_been_taken(*offer));
  return is_claimed && !is_network(read_fd) ? Upstream::secured : Upstream::silent;
}

std::unexpected<std::string> failure(const char* what) {
  return std::unexpected(std::string("the TLS front end is not there: ") + what + ": " + std::strerror(errno));
}

}  // namespace

UpstreamTls find_upstream_tls(Getenv environment, int read_fd) {
  UpstreamTls found{.state = judge(environment, read_fd), .version = {}, .cipher = {}};
  if (found.state != Upstream::secured) return found;
  found.version = value_of(environment, "SSL_PROTOCOL");
  found.cipher = value_of(environment, "SSL_CIPHER");
  return found;
}

std::expected<void, std::string> start_upstream_tls(Getenv environment, int read_fd, int write_fd) {
  const auto offer = offer_in(environment);
  if (!offer || !stands(*offer))
    return std::unexpected("SSLCTLFD, SSLREADFD and SSLWRITEFD do not name open descriptors");
  ssize_t written = 0;
  do written = ::write(offer->control, "y", 1);
  while (written == -1 && errno == EINTR);
  if (written != 1) return failure("SSLCTLFD");
  if (::dup2(offer->read, read_fd) == -1) return failure("SSLREADFD");
  if (::dup2(offer->write, write_fd) == -1) return failure("SSLWRITEFD");
  // The programs we run later (checkpassword wants 3, queues write on 4) must not inherit the client.
  for (const int fd : {offer->control, offer->read, offer->write}) (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return {};
}

}  // namespace postern::tls
