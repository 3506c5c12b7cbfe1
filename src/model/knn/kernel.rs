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

/// Points in a group of the dense pass: one AVX-512 register of 32-bit distances, two of AVX2.
pub(super) const GROUP: usize = 16;

/// One number for each point of a group, in one cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Few<T>(pub(super) [T; GROUP]);

use super::codes::Pair;

/// Sums of products by one instruction set.
pub(super) trait Kernel: Copy {
    /// Squared distances, in codes, from the query to each point of a block. They fit 16 bits, terms on the way may not.
    ///
    /// `norms` are the points' squared norms and `norm` the query's: |p - q|² = |p|² + |q|² - 2pq.
    fn distances(self, norms: &Lanes<u16>, pairs: &[Columns], norm: u16, query: &[Pair]) -> Lanes<u16>;

    /// Which lanes are at most `limit`: bit i for lane i.
    fn within(self, lanes: &Lanes<u16>, limit: u16) -> u64;

    /// Bits of the squared distances from the query to each point of a group, by its columns, beside what all have in
    /// common. Numbers without sign are in the order of their bits. Two machines may differ in the last digit.
    fn few_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32>;

    /// The same for the sums of absolute differences.
    fn few_absolute_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32>;

    /// The same as [`Kernel::within`] for a group.
    fn few_within(self, lanes: &Few<u32>, limit: u32) -> u16;

    /// The lesser number of each lane.
    fn few_least(self, a: Few<u32>, b: Few<u32>) -> Few<u32>;

    /// The least number of all lanes.
    fn least_of_few(self, lanes: Few<u32>) -> u32;

    /// The lanes with the greatest number there is in place of this one.
    fn few_without(self, lanes: Few<u32>, number: u32) -> Few<u32>;
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

    #[inline(always)]
    fn few_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32> {
        let mut sums = [common; GROUP];
        for (Few(column), query) in columns.iter().zip(query) {
            for (sum, x) in sums.iter_mut().zip(column) {
                *sum += (x - query) * (x - query);
            }
        }
        Few(sums.map(f32::to_bits))
    }

    #[inline(always)]
    fn few_absolute_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32> {
        let mut sums = [common; GROUP];
        for (Few(column), query) in columns.iter().zip(query) {
            for (sum, x) in sums.iter_mut().zip(column) {
                *sum += (x - query).abs();
            }
        }
        Few(sums.map(f32::to_bits))
    }

    #[inline(always)]
    fn few_within(self, Few(lanes): &Few<u32>, limit: u32) -> u16 {
        if lanes.iter().fold(u32::MAX, |least, &lane| least.min(lane)) > limit {
            return 0;
        }
        lanes.iter().rev().fold(0, |bits, &lane| bits << 1 | u16::from(lane <= limit))
    }

    #[inline(always)]
    fn few_least(self, Few(mut a): Few<u32>, Few(b): Few<u32>) -> Few<u32> {
        a.iter_mut().zip(b).for_each(|(a, b)| *a = b.min(*a));
        Few(a)
    }

    #[inline(always)]
    fn least_of_few(self, Few(lanes): Few<u32>) -> u32 {
        lanes.into_iter().fold(u32::MAX, u32::min)
    }

