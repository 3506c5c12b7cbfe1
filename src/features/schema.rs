//! The schema: one table from which the CSV header, the documentation, and a model's feature list come.
//!
//! Names are the column names of the reference meter (FEATURES.md section 4), so that its data sets and
//! ours read alike. A column is *portable* when both profiles give the same value for the same
//! packets, up to the marked undefined cases, which a model's transform maps to 0 in both.

use std::fmt;

pub use super::identity::{IDENTITIES, Identity};

/// Position of a numeric feature column in [`FEATURES`] and in every [`super::FeatureVector`]; the positions after those are
/// the identity columns of [`IDENTITIES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeatureId(u8);

/// One numeric feature column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The CICFlowMeter column name.
    pub column: &'static str,
    /// The same as an identifier: lower case, underscores.
    pub key: &'static str,
    /// Unit of the value.
    pub unit: Unit,
    /// How the reference prints it.
    pub kind: Kind,
    /// What it is, in the standard profile.
    pub definition: &'static str,
    /// Where the `cic` profile differs, if it does.
    pub difference: Option<&'static str>,
    /// Whether both profiles give the same value for the same packets.
    pub portable: bool,
    /// Why a model that reads it learns where or when flows were seen in place of what they did, if so.
    pub leaky: Option<&'static str>,
}

/// How a column's defined values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A double.
    Double,
}

/// Units of feature columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// Bytes.
    Bytes,
    /// Squared bytes.
    BytesSquared,
    /// Packets.
    Packets,
    /// Bytes per second.
    BytesPerSecond,
    /// Packets per second.
    PacketsPerSecond,
    /// Raw TCP window units, unscaled.
    WindowUnits,
    /// Seconds since 1970, UTC.
    Seconds,
    /// A bare number.
    Ratio,
}

/// How many numeric feature columns there are.
pub const FEATURE_COUNT: usize = FEATURES.len();

/// The columns before the features: who and when. No model that the daemon runs reads them.
pub const IDENTITY_COLUMNS: [&str; 7] =
    ["Flow ID", "Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol", "Timestamp"];

/// Columns by which evidence beyond one flow tells how a contact went.
pub const CONTACT_COLUMNS: [&str; 9] = [
    "Flow Duration",
    "Total Fwd Packet",
    "Total Bwd packets",
    "Total Length of Fwd Packet",
    "Total Length of Bwd Packet",
    "SYN Flag Count",
    "RST Flag Count",
    "Bwd RST Flags",
    "ACK Flag Count",
];

/// The column after the features.
pub const LABEL_COLUMN: &str = "Label";

/// What the reference prints in [`LABEL_COLUMN`].
pub const NO_LABEL: &str = "NeedManualLabel";

impl FeatureId {
    /// The feature at a position of [`FEATURES`].
    #[must_use]
    pub fn new(position: usize) -> Option<Self> {
        u8::try_from(position).ok().filter(|_| position < FEATURE_COUNT).map(Self)
    }

    /// The feature of a column name or key, without regard to case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        FEATURES.iter().position(|feature| feature.is_named(name)).and_then(Self::new)
    }

    /// Every feature, in column order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..FEATURE_COUNT).filter_map(Self::new)
    }

    /// Position in [`FEATURES`]; of an identity column, [`FEATURE_COUNT`] and its position in [`IDENTITIES`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The feature's row of the table.
    #[must_use]
    pub fn feature(self) -> &'static Feature {
        FEATURES.iter().chain(&IDENTITIES).nth(self.index()).unwrap_or(&FEATURES[0])
    }

    /// A feature, or the identity column, of a column name or key. Only experiments with leaky columns ask for those.
    #[must_use]
    pub fn named_or_identity(name: &str) -> Option<Self> {
        Self::named(name).or_else(|| Self::identities().find(|id| id.feature().is_named(name.trim())))
    }

    /// Every identity column, in the order of [`IDENTITIES`].
    pub fn identities() -> impl Iterator<Item = Self> {
        (FEATURE_COUNT..FEATURE_COUNT + IDENTITIES.len()).filter_map(|position| u8::try_from(position).ok().map(Self))
    }

    /// What an identity column holds; `None` for a feature.
    #[must_use]
    pub fn identity(self) -> Option<Identity> {
        self.index().checked_sub(FEATURE_COUNT).and_then(Identity::at)
    }
}

