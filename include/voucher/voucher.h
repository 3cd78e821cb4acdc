/* libvoucher: vouchers and voucher-requests of BRSKI (RFC 8366, RFC 8995) for C programs. This header is all of it;
 * docs/libvoucher.md is the guide. */

#ifndef VOUCHER_VOUCHER_H
#define VOUCHER_VOUCHER_H

#include "artifact.h"
#include "binary_array.h"
#include "brski.h"
#include "diagnostics.h"
#include "dl_list.h"
#include "signing.h"
#include "voucher_macros.h"

#endif
