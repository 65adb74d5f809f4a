//! `setup --mirror`: the public module proxies with what each is, and the place of a chosen one among the
//! upstreams.

use crate::core::{
    modproxy::list::{Base, Element, Next, Target, Upstreams},
    setup::goproxy,
};

/// A module proxy that anybody may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public {
    /// Its host, which is its name.
    pub host: &'static str,
    /// Who runs it, and where.
    pub about: &'static str,
}

/// All that there are to choose from.
pub const PUBLIC: [Public; 3] = [
    Public {
        host: "proxy.golang.org",
        about: "the Go team's, run by Google, and go's default; passes sum.golang.org on; \
                not reached from mainland China",
    },
    Public {
        host: "goproxy.cn",
        about: "non-profit, run with Qiniu Cloud, in China and open to all; passes sum.golang.org on",
    },
    Public {
        host: "goproxy.io",
        about: "an independent, open-source one for the whole world, reached from China, too",
    },
];

/// Finds one by its name, or by its URL.
pub fn public(text: &str) -> Option<Public> {
    let name = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
    PUBLIC.into_iter().find(|public| public.host.eq_ignore_ascii_case(name))
}

/// Puts a chosen module proxy among the upstreams: in the place of the public ones, or where there is
/// none, behind the others, which are asked for what is private. What is there already stays where it is.
pub fn chosen(list: Option<&Upstreams>, base: &Base) -> String {
    let own = Element { target: Target::Proxy(base.clone()), next: Next::WhenMissing };
    let mut elements: Vec<Element> = list.map(Upstreams::elements).unwrap_or_default().to_vec();
    if elements.is_empty() {
        elements.push(Element { target: Target::Direct, next: Next::WhenMissing });
    }
    if !elements.iter().any(|element| element.target == own.target) {
        let is_rest = |element: &Element| matches!(element.target, Target::Direct | Target::Off);
        let at = elements.iter().position(|element| is_public(element) || is_rest(element));
        elements.insert(at.unwrap_or(elements.len()), own.clone());
        elements.retain(|element| element.target == own.target || !is_public(element));
    }
    goproxy::joined(&elements)
}

fn is_public(element: &Element) -> bool {
    let Target::Proxy(base) = &element.target else { return false };
    base.path.is_empty()
        && base.origin.scheme() == "https"
        && public(&base.origin.authority()).is_some()
}

#[cfg(test)]
mod tests {
    use super::{chosen, public};
    use crate::core::modproxy::list::{Base, Target, Upstreams};

    fn base(url: &str) -> Base {
        match Upstreams::parse(url).unwrap().elements() {
            [only] => match &only.target {
                Target::Proxy(base) => base.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mirror_takes_the_place_of_the_public_ones() {
        for (list, url, expected) in [
            ("https://proxy.golang.org,direct", "https://goproxy.cn", "https://goproxy.cn,direct"),
            (
                "https://c.test|direct",
                "https://goproxy.cn",
                "https://c.test|https://goproxy.cn,direct",
            ),
            ("https://c.test", "https://d.test/x", "https://c.test,https://d.test/x"),
            ("direct", "https://goproxy.io", "https://goproxy.io,direct"),
            ("off", "https://goproxy.io", "https://goproxy.io,off"),
            (
                "https://c.test,https://goproxy.cn|https://proxy.golang.org,direct",
                "https://goproxy.io",
                "https://c.test,https://goproxy.io,direct",
            ),
            (
                "https://goproxy.cn|https://c.test,direct",
                "https://c.test/",
                "https://goproxy.cn|https://c.test,direct",
            ),
        ] {
            let list = Upstreams::parse(list).unwrap();
            assert_eq!(chosen(Some(&list), &base(url)), expected);
        }
        assert_eq!(chosen(None, &base("https://goproxy.cn")), "https://goproxy.cn,direct");
    }

    #[test]
    fn a_public_one_is_known_by_name_and_by_url() {
        for text in ["goproxy.cn", "https://GoProxy.cn/", "https://goproxy.cn"] {
            assert_eq!(public(text).unwrap().host, "goproxy.cn", "{text}");
        }
        for text in ["http://goproxy.cn", "goproxy.cn:8443", "https://goproxy.cn/x", "goproxy.com"]
        {
            assert_eq!(public(text), None, "{text}");
        }
    }
}
