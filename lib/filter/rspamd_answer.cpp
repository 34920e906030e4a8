#include "filter/rspamd_answer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/reply_words.hpp"

namespace postern::filter {
namespace {

using nlohmann::json;
using Kind = Verdict::Kind;

constexpr std::string_view spam_field = "X-Spam";

std::string encode_base64(std::string_view octets) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < octets.size(); i += 3) {
    const std::string_view some = octets.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < some.size() ? static_cast<unsigned char>(some[k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) text += k <= some.size() ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// How many octets of the text fit into one encoded word (75 in all, RFC 2047 2), no character cut.
std::size_t octets_of_a_word(std::string_view text) {
  std::size_t octets = std::min<std::size_t>(45, text.size());
  while (octets < text.size() && octets > 1 && (static_cast<unsigned char>(text[octets]) & 0xC0U) == 0x80) --octets;
  return octets;
}

// Lines of one field are divided by LF here; rspamd ends some with CRLF, and some texts with a line end.
std::string value_of(std::string_view text) {
  std::string value = " ";
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') value += text[i];
  value.resize(value.find_last_not_of(" \t\r\n") + 1);
  return value;
}

// Which members of an answer are kept: those that are read below. The others grow with the message, and mean nothing here.
class Members {
 public:
  bool keep(int depth, json::parse_event_t event, const json& of) {
    if (depth != 1 || event != json::parse_event_t::key) return true;
    const auto* const found = std::ranges::find(read, of.get_ref<const std::string&>());
    if (found == read.end()) return false;
    bool& is_there = is_there_[static_cast<std::size_t>(found - read.begin())];
    if (is_there && twice_.empty()) twice_ = *found;
    is_there = true;
    return true;
  }
  // The first member that is there twice, with two meanings; empty: none is.
  [[nodiscard]] const std::string& twice() const { return twice_; }

 private:
  static constexpr std::array<std::string_view, 7> read{"action",         "messages", "milter",        "score",
                                                        "required_score", "subject",  "dkim-signature"};
  std::array<bool, read.size()> is_there_{};
  std::string twice_;
};

// Reads members, and remembers the first one that is not what it should be.
class Reader {
 public:
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

  // Null: it is not there.
  const json* member(const json& of, const char* name, json::value_t type) {
    const auto found = of.find(name);
    if (found == of.end() || found->is_null()) return nullptr;
    const bool is_number = type == json::value_t::number_float && found->is_number();
    if (found->type() != type && !is_number) return wrong(name);
    return &*found;
  }
  std::string text(const json& of, const char* name) {
    const json* const found = member(of, name, json::value_t::string);
    return found == nullptr ? std::string() : found->get_ref<const std::string&>();
  }
  // A member that is one text, or several.
  std::vector<std::string> texts(const json& of, const char* name) {
    std::vector<std::string> texts;
    const auto found = of.find(name);
    if (found == of.end() || found->is_null()) return texts;
    each(*found, [&](const json& one) {
      if (one.is_string())
        texts.push_back(one.get_ref<const std::string&>());
      else
        wrong(name);
    });
    return texts;
  }
  template <typename Take>
  static void each(const json& one_or_many, Take take) {
    if (!one_or_many.is_array()) return take(one_or_many);
    for (const json& one : one_or_many) take(one);
  }
  std::int32_t place(const json& number, const char* name) {
    constexpr std::int64_t most = 100'000;
    if (!number.is_number_integer()) {
      wrong(name);
      return 0;
    }
    // What is larger than that is as good as any place at the end.
    const bool is_huge = number.is_number_unsigned() && number.get<std::uint64_t>() > most;
    return static_cast<std::int32_t>(is_huge ? most
                                             : std::clamp<std::int64_t>(number.get<std::int64_t>(), -most, most));
  }
  const json* wrong(const char* name) {
    if (trouble_.empty()) trouble_ = std::string("an answer whose member ") + name + " is of another type";
    return nullptr;
  }

 private:
  std::string trouble_;
};

void remove_fields(Reader& reader, const json& block, Edits& edits) {
  const json* const fields = reader.member(block, "remove_headers", json::value_t::object);
  if (fields == nullptr) return;
  for (const auto& [name, places] : fields->items())
    Reader::each(places, [&, &of = name](const json& place) {
      edits.header.push_back(
          {.kind = HeaderEdit::Kind::remove, .name = of, .index = reader.place(place, "remove_headers")});
    });
}

void add_field(Reader& reader, const std::string& name, const json& field, Edits& edits) {
  if (field.is_string())
    return edits.header.push_back({.name = name, .value = value_of(field.get_ref<const std::string&>())});
  if (!field.is_object()) return static_cast<void>(reader.wrong("add_headers"));
  HeaderEdit edit{.name = name, .value = value_of(reader.text(field, "value"))};
  if (const auto order = field.find("order"); order != field.end()) {
    edit.kind = HeaderEdit::Kind::insert;
    edit.index = reader.place(*order, "order");
  }
  edits.header.push_back(std::move(edit));
}

void add_fields(Reader& reader, const json& block, Edits& edits) {
  const json* const fields = reader.member(block, "add_headers", json::value_t::object);
  if (fields == nullptr) return;
  for (const auto& [name, one_or_many] : fields->items())
    Reader::each(one_or_many, [&, &of = name](const json& field) { add_field(reader, of, field, edits); });
}

Edits edits_of(Reader& reader, const json& answer) {
  Edits edits;
  if (const json* const block = reader.member(answer, "milter", json::value_t::object)) {
    remove_fields(reader, *block, edits);
    add_fields(reader, *block, edits);
    if (const json* const from = reader.member(*block, "change_from", json::value_t::string))
      edits.reverse_path = from->get_ref<const std::string&>();
    edits.more_recipients = reader.texts(*block, "add_rcpt");
    edits.fewer_recipients = reader.texts(*block, "del_rcpt");
  }
  for (const std::string& signature : reader.texts(answer, "dkim-signature"))
    edits.header.push_back(
        {.kind = HeaderEdit::Kind::insert, .name = "DKIM-Signature", .value = value_of(signature), .index = 1});
  return edits;
}

std::string number(const json* value) {
  std::array<char, 32> text{};
  const double of = value == nullptr ? 0 : value->get<double>();
  if (!std::isfinite(of) || std::abs(of) > 1e9) return "?";
  char* const end = std::to_chars(text.data(), text.data() + text.size(), of, std::chars_format::fixed, 2).ptr;
  return {text.data(), end};
}

// "add header 7.20/15.00"
std::string cause_of(Reader& reader, const json& answer, const std::string& action) {
  return action + ' ' + number(reader.member(answer, "score", json::value_t::number_float)) + '/' +
         number(reader.member(answer, "required_score", json::value_t::number_float));
}

Verdict failed(std::string why) { return {.kind = Kind::failed, .cause = std::move(why)}; }

// Of an action that takes the message: what it does to it besides the edits.
bool take(const std::string& action, Reader& reader, const json& answer, Verdict& verdict) {
  verdict.kind = Kind::accept;
  if (action == "no action") return true;
  if (action == "add header") {
    verdict.edits.header.push_back({.kind = HeaderEdit::Kind::remove, .name = std::string(spam_field)});
    verdict.edits.header.push_back({.name = std::string(spam_field), .value = " Yes"});
    return true;
  }
  if (action == "rewrite subject") {
    const std::string subject = reader.text(answer, "subject");
    if (!subject.empty())
      verdict.edits.header.push_back({.kind = HeaderEdit::Kind::change,
                                      .name = "Subject",
                                      .value = value_of(encoded_subject(subject)),
                                      .index = 1});
    return true;
  }
  if (action != "quarantine") return false;
  verdict.quarantine = verdict.cause;
  return true;
}

void refuse(const std::string& instead, const std::string& words, Verdict& verdict) {
  verdict.kind = instead == "discard" ? Kind::discard : instead == "quarantine" ? Kind::accept : Kind::refuse;
  if (verdict.kind == Kind::accept) verdict.quarantine = verdict.cause;
  verdict.words = base::reply_words(base::ReplyClass::permanent, words, "Spam message rejected");
}

Verdict judge(Reader& reader, const json& answer) {
  const std::string action = reader.text(answer, "action");
  if (action.empty()) return failed("an answer without an action");
  const json* const messages = reader.member(answer, "messages", json::value_t::object);
  const std::string words = messages == nullptr ? std::string() : reader.text(*messages, "smtp_message");
  const json* const block = reader.member(answer, "milter", json::value_t::object);
  const std::string instead = block == nullptr ? std::string() : reader.text(*block, "reject");
  const json* const no_action = block == nullptr ? nullptr : reader.member(*block, "no_action", json::value_t::boolean);
  Verdict verdict{.edits = edits_of(reader, answer), .cause = cause_of(reader, answer, action)};
  if (no_action != nullptr && no_action->get<bool>()) {
    verdict.kind = Kind::accept;
  } else if (action == "reject") {
    refuse(instead, words, verdict);
  } else if (action == "soft reject" || action == "greylist") {
    verdict.kind = Kind::defer;
    verdict.words = base::reply_words(base::ReplyClass::transient, words, "Try again later");
  } else if (action == "discard") {
    verdict.kind = Kind::discard;
  } else if (!take(action, reader, answer, verdict)) {
    return failed("an action that is not known: " + action.substr(0, 40));
  }
  return verdict;
}

}  // namespace

std::string encoded_subject(std::string_view text) {
  const bool is_plain = std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
  if (is_plain) return std::string(text);
  std::string words;
  while (!text.empty()) {
    const std::size_t octets = octets_of_a_word(text);
    words.append(words.empty() ? "=?UTF-8?B?" : "\n =?UTF-8?B?").append(encode_base64(text.substr(0, octets)));
    words += "?=";
    text.remove_prefix(octets);
  }
  return words;
}

Verdict verdict_of_rspamd(std::string_view text) {
  Members members;
  const json answer = json::parse(
      text, [&members](int depth, json::parse_event_t event, json& of) { return members.keep(depth, event, of); },
      false);
  if (answer.is_discarded() || !answer.is_object()) return failed("an answer that is no JSON");
  if (!members.twice().empty()) return failed("an answer that says " + members.twice() + " twice");
  Reader reader;
  Verdict verdict = judge(reader, answer);
  if (!reader.trouble().empty()) return failed(reader.trouble());
  return verdict;
}

}  // namespace postern::filter
