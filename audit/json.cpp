#include "audit/json.hpp"

#include <nlohmann/json.hpp>

namespace postern::audit {
namespace {

Json rule_row(const Policy& policy, spec::Rule rule) {
  const spec::RuleRow& row = policy.rule(rule);
  return {{"rule", row.id}, {"if", row.condition_text}, {"reason", row.reason}, {"source", row.source}};
}

Json to_json(const Situation& situation) {
  Json gates = Json::object();
  for (const Gate& gate : situation.gates) {
    Json entry = to_json(gate.decision);
    entry["open"] = gate.is_open;
    gates[gate.name] = std::move(entry);
  }
  return {{"name", situation.name},
          {"channel", situation.channel},
          {"authentication", situation.authentication},
          {"ehlo", situation.ehlo},
          {"gates", std::move(gates)}};
}

}  // namespace

std::string dumped(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json to_json(const Decision& decision) {
  return {{"rule", decision.rule()}, {"code", decision.code()}, {"reply", Policy::reply_text(decision)}};
}

Json to_json(const Policy& policy, const Configuration& configuration) {
  Json settings = {{"PORT", configuration.port}};
  Json facts = Json::object();
  for (std::size_t i = 0; i < policy.fixed().size(); ++i) {
    const spec::Variable& variable = *policy.fixed()[i];
    Json& group = i < policy.model().settings.size() ? settings : facts;
    group[variable.name] = configuration.settings_and_facts.has(spec::bits_of(variable)) ? 1 : 0;
  }
  return {{"settings", std::move(settings)}, {"facts", std::move(facts)}};
}

Json to_json(const Policy& policy, const Explanation& explanation) {
  Json json = to_json(policy, explanation.configuration);
  json["verdict"] = name_of(explanation.verdict);
  json["start"] = to_json(explanation.start);
  json["password_in_clear"] = explanation.password_in_clear;
  json["password_sentence"] = password_sentence(policy, explanation);
  json["mail_in_clear"] = explanation.mail_in_clear;
  json["mail_from_strangers"] = explanation.mail_from_strangers;
  json["relays_for_strangers"] = explanation.relays_for_strangers;
  json["situations"] = Json::array();
  for (const Situation& situation : explanation.situations) json["situations"].push_back(to_json(situation));
  json["prose"] = prose_of(policy, explanation);
  json["rules"] = Json::array();
  for (const spec::Rule rule : explanation.rules) json["rules"].push_back(rule_row(policy, rule));
  return json;
}

Json to_json(const std::vector<Advice>& advice) {
  Json json = Json::array();
  for (const Advice& piece : advice)
    json.push_back({{"grade", name_of(piece.grade)}, {"id", piece.id}, {"text", piece.text}, {"source", piece.source}});
  return json;
}

Json to_json(const PlaceInTable& place) {
  Json nearest = Json::array(), alike = Json::array();
  for (const CellDistance& near : place.nearest)
    nearest.push_back({{"cell", name_of(*near.cell)}, {"marks", near.cell->marks}, {"differs", near.differs}});
  for (const spec::Cell* cell : place.alike) alike.push_back(name_of(*cell));
  return {{"exact", place.is_exact()}, {"nearest", std::move(nearest)}, {"alike", std::move(alike)}};
}

}  // namespace postern::audit
