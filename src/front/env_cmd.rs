//! `gocred env`: the shell lines that send tools through the loopback proxy, and go to the module proxy
//! front where its URL is another one at each start. They hold no secret of an upstream, ever.

use crate::{
    cli::{Env as Arguments, EnvShell},
    core::{
        config::DEFAULT_LISTEN,
        modproxy::list::{Target, Upstreams},
    },
    front::{Answer, Context, Outcome, daemon, ui},
};

/// The variables that name the proxy. libcurl reads `http_proxy` in lower case only; go reads both.
pub(crate) const PROXY: [&str; 4] = ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"];
/// The variable that names the module proxies.
const GOPROXY: &str = "GOPROXY";
/// The variables that name what goes direct.
pub(crate) const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let Arguments { shell, unset } = arguments;
    if *unset {
        for name in PROXY.into_iter().chain(NO_PROXY) {
            ui::out(&unset_line(*shell, name));
        }
        if context.env.text(GOPROXY).is_some_and(is_ours) {
            ui::out(&unset_line(*shell, GOPROXY));
        }
        return Ok(Answer::Yes);
    }
    let url = daemon::url(context).unwrap_or_else(|| proxy_url(context));
    let direct = no_proxy(context);
    for name in PROXY {
        ui::out(&set_line(*shell, name, &url));
    }
    for name in NO_PROXY {
        ui::out(&set_line(*shell, name, &direct));
    }
    // Elsewhere it stands in go's own file, which it may: it holds nothing.
    if let Some(url) = daemon::goproxy(context) {
        let rest = rest(context.config.goproxy.upstream.as_ref());
        ui::out(&set_line(*shell, GOPROXY, &format!("{url}{rest}")));
    }
    Ok(Answer::Yes)
}

/// Returns what follows the front in GOPROXY: what go does itself with what the front leaves to it.
fn rest(list: Option<&Upstreams>) -> &'static str {
    match list.and_then(|list| list.elements().last()).map(|last| &last.target) {
        Some(Target::Proxy(_)) => "",
        Some(Target::Off) => ",off",
        Some(Target::Direct) | None => ",direct",
    }
}

/// Returns whether a value of GOPROXY is one that this command has set.
fn is_ours(value: &str) -> bool {
    ["http://127.", "http://[::1]"].iter().any(|start| value.starts_with(start))
        && value.contains("/s-")
}

/// Returns the URL of the loopback proxy as it may stand in a file: without the token, which is
/// another one at every start. It is the running one's, else the configured, else the default.
pub(crate) fn proxy_url(context: &Context) -> String {
    if let Some(url) = daemon::place(context) {
        return url;
    }
    let configured = context.config.proxy.listen.first().map(|listen| listen.address().to_string());
    let [default, _] = DEFAULT_LISTEN;
    format!("http://{}", configured.as_deref().unwrap_or(default))
}

/// Merges what the environment and the configuration send direct, and the loopback names, which no
/// proxy ever serves. Commas only: go does not split at blanks.
pub(crate) fn no_proxy(context: &Context) -> String {
    let env = &context.env;
    let lists = [
        env.text("NO_PROXY").unwrap_or_default(),
        env.text("no_proxy").unwrap_or_default(),
        &context.config.proxy.no_proxy,
        "localhost,127.0.0.1,::1",
    ];
    let mut merged: Vec<&str> = Vec::new();
    for name in lists.iter().flat_map(|list| list.split([',', ' '])) {
        if !name.is_empty() && !merged.contains(&name) {
            merged.push(name);
        }
    }
    merged.join(",")
}

fn set_line(shell: EnvShell, name: &str, value: &str) -> String {
    match shell {
        EnvShell::Fish => format!("set -gx {name} {}", quoted(value, &['\\', '\''], "\\")),
        EnvShell::Powershell => format!("$env:{name} = {}", quoted(value, &['\''], "'")),
        EnvShell::Sh => format!("export {name}='{}'", value.replace('\'', "'\\''")),
    }
}

fn unset_line(shell: EnvShell, name: &str) -> String {
    match shell {
        EnvShell::Fish => format!("set -e {name}"),
        EnvShell::Powershell => {
            format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue")
        }
        EnvShell::Sh => format!("unset {name}"),
    }
}

/// Puts a value into single quotes, with `escape` before each of the special characters.
fn quoted(value: &str, special: &[char], escape: &str) -> String {
    let mut text = String::from("'");
    for c in value.chars() {
        if special.contains(&c) {
            text.push_str(escape);
        }
        text.push(c);
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::{EnvShell, Upstreams, is_ours, rest, set_line};

    #[test]
    fn what_follows_the_front_is_what_the_list_ends_with() {
        for (list, expected) in
            [("https://a.test", ""), ("https://a.test,direct", ",direct"), ("a.test|off", ",off")]
        {
            assert_eq!(rest(Some(&Upstreams::parse(list).unwrap())), expected, "{list}");
        }
        assert_eq!(rest(None), ",direct");
    }

    #[test]
    fn only_what_was_set_is_unset() {
        assert!(is_ours("http://127.0.0.1:7408/s-00ff,direct"));
        assert!(!is_ours("http://127.0.0.1:3000,direct") && !is_ours("https://a.test/s-1"));
    }

    #[test]
    fn quotes_and_backslashes_are_each_shells_own() {
        let value = "a'b\\c $d";
        assert_eq!(set_line(EnvShell::Sh, "X", value), "export X='a'\\''b\\c $d'");
        assert_eq!(set_line(EnvShell::Fish, "X", value), "set -gx X 'a\\'b\\\\c $d'");
        assert_eq!(set_line(EnvShell::Powershell, "X", value), "$env:X = 'a''b\\c $d'");
    }
}
