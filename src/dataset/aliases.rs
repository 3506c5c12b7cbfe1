//! The names that other meters give the feature columns, and what they mean by them: one table.
//!
//! A file's family is told from its header. Names are compared without regard to case and surrounding blanks. Checked
//! against the sources and published headers of CICFlowMeter, CICIDS2017, CSE-CIC-IDS2018 and the Python `cicflowmeter`.

use crate::features::{FEATURE_COUNT, FeatureId};

/// Whose columns a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// The reference's names or our export's, as they are meant there.
    Reference,
    /// The original CICFlowMeter and the published CSVs that were made with it.
    Older,
    /// The Python package `cicflowmeter` and its kin.
    Python,
}

/// What one column's name says of the family of its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Only the Python meter's.
    python: bool,
    /// Only the original's.
    older: bool,
    /// The reference's or our export's.
    known: bool,
    /// A column that the original does not have.
    reference: bool,
}

impl Mark {
    pub(super) fn of(name: &str) -> Self {
        let any = |names: fn(&Row) -> &'static [&'static str]| ROWS.iter().flat_map(names).any(|held| fits(held, name));
        Self {
            python: any(|row| row.python),
            older: any(|row| row.older),
            known: FeatureId::named(name).is_some(),
            reference: fits(REFERENCE_ONLY, name) || fits("fwd_rst_flags", name),
        }
    }
}

/// What a family means by a feature's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What we mean.
    Same,
    /// Nearly that: usable by itself, not beside files that mean the other thing.
    Differs(&'static str),
    /// Something else.
    Other(&'static str),
}

impl Family {
    /// The family of a file with these columns.
    pub(super) fn of(columns: &[String]) -> Self {
        Self::of_marks(columns.iter().map(|name| Mark::of(name)))
    }

    /// The same of what each of the names says.
    pub(super) fn of_marks(marks: impl Iterator<Item = Mark>) -> Self {
        let (mut known, mut all) = (0, Mark::default());
        for mark in marks {
            known += usize::from(mark.known);
            all.python |= mark.python;
            all.older |= mark.older;
            all.reference |= mark.reference;
        }
        if all.python {
            return Self::Python;
        }
        // Version 4 of the original has the reference's names, but not all of its columns.
        let whole = known >= WHOLE_HEADER && !all.reference;
        if whole || all.older { Self::Older } else { Self::Reference }
    }

    /// The feature of a column's name.
    pub(super) fn feature(self, name: &str) -> Option<FeatureId> {
        let alias = |row: &Row| {
            let names = if self == Self::Python { row.python.iter() } else { row.older.iter() };
            names.chain(row.older).any(|alias| fits(alias, name))
        };
        FeatureId::named(name).or_else(|| ROWS.iter().position(alias).and_then(FeatureId::new))
    }

    /// The feature or identity column of a column's name. Identity columns mean the same everywhere.
    pub(super) fn column(self, name: &str) -> Option<FeatureId> {
        let alias = |(_, names): &(&str, &[&str])| names.iter().any(|alias| fits(alias, name));
        let identity = |name| FeatureId::named_or_identity(name).filter(|id| id.identity().is_some());
        let other = || IDENTITY_NAMES.iter().find(|row| alias(row)).and_then(|(key, _)| identity(key));
        self.feature(name).or_else(|| identity(name)).or_else(other)
    }

    /// What the family means by it.
    pub(super) fn meaning(self, feature: FeatureId) -> Meaning {
        let row = ROWS.get(feature.index());
        match self {
            Self::Reference => Same,
            Self::Older => row.map_or(Same, |row| row.older_meaning),
            Self::Python => row.map_or(Same, |row| row.python_meaning),
        }
    }
}

/// Every name that a feature or identity column has somewhere.
pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
    let own = FeatureId::all().chain(FeatureId::identities()).map(|id| id.feature());
    own.flat_map(|feature| [feature.column, feature.key])
        .chain(ROWS.iter().flat_map(|row| row.older.iter().chain(row.python).copied()))
        .chain(IDENTITY_NAMES.iter().flat_map(|(_, names)| names.iter().copied()))
}

