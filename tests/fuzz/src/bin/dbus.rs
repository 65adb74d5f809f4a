//! D-Bus: any bytes from the bus are a reply or an error, and reading one never panics.
#![no_main]

use gocred::core::dbus::Inbox;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut inbox = Inbox::default();
    inbox.feed(bytes);
    while let Ok(Some(reply)) = inbox.next_reply() {
        let _ = reply.error_text();
        if let Ok(mut reader) = reply.read("aoao") {
            let _ = reader.array(4).map(|mut paths| while paths.path().is_ok() {});
        }
        if let Ok(mut reader) = reply.read("v") {
            let _ = reader.variant("a{ss}").map(drop);
        }
    }
});
