// The verbs of `postern`; each adds itself to the command line and says what runs when it is chosen.
// out     the exit code: 0 fine; what else, each verb's help says
// errors  UsageError, std::exception: reported on stderr by main, exit code 100
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/behaviour.hpp"
#include "audit/configuration.hpp"
#include "audit/policy.hpp"

namespace postern::cli {

struct Program {
  std::function<int()> chosen;
  // Read when a verb first asks for it: serve, reload and passwd do not wait for it.
  [[nodiscard]] const audit::Policy& policy() { return policy_ ? *policy_ : policy_.emplace(); }

 private:
  std::optional<audit::Policy> policy_;
};

void add_ask(CLI::App& app, Program& program);
void add_check(CLI::App& app, Program& program);
void add_explain(CLI::App& app, Program& program);
void add_matrix(CLI::App& app, Program& program);
void add_diff(CLI::App& app, Program& program);
void add_replay(CLI::App& app, Program& program);
void add_passwd(CLI::App& app, Program& program);
void add_judge(CLI::App& app, Program& program);
void add_rule(CLI::App& app, Program& program);
void add_spec(CLI::App& app, Program& program);
void add_reload(CLI::App& app, Program& program);
void add_serve(CLI::App& app, Program& program);
void add_completion(CLI::App& app, Program& program);

// `--certificate yes|no` and the like, shared by the verbs that take a configuration.
struct FactOptions {
  std::string certificate = "auto", backend = "auto", relay_client = "auto";
  void add_to(CLI::App& verb, const std::string& certificate_auto, const std::string& backend_auto);
  [[nodiscard]] audit::SaidFacts said() const;
  [[nodiscard]] bool are_said() const { return certificate != "auto" || backend != "auto" || relay_client != "auto"; }
};

// To standard output; control octets as `?`.
void print(const std::string& text);

}  // namespace postern::cli
