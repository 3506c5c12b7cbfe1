//! Flows in the order of their ends, from the order in which those were decided: what a reader of alerts expects.
//!
//! A flow that ends by silence is decided a minute later, and others have ended meanwhile; all of them wait as long, by the second of their end.

use std::collections::BTreeMap;

use super::detect::Judged;
use super::reorder::{GATHERED, Mark, Order, sort};
use crate::time::Micros;

/// Puts flows in the order of their ends.
///
/// The order is (end time, start time, five-tuple, part); an early verdict stands before the end that it was before. Where a
/// capture's clock was set back, what was decided before comes first.
#[derive(Debug)]
pub struct ByEnd {
    flows: Seconds<Judged>,
    silence: Option<Micros>,
    count: u64,
}

impl ByEnd {
    /// For flows whose end is decided at most so long after their last packet; `None` for any time after, so that all wait
    /// for the end of the capture.
    #[must_use]
    pub const fn new(silence: Option<Micros>) -> Self {
        Self { flows: Seconds::new(), silence, count: 0 }
    }

    /// Takes a flow in the order of decisions, and hands out those whose turn has come.
    pub fn push(&mut self, decided: &Order, judged: Judged, mut deliver: impl FnMut(Judged)) {
        self.count = self.count.saturating_add(1);
        let order = Order { decided: judged.flow.end, sequence: self.count, ..*decided };
        self.flows.push(order, judged);
        if let Some(silence) = self.silence {
            let mark = Mark { epoch: decided.epoch, time: decided.decided - silence };
            self.flows.release(mark, |_, judged| deliver(judged));
        }
    }

    /// Hands out the others.
    pub fn end(&mut self, mut deliver: impl FnMut(Judged)) {
        self.flows.release(Mark::END, |_, judged| deliver(judged));
    }
}

/// Results that wait for their turn.
///
/// They wait by the second in which their flow's end was decided. A second that is over is sorted once and handed out whole, so that what
/// waits for long costs nothing meanwhile; only of a second in which very many come are those handed out whose turn has come.
#[derive(Debug)]
struct Seconds<T> {
    seconds: BTreeMap<Second, Waiting<T>>,
    waiting: usize,
    /// Fewer than this many are not worth a look.
    look_at: usize,
    /// Emptied memory, for seconds to come.
    spare: Vec<Vec<(Order, T)>>,
    /// Memory of a sort.
    places: Vec<usize>,
}

/// The results of one second.
#[derive(Debug)]
struct Waiting<T> {
    results: Vec<(Order, T)>,
    /// While more may come, fewer than this many are not sorted again.
    look_at: usize,
}

/// An epoch, and a second of its clock.
type Second = (u32, i64);

impl<T> Seconds<T> {
    const fn new() -> Self {
        Self { seconds: BTreeMap::new(), waiting: 0, look_at: GATHERED, spare: Vec::new(), places: Vec::new() }
    }

    fn push(&mut self, order: Order, item: T) {
        let Self { seconds, spare, .. } = self;
        let new = || Waiting { results: spare.pop().unwrap_or_default(), look_at: 0 };
        seconds.entry(second(order.epoch, order.decided)).or_insert_with(new).results.push((order, item));
        self.waiting = self.waiting.saturating_add(1);
    }

    /// Hands out, in order, what stands before `mark`; while few results wait, perhaps only at a later call.
    fn release(&mut self, mark: Mark, mut deliver: impl FnMut(Order, T)) {
        if self.waiting >= self.look_at || mark == Mark::END {
            let is_ready = |order: &Order| Mark { epoch: order.epoch, time: order.decided } < mark;
            self.hand_out(second(mark.epoch, mark.time), is_ready, &mut deliver);
        }
    }

