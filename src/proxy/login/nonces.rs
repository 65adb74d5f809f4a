//! The nonces of a Digest upstream: each is used by one connection at a time.
//!
//! A nonce is good for many requests, if each counts one higher than the last that arrived (RFC 7616
//! §3.4, `nc`). Requests overtake each other on the way, and servers take a lower count for a replay:
//! so nobody shares. Who finds none free asks without, and is given a new one.

use std::sync::{Mutex, PoisonError};

use crate::core::auth::digest::Offer;

/// The most nonces that are kept for later.
const MOST: usize = 64;
/// How many in a row may be called stale. That is no verdict on the password (RFC 7616 §3.3); a proxy
/// that says so of each new one is given no further proof.
const MAX_STALE: u8 = 2;

/// A nonce that one connection uses.
#[derive(Debug)]
pub(super) struct Nonce {
    pub(super) offer: Offer,
    /// How often it has been used.
    count: u32,
    /// How many before it were stale, since one was accepted.
    stale: u8,
}

impl Nonce {
    pub(super) fn new(offer: Offer) -> Self {
        Self { offer, count: 0, stale: 0 }
    }

    /// Returns the one that the proxy wants instead; `None`: it has wanted that too often.
    pub(super) fn replaced(self, offer: Offer) -> Option<Self> {
        (self.stale < MAX_STALE).then(|| Self { offer, count: 0, stale: self.stale + 1 })
    }

    /// A proof with it was accepted.
    pub(super) fn was_accepted(&mut self) {
        self.stale = 0;
    }

    /// Returns the count for the next request.
    pub(super) fn next(&mut self) -> u32 {
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// The free ones.
#[derive(Debug, Default)]
pub(super) struct Nonces(Mutex<Vec<Nonce>>);

impl Nonces {
    pub(super) fn take(&self) -> Option<Nonce> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn give_back(&self, nonce: Nonce) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MOST {
            free.push(nonce);
        }
    }

    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
