/* The group commit: messages of clients on one loop, two committers, a disk on which syncs fail.
   models    lib/deliver/delivery_threads.cpp (submit, take_jobs, finish_groups, end), lib/deliver/store_job.cpp (join,
             withdraw), lib/deliver/maildir/group.cpp and folders.cpp (commit), lib/loop/loop.cpp (post, run_posted),
             lib/loop/workers.cpp (give_back); server/client/client_message.cpp (hand_over, withdraw_if_gone)
   abstract  each client hands over once; clients of one loop share its thread (`is_busy`); a critical section in which
             nobody waits is one step; a sync is one step for each descriptor; all folders above a mailbox are one folder
   disk      a name is safe when its folder was synced after it. A sync that fails has lost what was not safe, and each
             descriptor that was open then hears of it once (fsync(2)); FAULTS calls fail
   believed  folders stay open from link to sync (OPENED_AGAIN); of the folders above, what a failed sync has not made safe the
             next one that does not fail makes safe (ABOVE_IS_LOST) */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef MOST
#define MOST 2 /* messages of a group; 64 in the program */
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef BOXES
#define BOXES 2
#endif
#ifndef LEAVERS
#define LEAVERS 2 /* clients that may leave while their message waits */
#endif
#define COMMITTERS 2
#if defined(TRACE) || defined(ANY_ORDER)
#define MAY_HAND_OVER true
#define ANY_OF_TWO true
#else
#define MAY_HAND_OVER (i == 0 || is_handed[i - 1]) /* in their order; ANY_ORDER tries all */
#define ANY_OF_TWO !is_asleep[0]                   /* of two that sleep: they are alike */
#endif
#include "trace.pml"

/* The actions, as a log has them; `by` is the committer. */
#define SUBMIT 1    /* message, its mailboxes */
#define WITHDRAW 2  /* message */
#define WRITE 3     /* message, by and whether it failed */
#define SYNC_FILE 4 /* message, by and whether it failed */
#define LINK 5      /* message, by and whether it failed and the mailbox */
#define SYNC_BOX 6  /* mailbox, by and whether it failed */
#define SYNC_ABOVE 7
#define MAKE 8      /* mailbox, by */
#define TAKE_BACK 9 /* message, by and the mailbox */
#define ANSWER 10   /* message, outcome */
#define LOOK 11     /* mailbox, by and whether the folders above are needed */
#define UNMARK 12   /* mailbox, by */
#define IS_THERE 13 /* mailbox, whether it has the mark; without it: safe before all others began */

/* outcomes */
#define NONE 0
#define ACCEPTED 1
#define DEFERRED 2
#define GONE 3

/* a file, a name in new/, a new/ in its mailbox */
#define ABSENT 0
#define MADE 1
#define SAFE 2
#define LOST 3

#define by_and(failed) (2 * me + failed)
#define by_and_box(failed) (16 * by_and(failed) + b)

#ifdef TRACE
byte to[CLIENTS]; /* mailboxes, a bit each */
#define mailboxes_of(i) to[i]
#else
#define mailboxes_of(i) (3 - (i) % 3)
#endif
#define is_for(i, b) ((mailboxes_of(i) >> (b)) & 1)
bool is_handed[CLIENTS], is_withdrawn[CLIENTS], must_not_be_stored[CLIENTS];
byte outcome[CLIENTS], answered[CLIENTS], file[CLIENTS], name[CLIENTS * BOXES];
byte folder[BOXES], errors[BOXES]; /* new/ */
bool marked[BOXES];                /* it may not be safe */
byte faults = 0;

/* DeliveryThreads: under mutex_, but for is_ending in a mutant */
bool is_locked = false, is_ending = false;
bool is_asleep[COMMITTERS]; /* in has_work_.wait() */
chan waiting = [CLIENTS] of { byte };
/* the loop */
bool is_busy = false, is_woken = false;
chan posted = [CLIENTS] of { byte };
byte left_committers = 0, handed = 0, done = 0;
bool has_ended = false;

inline notify_one() {
  atomic {
    if
    :: is_asleep[0] -> is_asleep[0] = false
    :: is_asleep[1] && ANY_OF_TWO -> is_asleep[1] = false
    :: !is_asleep[0] && !is_asleep[1]
    fi
  }
}

