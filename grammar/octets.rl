# The octets of the command grammar: each octet stands in exactly one line, the line is its class, and the order of the
# lines is the order of the classes. make_alphabet.cpp writes two alphabets from it with the same names: `octets`, which
# is this file, and `classes`, in which a name is the number of its line. The order makes the sets that the grammar asks
# for most (atext, Ldh, Let_dig, HEXDIG, DIGIT, anything but control) one range each, and so two comparisons instead of ten.
# One definition a line; a definition is characters, 'a'..'z' ranges or 0x00..0xFF ranges with `|` between them.
%%{
machine alphabet;

control       = 0x00..0x08 | 0x0A..0x1F | 0x7F;
HT            = 0x09;
DQUOTE        = '"';
backslash     = '\\';
SP            = ' ';
left_bracket  = '[';
right_bracket = ']';
special       = '(' | ')' | ';';
comma         = ',';
colon         = ':';
at            = '@';
less          = '<';
greater       = '>';
dot           = '.';
equals        = '=';
plus          = '+';
other_atext   = '!' | '#'..'\'' | '*' | '/' | '?' | '^' | '`' | '{'..'~';
underscore    = '_';
hyphen        = '-';
other_letter  = 'G' | 'g' | 'J'..'K' | 'j'..'k' | 'W' | 'w';
H             = 'H' | 'h';
I             = 'I' | 'i';
L             = 'L' | 'l';
M             = 'M' | 'm';
N             = 'N' | 'n';
O             = 'O' | 'o';
P             = 'P' | 'p';
Q             = 'Q' | 'q';
R             = 'R' | 'r';
S             = 'S' | 's';
T             = 'T' | 't';
U             = 'U' | 'u';
V             = 'V' | 'v';
X             = 'X' | 'x';
Y             = 'Y' | 'y';
Z             = 'Z' | 'z';
lower_a       = 'a';
upper_a       = 'A';
lower_b       = 'b';
upper_b       = 'B';
lower_c       = 'c';
upper_c       = 'C';
lower_d       = 'd';
upper_d       = 'D';
lower_e       = 'e';
upper_e       = 'E';
lower_f       = 'f';
upper_f       = 'F';
zero          = '0';
one           = '1';
two           = '2';
three_four    = '3'..'4';
five          = '5';
six           = '6';
seven         = '7';
eight         = '8';
nine          = '9';
beyond_ascii  = 0x80..0xFF;
}%%
