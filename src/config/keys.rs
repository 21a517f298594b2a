//! Every setting by name, and where else it can be set.

/// A setting's names.
#[derive(Debug)]
pub struct Key {
    /// In the file; a dot stands for a table.
    pub name: &'static str,
    /// On the command line.
    pub flag: Option<&'static str>,
    /// In the environment; the first that is set wins.
    pub env: &'static [&'static str],
}

const fn key(name: &'static str, flag: Option<&'static str>, env: &'static [&'static str]) -> Key {
    Key { name, flag, env }
}

pub(super) static LISTEN: Key = key("listen", Some("--listen"), &["LISTEN_ADDR"]);
pub(super) static DATA_DIRS: Key = key("data_dirs", Some("--data-dir"), &["CLAUDE_DATA_DIR", "CLAUDE_CONFIG_DIR"]);
pub(super) static DATABASE: Key = key("database", Some("--database"), &["DATABASE_PATH"]);
pub(super) static LOG_LEVEL: Key = key("log_level", Some("--log-level"), &["LOG_LEVEL"]);
pub(super) static LOG_FORMAT: Key = key("log_format", None, &["LOG_FORMAT"]);
pub(super) static LOG_FILE: Key = key("log_file", None, &["LOG_FILE"]);
pub(super) static COLOR: Key = key("color", Some("--color"), &["NO_COLOR"]);
pub(super) static TIME_ZONE: Key = key("time_zone", None, &["TZ"]);
pub(super) static LANGUAGE: Key = key("language", None, &["DASHBOARD_LANGUAGE"]);
pub(super) static ENABLE_COST: Key = key("enable_cost_estimation", None, &["ENABLE_COST_ESTIMATION"]);
pub(super) static RETENTION_DAYS: Key = key("retention_days", None, &[]);
pub(super) static CLEANUP_DAYS: Key = key("cleanup_days", None, &[]);
pub(super) static ALLOWED_HOSTS: Key = key("allowed_hosts", None, &["ALLOWED_HOSTS"]);
pub(super) static PUBLIC_URL: Key = key("public_url", Some("--public-url"), &["PUBLIC_URL"]);
pub(super) static ALLOWED_ORIGINS: Key = key("allowed_origins", None, &["ALLOWED_ORIGINS"]);
pub(super) static DEV_MODE: Key = key("dev_mode", None, &["DEV_MODE"]);
pub(super) static TRUSTED_PROXIES: Key = key("trusted_proxies", None, &["TRUSTED_PROXIES"]);
pub(super) static WATCH: Key = key("watch.enabled", Some("--no-watch"), &["FILE_WATCH_ENABLED"]);
pub(super) static RECONCILE_INTERVAL: Key = key("watch.reconcile_interval", None, &[]);
pub(super) static POLL_INTERVAL: Key = key("watch.poll_interval", None, &[]);
pub(super) static READERS: Key = key("watch.readers", None, &[]);
pub(super) static BACKUP_INTERVAL: Key = key("backup.interval", None, &[]);
pub(super) static BACKUP_KEEP: Key = key("backup.keep", None, &[]);
pub(super) static BACKUP_DIRECTORY: Key = key("backup.directory", None, &[]);
pub(super) static MAX_CONNECTIONS: Key = key("server.max_connections", None, &[]);
pub(super) static MAX_PER_CLIENT: Key = key("server.max_connections_per_client", None, &[]);
pub(super) static HEADER_TIMEOUT: Key = key("server.header_timeout", None, &[]);
pub(super) static REQUEST_TIMEOUT: Key = key("server.request_timeout", None, &[]);
pub(super) static PASSWORD_HASH: Key = key("auth.password_hash", None, &["MONITOR_PASSWORD_HASH"]);
pub(super) static PASSWORD_HASH_FILE: Key = key("auth.password_hash_file", None, &["MONITOR_PASSWORD_HASH_FILE"]);
pub(super) static JWT_SECRET: Key = key("auth.jwt_secret", None, &["MONITOR_JWT_SECRET"]);
pub(super) static JWT_SECRET_FILE: Key = key("auth.jwt_secret_file", None, &["MONITOR_JWT_SECRET_FILE"]);
pub(super) static SCRAPE_TOKEN: Key = key("auth.scrape_token", None, &["MONITOR_SCRAPE_TOKEN"]);
pub(super) static SCRAPE_TOKEN_FILE: Key = key("auth.scrape_token_file", None, &["MONITOR_SCRAPE_TOKEN_FILE"]);
pub(super) static METRICS_AUTH: Key = key("auth.metrics", None, &["METRICS_AUTH"]);
pub(super) static ALLOW_OPEN: Key = key("auth.allow_open", Some("--allow-open"), &["ALLOW_OPEN"]);
pub(super) static RATE_LIMIT: Key = key("rate_limit.requests_per_minute", None, &["RATE_LIMIT_PER_MINUTE"]);
pub(super) static CURRENCY_CODE: Key = key("currency.code", None, &[]);
pub(super) static CURRENCY_RATE: Key = key("currency.rate", None, &[]);
pub(super) static CURRENCY_DATE: Key = key("currency.date", None, &[]);
pub(super) static TLS_CERT: Key = key("tls.cert", Some("--tls-cert"), &["TLS_CERT"]);
pub(super) static TLS_KEY: Key = key("tls.key", Some("--tls-key"), &["TLS_KEY"]);

