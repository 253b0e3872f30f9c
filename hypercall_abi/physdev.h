/* SPDX-License-Identifier: MIT */
/*
 * physdev_op(cmd, arg): interrupts and PCI devices. Domains with devices
 * manage what is theirs; naming a device or a GSI is for dom0 (-EPERM
 * otherwise). Common errors: -ENOSYS unknown command, -EFAULT, -EINVAL.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    PHYSDEVOP_IRQ_UNMASK_NOTIFY = 4, /* no argument; old; 0 */
    PHYSDEVOP_irq_status_query = 5,
    PHYSDEVOP_set_iopl = 6,
    PHYSDEVOP_set_iobitmap = 7,
    PHYSDEVOP_apic_read = 8,
    PHYSDEVOP_apic_write = 9,
    PHYSDEVOP_alloc_irq_vector = 10,
    PHYSDEVOP_free_irq_vector = 11, /* old; 0 */
    PHYSDEVOP_eoi = 12,
    PHYSDEVOP_map_pirq = 13,
    PHYSDEVOP_unmap_pirq = 14,
    PHYSDEVOP_manage_pci_add = 15,
    PHYSDEVOP_manage_pci_remove = 16,
    PHYSDEVOP_pirq_eoi_gmfn_v1 = 17,
    PHYSDEVOP_restore_msi = 19,
    PHYSDEVOP_manage_pci_add_ext = 20,
    PHYSDEVOP_setup_gsi = 21,
    PHYSDEVOP_get_free_pirq = 23,
    PHYSDEVOP_pci_mmcfg_reserved = 24,
    PHYSDEVOP_pci_device_add = 25,
    PHYSDEVOP_pci_device_remove = 26,
    PHYSDEVOP_restore_msi_ext = 27,
    PHYSDEVOP_pirq_eoi_gmfn_v2 = 28,
    PHYSDEVOP_dbgp_op = 29,
    PHYSDEVOP_prepare_msix = 30,
    PHYSDEVOP_release_msix = 31
};

/*
 * PHYSDEVOP_eoi: the interrupt has been served and may come again. 0, also
 * for a pirq that is bound to no port; -EINVAL for one out of range.
 */
struct physdev_eoi_args {
    uint32_t irq; /* in:  a pirq */
};
ABI_SIZE(struct physdev_eoi_args, 4);

/*
 * PHYSDEVOP_pirq_eoi_gmfn_v1, _v2: a frame that becomes a bitmap of the pirqs
 * that need an EOI. -ENOSYS where not served: the guest then asks with
 * irq_status_query. -EBUSY when there is one already.
 */
struct physdev_pirq_eoi_gmfn_args {
    uint64_t gmfn; /* in */
};
ABI_SIZE(struct physdev_pirq_eoi_gmfn_args, 8);

#define XENIRQSTAT_needs_eoi 0x1u
#define XENIRQSTAT_shared 0x2u

/* PHYSDEVOP_irq_status_query. 0; -EINVAL for a pirq out of range. */
struct physdev_irq_status_query_args {
    uint32_t irq;   /* in:  a pirq */
    uint32_t flags; /* out: XENIRQSTAT_* */
};
ABI_SIZE(struct physdev_irq_status_query_args, 8);
ABI_AT(struct physdev_irq_status_query_args, flags, 4);

/* PHYSDEVOP_set_iopl: the calling vCPU's virtual IOPL. Any domain. 0. */
struct physdev_set_iopl_args {
    uint32_t iopl; /* in:  0..3; -EINVAL above */
};
ABI_SIZE(struct physdev_set_iopl_args, 4);

/*
 * PHYSDEVOP_set_iobitmap: ports that user mode on the calling vCPU may use, a
 * clear bit allows one. Any domain. 0; -EINVAL for too many ports.
 */
struct physdev_set_iobitmap_args {
    guest_va bitmap;   /* in:  0 for none */
    uint32_t nr_ports; /* in:  bits, 0..65536 */
    uint32_t pad;
};
ABI_SIZE(struct physdev_set_iobitmap_args, 16);
ABI_AT(struct physdev_set_iobitmap_args, nr_ports, 8);
ABI_AT(struct physdev_set_iobitmap_args, pad, 12);

/* PHYSDEVOP_apic_read, _write: an I/O APIC's register. dom0. 0; -EPERM. */
struct physdev_apic_args {
    uint64_t apic_physbase; /* in:  which one */
    uint32_t reg;           /* in:  register number */
    uint32_t value;         /* in or out */
};
ABI_SIZE(struct physdev_apic_args, 16);
ABI_AT(struct physdev_apic_args, reg, 8);
ABI_AT(struct physdev_apic_args, value, 12);

/*
 * PHYSDEVOP_alloc_irq_vector, _free_irq_vector: old; the vector means nothing
 * to the caller. dom0. 0; -EPERM, -EINVAL.
 */
