// postern completion: what a shell offers after `postern`, made from the verbs, their options and the table of settings.
#include <algorithm>
#include <utility>

#include "audit/text.hpp"
#include "cli/verbs.hpp"
#include "spec/options.hpp"

namespace postern::cli {
namespace {

struct VerbWords {
  std::string name, words;
  std::string settings;  // each wants its value at once
};

// `SSL= FORCE_TLS= ... PORT=`
std::string setting_words() {
  std::vector<std::string> words;
  for (const spec::SettingOption& setting : spec::setting_options)
    words.push_back(std::string(spec::name_of(setting.option)) + "=");
  words.push_back(std::string(spec::name_of(spec::Option::PORT)) + "=");
  return audit::joined(words, " ");
}

VerbWords words_of(const CLI::App& verb) {
  std::vector<std::string> words;
  std::string settings;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_snames()) words.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    if (option->get_positional() && option->get_type_name().starts_with("SETTING")) settings = setting_words();
  }
  return {.name = verb.get_name(), .words = audit::joined(words, " "), .settings = std::move(settings)};
}

std::vector<VerbWords> verbs_of(const CLI::App& app) {
  std::vector<VerbWords> verbs;
  for (const CLI::App* verb : app.get_subcommands(nullptr)) verbs.push_back(words_of(*verb));
  return verbs;
}

std::string names_of(const std::vector<VerbWords>& verbs) {
  std::vector<std::string> names;
  for (const VerbWords& verb : verbs) names.push_back(verb.name);
  return audit::joined(names, " ");
}

// What is no word of ours may be a file.
std::string for_bash(const std::vector<VerbWords>& verbs) {
  std::string text = "_postern() {\n  local words=\n  if [ \"$COMP_CWORD\" = 1 ]; then\n    words='" + names_of(verbs) +
                     "'\n  else\n    case ${COMP_WORDS[1]} in\n";
  for (const VerbWords& verb : verbs)
    text +=
        "      " + verb.name + ") words='" + verb.words + (verb.settings.empty() ? "" : " ") + verb.settings + "' ;;\n";
  return text +
         "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$2\"))\n"
         "  case ${COMPREPLY[0]-} in *=) compopt -o nospace ;; esac\n}\n"
         "complete -o default -F _postern postern\n";
}

std::string for_zsh(const std::vector<VerbWords>& verbs) {
  std::string text = "#compdef postern\nif (( CURRENT == 2 )); then\n  compadd -- " + names_of(verbs) +
                     "\nelse\n  case $words[2] in\n";
  for (const VerbWords& verb : verbs) {
    text += "    " + verb.name + ") compadd -- " + verb.words;
    if (!verb.settings.empty()) text += "; compadd -S '' -- " + verb.settings;
    text += " ;;\n";
  }
  return text + "  esac\n  _files\nfi\n";
}

constexpr const char* about =
    "Completion of the verbs, options and settings of postern, for a shell.\n"
    "\n"
    "  postern completion bash >/usr/share/bash-completion/completions/postern\n"
    "  postern completion zsh >/usr/share/zsh/vendor-completions/_postern\n"
    "  . <(postern completion bash)       in this shell alone";

}  // namespace

void add_completion(CLI::App& app, Program& program) {
  CLI::App* verb = app.add_subcommand("completion", about);
  const auto shell = std::make_shared<std::string>();
  verb->add_option("shell", *shell, "which one")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}))
      ->type_name("bash|zsh");
  verb->callback([&app, &program, shell] {
    program.chosen = [&app, shell] {
      const std::vector<VerbWords> verbs = verbs_of(app);
      print(*shell == "bash" ? for_bash(verbs) : for_zsh(verbs));
      return 0;
    };
  });
}

}  // namespace postern::cli
