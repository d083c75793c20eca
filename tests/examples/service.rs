//! A running example.

use std::{
    env,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{LONG, gateway::Gateway};

/// The examples that are servers.
pub(crate) const SERVERS: [&str; 4] = ["oxhttp", "tiny_http", "rouille", "axum"];

/// All examples. A [`Gateway`] runs the last one.
pub(crate) const ALL: [&str; 5] = ["oxhttp", "tiny_http", "rouille", "axum", "cgi"];

/// The standard output and standard error of an example.
pub(crate) type Output = Arc<Mutex<Vec<u8>>>;

/// Runs until it is dropped.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    output: Output,
    running: Running,
}

enum Running {
    Server(Child, Vec<JoinHandle<()>>),
    Cgi(Gateway),
}

impl Service {
    /// Starts an example with only this environment, and waits until it listens.
    pub(crate) fn start(name: &'static str, environment: &[(&str, &str)]) -> Self {
        let output = Output::default();
        if name == "cgi" {
            let gateway = Gateway::start(program(name), environment, Arc::clone(&output));
            return Self { name, address: gateway.address, output, running: Running::Cgi(gateway) };
        }
        Self::started(Self::launch(program(name), name, &["127.0.0.1:0"], environment, output))
    }

    /// Starts an example with at most `number` file descriptors.
    pub(crate) fn start_with_descriptors(name: &'static str, number: u32, environment: &[(&str, &str)]) -> Self {
        let (program, number) = (program(name), number.to_string());
        let script = r#"ulimit -n "$1"; exec "$2" 127.0.0.1:0"#;
        let arguments = ["-c", script, "sh", &*number, program.to_str().unwrap()];
        Self::started(Self::launch("/bin/sh".into(), name, &arguments, environment, Output::default()))
    }

    /// Waits until the example listens.
    fn started((mut this, lines): (Self, Receiver<String>)) -> Self {
        let name = this.name;
        let first = lines.recv_timeout(LONG).unwrap_or_else(|_| panic!("{name}: {}", this.output()));
        let address = first.strip_prefix("listening on http://").and_then(|line| line.strip_suffix('\n'));
        this.address = address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{name}: {first}"));
        assert_ne!(this.address.port(), 0, "{name}");
        this
    }

    /// Starts an example that must end with an error and without a line on its standard output. Returns its standard
    /// error.
    pub(crate) fn refuses_to_start(name: &'static str, environment: &[(&str, &str)]) -> String {
        Self::refuses_to_start_at(([127, 0, 0, 1], 0).into(), name, environment)
    }

    pub(crate) fn refuses_to_start_at(address: SocketAddr, name: &'static str, environment: &[(&str, &str)]) -> String {
        let address = address.to_string();
        let (mut this, lines) = Self::launch(program(name), name, &[&address], environment, Output::default());
        assert_eq!(lines.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected), "{name}");
        let Running::Server(child, threads) = &mut this.running else { unreachable!() };
        assert!(!child.wait().unwrap().success(), "{name}");
        threads.drain(..).for_each(|thread| thread.join().unwrap());
        this.output()
    }

    /// Starts a server, and returns a receiver for the lines of its standard output.
    fn launch(
        program: PathBuf,
        name: &'static str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        output: Output,
    ) -> (Self, Receiver<String>) {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let threads = vec![
            collect(stdout, Arc::clone(&output), move |line| drop(sender.send(line.to_owned()))),
            collect(stderr, Arc::clone(&output), |_| ()),
        ];
        let (address, running) = (SocketAddr::from(([127, 0, 0, 1], 0)), Running::Server(child, threads));
        (Self { name, address, output, running }, lines)
    }

    /// The prefix of all paths.
    pub(crate) fn prefix(&self) -> &'static str {
        if matches!(self.running, Running::Cgi(_)) { Gateway::SCRIPT_NAME } else { "" }
    }

    /// The output so far.
    pub(crate) fn output(&self) -> String {
        text(&self.output)
    }

    /// Ends the service, and returns its whole output. Before the end, a part of it may still be in the pipe.
    pub(crate) fn whole_output(self) -> String {
        let output = Arc::clone(&self.output);
        drop(self);
        text(&output)
    }

    /// Sends a signal to a server.
    pub(crate) fn signal(&self, signal: &str) {
        let Running::Server(child, _) = &self.running else { panic!("{} is not a server", self.name) };
        assert!(
            Command::new("kill").args([&*format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
    }

    /// The exit code of a server that ends by itself. `None` if a signal ended it.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let Running::Server(child, _) = &mut self.running else { panic!("{} is not a server", self.name) };
        let latest = Instant::now() + LONG;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < latest, "{} still runs", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it still runs. A CGI program ends after each request, but its gateway stays.
    pub(crate) fn lives(&mut self) -> bool {
        match &mut self.running {
            Running::Server(child, _) => child.try_wait().unwrap().is_none(),
            Running::Cgi(gateway) => gateway.lives(),
        }
    }

    /// Writes bytes to a new connection, and reads until the server closes it.
    pub(crate) fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // The server may stop reading before the end, and reset the connection.
        let _ = stream.write_all(request);
        let mut response = vec![];
        match stream.read_to_end(&mut response) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{}: {error}", self.name),
            _ => response,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Running::Server(child, threads) = &mut self.running {
            // The process has ended, or ends now.
            let _ = child.kill();
            let _ = child.wait();
            for thread in threads.drain(..) {
                let _ = thread.join();
            }
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.lock().unwrap()).into_owned()
}

/// The file of the example. Cargo puts it next to this test.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let program = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} does not exist; build it: cargo build --all-features --examples", program.display());
    program
}

/// Stores the output, and calls a function with each line.
fn collect(
    from: impl Read + Send + 'static,
    output: Output,
    on_line: impl Fn(&str) + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = vec![];
        while from.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            output.lock().unwrap().extend_from_slice(&line);
            on_line(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
