// Every number that bounds a session, or how many there are, with its unit and source. Nothing here is decided anywhere
// else.
#pragma once

#include <cstddef>
#include <cstdint>

namespace postern::spec {

inline constexpr std::size_t max_command_line_octets = 2048;  // deviation D6; RFC 5321 4.5.3.1.4 wants at least 512
inline constexpr std::size_t max_auth_line_octets = 12288;    // RFC 4954 4
inline constexpr std::size_t max_auth_mailbox_octets = 500;   // RFC 4954 3: of AUTH= of MAIL; a longer one is not kept
inline constexpr std::size_t max_address_octets = 899;        // original; RFC 5321 4.5.3.1.3 wants at least 256
inline constexpr std::size_t max_recipients = 1000;           // deviation D6; RFC 5321 4.5.3.1.8 wants at least 100
inline constexpr std::size_t max_recipient_octets =
    std::size_t{96} * 1024;                             // deviation D6: all forward-paths of one transaction
inline constexpr std::size_t max_host_octets = 255;     // RFC 5321 4.5.3.1.2; also of the client's HELO name kept
inline constexpr std::size_t max_verdict_octets = 255;  // qmail-queue(8): custom text

inline constexpr std::uint32_t max_errors = 20;              // deviation D6: since the last accepted message
inline constexpr std::uint32_t max_auth_attempts = 10;       // deviation D7
inline constexpr std::uint32_t max_unknown_recipients = 10;  // deviation D33: of one session
inline constexpr std::size_t max_default_keys = 64;  // of validrcptto.cdb: no local part has more (RFC 5321 4.5.3.1.1)
inline constexpr std::size_t max_dns_lists = 32;     // postern: queries that one client costs
inline constexpr unsigned max_dns_weight = 1000;     // postern: of one list
inline constexpr unsigned max_dns_seconds = 5;       // postern: how long one question to the DNS may take
inline constexpr std::size_t max_policy_services = 8;         // postern: questions that one recipient costs
inline constexpr unsigned max_policy_seconds = 25;            // postern: for all of them, about one recipient
inline constexpr unsigned max_policy_connect_seconds = 5;     // postern: of them, for a connection
inline constexpr std::size_t max_policy_reply_octets = 4096;  // Postfix: line_length_limit is 2048, for one attribute
inline constexpr std::size_t max_policy_connections = 32;     // postern: of one loop to one service
inline constexpr std::size_t max_policy_waiting = 1000;  // postern: recipients of one loop that wait for one service
inline constexpr std::size_t max_policy_headers = 16;    // postern: PREPEND, in one transaction
inline constexpr std::size_t max_policy_header_octets = 998;   // RFC 5322 2.1.1
inline constexpr unsigned max_probe_seconds = 5;               // postern: for LMTP, or Dovecot, about one recipient
inline constexpr std::size_t max_probe_connections = 4;        // postern: of one loop to one mail cluster, or Dovecot
inline constexpr std::size_t max_probe_waiting = 1000;         // postern: recipients of one loop that wait
inline constexpr std::size_t max_probe_answers = 8192;         // postern: remembered of one of them
inline constexpr std::size_t max_userdb_reply_octets = 16384;  // auth-protocol.txt: the longest line
inline constexpr unsigned known_recipient_seconds = 3600;      // postern: how long one is remembered
inline constexpr unsigned unknown_recipient_seconds = 300;     // postern: the same, of one it refused
inline constexpr unsigned dnsbl_threshold = 1;                 // postconf(5): postscreen_dnsbl_threshold
// The greylist. RFC 6647 5 wants a retry to be known for at least 24 hours, and a client that came again for at least a week.
inline constexpr std::uint32_t greylist_retry_seconds = 172'800;    // postgrey(8): --retry-window
inline constexpr std::uint32_t greylist_known_seconds = 3'024'000;  // postgrey(8): --max-age
inline constexpr std::uint32_t greylist_good_triples = 5;           // postgrey(8): --auto-whitelist-clients
inline constexpr std::uint32_t max_greylist_triples = 131'072;      // postern: of those that wait, and of those known
inline constexpr std::uint32_t max_greylist_networks = 65'536;      // postern: whose triples came again
inline constexpr std::uint32_t greylist_save_seconds = 3600;        // postern: what a crash may forget
inline constexpr std::uint32_t max_greylist_downtime_seconds = 86'400;  // postern: what a clock that jumped may cost

// Filters of messages.
inline constexpr std::size_t max_filters = 8;                       // postern: that one message passes
inline constexpr unsigned max_filter_seconds = 60;                  // postern: for all of them; a client waits for 600
inline constexpr unsigned max_filter_connect_seconds = 5;           // postern: of them, for a connection
inline constexpr std::uint64_t default_filter_octets = 52'428'800;  // rspamd: max_message
inline constexpr std::size_t max_filter_header_octets = 262'144;    // postern: of a header that filters may edit
inline constexpr std::size_t max_filter_header_fields = 2000;       // postern: the same
inline constexpr std::size_t max_filter_edits = 256;                // postern: of one verdict
inline constexpr std::size_t max_filter_answer_octets = 262'144;    // postern: the JSON of rspamd
inline constexpr std::size_t max_filter_answer_header_octets = 8192;  // postern: the HTTP before it

inline constexpr std::uint32_t max_hops = 100;                              // original; RFC 5321 6.3
inline constexpr std::uint64_t max_discarded_octets = 64ULL * 1024 * 1024;  // deviations D4, D6

inline constexpr unsigned auth_failure_delay_seconds = 2;       // deviation D7
inline constexpr std::uint64_t default_databytes = 10'240'000;  // Postfix: message_size_limit; of `postern serve`
inline constexpr unsigned default_timeout_seconds = 1200;       // qmail-control(5): timeoutsmtpd
inline constexpr unsigned max_handshake_seconds =
    60;  // deviation D16: a whole TLS handshake, if timeoutsmtpd is not less
inline constexpr int certificate_warning_days = 14;  // Let's Encrypt renews 30 days before the end
// What postern-smtpd-tls takes until its first session is over, measured with OpenSSL 3.0 on x86-64 (9.5 and 1.2 million),
// and a reserve for another build of it.
inline constexpr std::uint64_t min_tls_address_octets = 12'000'000;  // RLIMIT_AS: softlimit -a, -m
inline constexpr std::uint64_t min_tls_data_octets = 2'000'000;      // RLIMIT_DATA: softlimit -d, -m
inline constexpr unsigned max_check_seconds = 60;                    // deviation D7: how long a check program may take
inline constexpr unsigned max_recipient_check_seconds = 30;          // deviation D34: how long RCPTCHECK may take
inline constexpr unsigned max_queue_seconds = 86400;                 // qmail-queue(8): its own alarm

// Of the listener; its operator may set each otherwise.
inline constexpr std::uint32_t max_sessions = 10'000;                   // deviation D22: in all
inline constexpr std::uint32_t max_sessions_per_address = 50;           // Postfix: smtpd_client_connection_count_limit
inline constexpr std::uint32_t max_sessions_per_network = 200;          // deviation D22
inline constexpr unsigned ipv4_network_bits = 24;                       // deviation D22
inline constexpr unsigned ipv6_network_bits = 48;                       // deviation D22: one site; a /64 is one client
inline constexpr std::uint32_t max_connections_per_address = 300;       // deviation D22: within connection_rate_seconds
inline constexpr unsigned connection_rate_seconds = 60;                 // Postfix: anvil_rate_time_unit
inline constexpr std::uint32_t max_failed_auth_per_user = 20;           // deviation D22: of one user from one address
inline constexpr std::uint32_t max_failed_users_per_address = 20;       // deviation D22: distinct users of one address
inline constexpr std::uint32_t max_unknown_recipients_per_address = 0;  // deviation D33: of one address; 0: no limit
inline constexpr unsigned failed_auth_seconds = 3600;  // deviations D22, D33: within which these three are counted
inline constexpr std::uint32_t max_remembered_gates = 32'768;  // deviation D22: of each kind
// Classes of one tcprules that a start or a reload judges; those beyond are judged with their first client.
inline constexpr std::size_t max_classes_judged_early = 1000;     // deviation D22: a bound on what a start does
inline constexpr std::size_t max_records_judged_early = 100'000;  // of one cdb: a bound on what a start does
// How long a message waits for a thread or a disk, then it is given up: one that is whole (RFC 5321 4.5.3.2.6: a client waits for
// 600), and a piece of one that its client still sends (4.5.3.2.5: 180). The client gets 451 before it leaves.
inline constexpr unsigned max_whole_message_wait_seconds = 300;  // deviation D26
inline constexpr unsigned max_piece_wait_seconds = 150;          // deviation D22
inline constexpr unsigned max_list_retry_seconds = 8;  // between two tries of a list that cannot be read; 451 meanwhile
inline constexpr unsigned max_proxy_header_seconds = 10;          // proxy-protocol.txt 2 wants at least 3
inline constexpr std::uint32_t min_data_octets_per_second = 500;  // Postfix: smtpd_min_data_rate
inline constexpr unsigned data_rate_seconds = 300;    // deviation D24; RFC 5321 4.5.3.2.5 bears a rest of 180
inline constexpr unsigned max_shutdown_seconds = 30;  // deviation D23: for what is in hand, then it is broken off
inline constexpr unsigned max_shutdown_handshake_seconds = 2;  // deviation D23: for a handshake that has begun
inline constexpr std::uint32_t max_shutdown_backlog = 4096;    // deviation D23: clients of one socket, not accepted yet
inline constexpr unsigned max_shutdown_backlog_seconds = 1;    // deviation D23: for all of them

}  // namespace postern::spec
