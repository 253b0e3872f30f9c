/* SPDX-License-Identifier: MIT */
/*
 * platform_op(struct xen_platform_op *): what dom0 does to the machine.
 * dom0 only: -EPERM for others. -EACCES when interface_version is another
 * one, -ENOSYS for a command not served, -EFAULT, -EINVAL. Part of the
 * control ABI, but needed for dom0 to boot.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define XENPF_INTERFACE_VERSION 0x03000001u

enum {
    XENPF_settime32 = 17,        /* not served */
    XENPF_add_memtype = 31,      /* not served: no MTRRs */
    XENPF_del_memtype = 32,      /* not served */
    XENPF_read_memtype = 33,     /* not served */
    XENPF_microcode_update = 35, /* not served */
    XENPF_platform_quirk = 39,   /* not served */
    XENPF_get_cpu_version = 48,  /* not served */
    XENPF_efi_runtime_call = 49, /* not served */
    XENPF_firmware_info = 50,
    XENPF_enter_acpi_sleep = 51,
    XENPF_change_freq = 52, /* not served */
    XENPF_getidletime = 53, /* not served */
    XENPF_set_processor_pminfo = 54,
    XENPF_get_cpuinfo = 55,
    XENPF_cpu_online = 56,
    XENPF_cpu_offline = 57,
    XENPF_cpu_hotadd = 58,   /* not served */
    XENPF_mem_hotadd = 59,   /* not served */
    XENPF_core_parking = 60, /* not served */
    XENPF_resource_op = 61,  /* not served */
    XENPF_settime64 = 62,
    XENPF_get_symbol = 63 /* not served */
};

/* XENPF_settime64: UTC at a system time. -EINVAL. */
struct xenpf_settime64_args {
    uint64_t secs;        /* in:  since 1970 */
    uint32_t nsecs;       /* in:  0..999999999 */
    uint32_t mbz;         /* in:  must be 0 */
    uint64_t system_time; /* in:  nanoseconds, when that was true */
};
ABI_SIZE(struct xenpf_settime64_args, 24);
ABI_AT(struct xenpf_settime64_args, nsecs, 8);
ABI_AT(struct xenpf_settime64_args, mbz, 12);
ABI_AT(struct xenpf_settime64_args, system_time, 16);

enum {
    XEN_FW_DISK_INFO = 1,          /* index: 0.. until -ESRCH */
    XEN_FW_DISK_MBR_SIGNATURE = 2, /* index: 0.. until -ESRCH */
    XEN_FW_VBEDDC_INFO = 3,        /* index: 0 */
    XEN_FW_EFI_INFO = 4,           /* index: XEN_FW_EFI_* */
    XEN_FW_KBD_SHIFT_FLAGS = 5     /* index: 0 */
};
enum {
    XEN_FW_EFI_VERSION = 0,
    XEN_FW_EFI_CONFIG_TABLE = 1,
    XEN_FW_EFI_VENDOR = 2,
    XEN_FW_EFI_MEM_INFO = 3,
    XEN_FW_EFI_RT_VERSION = 4,
    XEN_FW_EFI_PCI_ROM = 5,
    XEN_FW_EFI_APPLE_PROPERTIES = 6
};

/* A disk as INT 13h, functions 48h, 41h and 08h, described it. */
struct xenpf_fw_disk_info {
    uint8_t device;                   /* out: BIOS drive number */
    uint8_t version;                  /* out: EDD version */
    uint16_t interface_support;       /* out */
    uint16_t legacy_max_cylinder;     /* out */
    uint8_t legacy_max_head;          /* out */
    uint8_t legacy_sectors_per_track; /* out */
    guest_va edd_params;              /* in:  room for a parameter table */
};
ABI_SIZE(struct xenpf_fw_disk_info, 16);
ABI_AT(struct xenpf_fw_disk_info, version, 1);
ABI_AT(struct xenpf_fw_disk_info, interface_support, 2);
ABI_AT(struct xenpf_fw_disk_info, legacy_max_cylinder, 4);
ABI_AT(struct xenpf_fw_disk_info, legacy_max_head, 6);
ABI_AT(struct xenpf_fw_disk_info, legacy_sectors_per_track, 7);
ABI_AT(struct xenpf_fw_disk_info, edd_params, 8);

