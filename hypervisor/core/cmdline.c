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

/* Moves past one of `words` or its beginning, up to a comma, slash or end. */
static bool take_choice(const char **at, const char *const *words,
                        unsigned *index)
{
    size_t length = 0;

    while ((*at)[length] && (*at)[length] != ',' && (*at)[length] != '/')
        length++;
    for (unsigned i = 0; length && words[i]; i++)
        if (!strncmp(words[i], *at, length)) {
            *at += length;
            *index = i;
            return true;
        }
    return false;
}

/* --- words --------------------------------------------------------------- */

static bool is_same_name(const char *a, const char *b)
{
    while (*a && (*a == '_' ? '-' : *a) == (*b == '_' ? '-' : *b))
        a++, b++;
    return !*a && !*b;
}

/* Acts on one word, whose `=` is replaced by an end while it is looked at. */
static const char *parse_word(char *word, const struct cmdline_option *options,
                              size_t count)
{
    char *equals = strchr(word, '=');
    const char *why = "there is no such option";

    if (equals)
        *equals = '\0';
    for (size_t i = 0; i < count; i++)
        if (is_same_name(options[i].name, word)) {
            why = options[i].parse
                      ? options[i].parse(&options[i], equals ? equals + 1 : "")
                      : NULL;
            break;
        }
    if (equals)
        *equals = '=';
    return why;
}

/*
 * Parses a line by a table of `count` options. A first word that begins with a
 * slash is the file name that some boot loaders put there, "placeholder" what
 * distributions' entries have for it; both are passed over.
 */
void cmdline_parse(const char *line, const struct cmdline_option *options,
                   size_t count, cmdline_report_fn *report)
{
    char word[CMDLINE_WORD_MAX];

    for (bool is_first = true;; is_first = false) {
        const char *why = "the word is too long";
        size_t length = 0;

        while (is_blank(*line))
            line++;
        for (; *line && !is_blank(*line); line++)
            if (length < CMDLINE_WORD_MAX - 1)
                word[length++] = *line;
        word[length] = '\0';
        if (!length || !strncmp(word, "--", sizeof("--")))
            return;
        if (is_first && (word[0] == '/' || is_same_name(word, "placeholder")))
            continue;
        if (length < CMDLINE_WORD_MAX - 1)
            why = parse_word(word, options, count);
        if (why)
            report(word, why);
    }
}

/* --- values -------------------------------------------------------------- */

/* Into a bool: name, or name=1|0|on|off|true|false|... */
const char *cmdline_parse_bool(const struct cmdline_option *o,
                               const char *value)
{
    static const char *const words[] = {"0",       "off",    "false", "no",
                                        "disable", "1",      "on",    "true",
                                        "yes",     "enable", NULL};
    bool *target = o->target;
    unsigned found = ARRAY_LEN(words);

    if (*value && (!take_choice(&value, words, &found) || *value))
        return "the value is neither yes nor no";
    *target = found >= ARRAY_LEN(words) / 2;
    return NULL;
}

/* Into a uint64_t, from min to max. */
const char *cmdline_parse_number(const struct cmdline_option *o,
                                 const char *value)
{
    uint64_t *target = o->target;
    uint64_t number;

    if (!take_number(&value, &number) || *value || number < o->min ||
        number > o->max)
        return "the value is no number, or out of range";
    *target = number;
    return NULL;
}

/* Into an unsigned: the index in `choices` of the value, which may be short. */
const char *cmdline_parse_choice(const struct cmdline_option *o,
                                 const char *value)
{
    unsigned *target = o->target, found;

    if (!take_choice(&value, o->choices, &found) || *value)
        return "the value is none of its choices";
    *target = found;
    return NULL;
}

