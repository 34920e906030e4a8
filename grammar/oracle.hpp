// Line and mail data as Ragel machines, octet by octet: what the scans of LineSplitter and MailData are compared with.
// in      octets in pieces of any size
// out     finished lines; decoded octets
// errors  none; never shipped: postern_grammar_oracle is linked by tests, proptests, fuzz and bench only
// source  RFC 5321 2.3.8, 4.5.2; RFC 5322 2.1
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/line.hpp"
#include "grammar/mail_data.hpp"

namespace postern::grammar {

struct FinishedLine {
  LineKind kind;
  std::string text;  // as Line::text

  bool operator==(const FinishedLine&) const = default;
};

class LineMachine {
 public:
  explicit LineMachine(std::size_t max_octets);
  // Appends each line that one of the octets has ended.
  void take(std::string_view octets, std::vector<FinishedLine>& lines);

 private:
  void finish(LineKind kind, std::size_t line_end_octets, std::vector<FinishedLine>& lines);

  std::size_t max_octets_;
  std::string text_;
  int cs_ = 0;
};

class MailDataMachine {
 public:
  MailDataMachine();
  // As MailData::decode.
  [[nodiscard]] DecodedPiece decode(std::string_view octets, std::span<char> out);
  [[nodiscard]] bool saw_bare_cr() const { return saw_bare_cr_; }
  [[nodiscard]] bool saw_bare_lf() const { return saw_bare_lf_; }
  [[nodiscard]] bool saw_nul() const { return saw_nul_; }
  [[nodiscard]] std::uint32_t hops() const { return hops_; }
  [[nodiscard]] int state() const { return cs_; }  // of Ragel's machine

 private:
  int cs_ = 0;
  bool saw_bare_cr_ = false;
  bool saw_bare_lf_ = false;
  bool saw_nul_ = false;
  std::uint32_t hops_ = 0;
};

}  // namespace postern::grammar