struct xenpf_fw_disk_mbr_signature {
    uint8_t device; /* out: BIOS drive number */
    uint8_t pad[3];
    uint32_t mbr_signature; /* out */
};
ABI_SIZE(struct xenpf_fw_disk_mbr_signature, 8);
ABI_AT(struct xenpf_fw_disk_mbr_signature, pad, 1);
ABI_AT(struct xenpf_fw_disk_mbr_signature, mbr_signature, 4);

struct xenpf_fw_vbeddc_info {
    uint8_t capabilities;       /* out */
    uint8_t edid_transfer_time; /* out: seconds */
    uint8_t pad[6];
    guest_va edid; /* in:  128 bytes, filled in */
};
ABI_SIZE(struct xenpf_fw_vbeddc_info, 16);
ABI_AT(struct xenpf_fw_vbeddc_info, edid_transfer_time, 1);
ABI_AT(struct xenpf_fw_vbeddc_info, pad, 2);
ABI_AT(struct xenpf_fw_vbeddc_info, edid, 8);

struct xenpf_fw_efi_cfg {
    uint64_t addr; /* out: physical */
    uint32_t nent; /* out: entries */
    uint32_t pad;
};
ABI_SIZE(struct xenpf_fw_efi_cfg, 16);
ABI_AT(struct xenpf_fw_efi_cfg, nent, 8);
ABI_AT(struct xenpf_fw_efi_cfg, pad, 12);

struct xenpf_fw_efi_vendor {
    uint32_t revision; /* out */
    uint32_t bufsz;    /* in:  bytes at name */
    guest_va name;     /* in:  16-bit characters, filled in */
};
ABI_SIZE(struct xenpf_fw_efi_vendor, 16);
ABI_AT(struct xenpf_fw_efi_vendor, bufsz, 4);
ABI_AT(struct xenpf_fw_efi_vendor, name, 8);

struct xenpf_fw_efi_mem {
    uint64_t addr; /* in: an address; out: its region's start */
    uint64_t size; /* in: how far; out: bytes in the region */
    uint64_t attr; /* out */
    uint32_t type; /* out */
    uint32_t pad;
};
ABI_SIZE(struct xenpf_fw_efi_mem, 32);
ABI_AT(struct xenpf_fw_efi_mem, size, 8);
ABI_AT(struct xenpf_fw_efi_mem, attr, 16);
ABI_AT(struct xenpf_fw_efi_mem, type, 24);
ABI_AT(struct xenpf_fw_efi_mem, pad, 28);

/* XENPF_firmware_info: what the BIOS or EFI knew. -ESRCH: no such thing. */
struct xenpf_firmware_info_args {
    uint32_t type;  /* in:  XEN_FW_* */
    uint32_t index; /* in:  by type */
    union {
        struct xenpf_fw_disk_info disk_info;
        struct xenpf_fw_disk_mbr_signature disk_mbr_signature;
        struct xenpf_fw_vbeddc_info vbeddc_info;
        uint32_t efi_version; /* out */
        struct xenpf_fw_efi_cfg efi_cfg;
        struct xenpf_fw_efi_vendor efi_vendor;
        struct xenpf_fw_efi_mem efi_mem;
        uint8_t kbd_shift_flags; /* out: INT 16h, function 02h */
    } u;                         /* out: by type and index */
};
ABI_SIZE(struct xenpf_firmware_info_args, 40);
ABI_AT(struct xenpf_firmware_info_args, index, 4);
ABI_AT(struct xenpf_firmware_info_args, u, 8);

#define XENPF_ACPI_SLEEP_EXTENDED 0x1u /* the reduced-hardware way */

