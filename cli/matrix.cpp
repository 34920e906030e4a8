// postern matrix: the seed's table, and all settings grouped by behaviour.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "audit/behaviour_groups.hpp"
#include "audit/json.hpp"
#include "audit/matrix_text.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::string format = "text";
  bool as_json = false;
};

audit::Json as_json(const audit::Policy& policy, const audit::Matrix& matrix) {
  audit::Json json = {{"refused", matrix.refused},
                      {"dead", matrix.dead},
                      {"live", matrix.live},
                      {"behaviours", matrix.behaviours},
                      {"password_in_clear", matrix.password_in_clear},
                      {"password_in_clear_with_force_tls", matrix.password_in_clear_with_force_tls},
                      {"cells", audit::Json::array()},
                      {"groups", audit::Json::array()}};
  for (const audit::MatrixCell& cell : matrix.cells) {
    audit::Json row = audit::to_json(policy, cell.explanation.configuration);
    json["cells"].push_back({{"cell", audit::name_of(*cell.cell)},
                             {"marks", cell.cell->marks},
                             {"source", cell.cell->source},
                             {"settings", row["settings"]},
                             {"verdict", audit::name_of(cell.explanation.verdict)},
                             {"password_in_clear", cell.explanation.password_in_clear}});
  }
  for (const audit::BehaviourGroup& group : matrix.groups) {
    audit::Json settings = audit::Json::array();
    for (const audit::Configuration& member : group.members) settings.push_back(audit::settings_text(policy, member));
    json["groups"].push_back({{"verdict", audit::name_of(group.explanation.verdict)},
                              {"rule", group.explanation.start.rule()},
                              {"password_in_clear", group.explanation.password_in_clear},
                              {"settings", std::move(settings)}});
  }
  return json;
}

}  // namespace

void add_matrix(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand(
      "matrix",
      "The 14 usual settings, and all 64 grouped by behaviour: two settings are in one group when no client can tell\n"
      "them apart. There is a certificate, and a backend exactly when AUTH=1.\n"
      "\n"
      "  postern matrix\n"
      "  postern matrix --format markdown >> docs/settings.md\n"
      "  postern matrix --format html > matrix.html\n"
      "\n"
      "Exit code: 0.");
  const auto options = std::make_shared<Options>();
  verb->add_option("--format", options->format, "how it is written")
      ->check(CLI::IsMember({"text", "markdown", "html"}))
      ->type_name("text|markdown|html");
  verb->add_flag("--json", options->as_json, "the same as JSON");
  verb->callback([&program, options] {
    program.chosen = [&program, options] {
      const audit::Matrix matrix = audit::make_matrix(program.policy());
      if (options->as_json)
        print(audit::dumped(as_json(program.policy(), matrix)));
      else if (options->format == "html")
        print(audit::matrix_html(program.policy(), matrix));
      else if (options->format == "markdown")
        print(audit::matrix_markdown(program.policy(), matrix));
      else
        print(audit::matrix_text(program.policy(), matrix));
      return 0;
    };
  });
}

}  // namespace postern::cli
