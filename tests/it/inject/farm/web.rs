//! The real servers: nginx with git's own http-backend behind it, and squid.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Command},
};

use super::{hosts, repositories, serve};
use crate::inject::case::{ALICE, ATHENS, PUSER};

/// A host of nginx.
pub(super) struct Site {
    pub(super) host: &'static str,
    /// `443 ssl`, `80`, …
    listen: &'static str,
    /// Its certificate in `certs/`.
    certificate: &'static str,
    /// What it serves.
    serves: &'static str,
}

const fn site(host: &'static str, serves: &'static str) -> Site {
    Site { host, listen: "443 ssl", certificate: "server", serves }
}

const fn plain(host: &'static str, serves: &'static str) -> Site {
    Site { host, listen: "80", certificate: "server", serves }
}

/// An open git host with this certificate.
const fn certified(host: &'static str, certificate: &'static str) -> Site {
    Site { host, listen: "443 ssl", certificate, serves: OPEN }
}

/// go-import pages and repositories, for everybody.
const OPEN: &str = "location / { @PAGE@ } location ~ \\.git/ { @GIT@ }";
/// Pages for everybody, repositories for alice.
const BASIC: &str = "location / { @PAGE@ } location ~ \\.git/ { @ALICE@ @GIT@ }";
/// The module proxy.
const MODULES: &str = "location / { root @OWN@/modules; }";
/// A page with a form, as portals have it.
const PORTAL: &str = "default_type text/html; return 200 '<!DOCTYPE html><html><head><title>Corp Guest \
Network</title></head><body><form action=\"/login\"><input name=\"user\"><input type=\"password\" \
name=\"pass\"></form></body></html>';";

