#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <ranges>

#include "config/as_it_is.hpp"
#include "server/backlog.hpp"
#include "server/server_process.hpp"
#include "server/silent_services.hpp"

namespace postern::server {
namespace {

constexpr unsigned end_seconds = 5;               // for jobs in hand, after all patience
constexpr std::chrono::seconds end_of_reload{1};  // for one that goes on: nobody is served by it any more
constexpr const char* kept_until_restart = ": as before until a restart";

std::string joined(const std::vector<std::string>& texts, const std::string& sign) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : sign) + text;
  return all;
}

}  // namespace

// ---- service

void Server::wait_for_the_end() {
  constexpr timespec tick{.tv_sec = 0, .tv_nsec = 500'000'000};
  for (;;) {
    siginfo_t info{};
    const int number = ::sigtimedwait(&signals_, &info, &tick);
    if (number == SIGTERM || number == SIGINT) return;
    if (number == SIGHUP) upkeep_.ask(info.si_code == SI_USER ? info.si_pid : 0);
    notifier_.watchdog();
  }
}

void Server::tell_opened_gates() {
  while (const auto change = guesses_->next_opened(std::chrono::steady_clock::now())) {
    metrics_->shard(0).gate_changed(change->kind, change->is_shut);
    tell(observe::Journal(base::write(change->address).view(), {}, voice_), *change);
  }
}

bool Server::have_files_changed() const {
  const bool by_shadow = shadow_ != nullptr && shadow_->have_files_changed();
  const bool by_refused = refused_files_ != nullptr && refused_files_->settled();
  return policies_->have_files_changed() || by_shadow || by_refused;
}

// What a reload reads it answers, even where it is refused.
void Server::know_changes() const {
  policies_->know_changes();
  if (refused_files_ != nullptr) refused_files_->look();
  if (shadow_ != nullptr) shadow_->know_changes();
}

void Server::look_after(std::optional<pid_t> asker) try {
  if (asker)
    reload(*asker);
  else if (have_files_changed())
    reload(0);
  if (!has_tried_services_) tell_silent_services();
  if (std::time(nullptr) / tls::day_seconds != certificates_told_on_) tell_certificates(Expired::untold);
  tell_opened_gates();
  read_lists_again();
  if (greylist_.is_due(std::chrono::steady_clock::now())) save_greylist();
  shelf_.forget_unused();
} catch (const std::bad_alloc&) {
  log("trouble", "no memory for the work of each second");
} catch (const std::exception& error) {
  log("trouble", std::string("the work of each second has failed: ") + error.what());
}

void Server::save_greylist() {
  if (const std::string sentence = greylist_.save(std::chrono::steady_clock::now()); !sentence.empty())
    log("warning", sentence);
}

// What could not be read for a reason that may have passed, as a descriptor that was missing.
void Server::read_lists_again() {
  const bool is_due = snapshot_->lists->unreadable() != 0 && list_retry_.is_due(std::chrono::steady_clock::now());
  auto next = with_lists_read_again(*snapshot_, observe::Journal("none", {}, voice_), shelf_.valid_recipients(),
                                    is_due ? Failures::read_again : Failures::stay);
  if (next == nullptr) return;
  auto prepared = threads_.prepare(next);
  shelf_.make_room();
  const std::lock_guard lock(changing_);
  if (!is_ending()) serve_by(std::move(next), std::move(prepared));
}

// Cannot fail.
void Server::serve_by(std::shared_ptr<const Snapshot> next, std::vector<std::unique_ptr<loop::Posted>> prepared) {
  shelf_.add(std::exchange(snapshot_, std::move(next)));
  list_retry_.begin(std::chrono::steady_clock::now());
  threads_.post(std::move(prepared));
}

