//! The alert stage: verdicts in, decisions out, and the balance of what was said, held back and lost.
//!
//! The pipeline calls [`AlertStage::early`] for an open flow and [`AlertStage::ended`] for every flow that ends, in the
//! order in which lines should appear, and gives back the [`Ticket`] of each line that no sink took. For ended flows
//! `predicted = emitted + suppressed + lost` holds after every call. A line on an open flow counts in `early` alone;
//! when that flow's end is an attack too, it counts as suppressed.

use std::collections::BTreeSet;

use super::policy::{AlertPolicy, Judgement};
use super::suppression::{Admission, DEDUP_WINDOW, Dedup, DedupKey};
use crate::flow::{FlowFacts, FlowKey};
use crate::model::{LabelId, Verdict};
use crate::time::Micros;

/// Decides what is told of each flow.
#[derive(Debug)]
pub struct AlertStage {
    policy: AlertPolicy,
    dedup: Dedup,
    told_early: BTreeSet<FlowIdentity>,
    early_capacity: usize,
    longest_flow: Micros,
    counts: AlertCounts,
}

/// Sizes of the stage's memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an alert silences others of its kind; 0 for never.
    pub dedup_window: Micros,
    /// Kinds of alerts remembered at once.
    pub dedup_capacity: usize,
    /// Open flows with an early alert remembered at once.
    pub early_capacity: usize,
    /// The longest that a flow can be open: an early alert whose flow's end was lost is forgotten after it.
    pub longest_flow: Micros,
}

/// What the stage has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertCounts {
    /// Ended flows that policy tells of, once each.
    pub predicted: u64,
    /// Of these: a line was written.
    pub emitted: u64,
    /// Of these: held back, by [`SuppressReason::index`].
    pub suppressed: [u64; SuppressReason::ALL.len()],
    /// Of these: no sink took the line.
    pub lost: u64,
    /// Lines on flows that were still open.
    pub early: u64,
    /// Such lines that no sink took; not in `early`, and their flows' ends are judged as if nothing had been said.
    pub early_lost: u64,
    /// Early verdicts that dedup or an incident held back; their flows' ends are judged as if there had been none.
    pub early_held: u64,
    /// Early verdicts not told because too many open flows had been told of already; as above.
    pub early_overflow: u64,
    /// Ended flows that are novel and that policy only counts.
    pub novel: u64,
    /// Alerts that passed without a dedup window because the table was full.
    pub dedup_overflow: u64,
    /// Held flows whose number no later line will carry: their window was forgotten.
    pub unreported: u64,
}

/// Why a predicted attack got no line of its own. The set is fixed: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressReason {
    /// A line of the same kind went out within the dedup window.
    Dedup,
    /// A line on this flow went out while it was open.
    Early,
    /// The flow is part of an incident, whose line stands for it.
    Incident,
}

/// What the stage says to one call.
#[derive(Debug)]
#[must_use = "a line that is to be written is in the books already"]
pub enum Decision {
    /// Nothing to tell.
    Quiet,
    /// Novel, and only counted.
    Novel,
    /// An attack that gets no line.
    Suppressed(SuppressReason),
    /// An early verdict that gets no line; the flow's end will be judged.
    Postponed,
    /// A line is to be written.
    Emit(Emission),
}

/// A line to be written.
#[derive(Debug)]
pub struct Emission {
    /// The label, or `None` for `unknown-novel`.
    pub label: Option<LabelId>,
    /// Flows of this kind held back since the last line.
    pub suppressed: u64,
    /// To be given back if no sink takes the line; dropped otherwise.
    pub ticket: Ticket,
}

/// One line's place in the books. Not `Clone`: a line is lost once.
#[derive(Debug)]
pub struct Ticket {
    flow: FlowIdentity,
    early: bool,
    kind: DedupKey,
    at: Micros,
    held: u64,
}

/// One flow, or one part of a long one, exactly: no hash that two flows might share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FlowIdentity {
    key: FlowKey,
    start: Micros,
    part: u32,
}

impl AlertStage {
    /// A stage with empty books.
    #[must_use]
    pub fn new(policy: AlertPolicy, limits: Limits) -> Self {
        Self {
            policy,
            dedup: Dedup::new(limits.dedup_window, limits.dedup_capacity),
            told_early: BTreeSet::new(),
            early_capacity: limits.early_capacity,
            longest_flow: limits.longest_flow,
            counts: AlertCounts::default(),
        }
    }

