#include "audit/configuration.hpp"

#include "audit/text.hpp"
#include "base/number.hpp"
#include "base/spelling.hpp"

namespace postern::audit {
namespace {

namespace bit = spec::bit;

std::vector<std::string> known_names(const Policy& policy) {
  std::vector<std::string> names{"PORT"};
  for (const spec::Variable* variable : policy.fixed()) names.push_back(variable->name);
  return names;
}

void say(Configuration& configuration, std::uint64_t bits, bool value) {
  configuration.settings_and_facts.set(bits, value);
  configuration.said |= bits;
}

void take_word(const Policy& policy, Configuration& configuration, const std::string& word) {
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  // A fact alone, as in the head of a dialogue.
  const bool is_claim = equals == std::string::npos && !name.empty() && name.front() >= 'a';
  const std::string value = is_claim ? "1" : equals == std::string::npos ? "" : word.substr(equals + 1);
  if (name == "PORT") {
    const auto port = base::parse_unsigned(value, 65535);
    if (!port || *port == 0) throw UsageError(word + ": a port is a number from 1 to 65535");
    configuration.port = static_cast<unsigned>(*port);
    return;
  }
  const std::uint64_t bits = policy.bit_of(name);
  if (bits == 0) {
    const std::vector<std::string> names = known_names(policy);
    const auto meant = base::nearest_name(name, names);
    throw UsageError(word + (meant ? ": write " + *meant + "=" + (value.empty() ? "1" : value)
                                   : ": there is no setting or fact of that name, only " + joined(names, ", ")));
  }
  if (value != "0" && value != "1") throw UsageError(word + ": write " + name + "=0 or " + name + "=1");
  if ((configuration.said & bits) != 0) throw UsageError(word + ": " + name + " is given twice");
  say(configuration, bits, value == "1");
}

std::string joined(const Policy& policy, const Configuration& configuration, std::size_t from, std::size_t to) {
  std::string text;
  for (std::size_t i = from; i < to; ++i) {
    const std::uint64_t bits = spec::bits_of(*policy.fixed()[i]);
    text += (text.empty() ? "" : " ") + policy.written(bits, configuration.settings_and_facts);
  }
  return text;
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t\n", at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

Configuration parse_configuration(const Policy& policy, const std::vector<std::string>& words, const SaidFacts& facts) {
  Configuration configuration;
  if (facts.certificate) say(configuration, bit::certificate, *facts.certificate);
  if (facts.backend) say(configuration, bit::backend, *facts.backend);
  if (facts.relay_client) say(configuration, bit::relay_client, *facts.relay_client);
  if (facts.local_only) say(configuration, bit::local_only, *facts.local_only);
  for (const std::string& group : words) {
    for (const std::string& word : words_of(group)) take_word(policy, configuration, word);
  }
  complete(policy, configuration);
  return configuration;
}

void complete(const Policy&, Configuration& configuration) {
  spec::Guards& guards = configuration.settings_and_facts;
  if ((configuration.said & bit::certificate) == 0) guards.set(bit::certificate, true);
  configuration.backend_follows_auth = (configuration.said & bit::backend) == 0;
  guards = spec::with_defaults(guards, configuration.said);
  if (configuration.backend_follows_auth) guards.set(bit::backend, guards.has(bit::AUTH));
}

std::string settings_text(const Policy& policy, const Configuration& configuration) {
  return joined(policy, configuration, 0, policy.model().settings.size());
}

std::string facts_text(const Policy& policy, const Configuration& configuration) {
  return joined(policy, configuration, policy.model().settings.size(), policy.fixed().size());
}

std::string short_text(const Policy& policy, const Configuration& configuration) {
  std::string text;
  for (std::size_t i = 0; i < policy.model().settings.size(); ++i) {
    const std::uint64_t bits = spec::bits_of(*policy.fixed()[i]);
    if (configuration.settings_and_facts.has(bits)) text += (text.empty() ? "" : " ") + policy.fixed()[i]->name + "=1";
  }
  return text.empty() ? "all 0" : text;
}

std::vector<Configuration> all_settings(const Policy& policy) {
  const std::size_t count = policy.model().settings.size();
  std::vector<Configuration> all;
  for (std::size_t number = 0; number < (std::size_t{1} << count); ++number) {
    Configuration configuration;
    for (std::size_t i = 0; i < count; ++i)
      say(configuration, spec::bits_of(*policy.fixed()[i]), ((number >> (count - 1 - i)) & 1) != 0);
    complete(policy, configuration);
    all.push_back(configuration);
  }
  return all;
}

}  // namespace postern::audit
