/* SPDX-License-Identifier: MIT */
/* Places of CPUs, devices and memory (info_places.h). */
#include "dom0_tools/mica/info_places.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES "/sys/bus/pci/devices"

enum { MIB_SHIFT = 20 - CONTROL_PAGE_SHIFT, LOCAL_DISTANCE = 10 };

static int add_cpus(struct call *call, json_t *report,
                    const struct control_machine *machine, struct error *e)
{
    unsigned room = machine->max_cpu + 1;
    struct control_cpu_place *places = calloc(room, sizeof(*places));
    json_t *list = json_array();
    int count, i;

    json_object_set_new(report, "cpu_topology", list);
    if (!places)
        return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    count = control_cpu_places(call->control, places, room, e);
    for (i = 0; i < count; i++)
        if (places[i].is_present)
            json_array_append_new(list,
                                  json_pack("{s:i, s:i, s:i, s:i}", "cpu", i,
                                            "core", (int)places[i].core,
                                            "socket", (int)places[i].socket,
                                            "node", (int)places[i].node));
    free(places);
    return count < 0 ? -1 : 0;
}

/* Machines without PCI have none. */
static void add_devices(json_t *report)
{
    DIR *devices = opendir(DEVICES);
    json_t *list = json_array();
    const struct dirent *entry;

    json_object_set_new(report, "device topology", list);
    while (devices && (entry = readdir(devices)))
        if (entry->d_name[0] != '.')
            json_array_append_new(list, json_pack("{s:s, s:i}", "device",
                                                  entry->d_name, "node", 0));
    if (devices)
        closedir(devices);
}

static void add_nodes(json_t *report, const struct control_machine *m)
{
    json_object_set_new(
        report, "numa_info",
        json_pack("[{s:i, s:I, s:I, s:[i]}]", "node", 0, "memsize",
                  (json_int_t)(m->total_pages >> MIB_SHIFT), "memfree",
                  (json_int_t)(m->free_pages >> MIB_SHIFT), "distances",
                  LOCAL_DISTANCE));
}

/* See info_places.h. */
int info_places_add(struct call *call, json_t *report,
                    const struct control_machine *machine, struct error *e)
{
    if (add_cpus(call, report, machine, e))
        return -1;
    add_devices(report);
    add_nodes(report, machine);
    return 0;
}

static int number(const json_t *row, const char *key)
{
    return (int)json_integer_value(json_object_get(row, key));
}

static void print_cpu(const json_t *row, FILE *out)
{
    fprintf(out, "%3d:    %4d     %4d     %4d\n", number(row, "cpu"),
            number(row, "core"), number(row, "socket"), number(row, "node"));
}

static void print_device(const json_t *row, FILE *out)
{
    fprintf(out, "%s      %d\n",
            json_string_value(json_object_get(row, "device")),
            number(row, "node"));
}

static void print_node(const json_t *row, FILE *out)
{
    const json_t *distances = json_object_get(row, "distances");
    size_t i;

    fprintf(out, "%4d:    %6d     %6d      ", number(row, "node"),
            number(row, "memsize"), number(row, "memfree"));
    for (i = 0; i < json_array_size(distances); i++)
        fprintf(out, "%s%d", i ? "," : "",
                (int)json_integer_value(json_array_get(distances, i)));
    fputc('\n', out);
}

static const struct {
    const char *key, *heading;
    void (*print)(const json_t *row, FILE *out);
} kinds[] = {
    {"cpu_topology", "cpu:    core    socket     node", print_cpu},
    {"device topology", "device           node", print_device},
    {"numa_info", "node:    memsize    memfree    distances", print_node},
};

/* See info_places.h. */
void info_places_print(const char *key, const json_t *list, FILE *out)
{
    size_t i, row;

    for (i = 0; strcmp(kinds[i].key, key);)
        i++;
    fprintf(out, "%-23s:\n%s\n", key, kinds[i].heading);
    for (row = 0; row < json_array_size(list); row++)
        kinds[i].print(json_array_get(list, row), out);
}
