//! What Prometheus makes of the alerts and of the dashboard: by its own `promtool`, where that is installed.

use std::{
    collections::BTreeSet,
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{names, operate};

/// Each alert over figures that should raise it, and over those that should not.
const CASES: &str = include_str!("alerts.test.yml");

/// Runs `promtool` in a folder, and tells whether there is one. `LARDER_PROMTOOL` names another program.
#[expect(clippy::print_stderr, reason = "what was not checked is told")]
fn promtool(folder: &Path, arguments: &[&str]) -> bool {
    let program = env::var_os("LARDER_PROMTOOL").unwrap_or_else(|| "promtool".into());
    match Command::new(&program).args(arguments).current_dir(folder).output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
            true
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: there is no {}, which is a part of Prometheus", program.display());
            false
        }
        Err(error) => panic!("{}: {error}", program.display()),
    }
}

fn panels() -> Vec<Value> {
    let text = fs::read_to_string(operate("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

/// All that the dashboard asks, with the labels by which it names the lines.
fn asked(panels: &[Value]) -> Vec<(String, String)> {
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    targets.map(|target| (text(&target["expr"]), text(&target["legendFormat"]))).collect()
}

/// The words of a text between two marks, wherever they stand.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    text.split(begin).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0.trim())).collect()
}

#[test]
fn the_dashboard_is_what_grafana_reads() {
    let panels = panels();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
    for (asked, legend) in asked(&panels) {
        assert_eq!(asked.matches('(').count(), asked.matches(')').count(), "{asked}");
        assert_eq!(names(&asked).len(), 1, "{asked}");
        // A line is named by what it is of.
        let grouped: BTreeSet<_> =
            between(&asked, "by (", ")").into_iter().flat_map(|by| by.split(", ")).collect();
        for label in between(&legend, "{{", "}}") {
            assert!(grouped.contains(label), "{legend}: {asked}");
        }
    }
}

/// Each question is an expression that can be evaluated.
#[test]
fn prometheus_can_answer_what_the_dashboard_asks() {
    let mut rules = "groups: [{ name: dashboard, rules: [".to_owned();
    for (asked, _) in asked(&panels()) {
        let asked = asked.replace("$__rate_interval", "1m");
        let asked = asked.replace("$job", ".*").replace("$cache", ".*").replace("$function", ".*");
        assert!(!asked.contains('$'), "{asked}");
        rules.push_str(&format!("{{ record: asked, expr: {} }}, ", Value::from(asked)));
    }
    rules.push_str("] }]");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dashboard.yml"), rules).unwrap();
    promtool(folder.path(), &["check", "rules", "--lint=none", "dashboard.yml"]);
}

#[test]
fn each_alert_is_raised_when_it_should_be() {
    let alerts = operate("alerts.yml");
    let text = fs::read_to_string(&alerts).unwrap();
    let all = between(&text, "- alert: ", "\n");
    assert!(all.len() > 5, "{all:?}");
    for alert in all {
        let raised = format!("alertname: {alert}\n        exp_alerts:");
        assert!(CASES.contains(&raised), "{alert} is raised by no case of alerts.test.yml");
    }
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str| -> PathBuf { folder.path().join(name) };
    fs::copy(&alerts, put("alerts.yml")).unwrap();
    fs::write(put("alerts.test.yml"), CASES).unwrap();
    if promtool(folder.path(), &["check", "rules", "alerts.yml"]) {
        promtool(folder.path(), &["test", "rules", "alerts.test.yml"]);
    }
}
