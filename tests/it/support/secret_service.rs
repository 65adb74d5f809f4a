//! A Secret Service of our own on a bus of our own: a small one that works, and whatever a test makes
//! of its answers. It encodes and reads D-Bus independently of the code under test.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::home::Home;

/// A call that arrived at the fake bus.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) serial: u32,
    pub(crate) member: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// A bus whose answers a test decides.
pub(crate) struct FakeBus {
    home: Home,
    connections: Arc<AtomicUsize>,
}

impl FakeBus {
    /// Starts a bus that lets everybody in, and sends what `answer` returns. `None` closes the
    /// connection.
    pub(crate) fn start(
        answer: impl FnMut(&mut UnixStream, Arrived) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        Self::greeting("OK 0123456789abcdef0123456789abcdef\r\n", answer)
    }

    pub(crate) fn greeting(
        greeting: &'static str,
        mut answer: impl FnMut(&mut UnixStream, Arrived) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        let home = Home::new();
        let listener = UnixListener::bind(home.runtime().join("bus")).expect("a socket");
        let connections = Arc::default();
        let bus = Self { home, connections };
        let connections = Arc::clone(&bus.connections);
        // Ends with the test run; the client ends each connection.
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let _ = serve(stream.expect("a connection"), greeting, &mut answer);
            }
        });
        bus
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.home.runtime().join("bus").display())
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Serves one connection until either side has had enough.
fn serve(
    mut stream: UnixStream,
    greeting: &str,
    answer: &mut impl FnMut(&mut UnixStream, Arrived) -> Option<Vec<u8>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let begin = loop {
        fill(&mut stream, &mut bytes)?;
        let begin = b"BEGIN\r\n";
        if let Some(at) = bytes.windows(begin.len()).position(|window| window == begin) {
            break at + begin.len();
        }
    };
    bytes.drain(..begin);
    stream.write_all(greeting.as_bytes()).ok()?;
    loop {
        while let Some((call, size)) = parse(&bytes) {
            bytes.drain(..size);
            let sent = answer(&mut stream, call)?;
            stream.write_all(&sent).ok()?;
        }
        fill(&mut stream, &mut bytes)?;
    }
}

fn fill(stream: &mut UnixStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let size = stream.read(&mut chunk).ok().filter(|size| *size > 0)?;
    bytes.extend(chunk.get(..size)?);
    Some(())
}

/// Reads the first call, and how long it is.
fn parse(bytes: &[u8]) -> Option<(Arrived, usize)> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let (body, serial, fields) = (number(4)?, number(8)?, number(12)?);
    let start = (16 + fields).next_multiple_of(8);
    let size = start + body;
    bytes.get(..size)?;
    let field = |code: u8, kind: u8| {
        let mut at = 16;
        while at < 16 + fields {
            at = at.next_multiple_of(8);
            let head = bytes.get(at..at + 4)?;
            let size = if head.get(2) == Some(&b'g') {
                1 + usize::from(*bytes.get(at + 4)?)
            } else {
                4 + number(at + 4)?
            };
            if head == [code, 1, kind, 0] {
                return String::from_utf8(bytes.get(at + 8..at + 4 + size)?.to_vec()).ok();
            }
            at += 4 + size + 1;
        }
        None
    };
    let call = Arrived {
        serial: u32::try_from(serial).ok()?,
        member: field(3, b's')?,
        path: field(1, b'o')?,
        body: bytes.get(start..size)?.to_vec(),
    };
    Some((call, size))
}

/// Encodes a method return.
pub(crate) fn reply(to: u32, signature: &str, body: &[u8]) -> Vec<u8> {
    let mut fields = [&[5, 1, b'u', 0], to.to_le_bytes().as_slice()].concat();
    if !signature.is_empty() {
        let size = u8::try_from(signature.len()).expect("a length");
        fields.extend([&[8, 1, b'g', 0, size], signature.as_bytes(), &[0]].concat());
    }
    message(2, &fields, body)
}

/// Encodes an error answer.
pub(crate) fn error(to: u32, name: &str) -> Vec<u8> {
    let size = length(name.len());
    let to = [&[5, 1, b'u', 0], to.to_le_bytes().as_slice()].concat();
    message(3, &[&to, [4, 1, b's', 0].as_slice(), &size, name.as_bytes(), &[0]].concat(), b"")
}

fn message(kind: u8, fields: &[u8], body: &[u8]) -> Vec<u8> {
    let mut message = [&[b'l', kind, 1, 1], length(body.len()).as_slice(), &[9, 0, 0, 0]].concat();
    message.extend([&length(fields.len()), fields].concat());
    message.resize(message.len().next_multiple_of(8), 0);
    [message.as_slice(), body].concat()
}

fn length(size: usize) -> [u8; 4] {
    u32::try_from(size).expect("a length").to_le_bytes()
}

/// Encodes object paths one after the other.
pub(crate) fn objects(paths: &[&str]) -> Vec<u8> {
    let mut out = Out::default();
    for path in paths {
        out.text(path);
    }
    out.0
}

