//! Compose files: each name, port, path and variable in them against the program, the Dockerfiles and `.env.example`.

use std::collections::{BTreeMap, BTreeSet};

use claude_token_monitor::config::{Flags, Settings, keys};
use serde_json::{Value, json};

use super::dockerfile::{Stage, stages};
use super::{read, run, words, yaml};
use crate::parts::{self, checkout};

const MAIN: &str = "docker/docker-compose.yml";
const DEV: &str = "docker/docker-compose.dev.yml";
const WINDOWS: &str = "docker/docker-compose.windows.yml";
const OBSERVABILITY: &str = "docker/docker-compose.observability.yml";

/// Puts variables into a text as docker compose does it: `${A}`, `${A:-default}`, where the default may hold more of them.
pub(super) fn interpolated(text: &str, variables: &BTreeMap<&str, &str>) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let mut depth = 1;
    let end = rest.char_indices().find_map(|(place, c)| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        (depth == 0).then_some(place)
    });
    let (inside, after) = rest.split_at(end.expect("a closing brace"));
    let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
    let value = variables.get(name).filter(|value| !value.is_empty());
    let value = value.map_or_else(|| interpolated(default, variables), |value| (*value).to_owned());
    format!("{before}{value}{}", interpolated(after.strip_prefix('}').unwrap(), variables))
}

#[test]
fn variables_are_put_in_as_an_engine_does_it() {
    let variables = BTreeMap::from([("A", "1"), ("EMPTY", "")]);
    for (text, expected) in [
        ("x${A}y${B}z", "x1yz"),
        ("${B:-two}/${EMPTY:-three}/${A:-four}", "two/three/1"),
        ("${B:-a-${A}-${C:-c}}/d", "a-1-c/d"),
        ("nothing", "nothing"),
    ] {
        assert_eq!(interpolated(text, &variables), expected, "{text}");
    }
}

/// Names of variables in a text, inner ones included.
fn variables(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
    text.split("${").skip(1).map(name).collect()
}

fn service(path: &str, name: &str) -> Value {
    let found = yaml(path, &BTreeMap::from([("USERNAME", "me")]))["services"][name].clone();
    assert!(found.is_object(), "{path} has no {name}");
    found
}

fn environment(service: &Value) -> BTreeMap<String, String> {
    let pairs = service["environment"].as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().expect("a text in quotes").to_owned())).collect()
}

fn volume<'a>(service: &'a Value, target: &str) -> &'a Value {
    let all = service["volumes"].as_array().unwrap();
    all.iter().find(|volume| volume["target"] == target).unwrap_or_else(|| panic!("nothing at {target}: {all:?}"))
}

fn last_stage(path: &str) -> Stage {
    stages(&read(path)).pop().unwrap()
}

#[test]
fn every_variable_can_be_set_in_env_and_nothing_there_is_unused() {
    let mut used = BTreeSet::new();
    for path in [MAIN, DEV, WINDOWS, OBSERVABILITY] {
        used.extend(variables(&read(path)));
    }
    // Windows sets this one.
    assert!(used.remove("USERNAME"));
    let example = read(".env.example");
    let lines = example.lines().filter_map(|line| line.trim_start_matches('#').split_once('='));
    let offered: BTreeSet<String> = lines.map(|(name, _)| name.to_owned()).filter(|name| !name.contains(' ')).collect();
    assert_eq!(used, offered);
    assert!(example.lines().all(|line| line.is_empty() || line.starts_with('#')), "all of it is optional");
}

