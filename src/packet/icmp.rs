//! ICMP messages as ports: the mapping of Community ID v1, shared by the dissector and the flow's identity.
//!
//! A request and its answer become the two ends of one flow; an error or notice becomes a one-way flow
//! of its own. The dissector fills [`super::PacketMeta`]'s ports from here; [`crate::flow`] asks which flows have no way back.

/// The source and destination "port" of an ICMP message, and whether nothing answers it.
///
/// A message that has a counterpart gives (type, counterpart's type), any other (type, code).
#[must_use]
pub const fn icmp_ports(v6: bool, kind: u8, code: u8) -> (u16, u16, bool) {
    match counterpart(v6, kind) {
        Some(answer) => (kind as u16, answer as u16, false),
        None => (kind as u16, code as u16, true),
    }
}

/// The type that answers a message of this type, or that this type answers; `None` for errors and notices.
#[must_use]
pub const fn counterpart(v6: bool, kind: u8) -> Option<u8> {
    Some(match (v6, kind) {
        // Echo.
        (false, 8) => 0,
        (false, 0) => 8,
        // Router solicitation and advertisement.
        (false, 10) => 9,
        (false, 9) => 10,
        // Timestamp.
        (false, 13) => 14,
        (false, 14) => 13,
        // Information.
        (false, 15) => 16,
        (false, 16) => 15,
        // Address mask.
        (false, 17) => 18,
        (false, 18) => 17,
        // Echo.
        (true, 128) => 129,
        (true, 129) => 128,
        // Multicast listener query and report.
        (true, 130) => 131,
        (true, 131) => 130,
        // Router solicitation and advertisement.
        (true, 133) => 134,
        (true, 134) => 133,
        // Neighbour solicitation and advertisement.
        (true, 135) => 136,
        (true, 136) => 135,
        // Node information.
        (true, 139) => 140,
        (true, 140) => 139,
        // Home agent address discovery.
        (true, 144) => 145,
        (true, 145) => 144,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counterpart_points_back() {
        for v6 in [false, true] {
            let paired = (0..=255).filter(|&kind| counterpart(v6, kind).is_some()).count();
            assert_eq!(paired, if v6 { 12 } else { 10 });
            for kind in 0..=255 {
                if let Some(answer) = counterpart(v6, kind) {
                    assert_eq!(counterpart(v6, answer), Some(kind), "v6 {v6}, type {kind}");
                }
            }
        }
    }

    #[test]
    fn an_answered_message_forgets_its_code_and_an_error_keeps_it() {
        assert_eq!(icmp_ports(false, 8, 0), (8, 0, false));
        assert_eq!(icmp_ports(false, 3, 13), (3, 13, true));
        assert_eq!(icmp_ports(true, 135, 0), (135, 136, false));
        assert_eq!(icmp_ports(true, 8, 2), (8, 2, true));
    }
}
