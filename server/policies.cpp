#include "server/policies.hpp"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <set>
#include <utility>

#include "ask/auth_records.hpp"
#include "ask/rcpthosts.hpp"
#include "config/cdb_file.hpp"
#include "config/listener_places.hpp"
#include "config/maildir_limits.hpp"
#include "config/tcp_rule.hpp"
#include "config/variables.hpp"

namespace postern::server {
namespace {

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

// The later one wins; otherwise the order stays.
void set(std::vector<std::string>& variables, std::string_view variable) {
  const auto same = [&](const std::string& each) { return name_of(each) == name_of(variable); };
  const auto found = std::ranges::find_if(variables, same);
  if (found != variables.end())
    *found = variable;
  else
    variables.emplace_back(variable);
}

// What only concerns the listener's own start is for no client.
bool is_of_the_process(std::string_view variable) {
  return !variable.starts_with("LISTEN_") && !variable.starts_with("NOTIFY_SOCKET=") &&
         !variable.starts_with("WATCHDOG_");
}

std::vector<std::string> variables_of(const char* const* process_environment, const config::ListenerSettings& listener,
                                      std::string_view class_value) {
  std::vector<std::string> variables;
  for (; process_environment != nullptr && *process_environment != nullptr; ++process_environment)
    if (is_of_the_process(*process_environment)) set(variables, *process_environment);
  for (const std::string& variable : listener.variables) set(variables, variable);
  config::TcpRuleItems items(class_value);
  while (const auto item = items.next())
    if (item->kind == config::TcpRuleItem::Kind::sets) set(variables, item->assignment);
  return variables;
}

std::string filters_key(const config::Start& start) {
  if (start.filters.empty()) return {};
  std::string key = "\n" + std::to_string(start.filter_max_octets) + (start.takes_unfiltered ? "\naccept\n" : "\n") +
                    start.rspamd_settings;
  for (const config::FilterPlace& filter : start.filters) key += '\n' + filter.text;
  return key;
}

// Two starts with the same of these have the same way out.
std::string delivery_key(const config::Start& start, const base::Environment& environment, unsigned threads) {
  return std::to_string(static_cast<int>(start.hand_over)) + '\n' + start.hand_over_path + '\n' +
         std::string(config::host_name(start)) + '\n' + config::own_domain(start) + '\n' +
         deliver::spool_folder(environment) + '\n' + std::to_string(start.error_descriptor.value_or(-1)) + '\n' +
         std::to_string(threads) + (start.has_delivered_to ? "\nDelivered-To" : "") + filters_key(start);
}

bool needs_program(const config::Start& start) {
  return start.hand_over == config::HandOverKind::queue_program ||
         start.backend == config::BackendKind::check_program || !start.recipient_program.empty();
}

tls::TlsSettings tls_settings(const config::Configuration& settings, const config::Start& start) {
  return {.certificate_path = start.certificate_path,
          .ciphers = start.tls_ciphers,
          .now_seconds = std::time(nullptr),
          .groups = settings.tls_groups,
          .only_tls_1_3 = settings.only_tls_1_3,
          .key_path = start.key_path,
          .guards = start.settings_and_facts,
          .gives_tickets = settings.gives_tickets};
}

}  // namespace

Deliveries::Found Deliveries::find(const config::Start& start, const base::Environment& environment, unsigned threads) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<deliver::DeliveryThreads>& known = deliveries_[delivery_key(start, environment, threads)];
  if (auto delivery = known.lock()) return delivery;
  auto made = deliver::make_delivery_threads(start, environment, threads);
  if (made) known = *made;
  return made;
}

void KnownCertificates::add(const std::string& path) {
  const std::lock_guard lock(mutex_);
  paths_.insert(path);
}

bool KnownCertificates::has(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return paths_.contains(path);
}