struct physdev_irq_args {
    uint32_t irq;    /* in */
    uint32_t vector; /* out */
};
ABI_SIZE(struct physdev_irq_args, 8);
ABI_AT(struct physdev_irq_args, vector, 4);

enum {
    MAP_PIRQ_TYPE_MSI = 0, /* MSI or MSI-X, PCI segment 0 */
    MAP_PIRQ_TYPE_GSI = 1,
    MAP_PIRQ_TYPE_UNKNOWN = 2,
    MAP_PIRQ_TYPE_MSI_SEG = 3,  /* as MSI; bits 31:16 of bus: segment */
    MAP_PIRQ_TYPE_MULTI_MSI = 4 /* as MSI_SEG; entry_nr pirqs in a row */
};

/*
 * PHYSDEVOP_map_pirq: gives a domain a pirq for a GSI or for a device's
 * message. The hypervisor programs the device; it stays masked until
 * EVTCHNOP_bind_pirq. 0; -EPERM, -ENODEV no such device, -ENOSPC no free
 * pirq or vector, -EINVAL, -ESRCH.
 */
struct physdev_map_pirq_args {
    domid_t domid; /* in:  who gets it */
    uint16_t pad0;
    int32_t type;     /* in:  MAP_PIRQ_TYPE_* */
    int32_t index;    /* in:  GSI; -1 for messages */
    int32_t pirq;     /* in:  wanted, or -1; out: given */
    int32_t bus;      /* in:  bits 31:16 segment, 7:0 bus */
    int32_t devfn;    /* in */
    int32_t entry_nr; /* in:  MSI-X entry, or the number of pirqs;
                                   out: how many a multi-MSI could have */
    uint32_t pad1;
    uint64_t table_base; /* in:  MSI-X: address of the BAR; MSI: 0 */
};
ABI_SIZE(struct physdev_map_pirq_args, 40);
ABI_AT(struct physdev_map_pirq_args, pad0, 2);
ABI_AT(struct physdev_map_pirq_args, type, 4);
ABI_AT(struct physdev_map_pirq_args, index, 8);
ABI_AT(struct physdev_map_pirq_args, pirq, 12);
ABI_AT(struct physdev_map_pirq_args, bus, 16);
ABI_AT(struct physdev_map_pirq_args, devfn, 20);
ABI_AT(struct physdev_map_pirq_args, entry_nr, 24);
ABI_AT(struct physdev_map_pirq_args, pad1, 28);
ABI_AT(struct physdev_map_pirq_args, table_base, 32);

/* PHYSDEVOP_unmap_pirq. 0; -EINVAL when it is not mapped, -EPERM, -ESRCH. */
struct physdev_unmap_pirq_args {
    domid_t domid; /* in */
    uint16_t pad;
    int32_t pirq; /* in */
};
ABI_SIZE(struct physdev_unmap_pirq_args, 8);
ABI_AT(struct physdev_unmap_pirq_args, pad, 2);
ABI_AT(struct physdev_unmap_pirq_args, pirq, 4);

/*
 * PHYSDEVOP_manage_pci_add, _manage_pci_remove, _restore_msi: a device in PCI
 * segment 0, the way before the pci_device operations. dom0. 0; -EPERM,
 * -ENODEV.
 */
struct physdev_manage_pci_args {
    uint8_t bus;   /* in */
    uint8_t devfn; /* in */
};
ABI_SIZE(struct physdev_manage_pci_args, 2);
ABI_AT(struct physdev_manage_pci_args, devfn, 1);

/* PHYSDEVOP_manage_pci_add_ext: as manage_pci_add, with more to say. */
struct physdev_manage_pci_ext_args {
    uint8_t bus;   /* in */
    uint8_t devfn; /* in */
    uint16_t pad0;
    uint32_t is_extfn;    /* in:  0 or 1: devfn is an ARI function */
    uint32_t is_virtfn;   /* in:  0 or 1: physfn tells whose */
    uint8_t physfn_bus;   /* in */
    uint8_t physfn_devfn; /* in */
    uint16_t pad1;
};
ABI_SIZE(struct physdev_manage_pci_ext_args, 16);
ABI_AT(struct physdev_manage_pci_ext_args, devfn, 1);
ABI_AT(struct physdev_manage_pci_ext_args, pad0, 2);
ABI_AT(struct physdev_manage_pci_ext_args, is_extfn, 4);
ABI_AT(struct physdev_manage_pci_ext_args, is_virtfn, 8);
ABI_AT(struct physdev_manage_pci_ext_args, physfn_bus, 12);
ABI_AT(struct physdev_manage_pci_ext_args, physfn_devfn, 13);
ABI_AT(struct physdev_manage_pci_ext_args, pad1, 14);

/*
 * PHYSDEVOP_setup_gsi: how an interrupt line is wired. dom0. 0; -EEXIST when
 * the line is set up already or is the hypervisor's, -EPERM, -EINVAL.
 */