/// The hosts of nginx.
pub(super) const SITES: &[Site] = &[
    site("pub.corp.test", OPEN),
    plain("pub.corp.test", OPEN),
    Site { host: "pub.corp.test", listen: "8443 ssl", certificate: "server", serves: OPEN },
    site("git.corp.test", BASIC),
    site("goproxy.corp.test", MODULES),
    plain("goproxyh.corp.test", MODULES),
    site("gpauth.corp.test", "location / { @ATHENS@ root @OWN@/modules; }"),
    Site {
        host: "gpauth.corp.test",
        listen: "8443 ssl",
        certificate: "server",
        serves: "location / { @ATHENS@ root @OWN@/modules; }",
    },
    plain("gphauth.corp.test", "location / { @ATHENS@ root @OWN@/modules; }"),
    site("sum.corp.test", "location / { root @OWN@/sumdb; }"),
    Site {
        host: "sum.corp.test",
        listen: "8080",
        certificate: "server",
        serves: "location / { root @OWN@/sumdb; }",
    },
    site("store.corp.test", MODULES),
    site("portal.corp.test", PORTAL),
    plain("portal.corp.test", PORTAL),
    plain("portalall.corp.test", PORTAL),
    site("portal.other.test", PORTAL),
    plain("portal.other.test", PORTAL),
    // T: a certificate for each way in which one can be wrong.
    certified("selfsigned.corp.test", "selfsigned"),
    certified("inspected.corp.test", "inspected"),
    certified("nointermediate.corp.test", "nointermediate"),
    certified("complete.corp.test", "complete"),
    certified("expired.corp.test", "expired"),
    certified("notyet.corp.test", "notyet"),
    certified("wronghost.corp.test", "wronghost"),
    certified("nosan.corp.test", "nosan"),
    certified("constrained.corp.test", "constrained"),
    certified("clienteku.corp.test", "clienteku"),
    certified("weakrsa.corp.test", "weakrsa"),
    certified("rsa.corp.test", "rsa"),
    certified("sha1.corp.test", "sha1"),
    certified("mitm.corp.test", "mitm"),
    certified("second.corp.test", "second"),
    certified("revoked.corp.test", "revoked"),
    site(
        "tls10.corp.test",
        "@OLD@ ssl_protocols TLSv1; location / { @PAGE@ } location ~ \\.git/ { @GIT@ }",
    ),
    site(
        "tls11.corp.test",
        "@OLD@ ssl_protocols TLSv1.1; location / { @PAGE@ } location ~ \\.git/ { @GIT@ }",
    ),
    site(
        "tls12.corp.test",
        "ssl_protocols TLSv1.2; location / { @PAGE@ } location ~ \\.git/ { @GIT@ }",
    ),
    // What nginx itself answers to who has no certificate: 400.
    site(
        "mtls400.corp.test",
        "ssl_client_certificate @OWN@/ca.pem; ssl_verify_client on; location / { @PAGE@ } location ~ \\.git/ { @GIT@ }",
    ),
    // H: statuses.
    site("portal200.corp.test", PORTAL),
    site("portal302.corp.test", "return 302 http://portalall.corp.test/login?u=x;"),
    site("portal302s.corp.test", "return 302 https://portal.corp.test/login?u=x;"),
    site(
        "p511.corp.test",
        "default_type text/html; return 511 '<html><body>sign in</body></html>';",
    ),
    site("loop.corp.test", "return 302 https://$host$request_uri;"),
    site("r301.corp.test", "return 301 http://$host$request_uri;"),
    site("s400.corp.test", "default_type text/html; return 400 '<html>bad request</html>';"),
    site("s403.corp.test", "default_type text/html; return 403 '<html>forbidden</html>';"),
    site(
        "s403txt.corp.test",
        "return 403 'Blocked by policy CORP-DLP-7: category=code-hosting\\nTicket: https://help.corp.test/7\\n';",
    ),
    site("s404.corp.test", "default_type text/html; return 404 '<html>not found</html>';"),
    site("s410.corp.test", "default_type text/html; return 410 '<html>gone</html>';"),
    site("s429.corp.test", "add_header Retry-After 120 always; return 429 'rate limited\\n';"),
    site("s451.corp.test", "default_type text/html; return 451 '<html>blocked by law</html>';"),
    site("s500.corp.test", "default_type text/html; return 500 '<html>error</html>';"),
    site("s502.corp.test", "default_type text/html; return 502 '<html>bad gateway</html>';"),
    site(
        "s503.corp.test",
        "default_type text/html; add_header Retry-After 30 always; return 503 '<html>maintenance</html>';",
    ),
    site("s504.corp.test", "default_type text/html; return 504 '<html>timeout</html>';"),
    // A: who one is.
    site(
        "authall.corp.test",
        "@ALICE@ location / { default_type text/html; root @OWN@/pages; try_files /$host$uri.html =404; } \
         location ~ \\.git/ { @GIT@ }",
    ),
    site(
        "mask404.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { @ALICE@ error_page 401 =404 /masked; @GIT@ } \
         location = /masked { internal; return 404 'Repository not found.'; }",
    ),
    site(
        "scope403.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { @CHALLENGE@ \
         return 403 'remote: You are not allowed to download code from this project.'; }",
    ),
    site(
        "sso403.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { @CHALLENGE@ add_header X-GitHub-SSO \
         'required; url=https://sso403.corp.test/orgs/corp/sso?authorization_request=1' always; \
         return 403 'The organization has enabled or enforced SAML SSO. To access this repository, re-authorize.'; }",
    ),
    site(
        "pwremoved.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { add_header WWW-Authenticate 'Basic realm=\"GitHub\"' \
         always; return 401 'Support for password authentication was removed. Please use a personal access token instead.'; }",
    ),
    site(
        "ontlm.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { add_header WWW-Authenticate NTLM always; return 401; }",
    ),
    site(
        "onegotiate.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { add_header WWW-Authenticate Negotiate always; return 401; }",
    ),
    site(
        "obearer.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { add_header WWW-Authenticate 'Bearer realm=\"https://sso.corp.test\"' always; return 401; }",
    ),
    site(
        "odigest.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { add_header WWW-Authenticate 'Digest realm=\"git\", nonce=\"3f2a\", qop=\"auth\"' always; return 401; }",
    ),
    site("nochal.corp.test", "location / { @PAGE@ } location ~ \\.git/ { return 401; }"),
    site("xhost.corp.test", "return 302 https://git.corp.test$request_uri;"),
    plain("hbasic.corp.test", "location / { @PAGE@ } location ~ \\.git/ { @ALICE@ @GIT@ }"),
    // G: go-import pages, and repositories that are none.
    site(
        "metassh.corp.test",
        "@META@ 'metassh.corp.test/team/lib git ssh://git@metassh.corp.test/team/lib.git' @END@",
    ),
    site(
        "metahttp.corp.test",
        "@META@ 'metahttp.corp.test/team/lib git http://metahttp.corp.test/team/lib.git' @END@",
    ),
    site(
        "metaprefix.corp.test",
        "@META@ 'metaprefix.corp.test/other git https://pub.corp.test/team/lib.git' @END@",
    ),
    site(
        "metabare.corp.test",
        "@META@ 'metabare.corp.test/team/lib git pub.corp.test/team/lib.git' @END@",
    ),
    site(
        "getonly.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { limit_except GET { deny all; } @GIT@ }",
    ),
    site(
        "metanone.corp.test",
        "default_type text/html; return 200 '<html><head><title>x</title></head></html>';",
    ),
    site(
        "metadup.corp.test",
        "default_type text/html; return 200 '<html><head><meta name=\"go-import\" content=\"metadup.corp.test/team/lib git \
         https://pub.corp.test/team/lib.git\"><meta name=\"go-import\" content=\"metadup.corp.test/team/lib git \
         https://git.corp.test/team/lib.git\"></head></html>';",
    ),
    site(
        "metamod.corp.test",
        "@META@ 'metamod.corp.test/team/lib mod https://gp404.corp.test' @END@",
    ),
    site(
        "metagroup.corp.test",
        "@META@ 'metagroup.corp.test/team git https://pub.corp.test/team.git' @END@",
    ),
    site(
        "metahg.corp.test",
        "@META@ 'metahg.corp.test/team/lib hg https://metahg.corp.test/team/lib' @END@",
    ),
    site(
        "ghtml.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { default_type text/html; return 200 '<html><body>Corp Git</body></html>'; }",
    ),
    site(
        "gempty.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { default_type application/x-git-upload-pack-advertisement; return 200 ''; }",
    ),
    site(
        "gdumb.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { default_type text/plain; return 200 ''; }",
    ),
    site(
        "moved.corp.test",
        "location / { @PAGE@ } location ~ \\.git/ { return 301 https://pub.corp.test$request_uri; }",
    ),
    // M: module proxies.
    site(
        "gp404.corp.test",
        "return 404 'not found: module example.com/pub: no matching versions';",
    ),
    site("gp410.corp.test", "return 410 'gone';"),
    site("gp403.corp.test", "return 403 'forbidden: module excluded by Athens filter';"),
    site(
        "gp401.corp.test",
        "default_type text/html; add_header WWW-Authenticate 'Basic realm=\"Athens\"' always; return 401 '<html>unauthorized</html>';",
    ),
    site("gp500.corp.test", "return 500 'internal error';"),
    site("gp502.corp.test", "default_type text/html; return 502 '<html>bad gateway</html>';"),
    site(
        "gp503.corp.test",
        "default_type text/html; add_header Retry-After 30 always; return 503 '<html>maintenance</html>';",
    ),
    site("gphtml.corp.test", PORTAL),
    site("gp302.corp.test", "return 302 https://portal.corp.test/login;"),
    site(
        "gpbadzip.corp.test",
        "location ~ \\.zip$ { default_type application/zip; alias @OWN@/modules/bad.zip; } @REST@",
    ),
    site(
        "gpversion.corp.test",
        "location ~ \\.info$ { default_type application/json; return 200 '{\"Version\":\"v1.0.9\",\"Time\":\"2026-01-02T03:04:05Z\"}'; } @REST@",
    ),
    site(
        "gpempty.corp.test",
        "location ~ \\.info$ { default_type application/json; return 200 ''; } @REST@",
    ),
    site("gpzip404.corp.test", "location ~ \\.zip$ { return 404 'gone zip'; } @REST@"),
    site(
        "gpunesc.corp.test",
        "location ~ ! { return 404 'not found: $request_uri'; } location / { root @OWN@/modules; }",
    ),
    site(
        "gptamper.corp.test",
        "location ~ \\.zip$ { default_type application/zip; alias @OWN@/modules/changed.zip; } @REST@",
    ),
    site(
        "gpstore.corp.test",
        "location ~ \\.zip$ { return 302 https://store.corp.test$request_uri; } @REST@",
    ),
    site(
        "gpstorebad.corp.test",
        "location ~ \\.zip$ { return 302 https://s403.corp.test$request_uri; } @REST@",
    ),
    // S: what a module proxy says of the checksum database.
    site("gpsum403.corp.test", "location /sumdb/ { return 403 'sumdb not proxied'; } @REST@"),
    site("gpsum.corp.test", "location /sumdb/sum.corp.test/ { alias @OWN@/sumdb/; } @REST@"),
    site("sumhtml.corp.test", PORTAL),
    // G: a repository without its history.
    site(repositories::SHALLOW_HOST, OPEN),
];

