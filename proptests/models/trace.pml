/* What the program did, as the guard of what a model may do: DID(action, a, b) in front of each action that is logged.
   Without TRACE it is nothing. With it the model goes on only as far as the log of POSTERN_TRACE does: a line
   "action a b" each. That the log is a run of the model is that its end is reached, which WHOLE_LOG denies. */
#ifdef TRACE
c_decl {
\#include "trace.h"
};
hidden short did_what[MOST_ACTIONS];
hidden short did_a[MOST_ACTIONS];
hidden short did_b[MOST_ACTIONS];
hidden short did_count;
short did = 0;
bool is_read = false; /* before that the log is as long as what was done: empty */
#define READ_LOG c_code { did_count = read_log(did_what, did_a, did_b, MOST_ACTIONS); }; is_read = true
#define DID(action, a, b) (did < did_count && did_what[did] == action && did_a[did] == a && did_b[did] == b); \
  did++; c_code { log_reached(now.did); }
#define WHOLE_LOG active proctype whole_log() { (is_read && did == did_count); assert(false) }
#else
#define READ_LOG skip
#define DID(action, a, b) skip
#define WHOLE_LOG
#endif
