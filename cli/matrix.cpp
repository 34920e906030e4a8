// postern matrix: the seed's table, and all settings grouped by behaviour.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/behaviour_groups.hpp"
#include "cli/json.hpp"
#include "cli/matrix_text.hpp"
#include "cli/verbs.hpp"

namespace postern::cli {
namespace {

struct Options {
  std::string format = "text";
  bool as_json = false;
};

Json as_json(const Policy& policy, const Matrix& matrix) {
  Json json = {{"refused", matrix.refused},
               {"dead", matrix.dead},
               {"live", matrix.live},
               {"behaviours", matrix.behaviours},
               {"password_in_clear", matrix.password_in_clear},
               {"password_in_clear_with_force_tls", matrix.password_in_clear_with_force_tls},
               {"cells", Json::array()},
               {"groups", Json::array()}};
  for (const MatrixCell& cell : matrix.cells) {
    Json row = to_json(policy, cell.explanation.configuration);
    json["cells"].push_back({{"cell", name_of(*cell.cell)},
                             {"marks", cell.cell->marks},
                             {"source", cell.cell->source},
                             {"settings", row["settings"]},
                             {"verdict", name_of(cell.explanation.verdict)},
                             {"password_in_clear", cell.explanation.password_in_clear}});
  }
  for (const BehaviourGroup& group : matrix.groups) {
    Json settings = Json::array();
    for (const Configuration& member : group.members) settings.push_back(settings_text(policy, member));
    json["groups"].push_back({{"verdict", name_of(group.explanation.verdict)},
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
      "them apart. A certificate is there, a backend exactly when AUTH=1.\n"
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
      const Matrix matrix = make_matrix(program.policy());
      if (options->as_json)
        print(dumped(as_json(program.policy(), matrix)));
      else if (options->format == "html")
        print(matrix_html(program.policy(), matrix));
      else if (options->format == "markdown")
        print(matrix_markdown(program.policy(), matrix));
      else
        print(matrix_text(program.policy(), matrix));
      return 0;
    };
  });
}

}  // namespace postern::cli
