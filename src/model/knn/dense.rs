//! The dense pass: a search that takes the distance of every point at once, for models small enough.
//!
//! All distances are first taken roughly, many points in one register and without a branch that could be mispredicted:
//! for a few hundred points that costs less than finding out which of them to leave out. What can be among the nearest
//! by those distances, and a little beyond, is then asked by [`Metric::reduced`].

use pulp::{Arch, NullaryFnOnce};

use super::kernel::{Few, GROUP, Kernel, Plain};
use super::{LabelId, Metric, NOBODY, Nearest, Neighbour, NoIndex, Points};

/// The points as the pass reads them, and the memory of one search.
pub(super) struct Dense<'m> {
    points: &'m [f32],
    labels: &'m [LabelId],
    metric: Metric,
    /// Which columns differ between points. The others move all distances alike.
    varying: Vec<usize>,
    /// The other columns and their value.
    constant: Vec<(usize, f32)>,
    /// Groups of points, the benign ones first: their varying columns one after the other.
    columns: Vec<Few<f32>>,
    /// Row in the matrix of each point of a group; [`NOBODY`] where the last group of its kind has no point.
    rows: Vec<Few<u32>>,
    /// How many groups are benign.
    benign: usize,
    /// What the two ways to a distance may differ by, relative to it.
    slack: f32,
    instructions: Arch,
    query: Vec<f32>,
    rough: Vec<Few<u32>>,
}

impl<'m> Dense<'m> {
    /// Lays out the points.
    ///
    /// # Errors
    /// When the points have no coordinates or the labels do not fit them.
    pub(super) fn new(points: Points<'m>) -> Result<Self, NoIndex> {
        let Points { all: points, labels, benign_label: benign, metric, .. } = points;
        let dimensions = points.ncols();
        let flat = points.as_slice().filter(|_| dimensions > 0).ok_or(NoIndex::NoCoordinates)?;
        let rows = u32::try_from(labels.len()).ok().filter(|rows| *rows < NOBODY).ok_or(NoIndex::Rows)?;
        if points.nrows() != labels.len() {
            return Err(NoIndex::Rows);
        }
        let first = flat.get(..dimensions).unwrap_or_default();
        let differs = |column: &usize| points.column(*column).iter().any(|x| Some(x) != first.get(*column));
        let (mut varying, mut constant): (Vec<_>, Vec<_>) = (0..dimensions).partition(differs);
        // One column at least tells points from places without one.
        if varying.is_empty() {
            varying.extend(constant.pop());
        }
        let of_kind = |kind: bool| (0..rows).filter(move |&row| (labels.get(row as usize) == Some(&benign)) == kind);
        let (mut columns, mut grouped, mut benign_groups) = (Vec::new(), Vec::new(), 0);
        for is_benign in [true, false] {
            for members in of_kind(is_benign).collect::<Vec<_>>().chunks(GROUP) {
                let mut own = [NOBODY; GROUP];
                own.iter_mut().zip(members).for_each(|(own, row)| *own = *row);
                grouped.push(Few(own));
                let value = |row: u32, column| points.get((row as usize, column)).copied().unwrap_or(f32::INFINITY);
                columns.extend(varying.iter().map(|&column| Few(own.map(|row| value(row, column)))));
            }
            if is_benign {
                benign_groups = grouped.len();
            }
        }
        let constant = constant.into_iter().filter_map(|column| Some((column, *first.get(column)?))).collect();
        Ok(Self {
            points: flat,
            labels,
            metric,
            varying,
            constant,
            columns,
            rough: vec![Few([0; GROUP]); grouped.len()],
            rows: grouped,
            benign: benign_groups,
            slack: slack(dimensions),
            instructions: Arch::new(),
            query: Vec::new(),
        })
    }

    /// Whether there are few enough points for the pass.
    pub(super) const fn suits_points(&self) -> bool {
        self.columns.len() <= MOST_COLUMNS
    }

    /// Searches by these instructions from now on, which must be the machine's.
    #[cfg(test)]
    pub(super) const fn use_instructions(&mut self, instructions: Arch) {
        self.instructions = instructions;
    }

