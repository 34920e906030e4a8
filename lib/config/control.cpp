#include "config/control.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <compare>
#include <limits>
#include <span>
#include <utility>

#include "base/number.hpp"

namespace postern::config {
namespace {

constexpr std::string_view directory = "control/";
constexpr std::size_t max_name_octets = 64;
constexpr std::size_t max_found_octets = 60;

bool is_printable(char octet) { return octet >= 32 && octet < 127; }

std::string printable(std::string_view text) {
  std::string shown(text.substr(0, max_found_octets));
  std::ranges::replace_if(shown, [](char octet) { return !is_printable(octet); }, '?');
  if (text.size() > max_found_octets) shown += "...";
  return shown;
}

std::unexpected<ControlProblem> unreadable(std::string_view name, int error_number) {
  return std::unexpected(ControlProblem{ControlProblem::Kind::unreadable, {name, 0}, error_number, {}, {}});
}

std::unexpected<ControlProblem> malformed(Origin origin, std::string_view found, std::string_view remedy) {
  return std::unexpected(ControlProblem{ControlProblem::Kind::malformed, origin, 0, printable(found), remedy});
}

// A descriptor, or -1 and errno.
int open_control(std::string_view name) {
  std::array<char, directory.size() + max_name_octets> path;
  if (name.size() >= max_name_octets) {
    errno = ENAMETOOLONG;
    return -1;
  }
  directory.copy(path.data(), directory.size());
  name.copy(path.data() + directory.size(), name.size());
  path[directory.size() + name.size()] = '\0';
  // A FIFO must not block us, nor be read as an empty file: an empty list would be a missing filter.
  const int descriptor = ::open(path.data(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat about{};
  if (descriptor < 0 || ::fstat(descriptor, &about) != 0 || !S_ISFIFO(about.st_mode)) return descriptor;
  ::close(descriptor);
  errno = ENOTSUP;
  return -1;
}

ssize_t read_some(int descriptor, std::span<char> room) {
  ssize_t got = 0;
  do {
    got = ::read(descriptor, room.data(), room.size());
  } while (got < 0 && errno == EINTR);
  return got;
}

// Octets read: up to and beyond the first line end, or to the end of the file or of the room. Or -1 and errno.
ssize_t read_first_line(int descriptor, std::span<char> room) {
  std::size_t size = 0;
  while (size < room.size()) {
    const ssize_t got = read_some(descriptor, room.subspan(size));
    if (got < 0) return -1;
    const std::string_view piece(room.data() + size, static_cast<std::size_t>(got));
    size += piece.size();
    if (got == 0 || piece.contains('\n')) break;
  }
  return static_cast<ssize_t>(size);
}

// 0 or errno; EFBIG when the list is longer than allowed.
int read_to_end(int descriptor, std::string& text) {
  std::array<char, 4096> piece;
  while (true) {
    const ssize_t got = read_some(descriptor, piece);
    if (got < 0) return errno;
    if (got == 0) return 0;
    if (text.size() + static_cast<std::size_t>(got) > max_control_list_octets) return EFBIG;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower_case, lower_case);
}

// An order in which equal means equal_ignoring_case; lengths first, because they cost the least.
std::strong_ordering order_of(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (const auto order = lower_case(a[i]) <=> lower_case(b[i]); order != 0) return order;
  }
  return std::strong_ordering::equal;
}

std::string place_of(std::string_view name, std::size_t line) {
  return std::string(directory).append(name).append(" line ").append(std::to_string(line)).append(": ");
}

// The first line with a remark, and how many others there are.
class Remark {
 public:
  void add(std::size_t line, std::string_view what) {
    if (count_++ == 0) line_ = line, what_ = what;
  }
  void write(std::string_view name, ControlRemarks* remarks) const {
    if (remarks == nullptr || count_ == 0) return;
    std::string sentence = place_of(name, line_) + what_;
    if (count_ > 1) sentence += "; and " + std::to_string(count_ - 1) + " more lines";
    remarks->push_back(std::move(sentence));
  }

 private:
  std::size_t count_ = 0, line_ = 0;
  std::string what_;
};

void remark_on(const base::TextLine& line, Remark& remark) {
  if (line.forgiven != base::Forgiven::nothing)
    remark.add(line.number, std::string(base::describe(line.forgiven)) + ", which is left out");
}

ControlResult<std::string> first_line_of(std::string_view name, std::string_view text, bool has_whole_line,
                                         ControlRemarks* remarks) {
  if (!has_whole_line) return malformed({name, 1}, text, "write one shorter line");
  const base::TextLine line = base::TextLines(text).next().value_or(base::TextLine{{}, 1, base::Forgiven::nothing});
  if (!base::is_ascii_text(line.text))
    return malformed({name, 1}, line.text,
                     base::has_stray_control(line.text) ? "remove the control character (is the file UTF-16?)"
                                                        : "write ASCII only, an internationalised domain as xn--...");
  Remark forgiven;
  remark_on(line, forgiven);
  forgiven.write(name, remarks);
  return std::string(line.text);
}

}  // namespace

std::string describe(const ControlProblem& problem) {
  std::string text(directory);
  text += problem.origin.name;
  if (problem.origin.line != 0) text.append(" line ").append(std::to_string(problem.origin.line));
  if (problem.kind == ControlProblem::Kind::unreadable) {
    const char* reason = ::strerrordesc_np(problem.error_number);
    return text.append(": cannot be read: ").append(reason != nullptr ? reason : "unknown error");
  }
  return text.append(": \"").append(problem.found).append("\": ").append(problem.remedy);
}

ControlResult<std::string> read_line(std::string_view name, ControlRemarks* remarks) {
  const int descriptor = open_control(name);
  if (descriptor < 0 && errno == ENOENT) return std::nullopt;
  if (descriptor < 0) return unreadable(name, errno);
  std::array<char, max_control_line_octets> room;
  const ssize_t got = read_first_line(descriptor, room);
  const int error_number = errno;
  ::close(descriptor);
  if (got < 0) return unreadable(name, error_number);
  const std::string_view text(room.data(), static_cast<std::size_t>(got));
  return first_line_of(name, text, text.size() < room.size() || text.contains('\n'), remarks);
}

ControlResult<std::uint64_t> read_number(std::string_view name, ControlRemarks* remarks) {
  auto result = read_line(name, remarks);
  if (!result) return std::unexpected(std::move(result.error()));
  const std::string line = std::move(*result).value_or(std::string{});
  if (line.empty()) return std::nullopt;
  const auto number = base::parse_unsigned(line, std::numeric_limits<std::uint64_t>::max());
  if (number) return *number;
  const bool is_large = number.error() == base::NumberError::too_large;
  return malformed({name, 1}, line, is_large ? "write a smaller number" : "write digits only");  // deviation D11
}

ControlResult<std::string> read_list(std::string_view name) {
  const int descriptor = open_control(name);
  if (descriptor < 0 && errno == ENOENT) return std::nullopt;
  if (descriptor < 0) return unreadable(name, errno);
  std::string text;
  const int error_number = read_to_end(descriptor, text);
  ::close(descriptor);
  if (error_number != 0) return unreadable(name, error_number);
  return text;
}

std::expected<void, ControlProblem> judge_list(std::string_view name, std::string_view text, EntryKind kind,
                                               ControlRemarks* remarks) {
  Remark forgiven, idle;
  for (base::TextLines lines(text); const auto line = lines.next();) {
    remark_on(*line, forgiven);
    if (line->text.empty()) continue;
    // A comment may be in any language; one that swallows the lines after it is not a comment.
    if (line->text.front() == '#' && !base::has_stray_control(line->text)) continue;
    const EntryJudgement judgement = judge_entry(line->text, kind);
    if (judgement.verdict == EntryJudgement::Verdict::wrong)
      return malformed({name, line->number}, line->text, judgement.remedy);
    if (judgement.verdict == EntryJudgement::Verdict::idle)
      idle.add(line->number, "\"" + printable(line->text) + "\" " + std::string(judgement.remedy));
  }
  forgiven.write(name, remarks);
  idle.write(name, remarks);
  return {};
}

std::optional<ControlEntry> ControlEntries::next() {
  while (const auto line = lines_.next())
    if (!line->text.empty() && line->text.front() != '#') return ControlEntry{line->text, line->number};
  return std::nullopt;
}

ControlList::State ControlList::load() {
  if (state_) return *state_;
  auto list = read_list(name_);
  if (!list) {
    problem_ = describe(list.error());
    return State::unusable;
  }
  if (const auto judged = judge_list(name_, list->value_or(std::string{}), kind_); !judged) {
    problem_ = describe(judged.error());
    return State::unusable;
  }
  state_ = list->has_value() ? State::present : State::absent;
  text_ = std::move(*list).value_or(std::string{});
  return *state_;
}

void ControlList::sort() {
  std::vector<Place> places;
  for (ControlEntries entries(text_); const auto entry = entries.next();)
    places.push_back({.at = static_cast<std::uint32_t>(entry->text.data() - text_.data()),
                      .octets = static_cast<std::uint32_t>(entry->text.size())});
  places.shrink_to_fit();
  std::ranges::sort(places, [this](Place a, Place b) { return order_of(entry_at(a), entry_at(b)) < 0; });
  sorted_ = std::move(places);
}

bool ControlList::is_among(std::span<const Place> sorted, std::string_view entry) const {
  while (!sorted.empty()) {
    const std::size_t middle = sorted.size() / 2;
    const auto order = order_of(entry_at(sorted[middle]), entry);
    if (order == 0) return true;
    sorted = order < 0 ? sorted.subspan(middle + 1) : sorted.first(middle);
  }
  return false;
}

bool ControlList::contains(std::string_view entry) const {
  if (sorted_) return is_among(*sorted_, entry);
  ControlEntries entries(text_);
  while (const auto candidate = entries.next())
    if (equal_ignoring_case(candidate->text, entry)) return true;
  return false;
}

std::string in_lower_case(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), lower_case);
  return lowered;
}

}  // namespace postern::config
