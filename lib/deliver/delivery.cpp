#include "deliver/delivery.hpp"

#include <array>
#include <utility>

#include "config/control.hpp"
#include "config/lmtp_address.hpp"
#include "deliver/filtered_message.hpp"
#include "deliver/lmtp/lmtp.hpp"
#include "deliver/maildir/maildir.hpp"
#include "deliver/queue_program.hpp"

namespace postern::deliver {

using config::HandOverKind;

std::string spool_folder(const base::Environment& environment) {
  const std::string_view folder = environment.value_of("TMPDIR");
  return folder.empty() ? "/tmp" : std::string(folder);
}

namespace {

Outcome not_stored(std::string cause) {
  return {Outcome::Result::deferred, std::string(spec::text_of(spec::HandOverText::cannot_store)), std::move(cause)};
}

// Takes everything and keeps nothing: for measuring what comes before it.
class DiscardedMessage final : public OutgoingMessage {
 public:
  std::string begin(MessageId, std::string_view, std::string_view) override { return {}; }
  void append(std::string_view) override {}
  [[nodiscard]] Outcome finish(std::string_view, std::string_view) override { return discarded(); }
  void abandon() override {}
};

class DiscardDelivery final : public Delivery {
 public:
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment&) override {
    return std::make_unique<DiscardedMessage>();
  }
  [[nodiscard]] bool keeps_nothing() const override { return true; }
};

// Of a refused start: no client gets so far, and nothing is accepted.
class MessageToNowhere final : public OutgoingMessage {
 public:
  std::string begin(MessageId, std::string_view, std::string_view) override { return lack; }
  void append(std::string_view) override {}
  [[nodiscard]] Outcome finish(std::string_view, std::string_view) override { return not_stored(lack); }
  void abandon() override {}

 private:
  static constexpr const char* lack = "there is no way out for mail";
};

class NoDelivery final : public Delivery {
 public:
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment&) override {
    return std::make_unique<MessageToNowhere>();
  }
};

class LmtpDelivery final : public Delivery {
 public:
  explicit LmtpDelivery(LmtpSettings settings) : cluster_(std::move(settings)) {}
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment&) override {
    return std::make_unique<Lmtp>(cluster_);
  }
  [[nodiscard]] LmtpCluster* cluster() override { return &cluster_; }

 private:
  LmtpCluster cluster_;
};

// The program is run when the message is whole: a slow client holds no child, and there are never more than threads. What
// does not fit into memory waits in TMPDIR.
class SpooledMessage final : public OutgoingMessage {
 public:
  SpooledMessage(std::unique_ptr<OutgoingMessage> next, std::string folder)
      : next_(std::move(next)), first_pieces_(std::move(folder)) {}

  std::string begin(MessageId id, std::string_view received, std::string_view reverse_path) override {
    id_ = id;
    received_ = received;
    reverse_path_ = reverse_path;
    return {};
  }
  void append(std::string_view octets) override { first_pieces_.write(octets); }
  void abandon() override {
    first_pieces_.clear();
    next_->abandon();
  }

  [[nodiscard]] Outcome finish(std::string_view octets, std::string_view envelope_octets) override {
    next_->begin(id_, received_, reverse_path_);  // finish() reports its failure
    if (!hand_on_first_pieces()) return not_stored("the message could not be kept in TMPDIR");
    return next_->finish(octets, envelope_octets);
  }

 private:
  [[nodiscard]] bool hand_on_first_pieces() {
    std::array<char, std::size_t{16} * 1024> piece;
    for (std::uint64_t from = 0; from < first_pieces_.octets();) {
      const auto got = first_pieces_.read(from, piece);
      if (!got || *got == 0) return false;
      next_->append({piece.data(), *got});
      from += *got;
    }
    return first_pieces_.error() == 0;
  }

  std::unique_ptr<OutgoingMessage> next_;
  base::MailSpool first_pieces_;
  MessageId id_;
  std::string received_, reverse_path_;
};

