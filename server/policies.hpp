// How every class of clients of every listener is served: made from one configuration, and replaced as a whole by a reload.
// in      a configuration; the variables of the process; the ways out that are there already
// out     ServiceProfile, by listener and class of tcprules; the classes that the tcprules have are judged at once, what comes later
//         when it is first asked for, and then kept; one that is refused is judged again after five seconds
// lives   as long as a session or loop that uses it
// threads find() is for threads that may wait for files: no loops. It blocks only others that judge a class
// errors  make() tells every sentence that is wrong with the configuration as a whole, every file that the process may
//         not use as it is now, and every misspelt name that a class sets: then nothing is replaced. A class whose start is refused for what it sets is served with
//         that refusal, and the log has its sentences once
// source  spec/settings.toml; tcprules(1)
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ask/recipient_lists.hpp"
#include "base/environment.hpp"
#include "config/client_classes.hpp"
#include "config/configuration.hpp"
#include "config/file_watch.hpp"
#include "observe/journal.hpp"
#include "server/profile_files.hpp"
#include "server/sandbox/landlock.hpp"
#include "server/service_profile.hpp"
#include "tls/certificate_end.hpp"
#include "tls/shared_certificates.hpp"

namespace postern::server {

// The ways out, kept over reloads: messages may be on their way.
class Deliveries {
 public:
  using Found = std::expected<std::shared_ptr<deliver::DeliveryThreads>, std::string>;
  [[nodiscard]] Found find(const config::Start& start, const base::Environment& environment, unsigned threads);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<deliver::DeliveryThreads>> deliveries_;
};

// The certificates that clients were served with: one that is gone later is an error, never a reason to serve without TLS.
class KnownCertificates {
 public:
  void add(const std::string& path);
  [[nodiscard]] bool has(const std::string& path) const;

 private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> paths_;
};

class Policies {
 public:
  using Made = std::expected<std::shared_ptr<const Policies>, std::vector<std::string>>;
  // Judges each listener and each class of its tcprules. Starts no thread. `known` is handed on from reload to reload.
  // watch   of all that is read, from before it is: also where nothing is made, so that a file that is repaired shows
  [[nodiscard]] static Made make(config::Configuration settings, const char* const* process_environment,
                                 observe::LogVoice voice,
                                 std::shared_ptr<KnownCertificates> known = std::make_shared<KnownCertificates>(),
                                 std::shared_ptr<config::FileWatch> watch = std::make_shared<config::FileWatch>());
  // Before the first find(), and by the thread that made it.
  // programs   are refused once a sandbox without them is entered
  enum class Programs : std::uint8_t { allowed, refused };
  [[nodiscard]] std::expected<void, std::string> open_deliveries(Deliveries& deliveries, Programs programs) const;

  [[nodiscard]] std::shared_ptr<const ServiceProfile> find(std::size_t listener, std::string_view class_value) const;
  // By listener: what find() has judged by now.
  [[nodiscard]] std::vector<ClassTable> known_classes() const;
  [[nodiscard]] const config::Configuration& settings() const { return settings_; }
  [[nodiscard]] std::vector<std::string> warnings() const;
  // What of all classes defers recipients until somebody repairs it: damaged lists, programs that cannot be run. A start with
  // them is better than none; a reload has something better to go on with.
  [[nodiscard]] const std::vector<std::string>& defects() const { return defects_; }
  // What refuses classes of clients, which then get that refusal; nothing of a listener as a whole.
  [[nodiscard]] std::vector<std::string> class_problems() const;
  // Whether a client may have a program run for it: a queue program or a check program.
  [[nodiscard]] bool runs_programs() const;
  // Where files are read and written, for the sandbox: real folders, of all classes.
  [[nodiscard]] SandboxPaths sandbox_paths() const;
  // What a sandbox that was entered does not reach, in a sentence with its place; empty when it reaches all.
  [[nodiscard]] std::string beyond(const SandboxPaths& entered) const;
  // Of all that clients were or will be served with, each file once, with the earlier end while it is being renewed.
  [[nodiscard]] std::vector<tls::CertificateEnd> certificate_ends() const;
  // How often certificates were read and tried, for this judgement and what came later.
  [[nodiscard]] std::size_t certificate_loads() const;
  // Of any class that is known.
  [[nodiscard]] bool has_dns_lists() const;
  // What of GREYLIST and greylist_file has no effect, or a bad one; empty: nothing.
  [[nodiscard]] std::string warning_of_greylist() const;
  // Each cdb of valid recipients that a class names, those judged later among them.
  [[nodiscard]] ask::RecipientLists::Paths valid_recipients() const;
  // Whether what it was made from has changed since it was read, and is written: once for each change, which wants a reload.
  // What is read while it serves is noticed there: of that, whether its name leads elsewhere.
  [[nodiscard]] bool have_files_changed() const { return watch_->settled(); }
  // Such changes are known, and answered.
  void know_changes() const { watch_->look(); }

