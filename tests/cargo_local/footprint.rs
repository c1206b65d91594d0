//! The server leaves the machine to others.

use std::fs::read_to_string;
use std::future::pending;
use std::time::Duration;

use tokio::time::timeout;

use super::Server;

/// Mapped, all of the file would count as the server's memory: 189 MB with the large demo data instead of 79.
#[tokio::test(flavor = "multi_thread")]
async fn table_is_not_mapped_into_memory() {
    let server = Server::start(&[]);
    server.wait_until_idle().await;
    let maps = read_to_string(format!("/proc/{}/maps", server.child.id())).unwrap();
    let mapped: Vec<&str> = maps.lines().filter(|line| line.ends_with("table.db")).collect();
    assert_eq!(mapped, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_server_takes_less_than_a_hundredth_of_a_core() {
    let server = Server::start(&[]);
    server.wait_until_idle().await;
    // Ticks of ten milliseconds in user and kernel mode (proc_pid_stat(5)).
    let ticks = || {
        let stat = read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let seconds = async |seconds| timeout(Duration::from_secs(seconds), pending::<()>()).await.unwrap_err();
    // The pollers come to rest.
    seconds(5).await;
    let before = ticks();
    seconds(10).await;
    let used = ticks() - before;
    assert!(used <= 10, "{used} ticks in ten seconds");
}
