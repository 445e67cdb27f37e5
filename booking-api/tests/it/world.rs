//! A booking API of one's own: fresh rows, a clock that stands still, customers who ask.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use booking_api::clock::SettableClock;
use booking_api::seed::{Seed, seed};
use booking_api::{App, Database, Settings, Writers, check, router};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use queue_core::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// 2026-12-01T11:00:00Z
pub(crate) const START: Timestamp = Timestamp::from_secs(1_796_122_800);
pub(crate) const HOLD: Duration = Duration::from_secs(300);

/// A running service and its rows.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) clock: Arc<SettableClock>,
    pub(crate) directory: TempDir,
    writers: Writers,
}

/// An answer that was read.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The last part of a problem's type.
    pub(crate) fn problem(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }

    /// As it should be, or the test ends showing what it was.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Refused with this problem, told in full.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, problem: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.problem()), (status, problem), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        for member in ["title", "detail", "instance"] {
            assert!(self.body[member].is_string(), "{member}: {}", self.body);
        }
        self
    }
}

/// Someone with a token.
#[derive(Clone)]
pub(crate) struct Customer {
    router: Router,
    token: String,
    pub(crate) ticket: Option<String>,
}

impl World {
    /// 400 seats at 4 prices, a million points for each customer.
    pub(crate) async fn new() -> Self {
        Self::with(Seed::concert("concert", 400), 1_000_000).await
    }

    pub(crate) async fn with(what: Seed, grant: i64) -> Self {
        Self::open(tempfile::tempdir().unwrap(), what, Settings { grant, ..Settings::default() }, START).await
    }

    pub(crate) async fn open(directory: TempDir, what: Seed, settings: Settings, now: Timestamp) -> Self {
        let clock = Arc::new(SettableClock::new(now));
        let database = Database::open(&address(&directory)).await.unwrap();
        seed(&database, &*clock, &what).await.unwrap();
        let (app, writers) = App::start(database, clock.clone(), settings).await.unwrap();
        Self { router: router(&app), clock, directory, writers }
    }

    /// Stops the service and leaves its rows.
    pub(crate) async fn stop(self) -> TempDir {
        drop(self.router);
        self.writers.finish().await;
        self.directory
    }

    /// The shadow of every test: all rows against all rules.
    pub(crate) async fn is_consistent(&self) {
        let findings = self.findings().await;
        assert!(findings.is_empty(), "{findings:#?}");
    }

    pub(crate) async fn findings(&self) -> Vec<booking_api::Finding> {
        let database = Database::open_to_read(&address(&self.directory)).await.unwrap();
        check(&database, &*self.clock).await.unwrap()
    }

    /// A connection past the service.
    pub(crate) async fn rows(&self) -> SqliteConnection {
        SqliteConnection::connect(&address(&self.directory)).await.unwrap()
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.rows().await).await.unwrap()
    }

    pub(crate) async fn customer(&self) -> Customer {
        self.stranger().sign_in().await
    }

    pub(crate) fn with_token(&self, token: &str) -> Customer {
        Customer { token: token.to_owned(), ..self.stranger() }
    }

    pub(crate) fn stranger(&self) -> Customer {
        Customer::stranger(&self.router)
    }
}

pub(crate) fn address(directory: &TempDir) -> String {
    format!("sqlite:{}", directory.path().join("booking.db").display())
}

impl Customer {
    pub(crate) fn stranger(router: &Router) -> Self {
        Self { router: router.clone(), token: String::new(), ticket: None }
    }

    pub(crate) async fn sign_in(self) -> Self {
        let answer = self.post("/v1/demo/sign-in", None, json!({"name": "Kim"})).await.expect(201);
        Self { token: answer.body["token"].as_str().unwrap().to_owned(), ..self }
    }

    /// The same customer at another instance.
    pub(crate) fn at(&self, router: &Router) -> Self {
        Self { router: router.clone(), ..self.clone() }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, None, &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, key: Option<&str>, body: Value) -> Answer {
        self.ask(Method::POST, path, key, Some(body), &[]).await
    }

    pub(crate) async fn hold(&self, key: &str, units: &[&str]) -> Answer {
        self.post("/v1/events/concert/holds", Some(key), json!({"units": units})).await
    }

    pub(crate) async fn order(&self, hold: &str) -> Answer {
        self.post("/v1/orders", Some(&format!("order-{hold}")), json!({"hold": hold})).await
    }

    pub(crate) async fn pay(&self, order: &str) -> Answer {
        let path = format!("/v1/orders/{order}/payments");
        self.post(&path, Some(&format!("pay-{order}")), json!({"method": "points"})).await
    }

    /// Holds, orders and pays.
    pub(crate) async fn buy(&self, key: &str, units: &[&str]) -> Answer {
        let hold = self.hold(key, units).await.expect(201).id();
        let order = self.order(&hold).await.expect(201).id();
        self.pay(&order).await.expect(201)
    }

    pub(crate) async fn balance(&self) -> i64 {
        self.get("/v1/accounts/me").await.expect(200).body["available"]["amount"].as_i64().unwrap()
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some(ticket) = &self.ticket {
            request = request.header("usher-ticket", ticket);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
