#include "server/recipient_probes.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <string>
#include <utility>

namespace postern::server {
namespace {

using Pool = loop::OutboundPool<deliver::LmtpConversation>;
constexpr std::size_t most_idle = 2;

loop::OutboundSettings settings_for(const base::SocketAddress& cluster) {
  return {.addresses = {cluster},
          .connect_patience = std::chrono::seconds(spec::max_probe_seconds),
          .max_in_flight = spec::max_probe_connections,
          .max_waiting = spec::max_probe_waiting,
          .max_idle = most_idle};
}

}  // namespace

// To one mail cluster, under one name of ours.
struct RecipientProbes::Way {
  Way(loop::Loop& loop, const deliver::LmtpSettings& cluster)
      : address(cluster.address.text), host(cluster.host), pool(loop, settings_for(cluster.address), [this] {
          return std::make_unique<deliver::LmtpConversation>(host, timeouts);
        }) {}

  std::string address, host;
  deliver::LmtpTimeouts timeouts{.reply_seconds = spec::max_probe_seconds};
  Pool pool;
};

class RecipientProbes::Probe final : public loop::OutboundRequest<deliver::LmtpConversation> {
 public:
  Probe(RecipientProbes& probes, deliver::LmtpCluster& its_cluster, std::string forward_path, const Mark& its_mark)
      : cluster(its_cluster), mark(its_mark), probes_(probes), forward_paths_{std::move(forward_path)} {}

  void begin(deliver::LmtpConversation& conversation, base::Time now) override {
    conversation.begin({.reverse_path = {}, .forward_paths = forward_paths_, .message = nullptr}, now);
  }
  void ended(deliver::LmtpConversation& conversation) override {
    probes_.end(*this, standing_in(conversation.take_result()));
  }
  void failed(const base::StreamFailure& failure) override { probes_.end(*this, standing_after(failure)); }

  [[nodiscard]] limits::RecipientStanding standing_after(const base::StreamFailure& failure) const {
    return standing_in({.trouble = deliver::trouble_of(failure)});
  }

  deliver::LmtpCluster& cluster;
  const Mark mark;
  std::vector<std::unique_ptr<Asker>> askers;

 private:
  [[nodiscard]] limits::RecipientStanding standing_in(const deliver::LmtpResult& result) const try {
    return deliver::standing_of(result, cluster.settings().address.text);
  } catch (const std::bad_alloc&) {
    return {};
  }

  RecipientProbes& probes_;
  std::vector<std::string> forward_paths_;
};

RecipientProbes::RecipientProbes(loop::Loop& loop) : loop_(loop) {}

RecipientProbes::~RecipientProbes() = default;

RecipientProbes::Way& RecipientProbes::way_to(const deliver::LmtpSettings& cluster) {
  const auto known = std::ranges::find_if(ways_, [&](const std::unique_ptr<Way>& way) {
    return way->address == cluster.address.text && way->host == cluster.host;
  });
  return known != ways_.end() ? **known : *ways_.emplace_back(std::make_unique<Way>(loop_, cluster));
}

std::optional<limits::RecipientStanding> RecipientProbes::ask(deliver::LmtpCluster& cluster, std::string_view recipient,
                                                              std::unique_ptr<Asker>& asker) {
  const deliver::LmtpSettings& settings = cluster.settings();
  std::string forward_path = deliver::forward_path_of(settings, recipient);
  if (forward_path.empty()) return deliver::standing_of_no_path(settings.address.text);
  const Mark mark = cluster.known().mark_of(forward_path);
  if (const auto said = cluster.known().find(mark, loop_.now())) return limits::RecipientStanding{.event = *said};
  const auto equal = std::ranges::find_if(
      probes_, [&](const auto& probe) { return &probe->cluster == &cluster && probe->mark == mark; });
  if (equal != probes_.end()) {
    (*equal)->askers.push_back(std::move(asker));
    return std::nullopt;
  }
  Way& way = way_to(settings);
  auto made = std::make_unique<Probe>(*this, cluster, std::move(forward_path), mark);
  made->askers.push_back(std::move(asker));
  Probe& probe = *probes_.emplace_back(std::move(made));  // whole, for equal questions join it
  const auto failure = way.pool.submit(probe, std::chrono::seconds(spec::max_probe_seconds));
  if (!failure) return std::nullopt;
  limits::RecipientStanding standing = probe.standing_after(*failure);
  std::erase_if(probes_, [&](const auto& each) { return each.get() == &probe; });
  return standing;
}

// It is on its way no more when those who hear ask again.
void RecipientProbes::end(Probe& probe, const limits::RecipientStanding& standing) {
  const auto found = std::ranges::find_if(probes_, [&](const auto& each) { return each.get() == &probe; });
  const std::unique_ptr<Probe> ended = std::move(*found);
  probes_.erase(found);
  ended->cluster.known().keep(ended->mark, standing.event, loop_.now());
  for (const std::unique_ptr<Asker>& asker : ended->askers) asker->hear(standing);
}

}  // namespace postern::server