/// All settings, in the order in which they are shown.
pub static ALL: [&Key; 42] = [
    &LISTEN,
    &DATA_DIRS,
    &DATABASE,
    &LOG_LEVEL,
    &LOG_FORMAT,
    &LOG_FILE,
    &COLOR,
    &TIME_ZONE,
    &LANGUAGE,
    &ENABLE_COST,
    &RETENTION_DAYS,
    &CLEANUP_DAYS,
    &ALLOWED_HOSTS,
    &PUBLIC_URL,
    &ALLOWED_ORIGINS,
    &DEV_MODE,
    &TRUSTED_PROXIES,
    &WATCH,
    &RECONCILE_INTERVAL,
    &POLL_INTERVAL,
    &READERS,
    &BACKUP_INTERVAL,
    &BACKUP_KEEP,
    &BACKUP_DIRECTORY,
    &MAX_CONNECTIONS,
    &MAX_PER_CLIENT,
    &HEADER_TIMEOUT,
    &REQUEST_TIMEOUT,
    &PASSWORD_HASH,
    &PASSWORD_HASH_FILE,
    &JWT_SECRET,
    &JWT_SECRET_FILE,
    &SCRAPE_TOKEN,
    &SCRAPE_TOKEN_FILE,
    &METRICS_AUTH,
    &ALLOW_OPEN,
    &RATE_LIMIT,
    &CURRENCY_CODE,
    &CURRENCY_RATE,
    &CURRENCY_DATE,
    &TLS_CERT,
    &TLS_KEY,
];

/// Tables whose keys belong to the plugins they name.
pub(super) const PLUGIN_TABLES: [&str; 2] = ["sources", "sinks"];

/// The array of the user's own prices.
pub(super) const PRICES: &str = "prices";

/// What may stand directly in a table of the file (`""` is the top): keys and tables.
pub(super) fn known_in(table: &str) -> Vec<&'static str> {
    let mut known: Vec<&'static str> = Vec::new();
    for key in ALL {
        let below = key.name.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
        let Some(rest) = (if table.is_empty() { Some(key.name) } else { below }) else { continue };
        let name = rest.split_once('.').map_or(rest, |(first, _)| first);
        if !known.contains(&name) {
            known.push(name);
        }
    }
    if table.is_empty() {
        known.push(PRICES);
        known.extend(PLUGIN_TABLES);
    }
    known
}

/// Whether settings or plugins' tables stand below this name.
pub(super) fn is_table(name: &str) -> bool {
    PLUGIN_TABLES.contains(&name) || !known_in(name).is_empty()
}

/// The known name that is closest to a mistyped one, if any is close.
pub(super) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let distances = known.iter().map(|name| (edits(&typed, name), *name));
    let (distance, name) = distances.min()?;
    (distance <= 2.max(name.len() / 3)).then_some(name)
}

/// How many letters have to be put in, taken out or changed (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
