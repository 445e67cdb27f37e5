//! One command to a Redis over a connection of its own. Blocking and small: what breaks a server must not share a
//! client library with what is tested against it.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer as text, the elements of a list separated by spaces; an error answer is an error.
pub(super) fn command(port: u16, words: &[&str]) -> io::Result<String> {
    let mut reader = BufReader::new(send(port, words)?);
    read(&mut reader)
}

/// Sends it and does not wait for the answer; the connection must be kept as long as the server is to go on with it.
pub(super) fn send(port: u16, words: &[&str]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(bytes.as_bytes())?;
    Ok(stream)
}

fn read(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let number = || line[1..].parse::<i64>().map_err(io::Error::other);
    match line.as_bytes().first() {
        Some(b'+' | b':') => Ok(line[1..].to_owned()),
        Some(b'$') => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(String::new()) };
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text)?;
            text.truncate(length);
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        Some(b'*') => (0..number()?).map(|_| read(reader)).collect::<io::Result<Vec<_>>>().map(|all| all.join(" ")),
        _ => Err(io::Error::other(line.to_owned())),
    }
}