/// One feature's names and meanings elsewhere.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// The feature's own key, to keep the table in the schema's order.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the reader of the table, and by a test"))]
    key: &'static str,
    /// Names of the original CICFlowMeter and of data sets made with it, long and short, that are not the reference's.
    older: &'static [&'static str],
    older_meaning: Meaning,
    /// Names of the Python package that are not our keys.
    python: &'static [&'static str],
    python_meaning: Meaning,
}

const fn row(
    key: &'static str,
    older: &'static [&'static str],
    older_meaning: Meaning,
    python: &'static [&'static str],
    python_meaning: Meaning,
) -> Row {
    Row { key, older, older_meaning, python, python_meaning }
}

fn fits(name: &str, held: &str) -> bool {
    name.eq_ignore_ascii_case(held.trim())
}

/// Whose the older columns are, for people.
pub(super) const OLDER: &str = "the original CICFlowMeter";
/// A header with this many of the features is a meter's own, not a selection.
const WHOLE_HEADER: usize = 70;
/// A column that the original does not have.
const REFERENCE_ONLY: &str = "Fwd RST Flags";

const WHOLE_RATIO: &str = "a whole number, rounded down";
const FIRST_PACKET: &str = "only the first packet of a direction counts";
const FIRST_TWICE: &str = "the first packet counts twice";
const NO_BULKS: &str = "always 0";
const WHOLE: &str = "a whole number, rounded down";

const SECONDS: &str =
    "seconds in some versions of the Python meter and microseconds in others, and the file does not say which";
const FRAMES: &str = "the Python meter counts whole frames, not payload";
const FLAG: &str = "some versions of the Python meter write 1 for any number of packets";
const IP_HEADER: &str = "the Python meter counts IP headers";
const ANY_WINDOW: &str = "the Python meter takes the first window that is not 0";
const URG: &str = "the Python meter writes the number of forward packets with URG";
const BULK: &str = "the Python meter ends a bulk by another rule";
const TOTALS: &str = "the Python meter writes the whole flow's total";

use Meaning::{Differs, Other, Same};

/// Other names of identity columns, by their keys: those of CICIDS2017, and the start of our own JSON lines.
const IDENTITY_NAMES: [(&str, &[&str]); 5] = [
    ("src_ip", &["Source IP"]),
    ("src_port", &["Source Port"]),
    ("dst_ip", &["Destination IP"]),
    ("dst_port", &["Destination Port"]),
    ("timestamp", &["start"]),
];

