#include "dns/message.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace postern::dns {
namespace {

using Octets = std::span<const std::uint8_t>;

constexpr std::uint16_t recursion_desired = 0x0100;
constexpr std::uint16_t internet = 1;
constexpr std::uint16_t cname = 5, soa = 6;
constexpr std::size_t header_octets = 12;
constexpr std::uint32_t no_ttl = std::numeric_limits<std::uint32_t>::max();

struct Header {
  std::uint16_t flags, questions, answers, authorities;

  [[nodiscard]] bool is_whole_answer() const { return (flags & 0xfa00U) == 0x8000U; }  // QR; no opcode; no TC
  [[nodiscard]] unsigned code() const { return flags & 0x000fU; }
};

struct Record {
  Name owner;
  std::uint16_t type, klass;
  std::uint32_t ttl;
  std::size_t begin, end;  // of its data in the message
};

// Reads on from a place; each number is there, or `is_whole` turns false for good.
class Reader {
 public:
  Reader(Octets message, std::size_t at) : message_(message), at_(at) {}

  [[nodiscard]] std::uint32_t number(std::size_t octets) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < octets; ++i) value = value << 8U | octet();
    return value;
  }
  [[nodiscard]] std::uint16_t two() { return static_cast<std::uint16_t>(number(2)); }
  [[nodiscard]] Name name() {
    const auto name = is_whole_ ? Name::read(message_, at_) : std::nullopt;
    is_whole_ = is_whole_ && name;
    return name.value_or(Name{});
  }
  [[nodiscard]] Record record() {
    Record record{.owner = name(), .type = two(), .klass = two(), .ttl = number(4), .begin = 0, .end = 0};
    if (record.ttl > std::numeric_limits<std::int32_t>::max()) record.ttl = 0;  // RFC 2181 8
    const std::size_t octets = two();
    record.begin = at_;
    record.end = at_ + octets;
    is_whole_ = is_whole_ && record.end <= message_.size();
    if (is_whole_) at_ = record.end;
    return record;
  }

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool is_whole() const { return is_whole_; }

 private:
  std::uint8_t octet() {
    is_whole_ = is_whole_ && at_ < message_.size();
    return is_whole_ ? message_[at_++] : std::uint8_t{0};
  }

  Octets message_;
  std::size_t at_;
  bool is_whole_ = true;
};

class AnswerReader {
 public:
  AnswerReader(Octets message, Type type, const Name& name) : message_(message), type_(type), owner_(name) {}

  [[nodiscard]] Answer read();

 private:
  enum class Step : std::uint8_t { found, alias, nothing, malformed };

  [[nodiscard]] bool is_question(Reader& reader) const;
  [[nodiscard]] Step look();
  [[nodiscard]] bool take(const Record& record);
  [[nodiscard]] bool take_address(Octets data);
  [[nodiscard]] bool take_text(Octets data);
  [[nodiscard]] bool take_host(const Record& record);
  [[nodiscard]] Answer no_records();
  [[nodiscard]] Octets data_of(const Record& record) const {
    return message_.subspan(record.begin, record.end - record.begin);
  }

  Octets message_;
  Type type_;
  Name owner_;  // whose records are wanted: the name, or what it is an alias of
  Header header_{};
  std::size_t first_record_ = 0, after_answers_ = 0;
  std::uint32_t ttl_ = no_ttl;
  Answer answer_{};
};

bool AnswerReader::is_question(Reader& reader) const {
  const bool is_same_name = reader.name() == owner_;
  const bool is_same_type = reader.two() == static_cast<std::uint16_t>(type_);
  return reader.two() == internet && is_same_name && is_same_type && reader.is_whole();
}

Answer AnswerReader::read() {
  using enum Answer::Failure;
  Reader reader(message_, 2);
  header_ = {.flags = reader.two(), .questions = reader.two(), .answers = reader.two(), .authorities = reader.two()};
  static_cast<void>(reader.two());
  if (!reader.is_whole() || !header_.is_whole_answer()) return failed(malformed);
  if (header_.code() != 0 && header_.code() != 3) return failed(failure_of_code(header_.code()));
  if (header_.questions != 1 || !is_question(reader)) return failed(malformed);
  first_record_ = reader.at();
  for (unsigned aliases = 0; aliases <= max_aliases; ++aliases) {
    const Step step = look();
    if (step == Step::malformed) return failed(malformed);
    if (step == Step::nothing || (step == Step::found && header_.code() == 3)) return no_records();
    if (step == Step::found) {
      answer_.ttl_seconds = ttl_;
      answer_.kind = Answer::Kind::found;
      return std::move(answer_);
    }
  }
  return failed(malformed);
}

