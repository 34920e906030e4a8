// postern spec: the whole policy as the auditor's document and explorer.
#include <fstream>
#include <nlohmann/json.hpp>

#include "audit/document.hpp"
#include "audit/explorer.hpp"
#include "audit/json.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::string format = "markdown", file;
  bool as_json = false;
};

// Each section as its table: an array of objects, a field a column.
std::string as_json(const audit::Policy& policy) {
  audit::Json json = {{"policy", spec::policy_hash()}, {"sections", audit::Json::array()}};
  for (const audit::Section& section : audit::document_of(policy)) {
    audit::Json rows = audit::Json::array();
    for (std::size_t i = 1; i < section.table.size(); ++i) {
      audit::Json row = audit::Json::object();
      for (std::size_t column = 0; column < section.table[i].size(); ++column)
        row[section.table.front()[column]] = section.table[i][column];
      rows.push_back(std::move(row));
    }
    for (const audit::Item& item : section.items)
      rows.push_back({{"question", item.title}, {"answer", item.text}, {"laws", item.laws}, {"session", item.session}});
    json["sections"].push_back(
        {{"title", section.title}, {"paragraphs", section.paragraphs}, {"rows", std::move(rows)}});
  }
  return audit::dumped(json);
}

std::string document(const audit::Policy& policy, const Options& options) {
  if (options.as_json) return as_json(policy);
  return options.format == "html" ? audit::explorer_page(policy)
                                  : audit::markdown_of(policy, audit::document_of(policy));
}

int spec_verb(const audit::Policy& policy, const Options& options) {
  const std::string text = document(policy, options);
  if (options.file.empty()) {
    print(text);
    return 0;
  }
  std::ofstream file(options.file, std::ios::binary);
  file << text;
  if (!file.flush()) throw audit::UsageError(options.file + ": cannot be written");
  return 0;
}

}  // namespace

void add_spec(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "spec",
      "The whole policy: settings, rules, replies, laws, limits, each with its source, and the state diagrams.\n"
      "As HTML it is an explorer, one file without network: set the switches and see the result.\n"
      "\n"
      "  postern spec | less\n"
      "  postern spec --format html -o policy.html\n"
      "  postern spec --json | jq '.sections[] | select(.title == \"Rules\") | .rows[].rule'\n"
      "\n"
      "Exit code: 0.");
  const auto options = std::make_shared<Options>();
  verb->add_option("--format", options->format, "how it is written")
      ->check(CLI::IsMember({"markdown", "html"}))
      ->type_name("markdown|html");
  verb->add_option("-o,--output", options->file, "into this file, not to standard output")->type_name("FILE");
  verb->add_flag("--json", options->as_json, "the tables as JSON");
  verb->callback(
      [&program, options] { program.chosen = [&program, options] { return spec_verb(program.policy(), *options); }; });
}

}  // namespace postern::cli
