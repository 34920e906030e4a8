/* One loop for all messages to a mail cluster: places, connections, an address that rests and is probed.
   models    lib/deliver/lmtp_loop.cpp (submit, next_job, take_jobs, Request, the end), lib/loop/outbound_pool.hpp (submit, match,
             serve_waiting, connected, unreachable, ended, idle_ended, overdue), lib/loop/outbound_addresses.cpp
   abstract  one address; a turn of the loop is one step for each event; time: a rest may be over at any moment, a request may be
             overdue at any moment; a rest is always worth waiting for, or never: either may be; the protocol ends well, badly, or
             badly where nothing had begun (may be repeated once, on a connection that was used before)
   wake-up   submit() wakes only for an empty line; the loop looks into it at the end of each turn and where a place comes free */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef PLACES
#define PLACES 2 /* max_in_flight, and max_waiting */
#endif
#ifndef FAULTS
#define FAULTS 2 /* connections that fail, or die */
#endif

/* a message */
#define ELSEWHERE 0
#define IN_LINE 1
#define WAITING 2 /* in the pool, for a connection */
#define SERVED 3
#define ANSWERED 4
byte where[MESSAGES], answers[MESSAGES];
bool is_repeated[MESSAGES];
/* LmtpLoop */
chan in_line = [MESSAGES] of { byte };
bool is_woken = false, is_ending = false, is_stopped = false;
byte places = PLACES, submitted = 0, answered = 0;
/* OutboundPool: connections of each kind; one that serves is that of its message */
chan waiting = [MESSAGES] of { byte };
byte others = 0, idle = 0, serving = 0, probes = 0, faults = 0;
bool is_used[MESSAGES]; /* the connection that serves it has served before */
/* OutboundAddresses */
bool rests = false, is_over = true, is_probed = false, has_just_failed = false, is_worth_waiting = true;
bool has_ended = false;

/* attempts to connect: the probe of this rest, and others */
#define connecting (others + is_probed)
#define streams (connecting + idle + serving)
#define has_room (connecting + serving < PLACES)
#ifdef PROBES_FLOCK
#define may_be_picked (!rests || is_over)
#else
#define may_be_picked (!rests || (is_over && !is_probed))
#endif
#define is_stuck (len(waiting) > 0 && streams == idle && !(is_worth_waiting && !has_just_failed))

inline end_request(m) {
  assert(where[m] != ANSWERED);
  where[m] = ANSWERED;
  answers[m]++;
  assert(answers[m] == 1);
  answered++;
  places++
}

/* pick(), begun(); probes: those on their way that were begun in this rest */
inline open_one() {
  if
  :: rests -> is_probed = true; probes++; assert(probes == 1)
  :: else -> others++
  fi
}

inline failed_as_probe() {
  is_probed = false; probes = 0; rests = true; is_over = false
}

inline failed_as_other() {
  others--;
  if
#ifdef PROBE_FORGOTTEN
  :: rests && is_probed -> is_probed = false; others++; is_over = false
#endif
  :: else ->
     if
     :: !rests -> rests = true; is_over = false
     :: else /* begun before the first had failed */
     fi
  fi
}

inline note_fault() {
  faults++;
  has_just_failed = true
}

/* waits that are first, and were not repeated, are served by an idle connection; the others by new ones */
inline serve_by_idle() {
  n = len(waiting);
  do
  :: n > 0 && idle > 0 ->
     waiting?m;
     n--;
     if
     :: is_repeated[m] -> waiting!m
     :: else -> idle--; serving++; where[m] = SERVED; is_used[m] = true
     fi
  :: else -> break
  od;
  /* back in their order: those that were not served stand where they stood */
  do
  :: n > 0 -> waiting?m; waiting!m; n--
  :: else -> break
  od
}

inline connect_for_waiting() {
  do
  :: connecting < len(waiting) && has_room && may_be_picked ->
     open_one();
     if
     :: skip
     :: faults < FAULTS && rests -> note_fault(); failed_as_probe()
     :: faults < FAULTS && !rests -> note_fault(); failed_as_other()
     fi
  :: else -> break
  od
}

inline serve_waiting() {
  serve_by_idle();
  connect_for_waiting();
#ifndef LEFT_IN_LINE
  do
  :: is_stuck -> waiting?m; end_request(m)
  :: else -> break
  od;
#endif
  assert(!is_stuck) /* nobody is left in line for a connection that will not come */
}

