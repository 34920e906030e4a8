// Writes the proofs: one SMT-LIB file a law, one an invariant, one against holes, one with the witnesses.
//   write_proofs SPEC_FOLDER OUTPUT_FOLDER
//   write_proofs --policy SPEC_FOLDER         prints no question, but what others can be asked with: the policy, a state, and
//                                             for each event after a line `; event NAME` what is decided of it there
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "spec/refuse.hpp"
#include "spec/smt.hpp"

namespace {

using namespace postern::spec;

bool write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  return !file.flush().fail();
}

int print_policy(const Model& model, const Laws& laws) {
  std::string out = smt_policy(model) + smt_questions(model) + smt_state(model);
  std::string arguments;
  for (const Variable& variable : model.variables) arguments += " " + variable.name;
  for (const EventRow& event : model.events)
    out += joined({"; event ", event.name, "\n(define-fun event () Event event.", event.name, ")\n",
                   smt_outcome(model, laws, joined({"(decide.", event.name, arguments, ")"}))});
  std::fputs(out.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

bool write_all(const std::filesystem::path& folder, const Model& model, const Laws& laws) {
  bool done = write(folder / "no_hole.smt2", smt_no_hole(model, laws)) &&
              write(folder / "witnesses.smt2", smt_witnesses(model));
  for (std::size_t i = 0; i < laws.invariants.size(); ++i)
    done = write(folder / ("invariant." + laws.invariants[i].name + ".smt2"), smt_invariant(model, laws, i)) && done;
  for (const Law& law : laws.laws)
    done = write(folder / ("law." + law.name + ".smt2"), smt_law(model, laws, law)) && done;
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: write_proofs SPEC_FOLDER OUTPUT_FOLDER | --policy SPEC_FOLDER\n", stderr), 2;
  const bool only_policy = std::string_view(argv[1]) == "--policy";
  const std::filesystem::path spec = argv[only_policy ? 2 : 1];
  Problems problems;
  const Model model = load_model(spec, problems);
  if (!problems.empty()) return refuse(problems);
  const Laws laws = load_laws(spec, model, problems);
  if (!problems.empty()) return refuse(problems);
  if (only_policy) return print_policy(model, laws);
  std::filesystem::remove_all(argv[2]);
  std::filesystem::create_directories(argv[2]);
  if (write_all(argv[2], model, laws)) return 0;
  std::fprintf(stderr, "cannot write to %s\n", argv[2]);
  return 1;
}
