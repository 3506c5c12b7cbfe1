//! The lake: every judged flow with its features and its verdict, as Parquet files partitioned by date and hour.
//!
//! The pipeline hands rows over in batches through a bounded queue and never waits: what does not fit is lost and counted. One thread
//! ([`writer`]) writes them. A file has a hidden name until it is whole and on the disk; readers see whole files or none.

mod folder;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::parquet::{FlowValues, VerdictValues};
use folder::Folder;
use writer::Writer;

/// Where the lake is, and when its files are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeSettings {
    /// The folder.
    pub path: PathBuf,
    /// Who writes: the beginning of its files' names, so that several daemons may share a folder.
    pub name: String,
    /// A file is done when it is so old: what a crash loses at most.
    pub roll_interval: Duration,
    /// And when it is so large, in bytes.
    pub roll_size: u64,
}

/// One flow.
#[derive(Clone, Debug)]
pub struct LakeRow {
    /// Who, when, and the features.
    pub flow: FlowValues,
    /// What the model says, and how the flow ended.
    pub verdict: VerdictValues,
}

/// A lake that is not written yet: its folder is there, and what a crash left is gone.
#[derive(Debug)]
pub struct Lake {
    folder: Folder,
    settings: LakeSettings,
}

/// The pipeline's end of a lake.
#[derive(Debug)]
pub struct LakeSink {
    rows: Sender<Vec<LakeRow>>,
    batch: Vec<LakeRow>,
    counts: Arc<LakeCounts>,
}

/// What a lake has counted. All flows that it was given are written or lost, once it has ended.
#[derive(Debug, Default)]
pub struct LakeCounts {
    written: AtomicU64,
    lost: [AtomicU64; LakeLoss::ALL.len()],
    files: AtomicU64,
}

/// Why flows are not in the lake. The set is fixed: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LakeLoss {
    /// The writer was behind, and its queue full.
    QueueFull,
    /// They could not be written: no space, no right, no disk.
    Io,
}

/// A lake that is written.
#[derive(Debug)]
pub struct RunningLake {
    writer: JoinHandle<()>,
    counts: Arc<LakeCounts>,
}

/// A lake that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("lake {path}: {error}; it must be a folder that this user can write in")]
pub struct LakeError {
    path: String,
    error: std::io::Error,
}

impl Lake {
    /// Makes the folder, and removes what a writer of this name left half done.
    ///
    /// # Errors
    /// It cannot be made, or written in.
    pub fn open(settings: LakeSettings) -> Result<Self, LakeError> {
        let folder = Folder::open(&settings.path, &settings.name)
            .map_err(|error| LakeError { path: settings.path.display().to_string(), error })?;
        if folder.removed > 0 {
            tracing::warn!(
                files = folder.removed,
                "the lake had files that were not finished, of a run that was ended by force: their flows are lost"
            );
        }
        Ok(Self { folder, settings })
    }

    /// Starts to write.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(self) -> std::io::Result<(LakeSink, RunningLake)> {
        let (rows, received) = bounded::<Vec<LakeRow>>(BATCHES);
        let counts = Arc::new(LakeCounts::default());
        let writer = Writer::new(self.folder, &self.settings, Arc::clone(&counts));
        let writer = thread::Builder::new().name("lake".to_owned()).spawn(move || write(writer, &received))?;
        let sink = LakeSink { rows, batch: Vec::with_capacity(BATCH), counts: Arc::clone(&counts) };
        Ok((sink, RunningLake { writer, counts }))
    }
}

/// Writes until nobody sends any more.
fn write(mut writer: Writer, rows: &Receiver<Vec<LakeRow>>) {
    loop {
        match rows.recv_timeout(LOOK) {
            Ok(batch) => writer.write(batch),
            Err(error) if error.is_timeout() => {}
            Err(_) => break,
        }
        writer.finish_old();
    }
    writer.finish_all();
}

impl LakeSink {
    /// Takes a flow; it goes on with others, at the latest by [`LakeSink::hand_on`].
    pub fn push(&mut self, row: LakeRow) {
        self.batch.push(row);
        if self.batch.len() >= BATCH {
            self.hand_on();
        }
    }

    /// Hands on what was gathered, or loses it where the writer is behind.
    pub fn hand_on(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) = self.rows.try_send(batch) {
            self.counts.lose(LakeLoss::QueueFull, batch.len() as u64);
        }
    }

    /// Batches that wait, and how many may.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        (self.rows.len(), BATCHES)
    }

    /// What has been counted so far.
    #[must_use]
    pub fn counts(&self) -> Arc<LakeCounts> {
        Arc::clone(&self.counts)
    }
}

impl RunningLake {
    /// Waits until all is written, once the sink is gone.
    #[must_use]
    pub fn end(self) -> Arc<LakeCounts> {
        if self.writer.join().is_err() {
            tracing::error!("the lake's thread panicked");
        }
        self.counts
    }
}

impl LakeCounts {
    /// Flows in files that are whole.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Flows that are in none, for a reason.
    #[must_use]
    pub fn lost(&self, reason: LakeLoss) -> u64 {
        self.lost.get(reason as usize).map_or(0, |lost| lost.load(Ordering::Relaxed))
    }

    /// Whole files.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    fn keep(&self, flows: u64) {
        self.written.fetch_add(flows, Ordering::Relaxed);
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    fn lose(&self, reason: LakeLoss, flows: u64) {
        if let Some(lost) = self.lost.get(reason as usize) {
            lost.fetch_add(flows, Ordering::Relaxed);
        }
    }
}

impl LakeLoss {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::QueueFull, Self::Io];

    /// The reason as a metric label and summary key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Io => "io",
        }
    }
}

/// Flows handed over together.
const BATCH: usize = 256;
/// Batches that may wait: some 14 MB, a third of a second's flows at 50,000 a second.
const BATCHES: usize = 64;
/// How often files are looked at whether they are old enough.
const LOOK: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureVector;
    use crate::flow::FiveTuple;
    use crate::model::{LabelId, Verdict};
    use crate::packet::Address;
    use crate::time::Micros;

    fn row() -> LakeRow {
        let (src, dst) = (Address::v4([10, 0, 0, 1]), Address::v4([10, 0, 0, 2]));
        let tuple = FiveTuple { src, dst, src_port: 1, dst_port: 2, protocol: 6 };
        let flow = FlowValues { id: String::new(), tuple, start: Micros::ZERO, features: FeatureVector::EMPTY };
        let verdict = Verdict { label: LabelId(0), score: 1.0, attack: 0.0, novelty: 0.0, novel: false };
        let (label, model) = ("benign".into(), ["m 1".into(), "ab".into()]);
        let (end, community_id) = (Micros::ZERO, String::new());
        LakeRow { flow, verdict: VerdictValues { end, end_reason: "", part: 0, community_id, label, verdict, model } }
    }

    #[test]
    fn what_does_not_fit_is_lost_and_counted_and_nobody_waits() {
        let (rows, received) = bounded(2);
        let mut sink = LakeSink { rows, batch: Vec::new(), counts: Arc::default() };
        (0..3 * BATCH + 7).for_each(|_| sink.push(row()));
        assert_eq!((sink.counts.lost(LakeLoss::QueueFull), sink.waiting().0), (BATCH as u64, 2));
        drop(received);
        sink.hand_on();
        assert_eq!(sink.counts.lost(LakeLoss::QueueFull), BATCH as u64 + 7, "the writer has gone");
    }
}
