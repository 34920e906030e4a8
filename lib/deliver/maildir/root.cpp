#include "deliver/maildir/root.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <string_view>
#include <utility>

namespace postern::deliver {
namespace {

// maildir(5): a slash or colon of the host would end the name, or begin its flags. A comma begins our size.
std::string sanitised(std::string_view host) {
  constexpr std::size_t max_octets = 128;
  std::string name;
  for (const char octet : host.substr(0, max_octets)) {
    if (octet == '/')
      name += "\\057";
    else if (octet == ':')
      name += "\\072";
    else
      name += octet > ' ' && octet <= '~' && octet != ',' ? octet : '?';
  }
  return name;
}

}  // namespace

MaildirRoot::MaildirRoot(MaildirSettings settings) : settings_(std::move(settings)), host_(sanitised(settings_.host)) {}

base::Descriptor MaildirRoot::open() const {
  return base::Descriptor(::open(settings_.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// maildir(5): time, then what is unique in that second.
std::string MaildirRoot::unique_name() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::to_string(now.tv_sec) + ".M" + std::to_string(now.tv_nsec / 1000) + 'P' + std::to_string(::gettid()) +
         'Q' + std::to_string(++counter_) + '.' + host_;
}

}  // namespace postern::deliver
