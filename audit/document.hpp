// The whole policy as a document for an auditor: settings, rules, replies, laws, limits, each with its source.
// out     sections of paragraphs and tables; the same in Markdown and in HTML
// source  spec/*.toml, spec/limits.hpp, the generated table (hash, counts)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/policy.hpp"
#include "audit/text.hpp"

namespace postern::audit {

struct Item {
  std::string title, text, laws;
  std::string session;  // a dialogue file; empty: none
};
struct Section {
  std::string title;
  std::vector<std::string> paragraphs;
  Rows table;                 // the first row is the head; empty: no table
  std::string class_of_rows;  // HTML: every row carries data-CLASS with its first cell
  std::vector<Item> items{};
};

[[nodiscard]] std::vector<Section> document_of(const Policy& policy);
[[nodiscard]] std::string markdown_of(const Policy& policy, const std::vector<Section>& sections);
// A section that folds, without the page around it.
enum class Folded : std::uint8_t { no, yes };
[[nodiscard]] std::string html_of(const Section& section, Folded folded);

}  // namespace postern::audit
