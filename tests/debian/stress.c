/* SPDX-License-Identifier: MIT */
/*
 * stress SECONDS: load on what a kernel asks of its hypervisor, and a check of
 * every result. One process a kind of load, all at the same time, so that they
 * disturb each other; each writes one line at its end, and the exit status is
 * 0 only if all of them were right.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define VSYSCALL_GETTIMEOFDAY 0xffffffffff600000ul
#define TRAP_FLAG 0x100ul

static const char *worker_name;
static uint64_t random_state;

static _Noreturn void __attribute__((format(printf, 1, 2)))
fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    printf("STRESS %s: wrong: ", worker_name);
    vprintf(fmt, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
    _exit(1);
}

#define CHECK(claim)                                                           \
    do {                                                                       \
        if (!(claim))                                                          \
            fail("line %d: %s, errno %d", __LINE__, #claim, errno);            \
    } while (0)

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void wait_for_success(pid_t child)
{
    int status;

    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --- processes and memory ------------------------------------------------ */

/* A child sees the parent's memory as it was, and its own writes stay there. */
static void do_fork(void)
{
    static volatile uint64_t words[64 * PAGE / sizeof(uint64_t)];
    uint64_t mark = next_random();
    pid_t child;

    for (size_t i = 0; i < ARRAY_LEN(words); i += PAGE / sizeof(uint64_t))
        words[i] = mark + i;
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        for (size_t i = 0; i < ARRAY_LEN(words); i += PAGE / sizeof(uint64_t)) {
            CHECK(words[i] == mark + i);
            words[i] = ~mark;
        }
        _exit(0);
    }
    wait_for_success(child);
    for (size_t i = 0; i < ARRAY_LEN(words); i += PAGE / sizeof(uint64_t))
        CHECK(words[i] == mark + i);
}

static void run_program(const char *path, const char *argument)
{
    pid_t child = vfork();

    CHECK(child >= 0);
    if (!child) {
        execl(path, path, argument, (char *)NULL);
        _exit(127);
    }
    wait_for_success(child);
}

static void do_exec(void)
{
    run_program("/bin/true", NULL);
}

static void do_calls32(void)
{
    run_program("/bin/calls32", NULL);
}

static void check_pages(const char *pages, size_t count, uint64_t mark)
{
    for (size_t i = 0; i < count; i++)
        CHECK(*(const uint64_t *)(pages + i * PAGE) == mark + i);
}

/* Mappings grow, move, change their rights and lose pages in the middle. */
static void do_mmap(void)
{
    size_t count = 16 + next_random() % 512;
    uint64_t mark = next_random();
    char *pages = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char presence;

    CHECK(pages != MAP_FAILED);
    for (size_t i = 0; i < count; i++)
        *(uint64_t *)(pages + i * PAGE) = mark + i;
    CHECK(!mprotect(pages, count * PAGE, PROT_READ));
    check_pages(pages, count, mark);
    CHECK(!mprotect(pages, count * PAGE, PROT_NONE));
    CHECK(!mprotect(pages, count * PAGE, PROT_READ | PROT_WRITE));
    pages = mremap(pages, count * PAGE, 2 * count * PAGE, MREMAP_MAYMOVE);
    CHECK(pages != MAP_FAILED);
    check_pages(pages, count, mark);
    CHECK(*(uint64_t *)(pages + count * PAGE) == 0);
    CHECK(!munmap(pages + 8 * PAGE, PAGE));
    CHECK(mincore(pages + 8 * PAGE, PAGE, &presence) == -1 && errno == ENOMEM);
    CHECK(!madvise(pages, PAGE, MADV_DONTNEED));
    CHECK(*(uint64_t *)pages == 0);
    CHECK(!munmap(pages, 2 * count * PAGE));
}

/* --- signals ------------------------------------------------------------- */

static volatile sig_atomic_t alarms;
static char *volatile guarded;
static volatile sig_atomic_t faults;

