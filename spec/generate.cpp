// The build-time program: reads the spec, refuses a bad one with file, line and reason (a broken law with the dialogue
// that breaks it), writes what is made from it.
//
//   generate SPEC_FOLDER OUTPUT_FOLDER VERSION    writes policy_names.hpp, policy_rows.cpp, policy.snapshot
//   generate --check SPEC_FOLDER                  only says what is wrong, or counts
#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "spec/check_laws.hpp"
#include "spec/verify.hpp"
#include "spec/writers.hpp"

namespace {

using namespace postern::spec;

std::string sha256(const std::string& text) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string out;
  for (const unsigned char octet : digest) {
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", octet);
    out += hex.data();
  }
  return out;
}

int refuse(const std::filesystem::path& folder, const Problems& problems) {
  for (const Problem& problem : problems)
    std::fprintf(stderr, "%s:%u: %s\n", (folder / problem.file).c_str(), problem.line, problem.what.c_str());
  std::fprintf(stderr, "the spec is refused: %zu problem%s\n", problems.size(), problems.size() == 1 ? "" : "s");
  return 1;
}

bool write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (file.flush()) return true;
  std::fprintf(stderr, "cannot write %s\n", path.c_str());
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bool only_check = argc == 3 && std::string(argv[1]) == "--check";
  if (!only_check && argc != 4) {
    std::fputs("usage: generate SPEC_FOLDER OUTPUT_FOLDER VERSION | generate --check SPEC_FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[only_check ? 2 : 1];
  Problems problems;
  const Model model = load_model(folder, problems);
  if (!problems.empty()) return refuse(folder, problems);
  const Laws laws = load_laws(folder, model, problems);
  if (!problems.empty()) return refuse(folder, problems);
  const std::vector<Limit> limits = load_limits(folder, problems);
  if (!problems.empty()) return refuse(folder, problems);
  const std::vector<DecisionElsewhere> elsewhere = load_elsewhere(folder, problems);
  if (!problems.empty()) return refuse(folder, problems);
  const Reach reach = verify(model, problems);
  check_laws(model, laws, problems);
  if (!problems.empty()) return refuse(folder, problems);
  std::printf("spec: %zu rules, %zu configurations, %zu reachable states, %zu decisions keep %zu laws\n",
              model.rules.size(), reach.configurations, reach.states, reach.decisions,
              laws.laws.size() + laws.invariants.size() + laws.possibilities.size());
  if (only_check) return 0;
  const std::filesystem::path output = argv[2];
  const std::string snapshot = write_snapshot(model, reach, laws, limits, elsewhere);
  const bool done = write(output / "policy_names.hpp", write_names(model)) &&
                    write(output / "policy_rows.cpp", write_tables(model, sha256(snapshot), argv[3])) &&
                    write(output / "policy.snapshot", snapshot);
  return done ? 0 : 1;
}
