// Random sessions, mostly of valid SMTP: every law at every step, and cuts that change nothing.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "testing/script.hpp"

namespace postern::proptests {
namespace {

using spec::Event;
using testing::AfterStarttls;
using testing::Cut;
namespace bit = spec::bit;

rc::Gen<std::string> line_of_a_client() {
  const auto usual = rc::gen::element<std::string>(
      "EHLO c.example\r\n", "HELO c.example\r\n", "MAIL FROM:<a@b.example>\r\n", "MAIL FROM:<>\r\n",
      "MAIL FROM:<a@b.example> SIZE=30 BODY=8BITMIME\r\n", "RCPT TO:<c@d.example>\r\n", "RCPT TO:<c@d.example>\r\n",
      "DATA\r\n", "DATA\r\n", "Subject: x\r\n\r\n..dot\r\n.\r\n", ".\r\n", "RSET\r\n", "NOOP\r\n", "VRFY x\r\n",
      "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", "AUTH PLAIN\r\n", "AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n",
      "AUTH LOGIN\r\n", "AUTH LOGIN dGlt\r\n", "dGlt\r\n", "STARTTLS\r\n");
  const auto odd = rc::gen::element<std::string>(
      "QUIT\r\n", "*\r\n", "AUTH CRAM-MD5\r\n", "AUTH PLAIN =\r\n", "STARTTLS x\r\n", "HELP\r\n", "EXPN x\r\n",
      "XYZZY\r\n", "MAIL FROM:<a@b.example> SIZE=999999999999999999999\r\n", "MAIL FROM:a@\r\n", "RCPT TO:<c@d\r\n",
      "NOOP\n", "\r\n.\n", "\n.\r\n", "\r.\r\n", "NOOP \r\r\n", "MAIL FROM:<a@b.example>\t\r\n", "\r\n",
      "Received: x\r\n");
  const auto junk =
      rc::gen::map(rc::gen::pair(rc::gen::arbitrary<std::string>(), rc::gen::element<std::string>("", "\r\n")),
                   [](const auto& both) { return both.first + both.second; });
  const auto long_line = rc::gen::map(rc::gen::inRange(2000, 14000), [](int octets) {
    return "NOOP " + std::string(static_cast<std::size_t>(octets), 'a') + "\r\n";
  });
  return rc::gen::weightedOneOf<std::string>({{20, usual}, {5, odd}, {2, junk}, {1, long_line}});
}

rc::Gen<testing::Part> part_of_a_session() {
  const auto nothing = rc::gen::just(std::optional<Event>());
  const auto event = rc::gen::element<std::optional<Event>>(Event::handshake_done, Event::handshake_done,
                                                            Event::handshake_done, Event::handshake_failed);
  const auto end = rc::gen::element<std::optional<Event>>(Event::timeout, Event::eof, Event::too_slow,
                                                          Event::shutting_down, Event::exhausted);
  return rc::gen::map(
      rc::gen::pair(rc::gen::resize(12, rc::gen::container<std::vector<std::string>>(line_of_a_client())),
                    rc::gen::weightedOneOf<std::optional<Event>>({{2, nothing}, {12, event}, {1, end}})),
      [](const std::pair<std::vector<std::string>, std::optional<Event>>& both) {
        testing::Part part{.octets = {}, .then = both.second};
        for (const std::string& line : both.first) part.octets += line;
        return part;
      });
}

// Settings that are refused at the start make short sessions: most have the means to go on.
rc::Gen<spec::Guards> settings_and_facts() {
  return rc::gen::map(rc::gen::pair(rc::gen::arbitrary<std::uint16_t>(), rc::gen::inRange(0, 4)), [](const auto& both) {
    constexpr std::array all = {bit::SSL,          bit::FORCE_TLS,           bit::DENY_TLS,    bit::AUTH,
                                bit::REQUIRE_AUTH, bit::ALLOW_INSECURE_AUTH, bit::certificate, bit::backend,
                                bit::relay_client, bit::local_only};
    spec::Guards guards;
    for (std::size_t i = 0; i < all.size(); ++i) guards.set(all[i], (both.first >> i & 1) != 0);
    if (both.second != 0) guards.bits = (guards.bits | bit::certificate | bit::AUTH | bit::backend) & ~bit::DENY_TLS;
    return guards;
  });
}

rc::Gen<testing::Script> scripts() {
  return rc::gen::build<testing::Script>(
      rc::gen::set(&testing::Script::settings_and_facts, settings_and_facts()),
      rc::gen::set(&testing::Script::databytes, rc::gen::elementOf(std::vector<std::uint64_t>{0, 0, 10, 1000})),
      rc::gen::set(&testing::Script::has_room, rc::gen::elementOf(std::vector<bool>{true, true, false})),
      rc::gen::set(&testing::Script::asks_at_data, rc::gen::elementOf(std::vector<bool>{false, false, true})),
      rc::gen::set(&testing::Script::max_recipients,
                   rc::gen::elementOf(std::vector<std::size_t>{spec::max_recipients, 1, 2})),
      rc::gen::set(&testing::Script::fates, rc::gen::arbitrary<std::vector<std::uint8_t>>()),
      rc::gen::set(&testing::Script::parts,
                   rc::gen::resize(8, rc::gen::container<std::vector<testing::Part>>(part_of_a_session()))));
}

std::string told(const testing::Script& script, const testing::Replay& wanted, const testing::Replay& found) {
  std::string text = "settings and facts " + std::to_string(script.settings_and_facts.bits) + "\n";
  for (const testing::Part& part : script.parts) {
    text += "C| " + audit::escaped(part.octets) + "\n";
    if (part.then) text += "= " + std::string(spec::name_of(*part.then)) + "\n";
  }
  return text + testing::difference(testing::lines_of(wanted), testing::lines_of(found));
}

const testing::Judge& judge() {
  static const testing::Judge judge(POSTERN_SOURCE_FOLDER "/spec");
  return judge;
}

testing::Played play_whole(const testing::Script& script) {
  return testing::play(judge(), script, {}, AfterStarttls::same_session);
}

void expect_same(const testing::Script& script, Cut cut, AfterStarttls after_starttls) {
  const testing::Played whole = play_whole(script);
  const testing::Played other = testing::play(judge(), script, cut, after_starttls);
  if (!(other.replay == whole.replay)) RC_FAIL(told(script, whole.replay, other.replay));
  RC_ASSERT(other.broken_law == "");
}

RC_GTEST_PROP(RandomSession, keeps_every_law, ()) {
  const testing::Script script = *scripts();
  const testing::Played played = play_whole(script);
  RC_TAG(played.replay.decisions.size() < 3    ? "refused or silent"
         : played.replay.decisions.size() < 20 ? "short"
                                               : "long");
  if (!played.broken_law.empty()) RC_FAIL(played.broken_law + " \n" + told(script, played.replay, {}));
  RC_ASSERT(played.replay.problem == "");
}

RC_GTEST_PROP(RandomSession, is_the_same_cut_anywhere, ()) {
  const testing::Script script = *scripts();
  expect_same(script, {Cut::How::in_two, *rc::gen::inRange<std::size_t>(1, 4000)}, AfterStarttls::same_session);
}

RC_GTEST_PROP(RandomSession, is_the_same_in_pieces_of_any_size, ()) {
  const testing::Script script = *scripts();
  expect_same(script, {Cut::How::in_pieces, *rc::gen::elementOf(std::vector<std::size_t>{1, 2, 3, 5, 17, 64, 1460})},
              AfterStarttls::same_session);
}

RC_GTEST_PROP(RandomSession, is_the_same_when_another_process_serves_after_starttls, ()) {
  const testing::Script script = *scripts();
  expect_same(script, {Cut::How::in_pieces, 100}, AfterStarttls::sibling);
}

}  // namespace
}  // namespace postern::proptests
