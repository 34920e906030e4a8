// The name of a host that its address confirms: PTR of the address, then the addresses of each name that it gives.
// in      an address; who resolves
// out     confirmed: the first name, in the order of the answer, that has the address. none: there is no such name.
//         failed: it is not known whether there is one
// share   all of them are one zone (dns/zones.hpp), so that they leave places for DNS lists, and rest where nobody answers
// bounds  the first max_names names that begin with no hyphen are asked for, all at once: two times the patience of a question in all
// lives   until it has ended, at once by begin() or later by ended(); a new begin(), cancel() and its death end it silently.
//         The resolver lives longer. ended() may destroy it
// memory  without memory for it: failed
// source  RFC 8601 2.7.3 (iprev); RFC 1912 2.1
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/network.hpp"
#include "dns/resolver.hpp"

namespace postern::dns {

class ConfirmedName {
 public:
  static constexpr std::size_t max_names = 4;

  struct Outcome {
    enum class Kind : std::uint8_t { confirmed, none, failed } kind = Kind::failed;
    std::string name{};
    Answer::Failure failure = Answer::Failure::nothing;  // of failed: of one of the questions
    friend bool operator==(const Outcome&, const Outcome&) = default;
  };

  explicit ConfirmedName(Resolver& resolver);
  ConfirmedName(const ConfirmedName&) = delete;
  ConfirmedName& operator=(const ConfirmedName&) = delete;
  virtual ~ConfirmedName() = default;

  // Null: it goes on.
  [[nodiscard]] const Outcome* begin(const base::Address& address);
  void cancel();

 private:
  virtual void ended(const Outcome& outcome) = 0;

  enum class Found : std::uint8_t { waits, confirmed, none, failed };

  class Step final : public Request {
   public:
    void ended(const Answer& answer) override { owner->step_ended(*this, answer); }
    ConfirmedName* owner = nullptr;
    std::string name;
    Found found = Found::none;
  };

  void ask(Step& step, Type type, std::string_view name);
  void step_ended(Step& step, const Answer& answer);
  void take(Step& step, const Answer& answer);
  void take_names(const Answer& answer);
  [[nodiscard]] bool conclude();

  Resolver& resolver_;
  base::Address address_;
  Step reverse_;
  std::array<Step, max_names> forward_;
  Outcome outcome_;
};

}  // namespace postern::dns
