//! Works on several projects at the same time, and decides when to stop.
//!
//! One worker does the merge requests of a project one after the other, because they share repositories and a fork.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Whether a piece of work changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkEffect {
    Unchanged,
    Changed,
}

/// Does the work in `queues`: the first queues first, each queue in its order and by one worker, with up to `workers`
/// at the same time. Stops when `limit` pieces have changed something, or when `must_stop` is set. Returns what was not
/// done.
pub(crate) fn run_queues<T: Send>(
    queues: Vec<Vec<T>>,
    workers: usize,
    limit: Option<u32>,
    must_stop: &AtomicBool,
    run_one: impl Fn(T) -> WorkEffect + Sync,
) -> Vec<T> {
    let waiting = Mutex::new(queues.into_iter().map(VecDeque::from).collect::<VecDeque<_>>());
    let remaining = Mutex::new(Vec::new());
    let permits = Permits::new(limit);
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                // The block drops the guard before the loop's body runs. Otherwise it would block the other workers.
                while let Some(queue) = { lock(&waiting).pop_front() } {
                    for piece in queue {
                        if must_stop.load(Ordering::Acquire) || !permits.acquire() {
                            lock(&remaining).push(piece);
                            continue;
                        }
                        permits.release(run_one(piece));
                    }
                }
            });
        }
    });
    remaining.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many changes may still be made. A worker takes a permit before each piece of work, because it may make a change,
/// and returns it if there was none. So there is never one change too many.
struct Permits {
    state: Mutex<PermitState>,
    changed: Condvar,
}

struct PermitState {
    /// `None` if there is no limit.
    free: Option<u32>,
    in_use: u32,
}

impl Permits {
    fn new(limit: Option<u32>) -> Self {
        Self { state: Mutex::new(PermitState { free: limit, in_use: 0 }), changed: Condvar::new() }
    }

    /// Takes a permit. Waits while other workers may still return one. Returns whether there was one.
    fn acquire(&self) -> bool {
        let mut state = lock(&self.state);
        loop {
            match state.free {
                None => return true,
                Some(0) if state.in_use == 0 => return false,
                Some(0) => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(free) => {
                    *state = PermitState { free: Some(free.saturating_sub(1)), in_use: state.in_use.saturating_add(1) };
                    return true;
                }
            }
        }
    }

    fn release(&self, effect: WorkEffect) {
        let mut state = lock(&self.state);
        if let Some(free) = &mut state.free
            && effect == WorkEffect::Unchanged
        {
            *free = free.saturating_add(1);
        }
        state.in_use = state.in_use.saturating_sub(1);
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
    fn all_work_is_done_and_each_queue_in_order() {
        let done = Mutex::new(Vec::new());
        let queues = vec![vec![(0, 0), (0, 1), (0, 2)], vec![(1, 0)], vec![(2, 0), (2, 1)]];
        let remaining = run_queues(queues, 2, None, &AtomicBool::new(false), |piece| {
            done.lock().unwrap().push(piece);
            WorkEffect::Changed
        });
        assert!(remaining.is_empty());
        let done = done.into_inner().unwrap();
        for queue in 0..3 {
            let order: Vec<_> = done.iter().filter(|(q, _)| *q == queue).map(|(_, n)| *n).collect();
            assert_eq!(order, (0..order.len()).collect::<Vec<_>>());
        }
        assert_eq!(done.len(), 6);
    }

    #[test]
    fn several_workers_run_at_the_same_time() {
        // Each piece waits for the others: with fewer workers, this would never end.
        let all = Barrier::new(3);
        let remaining = run_queues(vec![vec![1], vec![2], vec![3]], 3, None, &AtomicBool::new(false), |_| {
            all.wait();
            WorkEffect::Unchanged
        });
        assert!(remaining.is_empty());
    }

    #[test]
    fn the_limit_counts_changes_only_and_is_never_exceeded() {
        for limit in [1, 3, 10] {
            let (changes, looks) = (AtomicU32::new(0), AtomicU32::new(0));
            let queues: Vec<Vec<u32>> = (0..20).map(|queue| vec![queue * 2, queue * 2 + 1]).collect();
            let remaining = run_queues(queues, 4, Some(limit), &AtomicBool::new(false), |piece| {
                looks.fetch_add(1, Ordering::SeqCst);
                if piece % 2 == 1 {
                    changes.fetch_add(1, Ordering::SeqCst);
                    return WorkEffect::Changed;
                }
                WorkEffect::Unchanged
            });
            assert_eq!(changes.into_inner(), limit);
            assert_eq!(remaining.len() + looks.into_inner() as usize, 40);
        }
    }

    #[test]
    fn work_that_has_not_begun_when_it_must_stop_is_returned() {
        let must_stop = AtomicBool::new(false);
        let remaining = run_queues(vec![vec![1, 2], vec![3]], 1, None, &must_stop, |_| {
            must_stop.store(true, Ordering::Release);
            WorkEffect::Unchanged
        });
        assert_eq!(remaining, [2, 3]);
    }
}
