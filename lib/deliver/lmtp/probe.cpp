#include "deliver/lmtp/probe.hpp"

#include <array>

#include "spec/limits.hpp"

namespace postern::deliver {
namespace {

using spec::Event;

RecipientStanding unknowable(std::string_view cluster, const std::string& what) {
  return {.trouble =
              "mail cluster " + std::string(cluster) + ": " + what + ": whether it has a mailbox cannot be known"};
}

std::string words_of(const LmtpReply& reply) {
  return std::to_string(reply.code) + (reply.text.empty() ? "" : " ") + printable_line(reply.text);
}

std::string answered(const LmtpReply& reply, std::string_view stage) {
  return "answered " + words_of(reply) + ", at " + std::string(stage);
}

}  // namespace

RecipientStanding standing_of(const LmtpResult& result, std::string_view cluster) {
  if (result.of_all.code != 0) return unknowable(cluster, answered(result.of_all, "MAIL"));
  const LmtpReply reply = result.of_each.empty() ? LmtpReply{} : result.of_each.front();
  if (reply.is_temporary()) {
    RecipientStanding standing = unknowable(cluster, answered(reply, "RCPT"));
    standing.is_deferred = true;
    return standing;
  }
  if (result.trouble) {
    using Kind = LmtpTrouble::Kind;
    const bool has_connection = result.trouble->kind != Kind::unreachable && result.trouble->kind != Kind::crowded;
    return unknowable(cluster, describe(*result.trouble) + (has_connection ? ", at " + std::string(result.stage) : ""));
  }
  if (reply.is_positive()) return {.event = Event::recipient_ours};
  if (reply.is_permanent()) return {.event = Event::recipient_unknown, .words = words_of(reply)};
  return unknowable(cluster, "no answer");
}

RecipientStanding standing_of_no_path(std::string_view cluster) {
  return unknowable(cluster, "a recipient that RCPT cannot name");
}

RecipientStanding probe_by_waiting(LmtpCluster& cluster, std::string_view recipient) {
  const LmtpSettings& settings = cluster.settings();
  const std::array<std::string, 1> forward_paths{forward_path_of(settings, recipient)};
  if (forward_paths.front().empty()) return standing_of_no_path(settings.address.text);
  const LmtpMail probe{.reverse_path = {}, .forward_paths = forward_paths, .message = nullptr};
  return standing_of(cluster.transact(probe, base::after_seconds(spec::max_probe_seconds)), settings.address.text);
}

}  // namespace postern::deliver
