//! Precedence, every kind of error, and the sample file.

use std::collections::BTreeMap;

use super::*;

/// A home with a configuration file in it.
struct Home {
    directory: tempfile::TempDir,
    vars: Vec<(&'static str, String)>,
    flags: Flags,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let home = directory.path().display().to_string();
        Self { directory, vars: vec![("HOME", home)], flags: Flags::default() }
    }

    fn with_file(text: &str) -> Self {
        let home = Self::new();
        let path = home.file();
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
        std::fs::write(path, text).expect("writable");
        home
    }

    fn var(mut self, name: &'static str, value: &str) -> Self {
        self.vars.push((name, value.to_owned()));
        self
    }

    fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    fn file(&self) -> PathBuf {
        self.path(".config/claude-token-monitor/config.toml")
    }

    fn load(&self) -> Result<(Settings, Origins), ConfigError> {
        let vars: BTreeMap<&str, &str> = self.vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Settings::load(&self.flags, &vars)
    }

    fn settings(&self) -> Settings {
        self.load().expect("valid settings").0
    }

    /// The origin of a setting, without the home's path.
    fn origin(&self, key: &str) -> String {
        let origins = self.load().expect("valid settings").1;
        let origin = &origins.get(key).expect(key).origin;
        origin.to_string().replace(&self.directory.path().display().to_string(), "~")
    }

    /// What loading says is wrong, without the home's path.
    fn error(&self) -> String {
        let error = self.load().expect_err("invalid settings").to_string();
        error.replace(&self.directory.path().display().to_string(), "~")
    }
}

const FILE: &str = "~/.config/claude-token-monitor/config.toml";

fn listen(text: &str) -> ListenAddr {
    text.parse().expect(text)
}

#[test]
fn the_defaults() {
    let home = Home::new();
    let settings = home.settings();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:51888");
    assert_eq!(settings.data_dirs, [home.path(".config/claude"), home.path(".claude")]);
    assert!(!settings.data_dirs_explicit);
    assert_eq!(settings.file, Some(home.file()));
    assert_eq!(settings.database, home.path(".local/share/claude-token-monitor/monitor.db"));
    assert_eq!(settings.backup.directory, home.path(".local/share/claude-token-monitor/backups"));
    assert_eq!((settings.retention_days, settings.backup.keep), (365, 3));
    assert!(settings.enable_cost && settings.watch.enabled);
    let (told, default) = (settings.source_settings(), SourceSettings::default());
    assert_eq!((told.cleanup_days, told.readers), (default.cleanup_days, default.readers));
    assert_eq!((told.reconcile_interval, told.poll_interval), (default.reconcile_interval, default.poll_interval));
}

#[test]
fn every_setting_has_an_origin_in_the_order_of_the_list() {
    let origins = Home::new().load().expect("valid").1;
    assert!(origins.iter().map(|setting| setting.key.as_str()).eq(keys::ALL.iter().map(|key| key.name)));
    assert!(origins.iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn flags_before_environment_before_file() {
    let text = "listen = '127.0.0.1:1'\nlog_level = 'warn'\nwatch.enabled = true";
    let home = Home::with_file(text);
    assert_eq!(home.settings().listen.port(), 1);
    assert_eq!(home.origin("listen"), format!("file {FILE}"));

    let home = home.var("LISTEN_ADDR", "127.0.0.1:2").var("LOG_LEVEL", "DEBUG").var("FILE_WATCH_ENABLED", "no");
    assert_eq!(home.settings().listen.port(), 2);
    assert_eq!(home.settings().log_level, LogLevel::Debug);
    assert!(!home.settings().source_settings().watch);
    assert_eq!(home.origin("listen"), "environment LISTEN_ADDR");

    let flags = Flags {
        listen: Some(listen("127.0.0.1:3")),
        log_level: Some(LogLevel::Error),
        watch: Some(false),
        ..Flags::default()
    };
    let home = home.flags(flags);
    assert_eq!(home.settings().listen.port(), 3);
    assert_eq!(home.settings().log_level, LogLevel::Error);
    assert_eq!(home.origin("listen"), "flag --listen");
    assert_eq!(home.origin("watch.enabled"), "flag --no-watch");
}

#[test]
fn an_empty_variable_is_unset() {
    let home =
        Home::with_file("listen = '127.0.0.1:1'").var("LISTEN_ADDR", "").var("TZ", "").var("CLAUDE_DATA_DIR", "");
    assert_eq!(home.settings().listen.port(), 1);
    assert!(!home.settings().data_dirs_explicit);
}

#[test]
fn who_may_reach_the_server() {
    let home = Home::new()
        .var("ALLOWED_ORIGINS", "https://a.example, http://b.example:8080")
        .var("DEV_MODE", "true")
        .var("TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.7,fd00::/8")
        .var("PUBLIC_URL", "https://m.example");
    let settings = home.settings();
    assert_eq!(settings.reach.allowed_origins, ["https://a.example", "http://b.example:8080"]);
    assert!(settings.reach.dev_mode);
    let proxies: Vec<_> = settings.reach.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]);
    assert_eq!(settings.reach.public_url.as_deref(), Some("https://m.example"));
    let error = Home::new().var("TRUSTED_PROXIES", "10.0.0.0/99").error();
    assert!(error.contains("an address or a network"), "{error}");
    assert_eq!(Home::new().settings().requests_per_minute, 100);
}

