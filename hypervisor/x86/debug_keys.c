/* SPDX-License-Identifier: MIT */
/* The registry of debug keys; 'h' lists them. */
#include "x86/debug_keys.h"

#include "core/log.h"
#include "core/machine.h"

#define KEY_FIRST ' '
#define KEY_COUNT 95 /* printable ASCII */

struct debug_key {
    const char *help;
    void (*handler)(void);
};

static void show_help(void);

static struct debug_key keys[KEY_COUNT] = {
    ['h' - KEY_FIRST] = {"this list", show_help},
};

static struct debug_key *find(char key)
{
    unsigned index = (unsigned char)key - (unsigned)KEY_FIRST;

    return index < KEY_COUNT ? &keys[index] : NULL;
}

/*
 * Gives `key`, a printable character, an action; `help` is one line. A second
 * owner of a key is Mica's mistake.
 */
void debug_key_register(char key, const char *help, void (*handler)(void))
{
    struct debug_key *k = find(key);

    if (!k || k->handler)
        panic("Debug key '%c' cannot be registered", key);
    k->help = help;
    k->handler = handler;
}

static void show_help(void)
{
    log_info("Debug keys:");
    for (unsigned i = 0; i < KEY_COUNT; i++)
        if (keys[i].handler)
            log_info("  %c  %s", KEY_FIRST + (int)i, keys[i].help);
}

/* Runs the action of a key; other keys say how to get help. */
void debug_key_press(char key)
{
    struct debug_key *k = find(key);

    if (k && k->handler)
        k->handler();
    else if (k)
        log_info("No action for '%c'; press h for help", key);
}

void machine_press_key(char key)
{
    debug_key_press(key);
}
