// What of recipients cannot be asked as it is: of a start, a check and a reload.
#include <cerrno>
#include <string>

#include "base/program_file.hpp"
#include "config/as_it_is.hpp"
#include "config/cdb_file.hpp"
#include "config/control.hpp"
#include "config/start.hpp"

namespace postern::config {
namespace {

ListProblem::Kind kind_of(int error_number) {
  const bool may_pass =
      error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM || error_number == EIO;
  return may_pass ? ListProblem::Kind::passing : ListProblem::Kind::broken;
}

}  // namespace

std::optional<ListProblem> find_problem_of_valid_recipients(const std::string& named, CdbLook look) {
  const bool is_named = !named.empty();
  const std::string path = is_named ? named : "control/validrcptto.cdb";
  CdbFile file;
  const int error = look == CdbLook::whole ? file.open_copy(path.c_str()) : file.open(path.c_str());
  const bool is_missing = error == ENOENT || error == ENOTDIR;
  if (error == 0 || (!is_named && error == ENOENT)) return std::nullopt;
  if (is_named && is_missing)
    return ListProblem{
        .kind = ListProblem::Kind::missing,
        .sentence = "VALIDRCPTTO_CDB=\"" + named + "\" does not exist: make it with cdb -c, or unset VALIDRCPTTO_CDB"};
  return ListProblem{.kind = kind_of(error),
                     .sentence = (is_named ? "VALIDRCPTTO_CDB: " : "") + describe_cdb_problem(path, error) +
                                 ": make it again with cdb -c" + std::string(as_it_is) +
                                 "each recipient of ours gets 451"};
}

std::optional<ListProblem> find_problem_of_more_rcpthosts() {
  constexpr const char* path = "control/morercpthosts.cdb";
  if (const auto hosts = read_list("rcpthosts"); hosts && !*hosts) return std::nullopt;
  const int error = CdbFile().open_copy(path);
  if (error == 0 || error == ENOENT) return std::nullopt;
  return ListProblem{.kind = kind_of(error),
                     .sentence = describe_cdb_problem(path, error) + ": make it again with cdb -c" +
                                 std::string(as_it_is) +
                                 "each recipient of a domain that control/rcpthosts lacks gets 451"};
}

std::string find_problem_of_recipient_program(const std::string& program, std::string_view origin) {
  const std::string objection = program.empty() ? std::string() : base::objection_to_program(program);
  if (objection.empty()) return {};
  const bool has_blank = program.find_first_of(" \t") != std::string::npos;
  const std::string_view remedy = has_blank ? ": RCPTCHECK takes no arguments; name a program alone, or unset it"
                                  : objection.contains(": ") ? ", or unset RCPTCHECK"
                                                             : ": name a program, or unset it";
  return "RCPTCHECK=\"" + program + "\" in " + std::string(origin) + " cannot be run: it " + objection +
         std::string(remedy) + std::string(as_it_is) + "each recipient of ours gets 451";
}

}  // namespace postern::config
