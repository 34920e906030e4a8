#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "ask/client_listing.hpp"
#include "server/server_process.hpp"
#include "server/silent_services.hpp"

namespace postern::server {
namespace {

constexpr int exit_refused = 100;

// The shadow writes nothing and connects to nothing.
void add_readable(SandboxPaths& reach, const SandboxPaths& shadow) {
  reach.readable.insert(reach.readable.end(), shadow.readable.begin(), shadow.readable.end());
  reach.readable.insert(reach.readable.end(), shadow.writable.begin(), shadow.writable.end());
}

template <typename T>
T random_value() {
  T value{};
  static_cast<void>(!::getrandom(&value, sizeof value, 0));
  return value;
}

}  // namespace

// ---- start

int Server::run() {
  block_signals();
  if (!is_fit() || !prepare()) return exit_refused;
  if (!start_threads()) return exit_refused;
  notifier_.ready();
  phase_ = observe::Phase::ready;
  log_settings();
  log("ready", "serving");
  wait_for_the_end();
  shut_down();
  return 0;
}

std::vector<Notice> Server::dry_run(Services services) {
  is_dry_run_ = true;
  if (find_resolvers() && go_home() && judge() && change_identity() && judge_as_who_serves()) {
    if (services == Services::asked) tell_silent_services();
    if (const auto opened = policies_->open_deliveries(deliveries_, programs_); !opened) refused(opened.error());
  }
  return std::move(notices_);
}

void Server::block_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a bound of file size (ulimit -f) is a write that fails, and a 451
  ::signal(SIGCHLD, SIG_DFL);
  sigemptyset(&signals_);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, number);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

// Before anything is bound that a client could meet. Without a child to spare for it, it is judged at the real start.
bool Server::is_fit() {
  std::vector<Notice> notices = dry_run_apart(start_, Services::unasked).value_or(std::vector<Notice>());
  std::erase_if(notices, [](const Notice& notice) { return notice.event != "config"; });
  for (const Notice& notice : notices) log(notice.event, notice.sentence);
  return notices.empty();
}

bool Server::prepare() {
  descriptors_ = descriptor_limit();
  fit_in(settings_);
  slots_.emplace(capacity_.messages);
  return catch_program_output() && find_resolvers() && go_home() && judge() && bind() && change_identity() &&
         judge_as_who_serves();
}

// A reader of JSON lines would stumble over what programs write. Before anything is judged: each start says where that goes.
bool Server::catch_program_output() {
  if (settings_.log != config::LogFormat::json) return true;
  if (const int error = program_output_.open(); error != 0)
    return refused(std::string("no pipe for what programs write: ") + ::strerror(error));
  voice_.programs = program_output_.descriptor();
  return true;
}

// As many sessions and hand-overs as there are descriptors for, with what is in hand.
void Server::fit_in(config::Configuration& settings) {
  capacity_ = capacity_for(settings, descriptors_);
  if (capacity_.is_below_wishes) log("warning", describe(capacity_, descriptors_));
  settings.hand_overs = capacity_.hand_overs;
  settings.clients.sessions = capacity_.sessions;
}