void Server::reload(pid_t asker) {
  const bool is_changed = has_reloaded(asker);
  save_greylist();
  metrics_->shard(0).reloaded(is_changed ? observe::ReloadResult::done : observe::ReloadResult::failed);
  notifier_.ready();
  if (!is_changed) return;
  for (const std::string& sentence : policies_->defects()) log("warning", sentence);
  for (const std::string& sentence : policies_->warnings()) log("warning", sentence);
  for (const std::string& sentence : idle_filter_settings(*policies_)) log("warning", sentence);
  has_tried_services_ = false;  // afterwards: a reload waits for none of them
  for (const std::string& sentence : policies_->class_problems()) log("warning", sentence);
  if (const std::string sentence = policies_->warning_of_greylist(); !sentence.empty()) log("warning", sentence);
  tell_shadow();
  if (!shadow_problem_.empty()) log("warning", shadow_problem_);
  tell_certificates(Expired::told);
  log_settings();
}

bool Server::has_reloaded(pid_t asker) {
  try {
    know_changes();
    notifier_.reloading();
    const auto changed = read_and_judge();
    const std::string report = changed ? report_shadow() : std::string();
    const std::string kept = changed && !changed->empty() ? "; " + joined(*changed, ", ") + kept_until_restart : "";
    if (changed)
      report_reload(asker, true, "done: new sessions are served with it" + kept + report);
    else
      report_reload(asker, false, "refused, and nothing has changed: " + changed.error());
    return changed.has_value();
  } catch (const std::bad_alloc&) {
    report_reload(asker, false, "refused, and nothing has changed: there is no memory for it");
  } catch (const std::exception& error) {
    report_reload(asker, false, std::string("refused, and nothing has changed: ") + error.what());
  }
  return false;
}

void Server::report_reload(pid_t asker, bool is_done, std::string_view verdict) {
  log("reload", verdict);
  try {
    std::vector<std::string> sentences = is_done ? policies_->class_problems() : std::vector<std::string>();
    sentences.insert(sentences.begin(), std::string(verdict));
    if (is_done && !shadow_problem_.empty()) sentences.push_back(shadow_problem_);
    reporter_.report(asker, is_done, joined(sentences, "; but "));
  } catch (const std::bad_alloc&) {
    reporter_.report(asker, is_done, verdict);
  }
}

std::expected<std::vector<std::string>, std::string> Server::read_and_judge() {
  config::Configuration next = as_read_;
  if (start_.read_again) {
    if (auto obstacle = obstacle_to({.place = "the configuration", .path = settings_.file}))
      return std::unexpected(std::move(*obstacle));
    auto read = start_.read_again();
    if (!read) return std::unexpected(std::move(read.error()));
    next = std::move(*read);
  }
  if (next.loops == 0) next.loops = default_loops();
  auto restart = wants_restart(as_read_, next);
  if (!restart.refused.empty())
    return std::unexpected(
        joined(restart.refused, ", ") +
        " cannot change in a server that runs: restart, after postern check -c finds the file fit, or "
        "undo that to have the rest");
  if (std::string problem = problem_of_next_start(as_read_, next, is_confined_); !problem.empty())
    return std::unexpected(std::move(problem));
  keep_what_serves(as_read_, next);
  config::Configuration next_as_read = next;
  fit_in(next);
  refused_files_ = std::make_shared<config::FileWatch>();
  auto made = Policies::make(next, start_.environment, voice_, known_certificates_, refused_files_);
  if (!made) return std::unexpected(joined(made.error(), "; "));
  // What serves is better; those that it has as well are no reason to stay with it.
  std::vector<std::string> defects = (*made)->defects();
  std::erase_if(defects, [known = policies_->defects()](const std::string& each) {
    return std::ranges::find(known, each) != known.end();
  });
  for (std::string& each : defects) each.resize(std::min(each.find(config::as_it_is), each.size()));
  if (!defects.empty()) return std::unexpected(joined(defects, "; "));
  if (const std::string sentence = (*made)->beyond(reach_); is_confined_ && !sentence.empty())
    return std::unexpected(sentence + ": restart to add it");
  if (auto opened = (*made)->open_deliveries(deliveries_, programs_); !opened)
    return std::unexpected(std::move(opened.error()));
  auto files_of_shadow = std::make_shared<config::FileWatch>();
  auto shadow = shadow_of(next, files_of_shadow);
  if (shadow) files_of_shadow = nullptr;
  std::string shadow_problem = shadow ? std::string() : joined(shadow.error(), "; ") + "; it stays as it was";
  if (!shadow) shadow = shadow_;
  auto exempt = next.exempt_from_limits, exempt_again = exempt;
  auto snapshot = make_snapshot(*made, snapshot_.get(), observe::Journal("none", {}, voice_), shelf_.valid_recipients(),
                                make_shadow(*shadow, next));
  auto prepared = threads_.prepare(snapshot);
  shelf_.make_room();
  const std::lock_guard lock(changing_);
  if (is_ending()) return std::unexpected("the server ends");
  // All that can fail has not: from here on nothing allocates.
  settings_ = std::move(next);
  as_read_ = std::move(next_as_read);
  refused_files_ = std::move(files_of_shadow);
  policies_ = std::move(*made);
  shadow_ = std::move(*shadow);
  shadow_problem_ = std::move(shadow_problem);
  clients_->set(settings_.clients, std::move(exempt));
  guesses_->set(settings_.guesses, std::move(exempt_again));
  serve_by(std::move(snapshot), std::move(prepared));
  return std::move(restart.kept);
}

