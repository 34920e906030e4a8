# The rules of RFC 5321 under their ABNF names, over the names of octets.rl. A file that includes this one first includes an
# alphabet and defines the actions that the rules name; a rule called lenient_* forgives what command.hpp says it does.
%%{
machine rfc5321;

# RFC 5234 B.1; RFC 5321 2.4: verbs and keywords in any case
A = lower_a | upper_a;
B = lower_b | upper_b;
C = lower_c | upper_c;
D = lower_d | upper_d;
E = lower_e | upper_e;
F = lower_f | upper_f;
DIGIT = zero | one | two | three_four | five | six | seven | eight | nine;
upper_HEXDIG = DIGIT | upper_a | upper_b | upper_c | upper_d | upper_e | upper_f;
HEXDIG = DIGIT | A | B | C | D | E | F;
ALPHA = A | B | C | D | E | F | H | I | L | M | N | O | P | Q | R | S | T | U | V | X | Y | Z | other_letter;

# RFC 5321 4.1.2: the parts of a mailbox
Let_dig = ALPHA | DIGIT;
Ldh_str = (Let_dig | hyphen)* Let_dig;
lenient_underscore = underscore @address_forgiven;
label_end = Let_dig | lenient_underscore;
sub_domain = label_end ((label_end | hyphen)* label_end)?;
Domain = sub_domain (dot sub_domain)*;
At_domain = at Domain;
A_d_l = At_domain (comma At_domain)*;
atext = Let_dig | hyphen | underscore | other_atext | plus | equals;
Atom = atext+;
lenient_dots = (dot @address_forgiven)*;  # before an Atom, or next to the dot that stands there anyway
Dot_string = lenient_dots Atom (dot lenient_dots Atom)* ((dot lenient_dots) %address_forgiven)?;
visible_ascii = DQUOTE | backslash | left_bracket | right_bracket | special | comma | colon | at | less | greater | dot
              | atext;
quoted_pairSMTP = backslash (SP | visible_ascii);
qtextSMTP = SP | (visible_ascii - DQUOTE - backslash);
Quoted_string = DQUOTE (qtextSMTP | quoted_pairSMTP)* DQUOTE;
Local_part = Dot_string | Quoted_string;

# RFC 5321 4.1.3: address literals
Snum = DIGIT{1,2} | (zero | one) DIGIT{2} | two (zero | one | two | three_four) DIGIT
     | two five (zero | one | two | three_four | five);
IPv4_address_literal = Snum (dot Snum){3};
IPv6_hex = HEXDIG{1,4};
after_hex = colon IPv6_hex;
IPv6_full = IPv6_hex after_hex{7};
IPv6v4_full = IPv6_hex after_hex{5} colon IPv4_address_literal;
# "::" stands for at least two groups: at most six others, at most four besides an IPv4 address
IPv6_comp = colon colon (IPv6_hex after_hex{0,5})?
          | IPv6_hex              colon colon (IPv6_hex after_hex{0,4})?
          | IPv6_hex after_hex{1} colon colon (IPv6_hex after_hex{0,3})?
          | IPv6_hex after_hex{2} colon colon (IPv6_hex after_hex{0,2})?
          | IPv6_hex after_hex{3} colon colon (IPv6_hex after_hex{0,1})?
          | IPv6_hex after_hex{4} colon colon IPv6_hex?
          | IPv6_hex after_hex{5} colon colon;
IPv6v4_comp = colon colon (IPv6_hex colon (IPv6_hex colon){0,3})? IPv4_address_literal
            | IPv6_hex              colon colon (IPv6_hex colon){0,3} IPv4_address_literal
            | IPv6_hex after_hex{1} colon colon (IPv6_hex colon){0,2} IPv4_address_literal
            | IPv6_hex after_hex{2} colon colon (IPv6_hex colon){0,1} IPv4_address_literal
            | IPv6_hex after_hex{3} colon colon IPv4_address_literal;
IPv6_tag = I P V six;
IPv6_address_literal = IPv6_tag colon (IPv6_full | IPv6_comp | IPv6v4_full | IPv6v4_comp);
Standardized_tag = Ldh_str - IPv6_tag;
dcontent = visible_ascii - left_bracket - backslash - right_bracket;
General_address_literal = Standardized_tag colon dcontent+;
address_literal_rest = (IPv4_address_literal | IPv6_address_literal | General_address_literal) right_bracket;
address_literal = left_bracket @address_literal_opens;  # the action calls the one copy of address_literal_rest

# RFC 5321 4.1.2: paths
Mailbox = Local_part >local_part_begins %local_part_ends at (Domain | address_literal) >domain_begins %domain_ends;
lenient_source_route = (A_d_l colon)?;  # RFC 5321 4.1.1.3: accepted and ignored
lenient_bare_path = Mailbox;
Path = less lenient_source_route Mailbox greater | lenient_bare_path;
Postmaster = P O S T M A S T E R;  # RFC 5321 4.1.1.3, 4.5.1
Reverse_path = Path | less greater;
Forward_path = Path | less Postmaster >local_part_begins %local_part_ends greater;

# RFC 5321 4.1.1: arguments
printable = SP | visible_ascii | beyond_ascii;
lenient_argument = (SP printable*)?;  # 4.1.1.6 to 4.1.1.9: String
lenient_client_name = (SP printable*)?;  # 4.1.1.1: Domain or address-literal
unwanted_argument = (SP printable*)?;  # 4.1.1.4, 4.1.1.5, 4.1.1.10, RFC 3207 4: read, so that it can be refused
lenient_trailing_spaces = SP*;
lenient_colon_spaces = SP*;

# RFC 1870 3, RFC 6152 2: the parameters of MAIL; RFC 5321 4.1.2: esmtp-param
size_value = DIGIT{1,20} $size_digit;
Size = (S I Z E) >size_keyword equals size_value;
Body = (B O D Y) >body_keyword equals (seven B I T @body_7bit | eight B I T M I M E @body_8bitmime);
}%%
