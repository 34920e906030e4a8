// A message that filters judge before it goes its way: collected first, shown to them whole, and handed on as they have left it.
// in      as OutgoingMessage; introduce() before begin(): who sends it, and who counts questions
// out     an Outcome where a filter lets it go no further; else the next message, begun, with all octets but the last piece
// waits   judge() and finish() do: for filters, at most spec::max_filter_seconds, and for a disk. No loop, and no thread that makes
//         messages durable in groups, calls them
// lives   the filters outlive it
// errors  as OutgoingMessage; what cannot be kept is deferred
// source  docs/decisions/0022-filters.md
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/outgoing_message.hpp"
#include "engine/envelope.hpp"
#include "filter/filters.hpp"

namespace postern::deliver {

// What shells know of a message, and filters are shown.
struct Introduction {
  filter::FilterClient client{};
  std::vector<std::string> reverse_path_parameters{};
  std::string host{};
  ask::QuestionBook* book = nullptr;  // null: nobody counts
};

// What is known of those of MAIL: "SIZE=1000".
[[nodiscard]] std::vector<std::string> parameters_of(const engine::Envelope& envelope);

class FilteredMessage final : public OutgoingMessage {
 public:
  enum class File : std::uint8_t { at_once, late };

  // folder   of what is too large for memory
  FilteredMessage(std::unique_ptr<OutgoingMessage> next, const filter::Filters& filters, std::string folder, File file)
      : next_(std::move(next)), filters_(filters), mail_(std::move(folder)), file_(file) {}

  void introduce(Introduction introduction) { introduction_ = std::move(introduction); }

  std::string begin(MessageId id, std::string_view received, std::string_view reverse_path) override;
  void append(std::string_view octets) override { mail_.write(octets); }
  [[nodiscard]] Outcome finish(std::string_view octets, std::string_view envelope_octets) override;
  void abandon() override;
  [[nodiscard]] Lmtp* for_cluster() override { return next_->for_cluster(); }
  [[nodiscard]] FilteredMessage* for_filters() override { return this; }

  // None: the message passes, and next_message() has what follows.
  [[nodiscard]] std::optional<Outcome> judge(std::string_view octets, std::string_view envelope_octets);
  struct Next {
    std::unique_ptr<OutgoingMessage> message;
    std::string last_octets, envelope;
  };
  [[nodiscard]] Next next_message();
  // What the filters have said; of the last message that was judged.
  [[nodiscard]] const filter::Judgement& judgement() const { return judgement_; }

 private:
  // Begins it, and gives all octets but the last ones to it.
  [[nodiscard]] std::expected<std::string, int> hand_on();

  std::unique_ptr<OutgoingMessage> next_;
  const filter::Filters& filters_;
  base::MailSpool mail_;
  File file_;
  Introduction introduction_;
  MessageId id_;
  std::string received_, last_octets_, envelope_;
  filter::Judgement judgement_;
};

// Whose word the outcome is: that of the way out, of the filter that let it go no further, or of POSTERN_FILTERS, of which none did.
[[nodiscard]] std::string_view decided_by(const filter::Judgement& judgement, std::string_view way_out);

// What an outcome is called where filters have not judged the message that was handed over.
[[nodiscard]] Outcome named_after(const filter::Judgement& judgement, Outcome outcome);

}  // namespace postern::deliver
