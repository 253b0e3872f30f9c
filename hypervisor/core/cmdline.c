/* SPDX-License-Identifier: MIT */
/*
 * The parser of the command line: words, names and the simple kinds of value
 * first, then the values with a grammar of their own. Every parser works on a
 * terminated copy of one word and moves a pointer along it; a value is stored
 * only when all of it made sense.
 */
#include "core/cmdline.h"

static int fail(const char **why, const char *reason)
{
    *why = reason;
    return -EINVAL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = to_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Move past a number, decimal or after 0x; false if none or too large. */
static bool take_number(const char **at, uint64_t *number)
{
    const char *p = *at;
    uint64_t base = 10;
    uint64_t value = 0;
    const char *first;

    if (p[0] == '0' && to_lower(p[1]) == 'x') {
        base = 16;
        p += 2;
    }
    for (first = p; (uint64_t)digit_value(*p) < base; p++) {
        if (mul_overflows(value, base, &value) ||
            add_overflows(value, (uint64_t)digit_value(*p), &value))
            return false;
    }
    if (p == first)
        return false;
    *number = value;
    *at = p;
    return true;
}

/* Move past a size in bytes; a number alone counts kilobytes, as in Xen. */
static bool take_size(const char **at, uint64_t *bytes)
{
    static const char suffixes[] = "bkmgt";
    const char *suffix;
    unsigned int shift = 10;
    uint64_t number;

    if (!take_number(at, &number))
        return false;
    suffix = **at ? strchr(suffixes, to_lower(**at)) : NULL;
    if (suffix) {
        shift = 10 * (unsigned int)(suffix - suffixes);
        (*at)++;
    }
    return !mul_overflows(number, 1ull << shift, bytes);
}

/* Move past `text` if it stands at *at. */
static bool take_text(const char **at, const char *text)
{
    size_t length = strlen(text);

    if (strncmp(*at, text, length))
        return false;
    *at += length;
    return true;
}

static bool is_same_name(const char *a, const char *b)
{
    for (; *a || *b; a++, b++) {
        char x = *a == '_' ? '-' : *a;
        char y = *b == '_' ? '-' : *b;

        if (x != y)
            return false;
    }
    return true;
}

static bool is_one_of(const char *value, const char *const *list)
{
    for (; *list; list++) {
        if (!strcmp(value, *list))
            return true;
    }
    return false;
}

static int set_bool(const struct cmdline_option *option, const char *value,
                    const char **why)
{
    static const char *const yes[] = {"",    "1",      "on", "true",
                                      "yes", "enable", NULL};
    static const char *const no[] = {"0",  "off",     "false",
                                     "no", "disable", NULL};
    bool *target = option->target;

    if (!is_one_of(value, yes) && !is_one_of(value, no))
        return fail(why, "the value is neither yes nor no");
    *target = is_one_of(value, yes);
    return 0;
}

static int set_number(const struct cmdline_option *option, const char *value,
                      const char **why)
{
    uint64_t *target = option->target;
    uint64_t number;
    bool is_good = option->kind == CMDLINE_SIZE ? take_size(&value, &number)
                                                : take_number(&value, &number);

    if (!is_good || *value)
        return fail(why, option->kind == CMDLINE_SIZE
                             ? "the value is no size (like 512M)"
                             : "the value is no number");
    if (number < option->min || (option->max && number > option->max))
        return fail(why, "the value is out of range");
    *target = number;
    return 0;
}

static int set_string(const struct cmdline_option *option, const char *value,
                      const char **why)
{
    size_t length = strlen(value);

    if (length >= option->capacity)
        return fail(why, "the value is too long");
    memcpy(option->target, value, length + 1);
    return 0;
}

static int set_choice(const struct cmdline_option *option, const char *value,
                      const char **why)
{
    unsigned int *target = option->target;
    unsigned int i, found = 0, matches = 0;

    for (i = 0; option->choices[i]; i++) {
        if (strncmp(option->choices[i], value, strlen(value)))
            continue;
        found = i;
        matches++;
        if (!strcmp(option->choices[i], value)) {
            matches = 1;
            break;
        }
    }
    if (!*value || matches == 0)
        return fail(why, "the value is none of those it can have");
    if (matches > 1)
        return fail(why, "the value is short for more than one");
    *target = found;
    return 0;
}

static int set_option(const struct cmdline_option *option, const char *value,
                      const char **why)
{
    switch (option->kind) {
    case CMDLINE_BOOL:
        return set_bool(option, value, why);
    case CMDLINE_NUMBER:
    case CMDLINE_SIZE:
        return set_number(option, value, why);
    case CMDLINE_STRING:
        return set_string(option, value, why);
    case CMDLINE_CHOICE:
        return set_choice(option, value, why);
    case CMDLINE_CUSTOM:
        return option->parse(option->target, value, why);
    }
    return fail(why, "the option is of no known kind");
}

static const struct cmdline_option *find_option(
    const struct cmdline_option *options, size_t count, const char *name)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (is_same_name(options[i].name, name))
            return &options[i];
    }
    return NULL;
}