    /// As [`Neighbours::search`](super::Neighbours::search).
    pub(super) fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<Neighbour>) -> Option<Neighbour> {
        found.clear();
        let dimensions = self.varying.len().saturating_add(self.constant.len());
        if query.len() != dimensions || !query.iter().all(|x| x.is_finite()) {
            return None;
        }
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(kernel) => kernel.vectorize(Search { dense: self, query, k, found, kernel }),
            #[cfg(target_arch = "x86_64")]
            Arch::V3(kernel) => kernel.vectorize(Search { dense: self, query, k, found, kernel }),
            _ => Search { dense: self, query, k, found, kernel: Plain }.call(),
        }
    }
}

/// One search by one instruction set. What it calls is inlined, so that all of it is compiled for those instructions.
struct Search<'a, 'm, K> {
    dense: &'a mut Dense<'m>,
    query: &'a [f32],
    k: usize,
    found: &'a mut Vec<Neighbour>,
    kernel: K,
}

impl<K: Kernel> NullaryFnOnce for Search<'_, '_, K> {
    type Output = Option<Neighbour>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { dense, query, k, found, kernel } = self;
        let Dense {
            points, labels, metric, varying, constant, columns, rows, benign, slack, query: own, rough, ..
        } = dense;
        own.clear();
        own.extend(varying.iter().filter_map(|&column| query.get(column)));
        let apart =
            |(column, value): &(usize, f32)| query.get(*column).map_or(0.0, |x| metric.reduced(&[*x], &[*value]));
        let common: f32 = constant.iter().map(apart).sum();
        // By kind, benign first: the least distance in each lane.
        let mut least = [Few([u32::MAX; GROUP]); 2];
        let [of_benign, of_others] = &mut least;
        let groups = columns.chunks_exact(own.len().max(1)).zip(&mut *rough).enumerate();
        for (number, (columns, rough)) in groups {
            *rough = match metric {
                Metric::L1 => kernel.few_absolute_distances(common, columns, own),
                Metric::L2 | Metric::Cosine => kernel.few_distances(common, columns, own),
            };
            let least = if number < *benign { &mut *of_benign } else { &mut *of_others };
            *least = kernel.few_least(*least, *rough);
        }
        let widened = |bits: u32| (f32::from_bits(bits.min(INFINITE)) * *slack + f32::MIN_POSITIVE).to_bits();
        let limit_of_benign = widened(kernel.least_of_few(*of_benign));
        let limit = widened(lowest(kernel, least, k));
        let (mut nearest, mut nearest_benign) = (Nearest::new(k, found), None::<Neighbour>);
        for (number, (rough, Few(rows))) in rough.iter().zip(&*rows).enumerate() {
            let is_benign = number < *benign;
            let mut hits = kernel.few_within(rough, if is_benign { limit.max(limit_of_benign) } else { limit });
            while hits != 0 {
                let lane = hits.trailing_zeros() as usize;
                hits &= hits.wrapping_sub(1);
                let Some(row) = rows.get(lane).map(|&row| row as usize) else { break };
                let start = row.saturating_mul(query.len());
                // A place without a point has no label.
                let (Some(&label), Some(point)) = (labels.get(row), points.get(start..start + query.len())) else {
                    continue;
                };
                let point = Neighbour { row, label, reduced: metric.reduced(point, query) };
                nearest.offer(point);
                if is_benign && nearest_benign.is_none_or(|best| point.key(&best).is_lt()) {
                    nearest_benign = Some(point);
                }
            }
        }
        nearest_benign
    }
}

/// A bound that at least `count` of the lanes do not pass: the `count`-th lowest different number.
#[inline(always)]
fn lowest<K: Kernel>(kernel: K, mut lanes: [Few<u32>; 2], count: usize) -> u32 {
    let mut lowest = 0;
    for _ in 0..count {
        let [a, b] = lanes;
        lowest = kernel.least_of_few(kernel.few_least(a, b));
        lanes = lanes.map(|lanes| kernel.few_without(lanes, lowest));
    }
    lowest
}

/// By which factor the rough distance of a point may be beyond that of another whose exact distance is greater.
///
/// Both are sums of the same squares or absolute differences, in another order and perhaps by fused products. Of `n` terms without sign each is within (n + 3) · 2⁻²⁴ of the
/// true sum (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2), so four times that is enough.
#[expect(clippy::cast_precision_loss, reason = "a small count")]
fn slack(terms: usize) -> f32 {
    1.0 + (terms as f32 + 4.0) * 4.0 * f32::EPSILON
}

/// The bits of an infinite distance.
const INFINITE: u32 = f32::INFINITY.to_bits();

/// Columns of groups for which the pass is faster than the scan.
const MOST_COLUMNS: usize = 1024;
