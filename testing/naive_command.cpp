#include "testing/naive_command.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <vector>

#include "testing/naive_abnf.hpp"

namespace postern::testing {
namespace {

using grammar::Body;
using grammar::SyntaxError;
using grammar::SyntaxErrorKind;
using grammar::Verb;

std::string upper_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char octet) { return std::toupper(octet); });
  return text;
}

Rule one_of(const std::string& octets) {
  return octet([octets](unsigned char found) { return octets.contains(static_cast<char>(found)); });
}
Rule space() { return literal(" "); }
Rule spaces() { return repeat(0, any_number, space()); }
Rule digit() { return range('0', '9'); }
Rule let_dig() { return either({range('A', 'Z'), range('a', 'z'), digit()}); }
Rule comma_list(const Rule& rule) { return sequence({rule, repeat(0, any_number, sequence({literal(","), rule}))}); }

// RFC 5321 4.1.2
Rule ldh_str() { return sequence({repeat(0, any_number, either({let_dig(), literal("-")})), let_dig()}); }
Rule domain() {
  const Rule letter = either({let_dig(), literal("_")});  // lenient_underscore
  const Rule rest = sequence({repeat(0, any_number, either({letter, literal("-")})), letter});
  const Rule sub_domain = sequence({letter, optional(rest)});
  return sequence({sub_domain, repeat(0, any_number, sequence({literal("."), sub_domain}))});
}
Rule dot_string() {
  const Rule atom = repeat(1, any_number, either({let_dig(), one_of("!#$%&'*+-/=?^_`{|}~")}));
  const Rule dots = repeat(0, any_number, literal("."));  // lenient_dots
  return sequence({dots, atom, repeat(0, any_number, sequence({literal("."), dots, atom})), dots});
}
Rule quoted_string() {
  const Rule quoted_pair = sequence({literal("\\"), range(32, 126)});
  const Rule qtext = either({range(32, 33), range(35, 91), range(93, 126)});
  return sequence({literal("\""), repeat(0, any_number, either({qtext, quoted_pair})), literal("\"")});
}

// RFC 5321 4.1.3
Rule ipv4() {
  const Rule snum =
      only_if([](std::string_view text) { return std::stoi(std::string(text)) <= 255; }, repeat(1, 3, digit()));
  return sequence({snum, repeat(3, 3, sequence({literal("."), snum}))});
}
Rule ipv6() {
  const Rule hex = repeat(1, 4, either({digit(), range('A', 'F'), range('a', 'f')}));
  const auto groups = [&](std::size_t count) {
    if (count == 0) return sequence({});
    return sequence({hex, repeat(count - 1, count - 1, sequence({literal(":"), hex}))});
  };
  const auto groups_with_colon = [&](std::size_t count) { return repeat(count, count, sequence({hex, literal(":")})); };
  std::vector<Rule> forms{groups(8), sequence({groups_with_colon(6), ipv4()})};
  for (std::size_t left = 0; left <= 6; ++left) {
    std::vector<Rule> rights;
    for (std::size_t right = 0; left + right <= 6; ++right) rights.push_back(groups(right));
    for (std::size_t right = 0; left + right <= 4; ++right) {
      rights.push_back(sequence({groups_with_colon(right), ipv4()}));
    }
    forms.push_back(sequence({groups(left), literal("::"), either(rights)}));
  }
  return sequence({literal("IPv6:"), either(forms)});
}
Rule address_literal() {
  const auto is_not_ipv6 = [](std::string_view tag) { return upper_case(std::string(tag)) != "IPV6"; };
  const Rule dcontent = either({range(33, 90), range(94, 126)});
  const Rule general = sequence({only_if(is_not_ipv6, ldh_str()), literal(":"), repeat(1, any_number, dcontent)});
  return sequence({literal("["), either({ipv4(), ipv6(), general}), literal("]")});
}

// RFC 5321 4.1.2, with the leniencies of grammar/command.hpp
Rule mailbox() {
  return sequence({capture("local_part", either({dot_string(), quoted_string()})), literal("@"),
                   capture("domain", either({domain(), address_literal()}))});
}
Rule path_rule() {
  const Rule route = sequence({comma_list(sequence({literal("@"), domain()})), literal(":")});
  return either({sequence({literal("<"), optional(capture("route", route)), mailbox(), literal(">")}), mailbox()});
}
Rule from_argument() { return sequence({literal(" FROM:"), spaces(), either({path_rule(), literal("<>")})}); }
Rule to_argument() {
  const Rule postmaster = sequence({literal("<"), capture("local_part", literal("postmaster")), literal(">")});
  return sequence({literal(" TO:"), spaces(), either({path_rule(), postmaster})});
}

// RFC 1870 3, RFC 6152 2, RFC 4954 5: each at most once, in any order
Rule parameters(const std::vector<Rule>& left) {
  std::vector<Rule> next;
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::vector<Rule> others = left;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    next.push_back(sequence({space(), left[i], parameters(others)}));
  }
  return next.empty() ? sequence({}) : optional(either(next));
}
Rule mail_parameters() {
  const Rule size = sequence({literal("SIZE="), capture("size", repeat(1, 20, digit()))});
  const Rule body = sequence({literal("BODY="), capture("body", either({literal("7BIT"), literal("8BITMIME")}))});
  const Rule upper_hex = either({digit(), range('A', 'F')});
  const Rule xchar = either({range('!', '*'), range(',', '<'), range('>', '~')});
  const Rule xtext = either({xchar, sequence({literal("+"), upper_hex, upper_hex})});
  const Rule auth = sequence({literal("AUTH="), capture("auth", repeat(1, any_number, xtext))});
  return parameters({size, body, auth});
}

