// What mail clusters say of recipients, asked over connections of one loop, where it is not known (limits/known_recipients.hpp). An equal
// question that is on its way is asked once.
// in      a cluster, a recipient as it is kept, who waits for the answer
// out     the answer at once, where it is known or cannot be had; else each who waits hears it later, in a turn of the loop
// bounds  spec::max_probe_connections to one cluster and max_probe_waiting recipients beyond them, each for max_probe_seconds; an
//         address that no class names any more keeps an empty pool. Deliveries have connections of their own (deliver/lmtp_loop.hpp)
// lives   until nobody waits, and so do clusters that are asked; all on the loop's thread
// errors  in the RecipientStanding; std::bad_alloc from ask()
// source  docs/decisions/0013-outbound.md, 0021-ask-the-mail-cluster.md
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "deliver/lmtp/probe.hpp"
#include "limits/known_recipients.hpp"
#include "loop/outbound_pool.hpp"

namespace postern::server {

class RecipientProbes {
 public:
  class Asker {
   public:
    Asker() = default;
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;
    virtual ~Asker() = default;
    // Once. It may ask again.
    virtual void hear(const limits::RecipientStanding& standing) = 0;
  };

  explicit RecipientProbes(loop::Loop& loop);
  RecipientProbes(const RecipientProbes&) = delete;
  RecipientProbes& operator=(const RecipientProbes&) = delete;
  ~RecipientProbes();

  // None: `asker` is kept, and hears it later.
  [[nodiscard]] std::optional<limits::RecipientStanding> ask(deliver::LmtpCluster& cluster, std::string_view recipient,
                                                             std::unique_ptr<Asker>& asker);

 private:
  struct Way;
  class Probe;
  using Mark = limits::KnownRecipients::Mark;

  [[nodiscard]] Way& way_to(const deliver::LmtpSettings& cluster);
  void end(Probe& probe, const limits::RecipientStanding& standing);

  loop::Loop& loop_;
  std::vector<std::unique_ptr<Way>> ways_;
  std::vector<std::unique_ptr<Probe>> probes_;  // on their way
};

}  // namespace postern::server