/* Into an unsigned: a bit for each of `choices` that stands in the list. */
const char *cmdline_parse_set(const struct cmdline_option *o, const char *value)
{
    unsigned *target = o->target, set = 0, found;

    do {
        if (!take_choice(&value, o->choices, &found))
            return "the list has something in it that is none of the choices";
        set |= 1u << found;
    } while (take_text(&value, ","));
    if (*value)
        return "something follows the list";
    *target = set;
    return NULL;
}

/*
 * An amount in bytes, on a machine with `all` bytes to give; `unset` if it
 * was not given. Never more than `all`, unless `unset` is.
 */
uint64_t cmdline_amount_of(const struct cmdline_amount *amount, uint64_t all,
                           uint64_t unset)
{
    uint64_t bytes = min_u64(all / 100 * amount->percent + amount->bytes, all);

    if (!amount->is_set)
        return unset;
    return amount->is_rest ? all - bytes : bytes;
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
        const char *at;
        uint64_t n;

        *amount = (struct cmdline_amount){.is_set = true};
        amount->is_rest = take_text(&value, "-");
        at = value;
        if (take_number(&at, &n) && n <= 100 && take_text(&at, "%")) {
            amount->percent = n;
            value = at;
        } else if (!take_size(&value, &amount->bytes))
            return "the value is no amount of memory (like 1G, -256M or 25%, "
                   "then ,min:512M or ,max:2G)";
    } while (take_text(&value, ","));
    if (*value)
        return "something follows the amount of memory";
    *memory = parsed;
    return NULL;
}

static bool take_field_end(const char **at)
{
    return take_text(at, ",") || !**at;
}

/* Moves past a number up to `max`, or nothing, which changes nothing. */
static bool take_field(const char **at, uint64_t max, uint64_t *number)
{
    return take_field_end(at) ||
           (take_number(at, number) && *number <= max && take_field_end(at));
}

static bool take_line_format(const char **at, struct cmdline_serial *serial)
{
    const char *p = *at;

    if (take_field_end(at))
        return true;
    if (p[0] < '5' || p[0] > '8' || !p[1] || !strchr("noems", p[1]) ||
        (p[2] != '1' && p[2] != '2'))
        return false;
    serial->data_bits = (uint8_t)(p[0] - '0');
    serial->parity = p[1];
    serial->stop_bits = (uint8_t)(p[2] - '0');
    *at = p + 3;
    return take_field_end(at);
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
    if (!take_field(&value, MAX_BAUD, &baud) ||
        !take_line_format(&value, &parsed) ||
        !take_field(&value, LAST_PORT, &port) ||
        !take_field(&value, UINT8_MAX, &irq) || *value)
        return "the value is no serial line (like 115200,8n1,0x3f8,4)";
    parsed.baud = (uint32_t)baud;
    parsed.port = (uint16_t)port;
    parsed.irq = (uint8_t)irq;
    *serial = parsed;
    return NULL;
}

/*
 * loglvl=<level>[/<level>] of none, error, warning, info, debug, all, into an
 * unsigned: how many levels are shown. Of two the higher one holds, for what
 * comes in masses is limited anyway.
 */
const char *cmdline_parse_level(const struct cmdline_option *o,
                                const char *value)
{
    static const char *const names[] = {"none",  "error", "warning", "info",
                                        "debug", "all",   NULL};
    unsigned *target = o->target, first, second = 0;
    bool is_good = take_choice(&value, names, &first);

    if (is_good && take_text(&value, "/"))
        is_good = take_choice(&value, names, &second);
    if (!is_good || *value)
        return "a level is none of none, error, warning, info, debug, all";
    *target = (unsigned)min_u64(max_u64(first, second), LOG_LEVELS);
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
    const char *at = value;

    take_number(&at, &min);
    if (take_text(&at, "-"))
        take_number(&at, &max);
    else
        max = min;
    if (at == value || *at || min < 1 || max < min || max > UINT32_MAX)
        return "the value is no range (like 4, 2-4, 2- or -4)";
    *range = (struct cmdline_range){(uint32_t)min, (uint32_t)max};
    return NULL;
}
