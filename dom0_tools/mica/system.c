/* SPDX-License-Identifier: MIT */
/* Verbs about the hypervisor itself: dmesg, debug-keys. */
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/verb.h"

enum { CHUNK = 16384 };

static int copy_log(struct control *control, FILE *out, struct error *e)
{
    uint32_t position = 0;
    char text[CHUNK];
    long size;

    while ((size = control_read_log(control, &position, text, sizeof(text),
                                    e)) > 0)
        fwrite(text, 1, (size_t)size, out);
    return size < 0 ? -1 : 0;
}

/* The log as a list of lines. */
static int report_log(struct call *call, struct error *e)
{
    json_t *lines = json_array();
    char *text = NULL, *rest, *line;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int result = out ? copy_log(call->control, out, e)
                     : error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");

    if (out)
        fclose(out);
    for (rest = text; !result && (line = strsep(&rest, "\n"));)
        if (*line || rest)
            json_array_append_new(lines, json_string(line));
    free(text);
    if (!result)
        return call_report(call, lines, e);
    json_decref(lines);
    return -1;
}

static int run_dmesg(struct call *call, struct error *e)
{
    struct control *control = call_control(call, e);

    if (!control ||
        (call->json ? report_log(call, e) : copy_log(control, call->out, e)))
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
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
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
