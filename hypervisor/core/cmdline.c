/* SPDX-License-Identifier: MIT */
/*
 * The parser of the command line: words and names first, then the values.
 * Every parser works on a terminated copy of one word, moves a pointer along
 * it, and fills a copy of the target, which is taken when all made sense.
 */
#include "core/cmdline.h"

#include "core/log.h"

#define MAX_BAUD 115200u
#define LAST_PORT 0xfff8u /* of the first of eight */

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Where `c` stands in `set`, or NULL. */
static const char *find(const char *set, char c)
{
    return c ? strchr(set, c) : NULL;
}

/* Move past `text` if it stands at *at. */
static bool take_text(const char **at, const char *text)
{
    size_t length = strlen(text);
    bool is_there = !strncmp(*at, text, length);

    *at += is_there ? length : 0;
    return is_there;
}

/* Move past a number, decimal or after 0x; false if none or too large. */
static bool take_number(const char **at, uint64_t *number)
{
    static const char digits[] = "0123456789abcdef";
    const char *p = *at, *digit, *first;
    uint64_t base = take_text(&p, "0x") || take_text(&p, "0X") ? 16 : 10;
    uint64_t value = 0;

    for (first = p; (digit = find(digits, to_lower(*p))) &&
                    (uint64_t)(digit - digits) < base;
         p++)
        if (mul_overflows(value, base, &value) ||
            add_overflows(value, (uint64_t)(digit - digits), &value))
            return false;
    if (p == first)
        return false;
    *number = value;
    *at = p;
    return true;
}

/* --- words --------------------------------------------------------------- */

/* The value if `word` names this option: what follows its =; else NULL. */
static const char *get_value(const char *word, const char *name)
{
    for (; *name; name++, word++)
        if (*word != *name && (*word != '-' || *name != '_') &&
            (*word != '_' || *name != '-'))
            return NULL;
    if (*word == '=')
        return word + 1;
    return *word ? NULL : word;
}

static void parse_word(const char *word, const struct cmdline_option *options,
                       size_t count)
{
    _Alignas(uint64_t) char parsed[sizeof(struct cmdline_memory)];

    for (const struct cmdline_option *o = options; o < options + count; o++) {
        const char *value = get_value(word, o->name);

        if (!value)
            continue;
        if (!o->parse)
            return;
        memcpy(parsed, o->target, o->size);
        if (o->parse(&value, o->form, parsed) && !*value)
            memcpy(o->target, parsed, o->size);
        else
            log_warning("command line: %s: the value is not of the form %s",
                        word, o->form);
        return;
    }
    log_warning("command line: %s: there is no such option", word);
}

/*
 * Parses a line by a table of `count` options. A first word that begins with a
 * slash is the file name that some boot loaders put there, and is passed over.
 */
void cmdline_parse(const char *line, const struct cmdline_option *options,
                   size_t count)
{
    static const char blanks[] = " \t\n\r";
    char word[CMDLINE_WORD_MAX];

    for (bool is_first = true;; is_first = false) {
        size_t length = 0;

        while (find(blanks, *line))
            line++;
        for (; *line && !find(blanks, *line); line++)
            if (length < CMDLINE_WORD_MAX - 1)
                word[length++] = *line;
        word[length] = '\0';
        if (!length || !strncmp(word, "--", sizeof("--")))
            return;
        if (length == CMDLINE_WORD_MAX - 1)
            log_warning("command line: %s: the word is too long", word);
        else if (!is_first || word[0] != '/')
            parse_word(word, options, count);
    }
}

/* --- values -------------------------------------------------------------- */

/*
 * Into an unsigned: which of the words that slashes part in `form` the value
 * is, or begins. It ends with a comma, slash or the word.
 */
