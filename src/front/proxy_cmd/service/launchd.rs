//! launchd: an agent of the user, started at login and again after a crash.
//!
//! Its sockets are not launchd's: taking those needs a C function, and the proxy starts in
//! milliseconds.

use crate::front::proxy_cmd::service::{Facts, File, Service, Step};

const LABEL: &str = "dev.gocred.proxy";

/// Returns what there is to do.
pub(super) fn service(facts: &Facts) -> Service {
    let path = facts.home.join(format!("Library/LaunchAgents/{LABEL}.plist"));
    let domain = format!("gui/{}", facts.uid);
    let target = format!("{domain}/{LABEL}");
    let launchctl = |arguments: &[&str]| Step::new("launchctl", arguments);
    let shown = path.display().to_string();
    Service {
        name: "launchd",
        files: vec![File { path, text: plist(facts) }],
        install: vec![
            // An earlier one may run another program; there is none the first time.
            launchctl(&["bootout", &target]).tolerated(),
            launchctl(&["bootstrap", &domain, &shown]),
        ],
        before_removal: vec![launchctl(&["bootout", &target]).tolerated()],
        after_removal: Vec::new(),
        start: vec![launchctl(&["kickstart", &target])],
        stop: vec![launchctl(&["kill", "SIGTERM", &target])],
        query: None,
        folders: Vec::new(),
        waits: None,
        starts: "launchd starts it at the next login, `gocred proxy start` now",
    }
}

fn plist(facts: &Facts) -> String {
    let program = escaped(&facts.program);
    let variables: Vec<String> = facts
        .variables
        .iter()
        .map(|(name, value)| {
            format!("\t\t<key>{}</key>\n\t\t<string>{}</string>\n", escaped(name), escaped(value))
        })
        .collect();
    format!(
        "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!-- {mark} -->
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
<plist version=\"1.0\">
<dict>
	<key>Label</key>
	<string>{LABEL}</string>
	<key>ProgramArguments</key>
	<array>
		<string>{program}</string>
		<string>proxy</string>
		<string>run</string>
	</array>
	<key>EnvironmentVariables</key>
	<dict>
{variables}	</dict>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ExitTimeOut</key>
	<integer>15</integer>
	<key>SoftResourceLimits</key>
	<dict>
		<key>Core</key>
		<integer>0</integer>
		<key>NumberOfFiles</key>
		<integer>10240</integer>
	</dict>
	<key>Umask</key>
	<integer>63</integer>
</dict>
</plist>
",
        mark = super::MARK,
        variables = variables.concat(),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(all(test, unix))]
mod tests {
    use std::{ffi::OsStr, path::Path, time::Duration};

    use super::service;
    use crate::{front::proxy_cmd::service::tests::facts, sys::run};

    #[test]
    fn a_parser_of_property_lists_reads_the_agent() {
        let service = service(&facts());
        let text = &service.files[0].text;
        let script = "import json, plistlib, sys; \
                      print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
        let python = run::find("python3", "/usr/local/bin:/usr/bin:/bin").expect("python3");
        let output = run::run(
            Path::new(&python),
            &[OsStr::new("-c"), OsStr::new(script)],
            &[],
            text.as_bytes(),
            Duration::from_secs(20),
        )
        .unwrap();
        assert_eq!(output.code, Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(read["Label"], "dev.gocred.proxy");
        assert_eq!(
            read["ProgramArguments"],
            serde_json::json!(["/opt/my tools/gocred", "proxy", "run"])
        );
        assert_eq!(read["EnvironmentVariables"]["SSL_CERT_FILE"], "/etc/corp & co.pem");
        assert_eq!(read["KeepAlive"]["SuccessfulExit"], false);
    }
}
