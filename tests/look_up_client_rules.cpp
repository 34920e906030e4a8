// Says of each client, one a line, which rule is its: look_up_client_rules CDB <CLIENTS
// in      ADDRESS, or ADDRESS HOST, or ADDRESS HOST INFO, parted by tabs; an empty HOST or INFO is none
// out     what tcprulescheck(1) prints, and a line with nothing in it after each
#include <cstdio>
#include <iostream>
#include <string>

#include "daemon/tcp_rule.hpp"
#include "listener/client_rules.hpp"

namespace {

using namespace postern;

std::string next_field(std::string& line) {
  const std::size_t tab = std::min(line.find('\t'), line.size());
  const std::string field = line.substr(0, tab);
  line.erase(0, tab + 1);
  return field;
}

void print(const listener::ClientRule& rule) {
  using Standing = listener::ClientRule::Standing;
  if (rule.standing == Standing::unreadable) std::cout << "unreadable\n";
  if (rule.standing == Standing::not_found)
    std::cout << "default:\n";
  else
    std::cout << "rule " << rule.key << ":\n";
  if (rule.standing == Standing::denied) {
    std::cout << "deny connection\n\n";
    return;
  }
  daemon::TcpRuleItems items(rule.value);
  while (const auto item = items.next())
    if (item->kind == daemon::TcpRuleItem::Kind::sets)
      std::cout << "set environment variable " << item->assignment << "\n";
  std::cout << "allow connection\n\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: look_up_client_rules CDB <CLIENTS\n", stderr), 2;
  listener::ClientRules rules(argv[1]);
  if (rules.refresh({}) == listener::ClientRules::News::refused) return std::cerr << rules.problem() << "\n", 1;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string address_text = next_field(line), host = next_field(line), info = next_field(line);
    const auto address = listener::parse_address(address_text);
    if (!address) return std::cerr << address_text << ": no address\n", 1;
    listener::ClientName client{*address, {}, {}};
    if (!host.empty()) client.host = host;
    if (!info.empty()) client.info = info;
    print(rules.find(client));
  }
}