#[test]
fn every_variable_of_the_containers_is_a_setting_with_a_value_that_it_may_have() {
    let known: BTreeSet<&str> = keys::ALL.iter().flat_map(|key| key.env).copied().collect();
    for (path, name) in [(MAIN, "claude-monitor"), (DEV, "claude-monitor-dev"), (WINDOWS, "claude-monitor")] {
        let environment = environment(&service(path, name));
        for variable in environment.keys() {
            assert!(known.contains(variable.as_str()), "{path}: {variable} is no setting");
        }
        let mut variables: BTreeMap<&str, &str> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.insert("HOME", "/nonexistent");
        Settings::load(&Flags::default(), &variables).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    // As the seed of this project had it.
    let environment = environment(&service(MAIN, "claude-monitor"));
    for variable in
        ["TZ", "CLAUDE_DATA_DIR", "DATABASE_PATH", "LOG_LEVEL", "ENABLE_COST_ESTIMATION", "FILE_WATCH_ENABLED"]
    {
        assert!(environment.contains_key(variable), "{variable}");
    }
}

#[test]
fn ports_are_the_programs_and_can_be_reached_from_this_machine_only() {
    let default = Settings::load(&Flags::default(), &BTreeMap::from([("HOME", "/nonexistent")])).unwrap().0.listen;
    for (path, name, dockerfile) in
        [(MAIN, "claude-monitor", "docker/Dockerfile"), (DEV, "claude-monitor-dev", "docker/Dockerfile.dev")]
    {
        let (service, image) = (service(path, name), last_stage(dockerfile));
        let port = default.port().to_string();
        assert_eq!(service["ports"], json!([format!("127.0.0.1:{port}:{port}")]), "{path}");
        assert_eq!(image.one("EXPOSE"), port);
        let listen = environment(&service).remove("LISTEN_ADDR");
        assert_eq!(listen, Some(format!("0.0.0.0:{port}")));
        assert!(image.env().contains(&("LISTEN_ADDR".to_owned(), listen.unwrap())));
    }
    for path in [MAIN, DEV, OBSERVABILITY] {
        let file = yaml(path, &BTreeMap::new());
        for (name, service) in file["services"].as_object().unwrap() {
            for port in service["ports"].as_array().into_iter().flatten() {
                assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{path}: {name} publishes {port}");
            }
        }
    }
    // A port of one's own is answered under its name, too.
    let moved = yaml(MAIN, &BTreeMap::from([("MONITOR_PORT", "9000")]));
    let moved = &moved["services"]["claude-monitor"];
    assert_eq!(moved["ports"], json!(["127.0.0.1:9000:51888"]));
    let hosts = environment(moved).remove("ALLOWED_HOSTS").unwrap();
    assert!(hosts.split(',').any(|host| host == "localhost:9000"), "{hosts}");
}

#[test]
fn only_projects_is_mounted_and_nobody_can_write_to_it() {
    for (path, name) in [(MAIN, "claude-monitor"), (DEV, "claude-monitor-dev"), (WINDOWS, "claude-monitor")] {
        let service = service(path, name);
        let main = environment(&self::service(MAIN, "claude-monitor"));
        let mount = volume(&service, &format!("{}/projects", main["CLAUDE_DATA_DIR"]));
        let source = mount["source"].as_str().unwrap();
        assert!(source.ends_with("/projects") || source.ends_with(r"\projects"), "{path}: {source}");
        assert_eq!((&mount["type"], &mount["read_only"]), (&json!("bind"), &json!(true)), "{path}");
        assert_eq!(mount["bind"]["create_host_path"], false, "{path}: a wrong path is an error");
        for other in service["volumes"].as_array().unwrap().iter().filter(|other| *other != mount) {
            assert!(!other["source"].as_str().unwrap().contains(".claude"), "{path}: {other}");
        }
    }
    assert_eq!(volume(&service(MAIN, "claude-monitor"), "/data/.claude/projects")["source"], "~/.claude/projects");
    let windows = service(WINDOWS, "claude-monitor");
    assert_eq!(volume(&windows, "/data/.claude/projects")["source"], r"C:\Users\me\.claude\projects");
    assert_eq!(environment(&windows)["FILE_WATCH_ENABLED"], "false");
}

#[test]
fn the_service_is_the_image_with_nothing_to_spare() {
    let (service, image) = (service(MAIN, "claude-monitor"), last_stage("docker/Dockerfile"));
    let environment = environment(&service);
    for (name, value) in image.env() {
        assert_eq!(environment[&name], value, "the image and the compose file agree");
    }
    let home = environment["DATABASE_PATH"].rsplit_once('/').unwrap().0;
    assert_eq!(image.command("VOLUME"), [home]);
    assert_eq!(volume(&service, home)["type"], "volume");

    let (flags, command) = image.health();
    let health = &service["healthcheck"];
    let mut test = vec!["CMD".to_owned()];
    test.extend(command);
    assert_eq!(health["test"], json!(test));
    for (flag, value) in [("interval", "30s"), ("timeout", "5s"), ("start-period", "10s"), ("retries", "3")] {
        assert!(flags.contains(&format!("--{flag}={value}")), "{flags:?}");
        let said = &health[flag.replace('-', "_")];
        assert_eq!(said.as_str().map_or_else(|| said.to_string(), str::to_owned), value, "{flag}");
    }

    assert_eq!(service["user"], image.one("USER"));
    assert_eq!(service["read_only"], true);
    assert_eq!(service["cap_drop"], json!(["ALL"]));
    assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]));
    assert_eq!(service["restart"], "unless-stopped");
    let resources = &service["deploy"]["resources"];
    assert_eq!(resources["limits"], json!({"cpus": "0.5", "memory": "256M"}));
    assert_eq!(resources["reservations"], json!({"cpus": "0.1", "memory": "128M"}));
    let network = service["networks"][0].as_str().unwrap();
    assert_eq!(yaml(MAIN, &BTreeMap::new())["networks"][network]["driver"], "bridge");
}