/// A body that grows.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.align(4);
        self.0.extend(length(bytes.len()));
        self.0.extend(bytes);
    }

    /// A string or an object path.
    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, signature: &str) {
        self.0.push(u8::try_from(signature.len()).expect("a length"));
        self.0.extend(signature.as_bytes());
        self.0.push(0);
    }

    /// An array whose elements begin at a multiple of `to`.
    fn array(&mut self, to: usize, fill: impl FnOnce(&mut Self)) {
        self.align(4);
        let at = self.0.len();
        self.0.extend([0; 4]);
        self.align(to);
        let start = self.0.len();
        fill(self);
        let size = length(self.0.len() - start);
        self.0.splice(at..at + 4, size);
    }
}

/// A body that is read from its start.
struct In<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> In<'a> {
    fn of(call: &'a Arrived) -> Self {
        Self { bytes: &call.body, at: 0 }
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn size(&mut self) -> usize {
        self.align(4);
        let size = self.bytes.get(self.at..self.at + 4).expect("a length");
        self.at += 4;
        u32::from_le_bytes(size.try_into().expect("four bytes")) as usize
    }

    fn bytes(&mut self) -> &'a [u8] {
        let size = self.size();
        self.at += size;
        self.bytes.get(self.at - size..self.at).expect("bytes")
    }

    fn text(&mut self) -> String {
        let text = String::from_utf8(self.bytes().to_vec()).expect("text");
        self.at += 1;
        text
    }

    fn signature(&mut self) {
        self.at += 2 + usize::from(*self.bytes.get(self.at).expect("a signature"));
    }

    fn dictionary(&mut self) -> BTreeMap<String, String> {
        let size = self.size();
        self.align(8);
        let end = self.at + size;
        let mut map = BTreeMap::new();
        while self.at < end {
            self.align(8);
            map.insert(self.text(), self.text());
        }
        map
    }

    fn texts(&mut self) -> Vec<String> {
        let size = self.size();
        let end = self.at + size;
        let mut texts = Vec::new();
        while self.at < end {
            texts.push(self.text());
        }
        texts
    }
}

/// The only collection.
pub(crate) const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";

/// A service that works: one collection, open, with what was put into it.
#[derive(Default)]
pub(crate) struct Service {
    items: BTreeMap<String, (BTreeMap<String, String>, Vec<u8>)>,
    created: usize,
    encrypted: Option<Encrypted>,
}

/// A service that takes no secret as it is.
pub(crate) struct Encrypted {
    /// Its number in the agreement. With 2, the generator, what both sides share is the client's.
    pub(crate) public: Vec<u8>,
    /// What it does to what it has sealed.
    pub(crate) damage: fn(&mut Vec<u8>),
    key: [u8; 16],
}

impl Encrypted {
    pub(crate) fn of(public: &[u8]) -> Self {
        Self { public: public.to_vec(), damage: |_| (), key: [0; 16] }
    }

    /// Answers `OpenSession`.
    fn session(&mut self, call: &Arrived) -> Vec<u8> {
        let mut body = In::of(call);
        if body.text() != "dh-ietf1024-sha256-aes128-cbc-pkcs7" {
            return error(call.serial, "org.freedesktop.DBus.Error.NotSupported");
        }
        body.signature();
        let theirs = body.bytes();
        let mut shared = vec![0; 128 - theirs.len()];
        shared.extend(theirs);
        let extracted = hmac_sha256::HKDF::extract([], shared);
        hmac_sha256::HKDF::expand(&mut self.key, extracted, []);
        let mut out = Out::default();
        out.signature("ay");
        out.bytes(&self.public);
        out.text("/s");
        reply(call.serial, "vo", &out.0)
    }

    fn seal(&self, secret: &[u8]) -> (Vec<u8>, Vec<u8>) {
        use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};
        let (first, mut value) = ([9; 16], vec![0; secret.len() + 16]);
        let cipher = cbc::Encryptor::<aes::Aes128>::new(&self.key.into(), &first.into());
        let sealed = cipher.encrypt_padded_b2b::<Pkcs7>(secret, &mut value).expect("sealed");
        let mut sealed = sealed.to_vec();
        (self.damage)(&mut sealed);
        (first.to_vec(), sealed)
    }

    fn open(&self, parameters: &[u8], value: &[u8]) -> Vec<u8> {
        use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _, block_padding::Pkcs7};
        let first: [u8; 16] = parameters.try_into().expect("a block");
        let cipher = cbc::Decryptor::<aes::Aes128>::new(&self.key.into(), &first.into());
        let mut value = value.to_vec();
        cipher.decrypt_padded::<Pkcs7>(&mut value).expect("opened").to_vec()
    }
}

impl Service {
    /// Starts one that takes no secret as it is.
    pub(crate) fn encrypted(encrypted: Encrypted) -> Self {
        Self { encrypted: Some(encrypted), ..Self::default() }
    }