struct physdev_setup_gsi_args {
    int32_t gsi;        /* in */
    uint8_t triggering; /* in:  0 edge, 1 level */
    uint8_t polarity;   /* in:  0 active high, 1 active low */
    uint16_t pad;
};
ABI_SIZE(struct physdev_setup_gsi_args, 8);
ABI_AT(struct physdev_setup_gsi_args, triggering, 4);
ABI_AT(struct physdev_setup_gsi_args, polarity, 5);
ABI_AT(struct physdev_setup_gsi_args, pad, 6);

/* PHYSDEVOP_get_free_pirq: a pirq nothing is mapped to. 0; -ENOSPC. */
struct physdev_get_free_pirq_args {
    int32_t type;  /* in:  MAP_PIRQ_TYPE_* */
    uint32_t pirq; /* out */
};
ABI_SIZE(struct physdev_get_free_pirq_args, 8);
ABI_AT(struct physdev_get_free_pirq_args, pirq, 4);

#define XEN_PCI_MMCFG_RESERVED 0x1u /* the firmware has reserved it */

/*
 * PHYSDEVOP_pci_mmcfg_reserved: whether a configuration window can be used.
 * dom0. 0; -ENODEV for a window the hypervisor does not know, -EPERM,
 * -ENOSYS.
 */
struct physdev_pci_mmcfg_reserved_args {
    uint64_t address;  /* in:  physical */
    uint16_t segment;  /* in */
    uint8_t start_bus; /* in */
    uint8_t end_bus;   /* in:  included */
    uint32_t flags;    /* in:  XEN_PCI_MMCFG_* */
};
ABI_SIZE(struct physdev_pci_mmcfg_reserved_args, 16);
ABI_AT(struct physdev_pci_mmcfg_reserved_args, segment, 8);
ABI_AT(struct physdev_pci_mmcfg_reserved_args, start_bus, 10);
ABI_AT(struct physdev_pci_mmcfg_reserved_args, end_bus, 11);
ABI_AT(struct physdev_pci_mmcfg_reserved_args, flags, 12);

#define XEN_PCI_DEV_EXTFN 0x1u  /* an ARI function */
#define XEN_PCI_DEV_VIRTFN 0x2u /* a virtual function of physfn */
#define XEN_PCI_DEV_PXM 0x4u    /* a proximity domain follows */

/*
 * PHYSDEVOP_pci_device_add: dom0 has found a device. With XEN_PCI_DEV_PXM a
 * uint32_t, the proximity domain, follows the structure. dom0. 0; -EPERM,
 * -EINVAL, -ENODEV; after -ENOSYS the kernel falls back to manage_pci_add.
 */
struct physdev_pci_device_add_args {
    uint16_t seg;         /* in */
    uint8_t bus;          /* in */
    uint8_t devfn;        /* in */
    uint32_t flags;       /* in:  XEN_PCI_DEV_* */
    uint8_t physfn_bus;   /* in:  with VIRTFN */
    uint8_t physfn_devfn; /* in:  with VIRTFN */
    uint16_t pad;
};
ABI_SIZE(struct physdev_pci_device_add_args, 12);
ABI_AT(struct physdev_pci_device_add_args, bus, 2);
ABI_AT(struct physdev_pci_device_add_args, devfn, 3);
ABI_AT(struct physdev_pci_device_add_args, flags, 4);
ABI_AT(struct physdev_pci_device_add_args, physfn_bus, 8);
ABI_AT(struct physdev_pci_device_add_args, physfn_devfn, 9);
ABI_AT(struct physdev_pci_device_add_args, pad, 10);

/*
 * PHYSDEVOP_pci_device_remove, _restore_msi_ext, _prepare_msix,
 * _release_msix: a device. dom0. 0; -EPERM, -ENODEV.
 */
struct physdev_pci_device_args {
    uint16_t seg;  /* in */
    uint8_t bus;   /* in */
    uint8_t devfn; /* in */
};
ABI_SIZE(struct physdev_pci_device_args, 4);
ABI_AT(struct physdev_pci_device_args, bus, 2);
ABI_AT(struct physdev_pci_device_args, devfn, 3);

enum { PHYSDEVOP_DBGP_RESET_PREPARE = 1, PHYSDEVOP_DBGP_RESET_DONE = 2 };
enum { PHYSDEVOP_DBGP_BUS_UNKNOWN = 0, PHYSDEVOP_DBGP_BUS_PCI = 1 };

/* PHYSDEVOP_dbgp_op: a USB debug port is about to be reset. dom0. 0. */
struct physdev_dbgp_op_args {
    uint8_t op;                         /* in:  PHYSDEVOP_DBGP_RESET_* */
    uint8_t bus;                        /* in:  PHYSDEVOP_DBGP_BUS_* */
    struct physdev_pci_device_args pci; /* in:  the controller */
};
ABI_SIZE(struct physdev_dbgp_op_args, 6);
ABI_AT(struct physdev_dbgp_op_args, bus, 1);
ABI_AT(struct physdev_dbgp_op_args, pci, 2);