impl fmt::Display for FeatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.feature().column)
    }
}

impl Unit {
    /// The unit as the documentation prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Bytes => "bytes",
            Self::BytesSquared => "bytes²",
            Self::Packets => "packets",
            Self::BytesPerSecond => "bytes/s",
            Self::PacketsPerSecond => "packets/s",
            Self::WindowUnits => "window units",
            Self::Seconds => "s",
            Self::Ratio => "",
        }
    }
}

/// A column that both profiles compute alike.
const fn same(column: &'static str, key: &'static str, unit: Unit, kind: Kind, definition: &'static str) -> Feature {
    Feature { column, key, unit, kind, definition, difference: None, portable: true, leaky: None }
}

impl Feature {
    /// Whether a data set that is kept needs the column: a model of the daemon may read it, or evidence goes by it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.portable && self.leaky.is_none() || CONTACT_COLUMNS.contains(&self.column)
    }

    fn is_named(&self, name: &str) -> bool {
        self.column.eq_ignore_ascii_case(name) || self.key.eq_ignore_ascii_case(name)
    }

    /// Leaky.
    const fn leaks(self, reason: &'static str) -> Self {
        Self { leaky: Some(reason), ..self }
    }

    /// Portable all the same: the profiles differ only where the value is undefined or outside TCP and UDP.
    const fn except(self, difference: &'static str) -> Self {
        Self { difference: Some(difference), ..self }
    }

    /// Not portable.
    const fn differs(self, difference: &'static str) -> Self {
        Self { difference: Some(difference), portable: false, ..self }
    }
}

/// Of the initial windows and header sizes.
const HOST: &str = "the host's network stack sets it, so that it names the host, not the attack";

use Kind::{Double, Integer};