// Of the records of owner_: what is wanted goes into the answer; without any, its alias becomes the owner.
AnswerReader::Step AnswerReader::look() {
  Reader reader(message_, first_record_);
  std::optional<Name> alias;
  std::uint32_t alias_ttl = no_ttl;
  bool has_records = false;
  for (unsigned i = 0; i < header_.answers && i < max_looked_at; ++i) {
    const Record record = reader.record();
    if (!reader.is_whole()) return Step::malformed;
    if (record.klass != internet || record.owner != owner_) continue;
    if (record.type == cname) {
      Reader data(message_.first(record.end), record.begin);
      alias = data.name();
      if (!data.is_whole() || data.at() != record.end) return Step::malformed;
      alias_ttl = record.ttl;
    } else if (record.type == static_cast<std::uint16_t>(type_)) {
      if (!take(record)) return Step::malformed;
      has_records = true;
      ttl_ = std::min(ttl_, record.ttl);
    }
  }
  after_answers_ = reader.at();
  if (!answer_.addresses.empty() || !answer_.texts.empty()) return Step::found;
  if (has_records || !alias) return Step::nothing;
  owner_ = *alias;
  ttl_ = std::min(ttl_, alias_ttl);
  return Step::alias;
}

bool AnswerReader::take(const Record& record) {
  switch (type_) {
    case Type::a:
    case Type::aaaa: return take_address(data_of(record));
    case Type::txt: return take_text(data_of(record));
    case Type::ptr: return take_host(record);
  }
  return false;
}

bool AnswerReader::take_address(Octets data) {
  const std::size_t wanted = type_ == Type::a ? 4 : 16;
  if (data.size() != wanted) return false;
  if (answer_.addresses.size() == Answer::max_records) return true;
  answer_.addresses.push_back(type_ == Type::a ? base::Address::of_ipv4(data.first<4>())
                                               : base::Address::of_ipv6(data.first<16>()));
  return true;
}

bool AnswerReader::take_text(Octets data) {
  std::string text;
  if (data.empty()) return false;
  while (!data.empty()) {
    const std::size_t octets = data.front();
    if (octets >= data.size()) return false;
    const Octets part = data.subspan(1, std::min(octets, Answer::max_text_octets - text.size()));
    text.append(part.begin(), part.end());
    data = data.subspan(1 + octets);
  }
  if (answer_.texts.size() < Answer::max_records) answer_.texts.push_back(std::move(text));
  return true;
}

// A name that no host can have is as none: nobody could ask for it.
bool AnswerReader::take_host(const Record& record) {
  Reader data(message_.first(record.end), record.begin);
  const Name host = data.name();
  if (!data.is_whole() || data.at() != record.end) return false;
  if (answer_.texts.size() == Answer::max_records) return true;
  if (auto text = host.text()) answer_.texts.push_back(std::move(*text));
  return true;
}

Answer AnswerReader::no_records() {
  Answer none{.kind = Answer::Kind::none};
  if (header_.answers > max_looked_at) return none;
  Reader reader(message_, after_answers_);
  for (unsigned i = 0; i < header_.authorities && i < max_looked_at; ++i) {
    const Record record = reader.record();
    if (!reader.is_whole()) return failed(Answer::Failure::malformed);
    if (record.type != soa || record.klass != internet) continue;
    Reader data(message_.first(record.end), record.begin);
    static_cast<void>(data.name());
    static_cast<void>(data.name());
    for (int numbers = 0; numbers < 4; ++numbers) static_cast<void>(data.number(4));
    const std::uint32_t minimum = data.number(4);
    if (!data.is_whole() || data.at() != record.end) return failed(Answer::Failure::malformed);
    none.ttl_seconds = std::min({ttl_, record.ttl, minimum});
    return none;
  }
  return none;
}

}  // namespace

QueryOctets::QueryOctets(Type type, const Name& name, std::uint16_t id) {
  for (const std::uint16_t field :
       {id, recursion_desired, std::uint16_t{1}, std::uint16_t{0}, std::uint16_t{0}, std::uint16_t{0}})
    append(field);
  std::ranges::copy(name.octets(), octets_.begin() + header_octets);
  size_ += name.octets().size();
  append(static_cast<std::uint16_t>(type));
  append(internet);
}

void QueryOctets::append(std::uint16_t number) {
  octets_[size_++] = static_cast<std::uint8_t>(number >> 8U);
  octets_[size_++] = static_cast<std::uint8_t>(number & 0xffU);
}

Answer read_answer(Octets message, Type type, const Name& name) { return AnswerReader(message, type, name).read(); }

}  // namespace postern::dns
