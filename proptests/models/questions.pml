/* Questions over a pool of connections, which may be withdrawn: a session ends, and its question with it.
   models    lib/loop/outbound_pool.hpp (submit, match, serve_waiting, connected, unreachable, ended, idle_ended, overdue, withdraw,
             keep, drop), lib/loop/outbound_stream.cpp (carry, on_ready); server/client/client_policy.cpp (withdraw), which
             nothing but the pool bounds
   abstract  one loop: a step for each event; one address, whose rest may be over at any moment, and is worth waiting for or not
             (probes: outbound.pml); which idle connection is used, or goes; an answer is the number of its question
   service   answers each question, as late as it likes; says something unasked at most UNASKED times, on a connection that has
             no question (to say it after the next one was sent is the protocol's to find: fuzz/lmtp_replies, policy_reply)
   time      a limit is over at most LATE times: else it would hide who is left in line */
#ifndef REQUESTS
#define REQUESTS 3
#endif
#ifndef LEAVERS
#define LEAVERS 2 /* that may be withdrawn */
#endif
#ifndef FAULTS
#define FAULTS 2 /* attempts that fail, connections that die with a question */
#endif
#ifndef UNASKED
#define UNASKED 1
#endif
#ifndef LATE
#define LATE 1
#endif
#ifndef WAITERS
#define WAITERS 1 /* max_waiting */
#endif
#define PLACES 2 /* max_in_flight */
#define IDLES 1  /* max_idle */
#define CONNECTIONS 3
#define NOBODY 15
#include "trace.pml"

/* The actions, as a log of the program has them. */
#define SUBMIT 1   /* question */
#define REFUSE 2   /* question: submit() says that it has failed */
#define BEGIN 3    /* question, which is given to a connection */
#define ANSWER 4   /* question, whose answer it is */
#define FAIL 5     /* question */
#define WITHDRAW 6 /* question */
#ifdef TRACE
#define next_is(action) (did < did_count && did_what[did] == action)
#endif

/* a request */
#define ELSEWHERE 0
#define WAITING 1
#define SERVED 2
#define ENDED 3     /* ended() or failed() */
#define REFUSED 4   /* by submit() */
#define WITHDRAWN 5
byte where[REQUESTS];
bool is_repeated[REQUESTS], is_timed[REQUESTS], is_overdue[REQUESTS];
/* a connection */
#define CLOSED 0
#define CONNECTING 1
#define BUSY 2
#define IDLE 3
byte kind[CONNECTIONS], serves[CONNECTIONS];
bool is_reused[CONNECTIONS], is_sent[CONNECTIONS], has_served[CONNECTIONS];
chan asked[CONNECTIONS] = [2] of { byte }; /* what the service has read, and not answered */
chan said[CONNECTIONS] = [3] of { byte };  /* what we have not read */
/* OutboundPool */
#define NEVER 0
#define RESTED 1 /* when the address has rested */
#define NOW 2
chan waiting = [REQUESTS + 1] of { byte };
bool is_returning = false;
byte armed = NEVER; /* rested_ */
bool rests = false, is_worth_waiting = true, has_just_failed = false;
byte submitted = 0, faults = 0, unasked = 0, late = 0;
bool has_ended = false;

#define one(k, c) (kind[c] == k -> 1 : 0)
#define count(k) (one(k, 0) + one(k, 1) + one(k, 2))
#define connecting count(CONNECTING)
#define idle count(IDLE)
#define in_flight (connecting + count(BUSY))
#define has_room (in_flight < PLACES)
#define is_stuck (len(waiting) > 0 && in_flight == 0 && (has_just_failed || (rests && !is_worth_waiting)))
#define is_in_pool(m) (where[m] == WAITING || where[m] == SERVED)

inline any(k) {
  if
  :: kind[0] == k -> c = 0
  :: kind[1] == k -> c = 1
  :: kind[2] == k -> c = 2
  fi
}

inline free_slot() {
  c = 0;
  do
  :: kind[c] != CLOSED -> c++; assert(c < CONNECTIONS) /* bounded, also those that are idle */
  :: else -> break
  od
}

/* drop(): what the service still says reaches nobody */
inline close(c) {
  kind[c] = CLOSED; serves[c] = NOBODY; is_reused[c] = false; is_sent[c] = false; has_served[c] = false;
  do
  :: asked[c]?_
  :: empty(asked[c]) -> break
  od;
  do
  :: said[c]?_
  :: empty(said[c]) -> break
  od
}

inline serve(c, m) {
  assert(is_in_pool(m));
  DID(BEGIN, m, 0);
  where[m] = SERVED; serves[c] = m; kind[c] = BUSY;
  is_reused[c] = has_served[c]; has_served[c] = true; is_sent[c] = false
}