/* A call of the disk fails, or does not. */
inline call_disk() {
  if
  :: failed = 0
  :: faults < FAULTS -> faults++; failed = 1
  fi
}

proctype client(byte i) {
  atomic {
    MAY_HAND_OVER && !is_busy -> is_busy = true;
#ifdef TRACE
    to[i] = did_b[did];
#endif
    DID(SUBMIT, i, mailboxes_of(i));
    is_handed[i] = true;
  }
#ifdef NOTIFY_FIRST
  notify_one();
  atomic { !is_locked -> waiting!i }
#else
  atomic { !is_locked -> waiting!i }
  notify_one();
#endif
  atomic { is_busy = false; handed++ }
  if
  :: answered[i] != NONE
  :: atomic { i < LEAVERS && !is_busy && answered[i] == NONE -> DID(WITHDRAW, i, 0); is_withdrawn[i] = true }
  fi
}

/* Its turns: what was posted. */
active proctype the_loop() {
  chan all = [CLIENTS] of { byte };
  byte i, b;
end:
  do
  :: atomic { is_woken && !is_busy -> is_busy = true;
#ifndef READ_WAKE_LAST
     is_woken = false
#endif
     }
     atomic {
       do
       :: posted?i -> all!i
       :: empty(posted) -> break
       od
     }
#ifdef READ_WAKE_LAST
     is_woken = false;
#endif
     atomic {
       do
       :: all?i ->
          DID(ANSWER, i, outcome[i]);
          assert(answered[i] == NONE);
          assert(outcome[i] != NONE);
          assert(!(must_not_be_stored[i] && outcome[i] == ACCEPTED));
          answered[i] = outcome[i];
          done++;
          b = 0;
          do
          :: b < BOXES ->
             if
             :: answered[i] == ACCEPTED && is_for(i, b) ->
                assert(file[i] == SAFE);
                assert(name[i * BOXES + b] == SAFE);
                assert(folder[b] == SAFE)
             :: else -> assert(answered[i] == ACCEPTED || name[i * BOXES + b] == ABSENT)
             fi;
             b++
          :: else -> break
          od
       :: empty(all) -> break
       od;
       i = 0; b = 0;
       is_busy = false
     }
  od
}

/* MaildirFolders::open_mailbox: new/ is opened with the first link, made where it is missing, else looked at. */
inline open_folder(b) {
  if
  :: opened[b] == 0 ->
     is_missing = (folder[b] == ABSENT);
     if
     :: is_missing ->
        atomic {
          call_disk();
          if
          :: failed
          :: else ->
             DID(MAKE, b, me);
             if
             :: folder[b] == ABSENT -> folder[b] = MADE; marked[b] = true
             :: else
             fi
          fi
        }
     :: else
     fi;
     atomic {
       if
       :: !failed -> call_disk()
       :: else
       fi;
       if
       :: failed -> failed = 0
       :: else -> opened[b] = 1 + errors[b]; needs_above[b] = is_missing
       fi
     }
     if
     :: opened[b] != 0 && !is_missing ->
        atomic {
          call_disk();
#ifdef MARK_IGNORED
          needs_above[b] = failed;
#else
          needs_above[b] = failed || marked[b];
#endif
          DID(LOOK, b, by_and(needs_above[b]));
          failed = 0
        }
     :: else
     fi;
     is_missing = false
  :: else
  fi
}

inline take_back(i) {
  b = 0;
  do
  :: b < BOXES && (linked[i] >> b) & 1 ->
     DID(TAKE_BACK, i, by_and_box(0));
     assert(answered[i] != ACCEPTED);
     name[i * BOXES + b] = ABSENT;
     linked[i] = linked[i] & ~(1 << b);
     b++
  :: b < BOXES && !((linked[i] >> b) & 1) -> b++
  :: b == BOXES -> break
  od
}

inline link_all(i) {
  b = 0;
  do
  :: b < BOXES && !is_unsound[i] && is_for(i, b) ->
     open_folder(b);
     atomic {
       if
       :: opened[b] == 0 -> failed = 1 /* it could not be made, or opened */
       :: else -> call_disk()
       fi;
       DID(LINK, i, by_and_box(failed));
       if
       :: failed -> is_unsound[i] = true
       :: else -> name[i * BOXES + b] = MADE; linked[i] = linked[i] | (1 << b)
       fi;
       failed = 0;
       b++
     }
  :: b < BOXES && !is_unsound[i] && !is_for(i, b) -> b++
  :: b == BOXES || is_unsound[i] -> break
  od;
  atomic {
    if
    :: is_unsound[i] -> take_back(i)
    :: else
    fi
  }
}

