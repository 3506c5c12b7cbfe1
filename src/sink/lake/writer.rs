//! The lake's thread: open files, one a partition, and when each is done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::folder::{Folder, Partition, Unfinished};
use super::{LakeCounts, LakeLoss, LakeRow, LakeSettings};
use crate::sink::Throttle;
use crate::sink::parquet::{Detail, ParquetFlows, ParquetFlowsError};

/// Writes rows to the files of their partitions.
pub(super) struct Writer {
    folder: Folder,
    roll_interval: Duration,
    roll_size: u64,
    open: BTreeMap<Partition, Open>,
    counts: Arc<LakeCounts>,
    warnings: Throttle,
}

/// A file that is being written.
struct Open {
    flows: ParquetFlows<BufWriter<File>>,
    file: Unfinished,
    rows: u64,
    began: Instant,
}

impl Writer {
    pub(super) fn new(folder: Folder, settings: &LakeSettings, counts: Arc<LakeCounts>) -> Self {
        let LakeSettings { roll_interval, roll_size, .. } = *settings;
        let warnings = Throttle::new(Duration::from_secs(60));
        Self { folder, roll_interval, roll_size, open: BTreeMap::new(), counts, warnings }
    }

    /// Writes rows; those that cannot be written are lost with the file that they were to be in.
    pub(super) fn write(&mut self, rows: Vec<LakeRow>) {
        for row in rows {
            let partition = Partition::of(row.verdict.end);
            if let Err(error) = self.push(partition, row) {
                let lost = self.open.remove(&partition).map_or(0, |open| {
                    open.file.remove();
                    open.rows
                });
                self.lose(lost.saturating_add(1), &error);
            }
        }
    }

    fn push(&mut self, partition: Partition, row: LakeRow) -> Result<(), LakeFault> {
        if !self.open.contains_key(&partition) {
            // Flows come nearly in the order of time: more than a few hours at once are a capture's whose clock jumps.
            if self.open.len() >= OPEN
                && let Some(oldest) = self.open.iter().min_by_key(|(_, open)| open.began).map(|(at, _)| *at)
            {
                self.finish(oldest);
            }
            let (file, unfinished) = self.folder.create(partition)?;
            let flows = ParquetFlows::new(BufWriter::new(file), false, Detail::Judged);
            let flows = flows.inspect_err(|_| unfinished.remove())?;
            self.open.insert(partition, Open { flows, file: unfinished, rows: 0, began: now() });
        }
        let Some(open) = self.open.get_mut(&partition) else { return Ok(()) };
        open.flows.push_judged(row.flow, row.verdict)?;
        open.rows = open.rows.saturating_add(1);
        if open.flows.written() >= self.roll_size {
            self.finish(partition);
        }
        Ok(())
    }

    /// Finishes files that are old enough.
    pub(super) fn finish_old(&mut self) {
        let now = now();
        let is_old = |open: &Open| now.saturating_duration_since(open.began) >= self.roll_interval;
        let old: Vec<_> = self.open.iter().filter(|(_, open)| is_old(open)).map(|(at, _)| *at).collect();
        old.into_iter().for_each(|partition| self.finish(partition));
    }

    /// Finishes all.
    pub(super) fn finish_all(&mut self) {
        while let Some(partition) = self.open.keys().next().copied() {
            self.finish(partition);
        }
    }

    fn finish(&mut self, partition: Partition) {
        let Some(Open { flows, file, rows, .. }) = self.open.remove(&partition) else { return };
        let finished = flows.finish().map_err(LakeFault::from).and_then(|out| {
            let whole = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(whole)
        });
        let finished = match finished {
            Ok(whole) => file.finish(&whole).map_err(LakeFault::from),
            Err(error) => {
                file.remove();
                Err(error)
            }
        };
        match finished {
            Ok(()) => self.counts.keep(rows),
            Err(error) => self.lose(rows, &error),
        }
    }

    fn lose(&mut self, flows: u64, error: &LakeFault) {
        self.counts.lose(LakeLoss::Io, flows);
        if let Some(muted) = self.warnings.admit() {
            tracing::warn!(flows, muted, "flows are lost to the lake: {error}");
        }
    }
}

/// Why rows cannot be written.
#[derive(Debug, thiserror::Error)]
enum LakeFault {
    #[error(transparent)]
    Parquet(#[from] ParquetFlowsError),
    #[error(transparent)]
    File(#[from] io::Error),
}

#[expect(clippy::disallowed_methods, reason = "an edge: how old a file is")]
fn now() -> Instant {
    Instant::now()
}

/// Files that are open at once: each holds a group of rows.
const OPEN: usize = 4;
