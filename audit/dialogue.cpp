#include "audit/dialogue.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

namespace postern::audit {
namespace {

namespace bit = spec::bit;

struct NamedBit {
  std::string_view name;
  std::uint64_t bit;
};

constexpr std::array settings = {NamedBit{"SSL", bit::SSL},
                                 NamedBit{"FORCE_TLS", bit::FORCE_TLS},
                                 NamedBit{"DENY_TLS", bit::DENY_TLS},
                                 NamedBit{"AUTH", bit::AUTH},
                                 NamedBit{"REQUIRE_AUTH", bit::REQUIRE_AUTH},
                                 NamedBit{"ALLOW_INSECURE_AUTH", bit::ALLOW_INSECURE_AUTH}};
constexpr std::array facts = {NamedBit{"certificate", bit::certificate}, NamedBit{"backend", bit::backend},
                              NamedBit{"relay_client", bit::relay_client}, NamedBit{"local_only", bit::local_only}};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::optional<spec::Event> event_named(std::string_view name) {
  for (std::size_t i = 0; i < spec::event_count; ++i) {
    if (spec::name_of(static_cast<spec::Event>(i)) == name) return static_cast<spec::Event>(i);
  }
  return {};
}

std::optional<char> hex_octet(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return {};
  return static_cast<char>(value);
}

// \r \n \t \0 \s (a space at the end of a line) \\ \xHH
std::optional<std::string> unescaped(std::string_view text) {
  constexpr std::string_view letters = "rnt0s\\", octets{"\r\n\t\0 \\", 6};
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    const char letter = ++at < text.size() ? text[at] : '\0';
    if (letter == 'x') {
      const auto octet = hex_octet(text.substr(std::min(at + 1, text.size()), 2));
      if (!octet) return {};
      out += *octet;
      at += 2;
    } else if (const std::size_t known = letters.find(letter); letter != '\0' && known != std::string_view::npos) {
      out += octets[known];
    } else {
      return {};
    }
  }
  return out;
}

std::string_view first_word(std::string_view& text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  const std::size_t end = std::min(text.find(' ', begin), text.size());
  const std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

class Parser {
 public:
  explicit Parser(const std::string& file) : file_(file) {}

  std::expected<Dialogue, std::string> parse(std::string_view text) {
    while (!text.empty() && problem_.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      ++line_;
      take_line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (problem_.empty() && !has_head_) fail("no line `with ...`");
    if (!problem_.empty()) return std::unexpected(problem_);
    if (!(auth_is_said_)) dialogue_.settings_and_facts.set(bit::AUTH, dialogue_.settings_and_facts.has(bit::backend));
    dialogue_.name = std::filesystem::path(file_).stem();
    return std::move(dialogue_);
  }

 private:
  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = file_ + ":" + std::to_string(line_) + ": " + what;
  }

  void take_line(std::string_view line) {
    if (line.empty() || line.starts_with('#')) return;
    if (line == "with" || line.starts_with("with ")) return take_head(line.substr(4));
    if (!has_head_) return fail("expected `with` and the settings and facts first");
    if (line == "S closes") return add({.kind = ItemKind::closes, .octets = {}}, 1);
    if (line.starts_with("= ")) return take_event(line.substr(2));
    take_speech(line);
  }

  void take_head(std::string_view words) {
    if (has_head_) return fail("a second line `with`");
    has_head_ = true;
    for (std::string_view word = first_word(words); !word.empty(); word = first_word(words)) take_head_word(word);
  }

  void take_head_word(std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    if (const auto fact = std::ranges::find(facts, word, &NamedBit::name); fact != facts.end())
      return dialogue_.settings_and_facts.set(fact->bit, true);
    if (word == "no_room") return void(dialogue_.has_room = false);
    if (word == "asks_at_data") return void(dialogue_.asks_at_data = true);
    const auto number = equals == std::string_view::npos ? std::nullopt : number_of(word.substr(equals + 1));
    if (!number) return fail("expected NAME=NUMBER or a fact, not `" + std::string(word) + "`");
    if (name == "databytes") return void(dialogue_.databytes = *number);
    if (name == "max_recipients") return void(dialogue_.max_recipients = *number);
    const auto setting = std::ranges::find(settings, name, &NamedBit::name);
    if (setting == settings.end() || *number > 1) return fail("unknown setting `" + std::string(word) + "`");
    auth_is_said_ = auth_is_said_ || name == "AUTH";
    dialogue_.settings_and_facts.set(setting->bit, *number == 1);
  }

  void take_event(std::string_view words) {
    const std::string_view name = first_word(words);
    const auto event = event_named(name);
    if (!event) return fail("unknown event `" + std::string(name) + "`");
    add({.kind = ItemKind::event, .octets = std::string(words), .event = *event}, 1);
  }

  // `C: text`, `C| raw octets`, `C*3: text`
  void take_speech(std::string_view line) {
    const std::size_t mark = line.find_first_of(":|");
    if (mark == std::string_view::npos)
      return fail("expected `C:`, `C|`, `S:`, `S|`, `S closes`, `F:`, `T:`, `M:`, `M|` or `= EVENT`");
    const std::string_view head = line.substr(0, mark);
    const std::size_t star = head.find('*');
    const auto times = star == std::string_view::npos ? std::uint64_t{1} : number_of(head.substr(star + 1));
    if (!times || *times == 0) return fail("expected a number after `*`");
    std::string_view text = line.substr(mark + 1);
    if (text.starts_with(' ')) text.remove_prefix(1);
    add_speech(head.substr(0, star), line[mark] == '|', text, *times);
  }

  void add_speech(std::string_view who, bool is_raw, std::string_view text, std::uint64_t times) {
    const auto octets = is_raw ? unescaped(text) : std::string(text);
    if (!octets) return fail("expected \\r \\n \\t \\0 \\s \\\\ or \\xHH after a backslash");
    const auto ended_by = [&](const char* end) { return is_raw ? *octets : *octets + end; };
    if (who == "C") return add({.kind = ItemKind::client, .octets = ended_by("\r\n")}, times);
    if (who == "S") return add({.kind = ItemKind::server, .octets = ended_by("\r\n")}, times);
    if (who == "M") return add({.kind = ItemKind::message, .octets = ended_by("\n")}, times);
    if (who == "F") return add({.kind = ItemKind::reverse_path, .octets = *octets}, 1);
    if (who == "T") return add({.kind = ItemKind::forward_path, .octets = *octets}, 1);
    fail("nobody has the name `" + std::string(who) + "`");
  }

  // What the client repeats is one burst; what the server repeats is as many lines.
  void add(Item item, std::uint64_t times) {
    item.line = line_;
    dialogue_.shows_messages = dialogue_.shows_messages || item.kind == ItemKind::message ||
                               item.kind == ItemKind::reverse_path || item.kind == ItemKind::forward_path;
    if (item.kind != ItemKind::server) {
      const std::string once = item.octets;
      item.octets.reserve(once.size() * times);
      for (std::uint64_t i = 1; i < times; ++i) item.octets += once;
      times = 1;
    }
    for (std::uint64_t i = 0; i < times; ++i) dialogue_.items.push_back(item);
  }

  std::string file_;
  Dialogue dialogue_;
  std::size_t line_ = 0;
  bool has_head_ = false;
  bool auth_is_said_ = false;
  std::string problem_;
};

std::string cut(std::string text) {
  constexpr std::size_t most = 160;
  if (text.size() <= most) return text;
  return text.substr(0, most) + "... (" + std::to_string(text.size()) + " octets)";
}

}  // namespace

std::size_t Dialogue::client_octets() const {
  std::size_t count = 0;
  for (const Item& item : items) count += item.kind == ItemKind::client ? item.octets.size() : 0;
  return count;
}

std::expected<Dialogue, std::string> parse_dialogue(std::string_view text, const std::string& file) {
  return Parser(file).parse(text);
}

std::expected<Dialogue, std::string> load_dialogue(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::unexpected(file.string() + ":0: cannot be read");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  return parse_dialogue(text, file.string());
}

std::vector<Dialogue> load_dialogues(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".smtp") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Dialogue> dialogues;
  for (const auto& file : files) {
    auto dialogue = load_dialogue(file);
    if (!dialogue) {
      std::fprintf(stderr, "%s\n", dialogue.error().c_str());
      std::exit(1);
    }
    dialogues.push_back(std::move(*dialogue));
  }
  return dialogues;
}