/* Act on one word, whose `=` is replaced by an end while it is looked at. */
static int parse_word(char *word, const struct cmdline_option *options,
                      size_t count, const char **why)
{
    char *equals = strchr(word, '=');
    const struct cmdline_option *option;
    int error;

    if (equals)
        *equals = '\0';
    option = find_option(options, count, word);
    if (option) {
        error = set_option(option, equals ? equals + 1 : "", why);
    } else {
        option = strncmp(word, "no-", 3)
                     ? NULL
                     : find_option(options, count, word + 3);
        if (!option)
            error = fail(why, "there is no such option");
        else if (option->kind != CMDLINE_BOOL || equals)
            error = fail(why, "\"no-\" goes with a yes-or-no option alone");
        else
            error = set_bool(option, "no", why);
    }
    if (equals)
        *equals = '=';
    return error;
}

/*
 * Copy the next word into `word`, without its quotes, and move past it.
 * Returns its full length, of which what fits was copied.
 */
static size_t take_word(const char **at, char word[CMDLINE_WORD_MAX])
{
    const char *p = *at;
    size_t length = 0;
    char quote = 0;

    for (; *p && (quote || !is_blank(*p)); p++) {
        if (quote ? *p == quote : *p == '"' || *p == '\'') {
            quote = quote ? 0 : *p;
            continue;
        }
        if (length < CMDLINE_WORD_MAX - 1)
            word[length] = *p;
        length++;
    }
    word[min_u64(length, CMDLINE_WORD_MAX - 1)] = '\0';
    *at = p;
    return length;
}

static void skip_blanks(const char **at)
{
    while (is_blank(**at))
        (*at)++;
}

/* Is the separator, a bare `--`, at `at`? */
static bool is_separator(const char *at)
{
    return at[0] == '-' && at[1] == '-' && (!at[2] || is_blank(at[2]));
}

/*
 * Parse a line by a table of `count` options. Returns how many words were
 * reported. A first word that begins with a slash is the file name that some
 * boot loaders put there, and is passed over.
 */
unsigned int cmdline_parse(const char *line,
                           const struct cmdline_option *options, size_t count,
                           const struct cmdline_reporter *reporter)
{
    char word[CMDLINE_WORD_MAX];
    unsigned int reports = 0;
    bool is_first = true;

    for (skip_blanks(&line); *line && !is_separator(line);
         skip_blanks(&line), is_first = false) {
        size_t length = take_word(&line, word);
        const char *why = "the word is too long";

        if (!length || (is_first && word[0] == '/'))
            continue;
        if (length < CMDLINE_WORD_MAX &&
            !parse_word(word, options, count, &why))
            continue;
        reporter->report(reporter->context, word, why);
        reports++;
    }
    return reports;
}

/*
 * What follows a bare `--`: words meant for the first domain's kernel. NULL
 * without one.
 */
const char *cmdline_dom0_part(const char *line)
{
    char word[CMDLINE_WORD_MAX];

    for (skip_blanks(&line); *line; skip_blanks(&line)) {
        if (is_separator(line)) {
            line += 2;
            skip_blanks(&line);
            return line;
        }
        take_word(&line, word);
    }
    return NULL;
}

/*
 * An amount in bytes, on a machine with `all` bytes to give; `unset` if it
 * was not given. Never more than `all`, unless `unset` is.
 */
uint64_t cmdline_amount_of(const struct cmdline_amount *amount, uint64_t all,
                           uint64_t unset)
{
    switch (amount->kind) {
    case CMDLINE_AMOUNT_BYTES:
        return min_u64(amount->n, all);
    case CMDLINE_AMOUNT_ALL_BUT:
        return all - min_u64(amount->n, all);
    case CMDLINE_AMOUNT_PERCENT:
        return all / 100 * amount->n + all % 100 * amount->n / 100;
    default:
        return unset;
    }
}

static bool take_amount(const char **at, struct cmdline_amount *amount)
{
    const char *p = *at;
    uint64_t percent;

    if (take_number(&p, &percent) && *p == '%') {
        *at = p + 1;
        amount->kind = CMDLINE_AMOUNT_PERCENT;
        amount->n = percent;
        return percent <= 100;
    }
    amount->kind =
        take_text(at, "-") ? CMDLINE_AMOUNT_ALL_BUT : CMDLINE_AMOUNT_BYTES;
    return take_size(at, &amount->n);
}

/* dom0_mem=<amount>[,min:<amount>][,max:<amount>], into a cmdline_memory. */
int cmdline_parse_memory(void *target, const char *value, const char **why)
{
    struct cmdline_memory *memory = target;
    struct cmdline_memory parsed = {0};

    do {
        struct cmdline_amount *amount = &parsed.want;

        if (take_text(&value, "min:"))
            amount = &parsed.min;
        else if (take_text(&value, "max:"))
            amount = &parsed.max;
        if (!take_amount(&value, amount))
            return fail(why, "the value is no amount of memory (like 1G, "
                             "-256M or 25%, then ,min:512M or ,max:2G)");
    } while (take_text(&value, ","));
    if (*value)
        return fail(why, "something follows the amount of memory");
    *memory = parsed;
    return 0;
}

