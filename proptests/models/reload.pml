/* The reload: files that change, signals, the snapshot that loops serve by, sessions that go on with what they began with.
   models    server/server_service.cpp (wait_for_the_end, look_after, reload, has_reloaded, read_and_judge, serve_by, shut_down,
             end_upkeep), server/upkeep.cpp, server/snapshot.cpp (SnapshotShelf), server/loop_context.cpp (use, find_class, keep_class), server/loop_thread.cpp
             (obey, look_after_sessions), server/client/class_job.cpp, lib/config/file_watch.cpp
   abstract  files are one number, the edit that they are of; each edit is fit, unfit, names another file, or is in a file that
             never answers; the second for which the end waits for a reload may be over at any time; a snapshot is its
             policies and its classes; a posted call arrives (without a lost wake-up: group_commit.pml); sessions come to an end
   counts    a shared_ptr is a count: the thread that brings it to 0 destroys. That must be the thread of the reload */
#ifndef EDITS
#define EDITS 2
#endif
#ifndef HANGUPS
#define HANGUPS 1 /* SIGHUP, at any time; one that comes while another waits is lost, as the kernel has it */
#endif
#ifndef SESSIONS
#define SESSIONS 2
#endif
#define LOOPS 2
#define SNAPSHOTS (EDITS + HANGUPS + 2)
#define NOBODY 255
#include "trace.pml"

/* The actions that can be seen from outside, as a log has them. */
#define EDIT 1    /* edit, 1: it is unfit */
#define HANG_UP 2
#define TERMINATE 3
#define VERDICT 4 /* of a reload, 1: done */
#define CONNECT 5 /* session */
#define SERVED 6  /* session, the edit by which it is served */
#define LEAVE 7   /* session */
#define EXIT 8

/* the disk, and signals that wait */
byte edited = 0, edits_to_come = EDITS;
bool is_unfit[EDITS + 1], is_elsewhere[EDITS + 1], is_silent[EDITS + 1]; /* by edit */
bool hangs_up = false, terminates = false;
/* what the server's thread and that of the reload share */
bool asks = false, is_locked = false, is_stopping = false, is_ending = false, has_upkeep_ended = false, have_loops_ended = false;
/* the thread of the reload */
byte known = 0, read_last = 0, asked_for = 0, current = 0, made = 1;
bool is_on_shelf[SNAPSHOTS], is_profile_kept[SNAPSHOTS]; /* SnapshotShelf */
byte content[SNAPSHOTS];  /* the edit that a snapshot was made from */
byte holders[SNAPSHOTS];  /* of a snapshot */
byte users[SNAPSHOTS];    /* of its profiles */
/* loops */
chan posted[LOOPS] = [SNAPSHOTS] of { byte };
byte serves_by[LOOPS], judged_later[LOOPS], published[LOOPS], here[LOOPS];
bool has_order = false, has_heard[LOOPS];
/* sessions */
#define AWAY 0
#define JUDGING 1
#define TALKING 2
#define GONE 3
byte state[SESSIONS], profile[SESSIONS], began_with[SESSIONS];
/* the thread that judges classes */
chan to_judge = [SESSIONS] of { byte };
chan judged[LOOPS] = [SESSIONS] of { byte };
byte judges_by[SESSIONS];
bool has_ended = false;

/* A loop lets go of a snapshot, or of a profile. */
inline lets_go(snapshot) {
  holders[snapshot]--;
  assert(holders[snapshot] > 0)
}
inline leaves_profile(snapshot) {
  users[snapshot]--;
  assert(users[snapshot] > 0)
}

inline forget_unused() {
  atomic {
    v = 0;
    do
    :: v < SNAPSHOTS ->
       if
       :: is_on_shelf[v] && holders[v] == 1 -> /* its profiles go to the shelf, if sessions have them still */
          is_on_shelf[v] = false; holders[v] = 0; is_profile_kept[v] = true
       :: else
       fi;
       if
       :: is_profile_kept[v] && users[v] == 1 -> is_profile_kept[v] = false; users[v] = 0
       :: else
       fi;
       v++
    :: else -> break
    od;
    v = 0
  }
}

inline reload() {
  known = edited; /* look() */
  atomic { reading = edited; read_last = reading }
end_silent:
  !is_silent[reading]; /* or it waits for ever */
  if
#ifndef UNFIT_IS_TAKEN
  :: is_unfit[reading] -> atomic { DID(VERDICT, 0, 0) }
  :: else ->
#else
  :: true ->
#endif
     atomic { !is_locked -> is_locked = true }
     if
#ifndef TAKEN_AT_THE_END
     :: is_stopping -> atomic { is_locked = false; DID(VERDICT, 0, 0) }
     :: else ->
#else
     :: true ->
#endif
     atomic { /* make_snapshot, prepare, make_room */
       v = made; made++;
       content[v] = reading;
       holders[v] = 1 + LOOPS; users[v] = 1;
#ifdef SHELF_FORGOTTEN
       holders[current]--;
#else
       is_on_shelf[current] = true; /* the pointer of its own goes to the shelf */
#endif
       old = current; current = v
     }
     assert(!have_loops_ended);
     posted[0]!v;
     posted[1]!v;
     is_locked = false;
     atomic { DID(VERDICT, 1, 0);
       if /* watch(): of files that it knows already, it knows what look() has found */
       :: is_elsewhere[reading] != is_elsewhere[content[old]] ->
          skip
       :: else
       fi
     }
     fi
  fi;
  atomic { v = 0; reading = 0; old = 0 }
}

