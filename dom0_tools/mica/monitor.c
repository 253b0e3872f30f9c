/* SPDX-License-Identifier: MIT */
/*
 * The monitor: waits for domains to end, and runs one child for each that
 * has. The children do the work (ended.c), so that a slow one holds up
 * nothing; this process keeps nothing that the store does not know.
 */
#include "dom0_tools/mica/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dom0_tools/mica/domain.h"
#include "dom0_tools/mica/domain_store.h"
#include "dom0_tools/mica/ended.h"

#define SELF "/proc/self/exe"
#define LOG "/var/log/monitord.log"

enum {
    CHILDREN_MAX = 8,
    TICK_MS = 60000, /* looks again, in case an event was missed */
    RETRY_MS = 1000,
};

struct child {
    pid_t pid; /* 0: none */
    domid_t domain;
};

struct monitor {
    struct call *call;
    int signals;
    struct child children[CHILDREN_MAX];
    bool is_ending;
    bool is_due; /* the domains are to be looked through */
};

static void make_dirs(void)
{
    mkdir("/run/mica", 0755);
    mkdir("/var/log/mica", 0755);
}

/* The lock that a running monitor holds; -1 if there is one. */
static int lock(struct error *e)
{
    int fd;

    make_dirs();
    fd = open(MONITOR_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(e, errno, "can't open %s", MONITOR_LOCK);
    if (!flock(fd, LOCK_EX | LOCK_NB))
        return fd;
    close(fd);
    error_set(e, EXIT_STATUS_BUSY, "a monitor is running already");
    return error_hint(e, "one is enough for all domains");
}

static struct child *find_child(struct monitor *m, pid_t pid)
{
    unsigned i;

    for (i = 0; i < CHILDREN_MAX; i++)
        if (m->children[i].pid == pid)
            return &m->children[i];
    return NULL;
}

static bool has_child(const struct monitor *m, domid_t domain)
{
    unsigned i;

    for (i = 0; i < CHILDREN_MAX; i++)
        if (m->children[i].pid && m->children[i].domain == domain)
            return true;
    return false;
}

static void spawn(struct child *child, domid_t domain)
{
    char word[16];
    char name[] = "mica", verb[] = "ended";
    char *argv[] = {name, verb, word, NULL};
    sigset_t none;
    pid_t pid;

    snprintf(word, sizeof(word), "%u", domain);
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return; /* the next tick tries again */
    if (!pid) {
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execv(SELF, argv);
        _exit(EXIT_STATUS_FAILED);
    }
    child->pid = pid;
    child->domain = domain;
}

static int compare_id(const void *id, const void *info)
{
    return (int)*(const domid_t *)id -
           (int)((const struct control_domain *)info)->domain;
}

/*
 * Whether it is worth asking the store about a domain: not while the
 * hypervisor, whose list is in order of numbers, says that it is alive.
 */
static bool may_have_ended(const struct control_domain *infos, unsigned count,
                           domid_t id)
{
    const struct control_domain *info =
        bsearch(&id, infos, count, sizeof(*infos), compare_id);

    return !info || info->flags & CONTROL_DOMAIN_SHUTDOWN;
}

/* Starts a child for each domain that needs one, as far as there is room. */
static void start_children(struct monitor *m, const domid_t *list,
                           unsigned count, const struct control_domain *infos,
                           unsigned info_count)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        struct child *child = find_child(m, 0);

        if (!child)
            break;
        if (may_have_ended(infos, info_count, list[i]) &&
            !has_child(m, list[i]) && ended_needs_work(m->call, list[i]))
            spawn(child, list[i]);
    }
}

/* The store is asked first: what it has is in the hypervisor, or gone. */
static void look_through(struct monitor *m)
{
    unsigned count, info_count;
    domid_t *list = domain_store_list(m->call, &count, NULL);
    struct control_domain *infos =
        list ? domain_list_infos(m->call, &info_count, NULL) : NULL;

    m->is_due = false;
    if (infos)
        start_children(m, list, count, infos, info_count);
    free(infos);
    free(list);
}

