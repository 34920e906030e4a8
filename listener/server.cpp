#include "listener/server.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "listener/capacity.hpp"
#include "listener/file_watch.hpp"
#include "listener/http_pages.hpp"
#include "listener/log_buffer.hpp"
#include "listener/loop_thread.hpp"
#include "listener/policies.hpp"
#include "listener/privileges.hpp"
#include "listener/rehearsal.hpp"
#include "listener/reload_verdict.hpp"
#include "listener/restart.hpp"
#include "listener/sandbox.hpp"
#include "listener/sockets.hpp"
#include "listener/systemd.hpp"

namespace postern::listener {
namespace {

constexpr int exit_refused = 100;
constexpr std::int64_t day_seconds = 86400;
constexpr unsigned end_seconds = 5;  // for jobs in hand, after all patience

const char* from_environment(const char* name) { return std::getenv(name); }

template <typename T>
T random_value() {
  T value{};
  static_cast<void>(!::getrandom(&value, sizeof value, 0));
  return value;
}

std::string joined(const std::vector<std::string>& texts, const std::string& sign) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : sign) + text;
  return all;
}

unsigned default_loops() { return std::max(1U, std::thread::hardware_concurrency()); }

class Server {
 public:
  explicit Server(const ServerStart& start)
      : start_(start),
        settings_(start.settings),
        log_(STDERR_FILENO, log_form()),
        voice_{.program = "postern",
               .output = &log_,
               .form = log_form(),
               .process = static_cast<std::uint64_t>(::getpid())} {
    if (settings_.loops == 0) settings_.loops = default_loops();
  }

  int run() {
    block_signals();
    if (!is_fit() || !prepare()) return exit_refused;
    if (!start_threads()) return exit_refused;
    notifier_.ready();
    phase_ = Phase::ready;
    log_settings();
    log("ready", "serving");
    wait_for_the_end();
    shut_down();
    return 0;
  }

  std::vector<Notice> rehearse() {
    is_rehearsal_ = true;
    if (go_home() && judge() && change_identity() && judge_as_who_serves())
      if (const auto opened = policies_->open_lanes(lanes_, programs_); !opened) refused(opened.error());
    return std::move(notices_);
  }

 private:
  // ---- start

