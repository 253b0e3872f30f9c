/* SPDX-License-Identifier: MIT */
/* Mica's own version, as the banner shows it. */
#pragma once

#define MICA_VERSION "0.1"
