//! A list of module proxies, walked by real go and by the front: the same are asked, and the same is
//! told in the end.

use gocred::core::modproxy::{
    list::Upstreams,
    walk::{End, Walk},
};

use crate::support::{
    go::Release,
    home::Home,
    random::{Random, cases},
    server::Server,
};

/// Lists of upstreams that are named for what they answer; `000` is not HTTP.
const LISTS: &[&str] = &[
    "a-200",
    "a-404",
    "a-404,b-200",
    "a-404|b-200",
    "a-403,b-200",
    "a-403|b-200",
    "a-000,b-200",
    "a-000|b-200",
    "a-404,b-410",
    "a-500|b-502",
    "a-500|b-404",
    "a-404,b-500,c-200",
    "a-404,b-500|c-404",
    "a-500|b-404,c-502",
    "direct",
    "off",
    "a-404,direct",
    "a-500,direct",
    "a-500|direct",
    "a-404,off",
    "a-500,off",
    "a-500|off",
    "a-500|b-404,off",
];

/// Who was asked, and whose word is told: `direct` and `off` are go's own.
type Walked = (String, String);

/// Walks as the front does.
fn front(list: &str) -> Walked {
    let list = url("proxy.test", list);
    let list = Upstreams::parse(&list).expect("a list");
    let mut walk = Walk::new(&list);
    let mut asked = String::new();
    while let Some(base) = walk.upstream() {
        let name = base.path.trim_start_matches('/').to_owned();
        asked.extend(name.chars().take(1));
        match name.rsplit('-').next() {
            Some("200") => return (asked, name),
            Some("404" | "410") => walk.missing(name),
            _ => walk.failed(name),
        }
    }
    let told = match walk.end() {
        End::Answer(name) => name,
        End::Direct => "direct".to_owned(),
        End::Off => "off".to_owned(),
    };
    (asked, told)
}

/// Has go walk.
fn go(release: Release, list: &str) -> Option<Walked> {
    let server = Server::start(|request| {
        let status = request.target.split(['-', '/']).nth(2).unwrap_or_default();
        let answer = if status == "000" { "broken" } else { status };
        format!("{answer} x\r\nConnection: close\r\n\r\n{{\"Version\":\"v1.0.0\"}}")
    });
    let home = Home::new().without_telemetry();
    let output = home
        .run(release.program()?)
        .args(["list", "-m", "nosuch.invalid/m@v1.0.0"])
        .env("GOPROXY", url(&server.authority(), list))
        .env("GOFLAGS", "-mod=mod")
        .env("GOSUMDB", "off")
        .env("GOTOOLCHAIN", "local")
        .output();
    let mut asked = String::new();
    for request in server.seen() {
        // `list` asks for the .info, and then for the .mod of who had it.
        if request.target.contains("v1.0.0.info") {
            asked.extend(request.target.chars().nth(1));
        }
    }
    let said = output.err();
    let owner = asked.chars().last();
    let named = LETTERS.chars().find_map(|letter| {
        let at = said.find(&format!("/{letter}-"))?;
        said.get(at + 1..at + 6).map(str::to_owned)
    });
    let told = if output.code == Some(0) {
        format!("{}-200", owner.unwrap_or_default())
    } else if said.contains("GOPROXY=off") {
        "off".to_owned()
    } else if said.contains("unrecognized import path") {
        "direct".to_owned()
    } else {
        named.unwrap_or(said)
    };
    Some((asked, told))
}

const LETTERS: &str = "abcd";

/// Returns the list in GOPROXY's grammar.
fn url(authority: &str, list: &str) -> String {
    let pieces = list.split_inclusive([',', '|']);
    let is_own = |piece: &str| piece.starts_with("direct") || piece.starts_with("off");
    pieces
        .map(
            |piece| {
                if is_own(piece) { piece.to_owned() } else { format!("http://{authority}/{piece}") }
            },
        )
        .collect()
}

/// Returns a list of up to four upstreams.
fn random_list(random: &mut Random) -> String {
    let mut list = String::new();
    for letter in LETTERS.chars().take(1 + random.below(4)) {
        list.push(letter);
        list.push_str(random.of(&["-404", "-404", "-410", "-403", "-500", "-000", "-200"]));
        list.push_str(random.of(&[",", "|"]));
    }
    list + random.of(&["", "", "direct", "off"])
}

fn compare(release: Release) {
    let mut random = Random::new();
    let lists = LISTS.iter().map(|list| (*list).to_owned());
    let lists: Vec<_> = lists.chain((0..cases(40)).map(|_| random_list(&mut random))).collect();
    for list in lists {
        let Some(walked) = go(release, &list) else { return };
        assert_eq!(front(&list), walked, "{release:?} {list}");
    }
}

#[test]
fn go_1_19_walks_a_list_as_the_front_does() {
    compare(Release::Go119);
}

#[test]
fn go_1_21_walks_a_list_as_the_front_does() {
    compare(Release::Go121);
}

#[test]
fn go_1_24_walks_a_list_as_the_front_does() {
    compare(Release::Go124);
}

#[test]
fn go_1_27_walks_a_list_as_the_front_does() {
    compare(Release::Go127);
}
