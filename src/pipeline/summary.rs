//! What a run has counted, as one JSON object and as a table for people, and the identities that it must satisfy.

use std::fmt::Write as _;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::alerting::IncidentCounts;
use super::counters::{PacketCounters, Totals, Unclassified, Verdicts};
use crate::alert::AlertCounts;
use crate::flow::{EndReason, TableCounters};
use crate::model::EvidenceKind;
use crate::packet::{Tunnel, Unparsed};
use crate::sink::{LakeCounts, LakeLoss};

/// The counts of a whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    packets: Packets,
    flows: Flows,
    alerts: Alerts,
    /// Only where flows are looked at together.
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents: Option<Incidents>,
    /// Only where there is a lake.
    #[serde(skip_serializing_if = "Option::is_none")]
    lake: Option<Lake>,
    capture: Capture,
}

#[derive(Clone, Debug, Serialize)]
struct Lake {
    written: u64,
    lost: Named,
    files: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Incidents {
    raised: Named,
    lines: u64,
    lost: u64,
    overflow: u64,
    evicted: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Packets {
    received: u64,
    parsed: u64,
    unparsed: Named,
    bytes: u64,
    decapsulated: Named,
    copies: u64,
    late: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Flows {
    created: u64,
    ended: Named,
    active: u64,
    classified: Named,
    unclassified: Named,
    early_verdicts: u64,
    novel: u64,
    non_finite_features: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Alerts {
    predicted: u64,
    emitted: u64,
    suppressed: u64,
    lost: u64,
    early: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Capture {
    files: u64,
    incomplete_files: u64,
    clock_steps: u64,
    dropped_kernel: u64,
    dropped_interface: u64,
}

/// Counts by name, in their own order.
#[derive(Clone, Debug)]
struct Named(Vec<(String, u64)>);

/// An identity that does not hold: a mistake of this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the counts do not balance: {left_name} is {left}, {right_name} is {right}; please report this")]
pub struct Imbalance {
    left_name: &'static str,
    left: u64,
    right_name: &'static str,
    right: u64,
}

impl Summary {
    /// The summary of these counts; `labels` are the model's.
    #[must_use]
    pub fn new(totals: &Totals, verdicts: &Verdicts, labels: &[String], alerts: &AlertCounts) -> Self {
        let Totals {
            packets,
            copies,
            flows,
            active,
            clock_steps,
            files,
            incomplete_files,
            dropped_kernel,
            dropped_interface,
        } = *totals;
        let PacketCounters { received, parsed, unparsed, bytes, decapsulated } = packets;
        let TableCounters { created, ended, early, late_packets } = flows;
        Self {
            packets: Packets {
                received,
                parsed,
                unparsed: Named::new(Unparsed::ALL.map(Unparsed::name), &unparsed),
                bytes,
                decapsulated: Named::new(Tunnel::ALL.map(Tunnel::name), &decapsulated),
                copies,
                late: late_packets,
            },
            flows: Flows {
                created,
                ended: Named::new(EndReason::ALL.map(EndReason::name), &ended),
                active,
                classified: Named::new(labels, &verdicts.classified),
                unclassified: Named::new(Unclassified::ALL.map(Unclassified::name), &verdicts.unclassified),
                early_verdicts: early,
                novel: alerts.novel,
                non_finite_features: verdicts.non_finite,
            },
            alerts: Alerts {
                predicted: alerts.predicted,
                emitted: alerts.emitted,
                suppressed: alerts.suppressed_total(),
                lost: alerts.lost,
                early: alerts.early,
            },
            incidents: None,
            lake: None,
            capture: Capture { files, incomplete_files, clock_steps, dropped_kernel, dropped_interface },
        }
    }

    /// The same with what was counted of incidents.
    #[must_use]
    pub fn with_incidents(self, counts: Option<IncidentCounts>) -> Self {
        let told = |IncidentCounts { evidence, lines, lost }: IncidentCounts| Incidents {
            raised: Named::new(EvidenceKind::ALL.map(EvidenceKind::name), &evidence.raised),
            lines,
            lost,
            overflow: evidence.overflow.saturating_add(evidence.early_overflow),
            evicted: evidence.evicted,
        };
        Self { incidents: counts.map(told), ..self }
    }

    /// The same with what was counted of a lake that has ended.
    #[must_use]
    pub fn with_lake(self, counts: Option<&LakeCounts>) -> Self {
        let told = |counts: &LakeCounts| Lake {
            written: counts.written(),
            lost: Named::new(LakeLoss::ALL.map(LakeLoss::name), &LakeLoss::ALL.map(|reason| counts.lost(reason))),
            files: counts.files(),
        };
        Self { lake: counts.map(told), ..self }
    }

    /// Checks the balance identities (DESIGN section 2); they hold whenever nothing is on its way.
    ///
    /// # Errors
    /// The first identity that does not hold.
    pub fn check(&self) -> Result<(), Imbalance> {
        let Self { packets, flows, alerts, .. } = self;
        let ended = flows.ended.sum();
        for (left_name, left, right_name, right) in [
            ("packets received", packets.received, "parsed + unparsed", packets.parsed + packets.unparsed.sum()),
            ("flows created", flows.created, "ended + active", ended + flows.active),
            ("flows ended", ended, "classified + unclassified", flows.classified.sum() + flows.unclassified.sum()),
            (
                "attacks predicted",
                alerts.predicted,
                "emitted + suppressed + lost",
                alerts.emitted + alerts.suppressed + alerts.lost,
            ),
        ] {
            if left != right {
                return Err(Imbalance { left_name, left, right_name, right });
            }
        }
        if let Some(lake) = &self.lake {
            let (left, right) = (flows.classified.sum(), lake.written + lake.lost.sum());
            if left != right {
                return Err(Imbalance {
                    left_name: "flows classified",
                    left,
                    right_name: "lake's written + lost",
                    right,
                });
            }
        }
        Ok(())
    }

    /// The counters as one JSON object.
    ///
    /// # Errors
    /// None: every key is a string. The encoder's are passed on.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// A short table for people; `seconds` is how long the run took.
    #[must_use]
    pub fn table(&self, seconds: f64) -> String {
        let Self { packets, flows, alerts, incidents, lake, capture } = self;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |name: &str, value: String| writeln!(text, "  {name:<10} {value}").unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = packets.received as f64 / seconds.max(1e-9);
        let mut received = format!("{} received, {rate:.0} a second", packets.received);
        for (name, count) in [
            ("not read", packets.unparsed.sum()),
            ("out of tunnels", packets.decapsulated.sum()),
            ("copies of others", packets.copies),
            ("late", packets.late),
            ("dropped", capture.dropped_kernel + capture.dropped_interface),
        ] {
            if count > 0 {
                write!(received, ", {count} {name}").unwrap_or_default();
            }
        }
        line("packets", received);
        line("flows", format!("{} ended ({}), {} active", flows.ended.sum(), flows.ended.not_zero(), flows.active));
        line("labels", format!("{}; {} novel", flows.classified.not_zero(), flows.novel));
        line(
            "alerts",
            format!(
                "{} predicted: {} emitted, {} suppressed, {} lost; {} early",
                alerts.predicted, alerts.emitted, alerts.suppressed, alerts.lost, alerts.early
            ),
        );
        if let Some(incidents) = incidents {
            line(
                "incidents",
                format!(
                    "{} raised ({}), {} lines",
                    incidents.raised.sum(),
                    incidents.raised.not_zero(),
                    incidents.lines
                ),
            );
        }
        if let Some(Lake { written, lost, files }) = lake {
            line("lake", format!("{written} flows in {files} files; lost: {}", lost.not_zero()));
        }
        text
    }
}

impl Named {
    fn new(names: impl IntoIterator<Item = impl AsRef<str>>, counts: &[u64]) -> Self {
        Self(names.into_iter().map(|name| name.as_ref().to_owned()).zip(counts.iter().copied()).collect())
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// `name count` of those that are not 0.
    fn not_zero(&self) -> String {
        let some: Vec<String> =
            self.0.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
        if some.is_empty() { "none".to_owned() } else { some.join(", ") }
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, count) in &self.0 {
            map.serialize_entry(name, count)?;
        }
        map.end()
    }
}
