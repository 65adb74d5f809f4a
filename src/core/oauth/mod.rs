//! OAuth 2: codecs and states, without network and without clock.

pub mod session;

pub use self::session::Session;
