#include "ask/rcpthosts.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "spec/limits.hpp"

namespace postern::ask {
namespace {

constexpr const char* more_path = "control/morercpthosts.cdb";

// The domain itself, then `.b.c` and `.c` of `a.b.c`: what an entry may say to mean it. Advances; empty at the end.
std::string_view next_suffix(std::string_view suffix) {
  const std::size_t dot = suffix.find('.', 1);
  return dot == std::string_view::npos ? std::string_view{} : suffix.substr(dot);
}

std::string printable(std::string_view key) {
  std::string shown(key.substr(0, spec::max_host_octets));
  std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

// Why no domain matches it; empty when one does.
std::string objection_to_key(std::string_view key) {
  if (key.empty()) return "an empty key is no domain";
  const config::EntryJudgement judged = config::judge_entry(key, config::EntryKind::domains);
  if (judged.verdict == config::EntryJudgement::Verdict::wrong) return "never matches: " + std::string(judged.remedy);
  if (judged.verdict == config::EntryJudgement::Verdict::idle) return std::string(judged.remedy);
  return config::in_lower_case(key) == key ? "" : "never matches: write it in lower case";
}

}  // namespace

template <typename Self>
RcptHosts::Standing RcptHosts::judge(Self& self, std::string_view address, std::string& problem) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return Standing::ours;  // qmail-control(5): rcpthosts
  const std::string_view domain = address.substr(at + 1);
  switch (self.load()) {
    case State::absent: return Standing::foreign;  // deviation D12
    case State::unusable: problem = self.list_.problem(); return Standing::unknowable;
    case State::present: break;
  }
  for (std::string_view suffix = domain; !suffix.empty(); suffix = next_suffix(suffix))
    if (self.list_.contains(suffix)) return Standing::ours;
  return standing_in_cdb(self, domain, problem);
}

template RcptHosts::Standing RcptHosts::judge(RcptHosts&, std::string_view, std::string&);
template RcptHosts::Standing RcptHosts::judge(const RcptHosts&, std::string_view, std::string&);

// Without control/rcpthosts the other is not used.
void RcptHosts::read() {
  if (list_.load() == State::present) list_.sort();
  if (list_.state() == State::absent)
    more_error_ = ENOENT;
  else if (more_error_ != ENOENT)
    more_error_ = more_.open_copy(more_path);
  has_more_ = more_error_ == 0 && config::CdbFile::Records(more_).next().has_value();
}

bool RcptHosts::is_known() const {
  return list_.state() != State::unusable && (more_error_ == 0 || more_error_ == ENOENT);
}

// deviation D12
std::string_view RcptHosts::why_none_is_ours() const {
  if (!is_known() || has_more_ || (list_.state() == State::present && list_.has_entries())) return {};
  return list_.state() == State::absent
             ? "there is no control/rcpthosts: no domain is ours, and mail is taken only from those who may relay"
             : "control/rcpthosts names no domain: none is ours, and mail is taken only from those who may relay";
}

// What is not there stays so; what cannot be read is tried again, as control.hpp says of lists.
int RcptHosts::open_cdb() {
  if (more_error_) return *more_error_;
  const int error_number = more_.open(more_path);
  if (error_number == 0 || error_number == ENOENT) more_error_ = error_number;
  return error_number;
}

template <typename Self>
RcptHosts::Standing RcptHosts::standing_in_cdb(Self& self, std::string_view domain, std::string& problem) {
  const auto unknowable = [&problem](int error_number) {
    problem = config::describe_cdb_problem(more_path, error_number);
    return Standing::unknowable;
  };
  const int error_number = self.open_cdb();
  if (error_number == ENOENT) return Standing::foreign;
  if (error_number != 0) return unknowable(error_number);
  const std::string lowered = config::in_lower_case(domain);
  for (std::string_view suffix = lowered; !suffix.empty(); suffix = next_suffix(suffix)) {
    const auto found = self.find(suffix);
    if (!found) return unknowable(found.error());
    if (found->has_value()) return Standing::ours;
  }
  return Standing::foreign;
}

std::vector<std::string> judge_more_rcpthosts() {
  config::CdbFile file;
  if (file.open_copy(more_path) != 0) return {};  // what cannot be read is reported at each recipient
  std::string sentence;
  std::size_t others = 0;
  config::CdbFile::Records records(file);
  for (std::size_t count = 0; count < spec::max_records_judged_early; ++count) {
    const auto record = records.next();
    if (!record) break;
    const std::string objection = objection_to_key(record->key);
    if (objection.empty()) continue;
    if (sentence.empty())
      sentence =
          std::string(more_path) + ": \"" + printable(record->key) + "\" " + objection + ", and make the cdb again";
    else
      ++others;
  }
  if (sentence.empty()) return {};
  if (others != 0) sentence += "; and " + std::to_string(others) + " more keys";
  return {std::move(sentence)};
}

}  // namespace postern::ask