    #[inline(always)]
    fn few_without(self, Few(lanes): Few<u32>, number: u32) -> Few<u32> {
        Few(lanes.map(|lane| if lane == number { u32::MAX } else { lane }))
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
    use pulp::{cast, f32x8, i16x16, i16x32, u16x16, u16x32, u32x4, u32x8};

    use super::{BLOCK, Columns, Few, GROUP, Kernel, Lanes, Pair, Plain, by_fours, finish};

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

        #[inline(always)]
        fn few_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32> {
            let mut sums = [self.splat_f32x8(common); GROUP / 8];
            for (Few(column), &query) in columns.iter().zip(query) {
                let (column, query): ([f32x8; GROUP / 8], _) = (cast(*column), self.splat_f32x8(query));
                for (sum, column) in sums.iter_mut().zip(column) {
                    let apart = self.sub_f32x8(column, query);
                    *sum = self.mul_add_f32x8(apart, apart, *sum);
                }
            }
            Few(cast(sums))
        }

        #[inline(always)]
        fn few_absolute_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32> {
            let mut sums = [self.splat_f32x8(common); GROUP / 8];
            let add = |sums: &mut [f32x8; GROUP / 8], Few(column): &Few<f32>, query| {
                let (column, query): ([f32x8; GROUP / 8], _) = (cast(*column), self.splat_f32x8(query));
                for (sum, column) in sums.iter_mut().zip(column) {
                    *sum = self.add_f32x8(*sum, self.abs_f32x8(self.sub_f32x8(column, query)));
                }
            };
            by_fours(columns, query, |column, query| add(&mut sums, column, query));
            Few(cast(sums))
        }

        #[inline(always)]
        fn few_within(self, Few(lanes): &Few<u32>, limit: u32) -> u16 {
            let [low, high]: [u32x8; GROUP / 8] = cast(*lanes);
            let limit = self.splat_u32x8(limit);
            let bits = |half| {
                let bits = self.avx._mm256_movemask_ps(cast(self.cmp_le_u32x8(half, limit)));
                u16::from(bits.to_le_bytes()[0])
            };
            bits(low) | bits(high) << 8
        }

        #[inline(always)]
        fn few_least(self, Few(a): Few<u32>, Few(b): Few<u32>) -> Few<u32> {
            let ([a, c], [b, d]): ([u32x8; GROUP / 8], [u32x8; GROUP / 8]) = (cast(a), cast(b));
            let least = |a, b| self.avx2._mm256_min_epu32(cast(a), cast(b));
            Few(cast([least(a, b), least(c, d)]))
        }

        #[inline(always)]
        fn least_of_few(self, Few(lanes): Few<u32>) -> u32 {
            let [low, high]: [u32x8; GROUP / 8] = cast(lanes);
            let [low, high]: [u32x4; 2] = cast(self.avx2._mm256_min_epu32(cast(low), cast(high)));
            let four: [u32; 4] = cast(self.sse4_1._mm_min_epu32(cast(low), cast(high)));
            four.into_iter().fold(u32::MAX, u32::min)
        }

        #[inline(always)]
        fn few_without(self, Few(lanes): Few<u32>, number: u32) -> Few<u32> {
            let halves: [u32x8; GROUP / 8] = cast(lanes);
            let number = self.splat_u32x8(number);
            Few(cast(halves.map(|half| self.or_u32x8(half, cast(self.cmp_eq_u32x8(half, number))))))
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

        #[inline(always)]
        fn few_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32> {
            let mut sums = self.splat_f32x16(common);
            for (Few(column), &query) in columns.iter().zip(query) {
                let apart = self.sub_f32x16(cast(*column), self.splat_f32x16(query));
                sums = self.mul_add_f32x16(apart, apart, sums);
            }
            Few(cast(sums))
        }

        #[inline(always)]
        fn few_absolute_distances(self, common: f32, columns: &[Few<f32>], query: &[f32]) -> Few<u32> {
            let mut sums = self.splat_f32x16(common);
            by_fours(columns, query, |Few(column), query| {
                let apart = self.sub_f32x16(cast(*column), self.splat_f32x16(query));
                sums = self.add_f32x16(sums, self.abs_f32x16(apart));
            });
            Few(cast(sums))
        }

        #[inline(always)]
        fn few_within(self, Few(lanes): &Few<u32>, limit: u32) -> u16 {
            self.cmp_le_u32x16(cast(*lanes), self.splat_u32x16(limit)).0
        }

        #[inline(always)]
        fn few_least(self, Few(a): Few<u32>, Few(b): Few<u32>) -> Few<u32> {
            Few(cast(self.avx512f._mm512_min_epu32(cast(a), cast(b))))
        }

        #[inline(always)]
        fn least_of_few(self, lanes: Few<u32>) -> u32 {
            (*self).least_of_few(lanes)
        }

        #[inline(always)]
        fn few_without(self, Few(lanes): Few<u32>, number: u32) -> Few<u32> {
            let lanes = cast(lanes);
            let is_it = self.cmp_eq_u32x16(lanes, self.splat_u32x16(number));
            Few(cast(self.select_u32x16(is_it, self.splat_u32x16(u32::MAX), lanes)))
        }
    }
}

/// Every column with the query's number there, in order: a loop of four, since a column is three or four instructions and a turn of a loop is no
/// less.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn by_fours(columns: &[Few<f32>], query: &[f32], mut add: impl FnMut(&Few<f32>, f32)) {
    let ((columns, last), (query, last_query)) = (columns.as_chunks::<4>(), query.as_chunks::<4>());
    for ([a, b, c, d], [p, q, r, s]) in columns.iter().zip(query) {
        add(a, *p);
        add(b, *q);
        add(c, *r);
        add(d, *s);
    }
    last.iter().zip(last_query).for_each(|(column, query)| add(column, *query));
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
