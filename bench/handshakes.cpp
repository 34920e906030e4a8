// Whether loops that share one SSL_CTX hinder one another: full TLS 1.3 handshakes in memory, by 1, 2, 4 and 8 threads.
// usage   handshakes PEM [SECONDS [ROUNDS]]: seconds for each figure; in each round all ways have their turn
// ways    shared   one TlsContext for all threads, as postern serve has it
//         own      a TlsContext for each thread
// out     handshakes a second of all threads; microseconds of CPU that a handshake takes on the server's side. The median of
//         the rounds, with the least and the most
#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

#include "tls/context.hpp"

namespace {

using namespace postern::tls;
using Clock = std::chrono::steady_clock;

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};

TlsContext load(const char* path) {
  auto loaded = TlsContext::load({.certificate_path = path, .ciphers = {}, .now_seconds = std::time(nullptr)});
  if (loaded) return std::move(*loaded);
  std::fprintf(stderr, "handshakes: %s\n", loaded.error().c_str());
  std::exit(1);
}

double cpu_of_this_thread() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return double(spent.tv_sec) + double(spent.tv_nsec) * 1e-9;
}

struct Work {
  long handshakes = 0;
  double server_seconds = 0;  // of CPU
};

// One handshake, the server's turns timed alone.
void meet(const TlsContext& context, SSL_CTX* client_context, Work& work) {
  const auto server = context.open_session();
  const std::unique_ptr<SSL, Free> client(SSL_new(client_context));
  BIO *ours = nullptr, *theirs = nullptr;
  if (server == nullptr || client == nullptr || BIO_new_bio_pair(&ours, 0, &theirs, 0) != 1) std::abort();
  SSL_set_bio(server.get(), ours, ours);
  SSL_set_bio(client.get(), theirs, theirs);
  SSL_set_accept_state(server.get());
  SSL_set_connect_state(client.get());
  for (bool done = false; !done;) {
    done = SSL_do_handshake(client.get()) == 1;
    const double began = cpu_of_this_thread();
    done = SSL_do_handshake(server.get()) == 1 && done;
    work.server_seconds += cpu_of_this_thread() - began;
  }
  ++work.handshakes;
}

struct Figure {
  double a_second, microseconds;
};

Figure measure(const std::vector<const TlsContext*>& contexts, double seconds) {
  std::atomic<bool> goes_on = true;
  std::vector<Work> works(contexts.size());
  std::vector<std::thread> threads;
  const auto began = Clock::now();
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    threads.emplace_back([&, i] {
      const std::unique_ptr<SSL_CTX, Free> client(SSL_CTX_new(TLS_client_method()));
      Work work;
      while (goes_on) meet(*contexts[i], client.get(), work);
      works[i] = work;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  goes_on = false;
  for (std::thread& thread : threads) thread.join();
  Work all;
  for (const Work& work : works) {
    all.handshakes += work.handshakes;
    all.server_seconds += work.server_seconds;
  }
  const double passed = std::chrono::duration<double>(Clock::now() - began).count();
  return {double(all.handshakes) / passed, all.server_seconds / double(all.handshakes) * 1e6};
}

void print(std::vector<double> values, const char* unit) {
  std::ranges::sort(values);
  std::printf("  %6.0f (%.0f to %.0f) %s", values[values.size() / 2], values.front(), values.back(), unit);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: handshakes PEM [SECONDS [ROUNDS]]\n", stderr);
    return 2;
  }
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  constexpr std::size_t most = 8;
  std::vector<TlsContext> contexts;
  for (std::size_t i = 0; i < most; ++i) contexts.push_back(load(argv[1]));
  for (std::size_t threads = 1; threads <= most; threads *= 2) {
    std::vector<double> rate[2], cpu[2];
    for (int round = 0; round < rounds; ++round) {
      for (const int way : {round % 2, 1 - round % 2}) {
        std::vector<const TlsContext*> used;
        for (std::size_t i = 0; i < threads; ++i) used.push_back(&contexts[way == 0 ? 0 : i]);
        const Figure figure = measure(used, seconds);
        rate[way].push_back(figure.a_second);
        cpu[way].push_back(figure.microseconds);
      }
    }
    for (const int way : {0, 1}) {
      std::printf("%zu %-6s", threads, way == 0 ? "shared" : "own");
      print(rate[way], "a second");
      print(cpu[way], "us of CPU");
      std::puts("");
    }
  }
}
