#include "server/client/class_job.hpp"

#include "server/client/connection.hpp"

namespace postern::server {

ClassJob::ClassJob(Connection& connection, std::string_view class_value)
    : loop::Job(connection.context().loop),
      connection_(connection),
      snapshot_(connection.context().snapshot),
      value_(class_value) {}

void ClassJob::begin(Connection& connection, std::string_view class_value) {
  std::unique_ptr<ClassJob> job(new ClassJob(connection, class_value));
  connection.context().judges.submit(std::move(job));
  ++connection.jobs_;
}

void ClassJob::run() { profile_ = snapshot_->policies->find(connection_.client_.listener.index, value_); }

void ClassJob::done() {
  --connection_.jobs_;
  if (connection_.phase_ == Connection::Phase::over) return connection_.leave_if_unused();
  if (connection_.phase_ != Connection::Phase::opening) return;  // it was turned away
  connection_.in_turn([this] {
    const Client& client = connection_.client_;
    if (profile_ != nullptr) client.context.keep_class(*snapshot_, client.listener.index, value_, profile_);
    connection_.obey(connection_.opening_.judged(connection_.client_, connection_.talk_.stream, profile_));
  });
}

}  // namespace postern::server
