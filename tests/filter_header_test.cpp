// The header that filters edit: what is one, and what edits make of it. RFC 5322 2.2, 3.5, 4.5.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "filter/edit.hpp"
#include "filter/header.hpp"
#include "spec/limits.hpp"

namespace postern::filter {
namespace {

using Kind = HeaderEdit::Kind;

base::MailSpool spool(std::string_view octets) {
  base::MailSpool mail("/tmp");
  mail.write(octets);
  return mail;
}

std::string read_all(const base::MailSpool& mail) {
  std::string all(mail.octets(), '\0');
  for (std::size_t at = 0; at < all.size();) at += mail.read(at, std::span(all).subspan(at)).value_or(all.size());
  return all;
}

// What becomes of a message; the trouble in brackets, and then it is what it was.
std::string edited(std::string_view octets, const Edits& edits, FilterEnvelope* envelope = nullptr) {
  base::MailSpool mail = spool(octets);
  FilterMessage message;
  if (envelope != nullptr) message.envelope = *envelope;
  message.mail = &mail;
  const auto done = apply(edits, message, mail);
  if (envelope != nullptr) *envelope = message.envelope;
  if (done) return read_all(mail);
  EXPECT_EQ(octets, read_all(mail));
  return '[' + done.error().why + ']';
}

std::string edited(std::string_view octets, std::vector<HeaderEdit> header) {
  return edited(octets, Edits{.header = std::move(header)});
}

HeaderEdit add(std::string name, std::string value) { return {.name = std::move(name), .value = std::move(value)}; }
HeaderEdit insert(std::int32_t index) { return {.kind = Kind::insert, .name = "X", .value = " 1", .index = index}; }
HeaderEdit change(std::string value, std::int32_t index) {
  return {.kind = Kind::change, .name = "A", .value = std::move(value), .index = index};
}
HeaderEdit remove(std::int32_t index) { return {.kind = Kind::remove, .name = "a", .index = index}; }

TEST(FilteredHeader, fields_go_to_its_end) {
  EXPECT_EQ("A: 1\nX: 2\n\nbody\n", edited("A: 1\n\nbody\n", {add("X", " 2")}));
  EXPECT_EQ("A: 1\n b\nX: 2\nY:3\n c\n\n", edited("A: 1\n b\n\n", {add("X", " 2"), add("Y", "3\n c")}));
}

TEST(FilteredHeader, fields_go_before_a_place_that_counts_our_received) {
  const std::string_view mail = "A: 1\nB: 2\n\nbody\n";
  EXPECT_EQ("X: 1\nA: 1\nB: 2\n\nbody\n", edited(mail, {insert(0)}));
  EXPECT_EQ("X: 1\nA: 1\nB: 2\n\nbody\n", edited(mail, {insert(1)}));
  HeaderEdit top = insert(0), second = insert(1);
  top.name = "T";
  EXPECT_EQ("T: 1\nX: 1\nA: 1\nB: 2\n\nbody\n", edited(mail, {top, second})) << "both above our Received";
  EXPECT_EQ("T: 1\nX: 1\nA: 1\nB: 2\n\nbody\n", edited(mail, {second, top}));
  EXPECT_EQ("T: 1\nX: 1\nA: 1\nB: 2\n\nbody\n", edited(mail, {top, insert(2)})) << "below it";
  EXPECT_EQ("A: 1\nX: 1\nB: 2\n\nbody\n", edited(mail, {insert(2)}));
  EXPECT_EQ("A: 1\nB: 2\nX: 1\n\nbody\n", edited(mail, {insert(3)}));
  EXPECT_EQ("A: 1\nB: 2\nX: 1\n\nbody\n", edited(mail, {insert(2147483647)}));
  EXPECT_EQ("A: 1\nB: 2\nX: 1\n\nbody\n", edited(mail, {insert(-1)}));
  EXPECT_EQ("A: 1\nX: 1\nB: 2\n\nbody\n", edited(mail, {insert(-2)}));
  EXPECT_EQ("X: 1\nA: 1\nB: 2\n\nbody\n", edited(mail, {insert(-2147483647 - 1)}));
}

TEST(FilteredHeader, repeated_fields_are_counted_from_both_ends) {
  const std::string_view mail = "A: 1\na : 2\nB: b\nA:3\n and more\n\nbody\n";
  EXPECT_EQ("a : 2\nB: b\nA:3\n and more\n\nbody\n", edited(mail, {remove(1)}));
  EXPECT_EQ("A: 1\nB: b\nA:3\n and more\n\nbody\n", edited(mail, {remove(2)}));
  EXPECT_EQ("A: 1\na : 2\nB: b\n\nbody\n", edited(mail, {remove(3)}));
  EXPECT_EQ("A: 1\na : 2\nB: b\n\nbody\n", edited(mail, {remove(-1)}));
  EXPECT_EQ("a : 2\nB: b\nA:3\n and more\n\nbody\n", edited(mail, {remove(-3)}));
  EXPECT_EQ("B: b\n\nbody\n", edited(mail, {remove(0)}));
  for (const std::int32_t nowhere : {4, -4, 2147483647, -2147483647 - 1})
    EXPECT_EQ(mail, edited(mail, {remove(nowhere)}));
  EXPECT_EQ("A: 1\nA: new\nB: b\nA:3\n and more\n\nbody\n", edited(mail, {change(" new", 2)}));
  EXPECT_EQ("A: 1\na : 2\nB: b\nA: new\n\nbody\n", edited(mail, {change(" new", -1)}));
  EXPECT_EQ("A: 1\na : 2\nB: b\nA:3\n and more\nA: new\n\nbody\n", edited(mail, {change(" new", 9)}));
  EXPECT_EQ("A: 1\nB: b\nA:3\n and more\n\nbody\n", edited(mail, {change("", 2)}));
  EXPECT_EQ(mail, edited(mail, {change("", 9)}));
}

TEST(FilteredHeader, each_edit_sees_what_the_former_left) {
  EXPECT_EQ("\nbody\n", edited("A: 1\n\nbody\n", {add("A", " 2"), remove(2), remove(1)}));
  EXPECT_EQ("A: 3\n\nbody\n", edited("A: 1\n\nbody\n", {remove(0), change(" 3", 1)}));
}

TEST(FilteredHeader, what_no_edit_touches_stays_octet_by_octet) {
  const std::string_view mail = "a :\t1 \n\tb\nB:\xFF\xC3\xA4\n \t\n  c\nC:\n\n\xFE\n\n";
  EXPECT_EQ("a :\t1 \n\tb\nB:\xFF\xC3\xA4\n \t\n  c\nC:\nX: 1\n\n\xFE\n\n", edited(mail, {add("X", " 1")}));
}

TEST(FilteredHeader, odd_messages_get_their_fields_without_harm) {
  const std::vector<HeaderEdit> one = {add("X", " 1")};
  EXPECT_EQ("X: 1\n", edited("", one));                            // nothing at all
  EXPECT_EQ("X: 1\n\n", edited("\n", one));                        // no header, and an empty body
  EXPECT_EQ("X: 1\n\nbody\n", edited("\nbody\n", one));            // no header
  EXPECT_EQ("A: 1\nX: 1\n", edited("A: 1\n", one));                // no body, and no empty line
  EXPECT_EQ("A: 1\nX: 1\n", edited("A: 1", one));                  // nor an end of the last line
  EXPECT_EQ("X: 1\n\nbody\nA: 1\n", edited("body\nA: 1\n", one));  // a body at once
  EXPECT_EQ("X: 1\n\nbody", edited("body", one));
  EXPECT_EQ("A: 1\nbody: \xE4\nX: 1\n", edited("A: 1\nbody: \xE4\n", one));  // what looks like a field is one
  EXPECT_EQ("X: 1\n\n folded from nothing\nA: 1\n", edited(" folded from nothing\nA: 1\n", one));
  EXPECT_EQ("A: 1\nX: 1\n\nnot a field\nB: 2\n\nbody\n", edited("A: 1\nnot a field\nB: 2\n\nbody\n", one));
  EXPECT_EQ("X: 1\n\n: no name\n", edited(": no name\n", one));
  EXPECT_EQ("X: 1\n\nA B: 2\n", edited("A B: 2\n", one));              // a blank inside a name
  EXPECT_EQ("X: 1\n\nA\xC3\xA4: 2\n", edited("A\xC3\xA4: 2\n", one));  // a name that is not ASCII
}

TEST(FilteredHeader, the_first_line_of_mbox_becomes_a_field) {
  EXPECT_EQ("X: 1\nX-Mailbox-Line: From a@b Mon Jan  1 00:00:00 2026\nA: 1\n\nbody\n",
            edited("From a@b Mon Jan  1 00:00:00 2026\nA: 1\n\nbody\n", {insert(0)}));
  EXPECT_EQ("X: 1\nX-Mailbox-Line: >From a@b\n\n no fold\n\nbody\n",
            edited(">From a@b\n no fold\n\nbody\n", {insert(0)}));
  EXPECT_EQ("A: 1\nX: 1\n\nFrom a@b\n", edited("A: 1\nFrom a@b\n", {add("X", " 1")}));  // not the first line
}

TEST(FilteredHeader, a_body_is_replaced_whole) {
  EXPECT_EQ("A: 1\n\nnew\n", edited("A: 1\n\nbody\nmore\n", Edits{.body = "new\n"}));
  EXPECT_EQ("A: 1\nX: 1\n\n", edited("A: 1\nbody\n", Edits{.header = {add("X", " 1")}, .body = ""}));
}

TEST(FilteredHeader, a_large_body_is_copied_whole) {
  const std::string body(std::size_t{3} * base::spool_memory_octets + 7, 'b');
  EXPECT_EQ("A: 1\nX: 1\n\n" + body, edited("A: 1\n\n" + body, {add("X", " 1")}));
  const std::string field = "A: " + std::string(base::spool_memory_octets + 9, 'a') + "\n";
  EXPECT_EQ(field + "X: 1\n\n" + body, edited(field + "\n" + body, {add("X", " 1")}));
}

TEST(FilteredHeader, what_is_no_field_is_never_written) {
  const std::string_view mail = "A: 1\n\nbody\n";
  for (const char* const name : {"", "A B", "A:", "A\n", "A\r", "\xC3\xA4", " A", "A\t"})
    EXPECT_EQ("[a field without a name that may be one]", edited(mail, {add(name, " 1")})) << name;
  for (const std::string& value :
       std::vector<std::string>{" 1\nB: 2", " 1\n", " 1\n\n b", " 1\n \n b", " 1\r", std::string(" \0", 2)})
    EXPECT_EQ("[a value that is none: X]", edited(mail, {add("X", value)})) << value;
  EXPECT_EQ("[a value that is none: X]", edited(mail, {add("Y", " fine"), add("X", "\n")}));  // all or none
}

TEST(FilteredHeader, is_bounded) {
  std::vector<HeaderEdit> many(spec::max_filter_edits, add("X", " 1"));
  EXPECT_TRUE(edited("A: 1\n\n", many).starts_with("A: 1\n"));
  many.push_back(add("X", " 1"));
  EXPECT_EQ("[more edits than one filter may make]", edited("A: 1\n\n", many));
  EXPECT_EQ("[the header that it makes is too large]",
            edited("A: 1\n\n", {add("X", std::string(spec::max_filter_header_octets, 'x'))}));
  std::string fields;
  for (std::size_t i = 0; i < spec::max_filter_header_fields; ++i) fields += "A: 1\n";
  EXPECT_EQ("[the header that it makes is too large]", edited(fields + "\n", {add("X", " 1")}));
  EXPECT_TRUE(Header::read(spool(fields + "\n")));
  EXPECT_FALSE(Header::read(spool(fields + "A: 1\n\n")));
  EXPECT_TRUE(Header::read(spool("A:" + std::string(spec::max_filter_header_octets - 3, 'a') + "\n\n")));
  EXPECT_FALSE(Header::read(spool("A:" + std::string(spec::max_filter_header_octets - 2, 'a') + "\n\n")));
  EXPECT_FALSE(Header::read(spool("A:" + std::string(2 * spec::max_filter_header_octets, 'a'))));
}

TEST(FilteredEnvelope, is_changed_with_the_header_or_not_at_all) {
  FilterEnvelope envelope{.reverse_path = "a@b.example", .forward_paths = {"c@d.example", "E@f.example"}};
  EXPECT_EQ("\n", edited("\n",
                         Edits{.reverse_path = "",
                               .more_recipients = {"g@h.example", "C@D.example"},
                               .fewer_recipients = {"e@F.example"}},
                         &envelope));
  EXPECT_EQ("", envelope.reverse_path);
  EXPECT_EQ((std::vector<std::string>{"c@d.example", "g@h.example"}), envelope.forward_paths);
  for (const std::string& path :
       std::vector<std::string>{"", "a\nb", "<a@b>", std::string("a\0b", 3), std::string(900, 'a')})
    EXPECT_EQ("[a recipient that is none]",
              edited("\n", Edits{.reverse_path = "x@y.example", .more_recipients = {path}}, &envelope));
  EXPECT_EQ("[a reverse-path that is none]", edited("\n", Edits{.reverse_path = "a>b"}, &envelope));
  EXPECT_EQ("[a value that is none: X]",
            edited("\n", Edits{.header = {add("X", "\n")}, .reverse_path = "x@y.example"}, &envelope));
  EXPECT_EQ("", envelope.reverse_path);
}

}  // namespace
}  // namespace postern::filter
