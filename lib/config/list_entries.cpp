#include "config/list_entries.hpp"

#include <algorithm>

#include "base/text_lines.hpp"

namespace postern::config {
namespace {

using Verdict = EntryJudgement::Verdict;

constexpr EntryJudgement idle(std::string_view remedy) { return {.verdict = Verdict::idle, .remedy = remedy}; }
constexpr EntryJudgement wrong(std::string_view remedy) { return {.verdict = Verdict::wrong, .remedy = remedy}; }

bool is_in_domain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool is_literal(std::string_view text) { return text.size() > 2 && text.front() == '[' && text.back() == ']'; }

// Dots only between labels.
bool has_labels(std::string_view domain) {
  return !domain.empty() && domain.front() != '.' && domain.back() != '.' && !domain.contains("..");
}

EntryJudgement judge_domain(std::string_view entry) {
  if (entry.contains('@')) return idle("never matches: write the domain without @");
  if (entry.contains('*')) return idle("never matches: write .example.org for all below example.org, without *");
  if (is_literal(entry)) return {};
  if (entry.front() == '.') entry.remove_prefix(1);
  if (!std::ranges::all_of(entry, is_in_domain)) return idle("never matches: write one domain a line, as example.org");
  if (!has_labels(entry)) return idle("never matches: write a domain without dots at its end and without two in a row");
  return {};
}

// Of the original an entry may be an expression; `!` before one is its opposite.
bool is_expression(std::string_view entry) {
  return entry.front() == '!' || entry.front() == '^' || entry.back() == '$' ||
         entry.find_first_of("*\\()|") != std::string_view::npos;
}

EntryJudgement judge_address(std::string_view entry) {
  // An address is looked up as its mailbox is handed over: a quoted local part without its quotes.
  if (entry.contains('"')) return wrong("never matches: write the local part without quotes");
  if (is_expression(entry))
    return wrong("expressions of the original do not exist here: write user@example.org or @example.org");
  if (entry.find_first_of(" \t") != std::string_view::npos && std::ranges::count(entry, '@') > 1)
    return idle("never matches: write one address a line");
  if (!entry.contains('@')) return idle("matches no address of a domain: write user@example.org or @example.org");
  return {};
}

}  // namespace

EntryJudgement judge_entry(std::string_view entry, EntryKind kind) {
  if (entry.contains('\0')) return wrong("this is not plain text (UTF-16?): save the file as ASCII or UTF-8");
  if (entry.contains('\r')) return wrong("a carriage return ends no line here: save the file with line feeds");
  if (!base::is_ascii_text(entry)) return wrong("write printable ASCII only, an internationalised domain as xn--...");
  return kind == EntryKind::domains ? judge_domain(entry) : judge_address(entry);
}

}  // namespace postern::config
