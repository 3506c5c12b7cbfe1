//! What the pipeline counts, and the balance identities that must hold.

use crate::flow::TableCounters;
use crate::model::Verdict;
use crate::packet::{Tunnel, Unparsed};

/// Frames by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounters {
    /// Frames that the source delivered.
    pub received: u64,
    /// Frames that became packets.
    pub parsed: u64,
    /// Frames that did not, by [`Unparsed::index`].
    pub unparsed: [u64; Unparsed::ALL.len()],
    /// Bytes of all frames on the wire.
    pub bytes: u64,
    /// Packets found inside those of a tunnel, by [`Tunnel::index`].
    pub decapsulated: [u64; Tunnel::ALL.len()],
}

/// Counts of one or more captures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Frames.
    pub packets: PacketCounters,
    /// Of the packets, copies of others: captured at a second place, and in no flow (live capture).
    pub copies: u64,
    /// Flows of all shards.
    pub flows: TableCounters,
    /// Live flows of all shards.
    pub active: u64,
    /// Times that a capture's clock went back, so that live flows were flushed.
    pub clock_steps: u64,
    /// Capture files read.
    pub files: u64,
    /// Of these, files that ended early or were damaged.
    pub incomplete_files: u64,
    /// Packets that the kernel dropped before they could be received (live capture).
    pub dropped_kernel: u64,
    /// Packets that the interface dropped (live capture).
    pub dropped_interface: u64,
}

/// Verdicts on ended flows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// Flows by the label's position.
    pub classified: Vec<u64>,
    /// Flows without a verdict, by [`Unclassified::index`].
    pub unclassified: [u64; Unclassified::ALL.len()],
    /// Feature values that were not finite, and counted as 0.
    pub non_finite: u64,
}

/// Why a flow got no verdict. The set is fixed: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclassified {
    /// The classifier's queue was full.
    QueueFull,
}

impl Unclassified {
    /// Every reason, in the order of [`Unclassified::index`].
    pub const ALL: [Self; 1] = [Self::QueueFull];

    /// The reason as a metric label and summary key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
        }
    }

    /// Position in [`Unclassified::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Verdicts {
    /// No verdicts yet, of a model with this many labels.
    #[must_use]
    pub fn new(labels: usize) -> Self {
        Self { classified: vec![0; labels], ..Self::default() }
    }

    /// Counts a verdict.
    pub fn count(&mut self, verdict: &Verdict) {
        if let Some(count) = self.classified.get_mut(usize::from(verdict.label.0)) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds another thread's counts.
    pub fn add(&mut self, other: &Self) {
        add_each(&mut self.classified, &other.classified);
        add_each(&mut self.unclassified, &other.unclassified);
        self.non_finite = self.non_finite.saturating_add(other.non_finite);
    }
}

impl PacketCounters {
    /// Counts a frame that is no packet.
    pub fn count_unparsed(&mut self, reason: Unparsed) {
        if let Some(count) = self.unparsed.get_mut(reason.index()) {
            *count = count.saturating_add(1);
        }
    }

    fn add(&mut self, other: &Self) {
        self.received = self.received.saturating_add(other.received);
        self.parsed = self.parsed.saturating_add(other.parsed);
        self.bytes = self.bytes.saturating_add(other.bytes);
        add_each(&mut self.unparsed, &other.unparsed);
        add_each(&mut self.decapsulated, &other.decapsulated);
    }
}

impl Totals {
    /// Adds another capture's counts.
    pub fn add(&mut self, other: &Self) {
        self.packets.add(&other.packets);
        self.add_table(&other.flows, other.active);
        self.copies = self.copies.saturating_add(other.copies);
        self.clock_steps = self.clock_steps.saturating_add(other.clock_steps);
        self.files = self.files.saturating_add(other.files);
        self.incomplete_files = self.incomplete_files.saturating_add(other.incomplete_files);
        self.dropped_kernel = self.dropped_kernel.saturating_add(other.dropped_kernel);
        self.dropped_interface = self.dropped_interface.saturating_add(other.dropped_interface);
    }

    /// Adds one shard's table.
    pub fn add_table(&mut self, table: &TableCounters, active: u64) {
        self.flows.created = self.flows.created.saturating_add(table.created);
        self.flows.early = self.flows.early.saturating_add(table.early);
        self.flows.late_packets = self.flows.late_packets.saturating_add(table.late_packets);
        add_each(&mut self.flows.ended, &table.ended);
        self.active = self.active.saturating_add(active);
    }
}

fn add_each(into: &mut [u64], from: &[u64]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into = into.saturating_add(*from));
}
