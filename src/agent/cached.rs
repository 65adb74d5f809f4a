//! A store behind the cache.