#[test]
fn secrets_are_read_when_needed_and_never_shown() {
    let home = Home::with_file("auth.password_hash = 'hush'\nauth.metrics = 'token'");
    let (settings, origins) = home.load().expect("valid");
    assert_eq!(settings.login.password_hash.read().expect("a secret").as_deref(), Some("hush"));
    assert_eq!(settings.login.metrics, MetricsAuth::Token);
    assert_eq!(settings.login.scrape_token.read().expect("no secret"), None);
    assert_eq!(origins.get("auth.password_hash").map(|setting| setting.value.as_str()), Some("***"));
    assert!(!format!("{settings:?}").contains("hush"));

    let file = home.path("secret");
    std::fs::write(&file, "from a file\n").expect("writable");
    let from_file = Home::new().var("MONITOR_JWT_SECRET_FILE", &file.display().to_string());
    let secret = from_file.settings().login.jwt_secret;
    assert_eq!(secret.read().expect("a secret").as_deref(), Some("from a file"));
    let both = from_file.var("MONITOR_JWT_SECRET", "hush").settings().login.jwt_secret;
    let error = both.read().expect_err("two secrets").to_string();
    assert_eq!(error, "auth.jwt_secret and auth.jwt_secret_file are both set; leave one of them out");
    let missing = Home::new().var("MONITOR_SCRAPE_TOKEN_FILE", "/does/not/exist").settings().login.scrape_token;
    assert!(missing.is_set() && missing.read().is_err());

    let error = Home::with_file("auth.password_hash = { x = 'hush' }").error();
    assert!(error.contains("`***` is no value for auth.password_hash"), "{error}");
}

#[test]
fn tls_takes_a_certificate_and_a_key() {
    let both = Home::with_file("tls = { cert = 'a.crt', key = '~/a.key' }");
    let expected =
        TlsSettings { certificate: both.path(".config/claude-token-monitor/a.crt"), key: both.path("a.key") };
    assert_eq!(both.settings().tls, Some(expected));
    assert_eq!(Home::new().var("TLS_KEY", "/k").error(), "tls.key is set and tls.cert is not; it takes both");
}

#[test]
fn directories_with_transcripts() {
    let check = |home: Home, expected: &[PathBuf], origin: &str| {
        let settings = home.settings();
        assert_eq!(settings.data_dirs, expected);
        assert!(settings.data_dirs_explicit);
        assert_eq!(home.origin("data_dirs"), origin);
    };
    let home = || Home::with_file("data_dirs = ['~/filed', 'beside']");
    let root = |path: &str| PathBuf::from(path);

    let filed = home();
    let expected = [filed.path("filed"), filed.path(".config/claude-token-monitor/beside")];
    check(filed, &expected, &format!("file {FILE}"));

    let named = home().var("CLAUDE_CONFIG_DIR", "~/a, /b ,,/b");
    let expected = [named.path("a"), root("/b")];
    check(named, &expected, "environment CLAUDE_CONFIG_DIR");

    let both = home().var("CLAUDE_CONFIG_DIR", "/a").var("CLAUDE_DATA_DIR", "/c,/d/projects");
    check(both, &[root("/c"), root("/d")], "environment CLAUDE_DATA_DIR");

    let flags = Flags { data_dirs: vec!["/e".into(), "/f".into()], ..Flags::default() };
    let typed = home().var("CLAUDE_DATA_DIR", "/c").flags(flags);
    check(typed, &[root("/e"), root("/f")], "flag --data-dir");
}

