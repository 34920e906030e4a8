// What is said of a configuration and of its classes, each sentence with its place.
#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "config/as_it_is.hpp"
#include "config/cdb_file.hpp"
#include "config/listener_places.hpp"
#include "server/policies.hpp"

namespace postern::server {

std::string Policies::place(ClassAt at) const {
  const config::ListenerSettings& listener = settings_.listeners[at.listener];
  if (at.value.empty()) return listener.place;
  const auto found = std::ranges::find(known_classes_[at.listener], at.value, &config::ClientClass::value);
  if (found == known_classes_[at.listener].end()) return listener.place + ", a new class";
  return listener.place + ", " + config::class_name(listener.tcprules, found->key);
}

std::string Policies::sentence(ClassAt at, std::string_view problem) const {
  if (!at.value.empty()) return place(at) + ": " + std::string(problem);
  const config::ListenerSettings& listener = settings_.listeners[at.listener];
  return config::place_of(listener, problem) + ": " + config::without_place(listener, std::string(problem));
}

std::vector<std::string> Policies::warnings() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> sentences = list_warnings_;
  for (std::size_t i = 0; i < classes_.size(); ++i)
    std::ranges::move(warnings_of_classes(i), std::back_inserter(sentences));
  for (std::size_t i = 0; i < classes_.size(); ++i)
    for (const auto& [value, served] : classes_[i])
      for (const std::string& idle : served->idle_names)
        sentences.push_back(sentence({.listener = i, .value = value}, idle));
  return sentences;
}

// Of the listener itself; then of its classes what it does not say already, each sentence once, and no defect again.
std::vector<std::string> Policies::warnings_of_classes(std::size_t listener) const {
  constexpr std::string_view of_a_class = " in the class";
  std::set<std::string> told;
  std::vector<std::string> sentences;
  for (const auto& [value, served] : classes_[listener])
    for (const std::string& warning : served->start.warnings) {
      std::string plain = config::without_place(settings_.listeners[listener], warning);
      if (const std::size_t at = plain.find(of_a_class); at != std::string::npos) plain.erase(at, of_a_class.size());
      const bool is_defect = std::ranges::any_of(
          defects_, [&](const std::string& each) { return each.ends_with(warning) || each.ends_with(plain); });
      if (is_defect) continue;
      if (told.insert(std::move(plain)).second)
        sentences.push_back(sentence({.listener = listener, .value = value}, warning));
    }
  return sentences;
}

std::vector<std::string> Policies::class_problems() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < classes_.size(); ++i)
    for (const auto& [value, served] : classes_[i]) {
      if (value.empty() || served->is_served) continue;
      const std::vector<std::string>& problems = served->start.problems;
      for (const std::string& problem : problems.empty() ? std::vector{served->refusal} : problems)
        sentences.push_back(sentence({.listener = i, .value = value}, problem + "; its clients are refused"));
    }
  return sentences;
}

// Each file is named once, where it is named first.
void Policies::find_defects() {
  std::set<std::string> lists, users, programs;
  const auto add = [&](ClassAt at, const std::string& problem) { defects_.push_back(sentence(at, problem)); };
  using Kind = config::ListProblem::Kind;
  for (std::size_t i = 0; i < classes_.size(); ++i)
    for (const auto& [value, served] : classes_[i]) {
      const ClassAt at{.listener = i, .value = value};
      const config::Start& start = served->start;
      if (lists.insert(start.valid_recipients).second)
        if (const auto problem =
                config::find_problem_of_valid_recipients(start.valid_recipients, config::CdbLook::whole);
            problem && problem->kind == Kind::broken)
          add(at, problem->sentence);
      const std::string origin = value.empty() ? settings_.listeners[i].place : "the class";
      if (programs.insert(start.recipient_program).second)
        if (const std::string problem = config::find_problem_of_recipient_program(start.recipient_program, origin);
            !problem.empty())
          add(at, problem);
      const bool is_next = !start.auth_cdb.empty() && served->is_served && users.insert(start.auth_cdb).second;
      if (is_next &&
          config::inspect_cdb(start.auth_cdb.c_str(), config::CdbLook::whole) == config::CdbCondition::malformed)
        add(at, "AUTH_CDB=\"" + start.auth_cdb + "\" is damaged: make it again" + std::string(config::as_it_is) +
                    "logins get 454");
    }
  if (!settings_.domains.empty()) return;
  if (const auto problem = config::find_problem_of_more_rcpthosts(); problem && problem->kind == Kind::broken)
    defects_.push_back(problem->sentence);
}

}  // namespace postern::server
