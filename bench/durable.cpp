// What it costs to make mail durable: CPU a message and messages a second of several ways, 1, 10 and 50 at once.
// usage   durable FOLDER [SECONDS [WAY]]: an empty folder of the file system in question, seconds for each figure, and
//         only the ways that begin so
// ways    thread...  each client thread stores its own: create, write, fsync, give it a name, fsync the folder
//         group...   one thread stores for all that wait, at most 64: create and write all, sync all, name all, fsync the
//                    folder once. One more thread stands for an event loop that answers, and has the next at once
//         postern    MaildirGroup itself: the above and its names, envelopes, Outcomes; postern/50: a mailbox for each
//         log        the ceiling: one append to a preallocated file and one fdatasync for all
// out     cpu: user and system of this process; kernel: of the kernel's threads that work for the disk (kworker, jbd2),
//         which is in no program's figure, and here includes what other programs caused. Microseconds a message
// beware  each figure has a folder of its own and nothing is removed, since creating is slow after removing: remove
//         FOLDER at the end. On an idle virtual machine waking up is the dearest part of a wait for the disk: with
//         BUSY=1 in the environment a loop of the lowest priority keeps each core awake, as clients would
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/child.hpp"
#include "deliver/maildir/group.hpp"
#include "deliver/sync_many.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using Clock = std::chrono::steady_clock;
using postern::base::Descriptor;
using postern::deliver::MaildirGroup;
using postern::deliver::MaildirMessage;
using postern::deliver::MaildirRoot;
using postern::deliver::Outcome;
using postern::deliver::PreparedMessage;
using postern::deliver::SyncMany;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}
void must(bool fine, const char* what) {
  if (!fine) give_up(what);
}

const std::string message(1024, 'x');

Descriptor open_folder(const std::string& path) {
  Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  must(folder.is_open(), path.c_str());
  return folder;
}

enum class Naming { unnamed_by_proc, unnamed_by_descriptor, renamed };
enum class Syncing { each, started_each, together, started_together, whole_file_system };

// Stores `count` messages durably, in the order of the contract.
class Store {
 public:
  Store(const std::string& path, Naming naming, Syncing syncing) : naming_(naming), syncing_(syncing) {
    fs::create_directories(path + "/tmp");
    fs::create_directories(path + "/new");
    root_ = open_folder(path);
    tmp_ = open_folder(path + "/tmp");
    new_ = open_folder(path + "/new");
    must(fsync(root_.number()) == 0, "fsync");
  }

  void commit(std::size_t count, SyncMany& together) {
    std::vector<File> files;
    for (std::size_t i = 0; i < count; ++i) files.push_back(create());
    sync(files, together);
    for (const File& file : files) publish(file);
    must(fsync(new_.number()) == 0, "fsync of the folder");
  }

 private:
  struct File {
    Descriptor descriptor;
    std::string name;
  };