static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if ((char *)info->si_addr != guarded)
        fail("fault at %p instead of %p", info->si_addr, (void *)guarded);
    faults++;
    CHECK(!mprotect(guarded, PAGE, PROT_READ | PROT_WRITE));
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};

    CHECK(!sigaction(number, &action, NULL));
}

/* Faults are told with the right address while a timer interrupts. */
static void do_signals(void)
{
    static char stack[16 * PAGE];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    int before = faults;

    CHECK(!sigaltstack(&alternative, NULL));
    handle(SIGSEGV, on_fault);
    signal(SIGALRM, on_alarm);
    guarded = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(guarded != MAP_FAILED);
    CHECK(!setitimer(ITIMER_REAL, &timer, NULL));
    for (int i = 0; i < 1000; i++) {
        CHECK(!mprotect(guarded, PAGE, PROT_NONE));
        *(volatile char *)guarded = (char)i;
        CHECK(*(volatile char *)guarded == (char)i);
    }
    CHECK(faults == before + 1000);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    CHECK(!setitimer(ITIMER_REAL, &timer, NULL));
    CHECK(!munmap(guarded, PAGE));
}

/* --- registers ----------------------------------------------------------- */

static int has_avx(void)
{
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return 0;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & 6) == 6;
}

struct vectors {
    uint64_t words[8][4];
};

static void __attribute__((target("avx")))
keep_avx(const struct vectors *in, struct vectors *out)
{
    __asm__ volatile("vmovdqu (%0), %%ymm0\n\tvmovdqu 32(%0), %%ymm1\n\t"
                     "vmovdqu 64(%0), %%ymm2\n\tvmovdqu 96(%0), %%ymm3\n\t"
                     "vmovdqu 128(%0), %%ymm12\n\tvmovdqu 160(%0), %%ymm13\n\t"
                     "vmovdqu 192(%0), %%ymm14\n\tvmovdqu 224(%0), %%ymm15\n\t"
                     "mov $200000, %%ecx\n\t"
                     "1: dec %%ecx\n\tjnz 1b\n\t"
                     "mov $24, %%eax\n\tsyscall\n\t" /* sched_yield */
                     "vmovdqu %%ymm0, (%1)\n\tvmovdqu %%ymm1, 32(%1)\n\t"
                     "vmovdqu %%ymm2, 64(%1)\n\tvmovdqu %%ymm3, 96(%1)\n\t"
                     "vmovdqu %%ymm12, 128(%1)\n\tvmovdqu %%ymm13, 160(%1)\n\t"
                     "vmovdqu %%ymm14, 192(%1)\n\tvmovdqu %%ymm15, 224(%1)"
                     :
                     : "r"(in), "r"(out)
                     : "rax", "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2",
                       "xmm3", "xmm12", "xmm13", "xmm14", "xmm15");
}

static void keep_sse(const struct vectors *in, struct vectors *out)
{
    *out = *in;
    __asm__ volatile("movdqu (%0), %%xmm0\n\tmovdqu 32(%0), %%xmm7\n\t"
                     "movdqu 64(%0), %%xmm15\n\t"
                     "mov $200000, %%ecx\n\t"
                     "1: dec %%ecx\n\tjnz 1b\n\t"
                     "mov $24, %%eax\n\tsyscall\n\t"
                     "movdqu %%xmm0, (%1)\n\tmovdqu %%xmm7, 32(%1)\n\t"
                     "movdqu %%xmm15, 64(%1)"
                     :
                     : "r"(in), "r"(out)
                     : "rax", "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15");
}

/* Vector registers, the x87 stack and both control words stay one's own. */
static void do_fpu(void)
{
    uint16_t control = next_random() & 1 ? 0x37f : 0xf7f, control_after;
    uint32_t mode = next_random() & 1 ? 0x1f80 : 0x7f80, mode_after;
    struct vectors in, out = {{{0}}};
    uint64_t number = next_random() >> 2, number_after;

    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++)
            in.words[i][j] = next_random();
    __asm__ volatile("fninit\n\tfldcw %0\n\tldmxcsr %1\n\tfildll %2"
                     :
                     : "m"(control), "m"(mode), "m"(number));
    if (has_avx())
        keep_avx(&in, &out);
    else
        keep_sse(&in, &out);
    __asm__ volatile("fistpll %2\n\tfnstcw %0\n\tstmxcsr %1"
                     : "=m"(control_after), "=m"(mode_after),
                       "=m"(number_after));
    CHECK(!memcmp(&in, &out, sizeof(in)));
    CHECK(control == control_after && number == number_after);
    CHECK((mode & ~0x3fu) == (mode_after & ~0x3fu));
}

