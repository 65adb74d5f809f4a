//! The words of other systems, in those of the patterns, which are what go, git and libcurl print on Linux in
//! English: Windows and `macOS`, `OpenSSL`, Schannel and `LibreSSL`, old libcurls, gits that speak another language.
//!
//! It deliberately translates no whole message: what stands between these words stays as it is. Of other programs that
//! meet the same network (npm, pip) it knows the names of the errors only.

/// What is printed elsewhere, and what is printed here.
const WORDS: &[(&str, &str)] = &[
    // go on Windows: the system's own messages, which are translated there.
    (
        "connectex: No connection could be made because the target machine actively refused it.",
        "connect: connection refused",
    ),
    ("connectex: 由于目标计算机积极拒绝，无法连接。", "connect: connection refused"),
    ("connectex: 無法連線，因為目標電腦拒絕連線。", "connect: connection refused"),
    (
        "connectex: A connection attempt failed because the connected party did not properly respond",
        "i/o timeout",
    ),
    ("connectex: 由于连接方在一段时间后没有正确答复", "i/o timeout"),
    ("connectex: 連線嘗試失敗，因為連線對象有一段時間並未正確回應", "i/o timeout"),
    (
        "connectex: A socket operation was attempted to an unreachable network.",
        "connect: network is unreachable",
    ),
    (
        "connectex: A socket operation was attempted to an unreachable host.",
        "connect: no route to host",
    ),
    ("connectex: 向一个无法连接的网络尝试了一个套接字操作。", "connect: network is unreachable"),
    (
        "wsarecv: An existing connection was forcibly closed by the remote host.",
        "read: connection reset by peer",
    ),
    ("wsarecv: 远程主机强迫关闭了一个现有的连接。", "read: connection reset by peer"),
    (
        "wsasend: An existing connection was forcibly closed by the remote host.",
        "write: connection reset by peer",
    ),
    ("wsasend: 远程主机强迫关闭了一个现有的连接。", "write: connection reset by peer"),
    ("getaddrinfow: No such host is known.", "no such host"),
    ("getaddrinfow: 不知道这样的主机。", "no such host"),
    ("getaddrinfow: This is usually a temporary error", "server misbehaving"),
    ("executable file not found in %PATH%", "executable file not found in $PATH"),
    ("Access is denied.", "permission denied"),
    ("拒绝访问。", "permission denied"),
    ("There is not enough space on the disk.", "no space left on device"),
    ("磁盘空间不足。", "no space left on device"),
    // go on macOS: Security.framework's.
    ("connect: operation timed out", "i/o timeout"),
    ("connect: connection timed out", "i/o timeout"),
    ("certificate is not trusted", "x509: certificate signed by unknown authority"),
    (
        "certificate is expired",
        "certificate has expired or is not yet valid: current time is after",
    ),
    ("certificate name does not match input", "x509: certificate is valid for x, not"),
    (
        "certificate is not standards compliant",
        "x509: certificate relies on legacy Common Name field, use SANs instead",
    ),
    // libcurl, older than what Debian has.
    ("Received HTTP code ", "CONNECT tunnel failed, response "),
    ("Could not connect to server", "Couldn't connect to server"),
    ("Couldn't resolve host '", "Could not resolve host: "),
    ("Couldn't resolve proxy '", "Could not resolve proxy: "),
    ("self signed", "self-signed"),
    ("Connection was reset", "Connection reset by peer"),
    // Its other TLS libraries.
    ("LibreSSL SSL_connect", "OpenSSL SSL_connect"),
    ("OpenSSL SSL_read: Connection reset", "Recv failure: Connection reset"),
    ("Error in the pull function", "Recv failure: Connection reset by peer"),
    ("Error in the push function", "Send failure: Connection reset by peer"),
    ("SSL certificate problem: Invalid certificate chain", UNKNOWN_ISSUER),
    ("SEC_E_UNTRUSTED_ROOT", UNKNOWN_ISSUER),
    ("CERT_TRUST_IS_UNTRUSTED_ROOT", UNKNOWN_ISSUER),
    ("CERT_TRUST_IS_PARTIAL_CHAIN", "unable to verify the first certificate"),
    ("CERT_TRUST_IS_NOT_TIME_VALID", "certificate has expired"),
    ("SEC_E_CERT_EXPIRED", "certificate has expired"),
    ("SEC_E_WRONG_PRINCIPAL", "no alternative certificate subject name matches target host name"),
    ("schannel: failed to receive handshake", "OpenSSL SSL_connect: SSL_ERROR_SYSCALL"),
    ("SEC_E_ILLEGAL_MESSAGE", "alert handshake failure"),
    ("SEC_E_ALGORITHM_MISMATCH", "alert handshake failure"),
    ("SEC_E_INVALID_TOKEN", "wrong version number"),
    ("server closed abruptly", "transfer closed with outstanding read data remaining"),
    // npm, which is node's OpenSSL, and node's names of errors.
    ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", UNKNOWN_ISSUER),
    ("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
    ("DEPTH_ZERO_SELF_SIGNED_CERT", "SSL certificate problem: self-signed certificate"),
    ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"),
    ("CERT_HAS_EXPIRED", "certificate has expired"),
    ("CERT_NOT_YET_VALID", "certificate is not yet valid"),
    (
        "ERR_TLS_CERT_ALTNAME_INVALID",
        "no alternative certificate subject name matches target host name",
    ),
    ("getaddrinfo EAI_AGAIN", "Could not resolve host: Temporary failure in name resolution"),
    ("getaddrinfo ENOTFOUND", NO_HOST),
    ("connect ECONNREFUSED", "dial tcp :443: connect: connection refused"),
    ("connect ETIMEDOUT", "dial tcp :443: i/o timeout"),
    ("connect EHOSTUNREACH", "connect: no route to host"),
    ("connect ENETUNREACH", "connect: network is unreachable"),
    ("read ECONNRESET", "Recv failure: Connection reset by peer"),
    ("write ECONNRESET", "Send failure: Connection reset by peer"),
    ("write EPIPE", "Send failure: Connection reset by peer"),
    ("socket hang up", "Empty reply from server"),
    (
        "Client network socket disconnected before secure TLS connection was established",
        "OpenSSL SSL_connect: SSL_ERROR_SYSCALL",
    ),
    ("Proxy connection ended before receiving CONNECT response", "Proxy CONNECT aborted"),
    ("code E407", "CONNECT tunnel failed, response 407"),
    ("code E502", "CONNECT tunnel failed, response 502"),
    ("code E503", "CONNECT tunnel failed, response 503"),
    ("code E504", "CONNECT tunnel failed, response 504"),
    ("code E403", "CONNECT tunnel failed, response 403"),
    // pip, and what else speaks urllib3 and Python's ssl.
    ("ProxyError('Cannot connect to proxy.', NewConnectionError(", "proxyconnect tcp: dial tcp "),
    ("ProxyError('Cannot connect to proxy.', RemoteDisconnected(", "Proxy CONNECT aborted "),
    ("ProxyError('Unable to connect to proxy', NewConnectionError(", "proxyconnect tcp: dial tcp "),
    ("ProxyError('Unable to connect to proxy', RemoteDisconnected(", "Proxy CONNECT aborted "),
    ("Tunnel connection failed: ", "CONNECT tunnel failed, response "),
    ("certificate verify failed: ", "SSL certificate problem: "),
    ("EOF occurred in violation of protocol", "OpenSSL SSL_connect: SSL_ERROR_SYSCALL"),
    ("Remote end closed connection without response", "Empty reply from server"),
    ("[Errno 111] Connection refused", "dial tcp :443: connect: connection refused"),
    ("[Errno 110] Connection timed out", "dial tcp :443: i/o timeout"),
    ("ConnectTimeoutError(", "dial tcp :443: i/o timeout "),
    ("[Errno 113] No route to host", "connect: no route to host"),
    ("[Errno 101] Network is unreachable", "connect: network is unreachable"),
    ("ConnectionResetError(104, '", "Recv failure: "),
    ("Name or service not known", NO_HOST),
    ("[Errno -3] Temporary failure", "Could not resolve host: Temporary failure"),
    // curl -f: the proxy's status, or that of the host.
    (
        "curl: (22) The requested URL returned error: 407",
        "curl: (22) CONNECT tunnel failed, response 407",
    ),
    (
        "curl: (22) The requested URL returned error: 403",
        "The requested URL returned error: 403 CONNECT tunnel failed, response 403",
    ),
    (
        "curl: (22) The requested URL returned error: 502",
        "The requested URL returned error: 502 CONNECT tunnel failed, response 502",
    ),
    (
        "curl: (22) The requested URL returned error: 503",
        "The requested URL returned error: 503 CONNECT tunnel failed, response 503",
    ),
    (
        "curl: (22) The requested URL returned error: 504",
        "The requested URL returned error: 504 CONNECT tunnel failed, response 504",
    ),
    // git elsewhere.
    ("': Device not configured", "': No such device or address"),
    (
        "Cannot prompt because user interactivity has been disabled",
        "could not read Username for '': terminal prompts disabled",
    ),
    ("xcrun: error: invalid active developer path", "git: command not found"),
    // git's translations (po/ of git 2.47).
    ("' zugreifen: ", "': "),
    ("'：", "': "),
    ("'\u{a0}: ", "': "),
    ("鉴权失败", "Authentication failed for '"),
    ("身份驗證失敗", "Authentication failed for '"),
    ("不是一个 git 命令", "is not a git command"),
    ("不是一個 git 指令", "is not a git command"),
    ("ist kein Git-Befehl", "is not a git command"),
    ("n'est pas une commande git", "is not a git command"),
    ("错误的配置行", "bad config line"),
    ("錯誤的設定行", "bad config line"),
    ("Ungültige Konfigurationszeile", "bad config line"),
    ("de config incorrecte", "bad config line"),
    ("' nicht erlaubt", "' not allowed"),
    ("不能更新重定向的 url base", "unable to update url base from redirection"),
    (
        "Konnte Basis-URL nicht durch Umleitung aktualisieren",
        "unable to update url base from redirection",
    ),
    (
        "impossible de mettre à jour la base de l'url depuis la redirection",
        "unable to update url base from redirection",
    ),
    ("重定向：", "redirect: "),
    ("umgeleitet: ", "redirect: "),
    ("无法读取远程仓库", "Could not read from remote repository"),
    ("無法讀取遠端版本庫", "Could not read from remote repository"),
    ("Konnte nicht vom Remote-Repository lesen", "Could not read from remote repository"),
];

/// What libcurl says of a name.
const NO_HOST: &str = "Could not resolve host: ";
/// What OpenSSL says of a certificate whose issuer nobody knows.
const UNKNOWN_ISSUER: &str = "SSL certificate problem: unable to get local issuer certificate";

/// The translations of git, of the C library and of `GnuTLS`, a line each: what is printed, a tab, the same in English.
static TRANSLATED: &str = include_str!("translated.tsv");

/// Returns a text in the words of the patterns.
pub(super) fn plain(text: String) -> String {
    let lines = TRANSLATED.lines().filter(|line| !line.starts_with('#'));
    let translated = lines.filter_map(|line| line.split_once('\t'));
    let words = translated.chain(WORDS.iter().copied());
    words.fold(
        text,
        |text, (from, to)| {
            if text.contains(from) { text.replace(from, to) } else { text }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::core::doctor::catalogue::ENTRIES;

    #[test]
    fn no_pattern_is_in_words_that_are_replaced() {
        for entry in ENTRIES {
            for (_, pattern) in entry.patterns() {
                assert_eq!(plain(pattern.to_owned()), pattern, "{}", entry.code);
            }
        }
    }
}
