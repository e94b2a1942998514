//! What an answer rests on, in headers whose names begin with `P2p-`.

use super::headers::header_of;
use super::problem::Problem;
use crate::documents::{Deleted, Word};
use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use overlay::{DeleteReport, Id, Outcome};

/// How far two counts of replicas are from each other, and what they count.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    key: Id,
    outcome: Word,
    counts: [(&'static str, u32); 2],
    reached: Option<u32>,
}

impl Evidence {
    /// Of a read: how many answered of how many asked; or, where there are no replica sets, how many
    /// nodes were reached.
    pub(super) const fn of_read(
        key: Id,
        outcome: Word,
        (answered, asked): (u32, u32),
        reached: Option<u32>,
    ) -> Self {
        Self {
            key,
            outcome,
            counts: [("replicas_answered", answered), ("replicas_asked", asked)],
            reached,
        }
    }

    /// Of a write: how many hold it durably of how many that were asked to.
    pub(super) const fn of_write(key: Id, outcome: Word, (durable, replicas): (u32, u32)) -> Self {
        Self {
            key,
            outcome,
            counts: [("replicas_durable", durable), ("replicas", replicas)],
            reached: None,
        }
    }

    fn named(&self) -> Vec<(&'static str, u32)> {
        let mut all = self.counts.to_vec();
        all.extend(self.reached.map(|reached| ("nodes_reached", reached)));
        all
    }

    /// As headers.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let outcome = HeaderValue::from_static(self.outcome.text());
        headers.insert(HeaderName::from_static("p2p-outcome"), outcome);
        if let Ok(key) = HeaderValue::try_from(self.key.to_string()) {
            headers.insert(HeaderName::from_static("p2p-key"), key);
        }
        for (name, count) in self.named() {
            headers.extend(header_of(name).map(|header| (header, HeaderValue::from(count))));
        }
        headers
    }

    /// Adds them to a problem, which shows them in its document and as headers.
    pub(super) fn explain(&self, problem: Problem) -> Problem {
        let outcome = self.outcome.text();
        let mut problem = problem
            .with("key", self.key.to_string().into())
            .with("outcome", outcome.into());
        for (name, count) in self.named() {
            problem = problem.with(name, count.into());
        }
        problem
    }
}

/// What a deletion comes to.
pub(super) fn deletion(report: &DeleteReport, what: &str) -> Result<Response, Problem> {
    let evidence = Evidence::of_write(
        report.key,
        report.outcome.into(),
        (report.replicas_durable, report.replicas),
    );
    if report.outcome == Outcome::Absent {
        return Err(evidence.explain(Problem::absent(what)));
    }
    Ok((evidence.headers(), Json(Deleted::from(report))).into_response())
}
