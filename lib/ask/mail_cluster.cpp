#include "ask/mail_cluster.hpp"

namespace postern::ask {

using spec::Event;

Finding mail_cluster_finding(Event said, std::string_view recipient, const config::Start& start,
                             const engine::Session& session) {
  if (said != Event::recipient_unknown) return {.answer = {said, recipient}};
  return {.answer = {one_more_unknown(start, session), recipient}, .said_by = start.hand_over_path};
}

}  // namespace postern::ask
