#include "cli/serve_start.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "audit/text.hpp"
#include "base/real_path.hpp"
#include "cli/serve_file.hpp"
#include "cli/serve_variables.hpp"
#include "config/listener_places.hpp"
#include "config/variables.hpp"
#include "observe/log.hpp"
#include "server/dry_run.hpp"

namespace postern::cli {
namespace {

// Where the file will be once the root has changed. Its own name may be a link, and is followed again by each reload.
std::string path_below(const std::string& root, const std::string& path) {
  if (root.empty()) return path;
  const std::string real_root = base::real_path(root), folder = base::real_path(base::folder_of(path));
  const std::string name = path.substr(path.rfind('/'));
  if (folder == real_root || real_root == "/") return (real_root == "/" ? folder : "") + name;
  return folder.starts_with(real_root + "/") ? folder.substr(real_root.size()) + name : path;
}

// A path of this listener that the sentence is about.
bool is_about(std::string_view sentence, std::string_view path) {
  if (path.empty()) return false;
  const std::string text(path);
  return sentence.contains("\"" + text + "\"") || sentence.contains(" " + text + ": ") ||
         sentence.contains(": " + text + " ") || sentence.contains(" " + text + " cannot be run");
}

bool names_what_was_understood(std::string_view sentence, const config::ListenerSettings& listener) {
  for (const std::string_view variable : listener.variables) {
    const std::size_t equals = variable.find('=');
    const spec::OptionRow* const row = config::find_variable(variable.substr(0, equals));
    const bool is_place =
        row != nullptr && (row->kind == spec::OptionKind::path || row->kind == spec::OptionKind::address);
    if (is_place && is_about(sentence, variable.substr(equals + 1))) return true;
  }
  for (const tls::CertificateFiles& files : listener.certificates)
    if (is_about(sentence, files.certificate) || is_about(sentence, files.key)) return true;
  return is_about(sentence, listener.tcprules) ||
         (listener.check_program.size() > 1 && is_about(sentence, listener.check_program[1]));
}

// Of a listener that may lack something, only what is said of a file that it names does not follow from that.
bool may_follow(std::string_view sentence, const ServeFileFaults& faults, const config::Configuration& understood) {
  for (const config::ListenerSettings& each : understood.listeners) {
    const auto begins = [&](const std::string& place) { return sentence.starts_with(place + ":"); };
    const bool is_its_own = begins(each.place) || sentence.starts_with(each.place + ",") ||
                            std::ranges::any_of(each.variable_places, begins);
    if (is_its_own && std::ranges::find(faults.doubtful, each.place) != faults.doubtful.end())
      return !names_what_was_understood(sentence, each);
  }
  return false;
}

// What a start would refuse of the rest, were the file right.
std::vector<std::string> also_wrong(const ServeFileFaults& faults) {
  if (!faults.understood) return {};
  const auto notices = server::dry_run_apart(
      {.settings = *faults.understood, .read_again = {}, .environment = environ, .version = POSTERN_VERSION},
      server::Services::unasked);
  std::vector<std::string> sentences;
  for (const server::Notice& notice : notices.value_or(std::vector<server::Notice>()))
    if (notice.event == "config" && !may_follow(notice.sentence, faults, *faults.understood))
      sentences.push_back(notice.sentence);
  return sentences;
}

// The problems of the file, of the variables beside it, and of the start that it asks for.
std::vector<std::string> all_problems(ServeFile& read, std::vector<std::string> beside) {
  ServeFileFaults faults;
  if (read)
    faults.understood = std::move(*read);
  else
    faults = std::move(read.error());
  if (!beside.empty() && faults.understood)
    for (const config::ListenerSettings& each : faults.understood->listeners) faults.doubtful.push_back(each.place);
  std::vector<std::string> problems = faults.sentences;
  std::ranges::move(beside, std::back_inserter(problems));
  std::ranges::move(also_wrong(faults), std::back_inserter(problems));
  config::put_in_order_of_lines(problems);
  return problems;
}

std::expected<config::Configuration, std::vector<std::string>> read_shadow(const std::string& path) {
  ServeFile read = read_serve_file(path, path);
  if (!read) return std::unexpected(std::move(read.error().sentences));
  return std::move(*read);
}

}  // namespace

std::expected<server::ServerStart, std::vector<std::string>> start_of_file(const std::string& file,
                                                                           const std::string& shadow) {
  const std::string path = std::filesystem::absolute(file).string();
  const config::FileWatch::State by_its_real_path = config::FileWatch::state_of(base::real_path(path));
  ServeFile read = read_serve_file(path, file);
  std::vector<std::string> beside = variables_beside(file, environ);
  if (!read || !beside.empty()) return std::unexpected(all_problems(read, std::move(beside)));
  read->file = path_below(read->chroot, path);
  if (read->file != path) read->file_state = by_its_real_path;
  const std::string shadow_path =
      shadow.empty() ? std::string() : path_below(read->chroot, std::filesystem::absolute(shadow).string());
  const auto with_shadow = [shadow_path](config::Configuration settings) {
    if (!shadow_path.empty()) settings.shadow = shadow_path;
    return settings;
  };
  const auto read_again = [path = read->file, file,
                           with_shadow]() -> std::expected<config::Configuration, std::string> {
    ServeFile again = read_serve_file(path, file);
    if (!again) return std::unexpected(audit::joined(again.error().sentences, "; "));
    return with_shadow(std::move(*again));
  };
  return server::ServerStart{.settings = with_shadow(std::move(*read)),
                             .read_again = read_again,
                             .environment = environ,
                             .version = POSTERN_VERSION,
                             .read_shadow = read_shadow};
}

int serve_file(const std::string& file, const std::string& shadow) {
  constexpr int exit_refused = 100;
  const auto start = start_of_file(file, shadow);
  if (start) return server::serve(*start);
  for (const std::string& sentence : start.error())
    observe::LogLine("config", {.program = "postern"}).note(sentence).write();
  return exit_refused;
}

}  // namespace postern::cli
