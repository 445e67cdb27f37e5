//! Reading anew, on SIGHUP, what can change while the gateway runs. What is wrong is told, and the old stays in force.

use std::sync::Arc;

use prometheus::IntGauge;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::tls::{Certificates, TlsError};

/// What is read anew.
pub(super) struct Reload {
    metrics: Arc<Metrics>,
    listeners: Vec<TlsListener>,
}

struct TlsListener {
    name: String,
    certificates: Arc<Certificates>,
    expiry: IntGauge,
}

impl Reload {
    /// Reads the certificates of all TLS listeners for the first time.
    pub(super) fn start(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, TlsError> {
        let tls = config.listeners.iter().filter_map(|listener| Some((listener, listener.tls.as_ref()?)));
        let listeners = tls.map(|(listener, files)| {
            let certificates = Certificates::load(files.clone())?;
            let expiry = metrics.http.certificate_expiry(&listener.name);
            Ok(TlsListener { name: listener.name.clone(), certificates, expiry })
        });
        let reload = Self { metrics: Arc::clone(metrics), listeners: listeners.collect::<Result<_, TlsError>>()? };
        reload.show_expiries();
        Ok(reload)
    }

    /// The certificates of a TLS listener.
    pub(super) fn certificates(&self, listener: &str) -> Option<&Arc<Certificates>> {
        self.listeners.iter().find(|known| known.name == listener).map(|known| &known.certificates)
    }

    /// Reads everything anew. Each listener stands for itself: one bad file does not keep another's new certificate out.
    pub(super) fn all(&self) {
        let mut good = true;
        for listener in &self.listeners {
            match listener.certificates.reload() {
                Ok(()) => tracing::info!(listener = %listener.name, "certificates read anew"),
                Err(error) => {
                    good = false;
                    tracing::error!(listener = %listener.name, %error, "the old certificates stay in use");
                }
            }
        }
        self.metrics.reloaded(good);
        self.show_expiries();
    }

    fn show_expiries(&self) {
        for listener in &self.listeners {
            let expires_at = listener.certificates.first_expiry().as_secs();
            listener.expiry.set(i64::try_from(expires_at).unwrap_or(i64::MAX));
        }
    }
}
