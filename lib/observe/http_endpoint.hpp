// A thread that serves a few small pages over HTTP/1.1, for Prometheus and for probes; not for the world.
// in      GET and HEAD on connections to its own listening socket
// out     the pages of HttpPages, each on a connection of its own (`Connection: close`)
// bounds  max_http_connections at a time: one more takes the place of the oldest that is not being sent a page, so that who
//         connects and is silent keeps nobody out; max_http_request_octets of head; max_http_seconds for everything from the
//         accept to the close
// threads start() makes one thread with all signals blocked; HttpPages is called in it. stop() ends and joins it
// errors  a sentence with place and remedy at the start; later none: a client that cannot be answered is closed
// source  RFC 9110 6.6.1, 9.3.2, 15.5.6; RFC 9112 9.6; why not a library: docs/decisions/0007
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/child.hpp"
#include "observe/http_request.hpp"

namespace postern::observe {

inline constexpr std::size_t max_http_connections = 8;
inline constexpr std::size_t max_http_request_octets = 8192;
inline constexpr unsigned max_http_seconds = 10;

struct HttpReply {
  unsigned status;
  std::string_view content_type;
  std::string body;
};

class HttpPages {
 public:
  virtual ~HttpPages() = default;
  [[nodiscard]] virtual HttpReply page(const HttpRequest& request) = 0;  // of a GET; 404 for an unknown path
};

// A socket for an endpoint. port 0: any free one. address is numeric; by default 127.0.0.1
[[nodiscard]] std::expected<base::Descriptor, std::string> listen_for_http(const std::string& address,
                                                                           std::uint16_t port);

class HttpEndpoint {
 public:
  HttpEndpoint(base::Descriptor listening, HttpPages& pages);  // pages must live as long
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;
  ~HttpEndpoint();

  [[nodiscard]] std::expected<void, std::string> start();
  void stop();
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Client {
    base::Descriptor socket;
    base::Deadline deadline;
    std::string request, reply;
    std::size_t sent = 0;
    enum class State : std::uint8_t { reading, writing, draining, done } state = State::reading;
  };

  void run();
  void accept_clients();
  void give_up_oldest();
  void serve(Client& client);
  void read_request(Client& client);
  void write_reply(Client& client);
  [[nodiscard]] std::string reply_to(const HttpRequest& request);
  [[nodiscard]] int wait();  // poll(2)'s answer

  base::Descriptor listening_, wake_;
  HttpPages& pages_;
  std::vector<Client> clients_;
  pthread_t thread_{};
  bool is_running_ = false;
};

}  // namespace postern::observe
