// Asks the DNS as the programs do:  resolve loop|waits SERVERS PATIENCE_MS [sandbox] TYPE NAME... [then TYPE NAME...]
// loop     on an event loop; `waits`: as a process that may wait; `late`: it begins to wait after a second
//          resolve name SERVERS PATIENCE_MS [sandbox] ADDRESS...
// sandbox  after the strict sandbox is entered, which lets connections to SERVERS through
// then     the next questions are asked when those before have ended
// name     of each address, when that confirms it: the address, then confirmed, none or failed, then the name
// out      a line each, fields parted by tabs: name, kind, failure, TTL, addresses, texts, milliseconds; before the first
//          one `inheritable N`: how many descriptors a program would inherit that we had started with questions on their way
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "dns/blocking_resolver.hpp"
#include "dns/confirmed_name.hpp"
#include "dns/loop_resolver.hpp"
#include "server/sandbox/sandbox.hpp"

namespace {

using namespace postern;
using Clock = std::chrono::steady_clock;

struct Round {
  dns::Type type;
  std::vector<std::string> names;
};

dns::Type type_of(std::string_view text) {
  if (text == "txt") return dns::Type::txt;
  if (text == "ptr") return dns::Type::ptr;
  return text == "aaaa" ? dns::Type::aaaa : dns::Type::a;
}

[[noreturn]] void fail(const std::string& why) {
  std::cerr << why << "\n";
  std::exit(1);
}

std::vector<Round> rounds_of(const std::vector<std::string>& words) {
  std::vector<Round> rounds;
  bool is_new = true;
  for (const std::string& word : words) {
    if (std::exchange(is_new, word == "then"))
      rounds.push_back({type_of(word), {}});
    else if (!is_new)
      rounds.back().names.push_back(word);
  }
  return rounds;
}

void print(const std::string& name, const dns::Answer& answer, Clock::time_point begun) {
  constexpr std::string_view kinds[] = {"found", "none", "failed"};
  std::cout << name << '\t' << kinds[static_cast<std::size_t>(answer.kind)] << '\t' << describe(answer.failure) << '\t'
            << answer.ttl_seconds << '\t';
  for (const base::Address& address : answer.addresses) std::cout << write(address).view() << ' ';
  std::cout << '\t';
  for (const std::string& text : answer.texts) std::cout << text << ' ';
  std::cout << '\t' << std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun).count() << std::endl;
}

void print_inheritable() {
  static bool is_printed = false;
  if (std::exchange(is_printed, true)) return;
  int count = 0;
  DIR* const folder = ::opendir("/proc/self/fd");
  while (const dirent* const entry = ::readdir(folder)) {
    const int flags = ::fcntl(std::atoi(entry->d_name), F_GETFD);
    count += std::atoi(entry->d_name) > 2 && flags >= 0 && (flags & FD_CLOEXEC) == 0;
  }
  ::closedir(folder);
  std::cout << "inheritable " << count << std::endl;
}

class OnALoop {
 public:
  OnALoop(const dns::ChannelSettings& settings, std::vector<Round> rounds) : rounds_(std::move(rounds)) {
    auto loop = loop::Loop::make();
    if (!loop) fail(loop.error());
    loop_ = std::move(*loop);
    auto resolver = dns::LoopResolver::make(*loop_, settings);
    if (!resolver) fail(resolver.error());
    resolver_ = std::move(*resolver);
  }
  void run() {
    loop_->post([this] { ask(); });
    loop_->run();
  }

 private:
  class One final : public dns::Request {
   public:
    One(OnALoop& all, std::string name) : all_(all), name_(std::move(name)) {}
    void ended(const dns::Answer& answer) override {
      print(name_, answer, all_.begun_);
      if (--all_.left_ == 0) all_.loop_->post([&all = all_] { all.ask(); });
    }

   private:
    OnALoop& all_;
    std::string name_;
  };

  void ask() {
    if (next_ == rounds_.size()) return loop_->stop();
    begun_ = Clock::now();
    const Round& round = rounds_[next_++];
    left_ = round.names.size();
    for (const std::string& name : round.names) {
      One& one = asked_.emplace_back(*this, name);
      if (const dns::Answer* const known = resolver_->ask({round.type, name}, one)) one.ended(*known);
    }
    print_inheritable();
  }

  std::vector<Round> rounds_;
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<dns::LoopResolver> resolver_;
  std::deque<One> asked_;
  std::size_t next_ = 0, left_ = 0;
  Clock::time_point begun_;
};

void wait_for(const dns::ChannelSettings& settings, const std::vector<Round>& rounds, bool is_late) {
  auto resolver = dns::BlockingResolver::make(settings);
  if (!resolver) fail(resolver.error());
  for (const Round& round : rounds) {
    std::deque<dns::Reply> replies;
    const Clock::time_point begun = Clock::now();
    for (const std::string& name : round.names) resolver->ask({round.type, name}, replies.emplace_back());
    print_inheritable();
    if (is_late) std::this_thread::sleep_for(std::chrono::seconds(1));
    resolver->wait(base::after_seconds(10));
    for (std::size_t i = 0; i < replies.size(); ++i) print(round.names[i], replies[i].answer, begun);
  }
}

class Named final : public dns::ConfirmedName {
 public:
  using ConfirmedName::ConfirmedName;
  void ended(const Outcome& outcome) override { heard = outcome; }
  Outcome heard;
};

void name(const dns::ChannelSettings& settings, const std::vector<std::string>& addresses) {
  constexpr std::string_view kinds[] = {"confirmed", "none", "failed"};
  auto resolver = dns::BlockingResolver::make(settings);
  if (!resolver) fail(resolver.error());
  for (const std::string& address : addresses) {
    Named named(*resolver);
    if (const auto* const known = named.begin(*base::parse_address(address))) named.heard = *known;
    resolver->wait(base::after_seconds(10));
    std::cout << address << '\t' << kinds[static_cast<std::size_t>(named.heard.kind)] << '\t' << named.heard.name
              << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const std::string_view mode = argv[1];
  auto servers =
      std::string_view(argv[2]).starts_with('/') ? dns::system_servers(argv[2]) : dns::parse_servers(argv[2]);
  if (!servers) fail(servers.error());
  const bool is_confined = std::string_view(argv[4]) == "sandbox";
  std::expected<server::Sandbox, std::string> sandbox;
  if (is_confined) {
    sandbox = server::enter_strict_sandbox({.readable = server::system_folders(), .tcp_connect = tcp_ports(*servers)});
    if (!sandbox) fail(sandbox.error());
  }
  const dns::ChannelSettings settings{.servers = *servers, .patience = std::chrono::milliseconds(std::atoi(argv[3]))};
  const std::vector<std::string> words(argv + 4 + is_confined, argv + argc);
  if (mode == "name") {
    name(settings, words);
    return 0;
  }
  std::vector<Round> rounds = rounds_of(words);
  if (mode == "loop")
    OnALoop(settings, std::move(rounds)).run();
  else
    wait_for(settings, rounds, mode == "late");
}