/* end of turn, and each place that comes free */
inline take_jobs() {
  do
  :: places > 0 && len(in_line) > 0 ->
     in_line?m;
     places--;
     where[m] = WAITING;
     waiting!m;
     serve_by_idle_or_connect(m)
  :: else -> break
  od;
  if
#ifdef STOPS_TOO_SOON
  :: len(in_line) == 0 && is_ending -> is_stopped = true
#else
  :: len(in_line) == 0 && is_ending && places == PLACES -> is_stopped = true
#endif
  :: else
  fi
}

/* OutboundPool::submit() */
inline serve_by_idle_or_connect(m) {
  serve_by_idle();
  connect_for_waiting();
  do
  :: is_stuck -> waiting?m; end_request(m)
  :: else -> break
  od
}

inline end_of_turn() {
  take_jobs();
  has_just_failed = false;
  assert(connecting + serving <= PLACES);
  assert(len(waiting) <= PLACES);
  m = 0; n = 0
}

active proctype the_loop() {
  byte m, n;
end:
  do
  :: atomic { is_woken && !is_stopped -> is_woken = false; end_of_turn() }
  :: atomic { connecting > 0 && !is_stopped -> /* on_connected */
       if
       :: is_probed -> skip
       :: others > 0 && !is_probed -> others--
       :: others > 0 && is_probed -> skip /* the probe counts as one of the others from now on */
       fi;
       is_probed = false; probes = 0; rests = false; is_over = true;
       if
       :: len(waiting) == 0 /* dropped */
       :: else -> waiting?m; serving++; where[m] = SERVED; is_used[m] = false; serve_waiting()
       fi;
       end_of_turn() }
  :: atomic { is_probed && faults < FAULTS && !is_stopped -> note_fault(); failed_as_probe(); serve_waiting(); end_of_turn() }
  :: atomic { others > 0 && faults < FAULTS && !is_stopped -> note_fault(); failed_as_other(); serve_waiting(); end_of_turn() }
  :: atomic { idle > 0 && !is_stopped -> idle--; /* its end, or its age */ end_of_turn() }
#ifndef REST_NOT_ARMED
  :: atomic { rests && !is_over && !is_stopped -> is_over = true; serve_waiting(); end_of_turn() }
#endif
  :: atomic { is_worth_waiting && rests && !is_over && faults == FAULTS -> is_worth_waiting = false } /* a longer rest */
  :: atomic { serving > 0 && !is_stopped -> m = 0;
       do
       :: where[m] != SERVED -> m++
       :: where[m] == SERVED -> break
       od;
       serving--;
       if
       :: end_request(m); idle++ /* it ended, and its connection is of use */
       :: end_request(m)
       :: faults < FAULTS && is_used[m] && !is_repeated[m] -> /* it had died while it was idle */
          faults++;
          where[m] = WAITING; is_repeated[m] = true;
          n = len(waiting);
          waiting!m;
          do
          :: n > 0 -> waiting?m; waiting!m; n--
          :: else -> break
          od
#ifdef ENDED_AND_REPEATED
          ; end_request(m)
#endif
       fi;
       serve_waiting();
       end_of_turn() }
#ifndef NEVER_OVERDUE
  :: atomic { len(waiting) > 0 && !is_stopped -> waiting?m; end_request(m); end_of_turn() } /* overdue */
#endif
  od
}

/* Sessions on their loops, and then the end. */
active proctype sessions() {
  byte m;
  bool was_empty;
  do
  :: m < MESSAGES ->
     atomic {
       was_empty = (len(in_line) == 0);
#ifdef WAKES_FIRST
     }
     if
     :: was_empty -> is_woken = true
     :: else
     fi;
     atomic { in_line!m; where[m] = IN_LINE; submitted++; m++ }
#else
       in_line!m; where[m] = IN_LINE; submitted++; m++
     }
     if
     :: was_empty -> is_woken = true
     :: else
     fi
#endif
  :: else -> break
  od;
  if
  :: true -> answered == MESSAGES /* the end comes after the last answer */
  :: true
  fi;
  is_ending = true;
#ifndef END_NOT_WOKEN
  is_woken = true;
#endif
  is_stopped;
  assert(answered == MESSAGES);
  has_ended = true
}

ltl ends { <> has_ended }
ltl answers { [] (where[0] == IN_LINE -> <> (where[0] == ANSWERED)) }