bool cmdline_parse_choice(const char **at, const char *form, void *out)
{
    unsigned *index = out;
    size_t length = 0;

    while ((*at)[length] && !find(",/", (*at)[length]))
        length++;
    for (*index = 0; length && form; ++*index) {
        if (!strncmp(form, *at, length)) {
            *at += length;
            return true;
        }
        form = strchr(form, '/');
        if (form)
            form++;
    }
    return false;
}

/* Into an unsigned: a bit for each word of `form` that is in the list. */
bool cmdline_parse_set(const char **at, const char *form, void *out)
{
    unsigned *set = out, found;

    *set = 0;
    do {
        if (!cmdline_parse_choice(at, form, &found))
            return false;
        *set |= 1u << found;
    } while (take_text(at, ",") || take_text(at, "/"));
    return true;
}

/* Into a bool: name, or name=1|0|on|off|true|false|... */
bool cmdline_parse_bool(const char **at, const char *form, void *out)
{
    static const char no_then_yes[] =
        "0/off/false/no/disable/1/on/true/yes/enable";
    unsigned found = 5;
    bool is_good = !**at || cmdline_parse_choice(at, no_then_yes, &found);

    (void)form;
    *(bool *)out = found >= 5;
    return is_good;
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

/* Moves past a size or a percentage; a number alone counts kilobytes. */
static bool take_amount(const char **at, struct cmdline_amount *amount)
{
    static const char suffixes[] = "bkmgt";
    const char *suffix;
    uint64_t number;

    *amount = (struct cmdline_amount){.is_set = true};
    amount->is_rest = take_text(at, "-");
    if (!take_number(at, &number))
        return false;
    if (take_text(at, "%")) {
        amount->percent = number;
        return number <= 100;
    }
    suffix = find(suffixes, to_lower(**at));
    *at += suffix != NULL;
    return !mul_overflows(number, 1ull << 10 * (suffix ? suffix - suffixes : 1),
                          &amount->bytes);
}

/* dom0_mem=<amount>[,min:<amount>][,max:<amount>], into a cmdline_memory. */
bool cmdline_parse_memory(const char **at, const char *form, void *out)
{
    struct cmdline_memory *m = out;

    (void)form;
    *m = (struct cmdline_memory){0};
    do {
        if (!take_amount(at, take_text(at, "min:")   ? &m->min
                             : take_text(at, "max:") ? &m->max
                                                     : &m->want))
            return false;
    } while (take_text(at, ","));
    return true;
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

static bool take_line_format(const char **at, char format[3])
{
    const char *p = *at;

    if (take_field_end(at))
        return true;
    if (!find("5678", p[0]) || !find("noems", p[1]) || !find("12", p[2]))
        return false;
    memcpy(format, p, 3);
    *at = p + 3;
    return take_field_end(at);
}

/*
 * com1=<baud>|auto[,<format>[,<port>[,<irq>]]], into a cmdline_serial. Empty
 * fields keep what the target has.
 */
bool cmdline_parse_serial(const char **at, const char *form, void *out)
{
    struct cmdline_serial *s = out;

    (void)form;
    if (take_text(at, "auto"))
        s->baud = 0;
    return take_field(at, MAX_BAUD, &s->baud) &&
           take_line_format(at, s->format) &&
           take_field(at, LAST_PORT, &s->port) &&
           take_field(at, UINT8_MAX, &s->irq);
}

/*
 * dom0_max_vcpus=<n>, <min>-<max>, <min>- or -<max>, into a cmdline_range. A
 * bound left out is 1 or UINT32_MAX.
 */
bool cmdline_parse_range(const char **at, const char *form, void *out)
{
    uint64_t min = 1, max = UINT32_MAX;
    bool has_min = take_number(at, &min), is_range = take_text(at, "-");

    (void)form;
    if (is_range)
        take_number(at, &max);
    else
        max = min;
    *(struct cmdline_range *)out =
        (struct cmdline_range){(uint32_t)min, (uint32_t)max};
    return (has_min || is_range) && min >= 1 && min <= max && max <= UINT32_MAX;
}
