/* One server after another on the same port: two starts at once, a start that fails, the end of the one that serves.
   models    server/server.cpp (run, is_fit, bind), server/sockets.cpp (bind, bind_one, take_inherited), server/server_service.cpp (shut_down,
             have_all_heard, part_from_backlog, wait_until_empty, break_off), server/loop_thread.cpp (accept, the order to end),
             server/backlog.cpp; packaging/postern.service
   abstract  one port, two loops; a fork that judges is one step; sessions come to their end, or never do; patience may be over at
             any moment; systemd starts the next server when the one before has ended, and holds the socket meanwhile
   kernel    bind(2) and listen(2) are refused where another socket listens at the port, unless both have set SO_REUSEPORT; with
             SO_REUSEADDR two may be bound while neither listens. A client is in the backlog of one socket, any that listens; the
             close of that socket resets it (socket(7), inet_csk_bind_conflict())
   not here  two live servers that share a port: there is no such way. `systemctl restart` ends the one that serves before the next is
             judged: postern check -c comes first */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef FAILURES
#define FAILURES 1 /* starts that fail: what was read is unfit, or what no dry run sees, after the bind */
#endif
#define SERVERS 2
#define LOOPS 2
#define SOCKETS 5 /* two of each server; what systemd holds */
#define HELD 4
#define socket_of(s, l) (is_held -> HELD : 2 * (s) + (l))

/* a server */
#define ABSENT 0
#define STARTING 1
#define SERVING 2
#define STOPPING 3
#define GONE 4
#define FAILED 5 /* at its start */
byte state[SERVERS];
bool is_ordered[SERVERS], must_end[SERVERS], is_unfit[SERVERS], was_port_taken[SERVERS];
bool has_heard[SERVERS * LOOPS], accepts[SERVERS * LOOPS], has_loops_ended[SERVERS];
byte sessions[SERVERS], failures = 0;
/* a socket */
#define NONE 0
#define BOUND 1
#define LISTENS 2
byte socket[SOCKETS];
bool is_shared[SOCKETS], is_looked_at_last[SOCKETS];
chan backlog[SOCKETS] = [CLIENTS] of { byte };
bool is_held = false;
/* a client */
#define AWAY 0
#define WAITS 1   /* in a backlog */
#define TALKS 2
#define SERVED 3  /* its session has ended, or was aborted when all patience was over */
#define TOLD 4    /* 421 */
#define REFUSED 5 /* nobody listens: it tries again */
#define RESET 6
byte client[CLIENTS], served_by[CLIENTS];
bool is_late[CLIENTS]; /* it came after the last look into its backlog */
bool has_ended = false;

#define is_rival(a, b) ((a) != (b) && socket[b] == LISTENS && !(is_shared[a] && is_shared[b]))
#define is_taken(a) (is_rival(a, 0) || is_rival(a, 1) || is_rival(a, 2) || is_rival(a, 3))
#define listens(s) (socket[2 * (s)] == LISTENS || socket[2 * (s) + 1] == LISTENS)
#define is_over(c) (client[c] >= SERVED)
#if CLIENTS > 1
#define are_clients_over (is_over(0) && is_over(1))
#define waits_for_ever (client[0] == WAITS || client[1] == WAITS)
#else
#define are_clients_over is_over(0)
#define waits_for_ever (client[0] == WAITS)
#endif
#define has_ended_as(s) (state[s] == GONE || state[s] == FAILED)

/* by close(2): who is in its backlog is reset */
inline close(at) {
  do
  :: backlog[at]?c ->
     client[c] = RESET;
     assert(!is_held);
     assert(is_late[c] || state[s] == FAILED) /* what was in the backlog before has been told */
  :: empty(backlog[at]) -> break
  od;
  socket[at] = NONE; is_shared[at] = false; is_looked_at_last[at] = false;
  c = 0
}

inline fail_start() {
  atomic {
    state[s] = FAILED;
    if
    :: !is_held -> close(2 * s); close(2 * s + 1)
    :: else
    fi
  }
}

inline bind(at, shares) {
  atomic {
    is_shared[at] = shares;
    if
    :: is_taken(at) -> was_port_taken[s] = true; is_shared[at] = false
    :: else -> socket[at] = BOUND
    fi
  }
}

inline listen(at) {
  atomic {
    if
    :: is_taken(at) -> was_port_taken[s] = true
    :: else ->
       socket[at] = LISTENS;
       assert(!(listens(0) && listens(1))); /* one owner */
#ifndef UNFIT_BINDS
       assert(!is_unfit[s])
#endif
    fi
  }
}