/// The numeric feature columns, in the reference's order.
#[rustfmt::skip]
pub const FEATURES: [Feature; 79] = [
    same("Flow Duration", "flow_duration", Unit::Micros, Integer, "last packet − first packet"),
    same("Total Fwd Packet", "total_fwd_packet", Unit::Packets, Integer, "forward packets"),
    same("Total Bwd packets", "total_bwd_packets", Unit::Packets, Integer, "backward packets"),
    same("Total Length of Fwd Packet", "total_length_of_fwd_packet", Unit::Bytes, Double, "sum of forward payload lengths"),
    same("Total Length of Bwd Packet", "total_length_of_bwd_packet", Unit::Bytes, Double, "sum of backward payload lengths"),
    same("Fwd Packet Length Max", "fwd_packet_length_max", Unit::Bytes, Double, "greatest forward payload length"),
    same("Fwd Packet Length Min", "fwd_packet_length_min", Unit::Bytes, Double, "least forward payload length"),
    same("Fwd Packet Length Mean", "fwd_packet_length_mean", Unit::Bytes, Double, "mean forward payload length"),
    same("Fwd Packet Length Std", "fwd_packet_length_std", Unit::Bytes, Double, "sample standard deviation of forward payload lengths"),
    same("Bwd Packet Length Max", "bwd_packet_length_max", Unit::Bytes, Double, "greatest backward payload length"),
    same("Bwd Packet Length Min", "bwd_packet_length_min", Unit::Bytes, Double, "least backward payload length"),
    same("Bwd Packet Length Mean", "bwd_packet_length_mean", Unit::Bytes, Double, "mean backward payload length"),
    same("Bwd Packet Length Std", "bwd_packet_length_std", Unit::Bytes, Double, "sample standard deviation of backward payload lengths"),
    same("Flow Bytes/s", "flow_bytes_per_second", Unit::BytesPerSecond, Double, "payload bytes of both directions / duration")
        .except("cic: `Infinity` (`NaN` without payload) when the duration is 0; standard: 0, marked undefined"),
    same("Flow Packets/s", "flow_packets_per_second", Unit::PacketsPerSecond, Double, "packets of both directions / duration")
        .except("cic: `Infinity` when the duration is 0; standard: 0, marked undefined"),
    same("Flow IAT Mean", "flow_iat_mean", Unit::Micros, Double, "mean gap between consecutive packets")
        .except("cic: `NaN` for one packet; standard: 0, marked undefined"),
    same("Flow IAT Std", "flow_iat_std", Unit::Micros, Double, "sample standard deviation of the gaps between consecutive packets")
        .except("cic: `NaN` for one packet; standard: 0, marked undefined"),
    same("Flow IAT Max", "flow_iat_max", Unit::Micros, Double, "greatest gap between consecutive packets")
        .except("cic: `NaN` for one packet; standard: 0, marked undefined"),
    same("Flow IAT Min", "flow_iat_min", Unit::Micros, Double, "least gap between consecutive packets")
        .except("cic: `NaN` for one packet; standard: 0, marked undefined"),
    same("Fwd IAT Total", "fwd_iat_total", Unit::Micros, Double, "sum of the gaps between consecutive forward packets"),
    same("Fwd IAT Mean", "fwd_iat_mean", Unit::Micros, Double, "mean gap between consecutive forward packets"),
    same("Fwd IAT Std", "fwd_iat_std", Unit::Micros, Double, "sample standard deviation of the gaps between consecutive forward packets"),
    same("Fwd IAT Max", "fwd_iat_max", Unit::Micros, Double, "greatest gap between consecutive forward packets"),
    same("Fwd IAT Min", "fwd_iat_min", Unit::Micros, Double, "least gap between consecutive forward packets"),
    same("Bwd IAT Total", "bwd_iat_total", Unit::Micros, Double, "sum of the gaps between consecutive backward packets"),
    same("Bwd IAT Mean", "bwd_iat_mean", Unit::Micros, Double, "mean gap between consecutive backward packets"),
    same("Bwd IAT Std", "bwd_iat_std", Unit::Micros, Double, "sample standard deviation of the gaps between consecutive backward packets"),
    same("Bwd IAT Max", "bwd_iat_max", Unit::Micros, Double, "greatest gap between consecutive backward packets"),
    same("Bwd IAT Min", "bwd_iat_min", Unit::Micros, Double, "least gap between consecutive backward packets"),
    same("Fwd PSH Flags", "fwd_psh_flags", Unit::Packets, Integer, "forward packets with PSH"),
    same("Bwd PSH Flags", "bwd_psh_flags", Unit::Packets, Integer, "backward packets with PSH"),
    same("Fwd URG Flags", "fwd_urg_flags", Unit::Packets, Integer, "forward packets with URG"),
    same("Bwd URG Flags", "bwd_urg_flags", Unit::Packets, Integer, "backward packets with URG"),
    same("Fwd RST Flags", "fwd_rst_flags", Unit::Packets, Integer, "forward packets with RST")
        .differs("cic: the flow's first packet is not counted (Q20)"),
    same("Bwd RST Flags", "bwd_rst_flags", Unit::Packets, Integer, "backward packets with RST")
        .differs("cic: the flow's first packet is not counted (Q20)"),
    same("Fwd Header Length", "fwd_header_length", Unit::Bytes, Integer, "sum of forward L4 header lengths")
        .except("standard: ICMP headers count 8 bytes (Q9)"),
    same("Bwd Header Length", "bwd_header_length", Unit::Bytes, Integer, "sum of backward L4 header lengths")
        .except("standard: ICMP headers count 8 bytes (Q9)"),
    same("Fwd Packets/s", "fwd_packets_per_second", Unit::PacketsPerSecond, Double, "forward packets / duration; 0 when the duration is not positive"),
    same("Bwd Packets/s", "bwd_packets_per_second", Unit::PacketsPerSecond, Double, "backward packets / duration; 0 when the duration is not positive"),
    same("Packet Length Min", "packet_length_min", Unit::Bytes, Double, "least payload length"),
    same("Packet Length Max", "packet_length_max", Unit::Bytes, Double, "greatest payload length"),
    same("Packet Length Mean", "packet_length_mean", Unit::Bytes, Double, "mean payload length"),
    same("Packet Length Std", "packet_length_std", Unit::Bytes, Double, "sample standard deviation of payload lengths"),
    same("Packet Length Variance", "packet_length_variance", Unit::BytesSquared, Double, "sample variance of payload lengths"),
    same("FIN Flag Count", "fin_flag_count", Unit::Packets, Integer, "packets with FIN, both directions"),
    same("SYN Flag Count", "syn_flag_count", Unit::Packets, Integer, "packets with SYN, both directions"),
    same("RST Flag Count", "rst_flag_count", Unit::Packets, Integer, "packets with RST, both directions"),
    same("PSH Flag Count", "psh_flag_count", Unit::Packets, Integer, "packets with PSH, both directions"),
    same("ACK Flag Count", "ack_flag_count", Unit::Packets, Integer, "packets with ACK, both directions"),
    same("URG Flag Count", "urg_flag_count", Unit::Packets, Integer, "packets with URG, both directions"),
    same("CWR Flag Count", "cwr_flag_count", Unit::Packets, Integer, "packets with CWR, both directions"),
    same("ECE Flag Count", "ece_flag_count", Unit::Packets, Integer, "packets with ECE, both directions"),
    same("Down/Up Ratio", "down_up_ratio", Unit::Ratio, Double, "backward packets / forward packets; 0 without forward packets"),
    same("Average Packet Size", "average_packet_size", Unit::Bytes, Double, "payload bytes / packets"),
    same("Fwd Segment Size Avg", "fwd_segment_size_avg", Unit::Bytes, Double, "forward payload bytes / forward packets; 0 without any"),
    same("Bwd Segment Size Avg", "bwd_segment_size_avg", Unit::Bytes, Double, "backward payload bytes / backward packets; 0 without any"),
    same("Fwd Bytes/Bulk Avg", "fwd_bytes_per_bulk_avg", Unit::Bytes, Double, "bytes in forward bulks / bulks; 0 without any")
        .differs("cic: integer division (Q18)"),
    same("Fwd Packet/Bulk Avg", "fwd_packets_per_bulk_avg", Unit::Packets, Double, "packets in forward bulks / bulks; 0 without any")
        .differs("cic: integer division (Q18)"),
    same("Fwd Bulk Rate Avg", "fwd_bulk_rate_avg", Unit::BytesPerSecond, Double, "bytes in forward bulks / time in them; 0 without any")
        .differs("cic: truncated to an integer (Q18)"),
    same("Bwd Bytes/Bulk Avg", "bwd_bytes_per_bulk_avg", Unit::Bytes, Double, "bytes in backward bulks / bulks; 0 without any")
        .differs("cic: integer division (Q18)"),
    same("Bwd Packet/Bulk Avg", "bwd_packets_per_bulk_avg", Unit::Packets, Double, "packets in backward bulks / bulks; 0 without any")
        .differs("cic: integer division (Q18)"),
    same("Bwd Bulk Rate Avg", "bwd_bulk_rate_avg", Unit::BytesPerSecond, Double, "bytes in backward bulks / time in them; 0 without any")
        .differs("cic: truncated to an integer (Q18)"),
    same("Subflow Fwd Packets", "subflow_fwd_packets", Unit::Packets, Double, "forward packets / subflows, where a gap above 1 s begins a new subflow")
        .differs("cic: integer division by the number of packets (Q18)"),
    same("Subflow Fwd Bytes", "subflow_fwd_bytes", Unit::Bytes, Double, "forward payload bytes / subflows")
        .differs("cic: integer division by the number of packets (Q18)"),
    same("Subflow Bwd Packets", "subflow_bwd_packets", Unit::Packets, Double, "backward packets / subflows, where a gap above 1 s begins a new subflow")
        .differs("cic: integer division by the number of packets (Q18)"),
    same("Subflow Bwd Bytes", "subflow_bwd_bytes", Unit::Bytes, Double, "backward payload bytes / subflows")
        .differs("cic: integer division by the number of packets (Q18)"),
    same("FWD Init Win Bytes", "fwd_init_win_bytes", Unit::WindowUnits, Integer, "raw TCP window of the first forward packet, if it is a SYN; −1 if unseen")
        .differs("cic: window of the flow's first packet if that is forward, else 0 (Q7)").leaks(HOST),
    same("Bwd Init Win Bytes", "bwd_init_win_bytes", Unit::WindowUnits, Integer, "raw TCP window of the first backward packet, if it is a SYN; −1 if unseen")
        .differs("cic: window of the last backward packet (Q7)").leaks(HOST),
    same("Fwd Act Data Pkts", "fwd_act_data_pkts", Unit::Packets, Integer, "forward packets with payload")
        .differs("cic: the flow's first packet is not counted (Q20)"),
    same("Fwd Seg Size Min", "fwd_seg_size_min", Unit::Bytes, Integer, "least forward L4 header length; 0 without forward packets")
        .differs("cic: 0 if the flow's first packet is backward (Q4)").leaks(HOST),
    same("Active Mean", "active_mean", Unit::Micros, Double, "mean of the active periods (packets with gaps of at most 5 s); 0 without any")
        .differs("cic: the last active period is never closed (Q17)"),
    same("Active Std", "active_std", Unit::Micros, Double, "sample standard deviation of the active periods (packets with gaps of at most 5 s); 0 without any")
        .differs("cic: the last active period is never closed (Q17)"),
    same("Active Max", "active_max", Unit::Micros, Double, "greatest of the active periods (packets with gaps of at most 5 s); 0 without any")
        .differs("cic: the last active period is never closed (Q17)"),
    same("Active Min", "active_min", Unit::Micros, Double, "least of the active periods (packets with gaps of at most 5 s); 0 without any")
        .differs("cic: the last active period is never closed (Q17)"),
    same("Idle Mean", "idle_mean", Unit::Micros, Double, "mean of the gaps above 5 s; 0 without any"),
    same("Idle Std", "idle_std", Unit::Micros, Double, "sample standard deviation of the gaps above 5 s; 0 without any"),
    same("Idle Max", "idle_max", Unit::Micros, Double, "greatest of the gaps above 5 s; 0 without any"),
    same("Idle Min", "idle_min", Unit::Micros, Double, "least of the gaps above 5 s; 0 without any"),
    same("Total TCP Flow Time", "total_tcp_flow_time", Unit::Micros, Integer, "time from the first packet of the connection's first flow to this flow's last packet; 0 unless TCP"),
];