    /// Hands out the seconds before `now`, and of that one what is ready.
    fn hand_out(&mut self, now: Second, is_ready: impl Fn(&Order) -> bool, deliver: &mut impl FnMut(Order, T)) {
        let Self { seconds, places, spare, .. } = self;
        while let Some(mut first) = seconds.first_entry().filter(|first| *first.key() <= now) {
            if *first.key() < now {
                let mut results = first.remove().results;
                sort(&mut results, places);
                self.waiting = self.waiting.saturating_sub(results.len());
                results.drain(..).for_each(|(order, item)| deliver(order, item));
                if spare.len() < SPARE && results.capacity() <= SPARE_RESULTS {
                    spare.push(results);
                }
                continue;
            }
            let Waiting { results, look_at } = first.get_mut();
            if results.len() >= *look_at {
                sort(results, places);
                let ready = results.partition_point(|(order, _)| is_ready(order));
                self.waiting = self.waiting.saturating_sub(ready);
                results.drain(..ready).for_each(|(order, item)| deliver(order, item));
                *look_at = results.len().saturating_add(results.len() / 4);
            }
            break;
        }
        self.look_at = self.waiting.saturating_add(GATHERED);
    }
}

const fn second(epoch: u32, time: Micros) -> Second {
    (epoch, time.0.div_euclid(1_000_000))
}

/// Emptied seconds whose memory is kept, and how many results each of them may hold.
const SPARE: usize = 8;
const SPARE_RESULTS: usize = 4 * GATHERED;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Exchange;
    use crate::flow::{Direction, EndReason, FiveTuple, FlowPolicy, FlowRecord, FlowState};
    use crate::model::{LabelId, Verdict};
    use crate::packet::{Address, PacketMeta, TcpFlags, protocol};
    use proptest::prelude::*;

    /// A flow of one packet at `time`, and where its end stands among decisions.
    fn judged(epoch: u32, time: Micros, decided: Micros, port: u16) -> (Order, Judged) {
        let packet = PacketMeta {
            src: Address::v4([10, 0, 0, 1]),
            dst: Address::v4([10, 0, 0, 2]),
            time,
            src_port: port,
            dst_port: 80,
            payload_len: 0,
            wire_len: 60,
            seq: 0,
            ack: 0,
            window: 0,
            header_len: 20,
            interface: 0,
            protocol: protocol::TCP,
            flags: TcpFlags::SYN,
        };
        let (tuple, state) =
            (FiveTuple::of(&packet), FlowState::new(&packet, Direction::Forward, &FlowPolicy::standard()));
        let flow = FlowRecord { tuple, state, decided, end: EndReason::IdleTimeout, stored_reversed: false }.facts();
        let verdict = Verdict { label: LabelId(1), score: 1.0, attack: 1.0, novelty: 0.0, novel: false };
        let order = Order { epoch, decided, start: time, tuple, part: 0, sequence: 0 };
        (order, Judged { flow, exchange: Exchange::default(), verdict, telling: Vec::new() })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn flows_come_in_the_order_of_their_ends_and_do_not_all_wait_for_the_last(
            flows in proptest::collection::vec((0i64..10_000, 0i64..=100), 3000..4000),
            stepped_at in 0usize..4000,
            // From all within a second to a few a second.
            stretch in prop_oneof![Just(1_i64), Just(1_000), Just(100_000)],
        ) {
            let silence = Micros(100 * stretch);
            let mut decisions: Vec<_> =
                flows.iter().map(|(end, after)| (end * stretch, (end + after) * stretch)).collect();
            decisions.sort_by_key(|(_, decided)| *decided);
            let (mut by_end, mut told, mut most_waiting) = (ByEnd::new(Some(silence)), Vec::new(), 0);
            for (number, (end, decided)) in (0_u16..).zip(&decisions) {
                let epoch = u32::from(usize::from(number) >= stepped_at);
                let (order, flow) = judged(epoch, Micros(*end), Micros(*decided), number);
                by_end.push(&order, flow, |judged| told.push((judged.flow.tuple.src_port, judged.flow.end)));
                most_waiting = most_waiting.max(usize::from(number) + 1 - told.len());
            }
            by_end.end(|judged| told.push((judged.flow.tuple.src_port, judged.flow.end)));
            prop_assert!(most_waiting < 2000, "{most_waiting} of {} waited", flows.len());
            let (before, after) = told.split_at(stepped_at.min(told.len()));
            for part in [before, after] {
                prop_assert!(part.is_sorted_by_key(|(_, end)| *end));
            }
            let mut ports: Vec<_> = told.iter().map(|(port, _)| *port).collect();
            ports.sort_unstable();
            prop_assert_eq!(ports, (0_u16..).take(flows.len()).collect::<Vec<_>>());
        }
    }
}