/*
 * XENPF_enter_acpi_sleep: writes the PM1 control registers. S5 does not
 * return. -EINVAL for a state other than 3 or 5, -EPERM.
 */
struct xenpf_enter_acpi_sleep_args {
    uint16_t val_a;       /* in:  for PM1a control, or sleep type */
    uint16_t val_b;       /* in:  for PM1b control, or must be 0 */
    uint32_t sleep_state; /* in:  n of Sn */
    uint32_t flags;       /* in:  XENPF_ACPI_SLEEP_* */
};
ABI_SIZE(struct xenpf_enter_acpi_sleep_args, 12);
ABI_AT(struct xenpf_enter_acpi_sleep_args, val_b, 2);
ABI_AT(struct xenpf_enter_acpi_sleep_args, sleep_state, 4);
ABI_AT(struct xenpf_enter_acpi_sleep_args, flags, 8);

enum { XEN_PM_CX = 0, XEN_PM_PX = 1, XEN_PM_TX = 2, XEN_PM_PDC = 3 };

/*
 * XENPF_set_processor_pminfo: a processor's sleep and performance states,
 * which Mica does not manage and so does not describe. -EINVAL, -ENOSYS.
 */
struct xenpf_set_processor_pminfo_args {
    uint32_t id;   /* in:  ACPI id of the processor */
    uint32_t type; /* in:  XEN_PM_* */
    union {
        guest_va pdc;        /* in, out: uint32_t[], a _PDC buffer */
        uint64_t states[13]; /* in:  for the other types */
    } u;                     /* by type */
};
ABI_SIZE(struct xenpf_set_processor_pminfo_args, 112);
ABI_AT(struct xenpf_set_processor_pminfo_args, type, 4);
ABI_AT(struct xenpf_set_processor_pminfo_args, u, 8);

#define XEN_PCPU_FLAGS_ONLINE 0x1u
#define XEN_PCPU_FLAGS_INVALID 0x2u /* there is no such pCPU */

/* XENPF_get_cpuinfo. 0, also for a pCPU that does not exist: see flags. */
struct xenpf_get_cpuinfo_args {
    uint32_t xen_cpuid;   /* in:  pCPU */
    uint32_t max_present; /* out: the highest pCPU */
    uint32_t flags;       /* out: XEN_PCPU_FLAGS_* */
    uint32_t apic_id;     /* out: all ones when not known */
    uint32_t acpi_id;     /* out: all ones when not known */
};
ABI_SIZE(struct xenpf_get_cpuinfo_args, 20);
ABI_AT(struct xenpf_get_cpuinfo_args, max_present, 4);
ABI_AT(struct xenpf_get_cpuinfo_args, flags, 8);
ABI_AT(struct xenpf_get_cpuinfo_args, apic_id, 12);
ABI_AT(struct xenpf_get_cpuinfo_args, acpi_id, 16);

/* XENPF_cpu_online, XENPF_cpu_offline. 0; -EINVAL, -EBUSY, -ENOSYS. */
struct xenpf_cpu_ol_args {
    uint32_t cpuid; /* in:  pCPU */
};
ABI_SIZE(struct xenpf_cpu_ol_args, 4);

struct xen_platform_op {
    uint32_t cmd;               /* in:  XENPF_* */
    uint32_t interface_version; /* in:  XENPF_INTERFACE_VERSION */
    union {
        struct xenpf_settime64_args settime64;
        struct xenpf_firmware_info_args firmware_info;
        struct xenpf_enter_acpi_sleep_args enter_acpi_sleep;
        struct xenpf_set_processor_pminfo_args set_pminfo;
        struct xenpf_get_cpuinfo_args pcpu_info;
        struct xenpf_cpu_ol_args cpu_ol;
        uint64_t pad[16];
    } u; /* by cmd */
};
ABI_SIZE(struct xen_platform_op, 136);
ABI_AT(struct xen_platform_op, interface_version, 4);
ABI_AT(struct xen_platform_op, u, 8);
