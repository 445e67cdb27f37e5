//! Opening a database: its address, its schema, its connections.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Row};

use super::Dialect;
use crate::entropy;

/// Connections that only read. Readers of SQLite's log do not wait for the writer; 4 keep two cores busy.
const READERS: u32 = 4;

/// An opened database with the current schema.
#[derive(Clone)]
pub struct Database {
    pub(crate) dialect: Dialect,
    pub(crate) readers: AnyPool,
    options: AnyConnectOptions,
    /// Held as long as anyone uses the database.
    _lock: Option<Arc<File>>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Not an address of a database.
    #[error("{0:?} is not a database: use sqlite:PATH or postgres://USER@HOST/NAME")]
    Address(String),
    /// It cannot be made or opened.
    #[error("cannot open {address}: {reason}")]
    Open {
        /// Which.
        address: String,
        /// What the driver says.
        reason: String,
    },
    /// Another process serves from this file.
    #[error("{} is in use by another booking-api", .0.display())]
    InUse(PathBuf),
    /// Its schema is not ours.
    #[error("cannot bring the schema of {address} up to date: {reason}")]
    Schema {
        /// Which.
        address: String,
        /// What the migration says.
        reason: String,
    },
}

impl Database {
    /// Opens the database at `address`, creates it when it is a file that is not there yet, and brings its schema up to
    /// date. A file is served by one process at a time.
    ///
    /// # Errors
    /// [`DatabaseError`]
    pub async fn open(address: &str) -> Result<Self, DatabaseError> {
        let place = Place::parse(address)?;
        let lock = match &place {
            Place::File(path) => Some(Arc::new(exclusive(path)?)),
            Place::Server => None,
        };
        let database = Self::connect(address, &place, "rwc", lock).await?;
        database.migrate(address).await?;
        Ok(database)
    }

    /// Opens the database at `address` to read it, whoever else uses it.
    ///
    /// # Errors
    /// [`DatabaseError`]
    pub async fn open_to_read(address: &str) -> Result<Self, DatabaseError> {
        let place = Place::parse(address)?;
        // Read only would fail on a log left behind by a crash: replaying it writes.
        Self::connect(address, &place, "rw", None).await
    }

    async fn connect(address: &str, place: &Place, mode: &str, lock: Option<Arc<File>>) -> Result<Self, DatabaseError> {
        sqlx::any::install_default_drivers();
        let failed = |error: sqlx::Error| DatabaseError::Open {
            address: shown(address),
            reason: match error {
                sqlx::Error::Configuration(reason) => reason.to_string(),
                other => other.to_string(),
            },
        };
        let dialect = place.dialect();
        let options = match place {
            Place::File(path) => AnyConnectOptions::from_str(&format!("sqlite:{}?mode={mode}", escaped(path))),
            Place::Server => AnyConnectOptions::from_str(address),
        };
        let options = options.map_err(failed)?.disable_statement_logging();
        let readers = AnyPoolOptions::new()
            .max_connections(READERS)
            .after_connect(move |connection, _| Box::pin(prepare(dialect, connection)))
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        Ok(Self { dialect, readers, options, _lock: lock })
    }

    async fn migrate(&self, address: &str) -> Result<(), DatabaseError> {
        let migrator = match self.dialect {
            Dialect::Sqlite => sqlx::migrate!("migrations/sqlite"),
            Dialect::Postgres => sqlx::migrate!("migrations/postgres"),
        };
        let failed = |reason: String| DatabaseError::Schema { address: shown(address), reason };
        let mut connection = self.connection().await.map_err(|error| failed(error.to_string()))?;
        migrator.run(&mut connection).await.map_err(|error| failed(error.to_string()))
    }

    /// A connection of one's own.
    pub(crate) async fn connection(&self) -> sqlx::Result<AnyConnection> {
        let mut connection = self.options.connect().await?;
        prepare(self.dialect, &mut connection).await?;
        Ok(connection)
    }

    /// The secret that customers' tokens are signed with; drawn by whoever opens the database first.
    pub(crate) async fn token_secret(&self) -> sqlx::Result<Vec<u8>> {
        let mut connection = self.connection().await?;
        sqlx::query("INSERT INTO signing_key (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
            .bind(URL_SAFE_NO_PAD.encode(entropy::draw::<32>()))
            .execute(&mut connection)
            .await?;
        let row = sqlx::query("SELECT secret FROM signing_key WHERE id = 1").fetch_one(&mut connection).await?;
        let secret: String = row.try_get(0)?;
        URL_SAFE_NO_PAD.decode(secret).map_err(|error| sqlx::Error::Decode(error.into()))
    }
}

/// Where an address points.
enum Place {
    File(PathBuf),
    Server,
}

impl Place {
    fn parse(address: &str) -> Result<Self, DatabaseError> {
        let bad = || DatabaseError::Address(shown(address));
        if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let named = !path.is_empty() && path != ":memory:" && !path.ends_with('/');
            return if named { Ok(Self::File(PathBuf::from(path))) } else { Err(bad()) };
        }
        let server = ["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme));
        if server { Ok(Self::Server) } else { Err(bad()) }
    }

    const fn dialect(&self) -> Dialect {
        match self {
            Self::File(_) => Dialect::Sqlite,
            Self::Server => Dialect::Postgres,
        }
    }
}

async fn prepare(dialect: Dialect, connection: &mut AnyConnection) -> sqlx::Result<()> {
    for statement in dialect.preparation() {
        sqlx::query(*statement).fetch_all(&mut *connection).await?;
    }
    Ok(())
}

/// Takes the lock file beside the database; the system gives it back when the process ends, however it ends.
fn exclusive(database: &Path) -> Result<File, DatabaseError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(|error| DatabaseError::Open {
        address: format!("sqlite:{}", database.display()),
        reason: error.to_string(),
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(DatabaseError::InUse(database.to_owned())),
    }
}

/// A path as the driver reads it from an address.
fn escaped(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(byte);
    let escape = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.as_os_str().as_encoded_bytes().iter().map(|byte| escape(*byte)).collect()
}

/// An address without its password.
fn shown(address: &str) -> String {
    match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => {
            let user = address[scheme + 3..at].split(':').next().unwrap_or_default();
            format!("{}{user}{}", &address[..scheme + 3], &address[at..])
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages never show a password.
    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("postgres://me:secret@host/db"), "postgres://me@host/db");
        assert_eq!(shown("sqlite:a.db"), "sqlite:a.db");
    }
}
