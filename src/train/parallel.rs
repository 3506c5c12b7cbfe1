//! Independent pieces of a fit, on all cores. Results stand in the order of the pieces, so that no number hangs on which thread was free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

/// What `one` makes of each number below `count`. A panic of a piece is a panic here.
pub(super) fn in_parallel<T: Send>(count: usize, one: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get).min(count);
    let next = AtomicUsize::new(0);
    let work = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        numbers.take_while(|number| *number < count).map(|number| (number, one(number))).collect::<Vec<_>>()
    };
    let mut made: Vec<(usize, T)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let join = |other: ScopedJoinHandle<'_, Vec<(usize, T)>>| match other.join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        own.into_iter().chain(others.into_iter().flat_map(join)).collect()
    });
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_order_whatever_thread_made_them() {
        for count in [0, 1, 2, 100] {
            assert_eq!(
                in_parallel(count, |number| number * 3),
                (0..count).map(|number| number * 3).collect::<Vec<_>>()
            );
        }
    }
}