active proctype upkeep() {
  byte v, reading, old;
end:
  do
  :: is_ending -> break
  :: atomic { !is_ending && (asks || known != edited /* settled() */) -> asks = false }
     reload();
     forget_unused()
  :: atomic { made > 1 && (is_on_shelf[0] && holders[0] == 1) && !is_ending -> forget_unused() }
  od;
  has_upkeep_ended = true
}

active proctype server() {
  byte v;
end:
  do
  :: atomic { hangs_up -> hangs_up = false; asks = true } /* one that waits already stays the only one */
  :: terminates && !hangs_up -> break
  od;
  atomic { !is_locked -> is_stopping = true }
  is_ending = true;
  has_order = true;
  has_heard[0] && has_heard[1];
  published[0] + published[1] == 0;
  have_loops_ended = true;
  if
  :: has_upkeep_ended
#ifndef WAITS_FOR_THE_FILE
  :: true /* a second is over */
#endif
  fi;
  atomic {
    v = 0;
    do
    :: v < SESSIONS -> assert(state[v] == AWAY || state[v] == GONE); v++
    :: else -> break
    od;
    v = 0;
    DID(EXIT, 0, 0);
    has_ended = true
  }
}

inline begin_with(s, snapshot) {
  profile[s] = snapshot; began_with[s] = snapshot; users[snapshot]++;
  state[s] = TALKING
}

/* two sessions a loop, one after the other */
#define is_of_this(s) ((s) < SESSIONS && (s) / 2 == me)
#define is_talking(s) (is_of_this(s) && state[(s) % SESSIONS] == TALKING)
#define may_be_another(s) (s == 2 * me && is_talking(s + 1))
#define talks (is_talking(2 * me) || is_talking(2 * me + 1))

proctype loop_thread(byte me) {
  byte v, s;
  bool accepts = true;
end:
  do
  /* use() */
  :: atomic { posted[me]?v ->
       assert(v > serves_by[me]);
       judged_later[me] = NOBODY;
       s = serves_by[me]; serves_by[me] = v;
       lets_go(s); /* the posted call held v, and now the loop does */
#ifdef SESSIONS_ARE_SWITCHED
       s = 2 * me;
       do
       :: is_of_this(s) && state[s] == TALKING -> users[v]++; users[profile[s]]--; profile[s] = v; break
       :: is_of_this(s) && state[s] != TALKING -> s++
       :: !is_of_this(s) -> break
       od;
#endif
       v = 0; s = 0
     }
  :: atomic { accepts -> s = 2 * me;
       do
       :: is_of_this(s) && state[s] != AWAY -> s++
       :: else -> break
       od;
       if
       :: is_of_this(s) -> DID(CONNECT, s, 0); here[me]++;
          if
          :: begin_with(s, serves_by[me]) /* its class was known */
          :: judged_later[me] != NOBODY -> /* by this loop */
             assert(judged_later[me] == serves_by[me]);
             begin_with(s, judged_later[me])
          :: judged_later[me] == NOBODY ->
             state[s] = JUDGING; judges_by[s] = serves_by[me]; holders[serves_by[me]]++; to_judge!s
          fi
       :: !is_of_this(s) -> accepts = false /* nobody else comes */
       fi;
       s = 0
     }
  :: atomic { judged[me]?s ->
       if
#ifndef KEPT_ALWAYS
       :: judges_by[s] != serves_by[me]
#endif
       :: else -> judged_later[me] = judges_by[s]
       fi;
       assert(judged_later[me] == NOBODY || judged_later[me] == serves_by[me]);
       begin_with(s, judges_by[s]);
       lets_go(judges_by[s]); judges_by[s] = 0; s = 0
     }
  /* a session says by what it is served, and leaves */
  :: atomic { talks -> s = 2 * me;
       do
       :: !is_talking(s) || may_be_another(s) -> s++
       :: is_talking(s) -> break
       od;
       assert(profile[s] == began_with[s]);
       assert(!is_unfit[content[profile[s]]]);
       if
#ifdef TRACE
          :: DID(SERVED, s, content[profile[s]])
#endif
#ifdef STAYS_FOR_EVER
          :: skip
#endif
          :: DID(LEAVE, s, 0);
             state[s] = GONE; here[me]--; leaves_profile(profile[s]); profile[s] = 0; began_with[s] = 0
       fi;
       s = 0
     }
  /* at the end of a turn */
  :: atomic { has_order && !has_heard[me] -> accepts = false;
#ifdef HEARD_TOO_SOON
       has_heard[me] = true
     }
     atomic { published[me] = here[me] }
#else
       published[me] = here[me];
       has_heard[me] = true
     }
#endif
  :: atomic { published[me] != here[me] -> published[me] = here[me] }
  od
}

/* The thread of classes. */
active proctype judge() {
  byte s;
end:
  do
  :: atomic { to_judge?s -> judged[s / 2]!s; s = 0 }
  od
}

/* Who edits, and sends signals. */
active proctype operator() {
  byte hangups = HANGUPS;
  do
  :: atomic { edits_to_come > 0 -> edits_to_come--; edited++;
       if
       :: is_unfit[edited] = true
       :: is_elsewhere[edited] = true
       :: is_silent[edited] = true
       :: true
       fi;
       DID(EDIT, edited, is_unfit[edited]) }
  :: atomic { hangups > 0 && !terminates -> hangups--; DID(HANG_UP, 0, 0); hangs_up = true; asked_for = edited }
  :: atomic { !terminates -> DID(TERMINATE, 0, 0); terminates = true }
  :: terminates -> break
  od
}

init {
  atomic {
    READ_LOG;
    holders[0] = 1 + LOOPS; users[0] = 1;
    judged_later[0] = NOBODY; judged_later[1] = NOBODY;
    run loop_thread(0); run loop_thread(1)
  }
}

WHOLE_LOG

#ifndef TRACE
ltl ends { <> has_ended }
#endif