proctype server(byte s) {
  byte c, l;
end_not_ordered:
  atomic { is_ordered[s] && (!is_held || s == 0 || has_ended_as(0)) -> state[s] = STARTING }
#ifndef UNFIT_BINDS
  if
  :: is_unfit[s] -> fail_start(); goto is_over
  :: else
  fi;
#endif
  if
  :: is_held
  :: else ->
#ifdef SHARES_AT_ONCE
     bind(2 * s, true);
#else
     bind(2 * s, false);
#endif
     if
     :: was_port_taken[s] -> fail_start(); goto is_over
     :: else
     fi;
     listen(2 * s);
     if
     :: was_port_taken[s] -> fail_start(); goto is_over
     :: else
     fi;
     is_shared[2 * s] = true;
     bind(2 * s + 1, true);
     if
     :: !was_port_taken[s] -> listen(2 * s + 1)
     :: else
     fi;
     if
     :: was_port_taken[s] -> fail_start(); goto is_over
     :: else
     fi
  fi;
  if
#ifdef UNFIT_BINDS
  :: is_unfit[s] -> assert(empty(backlog[2 * s]) && empty(backlog[2 * s + 1])); fail_start(); goto is_over
#endif
  :: atomic { failures < FAILURES -> failures++ } fail_start(); goto is_over /* no thread, no memory */
  :: true
  fi;
  atomic {
    state[s] = SERVING;
#ifdef NEVER_ACCEPTS
    if
    :: is_held && s == 1
    :: else -> accepts[2 * s] = true; accepts[2 * s + 1] = true
    fi
#else
    accepts[2 * s] = true; accepts[2 * s + 1] = true
#endif
  }
  run loop_thread(s, 0);
  run loop_thread(s, 1);
  atomic { must_end[s] -> state[s] = STOPPING }
#ifndef TELLS_TOO_SOON
  has_heard[2 * s] && has_heard[2 * s + 1];
#endif
  if
#ifndef HELD_IS_TOLD
  :: is_held
#endif
  :: else ->
     l = 0;
     do
     :: l < LOOPS ->
#ifndef BACKLOG_FORGOTTEN
        do
        :: atomic { backlog[socket_of(s, l)]?c -> client[c] = TOLD; assert(!is_held); c = 0 }
        :: atomic { empty(backlog[socket_of(s, l)]) -> is_looked_at_last[socket_of(s, l)] = true; break }
        od;
#endif
        l++
     :: else -> break
     od;
     l = 0;
     atomic { close(2 * s); close(2 * s + 1) }
  fi;
  if
  :: sessions[s] == 0
#ifndef WAITS_FOR_SESSIONS
  :: true /* all patience is over: they are aborted */
#endif
  fi;
  has_loops_ended[s] = true;
  atomic {
    c = 0;
    do
    :: c < CLIENTS && client[c] == TALKS && served_by[c] == s -> client[c] = SERVED; sessions[s]--; c++
    :: c < CLIENTS && !(client[c] == TALKS && served_by[c] == s) -> c++
    :: c == CLIENTS -> break
    od;
    c = 0;
    state[s] = GONE
  }
is_over:
  assert(!listens(s))
}

proctype loop_thread(byte s; byte l) {
  byte c;
end:
  do
  :: has_loops_ended[s] -> break
  :: atomic { accepts[2 * s + l] && nempty(backlog[socket_of(s, l)]) -> backlog[socket_of(s, l)]?c; client[c] = TALKS; served_by[c] = s; sessions[s]++; c = 0 }
  :: atomic { must_end[s] && !has_heard[2 * s + l] ->
       assert(is_held || socket[2 * s + l] == LISTENS); /* its number is not another's */
       accepts[2 * s + l] = false; has_heard[2 * s + l] = true }
  od
}

proctype one_client(byte me) {
  byte at = 0;
  atomic {
    if
    :: socket[0] == LISTENS -> at = 0
    :: socket[1] == LISTENS -> at = 1
    :: socket[2] == LISTENS -> at = 2
    :: socket[3] == LISTENS -> at = 3
    :: socket[HELD] == LISTENS -> at = HELD
    :: !listens(0) && !listens(1) && socket[HELD] != LISTENS -> client[me] = REFUSED
    fi;
    if
    :: client[me] == AWAY -> backlog[at]!me; client[me] = WAITS; is_late[me] = is_looked_at_last[at]
    :: else
    fi;
    at = 0
  }
end_waits: /* for ever, where systemd holds the socket and starts no server */
  if
  :: client[me] != WAITS
  fi;
  if
  :: atomic { client[me] == TALKS -> sessions[served_by[me]]--; client[me] = SERVED }
  :: is_over(me)
#ifndef ANSWERED
  :: client[me] == TALKS -> is_over(me) /* it stays */
#endif
  fi
}

/* Starts both at once, or one after the other; ends each, at any time. */
active proctype operator() {
  atomic {
    if
    :: is_held = true; socket[HELD] = LISTENS
    :: true
    fi;
#ifndef ANSWERED
    if
    :: failures < FAILURES -> failures++; is_unfit[0] = true
    :: failures < FAILURES -> failures++; is_unfit[1] = true
    :: true
    fi;
#endif
    run server(0); run server(1); run one_client(0);
#if CLIENTS > 1
    run one_client(1)
#endif
  }
  is_ordered[0] = true;
  if
  :: true
  :: must_end[0] = true
  fi;
  is_ordered[1] = true;
#ifdef ANSWERED
  must_end[0] = true;
  are_clients_over;
#endif
  must_end[0] = true;
  must_end[1] = true;
  has_ended_as(0) && has_ended_as(1);
  assert(!(was_port_taken[0] && was_port_taken[1])); /* of two starts at once one wins */
  assert(is_held || !waits_for_ever);
  has_ended = true
}

ltl ends { <> has_ended }
ltl answers { [] (client[0] == WAITS -> <> is_over(0)) }