/* A child that failed is not followed by another before the next event. */
static void reap(struct monitor *m)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *child = find_child(m, pid);

        if (!child)
            continue;
        child->pid = 0;
        if (WIFEXITED(status) && !WEXITSTATUS(status))
            m->is_due = true;
    }
}

static void take_signals(struct monitor *m)
{
    struct signalfd_siginfo info;

    while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(m);
        else
            m->is_ending = true;
    }
}

static void take_events(struct monitor *m)
{
    struct store_event event;

    while (store_next_event(m->call->store, 0, &event, NULL) > 0) {
        store_event_free(&event);
        m->is_due = true;
    }
}

static void wait_for_something(struct monitor *m)
{
    struct pollfd fds[] = {{.fd = store_fd(m->call->store), .events = POLLIN},
                           {.fd = m->signals, .events = POLLIN}};
    int ready = poll(fds, 2, TICK_MS);

    if (!ready)
        m->is_due = true;
    if (ready > 0 && (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL)))
        poll(NULL, 0, RETRY_MS); /* the store's daemon is being restarted */
}

static int watch_domains(struct monitor *m, struct error *e)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    m->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (m->signals < 0)
        return error_set_errno(e, errno, "can't wait for signals");
    return store_watch(m->call->store, "@releaseDomain", "monitor", e);
}

static int run_monitord(struct call *call, struct error *e)
{
    struct monitor m = {.call = call, .is_due = true};
    int held = lock(e);

    if (held < 0)
        return -1;
    prctl(PR_SET_NAME, "monitord"); /* started as /proc/self/exe */
    if (!call_control(call, e) || !call_store(call, e) ||
        watch_domains(&m, e)) {
        close(held);
        return -1;
    }
    while (!m.is_ending) {
        if (m.is_due)
            look_through(&m);
        if (!store_has_event(call->store))
            wait_for_something(&m);
        take_events(&m);
        take_signals(&m);
    }
    close(m.signals);
    close(held);
    return 0;
}

static int run_ended(struct call *call, struct error *e)
{
    domid_t id;

    if (!domain_parse_id(call->operands[0], &id))
        return error_set(e, EXIT_STATUS_USAGE, "ended: no number of a domain");
    return ended_handle(call, id, e);
}

/* Becomes the monitor, in a session of its own, with a log for a terminal. */
static void become_monitor(void)
{
    char name[] = "mica", verb[] = "monitord";
    char *argv[] = {name, verb, NULL};
    int log = open(LOG, O_WRONLY | O_CREAT | O_APPEND, 0640);
    int null = open("/dev/null", O_RDONLY);

    setsid();
    if (log < 0)
        log = open("/dev/null", O_WRONLY);
    if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 ||
        chdir("/"))
        _exit(EXIT_STATUS_FAILED);
    closefrom(STDERR_FILENO + 1);
    execv(SELF, argv);
    _exit(EXIT_STATUS_FAILED);
}

/* See monitor.h. */
void monitor_ensure(struct call *call)
{
    struct error why;
    int held = lock(&why);
    pid_t pid;

    if (held < 0) {
        if (why.status != EXIT_STATUS_BUSY)
            error_print(&why, call->program, stderr);
        return;
    }
    close(held);
    fflush(NULL);
    pid = fork();
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (pid)
        return;
    if (!fork())
        become_monitor();
    _exit(EXIT_STATUS_OK);
}

static const struct verb verbs[] = {
    {.name = "monitord",
     .synopsis = "",
     .help = "do what configurations say about domains that have ended",
     .details =
         "The monitor runs until it is ended by SIGTERM; create starts it "
         "where it does not run. It keeps no state of its own: killed and "
         "started again, it goes on where it was. What it does is written to "
         "its standard output, which is " LOG " when create started it.",
     .flags = VERB_NEEDS_ROOT,
     .run = run_monitord},
    {.name = "ended",
     .synopsis = "NUMBER",
     .help = "deal with one domain that has ended",
     .flags = VERB_NEEDS_ROOT | VERB_IS_INTERNAL,
     .min_operands = 1,
     .max_operands = 1,
     .run = run_ended},
    {0},
};

/* See verb.h. */
const struct verb *monitor_verbs(void)
{
    return verbs;
}
