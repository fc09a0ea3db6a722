/* Lockstep for a firmware that runs on the machine's clock: preloaded into its process.

   The monotonic clock of its main thread becomes simulated time. It advances with every look at it
   and with every sleep, and stands still at the time that the simulator has granted. Two pipes join
   both processes: 8 bytes, a time in ns, grant it; 'd' states that it is used up, 'p' that a datagram
   has been processed. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 200 /* a look at the clock, so that a loop that waits for a time ends */

static int grant_fd = -1, done_fd = -1;
static int64_t granted_ns = 0;
static _Atomic int64_t now_ns = 0;
static _Thread_local int is_main = -1, has_received = 0;

static int (*next_gettime)(clockid_t, struct timespec *);
static int (*next_sleep)(const struct timespec *, struct timespec *);
static int (*next_select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
static ssize_t (*next_recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);

__attribute__((constructor)) static void begin(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* the log is complete when the process is ended */
    next_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    next_sleep = dlsym(RTLD_NEXT, "nanosleep");
    next_select = dlsym(RTLD_NEXT, "select");
    next_recvfrom = dlsym(RTLD_NEXT, "recvfrom");
    const char *grant = getenv("LIQUID_CONTROL_GRANT_FD"), *done = getenv("LIQUID_CONTROL_DONE_FD");
    if (grant && done) {
        grant_fd = atoi(grant);
        done_fd = atoi(done);
    }
}

static int in_lockstep(void)
{
    if (is_main < 0)
        is_main = syscall(SYS_gettid) == getpid();
    return is_main && grant_fd >= 0;
}

static void report(char what)
{
    if (write(done_fd, &what, 1) != 1)
        _exit(0);
}

static void advance(int64_t by_ns)
{
    int64_t target = now_ns + by_ns;
    while (target > granted_ns) {
        now_ns = granted_ns;
        report('d');
        if (read(grant_fd, &granted_ns, sizeof granted_ns) != sizeof granted_ns)
            _exit(0);
    }
    now_ns = target;
}

int clock_gettime(clockid_t clock, struct timespec *result)
{
    if (grant_fd < 0 || clock != CLOCK_MONOTONIC)
        return next_gettime(clock, result);
    if (in_lockstep())
        advance(LOOK_NS);
    int64_t now = now_ns;
    result->tv_sec = now / 1000000000;
    result->tv_nsec = now % 1000000000;
    return 0;
}

int nanosleep(const struct timespec *duration, struct timespec *left)
{
    if (!in_lockstep())
        return next_sleep(duration, left);
    advance(duration->tv_sec * INT64_C(1000000000) + duration->tv_nsec);
    return 0;
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length)
{
    ssize_t count = next_recvfrom(fd, data, size, flags, from, length);
    has_received = count > 0;
    return count;
}

int select(int count, fd_set *in, fd_set *out, fd_set *errors, struct timeval *timeout)
{
    if (has_received && grant_fd >= 0)
        report('p');
    has_received = 0;
    return next_select(count, in, out, errors, timeout);
}