Policies::Made Policies::make(config::Configuration settings, const char* const* process_environment,
                              observe::LogVoice voice, std::shared_ptr<KnownCertificates> known,
                              std::shared_ptr<config::FileWatch> watch) {
  std::shared_ptr<Policies> made(
      new Policies(std::move(settings), process_environment, voice, std::move(known), std::move(watch)));
  made->watch_fixed_files();
  for (std::size_t i = 0; i < made->settings_.listeners.size(); ++i) made->judge_classes(i);
  made->certificates_.forget_failures();
  made->warn_of_maildir_limits();
  made->find_defects();
  std::vector<std::string> problems, hindered;
  for (const ProfileFile& file : made->all_files()) {
    auto obstacle = obstacle_to(file);
    if (!obstacle) continue;
    problems.push_back(std::move(*obstacle));
    hindered.push_back(file.path);
  }
  const auto follows_from_it = [&](const std::string& problem) {
    return std::ranges::any_of(hindered, [&](const std::string& path) { return problem.contains(path); });
  };
  std::vector<std::string> others = made->judge_lists_once();
  for (std::size_t i = 0; i < made->settings_.listeners.size(); ++i)
    std::ranges::move(made->problems_of_listener(i), std::back_inserter(others));
  std::erase_if(others, follows_from_it);
  std::ranges::move(others, std::back_inserter(problems));
  config::put_in_order_of_lines(problems);
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return made;
}

// They are of all listeners.
std::vector<std::string> Policies::judge_lists_once() {
  config::Start lists;
  config::judge_lists(lists, settings_.domains.empty() ? config::Domains::in_file : config::Domains::given);
  list_warnings_ = std::move(lists.warnings);
  if (process_environment_ != nullptr)
    for (const std::string& sentence : config::misspellings_in(base::Environment(process_environment_)))
      list_warnings_.push_back("the environment: " + sentence);
  if (settings_.domains.empty()) std::ranges::move(ask::judge_more_rcpthosts(), std::back_inserter(list_warnings_));
  judge_valid_recipients();
  std::set<std::string> databases;
  for (const Classes& classes : classes_)
    for (const auto& [value, served] : classes)
      if (const std::string& path = served->start.auth_cdb; !path.empty() && databases.insert(path).second)
        std::ranges::move(ask::judge_auth_records(path), std::back_inserter(list_warnings_));
  std::set<std::string> rules;
  for (const config::ListenerSettings& each : settings_.listeners)
    if (!each.tcprules.empty() && rules.insert(each.tcprules).second)
      std::ranges::move(config::rules_that_never_match(each.tcprules), std::back_inserter(list_warnings_));
  return std::move(lists.problems);
}

void Policies::judge_classes(std::size_t listener) {
  Classes& classes = classes_.emplace_back();
  classes.emplace("", judge({.listener = listener, .value = {}}));
  const std::string& rules = settings_.listeners[listener].tcprules;
  known_classes_.push_back(rules.empty() ? std::vector<config::ClientClass>() : config::read_client_classes(rules));
  for (const config::ClientClass& each : known_classes_.back())
    if (!each.value.empty()) classes.emplace(each.value, judge({.listener = listener, .value = each.value}));
}

// Each root is named once.
void Policies::warn_of_maildir_limits() {
  std::set<std::string> roots;
  for (const Classes& classes : classes_) {
    for (const auto& [value, served] : classes) {
      config::Start& start = served->start;
      if (start.hand_over == config::HandOverKind::maildir && roots.insert(start.hand_over_path).second)
        std::ranges::move(config::maildir_limits(start.hand_over_path), std::back_inserter(start.warnings));
    }
  }
}

// What is wrong with a listener for everybody.
std::vector<std::string> Policies::problems_of_listener(std::size_t listener) const {
  const ClassAt at{.listener = listener, .value = {}};
  const ServiceProfile& served = *classes_[listener].begin()->second;
  std::vector<std::string> problems;
  for (const std::string& problem : served.start.problems) problems.push_back(sentence(at, problem));
  if (served.start.problems.empty() && !served.is_served) problems.push_back(sentence(at, served.refusal));
  for (const auto& [value, each] : classes_[listener])
    for (const std::string& misspelling : each->misspellings)
      problems.push_back(sentence({.listener = listener, .value = value}, misspelling));
  // Later a broken file keeps its last rules (loop_context); here there are none, and everybody would be shut out.
  const std::string& rules = settings_.listeners[listener].tcprules;
  if (!rules.empty() && config::inspect_cdb(rules.c_str(), config::CdbLook::whole) != config::CdbCondition::usable)
    problems.push_back(sentence(at, "tcprules = \"" + rules + "\" is not a readable cdb file: make it with tcprules"));
  return problems;
}