// The root first: every path means the same at the start and at a reload.
bool Server::go_home() {
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

// That the system names none is of interest only where somebody would be asked.
bool Server::find_resolvers() {
  dns_servers_ = ask::dns_servers(settings_.dns);
  if (!dns_servers_ && settings_.looks_up_names && settings_.dns.empty())
    return refused("client_names: " + dns_servers_.error() + ": name resolvers with dns, or leave client_names out");
  return dns_servers_ || settings_.dns.empty() || refused("dns: " + dns_servers_.error());
}

bool Server::judge() {
  auto made = Policies::make(settings_, start_.environment, voice_, known_certificates_);
  if (!made) {
    for (const std::string& sentence : made.error()) log("config", sentence);
    return false;
  }
  policies_ = std::move(*made);
  return judge_shadow();
}

bool Server::judge_shadow() {
  auto made = shadow_of(settings_, std::make_shared<config::FileWatch>());
  if (!made) {
    for (const std::string& sentence : made.error()) log("config", sentence);
    return false;
  }
  shadow_ = std::move(*made);
  return true;
}

Policies::Made Server::shadow_of(const config::Configuration& settings,
                                 std::shared_ptr<config::FileWatch> watch) const {
  return server::judge_shadow(settings.shadow, start_.read_shadow,
                              {.environment = start_.environment,
                               .voice = voice_,
                               .certificates = known_certificates_,
                               .watch = std::move(watch)});
}

std::shared_ptr<const Shadow> Server::make_shadow(const std::shared_ptr<const Policies>& policies,
                                                  const config::Configuration& settings) {
  if (policies == nullptr) return nullptr;
  return std::make_shared<Shadow>(policies, settings, metrics_->shadow_counts(), observe::Journal("none", {}, voice_));
}

// Again, by whom a reload will be judged: what only root may read would be refused to each client, and at each reload.
bool Server::judge_as_who_serves() {
  if (!judge()) return false;
  for (const std::string& sentence : policies_->defects()) log(is_dry_run_ ? "defect" : "warning", sentence);
  for (const std::string& sentence : policies_->warnings()) log("warning", sentence);
  for (const std::string& sentence : idle_filter_settings(*policies_)) log("warning", sentence);
  if (!is_dry_run_)  // which may be beside the server that has it
    if (const std::string sentence = greylist_.lock(); !sentence.empty()) return refused(sentence);
  const auto now = std::chrono::steady_clock::now();
  for (const std::string& sentence :
       {policies_->warning_of_greylist(), greylist_.open(random_value<base::SipHash::Key>(), now)})
    if (!sentence.empty()) log("warning", sentence);
  if (settings_.looks_up_names) log("client_names", "looked up before each greeting");
  if (!dns_servers_ && policies_->has_dns_lists()) log("warning", "DNS lists are not asked: " + dns_servers_.error());
  tell_certificates(Expired::told);
  return true;
}

// Which may wait for them.
void Server::tell_silent_services() {
  for (const std::string& sentence : silent_services(*policies_, dns_servers_)) log("warning", sentence);
  has_tried_services_ = true;
}

void Server::tell_certificates(Expired expired) {
  const std::int64_t now = std::time(nullptr);
  certificates_told_on_ = now / tls::day_seconds;
  std::vector<tls::CertificateEnd> ends = policies_->certificate_ends();
  for (const tls::CertificateEnd& end : ends) {
    if (end.ends_seconds < now && expired == Expired::told) continue;
    log(tls::is_to_be_renewed(end, now) ? "warning" : "certificate", tls::describe(end, now));
  }
  if (pages_) pages_->set_certificates(std::move(ends));
}

bool Server::bind() {
  auto inherited = inherited_sockets(from_environment);
  if (!inherited) return refused(inherited.error());
  forget_systemd_variables();
  auto sockets = Sockets::bind(settings_, settings_.loops, std::move(*inherited));
  if (!sockets) return refused(sockets.error());
  sockets_ = std::move(*sockets);
  for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
    listener_names_.emplace_back(base::write(sockets_->at(i)).view());
    log("listen", listener_names_.back());
  }
  if (!settings_.metrics) return true;
  const base::Endpoint& at = *settings_.metrics;
  auto listening = observe::listen_for_http(std::string(base::write(at.address).view()), at.port);
  if (!listening) return refused(listening.error());
  metrics_socket_ = std::move(*listening);
  return true;
}

bool Server::change_identity() {
  const bool runs_programs = policies_->runs_programs();
  if (settings_.is_sandboxed && runs_programs && !shut_in(enter_open_sandbox())) return false;
  if (account_)
    if (const auto dropped = drop_privileges(*account_); !dropped) return refused(dropped.error());
  if (settings_.is_sandboxed && !runs_programs) {
    reach_ = policies_->sandbox_paths();
    if (shadow_ != nullptr) add_readable(reach_, shadow_->sandbox_paths());
    if (dns_servers_ && (settings_.looks_up_names || policies_->has_dns_lists()))
      std::ranges::copy(dns::tcp_ports(*dns_servers_), std::back_inserter(reach_.tcp_connect));
    if (!shut_in(enter_strict_sandbox(reach_))) return false;
    is_confined_ = sandbox_ && sandbox_->landlock.abi != 0;
    programs_ = Policies::Programs::refused;
  }
  if (!account_ && ::geteuid() == 0) log("warning", "runs as root: set user to an account that owns nothing else");
  return true;
}

bool Server::shut_in(std::expected<Sandbox, std::string> entered) {
  if (!entered) return refused(entered.error());
  sandbox_ = std::move(*entered);
  for (const std::string& sentence : sandbox_->warnings) log("warning", sentence);
  log("sandbox", sandbox_->in_force);
  return true;
}

