// Plays questions over the pool that ships, on a real loop and a Unix socket, and logs what it did, as models/questions.pml has it.
//   play_questions RUNS SEED     standard output: `run SEED`, and lines `ACTION QUESTION NUMBER`; models/follow.py reads them
// played  questions at random moments, some as another one ends; some are withdrawn, some run out of time; the service answers late,
//         closes, or is not to be found for a while
// chance  of the seed, and of the times of two threads: a run is not played twice alike
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/child.hpp"
#include "loop/outbound_pool.hpp"

namespace {

using namespace postern;
using namespace std::chrono_literals;

constexpr int questions = 8;
constexpr auto longest_run = 400ms;

void log(const char* action, int question, int number = 0) { std::printf("%s %d %d\n", action, question, number); }

class Chance {
 public:
  explicit Chance(unsigned seed) : engine_(seed) {}
  unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(engine_); }

 private:
  std::minstd_rand engine_;
};

// `3` LF is asked, `3` LF is answered.
class Numbers final : public base::ClientProtocol {
 public:
  void begin(int question, base::Time now) {
    output_ = std::to_string(question) + "\n";
    answer_.clear();
    has_failed_ = false;
    deadline_ = now + 1s;
    state_ = State::busy;
  }
  [[nodiscard]] State state() const override { return state_; }
  [[nodiscard]] std::string_view output() const override { return output_; }
  void sent(std::size_t octets, base::Time) override { output_.erase(0, octets); }
  void receive(std::string_view octets, base::Time) override {
    if (!output_.empty()) return fail({.kind = base::StreamFailure::Kind::closed});
    answer_ += octets;
    if (answer_.ends_with('\n')) state_ = State::idle;
  }
  [[nodiscard]] base::Time deadline() const override { return deadline_; }
  void fail(const base::StreamFailure&) override {
    has_failed_ = true;
    state_ = State::ended;
  }
  [[nodiscard]] bool may_repeat() const override { return answer_.empty() && has_failed_; }
  [[nodiscard]] int answer() const { return has_failed_ ? -1 : std::atoi(answer_.c_str()); }

 private:
  State state_ = State::busy;
  std::string output_, answer_;
  bool has_failed_ = false;
  base::Time deadline_{};
};

