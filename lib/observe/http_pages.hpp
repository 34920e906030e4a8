// The pages for monitoring: /metrics, /healthz (it lives), /readyz (it takes new clients).
// in      a request; Metrics, which other threads go on counting in; the phase, which they set
// out     200; 503 on /readyz unless the phase is ready; 404 for any other path
// errors  none
// source  conventions of Prometheus and of Kubernetes' probes
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "observe/http_endpoint.hpp"
#include "observe/metrics_text.hpp"

namespace postern::observe {

enum class Phase : std::uint8_t { starting, ready, stopping };

class MonitoringPages final : public HttpPages {
 public:
  MonitoringPages(const Metrics& metrics, Build build, const std::atomic<Phase>& phase)
      : metrics_(metrics), build_(build), phase_(phase) {}

  // Anybody's; the page shows them from then on.
  void set_certificates(std::vector<tls::CertificateEnd> ends);

  [[nodiscard]] HttpReply page(const HttpRequest& request) override;

 private:
  const Metrics& metrics_;
  Build build_;
  const std::atomic<Phase>& phase_;
  std::mutex mutex_;
  std::vector<tls::CertificateEnd> certificates_;  // under mutex_
};

}  // namespace postern::observe
