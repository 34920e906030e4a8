// The line machine, the oracle of LineSplitter: octet by octet, resumed at any cut.
#include "grammar/oracle.hpp"

namespace postern::grammar {

%%{
machine line;
variable cs cs_;

action take { text_ += *p; }
action complete { finish(LineKind::complete, 2, lines); }
action bare_lf { finish(LineKind::bare_lf, 1, lines); }

# RFC 5321 2.3.8: only CRLF ends a line
CRLF = "\r\n";
LF = "\n";
octets = (any - LF)*;
complete_line = octets CRLF;
broken_line = octets LF - complete_line;
main := (any @take)* & (complete_line @complete | broken_line @bare_lf)*;

write data noerror nofinal noentry;
}%%

LineMachine::LineMachine(std::size_t max_octets) : max_octets_(max_octets) {
  %% write init;
}

void LineMachine::take(std::string_view octets, std::vector<FinishedLine>& lines) {
  const char* p = octets.data();
  const char* const pe = p + octets.size();
  %% write exec;
}

void LineMachine::finish(LineKind kind, std::size_t line_end_octets, std::vector<FinishedLine>& lines) {
  if (text_.size() > max_octets_) {
    lines.push_back({kind == LineKind::bare_lf ? kind : LineKind::too_long, ""});
  } else {
    lines.push_back({kind, text_.substr(0, text_.size() - line_end_octets)});
  }
  text_.clear();
}

}  // namespace postern::grammar
