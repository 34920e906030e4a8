// What `check` finds besides the settings: the facts of a start, and what is wrong with their files.
// in      the variables, the home (POSTERN_HOME), what the caller said about the facts
// out     DetectedFacts: the facts and where each comes from; the event of the start as postern-smtpd would report it
// how     the same readers as the daemon: certificate, cdb. A home that is not on this machine is not looked at
// source  lib/config/start.hpp; spec/events.toml (connect.*); deviation D12
#pragma once

#include <string>
#include <vector>

#include "audit/advice.hpp"
#include "audit/configuration.hpp"
#include "cli/source.hpp"

namespace postern::cli {

struct DetectedFacts {
  audit::SaidFacts facts;
  std::string certificate_from, backend_from;  // `control/servercert.pem of /var/qmail`, `--backend`
  std::vector<audit::Advice> advice;           // refusals and warnings that no setting shows
  spec::Event event = spec::Event::connect_ready;
};

[[nodiscard]] DetectedFacts detect_facts(const audit::Policy& policy, const Variables& variables,
                                         const audit::SaidFacts& said);

}  // namespace postern::cli
