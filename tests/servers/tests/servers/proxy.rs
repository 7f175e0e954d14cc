//! Every fault of the proxy, seen from both ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use larder_servers::{DEADLINE, Direction, Fault, Proxy, RedisServer, until};

use crate::{SILENCE, connect, send};

/// A proxy with one connection through it, and both ends of that in hand.
struct Line {
    proxy: Proxy,
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

impl Line {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap());
        let client = dial(&proxy);
        let server = accept(&listener);
        let mut line = Self { proxy, listener, client, server };
        line.passes();
        line
    }

    fn passes(&mut self) {
        exchange(&mut self.client, &mut self.server, b"request");
        exchange(&mut self.server, &mut self.client, b"reply");
    }

    fn reopen(&mut self) {
        self.client = dial(&self.proxy);
        self.server = accept(&self.listener);
        self.passes();
    }
}

fn dial(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn exchange(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).unwrap();
    let mut read = vec![0; bytes.len()];
    to.read_exact(&mut read).unwrap();
    assert_eq!(read, bytes);
}

fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let read = stream.read(&mut [0; 16]);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// Ended, in either way, with nothing left to read.
fn is_over(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(bytes) => bytes == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    }
}

#[test]
fn redis_through_a_proxy() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let mut client = connect(&proxy.url());
    let large = "x".repeat(20 << 20);
    redis::cmd("SET").arg("key").arg(&large).exec(&mut client).unwrap();
    assert_eq!(send::<String>(&mut client, "GET key").unwrap(), large);
    assert_eq!(proxy.connections(), 1);

    // The command is executed, its reply is lost.
    proxy.set(Direction::ToClient, Fault::CutAfter(0));
    assert!(send::<usize>(&mut client, "INCR counter").is_err());
    proxy.heal();
    let mut client = connect(&proxy.url());
    assert_eq!(send::<usize>(&mut client, "GET counter").unwrap(), 1);

    proxy.blackhole();
    client.set_read_timeout(Some(SILENCE)).unwrap();
    assert!(send::<usize>(&mut client, "INCR counter").unwrap_err().is_timeout());
    proxy.heal();
    assert_eq!(send::<usize>(&mut connect(&proxy.url()), "GET counter").unwrap(), 1);

    server.kill();
    assert!(redis::Client::open(proxy.url()).unwrap().get_connection().is_err());
    until("the proxy has let go", || (proxy.connections() == 0).then_some(()));
}

#[test]
fn ends_are_passed_on() {
    let mut line = Line::open();
    line.client.shutdown(Shutdown::Write).unwrap();
    assert!(is_over(&mut line.server));
    exchange(&mut line.server, &mut line.client, b"a reply to a client that has finished");
    drop(line.server);
    assert!(is_over(&mut line.client));
    until("the link is over", || (line.proxy.connections() == 0).then_some(()));
}

#[test]
fn delays_one_way() {
    let mut line = Line::open();
    let delay = Duration::from_millis(200);
    line.proxy.set(Direction::ToClient, Fault::Delay(delay));
    let begun = Instant::now();
    for _ in 0..5 {
        exchange(&mut line.client, &mut line.server, b"request");
        line.server.write_all(b"reply").unwrap();
    }
    let mut replies = [0; 25];
    line.client.read_exact(&mut replies).unwrap();
    assert_eq!(&replies, b"replyreplyreplyreplyreply");
    // They are late, and one delay late in all: the sum of five is far away even on a busy machine.
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    line.proxy.heal();
    line.passes();
}

#[test]
fn holds_until_healed() {
    for (way, other) in both() {
        let mut line = Line::open();
        line.proxy.set(way, Fault::Hold);
        let before = line.proxy.received(way);
        let (from, to) = ends(&mut line.client, &mut line.server, way);
        from.write_all(b"held").unwrap();
        assert!(is_silent(to));
        exchange(to, from, b"the other way passes");
        assert_eq!(line.proxy.received(way), before + 4);
        assert_eq!(line.proxy.delivered(way), before);
        // Its count may be read before the proxy has written it down.
        until("the count is right", || {
            (line.proxy.delivered(other) == line.proxy.received(other)).then_some(())
        });
        from.shutdown(Shutdown::Write).unwrap();
        line.proxy.heal();
        let mut held = Vec::new();
        to.read_to_end(&mut held).unwrap();
        assert_eq!(held, b"held");
    }
}

