#include "fuzz/show.hpp"

#include <algorithm>

#include "fuzz/session_input.hpp"
#include "testing/driver.hpp"
#include "testing/reference_walk.hpp"
#include "testing/script.hpp"

namespace postern::fuzz {
namespace {

using audit::Item;
using audit::ItemKind;

std::string lines_sent(std::string_view octets) {
  std::string lines;
  while (!octets.empty()) {
    const std::size_t end = std::min(octets.find('\n'), octets.size() - 1) + 1;
    lines += audit::written(Item{.kind = ItemKind::client, .octets = std::string(octets.substr(0, end))}) + "\n";
    octets.remove_prefix(end);
  }
  return lines;
}

class Listing {
 public:
  explicit Listing(const SessionInput& input)
      : script_(input.script),
        start_(input.start),
        driver_({.settings_and_facts = script_.settings_and_facts,
                 .host = audit::dialogue_host,
                 .databytes = script_.databytes,
                 .max_recipients = script_.max_recipients,
                 .asks_at_data = script_.asks_at_data,
                 .room = script_.has_room ? nullptr : &engine::no_room()},
                testing::AfterStarttls::same_session) {
    driver_.answer_by([this](spec::Guards guards) {
      const auto outcome = testing::outcome_for(guards, script_.fates[asked_++ % script_.fates.size()]);
      happens(outcome);
      return outcome;
    });
    text_ = testing::head_of(testing::world_of({.settings_and_facts = script_.settings_and_facts,
                                                .host = audit::dialogue_host,
                                                .databytes = script_.databytes,
                                                .max_recipients = script_.max_recipients,
                                                .asks_at_data = script_.asks_at_data,
                                                .room = script_.has_room ? nullptr : &engine::no_room()})) +
            "\n";
  }

  std::string play() {
    happens(start_);
    driver_.happen(start_);
    hear();
    for (const testing::Part& part : script_.parts) {
      for (std::string_view rest = part.octets; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
        text_ += lines_sent(rest.substr(0, end));
        driver_.send(rest.substr(0, end));
        hear();
        rest.remove_prefix(end);
      }
      if (!part.then || !driver_.waits_for(*part.then)) continue;
      happens(*part.then);
      driver_.happen(*part.then);
      hear();
    }
    if (!driver_.problem().empty()) text_ += "problem: " + driver_.problem() + "\n";
    return text_;
  }

 private:
  void happens(spec::Event event) { text_ += "= " + std::string(spec::name_of(event)) + "\n"; }
  void hear() {
    for (const Item& item : driver_.take_heard()) text_ += audit::written(item) + "\n";
  }

  const testing::Script& script_;
  spec::Event start_;
  testing::Driver driver_;
  std::size_t asked_ = 0;
  std::string text_;
};

}  // namespace

std::string show_session(std::span<const std::uint8_t> octets) {
  const SessionInput input = read_session_input(octets);
  return Listing(input).play() + "# in pieces of " + std::to_string(input.cut.octets) + " octets\n";
}

std::string show_octets(std::span<const std::uint8_t> octets) {
  return lines_sent({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

}  // namespace postern::fuzz
