//! OAuth 2: codecs and states, without network and without clock.

pub mod device;
pub mod metadata;
pub mod pkce;
pub mod preset;
pub mod session;
pub mod token;

pub use self::session::Session;
