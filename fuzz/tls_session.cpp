// A session through a real handshake: an OpenSSL client and server in memory around the engine (input as for `session`).
// What the client sends after STARTTLS in later pieces reaches the TLS server before the ClientHello; 0xF1 sends it the
// part that follows instead of one.
// oracle  what the client receives, in clear and then inside TLS, is what the symbolic session of fuzz/play.hpp says; a
//         handshake succeeds exactly when nothing stands before it; nothing is said in clear once STARTTLS is accepted
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/conversation.hpp"
#include "fuzz/must.hpp"
#include "fuzz/mutate.hpp"
#include "fuzz/play.hpp"
#include "fuzz/show.hpp"
#include "fuzz/spec_folder.hpp"

namespace {

using namespace postern;
using fuzz::must;
using spec::Event;
using Kind = engine::Want::Kind;
namespace bit = spec::bit;

template <auto Free>
struct Deleter {
  void operator()(auto* object) const { Free(object); }
};
using Context = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using Tls = std::unique_ptr<SSL, Deleter<SSL_free>>;

Context server_context() {
  Context context(SSL_CTX_new(TLS_server_method()));
  const std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const std::unique_ptr<X509, Deleter<X509_free>> certificate(X509_new());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 1'000'000);
  X509_set_pubkey(certificate.get(), key.get());
  must(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0 &&
           SSL_CTX_use_certificate(context.get(), certificate.get()) == 1 &&
           SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1,
       "no certificate");
  SSL_CTX_set_num_tickets(context.get(), 0);
  return context;
}

Tls session_of(SSL_CTX* context, BIO* in, BIO* out) {
  Tls tls(SSL_new(context));
  BIO_up_ref(in), BIO_up_ref(out);
  SSL_set_bio(tls.get(), in, out);
  return tls;
}

