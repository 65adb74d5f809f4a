//! Lets the agent answer, where it runs, in git's words: it remembers what a store and a source have
//! answered, and a source may give its word only once (an `AppRole` whose secret is for one login).

use secrecy::zeroize::Zeroizing;

use super::Trouble;
use crate::{
    broker::{Proofs, Question},
    core::{
        agent::{self, Answer, Flags, Verb, Word},
        credential::{Key, Kind, Record},
        gitproto::Request,
    },
    front::Context,
    store,
    sys::{clock, control},
};

/// Asks the agent. `None`: it does not run, does not answer in time, or leaves it to us. Of a store it is
/// only believed what it has: what is missing or wrong there is looked at here, and gets its own words.
pub(super) fn relay(
    question: &Question<'_>,
    context: &Context,
) -> Option<Result<Option<Record>, Trouble>> {
    let Context { env, paths, config } = context;
    let body = request(question)?;
    let flags = Flags::NONE.with(Flags::UNATTENDED, env.is_unattended());
    let asked = agent::Question { verb: Verb::GitGet, place: paths.place(env), flags, body: &body };
    let Answer { word, out, err } = control::agent(&paths.agent, &asked).ok()?;
    match word {
        Word::Locked | Word::No | Word::Refused => return None,
        Word::Failed | Word::Ok => {}
    }
    match (record(&out, question), config.has_source(question.origin)) {
        (Some(record), _) => Some(Ok(Some(record))),
        (None, false) => None,
        (None, true) if err.is_empty() => Some(Ok(None)),
        (None, true) => Some(Err(Trouble::told(&err))),
    }
}

/// Writes the question as git does. `None`: git has no words for it.
fn request(question: &Question<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let Question { origin, path, user, proofs } = *question;
    let authority = origin.authority();
    let capability = (proofs == Proofs::All).then_some(("capability[]", "authtype"));
    let lines =
        capability.into_iter().chain([("protocol", origin.scheme()), ("host", authority.as_str())]);
    let optional = [path.map(|path| ("path", path)), user.map(|user| ("username", user))];
    let mut bytes = Zeroizing::new(Vec::new());
    for (name, value) in lines.chain(optional.into_iter().flatten()) {
        if value.contains(['\n', '\r', '\0']) {
            return None;
        }
        bytes.extend_from_slice(format!("{name}={value}\n").as_bytes());
    }
    Some(bytes)
}

/// Reads a credential. `None`: there is no whole one.
fn record(out: &[u8], question: &Question<'_>) -> Option<Record> {
    let answer = Request::decode(out).ok()?;
    let (origin, path) = (question.origin.clone(), question.path.map(str::to_owned));
    let secrets = answer.secrets()?;
    let user = answer.username.unwrap_or_default();
    let key = Key { kind: Kind::Git, origin, path, user };
    Some(store::record(key, secrets, answer.password_expiry_utc, clock::now()))
}

#[cfg(test)]
mod tests {
    use super::{record, request};
    use crate::{
        broker::{Proofs, Question},
        core::{credential::Proof, origin::Origin, secret::ExposeSecret},
    };

    #[test]
    fn the_words_are_gits() {
        let origin = Origin::new("https", "h:8443").unwrap();
        let question = |user, proofs| Question { origin: &origin, path: Some("v2"), user, proofs };
        let text = |question| Some(String::from_utf8(request(&question)?.to_vec()).unwrap());
        assert_eq!(
            text(question(Some("ana"), Proofs::All)).as_deref(),
            Some("capability[]=authtype\nprotocol=https\nhost=h:8443\npath=v2\nusername=ana\n")
        );
        assert_eq!(
            text(question(None, Proofs::Passwords)).as_deref(),
            Some("protocol=https\nhost=h:8443\npath=v2\n")
        );
        assert_eq!(text(question(Some("a\nhost=evil"), Proofs::All)), None);
    }

    #[test]
    fn only_a_whole_credential_is_one() {
        let origin = Origin::new("https", "h").unwrap();
        let question = Question { origin: &origin, path: None, user: None, proofs: Proofs::All };
        let found =
            record(b"username=ana\npassword=p\npassword_expiry_utc=9\n", &question).unwrap();
        assert_eq!((found.entry.key.user.as_str(), found.entry.expires), ("ana", Some(9)));
        assert!(matches!(&found.secrets.proof, Proof::Password(p) if p.expose_secret() == "p"));
        for out in ["", "quit=1\n", "username=ana\noauth_refresh_token=r\n", "username=ana", "x"] {
            assert!(record(out.as_bytes(), &question).is_none(), "{out}");
        }
    }
}