static bool at_field_end(const char *at)
{
    return !*at || *at == ',';
}

/* Move past a number up to `max`, or past nothing, which changes nothing. */
static bool take_field(const char **at, uint64_t max, uint64_t *number)
{
    if (at_field_end(*at))
        return true;
    return take_number(at, number) && *number <= max && at_field_end(*at);
}

static bool take_line_format(const char **at, struct cmdline_serial *serial)
{
    const char *p = *at;

    if (at_field_end(p))
        return true;
    if (p[0] < '5' || p[0] > '8' || !p[1] || !strchr("noems", p[1]) ||
        (p[2] != '1' && p[2] != '2'))
        return false;
    serial->data_bits = (uint8_t)(p[0] - '0');
    serial->parity = p[1];
    serial->stop_bits = (uint8_t)(p[2] - '0');
    *at = p + 3;
    return at_field_end(*at);
}

/*
 * com1=<baud>|auto[,<format>[,<port>[,<irq>]]], into a cmdline_serial. Empty
 * fields keep what the target has.
 */
int cmdline_parse_serial(void *target, const char *value, const char **why)
{
    struct cmdline_serial *serial = target;
    struct cmdline_serial parsed = *serial;
    uint64_t baud = parsed.baud;
    uint64_t port = parsed.port;
    uint64_t irq = parsed.irq;

    if (take_text(&value, "auto"))
        baud = 0;
    else if (!take_field(&value, 4000000, &baud))
        return fail(why, "the speed is no number of baud");
    if (take_text(&value, ",") && !take_line_format(&value, &parsed))
        return fail(why, "the line format is none like 8n1");
    if (take_text(&value, ",") && !take_field(&value, 0xfff8, &port))
        return fail(why, "the port is none of 0 to 0xfff8");
    if (take_text(&value, ",") && !take_field(&value, 255, &irq))
        return fail(why, "the interrupt is none of 0 to 255");
    if (*value)
        return fail(why, "the value is no serial line (like 115200,8n1)");
    parsed.is_set = true;
    parsed.baud = (uint32_t)baud;
    parsed.port = (uint16_t)port;
    parsed.irq = (uint8_t)irq;
    *serial = parsed;
    return 0;
}

/* console=<name>[,<name>...] of com1, com2, vga, none. */
int cmdline_parse_console(void *target, const char *value, const char **why)
{
    struct cmdline_console *console = target;
    struct cmdline_console parsed = {0};

    do {
        if (take_text(&value, "com1"))
            parsed.com1 = true;
        else if (take_text(&value, "com2"))
            parsed.com2 = true;
        else if (take_text(&value, "vga"))
            parsed.vga = true;
        else if (!take_text(&value, "none"))
            return fail(why, "a console is none of com1, com2, vga, none");
    } while (take_text(&value, ","));
    if (*value)
        return fail(why, "a console is none of com1, com2, vga, none");
    *console = parsed;
    return 0;
}

static bool take_level(const char **at, uint8_t *level)
{
    static const char *const names[] = {"none", "error", "warning", "info",
                                        "debug"};
    uint8_t i;

    if (take_text(at, "all")) {
        *level = ARRAY_LEN(names) - 1;
        return true;
    }
    for (i = 0; i < ARRAY_LEN(names); i++) {
        if (take_text(at, names[i])) {
            *level = i;
            return true;
        }
    }
    return false;
}

/* loglvl=<level>[/<level>] of none, error, warning, info, debug, all. */
int cmdline_parse_level(void *target, const char *value, const char **why)
{
    struct cmdline_level *level = target;
    struct cmdline_level parsed;
    bool is_good = take_level(&value, &parsed.lower);

    parsed.upper = parsed.lower;
    if (is_good && take_text(&value, "/"))
        is_good = take_level(&value, &parsed.upper);
    if (!is_good || *value)
        return fail(why, "a level is none of none, error, warning, info, "
                         "debug, all");
    if (parsed.upper < parsed.lower)
        parsed.upper = parsed.lower;
    *level = parsed;
    return 0;
}

/*
 * dom0_max_vcpus=<n>, <min>-<max>, <min>- or -<max>, into a cmdline_range. A
 * bound left out is 1 or UINT32_MAX.
 */
int cmdline_parse_range(void *target, const char *value, const char **why)
{
    struct cmdline_range *range = target;
    uint64_t min = 1;
    uint64_t max = UINT32_MAX;
    bool has_min = take_number(&value, &min);
    bool has_dash = take_text(&value, "-");
    bool has_max = has_dash && take_number(&value, &max);

    if (*value || !(has_min || has_max))
        return fail(why, "the value is no range (like 4, 2-4, 2- or -4)");
    if (!has_dash)
        max = min;
    if (min < 1 || max < min || max > UINT32_MAX)
        return fail(why, "the range is empty or begins below 1");
    range->min = (uint32_t)min;
    range->max = (uint32_t)max;
    return 0;
}
