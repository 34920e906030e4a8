// The socket below a session of TLS, as OpenSSL reads and writes it: it asks for nothing that is known not to be there.
// in      a socket that does not block; the wire closes it when it dies
// out     is_dry: the last read emptied the socket; until it is set back every read says at once that there is no more. A read that
//         gave less than was asked has emptied it, unless the end of the stream waits behind
// lives   it and the method outlive the session
// errors  OpenSSL's own: the session says again, or that it has ended
// source  BIO_meth_new(3); RFC 8446 5.1 (a record comes in any number of pieces)
#pragma once

#include <memory>

#include "base/child.hpp"

struct bio_method_st;
struct ssl_st;

namespace postern::tls {

struct Wire {
  base::Descriptor socket;
  bool is_dry = false;
  bool is_ending = false;   // the end of the peer's side has come, and may not be read yet
  bool has_ended = false;   // it has been read
  bool holds_back = false;  // what is written leaves with what follows: more octets, or the end of the stream
};

class WireMethod {
 public:
  WireMethod();
  [[nodiscard]] bool is_made() const { return method_ != nullptr; }  // false: out of memory
  [[nodiscard]] bool join(ssl_st& session, Wire& wire) const;        // false: out of memory

 private:
  struct Deleter {
    void operator()(bio_method_st* method) const;
  };
  std::unique_ptr<bio_method_st, Deleter> method_;
};

}  // namespace postern::tls
