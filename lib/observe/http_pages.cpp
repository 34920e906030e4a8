#include "observe/http_pages.hpp"

namespace postern::observe {
namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";

HttpReply readiness(Phase phase) {
  switch (phase) {
    case Phase::starting: return {503, plain_text, "starting\n"};
    case Phase::stopping: return {503, plain_text, "stopping\n"};
    case Phase::ready: break;
  }
  return {200, plain_text, "ready\n"};
}

}  // namespace

void MonitoringPages::set_certificates(std::vector<tls::CertificateEnd> ends) {
  const std::lock_guard lock(mutex_);
  certificates_ = std::move(ends);
}

HttpReply MonitoringPages::page(const HttpRequest& request) {
  if (request.path == "/metrics") {
    const TextFormat format = choose_format(request.accept);
    const std::lock_guard lock(mutex_);
    return {200, content_type(format), to_text(metrics_, read_process_figures(), build_, format, certificates_)};
  }
  if (request.path == "/healthz") return {200, plain_text, "alive\n"};
  if (request.path == "/readyz") return readiness(phase_.load(std::memory_order_relaxed));
  return {404, plain_text, "there are /metrics, /healthz and /readyz\n"};
}

}  // namespace postern::observe
