//! Several projects at a time: who works on what, and when to stop.
//!
//! The merge requests of one project are done one after the other, by the same worker: they share repositories and a fork.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What one piece of work came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing was changed.
    Unchanged,
    /// Something was.
    Changed,
}

/// Does the work that `queues` hold, each queue in order and by one worker, the first queues first; up to `workers` at a
/// time, until `limit` pieces came of a change or `is_over` is set. Returns what was left.
pub(crate) fn work<T: Send>(
    queues: Vec<Vec<T>>,
    workers: usize,
    limit: Option<u32>,
    is_over: &AtomicBool,
    one: impl Fn(T) -> Cause + Sync,
) -> Vec<T> {
    let waiting = Mutex::new(queues.into_iter().map(VecDeque::from).collect::<VecDeque<_>>());
    let left = Mutex::new(Vec::new());
    let permits = Permits::new(limit);
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                // A guard that lived through the loop's body would keep the others out.
                while let Some(queue) = { locked(&waiting).pop_front() } {
                    for piece in queue {
                        if is_over.load(Ordering::Acquire) || !permits.take() {
                            locked(&left).push(piece);
                            continue;
                        }
                        permits.give_back(one(piece));
                    }
                }
            });
        }
    });
    left.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many changes may still be made. Whoever begins takes one, for it may come to a change, and gives it back if not: so
/// there is never one change too many.
struct Permits {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Nothing where there is no limit.
    free: Option<u32>,
    taken: u32,
}

impl Permits {
    fn new(limit: Option<u32>) -> Self {
        Self { state: Mutex::new(State { free: limit, taken: 0 }), changed: Condvar::new() }
    }

    /// Takes one; waits while others may still give one back. Says whether there was one.
    fn take(&self) -> bool {
        let mut state = locked(&self.state);
        loop {
            match state.free {
                None => return true,
                Some(0) if state.taken == 0 => return false,
                Some(0) => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(free) => {
                    *state = State { free: Some(free.saturating_sub(1)), taken: state.taken.saturating_add(1) };
                    return true;
                }
            }
        }
    }

    fn give_back(&self, cause: Cause) {
        let mut state = locked(&self.state);
        if let Some(free) = &mut state.free
            && cause == Cause::Unchanged
        {
            *free = free.saturating_add(1);
        }
        state.taken = state.taken.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn all_is_done_and_each_queue_in_order() {
        let done = Mutex::new(Vec::new());
        let queues = vec![vec![(0, 0), (0, 1), (0, 2)], vec![(1, 0)], vec![(2, 0), (2, 1)]];
        let left = work(queues, 2, None, &AtomicBool::new(false), |piece| {
            done.lock().unwrap().push(piece);
            Cause::Changed
        });
        assert!(left.is_empty());
        let done = done.into_inner().unwrap();
        for queue in 0..3 {
            let order: Vec<_> = done.iter().filter(|(q, _)| *q == queue).map(|(_, n)| *n).collect();
            assert_eq!(order, (0..order.len()).collect::<Vec<_>>());
        }
        assert_eq!(done.len(), 6);
    }

    #[test]
    fn as_many_work_at_a_time_as_may() {
        // Each waits for the others: with fewer workers this would never end.
        let all = Barrier::new(3);
        let left = work(vec![vec![1], vec![2], vec![3]], 3, None, &AtomicBool::new(false), |_| {
            all.wait();
            Cause::Unchanged
        });
        assert!(left.is_empty());
    }

    #[test]
    fn there_is_never_one_change_too_many_and_what_changes_nothing_does_not_count() {
        for limit in [1, 3, 10] {
            let (changes, looks) = (AtomicU32::new(0), AtomicU32::new(0));
            let queues: Vec<Vec<u32>> = (0..20).map(|queue| vec![queue * 2, queue * 2 + 1]).collect();
            let left = work(queues, 4, Some(limit), &AtomicBool::new(false), |piece| {
                looks.fetch_add(1, Ordering::SeqCst);
                if piece % 2 == 1 {
                    changes.fetch_add(1, Ordering::SeqCst);
                    return Cause::Changed;
                }
                Cause::Unchanged
            });
            assert_eq!(changes.into_inner(), limit);
            assert_eq!(left.len() + looks.into_inner() as usize, 40);
        }
    }

    #[test]
    fn what_is_not_begun_when_it_is_over_is_left() {
        let is_over = AtomicBool::new(false);
        let left = work(vec![vec![1, 2], vec![3]], 1, None, &is_over, |_| {
            is_over.store(true, Ordering::Release);
            Cause::Unchanged
        });
        assert_eq!(left, [2, 3]);
    }
}