static uint64_t read_gs(void)
{
    uint64_t value;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

/* GS by its base, and by a descriptor of the process's own table. */
static void do_segments(void)
{
    static uint64_t *cell;
    struct user_desc descriptor = {
        .entry_number = 1,
        .limit = 0xfffff,
        .seg_32bit = 1,
        .limit_in_pages = 1,
        .useable = 1,
    };

    if (!cell)
        cell = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(cell != MAP_FAILED);
    *cell = next_random();
    CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, cell));
    for (int i = 0; i < 100; i++) {
        sched_yield();
        CHECK(read_gs() == *cell);
    }
    descriptor.base_addr = (unsigned)(uintptr_t)cell;
    CHECK(!syscall(SYS_modify_ldt, 1, &descriptor, sizeof(descriptor)));
    __asm__ volatile("mov %0, %%gs" : : "r"(1 << 3 | 7));
    for (int i = 0; i < 100; i++) {
        sched_yield();
        CHECK(read_gs() == *cell);
    }
    __asm__ volatile("mov %0, %%gs" : : "r"(0));
}

/* --- tracing ------------------------------------------------------------- */

static volatile uint64_t watched;

static void be_traced(void)
{
    CHECK(!ptrace(PTRACE_TRACEME, 0, 0, 0));
    raise(SIGSTOP);
    for (int i = 0; i < 20; i++) {
        watched = (uint64_t)i;
        for (volatile int j = 0; j < 20; j++)
            continue;
    }
    _exit(0);
}

static void wait_for_stop(pid_t child, int signal_number)
{
    int status;

    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != signal_number)
        fail("status %#x instead of a stop by signal %d", status,
             signal_number);
}

/* Some hundred single steps, each of which moves on. */
static void step(pid_t child)
{
    struct user_regs_struct registers;
    unsigned long last = 0;

    for (int i = 0; i < 200; i++) {
        CHECK(!ptrace(PTRACE_SINGLESTEP, child, 0, 0));
        wait_for_stop(child, SIGTRAP);
        CHECK(!ptrace(PTRACE_GETREGS, child, 0, &registers));
        CHECK(registers.rip != last);
        CHECK(!(registers.eflags & TRAP_FLAG));
        last = registers.rip;
    }
}

/* A debug register reports each of the writes that are still to come. */
static unsigned count_writes(pid_t child)
{
    unsigned writes = 0;
    int status;

    CHECK(!ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[0]),
                  &watched));
    CHECK(!ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]),
                  0x90001ul)); /* slot 0, 8 bytes, writes */
    for (;;) {
        CHECK(!ptrace(PTRACE_CONT, child, 0, 0));
        CHECK(waitpid(child, &status, 0) == child);
        if (!WIFSTOPPED(status))
            break;
        CHECK(WSTOPSIG(status) == SIGTRAP);
        writes++;
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return writes;
}

static void do_ptrace(void)
{
    pid_t child = fork();

    CHECK(child >= 0);
    if (!child)
        be_traced();
    wait_for_stop(child, SIGSTOP);
    if (next_random() & 1) {
        CHECK(count_writes(child) == 20);
        return;
    }
    step(child);
    CHECK(!ptrace(PTRACE_CONT, child, 0, 0));
    wait_for_success(child);
}

/* --- time and threads ---------------------------------------------------- */