class Service {
 public:
  explicit Service(unsigned seed) : chance_(seed), path_("/tmp/play-questions-" + std::to_string(::getpid())) {
    auto& name = reinterpret_cast<sockaddr_un&>(address_.storage);
    name.sun_family = AF_UNIX;
    path_.copy(static_cast<char*>(name.sun_path), sizeof name.sun_path - 1);
    address_.octets = sizeof name;
    address_.text = "unix:" + path_;
    ::unlink(path_.c_str());
    if (::bind(listener_.number(), reinterpret_cast<sockaddr*>(&address_.storage), address_.octets) != 0 ||
        ::listen(listener_.number(), 64) != 0)
      std::abort();
    thread_ = std::thread([this] {
      while (!is_ending_) serve();
    });
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() {
    is_ending_ = true;
    thread_.join();
    ::unlink(path_.c_str());
    ::unlink((path_ + ".gone").c_str());
  }
  [[nodiscard]] const base::SocketAddress& address() const { return address_; }
  void vanish() const { std::rename(path_.c_str(), (path_ + ".gone").c_str()); }
  void appear() const { std::rename((path_ + ".gone").c_str(), path_.c_str()); }

 private:
  void serve() {
    std::vector<pollfd> watched{{.fd = listener_.number(), .events = POLLIN, .revents = 0}};
    for (const base::Descriptor& client : clients_)
      watched.push_back({.fd = client.number(), .events = POLLIN, .revents = 0});
    if (::poll(watched.data(), watched.size(), 2) <= 0) return;
    for (std::size_t i = watched.size() - 1; i > 0; --i)
      if (watched[i].revents != 0 && !answer(watched[i].fd))
        clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(i) - 1);
    if (watched[0].revents != 0) clients_.emplace_back(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  // False: it closes.
  bool answer(int client) {
    std::array<char, 64> octets;
    const ssize_t got = ::recv(client, octets.data(), octets.size(), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(chance_.below(6)));
    if (got <= 0 || chance_.below(5) == 0) return false;
    ::send(client, octets.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
    return chance_.below(6) != 0;
  }

  Chance chance_;
  std::string path_;
  base::SocketAddress address_;
  base::Descriptor listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<base::Descriptor> clients_;
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

class Run;
using Pool = loop::OutboundPool<Numbers>;

class Question final : public loop::OutboundRequest<Numbers> {
 public:
  Question(Run& run, int number) : run_(run), number_(number) {}
  void begin(Numbers& numbers, base::Time now) override {
    log("BEGIN", number_);
    numbers.begin(number_, now);
  }
  void ended(Numbers& numbers) override {
    const int answer = numbers.answer();
    answer < 0 ? log("FAIL", number_) : log("ANSWER", number_, answer);
    end();
  }
  void failed(const base::StreamFailure&) override {
    log("FAIL", number_);
    is_in_pool_ = false;  // nothing is asked from here
  }
  void submit(Pool& pool, base::Interval patience) {
    log("SUBMIT", number_);
    is_in_pool_ = true;
    if (!pool.submit(*this, patience)) return;
    log("REFUSE", number_);
    is_in_pool_ = false;
  }
  void leave() {
    log("WITHDRAW", number_);
    is_in_pool_ = false;
    withdraw();
  }
  [[nodiscard]] bool is_in_pool() const { return is_in_pool_; }

 private:
  void end();
  Run& run_;
  int number_;
  bool is_in_pool_ = false;
};

class Run final : private loop::Timer {
 public:
  explicit Run(unsigned seed)
      : chance_(seed),
        service_(seed + 1),
        pool_(*loop_,
              {.addresses = {service_.address()},
               .max_in_flight = 2,
               .max_waiting = 1,
               .max_idle = 1,
               .max_idle_age = 20ms,
               .rest = {.first = 4ms, .longest = 8ms, .worth_waiting = 4ms},
               .seed = seed},
              [] { return std::make_unique<Numbers>(); }) {}
  void play() {
    end_ = loop_->now() + longest_run;
    loop_->arm(*this, 1ms);
    loop_->run();
    for (Question& each : all_)
      if (each.is_in_pool()) each.leave();
  }
  void submit_next() {
    if (all_.size() == questions) return;
    all_.emplace_back(*this, static_cast<int>(all_.size()))
        .submit(pool_, std::chrono::milliseconds(chance_.below(3) == 0 ? 10 : 100));
  }
  void one_ended() {
    if (chance_.below(4) == 0) submit_next();
  }

 private:
  void on_time() override {
    switch (chance_.below(8)) {
      case 0: service_.vanish(); break;
      case 1:
      case 2: service_.appear(); break;
      case 3: {
        const auto leaver = std::ranges::find_if(all_, &Question::is_in_pool);
        if (leaver != all_.end()) leaver->leave();
        break;
      }
      default: break;
    }
    for (unsigned i = chance_.below(3); i > 0; --i) submit_next();
    const bool is_over = all_.size() == questions && std::ranges::none_of(all_, &Question::is_in_pool);
    if (is_over || loop_->now() > end_) return loop_->stop();
    loop_->arm(*this, std::chrono::milliseconds(chance_.below(4)));
  }

  Chance chance_;
  Service service_;
  std::unique_ptr<loop::Loop> loop_ = loop::Loop::make().value();
  Pool pool_;
  std::deque<Question> all_;  // they do not move
  base::Time end_{};
};

void Question::end() {
  is_in_pool_ = false;
  run_.one_ended();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 100;
  const auto first = static_cast<unsigned>(std::atoi(argv[2]));
  for (unsigned i = 0; i < static_cast<unsigned>(std::atoi(argv[1])); ++i) {
    std::printf("run %u\n", first + i);
    Run(first + i).play();
  }
  return 0;
}