#[test]
fn a_directory_named_projects_may_hold_projects() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("projects/projects")).expect("writable");
    let named = home.path("projects");
    let flags = Flags { data_dirs: vec![named.clone()], ..Flags::default() };
    assert_eq!(home.flags(flags).settings().data_dirs, [named]);
}

#[cfg(unix)]
#[test]
fn a_link_between_the_defaults_counts_once() {
    let home = Home::new();
    std::fs::create_dir_all(home.path(".claude/projects")).expect("writable");
    std::fs::create_dir_all(home.path(".config")).expect("writable");
    std::os::unix::fs::symlink(home.path(".claude"), home.path(".config/claude")).expect("a link");
    assert_eq!(home.settings().data_dirs, [home.path(".config/claude")]);
}

#[test]
fn xdg_directories() {
    let home = Home::new().var("XDG_CONFIG_HOME", "/conf").var("XDG_DATA_HOME", "/data");
    let settings = home.settings();
    assert_eq!(settings.data_dirs, [PathBuf::from("/conf/claude"), home.path(".claude")]);
    assert_eq!(settings.database, Path::new("/data/claude-token-monitor/monitor.db"));
    assert_eq!(settings.file.as_deref(), Some(Path::new("/conf/claude-token-monitor/config.toml")));
    let relative = Home::new().var("XDG_DATA_HOME", "data");
    assert_eq!(relative.settings().database, relative.path(".local/share/claude-token-monitor/monitor.db"));
}

#[test]
fn without_a_home_only_the_database_is_missing() {
    let vars = BTreeMap::new();
    let error = Settings::load(&Flags::default(), &vars).expect_err("no place for the database");
    assert!(matches!(error, ConfigError::NoHome), "{error}");
    let vars = BTreeMap::from([("DATABASE_PATH", "/d/monitor.db")]);
    let settings = Settings::load(&Flags::default(), &vars).expect("enough").0;
    assert_eq!(settings.backup.directory, Path::new("/d/backups"));
    assert!(settings.data_dirs.is_empty() && settings.file.is_none());
}

#[test]
fn booleans() {
    for (text, expected) in [
        ("true", true),
        ("1", true),
        ("Yes", true),
        ("ON", true),
        ("false", false),
        ("0", false),
        ("no", false),
        ("off", false),
    ] {
        assert_eq!(Home::new().var("ENABLE_COST_ESTIMATION", text).settings().enable_cost, expected, "{text}");
    }
}

#[test]
fn hosts_and_colours() {
    let home = Home::new().var("ALLOWED_HOSTS", "Monitor.example.org, 192.168.0.7,[::1]").var("NO_COLOR", "0");
    let settings = home.settings();
    assert_eq!(settings.reach.allowed_hosts, ["monitor.example.org", "192.168.0.7", "[::1]"]);
    assert_eq!(settings.color, ColorChoice::Never);
    assert_eq!(home.origin("color"), "environment NO_COLOR");
    let home = home.flags(Flags { color: Some(ColorChoice::Always), ..Flags::default() });
    assert_eq!(home.settings().color, ColorChoice::Always);
    assert_eq!(Home::with_file("color = 'always'").settings().color, ColorChoice::Always);
}

