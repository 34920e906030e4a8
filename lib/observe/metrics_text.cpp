#include "observe/metrics_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace postern::observe {
namespace {

constexpr std::string_view open_metrics_type = "application/openmetrics-text";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Takes what stands before the sign off the front, and the sign with it.
std::string_view take_until(std::string_view& text, char sign) {
  const std::size_t end = std::min(text.find(sign), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(taken);
}

// RFC 9110 12.4.2: 1 when it is not said, nothing when it is no number.
double weight_of(std::string_view parameters) {
  double weight = 1;
  while (!parameters.empty()) {
    const std::string_view parameter = take_until(parameters, ';');
    if (parameter.starts_with("version=") && parameter != "version=1.0.0" && parameter != "version=0.0.1" &&
        parameter != "version=0.0.4")
      return 0;
    if (!parameter.starts_with("q=")) continue;
    if (std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), weight).ec != std::errc{}) return 0;
  }
  return weight;
}

std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char octet : value) {
    if (octet == '"' || octet == '\\') text += '\\';
    if (octet == '\n')
      text += "\\n";
    else
      text += octet;
  }
  return text += '"';
}

std::string seconds(std::uint64_t nanoseconds) {
  constexpr std::uint64_t in_a_second = 1'000'000'000;
  std::string fraction = std::to_string(nanoseconds % in_a_second);
  fraction.insert(0, 9 - fraction.size(), '0');
  return std::to_string(nanoseconds / in_a_second) + '.' + fraction;
}

class Page {
 public:
  explicit Page(TextFormat format) : format_(format) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    suffix_ = type == "counter" ? "_total" : type == "info" ? "_info" : "";
    const bool is_open = format_ == TextFormat::open_metrics;
    const std::string shown = name_ + (is_open ? "" : suffix_);
    text_ += "# HELP " + shown + ' ' + std::string(help) + "\n# TYPE " + shown + ' ';
    text_ += !is_open && type == "info" ? "gauge" : type;
    text_ += '\n';
  }
  void sample(std::string_view labels, std::string_view value) { sample(suffix_, labels, value); }
  void sample(std::string_view labels, std::uint64_t value) { sample(suffix_, labels, std::to_string(value)); }
  void sample(std::string_view suffix, std::string_view labels, std::string_view value) {
    text_.append(name_).append(suffix);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.append(" ").append(value).append("\n");
  }
  [[nodiscard]] std::string end() && {
    if (format_ == TextFormat::open_metrics) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  TextFormat format_;
  std::string name_, suffix_, text_;
};

void write_refusals(Page& page, const Totals& totals, const std::vector<std::string>& refusals) {
  page.family("postern_connections_refused", "counter", "Connections refused before a session, by rule.");
  for (std::size_t i = 0; i < refusals.size(); ++i)
    page.sample(label("rule", refusals[i]), totals[figure::refusals + i]);
}

void write_sessions(Page& page, const Totals& totals) {
  page.family("postern_open_sessions", "gauge", "Sessions open now.");
  page.sample("", totals[figure::open_sessions]);
  page.family("postern_sessions", "counter", "Sessions opened.");
  page.sample("", totals[figure::sessions]);
}

void write_policy(Page& page, const Totals& totals) {
  page.family("postern_replies", "counter", "Replies sent, by code.");
  for (std::size_t i = 0; i < figure::codes; ++i) {
    const std::uint64_t number = totals[figure::replies + i];
    if (number != 0) page.sample(label("code", std::to_string(figure::first_code + i)), number);
  }
  page.family("postern_rule_hits", "counter", "Decisions, by the rule of spec/policy.toml that made them.");
  for (std::size_t i = 0; i < spec::rule_count; ++i) {
    const std::uint64_t number = totals[figure::rules + i];
    if (number != 0) page.sample(label("rule", spec::name_of(static_cast<spec::Rule>(i))), number);
  }
}

void write_results(Page& page, const Totals& totals, std::size_t first, std::span<const std::string_view> names) {
  for (std::size_t i = 0; i < names.size(); ++i) page.sample(label("result", names[i]), totals[first + i]);
}

