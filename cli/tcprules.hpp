// The classes of clients in a tcprules cdb: what tcpserver sets for which addresses.
// in      the path of a cdb
// out     one TcpClass a record, in the order of the file; the class with the empty address holds for everybody else
// errors  UsageError: no such file, not a cdb
// source  cr.yp.to/cdb/cdb.txt; tcprules(1): items ended by NUL, `D` denies, `+NAME=VALUE` sets
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace postern::cli {

struct TcpClass {
  std::string address;  // `192.0.2.`, `=.example.org`, empty: everybody else
  bool is_denied = false;
  std::vector<std::pair<std::string, std::string>> sets;
  std::string problem;  // why this record never matches, or cannot be read; empty when it is fine
};

[[nodiscard]] std::vector<TcpClass> read_tcprules(const std::string& path);

}  // namespace postern::cli
