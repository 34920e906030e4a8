#include "grammar/mail_data_blocks.hpp"

namespace postern::grammar {
namespace {

bool begins_with(const char* text, std::string_view lower_case_name) {
  for (const char expected : lower_case_name) {
    const char octet = *text++;
    if ((octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet) != expected) return false;
  }
  return true;
}

}  // namespace

void note_name(MailDataState& state, const char* line) {
  if (line[0] == '\r' && line[1] == '\n') state.in_header = false;  // RFC 5322 2.1: the empty line
  if (*line == '.') ++line;
  for (const std::string_view name : hop_names) {
    if (begins_with(line, name)) ++state.hops;
  }
}

void stand_between_blocks(MailDataState& state, MailDataCursor& cursor, BlockPlace place) {
  using At = MailDataState::At;
  if (place.in == cursor.in) return;
  if (place.in[-1] == '\r') *place.out++ = *place.in++;  // not bare: LF
  state.at = place.in[-1] == '\n' ? At::line_start : At::in_line;
  cursor.in = place.in;
  cursor.out = place.out;
}

}  // namespace postern::grammar
