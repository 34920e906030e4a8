#include "audit/explorer.hpp"

#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "audit/diagram.hpp"
#include "audit/document.hpp"
#include "audit/json.hpp"
#include "audit/resources.hpp"

namespace postern::audit {
namespace {

// 0 stands for every other port.
constexpr std::array<unsigned, 4> ports = {25, 465, 587, 0};

// Each value once; what refers to it has its index.
class Store {
 public:
  std::size_t add(const Json& value) {
    const auto [at, is_new] = index_.try_emplace(value.dump(), values_.size());
    if (is_new) values_.push_back(value);
    return at->second;
  }
  [[nodiscard]] Json take() { return std::move(values_); }

 private:
  Json values_ = Json::array();
  std::map<std::string, std::size_t> index_;
};

class Writer {
 public:
  explicit Writer(const Policy& policy) : policy_(policy), comparison_(policy) {}

  Json write() {
    Json configurations = Json::object();
    for (const spec::Guards guards : policy_.configurations()) configurations[key_of(guards)] = entry_of(guards);
    Json json = {{"hash", spec::policy_hash()},
                 {"names", names()},
                 {"settings", settings()},
                 {"facts", facts()},
                 {"cells", cells()},
                 {"edges", edges()},
                 {"ports", ports}};
    json["configurations"] = std::move(configurations);
    json["explanations"] = explanations_.take();
    json["situations"] = situations_.take();
    json["rules"] = rules_.take();
    json["advice"] = advice_.take();
    json["places"] = places_.take();
    return json;
  }

 private:
  // `010011100`: a digit for each setting and fact, in the order of `names`.
  [[nodiscard]] std::string key_of(spec::Guards guards) const {
    std::string key;
    for (const spec::Variable* variable : policy_.fixed()) key += guards.has(spec::bits_of(*variable)) ? '1' : '0';
    return key;
  }

  // [explanation, advice and place on port 25, ... 465, ... 587, ... another]
  Json entry_of(spec::Guards guards) {
    Configuration configuration{.settings_and_facts = guards, .said = ~std::uint64_t{0}};
    Explanation explanation = explain(policy_, configuration);
    Json entry = {explanations_.add(folded(explanation))};
    for (const unsigned port : ports) {
      explanation.configuration.port = port;
      entry.push_back(advice_.add(to_json(advise(policy_, comparison_, explanation))));
      entry.push_back(places_.add(place_of(explanation.configuration)));
    }
    return entry;
  }

  Json folded(const Explanation& explanation) {
    Json json = to_json(policy_, explanation);
    json.erase("settings");
    json.erase("facts");
    for (Json& situation : json["situations"]) situation = situations_.add(situation);
    Json rules = Json::array();
    for (const spec::Rule rule : explanation.rules) rules.push_back(spec::name_of(rule));
    json["rules"] = rules_.add(rules);
    return json;
  }

  [[nodiscard]] Json place_of(const Configuration& configuration) const {
    const PlaceInTable place = place_in_table(policy_, comparison_.codes, configuration);
    Json nearest = Json::array();
    for (const CellDistance& near : place.nearest)
      nearest.push_back({{"cell", near.cell - policy_.model().cells.data()}, {"differs", near.differs}});
    return {{"exact", place.is_exact()}, {"nearest", std::move(nearest)}};
  }

  [[nodiscard]] Json names() const {
    Json json = Json::array();
    for (const spec::Variable* variable : policy_.fixed()) json.push_back(variable->name);
    return json;
  }

  [[nodiscard]] Json settings() const {
    Json json = Json::array();
    for (const spec::Setting& s : policy_.model().settings) json.push_back({{"name", s.name}, {"meaning", s.meaning}});
    return json;
  }

  [[nodiscard]] Json facts() const {
    Json json = Json::array();
    for (const spec::Fact& f : policy_.model().facts) {
      if (!f.is_counted) json.push_back({{"name", f.name}, {"meaning", f.meaning}});
    }
    return json;
  }

  [[nodiscard]] Json cells() const {
    Json json = Json::array();
    for (const spec::Cell& cell : policy_.model().cells) {
      const Configuration configuration = configuration_of(policy_, cell);
      json.push_back({{"encryption", cell.encryption},
                      {"auth", cell.auth},
                      {"marks", cell.marks},
                      {"source", cell.source},
                      {"port", configuration.port},
                      {"key", key_of(configuration.settings_and_facts)}});
    }
    return json;
  }

  [[nodiscard]] Json edges() const {
    Json json = Json::object();
    for (const Diagram& diagram : diagrams_of(policy_)) {
      for (const DiagramEdge& edge : diagram.edges) {
        for (const spec::Rule rule : edge.rules) json[edge.id].push_back(spec::name_of(rule));
      }
    }
    return json;
  }

  const Policy& policy_;
  Comparison comparison_;
  Store explanations_, situations_, rules_, advice_, places_;
};

std::string figures(const Policy& policy) {
  std::string out;
  for (const Diagram& diagram : diagrams_of(policy)) {
    const std::string svg = svg_of(diagram);
    out += "<figure><figcaption><b>" + html_escaped(diagram.name) + "</b>: " + html_escaped(diagram.meaning) +
           "</figcaption>\n" +
           (svg.empty() ? "<p>Not drawn: Graphviz (dot) was not installed when this page was written.</p>"
                        : "<div class=\"wide\">" + svg + "</div>") +
           "</figure>\n";
  }
  return out;
}

}  // namespace

std::string explorer_data(const Policy& policy) { return Writer(policy).write().dump(); }

std::string explorer_page(const Policy& policy) {
  std::string page(explorer_html());
  page = replaced(std::move(page), "<!-- figures -->", figures(policy));
  std::string laws, document;
  for (const Section& section : document_of(policy)) {
    const bool is_about_laws =
        section.title == "Laws" || section.title == "Words of the laws" || section.title == "Requirements";
    if (is_about_laws)
      laws += html_of(section, section.title == "Laws" ? Folded::no : Folded::yes);
    else
      document += html_of(section, Folded::yes);
  }
  page = replaced(std::move(page), "<!-- laws -->", laws);
  page = replaced(std::move(page), "<!-- document -->", document);
  // Inside a script element nothing may look like its end.
  return replaced(std::move(page), "\"@data@\"", replaced(explorer_data(policy), "</", "<\\/"));
}

}  // namespace postern::audit
