/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's workload: the only program of its initramfs, run as /init
 * by the same kernel natively and under each hypervisor. It owns the list of
 * metrics, calibrates each one's loop until a sample lasts long enough, takes
 * several samples and prints the median as "BENCH name nanoseconds", one line
 * per metric. A metric that cannot run prints "BENCH-ERROR name: why" and the
 * next one goes on. "BENCH start" and "BENCH end" enclose the figures.
 *
 * The kernel hands words of its command line to /init as environment:
 * BENCH_SAMPLE_MS (length of a sample) and BENCH_SAMPLES (their number).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096ul
#define FAULT_PAGES 1024ul /* pages touched per fresh mapping */
#define MAP_BYTES (16 * PAGE_BYTES)
#define PROTECT_BYTES (16 * PAGE_BYTES)
#define COPY_BYTES (64ul * 1024)
#define MAX_SAMPLES 99
#define MAX_ROUNDS 12

/*
 * A metric's body does its operation `loops` times and returns the time taken
 * in nanoseconds, or FAILED with errno set.
 */
#define FAILED UINT64_MAX

struct metric {
    const char *name;
    uint64_t (*run)(uint64_t loops);
};

static int zero_fd = -1;
static volatile sig_atomic_t signals_caught;

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t run_cpu(uint64_t loops)
{
    uint64_t start = now();
    uint64_t i, x = 88172645463325252u;

    for (i = 0; i < loops * 1000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        __asm__ volatile("" : "+r"(x));
    }
    return now() - start;
}

