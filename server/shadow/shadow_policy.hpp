// The second policy by which live sessions are judged without effect: a file as that of `postern serve`, read and judged as
// at a start, but never served with.
// in      how that file is read; the configuration that serves; for begin() a client and how its session really begins
// out     the policies of the shadow; for each session its own first event and its own state word
// serves  a listener of the shadow is that of the same address (or socket of systemd); one that it lacks is not compared
// facts   what only the real run knows stands: limits of clients, an early talker, the end of the server. What the file says
//         is the shadow's own: settings, tcprules, classes, RBLSMTPD, certificates and back ends that are there
// threads judge_shadow() reads files; a Shadow reads none, and is any thread's
// lives   with the snapshot that has it; ShadowCounts longer
// errors  sentences, each with `shadow: ` before it
// source  docs/decisions/0014-a-shadow.md
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "observe/shadow_counts.hpp"
#include "server/snapshot.hpp"

namespace postern::server {

// Reads a configuration by its path.
using ReadConfiguration =
    std::function<std::expected<config::Configuration, std::vector<std::string>>(const std::string& path)>;

// What a judgement needs besides the file.
struct JudgedLike {
  const char* const* environment;
  observe::LogVoice voice;
  std::shared_ptr<KnownCertificates> certificates;
  std::shared_ptr<config::FileWatch> watch;  // of all that is read, also where it is refused
};
// What the key `shadow` names: null where it is empty.
[[nodiscard]] Policies::Made judge_shadow(const std::string& path, const ReadConfiguration& read,
                                          const JudgedLike& like);

class Shadow {
 public:
  Shadow(std::shared_ptr<const Policies> policies, const config::Configuration& serving, observe::ShadowCounts& counts,
         const observe::Journal& journal);

  struct Beginning {
    spec::Event event;    // in the place of the real one
    spec::Guards guards;  // before it
    std::uint64_t databytes;
  };
  // Nothing: this session is not compared. `key` is room for a search.
  [[nodiscard]] std::optional<Beginning> begin(std::size_t listener, const base::Address& client, spec::Event real,
                                               std::string& key) const;
  [[nodiscard]] observe::ShadowCounts& counts() const { return counts_; }

 private:
  static constexpr std::size_t nowhere = SIZE_MAX;

  [[nodiscard]] const ServiceProfile* find_class(std::size_t listener, std::string_view value) const;

  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::size_t> listeners_;  // by listener that serves: that of the shadow, or nowhere
  observe::ShadowCounts& counts_;
};

// The places of listeners that the shadow lacks.
[[nodiscard]] std::vector<std::string> not_compared(const config::Configuration& serving,
                                                    const config::Configuration& shadow);

}  // namespace postern::server
