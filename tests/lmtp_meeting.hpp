// What tests of the hand-over by LMTP share: a cluster that follows a script, a way to it, and a message.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/lmtp_address.hpp"
#include "deliver/lmtp/lmtp.hpp"
#include "deliver/lmtp_loop.hpp"
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

// A busy machine may be slow; a test of silence is not as patient.
inline constexpr LmtpTimeouts patient{.connect_seconds = 10, .reply_seconds = 10, .delivery_seconds = 10};
inline constexpr LmtpTimeouts impatient{.connect_seconds = 1, .reply_seconds = 1, .delivery_seconds = 1};

inline LmtpSettings settings_for(const std::string& address, LmtpTimeouts timeouts = patient) {
  return {.address = config::parse_lmtp_address(address).value(),
          .host = "mx.example.org",
          .default_domain = "example.org",
          .file_folder = ::testing::TempDir(),
          .timeouts = timeouts};
}

// What hands over: a process that waits, or one loop for many. Both say the same.
enum class By : std::uint8_t { waiting, loop };

// A way to one cluster.
struct Way {
  explicit Way(LmtpSettings settings, By by = ::testing::WithParamInterface<By>::GetParam(),
               unsigned max_in_flight = 32)
      : cluster(std::move(settings)) {
    if (by == By::loop) loop.emplace(cluster, max_in_flight);
  }
  LmtpCluster cluster;
  std::optional<LmtpLoop> loop;
};

class SentJob final : public StoreJob {
 public:
  SentJob(loop::Loop& loop, Outcome& into) : StoreJob(loop, Goal::finish), into_(into) {}
  void done() override {
    into_ = std::move(outcome);
    loop().stop();
  }

 private:
  Outcome& into_;
};

// One message after the other over a way.
class Sending {
 public:
  explicit Sending(Way& way) : way_(way) {}

  void begin(MessageId id, std::string_view received, std::string_view reverse_path) {
    message_ = std::make_unique<Lmtp>(way_.cluster);
    message_->begin(id, received, reverse_path);
  }
  void append(std::string_view octets) { message_->append(octets); }
  void abandon() { message_.reset(); }
  [[nodiscard]] Outcome finish(std::string_view octets, const std::string& envelope) {
    if (message_ == nullptr) message_ = std::make_unique<Lmtp>(way_.cluster);
    auto whole = std::move(message_);
    return way_.loop ? finish_by_loop(std::move(whole), octets, envelope) : whole->finish(octets, envelope);
  }

 private:
  [[nodiscard]] Outcome finish_by_loop(std::unique_ptr<Lmtp> whole, std::string_view octets,
                                       const std::string& envelope) {
    Outcome outcome{};
    const auto loop = loop::Loop::make().value();
    auto job = std::make_unique<SentJob>(*loop, outcome);
    job->message = std::move(whole);
    job->buffer.append(octets);
    job->envelope = envelope;
    way_.loop->submit(std::move(job));
    loop->run();
    return outcome;
  }

  Way& way_;
  std::unique_ptr<Lmtp> message_;
};

inline Outcome deliver(Way& way, const Strings& forward_paths = {"a@x.example"}, const std::string& mail = message) {
  Sending sending(way);
  sending.begin({}, "Received: x\n", "me@client.example");
  return sending.finish(mail, envelope_for(forward_paths));
}

struct Meeting {
  explicit Meeting(std::vector<Manner> manners, LmtpTimeouts timeouts = patient)
      : cluster(std::move(manners)), way(settings_for(cluster.address(), timeouts)) {}

  [[nodiscard]] Outcome deliver(const Strings& forward_paths = {"a@x.example"}, const std::string& mail = message) {
    return deliver::deliver(way, forward_paths, mail);
  }

  Cluster cluster;
  Way way;
};

inline const auto both_ways = ::testing::Values(By::waiting, By::loop);
inline std::string name_of(const ::testing::TestParamInfo<By>& by) {
  return by.param == By::waiting ? "waiting" : "loop";
}

inline void expect_deferred(const Outcome& outcome, spec::HandOverText text) {
  EXPECT_EQ(outcome.result, Result::deferred);
  EXPECT_EQ(outcome.verdict, spec::text_of(text));
  EXPECT_FALSE(outcome.cause.empty());
}

inline Manner with_rcpt(Strings replies) { return {.rcpt = std::move(replies)}; }
inline Manner with_delivery(Strings replies) { return {.delivery = std::move(replies)}; }

}  // namespace postern::deliver
