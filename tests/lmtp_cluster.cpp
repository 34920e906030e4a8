#include "tests/lmtp_cluster.hpp"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace postern::deliver {
namespace {

bool is_readable(int number, int milliseconds) {
  pollfd watched{.fd = number, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, milliseconds) > 0;
}

const std::string& at(const std::vector<std::string>& replies, std::size_t index) {
  return replies[std::min(index, replies.size() - 1)];
}

}  // namespace

// One connection, until either side ends it.
class Cluster::Conversation {
 public:
  Conversation(Cluster& cluster, base::Descriptor socket, const Manner& manner)
      : cluster_(cluster), socket_(std::move(socket)), manner_(manner) {}

  void run() {
    if (!say(manner_.greeting)) return;
    std::string command;
    while (read_line(command)) {
      {
        const std::lock_guard lock(cluster_.mutex_);
        cluster_.seen_.commands.push_back(command);
        if (!manner_.lhlo.contains("PIPELINING") && (!unread_.empty() || is_readable(socket_.number(), 30)))
          cluster_.seen_.was_hasty = true;
      }
      if (!obey(command)) return;
    }
  }

 private:
  bool obey(const std::string& command) {
    if (command.starts_with("LHLO ")) return say(manner_.lhlo);
    if (command.starts_with("MAIL ")) {
      recipients_ = 0;
      ++transactions_;
      return answer(is_second() ? manner_.second[0] : manner_.mail);
    }
    if (command.starts_with("RCPT ")) return answer(at(manner_.rcpt, recipients_++));
    if (command == "RSET") return say(manner_.rset);
    if (command == "DATA" && is_second()) return say(manner_.second[1]);
    if (command == "DATA") return say(manner_.data) && (manner_.data != "354 go on\r\n" || take_mail());
    return false;  // QUIT
  }

  [[nodiscard]] bool is_second() const { return transactions_ == 2 && !manner_.second.empty(); }

  bool answer(const std::string& reply) {
    held_ += reply;
    if (recipients_ < manner_.answers_after_recipients) return true;
    return say(reply.empty() ? reply : std::exchange(held_, {}));
  }

  bool take_mail() {
    const std::string end = "\r\n.\r\n";
    std::string mail = "\r\n";  // a message may have no line at all
    while (!mail.ends_with(end)) {
      if (unread_.empty() && !read_more()) return false;
      const std::size_t found = (mail + unread_).find(end);
      const std::size_t taken = found == std::string::npos ? unread_.size() : found + end.size() - mail.size();
      mail += unread_.substr(0, taken);
      unread_.erase(0, taken);
      if (manner_.dies_after_data_octets > 0 && mail.size() >= manner_.dies_after_data_octets) {
        if (!manner_.early_word.empty()) static_cast<void>(send(manner_.early_word));
        return false;
      }
    }
    {
      const std::lock_guard lock(cluster_.mutex_);
      cluster_.seen_.mails.push_back(mail.substr(2));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(manner_.delivery_milliseconds));
    for (std::size_t i = 0; i < recipients_; ++i)
      if (!say(at(manner_.delivery, i))) return false;
    if (!manner_.late_word.empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (!send(manner_.late_word)) return false;
    }
    return !manner_.closes_after_mail;
  }

  bool say(const std::string& octets) {
    if (octets.empty()) return false;
    if (octets == silence) return true;
    if (!manner_.answers_octet_by_octet) return send(octets);
    return std::ranges::all_of(octets, [this](char octet) {
      std::this_thread::sleep_for(std::chrono::milliseconds(manner_.octet_milliseconds));
      return send({&octet, 1});
    });
  }

  [[nodiscard]] bool send(std::string_view octets) const {
    return ::send(socket_.number(), octets.data(), octets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(octets.size());
  }

  bool read_more() {
    std::array<char, 65536> octets;
    while (!is_readable(socket_.number(), 20))
      if (cluster_.is_ending_) return false;
    const ssize_t got = ::recv(socket_.number(), octets.data(), octets.size(), 0);
    if (got > 0) unread_.append(octets.data(), static_cast<std::size_t>(got));
    return got > 0;
  }

  bool read_line(std::string& line) {
    while (!unread_.contains("\r\n"))
      if (!read_more()) return false;
    line = unread_.substr(0, unread_.find("\r\n"));
    unread_.erase(0, line.size() + 2);
    return true;
  }

  Cluster& cluster_;
  base::Descriptor socket_;
  const Manner& manner_;
  std::string unread_, held_;
  std::size_t recipients_ = 0, transactions_ = 0;
};

Cluster::Cluster(std::vector<Manner> manners) : manners_(std::move(manners)) {
  std::string folder = std::filesystem::temp_directory_path() / "postern_cluster_XXXXXX";
  folder_ = ::mkdtemp(folder.data());
  path_ = folder_ / "lmtp";
  listener_ = base::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.string().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  if (::bind(listener_.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.number(), 64) != 0)
    std::abort();
  thread_ = std::jthread([this] { listen(); });
}

Cluster::~Cluster() {
  stop();
  std::filesystem::remove_all(folder_);
}

void Cluster::stop() {
  is_ending_ = true;
  if (thread_.joinable()) thread_.join();
  conversations_.clear();
  listener_.close();
}

void Cluster::listen() {
  while (!is_ending_) {
    if (!is_readable(listener_.number(), 20)) continue;
    base::Descriptor socket(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    const Manner& manner = manners_[std::min(seen_.connections++, manners_.size() - 1)];
    conversations_.emplace_back([this, &manner, socket = std::move(socket)]() mutable {
      Conversation(*this, std::move(socket), manner).run();
      const std::lock_guard ended(mutex_);
      --seen_.open;
    });
    ++seen_.open;
  }
}

std::vector<std::string> Cluster::commands() {
  const std::lock_guard lock(mutex_);
  return seen_.commands;
}

std::vector<std::string> Cluster::mails() {
  const std::lock_guard lock(mutex_);
  return seen_.mails;
}

std::size_t Cluster::connections() {
  const std::lock_guard lock(mutex_);
  return seen_.connections;
}

bool Cluster::has_open(std::size_t connections) {
  for (int i = 0; i < 500; ++i) {
    {
      const std::lock_guard lock(mutex_);
      if (seen_.open == connections) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

bool Cluster::was_hasty() {
  const std::lock_guard lock(mutex_);
  return seen_.was_hasty;
}

}  // namespace postern::deliver
