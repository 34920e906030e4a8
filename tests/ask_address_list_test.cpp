#include <gtest/gtest.h>

#include "ask/address_list.hpp"
#include "tests/daemon_home.hpp"

namespace postern::ask {
namespace {

using Listing = AddressList::Listing;

TEST(AddressListTest, an_address_or_its_host_is_listed) {
  const tests::Home home;
  home.write("control/badmailfrom", "# refuse\nspammer@bad.example\n@worse.example\n\n");
  AddressList list("badmailfrom");
  const std::pair<const char*, Listing> cases[] = {
      {"spammer@bad.example", Listing::listed},       {"SPAMMER@BAD.Example", Listing::listed},
      {"other@bad.example", Listing::unlisted},       {"anyone@worse.example", Listing::listed},
      {"anyone@WORSE.example", Listing::listed},      {"anyone@a.worse.example", Listing::unlisted},
      {"anyone@notworse.example", Listing::unlisted}, {"", Listing::unlisted},
      {"worse.example", Listing::unlisted},           {"\"a@b\"@worse.example", Listing::listed},
  };
  for (const auto& [address, listing] : cases) EXPECT_EQ(listing, list.listing_of(address)) << address;
}

TEST(AddressListTest, without_a_file_nobody_is_listed) {
  const tests::Home home;
  AddressList list("badmailfrom");
  EXPECT_EQ(Listing::unlisted, list.listing_of("spammer@bad.example"));
}

TEST(AddressListTest, what_cannot_be_read_is_unknowable) {
  const tests::Home home;
  home.write_unreadable("control/badmailfrom");
  AddressList list("badmailfrom");
  EXPECT_EQ(Listing::unknowable, list.listing_of("spammer@bad.example"));
  EXPECT_EQ("control/badmailfrom: cannot be read: Is a directory", list.problem());
}

}  // namespace
}  // namespace postern::ask
