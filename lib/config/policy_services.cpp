#include "config/policy_services.hpp"

#include <algorithm>

#include "config/service_address.hpp"
#include "spec/limits.hpp"

namespace postern::config {
namespace {

constexpr std::string_view blanks = " \t";
constexpr unsigned example_port = 10023;  // of postgrey

}  // namespace

std::expected<std::vector<base::SocketAddress>, std::string> parse_policy_services(std::string_view text) {
  std::vector<base::SocketAddress> services;
  for (std::size_t begin = 0; (begin = text.find_first_not_of(blanks, begin)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
    const std::string_view one = text.substr(begin, end - begin);
    if (one.contains(','))
      return std::unexpected(
          std::string(one) +
          ": a comma is no part of an address, and services are separated by spaces: write unix:/a unix:/b");
    auto address = parse_service_address(one, example_port);
    if (!address) return std::unexpected(std::string(one) + ": " + address.error());
    if (std::ranges::find(services, one, &base::SocketAddress::text) != services.end())
      return std::unexpected(std::string(one) + " stands there twice: write it once");
    if (services.size() == spec::max_policy_services)
      return std::unexpected("at most " + std::to_string(spec::max_policy_services) +
                             " services are asked about a recipient: write fewer");
    services.push_back(std::move(*address));
    begin = end;
  }
  return services;
}

}  // namespace postern::config
