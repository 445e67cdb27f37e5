//! One script as a call of it needs it.

use redis::Cmd;

use super::super::scripts::Arguments;

/// A script: called by its hash, and sent whole to a server that does not know it.
pub(in crate::store::redis) struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    /// The script with this text.
    pub(in crate::store::redis) fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }
}

/// One call of a script on one key. Which server it goes to is known last, and told as one of the arguments: data that
/// moved to another server may lag, and its steps refuse until they have heard what is remembered.
pub(super) struct Invocation<'a> {
    pub(super) script: &'a Script,
    pub(super) key: &'a str,
    pub(super) arguments: &'a Arguments,
}

impl Invocation<'_> {
    /// The call by hash.
    pub(super) fn by_hash(&self, server: &str) -> Cmd {
        self.command("EVALSHA", &self.script.hash, server)
    }

    /// The call with the text, after NOSCRIPT. It loads the script where it runs, on the node of a cluster that the key
    /// leads to, in the same round trip.
    pub(super) fn by_text(&self, server: &str) -> Cmd {
        self.command("EVAL", self.script.code, server)
    }

    fn command(&self, name: &str, script: &str, server: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(1).arg(self.key);
        for argument in self.arguments.with_server(server) {
            command.arg(argument);
        }
        command
    }
}
