/* Questions of sessions and their answers: late, doubled, to a session that is over, to a place that another one has.
   models    engine/conversation.cpp (answer, time_passed, take, end); server/client/client_work.cpp (InquiryJob, gives_up_question),
             server/client/client_message.cpp (hand_over, submit, appended, finished, give_up, drop), server/client/connection.cpp
             (job_done, take_time, lose_client, die, leave_if_unused); lib/loop/workers.cpp
   abstract  one place for connections, used again; a turn of the loop is one step; a job is in line, on a thread, or posted
             (how it gets there without a lost wake-up is in group_commit.pml); any time may have passed
   kinds     `credentials` has a limit of seconds, and its thread may hang for ever; `hand_over` has none, and is answered by
             whom it is handed to (group_commit.pml, outbound.pml); a recipient is answered where it is asked */
#ifndef SESSIONS
#define SESSIONS 2
#endif
#ifndef QUESTIONS
#define QUESTIONS 3 /* of a session */
#endif
#ifndef THREADS
#define THREADS 2
#endif
#define JOBS 6
#include "trace.pml"

/* The actions of a conversation, as a log has them. */
#define OPEN 1
#define ASK 2    /* ticket, 1: there is a limit of seconds */
#define ANSWER 3 /* ticket, 1: something changed */
#define TIME 4   /* ticket: its limit is over */
#define END 5

/* what a conversation waits for */
#define NOTHING 0
#define OCTETS 1
#define CREDENTIALS 2
#define HAND_OVER 3

#define INQUIRY 1
#define APPEND 2
#define FINISH 3
#define ABANDON 4

/* engine::Conversation */
byte waits = NOTHING, ticket = 0, strays = 0;
/* ghosts: how often the question of this ticket was answered; which session it is */
byte answers = 0, session = 0;

/* A question is open: its answer counts, and nothing else. */
inline answer(asked_of, answered_by, of_session) {
  if
#ifdef TICKET_NOT_COMPARED
  :: waits > OCTETS ->
#else
  :: waits > OCTETS && asked_of == ticket ->
#endif
     assert(asked_of == ticket);
     assert(of_session == session);
     answers++;
     assert(answers == 1);
     waits = OCTETS;
     changed = 1
  :: else -> strays++; changed = 0
  fi
}

inline ask(what) {
  assert(waits == OCTETS);
  assert(ticket == 0 || answers == 1);
#ifdef TICKET_USED_AGAIN
  ticket = 1;
#else
  ticket++;
#endif
  answers = 0;
  waits = what
}

inline end_conversation() {
  waits = NOTHING; ticket = 0; answers = 0
}

#ifdef TRACE
/* A conversation alone, with a shell that says anything at any time. */
active proctype conversation() {
  byte changed = 0, asked_of = 0;
  READ_LOG;
  do
  :: atomic { waits == NOTHING -> DID(OPEN, 0, 0); session++; waits = OCTETS }
  :: atomic { waits == OCTETS -> DID(ASK, ticket + 1, 1); ask(CREDENTIALS) }
  :: atomic { waits == OCTETS -> DID(ASK, ticket + 1, 0); ask(HAND_OVER) }
  :: atomic { waits == CREDENTIALS -> DID(TIME, ticket, 0); answer(ticket, TIME, session) }
  :: atomic { waits > OCTETS -> DID(ANSWER, ticket, 1); answer(ticket, ANSWER, session) }
  :: atomic { did < did_count && did_what[did] == ANSWER && did_b[did] == 0 ->
       asked_of = did_a[did]; answer(asked_of, ANSWER, session); DID(ANSWER, asked_of, changed) }
  :: atomic { waits != NOTHING -> DID(END, 0, 0); end_conversation() }
  od
}
WHOLE_LOG

#else

/* server::Connection */
bool is_there = false, is_over = false, has_left = false, is_ending = false;
byte jobs = 0, awaited = 0;
/* server::ClientMessage: */
bool has_message = false, is_away = false, has_been_away = false;
byte whole = 0, message = 0; /* ghost: which message it is */
/* the jobs */
byte kind[JOBS], job_ticket[JOBS], job_session[JOBS], job_message[JOBS];
chan in_line = [JOBS] of { byte };
chan posted = [JOBS] of { byte };
byte hung = 0, asked = 0;
bool has_ended = false, is_broken_off = false;

inline submit(what, asked_of) {
  n = 0;
  do
  :: kind[n] != 0 -> n++
  :: else -> break
  od;
  kind[n] = what; job_ticket[n] = asked_of; job_session[n] = session; job_message[n] = message;
  jobs++;
  in_line!n
}

inline submit_finish(asked_of) {
  submit(FINISH, asked_of);
  awaited = asked_of
}

inline hand_over() {
  if
  :: is_away -> whole = ticket; awaited = ticket
  :: else -> submit_finish(ticket)
  fi
}

inline drop() {
  if
  :: has_message && has_been_away && !is_away -> submit(ABANDON, 0)
  :: else
  fi;
  has_message = false; is_away = false; has_been_away = false; whole = 0
}

