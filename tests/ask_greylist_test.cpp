// RFC 6647 5: about whom a greylist is asked.
#include <gtest/gtest.h>

#include "ask/greylist.hpp"

namespace postern::ask {
namespace {

using spec::Event;
namespace bit = spec::bit;

TEST(Greylisting, is_of_recipients_that_all_else_would_take_of_strangers_alone) {
  config::Start start;
  start.greylist_seconds = 300;
  const engine::LoneSession stranger({.settings_and_facts = {}, .host = "mx.example.org"});
  const engine::LoneSession relays({.settings_and_facts = {bit::relay_client}, .host = "mx.example.org"});
  for (std::size_t i = 0; i < spec::event_count; ++i) {
    const auto event = static_cast<Event>(i);
    const Finding finding{.answer = {event, "user@ours.example"}};
    EXPECT_EQ(event == Event::recipient_ours, asks_greylist(finding, start, stranger)) << spec::name_of(event);
    EXPECT_FALSE(asks_greylist(finding, start, relays)) << spec::name_of(event);
    EXPECT_FALSE(asks_greylist(finding, config::Start{}, stranger)) << spec::name_of(event);
  }
}

TEST(Greylisting, is_not_of_private_addresses_nor_of_good_senders) {
  const auto address = [](std::string_view text) { return base::parse_address(text).value(); };
  EXPECT_TRUE(may_be_greylisted(address("192.0.2.1"), nullptr));
  EXPECT_TRUE(may_be_greylisted(address("2001:db8::1"), nullptr));
  for (const std::string_view text :
       {"127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"})
    EXPECT_FALSE(may_be_greylisted(address(text), nullptr)) << text;
  for (const int score : {-3, -1, 0, 1}) {
    const DnsVerdict verdict{.score = score};
    EXPECT_EQ(score >= 0, may_be_greylisted(address("192.0.2.1"), &verdict)) << score;
  }
}

}  // namespace
}  // namespace postern::ask
