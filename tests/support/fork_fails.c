/* Preloaded into a master: fork(2) fails of EAGAIN, as at a limit of processes, for as long as
 * there is a file at FORK_FAILS_WHILE. (RLIMIT_NPROC does not bind root, and not everybody may make
 * a control group.) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

pid_t fork(void) {
  const char* path = getenv("FORK_FAILS_WHILE");
  pid_t (*next)(void) = NULL;
  if (path != NULL && access(path, F_OK) == 0) {
    errno = EAGAIN;
    return -1;
  }
  *(void**)&next = dlsym(RTLD_NEXT, "fork");
  return next();
}