class QueueDelivery final : public Delivery {
 public:
  QueueDelivery(QueueProgramSettings settings, Caller caller) : settings_(std::move(settings)), caller_(caller) {}
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment& environment) override {
    auto program = std::make_unique<QueueProgram>(settings_, environment);
    if (caller_ == Caller::waits) return program;
    return std::make_unique<SpooledMessage>(std::move(program), spool_folder(environment));
  }

 private:
  QueueProgramSettings settings_;
  Caller caller_;
};

class MaildirDelivery final : public Delivery {
 public:
  MaildirDelivery(MaildirSettings settings, Caller caller) : root_(std::move(settings)), caller_(caller) {}
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment&) override {
    return std::make_unique<Maildir>(root_, caller_ == Caller::waits ? Maildir::File::at_once : Maildir::File::late);
  }
  [[nodiscard]] std::unique_ptr<MaildirGroup> make_group() override {
    return std::make_unique<MaildirGroup>(root_, SyncMany::Way::together);
  }

 private:
  MaildirRoot root_;
  Caller caller_;
};

class FilteredDelivery final : public Delivery {
 public:
  FilteredDelivery(std::unique_ptr<Delivery> next, std::unique_ptr<filter::Filters> filters, std::string folder,
                   Caller caller)
      : next_(std::move(next)), filters_(std::move(filters)), folder_(std::move(folder)), caller_(caller) {}
  [[nodiscard]] std::unique_ptr<OutgoingMessage> open(const base::Environment& environment) override {
    using File = FilteredMessage::File;
    return std::make_unique<FilteredMessage>(next_->open(environment), *filters_, folder_,
                                             caller_ == Caller::waits ? File::at_once : File::late);
  }
  [[nodiscard]] std::unique_ptr<MaildirGroup> make_group() override { return next_->make_group(); }
  [[nodiscard]] LmtpCluster* cluster() override { return next_->cluster(); }
  [[nodiscard]] bool has_filters() const override { return true; }

 private:
  std::unique_ptr<Delivery> next_;
  std::unique_ptr<filter::Filters> filters_;
  std::string folder_;
  Caller caller_;
};

std::expected<LmtpSettings, std::string> lmtp_settings(const config::Start& start, const base::Environment& environment,
                                                       Caller caller) {
  auto address = config::parse_lmtp_address(start.hand_over_path);
  if (!address) return std::unexpected(std::move(address.error()));
  return LmtpSettings{.address = std::move(*address),
                      .host = std::string(config::host_name(start)),
                      .default_domain = config::own_domain(start),
                      .file_folder = spool_folder(environment),
                      .opens_file_at_once = caller == Caller::waits};
}

std::expected<std::unique_ptr<Delivery>, std::string> make_unfiltered_delivery(const config::Start& start,
                                                                               const base::Environment& environment,
                                                                               Caller caller) {
  switch (start.hand_over) {
    case HandOverKind::discard: return std::make_unique<DiscardDelivery>();
    case HandOverKind::maildir:
      return std::make_unique<MaildirDelivery>(MaildirSettings{.root = start.hand_over_path,
                                                               .host = std::string(config::host_name(start)),
                                                               .default_domain = config::own_domain(start),
                                                               .has_delivered_to = start.has_delivered_to},
                                               caller);
    case HandOverKind::queue_program:
      return std::make_unique<QueueDelivery>(QueueProgramSettings{.path = start.hand_over_path,
                                                                  .error_descriptor = start.error_descriptor,
                                                                  .standard_error = start.program_errors},
                                             caller);
    case HandOverKind::lmtp: {
      auto settings = lmtp_settings(start, environment, caller);
      if (!settings) return std::unexpected(std::move(settings.error()));
      return std::make_unique<LmtpDelivery>(std::move(*settings));
    }
    case HandOverKind::none: break;
  }
  return std::make_unique<NoDelivery>();
}

}  // namespace

std::expected<std::unique_ptr<Delivery>, std::string> make_delivery(const config::Start& start,
                                                                    const base::Environment& environment,
                                                                    Caller caller) {
  auto made = make_unfiltered_delivery(start, environment, caller);
  if (!made || start.filters.empty()) return made;
  return std::make_unique<FilteredDelivery>(std::move(*made), filter::make_filters(start), spool_folder(environment),
                                            caller);
}

}  // namespace postern::deliver
