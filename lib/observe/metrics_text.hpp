// The page /metrics: all figures as text.
// in      Totals with the names of refusals, ProcessFigures, the two facts of the build, and the Accept field of the request
// out     the text in the format that was chosen; series of codes, rules and refusals that never happened are left out
// errors  none
// source  Prometheus text format 0.0.4; OpenMetrics 1.0: families without `_total`, samples with it, `# EOF`. There a
//         gauge postern_sessions would be of the same family as the counter postern_sessions_total; therefore
//         postern_open_sessions
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "observe/metrics.hpp"
#include "observe/process_figures.hpp"
#include "tls/certificate_end.hpp"

namespace postern::observe {

enum class TextFormat : std::uint8_t { prometheus, open_metrics };

// The format that weighs more in Accept; Prometheus' own when both weigh the same by name, or when nothing was said.
[[nodiscard]] TextFormat choose_format(std::string_view accept);
[[nodiscard]] std::string_view content_type(TextFormat format);

struct Build {
  std::string_view version;
  std::string_view policy;  // spec::policy_hash()
};

[[nodiscard]] std::string to_text(const Metrics& metrics, const ProcessFigures& process, Build build, TextFormat format,
                                  std::span<const tls::CertificateEnd> certificates = {});

}  // namespace postern::observe
