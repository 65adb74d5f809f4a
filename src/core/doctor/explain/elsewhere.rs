//! The words of other systems: Windows, macOS, old libcurls, OpenSSL and Schannel, translated gits. Each text is what
//! such a program prints, as far as it is known from its source and translations.

use super::{explain, signs::Signs};

const GIT: &str = "fatal: unable to access 'https://git.corp.example/team/lib.git/': ";
const GO: &str = "go: git.corp.example/team/lib@v1.0.0: unrecognized import path \"git.corp.example/team/lib\": https fetch: Get \"https://git.corp.example/team/lib?go-get=1\": ";

/// What follows [`GIT`], and a code that must be among three.
const OF_LIBCURL: &[(&str, &str)] = &[
    ("Received HTTP code 407 from proxy after CONNECT", "P01"),
    ("Received HTTP code 407 from proxy after CONNECT", "P02"),
    ("Received HTTP code 403 from proxy after CONNECT", "P10"),
    ("Received HTTP code 502 from proxy after CONNECT", "P13"),
    ("Received HTTP code 503 from proxy after CONNECT", "P12"),
    ("Received HTTP code 504 from proxy after CONNECT", "P15"),
    ("Failed to connect to 127.0.0.1 port 7890: Connection refused", "P27"),
    ("Failed to connect to git.corp.example port 443: Connection refused", "N01"),
    ("Failed to connect to git.corp.example port 443: Timed out", "N02"),
    ("Failed to connect to git.corp.example port 443: Operation timed out", "N02"),
    (
        "Failed to connect to git.corp.example port 443 after 21045 ms: Could not connect to server",
        "N02",
    ),
    (
        "Failed to connect to git.corp.example port 443 after 3 ms: Could not connect to server",
        "N01",
    ),
    ("Couldn't resolve host 'git.corp.example'", "D01"),
    ("Could not resolve proxy: proxy.corp.example", "P26"),
    ("gnutls_handshake() failed: Error in the pull function.", "T18"),
    ("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to git.corp.example:443 ", "T17"),
    ("LibreSSL SSL_connect: SSL_ERROR_SYSCALL in connection to git.corp.example:443 ", "T17"),
    ("OpenSSL SSL_read: Connection was reset, errno 10054", "T18"),
    ("Recv failure: Connection was reset", "T18"),
    ("SSL certificate problem: self signed certificate", "T01"),
    ("SSL certificate problem: self-signed certificate", "T01"),
    ("SSL certificate problem: self signed certificate in certificate chain", "T02"),
    ("SSL certificate problem: unable to get local issuer certificate", "T20"),
    ("SSL certificate problem: unable to get local issuer certificate", "T03"),
    ("SSL certificate problem: unable to verify the first certificate", "T03"),
    ("SSL certificate problem: certificate has expired", "T04"),
    ("SSL certificate problem: certificate is not yet valid", "T05"),
    ("SSL certificate problem: Invalid certificate chain", "T20"),
    (
        "SSL: no alternative certificate subject name matches target host name 'git.corp.example'",
        "T07",
    ),
    ("error:1408F10B:SSL routines:ssl3_get_record:wrong version number", "T15"),
    ("TLS connect error: error:0A00010B:SSL routines::wrong version number", "P29"),
    (
        "schannel: SEC_E_UNTRUSTED_ROOT (0x80090325) - The certificate chain was issued by an authority that is not trusted.",
        "T20",
    ),
    ("schannel: next InitializeSecurityContext failed: SEC_E_UNTRUSTED_ROOT (0x80090325)", "T02"),
    ("schannel: CertGetCertificateChain trust error CERT_TRUST_IS_UNTRUSTED_ROOT", "T20"),
    ("schannel: CertGetCertificateChain trust error CERT_TRUST_IS_PARTIAL_CHAIN", "T03"),
    (
        "schannel: next InitializeSecurityContext failed: CRYPT_E_NO_REVOCATION_CHECK (0x80092012) - The revocation function was unable to check revocation for the certificate.",
        "T22",
    ),
    (
        "schannel: next InitializeSecurityContext failed: SEC_E_CERT_EXPIRED (0x80090328) - The received certificate has expired.",
        "T04",
    ),
    (
        "schannel: SNI or certificate check failed: SEC_E_WRONG_PRINCIPAL (0x80090322) - The target principal name is incorrect.",
        "T07",
    ),
    ("schannel: failed to receive handshake, SSL/TLS connection failed", "T17"),
    (
        "schannel: next InitializeSecurityContext failed: SEC_E_ILLEGAL_MESSAGE (0x80090326) - This error usually occurs when a fatal SSL/TLS alert is received",
        "T16",
    ),
    ("schannel: server closed abruptly (missing close_notify)", "H04"),
    ("schannel: failed to read data from server: SEC_E_INVALID_TOKEN", "T15"),
    ("Empty reply from server", "H05"),
    ("The requested URL returned error: 407", "P33"),
    ("Proxy CONNECT aborted", "P18"),
];

