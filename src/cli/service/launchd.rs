//! The service as a launchd agent: the one in `examples/`, with the paths of this machine.

use std::path::Path;

use anyhow::Context;

use super::Service;

const TEMPLATE: &str = include_str!("../../../examples/claude-token-monitor.plist");

/// The text of the agent, which logs to `log`.
pub(super) fn agent(service: &Service, log: &Path) -> anyhow::Result<String> {
    let binary = utf8(&service.binary)?;
    let words = std::iter::once(binary).chain(service.arguments.iter().map(String::as_str));
    let arguments: Vec<String> = words.map(|word| format!("        <string>{}</string>\n", escaped(word))).collect();
    let pair = |(name, value): &(String, String)| {
        format!("        <key>{}</key>\n        <string>{}</string>\n", escaped(name), escaped(value))
    };
    let environment: Vec<String> = service.environment.iter().map(pair).collect();
    let text = between(TEMPLATE, "<array>\n", "    </array>", &arguments.concat())?;
    let text = between(&text, "<key>EnvironmentVariables</key>\n    <dict>\n", "    </dict>", &environment.concat())?;
    let log = format!("<string>{}</string>\n", escaped(utf8(log)?));
    let text = between(&text, "<key>StandardErrorPath</key>\n    ", "    <key>RunAtLoad</key>", &log)?;
    between(&text, "<!-- ", " -->", "Written by `claude-token-monitor service install`.")
}

/// The text with something else between two marks.
fn between(text: &str, from: &str, to: &str, new: &str) -> anyhow::Result<String> {
    let parts = text.split_once(from).and_then(|(before, rest)| Some((before, rest.split_once(to)?.1)));
    let (before, after) = parts.with_context(|| format!("the agent has no {from}"))?;
    Ok(format!("{before}{from}{new}{to}{after}"))
}

fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_the_example_with_other_paths() {
        let service = Service {
            binary: "/Users/a & b/bin/claude-token-monitor".into(),
            arguments: ["serve", "--listen", "127.0.0.1:9"].map(str::to_owned).to_vec(),
            environment: vec![("TZ".to_owned(), "Europe/Berlin".to_owned())],
            writable: Vec::new(),
        };
        let agent = agent(&service, Path::new("/Users/a & b/Library/Logs/x.log")).expect("plain paths");
        let differing: Vec<&str> =
            agent.lines().filter(|line| !TEMPLATE.lines().any(|known| known == *line)).map(str::trim).collect();
        assert_eq!(
            differing,
            [
                "<!-- Written by `claude-token-monitor service install`. -->",
                "<string>/Users/a &amp; b/bin/claude-token-monitor</string>",
                "<string>--listen</string>",
                "<string>127.0.0.1:9</string>",
                "<key>TZ</key>",
                "<string>Europe/Berlin</string>",
                "<string>/Users/a &amp; b/Library/Logs/x.log</string>",
            ]
        );
    }
}
