//! Terminates TLS in front of the table, as AWS does, with a certificate authority created for this run.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A TLS terminator.
pub(crate) struct Terminator {
    /// URL to connect to.
    pub(crate) url: String,
    /// File with the authority's certificate.
    pub(crate) ca_bundle: PathBuf,
}

impl Terminator {
    /// Starts one in front of the table at this URL.
    pub(crate) fn start(table: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = authority.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(authority, key);
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let ca_bundle = std::env::temp_dir().join(format!("groups-performance-{}.pem", std::process::id()));
        std::fs::write(&ca_bundle, root.pem()).expect("a file");

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate and its key");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let table = table.trim_start_matches("http://").to_owned();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, table) = (Arc::clone(&config), table.clone());
                thread::spawn(move || forward(stream, config, &table));
            }
        });
        Self { url: format!("https://localhost:{port}"), ca_bundle }
    }
}

/// Forwards requests and answers, one at a time: clients do not pipeline.
fn forward(stream: TcpStream, config: Arc<ServerConfig>, table: &str) -> Option<()> {
    let mut outside = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    let mut inside = TcpStream::connect(table).ok()?;
    loop {
        let request = message(&mut outside)?;
        inside.write_all(&request).ok()?;
        let answer = message(&mut inside)?;
        outside.write_all(&answer).ok()?;
        outside.flush().ok()?;
    }
}

/// Reads a whole request or answer. Returns `None` at the end of the connection.
fn message(stream: &mut impl Read) -> Option<Vec<u8>> {
    let (mut message, mut bytes) = (Vec::new(), [0; 1 << 16]);
    while !is_complete(&message) {
        let count = stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
        message.extend_from_slice(&bytes[..count]);
    }
    Some(message)
}

/// Reports whether the head has arrived, and a body of the length that the head declares.
fn is_complete(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().filter_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    message.len() >= head.len() + 4 + length.sum::<usize>()
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.ca_bundle);
    }
}
