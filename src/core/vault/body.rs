//! The body of the encrypted file: its records, each a row of tagged fields.
//!
//! Plain text of every secret stands here: buffers are made as large as they get, so that growth leaves
//! no copy behind.

use secrecy::zeroize::Zeroizing;

use crate::core::{
    credential::{Entry, Hidden, Key, Kind, Proof, Record, Secrets},
    origin::Origin,
    secret::{ExposeSecret, SecretString},
    vault::{Malformed, read::Reader},
};

const KIND: u8 = 1;
const ORIGIN: u8 = 2;
const PATH: u8 = 3;
const USER: u8 = 4;
const EXPIRES: u8 = 5;
const STORED: u8 = 6;
const HIDDEN_AT: u8 = 7;
const HIDDEN_BY: u8 = 8;
const PASSWORD: u8 = 9;
const AUTHTYPE: u8 = 10;
const CREDENTIAL: u8 = 11;
const REFRESH_TOKEN: u8 = 12;
const SESSION: u8 = 13;
/// What a field has before its bytes: tag and length.
const FIELD: usize = 5;

/// Returns the records as the body has them.
pub fn encode(records: &[Record]) -> Zeroizing<Vec<u8>> {
    let length = |record: &Record| {
        let mut length = 0;
        fields(record, &mut |_, bytes| length += FIELD + bytes.len());
        length
    };
    let lengths: Vec<usize> = records.iter().map(length).collect();
    // The tag of the seal comes behind.
    let capacity = lengths.iter().map(|length| 4 + length).sum::<usize>() + super::TAG;
    let mut body = Zeroizing::new(Vec::with_capacity(capacity));
    for (record, length) in records.iter().zip(lengths) {
        body.extend(number(length));
        fields(record, &mut |tag, bytes| {
            body.push(tag);
            body.extend(number(bytes.len()));
            body.extend(bytes);
        });
    }
    body
}

/// A length as four bytes. The body is refused above 16 MiB, so that none is cut.
fn number(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn fields(record: &Record, say: &mut dyn FnMut(u8, &[u8])) {
    let Record { entry, secrets } = record;
    let Entry { key, expires, stored, hidden } = entry;
    let Key { kind, origin, path, user } = key;
    let Secrets { proof, refresh_token, session } = secrets;
    say(KIND, kind.as_str().as_bytes());
    say(ORIGIN, origin.to_string().as_bytes());
    if let Some(path) = path {
        say(PATH, path.as_bytes());
    }
    say(USER, user.as_bytes());
    if let Some(expires) = expires {
        say(EXPIRES, &expires.to_be_bytes());
    }
    say(STORED, &stored.to_be_bytes());
    if let Some(Hidden { at, by }) = hidden {
        say(HIDDEN_AT, &at.to_be_bytes());
        say(HIDDEN_BY, by.as_bytes());
    }
    match proof {
        Proof::Password(password) => say(PASSWORD, password.expose_secret().as_bytes()),
        Proof::Encoded { authtype, credential } => {
            say(AUTHTYPE, authtype.as_bytes());
            say(CREDENTIAL, credential.expose_secret().as_bytes());
        }
    }
    for (tag, secret) in [(REFRESH_TOKEN, refresh_token), (SESSION, session)] {
        if let Some(secret) = secret {
            say(tag, secret.expose_secret().as_bytes());
        }
    }
}

/// Parses what [`encode`] returns.
pub fn parse(body: &[u8]) -> Result<Vec<Record>, Malformed> {
    let mut reader = Reader(body);
    let mut records = Vec::new();
    while !reader.0.is_empty() {
        let fields = reader.long().ok_or(Malformed::Damaged("the length of a record"))?;
        records.push(record(fields)?);
    }
    Ok(records)
}

fn record(bytes: &[u8]) -> Result<Record, Malformed> {
    let mut found: [Option<&[u8]>; 14] = [None; 14];
    let mut reader = Reader(bytes);
    while let Some(tag) = reader.u8() {
        let bytes = reader.long().ok_or(Malformed::Damaged("the length of a field"))?;
        let place = found.get_mut(usize::from(tag)).filter(|_| tag != 0).ok_or(Malformed::Newer)?;
        if place.replace(bytes).is_some() {
            return Err(Malformed::Damaged("a field that is there twice"));
        }
    }
    Fields(found).record()
}

const WRONG: Malformed = Malformed::Damaged("the fields of a record");

struct Fields<'a>([Option<&'a [u8]>; 14]);

