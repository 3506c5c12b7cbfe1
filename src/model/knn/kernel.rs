//! Sums over the columns of a block, in the vector instructions that the machine has.
//!
//! All ways give the same whole numbers. `unsafe` has no part in it: a token of `pulp` proves that the instructions are
//! there.

/// Points in a block: two AVX-512 registers of 16-bit sums, four of AVX2. Larger blocks prune less, smaller ones cost
/// more boxes.
pub(super) const BLOCK: usize = 64;

/// One number for each point of a block.
pub(super) type Lanes<T> = [T; BLOCK];

/// Two columns of a block. Its place in memory lets one register be read from one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Columns(pub(super) Lanes<Pair>);

use super::codes::Pair;

/// Sums of products by one instruction set.
pub(super) trait Kernel: Copy {
    /// Squared distances, in codes, from the query to each point of a block. They fit 16 bits, terms on the way may not.
    ///
    /// `norms` are the points' squared norms and `norm` the query's: |p - q|² = |p|² + |q|² - 2pq.
    fn distances(self, norms: &Lanes<u16>, pairs: &[Columns], norm: u16, query: &[Pair]) -> Lanes<u16>;

    /// Which lanes are at most `limit`: bit i for lane i.
    fn within(self, lanes: &Lanes<u16>, limit: u16) -> u64;
}

/// Plain arrays, which the compiler turns into the vector instructions of the function around them.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Kernel for Plain {
    #[inline(always)]
    fn distances(self, norms: &Lanes<u16>, pairs: &[Columns], norm: u16, query: &[Pair]) -> Lanes<u16> {
        let mut sums = [0_u16; BLOCK];
        for (Columns(column), &query) in pairs.iter().zip(query) {
            let [even, odd] = query.to_le_bytes().map(u16::from);
            for (sum, &pair) in sums.iter_mut().zip(column) {
                let products = (pair & 0xff).wrapping_mul(even).wrapping_add((pair >> 8).wrapping_mul(odd));
                *sum = sum.wrapping_add(products);
            }
        }
        finish(&mut sums, norms, norm);
        sums
    }

    #[inline(always)]
    fn within(self, lanes: &Lanes<u16>, limit: u16) -> u64 {
        if least(lanes) > limit {
            return 0;
        }
        lanes.iter().rev().fold(0, |bits, &lane| bits << 1 | u64::from(lane <= limit))
    }
}

/// Products and norms to squared distances.
#[inline(always)]
fn finish(products: &mut Lanes<u16>, norms: &Lanes<u16>, norm: u16) {
    for (sum, own) in products.iter_mut().zip(norms) {
        *sum = own.wrapping_add(norm).wrapping_sub(sum.wrapping_mul(2));
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use pulp::x86::{V3, V4};
    use pulp::{cast, i16x16, i16x32, u16x16, u16x32};

    use super::{BLOCK, Columns, Kernel, Lanes, Pair, Plain, finish};

    impl Kernel for V3 {
        #[inline(always)]
        fn distances(self, norms: &Lanes<u16>, pairs: &[Columns], norm: u16, query: &[Pair]) -> Lanes<u16> {
            let mut sums = [self.splat_u16x16(0); BLOCK / 16];
            for (Columns(column), &query) in pairs.iter().zip(query) {
                let query = cast(self.splat_u16x16(query));
                let column: [u16x16; BLOCK / 16] = cast(*column);
                for (sum, pairs) in sums.iter_mut().zip(column) {
                    // Codes are at most 127, so the sum of two products fits 16 bits with a sign.
                    let products: i16x16 = cast(self.avx2._mm256_maddubs_epi16(cast(pairs), query));
                    *sum = self.wrapping_add_u16x16(*sum, cast(products));
                }
            }
            let mut sums: Lanes<u16> = cast(sums);
            finish(&mut sums, norms, norm);
            sums
        }

        #[inline(always)]
        fn within(self, lanes: &Lanes<u16>, limit: u16) -> u64 {
            Plain.within(lanes, limit)
        }
    }

    impl Kernel for V4 {
        #[inline(always)]
        fn distances(self, norms: &Lanes<u16>, pairs: &[Columns], norm: u16, query: &[Pair]) -> Lanes<u16> {
            let mut sums = [self.splat_u16x32(0); BLOCK / 32];
            for (Columns(column), &query) in pairs.iter().zip(query) {
                let query = cast(self.splat_u16x32(query));
                let column: [u16x32; BLOCK / 32] = cast(*column);
                for (sum, pairs) in sums.iter_mut().zip(column) {
                    let products: i16x32 = cast(self.avx512bw._mm512_maddubs_epi16(cast(pairs), query));
                    *sum = self.wrapping_add_u16x32(*sum, cast(products));
                }
            }
            let mut sums: Lanes<u16> = cast(sums);
            finish(&mut sums, norms, norm);
            sums
        }

        #[inline(always)]
        fn within(self, lanes: &Lanes<u16>, limit: u16) -> u64 {
            let [low, high]: [u16x32; 2] = cast(*lanes);
            let limit = self.splat_u16x32(limit);
            let bits = |lanes| u64::from(self.cmp_le_u16x32(lanes, limit).0);
            bits(low) | bits(high) << 32
        }
    }
}

/// Squared distances, in codes, from the query to each of a group's boxes (least and greatest code of each column); at
/// most 65,535.
#[inline(always)]
pub(super) fn bounds(boxes: &[[Lanes<u8>; 2]], query: &[Pair]) -> Lanes<u16> {
    let mut sums = [0_u16; BLOCK];
    for (ranges, &query) in boxes.as_chunks::<2>().0.iter().zip(query) {
        for ([low, high], query) in ranges.iter().zip(query.to_le_bytes()) {
            for ((sum, low), high) in sums.iter_mut().zip(low).zip(high) {
                let gap = u16::from(low.saturating_sub(query) | query.saturating_sub(*high));
                *sum = sum.saturating_add(gap.wrapping_mul(gap));
            }
        }
    }
    sums
}

/// The least of some numbers.
#[inline(always)]
pub(super) fn least(lanes: &[u16]) -> u16 {
    lanes.iter().fold(u16::MAX, |least, &lane| least.min(lane))
}