const OPENSSL: &str = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n\
CipherString = DEFAULT:@SECLEVEL=0\nMinProtocol = TLSv1\n";

/// The proxies of squid.
pub(super) const PROXIES: &[(&str, &str)] = &[
    ("proxy.corp.test", "http_port @ADDRESS@:3128 name=basic"),
    ("proxyopen.corp.test", "http_port @ADDRESS@:3128 name=open"),
    (
        "proxytls.corp.test",
        "https_port @ADDRESS@:3129 tls-cert=@OWN@/certs/server.pem tls-key=@OWN@/certs/server.key name=tls",
    ),
    (
        "proxybadtls.corp.test",
        "https_port @ADDRESS@:3129 tls-cert=@OWN@/certs/proxybadtls.pem tls-key=@OWN@/certs/proxybadtls.key name=badtls",
    ),
];

/// Starts them.
pub(super) fn servers(own: &Path) -> Vec<Child> {
    accounts(own);
    let path = format!("{}:/usr/sbin:/sbin", crate::support::path());
    let nginx = own.join("nginx.conf");
    fs::write(&nginx, nginx_file(own)).expect("nginx's file");
    let squid = own.join("squid.conf");
    fs::write(&squid, squid_file(own)).expect("squid's file");
    let socket = format!("unix:{}", own.join("run/fcgiwrap").display());
    let mut fcgi = Command::new("/usr/sbin/fcgiwrap");
    fcgi.args(["-f", "-c", "3", "-s", &socket]).env_clear();
    fcgi.env("PATH", &path).env("HOME", own.join("run"));
    let mut web = Command::new("/usr/sbin/nginx");
    web.args(["-e", "stderr", "-c"]).arg(nginx).env("PATH", &path);
    // Old servers have weak keys and old versions, which OpenSSL's own limits forbid.
    let weak = own.join("openssl.conf");
    fs::write(&weak, OPENSSL).expect("OpenSSL's file");
    web.env("OPENSSL_CONF", weak);
    // squid refuses to be root.
    let mut proxy = Command::new("setpriv");
    proxy.args(["--reuid=proxy", "--regid=proxy", "--clear-groups", "/usr/sbin/squid", "-N", "-n"]);
    proxy.arg("inject").arg("-f").arg(squid).env("PATH", &path);
    vec![
        serve(own, "fcgiwrap", &mut fcgi),
        serve(own, "nginx", &mut web),
        serve(own, "squid", &mut proxy),
    ]
}

