//! `cargo local`: runs the whole API on this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use groups_local::activity::Activity;
use groups_local::authorizers::{Authorizers, accept_token};
use groups_local::bus::Bus;
use groups_local::demo::{self, Demo};
use groups_local::development_key::{DevelopmentKeys, long_lived_token};
use groups_local::functions::{APPLY_EVENTS, EXPIRE_MEMBERS, PROPAGATE, PUBLISH_EVENTS};
use groups_local::gateway::Gateway;
use groups_local::jwt::{TokenRequest, Verifier, sign};
use groups_local::local_endpoints::LocalEndpoints;
use groups_local::poller::{Poller, beside};
use groups_local::queue_poller::QueuePoller;
use groups_local::request_log::RequestLog;
use groups_local::scheduler::Scheduler;
use groups_local::template::{Template, root};
use groups_local::verify::{VerifyArguments, verify};
use groups_local::{Problem, data_file, openapi, table};
use shared::app::{
    App, ApplyEventsDeps, AuthorizeTokenDeps, ExpireMembersDeps, PublishEventsDeps, REQUEST_TIME_BUDGET,
};
use shared::authz::Role;
use shared::aws::Connection;
use shared::bus::{DeadLetters, EventBus};
use shared::config::{ApplyEventsConfig, Config, ConfigError, ExpireMembersConfig, PublishEventsConfig};
use shared::domain::Clock;
use shared::domain::clock::SystemClock;
use shared::store::{Store, client_for};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Seconds until the tokens printed at the start expire: a working day.
const START_TOKEN_SECONDS: i64 = 12 * 60 * 60;

/// Runs the Groups API on this machine: gateway, functions, table, tokens and demo data.
#[derive(Parser)]
#[command(name = "cargo local", bin_name = "cargo local", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a token for the local API.
    Token(TokenArguments),
    /// Prints the long-lived token with which an identity provider calls the local `/scim/v2`.
    ScimToken,
    /// Prints the API's OpenAPI document, the content of `openapi.yaml`.
    Openapi,
    /// Prints a script that completes the arguments of `groups-local` in a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Reads every row of a table and prints each invariant violation; exits with 1 when there is one.
    Verify(VerifyArguments),
}

#[derive(Args)]
struct ServeArguments {
    /// Port to listen on at 127.0.0.1; 0 for any free port.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// File for the embedded table; without it, the table is deleted at the end.
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint_url")]
    data: Option<PathBuf>,
    /// Endpoint of a DynamoDB to use instead of the embedded table, such as DynamoDB Local.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// The data that a new table begins with.
    #[arg(long, value_enum, default_value_t = Demo::Small)]
    demo: Demo,
    /// The log: a short line for each request, or the JSON lines of the functions.
    #[arg(long, value_enum, default_value_t = LogFormat::Short)]
    log: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Short,
    Json,
}

#[derive(Args)]
struct TokenArguments {
    /// A role of the caller; can be repeated.
    #[arg(long = "role", value_name = "ROLE", value_parser = role)]
    roles: Vec<String>,
    /// The caller's name.
    #[arg(long, default_value = "developer")]
    sub: String,
    /// Seconds until the token expires; can be negative.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, allow_negative_numbers = true)]
    expires_in: i64,
    /// Generates a new key first, for this and all later tokens. Tokens of the key before it still verify. A running server
    /// uses the new key after a restart.
    #[arg(long)]
    rotate: bool,
}

/// The template, the configuration and the keys that commands read from the workspace.
struct Workspace {
    template: Template,
    config: Config,
    apply_events: ApplyEventsConfig,
    expire_members: ExpireMembersConfig,
    publish_events: PublishEventsConfig,
    keys: DevelopmentKeys,
    token: AuthorizeTokenDeps,
}

impl Workspace {
    #[expect(clippy::disallowed_methods, reason = "the developer's environment overrides the template's")]
    fn open(keys: fn(&Path) -> Result<DevelopmentKeys, Problem>) -> Result<Self, Problem> {
        let here = here()?;
        let root = root(&here)?;
        let template = Template::find(root)?;
        let variable = |name: &str| std::env::var(name).ok().or_else(|| template.environment.get(name).cloned());
        let problem = |error: ConfigError| Problem(error.to_string());
        let config = Config::from_variables(variable).map_err(problem)?;
        let apply_events = ApplyEventsConfig::from_variables(variable).map_err(problem)?;
        let expire_members = ExpireMembersConfig::from_variables(variable).map_err(problem)?;
        let publish_events = PublishEventsConfig::from_variables(variable).map_err(problem)?;
        let token = accept_token(&long_lived_token(root)?, variable).map_err(problem)?;
        Ok(Self { keys: keys(root)?, token, template, config, apply_events, expire_members, publish_events })
    }