void write_outcomes(Page& page, const Totals& totals) {
  page.family("postern_tls_handshakes", "counter", "TLS handshakes, by version and result.");
  constexpr std::array<std::string_view, 3> versions{"none", "TLSv1.2", "TLSv1.3"};
  constexpr std::array<std::string_view, 2> done_or_failed{"done", "failed"};
  for (std::size_t i = 0; i < 6; ++i) {
    page.sample(label("version", versions[i / 2]) + ',' + label("result", done_or_failed[i % 2]),
                totals[figure::handshakes + i]);
  }
  page.family("postern_auth", "counter", "Credentials checked, by result.");
  write_results(page, totals, figure::auths, std::array<std::string_view, 3>{"accepted", "rejected", "broken"});
  page.family("postern_messages", "counter", "Messages handed over, by result.");
  for (std::size_t i = 0; i < engine::hand_over_result_count; ++i)
    page.sample(label("result", engine::name_of(static_cast<engine::HandOverResult>(i))), totals[figure::messages + i]);
  page.family("postern_quarantined_messages", "counter",
              "Messages handed over that a filter wants put aside: X-Quarantine is their first field after ours.");
  page.sample("", totals[figure::quarantined]);
  page.family("postern_message_octets", "counter", "Octets of accepted messages.");
  page.sample("", totals[figure::message_octets]);
  page.family("postern_stray_reports", "counter", "Answers to a session that waited for something else: a defect.");
  page.sample("", totals[figure::stray_reports]);
  page.family("postern_reloads", "counter", "Reloads of the configuration, by result.");
  write_results(page, totals, figure::reloads, done_or_failed);
}

void write_dns_lists(Page& page, const Totals& totals, const DnsListCounts& counts) {
  page.family("postern_dns_list_questions", "counter",
              "Questions to DNS lists about clients, by how they were answered.");
  write_results(page, totals, figure::dns_lists, std::array<std::string_view, 3>{"asked", "cached", "failed"});
  page.family("postern_dns_listed_clients", "counter", "Clients whose weights on DNS lists reach the threshold.");
  page.sample("", totals[figure::dns_lists + 3]);
  const std::vector<DnsListCounts::Row> rows = counts.rows();
  if (!rows.empty())
    page.family("postern_dns_list_clients", "counter", "Clients that a DNS list names, or of which it did not say.");
  for (const DnsListCounts::Row& each : rows) {
    page.sample(label("list", each.list) + ',' + label("result", "listed"), each.listed);
    page.sample(label("list", each.list) + ',' + label("result", "failed"), each.failed);
  }
}

void write_greylist(Page& page, const Totals& totals) {
  page.family("postern_greylist_recipients", "counter",
              "Recipients about which the greylist was asked; first and early were deferred.");
  write_results(page, totals, figure::greylist,
                std::array<std::string_view, 5>{"first", "early", "passed", "known", "known_network"});
}

// How a question of that source can end.
std::span<const ask::Outcome> outcomes_of(ask::Source source) {
  using enum ask::Outcome;
  static constexpr std::array of_lists{listed, unlisted, failed, abandoned};
  static constexpr std::array of_others{accepted, refused, deferred, failed, abandoned};
  if (source == ask::Source::dns_list) return of_lists;
  return of_others;
}

std::string labels_of(const QuestionCounts::Row& row) {
  return label("source", ask::name_of(row.source)) + (row.name.empty() ? "" : ',' + label("name", row.name));
}

void write_buckets(Page& page, const std::string& labels, std::span<const std::uint64_t, bucket_count> buckets,
                   std::uint64_t nanoseconds) {
  std::uint64_t number = 0;
  const std::string before = labels + (labels.empty() ? "" : ",");
  for (std::size_t i = 0; i < bucket_count; ++i) {
    number += buckets[i];
    const std::string_view bound = i < bucket_bounds.size() ? bucket_bounds[i].seconds : "+Inf";
    page.sample("_bucket", before + label("le", bound), std::to_string(number));
  }
  page.sample("_sum", labels, seconds(nanoseconds));
  page.sample("_count", labels, std::to_string(number));
}

void write_questions(Page& page, const QuestionCounts& counts) {
  const std::vector<QuestionCounts::Row> rows = counts.rows();
  if (rows.empty()) return;
  page.family("postern_questions", "counter",
              "Questions asked about clients, recipients and messages, by who was asked.");
  for (const auto& row : rows) page.sample(labels_of(row), row.asked);
  page.family("postern_answers", "counter", "How such questions ended.");
  for (const auto& row : rows)
    for (const ask::Outcome outcome : outcomes_of(row.source))
      page.sample(labels_of(row) + ',' + label("outcome", ask::name_of(outcome)),
                  row.outcomes[std::to_underlying(outcome)]);
  page.family("postern_open_questions", "gauge", "Such questions that wait for an answer now.");
  for (const auto& row : rows) page.sample(labels_of(row), row.asked - row.ended());
  page.family("postern_dns_list_cache_hits", "counter",
              "Answers of DNS lists that were known, so that nobody was asked.");
  for (const auto& row : rows)
    if (row.source == ask::Source::dns_list) page.sample(label("list", row.name), row.remembered);
  page.family("postern_question_seconds", "histogram", "From such a question to its end.");
  for (const auto& row : rows) write_buckets(page, labels_of(row), row.buckets, row.nanoseconds);
}

