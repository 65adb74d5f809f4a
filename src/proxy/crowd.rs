//! The clients of the moment: how many, and who leaves when another wants in.
//!
//! Whoever is served is never thrown out. Whoever has not yet said what it wants makes room, the
//! longest waiting first: ten thousand half-open heads cost a good client nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, oneshot};

/// All clients.
#[derive(Debug)]
pub(crate) struct Crowd {
    limit: usize,
    inner: Mutex<Inner>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    seats: usize,
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

impl Crowd {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, inner: Mutex::default(), left: Notify::new() })
    }

    /// Lets a client in. `None`: everybody is being served.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Seat> {
        let mut inner = self.lock();
        if inner.seats >= self.limit {
            // Its task frees the seat as soon as it runs; until then we are one above the limit.
            let (_, longest) = inner.waiting.pop_first()?;
            let _ = longest.send(());
        }
        inner.seats += 1;
        Some(Seat(Arc::clone(self)))
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().seats
    }

    /// Returns how often a client was waited for to say what it wants.
    pub(crate) fn waits(&self) -> u64 {
        self.lock().next
    }

    /// Waits until there is nobody.
    pub(crate) async fn emptied(&self) {
        loop {
            let left = self.left.notified();
            if self.len() == 0 {
                return;
            }
            left.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one client; dropping it leaves.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Crowd>);

impl Seat {
    /// Marks the client as one that has not said what it wants, until the value is dropped.
    pub(crate) fn wait(&self) -> Waiting {
        let (sender, asked_to_leave) = oneshot::channel();
        let mut inner = self.0.lock();
        let number = inner.next;
        inner.next += 1;
        inner.waiting.insert(number, sender);
        Waiting { crowd: Arc::clone(&self.0), number, asked_to_leave }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.lock().seats -= 1;
        self.0.left.notify_waiters();
    }
}

/// A client that has not said what it wants.
#[derive(Debug)]
pub(crate) struct Waiting {
    crowd: Arc<Crowd>,
    number: u64,
    /// Resolves when the client has to make room.
    pub(crate) asked_to_leave: oneshot::Receiver<()>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.crowd.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::Crowd;

    #[test]
    fn the_longest_waiting_makes_room_and_who_is_served_stays() {
        let crowd = Crowd::new(2);
        let (served, idle) = (crowd.enter().unwrap(), crowd.enter().unwrap());
        assert!(crowd.enter().is_none());
        let mut waiting = idle.wait();
        let third = crowd.enter().unwrap();
        assert!(waiting.asked_to_leave.try_recv().is_ok());
        drop((waiting, idle));
        assert!(crowd.enter().is_none());
        assert_eq!(crowd.len(), 2);
        drop((served, third));
        assert_eq!(crowd.len(), 0);
    }
}