/// Positions of the features that the code fills by name; the compiler looks each up.
pub(super) mod column {
    use super::position;

    pub(in crate::features) const FLOW_DURATION: usize = position("flow_duration");
    pub(in crate::features) const TOTAL_FWD_PACKET: usize = position("total_fwd_packet");
    pub(in crate::features) const TOTAL_BWD_PACKETS: usize = position("total_bwd_packets");
    pub(in crate::features) const TOTAL_LENGTH_OF_FWD_PACKET: usize = position("total_length_of_fwd_packet");
    pub(in crate::features) const TOTAL_LENGTH_OF_BWD_PACKET: usize = position("total_length_of_bwd_packet");
    pub(in crate::features) const FWD_PACKET_LENGTH_MAX: usize = position("fwd_packet_length_max");
    pub(in crate::features) const BWD_PACKET_LENGTH_MAX: usize = position("bwd_packet_length_max");
    pub(in crate::features) const FLOW_BYTES_PER_SECOND: usize = position("flow_bytes_per_second");
    pub(in crate::features) const FLOW_PACKETS_PER_SECOND: usize = position("flow_packets_per_second");
    pub(in crate::features) const FLOW_IAT_MEAN: usize = position("flow_iat_mean");
    pub(in crate::features) const FLOW_IAT_STD: usize = position("flow_iat_std");
    pub(in crate::features) const FLOW_IAT_MAX: usize = position("flow_iat_max");
    pub(in crate::features) const FLOW_IAT_MIN: usize = position("flow_iat_min");
    pub(in crate::features) const FWD_IAT_TOTAL: usize = position("fwd_iat_total");
    pub(in crate::features) const BWD_IAT_TOTAL: usize = position("bwd_iat_total");
    pub(in crate::features) const FWD_PSH_FLAGS: usize = position("fwd_psh_flags");
    pub(in crate::features) const BWD_PSH_FLAGS: usize = position("bwd_psh_flags");
    pub(in crate::features) const FWD_URG_FLAGS: usize = position("fwd_urg_flags");
    pub(in crate::features) const BWD_URG_FLAGS: usize = position("bwd_urg_flags");
    pub(in crate::features) const FWD_RST_FLAGS: usize = position("fwd_rst_flags");
    pub(in crate::features) const BWD_RST_FLAGS: usize = position("bwd_rst_flags");
    pub(in crate::features) const FWD_HEADER_LENGTH: usize = position("fwd_header_length");
    pub(in crate::features) const BWD_HEADER_LENGTH: usize = position("bwd_header_length");
    pub(in crate::features) const FWD_PACKETS_PER_SECOND: usize = position("fwd_packets_per_second");
    pub(in crate::features) const BWD_PACKETS_PER_SECOND: usize = position("bwd_packets_per_second");
    pub(in crate::features) const PACKET_LENGTH_MIN: usize = position("packet_length_min");
    pub(in crate::features) const PACKET_LENGTH_MAX: usize = position("packet_length_max");
    pub(in crate::features) const PACKET_LENGTH_MEAN: usize = position("packet_length_mean");
    pub(in crate::features) const PACKET_LENGTH_STD: usize = position("packet_length_std");
    pub(in crate::features) const PACKET_LENGTH_VARIANCE: usize = position("packet_length_variance");
    pub(in crate::features) const FIN_FLAG_COUNT: usize = position("fin_flag_count");
    pub(in crate::features) const SYN_FLAG_COUNT: usize = position("syn_flag_count");
    pub(in crate::features) const RST_FLAG_COUNT: usize = position("rst_flag_count");
    pub(in crate::features) const PSH_FLAG_COUNT: usize = position("psh_flag_count");
    pub(in crate::features) const ACK_FLAG_COUNT: usize = position("ack_flag_count");
    pub(in crate::features) const URG_FLAG_COUNT: usize = position("urg_flag_count");
    pub(in crate::features) const CWR_FLAG_COUNT: usize = position("cwr_flag_count");
    pub(in crate::features) const ECE_FLAG_COUNT: usize = position("ece_flag_count");
    pub(in crate::features) const DOWN_UP_RATIO: usize = position("down_up_ratio");
    pub(in crate::features) const AVERAGE_PACKET_SIZE: usize = position("average_packet_size");
    pub(in crate::features) const FWD_SEGMENT_SIZE_AVG: usize = position("fwd_segment_size_avg");
    pub(in crate::features) const BWD_SEGMENT_SIZE_AVG: usize = position("bwd_segment_size_avg");
    pub(in crate::features) const FWD_BYTES_PER_BULK_AVG: usize = position("fwd_bytes_per_bulk_avg");
    pub(in crate::features) const BWD_BYTES_PER_BULK_AVG: usize = position("bwd_bytes_per_bulk_avg");
    pub(in crate::features) const SUBFLOW_FWD_PACKETS: usize = position("subflow_fwd_packets");
    pub(in crate::features) const SUBFLOW_FWD_BYTES: usize = position("subflow_fwd_bytes");
    pub(in crate::features) const SUBFLOW_BWD_PACKETS: usize = position("subflow_bwd_packets");
    pub(in crate::features) const SUBFLOW_BWD_BYTES: usize = position("subflow_bwd_bytes");
    pub(in crate::features) const FWD_INIT_WIN_BYTES: usize = position("fwd_init_win_bytes");
    pub(in crate::features) const BWD_INIT_WIN_BYTES: usize = position("bwd_init_win_bytes");
    pub(in crate::features) const FWD_ACT_DATA_PKTS: usize = position("fwd_act_data_pkts");
    pub(in crate::features) const FWD_SEG_SIZE_MIN: usize = position("fwd_seg_size_min");
    pub(in crate::features) const ACTIVE_MEAN: usize = position("active_mean");
    pub(in crate::features) const IDLE_MEAN: usize = position("idle_mean");
    pub(in crate::features) const TOTAL_TCP_FLOW_TIME: usize = position("total_tcp_flow_time");
}