std::string escaped(std::string_view octets) {
  std::string out;
  for (const char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    constexpr std::string_view digits = "0123456789abcdef";
    if (c == '\r')
      out += "\\r";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\0')
      out += "\\0";
    else if (c == '\\')
      out += "\\\\";
    else if (octet < 0x20 || octet > 0x7E)
      out += {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
    else
      out += c;
  }
  return out;
}

std::string written(const Item& item) {
  const auto speech = [&](const char* who, std::string_view end) {
    const std::string_view octets = item.octets;
    const std::string_view text = octets.substr(0, octets.size() - std::min(end.size(), octets.size()));
    const std::string name(who);
    if (octets.ends_with(end) && escaped(text) == text && !text.ends_with(' ')) return name + ": " + std::string(text);
    return name + "| " + escaped(octets);
  };
  switch (item.kind) {
    case ItemKind::client: return cut(speech("C", "\r\n"));
    case ItemKind::server: return cut(speech("S", "\r\n"));
    case ItemKind::closes: return "S closes";
    case ItemKind::reverse_path: return cut("F: " + escaped(item.octets));
    case ItemKind::forward_path: return cut("T: " + escaped(item.octets));
    case ItemKind::message: return cut(speech("M", "\n"));
    case ItemKind::event: break;
  }
  return "= " + std::string(spec::name_of(item.event)) + (item.octets.empty() ? "" : " " + escaped(item.octets));
}

bool is_outcome_of_a_look_up(spec::Event event) {
  const std::string_view name = spec::name_of(event);
  return name.starts_with("recipient.") || name.starts_with("message.") || name.starts_with("credentials.") ||
         name.starts_with("hand_over.");
}

}  // namespace postern::audit