std::string all_of(SSL* tls) {
  std::string text;
  std::array<char, 4096> piece;
  for (int n = 0; (n = SSL_read(tls, piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(n));
  ERR_clear_error();
  return text;
}

// Server and client of one connection.
class Wire final : private engine::Output {
 public:
  explicit Wire(const fuzz::SessionView& view) : Output(replies_), view_(view), symbolic_(view.body) {
    talk_ = std::make_unique<engine::LoneConversation>(service(), engine::Patience{});
    go_on(talk_->happen(view.start, engine::Time(), *this));
  }

  void play() {
    fuzz::BodyReader body(view_.body);
    while (const auto part = want_.kind == Kind::end ? std::nullopt : body.next()) {
      for (std::string_view octets = part->octets; !octets.empty() && want_.kind != Kind::end;) {
        const std::string_view piece = octets.substr(0, view_.piece_octets);
        send(piece);
        octets.remove_prefix(piece.size());
      }
      if (part->event) happen(*part->event, part->at);
    }
  }

  [[nodiscard]] const std::string& heard() const { return heard_; }
  [[nodiscard]] const std::string& symbolic() const { return symbolic_; }

 private:
  void note(const engine::Note&) override {}
  void keep(std::string_view) override {}
  void drop() override {}

  [[nodiscard]] engine::Service service() const {
    return {.settings_and_facts = view_.settings_and_facts,
            .host = fuzz::fuzz_host,
            .databytes = view_.databytes,
            .max_recipients = view_.max_recipients,
            .asks_at_data = view_.asks_at_data,
            .room = view_.has_room ? nullptr : &engine::no_room()};
  }
  void send(std::string_view piece) {
    if (want_.kind == Kind::tls) {
      before_handshake_ += piece;  // the server has said 220 and hands what comes to TLS
    } else if (client_) {
      must(SSL_write(client_.get(), piece.data(), static_cast<int>(piece.size())) == static_cast<int>(piece.size()),
           "the client cannot write");
      serve(all_of(server_.get()));
    } else {
      serve(piece);
    }
  }
  void happen(Event event, std::size_t at) {
    const bool waits_for_handshake = want_.kind == Kind::tls;
    const bool is_of_handshake = event == Event::handshake_done || event == Event::handshake_failed;
    if ((event == Event::too_slow || event == Event::exhausted) && waits_for_handshake) return;
    if (!is_of_handshake) return go_on(talk_->happen(event, engine::Time(), *this));
    if (!waits_for_handshake) return;
    if (event == Event::handshake_failed) before_handshake_ += std::string(view_.body.substr(at + 1)) + "\n";
    const bool is_done = handshake(event == Event::handshake_done);
    must(is_done == (event == Event::handshake_done && before_handshake_.empty()), "a handshake ends otherwise");
    symbolic_[at] = static_cast<char>(is_done ? 0xF0 : 0xF1);
    const engine::Counters counters = talk_->session().counters();
    talk_ = std::make_unique<engine::LoneConversation>(service(), engine::Patience{}, counters);
    go_on(talk_->happen(is_done ? Event::handshake_done : Event::handshake_failed, engine::Time(), *this));
  }
  bool handshake(bool has_client) {
    static const Context server = server_context();
    static const Context client(SSL_CTX_new(TLS_client_method()));
    BIO* const to_server = BIO_new(BIO_s_mem());
    BIO* const to_client = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(to_server, -1), BIO_set_mem_eof_return(to_client, -1);
    server_ = session_of(server.get(), to_server, to_client);
    client_ = session_of(client.get(), to_client, to_server);
    BIO_free(to_server), BIO_free(to_client);
    SSL_set_accept_state(server_.get()), SSL_set_connect_state(client_.get());
    if (!before_handshake_.empty())
      BIO_write(to_server, before_handshake_.data(), static_cast<int>(before_handshake_.size()));
    bool is_done = false;
    for (int rounds = 0; rounds < 4 && !is_done; ++rounds) {
      if (has_client) SSL_do_handshake(client_.get());
      is_done = SSL_do_handshake(server_.get()) == 1;
    }
    ERR_clear_error();
    return is_done && SSL_do_handshake(client_.get()) == 1;
  }

  void serve(std::string_view octets) {
    unread_ += octets;
    while (true) {
      switch (want_.kind) {
        case Kind::room:
        case Kind::octets:
          feed();
          if (want_.kind == Kind::octets) return;
          break;
        case Kind::answer: answer(); break;
        case Kind::pause: go_on(talk_->time_passed(talk_->deadline(), *this)); break;
        case Kind::opening:
        case Kind::tls:
        case Kind::end: return;
      }
    }
  }
  void feed() {
    std::vector<char> scratch(unread_.size() + 2);
    const engine::Want next = talk_->feed(unread_, scratch, engine::Time(), *this);
    unread_.erase(0, next.consumed);
    go_on(next);
  }
  void answer() {
    const Event outcome = testing::outcome_for(talk_->session().guards(), view_.fates[asked_++ % view_.fates.size()]);
    const bool is_recipient = want_.question == engine::Question::recipient;
    const engine::Answer answer{outcome, is_recipient ? talk_->session().mailbox() : ""};
    go_on(talk_->answer(want_.ticket, answer, engine::Time(), *this));
  }
  void go_on(engine::Want next) {
    want_ = next;
    if (!replies().empty()) say(replies());
    clear();
  }
  void say(std::string_view reply) {
    if (client_ && talk_->session().guards().has(bit::channel_starttls)) {
      must(SSL_write(server_.get(), reply.data(), static_cast<int>(reply.size())) == static_cast<int>(reply.size()),
           "the server cannot write");
      heard_ += all_of(client_.get());
    } else {
      must(!has_been_ready_, "something is said in clear after STARTTLS was accepted");
      heard_ += reply;
    }
    has_been_ready_ = has_been_ready_ || want_.kind == Kind::tls;
  }

  const fuzz::SessionView& view_;
  std::string symbolic_;  // the body, with the handshakes as they ended
  std::array<char, engine::ReplyWriter::most_octets> replies_;
  std::unique_ptr<engine::LoneConversation> talk_;
  engine::Want want_{};
  Tls server_, client_;
  std::string unread_, before_handshake_, heard_;
  std::size_t asked_ = 0;
  bool has_been_ready_ = false;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  return fuzz::mutate_session({data, most}, size, seed);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size,
                                                 const std::uint8_t* other, std::size_t other_size, std::uint8_t* out,
                                                 std::size_t most, unsigned seed) {
  return fuzz::cross_sessions({one, one_size}, {other, other_size}, {out, most}, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const testing::Judge judge(fuzz::spec_folder());
  static fuzz::Player player(judge);
  if (size > fuzz::most_octets) return 0;
  fuzz::SessionView view = fuzz::view_session_input({data, size});
  if (view.body.contains('\xF6')) return 0;  // 64 MiB are not for TLS
  Wire wire(view);
  wire.play();
  fuzz::SessionView symbolic = view;
  symbolic.body = wire.symbolic();
  const fuzz::Trace& trace = player.play(symbolic, view.piece_octets, testing::AfterStarttls::sibling);
  must(player.complaint().empty(), player.complaint().c_str());
  if (wire.heard() == trace.replies) return 0;
  std::fprintf(stderr, "the client hears\n%s\nnot\n%s\n%s", wire.heard().c_str(), trace.replies.c_str(),
               fuzz::show_session({data, size}).c_str());
  std::abort();
}