/// In the schema's order.
#[rustfmt::skip]
const ROWS: [Row; FEATURE_COUNT] = [
    row("flow_duration", &[], Same, &[], Other(SECONDS)),
    row("total_fwd_packet", &["Total Fwd Packets", "Tot Fwd Pkts"], Same, &["tot_fwd_pkts"], Same),
    row("total_bwd_packets", &["Total Backward Packets", "Tot Bwd Pkts"], Same, &["tot_bwd_pkts"], Same),
    row("total_length_of_fwd_packet", &["Total Length of Fwd Packets", "Fwd Packets Length Total", "TotLen Fwd Pkts"], Same, &["totlen_fwd_pkts"], Other(FRAMES)),
    row("total_length_of_bwd_packet", &["Total Length of Bwd Packets", "Bwd Packets Length Total", "TotLen Bwd Pkts"], Same, &["totlen_bwd_pkts"], Other(FRAMES)),
    row("fwd_packet_length_max", &["Fwd Pkt Len Max"], Same, &["fwd_pkt_len_max"], Other(FRAMES)),
    row("fwd_packet_length_min", &["Fwd Pkt Len Min"], Same, &["fwd_pkt_len_min"], Other(FRAMES)),
    row("fwd_packet_length_mean", &["Fwd Pkt Len Mean"], Same, &["fwd_pkt_len_mean"], Other(FRAMES)),
    row("fwd_packet_length_std", &["Fwd Pkt Len Std"], Same, &["fwd_pkt_len_std"], Other(FRAMES)),
    row("bwd_packet_length_max", &["Bwd Pkt Len Max"], Same, &["bwd_pkt_len_max"], Other(FRAMES)),
    row("bwd_packet_length_min", &["Bwd Pkt Len Min"], Same, &["bwd_pkt_len_min"], Other(FRAMES)),
    row("bwd_packet_length_mean", &["Bwd Pkt Len Mean"], Same, &["bwd_pkt_len_mean"], Other(FRAMES)),
    row("bwd_packet_length_std", &["Bwd Pkt Len Std"], Same, &["bwd_pkt_len_std"], Other(FRAMES)),
    row("flow_bytes_per_second", &["Flow Byts/s"], Same, &["flow_byts_s"], Other(FRAMES)),
    row("flow_packets_per_second", &["Flow Pkts/s"], Same, &["flow_pkts_s"], Same),
    row("flow_iat_mean", &[], Same, &[], Other(SECONDS)),
    row("flow_iat_std", &[], Same, &[], Other(SECONDS)),
    row("flow_iat_max", &[], Same, &[], Other(SECONDS)),
    row("flow_iat_min", &[], Same, &[], Other(SECONDS)),
    row("fwd_iat_total", &["Fwd IAT Tot"], Same, &["fwd_iat_tot"], Other(SECONDS)),
    row("fwd_iat_mean", &[], Same, &[], Other(SECONDS)),
    row("fwd_iat_std", &[], Same, &[], Other(SECONDS)),
    row("fwd_iat_max", &[], Same, &[], Other(SECONDS)),
    row("fwd_iat_min", &[], Same, &[], Other(SECONDS)),
    row("bwd_iat_total", &["Bwd IAT Tot"], Same, &["bwd_iat_tot"], Other(SECONDS)),
    row("bwd_iat_mean", &[], Same, &[], Other(SECONDS)),
    row("bwd_iat_std", &[], Same, &[], Other(SECONDS)),
    row("bwd_iat_max", &[], Same, &[], Other(SECONDS)),
    row("bwd_iat_min", &[], Same, &[], Other(SECONDS)),
    row("fwd_psh_flags", &[], Differs(FIRST_PACKET), &[], Other(FLAG)),
    row("bwd_psh_flags", &[], Differs(FIRST_PACKET), &[], Other(FLAG)),
    row("fwd_urg_flags", &[], Differs(FIRST_PACKET), &[], Other(FLAG)),
    row("bwd_urg_flags", &[], Differs(FIRST_PACKET), &[], Other(FLAG)),
    row("fwd_rst_flags", &[], Same, &[], Other(FLAG)),
    row("bwd_rst_flags", &[], Same, &[], Other(FLAG)),
    row("fwd_header_length", &["Fwd Header Len"], Same, &["fwd_header_len"], Other(IP_HEADER)),
    row("bwd_header_length", &["Bwd Header Len"], Same, &["bwd_header_len"], Other(IP_HEADER)),
    row("fwd_packets_per_second", &["Fwd Pkts/s"], Same, &["fwd_pkts_s"], Same),
    row("bwd_packets_per_second", &["Bwd Pkts/s"], Same, &["bwd_pkts_s"], Same),
    row("packet_length_min", &["Min Packet Length", "Pkt Len Min"], Differs(FIRST_TWICE), &["pkt_len_min"], Other(FRAMES)),
    row("packet_length_max", &["Max Packet Length", "Pkt Len Max"], Differs(FIRST_TWICE), &["pkt_len_max"], Other(FRAMES)),
    row("packet_length_mean", &["Pkt Len Mean"], Differs(FIRST_TWICE), &["pkt_len_mean"], Other(FRAMES)),
    row("packet_length_std", &["Pkt Len Std"], Differs(FIRST_TWICE), &["pkt_len_std"], Other(FRAMES)),
    row("packet_length_variance", &["Pkt Len Var"], Differs(FIRST_TWICE), &["pkt_len_var"], Other(FRAMES)),
    row("fin_flag_count", &["FIN Flag Cnt"], Same, &["fin_flag_cnt"], Other(FLAG)),
    row("syn_flag_count", &["SYN Flag Cnt"], Same, &["syn_flag_cnt"], Other(FLAG)),
    row("rst_flag_count", &["RST Flag Cnt"], Same, &["rst_flag_cnt"], Other(FLAG)),
    row("psh_flag_count", &["PSH Flag Cnt"], Same, &["psh_flag_cnt"], Other(FLAG)),
    row("ack_flag_count", &["ACK Flag Cnt"], Same, &["ack_flag_cnt"], Other(FLAG)),
    row("urg_flag_count", &["URG Flag Cnt"], Same, &["urg_flag_cnt"], Other(FLAG)),
    row("cwr_flag_count", &["CWE Flag Count"], Same, &["cwe_flag_count"], Other(URG)),
    row("ece_flag_count", &["ECE Flag Cnt"], Same, &["ece_flag_cnt"], Other(FLAG)),
    row("down_up_ratio", &[], Differs(WHOLE_RATIO), &[], Same),
    row("average_packet_size", &["Avg Packet Size", "Pkt Size Avg"], Differs(FIRST_TWICE), &["pkt_size_avg"], Other(FRAMES)),
    row("fwd_segment_size_avg", &["Avg Fwd Segment Size", "Fwd Seg Size Avg"], Same, &["fwd_seg_size_avg"], Other(FRAMES)),
    row("bwd_segment_size_avg", &["Avg Bwd Segment Size", "Bwd Seg Size Avg"], Same, &["bwd_seg_size_avg"], Other(FRAMES)),
    row("fwd_bytes_per_bulk_avg", &["Fwd Avg Bytes/Bulk", "Fwd Byts/b Avg"], Differs(NO_BULKS), &["fwd_byts_b_avg"], Other(BULK)),
    row("fwd_packets_per_bulk_avg", &["Fwd Avg Packets/Bulk", "Fwd Pkts/b Avg"], Differs(NO_BULKS), &["fwd_pkts_b_avg"], Other(BULK)),
    row("fwd_bulk_rate_avg", &["Fwd Avg Bulk Rate", "Fwd Blk Rate Avg"], Differs(NO_BULKS), &["fwd_blk_rate_avg"], Other(BULK)),
    row("bwd_bytes_per_bulk_avg", &["Bwd Avg Bytes/Bulk", "Bwd Byts/b Avg"], Differs(WHOLE), &["bwd_byts_b_avg"], Other(BULK)),
    row("bwd_packets_per_bulk_avg", &["Bwd Avg Packets/Bulk", "Bwd Pkts/b Avg"], Differs(WHOLE), &["bwd_pkts_b_avg"], Other(BULK)),
    row("bwd_bulk_rate_avg", &["Bwd Avg Bulk Rate", "Bwd Blk Rate Avg"], Differs(WHOLE), &["bwd_blk_rate_avg"], Other(BULK)),
    row("subflow_fwd_packets", &["Subflow Fwd Pkts"], Differs(WHOLE), &["subflow_fwd_pkts"], Other(TOTALS)),
    row("subflow_fwd_bytes", &["Subflow Fwd Byts"], Differs(WHOLE), &["subflow_fwd_byts"], Other(TOTALS)),
    row("subflow_bwd_packets", &["Subflow Bwd Pkts"], Differs(WHOLE), &["subflow_bwd_pkts"], Other(TOTALS)),
    row("subflow_bwd_bytes", &["Subflow Bwd Byts"], Differs(WHOLE), &["subflow_bwd_byts"], Other(TOTALS)),
    row("fwd_init_win_bytes", &["Init_Win_bytes_forward", "Init Fwd Win Bytes", "Init Fwd Win Byts"], Same, &["init_fwd_win_byts"], Other(ANY_WINDOW)),
    row("bwd_init_win_bytes", &["Init_Win_bytes_backward", "Init Bwd Win Bytes", "Init Bwd Win Byts"], Same, &["init_bwd_win_byts"], Other(ANY_WINDOW)),
    row("fwd_act_data_pkts", &["act_data_pkt_fwd", "Fwd Act Data Packets"], Same, &[], Same),
    row("fwd_seg_size_min", &["min_seg_size_forward"], Same, &[], Other(IP_HEADER)),
    row("active_mean", &[], Same, &[], Other(SECONDS)),
    row("active_std", &[], Same, &[], Other(SECONDS)),
    row("active_max", &[], Same, &[], Other(SECONDS)),
    row("active_min", &[], Same, &[], Other(SECONDS)),
    row("idle_mean", &[], Same, &[], Other(SECONDS)),
    row("idle_std", &[], Same, &[], Other(SECONDS)),
    row("idle_max", &[], Same, &[], Other(SECONDS)),
    row("idle_min", &[], Same, &[], Other(SECONDS)),
    row("total_tcp_flow_time", &[], Same, &[], Other(SECONDS)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn names(row: &Row) -> impl Iterator<Item = &'static str> {
        row.older.iter().chain(row.python).copied()
    }

    #[test]
    fn the_table_is_the_schemas_and_every_alias_leads_to_one_feature() {
        let mut seen = HashSet::new();
        for (id, row) in FeatureId::all().zip(&ROWS) {
            assert_eq!(row.key, id.feature().key);
            for name in names(row) {
                assert!(seen.insert(name.to_ascii_lowercase()), "{name} is there twice");
                assert_eq!(FeatureId::named(name), None, "{name} is the reference's own");
                let family = if row.python.contains(&name) { Family::Python } else { Family::Older };
                assert_eq!(Family::of(&[name.to_owned()]), family, "{name}");
                assert_eq!(family.feature(&format!(" {} ", name.to_ascii_uppercase())), Some(id), "{name}");
            }
        }
    }

    fn understood(header: &str, family: Family, identity: &[&str]) -> usize {
        let columns: Vec<String> = header.split(',').map(|name| name.trim().to_owned()).collect();
        assert_eq!(Family::of(&columns), family);
        let features: Vec<_> = columns.iter().filter_map(|name| family.feature(name)).collect();
        assert_eq!(features.iter().collect::<HashSet<_>>().len(), features.len(), "one column a feature");
        let left: Vec<&str> =
            columns.iter().filter(|name| family.feature(name).is_none()).map(String::as_str).collect();
        assert_eq!(left, identity);
        features.len()
    }

    #[test]
    fn published_headers_are_understood() {
        let who =
            ["Flow ID", "Source IP", "Source Port", "Destination IP", "Destination Port", "Protocol", "Timestamp"];
        // The repeated forward header length is a copy; no feature reads it.
        assert_eq!(understood(CICIDS2017, Family::Older, &[&who[..], &["Fwd Header Length.1", "Label"]].concat()), 76);
        assert_eq!(understood(CSE_CIC_IDS2018, Family::Older, &["Dst Port", "Protocol", "Timestamp", "Label"]), 76);
        let who = ["src_ip", "dst_ip", "src_port", "dst_port", "protocol", "timestamp"];
        assert_eq!(understood(PYTHON, Family::Python, &who), 76);
    }

    #[test]
    fn identity_columns_are_found_under_every_name_and_only_when_asked_for() {
        for header in [
            "Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp",
            "Source IP,Source Port,Destination IP,Destination Port,Protocol,Timestamp",
            "src_ip,src_port,dst_ip,dst_port,protocol,start",
        ] {
            let columns: Vec<_> = header.split(',').filter_map(|name| Family::Older.column(name)).collect();
            assert_eq!(columns, FeatureId::identities().collect::<Vec<_>>());
            assert!(header.split(',').all(|name| Family::Older.feature(name).is_none()));
            assert_eq!(Family::Python.meaning(columns[0]), Same);
        }
        assert_eq!(Family::Reference.column("Flow ID"), None);
    }

    #[test]
    fn our_own_header_and_the_originals_of_the_same_names_are_told_apart() {
        let own: Vec<String> = FeatureId::all().map(|id| id.feature().column.to_owned()).collect();
        assert_eq!(Family::of(&own), Family::Reference);
        let keys: Vec<String> = FeatureId::all().map(|id| id.feature().key.to_owned()).collect();
        assert_eq!(Family::of(&keys), Family::Reference);
        let original: Vec<String> = own.iter().filter(|name| !name.contains("RST Flags")).cloned().collect();
        assert_eq!(Family::of(&original), Family::Older);
        assert_eq!(Family::of(&original[..20]), Family::Reference);
    }

    #[test]
    fn a_key_means_what_its_file_means() {
        let duration = FeatureId::named("flow_duration").expect("a column");
        assert_eq!(Family::Reference.meaning(duration), Same);
        assert!(matches!(Family::Python.meaning(duration), Other(_)));
    }

    const CICIDS2017: &str = "Flow ID, Source IP, Source Port, Destination IP, Destination Port, Protocol, Timestamp, Flow Duration, \
        Total Fwd Packets, Total Backward Packets,Total Length of Fwd Packets, Total Length of Bwd Packets, Fwd Packet Length Max, \
        Fwd Packet Length Min, Fwd Packet Length Mean, Fwd Packet Length Std,Bwd Packet Length Max, Bwd Packet Length Min, \
        Bwd Packet Length Mean, Bwd Packet Length Std,Flow Bytes/s, Flow Packets/s, Flow IAT Mean, Flow IAT Std, Flow IAT Max, \
        Flow IAT Min,Fwd IAT Total, Fwd IAT Mean, Fwd IAT Std, Fwd IAT Max, Fwd IAT Min,Bwd IAT Total, Bwd IAT Mean, Bwd IAT Std, \
        Bwd IAT Max, Bwd IAT Min,Fwd PSH Flags, Bwd PSH Flags, Fwd URG Flags, Bwd URG Flags, Fwd Header Length, Bwd Header Length,\
        Fwd Packets/s, Bwd Packets/s, Min Packet Length, Max Packet Length, Packet Length Mean, Packet Length Std, \
        Packet Length Variance,FIN Flag Count, SYN Flag Count, RST Flag Count, PSH Flag Count, ACK Flag Count, URG Flag Count, \
        CWE Flag Count, ECE Flag Count, Down/Up Ratio, Average Packet Size, Avg Fwd Segment Size, Avg Bwd Segment Size, \
        Fwd Header Length.1,Fwd Avg Bytes/Bulk, Fwd Avg Packets/Bulk, Fwd Avg Bulk Rate, Bwd Avg Bytes/Bulk, Bwd Avg Packets/Bulk,\
        Bwd Avg Bulk Rate,Subflow Fwd Packets, Subflow Fwd Bytes, Subflow Bwd Packets, Subflow Bwd Bytes,Init_Win_bytes_forward, \
        Init_Win_bytes_backward, act_data_pkt_fwd, min_seg_size_forward,Active Mean, Active Std, Active Max, Active Min,Idle Mean, \
        Idle Std, Idle Max, Idle Min, Label";
    const CSE_CIC_IDS2018: &str = "Dst Port,Protocol,Timestamp,Flow Duration,Tot Fwd Pkts,Tot Bwd Pkts,TotLen Fwd Pkts,TotLen Bwd Pkts,\
        Fwd Pkt Len Max,Fwd Pkt Len Min,Fwd Pkt Len Mean,Fwd Pkt Len Std,Bwd Pkt Len Max,Bwd Pkt Len Min,Bwd Pkt Len Mean,\
        Bwd Pkt Len Std,Flow Byts/s,Flow Pkts/s,Flow IAT Mean,Flow IAT Std,Flow IAT Max,Flow IAT Min,Fwd IAT Tot,Fwd IAT Mean,\
        Fwd IAT Std,Fwd IAT Max,Fwd IAT Min,Bwd IAT Tot,Bwd IAT Mean,Bwd IAT Std,Bwd IAT Max,Bwd IAT Min,Fwd PSH Flags,Bwd PSH Flags,\
        Fwd URG Flags,Bwd URG Flags,Fwd Header Len,Bwd Header Len,Fwd Pkts/s,Bwd Pkts/s,Pkt Len Min,Pkt Len Max,Pkt Len Mean,\
        Pkt Len Std,Pkt Len Var,FIN Flag Cnt,SYN Flag Cnt,RST Flag Cnt,PSH Flag Cnt,ACK Flag Cnt,URG Flag Cnt,CWE Flag Count,\
        ECE Flag Cnt,Down/Up Ratio,Pkt Size Avg,Fwd Seg Size Avg,Bwd Seg Size Avg,Fwd Byts/b Avg,Fwd Pkts/b Avg,Fwd Blk Rate Avg,\
        Bwd Byts/b Avg,Bwd Pkts/b Avg,Bwd Blk Rate Avg,Subflow Fwd Pkts,Subflow Fwd Byts,Subflow Bwd Pkts,Subflow Bwd Byts,\
        Init Fwd Win Byts,Init Bwd Win Byts,Fwd Act Data Pkts,Fwd Seg Size Min,Active Mean,Active Std,Active Max,Active Min,\
        Idle Mean,Idle Std,Idle Max,Idle Min,Label";
    const PYTHON: &str = "src_ip,dst_ip,src_port,dst_port,protocol,timestamp,flow_duration,flow_byts_s,flow_pkts_s,fwd_pkts_s,bwd_pkts_s,\
        tot_fwd_pkts,tot_bwd_pkts,totlen_fwd_pkts,totlen_bwd_pkts,fwd_pkt_len_max,fwd_pkt_len_min,fwd_pkt_len_mean,fwd_pkt_len_std,\
        bwd_pkt_len_max,bwd_pkt_len_min,bwd_pkt_len_mean,bwd_pkt_len_std,pkt_len_max,pkt_len_min,pkt_len_mean,pkt_len_std,pkt_len_var,\
        fwd_header_len,bwd_header_len,fwd_seg_size_min,fwd_act_data_pkts,flow_iat_mean,flow_iat_max,flow_iat_min,flow_iat_std,\
        fwd_iat_tot,fwd_iat_max,fwd_iat_min,fwd_iat_mean,fwd_iat_std,bwd_iat_tot,bwd_iat_max,bwd_iat_min,bwd_iat_mean,bwd_iat_std,\
        fwd_psh_flags,bwd_psh_flags,fwd_urg_flags,bwd_urg_flags,fin_flag_cnt,syn_flag_cnt,rst_flag_cnt,psh_flag_cnt,ack_flag_cnt,\
        urg_flag_cnt,ece_flag_cnt,down_up_ratio,pkt_size_avg,init_fwd_win_byts,init_bwd_win_byts,active_max,active_min,active_mean,\
        active_std,idle_max,idle_min,idle_mean,idle_std,fwd_byts_b_avg,fwd_pkts_b_avg,bwd_byts_b_avg,bwd_pkts_b_avg,fwd_blk_rate_avg,\
        bwd_blk_rate_avg,fwd_seg_size_avg,bwd_seg_size_avg,cwr_flag_count,subflow_fwd_pkts,subflow_bwd_pkts,subflow_fwd_byts,\
        subflow_bwd_byts";
}
