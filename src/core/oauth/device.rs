//! The device flow (RFC 8628): a code that a person types elsewhere, and asking until that is done.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;

use crate::core::{
    oauth::token::{Answer, Grant, Malformed, Refusal, Seconds, token},
    secret::SecretString,
};

/// Where nobody says how often to ask (RFC 8628 §3.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// What each `slow_down` adds (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// A server that says more wants nobody to wait.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// Nobody types for longer.
const MAX_LIFETIME: Duration = Duration::from_secs(1800);

/// What the person is told, and what we ask with.
#[derive(Clone, Debug)]
pub struct Device {
    /// What we ask with.
    pub code: SecretString,
    /// What the person types. It is no secret: it is shown.
    pub user_code: String,
    /// Where it is typed.
    pub url: String,
    /// The same, with the code in it.
    pub whole_url: Option<String>,
    /// How long the code is good.
    pub lifetime: Duration,
    /// How often to ask.
    pub interval: Duration,
}

#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    device_code: Option<Cow<'a, str>>,
    user_code: Option<String>,
    // Google's word is another one.
    #[serde(alias = "verification_url")]
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<Seconds<'a>>,
    interval: Option<Seconds<'a>>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Reads the answer of the device endpoint.
pub fn parse(status: u16, body: &[u8]) -> Result<Result<Device, Refusal>, Malformed> {
    let malformed = || Malformed::Json(status);
    let json: Json<'_> = serde_json::from_slice(body).map_err(|_| malformed())?;
    if let Some(error) = json.error.filter(|error| !error.is_empty()) {
        return Ok(Err(Refusal::new(&error, json.error_description.as_deref())));
    }
    let user_code = json.user_code.filter(|code| is_code(code)).ok_or_else(malformed)?;
    let url = json.verification_uri.filter(|url| is_url(url)).ok_or_else(malformed)?;
    let seconds =
        |seconds: Option<Seconds<'_>>| seconds.and_then(|it| it.get()).map(Duration::from_secs);
    Ok(Ok(Device {
        code: token(&json.device_code.ok_or_else(malformed)?)?,
        user_code,
        url,
        whole_url: json.verification_uri_complete.filter(|url| is_url(url)),
        lifetime: seconds(json.expires_in).unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME),
        interval: seconds(json.interval)
            .unwrap_or(INTERVAL)
            .clamp(Duration::from_secs(1), MAX_INTERVAL),
    }))
}

/// Whether a person can type it.
fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether it may be shown, opened and passed to a program.
pub fn is_url(text: &str) -> bool {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    is_web && text.len() <= 4096 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What to do after an answer to a question.
#[derive(Clone, Debug)]
pub enum Step {
    /// Wait this long, and ask again.
    Wait(Duration),
    /// There it is.
    Granted(Grant),
    /// It will not come.
    Ended(Ended),
}

/// Why no token comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The person said no.
    Denied,
    /// Nobody typed the code in time.
    Expired,
    /// Something else.
    Refused(Refusal),
}

/// Takes an answer. The interval grows where the server wants it to.
pub fn step(answer: Answer, interval: &mut Duration) -> Step {
    let refusal = match answer {
        Answer::Granted(grant) => return Step::Granted(grant),
        Answer::Refused(refusal) => refusal,
    };
    match refusal.error.as_str() {
        "authorization_pending" => Step::Wait(*interval),
        "slow_down" => {
            *interval = (*interval + SLOWER).min(MAX_INTERVAL);
            Step::Wait(*interval)
        }
        "access_denied" | "authorization_declined" => Step::Ended(Ended::Denied),
        "expired_token" | "code_expired" => Step::Ended(Ended::Expired),
        _ => Step::Ended(Ended::Refused(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ended, Step, parse, step};
    use crate::core::oauth::token;

    #[test]
    fn the_answer_of_the_rfc_is_read() {
        let device = parse(
            200,
            br#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT",
            "verification_uri":"https://example.com/device",
            "verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT",
            "expires_in":1800,"interval":7}"#,
        );
        let device = device.unwrap().unwrap();
        assert_eq!((device.user_code.as_str(), device.interval.as_secs()), ("WDJB-MJHT", 7));
        assert_eq!(device.lifetime.as_secs(), 1800);
        let bare = br#"{"device_code":"d","user_code":"A B","verification_uri":"https://h"}"#;
        assert!(parse(200, bare).is_err(), "a blank is not typed");
        let google = br#"{"device_code":"d","user_code":"AB","verification_url":"https://h"}"#;
        assert_eq!(parse(200, google).unwrap().unwrap().interval.as_secs(), 5);
    }

    #[test]
    fn what_would_act_on_a_terminal_or_a_program_is_refused() {
        for (code, url) in [
            ("AB\\u001b[2J", "https://h"),
            ("AB", "javascript:alert(1)"),
            ("AB", "--help"),
            ("AB", "https://h/\\n"),
            ("", "https://h"),
        ] {
            let body =
                format!(r#"{{"device_code":"d","user_code":"{code}","verification_uri":"{url}"}}"#);
            assert!(parse(200, body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn it_is_asked_until_somebody_decides_and_slower_where_that_is_wanted() {
        let mut interval = Duration::from_secs(5);
        let mut take = |error: &str| {
            let body = format!(r#"{{"error":"{error}"}}"#);
            step(token::parse(400, body.as_bytes()).unwrap(), &mut interval)
        };
        let waited = |step: Step| match step {
            Step::Wait(wait) => wait.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(waited(take("authorization_pending")), 5);
        assert_eq!(waited(take("slow_down")), 10);
        assert_eq!(waited(take("slow_down")), 15);
        assert_eq!(waited(take("authorization_pending")), 15);
        assert!(matches!(take("access_denied"), Step::Ended(Ended::Denied)));
        assert!(matches!(take("expired_token"), Step::Ended(Ended::Expired)));
        assert!(matches!(take("invalid_client"), Step::Ended(Ended::Refused(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in ".{0,200}") {
            let _ = parse(status, body.as_bytes());
        }
    }
}
