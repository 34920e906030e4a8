#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "observe/journal.hpp"
#include "observe/log.hpp"

namespace postern::observe {
namespace {

std::string prefix() { return "postern-smtpd[" + std::to_string(::getpid()) + "]: "; }

TEST(Log, a_line_is_a_word_and_fields) {
  LogLine line("refuse");
  line.field("rule", "mail_before_tls").field("reply", "503 STARTTLS first (#5.5.1)").client("user", "alice");
  line.number("octets", 18446744073709551615ULL);
  EXPECT_EQ(prefix() +
                "refuse rule=mail_before_tls reply=\"503 STARTTLS first (#5.5.1)\" user=alice "
                "octets=18446744073709551615",
            line.text());
}

TEST(Log, an_empty_field_is_seen) {
  LogLine line("x");
  line.field("a", "").client("b", "");
  EXPECT_EQ(prefix() + "x a=\"\" b=", line.text());
}

// deviation D17; recorded otherwise: c_log_injection
TEST(Log, octets_of_the_client_make_neither_a_line_nor_a_field) {
  LogLine line("auth");
  line.client("user", "a\nqmail-smtpd[1]: AUTH ok=1 \"root\" \\x41\t\x7f\xc3\xa9");
  line.client("nul", std::string_view("a\0b", 3));
  EXPECT_EQ(prefix() +
                "auth user=a\\x0aqmail-smtpd[1]:\\x20AUTH\\x20ok\\x3d1\\x20\\x22root\\x22\\x20\\x5cx41\\x09\\x7f"
                "\\xc3\\xa9 nul=a\\x00b",
            line.text());
}

TEST(Log, every_octet_of_a_client_is_harmless) {
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
  for (std::size_t at = 0; at < all.size(); at += 64) {
    LogLine line("x");
    line.client("v", all.substr(at, 64));
    const std::string_view value = line.text().substr(prefix().size() + 4);
    EXPECT_EQ(std::string_view::npos, value.find_first_of("\n\r\" ="));
    for (const char octet : value) EXPECT_TRUE(octet > 32 && octet < 127);
  }
}

TEST(Log, our_own_fields_cannot_break_a_line_either) {
  LogLine line("x");
  line.field("a", "one\ntwo").field("b", "say \"=\" \x01");
  EXPECT_EQ(prefix() + "x a=one\\x0atwo b=\"say \\x22=\\x22 \\x01\"", line.text());
}

TEST(Log, a_note_is_for_people) {
  LogLine line("refuse-start");
  line.note("SSL=\"O\" in the environment: only 0 and 1 are allowed\n");
  EXPECT_EQ(prefix() + "refuse-start: SSL=\"O\" in the environment: only 0 and 1 are allowed\\x0a", line.text());
}

TEST(Log, one_value_of_a_client_is_cut) {
  LogLine line("x");
  line.client("user", std::string(max_client_octets_logged + 1, 'u')).field("end", "1");
  EXPECT_EQ(prefix() + "x user=" + std::string(max_client_octets_logged, 'u') + "... end=1", line.text());
}

TEST(Log, a_long_line_is_cut_between_octets_and_never_in_an_escape) {
  for (std::size_t octets = 0; octets < 8; ++octets) {
    LogLine line("x");
    line.field("fill", std::string(900 + octets, 'f'));
    for (int i = 0; i < 10; ++i) line.client("user", std::string(100, '\n'));
    const std::string_view text = line.text();
    EXPECT_LT(text.size(), max_log_line_octets);
    EXPECT_TRUE(text.ends_with("..."));
    const std::string_view before = text.substr(0, text.size() - 3);
    const std::size_t escape = before.rfind('\\');
    ASSERT_NE(std::string_view::npos, escape);
    EXPECT_EQ(4U, before.size() - escape);
  }
}

TEST(Log, a_line_leaves_in_one_write) {
  std::array<int, 2> ends{};
  ASSERT_EQ(0, ::pipe2(ends.data(), O_CLOEXEC | O_DIRECT));  // a read gives what one write put in
  LogLine line("x");
  line.field("a", "1");
  line.write(ends[1]);
  LogLine second("y");
  second.field("fill", std::string(5000, 'f')).write(ends[1]);
  std::array<char, 4096> room{};
  ssize_t got = ::read(ends[0], room.data(), room.size());
  EXPECT_EQ(prefix() + "x a=1\n", std::string(room.data(), static_cast<std::size_t>(got)));
  got = ::read(ends[0], room.data(), room.size());
  EXPECT_LE(got, static_cast<ssize_t>(max_log_line_octets));
  EXPECT_TRUE(std::string_view(room.data(), static_cast<std::size_t>(got)).ends_with("...\n"));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Log, a_closed_log_is_no_trouble) { LogLine("x").write(-1); }

std::uint64_t given_clock() { return 1'769'903'999'000'042; }

const LogVoice in_json{
    .program = "postern", .output = nullptr, .form = LogForm::json, .process = 0, .clock = given_clock};

nlohmann::json parsed(const LogLine& line) { return nlohmann::json::parse(line.text(), nullptr, false); }

std::string text_of(const LogLine& line, const char* key) { return parsed(line).value(key, "<no text>"); }

TEST(LogInJson, a_line_is_one_object) {
  LogLine line("refuse", in_json);
  line.field("rule", "mail.starttls_first").client("user", "alice").number("octets", 18446744073709551615ULL);
  line.field("empty", "").note("a \"sentence\"\n");
  EXPECT_EQ("{\"time\":\"2026-01-31T23:59:59.000042Z\",\"program\":\"postern\",\"pid\":" + std::to_string(::getpid()) +
                ",\"event\":\"refuse\",\"rule\":\"mail.starttls_first\",\"user\":\"alice\","
                "\"octets\":18446744073709551615,\"empty\":\"\",\"note\":\"a \\\"sentence\\\"\\u000a\"}",
            line.text());
}

TEST(LogInJson, a_line_has_the_time_of_the_clock) {  // RFC 3339 5.6
  const std::uint64_t before = wall_clock_microseconds();
  EXPECT_GT(before, given_clock());
  EXPECT_LE(before, wall_clock_microseconds());
  const auto time_at = [](std::uint64_t (*clock)()) {
    return text_of(LogLine("x", {.form = LogForm::json, .clock = clock}), "time");
  };
  EXPECT_EQ("1970-01-01T00:00:00.000000Z", time_at([] { return std::uint64_t{0}; }));
  EXPECT_EQ("2028-02-29T00:00:00.999999Z", time_at([] { return std::uint64_t{1'835'395'200'999'999}; }));
}

TEST(Log, a_voice_that_knows_its_process_is_not_asked_again) {
  constexpr std::uint64_t ours = 1234567;
  EXPECT_EQ("x[1234567]: y", LogLine("y", {.program = "x", .process = ours}).text());
  EXPECT_EQ(ours, parsed(LogLine("y", {.program = "x", .form = LogForm::json, .process = ours})).value("pid", 0U));
}

TEST(LogInJson, every_line_is_whole_whenever_it_is_looked_at) {
  LogLine line("x", in_json);
  EXPECT_EQ("x", text_of(line, "event"));
  EXPECT_EQ(7, parsed(line.number("n", 7)).value("n", 0));
  EXPECT_EQ("", text_of(line.client("c", ""), "c"));
}

TEST(LogInJson, characters_stay_what_they_are) {  // RFC 3629 3; RFC 8259 7
  LogLine line("x", in_json);
  const std::string text = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xab = \"";
  line.client("v", text);
  EXPECT_EQ(text, text_of(line, "v"));
  EXPECT_TRUE(line.text().contains("gr\xc3\xbc"));
}

TEST(LogInJson, octets_that_are_no_utf_8_are_told_apart) {  // RFC 3629 4; deviation D17
  const auto value = [](std::string_view octets) {
    LogLine line("x", in_json);
    return text_of(line.client("v", octets), "v");
  };
  EXPECT_EQ("\\xff\\xc3", value("\xff\xc3"));                    // the latter is the half of one
  EXPECT_EQ("\\xc0\\x80", value("\xc0\x80"));                    // not the shortest form of NUL
  EXPECT_EQ("\\xe0\\x9f\\xbf", value("\xe0\x9f\xbf"));           // nor this
  EXPECT_EQ("\\xf0\\x8f\\xbf\\xbf", value("\xf0\x8f\xbf\xbf"));  // nor this
  EXPECT_EQ("\\xed\\xa0\\x80", value("\xed\xa0\x80"));           // a surrogate
  EXPECT_EQ("\\xf4\\x90\\x80\\x80", value("\xf4\x90\x80\x80"));  // above U+10FFFF
  EXPECT_EQ(
      "\\x80"
      "a",
      value("\x80"
            "a"));
  EXPECT_EQ(
      "\\xc3"
      "a",
      value("\xc3"
            "a"));
  EXPECT_EQ("\\x5cxff", value("\\xff"));  // what looks like one is not one
}

TEST(LogInJson, nothing_can_turn_or_break_a_line) {  // deviation D17
  std::string all;
  for (int octet = 0; octet < 32; ++octet) all += static_cast<char>(octet);
  all += "\x7f\xc2\x85\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c";
  LogLine line("x", in_json);
  line.client("v", all);
  for (const char octet : line.text()) EXPECT_TRUE(octet >= ' ' && octet < 127);
  EXPECT_EQ(all, text_of(line, "v"));
}

TEST(LogInJson, one_value_of_a_client_is_cut_between_characters) {
  for (std::size_t before = 0; before < 5; ++before) {
    std::string text(max_client_octets_logged - before, 'u');
    text += "\xf0\x9f\x93\xab and more";
    LogLine line("x", in_json);
    const std::string value = text_of(line.client("v", text), "v");
    EXPECT_TRUE(value.ends_with("...")) << value;
    EXPECT_FALSE(value.contains("\\x")) << value;
  }
  LogLine line("x", in_json);
  const std::string garbage(300, '\x80');
  EXPECT_TRUE(text_of(line.client("v", garbage), "v").ends_with("..."));
}

TEST(LogInJson, a_cut_line_is_valid_wherever_it_is_cut) {
  for (std::size_t octets = 0; octets < 120; ++octets) {
    LogLine line("x", in_json);
    line.field("fill", std::string(850 + octets, 'f')).number("number", 1234567890).client("who", "\n\xc3\xa4\xff\"");
    line.field("empty", "")
        .note("the end, and more than fits into a line that is nearly full by now, whatever comes first");
    EXPECT_LT(line.text().size(), max_log_line_octets);
    const nlohmann::json object = parsed(line);
    ASSERT_TRUE(object.is_object()) << line.text();
    EXPECT_TRUE(object.value("cut", false)) << line.text();
    EXPECT_EQ(1234567890, object.value("number", 1234567890)) << line.text();
  }
}

TEST(LogInJson, a_line_that_just_fits_is_not_cut) {
  bool was_whole = false;
  for (std::size_t octets = 850; octets < 1000; ++octets) {
    LogLine line("x", in_json);
    line.field("v", std::string(octets, 'f'));
    const nlohmann::json object = parsed(line);
    ASSERT_TRUE(object.is_object()) << line.text();
    was_whole = was_whole || !object.contains("cut");
    EXPECT_EQ(object.contains("cut"), text_of(line, "v").ends_with("..."));
  }
  EXPECT_TRUE(was_whole);
}

TEST(LogInJson, any_octets_make_a_valid_line) {
  std::uint32_t chance = 1;
  const auto octet = [&chance] {
    chance = chance * 1664525 + 1013904223;
    return static_cast<char>(chance >> 24U);
  };
  for (int round = 0; round < 2000; ++round) {
    LogLine line("x", in_json);
    for (int i = 0; i < 1 + round % 9; ++i) {
      std::string text;
      for (int n = 0; n < round % 211; ++n) text += octet();
      line.client("c", text).field("f", text);
    }
    ASSERT_TRUE(parsed(line).is_object()) << line.text();
    ASSERT_LT(line.text().size(), max_log_line_octets);
  }
}

TEST(LogInJson, the_voice_writes_whole_lines) {
  struct Output final : LogOutput {
    void write(std::string_view line) override { said += line; }
    std::string said;
  } output;
  LogLine("x", {.program = "postern", .output = &output, .form = LogForm::json}).note("n").write();
  EXPECT_TRUE(output.said.ends_with(",\"note\":\"n\"}\n"));
  LogLine("x", {.program = "postern", .output = &output}).note("n").write();
  EXPECT_TRUE(output.said.ends_with("]: x: n\n"));
}

// What nobody has looked at is neither there nor missing.
TEST(Journal, a_message_names_each_of_its_recipients) {
  struct All final : LogOutput {
    void write(std::string_view line) override { text += line; }
    std::string text;
  } all;
  engine::LoneSession session({.settings_and_facts = {}, .host = "mx.example.org"});
  std::array<char, 512> scratch{};
  static_cast<void>(session.report(spec::Event::connect_ready));
  static_cast<void>(session.step("MAIL FROM:<a@b.example>\r\n", scratch));
  const auto told = [&](const char* recipient) {
    const std::string line = "RCPT TO:<" + std::string(recipient) + ">\r\n";
    static_cast<void>(session.step(line, scratch));
    static_cast<void>(session.report(spec::Event::recipient_ours, recipient));
    all.text.clear();
    Journal("192.0.2.7", {}, {.output = &all})
        .message({1700000000, 7}, {deliver::Outcome::Result::accepted, "ok", {}}, session);
    return std::string_view(all.text).substr(std::min(all.text.find('\n') + 1, all.text.size()));
  };
  EXPECT_EQ("", told("alice@ours.example"));
  EXPECT_TRUE(all.text.contains(" recipients=1 from=a@b.example to=alice@ours.example "));
  EXPECT_TRUE(told("bob@ours.example")
                  .ends_with("recipient client=192.0.2.7 result=accepted id=1700000000-7 to=bob@ours.example\n"));
  EXPECT_TRUE(told("carol@ours.example").contains("to=bob@ours.example\n"));
  EXPECT_TRUE(all.text.ends_with("to=carol@ours.example\n"));
}

TEST(Journal, a_start_says_whether_starttls_has_a_certificate_where_it_could_have_one) {
  std::string said;
  class Last final : public LogOutput {
   public:
    explicit Last(std::string& line) : line_(line) {}
    void write(std::string_view line) override { line_ = line; }

   private:
    std::string& line_;
  } last(said);
  const auto line_of = [&](std::uint64_t bits) {
    config::Start start;
    start.settings_and_facts.bits = bits;
    Journal({}, {}, {.output = &last}).settings(start);
    return said;
  };
  EXPECT_TRUE(line_of(spec::bit::certificate).contains(" certificate=1 "));
  EXPECT_TRUE(line_of(0).contains(" certificate=0 "));
  EXPECT_FALSE(line_of(spec::bit::SSL).contains("certificate"));
  EXPECT_FALSE(line_of(spec::bit::DENY_TLS).contains("certificate"));
}

}  // namespace
}  // namespace postern::observe