inline end_request(m) {
  assert(is_in_pool(m)); /* once, and not after it was withdrawn */
  where[m] = ENDED; is_timed[m] = false
}

inline take_from_line(m) {
  k = len(waiting);
  do
  :: k > 0 ->
     waiting?n;
     if
     :: n != m -> waiting!n
     :: else
     fi;
     k--
  :: else -> break
  od;
  n = 0
}

/* the first that was not repeated: that one wants a new connection */
inline serve_by_idle() {
  k = len(waiting); first = NOBODY;
  do
  :: k > 0 ->
     waiting?n;
     if
     :: first == NOBODY && !is_repeated[n] -> first = n
     :: else
     fi;
     waiting!n;
     k--
  :: else -> break
  od;
  n = 0;
  if
  :: first != NOBODY -> take_from_line(first); any(IDLE); serve(c, first); first = NOBODY; is_served = true
  :: else -> is_served = false
  fi
}

inline failed_to_connect() {
  faults++; rests = true; has_just_failed = true;
  if
  :: is_worth_waiting = true
  :: is_worth_waiting = false
  fi
}

inline match() {
  do
  :: len(waiting) > 0 && idle > 0 ->
     serve_by_idle();
     if
     :: is_served
     :: else -> break
     fi
  :: else -> break
  od;
  is_served = false;
  do
  :: connecting < len(waiting) && has_room && !rests ->
     free_slot();
     if
     :: kind[c] = CONNECTING
     :: faults < FAULTS -> failed_to_connect() /* at once */
     fi
  :: else -> break
  od;
  if
  :: len(waiting) > 0 && connecting == 0 && has_room -> armed = RESTED
  :: else
  fi
}

inline serve_waiting() {
  match();
  do
  :: is_stuck -> waiting?n; DID(FAIL, n, 0); end_request(n)
  :: else -> break
  od;
  n = 0
}

inline submit(m) {
  DID(SUBMIT, m, 0);
  waiting!m;
  where[m] = WAITING; is_timed[m] = true; submitted++;
  if
  :: !is_returning -> match()
  :: else
  fi;
  if
  :: where[m] == WAITING && (is_stuck || len(waiting) > connecting + is_returning + WAITERS) ->
     take_from_line(m); DID(REFUSE, m, 0); where[m] = REFUSED; is_timed[m] = false;
#ifndef LINE_FORGOTTEN
     if
     :: is_stuck -> armed = NOW /* no call from here: the others have their turn after it */
     :: else
     fi
#endif
  :: else
  fi
}

inline keep(c) {
  kind[c] = IDLE; serves[c] = NOBODY; is_sent[c] = false;
  if
  :: idle > IDLES + len(waiting) -> any(IDLE); close(c)
  :: else
  fi
}

/* its protocol is busy no more */
inline ended(c, is_usable) {
  m = serves[c];
  serves[c] = NOBODY;
  assert(m != NOBODY);
  is_repeatable = (!is_usable && is_reused[c] && !is_overdue[m]);
  if
  :: is_repeatable -> /* its protocol says that nothing had begun */
     assert(!is_repeated[m]);
     is_repeated[m] = true; where[m] = WAITING;
     k = len(waiting);
     waiting!m;
     do
     :: k > 0 -> waiting?n; waiting!n; k--
     :: else -> break
     od;
     n = 0
  :: true ->
     if
     :: is_usable -> DID(ANSWER, m, m)
     :: else -> DID(FAIL, m, 0)
     fi;
     end_request(m);
     if
     :: submitted < REQUESTS -> is_returning = true; next = submitted; submit(next); is_returning = false; next = 0
     :: true
     fi
  fi;
  if
#ifdef KEPT_WHEN_OVERDUE
  :: is_overdue[m] -> keep(c)
#endif
  :: is_usable && len(said[c]) == 0 -> keep(c)
  :: true -> close(c) /* not usable, or its service has closed it with the answer */
  fi;
  is_repeatable = false;
  serve_waiting()
}

inline withdraw(m) {
  DID(WITHDRAW, m, 0);
  where[m] = WITHDRAWN;
#ifndef TIMER_STAYS
  is_timed[m] = false;
#endif
#ifndef STAYS_IN_LINE
  take_from_line(m);
#endif
  c = 0;
  do
  :: c < CONNECTIONS && serves[c] == m && kind[c] == BUSY ->
#ifdef KEPT_WHEN_WITHDRAWN
     keep(c);
#else
#ifdef LEFT_BUSY
     serves[c] = NOBODY;
#else
     close(c);
#endif
#endif
     break
  :: c < CONNECTIONS && !(serves[c] == m && kind[c] == BUSY) -> c++
  :: c == CONNECTIONS -> break
  od;
#ifndef NEXT_NOT_WOKEN
  if
  :: len(waiting) > 0 -> armed = NOW
  :: else
  fi
#endif
}

