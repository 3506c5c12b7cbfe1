//! Points as small whole numbers, at most 7 bits a column, and a bound on what that loses.
//!
//! A code stands for a multiple of one width, the same in all columns, so that the sum of the squared differences of
//! codes is the squared distance between those multiples. By the triangle inequality the points themselves are at least
//! that far apart, less the two rounding errors (of the point and of the query), which are known. Columns in which all
//! points are equal, as most flags for values beyond the maximum are, have no code: what a query differs there is the
//! same for every point. So it is with the part of a query that lies outside the box of all points: along each axis a
//! point is at least as far from the query as from the nearest place in the box, and the squares add up.

use ndarray::Array2;

/// Codes of two columns of a point, the even one in the low byte. A missing last column is 0 in points and queries.
pub(super) type Pair = u16;

/// How coordinates become codes.
pub(super) struct Codes {
    /// Least and greatest coordinate of each column.
    ranges: Vec<(f32, f32)>,
    /// The columns that vary, with their least and greatest coordinates.
    varying: Vec<(usize, f32, f32)>,
    /// Codes a unit of distance.
    scale: f32,
    /// The greatest distance, in codes, of a point from what its codes stand for.
    error: f32,
}

/// A point or a query in codes.
#[derive(Default)]
pub(super) struct Encoded {
    codes: Vec<u8>,
    /// The codes, two columns at a time.
    pub(super) pairs: Vec<Pair>,
    /// Sum of the squared codes.
    pub(super) norm: u16,
    /// Squared distance to the box of all points.
    outside: f32,
    /// Distance, in codes, between the point (moved into the box) and what its codes stand for.
    error: f32,
}

impl Codes {
    /// The codes for a matrix of points.
    pub(super) fn new(points: &Array2<f32>) -> Self {
        let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); points.ncols()];
        for point in points.outer_iter() {
            for ((low, high), &x) in ranges.iter_mut().zip(point) {
                (*low, *high) = (low.min(x), high.max(x));
            }
        }
        let columns = (0..).zip(&ranges).map(|(column, &(low, high))| (column, low, high));
        let varying: Vec<_> = columns.filter(|(_, low, high)| low < high).collect();
        let widest = varying.iter().fold(0.0_f32, |widest, (_, low, high)| widest.max(high - low));
        let greatest = (GREATEST_SUM / count(varying.len())).sqrt().floor().clamp(1.0, GREATEST_CODE);
        let scale = if widest > 0.0 { greatest / widest } else { 1.0 };
        let mut codes = Self { ranges, varying, scale, error: 0.0 };
        let mut encoded = Encoded::default();
        for point in points.outer_iter().filter_map(|point| point.to_slice()) {
            codes.encode(point, &mut encoded);
            codes.error = codes.error.max(encoded.error);
        }
        codes
    }

    /// Coordinates of a point, coded or not.
    pub(super) fn dimensions(&self) -> usize {
        self.ranges.len()
    }

    /// Columns that vary.
    pub(super) fn columns(&self) -> usize {
        self.varying.len()
    }

    /// Pairs of a point.
    pub(super) fn pairs(&self) -> usize {
        self.varying.len().div_ceil(2)
    }

    /// Writes a point in codes.
    #[inline(always)]
    pub(super) fn encode(&self, point: &[f32], encoded: &mut Encoded) {
        let mut outside = [0.0_f32; 8];
        for (ranges, point) in self.ranges.chunks(8).zip(point.chunks(8)) {
            for ((sum, (low, high)), x) in outside.iter_mut().zip(ranges).zip(point) {
                let beyond = (low - x).max(x - high).max(0.0);
                *sum += beyond * beyond;
            }
        }
        encoded.outside = outside.iter().sum();
        encoded.codes.clear();
        let (mut squared, mut norm) = (0.0, 0_u16);
        for &(column, low, high) in &self.varying {
            let Some(x) = point.get(column) else { break };
            let exact = (x.clamp(low, high) - low) * self.scale;
            // A number of this size has no digits behind the point: the sum is rounded, and its low byte is the code.
            let [code, ..] = (exact + WHOLE).to_bits().to_le_bytes();
            let error = exact - f32::from(code);
            squared += error * error;
            norm = norm.wrapping_add(u16::from(code).pow(2));
            encoded.codes.push(code);
        }
        (encoded.error, encoded.norm) = (squared.sqrt(), norm);
        let (pairs, last) = encoded.codes.as_chunks::<2>();
        encoded.pairs.clear();
        encoded.pairs.extend(pairs.iter().map(|pair| Pair::from_le_bytes(*pair)));
        encoded.pairs.extend(last.iter().map(|code| Pair::from(*code)));
    }

    /// The greatest squared distance in codes from the query at which a point's
    /// [`squared_distance`](super::squared_distance) may still be `squared` or less; 65,535 excludes nothing.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 0, at most 65,535")]
    pub(super) fn limit(&self, squared: f32, query: &Encoded) -> u16 {
        let inside = (squared * (1.0 + ROUNDING) - query.outside * (1.0 - ROUNDING)).max(0.0) + f32::MIN_POSITIVE;
        let radius = inside.sqrt() * self.scale + query.error + self.error + SLACK;
        (radius * radius * (1.0 + ROUNDING) + 1.0).min(65_535.0) as u16
    }
}

#[expect(clippy::cast_precision_loss, reason = "a model has at most 158 columns")]
fn count(columns: usize) -> f32 {
    columns.max(1) as f32
}

/// The greatest code: two products of 7-bit numbers still fit 16 bits with a sign, which is what processors add best.
const GREATEST_CODE: f32 = 127.0;

/// The greatest squared distance in codes: the sums have 16 bits. With finer codes and sums that wrap around, near queries
/// were up to a tenth faster, and far ones, for which many far points then look near, up to three times slower.
const GREATEST_SUM: f32 = 65_535.0;

/// 2^23: a 32-bit float of this size counts in steps of 1.
const WHOLE: f32 = 8_388_608.0;

/// Relative error of a squared distance and of the terms of a limit: each is a sum of at most 158 squares in eight
/// running sums, which lose less than 40 roundings of 2^-24 (2.4e-6).
const ROUNDING: f32 = 1e-5;

/// In codes: rounding of up to 158 coordinates on their way to codes, each below 127 * 2^-22, which makes 4e-4, and of
/// the limit's own terms.
const SLACK: f32 = 2e-3;
