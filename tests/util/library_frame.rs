//! Made-up frames as the library takes them. Apart from `capture_file`, so that generators which are programs of their
//! own do not link the library (whose link-time optimisation takes minutes in release).

use flowshrike::packet::{Frame, LinkType};
use flowshrike::time::Micros;

use super::capture_file::Captured;

impl Captured {
    /// The frame as the library's dissector takes it.
    pub fn frame(&self) -> Frame<'_> {
        let time = Micros(i64::try_from(self.nanos / 1_000).expect("a time before the year 294247"));
        Frame { time, data: &self.data, wire_len: self.wire_len, link: LinkType::from_number(self.link) }
    }
}