  void block_signals() {
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);  // a bound of file size (ulimit -f) is a write that fails, and a 451
    ::signal(SIGCHLD, SIG_DFL);
    sigemptyset(&signals_);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, number);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // Before anything is bound that a client could meet. Who has no child to spare for it is judged at the real start.
  bool is_fit() {
    std::vector<Notice> notices = rehearse_apart(start_).value_or(std::vector<Notice>());
    std::erase_if(notices, [](const Notice& notice) { return notice.event != "config"; });
    for (const Notice& notice : notices) log(notice.event, notice.sentence);
    return notices.empty();
  }

  bool prepare() {
    descriptors_ = descriptor_limit();
    fit_in(settings_);
    slots_.emplace(capacity_.messages);
    return go_home() && judge() && bind() && change_identity() && judge_as_who_serves();
  }

  // As many sessions and hand-overs as there are descriptors for, with what is in hand.
  void fit_in(Configuration& settings) {
    capacity_ = capacity_for(settings, descriptors_);
    if (capacity_.is_below_wishes) log("warning", describe(capacity_, descriptors_));
    settings.hand_overs = capacity_.hand_overs;
    settings.clients.sessions = capacity_.sessions;
  }

  // The root first: every path means the same at the start and at a reload.
  bool go_home() {
    if (!settings_.user.empty()) {
      auto found = look_up(settings_.user);
      if (!found) return refused(found.error());
      account_ = std::move(*found);
    }
    if (!settings_.chroot.empty())
      if (const auto changed = change_root(settings_.chroot); !changed) return refused(changed.error());
    if (::chdir(settings_.home.c_str()) != 0 && settings_.home_must_exist)
      return refused("cannot enter the home " + settings_.home + ": " + ::strerror(errno) +
                     ": set home to a folder with control/ in it");
    return true;
  }

  bool judge() {
    auto made = Policies::make(settings_, start_.environment, voice_, known_certificates_);
    if (!made) {
      for (const std::string& sentence : made.error()) log("config", sentence);
      return false;
    }
    policies_ = std::move(*made);
    return true;
  }

  // Again, by whom a reload will be judged: what only root may read would be refused to each client, and at each reload.
  bool judge_as_who_serves() {
    if (!judge()) return false;
    for (const std::string& sentence : policies_->warnings()) log("warning", sentence);
    tell_certificates(Expired::told);
    return true;
  }

  // told       what makes a certificate ready to serve has said already that it is expired
  enum class Expired : std::uint8_t { told, untold };
  void tell_certificates(Expired expired) {
    const std::int64_t now = std::time(nullptr);
    certificates_told_on_ = now / day_seconds;
    std::vector<CertificateEnd> ends = policies_->certificate_ends();
    for (const CertificateEnd& end : ends) {
      if (end.ends_seconds < now && expired == Expired::told) continue;
      log(is_to_be_renewed(end, now) ? "warning" : "certificate", describe(end, now));
    }
    if (pages_) pages_->set_certificates(std::move(ends));
  }

  bool bind() {
    auto inherited = inherited_sockets(from_environment);
    if (!inherited) return refused(inherited.error());
    forget_systemd_variables();
    auto sockets = Sockets::bind(settings_, settings_.loops, std::move(*inherited));
    if (!sockets) return refused(sockets.error());
    sockets_ = std::move(*sockets);
    for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
      listener_names_.emplace_back(write(sockets_->at(i)).view());
      log("listen", listener_names_.back());
    }
    if (!settings_.metrics) return true;
    const Endpoint& at = *settings_.metrics;
    auto listening = listen_for_http(std::string(write(at.address).view()), at.port);
    if (!listening) return refused(listening.error());
    metrics_socket_ = std::move(*listening);
    return true;
  }

  bool change_identity() {
    const bool runs_programs = policies_->runs_programs();
    if (settings_.is_sandboxed && runs_programs && !shut_in(enter_open_sandbox())) return false;
    if (account_)
      if (const auto dropped = drop_privileges(*account_); !dropped) return refused(dropped.error());
    if (settings_.is_sandboxed && !runs_programs) {
      reach_ = policies_->reach();
      if (!shut_in(enter_strict_sandbox(reach_))) return false;
      is_confined_ = sandbox_ && sandbox_->landlock.abi != 0;
      programs_ = Policies::Programs::refused;
    }
    if (!account_ && ::geteuid() == 0) log("warning", "runs as root: set user to an account that owns nothing else");
    return true;
  }

  bool shut_in(std::expected<Sandbox, std::string> entered) {
    if (!entered) return refused(entered.error());
    sandbox_ = std::move(*entered);
    for (const std::string& sentence : sandbox_->warnings) log("warning", sentence);
    log("sandbox", sandbox_->in_force);
    return true;
  }

  bool start_threads() {
    // Each arena of malloc(3) takes 64 MiB of address space, and a thread would make its own when it serves.
    ::mallopt(M_ARENA_MAX, static_cast<int>(settings_.loops) + 1);
    log_.start();
    if (const auto opened = policies_->open_lanes(lanes_, programs_); !opened) return refused(opened.error());
    for (const std::string& sentence : policies_->class_problems()) log("warning", sentence);
    metrics_ = std::make_unique<Metrics>(settings_.loops, refusal_names());
    clients_ =
        std::make_unique<ClientTable>(settings_.clients, settings_.exempt_from_limits, random_value<std::uint64_t>());
    guesses_ = std::make_unique<GuessTable>(settings_.guesses, settings_.exempt_from_limits,
                                            random_value<daemon::SipHash::Key>());
    checkers_.emplace(settings_.checkers);
    if (!checkers_->has_threads()) return refused("no thread can be started: raise ulimit -u, or TasksMax=");
    if (!sockets_) return refused("nothing is bound");
    const Shared shared{.clients = *clients_,
                        .guesses = *guesses_,
                        .slots = *slots_,
                        .open_connections = open_connections_,
                        .most_connections = capacity_.sessions + refused_connections,
                        .checkers = *checkers_,
                        .metrics = *metrics_,
                        .voice = voice_,
                        .listener_names = listener_names_};
    if (const auto started = threads_.start(settings_.loops, shared, policies_, *sockets_); !started)
      return refused(started.error());
    return start_pages();
  }

  bool start_pages() {
    watch_files();
    if (!metrics_socket_.is_open()) return true;
    pages_.emplace(*metrics_, Build{.version = start_.version, .policy = spec::policy_hash()}, phase_);
    pages_->set_certificates(policies_->certificate_ends());
    endpoint_.emplace(std::move(metrics_socket_), *pages_);
    if (const auto started = endpoint_->start(); !started) return refused(started.error());
    const Address address = settings_.metrics.value_or(Endpoint{}).address;
    log("metrics", write(Endpoint{.address = address, .port = endpoint_->port()}).view());
    return true;
  }

  // ---- service

  void wait_for_the_end() {
    constexpr timespec tick{.tv_sec = 0, .tv_nsec = 500'000'000};  // a change is taken when two looks find it the same
    for (;;) {
      siginfo_t info{};
      const int number = ::sigtimedwait(&signals_, &info, &tick);
      if (number == SIGTERM || number == SIGINT) return;
      try {
        once_a_tick(number, info.si_code == SI_USER ? info.si_pid : 0);
      } catch (const std::bad_alloc&) {
        log("trouble", "no memory for what is done once a second");
      }
    }
  }

  void tell_opened_gates() {
    while (const auto change = guesses_->next_opened(std::chrono::steady_clock::now())) {
      metrics_->shard(0).gate_changed(change->kind, change->is_shut);
      tell(daemon::Journal(write(change->address).view(), {}, voice_), *change);
    }
  }

  void watch_files() { watch_.watch(policies_->files(), policies_->files_read_live()); }

  void once_a_tick(int signal_number, pid_t asker) {
    if (signal_number == SIGHUP)
      reload(asker);
    else if (signal_number < 0 && watch_.settled())
      reload(0);
    if (std::time(nullptr) / day_seconds != certificates_told_on_) tell_certificates(Expired::untold);
    notifier_.watchdog();
    tell_opened_gates();
  }

  void reload(pid_t asker) {
    watch_.look();
    const bool is_changed = has_reloaded(asker);
    metrics_->shard(0).reloaded(is_changed ? ReloadResult::done : ReloadResult::failed);
    notifier_.ready();
    watch_files();
    if (!is_changed) return;
    for (const std::string& sentence : policies_->warnings()) log("warning", sentence);
    for (const std::string& sentence : policies_->class_problems()) log("warning", sentence);
    tell_certificates(Expired::told);
    log_settings();
  }

  bool has_reloaded(pid_t asker) {
    try {
      notifier_.reloading();
      const auto changed = read_and_judge();
      if (changed)
        report_reload(asker, true, "done: new sessions are served with it");
      else
        report_reload(asker, false, "refused, and nothing has changed: " + changed.error());
      return changed.has_value();
    } catch (const std::bad_alloc&) {
      report_reload(asker, false, "refused, and nothing has changed: there is no memory for it");
      return false;
    }
  }

  void report_reload(pid_t asker, bool is_done, std::string_view verdict) {
    log("reload", verdict);
    reporter_.report(asker, is_done, verdict);
  }

  std::expected<void, std::string> read_and_judge() {
    Configuration next = settings_;
    if (start_.read_again) {
      if (auto obstacle = obstacle_to({.place = "the configuration", .path = settings_.file}))
        return std::unexpected(std::move(*obstacle));
      auto read = start_.read_again();
      if (!read) return std::unexpected(std::move(read.error()));
      next = std::move(*read);
    }
    if (next.loops == 0) next.loops = default_loops();
    fit_in(next);
    if (const auto names = wants_restart(settings_, next); !names.empty())
      return std::unexpected("changed: " + joined(names, ", ") + "; restart for that");
    auto made = Policies::make(next, start_.environment, voice_, known_certificates_);
    if (!made) return std::unexpected(joined(made.error(), "; "));
    if (const std::string sentence = (*made)->beyond(reach_); is_confined_ && !sentence.empty())
      return std::unexpected(sentence + ": restart, and it is let in");
    if (auto opened = (*made)->open_lanes(lanes_, programs_); !opened) return opened;
    auto exempt = next.exempt_from_limits, exempt_again = exempt;
    auto prepared = threads_.prepare(*made);
    // All that can fail has not: from here on nothing allocates.
    settings_ = std::move(next);
    const auto before = std::exchange(policies_, std::move(*made));  // its lanes live until the new ones are there
    clients_->set(settings_.clients, std::move(exempt));
    guesses_->set(settings_.guesses, std::move(exempt_again));
    threads_.post(std::move(prepared));
    return {};
  }

  // ---- end

  void shut_down() {
    phase_ = Phase::stopping;
    notifier_.stopping();
    log("end", "shutting down");
    threads_.shut_down(false);
    if (!wait_until_empty(settings_.shutdown_seconds)) {
      threads_.shut_down(true);
      if (!wait_until_empty(end_seconds)) break_off();
    }
    threads_.end();
    if (endpoint_) endpoint_->stop();
    log("end", "all sessions are over");
    log_.stop();
  }

  // A thread that waits for a program, a back end or a disk cannot be ended otherwise. Nothing that it holds was answered.
  [[noreturn]] void break_off() {
    constexpr std::string_view sentence = "sessions are broken off: what they wait for does not come";
    daemon::LogLine("end", voice_).number("sessions", threads_.sessions()).note(sentence).write();
    log_.stop();
    std::_Exit(0);
  }

  bool wait_until_empty(unsigned seconds) {
    const Time end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!threads_.are_empty() && std::chrono::steady_clock::now() < end) {
      if (threads_.have_heard()) sockets_.reset();  // who comes now tries another MX, and does not wait here for nobody
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return threads_.are_empty();
  }

  // ---- words

  [[nodiscard]] daemon::LogForm log_form() const {
    return settings_.log == LogFormat::json ? daemon::LogForm::json : daemon::LogForm::text;
  }

  // Of clients without a class of tcprules.
  void log_settings() const {
    for (std::size_t i = 0; i < listener_names_.size(); ++i)
      daemon::Journal({}, {}, voice_, listener_names_[i]).settings(policies_->find(i, {})->start);
  }

  bool refused(std::string_view sentence) {
    log("config", sentence);
    return false;
  }
  void log(std::string_view event, std::string_view sentence) {
    if (is_rehearsal_)
      notices_.push_back({std::string(event), std::string(sentence)});
    else
      daemon::LogLine(event, voice_).note(sentence).write();
  }

  const ServerStart& start_;
  Configuration settings_;
  sigset_t signals_{};
  LogBuffer log_;
  daemon::LogVoice voice_;
  Notifier notifier_{from_environment};
  ReloadReporter reporter_;
  std::atomic<Phase> phase_ = Phase::starting;
  std::optional<Account> account_;
  std::shared_ptr<KnownCertificates> known_certificates_ = std::make_shared<KnownCertificates>();
  std::shared_ptr<const Policies> policies_;
  Policies::Programs programs_ = Policies::Programs::allowed;
  std::optional<Sandbox> sandbox_;
  Reach reach_;
  bool is_confined_ = false;  // to reach_
  std::optional<Sockets> sockets_;
  std::vector<std::string> listener_names_;  // where each listens, for the log
  daemon::Descriptor metrics_socket_;
  Lanes lanes_;
  std::unique_ptr<Metrics> metrics_;
  std::optional<MonitoringPages> pages_;
  std::optional<HttpEndpoint> endpoint_;
  std::unique_ptr<ClientTable> clients_;
  std::unique_ptr<GuessTable> guesses_;
  std::uint64_t descriptors_ = 0;
  Capacity capacity_{};
  std::optional<MessageSlots> slots_;
  std::atomic<std::uint32_t> open_connections_ = 0;
  std::optional<Workers> checkers_;
  LoopThreads threads_;
  FileWatch watch_;
  std::int64_t certificates_told_on_ = 0;  // a day since 1970
  bool is_rehearsal_ = false;
  std::vector<Notice> notices_;
};

}  // namespace

int serve(const ServerStart& start) { return Server(start).run(); }

std::vector<Notice> rehearse(const ServerStart& start) { return Server(start).rehearse(); }

}  // namespace postern::listener