#[test]
fn time_zones() {
    let check = |text: &str, name: Option<&str>| {
        assert_eq!(Home::new().var("TZ", text).settings().time_zone.iana_name(), name, "{text}");
    };
    check("Asia/Shanghai", Some("Asia/Shanghai"));
    check(":Europe/Berlin", Some("Europe/Berlin"));
    check("/usr/share/zoneinfo/Europe/Berlin", Some("Europe/Berlin"));
    check("UTC", Some("UTC"));
    check("EST5EDT,M3.2.0,M11.1.0", None);
    assert_eq!(Home::with_file("time_zone = 'Asia/Tokyo'").settings().time_zone.iana_name(), Some("Asia/Tokyo"));
}

#[test]
fn times() {
    let read = |text: &str| Home::with_file(&format!("watch.poll_interval = '{text}'")).settings().watch.poll_interval;
    assert_eq!(read("500ms"), Duration::from_millis(500));
    assert_eq!(read("90s"), Duration::from_secs(90));
    assert_eq!(read("2m"), Duration::from_secs(120));
    assert_eq!(read("1h"), Duration::from_secs(3_600));
    assert_eq!(read("1d"), Duration::from_secs(86_400));
    let (_, origins) = Home::with_file("watch.poll_interval = '90s'\nbackup.interval = '24h'").load().expect("valid");
    assert_eq!(origins.get("watch.poll_interval").map(|setting| setting.value.as_str()), Some("90s"));
    assert_eq!(origins.get("backup.interval").map(|setting| setting.value.as_str()), Some("1d"));
}

#[test]
fn wrong_values_say_where_and_what_is_allowed() {
    let check_var = |name: &'static str, value: &str, expected: &str| {
        assert_eq!(Home::new().var(name, value).error(), format!("environment variable {name}: {expected}"));
    };
    check_var(
        "LISTEN_ADDR",
        "51888",
        "`51888` is no value for listen; expected an address and a port, such as 127.0.0.1:51888, [::1]:51888 or \
         0.0.0.0:51888",
    );
    check_var(
        "FILE_WATCH_ENABLED",
        "maybe",
        "`maybe` is no value for watch.enabled; expected true or false (also 1, yes, on; 0, no, off)",
    );
    check_var(
        "TZ",
        "Mars/Olympus",
        "`Mars/Olympus` is no value for time_zone; expected an IANA time zone such as Europe/Berlin, or UTC",
    );

    let check = |text: &str, line: usize, expected: &str| {
        let error = Home::with_file(text).error();
        assert!(error.starts_with(&format!("{FILE}:{line}: {expected}")), "{error}");
    };
    check("\nlog_level = 'loud'", 2, "`loud` is no value for log_level; expected one of off, error, warn, info, debug");
    check(
        "[watch]\n\npoll_interval = '0s'",
        3,
        "`0s` is no value for watch.poll_interval; expected a time such as 500ms",
    );
    check("retention_days = -1", 1, "`-1` is no value for retention_days; expected a whole number, 0 or more");
    check("retention_days = 1.5", 1, "`1.5` is no value for retention_days");
    check("cleanup_days = 0", 1, "`0` is no value for cleanup_days; expected a whole number, 1 or more");
    check("server.max_connections = 0", 1, "`0` is no value for server.max_connections");
    check("allowed_hosts = ['http://x']", 1, "`[\"http://x\"]` is no value for allowed_hosts; expected a list");
    check("[listen]\nport = 1", 1, "`{ port = 1 }` is no value for listen");
    check("database = 5", 1, "`5` is no value for database; expected a path");
}

