#include "ask/valid_records.hpp"

#include <algorithm>
#include <string_view>

#include "ask/valid_recipients.hpp"
#include "config/cdb_file.hpp"
#include "spec/limits.hpp"

namespace postern::ask {
namespace {

std::string printable(std::string_view key) {
  std::string shown(key.substr(0, spec::max_host_octets));
  std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

class Judge {
 public:
  Judge(std::string_view path, const RcptHosts& ours) : path_(path), ours_(ours) {}

  void take(std::string_view key) {
    std::string unused;
    if (!key.contains('@')) return add(others_, key, "never matches: write user@example.org or @example.org");
    if (config::in_lower_case(key) != key) return add(capitals_, key, "never matches: write it in lower case");
    if (ours_.why_none_is_ours().empty() && ours_.standing_of(key, unused) == RcptHosts::Standing::foreign)
      add(foreign_, key, "is of a domain that is not ours, and never asked for: name it in rcpthosts, or take it out");
  }

  [[nodiscard]] std::vector<std::string> sentences() const {
    std::vector<std::string> all;
    for (const Kind* kind : {&capitals_, &foreign_, &others_}) {
      if (kind->count == 0) continue;
      all.push_back(kind->sentence + ", and make the cdb again");
      if (kind->count > 1) all.back() += "; and " + std::to_string(kind->count - 1) + " more keys of the kind";
    }
    return all;
  }

 private:
  struct Kind {
    std::string sentence;
    std::size_t count = 0;
  };

  void add(Kind& kind, std::string_view key, std::string_view what) {
    if (kind.count++ == 0) kind.sentence = std::string(path_) + ": \"" + printable(key) + "\" " + std::string(what);
  }

  std::string_view path_;
  const RcptHosts& ours_;
  Kind capitals_, foreign_, others_;
};

}  // namespace

std::vector<std::string> judge_valid_records(const std::string& path, const RcptHosts& ours) {
  const std::string shown = path.empty() ? valid_recipients_file : path;
  config::CdbFile file;
  if (file.open_copy(shown.c_str()) != 0) return {};
  Judge judge(shown, ours);
  config::CdbFile::Records records(file);
  std::size_t count = 0;
  for (; count < spec::max_records_judged_early; ++count) {
    const auto record = records.next();
    if (!record) break;
    judge.take(record->key);
  }
  if (count == 0)
    return {shown + " has no record: each recipient of ours gets 550, but postmaster; make it again with cdb -c, or " +
            (path.empty() ? "remove it" : "unset VALIDRCPTTO_CDB")};
  return judge.sentences();
}

}  // namespace postern::ask
