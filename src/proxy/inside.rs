//! The loopback proxy inside another command, for that process alone: it ends with it, and whoever
//! does not know its token is turned away.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    thread,
};

use tokio::runtime::Builder;

use crate::{
    core::secret::ExposeSecret,
    proxy::{Proxy, Settings},
};

/// The most files that it may hold: a command asks one thing after the other.
const FILES: u64 = 256;

/// A running proxy; dropping it stops it.
pub struct Inside {
    proxy: Proxy,
    url: String,
}

impl Inside {
    /// Starts it on a free port, in a thread of its own.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let proxy = Proxy::new(settings, vec![address], FILES)?;
        let url = format!("http://gocred:{}@{address}", proxy.0.secret.expose_secret());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let serving = proxy.clone();
        thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener);
                if let Ok(listener) = listener {
                    serving.serve(vec![listener]).await;
                }
            });
            // A name that is still being resolved must not keep the process.
            runtime.shutdown_background();
        })?;
        Ok(Self { proxy, url })
    }

    /// Returns what stands in `HTTPS_PROXY`, with the token in it: not for display.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.proxy.stop();
    }
}