/// The same of [`GO`], on Windows and macOS.
const OF_GO: &[(&str, &str)] = &[
    (
        "dial tcp 10.1.1.1:443: connectex: No connection could be made because the target machine actively refused it.",
        "N01",
    ),
    ("dial tcp 10.1.1.1:443: connectex: 由于目标计算机积极拒绝，无法连接。", "N01"),
    (
        "dial tcp 10.1.1.1:443: connectex: A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond.",
        "N02",
    ),
    (
        "dial tcp 10.1.1.1:443: connectex: 由于连接方在一段时间后没有正确答复或连接的主机没有反应，连接尝试失败。",
        "N02",
    ),
    ("dial tcp 10.1.1.1:443: connect: operation timed out", "N02"),
    (
        "dial tcp 10.1.1.1:443: connectex: A socket operation was attempted to an unreachable network.",
        "N04",
    ),
    ("dial tcp: lookup git.corp.example: no such host", "D01"),
    ("dial tcp: lookup git.corp.example: getaddrinfow: No such host is known.", "D01"),
    ("dial tcp: lookup git.corp.example: getaddrinfow: 不知道这样的主机。", "D01"),
    (
        "dial tcp: lookup git.corp.example: getaddrinfow: This is usually a temporary error during hostname resolution and means that the local server did not receive a response from an authoritative server.",
        "D02",
    ),
    (
        "read tcp 10.0.0.2:5000->10.1.1.1:443: wsarecv: An existing connection was forcibly closed by the remote host.",
        "T18",
    ),
    ("read tcp 10.0.0.2:5000->10.1.1.1:443: wsarecv: 远程主机强迫关闭了一个现有的连接。", "T18"),
    (
        "proxyconnect tcp: dial tcp 127.0.0.1:7890: connectex: No connection could be made because the target machine actively refused it.",
        "P27",
    ),
    (
        "proxyconnect tcp: dial tcp 10.1.1.1:8080: connectex: A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond.",
        "P28",
    ),
    (
        "tls: failed to verify certificate: x509: “git.corp.example” certificate is not trusted",
        "T20",
    ),
    ("tls: failed to verify certificate: x509: “git.corp.example” certificate is expired", "T04"),
    (
        "tls: failed to verify certificate: x509: “git.corp.example” certificate name does not match input",
        "T07",
    ),
    (
        "tls: failed to verify certificate: x509: “git.corp.example” certificate is not standards compliant",
        "T08",
    ),
    ("x509: certificate signed by unknown authority", "T20"),
];

