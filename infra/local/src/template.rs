//! Reads routes, event sources, environment, authorizer, table and policies from `template.yaml`.

use std::collections::BTreeMap;
use std::path::Path;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::Problem;

/// The parts of the template that the local server uses, with parameters replaced by their values.
#[derive(Debug, Clone)]
pub struct Template {
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The function of the catch-all route.
    pub default_function: String,
    /// The environment variables of all functions.
    pub environment: BTreeMap<String, String>,
    /// Seconds that an invocation may take.
    pub timeout_seconds: u64,
    /// The event sources of the stream consumers.
    pub streams: Vec<StreamSource>,
    /// The event source of the function on the queue.
    pub queue: QueueSource,
    /// The schedule of the scheduled function.
    pub schedule: ScheduleSource,
    /// The authorizer of all routes.
    pub authorizer: Authorizer,
    /// The table's properties, as CloudFormation spells them.
    pub table: Value,
    /// The statements of each function's role, by the function's name.
    pub policies: BTreeMap<String, Value>,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// In upper case.
    pub method: String,
    /// With parameters in braces.
    pub path: String,
    /// The name of the function's binary.
    pub function: String,
    /// The authorizer of its requests.
    pub authorizer: RouteAuthorizer,
    /// Seconds that an invocation may take.
    pub timeout_seconds: u64,
}

/// The authorizers that a route can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAuthorizer {
    /// The gateway's own, for JWTs.
    Jwt,
    /// The Lambda authorizer for long-lived tokens.
    Token,
}

impl Route {
    /// Whether the route takes every path below its own.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        self.path.ends_with("+}")
    }
}

/// An event source: the table's stream for a function.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSource {
    /// The name of the function's binary.
    pub function: String,
    /// The most records in a batch.
    pub batch_size: i32,
    /// How often a batch is retried before it is dropped; `None` for no limit but its age.
    pub maximum_retry_attempts: Option<u64>,
    /// Whether a batch is halved for the retry when the function itself fails.
    pub bisects: bool,
    /// Patterns; the function receives records that match at least one.
    pub filters: Vec<Value>,
    /// Seconds that an invocation may take.
    pub timeout_seconds: u64,
}

/// An event source: the queue for a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSource {
    /// The name of the function's binary.
    pub function: String,
    /// The most messages in a batch.
    pub batch_size: usize,
    /// How often a message is received before the queue makes it a dead letter.
    pub max_receive_count: u64,
    /// Seconds that an invocation may take.
    pub timeout_seconds: u64,
}

/// A schedule of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSource {
    /// The name of the function's binary.
    pub function: String,
    /// Seconds from one run to the next.
    pub period_seconds: u64,
    /// Seconds that an invocation may take.
    pub timeout_seconds: u64,
}

/// The JWT authorizer of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// The required value of `iss`.
    pub issuer: String,
    /// `aud` must contain one of these.
    pub audiences: Vec<String>,
}

impl Template {
    /// Reads the template in this folder or the nearest one above it.
    ///
    /// # Errors
    /// There is none, or it is incomplete.
    pub fn find(from: &Path) -> Result<Self, Problem> {
        let root = root(from)?;
        let path = root.join("template.yaml");
        let text = std::fs::read_to_string(&path).map_err(|error| Problem::new("cannot read template.yaml", error))?;
        Self::parse(&text)
    }

    /// Reads a template. Parameters have their defaults or, without one, a local value.
    ///
    /// # Errors
    /// It is no YAML, or it is incomplete.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let document = document(text)?;
        let resolve = |value: &Value| resolve(&document, value);

        let globals = &document["Globals"]["Function"];
        let environment = globals["Environment"]["Variables"].as_object().ok_or_else(|| missing("an environment"))?;
        let mut environment: BTreeMap<String, String> =
            environment.iter().map(|(name, value)| (name.clone(), resolve(value))).collect();
        let default_timeout = globals["Timeout"].as_u64().ok_or_else(|| missing("a Timeout"))?;
        let (mut routes, mut streams, mut policies) = (Vec::new(), Vec::new(), BTreeMap::new());
        let (mut queue, mut schedule) = (None, None);
        for (_, resource) in resources(&document, "AWS::Serverless::Function") {
            let function = text_of(&resource["Metadata"]["BuildProperties"]["Binary"], "a Binary")?;
            let properties = &resource["Properties"];
            let own = properties["Environment"]["Variables"].as_object().into_iter().flatten();
            environment.extend(own.map(|(name, value)| (name.clone(), resolve(value))));
            let timeout = properties["Timeout"].as_u64().unwrap_or(default_timeout);
            for event in properties["Events"].as_object().into_iter().flat_map(Map::values) {
                routes.extend(route(event, &function, timeout)?);
                match event["Type"].as_str() {
                    Some("DynamoDB") => streams.push(stream_source(&event["Properties"], &function, timeout)?),
                    Some("SQS") => queue = Some(queue_source(&document, &event["Properties"], &function, timeout)?),
                    Some("ScheduleV2") => schedule = Some(schedule_source(&event["Properties"], &function, timeout)?),
                    _ => {}
                }
            }
            policies.insert(function, statements(&document, properties)?);
        }
        Ok(Self {
            routes,
            default_function: default_function(&document).ok_or_else(|| missing("a catch-all route"))?,
            environment,
            timeout_seconds: default_timeout,
            streams,
            queue: queue.ok_or_else(|| missing("a function on the queue"))?,
            schedule: schedule.ok_or_else(|| missing("a scheduled function"))?,
            authorizer: authorizer(&document)?,
            table: of_type(&document, "AWS::DynamoDB::Table")?.1.clone(),
            policies,
        })
    }
}

