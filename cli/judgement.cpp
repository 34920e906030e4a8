#include "cli/judgement.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/explanation_text.hpp"
#include "cli/detected_facts.hpp"
#include "config/dns_lists.hpp"
#include "config/filters.hpp"
#include "config/policy_services.hpp"
#include "config/service_address.hpp"
#include "config/settings_env.hpp"
#include "config/start.hpp"
#include "config/variables.hpp"
#include "server/client/listing.hpp"

namespace postern::cli {
namespace {

namespace bit = spec::bit;
enum class Listens : std::uint8_t { serve, another };

void take(audit::Configuration& configuration, std::uint64_t bits, std::optional<bool> value) {
  if (!value) return;
  configuration.settings_and_facts.set(bits, *value);
  configuration.said |= bits;
}

audit::Configuration configuration_of(const audit::Policy& policy, const config::VariableValues& values,
                                      const audit::SaidFacts& facts) {
  audit::Configuration configuration;
  configuration.port = static_cast<unsigned>(values.number(spec::Option::PORT).value_or(25));
  for (const spec::SettingOption& setting : spec::setting_options)
    take(configuration, setting.bit, values.flag(setting.option));
  take(configuration, bit::certificate, facts.certificate);
  take(configuration, bit::backend, facts.backend);
  take(configuration, bit::relay_client, facts.relay_client);
  take(configuration, bit::local_only, facts.local_only);
  audit::complete(policy, configuration);
  return configuration;
}

void tell_values(Judgement& judgement, const std::vector<config::SettingProblem>& problems) {
  for (const config::SettingProblem& problem : problems)
    judgement.advice.push_back({audit::Grade::refusal, "bad_value", config::describe(problem), "deviation D11"});
}

// Two readers may find the same, in the same words.
void leave_out_repetitions(std::vector<audit::Advice>& advice) {
  std::vector<audit::Advice> once;
  for (audit::Advice& each : advice)
    if (std::ranges::find(once, each.text, &audit::Advice::text) == once.end()) once.push_back(std::move(each));
  advice = std::move(once);
}

void tell_start(const audit::Policy& policy, Judgement& judgement, spec::Event event, std::string_view verdict) {
  const audit::Decision start =
      policy.decide(spec::start(judgement.explanation.configuration.settings_and_facts), event);
  judgement.reply = audit::Policy::reply_text(start, 0, verdict);
  judgement.rule = start.rule();
  judgement.password = start.is_refusal() ? "NO: the start is refused, nobody is served"
                                          : audit::password_sentence(policy, judgement.explanation);
  judgement.password_in_clear = judgement.explanation.password_in_clear && !start.is_refusal();
}

// deviation D32: where serve listens, RBLSMTPD is obeyed. Before postern-smtpd that is rblsmtpd's, which may not be there.
std::optional<server::Listing> take_listing(Judgement& judgement, const Variables& variables, Listens listens) {
  const std::string value = variables.value_of("RBLSMTPD");
  auto listing = server::read_listing(value);
  if (listens == Listens::serve && !listing)
    judgement.advice.push_back({audit::Grade::refusal, "bad_value", listing.error(), "deviation D32"});
  if (listens == Listens::serve) return listing.value_or(std::nullopt);
  if (!value.empty())
    judgement.advice.push_back({audit::Grade::note, "listed",
                                "RBLSMTPD=\"" + value +
                                    "\": rblsmtpd refuses these clients, where it runs before postern-smtpd; "
                                    "without it they are served as shown here",
                                "rblsmtpd(1)"});
  return std::nullopt;
}

void tell_greylist(Judgement& judgement, const config::VariableValues& values, const Variables& variables,
                   Listens listens) {
  const std::uint64_t seconds = values.number(spec::Option::GREYLIST).value_or(0);
  if (seconds == 0) return;
  if (listens == Listens::another)
    return judgement.advice.push_back({audit::Grade::refusal, "bad_value",
                                       config::greylist_needs_serve(variables.origin),
                                       "docs/decisions/0020-greylist.md"});
  judgement.advice.push_back(
      {audit::Grade::note, "greylist",
       "GREYLIST=" + std::to_string(seconds) +
           ": recipients of ours get 451 from a network and a sender that are new to them, until " +
           std::to_string(seconds) + " seconds have passed and the client comes again; not from clients that may relay",
       "RFC 6647 5"});
}

void tell_listing(Judgement& judgement) {
  judgement.listed =
      judgement.reply.empty() ? "no reply: TLS comes first here, and the connection is closed" : judgement.reply;
}

// What names somebody who is asked, and cannot be read.
void tell_who_is_asked(Judgement& judgement, const Variables& variables) {
  const auto refuse = [&](const std::string& sentence) {
    judgement.advice.push_back({audit::Grade::refusal, "bad_value", sentence, "deviation D11"});
  };
  const auto tell = [&](std::string_view name, const auto& read) {
    if (!read) refuse(std::string(name) + " in " + variables.origin + ": " + read.error());
  };
  tell("DNSBL", config::parse_dns_lists(variables.value_of("DNSBL"), config::ListedBy::address));
  for (const std::string_view name : {"DNSBL_SENDER", "DNSBL_HELO"})
    tell(name, config::parse_dns_lists(variables.value_of(name), config::ListedBy::domain));
  tell("POSTERN_POLICY_SERVICE", config::parse_policy_services(variables.value_of("POSTERN_POLICY_SERVICE")));
  tell("POSTERN_FILTERS", config::parse_filters(variables.value_of("POSTERN_FILTERS")));
  const std::string userdb = variables.value_of("POSTERN_USERDB");
  if (const auto address = config::parse_service_address(userdb, config::example_userdb_port);
      !userdb.empty() && !address)
    refuse("POSTERN_USERDB=\"" + userdb + "\": " + address.error());
}

}  // namespace

Judgement judge(const audit::Policy& policy, const audit::Comparison& comparison, const Variables& variables,
                const audit::SaidFacts& said, audit::Clients clients) {
  const std::vector<const char*> environment = variables.environment();
  const auto values = config::read_variables(base::Environment(environment.data()), variables.origin);
  DetectedFacts around = detect_facts(policy, variables, said);
  const audit::Configuration configuration = configuration_of(policy, values, around.facts);

  Judgement judgement{.title = variables.origin,
                      .explanation = audit::explain(policy, configuration),
                      .certificate_from = around.certificate_from,
                      .backend_from = around.backend_from,
                      .advice = {},
                      .remarks = variables.remarks,
                      .asked = config::asked_in_force(config::judge_start({}, base::Environment(environment.data()),
                                                                          variables.origin, config::Lists::elsewhere)),
                      .place = audit::place_in_table(policy, comparison.codes, configuration),
                      .reply = {},
                      .rule = {},
                      .listed = {},
                      .password = {}};
  tell_values(judgement, values.problems());
  tell_who_is_asked(judgement, variables);
  const Listens listens = said.home_is_here ? Listens::serve : Listens::another;
  tell_greylist(judgement, values, variables, listens);
  const auto listing = take_listing(judgement, variables, listens);
  const bool is_readable = std::ranges::none_of(
      judgement.advice, [](const audit::Advice& each) { return each.grade == audit::Grade::refusal; });
  const bool is_listed = is_readable && listing && around.event == spec::Event::connect_ready;
  tell_start(policy, judgement,
             is_listed     ? listing->event
             : is_readable ? around.event
                           : spec::Event::connect_bad_value,
             is_listed ? std::string_view(listing->text) : std::string_view());
  if (is_listed) tell_listing(judgement);
  std::ranges::move(around.advice, std::back_inserter(judgement.advice));
  if (!is_listed)  // what a client that is let in could do does not matter
    std::ranges::move(audit::advise(policy, comparison, judgement.explanation, clients),
                      std::back_inserter(judgement.advice));
  std::ranges::stable_sort(judgement.advice, {}, &audit::Advice::grade);
  leave_out_repetitions(judgement.advice);
  return judgement;
}

std::string write_text(const audit::Policy& policy, const Judgement& judgement) {
  const audit::Configuration& configuration = judgement.explanation.configuration;
  const auto fact = [&](std::uint64_t bits) { return policy.written(bits, configuration.settings_and_facts); };
  std::string out = judgement.title + "\n";
  out +=
      "settings PORT=" + std::to_string(configuration.port) + " " + audit::settings_text(policy, configuration) + "\n";
  out += audit::wrapped("facts    " + fact(bit::certificate) + " (" + judgement.certificate_from + "), " +
                            fact(bit::backend) + " (" + judgement.backend_from + "), " + fact(bit::relay_client) +
                            ", " + fact(bit::local_only),
                        "         ") +
         "\n";
  std::string asked;
  for (const config::InForce& each : judgement.asked)
    asked += (asked.empty() ? "" : ", ") + std::string(each.name) + "=" + each.value;
  if (!asked.empty()) out += audit::wrapped("asked    " + asked, "         ") + "\n";
  out += "start    " + judgement.reply + "  (" + judgement.rule + ")\n";
  out += audit::wrapped("password may it cross in clear? " + judgement.password, "         ") + "\n";
  for (const std::string& remark : judgement.remarks) out += audit::wrapped("remark   " + remark, "         ") + "\n";
  return out + audit::write_text(judgement.advice) + audit::write_text(judgement.place);
}

void warn_of_misspellings(std::vector<audit::Advice>& advice, const std::vector<std::string>& sentences) {
  for (const std::string& sentence : sentences)
    advice.push_back({audit::Grade::warning, "misspelt_variable", sentence, "docs/operating.md"});
  std::ranges::stable_sort(advice, {}, &audit::Advice::grade);
}

audit::Json to_json(const audit::Policy& policy, const Judgement& judgement) {
  audit::Json json = audit::to_json(policy, judgement.explanation.configuration);
  json["of"] = judgement.title;
  json["certificate_from"] = judgement.certificate_from;
  json["backend_from"] = judgement.backend_from;
  const bool is_refused = judgement.worst() == audit::Grade::refusal || !judgement.listed.empty();
  json["verdict"] = is_refused && judgement.explanation.is_live() ? audit::name_of(audit::Verdict::refused)
                                                                  : audit::name_of(judgement.explanation.verdict);
  if (!judgement.listed.empty()) json["listed"] = judgement.listed;
  json["start"] = {{"rule", judgement.rule}, {"reply", judgement.reply}};
  json["password_in_clear"] = judgement.password_in_clear;
  json["asked"] = audit::Json::object();
  for (const config::InForce& each : judgement.asked) json["asked"][each.name] = each.value;
  json["advice"] = audit::to_json(judgement.advice);
  json["remarks"] = judgement.remarks;
  json["table"] = audit::to_json(judgement.place);
  return json;
}

}  // namespace postern::cli
