// Writes the proofs: one SMT-LIB file a law, one an invariant, one against holes, one with the witnesses.
//   write_proofs SPEC_FOLDER OUTPUT_FOLDER
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
  if (argc != 3) return std::fputs("usage: write_proofs SPEC_FOLDER OUTPUT_FOLDER\n", stderr), 2;
  Problems problems;
  const Model model = load_model(argv[1], problems);
  if (!problems.empty()) return refuse(problems);
  const Laws laws = load_laws(argv[1], model, problems);
  if (!problems.empty()) return refuse(problems);
  std::filesystem::remove_all(argv[2]);
  std::filesystem::create_directories(argv[2]);
  if (write_all(argv[2], model, laws)) return 0;
  std::fprintf(stderr, "cannot write to %s\n", argv[2]);
  return 1;
}
