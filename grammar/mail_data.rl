// The mail data machine, the oracle of MailData: octet by octet, resumed at any cut.
#include "grammar/oracle.hpp"

namespace postern::grammar {

%%{
machine mail_data;
variable cs cs_;

action put { *written++ = *p; }
action line_end { *written++ = '\n'; }
action bare_cr { *written++ = '\r'; saw_bare_cr_ = true; }
action bare_lf { *written++ = '\n'; saw_bare_lf_ = true; }
action nul { saw_nul_ = true; }
action hop { ++hops_; }
action end_of_data { ended = true; fbreak; }

CR = "\r";
LF = "\n";
CRLF = CR LF;
other = any - CR - LF;

# RFC 5321 4.5.2, 4.1.1.4
transparency = (
  start:      ( "." -> dot | (other - ".") @put -> in_line | CR -> cr | LF @bare_lf -> in_line ),
  in_line:    ( other @put -> in_line | CR -> cr | LF @bare_lf -> in_line ),
  cr:         ( LF @line_end -> start | CR @bare_cr -> cr | other @bare_cr @put -> in_line ),
  dot:        ( other @put -> in_line | CR -> dot_cr | LF @bare_lf -> in_line ),
  dot_cr:     ( LF @end_of_data -> final | CR @bare_cr -> cr | other @bare_cr @put -> in_line )
);

# RFC 5321 6.3; RFC 5322 2.1: the header ends at the first empty line
data_line = any* CRLF - any* CRLF any+;
hop_line = "."? ("Received:"i | "Delivered-To:"i) @hop any*;
header = ((data_line - CRLF) & (hop_line | any*))*;
# RFC 5321 2.3.8, RFC 6152 2: NUL is in no line of mail
main := transparency & (header (CRLF any*)?) & ((any - 0) | 0 @nul)*;

write data noerror nofinal noentry;
}%%

MailDataMachine::MailDataMachine() {
  %% write init;
}

DecodedPiece MailDataMachine::decode(std::string_view octets, std::span<char> out) {
  const char* p = octets.data();
  const char* const pe = p + octets.size();
  char* written = out.data();
  bool ended = false;
  %% write exec;
  return {static_cast<std::size_t>(p - octets.data()), static_cast<std::size_t>(written - out.data()), ended};
}

}  // namespace postern::grammar