bool is_control(unsigned char octet) { return octet < 32 || octet == 127; }

std::string trimmed(std::string text) {
  while (text.ends_with(' ')) text.pop_back();
  return text.substr(std::min(text.size(), text.find_first_not_of(' ')));
}

Verb verb_of(const std::string& word) {
  static const std::array<std::pair<std::string, Verb>, 13> verbs = {{
      {"HELO", Verb::helo},
      {"EHLO", Verb::ehlo},
      {"MAIL", Verb::mail},
      {"RCPT", Verb::rcpt},
      {"DATA", Verb::data},
      {"RSET", Verb::rset},
      {"NOOP", Verb::noop},
      {"VRFY", Verb::vrfy},
      {"EXPN", Verb::expn},
      {"HELP", Verb::help},
      {"QUIT", Verb::quit},
      {"STARTTLS", Verb::starttls},
      {"AUTH", Verb::auth},
  }};
  const std::string name = upper_case(word);
  const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const auto& verb) { return verb.first == name; });
  return found == verbs.end() ? Verb::unknown : found->second;
}

std::uint64_t saturated(const std::string& digits) {
  std::uint64_t number = 0;
  for (const char one : digits) {
    std::uint64_t tenfold = 0;
    if (__builtin_mul_overflow(number, std::uint64_t{10}, &tenfold)) return ~std::uint64_t{0};
    if (__builtin_add_overflow(tenfold, static_cast<std::uint64_t>(one - '0'), &number)) return ~std::uint64_t{0};
  }
  return number;
}

void fill(const Captures& captures, NaiveCommand& command) {
  const auto captured = [&](const std::string& name) { return captures.contains(name) ? captures.at(name) : ""; };
  command.local_part = captured("local_part");
  command.domain = captured("domain");
  const bool has_odd_dots = command.local_part.starts_with('.') || command.local_part.ends_with('.') ||
                            (!command.local_part.starts_with('"') && command.local_part.contains(".."));
  const bool has_underscore = !command.domain.starts_with('[') && command.domain.contains('_');
  command.is_lenient = has_odd_dots || has_underscore || captured("route").contains('_');
  command.has_size = captures.contains("size");
  command.size_octets = saturated(captured("size"));
  command.auth_mailbox = captured("auth");
  if (captures.contains("body")) {
    command.body = captured("body").starts_with('7') ? Body::seven_bit : Body::eight_bit_mime;
  }
}

std::expected<NaiveCommand, SyntaxError> read_path_and_parameters(NaiveCommand command, std::string_view line) {
  static const Rule from_path = from_argument();
  static const Rule to_path = to_argument();
  static const Rule any_parameters = mail_parameters();
  const Rule& path = command.verb == Verb::mail ? from_path : to_path;
  const Rule rest = command.verb == Verb::mail ? any_parameters : sequence({});
  Text text{line};
  for (const auto& [end, captures] : sequence({path, rest, spaces()})(text, 4)) {
    if (end != line.size()) continue;
    fill(captures, command);
    return command;
  }
  const Ways paths = path(text, 4);
  const bool has_path = std::any_of(paths.begin(), paths.end(),
                                    [&](const auto& way) { return way.first < line.size() && line[way.first] == ' '; });
  return std::unexpected(
      SyntaxError{command.verb, has_path ? SyntaxErrorKind::parameter : SyntaxErrorKind::path, text.furthest});
}

void read_auth(NaiveCommand& command) {
  command.mechanism = command.argument.substr(0, command.argument.find(' '));
  command.initial_response = trimmed(command.argument.substr(command.mechanism.size()));
}

// Deviation D14: spaces and tabs after an initial response; nowhere else.
std::string_view without_forgiven_blanks(std::string_view line) {
  const std::string_view shorter = line.substr(0, line.find_last_not_of(" \t") + 1);
  const std::size_t mechanism = shorter.find_first_not_of(' ', 4);
  const std::size_t space = mechanism == std::string_view::npos ? mechanism : shorter.find(' ', mechanism);
  return space == std::string_view::npos ? line : shorter;
}

}  // namespace

NaiveCommand owned(const grammar::Command& command) {
  return {command.verb,
          std::string(command.argument),
          std::string(command.path.local_part),
          std::string(command.path.domain),
          command.path.is_lenient,
          command.parameters.has_size,
          command.parameters.size_octets,
          command.parameters.body,
          std::string(command.parameters.auth_mailbox),
          std::string(command.mechanism),
          std::string(command.initial_response)};
}

std::expected<NaiveCommand, SyntaxError> read_command(std::string_view line) {
  NaiveCommand command;
  const std::string word(line.substr(0, line.find(' ')));
  command.verb = verb_of(word);
  if (command.verb == Verb::unknown) return command;
  if (command.verb == Verb::auth) line = without_forgiven_blanks(line);
  const auto control = std::find_if(line.begin(), line.end(), is_control);
  if (control != line.end()) {
    const auto offset = static_cast<std::size_t>(control - line.begin());
    return std::unexpected(SyntaxError{command.verb, SyntaxErrorKind::control_octet, offset});
  }
  command.argument = trimmed(std::string(line.substr(word.size())));
  if (command.verb == Verb::auth) read_auth(command);
  if (command.verb != Verb::mail && command.verb != Verb::rcpt) return command;
  return read_path_and_parameters(command, line);
}

}  // namespace postern::testing
