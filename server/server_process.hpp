// One server from its start to its end: what serve() and dry_run() do, in the order in which it is done.
// in      a ServerStart, which outlives it
// lives   on the thread that calls run(), which waits for signals. The loops have threads of their own (loop_thread.hpp), and
//         what reads files while it serves has one (upkeep.hpp): what that one changes, it changes under `changing_`
// errors  each sentence on the log, or among the notices of a dry run; a refused start is exit code 100
// source  docs/operating.md
#pragma once

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <expected>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "dns/servers.hpp"
#include "observe/http_pages.hpp"
#include "observe/log_buffer.hpp"
#include "observe/program_output.hpp"
#include "server/capacity.hpp"
#include "server/dry_run.hpp"
#include "server/greylist_keeper.hpp"
#include "server/loop_thread.hpp"
#include "server/policies.hpp"
#include "server/reload_verdict.hpp"
#include "server/restart.hpp"
#include "server/sandbox/privileges.hpp"
#include "server/sandbox/sandbox.hpp"
#include "server/server.hpp"
#include "server/sockets.hpp"
#include "server/systemd.hpp"
#include "server/upkeep.hpp"
#include "server/userdbs.hpp"

namespace postern::server {

[[nodiscard]] inline const char* from_environment(const char* name) { return std::getenv(name); }
[[nodiscard]] inline unsigned default_loops() { return std::max(1U, std::thread::hardware_concurrency()); }

class Server {
 public:
  explicit Server(const ServerStart& start)
      : start_(start),
        settings_(start.settings),
        greylist_(start.settings.greylist_file),
        log_(STDERR_FILENO, log_form()),
        voice_{.program = "postern",
               .output = &log_,
               .form = log_form(),
               .process = static_cast<std::uint64_t>(::getpid())} {
    if (settings_.loops == 0) settings_.loops = default_loops();
    as_read_ = settings_;
  }

  int run();

  std::vector<Notice> dry_run(Services services);

 private:
  // ---- start

  void block_signals();
  bool is_fit();
  bool prepare();
  bool catch_program_output();
  void fit_in(config::Configuration& settings);
  bool go_home();
  bool find_resolvers();
  bool judge();
  bool judge_as_who_serves();
  bool judge_shadow();
  [[nodiscard]] Policies::Made shadow_of(const config::Configuration& settings,
                                         std::shared_ptr<config::FileWatch> watch) const;
  [[nodiscard]] std::shared_ptr<const Shadow> make_shadow(const std::shared_ptr<const Policies>& policies,
                                                          const config::Configuration& settings);

  // told       what makes a certificate ready to serve has said already that it is expired
  enum class Expired : std::uint8_t { told, untold };
  void tell_certificates(Expired expired);
  void tell_silent_services();
  bool bind();
  bool change_identity();
  bool shut_in(std::expected<Sandbox, std::string> entered);
  bool start_threads();
  bool start_pages();

  // ---- service

  void wait_for_the_end();
  void tell_opened_gates();
  void read_lists_again();
  void save_greylist();
  [[nodiscard]] bool is_ending() const { return phase_ == observe::Phase::stopping; }  // under changing_
  void serve_by(std::shared_ptr<const Snapshot> next, std::vector<std::unique_ptr<loop::Posted>> prepared);
  [[nodiscard]] bool have_files_changed() const;
  void know_changes() const;

  void look_after(std::optional<pid_t> asker);
  void reload(pid_t asker);
  bool has_reloaded(pid_t asker);
  void report_reload(pid_t asker, bool is_done, std::string_view verdict);
  // Done: the names of what stays as it was until a restart.
  std::expected<std::vector<std::string>, std::string> read_and_judge();
  std::string report_shadow();

  // ---- end

  void shut_down();
  [[nodiscard]] bool have_all_heard(unsigned seconds) const;
  void part_from_backlog();
  [[noreturn]] void break_off();
  void end_upkeep();
  bool wait_until_empty(unsigned seconds);

  // ---- words

  [[nodiscard]] observe::LogForm log_form() const;
  void log_settings() const;
  void tell_shadow();
  bool refused(std::string_view sentence);
  void log(std::string_view event, std::string_view sentence);

  const ServerStart& start_;
  config::Configuration settings_, as_read_;  // as_read_: before it was fitted in
  GreylistKeeper greylist_;                   // before the loops that ask it
  Userdbs userdbs_;                           // the same
  sigset_t signals_{};
  observe::LogBuffer log_;
  observe::LogVoice voice_;
  observe::ProgramOutput program_output_;  // where the log is JSON: what programs write is none
  Notifier notifier_{from_environment};
  ReloadReporter reporter_;
  std::atomic<observe::Phase> phase_ = observe::Phase::starting;
  std::optional<Account> account_;
  std::shared_ptr<KnownCertificates> known_certificates_ = std::make_shared<KnownCertificates>();
  std::shared_ptr<const Policies> policies_;
  std::shared_ptr<config::FileWatch>
      refused_files_;                       // of what the last reload refused, its shadow perhaps; null: nothing
  std::shared_ptr<const Policies> shadow_;  // null: none
  std::string shadow_problem_;              // why the last reload kept the one before
  Policies::Programs programs_ = Policies::Programs::allowed;
  std::optional<Sandbox> sandbox_;
  std::expected<dns::Servers, std::string> dns_servers_;  // who is asked, as it was before the root changed
  SandboxPaths reach_;
  bool is_confined_ = false;  // to reach_
  std::optional<Sockets> sockets_;
  std::vector<std::string> listener_names_;  // where each listens, for the log
  base::Descriptor metrics_socket_;
  Deliveries deliveries_;
  std::unique_ptr<observe::Metrics> metrics_;
  std::optional<observe::MonitoringPages> pages_;
  std::optional<observe::HttpEndpoint> endpoint_;
  std::unique_ptr<limits::ClientTable> clients_;
  std::unique_ptr<limits::GuessTable> guesses_;
  std::uint64_t descriptors_ = 0;
  Capacity capacity_{};
  std::optional<MessageSlots> slots_;
  std::atomic<std::uint32_t> open_connections_ = 0;
  std::optional<loop::Workers> checkers_, judges_;
  std::shared_ptr<const Snapshot> snapshot_;
  SnapshotShelf shelf_;
  ListRetry list_retry_;
  LoopThreads threads_;
  std::int64_t certificates_told_on_ = 0;  // a day since 1970
  bool is_dry_run_ = false;
  bool has_tried_services_ = false;
  std::vector<Notice> notices_;
  std::mutex changing_;  // what serves, until the server ends
  Upkeep upkeep_;
};

}  // namespace postern::server
