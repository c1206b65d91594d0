//! Alarms and dashboard: they use existing parameters and metrics, and docs/operations.md explains each alarm.

use std::collections::{BTreeMap, BTreeSet};
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
fn every_alarm_has_a_row_and_a_section_in_the_operations_guide() {
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
    assert_eq!(alarms().len(), 25);
}

#[test]
fn the_stack_passes_every_parameter_of_the_monitoring_stack() {
    let passed = &read("template.yaml")["Resources"]["Monitoring"]["Properties"]["Parameters"];
    let declared = &read("infra/monitoring.yaml")["Parameters"];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(passed), names(declared));
    assert!(!names(declared).is_empty());
    for (name, parameter) in declared.as_object().unwrap() {
        assert!(parameter["Default"].is_null(), "a default of {name} would hide that it is not passed");
    }
}

/// A message that was received three times no longer counts in the age of its queue, and a mapping that is not invoked has no age.
#[test]
fn late_work_is_seen_where_the_service_itself_reports_nothing() {
    let alarms: BTreeMap<String, Value> = alarms().into_iter().collect();
    let metrics = |alarm: &str| -> BTreeSet<String> {
        let metrics = alarms[alarm]["Properties"]["Metrics"].as_array().unwrap().iter();
        let name = |metric: &Value| metric["MetricStat"]["Metric"]["MetricName"].as_str().map(str::to_owned);
        metrics.filter_map(name).collect()
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(metrics("IncomingAge"), names(&["ApproximateAgeOfOldestMessage", "failed_lag"]));
    for consumer in ["Propagate", "PublishEvents"] {
        let stopped = format!("{consumer}Stopped");
        assert_eq!(metrics(&stopped), names(&["ConsumedWriteCapacityUnits", "PolledEventCount"]));
        let expression = alarms[&stopped]["Properties"]["Metrics"][0]["Expression"].as_str().unwrap();
        assert_eq!(expression, "IF(FILL(written, 0) > 0 AND FILL(polled, 0) == 0, 1, 0)");
    }
}

/// The dashboard is JSON, shows every alarm, and uses the names under which the functions write their metrics.
#[test]
fn the_dashboard_shows_every_alarm_and_every_metric_of_the_functions() {
    let monitoring = read("infra/monitoring.yaml");
    let text = &monitoring["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"];
    let body: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    let shown: BTreeSet<&str> =
        widgets[0]["properties"]["alarms"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap()).collect();
    let arns: Vec<String> = alarms().into_iter().map(|(name, _)| format!("${{{name}.Arn}}")).collect();
    assert_eq!(shown, arns.iter().map(String::as_str).collect());
    let mut of_functions = BTreeSet::new();
    for metric in widgets[1..].iter().flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap()) {
        let searched = metric[0]["expression"].as_str().and_then(|text| text.split("MetricName=\"").nth(1));
        let is_expression = metric[0]["expression"].is_string();
        if let Some(searched) = searched {
            of_functions.insert(searched.split('"').next().unwrap());
        } else if !is_expression && metric[0] == "${Stack}" {
            of_functions.insert(metric[1].as_str().unwrap());
        }
    }
    assert!(!of_functions.is_empty());
    assert_eq!(of_functions, metric_names().collect());
}
