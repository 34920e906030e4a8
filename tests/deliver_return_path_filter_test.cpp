#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "deliver/return_path_filter.hpp"

// RFC 5321 4.4; RFC 5322 2.2, 2.2.3, 4.5.7
namespace postern::deliver {
namespace {

// In two pieces, cut there.
std::string passed(std::string_view text, std::size_t cut) {
  ReturnPathFilter filter;
  std::string kept;
  const auto keep = [&](std::string_view octets) { kept += octets; };
  filter.pass(text.substr(0, cut), keep);
  filter.pass(text.substr(cut), keep);
  filter.finish(keep);
  return kept;
}

std::string octet_by_octet(std::string_view text) {
  ReturnPathFilter filter;
  std::string kept;
  const auto keep = [&](std::string_view octets) { kept += octets; };
  for (std::size_t i = 0; i < text.size(); ++i) filter.pass(text.substr(i, 1), keep);
  filter.finish(keep);
  return kept;
}

void expect(std::string_view text, std::string_view wanted) {
  for (std::size_t cut = 0; cut <= text.size(); ++cut) EXPECT_EQ(passed(text, cut), wanted) << cut << " in " << text;
  EXPECT_EQ(octet_by_octet(text), wanted) << text;
}

TEST(ReturnPathFilter, leaves_out_the_field_wherever_it_stands_in_the_header) {
  expect("Return-Path: <a@b>\nSubject: x\n\nbody\n", "Subject: x\n\nbody\n");
  expect("Subject: x\nReturn-Path: <a@b>\n\nbody\n", "Subject: x\n\nbody\n");
  expect("A: 1\nreturn-PATH \t:<a@b>\nB: 2\nRETURN-PATH:\nC: 3\n\n", "A: 1\nB: 2\nC: 3\n\n");
}

TEST(ReturnPathFilter, leaves_out_its_folded_lines_too) {
  expect("A: 1\n more\nReturn-Path:\n <a@b>\n\t(x)\nB: 2\n\n", "A: 1\n more\nB: 2\n\n");
  expect("Return-Path: <a@b>\n <c@d>", "");
}

TEST(ReturnPathFilter, keeps_every_other_octet) {
  for (const char* text : {"", "\n", "Received: x\nReturn-Receipt: y\nRe: z\n\nr\n", "Return-Path", "Return-Path x\n\n",
                           "Return-Pathological: x\n\n", "X-Return-Path: <a>\n\n", "\nReturn-Path: <a@b>\n",
                           "A: 1\n\nReturn-Path: <a@b>\n Return-Path: <c@d>\n", "A: 1\n Return-Path: <a@b>\n\n"})
    expect(text, text);
}

// As where the last piece and the end are written together.
TEST(ReturnPathFilter, what_the_last_piece_kept_is_there_still_when_the_message_is_over) {
  ReturnPathFilter filter;
  std::vector<std::string_view> kept;
  const auto keep = [&](std::string_view octets) { kept.push_back(octets); };
  filter.pass("Return", keep);
  EXPECT_TRUE(kept.empty());
  filter.pass("-Receipt: a line that is too long for the string itself\nReturn-P", keep);
  filter.finish(keep);
  std::string all;
  for (const std::string_view each : kept) all += each;
  EXPECT_EQ(all, "Return-Receipt: a line that is too long for the string itself\nReturn-P");
}

}  // namespace
}  // namespace postern::deliver
