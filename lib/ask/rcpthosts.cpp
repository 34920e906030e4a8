#include "ask/rcpthosts.hpp"

#include <string.h>

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

std::string in_lower_case(std::string_view domain) {
  std::string lowered(domain);
  std::ranges::transform(lowered, lowered.begin(), config::lower_case);
  return lowered;
}

std::string cdb_problem(int error_number) {
  const char* reason = error_number == EPROTO   ? "not a well-formed cdb"
                       : error_number == ESTALE ? "it changes while it is read: write another file and rename it"
                                                : ::strerrordesc_np(error_number);
  return std::string(more_path) + ": cannot be read: " + (reason != nullptr ? reason : "unknown error");
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
  return in_lower_case(key) == key ? "" : "never matches: write it in lower case";
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

// Without control/rcpthosts nobody asks for the other.
void RcptHosts::read() {
  if (list_.load() == State::present) list_.sort();
  if (list_.state() == State::absent)
    more_error_ = ENOENT;
  else if (more_error_ != ENOENT)
    more_error_ = more_.open_copy(more_path);
}

bool RcptHosts::is_known() const {
  return list_.state() != State::unusable && (more_error_ == 0 || more_error_ == ENOENT);
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
    problem = cdb_problem(error_number);
    return Standing::unknowable;
  };
  const int error_number = self.open_cdb();
  if (error_number == ENOENT) return Standing::foreign;
  if (error_number != 0) return unknowable(error_number);
  const std::string lowered = in_lower_case(domain);
  for (std::string_view suffix = lowered; !suffix.empty(); suffix = next_suffix(suffix)) {
    const auto found = self.find(suffix);
    if (!found) return unknowable(found.error());
    if (found->has_value()) return Standing::ours;
  }
  return Standing::foreign;
}

std::vector<std::string> judge_more_rcpthosts() {
  config::CdbFile file;
  if (file.open_copy(more_path) != 0) return {};  // what cannot be read is told at each recipient
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