static uint64_t run_memcpy(uint64_t loops)
{
    static char from[COPY_BYTES], to[COPY_BYTES];
    uint64_t i, start;

    memset(from, 1, sizeof(from));
    memset(to, 2, sizeof(to));
    start = now();
    for (i = 0; i < loops; i++) {
        memcpy(to, from, sizeof(to));
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    return now() - start;
}

static uint64_t run_syscall(uint64_t loops)
{
    uint64_t start = now();
    uint64_t i;

    for (i = 0; i < loops; i++)
        syscall(SYS_getppid);
    return now() - start;
}

static uint64_t run_read(uint64_t loops)
{
    uint64_t start = now();
    uint64_t i;
    char byte;

    for (i = 0; i < loops; i++)
        if (read(zero_fd, &byte, 1) != 1)
            return FAILED;
    return now() - start;
}

static uint64_t run_clock(uint64_t loops)
{
    uint64_t start = now();
    struct timespec t;
    uint64_t i;

    for (i = 0; i < loops; i++)
        if (clock_gettime(CLOCK_MONOTONIC, &t))
            return FAILED;
    return now() - start;
}

static void count_signal(int number)
{
    (void)number;
    signals_caught++;
}

/*
 * Raise, handle, return, with a handler installed once. The raise goes straight
 * to the kernel, because the library's own blocks all signals around it.
 */
static uint64_t run_signal(uint64_t loops)
{
    struct sigaction action = {.sa_handler = count_signal};
    uint64_t start, i;
    pid_t pid = getpid();

    if (sigaction(SIGUSR1, &action, NULL))
        return FAILED;
    signals_caught = 0;
    start = now();
    for (i = 0; i < loops; i++)
        syscall(SYS_kill, pid, SIGUSR1);
    start = now() - start;
    return (uint64_t)signals_caught == loops ? start : FAILED;
}

static uint64_t run_sigaction(uint64_t loops)
{
    struct sigaction action = {.sa_handler = count_signal};
    uint64_t start = now();
    uint64_t i;

    for (i = 0; i < loops; i++)
        if (sigaction(SIGUSR1, &action, NULL))
            return FAILED;
    return now() - start;
}

static void *map_private(size_t bytes)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/*
 * Touches `pages` fresh pages; only the touching is timed. Huge pages are
 * refused, because a paravirtualized kernel has none to answer with.
 */
static uint64_t touch_fresh(uint64_t pages)
{
    volatile char *p = map_private(pages * PAGE_BYTES);
    uint64_t start, i;

    if (p == MAP_FAILED)
        return FAILED;
    madvise((void *)p, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
    start = now();
    for (i = 0; i < pages; i++)
        p[i * PAGE_BYTES] = 1;
    start = now() - start;
    munmap((void *)p, pages * PAGE_BYTES);
    return start;
}

static uint64_t run_fault(uint64_t loops)
{
    uint64_t sum = 0;

    while (loops > 0) {
        uint64_t pages = loops < FAULT_PAGES ? loops : FAULT_PAGES;
        uint64_t taken = touch_fresh(pages);

        if (taken == FAILED)
            return FAILED;
        sum += taken;
        loops -= pages;
    }
    return sum;
}

static uint64_t run_mmap(uint64_t loops)
{
    uint64_t start = now();
    uint64_t i;

    for (i = 0; i < loops; i++) {
        void *p = map_private(MAP_BYTES);

        if (p == MAP_FAILED || munmap(p, MAP_BYTES))
            return FAILED;
    }
    return now() - start;
}

/* Makes a populated range read-only and writable again. */
static uint64_t run_mprotect(uint64_t loops)
{
    char *p = map_private(PROTECT_BYTES);
    uint64_t start, i;
    int error = 0;

    if (p == MAP_FAILED)
        return FAILED;
    madvise(p, PROTECT_BYTES, MADV_NOHUGEPAGE);
    memset(p, 1, PROTECT_BYTES);
    start = now();
    for (i = 0; i < loops && !error; i++) {
        error = mprotect(p, PROTECT_BYTES, PROT_READ);
        error |= mprotect(p, PROTECT_BYTES, PROT_READ | PROT_WRITE);
    }
    start = now() - start;
    munmap(p, PROTECT_BYTES);
    return error ? FAILED : start;
}

static int wait_for(pid_t child)
{
    int status;

    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    if (status != 0) {
        errno = ECHILD;
        return -1;
    }
    return 0;
}

static uint64_t run_fork(uint64_t loops)
{
    uint64_t start = now();
    uint64_t i;

    for (i = 0; i < loops; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(0);
        if (wait_for(child))
            return FAILED;
    }
    return now() - start;
}

static uint64_t run_exec(uint64_t loops)
{
    char *const arguments[] = {(char *)"/init", (char *)"exit", NULL};
    char *const environment[] = {NULL};
    uint64_t start = now();
    uint64_t i;

    for (i = 0; i < loops; i++) {
        pid_t child = fork();

        if (child == 0) {
            execve("/init", arguments, environment);
            _exit(1);
        }
        if (wait_for(child))
            return FAILED;
    }
    return now() - start;
}

static void *return_at_once(void *argument)
{
    return argument;
}

static uint64_t run_thread(uint64_t loops)
{
    uint64_t start = now();
    pthread_t thread;
    uint64_t i;

    for (i = 0; i < loops; i++) {
        errno = pthread_create(&thread, NULL, return_at_once, NULL);
        if (errno || pthread_join(thread, NULL))
            return FAILED;
    }
    return now() - start;
}

/* Sends a byte back for every byte that comes, until the pipe is closed. */
static void echo_bytes(int in, int out)
{
    char byte;

    while (read(in, &byte, 1) == 1)
        if (write(out, &byte, 1) != 1)
            break;
}

static uint64_t play_pipe(int out, int in, uint64_t loops)
{
    uint64_t start = now();
    uint64_t i;
    char byte = 1;

    for (i = 0; i < loops; i++)
        if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
            return FAILED;
    return now() - start;
}

/* A byte to another process and back, over two pipes. */
static uint64_t run_pipe(uint64_t loops)
{
    int there[2], back[2];
    uint64_t taken;
    pid_t child;

    if (pipe(there) || pipe(back))
        return FAILED;
    child = fork();
    if (child == 0) {
        close(there[1]);
        echo_bytes(there[0], back[1]);
        _exit(0);
    }
    taken = child < 0 ? FAILED : play_pipe(there[1], back[0], loops);
    close(there[1]);
    if (wait_for(child))
        taken = FAILED;
    close(there[0]);
    close(back[0]);
    close(back[1]);
    return taken;
}

struct table_tennis {
    uint32_t turn; /* 0: the first thread's, 1: the other's */
    uint64_t loops;
};

/* Waits for `mine`, then passes the turn on; each thread runs it once. */
static void play_futex(struct table_tennis *game, uint32_t mine)
{
    uint64_t i;

    for (i = 0; i < game->loops; i++) {
        while (__atomic_load_n(&game->turn, __ATOMIC_ACQUIRE) != mine)
            syscall(SYS_futex, &game->turn, FUTEX_WAIT_PRIVATE, !mine, NULL);
        __atomic_store_n(&game->turn, !mine, __ATOMIC_RELEASE);
        syscall(SYS_futex, &game->turn, FUTEX_WAKE_PRIVATE, 1);
    }
}

static void *play_second(void *game)
{
    play_futex(game, 1);
    return NULL;
}

/* The turn to another thread of this process and back. */
static uint64_t run_futex(uint64_t loops)
{
    struct table_tennis game = {.turn = 0, .loops = loops};
    pthread_t other;
    uint64_t start;

    errno = pthread_create(&other, NULL, play_second, &game);
    if (errno)
        return FAILED;
    start = now();
    play_futex(&game, 0);
    pthread_join(other, NULL);
    return now() - start;
}

static uint64_t run_file(uint64_t loops)
{
    uint64_t start = now();
    uint64_t i;

    for (i = 0; i < loops; i++) {
        int fd = open("/file", O_CREAT | O_EXCL | O_WRONLY, 0600);

        if (fd < 0 || close(fd) || unlink("/file"))
            return FAILED;
    }
    return now() - start;
}

static const struct metric metrics[] = {
    {"cpu", run_cpu},
    {"memcpy", run_memcpy},
    {"syscall", run_syscall},
    {"read", run_read},
    {"clock_gettime", run_clock},
    {"sigaction", run_sigaction},
    {"signal", run_signal},
    {"page_fault", run_fault},
    {"mmap", run_mmap},
    {"mprotect", run_mprotect},
    {"fork_exit", run_fork},
    {"fork_exec", run_exec},
    {"thread", run_thread},
    {"pipe", run_pipe},
    {"futex", run_futex},
    {"file", run_file},
};

static unsigned long setting(const char *name, unsigned long otherwise,
                             unsigned long most)
{
    const char *text = getenv(name);
    unsigned long value = text ? strtoul(text, NULL, 10) : 0;

    if (value == 0)
        return otherwise;
    return value < most ? value : most;
}

/* Finds a loop count whose run lasts about `target` ns; 0 after a failure. */
static uint64_t calibrate(const struct metric *m, uint64_t target)
{
    uint64_t loops = 1;
    unsigned round;

    for (round = 0; round < MAX_ROUNDS; round++) {
        uint64_t taken = m->run(loops);

        if (taken == FAILED)
            return 0;
        if (taken >= target / 2)
            break;
        if (taken < target / 20)
            loops *= 8;
        else
            loops = loops * target / taken + 1;
    }
    return loops;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static void measure(const struct metric *m, uint64_t target, unsigned samples)
{
    double ns[MAX_SAMPLES];
    uint64_t loops = calibrate(m, target);
    unsigned i;

    for (i = 0; i < samples && loops > 0; i++) {
        uint64_t taken = m->run(loops);

        if (taken == FAILED)
            loops = 0;
        else
            ns[i] = (double)taken / (double)loops;
    }
    if (loops == 0) {
        printf("BENCH-ERROR %s: %s\n", m->name, strerror(errno));
    } else {
        qsort(ns, samples, sizeof(ns[0]), compare_doubles);
        printf("BENCH %s %.2f\n", m->name, ns[samples / 2]);
    }
    fflush(stdout);
    tcdrain(1); /* no output left to disturb what follows */
}

static void print_boot_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    printf("BENCH start\nBENCH boot_clock %lld\n",
           (long long)t.tv_sec * 1000000000 + t.tv_nsec);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    unsigned long target, samples, i;

    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return 0;
    print_boot_clock();
    klogctl(8, NULL, 1); /* the kernel's messages off the console */
    mknod("/dev/zero", S_IFCHR | 0600, makedev(1, 5));
    zero_fd = open("/dev/zero", O_RDONLY);
    target = setting("BENCH_SAMPLE_MS", 50, 10000) * 1000000;
    samples = setting("BENCH_SAMPLES", 7, MAX_SAMPLES);
    for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        measure(&metrics[i], target, (unsigned)samples);
    printf("BENCH end\n");
    fflush(stdout);
    tcdrain(1);
    sleep(30); /* the harness may ask the hypervisor now */
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