bool Server::start_threads() {
  // Each arena of malloc(3) takes 64 MiB of address space, and a thread would make its own when it serves.
  ::mallopt(M_ARENA_MAX, static_cast<int>(settings_.loops) + 1);
  log_.start();
  if (settings_.log == config::LogFormat::json && programs_ == Policies::Programs::allowed &&
      program_output_.start(voice_) != 0)
    return refused("no thread can be started: raise ulimit -u, or TasksMax=");
  if (const auto opened = policies_->open_deliveries(deliveries_, programs_); !opened) return refused(opened.error());
  for (const std::string& sentence : policies_->class_problems()) log("warning", sentence);
  tell_shadow();
  metrics_ = std::make_unique<observe::Metrics>(settings_.loops, refusal_names());
  clients_ = std::make_unique<limits::ClientTable>(settings_.clients, settings_.exempt_from_limits,
                                                   random_value<std::uint64_t>());
  guesses_ = std::make_unique<limits::GuessTable>(settings_.guesses, settings_.exempt_from_limits,
                                                  random_value<base::SipHash::Key>());
  checkers_.emplace(settings_.checkers);
  judges_.emplace(1);
  if (!checkers_->has_threads() || !judges_->has_threads())
    return refused("no thread can be started: raise ulimit -u, or TasksMax=");
  if (!sockets_) return refused("nothing is bound");
  const Shared shared{.clients = *clients_,
                      .guesses = *guesses_,
                      .greylist = greylist_.greylist(),
                      .userdbs = userdbs_,
                      .slots = *slots_,
                      .open_connections = open_connections_,
                      .most_connections = capacity_.sessions + refused_connections,
                      .checkers = *checkers_,
                      .judges = *judges_,
                      .metrics = *metrics_,
                      .voice = voice_,
                      .listener_names = listener_names_,
                      .dns_servers = dns_servers_};
  snapshot_ =
      make_snapshot(policies_, nullptr, observe::Journal("none", {}, voice_), {}, make_shadow(shadow_, settings_));
  if (const auto started = threads_.start(settings_.loops, shared, snapshot_, *sockets_); !started)
    return refused(started.error());
  if (!start_pages()) return false;
  if (upkeep_.start([this](std::optional<pid_t> asker) { look_after(asker); }) != 0)
    return refused("no thread can be started: raise ulimit -u, or TasksMax=");
  return true;
}

bool Server::start_pages() {
  if (!metrics_socket_.is_open()) return true;
  pages_.emplace(*metrics_, observe::Build{.version = start_.version, .policy = spec::policy_hash()}, phase_);
  pages_->set_certificates(policies_->certificate_ends());
  endpoint_.emplace(std::move(metrics_socket_), *pages_);
  if (const auto started = endpoint_->start(); !started) return refused(started.error());
  const base::Address address = settings_.metrics.value_or(base::Endpoint{}).address;
  log("metrics", base::write(base::Endpoint{.address = address, .port = endpoint_->port()}).view());
  return true;
}

// ---- words

observe::LogForm Server::log_form() const {
  return settings_.log == config::LogFormat::json ? observe::LogForm::json : observe::LogForm::text;
}

// Of clients without a class of tcprules.
void Server::log_settings() const {
  std::vector<config::InForce> of_server;
  if (settings_.looks_up_names) of_server.push_back(config::client_names_in_force());
  for (std::size_t i = 0; i < listener_names_.size(); ++i)
    observe::Journal({}, {}, voice_, listener_names_[i]).settings(policies_->find(i, {})->start, of_server);
}

void Server::tell_shadow() {
  if (shadow_ == nullptr) return;
  log("shadow", "sessions are judged by " + settings_.shadow + " too, without effect");
  for (const std::string& place : not_compared(settings_, shadow_->settings()))
    log("warning", "shadow: nothing listens there where " + place + " does: its clients are not compared");
}

bool Server::refused(std::string_view sentence) {
  log("config", sentence);
  return false;
}

void Server::log(std::string_view event, std::string_view sentence) {
  if (is_dry_run_)
    notices_.push_back({std::string(event), std::string(sentence)});
  else
    observe::LogLine(event, voice_).note(sentence).write();
}

int serve(const ServerStart& start) { return Server(start).run(); }

std::vector<Notice> dry_run(const ServerStart& start, Services services) { return Server(start).dry_run(services); }

}  // namespace postern::server
