// What tests of the hand-over by LMTP share: a cluster that does as told, a pool that knows it, and a message.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "config/lmtp_address.hpp"
#include "deliver/lmtp/lmtp.hpp"
#include "spec/policy_row.hpp"
#include "tests/lmtp_cluster.hpp"

namespace postern::deliver {

using Result = Outcome::Result;
using Strings = std::vector<std::string>;

inline const std::string message = "Subject: t\n\nhello\n";

inline std::string envelope_for(const Strings& forward_paths, const std::string& reverse_path = "me@client.example") {
  std::string octets = 'F' + reverse_path + '\0';
  for (const std::string& forward_path : forward_paths) octets += 'T' + forward_path + '\0';
  return octets + '\0';
}

// A busy machine may be slow; who tests silence is not as patient.
inline constexpr LmtpTimeouts patient{.connect_seconds = 10, .reply_seconds = 10, .delivery_seconds = 10};
inline constexpr LmtpTimeouts impatient{.connect_seconds = 1, .reply_seconds = 1, .delivery_seconds = 1};

inline LmtpSettings settings_for(const std::string& address, LmtpTimeouts timeouts = patient) {
  return {.address = config::parse_lmtp_address(address).value(),
          .host = "mx.example.org",
          .default_domain = "example.org",
          .file_folder = ::testing::TempDir(),
          .timeouts = timeouts};
}

inline Outcome deliver(LmtpPool& pool, const Strings& forward_paths = {"a@x.example"},
                       const std::string& mail = message) {
  Lmtp lmtp(pool);
  lmtp.begin({}, "Received: x\n", "me@client.example");
  return lmtp.finish(mail, envelope_for(forward_paths));
}

struct Meeting {
  explicit Meeting(std::vector<Manner> manners, LmtpTimeouts timeouts = patient)
      : cluster(std::move(manners)), pool(settings_for(cluster.address(), timeouts)) {}

  [[nodiscard]] Outcome deliver(const Strings& forward_paths = {"a@x.example"}, const std::string& mail = message) {
    return deliver::deliver(pool, forward_paths, mail);
  }

  Cluster cluster;
  LmtpPool pool;
};

inline void expect_deferred(const Outcome& outcome, spec::HandOverText text) {
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, spec::text_of(text));
  EXPECT_FALSE(outcome.cause.empty());
}

inline Manner with_rcpt(Strings replies) { return {.rcpt = std::move(replies)}; }
inline Manner with_delivery(Strings replies) { return {.delivery = std::move(replies)}; }

}  // namespace postern::deliver
