// What a flow cannot do without: its asymmetric operations, timed on this machine.

#pragma once

namespace cahn::bench {

// How many of each. By default those of one onboarding, C+D with new TLS and a pooled registrar-MASA connection.
struct FloorCounts {
  int signatures = 7;  // TLS: 2; voucher-requests: 2; voucher; CSR; LDevID
  int verifications =
      16;              // TLS; the CMS and chains of PVR, RVR (with the PVR inside) and voucher; CSR; LDevID and chain
  int agreements = 4;  // X25519, both ends
  int key_pairs = 2;   // the LDevID's, an ephemeral one
};

struct Floor {
  double sign_us = 0, verify_us = 0, agree_us = 0, key_pair_us = 0;
  double flow_us = 0;           // of one core
  double flows_per_second = 0;  // of all cores
};

// Times each operation alone, on the calling thread.
Floor measure_floor(unsigned cores, const FloorCounts& counts = {});

}  // namespace cahn::bench
