// What a server of the DNS answers: [type, and whether the rest is a message or stands after a fitting question] octets.
// oracle  a naive reader that first makes a list of all records, with names as text, says the same; what is cut is malformed,
//         or the same; more octets at the end change nothing; what is kept is bounded; an unreadable page after the octets
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dns/message.hpp"
#include "fuzz/must.hpp"
#include "testing/guard_page.hpp"

namespace {

using namespace postern;
using dns::Answer;
using fuzz::must;
using Octets = std::string;

constexpr std::size_t most_octets = 4096;
constexpr std::string_view asked = "2.0.0.127.bl.test";
constexpr std::uint16_t types[] = {1, 12, 16, 28};

struct Naive {
  const Octets& all;
  std::size_t at = 0;
  bool is_good = true;

  unsigned octet() {
    if (at >= all.size()) is_good = false;
    return is_good ? static_cast<std::uint8_t>(all[at++]) : 0;
  }
  unsigned two() {
    const unsigned high = octet();
    return high * 256 + octet();
  }
  std::uint64_t four() {
    const std::uint64_t high = two();
    return high * 65536 + two();
  }
  // Each label with its length before it, in lower case; pointers lead before `least`, where the last one led.
  std::string labels(std::size_t least) {
    std::string text;
    while (is_good) {
      const unsigned length = octet();
      if (length == 0) break;
      if (length >= 192) {
        const std::size_t to = (length - 192) * 256 + octet();
        if (to >= least) is_good = false;
        Naive there{all, to, is_good};
        text += there.labels(to);
        is_good = there.is_good;
        break;
      }
      if (length > 63) is_good = false;
      text += static_cast<char>(length);
      for (unsigned i = 0; i < length && is_good; ++i) {
        const char c = static_cast<char>(octet());
        text += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      }
    }
    if (text.size() > 254) is_good = false;
    return text;
  }
  std::string name() { return labels(at); }
};

struct Record {
  std::string owner;
  unsigned type, klass;
  std::uint64_t ttl;
  std::size_t begin, end;
};

std::string name_of(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    name += static_cast<char>(label.size()) + std::string(label);
    text.remove_prefix(std::min(label.size() + 1, text.size()));
  }
  return name;
}

// None: one is cut or not well formed.
std::optional<std::vector<Record>> records(Naive& reader, unsigned count) {
  std::vector<Record> found;
  for (unsigned i = 0; i < count && i < 256; ++i) {
    Record record{};
    record.owner = reader.name();
    record.type = reader.two();
    record.klass = reader.two();
    record.ttl = reader.four();
    if (record.ttl >= 0x80000000U) record.ttl = 0;
    const unsigned octets = reader.two();
    record.begin = reader.at;
    record.end = reader.at + octets;
    if (!reader.is_good || record.end > reader.all.size()) return std::nullopt;
    reader.at = record.end;
    found.push_back(record);
  }
  return found;
}

std::optional<std::string> name_in(const Octets& all, const Record& record) {
  const Octets until = all.substr(0, record.end);
  Naive reader{until, record.begin};
  const std::string name = reader.name();
  return reader.is_good && reader.at == record.end ? std::optional(name) : std::nullopt;
}

std::optional<std::string> host_of(const std::string& name) {
  std::string text;
  for (std::size_t at = 0; at < name.size(); at += 1 + static_cast<std::size_t>(name[at])) {
    const std::string label = name.substr(at + 1, static_cast<std::size_t>(name[at]));
    for (const char c : label)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') return std::nullopt;
    text += (text.empty() ? "" : ".") + label;
  }
  return text.empty() ? std::nullopt : std::optional(text);
}

// Adds what the data of a record says; false: it is not well formed.
bool add(Answer& answer, const Octets& all, const Record& record) {
  const Octets data = all.substr(record.begin, record.end - record.begin);
  std::vector<std::uint8_t> octets(data.begin(), data.end());
  if (record.type == 1 || record.type == 28) {
    if (octets.size() != (record.type == 1 ? 4U : 16U)) return false;
    if (answer.addresses.size() >= 16) return true;
    answer.addresses.push_back(record.type == 1 ? base::Address::of_ipv4(std::span(octets).first<4>())
                                                : base::Address::of_ipv6(std::span(octets).first<16>()));
    return true;
  }
  std::string text;
  if (record.type == 12) {
    const auto name = name_in(all, record);
    if (!name) return false;
    const auto host = host_of(*name);
    if (!host) return true;
    text = *host;
  } else {
    if (octets.empty()) return false;
    for (std::size_t at = 0; at < octets.size(); at += 1U + octets[at]) {
      if (at + 1 + octets[at] > octets.size()) return false;
      text += data.substr(at + 1, octets[at]);
    }
    text = text.substr(0, 512);
  }
  if (answer.texts.size() < 16) answer.texts.push_back(text);
  return true;
}