/// Converts the template to JSON, and CloudFormation's short forms (`!Ref`, `!GetAtt`, `!Sub`) to their long ones.
///
/// # Errors
/// It is no YAML.
pub fn document(text: &str) -> Result<Value, Problem> {
    let documents = Yaml::load_from_str(text).map_err(|error| Problem::new("template.yaml is not YAML", error))?;
    documents.first().map(to_json).ok_or_else(|| missing("a document"))
}

impl Template {
    /// Returns the routes that documents describe: all but those of `HEAD`, which every `GET` has, and those of another protocol.
    pub fn documented_routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(|route| route.method != "HEAD" && !route.is_greedy())
    }

    /// Returns a function's event source on the table's stream.
    ///
    /// # Errors
    /// It has none.
    pub fn stream_of(&self, function: &str) -> Result<&StreamSource, Problem> {
        let found = self.streams.iter().find(|source| source.function == function);
        found.ok_or_else(|| missing(&format!("the function {function} on the stream")))
    }
}

/// The folder with `template.yaml`: this one or the nearest above it.
///
/// # Errors
/// There is none.
pub fn root(from: &Path) -> Result<&Path, Problem> {
    let found = from.ancestors().find(|folder| folder.join("template.yaml").is_file());
    found.ok_or_else(|| Problem("there is no template.yaml here or in a folder above".into()))
}

/// Whether an event is the catch-all route: SAM makes one of a route without a path.
fn is_catch_all(event: &Value) -> bool {
    event["Type"] == "HttpApi" && event["Properties"]["Path"].is_null()
}

/// The function of the catch-all route.
fn default_function(document: &Value) -> Option<String> {
    let (_, function) = resources(document, "AWS::Serverless::Function").find(|(_, resource)| {
        let mut events = resource["Properties"]["Events"].as_object().into_iter().flat_map(Map::values);
        events.any(is_catch_all)
    })?;
    function["Metadata"]["BuildProperties"]["Binary"].as_str().map(str::to_owned)
}

fn route(event: &Value, function: &str, timeout_seconds: u64) -> Result<Option<Route>, Problem> {
    if event["Type"] != "HttpApi" || is_catch_all(event) {
        return Ok(None);
    }
    let properties = &event["Properties"];
    let method = text_of(&properties["Method"], "a Method")?.to_uppercase();
    let authorizer = match properties["Auth"]["Authorizer"].as_str() {
        Some("Token") => RouteAuthorizer::Token,
        _ => RouteAuthorizer::Jwt,
    };
    let (path, function) = (text_of(&properties["Path"], "a Path")?, function.to_owned());
    Ok(Some(Route { method, path, function, authorizer, timeout_seconds }))
}

fn stream_source(properties: &Value, function: &str, timeout_seconds: u64) -> Result<StreamSource, Problem> {
    let number = |name| properties[name].as_u64().ok_or_else(|| missing(name));
    let filters = properties["FilterCriteria"]["Filters"].as_array().into_iter().flatten();
    let pattern = |filter: &Value| {
        let text = filter["Pattern"].as_str().unwrap_or_default();
        serde_json::from_str(text).map_err(|_| missing("a Pattern that is JSON"))
    };
    Ok(StreamSource {
        function: function.to_owned(),
        batch_size: i32::try_from(number("BatchSize")?).map_err(|_| missing("a BatchSize"))?,
        maximum_retry_attempts: properties["MaximumRetryAttempts"].as_u64(),
        bisects: properties["BisectBatchOnFunctionError"] == json!(true),
        filters: filters.map(pattern).collect::<Result<_, _>>()?,
        timeout_seconds,
    })
}

fn queue_source(
    document: &Value,
    properties: &Value,
    function: &str,
    timeout_seconds: u64,
) -> Result<QueueSource, Problem> {
    let queue = properties["Queue"]["Fn::GetAtt"].as_str().and_then(|name| name.strip_suffix(".Arn"));
    let redrive = &document["Resources"][queue.unwrap_or_default()]["Properties"]["RedrivePolicy"];
    let number = |value: &Value, name| value.as_u64().ok_or_else(|| missing(name));
    Ok(QueueSource {
        function: function.to_owned(),
        batch_size: usize::try_from(number(&properties["BatchSize"], "BatchSize")?).unwrap_or(1),
        max_receive_count: number(&redrive["maxReceiveCount"], "a maxReceiveCount")?,
        timeout_seconds,
    })
}

