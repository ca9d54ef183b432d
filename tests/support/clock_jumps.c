/* Preloaded into a cluster: the clocks that somebody may set, or that go on while a machine sleeps,
 * are off by as many seconds as the file at CLOCK_JUMPS_BY says, a number of eight bytes that may
 * change at any time. CLOCK_MONOTONIC is the kernel's. (A test may not set the machine's clock.) */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* jump;

__attribute__((constructor)) static void find_jump(void) {
  const char* path = getenv("CLOCK_JUMPS_BY");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void* page;
  if (fd < 0) return;
  page = mmap(NULL, sizeof *jump, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) jump = page;
}

static int jumps(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_BOOTTIME ||
         clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && jump != NULL && jumps(clock)) now->tv_sec += *jump;
  return result;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* result) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (result != NULL) *result = precise.tv_sec;
  return precise.tv_sec;
}
