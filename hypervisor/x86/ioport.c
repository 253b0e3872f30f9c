/* SPDX-License-Identifier: MIT */
/*
 * What is native, refused or emulated, by domain and by mode of a vCPU. Port
 * 0xcf8 is emulated for dom0 alone.
 */
#include "x86/ioport.h"

#include "core/guest_copy.h"

#include "x86/cpu.h"
#include "x86/gate.h"
#include "x86/insn.h"
#include "x86/paging.h"
#include "x86/pci.h"
#include "x86/uart.h"
#include "x86/vcpu.h"

#define IO_PORTS 65536u

enum {
    PORT_PCI_ADDRESS = 0xcf8,
    PORT_PCI_DATA = 0xcfc,
};

/* Refused to dom0, or emulated for it. */
static const struct {
    uint16_t first, last;
} kept_ports[] = {
    {0x20, 0x21},   /* PIC */
    {0x92, 0x92},   /* reset, address line 20 */
    {0xa0, 0xa1},   /* PIC */
    {0xf0, 0xf0},   /* coprocessor error */
    {0x4d0, 0x4d1}, /* PIC */
    {0xcf8, 0xcff}, /* PCI configuration, reset */
};

static uint32_t pci_address; /* dom0's: the last dword written to port 0xcf8 */

/* Ports that Mica keeps to itself or emulates, for all domains. */
static bool is_kept(unsigned port)
{
    for (size_t i = 0; i < ARRAY_LEN(kept_ports); i++)
        if (port >= kept_ports[i].first && port <= kept_ports[i].last)
            return true;
    return uart_port_is_owned((uint16_t)port);
}

/*
 * Gives a privileged domain the ports that are not Mica's. The UARTs that are
 * must be known already.
 */
void ioport_give_all(struct domain *d)
{
    for (unsigned p = 0; p < IO_PORTS; p++)
        if (!is_kept(p))
            bit_clear(d->arch->io_bitmap, p);
}

bool arch_domain_has_ports(const struct domain *d, unsigned first,
                           unsigned last)
{
    for (unsigned p = first; p <= last; p++)
        if (bit_test(d->arch->io_bitmap, p))
            return false;
    return true;
}

int arch_domain_give_ports(struct domain *d, unsigned first, unsigned last)
{
    for (unsigned p = first; p <= last; p++)
        if (is_kept(p))
            return -EPERM;
    for (unsigned p = first; p <= last; p++)
        bit_clear(d->arch->io_bitmap, p);
    return 0;
}

void arch_domain_take_ports(struct domain *d, unsigned first, unsigned last)
{
    for (unsigned p = first; p <= last; p++)
        bit_set(d->arch->io_bitmap, p);
}

/*
 * Whether `v` may access `size` ports from `port` on, as it is now: its kernel
 * always, since kernels rely on it before they have asked for an IOPL; its
 * applications with IOPL 3, or where the kernel's bitmap has bits clear.
 */
bool ioport_may_access(const struct vcpu *v, uint16_t port, unsigned size)
{
    const struct arch_vcpu *a = v->arch;
    unsigned first = port % 8;
    uint16_t refused = 0;

    if (a->in_kernel || a->iopl == 3)
        return true;
    return port + size <= a->io_ports &&
           !copy_in_root(v->kernel_root, &refused, a->io_bitmap.va + port / 8,
                         first + size > 8 ? 2 : 1) &&
           !(refused >> first & ((1u << size) - 1));
}

/* Opens the bitmap behind the TSS to this pCPU's guest, or closes it. */
static void set_open(bool is_open)
{
    this_cpu()->tss->io_bitmap_offset =
        is_open ? offsetof(struct tss, io_bitmap) : sizeof(struct tss);
}

/* To be called on the pCPU that has `v` loaded, when its mode changed. */
hot_path void ioport_mode_changed(const struct vcpu *v)
{
    set_open(v->arch->in_kernel || v->arch->iopl == 3);
}

/*
 * To be called when `v` leaves for the light side, where it goes from kernel
 * to application and back unseen: the bitmap is open only if it is to both.
 */
hot_path void ioport_leave_light(const struct vcpu *v)
{
    set_open(v->arch->iopl == 3);
}

/* To be called on the pCPU that loads `v`: maps the bitmap behind the TSS. */
void ioport_load(const struct vcpu *v)
{
    const char *map = (const char *)v->domain->arch->io_bitmap;
    struct cpu *c = this_cpu();

    for (unsigned at = 0; at < IO_BITMAP_BYTES; at += PAGE_SIZE) {
        unsigned page = (GATE_TSS + at) / PAGE_SIZE + 1;
        uint64_t entry = pte_make(arch_frame_of(map + at), OWN_RO);

        if (c->gate_l1[page] == entry)
            continue;
        pte_write(&c->gate_l1[page], entry);
        invlpg(c->gate + page * PAGE_SIZE);
    }
    ioport_mode_changed(v);
}

static bool is_native(const struct domain *d, unsigned port, unsigned size)
{
    return port + size <= IO_PORTS &&
           arch_domain_has_ports(d, port, port + size - 1);
}

static bool is_pci_data(const struct domain *d, uint16_t port, unsigned size)
{
    return d->is_privileged && port >= PORT_PCI_DATA &&
           port + size <= PORT_PCI_DATA + 4;
}

/* The address latch is 32 bits wide; narrower accesses miss it. */
static bool is_pci_address(const struct domain *d, uint16_t port, unsigned size)
{
    return d->is_privileged && port == PORT_PCI_ADDRESS && size == 4;
}

/* A read of 1, 2 or 4 bytes by a context that may access ports. */
uint32_t ioport_read(struct domain *d, uint16_t port, unsigned size)
{
    if (is_native(d, port, size))
        return port_read(port, size);
    if (is_pci_address(d, port, size))
        return pci_address;
    if (is_pci_data(d, port, size))
        return pci_port_read(pci_address, port - PORT_PCI_DATA, size);
    return ~0u >> (32 - 8 * size);
}

/* A write of 1, 2 or 4 bytes by a context that may access ports. */
void ioport_write(struct domain *d, uint16_t port, unsigned size,
                  uint32_t value)
{
    if (is_native(d, port, size))
        port_write(port, size, value);
    else if (is_pci_address(d, port, size))
        pci_address = value;
    else if (is_pci_data(d, port, size))
        pci_port_write(pci_address, port - PORT_PCI_DATA, size, value);
}