/* One fsync(2) of new/, on the descriptor that was open for the links. */
inline sync_box(b) {
  atomic {
#ifdef OPENED_AGAIN
    opened[b] = 1 + errors[b];
#endif
    if
    :: opened[b] != 1 + errors[b] -> failed = 1 /* of another sync */
    :: else ->
       call_disk();
       i = 0;
       do
       :: i < CLIENTS ->
          if
          :: name[i * BOXES + b] == MADE -> name[i * BOXES + b] = (failed -> LOST : SAFE)
          :: else
          fi;
          i++
       :: else -> break
       od;
       if
       :: failed -> errors[b]++
       :: else
       fi
    fi;
    DID(SYNC_BOX, b, by_and(failed));
    opened[b] = 1 + errors[b];
#ifdef SYNCED_AGAIN
    if
    :: failed && !has_tried -> has_tried = true; failed = 0; goto again
    :: else
    fi;
#endif
    if :: failed -> in_trouble[b] = true :: else fi;
    failed = 0
  }
}

inline sync_above(b) {
  atomic {
    call_disk();
    DID(SYNC_ABOVE, b, by_and(failed));
    if
    :: failed ->
#ifdef ABOVE_IS_LOST
       folder[b] = (folder[b] == MADE -> LOST : folder[b]);
#endif
       in_trouble[b] = true
    :: !failed && folder[b] == MADE -> folder[b] = SAFE
    :: else
    fi;
    failed = 0
  }
}

/* It fails, or another committer was first: no matter. */
inline remove_mark(b) {
  if
  :: needs_above[b] && !in_trouble[b] ->
     atomic {
       call_disk();
       if
       :: !failed && marked[b] -> DID(UNMARK, b, me); marked[b] = false
       :: else
       fi;
       failed = 0
     }
  :: else
  fi
}

inline judge(i) {
  b = 0;
  do
  :: b < BOXES && !is_unsound[i] ->
     if
     :: is_for(i, b) && in_trouble[b] -> is_unsound[i] = true
     :: else
     fi;
#ifdef FIRST_BOX_JUDGES
     b = (is_for(i, b) -> BOXES : b + 1)
#else
     b++
#endif
  :: else -> break
  od;
  if
#ifndef LINKS_STAY
  :: is_unsound[i] -> take_back(i)
#endif
  :: else
  fi
}

#define each_of_group(action) \
  at = 0; \
  do \
  :: at < members -> i = group[at]; action; at++ \
  :: else -> break \
  od
#define each_box(action) \
  b = 0; \
  do \
  :: b < BOXES -> action; b++ \
  :: else -> break \
  od

inline give_back() {
  atomic {
    was_empty = empty(posted);
    at = 0;
    do
    :: at < taken -> posted!all_taken[at]; all_taken[at] = 0; at++
    :: else -> break
    od
  }
  if
  :: was_empty -> is_woken = true
  :: else
  fi
}

inline write_one() {
  call_disk();
  DID(WRITE, i, by_and(failed));
  if
  :: failed -> is_unsound[i] = true
  :: else -> file[i] = MADE
  fi;
  failed = 0
}

inline sync_one() {
  if
  :: !is_unsound[i] ->
     call_disk();
     DID(SYNC_FILE, i, by_and(failed));
     if
     :: failed -> file[i] = LOST; is_unsound[i] = true
     :: else -> file[i] = SAFE
     fi;
     failed = 0
  :: else
  fi
}

inline set_outcome() {
  outcome[i] = (is_unsound[i] -> DEFERRED : ACCEPTED)
}

