//! `terraform-credentials-gocred`: Terraform's and `OpenTofu`'s credentials helper
//! (developer.hashicorp.com/terraform/internals/credentials-helpers), an API token for a host.
//!
//! What `terraform login` stores is kept for the path of the service discovery, so that it does not stand
//! in the way of git on the same host. What Terraform may store beside the token one day is refused, as
//! the protocol wants it, and not dropped.

use std::{collections::BTreeMap, io};

use secrecy::zeroize::Zeroizing;
use serde::Serialize;

use super::{
    Desk, Place, Reach, Said, Trouble, Wish,
    json::{self, Secret},
    read,
};
use crate::{broker::Proofs, core::secret::ExposeSecret};

/// The account of what Terraform stores: its tokens have none.
const OWN: &str = "terraform";
/// The one path that every host of Terraform's has.
const PATH: &str = ".well-known/terraform.json";

/// Answers. Options from Terraform's configuration stand before the verb, and there are none.
pub(super) fn run(arguments: &[&str]) -> Said {
    match arguments {
        ["forget", host] => forget(host).into(),
        ["get", host] => get(host).into(),
        ["store", host] => store(host, io::stdin().lock()).into(),
        _ => {
            let usage = "usage: terraform-credentials-gocred get|store|forget HOST";
            Err(Trouble::usage(usage)).into()
        }
    }
}

fn place(host: &str) -> Result<Place, Trouble> {
    let Place { origin, path: _ } = Place::parse(host)?;
    Ok(Place { origin, path: Some(PATH.to_owned()) })
}

#[derive(Default, Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

fn get(host: &str) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let place = place(host)?;
    let (proofs, reach) = (Proofs::All, Reach::Below);
    let wish = Wish { place: &place, user: None, own: Some(OWN), proofs, reach };
    let Some(record) = Desk::open()?.ask(&wish)? else { return json::line(&Answer::default()) };
    let token = wish.token(&record.secrets.proof)?;
    json::line(&Answer { token: Some(token.expose_secret()) })
}

fn store(host: &str, input: impl io::Read) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let bytes = read(input)?;
    let mut all: BTreeMap<String, Secret> = json::parse(&bytes)?;
    let token = all.remove("token").filter(|Secret(token)| !token.expose_secret().is_empty());
    let Some(Secret(token)) = token else {
        return Err(Trouble::usage("Terraform stores no token"));
    };
    if !all.is_empty() {
        return Err(Trouble::usage("Terraform stores more than a token, which is not understood"));
    }
    Desk::open()?.keep(&place(host)?, OWN, token)?;
    Ok(Zeroizing::default())
}

/// Where there is nothing, all is well.
fn forget(host: &str) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    Desk::open()?.forget(&place(host)?, Some(OWN), "terraform logout")?;
    Ok(Zeroizing::default())
}
