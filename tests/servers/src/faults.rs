//! What operators and accidents do to a server's data and connections.

use super::server::RedisServer;

impl RedisServer {
    /// Deletes everything.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn flush_all(&self) {
        self.command::<()>(&["FLUSHALL"]);
    }

    /// Deletes a key, and tells whether it was there.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn delete(&self, key: &str) -> bool {
        self.command(&["DEL", key])
    }

    /// Trims a stream to exactly so many records, and tells how many it lost.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn trim_stream(&self, key: &str, records: usize) -> usize {
        self.command(&["XTRIM", key, "MAXLEN", &records.to_string()])
    }

    /// Closes the connections of all clients, and tells how many there were. Replicas stay connected.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn kill_clients(&self) -> usize {
        let normal: usize = self.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        let subscribed: usize = self.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        normal + subscribed
    }

    /// Closes the connections that have a name, and tells how many there were.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn kill_clients_named(&self, name: &str) -> usize {
        let list: String = self.command(&["CLIENT", "LIST"]);
        let named = list.lines().filter(|line| line.split(' ').any(|field| field == format!("name={name}")));
        let ids = named.filter_map(|line| line.split(' ').find_map(|field| field.strip_prefix("id=")));
        ids.map(|id| self.command::<usize>(&["CLIENT", "KILL", "ID", id])).sum()
    }

    /// Leaves the replicas behind: what is written from here on does not reach them, until
    /// [`accept_replicas`](Self::accept_replicas).
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn refuse_replicas(&self) {
        self.command::<()>(&["ACL", "SETUSER", "default", "-psync", "-sync"]);
        self.command::<usize>(&["CLIENT", "KILL", "TYPE", "replica"]);
    }

    /// Lets replicas have everything again. They come within a second or two.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn accept_replicas(&self) {
        self.command::<()>(&["ACL", "SETUSER", "default", "+psync", "+sync"]);
    }

    /// Changes a setting of the running server.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn set_config(&self, name: &str, value: &str) {
        self.command::<()>(&["CONFIG", "SET", name, value]);
    }
}