    /// Answers a call as the specification has it.
    pub(crate) fn answer(&mut self, call: &Arrived) -> Vec<u8> {
        let to = call.serial;
        match call.member.as_str() {
            "SearchItems" => {
                let found = self.search(call);
                found_items(to, &found, &[])
            }
            "ReadAlias" => reply(to, "o", &objects(&[COLLECTION])),
            "Get" if call.path == COLLECTION => truth(to, false),
            "Get" => match self.items.get(&call.path) {
                Some((attributes, _)) => attributes_of(to, attributes),
                None => error(to, "org.freedesktop.DBus.Error.UnknownObject"),
            },
            "OpenSession" => match &mut self.encrypted {
                Some(encrypted) => encrypted.session(call),
                None => session(to),
            },
            "GetSecrets" => {
                let wanted = In::of(call).texts();
                let all: Vec<_> = wanted
                    .iter()
                    .filter_map(|path| {
                        let (_, secret) = self.items.get(path)?;
                        let (parameters, value) = match &self.encrypted {
                            Some(encrypted) => encrypted.seal(secret),
                            None => (Vec::new(), secret.clone()),
                        };
                        Some((path.as_str(), parameters, value))
                    })
                    .collect();
                secrets(to, &all)
            }
            "CreateItem" => reply(to, "oo", &objects(&[&self.create(call), "/"])),
            "Set" => {
                let mut body = In::of(call);
                body.text();
                body.text();
                body.signature();
                let attributes = body.dictionary();
                // A test may have made it up.
                if let Some(item) = self.items.get_mut(&call.path) {
                    item.0 = attributes;
                }
                reply(to, "", b"")
            }
            "Delete" => {
                self.items.remove(&call.path);
                reply(to, "o", &objects(&["/"]))
            }
            _ => reply(to, "", b""),
        }
    }

    /// Returns the items that a search finds.
    pub(crate) fn search(&self, call: &Arrived) -> Vec<String> {
        let wanted = In::of(call).dictionary();
        let is_found = |attributes: &BTreeMap<String, String>| {
            wanted.iter().all(|(name, value)| attributes.get(name) == Some(value))
        };
        let found = self.items.iter().filter(|(_, (attributes, _))| is_found(attributes));
        found.map(|(path, _)| path.clone()).collect()
    }

    fn create(&mut self, call: &Arrived) -> String {
        let mut body = In::of(call);
        body.size();
        body.align(8);
        body.text();
        body.signature();
        body.text();
        body.align(8);
        body.text();
        body.signature();
        let attributes = body.dictionary();
        body.align(8);
        body.text();
        let parameters = body.bytes();
        let secret = match &self.encrypted {
            Some(encrypted) => encrypted.open(parameters, body.bytes()),
            None => body.bytes().to_vec(),
        };
        let same = self.items.iter().find(|(_, (old, _))| {
            attributes.iter().all(|(name, value)| old.get(name) == Some(value))
        });
        let path = if let Some((path, _)) = same {
            path.clone()
        } else {
            self.created += 1;
            format!("{COLLECTION}/{}", self.created)
        };
        self.items.insert(path.clone(), (attributes, secret));
        path
    }
}

/// Answers a search.
pub(crate) fn found_items(to: u32, unlocked: &[String], locked: &[String]) -> Vec<u8> {
    let mut out = Out::default();
    for paths in [unlocked, locked] {
        out.array(4, |out| paths.iter().for_each(|path| out.text(path)));
    }
    reply(to, "aoao", &out.0)
}

/// Answers `Get` with a truth value.
pub(crate) fn truth(to: u32, is: bool) -> Vec<u8> {
    reply(to, "v", &[1, b'b', 0, 0, u8::from(is), 0, 0, 0])
}

fn attributes_of(to: u32, attributes: &BTreeMap<String, String>) -> Vec<u8> {
    let mut out = Out::default();
    out.signature("a{ss}");
    out.array(8, |out| {
        for (name, value) in attributes {
            out.align(8);
            out.text(name);
            out.text(value);
        }
    });
    reply(to, "v", &out.0)
}

/// Answers `OpenSession` for `plain`.
pub(crate) fn session(to: u32) -> Vec<u8> {
    let mut out = Out::default();
    out.signature("s");
    out.text("");
    out.text("/s");
    reply(to, "vo", &out.0)
}

fn secrets(to: u32, secrets: &[(&str, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Out::default();
    out.array(8, |out| {
        for (path, parameters, secret) in secrets {
            out.align(8);
            out.text(path);
            out.align(8);
            out.text("/s");
            out.bytes(parameters);
            out.bytes(secret);
            out.text("text/plain");
        }
    });
    reply(to, "a{o(oayays)}", &out.0)
}

/// Answers with a text.
pub(crate) fn text(to: u32, text: &str) -> Vec<u8> {
    let mut out = Out::default();
    out.text(text);
    reply(to, "s", &out.0)
}
