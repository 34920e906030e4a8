// The packets of the milter protocol, without I/O: what is said to a filter, and what it answers.
// in      octets of a filter, however they are cut; commands and their fields
// out     packets: four octets with the length of what follows (big-endian), a letter, its data
// lives   a packet that was read is valid until the next call of anything
// bounds  a packet has at most max_milter_data_octets after its letter; one of a new body, as many as the caller allows
// errors  `malformed`: no letter, or more octets than allowed, known when the length is; nothing of what follows counts
// source  libmilter of Sendmail 8.17 (mfdef.h, smfi_* of its documentation); Postfix MILTER_README
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace postern::filter {

inline constexpr std::size_t max_milter_data_octets = 65'535;  // libmilter: MILTER_CHUNK_SIZE, MILTER_MAX_DATA_SIZE
inline constexpr std::uint32_t milter_version = 6;
inline constexpr std::uint32_t min_milter_version = 2;       // of a filter: what libmilter bears in a server
inline constexpr std::uint32_t min_milter_data_version = 4;  // which knows DATA

// What we say. Macros come before the command that they belong to.
enum class MilterCommand : char {
  negotiate = 'O',
  macros = 'D',
  connect = 'C',
  helo = 'H',
  mail = 'M',
  rcpt = 'R',
  data = 'T',
  header = 'L',
  end_of_header = 'N',
  body = 'B',
  end_of_message = 'E',
  quit = 'Q',
};

// What a filter says.
enum class MilterReply : char {
  negotiate = 'O',
  carry_on = 'c',
  accept = 'a',
  discard = 'd',
  reject = 'r',
  defer = 't',
  text = 'y',  // "550 5.7.1 text"
  skip = 's',  // no more of the body
  progress = 'p',
  shutdown = '4',
  connection_failed = 'f',
  quarantine = 'q',
  add_recipient = '+',
  add_recipient_with_parameters = '2',
  delete_recipient = '-',
  add_header = 'h',
  insert_header = 'i',
  change_header = 'm',
  replace_body = 'b',
  change_sender = 'e',
};

// SMFIF_*: what a filter may do at the end of the message.
namespace milter_action {
inline constexpr std::uint32_t add_header = 0x1, replace_body = 0x2, add_recipient = 0x4, delete_recipient = 0x8,
                               change_header = 0x10, quarantine = 0x20, change_sender = 0x40,
                               add_recipient_with_parameters = 0x80, choose_macros = 0x100;
inline constexpr std::uint32_t all = 0x1FF;
}  // namespace milter_action

// SMFIP_*: what need not be said (no_), and what is not answered (silent_).
namespace milter_protocol {
inline constexpr std::uint32_t no_connect = 0x1, no_helo = 0x2, no_mail = 0x4, no_rcpt = 0x8, no_body = 0x10,
                               no_header = 0x20, no_end_of_header = 0x40, silent_header = 0x80, no_unknown = 0x100,
                               no_data = 0x200, skip = 0x400, silent_connect = 0x1000, silent_helo = 0x2000,
                               silent_mail = 0x4000, silent_rcpt = 0x8000, silent_data = 0x1'0000,
                               silent_unknown = 0x2'0000, silent_end_of_header = 0x4'0000, silent_body = 0x8'0000,
                               leading_space = 0x10'0000;
// All but SMFIP_RCPT_REJ (0x800): a recipient that was refused is none of the message any more, and is not shown.
inline constexpr std::uint32_t offered = 0x1F'F7FF;
}  // namespace milter_protocol

// SMFIM_*: for which a filter may choose its macros.
enum class MilterStage : std::uint8_t { connect, helo, mail, rcpt, data, end_of_message, end_of_header };
inline constexpr std::size_t milter_stages = 7;

struct MilterPacket {
  char letter = 0;
  std::string_view data{};
};

class MilterPacketReader {
 public:
  explicit MilterPacketReader(std::size_t max_body_octets) : max_body_octets_(max_body_octets) {}

  void add(std::string_view octets) { octets_ += octets; }
  // Nothing: it has not come whole, or it is malformed.
  [[nodiscard]] std::optional<MilterPacket> next();
  [[nodiscard]] bool is_malformed() const { return is_malformed_; }
  [[nodiscard]] bool is_empty() const { return taken_ == octets_.size(); }

 private:
  std::size_t max_body_octets_;
  std::string octets_;
  std::size_t taken_ = 0;  // of them, by packets
  bool is_malformed_ = false;
};

// The data of a packet, field by field. A field that is not there is none, and all after it.
class MilterFields {
 public:
  explicit MilterFields(std::string_view data) : left_(data) {}

  [[nodiscard]] std::optional<std::uint32_t> number();
  [[nodiscard]] std::optional<std::string_view> text();  // without its NUL
  [[nodiscard]] bool is_at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
};

// Behind `octets`: a packet with this data, and a number as a field of one has it.
void put_milter_data(std::string& octets, MilterCommand command, std::string_view data);
void put_milter_number(std::string& octets, std::uint32_t number);

struct MilterTerms {
  std::uint32_t version = 0, actions = 0, protocol = 0;
  // Names, separated by blanks or commas, of the stages for which the filter has chosen; empty: it wants none.
  std::array<std::optional<std::string>, milter_stages> macros{};
};

// What a filter answers to what we have offered, or what is wrong with it.
[[nodiscard]] std::expected<MilterTerms, std::string> read_milter_terms(std::string_view data);

struct MilterText {
  int code = 0;
  std::string words{};  // one printable line, with an enhanced code of its class: "5.7.1 Spam"
};

// Of MilterReply::text. A text may lack its NUL; `%%` is `%`; the lines of one reply become one line. Nothing: it is no 4yz or 5yz,
// or an enhanced code of another class.
[[nodiscard]] std::optional<MilterText> read_milter_text(std::string_view data);

// One printable line, at most spec::max_verdict_octets.
[[nodiscard]] std::string milter_words(std::string_view text);

}  // namespace postern::filter
