// The second opinion about the world: what is found at the start, how look-ups end, silence, the end of the server.
#include "testing/reference.hpp"

namespace postern::testing {

void Reference::learn(const std::string& outcome, const std::string& text) {
  if (outcome == "timeout") {
    if (phase_ != "handshake") say("421 timeout (#4.4.2)");  // D16
    close();
  } else if (outcome == "too_slow") {
    say("421 too slow (#4.4.2)");  // D24
    close();
  } else if (outcome == "shutting_down") {
    // RFC 5321 3.8; D23
    if (phase_ != "handshake" && !slips(Slip::ends_without_a_word)) say("421 shutting down (#4.3.2)");
    close();
  } else if (outcome == "exhausted") {
    say("421 out of resources, try again later (#4.3.2)");  // RFC 5321 3.8, 4.3.2; D22
    close();
  } else if (outcome == "eof") {
    close();
  } else if (phase_ == "connect") {
    connect(outcome, text);
  } else if (phase_ == "recipient") {
    learn_recipient(outcome, text);
  } else if (phase_ == "message") {
    learn_message(outcome, text);
  } else if (phase_ == "credentials") {
    learn_credentials(outcome);
  } else if (phase_ == "hand_over") {
    learn_hand_over(outcome, text);
  } else if (phase_ == "handshake") {
    learn_handshake(outcome);
  }
  work();
}

// D22: clients that a listener does not let in, before it looks at any setting.
void Reference::connect(const std::string& found, const std::string& text) {
  if (found == "connect.denied" && slips(Slip::greets_who_is_denied)) return start("connect.ready", "");
  const bool is_of_the_listener = found == "connect.busy" || found == "connect.denied" ||
                                  found == "connect.rules_unreadable" || found == "connect.shutting_down" ||
                                  found == "connect.exhausted" || found.starts_with("connect.client_") ||
                                  found.starts_with("connect.listed_");
  // RFC 8314 3.3: before the handshake there is no SMTP, and so no reply.
  if (is_of_the_listener && world_.SSL) return close();
  if (found == "connect.rules_unreadable") {
    say("421 unable to read controls (#4.3.0)");
  } else if (found == "connect.shutting_down") {
    say("421 shutting down (#4.3.2)");
  } else if (found == "connect.exhausted") {
    say("421 out of resources, try again later (#4.3.2)");
  } else if (found == "connect.busy") {
    say("421 too many sessions, try again later (#4.3.2)");
  } else if (found == "connect.denied") {
    say("554 sorry, mail from your address is not taken here (#5.7.1)");  // RFC 5321 3.1
  } else if (found == "connect.listed_permanently") {                     // D32: as rblsmtpd
    say("553 " + text);
  } else if (found == "connect.listed_for_now") {
    say("451 " + text);
  } else if (found == "connect.client_busy") {
    say("421 too many sessions from your network (#4.7.0)");
  } else if (found == "connect.client_too_fast") {
    say("421 too many connections from your address (#4.7.0)");
  } else if (found == "connect.client_guesses") {
    say("421 too many failed AUTH from your address (#4.7.0)");
  } else if (found != "connect.malformed_proxy") {
    return start(found, text);
  }
  close();
}

void Reference::start(const std::string& found, const std::string& text) {
  const bool must_start_tls = world_.FORCE_TLS && !world_.SSL;  // seed: forced to 0 if you have SSL=1
  const bool can_encrypt = world_.SSL || starttls_works();
  std::string refusal;
  if (found == "connect.bad_value")
    refusal = "421 configuration error (#4.3.0)";
  else if (found == "connect.no_controls")
    refusal = "421 unable to read controls (#4.3.0)";
  else if (found == "connect.no_auth_cdb")
    refusal = "421 cannot read AUTH_CDB file";
  else if (must_start_tls && world_.DENY_TLS)
    refusal = "421 FORCE_TLS and DENY_TLS both found (#4.3.0)";
  else if (found == "connect.broken_certificate")
    refusal = "421 certificate unusable (#4.3.0)";
  else if (must_start_tls && !world_.certificate)
    refusal = "421 FORCE_TLS set without a usable certificate (#4.3.0)";
  else if (world_.REQUIRE_AUTH && !(world_.AUTH && world_.backend))
    refusal = "421 REQUIRE_AUTH set without valid AUTH program.";
  else if (world_.REQUIRE_AUTH && !world_.ALLOW_INSECURE_AUTH && !can_encrypt)
    refusal = "421 no mail can be accepted with these settings (#4.3.0)";  // D10
  else if (found == "connect.no_hand_over")
    refusal = "421 no way to hand over mail (#4.3.0)";
  else if (found == "connect.early_talker")
    refusal = "554 SMTP protocol violation";
  else if (found == "connect.dns_listed")
    refusal = "554 no mail service for your address: " + text + " (#5.7.1)";  // RFC 5782 2.1
  if (refusal.empty()) {
    say("220 " + world_.host + " ESMTP");
    phase_ = "command";
  } else {
    say(refusal);
    close();
  }
}

void Reference::learn_recipient(const std::string& outcome, const std::string& text) {
  phase_ = "command";
  const bool may_relay = world_.relay_client || logged_in_ || slips(Slip::relays_for_strangers);
  if (outcome == "recipient.relay_requested") return say("553 we don't relay (#5.7.1)");
  if (outcome == "recipient.sender_refused")
    return say("553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)");
  if (outcome == "recipient.refused") return say("553 sorry, your envelope recipient is in my badrcptto list (#5.7.1)");
  if (outcome == "recipient.unknown") return say("550 sorry, no mailbox here by that name (#5.1.1)");  // D33
  if (outcome == "recipient.too_many_unknown") {                                                       // D33
    say("421 too many unknown recipients (#4.7.0)");
    return close();
  }
  if (outcome == "recipient.program_refused")  // D34; where no words are given they are the recipient
    return say("553 " + (text.empty() ? asked_about_ : text).substr(0, 255));
  if (outcome == "recipient.program_deferred")
    return say("450 sorry, that recipient is not taken now, try again later (#4.7.1)");
  if (outcome == "recipient.client_listed" && !may_relay)  // RFC 5782 2.1
    return say("550 mail from your address is not taken here: " + text + " (#5.7.1)");
  // Postfix SMTPD_POLICY_README; where no words are given they are the recipient
  const bool has_policy_words = outcome == "recipient.policy_refused" || outcome == "recipient.policy_deferred";
  if (has_policy_words)
    return say((outcome == "recipient.policy_refused" ? "554 " : "450 ") +
               (text.empty() ? asked_about_ : text).substr(0, 255));
  if (outcome == "recipient.greylisted") return say("451 greylisted, try again later (#4.7.1)");  // RFC 6647 2.4
  if (outcome == "recipient.unknowable" || outcome == "recipient.policy_failed")
    return say("451 unable to check recipient (#4.3.0)");
  if (outcome == "recipient.foreign" && !may_relay)
    return say("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)");
  // D25: nothing carries it there (RFC 5321 3.6.2).
  if (outcome == "recipient.foreign" && world_.local_only && !slips(Slip::relays_where_mail_ends))
    return say("550 sorry, this server delivers to its own domains and relays no mail (#5.7.1)");
  recipients_.push_back(text.empty() || outcome == "recipient.client_listed" ? asked_about_ : text);
  say("250 ok");
}

// Postfix SMTPD_POLICY_README; the transaction stays, as after any DATA that is not answered 354
void Reference::learn_message(const std::string& outcome, const std::string& text) {
  phase_ = "command";
  if (outcome == "message.policy_refused") return say("554 " + text);
  if (outcome == "message.policy_deferred") return say("450 " + text);
  if (outcome == "message.policy_failed") return say("451 unable to check message (#4.3.0)");
  say("354 go ahead");
  phase_ = "data";
}

void Reference::learn_credentials(const std::string& outcome) {
  phase_ = "command";
  if (outcome == "credentials.accepted") {
    logged_in_ = true;
    say("235 ok, go ahead (#2.0.0)");
  } else if (outcome == "credentials.rejected") {
    say("535 authorization failed (#5.7.0)");
  } else if (outcome == "credentials.user_gated") {
    say("454 too many failed AUTH of this user from your address (#4.7.0)");  // RFC 4954 6; D22
  } else {
    say("454 oops, problem with child and I can't auth (#4.3.0)");  // D7
  }
}

void Reference::learn_hand_over(const std::string& outcome, const std::string& text) {
  if (outcome == "hand_over.client_gone") return close();  // D26
  phase_ = "command";
  if (!slips(Slip::keeps_the_transaction_after_data)) forget_transaction();
  const bool is_taken = outcome == "hand_over.accepted" || outcome == "hand_over.filter_discarded" ||
                        outcome == "hand_over.filter_waived" || outcome == "hand_over.filter_too_big";
  if (is_taken) {
    say("250 ok " + text);
    errors_ = 0;
  } else if (outcome == "hand_over.filter_failed") {
    say("451 unable to check message (#4.3.0)");
  } else if (outcome == "hand_over.deferred" || outcome == "hand_over.filter_deferred") {
    say("451 " + text);
  } else {
    say("554 " + text);
  }
}

// RFC 3207 4.2: both sides are strangers again.
void Reference::learn_handshake(const std::string& outcome) {
  if (outcome != "handshake.done") return close();
  tls_ = true;
  if (!slips(Slip::keeps_the_login_over_starttls)) logged_in_ = false;
  if (!slips(Slip::keeps_the_greeting_over_starttls)) hello_.clear();
  forget_transaction();
  phase_ = "command";
}

}  // namespace postern::testing
