// A mail cluster that follows a script: LMTP on a Unix socket, each connection with its own script.
// A reply of "" closes the connection in its place, `silence` says nothing and goes on listening.
#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/child.hpp"

namespace postern::deliver {

inline constexpr const char* silence = "~";

struct Manner {
  std::string greeting = "220 cluster LMTP\r\n";
  std::string lhlo = "250-cluster\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n";
  std::string mail = "250 2.1.0 OK\r\n";
  std::vector<std::string> rcpt{"250 2.1.5 OK\r\n"};  // one after the other; the last goes on
  std::string data = "354 go on\r\n";
  std::vector<std::string> delivery{"250 2.0.0 Saved\r\n"};  // alike
  std::string rset = "250 2.0.0 OK\r\n";
  bool answers_octet_by_octet = false;
  int octet_milliseconds = 0;
  std::size_t answers_after_recipients = 0;  // MAIL and RCPT are answered when so many RCPT have come
  std::size_t dies_after_data_octets = 0;    // of mail data; 0: never
  std::vector<std::string> second{};         // what MAIL, then DATA is answered in the second transaction
  std::string late_word{};                   // said unasked, 50 ms after those replies
  bool closes_after_mail = false;            // after all replies to one message
  std::string early_word{};                  // said in the middle of mail data, after dies_after_data_octets
  int delivery_milliseconds = 0;             // before the replies to one message
};

class Cluster {
 public:
  explicit Cluster(std::vector<Manner> manners);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  [[nodiscard]] std::string address() const { return "unix:" + path_.string(); }
  void stop();  // connections end, and nothing listens any more

  [[nodiscard]] std::vector<std::string> commands();  // of all connections: "LHLO host", "MAIL ...", ...
  [[nodiscard]] std::vector<std::string> mails();     // mail data as it came, final dot included
  [[nodiscard]] std::size_t connections();
  // Whether so many connections are open, now or soon.
  [[nodiscard]] bool has_open(std::size_t connections);
  [[nodiscard]] bool was_hasty();  // a command came before the one before it was answered

 private:
  class Conversation;
  struct Seen {
    std::vector<std::string> commands, mails;
    std::size_t connections = 0, open = 0;
    bool was_hasty = false;
  };

  void listen();

  std::vector<Manner> manners_;
  std::filesystem::path folder_, path_;
  base::Descriptor listener_;
  std::atomic<bool> is_ending_ = false;
  std::mutex mutex_;
  Seen seen_;  // under mutex_
  std::vector<std::jthread> conversations_;
  std::jthread thread_;
};

}  // namespace postern::deliver
