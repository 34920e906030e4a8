// A class of clients that is not known yet, or was refused a while ago, on its way to a thread that judges it: control files,
// certificates and folders may be slow, and other sessions go on meanwhile.
// in      a connection that waits for it in its opening
// out     Opening::judged(), unless the connection has gone on without it; other clients of its loop find the class then
// lives   with the snapshot by which it judges
// errors  no memory: the client gets what Opening::judged() says
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loop/workers.hpp"
#include "server/snapshot.hpp"

namespace postern::server {

class Connection;

class ClassJob final : public loop::Job {
 public:
  // The connection lives until it is back.
  static void begin(Connection& connection, std::string_view class_value);

  void run() override;
  void done() override;

 private:
  ClassJob(Connection& connection, std::string_view class_value);

  Connection& connection_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::string value_;
  std::shared_ptr<const ServiceProfile> profile_;  // null: no memory
};

}  // namespace postern::server
