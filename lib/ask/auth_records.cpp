#include "ask/auth_records.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "ask/auth_environment.hpp"
#include "base/text_lines.hpp"
#include "config/cdb_file.hpp"
#include "config/foreign_settings.hpp"
#include "spec/limits.hpp"

namespace postern::ask {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view without_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of(blanks) + 1);  // npos + 1 is 0
}

std::string printable(std::string_view text) {
  std::string shown(text.substr(0, spec::max_host_octets));
  std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

// A name that no client would send like that.
bool is_spoilt(std::string_view user) {
  return base::has_stray_control(user) || user.starts_with(base::utf8_mark) || user.starts_with(' ') ||
         without_end(user).size() != user.size();
}

class Judge {
 public:
  explicit Judge(const std::string& path) : path_(path) {}

  void take(std::string_view user, std::string_view value) {
    if (is_spoilt(user))
      add(names_, user,
          "has a blank, a control character or a byte order mark at an end of the name: no client sends such a name; "
          "make the "
          "record again, from a text with line feeds");
    if (without_end(value).size() != value.size())
      add(ends_, user,
          "has a record that ends with a blank or a carriage return, which is left out: make it again, from a text "
          "with line feeds");
    std::string_view pairs = split_auth_record(value).pairs;
    while (const auto pair = take_pair(pairs))
      if (const auto found = config::find_foreign(pair->name, pair->text, "is set"); found) take(user, *found);
    if (!pairs.empty())
      add(rests_, user, "has a record that is read no further than `" + printable(pairs) + "`: write ,NAME=\"VALUE\"");
  }

  [[nodiscard]] std::vector<std::string> sentences() const {
    std::vector<std::string> all;
    for (const Kind* kind : {&filters_, &names_, &rests_, &ends_, &idle_}) {
      if (kind->count == 0) continue;
      all.push_back(kind->sentence);
      if (kind->count > 1) all.back() += "; and " + std::to_string(kind->count - 1) + " more of the kind";
    }
    return all;
  }

 private:
  struct Kind {
    std::string sentence;
    std::size_t count = 0;
  };

  void take(std::string_view user, const config::ForeignFinding& found) {
    if (found.start == spec::ForeignStart::refuse)
      add(filters_, user, "cannot log in until you do this: " + found.sentence);
    if (found.start == spec::ForeignStart::warn) add(idle_, user, found.sentence);
  }

  void add(Kind& kind, std::string_view user, const std::string& what) const {
    if (kind.count++ == 0) kind.sentence = path_ + ", user \"" + printable(user) + "\": " + what;
  }

  const std::string& path_;
  Kind names_, ends_, rests_, filters_, idle_;
};

}  // namespace

AuthRecord split_auth_record(std::string_view value) {
  value = without_end(value);
  const std::size_t end = std::min(value.find(','), value.size());
  return {value.substr(0, end), value.substr(end)};
}

std::vector<std::string> judge_auth_records(const std::string& path) {
  config::CdbFile file;
  if (file.open_copy(path.c_str()) != 0) return {};
  Judge judge(path);
  config::CdbFile::Records records(file);
  for (std::size_t count = 0; count < spec::max_records_judged_early; ++count) {
    const auto record = records.next();
    if (!record) break;
    judge.take(record->key, record->value);
  }
  return judge.sentences();
}

}  // namespace postern::ask