#[test]
fn development_follows_the_checkout() {
    let (service, image) = (service(DEV, "claude-monitor-dev"), last_stage("docker/Dockerfile.dev"));
    let environment = environment(&service);
    assert_eq!([&environment["LOG_LEVEL"], &environment["DEV_MODE"]], ["debug", "true"]);
    assert_eq!(service["restart"], "no");
    assert_eq!(volume(&service, image.one("WORKDIR"))["source"], "..");
    for (name, value) in image.env() {
        assert_eq!(environment[&name], value);
    }
    let [script]: [String; 1] = image.command("CMD").try_into().unwrap();
    assert!(checkout().join(script).exists());
    for word in ["entr", "clippy", "rustfmt"] {
        assert!(image.all("RUN").concat().contains(word), "{word}");
    }
}

#[test]
fn prometheus_grafana_and_the_collector_find_each_other() {
    let file = yaml(OBSERVABILITY, &BTreeMap::new());
    let services = file["services"].as_object().unwrap();
    for (name, service) in services {
        let Some(image) = service["image"].as_str() else { continue };
        let (_, tag) = image.split_once(':').unwrap();
        assert!(tag != "latest" && tag.contains('.'), "{name}: {image} is not one version");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
    }
    let main = service(MAIN, "claude-monitor");
    let prometheus = yaml("docker/prometheus.yml", &BTreeMap::new());
    let collector = yaml("docker/otel-collector.yml", &BTreeMap::new());
    let targets: Vec<&str> = prometheus["scrape_configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["static_configs"][0]["targets"][0].as_str().unwrap())
        .collect();
    assert_eq!(targets, ["claude-monitor:51888", "collector:8889"]);
    assert!(environment(&main)["ALLOWED_HOSTS"].split(',').any(|host| host == "claude-monitor"));
    assert_eq!(collector["exporters"]["prometheus"]["endpoint"], "0.0.0.0:8889");
    assert_eq!(collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"], "0.0.0.0:4318");
    assert_eq!(
        environment(&services["claude-monitor"]),
        BTreeMap::from([("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT".to_owned(), "http://collector:4318/v1/logs".to_owned())])
    );

    let rules = volume(&services["prometheus"], "/etc/prometheus/rules");
    assert_eq!(rules["source"], "../grafana/rules");
    assert_eq!(volume(&services["grafana"], "/etc/grafana/provisioning")["source"], "../grafana/provisioning");
    assert_eq!(volume(&services["grafana"], "/var/lib/grafana/dashboards")["source"], "../grafana/dashboards");
    for name in ["prometheus", "collector"] {
        for mount in services[name]["volumes"].as_array().unwrap().iter().filter(|mount| mount["type"] == "bind") {
            let source = mount["source"].as_str().unwrap();
            assert!(source.starts_with("../grafana") || checkout().join("docker").join(source).exists(), "{source}");
            assert_eq!(mount["read_only"], true, "{source}");
        }
    }
    let given = environment(&services["grafana"]);
    let url = format!(
        "http://prometheus:{}",
        services["prometheus"]["ports"][0].as_str().unwrap().rsplit(':').next().unwrap()
    );
    assert_eq!(given["GRAFANA_PROMETHEUS_URL"], url);
    assert_eq!(given["GRAFANA_DASHBOARDS"], "/var/lib/grafana/dashboards");
    for asked in provisioned() {
        assert!(given.contains_key(&asked), "grafana/provisioning asks for {asked}");
    }
    let Some(promtool) = parts::need("promtool") else { return };
    let done = run(checkout(), promtool, &["check", "config", "docker/prometheus.yml"]);
    assert!(done.status.success(), "{}", words(&done));
}

/// Variables that what Grafana is provisioned with asks for.
fn provisioned() -> BTreeSet<String> {
    let listed = run(checkout(), "grep", &["-rhoE", r"^ +[a-z]+: \$[A-Z_]+", "grafana/provisioning"]);
    let lines = String::from_utf8(listed.stdout).unwrap();
    lines.lines().filter_map(|line| line.split_once('$')).map(|(_, name)| name.to_owned()).collect()
}
