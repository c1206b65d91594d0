//! Random histories: at rest the table matches a naive oracle, despite reordered records and faults of the table.

use std::cell::Cell;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::world::{NAMES, Operation, World};
use crate::harness::faults::Faults;
use crate::harness::variable;

const GROUPS: usize = 5;
const ACCOUNTS: usize = 3;

/// Draws histories of fewer than `longest` operations.
fn operations(longest: usize) -> impl Strategy<Value = Vec<Operation>> {
    let (group, account) = (0..GROUPS, 0..ACCOUNTS);
    let member = (group.clone(), account.clone());
    let pair = (group.clone(), group.clone());
    let operation = prop_oneof![
        5 => member.clone().prop_map(|(group, account)| Operation::Add(group, account)),
        3 => member.clone().prop_map(|(group, account)| Operation::Remove(group, account)),
        3 => (member.clone(), 0_u8..30).prop_map(|((group, account), s)| Operation::AddUntil(group, account, s)),
        2 => (member.clone(), 0_u8..20, 0_u8..20).prop_map(|((group, account), after, seconds)| {
            Operation::Schedule(group, account, after, seconds)
        }),
        2 => (1_u8..15).prop_map(Operation::Wait),
        1 => Just(Operation::Sweep),
        3 => (member, any::<bool>()).prop_map(|((group, account), adds)| Operation::Request(group, account, adds)),
        2 => any::<u64>().prop_map(Operation::RepeatRequest),
        6 => pair.clone().prop_map(|(parent, child)| Operation::Nest(parent, child)),
        4 => pair.prop_map(|(parent, child)| Operation::Unnest(parent, child)),
        1 => group.clone().prop_map(Operation::ReplaceGroup),
        2 => (group, 0..NAMES.len()).prop_map(|(group, name)| Operation::RenameGroup(group, name)),
        1 => account.clone().prop_map(Operation::RenameAccount),
        1 => account.prop_map(Operation::DeleteAccount),
        4 => any::<u64>().prop_map(Operation::Deliver),
    ];
    proptest::collection::vec(operation, 1..longest)
}

/// Runs a history to its end. Asserts that the table is sound and matches the oracle.
async fn run(operations: &[Operation], inline: bool, faults: &Faults) {
    let mut world = World::new(GROUPS, ACCOUNTS, inline, faults).await;
    for operation in operations {
        world.apply(*operation).await;
    }
    faults.stop();
    world.assert_reads_go_by_the_clock().await;
    world.rest().await;
    world.assert_as_expected().await;
}

/// Runs a history in its own runtime. Returns its panic as an error, which proptest needs to shrink it.
fn check(history: impl Future<Output = ()>) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(AssertUnwindSafe(history).catch_unwind());
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        TestCaseError::fail(text.unwrap_or_else(|| "the history panicked".into()))
    })
}

/// Runs `count` histories, or `GROUPS_TEST_HISTORIES`. Shrinks and prints one that fails.
fn histories(count: u32, inline: bool) {
    let cases = variable("GROUPS_TEST_HISTORIES").map_or(count, |cases| u32::try_from(cases).unwrap());
    let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&operations(40), |operations| check(run(&operations, inline, &Faults::default())));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn stream_alone_makes_members_match_the_oracle() {
    histories(24, false);
}

#[test]
fn settling_writes_make_members_match_the_oracle() {
    histories(24, true);
}

/// Runs histories by their seeds: `count` of them, or `GROUPS_TEST_HISTORIES`, or only that of `GROUPS_TEST_SEED`.
fn seeded<F: Future<Output = ()>>(count: u64, history: impl Fn(u64) -> F) {
    let seeds = match variable("GROUPS_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = fastrand::u64(..u64::MAX / 2);
            first..first + variable("GROUPS_TEST_HISTORIES").unwrap_or(count)
        }
    };
    for seed in seeds {
        let outcome = check(history(seed));
        assert!(outcome.is_ok(), "GROUPS_TEST_SEED={seed} runs it again: {}", outcome.unwrap_err());
    }
}

#[test]
fn faults_of_the_table_do_not_change_the_result() {
    seeded(16, faulty);
}

/// The seed determines the operations of each client, not their interleaving.
#[test]
fn concurrent_clients_leave_the_table_sound() {
    seeded(16, concurrent);
}

/// Runs the operations of a seed under its faults.
async fn faulty(seed: u64) {
    let faults = Faults::default();
    faults.at_random(8, seed);
    run(&drawn(seed, 40), seed.is_multiple_of(2), &faults).await;
}

/// Returns the operations of a seed.
fn drawn(seed: u64, longest: usize) -> Vec<Operation> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &seed_bytes(seed)),
    );
    operations(longest).new_tree(&mut runner).unwrap().current()
}

fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes
}

/// Runs three clients, each with its own operations, while records are delivered and faults happen.
async fn concurrent(seed: u64) {
    let faults = Faults::default();
    let mut world = World::new(GROUPS, ACCOUNTS, false, &faults).await;
    faults.at_random(8, seed);
    let actor = world.actor();
    let client = |number: u64| {
        let operations = drawn(seed.wrapping_mul(3).wrapping_add(number), 15);
        let actor = &actor;
        async move {
            for operation in operations {
                actor.act(operation).await;
            }
        }
    };
    let done = Cell::new(false);
    let clients = async {
        futures::future::join_all([0, 1, 2].map(client)).await;
        done.set(true);
    };
    let mut random = fastrand::Rng::with_seed(seed);
    let stream = async {
        while !done.get() {
            world.apply(Operation::Deliver(random.u64(..))).await;
        }
    };
    futures::future::join(clients, stream).await;
    faults.stop();
    world.rest().await;
}
