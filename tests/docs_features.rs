//! `docs/features.md` is made from the schema table; this test fails when it is stale.
//!
//! `UPDATE_DOCS=1 cargo test --test docs_features` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use flowshrike::features::schema::{FEATURES, IDENTITIES, IDENTITY_COLUMNS, Kind, LABEL_COLUMN};

#[test]
fn the_feature_reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/features.md");
    let current = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &current).expect("docs/features.md can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "docs/features.md is stale: run `make docs`");
}

fn reference() -> String {
    let mut page = String::from(HEAD);
    for (position, column) in IDENTITY_COLUMNS.into_iter().enumerate() {
        let number = IDENTITIES.iter().find(|feature| feature.column == column);
        let key = number.map(|feature| format!("`{}`", feature.key)).unwrap_or_default();
        let definition = number.map_or(FLOW_ID, |feature| feature.definition);
        writeln!(page, "| {} | `{column}` | {key} | | {definition} | |", position + 1)
            .expect("strings take every write");
    }
    for (position, feature) in FEATURES.iter().enumerate() {
        let kind = match feature.kind {
            Kind::Integer => "integer",
            Kind::Double => "double",
        };
        let unit =
            if feature.unit.name().is_empty() { kind.to_owned() } else { format!("{kind}, {}", feature.unit.name()) };
        writeln!(
            page,
            "| {} | `{}` | `{}` | {unit} | {} | {} |",
            position + IDENTITY_COLUMNS.len() + 1,
            feature.column,
            feature.key,
            feature.definition,
            if feature.portable { "yes" } else { "no" },
        )
        .expect("strings take every write");
    }
    let last = IDENTITY_COLUMNS.len() + FEATURES.len() + 1;
    writeln!(page, "| {last} | `{LABEL_COLUMN}` | | | `NeedManualLabel` until somebody labels the flow | |")
        .expect("strings take every write");
    page.push_str(LEAKY);
    for feature in IDENTITIES.iter().chain(&FEATURES) {
        if let Some(reason) = feature.leaky {
            writeln!(page, "- `{}`: {reason}.", feature.column).expect("strings take every write");
        }
    }
    page.push_str(DIFFERENCES);
    for feature in &FEATURES {
        if let Some(difference) = feature.difference {
            writeln!(page, "- `{}`: {difference}.", feature.column).expect("strings take every write");
        }
    }
    page
}

const HEAD: &str = "\
# Feature columns

Made from the schema table (`src/features/schema.rs`) by `make docs`; do not edit.

`flowshrike extract` writes these columns as CSV; `--format jsonl` writes the values by their keys, with the end
reason and part of each flow. A flow has a forward direction (from its initiator) and a backward one. Lengths are L4
payload bytes, times are microseconds, deviations are of the sample (divisor n − 1). A cell that has no value for a
flow (no backward packet, one packet only) prints `0`; in JSON lines it is `null`.

A column is *portable* when both profiles compute the same value from the same packets. A model may use only
portable columns unless it says otherwise.

| # | column | key | type, unit | definition (standard profile) | portable |
|---|---|---|---|---|---|
";

const FLOW_ID: &str = "`src-dst-sport-dport-protocol`; not unique";

const LEAKY: &str = "
## Leaky columns

These tell where or when a flow was seen. A model may read them only by `train --allow-leaky` ([columns.md](columns.md)).

";

const DIFFERENCES: &str = "
## Where the `cic` profile differs

The `cic` profile repeats the CICFlowMeter version that made the Kubernetes misuse data set, quirks included; the
numbers Q1 to Q27 name them. `standard` mends them. Flow boundaries and packets:

- Q1: in `cic` no flow ends by time; one that is older than 120 s is cut when its next packet comes. `standard` ends a
  flow after 60 s without a packet and cuts it 120 s after its first one, on the clock; what continues a cut flow keeps
  its direction and connection time.
- Q2, Q3: in `cic` any ACK after two FINs, or any RST, makes a flow ready, and late packets join it until a SYN. In
  `standard` a flow ends at the ACK of the second FIN, or at an RST, by sequence number; packets of the next 2 s are
  counted as late and open no flow.
- Q5: in `cic` direction is told by address alone; in `standard` by address and port. A flow whose first packet is a
  SYN-ACK begins, in `standard`, with its receiver.
- Q6: in `cic` the Flow ID may read responder first.
- Q8: phantom packets (frames that are not IPv4, read as if they were) are left out of both.
- Q9, Q15, Q16, Q25: `cic` knows TCP, UDP and 0 for everything else, books an ICMP error under the ports it quotes, and
  reads no IPv6. `standard` has the real protocol number, IPv6, and ICMP by its own header, payload counted.
- Q10 to Q13: `cic` counts captured bytes, with padding behind VLAN tags and without 14 bytes of LLC/SNAP frames, and
  nothing where the IP length is 0. `standard` takes lengths from IP and UDP headers, whatever the snaplen.
- Q14: in `cic` later fragments are flows of their own; in `standard` they belong to their datagram's flow.
- Q22: in `cic` a clock that goes back gives negative gaps; in `standard` such a packet counts with the flow's last time,
  and a step back of more than 10 s ends all live flows.
- Q24: in `cic` tunnels give outer addresses with inner ports; `standard` reads the outer packet.

Columns:

";
