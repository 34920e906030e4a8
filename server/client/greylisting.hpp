// Whether the greylist defers a recipient that all else would take.
// in      a client whose class has a greylist, its session, the recipient as it is kept
// out     true: it is to come again. Each question is counted (postern_greylist_recipients)
// errors  lack of memory defers nobody; a line of the log says so
// source  ask/greylist.hpp; limits/greylist.hpp
#pragma once

#include <string_view>

#include "engine/session.hpp"

namespace postern::server {

class Client;

[[nodiscard]] bool is_greylisted(Client& client, const engine::Session& session, std::string_view recipient);

}  // namespace postern::server