inline check() {
  assert(in_flight <= PLACES);
  assert(len(waiting) <= 2 * PLACES + WAITERS);
  assert(!is_stuck || armed == NOW); /* nobody is left in line for a connection that will not come */
  has_just_failed = false;
  c = 0; m = 0; n = 0; k = 0
}

active proctype the_loop() {
  byte m, n, c, k, next, first = NOBODY;
  bool is_served = false, is_repeatable = false;
  atomic {
    READ_LOG;
    do
    :: c < CONNECTIONS -> serves[c] = NOBODY; c++
    :: else -> break
    od;
    c = 0
  }
end:
  do
  :: atomic { submitted < REQUESTS -> m = submitted; submit(m); check() }
#ifdef TRACE
  :: atomic { next_is(WITHDRAW) -> m = did_a[did]; is_in_pool(m); withdraw(m); check() }
#else
  :: atomic { is_in_pool(0) -> m = 0; withdraw(m); check() }
#if LEAVERS > 1
  :: atomic { is_in_pool(1) -> m = 1; withdraw(m); check() }
#endif
#endif
  :: atomic { connecting > 0 -> any(CONNECTING);
       if
       :: rests = false;
          if
          :: len(waiting) > 0 -> waiting?m; serve(c, m); serve_waiting()
          :: else -> close(c)
          fi
       :: faults < FAULTS -> failed_to_connect(); close(c); serve_waiting()
       fi;
       check() }
  /* it is written to, after what had come unasked was read */
  :: atomic { count(BUSY) > 0 -> any(BUSY);
       if
       :: !is_sent[c] && serves[c] != NOBODY && len(said[c]) > 0 ->
#ifdef UNASKED_IS_TAKEN
          is_sent[c] = true; asked[c]!serves[c]
#else
          said[c]?_; ended(c, false)
#endif
#ifdef NEVER_CARRIED
       :: !is_sent[c] && serves[c] != NOBODY && len(said[c]) == 0
#else
       :: !is_sent[c] && serves[c] != NOBODY && len(said[c]) == 0 -> is_sent[c] = true; asked[c]!serves[c]
#endif
       :: is_sent[c] && len(said[c]) > 0 -> said[c]?n; assert(n == serves[c]); n = 0; ended(c, true)
       :: faults < FAULTS && serves[c] != NOBODY -> faults++; ended(c, false)
       :: serves[c] == NOBODY || (is_sent[c] && len(said[c]) == 0)
       fi;
       check() }
  :: atomic { idle > 0 -> any(IDLE); close(c); check() } /* its end, its age, or something unasked */
  :: atomic { armed == NOW || (armed == RESTED && !rests) -> armed = NEVER; serve_waiting(); check() }
#ifdef TRACE
  :: atomic { next_is(FAIL) -> m = did_a[did]; is_timed[m];
#else
  :: atomic { late < LATE && is_timed[0] -> m = 0; late++;
#endif
       is_overdue[m] = true;
       if
       :: where[m] == SERVED ->
          do
          :: serves[c] != m -> c++
          :: else -> break
          od;
          ended(c, false)
       :: else -> take_from_line(m); DID(FAIL, m, 0); end_request(m)
       fi;
       check() }
  od
}

/* Its answers, and what it says unasked. */
active proctype service() {
  byte c, q;
end:
  do
  :: atomic { nempty(asked[0]) && nfull(said[0]) -> asked[0]?q; said[0]!q; q = 0 }
  :: atomic { nempty(asked[1]) && nfull(said[1]) -> asked[1]?q; said[1]!q; q = 0 }
  :: atomic { nempty(asked[2]) && nfull(said[2]) -> asked[2]?q; said[2]!q; q = 0 }
  :: atomic { unasked < UNASKED && idle > 0 -> any(IDLE); unasked++; said[c]!NOBODY; c = 0 }
  od
}

/* A rest is over. */
active proctype time() {
end:
  do
  :: rests -> rests = false
  od
}

WHOLE_LOG

#ifndef TRACE
#define is_over(m) (where[m] >= ENDED)
active proctype sessions() {
  byte m = 0;
  do
  :: m < REQUESTS -> is_over(m); m++
  :: else -> break
  od;
  connecting == 0; /* those for whom nobody waits */
  atomic { assert(in_flight == 0); has_ended = true }
}

ltl ends { <> has_ended }
ltl answers { [] (where[0] == WAITING -> <> (where[0] >= ENDED)) }
#endif