impl Fields<'_> {
    fn bytes(&self, tag: u8) -> Option<&[u8]> {
        self.0.get(usize::from(tag)).copied().flatten()
    }

    fn text(&self, tag: u8) -> Result<Option<&str>, Malformed> {
        self.bytes(tag).map(std::str::from_utf8).transpose().map_err(|_| WRONG)
    }

    fn time(&self, tag: u8) -> Result<Option<u64>, Malformed> {
        let time = self.bytes(tag).map(|bytes| bytes.try_into().map(u64::from_be_bytes));
        time.transpose().map_err(|_| WRONG)
    }

    fn secret(&self, tag: u8) -> Result<Option<SecretString>, Malformed> {
        Ok(self.text(tag)?.map(SecretString::from))
    }

    fn owned(&self, tag: u8) -> Result<Option<String>, Malformed> {
        Ok(self.text(tag)?.map(str::to_owned))
    }

    fn record(&self) -> Result<Record, Malformed> {
        let origin = Origin::from_url(self.text(ORIGIN)?.ok_or(WRONG)?);
        let (origin, rest) = origin.map_err(|_| WRONG)?;
        if !rest.is_empty() {
            return Err(WRONG);
        }
        let (password, authtype) = (self.secret(PASSWORD)?, self.owned(AUTHTYPE)?);
        let proof = match (password, authtype, self.secret(CREDENTIAL)?) {
            (Some(password), None, None) => Proof::Password(password),
            (None, Some(authtype), Some(credential)) => Proof::Encoded { authtype, credential },
            _ => return Err(WRONG),
        };
        let hidden = match (self.time(HIDDEN_AT)?, self.owned(HIDDEN_BY)?) {
            (Some(at), Some(by)) => Some(Hidden { at, by }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(WRONG),
        };
        let key = Key {
            kind: self.text(KIND)?.and_then(Kind::parse).ok_or(WRONG)?,
            origin,
            path: self.owned(PATH)?,
            user: self.owned(USER)?.ok_or(WRONG)?,
        };
        let (refresh_token, session) = (self.secret(REFRESH_TOKEN)?, self.secret(SESSION)?);
        let secrets = Secrets { proof, refresh_token, session };
        let (expires, stored) = (self.time(EXPIRES)?, self.time(STORED)?.ok_or(WRONG)?);
        Ok(Record { entry: Entry { key, expires, stored, hidden }, secrets })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{encode, parse};
    use crate::core::{
        credential::{Entry, Hidden, Key, Kind, Proof, Record, Secrets},
        origin::Origin,
        vault::Malformed,
    };

    fn record(user: &str, proof: Proof, rest: Option<u64>) -> Record {
        let text = |time: u64| format!("\u{e4}{time}\n");
        let key = Key {
            kind: Kind::Git,
            origin: Origin::new("https", "[::1]:8443").unwrap(),
            path: rest.map(text),
            user: user.to_owned(),
        };
        Record {
            entry: Entry {
                key,
                expires: rest,
                stored: 77,
                hidden: rest.map(|at| Hidden { at, by: "git erase".to_owned() }),
            },
            secrets: Secrets {
                proof,
                refresh_token: rest.map(|time| text(time).into()),
                session: rest.map(|time| text(time).into()),
            },
        }
    }

    fn shown(records: &[Record]) -> Vec<u8> {
        encode(records).to_vec()
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            user in ".{0,9}", secret in ".{0,40}", is_encoded: bool, rest: Option<u64>,
        ) {
            let proof = if is_encoded {
                Proof::Encoded { authtype: user.clone(), credential: secret.as_str().into() }
            } else {
                Proof::Password(secret.as_str().into())
            };
            let records = vec![record(&user, proof, rest), record("b", Proof::Password("".into()), None)];
            let body = encode(&records);
            prop_assert!(body.capacity() >= body.len() + 16);
            let again = parse(&body).unwrap();
            prop_assert_eq!(again.len(), 2);
            prop_assert_eq!(&again[0].entry, &records[0].entry);
            prop_assert!(again[0].secrets.proof.same(&records[0].secrets.proof));
            prop_assert_eq!(shown(&again), shown(&records));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Ok(records) = parse(&bytes) {
                prop_assert!(parse(&encode(&records)).is_ok());
            }
        }
    }

    #[test]
    fn a_field_of_a_later_version_is_told_from_damage() {
        let body = shown(&[record("a", Proof::Password("x".into()), None)]);
        let with = |field: &[u8]| {
            let mut body = [&body[..], field].concat();
            let length = u32::try_from(body.len() - 4).unwrap().to_be_bytes();
            body[..4].copy_from_slice(&length);
            parse(&body).map(|records| records.len())
        };
        assert_eq!(with(&[]), Ok(1));
        assert_eq!(with(&[14, 0, 0, 0, 0]), Err(Malformed::Newer));
        assert_eq!(with(&[0, 0, 0, 0, 0]), Err(Malformed::Newer));
        assert!(matches!(with(&[4, 0, 0, 0, 0]), Err(Malformed::Damaged(_))));
        assert!(matches!(with(&[11, 0, 0, 0, 0]), Err(Malformed::Damaged(_))));
        assert!(matches!(with(&[5, 0, 0, 0, 0]), Err(Malformed::Damaged(_))));
        assert!(matches!(with(&[3, 0, 0, 0, 9]), Err(Malformed::Damaged(_))));
    }

    #[test]
    fn a_body_without_records_is_empty() {
        assert_eq!(parse(&encode(&[])).unwrap().len(), 0);
    }
}
