// The n-th allocation of a session fails, for n = 1, 2, 3, ...: nothing throws, the client is served or gets 4xx, and no
// descriptor or file is left. In a program of its own, because it replaces operator new.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/serve.hpp"
#include "tests/daemon_home.hpp"
#include "tests/maildir_place.hpp"

namespace {
// operator new has no other place for it.
struct Failing {
  std::size_t made = 0, skip = 0, count = 0;
};
Failing& failing() {
  static Failing failing;
  return failing;
}
}  // namespace

// Not inline, or the compiler sees malloc() where it wants new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  Failing& now = failing();
  const std::size_t number = now.made++;
  const bool fails = now.count != 0 && number >= now.skip && number - now.skip < now.count;
  if (!fails)
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace postern::daemon {
namespace {

constexpr std::size_t always = ~std::size_t{0};

// A client that says its next piece when it has been answered; allocates nothing.
class Client final : public Transport {
 public:
  explicit Client(const std::vector<std::string>& pieces) : pieces_(pieces) {}

  [[nodiscard]] ReadResult read(std::span<char> into) override {
    if (next_ == pieces_.size() || heard_.size() == 0 || has_heard_4yz()) return {Io::closed, 0};
    const std::string& piece = pieces_[next_++];
    return {Io::done, piece.copy(into.data(), into.size())};
  }
  [[nodiscard]] Io write(std::string_view octets) override {
    for (const char octet : octets)
      if (size_ < room_.size()) room_[size_++] = octet;
    heard_ = {room_.data(), size_};
    return Io::done;
  }
  [[nodiscard]] std::string_view heard() const { return heard_; }
  [[nodiscard]] bool has_heard_4yz() const { return heard_.starts_with('4') || heard_.contains("\n4"); }

 private:
  const std::vector<std::string>& pieces_;
  std::size_t next_ = 0, size_ = 0;
  std::array<char, 8192> room_{};
  std::string_view heard_;
};

class NoTls final : public TlsStarter {
 public:
  void start_tls(engine::Counters) override {}
};

class Quiet final : public observe::LogOutput {
 public:
  void write(std::string_view line) override { has_spoken = has_spoken || line.contains("memory"); }
  bool has_spoken = false;
};

struct Heard {
  int code;
  std::string text;
  bool is_4yz, is_logged;
};

class Memory : public ::testing::Test {
 protected:
  void SetUp() override {
    home_.write("control/me", "mx.example.org\n");
    home_.write("control/rcpthosts", "ours.example\n");
    std::filesystem::create_directory("mail");
  }

  [[nodiscard]] Heard talk(const std::vector<std::string>& variables, const std::vector<std::string>& pieces,
                           std::size_t skip, std::size_t count) const {
    std::vector<const char*> pointers;
    for (const std::string& variable : variables) pointers.push_back(variable.c_str());
    pointers.push_back(nullptr);
    base::Environment environment(pointers.data());
    Quiet log;
    const observe::Journal journal("192.0.2.1", {}, {.output = &log});
    const config::Start start = config::judge_start({}, environment, "the test");
    EXPECT_EQ(start.event, spec::Event::connect_ready);
    Client client(pieces);
    NoTls tls;
    failing() = {.made = 0, .skip = skip, .count = count};
    const int code = serve({.start = start,
                            .arguments = {},
                            .environment = environment,
                            .journal = journal,
                            .transport = client,
                            .tls = tls});
    failing().count = 0;
    return {code, std::string(client.heard()), client.has_heard_4yz(), log.has_spoken};
  }

  // All allocations of a session, one by one, and each with all that follow.
  void hold(std::vector<std::string> variables, const std::vector<std::string>& pieces, std::string_view last) const {
    variables.insert(variables.end(), {"DENY_TLS=1", "TCPREMOTEIP=192.0.2.1"});
    const Heard unharmed = talk(variables, pieces, 0, 0);
    const std::size_t total = failing().made;
    ASSERT_TRUE(unharmed.text.contains(last)) << unharmed.text;
    ASSERT_EQ(unharmed.code, 0);
    std::size_t descriptors = deliver::open_descriptors(), told = 0;
    for (const std::size_t count : {std::size_t{1}, always})
      for (std::size_t n = 0; n < total; ++n) {
        const Heard heard = talk(variables, pieces, n, count);
        EXPECT_TRUE(heard.is_4yz || (heard.code == 0 && heard.text.contains(last))) << n << ": " << heard.text;
        EXPECT_FALSE(heard.text.contains("\n5")) << n << ": " << heard.text;
        EXPECT_TRUE(heard.is_logged || !heard.is_4yz) << n << ": " << heard.text;
        told += heard.is_4yz ? 1U : 0U;
      }
    EXPECT_GT(told, total);
    EXPECT_EQ(deliver::open_descriptors(), descriptors);
    std::printf("%zu allocations, %zu of %zu sessions heard 4yz\n", total, told, 2 * total);
  }

  [[nodiscard]] static std::vector<std::string> letter(std::size_t octets) {
    std::vector<std::string> pieces{"EHLO c.example\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@ours.example>\r\n",
                                    "DATA\r\n", "Subject: x\r\nReturn-"};
    for (; octets > 0; octets -= std::min<std::size_t>(octets, 1000))
      pieces.push_back(std::string(std::min<std::size_t>(octets, 998), 'x') + "\r\n");
    pieces.insert(pieces.end(), {".\r\n", "QUIT\r\n"});
    return pieces;
  }

  tests::Home home_;
};

TEST_F(Memory, ends_in_a_letter_for_a_maildir) {
  for (const std::size_t octets : {100UZ, 100'000UZ}) hold({"POSTERN_MAILDIR=mail"}, letter(octets), "250 ok 1");
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("mail")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(entry.path().parent_path().filename(), "new");
  }
  EXPECT_GE(files, 2U);
}

TEST_F(Memory, ends_in_a_letter_for_a_queue_program) {
  home_.write_program("queue", "#!/bin/sh\ncat >/dev/null; cat <&1 >/dev/null\n");
  hold({"QMAILQUEUE=" + home_.path() + "/queue"}, letter(100), "250 ok 1");
}

TEST_F(Memory, ends_in_a_login) {
  // crypt(3) of `wonderland`
  home_.write_cdb("users.cdb", {{"alice", "$5$rounds=1000$oraclesalt$trnN8VapAOXiuXzdVSPJNrmg/ho5bvNky20PjOit3dA"}});
  hold({"POSTERN_MAILDIR=mail", "AUTH_CDB=users.cdb", "ALLOW_INSECURE_AUTH=1"},
       {"EHLO c.example\r\n", "AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=\r\n", "QUIT\r\n"}, "235 ");
}

}  // namespace
}  // namespace postern::daemon
