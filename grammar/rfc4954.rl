# The rules of RFC 4954 under their ABNF names; needs rfc5321.rl and the actions named here.
%%{
machine rfc4954;

# RFC 4954 5: AUTH= of MAIL; `<>` is xtext too. RFC 3461 4: xtext
xchar = visible_ascii - plus - equals;
hexchar = plus upper_HEXDIG{2};
xtext = (xchar | hexchar)+;
Auth_parameter = (A U T H) >auth_keyword equals xtext >auth_mailbox_begins %auth_mailbox_ends;

# RFC 4954 4: AUTH mechanism [initial-response]; which mechanisms there are is not a matter of grammar
auth_octet = visible_ascii | beyond_ascii;
mechanism = auth_octet+ >mechanism_begins %mechanism_ends;
initial_response = auth_octet >initial_response_begins printable*;
lenient_trailing_blanks = (SP | HT)*;  # of base64.rl, too: deviation D14
lenient_auth_spaces = SP+;  # RFC 4954 8: one SP
blanks_forgiven = initial_response (HT lenient_trailing_blanks)?;
auth_argument = (lenient_auth_spaces mechanism (lenient_auth_spaces blanks_forgiven?)?)? lenient_trailing_spaces;
}%%
