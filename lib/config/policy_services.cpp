#include "config/policy_services.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "config/service_address.hpp"
#include "spec/limits.hpp"

namespace postern::config {
namespace {

constexpr std::string_view blanks = " \t";
constexpr unsigned example_port = 10023;  // of postgrey

// As PolicyStage numbers them.
constexpr std::array<std::string_view, policy_stages> stages{"connect", "helo", "mail", "rcpt", "data"};
constexpr std::array<std::string_view, 3> ends{"policy", "end", "end-of-message"};

using Parsed = std::expected<PolicyService, std::string>;

bool begins_an_address(std::string_view text) { return text.starts_with("unix:") || text.starts_with("tcp:"); }

Parsed parse_one(std::string_view one) {
  PolicyService service{.stage = PolicyStage::rcpt, .address = {}, .text = std::string(one)};
  const std::size_t colon = one.find(':');
  if (colon != std::string_view::npos && begins_an_address(one.substr(colon + 1))) {
    const std::string_view word = one.substr(0, colon);
    const auto stage = std::ranges::find(stages, word);
    if (std::ranges::find(ends, word) != ends.end())
      return std::unexpected("at the end of a message a policy service is a filter: write policy:" +
                             std::string(one.substr(colon + 1)) + " into POSTERN_FILTERS");
    if (stage == stages.end())
      return std::unexpected(std::string(word) + " is no stage: write connect:, helo:, mail:, rcpt: or data:");
    service.stage = static_cast<PolicyStage>(stage - stages.begin());
    one.remove_prefix(colon + 1);
  }
  auto address = parse_service_address(one, example_port);
  if (!address) return std::unexpected(std::move(address.error()));
  service.address = std::move(*address);
  return service;
}

}  // namespace

std::expected<std::vector<PolicyService>, std::string> parse_policy_services(std::string_view text) {
  std::vector<PolicyService> services;
  for (std::size_t begin = 0; (begin = text.find_first_not_of(blanks, begin)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
    const std::string_view one = text.substr(begin, end - begin);
    if (one.contains(','))
      return std::unexpected(
          std::string(one) +
          ": a comma is no part of an address, and services are separated by spaces: write unix:/a unix:/b");
    Parsed service = parse_one(one);
    if (!service) return std::unexpected(std::string(one) + ": " + service.error());
    const auto is_same = [&](const PolicyService& other) {
      return other.stage == service->stage && other.address.text == service->address.text;
    };
    if (std::ranges::any_of(services, is_same))
      return std::unexpected(std::string(one) + " stands there twice: write it once");
    if (services.size() == spec::max_policy_services)
      return std::unexpected("at most " + std::to_string(spec::max_policy_services) +
                             " services are asked: write fewer");
    services.push_back(std::move(*service));
    begin = end;
  }
  std::ranges::stable_sort(services, {}, &PolicyService::stage);
  return services;
}

}  // namespace postern::config
