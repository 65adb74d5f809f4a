//! gocred: one login, and every private Go module, git repository and tool behind the corporate
//! proxy works.
//!
//! # Layers
//! ```text
//!         bin: gocred (clap, tokio)             bin: git-credential-gocred (std + layers 0–3, front::git)
//!               │                                          │
//!  5  front/    git goauth │ login logout status setup …      the only layer that talks to people
//!               │ sync     │ may be async
//!  4  net/ proxy/          │ async: dial, tls, tunnel; accept, session, pump
//!     agent/    │          │ keys and answers for every program (below proxy)
//!     source/   │          │ credentials that are fetched (above net)
//!  3  broker    one question → one answer: which stores, in which order, for whom
//!  2  store/    secret_service  native (macOS, Windows)  netrc  index  guard
//!  1  sys/      env clock files paths run tty …               thin, one effect a file
//!  0  core/     pure: codecs, matching, configuration, state machines
//! ```
//! A layer names only itself and the ones below it (`tests/it/layering.rs`).
//!
//! # Invariants, and what checks each
//! 1. `core` is deterministic: no clock, environment, files, network, async. (`layering`)
//! 2. A secret is a [`core::secret::SecretString`]; nothing that holds one implements `Display` or
//!    `Serialize`. (`leak`)
//! 3. An [`core::origin::Origin`] has no userinfo, path or fragment; text from outside becomes one
//!    in one function.
//! 4. The helper's stdout carries protocol only, in one write. (print lints, `git_protocol`)
//! 5. The helper starts no thread and no process on `get`. (`budget`)
//! 6. A Secret Service connection completes a search before it opens a session. (`keyring`)
//! 7. A proxy secret that was rejected is not sent again until it changes. (`proxy_auth`)
//! 8. Nothing makes the proxy connect to itself. (`proxy_connect`)
//! 9. Nothing listens on an address that is not loopback: the type is [`core::config::Loopback`].
//! 10. A credential goes to its own scheme, host and port, and nowhere else. (`git_protocol`)
//! 11. A script from the network runs in a process without environment, secrets or files, and one
//!     that fails is never `DIRECT`. (`proxy_pac`)
//! 12. What is released is written down first: who asks a [`broker::Broker`] has it done, and the two
//!     fronts that ask none do it themselves. (`audit_log`, `audit_chain`, `audit_fail_closed`)
//!
//! # Words
//! *Origin*: scheme, host and port, exactly as asked. *Upstream*: a corporate proxy that gocred
//! talks to. *Source*: where a credential comes from. *Store*: a source that can also write. *Rule*:
//! whose the paths of a host are, below one of them.
//! *Guard*: the memory of rejected secrets. *Release*: handing a secret to a program or server.

#[cfg(all(unix, feature = "full"))]
pub mod agent;
pub mod broker;
#[cfg(feature = "full")]
pub mod cli;
pub mod core;
pub mod front;
#[cfg(feature = "full")]
pub mod net;
#[cfg(feature = "full")]
pub mod proxy;
#[cfg(feature = "full")]
pub mod source;
pub mod store;
pub mod sys;