/// Whole texts.
const OTHERS: &[(&str, &str)] = &[
    ("go: missing Git command. exec: \"git\": executable file not found in %PATH%", "G12"),
    (
        "xcrun: error: invalid active developer path (/Library/Developer/CommandLineTools), missing xcrun",
        "G12",
    ),
    ("go: writing go.mod cache: mkdir C:\\Users\\u\\go\\pkg\\mod: Access is denied.", "L05"),
    ("go: writing: write C:\\x.zip: There is not enough space on the disk.", "L02"),
    ("fatal: could not read Username for 'https://git.corp.example': Device not configured", "A01"),
    (
        "fatal: could not read Username for 'https://git.corp.example': No such device or address",
        "A01",
    ),
    (
        "fatal: could not read Password for 'https://alice@git.corp.example': terminal prompts disabled",
        "A01",
    ),
    ("fatal: Cannot prompt because user interactivity has been disabled.", "A01"),
    (
        "remote: Support for password authentication was removed on August 13, 2021.\nfatal: Authentication failed for 'https://github.com/x/y.git/'",
        "A07",
    ),
    (
        "remote: Invalid username or password.\nfatal: Authentication failed for 'https://h/y.git/'",
        "A02",
    ),
    (
        "remote: TF401019: The Git repository with name or identifier lib does not exist or you do not have permissions for the operation you are attempting.",
        "A04",
    ),
    (
        "git@git.corp.example: Permission denied (publickey).\nfatal: Could not read from remote repository.",
        "G35",
    ),
    ("Host key verification failed.\nfatal: Could not read from remote repository.", "G35"),
    (
        "ssh: connect to host git.corp.example port 22: Connection timed out\nfatal: Could not read from remote repository.",
        "G08",
    ),
    (
        "致命错误：无法访问 'https://git.corp.example/x.git/'：Could not resolve host: git.corp.example",
        "D01",
    ),
    (
        "致命错误：无法访问 'https://git.corp.example/x.git/'：CONNECT tunnel failed, response 407",
        "P01",
    ),
    (
        "致命错误：could not read Username for 'https://git.corp.example': terminal prompts disabled",
        "A01",
    ),
    ("致命错误：'https://git.corp.example/x.git/' 鉴权失败", "A02"),
    ("致命错误：仓库 'https://git.corp.example/x.git/' 未找到", "A04"),
    ("致命错误：文件 /home/u/.gitconfig 中错误的配置行 3", "E46"),
    ("致命错误：传输 'https' 不允许", "G26"),
    ("git：'credential-manager' 不是一个 git 命令。参见 'git --help'。", "G01"),
    (
        "致命错误：不能更新重定向的 url base：\n     请求：https://h/x/info/refs\n   重定向：https://portal/",
        "H07",
    ),
    ("致命錯誤: 'https://git.corp.example/x.git/' 身份驗證失敗", "A02"),
    ("致命錯誤: 版本庫 'https://git.corp.example/x.git/' 未找到", "A04"),
    ("git：'credential-manager' 不是一個 git 指令。參見 'git --help'。", "G01"),
    (
        "Schwerwiegend: Authentifizierung fehlgeschlagen für 'https://git.corp.example/x.git/'",
        "A02",
    ),
    ("Schwerwiegend: Repository 'https://git.corp.example/x.git/' nicht gefunden", "A04"),
    ("git: 'credential-manager' ist kein Git-Befehl. Siehe 'git --help'.", "G01"),
    ("Schwerwiegend: Ungültige Konfigurationszeile 3 in Datei /home/u/.gitconfig", "E46"),
    (
        "Schwerwiegend: konnte nicht auf 'https://git.corp.example/x.git/' zugreifen: Failed to connect to git.corp.example port 443 after 3 ms: Couldn't connect to server",
        "N01",
    ),
    ("fatal\u{a0}: Échec d'authentification pour 'https://git.corp.example/x.git/'", "A02"),
    ("fatal\u{a0}: dépôt 'https://git.corp.example/x.git/' non trouvé", "A04"),
    (
        "go: github.com/x/y@v1.0.0: Get \"https://proxy.golang.org/github.com/x/y/@v/v1.0.0.mod\": dial tcp 142.251.43.17:443: i/o timeout",
        "E06",
    ),
    (
        "verifying github.com/x/y@v1.0.0: github.com/x/y@v1.0.0: Get \"https://sum.golang.org/lookup/github.com/x/y@v1.0.0\": dial tcp 142.251.43.17:443: connectex: A connection attempt failed because the connected party did not properly respond",
        "S01",
    ),
    (
        "go: git.corp.example/t/lib@v1.0.0: reading https://proxy.golang.org/git.corp.example/t/lib/@v/v1.0.0.mod: 404 Not Found\n\tserver response: not found: fatal: could not read Username for 'https://git.corp.example': terminal prompts disabled",
        "E09",
    ),
    (
        "error: RPC failed; curl 18 transfer closed with outstanding read data remaining\nfatal: early EOF",
        "H04",
    ),
    ("error: RPC failed; curl 56 GnuTLS recv error (-54): Error in the pull function.", "N05"),
    ("curl: (60) SSL certificate problem: unable to get local issuer certificate", "T20"),
    ("curl: (56) CONNECT tunnel failed, response 407", "P01"),
    ("curl: (56) Received HTTP code 407 from proxy after CONNECT", "P01"),
    ("curl: (6) Could not resolve host: git.corp.example", "D01"),
    (
        "curl: (28) Failed to connect to git.corp.example port 443 after 134000 ms: Couldn't connect to server",
        "N02",
    ),
    ("curl: (35) Recv failure: Connection reset by peer", "T18"),
    ("curl: (52) Empty reply from server", "H05"),
    (
        "npm error code ENOTFOUND\nnpm error network request failed, reason: getaddrinfo ENOTFOUND npm.corp.example",
        "D01",
    ),
    ("npm error code SELF_SIGNED_CERT_IN_CHAIN", "T02"),
    ("npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "T20"),
    ("npm error Error: EACCES: permission denied, mkdir '/usr/lib/node_modules/x'", "L05"),
    ("curl: (97) cannot complete SOCKS5 connection to git.corp.example. (1)", "P32"),
];

/// What follows [`GIT`] where libcurl is built with another TLS library, or is newer.
const OF_TLS: &[(&str, &str)] = &[
    ("NSS error -8179 (SEC_ERROR_UNKNOWN_ISSUER)", "T20"),
    ("Peer's Certificate issuer is not recognized.", "T20"),
    ("NSS error -5961 (PR_CONNECT_RESET_ERROR)", "T18"),
    ("NSS error -5938 (PR_END_OF_FILE_ERROR)", "T17"),
    ("NSS error -12190 (SSL_ERROR_PROTOCOL_VERSION_ALERT)", "T12"),
    ("LibreSSL/3.3.6: error:1404B42E:SSL routines:ST_CONNECT:tlsv1 alert protocol version", "T12"),
    ("error:1400410B:SSL routines:CONNECT_CR_SRVR_HELLO:wrong version number", "T15"),
    ("SSL_connect failed with error -188: ASN no signer error to confirm failure", "T20"),
    ("Cert verify failed: BADCERT_EXPIRED", "T04"),
    ("Cert verify failed: BADCERT_CN_MISMATCH", "T07"),
    ("invalid peer certificate: UnknownIssuer", "T20"),
    ("invalid peer certificate: NotValidForName", "T07"),
    ("TLS connect error: error:10000102:SSL routines:OPENSSL_internal:UNSUPPORTED_PROTOCOL", "T12"),
    ("Unknown SSL protocol error in connection to git.corp.example:-9836", "T12"),
    ("SSL: certificate verification failed (result: 5)", "T20"),
    (
        "schannel: next InitializeSecurityContext failed: Unknown error (0x80092013) - 吊销服务器已脱机",
        "T22",
    ),
    ("schannel: Unknown error (0x80090325) - 证书链是由不受信任的颁发机构颁发的。", "T20"),
    (
        "SSL: no alternative certificate subject name matches target hostname 'git.corp.example'",
        "T07",
    ),
    ("SSL: no alternative certificate subject name matches target ipv4 address '10.1.2.3'", "T26"),
    ("Failed to connect to git.corp.example:443 after 3 ms: Could not connect to server", "N01"),
    (
        "Failed to connect to git.corp.example:443 over proxy px.corp.example after 3 ms: Could not connect to server",
        "P27",
    ),
    (
        "Failed to connect to px.corp.example port 3130 after 2 ms: Couldn't connect to server",
        "P27",
    ),
    (
        "Failed to connect to px.corp.example port 1080 after 2 ms: Couldn't connect to server",
        "E41",
    ),
    ("Failed to connect to 127.0.0.1 port 7407 after 0 ms: Couldn't connect to server", "K01"),
    ("Could not resolve host: px.corp.example", "P26"),
];

/// Whole texts of programs that meet the same network.
const OF_PROGRAMS: &[(&str, &str)] = &[
    (
        "java.io.IOException: Unable to tunnel through proxy. Proxy returns \"HTTP/1.1 407 Proxy Authentication Required\"",
        "P01",
    ),
    ("java.net.UnknownHostException: git.corp.example", "D01"),
    (
        "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target",
        "T20",
    ),
    ("javax.net.ssl.SSLHandshakeException: Remote host terminated the handshake", "T17"),
    (
        "org.eclipse.jgit.errors.TransportException: https://h/x.git: Authentication is required but no CredentialsProvider has been registered",
        "A01",
    ),
    (
        "The SSL connection could not be established. The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot",
        "T20",
    ),
    ("The proxy tunnel request to proxy 'http://px:8080/' failed with status code '407'.", "P01"),
    ("Invoke-WebRequest : The remote name could not be resolved: 'h.corp.example'", "D01"),
    ("The remote server returned an error: (407) Proxy Authentication Required.", "P01"),
    ("Error: net::ERR_CERT_AUTHORITY_INVALID", "T20"),
    ("Error: net::ERR_PROXY_CONNECTION_FAILED", "P27"),
    ("wget: unable to resolve host address ‘git.corp.example’", "D01"),
    ("ERROR: The certificate of ‘git.corp.example’ is not trusted.", "T20"),
    ("Connecting to h|10.0.0.1|:443... failed: No route to host.", "N03"),
    (
        "Proxy tunneling failed: Proxy Authentication RequiredUnable to establish SSL connection.",
        "P01",
    ),
    ("2026-11-26 09:12:45 ERROR 404: Not Found.", "H21"),
    ("Caused by: failed to receive HTTP 200 response: got 401; class=Net (12)", "A01"),
    (
        "Caused by: [6] Could not resolve hostname (Could not resolve host: git.corp.example); class=Net (12)",
        "D01",
    ),
    ("request to https://h/x failed, reason: connect ECONNREFUSED 10.0.0.1:3128", "P27"),
    ("request to https://h/x failed, reason: connect ECONNREFUSED 10.0.0.1:443", "N01"),
    ("request to https://h/x failed, reason: getaddrinfo ENOTFOUND px.corp.example", "P26"),
    ("request to https://h/x failed, reason: getaddrinfo EAI_AGAIN h", "D02"),
    ("ssh: handshake failed: knownhosts: key is unknown", "G35"),
    (
        "dial tcp 10.0.0.1:443: connectex: An attempt was made to access a socket in a way forbidden by its access permissions.",
        "N03",
    ),
    (
        "urllib.error.URLError: <urlopen error [WinError 10061] 由于目标计算机积极拒绝，无法连接。>",
        "N01",
    ),
];

/// What gits of other languages print.
const OF_TONGUES: &[(&str, &str)] = &[
    ("fatal: impossibile accedere a 'https://h/x/': Could not resolve host: h", "D01"),
    ("fatal: «https://h/x/» недоступно: CONNECT tunnel failed, response 407", "P01"),
    ("ödesdigert: kan inte komma åt \"https://h/x/\": CONNECT tunnel failed, response 403", "P10"),
    (
        "fatal: brak dostępu do „https://h/x/”: Failed to connect to h port 443 after 3 ms: Couldn't connect to server",
        "N01",
    ),
    ("fatal: không tìm thấy kho “https://h/x.git/”", "A04"),
    ("onulmaz: 'https://h/x.git/' deposu bulunamadı", "A04"),
    ("git: 'credential-vault'은(는) 깃 명령이 아닙니다. 'git --help'를 참고하십시오.", "G01"),
    ("fatal : ligne 4 de config incorrecte dans le fichier /home/u/.gitconfig", "E46"),
    ("fatal: Autenticazione non riuscita per 'https://h/x.git/'", "A02"),
];

#[test]
fn the_words_of_other_systems_are_known() {
    let whole = |before: &str, of: &[(&str, &'static str)]| {
        let of = of.iter().map(|(text, code)| (format!("{before}{text}"), *code));
        of.collect::<Vec<_>>()
    };
    let all = [
        whole(GIT, OF_LIBCURL),
        whole(GIT, OF_TLS),
        whole(GO, OF_GO),
        whole("", OTHERS),
        whole("", OF_PROGRAMS),
        whole("", OF_TONGUES),
    ]
    .concat();
    let mut missed = Vec::new();
    for (text, code) in &all {
        for text in
            [text.clone(), text.replace('\n', "\r\n"), format!("\u{1b}[31m{text}\u{1b}[0m\r\n")]
        {
            let found = explain(&text, &Signs::default()).candidates;
            if !found.iter().any(|it| it.entry.code == *code) {
                let codes: Vec<&str> = found.iter().map(|it| it.entry.code).collect();
                missed.push(format!("{code} is not among {codes:?}: {text:?}"));
            }
        }
    }
    assert!(missed.is_empty(), "{} of {}\n{}", missed.len(), 3 * all.len(), missed.join("\n"));
}