#[test]
fn swallows_one_way() {
    for (way, _) in both() {
        let mut line = Line::open();
        line.proxy.set(way, Fault::Swallow);
        let (from, to) = ends(&mut line.client, &mut line.server, way);
        from.write_all(b"lost").unwrap();
        assert!(is_silent(to));
        exchange(to, from, b"the other way passes");
        line.proxy.heal();
        assert_eq!(line.proxy.connections(), 0);
        assert!(is_over(&mut line.client));
        assert!(is_over(&mut line.server));
        line.reopen();
    }
}

#[test]
fn a_connection_that_lost_nothing_survives_swallowing() {
    let mut line = Line::open();
    line.proxy.blackhole();
    line.proxy.heal();
    line.passes();
}

#[test]
fn blackholes_accept_and_say_nothing() {
    let mut line = Line::open();
    line.proxy.blackhole();
    // The end of a connection does not get through either.
    drop(std::mem::replace(&mut line.client, dial(&line.proxy)));
    assert!(is_silent(&mut line.server));
    line.client.write_all(b"lost").unwrap();
    assert!(is_silent(&mut line.client));
    line.listener.set_nonblocking(true).unwrap();
    assert_eq!(line.listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    line.listener.set_nonblocking(false).unwrap();
    line.proxy.heal();
    assert!(is_over(&mut line.client));
    assert!(is_over(&mut line.server));
    line.reopen();
}

#[test]
fn cuts_everything_at_once() {
    let mut line = Line::open();
    let mut second = dial(&line.proxy);
    let mut accepted = accept(&line.listener);
    exchange(&mut second, &mut accepted, b"the proxy has both ends");
    line.proxy.cut();
    assert_eq!(line.proxy.connections(), 0);
    for stream in [&mut line.client, &mut line.server, &mut second, &mut accepted] {
        assert_eq!(stream.read(&mut [0; 16]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    line.reopen();
}

#[test]
fn cuts_after_so_many_bytes() {
    for (way, _) in both() {
        let mut line = Line::open();
        line.proxy.set(way, Fault::CutAfter(10));
        let (from, to) = ends(&mut line.client, &mut line.server, way);
        exchange(from, to, b"0123456789");
        exchange(to, from, b"still there");
        line.proxy.set(way, Fault::CutAfter(3));
        from.write_all(b"abcdef").unwrap();
        let mut left = [0; 3];
        to.read_exact(&mut left).unwrap();
        assert_eq!(&left, b"abc");
        assert!(is_over(to));
        assert!(is_over(from));
        line.proxy.heal();
        line.reopen();
    }
}

#[test]
fn half_closes_one_way() {
    for (way, _) in both() {
        let mut line = Line::open();
        line.proxy.half_close(way);
        let (from, to) = ends(&mut line.client, &mut line.server, way);
        assert_eq!(to.read(&mut [0; 16]).unwrap(), 0);
        from.write_all(b"to no server").unwrap();
        exchange(to, from, b"the other way passes");
        line.reopen();
    }
}

#[test]
fn refuses_newcomers_only() {
    let mut line = Line::open();
    for _ in 0..3 {
        line.proxy.refuse();
        let refusal = TcpStream::connect(line.proxy.address()).unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::ConnectionRefused);
        line.passes();
        line.proxy.heal();
    }
    line.passes();
    line.reopen();
}

#[test]
fn faults_on_connections_that_are_already_in_trouble() {
    let mut line = Line::open();
    line.proxy.set_both(Fault::Hold);
    line.client.write_all(b"held").unwrap();
    until("it has come in", || (line.proxy.received(Direction::ToServer) == 11).then_some(()));
    // What was held arrives before the end.
    line.proxy.half_close(Direction::ToServer);
    let mut held = Vec::new();
    line.server.read_to_end(&mut held).unwrap();
    assert_eq!(held, b"held");
    line.proxy.cut();

    line.proxy.blackhole();
    let mut nowhere = dial(&line.proxy);
    until("it was accepted", || (line.proxy.connections() == 1).then_some(()));
    line.proxy.half_close(Direction::ToClient);
    assert!(is_over(&mut nowhere));
    line.proxy.heal();
    line.reopen();
}

fn both() -> [(Direction, Direction); 2] {
    [(Direction::ToServer, Direction::ToClient), (Direction::ToClient, Direction::ToServer)]
}

fn ends<'a>(
    client: &'a mut TcpStream,
    server: &'a mut TcpStream,
    way: Direction,
) -> (&'a mut TcpStream, &'a mut TcpStream) {
    match way {
        Direction::ToServer => (client, server),
        Direction::ToClient => (server, client),
    }
}