    /// A flow, or a part of one, has ended; without a verdict if it could not be classified.
    pub fn ended(&mut self, facts: &FlowFacts, verdict: Option<&Verdict>) -> Decision {
        let flow = FlowIdentity::of(facts);
        let told = self.told_early.remove(&flow);
        let label = match verdict.map_or(Judgement::Benign, |verdict| self.policy.judge(verdict)) {
            Judgement::Benign => return Decision::Quiet,
            Judgement::Novel => {
                self.counts.novel += 1;
                return Decision::Novel;
            }
            Judgement::Predicted(label) => label,
        };
        self.counts.predicted += 1;
        if told {
            return self.suppress(SuppressReason::Early);
        }
        let (kind, at) = (DedupKey::new(&facts.tuple, label), facts.end);
        match self.dedup.admit(kind, at, true) {
            Admission::Hold => self.suppress(SuppressReason::Dedup),
            Admission::Pass { held } => {
                self.counts.emitted += 1;
                let ticket = Ticket { flow, early: false, kind, at, held };
                Decision::Emit(Emission { label, suppressed: held, ticket })
            }
        }
    }

    /// A flow is part of an incident: it is an attack whatever its own verdict, and gets no line. An open one is counted at its end.
    pub fn covered(&mut self, facts: &FlowFacts, verdict: &Verdict) -> Decision {
        if facts.end_reason.is_none() {
            self.counts.early_held += u64::from(self.predicts(verdict));
            return Decision::Postponed;
        }
        let told = self.told_early.remove(&FlowIdentity::of(facts));
        self.counts.predicted += 1;
        self.suppress(if told { SuppressReason::Early } else { SuppressReason::Incident })
    }

    /// A flow came to nothing and is part of no incident: it gets no line by itself, whatever its verdict. One that was told while it was
    /// open is in the books, and a novel one is counted.
    pub fn failed(&mut self, facts: &FlowFacts, verdict: &Verdict) -> Decision {
        if facts.end_reason.is_none() {
            return Decision::Quiet;
        }
        if self.told_early.remove(&FlowIdentity::of(facts)) {
            self.counts.predicted += 1;
            return self.suppress(SuppressReason::Early);
        }
        match self.policy.judge(verdict) {
            Judgement::Novel | Judgement::Predicted(None) => {
                self.counts.novel += 1;
                Decision::Novel
            }
            Judgement::Benign | Judgement::Predicted(Some(_)) => Decision::Quiet,
        }
    }

    /// Whether policy calls a verdict an attack.
    #[must_use]
    pub fn predicts(&self, verdict: &Verdict) -> bool {
        matches!(self.policy.judge(verdict), Judgement::Predicted(_))
    }

    /// Counts novel flows that policy only counts, of which no line had been told while they were open.
    pub const fn count_novel(&mut self, flows: u64) {
        self.counts.novel += flows;
    }

    /// A flow is still open after the early-verdict time. Its end must follow through [`AlertStage::ended`].
    ///
    /// Only attacks are told early; novelty can wait for the whole flow.
    pub fn early(&mut self, facts: &FlowFacts, verdict: &Verdict) -> Decision {
        let Judgement::Predicted(Some(label)) = self.policy.judge(verdict) else {
            return Decision::Quiet;
        };
        let (flow, label) = (FlowIdentity::of(facts), Some(label));
        if self.told_early.contains(&flow) {
            return Decision::Quiet;
        }
        if self.told_early.len() >= self.early_capacity {
            // Only an overloaded queue loses ends; what it left behind must not silence later flows for good.
            let longest = self.longest_flow;
            self.told_early.retain(|told| facts.end - told.start <= longest);
        }
        if self.told_early.len() >= self.early_capacity {
            self.counts.early_overflow += 1;
            return Decision::Postponed;
        }
        let (kind, at) = (DedupKey::new(&facts.tuple, label), facts.end);
        match self.dedup.admit(kind, at, false) {
            Admission::Hold => {
                self.counts.early_held += 1;
                Decision::Postponed
            }
            Admission::Pass { held } => {
                self.told_early.insert(flow);
                self.counts.early += 1;
                let ticket = Ticket { flow, early: true, kind, at, held };
                Decision::Emit(Emission { label, suppressed: held, ticket })
            }
        }
    }

    /// No sink took the line of this ticket.
    pub fn lost(&mut self, ticket: Ticket) {
        let Ticket { flow, early, kind, at, held } = ticket;
        self.dedup.take_back(&kind, at, held);
        if early {
            self.told_early.remove(&flow);
            self.counts.early -= 1;
            self.counts.early_lost += 1;
        } else {
            self.counts.emitted -= 1;
            self.counts.lost += 1;
        }
    }

