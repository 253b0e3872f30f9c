/* SPDX-License-Identifier: MIT */
/* Verbs about the hypervisor itself: dmesg, debug-keys. */
#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/verb.h"

enum { CHUNK = 16384 };

static int run_dmesg(struct call *call, struct error *e)
{
    struct control *control = call_control(call, e);
    uint32_t position = 0;
    char text[CHUNK];
    long size;

    if (!control)
        return -1;
    while ((size = control_read_log(control, &position, text, sizeof(text),
                                    e)) > 0)
        fwrite(text, 1, (size_t)size, call->out);
    if (size < 0)
        return -1;
    return call_has(call, "clear") ? control_clear_log(control, e) : 0;
}

static int run_debug_keys(struct call *call, struct error *e)
{
    struct control *control = call_control(call, e);

    return control ? control_debug_keys(control, call->operands[0], e) : -1;
}

static const struct verb_option dmesg_options[] = {
    {'c', "clear", NULL, "empty the log after showing it"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "dmesg",
     .synopsis = "",
     .help = "show the hypervisor's log",
     .options = dmesg_options,
     .flags = VERB_NEEDS_ROOT,
     .run = run_dmesg},
    {.name = "debug-keys",
     .synopsis = "KEYS",
     .help = "press debug keys of the hypervisor",
     .details = "Its answer is in the log: see dmesg. The key h lists all.",
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 1,
     .max_operands = 1,
     .run = run_debug_keys},
    {0},
};

/* See verb.h. */
const struct verb *system_verbs(void)
{
    return verbs;
}
