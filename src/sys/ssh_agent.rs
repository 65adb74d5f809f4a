//! The SSH agent of the user (draft-ietf-sshm-ssh-agent): which keys it has, and a signature of one.
//!
//! It deliberately waits for nobody: an agent that asks a person before it signs gives no signature.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use secrecy::zeroize::Zeroizing;

use crate::core::sshsig::{put, take};

/// How long each read and write may take.
const LIMIT: Duration = Duration::from_secs(2);
/// The longest answer, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// `SSH_AGENT_RSA_SHA2_512`: RSA keys sign with SHA-512; it says nothing to others.
const SHA2_512: u32 = 4;

/// A key that the agent has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The public key, as the protocol has it.
    pub key: Vec<u8>,
    /// What its owner calls it.
    pub comment: String,
}

/// Returns the keys of the agent at a socket.
pub fn identities(socket: &Path) -> io::Result<Vec<Identity>> {
    let answer = ask(socket, &[REQUEST_IDENTITIES])?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the SSH agent's list of keys");
    let mut rest = answer.strip_prefix(&[IDENTITIES_ANSWER]).ok_or_else(malformed)?;
    let (count, behind) = rest.split_first_chunk().ok_or_else(malformed)?;
    rest = behind;
    let mut found = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let key = take(&mut rest).ok_or_else(malformed)?.to_vec();
        let comment = take(&mut rest).ok_or_else(malformed)?;
        found.push(Identity { key, comment: String::from_utf8_lossy(comment).into_owned() });
    }
    Ok(found)
}

/// Lets a key sign. `Ok(None)`: the agent does not have it, or does not want to.
pub fn sign(socket: &Path, key: &[u8], data: &[u8]) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut question = vec![SIGN_REQUEST];
    put(&mut question, key);
    put(&mut question, data);
    question.extend(SHA2_512.to_be_bytes());
    let answer = ask(socket, &question)?;
    let signature = answer.strip_prefix(&[SIGN_RESPONSE]).and_then(|mut rest| take(&mut rest));
    Ok(signature.map(|signature| Zeroizing::new(signature.to_vec())))
}

fn ask(socket: &Path, question: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut message = Vec::with_capacity(4 + question.len());
    put(&mut message, question);
    stream.write_all(&message)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_ANSWER {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the SSH agent says too much"));
    }
    let mut answer = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
