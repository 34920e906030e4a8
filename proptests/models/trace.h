/* For pan, the search that spin(1) writes: reads the log of actions of the program, numbers alone.
   in      the file that POSTERN_TRACE names; a line "action a b" each
   errors  exit 2 with a sentence: no file, a line that is none, too many of them */
#include <stdio.h>
#include <stdlib.h>

static int most_reached;

static void tell_reached(void) { printf("reached %d\n", most_reached); }

static void log_reached(int did) {
  if (did > most_reached) most_reached = did;
}

static int read_log(short* what, short* a, short* b, int most) {
  const char* path = getenv("POSTERN_TRACE");
  FILE* file = path == NULL ? NULL : fopen(path, "r");
  int count = 0, action, first, second, got = EOF;
  if (file == NULL) fprintf(stderr, "POSTERN_TRACE names no file\n"), exit(2);
  while (count < most && (got = fscanf(file, "%d %d %d", &action, &first, &second)) == 3) {
    what[count] = (short)action, a[count] = (short)first, b[count] = (short)second;
    ++count;
  }
  if (got != EOF) fprintf(stderr, "the log has a line that is none, or more than %d of them\n", most), exit(2);
  fclose(file);
  atexit(tell_reached);
  return count;
}