    fn token(&self, sub: &str, roles: &[String], expires_in: i64) -> Result<String, Problem> {
        let issued_at = SystemClock.now().unix_seconds();
        let (roles_claim, actor_claim) = (&self.config.roles_claim, &self.config.actor_claim);
        let token = TokenRequest { sub, actor_claim, roles, roles_claim, issued_at, expires_in };
        sign(&self.keys.current, &self.template.authorizer, &token)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Some(Command::Token(token)) => print_token(&token).map(|()| true),
        Some(Command::ScimToken) => print_scim_token().map(|()| true),
        Some(Command::Openapi) => print_document().map(|()| true),
        Some(Command::Completion { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "groups-local", &mut std::io::stdout());
            Ok(true)
        }
        Some(Command::Verify(arguments)) => print_violations(&arguments),
        None => run(serve(&arguments.serve)).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn print_token(arguments: &TokenArguments) -> Result<(), Problem> {
    let TokenArguments { roles, sub, expires_in, rotate } = arguments;
    let keys = if *rotate { DevelopmentKeys::rotate } else { DevelopmentKeys::load };
    print(&Workspace::open(keys)?.token(sub, roles, *expires_in)?)
}

fn print_scim_token() -> Result<(), Problem> {
    print(&long_lived_token(root(&here()?)?)?)
}

fn print_document() -> Result<(), Problem> {
    print(openapi::text(&Template::find(&here()?)?)?.trim_end())
}

/// The developer's current folder.
fn here() -> Result<PathBuf, Problem> {
    std::env::current_dir().map_err(|error| Problem::new("cannot read the current folder", error))
}

/// Writes to standard output, which its reader may have closed.
fn print(text: &str) -> Result<(), Problem> {
    writeln!(std::io::stdout(), "{text}").map_err(|error| Problem::new("cannot write to standard output", error))
}

/// Parses a role that the roles claim can carry.
fn role(text: &str) -> Result<String, String> {
    Role::parse(text).map(|_| text.to_owned()).ok_or_else(|| "a role holds no spaces and no brackets".to_owned())
}

/// Prints the table's invariant violations and returns whether there are none.
fn print_violations(arguments: &VerifyArguments) -> Result<bool, Problem> {
    let violations = run(verify(arguments))?;
    for violation in &violations {
        print(&violation.to_string())?;
    }
    print(&format!("{} found", violations.len()))?;
    Ok(violations.is_empty())
}

fn run<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Problem::new("cannot start", error))?;
    runtime.block_on(work)
}

async fn serve(arguments: &ServeArguments) -> Result<(), Problem> {
    start_log(arguments.log);
    let workspace = Workspace::open(DevelopmentKeys::load)?;
    let Workspace { template, config, keys, .. } = &workspace;
    let port = arguments.port;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Problem(format!("port {port} is in use; choose another with --port")),
        _ => Problem::new(format!("cannot listen on port {port}"), error),
    })?;
    let _held = arguments.data.as_deref().map(data_file::hold).transpose()?;
    let (endpoint, store, is_seeded) = open_store(arguments, template, config).await?;
    let jwt = Verifier::new(keys.all(), &template.authorizer)?;
    let authorizers = Authorizers { jwt, token: workspace.token.clone() };
    let app = App::new(config.clone(), store, Arc::new(SystemClock));
    let address = listener.local_addr().map_err(|error| Problem::new("cannot read the address", error))?;
    let local = start_pollers(arguments, &workspace, &app, &endpoint, &format!("http://{address}")).await?;
    let progress = if is_seeded { local.progress.clone() } else { Vec::new() };
    let log = if arguments.log == LogFormat::Short { RequestLog::short() } else { RequestLog::Off };
    let gateway = Gateway::new(template, authorizers, app, local)?.logging(log);
    // Before the greeting: a script that has read it may send the signal at once.
    let stop = shutdown_signal()?;
    let greeting = async {
        // The records of the demo data are no news.
        for mut progress in progress {
            progress.caught_up().await;
        }
        if arguments.log == LogFormat::Json {
            shared::telemetry::write_lines_to(|| Box::new(std::io::stderr()), None);
        }
        greet(&workspace, &format!("http://{address}"))
    };
    // Events of the demo data are published through the gateway.
    futures::future::try_join(gateway.serve(listener, stop), greeting).await.map(|_| ())
}

