// Paths of the envelope on the wire: RFC 5321 4.1.2.
#include <gtest/gtest.h>

#include "base/angle_path.hpp"

namespace postern::base {
namespace {

TEST(AnglePath, a_local_part_is_quoted_where_it_must_be_and_read_again) {
  for (const auto& [path, written] : {std::pair{"", ""},
                                      {"user@example.org", "user@example.org"},
                                      {"postmaster", "postmaster"},
                                      {"us er@example.org", "\"us er\"@example.org"},
                                      {"x@trusted.example> @evil.example", "\"x@trusted.example> \"@evil.example"},
                                      {"a@b@example.org", "\"a@b\"@example.org"},
                                      {"a\"\\b@example.org", "\"a\\\"\\\\b\"@example.org"},
                                      {"@example.org", "\"\"@example.org"}}) {
    EXPECT_EQ(written, written_path(path));
    EXPECT_EQ('<' + std::string(written) + '>', angle_path(path));
    EXPECT_EQ(path, path_of(written));
    EXPECT_EQ(path, path_of(angle_path(path)));
  }
}

TEST(AnglePath, what_is_no_quoted_string_stays_as_it_is) {
  EXPECT_EQ("\"no end@example.org", path_of("\"no end@example.org"));
  EXPECT_EQ("a\"b\"@example.org", path_of("a\"b\"@example.org"));
  EXPECT_EQ("\"", path_of("\""));
  EXPECT_EQ("\"\\", path_of("\"\\"));
}

TEST(AnglePath, a_control_octet_is_no_part_of_a_line) { EXPECT_EQ("<\"a??b\"@c>", angle_path("a\r\nb@c")); }

}  // namespace
}  // namespace postern::base