  File create() {
    File file{{}, "1700000000.M123456P12345Q" + std::to_string(++counter_) + ".mail.example.com,S=1024"};
    file.descriptor =
        Descriptor(naming_ == Naming::renamed
                       ? openat(tmp_.number(), file.name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)
                       : openat(root_.number(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    must(file.descriptor.is_open(), "create");
    must(write(file.descriptor.number(), message.data(), message.size()) == ssize_t(message.size()), "write");
    return file;
  }

  void sync(const std::vector<File>& files, SyncMany& together) const {
    if (syncing_ == Syncing::whole_file_system) return must(syncfs(root_.number()) == 0, "syncfs");
    std::vector<int> descriptors;
    for (const File& file : files) descriptors.push_back(file.descriptor.number());
    if (syncing_ == Syncing::started_each || syncing_ == Syncing::started_together)
      for (const int one : descriptors) must(sync_file_range(one, 0, 0, SYNC_FILE_RANGE_WRITE) == 0, "start");
    if (syncing_ == Syncing::each || syncing_ == Syncing::started_each)
      for (const int one : descriptors) must(fsync(one) == 0, "fsync");
    else
      for (const int error : together.sync(descriptors)) must(error == 0, "sync together");
  }

  void publish(const File& file) const {
    const std::string path = "/proc/self/fd/" + std::to_string(file.descriptor.number());
    const char* name = file.name.c_str();
    if (naming_ == Naming::renamed)
      must(renameat(tmp_.number(), name, new_.number(), name) == 0, "rename");
    else if (naming_ == Naming::unnamed_by_proc)
      must(linkat(AT_FDCWD, path.c_str(), new_.number(), name, AT_SYMLINK_FOLLOW) == 0, "link");
    else
      must(linkat(file.descriptor.number(), "", new_.number(), name, AT_EMPTY_PATH) == 0, "link by descriptor");
  }

  Naming naming_;
  Syncing syncing_;
  Descriptor root_, tmp_, new_;
  std::atomic<unsigned long> counter_{0};
};

// What one committer does with `count` messages; each committer has one of its own.
using Commit = std::function<void(std::size_t count)>;

long run_threads(Store& store, int clients, Clock::time_point end) {
  std::atomic<long> stored{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&] {
      SyncMany alone(SyncMany::Way::in_turn);
      for (; Clock::now() < end; ++stored) store.commit(1, alone);
    });
  threads.clear();
  return stored;
}

// The caller is the event loop: as soon as messages are stored, as many new ones wait.
long run_groups(const std::vector<Commit>& committers, std::size_t clients, Clock::time_point end) {
  std::mutex mutex;
  std::condition_variable work, answer;
  std::size_t waiting = clients, stored = 0, all = 0;
  bool is_over = false;
  std::vector<std::jthread> threads;
  for (const Commit& commit : committers)
    threads.emplace_back([&] {
      std::unique_lock lock(mutex);
      for (;;) {
        work.wait(lock, [&] { return is_over || waiting > 0; });
        if (is_over) return;
        const std::size_t count = std::min(waiting, MaildirGroup::max_messages);
        waiting -= count;
        lock.unlock();
        commit(count);
        lock.lock();
        stored += count;
        answer.notify_one();
      }
    });
  std::unique_lock lock(mutex);
  while (Clock::now() < end) {
    answer.wait(lock, [&] { return stored > 0; });
    all += stored;
    waiting += std::exchange(stored, 0);
    work.notify_one();
  }
  is_over = true;
  work.notify_all();
  lock.unlock();
  threads.clear();
  return static_cast<long>(all);
}

Commit commit_to(const std::shared_ptr<Store>& store) {
  return [store, together = std::make_shared<SyncMany>(SyncMany::Way::together)](std::size_t count) {
    store->commit(count, *together);
  };
}

Commit commit_with_postern(const std::shared_ptr<MaildirRoot>& root, std::size_t mailboxes) {
  return [root, mailboxes, group = std::make_shared<MaildirGroup>(*root, SyncMany::Way::together),
          next = 0UZ](std::size_t count) mutable {
    std::vector<std::unique_ptr<MaildirMessage>> messages;
    std::vector<std::string> envelopes;
    for (std::size_t i = 0; i < count; ++i) {
      messages.push_back(std::make_unique<MaildirMessage>(*root));
      messages.back()->begin({}, "Received: x\n", "a@example.com");
      messages.back()->write(message);
      envelopes.push_back("Fa@example.com\0Tuser"s + std::to_string(next++ % mailboxes) + "@example.com\0\0"s);
    }
    std::vector<PreparedMessage> prepared;
    for (std::size_t i = 0; i < count; ++i) prepared.push_back({messages[i].get(), envelopes[i]});
    for (const Outcome& outcome : group->commit(prepared))
      must(outcome.result == Outcome::Result::accepted, outcome.cause.c_str());
  };
}

Commit commit_to_log(const std::string& path) {
  constexpr std::size_t octets = 256UZ << 20U;
  fs::create_directories(path);
  auto log = std::make_shared<Descriptor>(open((path + "/log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const std::string zeros(1UZ << 20U, '\0');
  for (std::size_t at = 0; at < octets; at += zeros.size())
    must(write(log->number(), zeros.data(), zeros.size()) == ssize_t(zeros.size()), "preallocate");
  must(fsync(log->number()) == 0, "fsync");
  return [log, at = 0UZ](std::size_t count) mutable {
    std::string records;
    for (std::size_t i = 0; i < count; ++i) records += message;
    if (at + records.size() > octets) at = 0;
    must(pwrite(log->number(), records.data(), records.size(), off_t(at)) == ssize_t(records.size()), "append");
    must(fdatasync(log->number()) == 0, "fdatasync");
    at += records.size();
  };
}

double process_microseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) { return 1e6 * double(time.tv_sec) + double(time.tv_usec); };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double kernel_microseconds() {
  double nanoseconds = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::string name;
    std::ifstream(entry.path() / "comm") >> name;
    double ran = 0;
    if (name.starts_with("kworker") || name.starts_with("jbd2")) std::ifstream(entry.path() / "schedstat") >> ran;
    nanoseconds += ran;
  }
  return nanoseconds / 1000;
}

// How many messages it stored for so many clients at once, until then.
using Run = std::function<long(int clients, Clock::time_point end)>;

struct Way {
  std::string name;
  std::function<Run(const std::string& path)> prepare;
};

std::vector<Way> all_ways() {
  std::vector<Way> ways;
  const auto add_threads = [&](const char* name, Naming naming) {
    ways.push_back({name, [=](const std::string& path) -> Run {
                      const auto store = std::make_shared<Store>(path, naming, Syncing::each);
                      return [=](int clients, Clock::time_point end) { return run_threads(*store, clients, end); };
                    }});
  };
  const auto add_group = [&](const char* name, std::size_t committers, auto make) {
    ways.push_back({name, [=](const std::string& path) -> Run {
                      return [=, all = make(path, committers)](int clients, Clock::time_point end) {
                        return run_groups(all, static_cast<std::size_t>(clients), end);
                      };
                    }});
  };
  const auto stores = [](Naming naming, Syncing syncing) {
    return [=](const std::string& path, std::size_t committers) {
      const auto store = std::make_shared<Store>(path, naming, syncing);
      std::vector<Commit> all;
      for (std::size_t i = 0; i < committers; ++i) all.push_back(commit_to(store));
      return all;
    };
  };
  const auto postern = [](std::size_t mailboxes) {
    return [=](const std::string& path, std::size_t committers) {
      fs::create_directories(path);
      const auto root = std::make_shared<MaildirRoot>(postern::deliver::MaildirSettings{path, "mail.example.com", "x"});
      std::vector<Commit> all;
      for (std::size_t i = 0; i < committers; ++i) all.push_back(commit_with_postern(root, mailboxes));
      return all;
    };
  };
  add_threads("thread, /proc", Naming::unnamed_by_proc);
  add_threads("thread", Naming::unnamed_by_descriptor);
  add_threads("thread, rename", Naming::renamed);
  add_group("group, each", 1, stores(Naming::unnamed_by_descriptor, Syncing::each));
  add_group("group, started, each", 1, stores(Naming::unnamed_by_descriptor, Syncing::started_each));
  add_group("group, syncfs", 1, stores(Naming::unnamed_by_descriptor, Syncing::whole_file_system));
  add_group("group, together", 1, stores(Naming::unnamed_by_descriptor, Syncing::together));
  add_group("group, started, together", 1, stores(Naming::unnamed_by_descriptor, Syncing::started_together));
  add_group("group, renamed", 1, stores(Naming::renamed, Syncing::started_together));
  add_group("postern", 1, postern(1));
  add_group("postern x 2", 2, postern(1));
  add_group("postern/50", 1, postern(50));
  add_group("postern/50 x 2", 2, postern(50));
  add_group("log", 1, [](const std::string& path, std::size_t) { return std::vector{commit_to_log(path)}; });
  return ways;
}

void keep_cores_awake() {
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      setpriority(PRIO_PROCESS, 0, 19);
      for (std::atomic<unsigned> idle{0};; ++idle) {
      }
    }
}

void measure(const Way& way, const std::string& path, int clients, double seconds) {
  const Run run = way.prepare(path);
  const double kernel = kernel_microseconds(), process = process_microseconds();
  const auto begin = Clock::now();
  const long stored = run(clients, begin + std::chrono::microseconds(long(seconds * 1e6)));
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  const double process_cost = process_microseconds() - process;
  std::printf("%-26s %8d %12.0f %8.0f %8.0f\n", way.name.c_str(), clients, double(stored) / took,
              process_cost / double(stored), (kernel_microseconds() - kernel) / double(stored));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string root = argv[1], only = argc > 3 ? argv[3] : "";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  if (std::getenv("BUSY") != nullptr) keep_cores_awake();
  std::printf("%-26s %8s %12s %8s %8s\n", "way", "at once", "messages/s", "cpu us", "kernel");
  for (const Way& way : all_ways())
    for (const int clients : {1, 10, 50})
      if (way.name.starts_with(only))
        measure(way,
                root + '/' + std::to_string(getpid()) + way.name.substr(0, 3) +
                    std::to_string(Clock::now().time_since_epoch().count()),
                clients, seconds);
}
