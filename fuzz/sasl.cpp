// An AUTH exchange: [which one] then the client's answers, one a line (LF).
// oracle  base64 decodes as RFC 4648 4 says it, bit by bit; each answer is judged, and user and password are read, as by
//         the second opinion; views lie inside the object; after wipe() no octet of a password stays in it
#include "engine/sasl.hpp"

#include <cstdint>
#include <cstring>
#include <new>
#include <string>

#include "fuzz/must.hpp"
#include "fuzz/mutate.hpp"
#include "grammar/base64.hpp"
#include "testing/guard_page.hpp"
#include "testing/reference_text.hpp"

namespace {

using namespace postern;
using engine::ResponseKind;
using fuzz::must;
namespace text = testing::reference_text;

constexpr std::size_t most_octets = 16 * 1024;

void check_base64(std::string_view line) {
  static testing::GuardedOctets in(most_octets), out(most_octets);
  const auto room = out.space_before_guard(line.size() / 4 * 3);
  const auto decoded = grammar::decode_base64(in.before_guard(line), room);
  if (line.find_first_not_of(" \t") == std::string_view::npos) return;
  const auto wanted = text::decoded(std::string(line));
  must(decoded.has_value() == wanted.has_value(), "base64 is judged otherwise");
  if (decoded) must(*wanted == std::string_view(room.data(), *decoded), "base64 is decoded otherwise");
}

class Exchange {
 public:
  Exchange() : sasl_(new(storage_.space_before_guard(sizeof(engine::Sasl)).data()) engine::Sasl) {}

  void plain(std::string_view line) {
    const ResponseKind kind = sasl_->take_plain(line);
    judge(kind, line, text::is_plain_message(std::string(line)));
    if (kind != ResponseKind::valid) return;
    const std::string message = *text::decoded(std::string(line));
    const std::size_t last = message.rfind('\0');
    const std::size_t first = message.rfind('\0', last - 1);
    must(sasl_->username() == std::string_view(message).substr(first + 1, last - first - 1), "another user");
    must(sasl_->password() == std::string_view(message).substr(last + 1), "another password");
    forget();
  }
  void login(std::string_view user, std::string_view password) {
    const ResponseKind kind = sasl_->take_username(user);
    judge(kind, user, text::is_name_or_password(std::string(user)));
    if (kind != ResponseKind::valid) return forget();
    const ResponseKind second = sasl_->take_password(password);
    judge(second, password, text::is_name_or_password(std::string(password)));
    must(sasl_->username() == *text::decoded(std::string(user)), "another user");
    if (second == ResponseKind::valid)
      must(sasl_->password() == *text::decoded(std::string(password)), "another password");
    forget();
  }

 private:
  void judge(ResponseKind kind, std::string_view line, bool is_valid) {
    const ResponseKind wanted = line == "*" ? ResponseKind::cancelled
                                : is_valid  ? ResponseKind::valid
                                            : ResponseKind::malformed;
    must(kind == wanted, "an answer is judged otherwise");
    for (const std::string_view view : {sasl_->username(), sasl_->password()}) {
      const auto* const begin = reinterpret_cast<const char*>(sasl_);
      must(view.empty() || (view.data() >= begin && view.data() + view.size() <= begin + sizeof(*sasl_)),
           "a view points outside");
    }
  }
  void forget() {
    const std::string password(sasl_->password());
    sasl_->wipe();
    must(sasl_->username().empty() && sasl_->password().empty(), "something is kept");
    if (password.size() < 8 || password.contains('\0')) return;  // wiped memory is made of NUL
    must(memmem(static_cast<const void*>(sasl_), sizeof(*sasl_), password.data(), password.size()) == nullptr,
         "a password stays in memory");
  }

  testing::GuardedOctets storage_{sizeof(engine::Sasl)};
  engine::Sasl* sasl_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_lines({data, most}, size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Exchange exchange;
  if (size < 1 || size > spec::max_auth_line_octets) return 0;
  const std::string_view lines(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t end = std::min(lines.find('\n'), lines.size());
  const std::string_view first = lines.substr(0, end), second = lines.substr(std::min(end + 1, lines.size()));
  check_base64(first);
  if (data[0] % 2 == 0)
    exchange.plain(first);
  else
    exchange.login(first, second);
  return 0;
}
