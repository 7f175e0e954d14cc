//! Caches of others, as processes of their own.

use std::{
    fs::{self, Permissions},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::net::TcpStream;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Program {
    Nginx,
    Apache,
    Varnish,
    Squid,
    TrafficServer,
}

impl Program {
    fn path(self) -> &'static Path {
        Path::new(match self {
            Self::Nginx => "/usr/sbin/nginx",
            Self::Apache => "/usr/sbin/apache2",
            Self::Varnish => "/usr/sbin/varnishd",
            Self::Squid => "/usr/sbin/squid",
            Self::TrafficServer => "/usr/bin/traffic_server",
        })
    }

    /// The command that serves at `port` what the origin says at another, and has its files in `dir`.
    fn command(self, dir: &Path, port: u16, origin: u16) -> Command {
        let shown = dir.display();
        let mut command = Command::new(self.path());
        match self {
            Self::Nginx => {
                let config = dir.join("nginx.conf");
                fs::write(&config, nginx(dir, port, origin)).unwrap();
                command.arg("-c").arg(config).arg("-e").arg(dir.join("error.log"));
            }
            Self::Apache => {
                let config = dir.join("apache.conf");
                fs::write(&config, apache(dir, port, origin)).unwrap();
                command.arg("-X").arg("-f").arg(config);
            }
            Self::Varnish => {
                command.args(["-F", "-p", "default_grace=0", "-s", "malloc,16m"]);
                let rules = dir.join("rules.vcl");
                fs::write(&rules, varnish(origin)).unwrap();
                command.args(["-a", &format!("127.0.0.1:{port}")]).arg("-f").arg(rules);
                command.args(["-n", &format!("{shown}/varnish")]);
            }
            Self::Squid => {
                let config = dir.join("squid.conf");
                fs::write(&config, squid(dir, port, origin)).unwrap();
                // A name of its own: what it has in shared memory is called by it.
                command.args(["-N", "-n", &format!("larder{port}")]).arg("-f").arg(config);
            }
            Self::TrafficServer => {
                let root = dir.join("runroot.yaml");
                fs::write(&root, traffic_server(dir, port, origin)).unwrap();
                command.arg(format!("--run-root={}", root.display()));
            }
        }
        command
    }
}

fn nginx(dir: &Path, port: u16, origin: u16) -> String {
    let dir = dir.display();
    format!(
        "daemon off; master_process off; user root; pid {dir}/pid; error_log {dir}/error.log; events {{}}
        http {{
            access_log off;
            proxy_cache_path {dir}/cache keys_zone=pages:1m;
            client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
            uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
            server {{
                listen 127.0.0.1:{port};
                location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_set_header Host $host; proxy_cache pages; }}
            }}
        }}"
    )
}

fn apache(dir: &Path, port: u16, origin: u16) -> String {
    let dir = dir.display();
    let modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "cache", "cache_disk"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
    format!(
        "{}ServerName localhost\nUser www-data\nGroup www-data\nListen 127.0.0.1:{port}\nPidFile {dir}/pid\n\
        DefaultRuntimeDir {dir}\nErrorLog {dir}/error.log\nCacheRoot {dir}/cache\nCacheEnable disk /\n\
        ProxyPass / http://127.0.0.1:{origin}/\nProxyPreserveHost on\nProxyAddHeaders off\n",
        modules.concat()
    )
}

/// The rules that `docs/caches-in-front.md` shows.
fn varnish(origin: u16) -> String {
    format!(
        "vcl 4.0;
        backend default {{ .host = \"127.0.0.1\"; .port = \"{origin}\"; }}
        acl services {{ \"127.0.0.1\"; }}
        sub vcl_recv {{
            if (req.method == \"PURGE\") {{
                if (client.ip !~ services) {{ return (synth(405)); }}
                return (purge);
            }}
        }}"
    )
}

fn squid(dir: &Path, port: u16, origin: u16) -> String {
    let dir = dir.display();
    format!(
        "http_port 127.0.0.1:{port} accel vhost
        cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest originserver name=origin
        never_direct allow all
        acl purge method PURGE
        http_access allow purge localhost
        http_access deny purge
        http_access allow all
        cache_effective_user proxy
        pid_filename {dir}/cache/pid
        cache_log {dir}/cache/error.log
        coredump_dir {dir}/cache
        access_log none
        netdb_filename none
        pinger_enable off
        memory_cache_shared off
        visible_hostname localhost
        shutdown_lifetime 0 seconds
        "
    )
}

/// Writes its files, and returns the one that says where they are.
fn traffic_server(dir: &Path, port: u16, origin: u16) -> String {
    let config = dir.join("etc");
    for folder in [&config, &dir.join("log"), &dir.join("run")] {
        fs::create_dir(folder).unwrap();
    }
    let dir = dir.display();
    let records = format!(
        "CONFIG proxy.config.http.server_ports STRING {port}:ip-in=127.0.0.1
CONFIG proxy.config.url_remap.pristine_host_hdr INT 1
CONFIG proxy.config.admin.user_id STRING #-1
"
    );
    let map = format!("map / http://127.0.0.1:{origin}/\n");
    let allowed = "ip_allow: [{apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}]\n";
    let storage = format!("{dir}/cache 16M\n");
    for (name, text) in [
        ("records.config", &*records),
        ("remap.config", &map),
        ("storage.config", &storage),
        ("ip_allow.yaml", allowed),
    ] {
        fs::write(config.join(name), text).unwrap();
    }
    format!(
        "prefix: {dir}\nbindir: /usr/bin\nlibdir: /usr/lib/trafficserver\nplugindir: /usr/lib/trafficserver/modules
sysconfdir: {dir}/etc\nlogdir: {dir}/log\nruntimedir: {dir}/run\nlocalstatedir: {dir}/run\ncachedir: {dir}/cache
datadir: {dir}/cache\n"
    )
}

/// Runs until it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    process: Child,
    _dir: TempDir,
}

impl Running {
    /// None if it is not installed.
    pub(crate) async fn start(program: Program, origin: u16) -> Option<Self> {
        if !program.path().exists() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("cache")).unwrap();
        for (path, mode) in [(dir.path().to_owned(), 0o755), (dir.path().join("cache"), 0o777)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(dir.path().join("output")).unwrap();
        let mut command = program.command(dir.path(), port, origin);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut running = Self { address, process, _dir: dir };
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            let ended = running.process.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > Duration::from_secs(30) {
                let log = |name| fs::read_to_string(running._dir.path().join(name)).unwrap_or_default();
                panic!("{program:?} does not start ({ended:?}): {} {}", log("output"), log("error.log"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What it started ends with it: Varnish ends its child only when it is asked to.
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        let begun = Instant::now();
        while asked.is_ok() && begun.elapsed() < Duration::from_secs(5) {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
