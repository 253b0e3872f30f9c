/* SPDX-License-Identifier: MIT */
/*
 * The parser of the command line: words and names first, then the values.
 * Every parser works on a terminated copy of one word and moves a pointer
 * along it; a value is stored only when all of it made sense.
 */
#include "core/cmdline.h"

#define MAX_BAUD 115200u
#define LAST_PORT 0xfff8u /* of the first of eight */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static uint64_t digit_value(char c)
{
    c = to_lower(c);
    if (c >= '0' && c <= '9')
        return (uint64_t)(c - '0');
    return c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10) : 16;
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

/* Move past a number, decimal or after 0x; false if none or too large. */
static bool take_number(const char **at, uint64_t *number)
{
    const char *p = *at;
    uint64_t base = take_text(&p, "0x") || take_text(&p, "0X") ? 16 : 10;
    const char *first = p;
    uint64_t value = 0;

    for (; digit_value(*p) < base; p++)
        if (mul_overflows(value, base, &value) ||
            add_overflows(value, digit_value(*p), &value))
            return false;
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
    unsigned shift = 10;
    uint64_t number;

    if (!take_number(at, &number))
        return false;
    suffix = **at ? strchr(suffixes, to_lower(**at)) : NULL;
    if (suffix) {
        shift = 10 * (unsigned)(suffix - suffixes);
        (*at)++;
    }
    return !mul_overflows(number, 1ull << shift, bytes);
}

/* --- words --------------------------------------------------------------- */

static bool is_same_name(const char *a, const char *b)
{
    while (*a && (*a == '_' ? '-' : *a) == (*b == '_' ? '-' : *b))
        a++, b++;
    return !*a && !*b;
}

static const struct cmdline_option *find_option(
    const struct cmdline_option *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (is_same_name(options[i].name, name))
            return &options[i];
    return NULL;
}

/* Act on one word, whose `=` is replaced by an end while it is looked at. */
static const char *parse_word(char *word, const struct cmdline_option *options,
                              size_t count)
{
    char *equals = strchr(word, '=');
    const char *value = equals ? equals + 1 : "";
    const struct cmdline_option *option;
    const char *name = word, *why;

    if (equals)
        *equals = '\0';
    option = find_option(options, count, name);
    if (!option && take_text(&name, "no-")) {
        option = find_option(options, count, name);
        value = "no";
    }
    if (!option)
        why = "there is no such option";
    else if (name != word &&
             (equals || (option->parse != cmdline_parse_bool &&
                         option->parse != cmdline_parse_ignored)))
        why = "\"no-\" goes with a yes-or-no option alone";
    else
        why = option->parse(option, value);
    if (equals)
        *equals = '=';
    return why;
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

/* Is the separator, a bare `--`, at `at`? */
static bool is_separator(const char *at)
{
    return take_text(&at, "--") && (!*at || is_blank(*at));
}

/*
 * Parse a line by a table of `count` options. A first word that begins with a
 * slash is the file name that some boot loaders put there, and is passed over.
 */
void cmdline_parse(const char *line, const struct cmdline_option *options,
                   size_t count, cmdline_report_fn *report)
{
    char word[CMDLINE_WORD_MAX];

    for (bool is_first = true;; is_first = false) {
        const char *why = "the word is too long";
        size_t length;

        while (is_blank(*line))
            line++;
        if (!*line || is_separator(line))
            return;
        length = take_word(&line, word);
        if (!length || (is_first && word[0] == '/'))
            continue;
        if (length < CMDLINE_WORD_MAX)
            why = parse_word(word, options, count);
        if (why)
            report(word, why);
    }
}

/* --- plain values -------------------------------------------------------- */

/* One of the words, or short for exactly one of them; -1 for none. */
static int find_word(const char *const *words, const char *value)
{
    int found = -1, matches = 0;

    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], value))
            return i;
        if (*value && !strncmp(words[i], value, strlen(value))) {
            found = i;
            matches++;
        }
    }
    return matches == 1 ? found : -1;
}

/* Into a bool: name, name=1|0|on|off|true|false|..., or no-name. */
const char *cmdline_parse_bool(const struct cmdline_option *o,
                               const char *value)
{
    static const char *const words[] = {"0", "off", "false", "no",  "disable",
                                        "1", "on",  "true",  "yes", "enable"};
    bool *target = o->target;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(value, words[i]) || !*value) {
            *target = i >= ARRAY_LEN(words) / 2 || !*value;
            return NULL;
        }
    return "the value is neither yes nor no";
}

/* Into a uint64_t, from min to max. */
const char *cmdline_parse_number(const struct cmdline_option *o,
                                 const char *value)
{
    uint64_t *target = o->target;
    uint64_t number;

    if (!take_number(&value, &number) || *value)
        return "the value is no number";
    if (number < o->min || number > o->max)
        return "the value is out of range";
    *target = number;
    return NULL;
}

/* Into an unsigned: the index in `choices` of the value, which may be short. */
const char *cmdline_parse_choice(const struct cmdline_option *o,
                                 const char *value)
{
    unsigned *target = o->target;
    int found = find_word(o->choices, value);

    if (found < 0)
        return "the value is none, or short for more than one, of its choices";
    *target = (unsigned)found;
    return NULL;
}

