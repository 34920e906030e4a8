// A text says the class of its code: `(#5.7.1)` stands in a 5yz reply only (RFC 3463 2; RFC 5321 4.2.1).
#include <cctype>

#include "spec/verify.hpp"

namespace postern::spec {
namespace {

// The digits that begin an enhanced code in parentheses, `(#4.3.0)` or `(4.3.0)`, as the original writes them.
std::string classes_in(std::string_view text) {
  std::string classes;
  for (std::size_t at = text.find('('); at != std::string_view::npos; at = text.find('(', at + 1)) {
    std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('#')) rest.remove_prefix(1);
    if (rest.size() > 1 && std::isdigit(static_cast<unsigned char>(rest[0])) != 0 && rest[1] == '.') classes += rest[0];
  }
  return classes;
}

void check_reply(const ReplyText& reply, Problems& problems) {
  const char wanted = static_cast<char>('0' + (reply.code / 100));
  for (const char found : classes_in(reply.text) + reply.enhanced.substr(0, 1)) {
    if (found != wanted)
      problems.push_back({"replies.toml", reply.line,
                          "reply \"" + reply.name + "\" is " + std::to_string(reply.code) + " and says " + found +
                              ".x.x: RFC 3463 requires the same class"});
  }
  if (!reply.enhanced.empty() && !reply.text.ends_with("(#" + reply.enhanced + ")"))
    problems.push_back(
        {"replies.toml", reply.line, "the text of \"" + reply.name + "\" does not say its enhanced code"});
}

void check_verdict(const std::string& text, bool is_permanent, unsigned line, Problems& problems) {
  if (classes_in(text) == (is_permanent ? "5" : "4")) return;
  problems.push_back({"replies.toml", line,
                      "\"" + text + "\" is said with " + (is_permanent ? "554: it needs (#5" : "451: it needs (#4") +
                          ".x.x), and no other class"});
}

}  // namespace

void check_texts(const Model& model, Problems& problems) {
  for (const ReplyText& reply : model.replies) check_reply(reply, problems);
  for (const HandOverTextRow& row : model.hand_over_texts)
    check_verdict(row.text, row.is_permanent, row.line, problems);
  for (const QueueExit& exit : model.queue_exits) check_verdict(exit.text, exit.is_permanent, exit.line, problems);
}

}  // namespace postern::spec