fn schedule_source(properties: &Value, function: &str, timeout_seconds: u64) -> Result<ScheduleSource, Problem> {
    let rate = properties["ScheduleExpression"].as_str().and_then(|text| text.strip_prefix("rate(")?.strip_suffix(')'));
    let minutes = rate.and_then(|rate| rate.split_once(' ')).filter(|(_, unit)| unit.starts_with("minute"));
    let minutes: Option<u64> = minutes.and_then(|(number, _)| number.parse().ok());
    let period_seconds = minutes.ok_or_else(|| missing("a rate in minutes"))? * 60;
    Ok(ScheduleSource { function: function.to_owned(), period_seconds, timeout_seconds })
}

fn authorizer(document: &Value) -> Result<Authorizer, Problem> {
    let resolve = |value: &Value| resolve(document, value);
    let jwt = &of_type(document, "AWS::Serverless::HttpApi")?.1["Auth"]["Authorizers"]["Jwt"]["JwtConfiguration"];
    let audiences = jwt["audience"].as_array().ok_or_else(|| missing("an audience"))?;
    Ok(Authorizer { issuer: resolve(&jwt["issuer"]), audiences: audiences.iter().map(resolve).collect() })
}

/// The policy statements of a function's role.
fn statements(document: &Value, properties: &Value) -> Result<Value, Problem> {
    let role = properties["Role"]["Fn::GetAtt"].as_str().and_then(|name| name.strip_suffix(".Arn"));
    let role = &document["Resources"][role.ok_or_else(|| missing("a Role"))?]["Properties"];
    let statements = &role["Policies"][0]["PolicyDocument"]["Statement"];
    statements.is_array().then(|| statements.clone()).ok_or_else(|| missing("a role's policy"))
}

fn resources<'a>(document: &'a Value, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let all = document["Resources"].as_object().into_iter().flatten();
    all.filter(move |(_, resource)| resource["Type"] == kind)
}

fn of_type<'a>(document: &'a Value, kind: &'a str) -> Result<(&'a String, &'a Value), Problem> {
    let (name, resource) = resources(document, kind).next().ok_or_else(|| missing(kind))?;
    Ok((name, &resource["Properties"]))
}

fn text_of(value: &Value, name: &str) -> Result<String, Problem> {
    value.as_str().map(str::to_owned).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Problem {
    Problem::new("template.yaml lacks", name)
}

/// Local values of parameters without a default, and of resources.
const LOCAL_VALUES: [(&str, &str); 4] = [
    ("JwtIssuer", "https://issuer.local"),
    ("JwtAudience", "groups-api"),
    ("Table", "groups"),
    ("AWS::StackName", "local"),
];

/// Resolves a `!Ref` to a parameter's default or a local value, and an `!If` by those; other values stay.
fn resolve(document: &Value, value: &Value) -> String {
    if let Some([condition, then, otherwise]) = value["Fn::If"].as_array().map(Vec::as_slice) {
        return resolve(document, if holds(document, condition) { then } else { otherwise });
    }
    let Some(name) = value["Ref"].as_str() else {
        return plain(value);
    };
    match &document["Parameters"][name]["Default"] {
        Value::Null => {
            LOCAL_VALUES.iter().find(|(local, _)| *local == name).map_or(name, |(_, value)| value).to_owned()
        }
        default => plain(default),
    }
}

/// Whether a condition of the template holds, if it is an `!Equals`.
fn holds(document: &Value, condition: &Value) -> bool {
    let condition = &document["Conditions"][condition.as_str().unwrap_or_default()];
    let sides = condition["Fn::Equals"].as_array().map(Vec::as_slice);
    matches!(sides, Some([left, right]) if resolve(document, left) == resolve(document, right))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn to_json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => json!(value),
            Scalar::Integer(value) => json!(value),
            Scalar::FloatingPoint(value) => json!(value.into_inner()),
            Scalar::String(value) => json!(value),
        },
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(pairs) => pairs
            .iter()
            .filter_map(|(name, value)| Some((name.as_str()?.to_owned(), to_json(value))))
            .collect::<Map<_, _>>()
            .into(),
        Yaml::Tagged(tag, value) => {
            let name = match tag.suffix.as_str() {
                "Ref" => "Ref".to_owned(),
                function => format!("Fn::{function}"),
            };
            json!({ name: to_json(value) })
        }
        Yaml::Representation(text, _, _) => json!(text),
        Yaml::Alias(_) | Yaml::BadValue => Value::Null,
    }
}