    /// The books so far.
    #[must_use]
    pub const fn counts(&self) -> AlertCounts {
        AlertCounts { dedup_overflow: self.dedup.overflow, unreported: self.dedup.unreported, ..self.counts }
    }

    /// Held flows whose number a later line may still carry.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.dedup.waiting()
    }

    fn suppress(&mut self, reason: SuppressReason) -> Decision {
        if let Some(count) = self.counts.suppressed.get_mut(reason.index()) {
            *count += 1;
        }
        Decision::Suppressed(reason)
    }
}

impl AlertCounts {
    /// Held back for any reason.
    #[must_use]
    pub fn suppressed_total(&self) -> u64 {
        self.suppressed.iter().sum()
    }

    /// Whether `predicted = emitted + suppressed + lost`.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.predicted == self.emitted + self.suppressed_total() + self.lost
    }
}

impl SuppressReason {
    /// Every reason, in the order of [`SuppressReason::index`].
    pub const ALL: [Self; 3] = [Self::Dedup, Self::Early, Self::Incident];

    /// The reason as a metric label and summary key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dedup => "dedup",
            Self::Early => "early",
            Self::Incident => "incident",
        }
    }

    /// Position in [`SuppressReason::ALL`], for counters in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Ticket {
    /// Whether the line is on a flow that was still open.
    #[must_use]
    pub const fn is_early(&self) -> bool {
        self.early
    }
}

impl FlowIdentity {
    fn of(facts: &FlowFacts) -> Self {
        Self { key: facts.key(), start: facts.start, part: facts.part }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            dedup_window: DEDUP_WINDOW,
            dedup_capacity: CAPACITY,
            early_capacity: CAPACITY,
            longest_flow: LONGEST_FLOW,
        }
    }
}

/// Kinds, and open flows, remembered at once: about 8 MB each at worst. Beyond, more lines are written than need be.
const CAPACITY: usize = 65_536;

/// Twice the default active timeout: timers are noticed well within it.
const LONGEST_FLOW: Micros = Micros::from_secs(240);

#[cfg(test)]
mod tests {
    use super::super::alert::tests::{self as example, packet, verdict};
    use super::super::policy::{NovelMode, tests::rules};
    use super::*;
    use crate::packet::protocol;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn stage(limits: Limits, novel: NovelMode) -> AlertStage {
        AlertStage::new(AlertPolicy::new(rules(), &BTreeMap::new(), novel).expect("no thresholds"), limits)
    }

    fn flow(second: i64, src_port: u16, dst_port: u16) -> FlowFacts {
        example::flow(packet(Micros::from_secs(second), protocol::TCP, src_port, dst_port))
    }

    fn emission(decision: Decision) -> Emission {
        match decision {
            Decision::Emit(emission) => emission,
            other => panic!("no line: {other:?}"),
        }
    }

    #[test]
    fn an_early_line_stands_for_the_flows_end() {
        let mut stage = stage(Limits::default(), NovelMode::Count);
        let attack = verdict(1, 0.9, false);
        let told = flow(0, 1, 80);
        assert!(emission(stage.early(&told, &attack)).ticket.is_early());
        assert!(matches!(stage.ended(&told, Some(&attack)), Decision::Suppressed(SuppressReason::Early)));
        // The end of another flow of this kind is held by the early line's window.
        let other = stage.ended(&flow(30, 2, 80), Some(&attack));
        assert!(matches!(other, Decision::Suppressed(SuppressReason::Dedup)));
        assert_eq!(emission(stage.ended(&flow(60, 3, 80), Some(&attack))).suppressed, 1);
        let counts = stage.counts();
        assert_eq!((counts.predicted, counts.emitted, counts.suppressed, counts.early), (3, 1, [1, 1, 0], 1));
    }

    #[test]
    fn an_early_line_that_was_lost_leaves_the_end_to_be_told() {
        let mut stage = stage(Limits::default(), NovelMode::Count);
        let attack = verdict(1, 0.9, false);
        let ticket = emission(stage.early(&flow(0, 1, 80), &attack)).ticket;
        stage.lost(ticket);
        emission(stage.ended(&flow(0, 1, 80), Some(&attack)));
        let counts = stage.counts();
        assert_eq!((counts.emitted, counts.early, counts.early_lost, counts.lost), (1, 0, 1, 0));
    }

