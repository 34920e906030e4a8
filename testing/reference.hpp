// A second opinion: one SMTP session as written by a reader of RFC 5321, 3207, 4954, the seed document and the list
// of deviations, and has seen neither spec/*.toml nor the engine. Slow, obvious, ifs and strings; shares nothing.
// in      World, what the operator has set and the start has found; then octets of the client, and outcomes by name
// out     Words: what the server says ('S', a line), hands over ('F', 'T', 'M') and that it closes ('X'); state()
// limits  reads addresses of letters, digits, dots and hyphens only (testing/naive_command reads all that there are),
//         and does not count the 64 MiB of deviation D4 (tests/dialogues/smuggling_without_end.smtp)
// source  RFC 5321 3, 4; RFC 3207 4; RFC 4954 4; RFC 4616 2; RFC 1870 6; seed; docs/deviations.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::testing {

struct World {
  bool SSL = false, FORCE_TLS = false, DENY_TLS = false, AUTH = false, REQUIRE_AUTH = false,
       ALLOW_INSECURE_AUTH = false;
  bool certificate = false, backend = false, relay_client = false, local_only = false;
  std::string host;
  std::uint64_t databytes = 0;  // 0: no limit
  std::size_t max_recipients = 1000;
  bool strict_addresses = false;
  bool has_room = true;       // for a message, at DATA
  bool asks_at_data = false;  // somebody judges each message before it comes
};

// What a doctored reference gets wrong, one thing at a time: the comparison must notice each.
enum class Slip : std::uint8_t {
  none,
  takes_mail_before_starttls,
  takes_mail_before_auth,
  challenges_in_clear,
  lists_auth_in_clear,
  keeps_the_greeting_over_starttls,
  keeps_the_login_over_starttls,
  starts_tls_when_denied,
  starts_tls_twice,
  lets_auth_into_a_transaction,
  relays_for_strangers,
  forgets_rset,
  keeps_the_transaction_after_data,
  takes_data_without_recipient,
  counts_no_errors,
  counts_no_auth_commands,
  counts_the_servers_trouble,
  takes_a_bare_lf,
  goes_on_after_a_bare_lf,
  takes_one_octet_too_much,
  greets_who_is_denied,
  ends_without_a_word,
  relays_where_mail_ends,
  takes_data_without_room,
  takes_data_unjudged,
};
inline constexpr std::size_t slips = 25;

// What a reference remembers, for callers that begin in the middle.
struct Memory {
  std::string phase = "connect";
  bool tls = false, logged_in = false;
  std::string hello;
  bool has_sender = false, has_recipient = false;
  int errors = 0, auth_commands = 0;
};

// In one line, but the counts.
[[nodiscard]] std::string state_of(const Memory& memory);

using Word = std::pair<char, std::string>;
using Words = std::vector<Word>;

class Reference {
 public:
  explicit Reference(World world, Slip slip = Slip::none);
  Reference(World world, const Memory& memory);

  void hear(std::string_view octets);
  // "connect.ready", "recipient.ours", "timeout", "shutting_down", ... `text`: the address to keep, or what the hand-over said.
  void learn(const std::string& outcome, const std::string& text = "");

  [[nodiscard]] Words take_words() { return std::exchange(words_, {}); }
  // connect, command, plain, username, password, credentials, recipient, message, data, hand_over, handshake, end
  [[nodiscard]] const std::string& phase() const { return phase_; }
  // All that it remembers, but the counts of errors and of AUTH commands.
  [[nodiscard]] std::string state() const { return state_of(memory()); }
  [[nodiscard]] Memory memory() const;
  [[nodiscard]] int errors() const { return errors_; }
  [[nodiscard]] int auth_commands() const { return auth_commands_; }
  [[nodiscard]] const World& world() const { return world_; }

 private:
  void connect(const std::string& found, const std::string& text);
  void start(const std::string& found, const std::string& text);
  void work();
  bool take_line();
  bool take_mail_data();
  void hear_a_bare_lf();
  void obey(const std::string& line);
  void obey_verb(const std::string& verb, const std::string& rest, const std::string& line);
  void hello(const std::string& verb, const std::string& name);
  void starttls(const std::string& rest);
  void auth(const std::string& rest);
  void auth_plain(const std::string& base64);
  void auth_user(const std::string& base64);
  void answer(const std::string& line);
  void mail(const std::string& rest);
  void rcpt(const std::string& rest);
  void data();
  void end_of_data(const std::string& octets);
  void learn_recipient(const std::string& outcome, const std::string& text);
  void learn_message(const std::string& outcome, const std::string& text);
  void learn_credentials(const std::string& outcome);
  void learn_hand_over(const std::string& outcome, const std::string& text);
  void learn_handshake(const std::string& outcome);
  void say(const std::string& line);
  void close();
  void forget_transaction();
  [[nodiscard]] bool encrypted() const { return tls_ || world_.SSL; }
  [[nodiscard]] bool auth_works() const;
  [[nodiscard]] bool starttls_works() const;
  [[nodiscard]] bool slips(Slip slip) const { return slip_ == slip; }

  World world_;
  Slip slip_;
  Words words_;
  std::string phase_ = "connect";
  bool tls_ = false;  // by STARTTLS
  bool logged_in_ = false;
  std::string hello_;  // HELO, EHLO or nothing
  std::optional<std::string> sender_;
  std::vector<std::string> recipients_;
  std::string asked_about_;  // the forward-path that is looked up
  std::string unread_;
  int errors_ = 0;         // since the last accepted message
  int auth_commands_ = 0;  // in the whole connection
};

}  // namespace postern::testing
