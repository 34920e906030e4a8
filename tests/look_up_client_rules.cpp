// Says of each client, one a line, which rule is its: look_up_client_rules CDB <CLIENTS
// in      ADDRESS, or ADDRESS HOST, or ADDRESS HOST INFO, parted by tabs; an empty HOST or INFO is none
// out     what tcprulescheck(1) prints, and a line with nothing in it after each
#include <cstdio>
#include <iostream>
#include <string>

#include "config/client_rules.hpp"
#include "config/tcp_rule.hpp"

namespace {

using namespace postern;

std::string next_field(std::string& line) {
  const std::size_t tab = std::min(line.find('\t'), line.size());
  const std::string field = line.substr(0, tab);
  line.erase(0, tab + 1);
  return field;
}

void print(const config::ClientRule& rule) {
  using Standing = config::ClientRule::Standing;
  if (rule.standing == Standing::unreadable) std::cout << "unreadable\n";
  if (rule.standing == Standing::not_found)
    std::cout << "default:\n";
  else
    std::cout << "rule " << rule.key << ":\n";
  if (rule.standing == Standing::denied) {
    std::cout << "deny connection\n\n";
    return;
  }
  config::TcpRuleItems items(rule.value);
  while (const auto item = items.next())
    if (item->kind == config::TcpRuleItem::Kind::sets)
      std::cout << "set environment variable " << item->assignment << "\n";
  std::cout << "allow connection\n\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: look_up_client_rules CDB <CLIENTS\n", stderr), 2;
  config::ClientRules rules(argv[1]);
  if (rules.refresh({}) == config::ClientRules::News::refused) return std::cerr << rules.problem() << "\n", 1;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string address_text = next_field(line), host = next_field(line), info = next_field(line);
    const auto address = base::parse_address(address_text);
    if (!address) return std::cerr << address_text << ": no address\n", 1;
    config::ClientName client{*address, {}, {}};
    if (!host.empty()) client.host = host;
    if (!info.empty()) client.info = info;
    print(rules.find(client));
  }
}