/// Who may come in. The servers of the farm are not what is tested: `{PLAIN}` and NCSA's MD5 will do.
fn accounts(own: &Path) {
    for (name, user, secret) in
        [("alice", "alice", ALICE), ("athens", "athens", ATHENS), ("puser", "puser", PUSER)]
    {
        let output = Command::new("openssl").args(["passwd", "-apr1", secret]).output();
        let hash = String::from_utf8(output.expect("openssl").stdout).expect("a hash");
        fs::write(own.join(format!("{name}.users")), format!("{user}:{hash}")).expect("accounts");
    }
}

#[expect(clippy::too_many_lines, reason = "a file from its top to its end")]
fn nginx_file(own: &Path) -> String {
    let place = own.display().to_string();
    let page = r#"default_type text/html; if ($meta = "") { return 404 "not found\n"; } return 200 $meta;"#;
    let old = "ssl_ciphers ALL:@SECLEVEL=0;";
    let challenge = r#"if ($http_authorization = "") { add_header WWW-Authenticate 'Basic realm="Corp Git"' always; return 401; }"#;
    let meta =
        r#"default_type text/html; return 200 '<html><head><meta name="go-import" content=""#;
    let mut text = format!(
        "daemon off; master_process off; user root; pid {place}/run/nginx.pid; error_log stderr warn;\n\
         events {{ worker_connections 1024; }}\nhttp {{\n\
         default_type application/octet-stream;\n\
         types {{ text/html html; application/json info; text/plain mod; application/zip zip; }}\n\
         access_log off;\nkeepalive_timeout 15s;\nserver_names_hash_bucket_size 128;\n"
    );
    for name in ["body", "fastcgi", "proxy", "scgi", "uwsgi"] {
        let word = if name == "body" { "client_body" } else { name };
        let _ = writeln!(text, "{word}_temp_path {place}/run/{name};");
    }
    text += "map $uri $meta { default \"\"; \"~^/(?<p>team/[a-z]+)\" '<html><head><meta name=\"go-import\" \
             content=\"$host/$p git https://$host/$p.git\"></head></html>'; }\nmap $host $site { default pub.corp.test; ";
    for host in repositories::SITES.iter().chain(&[repositories::SHALLOW_HOST]) {
        let _ = write!(text, "{host} {host}; ");
    }
    let _ = writeln!(
        text,
        "}}\nfastcgi_param SCRIPT_FILENAME {}/git-http-backend;\n\
         fastcgi_param GIT_HTTP_EXPORT_ALL 1;\nfastcgi_param GIT_PROJECT_ROOT {place}/repos/$site;\n\
         fastcgi_param PATH_INFO $uri;\nfastcgi_param REMOTE_USER $remote_user;\n\
         fastcgi_param QUERY_STRING $query_string;\nfastcgi_param REQUEST_METHOD $request_method;\n\
         fastcgi_param CONTENT_TYPE $content_type;\nfastcgi_param CONTENT_LENGTH $content_length;\n\
         fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;\n\
         fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;",
        git_core()
    );
    for site in SITES {
        let serves = site
            .serves
            .replace("@REST@", MODULES)
            .replace("@PAGE@", page)
            .replace("@GIT@", &format!("fastcgi_pass unix:{place}/run/fcgiwrap;"))
            .replace(
                "@ALICE@",
                &format!("auth_basic 'Corp Git'; auth_basic_user_file {place}/alice.users;"),
            )
            .replace(
                "@ATHENS@",
                &format!("auth_basic Athens; auth_basic_user_file {place}/athens.users;"),
            )
            .replace("@CHALLENGE@", challenge)
            .replace("@OLD@", old)
            .replace("@META@ '", meta)
            .replace("' @END@", r#""></head></html>';"#)
            .replace("@OWN@", &place);
        let tls = if site.listen.ends_with("ssl") {
            let file = format!("{place}/certs/{}", site.certificate);
            format!("ssl_certificate {file}.pem; ssl_certificate_key {file}.key;")
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "server {{ listen {}:{}; server_name {}; {tls} {serves} }}",
            hosts::address(site.host),
            site.listen,
            site.host
        );
    }
    let page = own.join("pages/authall.corp.test/team/lib.html");
    fs::create_dir_all(page.parent().expect("a folder")).expect("a folder");
    let meta = "authall.corp.test/team/lib git https://authall.corp.test/team/lib.git";
    fs::write(
        page,
        format!("<html><head><meta name=\"go-import\" content=\"{meta}\"></head></html>"),
    )
    .expect("a page");
    text + "}\n"
}

fn git_core() -> String {
    let output = Command::new("git").arg("--exec-path").output().expect("git");
    String::from_utf8(output.stdout).expect("a path").trim().to_owned()
}

fn squid_file(own: &Path) -> String {
    let place = own.display().to_string();
    let mut text = String::new();
    for (host, port) in PROXIES {
        let port = port.replace("@ADDRESS@", &hosts::address(host).to_string());
        text += &(port.replace("@OWN@", &place) + "\n");
    }
    text + &format!(
        "visible_hostname proxy.corp.test\nhosts_file /etc/hosts\ndns_nameservers 127.0.0.53\n\
         dns_timeout 3 seconds\nconnect_timeout 4 seconds\nforward_max_tries 1\nconnect_retries 0\n\
         pid_filename {place}/run/squid.pid\ncoredump_dir {place}/run\ncache_log {place}/log/squid.cache\n\
         access_log none\ncache deny all\ncache_mem 1 MB\nmemory_cache_shared off\nnetdb_filename none\n\
         pinger_enable off\nmax_filedescriptors 1024\nshutdown_lifetime 0 seconds\n\
         auth_param basic program /usr/lib/squid/basic_ncsa_auth {place}/puser.users\n\
         auth_param basic children 1 startup=1\nauth_param basic realm Corp Web Proxy\n\
         auth_param basic credentialsttl 1 minute\n\
         acl open myportname open tls badtls\nacl account proxy_auth REQUIRED\n\
         acl safe port 80 443\nacl blocked dstdomain blocked.corp.test\nacl connect method CONNECT\n\
         http_access deny blocked\nhttp_access deny connect !safe\nhttp_access allow open\n\
         http_access allow account\nhttp_access deny all\n"
    )
}
