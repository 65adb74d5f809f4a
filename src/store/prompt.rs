//! What a prompt of the service means for a change: most of `KeePassXC`'s ask nobody and end by
//! themselves. One that asks is dismissed, and never waited for.

#[cfg(feature = "full")]
use std::time::{Duration, Instant};

#[cfg(feature = "full")]
use crate::{core::dbus::Reply, store::bus};
use crate::{
    core::dbus::{Body, Call},
    store::conversation::{Conversation, Error, SERVICE},
};

const PROMPT: &str = "org.freedesktop.Secret.Prompt";
/// How long one may take that asks nobody.
#[cfg(feature = "full")]
const PASSING: Duration = Duration::from_millis(500);

impl Conversation {
    /// Lets a prompt pass that asks nobody. What came of it is for the caller to see.
    #[cfg(feature = "full")]
    pub(super) fn pass(&mut self, prompt: &str) -> Result<(), Error> {
        if self.kind.is_none() {
            return self.refuse(prompt);
        }
        let mut window = Body::default();
        window.string("");
        let asked = self.bus.call(&on_prompt(prompt, "Prompt", "s"), &window);
        self.bus.answer(asked)?;
        let end = Instant::now() + PASSING;
        while Instant::now() < end {
            // It is gone when it has ended.
            match self.about(prompt) {
                Ok(about) if is_of_another(&about) => return Ok(()),
                Err(bus::Error::Remote { .. }) => return Ok(()),
                Ok(_) => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error.into()),
            }
        }
        self.dismiss(prompt);
        Err(Error::Prompt)
    }

    /// Leaves a prompt to the whole program.
    #[cfg(not(feature = "full"))]
    pub(super) fn pass(&mut self, prompt: &str) -> Result<(), Error> {
        self.refuse(prompt)
    }

    /// Makes the service forget a prompt: the whole program gets one of its own.
    fn refuse(&mut self, prompt: &str) -> Result<(), Error> {
        self.dismiss(prompt);
        Err(Error::Elsewhere)
    }

    /// Makes the service forget a prompt. What it says to that changes nothing, and is not waited for:
    /// nobody answers the prompt.
    pub(super) fn dismiss(&mut self, prompt: &str) {
        self.bus.tell(&on_prompt(prompt, "Dismiss", ""), &Body::default());
    }

    #[cfg(feature = "full")]
    fn about(&mut self, prompt: &str) -> Result<Reply, bus::Error> {
        let call = Call {
            destination: SERVICE,
            path: prompt,
            interface: "org.freedesktop.DBus.Introspectable",
            member: "Introspect",
            signature: "",
        };
        let pending = self.bus.call(&call, &Body::default());
        self.bus.answer(pending)
    }
}

fn on_prompt<'a>(prompt: &'a str, member: &'a str, signature: &'a str) -> Call<'a> {
    Call { destination: SERVICE, path: prompt, interface: PROMPT, member, signature }
}

/// Returns whether what is said of a path is not of a prompt: it is only on the way to others by now.
#[cfg(feature = "full")]
fn is_of_another(about: &Reply) -> bool {
    let text = about.read("s").and_then(|mut reader| reader.string().map(str::to_owned));
    text.is_ok_and(|text| !text.contains(PROMPT))
}