inline leave_if_unused() {
  if
#ifdef LEAVES_WITH_JOBS
  :: is_over -> is_there = false; is_over = false; has_left = false; awaited = 0
#else
  :: is_over && jobs == 0 -> is_there = false; is_over = false; has_left = false; awaited = 0
#endif
  :: else
  fi
}

inline die() {
  is_over = true;
  end_conversation();
  drop();
  leave_if_unused()
}

/* At the end of a turn: nobody is there any more, or the server ends, and no question is open. */
inline end_turn() {
  if
  :: waits == OCTETS && is_there && !is_over && (has_left || (is_ending && !has_message)) -> die()
  :: else
  fi
}

#ifdef MESSAGE_NOT_COMPARED
#define is_of_another(j) !has_message
#else
#define is_of_another(j) !has_message || message != job_message[j]
#endif

inline job_done(j) {
  assert(is_there && job_session[j] == session); /* what it points to */
  jobs--;
  if
  :: is_over ->
     if
     :: kind[j] == APPEND -> submit_again(j)
     :: else
     fi;
     leave_if_unused()
  :: !is_over && kind[j] == INQUIRY ->
     if
#ifndef AWAITED_NOT_COMPARED
     :: awaited != job_ticket[j] /* noted as late */
#endif
     :: else -> awaited = 0; answer(job_ticket[j], INQUIRY, job_session[j])
     fi
  :: !is_over && kind[j] == APPEND ->
     if
     :: is_of_another(j) -> submit_again(j)
     :: else ->
        assert(message == job_message[j]);
        is_away = false;
        if
        :: whole != 0 -> awaited = 0; assert(whole == ticket && waits == HAND_OVER); submit_finish(whole); whole = 0
        :: else
        fi
     fi
  :: !is_over && kind[j] == FINISH ->
     awaited = 0;
     has_message = false; has_been_away = false;
     answer(job_ticket[j], FINISH, job_session[j])
  :: !is_over && kind[j] == ABANDON
  fi
}

/* give_up(): its job becomes one that abandons the message. */
inline submit_again(j) {
  kind[j] = ABANDON;
  jobs++;
  in_line!j;
  is_given_up = true
}

active proctype the_loop() {
  byte j, n, changed;
  bool is_given_up;
end:
  do
  :: atomic { !is_there && !is_ending && session < SESSIONS -> session++; is_there = true; waits = OCTETS; asked = 0 }
  /* what the client sends */
  :: atomic { waits == OCTETS && !has_message && asked < QUESTIONS -> asked++;
       ask(CREDENTIALS); submit(INQUIRY, ticket); awaited = ticket; n = 0; end_turn() }
  :: atomic { waits == OCTETS && !has_message && asked < QUESTIONS -> asked++; /* nobody to ask, or a recipient */
       ask(CREDENTIALS); answer(ticket, ASK, session); end_turn() }
  :: atomic { waits == OCTETS && !has_message && asked < QUESTIONS && jobs < 2 -> asked++; has_message = true; message++ }
  :: atomic { waits == OCTETS && has_message && !is_away && !has_been_away ->
       submit(APPEND, 0); is_away = true; has_been_away = true; n = 0 }
  :: atomic { waits == OCTETS && has_message -> ask(HAND_OVER); hand_over(); n = 0 }
  :: atomic { waits == OCTETS && has_message -> drop(); n = 0 } /* no memory for more of it */
  :: atomic { waits == OCTETS -> die(); n = 0 } /* QUIT, an end, a reset, no memory, a time limit */
  :: atomic { waits > OCTETS && !has_left -> has_left = true }
  /* the limit of a question */
#ifndef LIMIT_NOT_ARMED
  :: atomic { waits == CREDENTIALS -> awaited = 0; answer(ticket, TIME, session); end_turn(); n = 0; changed = 0 }
#endif
  :: atomic { posted?j -> is_given_up = false; job_done(j);
       if
       :: !is_given_up -> kind[j] = 0; job_ticket[j] = 0; job_session[j] = 0; job_message[j] = 0
       :: else
       fi;
       is_given_up = false;
       end_turn(); j = 0; n = 0; changed = 0;
       assert(strays == 0)
     }
  :: atomic { is_ending && waits == OCTETS && !has_message -> die(); n = 0 }
  od
}

active [THREADS] proctype worker() {
  byte j;
end:
  do
  :: atomic { in_line?j -> skip }
     if
#ifdef JOB_LOST
     :: atomic { kind[j] != INQUIRY -> j = 0 }
#endif
     :: atomic { posted!j;
#ifdef POSTED_TWICE
          posted!j;
#endif
          j = 0 }
     :: atomic { kind[j] == INQUIRY -> hung++; j = 0 } -> goto end_hung
     fi
  od;
end_hung:
  false
}

/* The end of the server: SIGTERM at any time; it waits, and breaks off what does not come to its end. */
active proctype server() {
  is_ending = true;
  if
  :: !is_there
  :: atomic { hung > 0 && is_there && waits != OCTETS -> is_broken_off = true }
  fi;
  atomic {
    assert(is_broken_off || (jobs == 0 && len(in_line) == 0 && len(posted) == 0));
    has_ended = true
  }
}

ltl ends { <> has_ended }
ltl answers { [] (waits == CREDENTIALS -> <> (waits != CREDENTIALS)) }
#endif
