//! The D-Bus wire format, as far as a client of one service needs it: method calls out, replies in
//! (D-Bus specification, "Type System" and "Message Protocol").
//!
//! It deliberately has no sockets, signals, file descriptors or general values: whoever reads a
//! body knows its signature.

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

/// The largest message that is taken, in bytes. The specification allows 128 MiB; no answer that
/// we ask for comes near this.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The bytes before the header fields.
const FIXED: usize = 16;

/// What is wrong with bytes from the bus.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// It ends in the middle of a value, or a length points outside.
    #[error("a value ends outside its message")]
    Length,
    /// It is not a message of protocol version 1.
    #[error("this is not a D-Bus message")]
    Protocol,
    /// It is longer than [`MAX_MESSAGE`].
    #[error("a message is longer than 16 MiB")]
    TooLong,
    /// A text is not UTF-8, has a NUL, is not an object path, or a signature is not the expected.
    #[error("a value is not of its type")]
    Value,
}

/// A method call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The name of the service.
    pub destination: &'a str,
    /// The object.
    pub path: &'a str,
    /// The interface of the method.
    pub interface: &'a str,
    /// The method.
    pub member: &'a str,
    /// The types of the arguments; empty for none.
    pub signature: &'a str,
}

impl Call<'_> {
    /// Appends the message to `out`. Room for the body is made first, so that a secret in it is
    /// not left behind by a growing buffer.
    pub fn encode(&self, serial: u32, body: &Body, out: &mut Zeroizing<Vec<u8>>) {
        let Self { destination, path, interface, member, signature } = *self;
        let mut head = Body::default();
        head.bytes.extend([b'l', 1, 0, 1]); // little endian, method call, no flags, version 1
        head.u32(length(body.bytes.len()));
        head.u32(serial);
        head.array(8, |fields| {
            for (code, kind, value) in
                [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination)]
            {
                fields.field(code, kind).string(value);
            }
            if !signature.is_empty() {
                fields.field(8, "g").signature(signature);
            }
        });
        head.pad(8);
        reserve(out, head.bytes.len() + body.bytes.len());
        out.extend_from_slice(&head.bytes);
        out.extend_from_slice(&body.bytes);
    }
}

/// The arguments of a call. Wiped when dropped.
#[derive(Default)]
pub struct Body {
    bytes: Zeroizing<Vec<u8>>,
}

impl Body {
    /// Starts a body with room for `capacity` bytes: what holds a secret must not grow.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(capacity)) }
    }

    /// Appends `u`; `b` is a `u` of 0 or 1.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.pad(4);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// Appends `s` or `o`. The text has no NUL, and an object path came from the service.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.u32(length(text.len()));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
        self
    }

    /// Appends `g`.
    pub fn signature(&mut self, text: &str) -> &mut Self {
        self.bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
        self
    }

    /// Appends `ay`.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(length(bytes.len()));
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends an array whose elements are aligned to `alignment`.
    pub fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) -> &mut Self {
        self.u32(0);
        let prefix = self.bytes.len() - 4;
        self.pad(alignment);
        let start = self.bytes.len();
        elements(self);
        let size = length(self.bytes.len() - start);
        if let Some(slot) = self.bytes.get_mut(prefix..prefix + 4) {
            slot.copy_from_slice(&size.to_le_bytes());
        }
        self
    }

    /// Starts a struct or a dictionary entry.
    pub fn structure(&mut self) -> &mut Self {
        self.pad(8);
        self
    }

    /// Appends `a{ss}`.
    pub fn dictionary<'a>(&mut self, entries: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.array(8, |body| {
            for (key, value) in entries {
                body.structure().string(key).string(value);
            }
        });
    }

    /// Starts a header field, `(yv)`.
    fn field(&mut self, code: u8, signature: &str) -> &mut Self {
        self.pad(8);
        self.bytes.push(code);
        self.signature(signature)
    }

    fn pad(&mut self, alignment: usize) {
        let size = self.bytes.len().next_multiple_of(alignment);
        self.bytes.resize(size, 0);
    }
}