#[expect(clippy::indexing_slicing, clippy::panic, reason = "evaluated by the compiler")]
/// The position of a key in [`FEATURES`]; a key that is not there fails the build.
const fn position(key: &str) -> usize {
    let mut at = 0;
    while at < FEATURES.len() {
        if same_text(FEATURES[at].key.as_bytes(), key.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("no such feature")
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; both lengths are equal")]
const fn same_text(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_unique_and_found() {
        for id in FeatureId::all() {
            let Feature { column, key, .. } = id.feature();
            assert_eq!(FeatureId::named(column), Some(id), "{column}");
            assert_eq!(FeatureId::named(key), Some(id), "{key}");
        }
        for id in FeatureId::identities() {
            let Feature { column, key, .. } = id.feature();
            assert!(FeatureId::named(column).is_none() && FeatureId::named(key).is_none(), "{column}");
            assert_eq!(FeatureId::named_or_identity(column), Some(id), "{column}");
            assert_eq!(FeatureId::named_or_identity(key), Some(id), "{key}");
            assert!(id.identity().is_some() && id.feature().leaky.is_some() && IDENTITY_COLUMNS.contains(column));
        }
        assert_eq!(FeatureId::identities().count(), IDENTITIES.len());
        assert_eq!(FeatureId::new(0).and_then(FeatureId::identity), None);
        assert_eq!(FeatureId::new(FEATURE_COUNT), None);
    }
}