Answer malformed() { return failed(Answer::Failure::malformed); }

Answer naive_none(Naive reader, unsigned answers, unsigned authorities, std::uint64_t ttl) {
  Answer none{.kind = Answer::Kind::none};
  if (answers > 256) return none;
  for (unsigned i = 0; i < authorities && i < 256; ++i) {
    const auto one = records(reader, 1);
    if (!one) return malformed();
    const Record& record = one->front();
    if (record.type != 6 || record.klass != 1) continue;
    const Octets until = reader.all.substr(0, record.end);
    Naive data{until, record.begin};
    data.name();
    data.name();
    std::uint64_t minimum = 0;
    for (int n = 0; n < 5; ++n) minimum = data.four();
    if (!data.is_good || data.at != record.end) return malformed();
    none.ttl_seconds = static_cast<std::uint32_t>(std::min({ttl, record.ttl, minimum}));
    break;
  }
  return none;
}

Answer naive_answer(const Octets& all, unsigned type) {
  Naive reader{all};
  reader.two();
  const unsigned flags = reader.two(), questions = reader.two(), answers = reader.two(), authorities = reader.two();
  reader.two();
  if (!reader.is_good || flags / 2048 != 16 || flags / 512 % 2 == 1) return malformed();
  if (flags % 16 == 2) return failed(Answer::Failure::servfail);
  if (flags % 16 == 5) return failed(Answer::Failure::refused);
  if (flags % 16 != 0 && flags % 16 != 3) return failed(Answer::Failure::no_server);
  std::string owner = name_of(asked);
  if (questions != 1 || reader.name() != owner || reader.two() != type || reader.two() != 1 || !reader.is_good)
    return malformed();
  const auto all_records = records(reader, answers);
  if (!all_records) return malformed();
  std::uint64_t ttl = 0xffffffffU;
  for (unsigned aliases = 0; aliases <= 8; ++aliases) {
    Answer answer{.kind = Answer::Kind::found};
    std::optional<std::pair<std::string, std::uint64_t>> alias;
    bool has_records = false;
    for (const Record& record : *all_records) {
      if (record.owner != owner || record.klass != 1) continue;
      if (record.type == 5) {
        const auto name = name_in(all, record);
        if (!name) return malformed();
        alias = {*name, record.ttl};
      }
      if (record.type != type) continue;
      if (!add(answer, all, record)) return malformed();
      has_records = true;
      ttl = std::min(ttl, record.ttl);
    }
    const bool is_found = answer.addresses.size() + answer.texts.size() > 0;
    answer.ttl_seconds = static_cast<std::uint32_t>(ttl);
    if (is_found && flags % 16 == 0) return answer;
    if (has_records || !alias) return naive_none(reader, answers, authorities, ttl);
    owner = alias->first;
    ttl = std::min(ttl, alias->second);
  }
  return malformed();
}

Octets message_of(std::uint8_t head, std::string_view rest) {
  const std::uint16_t type = types[head % 4U];
  if ((head & 4U) != 0 || rest.size() < 3) return Octets(rest);
  Octets all{0x12,    0x34, '\x81', static_cast<char>(0x80 | (head & 8U ? 3 : 0)), 0, 1, 0, rest[0], 0,
             rest[1], 0,    rest[2]};
  all += name_of(asked) + '\0' + static_cast<char>(type / 256) + static_cast<char>(type % 256) + '\0' + '\1';
  return all.append(rest.substr(3));
}

std::span<const std::uint8_t> view(std::string_view octets) {
  return {reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static testing::GuardedOctets guarded(most_octets + 64);
  static const dns::Name name = *dns::Name::of(asked);
  if (size == 0 || size > most_octets) return 0;
  const auto type = static_cast<dns::Type>(types[data[0] % 4U]);
  const Octets all = message_of(data[0], {reinterpret_cast<const char*>(data + 1), size - 1});
  const auto read = [&](std::string_view octets) {
    return dns::read_answer(view(guarded.before_guard(octets)), type, name);
  };
  const Answer answer = read(all);
  must(answer == naive_answer(all, static_cast<unsigned>(type)), "the naive reader reads otherwise");
  must((answer.kind == Answer::Kind::failed) == (answer.failure != Answer::Failure::nothing),
       "a failure without reason");
  must((answer.kind == Answer::Kind::found) == (answer.addresses.size() + answer.texts.size() > 0), "nothing is found");
  must(answer.addresses.size() <= 16 && answer.texts.size() <= 16, "too much is kept");
  for (std::size_t cut = 0; cut < all.size(); cut += 1 + all.size() / 32) {
    const Answer part = read(std::string_view(all).substr(0, cut));
    must(part == answer || part == malformed(), "what is cut says something else");
  }
  must(answer == malformed() || read(all + "x") == answer, "what is additional counts");
  return 0;
}