/* Into an unsigned: a bit for each of `choices` that stands in the list. */
const char *cmdline_parse_set(const struct cmdline_option *o, const char *value)
{
    unsigned *target = o->target, set = 0, i;

    do {
        for (i = 0; o->choices[i] && !take_text(&value, o->choices[i]); i++)
            ;
        set |= 1u << i;
    } while (o->choices[i] && take_text(&value, ","));
    if (!o->choices[i] || *value)
        return "the list has something in it that is none of the choices";
    *target = set;
    return NULL;
}

/* For options that mean nothing here, whatever their value. */
const char *cmdline_parse_ignored(const struct cmdline_option *o,
                                  const char *value)
{
    (void)o;
    (void)value;
    return NULL;
}

/* --- amounts of memory --------------------------------------------------- */

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

    if (take_number(&p, &amount->n) && *p == '%') {
        *at = p + 1;
        amount->kind = CMDLINE_AMOUNT_PERCENT;
        return amount->n <= 100;
    }
    amount->kind =
        take_text(at, "-") ? CMDLINE_AMOUNT_ALL_BUT : CMDLINE_AMOUNT_BYTES;
    return take_size(at, &amount->n);
}

/* dom0_mem=<amount>[,min:<amount>][,max:<amount>], into a cmdline_memory. */
const char *cmdline_parse_memory(const struct cmdline_option *o,
                                 const char *value)
{
    struct cmdline_memory *memory = o->target;
    struct cmdline_memory parsed = {0};

    do {
        struct cmdline_amount *amount = take_text(&value, "min:") ? &parsed.min
                                        : take_text(&value, "max:")
                                            ? &parsed.max
                                            : &parsed.want;

        if (!take_amount(&value, amount))
            return "the value is no amount of memory (like 1G, "
                   "-256M or 25%, then ,min:512M or ,max:2G)";
    } while (take_text(&value, ","));
    if (*value)
        return "something follows the amount of memory";
    *memory = parsed;
    return NULL;
}

/* --- other values -------------------------------------------------------- */

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
const char *cmdline_parse_serial(const struct cmdline_option *o,
                                 const char *value)
{
    struct cmdline_serial *serial = o->target;
    struct cmdline_serial parsed = *serial;
    uint64_t baud = parsed.baud, port = parsed.port, irq = parsed.irq;

    if (take_text(&value, "auto"))
        baud = 0;
    else if (!take_field(&value, MAX_BAUD, &baud))
        return "the speed is no number of baud up to 115200";
    if (take_text(&value, ",") && !take_line_format(&value, &parsed))
        return "the line format is none like 8n1";
    if (take_text(&value, ",") && !take_field(&value, LAST_PORT, &port))
        return "the port is none of 0 to 0xfff8";
    if (take_text(&value, ",") && !take_field(&value, 255, &irq))
        return "the interrupt is none of 0 to 255";
    if (*value)
        return "the value is no serial line (like 115200,8n1)";
    parsed.baud = (uint32_t)baud;
    parsed.port = (uint16_t)port;
    parsed.irq = (uint8_t)irq;
    *serial = parsed;
    return NULL;
}

static bool take_level(const char **at, unsigned *levels)
{
    static const char *const names[] = {"none", "error", "warning",
                                        "info", "debug", "all"};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (take_text(at, names[i])) {
            *levels = (unsigned)min_u64(i, LOG_LEVELS);
            return true;
        }
    return false;
}

/*
 * loglvl=<level>[/<level>] of none, error, warning, info, debug, all, into a
 * log_threshold.
 */
const char *cmdline_parse_level(const struct cmdline_option *o,
                                const char *value)
{
    struct log_threshold *threshold = o->target;
    struct log_threshold parsed;
    bool is_good = take_level(&value, &parsed.always);

    parsed.limited = parsed.always;
    if (is_good && take_text(&value, "/"))
        is_good = take_level(&value, &parsed.limited);
    if (!is_good || *value)
        return "a level is none of none, error, warning, info, debug, all";
    *threshold = parsed;
    return NULL;
}

/*
 * dom0_max_vcpus=<n>, <min>-<max>, <min>- or -<max>, into a cmdline_range. A
 * bound left out is 1 or UINT32_MAX.
 */
const char *cmdline_parse_range(const struct cmdline_option *o,
                                const char *value)
{
    struct cmdline_range *range = o->target;
    uint64_t min = 1, max = UINT32_MAX;
    bool has_min = take_number(&value, &min);
    bool has_dash = take_text(&value, "-");
    bool has_max = has_dash && take_number(&value, &max);

    if (*value || !(has_min || has_max))
        return "the value is no range (like 4, 2-4, 2- or -4)";
    if (!has_dash)
        max = min;
    if (min < 1 || max < min || max > UINT32_MAX)
        return "the range is empty or begins below 1";
    *range = (struct cmdline_range){(uint32_t)min, (uint32_t)max};
    return NULL;
}