/* The old page for the time says what the system call says. */
static void do_vsyscall(void)
{
    int (*get)(struct timeval *, void *) =
        (int (*)(struct timeval *, void *))VSYSCALL_GETTIMEOFDAY;

    for (int i = 0; i < 1000; i++) {
        struct timeval before, old, after;

        CHECK(!syscall(SYS_gettimeofday, &before, NULL));
        CHECK(!get(&old, NULL));
        CHECK(!syscall(SYS_gettimeofday, &after, NULL));
        CHECK(!timercmp(&old, &before, <) && !timercmp(&old, &after, >));
    }
}

/* Time never goes back, and sleeping takes at least as long as asked for. */
static void do_time(void)
{
    struct timespec last, now, nap = {0, 2000000};
    int64_t slept;

    clock_gettime(CLOCK_MONOTONIC, &last);
    CHECK(!nanosleep(&nap, NULL));
    clock_gettime(CLOCK_MONOTONIC, &now);
    slept =
        (now.tv_sec - last.tv_sec) * 1000000000l + now.tv_nsec - last.tv_nsec;
    CHECK(slept >= nap.tv_nsec);
    for (int i = 0; i < 1000; i++) {
        last = now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        CHECK(now.tv_sec > last.tv_sec ||
              (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec));
    }
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t counted;
static __thread uint64_t own;

static void *count(void *argument)
{
    own = (uint64_t)(uintptr_t)argument;
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&lock);
        counted++;
        if (i % 50 == 0)
            sched_yield();
        pthread_mutex_unlock(&lock);
        CHECK(own == (uint64_t)(uintptr_t)argument);
    }
    return NULL;
}

static void do_threads(void)
{
    pthread_t threads[4];

    counted = 0;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK(!pthread_create(&threads[i], NULL, count, (void *)(i + 1)));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK(counted == 500 * ARRAY_LEN(threads));
}

static void echo(int in, int out)
{
    uint64_t word;

    while (read(in, &word, sizeof(word)) == sizeof(word)) {
        word = ~word;
        CHECK(write(out, &word, sizeof(word)) == sizeof(word));
    }
    _exit(0);
}

static void do_pipes(void)
{
    int there[2], back[2];
    uint64_t word, answer;
    pid_t child;

    CHECK(!pipe(there) && !pipe(back));
    child = fork();
    CHECK(child >= 0);
    if (!child) {
        close(there[1]);
        echo(there[0], back[1]);
    }
    for (int i = 0; i < 1000; i++) {
        word = next_random();
        CHECK(write(there[1], &word, sizeof(word)) == sizeof(word));
        CHECK(read(back[0], &answer, sizeof(answer)) == sizeof(answer));
        CHECK(answer == ~word);
    }
    close(there[0]);
    close(there[1]);
    close(back[0]);
    close(back[1]);
    wait_for_success(child);
}

/* --- all together -------------------------------------------------------- */

static const struct worker {
    const char *name;
    void (*round)(void);
} workers[] = {
    {"fork", do_fork},         {"exec", do_exec},
    {"calls32", do_calls32},   {"mmap", do_mmap},
    {"mmap again", do_mmap},   {"signals", do_signals},
    {"fpu", do_fpu},           {"fpu again", do_fpu},
    {"segments", do_segments}, {"ptrace", do_ptrace},
    {"vsyscall", do_vsyscall}, {"time", do_time},
    {"threads", do_threads},   {"pipes", do_pipes},
};

static _Noreturn void work(const struct worker *w, time_t end)
{
    unsigned long rounds = 0;

    worker_name = w->name;
    random_state = 0x9e3779b97f4a7c15ul * ((uint64_t)(w - workers) + 1);
    while (time(NULL) < end) {
        w->round();
        rounds++;
    }
    printf("STRESS %s: %lu rounds\n", w->name, rounds);
    fflush(stdout);
    _exit(rounds == 0);
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
    int failed = 0, status;

    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        pid_t child = fork();

        if (child < 0) {
            perror("stress: fork");
            return 1;
        }
        if (!child)
            work(&workers[i], end);
    }
    while (wait(&status) > 0)
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    printf("STRESS ended, %d failed\n", failed);
    return failed != 0;
}
