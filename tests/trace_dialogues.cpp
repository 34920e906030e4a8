// Prints what a runner needs to play dialogues with the real program: what is served, which side says what, which
// look-ups there are, and which rules decide.
// in      FOLDER...: every .smtp file of each
// out     one JSON object a line; octets as Latin-1
// errors  exit 1 when a file is no dialogue (tests/dialogue.hpp) or the session does not go as it says
// source  tests/dialogues/README.md; tests/e2e/coverage_test.py
#include <cstdio>
#include <string>

#include "testing/replay.hpp"

namespace postern::tests {
namespace {

namespace bit = spec::bit;

std::string json_text(std::string_view octets) {
  std::string out = "\"";
  for (const char c : octets) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", unsigned{static_cast<unsigned char>(c)});
    out += c >= ' ' && c <= '~' && c != '"' && c != '\\' ? std::string(1, c) : escape;
  }
  return out + '"';
}

// A burst of the same octets is printed once, with how often: `C*1060000`.
std::string repeated(const std::string& octets) {
  constexpr std::size_t big = 100000, longest = 1000;
  for (std::size_t period = 1; octets.size() > big && period <= longest; ++period) {
    const std::string_view all = octets;
    if (octets.size() % period == 0 && all.substr(period) == all.substr(0, all.size() - period))
      return json_text(all.substr(0, period)) + ", " + std::to_string(octets.size() / period);
  }
  return json_text(octets) + ", 1";
}

std::string item(const audit::Item& item) {
  switch (item.kind) {
    case audit::ItemKind::client: return "[\"C\", " + repeated(item.octets) + "]";
    case audit::ItemKind::server: return "[\"S\", " + json_text(item.octets) + "]";
    case audit::ItemKind::closes: return "[\"X\", \"\"]";
    case audit::ItemKind::reverse_path: return "[\"F\", " + json_text(item.octets) + "]";
    case audit::ItemKind::forward_path: return "[\"T\", " + json_text(item.octets) + "]";
    case audit::ItemKind::message: return "[\"M\", " + json_text(item.octets) + "]";
    case audit::ItemKind::event: break;
  }
  return "[\"=\", " + json_text(spec::name_of(item.event)) + ", " + json_text(item.octets) + "]";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  return all;
}

std::string settings_of(spec::Guards guards) {
  std::string all;
  const auto add = [&](const char* name, std::uint64_t bit) {
    all += (all.empty() ? "\"" : ", \"") + std::string(name) + (guards.has(bit) ? "\": 1" : "\": 0");
  };
  add("SSL", bit::SSL);
  add("FORCE_TLS", bit::FORCE_TLS);
  add("DENY_TLS", bit::DENY_TLS);
  add("AUTH", bit::AUTH);
  add("REQUIRE_AUTH", bit::REQUIRE_AUTH);
  add("ALLOW_INSECURE_AUTH", bit::ALLOW_INSECURE_AUTH);
  add("certificate", bit::certificate);
  add("backend", bit::backend);
  add("relay_client", bit::relay_client);
  add("local_only", bit::local_only);
  return all;
}

// The dialogue again, with each recipient as it is looked up.
std::string lookups_of(const audit::Dialogue& dialogue) {
  std::vector<std::string> lookups;
  testing::Driver driver(dialogue.service(), testing::AfterStarttls::same_session);
  driver.watch([&](const testing::Moment& moment) {
    const std::string_view event = spec::name_of(moment.decision.event);
    if (event.starts_with("recipient."))
      lookups.push_back("[" + json_text(moment.session.envelope().reverse_path()) + ", " +
                        json_text(moment.session.mailbox()) + ", " + json_text(event) + "]");
  });
  for (const audit::Item& each : dialogue.items) {
    if (each.kind == audit::ItemKind::client) driver.send(each.octets);
    if (each.kind != audit::ItemKind::event) continue;
    if (audit::is_outcome_of_a_look_up(each.event))
      driver.tell(each.event, each.octets);
    else
      driver.happen(each.event, each.octets);
  }
  return joined(lookups);
}

bool tell(const audit::Dialogue& dialogue) {
  const testing::Replay played = testing::replay(dialogue, {}, testing::AfterStarttls::same_session);
  if (!played.problem.empty()) {
    std::fprintf(stderr, "%s: %s\n", dialogue.name.c_str(), played.problem.c_str());
    return false;
  }
  std::vector<std::string> items, decisions;
  for (const audit::Item& each : dialogue.items) items.push_back(item(each));
  for (const testing::Decision& each : played.decisions)
    decisions.push_back("[" + json_text(spec::name_of(each.rule)) + ", " + std::to_string(each.code) + "]");
  std::printf(
      "{\"name\": %s, \"world\": {%s}, \"databytes\": %llu, \"max_recipients\": %zu, \"has_room\": %s, \"items\": "
      "[%s], \"lookups\": "
      "[%s], "
      "\"decisions\": [%s]}\n",
      json_text(dialogue.name).c_str(), settings_of(dialogue.settings_and_facts).c_str(),
      static_cast<unsigned long long>(dialogue.databytes), dialogue.max_recipients,
      dialogue.has_room ? "true" : "false", joined(items).c_str(), lookups_of(dialogue).c_str(),
      joined(decisions).c_str());
  return true;
}

}  // namespace
}  // namespace postern::tests

int main(int count, char** words) {
  bool is_good = count > 1;
  for (int i = 1; i < count; ++i) {
    for (const auto& dialogue : postern::audit::load_dialogues(words[i]))
      is_good = postern::tests::tell(dialogue) && is_good;
  }
  return is_good ? 0 : 1;
}
