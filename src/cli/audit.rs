//! `gocred audit`.

use clap::{Args, Subcommand, ValueEnum};

/// `gocred audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Write every record to standard output
    Export(AuditExport),
    /// Show the last records
    Tail(AuditTail),
    /// Check that no record was changed, removed or put in
    Verify,
}

/// `gocred audit export`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred audit export --format ocsf --since 24h\n  \
    gocred audit export --format syslog --since 2026-11-25")]
pub struct AuditExport {
    /// The format
    #[arg(long, value_enum, default_value_t = AuditFormat::Jsonl)]
    pub format: AuditFormat,
    /// Only what is not older: a span such as `24h` or `7d`, or a time in UTC such as `2026-11-25T22:10`
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
}

/// A format of `gocred audit export`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// `ArcSight`'s Common Event Format
    #[value(help = "ArcSight's Common Event Format")]
    Cef,
    /// JSON lines, as they are
    Jsonl,
    /// Open Cybersecurity Schema Framework, a JSON object a line
    Ocsf,
    /// Syslog (RFC 5424)
    Syslog,
}

/// `gocred audit tail`
#[derive(Args, Debug)]
pub struct AuditTail {
    /// Go on showing what is released
    #[arg(long, short = 'f')]
    pub follow: bool,
}
