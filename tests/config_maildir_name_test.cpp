#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "config/maildir_name.hpp"

namespace postern::config {
namespace {

TEST(MailboxPath, stays_below_the_root) {
  const auto path = [](std::string_view forward_path) { return mailbox_path(forward_path, "Default.Example"); };
  EXPECT_EQ(path("../../etc@.."), "%2E./%2E.%2F..%2Fetc");
  EXPECT_EQ(path(".@."), "%2E/%2E");
  EXPECT_EQ(path("/@example.com"), "example.com/%2F");
  EXPECT_EQ(path(".tmp@example.com"), "example.com/%2Etmp");
  EXPECT_EQ(path("USER+Tag@Example.Com"), "example.com/user+tag");
  EXPECT_EQ(path("100%@example.com"), "example.com/100%25");
  EXPECT_EQ(path("a@b@example.com"), "example.com/a%40b");
  EXPECT_EQ(path("caf\xc3\xa9@[192.0.2.1]"), "%5B192.0.2.1%5D/caf%C3%A9");
  EXPECT_EQ(path("@example.com"), "example.com/%");
  EXPECT_EQ(path("Postmaster"), "default.example/postmaster");  // RFC 5321 4.1.1.3
  EXPECT_EQ(path("postmaster@"), "default.example/postmaster");
}

TEST(MailboxPath, goes_on_in_another_folder_when_it_gets_long) {
  const std::string full(max_name_octets, 'x');
  EXPECT_EQ(encode_name(full), full);
  EXPECT_EQ(encode_name(full + "y"), full + "%/y");
  EXPECT_EQ(encode_name(full + ".."), full + "%/%2E.");
  EXPECT_EQ(encode_name(full + full + "/"), full + "%/" + full + "%/%2F");
}

}  // namespace
}  // namespace postern::config
