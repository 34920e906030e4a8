// Messages of the DNS, written octet by octet: right ones, and those that are wrong in one place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/message.hpp"

namespace postern::dns {

class Message {
 public:
  static constexpr std::uint16_t answered = 0x8180;

  // A question, and what is to come is an answer to it.
  Message(Type type, std::string_view name, std::uint16_t flags = answered) : octets_(12) {
    put(2, flags);
    count(4);
    this->name(name).two(static_cast<std::uint16_t>(type)).two(1);
  }

  Message& two(unsigned number) { return octets({number >> 8U & 0xffU, number & 0xffU}); }
  Message& four(std::uint32_t number) { return two(number >> 16U).two(number & 0xffffU); }
  Message& octets(std::initializer_list<unsigned> added) {
    for (const unsigned octet : added) octets_.push_back(static_cast<std::uint8_t>(octet));
    return *this;
  }
  Message& text(std::string_view added) {
    octets_.insert(octets_.end(), added.begin(), added.end());
    return *this;
  }
  Message& name(std::string_view text) {
    while (!text.empty()) {
      const std::string_view label = text.substr(0, text.find('.'));
      octets({static_cast<unsigned>(label.size())}).text(label);
      text.remove_prefix(std::min(label.size() + 1, text.size()));
    }
    return octets({0});
  }

  // A record with its data; which of the counts of the header it belongs to: 6, 8.
  Message& record(std::string_view owner, unsigned type, std::uint32_t ttl, std::string_view data,
                  std::size_t section = 6) {
    count(section);
    name(owner).two(type).two(1).four(ttl).two(static_cast<unsigned>(data.size())).text(data);
    return *this;
  }
  Message& a(std::string_view owner, std::uint32_t ttl, std::string_view address) {
    return record(owner, 1, ttl, address);
  }
  Message& cname(std::string_view owner, std::uint32_t ttl, std::string_view target) {
    return record(owner, 5, ttl, wire(target));
  }
  Message& soa(std::string_view owner, std::uint32_t ttl, std::uint32_t minimum) {
    Message data(Type::a, "");
    data.octets_.clear();
    data.name("ns.test").name("admin.test").four(1).four(2).four(3).four(4).four(minimum);
    return record(owner, 6, ttl, {reinterpret_cast<const char*>(data.octets_.data()), data.octets_.size()}, 8);
  }
  Message& put(std::size_t at, unsigned number) {
    octets_[at] = static_cast<std::uint8_t>(number >> 8U);
    octets_[at + 1] = static_cast<std::uint8_t>(number & 0xffU);
    return *this;
  }
  Message& count(std::size_t at) { return put(at, unsigned{octets_[at]} * 256U + octets_[at + 1] + 1U); }

  [[nodiscard]] std::span<const std::uint8_t> view() const { return octets_; }
  [[nodiscard]] std::size_t size() const { return octets_.size(); }

  static std::string wire(std::string_view name) {
    Message data(Type::a, "");
    data.octets_.clear();
    data.name(name);
    return {data.octets_.begin(), data.octets_.end()};
  }

 private:
  std::vector<std::uint8_t> octets_;
};

inline Answer read(const Message& message, Type type, std::string_view name) {
  return read_answer(message.view(), type, *Name::of(name));
}

}  // namespace postern::dns
