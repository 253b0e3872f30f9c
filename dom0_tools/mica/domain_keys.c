/* SPDX-License-Identifier: MIT */
/* The table of settings (domain_config.h). */
#include "dom0_tools/mica/domain_config.h"

static const char *const actions[] = {
    "destroy",  "restart",          "rename-restart",
    "preserve", "coredump-destroy", "coredump-restart",
    NULL};
static const char *const types[] = {"pv", NULL};
static const char *const builders[] = {"generic", "linux", NULL};

#define AT(member) .offset = offsetof(struct domain_config, member)

static const struct domain_key keys[] = {
    {.name = "name",
     .kind = DOMAIN_KEY_STRING,
     AT(name),
     .value = "NAME",
     .help = "What the domain is called. Needed, and no other domain may "
             "have it. Letters, digits and ._+:@- but not digits alone."},
    {.name = "uuid",
     .kind = DOMAIN_KEY_STRING,
     AT(uuid_text),
     .value = "UUID",
     .help = "The domain's identity, which stays when it is restarted. "
             "Chosen at random when not given."},
    {.name = "type",
     .kind = DOMAIN_KEY_FIXED,
     .choices = types,
     .value = "\"pv\"",
     .help = "The kind of guest. There is only this one."},
    {.name = "builder",
     .kind = DOMAIN_KEY_FIXED,
     .choices = builders,
     .value = "\"generic\"",
     .help = "The older word for type; \"linux\" means the same."},
    {.name = "kernel",
     .kind = DOMAIN_KEY_STRING,
     AT(kernel),
     .value = "FILE",
     .help = "The kernel: a Linux bzImage or an ELF file with PV notes, "
             "packed by gzip, xz or zstd or not at all. Needed."},
    {.name = "ramdisk",
     .kind = DOMAIN_KEY_STRING,
     AT(ramdisk),
     .value = "FILE",
     .help = "The initial ramdisk."},
    {.name = "cmdline",
     .kind = DOMAIN_KEY_STRING,
     AT(cmdline),
     .value = "TEXT",
     .help = "The kernel's command line, at most 1023 bytes. root= and "
             "extra= are ignored beside it."},
    {.name = "root",
     .kind = DOMAIN_KEY_STRING,
     AT(root),
     .value = "DEVICE",
     .help = "Starts the command line with root=DEVICE."},
    {.name = "extra",
     .kind = DOMAIN_KEY_STRING,
     AT(extra),
     .value = "TEXT",
     .help = "The rest of the command line."},
    {.name = "memory",
     .kind = DOMAIN_KEY_NUMBER,
     AT(memory),
     .min = 1,
     .max = 1ull << 32,
     .initial = 128,
     .value = "MIB",
     .help = "Memory to start with."},
    {.name = "maxmem",
     .kind = DOMAIN_KEY_NUMBER,
     AT(maxmem),
     .max = 1ull << 32,
     .value = "MIB",
     .help = "Memory that the domain may grow to. The default is what it "
             "starts with."},
    {.name = "vcpus",
     .kind = DOMAIN_KEY_NUMBER,
     AT(vcpus),
     .min = 1,
     .max = DOMAIN_VCPUS_MAX,
     .initial = 1,
     .value = "N",
     .help = "Virtual CPUs that are online when the guest starts."},
    {.name = "maxvcpus",
     .kind = DOMAIN_KEY_NUMBER,
     AT(maxvcpus),
     .max = DOMAIN_VCPUS_MAX,
     .value = "N",
     .help = "Virtual CPUs that it may bring online. The default is vcpus."},
    {.name = "cpus",
     .kind = DOMAIN_KEY_STRINGS,
     AT(cpus),
     .value = "CPUS",
     .help = "The CPUs that the domain may run on: \"all\", \"0-3,^2\", or a "
             "list with one such text for each virtual CPU."},
    {.name = "cpus_soft",
     .kind = DOMAIN_KEY_STRINGS,
     AT(cpus_soft),
     .value = "CPUS",
     .help = "The CPUs it should run on when they are free, as in cpus. It "
             "runs on others of its cpus rather than wait."},
    {.name = "cpu_weight",
     .kind = DOMAIN_KEY_NUMBER,
     AT(cpu_weight),
     .min = 1,
     .max = 65535,
     .initial = 256,
     .value = "N",
     .help = "The domain's share of CPU time beside other domains."},
    {.name = "cap",
     .kind = DOMAIN_KEY_NUMBER,
     AT(cap),
     .max = 100ull * DOMAIN_VCPUS_MAX,
     .value = "PERCENT",
     .help = "The most CPU time that all its virtual CPUs get together, in "
             "percent of one CPU: 50 is half of one, 150 needs two virtual "
             "CPUs. 0 is no limit."},
    {.name = "on_poweroff",
     .kind = DOMAIN_KEY_CHOICE,
     AT(on_poweroff),
     .choices = actions,
     .value = "ACTION",
     .help = "What to do when the guest has shut itself down."},
    {.name = "on_reboot",
     .kind = DOMAIN_KEY_CHOICE,
     AT(on_reboot),
     .choices = actions,
     .initial = DOMAIN_ACTION_RESTART,
     .value = "ACTION",
     .help = "What to do when the guest wants to start anew."},
    {.name = "on_crash",
     .kind = DOMAIN_KEY_CHOICE,
     AT(on_crash),
     .choices = actions,
     .value = "ACTION",
     .help = "What to do when the guest has crashed."},
    {.name = "on_watchdog",
     .kind = DOMAIN_KEY_CHOICE,
     AT(on_watchdog),
     .choices = actions,
     .value = "ACTION",
     .help = "What to do when a watchdog of the guest has run out."},
    {.name = "max_grant_frames",
     .kind = DOMAIN_KEY_NUMBER,
     AT(max_grant_frames),
     .max = 1024,
     .value = "N",
     .help = "How large its grant table may grow, in pages. 0 is the "
             "hypervisor's default."},
    {.name = "max_maptrack_frames",
     .kind = DOMAIN_KEY_NUMBER,
     AT(max_maptrack_frames),
     .max = 4096,
     .value = "N",
     .help = "How many pages may record other domains' pages that it maps. "
             "0 is the hypervisor's default."},
    {.name = "max_event_channels",
     .kind = DOMAIN_KEY_NUMBER,
     AT(max_event_channels),
     .max = 4096,
     .value = "N",
     .help = "How many event channels it may have. 0 is the hypervisor's "
             "default."},
    {.name = "disk",
     .kind = DOMAIN_KEY_STRINGS,
     AT(disk),
     .value = "LIST",
     .help = "Its disks, each a text like \"format=raw, vdev=xvda, "
             "access=rw, target=/srv/web.img\". Kept for the block back end."},
    {.name = "vif",
     .kind = DOMAIN_KEY_STRINGS,
     AT(vif),
     .value = "LIST",
     .help = "Its network interfaces, each a text like "
             "\"mac=00:16:3e:00:00:01, bridge=br0\". Kept for the network "
             "back end."},
    {0},
};

/* See domain_config.h. */
const struct domain_key *domain_keys(void)
{
    return keys;
}

/* See domain_config.h. */
const char *domain_action_name(uint64_t action)
{
    return actions[action];
}
