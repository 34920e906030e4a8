#include "config/settings_env.hpp"

#include <algorithm>
#include <limits>

#include "base/number.hpp"
#include "base/text_lines.hpp"
#include "spec/limits.hpp"

namespace postern::config {
namespace {

using spec::OptionKind;

constexpr std::uint64_t least_max_recipients = 100;  // RFC 5321 4.5.3.1.8

bool is_numeric(const spec::OptionRow& row) {
  return row.kind == OptionKind::boolean || row.kind == OptionKind::number || row.kind == OptionKind::word;
}

// `words`: each with a blank after it.
std::optional<std::uint64_t> place_among(std::string_view words, std::string_view text) {
  for (std::uint64_t place = 0; !words.empty(); ++place) {
    const std::size_t end = words.find(' ');
    if (words.substr(0, end) == text) return place;
    words.remove_prefix(end + 1);
  }
  return std::nullopt;
}

// Digits alone: what a switch may be is 0 and 1, not 00. A word is its place among those it may be.
std::optional<std::uint64_t> value_of(const spec::OptionRow& row, std::string_view text) {
  if (row.kind == OptionKind::word) return place_among(spec::option_text(row.words), text);
  if (row.kind == OptionKind::boolean)
    return text == "0" || text == "1" ? std::optional<std::uint64_t>(text == "1") : std::nullopt;
  const auto value = base::parse_unsigned(text, row.most);
  return value && *value >= row.least ? std::optional(*value) : std::nullopt;
}

}  // namespace

std::string describe(const SettingProblem& problem) {
  std::string text(problem.name);
  text.append("=\"").append(problem.value).append("\" in ").append(problem.origin).append(": ");
  return text.append(problem.allowed);
}

std::optional<std::string_view> objection_to(const spec::OptionRow& row, std::string_view value) {
  const bool is_judged_elsewhere = row.kind == OptionKind::reply || row.kind == OptionKind::dns_lists;
  if (value.empty() || is_judged_elsewhere) return std::nullopt;
  if (is_numeric(row)) return value_of(row, value) ? std::nullopt : std::optional(spec::option_text(row.allowed));
  if (value.contains('\t') || base::has_stray_control(value))
    return "remove the control character (a carriage return?)";
  // Paths may be in any script; what a client or OpenSSL reads may not.
  if (row.kind != OptionKind::path && !base::is_ascii_text(value))
    return "write ASCII only, an internationalised domain as xn--...";
  return std::nullopt;
}

VariableValues read_variables(const base::Environment& environment, std::string_view origin) {
  VariableValues values;
  for (const spec::OptionRow& row : spec::option_rows()) {
    if (!row.may_stand_in(spec::Place::environment)) continue;
    const std::string_view name = name_of(row), text = environment.value_of(name);
    if (text.empty()) continue;
    if (const auto allowed = objection_to(row, text))
      values.problems_.push_back({name, text, origin, *allowed});
    else if (is_numeric(row))
      values.numbers_[VariableValues::at(option_of(row))] = value_of(row, text);
  }
  return values;
}

GivenSettings given_settings(const VariableValues& variables) {
  GivenSettings given;
  for (const spec::SettingOption& setting : spec::setting_options) {
    std::optional<bool> value = variables.flag(setting.option);
    const auto is_it = [&](const SettingProblem& problem) { return problem.name == name_of(setting.option); };
    if (!value && std::ranges::any_of(variables.problems(), is_it)) value = setting.when_unreadable;
    if (!value) continue;
    given.bits |= setting.bit;
    if (*value) given.values |= setting.bit;
  }
  return given;
}

bool is_tls_first(std::string_view ssl) {
  if (ssl.empty()) return false;
  const auto value = value_of(spec::row_of(spec::Option::SSL), ssl);
  const auto* const setting = std::ranges::find(spec::setting_options, spec::Option::SSL, &spec::SettingOption::option);
  return value ? *value != 0 : setting->when_unreadable;
}

std::optional<std::uint64_t> read_number(const base::Environment& environment, spec::Option option) {
  return value_of(spec::row_of(option), environment.value_of(spec::name_of(option)));
}

std::optional<std::uint64_t> least_recipients(std::optional<std::uint64_t> maxrcpt) {
  if (!maxrcpt || *maxrcpt == 0) return std::nullopt;
  return std::max(*maxrcpt, least_max_recipients);
}

unsigned timeout_seconds(std::optional<std::uint64_t> timeoutsmtpd) {
  constexpr std::uint64_t longest = std::numeric_limits<unsigned>::max();
  return static_cast<unsigned>(
      std::clamp<std::uint64_t>(timeoutsmtpd.value_or(spec::default_timeout_seconds), 1, longest));
}

}  // namespace postern::config
