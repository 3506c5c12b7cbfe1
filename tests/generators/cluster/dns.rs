//! Name lookups as they stand on the wire (RFC 1035): one question, at most one address.

/// Record type: IPv4 address.
pub(crate) const A: u16 = 1;
/// Record type: IPv6 address.
pub(crate) const AAAA: u16 = 28;

/// A recursive query.
pub(crate) fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut message = header(id, 0x0100, [1, 0, 0]);
    question(&mut message, name, kind);
    message
}

/// The answer to an [`A`] query, or, without an address, the empty answer to an [`AAAA`] query.
pub(crate) fn answer(id: u16, name: &str, address: Option<[u8; 4]>) -> Vec<u8> {
    let found = address.is_some();
    let mut message = header(id, 0x8580, [1, u16::from(found), u16::from(!found)]);
    question(&mut message, name, if found { A } else { AAAA });
    if let Some(address) = address {
        labels(&mut message, name);
        message.extend([0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
        message.extend(address);
    } else {
        labels(&mut message, "cluster.local");
        message.extend([0, 6, 0, 1, 0, 0, 0, 30]);
        let mut authority = Vec::new();
        labels(&mut authority, "ns.dns.cluster.local");
        labels(&mut authority, "hostmaster.cluster.local");
        authority.extend([0; 20]);
        message.extend(u16::try_from(authority.len()).expect("a short record").to_be_bytes());
        message.extend(authority);
    }
    message
}

fn header(id: u16, flags: u16, [questions, answers, authorities]: [u16; 3]) -> Vec<u8> {
    [id, flags, questions, answers, authorities, 0].into_iter().flat_map(u16::to_be_bytes).collect()
}

fn question(message: &mut Vec<u8>, name: &str, kind: u16) {
    labels(message, name);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
}

fn labels(message: &mut Vec<u8>, name: &str) {
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).expect("a label of at most 63 bytes"));
        message.extend(label.as_bytes());
    }
    message.push(0);
}
