// Seed: SSL, FORCE_TLS, DENY_TLS, AUTH, REQUIRE_AUTH; deviations D10 to D12; tcprules(1).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "server/policies.hpp"
#include "tests/daemon_home.hpp"
#include "tests/tls_meeting.hpp"

namespace postern::server {
namespace {

namespace bit = spec::bit;

// Lines of the log, as they come.
class Lines final : public observe::LogOutput {
 public:
  void write(std::string_view line) override { all.emplace_back(line); }
  std::vector<std::string> all;
};

class Judging : public ::testing::Test {
 protected:
  void SetUp() override {
    home_.write("control/me", "mx.example\n");
    std::filesystem::create_directory("mail");
  }
  Policies::Made make(std::vector<std::vector<std::string>> variables, const char* const* process = nullptr,
                      std::shared_ptr<KnownCertificates> known = std::make_shared<KnownCertificates>()) {
    config::Configuration settings;
    settings.domains = {"example"};
    for (std::size_t i = 0; i < variables.size(); ++i) {
      config::ListenerSettings& listener = settings.listeners.emplace_back();
      listener.place = "listener " + std::to_string(i);
      listener.variables = std::move(variables[i]);
      listener.variables.insert(listener.variables.begin(), "POSTERN_MAILDIR=mail");
    }
    return Policies::make(std::move(settings), process, {.program = "postern", .output = &lines_}, std::move(known));
  }
  std::shared_ptr<const Policies> made(std::vector<std::vector<std::string>> variables,
                                       const char* const* process = nullptr) {
    auto result = make(std::move(variables), process);
    if (!result) ADD_FAILURE() << result.error().front();
    return result.value_or(nullptr);
  }
  tests::Home home_;
  Lines lines_;
};

std::string record(std::initializer_list<std::string_view> items) {
  std::string value;
  for (const std::string_view item : items) value.append(item).push_back('\0');
  return value;
}

TEST_F(Judging, later_variables_win_process_then_listener_then_class) {
  constexpr std::array process{"DATABYTES=1", "SMTPGREETING=process", "ONLY=process",
                               static_cast<const char*>(nullptr)};
  const auto policies = made({{"DATABYTES=2", "SMTPGREETING=listener"}}, process.data());
  const auto everybody = policies->find(0, {});
  EXPECT_EQ(2U, everybody->start.databytes);
  EXPECT_EQ("listener", everybody->start.host);
  EXPECT_EQ(3U, policies->find(0, record({"+DATABYTES=3"}))->start.databytes);
  EXPECT_EQ(1, std::ranges::count(everybody->variables, "ONLY=process"));
  const auto named = [](const std::string& each) { return each.starts_with("DATABYTES="); };
  EXPECT_EQ(1, std::ranges::count_if(everybody->variables, named)) << "each name once";
}

TEST_F(Judging, what_systemd_told_the_process_is_for_no_client) {
  constexpr std::array process{"LISTEN_FDS=1", "NOTIFY_SOCKET=/x", "WATCHDOG_USEC=1",
                               static_cast<const char*>(nullptr)};
  const auto served = made({{}}, process.data())->find(0, {});
  EXPECT_EQ(std::vector<std::string>{"POSTERN_MAILDIR=mail"}, served->variables);
}

TEST_F(Judging, a_listener_s_variables_are_not_another_s) {
  const auto policies = made({{"DATABYTES=1"}, {}});
  EXPECT_EQ(1U, policies->find(0, {})->start.databytes);
  EXPECT_EQ(spec::default_databytes, policies->find(1, {})->start.databytes);
}

TEST_F(Judging, a_message_has_a_bound_unless_the_operator_wants_none) {
  EXPECT_EQ(10'240'000U, made({{}})->find(0, {})->start.databytes);
  EXPECT_EQ(0U, made({{"DATABYTES=0"}})->find(0, {})->start.databytes);
  home_.write("control/databytes", "0\n");
  EXPECT_EQ(0U, made({{}})->find(0, {})->start.databytes);
}

TEST_F(Judging, a_class_is_judged_once_and_its_problems_are_told_once) {
  const auto policies = made({{}});
  const std::string wrong = record({"+FORCE_TLS=yes"});
  const auto first = policies->find(0, wrong);
  EXPECT_EQ(first, policies->find(0, wrong));
  EXPECT_FALSE(first->is_served);
  EXPECT_EQ(spec::Event::connect_bad_value, first->start.event);
  ASSERT_EQ(1U, lines_.all.size());
  EXPECT_NE(std::string::npos, lines_.all[0].find("listener 0, a new class: FORCE_TLS=\"yes\" in the class: "))
      << lines_.all[0];
  EXPECT_NE(policies->find(0, record({"+RELAYCLIENT="})), policies->find(0, {}));
}

// Of a class beyond those that are judged early; the cdb is there before, or comes later.
TEST_F(Judging, what_a_late_class_names_is_watched_from_then_on) {
  home_.write("late.pem", "no certificate");
  const auto policies = made({{}});
  const auto have_changed = [&] { return policies->have_files_changed() || policies->have_files_changed(); };
  home_.write_cdb("late.cdb", {{"user@example", ""}});
  EXPECT_FALSE(have_changed()) << "nobody names it";
  EXPECT_TRUE(policies->find(0, record({"+VALIDRCPTTO_CDB=late.cdb", "+AUTH_CDB=none.cdb"})) != nullptr);
  EXPECT_TRUE(policies->find(0, record({"+TLS_SERVER_CERT=late.pem"})) != nullptr);
  EXPECT_FALSE(have_changed());
  home_.write_cdb("late.cdb", {{"other@example", ""}});
  EXPECT_TRUE(have_changed());
  home_.write("late.pem", "still no certificate");
  EXPECT_TRUE(have_changed());
  home_.write_cdb("none.cdb", {});
  EXPECT_FALSE(have_changed()) << "it is read live";
  EXPECT_FALSE(have_changed());
}

TEST_F(Judging, relayclient_of_a_class_is_a_fact_for_it_alone) {
  const auto policies = made({{}});
  EXPECT_TRUE(policies->find(0, record({"+RELAYCLIENT="}))->start.settings_and_facts.has(bit::relay_client));
  EXPECT_FALSE(policies->find(0, {})->start.settings_and_facts.has(bit::relay_client));
}

// Deviation D25; RFC 5321 2.3.10, 3.6.2: a Maildir carries no mail to other domains, unless its operator says so.
TEST_F(Judging, what_takes_the_mail_says_whether_it_relays) {
  const auto is_local_only = [&](std::vector<std::string> variables, const std::string& tcp_class = {}) {
    return made({std::move(variables)})->find(0, tcp_class)->start.settings_and_facts.has(bit::local_only);
  };
  EXPECT_TRUE(is_local_only({}));
  EXPECT_TRUE(is_local_only({"POSTERN_LMTP=tcp:127.0.0.1:24"}));
  EXPECT_FALSE(is_local_only({"POSTERN_RELAY=1"}));
  EXPECT_FALSE(is_local_only({"QMAILQUEUE=/bin/true"}));
  EXPECT_TRUE(is_local_only({"QMAILQUEUE=/bin/true", "POSTERN_RELAY=0"}));
  EXPECT_FALSE(is_local_only({"POSTERN_DISCARD=1"}));
  EXPECT_FALSE(is_local_only({}, record({"+POSTERN_RELAY=1"})));
  EXPECT_FALSE(make({{"POSTERN_RELAY=yes"}}));
}

TEST_F(Judging, every_sentence_of_every_listener_is_told_and_nothing_is_made) {
  const auto result = make({{"SSL=O", "AUTH=yes"}, {}, {"FORCE_TLS=1", "DENY_TLS=1"}});
  ASSERT_FALSE(result);
  ASSERT_EQ(3U, result.error().size());
  EXPECT_TRUE(result.error()[0].starts_with("listener 0: SSL=\"O\"")) << result.error()[0];
  EXPECT_TRUE(result.error()[1].starts_with("listener 0: AUTH=\"yes\"")) << result.error()[1];
  EXPECT_TRUE(result.error()[2].starts_with("listener 2: FORCE_TLS=1 requires STARTTLS")) << result.error()[2];
}

TEST_F(Judging, settings_under_which_no_mail_could_come_are_refused) {
  for (const std::vector<std::string>& variables : {std::vector<std::string>{"FORCE_TLS=1"},
                                                    {"REQUIRE_AUTH=1"},
                                                    {"AUTH_CDB=none"},
                                                    {"SSL=1"},
                                                    {"TLS_SERVER_CERT=control/me"},
                                                    {"TLS_SERVER_CERT=none.pem"},
                                                    {"POSTERN_MAILDIR=none"}})
    EXPECT_FALSE(make({variables})) << variables[0];
}

// Deviation D12: without a certificate at the usual place there is no encryption, but never because one was lost.
TEST_F(Judging, a_certificate_that_was_served_and_is_gone_refuses_the_reload_and_every_class) {
  {
    const tls::PemFile file(tls::Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")), 0);
    std::filesystem::copy_file(file.path, "control/servercert.pem");
  }
  const auto known = std::make_shared<KnownCertificates>();
  Deliveries deliveries;
  const auto before = make({{}}, nullptr, known).value_or(nullptr);
  ASSERT_NE(nullptr, before);
  ASSERT_TRUE(before->open_deliveries(deliveries, Policies::Programs::allowed));
  std::filesystem::remove("control/servercert.pem");
  const auto after = make({{}}, nullptr, known);
  ASSERT_FALSE(after);
  EXPECT_EQ("listener 0: control/servercert.pem was served and is gone: put it back, or set DENY_TLS=1",
            after.error().front());
  const auto late = before->find(0, record({"+DATABYTES=3"}));
  EXPECT_EQ(spec::Event::connect_broken_certificate, late->start.event) << "a class that is judged only now";
  EXPECT_TRUE(make({{"DENY_TLS=1"}}, nullptr, known));
  EXPECT_TRUE(make({{}})) << "another process, that never served one";
}

// What a start and a reload cost must not grow with the number of classes: each load is a file read and two handshakes.
TEST_F(Judging, classes_that_encrypt_alike_share_certificates_that_are_loaded_once) {
  {
    const tls::PemFile file(tls::Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")), 0);
    std::filesystem::copy_file(file.path, "control/servercert.pem");
  }
  std::vector<std::pair<std::string, std::string>> classes{{"", ""}};
  for (int i = 0; i < 200; ++i)
    classes.emplace_back("10." + std::to_string(i) + ".", record({"+DATABYTES=" + std::to_string(1000 + i)}));
  const std::string ciphers = "+TLSCIPHERS=TLS_AES_128_GCM_SHA256", none = "+TLSCIPHERS=NO-SUCH-CIPHER";
  for (int i = 0; i < 20; ++i) {
    const std::string databytes = "+DATABYTES=" + std::to_string(1000 + i);
    classes.emplace_back("11." + std::to_string(i) + ".", record({ciphers, databytes}));
    classes.emplace_back("12." + std::to_string(i) + ".", record({none, databytes}));
  }
  home_.write_cdb("rules.cdb", classes);
  config::Configuration settings;
  settings.domains = {"example"};
  settings.listeners.push_back({.place = "here", .variables = {"POSTERN_MAILDIR=mail"}, .tcprules = "rules.cdb"});
  settings.listeners.push_back({.place = "there", .variables = {"POSTERN_MAILDIR=mail"}, .tcprules = "rules.cdb"});
  const auto policies = Policies::make(settings, nullptr, {.program = "postern", .output = &lines_}).value_or(nullptr);
  ASSERT_NE(nullptr, policies);
  EXPECT_EQ(3U, policies->certificate_loads()) << "our own ciphers, those named, and those that do not exist";
  const auto usual = policies->find(0, {})->certificates;
  ASSERT_NE(nullptr, usual);
  EXPECT_EQ(usual, policies->find(1, record({"+DATABYTES=1199"}))->certificates);
  EXPECT_EQ(usual, policies->find(1, record({"+DATABYTES=7"}))->certificates) << "a class that comes later";
  EXPECT_NE(usual, policies->find(0, record({ciphers, "+DATABYTES=1001"}))->certificates);
  EXPECT_EQ(3U, policies->certificate_loads());
  EXPECT_FALSE(policies->find(0, record({none, "+DATABYTES=8"}))->is_served);
  EXPECT_EQ(4U, policies->certificate_loads()) << "what failed is tried again: the reason may have passed";
}

TEST_F(Judging, certificates_for_names_want_one_for_all_others) {
  config::Configuration settings;
  settings.domains = {"example"};
  settings.listeners.push_back({.place = "here",
                                .at = {},
                                .socket_name = {},
                                .variables = {"POSTERN_MAILDIR=mail"},
                                .certificates = {{"other.pem", {}}},
                                .check_program = {},
                                .tcprules = {},
                                .proxies = {}});
  const auto refused = Policies::make(settings, nullptr, {.program = "postern", .output = &lines_});
  ASSERT_FALSE(refused);
  EXPECT_NE(std::string::npos, refused.error().front().find("set TLS_SERVER_CERT")) << refused.error().front();
}

TEST_F(Judging, the_way_out_is_shared_by_classes_and_kept_over_a_reload) {
  Deliveries deliveries;
  const auto before = made({{}});
  ASSERT_TRUE(before->open_deliveries(deliveries, Policies::Programs::allowed));
  const auto delivery = before->find(0, {})->delivery;
  ASSERT_NE(nullptr, delivery);
  EXPECT_EQ(delivery, before->find(0, record({"+DATABYTES=3"}))->delivery);
  const auto after = made({{"DATABYTES=9"}});
  ASSERT_TRUE(after->open_deliveries(deliveries, Policies::Programs::allowed));
  EXPECT_EQ(delivery, after->find(0, {})->delivery);
}

TEST_F(Judging, a_queue_program_wants_a_folder_for_large_messages) {
  home_.write_program("queue", "#!/bin/sh\n");
  const auto refused = make({{"QMAILQUEUE=queue", "TMPDIR=nowhere"}});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().front().contains("TMPDIR")) << refused.error().front();
}

TEST_F(Judging, a_class_that_wants_a_program_is_refused_once_the_sandbox_has_none) {
  home_.write_program("queue", "#!/bin/sh\n");
  Deliveries deliveries;
  const auto policies = made({{}});
  EXPECT_FALSE(policies->runs_programs());
  ASSERT_TRUE(policies->open_deliveries(deliveries, Policies::Programs::refused));
  const auto served = policies->find(0, record({"+QMAILQUEUE=queue"}));
  EXPECT_FALSE(served->is_served);
  EXPECT_EQ(spec::Event::connect_no_hand_over, served->start.event);
  EXPECT_TRUE(made({{"QMAILQUEUE=queue"}})->runs_programs());
}

TEST_F(Judging, the_reach_is_the_home_and_where_mail_goes) {
  const std::string home = std::filesystem::canonical(".").string();
  const SandboxPaths reach = made({{}})->sandbox_paths();
  EXPECT_EQ(std::vector<std::string>{home + "/mail"}, reach.writable);
  EXPECT_NE(reach.readable.end(), std::ranges::find(reach.readable, home));
  EXPECT_TRUE(reach.tcp_connect.empty());
  std::filesystem::create_directory("spool");
  const SandboxPaths lmtp = made({{"POSTERN_LMTP=tcp:127.0.0.1:24", "TMPDIR=spool"}})->sandbox_paths();
  EXPECT_EQ(std::vector<std::string>{home + "/spool"}, lmtp.writable);
  EXPECT_EQ(std::vector<std::uint16_t>{24}, lmtp.tcp_connect);
}

TEST_F(Judging, a_name_of_a_class_is_ours_or_for_a_program_or_misspelt) {
  home_.write_program("queue", "#!/bin/sh\n");
  const auto make_with = [&](std::string_view name, const std::string& way) {
    home_.write_cdb("rules.cdb", {{"10.", record({std::string(name) + "=1", way})}});
    config::Configuration settings;
    settings.listeners.push_back({.place = "here", .variables = {"POSTERN_MAILDIR=mail"}, .tcprules = "rules.cdb"});
    return Policies::make(settings, nullptr, {.program = "postern", .output = &lines_});
  };
  for (const std::string_view name : {"+FORCE_TSL", "+force_tls", "+RELAY_CLIENT", "+DATABYTE"}) {
    const auto policies = make_with(name, "+SSL=0");
    ASSERT_FALSE(policies) << name;
    EXPECT_NE(std::string::npos, policies.error().front().find("did you mean ")) << policies.error().front();
  }
  const auto warns = [](const Policies::Made& made) {
    return made && std::ranges::any_of((*made)->warnings(),
                                       [](const std::string& each) { return each.contains("no program is run here"); });
  };
  EXPECT_TRUE(warns(make_with("+WHITELISTED", "+SSL=0")));
  EXPECT_FALSE(warns(make_with("+WHITELISTED", "+QMAILQUEUE=queue")));
  for (const std::string_view name : {"+FORCETLS", "+TCPREMOTEHOST", "+AUTH_SET_DATABYTES", "+MAXRCPT"})
    EXPECT_FALSE(warns(make_with(name, "+SSL=0"))) << name;
}

TEST_F(Judging, what_a_class_brings_is_within_reach_and_a_program_of_its_own_is_known) {
  std::filesystem::create_directory("other");
  home_.write_program("queue", "#!/bin/sh\n");
  home_.write_cdb("rules.cdb", {{"10.", record({"+POSTERN_MAILDIR=other"})},
                                {"11.", record({"+POSTERN_LMTP=tcp:127.0.0.1:24", "+POSTERN_MAILDIR="})},
                                {"12.", record({"+FORCE_TLS=yes", "+POSTERN_MAILDIR=none"})}});
  config::Configuration settings;
  settings.listeners.push_back({.place = "here", .variables = {"POSTERN_MAILDIR=mail"}, .tcprules = "rules.cdb"});
  const auto policies = Policies::make(settings, nullptr, {.program = "postern", .output = &lines_});
  ASSERT_TRUE(policies) << policies.error().front();
  const std::string home = std::filesystem::canonical(".").string();
  const SandboxPaths reach = (*policies)->sandbox_paths();
  for (const std::string folder : {"/mail", "/other"})
    EXPECT_NE(reach.writable.end(), std::ranges::find(reach.writable, home + folder)) << folder;
  EXPECT_EQ(std::vector<std::uint16_t>{24}, reach.tcp_connect);
  EXPECT_FALSE((*policies)->runs_programs());
  EXPECT_EQ("", (*policies)->beyond(reach));
  SandboxPaths less = reach;
  less.tcp_connect.clear();
  EXPECT_EQ("here, class 11. of rules.cdb: the sandbox does not include port 24", (*policies)->beyond(less));
  less = reach;
  less.readable = system_folders();
  less.writable.clear();  // the home may be below TMPDIR
  EXPECT_EQ("control/me: the sandbox does not include " + home + "/control", (*policies)->beyond(less));
  const auto problems = (*policies)->class_problems();
  ASSERT_EQ(2U, problems.size());
  EXPECT_TRUE(problems[0].starts_with("here, class 12. of rules.cdb: FORCE_TLS=\"yes\" in the class: ")) << problems[0];
  home_.write_cdb("rules.cdb", {{"10.", record({"+QMAILQUEUE=queue"})}});
  const auto with_program = Policies::make(settings, nullptr, {.program = "postern", .output = &lines_});
  ASSERT_TRUE(with_program);
  EXPECT_TRUE((*with_program)->runs_programs());
}

TEST_F(Judging, lists_of_valid_recipients_are_looked_at_once_each) {
  home_.write_cdb("named.cdb", {{"User@example", ""}, {"user@other.example", ""}});
  home_.write_cdb("control/validrcptto.cdb", {});
  const auto warnings = [&](std::vector<std::vector<std::string>> variables) {
    std::vector<std::string> found;
    for (const std::string& warning : made(std::move(variables))->warnings())
      if (warning.contains("cdb")) found.push_back(warning.substr(0, warning.find(": ")));
    return found;
  };
  EXPECT_EQ(std::vector<std::string>{"control/validrcptto.cdb has no record"}, warnings({{}, {}}));
  EXPECT_EQ((std::vector<std::string>{"named.cdb", "named.cdb"}),
            warnings({{"VALIDRCPTTO_CDB=named.cdb"}, {"VALIDRCPTTO_CDB=named.cdb"}}));
}

// Deviation D34: it defers, and the server starts; a program needs the sandbox that lets programs run.
TEST_F(Judging, a_program_that_is_asked_about_recipients_is_a_program) {
  const auto policies = made({{"RCPTCHECK=/bin/true"}});
  EXPECT_TRUE(policies->runs_programs());
  EXPECT_FALSE(made({{}})->runs_programs());
  const auto nowhere = made({{"RCPTCHECK=/nowhere"}});
  ASSERT_EQ(1U, nowhere->defects().size());
  const std::string& sentence = nowhere->defects()[0];
  EXPECT_TRUE(sentence.starts_with("listener 0: RCPTCHECK=\"/nowhere\" cannot be run: it is not there"));
  EXPECT_EQ(0, std::ranges::count(nowhere->warnings(), sentence)) << "said once";
}

// Of each class, too, and each file once; a start goes on with them.
TEST_F(Judging, what_defers_recipients_is_a_defect) {
  home_.write("torn.cdb", "torn");
  home_.write("text", "#!/bin/sh\n");
  home_.write_cdb("rules.cdb",
                  {{"10.", record({"+VALIDRCPTTO_CDB=torn.cdb", "+RCPTCHECK=./text"})},
                   {"11.", record({"+VALIDRCPTTO_CDB=torn.cdb"})},
                   {"12.", record({"+DNSBL=list.example=127.0.0.2", "+DNSBL_THRESHOLD=2"})},
                   {"13.", record({"+DNSBL=list.example=127.0.0.2", "+DNSBL_THRESHOLD=2", "+GREETDELAY=1"})}});
  config::Configuration settings;
  config::ListenerSettings& listener = settings.listeners.emplace_back();
  listener.place = "here";
  listener.variables = {"POSTERN_MAILDIR=mail"};
  listener.tcprules = "rules.cdb";
  home_.write("control/rcpthosts", "example\n");
  home_.write("control/morercpthosts.cdb", "torn");
  const auto policies = Policies::make(settings, nullptr, {.program = "postern", .output = &lines_});
  ASSERT_TRUE(policies);
  std::vector<std::string> begins;
  for (const std::string& each : (*policies)->defects()) begins.push_back(each.substr(0, each.find(" cannot be ")));
  EXPECT_EQ((std::vector<std::string>{"here, class 11. of rules.cdb: VALIDRCPTTO_CDB: torn.cdb:",
                                      "here, class 10. of rules.cdb: RCPTCHECK=\"./text\" in the class",
                                      "control/morercpthosts.cdb:"}),
            begins);
  const auto is_it = [](const std::string& each) { return each.contains("DNSBL_THRESHOLD is 2"); };
  EXPECT_EQ(1, std::ranges::count_if((*policies)->warnings(), is_it)) << "a class is warned of, and once";
}

TEST_F(Judging, what_a_refused_configuration_names_is_watched) {
  const auto watch = std::make_shared<config::FileWatch>();
  config::Configuration settings;
  settings.domains = {"example"};
  config::ListenerSettings& listener = settings.listeners.emplace_back();
  listener.variables = {"POSTERN_MAILDIR=mail", "VALIDRCPTTO_CDB=new.cdb"};
  ASSERT_FALSE(Policies::make(settings, nullptr, {.program = "postern", .output = &lines_}, {}, watch));
  EXPECT_FALSE(watch->settled() || watch->settled());
  home_.write_cdb("new.cdb", {{"user@example", ""}});
  EXPECT_TRUE(watch->settled() || watch->settled());
}

}  // namespace
}  // namespace postern::server