// What the shadow has counted since the last report; in half a sentence for the verdict of a reload.
std::string Server::report_shadow() {
  constexpr std::size_t most_pairs = 20;
  if (metrics_->shown_shadow() == nullptr) return {};
  const observe::ShadowCounts::Report report = metrics_->shadow_counts().take_report();
  observe::LogLine("shadow_report", voice_)
      .number("sessions", report.sessions)
      .number("differences", report.differences)
      .write();
  for (const observe::ShadowDifference& each : report.pairs | std::views::take(most_pairs))
    observe::LogLine("shadow_report", voice_)
        .field("rule", spec::name_of(each.rule))
        .field("would", each.would.name())
        .number("number", each.number)
        .write();
  return "; by its shadow " + std::to_string(report.differences) + " of " + std::to_string(report.sessions) +
         " sessions would have gone another way";
}

// ---- end

void Server::shut_down() {
  {
    const std::lock_guard lock(changing_);
    phase_ = observe::Phase::stopping;
  }
  upkeep_.end();
  notifier_.stopping();
  log("end", "shutting down");
  threads_.shut_down(false);
  if (have_all_heard(settings_.shutdown_seconds)) part_from_backlog();
  if (!wait_until_empty(settings_.shutdown_seconds)) {
    threads_.shut_down(true);
    if (!wait_until_empty(end_seconds)) {
      save_greylist();
      break_off();
    }
  }
  threads_.end();
  save_greylist();
  end_upkeep();
  static_cast<void>(report_shadow());
  if (endpoint_) endpoint_->stop();
  program_output_.stop();
  log("end", "all sessions are over");
  log_.stop();
}

// A client that comes now tries another MX, and does not wait here in vain; one not yet accepted gets 421. What
// systemd holds keeps its backlog, which is for the next server.
void Server::part_from_backlog() {
  if (!sockets_) return;
  const base::Time until = std::chrono::steady_clock::now() + std::chrono::seconds(spec::max_shutdown_backlog_seconds);
  for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
    if (!settings_.listeners[i].socket_name.empty()) continue;
    engine::Service service = snapshot_->classes[i].find("")->second->service();
    if (may_expect_tls(snapshot_->classes[i])) service.settings_and_facts.set(spec::bit::SSL, true);
    const BacklogTeller teller{
        .metrics = metrics_->shard(0), .voice = voice_, .listener = listener_names_[i], .service = service};
    for (const base::Descriptor& socket : sockets_->of(i)) tell_backlog(socket.number(), teller, until);
  }
  sockets_.reset();
}

// A thread that waits for a program, a back end or a disk can be ended in no other way. Nothing that it holds was answered.
void Server::break_off() {
  constexpr std::string_view sentence = "sessions are aborted: what they wait for does not come";
  observe::LogLine("end", voice_).number("sessions", threads_.sessions()).note(sentence).write();
  log_.stop();
  std::_Exit(0);
}

// Neither can one that waits for a file, or a service. What it would have changed serves nobody.
void Server::end_upkeep() {
  if (upkeep_.has_ended_within(end_of_reload)) return;
  log("end", "all sessions are over; what goes on beside them is given up: a file or a service does not answer");
  log_.stop();
  std::_Exit(0);
}

// From then on nothing accepts.
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
