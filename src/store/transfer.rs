//! The session that secrets travel in (Secret Service API 0.2, "Transfer of Secrets").
//!
//! `plain`: the bus is a socket of the user's own (decisions.md, Secret Service session). Where the
//! service refuses that, or the user wants it, it is encrypted; only the whole program can do so.

#[cfg(feature = "full")]
use secrecy::zeroize::Zeroizing;

#[cfg(not(feature = "full"))]
use crate::store::conversation::NO_PATH;
use crate::{
    core::dbus::Body,
    store::{
        bus::Pending,
        conversation::{Conversation, Error},
    },
};
#[cfg(feature = "full")]
use crate::{
    core::{config, dbus::Malformed},
    store::{bus, dh},
};

/// How far it is with the session of a connection.
pub(super) enum Session {
    None,
    Opening(Pending),
    Open(String),
}

impl Conversation {
    /// Opens the session, with the next call that goes out.
    pub(super) fn open_session(&mut self) {
        #[cfg(feature = "full")]
        if self.kind == Some(config::Session::Dh) {
            return;
        }
        if matches!(self.session, Session::None) {
            let mut body = Body::default();
            body.string("plain").signature("s").string("");
            self.session = Session::Opening(self.service("OpenSession", "sv", &body));
        }
    }

    /// Returns the session. The caller has completed a search on this connection.
    pub(super) fn session(&mut self) -> Result<String, Error> {
        self.open_session();
        let path = match &self.session {
            Session::Open(path) => path.clone(),
            Session::Opening(pending) => match self.bus.answer(*pending) {
                #[cfg(feature = "full")]
                Err(bus::Error::Remote { name, .. })
                    if self.kind.is_some() && name == NOT_SUPPORTED =>
                {
                    self.open_encrypted()?
                }
                reply => {
                    let reply = reply?;
                    let mut reader = reply.read("vo")?;
                    reader.variant("s")?.string()?;
                    reader.path()?.to_owned()
                }
            },
            #[cfg(feature = "full")]
            Session::None => self.open_encrypted()?,
            #[cfg(not(feature = "full"))]
            Session::None => NO_PATH.to_owned(),
        };
        self.session = Session::Open(path.clone());
        Ok(path)
    }

    /// Agrees with the service on a key, and returns the session.
    #[cfg(feature = "full")]
    fn open_encrypted(&mut self) -> Result<String, Error> {
        let broken = |error: std::io::Error| bus::Error::NoBus(error.to_string());
        let offer = dh::Offer::new().map_err(broken)?;
        let mut body = Body::default();
        body.string(dh::ALGORITHM).signature("ay").bytes(&offer.public());
        let pending = self.service("OpenSession", "sv", &body);
        let reply = self.bus.answer(pending)?;
        let mut reader = reply.read("vo")?;
        let cipher = offer.agreed(reader.variant("ay")?.bytes()?);
        self.cipher = Some(cipher.ok_or(Malformed::Value)?);
        Ok(reader.path()?.to_owned())
    }

    /// Writes a secret as it travels: `(oayays)`.
    pub(super) fn write_secret(&mut self, body: &mut Body, secret: &[u8]) -> Result<(), Error> {
        let session = self.session()?;
        #[cfg(feature = "full")]
        if let Some(cipher) = &self.cipher {
            let broken = |error: std::io::Error| bus::Error::NoBus(error.to_string());
            let dh::Sealed { parameters, value } = cipher.seal(secret).map_err(broken)?;
            body.structure().string(&session).bytes(&parameters).bytes(&value).string("text/plain");
            return Ok(());
        }
        body.structure().string(&session).bytes(b"").bytes(secret).string("text/plain");
        Ok(())
    }

    /// Returns a secret that came.
    #[cfg(feature = "full")]
    pub(super) fn opened(
        &self,
        parameters: &[u8],
        value: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        match &self.cipher {
            Some(cipher) => Ok(cipher.open(parameters, value).ok_or(Malformed::Value)?),
            None => Ok(Zeroizing::new(value.to_vec())),
        }
    }
}

/// What a service says of a kind of session that it does not have.
#[cfg(feature = "full")]
const NOT_SUPPORTED: &str = "org.freedesktop.DBus.Error.NotSupported";