    #[test]
    fn a_flow_that_turns_out_benign_or_cannot_be_classified_is_forgotten() {
        let mut stage = stage(Limits { early_capacity: 1, ..Limits::default() }, NovelMode::Count);
        let attack = verdict(1, 0.9, false);
        for (port, end) in [(1, Some(verdict(0, 1.0, false))), (2, None), (3, Some(verdict(0, 1.0, true)))] {
            emission(stage.early(&flow(0, port, port), &attack));
            assert!(matches!(stage.early(&flow(0, 9, 9), &attack), Decision::Postponed));
            assert!(matches!(stage.ended(&flow(0, port, port), end.as_ref()), Decision::Quiet | Decision::Novel));
        }
        let counts = stage.counts();
        assert_eq!((counts.predicted, counts.novel, counts.early, counts.early_overflow), (0, 1, 3, 3));
    }

    #[test]
    fn a_contact_that_failed_gets_no_line_but_is_not_forgotten() {
        let mut stage = stage(Limits::default(), NovelMode::Count);
        let attack = verdict(1, 0.9, false);
        assert!(matches!(stage.failed(&flow(0, 1, 80), &attack), Decision::Quiet));
        assert!(matches!(stage.failed(&flow(0, 2, 80), &verdict(0, 1.0, true)), Decision::Novel));
        emission(stage.early(&flow(0, 3, 80), &attack));
        assert!(matches!(stage.failed(&flow(0, 3, 80), &attack), Decision::Suppressed(SuppressReason::Early)));
        let counts = stage.counts();
        assert_eq!((counts.predicted, counts.suppressed, counts.novel, counts.early), (1, [0, 1, 0], 1, 1));
    }

    proptest! {
        /// Whatever comes in whatever order, and whatever is lost, nothing is unaccounted for.
        #[test]
        fn the_books_balance_after_every_call(
            steps in proptest::collection::vec((0u8..6, 0u16..4, 0u16..3, 0u16..3, 0f32..1.0, any::<bool>(), -200i64..200), 1..300),
            window in 0i64..90,
            dedup_capacity in 0usize..4,
            early_capacity in 0usize..3,
            alert_novel in any::<bool>(),
        ) {
            let longest_flow = Micros::from_secs(20);
            let limits =
                Limits { dedup_window: Micros::from_secs(window), dedup_capacity, early_capacity, longest_flow };
            let mut stage = stage(limits, if alert_novel { NovelMode::Alert } else { NovelMode::Count });
            let mut tickets = Vec::new();
            let (mut lines, mut early_lines, mut told, mut predicted) = (0, 0, 0, 0);
            for (what, src_port, dst_port, label, score, novel, second) in steps {
                let (flow, verdict) = (flow(second, src_port, dst_port), verdict(label, score, novel));
                let decision = match what {
                    0 => stage.early(&flow, &verdict),
                    4 => {
                        predicted += 1;
                        stage.covered(&flow, &verdict)
                    }
                    5 => {
                        predicted += u64::from(stage.told_early.contains(&FlowIdentity::of(&flow)));
                        stage.failed(&flow, &verdict)
                    }
                    1 | 2 => {
                        predicted += u64::from(matches!(stage.policy.judge(&verdict), Judgement::Predicted(_)));
                        stage.ended(&flow, Some(&verdict))
                    }
                    _ => {
                        if let Some((ticket, held)) = tickets.pop() {
                            let ticket: Ticket = ticket;
                            if ticket.is_early() { early_lines -= 1 } else { lines -= 1 };
                            told -= held;
                            stage.lost(ticket);
                        }
                        continue;
                    }
                };
                if let Decision::Emit(Emission { suppressed, ticket, .. }) = decision {
                    if ticket.is_early() { early_lines += 1 } else { lines += 1 };
                    told += suppressed;
                    tickets.push((ticket, suppressed));
                }
                let counts = stage.counts();
                prop_assert!(counts.balance(), "{:?}", counts);
                prop_assert_eq!((counts.predicted, counts.emitted, counts.early), (predicted, lines, early_lines));
                // Each held flow is carried by a line, may still be, or is known to be carried by none.
                prop_assert_eq!(counts.suppressed[0], told + stage.waiting() + counts.unreported);
                prop_assert!(stage.dedup.overflow == 0 || dedup_capacity < 4);
                prop_assert!(stage.told_early.len() <= early_capacity);
            }
        }
    }
}