/// Writes what goes wrong to standard error.
fn start_log(format: LogFormat) {
    // The emulator warns of every condition that fails, and most of them are expected to.
    let filter = Targets::new().with_default(LevelFilter::INFO).with_target("dynoxide", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let log = match format {
        LogFormat::Short => lines.without_time().boxed(),
        LogFormat::Json => lines.boxed(),
    };
    tracing_subscriber::registry().with(log).with(filter).init();
}

/// Starts the pollers of the stream and the queue, and the schedule, and returns the endpoints below `/_local/`.
async fn start_pollers(
    arguments: &ServeArguments,
    workspace: &Workspace,
    app: &App,
    endpoint: &str,
    address: &str,
) -> Result<LocalEndpoints, Problem> {
    let Workspace { template, config, apply_events, expire_members, publish_events, .. } = workspace;
    let file = |ending| arguments.data.as_deref().map(|data| beside(data, ending));
    let bus = Bus::open(file(".events").as_deref())?;
    let connection = Connection::to(&format!("{address}/_local/aws"));
    let dead_letters = |url: &str| DeadLetters::connected(&connection, url, REQUEST_TIME_BUDGET);
    let apply_deps = ApplyEventsDeps {
        app: app.clone(),
        dead_letters: dead_letters(&apply_events.dead_letter_queue_url),
        request_time_budget: apply_events.request_time_budget,
        privileged_sources: apply_events.privileged_sources.as_slice().into(),
    };
    let publish_deps = PublishEventsDeps {
        app: app.clone(),
        bus: EventBus::connected(&connection, &publish_events.event_bus_name, REQUEST_TIME_BUDGET),
        dead_letters: dead_letters(&publish_events.dead_letter_queue_url),
    };
    let table = (endpoint, config.table_name.as_str());
    let propagate = template.stream_of(PROPAGATE.name)?;
    let propagate = Poller::new(table, propagate, PROPAGATE, app.clone(), file(".stream")).await?;
    let publish = template.stream_of(PUBLISH_EVENTS.name)?;
    let publish = Poller::new(table, publish, PUBLISH_EVENTS, publish_deps, file(".published")).await?;
    let progress = vec![propagate.progress(), publish.progress()];
    let activity = Activity::default();
    tokio::spawn(propagate.run(activity.clone()));
    tokio::spawn(publish.run(activity.clone()));
    tokio::spawn(QueuePoller::new(&bus, &template.queue, APPLY_EVENTS, apply_deps).run(activity.clone()));
    let expire_deps = ExpireMembersDeps { app: app.clone(), notice: expire_members.notice };
    tokio::spawn(Scheduler::new(template.schedule.clone(), EXPIRE_MEMBERS, expire_deps).run(activity.clone()));
    Ok(LocalEndpoints { store: app.store.clone(), bus, progress, activity, table: endpoint.to_owned() })
}

/// Returns a future that resolves at Ctrl-C or SIGTERM. Signals are caught from the moment this returns.
fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
    let listen = |kind| signal(kind).map_err(|error| Problem::new("cannot listen for signals", error));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

async fn open_store(
    arguments: &ServeArguments,
    template: &Template,
    config: &Config,
) -> Result<(String, Store, bool), Problem> {
    let endpoint = match &arguments.endpoint_url {
        Some(url) => table::check_url(url)?.to_owned(),
        None => table::start_embedded(arguments.data.as_deref()).await?,
    };
    let (client, name) = (client_for(&endpoint, |builder| builder), &config.table_name);
    let properties = match arguments.demo {
        // Its records alone would take a minute.
        Demo::Large => table::without_stream(&template.table),
        Demo::None | Demo::Small => template.table.clone(),
    };
    let created = table::create(&client, name, &properties).await;
    let created = created.map_err(|problem| in_file(problem, arguments.data.as_deref()))?;
    let store = Store::new(client.clone(), name, REQUEST_TIME_BUDGET);
    if created {
        if arguments.demo == Demo::Large {
            tracing::info!("writing the large demo data, which takes about a minute");
        }
        demo::fill(&store, &config.policy, arguments.demo).await?;
    }
    // It is missing after large data, also when the server was killed while it wrote them.
    table::enable_stream(&client, name, &template.table).await?;
    Ok((endpoint, store, created))
}

fn in_file(problem: Problem, file: Option<&Path>) -> Problem {
    match file {
        Some(path) => Problem::new(format!("cannot use the data file {}", path.display()), problem),
        None => problem,
    }
}

fn greet(workspace: &Workspace, address: &str) -> Result<(), Problem> {
    let admin_role = workspace.config.policy.admin_role.as_str().to_owned();
    let administrator = workspace.token("administrator", &[admin_role], START_TOKEN_SECONDS)?;
    let reader = workspace.token("reader", &[], START_TOKEN_SECONDS)?;
    print(&format!(
        "export API={address}/api/v1/groups\n\
         export ADMIN={administrator}\n\
         export READER={reader}\n\
         curl -H \"Authorization: Bearer $READER\" \"$API?limit=5\"\n\
         Documentation: {address}/docs"
    ))
}