inline commit() {
  each_of_group(if :: !is_unsound[i] -> link_all(i) :: else fi);
#ifdef ANSWERED_BEFORE_SYNC
  each_of_group(set_outcome());
  give_back();
#endif
#ifdef UNMARKED_FIRST
  each_box(remove_mark(b));
#endif
  b = 0;
  do
  :: b < BOXES && opened[b] != 0 ->
     if
     :: needs_above[b] -> sync_above(b)
     :: else
     fi;
again:
     sync_box(b);
     b++;
#ifdef SYNCED_AGAIN
     has_tried = false
#endif
  :: b < BOXES && opened[b] == 0 -> b++
  :: b == BOXES -> break
  od;
  each_box(remove_mark(b));
  atomic {
    each_of_group(judge(i));
#ifndef ANSWERED_BEFORE_SYNC
    each_of_group(set_outcome())
#endif
  }
}

proctype committer(byte me) {
  byte group[MOST], all_taken[MOST], members, taken, at, i, b;
  byte opened[BOXES], linked[CLIENTS];
  bool needs_above[BOXES], in_trouble[BOXES], is_missing, failed, was_empty, has_tried, is_unsound[CLIENTS];
next_group:
  atomic {
    !is_asleep[me] && !is_locked -> taken = 0;
    if
    :: !is_ending && len(waiting) == 0 -> is_locked = true
    :: else ->
#ifdef END_DROPS
       do
       :: is_ending && len(waiting) > 0 -> waiting?i
       :: else -> break
       od;
#endif
       do
       :: taken < MOST && len(waiting) > 0 -> waiting?i; all_taken[taken] = i; taken++
       :: else -> break
       od
    fi
  }
  if
  :: taken == 0 && is_locked -> /* by this one: nobody else goes on meanwhile */
     atomic { is_locked = false; is_asleep[me] = true; goto next_group }
  :: else
  fi;
  if
  :: taken == 0 -> goto is_over
  :: else
  fi;
  atomic {
    at = 0;
    do
    :: at < taken ->
       i = all_taken[at];
       must_not_be_stored[i] = is_withdrawn[i];
       at++;
       if
#ifndef WITHDRAWN_IS_STORED
       :: is_withdrawn[i] -> outcome[i] = GONE
#endif
       :: else -> group[members] = i; members++
       fi
    :: else -> break
    od;
    i = 0;
    each_of_group(write_one()); /* of these files nobody else knows */
    each_of_group(sync_one())
  }
  if
  :: members > 0 -> commit()
  :: else
  fi;
#ifdef ANSWERED_BEFORE_SYNC
  if
  :: members == 0 -> give_back()
  :: else
  fi;
#else
  give_back();
#endif
  atomic {
    b = 0;
    do
    :: b < BOXES -> opened[b] = 0; needs_above[b] = false; in_trouble[b] = false; b++
    :: else -> break
    od;
    i = 0;
    do
    :: i < CLIENTS -> linked[i] = 0; is_unsound[i] = false; i++
    :: else -> break
    od;
    at = 0;
    do
    :: at < members -> group[at] = 0; at++
    :: else -> break
    od;
    i = 0; b = 0; at = 0; members = 0; taken = 0; was_empty = false
  }
  goto next_group;
is_over:
  left_committers++
}

/* Starts all, and ends them: the server ends a way out when nothing can be submitted any more. */
init {
  byte i = 0;
  bool ends_early = true;
  atomic {
    READ_LOG;
#ifdef TRACE
    do
    :: did_what[did] == IS_THERE ->
       marked[did_a[did]] = did_b[did];
       folder[did_a[did]] = (did_b[did] -> MADE : SAFE);
       did++
    :: else -> break
    od;
#endif
    if
    :: true
    :: ends_early = false
    fi;
    do
    :: i < COMMITTERS -> run committer(i); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < CLIENTS -> run client(i); i++
    :: else -> break
    od;
    i = 0
  }
  if /* with messages in hand, or when all are answered: then nothing but their own wake-ups wakes the threads */
  :: ends_early -> handed == CLIENTS
  :: !ends_early -> done == CLIENTS
  fi;
#ifdef END_UNLOCKED
  is_ending = true;
#else
  atomic { !is_locked -> is_ending = true }
#endif
  atomic { is_asleep[0] = false; is_asleep[1] = false }
  left_committers == COMMITTERS;
  done == CLIENTS;
  has_ended = true
}

WHOLE_LOG

#ifndef TRACE
ltl ends { <> has_ended }
ltl answers { [] ((is_handed[0] -> <> (answered[0] != NONE)) && (is_handed[1] -> <> (answered[1] != NONE))) }
#endif
