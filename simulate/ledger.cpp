#include "simulate/ledger.hpp"

#include <algorithm>
#include <charconv>
#include <span>

namespace postern::simulate {
namespace {

constexpr std::string_view field = "X-Message: ";

}  // namespace

std::uint32_t Ledger::add() {
  if (used_ == mails_.size()) mails_.emplace_back();
  Mail& mail = mails_[used_];
  mail.body.assign(field).append(std::to_string(used_)).append("\n");
  mail.whole.clear();
  mail.mailboxes.clear();
  mail.found.clear();
  mail.fate = Fate::in_hand;
  mail.is_flawed = false;
  return used_++;
}

std::uint32_t number_in(std::string_view octets, std::uint32_t none) {
  const std::size_t at = octets.find(field);
  std::uint32_t number = none;
  if (at != octets.npos) std::from_chars(octets.data() + at + field.size(), octets.data() + octets.size(), number);
  return number;
}

// envelope   qmail-queue(8): F reverse-path NUL, T forward-path NUL for each, NUL
void Ledger::hand_over(std::uint32_t number, std::string_view trace, std::string_view envelope) {
  Mail& mail = mails_[number];
  const std::size_t end = envelope.find('\0');
  mail.whole.assign("Return-Path: <").append(envelope.substr(1, end - 1)).append(">\n").append(trace).append(mail.body);
  envelope.remove_prefix(end + 1);
  while (envelope.size() > 1) {
    const std::string_view path = envelope.substr(1, envelope.find('\0') - 1);
    envelope.remove_prefix(path.size() + 2);
    const std::size_t sign = path.find('@');
    std::string mailbox = std::string(path.substr(sign + 1)) + '/' + std::string(path.substr(0, sign));
    if (std::ranges::find(mail.mailboxes, mailbox) == mail.mailboxes.end())
      mail.mailboxes.push_back(std::move(mailbox));
  }
}

std::uint64_t Ledger::accepted() const {
  const auto mails = std::span(mails_).first(used_);
  return static_cast<std::uint64_t>(std::ranges::count(mails, Fate::accepted, &Mail::fate));
}

void Ledger::end_power() {
  for (std::uint32_t number = 0; number < used_; ++number)
    if (mails_[number].fate != Fate::accepted) mails_[number].fate = Fate::uncertain;
}

namespace {

// Whether a mailbox shows `whole`, perhaps with its Delivered-To after the first line.
bool shows(std::string_view octets, std::string_view whole, const std::string& mailbox) {
  if (octets == whole) return true;
  const std::size_t slash = mailbox.find('/'), end = octets.find('\n') + 1;
  const std::string own = "Delivered-To: " + mailbox.substr(slash + 1) + '@' + mailbox.substr(0, slash) + '\n';
  if (!octets.substr(end).starts_with(own)) return false;
  return octets.substr(0, end) == whole.substr(0, end) && octets.substr(end + own.size()) == whole.substr(end);
}

}  // namespace

std::string Ledger::find(const std::string& octets, const std::string& mailbox) {
  const std::uint32_t number = number_in(octets);
  if (number == used_ || !shows(octets, mails_[number].whole, mailbox))
    return "a message in new/ of " + mailbox + " is not whole";
  Mail& mail = mails_[number];
  const auto at = std::ranges::find(mail.mailboxes, mailbox);
  if (at == mail.mailboxes.end())
    return "message " + std::to_string(number) + " is in " + mailbox + ", whose it is not";
  ++mail.found[static_cast<std::size_t>(at - mail.mailboxes.begin())];
  return {};
}

std::string Ledger::look_into(const Disk& disk, const Disk::Node& folder, const std::string& mailbox) {
  for (const Disk::Name& name : folder.names) {
    if (!name.is_there || name.text != "new") continue;
    for (const Disk::Name& file : disk.node(name.node).names) {
      if (!file.is_there) continue;
      if (std::string wrong = find(disk.node(file.node).octets, mailbox); !wrong.empty()) return wrong;
    }
  }
  return {};
}

std::string Ledger::judge(const Mail& mail, std::uint32_t number) const {
  for (std::size_t i = 0; i < mail.mailboxes.size(); ++i) {
    const std::string which = "message " + std::to_string(number) + " of " + mail.mailboxes[i];
    if (mail.fate == Fate::accepted && mail.found[i] == 0) return which + " was answered 250 and is lost";
    if (mail.found[i] > 1) return which + " is there twice";
    if (mail.fate == Fate::declined && mail.found[i] != 0) return which + " was declined and is there";
    if (mail.fate == Fate::in_hand && mail.found[i] != 0) return which + " was never answered and is there";
  }
  return {};
}

std::string Ledger::check(const Disk& disk) {
  for (Mail& mail : std::span(mails_).first(used_)) mail.found.assign(mail.mailboxes.size(), 0);
  for (const Disk::Name& domain : disk.node(0).names) {
    if (!domain.is_there || domain.text.starts_with('.')) continue;
    for (const Disk::Name& user : disk.node(domain.node).names)
      if (std::string wrong = look_into(disk, disk.node(user.node), domain.text + '/' + user.text); !wrong.empty())
        return wrong;
  }
  for (std::uint32_t number = 0; number < used_; ++number)
    if (std::string wrong = judge(mails_[number], number); !wrong.empty()) return wrong;
  return {};
}

}  // namespace postern::simulate
