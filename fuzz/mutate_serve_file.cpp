#include "fuzz/mutate_serve_file.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spec/options.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace postern::fuzz {
namespace {

using namespace std::string_view_literals;
using spec::OptionKind;
using spec::Place;

constexpr std::array numbers{"0"sv,          "1"sv,          "2"sv,  "3"sv,    "25"sv,    "256"sv, "1024"sv, "65535"sv,
                             "4294967295"sv, "4294967296"sv, "-1"sv, "0x10"sv, "1_000"sv, "1.0"sv, "true"sv, "\"1\""sv};
constexpr std::array flags{"true"sv, "false"sv, "1"sv};
constexpr std::array switches{"0"sv, "1"sv, "1"sv, "2"sv, "true"sv};
constexpr std::array texts{"\"a\""sv,         "\"\""sv,        "\"mail\""sv,         "\"users.cdb\""sv,
                           "'/a b'"sv,        "\"\\u0007\""sv, "\"\"\"a\nb\"\"\""sv, "\"\xC3\xA4\""sv,
                           "\"a\\\\\\\"b\""sv};
constexpr std::array addresses{"\"127.0.0.1\""sv,       "\"::\""sv,       "\"::1\""sv,
                               "\"127.0.0.1:25\""sv,    "\"[::1]:25\""sv, "\"unix:/run/l\""sv,
                               "\"::ffff:192.0.2.1\""sv};
constexpr std::array lists{"[]"sv,
                           "[\"example.org\"]"sv,
                           "[\"10.0.0.0/8\", \"::1\"]"sv,
                           "[\"10.0.0.1/8\"]"sv,
                           "[\"mx\", \"/bin/a\", \"/bin/b\"]"sv,
                           "[\"one.pem\", {cert = \"a.pem\", key = \"b.pem\"}]"sv,
                           "[{key = \"b.pem\"}]"sv,
                           "[[\"a\"]]"sv,
                           "[1]"sv};
constexpr std::array replies{"\"no\""sv, "\"-no\""sv, "\"\""sv};
constexpr std::array words{"\"text\""sv, "\"json\""sv, "\"1.2\""sv, "\"1.3\""sv, "1.3"sv};
constexpr std::array blocks{"[[listener]]\nsocket = \"smtp\"\n"sv,
                            "[[listener]]\nip = \"127.0.0.1\"\nport = 0\n"sv,
                            "[[listener]]\nip = \"::\"\nport = 587\nPOSTERN_DISCARD = 1\n"sv,
                            "[server]\n"sv,
                            "[limits]\n"sv,
                            "[tls]\n"sv,
                            "[variables]\n"sv,
                            "[servers]\n"sv,
                            "[listener]\n"sv,
                            "# \n"sv};
constexpr std::array<std::pair<Place, std::string_view>, 5> heads{{{Place::server, "[server]\n"},
                                                                   {Place::limits, "[limits]\n"},
                                                                   {Place::tls, "[tls]\n"},
                                                                   {Place::variables, "[variables]\n"},
                                                                   {Place::listener, "[[listener]]\n"}}};

class Changer {
 public:
  Changer(std::string& text, unsigned seed) : text_(text), state_(seed * 2654435761U + 1) {}

  void change() {
    switch (below(10)) {
      case 0: return insert(line_begin(), pick(blocks));
      case 1: return erase_line();
      case 2: return move_line();
      case 3:
      case 4: return change_value();
      case 5: return insert(line_begin(), line_of(any_row(), below(2) == 0));
      case 6: return add_key(row_at(line_begin()));
      default: return add_key(any_row());
    }
  }

  unsigned below(std::size_t bound) {
    state_ ^= state_ << 13U, state_ ^= state_ >> 17U, state_ ^= state_ << 5U;
    return static_cast<unsigned>(state_ % bound);
  }

 private:
  template <typename Choices>
  Choices::value_type pick(const Choices& of) {
    return of[below(of.size())];
  }
  const spec::OptionRow& any_row() { return spec::option_rows()[below(spec::option_rows().size())]; }
  // Of the key on that line, so that it stands in two tables; any where there is none.
  const spec::OptionRow& row_at(std::size_t line) {
    const std::string_view name = std::string_view(text_).substr(line, text_.find(' ', line) - line);
    const auto found = std::ranges::find_if(spec::option_rows(), [&](const auto& row) { return name_of(row) == name; });
    return found == spec::option_rows().end() ? any_row() : *found;
  }
  std::size_t line_begin() {
    const std::size_t end = text_.find('\n', below(text_.size() + 1));
    return end == std::string::npos ? text_.size() : end + 1;
  }
  void insert(std::size_t at, std::string_view what) { text_.insert(at, what); }

  std::string_view value_for(const spec::OptionRow& row, bool is_variable) {
    switch (row.kind) {
      case OptionKind::boolean: return is_variable ? pick(switches) : pick(flags);
      case OptionKind::number: return pick(numbers);
      case OptionKind::address: return pick(addresses);
      case OptionKind::word: return pick(words);
      case OptionKind::list: return pick(lists);
      case OptionKind::reply: return pick(replies);
      default: return pick(texts);
    }
  }
  std::string line_of(const spec::OptionRow& row, bool is_variable) {
    return std::string(name_of(row)) + " = " + std::string(value_for(row, is_variable)) + "\n";
  }

  // Where it may stand; with the head of its table when there is none.
  void add_key(const spec::OptionRow& row) {
    const auto& [place, head] = pick(heads);
    if (!row.may_stand_in(place)) return;
    std::size_t at = text_.find(head, below(text_.size() + 1));
    if (at == std::string::npos) at = text_.find(head);
    if (at == std::string::npos) insert(at = text_.size(), head);
    insert(at + head.size(), line_of(row, row.may_stand_in(Place::environment)));
  }

  void change_value() {
    std::size_t begin = text_.find("= ", below(text_.size() + 1));
    if (begin == std::string::npos) return add_key(any_row());
    begin += 2;
    const std::size_t end = std::min(text_.find('\n', begin), text_.size());
    text_.replace(begin, end - begin, value_for(any_row(), below(2) == 0));
  }

  std::string take_line() {
    const std::size_t begin = line_begin();
    if (begin >= text_.size()) return {};
    const std::size_t end = std::min(text_.find('\n', begin), text_.size() - 1) + 1;
    std::string line = text_.substr(begin, end - begin);
    text_.erase(begin, end - begin);
    return line;
  }
  void erase_line() { static_cast<void>(take_line()); }
  void move_line() {
    const std::string line = take_line();
    insert(line_begin(), line);
    if (below(4) == 0) insert(line_begin(), line);
  }

  std::string& text_;
  std::uint32_t state_;
};

}  // namespace

std::size_t mutate_serve_file(std::span<std::uint8_t> room, std::size_t size, unsigned seed) {
  if (seed % 5 == 0) return LLVMFuzzerMutate(room.data(), size, room.size());
  std::string text(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(size));
  Changer changer(text, seed);
  for (unsigned times = 1 + changer.below(4); times > 0; --times) changer.change();
  const std::size_t kept = std::min(text.size(), room.size());
  std::copy_n(text.begin(), kept, room.begin());
  return kept;
}

}  // namespace postern::fuzz
