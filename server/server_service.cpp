#include <signal.h>
#include <unistd.h>

#include "server/backlog.hpp"
#include "server/server_process.hpp"

namespace postern::server {
namespace {

constexpr unsigned end_seconds = 5;  // for jobs in hand, after all patience

std::string joined(const std::vector<std::string>& texts, const std::string& sign) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : sign) + text;
  return all;
}

}  // namespace

// ---- service

void Server::wait_for_the_end() {
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

void Server::tell_opened_gates() {
  while (const auto change = guesses_->next_opened(std::chrono::steady_clock::now())) {
    metrics_->shard(0).gate_changed(change->kind, change->is_shut);
    tell(observe::Journal(base::write(change->address).view(), {}, voice_), *change);
  }
}

void Server::once_a_tick(int signal_number, pid_t asker) {
  if (signal_number == SIGHUP)
    reload(asker);
  else if (signal_number < 0 && watch_.settled())
    reload(0);
  if (std::time(nullptr) / tls::day_seconds != certificates_told_on_) tell_certificates(Expired::untold);
  notifier_.watchdog();
  tell_opened_gates();
  read_lists_again();
  shelf_.forget_unused();
}

// What could not be read for a reason that may have passed, as a descriptor that was missing.
void Server::read_lists_again() {
  auto next = with_lists_read_again(*snapshot_);
  if (next == nullptr) return;
  auto prepared = threads_.prepare(next);
  shelf_.make_room();
  serve_by(std::move(next), std::move(prepared));
}

// Cannot fail.
void Server::serve_by(std::shared_ptr<const Snapshot> next, std::vector<std::unique_ptr<loop::Posted>> prepared) {
  shelf_.add(std::exchange(snapshot_, std::move(next)));
  threads_.post(std::move(prepared));
}

void Server::reload(pid_t asker) {
  const bool is_changed = has_reloaded(asker);
  metrics_->shard(0).reloaded(is_changed ? observe::ReloadResult::done : observe::ReloadResult::failed);
  notifier_.ready();
  watch_files();
  if (!is_changed) return;
  for (const std::string& sentence : policies_->warnings()) log("warning", sentence);
  for (const std::string& sentence : policies_->class_problems()) log("warning", sentence);
  tell_certificates(Expired::told);
  log_settings();
}

bool Server::has_reloaded(pid_t asker) {
  try {
    watch_.look();
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

void Server::report_reload(pid_t asker, bool is_done, std::string_view verdict) {
  log("reload", verdict);
  try {
    std::vector<std::string> sentences = is_done ? policies_->class_problems() : std::vector<std::string>();
    sentences.insert(sentences.begin(), std::string(verdict));
    reporter_.report(asker, is_done, joined(sentences, "; but "));
  } catch (const std::bad_alloc&) {
    reporter_.report(asker, is_done, verdict);
  }
}

std::expected<void, std::string> Server::read_and_judge() {
  config::Configuration next = settings_;
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
    return std::unexpected("changed: " + joined(names, ", ") +
                           "; restart for that, once postern check -c finds the file fit");
  auto made = Policies::make(next, start_.environment, voice_, known_certificates_);
  if (!made) return std::unexpected(joined(made.error(), "; "));
  if (const std::string sentence = (*made)->beyond(reach_); is_confined_ && !sentence.empty())
    return std::unexpected(sentence + ": restart, and it is let in");
  if (auto opened = (*made)->open_deliveries(deliveries_, programs_); !opened) return opened;
  auto exempt = next.exempt_from_limits, exempt_again = exempt;
  auto snapshot = make_snapshot(*made, snapshot_.get(), observe::Journal("none", {}, voice_));
  auto prepared = threads_.prepare(snapshot);
  shelf_.make_room();
  // All that can fail has not: from here on nothing allocates.
  settings_ = std::move(next);
  policies_ = std::move(*made);
  clients_->set(settings_.clients, std::move(exempt));
  guesses_->set(settings_.guesses, std::move(exempt_again));
  serve_by(std::move(snapshot), std::move(prepared));
  return {};
}

// ---- end

void Server::shut_down() {
  phase_ = observe::Phase::stopping;
  notifier_.stopping();
  log("end", "shutting down");
  threads_.shut_down(false);
  if (have_all_heard(settings_.shutdown_seconds)) part_from_backlog();
  if (!wait_until_empty(settings_.shutdown_seconds)) {
    threads_.shut_down(true);
    if (!wait_until_empty(end_seconds)) break_off();
  }
  threads_.end();
  if (endpoint_) endpoint_->stop();
  log("end", "all sessions are over");
  log_.stop();
}

// Who comes now tries another MX, and does not wait here for nobody; who came before and was not accepted hears 421. What
// systemd holds keeps its backlog, which is for who serves next.
void Server::part_from_backlog() {
  const base::Time until = std::chrono::steady_clock::now() + std::chrono::seconds(spec::max_shutdown_backlog_seconds);
  for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
    if (!settings_.listeners[i].socket_name.empty()) continue;
    const BacklogTeller teller{.metrics = metrics_->shard(0),
                               .voice = voice_,
                               .listener = listener_names_[i],
                               .begins_in_tls = begins_in_tls(i)};
    for (const base::Descriptor& socket : sockets_->of(i)) tell_backlog(socket.number(), teller, until);
  }
  sockets_.reset();
}

// Where that cannot be told nothing is said.
bool Server::begins_in_tls(std::size_t listener) const try {
  return policies_->find(listener, {})->is_implicit_tls();
} catch (const std::bad_alloc&) {
  return true;
}

// A thread that waits for a program, a back end or a disk cannot be ended otherwise. Nothing that it holds was answered.
void Server::break_off() {
  constexpr std::string_view sentence = "sessions are broken off: what they wait for does not come";
  observe::LogLine("end", voice_).number("sessions", threads_.sessions()).note(sentence).write();
  log_.stop();
  std::_Exit(0);
}

// From then on nobody accepts.
bool Server::have_all_heard(unsigned seconds) const {
  const base::Time end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!threads_.have_heard() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return threads_.have_heard();
}

bool Server::wait_until_empty(unsigned seconds) {
  const base::Time end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!threads_.are_empty() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return threads_.are_empty();
}

}  // namespace postern::server
