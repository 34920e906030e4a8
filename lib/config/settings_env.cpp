#include "config/settings_env.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/number.hpp"
#include "base/text_lines.hpp"
#include "spec/limits.hpp"
#include "spec/policy_row.hpp"

namespace postern::config {
namespace {

constexpr std::uint64_t least_max_recipients = 100;  // RFC 5321 4.5.3.1.8
constexpr std::uint64_t max_greet_delay_seconds = 3600;

constexpr std::string_view zero_by_default = "only 0 and 1 are allowed (unset or empty means 0)";
constexpr std::string_view one_by_default = "only 0 and 1 are allowed (unset or empty means 1)";
constexpr std::string_view backend_by_default =
    "only 0 and 1 are allowed (unset or empty means 1 with an AUTH backend, else 0)";
constexpr std::string_view way_out_by_default =
    "only 0 and 1 are allowed (unset or empty means 1 with a queue program, 0 with a Maildir or a mail cluster)";
constexpr std::string_view a_port = "only a number from 1 to 65535 is allowed (unset or empty means 25)";
constexpr std::string_view databytes_value =
    "only digits are allowed (unset or empty means control/databytes, 0 no limit)";
constexpr std::string_view max_recipients_value =
    "only a number from 0 to 4294967295 is allowed (unset, empty or 0 means no limit of yours)";
constexpr std::string_view greet_delay_value = "only a number from 0 to 3600 is allowed (unset or empty means 0)";

// Reads one variable after the other and gathers what is wrong with them.
class Reader {
 public:
  Reader(const base::Environment& environment, std::string_view origin, std::vector<SettingProblem>& problems)
      : environment_(&environment), origin_(origin), problems_(&problems) {}

  [[nodiscard]] std::optional<bool> boolean(std::string_view name, std::string_view allowed) {
    const std::string_view text = text_of(name);
    if (text == "0" || text == "1") return text == "1";
    if (!text.empty()) problems_->push_back({name, text, origin_, allowed});
    return std::nullopt;
  }

  // A setting of the spec.
  [[nodiscard]] std::optional<bool> setting(std::uint64_t bit) {
    const auto rows = spec::setting_rows();
    const auto row = std::ranges::find(rows, bit, &spec::SettingRow::bit);
    const std::string_view constant = row->default_value ? one_by_default : zero_by_default;
    return boolean(spec::text_at(row->name), row->default_fact == 0 ? constant : backend_by_default);
  }

  template <typename Number>
  [[nodiscard]] std::optional<Number> number(std::string_view name, std::string_view allowed, std::uint64_t max) {
    const std::string_view text = text_of(name);
    if (text.empty()) return std::nullopt;
    if (const auto value = base::parse_unsigned(text, max)) return static_cast<Number>(*value);
    problems_->push_back({name, text, origin_, allowed});
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::uint16_t> port(std::string_view name) {
    const auto value = number<std::uint16_t>(name, a_port, std::numeric_limits<std::uint16_t>::max());
    if (value != 0) return value;
    problems_->push_back({name, text_of(name), origin_, a_port});
    return std::nullopt;
  }

 private:
  [[nodiscard]] std::string_view text_of(std::string_view name) const { return environment_->value_of(name); }

  const base::Environment* environment_;
  std::string_view origin_;
  std::vector<SettingProblem>* problems_;
};

// The variables that are texts. Paths may be in any script; what a client reads may not.
struct TextVariable {
  std::string_view name;
  bool is_ascii;
};
constexpr std::array text_variables = {
    TextVariable{"SMTPGREETING", true},     TextVariable{"RELAYCLIENT", true},
    TextVariable{"QMAILQUEUE", false},      TextVariable{"POSTERN_LMTP", true},
    TextVariable{"TMPDIR", false},          TextVariable{"POSTERN_MAILDIR", false},
    TextVariable{"TLS_SERVER_CERT", false}, TextVariable{"TLS_SERVER_KEY", false},
    TextVariable{"TLSCIPHERS", true},       TextVariable{"AUTH_CDB", false},
    TextVariable{"POSTERN_HOME", false},
};

}  // namespace

std::string describe(const SettingProblem& problem) {
  std::string text(problem.name);
  text.append("=\"").append(problem.value).append("\" in ").append(problem.origin).append(": ");
  return text.append(problem.allowed);
}

SettingsInEnvironment read_settings(const base::Environment& environment, std::string_view origin) {
  SettingsInEnvironment settings;
  Reader reader(environment, origin, settings.problems);
  settings.port = reader.port("PORT");
  settings.ssl = reader.setting(spec::bit::SSL);
  settings.force_tls = reader.setting(spec::bit::FORCE_TLS);
  settings.deny_tls = reader.setting(spec::bit::DENY_TLS);
  settings.auth = reader.setting(spec::bit::AUTH);
  settings.require_auth = reader.setting(spec::bit::REQUIRE_AUTH);
  settings.allow_insecure_auth = reader.setting(spec::bit::ALLOW_INSECURE_AUTH);
  settings.relays = reader.boolean("POSTERN_RELAY", way_out_by_default);
  settings.delivered_to = reader.boolean("POSTERN_DELIVERED_TO", zero_by_default);
  settings.hides_user = reader.boolean("POSTERN_HIDE_USER", zero_by_default);
  settings.strict_addresses = reader.boolean("STRICT_ADDRESSES", zero_by_default);
  settings.rejects_relay_requests = reader.boolean("RELAYREJ", zero_by_default);
  settings.discard = reader.boolean("POSTERN_DISCARD", zero_by_default);
  return settings;
}

NumbersInEnvironment read_numbers(const base::Environment& environment, std::string_view origin) {
  NumbersInEnvironment numbers;
  Reader reader(environment, origin, numbers.problems);
  constexpr std::uint64_t no_bound = std::numeric_limits<std::uint64_t>::max();
  constexpr std::uint64_t max_count = std::numeric_limits<std::uint32_t>::max();
  numbers.databytes = reader.number<std::uint64_t>("DATABYTES", databytes_value, no_bound);
  numbers.max_recipients = least_recipients(reader.number<std::uint64_t>("MAXRCPT", max_recipients_value, max_count));
  numbers.greet_delay_seconds = reader.number<unsigned>("GREETDELAY", greet_delay_value, max_greet_delay_seconds);
  numbers.drop_pre_greet = reader.boolean("DROP_PRE_GREET", zero_by_default);
  return numbers;
}

std::optional<std::uint64_t> least_recipients(std::optional<std::uint64_t> maxrcpt) {
  if (!maxrcpt || *maxrcpt == 0) return std::nullopt;
  return std::max(*maxrcpt, least_max_recipients);
}

std::vector<SettingProblem> judge_texts(const base::Environment& environment, std::string_view origin) {
  std::vector<SettingProblem> problems;
  for (const TextVariable& variable : text_variables) {
    const std::string_view text = environment.value_of(variable.name);
    if (text.contains('\t') || base::has_stray_control(text))
      problems.push_back({variable.name, text, origin, "remove the control character (a carriage return?)"});
    else if (variable.is_ascii && !base::is_ascii_text(text))
      problems.push_back({variable.name, text, origin, "write ASCII only, an internationalised domain as xn--..."});
  }
  return problems;
}

unsigned timeout_seconds(std::optional<std::uint64_t> timeoutsmtpd) {
  constexpr std::uint64_t longest = std::numeric_limits<unsigned>::max();
  return static_cast<unsigned>(
      std::clamp<std::uint64_t>(timeoutsmtpd.value_or(spec::default_timeout_seconds), 1, longest));
}

}  // namespace postern::config
