#include "server/dry_run.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/child.hpp"

namespace postern::server {
namespace {

// Event and sentence, each with a NUL after it.
std::string packed(const std::vector<Notice>& notices) {
  std::string text;
  for (const Notice& notice : notices) text += notice.event + '\0' + notice.sentence + '\0';
  return text;
}

std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find('\0'));
  text.remove_prefix(std::min(word.size() + 1, text.size()));
  return word;
}

[[noreturn]] void play(const ServerStart& start, Services services, int to) {
  const std::string text = packed(dry_run(start, services));
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t octets = ::write(to, rest.data(), rest.size());
    if (octets <= 0) ::_exit(1);
    rest.remove_prefix(static_cast<std::size_t>(octets));
  }
  ::_exit(0);
}

std::string read_all(int from) {
  std::string text;
  std::array<char, 4096> some{};
  for (;;) {
    const ssize_t octets = ::read(from, some.data(), some.size());
    if (octets == 0 || (octets < 0 && errno != EINTR)) return text;
    if (octets > 0) text.append(some.data(), static_cast<std::size_t>(octets));
  }
}

}  // namespace

std::expected<std::vector<Notice>, std::string> dry_run_apart(const ServerStart& start, Services services) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return std::unexpected("no descriptor is left for a pipe");
  base::Descriptor reading(ends[0]), writing(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected("cannot start a child for a dry run of the start");
  if (child == 0) play(start, services, ends[1]);
  writing = base::Descriptor();
  const std::string text = read_all(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return std::vector<Notice>{{.event = "config", .sentence = "the dry run of the start broke off"}};
  std::vector<Notice> notices;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view event = take_word(rest), sentence = take_word(rest);
    notices.push_back({std::string(event), std::string(sentence)});
  }
  return notices;
}

}  // namespace postern::server
