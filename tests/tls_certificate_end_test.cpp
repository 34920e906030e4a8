// spec/limits.hpp: certificate_warning_days; RFC 5280 4.1.2.5.
#include <gtest/gtest.h>

#include "tls/certificate_end.hpp"

namespace postern::tls {
namespace {

constexpr std::int64_t day = 86400, now = 20'000 * day;  // 2024-10-04

CertificateEnd end_of(int days_old, int days_left) {
  return {.file = "x.pem", .begins_seconds = now - days_old * day, .ends_seconds = now + days_left * day};
}

TEST(CertificateEnd, is_said_with_date_and_days) {
  EXPECT_EQ("x.pem: the certificate ends on 2024-12-03, in 60 days", describe(end_of(30, 60), now));
  EXPECT_EQ("x.pem: the certificate ends on 2024-10-05, in 1 day: renew it", describe(end_of(89, 1), now));
  EXPECT_EQ("x.pem: the certificate expired on 2024-10-03: renew it", describe(end_of(89, -1), now));
}

TEST(CertificateEnd, two_weeks_and_a_third_of_its_life_are_enough_to_renew_it) {
  EXPECT_FALSE(is_to_be_renewed(end_of(76, 14), now));
  EXPECT_TRUE(is_to_be_renewed(end_of(77, 13), now));
  EXPECT_FALSE(is_to_be_renewed(end_of(3, 3), now)) << "one that is made for six days";
  EXPECT_TRUE(is_to_be_renewed(end_of(5, 1), now));
  EXPECT_TRUE(is_to_be_renewed(end_of(5, -1), now));
}

}  // namespace
}  // namespace postern::tls