std::shared_ptr<const ServiceProfile> Policies::find(std::size_t listener, std::string_view class_value) const {
  const ClassAt at{.listener = listener, .value = class_value};
  if (auto known = remembered(at)) return known;
  const std::lock_guard one_at_a_time(judging_);
  if (auto known = remembered(at)) return known;  // judged while this thread waited
  auto served = judge(at);
  certificates_.forget_failures();
  served->judged = std::chrono::steady_clock::now();
  for (const std::string& problem : served->start.problems)
    observe::LogLine("config", voice_).note(sentence(at, problem)).write();
  const std::lock_guard lock(mutex_);
  return classes_[listener].insert_or_assign(std::string(class_value), std::move(served)).first->second;
}

std::shared_ptr<const ServiceProfile> Policies::remembered(ClassAt at) const {
  const std::lock_guard lock(mutex_);
  const auto found = classes_[at.listener].find(at.value);
  const bool is_known =
      found != classes_[at.listener].end() && found->second->is_current(std::chrono::steady_clock::now());
  return is_known ? found->second : nullptr;
}

std::vector<ClassTable> Policies::known_classes() const {
  const std::lock_guard lock(mutex_);
  std::vector<ClassTable> known;
  for (const Classes& classes : classes_) known.emplace_back(classes.begin(), classes.end());
  return known;
}

std::shared_ptr<ServiceProfile> Policies::judge(ClassAt at) const {
  const config::ListenerSettings& listener = settings_.listeners[at.listener];
  auto served = std::make_shared<ServiceProfile>();
  served->variables = variables_of(process_environment_, listener, at.value);
  for (const std::string& variable : served->variables) served->pointers.push_back(variable.c_str());
  served->pointers.push_back(nullptr);
  served->arguments = listener.check_program;
  for (std::string& word : served->arguments) served->argument_pointers.push_back(word.data());
  const base::Environment environment(served->pointers.data());
  const std::string_view origin = at.value.empty() ? std::string_view(listener.place) : "the class";
  const auto start = [&] {
    return config::judge_start(served->argument_pointers, environment, origin, config::Lists::elsewhere);
  };
  served->start = start();
  // A program that loses its execute bit is a change, too.
  if (!served->start.recipient_program.empty()) watch_->watch(served->start.recipient_program);
  // One that refuses the listener is not read while it serves.
  const std::string& users = served->start.auth_cdb;
  const bool is_refused = at.value.empty() && !users.empty() &&
                          config::inspect_cdb(users.c_str(), config::CdbLook::header) != config::CdbCondition::usable;
  if (watch(files_of(at, *served), is_refused ? std::string() : users))
    served->start = start();  // they were read too early
  served->argument_pointers.push_back(nullptr);
  served->start.program_errors = voice_.programs;
  if (!served->start.has_databytes) served->start.databytes = spec::default_databytes;
  served->relay_value = environment.value_of("RELAYCLIENT");
  judge_names(*served, at.value);
  judge_listing(*served, environment.value_of("RBLSMTPD"));
  const bool names_lists = std::ranges::any_of(std::array{"DNSBL", "DNSBL_SENDER", "DNSBL_HELO"},
                                               [&](const char* name) { return !environment.value_of(name).empty(); });
  if (at.value.empty() && environment.has("RBLSMTPD") && names_lists)
    served->start.warnings.emplace_back(
        "RBLSMTPD is set for all clients, even if empty, and so no DNS list is asked: unset it, or set it in a class");
  judge_absence(*served, listener);
  judge_session(*served);
  load_certificates(*served, listener);
  if (served->is_served && deliveries_ != nullptr) open_delivery(*served, environment);
  return served;
}

// A class without what its operator meant to set would be served by fewer rules than he wrote.
void Policies::judge_names(ServiceProfile& served, std::string_view class_value) {
  config::TcpRuleItems items(class_value);
  while (const auto item = items.next()) {
    if (item->kind != config::TcpRuleItem::Kind::sets || config::is_known(item->name)) continue;
    if (auto sentence = config::misspelling(item->name))
      served.misspellings.push_back(std::move(*sentence));
    else if (!needs_program(served.start))
      served.idle_names.push_back(std::string(item->name) +
                                  " is not a variable of postern, and no program is run here that could read it");
  }
  for (const std::string& sentence : served.misspellings)
    refuse(served, std::min(served.start.event, spec::Event::connect_bad_value), sentence);
}

// deviation D32
void Policies::judge_listing(ServiceProfile& served, std::string_view value) {
  auto listing = read_listing(value);
  if (listing)
    served.listing = std::move(*listing);
  else
    refuse(served, std::min(served.start.event, spec::Event::connect_bad_value), std::move(listing.error()));
}

