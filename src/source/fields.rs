//! The fields of a JSON object that holds a credential: what `OpenBao` keeps, and what a command prints.
//! Texts are secret from the moment they are read.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::core::{
    config::SourceRule,
    credential::UnixTime,
    secret::{ExposeSecret, SecretString},
    text, time,
};

/// The field of the account, where the configuration names none.
const USER: &str = "username";
/// The field of the secret, likewise.
const SECRET: &str = "password";
/// The field that says when it ends: seconds since 1970, or RFC 3339.
const ENDS: &str = "expires_at";

/// How much of the names of fields is told, in bytes.
const MAX_NAMES: usize = 200;

/// The fields of an object, by name.
pub(super) type Fields = BTreeMap<String, Field>;

/// The value of a field.
#[derive(Debug)]
pub(super) enum Field {
    /// An object.
    Fields(Fields),
    /// A number without sign and fraction.
    Number(u64),
    /// Anything else.
    Other,
    /// A text.
    Text(SecretString),
}

/// What a credential's fields say.
#[derive(Debug)]
pub(super) struct Named {
    /// The account, where there is a field for it.
    pub(super) user: Option<String>,
    pub(super) secret: SecretString,
    pub(super) ends: Option<UnixTime>,
}

/// Reads a credential by the names of its fields. The error says which one is missing, and the names of
/// those that are there.
pub(super) fn named(fields: &Fields, rule: &SourceRule) -> Result<Named, String> {
    let missing = |name: &str| {
        let known: Vec<&str> = fields.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
        let known = text::start(&known, MAX_NAMES);
        format!("there is no text in the field `{name}` (fields: {known})")
    };
    let value = |name: &str| match fields.get(name) {
        Some(Field::Text(text)) if !text.expose_secret().is_empty() => Some(text),
        Some(_) | None => None,
    };
    let name = rule.secret.as_deref().unwrap_or(SECRET);
    let secret = value(name).ok_or_else(|| missing(name))?.clone();
    let user = match &rule.user {
        Some(name) => Some(value(name).ok_or_else(|| missing(name))?),
        None => value(USER),
    };
    let ends = match fields.get(ENDS) {
        Some(Field::Number(end)) => Some(*end),
        Some(Field::Text(end)) => {
            let end = time::timestamp(end.expose_secret());
            Some(end.ok_or_else(|| format!("the field `{ENDS}` is no time of RFC 3339"))?)
        }
        Some(Field::Fields(_) | Field::Other) | None => None,
    };
    Ok(Named { user: user.map(|user| user.expose_secret().to_owned()), secret, ends })
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Value)
    }
}

struct Value;

impl<'de> Visitor<'de> for Value {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(text.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Field, A::Error> {
        while sequence.next_element::<Field>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        let mut fields = Fields::new();
        while let Some((name, value)) = map.next_entry()? {
            fields.insert(name, value);
        }
        Ok(Field::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, named};
    use crate::core::{config::SourceRule, secret::ExposeSecret};

    fn read(text: &str, user: Option<&str>, secret: Option<&str>) -> Result<String, String> {
        let fields: Fields = serde_json::from_str(text).unwrap();
        let rule = SourceRule {
            user: user.map(str::to_owned),
            secret: secret.map(str::to_owned),
            ..SourceRule::default()
        };
        let named = named(&fields, &rule)?;
        let (user, secret) = (named.user.as_deref().unwrap_or("-"), named.secret.expose_secret());
        Ok(format!("{user}:{secret} {:?}", named.ends))
    }

    #[test]
    fn a_credential_is_read_by_the_names_of_its_fields() {
        let text = r#"{"username":"ana","password":"p\"w","n":-1,"f":1.5,"b":true,"z":null,
            "l":[1,{"x":"y"}],"token":"t","expires_at":"1970-01-01T00:01:40Z"}"#;
        assert_eq!(read(text, None, None).as_deref(), Ok("ana:p\"w Some(100)"));
        assert_eq!(read(text, Some("token"), Some("username")).as_deref(), Ok("t:ana Some(100)"));
        let text = r#"{"password":"pw","expires_at":7}"#;
        assert_eq!(read(text, None, None).as_deref(), Ok("-:pw Some(7)"));
    }

    #[test]
    fn an_error_names_fields_and_never_a_value() {
        for (text, user, what) in [
            (r#"{"pass":"hunter2","a":"hunter2"}"#, None, "`password` (fields: a, pass)"),
            (r#"{"password":"hunter2"}"#, Some("who"), "`who` (fields: password)"),
            (r#"{"password":""}"#, None, "no text in the field `password`"),
            (r#"{"password":7}"#, None, "no text in the field `password`"),
            (r#"{"password":"x","expires_at":"hunter2"}"#, None, "no time of RFC 3339"),
            ("{}", None, "there is none"),
        ] {
            let error = read(text, user, None).unwrap_err();
            assert!(error.contains(what) && !error.contains("hunter2"), "{error}");
        }
    }
}