 private:
  Policies(config::Configuration settings, const char* const* process_environment, observe::LogVoice voice,
           std::shared_ptr<KnownCertificates> known, std::shared_ptr<config::FileWatch> watch)
      : settings_(std::move(settings)),
        process_environment_(process_environment),
        voice_(voice),
        known_(std::move(known)),
        watch_(std::move(watch)) {}

  using Classes =
      std::map<std::string, std::shared_ptr<ServiceProfile>, std::less<>>;  // by their value in the tcprules
  // A class by its value; the empty value is the listener's own.
  struct ClassAt {
    std::size_t listener = 0;
    std::string_view value;
  };
  // Whether it holds of any class that is known.
  [[nodiscard]] bool has(bool (*wanted)(const config::Start&)) const;
  [[nodiscard]] std::shared_ptr<const ServiceProfile> remembered(ClassAt at) const;
  [[nodiscard]] std::shared_ptr<ServiceProfile> judge(ClassAt at) const;
  [[nodiscard]] std::string place(ClassAt at) const;
  [[nodiscard]] std::string sentence(ClassAt at, std::string_view problem) const;
  void judge_classes(std::size_t listener);
  [[nodiscard]] std::vector<std::string> judge_lists_once();
  void judge_valid_recipients();
  void find_defects();
  [[nodiscard]] std::vector<std::string> warnings_of_classes(std::size_t listener) const;
  void warn_of_maildir_limits();
  void watch_fixed_files() const;
  [[nodiscard]] bool watch(const std::vector<ProfileFile>& files, const std::string& read_live) const;
  [[nodiscard]] std::vector<ProfileFile> files_of(ClassAt at, const ServiceProfile& served) const;
  [[nodiscard]] std::vector<ProfileFile> all_files() const;
  [[nodiscard]] std::vector<ProfileFile> control_files_read() const;
  [[nodiscard]] std::vector<std::string> problems_of_listener(std::size_t listener) const;
  void open_delivery(ServiceProfile& served, const base::Environment& environment) const;
  static void judge_session(ServiceProfile& served);
  static void judge_names(ServiceProfile& served, std::string_view class_value);
  static void judge_listing(ServiceProfile& served, std::string_view value);
  void judge_absence(ServiceProfile& served, const config::ListenerSettings& listener) const;
  static void refuse(ServiceProfile& served, spec::Event event, std::string sentence);
  void load_certificates(ServiceProfile& served, const config::ListenerSettings& listener) const;

  config::Configuration settings_;
  const char* const* process_environment_;
  std::vector<std::vector<config::ClientClass>> known_classes_;  // by listener
  mutable Deliveries* deliveries_ = nullptr;
  mutable Programs programs_ = Programs::allowed;
  observe::LogVoice voice_;
  std::shared_ptr<KnownCertificates> known_;
  std::vector<std::string> list_warnings_, defects_;
  std::shared_ptr<config::FileWatch> watch_;      // of all that is read, from before it is
  mutable std::mutex judging_;                    // held while files are read; never together with mutex_
  mutable tls::SharedCertificates certificates_;  // under judging_
  mutable std::mutex mutex_;
  mutable std::vector<Classes> classes_;  // by listener; under mutex_
};

}  // namespace postern::server
