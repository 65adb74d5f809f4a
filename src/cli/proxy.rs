//! `gocred proxy`.

use clap::{Args, Subcommand};

/// `gocred proxy`
#[derive(Debug, Subcommand)]
pub enum Proxy {
    /// Show what the PAC file answers for a URL, and why
    Pac(ProxyPac),
    /// Run PAC files for the proxy, which starts it
    #[command(hide = true)]
    PacEngine,
    /// Install the proxy as a service of your session, and start it
    Install(ServiceChange),
    /// Make the running proxy read its configuration anew; its tunnels stay
    Reload,
    /// Run the proxy in the foreground
    Run(ProxyRun),
    /// Start the installed service
    Start,
    /// Show what the running proxy does
    Status(ProxyStatus),
    /// Stop the running proxy, and the service
    Stop,
    /// Show what the module proxy front brings at this moment
    Top(ProxyTop),
    /// Stop the service and remove it
    Uninstall(ServiceChange),
}

/// `gocred proxy install`, `gocred proxy uninstall`
#[derive(Args, Debug)]
pub struct ServiceChange {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `gocred proxy pac`
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    gocred proxy pac git.corp.example\n  \
    gocred proxy pac https://git.corp.example:8443 --pac ./proxy.pac\n  \
    gocred proxy pac http://mirror.corp.example/debian --pac wpad")]
pub struct ProxyPac {
    /// An http:// or https:// URL, `host`, or `host:port`
    #[arg(value_name = "URL")]
    pub target: String,
    /// Ask this one instead of the configured one: a file, a URL, `desktop` or `wpad`
    #[arg(long, value_name = "SOURCE")]
    pub pac: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `gocred proxy run`
#[derive(Args, Debug)]
pub struct ProxyRun {
    /// A loopback address and port; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<String>,
    /// A corporate proxy, `http://host:port`, or DIRECT; in order
    #[arg(long, value_name = "URL")]
    pub upstream: Vec<String>,
    /// Where go asks for modules: a loopback address and port; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub goproxy: Option<String>,
    /// The module proxies behind it, as GOPROXY has them
    #[arg(long, value_name = "LIST")]
    pub goproxy_upstream: Option<String>,
}

/// `gocred proxy top`
#[derive(Args, Debug)]
pub struct ProxyTop {
    /// Print a line of JSON each second
    #[arg(long)]
    pub json: bool,
}

/// `gocred proxy status`
#[derive(Args, Debug)]
pub struct ProxyStatus {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print the URL of the status page, with its token, for a browser of yours
    #[arg(long, conflicts_with = "json")]
    pub url: bool,
}