// Without a certificate at the usual place nothing is encrypted; but where one was served, or others are named beside it, that
// is no wish of the operator's.
void Policies::judge_absence(ServiceProfile& served, const config::ListenerSettings& listener) const {
  const config::Start& start = served.start;
  const bool is_absent = start.event == spec::Event::connect_ready &&
                         !start.settings_and_facts.has(spec::bit::SSL | spec::bit::DENY_TLS | spec::bit::certificate);
  if (!is_absent) return;
  if (known_->has(start.certificate_path))
    return refuse(served, spec::Event::connect_broken_certificate,
                  start.certificate_path + " was served and is gone: put it back, or set DENY_TLS=1");
  if (!listener.certificates.empty())
    refuse(served, spec::Event::connect_broken_certificate,
           "certificates are for the names that clients ask for, and there is no " + start.certificate_path +
               " for all others: set TLS_SERVER_CERT");
}

// A Maildir is looked at again: by now the process may run as a user who may not write there.
void Policies::open_delivery(ServiceProfile& served, const base::Environment& environment) const {
  const config::Start& start = served.start;
  if (programs_ == Programs::refused && needs_program(start))
    return refuse(served, spec::Event::connect_no_hand_over,
                  "a program must be run, and the sandbox allows none: restart");
  if (start.hand_over == config::HandOverKind::maildir && !config::is_usable_maildir_root(start.hand_over_path))
    return refuse(served, spec::Event::connect_no_hand_over,
                  start.hand_over_path + ": the user who serves cannot write there: give it to him");
  auto delivery = deliveries_->find(start, environment, settings_.hand_overs);
  if (!delivery) return refuse(served, spec::Event::connect_no_hand_over, std::move(delivery.error()));
  served.delivery = std::move(*delivery);
  if (served.certificates != nullptr) known_->add(start.certificate_path);
}

std::expected<void, std::string> Policies::open_deliveries(Deliveries& deliveries, Programs programs) const {
  deliveries_ = &deliveries;
  programs_ = programs;
  const base::Time now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < classes_.size(); ++i)
    for (const auto& [value, served] : classes_[i]) {
      if (served->is_served) open_delivery(*served, base::Environment(served->pointers.data()));
      served->judged = now;
      if (value.empty() && !served->is_served)
        return std::unexpected(sentence({.listener = i, .value = {}}, served->start.problems.back()));
    }
  return {};
}

bool Policies::runs_programs() const {
  const std::lock_guard lock(mutex_);
  const auto runs = [](const auto& known) { return known.second->is_served && needs_program(known.second->start); };
  return std::ranges::any_of(classes_, [&](const Classes& classes) { return std::ranges::any_of(classes, runs); });
}

std::size_t Policies::certificate_loads() const {
  const std::lock_guard lock(judging_);
  return certificates_.loads();
}

// What the policy itself says of these settings: a session without a client is tried.
void Policies::judge_session(ServiceProfile& served) {
  engine::LoneSession trial(served.service());
  const engine::Step step = trial.report(served.start.event);
  served.is_served = step.code == 220;
  if (!served.is_served && served.start.problems.empty()) {
    const std::string_view reason = spec::reason_of(step.rule);
    const std::string_view reply = step.reply.substr(0, step.reply.find('\r'));
    served.refusal = reason.empty() ? std::string(reply) : std::string(reason);
  }
}

void Policies::refuse(ServiceProfile& served, spec::Event event, std::string sentence) {
  served.is_served = false;
  served.start.event = event;
  served.start.problems.push_back(std::move(sentence));
}

// Where TLS comes first, a refused start is said inside TLS, as postern-smtpd does.
void Policies::load_certificates(ServiceProfile& served, const config::ListenerSettings& listener) const {
  const bool has_use = served.is_implicit_tls() || served.start.settings_and_facts.has(spec::bit::certificate);
  if (!has_use || !(served.is_served || served.is_implicit_tls())) return;
  const auto& loaded = certificates_.load(tls_settings(settings_, served.start), listener.certificates);
  if (!loaded && served.is_served) refuse(served, spec::Event::connect_broken_certificate, loaded.error());
  if (!loaded) return;
  for (const std::string& warning : (*loaded)->warnings()) served.start.warnings.push_back(warning);
  served.certificates = *loaded;
}

}  // namespace postern::server
