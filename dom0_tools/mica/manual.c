/* SPDX-License-Identifier: MIT */
/* Manual and completion from the tables (manual.h). */
#include "dom0_tools/mica/manual.h"

#include <string.h>

#include "dom0_tools/mica/domain_config.h"

static const struct verb_option json_option = {0, "json", NULL,
                                               "report in JSON"};

static bool is_listed(const struct verb *verb)
{
    return !(verb->flags & VERB_IS_INTERNAL);
}

/* See manual.h. */
void verb_option_text(const struct verb_option *option, char *text, size_t size)
{
    char letter[4] = "";
    const char *name = option->name ? option->name : "";

    if (option->letter)
        snprintf(letter, sizeof(letter), "-%c", option->letter);
    snprintf(text, size, "%s%s%s%s%s%s", letter, *letter && *name ? ", " : "",
             *name ? "--" : "", name, option->value ? " " : "",
             option->value ? option->value : "");
}

/* Running text of mdoc: no line may start with a macro's dot or quote. */
static void print_roff(const char *text, FILE *out)
{
    const char *first = text;
    bool is_start = true;

    for (; *text; text++) {
        if (is_start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        is_start = false;
        if (*text == '\n') {
            while (text[1] == '\n')
                text++;
            fputs("\n.Pp\n", out);
            is_start = true;
        } else if (*text == ' ' && text > first && text[-1] == '.') {
            fputc('\n', out); /* a new sentence, a new line */
            is_start = true;
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '"') {
            fputs("\\(dq", out);
        } else {
            fputc(*text, out);
        }
    }
    fputc('\n', out);
}

/* "help text" as a sentence. */
static void print_sentence(const char *text, FILE *out)
{
    char sentence[512];

    snprintf(sentence, sizeof(sentence), "%s.", text);
    if (*sentence >= 'a' && *sentence <= 'z')
        *sentence -= 'a' - 'A';
    print_roff(sentence, out);
}

static void print_roff_option(const struct verb_option *option, FILE *out)
{
    char text[64];

    verb_option_text(option, text, sizeof(text));
    fputs(".It ", out);
    print_roff(text, out);
    print_sentence(option->help, out);
}

static void print_roff_verb(const struct verb *verb, FILE *out)
{
    const struct verb_option *option = verb->options;

    fprintf(out, ".It Nm mica Cm %s Oo Ar options Oc", verb->name);
    if (*verb->synopsis) {
        fputs(" No ", out);
        print_roff(verb->synopsis, out);
    } else {
        fputc('\n', out);
    }
    print_sentence(verb->help, out);
    if (verb->alias)
        fprintf(out, "Also called\n.Cm %s .\n", verb->alias);
    if (verb->details) {
        fputs(".Pp\n", out);
        print_roff(verb->details, out);
    }
    if (!option && !(verb->flags & VERB_REPORTS))
        return;
    if (verb->details)
        fputs(".Pp\n", out);
    fputs(".Bl -tag -width \"-w, --wait\" -compact\n", out);
    for (; option && option->help; option++)
        print_roff_option(option, out);
    if (verb->flags & VERB_REPORTS)
        print_roff_option(&json_option, out);
    fputs(".El\n", out);
}

/* See manual.h. */
void manual_print_verbs(FILE *out)
{
    const struct verb *verb = NULL;

    fputs(".Bl -tag -width Ds\n", out);
    while ((verb = verb_next(verb)))
        if (is_listed(verb))
            print_roff_verb(verb, out);
    fputs(".El\n", out);
}

static void print_bounds(const struct domain_key *key, FILE *out)
{
    if (key->kind == DOMAIN_KEY_NUMBER && key->initial)
        fprintf(out, "The default is %llu.\n",
                (unsigned long long)key->initial);
    if (key->kind == DOMAIN_KEY_CHOICE)
        fprintf(out, "The default is %s.\n", key->choices[key->initial]);
}

/* See manual.h. */
void manual_print_settings(FILE *out)
{
    const struct domain_key *key;

    fputs(".Bl -tag -width Ds\n", out);
    for (key = domain_keys(); key->name; key++) {
        fprintf(out, ".It Cm %s No = Ar ", key->name);
        print_roff(key->value, out);
        print_roff(key->help, out);
        print_bounds(key, out);
    }
    fputs(".El\n", out);
}

static void print_markdown_verb(const struct verb *verb, FILE *out)
{
    const struct verb_option *option;
    char text[64];

    fprintf(out, "\n### %s\n\n`mica %s [OPTIONS]%s%s`\n\n", verb->name,
            verb->name, *verb->synopsis ? " " : "", verb->synopsis);
    fprintf(out, "%c%s.", verb->help[0] & ~('a' - 'A'), verb->help + 1);
    if (verb->alias)
        fprintf(out, " Also called `%s`.", verb->alias);
    fputc('\n', out);
    if (verb->details)
        fprintf(out, "\n%s\n", verb->details);
    if (verb->options)
        fputc('\n', out);
    for (option = verb->options; option && option->help; option++) {
        verb_option_text(option, text, sizeof(text));
        fprintf(out, "- `%s`: %s\n", text, option->help);
    }
}

static void print_markdown_setting(const struct domain_key *key, FILE *out)
{
    fprintf(out, "| `%s` | %s", key->name, key->help);
    if (key->kind == DOMAIN_KEY_NUMBER && key->initial)
        fprintf(out, " The default is %llu.", (unsigned long long)key->initial);
    if (key->kind == DOMAIN_KEY_CHOICE)
        fprintf(out, " The default is %s.", key->choices[key->initial]);
    fputs(" |\n", out);
}

/* See manual.h. */
void manual_print_markdown(FILE *out)
{
    const struct domain_key *key;
    const struct verb *verb = NULL;

    fputs("<!-- SPDX-License-Identifier: MIT -->\n"
          "<!-- Made by \"make docs\" from the tables in dom0_tools/mica/. "
          "-->\n"
          "# Verbs and settings of `mica`\n\n"
          "Verbs may be shortened while they stay unambiguous. Verbs that "
          "report something\nunderstand `--json`; all understand `--help`.\n\n"
          "## Verbs\n",
          out);
    while ((verb = verb_next(verb)))
        if (is_listed(verb))
            print_markdown_verb(verb, out);
    fputs("\n## Settings of a domain\n\n| setting | meaning |\n|---|---|\n",
          out);
    for (key = domain_keys(); key->name; key++)
        print_markdown_setting(key, out);
}

/* One branch: the options of a verb, and what its operands are. */
static void print_branch(const struct verb *verb, FILE *out)
{
    static const char *const kinds[] = {"", "domain", "file", "verb", "word"};
    const struct verb_option *option;

    fprintf(out, "    %s%s%s)\n        options='--help", verb->name,
            verb->alias ? " | " : "", verb->alias ? verb->alias : "");
    if (verb->flags & VERB_REPORTS)
        fputs(" --json", out);
    for (option = verb->options; option && option->help; option++)
        if (option->name)
            fprintf(out, " --%s", option->name);
        else
            fprintf(out, " -%c", option->letter);
    fprintf(out, "'\n        kind='%s'\n        words='%s'\n        ;;\n",
            kinds[verb->operand], verb->words ? verb->words : "");
}

static void print_names(FILE *out)
{
    const struct verb *verb = NULL;

    while ((verb = verb_next(verb)))
        if (is_listed(verb))
            fprintf(out, "%s%s", verb->name, verb_next(verb) ? " " : "");
}

/* See manual.h. */
void manual_print_completion(FILE *out)
{
    const struct verb *verb = NULL;

    fputs("# SPDX-License-Identifier: MIT\n"
          "# bash completion of mica, made by \"mica help --completion "
          "bash\"\n\n"
          "_mica() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]}\n"
          "    local options='' kind='' words='' verbs='",
          out);
    print_names(out);
    fputs("'\n\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- "
          "\"$current\")\n"
          "        return\n"
          "    fi\n"
          "    case ${COMP_WORDS[1]} in\n",
          out);
    while ((verb = verb_next(verb)))
        if (is_listed(verb))
            print_branch(verb, out);
    fputs("    esac\n"
          "    case $current in\n"
          "    -*) words=$options kind=word ;;\n"
          "    esac\n"
          "    case $kind in\n"
          "    domain) words=$(mica list 2>/dev/null | awk 'NR > 1 { print $1 "
          "}') ;;\n"
          "    verb) words=$verbs ;;\n"
          "    file)\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
          "        return\n"
          "        ;;\n"
          "    esac\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
          "\"$current\")\n"
          "}\n"
          "complete -o filenames -F _mica mica\n",
          out);
}