void write_gates(Page& page, const Totals& totals) {
  constexpr std::array<std::string_view, 2> kinds{"user", "address"};
  page.family("postern_auth_gates_shut", "gauge",
              "Gates shut now, which refuse logins without asking: users of an address, and addresses.");
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const std::size_t first = figure::gates + 2 * i;
    page.sample(label("gate", kinds[i]), totals[first] - totals[first + 1]);
  }
  page.family("postern_auth_gates_closings", "counter", "Times that such a gate has shut.");
  for (std::size_t i = 0; i < kinds.size(); ++i) page.sample(label("gate", kinds[i]), totals[figure::gates + 2 * i]);
  constexpr std::size_t recipients = figure::gates + 2 * kinds.size();
  page.family("postern_recipient_gates_shut", "gauge", "Addresses that have named too many unknown recipients.");
  page.sample("", totals[recipients] - totals[recipients + 1]);
  page.family("postern_recipient_gates_closings", "counter",
              "Times that an address had named too many unknown recipients.");
  page.sample("", totals[recipients]);
}

void write_histogram(Page& page, const Totals& totals, Duration what) {
  const std::size_t first = figure::histograms + std::to_underlying(what) * figure::histogram_figures;
  const std::span<const std::uint64_t, bucket_count> buckets(totals.data() + first, bucket_count);
  write_buckets(page, "", buckets, totals[first + bucket_count]);
}

void write_durations(Page& page, const Totals& totals) {
  page.family("postern_hand_over_seconds", "histogram", "From the end of mail data to the outcome.");
  write_histogram(page, totals, Duration::hand_over);
  page.family("postern_reply_seconds", "histogram", "From the arrival of a command to its reply.");
  write_histogram(page, totals, Duration::reply);
  page.family("postern_loop_lag_seconds", "histogram", "How late a loop handled what was ready.");
  write_histogram(page, totals, Duration::loop_lag);
}

void write_shadow(Page& page, const ShadowCounts* shadow) {
  if (shadow == nullptr) return;
  page.family("postern_shadow_sessions", "counter", "Sessions that were judged by the shadow, too.");
  page.sample("", shadow->sessions());
  page.family("postern_shadow_differences", "counter", "Sessions that the shadow would have led another way, by rule.");
  for (const ShadowDifference& each : shadow->differences())
    page.sample(label("rule", spec::name_of(each.rule)) + ',' + label("would", each.would.name()), each.number);
}

void write_certificates(Page& page, std::span<const tls::CertificateEnd> certificates) {
  if (certificates.empty()) return;
  page.family("postern_certificate_not_after_timestamp_seconds", "gauge",
              "When a certificate expires, in seconds since 1970.");
  for (const tls::CertificateEnd& end : certificates)
    page.sample("", label("file", end.file), std::to_string(end.ends_seconds));
}

void write_process(Page& page, const ProcessFigures& process) {
  if (process.cpu_time) {
    page.family("process_cpu_seconds", "counter", "CPU time spent, user and system.");
    page.sample("", seconds(static_cast<std::uint64_t>(process.cpu_time->count())));
  }
  if (process.started_seconds) {
    page.family("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.");
    page.sample("", *process.started_seconds);
  }
  if (process.resident_octets) {
    page.family("process_resident_memory_bytes", "gauge", "Resident memory.");
    page.sample("", *process.resident_octets);
  }
  if (process.open_descriptors) {
    page.family("process_open_fds", "gauge", "Open descriptors.");
    page.sample("", *process.open_descriptors);
  }
  if (process.max_descriptors) {
    page.family("process_max_fds", "gauge", "The limit of open descriptors.");
    page.sample("", *process.max_descriptors);
  }
}

}  // namespace

TextFormat choose_format(std::string_view accept) {
  double prometheus = 0;
  double open_metrics = 0;
  while (!accept.empty()) {
    std::string_view parameters = take_until(accept, ',');
    const std::string_view type = take_until(parameters, ';');
    if (type == open_metrics_type) open_metrics = std::max(open_metrics, weight_of(parameters));
    if (type == "text/plain") prometheus = std::max(prometheus, weight_of(parameters));
  }
  return open_metrics > 0 && open_metrics > prometheus ? TextFormat::open_metrics : TextFormat::prometheus;
}

std::string_view content_type(TextFormat format) {
  return format == TextFormat::open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
}

std::string to_text(const Metrics& metrics, const ProcessFigures& process, Build build, TextFormat format,
                    std::span<const tls::CertificateEnd> certificates) {
  const Totals totals = metrics.totals();
  Page page(format);
  page.family("postern_build", "info", "What is running.");
  page.sample(label("version", build.version) + ',' + label("policy", build.policy), "1");
  write_sessions(page, totals);
  write_refusals(page, totals, metrics.refusals());
  write_policy(page, totals);
  write_outcomes(page, totals);
  write_dns_lists(page, totals, metrics.dns_list_counts());
  write_greylist(page, totals);
  write_questions(page, metrics.question_counts());
  write_gates(page, totals);
  write_shadow(page, metrics.shown_shadow());
  write_durations(page, totals);
  write_certificates(page, certificates);
  write_process(page, process);
  return std::move(page).end();
}

}  // namespace postern::observe
