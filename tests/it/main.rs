//! Integration tests: one binary, real programs.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

mod support;

mod agent;
mod agent_trust;
mod audit_commands;
mod audit_helper;
mod audit_proxy;
mod audit_repository;
mod budget;
mod cli;
mod config;
mod docs;
mod domain;
mod export;
mod git_chain;
mod git_corpus;
mod git_hostile;
mod git_protocol;
mod git_proxy;
mod go_matrix;
mod goauth;
mod goauth_git;
mod goside_noproxy;
mod goside_pattern;
mod import;
mod import_move;
mod import_sudden;
mod import_tools;
mod import_wild;
mod keyring;
mod keyring_faults;
mod keyring_foreign;
mod keyring_keepassxc;
mod keyring_matrix;
mod keyring_unlock;
mod lab;
mod layering;
mod leak;
mod login;
mod login_proxy;
mod neighbour_bazel;
mod neighbour_cargo;
mod neighbour_docker;
mod neighbour_kubectl;
mod neighbour_links;
mod neighbour_python;
mod neighbour_terraform;
mod net_change;
mod net_socks;
mod net_tls;
mod netrc;
mod proxy_auth;
mod proxy_autoconfig;
mod proxy_browser;
mod proxy_bulk;
mod proxy_connect;
mod proxy_explains;
mod proxy_failover;
mod proxy_guard;
mod proxy_hostile;
mod proxy_http;
mod proxy_kept;
mod proxy_lab;
mod proxy_log;
mod proxy_order;
mod proxy_pac;
mod proxy_pac_differential;
mod proxy_pac_engine;
mod proxy_page;
mod proxy_refused;
mod proxy_schemes;
mod proxy_squid;
mod proxy_threads;
mod proxy_trust;
mod proxy_within;
mod service;
mod setup;
mod status;
mod vault;
mod vault_keys;
mod vault_writers;
