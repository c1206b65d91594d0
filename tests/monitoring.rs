//! The alarms and the dashboard: of resources that there are, by metrics that there are, and with what to do in the docs.

use std::collections::BTreeSet;
use std::fs;

use groups_local::template::document;
use serde_json::{Value, json};

use shared::telemetry::metric_names;

use crate::harness::workspace::root;

fn read(path: &str) -> Value {
    document(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

fn alarms() -> Vec<(String, Value)> {
    let resources = read("infra/monitoring.yaml")["Resources"].as_object().unwrap().clone();
    resources.into_iter().filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm").collect()
}

#[test]
fn every_alarm_has_a_row_and_a_heading_that_says_what_to_do() {
    let docs = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for (name, alarm) in alarms() {
        let description = alarm["Properties"]["AlarmDescription"].as_str().unwrap();
        let heading = description.split(':').next().unwrap();
        assert!(docs.lines().any(|line| line.trim_start_matches('#') == format!(" {heading}")), "{heading}");
        let anchor = format!("[{heading}](#{})", heading.to_lowercase().replace(' ', "-"));
        let row = docs.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
        assert!(row.is_some_and(|row| row.ends_with(&format!("{anchor} |"))), "{name} has no row with {anchor}");
        assert_eq!(alarm["Properties"]["AlarmName"], json!({ "Fn::Sub": format!("${{Stack}}-{name}") }));
    }
    assert_eq!(alarms().len(), 18);
}

/// What the stack gives is what the nested one takes.
#[test]
fn the_stack_gives_what_monitoring_takes() {
    let given = &read("template.yaml")["Resources"]["Monitoring"]["Properties"]["Parameters"];
    let taken = &read("infra/monitoring.yaml")["Parameters"];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(given), names(taken));
    for (_, parameter) in taken.as_object().unwrap() {
        assert!(parameter["Default"].is_null(), "a default would hide that it is not given");
    }
}

/// The dashboard is JSON, shows every alarm, and has our metrics by the names they are written under.
#[test]
fn the_dashboard_shows_every_alarm_and_our_metrics() {
    let monitoring = read("infra/monitoring.yaml");
    let text = &monitoring["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"];
    let body: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    let shown: BTreeSet<&str> =
        widgets[0]["properties"]["alarms"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap()).collect();
    let arns: Vec<String> = alarms().into_iter().map(|(name, _)| format!("${{{name}.Arn}}")).collect();
    assert_eq!(shown, arns.iter().map(String::as_str).collect());
    let mut ours = BTreeSet::new();
    for metric in widgets[1..].iter().flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap()) {
        let searched = metric[0]["expression"].as_str().and_then(|text| text.split("MetricName=\"").nth(1));
        if let Some(searched) = searched {
            ours.insert(searched.split('"').next().unwrap());
        } else if metric[0] == "${Stack}" {
            ours.insert(metric[1].as_str().unwrap());
        }
    }
    assert_eq!(ours, metric_names().collect());
}