#[test]
fn what_the_file_cannot_hold() {
    let check = |text: &str, expected: &str| assert_eq!(Home::with_file(text).error(), format!("{FILE}:{expected}"));
    check(
        "[watch]\nenable = true",
        "2: unknown key `watch.enable` (did you mean `enabled`?); [watch] may hold: enabled, reconcile_interval, \
         poll_interval, readers",
    );
    check("backup.zebra = 1", "1: unknown key `backup.zebra`; [backup] may hold: interval, keep, directory");
    check("watch = true", "1: `watch` is a table; write [watch] and its keys below");
    check("sinks = 3", "1: `sinks` is a table; write [sinks] and its keys below");
    check("[sinks]\notlp = 1", "1: `sinks.otlp` is not a table; write [sinks.otlp] and its keys below");
    let error = Home::with_file("a = 1\nlisten = ").error();
    assert!(error.starts_with(&format!("{FILE}:2: ")), "{error}");
    let error = Home::with_file("\nlisen = '127.0.0.1:1'").error();
    assert!(
        error.starts_with(&format!(
            "{FILE}:2: unknown key `lisen` (did you mean `listen`?); the file may hold: listen, "
        ))
    );
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let home = Home::new();
    let path = home.path("mine.toml");
    let home = home.flags(Flags { config: Some(path.clone()), ..Flags::default() });
    assert!(home.error().starts_with("there is no configuration file at ~/mine.toml"), "{}", home.error());
    std::fs::write(&path, "listen = '127.0.0.1:7'").expect("writable");
    assert_eq!(home.settings().listen.port(), 7);
    std::fs::remove_file(&path).expect("there");
    std::fs::create_dir(&path).expect("writable");
    assert!(home.error().starts_with("reading the configuration file ~/mine.toml"), "{}", home.error());
}

#[test]
fn prices_in_the_file() {
    let row = "[[prices]]\nmodel = 'glm-4.6'\ninput = 0.6\noutput = 2.2\ncache_write_5m = 0\ncache_write_1h = 0\n";
    let home = Home::with_file(&format!("{row}cache_read = 0.11"));
    assert_eq!(home.settings().prices.len(), 1);
    assert_eq!(home.origin("prices.glm-4.6"), format!("file {FILE}"));

    let check = |text: String, expected: &str| {
        let error = Home::with_file(&text).error();
        assert!(error.starts_with(&format!("{FILE}:{expected}")), "{error}");
    };
    check(row.to_owned(), "1: missing field `cache_read`");
    check(format!("{row}cache_read = -0.1"), "7: -0.1 is not a price");
    check(format!("{row}cache_reads = 0"), "7: unknown field `cache_reads`");
    check(format!("{row}cache_read = 0\n{row}cache_read = 1"), " there are two rows of prices for glm-4.6");
}

#[test]
fn plugins_tables_are_handed_on_and_their_secrets_are_not_shown() {
    let text = "[sinks.otlp]\nendpoint = 'http://localhost:4318'\nheaders = { Authorization = 'Bearer hush' }\n\
                [sinks.hook]\nurl = 'https://me:hush@example.org/'\nbearer_token = 'hush'\n[sources.claude]\n";
    let home = Home::with_file(text);
    let (settings, origins) = home.load().expect("valid");
    assert_eq!(settings.sinks.keys().collect::<Vec<_>>(), ["hook", "otlp"]);
    assert_eq!(settings.sinks["hook"]["bearer_token"].as_str(), Some("hush"));
    assert!(settings.sources["claude"].is_empty());
    let value = |key: &str| origins.get(key).map(|setting| setting.value.as_str());
    assert_eq!(value("sinks.otlp.endpoint"), Some("http://localhost:4318"));
    assert_eq!(value("sources.claude"), Some(""));
    assert_eq!(value("sinks.hook.url"), Some("***"));
    assert!(origins.iter().all(|setting| !setting.value.contains("hush")));
}

#[test]
fn the_sample_holds_every_setting_with_its_default() {
    let sample = include_str!("../../examples/config.toml");
    let home = Home::with_file(sample);
    assert!(home.load().expect("valid").1.iter().all(|setting| setting.origin == Origin::Default));

    // A line that is a setting has no space after its mark.
    let lines = sample.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line));
    let home = Home::with_file(&lines.collect::<Vec<_>>().join("\n"));
    let origins = home.load().expect("valid").1;
    let defaults = Home::new();
    let homeless = |home: &Home, value: &str| value.replace(&home.directory.path().display().to_string(), "~");
    for default in defaults.load().expect("valid").1.iter() {
        let sampled = origins.get(&default.key).expect("every setting");
        assert_ne!(sampled.origin, Origin::Default, "{}", default.key);
        // These two depend on the machine.
        if !["time_zone", "watch.readers"].contains(&default.key.as_str()) {
            assert_eq!(homeless(&home, &sampled.value), homeless(&defaults, &default.value), "{}", default.key);
        }
    }
    assert_eq!(home.settings().prices.len(), 1);
}