/// Makes room without leaving a copy of the old bytes behind.
fn reserve(bytes: &mut Zeroizing<Vec<u8>>, more: usize) {
    if bytes.capacity() - bytes.len() < more {
        let capacity = (bytes.len() + more).next_power_of_two();
        let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
}

/// Returns a length as the format has it. What is too long for it is far beyond what the bus takes
/// (128 MiB), and is refused there.
fn length(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// A reply. The body is wiped when dropped.
pub struct Reply {
    /// The serial of the call that this answers.
    pub to: u32,
    /// `None` for a method return, else the name of the error.
    pub error: Option<String>,
    signature: String,
    order: Order,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// Starts reading the body, which must have this signature.
    pub fn read(&self, signature: &str) -> Result<Reader<'_>, Malformed> {
        if self.signature != signature {
            return Err(Malformed::Value);
        }
        Ok(Reader { bytes: &self.body, at: 0, order: self.order })
    }

    /// Returns the text of an error, where it has one.
    pub fn error_text(&self) -> Option<&str> {
        let starts_with_text = self.signature.starts_with('s');
        let mut reader = Reader { bytes: &self.body, at: 0, order: self.order };
        starts_with_text.then(|| reader.string().ok()).flatten()
    }
}

/// Bytes from the bus on their way to becoming replies. Wiped when dropped.
#[derive(Default)]
pub struct Inbox {
    bytes: Zeroizing<Vec<u8>>,
    passed: usize,
}

impl Inbox {
    /// Takes what was read, however it was split.
    pub fn feed(&mut self, bytes: &[u8]) {
        reserve(&mut self.bytes, bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes a line that ends in CR LF, as the authentication has them; `None` needs more bytes.
    pub fn take_line(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Malformed> {
        let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\r\n") else {
            return if self.bytes.len() > limit { Err(Malformed::TooLong) } else { Ok(None) };
        };
        let mut line: Vec<u8> = self.bytes.drain(..end + 2).collect();
        line.truncate(end);
        Ok(Some(line))
    }

    /// Returns the next reply; `None` needs more bytes. Calls and signals are passed over.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, Malformed> {
        while let Some(size) = self.message_size()? {
            let message = self.bytes.get(..size);
            let Some(message) = message else { return Ok(None) };
            let reply = parse(message)?;
            self.bytes.drain(..size);
            if reply.is_some() {
                return Ok(reply);
            }
            self.passed += 1;
        }
        Ok(None)
    }

    /// Returns how many calls and signals were passed over.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// Returns the size of the first message, once its fixed part is here.
    fn message_size(&self) -> Result<Option<usize>, Malformed> {
        let Some(fixed) = self.bytes.get(..FIXED) else { return Ok(None) };
        let mut reader = Reader { bytes: fixed, at: 0, order: Order::of(fixed)? };
        let [_, kind, _, version] = reader.take_array()?;
        if kind == 0 || version != 1 {
            return Err(Malformed::Protocol);
        }
        let (body, _serial, fields) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let size = (FIXED as u64 + u64::from(fields)).next_multiple_of(8) + u64::from(body);
        match usize::try_from(size) {
            Ok(size) if size <= MAX_MESSAGE => Ok(Some(size)),
            _ => Err(Malformed::TooLong),
        }
    }
}

/// Parses one whole message. `None`: not a reply.
fn parse(message: &[u8]) -> Result<Option<Reply>, Malformed> {
    let order = Order::of(message)?;
    let mut reader = Reader { bytes: message, at: 0, order };
    let [_, kind, _, _] = reader.take_array()?;
    reader.at = FIXED - 4;
    let mut fields = reader.array(8)?;
    let (mut to, mut error, mut signature) = (None, None, String::new());
    while !fields.is_empty() {
        fields.align(8)?;
        let [code] = fields.take_array()?;
        match (code, fields.signature()?) {
            (4, "s") => error = Some(fields.string()?.to_owned()),
            (5, "u") => to = Some(fields.u32()?),
            (8, "g") => fields.signature()?.clone_into(&mut signature),
            // A field that we have no use for: all that are defined have these types.
            (_, "s" | "o") => drop(fields.string()?),
            (_, "u") => drop(fields.u32()?),
            (_, "g") => drop(fields.signature()?),
            _ => return Err(Malformed::Value),
        }
    }
    reader.align(8)?;
    let error = match (kind, error) {
        (2, _) => None,
        (3, Some(name)) => Some(name),
        (3, None) => return Err(Malformed::Protocol),
        _ => return Ok(None),
    };
    let to = to.ok_or(Malformed::Protocol)?;
    let body = Zeroizing::new(reader.rest().to_vec());
    Ok(Some(Reply { to, error, signature, order, body }))
}

/// The byte order of a message: its sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

impl Order {
    fn of(message: &[u8]) -> Result<Self, Malformed> {
        match message.first() {
            Some(b'B') => Ok(Self::Big),
            Some(b'l') => Ok(Self::Little),
            _ => Err(Malformed::Protocol),
        }
    }
}

/// Reads the values of a body, one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// The body up to the end of this value: alignment counts from its start.
    bytes: &'a [u8],
    at: usize,
    order: Order,
}

impl<'a> Reader<'a> {
    /// Returns whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Reads `u`.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.align(4)?;
        let bytes = self.take_array()?;
        Ok(match self.order {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        })
    }

    /// Reads `t`.
    #[cfg(feature = "full")]
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.align(8)?;
        let bytes = self.take_array()?;
        Ok(match self.order {
            Order::Big => u64::from_be_bytes(bytes),
            Order::Little => u64::from_le_bytes(bytes),
        })
    }

    /// Reads `b`: a `u` of 0 or 1.
    pub fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Value),
        }
    }

    /// Reads `s`.
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        let size = self.u32()?;
        self.text(size)
    }

    /// Reads `o`: slashes between names of ASCII letters, digits and `_`.
    pub fn path(&mut self) -> Result<&'a str, Malformed> {
        let path = self.string()?;
        let name = |name: &str| {
            !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        };
        match path.strip_prefix('/') {
            Some(names) if names.is_empty() || names.split('/').all(name) => Ok(path),
            _ => Err(Malformed::Value),
        }
    }

    /// Reads `g`.
    pub fn signature(&mut self) -> Result<&'a str, Malformed> {
        let [size] = self.take_array()?;
        self.text(u32::from(size))
    }

    /// Reads `ay`.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let array = self.array(1)?;
        Ok(array.rest())
    }

    /// Starts an array whose elements are aligned to `alignment`; read it until it is empty.
    pub fn array(&mut self, alignment: usize) -> Result<Self, Malformed> {
        let size = usize::try_from(self.u32()?).map_err(|_| Malformed::Length)?;
        self.align(alignment)?;
        let end = self.at.checked_add(size).ok_or(Malformed::Length)?;
        let elements = Self { bytes: self.bytes.get(..end).ok_or(Malformed::Length)?, ..*self };
        self.at = end;
        Ok(elements)
    }

    /// Starts a struct or a dictionary entry.
    pub fn structure(&mut self) -> Result<&mut Self, Malformed> {
        self.align(8)?;
        Ok(self)
    }

    /// Starts a variant, which must have this signature.
    pub fn variant(&mut self, signature: &str) -> Result<&mut Self, Malformed> {
        if self.signature()? == signature { Ok(self) } else { Err(Malformed::Value) }
    }

    fn text(&mut self, size: u32) -> Result<&'a str, Malformed> {
        let size = usize::try_from(size).map_err(|_| Malformed::Length)?;
        let text = self.take(size)?;
        let [end] = self.take_array()?;
        if end != 0 || text.contains(&0) {
            return Err(Malformed::Value);
        }
        std::str::from_utf8(text).map_err(|_| Malformed::Value)
    }

    fn align(&mut self, alignment: usize) -> Result<(), Malformed> {
        let padding = self.at.next_multiple_of(alignment) - self.at;
        self.take(padding).map(drop)
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.rest().get(..size).ok_or(Malformed::Length)?;
        self.at += size;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, _) = self.rest().split_first_chunk().ok_or(Malformed::Length)?;
        self.at += N;
        Ok(*taken)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Body, Call, FIXED, Inbox, MAX_MESSAGE, Malformed, Reader, Reply};
    use secrecy::zeroize::Zeroizing;

    /// A method return as a bus sends it, with a field of every type that is defined.
    fn reply(to: u32, signature: &str, body: &Body) -> Vec<u8> {
        message(2, to, signature, body, None)
    }

    fn message(kind: u8, to: u32, signature: &str, body: &Body, error: Option<&str>) -> Vec<u8> {
        let mut head = Body::default();
        head.bytes.extend([b'l', kind, 1, 1]);
        head.u32(u32::try_from(body.bytes.len()).unwrap()).u32(77);
        head.array(8, |fields| {
            fields.field(6, "s").string(":1.5");
            fields.field(5, "u").u32(to);
            if let Some(error) = error {
                fields.field(4, "s").string(error);
            }
            if !signature.is_empty() {
                fields.field(8, "g").signature(signature);
            }
            fields.field(7, "s").string("org.freedesktop.secrets");
        });
        head.pad(8);
        [head.bytes.as_slice(), body.bytes.as_slice()].concat()
    }

    fn replies(chunks: &[&[u8]]) -> Result<Vec<Reply>, Malformed> {
        let mut inbox = Inbox::default();
        let mut replies = Vec::new();
        for chunk in chunks {
            inbox.feed(chunk);
            while let Some(reply) = inbox.next_reply()? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    fn one(message: &[u8]) -> Reply {
        replies(&[message]).unwrap().remove(0)
    }

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader { bytes, at: 0, order: super::Order::Little }
    }

    #[test]
    fn a_call_has_the_bytes_of_the_specification() {
        let mut body = Body::default();
        body.string("x");
        let call =
            Call { destination: "a.b", path: "/a", interface: "a.b", member: "C", signature: "s" };
        let mut out = Zeroizing::default();
        call.encode(2, &body, &mut out);
        let expected = [
            b"l\x01\x00\x01\x06\x00\x00\x00\x02\x00\x00\x00\x47\x00\x00\x00".as_slice(),
            b"\x01\x01o\x00\x02\x00\x00\x00/a\x00\x00\x00\x00\x00\x00",
            b"\x02\x01s\x00\x03\x00\x00\x00a.b\x00\x00\x00\x00\x00",
            b"\x03\x01s\x00\x01\x00\x00\x00C\x00\x00\x00\x00\x00\x00\x00",
            b"\x06\x01s\x00\x03\x00\x00\x00a.b\x00\x00\x00\x00\x00",
            b"\x08\x01g\x00\x01s\x00\x00",
            b"\x01\x00\x00\x00x\x00",
        ]
        .concat();
        assert_eq!(out.as_slice(), expected);
    }

    #[test]
    fn an_error_has_its_name_and_its_text() {
        let mut body = Body::default();
        body.string("why");
        let reply = one(&message(3, 9, "s", &body, Some("a.b.Error")));
        assert_eq!((reply.to, reply.error.as_deref()), (9, Some("a.b.Error")));
        assert_eq!(reply.error_text(), Some("why"));
        let bare = one(&message(3, 9, "", &Body::default(), Some("a.b.Error")));
        assert_eq!(bare.error_text(), None);
    }

    #[test]
    fn signals_and_calls_are_passed_over() {
        let signal = message(4, 1, "", &Body::default(), None);
        let call = message(1, 1, "", &Body::default(), None);
        let unknown = message(9, 1, "", &Body::default(), None);
        let answer = reply(3, "", &Body::default());
        let all = [signal, call, unknown, answer].concat();
        let mut inbox = Inbox::default();
        inbox.feed(&all);
        assert!(inbox.next_reply().unwrap().is_some());
        assert_eq!(inbox.passed(), 3);
        let found = replies(&[&all]).unwrap();
        assert_eq!(found.iter().map(|reply| reply.to).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_big_endian_reply_is_read() {
        let message = [
            b"B\x02\x01\x01\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x0f".as_slice(),
            b"\x05\x01u\x00\x00\x00\x00\x09\x08\x01g\x00\x01u\x00\x00\x00\x00\x00\x2a",
        ]
        .concat();
        let reply = one(&message);
        assert_eq!((reply.to, reply.read("u").unwrap().u32()), (9, Ok(42)));
    }

    #[test]
    fn a_body_with_another_signature_is_refused() {
        let mut body = Body::default();
        body.string("x");
        assert_eq!(one(&reply(1, "s", &body)).read("o").err(), Some(Malformed::Value));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for (bytes, error) in [
            (b"l\x02\x01\x01\xff\xff\xff\xff\x01\0\0\0\0\0\0\0".as_slice(), Malformed::TooLong),
            (b"l\x02\x01\x01\0\0\0\0\x01\0\0\0\xff\xff\xff\xff", Malformed::TooLong),
            (b"l\x02\x01\x02\0\0\0\0\x01\0\0\0\0\0\0\0", Malformed::Protocol),
            (b"l\0\x01\x01\0\0\0\0\x01\0\0\0\0\0\0\0", Malformed::Protocol),
            (b"x\x02\x01\x01\0\0\0\0\x01\0\0\0\0\0\0\0", Malformed::Protocol),
            // A return without the serial that it answers.
            (b"l\x02\x01\x01\0\0\0\0\x01\0\0\0\0\0\0\0", Malformed::Protocol),
            // A field that is longer than all fields.
            (b"l\x02\x01\x01\0\0\0\0\x01\0\0\0\x08\0\0\0\x06\x01s\0\xff\0\0\0", Malformed::Length),
            // A field of a type that no field has.
            (b"l\x02\x01\x01\0\0\0\0\x01\0\0\0\x08\0\0\0\x0b\x01v\0\0\0\0\0", Malformed::Value),
        ] {
            assert_eq!(replies(&[bytes]).err(), Some(error), "{bytes:?}");
        }
    }

    #[test]
    fn the_largest_message_is_waited_for_and_a_larger_one_is_refused() {
        let of = |body: usize| {
            let body = u32::try_from(body).unwrap().to_le_bytes();
            [b"l\x02\x01\x01".as_slice(), &body, b"\x01\0\0\0\0\0\0\0"].concat()
        };
        assert!(replies(&[&of(MAX_MESSAGE - FIXED)]).unwrap().is_empty());
        assert_eq!(replies(&[&of(MAX_MESSAGE - FIXED + 1)]).err(), Some(Malformed::TooLong));
    }

    #[test]
    fn values_that_are_not_of_their_type_are_refused() {
        assert_eq!(reader(b"\x01\0\0\0a").string(), Err(Malformed::Length));
        assert_eq!(reader(b"\x01\0\0\0ab").string(), Err(Malformed::Value));
        assert_eq!(reader(b"\x02\0\0\0a\0\0").string(), Err(Malformed::Value));
        assert_eq!(reader(b"\x01\0\0\0\xff\0").string(), Err(Malformed::Value));
        assert_eq!(reader(b"\xff\xff\xff\xff").string(), Err(Malformed::Length));
        assert_eq!(reader(b"\x02\0\0\0").boolean(), Err(Malformed::Value));
        assert_eq!(reader(b"\xff\xff\xff\x7f").array(8).err(), Some(Malformed::Length));
        for path in ["", "a", "//", "/a/", "/a-b", "/a b", "/é"] {
            let mut body = Body::default();
            body.string(path);
            assert_eq!(reader(&body.bytes).path(), Err(Malformed::Value), "{path:?}");
        }
        for path in ["/", "/a", "/org/freedesktop/secrets/collection/login/12"] {
            let mut body = Body::default();
            body.string(path);
            assert_eq!(reader(&body.bytes).path(), Ok(path));
        }
    }

    #[test]
    fn a_line_ends_the_authentication() {
        let mut inbox = Inbox::default();
        inbox.feed(b"OK 1de1\r");
        assert_eq!(inbox.take_line(64), Ok(None));
        inbox.feed(b"\nl\x02");
        assert_eq!(inbox.take_line(64), Ok(Some(b"OK 1de1".to_vec())));
        inbox.feed(&[b'x'; 100]);
        assert_eq!(inbox.take_line(64), Err(Malformed::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_the_split_of_the_input_does_not_matter(
            entries in prop::collection::vec(("\\PC{0,12}", "\\PC{0,40}"), 0..6),
            secret in prop::collection::vec(any::<u8>(), 0..200),
            number: u32,
            cuts in prop::collection::vec(0_usize..2000, 0..8),
        ) {
            let mut body = Body::default();
            body.signature("a{ss}").dictionary(entries.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            body.structure().string("/a/b").bytes(&secret).u32(number);
            let bytes = [reply(7, "v(oayu)", &body), reply(8, "", &Body::default())].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let found = replies(&chunks).unwrap();
            prop_assert_eq!(found.iter().map(|reply| reply.to).collect::<Vec<_>>(), [7, 8]);
            let mut reader = found[0].read("v(oayu)").unwrap();
            let mut array = reader.variant("a{ss}").unwrap().array(8).unwrap();
            for (key, value) in &entries {
                let entry = array.structure().unwrap();
                prop_assert_eq!((entry.string().unwrap(), entry.string().unwrap()), (key.as_str(), value.as_str()));
            }
            prop_assert!(array.is_empty());
            let fields = reader.structure().unwrap();
            prop_assert_eq!(fields.path(), Ok("/a/b"));
            prop_assert_eq!(fields.bytes(), Ok(secret.as_slice()));
            prop_assert_eq!(fields.u32(), Ok(number));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), valid: bool) {
            if valid && bytes.len() >= FIXED {
                bytes[..4].copy_from_slice(b"l\x02\0\x01");
                bytes[5..8].fill(0);
                bytes[13..16].fill(0);
            }
            if let Ok(found) = replies(&[&bytes]) {
                for reply in found {
                    let _ = reply.error_text();
                }
            }
            let mut reader = reader(&bytes);
            while reader.string().is_ok() && reader.path().is_ok() {}
            let _ = (reader.variant("v").is_ok(), reader.array(8).is_ok(), reader.bytes());
        }

        #[test]
        fn a_damaged_message_is_an_error_or_another_message(at: usize, bit in 0_u8..8) {
            let mut body = Body::default();
            body.array(4, |paths| { paths.string("/a/b"); }).array(4, |_| {});
            let mut bytes = reply(7, "aoao", &body);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(found) = replies(&[&bytes]) {
                for reply in found {
                    if let Ok(mut body) = reply.read("aoao") {
                        while body.path().is_ok() {}
                    }
                }
            }
        }
    }
}
